// SPDX-License-Identifier: Apache-2.0
/* NOTIFY's arguments. RFC 5465 8. Pure. */
#include "imap/notify.h"

#include "imap/token.h"

static const struct {
	struct str name;
	unsigned event;
} events[] = {
	{ STR_INIT("MessageNew"), EVENT_NEW },
	{ STR_INIT("MessageExpunge"), EVENT_EXPUNGE },
	{ STR_INIT("FlagChange"), EVENT_FLAGS },
	{ STR_INIT("MailboxName"), EVENT_NAME },
	{ STR_INIT("SubscriptionChange"), EVENT_SUBSCRIPTION },
	{ STR_INIT("MailboxMetadataChange"), EVENT_METADATA },
	{ STR_INIT("ServerMetadataChange"), EVENT_SERVER_METADATA },
};

static const struct {
	struct str name;
	enum notify_filter filter;
	bool names;
} filters[] = {
	{ STR_INIT("inboxes"), FILTER_INBOXES, false },
	{ STR_INIT("personal"), FILTER_PERSONAL, false },
	{ STR_INIT("subscribed"), FILTER_SUBSCRIBED, false },
	{ STR_INIT("subtree"), FILTER_SUBTREE, true },
	{ STR_INIT("mailboxes"), FILTER_MAILBOXES, true },
};

static unsigned event_of(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++)
		if (str_equal_nocase(events[i].name, name))
			return events[i].event;
	return EVENT_UNKNOWN; /* event-ext = atom */
}

/* "(" fetch-att *(SP fetch-att) ")" behind MessageNew. What they ask for never sets \Seen. */
static int fetch_atts(struct scan *s, struct arena *a, struct fetch_attrs *ret, struct err *err)
{
	if (fetch_attrs_parse(s, a, ret, err) < 0)
		return -1;
	ret->sets_seen = false;
	return 0;
}

/* event; attrs NULL: fetch-atts may not follow */
static int event(
	struct scan *s, struct arena *a, unsigned *ret, struct fetch_attrs *attrs, struct err *err)
{
	struct scan at;
	struct str name;
	unsigned one;

	if (!token_atom(s, &name))
		return fail(err, ERR_SYNTAX, "An event is expected");
	one = event_of(name);
	*ret |= one;
	at = *s;
	if (one != EVENT_NEW || !scan_sp(&at) || scan_peek(&at) != '(')
		return 0;
	if (attrs == NULL)
		return fail(err, ERR_SYNTAX, "Attributes go with the selected mailbox");
	*s = at;
	return fetch_atts(s, a, attrs, err);
}

/* The message events that go together.                         RFC 5465 5 */
static bool are_complete(unsigned all)
{
	unsigned both = all & (EVENT_NEW | EVENT_EXPUNGE);

	if (all & EVENT_UNKNOWN) /* refused as such */
		return true;
	if (both != 0 && both != (EVENT_NEW | EVENT_EXPUNGE))
		return false;
	return both != 0 || (all & EVENT_FLAGS) == 0;
}

/* events = ( "(" event *(SP event) ")" ) / "NONE"             RFC 5465 8
 * The examples of 3.1 have no parentheses. */
static int event_list(
	struct scan *s, struct arena *a, unsigned *ret, struct fetch_attrs *attrs, struct err *err)
{
	bool open;

	if (scan_word_nocase(s, STR("NONE")))
		return 0;
	open = scan_char(s, '(');
	do {
		if (event(s, a, ret, attrs, err) < 0)
			return -1;
	} while (scan_sp(s));
	if (open && !scan_char(s, ')'))
		return fail(err, ERR_SYNTAX, "Events are not understood");
	if (!are_complete(*ret))
		return fail(err, ERR_SYNTAX, "MessageNew and MessageExpunge go together");
	return 0;
}

static int one_name(
	struct scan *s, struct arena *a, struct notify_group *g, size_t most, struct err *err)
{
	struct str name;

	if (!token_astring(s, a, &name))
		return fail(err, ERR_SYNTAX, "A mailbox is expected");
	if (g->n == most)
		return fail(err, ERR_LIMIT, "Too many names");
	g->names[g->n++] = name;
	return 0;
}

