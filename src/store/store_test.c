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

TEST_MAIN(test_case(message_walks_the_road), test_case(message_survives_restart))
