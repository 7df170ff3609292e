// SPDX-License-Identifier: Apache-2.0
/* Civil time by arithmetic, and the three texts that mail has for it. */
#include "base/time.h"

#include <stdio.h>

static const char month_names[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
	"Sep", "Oct", "Nov", "Dec" };
static const char weekday_names[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };

/* The calendar repeats every 400 years. Days are counted from 0000-03-01, so that the day that
 * comes and goes is the last of its year. */
enum { DAYS_400_YEARS = 146097, DAYS_TO_1970 = 719468 };

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int time_days_in_month(int year, int month)
{
	static const int days[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	if (month < 1 || month > 12)
		return 0;
	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-03-01 to the first of a month; years begin in March here, month 0. */
static int days_before_month(int march_month)
{
	return (153 * march_month + 2) / 5;
}

static int days_before_year(int march_year)
{
	return 365 * march_year + march_year / 4 - march_year / 100 + march_year / 400;
}

/* Sets year, month and day from days since 0000-03-01 (not negative). */
static void set_date(struct civil *c, int days)
{
	int year = (int)((int64_t)days * 400 / DAYS_400_YEARS);
	/* The guess is exact or one too high. */
	if (days_before_year(year) > days)
		year--;
	else if (days_before_year(year + 1) <= days)
		year++;
	int day = days - days_before_year(year);
	int month = (5 * day + 2) / 153;
	c->day = day - days_before_month(month) + 1;
	c->month = month < 10 ? month + 3 : month - 9;
	c->year = month < 10 ? year : year + 1;
}

struct civil time_civil(int64_t ms)
{
	struct civil c = { 0 };
	if (ms < TIME_MIN_MS)
		ms = TIME_MIN_MS;
	if (ms > TIME_MAX_MS)
		ms = TIME_MAX_MS;
	int64_t shifted = ms + DAYS_TO_1970 * TIME_DAY_MS;
	int days = (int)(shifted / TIME_DAY_MS);
	int rest = (int)(shifted % TIME_DAY_MS);
	set_date(&c, days);
	c.hour = rest / 3600000;
	c.minute = rest / 60000 % 60;
	c.second = rest / 1000 % 60;
	c.ms = rest % 1000;
	c.weekday = (days + 3) % 7; /* 0000-03-01 was a Wednesday */
	return c;
}

bool time_from_civil(const struct civil *c, int64_t *ret_ms)
{
	if (c->year < 1 || c->year > 9999 || c->day < 1 ||
		c->day > time_days_in_month(c->year, c->month))
		return false;
	if (c->hour < 0 || c->hour > 23 || c->minute < 0 || c->minute > 59 || c->second < 0 ||
		c->second > 60 || c->ms < 0 || c->ms > 999)
		return false;
	int month = c->month > 2 ? c->month - 3 : c->month + 9;
	int year = c->month > 2 ? c->year : c->year - 1;
	int64_t days = days_before_year(year) + days_before_month(month) + c->day - 1;
	*ret_ms = (days - DAYS_TO_1970) * TIME_DAY_MS + c->hour * INT64_C(3600000) +
		  c->minute * INT64_C(60000) + c->second * INT64_C(1000) + c->ms;
	return true;
}

int time_month(struct str name)
{
	for (int i = 0; i < 12; i++)
		if (str_equal_nocase(name, str_from(month_names[i])))
			return i + 1;
	return 0;
}

const char *time_rfc5322(struct time_text *out, int64_t ms)
{
	struct civil c = time_civil(ms);
	snprintf(out->text, sizeof(out->text), "%s, %02d %s %04d %02d:%02d:%02d +0000",
		weekday_names[c.weekday], c.day, month_names[c.month - 1], c.year, c.hour, c.minute,
		c.second);
	return out->text;
}

const char *time_imap(struct time_text *out, int64_t ms)
{
	struct civil c = time_civil(ms);
	snprintf(out->text, sizeof(out->text), "%02d-%s-%04d %02d:%02d:%02d +0000", c.day,
		month_names[c.month - 1], c.year, c.hour, c.minute, c.second);
	return out->text;
}

static char *put_number(char *p, int n, int digits, char after)
{
	for (int i = digits; i-- > 0; n /= 10)
		p[i] = (char)('0' + n % 10);
	p[digits] = after;
	return p + digits + 1;
}

/* Each line of log has one, so without printf. */
const char *time_iso8601(struct time_text *out, int64_t ms)
{
	struct civil c = time_civil(ms);
	char *p = put_number(out->text, c.year, 4, '-');
	p = put_number(p, c.month, 2, '-');
	p = put_number(p, c.day, 2, 'T');
	p = put_number(p, c.hour, 2, ':');
	p = put_number(p, c.minute, 2, ':');
	p = put_number(p, c.second, 2, '.');
	*put_number(p, c.ms, 3, 'Z') = '\0';
	return out->text;
}

static bool scan_int(struct scan *s, size_t digits, int *ret)
{
	uint64_t value;
	if (!scan_digits(s, digits, &value))
		return false;
	*ret = (int)value;
	return true;
}

/* "-" date-month "-" date-year */
static bool scan_month_and_year(struct scan *s, struct civil *c)
{
	struct str name;
	if (!scan_char(s, '-') || !scan_bytes(s, 3, &name) || !scan_char(s, '-'))
		return false;
	c->month = time_month(name);
	return c->month && scan_int(s, 4, &c->year);
}

/* time = 2DIGIT ":" 2DIGIT ":" 2DIGIT */
static bool scan_time(struct scan *s, struct civil *c)
{
	return scan_int(s, 2, &c->hour) && scan_char(s, ':') && scan_int(s, 2, &c->minute) &&
	       scan_char(s, ':') && scan_int(s, 2, &c->second);
}

/* zone = ("+" / "-") 4DIGIT, hours and minutes */
static bool scan_zone(struct scan *s, int *ret_minutes)
{
	int hours, minutes;
	bool minus = scan_char(s, '-');
	if (!minus && !scan_char(s, '+'))
		return false;
	if (!scan_int(s, 2, &hours) || !scan_int(s, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = (minus ? -1 : 1) * (hours * 60 + minutes);
	return true;
}

bool time_scan_imap(struct scan *s, int64_t *ret_ms)
{
	struct scan at = *s;
	struct civil c = { 0 };
	int zone;
	int64_t ms;
	if (!scan_int(&at, scan_sp(&at) ? 1 : 2, &c.day) || !scan_month_and_year(&at, &c) ||
		!scan_sp(&at) || !scan_time(&at, &c) || !scan_sp(&at) || !scan_zone(&at, &zone) ||
		!time_from_civil(&c, &ms))
		return false;
	*s = at;
	*ret_ms = ms - zone * INT64_C(60000);
	return true;
}

bool time_scan_imap_date(struct scan *s, int64_t *ret_ms)
{
	struct scan at = *s;
	struct civil c = { 0 };
	int64_t ms;
	if (!scan_int(&at, 2, &c.day) && !scan_int(&at, 1, &c.day))
		return false;
	if (!scan_month_and_year(&at, &c) || !time_from_civil(&c, &ms))
		return false;
	*s = at;
	*ret_ms = ms;
	return true;
}
