// SPDX-License-Identifier: Apache-2.0
/* Annotations of accounts and of mailboxes that are always there: users put and read them, and the
 * audit reads them again. RFC 5464 */
#include "imap_session.h"

/* What is there: a number, 0: nothing, -1: who knows. Changes are counted as for subscriptions. */
struct note {
	int value;
	unsigned changes, busy;
};
static struct note notes[ACCOUNTS][BOXES]; /* the first is the account's own */
static int last_value;

static const char *name_of(unsigned box)
{
	return box ? box_names[box] : "\"\"";
}

static enum user_result do_put(struct user_session *s, unsigned box)
{
	struct note *n = &notes[s->account][box];
	int value = chance(20) ? 0 : ++last_value;
	char text[20] = "NIL";
	if (value)
		snprintf(text, sizeof(text), "\"v%d\"", value);
	unsigned change = ++n->changes;
	bool alone = n->busy++ == 0;
	n->value = -1;
	enum user_result r = user_command(
		s, "SETMETADATA %s (/private/comment %s)", name_of(box), text);
	n->busy -= r != USER_CUT; /* else it is under way to the next audit */
	if (r == USER_OK && alone && n->changes == change)
		n->value = value;
	return r;
}

static enum user_result do_read(struct user_session *s, unsigned box)
{
	struct note *n = &notes[s->account][box], before = *n;
	enum user_result r = user_command(s, "GETMETADATA %s /private/comment", name_of(box));
	if (r == USER_OK && before.value >= 0 && before.changes == n->changes &&
		s->note != before.value)
		sim_fail("%s: the annotation of %s of %s is %d, was %d", s->actor->name,
			box ? box_names[box] : "all", account_address(s->account), s->note,
			before.value);
	return r;
}

enum user_result client_notes_something(struct user_session *s)
{
	unsigned box = (unsigned)dice(chance(70) ? 2 : BOXES); /* the same ones again and again */
	return dice(2) ? do_put(s, box) : do_read(s, box);
}

void client_notes_audit(struct user_session *s)
{
	for (unsigned box = 0; box < BOXES; box++) {
		struct note *n = &notes[s->account][box];
		if (do_read(s, box) != USER_OK)
			sim_fail(
				"the annotations of %s can't be read", account_address(s->account));
		n->value = s->note;
		n->busy = 0;
	}
}
