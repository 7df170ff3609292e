// SPDX-License-Identifier: Apache-2.0
/* A date that is printed is parsed as the same moment; one that is parsed is printed as one that
 * parses the same. */
#include "base/fuzz.h"
#include "base/time.h"

static void print_and_parse(int64_t ms)
{
	struct time_text text;
	struct scan s = scan_from(str_from(time_imap(&text, ms)));
	int64_t again;
	FUZZ_CHECK(time_scan_imap(&s, &again) && scan_end(&s));
	struct civil a = time_civil(ms), b = time_civil(again);
	a.ms = 0;
	FUZZ_CHECK(memcmp(&a, &b, sizeof(a)) == 0);
	FUZZ_CHECK(strlen(time_rfc5322(&text, ms)) == 31);
	FUZZ_CHECK(strlen(time_iso8601(&text, ms)) == 24);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan s = scan_from(str_make(data, size));
	int64_t ms = 0;
	if (size)
		memcpy(&ms, data, size < sizeof(ms) ? size : sizeof(ms));
	print_and_parse(ms);
	if (time_scan_imap(&s, &ms) || time_scan_imap_date(&s, &ms))
		print_and_parse(ms);
	return 0;
}
