// SPDX-License-Identifier: Apache-2.0
/* The store, driven by frames: the road of a message, views, sessions, restarts. */
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

/* ---- sessions ---- */

static void tickets_are_checked(void **state)
{
	static const struct {
		uint32_t instance, rights;
		uint64_t epoch;
		int64_t expires_ms;
		const char *service;
		enum err_kind kind;
	} cases[] = {
		{ 3, SERVICES_ALL, 1, 1800000000000, "imap", ERR_NONE },
		{ 3, SERVICE_POP3, 1, 1800000000000, "pop3", ERR_NONE },
		{ 2, SERVICES_ALL, 1, 1800000000000, "imap", ERR_EXPIRED }, /* another front's */
		{ 3, SERVICES_ALL, 2, 1800000000000, "imap", ERR_EXPIRED },
		{ 3, SERVICES_ALL, 0, 1800000000000, "imap", ERR_EXPIRED },
		{ 3, SERVICES_ALL, 1, 1600000000000, "imap", ERR_EXPIRED },
		{ 3, SERVICE_SMTP, 1, 1800000000000, "imap", ERR_DENIED },
		{ 3, SERVICES_ALL, 1, 1800000000000, "http", ERR_SYNTAX },
	};
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct frame *r = open_session_as(&w.user,
			(struct ticket){ .instance = cases[i].instance,
				.account = alice,
				.epoch = cases[i].epoch,
				.rights = cases[i].rights,
				.expires_ms = cases[i].expires_ms },
			cases[i].service);
		if (cases[i].kind == ERR_NONE)
			assert_frame(r, FRAME_SESSION_IS);
		else
			assert_failed(r, cases[i].kind);
	}
	/* No account of that number; a forged ticket. */
	assert_failed(open_session_as(&w.user,
			      (struct ticket){ .instance = 3,
				      .account = 99,
				      .epoch = 1,
				      .rights = SERVICES_ALL,
				      .expires_ms = 1800000000000 },
			      "imap"),
		ERR_EXPIRED);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_SESSION_OPEN,
					   .session_open = { .ticket = STR("forged"),
						   .service = STR("imap") } }),
		ERR_EXPIRED);
	world_done(&w);
}

static void password_ends_sessions(void **state)
{
	struct world w;
	struct test_peer other;
	(void)state;
	world_init(&w);
	peer_init(&other, &w.f, CLASS_USER, 3);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	uint32_t one = open_session(&w.user, alice), two = open_session(&other, alice);
	uint32_t his = open_session(&w.user, bob);
	assert_frame(
		ask(&w.admin, (struct frame){ .type = FRAME_ACCOUNT_PASSWORD,
				      .account_password = { .address = STR("alice@example.test"),
					      .verifier = STR("new") } }),
		FRAME_DONE);
	const struct frame *ended = reply_at(&w.user, 0, 0);
	assert_frame(ended, FRAME_SESSION_ENDED);
	assert_int_equal(ended->session_ended.session, one);
	assert_null(reply_at(&w.user, 0, 1));
	assert_int_equal(reply_at(&other, 0, 0)->session_ended.session, two);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_LIST,
					   .mailbox_list.session = one }),
		ERR_EXPIRED);
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_LIST,
					  .mailbox_list.session = his }),
		FRAME_MAILBOXES);
	peer_done(&other);
	world_done(&w);
}

/* A password that changes while a session of the old epoch is being opened. */
static void opening_races_with_the_password(void **state)
{
	struct world w;
	struct buf ticket;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	make_ticket(&w.f,
		(struct ticket){ .instance = 3,
			.account = alice,
			.epoch = 1,
			.rights = SERVICES_ALL,
			.expires_ms = 1800000000000 },
		&ticket);
	tell(&w.user, 900,
		(struct frame){ .type = FRAME_SESSION_OPEN,
			.session_open = { .ticket = buf_str(&ticket), .service = STR("imap") } });
	tell(&w.admin, 901,
		(struct frame){ .type = FRAME_ACCOUNT_PASSWORD,
			.account_password = {
				.address = STR("alice@example.test"), .verifier = STR("new") } });
	/* The reader's step comes first, the writer's publishing is collected first. */
	struct worker *writer = w.f.executor.workers, *reader = writer->next;
	while (reader->awake)
		reader->awake = reader->spec.step(reader->spec.arg);
	writer->awake = writer->spec.step(writer->spec.arg);
	executor_fake_run(&w.f.executor);
	const struct frame *r = reply_at(&w.user, 900, 0);
	if (r->type == FRAME_SESSION_IS)
		assert_int_equal(
			reply_at(&w.user, 0, 0)->session_ended.session, r->session_is.session);
	else
		assert_failed(r, ERR_EXPIRED);
	buf_done(&ticket);
	world_done(&w);
}

static void maildrop_has_one_session(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t one = open_session(&w.user, alice), two = open_session(&w.user, alice);
	struct frame lock = { .type = FRAME_LOCK_MAILDROP, .lock_maildrop.session = one };
	assert_frame(ask(&w.user, lock), FRAME_DONE);
	assert_frame(ask(&w.user, lock), FRAME_DONE);
	lock.lock_maildrop.session = two;
	assert_failed(ask(&w.user, lock), ERR_IN_USE);
	tell(&w.user, 0,
		(struct frame){ .type = FRAME_SESSION_CLOSE, .session_close.session = one });
	assert_frame(ask(&w.user, lock), FRAME_DONE);
	/* It ends with the peer, too. */
	peer_done(&w.user);
	peer_init(&w.user, &w.f, CLASS_USER, 3);
	lock.lock_maildrop.session = open_session(&w.user, alice);
	assert_frame(ask(&w.user, lock), FRAME_DONE);
	world_done(&w);
}

