// SPDX-License-Identifier: Apache-2.0
/* The client's side of TLS: both ends are streams of ours on one loop. */
#include "io/stream_scene.h"

struct dialogue {
	struct guest server, client;
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static struct tls_client *client_of(const char *pem)
{
	struct err err = ERR_INIT;
	char path[] = "/tmp/culver-ca-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_file(path, pem);
	struct tls_client *c = tls_client_new(path, &err);
	unlink(path);
	if (c == NULL)
		fail_msg("%s", err_log_text(&err));
	return c;
}

/* The client says hello, and hears it again; then it closes. */
static size_t client_input(void *arg, struct str bytes)
{
	struct guest *g = arg;
	buf_adds(&g->got, bytes);
	stream_close(g->stream);
	return bytes.n;
}

static void client_started(void *arg)
{
	struct guest *g = arg;
	struct buf hello;
	g->started++;
	stream_tls_info(g->stream, g->version, g->cipher);
	buf_init(&hello, 100);
	buf_addz(&hello, "hello");
	stream_send(g->stream, &hello);
	buf_done(&hello);
}

static void client_failed(void *arg, const char *reason)
{
	struct guest *g = arg;
	g->reason = xstrdup(reason);
	stream_free(&g->stream);
	g->loop->class->stop(g->loop);
}

static void server_failed(void *arg, const char *reason)
{
	struct guest *g = arg;
	g->reason = xstrdup(reason);
	stream_free(&g->stream);
}

static void guest_prepare(struct guest *g, struct loop *l)
{
	g->loop = l;
	buf_init(&g->got, 1000);
	buf_init(&g->reply, 1000);
}

/* What the client's stream ended with. */
static const char *talk(struct fixture *f, const struct identity *shown,
	struct tls_client *believes, const char *host, struct dialogue *d)
{
	int h[2];
	struct loop *l = loop_uv_new();
	*d = (struct dialogue){ .server = { .echo = true, .close_at_eof = true } };
	d->server.server = server_of(f, &shown, 1);
	assert_int_equal(l->class->pair(l, h), 0);
	guest_prepare(&d->server, l);
	d->server.stream = stream_new(l, h[0],
		&(struct stream_events){ guest_input, guest_drained, guest_started, guest_eof,
			server_failed, &d->server });
	guest_prepare(&d->client, l);
	d->client.stream = stream_new(l, h[1],
		&(struct stream_events){
			client_input, NULL, client_started, guest_eof, client_failed, &d->client });
	stream_start_tls(d->server.stream, d->server.server, NULL);
	stream_start_tls_to(d->client.stream, believes, host);
	l->class->run(l);
	stream_free(&d->server.stream);
	stream_free(&d->client.stream);
	loop_uv_free(&l);
	return d->client.reason;
}

static void done(struct dialogue *d)
{
	tls_server_free(&d->server.server);
	guest_done(&d->server);
	guest_done(&d->client);
}

static void believes_who_is_vouched_for_and_meant(void **state)
{
	struct fixture *f = *state;
	const struct {
		const struct identity *shown, *believed;
		const char *host, *why; /* NULL: all is well */
	} cases[] = {
		{ &f->ec, &f->ec, "mail.example.test", NULL },
		{ &f->rsa, &f->rsa, "MAIL.example.test", NULL },
		{ &f->other, &f->other, "a.other.test", NULL },
		{ &f->other, &f->other, "a.b.other.test", "hostname mismatch" },
		{ &f->other, &f->other, "other.test", "hostname mismatch" },
		{ &f->ec, &f->ec, "example.test", "hostname mismatch" },
		{ &f->ec, &f->ec, "192.0.2.1", "IP address mismatch" },
		{ &f->ec, &f->ec, "2001:db8::1", "IP address mismatch" },
		{ &f->ec, &f->other, "mail.example.test", "self-signed certificate" },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dialogue d;
		struct tls_client *believes = client_of(cases[i].believed->chain);
		const char *why = talk(f, cases[i].shown, believes, cases[i].host, &d);
		tls_client_free(&believes);
		if (cases[i].why ? strstr(why, cases[i].why) == NULL : strcmp(why, "closed") != 0)
			fail_msg("%zu: %s", i, why);
		assert_int_equal(d.client.started, cases[i].why == NULL);
		assert_str(buf_str(&d.client.got), cases[i].why ? STR("") : STR("hello"));
		assert_int_equal(d.server.got.n, d.client.got.n);
		if (cases[i].why == NULL)
			assert_string_equal(d.client.version, "TLSv1.3");
		done(&d);
	}
}

static void needs_certificates_to_believe(void **state)
{
	struct err err = ERR_INIT;
	char path[] = "/tmp/culver-ca-XXXXXX";
	int fd = mkstemp(path);
	(void)state;
	close(fd);
	assert_null(tls_client_new(path, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	write_file(path, "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n");
	assert_null(tls_client_new(path, &err));
	unlink(path);
	err = (struct err)ERR_INIT;
	assert_null(tls_client_new(path, &err));
	assert_int_equal(err.kind, ERR_CONFIG);
	assert_non_null(strstr(err_log_text(&err), path));
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(believes_who_is_vouched_for_and_meant),
		test_case(needs_certificates_to_believe) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
