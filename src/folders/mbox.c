// SPDX-License-Identifier: Apache-2.0
/* mbox: RFC 4155 for the separators, mboxrd for what looks like one within a message, and the
 * header fields in which Dovecot, UW, Thunderbird and others keep flags and UIDs. */
#include "folders/folders.h"

#include "base/limits.h"
#include "base/scan.h"
#include "base/time.h"
#include "mail/date.h"

#include <inttypes.h>

enum { SEPARATOR_BYTES = 1000 }; /* a longer line is none */

static const struct str from = STR_INIT("From ");

/* ---- fields of the mbox itself ---- */

enum own {
	OWN_NONE,
	OWN_STATUS,
	OWN_KEYWORDS,
	OWN_UID,
	OWN_BASE,
	OWN_LENGTH,
	/* Thunderbird's; it writes them before all others, and a stranger's are not believed */
	OWN_MOZILLA_STATUS,
	OWN_MOZILLA_KEYS,
	OWN_MOZILLA
};

static const struct {
	struct str name;
	enum own own;
} fields[] = { { STR_INIT("Status"), OWN_STATUS }, { STR_INIT("X-Status"), OWN_STATUS },
	{ STR_INIT("X-Keywords"), OWN_KEYWORDS }, { STR_INIT("X-UID"), OWN_UID },
	{ STR_INIT("X-IMAPbase"), OWN_BASE }, { STR_INIT("X-IMAP"), OWN_BASE },
	{ STR_INIT("Content-Length"), OWN_LENGTH },
	{ STR_INIT("X-Mozilla-Status"), OWN_MOZILLA_STATUS },
	{ STR_INIT("X-Mozilla-Status2"), OWN_MOZILLA },
	{ STR_INIT("X-Mozilla-Keys"), OWN_MOZILLA_KEYS } };

static enum own own_of(struct str line)
{
	struct str name = str_trim(str_sub(line, 0, str_find(line, ':')));
	for (size_t i = 0; name.n < line.n && i < ARRAY_LEN(fields); i++)
		if (str_equal_nocase(name, fields[i].name))
			return fields[i].own;
	return OWN_NONE;
}

static bool mbox_length_field(struct str line, uint64_t *ret)
{
	struct scan s = scan_from(str_trim(str_from_offset(line, str_find(line, ':') + 1)));
	return own_of(line) == OWN_LENGTH && scan_number(&s, UINT32_MAX, ret) && scan_end(&s);
}

static struct str first_line(struct str text)
{
	size_t lf = str_find(text, '\n');
	return str_sub(text, 0, lf + (lf < text.n));
}

/* ---- splitting ---- */

static bool is_weekday(struct str s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	for (size_t i = 0; i < sizeof(days) - 1; i += 3)
		if (str_starts_nocase(s, str_make(days + i, 3)))
			return true;
	return false;
}

/* From_ = "From " address SP date, the date in the order of asctime(3), in UTC (RFC 4155 A), or
 * with a zone. The address may hold blanks, so the date is where one can be read. */
bool mbox_separator(struct str line, int64_t *ret_ms)
{
	if (line.n > SEPARATOR_BYTES || !str_starts(line, from))
		return false;
	for (size_t at = from.n; at < line.n; at++) {
		struct str rest = str_from_offset(line, at);
		struct mail_date date;
		if (line.p[at - 1] != ' ' || !is_weekday(rest) || !mail_date_parse(rest, &date))
			continue;
		*ret_ms = date.ms;
		return true;
	}
	return false;
}

/* What Thunderbird wrote for some years, with every such line of a text quoted: "From " alone. */
static bool is_bare(struct str line)
{
	return str_equal(line, from);
}

void mbox_init(struct mbox *m, size_t max, int (*message)(void *, struct str, bool), void *arg)
{
	*m = (struct mbox){ .max = max,
		.message = message,
		.arg = arg,
		.empty_before = true,
		.first = true,
		.length = MBOX_NO_LENGTH };
	buf_init(&m->text, max + SEPARATOR_BYTES + 2);
}

void mbox_done(struct mbox *m)
{
	buf_done(&m->text);
}

