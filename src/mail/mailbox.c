// SPDX-License-Identifier: Apache-2.0
/*
 * One mailbox address: local part and domain of the SMTP grammar, and the normal form in which
 * addresses are compared. RFC 5321 4.1.2, 4.1.3; RFC 6531 3.3; RFC 1035 2.3.1; UTS 46
 */
#include "mail/address.h"

#include "base/abnf.h"
#include "base/icu.h"
#include "base/limits.h"
#include "base/scan.h"
#include "mail/charset.h"

#include <arpa/inet.h>
#include <unicode/uidna.h>

/* ---- domains ---- */

/* sub-domain = Let-dig [Ldh-str]               RFC 5321 4.1.2 */
static bool is_label(struct str label)
{
	if (label.n == 0 || label.n > LIMIT_LABEL_BYTES)
		return false;
	if (label.p[0] == '-' || label.p[label.n - 1] == '-')
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!abnf_is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	return true;
}

/* Domain = sub-domain *("." sub-domain)        RFC 5321 4.1.2 */
static bool is_ascii_domain(struct str domain)
{
	if (domain.n == 0 || domain.n > LIMIT_DOMAIN_BYTES || domain.p[domain.n - 1] == '.')
		return false;
	for (struct str rest = domain; rest.n > 0;)
		if (!is_label(str_split(&rest, '.')))
			return false;
	return true;
}

/* U-labels as A-labels (UTS 46, nontransitional, STD3 rules). Bytes, or 0 when IDNA refuses. */
static size_t to_a_labels(struct str domain, char to[LIMIT_DOMAIN_BYTES + 1])
{
	UErrorCode status = U_ZERO_ERROR;
	UIDNAInfo info = UIDNA_INFO_INITIALIZER;
	uint32_t options = UIDNA_USE_STD3_RULES | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ |
			   UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE;
	if (domain.n > 4 * LIMIT_DOMAIN_BYTES || !str_is_utf8(domain))
		return 0;
	UIDNA *idna = uidna_openUTS46(options, &status);
	if (!icu_good(status))
		return 0;
	int32_t n = uidna_nameToASCII_UTF8(
		idna, domain.p, (int32_t)domain.n, to, LIMIT_DOMAIN_BYTES + 1, &info, &status);
	uidna_close(idna);
	if (!icu_good(status) || info.errors != 0 || n <= 0 || n > LIMIT_DOMAIN_BYTES)
		return 0;
	return is_ascii_domain(str_make(to, (size_t)n)) ? (size_t)n : 0;
}

bool mail_domain_valid(struct str domain)
{
	char ascii[LIMIT_DOMAIN_BYTES + 1];
	if (str_is_ascii(domain))
		return is_ascii_domain(domain);
	return to_a_labels(domain, ascii) > 0;
}

static bool has_a_label(struct str domain)
{
	while (domain.n > 0)
		if (str_starts_nocase(str_split(&domain, '.'), STR("xn--")))
			return true;
	return false;
}

/* No host has a name like an address, "since at least the highest-level component label will be
 * alphabetic". RFC 1123 2.1 */
static bool ends_in_a_number(struct str domain)
{
	size_t at = str_find_last(domain, '.');
	struct scan last = scan_from(at < domain.n ? str_from_offset(domain, at + 1) : domain);
	return scan_while(&last, abnf_is_digit).n > 0 && scan_end(&last);
}

bool mail_domain_can_be_ours(struct str domain)
{
	char ascii[LIMIT_DOMAIN_BYTES + 1];
	size_t n = domain.n;
	if (ends_in_a_number(domain))
		return false;
	if (!str_is_ascii(domain) || has_a_label(domain)) {
		n = to_a_labels(domain, ascii);
		/* An A-label is the one that its U-label has. */
		if (n == 0 ||
			(str_is_ascii(domain) && !str_equal_nocase(domain, str_make(ascii, n))))
			return false;
	} else if (!is_ascii_domain(domain)) {
		return false;
	}
	return n <= LIMIT_OWN_DOMAIN_BYTES;
}

/* address-literal = "[" ( IPv4-address-literal / IPv6-address-literal ) "]"
 * RFC 5321 4.1.3; of General-address-literal no tag but IPv6 is registered. */
