// SPDX-License-Identifier: Apache-2.0
#include "base/limits.h"
#include "base/test.h"
#include "mail/digest.h"
#include "mail/mime.h"

#include <stdlib.h>
#include <time.h>

/* One line a part, indented by depth: type, and the body in quotes. */
static void print_tree(struct str message, const struct digest *d, struct buf *out)
{
	struct digest_part part = digest_root(d);
	for (bool more = true; more; more = digest_next(d, &part, &part)) {
		for (uint32_t i = 0; i < part.depth; i++)
			buf_addc(out, ' ');
		buf_addf(out, "%" STR_FMT "/%" STR_FMT "%s", STR_ARG(part.type),
			STR_ARG(part.subtype), part.flags & DIGEST_PART_OPAQUE ? "!" : "");
		if (part.kind == DIGEST_LEAF)
			buf_addf(out, " '%" STR_FMT "'",
				STR_ARG(str_sub(message, part.body_at, part.body_size)));
		buf_addc(out, '\n');
	}
}

static void parse_in_pieces(struct str message, size_t piece, struct buf *out)
{
	struct mail_parser *p = mail_parser_new(NULL);
	for (size_t at = 0; at < message.n; at += piece)
		mail_parser_input(p, str_sub(message, at, piece));
	mail_parser_end(p, out);
	mail_parser_free(&p);
}

