/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests alone: how the gate and the store in memory answer. See fake_host.h.
 */
#ifndef CULVER_IMAP_FAKE_STORE_H
#define CULVER_IMAP_FAKE_STORE_H

#include "imap/fake.h"

/* ---- what the store is asked ---- */

static size_t fake_keywords(const struct fake_box *b, struct str out[128])
{
	for (size_t i = 0; i < b->n_keywords; i++)
		out[i] = str_from(b->keywords[i]);
	return b->n_keywords;
}

static uint32_t fake_first_unseen(struct fake_box *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < b->entries.n; i++) {
		if (fake_entry(b, i)->gone)
			continue;
		n++;
		if ((fake_entry(b, i)->e.flags & FLAG_SEEN) == 0)
			return n;
	}
	return 0;
}

static uint32_t fake_recents(struct fake *f, struct fake_box *b)
{
	uint32_t n = 0;

	for (size_t i = 0; f->recents && i < b->entries.n; i++)
		n += !fake_entry(b, i)->gone && fake_entry(b, i)->e.uid >= b->recent;
	return n;
}

static uint32_t fake_recent(const struct fake *f, struct fake_box *b, bool asked, bool take)
{
	uint32_t first = f->recents ? b->recent : b->m.uidnext;

	if (take)
		b->recent = b->m.uidnext;
	return asked ? first : 0;
}

static void fake_view(struct fake *f, struct session *s, uint32_t request, struct fake_box *b,
	const struct frame_view_open *open)
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
			.messages = m.messages,
			.unseen = open->unseen ? fake_first_unseen(b) : 0,
			.recent = open->recent ? fake_recents(f, b) : 0 } };

	is.view_is.recent_uid = fake_recent(f, b, open->recent, open->take);
	is.view_is.keywords.n = fake_keywords(b, names);
	is.view_is.keywords.items = names;
	fake_say(f, s, request, &is);
	for (size_t i = 0; !open->bare && i < b->entries.n; i++) {
		if (fake_entry(b, i)->gone)
			continue;
		some[n++] = fake_entry(b, i)->e;
		if (f->bad_views)
			some[n - 1].uid = 1;
		if (n == 3) {
			fake_say(f, s, request,
				&(struct frame){ .type = FRAME_VIEW_ENTRIES,
					.view_entries = { { some, n }, false } });
			n = 0;
		}
	}
	if (f->no_views) {
		fake_fail(f, s, request, ERR_TEMP);
		return;
	}
	fake_say(f, s, request,
		&(struct frame){
			.type = FRAME_VIEW_ENTRIES, .view_entries = { { some, n }, true } });
}

static void fake_changes(struct fake *f, struct session *s, uint32_t request, struct fake_box *b,
	const struct frame_view_changes *changes)
{
	uint64_t since = changes->since;
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
	c.view_changed.uidnext = f->no_uidnext ? 0 : b->m.uidnext;
	c.view_changed.recent_uid = fake_recent(f, b, changes->recent, changes->take);
	c.view_changed.keywords.n = fake_keywords(b, names);
	c.view_changed.keywords.items = names;
	size_t at = 0, some = f->exact ? 2 : 800;

	for (; at + some < n; at += some) {
		c.view_changed.entries.items = entries + at;
		c.view_changed.entries.n = some;
		fake_say(f, s, request, &c);
	}
	c.view_changed.entries.items = entries + at;
	c.view_changed.entries.n = n - at;
	c.view_changed.expunged.items = gone;
	c.view_changed.expunged.n = n_gone;
	c.view_changed.last = true;
	fake_say(f, s, request, &c);
	free(entries);
	free(gone);
}

/* Below the horizon nothing is known of what went. */
static void fake_vanished(
	struct fake *f, struct session *s, uint32_t request, const struct frame_view_vanished *v)
{
	struct fake_box *b = fake_box_by_id(f, v->mailbox);
	struct api_range gone[2]; /* small frames */
	size_t n = 0;

