// SPDX-License-Identifier: Apache-2.0
/*
 * X2: logins at each of their allocations, OpenSSL's and crypt(3)'s too. The process ends, as
 * base/mem.h says, or the login comes to what it comes to otherwise, or it can't be decided now:
 * who is right is never told that he is wrong, and who is wrong never comes in. With memory again
 * the same process decides everything.
 */
#include "auth/derive.h"
#include "auth/exchange_scene.h"
#include "auth/ticket.h"
#include "auth/verifier.h"
#include "base/no_memory.h"
#include "io/tls.h"

/* ---- by challenge and response ---- */

struct course {
	const char *name, *mechanism;
	const char *first; /* NULL: none */
	const char *password;
	enum exchange_step end; /* when there is memory */
};

/* What the client answers to the challenge. */
static void answer(const struct course *c, const struct exchange *x, struct buf *out)
{
	uint8_t digest[16];
	struct str challenge = exchange_challenge(x);
	buf_clear(out);
	if (strcmp(c->mechanism, "CRAM-MD5") != 0) {
		if (!x->proved)
			client_final(challenge, c->password, out);
		return;
	}
	assert_non_null(HMAC(EVP_md5(), c->password, (int)strlen(c->password),
		(const unsigned char *)challenge.p, challenge.n, digest, NULL));
	buf_addz(out, "alice@example.test ");
	for (size_t i = 0; i < sizeof(digest); i++)
		buf_addf(out, "%02x", digest[i]);
}

/* The last step. Memory is short for the server alone. */
static enum exchange_step exchange(const struct course *c, const struct person *p, bool is_short)
{
	struct frame_exchange_begin f = { .mechanism = str_from(c->mechanism),
		.has_data = c->first != NULL,
		.data = str_from(c->first ? c->first : ""),
		.certificate = str_make(fingerprint, sizeof(fingerprint)),
		.greeting = STR("<1896.697170952@dbc.mtview.ca.us>") };
	AUTO(buf_done)
	struct buf message;
	buf_init(&message, 500);
	no_memory.on = is_short;
	struct exchange *x = exchange_new(&facts, &f);
	enum exchange_step step = exchange_begin(x);
	while (step == EXCHANGE_ACCOUNT || step == EXCHANGE_CHALLENGE) {
		if (step == EXCHANGE_ACCOUNT) {
			step = exchange_account(x, &p->c, STR("alice@example.test"));
			continue;
		}
		no_memory.on = false;
		answer(c, x, &message);
		no_memory.on = is_short;
		step = exchange_response(x, buf_str(&message));
	}
	exchange_free(&x);
	no_memory.on = false;
	return step;
}

static void log_in(void *arg)
{
	const struct course *c = arg;
	struct person p;
	person_init(&p, "tanstaaf");
	enum exchange_step step = exchange(c, &p, true);
	if (step != c->end && step != EXCHANGE_NO_MEMORY)
		fail_msg("%s: %d", c->name, step);
	assert_int_equal(exchange(c, &p, false), c->end);
	person_done(&p);
}

#define SCRAM_FIRST "n,,n=alice@example.test,r=q"
static struct course courses[] = {
	{ "SCRAM-SHA-256", "SCRAM-SHA-256", SCRAM_FIRST, "tanstaaf", EXCHANGE_RIGHT },
	{ "SCRAM-SHA-256, wrong", "SCRAM-SHA-256", SCRAM_FIRST, "tanstaag", EXCHANGE_WRONG },
	{ "CRAM-MD5", "CRAM-MD5", NULL, "tanstaaf", EXCHANGE_RIGHT },
	{ "CRAM-MD5, wrong", "CRAM-MD5", NULL, "tanstaag", EXCHANGE_WRONG },
	{ "APOP", "APOP", "mrose c4c9334bac560ecc979e58001b3e22fb", NULL, EXCHANGE_RIGHT },
	{ "APOP, wrong", "APOP", "mrose c4c9334bac560ecc979e58001b3e22fc", NULL, EXCHANGE_WRONG },
	{ "EXTERNAL", "EXTERNAL", "alice@example.test", NULL, EXCHANGE_RIGHT },
};

static void x2_each_allocation_of_an_exchange(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(courses); i++)
		NO_MEMORY_EACH(run, courses[i].name, log_in, &courses[i]);
}

/* ---- a password ---- */

static void check(void *arg)
{
	static const char long_password[] = /* 512 bytes and more are hashed by OpenSSL first */
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789012345678901234567890123456789012345678901"
		"0123456789012345678901234567890123456789";
	static const char *const passwords[] = { "p\xc3\xa4ss word", long_password };
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
		struct str password = str_from(passwords[i]);
		struct err err = ERR_INIT;
		struct buf made;
		buf_init(&made, 256);
		assert_int_equal(verifier_make(&random_seam.seam, password, &made, &err), 0);
		no_memory_from_here();
		enum verdict right = verifier_check(buf_str(&made), password);
		enum verdict wrong = verifier_check(buf_str(&made), STR("other"));
		enum verdict nobody = verifier_check(STR(""), password);
		no_memory_until_here();
		assert_int_not_equal(right, VERDICT_WRONG);
		assert_int_not_equal(wrong, VERDICT_RIGHT);
		assert_int_not_equal(nobody, VERDICT_RIGHT);
		assert_int_equal(verifier_check(buf_str(&made), password), VERDICT_RIGHT);
		buf_done(&made);
	}
}

