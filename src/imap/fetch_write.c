// SPDX-License-Identifier: Apache-2.0
/* ENVELOPE and BODYSTRUCTURE from a digest. RFC 9051 7.5.2, 9: envelope, body.
 *
 * The structure is walked by recursion, whose depth digest_open has bounded (LIMIT_MIME_DEPTH). */
#include "imap/fetch_write.h"

#include "base/limits.h"
#include "imap/token.h"
#include "mail/address.h"
#include "mail/param.h"

/* The addresses of one field: at most LIMIT_ADDRESSES entries and the bytes of the value. */
#define ADDRESS_ARENA_BYTES (1024 * 1024)
/* The parameters of one field, put together. */
#define PARAM_ARENA_BYTES (1024 * 1024)

struct writer {
	struct buf *out;
	bool utf8;
	bool extended;
	bool ok;
};

static inline void put(struct writer *w, const char *text)
{
	w->ok = buf_add(w->out, text, strlen(text)) && w->ok;
}

static void put_number(struct writer *w, uint64_t n)
{
	w->ok = buf_add_number(w->out, n) && w->ok;
}

static void put_nstring(struct writer *w, struct str s)
{
	w->ok = token_add_nstring(w->out, s, w->utf8) && w->ok;
}

/* A string where NIL would mean something else. */
static void put_string(struct writer *w, struct str s)
{
	put_nstring(w, s.p == NULL ? STR("") : s);
}

/* ---- envelope ---- */

/* address = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
 * The start of a group has a mailbox and no host, its end has neither. */
static void put_address(struct writer *w, const struct mail_address *a)
{
	put(w, "(");
	put_nstring(w, a->kind == MAIL_ADDRESS_MAILBOX ? a->name : STR_NONE);
	put(w, " ");
	put_nstring(w, a->kind == MAIL_ADDRESS_MAILBOX ? a->route : STR_NONE);
	put(w, " ");
	if (a->kind == MAIL_ADDRESS_MAILBOX)
		put_string(w, a->local);
	else if (a->kind == MAIL_ADDRESS_GROUP_START)
		put_string(w, a->name);
	else
		put(w, "NIL");
	put(w, " ");
	if (a->kind == MAIL_ADDRESS_MAILBOX)
		put_string(w, a->domain);
	else
		put(w, "NIL");
	put(w, ")");
}

/* env-from = "(" 1*address ")" / nil */
static void put_addresses(struct writer *w, struct str value)
{
	struct mail_address simple;
	struct arena arena;
	if (value.n == 0) {
		put(w, "NIL");
		return;
	}
	if (mail_address_simple(value, &simple)) {
		put(w, "(");
		put_address(w, &simple);
		put(w, ")");
		return;
	}
	arena_init(&arena, ADDRESS_ARENA_BYTES);
	struct mail_addresses list = { 0 };
	mail_addresses_parse(&arena, value, &list);
	if (list.n == 0)
		put(w, "NIL");
	for (size_t i = 0; i < list.n; i++) {
		if (i == 0)
			put(w, "(");
		put_address(w, &list.v[i]);
	}
	if (list.n > 0)
		put(w, ")");
	arena_done(&arena);
}

/* What was written from `at` on to the present end, once more. */
static void put_again(struct writer *w, size_t at, size_t n)
{
	char *to = buf_reserve(w->out, n);
	w->ok = to != NULL && w->ok;
	if (to == NULL)
		return;
	memcpy(to, w->out->p + at, n);
	buf_used(w->out, n);
}

/* envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP
 *            env-cc SP env-bcc SP env-in-reply-to SP env-message-id ")"
 * Sender and Reply-To that are absent or empty are From (RFC 9051 7.5.2). */
