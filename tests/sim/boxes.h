/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailboxes that are made, renamed and deleted. A mailbox is known by its UIDVALIDITY, which no
 * other ever has; a *slot* is one of the few names that such mailboxes have in an account.
 *
 * Mailboxes are numbered: below BOXES those that are always there (box_names), from BOXES on the
 * others, in the order in which somebody first saw them.
 */
#ifndef CULVER_SIM_BOXES_H
#define CULVER_SIM_BOXES_H

#include "sim.h"

/* The second half are below the first: slot + ABOVE. */
enum { ABOVE = 4, SLOTS = 2 * ABOVE };
extern const char *const slot_names[SLOTS];
static inline bool slot_is_below(unsigned slot)
{
	return slot >= ABOVE;
}

/* The mailbox that has this UIDVALIDITY. */
unsigned boxes_find(unsigned account, uint32_t uidvalidity);
/* BOX_NONE: nobody has seen it. */
unsigned boxes_known(unsigned account, uint32_t uidvalidity);
/* For people. */
const char *boxes_name(unsigned account, unsigned box);
/* Somebody has asked for its deletion, perhaps. */
bool boxes_may_go(unsigned account, unsigned box);

/* ---- what is asked for ---- */

/* What becomes of a name is known when what was asked for is answered, and nobody else asked for
 * something that touches it meanwhile. */
struct slot_change {
	unsigned account, slot, number;
	bool alone;
};
struct slot_change slot_begin(unsigned account, unsigned slot);
void slot_end(const struct slot_change *, bool answered, bool known, bool exists);
/* 1: the name is one of a mailbox, 0: it is not, -1: who knows. */
int slot_exists(unsigned account, unsigned slot);
/* Whether anything has been asked about it since that number of changes. */
unsigned slot_changes(unsigned account, unsigned slot);

/* Of one that is always there. The number of the change, 0 when others are under way. */
unsigned boxes_subscribe_begin(unsigned account, unsigned box);
void boxes_subscribe_end(
	unsigned account, unsigned box, unsigned change, bool answered, bool done, bool on);

/* Whether a deletion may be under way. */
bool boxes_deleting(unsigned account);
void boxes_delete_begin(unsigned account, unsigned slot);
void boxes_delete_end(unsigned account, bool answered);
void boxes_rename_begin(unsigned account, unsigned from, unsigned to);

/* ---- audits ---- */

void boxes_audit_begin(unsigned account);
/* There is a mailbox of this name. */
void boxes_audit_entry(unsigned account, const char *name, unsigned box);
/* Of one that is always there. */
void boxes_audit_subscription(unsigned account, unsigned box, bool on);
void boxes_audit_end(unsigned account);

#endif
