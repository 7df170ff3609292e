// SPDX-License-Identifier: Apache-2.0
/* The store as a whole: the road of a message, deliveries, its own life. */
#include "store/store_test.h"

/* ---- the road ---- */

static void message_walks_the_road(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "Alice+news@Example.TEST");
	assert_int_equal(deliver_one(&w.mx, alice, STR("Subject: one\r\n\r\nbody\r\n")), 1);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "inbox");
	const struct frame *view = ask(
		&w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
				 .view_open = { .session = session, .mailbox = inbox } });
	assert_frame(view, FRAME_VIEW_IS);
	assert_int_equal(view->view_is.messages, 1);
	assert_int_equal(view->view_is.uidnext, 2);
	const struct frame *entries = reply_at(&w.user, w.user.last_request, 1);
	assert_frame(entries, FRAME_VIEW_ENTRIES);
	assert_true(entries->view_entries.last);
	assert_int_equal(entries->view_entries.entries.n, 1);
	assert_int_equal(entries->view_entries.entries.items[0].uid, 1);
	assert_int_equal(entries->view_entries.entries.items[0].flags, 0);
	const struct frame *bytes = ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
							 .message_read = { .session = session,
								 .mailbox = inbox,
								 .uid = 1,
								 .length = 65000 } });
	assert_frame(bytes, FRAME_MESSAGE_BYTES);
	assert_str(
		bytes->message_bytes.data, STR("Return-Path: <>\r\nSubject: one\r\n\r\nbody\r\n"));
	assert_int_equal(bytes->message_bytes.size, bytes->message_bytes.data.n);
	uint32_t uid = 1;
	const struct frame *digest = ask(&w.user,
		(struct frame){ .type = FRAME_DIGEST_READ,
			.digest_read = {
				.session = session, .mailbox = inbox, .uids = { &uid, 1 } } });
	assert_frame(digest, FRAME_DIGEST_IS);
	assert_str(digest->digest_is.digest, STR("digest"));
	assert_int_equal(digest->digest_is.prefix_size, 17);
	assert_true(digest->digest_is.last);
	world_done(&w);
}

static void message_survives_restart(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	world_restart(&w);
	assert_int_equal(deliver_one(&w.mx, alice, STR("two")), 2);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	const struct frame *bytes = ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
							 .message_read = { .session = session,
								 .mailbox = inbox,
								 .uid = 1,
								 .offset = 17,
								 .length = 10 } });
	assert_frame(bytes, FRAME_MESSAGE_BYTES);
	assert_str(bytes->message_bytes.data, STR("one"));
	world_done(&w);
}

/* ---- deliveries ---- */

static void one_body_many_recipients(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t to[2] = { account_of(&w.mx, "alice@example.test"),
		account_of(&w.mx, "bob@example.test") };
	const struct frame *r = deliver(&w.mx, STR("shared"), to, 2, STR("P: 1\r\n"));
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.n, 2);
	assert_int_equal(r->delivered.landings.items[1].account, to[1]);
	const struct frame *status = ask(&w.admin, (struct frame){ .type = FRAME_STORE_STATUS });
	assert_frame(status, FRAME_STORE_STATUS_IS);
	assert_int_equal(status->store_status_is.bodies, 1);
	assert_int_equal(status->store_status_is.messages, 2);
	assert_int_equal(status->store_status_is.accounts, 2);
	world_done(&w);
}

/* The body comes back byte for byte, whatever the pieces it is read in. */
static void large_body_is_read_in_pieces(void **state)
{
	struct world w;
	struct buf body, got;
	(void)state;
	world_init(&w);
	buf_init(&body, 4 << 20);
	buf_init(&got, 4 << 20);
	char *p = buf_reserve(&body, 3 << 20);
	w.f.random.seam.fill(&w.f.random.seam, p, 3 << 20);
	buf_used(&body, 3 << 20);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, buf_str(&body));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame_message_read read = {
		.session = session, .mailbox = inbox, .uid = 1, .length = 50001
	};
	for (;;) {
		forget_replies(&w.user);
		const struct frame *r = ask(&w.user,
			(struct frame){ .type = FRAME_MESSAGE_READ, .message_read = read });
		assert_frame(r, FRAME_MESSAGE_BYTES);
		assert_int_equal(r->message_bytes.size, (3 << 20) + 17);
		buf_adds(&got, r->message_bytes.data);
		read.offset += r->message_bytes.data.n;
		if (r->message_bytes.data.n < read.length)
			break;
	}
	assert_int_equal(got.n, (3 << 20) + 17);
	assert_memory_equal(got.p + 17, body.p, body.n);
	read.offset = got.n + 5; /* beyond the end: nothing */
	assert_int_equal(
		ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ, .message_read = read })
			->message_bytes.data.n,
		0);
	buf_done(&body);
	buf_done(&got);
	world_done(&w);
}

