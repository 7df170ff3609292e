// SPDX-License-Identifier: Apache-2.0
/* culver account undelete: messages that were deleted and are kept for a while. */
#include "cli/cli.h"

#include "base/scan.h"
#include "base/time.h"
#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* ---- when ---- */

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* age = 1*DIGIT ("m" / "h" / "d"): so long ago. */
static bool scan_age(struct scan *s, int64_t now, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { 'm', 60000 }, { 'h', 3600000 }, { 'd', TIME_DAY_MS } };
	uint64_t n;
	if (!scan_number(s, 1000000, &n))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (scan_char(s, units[i].unit)) {
			*ret = now - (int64_t)n * units[i].ms;
			return scan_end(s);
		}
	return false;
}

/* date = 4DIGIT "-" 2DIGIT "-" 2DIGIT ["T" 2DIGIT ":" 2DIGIT [":" 2DIGIT] ["Z"]]   RFC 3339 5.6, of
 * UTC */
static bool scan_date(struct scan *s, int64_t *ret)
{
	uint64_t year, month, day, hour = 0, minute = 0, second = 0;
	if (!scan_digits(s, 4, &year) || !scan_char(s, '-') || !scan_digits(s, 2, &month) ||
		!scan_char(s, '-') || !scan_digits(s, 2, &day))
		return false;
	if (scan_char(s, 'T')) {
		if (!scan_digits(s, 2, &hour) || !scan_char(s, ':') || !scan_digits(s, 2, &minute))
			return false;
		if (scan_char(s, ':') && !scan_digits(s, 2, &second))
			return false;
		scan_char(s, 'Z');
	}
	struct civil c = { .year = (int)year,
		.month = (int)month,
		.day = (int)day,
		.hour = (int)hour,
		.minute = (int)minute,
		.second = (int)second };
	return scan_end(s) && time_from_civil(&c, ret);
}

int cli_since(const char *text, int64_t now, int64_t *ret, struct err *err)
{
	struct scan age = scan_from(str_from(text)), date = age;
	if (scan_age(&age, now, ret) || scan_date(&date, ret))
		return 0;
	return fail(err, ERR_SYNTAX,
		"%s is no time; try 90m, 2h, 3d, 2026-11-28 or 2026-11-28T10:30Z", text);
}

/* ---- the list ---- */

struct listing {
	const struct options *o;
	struct buf items; /* JSON */
	bool cut;
	uint64_t messages, bytes;
};

static void print_deleted(struct listing *l, const struct api_deleted *d)
{
	struct time_text deleted, date;
	AUTO(buf_done)
	struct buf mailbox;
	buf_init(&mailbox, 8192);
	time_iso8601(&deleted, d->time);
	time_iso8601(&date, d->date);
	json_string(&mailbox, d->mailbox);
	if (l->o->json)
		buf_addf(&l->items,
			"%s{\"deleted\":\"%s\",\"mailbox\":%s,\"date\":\"%s\",\"size\":%" PRIu64
			"}",
			l->items.n ? "," : "", deleted.text, mailbox.p, date.text, d->size);
	else
		printf("deleted %s received %s %10" PRIu64 " bytes %s\n", deleted.text, date.text,
			d->size, mailbox.p);
	l->messages++;
	l->bytes += d->size;
}

static void on_deleted(void *arg, const struct frame *frame)
{
	struct listing *l = arg;
	if (frame->type != FRAME_DELETED_ARE)
		return;
	for (size_t i = 0; i < frame->deleted_are.deleted.n; i++)
		print_deleted(l, &frame->deleted_are.deleted.items[i]);
	l->cut = frame->deleted_are.cut;
}

static int list_deleted(
	const struct options *o, struct remote *r, const struct frame_undelete *q, struct err *err)
{
	struct frame f = { .type = FRAME_DELETED_LIST,
		.deleted_list = { q->address, q->since, q->mailbox, q->removed } };
	struct listing l = { .o = o };
	buf_init(&l.items, CLI_LIST_BYTES);
	int result = remote_ask(r, REMOTE_STORE, &f, on_deleted, &l, err);
	if (result == 0 && o->json)
		result = cli_print_list("{\"messages\":[", &l.items,
			l.cut ? "],\"cut\":true}" : "],\"cut\":false}", err);
	else if (result == 0)
		printf("%" PRIu64 " messages, %" PRIu64 " bytes%s\n", l.messages, l.bytes,
			l.cut ? "; there are more: narrow it with --since or --mailbox" : "");
	buf_done(&l.items);
	return result;
}

/* ---- putting back ---- */

static void on_undeleted(void *arg, const struct frame *frame)
{
	struct frame_undeleted *u = arg;
	if (frame->type == FRAME_UNDELETED)
		*u = frame->undeleted;
}

static int put_back(
	const struct options *o, struct remote *r, const struct frame_undelete *q, struct err *err)
{
	struct frame f = { .type = FRAME_UNDELETE, .undelete = *q };
	struct frame_undeleted u = { .more = true };
	uint64_t messages = 0, bytes = 0, there = 0;
	int result = 0;
	while (result == 0 && u.more) {
		u = (struct frame_undeleted){ .more = false };
		result = remote_ask(r, REMOTE_STORE, &f, on_undeleted, &u, err);
		messages += u.messages;
		bytes += u.bytes;
		there += u.there;
		f.undelete.goes_on = messages > 0;
	}
	if (result == 0 && o->json)
		printf("{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"there\":%" PRIu64 "}\n",
			messages, bytes, there);
	else if (!o->json && (result == 0 || messages)) /* some are back, whatever came then */
		printf("%" PRIu64 " messages put back, %" PRIu64 " bytes%s\n", messages, bytes,
			there ? "; what had been restored from a backup meanwhile is left as it is"
			      : "");
	return result;
}

int cmd_account_undelete(const struct options *o)
{
	struct err err = ERR_INIT;
	if (o->args_n != 1)
		return cli_usage(o, "[-c FILE] [--list] [--since TIME] [--mailbox NAME] "
				    "[--removed] [--json] ADDRESS");
	struct frame_undelete q = { .address = str_from(o->args[0]),
		.mailbox = str_from(o->mailbox ? o->mailbox : ""),
		.removed = o->removed };
	if (o->since && cli_since(o->since, now_ms(), &q.since, &err) < 0)
		return cli_fail(o, &err);
	AUTO(remote_close)
	struct remote *r = remote_open(options_config(o), false, &err);
	if (r == NULL || (o->list ? list_deleted : put_back)(o, r, &q, &err) < 0)
		return cli_fail(o, &err);
	return EXIT_GOOD;
}
