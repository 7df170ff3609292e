// SPDX-License-Identifier: Apache-2.0
/* SEARCH (RFC 9051 6.4.4), UID SEARCH, and "$" (6.4.4.1). The program stands in search.h; here its
 * stages are fed: entries at once, then a batch of messages that are still open gets its digests,
 * then what is open even so is read, several messages in flight. */
#include "imap/batch.h"
#include "imap/search.h"
#include "imap/token.h"
#include "mail/mime.h"

/* Where a message of the batch stands. */
enum stage { STAGE_DIGEST, STAGE_PARSE, STAGE_BYTES, STAGE_NO, STAGE_YES };

struct open_message {
	enum stage stage;
	bool asked; /* a read is on its way */
	uint64_t at;
	struct mail_parser *parser;
	struct search_bytes *bytes;
};

/* A message between those of the batch: known to match, or the next of the batch. */
struct candidate {
	uint32_t sequence;
	bool open;
};

struct search_work {
	struct search search;
	struct search_result result;
	struct search_write write;
	uint32_t next; /* sequence number */
	struct batch batch;
	struct open_message open[BATCH_MAX];
	struct vec candidates; /* struct candidate, in order */
	enum err_kind worst;
};

static void drop_open(struct search_work *w)
{
	for (size_t i = 0; i < BATCH_MAX; i++) {
		mail_parser_free(&w->open[i].parser);
		search_bytes_free(&w->open[i].bytes);
		w->open[i] = (struct open_message){ .stage = STAGE_DIGEST };
	}
}

static void drop(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	drop_open(w);
	search_end(&w->search);
	search_result_done(&w->result);
	batch_done(&w->batch);
	vec_done(&w->candidates);
}

/* ---- the end ---- */

static void write_step(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	if (!search_result_write(&w->result, &w->search, s->cmd.tag, s->cmd.uid,
		    w->search.extended || s->rev2, &w->write, &s->session.out)) {
		s->step = write_step;
		return;
	}
	if (w->search.returns & SEARCH_RETURN_SAVE)
		search_result_save(&w->result, &w->search, &s->sel.saved);
	reply_ok(s, NULL, "SEARCH completed");
	imap_finish(s);
}

static void end(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	s->cmd.busy = false;
	if (w->worst == ERR_NONE || w->worst == ERR_NOT_FOUND) {
		s->step = write_step;
		return;
	}
	if (w->search.returns & SEARCH_RETURN_SAVE) /* RFC 9051 6.4.4.1: NO empties "$" */
		vec_clear(&s->sel.saved);
	reply_err(s, w->worst, STR_NONE);
	imap_finish(s);
}

static void add(struct imap *s, struct search_work *w, uint32_t sequence)
{
	if (!search_result_add(&w->result, &w->search, s->sel.view, sequence, s->cmd.uid))
		w->worst = ERR_LIMIT;
}

/* ---- one message of the batch ---- */

static enum stage stage_of(enum search_answer a)
{
	return a == SEARCH_YES ? STAGE_YES : a == SEARCH_NEEDS_BYTES ? STAGE_BYTES : STAGE_NO;
}

/* The digest is there: what does it say? */
static void with_digest(struct imap *s, struct search_work *w, size_t i)
{
	struct message *m = &w->batch.messages[i];
	struct open_message *o = &w->open[i];

	o->stage = stage_of(search_digest(&w->search, s->sel.view, m->sequence, &m->digest));
	if (o->stage == STAGE_BYTES)
		o->bytes = search_bytes_new(
			&w->search, s->sel.view, m->sequence, &m->digest, m->prefix_size);
}

static void parsed(struct imap *s, struct search_work *w, size_t i)
{
	struct message *m = &w->batch.messages[i];
	struct open_message *o = &w->open[i];

	buf_clear(&m->bytes);
	mail_parser_end(o->parser, &m->bytes);
	mail_parser_free(&o->parser);
	if (batch_parsed(s, m))
		with_digest(s, w, i);
	else
		o->stage = STAGE_NO;
}

/* What is to be read next of it; false: nothing. */
static bool wants(struct imap *s, struct search_work *w, size_t i, uint64_t *at, uint32_t *n)
{
	const struct message *m = &w->batch.messages[i];
	struct open_message *o = &w->open[i];
	uint64_t left;

	if (o->stage == STAGE_PARSE) {
		*at = m->prefix_size + o->at;
		left = m->size > *at ? m->size - *at : 0;
		*n = left > READS_BYTES ? READS_BYTES : (uint32_t)left;
		if (left > 0)
			return true;
		parsed(s, w, i);
	}
	if (o->stage != STAGE_BYTES)
		return false;
	if (search_bytes_want(o->bytes, at, n)) {
		*n = *n > READS_BYTES ? READS_BYTES : *n;
		return true;
	}
	o->stage = search_bytes_answer(o->bytes) ? STAGE_YES : STAGE_NO;
	search_bytes_free(&o->bytes);
	return false;
}

