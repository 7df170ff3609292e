// SPDX-License-Identifier: Apache-2.0
/*
 * Dates of header fields. The text is cut into words, numbers and signs; each is recognised by what
 * it is and where it stands, so the RFC's order, asctime's order and the usual mistakes need one
 * pass. RFC 5322 3.3, 4.3
 */
#include "mail/date.h"

#include "base/abnf.h"
#include "base/mem.h"
#include "mail/cfws.h"

enum { TEXT_BYTES = 1024, YEAR_MIN = 1900, YEAR_MAX = 9999 };

struct fields_of_date {
	int64_t day, month, year; /* 0, 0, -1: not seen yet */
	int64_t hour, minute, second;
	int64_t zone; /* minutes east */
	bool has_time, has_zone, zone_known;
};

/* ---- the calendar ---- */

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	static const int64_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01 in the Gregorian calendar, counted in years that begin in March. */
static int64_t days_since_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month > 2 ? year : year - 1;
	int64_t m = month > 2 ? month - 3 : month + 9;
	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

/* ---- words ---- */

/* month = "Jan" / … "Dec"                      RFC 5322 3.3. Longer forms are taken too. */
static int64_t month_of(struct str word)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
	for (int64_t i = 0; i < 12; i++)
		if (str_starts_nocase(word, str_make(names + 3 * i, 3)))
			return i + 1;
	return 0;
}

static bool is_weekday(struct str word)
{
	static const char names[] = "montuewedthufrisatsun";
	for (size_t i = 0; i < 7; i++)
		if (str_starts_nocase(word, str_make(names + 3 * i, 3)))
			return true;
	return false;
}

/* obs-zone = "UT" / "GMT" / "EST" / …          RFC 5322 4.3
 * Military letters and unknown names count as -0000. */
static void zone_of(struct str word, struct fields_of_date *d)
{
	static const struct {
		struct str name;
		int64_t minutes;
	} zones[] = {
		{ STR_INIT("UT"), 0 },
		{ STR_INIT("GMT"), 0 },
		{ STR_INIT("UTC"), 0 },
		{ STR_INIT("Z"), 0 },
		{ STR_INIT("EST"), -300 },
		{ STR_INIT("EDT"), -240 },
		{ STR_INIT("CST"), -360 },
		{ STR_INIT("CDT"), -300 },
		{ STR_INIT("MST"), -420 },
		{ STR_INIT("MDT"), -360 },
		{ STR_INIT("PST"), -480 },
		{ STR_INIT("PDT"), -420 },
	};
	d->has_zone = true;
	for (size_t i = 0; i < ARRAY_LEN(zones); i++) {
		if (!str_equal_nocase(word, zones[i].name))
			continue;
		d->zone = zones[i].minutes;
		d->zone_known = true;
	}
}

static bool word(struct str w, struct fields_of_date *d)
{
	if (d->month == 0 && month_of(w) != 0) {
		d->month = month_of(w);
		return true;
	}
	bool meridiem = d->has_time &&
			(str_equal_nocase(w, STR("am")) || str_equal_nocase(w, STR("pm")));
	if (meridiem && d->hour >= 1 && d->hour <= 12) {
		d->hour = d->hour % 12 + (ascii_lower(w.p[0]) == 'p' ? 12 : 0);
		return true;
	}
	if (d->has_time && !d->has_zone) {
		zone_of(w, d);
		return true;
	}
	return d->has_zone || is_weekday(w) || d->day != 0;
}

/* ---- numbers ---- */

/* year = 4*DIGIT; two digits: 00-49 are 20xx, others and three digits 19xx.  RFC 5322 4.3 */
static int64_t full_year(uint64_t value, size_t digits)
{
	if (digits == 2)
		return (int64_t)value + (value < 50 ? 2000 : 1900);
	return (int64_t)value + (digits == 3 ? 1900 : 0);
}

