// SPDX-License-Identifier: Apache-2.0
/* Every status response we can give. The table is the only place that knows how our kinds of
 * failure are said in IMAP. RFC 9051 7.1, RFC 5530. */
#include "imap/imap_private.h"
#include "imap/token.h"

#include <stdarg.h>

static const struct {
	const char *status, *code;
} by_kind[ERR_KINDS] = {
	[ERR_NONE] = { "NO", "SERVERBUG" },
	[ERR_TEMP] = { "NO", "UNAVAILABLE" },
	[ERR_SYNTAX] = { "BAD", NULL },
	[ERR_NOT_NOW] = { "NO", "CANNOT" },
	[ERR_AUTH] = { "NO", "AUTHENTICATIONFAILED" },
	[ERR_DENIED] = { "NO", "CANNOT" },
	[ERR_NOT_FOUND] = { "NO", "NONEXISTENT" },
	[ERR_EXISTS] = { "NO", "ALREADYEXISTS" },
	[ERR_QUOTA] = { "NO", "OVERQUOTA" },
	[ERR_LIMIT] = { "NO", "LIMIT" },
	[ERR_EXPIRED] = { "NO", "UNAVAILABLE" },
	[ERR_IN_USE] = { "NO", "INUSE" },
	[ERR_READ_ONLY] = { "NO", "UNAVAILABLE" },
	[ERR_CORRUPT] = { "NO", "CORRUPTION" },
	[ERR_UNSUPPORTED] = { "NO", "CANNOT" },
	[ERR_CONFIG] = { "NO", "CONTACTADMIN" },
	[ERR_TOO_BIG] = { "NO", "TOOBIG" },
	[ERR_FULL] = { "NO", "UNAVAILABLE" },
};

/* A command whose tag could not be read is answered with "*": RFC 9051 7.1.3 */
static void add_tag(struct imap *s)
{
	buf_clear(&s->reply);
	if (s->cmd.tag.n == 0)
		buf_addc(&s->reply, '*');
	else
		buf_adds(&s->reply, s->cmd.tag);
}

static void add_text(struct imap *s, const char *format, va_list args)
{
	char text[300];

	vsnprintf(text, sizeof text, format, args);
	token_add_text(&s->reply, str_from(text));
	buf_addz(&s->reply, "\r\n");
}

static void begin(struct imap *s, const char *status, const char *code)
{
	add_tag(s);
	buf_addf(&s->reply, " %s ", status);
	if (code != NULL)
		buf_addf(&s->reply, "[%s] ", code);
}

#define REPLY(name, status)                                                                        \
	void name(struct imap *s, const char *code, const char *format, ...)                       \
	{                                                                                          \
		va_list args;                                                                      \
                                                                                                   \
		begin(s, status, code);                                                            \
		va_start(args, format);                                                            \
		add_text(s, format, args);                                                         \
		va_end(args);                                                                      \
	}
REPLY(reply_ok, "OK")
REPLY(reply_no, "NO")
REPLY(reply_bad, "BAD")

struct buf *reply_open_ok(struct imap *s)
{
	add_tag(s);
	buf_addz(&s->reply, " OK [");
	return &s->reply;
}

void reply_close(struct imap *s, const char *text)
{
	buf_addf(&s->reply, "] %s\r\n", text);
	if (s->reply.full) /* the code was longer than any reply may be: say it without */
		reply_ok(s, NULL, "%s", text);
}

void reply_err(struct imap *s, enum err_kind kind, struct str text)
{
	if (kind >= ERR_KINDS)
		kind = ERR_TEMP;
	if (text.n == 0)
		text = str_from(err_sentence(kind));
	begin(s, by_kind[kind].status, by_kind[kind].code);
	token_add_text(&s->reply, text);
	buf_addz(&s->reply, "\r\n");
}

void reply_failed(struct imap *s, const struct frame *answer)
{
	if (answer->type != FRAME_FAILED) {
		reply_no(s, "SERVERBUG", "Unexpected answer from within");
		return;
	}
	if (answer->failed.kind == ERR_EXPIRED)
		imap_session_is_gone(s);
	reply_err(s, answer->failed.kind, answer->failed.text);
}

void untagged_ok(struct imap *s, const char *code, const char *text)
{
	imap_writef(s, "* OK [%s] %s\r\n", code, text);
}
