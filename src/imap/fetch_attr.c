// SPDX-License-Identifier: Apache-2.0
/* The attributes of FETCH. RFC 9051 9: fetch, fetch-att; RFC 3501 9 for RFC822 and its kin. */
#include "imap/fetch_attr.h"

#include "base/limits.h"
#include "imap/token.h"

struct attr {
	struct str name;
	enum fetch_kind kind;
	bool peek, old; /* old: the answer has this name */
	enum section_text text;
};

/* Attributes without brackets. A longer name stands before one that begins it. */
static const struct attr plain[] = {
	{ STR_INIT("ENVELOPE"), FETCH_ENVELOPE, .peek = true },
	{ STR_INIT("FLAGS"), FETCH_FLAGS, .peek = true },
	{ STR_INIT("INTERNALDATE"), FETCH_INTERNALDATE, .peek = true },
	{ STR_INIT("RFC822.SIZE"), FETCH_SIZE, .peek = true },
	{ STR_INIT("RFC822.HEADER"), FETCH_SECTION, .peek = true, .old = true,
		.text = SECTION_HEADER },
	{ STR_INIT("RFC822.TEXT"), FETCH_SECTION, .old = true, .text = SECTION_TEXT },
	{ STR_INIT("RFC822"), FETCH_SECTION, .old = true },
	{ STR_INIT("BODYSTRUCTURE"), FETCH_BODYSTRUCTURE, .peek = true },
	{ STR_INIT("BODY"), FETCH_BODY, .peek = true },
	{ STR_INIT("UID"), FETCH_UID, .peek = true },
	{ STR_INIT("MODSEQ"), FETCH_MODSEQ, .peek = true },
	{ STR_INIT("SAVEDATE"), FETCH_SAVEDATE, .peek = true },
	{ STR_INIT("EMAILID"), FETCH_EMAILID, .peek = true },
	{ STR_INIT("THREADID"), FETCH_THREADID, .peek = true },
	{ STR_INIT("PREVIEW"), FETCH_PREVIEW, .peek = true },
};

/* Attributes with a section in brackets. */
static const struct attr bracketed[] = {
	{ STR_INIT("BODY.PEEK["), FETCH_SECTION, .peek = true },
	{ STR_INIT("BODY["), FETCH_SECTION },
	{ STR_INIT("BINARY.SIZE["), FETCH_BINARY_SIZE, .peek = true },
	{ STR_INIT("BINARY.PEEK["), FETCH_BINARY, .peek = true },
	{ STR_INIT("BINARY["), FETCH_BINARY },
};

/* RFC 9051 6.4.5 */
static const struct {
	struct str name;
	size_t n;
	enum fetch_kind kinds[5];
} macros[] = {
	{ STR_INIT("ALL"), 4, { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE, FETCH_ENVELOPE } },
	{ STR_INIT("FAST"), 3, { FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE } },
	{ STR_INIT("FULL"), 5,
		{ FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE, FETCH_ENVELOPE, FETCH_BODY } },
};

static const struct {
	struct str name;
	enum section_text text;
} section_texts[] = {
	{ STR_INIT("HEADER.FIELDS.NOT"), SECTION_HEADER_FIELDS_NOT },
	{ STR_INIT("HEADER.FIELDS"), SECTION_HEADER_FIELDS },
	{ STR_INIT("HEADER"), SECTION_HEADER },
	{ STR_INIT("TEXT"), SECTION_TEXT },
	{ STR_INIT("MIME"), SECTION_MIME },
};

static int bad_syntax(struct err *err)
{
	return fail(err, ERR_SYNTAX, "that is no fetch attribute");
}

static int too_much(struct err *err)
{
	return fail(err, ERR_LIMIT, "too much asked in one FETCH");
}

/* ---- sections ---- */

/* header-list = "(" header-fld-name *(SP header-fld-name) ")", header-fld-name = astring */
static int header_list(struct scan *s, struct arena *a, struct section *ret, struct err *err)
{
	struct str *fields = arena_array(a, LIMIT_IMAP_HEADER_FIELDS, sizeof(*fields));
	if (fields == NULL)
		return too_much(err);
	if (!scan_char(s, '('))
		return bad_syntax(err);
	size_t n = 0;
	do {
		if (n == LIMIT_IMAP_HEADER_FIELDS)
			return too_much(err);
		if (!token_astring(s, a, &fields[n++]))
			return bad_syntax(err);
	} while (scan_sp(s));
	if (!scan_char(s, ')'))
		return bad_syntax(err);
	ret->fields = fields;
	ret->n_fields = n;
	return 0;
}

