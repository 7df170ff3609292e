/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for SMTP sessions in tests: a made-up store and gate that answer from tables, never from
 * inside ask(), and channels that can be without room.
 *
 *     example.test is ours. alice (1) and bob (2) have accounts; alias team is both, sales is
 *     alice; carol is over quota, which is FAKE_QUOTA bytes; temp cannot be told now, for disk's
 *     mail the disk has no room. other.test is not ours. alice's password is "secret"; she owns
 *     alice, alice+anything, sales.
 *
 * A message counts as stored when it was committed; an upload that was aborted does not.
 *
 * used by: smtp's tests and fuzz target
 */
#ifndef CULVER_SMTP_FAKE_HOST_H
#define CULVER_SMTP_FAKE_HOST_H

#include "api/frames.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/vec.h"
#include "smtp/smtp.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { FAKE_PENDING = 16, FAKE_COPIES = 1200, FAKE_QUOTA = 50000 };

struct fake_answer {
	uint32_t request;
	struct buf frame; /* encoded */
};

struct fake_message {
	struct buf body, digest, prefixes; /* prefixes: each after "account:" */
	uint64_t accounts[FAKE_COPIES];
	size_t copies;
	bool open, committed;
	uint32_t request;
};

struct fake_host {
	struct session_host host;
	struct session_peer_info peer;
	struct front_settings settings;
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct log log;
	struct log_sink sink;
	struct buf logged;
	struct session *session;
	struct buf out;  /* all that the session said */
	struct buf left; /* input it has not taken */

	struct fake_answer pending[FAKE_PENDING];
	size_t pending_n;
	uint32_t last_request;
	struct fake_message upload; /* the one that is going on, or was last */
	struct vec stored;          /* struct buf: bodies that were committed */
	size_t copies;              /* of them all */
	size_t questions, sessions_closed, no_room_told;

	/* what a test sets */
	bool store_away, gate_away, hold_answers;
	enum err_kind commit_fails; /* ERR_NONE: it does not */
	unsigned no_room; /* that many bulk tells fail before one works, again and again */
	unsigned no_room_now;
	bool tls_started;
};

static inline struct fake_host *fake_of(struct session_host *h)
{
	return CONTAINER_OF(h, struct fake_host, host);
}

static inline void fake_push(struct fake_host *f, uint32_t request, const struct frame *answer)
{
	assert(f->pending_n < FAKE_PENDING);
	struct fake_answer *a = &f->pending[f->pending_n++];
	a->request = request;
	buf_init(&a->frame, LIMIT_FRAME_BYTES + FRAME_HEADER_BYTES);
	bool encoded = frame_encode(answer, request, &a->frame);
	assert(encoded);
	(void)encoded;
}

static inline void fake_fail(struct fake_host *f, uint32_t request, enum err_kind kind)
{
	struct frame no = { .type = FRAME_FAILED, .failed = { .kind = kind, .text = STR("no") } };
	fake_push(f, request, &no);
}

static inline struct api_target fake_account(int i)
{
	static const struct {
		uint64_t account;
		struct str address;
	} accounts[] = { { 1, STR_INIT("alice@example.test") },
		{ 2, STR_INIT("bob@example.test") } };
	return (struct api_target){ .account = accounts[i].account,
		.address = accounts[i].address };
}

