// SPDX-License-Identifier: Apache-2.0
/*
 * The productions of RFC 5321 4.1.2 and 4.1.3 with RFC 6531 3.3, and those of the extensions that
 * we announce.
 */
#include "smtp/grammar.h"

#include "base/limits.h"

#include <arpa/inet.h>

/* UTF8-non-ascii is checked once for the whole path (str_is_utf8). */
static bool is_atext(char c)
{
	return abnf_is_atext(c) || abnf_is_8bit(c);
}

static bool is_let_dig(char c)
{
	return abnf_is_alnum(c) || abnf_is_8bit(c);
}

/* Dot-string = Atom *("." Atom) */
static bool dot_string(struct scan *s)
{
	struct scan at = *s;
	do {
		if (scan_while(&at, is_atext).n == 0)
			return false;
	} while (scan_char(&at, '.'));
	*s = at;
	return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE
 * QcontentSMTP  = qtextSMTP / quoted-pairSMTP, where
 *   qtextSMTP = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii, quoted-pairSMTP = %d92 %d32-126
 * An empty one names nobody and is refused. */
static bool quoted_string(struct scan *s)
{
	struct scan at = *s;
	if (!scan_char(&at, '"') || scan_peek(&at) == '"')
		return false;
	while (!scan_char(&at, '"')) {
		if (scan_char(&at, '\\') && !scan_end(&at) && abnf_is_8bit(*at.p))
			return false;
		if (scan_end(&at) || abnf_is_ctl(*at.p))
			return false;
		at.p++;
	}
	*s = at;
	return true;
}

/* Local-part = Dot-string / Quoted-string          at most 64 bytes: RFC 5321 4.5.3.1.1 */
static bool local_part(struct scan *s, struct str *ret)
{
	struct scan at = *s;
	if (!dot_string(&at) && !quoted_string(&at))
		return false;
	struct str text = str_make(s->p, (size_t)(at.p - s->p));
	if (text.n > LIMIT_LOCAL_PART_BYTES)
		return false;
	*ret = text;
	*s = at;
	return true;
}

/* sub-domain = Let-dig [Ldh-str] / U-label */
static bool sub_domain(struct scan *s)
{
	struct scan at = *s;
	bool ascii = true;
	for (; at.p < at.end && (is_let_dig(*at.p) || *at.p == '-'); at.p++)
		ascii = ascii && !abnf_is_8bit(*at.p);
	size_t n = (size_t)(at.p - s->p);
	/* A U-label's bytes are not what the DNS counts; its A-label is checked with IDNA. */
	if (n == 0 || *s->p == '-' || at.p[-1] == '-' || (ascii && n > LIMIT_LABEL_BYTES))
		return false;
	*s = at;
	return true;
}

/* Domain = sub-domain *("." sub-domain)            at most 255 bytes: RFC 5321 4.5.3.1.2 */
static bool domain(struct scan *s, struct str *ret)
{
	struct scan at = *s;
	do {
		if (!sub_domain(&at))
			return false;
	} while (scan_char(&at, '.'));
	struct str text = str_make(s->p, (size_t)(at.p - s->p));
	if (text.n > LIMIT_DOMAIN_BYTES)
		return false;
	*ret = text;
	*s = at;
	return true;
}

struct address {
	int family;
	unsigned char bytes[16];
};

static bool read_address(int family, struct str text, struct address *ret)
{
	char zero_ended[INET6_ADDRSTRLEN];
	*ret = (struct address){ .family = family };
	if (text.n >= sizeof(zero_ended) || str_has_control(text))
		return false;
	memcpy(zero_ended, text.p, text.n);
	zero_ended[text.n] = '\0';
	return inet_pton(family, zero_ended, ret->bytes) == 1;
}

/* IPv4-address-literal / "IPv6:" IPv6-addr; there are no other tags.   RFC 5321 4.1.3 */
static bool is_address(struct str text, struct address *ret)
{
	struct scan s = scan_from(text);
	int family = scan_literal_nocase(&s, STR("IPv6:")) ? AF_INET6 : AF_INET;
	return read_address(family, scan_rest(&s), ret);
}

/* address-literal = "[" ( … ) "]" */
static bool address_literal(struct scan *s, struct address *ret)
{
	struct scan at = *s;
	struct str inside;
	if (!scan_char(&at, '[') || !scan_until(&at, ']', &inside) || !is_address(inside, ret))
		return false;
	at.p++;
	*s = at;
	return true;
}

bool smtp_literal_is(struct str domain, struct str address)
{
	struct scan s = scan_from(domain);
	struct address literal, ours;
	return address_literal(&s, &literal) && scan_end(&s) &&
	       read_address(literal.family, address, &ours) &&
	       memcmp(literal.bytes, ours.bytes, sizeof(ours.bytes)) == 0;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static bool mailbox(struct scan *s, struct smtp_path *ret)
{
	struct scan at = *s;
	struct smtp_path path = { 0 };
	struct address ignored;
	if (!local_part(&at, &path.local) || !scan_char(&at, '@'))
		return false;
	path.domain = scan_rest(&at);
	if (!domain(&at, &path.domain) && !address_literal(&at, &ignored))
		return false;
	path.domain.n = (size_t)(at.p - path.domain.p);
	path.mailbox = str_make(s->p, (size_t)(at.p - s->p));
	path.utf8 = !str_is_ascii(path.mailbox);
	if (path.utf8 && !str_is_utf8(path.mailbox))
		return false;
	*ret = path;
	*s = at;
	return true;
}

/* [ A-d-l ":" ] with A-d-l = "@" Domain *( "," "@" Domain ); taken and ignored */
static bool source_route(struct scan *s)
{
	struct scan at = *s;
	struct str ignored;
	if (scan_peek(&at) != '@')
		return true;
	do {
		if (!scan_char(&at, '@') || !domain(&at, &ignored))
			return false;
	} while (scan_char(&at, ','));
	if (!scan_char(&at, ':'))
		return false;
	*s = at;
	return true;
}

/* Path = "<" [ A-d-l ":" ] Mailbox ">"             at most 256 bytes: RFC 5321 4.5.3.1.3 */
static bool path(struct scan *s, struct smtp_path *ret)
{
	struct scan at = *s;
	struct smtp_path found;
	if (!scan_char(&at, '<') || !source_route(&at) || !mailbox(&at, &found) ||
		!scan_char(&at, '>') || (size_t)(at.p - s->p) > LIMIT_PATH_BYTES)
		return false;
	*ret = found;
	*s = at;
	return true;
}

bool smtp_reverse_path(struct scan *s, struct smtp_path *ret)
{
	if (scan_literal_nocase(s, STR("<>"))) {
		*ret = (struct smtp_path){ 0 };
		return true;
	}
	return path(s, ret);
}

bool smtp_forward_path(struct scan *s, struct smtp_path *ret)
{
	struct str written = str_sub(scan_rest(s), 1, 10);
	if (scan_literal_nocase(s, STR("<Postmaster>"))) {
		*ret = (struct smtp_path){ .mailbox = written, .local = written };
		return true;
	}
	return path(s, ret);
}

bool smtp_mailbox(struct str text, struct smtp_path *ret)
{
	struct scan s = scan_from(text);
	struct smtp_path found;
	if (!mailbox(&s, &found) || !scan_end(&s))
		return false;
	*ret = found;
	return true;
}

static bool is_keyword(char c)
{
	return abnf_is_alnum(c) || c == '-';
}

/* esmtp-value = 1*(%d33-60 / %d62-126) */
static bool is_value(char c)
{
	return abnf_is_vchar(c) && c != '=';
}

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool param(struct scan *s, struct smtp_param *ret)
{
	struct scan at = *s;
	struct smtp_param found = { 0 };
	found.keyword = scan_while(&at, is_keyword);
	if (found.keyword.n == 0 || found.keyword.p[0] == '-')
		return false;
	if (scan_char(&at, '=')) {
		found.value = scan_while(&at, is_value);
		if (found.value.n == 0)
			return false;
	}
	*ret = found;
	*s = at;
	return true;
}

int smtp_params(struct scan *s, struct smtp_param *ret, size_t max)
{
	struct scan at = *s;
	int n = 0;
	while (!scan_end(&at)) {
		if ((size_t)n == max || !scan_sp(&at) || !param(&at, &ret[n]))
			return -1;
		n++;
	}
	*s = at;
	return n;
}

bool smtp_size_value(struct str text, uint64_t *ret)
{
	struct scan s = scan_from(text);
	struct str digits = scan_while(&s, abnf_is_digit);
	if (digits.n == 0 || digits.n > 20 || !scan_end(&s))
		return false;
	s = scan_from(text);
	if (!scan_number(&s, UINT64_MAX, ret))
		*ret = UINT64_MAX;
	return true;
}

/* hexchar = ASCII "+" immediately followed by two upper case hexadecimal digits */
static int hexchar(struct scan *s)
{
	struct str pair;
	if (!scan_char(s, '+') || !scan_bytes(s, 2, &pair))
		return -1;
	for (size_t i = 0; i < 2; i++)
		if (abnf_hex_value(pair.p[i]) < 0 || (pair.p[i] >= 'a' && pair.p[i] <= 'f'))
			return -1;
	return abnf_hex_value(pair.p[0]) << 4 | abnf_hex_value(pair.p[1]);
}

bool smtp_xtext(struct str text, struct buf *ret)
{
	struct scan s = scan_from(text);
	size_t before = ret->n;
	while (!scan_end(&s)) {
		int c = scan_peek(&s);
		if (c == '+')
			c = hexchar(&s);
		else if (c == '=' || !abnf_is_vchar(*s.p))
			c = -1;
		else
			s.p++;
		if (c < 0 || abnf_is_ctl((char)c) || !buf_addc(ret, (char)c)) {
			buf_truncate(ret, before);
			return false;
		}
	}
	return true;
}

bool smtp_chunk_args(struct str args, uint64_t *ret_size, bool *ret_last)
{
	struct scan s = scan_from(args);
	uint64_t size;
	bool zero = scan_peek(&s) == '0';
	if (!scan_number(&s, INT64_MAX, &size) || (zero && s.p - args.p > 1))
		return false;
	bool last = !scan_end(&s);
	if (last && !(scan_sp(&s) && scan_literal_nocase(&s, STR("LAST")) && scan_end(&s)))
		return false;
	*ret_size = size;
	*ret_last = last;
	return true;
}

static bool is_host_char(char c)
{
	return abnf_is_alnum(c) || c == '-' || c == '_';
}

bool smtp_hello_name(struct str name)
{
	struct scan s = scan_from(name);
	struct address ignored;
	if (name.n > LIMIT_DOMAIN_BYTES)
		return false;
	if (address_literal(&s, &ignored))
		return scan_end(&s);
	do {
		struct str label = scan_while(&s, is_host_char);
		if (label.n == 0 || label.n > LIMIT_LABEL_BYTES)
			return false;
	} while (scan_char(&s, '.'));
	return scan_end(&s);
}

void smtp_verb(struct str line, struct str *ret_verb, struct str *ret_args)
{
	while (line.n > 0 && line.p[line.n - 1] == ' ')
		line.n--;
	*ret_args = line;
	*ret_verb = str_split(ret_args, ' ');
}

bool smtp_path_keyword(struct scan *s, struct str keyword)
{
	if (!scan_literal_nocase(s, keyword))
		return false;
	scan_sp(s);
	return true;
}
