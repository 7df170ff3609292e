// SPDX-License-Identifier: Apache-2.0
/*
 * Reading a digest. digest_open walks over every byte once and checks all that the other functions
 * rely on; these then decode a record where it stands. Nothing is copied.
 */
#include "mail/digest_private.h"

#include "mail/charset.h"

struct reader {
	const unsigned char *p, *end;
	bool bad; /* what was read does not count */
};

static struct reader reader_at(const struct digest *d, size_t at, size_t end)
{
	const unsigned char *p = (const unsigned char *)d->bytes.p;
	return (struct reader){ p + at, p + end, false };
}

static struct reader reader_over(struct str s)
{
	const unsigned char *p = (const unsigned char *)(s.n ? s.p : "");
	return (struct reader){ p, p + s.n, false };
}

static inline uint8_t get_u8(struct reader *r)
{
	if (r->p >= r->end) {
		r->bad = true;
		return 0;
	}
	return *r->p++;
}

static uint32_t get_u32(struct reader *r)
{
	const unsigned char *p = r->p;
	if (r->end - p < 4) {
		r->bad = true;
		return 0;
	}
	r->p += 4;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get_long_varint(struct reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = get_u8(r);
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	r->bad = true;
	return 0;
}

static inline uint64_t get_varint(struct reader *r)
{
	return r->p < r->end && *r->p < 0x80 ? *r->p++ : get_long_varint(r);
}

static struct str get_string(struct reader *r)
{
	uint64_t n = get_varint(r);
	if (r->bad || n > (uint64_t)(r->end - r->p)) {
		r->bad = true;
		return STR("");
	}
	struct str s = str_make(r->p, (size_t)n);
	r->p += n;
	return s;
}

/* Strings of the message never hold an LF: lines were cut there. */
static struct str get_text(struct reader *r)
{
	struct str s = get_string(r);
	if (str_find(s, '\n') < s.n)
		r->bad = true;
	return s;
}

/* Into one that is empty. */
static void get_envelope(struct reader *r, struct digest_envelope *ret)
{
	for (uint8_t id, last = 0; (id = get_u8(r)) != 0 && !r->bad; last = id) {
		if (id <= last || id > DIGEST_FIELDS) {
			r->bad = true;
			return;
		}
		ret->value[id - 1] = get_text(r);
	}
	ret->duplicates = (uint16_t)get_varint(r);
	ret->truncated = (uint16_t)get_varint(r);
}

static void get_entry(struct reader *r, uint8_t entry, struct digest_part *part)
{
	static const size_t place[ENTRIES] = {
		[ENTRY_TYPE] = offsetof(struct digest_part, type),
		[ENTRY_SUBTYPE] = offsetof(struct digest_part, subtype),
		[ENTRY_ENCODING] = offsetof(struct digest_part, encoding_text),
		[ENTRY_ID] = offsetof(struct digest_part, id),
		[ENTRY_DESCRIPTION] = offsetof(struct digest_part, description),
		[ENTRY_MD5] = offsetof(struct digest_part, md5),
		[ENTRY_DISPOSITION] = offsetof(struct digest_part, disposition),
		[ENTRY_LANGUAGE] = offsetof(struct digest_part, language),
		[ENTRY_LOCATION] = offsetof(struct digest_part, location),
	};
	if (entry == ENTRY_PARAMS) {
		part->params = get_string(r);
	} else if (entry == ENTRY_DISPOSITION_PARAMS) {
		part->disposition_params = get_string(r);
	} else if (entry == ENTRY_ENVELOPE) {
		struct reader inside = reader_over(get_string(r));
		if (!r->bad)
			get_envelope(&inside, &part->envelope);
		r->bad |= inside.bad || inside.p != inside.end;
	} else {
		*(struct str *)(void *)((char *)part + place[entry]) = get_text(r);
	}
}

static void get_entries(struct reader *r, struct digest_part *part)
{
	for (uint8_t entry, last = 0; (entry = get_u8(r)) != 0 && !r->bad; last = entry) {
		bool misplaced = entry == ENTRY_ENVELOPE && part->kind != DIGEST_MESSAGE;
		if (entry <= last || entry >= ENTRIES || misplaced) {
			r->bad = true;
			return;
		}
		get_entry(r, entry, part);
	}
	if (part->type.p == NULL)
		part->type = part->kind == DIGEST_MESSAGE ? STR("message") : STR("text");
	if (part->subtype.p == NULL)
		part->subtype = part->kind == DIGEST_MESSAGE ? STR("rfc822") : STR("plain");
}

/* The record at an offset, its children not. False: it makes no sense. */
static bool get_record(const struct digest *d, size_t at, struct digest_part *part)
{
	struct reader r = reader_at(d, at, d->bytes.n);
	*part = (struct digest_part){ .at = at };
	uint32_t size = get_u32(&r);
	uint8_t kind = get_u8(&r);
	part->kind = kind == DIGEST_MULTIPART ? DIGEST_MULTIPART
		     : kind == DIGEST_MESSAGE ? DIGEST_MESSAGE
					      : DIGEST_LEAF;
	part->flags = (uint32_t)get_varint(&r);
	part->depth = get_u8(&r);
	part->header_at = get_varint(&r);
	part->header_size = get_varint(&r);
	part->body_size = get_varint(&r);
	part->lines = get_varint(&r);
	part->body_at = part->header_at + part->header_size;
	uint8_t encoding = get_u8(&r);
	part->encoding = encoding <= MAIL_ENCODING_UNKNOWN ? (enum mail_encoding)encoding
							   : MAIL_ENCODING_UNKNOWN;
	get_entries(&r, part);
	part->children_at = (size_t)(r.p - (const unsigned char *)d->bytes.p);
	part->end = at + size;
	return !r.bad && kind <= DIGEST_MESSAGE && encoding <= MAIL_ENCODING_UNKNOWN &&
	       part->end <= d->bytes.n && part->end >= part->children_at;
}

/* ---- checking ---- */

/* An open ancestor while the tree is checked. */
struct level {
	uint64_t from, to; /* where its children may lie in the message */
	size_t end;
	enum digest_kind kind;
	uint32_t children;
};

static bool params_are_good(struct str params)
{
	struct reader r = reader_over(params);
	while (r.p < r.end && !r.bad) {
		get_text(&r);
		get_text(&r);
	}
	return !r.bad;
}

/* Offsets within the parent and behind the sibling before; never around in a circle (M5). */
static bool offsets_are_good(const struct digest_part *part, struct level *parent)
{
	uint64_t max = parent->to;
	bool in_range = part->header_at >= parent->from && part->header_at <= max &&
			part->header_size <= max - part->header_at &&
			part->body_size <= max - part->header_at - part->header_size &&
			part->lines <= part->body_size;
	if (parent->kind == DIGEST_MESSAGE && part->header_at != parent->from)
		return false;
	if (in_range)
		parent->from = part->body_at + part->body_size;
	return in_range;
}

static bool count_is_good(const struct level *level)
{
	return level->kind == DIGEST_LEAF      ? level->children == 0
	       : level->kind == DIGEST_MESSAGE ? level->children == 1
					       : level->children >= 1;
}

/* One record, and all within it; *at moves behind them. It calls itself as deep as the tree may be.
 */
static bool tree_is_good(
	const struct digest *d, size_t *at, struct level *parent, unsigned depth, uint64_t *parts)
{
	struct digest_part part;
	if (depth > LIMIT_MIME_DEPTH || !get_record(d, *at, &part) || part.depth != depth ||
		part.end > parent->end || !offsets_are_good(&part, parent) ||
		!params_are_good(part.params) || !params_are_good(part.disposition_params) ||
		(depth == 0 && part.header_size != d->header_size))
		return false;
	struct level own = { part.body_at, part.body_at + part.body_size, part.end, part.kind, 0 };
	parent->children++;
	++*parts;
	*at = part.children_at;
	while (*at < own.end)
		if (!tree_is_good(d, at, &own, depth + 1, parts))
			return false;
	return count_is_good(&own);
}

/* The root is the message itself, and the only record that is in none. */
static bool root_is_good(const struct digest *d)
{
	struct level whole = { .to = d->size, .end = d->bytes.n, .kind = DIGEST_MESSAGE };
	size_t at = d->root;
	uint64_t parts = 0;
	return tree_is_good(d, &at, &whole, 0, &parts) && at == d->bytes.n && parts == d->parts;
}

/* At most so many characters of UTF-8, one line. */
static bool preview_is_good(struct str preview)
{
	size_t characters = 0;
	if (str_printable(preview) == preview.n)
		return preview.n <= LIMIT_PREVIEW_CHARS;
	if (mail_has_unsafe(preview))
		return false;
	for (size_t i = 0; i < preview.n; i++)
		characters += ((unsigned char)preview.p[i] & 0xc0) != 0x80;
	return characters <= LIMIT_PREVIEW_CHARS;
}

bool digest_open(struct digest *ret, struct str bytes, uint64_t body_size)
{
	struct digest d = { .bytes = bytes };
	if (bytes.n == 0 || bytes.n > LIMIT_DIGEST_BYTES)
		return false;
	struct reader r = reader_at(&d, 0, bytes.n);
	if (get_u8(&r) != DIGEST_FORMAT_VERSION)
		return false;
	d.parser = get_u8(&r);
	d.flags = (uint32_t)get_varint(&r);
	d.size = get_varint(&r);
	d.header_size = get_varint(&r);
	d.lines = get_varint(&r);
	uint64_t parts = get_varint(&r);
	get_envelope(&r, &d.envelope);
	d.preview = get_string(&r);
	d.root = (size_t)(r.p - (const unsigned char *)bytes.p);
	if (r.bad || d.size != body_size || d.header_size > d.size || d.lines > d.size ||
		parts > LIMIT_MIME_PARTS || !preview_is_good(d.preview))
		return false;
	d.parts = (uint32_t)parts;
	if (!root_is_good(&d))
		return false;
	*ret = d;
	return true;
}

/* ---- walking ---- */

static bool record_at(const struct digest *d, size_t at, struct digest_part *ret)
{
	return at < d->bytes.n && get_record(d, at, ret);
}

struct digest_part digest_root(const struct digest *d)
{
	struct digest_part part = { .kind = DIGEST_LEAF };
	record_at(d, d->root, &part);
	return part;
}

enum mail_encoding digest_said_encoding(const struct digest_part *part)
{
	if (part->kind == DIGEST_LEAF || part->encoding_text.n == 0)
		return part->encoding;
	return mail_encoding_from(part->encoding_text);
}

bool digest_first_child(
	const struct digest *d, const struct digest_part *part, struct digest_part *ret)
{
	return part->children_at < part->end && record_at(d, part->children_at, ret);
}

bool digest_next_sibling(
	const struct digest *d, const struct digest_part *part, struct digest_part *ret)
{
	struct digest_part next;
	if (!record_at(d, part->end, &next) || next.depth != part->depth)
		return false;
	*ret = next;
	return true;
}

bool digest_next(const struct digest *d, const struct digest_part *part, struct digest_part *ret)
{
	return record_at(d, part->children_at, ret);
}

/* Child number `number` of a multipart; of anything else number 1 is itself.
 * RFC 9051 6.4.5.1: "every message has at least one part number". */
static bool find_in_message(const struct digest *d, uint32_t number, struct digest_part *part)
{
	if (part->kind != DIGEST_MULTIPART)
		return number == 1;
	bool found = number > 0 && digest_first_child(d, part, part);
	for (uint32_t i = 1; i < number && found; i++)
		found = digest_next_sibling(d, part, part);
	return found;
}

bool digest_find(const struct digest *d, const uint32_t *path, size_t n, struct digest_part *ret)
{
	struct digest_part part = digest_root(d);
	if (n == 0 || !find_in_message(d, path[0], &part))
		return false;
	for (size_t i = 1; i < n; i++) {
		if (part.kind == DIGEST_LEAF)
			return false;
		if (part.kind == DIGEST_MESSAGE && !digest_first_child(d, &part, &part))
			return false;
		if (!find_in_message(d, path[i], &part))
			return false;
	}
	*ret = part;
	return true;
}

bool digest_param_next(struct str *params, struct str *name, struct str *value)
{
	struct reader r = reader_over(*params);
	if (params->n == 0)
		return false;
	*name = get_text(&r);
	*value = get_text(&r);
	*params = str_make(r.p, (size_t)(r.end - r.p));
	return !r.bad;
}
