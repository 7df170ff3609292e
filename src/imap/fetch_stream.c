// SPDX-License-Identifier: Apache-2.0
/* FETCH of what digests know: ENVELOPE, BODY, BODYSTRUCTURE, PREVIEW. Digests are asked for by the
 * thousand and written as they come; what was said before (answers.h) is not asked for. A message
 * that has no digest, or one that does not open, is parsed at the end, in batches.
 *
 * Of answers that are on their way the client need not have taken the ones before: beyond
 * STREAM_BYTES the rest is not wanted for now, and is asked for again, in questions of as many as
 * it took. While it keeps up, each question is twice the one before. */
#include "imap/fetch.h"

#include "imap/answers.h"

enum {
	STREAM_BYTES = 1024 * 1024, /* of output that waits */
	KEPT_BYTES = 16 * 1024      /* of one answer that is kept */
};

/* ---- what was said before ---- */

static int sheet_of(enum fetch_kind kind)
{
	return kind >= FETCH_ENVELOPE && kind <= FETCH_BODYSTRUCTURE ? (int)kind - FETCH_ENVELOPE
								     : -1;
}

static void find_sheets(struct imap *s, struct fetch_work *f)
{
	struct answers *answers = s->session.host->answers;
	unsigned utf8 = imap_utf8(s);

	for (unsigned i = 0; i < ARRAY_LEN(f->stream.sheets); i++)
		f->stream.sheets[i] = answers != NULL && f->attrs.wants[FETCH_ENVELOPE + i]
					      ? answers_sheet(answers, s->account, s->sel.mailbox,
							s->sel.uidvalidity, i * 2 + utf8)
					      : NULL;
}

static struct sheet *sheet_for(const struct fetch_work *f, size_t item)
{
	int i = sheet_of(f->attrs.items[item].kind);

	return i < 0 ? NULL : f->stream.sheets[i];
}

/* All that the digest would be needed for. */
static bool is_known(const struct imap *s, const struct fetch_work *f, uint32_t sequence)
{
	uint32_t uid = view_entry(s->sel.view, sequence)->uid;
	struct str text;

	for (size_t i = 0; i < f->attrs.n; i++) {
		enum fetch_kind kind = f->attrs.items[i].kind;

		if (kind == FETCH_PREVIEW ||
			(sheet_of(kind) >= 0 && !sheet_get(sheet_for(f, i), uid, &text)))
			return false;
	}
	return true;
}

/* ---- one message ---- */

static void write_item(
	struct imap *s, const struct fetch_work *f, const struct message *m, size_t item)
{
	struct sheet *sheet = sheet_for(f, item);
	struct buf *out = imap_out(s);
	struct str text;
	size_t at;

	fetch_item_print(&f->attrs.items[item], out);
	buf_addc(out, ' ');
	if (sheet != NULL && sheet_get(sheet, m->uid, &text)) {
		buf_adds(out, text);
		return;
	}
	at = out->n;
	fetch_write_value(s, f, m, item);
	if (sheet != NULL && !out->full && out->n - at <= KEPT_BYTES)
		sheet_put(
			s->session.host->answers, sheet, m->uid, str_from_offset(buf_str(out), at));
}

static void write_message(struct imap *s, struct fetch_work *f, const struct message *m)
{
	fetch_open(s, m->sequence);
	for (size_t i = 0; i < f->attrs.n; i++) {
		if (i > 0)
			buf_addc(imap_out(s), ' ');
		write_item(s, f, m, i);
	}
	fetch_message_done(s, f, m);
}

static void write_known(struct imap *s, struct fetch_work *f, uint32_t sequence)
{
	const struct api_entry *e = view_entry(s->sel.view, sequence);

	write_message(s, f, &(struct message){ .sequence = sequence, .uid = e->uid });
}

/* ---- digests as they come ---- */

static void one_digest(struct imap *s, struct fetch_work *f, uint32_t prefix_size, struct str bytes)
{
	uint32_t sequence = f->stream.asked[f->stream.came++].sequence;
	const struct api_entry *e = view_entry(s->sel.view, sequence);
	struct message m = { .sequence = sequence, .uid = e->uid };

	m.has_digest = bytes.n > 0 && prefix_size <= e->size &&
		       digest_open(&m.digest, bytes, e->size - prefix_size);
	if (m.has_digest || !f->attrs.needs_digest)
		write_message(s, f, &m);
	else
		seq_ranges_add(&f->stream.missing, sequence, sequence);
}

