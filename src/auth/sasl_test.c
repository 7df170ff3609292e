// SPDX-License-Identifier: Apache-2.0
#include "api/frames.h"
#include "api/schemes.h"
#include "auth/sasl_private.h"
#include "base/test.h"

#include <stdlib.h>

/* Base64 of bytes, in room that lasts until the next call. */
static struct str base64(struct str s)
{
	static char room[3][LIMIT_SASL_LINE_BYTES * 2];
	static unsigned turn;
	struct buf b;
	char *to = room[turn++ % 3];
	buf_init(&b, sizeof(room[0]));
	assert_true(buf_add_base64(&b, s));
	memcpy(to, b.p, b.n);
	struct str ret = str_make(to, b.n);
	buf_done(&b);
	return ret;
}

static struct session_peer_info peer = { .address = "192.0.2.1", .tls = true };
static struct front_settings settings;
static const struct sasl_context context = { STR_INIT("smtp"), &peer, &settings };

static struct sasl *begin(const char *mechanism)
{
	struct sasl *x = sasl_new(str_from(mechanism), &context);
	assert_non_null(x);
	return x;
}

static void finds_mechanisms(void **state)
{
	(void)state;
	struct sasl *x = begin("pLaIn");
	sasl_free(&x);
	assert_null(x);
	sasl_free(&x);
	assert_null(sasl_new(STR("PLAINX"), &context));
	assert_null(sasl_new(STR(""), &context));
	struct buf b;
	buf_init(&b, 100);
	sasl_add_names(&b, " AUTH=", &context);
	assert_str(buf_str(&b), STR(" AUTH=PLAIN AUTH=LOGIN"));
	buf_done(&b);
}

static const struct plain_case {
	struct str message;
	enum sasl_status status;
	const char *user, *authzid, *password;
} plain_cases[] = {
	/* RFC 4616 4, both examples */
	{ STR_INIT("\0tim\0tanstaaftanstaaf"), SASL_ASK, "tim", "", "tanstaaftanstaaf" },
	{ STR_INIT("Ursel\0Kurt\0xipj3plmq"), SASL_ASK, "Kurt", "Ursel", "xipj3plmq" },
	{ STR_INIT("\0\xc3\xa5@x\0\xc3\xa5"), SASL_ASK, "\xc3\xa5@x", "", "\xc3\xa5" },
	{ STR_INIT(""), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("tim"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0tim"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0tim\0"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0\0pw"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0tim\0pw\0"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0tim\0p\0w"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0tim\0\0pw\0x"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\0ti\xff\0pw"), SASL_BAD, 0, 0, 0 },
	{ STR_INIT("\xc0\x80\0tim\0pw"), SASL_BAD, 0, 0, 0 },
};

/* S48: NULs are counted; three or five fields are refused. */
static void s48_plain_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain_cases); i++) {
		const struct plain_case *c = &plain_cases[i];
		struct str coded = c->message.n ? base64(c->message) : STR("=");
		struct sasl *x = begin("PLAIN");
		assert_int_equal(sasl_start(x, &coded), c->status);
		if (c->status == SASL_ASK) {
			assert_str(sasl_user(x), str_from(c->user));
			assert_str(str_make(x->authzid.p, x->authzid.n), str_from(c->authzid));
			assert_str(str_make(x->password, x->password_n), str_from(c->password));
		}
		sasl_free(&x);

		/* The same as a response to the empty challenge. */
		x = begin("PLAIN");
		assert_int_equal(sasl_start(x, NULL), SASL_CHALLENGE);
		assert_str(sasl_challenge(x), STR(""));
		assert_int_equal(sasl_response(x, c->message.n ? coded : STR("")), c->status);
		sasl_free(&x);
	}
}