static void addresses_of_ones_own(void **state)
{
	static const struct {
		const char *address;
		bool own;
	} cases[] = { { "alice@example.test", true }, { "Alice+x@example.test", true },
		{ "sales@example.test", true }, { "sales+x@example.test", true },
		{ "bob@example.test", false }, { "nobody@example.test", false },
		{ "alice@elsewhere.test", false }, { "alice", false }, { "", false },
		{ "any@catch.test", false } };
	struct world w;
	(void)state;
	world_init(&w);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	ask(&w.admin, (struct frame){ .type = FRAME_ALIAS_ADD,
			      .alias_add = { .address = STR("sales@example.test"),
				      .target = STR("alice@example.test") } });
	ask(&w.admin,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("catch.test") });
	ask(&w.admin, (struct frame){ .type = FRAME_DOMAIN_SET,
			      .domain_set = { .name = STR("catch.test"),
				      .catch_all = STR("alice@example.test") } });
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct frame *r = ask(
			&w.user, (struct frame){ .type = FRAME_OWNS_ADDRESS,
					 .owns_address = { .session = session,
						 .address = str_from(cases[i].address) } });
		if (r->type != (cases[i].own ? FRAME_DONE : FRAME_FAILED))
			fail_msg("%s", cases[i].address);
	}
	world_done(&w);
}

/* With its settings at once, or not at all. */
static void an_account_is_made_whole(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	struct frame f = { .type = FRAME_ACCOUNT_ADD,
		.account_add = { .address = STR("new@example.test"),
			.verifier = STR("$y$test"),
			.set = ACCOUNT_POP3_RETENTION | ACCOUNT_SERVICES,
			.fields = {
				.services = SERVICE_POP3, .pop3_retention = RETAIN_EXPIRE + 1 } } };
	assert_frame(ask(&w.admin, f), FRAME_FAILED);
	f.account_add.fields.pop3_retention = RETAIN_EXPIRE;
	f.account_add.fields.pop3_expire_days = 7;
	assert_frame(ask(&w.admin, f), FRAME_DONE);
	const struct frame *r = ask(&w.admin, (struct frame){ .type = FRAME_ACCOUNT_LIST });
	const struct api_account *made = NULL;
	for (size_t i = 0; r->type == FRAME_ACCOUNTS && i < r->accounts.accounts.n; i++)
		if (str_equal(r->accounts.accounts.items[i].address, STR("new@example.test")))
			made = &r->accounts.accounts.items[i];
	assert_non_null(made);
	assert_int_equal(made->pop3_retention, RETAIN_EXPIRE);
	assert_int_equal(made->pop3_expire_days, 7);
	assert_int_equal(made->services, SERVICE_POP3);
	world_done(&w);
}

/* What is older than the account's days goes when a session opens; N days stay, N + 1 do not. */
static void old_mail_expires(void **state)
{
	enum { DAY = 86400000 };
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("old"));
	w.f.clock.wall_ms += DAY;
	deliver_one(&w.mx, alice, STR("new"));
	ask(&w.admin, (struct frame){ .type = FRAME_ACCOUNT_SET,
			      .account_set = { .set = ACCOUNT_POP3_RETENTION,
				      .account = { .address = STR("alice@example.test"),
					      .pop3_retention = RETAIN_EXPIRE,
					      .pop3_expire_days = 7 } } });
	static const struct {
		int64_t pass;
		uint32_t left;
	} cases[] = { { 6 * (int64_t)DAY, 2 }, { 1, 1 }, { DAY, 0 } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		w.f.clock.wall_ms += cases[i].pass;
		uint32_t session = open_session(&w.user, alice);
		const struct frame *r = ask(
			&w.user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
					 .mailbox_status = { session, STR("INBOX") } });
		assert_int_equal(r->mailboxes.mailboxes.items[0].messages, cases[i].left);
	}
	world_done(&w);
}

/* Several entries for one question: whole or their first 65,000 bytes, in order; who is gone is
 * said to be, and what can't be read ends the series behind those that can. */
