// SPDX-License-Identifier: Apache-2.0
/* The simulated loop, and what only a made-up clock can test: deadlines of channels and streams at
 * their last millisecond, many seeds of a network that cuts and delays. */
#include "io/loop_sim.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/test.h"
#include "io/channel.h"
#include "io/stream.h"
#include "io/tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { SEEDS = 40 };

/* ---- two channels ---- */

struct side {
	struct channel *channel;
	uint32_t bulk_next, small_next; /* what must come next */
	uint32_t bulk_sent, small_sent, bulk_total;
	uint64_t sum;
	size_t held;
	bool hold;
	const char *reason;
};
static char payload[65000];

static void pump(void *arg)
{
	struct side *s = arg;
	struct frame f = { .type = FRAME_UPLOAD_BYTES };
	while (s->bulk_sent < s->bulk_total) {
		f.upload_bytes.data = str_make(payload, 1 + s->bulk_sent * 7919 % 65000);
		if (!channel_send(s->channel, s->bulk_sent + 1, &f))
			return;
		s->bulk_sent++;
		struct frame small = { .type = FRAME_RESOLVE,
			.resolve = { .size = s->small_sent } };
		assert_true(channel_send(s->channel, ++s->small_sent, &small));
	}
}
static bool saw_frame(void *arg, uint32_t request, const struct frame *f, int received)
{
	struct side *s = arg;
	assert_int_equal(received, -1);
	if (f->type == FRAME_UPLOAD_BYTES) {
		assert_int_equal(request, ++s->bulk_next);
		assert_int_equal(f->upload_bytes.data.n, 1 + (request - 1) * 7919 % 65000);
		s->sum += f->upload_bytes.data.n;
		if (s->hold)
			s->held += channel_hold(s->channel);
	} else {
		assert_int_equal(request, ++s->small_next);
	}
	return true;
}
static void saw_closed(void *arg, const char *reason)
{
	struct side *s = arg;
	s->reason = reason;
}

static uint64_t run_channels(uint64_t seed, uint64_t *ret_steps)
{
	struct loop *l = loop_sim_new(seed);
	struct side front = { .bulk_total = 60 }, store = { 0 };
	int h[2];
	uint64_t hash;
	l->class->pair(l, h);
	front.channel = channel_new(l, h[0], CLASS_USER, CLASS_STORE,
		&(struct channel_events){ saw_frame, pump, saw_closed, &front });
	store.channel = channel_new(l, h[1], CLASS_STORE, CLASS_USER,
		&(struct channel_events){ saw_frame, NULL, saw_closed, &store });
	pump(&front);
	assert_true(loop_sim_run_for(l, 600000));
	assert_null(front.reason);
	assert_null(store.reason);
	assert_int_equal(store.bulk_next, 60);
	assert_int_equal(store.small_next, 60);
	*ret_steps = loop_sim_steps(l, &hash);
	channel_free(&front.channel);
	channel_free(&store.channel);
	loop_sim_free(&l);
	return hash;
}

static void channels_survive_any_network(void **state)
{
	(void)state;
	uint64_t steps[2], first = run_channels(1, &steps[0]);
	assert_int_equal(run_channels(1, &steps[1]), first);
	assert_int_equal(steps[0], steps[1]);
	for (uint64_t seed = 2; seed < SEEDS; seed++)
		run_channels(seed, &steps[1]);
}

