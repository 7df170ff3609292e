// SPDX-License-Identifier: Apache-2.0
/*
 * Gathering the fields of a header block that the digest needs, line by line. All others pass
 * without being kept, so a block of any size costs what these fields may hold (hostile-input M2).
 */
#include "mail/mime_private.h"

#include "base/abnf.h"

/* The most bytes kept of a value, each: together with the parts they fit LIMIT_DIGEST_BYTES. A
 * message inside a message gets an eighth. */
static const struct {
	struct str name;
	size_t max;
} wanted[WANTED_FIELDS] = {
	[DIGEST_DATE] = { STR_INIT("Date"), 1024 },
	[DIGEST_SUBJECT] = { STR_INIT("Subject"), 8 * 1024 },
	[DIGEST_FROM] = { STR_INIT("From"), 16 * 1024 },
	[DIGEST_SENDER] = { STR_INIT("Sender"), 4 * 1024 },
	[DIGEST_REPLY_TO] = { STR_INIT("Reply-To"), 8 * 1024 },
	[DIGEST_TO] = { STR_INIT("To"), 48 * 1024 },
	[DIGEST_CC] = { STR_INIT("Cc"), 48 * 1024 },
	[DIGEST_BCC] = { STR_INIT("Bcc"), 16 * 1024 },
	[DIGEST_IN_REPLY_TO] = { STR_INIT("In-Reply-To"), 4 * 1024 },
	[DIGEST_MESSAGE_ID] = { STR_INIT("Message-ID"), 2 * 1024 },
	[DIGEST_REFERENCES] = { STR_INIT("References"), 16 * 1024 },
	[WANTED_TYPE] = { STR_INIT("Content-Type"), 16 * 1024 },
	[WANTED_ENCODING] = { STR_INIT("Content-Transfer-Encoding"), 1024 },
	[WANTED_ID] = { STR_INIT("Content-ID"), 1024 },
	[WANTED_DESCRIPTION] = { STR_INIT("Content-Description"), 4 * 1024 },
	[WANTED_MD5] = { STR_INIT("Content-MD5"), 256 },
	[WANTED_DISPOSITION] = { STR_INIT("Content-Disposition"), 16 * 1024 },
	[WANTED_LANGUAGE] = { STR_INIT("Content-Language"), 1024 },
	[WANTED_LOCATION] = { STR_INIT("Content-Location"), 4 * 1024 },
};

enum { NESTED_SHARE = 8, KEPT_BYTES = 2048 };

void fields_init(struct fields *f)
{
	for (size_t i = 0; i < WANTED_FIELDS; i++)
		buf_init(&f->value[i], wanted[i].max);
	fields_reset(f, true, false);
}

void fields_done(struct fields *f)
{
	for (size_t i = 0; i < WANTED_FIELDS; i++)
		buf_done(&f->value[i]);
}

void fields_reset(struct fields *f, bool is_message, bool is_nested)
{
	for (size_t i = 0; i < WANTED_FIELDS; i++) {
		if (f->value[i].cap > KEPT_BYTES)
			buf_release(&f->value[i]);
		buf_clear(&f->value[i]);
	}
	f->seen = f->duplicates = f->truncated = 0;
	f->current = -1;
	f->any = f->broken = false;
	f->is_message = is_message;
	f->is_nested = is_nested;
}

static size_t value_max(const struct fields *f, int field)
{
	bool shared = f->is_nested && field < DIGEST_FIELDS;
	return shared ? wanted[field].max / NESTED_SHARE : wanted[field].max;
}

/* Keeps what fits; the line may be only the head of a longer one. */
static void append(struct fields *f, struct str text, bool is_cut)
{
	struct buf *b = &f->value[f->current];
	size_t room = value_max(f, f->current) - b->n;
	if (text.n > room) {
		text.n = room;
		is_cut = true;
	}
	buf_adds(b, text);
	if (is_cut)
		f->truncated |= 1u << f->current;
}

static int wanted_number(const struct fields *f, struct str name)
{
	for (int i = f->is_message ? 0 : DIGEST_FIELDS; i < WANTED_FIELDS; i++)
		if (str_equal_nocase(name, wanted[i].name))
			return i;
	return -1;
}

/* A field of the header.h reading. Of several the first counts (M7). */
static void field_start(struct fields *f, struct str line, bool is_cut)
{
	size_t n = 0;
	f->current = -1;
	f->any = true;
	while (n < line.n && n < LIMIT_FIELD_NAME_BYTES && abnf_is_ftext(line.p[n]))
		n++;
	size_t colon = n;
	while (colon < line.n && abnf_is_wsp(line.p[colon]))
		colon++;
	if (n == 0 || colon == line.n || line.p[colon] != ':' ||
		colon >= LIMIT_FIELD_NAME_BYTES + 2) {
		f->broken = true;
		return;
	}
	int number = wanted_number(f, str_make(line.p, n));
	if (number < 0)
		return;
	if (f->seen & 1u << number) {
		f->duplicates |= 1u << number;
		return;
	}
	f->seen |= 1u << number;
	f->current = number;
	append(f, str_from_offset(line, colon + 1), is_cut);
}

void fields_line(struct fields *f, struct str line, size_t len)
{
	bool is_cut = len > line.n;
	if (!abnf_is_wsp(line.p[0]) || !f->any)
		field_start(f, line, is_cut);
	else if (f->current >= 0)
		append(f, line, is_cut);
}

struct str fields_value(const struct fields *f, int field)
{
	if (!(f->seen & 1u << field))
		return STR_NONE;
	struct str value = str_trim(buf_str(&f->value[field]));
	return value.n ? value : STR("");
}

void fields_envelope(const struct fields *f, size_t max, struct buf *out, bool *ret_dropped)
{
	uint32_t mask = (1u << DIGEST_FIELDS) - 1, truncated = f->truncated & mask;
	size_t used = 1 + 3 + 3;
	*ret_dropped = false;
	for (int i = 0; i < DIGEST_FIELDS; i++) {
		struct str value = fields_value(f, i);
		size_t need = 1 + 5 + value.n;
		if (value.p == NULL)
			continue;
		if (need > max || used > max - need) {
			truncated |= 1u << i;
			*ret_dropped = true;
			continue;
		}
		digest_put_entry(out, (uint8_t)(i + 1), value);
		used += need;
	}
	buf_addc(out, 0);
	digest_put_varint(out, f->duplicates & mask);
	digest_put_varint(out, truncated);
}

size_t fields_memory(const struct fields *f)
{
	size_t sum = 0;
	for (size_t i = 0; i < WANTED_FIELDS; i++)
		sum += f->value[i].cap;
	return sum;
}
