// SPDX-License-Identifier: Apache-2.0
/* Comments, folding white space, quoted strings. RFC 5322 3.2, 4.1, 4.2 */
#include "mail/cfws.h"

#include "base/limits.h"
#include "mail/address.h"

static bool is_fws(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* comment = "(" *([FWS] ccontent) [FWS] ")"    RFC 5322 3.2.2
 * The depth is a number, not a stack; what is too deep is still read, and reported. M10 */
static void comment_skip(struct scan *s, struct cfws *c)
{
	const char *from = ++s->p;
	unsigned depth = 1;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->end - s->p > 1)
			s->p++;
		else if (*s->p == '(' && ++depth > LIMIT_COMMENT_DEPTH)
			c->malformed = true;
		else if (*s->p == ')' && --depth == 0)
			break;
	}
	c->comment = str_make(from, (size_t)(s->p - from));
	if (!scan_char(s, ')'))
		c->malformed = true;
}

struct cfws cfws_skip(struct scan *s)
{
	struct cfws c = { .any = false };
	while (s->p < s->end && (is_fws(*s->p) || *s->p == '(')) {
		c.any = true;
		if (*s->p == '(')
			comment_skip(s, &c);
		else
			s->p++;
	}
	return c;
}

/* quoted-string = DQUOTE *([FWS] qcontent) [FWS] DQUOTE      RFC 5322 3.2.4 */
bool quoted_scan(struct scan *s, struct str *ret_inside)
{
	const char *from = ++s->p;
	while (s->p < s->end && *s->p != '"')
		s->p += *s->p == '\\' && s->end - s->p > 1 ? 2 : 1;
	*ret_inside = str_make(from, (size_t)(s->p - from));
	return scan_char(s, '"');
}

bool quoted_add(struct buf *out, struct str inside)
{
	size_t before = out->n;
	for (size_t i = 0; i < inside.n; i++) {
		char c = inside.p[i];
		bool is_line_end = c == '\n' ||
				   (c == '\r' && i + 1 < inside.n && inside.p[i + 1] == '\n');
		if (is_line_end)
			continue;
		if (c == '\\' && i + 1 < inside.n)
			c = inside.p[++i];
		if (!buf_addc(out, c)) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}

bool mail_strip_comments(struct str value, struct buf *out)
{
	size_t before = out->n;
	for (struct scan s = scan_from(value); !scan_end(&s);) {
		struct str run = scan_rest(&s);
		bool gap = cfws_skip(&s).any;
		if (gap) {
			run = out->n > before && !scan_end(&s) ? STR(" ") : STR("");
		} else if (scan_peek(&s) == '"') {
			quoted_scan(&s, &(struct str){ 0 });
			run.n = (size_t)(s.p - run.p);
		} else {
			run.n = 1;
			s.p++;
		}
		if (!buf_adds(out, run)) {
			buf_truncate(out, before);
			return false;
		}
	}
	return true;
}

bool mail_message_id_next(struct str *rest, struct str *ret)
{
	size_t open = str_find(*rest, '<');
	struct str id = str_from_offset(*rest, open);
	size_t close = str_find(id, '>');
	if (close == id.n)
		return false;
	*rest = str_from_offset(id, close + 1);
	*ret = str_make(id.p, close + 1);
	return true;
}
