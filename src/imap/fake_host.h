/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests and fuzz targets alone: a host with a gate and a store of one account in memory, behind
 * struct session_host. Every question and answer goes through the frames' encoder and decoder.
 *
 *     struct fake f; fake_init(&f);
 *     int c = fake_connect(&f, "imaps");           greeting is in f.clients[c].received
 *     fake_send(&f, c, STR("a LOGIN alice secret\r\n"));
 *     fake_done(&f);
 *
 * alice's password is "secret". f.stingy: channels refuse every other bulk frame, and the client
 * takes output a few bytes at a time. f.away: the store answers nothing but ERR_TEMP.
 */
#ifndef CULVER_IMAP_FAKE_HOST_H
#define CULVER_IMAP_FAKE_HOST_H

#include "api/schemes.h"
#include "base/limits.h"
#include "base/vec.h"
#include "imap/imap.h"

#include <stdio.h>
#include <stdlib.h>

#define FAKE_CLIENTS   3
#define FAKE_MAILBOXES 64
#define FAKE_TICKET    "a ticket"

struct fake_entry {
	struct api_entry e;
	struct buf bytes, digest;
	bool gone;
};

struct fake_box {
	struct api_mailbox m;
	char name[1025];
	struct vec entries; /* struct fake_entry */
	char keywords[128][65];
	size_t n_keywords;
};

struct fake_question { /* a question that more frames belong to */
	uint32_t request;
	struct session *from;
	struct vec uids; /* struct api_range */
	struct buf body, digest;
	struct frame_upload_into into;
	char keywords[128][65];
};

struct fake_answer {
	uint32_t request; /* 0: a notice */
	struct session *to;
	struct buf frame;
};

struct fake_client {
	struct session *session;
	struct session_peer_info peer;
	struct buf received; /* what the client got and nobody looked at yet */
	struct buf unread;   /* sent, not taken by the session yet */
	uint64_t watched;    /* mailbox */
	bool closed;
};

struct fake {
	struct session_host host; /* first */
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct front_settings settings;
	struct log log;
	struct fake_client clients[FAKE_CLIENTS];
	struct fake_box boxes[FAKE_MAILBOXES];
	size_t n_boxes;
	uint64_t modseq, next_id;
	uint32_t next_request, next_session;
	struct vec answers;   /* struct fake_answer, first come first */
	struct vec questions; /* struct fake_question */
	uint32_t horizon;     /* view_changes reaches back to this modseq */
	bool stingy, away;
	bool no_digests; /* digest_read finds none */
	unsigned refused;
	unsigned puts; /* digest_put frames */
};

static inline struct fake *fake_of(struct session_host *h)
{
	return (struct fake *)(void *)h;
}

/* ---- answers ---- */

static void fake_say(
	struct fake *f, struct session *to, uint32_t request, const struct frame *frame)
{
	struct fake_answer *a = vec_push(&f->answers, NULL);

	a->to = to;
	a->request = request;
	buf_init(&a->frame, LIMIT_FRAME_BYTES + 64);
	if (!frame_encode(frame, request, &a->frame))
		abort();
}

static void fake_fail(struct fake *f, struct session *to, uint32_t request, enum err_kind kind)
{
	fake_say(f, to, request,
		&(struct frame){ .type = FRAME_FAILED,
			.failed = { (uint8_t)kind, str_from(err_sentence(kind)) } });
}

static void fake_ok(struct fake *f, struct session *to, uint32_t request)
{
	fake_say(f, to, request, &(struct frame){ .type = FRAME_DONE });
}

/* ---- mailboxes ---- */

static struct fake_box *fake_box_by_name(struct fake *f, struct str name)
{
	for (size_t i = 0; i < f->n_boxes; i++)
		if (str_equal(str_from(f->boxes[i].name), name))
			return &f->boxes[i];
	return NULL;
}

static struct fake_box *fake_box_by_id(struct fake *f, uint64_t id)
{
	for (size_t i = 0; i < f->n_boxes; i++)
		if (f->boxes[i].m.id == id && f->boxes[i].m.exists)
			return &f->boxes[i];
	return NULL;
}

static struct fake_entry *fake_entry(struct fake_box *b, size_t i)
{
	return (struct fake_entry *)(void *)vec_at(&b->entries, i);
}

static struct fake_box *fake_make_box(struct fake *f, struct str name, uint16_t use)
{
	struct fake_box *b;