bool mail_address_literal_valid(struct str domain)
{
	char text[INET6_ADDRSTRLEN + 1] = { 0 };
	unsigned char address[16];
	if (domain.n < 3 || domain.p[0] != '[' || domain.p[domain.n - 1] != ']')
		return false;
	struct str inside = str_sub(domain, 1, domain.n - 2);
	bool v6 = str_starts_nocase(inside, STR("IPv6:"));
	if (v6)
		inside = str_from_offset(inside, 5);
	if (inside.n >= sizeof(text) || str_find(inside, '\0') < inside.n)
		return false;
	memcpy(text, inside.p, inside.n);
	return inet_pton(v6 ? AF_INET6 : AF_INET, text, address) == 1;
}

bool mail_domain_normalize(struct str domain, struct buf *out)
{
	char ascii[LIMIT_DOMAIN_BYTES + 1];
	if (!str_is_ascii(domain)) {
		domain = str_make(ascii, to_a_labels(domain, ascii));
		if (domain.n == 0)
			return false;
	} else if (!is_ascii_domain(domain) && !mail_address_literal_valid(domain)) {
		return false;
	}
	char *to = buf_reserve(out, domain.n);
	if (to == NULL)
		return false;
	for (size_t i = 0; i < domain.n; i++)
		to[i] = ascii_lower(domain.p[i]);
	buf_used(out, domain.n);
	return true;
}

/* ---- local parts ---- */

static bool is_atext_utf8(char c)
{
	return abnf_is_atext(c) || abnf_is_8bit(c);
}

/* Dot-string = Atom *("." Atom)                RFC 5321 4.1.2, RFC 6531 3.3 */
static bool is_dot_string(struct str s)
{
	if (s.n == 0 || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool is_dot = s.p[i] == '.';
		if (!is_dot && !is_atext_utf8(s.p[i]))
			return false;
		if (is_dot && (i == 0 || s.p[i - 1] == '.'))
			return false;
	}
	return true;
}

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE  RFC 5321 4.1.2; UTF-8: RFC 6531 3.3 */
static bool add_quoted(struct str s, struct buf *out)
{
	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return false;
	for (size_t i = 1; i < s.n - 1; i++) {
		if (s.p[i] == '"')
			return false;
		if (s.p[i] == '\\' && (++i == s.n - 1 || abnf_is_8bit(s.p[i])))
			return false;
		if (!buf_addc(out, s.p[i]))
			return false;
	}
	return true;
}

bool mail_local_part_decode(struct str local, struct buf *out)
{
	size_t before = out->n;
	if (local.n > LIMIT_LOCAL_PART_BYTES || mail_has_unsafe(local))
		return false;
	if (is_dot_string(local))
		return buf_adds(out, local);
	if (add_quoted(local, out))
		return true;
	buf_truncate(out, before);
	return false;
}

bool mail_local_part_encode(struct str bytes, struct buf *out)
{
	size_t before = out->n;
	if (is_dot_string(bytes))
		return buf_adds(out, bytes);
	bool fits = buf_addc(out, '"');
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '"' || bytes.p[i] == '\\')
			fits &= buf_addc(out, '\\');
		fits &= buf_addc(out, bytes.p[i]);
	}
	fits &= buf_addc(out, '"');
	if (!fits)
		buf_truncate(out, before);
	return fits;
}

/* ---- whole addresses ---- */

bool mail_address_split(struct str address, struct str *ret_local, struct str *ret_domain)
{
	size_t i = 0, found = address.n;
	for (bool quoted = false; i < address.n; i++) {
		if (quoted && address.p[i] == '\\')
			i++;
		else if (address.p[i] == '"')
			quoted = !quoted;
		else if (!quoted && address.p[i] == '@')
			found = i;
	}
	if (found == address.n)
		return false;
	*ret_local = str_make(address.p, found);
	*ret_domain = str_from_offset(address, found + 1);
	return true;
}

bool mail_address_normalize(struct str address, struct buf *out)
{
	struct str local, domain;
	struct buf bytes, nfc;
	size_t before = out->n, n = 0;
	if (!mail_address_split(address, &local, &domain))
		return false;
	buf_init(&bytes, LIMIT_LOCAL_PART_BYTES);
	buf_init(&nfc, LIMIT_LOCAL_PART_BYTES);
	bool ok = mail_local_part_decode(local, &bytes) && mail_to_nfc(buf_str(&bytes), &nfc) &&
		  mail_local_part_encode(buf_str(&nfc), out);
	/* NFC can be longer than what was given. */
	if (ok)
		n = out->n - before;
	ok = ok && n <= LIMIT_LOCAL_PART_BYTES && buf_addc(out, '@') &&
	     mail_domain_normalize(domain, out);
	if (!ok)
		buf_truncate(out, before);
	buf_done(&bytes);
	buf_done(&nfc);
	return ok;
}
