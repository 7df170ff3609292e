/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests and fuzz targets alone: a host with a gate and a store of one account in memory, behind
 * struct session_host. Every question and answer goes through the frames' encoder and decoder.
 *
 *     struct fake f; fake_init(&f);
 *     int c = fake_connect(&f, "imaps");           greeting is in f.clients[c].received
 *     fake_send(&f, c, STR("a LOGIN alice secret\r\n"));
 *     fake_done(&f);
 *
 * alice's password is "secret". f.stingy: channels refuse every other bulk frame, and the client
 * takes output a few bytes at a time. f.away: the store answers nothing but ERR_TEMP.
 */
#ifndef CULVER_IMAP_FAKE_HOST_H
#define CULVER_IMAP_FAKE_HOST_H

#include "imap/fake_store.h"

/* ---- turns ---- */

/* Takes what the session says; few bytes at a time when stingy. */
static void fake_drain(struct fake *f, struct fake_client *c)
{
	while (c->session != NULL && c->session->out.n > 0) {
		size_t n = f->stingy && c->session->out.n > 5000 ? 5000 : c->session->out.n;

		buf_add(&c->received, c->session->out.p, n);
		buf_consume(&c->session->out, n);
		if (c->session->next == NEXT_GO_ON)
			c->session->class->resume(c->session);
	}
	if (c->session != NULL && c->session->next == NEXT_CLOSE) {
		for (size_t i = 0; i < f->answers.n; i++) {
			struct fake_answer *a = (struct fake_answer *)(void *)vec_at(
				&f->answers, i);

			if (a->to == c->session)
				a->to = NULL;
		}
		c->session->class->free(&c->session);
		c->closed = true;
		c->watched = 0;
	} else if (c->session != NULL && c->session->next == NEXT_COMPRESS) {
		c->session->next = NEXT_GO_ON; /* what is compressed is the host's matter */
	} else if (c->session != NULL && c->session->next == NEXT_START_TLS) {
		buf_clear(&c->unread);
		c->peer.tls = true;
		c->session->class->tls_started(c->session);
	}
}

static bool fake_deliver_one(struct fake *f)
{
	struct fake_answer a;
	struct frame_header h;
	struct frame frame;
	struct arena arena;

	if (f->answers.n == 0)
		return false;
	a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);
	vec_remove(&f->answers, 0);
	arena_init(&arena, 4 * 1024 * 1024);
	if (frame_header_decode(str_sub(buf_str(&a.frame), 0, FRAME_HEADER_BYTES), &h, NULL) < 0 ||
		frame_decode(&h, str_from_offset(buf_str(&a.frame), FRAME_HEADER_BYTES), &arena,
			&frame, NULL) < 0)
		abort();
	if (a.to != NULL && a.request == 0)
		a.to->class->notice(a.to, &frame);
	else if (a.to != NULL)
		a.to->class->answer(a.to, a.request, &frame);
	arena_done(&arena);
	buf_done(&a.frame);
	return true;
}

static bool fake_input(struct fake_client *c)
{
	size_t n;

	if (c->session == NULL || c->unread.n == 0 || c->session->next != NEXT_GO_ON)
		return false;
	n = c->session->class->input(c->session, buf_str(&c->unread));
	buf_consume(&c->unread, n);
	return n > 0;
}

/* Goes on until nothing moves. A stingy channel may have to be tried more than once. */
static void fake_run(struct fake *f)
{
	for (int still = 0; still < (f->stingy ? 4 : 1); still++) {
		bool moved = fake_deliver_one(f);

		for (int i = 0; i < FAKE_CLIENTS; i++) {
			struct fake_client *c = &f->clients[i];

			fake_drain(f, c);
			moved = fake_input(c) || moved;
			if (f->stingy && c->session != NULL)
				c->session->class->resume(c->session);
			fake_drain(f, c);
		}
		if (moved)
			still = -1;
	}
}

