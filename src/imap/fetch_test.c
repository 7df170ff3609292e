// SPDX-License-Identifier: Apache-2.0
/* FETCH of what needs bytes: sections of a MIME message, BINARY, sizes beyond every buffer, and a
 * client that does not read. With a stored digest (APPEND) and without (D:). */
#include "imap/dialogue.h"

#include "imap/imap_private.h"
#include "mail/mime.h"

#define SELECT                                                                                     \
	"C: se EXAMINE INBOX\n"                                                                    \
	"S: * FLAGS ~\n"                                                                           \
	"S: * OK [PERM~\n"                                                                         \
	"S: * 1 EXISTS\n"                                                                          \
	"S: * 0 RECENT\n"                                                                          \
	"S: * OK [UNSEEN~\n"                                                                       \
	"S: * OK [UIDV~\n"                                                                         \
	"S: * OK [UIDN~\n"                                                                         \
	"S: * OK [HIGH~\n"                                                                         \
	"S: * OK [MAILB~\n"                                                                        \
	"S: se OK ~\n"

#define MULTI                                                                                      \
	"From: a@b\\nContent-Type: multipart/mixed; boundary=x\\n\\n"                              \
	"--x\\nContent-Type: text/plain\\nContent-Transfer-Encoding: quoted-printable\\n\\n"       \
	"caf=C3=A9=\\n!\\n--x\\nContent-Type: image/png\\nContent-Transfer-Encoding: base64\\n\\n" \
	"AAECAw==\\n--x\\nContent-Type: a/b\\nContent-Transfer-Encoding: x-odd\\n\\nodd\\n"        \
	"--x--\\n"

static void test_sections(void **state)
{
	(void)state;
	dialogue(LOGIN
		"D: " MULTI "\n" SELECT "C: a FETCH 1 BODY.PEEK[1]\n"
		"S: * 1 FETCH (BODY[1] {13}\n"
		"S: caf=C3=A9=\n"
		"S: !)\n"
		"S: a OK FETCH completed\n"
		"C: b FETCH 1 (BODY.PEEK[1.MIME] BODY.PEEK[3])\n"
		"S: * 1 FETCH (BODY[1.MIME] {73}\n"
		"S: Content-Type: text/plain\n"
		"S: Content-Transfer-Encoding: quoted-printable\n"
		"S: \n"
		"S:  BODY[3] {3}\n"
		"S: odd)\n"
		"S: b OK FETCH completed\n"
		"C: c FETCH 1 (BODY.PEEK[1.HEADER] BODY.PEEK[9] BODY.PEEK[1.1])\n"
		"S: * 1 FETCH (BODY[1.HEADER] NIL BODY[9] NIL BODY[1.1] ~)\n"
		"S: c OK FETCH completed\n"
		"C: d FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (Content-Type)] BODY.PEEK[HEADER.FIELDS "
		"(X)]<0.1>)\n"
		"S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (Content-Type)] {13}\n"
		"S: From: a@b\n"
		"S: \n"
		"S:  BODY[HEADER.FIELDS (X)]<0> {1}\n"
		"S: \r)\n"
		"S: d OK FETCH completed\n");
}

/* What a message inside is encoded in is undone for who asks for it: RFC 6532 3.5 allows it, RFC
 * 2046 5.2.1 does not. */
static void test_binary_message(void **state)
{
	(void)state;
	dialogue(LOGIN "D: Content-Type: multipart/mixed; boundary=x\\n\\n--x\\nContent-Type: "
		       "message/global\\nContent-Transfer-Encoding: base64\\n\\nQTogYg0KDQpj\\n"
		       "--x\\nContent-Type: message/rfc822\\nContent-Transfer-Encoding: "
		       "7bit\\n\\nA: b\\n\\nc\\n--x--\\n\n" SELECT
		       "C: a FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1] BINARY.SIZE[2] BODY.PEEK[1])\n"
		       "S: * 1 FETCH (BINARY.SIZE[1] 9 BINARY[1] {9}\n"
		       "S: A: b\n"
		       "S: \n"
		       "S: c BINARY.SIZE[2] 9 BODY[1] {14}\n"
		       "S: QTogYg0KDQpj\n"
		       "S: )\n"
		       "S: a OK FETCH completed\n");
}