/* Who holds all credit for LIMIT_CHANNEL_STALL_MS loses the channel; a moment before, not yet. */
static void channel_stalls(void **state)
{
	(void)state;
	for (int late = 0; late <= 1; late++) {
		struct loop *l = loop_sim_new(7);
		struct side front = { .bulk_total = 200 }, store = { .hold = true };
		int h[2];
		loop_sim_set_network(l, &(struct loop_sim_network){ 0, 64 * 1024, false });
		l->class->pair(l, h);
		front.channel = channel_new(l, h[0], CLASS_USER, CLASS_STORE,
			&(struct channel_events){ saw_frame, pump, saw_closed, &front });
		store.channel = channel_new(l, h[1], CLASS_STORE, CLASS_USER,
			&(struct channel_events){ saw_frame, NULL, saw_closed, &store });
		pump(&front);
		assert_true(loop_sim_run_until_idle(l));
		assert_true(loop_sim_run_for(l, LIMIT_CHANNEL_STALL_MS - 1));
		assert_null(front.reason);
		if (!late) {
			store.hold = false;
			channel_grant(store.channel, store.held);
			store.held = 0;
		}
		assert_true(loop_sim_run_for(l, 1));
		if (late)
			assert_string_equal(front.reason, "the peer stalls");
		else
			assert_null(front.reason);
		assert_true(loop_sim_run_for(l, 100000));
		assert_int_equal(store.bulk_next == 200, !late);
		channel_free(&front.channel);
		channel_free(&store.channel);
		loop_sim_free(&l);
	}
}

/* To be given a credit of nothing, again and again, is to be given none. */
static void credit_of_nothing(void **state)
{
	(void)state;
	struct loop *l = loop_sim_new(7);
	struct side front = { .bulk_total = 200 }, store = { .hold = true };
	static const struct frame nothing = { .type = FRAME_CREDIT };
	int h[2];
	loop_sim_set_network(l, &(struct loop_sim_network){ 0, 64 * 1024, false });
	l->class->pair(l, h);
	front.channel = channel_new(l, h[0], CLASS_USER, CLASS_STORE,
		&(struct channel_events){ saw_frame, pump, saw_closed, &front });
	store.channel = channel_new(l, h[1], CLASS_STORE, CLASS_USER,
		&(struct channel_events){ saw_frame, NULL, saw_closed, &store });
	pump(&front);
	for (int i = 0; i < 3; i++) {
		assert_true(loop_sim_run_for(l, LIMIT_CHANNEL_STALL_MS / 3));
		if (front.reason == NULL)
			assert_true(channel_send(store.channel, 0, &nothing));
	}
	assert_true(loop_sim_run_for(l, 3));
	assert_non_null(front.reason);
	assert_string_equal(front.reason, "the peer stalls");
	channel_free(&front.channel);
	channel_free(&store.channel);
	loop_sim_free(&l);
}

static void channel_loses_its_peer(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct loop *l = loop_sim_new(seed);
		struct side front = { .bulk_total = 100 }, store = { 0 };
		int h[2];
		l->class->pair(l, h);
		front.channel = channel_new(l, h[0], CLASS_USER, CLASS_STORE,
			&(struct channel_events){ saw_frame, pump, saw_closed, &front });
		store.channel = channel_new(l, h[1], CLASS_STORE, CLASS_USER,
			&(struct channel_events){ saw_frame, NULL, saw_closed, &store });
		pump(&front);
		loop_sim_run_for(l, (int64_t)seed * 3);
		loop_sim_break(l, h[0]);
		loop_sim_run_for(l, 100);
		assert_string_equal(front.reason, "the peer is gone");
		assert_string_equal(store.reason, "the peer is gone");
		channel_free(&front.channel);
		channel_free(&store.channel);
		loop_sim_free(&l);
	}
}

/* ---- a link ---- */

struct woken {
	struct loop *loop;
	struct link *link;
	int events;
};

static void saw_ready(void *arg, int events)
{
	struct woken *w = arg;
	w->events |= events;
	w->loop->class->link_want(w->link, 0);
}

/* Whoever waits to write alone hears that the connection was lost, as of the real loop: to be told
 * of something else, for ever, is a loop that spins. (Found by the simulation, seed 144.) */
static void a_reset_wakes_a_writer(void **state)
{
	(void)state;
	for (int want = LINK_READ; want <= (LINK_READ | LINK_WRITE); want++) {
		struct woken w = { .loop = loop_sim_new(1) };
		int h[2];
		w.loop->class->pair(w.loop, h);
		w.link = w.loop->class->link_new(
			w.loop, h[0], &(struct link_events){ .ready = saw_ready, .arg = &w });
		loop_sim_break(w.loop, h[1]);
		w.loop->class->link_want(w.link, want);
		loop_sim_run_for(w.loop, 1);
		assert_int_equal(w.events, want);
		w.loop->class->link_free(&w.link);
		w.loop->class->handle_close(w.loop, h[1]);
		loop_sim_free(&w.loop);
	}
}

