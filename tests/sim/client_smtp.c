// SPDX-License-Identifier: Apache-2.0
/* Strangers' servers: they bring messages to one or more accounts, by DATA or BDAT, and sometimes
 * go before they have heard the answer. */
#include "sim.h"

/* The code of a reply, with all its lines read; 0: cut off. */
static int reply(struct conn *c)
{
	struct str line;
	do {
		if (!conn_line(c, &line) || line.n < 3)
			return 0;
	} while (line.n > 3 && line.p[3] == '-');
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + line.p[2] - '0';
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

struct mail {
	uint32_t n;
	struct copy *copies[ACCOUNTS];
	size_t copies_n;
};

static bool recipients(struct conn *c, struct mail *m)
{
	char line[200];
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		if (!chance(35) && !(i + 1 == ACCOUNTS && m->copies_n == 0))
			continue;
		snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", account_address(i));
		int code = say(c, line);
		if (code == 0)
			return false;
		if (code == 250)
			m->copies[m->copies_n++] = model_put(i, 0, m->n);
	}
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
			code = conn_send(c, buf_str(&out)) ? reply(c) : 0;
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
			code = conn_send(c, buf_str(&out)) ? reply(c) : 0;
		}
	}
	buf_done(&out);
	buf_done(&text);
	return code;
}

/* False: the connection is of no more use. */
static bool transaction(struct conn *c)
{
	struct mail m = { .n = model_next_message() };
	int code = say(c, "MAIL FROM:<sender@elsewhere.example> BODY=8BITMIME\r\n");
	if (code != 250)
		return code != 0 && code != 421 && say(c, "RSET\r\n") == 250;
	code = recipients(c, &m) ? content(c, &m) : 0;
	world.report->operations++;
	for (size_t i = 0; i < m.copies_n && code == 250; i++)
		model_put_acked(m.copies[i], 0);
	return code == 250 || (code >= 400 && code != 421 && say(c, "RSET\r\n") == 250);
}

static void session(struct actor *a)
{
	struct conn c;
	char address[40];
	snprintf(address, sizeof(address), "192.0.2.%u", 1 + a->number);
	if (conn_open(&c, a, "smtp", address) && reply(&c) == 220 &&
		say(&c, "EHLO client.example\r\n") == 250) {
		bool good = true;
		for (uint64_t i = 1 + dice(4); i > 0 && good && !round_over; i--) {
			good = transaction(&c);
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
		if (!round_over)
			session(a);
	}
}