static void make(void *arg)
{
	static const struct str password = STR_INIT("p\xc3\xa4ss word");
	uint8_t salt[SCRAM_SALT_BYTES];
	struct scram_verifier scram, again;
	struct err err = ERR_INIT;
	struct buf made;
	(void)arg;
	buf_init(&made, 256);
	no_memory_from_here();
	int result = verifier_make(&random_seam.seam, password, &made, &err);
	bool salted = scram_salt(facts.stand_in_key, STR("alice@example.test"), salt);
	bool scrammed = salted && scram_verifier_make(salt, password, &scram);
	no_memory_until_here();
	if (result == 0)
		assert_int_equal(verifier_check(buf_str(&made), password), VERDICT_RIGHT);
	else
		assert_int_equal(err.kind, ERR_TEMP);
	assert_true(scram_salt(facts.stand_in_key, STR("alice@example.test"), salt));
	assert_true(scram_verifier_make(salt, password, &again));
	if (scrammed)
		assert_memory_equal(scram.stored_key, again.stored_key, SCRAM_HASH_BYTES);
	buf_done(&made);
}

static void x2_each_allocation_of_a_password(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "check", check, NULL);
	NO_MEMORY_EACH(run, "make", make, NULL);
}

/* ---- keys, tickets, sealed secrets ---- */

static void derive(void *arg)
{
	static const uint8_t secret[DERIVE_SECRET_BYTES] = { 1 };
	uint8_t key[32], again[32];
	struct err err = ERR_INIT;
	(void)arg;
	no_memory_from_here();
	int result = derive_key(secret, "test", key, sizeof(key), &err);
	no_memory_until_here();
	assert_int_equal(derive_key(secret, "test", again, sizeof(again), &err), 0);
	if (result == 0)
		assert_memory_equal(key, again, sizeof(key));
	else
		assert_int_equal(err.kind, ERR_TEMP);
}

static void ticket(void *arg)
{
	static const uint8_t key[TICKET_KEY_BYTES] = { 1 };
	struct ticket t = { .instance = 7, .account = 42, .expires_ms = 1000 }, opened;
	struct err why = ERR_INIT, err = ERR_INIT;
	struct buf sealed, later;
	(void)arg;
	buf_init(&sealed, TICKET_MAX_BYTES);
	buf_init(&later, TICKET_MAX_BYTES);
	assert_true(ticket_seal(key, &t, &later));
	no_memory_from_here();
	bool good = ticket_seal(key, &t, &sealed);
	int result = ticket_open(key, buf_str(&later), 7, 999, &opened, &why);
	later.p[5] ^= 1;
	int forged = ticket_open(key, buf_str(&later), 7, 999, &opened, &err);
	no_memory_until_here();
	later.p[5] ^= 1;
	assert_int_equal(forged, -1);
	assert_true(result == 0 || why.kind == ERR_TEMP);
	if (good)
		assert_str(buf_str(&sealed), buf_str(&later));
	assert_int_equal(ticket_open(key, buf_str(&later), 7, 999, &opened, &err), 0);
	buf_done(&sealed);
	buf_done(&later);
}

static void seal(void *arg)
{
	static const struct str owner = STR_INIT("alice@example.test"), text = STR_INIT("secret");
	struct buf sealed, later, opened, other;
	struct buf *all[] = { &sealed, &later, &opened, &other };
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_init(all[i], LIMIT_SECRET_BYTES);
	assert_true(sealed_make(&random_seam.seam, facts.sealed_key, owner, text, &later));
	no_memory_from_here();
	bool good = sealed_make(&random_seam.seam, facts.sealed_key, owner, text, &sealed);
	enum sealed_result right = sealed_open(facts.sealed_key, owner, buf_str(&later), &opened);
	enum sealed_result wrong = sealed_open(
		facts.sealed_key, STR("bob"), buf_str(&later), &other);
	no_memory_until_here();
	assert_int_not_equal(right, SEALED_OTHER);
	assert_int_not_equal(wrong, SEALED_OPENED);
	if (right == SEALED_OPENED)
		assert_str(buf_str(&opened), text);
	buf_clear(&opened);
	if (good)
		assert_int_equal(sealed_open(facts.sealed_key, owner, buf_str(&sealed), &opened),
			SEALED_OPENED);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		buf_done(all[i]);
}

static void x2_each_allocation_of_what_the_gate_makes(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "derive", derive, NULL);
	NO_MEMORY_EACH(run, "ticket", ticket, NULL);
	NO_MEMORY_EACH(run, "sealed", seal, NULL);
}

/* As a role at its start. */
static int prepare(void **state)
{
	tls_prepare();
	return setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(x2_each_allocation_of_an_exchange),
		test_case(x2_each_allocation_of_a_password),
		test_case(x2_each_allocation_of_what_the_gate_makes) };
	return cmocka_run_group_tests(tests, prepare, NULL);
}