	if (b == NULL || v->since < f->horizon) {
		fake_fail(f, s, request, ERR_NOT_FOUND);
		return;
	}
	for (size_t i = 0; i < b->entries.n; i++) {
		const struct fake_entry *e = fake_entry(b, i);

		if (!e->gone || e->e.modseq <= v->since)
			continue;
		gone[n++] = (struct api_range){ e->e.uid, e->e.uid };
		if (n < 2)
			continue;
		fake_say(f, s, request,
			&(struct frame){
				.type = FRAME_VANISHED, .vanished = { { gone, n }, false } });
		n = 0;
	}
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_VANISHED, .vanished = { { gone, n }, true } });
}

static void fake_metadata_set(
	struct fake *f, struct session *s, uint32_t request, const struct frame_metadata_set *m)
{
	for (size_t i = 0; i < m->annotations.n; i++) {
		const struct api_annotation *a = &m->annotations.items[i];
		struct fake_annotation *to = NULL;

		for (size_t k = 0; k < f->n_annotations; k++)
			if (f->annotations[k].mailbox == m->mailbox &&
				str_equal(str_from(f->annotations[k].name), a->name))
				to = &f->annotations[k];
		if (to == NULL && f->n_annotations == ARRAY_LEN(f->annotations)) {
			fake_fail(f, s, request, ERR_LIMIT);
			return;
		}
		if (to == NULL)
			to = &f->annotations[f->n_annotations++];
		to->mailbox = m->mailbox;
		snprintf(to->name, sizeof to->name, "%.*s", (int)a->name.n, a->name.p);
		to->n = a->value.n;
		if (a->value.n > 0)
			memcpy(to->value, a->value.p, a->value.n);
		to->gone = a->remove;
	}
	f->modseq++;
	for (size_t i = 0; i < m->annotations.n; i++)
		fake_account(
			f, &(struct api_annotated){ m->mailbox, m->annotations.items[i].name });
	fake_ok(f, s, request);
}

/* One a frame, so that series are tested. */
static void fake_metadata_get(struct fake *f, struct session *s, uint32_t request, uint64_t mailbox)
{
	for (size_t k = 0; k < f->n_annotations; k++) {
		const struct fake_annotation *a = &f->annotations[k];
		struct api_annotation one = { .name = str_from(a->name),
			.value = str_make(a->value, a->n) };

		if (a->mailbox == mailbox && !a->gone)
			fake_say(f, s, request,
				&(struct frame){ .type = FRAME_METADATA_ARE,
					.metadata_are = { { &one, 1 }, false } });
	}
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_METADATA_ARE, .metadata_are = { .last = true } });
}

static void fake_list(struct fake *f, struct session *s, uint32_t request, bool recent)
{
	for (size_t i = 0; i < f->n_boxes; i++) {
		struct api_mailbox m = fake_mailbox(f, &f->boxes[i]);
		uint32_t n = fake_recents(f, &f->boxes[i]);

		if (m.exists || m.subscribed)
			fake_say(f, s, request,
				&(struct frame){ .type = FRAME_MAILBOXES,
					.mailboxes = { { &m, 1 }, false, { &n, recent } } });
	}
	for (int i = 0; i < f->more_boxes; i++) {
		char name[256];
		struct api_mailbox m = {
			.id = 1000000 + (uint64_t)i, .exists = true, .subscribed = true
		};

		snprintf(name, sizeof name, "%s%d", f->more != NULL ? f->more : "more-", i);
		m.name = str_from(name);
		fake_say(f, s, request,
			&(struct frame){
				.type = FRAME_MAILBOXES, .mailboxes = { { &m, 1 }, false } });
	}
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_MAILBOXES, .mailboxes = { .last = true } });
}

static void fake_one_box(
	struct fake *f, struct session *s, uint32_t request, struct fake_box *b, bool recent)
{
	struct api_mailbox m;
	uint32_t n;

	if (b == NULL || !b->m.exists) {
		fake_fail(f, s, request, ERR_NOT_FOUND);
		return;
	}
	m = fake_mailbox(f, b);
	n = fake_recents(f, b);
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_MAILBOXES,
			.mailboxes = { { &m, 1 }, true, { &n, recent } } });
}

