// SPDX-License-Identifier: Apache-2.0
/*
 * What must be true of all mail, whatever has happened. A copy is one message in one mailbox that
 * somebody asked for; what was answered, what was seen and what was lost with a connection says
 * what it may be now. An audit, when everything rests, makes of "may be" what is.
 *
 *     asked for, not answered     may be there, once
 *     acknowledged, or seen       is there, under one UID, until its removal is asked for
 *     removal asked for           may be there
 *     removal acknowledged        is not there; of a move: is there, and not here
 */
#include "sim.h"

const char *const box_names[BOXES] = { "INBOX", "Work", "Archive", "Trash" };
const char *const flag_names[FLAGS] = { "\\Seen", "\\Answered", "\\Flagged", "\\Draft",
	"\\Deleted" };

static struct vec copies; /* struct copy * */
static struct box_told told[ACCOUNTS][BOXES];
static uint32_t last_message;

#define COPIES(c) VEC_EACH (struct copy *, c, &copies)

uint32_t model_next_message(void)
{
	return ++last_message;
}

static const char *name_of(const struct copy *c, char room[100])
{
	snprintf(room, 100, "message %u in %s of %s, UID %u", c->n, box_names[c->box],
		account_address(c->account), c->uid);
	return room;
}
#define NAME(c) name_of(c, (char[100]){ 0 })

static bool certain(const struct copy *c)
{
	return c->acked || c->uid != 0;
}

static bool is_in(const struct copy *c, unsigned account, unsigned box)
{
	return c->account == account && c->box == box && !c->never;
}

struct box_told model_box(unsigned account, unsigned box)
{
	return told[account][box];
}

/* ---- putting ---- */

struct copy *model_put(unsigned account, unsigned box, uint32_t n)
{
	struct copy *c = xmalloc(sizeof(*c));
	*c = (struct copy){
		.n = n, .account = account, .box = box, .uid_floor = told[account][box].uidnext
	};
	if (copies.size == 0)
		vec_init(&copies, sizeof(struct copy *), 1000000);
	vec_push(&copies, &c);
	return c;
}

struct copy *model_at(unsigned account, unsigned box, uint32_t uid)
{
	COPIES(c)
	if ((*c)->uid == uid && is_in(*c, account, box))
		return *c;
	return NULL;
}

static void bind(struct copy *c, uint32_t uid)
{
	if (uid < c->uid_floor)
		sim_fail("%s came after UIDNEXT %u was told, and has UID %u", NAME(c), c->uid_floor,
			uid);
	c->uid = uid;
}

/* Copies of one message in one mailbox whose UIDs were not told are interchangeable: what was seen
 * of one may have been the other. */
static void bind_told(struct copy *c, uint32_t uid)
{
	struct copy *other = model_at(c->account, c->box, uid);
	if (other == c)
		return;
	if (other && other->n != c->n)
		sim_fail("%s: its UID was given to message %u, too", NAME(other), c->n);
	if (other == NULL) {
		if (c->uid)
			sim_fail("%s was put there as UID %u", NAME(c), uid);
		bind(c, uid);
		return;
	}
	struct copy was = *other;
	other->uid = c->uid;
	c->uid = uid;
	c->may_go = was.may_go;
	c->gone = was.gone;
	c->moved_to = was.moved_to;
	c->removed_otherwise = was.removed_otherwise;
	other->may_go = other->gone = other->removed_otherwise = false;
	other->moved_to = NULL;
	other->flags_on = other->flags_off = c->flags_on = c->flags_off = 0;
}

void model_put_acked(struct copy *c, uint32_t uid)
{
	world.report->acknowledged++;
	c->acked = true;
	if (uid)
		bind_told(c, uid);
}

void model_put_never(struct copy *c)
{
	if (c->uid)
		sim_fail("%s was refused, and seen", NAME(c));
	c->never = true;
}

/* ---- seeing ---- */