/* The empty line before the next separator is the separator's. */
static int give(struct mbox *m, size_t end)
{
	struct str text = str_sub(buf_str(&m->text), 0, end);
	if (m->empty_before && text.n && text.p[text.n - 1] == '\n') {
		text.n--;
		if (text.n && text.p[text.n - 1] == '\r')
			text.n--;
	}
	return m->begun ? m->message(m->arg, text, m->too_big || text.n > m->max) : 0;
}

/* A Content-Length was wrong: all that waited for its end is split without it. */
static int split_again(struct mbox *m)
{
	struct buf text = m->text;
	size_t max = m->max;
	uint64_t skipped = m->skipped;
	bool bare = m->bare;
	mbox_init(m, max, m->message, m->arg);
	m->skipped = skipped;
	m->no_lengths = true;
	m->first = false;
	m->bare = bare;
	int rc = mbox_input(m, buf_str(&text));
	buf_done(&text);
	return rc;
}

static uint64_t end_of_body(const struct mbox *m)
{
	return m->body + m->length;
}

/* Between the body's end and the next separator is an empty line. */
static bool ends_at(const struct mbox *m, size_t at)
{
	return at >= end_of_body(m) && at - end_of_body(m) <= 2;
}

/* A line of the header: where it ends, and what it says of the body. */
static void note_header(struct mbox *m, struct str line)
{
	struct mbox_meta meta;
	if (line.n == 0)
		m->body = m->text.n;
	else if (!m->no_lengths && !m->too_big && mbox_length_field(line, &meta.length))
		m->length = meta.length < m->max ? meta.length : MBOX_NO_LENGTH;
}

static int begin_message(struct mbox *m)
{
	int rc = give(m, m->line);
	m->begun = true;
	m->too_big = false;
	m->body = m->doubtful = 0;
	m->length = MBOX_NO_LENGTH;
	buf_consume(&m->text, m->line);
	return rc;
}

/* The line from m->line up to the end of the text is whole. */
static int end_line(struct mbox *m)
{
	struct str line = str_chomp(str_from_offset(buf_str(&m->text), m->line));
	int64_t ignored;
	int rc = 0;
	bool empty = line.n == 0;
	if (m->first && !empty)
		m->bare = is_bare(line) || str_starts(line, STR("From - "));
	m->first = m->first && empty;
	bool separator = m->empty_before &&
			 (mbox_separator(line, &ignored) || (m->bare && is_bare(line)));
	bool within = m->body && m->length != MBOX_NO_LENGTH && m->line < end_of_body(m);
	if (m->doubtful && !within && !(separator ? ends_at(m, m->line) : ends_at(m, m->text.n)))
		return split_again(m);
	if (separator && within && m->doubtful == 0)
		m->doubtful = m->line;
	if (separator && !within) {
		rc = begin_message(m);
	} else if (!m->begun) {
		m->skipped += empty ? 0 : m->text.n;
		buf_clear(&m->text);
	} else if (m->too_big) {
		buf_truncate(&m->text, m->line); /* none of it is needed */
	} else if (m->body == 0 && m->line > 0) {
		note_header(m, line);
	}
	m->empty_before = empty;
	m->line = m->text.n;
	return rc;
}

/* Part of a line, which may be endless. What can't be a separator need not be kept of a message
 * that is too big. */
static int add_part(struct mbox *m, struct str part)
{
	if (m->doubtful && m->text.n + part.n > m->text.max) {
		int rc = split_again(m);
		if (rc)
			return rc;
	}
	if (m->begun && !m->too_big && m->text.n + part.n > m->text.max) {
		m->too_big = true;
		size_t keep = m->line < SEPARATOR_BYTES ? m->line : SEPARATOR_BYTES;
		struct str line = str_from_offset(buf_str(&m->text), m->line);
		size_t n = line.n < SEPARATOR_BYTES ? line.n : SEPARATOR_BYTES;
		memmove(m->text.p + keep, line.p, n);
		buf_truncate(&m->text, keep + n);
		m->line = keep;
		m->length = MBOX_NO_LENGTH;
	}
	if (!m->begun || m->too_big) {
		/* One byte more than a separator may have shows that it is none. */
		size_t has = m->text.n - m->line, room = SEPARATOR_BYTES + 2;
		if (!m->begun && has + part.n > room)
			m->skipped += has + part.n - room;
		part = str_sub(part, 0, has < room ? room - has : 0);
	}
	(void)buf_adds(&m->text, part);
	return 0;
}

