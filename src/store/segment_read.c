// SPDX-License-Identifier: Apache-2.0
/*
 * Reading: a range of a body, a prefix, a whole record to verify. Every byte that is handed out
 * stood under a checksum that was compared, and in a record that says it belongs where it was
 * found; so a flipped bit, a lost or misdirected write, or a stale block is an error and never
 * wrong mail (hostile-input G5).
 */
#include "store/segment_private.h"

#include "base/planted.h"
#include "store/sha256.h"

#include <assert.h>
#include <stdlib.h>

/* A record's header and the longest table fit twice over, as does a chunk. */
#define WINDOW_BYTES (192 * 1024)
_Static_assert(WINDOW_BYTES >= RECORD_HEADER_BYTES + SEGMENT_BLOCK * 2 +
				       LIMIT_BODY_BYTES / LIMIT_CHUNK_BYTES * RECORD_CHUNK_BYTES,
	"a header and its table fit a window");

struct segment_reader *segment_reader_new(struct segments *s)
{
	struct segment_reader *r = xmalloc(sizeof(*r));
	*r = (struct segment_reader){ .s = s, .fixed_file = -1 };
	r->coder = chunk_coder_new();
	r->hashes = sha256_pool_new();
	void *window;
	if (posix_memalign(&window, SEGMENT_BLOCK, WINDOW_BYTES) != 0)
		mem_exhausted();
	r->window = window;
	r->chunk = xmalloc(LIMIT_CHUNK_BYTES);
	return r;
}

void segment_reader_free(struct segment_reader **reader)
{
	struct segment_reader *r = *reader;
	if (r == NULL)
		return;
	chunk_coder_free(&r->coder);
	sha256_pool_free(&r->hashes);
	free(r->window);
	free(r->chunk);
	free(r->chunks);
	free(r->chunk_at);
	free(r);
	*reader = NULL;
}

/* ---- bytes ---- */

/* Fills the window from block `at` on with n bytes, or as many as there are below the limit. */
static int fill_window(
	struct segment_reader *r, uint32_t number, uint64_t at, size_t n, struct err *err)
{
	struct segments *s = r->s;
	int file = r->fixed_file;
	uint64_t limit = r->fixed_limit;
	r->window_n = 0;
	if (file < 0 && segment_acquire(s, number, &file, &limit, err) < 0)
		return -1;
	ssize_t got = at < limit ? segment_pread(s->files, file, r->window, n, at) : 0;
	if (r->fixed_file < 0)
		segment_release(s, number, file);
	if (got < 0)
		return FAIL_SEAM(
			err, got, "can't read segment %u at %llu", number, (unsigned long long)at);
	segment_overlay(s, number, r->window, (size_t)got, at);
	/* Bytes behind the flushed length may still change. */
	r->window_n = (uint64_t)got > limit - at ? (size_t)(limit - at) : (size_t)got;
	r->window_segment = number;
	r->window_at = at;
	return 0;
}

static bool in_window(const struct segment_reader *r, uint32_t number, uint64_t at, size_t n)
{
	/* No sum of what a damaged row says: it may go round. */
	return r->window_n && number == r->window_segment && at >= r->window_at &&
	       at - r->window_at <= r->window_n && n <= r->window_n - (at - r->window_at);
}

const uint8_t *segment_window(
	struct segment_reader *r, uint32_t number, uint64_t at, size_t n, struct err *err)
{
	assert(n <= WINDOW_BYTES - 2 * SEGMENT_BLOCK);
	if (!in_window(r, number, at, n)) {
		/* Whoever goes on where he was gets what follows at once; others their blocks. */
		uint64_t block = at & ~(uint64_t)(SEGMENT_BLOCK - 1);
		bool follows = in_window(r, number, at, 0);
		size_t want = follows ? WINDOW_BYTES : segment_block_up(at + n) - block;
		if (fill_window(r, number, block, want, err) < 0)
			return NULL;
	}
	if (in_window(r, number, at, n))
		return r->window + (at - r->window_at);
	fail_log(err, ERR_CORRUPT, "segment %u ends before %llu", number,
		(unsigned long long)(at + n));
	return NULL;
}