/* RFC 9051 6.4.5: BINARY, RFC 3516 */
static void test_binary(void **state)
{
	(void)state;
	dialogue(LOGIN "D: " MULTI "\n" SELECT
		       "C: a FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[1] BINARY.SIZE[2])\n"
		       "S: * 1 FETCH (BINARY[1] {6}\n"
		       "S: caf\xc3\xa9! BINARY.SIZE[1] 6 BINARY.SIZE[2] 4)\n"
		       "S: a OK FETCH completed\n"
		       "C: b FETCH 1 BINARY.PEEK[2]<1.2>\n"
		       "S: * 1 FETCH (BINARY[2]<1> {2}\n"
		       "S: \x01\x02)\n"
		       "S: b OK FETCH completed\n"
		       "C: c FETCH 1 BINARY.PEEK[3]\n"
		       "S: * 1 FETCH (BINARY[3] NIL)\n"
		       "S: c NO [UNKNOWN-CTE] ~\n"
		       "C: c1 FETCH 1 (BINARY.SIZE[3] BINARY.SIZE[1] BINARY.SIZE[3])\n"
		       "S: * 1 FETCH (BINARY.SIZE[1] 6)\n"
		       "S: c1 NO [UNKNOWN-CTE] ~\n"
		       "C: c2 FETCH 1 (BINARY.SIZE[3])\n"
		       "S: * 1 FETCH (UID 1)\n"
		       "S: c2 NO [UNKNOWN-CTE] ~\n"
		       "C: c3 FETCH 1 (FLAGS BINARY.SIZE[3] BODY.PEEK[3])\n"
		       "S: * 1 FETCH (FLAGS () BODY[3] {3}\n"
		       "S: odd)\n"
		       "S: c3 NO [UNKNOWN-CTE] ~\n"
		       "C: d FETCH 1 (BINARY.PEEK[1]<100.5> BINARY.SIZE[7])\n"
		       "S: * 1 FETCH (BINARY[1]<100> {0}\n"
		       "S:  BINARY.SIZE[7] 0)\n"
		       "S: d OK FETCH completed\n");
}

/* A part of some MiB, encoded: read once to measure it, again to send it. */
static void test_binary_large(void **state)
{
	static const char group[] =
		"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v\r\n";
	size_t lines = 60000, at = 0;
	struct fake f;
	struct buf mail;
	struct str got;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	buf_init(&mail, 64 * 1024 * 1024);
	buf_addz(&mail, "Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n");
	for (size_t i = 0; i < lines; i++)
		buf_addz(&mail, group);
	fake_deliver(&f, "INBOX", buf_str(&mail));
	dialogue_with(&f, LOGIN SELECT);
	fake_send(&f, 0, STR("a FETCH 1 (UID BINARY.PEEK[1]<10.2000000> BINARY.SIZE[1])\r\n"));
	dialogue_part(&f, "S: * 1 FETCH (UID 1 BINARY[1]<10> ~{2000000}\n");
	got = buf_str(&f.clients[0].received);
	for (; at < 2000000; at++)
		if ((unsigned char)got.p[at] != (at + 10) % 48)
			fail_msg("byte %zu is %d", at, got.p[at]);
	buf_consume(&f.clients[0].received, at);
	dialogue_with(&f, "S:  BINARY.SIZE[1] 2880000)\n"
			  "S: a OK FETCH completed\n");
	buf_done(&mail);
	fake_done(&f);
}

