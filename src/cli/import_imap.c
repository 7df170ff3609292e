// SPDX-License-Identifier: Apache-2.0
/*
 * culver import: from an IMAP server. Another process reads the server (remote_fetch.c); it is
 * asked for one mailbox after the other, for what messages there are, and for those that the
 * account lacks. What it says is a stranger's, by way of a process that a stranger may have taken:
 * sizes are counted here again.
 *
 * A message is known without being fetched where the mailbox has the server's UIDVALIDITY, and the
 * message of that UID the same size and date: then it came from there. (A UID alone would not do:
 * what is delivered here takes UIDs too.) What is fetched is known by its bytes: where the account
 * has something that no message stands for yet, mailbox by mailbox (import.h).
 */
#include "cli/import.h"

#include "base/limits.h"
#include "base/planted.h"
#include "base/seams.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_BYTES = 4 << 20, MOST_GATHERED = LIMIT_IMAP_CLIENT_FETCH };

struct listed {
	uint32_t number;
	struct str path, name; /* in the arena */
	bool unsubscribed;
	uint16_t special_use;
	uint32_t uidvalidity;
	struct vec wanted;    /* struct api_fetched_entry: what is to be fetched */
	uint64_t here;        /* the account's mailbox */
	bool at_hand;         /* which holds something, and comes first */
	size_t put_off, ends; /* what was put off of it */
};

struct gathered {
	uint32_t uid;
	uint8_t flags;
	int64_t time_ms;
	bool has_time, too_big;
	size_t at, n;                   /* of the bytes */
	size_t keywords_at, keywords_n; /* of the words */
};

struct source {
	struct importer *im;
	struct arena arena;
	struct vec mailboxes; /* struct listed */
	bool full;
	size_t wanted; /* messages of all mailboxes together */
	/* the mailbox at hand */
	struct frame_fetch_opened opened;
	struct vec view;    /* struct api_entry: what the account's mailbox has */
	struct vec entries; /* struct api_fetched_entry: what the server's has */
	uint32_t session;
	bool late; /* what was put off comes */
	/* messages on their way */
	struct vec gathered; /* struct gathered */
	struct vec missing;  /* uint32_t: UIDs that were asked for and did not come */
	struct buf bytes, words;
	size_t begun; /* where the message that is coming begins */
	bool overflow;
};

/* ---- mailboxes ---- */

static void on_mailbox(void *arg, const struct frame *frame)
{
	struct source *s = arg;
	const struct frame_fetched_mailbox *f = &frame->fetched_mailbox;
	if (frame->type != FRAME_FETCHED_MAILBOX || !f->selectable ||
		!importer_wants(s->im, f->path))
		return;
	struct listed m = { .number = f->number,
		.path = arena_str(&s->arena, f->path),
		.name = arena_str(&s->arena, f->name),
		.unsubscribed = f->unsubscribed,
		.special_use = f->special_use };
	if (m.name.p == NULL || !vec_push(&s->mailboxes, &m))
		s->full = true;
}

/* RFC 6154 2: mailboxes that show what is in others. */
static bool is_virtual(const struct listed *m)
{
	return (m->special_use & (USE_ALL | USE_FLAGGED)) != 0;
}

static int rank(const struct listed *m)
{
	if (str_equal(m->path, STR("INBOX")))
		return 0;
	return is_virtual(m) ? 2 : 1;
}

static int by_rank(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int order = rank(x) - rank(y);
	return order ? order : str_compare(x->path, y->path);
}

static int list(struct source *s, struct err *err)
{
	struct frame f = { .type = FRAME_FETCH_MAILBOXES };
	if (remote_ask(s->im->remote, REMOTE_FETCHER, &f, on_mailbox, s, err) < 0)
		return -1;
	if (s->full)
		return fail(err, ERR_LIMIT, "the server has too many mailboxes");
	if (s->mailboxes.n)
		qsort(s->mailboxes.p, s->mailboxes.n, s->mailboxes.size, by_rank);
	return 0;
}

/* ---- what is there, and what is here ---- */

