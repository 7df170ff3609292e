// SPDX-License-Identifier: Apache-2.0
/* The streaming splitter, at any split, gives the bytes back and reads the same fields as the
 * reader of whole blocks; who watches for UTF-8 sees what the whole block is. Dates are read from
 * the same bytes. */
#include "base/fuzz.h"
#include "mail/date.h"
#include "mail/header.h"

struct reading {
	struct buf bytes, names;
	bool ended;
};

static void take(
	struct reading *r, const struct mail_splitter *s, enum mail_piece kind, struct str piece)
{
	buf_adds(&r->bytes, piece);
	if (kind == MAIL_PIECE_FIELD && s->field_start) {
		buf_adds(&r->names, s->name);
		buf_addc(&r->names, '\n');
	}
	r->ended |= kind == MAIL_PIECE_END;
}

static void read_split(struct str all, struct reading *r)
{
	struct mail_splitter s;
	struct str piece;
	enum mail_piece kind;
	mail_splitter_init(&s);
	for (size_t at = 0, n = 1; at < all.n; at += n, n = n % 5 + 1) {
		struct str bytes = str_sub(all, at, n);
		while ((kind = mail_splitter_next(&s, &bytes, &piece)) != MAIL_PIECE_MORE)
			take(r, &s, kind, piece);
	}
	while ((kind = mail_splitter_end(&s, &piece)) != MAIL_PIECE_MORE)
		take(r, &s, kind, piece);
}

static void watch_split(struct str all)
{
	struct mail_header_watch w = { .over = false };
	struct str block = str_sub(all, 0, mail_header_size(all));
	for (size_t at = 0, n = 1; at < all.n; at += n, n = n % 3 + 1)
		mail_header_watch(&w, str_sub(all, at, n));
	FUZZ_CHECK(mail_header_is_utf8(&w) == (!str_is_ascii(block) && str_is_utf8(block)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str all = str_make(data, size), rest = all;
	struct reading r = { .ended = false };
	struct buf names;
	struct mail_field f;
	struct mail_date date;
	buf_init(&r.bytes, size);
	buf_init(&r.names, size * 2 + 2);
	buf_init(&names, size * 2 + 2);
	read_split(all, &r);
	watch_split(all);
	FUZZ_CHECK(str_equal(buf_str(&r.bytes), all));
	size_t total = 0;
	while (mail_field_next(&rest, &f)) {
		buf_adds(&names, f.name);
		buf_addc(&names, '\n');
		total += f.raw.n;
	}
	FUZZ_CHECK(total <= mail_header_size(all));
	/* Blanks at the front of the block continue nothing: the splitter gives no start there. */
	bool blank_start = size > 0 && (data[0] == ' ' || data[0] == '\t');
	FUZZ_CHECK(blank_start || str_equal(buf_str(&names), buf_str(&r.names)));
	if (mail_date_parse(all, &date)) {
		FUZZ_CHECK(date.ms >= -2300000000000 && date.ms <= 253500000000000);
		FUZZ_CHECK(date.zone_minutes > -1440 && date.zone_minutes < 1440);
		mail_date_local_day(&date);
	}
	buf_done(&r.bytes);
	buf_done(&r.names);
	buf_done(&names);
	return 0;
}