#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
static const struct {
	const char *message, *tree;
	uint32_t flags; /* at least */
} messages[] = {
	{ "", "text/plain ''\n", DIGEST_NO_HEADER_END }, /* M16 */
	{ "\r\n", "text/plain ''\n", 0 },
	{ "\r\nbody", "text/plain 'body'\n", 0 },
	{ "A: 1\r\n", "text/plain ''\n", DIGEST_NO_HEADER_END }, /* M16: only headers */
	{ "A: 1\n\nbody\n", "text/plain 'body\n'\n", DIGEST_BARE_LF },
	{ "no header\r\n\r\nbody", "text/plain 'body'\n", DIGEST_BROKEN_FIELD },
	{ "A: \xc3\xa4\r\n\r\n", "text/plain ''\n", DIGEST_8BIT | DIGEST_8BIT_HEADER },
	{ "Content-Type: text/html\r\n\r\nx", "text/html 'x'\n", 0 },
	{ "Content-Type: text\r\n\r\nx", "text/plain 'x'\n", 0 },
	{ "Content-Type: ;;\r\n\r\nx", "text/plain 'x'\n", 0 },
	{ "Content-Type: text/html\r\nContent-Type: text/plain\r\n\r\nx", "text/html 'x'\n",
		DIGEST_DUPLICATE_FIELD | DIGEST_AMBIGUOUS }, /* M7 */
	{ MULTI "pre\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: "
		"text/html\r\n\r\ntwo\r\n\r\n--b--\r\npost",
		"multipart/mixed\n text/plain 'one'\n text/html 'two\r\n'\n", 0 },
	{ MULTI "--b\n\none\n--b--\n", "multipart/mixed\n text/plain 'one'\n", 0 },
	/* M6: the reading of delimiters */
	{ MULTI "--b \t \r\n\r\none\r\n--b--  ", "multipart/mixed\n text/plain 'one'\n", 0 },
	{ MULTI "--b\r\n\r\none", "multipart/mixed\n text/plain 'one'\n", 0 }, /* no close */
	{ MULTI "--b\r\n--b\r\nA: 1\r\n--b\r\n\r\n--b--",
		"multipart/mixed\n text/plain ''\n text/plain ''\n text/plain ''\n", 0 },
	{ MULTI "--b\r\n\r\none\r--b\r\n--b--", "multipart/mixed\n text/plain 'one\r--b'\n", 0 },
	{ MULTI " --b\r\n", "text/plain! ' --b\r\n'\n", DIGEST_AMBIGUOUS },
	{ MULTI "text", "text/plain! 'text'\n", DIGEST_AMBIGUOUS },
	{ "Content-Type: multipart/mixed\r\n\r\n--b\r\n", "text/plain! '--b\r\n'\n",
		DIGEST_AMBIGUOUS },
	{ "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n", "text/plain! '--\r\n'\n",
		DIGEST_AMBIGUOUS },
	{ "Content-Type: multipart/mixed; boundary=b; boundary=c\r\n\r\n--c\r\n\r\n--b\r\n\r\nx",
		"multipart/mixed\n text/plain 'x'\n", DIGEST_AMBIGUOUS },
	{ "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n\r\nx",
		"multipart/mixed\n text/plain 'x'\n", 0 },
	{ "Content-Type: multipart/mixed; boundary=\"a b \"\r\n\r\n--a b\r\n\r\nx",
		"multipart/mixed\n text/plain 'x'\n", 0 },
	/* a boundary that begins another one */
	{ "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
	  "Content-Type: multipart/mixed; "
	  "boundary=ab\r\n\r\n--ab\r\n\r\nx\r\n--ab--\r\n--a\r\n\r\ny",
		"multipart/mixed\n multipart/mixed\n  text/plain 'x'\n text/plain 'y'\n", 0 },
	{ "Content-Type: multipart/mixed; boundary=ab\r\n\r\n--ab\r\n"
	  "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nx\r\n--ab\r\n\r\ny",
		"multipart/mixed\n multipart/mixed\n  text/plain 'x'\n text/plain 'y'\n", 0 },
	{ MULTI "--bc\r\n\r\nx", "multipart/mixed\n text/plain 'x'\n", DIGEST_AMBIGUOUS },
	/* the same boundary inside: the inner one is looked for first */
	{ MULTI "--b\r\n" MULTI "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny\r\n--b--",
		"multipart/mixed\n multipart/mixed\n  text/plain 'x'\n text/plain 'y'\n",
		DIGEST_AMBIGUOUS },
	/* an outer delimiter ends what is inside */
	{ MULTI "--b\r\nContent-Type: multipart/mixed; "
		"boundary=c\r\n\r\n--c\r\n\r\nx\r\n--b\r\n\r\n"
		"--c\r\ny",
		"multipart/mixed\n multipart/mixed\n  text/plain 'x'\n text/plain '--c\r\ny'\n",
		0 },
	{ MULTI "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--b\r\n\r\nz",
		"multipart/mixed\n multipart/mixed\n  text/plain ''\n text/plain 'z'\n", 0 },
	/* epilogue */
	{ MULTI "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny", "multipart/mixed\n text/plain 'x'\n", 0 },
	/* messages in messages */
	{ "Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntext",
		"message/rfc822\n text/plain 'text'\n", 0 },
	{ "Content-Type: message/rfc822\r\n\r\n", "message/rfc822\n text/plain ''\n", 0 },
	{ "Content-Type: message/rfc822\r\n", "message/rfc822\n text/plain ''\n", 0 },
	{ MULTI "--b\r\nContent-Type: message/rfc822\r\n--b\r\n\r\nx",
		"multipart/mixed\n message/rfc822\n  text/plain ''\n text/plain 'x'\n", 0 },
	{ MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n--b\r\n\r\nx",
		"multipart/mixed\n message/rfc822\n  text/plain ''\n text/plain 'x'\n", 0 },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: "
	  "in\r\n\r\nx\r\n--b--",
		"multipart/digest\n message/rfc822\n  text/plain 'x'\n", 0 },
	/* M5: a message that holds itself by a broken boundary */
	{ MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\n" MULTI
		"--b\r\n\r\nx\r\n--b--\r\n--b--",
		"multipart/mixed\n message/rfc822\n  multipart/mixed\n   text/plain 'x'\n",
		DIGEST_AMBIGUOUS },
	{ "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\nx",
		"message/rfc822\n text/plain 'x'\n", DIGEST_AMBIGUOUS }, /* M7 */
	/* M15: fragments are never put together, and what lies elsewhere is never fetched */
	{ "Content-Type: message/partial; id=x; number=1\r\n\r\nSubject: in\r\n\r\nx",
		"message/partial 'Subject: in\r\n\r\nx'\n", 0 },
	{ "Content-Type: message/external-body; access-type=URL; URL=\"http://x.test/\"\r\n\r\n"
	  "Content-Type: text/html\r\n\r\nx",
		"message/external-body 'Content-Type: text/html\r\n\r\nx'\n", 0 },
};