/* ---- a stream and its client ---- */

struct client {
	struct loop *loop;
	struct link *link;
	struct buf out, got;
	bool eof, dead, deaf;
};
static void client_ready(void *arg, int events)
{
	struct client *c = arg;
	char room[4096];
	if (events & LINK_READ) {
		ssize_t n = c->loop->class->link_read(c->link, room, sizeof(room), NULL);
		if (n > 0)
			buf_add(&c->got, room, (size_t)n);
		c->eof |= n == 0;
		c->dead |= n < 0 && n != -EAGAIN;
	}
	if (c->out.n > 0) {
		ssize_t n = c->loop->class->link_write(c->link, c->out.p, c->out.n, -1);
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
		c->dead |= n < 0 && n != -EAGAIN;
	}
	int want = (c->deaf || c->eof || c->dead ? 0 : LINK_READ) | (c->out.n ? LINK_WRITE : 0);
	c->loop->class->link_want(c->link, c->dead ? 0 : want);
}
static void client_init(struct client *c, struct loop *l, int handle)
{
	c->loop = l;
	buf_init(&c->out, 1 << 20);
	buf_init(&c->got, 1 << 24);
	c->link = l->class->link_new(l, handle, &(struct link_events){ client_ready, c });
}
static void client_done(struct client *c)
{
	c->loop->class->link_free(&c->link);
	buf_done(&c->out);
	buf_done(&c->got);
}
static void client_says(struct client *c, const char *what, size_t n)
{
	buf_add(&c->out, what, n);
	c->loop->class->link_want(c->link, (c->deaf ? 0 : LINK_READ) | LINK_WRITE);
}

struct server {
	struct loop *loop;
	struct listener *listener;
	struct stream *stream;
	struct buf reply, got;
	struct tls_server *tls;
	char address[64];
	bool echo, close_at_eof;
	size_t takes, kept; /* takes: in all, if not 0; kept: the most that it was offered then */
	int eofs;
	char reason[128];
	int64_t failed_ms;
};
static size_t server_input(void *arg, struct str bytes)
{
	struct server *s = arg;
	if (s->takes && s->got.n >= s->takes) {
		s->kept = bytes.n > s->kept ? bytes.n : s->kept;
		return 0;
	}
	buf_adds(&s->got, bytes);
	if (s->echo) {
		buf_adds(&s->reply, bytes);
		stream_send(s->stream, &s->reply);
	}
	return bytes.n;
}
static void server_eof(void *arg)
{
	struct server *s = arg;
	s->eofs++;
	if (s->close_at_eof)
		stream_close(s->stream);
}
static void server_failed(void *arg, const char *reason)
{
	struct server *s = arg;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	s->failed_ms = s->loop->clock->monotonic_ms(s->loop->clock);
	stream_free(&s->stream);
}
static void server_accepted(void *arg, int handle, const char *address, uint16_t port)
{
	struct server *s = arg;
	snprintf(s->address, sizeof(s->address), "%s %d", address, port);
	s->stream = stream_new(s->loop, handle,
		&(struct stream_events){ server_input, NULL, NULL, server_eof, server_failed, s });
	if (s->tls != NULL)
		stream_start_tls(s->stream, s->tls, NULL);
}
static int server_init(struct server *s, struct loop *l)
{
	int door = loop_sim_listen(l);
	s->loop = l;
	buf_init(&s->reply, 1 << 24);
	buf_init(&s->got, 1 << 24);
	s->listener = l->class->listener_new(l, door, server_accepted, s);
	return door;
}
static void server_done(struct server *s)
{
	stream_free(&s->stream);
	s->loop->class->listener_free(&s->listener);
	buf_done(&s->reply);
	buf_done(&s->got);
}

