// SPDX-License-Identifier: Apache-2.0
/*
 * Messages that can be told from one another: a number in the subject, from which all the rest
 * follows. What delivery puts before them is known by its fields.
 */
#include "sim.h"

#include "base/time.h"

enum { MESSAGE_MOST = 1 << 20 };

static uint64_t mixed(uint64_t *z)
{
	*z = *z * 6364136223846793005U + 1442695040888963407U;
	return *z >> 33;
}

/* It has at least so many. */
static size_t least_size(uint32_t n)
{
	uint64_t z = world.o.seed * 1000003 + n;
	mixed(&z);
	uint64_t kind = mixed(&z) % 100;
	if (kind < 60)
		return 100 + mixed(&z) % 2000;
	if (kind < 95)
		return 2000 + mixed(&z) % 20000;
	return 60000 + mixed(&z) % 100000; /* more than a chunk of a record */
}

static void add_line(struct buf *b, uint64_t *z)
{
	uint64_t n = mixed(z) % 100 < 5 ? 900 : mixed(z) % 78;
	if (mixed(z) % 6 == 0)
		buf_addc(b, '.'); /* SMTP and POP3 double it under way */
	for (uint64_t i = 0; i < n; i++)
		buf_addc(b, (char)(' ' + mixed(z) % 95));
	buf_addz(b, "\r\n");
}

/* ---- dates ---- */

static struct vec dated; /* bool, by number */

int64_t message_date(uint32_t n)
{
	return INT64_C(1600000000000) + (int64_t)n * 86399000;
}

void message_is_dated(uint32_t n)
{
	bool no = false;
	if (dated.size == 0)
		vec_init(&dated, sizeof(bool), 1000000);
	while (dated.n <= n)
		vec_push(&dated, &no);
	*(bool *)vec_at(&dated, n) = true;
}

void message_check_date(uint32_t n, struct str date, const char *where)
{
	struct time_text text;
	if (n >= dated.n || !*(bool *)vec_at(&dated, n))
		return;
	if (!str_equal(date, str_from(time_imap(&text, message_date(n)))))
		sim_fail("%s: message %u was of %s, and is of %" STR_FMT, where, n, text.text,
			STR_ARG(date));
}

/* ---- their text ---- */

static struct vec senders; /* uint8_t, by number: 1 + account, 0 a stranger */

void message_is_from(uint32_t n, unsigned account)
{
	uint8_t none = 0;
	if (senders.size == 0)
		vec_init(&senders, sizeof(uint8_t), 1000000);
	while (senders.n <= n)
		vec_push(&senders, &none);
	*(uint8_t *)vec_at(&senders, n) = (uint8_t)(1 + account);
}

static const char *sender(uint32_t n)
{
	uint8_t from = n < senders.n ? *(uint8_t *)vec_at(&senders, n) : 0;
	return from ? account_address(from - 1U) : "sender@elsewhere.example";
}

void message_make(uint32_t n, struct buf *ret)
{
	uint64_t z = world.o.seed * 77777 + n;
	size_t size = least_size(n);
	buf_init(ret, MESSAGE_MOST);
	buf_addf(ret, "Subject: number %u.\r\nDate: Fri, 1 Jan 2026 00:00:00 +0000\r\n", n);
	buf_addf(ret, "From: %s\r\nMessage-ID: <%u@sim.example>\r\n\r\n", sender(n), n);
	while (ret->n < size)
		add_line(ret, &z);
}

size_t message_bytes(uint32_t n)
{
	static struct vec sizes; /* size_t, by number; 0: not made yet */
	size_t none = 0;
	if (sizes.size == 0)
		vec_init(&sizes, sizeof(size_t), 1000000);
	while (sizes.n <= n)
		vec_push(&sizes, &none);
	size_t *size = vec_at(&sizes, n);
	if (*size == 0) {
		struct buf text;
		message_make(n, &text);
		*size = text.n;
		buf_done(&text);
	}
	return *size;
}

/* What a message begins with, up to so many lines of its body.  RFC 1939 7 */
static struct str top_of(struct str message, unsigned lines)
{
	size_t at = str_search(message, STR("\r\n\r\n")) + 4;
	for (; lines > 0 && at < message.n; lines--)
		at += str_find(str_from_offset(message, at), '\n') + 1;
	return str_sub(message, 0, at);
}

/* What delivery has put there says of whom it is, and of nobody else. */
static void check_prefix(struct str prefix, uint32_t n, unsigned account, const char *where)
{
	char line[100];
	snprintf(line, sizeof(line), "\r\nDelivered-To: %s\r\n", account_address(account));
	if (!str_starts(prefix, STR("Return-Path:")) ||
		str_search(prefix, str_from(line)) == prefix.n)
		sim_fail("%s: message %u of %s begins with %.150s", where, n,
			account_address(account), prefix.p);
}

static uint32_t check(
	struct str bytes, bool top, unsigned lines, unsigned account, const char *where)
{
	uint64_t n;
	world.strict = true; /* what is served is a message, whatever the ledger says */
	struct str mark = STR("Subject: number ");
	size_t at = str_search(bytes, mark);
	struct scan s = scan_from(str_from_offset(bytes, at + mark.n));
	if (at == bytes.n || !scan_number(&s, UINT32_MAX, &n) || n == 0)
		sim_fail("%s: what was read is no message that was sent (%zu bytes: %.60s)", where,
			bytes.n, bytes.n ? bytes.p : "");
	struct buf want;
	message_make((uint32_t)n, &want);
	struct str got = str_from_offset(bytes, at), whole = buf_str(&want);
	if (!str_equal(got, top ? top_of(whole, lines) : whole))
		sim_fail("%s: message %u is not what was sent: %zu bytes, not %zu", where,
			(unsigned)n, got.n, want.n);
	if (at > 0)
		check_prefix(str_sub(bytes, 0, at), (uint32_t)n, account, where);
	buf_done(&want);
	world.strict = false;
	return (uint32_t)n;
}

uint32_t message_check(struct str bytes, unsigned account, const char *where)
{
	return check(bytes, false, 0, account, where);
}

uint32_t message_check_top(struct str bytes, unsigned lines, unsigned account, const char *where)
{
	return check(bytes, true, lines, account, where);
}
