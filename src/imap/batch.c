// SPDX-License-Identifier: Apache-2.0
/* Messages and their digests, a few at a time; see batch.h. A digest is a claim of whoever made it:
 * digest_open believes nothing. */
#include "imap/batch.h"

#define DIGEST_PUT_MAX 64000 /* digest_put: digest */

void batch_init(struct batch *b)
{
	for (size_t i = 0; i < BATCH_MAX; i++)
		buf_init(&b->messages[i].bytes, LIMIT_DIGEST_BYTES);
}

void batch_done(struct batch *b)
{
	for (size_t i = 0; i < BATCH_MAX; i++)
		buf_done(&b->messages[i].bytes);
}

void batch_clear(struct batch *b)
{
	b->n = 0;
}

void batch_add(struct batch *b, const struct view *v, uint32_t sequence)
{
	const struct api_entry *e = view_entry(v, sequence);
	struct message *m = &b->messages[b->n++];
	struct buf bytes = m->bytes;

	buf_clear(&bytes);
	*m = (struct message){
		.sequence = sequence, .uid = e->uid, .size = e->size, .bytes = bytes
	};
}

static struct batch *batch_of(struct imap *s)
{
	return s->cmd.batch;
}

static struct message *by_uid(struct batch *b, uint32_t uid)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->messages[i].uid == uid)
			return &b->messages[i];
	return NULL;
}

static void open_digest(struct message *m)
{
	m->has_digest = m->prefix_size <= m->size && m->bytes.n > 0 && !m->bytes.full &&
			digest_open(&m->digest, buf_str(&m->bytes), m->size - m->prefix_size);
}

static void take_digest(struct imap *s, const struct frame *frame)
{
	const struct frame_digest_is *is = &frame->digest_is;
	struct batch *b = batch_of(s);
	struct message *m;

	if (frame->type != FRAME_DIGEST_IS && b->refused != NULL) {
		b->refused(s, frame);
		return;
	}
	if (frame->type != FRAME_DIGEST_IS) {
		imap_expect(s, frame, FRAME_DIGEST_IS);
		return;
	}
	m = by_uid(b, is->uid);
	if (m != NULL) {
		m->prefix_size = is->prefix_size;
		buf_adds(&m->bytes, is->digest);
		if (!is->more)
			open_digest(m);
	}
	if (!is->last)
		return;
	s->request = 0;
	s->step = b->after;
}

void batch_load(struct imap *s, struct batch *b, imap_step *after)
{
	uint32_t uids[BATCH_MAX];

	for (size_t i = 0; i < b->n; i++)
		uids[i] = b->messages[i].uid;
	s->cmd.batch = b;
	b->after = after;
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_DIGEST_READ,
			.digest_read = { s->session.store_session, s->sel.mailbox,
				{ uids, b->n } } },
		take_digest);
}

bool batch_parsed(struct imap *s, struct message *m)
{
	open_digest(m);
	if (m->has_digest && m->bytes.n <= DIGEST_PUT_MAX)
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_DIGEST_PUT,
				.digest_put = { s->session.store_session, s->sel.mailbox, m->uid,
					buf_str(&m->bytes) } });
	return m->has_digest;
}
