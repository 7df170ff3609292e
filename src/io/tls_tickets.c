// SPDX-License-Identifier: Apache-2.0
/*
 * Keys of session tickets (see tls.h). A ticket holds all that resuming needs, so nothing is kept
 * for it here: it is sealed with the key of the hour, which *keys* derives for the class of this
 * front, and opened with that or the one before. What it is good for is in it as the session id
 * context.
 */
#include "io/tls_private.h"

#include "base/limits.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

enum { NAME_BYTES = 16, CIPHER_BYTES = 32, MAC_BYTES = 32, HOUR_MS = 3600 * 1000 };
_Static_assert(NAME_BYTES + CIPHER_BYTES + MAC_BYTES == LIMIT_TICKET_KEY_BYTES,
	"a ticket key has three parts");

struct ticket_key {
	uint64_t hour; /* 0: none */
	uint8_t name[NAME_BYTES], cipher[CIPHER_BYTES], mac[MAC_BYTES];
};

struct tls_tickets {
	struct clock_seam *clock;
	struct ticket_key keys[2]; /* [0]: the newer */
};

struct tls_tickets *tls_tickets_new(struct clock_seam *clock)
{
	struct tls_tickets *t = xmalloc(sizeof(*t));
	t->clock = clock;
	return t;
}

void tls_tickets_free(struct tls_tickets **tickets)
{
	if (*tickets == NULL)
		return;
	mem_wipe(*tickets, sizeof(**tickets));
	free(*tickets);
	*tickets = NULL;
}

static uint64_t this_hour(const struct tls_tickets *t)
{
	return (uint64_t)t->clock->wall_ms(t->clock) / HOUR_MS;
}

uint64_t tls_tickets_missing(const struct tls_tickets *t)
{
	uint64_t hour = this_hour(t);
	return t->keys[0].hour == hour ? 0 : hour;
}

void tls_tickets_put(struct tls_tickets *t, uint64_t hour, const uint8_t *key)
{
	struct ticket_key *k = &t->keys[0];
	if (k->hour != hour)
		t->keys[1] = *k;
	k->hour = hour;
	memcpy(k->name, key, NAME_BYTES);
	memcpy(k->cipher, key + NAME_BYTES, CIPHER_BYTES);
	memcpy(k->mac, key + NAME_BYTES + CIPHER_BYTES, MAC_BYTES);
}

/* Of this hour or the one before. A clock that was set back makes the others useless too. */
static bool is_fresh(const struct tls_tickets *t, const struct ticket_key *k)
{
	uint64_t hour = this_hour(t);
	return k->hour != 0 && (k->hour == hour || k->hour + 1 == hour);
}

bool tls_tickets_ready(const struct tls_tickets *t)
{
	return t != NULL && is_fresh(t, &t->keys[0]);
}

static const struct ticket_key *key_named(const struct tls_tickets *t, const unsigned char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(t->keys); i++)
		if (is_fresh(t, &t->keys[i]) && memcmp(t->keys[i].name, name, NAME_BYTES) == 0)
			return &t->keys[i];
	return NULL;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct ticket_key *k)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
					(void *)(uintptr_t)k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end() };
	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: the key is set; 0: no such key, so a whole handshake; -1: OpenSSL fails. */
int tls_tickets_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int seal)
{
	const struct tls_conn *conn = SSL_get_app_data(ssl);
	const struct tls_tickets *t = conn->server->tickets;
	const struct ticket_key *k = t == NULL ? NULL : seal ? &t->keys[0] : key_named(t, name);
	if (k == NULL)
		return 0;
	EVP_CIPHER *aes = EVP_CIPHER_fetch(conn->server->lib, "AES-256-CBC", NULL);
	int good = aes != NULL && set_mac(mac, k);
	if (good && seal) {
		memcpy(name, k->name, NAME_BYTES);
		good = RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes)) == 1 &&
		       EVP_EncryptInit_ex2(cipher, aes, k->cipher, iv, NULL) == 1;
	} else if (good) {
		good = EVP_DecryptInit_ex2(cipher, aes, k->cipher, iv, NULL) == 1;
	}
	EVP_CIPHER_free(aes);
	return good ? 1 : -1;
}

/* OpenSSL resumes no session whose context is another one; TLS 1.3 leaves the name unbound
 * (RFC 8446 4.6.1 speaks of the certificate alone). */
bool tls_tickets_bind(SSL *ssl, const char *service, struct str host)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1 &&
		    EVP_DigestUpdate(ctx, service, strlen(service) + 1) == 1;
	for (size_t i = 0; good && i < host.n; i++) {
		char c = ascii_lower(host.p[i]);
		good = EVP_DigestUpdate(ctx, &c, 1) == 1;
	}
	good = good && EVP_DigestFinal_ex(ctx, digest, &n) == 1 &&
	       SSL_set_session_id_context(ssl, digest, n) == 1;
	EVP_MD_CTX_free(ctx);
	return good;
}