/* A decoded part is kept between the two passes as long as it fits; one byte more is read again. */
static void test_hold(void **state)
{
	enum { BYTES = LIMIT_IMAP_HOLD_BYTES + 1 };
	char *plain = xmalloc(BYTES);
	uint32_t asked[3];

	(void)state;
	for (size_t i = 0; i < BYTES; i++)
		plain[i] = (char)(i % 251 + 1);
	for (int k = 0; k < 3; k++) {
		size_t n = (size_t)(LIMIT_IMAP_HOLD_BYTES - 1 + k);
		char head[64];
		struct fake f;
		struct buf mail;
		struct str got;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		buf_init(&mail, 4 * 1024 * 1024);
		buf_addz(&mail, "Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n");
		buf_add_base64(&mail, str_make(plain, n));
		fake_deliver(&f, "INBOX", buf_str(&mail));
		dialogue_with(&f, LOGIN SELECT);
		asked[k] = f.next_request;
		fake_send(&f, 0, STR("a FETCH 1 (BINARY.PEEK[1])\r\n"));
		asked[k] = f.next_request - asked[k];
		snprintf(head, sizeof head, "* 1 FETCH (BINARY[1] {%zu}\r\n", n);
		got = buf_str(&f.clients[0].received);
		assert_true(str_starts(got, str_from(head)));
		got = str_from_offset(got, strlen(head));
		assert_int_equal(memcmp(got.p, plain, n), 0);
		assert_str(str_from_offset(got, n), STR(")\r\na OK FETCH completed\r\n"));
		buf_done(&mail);
		fake_done(&f);
	}
	assert_int_equal(asked[0], asked[1]);
	assert_true(asked[2] >= asked[1] + LIMIT_IMAP_HOLD_BYTES / READS_BYTES);
	free(plain);
}

/* What one response may hold until there is room; what is more ends the connection, rather than be
 * cut off in the middle. Through both ways in: imap_write and imap_out. */
static void test_most_response(void **state)
{
	char *bytes = xmalloc(LIMIT_IMAP_RESPONSE_BYTES + 1);

	(void)state;
	for (int way = 0; way < 2; way++)
		for (int over = -1; over <= 1; over++) {
			struct str r = str_make(bytes, (size_t)(LIMIT_IMAP_RESPONSE_BYTES + over));
			struct fake f;
			struct imap *s;

			fake_init(&f);
			fake_connect(&f, "imaps", true);
			s = imap_of(f.clients[0].session);
			buf_reserve(&s->session.out, buf_room(&s->session.out));
			buf_used(&s->session.out, buf_room(&s->session.out)); /* no room */
			if (way == 0)
				imap_write(s, r);
			else
				buf_adds(imap_out(s), r);
			imap_run(s);
			assert_int_equal(s->session.next, over > 0 ? NEXT_CLOSE : NEXT_GO_ON);
			assert_int_equal(s->line.n, over > 0 ? 0 : r.n);
			buf_clear(&s->session.out);
			fake_done(&f);
		}
	free(bytes);
}

/* The most that a session says before the front has taken some of it. */
static size_t most_output(struct session *s)
{
	buf_clear(&s->out);
	while (buf_addc(&s->out, 'x'))
		; /* N-1, N; not N+1 */
	size_t n = s->out.n;
	buf_clear(&s->out);
	return n;
}

