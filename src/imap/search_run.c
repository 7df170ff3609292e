// SPDX-License-Identifier: Apache-2.0
/* A search at work; see search_run.h. */
#include "imap/search_run.h"

#include "imap/token.h"
#include "mail/charset.h"
#include "mail/mime.h"

enum { WINDOW = 4000 }; /* signature_ask: uids */

struct windowed {
	uint32_t sequence, uid;
	uint8_t held;
};

/* A message between those of the batch: known to match, or the next of the batch. */
struct candidate {
	uint32_t sequence;
	bool open;
};

static void drop_open(struct search_run *w)
{
	for (size_t i = 0; i < BATCH_MAX; i++) {
		mail_parser_free(&w->open[i].parser);
		search_bytes_free(&w->open[i].bytes);
		w->open[i] = (struct open_message){ .stage = STAGE_DIGEST };
	}
}

/* RFC 9051 6.4.4.1: NO empties "$" */
static void forget_saved(struct imap *s, const struct search *search)
{
	if (search->returns & SEARCH_RETURN_SAVE)
		vec_clear(&s->sel.saved);
}

void search_unavailable(struct imap *s)
{
	struct scan args = s->cmd.args;
	struct search search;
	struct err err = ERR_INIT;

	if (search_parse_options(&args, &search, &err) == 0)
		forget_saved(s, &search);
	imap_finish_now(s);
}

static void refused(struct imap *s, const struct frame *frame)
{
	forget_saved(s, &s->cmd.search->search);
	s->request = 0;
	reply_failed(s, frame);
	imap_finish(s);
}

void search_run_init(struct search_run *w)
{
	batch_init(&w->batch);
	w->batch.refused = refused;
	vec_init(&w->candidates, sizeof(struct candidate), LIMIT_VIEW_ENTRIES);
	vec_init(&w->window, sizeof(struct windowed), WINDOW);
	w->next = 1;
}

void search_run_done(struct search_run *w)
{
	drop_open(w);
	search_end(&w->search);
	batch_done(&w->batch);
	vec_done(&w->candidates);
	vec_done(&w->window);
}

static void end(struct imap *s)
{
	struct search_run *w = s->cmd.search;

	if (w->worst == ERR_NOT_FOUND)
		w->worst = ERR_NONE;
	if (w->damaged && w->worst == ERR_NONE) /* RFC 5530 3; untagged, it is a warning */
		imap_write(
			s, STR("* NO [CORRUPTION] A message is damaged and was not searched\r\n"));
	s->step = w->end;
}

static void add(struct imap *s, struct search_run *w, uint32_t sequence)
{
	if (!w->found(s, sequence))
		w->worst = ERR_LIMIT;
}

/* ---- one message of the batch ---- */

static enum search_stage stage_of(enum search_answer a)
{
	return a == SEARCH_YES ? STAGE_YES : a == SEARCH_NEEDS_BYTES ? STAGE_BYTES : STAGE_NO;
}

/* The digest is there: what does it say? */
static void with_digest(struct imap *s, struct search_run *w, size_t i)
{
	struct message *m = &w->batch.messages[i];
	struct open_message *o = &w->open[i];

	o->stage = stage_of(
		search_digest(&w->search, s->sel.view, m->sequence, o->held, &m->digest));
	if (o->stage != STAGE_BYTES)
		return;
	o->bytes = search_bytes_new(
		&w->search, s->sel.view, m->sequence, o->held, &m->digest, m->prefix_size);
	if (w->search.n_needles && !(o->held & SEARCH_SIGNED))
		search_bytes_sign(o->bytes);
}

/* The bytes have been looked at. */
static void looked_at(struct imap *s, struct search_run *w, size_t i)
{
	struct open_message *o = &w->open[i];

	o->stage = search_bytes_answer(o->bytes) ? STAGE_YES : STAGE_NO;
	if (w->search.n_needles && !(o->held & SEARCH_SIGNED))
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_SIGNATURE_PUT,
				.signature_put = { s->session.store_session, s->sel.mailbox,
					w->batch.messages[i].uid,
					search_bytes_signature(o->bytes) } });
	search_bytes_free(&o->bytes);
}