/* The client is behind: the rest of the answer goes nowhere, and is asked for when it is not. */
static void ask_again(struct imap *s, struct fetch_work *f)
{
	struct stream *t = &f->stream;

	s->session.host->cancel(s->session.host, &s->session, s->request);
	s->request = 0;
	t->most = t->came > 0 ? t->came : 1;
	if (t->came < t->n) {
		f->range = t->asked[t->came].range;
		f->next = t->asked[t->came].sequence;
	}
	s->step = fetch_stream_step;
}

/* False: it goes nowhere any more. */
static bool take_one(struct imap *s, struct fetch_work *f, uint32_t prefix_size, struct str bytes)
{
	if (f->stream.came == f->stream.n)
		return false; /* more than was asked for */
	one_digest(s, f, prefix_size, bytes);
	return imap_out(s)->n <= STREAM_BYTES;
}

static bool take_piece(struct imap *s, struct fetch_work *f, const struct frame_digest_is *is)
{
	struct buf *piece = &f->stream.piece;
	bool good;

	if (is->more || piece->n > 0)
		buf_adds(piece, is->digest);
	if (is->more)
		return true;
	good = take_one(s, f, is->prefix_size, piece->n > 0 ? buf_str(piece) : is->digest);
	buf_clear(piece);
	return good;
}

static bool take_many(struct imap *s, struct fetch_work *f, const struct frame_digests_are *are)
{
	for (size_t i = 0; i < are->digests.n; i++) {
		const struct api_one_digest *d = &are->digests.items[i];

		if (!take_one(s, f, d->prefix_size, d->digest))
			return false;
	}
	return true;
}

static void take_digests(struct imap *s, const struct frame *frame)
{
	struct fetch_work *f = s->cmd.work;
	bool many = frame->type == FRAME_DIGESTS_ARE;

	if (!many && frame->type != FRAME_DIGEST_IS) {
		imap_expect(s, frame, FRAME_DIGESTS_ARE);
		return;
	}
	find_sheets(s, f);
	if (!(many ? take_many(s, f, &frame->digests_are) : take_piece(s, f, &frame->digest_is))) {
		ask_again(s, f);
	} else if (many ? frame->digests_are.last : frame->digest_is.last) {
		s->request = 0;
		s->step = fetch_stream_step;
		f->stream.most *= 2;
		if (f->stream.most > STREAM_MAX)
			f->stream.most = STREAM_MAX;
	}
}

static void ask(struct imap *s, const struct stream *t)
{
	uint32_t uids[STREAM_MAX];

	for (size_t i = 0; i < t->n; i++)
		uids[i] = view_entry(s->sel.view, t->asked[i].sequence)->uid;
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_DIGEST_READ,
			.digest_read = { .session = s->session.store_session,
				.mailbox = s->sel.mailbox,
				.uids = { uids, t->n },
				.many = true } },
		take_digests);
}

/* What has no digest: as if it alone had been asked for. */
static void rest(struct imap *s, struct fetch_work *f)
{
	if (f->stream.missing.n == 0) {
		fetch_end(s);
		return;
	}
	vec_done(&f->sequence);
	f->sequence = f->stream.missing;
	f->stream.missing = (struct vec){ .p = NULL };
	f->range = f->next = 0;
	s->step = fetch_batch_step;
}

/* What is known is written until there is none; what is not known is asked for until it is full, or
 * something known comes. */
void fetch_stream_step(struct imap *s)
{
	struct fetch_work *f = s->cmd.work;
	struct stream *t = &f->stream;
	uint32_t n = 1;

	t->n = t->came = 0;
	buf_clear(&t->piece);
	find_sheets(s, f);
	while (imap_out(s)->n < IMAP_ROOM_BYTES && t->n < t->most && (n = fetch_next(s, f)) != 0) {
		bool known = is_known(s, f, n);

		if (known && t->n > 0) {
			f->next = n;
			break;
		}
		if (known) {
			write_known(s, f, n);
			continue;
		}
		t->asked[t->n].sequence = n;
		t->asked[t->n++].range = (uint32_t)f->range;
	}
	if (t->n > 0)
		ask(s, t);
	else if (n == 0)
		rest(s, f);
	else
		s->step = fetch_stream_step;
}
