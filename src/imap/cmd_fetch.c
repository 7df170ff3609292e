// SPDX-License-Identifier: Apache-2.0
/* FETCH (RFC 9051 6.4.5) and UID FETCH, with CHANGEDSINCE (RFC 7162 3.1.4). What the view knows is
 * written at once; what digests know is written as they stream by (fetch_stream.c); the rest comes
 * in batches of messages, whose digests and bytes are read ahead. \Seen is set at the end, for all
 * messages together, and told like any other news. */
#include "imap/fetch.h"

#include "base/time.h"
#include "imap/grammar.h"
#include "imap/notify.h"
#include "imap/token.h"

#include <inttypes.h>

static void drop(struct imap *s)
{
	struct fetch_work *f = s->cmd.work;

	batch_done(&f->batch);
	buf_done(&f->stream.piece);
	vec_done(&f->stream.missing);
	vec_done(&f->sequence);
	vec_done(&f->seen);
	buf_done(&f->sending.hold);
	buf_done(&f->sending.scratch);
	mail_parser_free(&f->parser);
	vanished_done(&f->vanished);
}

/* ---- which messages ---- */

static bool is_wanted(const struct imap *s, struct fetch_work *f, uint32_t sequence)
{
	if (view_is_gone(s->sel.view, sequence)) {
		f->worst = ERR_NOT_FOUND;
		return false;
	}
	return view_entry(s->sel.view, sequence)->modseq > f->modifiers.changed_since ||
	       !f->modifiers.has_since;
}

uint32_t fetch_next(const struct imap *s, struct fetch_work *f)
{
	const struct api_range *ranges = (const void *)f->sequence.p;

	while (f->range < f->sequence.n) {
		uint32_t n = f->next < ranges[f->range].low ? ranges[f->range].low : f->next;

		if (n > ranges[f->range].high) {
			f->range++;
			continue;
		}
		f->next = n + 1;
		if (is_wanted(s, f, n))
			return n;
	}
	return 0;
}

/* ---- the end ---- */

/* A non-existent unique identifier is ignored without any error message generated. RFC 9051 6.4.9
 */
static void reply(struct imap *s)
{
	const struct fetch_work *f = s->cmd.work;
	bool gone = f->worst == ERR_NOT_FOUND;

	s->sel.stale = s->sel.stale || gone;
	if (s->cmd.quiet && f->worst != ERR_NONE && f->worst != ERR_CORRUPT && !gone)
		notify_fetch_failed(s);
	if (gone && !s->cmd.uid) { /* RFC 5530 3, RFC 2180 4.1.2 */
		reply_no(s, "EXPUNGEISSUED", "Some of the messages no longer exist");
	} else if (f->worst != ERR_NONE && !gone) {
		reply_err(s, f->worst, STR_NONE);
	} else if (f->unknown_cte) {
		reply_no(s, "UNKNOWN-CTE", "Some parts cannot be decoded");
	} else {
		reply_ok(s, NULL, "FETCH completed");
	}
	imap_finish(s);
}

static void seen_set(struct imap *s, const struct frame *answer)
{
	if (answer->type == FRAME_CHANGED && !answer->changed.last)
		return;
	s->request = 0;
	s->sel.stale = true;
	if (answer->type == FRAME_CHANGED)
		notify_own_modseqs(s, answer->changed.modseq > answer->changed.before);
	reply(s);
}

void fetch_end(struct imap *s)
{
	struct fetch_work *f = s->cmd.work;
	struct frame set = { .type = FRAME_SET_FLAGS,
		.set_flags = { .session = s->session.store_session,
			.mailbox = s->sel.mailbox,
			.mode = FLAGS_ADD,
			.flags = FLAG_SEEN,
			.unchanged_since = UINT64_MAX,
			.before = true } };

	s->cmd.busy = false;
	if (f->seen.n == 0)
		reply(s);
	else
		imap_ask_change(s, &f->seen, &set, seen_set);
}

/* ---- what the view and the digest know ---- */

static void write_date(struct buf *out, int64_t ms)
{
	struct time_text text;

	buf_addf(out, "\"%s\"", time_imap(&text, ms));
}

/* nstring; NIL for PREVIEW (LAZY) alone. What no text was found in is empty.   RFC 8970 3.2 */
static void write_preview(struct imap *s, const struct message *m)
{
	struct str preview = m->has_digest ? m->digest.preview : STR_NONE;

	if (m->has_digest && preview.p == NULL)
		preview = STR("");
	token_add_nstring(imap_out(s), preview, imap_utf8(s));
}

void fetch_open(struct imap *s, uint32_t sequence)
{
	s->cmd.within = true;
	buf_addz(imap_out(s), "* ");
	buf_add_number(imap_out(s), sequence);
	buf_addz(imap_out(s), " FETCH (");
}

