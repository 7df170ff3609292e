// SPDX-License-Identifier: Apache-2.0
/* Messages on their way to the store: bytes while they come, the digest when all did, and one
 * commit for all. As the channel has room; meanwhile the session takes no input. */
#include "imap/append.h"

#include <inttypes.h>

void append_push_init(struct append_work *w)
{
	buf_init(&w->piece, APPEND_DATA_MAX);
	buf_init(&w->digest, LIMIT_DIGEST_BYTES);
}

/* Nothing is kept unless everything came (I18, T11). */
void append_push_drop(struct imap *s, struct append_work *w)
{
	if (s->upload != 0) {
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, s->upload,
			&(struct frame){ .type = FRAME_UPLOAD_ABORT });
		s->session.host->cancel(s->session.host, &s->session, s->upload);
		s->upload = 0;
	}
	mail_parser_free(&w->parser);
	buf_done(&w->piece);
	buf_done(&w->digest);
}

static bool tell(struct imap *s, const struct frame *frame)
{
	return s->session.host->tell(s->session.host, &s->session, ASK_STORE, s->upload, frame);
}

/* ---- one frame after the other; false: there is no room, or nothing to be sent ---- */

static bool tell_bytes(struct imap *s, struct str bytes)
{
	struct frame f = { .type = FRAME_UPLOAD_BYTES, .upload_bytes = { bytes } };

	return tell(s, &f);
}

static bool push_bytes(struct imap *s, struct append_work *w)
{
	if (w->piece.n == 0 || !tell_bytes(s, buf_str(&w->piece)))
		return false;
	buf_clear(&w->piece);
	return true;
}

static bool push_digest(struct imap *s, struct append_work *w)
{
	if (w->piece.n > 0 && !push_bytes(s, w))
		return false;
	while (w->digest_at < w->digest.n) {
		struct str piece = str_sub(buf_str(&w->digest), w->digest_at, APPEND_DATA_MAX);
		struct frame f = { .type = FRAME_UPLOAD_DIGEST, .upload_digest = { piece } };

		if (!tell(s, &f))
			return false;
		w->digest_at += piece.n;
	}
	w->push = PUSH_INTO;
	return true;
}

static bool push_into(struct imap *s, struct append_work *w)
{
	const struct append_message *m = &w->message;
	struct frame f = { .type = FRAME_UPLOAD_INTO,
		.upload_into = { .session = s->session.store_session,
			.mailbox = w->mailbox,
			.time = m->time,
			.flags = m->flags.flags,
			.keywords = { m->flags.keywords, m->flags.n },
			.name = w->mailbox == 0 ? w->name : STR("") } };

	if (!tell(s, &f))
		return false;
	w->push = PUSH_BYTES;
	return true;
}

static bool push_next(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_NEXT, .upload_next = { w->hint } };

	if (!tell(s, &f))
		return false;
	w->push = PUSH_BYTES;
	return true;
}

static bool push_replace(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_REPLACE,
		.upload_replace = { s->session.store_session, s->sel.mailbox, w->replaces } };

	if (!tell(s, &f))
		return false;
	w->push = PUSH_BYTES;
	return true;
}

static bool push_commit(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_COMMIT, .upload_commit = { str_from(w->id) } };

	if (!tell(s, &f))
		return false;
	s->request = s->upload; /* now the answer is awaited like any other */
	s->upload = 0;
	w->then = NULL;
	return false;
}

static bool push_one(struct imap *s, struct append_work *w)
{
	switch (w->push) {
	case PUSH_REPLACE:
		return push_replace(s, w);
	case PUSH_BYTES:
		return push_bytes(s, w);
	case PUSH_DIGEST:
		return push_digest(s, w);
	case PUSH_INTO:
		return push_into(s, w);
	case PUSH_NEXT:
		return push_next(s, w);
	case PUSH_COMMIT:
		return push_commit(s, w);
	}
	return false;
}

static void go_on(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	bool left;

	while (s->upload != 0 && push_one(s, w))
		;
	left = s->upload != 0 && (w->push != PUSH_BYTES || w->piece.n > 0);
	s->cmd.busy = left;
	s->cmd.resume = left ? go_on : NULL;
	if (left || w->then == NULL)
		return;
	s->step = w->then;
	w->then = NULL;
}

void append_push(struct imap *s, imap_step *then)
{
	struct append_work *w = s->cmd.work;

	w->then = then;
	go_on(s);
}

/* ---- what there is to be sent ---- */

/* Told early: the disk is full, the store is gone. What still comes is read and dropped. */
static void upload_failed(struct imap *s, const struct frame *answer)
{
	struct append_work *w = s->cmd.work;

	s->upload = 0;
	w->error = answer->type == FRAME_FAILED ? answer->failed.kind : ERR_TEMP;
	if (answer->type == FRAME_FAILED)
		snprintf(w->error_text, sizeof w->error_text, "%" STR_FMT,
			STR_ARG(answer->failed.text));
	go_on(s);
}

void append_push_message(struct imap *s, uint64_t size)
{
	struct append_work *w = s->cmd.work;
	struct random_seam *random = s->session.host->seams->random;

	w->hint = size;
	w->bytes = 0;
	w->ended = false;
	w->digest_at = 0;
	buf_clear(&w->digest);
	mail_parser_free(&w->parser);
	w->parser = mail_parser_new(NULL);
	w->watch = (struct mail_header_watch){ .over = false };
	if (++w->n > 1) {
		w->push = PUSH_NEXT;
		return;
	}
	if (s->append_id == 0)
		random->fill(random, &s->append_id, sizeof s->append_id);
	snprintf(w->id, sizeof w->id, "%016" PRIx64, s->append_id++);
	s->upload = s->session.host->ask(s->session.host, &s->session, ASK_STORE,
		&(struct frame){ .type = FRAME_UPLOAD_OPEN, .upload_open = { size } });
	s->upload_answer = upload_failed;
	w->push = w->replaces != 0 ? PUSH_REPLACE : PUSH_BYTES;
}

bool append_push_bytes(struct imap *s, struct str bytes)
{
	struct append_work *w = s->cmd.work;

	w->bytes += bytes.n;
	mail_header_watch(&w->watch, bytes);
	if (w->bytes > s->session.host->settings->message_bytes)
		return false;
	if (s->upload == 0)
		return true;
	mail_parser_input(w->parser, bytes);
	if (w->push != PUSH_BYTES || w->piece.n > 0 || !tell_bytes(s, bytes))
		buf_adds(&w->piece, bytes);
	return true;
}

void append_push_end(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	w->ended = true;
	w->bytes_in_all += w->bytes;
	if (s->upload == 0)
		return;
	mail_parser_end(w->parser, &w->digest);
	w->push = PUSH_DIGEST;
}

void append_push_commit(struct imap *s, imap_answer *landed)
{
	struct append_work *w = s->cmd.work;

	w->push = PUSH_COMMIT;
	s->answer = landed;
	append_push(s, append_proceed); /* only when it fails before */
}
