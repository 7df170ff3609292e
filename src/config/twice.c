// SPDX-License-Identifier: Apache-2.0
/* Two walks over a configuration: one for comments, and one for words, where a word with "=" behind
 * it is a key. "+=" adds to a list and may come as often as one likes. */
#include "config/twice.h"

#include "base/scan.h"
#include "base/vec.h"

struct given {
	struct str name;
	int line;
};

struct walk {
	struct scan s;
	struct str text; /* all of it, for line numbers */
	struct str word; /* the last one; none: something else came since */
};

static int line_of(const struct walk *w, struct str word)
{
	int line = 1;
	for (const char *p = w->text.p; p < word.p; p++)
		line += *p == '\n';
	return line;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(char c)
{
	return !is_space(c) && strchr("\"'={}(),+#", c) == NULL;
}

static bool not_newline(char c)
{
	return c != '\n';
}

/* "#" and "//" to the end of the line, or from slash and star to star and slash. */
static bool skip_comment(struct scan *s)
{
	if (scan_char(s, '#') || scan_literal_nocase(s, STR("//"))) {
		(void)scan_while(s, not_newline);
		return true;
	}
	if (!scan_literal_nocase(s, STR("/*")))
		return false;
	while (!scan_end(s) && !scan_literal_nocase(s, STR("*/")))
		s->p++;
	return true;
}

static bool skip_string(struct scan *s)
{
	int quote = scan_peek(s);
	if (quote != '"' && quote != '\'')
		return false;
	for (s->p++; !scan_end(s) && !scan_char(s, (char)quote);)
		s->p += *s->p == '\\' && scan_left(s) > 1 ? 2 : 1;
	return true;
}

/* The next key that is set, or false at the end. */
static bool next_key(struct walk *w, struct str *ret)
{
	while (!scan_end(&w->s)) {
		struct str word = scan_while(&w->s, is_word);
		if (word.n) {
			w->word = word;
		} else if (scan_char(&w->s, '=')) {
			*ret = w->word;
			w->word = STR_NONE;
			if (ret->n)
				return true;
		} else if (scan_while(&w->s, is_space).n == 0) {
			w->word = STR_NONE;
			if (!skip_string(&w->s))
				w->s.p++;
		}
	}
	return false;
}

void config_blank(char *text, size_t n)
{
	static const struct str mark = STR_INIT("\xef\xbb\xbf");
	if (str_starts(str_make(text, n), mark))
		memset(text, ' ', mark.n);
	struct scan s = scan_from(str_make(text, n));
	while (!scan_end(&s)) {
		char *from = text + (s.p - text);
		if (skip_comment(&s)) {
			for (; from < s.p; from++)
				if (*from != '\n')
					*from = ' ';
		} else if (scan_while(&s, is_word).n == 0 && !skip_string(&s)) {
			s.p++;
		}
	}
}

bool config_find_twice(struct str text, struct config_twice *ret)
{
	struct walk w = { .s = scan_from(text), .text = text };
	struct vec all;
	struct str name;
	bool found = false;
	vec_init(&all, sizeof(struct given), 1000);
	while (!found && next_key(&w, &name)) {
		int line = line_of(&w, name);
		VEC_EACH (struct given, g, &all)
			if (!found && str_equal(g->name, name)) {
				*ret = (struct config_twice){ name, g->line, line };
				found = true;
			}
		vec_push(&all, &(struct given){ name, line });
	}
	vec_done(&all);
	return found;
}
