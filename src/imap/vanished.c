// SPDX-License-Identifier: Apache-2.0
/* VANISHED (EARLIER). RFC 7162 3.2.10.1. The store says what was expunged when; should it not be
 * able to, everything that the client asks about and the view lacks is said to have gone, which is
 * what a server without a memory would say (3.2.6). */
#include "imap/vanished.h"

#include "imap/selected.h"

#include <inttypes.h>

#define RANGES_A_LINE 1000 /* 22 bytes each at most */

void vanished_init(struct vanished *v)
{
	vec_init(&v->uids, sizeof(struct api_range), LIMIT_VIEW_ENTRIES);
}

void vanished_done(struct vanished *v)
{
	vec_done(&v->uids);
}

/* ---- what is said ---- */

/* What of a range that was expunged concerns this client: above the mark, not in the view (it went
 * after the view was read, and will be told as news), and never one that was not given yet. */
static void add(struct imap *s, struct vanished *v, uint32_t low, uint32_t high)
{
	if (low <= v->above)
		low = v->above + 1;
	if (high >= s->sel.uidnext)
		high = s->sel.uidnext - 1;
	if (low != 0 && low <= high)
		view_absent(s->sel.view, low, high, &v->uids);
}

static void add_known(struct imap *s, struct vanished *v, struct api_range gone)
{
	const struct seqset *known = &v->known;
	if (!v->has_known) {
		add(s, v, gone.low, gone.high);
		return;
	}
	for (size_t i = seqset_find(known, gone.low);
		i < known->n && known->ranges[i].low <= gone.high; i++) {
		struct api_range k = known->ranges[i];
		add(s, v, k.low > gone.low ? k.low : gone.low,
			k.high < gone.high ? k.high : gone.high);
	}
}

static void say_step(struct imap *s)
{
	struct vanished *v = s->vanished;
	const struct api_range *all = (const void *)v->uids.p;
	size_t n = v->uids.n - v->at;
	struct seqset piece;
	if (n == 0) {
		s->vanished = NULL;
		s->step = v->then;
		return;
	}
	n = n < RANGES_A_LINE ? n : RANGES_A_LINE;
	piece = (struct seqset){ .ranges = all + v->at, .n = n };
	buf_addz(imap_out(s), "* VANISHED (EARLIER) ");
	seqset_print(&piece, imap_out(s));
	buf_addz(imap_out(s), "\r\n");
	v->at += n;
	s->step = say_step;
}

/* ---- asking ---- */

static void unknown(struct imap *s, struct vanished *v)
{
	vec_clear(&v->uids);
	add_known(s, v, (struct api_range){ 1, UINT32_MAX });
	s->step = say_step;
}

static void take(struct imap *s, const struct frame *answer)
{
	struct vanished *v = s->vanished;
	const struct frame_vanished *is = &answer->vanished;
	if (answer->type != FRAME_VANISHED) {
		s->request = 0;
		unknown(s, v);
		return;
	}
	for (size_t i = 0; i < is->uids.n; i++)
		add_known(s, v, is->uids.items[i]);
	if (!is->last)
		return;
	s->request = 0;
	s->step = say_step;
}

void vanished_say(struct imap *s, struct vanished *v, imap_step *then)
{
	v->then = then;
	s->vanished = v;
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_VIEW_VANISHED,
			.view_vanished = { s->session.store_session, s->sel.mailbox, v->since } },
		take);
}

/* ---- the client's sample ---- */

/* Walks a set number by number. */
struct walk {
	const struct seqset *set;
	size_t range;
	uint32_t next;
};

static uint32_t next_number(struct walk *w)
{
	const struct api_range *r;
	if (w->range == w->set->n)
		return 0;
	r = &w->set->ranges[w->range];
	if (w->next < r->low)
		w->next = r->low;
	if (w->next == r->high) {
		w->range++;
		return r->high;
	}
	return w->next++;
}

/* An expunge below a message moves it and all behind it, so what matches comes first. */
bool vanished_match(const struct view *v, const struct seqset *numbers, const struct seqset *uids,
	uint32_t *ret_above)
{
	struct walk n = { .set = numbers }, u = { .set = uids };
	uint32_t number;
	*ret_above = 0;
	if (seqset_count(numbers) != seqset_count(uids))
		return false;
	while ((number = next_number(&n)) != 0) {
		uint32_t uid = next_number(&u);
		const struct api_entry *e = view_entry(v, number);
		if (e == NULL || e->uid != uid)
			break;
		*ret_above = uid;
	}
	return true;
}
