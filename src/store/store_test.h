/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's tests share: a store in a fresh directory over a hand-driven executor, and
 * peers that keep the frames they are sent. Everything is deterministic: steps are taken when the
 * test says so.
 */
#ifndef CULVER_STORE_STORE_TEST_H
#define CULVER_STORE_STORE_TEST_H

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/schemes.h"
#include "auth/ticket.h"
#include "base/limits.h"
#include "base/vec.h"
#include "store/executor_fake.h"
#include "store/store.h"

/* ---- a store ---- */

struct fixture {
	char path[64];
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct executor_fake executor;
	struct log log;
	struct store_settings settings;
	struct store *store;
	struct err err;
	int ended;
};

static inline void fixture_ended(void *arg, const struct err *why)
{
	struct fixture *f = arg;
	f->ended++;
	f->err = *why;
}

static inline bool fixture_open(struct fixture *f)
{
	f->err = (struct err)ERR_INIT;
	f->store = store_new(&f->seams, &f->settings, &f->log, &f->err);
	return f->store != NULL;
}

static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){ 0 };
	/* In memory where that is possible: what is tested is not the disk. */
	snprintf(f->path, sizeof(f->path), "%s/culver-store-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->path));
	clock_fake_init(&f->clock, 1700000000000);
	random_fake_init(&f->random, 1);
	f->executor.seam = (struct executor_seam){
		.start = fake_start, .wake = fake_wake, .notify = fake_notify, .stop = fake_stop
	};
	fake_of = &f->executor;
	f->seams = (struct seams){ .clock = &f->clock.seam,
		.random = &f->random.seam,
		.files = files_os_new(f->path, &f->err),
		.executor = &f->executor.seam };
	assert_non_null(f->seams.files);
	log_init(&f->log, NULL, "role=store");
	f->settings = (struct store_settings){ .readers = 2, .ended = fixture_ended, .arg = f };
	memset(f->settings.ticket_key, 7, sizeof(f->settings.ticket_key));
}

static inline int unlink_each(void *arg, const char *name)
{
	struct vec *names = arg;
	char *copy = xstrdup(name);
	vec_push(names, &copy);
	return 0;
}

static inline void empty_directory(struct files_seam *files, const char *directory)
{
	struct vec names;
	vec_init(&names, sizeof(char *), 100000);
	files->list(files, directory, unlink_each, &names);
	for (size_t i = 0; i < names.n; i++) {
		char *name, path[300];
		memcpy(&name, vec_at(&names, i), sizeof(name));
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		files->unlink(files, path);
		free(name);
	}
	vec_done(&names);
}

static inline void fixture_done(struct fixture *f)
{
	store_free(&f->store);
	empty_directory(f->seams.files, "blobs");
	empty_directory(f->seams.files, ".");
	files_os_free(&f->seams.files);
	char blobs[80];
	snprintf(blobs, sizeof(blobs), "%s/blobs", f->path);
	rmdir(blobs);
	rmdir(f->path);
}

/* ---- peers ---- */

enum { REPLY_BYTES = 64 * 1024 * 1024 };

struct reply {
	uint32_t request;
	struct frame frame; /* what it points at lives in the test peer's arena */
};
struct test_peer {
	struct fixture *f;
	struct store_peer *peer;
	struct arena arena;
	struct vec replies;
	uint32_t last_request;
	size_t bulk_room; /* bulk frames that are still taken */
};

static inline bool test_send(void *arg, uint32_t request, const struct frame *frame)
{
	struct test_peer *p = arg;
	struct buf wire;
	struct frame_header header;
	struct err err = ERR_INIT;
	struct reply reply = { .request = request };
	if (frame_is_bulk((uint16_t)frame->type)) {
		if (p->bulk_room == 0)
			return false;
		p->bulk_room--;
	}
	buf_init(&wire, LIMIT_FRAME_BYTES + FRAME_HEADER_BYTES);
	assert_true(frame_encode(frame, request, &wire));
	assert_int_equal(
		frame_header_decode(str_sub(buf_str(&wire), 0, FRAME_HEADER_BYTES), &header, &err),
		0);
	struct str payload = arena_str(
		&p->arena, str_from_offset(buf_str(&wire), FRAME_HEADER_BYTES));
	assert_int_equal(frame_decode(&header, payload, &p->arena, &reply.frame, &err), 0);
	assert_non_null(vec_push(&p->replies, &reply));
	buf_done(&wire);
	return true;
}

