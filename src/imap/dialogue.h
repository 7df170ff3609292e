/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests alone: dialogues with an IMAP session in memory, as the RFCs print them.
 *
 *     C: a NOOP            client 1 sends the line and CRLF (C2: client 2)
 *     S: a OK ~            the next line it gets; ~ stands for any text  (S2: client 2)
 *     D: text              somebody delivers a message of that text to INBOX; \n is CRLF
 *     X: what              something happens: "connect2", "replace", "away", "back", "wait 1000",
 *                          "stingy", "closed", "closed2", "nodigests", "horizon", "races",
 *                          "nonews", "news", "noviews", "views", "noreads", "reads",
 *                          "badviews", "onetoomany", "recents"
 *
 * A client's lines must all be expected: before its next C and at the end nothing may be left.
 */
#ifndef CULVER_IMAP_DIALOGUE_H
#define CULVER_IMAP_DIALOGUE_H

#include "base/scan.h"
#include "base/test.h"
#include "imap/fake_host.h"

/* ~ matches any bytes. */
static inline bool glob(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '~') {
			star = p++;
			mark = t;
		} else if (p < pattern.n && pattern.p[p] == text.p[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '~')
		p++;
	return p == pattern.n;
}

static struct str dialogue_take(struct fake_client *c, struct buf *line)
{
	struct str all = buf_str(&c->received);
	size_t n = str_search(all, STR("\r\n"));

	buf_clear(line);
	if (n == all.n && n > 0)
		n = all.n;
	buf_adds(line, str_sub(all, 0, n));
	buf_consume(&c->received, n + 2 > all.n ? all.n : n + 2);
	return buf_str(line);
}

static void dialogue_nothing_left(struct fake *f, int client, int at)
{
	const struct buf *r = &f->clients[client].received;

	if (r->n > 0)
		fail_msg("before line %d client %d has '%.*s'", at, client + 1, (int)r->n, r->p);
}

static void dialogue_happens(struct fake *f, struct str what)
{
	struct scan s = scan_from(what);
	uint64_t ms;

	if (str_equal(what, STR("connect2")))
		fake_connect(f, "imap", true);
	else if (str_equal(what, STR("replace")))
		fake_replace_store(f);
	else if (str_equal(what, STR("away")) || str_equal(what, STR("back")))
		f->away = str_equal(what, STR("away"));
	else if (str_equal(what, STR("stingy")))
		f->stingy = true;
	else if (str_equal(what, STR("nodigests")))
		f->no_digests = true;
	else if (str_equal(what, STR("noreads")) || str_equal(what, STR("reads")))
		f->no_reads = str_equal(what, STR("noreads"));
	else if (str_equal(what, STR("nonews")) || str_equal(what, STR("news")))
		f->no_news = str_equal(what, STR("nonews"));
	else if (str_equal(what, STR("noviews")) || str_equal(what, STR("views")))
		f->no_views = str_equal(what, STR("noviews"));
	else if (str_equal(what, STR("badviews")))
		f->bad_views = true;
	else if (str_equal(what, STR("onetoomany")))
		f->one_too_many = true;
	else if (str_equal(what, STR("recents")))
		f->recents = true;
	else if (str_equal(what, STR("races")))
		f->races = true;
	else if (str_equal(what, STR("horizon")))
		f->horizon = (uint32_t)f->modseq + 1;
	else if (str_equal(what, STR("closed")))
		assert_true(f->clients[0].closed);
	else if (str_equal(what, STR("closed2")))
		assert_true(f->clients[1].closed);
	else if (scan_literal_nocase(&s, STR("damage ")) && scan_number(&s, UINT32_MAX, &ms))
		f->damaged = (uint32_t)ms;
	else if (scan_literal_nocase(&s, STR("wait ")) && scan_number(&s, INT32_MAX, &ms))
		fake_wait(f, (int64_t)ms);
	else
		fail_msg("what is %.*s", (int)what.n, what.p);
}

static void dialogue_deliver(struct fake *f, struct str text)
{
	struct buf b;

	buf_init(&b, 1024 * 1024);
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] == 'n') {
			buf_addz(&b, "\r\n");
			i++;
		} else {
			buf_addc(&b, text.p[i]);
		}
	}
	fake_deliver(f, "INBOX", buf_str(&b));
	fake_run(f);
	buf_done(&b);
}