/* Who takes envelopes slowly does not have the store read many times what he takes. */
static void test_slow_reader_of_envelopes(void **state)
{
	enum { MESSAGES = 2400 };
	struct fake f;
	struct session *s;
	struct buf mail, got;
	unsigned lines = 0;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	buf_init(&mail, 10000);
	buf_init(&got, 16 * 1024 * 1024);
	for (int i = 0; i < 4; i++)
		buf_addf(&mail, "%s: <%0980d@x>\r\n",
			(const char *[]){ "Subject", "Date", "In-Reply-To", "Message-ID" }[i], i);
	buf_addz(&mail, "\r\nx");
	for (size_t i = 0; i < MESSAGES; i++) {
		struct fake_box *b = fake_box_by_name(&f, STR("INBOX"));

		fake_deliver(&f, "INBOX", buf_str(&mail));
		mail_parse(buf_str(&mail), &fake_entry(b, i)->digest);
	}
	fake_send(&f, 0, STR("a LOGIN alice secret\r\nb SELECT INBOX\r\n"));
	s = f.clients[0].session;
	s->class->input(s, STR("c FETCH 1:* ENVELOPE\r\n"));
	for (int i = 0; i < 100000 && !str_ends_nocase(buf_str(&got), STR("completed\r\n")); i++) {
		while (fake_deliver_one(&f))
			;
		buf_adds(&got, str_sub(buf_str(&s->out), 0, 30000));
		buf_consume(&s->out, s->out.n < 30000 ? s->out.n : 30000);
		s->class->resume(s);
	}
	for (size_t at = 0; at < got.n; at++)
		lines += got.p[at] == '\n';
	assert_int_equal(lines, MESSAGES + 1);
	assert_true(got.n > MESSAGES * 3900);
	assert_in_range(f.digests, MESSAGES, 2 * MESSAGES);
	buf_done(&mail);
	buf_done(&got);
	fake_done(&f);
}

/* Messages without a digest are read while others are parsed, many by one question; one that is
 * damaged has no answer, and one that takes several pieces is in its place. */
static void test_reads_ahead(void **state)
{
	enum { MESSAGES = 60, LARGE = 20, BYTES = 200000 };
	static const uint32_t damaged[] = { 0, 1, LARGE, LARGE + 1, MESSAGES };
	struct buf mail, expected;

	(void)state;
	buf_init(&mail, 2 * BYTES);
	buf_init(&expected, 10000);
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct fake f;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		f.no_digests = true;
		f.damaged = damaged[i];
		buf_clear(&expected);
		for (uint32_t n = 1; n <= MESSAGES; n++) {
			buf_clear(&mail);
			buf_addf(&mail, "Subject: %u\r\n\r\n", n);
			while (n == LARGE && mail.n < BYTES)
				buf_addz(&mail, "0123456789\r\n");
			fake_deliver(&f, "INBOX", buf_str(&mail));
			if (n != damaged[i])
				buf_addf(&expected,
					"* %u FETCH (ENVELOPE (NIL \"%u\" NIL NIL NIL NIL NIL NIL "
					"NIL NIL))\r\n",
					n, n);
		}
		buf_addz(&expected, damaged[i] ? "c NO" : "c OK FETCH completed\r\n");
		fake_send(&f, 0, STR("a LOGIN alice secret\r\nb SELECT INBOX\r\n"));
		buf_clear(&f.clients[0].received);
		f.reads = 0;
		fake_send(&f, 0, STR("c FETCH 1:* ENVELOPE\r\n"));
		assert_str(str_sub(buf_str(&f.clients[0].received), 0, expected.n),
			buf_str(&expected));
		/* each of a question by itself when one is damaged */
		assert_in_range(f.reads, MESSAGES / READS_AT_ONCE, damaged[i] ? 45 : 10);
		assert_int_equal(f.puts, MESSAGES - (damaged[i] != 0));
		fake_done(&f);
	}
	buf_done(&mail);
	buf_done(&expected);
}

