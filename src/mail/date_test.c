// SPDX-License-Identifier: Apache-2.0
#include "base/test.h"
#include "base/mem.h"
#include "mail/date.h"

static const struct {
	const char *text;
	int64_t seconds; /* -1: no date */
	int zone;
	bool known;
} dates[] = {
	/* RFC 5322 A.1, A.5, A.6 */
	{ "Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360, true },
	{ "Tue, 1 Jul 2003 10:52:37 +0200", 1057049557, 120, true },
	{ "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n"
	  "               -0330 (Newfoundland Time)",
		-27723480, -210, true },
	{ "21 Nov 97 09:55:06 GMT", 880106106, 0, true },
	{ "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360, true },
	/* zones: RFC 5322 4.3 */
	{ "1 Jan 1970 00:00 UT", 0, 0, true },
	{ "1 Jan 1970 00:00:00 -0000", 0, 0, false },
	{ "1 Jan 1970 00:00:00 EST", 18000, -300, true },
	{ "1 Jan 1970 00:00:00 PDT", 25200, -420, true },
	{ "1 Jan 1970 00:00:00 A", 0, 0, false },
	{ "1 Jan 1970 00:00:00 XYZ", 0, 0, false },
	{ "1 Jan 1970 00:00:00", 0, 0, false },
	{ "1 Jan 1970 00:00:00 +01:30", -5400, 90, true },
	{ "1 Jan 1970 00:00:00 +2359", -86340, 1439, true },
	{ "1 Jan 1970 00:00:00 +9999", 0, 0, false }, /* M13 */
	{ "1 Jan 1970 00:00:00 +0200 (CEST)", -7200, 120, true },
	{ "1 Jan 1970 00:00:00 +0200 CEST", -7200, 120, true },
	/* years */
	{ "1 Jan 49 00:00:00 GMT", 2493072000, 0, true },
	{ "1 Jan 50 00:00:00 GMT", -631152000, 0, true },
	{ "1 Jan 100 00:00:00 GMT", 946684800, 0, true },
	{ "1 Jan 1900 00:00:00 GMT", -2208988800, 0, true },
	{ "31 Dec 9999 23:59:59 GMT", 253402300799, 0, true },
	{ "1 Jan 1899 00:00:00 GMT", -1, 0, false },
	{ "1 Jan 10000 00:00:00 GMT", -1, 0, false },      /* M13 */
	{ "1 Jan 1000000000 00:00:00 GMT", -1, 0, false }, /* M13 */
	{ "1 Jan 99999999999999999999 00:00:00 GMT", -1, 0, false },
	/* days and times that do not exist */
	{ "29 Feb 2000 00:00:00 GMT", 951782400, 0, true },
	{ "29 Feb 1900 00:00:00 GMT", -1, 0, false },
	{ "31 Apr 2000 00:00:00 GMT", -1, 0, false },
	{ "0 Jan 2000 00:00:00 GMT", -1, 0, false },
	{ "1 Jan 2000 24:00:00 GMT", 946684800, 0, false }, /* RFC 5256 2.2: midnight */
	{ "1 Jan 2000 23:60:00 GMT", 946684800, 0, false },
	{ "1 Jan 2000 23:00:00 ?", 946767600, 0, false }, /* and UTC */
	{ "31 Dec 2016 23:59:60 GMT", 1483228799, 0, true },
	/* seen often */
	{ "Fri Nov 21 09:55:06 1997", 880106106, 0, false }, /* asctime */
	{ "Fri Nov 21 09:55:06 1997 -0600", 880127706, -360, true },
	{ "Friday, 21-Nov-97 09:55:06 GMT", 880106106, 0, true },
	{ "Fri, 21 November 1997 09:55:06 GMT", 880106106, 0, true },
	{ "Fri, 21 Nov 1997 9:55:06 PM GMT", 880149306, 0, true },
	{ "Fri, 21 Nov 1997 09.55.06 GMT", 880106106, 0, true },
	{ "", -1, 0, false },
	{ "yesterday", -1, 0, false },
	{ "21 Nov 1997", 880070400, 0, false },
	{ "Nov 1997 09:55:06", -1, 0, false },
	{ "\x00\xff", -1, 0, false },
};

static void m13_parses_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		struct mail_date d = { .ms = 0 };
		bool ok = mail_date_parse(str_from(dates[i].text), &d);
		bool wanted = dates[i].seconds != -1;
		if (ok != wanted || (ok && (d.ms != dates[i].seconds * 1000 ||
						   d.zone_minutes != dates[i].zone ||
						   d.zone_known != dates[i].known)))
			fail_msg("%s gave %d %lld %d %d", dates[i].text, ok, (long long)d.ms / 1000,
				d.zone_minutes, d.zone_known);
	}
}

/* Every day from 1900 to 2400, counted one by one. */
static void counts_days(void **state)
{
	(void)state;
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul",
		"Aug", "Sep", "Oct", "Nov", "Dec" };
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int64_t day = -25567;
	for (int year = 1900; year < 2400; year++) {
		bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
		for (int month = 0; month < 12; month++) {
			int n = days[month] + (month == 1 && leap);
			for (int i = 1; i <= n + 1; i++) {
				char text[64];
				struct mail_date d;
				snprintf(text, sizeof(text), "%d %s %d 12:00:10 +0000", i,
					months[month], year);
				assert_int_equal(mail_date_parse(str_from(text), &d), i <= n);
				if (i > n)
					continue;
				assert_int_equal(d.ms, (day * 86400 + 43210) * 1000);
				assert_int_equal(mail_date_local_day(&d), day++);
			}
		}
	}
}

static void knows_the_local_day(void **state)
{
	(void)state;
	struct mail_date d;
	assert_true(mail_date_parse(STR("1 Jan 1970 23:59:59 -0600"), &d));
	assert_int_equal(mail_date_local_day(&d), 0);
	assert_true(mail_date_parse(STR("1 Jan 1970 00:00:00 +0600"), &d));
	assert_int_equal(mail_date_local_day(&d), 0);
	assert_true(mail_date_parse(STR("31 Dec 1969 23:59:59 +0000"), &d));
	assert_int_equal(mail_date_local_day(&d), -1);
}

TEST_MAIN(test_case(m13_parses_dates), test_case(counts_days), test_case(knows_the_local_day))