static void feed(struct search_work *w, size_t i, const struct piece *p)
{
	struct open_message *o = &w->open[i];

	o->asked = false;
	if (p->error != ERR_NONE) { /* expunged, or damaged: it does not match */
		if (p->error != ERR_NOT_FOUND)
			w->worst = p->error;
		o->stage = STAGE_NO;
	} else if (o->stage == STAGE_PARSE) {
		mail_parser_input(o->parser, buf_str(&p->data));
		o->at += p->data.n;
		if (p->data.n == 0)
			o->stage = STAGE_NO;
	} else {
		search_bytes_feed(o->bytes, buf_str(&p->data));
	}
}

/* ---- the batch ---- */

static void scan_step(struct imap *s);

/* All of the batch is known: the results in order. */
static void batch_end(struct imap *s, struct search_work *w)
{
	size_t i = 0;

	VEC_EACH (struct candidate, c, &w->candidates)
		if (!c->open || w->open[i++].stage == STAGE_YES)
			add(s, w, c->sequence);
	vec_clear(&w->candidates);
	drop_open(w);
	batch_clear(&w->batch);
	s->step = scan_step;
}

static size_t index_of(const struct batch *b, uint32_t uid)
{
	size_t i = 0;

	while (i < b->n && b->messages[i].uid != uid)
		i++;
	return i;
}

static void read_step(struct imap *s)
{
	struct search_work *w = s->cmd.work;
	struct piece *p;

	while ((p = reads_first(&s->reads)) != NULL) {
		feed(w, index_of(&w->batch, p->uid), p);
		reads_pop(&s->reads);
	}
	for (size_t i = 0; i < w->batch.n && reads_room(&s->reads); i++) {
		uint64_t at;
		uint32_t n;

		if (!w->open[i].asked && wants(s, w, i, &at, &n)) {
			w->open[i].asked = true;
			reads_ask(&s->reads, w->batch.messages[i].uid, at, n);
		}
	}
	if (s->reads.n > 0)
		reads_wait(&s->reads, read_step);
	else
		batch_end(s, w);
}

static void digests_step(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	for (size_t i = 0; i < w->batch.n; i++) {
		if (w->batch.messages[i].has_digest) {
			with_digest(s, w, i);
		} else {
			w->open[i].stage = STAGE_PARSE;
			w->open[i].parser = mail_parser_new(NULL);
		}
	}
	s->step = read_step;
}

/* ---- all messages ---- */

static void look_at(struct imap *s, struct search_work *w, uint32_t sequence)
{
	enum search_answer a = search_entry(&w->search, s->sel.view, sequence);
	struct candidate c = { sequence, a != SEARCH_YES };

	if (a == SEARCH_NO || view_is_gone(s->sel.view, sequence))
		return;
	if (a == SEARCH_YES && w->batch.n == 0) {
		add(s, w, sequence);
		return;
	}
	vec_push(&w->candidates, &c);
	if (a != SEARCH_YES)
		batch_add(&w->batch, s->sel.view, sequence);
}

static void scan_step(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	while (w->next <= view_exists(s->sel.view) && w->batch.n < BATCH_MAX &&
		w->worst == ERR_NONE)
		look_at(s, w, w->next++);
	if (w->batch.n > 0 && w->worst == ERR_NONE)
		batch_load(s, &w->batch, digests_step);
	else
		end(s);
}

/* ---- the command ---- */

static void refuse(struct imap *s, const struct err *err)
{
	struct search_work *w = s->cmd.work;

	if (err->kind == ERR_UNSUPPORTED) {                 /* RFC 9051 7.1 */
		if (w->search.returns & SEARCH_RETURN_SAVE) /* RFC 9051 6.4.4.1: NO empties "$" */
			vec_clear(&s->sel.saved);
		reply_no(s, "BADCHARSET (UTF-8 US-ASCII)", "%s", err->public_text);
	} else {
		reply_err(s, err->kind, str_from(err->public_text));
	}
	imap_finish(s);
}

void imap_search(struct imap *s)
{
	struct search_work *w = imap_work(s, sizeof *w, drop);
	struct seqset saved = seqset_of(&s->sel.saved);
	struct clock_seam *clock = s->session.host->seams->clock;
	struct err err = ERR_INIT;

	batch_init(&w->batch);
	search_result_init(&w->result);
	vec_init(&w->candidates, sizeof(struct candidate), LIMIT_VIEW_ENTRIES);
	w->next = 1;
	if (search_parse(&s->cmd.args, &s->arena, &w->search, &err) < 0) {
		refuse(s, &err);
		return;
	}
	w->search.now_ms = clock->wall_ms(clock);
	if (search_begin(&w->search, s->sel.view, &saved, &err) < 0) {
		refuse(s, &err);
		return;
	}
	if (w->search.uses_modseq)
		imap_enable_condstore(s);
	s->cmd.busy = true;
	s->step = scan_step;
}
