// SPDX-License-Identifier: Apache-2.0
/* Digests of many messages, streaming by; see gather.h. */
#include "imap/gather.h"

#include "mail/digest.h"
#include "mail/mime.h"

#define DIGEST_PUT_MAX  64000 /* digest_put: digest */
#define UIDS_A_QUESTION 500
#define KNOWN_A_TURN    4000

struct unparsed {
	uint32_t sequence, prefix_size;
};

void gather_init(struct gather *g)
{
	*g = (struct gather){ .error = ERR_NONE };
	facts_reader_init(&g->reader);
	buf_init(&g->piece, LIMIT_DIGEST_BYTES);
	vec_init(&g->todo, sizeof(uint32_t), LIMIT_VIEW_ENTRIES);
	vec_init(&g->missing, sizeof(struct unparsed), LIMIT_VIEW_ENTRIES);
}

void gather_done(struct gather *g)
{
	facts_reader_done(&g->reader);
	buf_done(&g->piece);
	vec_done(&g->todo);
	vec_done(&g->missing);
	mail_parser_free(&g->parser);
}

static uint32_t number_at(const struct vec *v, size_t i)
{
	return *(const uint32_t *)(const void *)vec_at(v, i);
}

/* A digest that came, or was made: it is looked at, and what was seen is kept. */
static void take(struct imap *s, struct gather *g, uint32_t sequence, const struct digest *d)
{
	const struct api_entry *e = view_entry(s->sel.view, sequence);
	struct message_facts seen;
	facts_read(&g->reader, e, d, &seen);
	if (d != NULL)
		facts_put(s->sel.facts, e->uid, &seen);
	if (!g->each(s, sequence, &seen))
		g->error = ERR_LIMIT;
}

static void end(struct imap *s, struct gather *g, enum err_kind error)
{
	g->error = error;
	s->request = 0;
	reads_clear(&s->reads);
	s->step = g->end;
}

/* ---- what has no digest is parsed ---- */

static const struct unparsed *unparsed(const struct gather *g)
{
	return (const void *)vec_at(&g->missing, g->parsed);
}

static void parsed(struct imap *s, struct gather *g, uint64_t size)
{
	const struct unparsed *u = unparsed(g);
	uint32_t uid = view_entry(s->sel.view, u->sequence)->uid;
	struct digest d;
	buf_clear(&g->piece);
	mail_parser_end(g->parser, &g->piece);
	bool opens = digest_open(&d, buf_str(&g->piece), size - u->prefix_size);
	if (opens && g->piece.n <= DIGEST_PUT_MAX)
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, 0,
			&(struct frame){ .type = FRAME_DIGEST_PUT,
				.digest_put = { s->session.store_session, s->sel.mailbox, uid,
					buf_str(&g->piece) } });
	take(s, g, u->sequence, opens ? &d : NULL);
}

/* What the message itself is no reason for. */
static bool is_for_now(enum err_kind error)
{
	return error != ERR_NONE && error != ERR_NOT_FOUND && error != ERR_CORRUPT;
}

static const struct api_entry *entry_of(struct imap *s, const struct unparsed *u)
{
	return view_entry(s->sel.view, u->sequence);
}

/* The next piece of what is not asked for yet; false: this message is asked for. Small messages are
 * read whole, many by one question. */
static bool ask_piece(struct imap *s, struct gather *g, struct reads_many *many)
{
	const struct unparsed *u = (const void *)vec_at(&g->missing, g->ahead);
	const struct api_entry *e = entry_of(s, u);
	uint64_t left;
	if (g->wanted < u->prefix_size)
		g->wanted = u->prefix_size;
	if (g->wanted >= e->size)
		return false;
	left = e->size - g->wanted;
	if (e->size <= READS_BYTES) {
		reads_add(&s->reads, many, e->uid, (uint32_t)e->size);
	} else {
		left = left < READS_BYTES ? left : READS_BYTES;
		reads_ask_many(&s->reads, many);
		reads_ask(&s->reads, e->uid, g->wanted, (uint32_t)left);
	}
	g->wanted += left;
	return true;
}

/* While one is parsed the next are on their way. */
static void ask_ahead(struct imap *s, struct gather *g)
{
	struct reads_many many = { .n = 0 };
	if (!reads_wants(&s->reads))
		return;
	while (g->ahead < g->missing.n && reads_room(&s->reads, &many)) {
		if (ask_piece(s, g, &many))
			continue;
		g->ahead++;
		g->wanted = 0;
	}
	reads_ask_many(&s->reads, &many);
}

/* Expunged, or damaged. The rest of it may be on its way, before what is of others. */
static void unreadable(
	struct imap *s, struct gather *g, const struct api_entry *e, enum err_kind error)
{
	mail_parser_free(&g->parser);
	if (is_for_now(error))
		g->error = error;
	if (e->size <= READS_BYTES) {
		reads_pop(&s->reads);
		return;
	}
	reads_clear(&s->reads);
	g->ahead = g->parsed + 1;
	g->wanted = 0;
}