void fetch_write_value(
	struct imap *s, const struct fetch_work *f, const struct message *m, size_t item)
{
	const struct fetch_item *i = &f->attrs.items[item];
	const struct api_entry *e = view_entry(s->sel.view, m->sequence);
	struct buf *out = imap_out(s);

	switch (i->kind) {
	case FETCH_UID:
		buf_add_number(out, m->uid);
		break;
	case FETCH_FLAGS:
		view_add_flags(s->sel.view, out, e);
		break;
	case FETCH_INTERNALDATE:
		write_date(out, e->time);
		break;
	case FETCH_SIZE:
		buf_add_number(out, e->size);
		break;
	case FETCH_MODSEQ:
		buf_addf(out, "(%" PRIu64 ")", e->modseq);
		if (e->modseq > s->sel.heard)
			s->sel.heard = e->modseq;
		break;
	case FETCH_SAVEDATE:
		write_date(out, entry_saved_ms(e));
		break;
	case FETCH_EMAILID:
		buf_addc(out, '(');
		grammar_add_email_id(out, e->entry_id);
		buf_addc(out, ')');
		break;
	case FETCH_THREADID: /* RFC 8474 5.2: not calculated */
		buf_addz(out, "NIL");
		break;
	case FETCH_PREVIEW:
		write_preview(s, m);
		break;
	case FETCH_ENVELOPE:
		fetch_write_envelope(out, &m->digest.envelope, imap_utf8(s));
		break;
	case FETCH_BODY:
	case FETCH_BODYSTRUCTURE:
		fetch_write_structure(
			out, &m->digest, i->kind == FETCH_BODYSTRUCTURE, imap_utf8(s));
		break;
	case FETCH_SECTION:
	case FETCH_BINARY:
	case FETCH_BINARY_SIZE:
		break;
	}
}

void fetch_message_done(struct imap *s, struct fetch_work *f, const struct message *m)
{
	const struct api_entry *e = view_entry(s->sel.view, m->sequence);

	buf_addz(imap_out(s), ")\r\n");
	s->cmd.within = false;
	s->fetched++;
	if (f->attrs.wants[FETCH_FLAGS] && (!s->condstore || f->attrs.wants[FETCH_MODSEQ]))
		view_mark_told(s->sel.view, m->sequence);
	if (f->attrs.sets_seen && !s->sel.read_only && (e->flags & FLAG_SEEN) == 0)
		seq_ranges_add(&f->seen, m->uid, m->uid);
}

/* ---- message by message ---- */

static void write_plain(struct imap *s, struct fetch_work *f, uint32_t sequence)
{
	struct message m = { .sequence = sequence, .uid = view_entry(s->sel.view, sequence)->uid };

	fetch_open(s, sequence);
	for (size_t i = 0; i < f->attrs.n; i++) {
		if (i > 0)
			buf_addc(imap_out(s), ' ');
		fetch_item_print(&f->attrs.items[i], imap_out(s));
		buf_addc(imap_out(s), ' ');
		fetch_write_value(s, f, &m, i);
	}
	fetch_message_done(s, f, &m);
}

/* The view knows all that was asked for. */
static void plain_step(struct imap *s)
{
	struct fetch_work *f = s->cmd.work;

	while (imap_out(s)->n < IMAP_ROOM_BYTES) {
		uint32_t n = fetch_next(s, f);

		if (n == 0) {
			fetch_end(s);
			return;
		}
		write_plain(s, f, n);
	}
	s->step = plain_step;
}

static void messages_step(struct imap *s)
{
	struct fetch_work *f = s->cmd.work;

	while (s->line.n < IMAP_ROOM_BYTES) {
		if (f->here.message == f->batch.n) {
			s->step = fetch_batch_step;
			return;
		}
		if (f->worked > LIMIT_IMAP_FETCH_WORK) {
			f->worked = 0;
			imap_yield(s, messages_step);
			return;
		}
		if (fetch_message_step(s, f, messages_step) != GO_ON)
			return;
	}
	s->step = messages_step;
}

void fetch_batch_step(struct imap *s)
{
	struct fetch_work *f = s->cmd.work;
	uint32_t n;

	batch_clear(&f->batch);
	f->here = f->ahead = (struct cursor){ .message = 0 };
	if (f->worst != ERR_NONE && f->worst != ERR_NOT_FOUND && f->worst != ERR_CORRUPT) {
		fetch_end(s);
		return;
	}
	while (f->batch.n < BATCH_MAX && (n = fetch_next(s, f)) != 0)
		batch_add(&f->batch, s->sel.view, n);
	if (f->batch.n == 0)
		fetch_end(s);
	else if (f->attrs.needs_digest || f->attrs.looks_at_digest)
		batch_load(s, &f->batch, messages_step);
	else
		s->step = messages_step;
}

/* ---- the command ---- */

