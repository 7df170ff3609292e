/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logging: one line an event, logfmt or JSON, the same keys everywhere.
 *
 * A struct log is a place to write and a list of keys that lead every line (role, session, peer,
 * msg). Objects own one made from their parent's: the session's knows the role's. Values are
 * escaped, so a line is one line whatever a stranger sent. Secrets are never given to it.
 *
 *     struct log slog;
 *     log_child(&slog, parent, "session=%" PRIu64, id);
 *     log_event(&slog, LOG_INFO, "smtp-rcpt", "rcpt=%s answer=%d", log_value(v, addr), code);
 *
 * prints   t=2026-11-21T22:23:33.123Z level=info role=front-mx session=91 event=smtp-rcpt rcpt=…
 * answer=250
 *
 * uses: buf, str; used by: processes and sessions. Libraries never log.
 */
#ifndef CULVER_BASE_LOG_H
#define CULVER_BASE_LOG_H

#include "base/mem.h"
#include "base/str.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_sink {
	/* Writes one complete line (newline included) and must not block. */
	void (*write)(struct log_sink *sink, struct str line);
	/* Milliseconds since 1970 for the time stamp; NULL: no time stamp (tests). */
	int64_t (*now_ms)(struct log_sink *sink);
	enum log_level level; /* lines above it are not made */
	bool json;
};

#define LOG_PREFIX_BYTES 192
#define LOG_LINE_BYTES   2048 /* a longer line is cut, and ends in " cut=1" */

struct log {
	struct log_sink *sink;         /* NULL: silent */
	char prefix[LOG_PREFIX_BYTES]; /* "role=front-mx session=91" */
};

void log_init(struct log *log, struct log_sink *sink, const char *format, ...) PRINTF_LIKE(3, 4);
/* A log whose prefix is the parent's and then the given keys. The parent's sink is shared. */
void log_child(struct log *log, const struct log *parent, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Adds keys to the prefix of this log: the message id, once it is known. */
void log_add(struct log *log, const char *format, ...) PRINTF_LIKE(2, 3);

/* One event. format holds key=value pairs separated by one blank; each value with anything but
 * letters, digits and ._:/@+-<>[] in it must come through log_value. format may be "". */
void log_event(const struct log *log, enum log_level level, const char *event, const char *format,
	...) PRINTF_LIKE(4, 5);

/* Escapes a value for logfmt into room of its own: quoted when it must be, control bytes, quotes,
 * backslashes and invalid UTF-8 as \xNN, cut at the room. Returns out->text. */
struct log_text {
	char text[400];
};
const char *log_value(struct log_text *out, struct str value);

#endif
