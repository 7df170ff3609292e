// SPDX-License-Identifier: Apache-2.0
/* The store: sessions, tickets, and who may ask what. */
#include "store/store_test.h"

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
		FRAME_RESTORE_MAILBOX, FRAME_UPLOAD_RESTORE, FRAME_RESTORE_END, FRAME_STORE_REPAIR,
		FRAME_RESTORE_ANNOTATIONS, FRAME_BODIES_LIST, FRAME_ACCOUNT_OPEN, FRAME_UIDL_LIST };
	/* One letter for each of the above: y may ask. */
	static const struct {
		int class;
		const char *may;
	} cases[] = { { CLASS_MX, "y-y--------------------y------------" },
		{ CLASS_USER, "y-yyyyyyyyyy-----------y-----------y" },
		{ CLASS_WEB, "y-yyyyyyyyyy-----------y-----------y" },
		{ CLASS_GATE, "-y----------------------------------" },
		{ CLASS_ADMIN, "y-y--yyy----yyyyyyy-----yyyyyyyyyyyy" },
		{ CLASS_COURIER, "------------------------------------" },
		{ CLASS_FETCHER, "------------------------------------" },
		{ CLASS_KEYS, "------------------------------------" } };
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

TEST_MAIN(test_case(tickets_are_checked), test_case(password_ends_sessions),
	test_case(opening_races_with_the_password), test_case(maildrop_has_one_session),
	test_case(addresses_of_ones_own), test_case(an_account_is_made_whole),
	test_case(old_mail_expires), test_case(many_are_read_at_once),
	test_case(classes_have_their_rights), test_case(others_sessions_are_none),
	test_case(others_mailboxes_are_none))