int mbox_input(struct mbox *m, struct str bytes)
{
	while (bytes.n) {
		size_t lf = str_find(bytes, '\n');
		bool whole = lf < bytes.n;
		int rc = add_part(m, str_sub(bytes, 0, lf + whole));
		bytes = str_from_offset(bytes, lf + whole);
		if (rc == 0 && whole)
			rc = end_line(m);
		if (rc)
			return rc;
	}
	return 0;
}

int mbox_end(struct mbox *m)
{
	int rc = m->text.n > m->line ? end_line(m) : 0;
	if (rc == 0 && m->doubtful && !ends_at(m, m->text.n)) {
		rc = split_again(m);
		if (rc == 0 && m->text.n > m->line)
			rc = end_line(m);
	}
	return rc ? rc : give(m, m->text.n);
}

/* ---- what they say ---- */

static void take_status(struct str value, struct mbox_meta *meta)
{
	static const struct {
		char letter;
		uint8_t flag;
	} letters[] = { { 'R', FLAG_SEEN }, { 'A', FLAG_ANSWERED }, { 'F', FLAG_FLAGGED },
		{ 'T', FLAG_DRAFT }, { 'D', FLAG_DELETED } };
	for (size_t i = 0; i < value.n; i++)
		for (size_t k = 0; k < ARRAY_LEN(letters); k++)
			if (letters[k].letter == value.p[i])
				meta->flags |= letters[k].flag;
}

static bool is_word_char(char c)
{
	return c != ' ' && c != '\t' && c != '\r' && c != '\n';
}

/* Words that are no keyword (RFC 9051 9, flag-keyword) are left to whoever takes them. */
static bool take_keywords(struct str value, struct mbox_meta *meta, struct buf *keywords)
{
	struct scan s = scan_from(value);
	while (!scan_end(&s)) {
		struct str word = scan_while(&s, is_word_char);
		if (word.n == 0) {
			s.p++;
			continue;
		}
		if ((keywords->n && !buf_addc(keywords, ' ')) || !buf_adds(keywords, word))
			return false;
	}
	meta->keywords = buf_str(keywords);
	return true;
}

/* Four hexadecimal digits. What it had expunged lies there until the file is compacted: it comes as
 * \Deleted, since who wrote the field is not known for certain. */
static bool take_mozilla_status(struct str value, struct mbox_meta *meta, struct buf *keywords)
{
	uint8_t bytes[2];
	if (value.n != 4 || !abnf_hex_bytes(value, bytes, 2))
		return true;
	meta->flags |= (bytes[1] & 1 ? FLAG_SEEN : 0) | (bytes[1] & 2 ? FLAG_ANSWERED : 0) |
		       (bytes[1] & 4 ? FLAG_FLAGGED : 0) | (bytes[1] & 8 ? FLAG_DELETED : 0);
	return !(bytes[0] & 0x10) || take_keywords(STR("$Forwarded"), meta, keywords);
}

/* X-IMAPbase: UIDVALIDITY SP last-uid *(SP keyword) */
static void take_base(struct str value, struct mbox_meta *meta)
{
	struct scan s = scan_from(value);
	uint64_t validity, last;
	if (!scan_number(&s, UINT32_MAX, &validity) || !scan_sp(&s) ||
		!scan_number(&s, UINT32_MAX, &last))
		return;
	meta->uidvalidity = (uint32_t)validity;
	meta->uidlast = (uint32_t)last;
}

