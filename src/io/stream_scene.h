/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of streams: what a front does, in small, on one end of a socket pair, and on the other
 * a client in a thread of its own.
 *
 * used by: stream_test.c, stream_tls_test.c
 */
#ifndef CULVER_IO_STREAM_SCENE_H
#define CULVER_IO_STREAM_SCENE_H

#include "io/stream.h"
#include "io/tls_scene.h"

#include <errno.h>
#include <openssl/err.h>
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

static inline size_t guest_input(void *arg, struct str bytes)
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

static inline void guest_drained(void *arg)
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

static inline void guest_started(void *arg)
{
	struct guest *g = arg;
	g->started++;
	if (g->when_drained) {
		g->hold = false;
		stream_resume(g->stream);
	}
	stream_tls_info(g->stream, g->version, g->cipher);
}

static inline void guest_eof(void *arg)
{
	struct guest *g = arg;
	g->eofs++;
	if (g->close_at_eof)
		stream_close(g->stream);
}

static inline void guest_failed(void *arg, const char *reason)
{
	struct guest *g = arg;
	assert_null(g->reason);
	g->reason = xstrdup(reason);
	stream_free(&g->stream);
	g->loop->class->stop(g->loop);
}

static inline void guest_init(struct guest *g, struct loop *l, int handle)
{
	g->loop = l;
	buf_init(&g->got, 64 << 20);
	buf_init(&g->reply, 1 << 20);
	g->stream = stream_new(l, handle,
		&(struct stream_events){
			guest_input, guest_drained, guest_started, guest_eof, guest_failed, g });
}

static inline void guest_done(struct guest *g)
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

static inline void *client_main(void *arg)
{
	struct client *c = arg;
	c->script(c);
	if (c->fd >= 0)
		close(c->fd);
	return NULL;
}

static inline void stop_loop(void *arg)
{
	struct loop *l = arg;
	l->class->stop(l);
}

/* Runs server and client until both ended, at most 10 s. */
static inline void meet(struct guest *g, struct client *c)
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

static inline bool send_all(int fd, const char *p, size_t n)
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

static char blob[8 << 20];

static inline bool client_connects(struct client *c)
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

static inline void client_ends(struct client *c)
{
	SSL_free(c->ssl);
	ERR_clear_error();
}

/* 300 KB there and back, more than any buffer, then an orderly end. */
static inline void tls_echoes(struct client *c)
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

#endif