static void many_are_read_at_once(void **state)
{
	static char big[70000];
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	memset(big, 'b', sizeof(big));
	for (uint32_t uid = 1; uid <= 4; uid++)
		deliver_one(&w.mx, alice, uid == 3 ? str_make(big, sizeof(big)) : STR("small"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	static const struct {
		uint32_t uid;
		bool gone;
		uint64_t size;
		size_t n;
	} wanted[] = { { 2, false, 22, 22 }, { 9, true, 0, 0 }, { 3, false, 70017, 65000 },
		{ 3, false, 70017, 65000 }, { 1, false, 22, 22 }, { 4, false, 22, 22 } };
	uint32_t uids[ARRAY_LEN(wanted)];
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		uids[i] = wanted[i].uid;
	struct frame question = { .type = FRAME_MESSAGES_READ,
		.messages_read = { session, inbox, { uids, ARRAY_LEN(wanted) } } };
	ask(&w.user, question);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const struct frame *r = reply_at(&w.user, w.user.last_request, i);
		assert_frame(r, FRAME_MESSAGE_IS);
		assert_int_equal(r->message_is.uid, wanted[i].uid);
		assert_int_equal(r->message_is.gone, wanted[i].gone);
		assert_int_equal(r->message_is.size, wanted[i].size);
		assert_int_equal(r->message_is.data.n, wanted[i].n);
		assert_int_equal(r->message_is.last, i + 1 == ARRAY_LEN(wanted));
	}
	question.messages_read.uids.n = 0;
	const struct frame *none = ask(&w.user, question);
	assert_frame(none, FRAME_MESSAGE_IS);
	assert_true(none->message_is.last);
	/* Another's mailbox holds nothing for her. */
	uint32_t hers = open_session(&w.user, account_of(&w.mx, "bob@example.test"));
	question.messages_read = (struct frame_messages_read){ hers, inbox, { uids, 1 } };
	const struct frame *r = ask(&w.user, question);
	assert_frame(r, FRAME_MESSAGE_IS);
	assert_true(r->message_is.gone && r->message_is.last);
	world_done(&w);
}

/* ---- who may ask what ---- */

static void classes_have_their_rights(void **state)
{
	static const enum frame_type all[] = { FRAME_RESOLVE, FRAME_GET_CREDENTIALS,
		FRAME_UPLOAD_OPEN, FRAME_UPLOAD_INTO, FRAME_SESSION_OPEN, FRAME_MAILBOX_LIST,
		FRAME_VIEW_OPEN, FRAME_MESSAGE_READ, FRAME_SET_FLAGS, FRAME_COPY, FRAME_EXPUNGE,
		FRAME_DIGEST_PUT, FRAME_ACCOUNT_ADD, FRAME_ACCOUNT_PASSWORD, FRAME_ACCOUNT_LIST,
		FRAME_DOMAIN_ADD, FRAME_ALIAS_ADD, FRAME_STORE_CHECK, FRAME_STORE_STATUS,
		FRAME_DELIVERED, FRAME_SESSION_IS, FRAME_NONE, FRAME_SIGN, FRAME_UPLOAD_TO,
		FRAME_BACKUP_BEGIN, FRAME_BACKUP_READ, FRAME_BACKUP_END, FRAME_RESTORE_BEGIN,
		FRAME_RESTORE_MAILBOX, FRAME_UPLOAD_RESTORE, FRAME_RESTORE_END,
		FRAME_STORE_REPAIR };
	/* One letter for each of the above: y may ask. */
	static const struct {
		int class;
		const char *may;
	} cases[] = { { CLASS_MX, "y-y--------------------y--------" },
		{ CLASS_USER, "y-yyyyyyyyyy-----------y--------" },
		{ CLASS_WEB, "y-yyyyyyyyyy-----------y--------" },
		{ CLASS_GATE, "-y------------------------------" },
		{ CLASS_ADMIN, "y-y---------yyyyyyy-----yyyyyyyy" },
		{ CLASS_COURIER, "--------------------------------" },
		{ CLASS_KEYS, "--------------------------------" } };
	struct world w;
	(void)state;
	world_init(&w);
	for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
		struct test_peer peer;
		peer_init(&peer, &w.f, cases[c].class, 9);
		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			struct frame frame = { .type = all[i] };
			bool may = store_peer_frame(peer.peer, (uint32_t)i + 1, &frame);
			if (may != (cases[c].may[i] == 'y'))
				fail_msg("class %d, %s", cases[c].class,
					frame_name((uint16_t)all[i]));
		}
		executor_fake_run(&w.f.executor);
		peer_done(&peer);
	}
	world_done(&w);
}

/* I11: every question of a session, with another peer's session, and about another's mailbox. */
static void others_sessions_are_none(void **state)
{
	static const enum frame_type all[] = { FRAME_OWNS_ADDRESS, FRAME_LOCK_MAILDROP,
		FRAME_MAILBOX_LIST, FRAME_MAILBOX_STATUS, FRAME_MAILBOX_CREATE,
		FRAME_MAILBOX_DELETE, FRAME_MAILBOX_RENAME, FRAME_MAILBOX_SUBSCRIBE,
		FRAME_VIEW_OPEN, FRAME_VIEW_CHANGES, FRAME_MESSAGE_READ, FRAME_MESSAGES_READ,
		FRAME_DIGEST_READ, FRAME_DIGEST_PUT, FRAME_SET_FLAGS, FRAME_COPY, FRAME_EXPUNGE };
	struct world w;
	struct test_peer other;
	(void)state;
	world_init(&w);
	peer_init(&other, &w.f, CLASS_USER, 4);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct frame frame = { .type = all[i], .session_close.session = session };
		assert_failed(ask_about(&other, 1, 1, frame), ERR_EXPIRED);
	}
	tell(&other, 7,
		(struct frame){ .type = FRAME_SESSION_CLOSE, .session_close.session = session });
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_LIST,
					  .mailbox_list.session = session }),
		FRAME_MAILBOXES);
	peer_done(&other);
	world_done(&w);
}