static void put_envelope(struct writer *w, const struct digest_envelope *e)
{
	size_t from = 0, from_n = 0;
	put(w, "(");
	put_nstring(w, e->value[DIGEST_DATE]);
	put(w, " ");
	put_nstring(w, e->value[DIGEST_SUBJECT]);
	for (enum digest_field f = DIGEST_FROM; f <= DIGEST_BCC; f++) {
		bool other = f == DIGEST_SENDER || f == DIGEST_REPLY_TO;
		put(w, " ");
		size_t at = w->out->n;
		if (other && e->value[f].n == 0)
			put_again(w, from, from_n);
		else
			put_addresses(w, e->value[f]);
		if (f == DIGEST_FROM) {
			from = at;
			from_n = w->out->n - at;
		}
	}
	put(w, " ");
	put_nstring(w, e->value[DIGEST_IN_REPLY_TO]);
	put(w, " ");
	put_nstring(w, e->value[DIGEST_MESSAGE_ID]);
	put(w, ")");
}

/* ---- structure ---- */

static void put_param(struct writer *w, bool first, struct str name, struct str value)
{
	put(w, first ? "(" : " ");
	put_string(w, name);
	put(w, " ");
	put_string(w, value);
}

/* Continued ones are put together (RFC 2231 6). A charset is decoded for who knows rev2, which asks
 * for it (RFC 9051 7.5.2); who does not reads "charset'language'value" himself. */
static size_t put_joined(struct writer *w, struct str params)
{
	struct mail_param given[LIMIT_MIME_PARAMS], joined[LIMIT_MIME_PARAMS];
	struct arena arena;
	size_t n = 0;
	arena_init(&arena, PARAM_ARENA_BYTES);
	while (n < LIMIT_MIME_PARAMS && digest_param_next(&params, &given[n].name, &given[n].value))
		n++;
	n = mail_params_join(&arena, given, n, w->utf8, joined);
	for (size_t i = 0; i < n; i++)
		put_param(w, i == 0, joined[i].name, joined[i].value);
	arena_done(&arena);
	return n;
}

/* What is continued has an asterisk in its name; most have none, and are put as they are. */
static size_t put_each(struct writer *w, struct str params)
{
	struct str name, value;
	size_t n = 0;
	if (str_find(params, '*') < params.n)
		return put_joined(w, params);
	for (; n < LIMIT_MIME_PARAMS && digest_param_next(&params, &name, &value); n++)
		put_param(w, n == 0, name, value);
	return n;
}

/* body-fld-param = "(" string SP string *(SP string SP string) ")" / nil */
static void put_params(struct writer *w, struct str params)
{
	put(w, put_each(w, params) > 0 ? ")" : "NIL");
}

/* body-fld-dsp = "(" string SP body-fld-param ")" / nil */
static void put_disposition(struct writer *w, const struct digest_part *part)
{
	if (part->disposition.p == NULL) {
		put(w, "NIL");
		return;
	}
	put(w, "(");
	put_string(w, part->disposition);
	put(w, " ");
	put_params(w, part->disposition_params);
	put(w, ")");
}

/* body-fld-lang = nstring / "(" string *(SP string) ")" */
static void put_language(struct writer *w, struct str value)
{
	if (str_find(value, ',') == value.n) {
		put_nstring(w, value);
		return;
	}
	bool any = false;
	for (struct str rest = value; rest.n > 0;) {
		struct str tag = str_trim(str_split(&rest, ','));
		if (tag.n == 0)
			continue;
		put(w, any ? " " : "(");
		put_string(w, tag);
		any = true;
	}
	put(w, any ? ")" : "NIL");
}

/* body-fld-dsp, body-fld-lang and body-fld-loc: what both kinds of extension data end in */
static void put_extension(struct writer *w, const struct digest_part *part)
{
	put(w, " ");
	put_disposition(w, part);
	put(w, " ");
	put_language(w, part->language);
	put(w, " ");
	put_nstring(w, part->location);
}

/* body-fld-enc; "7BIT" when there is none (RFC 2045 6.1). What a message must not have (RFC 2046
 * 5.2.1) and message/global may (RFC 6532 3.5) is told as it is: who fetches the part undoes it. */
static void put_encoding(struct writer *w, const struct digest_part *part)
{
	static const char *const names[] = { [MAIL_7BIT] = "\"7BIT\"",
		[MAIL_8BIT] = "\"8BIT\"",
		[MAIL_BINARY] = "\"BINARY\"",
		[MAIL_QUOTED_PRINTABLE] = "\"QUOTED-PRINTABLE\"",
		[MAIL_BASE64] = "\"BASE64\"" };
	size_t encoding = digest_said_encoding(part);
	if (encoding < ARRAY_LEN(names))
		put(w, names[encoding]);
	else
		put_string(w, part->encoding_text);
}