static void stream_echoes_over_any_network(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct loop *l = loop_sim_new(seed);
		struct server s = { .echo = true, .close_at_eof = true };
		struct client c = { 0 };
		int door = server_init(&s, l);
		client_init(&c, l, loop_sim_connect(l, door, "192.0.2.1", 4711));
		client_says(&c, payload, sizeof(payload));
		loop_sim_run_for(l, 60000);
		assert_string_equal(s.address, "192.0.2.1 4711");
		assert_int_equal(s.got.n, sizeof(payload));
		assert_int_equal(c.got.n, sizeof(payload));
		l->class->link_shutdown(c.link);
		loop_sim_run_for(l, 1000);
		assert_int_equal(s.eofs, 1);
		assert_true(c.eof);
		client_done(&c);
		loop_sim_run_for(l, LIMIT_CLOSE_MS + 1);
		assert_string_equal(s.reason, "closed");
		server_done(&s);
		loop_sim_free(&l);
	}
}

/* Of two clients that take turns, each is read into the same memory. */
static void streams_share_memory_to_read_into(void **state)
{
	(void)state;
	struct loop *l = loop_sim_new(3);
	struct server s[2] = { { .takes = 0 }, { .takes = 0 } };
	struct client c[2] = { { 0 }, { 0 } };
	const char *memory = NULL;
	for (int i = 0; i < 2; i++) {
		int door = server_init(&s[i], l);
		client_init(&c[i], l, loop_sim_connect(l, door, "192.0.2.1", 1));
	}
	for (int turn = 0; turn < 6; turn++) {
		client_says(&c[turn % 2], payload, 100);
		loop_sim_run_for(l, 1000);
		assert_int_equal(s[turn % 2].got.n, 100 * (turn / 2 + 1));
		assert_non_null(l->spare.p);
		assert_true(memory == NULL || l->spare.p == memory);
		memory = l->spare.p;
	}
	for (int i = 0; i < 2; i++) {
		client_done(&c[i]);
		server_done(&s[i]);
	}
	loop_sim_free(&l);
}

/* What a session does not take is kept, up to LIMIT_STREAM_IN_BYTES; the rest stays in the network.
 */
static void stream_keeps_what_is_not_taken(void **state)
{
	enum { FIRST = 16 * 1024 }; /* after a full read the next is for as much as may be kept */
	static char bytes[LIMIT_STREAM_IN_BYTES + 1];
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7919 >> 8);
	for (size_t n = LIMIT_STREAM_IN_BYTES - 1; n <= LIMIT_STREAM_IN_BYTES + 1; n++) {
		struct loop *l = loop_sim_new(3);
		loop_sim_set_network(l, &(struct loop_sim_network){ 0, 1 << 20, false });
		struct server s = { .takes = FIRST };
		struct client c = { 0 };
		int door = server_init(&s, l);
		client_init(&c, l, loop_sim_connect(l, door, "192.0.2.1", 1));
		client_says(&c, bytes, FIRST);
		client_says(&c, bytes, n);
		loop_sim_run_for(l, 1000);
		assert_int_equal(s.got.n, FIRST);
		assert_int_equal(s.kept, n <= LIMIT_STREAM_IN_BYTES ? n : LIMIT_STREAM_IN_BYTES);
		s.takes = 0;
		stream_resume(s.stream);
		loop_sim_run_for(l, 1000);
		assert_int_equal(s.got.n, FIRST + n);
		assert_memory_equal(s.got.p + FIRST, bytes, n);
		client_done(&c);
		server_done(&s);
		loop_sim_free(&l);
	}
}