/* section-msgtext / "MIME" (below a part's number alone) */
static int section_text(struct scan *s, struct arena *a, struct section *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(section_texts); i++) {
		if (!scan_literal_nocase(s, section_texts[i].name))
			continue;
		ret->text = section_texts[i].text;
		if (ret->text == SECTION_MIME && ret->n_part == 0)
			return bad_syntax(err);
		if (ret->text != SECTION_HEADER_FIELDS && ret->text != SECTION_HEADER_FIELDS_NOT)
			return 0;
		return scan_sp(s) ? header_list(s, a, ret, err) : bad_syntax(err);
	}
	return bad_syntax(err);
}

/* section-part = nz-number *("." nz-number); leaves the "." before a section-text */
static int section_part(struct scan *s, struct arena *a, struct section *ret, struct err *err)
{
	uint32_t numbers[LIMIT_IMAP_SECTION_DEPTH];
	size_t n = 0;
	struct scan t = *s;
	do {
		if (!abnf_is_digit((char)scan_peek(&t)))
			break;
		if (n == LIMIT_IMAP_SECTION_DEPTH)
			return too_much(err);
		if (!token_nz_number(&t, &numbers[n++]))
			return bad_syntax(err);
		*s = t;
	} while (scan_char(&t, '.'));
	uint32_t *part = arena_array(a, n, sizeof(*part));
	if (part == NULL)
		return too_much(err);
	memcpy(part, numbers, n * sizeof(*part));
	ret->part = part;
	ret->n_part = n;
	return 0;
}

/* [section-spec] "]"; section-spec = section-msgtext / (section-part ["." section-text]) */
static int section_spec(
	struct scan *s, struct arena *a, bool binary, struct section *ret, struct err *err)
{
	*ret = (struct section){ 0 };
	bool number = scan_peek(s) >= '0' && scan_peek(s) <= '9';
	if (number && section_part(s, a, ret, err) < 0)
		return -1;
	/* section-binary = "[" [section-part] "]" */
	bool text = number ? scan_char(s, '.') : scan_peek(s) != ']';
	if (text && (binary || section_text(s, a, ret, err) < 0))
		return binary ? bad_syntax(err) : -1;
	return scan_char(s, ']') ? 0 : bad_syntax(err);
}

int section_parse(struct scan *s, struct arena *a, struct section *ret, struct err *err)
{
	return scan_char(s, '[') ? section_spec(s, a, false, ret, err) : bad_syntax(err);
}

/* partial = "<" number64 "." nz-number64 ">". What lies beyond the end of any message is cut off
 * here, so that a sum never overflows. */
static bool partial(struct scan *s, struct fetch_item *item)
{
	if (!scan_char(s, '<'))
		return true;
	item->partial = true;
	if (!token_number64(s, &item->offset) || !scan_char(s, '.') ||
		!token_number64(s, &item->length) || item->length == 0)
		return false;
	if (item->length > INT64_MAX - item->offset)
		item->length = INT64_MAX - item->offset;
	return scan_char(s, '>');
}

/* ---- the list ---- */

static bool same_part(const struct section *a, const struct section *b)
{
	return a->n_part == b->n_part &&
	       (a->n_part == 0 || memcmp(a->part, b->part, a->n_part * sizeof(*a->part)) == 0);
}

static bool same_item(const struct fetch_item *a, const struct fetch_item *b)
{
	if (a->kind != b->kind || !str_equal(a->name, b->name) || a->partial != b->partial ||
		a->offset != b->offset || a->length != b->length)
		return false;
	if (a->section.text != b->section.text || !same_part(&a->section, &b->section) ||
		a->section.n_fields != b->section.n_fields)
		return false;
	for (size_t i = 0; i < a->section.n_fields; i++) {
		if (!str_equal_nocase(a->section.fields[i], b->section.fields[i]))
			return false;
	}
	return true;
}

