// SPDX-License-Identifier: Apache-2.0
/* Streams over real sockets: plain and TLS, with a client in a thread of its own. The private keys
 * are in a keysign, so the stream's side never has them. */
#include "io/stream.h"

#include "api/schemes.h"
#include "io/tls_scene.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the server's side: what a front does, in small ---- */

struct guest {
	struct loop *loop;
	struct stream *stream;
	struct tls_server *server;
	const char *alpn;
	struct buf got, reply;
	size_t take;       /* most bytes that input takes; 0: all */
	bool when_drained; /* TLS starts when the reply has left, as a front does it */
	bool starting;
	bool echo, starttls, close_at_eof, hold, free_at_input;
	int drained, started, eofs;
	const char *reason;
	char version[16], cipher[64];
};

static size_t guest_input(void *arg, struct str bytes)
{
	struct guest *g = arg;
	if (g->hold)
		return 0;
	size_t n = g->take && g->take < bytes.n ? g->take : bytes.n;
	if (g->starttls && g->started == 0) {
		size_t line = str_search(bytes, STR("\r\n")) + 2;
		assert_true(line <= bytes.n);
		buf_adds(&g->got, str_sub(bytes, 0, line));
		buf_addz(&g->reply, "220 go\r\n");
		stream_send(g->stream, &g->reply);
		if (g->when_drained) {
			g->starting = true;
			g->hold = true;
		} else {
			stream_start_tls(g->stream, g->server, g->alpn);
		}
		return line;
	}
	buf_add(&g->got, bytes.p, n);
	if (g->free_at_input) {
		stream_free(&g->stream);
		g->loop->class->stop(g->loop);
		return n;
	}
	if (g->echo) {
		buf_add(&g->reply, bytes.p, n);
		stream_send(g->stream, &g->reply);
		g->hold = g->reply.n > 0 || stream_unsent(g->stream) > LIMIT_STREAM_OUT_BYTES / 2;
	}
	return n;
}
static void guest_drained(void *arg)
{
	struct guest *g = arg;
	g->drained++;
	if (g->starting) {
		g->starting = false;
		stream_start_tls(g->stream, g->server, g->alpn);
		stream_resume(g->stream);
		return;
	}
	if (g->reply.n > 0)
		stream_send(g->stream, &g->reply);
	if (g->hold && g->echo) {
		g->hold = false;
		stream_resume(g->stream);
	}
}
static void guest_started(void *arg)
{
	struct guest *g = arg;
	g->started++;
	if (g->when_drained) {
		g->hold = false;
		stream_resume(g->stream);
	}
	stream_tls_info(g->stream, g->version, g->cipher);
}
static void guest_eof(void *arg)
{
	struct guest *g = arg;
	g->eofs++;
	if (g->close_at_eof)
		stream_close(g->stream);
}
static void guest_failed(void *arg, const char *reason)
{
	struct guest *g = arg;
	assert_null(g->reason);
	g->reason = xstrdup(reason);
	stream_free(&g->stream);
	g->loop->class->stop(g->loop);
}

static void guest_init(struct guest *g, struct loop *l, int handle)
{
	g->loop = l;
	buf_init(&g->got, 64 << 20);
	buf_init(&g->reply, 1 << 20);
	g->stream = stream_new(l, handle,
		&(struct stream_events){
			guest_input, guest_drained, guest_started, guest_eof, guest_failed, g });
}
static void guest_done(struct guest *g)
{
	stream_free(&g->stream);
	buf_done(&g->got);
	buf_done(&g->reply);
	char *reason = NULL;
	memcpy(&reason, &g->reason, sizeof(reason));
	free(reason);
}

/* ---- the client's side ---- */

struct client {
	int fd;
	void (*script)(struct client *);
	/* TLS */
	int version;
	const char *host, *ciphers, *sigalgs;
	SSL_SESSION *session; /* to be resumed; then the new one */
	bool resumed;
	const unsigned char *alpn;
	unsigned alpn_n;
	SSL *ssl;
	/* what came of it */
	bool connected;
	char key_kind[32], chosen_alpn[16], subject_host[64];
	size_t echoed;
	char text[256];
	int end; /* SSL_get_error at the end, or read()'s 0 or -1 */
	unsigned long error;
};

static void *client_main(void *arg)
{
	struct client *c = arg;
	c->script(c);
	if (c->fd >= 0)
		close(c->fd);
	return NULL;
}

static void stop_loop(void *arg)
{
	struct loop *l = arg;
	l->class->stop(l);
}

