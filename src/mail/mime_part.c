// SPDX-License-Identifier: Apache-2.0
/*
 * What a header says about its part: type, encoding, disposition; and the entries of the digest
 * made from it. RFC 2045 5, 6; RFC 2046 5; RFC 2183. The rules are listed in mime.h.
 */
#include "mail/mime_parser.h"

#include "base/abnf.h"

/* Of one header block: its parsed values live in an arena of so many bytes. */
enum { SCRATCH_BYTES = 192 * 1024 };

struct description {
	struct mail_parser *p;
	struct open_part *part;
	struct digest_record *r;
	struct mail_value type, disposition;
	bool has_type;  /* a usable Content-Type */
	bool too_deep;  /* reads as application/octet-stream */
	size_t reserve; /* of the digest, not for entries */
};

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!abnf_is_mime_token(s.p[i]))
			return false;
	return s.n > 0;
}

static bool is_type(const struct description *d, struct str type, struct str subtype)
{
	return d->has_type && str_equal_nocase(d->type.type, type) &&
	       (subtype.n == 0 || str_equal_nocase(d->type.subtype, subtype));
}

/* ---- what it is ---- */

/* Puts the boundary on the stack's boundaries. False: there is none that can be used. */
static bool take_boundary(struct description *d)
{
	struct mail_parser *p = d->p;
	struct buf b;
	buf_init(&b, 16 * 1024);
	mail_param_bytes(d->type.params, d->type.n, STR("boundary"), &b);
	struct str boundary = buf_str(&b);
	/* It cannot end with blanks: on delimiter lines those are padding. RFC 2046 5.1.1 */
	while (boundary.n && abnf_is_wsp(boundary.p[boundary.n - 1]))
		boundary.n--;
	bool ok = boundary.n > 0 && boundary.n <= LIMIT_BOUNDARY_BYTES &&
		  str_find(boundary, '\n') == boundary.n;
	for (size_t i = 0; ok && i + 1 < p->stack.n; i++) {
		const struct open_part *outer = vec_at(&p->stack, i);
		if (outer->boundary_n &&
			str_equal(boundary,
				str_make(p->boundaries.p + outer->boundary_at, outer->boundary_n)))
			p->flags |= DIGEST_AMBIGUOUS;
	}
	d->part->boundary_at = p->boundaries.n;
	ok = ok && buf_adds(&p->boundaries, boundary);
	d->part->boundary_n = ok ? boundary.n : 0;
	buf_done(&b);
	return ok;
}

/* Leaf, multipart or message; and the two ways in which a composite is not looked into. */
static void decide_kind(struct description *d)
{
	bool multipart = is_type(d, STR("multipart"), STR(""));
	bool message = is_type(d, STR("message"), STR("rfc822")) ||
		       is_type(d, STR("message"), STR("global")) ||
		       (!d->has_type && d->part->in_digest);
	d->r->kind = DIGEST_LEAF;
	d->too_deep = (multipart || message) &&
		      (d->r->depth >= d->p->limits.depth || (message && !parser_has_room(d->p)));
	if (d->too_deep) {
		d->r->flags |= DIGEST_PART_OPAQUE;
		d->p->flags |= DIGEST_PARTS_DROPPED;
	} else if (message) {
		d->r->kind = DIGEST_MESSAGE;
		d->reserve = PART_RESERVE;
	} else if (multipart && take_boundary(d)) {
		d->r->kind = DIGEST_MULTIPART;
		d->part->is_digest = is_type(d, STR("multipart"), STR("digest"));
		if (d->type.malformed)
			d->p->flags |= DIGEST_AMBIGUOUS;
	} else if (multipart) {
		d->has_type = false;
		d->r->flags |= DIGEST_PART_OPAQUE;
		d->p->flags |= DIGEST_AMBIGUOUS;
	}
	if (!d->has_type)
		d->r->flags |= DIGEST_PART_TYPE_DEFAULT;
}