static void m5_m6_m7_m15_m16_reads_structure(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		struct str message = str_from(messages[i].message);
		struct buf whole, pieces, tree;
		struct digest d;
		buf_init(&whole, LIMIT_DIGEST_BYTES);
		buf_init(&tree, 65536);
		mail_parse(message, &whole);
		assert_true(digest_open(&d, buf_str(&whole), message.n));
		assert_false(digest_open(&d, buf_str(&whole), message.n + 1));
		assert_true(digest_open(&d, buf_str(&whole), message.n));
		print_tree(message, &d, &tree);
		if (!str_equal(buf_str(&tree), str_from(messages[i].tree)))
			fail_msg("%s\ngave %snot  %s", messages[i].message, tree.p,
				messages[i].tree);
		if ((d.flags & messages[i].flags) != messages[i].flags)
			fail_msg("%s\nflags %x not %x", messages[i].message, d.flags,
				messages[i].flags);
		for (size_t n = 1; n < 6; n++) {
			buf_init(&pieces, LIMIT_DIGEST_BYTES);
			parse_in_pieces(message, n, &pieces);
			assert_str(buf_str(&pieces), buf_str(&whole));
			buf_done(&pieces);
		}
		buf_done(&whole);
		buf_done(&tree);
	}
}

/* Lines of a body of which nothing is kept (any more) count like all others. */
static void counts_lines_that_nobody_keeps(void **state)
{
	static const struct {
		const char *end; /* of the body, behind so many x */
		size_t before;
		uint32_t lines, flags;
	} bodies[] = {
		{ "", 0, 0, 0 },
		{ "a", 0, 0, 0 },
		{ "\r\n", 998, 1, 0 },
		{ "\r\n", 999, 1, DIGEST_LONG_LINE },
		{ "\n", 998, 1, DIGEST_BARE_LF },
		{ "\n", 999, 1, DIGEST_BARE_LF | DIGEST_LONG_LINE },
		{ "\r\nb\r\n\r\nc", 1, 3, 0 },
		{ "\r\n\nb\r\n\r", 0, 3, DIGEST_BARE_LF },
		{ "\r\n--b\r\n\r\n--b--\r\n", 3, 4, 0 },
	};
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(bodies); i++) {
		struct buf message, whole, pieces;
		struct digest d;
		size_t full = i % 2 ? 3000 : 0; /* lines that fill the preview */
		buf_init(&message, 20000);
		buf_init(&whole, LIMIT_DIGEST_BYTES);
		buf_addz(
			&message, full ? "\r\n" : "Content-Type: application/octet-stream\r\n\r\n");
		for (size_t k = 0; k < full; k++)
			buf_addz(&message, "y\r\n");
		for (size_t k = 0; k < bodies[i / 2].before; k++)
			buf_addc(&message, 'x');
		buf_addz(&message, bodies[i / 2].end);
		mail_parse(buf_str(&message), &whole);
		assert_true(digest_open(&d, buf_str(&whole), message.n));
		assert_int_equal(d.flags, bodies[i / 2].flags);
		assert_int_equal(digest_root(&d).lines, full + bodies[i / 2].lines);
		for (size_t n = 1; n < 1200; n += n < 6 ? 1 : 293) {
			buf_init(&pieces, LIMIT_DIGEST_BYTES);
			parse_in_pieces(buf_str(&message), n, &pieces);
			assert_str(buf_str(&pieces), buf_str(&whole));
			buf_done(&pieces);
		}
		buf_done(&whole);
		buf_done(&message);
	}
}