static inline void peer_init(struct test_peer *p, struct fixture *f, int class, uint32_t instance)
{
	*p = (struct test_peer){ .f = f, .bulk_room = SIZE_MAX };
	arena_init(&p->arena, REPLY_BYTES);
	vec_init(&p->replies, sizeof(struct reply), 1000000);
	p->peer = store_peer_add(
		f->store, class, instance, &(struct store_replies){ .send = test_send, .arg = p });
}

static inline void peer_done(struct test_peer *p)
{
	store_peer_remove(&p->peer);
	vec_done(&p->replies);
	arena_done(&p->arena);
}

static inline void forget_replies(struct test_peer *p)
{
	vec_clear(&p->replies);
	arena_reset(&p->arena);
}

static inline void tell(struct test_peer *p, uint32_t request, struct frame frame)
{
	assert_true(store_peer_frame(p->peer, request, &frame));
}

/* The n-th reply to a request, or NULL. */
static inline const struct frame *reply_at(const struct test_peer *p, uint32_t request, size_t n)
{
	for (size_t i = 0; i < p->replies.n; i++) {
		const struct reply *r = vec_at(&p->replies, i);
		if (r->request == request && n-- == 0)
			return &r->frame;
	}
	return NULL;
}

/* Asks, lets everything happen, and gives the first reply. */
static inline const struct frame *ask(struct test_peer *p, struct frame frame)
{
	uint32_t request = ++p->last_request;
	tell(p, request, frame);
	executor_fake_run(&p->f->executor);
	const struct frame *reply = reply_at(p, request, 0);
	assert_non_null(reply);
	return reply;
}

static inline void frame_is(const struct frame *f, enum frame_type expected, int line)
{
	bool failed = f->type == FRAME_FAILED;
	if (f->type != expected)
		fail_msg("line %d: %s (%.*s) is not %s", line, frame_name((uint16_t)f->type),
			failed ? (int)f->failed.text.n : 0, failed ? f->failed.text.p : "",
			frame_name((uint16_t)expected));
}
static inline void frame_failed(const struct frame *f, enum err_kind expected, int line)
{
	frame_is(f, FRAME_FAILED, line);
	if (f->failed.kind != expected)
		fail_msg("line %d: %s is not %s", line, err_name(f->failed.kind),
			err_name(expected));
}
#define assert_frame(got, expected)  frame_is((got), (expected), __LINE__)
#define assert_failed(got, expected) frame_failed((got), (expected), __LINE__)

/* ---- the usual world ---- */

struct world {
	struct fixture f;
	struct test_peer admin, mx, user;
};

static inline void world_peers(struct world *w)
{
	peer_init(&w->admin, &w->f, CLASS_ADMIN, 1);
	peer_init(&w->mx, &w->f, CLASS_MX, 2);
	peer_init(&w->user, &w->f, CLASS_USER, 3);
}

static inline void world_peers_done(struct world *w)
{
	peer_done(&w->admin);
	peer_done(&w->mx);
	peer_done(&w->user);
}

static inline void add_account(struct world *w, const char *address)
{
	assert_frame(ask(&w->admin, (struct frame){ .type = FRAME_ACCOUNT_ADD,
					    .account_add = { .address = str_from(address),
						    .verifier = STR("$y$test") } }),
		FRAME_DONE);
}

static inline void world_init(struct world *w)
{
	fixture_init(&w->f);
	if (!fixture_open(&w->f))
		fail_msg("%s", err_log_text(&w->f.err));
	world_peers(w);
	assert_frame(ask(&w->admin, (struct frame){ .type = FRAME_DOMAIN_ADD,
					    .domain_add.name = STR("example.test") }),
		FRAME_DONE);
	add_account(w, "alice@example.test");
	add_account(w, "bob@example.test");
}

static inline void world_restart(struct world *w)
{
	world_peers_done(w);
	store_free(&w->f.store);
	if (!fixture_open(&w->f))
		fail_msg("%s", err_log_text(&w->f.err));
	world_peers(w);
}

