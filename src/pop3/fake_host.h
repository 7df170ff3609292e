/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for POP3 sessions in tests: a made-up gate and store. Answers never come from inside
 * ask(); they wait until fake_run. alice's password is "secret"; the maildrop is what the test puts
 * into it.
 *
 * used by: pop3's tests and fuzz target
 */
#ifndef CULVER_POP3_FAKE_HOST_H
#define CULVER_POP3_FAKE_HOST_H

#include "api/frames.h"
#include "api/schemes.h"
#include "base/limits.h"
#include "base/vec.h"
#include "pop3/pop3_private.h"

#include <assert.h>
#include <stdlib.h>

struct fake_message {
	struct str bytes;
	uint32_t uid;
	int64_t time;
	bool gone;
};

struct fake_pending {
	uint32_t request; /* 0: nobody waits for it any more */
	struct frame frame;
};

struct fake_host {
	const char *hostname; /* ours; NULL: mx.example.test */
	struct session_host host;
	struct session_peer_info peer;
	struct front_settings settings;
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct log log;
	struct session *session;
	struct buf out;  /* all that the session said */
	struct buf left; /* input it has not taken */
	bool unread;     /* it was offered, and there is some */

	const struct fake_message *message; /* the maildrop */
	size_t messages;
	uint32_t many;             /* that many more, of one byte each, UIDs from 1000 on */
	struct api_entry *entries; /* of the view that is being told */

	struct vec pending; /* struct fake_pending, first come first */
	uint32_t last_request, uids_request;
	struct vec expunged; /* struct api_range, of requests that were carried out */
	struct vec uids;     /* of the present one */
	size_t changes, sessions_closed, logins;
	enum err_kind locked; /* what locking is refused for */
	unsigned locks_fail;  /* so many times the store goes when it is asked for the lock */
	const struct api_uidl *uidls; /* of the messages, or NULL: each its own UID's */
	struct api_uidl *own_uidls;   /* what is told of them */
	enum err_kind no_uidls;       /* what listing them is refused for */
	size_t uidls_asked;
	bool gate_away, store_away, change_fails, hold, rebuilt;
	uint8_t retention;
	uint32_t expire_days;
	uint32_t corrupt_uid;               /* 0: none */
	size_t ahead_messages, ahead_bytes; /* the most that was asked for and not yet sent */
	size_t asked_total;
};

static inline struct fake_host *fake_of(struct session_host *h)
{
	return CONTAINER_OF(h, struct fake_host, host);
}

static inline void fake_push(struct fake_host *f, uint32_t request, const struct frame *answer)
{
	void *kept = vec_push(&f->pending, &(struct fake_pending){ request, *answer });
	assert(kept);
	(void)kept;
}

static inline void fake_fail(struct fake_host *f, uint32_t request, enum err_kind kind)
{
	struct frame no = { .type = FRAME_FAILED, .failed = { .kind = (uint8_t)kind } };
	fake_push(f, request, &no);
}

static inline void fake_login(struct fake_host *f, uint32_t request, const struct frame_login *q)
{
	struct frame ok = { .type = FRAME_LOGIN_OK, .login_ok = { .ticket = STR("ticket") } };
	f->logins++;
	assert(str_equal(q->service, STR("pop3")));
	bool silent = str_equal(q->user, STR("erin"));
	if (silent) /* a gate that says nothing more */
		ok.login_ok = (struct frame_login_ok){ .account = 0 };
	if ((silent || str_equal(q->user, STR("alice"))) && str_equal(q->password, STR("secret")))
		fake_push(f, request, &ok);
	else
		fake_fail(f, request, ERR_AUTH);
}

static inline struct fake_message fake_message_at(const struct fake_host *f, size_t i)
{
	if (i < f->messages)
		return f->message[i];
	return (struct fake_message){ STR("x"), (uint32_t)(1000 + i - f->messages), 0, false };
}

/* The view in frames of at most 1000 entries. */
static inline void fake_view(struct fake_host *f, uint32_t request)
{
	size_t n = f->messages + f->many;
	free(f->entries);
	f->entries = xcalloc(n + 1, sizeof(*f->entries));
	for (size_t i = 0; i < n; i++) {
		struct fake_message m = fake_message_at(f, i);
		f->entries[i] = (struct api_entry){
			.uid = m.uid, .size = m.bytes.n, .time = m.time
		};
	}
	struct frame is = { .type = FRAME_VIEW_IS,
		.view_is = { .mailbox = 5, .uidvalidity = 77, .messages = (uint32_t)n } };
	fake_push(f, request, &is);
	size_t at = 0;
	do {
		size_t k = n - at < 1000 ? n - at : 1000;
		struct frame e = { .type = FRAME_VIEW_ENTRIES,
			.view_entries = { { f->entries + at, k }, at + k == n } };
		fake_push(f, request, &e);
		at += k;
	} while (at < n);
}

