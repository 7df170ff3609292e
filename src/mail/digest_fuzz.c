// SPDX-License-Identifier: Apache-2.0
/* A digest is a claim: whatever its bytes, it opens or not, and walking over one that opened stays
 * within the digest and within the message. The first two bytes are the size of the message. */
#include "base/fuzz.h"
#include "mail/digest.h"

static void check_part(const struct digest *d, const struct digest_part *part)
{
	struct digest_part other;
	struct str params = part->disposition_params, name, value;
	FUZZ_CHECK(part->body_at <= d->size && part->body_size <= d->size - part->body_at);
	FUZZ_CHECK(part->lines <= part->body_size);
	bool has_child = digest_first_child(d, part, &other);
	FUZZ_CHECK(has_child == (part->kind != DIGEST_LEAF));
	if (has_child)
		FUZZ_CHECK(other.header_at >= part->body_at && other.depth == part->depth + 1);
	if (digest_next_sibling(d, part, &other))
		FUZZ_CHECK(other.header_at >= part->body_at + part->body_size);
	while (digest_param_next(&params, &name, &value))
		;
	FUZZ_CHECK(params.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest d;
	if (size < 2)
		return 0;
	uint64_t body_size = (uint64_t)(data[0] | data[1] << 8);
	if (!digest_open(&d, str_make(data + 2, size - 2), body_size))
		return 0;
	struct digest_part part = digest_root(&d);
	uint32_t parts = 0;
	for (bool more = true; more; more = digest_next(&d, &part, &part), parts++)
		check_part(&d, &part);
	FUZZ_CHECK(parts == d.parts && parts >= 1);
	uint32_t path[3] = { 1, 2, 1 };
	for (size_t n = 1; n <= 3; n++)
		digest_find(&d, path, n, &part);
	return 0;
}
