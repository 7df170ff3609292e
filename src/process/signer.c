// SPDX-License-Identifier: Apache-2.0
/* Search signatures of what has come in, behind its delivery: the front that carried a message to
 * the store keeps a copy, and when the store has acknowledged it, and nobody waits for that any
 * more, makes the signature of it in small turns. What there is no room to keep, and what a store
 * took that has gone since, is signed by the first search that reads it (imap/search_run.c): a
 * signature is a matter of time, never of the answer. */
#include "process/front_private.h"

#include "imap/search.h"
#include "mail/digest.h"

#include <stdlib.h>

enum {
	TURN_MS = 10,
	TURN_BYTES = 64 * 1024 /* some 0.3 ms */
};

struct kept_upload {
	struct kept_upload *next;
	uint32_t request;
	struct buf body, digest, prefixes;
	size_t prefix_ends[LIMIT_SIGNED_LANDINGS];
	size_t landings, done;
	bool unfit; /* it will not be signed here */
	bool told;  /* the store knows that it is to be signed */
};

static size_t bytes_of(const struct kept_upload *u)
{
	return u->body.n + u->digest.n + u->prefixes.n;
}

static void empty(struct front *f, struct kept_upload *u)
{
	f->signer.bytes -= bytes_of(u);
	buf_done(&u->body);
	buf_done(&u->digest);
	buf_done(&u->prefixes);
}

struct kept_upload *signer_begin(const struct front *f, uint32_t request)
{
	if (f->signer.told >= LIMIT_SIGNED_UPLOADS)
		return NULL;
	struct kept_upload *u = xmalloc(sizeof(*u));
	*u = (struct kept_upload){ .request = request };
	buf_init(&u->body, LIMIT_SIGNER_MESSAGE);
	buf_init(&u->digest, LIMIT_DIGEST_BYTES);
	buf_init(&u->prefixes, LIMIT_SIGNER_MESSAGE);
	return u;
}

void signer_forget(struct front *f, struct kept_upload **u)
{
	if (*u == NULL)
		return;
	empty(f, *u);
	f->signer.told -= (*u)->told;
	free(*u);
	*u = NULL;
}

/* ---- what is told of an upload ---- */

static void give_up(struct front *f, struct kept_upload *u)
{
	empty(f, u);
	u->unfit = true;
}

static void keep(struct front *f, struct kept_upload *u, struct buf *of, struct str bytes)
{
	if (bytes.n > LIMIT_SIGNER_BYTES - f->signer.bytes || bytes.n > buf_room(of)) {
		give_up(f, u);
		return;
	}
	buf_adds(of, bytes);
	f->signer.bytes += bytes.n;
}

static void keep_landing(struct front *f, struct kept_upload *u, struct str prefix)
{
	if (u->landings == LIMIT_SIGNED_LANDINGS)
		return;
	keep(f, u, &u->prefixes, prefix);
	u->prefix_ends[u->landings++] = u->prefixes.n;
}

void signer_told(struct front *f, struct kept_upload *u, const struct frame *frame)
{
	if (u == NULL || u->unfit)
		return;
	switch ((int)frame->type) {
	case FRAME_UPLOAD_BYTES:
		keep(f, u, &u->body, frame->upload_bytes.data);
		break;
	case FRAME_UPLOAD_DIGEST:
		keep(f, u, &u->digest, frame->upload_digest.data);
		break;
	case FRAME_UPLOAD_TO:
		keep_landing(f, u, frame->upload_to.prefix);
		break;
	case FRAME_UPLOAD_INTO:
		keep_landing(f, u, STR_NONE);
		break;
	case FRAME_UPLOAD_COMMIT:
		u->told = frame->upload_commit.signs;
		f->signer.told += u->told;
		break;
	case FRAME_UPLOAD_NEXT: /* several at once are rare */
		give_up(f, u);
		break;
	default:
		break;
	}
}

bool signer_wants(const struct front *f, const struct kept_upload *u)
{
	return u != NULL && !u->unfit && u->landings > 0 && f->signer.told < LIMIT_SIGNED_UPLOADS;
}

/* ---- what is signed ---- */

static void come_again(struct front *f)
{
	struct loop *loop = f->base.context->loop;
	loop->class->timer_set(f->signer.timer, loop->clock->monotonic_ms(loop->clock) + TURN_MS);
}

void signer_delivered(struct front *f, struct kept_upload **u)
{
	struct signer *s = &f->signer;
	if (*u == NULL || !(*u)->told)
		return;
	if (s->first == NULL)
		come_again(f);
	(*u)->next = NULL;
	*s->end = *u;
	s->end = &(*u)->next;
	*u = NULL;
}

static void drop_first(struct front *f)
{
	struct signer *s = &f->signer;
	struct kept_upload *u = s->first;
	s->first = u->next;
	if (s->first == NULL)
		s->end = &s->first;
	signer_forget(f, &u);
}

/* False: the store's channel has no room. */
static bool sign(struct front *f, struct kept_upload *u, const struct digest *d)
{
	struct buf signature;
	size_t i = u->done, from = i ? u->prefix_ends[i - 1] : 0;
	buf_init(&signature, SIGNATURE_BYTES_MOST);
	search_sign(str_sub(buf_str(&u->prefixes), from, u->prefix_ends[i] - from),
		buf_str(&u->body), d, &signature);
	bool sent = channel_send(f->peers[ASK_STORE].channel, u->request,
		&(struct frame){ .type = FRAME_UPLOAD_SIGNATURE,
			.upload_signature = { (uint16_t)i, buf_str(&signature) } });
	buf_done(&signature);
	u->done += sent;
	return sent;
}

static void on_turn(void *arg)
{
	struct front *f = arg;
	struct signer *s = &f->signer;
	size_t done = 0;
	while (s->first && done < TURN_BYTES) {
		struct kept_upload *u = s->first;
		struct digest d;
		bool fit = digest_open(&d, buf_str(&u->digest), u->body.n);
		if (fit && !sign(f, u, &d))
			break;
		done += bytes_of(u);
		if (!fit || u->done == u->landings)
			drop_first(f);
	}
	if (s->first)
		come_again(f);
}

void signer_clear(struct front *f)
{
	while (f->signer.first)
		drop_first(f);
}

void signer_init(struct front *f)
{
	struct loop *loop = f->base.context->loop;
	f->signer.end = &f->signer.first;
	f->signer.timer = loop->class->timer_new(loop, on_turn, f);
}

void signer_done(struct front *f)
{
	signer_clear(f);
	f->base.context->loop->class->timer_free(&f->signer.timer);
}