static void others_mailboxes_are_none(void **state)
{
	struct world w;
	uint32_t uid = 1;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	deliver_one(&w.mx, alice, STR("secret"));
	uint32_t hers = open_session(&w.user, alice), his = open_session(&w.user, bob);
	uint64_t inbox = mailbox_of(&w.user, hers, "INBOX"),
		 own = mailbox_of(&w.user, his, "INBOX");
	struct frame cases[] = {
		{ .type = FRAME_VIEW_OPEN, .view_open = { his, inbox, true } },
		{ .type = FRAME_MESSAGE_READ, .message_read = { his, inbox, 1, 0, 100 } },
		{ .type = FRAME_DIGEST_PUT, .digest_put = { his, inbox, 1, STR("x") } },
		{ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = his, .mailbox = inbox, .flags = 1 } },
		{ .type = FRAME_COPY, .copy = { his, inbox, own, false } },
		{ .type = FRAME_COPY, .copy = { his, own, inbox, false } },
		{ .type = FRAME_EXPUNGE, .expunge = { his, inbox, false } },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_failed(ask_about(&w.user, 1, 1, cases[i]), ERR_NOT_FOUND);
	const struct frame *digest = ask(
		&w.user, (struct frame){ .type = FRAME_DIGEST_READ,
				 .digest_read = { his, inbox, { &uid, 1 } } });
	assert_frame(digest, FRAME_DIGEST_IS);
	assert_int_equal(digest->digest_is.digest.n, 0);
	assert_int_equal(digest->digest_is.prefix_size, 0);
	/* Her own watch's log is not his either. */
	ask(&w.user, (struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { hers, inbox, true } });
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_VIEW_CHANGES,
					   .view_changes = { his, inbox, 0 } }),
		ERR_LIMIT);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
					   .view_open = { his, inbox, true } }),
		ERR_NOT_FOUND);
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_VIEW_OPEN,
					  .view_open = { hers, inbox, true } }),
		FRAME_VIEW_IS);
	world_done(&w);
}

/* ---- watching ---- */

static void watchers_hear_once_and_ask(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame open = { .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } };
	uint64_t modseq = ask(&w.user, open)->view_is.modseq;
	forget_replies(&w.user);
	deliver_one(&w.mx, alice, STR("two"));
	deliver_one(&w.mx, alice, STR("three"));
	const struct frame *news = reply_at(&w.user, 0, 0);
	assert_frame(news, FRAME_MAILBOX_CHANGED);
	assert_int_equal(news->mailbox_changed.session, session);
	assert_int_equal(news->mailbox_changed.mailbox, inbox);
	assert_false(news->mailbox_changed.gone);
	assert_null(reply_at(&w.user, 0, 1)); /* coalesced until it asks */
	struct frame changes = { .type = FRAME_VIEW_CHANGES,
		.view_changes = { session, inbox, modseq } };
	const struct frame *changed = ask(&w.user, changes);
	assert_frame(changed, FRAME_VIEW_CHANGED);
	assert_int_equal(changed->view_changed.entries.n, 2);
	assert_int_equal(changed->view_changed.entries.items[1].uid, 3);
	assert_int_equal(changed->view_changed.uidnext, 4);
	assert_true(changed->view_changed.last);
	modseq = changed->view_changed.modseq;
	/* Nothing since: an empty answer with the same modseq. */
	changes.view_changes.since = modseq;
	changed = ask(&w.user, changes);
	assert_int_equal(changed->view_changed.entries.n, 0);
	assert_int_equal(changed->view_changed.modseq, modseq);
	/* A change, then an expunge, of one UID: only that it is gone. */
	forget_replies(&w.user);
	ask_about(&w.user, 2, 2,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = session,
				.mailbox = inbox,
				.mode = FLAGS_ADD,
				.flags = FLAG_DELETED,
				.unchanged_since = UINT64_MAX } });
	ask_about(&w.user, 1, 3,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { session, inbox, true } });
	assert_frame(reply_at(&w.user, 0, 0), FRAME_MAILBOX_CHANGED);
	changed = ask(&w.user, changes);
	assert_int_equal(changed->view_changed.entries.n, 0);
	assert_int_equal(changed->view_changed.expunged.n, 1);
	assert_int_equal(changed->view_changed.expunged.items[0], 2);
	/* Gone. */
	uint64_t sent = mailbox_of(&w.user, session, "Sent");
	open.view_open.mailbox = sent;
	ask(&w.user, open);
	forget_replies(&w.user);
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
			     .mailbox_delete = { session, STR("Sent") } });
	assert_true(reply_at(&w.user, 0, 0)->mailbox_changed.gone);
	/* Closed: silence. */
	forget_replies(&w.user);
	tell(&w.user, 0,
		(struct frame){ .type = FRAME_VIEW_CLOSE, .view_close = { session, inbox } });
	deliver_one(&w.mx, alice, STR("four"));
	assert_null(reply_at(&w.user, 0, 0));
	world_done(&w);
}

/* UIDs 2 to 4 and 6 of six go, at two modseqs. */
static void what_vanished_is_remembered(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	for (int i = 0; i < 6; i++)
		deliver_one(&w.mx, alice, STR("one"));
	uint32_t session = open_session(&w.user, alice), his = open_session(&w.user, bob);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame expunge = { .type = FRAME_EXPUNGE, .expunge = { session, inbox, false } };
	uint64_t first = ask_about(&w.user, 2, 4, expunge)->changed.modseq;
	ask_about(&w.user, 6, 6, expunge);
	struct frame vanished = { .type = FRAME_VIEW_VANISHED,
		.view_vanished = { session, inbox, first - 1 } };
	const struct frame *is = ask(&w.user, vanished);
	assert_frame(is, FRAME_VANISHED);
	assert_true(is->vanished.last);
	assert_int_equal(is->vanished.uids.n, 2);
	assert_int_equal(is->vanished.uids.items[0].low, 2);
	assert_int_equal(is->vanished.uids.items[0].high, 4);
	assert_int_equal(is->vanished.uids.items[1].low, 6);
	vanished.view_vanished.since = first;
	is = ask(&w.user, vanished);
	assert_int_equal(is->vanished.uids.n, 1);
	assert_int_equal(is->vanished.uids.items[0].low, 6);
	vanished.view_vanished.since = first + 1;
	assert_int_equal(ask(&w.user, vanished)->vanished.uids.n, 0);
	vanished.view_vanished.session = his;
	assert_failed(ask(&w.user, vanished), ERR_NOT_FOUND);
	world_done(&w);
}