static void on_entries(void *arg, const struct frame *frame)
{
	struct source *s = arg;
	if (frame->type != FRAME_FETCHED_ENTRIES)
		return;
	for (size_t i = 0; i < frame->fetched_entries.entries.n; i++)
		if (!vec_push(&s->entries, &frame->fetched_entries.entries.items[i]))
			s->full = true;
}

static void on_session(void *arg, const struct frame *frame)
{
	struct source *s = arg;
	if (frame->type == FRAME_SESSION_IS)
		s->session = frame->session_is.session;
}

static void on_view(void *arg, const struct frame *frame)
{
	struct source *s = arg;
	if (frame->type != FRAME_VIEW_ENTRIES)
		return;
	for (size_t i = 0; i < frame->view_entries.entries.n; i++)
		if (!vec_push(&s->view, &frame->view_entries.entries.items[i]))
			s->full = true;
}

static int by_uid(const void *a, const void *b)
{
	const struct api_fetched_entry *x = a, *y = b;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* A server may tell of a message twice. */
static void each_once(struct vec *entries)
{
	size_t n = 0;
	if (entries->n)
		qsort(entries->p, entries->n, entries->size, by_uid);
	for (size_t i = 0; i < entries->n; i++)
		if (n == 0 || by_uid(vec_at(entries, n - 1), vec_at(entries, i)) != 0)
			memmove(vec_at(entries, n++), vec_at(entries, i), entries->size);
	entries->n = n;
}

static int read_view(struct source *s, struct err *err)
{
	struct remote *remote = s->im->remote;
	struct frame open = { .type = FRAME_ACCOUNT_OPEN,
		.account_open.address = address_str(&s->im->address) };
	vec_clear(&s->view);
	if (!s->im->keeps_uids)
		return 0;
	if (s->session == 0 && remote_ask(remote, REMOTE_STORE, &open, on_session, s, err) < 0)
		return -1;
	struct frame view = { .type = FRAME_VIEW_OPEN,
		.view_open = { s->session, s->im->number, false } };
	return remote_ask(remote, REMOTE_STORE, &view, on_view, s, err);
}

/* The account's own of that message, or NULL. at: where the search goes on; both are in the order
 * of UIDs. */
static const struct api_entry *find_here(
	const struct source *s, const struct api_fetched_entry *e, size_t *at)
{
	const struct api_entry *v = NULL;
	while (*at < s->view.n && (v = vec_at(&s->view, *at))->uid < e->uid)
		++*at;
	return *at < s->view.n && v->uid == e->uid && v->size == e->size && e->has_time &&
			       v->time / 1000 == e->time / 1000
		       ? v
		       : NULL;
}

/* What is to be fetched. */
static void choose(struct source *s, struct vec *wanted)
{
	size_t at = 0;
	for (size_t i = 0; i < s->entries.n; i++) {
		const struct api_fetched_entry *e = vec_at(&s->entries, i);
		char from[32];
		snprintf(from, sizeof(from), "UID %" PRIu32, e->uid);
		const struct api_entry *here = find_here(s, e, &at);
		if (here && importer_has(s->im, here->entry_id))
			continue;
		if (e->size > s->im->most_bytes)
			importer_tell(s->im, from, "larger than a message may be (message_bytes)");
		else if (++s->wanted > LIMIT_VIEW_ENTRIES || !vec_push(wanted, e))
			s->full = true;
	}
}

/* ---- messages ---- */

static void on_message(void *arg, const struct frame *frame)
{
	struct source *s = arg;
	const struct frame_fetched_message *f = &frame->fetched_message;
	if (frame->type == FRAME_FETCHED_BYTES && !buf_adds(&s->bytes, frame->fetched_bytes.data))
		s->overflow = true;
	if (frame->type != FRAME_FETCHED_MESSAGE || s->overflow)
		return;
	struct gathered g = { .uid = f->uid,
		.flags = f->flags,
		.time_ms = f->time,
		.has_time = f->has_time,
		.too_big = f->too_big,
		.at = s->begun,
		.n = s->bytes.n - s->begun,
		.keywords_at = s->words.n,
		.keywords_n = f->keywords.n };
	(void)buf_adds(&s->words, f->keywords);
	s->begun = s->bytes.n;
	if (!vec_push(&s->gathered, &g))
		s->overflow = true;
}

static int take_message(struct source *s, const struct gathered *g, struct err *err)
{
	char from[32];
	struct clock_seam *clock = clock_os();
	struct import_message m = { .bytes = str_sub(buf_str(&s->bytes), g->at, g->n),
		.time_ms = g->has_time ? g->time_ms : clock->wall_ms(clock),
		.flags = g->flags & FLAGS_ALL,
		.keywords = str_sub(buf_str(&s->words), g->keywords_at, g->keywords_n),
		.uid = g->uid,
		.from = from };
	snprintf(from, sizeof(from), "UID %" PRIu32, g->uid);
	if (!g->too_big)
		return s->late ? importer_put(s->im, &m, err) : importer_message(s->im, &m, err);
	importer_tell(s->im, from, "larger than a message may be (message_bytes)");
	return 0;
}

static int by_their_uid(const void *a, const void *b)
{
	const struct gathered *x = a, *y = b;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* In the order of UIDs, so that they can be kept. */
static int take_all(struct source *s, struct err *err)
{
	struct vec *v = &s->gathered;
	if (v->n)
		qsort(v->p, v->n, v->size, by_their_uid);
	VEC_EACH (struct gathered, g, v)
		if (take_message(s, g, err) < 0)
			return -1;
	return 0;
}

/* Both ascend. */
static void note_missing(struct source *s, const uint32_t *uids, size_t n)
{
	const struct gathered *g = s->gathered.n ? (void *)vec_at(&s->gathered, 0) : NULL;
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		while (at < s->gathered.n && g[at].uid < uids[i])
			at++;
		if ((at == s->gathered.n || g[at].uid != uids[i]) &&
			!vec_push(&s->missing, &uids[i]))
			s->full = true;
	}
}

/* Fetches n of them at once. 1: not all came, since they are larger than was said, or the server
 * refused: one by one it will show which. */
static int fetch(struct source *s, const struct api_fetched_entry *e, size_t n, struct err *err)
{
	char from[32];
	uint32_t uids[MOST_GATHERED];
	struct err why = ERR_INIT;
	struct frame f = { .type = FRAME_FETCH_MESSAGES, .fetch_messages.uids = { uids, n } };
	for (size_t i = 0; i < n; i++)
		uids[i] = e[i].uid;
	vec_clear(&s->gathered);
	buf_clear(&s->bytes);
	buf_clear(&s->words);
	s->begun = 0;
	s->overflow = false;
	snprintf(from, sizeof(from), "UID %" PRIu32, uids[0]);
	int rc = remote_ask(s->im->remote, REMOTE_FETCHER, &f, on_message, s, &why);
	if (rc < 0 && why.kind != ERR_DENIED) {
		*err = why;
		return -1;
	}
	if (n > 1 && (rc < 0 || s->overflow))
		return 1;
	if (rc < 0)
		importer_tell(s->im, from, why.public_text);
	else if (s->overflow)
		importer_tell(s->im, from, "larger than a message may be (message_bytes)");
	else
		rc = take_all(s, err);
	if (rc == 0 && !s->overflow)
		note_missing(s, uids, n);
	return rc < 0 && err->kind != ERR_NONE ? -1 : 0;
}

static int fetch_all(struct source *s, const struct vec *wanted, struct err *err)
{
	const struct api_fetched_entry *e = wanted->n ? (void *)vec_at(wanted, 0) : NULL;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < wanted->n;) {
		uint64_t bytes = e[i].size;
		size_t n = 1;
		while (i + n < wanted->n && n < MOST_GATHERED &&
			bytes + e[i + n].size <= BATCH_BYTES)
			bytes += e[i + n++].size;
		rc = fetch(s, &e[i], n, err);
		for (size_t k = 0; rc == 1 && k < n; k++)
			rc = fetch(s, &e[i + k], 1, err) < 0 ? -1 : k + 1 < n;
		i += n;
	}
	return rc;
}

