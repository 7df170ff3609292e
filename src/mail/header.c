// SPDX-License-Identifier: Apache-2.0
/* Header blocks cut into fields; unfolding. The streaming form is in splitter.c. RFC 5322 2.2 */
#include "mail/header.h"

#include "base/abnf.h"

enum { FIELD_HEAD_BYTES = sizeof(((struct mail_splitter *)0)->held) };

/* Bytes of the first line of s, its LF included. */
static size_t line_size(struct str s)
{
	size_t at = str_find(s, '\n');
	return at < s.n ? at + 1 : s.n;
}

static bool is_empty_line(struct str s)
{
	return (s.n >= 1 && s.p[0] == '\n') || (s.n >= 2 && s.p[0] == '\r' && s.p[1] == '\n');
}

/* field = field-name *WSP ":" …                RFC 5322 3.6.8, 4.5 */
static void name_and_value(struct mail_field *f)
{
	struct str rest = str_chomp(f->raw);
	size_t n = 0;
	while (n < rest.n && n < LIMIT_FIELD_NAME_BYTES && abnf_is_ftext(rest.p[n]))
		n++;
	size_t colon = n;
	while (colon < rest.n && abnf_is_wsp(rest.p[colon]))
		colon++;
	if (n == 0 || colon == rest.n || rest.p[colon] != ':' || colon >= FIELD_HEAD_BYTES) {
		f->name = str_make(rest.p, 0);
		f->value = rest;
		return;
	}
	f->name = str_make(rest.p, n);
	f->value = str_from_offset(rest, colon + 1);
}

bool mail_field_next(struct str *rest, struct mail_field *ret)
{
	if (rest->n == 0 || is_empty_line(*rest))
		return false;
	size_t n = line_size(*rest);
	while (n < rest->n && abnf_is_wsp(rest->p[n]))
		n += line_size(str_from_offset(*rest, n));
	ret->raw = str_make(rest->p, n);
	name_and_value(ret);
	*rest = str_from_offset(*rest, n);
	return true;
}

bool mail_field_find(struct str block, struct str name, struct mail_field *ret)
{
	struct mail_field f;
	while (mail_field_next(&block, &f)) {
		if (!str_equal_nocase(f.name, name))
			continue;
		*ret = f;
		return true;
	}
	return false;
}

size_t mail_field_count(struct str block, struct str name, size_t max)
{
	struct mail_field f;
	size_t n = 0;
	while (n < max && mail_field_next(&block, &f))
		n += str_equal_nocase(f.name, name);
	return n;
}

size_t mail_header_size(struct str message)
{
	size_t at = 0;
	while (at < message.n) {
		struct str rest = str_from_offset(message, at);
		at += line_size(rest);
		if (is_empty_line(rest))
			break;
	}
	return at;
}

/* The next run of bytes without a line end; moves behind that line end. */
static struct str unfolded_run(struct str *rest)
{
	struct str run = str_split(rest, '\n');
	if (run.n && run.p[run.n - 1] == '\r' && rest->p > run.p + run.n)
		run.n--;
	return run;
}

bool mail_unfold(struct str value, struct buf *out)
{
	size_t before = out->n;
	for (struct str rest = str_trim(value); rest.n > 0;) {
		if (!buf_adds(out, unfolded_run(&rest))) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}

struct str mail_unfold_arena(struct arena *a, struct str value)
{
	struct str rest = str_trim(value);
	if (str_find(rest, '\n') == rest.n)
		return rest;
	char *p = arena_alloc(a, rest.n);
	size_t n = 0;
	if (p == NULL)
		return STR_NONE;
	while (rest.n > 0) {
		struct str run = unfolded_run(&rest);
		if (run.n)
			memcpy(p + n, run.p, run.n);
		n += run.n;
	}
	return str_make(p, n);
}
