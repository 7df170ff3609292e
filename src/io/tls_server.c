// SPDX-License-Identifier: Apache-2.0
/*
 * What a server shows and accepts in TLS (see tls.h): certificates, their choice by the client's
 * server name, versions, ciphers, ALPN. One SSL_CTX a certificate; a certificate for the same name
 * with a key of the other kind is in it too, and OpenSSL chooses by what the client can verify.
 */
#include "io/tls_private.h"

#include "base/limits.h"

#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

/* ECDHE alone (T6), AEAD first; CBC with SHA-2 for servers of 2012. RSA key exchange, SHA-1, RC4
 * and the like are not in it (T2). */
#define CIPHERS_12 "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES+SHA256:ECDHE+AES+SHA384:!aNULL"
#define GROUPS     "X25519:P-256:P-384"
/* What the keys process signs (api/schemes.h). */
#define SIGALGS                                                                                    \
	"ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"                  \
	"RSA+SHA256:RSA+SHA384:RSA+SHA512"

/* ---- memory ---- */

/* OpenSSL tries many ways to read a key or a certificate, and forgets of all but the last why they
 * failed; so its allocations are ours. */
static _Thread_local bool refused;

static void *note(void *p, size_t n)
{
	if (p == NULL && n > 0)
		refused = true;
	return p;
}

static void *allocate(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return note(malloc(n), n);
}

static void *reallocate(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return note(realloc(p, n), n);
}

static void release(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

bool tls_no_memory(void)
{
	bool was = refused;
	refused = false;
	ERR_clear_error();
	return was;
}

static int no_memory(struct err *err)
{
	return fail(err, ERR_TEMP, "no memory for TLS");
}

/* ---- certificates ---- */

struct certificate {
	char key_id[KEYPROV_ID_BYTES];
	char *pem;
	size_t pem_n;
};

struct tls_certificates {
	size_t n;
	struct certificate items[LIMIT_CERTIFICATES];
};

/* A chain as OpenSSL has it. */
struct chain {
	X509 *leaf;
	STACK_OF(X509) * rest;
};

static void chain_done(struct chain *c)
{
	X509_free(c->leaf);
	sk_X509_pop_free(c->rest, X509_free);
	*c = (struct chain){ 0 };
}

struct tls_certificates *tls_certificates_new(void)
{
	return xmalloc(sizeof(struct tls_certificates));
}

static X509 *read_one(OSSL_LIB_CTX *lib, BIO *bio)
{
	X509 *x = X509_new_ex(lib, NULL);
	if (x != NULL && PEM_read_bio_X509(bio, &x, NULL, NULL) == NULL) {
		X509_free(x);
		return NULL;
	}
	return x;
}

/* 0 or -1. What follows the last certificate must be nothing. */
static int chain_read(OSSL_LIB_CTX *lib, struct str pem, struct chain *ret, struct err *err)
{
	if (pem.n > INT32_MAX)
		return fail(err, ERR_CONFIG, "the certificate is too long");
	(void)tls_no_memory(); /* what was */
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	struct chain c = { .rest = sk_X509_new_null() };
	if (bio != NULL && c.rest != NULL)
		c.leaf = read_one(lib, bio);
	int n = 1;
	for (X509 *x; c.leaf != NULL && n <= LIMIT_CHAIN && (x = read_one(lib, bio)) != NULL; n++)
		if (sk_X509_push(c.rest, x) == 0)
			X509_free(x);
	unsigned long last = ERR_peek_last_error();
	bool end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
	BIO_free(bio);
	if (tls_no_memory()) {
		chain_done(&c);
		return no_memory(err);
	}
	if (c.leaf == NULL || n > LIMIT_CHAIN || !end) {
		chain_done(&c);
		return fail(err, ERR_CONFIG,
			n > LIMIT_CHAIN ? "the certificate chain is too long"
					: "this is not a certificate chain in PEM");
	}
	*ret = c;
	return 0;
}

/* Whether keys can sign for it in TLS. */
static bool key_kind_known(const EVP_PKEY *key)
{
	const char *kind = keyprov_kind(key);
	return kind && strcmp(kind, "ED25519") != 0;
}

int tls_certificates_add(
	struct tls_certificates *all, struct str key_id, struct str chain_pem, struct err *err)
{
	AUTO(chain_done)
	struct chain chain = { 0 };
	if (all->n == ARRAY_LEN(all->items))
		return fail(err, ERR_CONFIG, "too many certificates");
	if (key_id.n == 0 || key_id.n >= KEYPROV_ID_BYTES || str_find(key_id, '\0') != key_id.n)
		return fail(err, ERR_CONFIG, "not a key id");
	if (chain_read(NULL, chain_pem, &chain, err) != 0)
		return -1;
	EVP_PKEY *key = X509_get0_pubkey(chain.leaf);
	if (key == NULL || !key_kind_known(key))
		return tls_no_memory() ? no_memory(err)
				       : fail(err, ERR_CONFIG,
						 "the certificate's key must be RSA of 2048 bits "
						 "or more, P-256 or P-384");
	struct certificate *c = &all->items[all->n++];
	memcpy(c->key_id, key_id.p, key_id.n);
	c->pem = xmemdup0(chain_pem.p, chain_pem.n);
	c->pem_n = chain_pem.n;
	return 0;
}

static void add_hosts(X509 *leaf, char *to, size_t room)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	size_t at = 0;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		struct str host = str_make(ASN1_STRING_get0_data(name->d.dNSName),
			(size_t)ASN1_STRING_length(name->d.dNSName));
		if (str_has_control(host) || at + host.n + 2 > room)
			continue;
		at += (size_t)snprintf(
			to + at, room - at, "%s%" STR_FMT, at > 0 ? " " : "", STR_ARG(host));
	}
	GENERAL_NAMES_free(names);
}

