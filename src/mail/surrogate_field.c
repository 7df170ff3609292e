// SPDX-License-Identifier: Apache-2.0
/*
 * One header field in ASCII, by the table of RFC 6857 3.2. Where that keeps comments or wants an
 * empty group in From, RFC 6858 is followed, which is less, and which more clients can read.
 */
#include "mail/surrogate.h"

#include "base/abnf.h"
#include "mail/address.h"
#include "mail/build.h"
#include "mail/encoded.h"
#include "mail/header.h"
#include "mail/param.h"

enum { ARENA_BYTES = 256 * 1024, ROOM_BYTES = 4 * LIMIT_SURROGATE_FIELD_BYTES };

/* ---- texts ---- */

/* Encoded words that stand in it are read first, so that all of it is one text. */
static bool write_text(struct str name, struct str value, struct buf *out)
{
	AUTO(buf_done)
	struct buf line, text;
	buf_init(&line, ROOM_BYTES);
	buf_init(&text, ROOM_BYTES);
	bool good = mail_unfold(value, &line) && mail_encoded_decode(buf_str(&line), &text) &&
		    mail_build_text(out, name, buf_str(&text));
	buf_done(&line);
	return good;
}

/* RFC 6857 3.1.10 */
static bool write_encapsulated(struct str name, struct str value, struct buf *out)
{
	AUTO(buf_done)
	struct buf longer;
	buf_init(&longer, 200);
	return buf_addz(&longer, "Downgraded-") && buf_adds(&longer, name) &&
	       write_text(buf_str(&longer), value, out);
}

/* What is beyond ASCII in it can only be in comments, which nobody reads. */
static bool write_without_comments(struct str name, struct str value, struct buf *out)
{
	AUTO(buf_done)
	struct buf plain;
	buf_init(&plain, ROOM_BYTES);
	return mail_strip_comments(value, &plain) && str_is_ascii(buf_str(&plain)) &&
	       mail_build_field(out, name, str_trim(buf_str(&plain)));
}

static bool write_nothing(struct str name, struct str value, struct buf *out)
{
	(void)name;
	(void)value;
	(void)out;
	return false;
}

/* ---- addresses ---- */

/* local@domain as it is; *ret_sayable: it is an address in ASCII, with A-labels. */
static bool address_text(const struct mail_address *a, struct buf *out, bool *ret_sayable)
{
	size_t before = out->n;
	bool ascii = a->local.n > 0 && str_is_ascii(a->local);
	*ret_sayable = ascii && mail_local_part_encode(a->local, out) && buf_addc(out, '@') &&
		       mail_domain_normalize(a->domain, out);
	if (*ret_sayable)
		return true;
	buf_truncate(out, before);
	return buf_adds(out, a->local) &&
	       (a->domain.n == 0 || (buf_addc(out, '@') && buf_adds(out, a->domain)));
}

static bool write_mailbox(const struct mail_address *a, struct buf *out)
{
	AUTO(buf_done)
	struct buf name, address;
	bool sayable, good;
	buf_init(&name, ROOM_BYTES);
	buf_init(&address, ROOM_BYTES);
	good = mail_encoded_decode(a->name, &name) && address_text(a, &address, &sayable);
	if (good && (!sayable || !mail_build_mailbox(out, buf_str(&name), buf_str(&address))))
		good = (name.n == 0 || buf_addc(&name, ' ')) &&
		       buf_adds(&name, buf_str(&address)) &&
		       mail_build_mailbox(out, buf_str(&name),
			       STR("invalid@internationalized-address.invalid"));
	buf_done(&address);
	return good;
}

static bool write_quoted(struct str value, struct buf *out);

static bool write_group(const struct mail_address *a, struct buf *out)
{
	AUTO(buf_done)
	struct buf name;
	buf_init(&name, ROOM_BYTES);
	return mail_encoded_decode(a->name, &name) &&
	       (str_is_ascii(buf_str(&name)) ? write_quoted(buf_str(&name), out)
					     : mail_encoded_encode(buf_str(&name), out)) &&
	       buf_addc(out, ':');
}

static bool write_list(struct str name, const struct mail_addresses *list, struct buf *out)
{
	bool first = true, good = buf_adds(out, name) && buf_addz(out, ": ");
	for (size_t i = 0; i < list->n && good; i++) {
		const struct mail_address *a = &list->v[i];
		bool ends = a->kind == MAIL_ADDRESS_GROUP_END;
		if (!first && !ends)
			good = buf_addz(
				out, i > 0 && list->v[i - 1].kind == MAIL_ADDRESS_GROUP_START
					     ? "\r\n "
					     : ",\r\n ");
		good = good &&
		       (ends                                         ? buf_addc(out, ';')
			       : a->kind == MAIL_ADDRESS_GROUP_START ? write_group(a, out)
								     : write_mailbox(a, out));
		first = false;
	}
	return good && buf_addz(out, "\r\n");
}