/* Runs server and client until both ended, at most 10 s. */
static void meet(struct guest *g, struct client *c)
{
	int h[2];
	pthread_t thread;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, h), 0);
	struct loop *l = loop_uv_new();
	struct timer *t = l->class->timer_new(l, stop_loop, l);
	c->fd = h[1];
	guest_init(g, l, h[0]);
	if (g->server != NULL && !g->starttls)
		stream_start_tls(g->stream, g->server, g->alpn);
	pthread_create(&thread, NULL, client_main, c);
	l->class->timer_set(t, l->clock->monotonic_ms(l->clock) + 10000);
	l->class->run(l);
	stream_free(&g->stream);
	pthread_join(thread, NULL);
	l->class->timer_free(&t);
	loop_uv_free(&l);
}

/* ---- plain ---- */

static bool send_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

static void plain_says_and_half_closes(struct client *c)
{
	send_all(c->fd, "hello\r\nworld\r\n", 14);
	shutdown(c->fd, SHUT_WR);
	size_t n = 0;
	ssize_t got;
	while ((got = read(c->fd, c->text + n, sizeof(c->text) - 1 - n)) > 0)
		n += (size_t)got;
	c->end = (int)got;
}

static void plain_echo_and_half_close(void **state)
{
	(void)state;
	struct guest g = { .echo = true, .close_at_eof = true };
	struct client c = { .script = plain_says_and_half_closes };
	meet(&g, &c);
	assert_string_equal(c.text, "hello\r\nworld\r\n");
	assert_int_equal(c.end, 0);
	assert_int_equal(g.eofs, 1);
	assert_true(g.drained >= 1);
	assert_string_equal(g.reason, "closed");
	guest_done(&g);
}

static char blob[8 << 20];