	if (f->n_boxes == FAKE_MAILBOXES)
		return NULL;
	b = &f->boxes[f->n_boxes++];
	*b = (struct fake_box){ .m = { .id = ++f->next_id, .exists = true, .special_use = use } };
	b->m.uidvalidity = 1000 + (uint32_t)f->next_id;
	b->m.uidnext = 1;
	snprintf(b->name, sizeof b->name, "%.*s", (int)name.n, name.p);
	vec_init(&b->entries, sizeof(struct fake_entry), 100000);
	return b;
}

static struct api_mailbox fake_mailbox(struct fake *f, struct fake_box *b)
{
	struct api_mailbox m = b->m;

	m.name = str_from(b->name);
	m.highest_modseq = f->modseq;
	for (size_t i = 0; i < b->entries.n; i++) {
		const struct fake_entry *e = fake_entry(b, i);

		if (e->gone)
			continue;
		m.messages++;
		m.unseen += (e->e.flags & FLAG_SEEN) == 0;
		m.deleted += (e->e.flags & FLAG_DELETED) != 0;
		m.size += e->e.size;
	}
	return m;
}

static void fake_notify(struct fake *f, struct fake_box *b, bool gone)
{
	for (int c = 0; c < FAKE_CLIENTS; c++)
		if (f->clients[c].session != NULL && f->clients[c].watched == b->m.id)
			fake_say(f, f->clients[c].session, 0,
				&(struct frame){ .type = FRAME_MAILBOX_CHANGED,
					.mailbox_changed = { f->clients[c].session->store_session,
						b->m.id, f->modseq, gone } });
}

/* ---- entries ---- */

static void fake_keyword(struct fake_box *b, struct str name, uint64_t *low, uint64_t *high)
{
	size_t i = 0;

	while (i < b->n_keywords && !str_equal_nocase(str_from(b->keywords[i]), name))
		i++;
	if (i == 128)
		return;
	if (i == b->n_keywords)
		snprintf(b->keywords[b->n_keywords++], 65, "%.*s", (int)name.n, name.p);
	if (i < 64)
		*low |= 1ULL << i;
	else
		*high |= 1ULL << (i - 64);
}

static struct fake_entry *fake_add(struct fake *f, struct fake_box *b, struct str bytes)
{
	struct fake_entry *e = vec_push(&b->entries, NULL);

	e->e.uid = b->m.uidnext++;
	e->e.modseq = ++f->modseq;
	e->e.size = bytes.n;
	e->e.time = f->clock.wall_ms;
	buf_init(&e->bytes, 256 * 1024 * 1024);
	buf_init(&e->digest, LIMIT_DIGEST_BYTES);
	buf_adds(&e->bytes, bytes);
	return e;
}

/* A message that somebody else delivers. */
static inline void fake_deliver(struct fake *f, const char *box, struct str bytes)
{
	struct fake_box *b = fake_box_by_name(f, str_from(box));

	fake_add(f, b, bytes);
	fake_notify(f, b, false);
}

static bool fake_in(const struct vec *uids, uint32_t uid)
{
	for (size_t i = 0; i < uids->n; i++) {
		const struct api_range *r = (const void *)vec_at(uids, i);

		if (uid >= r->low && uid <= r->high)
			return true;
	}
	return false;
}

static void fake_expunge(struct fake *f, struct fake_box *b, struct fake_entry *e)
{
	(void)b;
	e->gone = true;
	e->e.modseq = ++f->modseq;
	buf_release(&e->bytes);
}

/* ---- what the store is asked ---- */

static size_t fake_keywords(const struct fake_box *b, struct str out[128])
{
	for (size_t i = 0; i < b->n_keywords; i++)
		out[i] = str_from(b->keywords[i]);
	return b->n_keywords;
}

static void fake_view(struct fake *f, struct session *s, uint32_t request, struct fake_box *b)
{
	struct str names[128];
	struct api_entry some[3]; /* small frames, so that series are tested */
	size_t n = 0;
	struct api_mailbox m = fake_mailbox(f, b);
	struct frame is = { .type = FRAME_VIEW_IS,
		.view_is = { .mailbox = b->m.id,
			.uidvalidity = b->m.uidvalidity,
			.uidnext = b->m.uidnext,
			.modseq = f->modseq,
			.messages = m.messages } };

	is.view_is.keywords.n = fake_keywords(b, names);
	is.view_is.keywords.items = names;
	fake_say(f, s, request, &is);
	for (size_t i = 0; i < b->entries.n; i++) {
		if (fake_entry(b, i)->gone)
			continue;
		some[n++] = fake_entry(b, i)->e;
		if (n == 3) {
			fake_say(f, s, request,
				&(struct frame){ .type = FRAME_VIEW_ENTRIES,
					.view_entries = { { some, n }, false } });
			n = 0;
		}
	}
	fake_say(f, s, request,
		&(struct frame){
			.type = FRAME_VIEW_ENTRIES, .view_entries = { { some, n }, true } });
}

