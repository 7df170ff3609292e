// SPDX-License-Identifier: Apache-2.0
/* mbox from bytes that may be anything: no split changes what is found, and what is read of a
 * message is read again when it was written. */
#include "base/fuzz.h"
#include "base/seams.h"
#include "folders/folders.h"

enum { MAX = 3000 };

struct found {
	struct buf all;
	size_t n;
};

static int keep(void *arg, struct str text, bool too_big)
{
	struct found *f = arg;
	FUZZ_CHECK(text.n <= MAX || too_big);
	buf_addf(&f->all, "%zu %d ", text.n, too_big);
	buf_adds(&f->all, text);
	f->n++;
	return 0;
}

static void split(struct str in, size_t step, struct found *f)
{
	struct mbox m;
	buf_init(&f->all, in.n * 2 + 4096 * 64);
	mbox_init(&m, MAX, keep, f);
	for (; in.n; in = str_from_offset(in, step))
		FUZZ_CHECK(mbox_input(&m, str_sub(in, 0, step)) == 0);
	FUZZ_CHECK(mbox_end(&m) == 0);
	mbox_done(&m);
}

/* Written and split off and read again, it is the same, but for lines that mbox can't hold. */
static int read_back(void *arg, struct str text, bool too_big)
{
	struct buf *out = arg, keywords;
	struct mbox_meta meta;
	bool internal;
	(void)too_big;
	FUZZ_CHECK(out->n == 0);
	buf_init(&keywords, text.n + 1);
	FUZZ_CHECK(mbox_message_read(text, &meta, &keywords, out, &internal));
	FUZZ_CHECK(meta.time_ms == 1700000000000 && meta.uid == 7 && meta.flags == FLAGS_ALL);
	FUZZ_CHECK(meta.uidvalidity == 5 && str_equal(meta.keywords, STR("a b")));
	buf_done(&keywords);
	return 0;
}

static void there_and_back(struct str message)
{
	struct buf written, back;
	struct mbox m;
	struct mbox_meta meta = { .time_ms = 1700000000000,
		.flags = FLAGS_ALL,
		.uid = 7,
		.uidvalidity = 5,
		.uidlast = 9,
		.keywords = STR("a b"),
		.sender = STR("x y") };
	buf_init(&written, message.n * 2 + 4096);
	buf_init(&back, message.n * 2 + 4096);
	FUZZ_CHECK(mbox_message_write(message, &meta, &written));
	mbox_init(&m, 1 << 20, read_back, &back);
	FUZZ_CHECK(mbox_input(&m, buf_str(&written)) == 0 && mbox_end(&m) == 0);
	if (message.n && message.p[message.n - 1] == '\n')
		FUZZ_CHECK(str_equal(buf_str(&back), message));
	mbox_done(&m);
	buf_done(&written);
	buf_done(&back);
}

static void read_one(struct str in)
{
	struct buf keywords, out;
	struct mbox_meta meta;
	bool internal;
	buf_init(&keywords, in.n + 1);
	buf_init(&out, in.n * 2 + 1);
	FUZZ_CHECK(mbox_message_read(in, &meta, &keywords, &out, &internal));
	bool whole = str_search(buf_str(&out), STR("\r\r\n")) == out.n;
	if (whole && meta.uid == 0 && meta.flags == 0 && meta.keywords.n == 0)
		there_and_back(buf_str(&out));
	buf_done(&keywords);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct found whole = { .n = 0 }, pieces = { .n = 0 };
	struct str in = str_make(data, size);
	split(in, in.n + 1, &whole);
	split(in, 1, &pieces);
	FUZZ_CHECK(whole.n == pieces.n && str_equal(buf_str(&whole.all), buf_str(&pieces.all)));
	buf_done(&whole.all);
	buf_done(&pieces.all);
	if (size < 100000)
		read_one(in);
	return 0;
}
