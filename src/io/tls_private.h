/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of TLS, shared by tls_server.c and tls_conn.c. */
#ifndef CULVER_IO_TLS_PRIVATE_H
#define CULVER_IO_TLS_PRIVATE_H

#include "io/keyprov.h"
#include "io/tls.h"

#include <openssl/ssl.h>

struct tls_host {
	SSL_CTX *ctx;
	X509 *leaf;
};

struct tls_server {
	unsigned refs;
	OSSL_LIB_CTX *lib; /* with our provider; ends after every SSL that uses it */
	struct keyprov providers;
	BIO_METHOD *bio;
	struct keyprov_signer signer;
	struct tls_host *hosts; /* [0]: for clients that name no host of ours */
	size_t n;
	const struct tls_tickets *tickets; /* NULL: no resumption */
	bool refuse_unknown;
	bool asks_certificates;
};

struct tls_conn {
	SSL *ssl;
	struct tls_server *server; /* or */
	struct tls_client *client;
	struct loop *loop;
	struct link *link;
	char alpn[16];
	const char *reason; /* why it failed; NULL: OpenSSL's own */
	char reason_text[96];
	size_t received; /* during the handshake */
	unsigned key_updates;
	bool done; /* the handshake */
	bool eof;  /* the link has ended */
};

/* Whether OpenSSL has been refused memory since the last call, in this thread. Forgets its errors.
 */
bool tls_no_memory(void);
/* A BIO over a link. NULL when there is no memory. */
BIO_METHOD *tls_conn_bio(void);
/* OpenSSL shows every message here: key updates are counted. */
void tls_conn_message(
	int sent, int version, int type, const void *p, size_t n, SSL *ssl, void *arg);

/* Whether a ticket can be sealed now. */
bool tls_tickets_ready(const struct tls_tickets *);
/* SSL_CTX_set_tlsext_ticket_key_evp_cb. */
int tls_tickets_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int seal);
/* What a session is good for: RFC 8446 4.6.1 leaves it to us. False: no memory. */
bool tls_tickets_bind(SSL *ssl, const char *service, struct str host);

#endif
