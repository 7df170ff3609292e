// SPDX-License-Identifier: Apache-2.0
/* Password verifiers by crypt(3). */
#include "auth/verifier.h"

#include "auth/saslprep.h"
#include "base/limits.h"
#include "base/scan.h"

#include <crypt.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

/* Stands in where there is no account: same scheme and cost as verifier_make's, of a password
 * nobody knows (its hash is all dots, which yescrypt never makes). */
static const char stand_in[] = "$y$j9T$culverstandinfornobody..$"
			       "...........................................";

/* ---- what it costs to try one: its parameters, as libxcrypt writes them behind the prefix ---- */

/* The number that a character is; false: none. */
static bool take_digit(struct scan *s, uint64_t *ret)
{
	static const char digits[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const char *at = scan_end(s) || *s->p == '\0' ? NULL : strchr(digits, *s->p);
	if (at == NULL)
		return false;
	s->p++;
	*ret = (uint64_t)(at - digits);
	return true;
}

/* Five of them, the lowest first. */
static bool take_digits(struct scan *s, uint64_t *ret)
{
	uint64_t digit;
	*ret = 0;
	for (unsigned i = 0; i < 5; i++) {
		if (!take_digit(s, &digit))
			return false;
		*ret |= digit << (6 * i);
	}
	return true;
}

/* N = 2^n blocks of 128 r bytes, p times. */
static bool fits(uint64_t n, uint64_t r, uint64_t p)
{
	return n < 30 && r * p <= (uint64_t)LIMIT_VERIFIER_BYTES / 128 >> n;
}

/* Of yescrypt's parameters those that crypt_gensalt gives: its flavour j, N and r, each a character
 * and counted from 1. A larger r has a second one, and so no '$' here. */
static bool yescrypt(struct scan *s)
{
	uint64_t n, r;
	return scan_char(s, 'j') && take_digit(s, &n) && take_digit(s, &r) && scan_char(s, '$') &&
	       fits(n + 1, r + 1, 1);
}

static bool scrypt(struct scan *s)
{
	uint64_t n, r, p;
	return take_digit(s, &n) && take_digits(s, &r) && take_digits(s, &p) && fits(n, r, p);
}

static bool bcrypt(struct scan *s)
{
	uint64_t cost;
	return scan_digits(s, 2, &cost) && scan_char(s, '$') && cost <= LIMIT_VERIFIER_BCRYPT;
}

static bool sha(struct scan *s)
{
	uint64_t rounds;
	if (!scan_literal_nocase(s, STR("rounds=")))
		return true; /* 5,000 */
	return scan_number(s, LIMIT_VERIFIER_ROUNDS, &rounds) && scan_char(s, '$');
}

static const struct scheme {
	const char *prefix;
	bool (*affordable)(struct scan *);
} schemes[] = {
	{ "$y$", yescrypt },
	{ "$gy$", yescrypt },
	{ "$7$", scrypt },
	{ "$2b$", bcrypt },
	{ "$2a$", bcrypt },
	{ "$2y$", bcrypt },
	{ "$6$", sha },
	{ "$5$", sha },
};

bool verifier_known(struct str verifier)
{
	if (verifier.n >= CRYPT_OUTPUT_SIZE || str_find(verifier, 0) != verifier.n)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct str prefix = str_from(schemes[i].prefix);
		struct scan s = scan_from(str_from_offset(verifier, prefix.n));
		if (str_starts(verifier, prefix))
			return schemes[i].affordable(&s);
	}
	return false;
}

/* ---- hashing ---- */

/* What crypt(3) is given. It takes less than CRYPT_MAX_PASSPHRASE_SIZE (512) bytes, so a longer
 * password is stood in for by its SHA-512 in base64. */
static void phrase_of(struct str password, struct buf *ret)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t n;
	buf_init(ret, LIMIT_PASSWORD_BYTES);
	if (password.n < CRYPT_MAX_PASSPHRASE_SIZE)
		buf_adds(ret, password);
	else if (EVP_Q_digest(NULL, "SHA512", NULL, password.p, password.n, digest, &n) == 1)
		buf_add_base64(ret, str_make(digest, n));
	mem_wipe(digest, sizeof(digest));
}