/* ---- header and table ---- */

static void reserve_chunks(struct segment_reader *r, uint32_t n)
{
	if (n <= r->chunks_cap)
		return;
	free(r->chunks);
	free(r->chunk_at);
	r->chunks = xcalloc(n, sizeof(*r->chunks));
	r->chunk_at = xcalloc(n, sizeof(*r->chunk_at));
	r->chunks_cap = n;
}

int segment_load(struct segment_reader *r, uint32_t number, uint64_t offset, struct err *err)
{
	struct record_header h;
	r->have_record = false;
	const uint8_t *p = segment_window(r, number, offset, RECORD_HEADER_BYTES, err);
	if (p == NULL || record_get_header(r->s->seed, p, &h, err) < 0)
		return -1;
	if (h.segment != number || h.offset != offset)
		return fail_log(err, ERR_CORRUPT, "a record for segment %u, %llu stands elsewhere",
			h.segment, (unsigned long long)h.offset);
	size_t table = (size_t)h.n_chunks * RECORD_CHUNK_BYTES;
	p = segment_window(r, number, offset + RECORD_HEADER_BYTES, table, err);
	if (p == NULL)
		return -1;
	reserve_chunks(r, h.n_chunks);
	if (record_get_table(r->s->seed, &h, p, r->chunks, err) < 0)
		return -1;
	uint64_t at = offset + record_chunks_at(&h);
	for (uint32_t i = 0; i < h.n_chunks; i++) {
		r->chunk_at[i] = at;
		at += r->chunks[i].stored_length;
	}
	r->header = h;
	r->have_record = true;
	return 0;
}

int segment_load_ref(struct segment_reader *r, const struct blob_ref *ref, struct err *err)
{
	const struct record_header *h = &r->header;
	if (r->have_record && h->blob_id == ref->id && h->segment == ref->segment &&
		h->offset == ref->offset && h->stored_length == ref->length)
		return 0;
	/* Most messages are small: one read for all of it. What does not fit comes by parts. */
	size_t whole = ref->length < WINDOW_BYTES / 2 ? (size_t)ref->length : WINDOW_BYTES / 2;
	if (ref->length >= RECORD_HEADER_BYTES &&
		segment_window(r, ref->segment, ref->offset, whole, err) == NULL)
		return -1;
	if (segment_load(r, ref->segment, ref->offset, err) < 0)
		return -1;
	if (h->blob_id == ref->id && h->stored_length == ref->length)
		return 0;
	r->have_record = false;
	return fail_log(err, ERR_CORRUPT, "segment %u has another record at %llu", ref->segment,
		(unsigned long long)ref->offset);
}

int segment_read_header(struct segment_reader *r, const struct blob_ref *ref,
	struct segment_body *ret, struct err *err)
{
	if (segment_load_ref(r, ref, err) < 0)
		return -1;
	ret->raw_length = r->header.raw_length;
	memcpy(ret->sha256, r->header.sha256, sizeof(ret->sha256));
	return 0;
}

/* ---- chunks ---- */

/* The stored bytes of chunk i, their checksum compared. */
static const uint8_t *stored_chunk(struct segment_reader *r, uint32_t i, struct err *err)
{
	const struct record_chunk *c = &r->chunks[i];
	const uint8_t *p = segment_window(
		r, r->header.segment, r->chunk_at[i], c->stored_length, err);
	if (p == NULL || planted("checksum_ignored") ||
		record_chunk_crc(r->s->seed, r->header.blob_id, i, p, c->stored_length) == c->crc)
		return p;
	fail_log(err, ERR_CORRUPT, "chunk %u of the record at %u, %llu has a wrong checksum", i,
		r->header.segment, (unsigned long long)r->header.offset);
	return NULL;
}

