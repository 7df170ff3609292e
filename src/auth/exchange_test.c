// SPDX-License-Identifier: Apache-2.0
/* Mechanisms by challenge and response: right, wrong, and nobody alike. */
#include "auth/exchange_scene.h"

#include <stdlib.h>

static const uint8_t other_fingerprint[32] = { 8 };

static struct exchange *begin(
	const char *mechanism, struct str data, enum exchange_step expected, int line)
{
	struct frame_exchange_begin f = { .mechanism = str_from(mechanism),
		.has_data = data.p != NULL,
		.data = data,
		.certificate = str_make(fingerprint, sizeof(fingerprint)),
		.greeting = STR("<1896.697170952@dbc.mtview.ca.us>") };
	struct exchange *x = exchange_new(&facts, &f);
	assert_non_null(x);
	enum exchange_step step = exchange_begin(x);
	if (step != expected)
		fail_msg("line %d: %d, %s", line, step, exchange_reason(x));
	return x;
}
#define begin(mechanism, data, expected) begin(mechanism, data, expected, __LINE__)

static void the_table(void **state)
{
	static const char *const names[] = { "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "EXTERNAL",
		"CRAM-MD5", "APOP" };
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_true(exchange_known(str_from(names[i])));
	assert_false(exchange_known(STR("PLAIN")));
	assert_false(exchange_known(STR("")));
	assert_null(exchange_new(&facts, &(struct frame_exchange_begin){ .service = STR("") }));
}

/* ---- APOP: RFC 1939 7's example ---- */

static void apop(void **state)
{
	static const struct {
		const char *message;
		enum exchange_step begun, end;
	} cases[] = {
		{ "mrose c4c9334bac560ecc979e58001b3e22fb", EXCHANGE_ACCOUNT, EXCHANGE_RIGHT },
		{ "a b c4c9334bac560ecc979e58001b3e22fb", EXCHANGE_ACCOUNT, EXCHANGE_RIGHT },
		{ "mrose c4c9334bac560ecc979e58001b3e22fc", EXCHANGE_ACCOUNT, EXCHANGE_WRONG },
		{ "mrose c4c9334bac560ecc979e58001b3e22f", EXCHANGE_BAD, 0 },
		{ "mrose c4c9334bac560ecc979e58001b3e22fbb", EXCHANGE_BAD, 0 },
		{ "mrose g4c9334bac560ecc979e58001b3e22fb", EXCHANGE_BAD, 0 },
		{ "c4c9334bac560ecc979e58001b3e22fb", EXCHANGE_BAD, 0 },
		{ " c4c9334bac560ecc979e58001b3e22fb", EXCHANGE_BAD, 0 },
		{ "\xff c4c9334bac560ecc979e58001b3e22fb", EXCHANGE_BAD, 0 },
		{ "", EXCHANGE_BAD, 0 },
	};
	struct person p;
	(void)state;
	person_init(&p, "tanstaaf");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct exchange *x = begin("APOP", str_from(cases[i].message), cases[i].begun);
		if (cases[i].begun == EXCHANGE_ACCOUNT)
			assert_int_equal(exchange_account(x, &p.c, STR("")), cases[i].end);
		assert_int_equal(exchange_response(x, STR("more")), EXCHANGE_BAD);
		exchange_free(&x);
	}
	person_done(&p);
}

/* ---- CRAM-MD5: RFC 2195 2's example ---- */

static enum exchange_step cram_answer(const struct frame_credentials *c, const char *response)
{
	struct exchange *x = begin("CRAM-MD5", STR_NONE, EXCHANGE_CHALLENGE);
	struct str challenge = exchange_challenge(x);
	assert_true(challenge.p[0] == '<' && challenge.p[challenge.n - 1] == '>');
	buf_clear(&x->challenge);
	buf_addz(&x->challenge, "<1896.697170952@postoffice.reston.mci.net>");
	enum exchange_step step = exchange_response(x, str_from(response));
	if (step == EXCHANGE_ACCOUNT)
		step = exchange_account(x, c, STR(""));
	exchange_free(&x);
	return step;
}