/* The client reads only after it has sent all: neither side may hold more than its bounds. */
static void plain_sends_much(struct client *c)
{
	struct timeval soon = { .tv_usec = 200000 };
	setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
	size_t sent = 0;
	ssize_t n;
	while ((n = send(c->fd, blob, sizeof(blob), MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	c->end = errno;
	/* Both buffers of the system, ours in and out. */
	c->connected = sent < 4u << 20;
	shutdown(c->fd, SHUT_WR);
	char room[65536];
	while ((n = read(c->fd, room, sizeof(room))) > 0)
		c->echoed += (size_t)n;
	c->echoed = c->echoed == sent;
}

static void nobody_waits_in_memory(void **state)
{
	(void)state;
	struct guest g = { .echo = true, .close_at_eof = true };
	struct client c = { .script = plain_sends_much };
	meet(&g, &c);
	assert_int_equal(c.end, EAGAIN);
	assert_true(c.connected);
	assert_true(c.echoed);
	assert_string_equal(g.reason, "closed");
	guest_done(&g);
}

static void plain_goes_at_once(struct client *c)
{
	send_all(c->fd, "x", 1);
}

static void freed_inside_input(void **state)
{
	(void)state;
	struct guest g = { .free_at_input = true };
	struct client c = { .script = plain_goes_at_once };
	meet(&g, &c);
	assert_int_equal(g.got.n, 1);
	assert_null(g.reason);
	guest_done(&g);
}

/* What input leaves is kept, and nothing more is read: N - 1, N and N + 1 bytes of the bound. */
struct keeper {
	struct guest g;
	struct timer *timer;
	size_t before;
};
static void keeper_resumes(void *arg)
{
	struct keeper *k = arg;
	k->before = k->g.got.n;
	k->g.hold = false;
	stream_resume(k->g.stream);
}
static void kept_input_is_bounded_and_offered_again(void **state)
{
	(void)state;
	for (size_t n = LIMIT_STREAM_IN_BYTES - 1; n <= LIMIT_STREAM_IN_BYTES + 1; n++) {
		struct keeper k = { .g = { .hold = true } };
		int h[2];
		struct loop *l = loop_uv_new();
		assert_int_equal(l->class->pair(l, h), 0);
		guest_init(&k.g, l, h[0]);
		assert_true(send_all(h[1], blob, n));
		k.timer = l->class->timer_new(l, keeper_resumes, &k);
		l->class->timer_set(k.timer, l->clock->monotonic_ms(l->clock) + 30);
		struct timer *t = l->class->timer_new(l, stop_loop, l);
		l->class->timer_set(t, l->clock->monotonic_ms(l->clock) + 80);
		l->class->run(l);
		assert_int_equal(k.before, 0);
		assert_int_equal(k.g.got.n, n);
		l->class->timer_free(&t);
		l->class->timer_free(&k.timer);
		guest_done(&k.g);
		close(h[1]);
		loop_uv_free(&l);
	}
}

/* ---- TLS ---- */

static bool client_connects(struct client *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(ctx, 0);
	if (c->version != 0) {
		SSL_CTX_set_min_proto_version(ctx, c->version);
		SSL_CTX_set_max_proto_version(ctx, c->version);
	}
	if (c->ciphers != NULL)
		assert_int_equal(SSL_CTX_set_cipher_list(ctx, c->ciphers), 1);
	if (c->sigalgs != NULL)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, c->sigalgs), 1);
	c->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (c->alpn != NULL)
		SSL_set_alpn_protos(c->ssl, c->alpn, c->alpn_n);
	if (c->host != NULL)
		SSL_set_tlsext_host_name(c->ssl, c->host);
	if (c->session != NULL)
		SSL_set_session(c->ssl, c->session);
	SSL_set_fd(c->ssl, c->fd);
	int r = SSL_connect(c->ssl);
	c->connected = r == 1;
	c->resumed = r == 1 && SSL_session_reused(c->ssl) == 1;
	if (r != 1) {
		c->end = SSL_get_error(c->ssl, r);
		c->error = ERR_peek_error();
		return false;
	}
	X509 *x = SSL_get1_peer_certificate(c->ssl);
	const unsigned char *alpn;
	unsigned n;
	snprintf(c->key_kind, sizeof(c->key_kind), "%s",
		EVP_PKEY_get0_type_name(X509_get0_pubkey(x)));
	if (X509_check_host(x, "a.other.test", 0, 0, NULL) == 1)
		snprintf(c->subject_host, sizeof(c->subject_host), "other");
	SSL_get0_alpn_selected(c->ssl, &alpn, &n);
	snprintf(c->chosen_alpn, sizeof(c->chosen_alpn), "%.*s", (int)n, (const char *)alpn);
	X509_free(x);
	return true;
}

static void client_ends(struct client *c)
{
	SSL_free(c->ssl);
	ERR_clear_error();
}

/* 300 KB there and back, more than any buffer, then an orderly end. */
static void tls_echoes(struct client *c)
{
	if (client_connects(c)) {
		char room[20000];
		size_t sent = 0, total = 300000;
		while (sent < total || c->echoed < total) {
			int n;
			if (sent < total) {
				n = SSL_write(c->ssl, blob, 10000);
				if (n <= 0)
					break;
				sent += (size_t)n;
			}
			n = SSL_read(c->ssl, room, sizeof(room));
			if (n <= 0)
				break;
			c->echoed += (size_t)n;
		}
		SSL_shutdown(c->ssl);
		int n = SSL_read(c->ssl, room, sizeof(room));
		c->end = SSL_get_error(c->ssl, n);
	}
	client_ends(c);
}

static const struct {
	int version;
	bool rsa;
	const char *sigalgs, *kind;
} handshakes[] = {
	{ TLS1_2_VERSION, false, NULL, "EC" },
	{ TLS1_3_VERSION, false, NULL, "EC" },
	{ TLS1_2_VERSION, true, NULL, "RSA" },
	{ TLS1_2_VERSION, true, "RSA+SHA256", "RSA" },
	{ TLS1_2_VERSION, true, "RSA-PSS+SHA512", "RSA" },
	{ TLS1_2_VERSION, true, "RSA+SHA384", "RSA" },
	{ TLS1_3_VERSION, true, NULL, "RSA" },
	{ TLS1_3_VERSION, true, "RSA-PSS+SHA384", "RSA" },
};

static void t10_handshakes_with_keys_elsewhere(void **state)
{
	struct fixture *f = *state;
	for (size_t i = 0; i < ARRAY_LEN(handshakes); i++) {
		const struct identity *one[] = { handshakes[i].rsa ? &f->rsa : &f->ec };
		struct guest g = {
			.server = server_of(f, one, 1), .echo = true, .close_at_eof = true
		};
		struct client c = { .script = tls_echoes,
			.version = handshakes[i].version,
			.sigalgs = handshakes[i].sigalgs };
		f->signatures = 0;
		meet(&g, &c);
		if (!c.connected)
			fail_msg("%zu: %s, %s", i, ERR_reason_error_string(c.error), g.reason);
		assert_int_equal(f->signatures, 1);
		assert_int_equal(c.echoed, 300000);
		assert_int_equal(c.end, SSL_ERROR_ZERO_RETURN); /* our close_notify came */
		assert_int_equal(g.eofs, 1);
		assert_string_equal(g.reason, "closed");
		assert_string_equal(
			g.version, handshakes[i].version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
		assert_non_null(strstr(g.cipher, "_") ? g.cipher : strstr(g.cipher, "ECDHE"));
		guest_done(&g);
		tls_server_free(&g.server);
	}
}

/* Two kinds of keys for one name: the client's abilities decide. A name of another certificate, a
 * name of none, no name. */
static void certificates_are_chosen(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec, &f->rsa, &f->other };
	static const struct {
		const char *host, *sigalgs, *kind, *subject;
	} cases[] = {
		{ "mail.example.test", NULL, "EC", "" },
		{ "mail.example.test", "RSA-PSS+SHA256", "RSA", "" },
		{ "a.other.test", NULL, "EC", "other" },
		{ "nobody.test", NULL, "EC", "" },
		{ NULL, "RSA-PSS+SHA256", "RSA", "" },
	};
	struct tls_server *server = server_of(f, all, 3);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct guest g = { .server = server, .echo = true, .close_at_eof = true };
		struct client c = {
			.script = tls_echoes, .host = cases[i].host, .sigalgs = cases[i].sigalgs
		};
		meet(&g, &c);
		assert_true(c.connected);
		assert_string_equal(c.key_kind, cases[i].kind);
		assert_string_equal(c.subject_host, cases[i].subject);
		guest_done(&g);
	}
	tls_server_free(&server);
}

