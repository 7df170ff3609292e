// SPDX-License-Identifier: Apache-2.0
/* Base subjects, step by step as RFC 5256 2.1 numbers them, and message ids. */
#include "mail/subject.h"

#include "base/abnf.h"
#include "mail/encoded.h"

static bool is_wsp(char c)
{
	return c == ' ' || c == '\t';
}

static struct str skip_wsp(struct str s)
{
	while (s.n > 0 && is_wsp(s.p[0]))
		s = str_from_offset(s, 1);
	return s;
}

/* ---- (1): UTF-8, and one blank where there were several ---- */

/* What stands in the buffer from `from` on, made so in place. */
static struct str squeeze_blanks(struct buf *text, size_t from)
{
	size_t to = from;
	for (size_t i = from; i < text->n; i++) {
		char c = text->p[i] == '\t' ? ' ' : text->p[i];
		if (c == ' ' && to > from && text->p[to - 1] == ' ')
			continue;
		text->p[to++] = c;
	}
	buf_truncate(text, to);
	return str_from_offset(buf_str(text), from);
}

/* ---- (2): subj-trailer = "(fwd)" / WSP ---- */

static bool cut_trailers(struct str *s)
{
	bool forward = false;
	for (;;) {
		if (s->n > 0 && is_wsp(s->p[s->n - 1])) {
			s->n--;
		} else if (s->n >= 5 &&
			   str_equal_nocase(str_from_offset(*s, s->n - 5), STR("(fwd)"))) {
			s->n -= 5;
			forward = true;
		} else {
			return forward;
		}
	}
}

/* ---- (3), (4): what stands before ---- */

/* subj-blob = "[" *BLOBCHAR "]" *WSP */
static bool blob(struct str *s)
{
	if (s->n == 0 || s->p[0] != '[')
		return false;
	for (size_t i = 1; i < s->n && s->p[i] != '['; i++) {
		if (s->p[i] != ']')
			continue;
		*s = skip_wsp(str_from_offset(*s, i + 1));
		return true;
	}
	return false;
}

/* subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
static bool refwd(struct str *s)
{
	struct str at = *s;
	if (!str_starts_nocase(at, STR("re")) && !str_starts_nocase(at, STR("fw")))
		return false;
	bool fw = ascii_lower(at.p[0]) == 'f';
	at = str_from_offset(at, 2);
	if (fw && at.n > 0 && ascii_lower(at.p[0]) == 'd')
		at = str_from_offset(at, 1);
	at = skip_wsp(at);
	blob(&at);
	if (at.n == 0 || at.p[0] != ':')
		return false;
	*s = str_from_offset(at, 1);
	return true;
}

/* (3) to (5) in one pass. subj-leader = (*subj-blob subj-refwd) / WSP: blobs that no subj-refwd
 * follows go too, by (4), but for the last one when nothing would be left; no leader can follow
 * then.
 */
static bool cut_leaders(struct str *s)
{
	bool reply = false;
	for (;;) {
		struct str at = *s = skip_wsp(*s), last = *s;
		while (blob(&at) && at.n > 0)
			last = at;
		if (at.n > 0 && refwd(&at)) {
			*s = at;
			reply = true;
			continue;
		}
		*s = last;
		return reply;
	}
}

/* (6): "[fwd:" subject "]" */
static bool cut_forward(struct str *s)
{
	if (!str_starts_nocase(*s, STR("[fwd:")) || s->p[s->n - 1] != ']')
		return false;
	*s = str_sub(*s, 5, s->n - 6);
	return true;
}

bool mail_base_subject(struct str value, struct buf *out, bool *ret_reply)
{
	size_t from = out->n;
	bool fits = mail_encoded_decode(value, out);
	struct str s = squeeze_blanks(out, from);
	*ret_reply = false;
	do {
		*ret_reply |= cut_trailers(&s);
		*ret_reply |= cut_leaders(&s);
	} while (cut_forward(&s) && (*ret_reply = true));
	if (s.n > 0)
		memmove(out->p + from, s.p, s.n);
	buf_truncate(out, from + s.n);
	return fits;
}

/* ---- message ids ---- */

/* Behind a comment that begins here, or where it was when it does not end. RFC 5322 3.2.2 */
static size_t skip_comment(struct str s, size_t at)
{
	unsigned depth = 0;
	for (size_t i = at; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

/* Adds a quoted string's content; returns where it ends. RFC 5322 3.2.4 */
static size_t unquote(struct str s, size_t at, struct buf *out)
{
	for (at++; at < s.n && s.p[at] != '"'; at++) {
		if (s.p[at] == '\\' && at + 1 < s.n)
			at++;
		buf_addc(out, s.p[at]);
	}
	return at + 1;
}

static bool ends_run(char c)
{
	return c == '<' || c == '>' || c == '"' || c == '(' || is_wsp(c) || c == '\r' || c == '\n';
}

/* msg-id = "<" id-left "@" id-right ">", with what RFC 5322 4.5.4 lets be around and between.
 * *ret_end is where it ends, or, when it is none, from where on there may be another: so no byte is
 * looked at twice. */
static bool message_id(struct str s, struct buf *out, size_t *ret_end)
{
	size_t at = 1;
	bool left = false, whole = false;
	buf_clear(out);
	while (at < s.n && s.p[at] != '>' && s.p[at] != '<') {
		char c = s.p[at];
		if (c == '"') {
			at = unquote(s, at, out);
		} else if (c == '(') {
			at = skip_comment(s, at);
		} else if (is_wsp(c) || c == '\r' || c == '\n') {
			whole = left;
			at++;
		} else {
			size_t from = at;
			for (; at < s.n && !ends_run(s.p[at]); at++) {
				left = left || (s.p[at] == '@' && out->n + at > from);
				whole = left && s.p[at] != '@';
			}
			buf_add(out, s.p + from, at - from);
		}
	}
	bool closed = at < s.n && s.p[at] == '>';
	*ret_end = closed ? at + 1 : at;
	return closed && whole && !out->full;
}

bool mail_reference_next(struct str *value, struct buf *out)
{
	for (;;) {
		size_t at = str_find(*value, '<');
		if (at == value->n)
			return false;
		*value = str_from_offset(*value, at);
		bool is = message_id(*value, out, &at);
		*value = str_from_offset(*value, at);
		if (is)
			return true;
	}
}