static inline void world_done(struct world *w)
{
	world_peers_done(w);
	fixture_done(&w->f);
}

static inline uint64_t account_of(struct test_peer *p, const char *address)
{
	const struct frame *r = ask(
		p, (struct frame){ .type = FRAME_RESOLVE, .resolve.address = str_from(address) });
	assert_frame(r, FRAME_RESOLVED);
	assert_int_equal(r->resolved.targets.n, 1);
	return r->resolved.targets.items[0].account;
}

static inline void make_ticket(struct fixture *f, struct ticket ticket, struct buf *out)
{
	buf_init(out, TICKET_MAX_BYTES);
	assert_true(ticket_seal(f->settings.ticket_key, &ticket, out));
}

static inline const struct frame *open_session_as(
	struct test_peer *p, struct ticket ticket, const char *service)
{
	struct buf sealed;
	make_ticket(p->f, ticket, &sealed);
	const struct frame *r = ask(p, (struct frame){ .type = FRAME_SESSION_OPEN,
					       .session_open = { .ticket = buf_str(&sealed),
						       .service = str_from(service) } });
	buf_done(&sealed);
	return r;
}

static inline uint32_t open_session(struct test_peer *p, uint64_t account)
{
	const struct frame *r = open_session_as(p,
		(struct ticket){ .instance = 3,
			.account = account,
			.epoch = 1,
			.rights = SERVICES_ALL,
			.expires_ms = 1800000000000 },
		"imap");
	assert_frame(r, FRAME_SESSION_IS);
	return r->session_is.session;
}

static inline uint64_t mailbox_of(struct test_peer *p, uint32_t session, const char *name)
{
	const struct frame *r = ask(
		p, (struct frame){ .type = FRAME_MAILBOX_STATUS,
			   .mailbox_status = { .session = session, .name = str_from(name) } });
	assert_frame(r, FRAME_MAILBOXES);
	assert_int_equal(r->mailboxes.mailboxes.n, 1);
	return r->mailboxes.mailboxes.items[0].id;
}

/* Delivers a message to accounts, each with the prefix; the answer. */
static inline const struct frame *deliver(
	struct test_peer *p, struct str body, const uint64_t *accounts, size_t n, struct str prefix)
{
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	for (size_t at = 0; at < body.n; at += 65000)
		tell(p, request,
			(struct frame){ .type = FRAME_UPLOAD_BYTES,
				.upload_bytes.data = str_sub(body, at, 65000) });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_DIGEST, .upload_digest.data = STR("digest") });
	for (size_t i = 0; i < n; i++)
		tell(p, request,
			(struct frame){ .type = FRAME_UPLOAD_TO,
				.upload_to = { .account = accounts[i], .prefix = prefix } });
	tell(p, request,
		(struct frame){
			.type = FRAME_UPLOAD_COMMIT, .upload_commit.message_id = STR("m1") });
	executor_fake_run(&p->f->executor);
	const struct frame *r = reply_at(p, request, 0);
	assert_non_null(r);
	return r;
}

static inline uint32_t deliver_one(struct test_peer *p, uint64_t account, struct str body)
{
	const struct frame *r = deliver(p, body, &account, 1, STR("Return-Path: <>\r\n"));
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.n, 1);
	return r->delivered.landings.items[0].uid;
}

static inline void tell_uids(struct test_peer *p, uint32_t request, uint32_t low, uint32_t high)
{
	struct api_range range = { low, high };
	tell(p, request, (struct frame){ .type = FRAME_UIDS, .uids.ranges = { &range, 1 } });
}

/* Asks a change about one range of UIDs. */
static inline const struct frame *ask_about(
	struct test_peer *p, uint32_t low, uint32_t high, struct frame frame)
{
	tell_uids(p, p->last_request + 1, low, high);
	return ask(p, frame);
}

/* Doubles a mailbox by copying it onto itself. */
static inline void double_mailbox(struct world *w, uint32_t session, uint64_t mailbox, int times)
{
	while (times-- > 0) {
		assert_frame(ask_about(&w->user, 1, UINT32_MAX,
				     (struct frame){ .type = FRAME_COPY,
					     .copy = { session, mailbox, mailbox, false } }),
			FRAME_COPIED);
		forget_replies(&w->user);
	}
}

#endif
