// SPDX-License-Identifier: Apache-2.0
/*
 * The byte machines of wire.h. Each is a few states and a loop, so that it can be read at once and
 * be checked against all short inputs (wire_test.c, S8).
 */
#include "smtp/wire.h"

#include "base/limits.h"

void smtp_line_init(struct smtp_line *line, size_t max)
{
	*line = (struct smtp_line){ 0 };
	buf_init(&line->text, max);
}

void smtp_line_done(struct smtp_line *line)
{
	buf_done(&line->text);
}

void smtp_line_reset(struct smtp_line *line)
{
	if (line->text.cap > 1024)
		buf_release(&line->text);
	else
		buf_clear(&line->text);
	line->discarded = 0;
	line->cr = false;
}

/* The run of bytes before the first CR or LF. */
static struct str plain_run(struct str bytes)
{
	size_t n = 0;
	while (n < bytes.n && bytes.p[n] != '\r' && bytes.p[n] != '\n')
		n++;
	return str_sub(bytes, 0, n);
}

/* Keeps what fits; once something did not, the rest of the line is only counted. */
static void keep(struct smtp_line *line, struct str run)
{
	size_t room = line->discarded > 0 ? 0 : buf_room(&line->text);
	size_t n = run.n < room ? run.n : room;
	buf_add(&line->text, run.p, n);
	line->discarded += run.n - n;
}

size_t smtp_line_feed(struct smtp_line *line, struct str bytes, enum smtp_line_status *ret)
{
	size_t taken = 0;
	while (taken < bytes.n) {
		char c = bytes.p[taken];
		if (line->cr || c == '\n') {
			taken++;
			if (!line->cr || c != '\n')
				*ret = SMTP_LINE_BARE;
			else
				*ret = line->discarded ? SMTP_LINE_TOO_LONG : SMTP_LINE_DONE;
			return taken;
		}
		if (c == '\r') {
			line->cr = true;
			taken++;
			continue;
		}
		struct str run = plain_run(str_from_offset(bytes, taken));
		keep(line, run);
		taken += run.n;
		if (line->discarded > LIMIT_SMTP_DISCARD_BYTES) {
			*ret = SMTP_LINE_ENDLESS;
			return taken;
		}
	}
	*ret = SMTP_LINE_MORE;
	return taken;
}

/* One byte of data.   RFC 5321 4.1.1.4, 4.5.2
 *
 *            CR          LF         NUL   "."         other
 *   LINE     CR          BAD        BAD   DOT         TEXT
 *   TEXT     CR          BAD        BAD   TEXT        TEXT
 *   CR       BAD         LINE       BAD   BAD         BAD
 *   DOT      DOT_CR      BAD        BAD   TEXT        TEXT
 *   DOT_CR   BAD         END        BAD   BAD         BAD
 */
static enum smtp_data_status data_byte(struct smtp_data *d, char c)
{
	switch (d->at) {
	case DATA_CR:
	case DATA_DOT_CR:
		if (c != '\n')
			return SMTP_DATA_BAD;
		if (d->at == DATA_DOT_CR)
			return SMTP_DATA_END;
		d->at = DATA_LINE;
		return SMTP_DATA_MORE;
	case DATA_LINE:
	case DATA_TEXT:
	case DATA_DOT:
		if (c == '\n' || c == '\0')
			return SMTP_DATA_BAD;
		if (c == '\r')
			d->at = d->at == DATA_DOT ? DATA_DOT_CR : DATA_CR;
		else
			d->at = c == '.' && d->at == DATA_LINE ? DATA_DOT : DATA_TEXT;
		return SMTP_DATA_MORE;
	}
	return SMTP_DATA_BAD;
}

/* Most bytes are the inside of a line: past those at once. */
static size_t past_text(struct str bytes, size_t i)
{
	while (i < bytes.n && bytes.p[i] != '\r' && bytes.p[i] != '\n' && bytes.p[i] != '\0')
		i++;
	return i;
}

size_t smtp_data_feed(
	struct smtp_data *d, struct str bytes, struct str *ret_text, enum smtp_data_status *ret)
{
	size_t from = 0, i = 0;
	*ret = SMTP_DATA_MORE;
	while (i < bytes.n) {
		if (d->at == DATA_TEXT && (i = past_text(bytes, i)) == bytes.n)
			break;
		*ret = data_byte(d, bytes.p[i]);
		i++;
		if (*ret != SMTP_DATA_MORE)
			break;
		if (d->at == DATA_DOT && i - 1 > from) {
			/* A run ends before the dot; the dot itself is taken, and is not text. */
			*ret_text = str_sub(bytes, from, i - 1 - from);
			return i;
		}
		if (d->at == DATA_DOT || d->at == DATA_DOT_CR)
			from = i;
	}
	/* Not the byte that ended or spoiled it. */
	*ret_text = str_sub(bytes, from, (*ret == SMTP_DATA_MORE ? i : i - 1) - from);
	return i;
}

bool smtp_text_feed(struct smtp_text *t, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];
		if (c == '\0' || t->cr != (c == '\n'))
			return false;
		t->cr = c == '\r';
	}
	return true;
}

bool smtp_text_end(const struct smtp_text *t)
{
	return !t->cr;
}