static inline void fake_read(
	struct fake_host *f, uint32_t request, const struct frame_message_read *q)
{
	assert(q->session == 9 && q->mailbox == 5 && q->length <= 65000);
	for (size_t i = 0; i < f->messages + (f->many > 0); i++) {
		struct fake_message m = fake_message_at(f, i);
		if (m.uid != q->uid || m.gone)
			continue;
		struct frame b = { .type = FRAME_MESSAGE_BYTES,
			.message_bytes = { m.bytes.n, str_sub(m.bytes, q->offset, q->length) } };
		fake_push(f, request, &b);
		return;
	}
	fake_fail(f, request, ERR_NOT_FOUND);
}

/* Each from its beginning; one that corrupt_uid names ends the series. */
static inline void fake_read_many(
	struct fake_host *f, uint32_t request, const struct frame_messages_read *q)
{
	assert(q->session == 9 && q->mailbox == 5 && q->uids.n > 0);
	for (size_t k = 0; k < q->uids.n; k++) {
		struct fake_message m = { .gone = true };
		if (q->uids.items[k] == f->corrupt_uid) {
			fake_fail(f, request, ERR_CORRUPT);
			break;
		}
		for (size_t i = 0; i < f->messages + f->many; i++)
			if (fake_message_at(f, i).uid == q->uids.items[k])
				m = fake_message_at(f, i);
		struct frame b = { .type = FRAME_MESSAGE_IS,
			.message_is = { .uid = q->uids.items[k],
				.gone = m.gone,
				.size = m.gone ? 0 : m.bytes.n,
				.data = str_sub(m.gone ? STR_NONE : m.bytes, 0, 65000),
				.last = k + 1 == q->uids.n } };
		fake_push(f, request, &b);
	}
	const struct pop3 *s = CONTAINER_OF(f->session, struct pop3, session);
	f->ahead_messages = s->ahead_n > f->ahead_messages ? s->ahead_n : f->ahead_messages;
	f->ahead_bytes = s->ahead_bytes > f->ahead_bytes ? s->ahead_bytes : f->ahead_bytes;
	f->asked_total += q->uids.n;
}

/* One frame for each of the first messages, then the rest. */
static inline void fake_uidls(struct fake_host *f, uint32_t request)
{
	size_t n = 0, at = 0;
	f->uidls_asked++;
	if (f->no_uidls != ERR_NONE) {
		fake_fail(f, request, f->no_uidls);
		return;
	}
	free(f->own_uidls);
	f->own_uidls = xcalloc(f->messages + f->many + 1, sizeof(*f->own_uidls));
	for (size_t i = 0; i < f->messages + f->many; i++) {
		if (fake_message_at(f, i).gone)
			continue;
		f->own_uidls[n++] = f->uidls && i < f->messages
					    ? f->uidls[i]
					    : (struct api_uidl){ .uid = fake_message_at(f, i).uid };
	}
	do {
		size_t k = at < n && at < f->messages ? 1 : n - at;
		struct frame are = { .type = FRAME_UIDLS_ARE,
			.uidls_are = { { f->own_uidls + at, k }, at + k == n } };
		fake_push(f, request, &are);
		at += k;
	} while (at < n);
}

static inline void fake_add_uids(struct fake_host *f, const struct frame_uids *q)
{
	for (size_t i = 0; i < q->ranges.n; i++)
		vec_push(&f->uids, &q->ranges.items[i]);
	assert(f->uids.n <= LIMIT_REQUEST_RANGES);
}

static inline uint32_t fake_ask(struct session_host *h, struct session *session,
	enum session_peer peer, const struct frame *q)
{
	struct fake_host *f = fake_of(h);
	uint32_t request = ++f->last_request;
	static struct api_mailbox inbox = { .id = 5, .name = STR_INIT("INBOX") };
	inbox.uidvalidity = f->rebuilt ? 78 : 77;
	struct frame done = { .type = FRAME_DONE };
	struct frame is = { .type = FRAME_SESSION_IS,
		.session_is = { .session = 9,
			.address = STR("alice@example.test"),
			.pop3_retention = f->retention,
			.pop3_expire_days = f->expire_days } };
	struct frame boxes = { .type = FRAME_MAILBOXES, .mailboxes = { { &inbox, 1 }, true } };
	(void)session;
	if (peer == ASK_GATE ? f->gate_away : f->store_away)
		fake_fail(f, request, ERR_TEMP);
	else if (q->type == FRAME_LOGIN)
		fake_login(f, request, &q->login);
	else if (q->type == FRAME_SESSION_OPEN)
		fake_push(f, request, &is);
	else if (q->type == FRAME_LOCK_MAILDROP && f->locks_fail > 0)
		f->locks_fail--, fake_fail(f, request, ERR_TEMP);
	else if (q->type == FRAME_LOCK_MAILDROP && f->locked != ERR_NONE)
		fake_fail(f, request, f->locked);
	else if (q->type == FRAME_LOCK_MAILDROP)
		fake_push(f, request, &done);
	else if (q->type == FRAME_MAILBOX_STATUS)
		fake_push(f, request, &boxes);
	else if (q->type == FRAME_VIEW_OPEN && !q->view_open.watch)
		fake_view(f, request);
	else if (q->type == FRAME_UIDL_LIST)
		fake_uidls(f, request);
	else if (q->type == FRAME_MESSAGE_READ)
		fake_read(f, request, &q->message_read);
	else if (q->type == FRAME_MESSAGES_READ)
		fake_read_many(f, request, &q->messages_read);
	else if (q->type == FRAME_UIDS) {
		f->uids_request = request;
		fake_add_uids(f, &q->uids);
	} else
		assert(!"a question nobody knows");
	return request;
}