static void plain_lengths(void **state)
{
	enum { NAME = LIMIT_ADDRESS_BYTES, PASSWORD = LIMIT_PASSWORD_BYTES };
	(void)state;
	static const struct {
		size_t authzid, user, password;
		enum sasl_status status;
	} cases[] = {
		{ 0, NAME - 1, PASSWORD - 1, SASL_ASK },
		{ NAME - 1, NAME, PASSWORD, SASL_ASK },
		{ NAME, NAME, PASSWORD, SASL_ASK },
		{ NAME + 1, NAME, PASSWORD, SASL_FAILED },
		{ NAME, NAME + 1, PASSWORD, SASL_FAILED },
		{ NAME, NAME, PASSWORD + 1, SASL_FAILED },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char message[4096];
		memset(message, 'a', sizeof(message));
		size_t n = cases[i].authzid;
		message[n] = 0;
		n += 1 + cases[i].user;
		message[n] = 0;
		n += 1 + cases[i].password;
		struct str coded = base64(str_make(message, n));
		struct sasl *x = begin("PLAIN");
		assert_int_equal(sasl_start(x, &coded), cases[i].status);
		sasl_free(&x);
	}
}

static void login_exchange(void **state)
{
	(void)state;
	struct sasl *x = begin("LOGIN");
	assert_int_equal(sasl_start(x, NULL), SASL_CHALLENGE);
	assert_str(sasl_challenge(x), STR("Username:"));
	assert_int_equal(sasl_response(x, base64(STR("tim"))), SASL_CHALLENGE);
	assert_str(sasl_challenge(x), STR("Password:"));
	assert_int_equal(sasl_response(x, base64(STR("secret"))), SASL_ASK);
	assert_str(sasl_user(x), STR("tim"));
	assert_str(str_make(x->password, x->password_n), STR("secret"));
	sasl_free(&x);

	x = begin("LOGIN");
	struct str user = base64(STR("tim"));
	assert_int_equal(sasl_start(x, &user), SASL_CHALLENGE);
	assert_str(sasl_challenge(x), STR("Password:"));
	assert_int_equal(sasl_response(x, STR("")), SASL_FAILED);
	sasl_free(&x);

	x = begin("LOGIN");
	struct str empty = STR("=");
	assert_int_equal(sasl_start(x, &empty), SASL_CHALLENGE);
	assert_int_equal(sasl_response(x, base64(STR("pw"))), SASL_FAILED);
	sasl_free(&x);

	x = begin("LOGIN");
	user = base64(STR("t\0m"));
	assert_int_equal(sasl_start(x, &user), SASL_BAD);
	sasl_free(&x);
}

/* S48: "*", "=" out of place, invalid base64. */
static void s48_bad_responses(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		enum sasl_status status;
	} cases[] = {
		{ "*", SASL_CANCELLED },
		{ "=", SASL_BAD },
		{ "**", SASL_BAD },
		{ "AHRpbQ", SASL_BAD },
		{ "AHRpbQ==AHRpbQ==", SASL_BAD },
		{ "AHRpbQBwdw= ", SASL_BAD },
		{ " AHRpbQBwdw==", SASL_BAD },
		{ "AHRpbQBwdw-=", SASL_BAD },
		{ "AHRpbQBwdx==", SASL_BAD }, /* bits beyond the last byte; RFC 4648 3.5 */
		{ "AHRpbQBwdw==", SASL_ASK },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl *x = begin("PLAIN");
		assert_int_equal(sasl_start(x, NULL), SASL_CHALLENGE);
		assert_int_equal(sasl_response(x, str_from(cases[i].line)), cases[i].status);
		sasl_free(&x);
	}
	struct sasl *x = begin("PLAIN");
	struct str none = STR("");
	assert_int_equal(sasl_start(x, &none), SASL_BAD);
	sasl_free(&x);
}