/* Decodes chunk i into out. */
static int read_chunk(struct segment_reader *r, uint32_t i, uint8_t *out, struct err *err)
{
	const uint8_t *stored = stored_chunk(r, i, err);
	return stored == NULL ? -1 : chunk_decode(r->coder, &r->chunks[i], stored, out, err);
}

/* The decoded chunk i, kept until another is asked for. */
static const uint8_t *kept_chunk(struct segment_reader *r, uint32_t i, struct err *err)
{
	if (r->have_chunk && r->chunk_blob == r->header.blob_id && r->chunk_index == i)
		return r->chunk;
	r->have_chunk = false;
	if (read_chunk(r, i, r->chunk, err) < 0)
		return NULL;
	r->have_chunk = true;
	r->chunk_blob = r->header.blob_id;
	r->chunk_index = i;
	return r->chunk;
}

ssize_t segment_read(struct segment_reader *r, const struct blob_ref *ref, uint64_t offset, void *p,
	size_t n, struct err *err)
{
	if (segment_load_ref(r, ref, err) < 0)
		return -1;
	uint64_t left = offset < r->header.raw_length ? r->header.raw_length - offset : 0;
	if (n > left)
		n = (size_t)left;
	uint8_t *to = p;
	for (size_t done = 0; done < n;) {
		uint32_t i = (uint32_t)((offset + done) / LIMIT_CHUNK_BYTES);
		size_t from = (offset + done) % LIMIT_CHUNK_BYTES;
		size_t part = r->chunks[i].raw_length - from;
		if (part <= n - done && from == 0) { /* all of the chunk: no copy of it is kept */
			if (read_chunk(r, i, to + done, err) < 0)
				return -1;
		} else {
			const uint8_t *chunk = kept_chunk(r, i, err);
			if (chunk == NULL)
				return -1;
			part = part < n - done ? part : n - done;
			memcpy(to + done, chunk + from, part);
		}
		done += part;
	}
	return (ssize_t)n;
}

/* ---- prefixes ---- */

/* The verified recipient at a place of a record; its prefix lies in the window. */
static int recipient_at(struct segment_reader *r, const struct blob_ref *ref, uint32_t prefix_at,
	struct record_recipient *ret, struct err *err)
{
	if (prefix_at < RECORD_HEADER_BYTES || prefix_at > ref->length)
		return fail_log(err, ERR_CORRUPT, "a prefix lies outside of its record");
	uint64_t most = record_recipient_length(LIMIT_PREFIX_BYTES);
	size_t length = (size_t)(ref->length - prefix_at < most ? ref->length - prefix_at : most);
	const uint8_t *bytes = segment_window(
		r, ref->segment, ref->offset + prefix_at, length, err);
	uint32_t index;
	size_t used;
	return bytes == NULL ? -1
			     : record_get_recipient(
				       r->s->seed, bytes, length, ref->id, ret, &index, &used, err);
}

ssize_t segment_read_prefix(struct segment_reader *r, const struct blob_ref *ref,
	uint32_t prefix_at, void *p, size_t n, struct err *err)
{
	struct record_recipient recipient;
	if (recipient_at(r, ref, prefix_at, &recipient, err) < 0)
		return -1;
	if (recipient.prefix.n > n)
		return fail_log(err, ERR_LIMIT, "a prefix is longer than there is room for");
	if (recipient.prefix.n)
		memcpy(p, recipient.prefix.p, recipient.prefix.n);
	return (ssize_t)recipient.prefix.n;
}

int segment_read_recipient(struct segment_reader *r, const struct blob_ref *ref, uint32_t prefix_at,
	struct record_recipient *ret, struct err *err)
{
	if (recipient_at(r, ref, prefix_at, ret, err) < 0)
		return -1;
	ret->prefix.p = NULL;
	return 0;
}