static void fake_changes(
	struct fake *f, struct session *s, uint32_t request, struct fake_box *b, uint64_t since)
{
	struct str names[128];
	struct api_entry *entries = xcalloc(b->entries.n + 1, sizeof *entries);
	uint32_t *gone = xcalloc(b->entries.n + 1, sizeof *gone);
	size_t n = 0, n_gone = 0;
	struct frame c = { .type = FRAME_VIEW_CHANGED };

	for (size_t i = 0; i < b->entries.n; i++) {
		const struct fake_entry *e = fake_entry(b, i);

		if (e->e.modseq <= since)
			continue;
		if (e->gone)
			gone[n_gone++] = e->e.uid;
		else
			entries[n++] = e->e;
	}
	c.view_changed.modseq = f->modseq;
	c.view_changed.uidnext = b->m.uidnext;
	c.view_changed.keywords.n = fake_keywords(b, names);
	c.view_changed.keywords.items = names;
	for (size_t at = 0; at + 800 < n; at += 800) {
		c.view_changed.entries.items = entries + at;
		c.view_changed.entries.n = 800;
		fake_say(f, s, request, &c);
	}
	c.view_changed.entries.items = entries + n / 800 * 800;
	c.view_changed.entries.n = n % 800;
	c.view_changed.expunged.items = gone;
	c.view_changed.expunged.n = n_gone;
	c.view_changed.last = true;
	fake_say(f, s, request, &c);
	free(entries);
	free(gone);
}

static void fake_list(struct fake *f, struct session *s, uint32_t request)
{
	for (size_t i = 0; i < f->n_boxes; i++) {
		struct api_mailbox m = fake_mailbox(f, &f->boxes[i]);

		if (m.exists || m.subscribed)
			fake_say(f, s, request,
				&(struct frame){ .type = FRAME_MAILBOXES,
					.mailboxes = { { &m, 1 }, false } });
	}
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_MAILBOXES, .mailboxes = { .last = true } });
}

static void fake_one_box(struct fake *f, struct session *s, uint32_t request, struct fake_box *b)
{
	struct api_mailbox m;

	if (b == NULL || !b->m.exists) {
		fake_fail(f, s, request, ERR_NOT_FOUND);
		return;
	}
	m = fake_mailbox(f, b);
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_MAILBOXES, .mailboxes = { { &m, 1 }, true } });
}

static void fake_create(
	struct fake *f, struct session *s, uint32_t request, const struct frame_mailbox_create *c)
{
	struct fake_box *b = fake_box_by_name(f, c->name);

	if (b != NULL && b->m.exists) {
		fake_fail(f, s, request, ERR_EXISTS);
		return;
	}
	for (size_t i = 1; i < c->name.n; i++)
		if (c->name.p[i] == '/' && fake_box_by_name(f, str_sub(c->name, 0, i)) == NULL)
			fake_make_box(f, str_sub(c->name, 0, i), 0);
	if (b == NULL)
		b = fake_make_box(f, c->name, c->special_use);
	if (b == NULL) {
		fake_fail(f, s, request, ERR_LIMIT);
		return;
	}
	b->m.exists = true;
	fake_one_box(f, s, request, b);
}

static void fake_forget_entries(struct fake_box *b)
{
	for (size_t i = 0; i < b->entries.n; i++) {
		buf_done(&fake_entry(b, i)->bytes);
		buf_done(&fake_entry(b, i)->digest);
	}
	vec_clear(&b->entries);
}

static void fake_delete(struct fake *f, struct session *s, uint32_t request, struct str name)
{
	struct fake_box *b = fake_box_by_name(f, name);

	if (b == NULL || !b->m.exists) {
		fake_fail(f, s, request, ERR_NOT_FOUND);
	} else if (b == &f->boxes[0]) {
		fake_fail(f, s, request, ERR_DENIED);
	} else {
		b->m.exists = false;
		b->m.id = ++f->next_id + 100000;
		fake_forget_entries(b);
		fake_ok(f, s, request);
	}
}