static inline void fake_send(struct fake *f, int client, struct str bytes)
{
	buf_adds(&f->clients[client].unread, bytes);
	fake_run(f);
}

/* Time passes; deadlines strike. */
static inline void fake_wait(struct fake *f, int64_t ms)
{
	f->clock.monotonic_ms += ms;
	f->clock.wall_ms += ms;
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		struct session *s = f->clients[c].session;

		if (s != NULL && s->deadline_ms != 0 && s->deadline_ms <= f->clock.monotonic_ms)
			s->class->timeout(s);
	}
	fake_run(f);
}

static inline int fake_connect(struct fake *f, const char *service, bool tls)
{
	int i = 0;
	struct fake_client *c;

	while (i < FAKE_CLIENTS && f->clients[i].session != NULL)
		i++;
	if (i == FAKE_CLIENTS)
		abort();
	c = &f->clients[i];
	buf_clear(&c->received);
	buf_clear(&c->unread);
	c->closed = false;
	c->peer = (struct session_peer_info){
		.address = "127.0.0.1", .loopback = true, .tls = tls
	};
	snprintf(c->peer.service, sizeof c->peer.service, "%s", service);
	c->session = imap_session_class.new(&f->host, &c->peer, &f->log);
	fake_run(f);
	return i;
}

/* The store is replaced by another that knows the same. */
static inline void fake_replace_store(struct fake *f)
{
	while (f->answers.n > 0) {
		struct fake_answer a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);

		vec_remove(&f->answers, 0);
		buf_done(&a.frame);
	}
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		f->clients[c].watched = 0;
		f->clients[c].account = false;
		if (f->clients[c].session != NULL)
			f->clients[c].session->class->store_lost(f->clients[c].session);
	}
	fake_run(f);
}

static inline void fake_init(struct fake *f)
{
	memset(f, 0, offsetof(struct fake, boxes));
	f->modseq = 10;
	clock_fake_init(&f->clock, 1795300000000);
	random_fake_init(&f->random, 1);
	f->seams = (struct seams){ .clock = &f->clock.seam, .random = &f->random.seam };
	f->settings = (struct front_settings){ .message_bytes = 50 * 1024 * 1024,
		.tls_available = true };
	f->host = (struct session_host){ .ask = fake_ask,
		.tell = fake_tell,
		.cancel = fake_cancel,
		.seams = &f->seams,
		.settings = &f->settings,
		.hostname = "mail.example.test" };
	vec_init(&f->answers, sizeof(struct fake_answer), 1000000);
	vec_init(&f->questions, sizeof(struct fake_question), 1000000);
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		buf_init(&f->clients[c].received, 512 * 1024 * 1024);
		buf_init(&f->clients[c].unread, 512 * 1024 * 1024);
	}
	fake_make_box(f, STR("INBOX"), 0);
	fake_make_box(f, STR("Sent"), USE_SENT);
	fake_make_box(f, STR("Trash"), USE_TRASH);
}

static inline void fake_done(struct fake *f)
{
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		if (f->clients[c].session != NULL)
			f->clients[c].session->class->free(&f->clients[c].session);
		buf_done(&f->clients[c].received);
		buf_done(&f->clients[c].unread);
	}
	for (size_t i = 0; i < f->n_boxes; i++) {
		fake_forget_entries(&f->boxes[i]);
		vec_done(&f->boxes[i].entries);
	}
	while (f->answers.n > 0) {
		struct fake_answer a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);

		vec_remove(&f->answers, 0);
		buf_done(&a.frame);
	}
	for (size_t i = 0; i < f->questions.n; i++) {
		struct fake_question *q = (struct fake_question *)(void *)vec_at(&f->questions, i);

		vec_done(&q->uids);
		fake_message_done(&q->message);
		for (size_t k = 0; k < q->before.n; k++)
			fake_message_done((struct fake_message *)(void *)vec_at(&q->before, k));
		vec_done(&q->before);
	}
	vec_done(&f->answers);
	vec_done(&f->questions);
}

#endif