/* A client that reads nothing: LIMIT_SEND_STALL_MS, to the millisecond. */
static void stream_gives_up_a_deaf_client(void **state)
{
	(void)state;
	struct loop *l = loop_sim_new(3);
	loop_sim_set_network(l, &(struct loop_sim_network){ 0, 16 * 1024, false });
	struct server s = { 0 };
	struct client c = { .deaf = true };
	int door = server_init(&s, l);
	client_init(&c, l, loop_sim_connect(l, door, "192.0.2.1", 1));
	loop_sim_run_until_idle(l);
	/* LIMIT_STREAM_OUT_BYTES is all that it holds; the rest stays with the caller. */
	for (size_t n = 0; n < LIMIT_STREAM_OUT_BYTES + 1; n += 1)
		buf_addc(&s.reply, 'x');
	stream_send(s.stream, &s.reply);
	assert_int_equal(s.reply.n, 1);
	assert_int_equal(stream_unsent(s.stream), LIMIT_STREAM_OUT_BYTES);
	loop_sim_run_until_idle(l);
	assert_int_equal(stream_unsent(s.stream), LIMIT_STREAM_OUT_BYTES - 16 * 1024);
	loop_sim_run_for(l, LIMIT_SEND_STALL_MS - 1);
	assert_string_equal(s.reason, "");
	loop_sim_run_for(l, 1);
	assert_string_equal(s.reason, "the client reads nothing");
	client_done(&c);
	server_done(&s);
	loop_sim_free(&l);
}

/* Closing takes at most LIMIT_CLOSE_MS, whether the client reads or not. */
static void stream_closes_in_time(void **state)
{
	(void)state;
	for (int deaf = 0; deaf <= 1; deaf++) {
		struct loop *l = loop_sim_new(3);
		loop_sim_set_network(l, &(struct loop_sim_network){ 0, 16 * 1024, false });
		struct server s = { 0 };
		struct client c = { .deaf = deaf };
		int door = server_init(&s, l);
		client_init(&c, l, loop_sim_connect(l, door, "192.0.2.1", 1));
		loop_sim_run_until_idle(l);
		buf_add(&s.reply, payload, 40000);
		stream_send(s.stream, &s.reply);
		stream_close(s.stream);
		if (!deaf)
			l->class->link_want(c.link, LINK_READ);
		loop_sim_run_for(l, LIMIT_CLOSE_MS - 1);
		assert_int_equal(c.got.n, deaf ? 0 : 40000);
		assert_int_equal(c.eof, !deaf);
		assert_string_equal(s.reason, ""); /* it lingers for a client that does not close */
		loop_sim_run_for(l, 1);
		assert_string_equal(s.reason, "closed");
		client_done(&c);
		server_done(&s);
		loop_sim_free(&l);
	}
}

static int no_signature(void *arg, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err)
{
	(void)arg, (void)key_id, (void)scheme, (void)digest, (void)ret_signature;
	return fail(err, ERR_TEMP, "no");
}
static struct tls_server *tls_server_for_test(void)
{
	struct err err = ERR_INIT;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_set_pubkey(x, key);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_sign(x, key, EVP_sha256());
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	struct tls_certificates *c = tls_certificates_new();
	assert_int_equal(tls_certificates_add(c, STR("k"), str_make(p, (size_t)n), &err), 0);
	struct tls_server *s = tls_server_new(c, no_signature, NULL, &err);
	assert_non_null(s);
	tls_certificates_free(&c);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return s;
}

/* T7: a handshake byte by byte ends at LIMIT_HANDSHAKE_MS however it trickles; a silent one too. */
static void t7_handshake_has_a_deadline(void **state)
{
	(void)state;
	/* The beginning of a ClientHello that says it is 512 bytes long. */
	static const char hello[64] = { 22, 3, 1, 2, 4, 1, 0, 2, 0, 3, 3 };
	for (int silent = 0; silent <= 1; silent++) {
		struct loop *l = loop_sim_new(3);
		loop_sim_set_network(l, &(struct loop_sim_network){ 0, 16 * 1024, false });
		struct server s = { .tls = tls_server_for_test() };
		struct client c = { 0 };
		int door = server_init(&s, l);
		client_init(&c, l, loop_sim_connect(l, door, "192.0.2.1", 1));
		loop_sim_run_until_idle(l);
		int64_t start = l->clock->monotonic_ms(l->clock);
		for (int i = 0; i < LIMIT_HANDSHAKE_MS / 1000; i++) {
			if (!silent)
				client_says(&c, hello + i, 1);
			loop_sim_run_for(l, i < LIMIT_HANDSHAKE_MS / 1000 - 1 ? 1000 : 999);
		}
		assert_string_equal(s.reason, "");
		loop_sim_run_for(l, 1);
		assert_string_equal(s.reason, "the TLS handshake took too long");
		assert_int_equal(s.failed_ms - start, LIMIT_HANDSHAKE_MS);
		client_done(&c);
		server_done(&s);
		tls_server_free(&s.tls);
		loop_sim_free(&l);
	}
}