static bool write_addresses(struct str name, struct str value, struct buf *out)
{
	struct mail_addresses list;
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	mail_addresses_parse(&arena, value, &list);
	bool good = !list.truncated &&
		    (list.n > 0 ? write_list(name, &list, out) : write_text(name, value, out));
	arena_done(&arena);
	return good;
}

/* ---- MIME values ---- */

static bool write_quoted(struct str value, struct buf *out)
{
	bool token = value.n > 0, good = true;
	for (size_t i = 0; i < value.n; i++)
		token &= abnf_is_mime_token(value.p[i]);
	if (token)
		return buf_adds(out, value);
	good = buf_addc(out, '"');
	for (size_t i = 0; i < value.n && good; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			good = buf_addc(out, '\\');
		good = good && buf_addc(out, abnf_is_ctl(value.p[i]) ? ' ' : value.p[i]);
	}
	return good && buf_addc(out, '"');
}

/* ext-octet, where it is no attribute-char.   RFC 2231 7 */
static bool write_percent(struct str value, struct buf *out)
{
	bool good = true;
	for (size_t i = 0; i < value.n && good; i++) {
		unsigned char c = (unsigned char)value.p[i];
		good = abnf_is_alnum(value.p[i]) || c == '.' || c == '-' || c == '_'
			       ? buf_addc(out, value.p[i])
			       : buf_addf(out, "%%%02X", c);
	}
	return good;
}

static bool write_param(const struct mail_param *p, struct buf *out)
{
	if (p->name.n == 0 || !str_is_ascii(p->name) || str_has_control(p->name))
		return true; /* "silently excised"   RFC 6858 2.2 */
	bool good = buf_addz(out, ";\r\n ") && buf_adds(out, p->name);
	if (str_is_ascii(p->value))
		return good && buf_addc(out, '=') && write_quoted(p->value, out);
	return good && buf_addz(out, "*=utf-8''") && write_percent(p->value, out);
}

static bool write_value(struct str name, struct str value, struct buf *out)
{
	struct mail_param params[LIMIT_MIME_PARAMS];
	struct mail_value v;
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	mail_value_parse(&arena, value, &v);
	size_t n = mail_params_join(&arena, v.params, v.n, false, params);
	bool good = str_is_ascii(v.type) && str_is_ascii(v.subtype) && buf_adds(out, name) &&
		    buf_addz(out, ": ") && buf_adds(out, v.type) &&
		    (v.subtype.n == 0 || (buf_addc(out, '/') && buf_adds(out, v.subtype)));
	for (size_t i = 0; i < n && good; i++)
		good = write_param(&params[i], out);
	arena_done(&arena);
	return good && buf_addz(out, "\r\n");
}

/* ---- the table ---- */

static const struct {
	struct str name;
	bool (*write)(struct str name, struct str value, struct buf *out);
} table[] = {
	{ STR_INIT("From"), write_addresses },
	{ STR_INIT("Sender"), write_addresses },
	{ STR_INIT("To"), write_addresses },
	{ STR_INIT("Cc"), write_addresses },
	{ STR_INIT("Bcc"), write_addresses },
	{ STR_INIT("Reply-To"), write_addresses },
	{ STR_INIT("Resent-From"), write_addresses },
	{ STR_INIT("Resent-Sender"), write_addresses },
	{ STR_INIT("Resent-To"), write_addresses },
	{ STR_INIT("Resent-Cc"), write_addresses },
	{ STR_INIT("Resent-Bcc"), write_addresses },
	{ STR_INIT("Resent-Reply-To"), write_addresses },
	{ STR_INIT("Return-Path"), write_addresses },
	{ STR_INIT("Delivered-To"), write_addresses },
	{ STR_INIT("Disposition-Notification-To"), write_addresses },
	{ STR_INIT("Date"), write_without_comments },
	{ STR_INIT("Resent-Date"), write_without_comments },
	{ STR_INIT("MIME-Version"), write_without_comments },
	{ STR_INIT("Content-ID"), write_without_comments },
	{ STR_INIT("Content-Transfer-Encoding"), write_without_comments },
	{ STR_INIT("Content-Language"), write_without_comments },
	{ STR_INIT("Accept-Language"), write_without_comments },
	{ STR_INIT("Auto-Submitted"), write_without_comments },
	{ STR_INIT("Message-ID"), write_encapsulated },
	{ STR_INIT("Resent-Message-ID"), write_encapsulated },
	{ STR_INIT("In-Reply-To"), write_encapsulated },
	{ STR_INIT("References"), write_encapsulated },
	{ STR_INIT("Received"), write_nothing },
	{ STR_INIT("Content-Type"), write_value },
	{ STR_INIT("Content-Disposition"), write_value },
};

bool mail_surrogate_field(struct str field, struct buf *out)
{
	size_t before = out->n;
	struct mail_field f;
	bool (*write)(struct str, struct str, struct buf *) = write_text;
	if (!mail_field_next(&field, &f) || f.name.n == 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_equal_nocase(table[i].name, f.name))
			write = table[i].write;
	if (write(f.name, f.value, out))
		return true;
	buf_truncate(out, before);
	return false;
}
