// SPDX-License-Identifier: Apache-2.0
/*
 * The grammar and the wire's machines. Properties: what a path's parts are parses again to the
 * same; nothing is taken that is not understood; any split of data gives the same text and end.
 */
#include "base/fuzz.h"
#include "base/limits.h"
#include "smtp/grammar.h"
#include "smtp/wire.h"

#include <stdlib.h>

static void paths(struct str in)
{
	struct scan s = scan_from(in);
	struct smtp_path p, again;
	if (!smtp_forward_path(&s, &p) && !smtp_reverse_path(&s, &p)) {
		FUZZ_CHECK(s.p == in.p);
		return;
	}
	FUZZ_CHECK((size_t)(s.p - in.p) <= LIMIT_PATH_BYTES);
	if (p.domain.n == 0)
		return;
	FUZZ_CHECK(p.local.n > 0 && p.local.n <= LIMIT_LOCAL_PART_BYTES);
	FUZZ_CHECK(p.domain.n <= LIMIT_DOMAIN_BYTES);
	FUZZ_CHECK(!str_has_control(p.mailbox) && str_is_utf8(p.mailbox));
	FUZZ_CHECK(smtp_mailbox(p.mailbox, &again));
	FUZZ_CHECK(str_equal(again.local, p.local) && str_equal(again.domain, p.domain));
}

static void rest_of_grammar(struct str in)
{
	struct smtp_param params[LIMIT_SMTP_PARAMETERS];
	struct scan s = scan_from(in);
	struct str verb, args;
	struct buf out;
	uint64_t size;
	bool last;
	int n = smtp_params(&s, params, LIMIT_SMTP_PARAMETERS);
	FUZZ_CHECK(n <= LIMIT_SMTP_PARAMETERS && (n >= 0 ? scan_end(&s) : s.p == in.p));
	smtp_verb(in, &verb, &args);
	FUZZ_CHECK(verb.n + args.n <= in.n && str_find(verb, ' ') == verb.n);
	if (smtp_chunk_args(in, &size, &last))
		FUZZ_CHECK(size <= INT64_MAX && in.n <= 25);
	if (smtp_size_value(in, &size))
		FUZZ_CHECK(in.n <= 20);
	if (smtp_hello_name(in))
		FUZZ_CHECK(in.n <= LIMIT_DOMAIN_BYTES && !str_has_control(in));
	buf_init(&out, in.n);
	if (smtp_xtext(in, &out))
		FUZZ_CHECK(!str_has_control(buf_str(&out)));
	else
		FUZZ_CHECK(out.n == 0);
	buf_done(&out);
}

/* The text and the place of the end, read in pieces of `step` bytes. */
static enum smtp_data_status read_data(struct str in, size_t step, struct buf *out, size_t *at)
{
	struct smtp_data d = { 0 };
	enum smtp_data_status status = SMTP_DATA_MORE;
	*at = 0;
	while (*at < in.n && status == SMTP_DATA_MORE) {
		struct str run;
		*at += smtp_data_feed(&d, str_sub(in, *at, step), &run, &status);
		buf_adds(out, run);
	}
	return status;
}

static void data(struct str in)
{
	struct buf whole, bytes;
	size_t end, end2;
	buf_init(&whole, in.n);
	buf_init(&bytes, in.n);
	enum smtp_data_status a = read_data(in, in.n, &whole, &end);
	enum smtp_data_status b = read_data(in, 1, &bytes, &end2);
	FUZZ_CHECK(a == b && end == end2);
	FUZZ_CHECK(str_equal(buf_str(&whole), buf_str(&bytes)));
	if (a == SMTP_DATA_END)
		FUZZ_CHECK(end >= 3 && memcmp(in.p + end - 3, ".\r\n", 3) == 0 &&
			   (end == 3 || memcmp(in.p + end - 5, "\r\n", 2) == 0));
	buf_done(&whole);
	buf_done(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str in = str_make(bytes, size);
	paths(in);
	rest_of_grammar(in);
	data(in);
	return 0;
}
