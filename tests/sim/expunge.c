// SPDX-License-Identifier: Apache-2.0
/* EXPUNGE and CLOSE (RFC 9051 6.4.3, 6.4.1): all of a mailbox that carries \Deleted goes. As long
 * as one is under way, whatever may carry it, or comes to, may go; when it was done, what carried
 * it before it was asked for, and went on to, is gone. */
#include "sim.h"

enum { DELETED = 1 << DELETED_FLAG };

/* Asked for and not answered. Of mailboxes that come and go the last counts those of any. */
static unsigned expunging[ACCOUNTS][BOX_MOST + 1];

static bool may_be_deleted(const struct copy *c)
{
	if (c->flags_off & DELETED)
		return false;
	if (c->acked || c->flag_changes)
		return true;
	bool source_changed = c->source && c->source->flag_changes != c->source_changes;
	return source_changed || !(c->put_off & DELETED);
}

static void remove_perhaps(struct copy *c)
{
	if (!c->gone && !c->never && may_be_deleted(c))
		model_remove_begin(c, NULL);
}

void model_expunge_perhaps(struct copy *c)
{
	unsigned box = c->box < BOX_MOST ? c->box : BOX_BY_NAME;
	if (expunging[c->account][box])
		remove_perhaps(c);
}

/* Copies of one message whose UIDs nobody knows can't be told from one another. */
static void remove_like(const struct copy *c)
{
	size_t n = model_copies()->n;
	for (size_t i = 0; i < n; i++) {
		struct copy *other = *(struct copy **)vec_at(model_copies(), i);
		if (other->uid == 0 && other->n == c->n && !other->may_go &&
			model_is_in(other, c->account, c->box))
			model_remove_begin(other, NULL);
	}
}

static void count(const struct model_expunge *e, int by)
{
	expunging[e->account][e->box] += (unsigned)by;
	if (e->box >= BOXES)
		expunging[e->account][BOX_BY_NAME] += (unsigned)by;
}

struct model_expunge model_expunge_begin(unsigned account, unsigned box)
{
	struct model_expunge e = { .account = account, .box = box };
	size_t n = model_copies()->n; /* what may be put back meanwhile is not looked at */
	vec_init(&e.sure, sizeof(struct model_expunged), 1000000);
	count(&e, 1);
	for (size_t i = 0; i < n; i++) {
		struct copy *c = *(struct copy **)vec_at(model_copies(), i);
		if (c->gone || !model_is_in(c, account, box))
			continue;
		if (c->uid && c->flags_on & DELETED)
			vec_push(&e.sure, &(struct model_expunged){ c, c->uid, c->flag_changes });
		remove_perhaps(c);
		if (c->uid == 0 && may_be_deleted(c))
			remove_like(c);
	}
	return e;
}

void model_expunge_end(struct model_expunge *e, bool answered, bool done,
	bool (*has)(void *arg, uint32_t uid), void *arg)
{
	count(e, -answered);
	VEC_EACH (struct model_expunged, x, &e->sure) {
		const struct copy *c = x->copy;
		bool same = c->uid == x->uid && c->flag_changes == x->flag_changes &&
			    c->flags_on & DELETED;
		if (!done || !same)
			continue;
		if (has && has(arg, x->uid))
			sim_fail("UID %u of %s carried \\Deleted, and was not expunged", x->uid,
				account_address(e->account));
		model_remove_acked(e->account, e->box, x->uid);
	}
	vec_done(&e->sure);
}

void model_expunge_audited(unsigned account)
{
	memset(expunging[account], 0, sizeof(expunging[account]));
}