int segment_find(struct segment_reader *r, uint64_t id, struct blob_ref *ret, uint64_t *ret_size,
	uint8_t ret_sha256[32], struct err *err)
{
	uint64_t offset = (id & UINT32_MAX) * RECORD_ALIGN;
	if (segment_load(r, (uint32_t)(id >> 32), offset, err) < 0)
		return -1;
	const struct record_header *h = &r->header;
	if (h->blob_id != id)
		return fail_log(err, ERR_CORRUPT, "another record stands there");
	*ret = (struct blob_ref){ id, h->segment, h->offset, h->stored_length };
	*ret_size = h->raw_length;
	memcpy(ret_sha256, h->sha256, sizeof(h->sha256));
	return 0;
}

/* ---- verifying ---- */

int segment_verify_recipients(struct segment_reader *r, struct err *err)
{
	const struct record_header *h = &r->header;
	uint64_t at = record_recipients_at(h), end = record_chunks_at(h);
	uint64_t most = record_recipient_length(LIMIT_PREFIX_BYTES);
	for (uint32_t i = 0; i < h->n_recipients; i++) {
		struct record_recipient recipient;
		uint32_t index;
		size_t used, n = (size_t)(end - at < most ? end - at : most);
		const uint8_t *p = segment_window(r, h->segment, h->offset + at, n, err);
		if (p == NULL || record_get_recipient(r->s->seed, p, n, h->blob_id, &recipient,
					 &index, &used, err) < 0)
			return -1;
		if (index != i)
			return fail_log(err, ERR_CORRUPT, "recipient %u stands in the place of %u",
				index, i);
		at += used;
	}
	if (at != end)
		return fail_log(err, ERR_CORRUPT, "a record's recipients do not fill their part");
	return 0;
}

/* The padding is the one part without a checksum; all it can be is zero. */
static int verify_padding(struct segment_reader *r, struct err *err)
{
	const struct record_header *h = &r->header;
	uint64_t at = h->offset + record_chunks_at(h), end = h->offset + h->stored_length;
	if (h->n_chunks)
		at = r->chunk_at[h->n_chunks - 1] + r->chunks[h->n_chunks - 1].stored_length;
	const uint8_t *p = segment_window(r, h->segment, at, (size_t)(end - at), err);
	if (p == NULL)
		return -1;
	for (; at < end; at++, p++)
		if (*p)
			return fail_log(err, ERR_CORRUPT, "a record is not padded with zeros");
	return 0;
}

static int verify_bodies(struct segment_reader *r, struct err *err)
{
	uint8_t sha256[SHA256_BYTES];
	struct sha256 *hash = sha256_begin(r->hashes);
	r->have_chunk = false; /* its memory is used */
	for (uint32_t i = 0; i < r->header.n_chunks; i++) {
		if (read_chunk(r, i, r->chunk, err) < 0) {
			sha256_drop(r->hashes, &hash);
			return -1;
		}
		sha256_add(hash, str_make(r->chunk, r->chunks[i].raw_length));
	}
	sha256_end(r->hashes, &hash, sha256);
	if (memcmp(sha256, r->header.sha256, sizeof(sha256)) != 0)
		return fail_log(err, ERR_CORRUPT, "a body does not have its SHA-256");
	return 0;
}

static int verify_stored(struct segment_reader *r, struct err *err)
{
	for (uint32_t i = 0; i < r->header.n_chunks; i++)
		if (stored_chunk(r, i, err) == NULL)
			return -1;
	return 0;
}

int segment_verify_chunks(struct segment_reader *r, bool bodies, struct err *err)
{
	if ((bodies ? verify_bodies : verify_stored)(r, err) < 0)
		return -1;
	return verify_padding(r, err);
}

int segment_verify(struct segment_reader *r, const struct blob_ref *ref,
	const struct segment_body *expected, struct err *err)
{
	if (segment_load_ref(r, ref, err) < 0)
		return -1;
	if (r->header.raw_length != expected->raw_length ||
		memcmp(r->header.sha256, expected->sha256, sizeof(expected->sha256)) != 0)
		return fail_log(err, ERR_CORRUPT,
			"the record at %u, %llu has another length or hash than its row",
			ref->segment, (unsigned long long)ref->offset);
	if (segment_verify_recipients(r, err) < 0)
		return -1;
	return segment_verify_chunks(r, true, err);
}