static bool is_message(struct str type, struct str subtype)
{
	return str_equal_nocase(type, STR("message")) &&
	       (str_equal_nocase(subtype, STR("rfc822")) ||
		       str_equal_nocase(subtype, STR("global")));
}

/* media-type and body-fields. A leaf is never shown as what has parts inside: clients would read
 * on for them (RFC 9051 9, body-type-basic). */
static void put_fields(struct writer *w, const struct digest_part *part)
{
	bool odd = part->kind == DIGEST_LEAF && is_message(part->type, part->subtype);
	put_string(w, odd ? STR("APPLICATION") : part->type);
	put(w, " ");
	put_string(w, odd ? STR("OCTET-STREAM") : part->subtype);
	put(w, " ");
	bool is_default = (part->flags & DIGEST_PART_TYPE_DEFAULT) && part->params.n == 0 &&
			  str_equal_nocase(part->type, STR("text"));
	if (is_default) /* RFC 2045 5.2 */
		put(w, "(\"CHARSET\" \"US-ASCII\")");
	else
		put_params(w, part->params);
	put(w, " ");
	put_nstring(w, part->id);
	put(w, " ");
	put_nstring(w, part->description);
	put(w, " ");
	put_encoding(w, part);
	put(w, " ");
	put_number(w, part->body_size);
}

static void put_body(struct writer *w, const struct digest *d, const struct digest_part *part);

/* body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart] */
static void put_multipart(struct writer *w, const struct digest *d, const struct digest_part *part)
{
	struct digest_part child;
	bool more = digest_first_child(d, part, &child);
	for (; more; more = digest_next_sibling(d, &child, &child))
		put_body(w, d, &child);
	put(w, " ");
	put_string(w, part->subtype);
	if (!w->extended)
		return;
	put(w, " ");
	put_params(w, part->params);
	put_extension(w, part);
}

/* body-type-msg shows what is inside. media-message is RFC822 or GLOBAL in RFC 9051 9, in RFC 3501
 * 9 RFC822 alone: to who goes by that, message/global is a body-type-basic, "an unknown attachment"
 * as RFC 6532 3.7 has it. */
static bool shows_inside(const struct writer *w, const struct digest_part *part)
{
	return part->kind == DIGEST_MESSAGE &&
	       (w->utf8 || !str_equal_nocase(part->subtype, STR("global")));
}

/* body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part] */
static void put_single(struct writer *w, const struct digest *d, const struct digest_part *part)
{
	put_fields(w, part);
	struct digest_part child;
	bool message = shows_inside(w, part) && digest_first_child(d, part, &child);
	if (message) {
		put(w, " ");
		put_envelope(w, &part->envelope);
		put(w, " ");
		put_body(w, d, &child);
	}
	if (message || str_equal_nocase(part->type, STR("text"))) {
		put(w, " ");
		put_number(w, part->lines);
	}
	if (!w->extended)
		return;
	put(w, " ");
	put_nstring(w, part->md5);
	put_extension(w, part);
}

static void put_body(struct writer *w, const struct digest *d, const struct digest_part *part)
{
	put(w, "(");
	if (part->kind == DIGEST_MULTIPART)
		put_multipart(w, d, part);
	else
		put_single(w, d, part);
	put(w, ")");
}

bool fetch_write_envelope(struct buf *out, const struct digest_envelope *e, bool utf8)
{
	size_t start = out->n;
	struct writer w = { .out = out, .utf8 = utf8, .ok = true };
	put_envelope(&w, e);
	if (!w.ok)
		buf_truncate(out, start);
	return w.ok;
}

bool fetch_write_structure(struct buf *out, const struct digest *d, bool extended, bool utf8)
{
	size_t start = out->n;
	struct writer w = { .out = out, .utf8 = utf8, .extended = extended, .ok = true };
	struct digest_part root = digest_root(d);
	put_body(&w, d, &root);
	if (!w.ok)
		buf_truncate(out, start);
	return w.ok;
}
