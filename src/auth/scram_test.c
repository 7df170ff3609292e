// SPDX-License-Identifier: Apache-2.0
/* SCRAM-SHA-256: the RFC's example, the grammar, channel bindings, verifiers; SASLprep. */
#include "auth/saslprep.h"
#include "auth/scram.h"
#include "base/test.h"

#include <stdlib.h>

/* RFC 7677 3: user "user", password "pencil". */
static const char kept[] =
	"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
#define CLIENT_FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define BOTH         "rOprNGfwEbeRWgbNEkqO" SERVER_NONCE
#define PROOF        "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

/* An exchange up to the server's first message. */
static void begin(struct scram *x, struct buf *out)
{
	struct scram_verifier v;
	scram_init(x);
	buf_init(out, 4096);
	assert_int_equal(scram_client_first(x, STR(CLIENT_FIRST)), SCRAM_FINE);
	assert_true(scram_verifier_read(str_from(kept), &v));
	scram_server_first(x, &v, STR(SERVER_NONCE), out);
}

static void the_rfcs_example(void **state)
{
	struct scram x;
	struct buf out;
	(void)state;
	begin(&x, &out);
	assert_str(buf_str(&x.user), STR("user"));
	assert_str(buf_str(&out), STR("r=" BOTH ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
	buf_clear(&out);
	assert_int_equal(
		scram_client_final(&x, STR("c=biws,r=" BOTH ",p=" PROOF), &out), SCRAM_FINE);
	assert_str(buf_str(&out), STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
	scram_done(&x);
	buf_done(&out);
}

static void first_messages(void **state)
{
	static const struct {
		const char *message;
		enum scram_result result;
		const char *user, *authzid;
	} cases[] = {
		{ "n,,n=user,r=x", SCRAM_FINE, "user", "" },
		{ "y,,n=user,r=x", SCRAM_FINE, "user", "" },
		{ "n,a=other,n=user,r=x,z=ext", SCRAM_FINE, "user", "other" },
		{ "n,,n=a=2Cb=3Dc,r=x", SCRAM_FINE, "a,b=c", "" },
		{ "n,,n=\xe2\x85\xa8,r=x", SCRAM_FINE, "IX", "" }, /* SASLprep: RFC 4013 3 */
		{ "n,,n=I\xc2\xadX,r=x", SCRAM_FINE, "IX", "" },
		{ "n,,n=a=2cb,r=x", SCRAM_BAD_USER, "", "" },
		{ "n,,n=a=b,r=x", SCRAM_BAD_USER, "", "" },
		{ "n,,n=a=,r=x", SCRAM_BAD_USER, "", "" },
		{ "n,,n=\xff,r=x", SCRAM_BAD_USER, "", "" },
		{ "n,,n=\a,r=x", SCRAM_BAD_USER, "", "" },
		{ "n,,n=\xd8\xa7"
		  "1,r=x",
			SCRAM_BAD_USER, "", "" }, /* RFC 4013 3: bidi */
		{ "n,a=\xff,n=user,r=x", SCRAM_BAD_USER, "", "" },
		{ "n,,m=x,n=user,r=x", SCRAM_EXTENSION, "", "" },
		{ "n,,n=user,r=x,m=x", SCRAM_EXTENSION, "user", "" },
		{ "n,,n=user,r=x,9=x", SCRAM_BAD_ENCODING, "user", "" },
		{ "n,,n=user,r=x,", SCRAM_BAD_ENCODING, "user", "" },
		{ "n,,n=user,r=x,y", SCRAM_BAD_ENCODING, "user", "" },
		{ "n,,n=user,r=", SCRAM_BAD_ENCODING, "user", "" },
		{ "n,,n=user,r=a b", SCRAM_BAD_ENCODING, "user", "" },
		{ "n,,n=user", SCRAM_BAD_ENCODING, "", "" },
		{ "n,,n=,r=x", SCRAM_BAD_ENCODING, "", "" },
		{ "n,,r=x,n=user", SCRAM_BAD_ENCODING, "", "" },
		{ "n,n=user,r=x", SCRAM_BAD_ENCODING, "", "" },
		{ "n,n=x,n=user,r=x", SCRAM_BAD_ENCODING, "", "" },
		{ "q,,n=user,r=x", SCRAM_BAD_ENCODING, "", "" }, { "", SCRAM_BAD_ENCODING, "", "" },
		{ "p=tls-unique,,n=user,r=x", SCRAM_NO_BINDING_HERE, "", "" }, /* not -PLUS */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scram x;
		scram_init(&x);
		if (scram_client_first(&x, str_from(cases[i].message)) != cases[i].result)
			fail_msg("%s", cases[i].message);
		if (cases[i].result == SCRAM_FINE) {
			assert_str(buf_str(&x.user), str_from(cases[i].user));
			assert_str(buf_str(&x.authzid), str_from(cases[i].authzid));
		}
		scram_done(&x);
	}
}

/* A4: channel bindings can be neither left out nor pretended away. */
static void a4_bindings_of_the_first_message(void **state)
{
	static const struct {
		bool plus, announced, has;
		const char *flag;
		enum scram_result result;
	} cases[] = {
		{ false, false, true, "n", SCRAM_FINE },
		{ false, true, true, "n", SCRAM_FINE },
		{ false, false, true, "y", SCRAM_FINE },
		{ false, true, true, "y", SCRAM_DOWNGRADE },
		{ true, true, true, "y", SCRAM_DOWNGRADE },
		{ true, true, true, "n", SCRAM_BAD_ENCODING },
		{ true, true, true, "p=tls-exporter", SCRAM_FINE },
		{ true, true, true, "p=tls-server-end-point", SCRAM_FINE },
		{ true, true, true, "p=tls-unique", SCRAM_BINDING_UNKNOWN },
		{ true, true, true, "p=", SCRAM_BINDING_UNKNOWN },
		{ true, true, true, "p", SCRAM_BAD_ENCODING },
		{ true, true, false, "p=tls-exporter", SCRAM_BINDING_UNKNOWN },
		{ false, true, true, "p=tls-exporter", SCRAM_NO_BINDING_HERE },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scram x;
		char message[100];
		scram_init(&x);
		x.plus = cases[i].plus;
		x.plus_announced = cases[i].announced;
		if (cases[i].has)
			x.bindings = (struct scram_bindings){ STR("exporter"), STR("endpoint") };
		snprintf(message, sizeof(message), "%s,,n=user,r=x", cases[i].flag);
		if (scram_client_first(&x, str_from(message)) != cases[i].result)
			fail_msg("case %zu", i);
		scram_done(&x);
	}
}

/* A4: another nonce, another binding, a flipped proof; what has no place there. */
static void a4_final_messages(void **state)
{
	static const struct {
		const char *message;
		enum scram_result result;
	} cases[] = {
		{ "c=biws,r=" BOTH ",p=" PROOF, SCRAM_FINE },
		{ "c=biws,r=" BOTH ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_PROOF },
		{ "c=biws,r=" BOTH ",x=y,p=" PROOF, SCRAM_PROOF }, /* is part of what is proved */
		{ "c=biws,r=" BOTH ",m=y,p=" PROOF, SCRAM_EXTENSION },
		{ "c=biws,r=" BOTH "x,p=" PROOF, SCRAM_OTHER },
		{ "c=biws,r=rOprNGfwEbeRWgbNEkqO,p=" PROOF, SCRAM_OTHER },
		{ "c=eSws,r=" BOTH ",p=" PROOF, SCRAM_BINDING_DIFFERS },     /* y,, */
		{ "c=biwseA==,r=" BOTH ",p=" PROOF, SCRAM_BINDING_DIFFERS }, /* n,,x */
		{ "c=biw=,r=" BOTH ",p=" PROOF, SCRAM_BINDING_DIFFERS },
		{ "c=!,r=" BOTH ",p=" PROOF, SCRAM_BINDING_DIFFERS },
		{ "c=biws,r=" BOTH, SCRAM_BAD_ENCODING },
		{ "c=biws,r=" BOTH ",p=", SCRAM_BAD_ENCODING },
		{ "c=biws,r=" BOTH ",p=dHzb", SCRAM_BAD_ENCODING },
		{ "c=biws,r=" BOTH ",p=" PROOF ",x=y", SCRAM_BAD_ENCODING },
		{ "r=" BOTH ",c=biws,p=" PROOF, SCRAM_BAD_ENCODING },
		{ "c=biws,p=" PROOF, SCRAM_BAD_ENCODING },
		{ "", SCRAM_BAD_ENCODING },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scram x;
		struct buf out;
		begin(&x, &out);
		buf_clear(&out);
		if (scram_client_final(&x, str_from(cases[i].message), &out) != cases[i].result)
			fail_msg("%s", cases[i].message);
		assert_true((out.n > 0) == (cases[i].result == SCRAM_FINE));
		scram_done(&x);
		buf_done(&out);
	}
}

/* LIMIT_SCRAM_MESSAGE_BYTES, LIMIT_SCRAM_NONCE_BYTES */
static void lengths(void **state)
{
	char message[LIMIT_SCRAM_MESSAGE_BYTES + 100];
	(void)state;
	for (size_t n = LIMIT_SCRAM_NONCE_BYTES - 1; n <= LIMIT_SCRAM_NONCE_BYTES + 1; n++) {
		struct scram x;
		scram_init(&x);
		snprintf(message, sizeof(message), "n,,n=u,r=%0*d", (int)n, 7);
		assert_int_equal(scram_client_first(&x, str_from(message)),
			n <= LIMIT_SCRAM_NONCE_BYTES ? SCRAM_FINE : SCRAM_BAD_ENCODING);
		scram_done(&x);
	}
	for (size_t n = LIMIT_SCRAM_MESSAGE_BYTES - 1; n <= LIMIT_SCRAM_MESSAGE_BYTES + 1; n++) {
		struct scram x;
		scram_init(&x);
		snprintf(message, sizeof(message), "n,,n=u,r=x,z=%0*d", (int)n - 13, 7);
		assert_int_equal(scram_client_first(&x, str_from(message)),
			n <= LIMIT_SCRAM_MESSAGE_BYTES ? SCRAM_FINE : SCRAM_BAD_ENCODING);
		scram_done(&x);
	}
}

/* LIMIT_SCRAM_ITERATIONS_MIN and _MAX, LIMIT_SCRAM_SALT_BYTES */
static void verifiers_are_read_within_bounds(void **state)
{
	static const struct {
		uint64_t iterations;
		bool good;
	} counts[] = { { LIMIT_SCRAM_ITERATIONS_MIN - 1, false },
		{ LIMIT_SCRAM_ITERATIONS_MIN, true }, { LIMIT_SCRAM_ITERATIONS_MIN + 1, true },
		{ LIMIT_SCRAM_ITERATIONS_MAX - 1, true }, { LIMIT_SCRAM_ITERATIONS_MAX, true },
		{ LIMIT_SCRAM_ITERATIONS_MAX + 1, false }, { UINT64_MAX, false } };
	static const uint8_t salt[LIMIT_SCRAM_SALT_BYTES + 1] = { 1 };
	struct scram_verifier v;
	struct buf b;
	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		buf_clear(&b);
		buf_addf(
			&b, "SCRAM-SHA-256$%" PRIu64 "%s", counts[i].iterations, strchr(kept, ':'));
		assert_int_equal(scram_verifier_read(buf_str(&b), &v), counts[i].good);
	}
	for (size_t n = 0; n <= sizeof(salt); n++) {
		buf_clear(&b);
		buf_addz(&b, "SCRAM-SHA-256$4096:");
		buf_add_base64(&b, str_make(salt, n));
		buf_addz(&b, strrchr(kept, '$'));
		assert_int_equal(
			scram_verifier_read(buf_str(&b), &v), n > 0 && n <= LIMIT_SCRAM_SALT_BYTES);
	}
	for (size_t n = 0; n < sizeof(kept) - 1; n++) /* every end is too early */
		assert_false(scram_verifier_read(str_make(kept, n), &v));
	buf_done(&b);
}

static void a_verifier_is_made_written_and_read(void **state)
{
	static const uint8_t salt[SCRAM_SALT_BYTES] = { 1, 2, 3 };
	static const uint8_t other_salt[SCRAM_SALT_BYTES] = { 1, 2, 4 };
	struct scram_verifier made, read;
	struct buf b;
	(void)state;
	buf_init(&b, LIMIT_SECRET_BYTES);
	/* a password that SASLprep refuses (a control character) is taken as it is */
	assert_true(scram_verifier_make(salt, STR("p\x7f"), &made));
	assert_true(scram_verifier_make(salt, STR("secret"), &made));
	scram_verifier_write(&made, &b);
	assert_true(scram_verifier_read(buf_str(&b), &read));
	assert_memory_equal(&made, &read, sizeof(made));
	assert_true(scram_verifier_is_current(&read, salt));
	assert_false(scram_verifier_is_current(&read, other_salt));
	read.iterations--;
	assert_false(scram_verifier_is_current(&read, salt));
	assert_true(scram_verifier_read(str_from(kept), &read)); /* brought along */
	assert_false(scram_verifier_is_current(&read, read.salt));
	buf_done(&b);
}

/* A1: the same salt at every try, another for another name, no pattern that tells it apart. */
static void a1_stand_ins_stay_the_same(void **state)
{
	static const uint8_t key[32] = { 1 }, other_key[32] = { 2 };
	struct scram_verifier a, again, b, c;
	(void)state;
	assert_true(scram_verifier_stand_in(key, STR("nobody@x"), &a));
	assert_true(scram_verifier_stand_in(key, STR("nobody@x"), &again));
	assert_true(scram_verifier_stand_in(key, STR("nobody@y"), &b));
	assert_true(scram_verifier_stand_in(other_key, STR("nobody@x"), &c));
	assert_memory_equal(a.salt, again.salt, sizeof(a.salt));
	assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT_BYTES);
	assert_memory_not_equal(a.salt, c.salt, SCRAM_SALT_BYTES);
	assert_int_equal(a.iterations, SCRAM_ITERATIONS);
	assert_int_equal(a.salt_n, SCRAM_SALT_BYTES);
}

/* RFC 4013 3, and what is refused. */
static void saslprep_examples(void **state)
{
	static const struct {
		const char *text, *prepared; /* NULL: refused */
	} cases[] = {
		{ "I\xc2\xadX", "IX" }, { "user", "user" }, { "USER", "USER" }, { "\xc2\xaa", "a" },
		{ "\xe2\x85\xa8", "IX" }, { "\xc2\xa0", " " }, { "\a", NULL },
		{ "\xd8\xa7"
		  "1",
			NULL },
		{ "\xc2\xad", NULL }, /* nothing is left */
		{ "", NULL }, { "\xff", NULL },
		{ "\xe2\x80\xae", NULL }, /* a change of direction */
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b;
		buf_init(&b, 100);
		if (saslprep(str_from(cases[i].text), &b) != (cases[i].prepared != NULL))
			fail_msg("case %zu", i);
		assert_str(buf_str(&b), str_from(cases[i].prepared));
		buf_done(&b);
	}
}

TEST_MAIN(test_case(the_rfcs_example), test_case(first_messages),
	test_case(a4_bindings_of_the_first_message), test_case(a4_final_messages),
	test_case(lengths), test_case(verifiers_are_read_within_bounds),
	test_case(a_verifier_is_made_written_and_read), test_case(a1_stand_ins_stay_the_same),
	test_case(saslprep_examples))