/* RFC 2046 5.1.1's example and a forwarded message, in full. */
static const char sample[] = "From: Ann <ann@example.org>\r\n"
			     "To: bob@example.net\r\n"
			     "Subject: A\r\n long subject\r\n"
			     "Message-ID: <1@example.org>\r\n"
			     "To: second@example.net\r\n"
			     "MIME-Version: 1.0\r\n"
			     "Content-Type: multipart/mixed; boundary=\"outer\"\r\n"
			     "\r\n"
			     "preamble\r\n"
			     "--outer\r\n"
			     "Content-Type: text/plain; charset=utf-8\r\n"
			     "Content-Transfer-Encoding: quoted-printable\r\n"
			     "\r\n"
			     "Gr=C3=BC=C3=9Fe,\r\n  here   is text=\r\n.\r\n"
			     "--outer\r\n"
			     "Content-Type: message/rfc822\r\n"
			     "Content-Description: forwarded\r\n"
			     "\r\n"
			     "Subject: inner\r\n"
			     "From: x@example.com\r\n"
			     "Content-Type: multipart/alternative; boundary=inner\r\n"
			     "\r\n"
			     "--inner\r\n"
			     "\r\n"
			     "a\r\nb\r\n"
			     "--inner\r\n"
			     "Content-Type: IMAGE/Png; name=\"a \\\"b\\\".png\"\r\n"
			     "Content-Disposition: attachment; filename*=utf-8''%41.png\r\n"
			     "Content-ID: <c@d>\r\n"
			     "Content-Language: de, en\r\n"
			     "Content-Location: http://x/\r\n"
			     "Content-MD5: abc=\r\n"
			     "Content-Transfer-Encoding: BASE64\r\n"
			     "\r\n"
			     "AAAA\r\n"
			     "--inner--\r\n"
			     "--outer--\r\n";

static struct digest sample_digest(struct buf *b)
{
	struct digest d;
	buf_init(b, LIMIT_DIGEST_BYTES);
	mail_parse(str_from(sample), b);
	assert_true(digest_open(&d, buf_str(b), sizeof(sample) - 1));
	return d;
}

static uint64_t count_lfs(struct str s)
{
	uint64_t n = 0;
	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static void keeps_the_envelope(void **state)
{
	(void)state;
	struct buf b;
	struct digest d = sample_digest(&b);
	assert_str(d.envelope.value[DIGEST_FROM], STR("Ann <ann@example.org>"));
	assert_str(d.envelope.value[DIGEST_SUBJECT], STR("A long subject"));
	assert_str(d.envelope.value[DIGEST_TO], STR("bob@example.net"));
	assert_str(d.envelope.value[DIGEST_MESSAGE_ID], STR("<1@example.org>"));
	assert_null(d.envelope.value[DIGEST_CC].p);
	assert_int_equal(d.envelope.duplicates, 1 << DIGEST_TO);
	assert_int_equal(d.lines, count_lfs(str_from(sample)));
	assert_int_equal(d.parts, 6);
	assert_str(d.preview, STR("Gr\xc3\xbc\xc3\x9f"
				  "e, here is text."));
	buf_done(&b);
}

static const struct {
	uint32_t path[4];
	size_t n;
	const char *body; /* NULL: no such part */
} paths[] = {
	{ { 1 }, 1, "Gr=C3=BC=C3=9Fe,\r\n  here   is text=\r\n." },
	{ { 2, 1 }, 2, "a\r\nb" },
	{ { 2, 2 }, 2, "AAAA" },
	{ { 0 }, 1, NULL },
	{ { 3 }, 1, NULL },
	{ { 1, 1 }, 2, NULL },
	{ { 2, 3 }, 2, NULL },
	{ { 2, 1, 1 }, 3, NULL },
	{ { 4294967295u }, 1, NULL },
	{ { 0 }, 0, NULL },
};

static void finds_parts(void **state)
{
	(void)state;
	struct buf b;
	struct digest d = sample_digest(&b);
	struct digest_part part;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		bool found = digest_find(&d, paths[i].path, paths[i].n, &part);
		assert_int_equal(found, paths[i].body != NULL);
		if (found)
			assert_str(str_sub(str_from(sample), part.body_at, part.body_size),
				str_from(paths[i].body));
	}
	assert_true(digest_find(&d, (uint32_t[]){ 2 }, 1, &part));
	assert_int_equal(part.kind, DIGEST_MESSAGE);
	assert_str(part.description, STR("forwarded"));
	assert_str(part.envelope.value[DIGEST_SUBJECT], STR("inner"));
	assert_int_equal(
		part.lines, count_lfs(str_sub(str_from(sample), part.body_at, part.body_size)));
	buf_done(&b);
}