static inline void fake_resolve(
	struct fake_host *f, uint32_t request, struct str address, uint64_t size)
{
	static const struct {
		struct str local;
		int from, to;
	} rows[] = { { STR_INIT("alice"), 0, 1 }, { STR_INIT("bob"), 1, 2 },
		{ STR_INIT("team"), 0, 2 }, { STR_INIT("sales"), 0, 1 },
		{ STR_INIT("postmaster"), 0, 1 }, { STR_INIT("\xc3\xa5sa"), 1, 2 } };
	size_t at = str_find_last(address, '@');
	struct str local = str_sub(address, 0, at), domain = str_from_offset(address, at + 1);
	local = str_sub(local, 0, str_find(local, '+'));
	struct api_target targets[2];
	struct frame answer = { .type = FRAME_RESOLVED, .resolved = { .targets = { targets, 0 } } };
	if (domain.n > 0 && !str_equal_nocase(domain, STR("example.test"))) {
		fake_fail(f, request, ERR_DENIED);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_equal_nocase(rows[i].local, local))
			continue;
		for (int k = rows[i].from; k < rows[i].to; k++)
			targets[answer.resolved.targets.n++] = fake_account(k);
		fake_push(f, request, &answer);
		return;
	}
	/* u17@example.test and so on: account 1017 */
	struct scan s = scan_from(local);
	uint64_t number;
	if (scan_char(&s, 'u') && scan_number(&s, 100000, &number) && scan_end(&s)) {
		targets[0] = (struct api_target){ .account = 1000 + number, .address = address };
		answer.resolved.targets.n = 1;
		fake_push(f, request, &answer);
	} else if (str_equal(local, STR("carol"))) {
		fake_fail(f, request, size > FAKE_QUOTA ? ERR_TOO_BIG : ERR_QUOTA);
	} else if (str_equal(local, STR("disk"))) {
		fake_fail(f, request, ERR_FULL);
	} else {
		fake_fail(f, request, str_equal(local, STR("temp")) ? ERR_TEMP : ERR_NOT_FOUND);
	}
}

static inline void fake_login(
	struct fake_host *f, uint32_t request, const struct frame_login *login)
{
	struct frame ok = { .type = FRAME_LOGIN_OK,
		.login_ok = { .account = 1,
			.address = STR("alice@example.test"),
			.ticket = STR("ticket") } };
	bool silent = str_equal(login->user, STR("erin@example.test"));
	if (silent) /* a gate that says nothing more */
		ok.login_ok = (struct frame_login_ok){ .account = 0 };
	if ((silent || str_equal(login->user, STR("alice@example.test"))) &&
		str_equal(login->password, STR("secret")))
		fake_push(f, request, &ok);
	else
		fake_fail(f, request, ERR_AUTH);
}

static inline void fake_owns(struct fake_host *f, uint32_t request, struct str address)
{
	struct frame done = { .type = FRAME_DONE };
	if (str_equal(address, STR("sales@example.test")) ||
		str_equal(address, STR("alice@example.test")) ||
		(str_starts(address, STR("alice+")) &&
			str_ends_nocase(address, STR("@example.test"))))
		fake_push(f, request, &done);
	else
		fake_fail(f, request, ERR_DENIED);
}

static inline void fake_upload_begin(struct fake_host *f, uint32_t request)
{
	struct fake_message *m = &f->upload;
	assert(!m->open);
	buf_done(&m->body);
	buf_done(&m->digest);
	buf_done(&m->prefixes);
	*m = (struct fake_message){ .open = true, .request = request };
	buf_init(&m->body, 64 * 1024 * 1024);
	buf_init(&m->digest, LIMIT_DIGEST_BYTES);
	buf_init(&m->prefixes, 16 * 1024 * 1024);
}

static inline uint32_t fake_ask(struct session_host *h, struct session *session,
	enum session_peer peer, const struct frame *q)
{
	struct fake_host *f = fake_of(h);
	uint32_t request = ++f->last_request;
	struct frame session_is = { .type = FRAME_SESSION_IS, .session_is = { .session = 7 } };
	(void)session;
	f->questions++;
	if (peer == ASK_GATE ? f->gate_away : f->store_away) {
		fake_fail(f, request, ERR_TEMP);
		return request;
	}
	if (q->type == FRAME_RESOLVE)
		fake_resolve(f, request, q->resolve.address, q->resolve.size);
	else if (q->type == FRAME_LOGIN)
		fake_login(f, request, &q->login);
	else if (q->type == FRAME_SESSION_OPEN)
		fake_push(f, request, &session_is);
	else if (q->type == FRAME_OWNS_ADDRESS && q->owns_address.session == 7)
		fake_owns(f, request, q->owns_address.address);
	else if (q->type == FRAME_UPLOAD_OPEN)
		fake_upload_begin(f, request);
	else
		assert(!"a question nobody knows");
	return request;
}