/* T2, T4, T6: what is refused, and that it is refused by an alert at once. */
static void t2_t4_t6_refusals(void **state)
{
	struct fixture *f = *state;
	static const unsigned char http[] = "\x02h2\x08http/1.1", imap[] = "\x04imap",
				   both[] = "\x08http/1.1\x04imap", xyz[] = "\x03xyz";
	static const struct {
		const char *name;
		int version;
		const char *ciphers, *server_alpn;
		const unsigned char *alpn;
		unsigned alpn_n;
		bool works;
		const char *chosen;
	} cases[] = {
		{ "TLS 1.1", TLS1_1_VERSION, NULL, "imap", NULL, 0, false, "" },
		{ "DHE", TLS1_2_VERSION, "DHE+AESGCM", "imap", NULL, 0, false, "" },
		{ "RSA exchange", TLS1_2_VERSION, "kRSA", "imap", NULL, 0, false, "" },
		{ "SHA-1 MAC", TLS1_2_VERSION, "ECDHE+SHA1", "imap", NULL, 0, false, "" },
		{ "no ALPN", 0, NULL, "imap", NULL, 0, true, "" },
		{ "imap", 0, NULL, "imap", imap, 5, true, "imap" },
		{ "http, imap", 0, NULL, "imap", both, 14, true, "imap" },
		{ "http to imap", 0, NULL, "imap", http, 12, false, "" },
		{ "imap to pop3", 0, NULL, "pop3", imap, 5, false, "" },
		{ "http to smtp", 0, NULL, NULL, http, 12, false, "" },
		{ "unknown to smtp", 0, NULL, NULL, xyz, 4, true, "" },
	};
	const struct identity *all[] = { &f->ec, &f->rsa };
	struct tls_server *server = server_of(f, all, 2);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct guest g = { .server = server,
			.alpn = cases[i].server_alpn,
			.echo = true,
			.close_at_eof = true };
		struct client c = { .script = tls_echoes,
			.version = cases[i].version,
			.ciphers = cases[i].ciphers,
			.alpn = cases[i].alpn,
			.alpn_n = cases[i].alpn_n };
		meet(&g, &c);
		if (c.connected != cases[i].works)
			fail_msg("%s: %s", cases[i].name, g.reason);
		assert_string_equal(c.chosen_alpn, cases[i].chosen);
		if (cases[i].alpn != NULL && !cases[i].works)
			assert_int_equal(
				ERR_GET_REASON(c.error), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
		guest_done(&g);
	}
	tls_server_free(&server);
}

/* T10: the signer fails: so does the handshake, at once. */
static void t10_signer_away(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_server *server = server_of(f, all, 1);
	struct clock_seam *clock = clock_os();
	f->fail = true;
	for (size_t i = 0; i < 2; i++) {
		struct guest g = { .server = server };
		struct client c = { .script = tls_echoes, .version = versions[i] };
		int64_t start = clock->monotonic_ms(clock);
		meet(&g, &c);
		assert_false(c.connected);
		assert_non_null(g.reason);
		assert_true(clock->monotonic_ms(clock) - start < 2000);
		guest_done(&g);
	}
	f->fail = false;
	tls_server_free(&server);
}

/* S15: plaintext after STARTTLS in the same segment is never heard. */
static void starttls_injects(struct client *c)
{
	send_all(c->fd, "STARTTLS\r\nRCPT TO:<evil@example.test>\r\n", 39);
	assert_int_equal(read(c->fd, c->text, sizeof(c->text)), 8);
	if (client_connects(c)) {
		SSL_write(c->ssl, "EHLO x\r\n", 8);
		char room[64];
		int n = SSL_read(c->ssl, room, sizeof(room));
		c->echoed = n > 0 ? (size_t)n : 0;
		SSL_shutdown(c->ssl);
	}
	client_ends(c);
}
static void s15_starttls_discards_plaintext(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	for (int when_drained = 0; when_drained <= 1; when_drained++) {
		struct guest g = { .server = server_of(f, all, 1),
			.starttls = true,
			.when_drained = when_drained,
			.echo = true,
			.close_at_eof = true };
		struct client c = { .script = starttls_injects };
		meet(&g, &c);
		assert_true(c.connected);
		assert_string_equal(c.text, "220 go\r\n");
		assert_str(buf_str(&g.got), STR("STARTTLS\r\nEHLO x\r\n"));
		assert_int_equal(c.echoed, 8);
		guest_done(&g);
		tls_server_free(&g.server);
	}
}

