/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading dates of header fields: date-time of RFC 5322 3.3 with the obsolete forms of 4.3 (years
 * of two and three digits, named and military zones, comments), and what else is seen often: no
 * day of the week, no seconds, asctime(3) order, a zone in words behind the offset.
 * (Writing dates is base/time.h.)
 *
 * uses: base; used by: imap (SEARCH SENT…, SORT), smtp
 */
#ifndef CULVER_MAIL_DATE_H
#define CULVER_MAIL_DATE_H

#include "base/str.h"

struct mail_date {
	int64_t ms;           /* since 1970 UTC */
	int16_t zone_minutes; /* east of UTC, -1439 … 1439; 0 for -0000 and unknown names */
	bool zone_known;      /* false for -0000, military letters and unknown names */
};

/* False when the text names no day, one that does not exist, or a year outside 1900-9999: the
 * caller then uses the time of arrival (hostile-input M13). Behind a day a time that is missing or
 * invalid is 00:00:00, and an invalid zone is UTC (RFC 5256 2.2). A second of 60 counts as 59.
 * Never overflows; linear. */
bool mail_date_parse(struct str text, struct mail_date *ret);
/* The calendar day in the date's own zone, as days since 1970-01-01: what SEARCH SENTON compares,
 * "disregarding time and timezone" (RFC 9051 6.4.4). */
int64_t mail_date_local_day(const struct mail_date *d);

#endif