/* As the store does: RFC 9051 6.3.4, 6.3.6 */
static void fake_make_parents(struct fake *f, struct str name)
{
	for (size_t i = 1; i < name.n; i++) {
		struct fake_box *b = fake_box_by_name(f, str_sub(name, 0, i));

		if (name.p[i] == '/' && b == NULL)
			fake_make_box(f, str_sub(name, 0, i), 0);
		else if (name.p[i] == '/')
			b->m.exists = true;
	}
}

static void fake_create(
	struct fake *f, struct session *s, uint32_t request, const struct frame_mailbox_create *c)
{
	struct fake_box *b = fake_box_by_name(f, c->name);

	if (b != NULL && b->m.exists) {
		fake_fail(f, s, request, ERR_EXISTS);
		return;
	}
	fake_make_parents(f, c->name);
	if (b == NULL)
		b = fake_make_box(f, c->name, c->special_use);
	if (b == NULL) {
		fake_fail(f, s, request, ERR_LIMIT);
		return;
	}
	b->m.exists = true;
	fake_account(f, NULL);
	fake_one_box(f, s, request, b, false);
}

static void fake_forget_entries(struct fake_box *b)
{
	for (size_t i = 0; i < b->entries.n; i++) {
		buf_done(&fake_entry(b, i)->bytes);
		buf_done(&fake_entry(b, i)->digest);
		buf_done(&fake_entry(b, i)->signature);
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
		fake_account(f, NULL);
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
	} else if (b == &f->boxes[0]) { /* RFC 9051 6.3.6: INBOX stays, empty */
		fake_make_parents(f, r->to);
		b = fake_make_box(f, r->to, 0);
		b->entries = f->boxes[0].entries;
		b->m.uidnext = f->boxes[0].m.uidnext;
		vec_init(&f->boxes[0].entries, sizeof(struct fake_entry), 100000);
		fake_account(f, NULL);
		fake_ok(f, s, request);
	} else {
		fake_make_parents(f, r->to);
		snprintf(b->name, sizeof b->name, "%.*s", (int)r->to.n, r->to.p);
		fake_account(f, NULL);
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
	fake_account(f, NULL);
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
		if (e->e.uid == f->damaged && r->offset >= f->damaged_from) {
			fake_fail(f, s, request, ERR_CORRUPT);
			return;
		}
		fake_say(f, s, request,
			&(struct frame){ .type = FRAME_MESSAGE_BYTES,
				.message_bytes = { e->e.size,
					str_sub(buf_str(&e->bytes), r->offset, r->length) } });
		return;
	}
	fake_fail(f, s, request, ERR_NOT_FOUND);
}

static void fake_read_many(
	struct fake *f, struct session *s, uint32_t request, const struct frame_messages_read *r)
{
	struct fake_box *b = fake_box_by_id(f, r->mailbox);

	for (size_t i = 0; i < r->uids.n; i++) {
		if (r->uids.items[i] == f->damaged) {
			fake_fail(f, s, request, ERR_CORRUPT);
			return;
		}
		struct frame is = { .type = FRAME_MESSAGE_IS,
			.message_is = { .uid = r->uids.items[i],
				.gone = true,
				.last = i + 1 == r->uids.n } };

		for (size_t k = 0; b != NULL && k < b->entries.n; k++) {
			struct fake_entry *e = fake_entry(b, k);

			if (e->e.uid != r->uids.items[i] || e->gone)
				continue;
			is.message_is.gone = false;
			is.message_is.size = e->e.size;
			is.message_is.data = str_sub(buf_str(&e->bytes), 0, 65000);
		}
		fake_say(f, s, request, &is);
	}
}

static void fake_bytes(struct fake *f, struct session *s, uint32_t request, const struct frame *q)
{
	f->reads++;
	if (f->no_reads)
		fake_fail(f, s, request, ERR_TEMP);
	else if (q->type == FRAME_MESSAGE_READ)
		fake_read(f, s, request, &q->message_read);
	else
		fake_read_many(f, s, request, &q->messages_read);
	if (f->answers.n > f->most_waiting)
		f->most_waiting = f->answers.n;
}

