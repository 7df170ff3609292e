// SPDX-License-Identifier: Apache-2.0
/* UTF8, LANG   RFC 6856
 *
 * A maildrop holds messages as they came. In UTF8 mode RETR and TOP give every byte of them;
 * without it header fields come in ASCII (cmd_read.c). */
#include "pop3/pop3_private.h"

/* What we can say, in the order of preference; the first is ours, and what "*" stands for. The
 * description is in the language itself. */
static const struct {
	struct str tag, description, changed;
} languages[] = {
	{ STR_INIT("en"), STR_INIT("English"), STR_INIT("language is English") },
};

void pop3_utf8(struct pop3 *s, struct str arg)
{
	(void)arg;
	s->utf8 = true;
	pop3_say(s, "+OK UTF8 mode is on");
}

/* A basic language range matches a tag that it is, or that begins with it up to a "-".
 * RFC 4647 3.3.1 */
static bool matches(struct str range, struct str tag)
{
	return str_starts_nocase(tag, range) && (tag.n == range.n || tag.p[range.n] == '-');
}

static void list_languages(struct pop3 *s)
{
	pop3_say(s, "+OK language listing follows");
	for (size_t i = 0; i < ARRAY_LEN(languages); i++)
		pop3_say(s, "%" STR_FMT " %" STR_FMT, STR_ARG(languages[i].tag),
			STR_ARG(languages[i].description));
	pop3_say(s, ".");
}

void pop3_lang(struct pop3 *s, struct str arg)
{
	bool any = str_equal(arg, STR("*"));
	if (arg.n == 0) {
		list_languages(s);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(languages); i++) {
		if (!any && !matches(arg, languages[i].tag))
			continue;
		pop3_say(s, "+OK %" STR_FMT " %" STR_FMT, STR_ARG(languages[i].tag),
			STR_ARG(languages[i].changed));
		return;
	}
	pop3_refuse(s, "no such language here");
}
