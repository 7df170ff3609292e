// SPDX-License-Identifier: Apache-2.0
/* What IMAP makes of any message, and of any bytes that claim to be a digest: answers of valid
 * syntax, sections within the message, and a search that any split of the bytes answers alike. */
#include "base/fuzz.h"
#include "base/limits.h"
#include "imap/fetch_write.h"
#include "imap/search.h"
#include "imap/token.h"
#include "mail/mime.h"

/* *( "(" / ")" / string / number / "NIL" / SP ), the parentheses in pairs, one list in all */
static void check_syntax(struct str text, struct arena *a)
{
	struct scan s = scan_from(text);
	size_t depth = 0;
	do {
		struct str word;
		uint64_t number;
		FUZZ_CHECK(!scan_end(&s));
		if (scan_char(&s, '('))
			depth++;
		else if (scan_char(&s, ')'))
			FUZZ_CHECK(depth-- > 0);
		else
			FUZZ_CHECK(scan_sp(&s) || token_string(&s, a, &word) ||
				   scan_literal_nocase(&s, STR("NIL")) ||
				   scan_number(&s, UINT64_MAX, &number));
	} while (depth > 0);
	FUZZ_CHECK(scan_end(&s));
}

static void write_all(const struct digest *d)
{
	struct buf out;
	struct arena a;
	buf_init(&out, 8 * LIMIT_DIGEST_BYTES);
	arena_init(&a, 8 << 20);
	for (int i = 0; i < 6; i++) {
		buf_clear(&out);
		bool ok = i < 2 ? fetch_write_envelope(&out, &d->envelope, i & 1)
				: fetch_write_structure(&out, d, i & 2, i & 1);
		FUZZ_CHECK(ok);
		check_syntax(buf_str(&out), &a);
		arena_reset(&a);
	}
	buf_done(&out);
	arena_done(&a);
}

static void find_all(const struct digest *d)
{
	uint32_t part[3];
	for (unsigned code = 0; code < 4 * 27 * 6; code++) {
		part[0] = 1 + code % 3;
		part[1] = 1 + code / 3 % 3;
		part[2] = 1 + code / 9 % 3;
		struct section s = { .part = part,
			.n_part = code / 27 % 4,
			.text = (enum section_text)(code / 108) };
		struct section_place place;
		if (!section_find(d, 100, &s, &place))
			continue;
		FUZZ_CHECK(place.offset <= d->size + 100);
		FUZZ_CHECK(place.size <= d->size + 100 - place.offset);
	}
}

/* Without a signature yet, one is made; with it, the answer is the same. */
static bool find(const struct digest *d, struct str message, size_t step, struct buf *signature)
{
	static struct search_key keys[] = {
		{ .op = SEARCH_HEADER, .field = STR_INIT("X"), .text = STR_INIT("ab") },
		{ .op = SEARCH_BODY, .text = STR_INIT("abcab") },
		{ .op = SEARCH_TEXT,
			.text = STR_INIT("\xc3\xa4"
					 "b") },
		{ .op = SEARCH_OR },
		{ .op = SEARCH_OR },
	};
	struct search search = { .keys = keys, .n = 5 };
	struct view *v = view_new();
	struct api_entry e = { .uid = 1, .modseq = 1 };
	FUZZ_CHECK(view_apply(v, &e, 1, NULL, 0, NULL));
	view_apply_end(v);
	view_tell_all(v);
	FUZZ_CHECK(search_begin(&search, v, NULL, NULL) == 0);
	bool is_signed = signature->n > 0;
	uint8_t held = is_signed ? SEARCH_SIGNED : 0;
	for (size_t i = 0; is_signed && i < search.n_needles; i++)
		if (signature_may_hold(
			    buf_str(signature), search.needles[i].trigrams, search.needles[i].n))
			held |= (uint8_t)(1u << i);
	struct search_bytes *b = search_bytes_new(&search, v, 1, held, d, 0);
	if (!is_signed)
		search_bytes_sign(b);
	uint64_t offset;
	uint32_t length;
	while (search_bytes_want(b, &offset, &length))
		search_bytes_feed(
			b, str_sub(message, (size_t)offset, length < step ? length : step));
	bool yes = search_bytes_answer(b);
	if (!is_signed) {
		struct buf whole;
		buf_init(&whole, SIGNATURE_BYTES_MOST);
		buf_adds(signature, search_bytes_signature(b));
		search_sign(STR_NONE, message, d, &whole);
		FUZZ_CHECK(str_equal(buf_str(signature), buf_str(&whole)));
		buf_done(&whole);
	}
	search_bytes_free(&b);
	search_end(&search);
	view_free(&v);
	return yes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make(data, size);
	struct buf bytes;
	struct digest d;
	buf_init(&bytes, LIMIT_DIGEST_BYTES);
	mail_parse(in, &bytes);
	FUZZ_CHECK(digest_open(&d, buf_str(&bytes), in.n));
	write_all(&d);
	find_all(&d);
	struct buf signature;
	buf_init(&signature, SIGNATURE_BYTES_MOST);
	bool found = find(&d, in, SIZE_MAX, &signature);
	FUZZ_CHECK(found == find(&d, in, 3, &signature));
	buf_clear(&signature);
	FUZZ_CHECK(found == find(&d, in, 3, &signature));
	buf_done(&bytes);
	/* The first byte as a size of the body, the rest as a digest. */
	if (size > 0 && digest_open(&d, str_from_offset(in, 1), data[0])) {
		write_all(&d);
		find_all(&d);
		buf_clear(&signature);
		(void)find(&d, STR(""), 1, &signature);
	}
	buf_done(&signature);
	return 0;
}