static inline void fake_commit(struct fake_host *f)
{
	struct fake_message *m = &f->upload;
	struct api_landing landings[FAKE_COPIES] = { { 0 } };
	struct frame delivered = { .type = FRAME_DELIVERED,
		.delivered = { .landings = { landings, m->copies } } };
	m->open = false;
	if (f->commit_fails) {
		fake_fail(f, m->request, f->commit_fails);
		return;
	}
	m->committed = true;
	struct buf *body = vec_push(&f->stored, NULL);
	buf_init(body, m->body.n + 1);
	buf_adds(body, buf_str(&m->body));
	f->copies += m->copies;
	fake_push(f, m->request, &delivered);
}

static inline bool fake_tell(struct session_host *h, struct session *session,
	enum session_peer peer, uint32_t request, const struct frame *q)
{
	struct fake_host *f = fake_of(h);
	struct fake_message *m = &f->upload;
	(void)session;
	assert(peer == ASK_STORE);
	if (q->type == FRAME_SESSION_CLOSE) {
		f->sessions_closed++;
		return true;
	}
	if (frame_is_bulk((uint16_t)q->type) && f->no_room_now > 0) {
		f->no_room_told++;
		return false;
	}
	f->no_room_now = f->no_room;
	if (f->store_away)
		return true; /* its failure is on its way */
	assert(m->open && request == m->request);
	switch ((int)q->type) {
	case FRAME_UPLOAD_BYTES:
		assert(q->upload_bytes.data.n > 0 && q->upload_bytes.data.n <= 65000);
		assert(m->copies == 0 && m->digest.n == 0);
		buf_adds(&m->body, q->upload_bytes.data);
		break;
	case FRAME_UPLOAD_DIGEST:
		buf_adds(&m->digest, q->upload_digest.data);
		break;
	case FRAME_UPLOAD_TO:
		assert(m->copies < FAKE_COPIES);
		m->accounts[m->copies++] = q->upload_to.account;
		buf_addf(&m->prefixes, "%d:", (int)q->upload_to.account);
		buf_adds(&m->prefixes, q->upload_to.prefix);
		break;
	case FRAME_UPLOAD_COMMIT:
		assert(q->upload_commit.message_id.n == 20);
		fake_commit(f);
		break;
	case FRAME_UPLOAD_ABORT:
		m->open = false;
		break;
	default:
		assert(!"a frame nobody knows");
	}
	return true;
}

static inline void fake_cancel(struct session_host *h, struct session *session, uint32_t request)
{
	struct fake_host *f = fake_of(h);
	(void)session;
	for (size_t i = 0; i < f->pending_n; i++)
		if (f->pending[i].request == request)
			f->pending[i].request = 0;
}

static inline void fake_take_output(struct fake_host *f)
{
	buf_adds(&f->out, buf_str(&f->session->out));
	buf_clear(&f->session->out);
}

/* One answer, when there is one. */
static inline bool fake_answer_one(struct fake_host *f)
{
	if (f->hold_answers || f->pending_n == 0)
		return false;
	struct fake_answer a = f->pending[0];
	memmove(f->pending, f->pending + 1, --f->pending_n * sizeof(a));
	struct arena arena;
	struct frame frame;
	struct frame_header header;
	arena_init(&arena, 1024 * 1024);
	struct str bytes = buf_str(&a.frame);
	int bad = frame_header_decode(str_sub(bytes, 0, FRAME_HEADER_BYTES), &header, NULL) ||
		  frame_decode(&header, str_from_offset(bytes, FRAME_HEADER_BYTES), &arena, &frame,
			  NULL);
	assert(!bad);
	(void)bad;
	if (a.request != 0)
		f->session->class->answer(f->session, a.request, &frame);
	arena_done(&arena);
	buf_done(&a.frame);
	return true;
}

