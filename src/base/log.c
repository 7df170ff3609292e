// SPDX-License-Identifier: Apache-2.0
/* One line an event, as logfmt or JSON. The JSON form is made from the logfmt one, so the two
 * cannot disagree. */
#include "base/log.h"

#include "base/abnf.h"
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_init(struct log *log, struct log_sink *sink, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	log->sink = sink;
	vsnprintf(log->prefix, sizeof(log->prefix), format, args);
	va_end(args);
}

static void add_keys(struct log *log, const char *format, va_list args)
{
	size_t n = strlen(log->prefix);
	if (n && n + 1 < sizeof(log->prefix))
		log->prefix[n++] = ' ';
	vsnprintf(log->prefix + n, sizeof(log->prefix) - n, format, args);
}

void log_child(struct log *log, const struct log *parent, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	*log = *parent;
	add_keys(log, format, args);
	va_end(args);
}

void log_add(struct log *log, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add_keys(log, format, args);
	va_end(args);
}

static bool is_plain(char c)
{
	return abnf_is_alnum(c) || memchr("._:/@+-<>[],*$~%", c, 16) != NULL;
}

const char *log_value(struct log_text *out, struct str value)
{
	bool plain = value.n > 0;
	for (size_t i = 0; i < value.n && plain; i++)
		plain = is_plain(value.p[i]);
	bool utf8 = str_is_utf8(value);
	size_t room = sizeof(out->text) - 8, n = 0;
	if (!plain)
		out->text[n++] = '"';
	for (size_t i = 0; i < value.n && n < room; i++) {
		char c = value.p[i];
		if (abnf_is_ctl(c) || c == '"' || c == '\\' || (abnf_is_8bit(c) && !utf8))
			n += (size_t)snprintf(out->text + n, 5, "\\x%02x", (unsigned char)c);
		else
			out->text[n++] = c;
	}
	if (!plain)
		out->text[n++] = '"';
	out->text[n] = '\0';
	return out->text;
}

static void add_time(struct buf *line, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];
	if (gmtime_r(&seconds, &tm) == NULL)
		return;
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(line, "t=%s.%03dZ ", text, (int)(ms % 1000));
}

/* One value of the logfmt line as a JSON string; *at moves behind it. */
static void json_value(struct buf *out, struct str in, size_t *at)
{
	bool quoted = *at < in.n && in.p[*at] == '"';
	if (quoted)
		(*at)++;
	buf_addc(out, '"');
	for (; *at < in.n; (*at)++) {
		char c = in.p[*at];
		if (quoted ? c == '"' : c == ' ')
			break;
		if (c == '\\')
			buf_addc(out, '\\'); /* \xNN of ours becomes the text \xNN */
		buf_addc(out, c);
	}
	if (quoted && *at < in.n)
		(*at)++;
	buf_addc(out, '"');
}

static void to_json(struct buf *out, struct str in)
{
	buf_addc(out, '{');
	for (size_t at = 0; at < in.n;) {
		size_t equals = at + str_find(str_from_offset(in, at), '=');
		buf_addf(out, "%s\"%" STR_FMT "\":", at ? "," : "",
			STR_ARG(str_sub(in, at, equals - at)));
		at = equals < in.n ? equals + 1 : in.n;
		json_value(out, in, &at);
		while (at < in.n && in.p[at] == ' ')
			at++;
	}
	buf_addc(out, '}');
}

/* The reserve in which a cut line still gets its mark. */
enum { CUT_ROOM = 16 };

void log_event(
	const struct log *log, enum log_level level, const char *event, const char *format, ...)
{
	struct log_sink *sink = log->sink;
	if (sink == NULL || level > sink->level)
		return;
	AUTO(buf_done)
	struct buf line;
	buf_init(&line, LOG_LINE_BYTES);
	if (sink->now_ms)
		add_time(&line, sink->now_ms(sink));
	buf_addf(&line, "level=%s %s%sevent=%s", level_names[level], log->prefix,
		log->prefix[0] ? " " : "", event);
	char text[LOG_LINE_BYTES];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t room = buf_room(&line) - CUT_ROOM;
	if (n > 0) {
		size_t whole = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
		buf_addc(&line, ' ');
		buf_add(&line, text, whole < room ? whole : room);
		if (whole > room || (size_t)n >= sizeof(text))
			buf_addz(&line, " cut=1");
	}
	if (sink->json) {
		AUTO(buf_done)
		struct buf json;
		buf_init(&json, 2 * LOG_LINE_BYTES + 2048);
		to_json(&json, buf_str(&line));
		buf_addc(&json, '\n');
		sink->write(sink, buf_str(&json));
	} else {
		buf_addc(&line, '\n');
		sink->write(sink, buf_str(&line));
	}
}