static void line_limit(void **state)
{
	(void)state;
	static char line[LIMIT_SASL_LINE_BYTES + 8];
	memset(line, 'A', sizeof(line)); /* zero bytes: too many NULs, or too long */
	static const size_t sizes[] = { LIMIT_SASL_LINE_BYTES - 4, LIMIT_SASL_LINE_BYTES,
		LIMIT_SASL_LINE_BYTES + 4 };
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct sasl *x = begin("PLAIN");
		assert_int_equal(sasl_start(x, NULL), SASL_CHALLENGE);
		assert_int_equal(sasl_response(x, str_make(line, sizes[i])), SASL_BAD);
		sasl_free(&x);
	}
	memset(line, 'Y', sizeof(line)); /* "a" and so on: at the limit it is a long user name */
	struct sasl *x = begin("LOGIN");
	assert_int_equal(sasl_start(x, NULL), SASL_CHALLENGE);
	memcpy(line, "YWFh", 4);
	for (size_t i = 0; i < LIMIT_SASL_LINE_BYTES; i += 4)
		memcpy(line + i, "YWFh", 4);
	assert_int_equal(sasl_response(x, str_make(line, LIMIT_SASL_LINE_BYTES)), SASL_CHALLENGE);
	assert_int_equal(sasl_response(x, base64(STR("pw"))), SASL_FAILED);
	sasl_free(&x);
}

static void asks_the_gate(void **state)
{
	(void)state;
	struct frame question, ok = { .type = FRAME_LOGIN_OK }, no = { .type = FRAME_FAILED };
	for (int pass = 0; pass < 2; pass++) {
		struct sasl *x = begin("PLAIN");
		struct str coded = base64(STR("Ursel\0Kurt\0xipj3plmq"));
		assert_int_equal(sasl_start(x, &coded), SASL_ASK);
		sasl_question(x, &question);
		assert_int_equal(question.type, FRAME_LOGIN);
		assert_str(question.login.service, STR("smtp"));
		assert_str(question.login.peer, STR("192.0.2.1"));
		assert_str(question.login.user, STR("Kurt"));
		assert_str(question.login.authzid, STR("Ursel"));
		assert_str(question.login.password, STR("xipj3plmq"));
		assert_int_equal(sasl_answer(x, pass ? &ok : &no), pass ? SASL_DONE : SASL_FAILED);
		assert_int_equal(x->password[0], 0);
		sasl_free(&x);
	}
}

/* ---- relayed ones ---- */

/* What is announced follows from TLS, the client's certificate, and what the gate says. */
static void mechanisms_are_offered_where_they_work(void **state)
{
	static const struct {
		bool tls;
		size_t endpoint_n, certificate_n;
		uint32_t scram, legacy;
		const char *names;
	} cases[] = {
		{ true, 32, 0, 0, 0, " PLAIN LOGIN" },
		{ true, 32, 0, SERVICE_SMTP, 0, " SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" },
		{ true, 0, 0, SERVICE_SMTP, 0, " SCRAM-SHA-256 PLAIN LOGIN" },
		{ false, 32, 32, SERVICE_SMTP, 0, " SCRAM-SHA-256 PLAIN LOGIN" },
		{ true, 32, 32, SERVICE_IMAP, SERVICE_POP3, " EXTERNAL PLAIN LOGIN" },
		{ true, 32, 0, 0, SERVICE_SMTP, " PLAIN LOGIN CRAM-MD5" },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct session_peer_info p = { .tls = cases[i].tls,
			.bindings = { .endpoint_n = cases[i].endpoint_n,
				.certificate_n = cases[i].certificate_n } };
		const struct front_settings f = { .submission_plus = true,
			.scram_services = cases[i].scram,
			.legacy_services = cases[i].legacy };
		const struct sasl_context c = { STR("smtp"), &p, &f };
		struct buf b;
		buf_init(&b, 200);
		sasl_add_names(&b, " ", &c);
		assert_str(buf_str(&b), str_from(cases[i].names));
		buf_done(&b);
	}
	/* -PLUS is announced to submission only where the configuration says so; elsewhere always.
	 */
	static const struct session_peer_info bound = { .tls = true,
		.bindings = { .endpoint_n = 32 } };
	static const struct front_settings usual = { .scram_services = SERVICES_ALL };
	const struct sasl_context smtp = { STR("smtp"), &bound, &usual };
	const struct sasl_context imap = { STR("imap"), &bound, &usual };
	assert_false(sasl_announces_plus(&smtp));
	assert_true(sasl_announces_plus(&imap));
	/* SCRAM is good for who has a verifier, announced or not; the others are not there. */
	struct sasl *x = begin("SCRAM-SHA-256");
	sasl_free(&x);
	assert_null(sasl_new(STR("SCRAM-SHA-256-PLUS"), &context));
	assert_null(sasl_new(STR("EXTERNAL"), &context));
	assert_null(sasl_new(STR("CRAM-MD5"), &context));
}