/* Of large messages that go by no piece keeps its memory for the next. */
static void test_pieces_are_bounded(void **state)
{
	enum { MESSAGES = 150, BYTES = 60000 };
	const struct reads *reads;
	struct fake f;
	struct session *s;
	struct buf mail;
	size_t got = 0, most = 0;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	buf_init(&mail, BYTES);
	while (buf_addc(&mail, 'x'))
		;
	for (int i = 0; i < MESSAGES; i++)
		fake_deliver(&f, "INBOX", buf_str(&mail));
	fake_send(&f, 0, STR("a LOGIN alice secret\r\nb SELECT INBOX\r\n"));
	s = f.clients[0].session;
	reads = &((struct imap *)(void *)s)->reads;
	s->class->input(s, STR("a FETCH 1:* BODY.PEEK[]\r\n"));
	while (fake_deliver_one(&f)) {
		size_t held = 0;

		for (size_t i = 0; reads->pieces != NULL && i < READS_MAX; i++)
			held += reads->pieces[i].data.cap;
		most = held > most ? held : most;
		got += s->out.n;
		buf_clear(&s->out);
		s->class->resume(s);
	}
	assert_in_range(got, MESSAGES * BYTES, MESSAGES * (BYTES + 100));
	assert_true(most <= 2 * READS_MAX_BYTES);
	buf_done(&mail);
	fake_done(&f);
}

/* A client that does not read: what a session holds stays bounded, and nothing is lost. */
static void test_slow_reader(void **state)
{
	struct fake f;
	struct session *s;
	struct buf mail, got;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	buf_init(&mail, 64 * 1024 * 1024);
	buf_init(&got, 64 * 1024 * 1024);
	for (uint32_t i = 0; mail.n < 20 * 1024 * 1024; i++)
		buf_addf(&mail, "%08x\r\n", i);
	fake_deliver(&f, "INBOX", buf_str(&mail));
	dialogue_with(&f, LOGIN SELECT);
	s = f.clients[0].session;
	assert_int_equal(s->class->input(s, STR("a FETCH 1 BODY.PEEK[]\r\n")), 23);
	for (int i = 0; i < 100000 && !str_ends_nocase(buf_str(&got), STR("completed\r\n")); i++) {
		while (fake_deliver_one(&f))
			;
		assert_true(s->out.n <= LIMIT_SESSION_OUT_BYTES);
		assert_true(((struct imap *)(void *)s)->line.n <= 4 * READS_BYTES);
		if (i < 100) /* what comes behind waits */
			assert_int_equal(s->class->input(s, STR("b NOOP\r\n")), 0);
		buf_adds(&got, str_sub(buf_str(&s->out), 0, 30000));
		buf_consume(&s->out, s->out.n < 30000 ? s->out.n : 30000);
		s->class->resume(s);
	}
	assert_true(str_starts(buf_str(&got), STR("* 1 FETCH (BODY[] {20971520}\r\n")));
	assert_int_equal(memcmp(got.p + 30, mail.p, mail.n), 0);
	assert_str(
		str_from_offset(buf_str(&got), 30 + mail.n), STR(")\r\na OK FETCH completed\r\n"));
	assert_int_equal(most_output(s), LIMIT_SESSION_OUT_BYTES);
	buf_done(&mail);
	buf_done(&got);
	fake_done(&f);
}

/* Many small messages at once: the order holds, whatever is read ahead. */
static void test_many(void **state)
{
	for (int digests = 0; digests < 2; digests++) {
		struct fake f;
		char line[200];

		(void)state;
		fake_init(&f);
		fake_connect(&f, "imaps", true);
		dialogue_with(&f, LOGIN);
		for (int i = 1; i <= 200; i++) {
			snprintf(line, sizeof line, "X: %d\r\n\r\n%03d\r\n", i, i);
			if (digests == 0)
				fake_deliver(&f, "INBOX", str_from(line));
			else {
				fake_send(&f, 0, STR("x APPEND INBOX {"));
				buf_addf(&f.clients[0].unread, "%zu+}\r\n%s", strlen(line), line);
				fake_send(&f, 0, STR("\r\n"));
				buf_clear(&f.clients[0].received);
			}
		}
		f.stingy = digests == 1;
		fake_send(&f, 0, STR("a EXAMINE INBOX\r\n"));
		buf_clear(&f.clients[0].received);
		fake_send(&f, 0,
			STR("b FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (X)] BODY.PEEK[TEXT])\r\n"));
		for (int i = 1; i <= 200; i++) {
			snprintf(line, sizeof line,
				"S: * %d FETCH (UID %d BODY[HEADER.FIELDS (X)] {%zu}\n"
				"S: X: %d\nS: \nS:  BODY[TEXT] {5}\nS: %03d\nS: )\n",
				i, i, 7 + strlen("1") + (i > 9) + (i > 99), i, i);
			dialogue_part(&f, line);
		}
		dialogue_with(&f, "S: b OK FETCH completed\n");
		fake_done(&f);
	}
}