/* S15: plaintext that comes later is no TLS, and is not heard either. */
static void starttls_injects_later(struct client *c)
{
	send_all(c->fd, "STARTTLS\r\n", 10);
	assert_int_equal(read(c->fd, c->text, sizeof(c->text)), 8);
	send_all(c->fd, "RCPT TO:<evil@example.test>\r\n", 29);
	ssize_t n;
	while ((n = read(c->fd, c->text, sizeof(c->text))) > 0)
		;
	c->end = (int)n;
}
static void s15_plaintext_instead_of_a_handshake(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	struct guest g = { .server = server_of(f, all, 1), .starttls = true };
	struct client c = { .script = starttls_injects_later };
	meet(&g, &c);
	assert_true(c.end <= 0);
	assert_str(buf_str(&g.got), STR("STARTTLS\r\n"));
	assert_int_equal(g.started, 0);
	if (g.reason == NULL || strncmp(g.reason, "TLS: ", 5) != 0)
		fail_msg("%s", g.reason);
	guest_done(&g);
	tls_server_free(&g.server);
}

/* S19: close_notify, then clear bytes on the same connection. */
static void goes_on_in_clear(struct client *c)
{
	if (client_connects(c)) {
		SSL_write(c->ssl, "BDAT 100\r\n", 10);
		SSL_shutdown(c->ssl);
		usleep(20000);
		send_all(c->fd, "MAIL FROM:<>\r\n", 14);
		usleep(20000);
		send_all(c->fd, "RCPT TO:<evil@example.test>\r\n", 29);
	}
	client_ends(c);
}
static void s19_no_plaintext_after_tls(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	for (size_t i = 0; i < 4; i++) {
		struct guest g = { .server = server_of(f, all, 1), .close_at_eof = i < 2 };
		struct client c = { .script = goes_on_in_clear, .version = versions[i & 1] };
		if (i < 2) {
			meet(&g, &c);
			assert_string_equal(g.reason, "closed");
		} else { /* the owner is slow to close */
			int h[2];
			pthread_t thread;
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, h), 0);
			struct loop *l = loop_uv_new();
			c.fd = h[1];
			guest_init(&g, l, h[0]);
			stream_start_tls(g.stream, g.server, NULL);
			pthread_create(&thread, NULL, client_main, &c);
			struct timer *t = l->class->timer_new(l, stop_loop, l);
			l->class->timer_set(t, l->clock->monotonic_ms(l->clock) + 150);
			l->class->run(l);
			stream_resume(g.stream);
			l->class->timer_set(t, l->clock->monotonic_ms(l->clock) + 50);
			l->class->run(l);
			stream_free(&g.stream);
			pthread_join(thread, NULL);
			l->class->timer_free(&t);
			loop_uv_free(&l);
		}
		assert_str(buf_str(&g.got), STR("BDAT 100\r\n"));
		assert_int_equal(g.eofs, 1);
		guest_done(&g);
		tls_server_free(&g.server);
	}
}

/* T11: the connection ends and TLS did not: a failure, never an end. */
static void goes_away(struct client *c)
{
	if (client_connects(c)) {
		SSL_write(c->ssl, "DATA\r\n", 6);
		usleep(20000);
		shutdown(c->fd, SHUT_WR);
		usleep(50000);
	}
	client_ends(c);
}
static void t11_truncation_is_a_failure(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	for (size_t i = 0; i < 2; i++) {
		struct guest g = { .server = server_of(f, all, 1) };
		struct client c = { .script = goes_away, .version = versions[i] };
		meet(&g, &c);
		assert_int_equal(g.eofs, 0);
		assert_string_equal(g.reason, "TLS: unexpected eof while reading");
		guest_done(&g);
		tls_server_free(&g.server);
	}
}