static void keeps_a_parts_fields(void **state)
{
	(void)state;
	struct buf b;
	struct digest d = sample_digest(&b);
	struct digest_part part;
	struct str params, name, value;
	assert_true(digest_find(&d, (uint32_t[]){ 2, 2 }, 2, &part));
	assert_str(part.type, STR("IMAGE"));
	assert_str(part.subtype, STR("Png"));
	assert_str(part.id, STR("<c@d>"));
	assert_str(part.language, STR("de, en"));
	assert_str(part.location, STR("http://x/"));
	assert_str(part.md5, STR("abc="));
	assert_str(part.encoding_text, STR("BASE64"));
	assert_int_equal(part.encoding, MAIL_BASE64);
	assert_int_equal(digest_said_encoding(&part), MAIL_BASE64);
	assert_str(part.disposition, STR("attachment"));
	assert_true(part.flags & DIGEST_PART_ATTACHMENT);
	params = part.params;
	assert_true(digest_param_next(&params, &name, &value));
	assert_str(name, STR("name"));
	assert_str(value, STR("a \"b\".png"));
	assert_false(digest_param_next(&params, &name, &value));
	params = part.disposition_params;
	assert_true(digest_param_next(&params, &name, &value));
	assert_str(name, STR("filename*"));
	assert_str(value, STR("utf-8''%41.png"));
	buf_done(&b);
}

static void finds_part_1_of_a_simple_message(void **state)
{
	(void)state;
	struct buf b;
	struct digest d;
	struct digest_part part;
	buf_init(&b, LIMIT_DIGEST_BYTES);
	mail_parse(STR("A: 1\r\n\r\nbody\r\n"), &b);
	assert_true(digest_open(&d, buf_str(&b), 14));
	assert_true(digest_find(&d, (uint32_t[]){ 1 }, 1, &part));
	assert_int_equal(part.body_at, 8);
	assert_int_equal(part.lines, 1);
	assert_false(digest_find(&d, (uint32_t[]){ 1, 1 }, 2, &part));
	buf_done(&b);
}

/* The digest is a claim: cut anywhere it does not open; with any bit turned it opens or not, and
 * what opens says nothing beyond the message. */
static void believes_no_digest(void **state)
{
	(void)state;
	struct buf b;
	sample_digest(&b);
	for (size_t n = 0; n < b.n; n++) {
		struct digest d;
		char *cut = xmemdup0(b.p, n);
		assert_false(digest_open(&d, str_make(cut, n), sizeof(sample) - 1));
		free(cut);
	}
	for (size_t bit = 0; bit < b.n * 8; bit++) {
		struct digest d;
		b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
		if (digest_open(&d, buf_str(&b), sizeof(sample) - 1)) {
			struct digest_part part = digest_root(&d);
			for (bool more = true; more; more = digest_next(&d, &part, &part))
				assert_true(part.body_at + part.body_size <= sizeof(sample) - 1);
		}
		b.p[bit / 8] = (char)(b.p[bit / 8] ^ 1 << bit % 8);
	}
	buf_done(&b);
}

/* ---- limits ---- */

static void repeat(struct buf *b, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addz(b, text);
}