/* Since 1970. */
static int64_t seconds_of(const ASN1_TIME *time)
{
	int days = 0, seconds = 0;
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int good = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
	ASN1_TIME_free(epoch);
	return good ? (int64_t)days * 86400 + seconds : 0;
}

int tls_certificate_info(struct str chain_pem, struct tls_certificate_info *ret, struct err *err)
{
	AUTO(chain_done)
	struct chain chain = { 0 };
	*ret = (struct tls_certificate_info){ 0 };
	if (chain_read(NULL, chain_pem, &chain, err) != 0)
		return -1;
	EVP_PKEY *key = X509_get0_pubkey(chain.leaf);
	if (key == NULL || !keyprov_id(key, ret->key_id))
		return tls_no_memory() ? no_memory(err)
				       : fail(err, ERR_CONFIG,
						 "the certificate's key is of no kind we know");
	ret->ec = EVP_PKEY_is_a(key, "EC");
	ret->begins_s = seconds_of(X509_get0_notBefore(chain.leaf));
	ret->expires_s = seconds_of(X509_get0_notAfter(chain.leaf));
	add_hosts(chain.leaf, ret->hosts, sizeof(ret->hosts));
	return 0;
}

void tls_certificates_free(struct tls_certificates **all)
{
	if (*all == NULL)
		return;
	for (size_t i = 0; i < (*all)->n; i++)
		free((*all)->items[i].pem);
	free(*all);
	*all = NULL;
}

/* ---- callbacks of a handshake ---- */

/* The names of a certificate are its alternative names alone (RFC 6125 6.4.4 lets us), and a
 * wildcard stands for one whole label (RFC 6125 6.4.3). */
enum { CHECK_NAMES = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS };

/* RFC 6066 3: the name comes "without a trailing dot", but from clients that send what they were
 * given with one. */
static const struct tls_host *host_named(
	const struct tls_server *server, const char *name, unsigned flags)
{
	size_t n = strlen(name);
	if (n > 1 && name[n - 1] == '.')
		n--;
	for (size_t i = 0; i < server->n; i++)
		if (X509_check_host(server->hosts[i].leaf, name, n, flags, NULL) == 1)
			return &server->hosts[i];
	return NULL;
}

