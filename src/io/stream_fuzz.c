// SPDX-License-Identifier: Apache-2.0
/* A client and an owner that do anything at any time, over the simulated network: the first byte is
 * the network's seed, the rest is a script of operations. Properties: what was offered is what was
 * sent, in order, before TLS began and nothing after (S15, S19); failed() comes once and last; the
 * bounds of the buffers hold. */
#include "base/fuzz.h"
#include "base/limits.h"
#include "base/mem.h"
#include "io/loop_sim.h"
#include "io/stream.h"
#include "io/tls.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct world {
	struct loop *loop;
	struct stream *stream;
	struct link *client;
	struct buf sent, reply;
	size_t offered;  /* bytes of sent that the owner took */
	bool tls, gone;  /* stream_start_tls was called; failed() was */
	bool stubborn;   /* the owner takes nothing */
	bool free_next;  /* the owner frees inside of the next event */
	bool close_next; /* or closes */
};

static void in_event(struct world *w)
{
	FUZZ_CHECK(!w->gone);
	if (w->free_next)
		stream_free(&w->stream);
	else if (w->close_next)
		stream_close(w->stream);
	w->free_next = w->close_next = false;
}
static size_t on_input(void *arg, struct str bytes)
{
	struct world *w = arg;
	FUZZ_CHECK(!w->tls && bytes.n > 0 && bytes.n <= LIMIT_STREAM_IN_BYTES);
	FUZZ_CHECK(str_equal(bytes, str_sub(buf_str(&w->sent), w->offered, bytes.n)));
	size_t n = w->stubborn ? 0 : (bytes.n + 1) / 2;
	w->offered += n;
	in_event(w);
	return n;
}
static void on_drained(void *arg)
{
	struct world *w = arg;
	FUZZ_CHECK(stream_unsent(w->stream) == 0);
	in_event(w);
}
static void on_started(void *arg)
{
	(void)arg;
	FUZZ_CHECK(false); /* no script holds a handshake */
}
static void on_eof(void *arg)
{
	in_event(arg);
}
static void on_failed(void *arg, const char *reason)
{
	struct world *w = arg;
	FUZZ_CHECK(!w->gone && reason != NULL);
	w->gone = true;
	stream_free(&w->stream);
}
static void client_ready(void *arg, int events)
{
	struct world *w = arg;
	char room[512];
	(void)events;
	if (w->loop->class->link_read(w->client, room, sizeof(room), NULL) <= 0)
		w->loop->class->link_want(w->client, 0);
}

static int no_signature(void *arg, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err)
{
	(void)arg, (void)key_id, (void)scheme, (void)digest, (void)ret_signature;
	return fail(err, ERR_TEMP, "no");
}
static struct tls_server *server_new(void)
{
	struct err err = ERR_INIT;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	X509_set_pubkey(x, key);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_X509(bio, x);
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	struct tls_certificates *c = tls_certificates_new();
	FUZZ_CHECK(tls_certificates_add(c, STR("k"), str_make(p, (size_t)n), &err) == 0);
	struct tls_server *s = tls_server_new(c, no_signature, NULL, &err);
	FUZZ_CHECK(s != NULL);
	tls_certificates_free(&c);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return s;
}

/* What the owner may do only while there is a stream. */
static void owner_does(struct world *w, struct tls_server *server, uint8_t what, uint8_t n)
{
	if (w->stream == NULL)
		return;
	switch (what) {
	case 0: {
		size_t before = stream_unsent(w->stream);
		for (int i = 0; i < n * 64; i++)
			buf_addc(&w->reply, 'r');
		stream_send(w->stream, &w->reply);
		FUZZ_CHECK(stream_unsent(w->stream) >= before || w->gone);
		FUZZ_CHECK(stream_unsent(w->stream) <= LIMIT_STREAM_OUT_BYTES);
		break;
	}
	case 1:
		stream_resume(w->stream);
		break;
	case 2:
		stream_pause(w->stream, n & 1);
		break;
	case 3:
		w->tls = true;
		stream_start_tls(w->stream, server, n & 1 ? "imap" : NULL);
		break;
	case 4:
		stream_close(w->stream);
		break;
	default:
		w->free_next = n & 1;
		w->close_next = !w->free_next;
		break;
	}
}

static void client_does(
	struct world *w, const uint8_t **data, size_t *size, uint8_t what, uint8_t n)
{
	const struct loop_class *class = w->loop->class;
	size_t length = n < *size ? n : *size;
	ssize_t sent;
	switch (what) {
	case 0:
		sent = class->link_write(w->client, *data, length, -1);
		if (sent > 0)
			buf_add(&w->sent, *data, (size_t)sent);
		*data += length;
		*size -= length;
		break;
	case 1:
		class->link_shutdown(w->client);
		break;
	case 2:
		class->link_want(w->client, LINK_READ);
		break;
	default:
		w->stubborn = n & 1;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_server *server; /* dear to make, and nothing is kept in it */
	if (server == NULL)
		server = server_new();
	if (size < 3 || size > 20000)
		return 0;
	struct world w = { .loop = loop_sim_new(data[0]) };
	int h[2];
	loop_sim_set_network(w.loop, &(struct loop_sim_network){ 20, 32 * 1024, true });
	w.loop->class->pair(w.loop, h);
	buf_init(&w.sent, 1 << 20);
	buf_init(&w.reply, 1 << 20);
	w.client = w.loop->class->link_new(w.loop, h[0], &(struct link_events){ client_ready, &w });
	w.stream = stream_new(w.loop, h[1],
		&(struct stream_events){ on_input, on_drained, on_started, on_eof, on_failed, &w });
	for (data++, size--; size >= 2;) {
		uint8_t what = data[0] & 15, n = data[1];
		data += 2;
		size -= 2;
		if (what < 6)
			owner_does(&w, server, what, n);
		else if (what < 10)
			client_does(&w, &data, &size, what - 6, n);
		else if (what == 10)
			loop_sim_run_for(w.loop, n);
		else if (what == 11)
			loop_sim_run_for(w.loop, n * 4000);
		else
			loop_sim_run_until_idle(w.loop);
	}
	loop_sim_run_for(w.loop, 2 * LIMIT_SEND_STALL_MS);
	stream_free(&w.stream);
	w.loop->class->link_free(&w.client);
	loop_sim_free(&w.loop);
	buf_done(&w.sent);
	buf_done(&w.reply);
	return 0;
}
