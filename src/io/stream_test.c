// SPDX-License-Identifier: Apache-2.0
/* Streams over real sockets: plain, and where TLS begins and ends. */
#include "io/stream_scene.h"

/* ---- plain ---- */

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

/* ---- where TLS begins and ends ---- */

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

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(plain_echo_and_half_close),
		test_case(nobody_waits_in_memory), test_case(freed_inside_input),
		test_case(kept_input_is_bounded_and_offered_again),
		test_case(s15_starttls_discards_plaintext),
		test_case(s15_plaintext_instead_of_a_handshake),
		test_case(s19_no_plaintext_after_tls), test_case(t11_truncation_is_a_failure) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