static void cram_md5(void **state)
{
	struct person p;
	(void)state;
	person_init(&p, "tanstaaftanstaaf");
	assert_int_equal(cram_answer(&p.c, "tim b913a602c7eda7a495b4e6e7334d3890"), EXCHANGE_RIGHT);
	assert_int_equal(cram_answer(&p.c, "tim b913a602c7eda7a495b4e6e7334d3891"), EXCHANGE_WRONG);
	assert_int_equal(cram_answer(NULL, "tim b913a602c7eda7a495b4e6e7334d3890"), EXCHANGE_WRONG);
	assert_int_equal(cram_answer(&p.c, "b913a602c7eda7a495b4e6e7334d3890"), EXCHANGE_BAD);
	assert_int_equal(cram_answer(&p.c, ""), EXCHANGE_BAD);
	/* not opted in: as if there were nobody */
	p.c.legacy_auth = false;
	assert_int_equal(cram_answer(&p.c, "tim b913a602c7eda7a495b4e6e7334d3890"), EXCHANGE_WRONG);
	/* another account's sealed secret is none */
	p.c.legacy_auth = true;
	p.c.address = STR("bob@example.test");
	assert_int_equal(cram_answer(&p.c, "tim b913a602c7eda7a495b4e6e7334d3890"), EXCHANGE_WRONG);
	struct exchange *x = begin("CRAM-MD5", STR("tim"), EXCHANGE_BAD);
	exchange_free(&x);
	/* every challenge is another */
	struct exchange *y = begin("CRAM-MD5", STR_NONE, EXCHANGE_CHALLENGE);
	x = begin("CRAM-MD5", STR_NONE, EXCHANGE_CHALLENGE);
	assert_false(str_equal(exchange_challenge(x), exchange_challenge(y)));
	exchange_free(&x);
	exchange_free(&y);
	person_done(&p);
}

/* ---- EXTERNAL ---- */

static void external(void **state)
{
	struct person p;
	(void)state;
	person_init(&p, "x");
	struct exchange *x = begin("EXTERNAL", STR(""), EXCHANGE_ACCOUNT);
	assert_int_equal(exchange_user(x).n, 0); /* the account is the certificate's */
	assert_int_equal(exchange_account(x, &p.c, STR("")), EXCHANGE_RIGHT);
	assert_int_equal(exchange_key(x).id, 3);
	assert_int_equal(exchange_key(x).services, SERVICE_IMAP);
	exchange_free(&x);
	x = begin("EXTERNAL", STR("alice@example.test"), EXCHANGE_ACCOUNT);
	p.secrets[2].value = str_make(other_fingerprint, sizeof(other_fingerprint));
	assert_int_equal(exchange_account(x, &p.c, STR("")), EXCHANGE_WRONG);
	exchange_free(&x);
	x = begin("EXTERNAL", STR("bob@example.test"), EXCHANGE_ACCOUNT);
	assert_int_equal(exchange_account(x, NULL, STR("")), EXCHANGE_WRONG);
	exchange_free(&x);
	x = begin("EXTERNAL", STR("a\0b"), EXCHANGE_BAD);
	exchange_free(&x);
	x = begin("EXTERNAL", STR("\xff"), EXCHANGE_BAD);
	exchange_free(&x);
	x = begin("EXTERNAL", STR_NONE, EXCHANGE_BAD);
	exchange_free(&x);
	/* no certificate, or something that is no fingerprint */
	struct frame_exchange_begin f = {
		.mechanism = STR("EXTERNAL"), .has_data = true, .certificate = STR("short")
	};
	x = exchange_new(&facts, &f);
	assert_int_equal(exchange_begin(x), EXCHANGE_WRONG);
	exchange_free(&x);
	person_done(&p);
}

/* ---- SCRAM ---- */