/* Parses under limits; checks the digest and the memory; returns parts and deepest part. */
static struct digest parse_bounded(const struct mail_limits *limits, struct str message,
	struct buf *out, uint32_t *ret_deepest)
{
	struct mail_parser *p = mail_parser_new(limits);
	struct digest d;
	for (struct str rest = message; rest.n > 0; rest = str_from_offset(rest, 65536)) {
		mail_parser_input(p, str_sub(rest, 0, 65536));
		assert_true(mail_parser_memory(p) <= 1024 * 1024);
	}
	buf_init(out, LIMIT_DIGEST_BYTES);
	mail_parser_end(p, out);
	assert_true(mail_parser_memory(p) <= 1024 * 1024);
	mail_parser_free(&p);
	assert_false(out->full);
	if (limits)
		assert_true(out->n <= limits->digest_bytes);
	assert_true(digest_open(&d, buf_str(out), message.n));
	*ret_deepest = 0;
	struct digest_part part = digest_root(&d);
	for (bool more = true; more; more = digest_next(&d, &part, &part))
		if (part.depth > *ret_deepest)
			*ret_deepest = part.depth;
	return d;
}

/* M4: N-1, N and N+1 levels, of both sorts of composite. */
static void m4_bounds_depth(void **state)
{
	(void)state;
	for (size_t n = LIMIT_MIME_DEPTH - 1; n <= LIMIT_MIME_DEPTH + 1; n++) {
		for (int sort = 0; sort < 2; sort++) {
			struct buf message, digest;
			uint32_t deepest;
			buf_init(&message, 1 << 20);
			for (size_t i = 0; i < n; i++)
				buf_addf(&message,
					sort ? "Content-Type: message/rfc822\n\n"
					     : "Content-Type: multipart/x; "
					       "boundary=b%zu\n\n--b%zu\n",
					i, i);
			struct digest d = parse_bounded(NULL, buf_str(&message), &digest, &deepest);
			bool over = n > LIMIT_MIME_DEPTH;
			assert_int_equal(deepest, over ? LIMIT_MIME_DEPTH : n);
			assert_int_equal(!!(d.flags & DIGEST_PARTS_DROPPED), over);
			buf_done(&message);
			buf_done(&digest);
		}
	}
}

/* M4: N-1, N and N+1 parts. */
static void m4_bounds_parts(void **state)
{
	(void)state;
	for (size_t n = LIMIT_MIME_PARTS - 1; n <= LIMIT_MIME_PARTS + 1; n++) {
		struct buf message, digest;
		uint32_t deepest;
		buf_init(&message, 1 << 20);
		buf_addz(&message, MULTI);
		repeat(&message, "--b\r\n\r\nxx\r\n", n - 1);
		struct digest d = parse_bounded(NULL, buf_str(&message), &digest, &deepest);
		bool over = n > LIMIT_MIME_PARTS;
		assert_int_equal(d.parts, over ? LIMIT_MIME_PARTS : n);
		assert_int_equal(!!(d.flags & DIGEST_PARTS_DROPPED), over);
		buf_done(&message);
		buf_done(&digest);
	}
}

/* M6: a boundary of 994 bytes is one, of 995 none. */
static void m6_bounds_boundaries(void **state)
{
	(void)state;
	for (size_t n = LIMIT_BOUNDARY_BYTES - 1; n <= LIMIT_BOUNDARY_BYTES + 1; n++) {
		struct buf message, digest;
		uint32_t deepest;
		buf_init(&message, 1 << 20);
		buf_addz(&message, "Content-Type: multipart/mixed; boundary=");
		repeat(&message, "b", n);
		buf_addz(&message, "\r\n\r\n--");
		repeat(&message, "b", n);
		buf_addz(&message, "\r\n\r\nx");
		struct digest d = parse_bounded(NULL, buf_str(&message), &digest, &deepest);
		assert_int_equal(d.parts, n <= LIMIT_BOUNDARY_BYTES ? 2 : 1);
		buf_done(&message);
		buf_done(&digest);
	}
}