static void into(
	struct world *w, uint32_t request, uint32_t session, uint64_t mailbox, struct str bytes)
{
	tell(&w->user, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = bytes });
	tell(&w->user, request,
		(struct frame){ .type = FRAME_UPLOAD_INTO,
			.upload_into = { .session = session, .mailbox = mailbox } });
}

static const struct frame *commit(struct world *w, uint32_t request)
{
	tell(&w->user, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&w->f.executor);
	return reply_at(&w->user, request, 0);
}

static struct str text_of(struct world *w, uint32_t session, uint64_t mailbox, uint32_t uid)
{
	const struct frame *r = ask(
		&w->user, (struct frame){ .type = FRAME_MESSAGE_READ,
				  .message_read = { session, mailbox, uid, 0, 100 } });
	assert_frame(r, FRAME_MESSAGE_BYTES);
	return r->message_bytes.data;
}

/* Several messages of one upload land together, or none does. */
static void messages_land_together(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice), request = w.user.last_request + 100;
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	w.user.last_request += 200;
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("one"));
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	into(&w, request, session, inbox, STR("second"));
	const struct frame *r = commit(&w, request);
	assert_frame(r, FRAME_DELIVERED);
	assert_int_equal(r->delivered.landings.n, 2);
	assert_int_equal(r->delivered.landings.items[0].uid, 1);
	assert_int_equal(r->delivered.landings.items[1].uid, 2);
	assert_true(str_equal(text_of(&w, session, inbox, 1), STR("one")));
	assert_true(str_equal(text_of(&w, session, inbox, 2), STR("second")));
	r = ask(&w.user, (struct frame){ .type = FRAME_QUOTA_GET, .quota_get = { session } });
	assert_frame(r, FRAME_QUOTA_IS);
	assert_int_equal(r->quota_is.used_messages, 2);
	assert_int_equal(r->quota_is.used_bytes, 9);
	assert_int_equal(r->quota_is.quota_bytes, 0);
	/* The second goes to a mailbox that is not there: neither is there. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("three"));
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	into(&w, request, session, inbox + 1000, STR("four"));
	assert_failed(commit(&w, request), ERR_NOT_FOUND);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
					   .message_read = { session, inbox, 3, 0, 100 } }),
		ERR_NOT_FOUND);
	/* One without a place. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	assert_failed(reply_at(&w.user, request, 0), ERR_NOT_NOW);
	/* As many as may come, and one more. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("x"));
	for (int i = 1; i < LIMIT_UPLOAD_MESSAGES; i++) {
		tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
		into(&w, request, session, inbox, STR("x"));
	}
	assert_null(reply_at(&w.user, request, 0));
	tell(&w.user, request, (struct frame){ .type = FRAME_UPLOAD_NEXT });
	assert_failed(reply_at(&w.user, request, 0), ERR_LIMIT);
	world_done(&w);
}

static const struct frame *annotate(
	struct world *w, uint32_t session, uint64_t mailbox, const char *name, const char *value)
{
	struct api_annotation a = { .name = str_from(name),
		.value = str_from(value ? value : ""),
		.remove = value == NULL };
	return ask(&w->user, (struct frame){ .type = FRAME_METADATA_SET,
				     .metadata_set = { session, mailbox, { &a, 1 } } });
}

static size_t annotations_of(struct world *w, uint32_t session, uint64_t mailbox)
{
	uint32_t request = w->user.last_request + 1;
	size_t n = 0;
	const struct frame *r = ask(&w->user,
		(struct frame){ .type = FRAME_METADATA_GET, .metadata_get = { session, mailbox } });
	for (size_t i = 0; r && r->type == FRAME_METADATA_ARE; r = reply_at(&w->user, request, ++i))
		n += r->metadata_are.annotations.n;
	return n;
}

/* They are kept in numbers, belong to their mailbox, and raise its modseq. */
static void annotations_are_kept(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	uint32_t hers = open_session(&w.user, alice), his = open_session(&w.user, bob);
	uint64_t inbox = mailbox_of(&w.user, hers, "INBOX"),
		 sent = mailbox_of(&w.user, hers, "Sent");
	struct frame open = { .type = FRAME_VIEW_OPEN, .view_open = { hers, inbox, true } };
	uint64_t before = ask(&w.user, open)->view_is.modseq;
	char name[32];
	assert_frame(annotate(&w, hers, inbox, "/private/a", "one"), FRAME_DONE);
	assert_frame(annotate(&w, hers, inbox, "/private/a", "two"), FRAME_DONE);
	assert_frame(annotate(&w, hers, 0, "/private/a", "mine"), FRAME_DONE);
	assert_int_equal(annotations_of(&w, hers, inbox), 1);
	assert_int_equal(annotations_of(&w, hers, 0), 1);
	assert_int_equal(annotations_of(&w, his, 0), 0);
	assert_true(ask(&w.user, open)->view_is.modseq > before);
	const struct frame *changed = ask(
		&w.user, (struct frame){ .type = FRAME_VIEW_CHANGES,
				 .view_changes = { hers, inbox, before } });
	assert_frame(changed, FRAME_VIEW_CHANGED);
	assert_true(changed->view_changed.modseq > before);
	assert_failed(annotate(&w, his, inbox, "/private/a", "his"), ERR_NOT_FOUND);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_METADATA_GET,
					   .metadata_get = { his, inbox } }),
		ERR_NOT_FOUND);
	assert_frame(annotate(&w, hers, inbox, "/private/a", NULL), FRAME_DONE);
	assert_int_equal(annotations_of(&w, hers, inbox), 0);
	for (int i = 0; i <= LIMIT_ANNOTATIONS; i++) {
		snprintf(name, sizeof(name), "/private/%d", i);
		const struct frame *r = annotate(&w, hers, sent, name, "");
		if (i < LIMIT_ANNOTATIONS)
			assert_frame(r, FRAME_DONE);
		else
			assert_failed(r, ERR_LIMIT);
	}
	assert_int_equal(annotations_of(&w, hers, sent), LIMIT_ANNOTATIONS);
	/* They go with the mailbox, whose name may come again. */
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_DELETE,
			     .mailbox_delete = { hers, STR("Sent") } });
	ask(&w.user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
			     .mailbox_create = { hers, STR("Sent"), 0 } });
	assert_int_equal(annotations_of(&w, hers, mailbox_of(&w.user, hers, "Sent")), 0);
	world_done(&w);
}