/* The message begins behind its prefix. */
static struct str behind(const struct piece *p, uint32_t prefix_size)
{
	uint64_t skip = p->offset < prefix_size ? prefix_size - p->offset : 0;
	return str_from_offset(buf_str(&p->data), (size_t)skip);
}

/* Parses what is there. False: more has to come. */
static bool parse(struct imap *s, struct gather *g, const struct unparsed *u)
{
	const struct api_entry *e = entry_of(s, u);
	struct piece *p;
	for (; g->fed < e->size; reads_pop(&s->reads)) {
		ask_ahead(s, g);
		p = reads_first(&s->reads);
		if (p == NULL)
			return false;
		if (p->error != ERR_NONE || p->data.n != p->length) {
			unreadable(s, g, e, p->error);
			return true;
		}
		mail_parser_input(g->parser, behind(p, u->prefix_size));
		g->fed = p->offset + p->data.n;
	}
	return true;
}

static void parse_step(struct imap *s)
{
	struct gather *g = s->cmd.gather;
	for (; g->parsed < g->missing.n && g->error == ERR_NONE; g->parsed++) {
		const struct unparsed *u = unparsed(g);
		if (g->parser == NULL) {
			g->parser = mail_parser_new(NULL);
			g->fed = u->prefix_size;
		}
		if (!parse(s, g, u)) {
			reads_wait(&s->reads, parse_step);
			return;
		}
		if (g->parser != NULL && u->prefix_size <= entry_of(s, u)->size)
			parsed(s, g, entry_of(s, u)->size);
		else if (g->error == ERR_NONE)
			take(s, g, u->sequence, NULL);
		mail_parser_free(&g->parser);
	}
	end(s, g, g->error);
}

/* ---- digests ---- */

static void ask_step(struct imap *s);

static void one_digest(struct imap *s, struct gather *g, struct str bytes, uint32_t prefix_size)
{
	uint32_t n = number_at(&g->todo, g->answered++);
	const struct api_entry *e = view_entry(s->sel.view, n);
	struct unparsed u = { n, prefix_size };
	struct digest d;
	if (bytes.n == 0 || prefix_size > e->size || !digest_open(&d, bytes, e->size - prefix_size))
		vec_push(&g->missing, &u);
	else
		take(s, g, n, &d);
}

/* A digest, or a piece of it. Of more than were asked for nothing is taken. */
static void take_piece(struct imap *s, struct gather *g, const struct frame_digest_is *is)
{
	if (g->answered == g->asked)
		return;
	if (is->more || g->piece.n > 0)
		buf_adds(&g->piece, is->digest);
	if (!is->more && g->error == ERR_NONE) {
		one_digest(s, g, g->piece.n > 0 ? buf_str(&g->piece) : is->digest, is->prefix_size);
		buf_clear(&g->piece);
	}
}

static void take_digest(struct imap *s, const struct frame *frame)
{
	struct gather *g = s->cmd.gather;
	if (frame->type != FRAME_DIGEST_IS) {
		end(s, g,
			frame->type == FRAME_FAILED ? (enum err_kind)frame->failed.kind : ERR_TEMP);
		return;
	}
	take_piece(s, g, &frame->digest_is);
	if (!frame->digest_is.last)
		return;
	s->request = 0;
	s->step = ask_step;
}

static void ask_step(struct imap *s)
{
	struct gather *g = s->cmd.gather;
	uint32_t uids[UIDS_A_QUESTION];
	size_t n = 0;
	g->answered = g->asked;
	if (g->error != ERR_NONE) {
		end(s, g, g->error);
		return;
	}
	while (n < UIDS_A_QUESTION && g->asked < g->todo.n)
		uids[n++] = view_entry(s->sel.view, number_at(&g->todo, g->asked++))->uid;
	if (n == 0) {
		s->step = parse_step;
		return;
	}
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_DIGEST_READ,
			.digest_read = { s->session.store_session, s->sel.mailbox, { uids, n } } },
		take_digest);
}

/* What the last one left is there at once. */
static void known_step(struct imap *s)
{
	struct gather *g = s->cmd.gather;
	struct message_facts seen;
	for (size_t i = 0; g->looked < g->sequence->n && g->error == ERR_NONE; g->looked++) {
		uint32_t n = number_at(g->sequence, g->looked);
		if (i++ == KNOWN_A_TURN) {
			imap_yield(s, known_step);
			return;
		}
		if (!facts_get(s->sel.facts, view_entry(s->sel.view, n)->uid, &seen))
			vec_push(&g->todo, &n);
		else if (!g->each(s, n, &seen))
			g->error = ERR_LIMIT;
	}
	s->step = ask_step;
}

static void facts_begin(struct imap *s)
{
	struct random_seam *random = s->session.host->seams->random;
	uint8_t key[16];
	if (s->sel.facts != NULL)
		return;
	random->fill(random, key, sizeof(key));
	s->sel.facts = facts_new(key, LIMIT_IMAP_FACTS_BYTES);
}

void gather_begin(struct imap *s, struct gather *g, const struct vec *sequence, gather_each *each,
	imap_step *at_end)
{
	s->cmd.gather = g;
	g->sequence = sequence;
	g->each = each;
	g->end = at_end;
	facts_begin(s);
	s->step = known_step;
}
