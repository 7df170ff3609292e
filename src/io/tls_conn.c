// SPDX-License-Identifier: Apache-2.0
/*
 * One TLS connection over a link (see tls.h). A BIO of our own reads and writes the link, so that
 * the same code runs over the operating system and in a simulation, and counts what comes before
 * the handshake is done.
 */
#include "io/tls_private.h"

#include "api/session.h"
#include "base/limits.h"

#include <errno.h>
#include <openssl/err.h>

/* ---- the BIO ---- */

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

static int bio_read(BIO *bio, char *p, int n)
{
	struct tls_conn *c = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (c->eof || c->reason != NULL || n <= 0)
		return c->eof ? 0 : -1;
	ssize_t got = c->loop->class->link_read(c->link, p, (size_t)n, NULL);
	if (got == -EAGAIN)
		BIO_set_retry_read(bio);
	if (got <= 0) {
		c->eof = got == 0;
		return got == 0 ? 0 : -1;
	}
	if (!c->done && c->server && (c->received += (size_t)got) > LIMIT_HANDSHAKE_BYTES) {
		c->reason = "the TLS handshake is too long";
		return -1;
	}
	return (int)got;
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct tls_conn *c = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (n <= 0)
		return 0;
	ssize_t sent = c->loop->class->link_write(c->link, p, (size_t)n, -1);
	if (sent == -EAGAIN)
		BIO_set_retry_write(bio);
	return sent > 0 ? (int)sent : -1;
}

static long bio_control(BIO *bio, int command, long number, void *p)
{
	const struct tls_conn *c = BIO_get_data(bio);
	(void)number;
	(void)p;
	if (command == BIO_CTRL_EOF)
		return c->eof;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_conn_bio(void)
{
	/* The type is for BIO_find_type() alone, which nobody asks for ours. */
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | 100, "link");
	if (m == NULL)
		return NULL;
	BIO_meth_set_create(m, bio_create);
	BIO_meth_set_read(m, bio_read);
	BIO_meth_set_write(m, bio_write);
	BIO_meth_set_ctrl(m, bio_control);
	return m;
}

/* ---- the connection ---- */

void tls_conn_message(int sent, int version, int type, const void *p, size_t n, SSL *ssl, void *arg)
{
	struct tls_conn *c = SSL_get_app_data(ssl);
	(void)version;
	(void)arg;
	/* T5: each makes us derive keys and answer. RFC 8446 4.6.3 */
	if (c == NULL || sent || type != SSL3_RT_HANDSHAKE || n == 0 ||
		*(const unsigned char *)p != SSL3_MT_KEY_UPDATE)
		return;
	if (++c->key_updates > LIMIT_KEY_UPDATES)
		c->reason = "too many TLS key updates";
}

static void ask_certificate(SSL *ssl);

struct tls_conn *tls_conn_new(
	struct tls_server *server, struct loop *loop, struct link *link, const char *alpn)
{
	struct tls_conn *c = xmalloc(sizeof(*c));
	c->loop = loop;
	c->link = link;
	snprintf(c->alpn, sizeof(c->alpn), "%s", alpn != NULL ? alpn : "");
	c->ssl = SSL_new(server->hosts[0].ctx);
	BIO *bio = BIO_new(server->bio);
	/* Callbacks find the connection by it: without memory for that there is none. */
	if (c->ssl == NULL || bio == NULL || SSL_set_app_data(c->ssl, c) != 1) {
		SSL_free(c->ssl);
		BIO_free(bio);
		free(c);
		return NULL;
	}
	c->server = tls_server_ref(server);
	BIO_set_data(bio, c);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_accept_state(c->ssl);
	if (server->asks_certificates)
		ask_certificate(c->ssl);
	return c;
}

/* What OpenSSL's return value means. */
static enum tls_result result(struct tls_conn *c, int r)
{
	/* The bound that was passed ends it even when OpenSSL would go on. */
	if (c->reason != NULL)
		return TLS_FAILED;
	if (r > 0)
		return TLS_OK;
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_END;
	default:
		break;
	}
	if (c->client && SSL_get_verify_result(c->ssl) != X509_V_OK) {
		snprintf(c->reason_text, sizeof(c->reason_text), "the server's certificate: %s",
			X509_verify_cert_error_string(SSL_get_verify_result(c->ssl)));
		c->reason = c->reason_text;
		ERR_clear_error();
		return TLS_FAILED;
	}
	unsigned long error = ERR_peek_error();
	const char *text = ERR_reason_error_string(error);
	if (text == NULL)
		text = c->eof ? "the connection ended" : "the other side is gone";
	snprintf(c->reason_text, sizeof(c->reason_text), "TLS: %s", text);
	c->reason = c->reason_text;
	ERR_clear_error();
	return TLS_FAILED;
}

