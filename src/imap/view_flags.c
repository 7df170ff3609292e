// SPDX-License-Identifier: Apache-2.0
/* Flags and keywords of a view, and how they are written. RFC 9051 2.3.2. */
#include "imap/view_private.h"

#include "api/schemes.h"
#include "base/abnf.h"

#include <stdlib.h>

static const struct {
	struct str name;
	uint8_t bit;
} system_flags[] = {
	{ STR_INIT("\\Answered"), FLAG_ANSWERED },
	{ STR_INIT("\\Flagged"), FLAG_FLAGGED },
	{ STR_INIT("\\Deleted"), FLAG_DELETED },
	{ STR_INIT("\\Seen"), FLAG_SEEN },
	{ STR_INIT("\\Draft"), FLAG_DRAFT },
};

uint8_t flag_bit(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (str_equal_nocase(name, system_flags[i].name))
			return system_flags[i].bit;
	}
	return 0;
}

void view_forget_keywords(struct view *v)
{
	free(v->keywords);
	v->keywords = NULL;
	v->n_keywords = 0;
}

/* The names, and behind them their bytes, in one piece of memory: most sessions keep them for hours
 * and never need them. */
static struct str *copy_names(const struct str *names, size_t n)
{
	size_t bytes = n * sizeof(*names);

	for (size_t i = 0; i < n; i++)
		bytes += names[i].n;
	struct str *copy = xmalloc(bytes);
	char *text = (char *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		copy[i] = str_make(text, names[i].n);
		if (names[i].n > 0)
			memcpy(text, names[i].p, names[i].n);
		text += names[i].n;
	}
	return copy;
}

bool view_set_keywords(struct view *v, const struct str *names, size_t n)
{
	if (n > VIEW_KEYWORDS)
		n = VIEW_KEYWORDS;
	bool same = n == v->n_keywords;
	for (size_t i = 0; same && i < n; i++)
		same = str_equal(names[i], v->keywords[i]);
	if (same)
		return false;
	view_forget_keywords(v);
	if (n > 0)
		v->keywords = copy_names(names, n);
	v->n_keywords = n;
	return true;
}

size_t view_keyword_count(const struct view *v)
{
	return v->n_keywords;
}

struct str view_keyword_name(const struct view *v, size_t bit)
{
	return bit < v->n_keywords ? v->keywords[bit] : STR_NONE;
}

int view_keyword_bit(const struct view *v, struct str name)
{
	for (size_t i = 0; i < v->n_keywords; i++) {
		if (str_equal_nocase(v->keywords[i], name))
			return (int)i;
	}
	return -1;
}

/* ---- \Recent ---- */

void view_recent_add(struct view *v, uint32_t low, uint32_t high)
{
	seq_ranges_add(&v->recent, low, high);
}

bool view_is_recent(const struct view *v, uint32_t uid)
{
	struct seqset set = seqset_of(&v->recent);
	return set.n > 0 && seqset_contains(&set, uid);
}

void view_recent_forget(struct view *v)
{
	vec_done(&v->recent);
	v->recent_said = 0;
}

uint32_t view_recent_said(const struct view *v)
{
	return v->recent_said;
}

void view_recent_say(struct view *v, uint32_t n)
{
	v->recent_said = n;
}

/* ---- writing ---- */

/* Names one after another with blanks between. */
struct names {
	struct buf *out;
	bool any;
};

static void add_name(struct names *l, struct str name)
{
	if (l->any)
		buf_addc(l->out, ' ');
	buf_adds(l->out, name);
	l->any = true;
}

static void add_names(
	struct names *l, const struct view *v, uint8_t flags, uint64_t low, uint64_t high)
{
	for (size_t i = 0; i < ARRAY_LEN(system_flags); i++) {
		if (flags & system_flags[i].bit)
			add_name(l, system_flags[i].name);
	}
	/* A ledger may have names from when any bytes were one. */
	for (size_t i = 0; (low | high) != 0 && i < v->n_keywords; i++) {
		bool has = (i < 64 ? low >> i : high >> (i - 64)) & 1;
		if (has && abnf_is_imap_keyword(v->keywords[i]))
			add_name(l, v->keywords[i]);
	}
}

static bool add_list(
	const struct view *v, struct buf *out, const struct api_entry *e, const char *more)
{
	size_t start = out->n;
	struct names l = { .out = out };
	bool ok = buf_addc(out, '(');
	add_names(&l, v, e->flags, e->keywords_low, e->keywords_high);
	if (view_is_recent(v, e->uid)) /* "all" has the UID 0, which is none */
		add_name(&l, STR("\\Recent"));
	if (more != NULL)
		add_name(&l, str_from(more));
	ok = ok && buf_addc(out, ')') && !out->full;
	if (!ok)
		buf_truncate(out, start);
	return ok;
}

bool view_add_flags(const struct view *v, struct buf *out, const struct api_entry *e)
{
	return add_list(v, out, e, NULL);
}

bool view_add_all_flags(const struct view *v, struct buf *out, const char *more)
{
	struct api_entry all = {
		.flags = FLAGS_ALL, .keywords_low = UINT64_MAX, .keywords_high = UINT64_MAX
	};
	return add_list(v, out, &all, more);
}
