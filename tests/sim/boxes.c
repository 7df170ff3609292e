// SPDX-License-Identifier: Apache-2.0
/* Mailboxes that come and go (see boxes.h). */
#include "boxes.h"

const char *const slot_names[SLOTS] = { "T0", "T1", "T2", "T3", "T0/S", "T1/S", "T2/S", "T3/S" };

struct box {
	uint8_t names; /* slots that may have been its name, bits; 0: any */
	bool may_go, gone, found;
};
struct slot {
	int exists; /* as slot_exists */
	unsigned changes, busy;
	bool found;
};
static struct box boxes[ACCOUNTS][BOX_MOST];
static unsigned boxes_n[ACCOUNTS] = { BOXES, BOXES, BOXES, BOXES, BOXES };
static unsigned deletions[ACCOUNTS]; /* asked for and not answered */
static uint32_t highest[ACCOUNTS];   /* UIDVALIDITY that there was at the last audit */
static struct slot slots[ACCOUNTS][SLOTS];

const char *boxes_name(unsigned account, unsigned box)
{
	static char names[8][40];
	static unsigned next;
	if (box < BOXES)
		return box_names[box];
	char *name = names[next++ % ARRAY_LEN(names)];
	snprintf(name, sizeof(names[0]), box < BOX_MOST ? "a mailbox (%u)" : "a mailbox",
		box < BOX_MOST ? model_box(account, box).uidvalidity : 0);
	return name;
}

unsigned boxes_known(unsigned account, uint32_t uidvalidity)
{
	for (unsigned box = 0; box < boxes_n[account]; box++)
		if (model_box(account, box).uidvalidity == uidvalidity)
			return box;
	return BOX_NONE;
}

unsigned boxes_find(unsigned account, uint32_t uidvalidity)
{
	unsigned *n = &boxes_n[account], known = boxes_known(account, uidvalidity);
	if (known != BOX_NONE)
		return known;
	if (uidvalidity <= highest[account])
		sim_fail("a new mailbox of %s has UIDVALIDITY %u, and there was %u before",
			account_address(account), uidvalidity, highest[account]);
	if (*n == BOX_MOST)
		sim_fail("%s has had %d mailboxes", account_address(account), BOX_MOST);
	boxes[account][*n] = (struct box){ .may_go = deletions[account] > 0 };
	model_box_is(account, *n, uidvalidity);
	return (*n)++;
}

bool boxes_may_go(unsigned account, unsigned box)
{
	return box >= BOXES && box < BOX_MOST && boxes[account][box].may_go;
}

/* ---- names ---- */

struct slot_change slot_begin(unsigned account, unsigned slot)
{
	struct slot *s = &slots[account][slot];
	s->exists = -1;
	return (struct slot_change){
		.account = account, .slot = slot, .number = ++s->changes, .alone = s->busy++ == 0
	};
}

void slot_end(const struct slot_change *c, bool answered, bool known, bool exists)
{
	struct slot *s = &slots[c->account][c->slot];
	if (answered)
		s->busy--;
	if (answered && known && c->alone && s->changes == c->number)
		s->exists = exists;
}

int slot_exists(unsigned account, unsigned slot)
{
	return slots[account][slot].exists;
}

unsigned slot_changes(unsigned account, unsigned slot)
{
	return slots[account][slot].changes;
}

/* ---- subscriptions ---- */

struct subscription {
	int on; /* -1: who knows */
	unsigned changes, busy;
};
static struct subscription subscriptions[ACCOUNTS][BOXES];

unsigned boxes_subscribe_begin(unsigned account, unsigned box)
{
	struct subscription *s = &subscriptions[account][box];
	s->on = -1;
	s->changes++;
	return s->busy++ == 0 ? s->changes : 0;
}

/* One that is not answered stays under way to the next audit. */
void boxes_subscribe_end(
	unsigned account, unsigned box, unsigned change, bool answered, bool done, bool on)
{
	struct subscription *s = &subscriptions[account][box];
	s->busy -= answered;
	if (done && change && s->changes == change)
		s->on = on;
}