static bool take_field(enum own own, struct str field, struct mbox_meta *meta, struct buf *keywords)
{
	struct str value = str_trim(str_from_offset(field, str_find(field, ':') + 1));
	struct scan s = scan_from(value);
	uint64_t uid;
	if (own == OWN_STATUS)
		take_status(value, meta);
	else if (own == OWN_KEYWORDS || own == OWN_MOZILLA_KEYS)
		return take_keywords(value, meta, keywords);
	else if (own == OWN_MOZILLA_STATUS)
		return take_mozilla_status(value, meta, keywords);
	else if (own == OWN_BASE)
		take_base(value, meta);
	else if (own == OWN_LENGTH)
		(void)mbox_length_field(field, &meta->length);
	else if (own == OWN_UID && scan_number(&s, UINT32_MAX - 1, &uid) && scan_end(&s))
		meta->uid = (uint32_t)uid;
	return true;
}

/* The field that a text begins with, with its folded lines; the empty line for the header's end. */
static struct str first_field(struct str text)
{
	size_t n = 0;
	do {
		struct str rest = str_from_offset(text, n);
		size_t lf = str_find(rest, '\n');
		n += lf < rest.n ? lf + 1 : lf;
	} while (n < text.n && (text.p[n] == ' ' || text.p[n] == '\t'));
	return str_sub(text, 0, n);
}

static bool is_empty_line(struct str field)
{
	return str_chomp(field).n == 0;
}

/* ---- reading a message ---- */

/* ">From ", ">>From ", …: as they were. */
static bool is_quoted(struct str line)
{
	size_t n = 0;
	while (n < line.n && line.p[n] == '>')
		n++;
	return n > 0 && str_starts(str_from_offset(line, n), from);
}

static bool add_body(struct str text, struct buf *out)
{
	while (text.n) {
		struct str line = first_line(text);
		if (!folders_to_crlf(is_quoted(line) ? str_from_offset(line, 1) : line, out))
			return false;
		text = str_from_offset(text, line.n);
	}
	return true;
}

/* The Date field's, of a message whose "From " line has none. */
static bool take_date(struct str field, struct mbox_meta *meta)
{
	static const struct str name = STR_INIT("Date:");
	struct mail_date date;
	if (!str_starts_nocase(field, name) ||
		!mail_date_parse(str_trim(str_from_offset(field, name.n)), &date))
		return false;
	meta->time_ms = date.ms;
	return true;
}

bool mbox_message_read(struct str text, struct mbox_meta *meta, struct buf *keywords,
	struct buf *out, bool *internal)
{
	bool note = false, imap = false, mozilla = true;
	*meta = (struct mbox_meta){ .length = MBOX_NO_LENGTH };
	buf_clear(keywords);
	buf_clear(out);
	bool dated = mbox_separator(
		str_chomp(str_sub(text, 0, str_find(text, '\n'))), &meta->time_ms);
	text = str_from_offset(text, str_find(text, '\n') + 1);
	while (text.n) {
		struct str field = first_field(text);
		enum own own = own_of(field);
		if (is_empty_line(field))
			break;
		mozilla = mozilla && own >= OWN_MOZILLA_STATUS;
		dated = dated || take_date(field, meta);
		imap |= own == OWN_BASE;
		note |= str_starts_nocase(field, STR("Subject: DON'T DELETE THIS MESSAGE"));
		if (own >= OWN_MOZILLA_STATUS && !mozilla)
			own = OWN_MOZILLA;
		if (own != OWN_NONE ? !take_field(own, field, meta, keywords)
				    : !folders_to_crlf(field, out))
			return false;
		text = str_from_offset(text, field.n);
	}
	*internal = note && imap;
	/* text begins with the empty line. */
	bool exact = text.n && meta->length == text.n - first_line(text).n;
	return exact ? folders_to_crlf(text, out) : add_body(text, out);
}

/* ---- writing one ---- */

static bool add_line(struct str line, struct buf *out)
{
	size_t lf = str_find(line, '\n');
	struct str bare = str_sub(line, 0, lf);
	if (lf < line.n && bare.n && bare.p[bare.n - 1] == '\r')
		bare.n--;
	return buf_adds(out, bare) && buf_addc(out, '\n');
}

static bool may_be_separator(struct str text)
{
	int64_t ignored;
	while (text.n) {
		struct str line = first_line(text);
		if (mbox_separator(str_chomp(line), &ignored))
			return true;
		text = str_from_offset(text, line.n);
	}
	return false;
}

