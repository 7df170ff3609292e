// SPDX-License-Identifier: Apache-2.0
/* Strangers' servers, and users who submit: they bring messages to one or more accounts, by DATA or
 * BDAT, and sometimes go before they have heard the answer. */
#include "accounts.h"
#include "guest.h"
#include "source.h"

/* The code of a reply, with all its lines read; 0: cut off. */
static int reply_code(struct conn *c)
{
	struct str line;
	do {
		if (!conn_line(c, &line) || line.n < 3)
			return 0;
	} while (line.n > 3 && line.p[3] == '-');
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
}

/* "Mailbox is full", of the last reply. */
static bool is_full(const struct conn *c)
{
	return str_starts(buf_str(&c->line), STR("452 4.2.2 "));
}

struct mail {
	uint32_t n;
	struct copy *copies[ACCOUNTS];
	size_t copies_n;
	bool to_guest;
	struct guest_view guest;
};

/* mail: it was sent; who was removed behind his RCPT has it put off for all. */
static int reply_about(struct conn *c, const struct mail *mail)
{
	int code = reply_code(c);
	bool removed = mail && mail->to_guest && !guest_stayed(&mail->guest);
	if (code == 0 || (code >= 400 && code < 500 && !is_full(c) && !removed))
		conn_turned_away(c, code ? c->line.p : "cut off");
	return code;
}

static int reply(struct conn *c)
{
	return reply_about(c, NULL);
}

static int say(struct conn *c, const char *text)
{
	return conn_send(c, str_from(text)) ? reply(c) : 0;
}

/* RFC 5321 4.5.2 */
static void add_stuffed(struct buf *out, struct str text)
{
	while (text.n) {
		struct str line = str_sub(text, 0, str_find(text, '\n') + 1);
		if (line.p[0] == '.')
			buf_addc(out, '.');
		buf_adds(out, line);
		text = str_from_offset(text, line.n);
	}
	buf_addz(out, ".\r\n");
}

static bool recipient_guest(struct conn *c, struct mail *m)
{
	m->guest = guest_view();
	int code = say(c, "RCPT TO:<" GUEST ">\r\n");
	guest_recipient(&m->guest, code, c->actor->name);
	m->to_guest = code == 250;
	return code != 0;
}

static bool recipients(struct conn *c, struct mail *m)
{
	char line[200];
	unsigned n = source_shares_inbox() ? ACCOUNTS : USERS;
	for (unsigned i = 0; i < n; i++) {
		if (!chance(35) && !(i + 1 == n && m->copies_n == 0))
			continue;
		snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", account_address(i));
		struct room room = room_before(i);
		int code = say(c, line);
		if (code == 0)
			return false;
		if (is_full(c))
			room_refused(&room, 0, 0, c->actor->name);
		if (code == 250)
			m->copies[m->copies_n++] = model_put(i, 0, m->n);
	}
	if (chance(15) && !recipient_guest(c, m))
		return false;
	return m->copies_n > 0;
}

static int content(struct conn *c, const struct mail *m)
{
	struct buf text, out;
	message_make(m->n, &text);
	buf_init(&out, 4 * 1024 * 1024);
	int code = 0;
	if (chance(50)) {
		code = say(c, "DATA\r\n");
		if (code == 354) {
			add_stuffed(&out, buf_str(&text));
			code = conn_send(c, buf_str(&out)) ? reply_about(c, m) : 0;
		}
	} else {
		size_t half = dice(2) ? (size_t)dice(text.n) : 0;
		if (half) {
			buf_addf(&out, "BDAT %zu\r\n", half);
			buf_add(&out, text.p, half);
			code = conn_send(c, buf_str(&out)) ? reply(c) : 0;
			buf_clear(&out);
		}
		if (half == 0 || code == 250) {
			buf_addf(&out, "BDAT %zu LAST\r\n", text.n - half);
			buf_add(&out, text.p + half, text.n - half);
			code = conn_send(c, buf_str(&out)) ? reply_about(c, m) : 0;
		}
	}
	buf_done(&out);
	buf_done(&text);
	return code;
}

/* by: NULL for a stranger. False: the connection is of no more use. */
static bool transaction(struct conn *c, const struct authority *by)
{
	struct mail m = { .n = model_next_message() };
	char line[200];
	if (by)
		message_is_from(m.n, by->account);
	snprintf(line, sizeof(line), "MAIL FROM:<%s> BODY=8BITMIME\r\n",
		by ? account_address(by->account) : "sender@elsewhere.example");
	int code = say(c, line);
	if (code != 250)
		return code != 0 && code != 421 && say(c, "RSET\r\n") == 250;
	c->may_end = false;
	bool good = recipients(c, &m);
	c->may_end = true;
	int64_t asked_ms = awake_ms();
	code = good ? content(c, &m) : 0;
	world.report->operations++;
	if (by && code == 250)
		authority_used(by, asked_ms, c->actor->name);
	if (m.to_guest && code == 250)
		guest_delivered(&m.guest);
	for (size_t i = 0; i < m.copies_n && code == 250; i++)
		model_put_acked(m.copies[i], 0);
	return code == 250 || (code >= 400 && code != 421 && say(c, "RSET\r\n") == 250);
}

/* AUTH PLAIN: RFC 4954, RFC 4616 */
static bool authenticate(struct conn *c, struct authority *by)
{
	char plain[400], line[800];
	struct buf sealed;
	int n = snprintf(
		plain, sizeof(plain), "%c%s%c%s", 0, account_address(by->account), 0, by->password);
	buf_init(&sealed, sizeof(line));
	buf_add_base64(&sealed, str_make(plain, (size_t)n));
	snprintf(line, sizeof(line), "AUTH PLAIN %.*s\r\n", (int)sealed.n, sealed.p);
	buf_done(&sealed);
	authority_asked(by);
	int code = say(c, line);
	if (code == 235)
		authority_granted(by, c->actor->name);
	else if (code == 535)
		authority_refused(by, c->actor->name);
	return code == 235;
}

static void session(struct actor *a, struct authority *by)
{
	struct conn c;
	char address[40];
	snprintf(address, sizeof(address), "192.0.2.%u", 1 + a->number);
	if (conn_open(&c, a, by ? "submission" : "smtp", by ? "127.0.0.1" : address, by) &&
		reply(&c) == 220 && say(&c, "EHLO client.example\r\n") == 250 &&
		(by == NULL || authenticate(&c, by))) {
		bool good = c.may_end = true;
		for (uint64_t i = 1 + dice(4); i > 0 && good && !round_over; i--) {
			good = transaction(&c, by);
			actor_sleep(a, (int64_t)dice(2000));
		}
		if (good)
			say(&c, "QUIT\r\n");
	}
	conn_close(&c);
}

void client_smtp_run(struct actor *a)
{
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(5000));
		struct authority by = authority_new((unsigned)dice(USERS));
		if (!round_over)
			session(a, chance(40) ? &by : NULL);
	}
}