static void fake_rename(
	struct fake *f, struct session *s, uint32_t request, const struct frame_mailbox_rename *r)
{
	struct fake_box *b = fake_box_by_name(f, r->from);

	if (b == NULL || !b->m.exists) {
		fake_fail(f, s, request, ERR_NOT_FOUND);
	} else if (fake_box_by_name(f, r->to) != NULL) {
		fake_fail(f, s, request, ERR_EXISTS);
	} else {
		snprintf(b->name, sizeof b->name, "%.*s", (int)r->to.n, r->to.p);
		fake_ok(f, s, request);
	}
}

static void fake_subscribe(struct fake *f, struct session *s, uint32_t request,
	const struct frame_mailbox_subscribe *m)
{
	struct fake_box *b = fake_box_by_name(f, m->name);

	if (b == NULL && (b = fake_make_box(f, m->name, 0)) != NULL)
		b->m.exists = false;
	if (b != NULL)
		b->m.subscribed = m->on;
	fake_ok(f, s, request);
}

static void fake_read(
	struct fake *f, struct session *s, uint32_t request, const struct frame_message_read *r)
{
	struct fake_box *b = fake_box_by_id(f, r->mailbox);

	for (size_t i = 0; b != NULL && i < b->entries.n; i++) {
		struct fake_entry *e = fake_entry(b, i);

		if (e->e.uid != r->uid || e->gone)
			continue;
		fake_say(f, s, request,
			&(struct frame){ .type = FRAME_MESSAGE_BYTES,
				.message_bytes = { e->e.size,
					str_sub(buf_str(&e->bytes), r->offset, r->length) } });
		return;
	}
	fake_fail(f, s, request, ERR_NOT_FOUND);
}

static void fake_digests(
	struct fake *f, struct session *s, uint32_t request, const struct frame_digest_read *r)
{
	struct fake_box *b = fake_box_by_id(f, r->mailbox);

	for (size_t i = 0; i < r->uids.n; i++) {
		struct frame d = { .type = FRAME_DIGEST_IS,
			.digest_is = { .uid = r->uids.items[i], .last = i + 1 == r->uids.n } };

		for (size_t k = 0; b != NULL && !f->no_digests && k < b->entries.n; k++)
			if (fake_entry(b, k)->e.uid == r->uids.items[i])
				d.digest_is.digest = str_sub(
					buf_str(&fake_entry(b, k)->digest), 0, 64000);
		fake_say(f, s, request, &d);
	}
}

static void fake_login(
	struct fake *f, struct session *s, uint32_t request, const struct frame_login *l)
{
	if (str_equal(l->user, STR("alice")) && str_equal(l->password, STR("secret")))
		fake_say(f, s, request,
			&(struct frame){ .type = FRAME_LOGIN_OK,
				.login_ok = { 7, STR("alice@example.test"), STR(FAKE_TICKET) } });
	else
		fake_fail(f, s, request, ERR_AUTH);
}

static void fake_session(struct fake *f, struct session *s, uint32_t request, struct str ticket)
{
	if (!str_equal(ticket, STR(FAKE_TICKET)))
		fake_fail(f, s, request, ERR_EXPIRED);
	else
		fake_say(f, s, request,
			&(struct frame){ .type = FRAME_SESSION_IS,
				.session_is = { .session = ++f->next_session,
					.account = 7,
					.address = STR("alice@example.test") } });
}

static struct fake_client *fake_client_of(struct fake *f, const struct session *s)
{
	for (int c = 0; c < FAKE_CLIENTS; c++)
		if (f->clients[c].session == s)
			return &f->clients[c];
	return &f->clients[0]; /* inside new: it is not known yet */
}

static void fake_view_question(struct fake *f, struct session *s, uint32_t r, const struct frame *q)
{
	bool open = q->type == FRAME_VIEW_OPEN;
	struct fake_box *b = fake_box_by_id(
		f, open ? q->view_open.mailbox : q->view_changes.mailbox);

	if (b == NULL) {
		fake_fail(f, s, r, ERR_NOT_FOUND);
	} else if (open) {
		fake_client_of(f, s)->watched = b->m.id;
		fake_view(f, s, r, b);
	} else if (q->view_changes.since < f->horizon) {
		fake_fail(f, s, r, ERR_LIMIT);
	} else {
		fake_changes(f, s, r, b, q->view_changes.since);
	}
}