/* Everything that can happen without more input. */
static inline void fake_run(struct fake_host *f)
{
	bool more = true;
	while (more) {
		more = false;
		fake_take_output(f);
		if (f->session->next == NEXT_START_TLS) {
			buf_clear(&f->left); /* unread plaintext is thrown away */
			f->peer.tls = true;
			snprintf(f->peer.tls_version, sizeof(f->peer.tls_version), "TLSv1.3");
			snprintf(f->peer.tls_cipher, sizeof(f->peer.tls_cipher),
				"TLS_AES_256_GCM_SHA384");
			f->tls_started = true;
			f->session->class->tls_started(f->session);
			more = true;
		}
		if (fake_answer_one(f))
			more = true;
		if (f->no_room_now > 0) {
			f->no_room_now--;
			f->session->class->resume(f->session);
			more = true;
		}
		if (f->left.n > 0 && f->session->next != NEXT_START_TLS) {
			size_t n = f->session->class->input(f->session, buf_str(&f->left));
			assert(n <= f->left.n);
			buf_consume(&f->left, n);
			more = more || n > 0;
		}
	}
	fake_take_output(f);
}

static inline void fake_input(struct fake_host *f, struct str bytes)
{
	if (f->session->next == NEXT_CLOSE)
		return;
	buf_adds(&f->left, bytes);
	fake_run(f);
}

static inline void fake_log_write(struct log_sink *sink, struct str line)
{
	buf_adds(&CONTAINER_OF(sink, struct fake_host, sink)->logged, line);
}

static inline void fake_init(struct fake_host *f, const char *service, bool tls)
{
	*f = (struct fake_host){ .host = { .ask = fake_ask,
					 .tell = fake_tell,
					 .cancel = fake_cancel,
					 .hostname = "mx.example.test" } };
	clock_fake_init(&f->clock, 1795300000000);
	random_fake_init(&f->random, 1);
	f->seams = (struct seams){ .clock = &f->clock.seam, .random = &f->random.seam };
	f->settings = (struct front_settings){
		.message_bytes = 100000, .recipients = 100, .tls_available = true
	};
	f->host.seams = &f->seams;
	f->host.settings = &f->settings;
	f->sink = (struct log_sink){ .write = fake_log_write, .level = LOG_DEBUG };
	buf_init(&f->logged, 4 * 1024 * 1024);
	log_init(&f->log, &f->sink, "session=1");
	snprintf(f->peer.service, sizeof(f->peer.service), "%s", service);
	snprintf(f->peer.address, sizeof(f->peer.address), "192.0.2.1");
	snprintf(f->peer.local, sizeof(f->peer.local), "192.0.2.25");
	f->peer.tls = tls;
	if (tls) {
		snprintf(f->peer.tls_version, sizeof(f->peer.tls_version), "TLSv1.3");
		snprintf(f->peer.tls_cipher, sizeof(f->peer.tls_cipher), "TLS_AES_256_GCM_SHA384");
	}
	buf_init(&f->out, 16 * 1024 * 1024);
	buf_init(&f->left, 128 * 1024 * 1024);
	vec_init(&f->stored, sizeof(struct buf), 100000);
}

static inline void fake_open(struct fake_host *f)
{
	f->session = smtp_session_class.new(&f->host, &f->peer, &f->log);
	fake_run(f);
}

/* Forgets the session alone: a new one may be opened. */
static inline void fake_close(struct fake_host *f)
{
	if (f->session != NULL)
		f->session->class->free(&f->session);
	for (size_t i = 0; i < f->pending_n; i++)
		buf_done(&f->pending[i].frame);
	f->pending_n = 0;
	buf_clear(&f->out);
	buf_clear(&f->left);
}

static inline void fake_done(struct fake_host *f)
{
	fake_close(f);
	buf_done(&f->out);
	buf_done(&f->left);
	buf_done(&f->logged);
	buf_done(&f->upload.body);
	buf_done(&f->upload.digest);
	buf_done(&f->upload.prefixes);
	VEC_EACH (struct buf, b, &f->stored)
		buf_done(b);
	vec_done(&f->stored);
}

#endif
