// SPDX-License-Identifier: Apache-2.0
/* Errors: kinds, their names and general sentences. */
#include "base/err.h"

#include "base/abnf.h"
#include "base/str.h"

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

enum { WHOLE_BYTES = 4800, REASON_BYTES = 256 }; /* a path has 4,096 at most */

/* A text goes into one line of a protocol or of a log. */
static void blank_controls(char *text)
{
	for (; *text; text++)
		if (abnf_is_ctl(*text))
			*text = ' ';
}

/* Where the character begins that the byte at `at` is in the middle of. */
static size_t character_start(const char *text, size_t at)
{
	size_t back = 0;
	while (back < 3 && back < at && ((unsigned char)text[at - back] & 0xc0) == 0x80)
		back++;
	size_t n = str_utf8_sequence(str_from(text + at - back));
	return n > back ? at - back : at;
}

bool err_cut(char *to, size_t size, const char *text)
{
	static const char dots[] = "...";
	size_t n = strlen(text), room = size - sizeof(dots);
	if (n < size) {
		memcpy(to, text, n + 1);
		return false;
	}
	size_t head = character_start(text, room / 2), tail = n - (room - head);
	while (tail < n && character_start(text, tail) != tail)
		tail++;
	memcpy(to, text, head);
	memcpy(to + head, dots, sizeof(dots) - 1);
	memcpy(to + head + sizeof(dots) - 1, text + tail, n - tail + 1);
	return true;
}

/* The arguments may come from the err that is filled (an error that is told again with more words),
 * so a text is made beside it. */
static PRINTF_LIKE(3, 0) void put_whole(
	char text[WHOLE_BYTES], const char *reason, const char *format, va_list args)
{
	vsnprintf(text, WHOLE_BYTES - REASON_BYTES, format, args);
	size_t n = strlen(text);
	snprintf(text + n, WHOLE_BYTES - n, "%s%s", reason[0] ? ": " : "", reason);
	blank_controls(text);
}

int(fail)(struct err *err, enum err_kind kind, const char *format, ...)
{
	char text[WHOLE_BYTES];
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	put_whole(text, "", format, args);
	va_end(args);
	err->kind = kind;
	err->log_text[0] = '\0';
	err->is_public = true;
	if (err_cut(err->public_text, sizeof(err->public_text), text))
		err_cut(err->log_text, sizeof(err->log_text), text);
	return -1;
}

static PRINTF_LIKE(4, 0) void put_log(
	struct err *err, enum err_kind kind, const char *reason, const char *format, va_list args)
{
	char text[WHOLE_BYTES];
	put_whole(text, reason, format, args);
	err->kind = kind;
	err->is_public = false;
	err_cut(err->log_text, sizeof(err->log_text), text);
	snprintf(err->public_text, sizeof(err->public_text), "%s", err_sentence(kind));
}

int(fail_log)(struct err *err, enum err_kind kind, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	put_log(err, kind, "", format, args);
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
	put_log(err, number == ENOSPC || number == EDQUOT ? ERR_FULL : ERR_TEMP, strerror(number),
		format, args);
	va_end(args);
	return -1;
}

const char *err_log_text(const struct err *err)
{
	return err->log_text[0] ? err->log_text : err->public_text;
}
