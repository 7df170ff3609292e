// SPDX-License-Identifier: Apache-2.0
/* Encoding, decoding and printing frames by their descriptors. Records nest one level deep by
 * construction (tools/frames knows a record before its use), so walk depth is that of frames.def.
 */
#include "api/codec.h"

#include "api/codec_table.h"
#include "api/frames.h"
#include "base/limits.h"

#include <inttypes.h>

/* What every list in a frame looks like. */
struct any_list {
	const void *items;
	size_t n;
};

static const struct frame_info *info_of(uint16_t type)
{
	size_t low = 0, high = frame_table_n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (frame_table[middle].type == type)
			return &frame_table[middle];
		if (frame_table[middle].type < type)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static size_t scalar_bytes(enum field_kind kind)
{
	static const uint8_t bytes[] = { [FIELD_U8] = 1,
		[FIELD_U16] = 2,
		[FIELD_U32] = 4,
		[FIELD_U64] = 8,
		[FIELD_I64] = 8,
		[FIELD_BOOL] = 1,
		[FIELD_STR] = 0,
		[FIELD_BYTES] = 0,
		[FIELD_RECORD] = 0 };
	return bytes[kind];
}

static size_t element_bytes(const struct field *f)
{
	size_t n = scalar_bytes(f->kind);
	return n ? n : f->kind == FIELD_RECORD ? f->record->size : sizeof(struct str);
}

/* Bytes on the wire of an element that is a number, or a record of nothing but numbers: long lists
 * of these (a view's entries) are copied field by field, without a walk for each. 0: it is not. */
static size_t flat_bytes(const struct field *f)
{
	size_t sum = 0;
	if (f->kind != FIELD_RECORD)
		return f->kind == FIELD_BOOL ? 0 : scalar_bytes(f->kind);
	for (size_t i = 0; i < f->record->n; i++) {
		size_t bytes = scalar_bytes(f->record->fields[i].kind);
		if (bytes == 0 || f->record->fields[i].list_max)
			return 0;
		sum += bytes;
	}
	return sum;
}

static void copy_scalar(char *to, const char *from, size_t bytes)
{
	switch (bytes) { /* of a known size each: a move, not a call */
	case 1:
		*to = *from;
		break;
	case 2:
		memcpy(to, from, 2);
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	default:
		memcpy(to, from, 8);
	}
}

/* ---- encoding ---- */

static void put_number(struct buf *out, uint64_t value, size_t bytes)
{
	char le[8];
	for (size_t i = 0; i < bytes; i++)
		le[i] = (char)(value >> (8 * i) & 255);
	buf_add(out, le, bytes);
}

static uint64_t load(const void *at, size_t bytes)
{
	uint64_t value = 0;
	memcpy(&value, at, bytes); /* little-endian machines only, as everywhere in frames */
	return value;
}

static bool encode_record(const struct record *r, const char *base, struct buf *out);

static bool encode_element(const struct field *f, const char *at, struct buf *out)
{
	size_t bytes = scalar_bytes(f->kind);
	if (bytes) {
		put_number(out, load(at, bytes), bytes);
		return true;
	}
	if (f->kind == FIELD_RECORD)
		return encode_record(f->record, at, out);
	struct str s;
	memcpy(&s, at, sizeof(s));
	if (s.n > f->max)
		return false;
	put_number(out, s.n, 4);
	buf_adds(out, s);
	return true;
}

static void flat_to_wire(const struct field *f, const char *at, size_t n, char *to)
{
	if (f->kind != FIELD_RECORD) {
		memcpy(to, at, n * scalar_bytes(f->kind));
		return;
	}
	const struct record *r = f->record;
	for (; n > 0; n--, at += r->size)
		for (size_t i = 0; i < r->n; i++) {
			size_t bytes = scalar_bytes(r->fields[i].kind);
			copy_scalar(to, at + r->fields[i].offset, bytes);
			to += bytes;
		}
}

static bool encode_field(const struct field *f, const char *at, struct buf *out)
{
	if (!f->list_max)
		return encode_element(f, at, out);
	struct any_list list;
	memcpy(&list, at, sizeof(list));
	if (list.n > f->list_max)
		return false;
	put_number(out, list.n, 4);
	size_t flat = flat_bytes(f);
	if (flat && list.n) {
		char *to = buf_reserve(out, list.n * flat);
		if (to) {
			flat_to_wire(f, list.items, list.n, to);
			buf_used(out, list.n * flat);
		}
		return to != NULL;
	}
	for (size_t i = 0; i < list.n; i++)
		if (!encode_element(f, (const char *)list.items + i * element_bytes(f), out))
			return false;
	return true;
}

static bool encode_fields(const struct record *r, size_t n, const char *base, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		if (!encode_field(&r->fields[i], base + r->fields[i].offset, out))
			return false;
	return true;
}

static bool encode_record(const struct record *r, const char *base, struct buf *out)
{
	return encode_fields(r, r->n, base, out);
}

static bool is_zero(const struct field *f, const char *at)
{
	struct any_list list;
	struct str s;
	size_t bytes = scalar_bytes(f->kind);
	if (f->list_max) {
		memcpy(&list, at, sizeof(list));
		return list.n == 0;
	}
	if (bytes || f->kind == FIELD_RECORD)
		return bytes && load(at, bytes) == 0;
	memcpy(&s, at, sizeof(s));
	return s.n == 0;
}

/* Fields at the end that are zero are not sent: who does not know the newest yet gets them only
 * when they say something. */
static size_t fields_to_send(const struct record *r, const char *base)
{
	size_t n = r->n;
	while (n > 1 && is_zero(&r->fields[n - 1], base + r->fields[n - 1].offset))
		n--;
	return n;
}

bool frame_encode(const struct frame *frame, uint32_t request, struct buf *out)
{
	const struct frame_info *info = info_of((uint16_t)frame->type);
	size_t start = out->n;
	bool was_full = out->full;
	if (info == NULL)
		return false;
	out->full = false;
	put_number(out, 0, 4);
	put_number(out, info->type, 2);
	put_number(out, FRAME_VERSION, 2);
	put_number(out, request, 4);
	const struct record *r = &info->record;
	size_t n = fields_to_send(r, (const char *)frame);
	bool good = encode_fields(r, n, (const char *)frame, out) && !out->full;
	size_t length = good ? out->n - start - FRAME_HEADER_BYTES : 0;
	if (!good || length > LIMIT_FRAME_BYTES) {
		buf_truncate(out, start);
		out->full = was_full;
		return false;
	}
	for (size_t i = 0; i < 4; i++)
		out->p[start + i] = (char)(length >> (8 * i) & 255);
	out->full = was_full;
	return true;
}

/* ---- decoding ---- */

struct input {
	const char *p;
	size_t n;
	struct arena *arena;
};

static bool take_number(struct input *in, size_t bytes, void *to)
{
	if (in->n < bytes)
		return false;
	memcpy(to, in->p, bytes);
	in->p += bytes;
	in->n -= bytes;
	return true;
}

static bool decode_record(const struct record *r, struct input *in, char *base, bool may_end);

static bool decode_element(const struct field *f, struct input *in, char *to)
{
	size_t bytes = scalar_bytes(f->kind);
	uint32_t n;
	if (f->kind == FIELD_RECORD)
		return decode_record(f->record, in, to, false);
	if (f->kind == FIELD_BOOL) { /* any other value would be undefined as a C bool */
		if (in->n < 1 || (unsigned char)in->p[0] > 1)
			return false;
	}
	if (bytes)
		return take_number(in, bytes, to);
	if (!take_number(in, 4, &n) || n > f->max || n > in->n)
		return false;
	struct str s = str_make(in->p, n);
	memcpy(to, &s, sizeof(s));
	in->p += n;
	in->n -= n;
	return true;
}

/* The fewest bytes an element takes on the wire, so that a count can be checked before memory is
 * taken for it. */
static size_t least_bytes(const struct field *f)
{
	size_t bytes = scalar_bytes(f->kind);
	if (bytes)
		return bytes;
	if (f->kind != FIELD_RECORD)
		return 4;
	size_t sum = 0;
	for (size_t i = 0; i < f->record->n; i++)
		sum += f->record->fields[i].list_max ? 4 : least_bytes(&f->record->fields[i]);
	return sum;
}

/* All of it is there. False: a bool that is none. */
static bool flat_from_wire(const struct field *f, const char *from, size_t n, char *to)
{
	if (f->kind != FIELD_RECORD) {
		memcpy(to, from, n * scalar_bytes(f->kind));
		return true;
	}
	const struct record *r = f->record;
	for (; n > 0; n--, to += r->size)
		for (size_t i = 0; i < r->n; i++) {
			size_t bytes = scalar_bytes(r->fields[i].kind);
			if (r->fields[i].kind == FIELD_BOOL && (unsigned char)*from > 1)
				return false;
			copy_scalar(to + r->fields[i].offset, from, bytes);
			from += bytes;
		}
	return true;
}

static bool decode_field(const struct field *f, struct input *in, char *to)
{
	if (!f->list_max)
		return decode_element(f, in, to);
	uint32_t n;
	if (!take_number(in, 4, &n) || n > f->list_max || n > in->n / least_bytes(f))
		return false;
	size_t size = element_bytes(f);
	char *items = arena_array(in->arena, n, size);
	if (items == NULL)
		return false;
	struct any_list list = { items, n };
	memcpy(to, &list, sizeof(list));
	size_t flat = flat_bytes(f);
	if (flat && n) {
		if (!flat_from_wire(f, in->p, n, items))
			return false;
		in->p += n * flat;
		in->n -= n * flat;
		return true;
	}
	for (size_t i = 0; i < n; i++)
		if (!decode_element(f, in, items + i * size))
			return false;
	return true;
}

/* may_end: fields that an older sender did not know are zero; inside lists all must be there. */
static bool decode_record(const struct record *r, struct input *in, char *base, bool may_end)
{
	for (size_t i = 0; i < r->n; i++) {
		if (may_end && in->n == 0)
			return true;
		if (!decode_field(&r->fields[i], in, base + r->fields[i].offset))
			return false;
	}
	return true;
}

int frame_header_decode(struct str bytes, struct frame_header *ret, struct err *err)
{
	struct input in = { bytes.p, bytes.n, NULL };
	struct frame_header h;
	if (!take_number(&in, 4, &h.length) || !take_number(&in, 2, &h.type) ||
		!take_number(&in, 2, &h.version) || !take_number(&in, 4, &h.request))
		return fail(err, ERR_SYNTAX, "frame header is short");
	if (h.version != FRAME_VERSION)
		return fail(err, ERR_SYNTAX, "frame version %u", h.version);
	if (h.length > LIMIT_FRAME_BYTES)
		return fail(err, ERR_SYNTAX, "frame of %" PRIu32 " bytes", h.length);
	*ret = h;
	return 0;
}

int frame_decode(const struct frame_header *header, struct str payload, struct arena *arena,
	struct frame *ret, struct err *err)
{
	const struct frame_info *info = info_of(header->type);
	if (info == NULL)
		return fail(err, ERR_SYNTAX, "unknown frame %u", header->type);
	struct input in = { payload.p, payload.n, arena };
	struct frame frame;
	memset(&frame, 0, sizeof(frame));
	frame.type = (enum frame_type)info->type;
	if (payload.n != header->length ||
		!decode_record(&info->record, &in, (char *)&frame, true) || in.n != 0)
		return fail(err, ERR_SYNTAX, "malformed frame %s", info->name);
	*ret = frame;
	return 0;
}

/* ---- what frames are ---- */

bool frame_allowed(uint16_t type, int from, int to)
{
	const struct frame_info *info = info_of(type);
	return info && (info->from >> from & 1) && (info->to >> to & 1);
}

bool frame_is_bulk(uint16_t type)
{
	const struct frame_info *info = info_of(type);
	return info && info->bulk;
}

bool frame_ends_answer(const struct frame *frame)
{
	const struct frame_info *info = info_of((uint16_t)frame->type);
	if (info == NULL || info->goes_on)
		return info == NULL;
	for (size_t i = 0; i < info->record.n; i++) {
		const struct field *f = &info->record.fields[i];
		if (f->kind == FIELD_BOOL && strcmp(f->name, "last") == 0)
			return load((const char *)frame + f->offset, 1) != 0;
	}
	return true;
}

const char *frame_name(uint16_t type)
{
	const struct frame_info *info = info_of(type);
	return info ? info->name : "unknown";
}

/* ---- printing ---- */

static void print_record(const struct record *r, const char *base, struct buf *out);

static void print_element(const struct field *f, const char *at, struct buf *out)
{
	size_t bytes = scalar_bytes(f->kind);
	struct str s;
	if (bytes) {
		buf_addf(out, "%" PRIu64, load(at, bytes));
		return;
	}
	if (f->kind == FIELD_RECORD) {
		buf_addc(out, '{');
		print_record(f->record, at, out);
		buf_addc(out, '}');
		return;
	}
	memcpy(&s, at, sizeof(s));
	if (f->kind == FIELD_BYTES)
		buf_addf(out, "(%zu bytes)", s.n);
	else
		buf_addf(out, "\"%" STR_FMT "\"", STR_ARG(s));
}

static void print_field(const struct field *f, const char *at, struct buf *out)
{
	buf_addf(out, "%s=", f->name);
	if (!f->list_max) {
		print_element(f, at, out);
		return;
	}
	struct any_list list;
	memcpy(&list, at, sizeof(list));
	buf_addc(out, '[');
	for (size_t i = 0; i < list.n; i++) {
		if (i)
			buf_addc(out, ' ');
		print_element(f, (const char *)list.items + i * element_bytes(f), out);
	}
	buf_addc(out, ']');
}

static void print_record(const struct record *r, const char *base, struct buf *out)
{
	for (size_t i = 0; i < r->n; i++) {
		if (i)
			buf_addc(out, ' ');
		print_field(&r->fields[i], base + r->fields[i].offset, out);
	}
}

void frame_print(const struct frame *frame, struct buf *out)
{
	const struct frame_info *info = info_of((uint16_t)frame->type);
	buf_addz(out, frame_name((uint16_t)frame->type));
	if (info && info->record.n) {
		buf_addc(out, ' ');
		print_record(&info->record, (const char *)frame, out);
	}
}
