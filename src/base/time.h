/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates and times of day, by arithmetic alone: no time zone database, no locale, no state. Time is
 * milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted, as the wall clock gives it;
 * every text made here is UTC.
 *
 *     struct time_text text;
 *     buf_addf(&out, "Date: %s\r\n", time_rfc5322(&text, clock->wall_ms(clock)));
 *
 * Parsing the dates of messages, which come in every shape, belongs to mail/.
 *
 * uses: scan; used by: log, mail, protocols, store
 */
#ifndef CULVER_BASE_TIME_H
#define CULVER_BASE_TIME_H

#include "base/scan.h"

#define TIME_DAY_MS INT64_C(86400000)
/* 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of a year can say.
 * Anything beyond is moved to the nearer of the two. */
#define TIME_MIN_MS INT64_C(-62135596800000)
#define TIME_MAX_MS INT64_C(253402300799999)

/* A moment in the proleptic Gregorian calendar, UTC. */
struct civil {
	int year;  /* 1-9999 */
	int month; /* 1-12 */
	int day;   /* 1-31 */
	int hour, minute, second, ms;
	int weekday; /* 0: Sunday; not read by time_from_civil */
};

struct civil time_civil(int64_t ms);
/* False when there is no such day or time of day. Second 60, a leap second (RFC 5322 3.3), is the
 * first of the next minute. */
bool time_from_civil(const struct civil *c, int64_t *ret_ms);
int time_days_in_month(int year, int month);
/* 1-12 for "Jan" to "Dec" in any case, 0 for anything else. */
int time_month(struct str name);

struct time_text {
	char text[40];
};
/* Each returns out->text. */
/* date-time               RFC 5322 3.3    Sat, 21 Nov 2026 22:23:33 +0000 */
const char *time_rfc5322(struct time_text *out, int64_t ms);
/* date-time without its quotes   RFC 9051 9    21-Nov-2026 22:23:33 +0000 */
const char *time_imap(struct time_text *out, int64_t ms);
/* date-time               RFC 3339 5.6    2026-11-21T22:23:33.123Z */
const char *time_iso8601(struct time_text *out, int64_t ms);

/* date-time without its quotes, zone and all                    RFC 9051 9
 *   date-day-fixed "-" date-month "-" date-year SP time SP zone
 *   date-day-fixed = (SP DIGIT) / 2DIGIT    zone = ("+" / "-") 4DIGIT */
bool time_scan_imap(struct scan *s, int64_t *ret_ms);
/* date-text = date-day "-" date-month "-" date-year             RFC 9051 9
 *   date-day = 1*2DIGIT
 * *ret_ms is midnight UTC of that day. */
bool time_scan_imap_date(struct scan *s, int64_t *ret_ms);

#endif
