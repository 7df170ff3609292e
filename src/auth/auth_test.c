// SPDX-License-Identifier: Apache-2.0
/* Tickets and verifiers. */
#include "auth/ticket.h"
#include "auth/verifier.h"
#include "base/limits.h"
#include "base/test.h"

#include <time.h>

static const uint8_t key[TICKET_KEY_BYTES] = { 1, 2, 3 };
static const uint8_t other_key[TICKET_KEY_BYTES] = { 1, 2, 4 };

static void a_ticket_opens_for_its_front_alone(void **state)
{
	(void)state;
	struct ticket t = {
		.instance = 7, .account = 42, .epoch = 3, .rights = 2, .expires_ms = 1000
	};
	struct ticket u;
	struct err err = ERR_INIT;
	struct buf b;
	buf_init(&b, TICKET_MAX_BYTES);
	assert_true(ticket_seal(key, &t, &b));
	assert_int_equal(ticket_open(key, buf_str(&b), 7, 999, &u, &err), 0);
	assert_true(u.account == 42 && u.epoch == 3 && u.rights == 2 && u.expires_ms == 1000);
	assert_int_equal(ticket_open(key, buf_str(&b), 8, 999, &u, &err), -1);
	assert_int_equal(ticket_open(key, buf_str(&b), 7, 1000, &u, &err), -1);
	assert_int_equal(ticket_open(other_key, buf_str(&b), 7, 999, &u, &err), -1);
	assert_int_equal(err.kind, ERR_EXPIRED);
	for (size_t i = 0; i < b.n * 8; i++) { /* every bit matters */
		b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << (i % 8));
		assert_int_equal(ticket_open(key, buf_str(&b), 7, 999, &u, &err), -1);
		b.p[i / 8] = (char)(b.p[i / 8] ^ 1 << (i % 8));
	}
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(ticket_open(key, str_make(b.p, n), 7, 999, &u, &err), -1);
	buf_done(&b);
}

static void a_verifier_knows_its_password(void **state)
{
	(void)state;
	struct random_fake random;
	struct err err = ERR_INIT;
	struct buf v;
	char longest[LIMIT_PASSWORD_BYTES + 1];
	random_fake_init(&random, 1);
	buf_init(&v, 256);
	assert_int_equal(verifier_make(&random.seam, STR("p\xc3\xa4ss word"), &v, &err), 0);
	assert_true(str_starts(buf_str(&v), STR("$y$")));
	assert_true(verifier_check(buf_str(&v), STR("p\xc3\xa4ss word")));
	assert_false(verifier_check(buf_str(&v), STR("p\xc3\xa4ss worD")));
	assert_false(verifier_check(buf_str(&v), STR("")));
	assert_false(verifier_check(STR(""), STR("")));
	assert_false(verifier_check(STR("p"), STR("p")));
	assert_int_equal(verifier_make(&random.seam, STR(""), &v, &err), -1);
	assert_int_equal(verifier_make(&random.seam, STR("a\0b"), &v, &err), -1);
	memset(longest, 'x', sizeof(longest));
	/* crypt(3) takes 511 bytes; all of a longer password counts nevertheless */
	for (size_t n = 510; n <= 513; n++) {
		buf_clear(&v);
		assert_int_equal(verifier_make(&random.seam, str_make(longest, n), &v, &err), 0);
		assert_true(verifier_check(buf_str(&v), str_make(longest, n)));
		assert_false(verifier_check(buf_str(&v), str_make(longest, n + 1)));
	}
	for (size_t n = LIMIT_PASSWORD_BYTES - 1; n <= LIMIT_PASSWORD_BYTES + 1; n++) {
		struct str password = str_make(longest, n);
		bool good = n <= LIMIT_PASSWORD_BYTES;
		buf_clear(&v);
		assert_int_equal(verifier_make(&random.seam, password, &v, &err), good ? 0 : -1);
		assert_int_equal(verifier_check(buf_str(&v), password), good);
	}
	buf_done(&v);
}

