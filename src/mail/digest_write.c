// SPDX-License-Identifier: Apache-2.0
/* Writing a digest. A record's length is put in when the next one that is no descendant begins. */
#include "mail/digest_private.h"

#include <assert.h>

size_t digest_varint_size(uint64_t value)
{
	size_t n = 1;
	while (value >>= 7)
		n++;
	return n;
}

bool digest_put_varint(struct buf *out, uint64_t value)
{
	unsigned char bytes[10];
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		bytes[n++] = (unsigned char)(value | 0x80);
	bytes[n++] = (unsigned char)value;
	return buf_add(out, bytes, n);
}

bool digest_put_string(struct buf *out, struct str s)
{
	return digest_put_varint(out, s.n) && buf_adds(out, s);
}

bool digest_put_entry(struct buf *out, uint8_t entry, struct str s)
{
	return buf_addc(out, (char)entry) && digest_put_string(out, s);
}

size_t digest_record_size(const struct digest_record *r)
{
	return 4 + 1 + digest_varint_size(r->flags) + 1 + digest_varint_size(r->header_at) +
	       digest_varint_size(r->header_size) + digest_varint_size(r->body_size) +
	       digest_varint_size(r->lines) + 1 + 1;
}

static void put_u32_at(struct buf *b, size_t at, size_t value)
{
	for (size_t i = 0; i < 4; i++, value >>= 8)
		b->p[at + i] = (char)(value & 0xff);
}

/* The envelope's bytes in the heap: u32 length, bytes. */
static struct str heap_envelope(struct str heap, uint32_t at)
{
	uint32_t n;
	memcpy(&n, heap.p + at, sizeof(n));
	return str_sub(heap, at + sizeof(n), n);
}

static bool put_record(struct buf *out, const struct digest_record *r, struct str heap)
{
	bool fits = buf_add(out, "\0\0\0", 4) && buf_addc(out, (char)r->kind) &&
		    digest_put_varint(out, r->flags) && buf_addc(out, (char)r->depth) &&
		    digest_put_varint(out, r->header_at) &&
		    digest_put_varint(out, r->header_size) &&
		    digest_put_varint(out, r->body_size) && digest_put_varint(out, r->lines) &&
		    buf_addc(out, (char)r->encoding) &&
		    buf_adds(out, str_sub(heap, r->entries_at, r->entries_n));
	if (r->kind == DIGEST_MESSAGE && r->envelope_at != 0)
		fits = fits &&
		       digest_put_entry(out, ENTRY_ENVELOPE, heap_envelope(heap, r->envelope_at));
	return fits && buf_addc(out, 0);
}

bool digest_write(struct buf *out, const struct digest_head *head,
	const struct digest_record *records, size_t n, struct str heap)
{
	size_t open[LIMIT_MIME_DEPTH + 2] = { 0 }; /* where the records that are open begin */
	size_t depth = 0;
	bool fits = buf_addc(out, DIGEST_FORMAT_VERSION) && buf_addc(out, DIGEST_PARSER_VERSION) &&
		    digest_put_varint(out, head->flags) && digest_put_varint(out, head->size) &&
		    digest_put_varint(out, head->header_size) &&
		    digest_put_varint(out, head->lines) && digest_put_varint(out, n) &&
		    buf_adds(out, head->envelope) && digest_put_string(out, head->preview);
	for (size_t i = 0; i < n && fits; i++) {
		assert(records[i].depth <= depth && records[i].depth < LIMIT_MIME_DEPTH + 2);
		for (; depth > records[i].depth; depth--)
			put_u32_at(out, open[depth - 1], out->n - open[depth - 1]);
		open[depth++] = out->n;
		fits = put_record(out, &records[i], heap);
	}
	for (; depth > 0 && fits; depth--)
		put_u32_at(out, open[depth - 1], out->n - open[depth - 1]);
	return fits;
}
