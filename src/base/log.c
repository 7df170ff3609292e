// SPDX-License-Identifier: Apache-2.0
/*
 * One line an event, as logfmt or JSON. The JSON form is made from the logfmt one, so the two
 * cannot disagree.
 *
 * Two things hold whatever a caller hands in: a line holds no control byte but its newline, and it
 * is cut between characters, never inside an escape, with its quotes balanced.
 */
#include "base/log.h"

#include "base/abnf.h"
#include "base/buf.h"
#include "base/time.h"

#include <stdarg.h>
#include <stdio.h>

enum { USUAL_BYTES = 400 }; /* of a line: what most are shorter than */

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* ---- values ---- */

static bool is_plain(char c)
{
	return abnf_is_alnum(c) || str_find(STR("._:/@+-<>[],*$~%"), c) < 16;
}

/* Whether the valid UTF-8 sequence at the start of s moves the cursor or the line without being
 * seen: C1 controls (NEL among them), line and paragraph separator, bidirectional controls. */
static bool is_invisible(struct str s)
{
	if (s.n == 2)
		return s.p[0] == '\xc2' && (unsigned char)s.p[1] < 0xa0;
	if (s.n != 3 || s.p[0] != '\xe2')
		return false;
	unsigned char last = (unsigned char)s.p[2];
	/* U+2028 to U+202E; U+2066 to U+2069 */
	return (s.p[1] == '\x80' && last >= 0xa8 && last <= 0xae) ||
	       (s.p[1] == '\x81' && last >= 0xa6 && last <= 0xa9);
}

/* The character at the start of s: a whole UTF-8 sequence where there is one, else one byte, which
 * *ret_valid then tells. s is not empty. */
static struct str first_character(struct str s, bool *ret_valid)
{
	size_t n = str_utf8_sequence(s);
	*ret_valid = n > 0;
	return str_sub(s, 0, n ? n : 1);
}

/* As it is, or escaped: then p has room for 5 bytes for each. Returns how many. */
static size_t put_character(char *p, struct str c, bool valid)
{
	bool raw = valid && !abnf_is_ctl(*c.p) && *c.p != '"' && *c.p != '\\' && !is_invisible(c);
	size_t n = 0;
	for (size_t i = 0; i < c.n && !raw; i++)
		n += (size_t)snprintf(p + n, 5, "\\x%02x", (unsigned char)c.p[i]);
	if (!raw)
		return n;
	memcpy(p, c.p, c.n);
	return c.n;
}

const char *log_value(struct log_text *out, struct str value)
{
	bool plain = value.n > 0, valid;
	for (size_t i = 0; i < value.n && plain; i++)
		plain = is_plain(value.p[i]);
	/* Room for the longest character, escaped, and for quote and NUL. */
	size_t room = sizeof(out->text) - 18, n = 0;
	if (plain) {
		value = str_sub(value, 0, room);
		memcpy(out->text, value.p, value.n);
		out->text[value.n] = '\0';
		return out->text;
	}
	out->text[n++] = '"';
	while (value.n && n < room) {
		struct str c = first_character(value, &valid);
		n += put_character(out->text + n, c, valid);
		value = str_from_offset(value, c.n);
	}
	out->text[n++] = '"';
	out->text[n] = '\0';
	return out->text;
}

/* ---- lines ---- */

/* "\x" 2HEXDIG, as log_value writes them */
static bool is_escape(struct str s)
{
	return str_starts(s, STR("\\x")) && s.n >= 4 && abnf_hex_value(s.p[2]) >= 0 &&
	       abnf_hex_value(s.p[3]) >= 0;
}

/* Takes one unit of a line: an escape or a character. */
static struct str take_unit(struct str *rest, bool *quoted)
{
	bool valid;
	struct str unit = is_escape(*rest) ? str_sub(*rest, 0, 4) : first_character(*rest, &valid);
	if (*unit.p == '"')
		*quoted = !*quoted;
	*rest = str_from_offset(*rest, unit.n);
	return unit;
}

/* How much of a line fits into room bytes: whole units, and the quote that closes an open one,
 * which *ret_open then asks for. */
static size_t fitting(struct str line, size_t room, bool *ret_open)
{
	struct str rest = line;
	size_t end = 0;
	bool open = false;
	*ret_open = false;
	while (rest.n) {
		end = line.n - rest.n;
		struct str unit = take_unit(&rest, &open);
		if (end + unit.n + open > room)
			return end;
		*ret_open = open;
	}
	return line.n;
}

/* Adds text to a line that may become max bytes long, tidied; false when it was cut. */
static bool add_tidy(struct buf *line, struct str text, size_t max)
{
	bool open;
	bool tidy = str_printable(text) == text.n && str_find(text, '"') == text.n;
	if (tidy && text.n <= max - line->n)
		return buf_adds(line, text);
	size_t n = fitting(text, max - line->n, &open);
	for (size_t i = 0; i < n; i++)
		buf_addc(line, abnf_is_ctl(text.p[i]) ? '?' : text.p[i]);
	if (open)
		buf_addc(line, '"');
	return n == text.n;
}

