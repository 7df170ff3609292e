// SPDX-License-Identifier: Apache-2.0
/* What is sent: one command at a time, in pieces where it holds synchronizing literals. */
#include "imap_client/client_private.h"

#include <stdarg.h>
#include <stdio.h>

void command_begin(struct imap_client *c, const char *words)
{
	snprintf(c->tag, sizeof(c->tag), "c%u", ++c->tags);
	buf_clear(&c->command);
	c->n_splits = 0;
	c->sent = 0;
	command_addf(c, "%s %s", c->tag, words);
}

void command_addf(struct imap_client *c, const char *format, ...)
{
	char text[200];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)buf_addz(&c->command, text); /* command_send looks whether all of it fitted */
}

void command_split(struct imap_client *c)
{
	if (c->n_splits < PIECES)
		c->splits[c->n_splits++] = c->command.n;
}

/* quoted = DQUOTE *QUOTED-CHAR DQUOTE; 8-bit characters in it are rev2's alone. RFC 9051 9 */
static bool may_be_quoted(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (abnf_is_8bit(s.p[i]) || abnf_is_ctl(s.p[i]))
			return false;
	return s.n < 1000;
}

void command_add_string(struct imap_client *c, struct str s)
{
	if (!may_be_quoted(s)) {
		command_addf(c, "{%zu}\r\n", s.n);
		command_split(c);
		(void)buf_adds(&c->command, s);
		return;
	}
	(void)buf_addc(&c->command, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			(void)buf_addc(&c->command, '\\');
		(void)buf_addc(&c->command, s.p[i]);
	}
	(void)buf_addc(&c->command, '"');
}

static void send_piece(struct imap_client *c)
{
	size_t end = c->command.n;
	for (size_t i = c->n_splits; i-- > 0;)
		if (c->splits[i] > c->sent)
			end = c->splits[i];
	if (!buf_add(&c->out, c->command.p + c->sent, end - c->sent))
		client_fail(c, ERR_LIMIT, "the server takes nothing");
	c->sent = end;
}

void command_send(struct imap_client *c, enum client_state then)
{
	if (!buf_addz(&c->command, "\r\n") || c->command.full) {
		client_fail(c, ERR_LIMIT, "a command would be too long");
		return;
	}
	c->state = then;
	send_piece(c);
}

int command_continue(struct imap_client *c)
{
	if (c->sent == c->command.n)
		return client_fail(c, ERR_SYNTAX, "the server asks for more than was announced");
	send_piece(c);
	return c->state == AT_END ? -1 : 0;
}

/* PLAIN (RFC 4616 2) before LOGIN, which has no way to say UTF-8 (RFC 9051 6.2.3). */
void command_login(struct imap_client *c)
{
	struct buf plain;
	if (!(c->can & CAN_PLAIN)) {
		command_begin(c, "LOGIN ");
		command_add_string(c, buf_str(&c->user));
		command_addf(c, " ");
		command_add_string(c, buf_str(&c->password));
		command_send(c, AT_LOGIN);
		return;
	}
	buf_init(&plain, 2 + 2 * LIMIT_IMAP_CLIENT_SECRET_BYTES);
	(void)buf_addc(&plain, 0);
	(void)buf_adds(&plain, buf_str(&c->user));
	(void)buf_addc(&plain, 0);
	(void)buf_adds(&plain, buf_str(&c->password));
	command_begin(c, "AUTHENTICATE PLAIN");
	if (c->can & CAN_SASL_IR) { /* RFC 4959 3 */
		command_addf(c, " ");
	} else {
		command_addf(c, "\r\n");
		command_split(c);
	}
	(void)buf_add_base64(&c->command, buf_str(&plain));
	mem_wipe(plain.p, plain.n);
	buf_done(&plain);
	command_send(c, AT_LOGIN);
}