/* ---- a mailbox ---- */

static void on_opened(void *arg, const struct frame *frame)
{
	struct source *s = arg;
	if (frame->type == FRAME_FETCH_OPENED)
		s->opened = frame->fetch_opened;
}

/* 1: the server does not let it be opened, which was told. */
static int open_mailbox(struct source *s, const struct listed *m, struct err *err)
{
	struct err why = ERR_INIT;
	struct frame f = { .type = FRAME_FETCH_OPEN, .fetch_open.number = m->number };
	if (remote_ask(s->im->remote, REMOTE_FETCHER, &f, on_opened, s, &why) == 0)
		return 0;
	if (why.kind != ERR_DENIED) {
		*err = why;
		return -1;
	}
	importer_tell_of_mailbox(s->im, m->name.p, why.public_text);
	return 1;
}

static int read_entries(struct source *s, struct err *err)
{
	struct frame f = { .type = FRAME_FETCH_ENTRIES };
	vec_clear(&s->entries);
	if (s->opened.exists == 0) /* "1:*" is an error to some servers then */
		return 0;
	if (remote_ask(s->im->remote, REMOTE_FETCHER, &f, on_entries, s, err) < 0)
		return -1;
	each_once(&s->entries);
	return s->full ? fail(err, ERR_LIMIT, "the mailbox is too large") : 0;
}

