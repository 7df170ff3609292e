// SPDX-License-Identifier: Apache-2.0
/* The one spelling of mailbox names and addresses. */
#include "store/names.h"

#include "base/buf.h"
#include "base/icu.h"
#include "mail/address.h"

#include <unicode/unorm2.h>
#include <unicode/ustring.h>

/* NFC of valid UTF-8 into room; returns the bytes, or -1 when it does not fit. */
static int32_t nfc(struct str s, char *room, size_t size)
{
	UChar wide[LIMIT_MAILBOX_NAME_BYTES + 1], normal[LIMIT_MAILBOX_NAME_BYTES + 1];
	UErrorCode code = U_ZERO_ERROR;
	int32_t n, bytes = 0;
	if (s.n > LIMIT_MAILBOX_NAME_BYTES)
		return -1;
	const UNormalizer2 *normalizer = unorm2_getNFCInstance(&code);
	u_strFromUTF8(wide, (int32_t)ARRAY_LEN(wide), &n, s.p, (int32_t)s.n, &code);
	n = unorm2_normalize(normalizer, wide, n, normal, (int32_t)ARRAY_LEN(normal), &code);
	u_strToUTF8(room, (int32_t)size, &bytes, normal, n, &code);
	return !icu_good(code) ? -1 : bytes;
}

/* Copies s in NFC with a NUL into room of size bytes. */
static int normalize(struct str s, char *room, size_t size, size_t *ret_n, struct err *err)
{
	if (!str_is_utf8(s) || str_has_control(s))
		return fail(err, ERR_SYNTAX, "the name has characters that names can't have");
	if (s.n >= size)
		return fail(err, ERR_LIMIT, "the name is too long");
	int32_t n = (int32_t)s.n;
	if (str_is_ascii(s))
		memcpy(room, s.n ? s.p : "", s.n);
	else
		n = nfc(s, room, size - 1);
	if (n < 0)
		return fail(err, ERR_LIMIT, "the name is too long");
	room[n] = 0;
	*ret_n = (size_t)n;
	return 0;
}

bool mailbox_name_fits(struct str name)
{
	size_t levels = 1;
	for (size_t i = 0; i < name.n; i++)
		levels += name.p[i] == '/';
	return name.n <= LIMIT_MAILBOX_NAME_BYTES && levels <= LIMIT_MAILBOX_LEVELS;
}

static bool has_empty_level(struct str name)
{
	return name.n == 0 || name.p[0] == '/' || name.p[name.n - 1] == '/' ||
	       str_search(name, STR("//")) < name.n;
}

int mailbox_name_canonical(struct str given, struct mailbox_name *ret, struct err *err)
{
	struct mailbox_name name;
	if (normalize(given, name.text, sizeof(name.text), &name.n, err) < 0)
		return -1;
	struct str s = mailbox_name_str(&name);
	if (has_empty_level(s))
		return fail(err, ERR_SYNTAX, "the name has an empty level");
	if (!mailbox_name_fits(s))
		return fail(
			err, ERR_LIMIT, "the name has more than %d levels", LIMIT_MAILBOX_LEVELS);
	/* INBOX in any case is INBOX: RFC 9051 5.1 */
	if (str_equal_nocase(str_sub(s, 0, str_find(s, '/')), STR("INBOX")))
		memcpy(name.text, "INBOX", 5);
	*ret = name;
	return 0;
}

static void lower(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = ascii_lower(p[i]);
}

/* A domain of U-labels may be longer than its A-labels. */
struct lowered {
	char text[LIMIT_LOCAL_PART_BYTES + 1 + 4 * LIMIT_DOMAIN_BYTES];
};

/* Before NFC, since "T" and a diaeresis stay two characters and "t" and it become one; and once
 * more behind it, since NFC makes an ASCII "K" of the Kelvin sign. What is beyond every limit is
 * left as it is. */
static struct str lower_first(struct str given, struct lowered *room)
{
	if (given.n == 0 || given.n > sizeof(room->text))
		return given;
	memcpy(room->text, given.p, given.n);
	lower(room->text, given.n);
	return str_make(room->text, given.n);
}

/* What no standard knows: as it is, but for case and NFC. */
static int domain_as_it_is(struct str given, char ret[LIMIT_DOMAIN_BYTES + 1], struct err *err)
{
	char room[LIMIT_DOMAIN_BYTES + 1];
	size_t n;
	if (given.n == 0 || str_find(given, '@') < given.n || str_find(given, ' ') < given.n)
		return fail(err, ERR_SYNTAX, "not a domain");
	if (normalize(given, room, sizeof(room), &n, err) < 0)
		return -1;
	lower(room, n);
	memcpy(ret, room, n + 1);
	return 0;
}