static PRINTF_LIKE(2, 0) void add_keys(struct log *log, const char *format, va_list args)
{
	char text[LOG_LINE_BYTES];
	AUTO(buf_done)
	struct buf prefix;
	buf_init(&prefix, sizeof(log->prefix) - 1);
	buf_addz(&prefix, log->prefix);
	if (vsnprintf(text, sizeof(text), format, args) <= 0 || buf_room(&prefix) < 2)
		return;
	if (prefix.n)
		buf_addc(&prefix, ' ');
	add_tidy(&prefix, str_from(text), prefix.max);
	memcpy(log->prefix, prefix.p, prefix.n + 1);
}

void log_init(struct log *log, struct log_sink *sink, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	*log = (struct log){ .sink = sink };
	add_keys(log, format, args);
	va_end(args);
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

/* ---- JSON ---- */

/* One character inside a JSON string (RFC 8259 7). Bytes that are not UTF-8 become the text \xNN,
 * as log_value writes them. */
static void json_character(struct buf *out, struct str c, bool valid)
{
	if (!valid)
		buf_addf(out, "\\\\x%02x", (unsigned char)*c.p);
	else if (*c.p == '"' || *c.p == '\\')
		buf_addf(out, "\\%c", *c.p);
	else if (abnf_is_ctl(*c.p))
		buf_addf(out, "\\u%04x", (unsigned char)*c.p);
	else
		buf_adds(out, c);
}

static void json_string(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	while (s.n) {
		bool valid;
		struct str c = first_character(s, &valid);
		json_character(out, c, valid);
		s = str_from_offset(s, c.n);
	}
	buf_addc(out, '"');
}

/* Takes a value: what is between quotes, else what is before the next blank. */
static struct str take_value(struct str *rest)
{
	if (rest->n == 0 || rest->p[0] != '"')
		return str_sub(*rest, 0, str_find(*rest, ' '));
	*rest = str_from_offset(*rest, 1);
	return str_split(rest, '"');
}

static void to_json(struct buf *out, struct str in)
{
	const char *comma = "";
	buf_addc(out, '{');
	while (in.n) {
		size_t blank = str_find(in, ' ');
		struct str key = str_sub(in, 0, str_find(str_sub(in, 0, blank), '='));
		in = str_from_offset(in, key.n < blank ? key.n + 1 : key.n);
		struct str value = key.n < blank ? take_value(&in) : STR_NONE;
		if (value.p == in.p)
			in = str_from_offset(in, value.n);
		if (key.n || value.n) {
			buf_addz(out, comma);
			json_string(out, key);
			buf_addc(out, ':');
			json_string(out, value);
			comma = ",";
		}
		while (in.n && in.p[0] == ' ')
			in = str_from_offset(in, 1);
	}
	buf_addc(out, '}');
}

/* ---- events ---- */

/* What leads every line. */
static void add_head(
	struct buf *line, const struct log *log, enum log_level level, const char *event)
{
	struct time_text time;
	if (log->sink->now_ms) {
		buf_addz(line, "t=");
		buf_addz(line, time_iso8601(&time, log->sink->now_ms(log->sink)));
		buf_addc(line, ' ');
	}
	buf_addz(line, "level=");
	buf_addz(line, level_names[level]);
	buf_addc(line, ' ');
	buf_addz(line, log->prefix);
	buf_addz(line, log->prefix[0] ? " event=" : "event=");
	buf_addz(line, event);
}

static void write_line(struct log_sink *sink, struct buf *line)
{
	AUTO(buf_done)
	struct buf json;
	/* Six bytes for one is the worst, and keys and values gain their quotes. */
	buf_init(&json, 8 * LOG_LINE_BYTES);
	if (sink->json)
		to_json(&json, buf_str(line));
	struct buf *out = sink->json ? &json : line;
	buf_addc(out, '\n');
	sink->write(sink, buf_str(out));
}

void log_event(
	const struct log *log, enum log_level level, const char *event, const char *format, ...)
{
	static const struct str mark = STR_INIT(" cut=1");
	struct log_sink *sink = log->sink;
	if (sink == NULL || level > sink->level)
		return;
	/* Untidied, and a byte more than a line, so that what is lost here is seen to be lost. */
	AUTO(buf_done)
	struct buf raw;
	buf_init(&raw, 2 * LOG_LINE_BYTES);
	(void)buf_reserve(&raw, USUAL_BYTES);
	add_head(&raw, log, level, event);
	char text[LOG_LINE_BYTES + 1];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0) {
		buf_addc(&raw, ' ');
		buf_addz(&raw, text);
	}
	/* The newline and the mark have their place. */
	AUTO(buf_done)
	struct buf line;
	buf_init(&line, LOG_LINE_BYTES);
	(void)buf_reserve(&line, USUAL_BYTES);
	if (!add_tidy(&line, buf_str(&raw), LOG_LINE_BYTES - 1 - mark.n))
		buf_adds(&line, mark);
	write_line(sink, &line);
}
