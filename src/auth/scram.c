// SPDX-License-Identifier: Apache-2.0
/* SCRAM's messages: grammar (RFC 5802 7) and the proof. The verifier is in scram_verifier.c. */
#include "auth/scram.h"

#include "auth/mac.h"
#include "auth/saslprep.h"
#include "base/scan.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

const char *scram_reason(enum scram_result r)
{
	static const char *const names[] = {
		[SCRAM_FINE] = "",
		[SCRAM_BAD_ENCODING] = "invalid-encoding",
		[SCRAM_BAD_USER] = "invalid-username-encoding",
		[SCRAM_EXTENSION] = "extensions-not-supported",
		[SCRAM_PROOF] = "invalid-proof",
		[SCRAM_BINDING_DIFFERS] = "channel-bindings-dont-match",
		[SCRAM_DOWNGRADE] = "server-does-support-channel-binding",
		[SCRAM_NO_BINDING_HERE] = "channel-binding-not-supported",
		[SCRAM_BINDING_UNKNOWN] = "unsupported-channel-binding-type",
		[SCRAM_OTHER] = "other-error",
		[SCRAM_NO_MEMORY] = "no-resources",
	};
	return names[r];
}

void scram_init(struct scram *x)
{
	*x = (struct scram){ .plus = false };
	buf_init(&x->user, LIMIT_SCRAM_MESSAGE_BYTES);
	buf_init(&x->authzid, LIMIT_SCRAM_MESSAGE_BYTES);
	buf_init(&x->gs2, LIMIT_SCRAM_MESSAGE_BYTES);
	buf_init(&x->nonce, LIMIT_SCRAM_MESSAGE_BYTES);
	buf_init(&x->auth, 4 * LIMIT_SCRAM_MESSAGE_BYTES);
}

void scram_done(struct scram *x)
{
	buf_done(&x->user);
	buf_done(&x->authzid);
	buf_done(&x->gs2);
	buf_done(&x->nonce);
	buf_done(&x->auth);
	mem_wipe(&x->verifier, sizeof(x->verifier));
	mem_wipe(x->keys, sizeof(x->keys));
}

/* ---- grammar ---- */

static bool is_printable(char c)
{
	return c > 0x20 && c < 0x7f && c != ',';
}

static bool is_binding_name(char c)
{
	return abnf_is_alpha(c) || abnf_is_digit(c) || c == '.' || c == '-';
}

/* letter "=" value up to the next ",", which is left. */
static bool attribute(struct scan *s, char letter, struct str *ret)
{
	struct scan at = *s;
	if (!scan_char(&at, letter) || !scan_char(&at, '='))
		return false;
	if (!scan_until(&at, ',', ret)) {
		*ret = scan_rest(&at);
		at.p = at.end;
	}
	if (ret->n == 0)
		return false;
	*s = at;
	return true;
}

/* ["," extensions]: attr-val each; unknown ones "MUST be ignored", m "MUST" not. */
static enum scram_result extensions(struct scan *s)
{
	while (!scan_end(s)) {
		struct str value;
		struct scan at = *s;
		if (!scan_char(&at, ',') || scan_end(&at) || !abnf_is_alpha(*at.p))
			return SCRAM_BAD_ENCODING;
		char letter = *at.p;
		if (!attribute(&at, letter, &value))
			return SCRAM_BAD_ENCODING;
		if (letter == 'm')
			return SCRAM_EXTENSION;
		*s = at;
	}
	return SCRAM_FINE;
}

/* saslname = 1*(value-safe-char / "=2C" / "=3D"), decoded and prepared. */
static bool saslname(struct str encoded, struct buf *out)
{
	AUTO(buf_done)
	struct buf name;
	buf_init(&name, LIMIT_SCRAM_MESSAGE_BYTES);
	while (encoded.n) {
		size_t plain = str_find(encoded, '=');
		buf_adds(&name, str_sub(encoded, 0, plain));
		encoded = str_from_offset(encoded, plain);
		if (encoded.n == 0)
			break;
		if (!str_starts(encoded, STR("=2C")) && !str_starts(encoded, STR("=3D")))
			return false;
		buf_addc(&name, encoded.p[1] == '2' ? ',' : '=');
		encoded = str_from_offset(encoded, 3);
	}
	return !name.full && saslprep(buf_str(&name), out);
}

/* gs2-cbind-flag = ("p=" cb-name) / "n" / "y"                  RFC 5802 6, 7 */
static enum scram_result binding_flag(struct scram *x, struct scan *s)
{
	if (scan_char(s, 'p')) {
		if (!scan_char(s, '='))
			return SCRAM_BAD_ENCODING;
		struct str name = scan_while(s, is_binding_name);
		if (!x->plus)
			return SCRAM_NO_BINDING_HERE;
		if (str_equal(name, STR("tls-exporter")))
			x->binding = x->bindings.exporter;
		else if (str_equal(name, STR("tls-server-end-point")))
			x->binding = x->bindings.endpoint;
		return x->binding.n ? SCRAM_FINE : SCRAM_BINDING_UNKNOWN;
	}
	if (scan_char(s, 'y'))
		return x->plus_announced ? SCRAM_DOWNGRADE
		       : x->plus         ? SCRAM_BAD_ENCODING
					 : SCRAM_FINE;
	/* -PLUS without a binding would be none. RFC 5802 6 */
	return scan_char(s, 'n') && !x->plus ? SCRAM_FINE : SCRAM_BAD_ENCODING;
}