/* T7: a ClientHello that never ends. */
static void endless_hello(struct client *c)
{
	/* Handshake records of 4 KiB; the message says that it is 128 KiB long. */
	static char record[5 + 4096] = { 22, 3, 1, 16, 0, 1, 1, 255, 255, 3, 3 };
	send_all(c->fd, record, sizeof(record));
	record[5] = record[6] = record[7] = record[8] = 0;
	while (c->echoed < 100 && send_all(c->fd, record, sizeof(record)))
		c->echoed++;
	ssize_t n;
	while ((n = read(c->fd, c->text, sizeof(c->text))) > 0)
		;
	c->end = (int)n;
}
static void t7_hello_is_bounded(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	struct guest g = { .server = server_of(f, all, 1) };
	struct client c = { .script = endless_hello };
	meet(&g, &c);
	assert_non_null(g.reason);
	assert_true(c.echoed < 100);
	assert_string_equal(g.reason, "the TLS handshake is too long");
	guest_done(&g);
	tls_server_free(&g.server);
}

/* T5: key updates: a few are fine, more than the limit are not; renegotiation never. */
static void updates_keys(struct client *c)
{
	if (client_connects(c)) {
		int n = (int)c->echoed;
		for (int i = 0; i < n; i++) {
			SSL_key_update(c->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
			if (SSL_do_handshake(c->ssl) != 1)
				break;
		}
		char room[64];
		SSL_write(c->ssl, "hello", 5);
		c->end = SSL_read(c->ssl, room, sizeof(room));
		SSL_shutdown(c->ssl);
	}
	client_ends(c);
}
static void t5_key_updates_are_counted(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	struct tls_server *server = server_of(f, all, 1);
	for (int n = LIMIT_KEY_UPDATES - 1; n <= LIMIT_KEY_UPDATES + 1; n++) {
		struct guest g = { .server = server, .echo = true, .close_at_eof = true };
		struct client c = {
			.script = updates_keys, .version = TLS1_3_VERSION, .echoed = (size_t)n
		};
		meet(&g, &c);
		assert_true(c.connected);
		if (n <= LIMIT_KEY_UPDATES) {
			assert_int_equal(c.end, 5);
		} else {
			assert_true(c.end <= 0);
			assert_string_equal(g.reason, "too many TLS key updates");
		}
		guest_done(&g);
	}
	tls_server_free(&server);
}

/* Tickets come behind the handshake, with the first bytes. */
static void keeps_its_session(struct client *c)
{
	if (client_connects(c)) {
		char room[64];
		SSL_write(c->ssl, "hello", 5);
		c->end = SSL_read(c->ssl, room, sizeof(room));
		SSL_SESSION_free(c->session);
		c->session = SSL_get1_session(c->ssl);
		SSL_shutdown(c->ssl);
	}
	client_ends(c);
}

static int64_t now_s(void)
{
	return clock_os()->wall_ms(clock_os()) / 1000;
}

/* A ticket that is opened is *arg seconds old. */
static SSL_TICKET_RETURN ages(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t n,
	SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)name;
	(void)n;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	SSL_SESSION_set_time(session, (long)(now_s() - *(const int *)arg));
	return SSL_TICKET_RETURN_USE;
}

/* Whether the session is resumed with a ticket of that age. */
static bool resumes(struct tls_server *server, struct client *c, int *age, int age_s)
{
	int64_t began;
	do { /* a second that passes meanwhile would be one of the ticket's */
		struct guest g = { .server = server, .echo = true, .close_at_eof = true };
		began = now_s();
		*age = age_s;
		meet(&g, c);
		assert_int_equal(c->end, 5);
		guest_done(&g);
	} while (now_s() != began);
	return c->resumed;
}

/* T8: a ticket is good for LIMIT_TICKET_S, however the hours of its key lie. */
static void t8_tickets_have_their_time(void **state)
{
	static const uint8_t key[LIMIT_TICKET_KEY_BYTES] = { 1 };
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	struct clock_fake clock;
	int age = 0;
	clock_fake_init(&clock, (int64_t)1000 * 3600 * 1000);
	struct tls_tickets *tickets = tls_tickets_new(&clock.seam);
	tls_tickets_put(tickets, 1000, key);
	struct tls_server *server = server_of(f, all, 1);
	tls_server_set(server, false, tickets);
	for (size_t i = 0; i < server->n; i++)
		SSL_CTX_set_session_ticket_cb(server->hosts[i].ctx, NULL, ages, &age);
	struct client c = { .script = keeps_its_session, .version = TLS1_3_VERSION };
	(void)resumes(server, &c, &age, 0); /* brings the ticket */
	assert_true(resumes(server, &c, &age, 0));
	assert_true(resumes(server, &c, &age, LIMIT_TICKET_S - 1));
	assert_true(resumes(server, &c, &age, LIMIT_TICKET_S));
	assert_false(resumes(server, &c, &age, LIMIT_TICKET_S + 1));
	SSL_SESSION_free(c.session);
	tls_server_free(&server);
	tls_tickets_free(&tickets);
}