/* A mailbox with as many as it may have, ten at once. */
static uint64_t annotate_fully(struct world *w, uint32_t session, int number)
{
	char name[32], names[10][32];
	snprintf(name, sizeof(name), "m%d", number);
	uint64_t mailbox = ask(&w->user, (struct frame){ .type = FRAME_MAILBOX_CREATE,
						 .mailbox_create = { session, str_from(name), 0 } })
				   ->mailboxes.mailboxes.items[0]
				   .id;
	for (int i = 0; i < LIMIT_ANNOTATIONS; i += 10) {
		struct api_annotation a[10] = { { .remove = false } };
		for (int k = 0; k < 10; k++) {
			snprintf(names[k], sizeof(names[k]), "/private/%d", i + k);
			a[k].name = str_from(names[k]);
		}
		assert_frame(
			ask(&w->user, (struct frame){ .type = FRAME_METADATA_SET,
					      .metadata_set = { session, mailbox, { a, 10 } } }),
			FRAME_DONE);
		forget_replies(&w->user);
	}
	return mailbox;
}

static void annotations_of_an_account_are_bounded(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t last = 0;
	for (int i = 0; i < LIMIT_ACCOUNT_ANNOTATIONS / LIMIT_ANNOTATIONS; i++)
		last = annotate_fully(&w, session, i);
	assert_failed(annotate(&w, session, 0, "/private/a", "one more"), ERR_LIMIT);
	assert_frame(annotate(&w, session, last, "/private/0", NULL), FRAME_DONE);
	assert_frame(annotate(&w, session, 0, "/private/a", "the last"), FRAME_DONE);
	world_done(&w);
}

/* A message goes and another comes in one commit; what is not there can't go. */
static void a_message_is_replaced(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("old"));
	uint32_t session = open_session(&w.user, alice), request = w.user.last_request + 100;
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	struct frame replace = { .type = FRAME_UPLOAD_REPLACE,
		.upload_replace = { session, inbox, 1 } };
	w.user.last_request += 200;
	for (int i = 0; i < 2; i++) { /* the second time it is gone */
		tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(&w.user, request, replace);
		into(&w, request, session, inbox, STR("new"));
		const struct frame *r = commit(&w, request);
		if (i == 0)
			assert_int_equal(r->delivered.landings.items[0].uid, 2);
		else
			assert_failed(r, ERR_NOT_FOUND);
	}
	assert_true(str_equal(text_of(&w, session, inbox, 2), STR("new")));
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_MESSAGE_READ,
					   .message_read = { session, inbox, 3, 0, 100 } }),
		ERR_NOT_FOUND);
	/* Not behind a place. */
	tell(&w.user, ++request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	into(&w, request, session, inbox, STR("new"));
	tell(&w.user, request, replace);
	assert_failed(reply_at(&w.user, request, 0), ERR_NOT_NOW);
	world_done(&w);
}

/* The log reaches back so far and no farther. */
static void change_log_is_bounded(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	uint64_t modseq = ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, true } })
				  ->view_is.modseq;
	struct frame changes = { .type = FRAME_VIEW_CHANGES,
		.view_changes = { session, inbox, modseq } };
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_VIEW_CHANGES,
					   .view_changes = { session, inbox, modseq - 1 } }),
		ERR_LIMIT);
	struct frame flip = { .type = FRAME_SET_FLAGS,
		.set_flags = { .session = session,
			.mailbox = inbox,
			.mode = FLAGS_ADD,
			.flags = FLAG_SEEN,
			.unchanged_since = UINT64_MAX } };
	for (int i = 0; i < LIMIT_CHANGE_LOG; i++) {
		flip.set_flags.mode = i % 2 ? FLAGS_REMOVE : FLAGS_ADD;
		uint32_t request = ++w.user.last_request;
		tell_uids(&w.user, request, 1, 1);
		tell(&w.user, request, flip);
		if (i % 200 == 0) {
			executor_fake_run(&w.f.executor);
			forget_replies(&w.user);
		}
	}
	executor_fake_run(&w.f.executor);
	const struct frame *r = ask(&w.user, changes);
	assert_frame(r, FRAME_VIEW_CHANGED); /* N: one entry, its newest state */
	assert_int_equal(r->view_changed.entries.n, 1);
	assert_int_equal(r->view_changed.entries.items[0].flags, 0);
	flip.set_flags.mode = FLAGS_ADD;
	ask_about(&w.user, 1, 1, flip); /* N + 1: the older half goes */
	assert_failed(ask(&w.user, changes), ERR_LIMIT);
	changes.view_changes.since = r->view_changed.modseq;
	assert_frame(ask(&w.user, changes), FRAME_VIEW_CHANGED);
	world_done(&w);
}

