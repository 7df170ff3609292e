// SPDX-License-Identifier: Apache-2.0
/*
 * X2: TLS at each of its allocations, OpenSSL's too: a role's start, certificates and keys as they
 * are read, a handshake, a resumed one, a signature. The process ends, as base/mem.h says, or what
 * can't be done fails; what is done is right: the certificate of the name, its whole chain, the
 * bytes. With memory again the same process does everything.
 */
#include "base/no_memory.h"

#include "api/schemes.h"
#include "api/session.h"
#include "io/tls_scene.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct fixture *f;
static uint8_t ticket_key[LIMIT_TICKET_KEY_BYTES] = { 1 };

/* ---- a server and a client, in turn ---- */

struct meeting {
	struct loop *loop;
	struct link *link;
	struct tls_conn *conn;
	struct session_bindings bindings;
	int fd;
	SSL *ssl;
	bool good; /* the server's side, all of it */
};

static void nothing(void *arg, int events)
{
	(void)arg;
	(void)events;
}

/* The server's part of a turn. False: it has failed. */
static bool serve(struct meeting *m, bool *done)
{
	char text[16];
	size_t n = 0;
	if (!*done) {
		enum tls_result r = tls_conn_handshake(m->conn);
		*done = r == TLS_OK;
		if (*done && !tls_conn_bindings(m->conn, (int64_t)time(NULL), &m->bindings))
			return false;
		return r == TLS_OK || r == TLS_WANT_READ || r == TLS_WANT_WRITE;
	}
	enum tls_result r = tls_conn_read(m->conn, text, sizeof(text), &n);
	if (r != TLS_OK)
		return r == TLS_WANT_READ;
	m->good = n == 5 && memcmp(text, "hello", 5) == 0 &&
		  tls_conn_write(m->conn, "world", 5, &n) == TLS_OK &&
		  tls_conn_end(m->conn) == TLS_OK;
	return m->good;
}

static SSL_CTX *client_context(const char *sigalgs)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	assert_non_null(ctx);
	if (sigalgs)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, sigalgs), 1);
	return ctx;
}

static void meeting_init(
	struct meeting *m, struct tls_server *server, SSL_CTX *ctx, const char *host, bool is_short)
{
	int h[2];
	*m = (struct meeting){ .loop = loop_uv_new() };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, h), 0);
	m->fd = h[1];
	m->link = m->loop->class->link_new(
		m->loop, h[0], &(struct link_events){ .ready = nothing });
	m->ssl = SSL_new(ctx);
	assert_int_equal(SSL_set_fd(m->ssl, m->fd), 1);
	assert_int_equal(SSL_set_tlsext_host_name(m->ssl, host), 1);
	SSL_set_connect_state(m->ssl);
	no_memory.on = is_short;
	m->conn = tls_conn_new(server, m->loop, m->link, "imap");
	no_memory.on = false;
}

static void meeting_done(struct meeting *m, bool is_short)
{
	no_memory.on = is_short;
	tls_conn_free(&m->conn);
	no_memory.on = false;
	SSL_free(m->ssl);
	close(m->fd);
	m->loop->class->link_free(&m->link);
	loop_uv_free(&m->loop);
}

static int certificates_of(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	return chain ? sk_X509_num(chain) : 0;
}

/* What the client got of it; *session is its own, resumed and new. */
struct outcome {
	bool good; /* it has read "world" */
	bool resumed;
	char kind[8], host[sizeof(((struct tls_certificate_info *)0)->hosts)];
	int certificates;
};

static void note(SSL *ssl, struct outcome *o)
{
	X509 *x = SSL_get1_peer_certificate(ssl);
	struct tls_certificate_info info;
	struct err err = ERR_INIT;
	if (x == NULL)
		return;
	char *pem = pem_of(write_certificate, x);
	assert_int_equal(tls_certificate_info(str_from(pem), &info, &err), 0);
	snprintf(o->host, sizeof(o->host), "%s", info.hosts);
	snprintf(o->kind, sizeof(o->kind), "%s", info.ec ? "EC" : "RSA");
	o->certificates = certificates_of(ssl);
	o->resumed = SSL_session_reused(ssl) == 1;
	free(pem);
	X509_free(x);
}

/* Memory is short while a connection is made, and not any more when it meets its client. */
static bool short_at_first_alone;