static struct fake_question *fake_question(struct fake *f, uint32_t request)
{
	for (size_t i = 0; i < f->questions.n; i++) {
		struct fake_question *q = (struct fake_question *)(void *)vec_at(&f->questions, i);

		if (q->request == request)
			return q;
	}
	return NULL;
}

static void fake_question_end(struct fake *f, uint32_t request)
{
	struct fake_question *q = fake_question(f, request);

	if (q == NULL)
		return;
	vec_done(&q->uids);
	buf_done(&q->body);
	buf_done(&q->digest);
	q->request = 0;
	q->from = NULL;
}

static struct fake_question *fake_question_begin(
	struct fake *f, struct session *s, uint32_t request)
{
	struct fake_question *q = vec_push(&f->questions, NULL);

	q->request = request;
	q->from = s;
	vec_init(&q->uids, sizeof(struct api_range), 100000);
	buf_init(&q->body, 256 * 1024 * 1024);
	buf_init(&q->digest, LIMIT_DIGEST_BYTES);
	return q;
}

static void fake_take_uids(struct fake_question *q, const struct frame_uids *u)
{
	for (size_t i = 0; i < u->ranges.n; i++)
		vec_push(&q->uids, &u->ranges.items[i]);
}

static void fake_ask_store(struct fake *f, struct session *s, uint32_t r, const struct frame *q)
{
	switch ((int)q->type) {
	case FRAME_SESSION_OPEN:
		fake_session(f, s, r, q->session_open.ticket);
		break;
	case FRAME_MAILBOX_LIST:
		fake_list(f, s, r);
		break;
	case FRAME_MAILBOX_STATUS:
		fake_one_box(f, s, r, fake_box_by_name(f, q->mailbox_status.name));
		break;
	case FRAME_MAILBOX_CREATE:
		fake_create(f, s, r, &q->mailbox_create);
		break;
	case FRAME_MAILBOX_DELETE:
		fake_delete(f, s, r, q->mailbox_delete.name);
		break;
	case FRAME_MAILBOX_RENAME:
		fake_rename(f, s, r, &q->mailbox_rename);
		break;
	case FRAME_MAILBOX_SUBSCRIBE:
		fake_subscribe(f, s, r, &q->mailbox_subscribe);
		break;
	case FRAME_VIEW_OPEN:
	case FRAME_VIEW_CHANGES:
		fake_view_question(f, s, r, q);
		break;
	case FRAME_MESSAGE_READ:
		fake_read(f, s, r, &q->message_read);
		break;
	case FRAME_DIGEST_READ:
		fake_digests(f, s, r, &q->digest_read);
		break;
	case FRAME_UPLOAD_OPEN:
		fake_question_begin(f, s, r);
		break;
	case FRAME_UIDS:
		fake_take_uids(fake_question_begin(f, s, r), &q->uids);
		break;
	default:
		abort();
	}
}

static uint32_t fake_ask(
	struct session_host *h, struct session *s, enum session_peer peer, const struct frame *q)
{
	struct fake *f = fake_of(h);
	uint32_t request = ++f->next_request;

	if (peer == ASK_GATE)
		fake_login(f, s, request, &q->login);
	else if (f->away)
		fake_fail(f, s, request, ERR_TEMP);
	else
		fake_ask_store(f, s, request, q);
	return request;
}

/* ---- what goes with a question ---- */

static void fake_set_flags(struct fake *f, struct fake_question *q, const struct frame_set_flags *s)
{
	struct fake_box *b = fake_box_by_id(f, s->mailbox);
	struct api_range failed[100];
	struct frame changed = { .type = FRAME_CHANGED, .changed = { .last = true } };
	uint64_t low = 0, high = 0, modseq = ++f->modseq;

	for (size_t i = 0; b != NULL && i < s->keywords.n; i++)
		fake_keyword(b, s->keywords.items[i], &low, &high);
	for (size_t i = 0; b != NULL && i < b->entries.n; i++) {
		struct api_entry *e = &fake_entry(b, i)->e;

		if (!fake_in(&q->uids, e->uid) || fake_entry(b, i)->gone)
			continue;
		if (e->modseq > s->unchanged_since) {
			if (changed.changed.failed.n < 100)
				failed[changed.changed.failed.n++] = (struct api_range){ e->uid,
					e->uid };
			continue;
		}
		if (s->mode == FLAGS_REPLACE) {
			e->flags = s->flags;
			e->keywords_low = low;
			e->keywords_high = high;
		} else if (s->mode == FLAGS_ADD) {
			e->flags |= s->flags;
			e->keywords_low |= low;
			e->keywords_high |= high;
		} else {
			e->flags &= (uint8_t)~s->flags;
			e->keywords_low &= ~low;
			e->keywords_high &= ~high;
		}
		e->modseq = modseq;
		changed.changed.done_count++;
	}
	changed.changed.modseq = modseq;
	changed.changed.failed.items = failed;
	fake_say(f, q->from, q->request, &changed);
	if (b != NULL)
		fake_notify(f, b, false);
}

