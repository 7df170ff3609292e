// SPDX-License-Identifier: Apache-2.0
/*
 * The message parser. Bytes are cut into lines; nothing changes but at the end of a line, so any
 * split of the input gives the same digest. Each line is, in this order: a delimiter of an open
 * multipart, a line of the header that is being read, or a line of a body. A stack holds the parts
 * that are open; a part's record is written when its header is complete and finished when it
 * closes. (What a header says about its part is in mime_part.c; the line and delimiter rules in
 * mime.h.)
 */
#include "mail/mime.h"

#include "mail/mime_parser.h"

#include <stdlib.h>

enum {
	DELIMITER_HEAD = LIMIT_BOUNDARY_BYTES + 32, /* looked at of a body line */
	LINE_MOST = 998,                            /* RFC 5322 2.1.1 */
};

/* Offsets in records have 32 bits; what comes behind so much belongs to the root part, unread. */
#define LIMIT_PARSE_BYTES (UINT32_MAX - 1)

static void part_begin(struct mail_parser *p, uint64_t at, bool is_message);

struct mail_parser *mail_parser_new(const struct mail_limits *limits)
{
	struct mail_parser *p = xmalloc(sizeof(*p));
	p->limits = limits ? *limits
			   : (struct mail_limits){ LIMIT_MIME_DEPTH, LIMIT_MIME_PARTS,
				     LIMIT_DIGEST_BYTES };
	buf_init(&p->line, LIMIT_HEADER_LINE_BYTES);
	buf_init(&p->boundaries, LIMIT_MIME_DEPTH * LIMIT_BOUNDARY_BYTES);
	buf_init(&p->heap, p->limits.digest_bytes + 4096);
	buf_init(&p->envelope, p->limits.digest_bytes);
	vec_init(&p->records, sizeof(struct digest_record), p->limits.parts);
	vec_init(&p->stack, sizeof(struct open_part), LIMIT_MIME_DEPTH + 2);
	buf_addc(&p->heap, 0); /* so that offset 0 means none */
	fields_init(&p->fields);
	preview_init(&p->preview);
	p->used = DIGEST_FIXED_BYTES;
	part_begin(p, 0, true);
	p->line_cap = LIMIT_HEADER_LINE_BYTES;
	return p;
}

void mail_parser_free(struct mail_parser **pp)
{
	struct mail_parser *p = *pp;
	if (p == NULL)
		return;
	buf_done(&p->line);
	buf_done(&p->boundaries);
	buf_done(&p->heap);
	buf_done(&p->envelope);
	vec_done(&p->records);
	vec_done(&p->stack);
	fields_done(&p->fields);
	preview_done(&p->preview);
	free(p);
	*pp = NULL;
}

size_t mail_parser_memory(const struct mail_parser *p)
{
	return sizeof(*p) + p->line.cap + p->boundaries.cap + p->heap.cap + p->envelope.cap +
	       p->records.cap * p->records.size + p->stack.cap * p->stack.size +
	       fields_memory(&p->fields) + p->preview.raw.cap + p->preview.text.cap;
}

/* ---- parts ---- */

static struct open_part *top(struct mail_parser *p)
{
	return vec_at(&p->stack, p->stack.n - 1);
}

struct digest_record *parser_record(struct mail_parser *p, const struct open_part *part)
{
	return vec_at(&p->records, part->record);
}

bool parser_has_room(const struct mail_parser *p)
{
	return p->records.n < p->limits.parts && p->used + PART_RESERVE <= p->limits.digest_bytes;
}

/* Opens a part whose header starts here. The caller has checked parser_has_room(), but for the
 * root, which always has. */
static void part_begin(struct mail_parser *p, uint64_t at, bool is_message)
{
	struct digest_record r = { .header_at = (uint32_t)at, .depth = (uint8_t)p->stack.n };
	struct open_part part = { .record = (uint32_t)p->records.n,
		.state = IN_HEADER,
		.is_message = is_message,
		.boundary_at = p->boundaries.n };
	part.in_digest = p->stack.n > 0 && top(p)->is_digest;
	vec_push(&p->records, &r);
	vec_push(&p->stack, &part);
	p->used += PART_RESERVE;
	fields_reset(&p->fields, is_message, p->stack.n > 1);
}

/* The header of the top part is complete, and its body starts at `at`. Of a message/rfc822 that
 * body is another message, whose root part is opened at once. */
static void header_end(struct mail_parser *p, uint64_t at)
{
	struct open_part *part = top(p);
	struct digest_record *r = parser_record(p, part);
	r->header_size = (uint32_t)(at - r->header_at);
	part->body_at = at;
	part->lines_before = p->lines;
	part->state = IN_BODY;
	if (p->stack.n == 1 && p->fields.broken)
		p->flags |= DIGEST_BROKEN_FIELD;
	mime_part_describe(p, part, r);
	if (r->kind == DIGEST_MESSAGE) {
		part->children = true;
		part_begin(p, at, true);
	}
}