static struct outcome meet(struct tls_server *server, const char *sigalgs, const char *host,
	SSL_SESSION **session, bool is_short)
{
	struct outcome o = { .good = false };
	struct meeting m;
	char text[16];
	bool done = false, said = false, alive;
	SSL_CTX *ctx = client_context(sigalgs);
	meeting_init(&m, server, ctx, host, is_short);
	is_short = is_short && !short_at_first_alone;
	if (session && *session)
		SSL_set_session(m.ssl, *session);
	alive = m.conn != NULL;
	for (int turn = 0; turn < 100 && alive && !o.good; turn++) {
		if (!SSL_is_init_finished(m.ssl))
			SSL_do_handshake(m.ssl);
		else if (!said)
			said = SSL_write(m.ssl, "hello", 5) == 5;
		no_memory.on = is_short;
		alive = serve(&m, &done);
		no_memory.on = false;
		o.good = said && SSL_read(m.ssl, text, sizeof(text)) == 5 &&
			 memcmp(text, "world", 5) == 0;
	}
	if (o.good) {
		note(m.ssl, &o);
		assert_int_equal(m.bindings.exporter_n, sizeof(m.bindings.exporter));
		if (!o.resumed)
			assert_true(m.bindings.endpoint_n > 0);
	}
	if (session) {
		SSL_SESSION_free(*session);
		*session = SSL_get1_session(m.ssl);
	}
	meeting_done(&m, is_short);
	SSL_CTX_free(ctx);
	ERR_clear_error();
	return o;
}

/* ---- handshakes ---- */

static struct tls_server *whole_server(void)
{
	const struct identity *all[] = { &f->ec, &f->rsa, &f->other };
	return server_of(f, all, ARRAY_LEN(all));
}

struct course {
	const char *name, *sigalgs, *host, *kind, *shown;
	bool again; /* with a ticket */
};

/* The client has been there; memory is short when it comes again. */
static void handshake(void *arg)
{
	const struct course *c = arg;
	struct clock_fake clock;
	struct tls_server *server = whole_server();
	SSL_SESSION *session = NULL;
	clock_fake_init(&clock, (int64_t)time(NULL) * 1000);
	struct tls_tickets *tickets = tls_tickets_new(&clock.seam);
	tls_tickets_put(tickets, tls_tickets_missing(tickets), ticket_key);
	tls_server_set(server, false, tickets);
	struct outcome first = { .good = true };
	if (c->again)
		first = meet(server, c->sigalgs, c->host, &session, false);
	assert_true(first.good);
	struct outcome o = meet(server, c->sigalgs, c->host, &session, true);
	if (o.good) {
		/* OpenSSL without memory to ask whether a key signs with a digest takes the host's
		 * other one, where the client has both. */
		if (c->sigalgs)
			assert_string_equal(o.kind, c->kind);
		assert_string_equal(o.host, c->shown);
	}
	o = meet(server, c->sigalgs, c->host, NULL, false);
	assert_true(o.good);
	assert_string_equal(o.kind, c->kind);
	SSL_SESSION_free(session);
	tls_server_free(&server);
	tls_tickets_free(&tickets);
}

static void x2_each_allocation_of_a_handshake(void **state)
{
	static struct course courses[] = {
		{ "handshake, EC", NULL, "mail.example.test", "EC", "mail.example.test", false },
		{ "handshake, RSA", "RSA-PSS+SHA256", "mail.example.test", "RSA",
			"mail.example.test", false },
		{ "handshake, another", NULL, "a.other.test", "EC", "*.other.test", false },
		{ "handshake, resumed", NULL, "mail.example.test", "EC", "mail.example.test",
			true },
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(courses); i++)
		NO_MEMORY_EACH(run, courses[i].name, handshake, &courses[i]);
	short_at_first_alone = true;
	NO_MEMORY_EVERY(run, "connection", handshake, &courses[0]);
	short_at_first_alone = false;
}

/* ---- certificates and keys as they are read ---- */