/* VANISHED is for UID FETCH with CHANGEDSINCE, and for who said ENABLE QRESYNC. RFC 7162 3.2.6 */
static bool modifiers_fit(struct imap *s, const struct fetch_modifiers *m)
{
	if (m->partial && !s->cmd.uid) {
		reply_bad(s, NULL, "PARTIAL goes with UID FETCH"); /* RFC 9394 3.3 */
		imap_finish(s);
		return false;
	}
	if (!m->vanished || (s->qresync && s->cmd.uid && m->has_since))
		return true;
	reply_bad(s, NULL, "VANISHED goes with UID FETCH, CHANGEDSINCE and ENABLE QRESYNC");
	imap_finish(s);
	return false;
}

/* The UIDs that the command names, present or not. */
static bool uid_set(struct imap *s, struct scan args, struct vanished *v)
{
	if (!scan_sp(&args) || !seqset_parse(&args, &s->arena, &v->known))
		return false;
	imap_uid_set(s, &v->known);
	v->has_known = true;
	return true;
}

/* Of what was asked for, the messages in these places. They are counted before CHANGEDSINCE looks
 * at them. RFC 9394 3.3, 3.4 */
static void take_part(struct fetch_work *f)
{
	uint32_t n = 0, from, to, passed = 0;
	struct vec part;

	vec_init(&part, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	VEC_EACH (const struct api_range, r, &f->sequence)
		n += r->high - r->low + 1;
	partial_range_slice(&f->modifiers.range, n, &from, &to);
	VEC_EACH (const struct api_range, r, &f->sequence) {
		struct api_range some = seq_range_clip(*r, passed, from, to);

		passed += r->high - r->low + 1;
		if (some.low <= some.high)
			seq_ranges_add(&part, some.low, some.high);
	}
	vec_done(&f->sequence);
	f->sequence = part;
}

static bool arguments(struct imap *s, struct fetch_work *f)
{
	struct err err = ERR_INIT;
	struct scan args = s->cmd.args;

	if (!imap_arg_set(s, s->cmd.uid, &f->sequence))
		return false;
	if (!scan_sp(&s->cmd.args)) {
		imap_bad_args(s);
		return false;
	}
	if (fetch_attrs_parse(&s->cmd.args, &s->arena, &f->attrs, &err) < 0 ||
		fetch_modifiers_parse(&s->cmd.args, &f->modifiers, &err) < 0) {
		if (err.kind == ERR_SYNTAX)
			reply_bad(s, NULL, "%s", err.public_text);
		else
			reply_err(s, err.kind, str_from(err.public_text));
		imap_finish(s);
		return false;
	}
	if (!imap_args_end(s) || !modifiers_fit(s, &f->modifiers))
		return false;
	if (f->modifiers.partial)
		take_part(f);
	return !f->modifiers.vanished || uid_set(s, args, &f->vanished);
}

static void begin(struct imap *s)
{
	const struct fetch_work *f = s->cmd.work;

	if (f->attrs.needs_bytes)
		s->step = fetch_batch_step;
	else if (f->attrs.needs_digest || f->attrs.looks_at_digest)
		s->step = fetch_stream_step;
	else
		s->step = plain_step;
}

static struct fetch_work *work_new(struct imap *s)
{
	struct fetch_work *f = imap_work(s, sizeof *f, drop);

	vec_init(&f->sequence, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vec_init(&f->seen, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	batch_init(&f->batch);
	f->stream.most = STREAM_FIRST;
	buf_init(&f->stream.piece, LIMIT_DIGEST_BYTES);
	vec_init(&f->stream.missing, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
	vanished_init(&f->vanished);
	buf_init(&f->sending.hold, LIMIT_IMAP_HOLD_BYTES);
	buf_init(&f->sending.scratch, READS_BYTES + 2048);
	return f;
}

void imap_fetch_these(struct imap *s, const struct fetch_attrs *attrs, struct vec *sequence)
{
	struct fetch_work *f = work_new(s);

	vec_done(&f->sequence);
	f->sequence = *sequence;
	f->attrs = *attrs;
	s->cmd.busy = true;
	begin(s);
}

void imap_fetch(struct imap *s)
{
	struct fetch_work *f = work_new(s);

	if (!arguments(s, f))
		return;
	if (f->modifiers.has_since || f->attrs.wants[FETCH_MODSEQ])
		imap_enable_condstore(s);
	if (f->modifiers.has_since)
		fetch_attrs_add(&f->attrs, &s->arena, FETCH_MODSEQ);
	if (s->cmd.uid)
		fetch_attrs_add(&f->attrs, &s->arena, FETCH_UID);
	s->cmd.busy = true;
	f->vanished.since = f->modifiers.changed_since;
	if (f->modifiers.vanished)
		vanished_say(s, &f->vanished, begin);
	else
		begin(s);
}