static void dialogue_line(struct fake *f, struct str line, int at)
{
	int client = line.p[1] == '2';
	struct str rest = str_from_offset(line, client ? 4 : 3);
	struct buf got;

	switch (line.p[0]) {
	case 'C':
		dialogue_nothing_left(f, client, at);
		buf_adds(&f->clients[client].unread, rest);
		fake_send(f, client, STR("\r\n"));
		break;
	case 'S':
		buf_init(&got, 16 * 1024 * 1024);
		dialogue_take(&f->clients[client], &got);
		if (!glob(rest, buf_str(&got)))
			fail_msg("line %d: '%.*s' is not '%.*s'", at, (int)got.n, got.p,
				(int)rest.n, rest.p);
		buf_done(&got);
		break;
	case 'D':
		dialogue_deliver(f, rest);
		break;
	case 'X':
		dialogue_happens(f, rest);
		break;
	default:
		fail_msg("line %d is '%.*s'", at, (int)line.n, line.p);
	}
}

static inline void dialogue_part(struct fake *f, const char *text)
{
	struct str all = str_from(text);

	for (int at = 1; all.n > 0; at++) {
		struct str line = str_split(&all, '\n');

		if (line.n > 0)
			dialogue_line(f, line, at);
	}
}

static inline void dialogue_with(struct fake *f, const char *text)
{
	dialogue_part(f, text);
	for (int c = 0; c < 2; c++)
		dialogue_nothing_left(f, c, -1);
}

/* A dialogue from the greeting on; TLS is on unless `plain`. */
static inline void dialogue(const char *text)
{
	struct fake f;

	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, text);
	fake_done(&f);
}

#define LOGIN                                                                                      \
	"S: * OK [CAPABILITY IMAP4rev1 IMAP4rev2 ~] ~\n"                                           \
	"C: in LOGIN alice secret\n"                                                               \
	"S: in OK [CAPABILITY ~] Logged in\n"
#define LOGIN2                                                                                     \
	"X: connect2\n"                                                                            \
	"S2: * OK ~\n"                                                                             \
	"C2: in LOGIN alice secret\n"                                                              \
	"S2: in OK [CAPABILITY ~] Logged in\n"
/* SELECT of an INBOX with n messages, none of which was seen */
#define SELECTED(n)                                                                                \
	"C: se SELECT INBOX\n"                                                                     \
	"S: * FLAGS (~)\n"                                                                         \
	"S: * OK [PERMANENTFLAGS (~\\*)] ~\n"                                                      \
	"S: * " n " EXISTS\n"                                                                      \
	"S: * 0 RECENT\n"

#define OPENED                                                                                     \
	"S: * OK [UIDVALIDITY 1001] ~\n"                                                           \
	"S: * OK [UIDNEXT ~] ~\n"                                                                  \
	"S: * OK [HIGHESTMODSEQ ~] ~\nS: * OK [MAILBOXID (F1)] ~\n"                                \
	"S: se OK [READ-WRITE] SELECT completed\n"
#define EMPTY_INBOX SELECTED("0") OPENED
#define INBOX(n)    SELECTED(n) "S: * OK [UNSEEN 1] ~\n" OPENED

/* The untagged lines of any SELECT, as client c (":", "2:") hears them: with unseen messages, or
 * of none. */
#define OPENS(c, n, unseen)                                                                        \
	"S" c " * FLAGS ~\n"                                                                       \
	"S" c " * OK [PERM~\n"                                                                     \
	"S" c " * " n " EXISTS\n"                                                                  \
	"S" c " * 0 RECENT\n" unseen "S" c " * OK [UIDV~\n"                                        \
	"S" c " * OK [UIDN~\n"                                                                     \
	"S" c " * OK [HIGH~\n"                                                                     \
	"S" c " * OK [MAILBOXID ~\n"
#define OPENS_UNSEEN(c, n) OPENS(c, n, "S" c " * OK [UNSEEN ~\n")

#define MAIL1                                                                                      \
	"D: From: a@example.org\\nSubject: one\\nDate: Sat, 21 Nov 2026 22:23:33 "                 \
	"+0000\\n\\nHello\\n\n"
#define MAIL2 "D: From: b@example.org\\nSubject: two\\n\\nWorld\\n\n"

#endif
