/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and 1.3: the server's side, with private keys that live in another process, and the
 * client's.
 *
 * A tls_server is made from certificate chains and a signer; each handshake asks the signer for one
 * signature by the key's id (io/keyprov.c is the OpenSSL provider that does). A reload makes a new
 * one; streams keep the one they began with until they end.
 *
 *     certificates = tls_certificates_new();
 *     tls_certificates_add(certificates, key_id, pem, &err) …
 *     server = tls_server_new(certificates, sign, arg, &err);
 *     stream_start_tls(stream, server, "imap");
 *
 * Policy: ECDHE alone (hostile-input T6), AEAD before CBC with SHA-2, no compression, no
 * renegotiation (T5), no early data, resumption by TLS 1.3 tickets alone (T8), a registered ALPN
 * name or none (T4), a bounded handshake (T7), the end of TLS told apart from the end of the
 * connection (T11).
 *
 * uses: base, OpenSSL; used by: io/stream, process/front
 */
#ifndef CULVER_IO_TLS_H
#define CULVER_IO_TLS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/seams.h"
#include "io/loop.h"

/* Signs a digest with the key of that id. scheme: enum key_scheme (api/schemes.h). The signature is
 * appended: DER for ECDSA, as the scheme's RFC says for RSA. May block for LIMIT_KEYS_MS. 0 or -1.
 */
typedef int tls_sign_function(void *arg, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err);

/* What to say of one whose key nobody has: it is missing, or the file begins with another's. */
#define TLS_NO_PRIVATE_KEY                                                                         \
	"no file in keys/ has its private key (in a chain the server's own certificate comes "     \
	"first)"

struct tls_certificates;
struct tls_certificates *tls_certificates_new(void);
/* One chain, leaf first, as PEM, and the id of the leaf's key. -1 with ERR_CONFIG: not
 * certificates, a key that is neither RSA of 2048 bits or more nor ECDSA on P-256 or P-384, or too
 * many. */
int tls_certificates_add(struct tls_certificates *, struct str key_id, struct str chain_pem,
	struct err *err) MUST_CHECK;
void tls_certificates_free(struct tls_certificates **);

/* What is in a chain's leaf. */
struct tls_certificate_info {
	char key_id[65]; /* as *keys* names the key that fits it */
	char hosts[301]; /* the DNS names that it is for, with blanks between; as many as fit */
	int64_t begins_s, expires_s; /* since 1970 */
	bool ec;                     /* ECDSA, else RSA */
};
/* -1 and ERR_CONFIG: not a certificate chain. ERR_TEMP, here, above and below: OpenSSL has no
 * memory. */
int tls_certificate_info(
	struct str chain_pem, struct tls_certificate_info *ret, struct err *err) MUST_CHECK;

/* ---- resumption by TLS 1.3 tickets (RFC 8446 4.6.1) ---- */

/* The keys that tickets are sealed with: of this hour and the one before, never more. A ticket is
 * good for the service (its ALPN name) and the server name that it was given out for (T8). */
struct tls_tickets;
struct tls_tickets *tls_tickets_new(struct clock_seam *);
/* The hour (since 1970) whose key is missing now, or 0: it is there. */
uint64_t tls_tickets_missing(const struct tls_tickets *);
/* key: LIMIT_TICKET_KEY_BYTES bytes. */
void tls_tickets_put(struct tls_tickets *, uint64_t hour, const uint8_t *key);
void tls_tickets_free(struct tls_tickets **);

struct session_bindings; /* api/session.h */
struct tls_server;
/* The certificates are copied. A client that names a host gets the certificate for it: exact names
 * before wildcards, which stand for one whole label (RFC 6125 6.4.3). The first is shown to clients
 * that name no host, or one that no certificate is for. Certificates for the same names with keys
 * of different kinds stand side by side. NULL and err when there is none or OpenSSL refuses one. */
struct tls_server *tls_server_new(const struct tls_certificates *, tls_sign_function *sign,
	void *arg, struct err *err) MUST_CHECK;
struct tls_server *tls_server_ref(struct tls_server *);
/* Drops one reference. */
void tls_server_free(struct tls_server **);
/* What may be set before the first connection. refuse_unknown: a client that names a host that no
 * certificate is for gets alert 112 (RFC 6066 3) instead of the first certificate. tickets:
 * borrowed until the last reference is dropped; NULL: no resumption. */
void tls_server_set(struct tls_server *, bool refuse_unknown, const struct tls_tickets *tickets);
/* From now on clients are asked for a certificate, and need not have one. Whose it is, is not
 * asked: it may be self-signed, and stands for its key alone, which the client has proved to hold.
 */
void tls_server_ask_certificates(struct tls_server *);
/* Forces everything that OpenSSL would do lazily, files it would open included. Called by roles
 * that use OpenSSL before their sandbox closes. Ends the process when there is no memory: what
 * OpenSSL could not begin it does not begin again. */
void tls_prepare(void);

/* ---- the client's side ---- */

/* Whom a client believes: a file of certificates (PEM), or, NULL, the system's. Read at once, with
 * everything else that needs files: after it a sandbox may close. TLS 1.2 and 1.3; the other end's
 * certificate must be for the host that was meant (RFC 6125 6), and stand below one that is
 * believed. */
struct tls_client;
struct tls_client *tls_client_new(const char *file, struct err *err) MUST_CHECK;
struct tls_client *tls_client_ref(struct tls_client *);
/* Drops one reference. */
void tls_client_free(struct tls_client **);

/* ---- one connection, for stream.c ---- */

struct tls_conn;
enum tls_result {
	TLS_OK,
	TLS_WANT_READ,  /* nothing more before bytes arrive */
	TLS_WANT_WRITE, /* nothing more before bytes leave */
	TLS_END,        /* close_notify came: no more input */
	TLS_FAILED      /* dead: tls_conn_reason() */
};

/* Over a link, which stays the caller's. alpn: the protocol's registered name, or NULL. */
struct tls_conn *tls_conn_new(struct tls_server *, struct loop *, struct link *, const char *alpn);
/* To a server: host is the name, or the address, that its certificate must be for. NULL: no memory,
 * or no such name is possible. */
struct tls_conn *tls_conn_to(struct tls_client *, struct loop *, struct link *, const char *host);
enum tls_result tls_conn_handshake(struct tls_conn *);
enum tls_result tls_conn_read(struct tls_conn *, void *p, size_t n, size_t *ret_n);
enum tls_result tls_conn_write(struct tls_conn *, const void *p, size_t n, size_t *ret_n);
/* Sends close_notify. TLS_OK: it is on its way. */
enum tls_result tls_conn_end(struct tls_conn *);
/* Whether decrypted or undecrypted bytes wait inside, of which the link knows nothing. */
bool tls_conn_pending(const struct tls_conn *);
const char *tls_conn_reason(const struct tls_conn *);
/* Once it is up: "TLSv1.3", and the cipher suite by its name in IANA's registry. */
void tls_conn_info(const struct tls_conn *, char version[16], char cipher[64]);
/* After the handshake: channel bindings, and the fingerprint of the client's certificate, if it is
 * within its dates (RFC 5280 6.1.3 (a)(2)): one that is not vouches for nobody. now_s: since 1970.
 * What there is none of stays empty: an exporter in TLS 1.2 without the extended master secret (RFC
 * 9266 1), an end point whose signature has no hash of its own (RFC 5929 4.1). False: OpenSSL has
 * no memory, and what there is is not known. */
bool tls_conn_bindings(
	const struct tls_conn *, int64_t now_s, struct session_bindings *) MUST_CHECK;
void tls_conn_free(struct tls_conn **);

#endif