static void fake_digests(
	struct fake *f, struct session *s, uint32_t request, const struct frame_digest_read *r)
{
	struct fake_box *b = fake_box_by_id(f, r->mailbox);

	f->digests += (unsigned)r->uids.n;
	for (size_t i = 0; i < r->uids.n; i++) {
		struct frame d = { .type = FRAME_DIGEST_IS,
			.digest_is = { .uid = r->uids.items[i],
				.last = i + 1 == r->uids.n && !f->one_too_many } };

		for (size_t k = 0; b != NULL && !f->no_digests && k < b->entries.n; k++)
			if (fake_entry(b, k)->e.uid == r->uids.items[i])
				d.digest_is.digest = str_sub(
					buf_str(&fake_entry(b, k)->digest), 0, 64000);
		if (r->many && i % 3 != 2) { /* both kinds of answer are tested */
			struct api_one_digest one = { d.digest_is.uid, 0, d.digest_is.digest };

			fake_say(f, s, request,
				&(struct frame){ .type = FRAME_DIGESTS_ARE,
					.digests_are = { { &one, 1 }, d.digest_is.last } });
			continue;
		}
		fake_say(f, s, request, &d);
	}
	if (f->one_too_many)
		fake_say(f, s, request,
			&(struct frame){ .type = FRAME_DIGEST_IS, .digest_is = { .last = true } });
}

static struct fake_entry *fake_by_uid(struct fake *f, uint64_t mailbox, uint32_t uid)
{
	struct fake_box *b = fake_box_by_id(f, mailbox);

	for (size_t k = 0; b != NULL && k < b->entries.n; k++)
		if (fake_entry(b, k)->e.uid == uid)
			return fake_entry(b, k);
	return NULL;
}

static uint8_t fake_held(const struct fake_entry *e, const struct api_needle_list *needles)
{
	uint8_t held = 1 << 7;

	if (e == NULL || e->signature.n == 0)
		return 0;
	for (size_t i = 0; i < needles->n; i++) {
		uint16_t trigrams[SIGNATURE_TRIGRAMS]; /* hashes, two bytes each */
		struct str s = needles->items[i].trigrams;

		for (size_t k = 0; k < s.n / 2; k++)
			trigrams[k] = (uint16_t)((uint8_t)s.p[2 * k] | (uint8_t)s.p[2 * k + 1]
									       << 8);
		if (signature_may_hold(buf_str(&e->signature), trigrams, s.n / 2))
			held |= (uint8_t)(1u << i);
	}
	return held;
}

static void fake_signatures(
	struct fake *f, struct session *s, uint32_t request, const struct frame_signature_ask *r)
{
	char held[4000];

	for (size_t i = 0; i < r->uids.n; i++)
		held[i] = (char)fake_held(
			fake_by_uid(f, r->mailbox, r->uids.items[i]), &r->needles);
	fake_say(f, s, request,
		&(struct frame){ .type = FRAME_SIGNATURES_HOLD,
			.signatures_hold = { str_make(held, r->uids.n), .last = true } });
}

static void fake_login(
	struct fake *f, struct session *s, uint32_t request, const struct frame_login *l)
{
	if (str_equal(l->user, STR("alice")) && str_equal(l->password, STR("secret")))
		fake_say(f, s, request,
			&(struct frame){ .type = FRAME_LOGIN_OK,
				.login_ok = { 7, STR("alice@example.test"), STR(FAKE_TICKET) } });
	else if (str_equal(l->user, STR("erin"))) /* of a gate that says nothing more */
		fake_say(f, s, request, &(struct frame){ .type = FRAME_LOGIN_OK });
	else
		fake_fail(f, s, request,
			str_equal(l->user, STR("carol"))  ? ERR_DENIED
			: str_equal(l->user, STR("dave")) ? ERR_UNSUPPORTED
							  : ERR_AUTH);
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
	struct fake_box *b = open && q->view_open.mailbox == 0
				     ? fake_box_by_name(f, q->view_open.name)
				     : fake_box_by_id(f, open ? q->view_open.mailbox
							      : q->view_changes.mailbox);