void boxes_audit_subscription(unsigned account, unsigned box, bool on)
{
	struct subscription *s = &subscriptions[account][box];
	if (s->on >= 0 && s->changes && s->on != on)
		sim_fail("%s of %s is %s", box_names[box], account_address(account),
			on ? "subscribed, and was not to be" : "not subscribed");
	s->on = on;
	s->busy = 0;
}

/* ---- what is asked for ---- */

static bool may_be_named(const struct box *b, unsigned slot)
{
	return b->names == 0 || b->names & 1U << slot;
}

bool boxes_deleting(unsigned account)
{
	return deletions[account] > 0;
}

static void delete_perhaps(unsigned account, unsigned box)
{
	boxes[account][box].may_go = true;
	model_delete_box(account, box);
}

void boxes_delete_begin(unsigned account, unsigned slot)
{
	deletions[account]++;
	for (unsigned box = BOXES; box < boxes_n[account]; box++)
		if (may_be_named(&boxes[account][box], slot))
			delete_perhaps(account, box);
	model_delete_box(account, BOX_BY_NAME);
}

void boxes_delete_end(unsigned account, bool answered)
{
	deletions[account] -= answered;
}

static void rename_begin(unsigned account, unsigned from, unsigned to)
{
	for (unsigned box = BOXES; box < boxes_n[account]; box++) {
		struct box *b = &boxes[account][box];
		if ((b->names & 1U << from) == 0)
			continue;
		b->names |= (uint8_t)(1U << to);
		if (boxes_deleting(account))
			delete_perhaps(account, box);
	}
}

void boxes_rename_begin(unsigned account, unsigned from, unsigned to)
{
	rename_begin(account, from, to);
	if (!slot_is_below(from))
		rename_begin(account, from + ABOVE, to + ABOVE);
}

/* ---- audits ---- */

void boxes_audit_begin(unsigned account)
{
	for (unsigned box = BOXES; box < boxes_n[account]; box++)
		boxes[account][box].found = false;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		slots[account][slot].found = false;
}

void boxes_audit_entry(unsigned account, const char *name, unsigned box)
{
	struct box *b = &boxes[account][box];
	if (box < BOXES)
		sim_fail("%s has %s a second time, as %s", account_address(account), box_names[box],
			name);
	if (b->gone || b->found)
		sim_fail("%s has the mailbox with UIDVALIDITY %u as %s: it was %s",
			account_address(account), model_box(account, box).uidvalidity, name,
			b->gone ? "deleted" : "there already");
	b->found = true;
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		if (strcmp(name, slot_names[slot]) != 0)
			continue;
		if (!may_be_named(b, slot))
			sim_fail("%s has the mailbox with UIDVALIDITY %u as %s, and nobody named "
				 "it so",
				account_address(account), model_box(account, box).uidvalidity,
				name);
		b->names = (uint8_t)(1U << slot);
		slots[account][slot].found = true;
	}
}

void boxes_audit_end(unsigned account)
{
	for (unsigned box = BOXES; box < boxes_n[account]; box++) {
		struct box *b = &boxes[account][box];
		if (!b->found && !b->gone && !b->may_go)
			sim_fail("%s of %s is gone", boxes_name(account, box),
				account_address(account));
		b->gone = !b->found;
		b->may_go = false;
		if (model_box(account, box).uidvalidity > highest[account])
			highest[account] = model_box(account, box).uidvalidity;
	}
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		struct slot *s = &slots[account][slot];
		if (s->exists >= 0 && s->exists != s->found && s->changes)
			sim_fail("%s of %s is %s", slot_names[slot], account_address(account),
				s->found ? "there, and was deleted or renamed" : "not there");
		s->exists = s->found;
		s->busy = 0;
	}
	deletions[account] = 0;
}