static void scram_nonces_differ(void **state)
{
	struct person p;
	(void)state;
	person_init(&p, "x");
	struct exchange *x = begin("SCRAM-SHA-256", STR("n,,n=a,r=q"), EXCHANGE_ACCOUNT);
	struct exchange *y = begin("SCRAM-SHA-256", STR("n,,n=a,r=q"), EXCHANGE_ACCOUNT);
	assert_int_equal(exchange_account(x, &p.c, STR("a")), EXCHANGE_CHALLENGE);
	assert_int_equal(exchange_account(y, &p.c, STR("a")), EXCHANGE_CHALLENGE);
	struct str a = exchange_challenge(x), b = exchange_challenge(y);
	assert_false(str_equal(a, b)); /* A4 */
	assert_str(str_from_offset(a, str_search(a, STR(",s="))),
		str_from_offset(b, str_search(b, STR(",s="))));
	exchange_free(&x);
	exchange_free(&y);
	x = begin("SCRAM-SHA-256", STR_NONE, EXCHANGE_BAD);
	exchange_free(&x);
	x = begin("SCRAM-SHA-256", STR(""), EXCHANGE_BAD);
	exchange_free(&x);
	person_done(&p);
}

/* alice with as many app passwords as there may be; the first and the last are real. */
struct keyring {
	struct person p;
	struct buf values[LIMIT_SECRETS];
	struct api_secret secrets[1 + LIMIT_SECRETS];
	struct frame_credentials c;
};

static void add_app_password(struct keyring *k, size_t i, const char *password, const char *name)
{
	struct scram_verifier v = { .iterations = SCRAM_ITERATIONS, .salt_n = SCRAM_SALT_BYTES };
	uint8_t salt[SCRAM_SALT_BYTES];
	assert_true(scram_salt(facts.stand_in_key, str_from(name), salt));
	memcpy(v.salt, salt, sizeof(salt));
	random_seam.seam.fill(&random_seam.seam, v.stored_key, sizeof(v.stored_key));
	if (password)
		assert_true(scram_verifier_make(salt, str_from(password), &v));
	buf_clear(&k->values[i]);
	buf_add(&k->values[i], fingerprint, APP_PASSWORD_MAC_BYTES);
	scram_verifier_write(&v, &k->values[i]);
	k->secrets[1 + i] = (struct api_secret){ .id = 100 + i,
		.kind = SECRET_APP_PASSWORD,
		.services = SERVICE_POP3,
		.used_ms = (int64_t)i,
		.value = buf_str(&k->values[i]) };
}

static void keyring_init(struct keyring *k)
{
	*k = (struct keyring){ .c.account = 0 };
	person_init(&k->p, "her own");
	k->c = k->p.c;
	k->secrets[0] = k->p.secrets[0];
	for (size_t i = 0; i < LIMIT_SECRETS; i++) {
		buf_init(&k->values[i], LIMIT_SECRET_BYTES);
		add_app_password(k, i,
			i == 0                   ? "first"
			: i + 1 == LIMIT_SECRETS ? "last"
						 : NULL,
			"alice@example.test");
	}
	k->c.secrets.items = k->secrets;
	k->c.secrets.n = ARRAY_LEN(k->secrets);
}

static void keyring_done(struct keyring *k)
{
	for (size_t i = 0; i < LIMIT_SECRETS; i++)
		buf_done(&k->values[i]);
	person_done(&k->p);
}

/* Logs in as alice; the last step, and which password it was. */
static enum exchange_step log_in(
	const struct frame_credentials *c, const char *password, struct exchange_key *ret)
{
	AUTO(buf_done)
	struct buf final;
	buf_init(&final, 500);
	struct exchange *x = begin(
		"SCRAM-SHA-256", STR("n,,n=alice@example.test,r=q"), EXCHANGE_ACCOUNT);
	assert_int_equal(exchange_account(x, c, STR("alice@example.test")), EXCHANGE_CHALLENGE);
	client_final(exchange_challenge(x), password, &final);
	enum exchange_step step = exchange_response(x, buf_str(&final));
	if (step == EXCHANGE_CHALLENGE) {
		assert_true(str_starts(exchange_challenge(x), STR("v=")));
		step = exchange_response(x, STR(""));
	} else {
		assert_string_equal(exchange_reason(x), "invalid-proof");
	}
	*ret = exchange_key(x);
	exchange_free(&x);
	return step;
}

