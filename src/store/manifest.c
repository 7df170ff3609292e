// SPDX-License-Identifier: Apache-2.0
/* The manifest of a backup's point in time. */
#include "store/manifest.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "base/scan.h"

enum { VERSION = 1, SEGMENTS = 1 << 20 };

void manifest_init(struct manifest *m)
{
	*m = (struct manifest){ .epoch = 0 };
	vec_init(&m->segments, sizeof(struct manifest_file), SEGMENTS);
}

void manifest_done(struct manifest *m)
{
	vec_done(&m->segments);
}

const struct manifest_file *manifest_find(const struct manifest *m, uint32_t number)
{
	size_t low = 0, high = m->segments.n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct manifest_file *f = vec_at(&m->segments, middle);
		if (f->number == number)
			return f;
		if (f->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- writing ---- */

static void add_hex(struct buf *out, const uint8_t *p, size_t n)
{
	buf_add_hex(out, str_make(p, n));
	buf_addc(out, '\n');
}

static void add_sum(struct buf *out)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256_pool *pool = sha256_pool_new();
	struct sha256 *h = sha256_begin(pool);
	sha256_add(h, buf_str(out));
	sha256_end(pool, &h, sum);
	sha256_pool_free(&pool);
	buf_addz(out, "end ");
	add_hex(out, sum, sizeof(sum));
}

bool manifest_write(const struct manifest *m, struct buf *out)
{
	buf_clear(out);
	buf_addf(out, "culver-backup %d\nstore ", VERSION);
	add_hex(out, m->store_id, sizeof(m->store_id));
	buf_addz(out, "history ");
	add_hex(out, m->history, sizeof(m->history));
	buf_addf(out, "epoch %llu\nschema %u\ntime %lld\nledger %llu ",
		(unsigned long long)m->epoch, m->schema, (long long)m->time_ms,
		(unsigned long long)m->ledger.length);
	add_hex(out, m->ledger.sha256, SHA256_BYTES);
	VEC_EACH (struct manifest_file, f, &m->segments) {
		buf_addf(out, "segment %u %llu ", f->number, (unsigned long long)f->length);
		add_hex(out, f->sha256, SHA256_BYTES);
	}
	add_sum(out);
	return !out->full;
}

/* ---- parsing ---- */

static bool take_word(struct scan *s, const char *word)
{
	struct str w = str_from(word), got;
	return scan_bytes(s, w.n, &got) && str_equal(got, w) && scan_char(s, ' ');
}

static bool take_hex(struct scan *s, uint8_t *ret, size_t n)
{
	struct str text;
	return scan_bytes(s, 2 * n, &text) && abnf_hex_bytes(text, ret, n) && scan_char(s, '\n');
}

static bool take_number(struct scan *s, const char *word, uint64_t max, char end, uint64_t *ret)
{
	return take_word(s, word) && scan_number(s, max, ret) && scan_char(s, end);
}

static bool take_head(struct scan *s, struct manifest *m)
{
	uint64_t schema, time;
	bool good = take_word(s, "store") && take_hex(s, m->store_id, sizeof(m->store_id)) &&
		    take_word(s, "history") && take_hex(s, m->history, sizeof(m->history)) &&
		    take_number(s, "epoch", INT64_MAX, '\n', &m->epoch) &&
		    take_number(s, "schema", INT32_MAX, '\n', &schema) &&
		    take_number(s, "time", INT64_MAX, '\n', &time) &&
		    take_number(s, "ledger", INT64_MAX, ' ', &m->ledger.length) &&
		    take_hex(s, m->ledger.sha256, SHA256_BYTES);
	if (!good)
		return false;
	m->schema = (uint32_t)schema;
	m->time_ms = (int64_t)time;
	return true;
}

static bool take_segments(struct scan *s, struct manifest *m)
{
	uint32_t last = 0;
	while (scan_peek(s) == 's') {
		struct manifest_file f;
		uint64_t number;
		if (!take_number(s, "segment", 99999999, ' ', &number) || number <= last ||
			!scan_number(s, INT64_MAX, &f.length) || !scan_char(s, ' ') ||
			!take_hex(s, f.sha256, SHA256_BYTES))
			return false;
		f.number = last = (uint32_t)number;
		if (vec_push(&m->segments, &f) == NULL)
			return false;
	}
	return true;
}

/* What is not as we would write it, its checksum included, is not taken. */
static bool is_as_written(const struct manifest *m, struct str text)
{
	AUTO(buf_done)
	struct buf again;
	buf_init(&again, LIMIT_MANIFEST_BYTES);
	return manifest_write(m, &again) && str_equal(buf_str(&again), text);
}

int manifest_parse(struct str text, struct manifest *ret, struct err *err)
{
	struct scan s = scan_from(text);
	uint64_t version;
	manifest_init(ret);
	if (text.n > LIMIT_MANIFEST_BYTES ||
		!take_number(&s, "culver-backup", INT32_MAX, '\n', &version))
		return fail_log(err, ERR_CORRUPT, "this is no manifest of a backup");
	if (version > VERSION)
		return fail_log(err, ERR_UNSUPPORTED,
			"the backup was made by a newer version of this program (format %u, this "
			"program knows %d)",
			(unsigned)version, VERSION);
	if (!take_head(&s, ret) || !take_segments(&s, ret) || !is_as_written(ret, text))
		return fail_log(err, ERR_CORRUPT, "the manifest is damaged");
	return 0;
}
