// SPDX-License-Identifier: Apache-2.0
/* Civil time against known moments, against itself over every day, and its texts. */
#include "base/mem.h"
#include "base/test.h"
#include "base/time.h"

static const struct {
	int64_t ms;
	const char *iso, *rfc5322, *imap;
} moments[] = {
	{ 0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000",
		"01-Jan-1970 00:00:00 +0000" },
	{ -1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000",
		"31-Dec-1969 23:59:59 +0000" },
	{ 1795299813123, "2026-11-21T22:23:33.123Z", "Sat, 21 Nov 2026 22:23:33 +0000",
		"21-Nov-2026 22:23:33 +0000" },
	{ 951782400000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000",
		"29-Feb-2000 00:00:00 +0000" },
	{ 951868799999, "2000-02-29T23:59:59.999Z", "Tue, 29 Feb 2000 23:59:59 +0000",
		"29-Feb-2000 23:59:59 +0000" },
	{ 4107542400000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 +0000",
		"01-Mar-2100 00:00:00 +0000" },
	{ 2147483648000, "2038-01-19T03:14:08.000Z", "Tue, 19 Jan 2038 03:14:08 +0000",
		"19-Jan-2038 03:14:08 +0000" },
	{ TIME_MAX_MS, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000",
		"31-Dec-9999 23:59:59 +0000" },
	{ TIME_MAX_MS + 1, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000",
		"31-Dec-9999 23:59:59 +0000" },
	{ INT64_MAX, "9999-12-31T23:59:59.999Z", "Fri, 31 Dec 9999 23:59:59 +0000",
		"31-Dec-9999 23:59:59 +0000" },
	{ TIME_MIN_MS, "0001-01-01T00:00:00.000Z", "Mon, 01 Jan 0001 00:00:00 +0000",
		"01-Jan-0001 00:00:00 +0000" },
	{ INT64_MIN, "0001-01-01T00:00:00.000Z", "Mon, 01 Jan 0001 00:00:00 +0000",
		"01-Jan-0001 00:00:00 +0000" },
};

static void known_moments(void **state)
{
	(void)state;
	struct time_text text;
	for (size_t i = 0; i < ARRAY_LEN(moments); i++) {
		assert_string_equal(time_iso8601(&text, moments[i].ms), moments[i].iso);
		assert_string_equal(time_rfc5322(&text, moments[i].ms), moments[i].rfc5322);
		assert_string_equal(time_imap(&text, moments[i].ms), moments[i].imap);
	}
}

/* Walks every day of 9999 years beside a calendar that only knows how long months are. */
static void every_day(void **state)
{
	(void)state;
	int year = 1, month = 1, day = 1, weekday = 1;
	for (int64_t ms = TIME_MIN_MS; ms <= TIME_MAX_MS; ms += TIME_DAY_MS) {
		struct civil c = time_civil(ms);
		int64_t back;
		if (c.year != year || c.month != month || c.day != day || c.weekday != weekday)
			fail_msg("%04d-%02d-%02d came out as %04d-%02d-%02d", year, month, day,
				c.year, c.month, c.day);
		assert_true(time_from_civil(&c, &back));
		assert_true(back == ms);
		weekday = (weekday + 1) % 7;
		if (++day > time_days_in_month(year, month)) {
			day = 1;
			month = month == 12 ? 1 : month + 1;
			year += month == 1;
		}
	}
	assert_int_equal(year, 10000);
}

static void no_such_day(void **state)
{
	(void)state;
	static const struct {
		struct civil c;
		bool ok;
	} cases[] = {
		{ { .year = 2023, .month = 2, .day = 28 }, true },
		{ { .year = 2023, .month = 2, .day = 29 }, false },
		{ { .year = 2024, .month = 2, .day = 29 }, true },
		{ { .year = 1900, .month = 2, .day = 29 }, false },
		{ { .year = 2000, .month = 2, .day = 29 }, true },
		{ { .year = 2000, .month = 0, .day = 1 }, false },
		{ { .year = 2000, .month = 13, .day = 1 }, false },
		{ { .year = 2000, .month = 1, .day = 0 }, false },
		{ { .year = 2000, .month = 1, .day = 31 }, true },
		{ { .year = 2000, .month = 1, .day = 32 }, false },
		{ { .year = 2000, .month = 4, .day = 31 }, false },
		{ { .year = 0, .month = 1, .day = 1 }, false },
		{ { .year = 10000, .month = 1, .day = 1 }, false },
		{ { .year = 2000, .month = 1, .day = 1, .hour = 23 }, true },
		{ { .year = 2000, .month = 1, .day = 1, .hour = 24 }, false },
		{ { .year = 2000, .month = 1, .day = 1, .hour = -1 }, false },
		{ { .year = 2000, .month = 1, .day = 1, .minute = 60 }, false },
		{ { .year = 2000, .month = 1, .day = 1, .second = 60 }, true },
		{ { .year = 2000, .month = 1, .day = 1, .second = 61 }, false },
		{ { .year = 2000, .month = 1, .day = 1, .ms = 1000 }, false },
	};
	int64_t ms;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (time_from_civil(&cases[i].c, &ms) != cases[i].ok)
			fail_msg("case %zu", i);
}