/* SCRAM_KEYS: all that there may be are tried, the password's own first. */
static void scram_takes_app_passwords(void **state)
{
	struct keyring k;
	struct exchange_key key;
	(void)state;
	keyring_init(&k);
	assert_int_equal(log_in(&k.c, "her own", &key), EXCHANGE_RIGHT);
	assert_int_equal(key.id, 0);
	assert_int_equal(key.services, SERVICES_ALL);
	assert_int_equal(log_in(&k.c, "first", &key), EXCHANGE_RIGHT);
	assert_int_equal(key.id, 100);
	assert_int_equal(key.kind, SECRET_APP_PASSWORD);
	assert_int_equal(log_in(&k.c, "last", &key), EXCHANGE_RIGHT);
	assert_int_equal(key.id, 100 + LIMIT_SECRETS - 1);
	assert_int_equal(key.services, SERVICE_POP3);
	assert_int_equal(key.used_ms, LIMIT_SECRETS - 1);
	assert_int_equal(log_in(&k.c, "second", &key), EXCHANGE_WRONG);
	k.c.secrets.n--; /* the last is gone */
	assert_int_equal(log_in(&k.c, "last", &key), EXCHANGE_WRONG);

	/* Without a verifier of her own; with one of another salt, which is the one that is sent.
	 */
	k.c.secrets.items++;
	assert_int_equal(log_in(&k.c, "first", &key), EXCHANGE_RIGHT);
	assert_int_equal(log_in(&k.c, "her own", &key), EXCHANGE_WRONG);
	k.c.secrets.items--;
	add_app_password(&k, 0, "first", "bob@example.test");
	assert_int_equal(log_in(&k.c, "first", &key), EXCHANGE_WRONG);
	/* One of an older version has nothing but its MAC; and damage is no verifier. */
	add_app_password(&k, 0, "first", "alice@example.test");
	assert_int_equal(log_in(&k.c, "first", &key), EXCHANGE_RIGHT);
	for (size_t n = 0; n <= APP_PASSWORD_MAC_BYTES + 1; n++) {
		k.secrets[1].value.n = n;
		struct exchange *x = begin("SCRAM-SHA-256", STR("n,,n=a,r=q"), EXCHANGE_ACCOUNT);
		assert_int_equal(
			exchange_account(x, &k.c, STR("alice@example.test")), EXCHANGE_CHALLENGE);
		exchange_free(&x);
	}
	k.secrets[1].value.n = APP_PASSWORD_MAC_BYTES;
	assert_int_equal(log_in(&k.c, "first", &key), EXCHANGE_WRONG);
	keyring_done(&k);
}

/* More than there may be are no more than that. */
static void scram_keys_are_bounded(void **state)
{
	struct scram x;
	struct scram_verifier v;
	struct buf out;
	(void)state;
	scram_init(&x);
	buf_init(&out, 1000);
	assert_true(scram_verifier_stand_in(facts.stand_in_key, STR("a"), &v));
	scram_server_first(&x, &v, STR("nonce"), &out);
	for (size_t i = 1; i <= SCRAM_KEYS + 1; i++)
		assert_int_equal(scram_add(&x, &v), i < SCRAM_KEYS ? i : 0);
	scram_done(&x);
	buf_done(&out);
}

/* A1: somebody, somebody without a secret for it, with many, and nobody: the same answers of the
 * same form, and the same number of hash operations, 2,000 times each. */
static unsigned fail_once(const char *mechanism, const struct frame_credentials *c, char *form)
{
	static const char digest[] = "nobody@example.test b913a602c7eda7a495b4e6e7334d3890";
	bool scram = mechanism[0] == 'S', cram = mechanism[0] == 'C';
	struct exchange *x = scram  ? begin(mechanism, STR("n,,n=nobody@example.test,r=q"),
					      EXCHANGE_ACCOUNT)
			     : cram ? begin(mechanism, STR_NONE, EXCHANGE_CHALLENGE)
				    : begin(mechanism, str_from(digest), EXCHANGE_ACCOUNT);
	if (cram)
		assert_int_equal(exchange_response(x, str_from(digest)), EXCHANGE_ACCOUNT);
	enum exchange_step step = exchange_account(x, c, STR("nobody@example.test"));
	form[0] = 0;
	if (scram) {
		AUTO(buf_done)
		struct buf final;
		struct str challenge = exchange_challenge(x);
		buf_init(&final, 500);
		assert_int_equal(step, EXCHANGE_CHALLENGE);
		snprintf(form, 100, "%zu %" STR_FMT, challenge.n,
			STR_ARG(str_from_offset(challenge, challenge.n - 8)));
		buf_addf(&final, "c=biws,%" STR_FMT ",p=", STR_ARG(str_sub(challenge, 0, 27)));
		buf_add_base64(&final, str_make(fingerprint, sizeof(fingerprint)));
		step = exchange_response(x, buf_str(&final));
		assert_string_equal(exchange_reason(x), "invalid-proof");
	}
	assert_int_equal(step, EXCHANGE_WRONG);
	unsigned work = exchange_work(x);
	exchange_free(&x);
	return work;
}

