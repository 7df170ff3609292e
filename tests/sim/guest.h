/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account that comes and goes, always under the same address: while it is there mail for it is
 * taken and its owner comes in, while it is not neither; and who gets the address next finds
 * nothing of what was there before. Of its mail only the number is known.
 */
#ifndef CULVER_SIM_GUEST_H
#define CULVER_SIM_GUEST_H

#include "admin.h"

#define GUEST "guest@example.test"

/* What was known of it when something began. */
struct guest_view {
	int exists; /* -1: who knows */
	unsigned news;
};
struct guest_view guest_view(void);
/* The administrator makes or removes it. */
void guest_change(struct admin *);
/* As a recipient: the code of the reply; and that of the whole message. */
void guest_recipient(const struct guest_view *, int code, const char *who);
void guest_delivered(const struct guest_view *);
bool guest_stayed(const struct guest_view *); /* it is there, and was all the time */
/* Its owner looks in. */
void guest_visit(struct actor *);
/* The administrator, when all rests, says whether it is there. */
void guest_settled(bool exists);

#endif
