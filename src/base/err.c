// SPDX-License-Identifier: Apache-2.0
/* Errors: kinds, their names and general sentences. */
#include "base/err.h"

#include "base/abnf.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name, *sentence;
} kinds[ERR_KINDS] = {
	[ERR_NONE] = { "none", "no error" },
	[ERR_TEMP] = { "temporary", "temporarily unavailable, try again later" },
	[ERR_SYNTAX] = { "syntax", "syntax error" },
	[ERR_NOT_NOW] = { "state", "not possible now" },
	[ERR_AUTH] = { "auth", "authentication failed" },
	[ERR_DENIED] = { "denied", "not allowed" },
	[ERR_NOT_FOUND] = { "not-found", "no such thing" },
	[ERR_EXISTS] = { "exists", "already exists" },
	[ERR_QUOTA] = { "quota", "over quota" },
	[ERR_LIMIT] = { "limit", "too large or too many" },
	[ERR_EXPIRED] = { "expired", "session has ended" },
	[ERR_IN_USE] = { "in-use", "in use" },
	[ERR_READ_ONLY] = { "read-only", "read-only for now" },
	[ERR_CORRUPT] = { "corrupt", "stored data is damaged" },
	[ERR_UNSUPPORTED] = { "unsupported", "not supported" },
	[ERR_CONFIG] = { "config", "configuration error" },
	[ERR_TOO_BIG] = { "too-big", "message is too large" },
	[ERR_FULL] = { "full", "no room to store this now, try again later" },
};

const char *err_name(enum err_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].name : "unknown";
}

const char *err_sentence(enum err_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].sentence : "unknown error";
}

/* Formats into a text of an err. The arguments may come from that same err (an error that is told
 * again with more words), so this goes by way of a copy. Control bytes become blanks: a text goes
 * into one line of a protocol or of a log. A character that does not fit whole is left out. */
static PRINTF_LIKE(3, 0) void put_text(char *to, size_t size, const char *format, va_list args)
{
	char text[sizeof(((struct err *)NULL)->log_text)];
	assert(size <= sizeof(text));
	vsnprintf(text, size, format, args);
	struct str rest = str_from(text);
	while (rest.n) {
		size_t n = str_utf8_sequence(rest);
		/* Fewer than four bytes at the very end of what fits: it was cut there. */
		if (n == 0 && rest.n < 4 && strlen(text) == size - 1 && abnf_is_8bit(*rest.p)) {
			text[size - 1 - rest.n] = '\0';
			break;
		}
		char *at = text + (rest.p - text);
		if (abnf_is_ctl(*at))
			*at = ' ';
		rest = str_from_offset(rest, n ? n : 1);
	}
	memcpy(to, text, strlen(text) + 1);
}

int(fail)(struct err *err, enum err_kind kind, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	err->kind = kind;
	put_text(err->public_text, sizeof(err->public_text), format, args);
	err->log_text[0] = '\0';
	va_end(args);
	return -1;
}

static PRINTF_LIKE(3, 0) void put_log(
	struct err *err, enum err_kind kind, const char *format, va_list args)
{
	err->kind = kind;
	put_text(err->log_text, sizeof(err->log_text), format, args);
	snprintf(err->public_text, sizeof(err->public_text), "%s", err_sentence(kind));
}

int(fail_log)(struct err *err, enum err_kind kind, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	put_log(err, kind, format, args);
	va_end(args);
	return -1;
}

int(fail_errno)(struct err *err, const char *format, ...)
{
	int number = errno;
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	put_log(err, number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_TEMP, format, args);
	va_end(args);
	size_t n = strlen(err->log_text);
	snprintf(err->log_text + n, sizeof(err->log_text) - n, ": %s", strerror(number));
	return -1;
}

const char *err_log_text(const struct err *err)
{
	return err->log_text[0] ? err->log_text : err->public_text;
}
