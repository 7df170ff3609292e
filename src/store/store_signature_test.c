// SPDX-License-Identifier: Apache-2.0
/* Search signatures: kept for a body and one recipient's prefix, asked by UID, nobody else's. */
#include "store/store_private.h"
#include "store/store_test.h"

#include "mail/signature.h"

#include <sqlite3.h>

enum { SIGNED = 1 << 7 };

/* Of a text, as a front makes it. */
static struct str signature_of(struct buf *out, struct str text)
{
	static struct signature_maker m;
	buf_init(out, SIGNATURE_BYTES_MOST);
	signature_begin(&m);
	signature_add(&m, text);
	signature_end(&m, out);
	return buf_str(out);
}

/* What is held of two needles by the messages with these UIDs. */
static struct str held(struct test_peer *p, uint32_t session, uint64_t mailbox, uint32_t *uids,
	size_t n, struct str one, struct str two)
{
	struct str words[] = { one, two };
	char bytes[2][2 * SIGNATURE_TRIGRAMS];
	struct api_needle needles[2];
	for (size_t i = 0; i < 2; i++) {
		uint16_t trigrams[SIGNATURE_TRIGRAMS];
		size_t k, all = signature_trigrams(words[i], trigrams);
		for (k = 0; k < all; k++) {
			bytes[i][2 * k] = (char)(trigrams[k] & 0xff);
			bytes[i][2 * k + 1] = (char)(trigrams[k] >> 8);
		}
		needles[i].trigrams = str_make(bytes[i], 2 * all);
	}
	const struct frame *r = ask(
		p, (struct frame){ .type = FRAME_SIGNATURE_ASK,
			   .signature_ask = { session, mailbox, { uids, n }, { needles, 2 } } });
	assert_frame(r, FRAME_SIGNATURES_HOLD);
	assert_true(r->signatures_hold.last);
	assert_int_equal(r->signatures_hold.held.n, n);
	return r->signatures_hold.held;
}

static void put(struct world *w, uint32_t session, uint64_t mailbox, uint32_t uid, struct str text)
{
	struct buf out;
	struct str signature = signature_of(&out, text);
	assert_frame(ask(&w->user, (struct frame){ .type = FRAME_SIGNATURE_PUT,
					   .signature_put = { session, mailbox, uid, signature } }),
		FRAME_DONE);
	buf_done(&out);
}

static void deliver_to_both(struct world *w, uint64_t alice, uint64_t bob)
{
	struct test_peer *p = &w->mx;
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = STR("b") });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_TO,
			.upload_to = { .account = alice, .prefix = STR("A: a\r\n") } });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_TO,
			.upload_to = { .account = bob, .prefix = STR("B: b\r\n") } });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	executor_fake_run(&p->f->executor);
	assert_non_null(reply_at(p, request, 0));
}

static void are_kept(void **state)
{
	struct world w;
	uint32_t uids[] = { 1, 2, 3 };
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	deliver_one(&w.mx, alice, STR("two"));
	for (int round = 0; round < 2; round++) { /* the second after a restart */
		uint32_t session = open_session(&w.user, alice);
		uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
		if (round == 0) {
			struct str none = held(
				&w.user, session, inbox, uids, 3, STR("first"), STR("secret"));
			assert_str(none, str_make("\0\0\0", 3));
			put(&w, session, inbox, 1, STR("the first message"));
			put(&w, session, inbox, 2, STR("nothing"));
			put(&w, session, inbox, 2,
				STR("of the second, secret")); /* the last counts */
		}
		struct str got = held(
			&w.user, session, inbox, uids, 3, STR("first"), STR("secret"));
		assert_int_equal((uint8_t)got.p[0], SIGNED | 1);
		assert_int_equal((uint8_t)got.p[1], SIGNED | 2);
		assert_int_equal((uint8_t)got.p[2], 0); /* there is no such message */
		got = held(&w.user, session, inbox, uids, 1, STR("fi"), STR(""));
		assert_int_equal((uint8_t)got.p[0], SIGNED | 3); /* too short to tell */
		held(&w.user, session, inbox, NULL, 0, STR("first"), STR("secret"));
		world_peers_done(&w);
		store_free(&w.f.store);
		assert_true(fixture_open(&w.f));
		world_peers(&w);
	}
	world_done(&w);
}

