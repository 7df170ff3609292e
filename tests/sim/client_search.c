// SPDX-License-Identifier: Apache-2.0
/*
 * What users of IMAP programs look for, held against the model: messages by their number, by words
 * of their text, by a flag; all of them in the order of their subjects. What was in the session's
 * view before it asked, and is meant to stay, must be found if it fits, and must not if it does
 * not. RFC 9051 6.4.4, RFC 5256
 */
#include "imap_session.h"

enum { VIEW_MOST = 100000, WORD = 8 };

/* A message of the view, as the model had it before the question. */
struct candidate {
	struct copy *copy;
	uint32_t uid;
	unsigned flag_changes;
	bool flags_rest; /* nobody is changing them */
};

static struct vec candidates_of(const struct user_session *s)
{
	struct vec ret;
	vec_init(&ret, sizeof(struct candidate), VIEW_MOST);
	VEC_EACH (uint32_t, uid, &s->view) {
		struct copy *c = *uid ? model_at(s->account, s->box, *uid) : NULL;
		struct candidate x = { .copy = c, .uid = *uid };
		if (c == NULL)
			continue;
		x.flag_changes = c->flag_changes;
		x.flags_rest = c->flag_busy == 0;
		vec_push(&ret, &x);
	}
	return ret;
}

static bool is_found(const struct user_session *s, uint32_t uid)
{
	VEC_EACH (uint32_t, at, &s->found)
		if (*at == uid)
			return true;
	return false;
}

/* fits: 1, 0, or -1: who knows. */
static void must_fit(const struct user_session *s, const struct candidate *x, int fits)
{
	const struct copy *c = x->copy;
	bool found = is_found(s, x->uid);
	if (found && fits == 0)
		sim_fail("%s: UID %u, message %u, was found, and does not fit", s->actor->name,
			x->uid, c->n);
	/* What others have removed may be in the view and is not there any more; what is damaged
	 * can't be looked into. */
	if (!found && fits == 1 && !c->may_go && !world_is_damaged())
		sim_fail("%s: UID %u, message %u, fits, and was not found", s->actor->name, x->uid,
			c->n);
}

/* ---- by number ---- */

static enum user_result by_number(struct user_session *s, struct vec *all)
{
	const struct candidate *any = vec_at(all, (size_t)dice(all->n));
	uint32_t n = any->copy->n;
	enum user_result r = user_command(s, "UID SEARCH SUBJECT \"number %u.\"", n);
	VEC_EACH (struct candidate, x, all)
		if (r == USER_OK)
			must_fit(s, x, x->copy->n == n);
	return r;
}

/* ---- by text ---- */

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Letters and digits that stand in its body one after the other. */
static bool word_of(uint32_t n, char ret[WORD + 1])
{
	struct buf text;
	message_make(n, &text);
	size_t at = str_search(buf_str(&text), STR("\r\n\r\n")), run = 0;
	memset(ret, 0, WORD + 1);
	for (; at < text.n && run < WORD; at++) {
		run = is_plain(text.p[at]) ? run + 1 : 0;
		if (run == WORD)
			memcpy(ret, text.p + at + 1 - WORD, WORD);
	}
	buf_done(&text);
	return run == WORD;
}

static char small(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Others may have it by chance; without regard to case. */
static bool has_word(uint32_t n, const char *word, bool body)
{
	struct buf text;
	message_make(n, &text);
	size_t at = body ? str_search(buf_str(&text), STR("\r\n\r\n")) : 0, same = 0;
	for (; at + WORD <= text.n && same < WORD; at++)
		for (same = 0; same < WORD && small(text.p[at + same]) == small(word[same]);)
			same++;
	buf_done(&text);
	return same == WORD;
}

static enum user_result by_text(struct user_session *s, struct vec *all)
{
	const struct candidate *any = vec_at(all, (size_t)dice(all->n));
	uint32_t n = any->copy->n;
	char word[WORD + 1];
	if (!word_of(n, word))
		return by_number(s, all);
	bool body = dice(2);
	enum user_result r = user_command(s, "UID SEARCH %s %s", body ? "BODY" : "TEXT", word);
	VEC_EACH (struct candidate, x, all)
		if (r == USER_OK)
			must_fit(s, x, has_word(x->copy->n, word, body));
	return r;
}

/* ---- by flag ---- */

static int has_flag(const struct user_session *s, const struct candidate *x, unsigned flag)
{
	const struct copy *c = x->copy;
	if (!user_is_quiet(s) || !x->flags_rest || c->flag_busy ||
		c->flag_changes != x->flag_changes)
		return -1;
	return c->flags_on & 1 << flag ? 1 : c->flags_off & 1 << flag ? 0 : -1;
}

static enum user_result by_flag(struct user_session *s, struct vec *all)
{
	unsigned flag = (unsigned)dice(DELETED_FLAG); /* \Deleted is about to go */
	bool on = dice(2);
	/* Others' changes are found once they were told, which a NOOP does if the store is there.
	 */
	enum user_result r = user_command(s, "NOOP");
	if (r != USER_OK)
		return r;
	const char *no = on ? "" : "UN", *name = flag_names[flag];
	if (flag == KEYWORD_FLAG)
		r = user_command(s, "UID SEARCH %sKEYWORD %s", no, name);
	else
		r = user_command(s, "UID SEARCH %s%s", no, name + 1);
	VEC_EACH (struct candidate, x, all) {
		int has = has_flag(s, x, flag);
		if (r == USER_OK)
			must_fit(s, x, has < 0 ? -1 : has == on);
	}
	return r;
}

/* ---- in order ---- */

static const struct candidate *candidate_at(const struct vec *all, uint32_t uid)
{
	VEC_EACH (struct candidate, x, all)
		if (x->uid == uid)
			return x;
	return NULL;
}

/* Of two subjects that are the same, the one that comes first.  RFC 5256 3 */
static bool in_order(const struct candidate *a, const struct candidate *b)
{
	char first[20], second[20];
	snprintf(first, sizeof(first), "%u.", a->copy->n);
	snprintf(second, sizeof(second), "%u.", b->copy->n);
	int order = strcmp(first, second);
	return order < 0 || (order == 0 && a->uid < b->uid);
}

static enum user_result sorted(struct user_session *s, struct vec *all)
{
	const struct candidate *before = NULL;
	enum user_result r = user_command(s, "UID SORT (SUBJECT) UTF-8 ALL");
	VEC_EACH (struct candidate, x, all)
		if (r == USER_OK)
			must_fit(s, x, 1);
	VEC_EACH (uint32_t, uid, &s->found) {
		const struct candidate *x = candidate_at(all, *uid);
		if (x && x->copy->may_go)
			continue; /* and is not there any more, perhaps */
		if (r == USER_OK && x && before && !in_order(before, x) && !world_is_damaged())
			sim_fail("%s: UID %u, message %u, is sorted before UID %u, message %u",
				s->actor->name, before->uid, before->copy->n, x->uid, x->copy->n);
		before = x ? x : before;
	}
	return r;
}

enum user_result client_search_something(struct user_session *s)
{
	static enum user_result (*const ways[])(
		struct user_session *, struct vec *) = { by_number, by_text, by_flag, sorted };
	struct vec all = candidates_of(s);
	enum user_result r = all.n ? ways[dice(ARRAY_LEN(ways))](s, &all)
				   : user_command(s, "UID SEARCH ALL");
	vec_done(&all);
	return r;
}
