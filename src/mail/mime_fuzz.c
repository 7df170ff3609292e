// SPDX-License-Identifier: Apache-2.0
/* Any bytes have a digest; any split gives the same one; it opens, and all that it says lies within
 * the message. */
#include "base/fuzz.h"
#include "mail/digest.h"
#include "mail/mime.h"

static void parse_split(struct str message, size_t seed, struct buf *out)
{
	struct mail_parser *p = mail_parser_new(NULL);
	for (size_t at = 0, n; at < message.n; at += n) {
		n = 1 + (seed = seed * 1103515245 + 12345) / 65536 % 37;
		mail_parser_input(p, str_sub(message, at, n));
	}
	mail_parser_end(p, out);
	FUZZ_CHECK(mail_parser_memory(p) <= 1024 * 1024);
	mail_parser_free(&p);
}

static void check_part(const struct digest *d, const struct digest_part *part)
{
	struct digest_part other;
	FUZZ_CHECK(part->body_at + part->body_size <= d->size);
	FUZZ_CHECK(part->header_at + part->header_size == part->body_at);
	FUZZ_CHECK(part->depth <= LIMIT_MIME_DEPTH);
	FUZZ_CHECK(digest_first_child(d, part, &other) == (part->kind != DIGEST_LEAF));
	struct str params = part->params, name, value;
	while (digest_param_next(&params, &name, &value))
		;
	FUZZ_CHECK(params.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str message = str_make(data, size);
	struct buf whole, split;
	struct digest d;
	buf_init(&whole, LIMIT_DIGEST_BYTES);
	buf_init(&split, LIMIT_DIGEST_BYTES);
	mail_parse(message, &whole);
	parse_split(message, size, &split);
	FUZZ_CHECK(str_equal(buf_str(&whole), buf_str(&split)));
	FUZZ_CHECK(digest_open(&d, buf_str(&whole), size));
	struct digest_part part = digest_root(&d);
	uint32_t parts = 0;
	for (bool more = true; more; more = digest_next(&d, &part, &part), parts++)
		check_part(&d, &part);
	FUZZ_CHECK(parts == d.parts);
	buf_done(&whole);
	buf_done(&split);
	return 0;
}