static void uploads_that_go_wrong(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	w.f.settings.message_bytes = 1000;
	world_restart(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	char big[1001] = "";
	/* N - 1, N, N + 1 bytes */
	deliver_one(&w.mx, alice, str_make(big, 999));
	deliver_one(&w.mx, alice, str_make(big, 1000));
	const struct frame *r = deliver(&w.mx, str_make(big, 1001), &alice, 1, STR_NONE);
	assert_failed(r, ERR_TOO_BIG);
	assert_null(reply_at(&w.mx, w.mx.last_request, 1)); /* told once */
	assert_failed(deliver(&w.mx, STR("x"), &alice, 0, STR_NONE), ERR_NOT_NOW);
	uint64_t nobody = 12345;
	assert_failed(deliver(&w.mx, STR("x"), &nobody, 1, STR_NONE), ERR_NOT_FOUND);
	assert_failed(ask(&w.mx, (struct frame){ .type = FRAME_UPLOAD_COMMIT }), ERR_NOT_NOW);
	/* Declared as too large: at once. */
	assert_failed(
		ask(&w.mx, (struct frame){ .type = FRAME_UPLOAD_OPEN, .upload_open.size = 1001 }),
		ERR_TOO_BIG);
	/* All or nothing: one recipient that is not there takes the other along. */
	uint64_t both[2] = { alice, nobody };
	assert_failed(deliver(&w.mx, STR("x"), both, 2, STR_NONE), ERR_NOT_FOUND);
	uint32_t session = open_session(&w.user, alice);
	const struct frame *m = ask(
		&w.user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
				 .mailbox_status = { .session = session, .name = STR("INBOX") } });
	assert_int_equal(m->mailboxes.mailboxes.items[0].messages, 2);
	/* Aborted: nothing happens, and nothing is said. */
	size_t n = w.mx.replies.n;
	tell(&w.mx, 5000, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(&w.mx, 5000, (struct frame){ .type = FRAME_UPLOAD_ABORT });
	tell(&w.mx, 5001, (struct frame){ .type = FRAME_UPLOAD_BYTES });
	executor_fake_run(&w.f.executor);
	assert_int_equal(w.mx.replies.n, n);
	world_done(&w);
}

static struct frame alice_for(uint64_t size)
{
	return (struct frame){ .type = FRAME_RESOLVE,
		.resolve = { .address = STR("alice@example.test"), .size = size } };
}

static void quota_is_asked_at_resolve(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	assert_frame(
		ask(&w.admin, (struct frame){ .type = FRAME_ACCOUNT_SET,
				      .account_set = { .set = ACCOUNT_QUOTA_BYTES,
					      .account = { .address = STR("alice@example.test"),
						      .quota_bytes = 100 } } }),
		FRAME_DONE);
	assert_frame(ask(&w.mx, alice_for(0)), FRAME_RESOLVED);
	assert_frame(ask(&w.mx, alice_for(99)), FRAME_RESOLVED);
	assert_frame(ask(&w.mx, alice_for(100)), FRAME_RESOLVED);
	/* Never, whatever she deletes (RFC 1870 6.4); and not now. */
	assert_failed(ask(&w.mx, alice_for(101)), ERR_TOO_BIG);
	deliver_one(&w.mx, account_of(&w.mx, "alice@example.test"), STR("x"));
	assert_failed(ask(&w.mx, alice_for(100)), ERR_QUOTA);
	assert_failed(ask(&w.mx, alice_for(101)), ERR_TOO_BIG);
	/* One message over is still made; then the door is shut. */
	char body[200] = "";
	deliver_one(&w.mx, account_of(&w.mx, "alice@example.test"), str_make(body, 200));
	assert_failed(ask(&w.mx, (struct frame){ .type = FRAME_RESOLVE,
					 .resolve.address = STR("alice@example.test") }),
		ERR_QUOTA);
	world_done(&w);
}

/* Whom an address stands for is remembered, and forgotten as soon as it may have changed. */
static void names_change(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	struct frame sales = { .type = FRAME_RESOLVE,
		.resolve.address = STR("sales@example.test") };
	struct frame add = { .type = FRAME_ALIAS_ADD,
		.alias_add = { STR("sales@example.test"), STR("bob@example.test") } };
	struct frame remove = { .type = FRAME_ALIAS_REMOVE,
		.alias_remove = { STR("sales@example.test"), STR("bob@example.test") } };
	struct frame leave = { .type = FRAME_ACCOUNT_SET,
		.account_set = { .set = ACCOUNT_ACTIVE,
			.account = { .address = STR("bob@example.test"), .active = false } } };
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	assert_failed(ask(&w.mx, sales), ERR_NOT_FOUND);
	assert_frame(ask(&w.admin, add), FRAME_DONE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(account_of(&w.mx, "sales@example.test"), bob);
	assert_frame(ask(&w.admin, remove), FRAME_DONE);
	assert_failed(ask(&w.mx, sales), ERR_NOT_FOUND);
	assert_int_equal(account_of(&w.mx, "bob@example.test"), bob);
	assert_frame(ask(&w.admin, leave), FRAME_DONE);
	assert_failed(ask(&w.mx, (struct frame){ .type = FRAME_RESOLVE,
					 .resolve.address = STR("bob@example.test") }),
		ERR_NOT_FOUND);
	/* Found out before a change, told after it: not believed. */
	assert_frame(ask(&w.admin, add), FRAME_DONE);
	leave.account_set.account.active = true;
	assert_frame(ask(&w.admin, leave), FRAME_DONE);
	tell(&w.mx, 4000, sales);
	tell(&w.admin, 4000, remove);
	executor_fake_run(&w.f.executor);
	assert_failed(ask(&w.mx, sales), ERR_NOT_FOUND);
	world_done(&w);
}

static const struct frame *append(struct test_peer *p, uint32_t session, uint64_t mailbox,
	struct str body, struct api_str_list keywords)
{
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = body });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = session,
				.mailbox = mailbox,
				.time = 1234,
				.flags = FLAG_DRAFT,
				.keywords = keywords } });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&p->f->executor);
	return reply_at(p, request, 0);
}