/* The chain has a second certificate, which is not to be lost. */
static struct tls_server *read_all(struct err *err)
{
	const struct identity *all[] = { &f->ec, &f->rsa, &f->other };
	struct tls_certificates *c = tls_certificates_new();
	struct tls_certificate_info info;
	struct tls_server *server = NULL;
	AUTO(buf_done)
	struct buf chain;
	buf_init(&chain, 10000);
	int result = 0;
	for (size_t i = 0; result == 0 && i < ARRAY_LEN(all); i++) {
		buf_clear(&chain);
		buf_addz(&chain, all[i]->chain);
		buf_addz(&chain, f->ec384.chain);
		result = tls_certificate_info(buf_str(&chain), &info, err);
		if (result == 0)
			result = tls_certificates_add(
				c, str_from(all[i]->id), buf_str(&chain), err);
	}
	if (result == 0)
		server = tls_server_new(c, sign, f, err);
	tls_certificates_free(&c);
	return server;
}

static void shows_all(struct tls_server *server)
{
	static const struct {
		const char *sigalgs, *host, *kind, *shown;
	} cases[] = { { NULL, "mail.example.test", "EC", "mail.example.test" },
		{ "RSA-PSS+SHA256", "mail.example.test", "RSA", "mail.example.test" },
		{ NULL, "a.other.test", "EC", "*.other.test" } };
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct outcome o = meet(server, cases[i].sigalgs, cases[i].host, NULL, false);
		assert_true(o.good);
		assert_string_equal(o.kind, cases[i].kind);
		assert_string_equal(o.host, cases[i].shown);
		assert_int_equal(o.certificates, 2);
	}
}

/* At a start, as a front does it: it has all, or it ends. */
static void first_certificates(void *arg)
{
	struct err why = ERR_INIT;
	(void)arg;
	no_memory_from_here();
	struct tls_server *server = read_all(&why);
	no_memory_until_here();
	if (server == NULL) {
		assert_int_equal(why.kind, ERR_TEMP);
		mem_exhausted();
	}
	shows_all(server);
	tls_server_free(&server);
}

/* At a reload, beside those in force. */
static void next_certificates(void *arg)
{
	struct err why = ERR_INIT, err = ERR_INIT;
	(void)arg;
	struct tls_server *before = read_all(&err);
	no_memory_from_here();
	struct tls_server *server = read_all(&why);
	no_memory_until_here();
	if (server != NULL)
		shows_all(server);
	else
		assert_int_equal(why.kind, ERR_TEMP);
	tls_server_free(&server);
	shows_all(before);
	tls_server_free(&before);
	server = read_all(&err);
	if (server == NULL)
		fail_msg("%s", err_log_text(&err));
	shows_all(server);
	tls_server_free(&server);
}

static char *rsa_pem;

static void read_key(void *arg)
{
	static const char digest[32] = { 1 };
	struct err why = ERR_INIT, err = ERR_INIT;
	struct buf signature;
	(void)arg;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	no_memory_from_here();
	struct keysign *key = keysign_load(str_from(rsa_pem), &why);
	int result = key ? keysign_sign(key, SCHEME_RSA_PKCS1_SHA256,
				   str_make(digest, sizeof(digest)), &signature, &why)
			 : -1;
	no_memory_until_here();
	if (result < 0)
		assert_int_equal(why.kind, ERR_TEMP);
	struct keysign *again = keysign_load(str_from(rsa_pem), &err);
	assert_non_null(again);
	if (key)
		assert_string_equal(keysign_id(key), keysign_id(again));
	struct buf other; /* this scheme has but one signature */
	buf_init(&other, LIMIT_SIGNATURE_BYTES);
	assert_int_equal(keysign_sign(again, SCHEME_RSA_PKCS1_SHA256,
				 str_make(digest, sizeof(digest)), &other, &err),
		0);
	if (result == 0)
		assert_str(buf_str(&signature), buf_str(&other));
	buf_done(&signature);
	buf_done(&other);
	keysign_free(&key);
	keysign_free(&again);
}

static void x2_each_allocation_of_what_is_read(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "certificates", first_certificates, NULL);
	NO_MEMORY_EACH(run, "next certificates", next_certificates, NULL);
	NO_MEMORY_EACH(run, "key", read_key, NULL);
}

static int begin(void **state)
{
	int result = setup(state);
	EVP_PKEY *key = EVP_RSA_gen(2048);
	f = *state;
	rsa_pem = pem_of(write_key, key);
	EVP_PKEY_free(key);
	return result;
}

static int end(void **state)
{
	free(rsa_pem);
	return teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(x2_each_allocation_of_a_handshake),
		test_case(x2_each_allocation_of_what_is_read) };
	return cmocka_run_group_tests(tests, begin, end);
}