/* T7: LIMIT_HANDSHAKE_BYTES before the handshake is done: one less and all of them are waited for,
 * one more is the end. */
static void t7_handshake_has_a_bound(void **state)
{
	(void)state;
	static char hello[LIMIT_HANDSHAKE_BYTES + 1];
	/* Two records, as parts of a message that says it is 128 KiB long. */
	static const char first[] = { 22, 3, 1, 64, 0, 1, 1, (char)255, (char)255, 3, 3 };
	size_t second = 5 + 16384, rest = sizeof(hello) - second - 5;
	char header[] = { 22, 3, 1, (char)(rest >> 8), (char)rest };
	memcpy(hello, first, sizeof(first));
	memcpy(hello + second, header, sizeof(header));
	for (size_t n = LIMIT_HANDSHAKE_BYTES - 1; n <= LIMIT_HANDSHAKE_BYTES + 1; n++) {
		struct loop *l = loop_sim_new(n);
		struct server s = { .tls = tls_server_for_test() };
		struct client c = { 0 };
		int door = server_init(&s, l);
		client_init(&c, l, loop_sim_connect(l, door, "192.0.2.1", 1));
		client_says(&c, hello, n);
		loop_sim_run_for(l, LIMIT_HANDSHAKE_MS / 2);
		assert_string_equal(s.reason,
			n <= LIMIT_HANDSHAKE_BYTES ? "" : "the TLS handshake is too long");
		client_done(&c);
		server_done(&s);
		tls_server_free(&s.tls);
		loop_sim_free(&l);
	}
}

/* Descriptors that the peer does not take: LIMIT_CHANNEL_HANDLES may wait, one more ends it. */
static void handles_that_wait_are_bounded(void **state)
{
	(void)state;
	for (int n = LIMIT_CHANNEL_HANDLES - 1; n <= LIMIT_CHANNEL_HANDLES + 1; n++) {
		struct loop *l = loop_sim_new(1);
		struct side supervisor = { 0 };
		int h[2], gift[2];
		l->class->pair(l, h);
		supervisor.channel = channel_new(l, h[0], CLASS_SUPERVISOR, CLASS_STORE,
			&(struct channel_events){ saw_frame, NULL, saw_closed, &supervisor });
		for (int i = 0; i < n; i++) {
			struct frame f = { .type = FRAME_HAND_OVER };
			l->class->pair(l, gift);
			channel_send_handle(supervisor.channel, 0, &f, gift[0]);
			l->class->handle_close(l, gift[1]);
		}
		loop_sim_run_until_idle(l);
		if (n <= LIMIT_CHANNEL_HANDLES)
			assert_null(supervisor.reason);
		else
			assert_string_equal(supervisor.reason, "the peer takes no descriptors");
		channel_free(&supervisor.channel);
		l->class->handle_close(l, h[1]);
		loop_sim_free(&l);
	}
}

/* ---- workers ---- */