/* The certificate for the name that the client asks for. When there is none RFC 6066 3 has us go on
 * or send alert 112. We go on: SMTP servers must (RFC 7672 8.1: a client may know us by several
 * names and can send but one), a client that checks sees the wrong name for itself, and one that
 * does not is still encrypted. */
static int choose_host(SSL *ssl, int *alert, void *arg)
{
	const struct tls_server *server = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	if (name == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	const struct tls_host *host = host_named(
		server, name, CHECK_NAMES | X509_CHECK_FLAG_NO_WILDCARDS);
	if (host == NULL)
		host = host_named(server, name, CHECK_NAMES);
	/* Without memory for either, the client would get another host's certificate. */
	if (host == NULL ? tls_no_memory() : SSL_set_SSL_CTX(ssl, host->ctx) == NULL) {
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	if (host == NULL && server->refuse_unknown) {
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

/* The host name of a ClientHello that OpenSSL has not parsed yet. RFC 6066 3: a list of one entry
 * of type 0. Empty when there is none or it is malformed, which is refused later. */
static struct str hello_host(SSL *ssl)
{
	const unsigned char *p;
	size_t n;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) != 1 || n < 5 ||
		p[2] != TLSEXT_NAMETYPE_host_name || ((size_t)p[3] << 8 | p[4]) != n - 5)
		return STR("");
	return str_make(p + 5, n - 5);
}

/* RFC 8446 4.2.1 */
static bool hello_offers_13(SSL *ssl)
{
	const unsigned char *p;
	size_t n;
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n) != 1)
		return false;
	for (size_t i = 1; i + 1 < n; i += 2)
		if (p[i] == TLS1_3_VERSION >> 8 && p[i + 1] == (TLS1_3_VERSION & 0xff))
			return true;
	return false;
}

/* Before OpenSSL looks at a ticket: what it must be good for. No tickets in TLS 1.2, where one
 * would hold the keys of the whole session (T8), and none while there is no fresh key for them. */