static void fake_copy(struct fake *f, struct fake_question *q, const struct frame_copy *c)
{
	struct fake_box *from = fake_box_by_id(f, c->mailbox), *to = fake_box_by_id(f, c->target);
	struct api_pair pairs[1000];
	struct frame copied = { .type = FRAME_COPIED, .copied = { .last = true } };
	size_t n = from == NULL ? 0 : from->entries.n;

	if (from == NULL || to == NULL) {
		fake_fail(f, q->from, q->request, ERR_NOT_FOUND);
		return;
	}
	for (size_t i = 0; i < n && copied.copied.pairs.n < 1000; i++) {
		struct fake_entry *e = fake_entry(from, i), *made;
		struct api_entry old = e->e;

		if (!fake_in(&q->uids, old.uid) || e->gone)
			continue;
		made = fake_add(f, to, buf_str(&e->bytes));
		e = fake_entry(from, i); /* when from and to are one, it may have moved */
		made->e.flags = old.flags;
		made->e.time = old.time;
		buf_adds(&made->digest, buf_str(&e->digest));
		pairs[copied.copied.pairs.n++] = (struct api_pair){ old.uid, made->e.uid };
		if (c->move)
			fake_expunge(f, from, e);
	}
	copied.copied.uidvalidity = to->m.uidvalidity;
	copied.copied.modseq = f->modseq;
	copied.copied.pairs.items = pairs;
	fake_say(f, q->from, q->request, &copied);
	fake_notify(f, to, false);
	fake_notify(f, from, false);
}

static void fake_do_expunge(struct fake *f, struct fake_question *q, const struct frame_expunge *x)
{
	struct fake_box *b = fake_box_by_id(f, x->mailbox);
	struct frame changed = { .type = FRAME_CHANGED, .changed = { .last = true } };

	for (size_t i = 0; b != NULL && i < b->entries.n; i++) {
		struct fake_entry *e = fake_entry(b, i);

		if (e->gone || !fake_in(&q->uids, e->e.uid) ||
			(x->deleted_only && (e->e.flags & FLAG_DELETED) == 0))
			continue;
		fake_expunge(f, b, e);
		changed.changed.done_count++;
	}
	changed.changed.modseq = f->modseq;
	fake_say(f, q->from, q->request, &changed);
	if (b != NULL)
		fake_notify(f, b, false);
}

static void fake_commit(struct fake *f, struct fake_question *q, const struct frame_upload_into *u)
{
	struct fake_box *b = fake_box_by_id(f, u->mailbox);
	struct fake_entry *e;
	struct api_landing at;

	if (b == NULL) {
		fake_fail(f, q->from, q->request, ERR_NOT_FOUND);
		return;
	}
	e = fake_add(f, b, buf_str(&q->body));
	e->e.flags = u->flags;
	if (u->time != 0)
		e->e.time = u->time;
	for (size_t i = 0; i < u->keywords.n; i++)
		fake_keyword(b, str_from(q->keywords[i]), &e->e.keywords_low, &e->e.keywords_high);
	buf_adds(&e->digest, buf_str(&q->digest));
	at = (struct api_landing){ 7, b->m.id, b->m.uidvalidity, e->e.uid };
	fake_say(f, q->from, q->request,
		&(struct frame){ .type = FRAME_DELIVERED, .delivered = { { &at, 1 } } });
	fake_notify(f, b, false);
}