static void phrase_done(struct buf *phrase)
{
	if (phrase->n > 0)
		mem_wipe(phrase->p, phrase->n);
	buf_done(phrase);
}

static int make(struct random_seam *random, struct str prepared, struct buf *ret, struct err *err)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE], bytes[16];
	random->fill(random, bytes, sizeof(bytes));
	if (crypt_gensalt_rn("$y$", 0, bytes, sizeof(bytes), salt, sizeof(salt)) == NULL)
		return fail_errno(err, "crypt_gensalt");
	struct buf phrase;
	phrase_of(prepared, &phrase);
	struct crypt_data *data = xmalloc(sizeof(*data));
	const char *hash = phrase.n ? crypt_rn(phrase.p, salt, data, (int)sizeof(*data)) : NULL;
	int result = hash == NULL ? fail_errno(err, "crypt") : 0;
	if (hash)
		buf_addz(ret, hash);
	phrase_done(&phrase);
	mem_wipe(data, sizeof(*data));
	mem_free_p(&data);
	return result;
}

int verifier_make(struct random_seam *random, struct str password, struct buf *ret, struct err *err)
{
	struct buf prepared;
	if (password.n == 0 || password.n > LIMIT_PASSWORD_BYTES)
		return fail(err, ERR_SYNTAX, "a password has 1 to %d bytes", LIMIT_PASSWORD_BYTES);
	if (str_find(password, 0) != password.n)
		return fail(err, ERR_SYNTAX, "a password holds no NUL");
	if (!str_is_utf8(password))
		return fail(err, ERR_SYNTAX, "a password is UTF-8");
	saslprep_password(password, &prepared);
	int result = make(random, buf_str(&prepared), ret, err);
	saslprep_password_done(&prepared);
	return result;
}

static enum verdict check(struct str verifier, struct str password, bool usable)
{
	bool known = verifier_known(verifier);
	usable = usable && known;
	char *setting = str_dup(known ? verifier : str_from(stand_in));
	struct buf phrase;
	phrase_of(usable ? password : STR("-"), &phrase);
	struct crypt_data *data = xmalloc(sizeof(*data));
	errno = 0;
	const char *hash = phrase.n ? crypt_rn(phrase.p, setting, data, (int)sizeof(*data)) : NULL;
	bool no_memory = phrase.n == 0 || (hash == NULL && errno == ENOMEM);
	bool equal = hash && strlen(hash) == strlen(setting) &&
		     mem_equal_const_time(hash, setting, strlen(setting));
	phrase_done(&phrase);
	mem_wipe(data, sizeof(*data));
	mem_free_p(&setting);
	mem_free_p(&data);
	if (no_memory)
		return VERDICT_NO_MEMORY;
	return usable && equal ? VERDICT_RIGHT : VERDICT_WRONG;
}

enum verdict verifier_check(struct str verifier, struct str password)
{
	/* "The server MUST reject … passwords that fail to comply with the formal syntax in UTF-8"
	 * (RFC 6856 2.2, for PASS), passwd = 1*SAFE, in UTF-8 (RFC 4616 2): so for all. */
	bool usable = password.n > 0 && password.n <= LIMIT_PASSWORD_BYTES &&
		      str_find(password, 0) == password.n && str_is_utf8(password);
	struct buf prepared;
	saslprep_password(usable ? password : STR("-"), &prepared);
	enum verdict verdict = check(verifier, buf_str(&prepared), usable);
	/* Other systems hash what is typed, and so did we. Which of the two it is of, the verifier
	 * does not say; that this takes twice as long tells what was sent, and nothing else. */
	if (verdict == VERDICT_WRONG && usable && !str_equal(buf_str(&prepared), password))
		verdict = check(verifier, password, usable);
	saslprep_password_done(&prepared);
	return verdict;
}