/* one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")" */
static int names(
	struct scan *s, struct arena *a, struct notify_group *g, size_t most, struct err *err)
{
	g->names = arena_array(a, most, sizeof *g->names);
	if (g->names == NULL)
		return fail(err, ERR_LIMIT, "Too many names");
	if (!scan_sp(s))
		return fail(err, ERR_SYNTAX, "A mailbox is expected");
	if (!scan_char(s, '('))
		return one_name(s, a, g, most, err);
	do {
		if (one_name(s, a, g, most, err) < 0)
			return -1;
	} while (scan_sp(s));
	return scan_char(s, ')') ? 0 : fail(err, ERR_SYNTAX, "Names are not understood");
}

/* filter-mailboxes-selected SP events: message events alone, and once.    RFC 5465 6.1 */
static int selected(
	struct scan *s, struct arena *a, struct notify_spec *spec, bool delayed, struct err *err)
{
	if (spec->has_selected)
		return fail(err, ERR_SYNTAX, "The selected mailbox is named twice");
	spec->has_selected = true;
	spec->delayed = delayed;
	if (!scan_sp(s))
		return fail(err, ERR_SYNTAX, "Events are expected");
	if (event_list(s, a, &spec->selected, &spec->attrs, err) < 0)
		return -1;
	spec->all |= spec->selected;
	if (spec->selected & ~(unsigned)(EVENTS_OF_MESSAGES | EVENT_UNKNOWN))
		return fail(err, ERR_SYNTAX, "Only messages' events go with the selected mailbox");
	return 0;
}

static int other(struct scan *s, struct arena *a, struct notify_spec *spec, struct err *err)
{
	struct notify_group *g = &spec->groups[spec->n];
	size_t i = 0;

	while (i < ARRAY_LEN(filters) && !scan_word_nocase(s, filters[i].name))
		i++;
	if (i == ARRAY_LEN(filters))
		return fail(err, ERR_SYNTAX, "Which mailboxes is not understood");
	if (spec->n == LIMIT_NOTIFY_GROUPS)
		return fail(err, ERR_LIMIT, "Too many groups");
	g->filter = filters[i].filter;
	if (filters[i].names && names(s, a, g, LIMIT_NOTIFY_NAMES - spec->names, err) < 0)
		return -1;
	spec->names += g->n;
	if (!scan_sp(s))
		return fail(err, ERR_SYNTAX, "Events are expected");
	if (event_list(s, a, &g->events, NULL, err) < 0)
		return -1;
	spec->all |= g->events;
	spec->n++;
	return 0;
}

/* event-group = "(" filter-mailboxes SP events ")" */
static int group(struct scan *s, struct arena *a, struct notify_spec *spec, struct err *err)
{
	int rc;

	if (!scan_sp(s) || !scan_char(s, '('))
		return fail(err, ERR_SYNTAX, "A group of events is expected");
	if (scan_word_nocase(s, STR("selected-delayed")))
		rc = selected(s, a, spec, true, err);
	else if (scan_word_nocase(s, STR("selected")))
		rc = selected(s, a, spec, false, err);
	else
		rc = other(s, a, spec, err);
	if (rc < 0)
		return -1;
	return scan_char(s, ')') ? 0 : fail(err, ERR_SYNTAX, "A group ends with a parenthesis");
}

/* notify = "NOTIFY" SP ("SET" [SP "STATUS"] 1*(SP event-group) / "NONE")   RFC 5465 8 */
int notify_parse(struct scan *s, struct arena *a, struct notify_spec *ret, struct err *err)
{
	struct scan at;

	*ret = (struct notify_spec){ .n = 0 };
	if (!scan_sp(s))
		return fail(err, ERR_SYNTAX, "SET or NONE is expected");
	if (scan_word_nocase(s, STR("NONE")))
		return scan_end(s) ? 0 : fail(err, ERR_SYNTAX, "Nothing follows NONE");
	if (!scan_word_nocase(s, STR("SET")))
		return fail(err, ERR_SYNTAX, "SET or NONE is expected");
	at = *s;
	if (scan_sp(&at) && scan_word_nocase(&at, STR("STATUS"))) {
		ret->status = true;
		*s = at;
	}
	ret->groups = arena_array(a, LIMIT_NOTIFY_GROUPS + 1, sizeof *ret->groups);
	if (ret->groups == NULL)
		return fail(err, ERR_LIMIT, "Too much to watch");
	do {
		if (group(s, a, ret, err) < 0)
			return -1;
	} while (!scan_end(s));
	return 0;
}