static bool add_body_lines(struct str text, bool quoted, struct buf *out)
{
	while (text.n) {
		struct str line = first_line(text);
		bool quote = quoted && (str_starts(line, from) || is_quoted(line));
		if ((quote && !buf_addc(out, '>')) || !add_line(line, out))
			return false;
		text = str_from_offset(text, line.n);
	}
	return true;
}

/* Of the body with LF, behind the empty line that the text begins with. */
static size_t length_of(struct str text)
{
	size_t n = 0;
	for (bool first = true; text.n; first = false) {
		struct str line = first_line(text);
		struct str bare = str_sub(line, 0, str_find(line, '\n'));
		bool cr = bare.n < line.n && bare.n && bare.p[bare.n - 1] == '\r';
		n += first ? 0 : bare.n - cr + 1;
		text = str_from_offset(text, line.n);
	}
	return n;
}

static bool add_status(const struct mbox_meta *meta, struct buf *out)
{
	static const struct {
		uint8_t flag;
		char letter;
	} others[] = { { FLAG_ANSWERED, 'A' }, { FLAG_FLAGGED, 'F' }, { FLAG_DRAFT, 'T' },
		{ FLAG_DELETED, 'D' } };
	bool good = buf_addf(out, "Status: %sO\n", meta->flags & FLAG_SEEN ? "R" : "");
	if (meta->flags & (FLAGS_ALL & ~FLAG_SEEN)) {
		good = good && buf_addz(out, "X-Status: ");
		for (size_t i = 0; i < ARRAY_LEN(others); i++)
			if (meta->flags & others[i].flag)
				good = good && buf_addc(out, others[i].letter);
		good = good && buf_addc(out, '\n');
	}
	return good;
}

static bool add_fields(const struct mbox_meta *meta, struct buf *out)
{
	bool good = true;
	if (meta->uidvalidity)
		good = buf_addf(out, "X-IMAPbase: %" PRIu32 " %010" PRIu32 "%s", meta->uidvalidity,
			       meta->uidlast, meta->base_keywords.n ? " " : "") &&
		       buf_adds(out, meta->base_keywords) && buf_addc(out, '\n');
	if (meta->uid)
		good = good && buf_addf(out, "X-UID: %" PRIu32 "\n", meta->uid);
	good = good && add_status(meta, out);
	if (meta->keywords.n)
		good = good && buf_addz(out, "X-Keywords: ") && buf_adds(out, meta->keywords) &&
		       buf_addc(out, '\n');
	return good;
}

/* asctime(3), of UTC. */
static bool add_separator(const struct mbox_meta *meta, struct buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct civil c = time_civil(meta->time_ms);
	struct str sender = meta->sender;
	for (size_t i = 0; i < sender.n; i++)
		if (abnf_is_ctl(sender.p[i]) || sender.p[i] == ' ')
			sender = STR_NONE;
	if (sender.n == 0 || sender.n > LIMIT_ADDRESS_BYTES)
		sender = STR("MAILER-DAEMON");
	return buf_adds(out, from) && buf_adds(out, sender) &&
	       buf_addf(out, " %.3s %.3s %2d %02d:%02d:%02d %04d\n", days + 3 * c.weekday,
		       months + 3 * (c.month - 1), c.day, c.hour, c.minute, c.second, c.year);
}

bool mbox_message_write(struct str message, const struct mbox_meta *meta, struct buf *out)
{
	if (!add_separator(meta, out))
		return false;
	while (message.n) {
		struct str field = first_field(message);
		if (is_empty_line(field))
			break;
		message = str_from_offset(message, field.n);
		bool own = own_of(field) != OWN_NONE;
		while (!own && field.n) {
			struct str line = first_line(field);
			if (!add_line(line, out))
				return false;
			field = str_from_offset(field, line.n);
		}
	}
	bool quoted = may_be_separator(message);
	return add_fields(meta, out) &&
	       (quoted || buf_addf(out, "Content-Length: %zu\n", length_of(message))) &&
	       add_body_lines(message, quoted, out) && buf_addc(out, '\n');
}