static void decide_encoding(struct description *d)
{
	struct str value = fields_value(&d->p->fields, WANTED_ENCODING);
	enum mail_encoding encoding = value.n ? mail_encoding_from(value) : MAIL_7BIT;
	if (d->r->kind != DIGEST_LEAF && encoding > MAIL_BINARY) {
		d->p->flags |= DIGEST_AMBIGUOUS;
		encoding = MAIL_BINARY;
	}
	d->r->encoding = (uint8_t)encoding;
}

static bool has_name(const struct description *d)
{
	struct buf b;
	buf_init(&b, 16 * 1024);
	mail_param_bytes(d->disposition.params, d->disposition.n, STR("filename"), &b);
	if (b.n == 0)
		mail_param_bytes(d->type.params, d->type.n, STR("name"), &b);
	bool found = b.n > 0;
	buf_done(&b);
	return found;
}

static void decide_attachment(struct description *d)
{
	bool says_so = str_equal_nocase(d->disposition.type, STR("attachment"));
	if (!says_so && (d->r->kind != DIGEST_LEAF || !has_name(d)))
		return;
	d->r->flags |= DIGEST_PART_ATTACHMENT;
	d->p->flags |= DIGEST_ATTACHMENT;
}

static void decide_preview(struct description *d)
{
	struct mail_parser *p = d->p;
	bool html = is_type(d, STR("text"), STR("html"));
	bool text = !d->has_type || html || is_type(d, STR("text"), STR("plain"));
	bool shown = d->r->kind == DIGEST_LEAF &&
		     !(d->r->flags & (DIGEST_PART_ATTACHMENT | DIGEST_PART_OPAQUE));
	if (!text || !shown || !preview_wants(&p->preview, html))
		return;
	const struct mail_param *charset = mail_param_find(
		d->type.params, d->has_type ? d->type.n : 0, STR("charset"));
	preview_begin(&p->preview, html, (enum mail_encoding)d->r->encoding,
		charset ? charset->value : STR(""));
	d->part->captures = true;
}

/* ---- what is written down ---- */

static size_t room(const struct description *d)
{
	size_t used = d->p->used + d->reserve;
	return used < d->p->limits.digest_bytes ? d->p->limits.digest_bytes - used : 0;
}

static void put(struct description *d, uint8_t entry, struct str value)
{
	size_t need = 1 + digest_varint_size(value.n) + value.n;
	if (value.p == NULL)
		return;
	if (need > room(d)) {
		d->p->flags |= DIGEST_FIELD_TRUNCATED;
		return;
	}
	digest_put_entry(&d->p->heap, entry, value);
	d->p->used += need;
}

static void put_params(struct description *d, uint8_t entry, const struct mail_value *v)
{
	struct buf b;
	buf_init(&b, room(d));
	bool fits = true;
	for (size_t i = 0; i < v->n && fits; i++)
		fits = digest_put_string(&b, v->params[i].name) &&
		       digest_put_string(&b, v->params[i].value);
	if (!fits || v->truncated)
		d->p->flags |= DIGEST_FIELD_TRUNCATED;
	if (b.n > 0 && fits)
		put(d, entry, buf_str(&b));
	buf_done(&b);
}

static void put_type(struct description *d)
{
	size_t before = d->p->heap.n;
	if (d->too_deep) {
		put(d, ENTRY_TYPE, STR("application"));
		put(d, ENTRY_SUBTYPE, STR("octet-stream"));
	} else if (d->has_type && room(d) >= d->type.type.n + d->type.subtype.n + 16) {
		put(d, ENTRY_TYPE, d->type.type);
		put(d, ENTRY_SUBTYPE, d->type.subtype);
		put_params(d, ENTRY_PARAMS, &d->type);
	}
	d->part->type_n = (uint32_t)(d->p->heap.n - before);
}