/* A digest that would be too large loses parts and fields, and stays a digest. */
static void m4_bounds_the_digest(void **state)
{
	(void)state;
	struct mail_limits limits = { LIMIT_MIME_DEPTH, LIMIT_MIME_PARTS, 4096 };
	static const char *const parts[] = {
		"--b\r\n\r\nxx\r\n",
		"--b\r\nContent-Type: application/pdf; name=abcdefghijklmnop\r\n\r\nxx\r\n",
		"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner text\r\n\r\nxx\r\n",
		"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct buf message, digest;
		uint32_t deepest;
		buf_init(&message, 1 << 20);
		buf_addz(&message, MULTI);
		repeat(&message, parts[i], 1000);
		struct digest d = parse_bounded(&limits, buf_str(&message), &digest, &deepest);
		assert_true(d.flags & DIGEST_PARTS_DROPPED);
		assert_true(d.parts > 20);
		buf_done(&message);
		buf_done(&digest);
	}
}

/* M2: fields above their share are cut and flagged; From survives a To of a megabyte before it. */
static void m2_bounds_fields(void **state)
{
	(void)state;
	struct buf message, digest;
	uint32_t deepest;
	buf_init(&message, 16 << 20);
	buf_addz(&message, "To: ");
	repeat(&message, "a@b.test,\r\n ", 100000);
	buf_addz(&message, "x\r\nSubject: ");
	repeat(&message, "s", 3 << 20);
	buf_addz(&message, "\r\nFrom: ann@x.org\r\n\r\n");
	struct digest d = parse_bounded(NULL, buf_str(&message), &digest, &deepest);
	assert_str(d.envelope.value[DIGEST_FROM], STR("ann@x.org"));
	assert_int_equal(d.envelope.value[DIGEST_SUBJECT].n, 8191); /* less the blank in front */
	assert_int_equal(d.envelope.truncated, 1 << DIGEST_TO | 1 << DIGEST_SUBJECT);
	assert_true(d.flags & DIGEST_FIELD_TRUNCATED);
	buf_done(&message);
	buf_done(&digest);
}

/* ---- cost ---- */