static void take(struct sasl *x, struct str data, enum sasl_status expected)
{
	struct frame f = { .type = FRAME_CHALLENGE, .challenge = { 9, data } };
	assert_int_equal(sasl_answer(x, &f), expected);
}

/* LIMIT_SCRAM_MESSAGE_BYTES; A7: over-long blobs, aborts at every step. */
static void a7_messages_are_relayed(void **state)
{
	static char longest[LIMIT_SCRAM_MESSAGE_BYTES + 1];
	static const struct frame nonsense = { .type = FRAME_FAILED, .failed.kind = ERR_SYNTAX };
	static const struct frame wrong = { .type = FRAME_FAILED, .failed.kind = ERR_AUTH };
	struct frame q;
	(void)state;
	memset(longest, 'x', sizeof(longest));
	struct sasl *x = begin("SCRAM-SHA-256");
	assert_int_equal(sasl_start(x, NULL), SASL_CHALLENGE); /* client first: an empty one */
	assert_str(sasl_challenge(x), STR(""));
	assert_int_equal(sasl_response(x, base64(STR("n,,n=a,r=b"))), SASL_ASK);
	sasl_question(x, &q);
	assert_int_equal(q.type, FRAME_EXCHANGE_BEGIN);
	assert_str(q.exchange_begin.data, STR("n,,n=a,r=b"));
	assert_true(q.exchange_begin.has_data && !q.exchange_begin.plus);
	take(x, STR("r=bc"), SASL_CHALLENGE);
	assert_str(sasl_challenge(x), STR("r=bc"));
	assert_int_equal(sasl_response(x, base64(STR("c=..."))), SASL_ASK);
	sasl_question(x, &q);
	assert_int_equal(q.type, FRAME_EXCHANGE_GO_ON);
	assert_int_equal(q.exchange_go_on.exchange, 9);
	take(x, str_make(longest, LIMIT_SCRAM_MESSAGE_BYTES), SASL_CHALLENGE);
	assert_int_equal(sasl_response(x, STR("*")), SASL_CANCELLED);
	sasl_free(&x);
	for (size_t n = LIMIT_SCRAM_MESSAGE_BYTES - 1; n <= LIMIT_SCRAM_MESSAGE_BYTES + 1; n++) {
		struct str text = base64(str_make(longest, n));
		x = begin("SCRAM-SHA-256");
		assert_int_equal(
			sasl_start(x, &text), n <= LIMIT_SCRAM_MESSAGE_BYTES ? SASL_ASK : SASL_BAD);
		sasl_free(&x);
		x = begin("SCRAM-SHA-256");
		text = STR("=");
		assert_int_equal(sasl_start(x, &text), SASL_ASK);
		take(x, str_make(longest, n),
			n <= LIMIT_SCRAM_MESSAGE_BYTES ? SASL_CHALLENGE : SASL_FAILED);
		sasl_free(&x);
	}
	x = begin("SCRAM-SHA-256");
	struct str some = base64(STR("n"));
	assert_int_equal(sasl_start(x, &some), SASL_ASK);
	assert_int_equal(sasl_answer(x, &nonsense), SASL_BAD);
	assert_int_equal(sasl_answer(x, &wrong), SASL_FAILED);
	sasl_free(&x);
}