/* A reload while a connection lives: it keeps its server. */
static void reload_keeps_old_connections(void **state)
{
	struct fixture *f = *state;
	const struct identity *all[] = { &f->ec };
	struct guest g = { .server = server_of(f, all, 1), .echo = true, .close_at_eof = true };
	struct tls_server *mine = g.server;
	struct client c = { .script = tls_echoes };
	int h[2];
	pthread_t thread;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, h), 0);
	struct loop *l = loop_uv_new();
	c.fd = h[1];
	guest_init(&g, l, h[0]);
	stream_start_tls(g.stream, mine, NULL);
	tls_server_free(&mine);
	pthread_create(&thread, NULL, client_main, &c);
	l->class->run(l);
	pthread_join(thread, NULL);
	loop_uv_free(&l);
	assert_int_equal(c.echoed, 300000);
	guest_done(&g);
}

/* ---- certificates and keys that are refused ---- */

static void bad_certificates_are_refused(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct tls_certificates *c = tls_certificates_new();
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	assert_null(tls_server_new(c, sign, f, &err));
	assert_int_equal(tls_certificates_add(c, STR("k"), STR(""), &err), -1);
	assert_int_equal(tls_certificates_add(c, STR("k"), STR("hello"), &err), -1);
	assert_int_equal(tls_certificates_add(c, STR(""), str_from(f->ec.chain), &err), -1);
	char long_id[65] = { 0 };
	memset(long_id, 'k', 64);
	assert_int_equal(
		tls_certificates_add(c, str_make(long_id, 64), str_from(f->ec.chain), &err), 0);
	assert_int_equal(
		tls_certificates_add(c, str_make(long_id, 65), str_from(f->ec.chain), &err), -1);
	/* chains: LIMIT_CHAIN and one more */
	struct buf chain;
	buf_init(&chain, 1 << 20);
	for (int i = 0; i < LIMIT_CHAIN; i++)
		buf_addz(&chain, f->ec.chain);
	assert_int_equal(tls_certificates_add(c, STR("k"), buf_str(&chain), &err), 0);
	buf_addz(&chain, f->ec.chain);
	assert_int_equal(tls_certificates_add(c, STR("k"), buf_str(&chain), &err), -1);
	assert_int_equal(err.kind, ERR_CONFIG);
	/* garbage after the first certificate */
	buf_clear(&chain);
	buf_addz(&chain, f->ec.chain);
	buf_addz(&chain, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(tls_certificates_add(c, STR("k"), buf_str(&chain), &err), -1);
	for (int i = 2; i < LIMIT_CERTIFICATES; i++)
		assert_int_equal(tls_certificates_add(c, STR("k"), str_from(f->ec.chain), &err), 0);
	assert_int_equal(tls_certificates_add(c, STR("k"), str_from(f->ec.chain), &err), -1);
	buf_done(&chain);
	tls_certificates_free(&c);
	EVP_PKEY_free(weak);
}

static void keysign_refuses_what_does_not_fit(void **state)
{
	struct fixture *f = *state;
	static const char zeroes[64];
	static const struct {
		bool rsa;
		uint16_t scheme;
		size_t digest_n;
		bool works;
	} cases[] = {
		{ false, SCHEME_ECDSA_SHA256, 31, false },
		{ false, SCHEME_ECDSA_SHA256, 32, true },
		{ false, SCHEME_ECDSA_SHA256, 33, false },
		{ false, SCHEME_ECDSA_SHA384, 48, true },
		{ false, SCHEME_RSA_PSS_SHA256, 32, false },
		{ false, SCHEME_ED25519, 32, false },
		{ false, 0, 32, false },
		{ false, 10, 32, false },
		{ true, SCHEME_RSA_PKCS1_SHA256, 32, true },
		{ true, SCHEME_RSA_PSS_SHA512, 64, true },
		{ true, SCHEME_RSA_PSS_SHA512, 32, false },
		{ true, SCHEME_ECDSA_SHA256, 32, false },
	};
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		buf_clear(&signature);
		int r = keysign_sign(cases[i].rsa ? f->rsa.key : f->ec.key, cases[i].scheme,
			str_make(zeroes, cases[i].digest_n), &signature, &err);
		assert_int_equal(r, cases[i].works ? 0 : -1);
		assert_int_equal(signature.n > 0, cases[i].works);
		if (r != 0)
			assert_int_equal(err.kind, ERR_DENIED);
	}
	buf_done(&signature);
}

/* Whose modulus has a + b bits: the product of two numbers that are no primes, since those of such
 * a size take a minute to be found. What is signed with it has the right length and is no
 * signature.
 */