static void note_needs(struct fetch_attrs *f, const struct fetch_item *item)
{
	f->wants[item->kind] = true;
	f->sets_seen |= !item->peek;
	f->looks_at_digest |= item->lazy;
	if (item->kind < FETCH_PREVIEW || item->lazy)
		return;
	/* BINARY[] needs to know whether there is a NUL: it is a literal8 then. */
	bool whole = item->kind >= FETCH_SECTION && item->kind != FETCH_BINARY &&
		     item->section.n_part == 0 && item->section.text == SECTION_ALL;
	f->needs_digest |= !whole;
	f->needs_bytes |= item->kind >= FETCH_SECTION;
}

/* What is not the client's: UID of UID FETCH, MODSEQ of CHANGEDSINCE. */
enum { ITEMS_OF_OURS = 2 };

/* The same item twice is answered once; one that sets \Seen makes both do. */
static int add_item(struct fetch_attrs *f, struct arena *a, const struct fetch_item *item,
	size_t most, struct err *err)
{
	if (f->items == NULL)
		f->items = arena_array(
			a, LIMIT_IMAP_FETCH_ITEMS + ITEMS_OF_OURS, sizeof(*f->items));
	if (f->items == NULL)
		return too_much(err);
	note_needs(f, item);
	for (size_t i = 0; i < f->n; i++) {
		if (same_item(&f->items[i], item)) {
			f->items[i].peek = f->items[i].peek && item->peek;
			f->items[i].lazy = f->items[i].lazy && item->lazy;
			return 0;
		}
	}
	if (f->n >= most)
		return too_much(err);
	f->items[f->n++] = *item;
	return 0;
}

bool fetch_attrs_add(struct fetch_attrs *f, struct arena *a, enum fetch_kind kind)
{
	return add_item(f, a, &(struct fetch_item){ .kind = kind, .peek = true },
		       LIMIT_IMAP_FETCH_ITEMS + ITEMS_OF_OURS, NULL) == 0;
}

static int bracketed_attr(
	struct scan *s, struct arena *a, struct fetch_item *item, bool *ret_is, struct err *err)
{
	*ret_is = true;
	for (size_t i = 0; i < ARRAY_LEN(bracketed); i++) {
		const struct attr *t = &bracketed[i];
		if (!scan_literal_nocase(s, t->name))
			continue;
		*item = (struct fetch_item){ .kind = t->kind, .peek = t->peek };
		if (section_spec(s, a, t->kind != FETCH_SECTION, &item->section, err) < 0)
			return -1;
		if (t->kind != FETCH_BINARY_SIZE && !partial(s, item))
			return bad_syntax(err);
		return 0;
	}
	*ret_is = false;
	return 0;
}

/* "PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"], preview-mod = "LAZY"   RFC 8970 6
 * What stands in parentheses may be the command's modifiers instead. */
static bool preview_mods(struct scan *s, struct fetch_item *item)
{
	struct scan at = *s;
	if (!scan_sp(&at) || !scan_char(&at, '(') || !scan_word_nocase(&at, STR("LAZY")))
		return true;
	while (scan_sp(&at))
		if (!scan_word_nocase(&at, STR("LAZY")))
			return false;
	item->lazy = true;
	*s = at;
	return scan_char(s, ')');
}

static int fetch_att(struct scan *s, struct arena *a, struct fetch_attrs *f, struct err *err)
{
	struct fetch_item item;
	bool is;
	if (bracketed_attr(s, a, &item, &is, err) < 0)
		return -1;
	if (is)
		return add_item(f, a, &item, LIMIT_IMAP_FETCH_ITEMS, err);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		const struct attr *t = &plain[i];
		if (!scan_word_nocase(s, t->name))
			continue;
		item = (struct fetch_item){ .kind = t->kind, .peek = t->peek };
		item.section.text = t->text;
		if (t->old)
			item.name = t->name;
		if (t->kind == FETCH_PREVIEW && !preview_mods(s, &item))
			return bad_syntax(err);
		return add_item(f, a, &item, LIMIT_IMAP_FETCH_ITEMS, err);
	}
	return bad_syntax(err);
}

static int fetch_list(struct scan *s, struct arena *a, struct fetch_attrs *f, struct err *err)
{
	do {
		if (fetch_att(s, a, f, err) < 0)
			return -1;
	} while (scan_sp(s));
	return scan_char(s, ')') ? 0 : bad_syntax(err);
}