static void append_keeps_flags_and_date(void **state)
{
	struct world w;
	struct str words[] = { STR("one"), STR("two") };
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	uint32_t session = open_session(&w.user, alice), his = open_session(&w.user, bob);
	uint64_t drafts = mailbox_of(&w.user, session, "Drafts");
	const struct frame *r = append(
		&w.user, session, drafts, STR("draft"), (struct api_str_list){ words, 2 });
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.items[0].mailbox, drafts);
	ask(&w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
			     .view_open = { .session = session, .mailbox = drafts } });
	const struct frame *view = reply_at(&w.user, w.user.last_request, 0);
	const struct frame *entries = reply_at(&w.user, w.user.last_request, 1);
	assert_int_equal(view->view_is.keywords.n, 2);
	assert_str(view->view_is.keywords.items[1], STR("two"));
	assert_int_equal(entries->view_entries.entries.items[0].flags, FLAG_DRAFT);
	assert_int_equal(entries->view_entries.entries.items[0].keywords_low, 3);
	assert_int_equal(entries->view_entries.entries.items[0].time, 1234);
	/* Another's mailbox, a session that is not there: nothing lands. I11 */
	assert_failed(append(&w.user, his, drafts, STR("x"), (struct api_str_list){ NULL, 0 }),
		ERR_NOT_FOUND);
	assert_failed(append(&w.user, 999, drafts, STR("x"), (struct api_str_list){ NULL, 0 }),
		ERR_EXPIRED);
	world_done(&w);
}

/* ---- the store's own life ---- */

/* G9 */
static void two_stores_exclude_each_other(void **state)
{
	struct world w;
	struct err err = ERR_INIT;
	(void)state;
	world_init(&w);
	assert_null(store_new(&w.f.seams, &w.f.settings, &w.f.log, &err));
	assert_int_equal(err.kind, ERR_IN_USE);
	world_done(&w);
}

static void check_is_clean(struct world *w, uint64_t bodies)
{
	const struct frame *r = ask(&w->admin, (struct frame){ .type = FRAME_STORE_CHECK });
	if (r->type == FRAME_CHECK_FINDING)
		fail_msg("%.*s", (int)r->check_finding.text.n, r->check_finding.text.p);
	assert_frame(r, FRAME_CHECK_DONE);
	assert_int_equal(r->check_done.findings, 0);
	assert_int_equal(r->check_done.bodies, bodies);
}

static void check_finds_damaged_bodies(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("a body that will be damaged"));
	deliver_one(&w.mx, alice, STR("another"));
	check_is_clean(&w, 2);
	world_peers_done(&w);
	store_free(&w.f.store);
	struct files_seam *files = w.f.seams.files;
	int file = files->open(files, "blobs/00000001", 2, 0);
	char page[65536], *hit;
	ssize_t n = files->pread(files, file, page, sizeof(page), 0);
	assert_true(n > 0);
	hit = memmem(page, (size_t)n, "will be", 7);
	assert_non_null(hit);
	*hit = 'W';
	assert_int_equal(files->pwrite(files, file, hit, 1, hit - page), 1);
	files->close(files, file);
	assert_true(fixture_open(&w.f));
	world_peers(&w);
	assert_frame(
		ask(&w.admin, (struct frame){ .type = FRAME_STORE_CHECK }), FRAME_CHECK_FINDING);
	/* It is not served; the other is. */
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame read = { .type = FRAME_MESSAGE_READ,
		.message_read = { session, inbox, 1, 0, 1000 } };
	assert_failed(ask(&w.user, read), ERR_CORRUPT);
	read.message_read.uid = 2;
	assert_frame(ask(&w.user, read), FRAME_MESSAGE_BYTES);
	world_done(&w);
}

