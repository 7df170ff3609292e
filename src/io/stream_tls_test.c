// SPDX-License-Identifier: Apache-2.0
/* Streams over real sockets with TLS: versions, certificates, refusals, tickets, reloads. */
#include "io/stream_scene.h"

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
		assert_true(str_starts(str_from(g.cipher), STR("TLS_"))); /* IANA's name */
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
		{ "a.other.test.", NULL, "EC", "other" },
		{ "a.other.test..", NULL, "EC", "" },
		{ ".", NULL, "EC", "" },
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

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(t10_handshakes_with_keys_elsewhere),
		test_case(certificates_are_chosen), test_case(t2_t4_t6_refusals),
		test_case(t10_signer_away), test_case(t7_hello_is_bounded),
		test_case(t5_key_updates_are_counted), test_case(t8_tickets_have_their_time),
		test_case(reload_keeps_old_connections) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