/* Damage costs the message that it hits: all others come, whatever was asked for, and a search
 * finds them. */
static void test_damage(void **state)
{
	static const char *const items[] = { "BODY.PEEK[]", "ENVELOPE", "BODYSTRUCTURE",
		"BODY.PEEK[HEADER]", "PREVIEW" };
	struct fake f;
	char line[200];

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, LOGIN);
	for (int i = 1; i <= 200; i++) {
		snprintf(line, sizeof line, "Subject: %d\r\n\r\n%03d\r\n", i, i);
		fake_deliver(&f, "INBOX", str_from(line));
	}
	f.damaged = 20;
	f.no_digests = true;
	fake_send(&f, 0, STR("a EXAMINE INBOX\r\n"));
	for (size_t k = 0; k < ARRAY_LEN(items); k++) {
		buf_clear(&f.clients[0].received);
		snprintf(line, sizeof line, "b FETCH 1:* (UID %s)\r\n", items[k]);
		fake_send(&f, 0, str_from(line));
		for (int i = 1; i <= 200; i++) {
			struct str got = buf_str(&f.clients[0].received);

			snprintf(line, sizeof line, "* %d FETCH (UID %d ", i, i);
			if ((str_search(got, str_from(line)) < got.n) != (i != 20))
				fail_msg("%s: %s", items[k], line);
		}
		struct str got = buf_str(&f.clients[0].received);
		assert_true(str_search(got, STR("\r\nb NO [CORRUPTION] ")) < got.n);
	}
	buf_clear(&f.clients[0].received);
	fake_send(&f, 0, STR("c SEARCH BODY 19\r\n"));
	assert_str(buf_str(&f.clients[0].received),
		STR("* NO [CORRUPTION] A message is damaged and was not searched\r\n"
		    "* SEARCH 19 119 190 191 192 193 194 195 196 197 198 199\r\n"
		    "c OK SEARCH completed\r\n"));
	buf_clear(&f.clients[0].received);
	fake_done(&f);
}

/* NUL cannot stand in BODY[]: it is sent as 0x80; BINARY has it. */
static void test_nul(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	fake_deliver(&f, "INBOX", STR("X: y\r\n\r\na\0b\r\n"));
	dialogue_with(&f, LOGIN SELECT "C: a FETCH 1 BODY.PEEK[TEXT]\n"
				       "S: * 1 FETCH (BODY[TEXT] {5}\n"
				       "S: a\x80"
				       "b\n"
				       "S: )\n"
				       "S: a OK FETCH completed\n");
	fake_send(&f, 0, STR("b FETCH 1 BINARY.PEEK[1]\r\n"));
	assert_str(buf_str(&f.clients[0].received),
		STR("* 1 FETCH (BINARY[1] ~{5}\r\na\0b\r\n)\r\nb OK FETCH completed\r\n"));
	buf_clear(&f.clients[0].received);
	fake_send(&f, 0, STR("c FETCH 1 BINARY.PEEK[]\r\n"));
	assert_str(buf_str(&f.clients[0].received),
		STR("* 1 FETCH (BINARY[] ~{13}\r\nX: y\r\n\r\na\0b\r\n)\r\n"
		    "c OK FETCH completed\r\n"));
	fake_done(&f);
}

#define CUT_BYTES 300000
#define CUT_HEAD  "* 1 FETCH (BODY[] {300000}\r\n"