	if (b == NULL || !b->m.exists) {
		fake_fail(f, s, r, ERR_NOT_FOUND);
	} else if (open) {
		fake_client_of(f, s)->watched = b->m.id;
		fake_view(f, s, r, b, &q->view_open);
	} else if (f->no_news) {
		fake_fail(f, s, r, ERR_TEMP);
	} else if (q->view_changes.since < f->horizon) {
		fake_fail(f, s, r, ERR_LIMIT);
	} else {
		fake_changes(f, s, r, b, &q->view_changes);
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

static void fake_message_init(struct fake_message *m)
{
	*m = (struct fake_message){ .into.mailbox = 0 };
	buf_init(&m->body, 256 * 1024 * 1024);
	buf_init(&m->digest, LIMIT_DIGEST_BYTES);
}

static void fake_message_done(struct fake_message *m)
{
	buf_done(&m->body);
	buf_done(&m->digest);
}

static void fake_question_end(struct fake *f, uint32_t request)
{
	struct fake_question *q = fake_question(f, request);

	if (q == NULL)
		return;
	vec_done(&q->uids);
	fake_message_done(&q->message);
	for (size_t i = 0; i < q->before.n; i++)
		fake_message_done((struct fake_message *)(void *)vec_at(&q->before, i));
	vec_done(&q->before);
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
	fake_message_init(&q->message);
	vec_init(&q->before, sizeof(struct fake_message), LIMIT_UPLOAD_MESSAGES);
	q->replace = (struct frame_upload_replace){ .uid = 0 };
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
	case FRAME_PING:
		f->yields++;
		fake_ok(f, s, r);
		break;
	case FRAME_MAILBOX_LIST:
		fake_list(f, s, r, q->mailbox_list.recent);
		break;
	case FRAME_MAILBOX_STATUS:
		fake_one_box(f, s, r, fake_box_by_name(f, q->mailbox_status.name),
			q->mailbox_status.recent);
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
	case FRAME_METADATA_GET:
		fake_metadata_get(f, s, r, q->metadata_get.mailbox);
		break;
	case FRAME_METADATA_SET:
		fake_metadata_set(f, s, r, &q->metadata_set);
		break;
	case FRAME_QUOTA_GET:
		fake_say(f, s, r, &(struct frame){ .type = FRAME_QUOTA_IS, .quota_is = f->quota });
		break;
	case FRAME_VIEW_OPEN:
	case FRAME_VIEW_CHANGES:
		fake_view_question(f, s, r, q);
		break;
	case FRAME_VIEW_VANISHED:
		fake_vanished(f, s, r, &q->view_vanished);
		break;
	case FRAME_MESSAGE_READ:
	case FRAME_MESSAGES_READ:
		fake_bytes(f, s, r, q);
		break;
	case FRAME_DIGEST_READ:
		fake_digests(f, s, r, &q->digest_read);
		break;
	case FRAME_SIGNATURE_ASK:
		fake_signatures(f, s, r, &q->signature_ask);
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
	uint64_t low = 0, high = 0, modseq = f->modseq + 1;

	if (!f->exact)
		f->modseq = modseq;

	for (size_t i = 0; b != NULL && i < s->keywords.n; i++)
		fake_keyword(b, s->keywords.items[i], &low, &high);
	for (size_t i = 0; b != NULL && i < b->entries.n; i++) {
		struct api_entry *e = &fake_entry(b, i)->e, old = *e;

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
		changed.changed.done_count++;
		if (f->exact && e->flags == old.flags && e->keywords_low == old.keywords_low &&
			e->keywords_high == old.keywords_high)
			continue;
		e->modseq = f->modseq = modseq;
	}
	changed.changed.before = s->before ? modseq - 1 : 0;
	changed.changed.modseq = f->modseq;
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
	size_t n = from == NULL ? 0 : from->entries.n, there = 0;

	if (f->races && to != NULL && to != &f->boxes[0]) {
		to->m.exists = false;
		to = NULL;
	}
	for (size_t i = 0; i < n; i++)
		there += !fake_entry(from, i)->gone &&
			 fake_in(&q->uids, fake_entry(from, i)->e.uid);
	if (from == NULL || to == NULL || f->races || there < c->expected) {
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
		made->e.entry_id = old.entry_id;
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

static struct api_landing fake_land(struct fake *f, struct fake_box *b, struct fake_message *m)
{
	struct fake_entry *e = fake_add(f, b, buf_str(&m->body));

	e->e.flags = m->into.flags;
	if (m->into.time != 0)
		e->e.time = m->into.time;
	for (size_t i = 0; i < m->into.keywords.n; i++)
		fake_keyword(b, str_from(m->keywords[i]), &e->e.keywords_low, &e->e.keywords_high);
	buf_adds(&e->digest, buf_str(&m->digest));
	return (struct api_landing){ 7, b->m.id, b->m.uidvalidity, e->e.uid };
}

/* All go to one mailbox. */
static void fake_commit(struct fake *f, struct fake_question *q)
{
	struct fake_box *b = q->message.into.mailbox == 0
				     ? fake_box_by_name(f, str_from(q->message.name))
				     : fake_box_by_id(f, q->message.into.mailbox);
	struct fake_box *from = fake_box_by_id(f, q->replace.mailbox);
	struct api_landing at[LIMIT_UPLOAD_MESSAGES + 1];
	size_t n = 0;

	if (b == NULL || !b->m.exists) {
		fake_fail(f, q->from, q->request, ERR_NOT_FOUND);
		return;
	}
	for (size_t i = 0; from != NULL && i < from->entries.n; i++)
		if (fake_entry(from, i)->e.uid == q->replace.uid)
			fake_expunge(f, from, fake_entry(from, i));
	for (size_t i = 0; i < q->before.n; i++)
		at[n++] = fake_land(f, b, (struct fake_message *)(void *)vec_at(&q->before, i));
	at[n++] = fake_land(f, b, &q->message);
	fake_say(f, q->from, q->request,
		&(struct frame){ .type = FRAME_DELIVERED, .delivered = { { at, n } } });
	fake_notify(f, b, false);
	if (from != NULL && from != b)
		fake_notify(f, from, false);
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
	if (frame->type == FRAME_ACCOUNT_WATCH)
		fake_client_of(f, s)->account = frame->account_watch.on;
	f->puts += frame->type == FRAME_DIGEST_PUT;
	if (frame->type == FRAME_SIGNATURE_PUT) {
		struct fake_entry *e = fake_by_uid(
			f, frame->signature_put.mailbox, frame->signature_put.uid);

		f->signs++;
		if (e != NULL && e->signature.n == 0)
			buf_adds(&e->signature, frame->signature_put.signature);
	}
	if (q == NULL)
		return true;
	switch ((int)frame->type) {
	case FRAME_UIDS:
		fake_take_uids(q, &frame->uids);
		return true;
	case FRAME_UPLOAD_BYTES:
		buf_adds(&q->message.body, frame->upload_bytes.data);
		return true;
	case FRAME_UPLOAD_DIGEST:
		buf_adds(&q->message.digest, frame->upload_digest.data);
		return true;
	case FRAME_UPLOAD_INTO:
		q->message.into = frame->upload_into;
		snprintf(q->message.name, sizeof q->message.name, "%" STR_FMT,
			STR_ARG(frame->upload_into.name));
		for (size_t i = 0; i < q->message.into.keywords.n; i++)
			snprintf(q->message.keywords[i], 65, "%" STR_FMT,
				STR_ARG(q->message.into.keywords.items[i]));
		return true;
	case FRAME_UPLOAD_NEXT:
		vec_push(&q->before, &q->message);
		fake_message_init(&q->message);
		return true;
	case FRAME_UPLOAD_REPLACE:
		q->replace = frame->upload_replace;
		return true;
	case FRAME_UPLOAD_COMMIT:
		fake_commit(f, q);
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

#endif
