// SPDX-License-Identifier: Apache-2.0
/* What is known of flags: those that a message comes with, and those that somebody sets. */
#include "sim.h"

/* ---- those that it comes with ---- */

void model_put_flags(struct copy *c, uint8_t on, uint8_t off)
{
	c->put_on = on;
	c->put_off = off;
	model_expunge_perhaps(c);
}

struct copy *model_put_copy(struct copy *source, unsigned box)
{
	struct copy *c = model_put(source->account, box, source->n);
	bool busy = source->flag_busy > 0;
	model_put_flags(c, busy ? 0 : source->flags_on, busy ? 0 : source->flags_off);
	c->source = source;
	c->source_changes = source->flag_changes;
	model_expunge_perhaps(c);
	return c;
}

void model_take_flags(struct copy *c)
{
	if (c->flag_changes || (c->source && c->source->flag_changes != c->source_changes))
		return;
	c->flags_on = c->put_on;
	c->flags_off = c->put_off;
}

/* ---- changes ---- */

/* So it may, and what is copied from it just now. */
static void may_be_expunged(struct copy *c)
{
	size_t n = model_copies()->n; /* what may be put back meanwhile is not looked at */
	for (size_t i = 0; i < n; i++) {
		struct copy *other = *(struct copy **)vec_at(model_copies(), i);
		if (other == c || other->source == c)
			model_expunge_perhaps(other);
	}
}

struct model_flag model_flag_begin(struct copy *c, unsigned flag, bool on)
{
	uint8_t bit = (uint8_t)(1 << flag);
	c->flags_on &= (uint8_t)~bit;
	c->flags_off &= (uint8_t)~bit;
	struct model_flag f = { .copy = c,
		.flag = flag,
		.number = ++c->flag_changes,
		.on = on,
		.alone = c->flag_busy++ == 0 };
	if (flag == DELETED_FLAG && on)
		may_be_expunged(c);
	return f;
}

void model_flag_end(const struct model_flag *f, bool answered, bool done)
{
	struct copy *c = f->copy;
	if (answered)
		c->flag_busy--;
	if (done && f->alone && c->flag_changes == f->number)
		*(f->on ? &c->flags_on : &c->flags_off) |= (uint8_t)(1 << f->flag);
}

void model_modseq(unsigned account, unsigned box, uint32_t uid, uint64_t modseq)
{
	struct copy *c = model_at(account, box, uid);
	if (c && modseq > c->modseq)
		c->modseq = modseq;
}