static void a1_nobody_is_answered_alike(void **state)
{
	static const char *const mechanisms[] = { "SCRAM-SHA-256", "CRAM-MD5", "APOP" };
	struct keyring k;
	struct frame_credentials bare;
	(void)state;
	keyring_init(&k);
	bare = k.p.c;
	bare.secrets.n = 0;
	bare.legacy_auth = false;
	for (size_t m = 0; m < ARRAY_LEN(mechanisms); m++) {
		for (int i = 0; i < 2000; i++) {
			char form[4][100];
			unsigned him = fail_once(mechanisms[m], &k.p.c, form[0]);
			assert_int_equal(fail_once(mechanisms[m], NULL, form[1]), him);
			assert_int_equal(fail_once(mechanisms[m], &bare, form[2]), him);
			assert_string_equal(form[0], form[1]);
			assert_int_equal(fail_once(mechanisms[m], &k.c, form[3]), him);
			assert_string_equal(form[0], form[2]);
			assert_string_equal(form[0], form[3]);
		}
	}
	keyring_done(&k);
}

/* ---- sealed secrets ---- */

/* LIMIT_SECRET_BYTES; every bit counts. */
static void sealed_secrets(void **state)
{
	static char text[SEALED_TEXT_BYTES + 1];
	uint8_t other_key[32] = { 9 };
	struct str owner = STR("alice@example.test");
	struct buf sealed, opened;
	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&sealed, LIMIT_SECRET_BYTES);
	buf_init(&opened, LIMIT_SECRET_BYTES);
	for (size_t n = SEALED_TEXT_BYTES - 1; n <= SEALED_TEXT_BYTES + 1; n++) {
		buf_clear(&sealed);
		assert_int_equal(sealed_make(&random_seam.seam, facts.sealed_key, owner,
					 str_make(text, n), &sealed),
			n <= SEALED_TEXT_BYTES);
	}
	buf_clear(&sealed);
	assert_false(sealed_make(&random_seam.seam, facts.sealed_key, owner, STR(""), &sealed));
	assert_true(
		sealed_make(&random_seam.seam, facts.sealed_key, owner, STR("secret"), &sealed));
	assert_int_equal(
		sealed_open(facts.sealed_key, owner, buf_str(&sealed), &opened), SEALED_OPENED);
	assert_str(buf_str(&opened), STR("secret"));
	assert_int_equal(sealed_open(other_key, owner, buf_str(&sealed), &opened), SEALED_OTHER);
	assert_int_equal(
		sealed_open(facts.sealed_key, STR("bob@example.test"), buf_str(&sealed), &opened),
		SEALED_OTHER);
	for (size_t n = 0; n < sealed.n; n++)
		assert_int_equal(sealed_open(facts.sealed_key, owner,
					 str_sub(buf_str(&sealed), 0, n), &opened),
			SEALED_OTHER);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(sealed_open(facts.sealed_key, owner, buf_str(&sealed), &opened),
			SEALED_OTHER);
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	buf_done(&sealed);
	buf_done(&opened);
}

#define with_facts(test) cmocka_unit_test_setup(test, setup)
int main(void)
{
	const struct CMUnitTest tests[] = { with_facts(the_table), with_facts(apop),
		with_facts(cram_md5), with_facts(external), with_facts(scram_nonces_differ),
		with_facts(scram_takes_app_passwords), with_facts(scram_keys_are_bounded),
		with_facts(a1_nobody_is_answered_alike), with_facts(sealed_secrets) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
