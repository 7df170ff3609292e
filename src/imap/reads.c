// SPDX-License-Identifier: Apache-2.0
/* The queue of message_read questions; see reads.h. */
#include "imap/imap_private.h"

void reads_init(struct reads *r, struct imap *s)
{
	*r = (struct reads){ .s = s };
	for (unsigned i = 0; i < READS_MAX; i++)
		buf_init(&r->pieces[i].data, READS_BYTES);
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
	for (unsigned i = 0; i < READS_MAX; i++)
		buf_release(&r->pieces[i].data);
	r->n = 0;
	r->wake = NULL;
}

void reads_ask(struct reads *r, uint32_t uid, uint64_t offset, uint32_t length)
{
	struct session *session = &r->s->session;
	struct piece *p = at(r, r->n++);
	struct frame read = { .type = FRAME_MESSAGE_READ,
		.message_read = {
			session->store_session, r->s->sel.mailbox, uid, offset, length } };

	buf_clear(&p->data);
	p->uid = uid;
	p->offset = offset;
	p->length = length;
	p->error = ERR_NONE;
	p->request = session->host->ask(session->host, session, ASK_STORE, &read);
}

struct piece *reads_first(struct reads *r)
{
	return r->n > 0 && at(r, 0)->request == 0 ? at(r, 0) : NULL;
}

void reads_pop(struct reads *r)
{
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

static void take(struct piece *p, const struct frame *frame)
{
	const struct frame_message_bytes *m = &frame->message_bytes;

	p->request = 0;
	if (frame->type != FRAME_MESSAGE_BYTES) {
		p->error = frame->type == FRAME_FAILED && frame->failed.kind != ERR_NONE
				   ? (enum err_kind)frame->failed.kind
				   : ERR_TEMP;
		return;
	}
	p->size = m->size;
	if (m->data.n > p->length || !buf_adds(&p->data, m->data))
		p->error = ERR_CORRUPT;
}

void reads_answer(struct reads *r, uint32_t request, const struct frame *frame)
{
	for (unsigned i = 0; i < r->n; i++)
		if (request != 0 && at(r, i)->request == request) {
			take(at(r, i), frame);
			wake(r);
			return;
		}
}
