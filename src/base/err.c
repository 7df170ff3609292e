// SPDX-License-Identifier: Apache-2.0
/* Errors: kinds, their names and general sentences. */
#include "base/err.h"

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
};

const char *err_name(enum err_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].name : "unknown";
}

const char *err_sentence(enum err_kind kind)
{
	return (unsigned)kind < ERR_KINDS ? kinds[kind].sentence : "unknown error";
}

int fail(struct err *err, enum err_kind kind, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	err->kind = kind;
	vsnprintf(err->public_text, sizeof(err->public_text), format, args);
	err->log_text[0] = '\0';
	va_end(args);
	return -1;
}

int fail_log(struct err *err, enum err_kind kind, const char *format, ...)
{
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	err->kind = kind;
	snprintf(err->public_text, sizeof(err->public_text), "%s", err_sentence(kind));
	vsnprintf(err->log_text, sizeof(err->log_text), format, args);
	va_end(args);
	return -1;
}

int fail_errno(struct err *err, const char *format, ...)
{
	int number = errno;
	if (err == NULL)
		return -1;
	va_list args;
	va_start(args, format);
	err->kind = ERR_TEMP;
	snprintf(err->public_text, sizeof(err->public_text), "%s", err_sentence(ERR_TEMP));
	vsnprintf(err->log_text, sizeof(err->log_text), format, args);
	va_end(args);
	size_t n = strlen(err->log_text);
	snprintf(err->log_text + n, sizeof(err->log_text) - n, ": %s", strerror(number));
	return -1;
}

const char *err_log_text(const struct err *err)
{
	return err->log_text[0] ? err->log_text : err->public_text;
}