/* The top part, its header complete, ends before `at`, or before the line end in front of it when
 * that belongs to a delimiter; never before its children. */
static void part_end(struct mail_parser *p, uint64_t at, unsigned line_end)
{
	struct open_part *part = top(p);
	struct digest_record *r = parser_record(p, part);
	uint64_t end = at, first = part->body_at;
	if (first < part->children_end)
		first = part->children_end;
	if (line_end > 0 && at > first)
		end -= line_end;
	r->body_size = (uint32_t)(end - part->body_at);
	r->lines = (uint32_t)(p->lines - part->lines_before - (end < at));
	if (part->captures)
		preview_end(&p->preview);
	mime_part_finish(p, part, r);
	buf_truncate(&p->boundaries, part->boundary_at);
	p->stack.n--;
	if (p->stack.n > 0)
		top(p)->children_end = end;
}

/* Ends the parts of the stack down to so many. A header that is still open has no body; when it is
 * that of a message, the message inside is empty. */
static void parts_end(struct mail_parser *p, size_t keep, uint64_t at, unsigned line_end)
{
	while (p->stack.n > keep) {
		if (top(p)->state == IN_HEADER)
			header_end(p, at);
		else
			part_end(p, at, line_end);
	}
}

/* ---- delimiters                              RFC 2046 5.1.1 ---- */

enum delimiter { NOT_ONE, BEGINS_SO, EXACTLY };

/* Compares a line without line end to one boundary. */
static enum delimiter compare(struct str line, struct str boundary, bool *ret_close)
{
	if (line.n < boundary.n + 2 || memcmp(line.p + 2, boundary.p, boundary.n) != 0)
		return NOT_ONE;
	struct str rest = str_from_offset(line, boundary.n + 2);
	*ret_close = str_starts(rest, STR("--"));
	if (*ret_close)
		rest = str_from_offset(rest, 2);
	return str_trim(rest).n == 0 ? EXACTLY : BEGINS_SO;
}

/* The place in the stack of the multipart that the line delimits, or -1. */
static int find_delimiter(struct mail_parser *p, struct str line, bool *ret_close)
{
	int begins = -1;
	bool begins_close = false, close;
	for (int i = (int)p->stack.n - 1; i >= 0; i--) {
		const struct open_part *part = vec_at(&p->stack, (size_t)i);
		struct str boundary = str_make(
			p->boundaries.p + part->boundary_at, part->boundary_n);
		if (part->boundary_n == 0 || part->state == IN_EPILOGUE)
			continue;
		enum delimiter d = compare(line, boundary, &close);
		if (d == EXACTLY) {
			*ret_close = close;
			return i;
		}
		if (d == BEGINS_SO && begins < 0) {
			begins = i;
			begins_close = close;
		}
	}
	if (begins >= 0)
		p->flags |= DIGEST_AMBIGUOUS;
	*ret_close = begins_close;
	return begins;
}

/* Ends all parts inside the multipart; then begins its next one, or its epilogue. */
static void delimiter(struct mail_parser *p, int at, bool close, uint64_t line_end_at)
{
	parts_end(p, (size_t)at + 1, p->line_at, p->line_end);
	struct open_part *multipart = top(p);
	if (close) {
		multipart->state = IN_EPILOGUE;
		parser_record(p, multipart)->flags |= DIGEST_PART_CLOSED;
	} else if (parser_has_room(p)) {
		multipart->children = true;
		part_begin(p, line_end_at, false);
	} else {
		p->flags |= DIGEST_PARTS_DROPPED;
	}
}

/* ---- lines ---- */

static size_t cap_of_next_line(struct mail_parser *p)
{
	size_t capture = preview_room(&p->preview);
	if (top(p)->state == IN_HEADER)
		return LIMIT_HEADER_LINE_BYTES;
	return capture > DELIMITER_HEAD ? capture : DELIMITER_HEAD;
}

static void body_line(struct mail_parser *p, struct str head, unsigned line_end)
{
	if (!top(p)->captures)
		return;
	preview_input(&p->preview, head);
	if (line_end > 0)
		preview_input(&p->preview, line_end == 2 ? STR("\r\n") : STR("\n"));
}

/* One line: its head, its length, and that of its line end (0 at the end of the message). */
static void line(struct mail_parser *p, struct str head, uint64_t len, unsigned line_end)
{
	uint64_t next_at = p->line_at + len + line_end;
	bool is_header = top(p)->state == IN_HEADER, close;
	int at = -1;
	if (p->boundaries.n > 0 && str_starts(head, STR("--")))
		at = find_delimiter(p, str_sub(head, 0, DELIMITER_HEAD), &close);
	if (len > LINE_MOST)
		p->flags |= DIGEST_LONG_LINE;
	p->flags |= line_end == 1 ? DIGEST_BARE_LF : 0u;
	if (at >= 0)
		delimiter(p, at, close, next_at);
	else if (is_header && len > 0)
		fields_line(&p->fields, head, len);
	else if (!is_header)
		body_line(p, head, line_end);
	p->lines += line_end > 0;
	if (at < 0 && is_header && len == 0)
		header_end(p, next_at);
	p->line_at = next_at;
	p->line_end = line_end;
	p->line_cap = cap_of_next_line(p);
}