static struct worker *reader_of(struct world *w)
{
	return w->f.executor.workers->next; /* the writer comes first */
}

/* Slices of a view, between which the mailbox changes: the answer is the mailbox at one modseq. */
static void view_in_slices_is_one_snapshot(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	double_mailbox(&w, session, inbox, 16);
	assert_true(65536 > LIMIT_VIEW_SLICE_ROWS);
	/* With few changes the slices are corrected; with more than the log holds, read again. */
	for (int many = 0; many < 2; many++) {
		forget_replies(&w.user);
		tell(&w.user, 9000,
			(struct frame){ .type = FRAME_VIEW_OPEN,
				.view_open = { session, inbox, many == 0 } });
		struct worker *reader = reader_of(&w);
		assert_true(reader->spec.step(reader->spec.arg)); /* the first slice */
		uint32_t uidnext = many ? 65538 : 65537;
		tell_uids(&w.user, 9001, 2, many ? 2 + LIMIT_CHANGE_LOG : 3);
		tell(&w.user, 9001,
			(struct frame){ .type = FRAME_SET_FLAGS,
				.set_flags = { .session = session,
					.mailbox = inbox,
					.mode = many ? FLAGS_REMOVE : FLAGS_ADD,
					.flags = FLAG_FLAGGED,
					.unchanged_since = UINT64_MAX } });
		tell_uids(&w.user, 9002, 1 + 6 * (uint32_t)many, 1 + 6 * (uint32_t)many);
		tell(&w.user, 9002,
			(struct frame){
				.type = FRAME_EXPUNGE, .expunge = { session, inbox, false } });
		struct worker *writer = w.f.executor.workers;
		writer->awake = false;
		assert_true(writer->spec.step(writer->spec.arg));
		deliver_one(&w.mx, alice, STR("new"));
		executor_fake_run(&w.f.executor);
		const struct frame *is = reply_at(&w.user, 9000, 0);
		assert_frame(is, FRAME_VIEW_IS);
		assert_int_equal(is->view_is.uidnext, uidnext + 1);
		uint32_t n = 0, last = 0, flagged = 0;
		const struct frame *r;
		for (size_t i = 1; (r = reply_at(&w.user, 9000, i)) != NULL; i++)
			for (size_t k = 0; k < r->view_entries.entries.n; k++, n++) {
				const struct api_entry *e = &r->view_entries.entries.items[k];
				assert_true(e->uid > last && e->uid != (many ? 7 : 1));
				assert_true(e->modseq <= is->view_is.modseq);
				flagged += e->flags == FLAG_FLAGGED;
				last = e->uid;
			}
		assert_int_equal(n, is->view_is.messages);
		assert_int_equal(n, 65536);
		assert_int_equal(last, uidnext);
		assert_int_equal(flagged, many ? 0 : 2);
	}
	world_done(&w);
}

/* ---- changes ---- */

static void changes_answer_in_series(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (int i = 0; i < 3; i++)
		deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	uint64_t trash = mailbox_of(&w.user, session, "Trash");
	/* UNCHANGEDSINCE 0 keeps all back, as one range. */
	const struct frame *r = ask_about(&w.user, 1, UINT32_MAX,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = session,
				.mailbox = inbox,
				.flags = 1,
				.unchanged_since = 0 } });
	assert_frame(r, FRAME_CHANGED);
	assert_int_equal(r->changed.failed.n, 1);
	assert_true(r->changed.failed.items[0].low == 1 && r->changed.failed.items[0].high == 3);
	assert_int_equal(r->changed.done_count, 0);
	r = ask_about(&w.user, 2, 3,
		(struct frame){ .type = FRAME_COPY, .copy = { session, inbox, trash, true } });
	assert_frame(r, FRAME_COPIED);
	assert_int_equal(r->copied.pairs.n, 2);
	assert_int_equal(r->copied.pairs.items[1].from, 3);
	assert_int_equal(r->copied.pairs.items[1].to, 2);
	assert_true(r->copied.last);
	/* Without UIDs there is nothing to change; an empty list is a list. */
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_EXPUNGE,
					   .expunge = { session, inbox, false } }),
		ERR_LIMIT);
	tell(&w.user, w.user.last_request + 1, (struct frame){ .type = FRAME_UIDS });
	r = ask(&w.user,
		(struct frame){ .type = FRAME_EXPUNGE, .expunge = { session, inbox, false } });
	assert_frame(r, FRAME_CHANGED);
	assert_int_equal(r->changed.done_count, 0);
	world_done(&w);
}