int domain_canonical(struct str given, char ret[LIMIT_DOMAIN_BYTES + 1], struct err *err)
{
	AUTO(buf_done)
	struct buf normal;
	struct lowered room;
	given = lower_first(given, &room);
	buf_init(&normal, LIMIT_DOMAIN_BYTES);
	if (!mail_domain_normalize(given, &normal))
		return domain_as_it_is(given, ret, err);
	memcpy(ret, normal.p, normal.n);
	ret[normal.n] = 0;
	return 0;
}

int domain_check(struct str canonical, struct err *err)
{
	struct str label = { NULL, 0 }, rest = canonical;
	if (mail_domain_can_be_ours(canonical))
		return 0;
	while (rest.n > 0 && label.n <= LIMIT_LABEL_BYTES)
		label = str_split(&rest, '.');
	if (canonical.n > LIMIT_OWN_DOMAIN_BYTES || label.n > LIMIT_LABEL_BYTES)
		return fail(err, ERR_SYNTAX,
			"a domain has at most %d bytes, and each label of it at most %d",
			LIMIT_OWN_DOMAIN_BYTES, LIMIT_LABEL_BYTES);
	return fail(err, ERR_SYNTAX,
		"not a domain name (an IP address is none): labels of letters, digits and hyphens "
		"(none first or last) with dots between them, the last not of digits alone, or an "
		"internationalized name");
}

static int address_as_it_is(struct str given, struct address_name *ret, struct err *err)
{
	struct address_name a;
	if (normalize(given, a.text, sizeof(a.text), &a.n, err) < 0)
		return fail(err, ERR_SYNTAX, "not an address");
	a.at = str_find_last(address_str(&a), '@');
	if (a.at == 0 || a.at >= a.n || a.at > LIMIT_LOCAL_PART_BYTES)
		return fail(err, ERR_SYNTAX, "not an address");
	struct str domain = address_domain(&a);
	if (domain.n == 0 || domain.n > LIMIT_DOMAIN_BYTES || str_find(domain, ' ') < domain.n)
		return fail(err, ERR_SYNTAX, "not an address");
	lower(a.text, a.n);
	*ret = a;
	return 0;
}

/* text@domain is the normal form already, but for case. */
static void take_normal(struct address_name *a, struct str text)
{
	memcpy(a->text, text.p, text.n);
	a->text[text.n] = 0;
	a->n = text.n;
	a->at = str_find_last(text, '@');
	lower(a->text, a->n);
}

int address_canonical(struct str given, struct address_name *ret, struct err *err)
{
	AUTO(buf_done)
	struct buf normal;
	struct lowered room;
	given = lower_first(given, &room);
	buf_init(&normal, LIMIT_ADDRESS_BYTES);
	/* NFC makes some of what is too long short enough. */
	if (!mail_address_normalize(given, &normal)) {
		if (address_as_it_is(given, ret, err) < 0)
			return -1;
		if (!mail_address_normalize(address_str(ret), &normal))
			return 0;
	}
	take_normal(ret, buf_str(&normal));
	return 0;
}

int address_check(struct str canonical, struct err *err)
{
	AUTO(buf_done)
	struct buf content;
	struct str local, domain;
	buf_init(&content, LIMIT_LOCAL_PART_BYTES);
	if (!mail_address_split(canonical, &local, &domain) ||
		!mail_local_part_decode(local, &content) || content.n == 0)
		return fail(err, ERR_SYNTAX,
			"not an address: blanks, and what else is special before the @, need "
			"quotes there, as in \"a b\"@example.org");
	return domain_check(domain, err);
}

/* The content of a local part up to its "+". */
static bool cut_detail(struct str local, struct buf *out)
{
	AUTO(buf_done)
	struct buf content;
	buf_init(&content, LIMIT_LOCAL_PART_BYTES);
	bool decoded = mail_local_part_decode(local, &content);
	if (!decoded)
		buf_adds(&content, local);
	size_t plus = str_find(buf_str(&content), '+');
	if (plus == 0 || plus == content.n)
		return false;
	struct str kept = str_sub(buf_str(&content), 0, plus);
	/* What is left of a dot-string may need quotes: "dot.+x" was none. */
	return (decoded ? mail_local_part_encode(kept, out) : buf_adds(out, kept)) &&
	       out->n <= LIMIT_LOCAL_PART_BYTES;
}

bool address_without_detail(const struct address_name *a, struct address_name *ret)
{
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, LIMIT_ADDRESS_BYTES);
	if (!cut_detail(address_local(a), &text) || !buf_addc(&text, '@') ||
		!buf_adds(&text, address_domain(a)))
		return false;
	take_normal(ret, buf_str(&text));
	return true;
}