static EVP_PKEY *rsa_of(int a, int b)
{
	static const char *const names[] = { OSSL_PKEY_PARAM_RSA_N, OSSL_PKEY_PARAM_RSA_E,
		OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };
	enum { MODULUS, E, D, P, Q, E1, E2, INVERSE, PARTS };
	BIGNUM *n[PARTS];
	BN_CTX *room = BN_CTX_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < PARTS; i++) {
		n[i] = BN_new();
		BN_set_word(n[i], i == E ? 65537 : 3);
	}
	BN_one(n[P]);
	BN_lshift(n[P], n[P], a);
	BN_sub_word(
		n[P], 1); /* 2^a - 1 and 2^b - 1 have no divisor in common when a and b have none */
	BN_one(n[Q]);
	BN_lshift(n[Q], n[Q], b);
	BN_sub_word(n[Q], 1);
	BN_mul(n[MODULUS], n[P], n[Q], room);
	assert_non_null(BN_mod_inverse(n[INVERSE], n[Q], n[P], room));
	for (size_t i = 0; i < PARTS; i++)
		assert_int_equal(OSSL_PARAM_BLD_push_BN(build, names[i], n[i]), 1);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	for (size_t i = 0; i < PARTS; i++)
		BN_free(n[i]);
	BN_CTX_free(room);
	return key;
}

/* LIMIT_SIGNATURE_BYTES: of keys, and of the certificates that go with them. */
static void rsa_keys_are_bounded(void **state)
{
	static const struct {
		int a, b;
		size_t bytes;
	} cases[] = { { 4091, 4093, LIMIT_SIGNATURE_BYTES - 1 },
		{ 4095, 4097, LIMIT_SIGNATURE_BYTES }, { 4096, 4097, LIMIT_SIGNATURE_BYTES + 1 } };
	static const char digest[32];
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		bool fits = cases[i].bytes <= LIMIT_SIGNATURE_BYTES;
		EVP_PKEY *key = rsa_of(cases[i].a, cases[i].b);
		char *pem = pem_of(write_key, key), *chain = certificate_of(key, "DNS:a.example");
		assert_int_equal(EVP_PKEY_get_size(key), cases[i].bytes);
		struct keysign *k = keysign_load(str_from(pem), &err);
		assert_int_equal(k != NULL, fits);
		struct buf signature;
		buf_init(&signature, LIMIT_SIGNATURE_BYTES);
		if (k != NULL)
			assert_int_equal(
				keysign_sign(k, SCHEME_RSA_PSS_SHA256,
					str_make(digest, sizeof(digest)), &signature, &err),
				0);
		assert_int_equal(signature.n, fits ? cases[i].bytes : 0);
		struct tls_certificates *c = tls_certificates_new();
		assert_int_equal(
			tls_certificates_add(c, STR("k"), str_from(chain), &err), fits ? 0 : -1);
		tls_certificates_free(&c);
		buf_done(&signature);
		keysign_free(&k);
		free(chain);
		free(pem);
		EVP_PKEY_free(key);
	}
}

/* DKIM's Ed25519 (RFC 8463) verifies with the public key. */
static void keysign_ed25519(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	char *pem = pem_of(write_key, key);
	struct keysign *k = keysign_load(str_from(pem), &err);
	assert_non_null(k);
	assert_string_equal(keysign_kind(k), "ED25519");
	unsigned char digest[32] = { 7 };
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	assert_int_equal(
		keysign_sign(k, SCHEME_ED25519, str_make(digest, 32), &signature, &err), 0);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key), 1);
	assert_int_equal(
		EVP_DigestVerify(ctx, (unsigned char *)signature.p, signature.n, digest, 32), 1);
	EVP_MD_CTX_free(ctx);
	buf_done(&signature);
	keysign_free(&k);
	free(pem);
	EVP_PKEY_free(key);
	EVP_PKEY *small = EVP_RSA_gen(1024);
	pem = pem_of(write_key, small);
	assert_null(keysign_load(str_from(pem), &err));
	assert_null(keysign_load(STR("nothing"), &err));
	assert_null(keysign_load(STR(""), &err));
	free(pem);
	EVP_PKEY_free(small);
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(plain_echo_and_half_close),
		test_case(nobody_waits_in_memory), test_case(freed_inside_input),
		test_case(kept_input_is_bounded_and_offered_again),
		test_case(t10_handshakes_with_keys_elsewhere), test_case(certificates_are_chosen),
		test_case(t2_t4_t6_refusals), test_case(t10_signer_away),
		test_case(s15_starttls_discards_plaintext),
		test_case(s15_plaintext_instead_of_a_handshake),
		test_case(s19_no_plaintext_after_tls), test_case(t11_truncation_is_a_failure),
		test_case(t7_hello_is_bounded), test_case(t5_key_updates_are_counted),
		test_case(t8_tickets_have_their_time), test_case(reload_keeps_old_connections),
		test_case(bad_certificates_are_refused),
		test_case(keysign_refuses_what_does_not_fit), test_case(rsa_keys_are_bounded),
		test_case(keysign_ed25519) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