/* CPU seconds for one message made of `head` and n times `unit`. */
static double cpu_seconds(const char *head, const char *unit, size_t n)
{
	struct buf message, digest;
	struct timespec from, to;
	uint32_t deepest;
	buf_init(&message, 64 << 20);
	buf_addz(&message, head);
	repeat(&message, unit, n);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	parse_bounded(NULL, buf_str(&message), &digest, &deepest);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	buf_done(&message);
	buf_done(&digest);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* Twice the input may cost two and a half times as much (2.0 of the catalogue); what takes less
 * than 0.2 s is not judged, and a machine that is busy with other things gets three tries. */
static bool is_linear(const char *head, const char *unit, size_t n)
{
	for (int i = 0; i < 3; i++) {
		double twice = cpu_seconds(head, unit, 2 * n);
		if (twice < 0.2 || twice <= 2.5 * cpu_seconds(head, unit, n))
			return true;
	}
	return false;
}

/* Each of these once brought a server to its knees. */
static void m1_to_m8_stay_linear(void **state)
{
	(void)state;
	static const struct {
		const char *what, *head, *unit;
		size_t n;
	} cases[] = {
		{ "M1 addresses", "To: ", "a@b.test,", 500000 },
		{ "M2 fields", "", "X-Field: value\r\n", 500000 },
		{ "M2 the same field", "", "To: a@b.test\r\n", 500000 },
		{ "M2 one line", "X: ", "xxxxxxxxxxxxxxxx", 500000 },
		{ "M3 folds", "Subject: x\r\n", " y\r\n", 500000 },
		{ "M3 blanks", "Subject: x\r\n", " \r\n", 500000 },
		{ "M3 no colon", "", "x\r\n", 500000 },
		{ "M4 parts", MULTI, "--b\n\n", 500000 },
		{ "M4 nesting", "", MULTI "--b\r\n", 50000 },
		{ "M5 messages", "", "Content-Type: message/rfc822\r\n\r\n", 50000 },
		{ "M6 near delimiters", MULTI, "--a\r\n--\r\n", 500000 },
		{ "M7 base64 junk", "Content-Transfer-Encoding: base64\r\n\r\n", "=*", 500000 },
		{ "M8 parameters", "Content-Type: text/plain", ";a=b", 500000 },
		{ "M8 continuations", "Content-Type: text/plain", ";\r\n a*1=b", 500000 },
		{ "M16 short lines", "\r\n", "\n", 2000000 },
		{ "M16 a long line", "\r\n", "xxxxxxxxxxxxxxxx", 500000 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (!is_linear(cases[i].head, cases[i].unit, cases[i].n))
			fail_msg("%s", cases[i].what);
}

/* M6: a hundred open boundaries that share all but their end, and lines that nearly match. */
static void m6_many_boundaries_stay_cheap(void **state)
{
	(void)state;
	struct buf head;
	buf_init(&head, 1 << 20);
	for (int i = 0; i < 99; i++)
		buf_addf(&head, "Content-Type: multipart/x; boundary=%070d\r\n\r\n--%070d\r\n", i,
			i);
	buf_addz(&head, "\r\n");
	assert_true(is_linear(head.p,
		"--00000000000000000000000000000000000000000000000000000000000000000999x\n",
		20000));
	assert_true(is_linear(head.p, "--0\n", 300000));
	buf_done(&head);
}

/* M2: of a header line so much is held and no more. */
static void m2_bounds_held_lines(void **state)
{
	(void)state;
	size_t held[3];
	for (size_t i = 0; i < 3; i++) {
		struct mail_parser *p = mail_parser_new(NULL);
		size_t before = mail_parser_memory(p);
		struct buf line;
		buf_init(&line, 2 * LIMIT_HEADER_LINE_BYTES);
		repeat(&line, "x", LIMIT_HEADER_LINE_BYTES - 1 + i);
		mail_parser_input(p, buf_str(&line));
		if (i == 2)
			mail_parser_input(p, buf_str(&line));
		held[i] = mail_parser_memory(p) - before;
		buf_done(&line);
		mail_parser_free(&p);
	}
	/* with the byte behind it that every buffer has */
	assert_int_equal(held[0], LIMIT_HEADER_LINE_BYTES);
	assert_int_equal(held[1], LIMIT_HEADER_LINE_BYTES + 1);
	assert_int_equal(held[2], LIMIT_HEADER_LINE_BYTES + 1);
}

/* Real limits, and a digest that fills all of its room. */
static void m4_fills_the_digest(void **state)
{
	(void)state;
	struct mail_limits limits = { LIMIT_MIME_DEPTH, LIMIT_MIME_PARTS, LIMIT_DIGEST_BYTES };
	struct buf message, digest;
	uint32_t deepest;
	buf_init(&message, 16 << 20);
	buf_addz(&message, MULTI);
	repeat(&message,
		"--b\r\nContent-Type: application/octet-stream; "
		"name=abcdefghijklmnopqrstuv\r\n\r\nx\r\n",
		LIMIT_MIME_PARTS);
	struct digest d = parse_bounded(&limits, buf_str(&message), &digest, &deepest);
	assert_true(d.flags & DIGEST_PARTS_DROPPED);
	assert_true(digest.n <= LIMIT_DIGEST_BYTES && digest.n > LIMIT_DIGEST_BYTES - 2048);
	buf_addc(&digest, 0);
	assert_false(digest_open(&d, buf_str(&digest), message.n));
	buf_done(&message);
	buf_done(&digest);
}

TEST_MAIN(test_case(counts_lines_that_nobody_keeps), test_case(m5_m6_m7_m15_m16_reads_structure),
	test_case(keeps_the_envelope), test_case(finds_parts), test_case(keeps_a_parts_fields),
	test_case(finds_part_1_of_a_simple_message), test_case(believes_no_digest),
	test_case(m4_bounds_depth), test_case(m4_bounds_parts), test_case(m6_bounds_boundaries),
	test_case(m4_bounds_the_digest), test_case(m2_bounds_fields),
	test_case(m1_to_m8_stay_linear), test_case(m6_many_boundaries_stay_cheap),
	test_case(m2_bounds_held_lines), test_case(m4_fills_the_digest))