static void put_entries(struct description *d)
{
	static const struct {
		uint8_t entry, field;
	} plain[] = {
		{ ENTRY_ID, WANTED_ID },
		{ ENTRY_DESCRIPTION, WANTED_DESCRIPTION },
		{ ENTRY_MD5, WANTED_MD5 },
		{ ENTRY_LANGUAGE, WANTED_LANGUAGE },
		{ ENTRY_LOCATION, WANTED_LOCATION },
	};
	const struct fields *f = &d->p->fields;
	d->r->entries_at = (uint32_t)d->p->heap.n;
	put_type(d);
	put(d, ENTRY_ENCODING, fields_value(f, WANTED_ENCODING));
	for (size_t i = 0; i < 3; i++)
		put(d, plain[i].entry, fields_value(f, plain[i].field));
	if (d->disposition.type.n) {
		put(d, ENTRY_DISPOSITION, d->disposition.type);
		put_params(d, ENTRY_DISPOSITION_PARAMS, &d->disposition);
	}
	for (size_t i = 3; i < ARRAY_LEN(plain); i++)
		put(d, plain[i].entry, fields_value(f, plain[i].field));
	d->r->entries_n = (uint32_t)d->p->heap.n - d->r->entries_at;
}

/* The envelope of the message whose header this is: of the whole, or of the one in the part below.
 */
static void put_envelope(struct description *d)
{
	struct mail_parser *p = d->p;
	bool is_root = p->stack.n == 1, dropped;
	size_t max = is_root ? room(d) : room(d) / 2;
	struct buf b;
	buf_init(&b, p->limits.digest_bytes);
	fields_envelope(&p->fields, max, &b, &dropped);
	uint32_t n = (uint32_t)b.n;
	if (is_root) {
		buf_adds(&p->envelope, buf_str(&b));
	} else if (n <= max) {
		const struct open_part *message = vec_at(&p->stack, p->stack.n - 2);
		parser_record(p, message)->envelope_at = (uint32_t)p->heap.n;
		buf_add(&p->heap, &n, sizeof(n));
		buf_adds(&p->heap, buf_str(&b));
		n += 1 + 5;
	} else {
		dropped = true;
		n = 0;
	}
	p->used += n;
	if (dropped)
		p->flags |= DIGEST_FIELD_TRUNCATED;
	buf_done(&b);
}

void mime_part_describe(struct mail_parser *p, struct open_part *part, struct digest_record *r)
{
	struct description d = { .p = p, .part = part, .r = r };
	struct str type = fields_value(&p->fields, WANTED_TYPE);
	struct str disposition = fields_value(&p->fields, WANTED_DISPOSITION);
	struct arena scratch;
	arena_init(&scratch, SCRATCH_BYTES);
	mail_value_parse(&scratch, type, &d.type);
	mail_value_parse(&scratch, disposition, &d.disposition);
	d.has_type = is_token(d.type.type) && is_token(d.type.subtype);
	if (p->fields.duplicates >> DIGEST_FIELDS)
		p->flags |= DIGEST_DUPLICATE_FIELD | DIGEST_AMBIGUOUS;
	if (p->fields.truncated)
		p->flags |= DIGEST_FIELD_TRUNCATED;
	if (part->is_message)
		put_envelope(&d);
	decide_kind(&d);
	decide_encoding(&d);
	decide_attachment(&d);
	decide_preview(&d);
	put_entries(&d);
	arena_done(&scratch);
}

void mime_part_finish(struct mail_parser *p, struct open_part *part, struct digest_record *r)
{
	if (r->kind == DIGEST_MULTIPART && !part->children) {
		/* No delimiter was found: text. Nothing was written behind its entries. */
		r->kind = DIGEST_LEAF;
		r->flags |= DIGEST_PART_OPAQUE | DIGEST_PART_TYPE_DEFAULT;
		r->entries_at += part->type_n;
		r->entries_n -= part->type_n;
		p->flags |= DIGEST_AMBIGUOUS;
	}
	p->used -= PART_RESERVE;
	p->used += digest_record_size(r);
}
