// SPDX-License-Identifier: Apache-2.0
/*
 * Manifests from bytes that may be anything; the second run sets the checksum at the end, so that
 * the mutator gets past it. Property: what is taken is written again as the same bytes, and its
 * segments rise.
 */
#include "store/manifest.h"

#include "base/fuzz.h"
#include "base/limits.h"
#include "store/restored.h"

static bool try(struct str text)
{
	struct manifest m;
	struct err err;
	struct buf out;
	bool taken = manifest_parse(text, &m, &err) == 0;
	buf_init(&out, LIMIT_MANIFEST_BYTES);
	if (taken) {
		FUZZ_CHECK(manifest_write(&m, &out) && str_equal(buf_str(&out), text));
		VEC_EACH (struct manifest_file, f, &m.segments)
			FUZZ_CHECK(manifest_find(&m, f->number) == f);
		FUZZ_CHECK(manifest_find(&m, 0) == NULL);
	}
	buf_done(&out);
	manifest_done(&m);
	return taken;
}

/* The text up to its line "end", with a checksum that fits. */
static void set_sum(struct str text, struct buf *out)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t sum[SHA256_BYTES];
	struct str body = str_sub(text, 0, str_search(text, STR("\nend ")) + 1);
	struct sha256_pool *pool = sha256_pool_new();
	struct sha256 *h = sha256_begin(pool);
	sha256_add(h, body);
	sha256_end(pool, &h, sum);
	sha256_pool_free(&pool);
	buf_adds(out, body);
	buf_addz(out, "end ");
	for (size_t i = 0; i < sizeof(sum); i++)
		buf_addf(out, "%c%c", digits[sum[i] >> 4], digits[sum[i] & 15]);
	buf_addc(out, '\n');
}

/* The mark of a restore, which the command writes and the store reads: the same property. */
static void try_mark(struct str text)
{
	struct restored mark;
	struct err err;
	struct buf out;
	if (restored_parse(text, &mark, &err) < 0)
		return;
	buf_init(&out, 1024);
	restored_write(&mark, &out);
	FUZZ_CHECK(str_equal(buf_str(&out), text));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf fixed;
	struct str text = str_make(data, size);
	try_mark(text);
	if (try(text))
		return 0;
	buf_init(&fixed, LIMIT_MANIFEST_BYTES);
	set_sum(text, &fixed);
	(void)try(buf_str(&fixed));
	buf_done(&fixed);
	return 0;
}