/* What the client has is the beginning of the answer and nothing else, and it is the end. */
static void is_cut(struct fake *f)
{
	struct str got = buf_str(&f->clients[0].received);

	assert_true(f->clients[0].closed);
	assert_true(str_starts(got, STR(CUT_HEAD)));
	assert_true(got.n < strlen(CUT_HEAD) + CUT_BYTES);
	for (size_t i = strlen(CUT_HEAD); i < got.n; i++)
		if (got.p[i] != 'x')
			fail_msg("byte %zu is '%c'", i, got.p[i]);
}

/* A literal that cannot be completed ends the connection, as does a login that has ended: no word
 * is said then, which the client would take for the literal's bytes. */
static void test_cut(void **state)
{
	const struct frame ended = { .type = FRAME_SESSION_ENDED };
	struct buf mail;

	(void)state;
	buf_init(&mail, CUT_BYTES);
	while (buf_addc(&mail, 'x'))
		;
	for (int is_ended = 0; is_ended <= 1; is_ended++) {
		struct fake f;
		struct session *s;

		fake_init(&f);
		fake_connect(&f, "imaps", true);
		fake_deliver(&f, "INBOX", buf_str(&mail));
		dialogue_with(&f, LOGIN SELECT);
		s = f.clients[0].session;
		if (!is_ended) {
			f.damaged = 1;
			f.damaged_from = CUT_BYTES / 2;
		}
		s->class->input(s, STR("a FETCH 1 BODY.PEEK[]\r\n"));
		while (f.clients[0].received.n <= strlen(CUT_HEAD)) {
			assert_true(fake_deliver_one(&f));
			fake_drain(&f, &f.clients[0]);
		}
		if (is_ended)
			s->class->notice(s, &ended);
		fake_run(&f);
		is_cut(&f);
		fake_done(&f);
	}
	buf_done(&mail);
}

#define GLOBAL                                                                                     \
	"From: a@b\\nContent-Type: message/global\\n\\n"                                           \
	"From: c@d\\nSubject: x\\n\\ntext\\n"

/* message/global is shown with what is inside by RFC 9051 9, body-type-msg. By RFC 3501 9 that is
 * message/rfc822 alone, and any other message is as what has nothing inside: RFC 6532 3.7 */
static void test_global(void **state)
{
	(void)state;
	dialogue(LOGIN "D: " GLOBAL "\n" SELECT "C: a FETCH 1 (BODY BODYSTRUCTURE)\n"
		       "S: * 1 FETCH (BODY (\"message\" \"global\" NIL NIL NIL \"7BIT\" 31) "
		       "BODYSTRUCTURE (\"message\" \"global\" NIL NIL NIL \"7BIT\" 31 NIL NIL NIL "
		       "NIL))\n"
		       "S: a OK FETCH completed\n"
		       "C: b ENABLE UTF8=ACCEPT\n"
		       "S: * ENABLED UTF8=ACCEPT\n"
		       "S: b OK ~\n"
		       "C: c FETCH 1 BODY\n"
		       "S: * 1 FETCH (BODY (\"message\" \"global\" NIL NIL NIL \"7BIT\" 31 (NIL "
		       "\"x\" ((NIL NIL \"c\" \"d\")) ~) (\"text\" \"plain\" ~ 6 1) 4))\n"
		       "S: c OK FETCH completed\n");
	dialogue(LOGIN "D: " GLOBAL "\n" SELECT "C: a FETCH 1 (BODY.PEEK[1.1])\n"
		       "S: * 1 FETCH (BODY[1.1] {6}\n"
		       "S: text\n"
		       "S: )\n"
		       "S: a OK FETCH completed\n");
}

/* As many items as may be, and what UID FETCH and CHANGEDSINCE add: RFC 9051 6.4.9, RFC 7162
 * 3.1.4.1 */