static void parsed(struct imap *s, struct search_run *w, size_t i)
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

/* What keys cost that so many bytes are held against: eight of them count as much as a key. */
static uint64_t work_of(const struct search_run *w, uint64_t bytes)
{
	return bytes * (w->search.texts > 0 ? w->search.texts : 1) / 8;
}

/* Most that is read at once: what all keys look through in a turn. */
static uint32_t most_of(const struct search_run *w)
{
	uint64_t most = LIMIT_IMAP_SEARCH_WORK / (1 + work_of(w, 8));

	return most * 8 < READS_BYTES ? (uint32_t)most * 8 : READS_BYTES;
}

/* What is to be read next of it; false: nothing. */
static bool wants(struct imap *s, struct search_run *w, size_t i, uint64_t *at, uint32_t *n)
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
	bool more = search_bytes_want(o->bytes, at, n);

	w->worked += work_of(w, search_bytes_looked(o->bytes));
	if (more) {
		*n = *n > most_of(w) ? most_of(w) : *n;
		return true;
	}
	looked_at(s, w, i);
	return false;
}

static void feed(struct search_run *w, size_t i, const struct piece *p)
{
	struct open_message *o = &w->open[i];

	o->asked = false;
	if (p->error != ERR_NONE) { /* expunged, or damaged: it does not match */
		if (p->error == ERR_CORRUPT)
			w->damaged = true;
		else if (p->error != ERR_NOT_FOUND)
			w->worst = p->error;
		o->stage = STAGE_NO;
	} else if (o->stage == STAGE_PARSE) {
		mail_parser_input(o->parser, buf_str(&p->data));
		o->at += p->data.n;
		w->worked += p->data.n / 8;
		if (p->data.n == 0)
			o->stage = STAGE_NO;
	} else {
		search_bytes_feed(o->bytes, buf_str(&p->data));
		w->worked += work_of(w, search_bytes_looked(o->bytes));
	}
}

/* ---- the batch ---- */

static void scan_step(struct imap *s);

/* All of the batch is known: the results in order. */
static void batch_end(struct imap *s, struct search_run *w)
{
	size_t i = 0;

	VEC_EACH (struct candidate, c, &w->candidates)
		if (!c->open || w->open[i++].stage == STAGE_YES)
			add(s, w, c->sequence);
	vec_clear(&w->candidates);
	drop_open(w);
	batch_clear(&w->batch);
	w->opened = 0;
	s->step = scan_step;
}

static size_t index_of(const struct batch *b, uint32_t uid)
{
	size_t i = 0;

	while (i < b->n && b->messages[i].uid != uid)
		i++;
	return i;
}

static void read_step(struct imap *s);

static void read_on(struct imap *s)
{
	s->cmd.search->worked = 0;
	read_step(s);
}

/* Others have their turn; what was asked for may come meanwhile. */
static bool is_their_turn(struct imap *s)
{
	if (s->cmd.search->worked <= LIMIT_IMAP_SEARCH_WORK)
		return false;
	imap_yield(s, read_on);
	return true;
}

static void read_step(struct imap *s)
{
	struct search_run *w = s->cmd.search;
	struct piece *p;

	while ((p = reads_first(&s->reads)) != NULL) {
		if (is_their_turn(s))
			return;
		feed(w, index_of(&w->batch, p->uid), p);
		reads_pop(&s->reads);
	}
	for (size_t i = 0; i < w->batch.n && reads_room(&s->reads, NULL); i++) {
		uint64_t at;
		uint32_t n;

		if (w->open[i].asked || w->open[i].stage >= STAGE_NO)
			continue;
		if (is_their_turn(s))
			return;
		if (wants(s, w, i, &at, &n)) {
			w->open[i].asked = true;
			reads_ask(&s->reads, w->batch.messages[i].uid, at, n);
		}
	}
	if (s->reads.n > 0)
		reads_wait(&s->reads, read_step);
	else
		batch_end(s, w);
}

