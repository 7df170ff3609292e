// SPDX-License-Identifier: Apache-2.0
/* The queue of message_read questions; see reads.h. */
#include "imap/imap_private.h"

#include <stdlib.h>

void reads_init(struct reads *r, struct imap *s)
{
	*r = (struct reads){ .s = s };
}

static struct piece *at(struct reads *r, unsigned i)
{
	return &r->pieces[(r->first + i) % READS_MAX];
}

void reads_clear(struct reads *r)
{
	struct session *session = &r->s->session;

	for (unsigned i = 0; i < r->n; i++)
		if (at(r, i)->request != 0)
			session->host->cancel(session->host, session, at(r, i)->request);
	for (unsigned i = 0; r->pieces != NULL && i < READS_MAX; i++)
		buf_done(&r->pieces[i].data);
	free(r->pieces);
	r->pieces = NULL;
	r->n = 0;
	r->bytes = 0;
	r->wake = NULL;
}

static void add(struct reads *r, uint32_t request, uint32_t uid, uint64_t offset, uint32_t length)
{
	struct piece *p;

	if (r->pieces == NULL) {
		r->pieces = xcalloc(READS_MAX, sizeof(*r->pieces));
		for (unsigned i = 0; i < READS_MAX; i++)
			buf_init(&r->pieces[i].data, READS_BYTES);
	}
	p = at(r, r->n++);
	buf_clear(&p->data);
	p->uid = uid;
	p->offset = offset;
	p->length = length;
	p->error = ERR_NONE;
	p->request = request;
	r->bytes += length;
}

static uint32_t ask(struct reads *r, const struct frame *question)
{
	struct session *session = &r->s->session;

	return session->host->ask(session->host, session, ASK_STORE, question);
}

static uint32_t ask_one(struct reads *r, uint32_t uid, uint64_t offset, uint32_t length)
{
	const struct frame read = { .type = FRAME_MESSAGE_READ,
		.message_read = {
			r->s->session.store_session, r->s->sel.mailbox, uid, offset, length } };

	return ask(r, &read);
}

void reads_ask(struct reads *r, uint32_t uid, uint64_t offset, uint32_t length)
{
	add(r, ask_one(r, uid, offset, length), uid, offset, length);
}

void reads_ask_many(struct reads *r, struct reads_many *many)
{
	const struct frame read = { .type = FRAME_MESSAGES_READ,
		.messages_read = {
			r->s->session.store_session, r->s->sel.mailbox, { many->uids, many->n } } };

	if (many->n == 0)
		return;
	uint32_t request = ask(r, &read);
	for (unsigned i = 0; i < many->n; i++)
		add(r, request, many->uids[i], 0, many->lengths[i]);
	*many = (struct reads_many){ .n = 0 };
}

void reads_add(struct reads *r, struct reads_many *many, uint32_t uid, uint32_t length)
{
	many->uids[many->n] = uid;
	many->lengths[many->n++] = length;
	many->bytes += length;
	if (many->n == READS_AT_ONCE)
		reads_ask_many(r, many);
}

struct piece *reads_first(struct reads *r)
{
	return r->n > 0 && at(r, 0)->request == 0 ? at(r, 0) : NULL;
}

void reads_pop(struct reads *r)
{
	struct piece *p = at(r, 0);

	r->bytes -= p->length;
	if (p->data.cap > READS_KEEP)
		buf_release(&p->data);
	r->first = (r->first + 1) % READS_MAX;
	r->n--;
}

static void wake(struct reads *r)
{
	if (r->wake == NULL || reads_first(r) == NULL)
		return;
	r->s->step = r->wake;
	r->wake = NULL;
}

void reads_wait(struct reads *r, void (*step)(struct imap *))
{
	r->wake = step;
	wake(r);
}

static void take(struct piece *p, uint64_t size, struct str data)
{
	p->request = 0;
	p->size = size;
	if (data.n > p->length || !buf_adds(&p->data, data))
		p->error = ERR_CORRUPT;
}

static void fails(struct piece *p, enum err_kind why)
{
	p->request = 0;
	p->error = why == ERR_NONE ? ERR_TEMP : why;
}

/* A series ends at the first that fails. Damage is one message's: the others are asked for again,
 * each by itself. */
static void rest_fails(struct reads *r, unsigned i, uint32_t request, enum err_kind why)
{
	fails(at(r, i++), why);
	for (; i < r->n; i++) {
		struct piece *p = at(r, i);

		if (p->request == request && why == ERR_CORRUPT)
			p->request = ask_one(r, p->uid, p->offset, p->length);
		else if (p->request == request)
			fails(p, why);
	}
}

void reads_answer(struct reads *r, uint32_t request, const struct frame *frame)
{
	unsigned i = 0;

	while (i < r->n && at(r, i)->request != request)
		i++;
	if (request == 0 || i == r->n)
		return;
	if (frame->type == FRAME_MESSAGE_BYTES)
		take(at(r, i), frame->message_bytes.size, frame->message_bytes.data);
	else if (frame->type == FRAME_MESSAGE_IS && frame->message_is.gone)
		fails(at(r, i), ERR_NOT_FOUND);
	else if (frame->type == FRAME_MESSAGE_IS)
		take(at(r, i), frame->message_is.size, frame->message_is.data);
	else
		rest_fails(r, i, request,
			frame->type == FRAME_FAILED ? (enum err_kind)frame->failed.kind : ERR_TEMP);
	wake(r);
}