struct copy *model_seen(unsigned account, unsigned box, uint32_t uid, uint32_t n)
{
	struct copy *found = NULL;
	world.report->seen++;
	COPIES(at)
	{
		struct copy *c = *at;
		if (!is_in(c, account, box))
			continue;
		if (c->uid == uid) {
			if (c->n != n)
				sim_fail("%s: now it is message %u", NAME(c), n);
			return c;
		}
		if (c->uid == 0 && c->n == n && (found == NULL || (c->acked && !found->acked)))
			found = c;
	}
	if (found == NULL)
		sim_fail("message %u is in %s of %s as UID %u, where nobody has put it, or not so "
			 "often",
			n, box_names[box], account_address(account), uid);
	bind(found, uid);
	return found;
}

void model_told(
	unsigned account, unsigned box, const struct box_told *before, const struct box_told *now)
{
	struct box_told *t = &told[account][box];
	const char *where = box_names[box], *whose = account_address(account);
	if (t->uidvalidity && now->uidvalidity != t->uidvalidity)
		sim_fail("UIDVALIDITY of %s of %s was %u, is %u", where, whose, t->uidvalidity,
			now->uidvalidity);
	if (now->uidnext < before->uidnext)
		sim_fail("UIDNEXT of %s of %s was %u, is %u", where, whose, before->uidnext,
			now->uidnext);
	if (now->modseq < before->modseq)
		sim_fail("HIGHESTMODSEQ of %s of %s was %llu, is %llu", where, whose,
			(unsigned long long)before->modseq, (unsigned long long)now->modseq);
	t->uidvalidity = now->uidvalidity;
	if (now->uidnext > t->uidnext)
		t->uidnext = now->uidnext;
	if (now->modseq > t->modseq)
		t->modseq = now->modseq;
}

/* ---- removing ---- */

void model_remove_begin(struct copy *c, struct copy *moved_to)
{
	if (c->may_go || moved_to == NULL)
		c->removed_otherwise = true;
	c->may_go = true;
	c->moved_to = moved_to;
}

void model_remove_acked(unsigned account, unsigned box, uint32_t uid)
{
	struct copy *c = model_at(account, box, uid);
	if (c)
		c->gone = true;
}

/* ---- audits ---- */

void model_audit_begin(unsigned account)
{
	COPIES(c)
	if ((*c)->account == account)
		(*c)->present = false;
}

static void audit_flags(struct copy *c, uint8_t flags)
{
	for (int i = 0; i < FLAGS; i++) {
		bool on = flags & 1 << i;
		if ((on && c->flags_off & 1 << i) || (!on && c->flags_on & 1 << i))
			sim_fail("%s: %s is %s", NAME(c), flag_names[i], on ? "set" : "not set");
	}
	c->flags_on = flags;
	c->flags_off = (uint8_t)~flags;
	c->flag_busy = 0;
}

void model_audit_entry(unsigned account, unsigned box, uint32_t uid, uint32_t n, uint8_t flags)
{
	struct copy *c = model_seen(account, box, uid, n);
	if (c->gone)
		sim_fail("%s was removed, and is there", NAME(c));
	c->present = true;
	audit_flags(c, flags);
}

/* The same message may have been copied there, too, without an answer: then what is there may be
 * taken for that copy. */
static bool is_there(const struct copy *to)
{
	COPIES(at)
	{
		const struct copy *c = *at;
		if (c->n == to->n && is_in(c, to->account, to->box) && c->present && !c->acked)
			return true;
	}
	return to->present;
}

/* A move is one step: what did not stay here is there. */
static void audit_absent(const struct copy *c)
{
	if (!certain(c))
		return;
	if (!c->may_go)
		sim_fail("%s is gone", NAME(c));
	const struct copy *to = c->moved_to;
	if (to && !c->removed_otherwise && !is_there(to) && !to->may_go)
		sim_fail("%s was to be moved to %s: it is in neither", NAME(c), box_names[to->box]);
}

void model_audit_end(unsigned account)
{
	COPIES(at)
	{
		const struct copy *c = *at;
		if (c->account == account && !c->never && !c->present)
			audit_absent(c);
	}
	COPIES(at)
	{
		struct copy *c = *at;
		if (c->account != account || c->never)
			continue;
		if (!c->present)
			c->never = true; /* and will never be */
		c->may_go = c->removed_otherwise = false;
		c->moved_to = NULL;
	}
}