/* Each recipient's text begins with a prefix of its own; a copy has that of what was copied. */
static void are_each_recipients(void **state)
{
	struct world w;
	uint32_t uid = 1;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint64_t bob = account_of(&w.mx, "bob@example.test");
	deliver_to_both(&w, alice, bob);
	uint32_t hers = open_session(&w.user, alice), his = open_session(&w.user, bob);
	uint64_t inbox = mailbox_of(&w.user, hers, "INBOX"),
		 own = mailbox_of(&w.user, his, "INBOX");
	put(&w, hers, inbox, 1, STR("a: a"));
	assert_int_equal(
		(uint8_t)held(&w.user, hers, inbox, &uid, 1, STR("a: a"), STR("b: b")).p[0],
		SIGNED | 1);
	assert_int_equal(held(&w.user, his, own, &uid, 1, STR("a: a"), STR("b: b")).p[0], 0);
	put(&w, his, own, 1, STR("b: b"));
	assert_int_equal((uint8_t)held(&w.user, his, own, &uid, 1, STR("a: a"), STR("b: b")).p[0],
		SIGNED | 2);
	/* Another's mailbox is none. */
	assert_int_equal(held(&w.user, his, inbox, &uid, 1, STR("a: a"), STR("b: b")).p[0], 0);
	assert_failed(ask(&w.user, (struct frame){ .type = FRAME_SIGNATURE_PUT,
					   .signature_put = { his, inbox, 1, STR("x") } }),
		ERR_NOT_FOUND);
	uint64_t sent = mailbox_of(&w.user, hers, "Sent");
	ask_about(&w.user, 1, 1,
		(struct frame){ .type = FRAME_COPY, .copy = { hers, inbox, sent, false } });
	assert_int_equal((uint8_t)held(&w.user, hers, sent, &uid, 1, STR("a: a"), STR("b: b")).p[0],
		SIGNED | 1);
	world_done(&w);
}

/* As many as one question takes. */
static void many_at_once(void **state)
{
	enum { MOST = 4000 };
	static uint32_t uids[MOST];
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	for (int i = 0; i < 300; i++)
		deliver_one(&w.mx, alice, STR("x"));
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	put(&w, session, inbox, 300, STR("needle"));
	for (uint32_t i = 0; i < MOST; i++)
		uids[i] = i + 1;
	struct str got = held(&w.user, session, inbox, uids, MOST, STR("needle"), STR("other"));
	for (size_t i = 0; i < MOST; i++)
		assert_int_equal((uint8_t)got.p[i], i == 299 ? SIGNED | 1 : 0);
	world_done(&w);
}

/* Changes one byte of each signature in the file. */
static void damage(struct world *w, const char *sql)
{
	char path[100];
	sqlite3 *db;
	snprintf(path, sizeof(path), "%s/digests.db", w->f.path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A digest that is made again, by another parser perhaps, may find other text; and what is damaged
 * on the disk, or stands where another's should, is none. */
static void are_gone(void **state)
{
	static const char *const damages[] = {
		"UPDATE signatures SET bytes=zeroblob(length(bytes))",
		"UPDATE signatures SET bytes=x''",
		"UPDATE signatures SET crc=crc+1",
		"UPDATE signatures SET key=key+256", /* of the next body */
		"UPDATE signatures SET bytes=7",
		"DROP TABLE signatures",
	};
	struct world w;
	uint32_t uids[] = { 1, 2 };
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	deliver_one(&w.mx, alice, STR("one"));
	deliver_one(&w.mx, alice, STR("two"));
	for (size_t i = 0; i <= ARRAY_LEN(damages); i++) {
		uint32_t session = open_session(&w.user, alice);
		uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
		struct str got = held(&w.user, session, inbox, uids, 2, STR("one"), STR("two"));
		assert_str(got, str_make("\0\0", 2));
		put(&w, session, inbox, 1, STR("one"));
		got = held(&w.user, session, inbox, uids, 2, STR("one"), STR("two"));
		assert_int_equal((uint8_t)got.p[0], SIGNED | 1);
		if (i == 0)
			assert_frame(ask(&w.user, (struct frame){ .type = FRAME_DIGEST_PUT,
							  .digest_put = { session, inbox, 1,
								  STR("digest") } }),
				FRAME_DONE);
		got = held(&w.user, session, inbox, uids, 2, STR("one"), STR("two"));
		assert_int_equal((uint8_t)got.p[0], i == 0 ? 0 : SIGNED | 1);
		world_peers_done(&w);
		store_free(&w.f.store);
		if (i < ARRAY_LEN(damages))
			damage(&w, damages[i]);
		assert_true(fixture_open(&w.f));
		world_peers(&w);
	}
	world_done(&w);
}

/* ---- of those who uploaded ---- */

static uint32_t upload(
	struct world *w, uint64_t account, const char *const *prefixes, size_t n, bool signs)
{
	struct test_peer *p = &w->mx;
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = STR("b") });
	for (size_t i = 0; i < n; i++)
		tell(p, request,
			(struct frame){ .type = FRAME_UPLOAD_TO,
				.upload_to = { account, str_from(prefixes[i]) } });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_COMMIT, .upload_commit.signs = signs });
	executor_fake_run(&p->f->executor);
	assert_frame(reply_at(p, request, 0), FRAME_DELIVERED);
	return request;
}