/* gs2-header = gs2-cbind-flag "," [ authzid ] "," */
static enum scram_result gs2_header(struct scram *x, struct scan *s)
{
	struct str authzid;
	enum scram_result r = binding_flag(x, s);
	if (r != SCRAM_FINE)
		return r;
	if (!scan_char(s, ','))
		return SCRAM_BAD_ENCODING;
	if (attribute(s, 'a', &authzid) && !saslname(authzid, &x->authzid))
		return SCRAM_BAD_USER;
	return scan_char(s, ',') ? SCRAM_FINE : SCRAM_BAD_ENCODING;
}

/* client-first-message-bare = [reserved-mext ","] username "," nonce ["," extensions] */
static enum scram_result first_bare(struct scram *x, struct scan *s)
{
	struct str value;
	if (attribute(s, 'm', &value))
		return SCRAM_EXTENSION;
	if (!attribute(s, 'n', &value) || !scan_char(s, ','))
		return SCRAM_BAD_ENCODING;
	if (!saslname(value, &x->user))
		return SCRAM_BAD_USER;
	if (!attribute(s, 'r', &value) || value.n > LIMIT_SCRAM_NONCE_BYTES)
		return SCRAM_BAD_ENCODING;
	struct scan nonce = scan_from(value);
	scan_while(&nonce, is_printable);
	if (!scan_end(&nonce))
		return SCRAM_BAD_ENCODING;
	buf_adds(&x->nonce, value);
	return extensions(s);
}

enum scram_result scram_client_first(struct scram *x, struct str message)
{
	struct scan s = scan_from(message);
	if (message.n > LIMIT_SCRAM_MESSAGE_BYTES || str_find(message, 0) != message.n)
		return SCRAM_BAD_ENCODING;
	enum scram_result r = gs2_header(x, &s);
	if (r != SCRAM_FINE)
		return r;
	struct str bare = scan_rest(&s);
	buf_add(&x->gs2, message.p, message.n - bare.n);
	r = first_bare(x, &s);
	buf_adds(&x->auth, bare);
	return r;
}

static void add_key(struct scram *x, const struct scram_verifier *v)
{
	struct scram_key *k = &x->keys[x->n_keys++];
	memcpy(k->stored_key, v->stored_key, sizeof(k->stored_key));
	memcpy(k->server_key, v->server_key, sizeof(k->server_key));
	k->used = !v->stands_in;
}

size_t scram_add(struct scram *x, const struct scram_verifier *v)
{
	if (x->n_keys == SCRAM_KEYS || v->iterations != x->verifier.iterations ||
		v->salt_n != x->verifier.salt_n ||
		memcmp(v->salt, x->verifier.salt, v->salt_n) != 0)
		return 0;
	add_key(x, v);
	return x->n_keys - 1;
}

void scram_server_first(
	struct scram *x, const struct scram_verifier *v, struct str nonce, struct buf *out)
{
	size_t from = out->n;
	x->verifier = *v;
	x->n_keys = 0;
	add_key(x, v);
	buf_adds(&x->nonce, nonce);
	buf_addf(out, "r=%" STR_FMT ",s=", STR_ARG(buf_str(&x->nonce)));
	buf_add_base64(out, str_make(v->salt, v->salt_n));
	buf_addf(out, ",i=%u", v->iterations);
	buf_addc(&x->auth, ',');
	buf_adds(&x->auth, str_from_offset(buf_str(out), from));
}

/* ---- the proof ---- */

/* HMAC and hash, looked up once for all keys. */
struct prover {
	EVP_MAC *mac;
	EVP_MAC_CTX *keyed;
	EVP_MD *md;
	EVP_MD_CTX *hash;
};

static bool prover_init(struct prover *p)
{
	char name[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
		OSSL_PARAM_construct_end(),
	};
	p->mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	p->keyed = p->mac ? EVP_MAC_CTX_new(p->mac) : NULL;
	p->md = EVP_MD_fetch(NULL, name, NULL);
	p->hash = EVP_MD_CTX_new();
	return p->keyed && p->md && p->hash && EVP_MAC_CTX_set_params(p->keyed, params) == 1;
}

static void prover_done(struct prover *p)
{
	EVP_MAC_CTX_free(p->keyed);
	EVP_MAC_free(p->mac);
	EVP_MD_CTX_free(p->hash);
	EVP_MD_free(p->md);
}