/* The successor of a failed flush copies the ledger, serves, and clears the mark. */
static void distrust_copies_and_serves(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("kept"));
	w.f.settings.distrust = true;
	world_restart(&w);
	assert_false(store_read_only(w.f.store, NULL));
	check_is_clean(&w, 1);
	assert_int_equal(deliver_one(&w.mx, alice, STR("next")), 2);
	w.f.settings.distrust = false;
	world_restart(&w);
	check_is_clean(&w, 2);
	world_done(&w);
}

static void lost_digests_are_made_again(void **state)
{
	struct world w;
	uint32_t uid = 1;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	world_peers_done(&w);
	store_free(&w.f.store);
	struct files_seam *files = w.f.seams.files;
	int file = files->open(files, "digests.db", 2, 0);
	char junk[8192];
	memset(junk, 0x5a, sizeof(junk));
	files->pwrite(files, file, junk, sizeof(junk), 0);
	files->close(files, file);
	assert_true(fixture_open(&w.f));
	world_peers(&w);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame read = { .type = FRAME_DIGEST_READ,
		.digest_read = { session, inbox, { &uid, 1 } } };
	assert_int_equal(ask(&w.user, read)->digest_is.digest.n, 0);
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_DIGEST_PUT,
					  .digest_put = { session, inbox, 1, STR("anew") } }),
		FRAME_DONE);
	assert_str(ask(&w.user, read)->digest_is.digest, STR("anew"));
	world_done(&w);
}

/* Digests longer than a frame, one that is too long, and more of them than one turn holds. */
static void digests_come_in_pieces(void **state)
{
	enum { N = 12 };
	struct world w;
	uint32_t uids[N];
	char *digest = xmalloc(LIMIT_DIGEST_BYTES + 1);
	(void)state;
	memset(digest, 'd', LIMIT_DIGEST_BYTES + 1);
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (uint32_t i = 0; i < N; i++) {
		size_t size = i < 3 ? LIMIT_DIGEST_BYTES - 1 + i : 64000 * i / 4;
		uint32_t request = ++w.mx.last_request;
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		for (size_t at = 0; at < size; at += 65000)
			tell(&w.mx, request,
				(struct frame){ .type = FRAME_UPLOAD_DIGEST,
					.upload_digest.data = str_sub(
						str_make(digest, size), at, 65000) });
		tell(&w.mx, request,
			(struct frame){ .type = FRAME_UPLOAD_TO, .upload_to.account = alice });
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
		uids[i] = i + 1;
	}
	executor_fake_run(&w.f.executor);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	ask(&w.user, (struct frame){ .type = FRAME_DIGEST_READ,
			     .digest_read = { session, inbox, { uids, N } } });
	size_t got[N] = { 0 }, at = 0;
	const struct frame *r;
	for (size_t i = 0; (r = reply_at(&w.user, w.user.last_request, i)) != NULL; i++) {
		assert_frame(r, FRAME_DIGEST_IS);
		assert_int_equal(r->digest_is.uid, uids[at]);
		got[at] += r->digest_is.digest.n;
		if (!r->digest_is.more)
			at++;
		assert_int_equal(r->digest_is.last, at == N);
	}
	assert_int_equal(at, N);
	assert_int_equal(got[0], LIMIT_DIGEST_BYTES - 1);
	assert_int_equal(got[1], LIMIT_DIGEST_BYTES);
	assert_int_equal(got[2], 0); /* one byte too much: it is left out */
	for (size_t i = 3; i < N; i++)
		assert_int_equal(got[i], 64000 * i / 4);
	free(digest);
	world_done(&w);
}

TEST_MAIN(test_case(message_walks_the_road), test_case(message_survives_restart),
	test_case(one_body_many_recipients), test_case(large_body_is_read_in_pieces),
	test_case(uploads_that_go_wrong), test_case(quota_is_asked_at_resolve),
	test_case(names_change), test_case(append_keeps_flags_and_date),
	test_case(two_stores_exclude_each_other), test_case(check_finds_damaged_bodies),
	test_case(distrust_copies_and_serves), test_case(lost_digests_are_made_again),
	test_case(digests_come_in_pieces))
