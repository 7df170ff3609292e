// SPDX-License-Identifier: Apache-2.0
/* URLs of messages; see url.h. RFC 5092 11: words are not case sensitive, "%" and two digits are
 * any byte but NUL. */
#include "imap/url.h"

#include "imap/token.h"

/* bchar = achar / ":" / "@" / "/", without its pct-encoded     RFC 5092 11 */
static bool is_bchar(char c)
{
	return abnf_is_alpha(c) || abnf_is_digit(c) ||
	       (c != '\0' && strchr("-._~!$'()*+,&=:@/", c) != NULL);
}

static int hex_digit(char c)
{
	if (abnf_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* pct-encoded = "%" HEXDIG HEXDIG                              RFC 3986 2.1 */
static bool pct_encoded(struct scan *s, char *ret)
{
	int high, low;

	if (scan_left(s) < 3 || s->p[0] != '%')
		return false;
	high = hex_digit(s->p[1]);
	low = hex_digit(s->p[2]);
	if (high < 0 || low < 0 || (high == 0 && low == 0))
		return false;
	*ret = (char)(high << 4 | low);
	s->p += 3;
	return true;
}

/* 1*bchar, decoded, up to what is none: a ";" or the end. */
static bool encoded(struct scan *s, struct arena *a, struct str *ret)
{
	char *to = arena_alloc(a, scan_left(s) + 1);
	size_t n = 0;

	while (to != NULL && !scan_end(s) && *s->p != ';') {
		if (is_bchar(*s->p))
			to[n++] = *s->p++;
		else if (pct_encoded(s, &to[n]))
			n++;
		else
			return false;
	}
	*ret = str_make(to, n);
	return n > 0; /* an arena that is full has room for nothing */
}

/* The "/" that comes before the next parameter was taken with what stands before it. */
static bool take_slash(const struct scan *s, struct str *text)
{
	if (s->p[-1] != '/' || text->n < 2)
		return false;
	text->n--;
	return true;
}

/* imailbox-ref "/" = enc-mailbox [";UIDVALIDITY=" nz-number] "/"       RFC 5092 11 */
static bool mailbox_ref(struct scan *s, struct arena *a, struct imap_url *u)
{
	if (scan_peek(s) == '/' || !encoded(s, a, &u->mailbox)) /* "//": inetwork-path */
		return false;
	if (scan_literal_nocase(s, STR(";UIDVALIDITY=")))
		return token_nz_number(s, &u->uidvalidity) && scan_char(s, '/');
	return take_slash(s, &u->mailbox);
}

/* partial-range = number ["." nz-number]                               RFC 5092 11 */
static bool partial_range(struct scan *s, struct imap_url *u)
{
	u->partial = true;
	if (!token_number64(s, &u->offset))
		return false;
	return !scan_char(s, '.') || (token_number64(s, &u->length) && u->length > 0);
}

/* ["/" isection-only] ["/" ipartial-only]                              RFC 5092 11 */
static bool section_and_partial(struct scan *s, struct arena *a, struct imap_url *u)
{
	if (scan_literal_nocase(s, STR("/;SECTION="))) {
		if (!encoded(s, a, &u->section))
			return false;
		if (scan_end(s))
			return true;
		return take_slash(s, &u->section) && scan_literal_nocase(s, STR(";PARTIAL=")) &&
		       partial_range(s, u);
	}
	return !scan_literal_nocase(s, STR("/;PARTIAL=")) || partial_range(s, u);
}

/* iabsolute-path, or irelative-path from its iuid-only on              RFC 5092 11 */
bool imap_url_parse(struct str text, struct arena *a, struct imap_url *ret)
{
	struct scan s = scan_from(text);
	struct imap_url u = { .uid = 0 };

	if (scan_char(&s, '/') && !mailbox_ref(&s, a, &u))
		return false;
	if (!scan_literal_nocase(&s, STR(";UID=")) || !token_nz_number(&s, &u.uid) ||
		!section_and_partial(&s, a, &u) || !scan_end(&s))
		return false;
	*ret = u;
	return true;
}