/* Verifiers of other systems, made with openssl passwd -5 / -6 and htpasswd's bcrypt. */
static void common_schemes_are_accepted(void **state)
{
	(void)state;
	assert_true(verifier_check(STR("$5$saltsalt$Sas4JWfBYQQ9sT8/6y2BMDNXFGQYZK5dN0zIoVYkRv3"),
			    STR("nope")) == false);
	assert_true(verifier_known(STR("$6$x$y")));
	assert_true(verifier_known(STR("$2y$05$x")));
	assert_false(verifier_known(STR("$1$x$y")));
	assert_false(verifier_known(STR("abJnggxhB/yWI")));
}

static void crypt_schemes_of_others_check(void **state)
{
	(void)state;
	/* Made with `openssl passwd -5`, `openssl passwd -6` and Python's crypt. */
	static const char *const made[] = {
		"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
		"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
		"O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
		"$2b$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK",
	};
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		assert_true(verifier_check(str_from(made[i]), STR("Hello world!")));
		assert_false(verifier_check(str_from(made[i]), STR("Hello world")));
	}
}

/* A verifier says what it costs to try it, and whoever keeps the store may have written it. Each
 * kind at half of its limit or below, at it and above; then what no crypt(3) makes. */
static void a_verifier_has_its_price(void **state)
{
	(void)state;
	_Static_assert(LIMIT_VERIFIER_BYTES == 64 << 20 && LIMIT_VERIFIER_BCRYPT == 14 &&
			       LIMIT_VERIFIER_ROUNDS == 1000000,
		"as below");
	static const char *const good[] = { /* 32 and 64 MiB; the library's own is 16, $y$j9T$ */
		"$y$j9T$salt$hash", "$y$jAT$salt$hash", "$y$jBT$salt$hash", "$gy$jBT$salt$hash",
		"$y$jD5$salt$hash", "$7$BU..../....salt$hash", "$7$CU..../....salt$hash",
		"$2b$13$x", "$2y$14$x", "$2a$04$x", "$5$salt$hash", "$6$rounds=999999$salt$hash",
		"$6$rounds=1000000$salt$hash", "$5$rounds=1000000$salt$hash"
	};
	static const char *const bad[] = { "$y$jCT$salt$hash", "$gy$jCT$salt$hash",
		"$y$jE5$salt$hash", "$y$jBU$salt$hash", "$7$DU..../....salt$hash",
		"$7$CV..../....salt$hash", "$7$CU....0....salt$hash", "$2b$15$x", "$2y$31$x",
		"$6$rounds=1000001$salt$hash", "$5$rounds=999999999$salt$hash",
		/* more parameters, or no number at all */
		"$y$j9T..$salt$hash", "$y$j9T", "$y$j9", "$y$", "$y$.9T$salt$hash",
		"$7$zzzzzzzzzzz", "$7$CU..", "$7$CUzzzz/....salt$hash", "$7$CU..../zzzzsalt$hash",
		"$2b$x", "$2b$", "$6$rounds=$x", "$6$rounds=18446744073709551617$x",
		"$y$j*T$salt$hash" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!verifier_known(str_from(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (verifier_known(str_from(bad[i])))
			fail_msg("%s", bad[i]);
}

/* RFC 4616 2, RFC 4013 3: U+2168 is "IX", U+00AD is nothing, a + U+0308 is U+00E4. */
static void one_spelling_is_as_good_as_another(void **state)
{
	(void)state;
	static const struct str spellings[] = { STR_INIT("IX p\xc3\xa4ss"),
		STR_INIT("\xe2\x85\xa8 p\xc3\xa4ss"), STR_INIT("I\xc2\xadX\xc2\xa0pa\xcc\x88ss") };
	struct random_fake random;
	struct err err = ERR_INIT;
	struct buf v;
	random_fake_init(&random, 1);
	buf_init(&v, 256);
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		buf_clear(&v);
		assert_int_equal(verifier_make(&random.seam, spellings[i], &v, &err), 0);
		for (size_t j = 0; j < ARRAY_LEN(spellings); j++)
			assert_int_equal(verifier_check(buf_str(&v), spellings[j]), VERDICT_RIGHT);
		assert_int_equal(verifier_check(buf_str(&v), STR("IX p\xc3\xa5ss")), VERDICT_WRONG);
	}
	buf_done(&v);
}

/* The verifier is of what was typed, U+2168 and all: made by Python's crypt. */
static void what_others_hashed_as_it_was_is_still_good(void **state)
{
	(void)state;
	static const char typed[] = "$5$saltstring$4dVqi1JhpS3SmaZwKsuM93Kzp9za3cgtQLLqAQzd6uA";
	assert_int_equal(
		verifier_check(str_from(typed), STR("\xe2\x85\xa8-roman99")), VERDICT_RIGHT);
	assert_int_equal(verifier_check(str_from(typed), STR("IX-roman99")), VERDICT_WRONG);
}

/* What SASLprep prohibits (a control) is itself, as it always was. */
static void what_can_not_be_prepared_is_itself(void **state)
{
	(void)state;
	static const struct str odd[] = { STR_INIT("bell\a99"), STR_INIT("bell\a\xc3\xa9") };
	struct random_fake random;
	struct err err = ERR_INIT;
	struct buf v;
	random_fake_init(&random, 1);
	buf_init(&v, 256);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		buf_clear(&v);
		assert_int_equal(verifier_make(&random.seam, odd[i], &v, &err), 0);
		assert_int_equal(verifier_check(buf_str(&v), odd[i]), VERDICT_RIGHT);
	}
	buf_done(&v);
}

/* RFC 6856 2.2, RFC 4616 2: it can't be set, and a verifier of it (made by openssl passwd -5) opens
 * nothing. */
static void what_is_no_utf8_is_nobodys_password(void **state)
{
	(void)state;
	static const char latin[] = "$5$saltstring$5E/KvRn9sph.4YI.1a9jD3vs/cxMRfDfmioK9xZUp78";
	struct random_fake random;
	struct err err = ERR_INIT;
	struct buf v;
	random_fake_init(&random, 1);
	buf_init(&v, 256);
	assert_int_equal(verifier_make(&random.seam, STR("latin\xe4 1"), &v, &err), -1);
	assert_int_equal(err.kind, ERR_SYNTAX);
	assert_int_equal(v.n, 0);
	assert_int_equal(verifier_check(str_from(latin), STR("latin\xe4 1")), VERDICT_WRONG);
	buf_done(&v);
}

static int64_t thread_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* A1 in small: an account that does not exist costs a hash of the same kind. */
static void A1_nobody_costs_as_much_as_somebody(void **state)
{
	(void)state;
	struct random_fake random;
	struct err err = ERR_INIT;
	struct buf v;
	random_fake_init(&random, 1);
	buf_init(&v, 256);
	assert_int_equal(verifier_make(&random.seam, STR("secret"), &v, &err), 0);
	int64_t a = thread_ns();
	enum verdict first = verifier_check(buf_str(&v), STR("wrong"));
	int64_t b = thread_ns();
	enum verdict second = verifier_check(STR(""), STR("wrong"));
	int64_t c = thread_ns();
	assert_true(first == VERDICT_WRONG && second == VERDICT_WRONG);
	assert_true((c - b) * 4 > b - a && c - b < (b - a) * 4);
	buf_done(&v);
}

TEST_MAIN(test_case(a_ticket_opens_for_its_front_alone), test_case(a_verifier_knows_its_password),
	test_case(a_verifier_has_its_price), test_case(common_schemes_are_accepted),
	test_case(crypt_schemes_of_others_check), test_case(one_spelling_is_as_good_as_another),
	test_case(what_others_hashed_as_it_was_is_still_good),
	test_case(what_can_not_be_prepared_is_itself),
	test_case(what_is_no_utf8_is_nobodys_password),
	test_case(A1_nobody_costs_as_much_as_somebody))
