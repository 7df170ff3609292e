/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the server's side, without I/O.
 *
 *     struct scram x = { .plus = …, .plus_announced = …, .bindings = … };
 *     scram_client_first(&x, message)            then x.user is known: look its verifier up
 *     scram_server_first(&x, &verifier, nonce, &out)     send out, await the client's answer
 *     scram_add(&x, &another)                    each further password that the account has
 *     scram_client_final(&x, message, &out)      SCRAM_FINE: send out (v=…), it is him, by x.key
 *
 * Everything is computed alike whether the verifier is somebody's or stands in for nobody's
 * (scram_verifier_stand_in), and as often however many passwords there are (SCRAM_KEYS), so neither
 * time nor words tell who exists and who has what.
 *
 * On a failure the exchange ends at once, without a server-final-message ("MAY conclude the SASL
 * exchange with a failure", RFC 5802 5.1 e): the reason is for the log, under its name of 7.
 *
 * uses: base, OpenSSL; used by: auth/exchange
 */
#ifndef CULVER_AUTH_SCRAM_H
#define CULVER_AUTH_SCRAM_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/seams.h"

enum {
	SCRAM_HASH_BYTES = 32,
	SCRAM_SALT_BYTES = 16,
	SCRAM_KEYS = 1 + LIMIT_SECRETS /* tried in one exchange: the password and app passwords */
};

struct scram_verifier {
	uint32_t iterations;
	uint8_t salt[LIMIT_SCRAM_SALT_BYTES];
	size_t salt_n;
	uint8_t stored_key[SCRAM_HASH_BYTES], server_key[SCRAM_HASH_BYTES];
	bool stands_in; /* for nobody's */
};

/* The salt of a name, of a secret key and the name: the same for each of its passwords, since it is
 * sent before the client has shown which one it has, and for a name that is nobody's. False, here
 * and below: OpenSSL has no memory. */
bool scram_salt(const uint8_t key[32], struct str name, uint8_t ret[SCRAM_SALT_BYTES]) MUST_CHECK;
/* Of a password: SASLprep, PBKDF2 with SCRAM_ITERATIONS over the salt (RFC 5802 3). What can't
 * be prepared is taken as it is: clients that accept such a password do the same. Takes some ten
 * milliseconds. */
bool scram_verifier_make(const uint8_t salt[SCRAM_SALT_BYTES], struct str password,
	struct scram_verifier *ret) MUST_CHECK;
/* Whether it is as scram_verifier_make makes it now, with this salt. */
bool scram_verifier_is_current(
	const struct scram_verifier *, const uint8_t salt[SCRAM_SALT_BYTES]) MUST_CHECK;
/* Stands in for a name that has none: the name's salt, and keys that fit no password. */
bool scram_verifier_stand_in(
	const uint8_t key[32], struct str name, struct scram_verifier *ret) MUST_CHECK;
/* As it is kept, text as in RFC 5803 3:
 * SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey, the last three in base64. */
void scram_verifier_write(const struct scram_verifier *, struct buf *out);
/* False: not of this form, or iterations outside LIMIT_SCRAM_ITERATIONS_MIN to _MAX. */
bool scram_verifier_read(struct str text, struct scram_verifier *ret) MUST_CHECK;

/* How it ended. All but the first are failures; names in scram_reason. */
enum scram_result {
	SCRAM_FINE,
	SCRAM_BAD_ENCODING, /* not this grammar */
	SCRAM_BAD_USER,     /* invalid UTF-8, a stray '=', SASLprep failed */
	SCRAM_EXTENSION,    /* m=: "MUST cause authentication failure" RFC 5802 5.1 */
	SCRAM_PROOF,
	SCRAM_BINDING_DIFFERS,
	SCRAM_DOWNGRADE, /* y, although -PLUS was announced. RFC 5802 6 */
	SCRAM_NO_BINDING_HERE,
	SCRAM_BINDING_UNKNOWN, /* of a type that we have not */
	SCRAM_OTHER,
	SCRAM_NO_MEMORY /* OpenSSL's: nothing is known of the proof */
};
/* The server-error-value of RFC 5802 7. */
const char *scram_reason(enum scram_result);

/* Channel bindings of the connection's TLS; empty: there is none of the kind. */
struct scram_bindings {
	struct str exporter; /* "tls-exporter", RFC 9266 2 */
	struct str endpoint; /* "tls-server-end-point", RFC 5929 4.1 */
};

struct scram_key {
	uint8_t stored_key[SCRAM_HASH_BYTES], server_key[SCRAM_HASH_BYTES];
	bool used; /* false: nobody's, tried all the same */
};

struct scram {
	/* set by the caller */
	bool plus;                      /* the mechanism is the -PLUS one */
	bool plus_announced;            /* and it was announced to the client */
	struct scram_bindings bindings; /* outlives the exchange */
	/* the client's, prepared; authzid is empty when none was given */
	struct buf user, authzid;
	size_t key; /* SCRAM_FINE at the end: which, 0 that of scram_server_first */
	/* inside */
	struct str binding;             /* the one that the client chose; empty: none */
	struct buf gs2, auth, nonce;    /* gs2-header; AuthMessage as it grows; both nonces */
	struct scram_verifier verifier; /* the first one: salt and iterations are for all */
	struct scram_key keys[SCRAM_KEYS];
	size_t n_keys;
	unsigned work; /* HMACs and hashes so far */
};

void scram_init(struct scram *);
void scram_done(struct scram *); /* wipes */
enum scram_result scram_client_first(struct scram *, struct str message) MUST_CHECK;
/* The verifier is copied. nonce: our part, fresh randomness as printable text without a comma.
 * Appends server-first-message. */
void scram_server_first(
	struct scram *, const struct scram_verifier *, struct str nonce, struct buf *out);
/* Its number; 0: it is of another salt or other iterations, and so no use here, or there are
 * SCRAM_KEYS. */
size_t scram_add(struct scram *, const struct scram_verifier *);
/* SCRAM_FINE: appends server-final-message. */
enum scram_result scram_client_final(
	struct scram *, struct str message, struct buf *out) MUST_CHECK;

#endif