static int look_at_hello(SSL *ssl, int *alert, void *arg)
{
	const struct tls_conn *conn = SSL_get_app_data(ssl);
	(void)arg;
	if (!tls_tickets_ready(conn->server->tickets) || !hello_offers_13(ssl)) {
		SSL_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_set_num_tickets(ssl, 0);
		return SSL_CLIENT_HELLO_SUCCESS;
	}
	if (tls_tickets_bind(ssl, conn->alpn, hello_host(ssl)))
		return SSL_CLIENT_HELLO_SUCCESS;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

static bool offers(const unsigned char *in, unsigned int n, const char *name)
{
	size_t length = strlen(name);
	for (unsigned int i = 0; i < n; i += 1u + in[i])
		if (in[i] == length && i + length < n && memcmp(in + i + 1, name, length) == 0)
			return true;
	return false;
}

/* T4: who offers names, and not ours, wants another protocol: alert 120 (RFC 7301 3.2). SMTP has no
 * registered name, so there only those who say that they speak something else are refused. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
	const unsigned char *in, unsigned int in_n, void *arg)
{
	static const char *const others[] = { "http/1.1", "http/1.0", "h2", "h3", "imap", "pop3",
		"ftp", "managesieve", "nntp", "xmpp-client", "irc" };
	const struct tls_conn *conn = SSL_get_app_data(ssl);
	(void)arg;
	if (conn->alpn[0] == '\0') {
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			if (offers(in, in_n, others[i]))
				return SSL_TLSEXT_ERR_ALERT_FATAL;
		return SSL_TLSEXT_ERR_NOACK;
	}
	if (!offers(in, in_n, conn->alpn))
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = (const unsigned char *)conn->alpn;
	*out_n = (unsigned char)strlen(conn->alpn);
	return SSL_TLSEXT_ERR_OK;
}

/* T9: a client's certificate is a key and nothing else here, so what it and its chain say is not
 * looked at: nothing is built, no signature of theirs checked, no constraint read. How many there
 * are is bounded with the handshake (LIMIT_HANDSHAKE_BYTES). */
static int take_any_chain(X509_STORE_CTX *x, void *unused)
{
	(void)unused;
	X509_STORE_CTX_set_error(x, X509_V_OK);
	return 1;
}

/* ---- what OpenSSL would do lazily ---- */

/* At the first use of an operation OpenSSL makes all of its algorithms, and what it had no memory
 * for then is missing for as long as the context lives. */
static bool load_everything(OSSL_LIB_CTX *lib)
{
	unsigned char byte;
	bool good;
	(void)tls_no_memory(); /* what was */
	EVP_MD *md = EVP_MD_fetch(lib, "SHA2-256", NULL);
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(lib, "AES-256-GCM", NULL);
	EVP_MAC *mac = EVP_MAC_fetch(lib, "HMAC", NULL);
	EVP_KDF *kdf = EVP_KDF_fetch(lib, "HKDF", NULL);
	EVP_KEYMGMT *keys = EVP_KEYMGMT_fetch(lib, "EC", NULL);
	EVP_KEYEXCH *exchange = EVP_KEYEXCH_fetch(lib, "X25519", NULL);
	EVP_SIGNATURE *signature = EVP_SIGNATURE_fetch(lib, "ECDSA", NULL);
	OSSL_DECODER *decoder = OSSL_DECODER_fetch(lib, "EC", NULL);
	OSSL_ENCODER *encoder = OSSL_ENCODER_fetch(lib, "EC", NULL);
	good = md && cipher && mac && kdf && keys && exchange && signature && decoder && encoder &&
	       RAND_bytes_ex(lib, &byte, 1, 0) == 1 && RAND_priv_bytes_ex(lib, &byte, 1, 0) == 1;
	EVP_MD_free(md);
	EVP_CIPHER_free(cipher);
	EVP_MAC_free(mac);
	EVP_KDF_free(kdf);
	EVP_KEYMGMT_free(keys);
	EVP_KEYEXCH_free(exchange);
	EVP_SIGNATURE_free(signature);
	OSSL_DECODER_free(decoder);
	OSSL_ENCODER_free(encoder);
	return !tls_no_memory() && good;
}

/* ---- the server ---- */

static SSL_CTX *context_new(struct tls_server *server)
{
	SSL_CTX *ctx = SSL_CTX_new_ex(server->lib, "?provider=default", TLS_server_method());
	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* T8: tickets alone, of which nothing is kept here. Two, since a client that opens several
	 * connections uses each once (RFC 8446 C.4). */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 2);
	SSL_CTX_set_timeout(ctx, LIMIT_TICKET_S);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, tls_tickets_key);
	SSL_CTX_set_client_hello_cb(ctx, look_at_hello, NULL);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, take_any_chain, NULL);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	SSL_CTX_set_tlsext_servername_callback(ctx, choose_host);
	SSL_CTX_set_tlsext_servername_arg(ctx, server);
	SSL_CTX_set_msg_callback(ctx, tls_conn_message);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(ctx, CIPHERS_12) != 1 ||
		SSL_CTX_set1_groups_list(ctx, GROUPS) != 1 ||
		SSL_CTX_set1_sigalgs_list(ctx, SIGALGS) != 1) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static bool context_use(
	struct tls_server *server, SSL_CTX *ctx, const struct chain *chain, const char *key_id)
{
	EVP_PKEY *key = keyprov_key(
		server->lib, X509_get0_pubkey(chain->leaf), &server->signer, key_id);
	bool good = key != NULL && SSL_CTX_use_certificate(ctx, chain->leaf) == 1 &&
		    SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
		    SSL_CTX_set1_chain(ctx, chain->rest) == 1;
	EVP_PKEY_free(key);
	return good;
}

/* Whether b's certificate may stand beside a's: the same host, a key of the other kind. What memory
 * is missing for is not: tls_no_memory() says so then. */
static bool stands_beside(const struct chain *a, const struct chain *b)
{
	bool ec_a = EVP_PKEY_is_a(X509_get0_pubkey(a->leaf), "EC");
	bool ec_b = EVP_PKEY_is_a(X509_get0_pubkey(b->leaf), "EC");
	GENERAL_NAMES *names = X509_get_ext_d2i(a->leaf, NID_subject_alt_name, NULL, NULL);
	bool same = false;
	for (int i = 0; ec_a != ec_b && !same && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS)
			continue;
		const char *host = (const char *)ASN1_STRING_get0_data(name->d.dNSName);
		size_t n = (size_t)ASN1_STRING_length(name->d.dNSName);
		same = X509_check_host(b->leaf, host, n, 0, NULL) == 1;
	}
	GENERAL_NAMES_free(names);
	return same;
}