static bool fake_tell(struct session_host *h, struct session *s, enum session_peer peer,
	uint32_t request, const struct frame *frame)
{
	struct fake *f = fake_of(h);
	struct fake_question *q = fake_question(f, request);

	(void)peer;
	if (f->stingy &&
		(frame->type == FRAME_UPLOAD_BYTES || frame->type == FRAME_UPLOAD_INTO ||
			frame->type == FRAME_UPLOAD_COMMIT) &&
		++f->refused % 2 == 1)
		return false;
	if (frame->type == FRAME_VIEW_CLOSE)
		fake_client_of(f, s)->watched = 0;
	f->puts += frame->type == FRAME_DIGEST_PUT;
	if (q == NULL)
		return true;
	switch ((int)frame->type) {
	case FRAME_UIDS:
		fake_take_uids(q, &frame->uids);
		return true;
	case FRAME_UPLOAD_BYTES:
		buf_adds(&q->body, frame->upload_bytes.data);
		return true;
	case FRAME_UPLOAD_DIGEST:
		buf_adds(&q->digest, frame->upload_digest.data);
		return true;
	case FRAME_UPLOAD_INTO:
		q->into = frame->upload_into;
		for (size_t i = 0; i < q->into.keywords.n; i++)
			snprintf(q->keywords[i], 65, "%" STR_FMT,
				STR_ARG(q->into.keywords.items[i]));
		return true;
	case FRAME_UPLOAD_COMMIT:
		fake_commit(f, q, &q->into);
		break;
	case FRAME_SET_FLAGS:
		fake_set_flags(f, q, &frame->set_flags);
		break;
	case FRAME_COPY:
		fake_copy(f, q, &frame->copy);
		break;
	case FRAME_EXPUNGE:
		fake_do_expunge(f, q, &frame->expunge);
		break;
	default:
		break;
	}
	fake_question_end(f, request);
	return true;
}

static void fake_cancel(struct session_host *h, struct session *s, uint32_t request)
{
	struct fake *f = fake_of(h);

	(void)s;
	for (size_t i = 0; i < f->answers.n; i++) {
		struct fake_answer *a = (struct fake_answer *)(void *)vec_at(&f->answers, i);

		if (a->request == request)
			a->to = NULL;
	}
	fake_question_end(f, request);
}

/* ---- turns ---- */

/* Takes what the session says; few bytes at a time when stingy. */
static void fake_drain(struct fake *f, struct fake_client *c)
{
	while (c->session != NULL && c->session->out.n > 0) {
		size_t n = f->stingy && c->session->out.n > 5000 ? 5000 : c->session->out.n;

		buf_add(&c->received, c->session->out.p, n);
		buf_consume(&c->session->out, n);
		if (c->session->next == NEXT_GO_ON)
			c->session->class->resume(c->session);
	}
	if (c->session != NULL && c->session->next == NEXT_CLOSE) {
		for (size_t i = 0; i < f->answers.n; i++) {
			struct fake_answer *a = (struct fake_answer *)(void *)vec_at(
				&f->answers, i);

			if (a->to == c->session)
				a->to = NULL;
		}
		c->session->class->free(&c->session);
		c->closed = true;
		c->watched = 0;
	} else if (c->session != NULL && c->session->next == NEXT_START_TLS) {
		buf_clear(&c->unread);
		c->peer.tls = true;
		c->session->class->tls_started(c->session);
	}
}

static bool fake_deliver_one(struct fake *f)
{
	struct fake_answer a;
	struct frame_header h;
	struct frame frame;
	struct arena arena;

	if (f->answers.n == 0)
		return false;
	a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);
	vec_remove(&f->answers, 0);
	arena_init(&arena, 4 * 1024 * 1024);
	if (frame_header_decode(str_sub(buf_str(&a.frame), 0, FRAME_HEADER_BYTES), &h, NULL) < 0 ||
		frame_decode(&h, str_from_offset(buf_str(&a.frame), FRAME_HEADER_BYTES), &arena,
			&frame, NULL) < 0)
		abort();
	if (a.to != NULL && a.request == 0)
		a.to->class->notice(a.to, &frame);
	else if (a.to != NULL)
		a.to->class->answer(a.to, a.request, &frame);
	arena_done(&arena);
	buf_done(&a.frame);
	return true;
}

static bool fake_input(struct fake_client *c)
{
	size_t n;

	if (c->session == NULL || c->unread.n == 0 || c->session->next != NEXT_GO_ON)
		return false;
	n = c->session->class->input(c->session, buf_str(&c->unread));
	buf_consume(&c->unread, n);
	return n > 0;
}