static void imap_dates_are_parsed(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		bool ok;
		int64_t ms;
	} cases[] = {
		{ STR_INIT("21-Nov-2026 22:23:33 +0000"), true, 1795299813000 },
		{ STR_INIT("21-nOV-2026 22:23:33 -0000"), true, 1795299813000 },
		{ STR_INIT("22-Nov-2026 00:23:33 +0200"), true, 1795299813000 },
		{ STR_INIT("21-Nov-2026 10:53:33 -1130"), true, 1795299813000 },
		{ STR_INIT(" 1-Jan-1970 00:00:00 +0000"), true, 0 },
		{ STR_INIT("01-Jan-1970 00:00:00 +0000"), true, 0 },
		{ STR_INIT("31-Dec-1969 23:59:60 +0000"), true, 0 },
		{ STR_INIT("1-Jan-1970 00:00:00 +0000"), false, 0 },
		{ STR_INIT("  1-Jan-1970 00:00:00 +0000"), false, 0 },
		{ STR_INIT("01-Jan-70 00:00:00 +0000"), false, 0 },
		{ STR_INIT("01-Foo-1970 00:00:00 +0000"), false, 0 },
		{ STR_INIT("01-Jan-1970 00:00:00 GMT"), false, 0 },
		{ STR_INIT("01-Jan-1970 00:00:00 +2400"), false, 0 },
		{ STR_INIT("01-Jan-1970 00:00:00 +0060"), false, 0 },
		{ STR_INIT("01-Jan-1970 00:00:00"), false, 0 },
		{ STR_INIT("30-Feb-1970 00:00:00 +0000"), false, 0 },
		{ STR_INIT("01-Jan-0000 00:00:00 +0000"), false, 0 },
		{ STR_INIT(""), false, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(cases[i].text);
		int64_t ms = -7;
		assert_int_equal(time_scan_imap(&s, &ms), cases[i].ok);
		assert_true(ms == (cases[i].ok ? cases[i].ms : -7));
		assert_int_equal(scan_left(&s), cases[i].ok ? 0 : cases[i].text.n);
		/* No beginning of one is one. */
		for (size_t n = 0; n < cases[i].text.n; n++) {
			s = scan_from(str_sub(cases[i].text, 0, n));
			assert_false(time_scan_imap(&s, &ms));
		}
	}
}

static void imap_days_are_parsed(void **state)
{
	(void)state;
	static const struct {
		struct str text, rest;
		int64_t ms;
	} cases[] = {
		{ STR_INIT("1-Jan-1970 x"), STR_INIT(" x"), 0 },
		{ STR_INIT("02-JAN-1970"), STR_INIT(""), TIME_DAY_MS },
		{ STR_INIT("12-feb-1970"), STR_INIT(""), 42 * TIME_DAY_MS },
		{ STR_INIT("32-Jan-1970"), STR_INIT("32-Jan-1970"), -7 },
		{ STR_INIT("001-Jan-1970"), STR_INIT("001-Jan-1970"), -7 },
		{ STR_INIT("-1-Jan-1970"), STR_INIT("-1-Jan-1970"), -7 },
		{ STR_INIT("1-Jan-197"), STR_INIT("1-Jan-197"), -7 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct scan s = scan_from(cases[i].text);
		int64_t ms = -7;
		assert_int_equal(time_scan_imap_date(&s, &ms), cases[i].ms != -7);
		assert_true(ms == cases[i].ms);
		assert_str(scan_rest(&s), cases[i].rest);
	}
}

TEST_MAIN(test_case(known_moments), test_case(every_day), test_case(no_such_day),
	test_case(imap_dates_are_parsed), test_case(imap_days_are_parsed))