/* ClientKey := ClientProof XOR HMAC(StoredKey, AuthMessage); its hash is StoredKey. RFC 5802 3
 * False: OpenSSL fails. */
static bool check_proof(struct scram *x, const struct prover *p, const struct scram_key *k,
	struct str proof, bool *ret_right)
{
	uint8_t key[SCRAM_HASH_BYTES], hash[SCRAM_HASH_BYTES];
	size_t n = 0;
	x->work += 2;
	bool good = EVP_MAC_init(p->keyed, k->stored_key, sizeof(k->stored_key), NULL) == 1 &&
		    EVP_MAC_update(p->keyed, (const uint8_t *)x->auth.p, x->auth.n) == 1 &&
		    EVP_MAC_final(p->keyed, key, &n, sizeof(key)) == 1 && n == sizeof(key);
	for (size_t i = 0; good && i < sizeof(key); i++)
		key[i] ^= (uint8_t)proof.p[i];
	good = good && EVP_DigestInit_ex2(p->hash, p->md, NULL) == 1 &&
	       EVP_DigestUpdate(p->hash, key, sizeof(key)) == 1 &&
	       EVP_DigestFinal_ex(p->hash, hash, NULL) == 1;
	*ret_right = good && mem_equal_const_time(hash, k->stored_key, sizeof(hash));
	mem_wipe(key, sizeof(key));
	return good;
}

/* All are tried, those that are nobody's too. */
static enum scram_result find_key(
	struct scram *x, struct str proof, const struct scram_key **ret_key)
{
	const struct scram_key *found = NULL;
	struct prover p;
	bool good = prover_init(&p);
	for (size_t i = 0; good && i < SCRAM_KEYS; i++) {
		const struct scram_key *k = &x->keys[i];
		bool right;
		good = check_proof(x, &p, k, proof, &right);
		if (!right || !k->used || found)
			continue;
		found = k;
		x->key = i;
	}
	prover_done(&p);
	*ret_key = found;
	return !good ? SCRAM_NO_MEMORY : found ? SCRAM_FINE : SCRAM_PROOF;
}

/* "c=" base64 of gs2-header and the binding's bytes: exactly what we saw and see. */
static bool binding_matches(const struct scram *x, struct str encoded)
{
	AUTO(buf_done)
	struct buf given;
	buf_init(&given, LIMIT_SCRAM_MESSAGE_BYTES);
	size_t header = x->gs2.n;
	return buf_add_base64_decoded(&given, encoded) && given.n == header + x->binding.n &&
	       memcmp(given.p, x->gs2.p, header) == 0 &&
	       (x->binding.n == 0 ||
		       mem_equal_const_time(given.p + header, x->binding.p, x->binding.n));
}

/* The proof is last: ",p=" of the last comma, which base64 has not. */
static bool split_proof(struct str message, struct str *ret_without, struct buf *ret_proof)
{
	size_t comma = str_find_last(message, ',');
	struct scan s = scan_from(str_from_offset(message, comma + 1));
	struct str encoded;
	if (comma == message.n || !attribute(&s, 'p', &encoded) ||
		!buf_add_base64_decoded(ret_proof, encoded) || ret_proof->n != SCRAM_HASH_BYTES)
		return false;
	*ret_without = str_sub(message, 0, comma);
	return true;
}

/* client-final-message = channel-binding "," nonce ["," extensions] "," proof */
enum scram_result scram_client_final(struct scram *x, struct str message, struct buf *out)
{
	AUTO(buf_done)
	struct buf proof;
	struct str without, binding, nonce;
	uint8_t signature[SCRAM_HASH_BYTES];
	buf_init(&proof, 64);
	if (message.n > LIMIT_SCRAM_MESSAGE_BYTES || !split_proof(message, &without, &proof))
		return SCRAM_BAD_ENCODING;
	struct scan s = scan_from(without);
	if (!attribute(&s, 'c', &binding) || !scan_char(&s, ',') || !attribute(&s, 'r', &nonce))
		return SCRAM_BAD_ENCODING;
	enum scram_result r = extensions(&s);
	if (r != SCRAM_FINE)
		return r;
	if (!binding_matches(x, binding))
		return SCRAM_BINDING_DIFFERS;
	/* A4: another exchange's nonce is no use here. */
	if (!str_equal(nonce, buf_str(&x->nonce)))
		return SCRAM_OTHER;
	buf_addc(&x->auth, ',');
	if (!buf_adds(&x->auth, without) || x->auth.full)
		return SCRAM_BAD_ENCODING;
	const struct scram_key *key;
	r = find_key(x, buf_str(&proof), &key);
	if (r != SCRAM_FINE)
		return r;
	if (!mac_sha256(str_make(key->server_key, SCRAM_HASH_BYTES), buf_str(&x->auth), signature))
		return SCRAM_NO_MEMORY;
	buf_addz(out, "v=");
	buf_add_base64(out, str_make(signature, sizeof(signature)));
	return SCRAM_FINE;
}