/* N - 1, N, N + 1 ranges. I5 */
static void ranges_are_limited(void **state)
{
	enum { A_FRAME = 7000 };
	struct api_range *ranges = xcalloc(LIMIT_REQUEST_RANGES + 1, sizeof(*ranges));
	struct world w;
	(void)state;
	world_init(&w);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	for (uint32_t i = 0; i <= LIMIT_REQUEST_RANGES; i++)
		ranges[i] = (struct api_range){ 2 * i + 1, 2 * i + 1 };
	for (size_t n = LIMIT_REQUEST_RANGES - 1; n <= LIMIT_REQUEST_RANGES + 1; n++) {
		uint32_t request = w.user.last_request + 1;
		for (size_t at = 0; at < n; at += A_FRAME)
			tell(&w.user, request,
				(struct frame){ .type = FRAME_UIDS,
					.uids.ranges = { ranges + at,
						n - at < A_FRAME ? n - at : A_FRAME } });
		const struct frame *r = ask(
			&w.user, (struct frame){ .type = FRAME_EXPUNGE,
					 .expunge = { session, inbox, false } });
		assert_frame(r, n <= LIMIT_REQUEST_RANGES ? FRAME_CHANGED : FRAME_FAILED);
	}
	free(ranges);
	world_done(&w);
}

/* ---- output ---- */

/* A peer without room gets nothing more, loses nothing, and small answers overtake. */
static void slow_peer_is_waited_for(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t to[] = { alice };
	for (int i = 0; i < 2500; i++) {
		uint32_t request = ++w.mx.last_request;
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(&w.mx, request,
			(struct frame){ .type = FRAME_UPLOAD_TO, .upload_to.account = to[0] });
		tell(&w.mx, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	}
	executor_fake_run(&w.f.executor);
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	w.user.bulk_room = 1;
	ask(&w.user,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, false } });
	uint32_t view = w.user.last_request;
	assert_frame(reply_at(&w.user, view, 1), FRAME_VIEW_ENTRIES);
	assert_null(reply_at(&w.user, view, 2));
	assert_false(store_is_idle(w.f.store));
	assert_frame(ask(&w.user, (struct frame){ .type = FRAME_PING }), FRAME_DONE);
	/* Another series takes turns with the first. */
	tell(&w.user, 7777,
		(struct frame){
			.type = FRAME_MESSAGE_READ, .message_read = { session, inbox, 1, 0, 10 } });
	executor_fake_run(&w.f.executor);
	w.user.bulk_room = 2;
	store_peer_room(w.user.peer);
	assert_non_null(reply_at(&w.user, 7777, 0));
	assert_non_null(reply_at(&w.user, view, 2));
	assert_null(reply_at(&w.user, view, 3));
	w.user.bulk_room = SIZE_MAX;
	store_peer_room(w.user.peer);
	const struct frame *last = reply_at(&w.user, view, 3);
	assert_true(last->view_entries.last);
	assert_int_equal(last->view_entries.entries.n, 500);
	assert_true(store_is_idle(w.f.store));
	world_done(&w);
}

/* A peer that goes with questions everywhere: at readers, at the writer, in output. */
static void peers_go_at_any_time(void **state)
{
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("x"));
	for (size_t steps = 0; steps < 12; steps++) {
		uint32_t session = open_session(&w.user, alice);
		uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
		w.user.bulk_room = steps % 3;
		for (uint32_t i = 1; i < 4; i++) {
			uint32_t request = 1000 + 10 * i;
			tell(&w.user, request,
				(struct frame){ .type = FRAME_VIEW_OPEN,
					.view_open = { session, inbox, true } });
			tell(&w.user, request + 1,
				(struct frame){ .type = FRAME_MAILBOX_CREATE,
					.mailbox_create = { session, STR("m"), 0 } });
			tell(&w.user, request + 2, (struct frame){ .type = FRAME_UPLOAD_OPEN });
			tell_uids(&w.user, request + 3, 1, 1);
			tell(&w.user, request + 3,
				(struct frame){ .type = FRAME_COPY,
					.copy = { session, inbox, inbox, false } });
			tell_uids(&w.user, request + 4, 1, 1);
		}
		size_t n = steps;
		for (struct worker *k = w.f.executor.workers; k && n; k = k->next)
			while (k->awake && n-- > 0) {
				k->awake = k->spec.step(k->spec.arg);
				if (n % 2 == 0 && k->notified) {
					k->notified = false;
					k->spec.done(k->spec.arg);
				}
			}
		peer_done(&w.user);
		executor_fake_run(&w.f.executor);
		assert_true(store_is_idle(w.f.store));
		peer_init(&w.user, &w.f, CLASS_USER, 3);
	}
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
	test_case(names_change), test_case(many_are_read_at_once),
	test_case(append_keeps_flags_and_date), test_case(tickets_are_checked),
	test_case(password_ends_sessions), test_case(opening_races_with_the_password),
	test_case(maildrop_has_one_session), test_case(addresses_of_ones_own),
	test_case(an_account_is_made_whole), test_case(old_mail_expires),
	test_case(classes_have_their_rights), test_case(others_sessions_are_none),
	test_case(others_mailboxes_are_none), test_case(watchers_hear_once_and_ask),
	test_case(what_vanished_is_remembered), test_case(messages_land_together),
	test_case(annotations_are_kept), test_case(annotations_of_an_account_are_bounded),
	test_case(a_message_is_replaced), test_case(change_log_is_bounded),
	test_case(view_in_slices_is_one_snapshot), test_case(changes_answer_in_series),
	test_case(ranges_are_limited), test_case(slow_peer_is_waited_for),
	test_case(peers_go_at_any_time), test_case(two_stores_exclude_each_other),
	test_case(check_finds_damaged_bodies), test_case(distrust_copies_and_serves),
	test_case(lost_digests_are_made_again), test_case(digests_come_in_pieces))