enum tls_result tls_conn_handshake(struct tls_conn *c)
{
	(void)tls_no_memory(); /* what was */
	enum tls_result r = result(c, SSL_do_handshake(c->ssl));
	if (r == TLS_OK) {
		c->done = true;
		/* From now on many small records are one read. */
		SSL_set_read_ahead(c->ssl, 1);
	}
	return r;
}

enum tls_result tls_conn_read(struct tls_conn *c, void *p, size_t n, size_t *ret_n)
{
	ERR_clear_error();
	return result(c, SSL_read_ex(c->ssl, p, n, ret_n));
}

enum tls_result tls_conn_write(struct tls_conn *c, const void *p, size_t n, size_t *ret_n)
{
	ERR_clear_error();
	return result(c, SSL_write_ex(c->ssl, p, n, ret_n));
}

enum tls_result tls_conn_end(struct tls_conn *c)
{
	ERR_clear_error();
	int r = SSL_shutdown(c->ssl);
	/* 0: ours is sent and theirs has not come, for which nobody waits. */
	return r >= 0 ? TLS_OK : result(c, r);
}

bool tls_conn_pending(const struct tls_conn *c)
{
	return SSL_has_pending(c->ssl) == 1;
}

const char *tls_conn_reason(const struct tls_conn *c)
{
	return c->reason != NULL ? c->reason : "TLS ended";
}

void tls_conn_info(const struct tls_conn *c, char version[16], char cipher[64])
{
	snprintf(version, 16, "%s", SSL_get_version(c->ssl));
	snprintf(cipher, 64, "%s", SSL_CIPHER_standard_name(SSL_get_current_cipher(c->ssl)));
}

/* ---- what both ends know of the connection ---- */

/* RFC 9266 2: label, empty context, 32 bytes. */
static bool export(SSL *ssl, struct session_bindings *b)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return true;
	b->exporter_n = sizeof(b->exporter);
	return SSL_export_keying_material(ssl, b->exporter, sizeof(b->exporter), label,
		       sizeof(label) - 1, (const unsigned char *)"", 0, 1) == 1;
}

/* "if the certificate's signatureAlgorithm uses ... MD5 or SHA-1, then use SHA-256"; RFC 5929 4.1
 */
static bool hash_certificate(X509 *x, struct session_bindings *b)
{
	int digest = NID_undef;
	unsigned n = 0;
	if (x == NULL || X509_get_signature_info(x, &digest, NULL, NULL, NULL) != 1)
		return !tls_no_memory();
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	const EVP_MD *md = EVP_get_digestbynid(digest);
	if (md == NULL || EVP_MD_get_size(md) > (int)sizeof(b->endpoint))
		return true;
	bool good = X509_digest(x, md, b->endpoint, &n) == 1;
	b->endpoint_n = n;
	return good;
}

/* "The certificate validity period includes the current time." RFC 5280 6.1.3 (a)(2) */
static bool is_valid_at(const X509 *x, time_t now)
{
	return X509_cmp_time(X509_get0_notBefore(x), &now) < 0 &&
	       X509_cmp_time(X509_get0_notAfter(x), &now) > 0;
}

bool tls_conn_bindings(const struct tls_conn *c, int64_t now_s, struct session_bindings *ret)
{
	unsigned n = 0;
	*ret = (struct session_bindings){ .exporter_n = 0 };
	(void)tls_no_memory(); /* what was */
	bool good = export(c->ssl, ret);
	/* A resumed session does not say which of several certificates its first one showed. */
	if (SSL_session_reused(c->ssl) == 0)
		good = good && hash_certificate(SSL_get_certificate(c->ssl), ret);
	X509 *client = SSL_get0_peer_certificate(c->ssl);
	if (client && is_valid_at(client, (time_t)now_s))
		good = good && X509_digest(client, EVP_sha256(), ret->certificate, &n) == 1;
	ret->certificate_n = n;
	ERR_clear_error();
	return good;
}

void tls_server_ask_certificates(struct tls_server *server)
{
	server->asks_certificates = true;
}

static void ask_certificate(SSL *ssl)
{
	static const unsigned char context[] = "culver";
	SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
	SSL_set_session_id_context(ssl, context, sizeof(context) - 1);
}

void tls_conn_free(struct tls_conn **conn)
{
	struct tls_conn *c = *conn;
	if (c == NULL)
		return;
	SSL_free(c->ssl);
	tls_server_free(&c->server);
	tls_client_free(&c->client);
	free(c);
	*conn = NULL;
}