static int hosts_make(struct tls_server *server, const struct tls_certificates *all,
	const struct chain *chains, struct err *err)
{
	(void)tls_no_memory(); /* what was */
	for (size_t i = 0; i < all->n; i++) {
		struct tls_host *host = &server->hosts[i];
		host->ctx = context_new(server);
		server->n = i + 1;
		X509_up_ref(chains[i].leaf);
		host->leaf = chains[i].leaf;
		bool good = host->ctx != NULL &&
			    context_use(server, host->ctx, &chains[i], all->items[i].key_id);
		for (size_t j = 0, beside = 0; good && beside == 0 && j < all->n; j++) {
			if (j == i || !stands_beside(&chains[i], &chains[j]))
				continue;
			good = context_use(server, host->ctx, &chains[j], all->items[j].key_id);
			beside++;
		}
		const char *why = good ? NULL : ERR_reason_error_string(ERR_peek_error());
		if (tls_no_memory())
			return no_memory(err);
		if (!good)
			return fail(err, ERR_CONFIG,
				"OpenSSL refuses the certificate of key %s: %s",
				all->items[i].key_id, why ? why : "no reason given");
	}
	return 0;
}

static int server_fill(
	struct tls_server *server, const struct tls_certificates *all, struct err *err)
{
	struct chain *chains = xcalloc(all->n, sizeof(*chains));
	int r = 0;
	for (size_t i = 0; r == 0 && i < all->n; i++)
		r = chain_read(server->lib, str_make(all->items[i].pem, all->items[i].pem_n),
			&chains[i], err);
	if (r == 0)
		r = hosts_make(server, all, chains, err);
	for (size_t i = 0; i < all->n; i++)
		chain_done(&chains[i]);
	free(chains);
	return r;
}

struct tls_server *tls_server_new(
	const struct tls_certificates *all, tls_sign_function *sign, void *arg, struct err *err)
{
	if (all->n == 0) {
		fail(err, ERR_CONFIG, "there is no certificate");
		return NULL;
	}
	struct tls_server *server = xmalloc(sizeof(*server));
	server->refs = 1;
	server->signer = (struct keyprov_signer){ sign, arg };
	server->hosts = xcalloc(all->n, sizeof(*server->hosts));
	server->lib = OSSL_LIB_CTX_new();
	server->bio = tls_conn_bio();
	int r = server->lib != NULL && server->bio != NULL &&
				keyprov_load(&server->providers, server->lib) &&
				load_everything(server->lib)
			? server_fill(server, all, err)
			: no_memory(err); /* it needs nothing else */
	if (r != 0)
		tls_server_free(&server);
	return server;
}

void tls_server_set(
	struct tls_server *server, bool refuse_unknown, const struct tls_tickets *tickets)
{
	server->refuse_unknown = refuse_unknown;
	server->tickets = tickets;
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
	server->refs++;
	return server;
}

void tls_server_free(struct tls_server **server)
{
	struct tls_server *s = *server;
	*server = NULL;
	if (s == NULL || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->n; i++) {
		SSL_CTX_free(s->hosts[i].ctx);
		X509_free(s->hosts[i].leaf);
	}
	free(s->hosts);
	BIO_meth_free(s->bio);
	keyprov_unload(&s->providers);
	OSSL_LIB_CTX_free(s->lib);
	free(s);
}

void tls_prepare(void)
{
	/* Refused when OpenSSL has been used before: only a test has. */
	CRYPTO_set_mem_functions(allocate, reallocate, release);
	/* Without its global context OpenSSL 3.0 crashes at whatever comes next. */
	if (OSSL_LIB_CTX_get0_global_default() == NULL ||
		OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 || !load_everything(NULL))
		mem_exhausted();
}