int fetch_attrs_parse(struct scan *s, struct arena *a, struct fetch_attrs *ret, struct err *err)
{
	*ret = (struct fetch_attrs){ 0 };
	if (scan_char(s, '('))
		return fetch_list(s, a, ret, err);
	for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
		if (!scan_word_nocase(s, macros[i].name))
			continue;
		for (size_t k = 0; k < macros[i].n; k++) {
			if (!fetch_attrs_add(ret, a, macros[i].kinds[k]))
				return too_much(err);
		}
		return 0;
	}
	return fetch_att(s, a, ret, err);
}

/* fetch-modifier =/ "CHANGEDSINCE" SP mod-sequence-value       iPhone Mail 16.5.1 sends 0, too
 * fetch-modifier =/ "VANISHED"                                  RFC 7162 7; each once
 * fetch-modifier =/ "PARTIAL" SP partial-range                  RFC 9394 4 */
static bool fetch_modifier(struct scan *s, struct fetch_modifiers *ret)
{
	if (!ret->vanished && scan_word_nocase(s, STR("VANISHED"))) {
		ret->vanished = true;
		return true;
	}
	if (!ret->partial && scan_word_nocase(s, STR("PARTIAL"))) {
		ret->partial = true;
		return scan_sp(s) && partial_range_parse(s, &ret->range);
	}
	if (ret->has_since || !scan_word_nocase(s, STR("CHANGEDSINCE")))
		return false;
	ret->has_since = true;
	return scan_sp(s) && token_number64(s, &ret->changed_since);
}

int fetch_modifiers_parse(struct scan *s, struct fetch_modifiers *ret, struct err *err)
{
	bool ok;
	*ret = (struct fetch_modifiers){ .has_since = false };
	if (scan_end(s))
		return 0;
	ok = scan_sp(s) && scan_char(s, '(') && fetch_modifier(s, ret);
	while (ok && !scan_char(s, ')'))
		ok = scan_sp(s) && fetch_modifier(s, ret);
	if (!ok || !scan_end(s))
		return fail(err, ERR_SYNTAX, "that is no fetch modifier");
	return 0;
}

/* ---- printing ---- */

static void print_section(const struct section *sec, struct buf *out)
{
	for (size_t i = 0; i < sec->n_part; i++)
		buf_addf(out, "%s%u", i ? "." : "", sec->part[i]);
	for (size_t i = 0; i < ARRAY_LEN(section_texts); i++) {
		if (sec->text == SECTION_ALL || sec->text != section_texts[i].text)
			continue;
		if (sec->n_part > 0)
			buf_addc(out, '.');
		buf_adds(out, section_texts[i].name);
	}
	for (size_t i = 0; i < sec->n_fields; i++) {
		buf_addz(out, i == 0 ? " (" : " ");
		token_add_astring(out, sec->fields[i], false);
	}
	if (sec->n_fields > 0)
		buf_addc(out, ')');
}

/* msg-att-static: "BODY" section ["<" number ">"], "BINARY" section-binary ["<" number ">"] */
static void print_bracketed(const struct fetch_item *item, struct buf *out)
{
	static const char *const names[] = { [FETCH_SECTION] = "BODY[",
		[FETCH_BINARY] = "BINARY[",
		[FETCH_BINARY_SIZE] = "BINARY.SIZE[" };
	buf_addz(out, names[item->kind]);
	print_section(&item->section, out);
	buf_addc(out, ']');
	if (item->partial)
		buf_addf(out, "<%llu>", (unsigned long long)item->offset);
}

bool fetch_item_print(const struct fetch_item *item, struct buf *out)
{
	size_t start = out->n;
	bool was_full = out->full;
	out->full = false;
	if (item->name.n > 0)
		buf_adds(out, item->name);
	else if (item->kind >= FETCH_SECTION)
		print_bracketed(item, out);
	for (size_t i = 0; i < ARRAY_LEN(plain) && item->kind < FETCH_SECTION; i++) {
		if (plain[i].kind != item->kind)
			continue;
		buf_adds(out, plain[i].name);
		break;
	}
	bool ok = !out->full;
	if (!ok)
		buf_truncate(out, start);
	out->full = !ok || was_full;
	return ok;
}