static int make_mailbox(struct source *s, const struct listed *m, struct err *err)
{
	struct import_mailbox mailbox = { .name = m->path,
		.uidvalidity = s->opened.uidvalidity,
		.uidnext = s->opened.uidnext,
		.unsubscribed = m->unsubscribed,
		.once = is_virtual(m) };
	return importer_mailbox(s->im, &mailbox, err);
}

/* First all mailboxes are looked at, so that what is there already stands for itself and for
 * nothing that comes: a message that was copied meanwhile has the bytes of another. */
static int look_at(struct source *s, struct listed *m, struct err *err)
{
	vec_init(&m->wanted, sizeof(struct api_fetched_entry), LIMIT_VIEW_ENTRIES);
	if (m->path.n == 0) {
		importer_tell_of_mailbox(s->im, m->name.p, "is no name of a mailbox");
		return 0;
	}
	int rc = open_mailbox(s, m, err);
	if (rc == 0)
		rc = make_mailbox(s, m, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (read_entries(s, err) < 0 || read_view(s, err) < 0)
		return -1;
	m->uidvalidity = s->opened.uidvalidity;
	m->here = s->im->number;
	choose(s, &m->wanted);
	return s->full ? fail(err, ERR_LIMIT, "the server has too many messages") : 0;
}

/* What did not come has gone meanwhile, unless the mailbox, opened anew, still has it. */
static int tell_of_missing(struct source *s, const struct listed *m, struct err *err)
{
	if (s->missing.n == 0)
		return 0;
	int rc = open_mailbox(s, m, err);
	if (rc || s->opened.uidvalidity != m->uidvalidity)
		return rc < 0 ? -1 : 0;
	if (read_entries(s, err) < 0)
		return -1;
	VEC_EACH (const uint32_t, uid, &s->missing) {
		struct api_fetched_entry wanted = { .uid = *uid };
		char from[32];
		snprintf(from, sizeof(from), "UID %" PRIu32, *uid);
		if (s->entries.n && bsearch(&wanted, vec_at(&s->entries, 0), s->entries.n,
					    s->entries.size, by_uid))
			importer_tell(s->im, from, "the server lists it, and does not send it");
	}
	return 0;
}

static int take_from(struct source *s, struct listed *m, struct err *err)
{
	if (m->wanted.n == 0)
		return 0;
	int rc = open_mailbox(s, m, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	if (s->opened.uidvalidity != m->uidvalidity) {
		importer_tell_of_mailbox(s->im, m->name.p, "was made anew on the server meanwhile");
		return 0;
	}
	rc = make_mailbox(s, m, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	m->put_off = s->im->put_off.n;
	vec_clear(&s->missing);
	rc = fetch_all(s, &m->wanted, err);
	m->ends = s->im->put_off.n;
	return rc < 0 ? -1 : tell_of_missing(s, m, err);
}

static int take_at_hand(struct source *s, struct listed *m, struct err *err)
{
	return m->at_hand ? take_from(s, m, err) : 0;
}

/* Of what was put off, in the order of UIDs as well, what is not there. */
static int take_late(struct source *s, struct listed *m, struct err *err)
{
	const struct vec *put_off = &s->im->put_off;
	size_t n = 0, at = m->put_off, ends = m->ends;
	if (!m->at_hand)
		return 0;
	VEC_EACH (struct api_fetched_entry, e, &m->wanted) {
		const struct import_put_off *p = NULL;
		while (at < ends && (p = vec_at(put_off, at))->uid < e->uid)
			at++;
		if (at < ends && p->uid == e->uid && p->late)
			memmove(vec_at(&m->wanted, n++), e, sizeof(*e));
	}
	m->wanted.n = n;
	return take_from(s, m, err);
}

static int take_rest(struct source *s, struct listed *m, struct err *err)
{
	return m->at_hand ? 0 : take_from(s, m, err);
}

static int each_mailbox(struct source *s,
	int (*what)(struct source *, struct listed *, struct err *), struct err *err)
{
	VEC_EACH (struct listed, m, &s->mailboxes)
		if (what(s, m, err) < 0)
			return -1;
	return 0;
}

/* Those that show what is in others come last in any case. */
static int take(struct source *s, struct err *err)
{
	struct importer *im = s->im;
	VEC_EACH (struct listed, m, &s->mailboxes)
		m->at_hand = !is_virtual(m) && bodies_in(&im->known, m->here) &&
			     !planted("import_takes_from_elsewhere");
	im->counted = true;
	im->turn = IMPORT_AT_HAND;
	if (each_mailbox(s, take_at_hand, err) < 0)
		return -1;
	importer_settle(im);
	s->late = true;
	if (each_mailbox(s, take_late, err) < 0)
		return -1;
	s->late = false;
	im->turn = IMPORT_REST;
	return each_mailbox(s, take_rest, err);
}

int import_imap(struct importer *im, const struct remote_server *server, struct err *err)
{
	struct source s = { .im = im };
	arena_init(&s.arena, 64 << 20);
	vec_init(&s.mailboxes, sizeof(struct listed), LIMIT_MAILBOXES);
	vec_init(&s.entries, sizeof(struct api_fetched_entry), LIMIT_VIEW_ENTRIES);
	vec_init(&s.view, sizeof(struct api_entry), LIMIT_VIEW_ENTRIES);
	vec_init(&s.gathered, sizeof(struct gathered), MOST_GATHERED);
	vec_init(&s.missing, sizeof(uint32_t), LIMIT_VIEW_ENTRIES);
	buf_init(&s.bytes, im->most_bytes + BATCH_BYTES);
	buf_init(&s.words, 1 << 20);
	int rc = remote_fetch_begin(im->remote, server, err);
	if (rc == 0)
		rc = list(&s, err);
	if (rc == 0)
		rc = each_mailbox(&s, look_at, err);
	if (rc == 0)
		rc = take(&s, err);
	remote_fetch_end(im->remote);
	/* Another's mistakes are not those of who typed the command. */
	if (rc < 0 && (err->kind == ERR_SYNTAX || err->kind == ERR_NOT_FOUND))
		err->kind = ERR_TEMP;
	VEC_EACH (struct listed, m, &s.mailboxes)
		vec_done(&m->wanted);
	arena_done(&s.arena);
	vec_done(&s.mailboxes);
	vec_done(&s.entries);
	vec_done(&s.view);
	vec_done(&s.gathered);
	vec_done(&s.missing);
	buf_done(&s.bytes);
	buf_done(&s.words);
	return rc;
}