static void sign_as(struct test_peer *p, uint32_t request, uint16_t landing, struct str text)
{
	struct buf out;
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_SIGNATURE,
			.upload_signature = { landing, signature_of(&out, text) } });
	executor_fake_run(&p->f->executor);
	assert_int_equal(p->peer->n_jobs, 0); /* nobody waits for an answer, and nothing stays */
	assert_true(store_is_idle(p->f->store));
	buf_done(&out);
}

static unsigned held_of(struct world *w, uint32_t session, uint64_t inbox, uint32_t uid)
{
	return (uint8_t)held(&w->user, session, inbox, &uid, 1, STR("one"), STR("two")).p[0];
}

static void are_of_what_was_uploaded(void **state)
{
	static const char *const prefixes[] = { "A: a\r\n", "B: b\r\n", "C: c\r\n", "D: d\r\n",
		"E: e\r\n" };
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	uint32_t request = upload(&w, alice, prefixes, 5, true);
	sign_as(&w.mx, request, 0, STR("one"));
	sign_as(&w.mx, request, LIMIT_SIGNED_LANDINGS - 1, STR("two"));
	sign_as(&w.mx, request, LIMIT_SIGNED_LANDINGS, STR("two")); /* they are not kept in mind */
	sign_as(&w.user, request, 1, STR("two")); /* it was another who uploaded it */
	sign_as(&w.mx, request + 1, 1, STR("two"));
	assert_int_equal(held_of(&w, session, inbox, 1), SIGNED | 1);
	assert_int_equal(held_of(&w, session, inbox, 2), 0);
	assert_int_equal(held_of(&w, session, inbox, 3), 0);
	assert_int_equal(held_of(&w, session, inbox, 4), SIGNED | 2);
	assert_int_equal(held_of(&w, session, inbox, 5), 0);
	request = upload(&w, alice, prefixes, 1, false);
	sign_as(&w.mx, request, 0, STR("one"));
	assert_int_equal(held_of(&w, session, inbox, 6), 0);
	world_done(&w);
}

static void are_of_the_last_uploads(void **state)
{
	static const char *const prefix = "A: a\r\n";
	uint32_t requests[LIMIT_SIGNED_UPLOADS + 2];
	struct world w;
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		requests[i] = upload(&w, alice, &prefix, 1, true);
	for (size_t i = 0; i < 4; i++)
		sign_as(&w.mx, requests[i], 0, STR("one"));
	assert_int_equal(held_of(&w, session, inbox, 1), 0);
	assert_int_equal(held_of(&w, session, inbox, 2), 0);          /* N+1 */
	assert_int_equal(held_of(&w, session, inbox, 3), SIGNED | 1); /* N */
	assert_int_equal(held_of(&w, session, inbox, 4), SIGNED | 1);
	sign_as(&w.mx, requests[LIMIT_SIGNED_UPLOADS + 1], 0, STR("two"));
	assert_int_equal(held_of(&w, session, inbox, LIMIT_SIGNED_UPLOADS + 2), SIGNED | 2);
	world_done(&w);
}

/* Nothing of a message that has been erased comes back. */
static void are_not_of_what_is_gone(void **state)
{
	static const char *const prefix = "A: a\r\n";
	struct world w;
	struct txn *gone = txn_new(), *forgotten = txn_new();
	struct api_range all = { 1, UINT32_MAX };
	(void)state;
	world_init(&w);
	uint64_t alice = account_of(&w.mx, "alice@example.test");
	uint32_t session = open_session(&w.user, alice);
	uint64_t inbox = mailbox_of(&w.user, session, "INBOX");
	uint32_t request = upload(&w, alice, &prefix, 1, true);
	const struct signing *kept = vec_at(&w.mx.peer->signing, 0);
	w.f.store->settings.keep_deleted_ms = 0;
	struct op *op = txn_add(gone, OP_EXPUNGE);
	op->by.account = alice;
	op->expunge = (struct op_expunge){ .mailbox = inbox, .uids = { &all, 1 } };
	txn_add(forgotten, OP_FORGET)->forget = (struct op_forget){ alice, INT64_MAX, 10 };
	struct engine *e = w.f.store->engine;
	assert_int_equal(e->class->run(e, &gone, 1, &w.f.err), 0);
	assert_int_equal(e->class->run(e, &forgotten, 1, &w.f.err), 0);
	assert_int_equal(forgotten->dropped.n, 1);
	sign_as(&w.mx, request, 0, STR("one"));
	struct digest_reader *reader = digest_reader_new(w.f.store->digests);
	assert_int_equal(signature_read(reader, kept->body, kept->prefix_at[0]).n, 0);
	digest_reader_free(&reader);
	txn_free(&gone);
	txn_free(&forgotten);
	world_done(&w);
}

TEST_MAIN(test_case(are_of_what_was_uploaded), test_case(are_of_the_last_uploads),
	test_case(are_not_of_what_is_gone), test_case(are_gone), test_case(are_kept),
	test_case(are_each_recipients), test_case(many_at_once))