static void test_most_items(void **state)
{
	struct fake f;
	struct buf in;
	struct str got;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	fake_deliver(&f, "INBOX", STR("x"));
	dialogue_with(&f, LOGIN SELECT);
	buf_init(&in, 65536);
	buf_addz(&in, "a UID FETCH 1 (");
	for (int i = 0; i < LIMIT_IMAP_FETCH_ITEMS; i++)
		buf_addf(&in, "%sBODY.PEEK[]<%d.1>", i ? " " : "", i);
	buf_addz(&in, ") (CHANGEDSINCE 1)\r\n");
	fake_send(&f, 0, buf_str(&in));
	got = buf_str(&f.clients[0].received);
	assert_true(str_search(got, STR(" BODY[]<255> {0}\r\n MODSEQ (11) UID 1)\r\n")) < got.n);
	buf_done(&in);
	fake_done(&f);
}

/* A size that cannot be found out is not told: it would be a number, msg-att-static, RFC 9051 9 */
static void test_damaged_size(void **state)
{
	struct fake f;
	struct buf mail;
	struct str got;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	buf_init(&mail, 400000);
	buf_addz(&mail, "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n");
	for (int i = 0; i < 20000; i++)
		buf_addz(&mail, "0123456\r\n");
	buf_addz(&mail, "\r\n--x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--x--\r\n");
	fake_deliver(&f, "INBOX", buf_str(&mail));
	dialogue_with(&f, LOGIN SELECT "C: a FETCH 1 BINARY.SIZE[2]\n"
				       "S: * 1 FETCH (BINARY.SIZE[2] 3)\n"
				       "S: a OK FETCH completed\n");
	f.damaged = 1;
	f.damaged_from = 180000;
	fake_send(&f, 0, STR("b FETCH 1 (BODY.PEEK[1] BINARY.SIZE[2] BINARY.PEEK[2])\r\n"));
	got = buf_str(&f.clients[0].received);
	assert_true(str_search(got, STR("\r\n BINARY[2] NIL)\r\n"
					"b NO [CORRUPTION] ")) < got.n);
	buf_done(&mail);
	fake_done(&f);
}

/* RFC 8970 6: what stands in parentheses behind PREVIEW may be the command's modifiers. */
static void test_preview_modifiers(void **state)
{
	(void)state;
	dialogue(LOGIN MAIL1 SELECT "C: a FETCH 1 PREVIEW (CHANGEDSINCE 5)\n"
				    "S: * OK [HIGHESTMODSEQ ~\n"
				    "S: * 1 FETCH (PREVIEW \"Hello\" MODSEQ (11))\n"
				    "S: a OK FETCH completed\n"
				    "C: b FETCH 1 PREVIEW (LAZY) (CHANGEDSINCE 5)\n"
				    "S: * 1 FETCH (PREVIEW NIL MODSEQ (11))\n"
				    "S: b OK FETCH completed\n"
				    "C: c FETCH 1 PREVIEW (LAZY LAZY)\n"
				    "S: * 1 FETCH (PREVIEW NIL)\n"
				    "S: c OK FETCH completed\n"
				    "C: d FETCH 1 PREVIEW (LAZY CHANGEDSINCE 5)\n"
				    "S: d BAD ~\n"
				    "C: e FETCH 1 PREVIEW (LAZYX)\n"
				    "S: e BAD ~\n"
				    "C: f FETCH 1 (PREVIEW (CHANGEDSINCE 5))\n"
				    "S: f BAD ~\n"
				    "C: g FETCH 1 PREVIEW ()\n"
				    "S: g BAD ~\n");
}

TEST_MAIN(test_case(test_preview_modifiers), test_case(test_damaged_size),
	test_case(test_most_items), test_case(test_global), test_case(test_cut),
	test_case(test_sections), test_case(test_binary), test_case(test_binary_message),
	test_case(test_binary_large), test_case(test_hold), test_case(test_most_response),
	test_case(test_slow_reader), test_case(test_reads_ahead),
	test_case(test_pieces_are_bounded), test_case(test_slow_reader_of_envelopes),
	test_case(test_many), test_case(test_damage), test_case(test_nul))