static void open_one(struct imap *s, struct search_run *w, size_t i)
{
	const struct message *m = &w->batch.messages[i];

	if (m->has_digest) {
		w->worked += work_of(w, m->digest.bytes.n);
		with_digest(s, w, i);
	} else {
		w->open[i].stage = STAGE_PARSE;
		w->open[i].parser = mail_parser_new(NULL);
	}
}

static void digests_step(struct imap *s)
{
	struct search_run *w = s->cmd.search;

	for (w->worked = 0; w->opened < w->batch.n; w->opened++) {
		if (w->worked > LIMIT_IMAP_SEARCH_WORK) {
			imap_yield(s, digests_step);
			return;
		}
		open_one(s, w, w->opened);
	}
	s->step = read_step;
}

/* ---- all messages ---- */

/* Who has closed his side may listen still, but not for long. */
static bool is_cancelled(struct imap *s)
{
	if (!s->eof || imap_now(s) - s->eof_ms < LIMIT_IMAP_GONE_MS)
		return false;
	s->session.next = NEXT_CLOSE;
	return true;
}

_Static_assert(LIMIT_IMAP_SEARCH_KEYS *(1 + 32) <= LIMIT_IMAP_SEARCH_WORK,
	"any message fits into a turn, so that each goes on");

/* Whether this turn may ask one more message. */
static bool may_ask(struct search_run *w)
{
	if (w->worked + w->search.work > LIMIT_IMAP_SEARCH_WORK)
		return false;
	w->worked += w->search.work;
	return true;
}

static void look_at(struct imap *s, struct search_run *w, uint32_t sequence, uint8_t held)
{
	enum search_answer a = search_entry(&w->search, s->sel.view, sequence);
	struct candidate c = { sequence, a != SEARCH_YES };

	if (a == SEARCH_NEEDS_DIGEST)
		a = search_signature(&w->search, s->sel.view, sequence, held);
	c.open = a != SEARCH_YES;
	if (a == SEARCH_NO || view_is_gone(s->sel.view, sequence))
		return;
	if (a == SEARCH_YES && w->batch.n == 0) {
		add(s, w, sequence);
		return;
	}
	vec_push(&w->candidates, &c);
	if (a == SEARCH_YES)
		return;
	w->open[w->batch.n].held = held;
	batch_add(&w->batch, s->sel.view, sequence);
}

/* What the signatures of the window hold; whose answer does not come has none. */
static void signatures_come(struct imap *s, const struct frame *frame)
{
	struct search_run *w = s->cmd.search;

	if (frame->type != FRAME_SIGNATURES_HOLD) {
		refused(s, frame);
		return;
	}
	struct str held = frame->signatures_hold.held;
	for (size_t i = 0; i < held.n && w->told < w->window.n; i++)
		((struct windowed *)vec_at(&w->window, w->told++))->held = (uint8_t)held.p[i];
	if (!frame->signatures_hold.last)
		return;
	s->request = 0;
	s->step = scan_step;
}

/* The trigrams as the frame has them. */
static struct str needle_bytes(
	const struct search_needle *needle, char room[2 * SIGNATURE_TRIGRAMS])
{
	for (size_t k = 0; k < needle->n; k++) {
		room[2 * k] = (char)(needle->trigrams[k] & 0xff);
		room[2 * k + 1] = (char)(needle->trigrams[k] >> 8);
	}
	return str_make(room, 2 * needle->n);
}

/* It belongs into the window unless the entry answers no. */
static void fill(struct imap *s, struct search_run *w, uint32_t sequence)
{
	struct windowed m = { .sequence = sequence };

	if (search_entry(&w->search, s->sel.view, sequence) == SEARCH_NO)
		return;
	m.uid = view_entry(s->sel.view, sequence)->uid;
	vec_push(&w->window, &m);
}

static void ask_signatures(struct imap *s, struct search_run *w)
{
	uint32_t uids[WINDOW];
	struct api_needle needles[SEARCH_NEEDLES];
	char room[SEARCH_NEEDLES][2 * SIGNATURE_TRIGRAMS];
	size_t n = 0;

	VEC_EACH (struct windowed, m, &w->window)
		uids[n++] = m->uid;
	for (size_t i = 0; i < w->search.n_needles; i++)
		needles[i].trigrams = needle_bytes(&w->search.needles[i], room[i]);
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_SIGNATURE_ASK,
			.signature_ask = { s->session.store_session, s->sel.mailbox, { uids, n },
				{ needles, w->search.n_needles } } },
		signatures_come);
}