/* Goes on until nothing moves. A stingy channel may have to be tried more than once. */
static void fake_run(struct fake *f)
{
	for (int still = 0; still < (f->stingy ? 4 : 1); still++) {
		bool moved = fake_deliver_one(f);

		for (int i = 0; i < FAKE_CLIENTS; i++) {
			struct fake_client *c = &f->clients[i];

			fake_drain(f, c);
			moved = fake_input(c) || moved;
			if (f->stingy && c->session != NULL)
				c->session->class->resume(c->session);
			fake_drain(f, c);
		}
		if (moved)
			still = -1;
	}
}

static inline void fake_send(struct fake *f, int client, struct str bytes)
{
	buf_adds(&f->clients[client].unread, bytes);
	fake_run(f);
}

/* Time passes; deadlines strike. */
static inline void fake_wait(struct fake *f, int64_t ms)
{
	f->clock.monotonic_ms += ms;
	f->clock.wall_ms += ms;
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		struct session *s = f->clients[c].session;

		if (s != NULL && s->deadline_ms != 0 && s->deadline_ms <= f->clock.monotonic_ms)
			s->class->timeout(s);
	}
	fake_run(f);
}

static inline int fake_connect(struct fake *f, const char *service, bool tls)
{
	int i = 0;
	struct fake_client *c;

	while (i < FAKE_CLIENTS && f->clients[i].session != NULL)
		i++;
	if (i == FAKE_CLIENTS)
		abort();
	c = &f->clients[i];
	buf_clear(&c->received);
	buf_clear(&c->unread);
	c->closed = false;
	c->peer = (struct session_peer_info){
		.address = "127.0.0.1", .loopback = true, .tls = tls
	};
	snprintf(c->peer.service, sizeof c->peer.service, "%s", service);
	c->session = imap_session_class.new(&f->host, &c->peer, &f->log);
	fake_run(f);
	return i;
}

/* The store is replaced by another that knows the same. */
static inline void fake_replace_store(struct fake *f)
{
	while (f->answers.n > 0) {
		struct fake_answer a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);

		vec_remove(&f->answers, 0);
		buf_done(&a.frame);
	}
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		f->clients[c].watched = 0;
		if (f->clients[c].session != NULL)
			f->clients[c].session->class->store_lost(f->clients[c].session);
	}
	fake_run(f);
}

static inline void fake_init(struct fake *f)
{
	*f = (struct fake){ .modseq = 10 };
	clock_fake_init(&f->clock, 1795300000000);
	random_fake_init(&f->random, 1);
	f->seams = (struct seams){ .clock = &f->clock.seam, .random = &f->random.seam };
	f->settings = (struct front_settings){ .message_bytes = 50 * 1024 * 1024,
		.tls_available = true };
	f->host = (struct session_host){ .ask = fake_ask,
		.tell = fake_tell,
		.cancel = fake_cancel,
		.seams = &f->seams,
		.settings = &f->settings,
		.hostname = "mail.example.test" };
	vec_init(&f->answers, sizeof(struct fake_answer), 1000000);
	vec_init(&f->questions, sizeof(struct fake_question), 1000000);
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		buf_init(&f->clients[c].received, 512 * 1024 * 1024);
		buf_init(&f->clients[c].unread, 512 * 1024 * 1024);
	}
	fake_make_box(f, STR("INBOX"), 0);
	fake_make_box(f, STR("Sent"), USE_SENT);
	fake_make_box(f, STR("Trash"), USE_TRASH);
}

static inline void fake_done(struct fake *f)
{
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		if (f->clients[c].session != NULL)
			f->clients[c].session->class->free(&f->clients[c].session);
		buf_done(&f->clients[c].received);
		buf_done(&f->clients[c].unread);
	}
	for (size_t i = 0; i < f->n_boxes; i++) {
		fake_forget_entries(&f->boxes[i]);
		vec_done(&f->boxes[i].entries);
	}
	while (f->answers.n > 0) {
		struct fake_answer a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);

		vec_remove(&f->answers, 0);
		buf_done(&a.frame);
	}
	for (size_t i = 0; i < f->questions.n; i++) {
		struct fake_question *q = (struct fake_question *)(void *)vec_at(&f->questions, i);

		vec_done(&q->uids);
		buf_done(&q->body);
		buf_done(&q->digest);
	}
	vec_done(&f->answers);
	vec_done(&f->questions);
}

#endif