static inline bool fake_tell(struct session_host *h, struct session *session,
	enum session_peer peer, uint32_t request, const struct frame *q)
{
	struct fake_host *f = fake_of(h);
	(void)session;
	assert(peer == ASK_STORE);
	if (q->type == FRAME_SESSION_CLOSE) {
		f->sessions_closed++;
	} else if (q->type == FRAME_UIDS) {
		assert(request == f->uids_request);
		fake_add_uids(f, &q->uids);
	} else {
		assert(q->type == FRAME_EXPUNGE && !q->expunge.deleted_only);
		assert(request == f->uids_request && f->uids.n > 0);
		f->changes++;
		struct frame changed = { .type = FRAME_CHANGED, .changed = { .last = true } };
		if (f->change_fails) {
			fake_fail(f, request, ERR_TEMP);
		} else {
			VEC_EACH (struct api_range, r, &f->uids)
				vec_push(&f->expunged, r);
			fake_push(f, request, &changed);
		}
		vec_clear(&f->uids);
	}
	return true;
}

static inline void fake_cancel(struct session_host *h, struct session *session, uint32_t request)
{
	struct fake_host *f = fake_of(h);
	(void)session;
	VEC_EACH (struct fake_pending, p, &f->pending)
		if (p->request == request)
			p->request = 0;
}

static inline bool fake_answer_one(struct fake_host *f)
{
	if (f->hold || f->pending.n == 0)
		return false;
	struct fake_pending p = *(struct fake_pending *)vec_at(&f->pending, 0);
	vec_remove(&f->pending, 0);
	if (p.request != 0)
		f->session->class->answer(f->session, p.request, &p.frame);
	return true;
}

/* Takes what was said, as a front does: not while the session gathers. */
static inline bool fake_take(struct fake_host *f)
{
	struct buf *out = &f->session->out;
	bool waits = f->session->gathers && f->unread && out->n < SESSION_GATHER_BYTES;
	assert(out->n <= LIMIT_SESSION_OUT_BYTES && !out->full);
	if (out->n == 0 || (waits && f->session->next == NEXT_GO_ON))
		return false;
	buf_adds(&f->out, buf_str(out));
	buf_clear(out);
	return true;
}

/* Everything that can happen without more input or time. */
static inline void fake_run(struct fake_host *f)
{
	for (bool more = true; more;) {
		struct session *s = f->session;
		more = fake_take(f);
		if (s->next == NEXT_CLOSE)
			return;
		if (s->next == NEXT_START_TLS) {
			buf_clear(&f->left);
			f->peer.tls = true;
			s->class->tls_started(s);
		}
		more |= fake_answer_one(f);
		if (more)
			s->class->resume(s);
		size_t took = s->class->input(s, buf_str(&f->left));
		buf_consume(&f->left, took);
		f->unread = f->left.n > 0;
		more |= took > 0;
	}
}

static inline void fake_say(struct fake_host *f, struct str bytes)
{
	buf_adds(&f->left, bytes);
	fake_run(f);
}

static inline void fake_open(struct fake_host *f)
{
	f->host = (struct session_host){ .ask = fake_ask,
		.tell = fake_tell,
		.cancel = fake_cancel,
		.seams = &f->seams,
		.settings = &f->settings,
		.hostname = f->hostname ? f->hostname : "mx.example.test" };
	clock_fake_init(&f->clock, 1000000000000);
	random_fake_init(&f->random, 1);
	f->seams.clock = &f->clock.seam;
	f->seams.random = &f->random.seam;
	f->settings.tls_available = true;
	log_init(&f->log, NULL, "test=1");
	buf_init(&f->out, 64 << 20);
	buf_init(&f->left, 16 << 20);
	vec_init(&f->pending, sizeof(struct fake_pending), 4096);
	vec_init(&f->expunged, sizeof(struct api_range), 2000000);
	vec_init(&f->uids, sizeof(struct api_range), 2000000);
	f->session = pop3_session_class.new(&f->host, &f->peer, &f->log);
	fake_run(f);
}

static inline void fake_close(struct fake_host *f)
{
	f->session->class->free(&f->session);
	buf_done(&f->out);
	buf_done(&f->left);
	vec_done(&f->pending);
	vec_done(&f->expunged);
	vec_done(&f->uids);
	free(f->entries);
	free(f->own_uidls);
}

#endif
