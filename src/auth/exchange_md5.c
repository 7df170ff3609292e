// SPDX-License-Identifier: Apache-2.0
/*
 * CRAM-MD5 (RFC 2195) and APOP (RFC 1939 7), for accounts that ask for them: the server must know
 * the password itself, which is kept sealed (sealed.h). Weak, and old clients know nothing else.
 */
#include "auth/exchange_private.h"

#include "auth/sealed.h"
#include "base/abnf.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { MD5_BYTES = 16 };

/* The user's name, a blank, the digest: 32 lower-case hexadecimal digits, the last word. A name may
 * have blanks. RFC 2195 2, RFC 1939 7 */
static bool name_and_digest(struct exchange *x, struct str message)
{
	size_t blank = str_find_last(message, ' ');
	struct str name = str_sub(message, 0, blank);
	struct str digest = str_from_offset(message, blank + 1);
	if (blank == message.n || name.n == 0 || name.n > LIMIT_ADDRESS_BYTES ||
		!str_is_utf8(name) || str_find(name, 0) != name.n)
		return false;
	return abnf_hex_bytes(digest, x->digest, MD5_BYTES) && buf_adds(&x->user, name);
}

/* The password of the account, or one that is nobody's; both are opened. *ret_his: it is his.
 * False: OpenSSL has no memory. */
static bool recover(
	struct exchange *x, const struct frame_credentials *c, struct buf *password, bool *ret_his)
{
	struct str sealed = exchange_secret(c, SECRET_RECOVERABLE);
	struct str nobodys = str_make(x->facts->stand_in, x->facts->stand_in_n);
	bool his = c && c->legacy_auth && sealed.n > 0;
	buf_reserve(password, SEALED_TEXT_BYTES);
	x->work++;
	enum sealed_result result = sealed_open(
		x->facts->sealed_key, his ? c->address : STR(""), his ? sealed : nobodys, password);
	*ret_his = his && result == SEALED_OPENED;
	return result != SEALED_FAILED;
}

static enum exchange_step judge(struct exchange *x, bool his, const uint8_t expected[MD5_BYTES])
{
	bool equal = mem_equal_const_time(expected, x->digest, MD5_BYTES);
	if (!his)
		return exchange_wrong(x, "unknown-user-or-not-opted-in");
	return equal ? EXCHANGE_RIGHT : exchange_wrong(x, "digest");
}

static void wipe(struct buf *password)
{
	mem_wipe(password->p, password->cap);
	buf_done(password);
}

/* ---- CRAM-MD5 ---- */

/* "<" random "." time "@" host ">"                              RFC 2195 2 */
enum exchange_step cram_begin(struct exchange *x)
{
	const struct seams *seams = x->facts->seams;
	uint64_t number[2];
	if (x->has_data)
		return exchange_bad(x, "initial-response");
	seams->random->fill(seams->random, number, sizeof(number));
	buf_addf(&x->challenge, "<%" PRIu64 "%" PRIu64 ".%" PRId64 "@%s>", number[0], number[1],
		seams->clock->wall_ms(seams->clock), x->facts->hostname);
	return EXCHANGE_CHALLENGE;
}

enum exchange_step cram_response(struct exchange *x, struct str message)
{
	if (x->user.n > 0 || !name_and_digest(x, message))
		return exchange_bad(x, "not-a-response");
	return EXCHANGE_ACCOUNT;
}

enum exchange_step cram_account(
	struct exchange *x, const struct frame_credentials *c, struct str name)
{
	uint8_t expected[MD5_BYTES] = { 0 };
	unsigned n = 0;
	struct buf password;
	(void)name;
	buf_init(&password, SEALED_TEXT_BYTES);
	bool his, good = recover(x, c, &password, &his);
	x->work++;
	good = good && HMAC(EVP_md5(), password.p, (int)password.n, (const uint8_t *)x->challenge.p,
			       x->challenge.n, expected, &n) != NULL;
	wipe(&password);
	return good ? judge(x, his, expected) : exchange_no_memory(x);
}

/* ---- APOP ---- */

/* The front made the greeting's timestamp, and sends it along. */
enum exchange_step apop_begin(struct exchange *x)
{
	if (!x->has_data || x->greeting.n == 0 || !name_and_digest(x, buf_str(&x->data)))
		return exchange_bad(x, "not-apop");
	return EXCHANGE_ACCOUNT;
}

/* MD5 of the timestamp, "including angle-brackets, followed by a shared secret".  RFC 1939 7 */
enum exchange_step apop_account(
	struct exchange *x, const struct frame_credentials *c, struct str name)
{
	uint8_t expected[MD5_BYTES] = { 0 };
	struct buf password;
	(void)name;
	buf_init(&password, SEALED_TEXT_BYTES);
	bool his, good = recover(x, c, &password, &his);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	x->work++;
	good = good && md && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1 &&
	       EVP_DigestUpdate(md, x->greeting.p, x->greeting.n) == 1 &&
	       EVP_DigestUpdate(md, password.p, password.n) == 1 &&
	       EVP_DigestFinal_ex(md, expected, NULL) == 1;
	EVP_MD_CTX_free(md);
	wipe(&password);
	return good ? judge(x, his, expected) : exchange_no_memory(x);
}