struct job {
	struct executor_seam *executor;
	struct worker *worker;
	int left, steps, done;
	bool again;
};
static bool job_step(void *arg)
{
	struct job *j = arg;
	if (j->left == 0)
		return false;
	j->left--;
	j->steps++;
	j->executor->notify(j->worker);
	return true;
}
static void job_done(void *arg)
{
	struct job *j = arg;
	j->done++;
	if (j->again) {
		j->again = false;
		j->left += 5;
		j->executor->wake(j->worker);
	}
}
static void workers_step_by_the_seed(void **state)
{
	(void)state;
	struct loop *l = loop_sim_new(5);
	struct job a = { .executor = l->class->executor(l), .left = 10, .again = true };
	struct job b = a;
	a.worker = a.executor->start(
		a.executor, &(struct worker_spec){ "a", job_step, job_done, &a });
	b.worker = b.executor->start(
		b.executor, &(struct worker_spec){ "b", job_step, job_done, &b });
	loop_sim_run_until_idle(l);
	assert_int_equal(a.left + b.left, 0);
	assert_int_equal(a.steps, 15);
	assert_true(a.done >= 1 && a.done <= a.steps);
	a.left = 3; /* not before wake() */
	loop_sim_run_until_idle(l);
	assert_int_equal(a.left, 3);
	a.executor->wake(a.worker);
	loop_sim_run_until_idle(l);
	assert_int_equal(a.left, 0);
	a.executor->stop(&a.worker);
	b.executor->stop(&b.worker);
	loop_sim_free(&l);
}

/* ---- doors and handles ---- */

static void doors_refuse_and_pause(void **state)
{
	(void)state;
	struct loop *l = loop_sim_new(9);
	struct server s = { 0 };
	assert_int_equal(loop_sim_connect(l, 0, "192.0.2.1", 1), -ECONNREFUSED);
	int door = server_init(&s, l);
	l->class->listener_pause(s.listener, true);
	int client = loop_sim_connect(l, door, "192.0.2.1", 1);
	loop_sim_run_for(l, 1000);
	assert_null(s.stream);
	l->class->listener_pause(s.listener, false);
	loop_sim_run_for(l, 1000);
	assert_non_null(s.stream);
	l->class->handle_close(l, client);
	loop_sim_run_for(l, 1000);
	assert_int_equal(s.eofs, 1);
	server_done(&s);
	assert_int_equal(loop_sim_connect(l, door, "192.0.2.1", 1), -ECONNREFUSED);
	loop_sim_free(&l);
}

static void handles_are_passed(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct loop *l = loop_sim_new(seed);
		int h[2], gift[2], received = -1;
		l->class->pair(l, h);
		l->class->pair(l, gift);
		struct client c = { 0 };
		client_init(&c, l, gift[1]);
		struct link *a = l->class->link_new(l, h[0], &(struct link_events){ NULL, NULL });
		struct link *b = l->class->link_new(l, h[1], &(struct link_events){ NULL, NULL });
		assert_true(l->class->link_write(a, "abc", 3, -1) > 0);
		assert_true(l->class->link_write(a, "def", 3, gift[0]) > 0);
		l->class->handle_close(l, gift[0]);
		loop_sim_run_for(l, 100);
		char room[10];
		for (int i = 0; i < 20 && received < 0; i++)
			l->class->link_read(b, room, sizeof(room), &received);
		assert_int_equal(received, gift[0]);
		struct link *g = l->class->link_new(
			l, received, &(struct link_events){ NULL, NULL });
		assert_int_equal(l->class->link_write(g, "x", 1, -1), 1);
		l->class->link_want(c.link, LINK_READ);
		loop_sim_run_for(l, 100);
		assert_int_equal(c.got.n, 1);
		l->class->link_free(&g);
		loop_sim_run_for(l, 100);
		assert_true(c.eof);
		client_done(&c);
		l->class->link_free(&a);
		l->class->link_free(&b);
		loop_sim_free(&l);
	}
}

TEST_MAIN(test_case(channels_survive_any_network), test_case(channel_stalls),
	test_case(credit_of_nothing), test_case(channel_loses_its_peer),
	test_case(a_reset_wakes_a_writer), test_case(stream_echoes_over_any_network),
	test_case(streams_share_memory_to_read_into), test_case(stream_keeps_what_is_not_taken),
	test_case(stream_gives_up_a_deaf_client), test_case(stream_closes_in_time),
	test_case(t7_handshake_has_a_deadline), test_case(t7_handshake_has_a_bound),
	test_case(handles_that_wait_are_bounded), test_case(workers_step_by_the_seed),
	test_case(doors_refuse_and_pause), test_case(handles_are_passed))