/* The next messages of which the store is to say what their signatures hold. */
static void fill_step(struct imap *s)
{
	struct search_run *w = s->cmd.search;

	if (is_cancelled(s))
		return;
	for (w->worked = 0; w->next <= view_exists(s->sel.view) && w->window.n < WINDOW;
		w->next++) {
		if (!may_ask(w)) {
			imap_yield(s, fill_step);
			return;
		}
		fill(s, w, w->next);
	}
	if (w->window.n > 0)
		ask_signatures(s, w);
	else
		end(s);
}

static bool has_room(const struct search_run *w)
{
	return w->batch.n < BATCH_MAX && w->worst == ERR_NONE;
}

/* Takes messages from the window, as many as the batch has room for and the turn has time; false:
 * it is empty. */
static bool look_at_window(struct imap *s, struct search_run *w)
{
	while (w->looked < w->window.n && has_room(w) && may_ask(w)) {
		const struct windowed *m = vec_at(&w->window, w->looked++);
		look_at(s, w, m->sequence, m->held);
	}
	return w->looked < w->window.n;
}

/* The same from the view. */
static bool look_at_view(struct imap *s, struct search_run *w)
{
	while (w->next <= view_exists(s->sel.view) && has_room(w) && may_ask(w))
		look_at(s, w, w->next++, 0);
	return w->next <= view_exists(s->sel.view);
}

static void scan_step(struct imap *s)
{
	struct search_run *w = s->cmd.search;
	bool more;

	if (is_cancelled(s))
		return;
	w->worked = 0;
	more = w->search.n_needles > 0 ? look_at_window(s, w) : look_at_view(s, w);
	if (more && has_room(w)) {
		imap_yield(s, scan_step);
	} else if (w->batch.n > 0 && w->worst == ERR_NONE) {
		batch_load(s, &w->batch, digests_step);
	} else if (w->search.n_needles > 0 && w->worst == ERR_NONE) {
		vec_clear(&w->window);
		w->looked = w->told = 0;
		s->step = fill_step;
	} else {
		end(s);
	}
}

/* ---- beginning ---- */

/* RFC 9051 7.1: BADCHARSET may list what there is. */
static void refuse_charset(struct imap *s, const char *text)
{
	struct buf code;

	buf_init(&code, 4096);
	buf_addz(&code, "BADCHARSET (");
	for (size_t i = 0; mail_charset_at(i) != NULL; i++) {
		if (i > 0)
			buf_addc(&code, ' ');
		token_add_astring(&code, str_from(mail_charset_name(mail_charset_at(i))), false);
	}
	buf_addc(&code, ')');
	buf_addc(&code, '\0');
	reply_no(s, code.full ? "BADCHARSET" : code.p, "%s", text);
	buf_done(&code);
}

void search_refuse(struct imap *s, const struct search *search, const struct err *err)
{
	if (err->kind != ERR_SYNTAX) /* that is BAD, which does not */
		forget_saved(s, search);
	if (err->kind == ERR_UNSUPPORTED)
		refuse_charset(s, err->public_text);
	else
		reply_err(s, err->kind, str_from(err->public_text));
	imap_finish(s);
}

void search_run_begin(struct imap *s, struct search_run *w,
	bool (*found)(struct imap *, uint32_t sequence), imap_step *at_end)
{
	struct seqset saved = seqset_of(&s->sel.saved);
	struct clock_seam *clock = s->session.host->seams->clock;
	struct err err = ERR_INIT;

	s->cmd.search = w;
	w->found = found;
	w->end = at_end;
	w->search.now_ms = clock->wall_ms(clock);
	if (search_begin(&w->search, s->sel.view, &saved, &err) < 0) {
		search_refuse(s, &w->search, &err);
		return;
	}
	if (w->search.uses_modseq)
		imap_enable_condstore(s);
	s->cmd.busy = true;
	s->step = scan_step;
}