/* ---- bytes ---- */

/* Keeps the head of a line whose end is not here yet. */
static void hold(struct mail_parser *p, struct str part)
{
	size_t room = p->line.n < p->line_cap ? p->line_cap - p->line.n : 0;
	buf_adds(&p->line, str_sub(part, 0, room));
	p->line_len += part.n;
	if (part.n > 0)
		p->line_cr = part.p[part.n - 1] == '\r';
}

/* A line is complete; `part` is what came of it now, without the LF. */
static void line_complete(struct mail_parser *p, struct str part, unsigned lf)
{
	struct str head = part;
	uint64_t len = part.n;
	bool cr = part.n > 0 && part.p[part.n - 1] == '\r';
	if (p->line_len > 0) {
		hold(p, part);
		head = buf_str(&p->line);
		len = p->line_len;
		cr = p->line_cr;
	}
	cr = cr && lf;
	len -= cr;
	if (head.n > p->line_cap)
		head.n = p->line_cap;
	if (head.n > len)
		head.n = (size_t)len;
	line(p, head, len, cr ? 2 : lf);
	p->line_len = 0;
	if (p->line.cap > 4096)
		buf_release(&p->line);
	buf_clear(&p->line);
}

/* Whether lines mean nothing but their number: none can be a delimiter, nobody keeps them. */
static bool only_counts(struct mail_parser *p)
{
	const struct open_part *part = top(p);
	return p->boundaries.n == 0 && p->line_len == 0 && part->state != IN_HEADER &&
	       (!part->captures || preview_room(&p->preview) == 0);
}

/* Such lines as are whole, as line() would take them; returns what follows. */
static struct str count_lines(struct mail_parser *p, struct str bytes)
{
	size_t n;
	while ((n = str_find(bytes, '\n')) < bytes.n) {
		bool cr = n > 0 && bytes.p[n - 1] == '\r';
		if (n - cr > LINE_MOST)
			p->flags |= DIGEST_LONG_LINE;
		p->flags |= cr ? 0u : DIGEST_BARE_LF;
		p->lines++;
		p->line_at += n + 1;
		p->line_end = 1u + cr;
		bytes = str_from_offset(bytes, n + 1);
	}
	return bytes;
}

void mail_parser_input(struct mail_parser *p, struct str bytes)
{
	p->size += bytes.n;
	if (str_find(bytes, '\0') < bytes.n)
		p->flags |= DIGEST_NUL;
	if (!str_is_ascii(bytes))
		p->flags |= DIGEST_8BIT;
	if (p->size > LIMIT_PARSE_BYTES) {
		bytes.n = LIMIT_PARSE_BYTES > p->size - bytes.n
				  ? (size_t)(LIMIT_PARSE_BYTES - (p->size - bytes.n))
				  : 0;
		p->flags |= DIGEST_PARTS_DROPPED;
	}
	while (bytes.n > 0) {
		if (only_counts(p))
			bytes = count_lines(p, bytes);
		size_t n = str_find(bytes, '\n');
		struct str part = str_make(bytes.p, n);
		bool in_header = p->stack.n == 1 && top(p)->state == IN_HEADER;
		if (in_header && !str_is_ascii(part))
			p->flags |= DIGEST_8BIT_HEADER;
		if (n == bytes.n) {
			hold(p, part);
			return;
		}
		line_complete(p, part, 1);
		bytes = str_from_offset(bytes, n + 1);
	}
}

void mail_parser_end(struct mail_parser *p, struct buf *out)
{
	if (p->line_len > 0)
		line_complete(p, STR(""), 0);
	if (p->stack.n == 1 && top(p)->state == IN_HEADER)
		p->flags |= DIGEST_NO_HEADER_END;
	parts_end(p, 0, p->line_at, 0);
	struct digest_record *root = vec_at(&p->records, 0);
	if (p->size > LIMIT_PARSE_BYTES)
		root->body_size = UINT32_MAX - root->header_size;
	struct digest_head head = { p->flags, p->size, root->header_size, p->lines,
		buf_str(&p->envelope), buf_str(&p->preview.text) };
	digest_write(out, &head, (const struct digest_record *)(const void *)p->records.p,
		p->records.n, buf_str(&p->heap));
}

void mail_parse(struct str message, struct buf *out)
{
	AUTO(mail_parser_free)
	struct mail_parser *p = mail_parser_new(NULL);
	mail_parser_input(p, message);
	mail_parser_end(p, out);
}
