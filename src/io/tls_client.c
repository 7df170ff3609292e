// SPDX-License-Identifier: Apache-2.0
/*
 * The client's side of TLS (see tls.h): whom it believes, and that the other end is who it was
 * meant to be. What it believes is read while files may still be opened; the handshakes need none.
 */
#include "io/tls_private.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <unistd.h>

/* Where distributions keep the certificates that everybody believes: Debian and its kin, Fedora's
 * and its kin, Alpine and the BSDs. */
static const char *const bundles[] = { "/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem" };

struct tls_client {
	unsigned refs;
	SSL_CTX *ctx;
	BIO_METHOD *bio;
};

static const char *bundle(const char *file)
{
	for (size_t i = 0; file == NULL && i < ARRAY_LEN(bundles); i++)
		if (access(bundles[i], R_OK) == 0)
			file = bundles[i];
	return file;
}

/* T2: nothing below TLS 1.2, no anonymous or broken ciphers (OpenSSL's security level 2). */
static int set_up(struct tls_client *c, const char *file, struct err *err)
{
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->bio = tls_conn_bio();
	if (c->ctx == NULL || c->bio == NULL ||
		SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1)
		return fail(err, ERR_TEMP, "no memory for TLS");
	SSL_CTX_set_security_level(c->ctx, 2);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_msg_callback(c->ctx, tls_conn_message);
	const char *from = bundle(file);
	if (from == NULL)
		return fail(err, ERR_CONFIG,
			"no certificates of authorities are installed (ca-certificates), and none "
			"were named (--ca)");
	if (SSL_CTX_load_verify_file(c->ctx, from) != 1)
		return fail(err, ERR_CONFIG, "%s can't be read, or holds no certificates", from);
	return 0;
}

struct tls_client *tls_client_new(const char *file, struct err *err)
{
	struct tls_client *c = xmalloc(sizeof(*c));
	c->refs = 1;
	int rc = set_up(c, file, err);
	ERR_clear_error();
	if (rc < 0)
		tls_client_free(&c);
	return c;
}

struct tls_client *tls_client_ref(struct tls_client *c)
{
	c->refs++;
	return c;
}

void tls_client_free(struct tls_client **client)
{
	struct tls_client *c = *client;
	*client = NULL;
	if (c == NULL || --c->refs > 0)
		return;
	SSL_CTX_free(c->ctx);
	BIO_meth_free(c->bio);
	free(c);
}

/* RFC 6125 6.4: a name in a certificate's names, an address in its addresses. The
 * name goes into the handshake, an address does not (RFC 6066 3). */
static bool expect_host(SSL *ssl, const char *host)
{
	unsigned char address[16];
	bool is_address = inet_pton(AF_INET, host, address) == 1 ||
			  inet_pton(AF_INET6, host, address) == 1;
	if (is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct tls_conn *tls_conn_to(
	struct tls_client *client, struct loop *loop, struct link *link, const char *host)
{
	struct tls_conn *c = xmalloc(sizeof(*c));
	c->loop = loop;
	c->link = link;
	c->ssl = SSL_new(client->ctx);
	BIO *bio = BIO_new(client->bio);
	if (c->ssl == NULL || bio == NULL || !expect_host(c->ssl, host)) {
		SSL_free(c->ssl);
		BIO_free(bio);
		free(c);
		return NULL;
	}
	c->client = tls_client_ref(client);
	BIO_set_data(bio, c);
	SSL_set_app_data(c->ssl, c);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_connect_state(c->ssl);
	return c;
}