/* time-of-day = hour ":" minute [ ":" second ]  RFC 5322 3.3; "." as separator is seen too */
static bool time_of_day(struct scan *s, uint64_t hour, char separator, struct fields_of_date *d)
{
	uint64_t minute = 0, second = 0;
	cfws_skip(s);
	if (!scan_number(s, 59, &minute))
		return false;
	cfws_skip(s);
	if (scan_char(s, separator)) {
		cfws_skip(s);
		if (!scan_number(s, 60, &second))
			return false;
		if (scan_char(s, '.')) /* fractions */
			scan_while(s, abnf_is_digit);
	}
	if (hour > 23 || d->has_time)
		return false;
	d->hour = (int64_t)hour;
	d->minute = (int64_t)minute;
	d->second = second == 60 ? 59 : (int64_t)second;
	d->has_time = true;
	return true;
}

static bool number(struct scan *s, struct fields_of_date *d)
{
	uint64_t value;
	const char *from = s->p;
	if (!scan_number(s, 99999, &value))
		return false;
	size_t digits = (size_t)(s->p - from);
	cfws_skip(s);
	if (!d->has_time && scan_char(s, ':'))
		return time_of_day(s, value, ':', d);
	if (!d->has_time && d->day && d->year >= 0 && scan_char(s, '.'))
		return time_of_day(s, value, '.', d);
	if (d->day == 0 && digits <= 2 && value >= 1 && value <= 31)
		d->day = (int64_t)value;
	else if (d->year < 0 && digits >= 2 && digits <= 4)
		d->year = full_year(value, digits);
	else
		return d->has_zone; /* after the zone anything may stand */
	return true;
}

/* zone = ( "+" / "-" ) 4DIGIT                   RFC 5322 3.3; also +02:00, +2 */
static bool offset(struct scan *s, bool negative, struct fields_of_date *d)
{
	uint64_t value, minutes = 0;
	const char *from = s->p;
	if (!scan_number(s, 9999, &value))
		return false;
	bool is_short = s->p - from <= 2;
	if (is_short && scan_char(s, ':') && !scan_number(s, 59, &minutes))
		return false;
	int64_t zone = is_short ? (int64_t)(value * 60 + minutes)
				: (int64_t)(value / 100 * 60 + value % 100);
	if (d->has_zone)
		return true;
	d->has_zone = true;
	d->zone_known = !(negative && zone == 0) && zone < 24 * 60;
	d->zone = !d->zone_known ? 0 : negative ? -zone : zone;
	return true;
}

/* One token, whatever it is. False: this is no date. */
static bool token(struct scan *s, struct fields_of_date *d)
{
	char c = *s->p;
	if (abnf_is_digit(c))
		return number(s, d);
	if (abnf_is_alpha(c))
		return word(scan_while(s, abnf_is_alpha), d);
	s->p++;
	if ((c == '+' || c == '-') && d->has_time && s->p < s->end && abnf_is_digit(*s->p))
		return offset(s, c == '-', d);
	return c == ',' || c == '-' || c == '/' || c == '.' || d->has_zone;
}

static bool has_day(const struct fields_of_date *d)
{
	return d->day != 0 && d->month != 0 && d->year >= YEAR_MIN && d->year <= YEAR_MAX &&
	       d->day <= days_in_month(d->year, d->month);
}

/* Behind a day a time that is none is midnight and a zone that is none is UTC. RFC 5256 2.2 */
bool mail_date_parse(struct str text, struct mail_date *ret)
{
	struct fields_of_date d = { .year = -1 };
	struct scan s = scan_from(str_sub(text, 0, TEXT_BYTES));
	for (cfws_skip(&s); !scan_end(&s); cfws_skip(&s))
		if (!token(&s, &d))
			break;
	if (!has_day(&d))
		return false;
	int64_t seconds = days_since_1970(d.year, d.month, d.day) * 86400 + d.hour * 3600 +
			  d.minute * 60 + d.second;
	ret->ms = (seconds - d.zone * 60) * 1000;
	ret->zone_minutes = (int16_t)d.zone;
	ret->zone_known = d.zone_known;
	return true;
}

int64_t mail_date_local_day(const struct mail_date *d)
{
	int64_t minutes = d->ms / 60000 - (d->ms % 60000 < 0) + d->zone_minutes;
	return minutes / 1440 - (minutes % 1440 < 0);
}