/* CRAM-MD5: the server speaks first, and an initial response makes no sense. */
static void server_first(void **state)
{
	static const struct front_settings legacy = { .legacy_services = SERVICE_SMTP };
	static const struct sasl_context here = { STR_INIT("smtp"), &peer, &legacy };
	struct frame q;
	(void)state;
	struct sasl *x = sasl_new(STR("cram-md5"), &here);
	assert_non_null(x);
	assert_int_equal(sasl_start(x, NULL), SASL_ASK);
	sasl_question(x, &q);
	assert_false(q.exchange_begin.has_data);
	take(x, STR("<1.2@x>"), SASL_CHALLENGE);
	assert_int_equal(sasl_response(x, base64(STR("tim b913"))), SASL_ASK);
	sasl_free(&x);
	x = sasl_new(STR("CRAM-MD5"), &here);
	struct str initial = base64(STR("tim b913"));
	assert_int_equal(sasl_start(x, &initial), SASL_NOT_FIRST);
	sasl_free(&x);
}

/* For the log: whoever it is, whatever else is wrong with the message. */
static void relayed_names(void **state)
{
	static char longest[LIMIT_ADDRESS_BYTES + 2];
	static const struct session_peer_info p = { .tls = true, .bindings.certificate_n = 32 };
	static const struct front_settings all = { .scram_services = SERVICES_ALL,
		.legacy_services = SERVICES_ALL };
	static const struct sasl_context here = { STR_INIT("smtp"), &p, &all };
	static const struct {
		const char *mechanism, *message, *user;
	} cases[] = {
		{ "SCRAM-SHA-256", "n,,n=tim,r=b", "tim" },
		{ "SCRAM-SHA-256", "y,a=n=else,n=t=2Ci=3Dm,r=n=b", "t,i=m" },
		{ "SCRAM-SHA-256", "n,,m=x,n=tim,r=b", "tim" },
		{ "SCRAM-SHA-256", "n,,n=a=2X=2,r=b", "a=2X=2" },
		{ "SCRAM-SHA-256", "n,,r=b", "" },
		{ "SCRAM-SHA-256", "n,,n=", "" },
		{ "SCRAM-SHA-256", "n=tim", "" },
		{ "EXTERNAL", "tim@x.test", "tim@x.test" },
		{ "EXTERNAL", "", "" },
		{ "CRAM-MD5", "tim smith b913", "tim smith" },
		{ "CRAM-MD5", "tim", "tim" },
	};
	struct frame ok = { .type = FRAME_LOGIN_OK, .login_ok.address = STR("tim@x.test") };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sasl *x = sasl_new(str_from(cases[i].mechanism), &here);
		enum sasl_status status = sasl_start(x, NULL);
		if (status == SASL_ASK)
			take(x, STR("<1.2@x>"), SASL_CHALLENGE);
		assert_int_equal(sasl_response(x, base64(str_from(cases[i].message))), SASL_ASK);
		assert_str(sasl_user(x), str_from(cases[i].user));
		assert_int_equal(sasl_answer(x, &ok), SASL_DONE);
		assert_str(sasl_user(x), STR("tim@x.test"));
		sasl_free(&x);
	}
	memset(longest, 'x', sizeof(longest));
	for (size_t n = LIMIT_ADDRESS_BYTES - 1; n <= LIMIT_ADDRESS_BYTES + 1; n++) {
		struct sasl *x = sasl_new(STR("EXTERNAL"), &here);
		struct str message = base64(str_make(longest, n));
		assert_int_equal(sasl_start(x, &message), SASL_ASK);
		assert_int_equal(sasl_user(x).n, n < LIMIT_ADDRESS_BYTES ? n : LIMIT_ADDRESS_BYTES);
		sasl_free(&x);
	}
}

TEST_MAIN(test_case(relayed_names), test_case(asks_the_gate), test_case(finds_mechanisms),
	test_case(s48_plain_messages), test_case(plain_lengths), test_case(login_exchange),
	test_case(s48_bad_responses), test_case(line_limit),
	test_case(mechanisms_are_offered_where_they_work), test_case(a7_messages_are_relayed),
	test_case(server_first))
