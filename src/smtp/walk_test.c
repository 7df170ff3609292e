// SPDX-License-Identifier: Apache-2.0
/*
 * S31: a million random walks of at most six commands, against a small model of RFC 5321 4.1.4 and
 * the extensions. The model knows codes and states alone; what it says, the session must say.
 */
#include "base/test.h"
#include "smtp/fake_host.h"

#include <inttypes.h>

#ifdef CULVER_SANITIZED
enum { WALKS = 30000 };
#else
enum { WALKS = 1000000 };
#endif
enum { STEPS = 6 };

struct model {
	enum { FRESH, GREETED, MAIL, RCPT, CHUNKS } state;
	bool submission, esmtp, tls, may_login, login, binary;
	size_t copies, recipients;
};

/* Each returns the code it expects and moves the model on. */
typedef int expectation(struct model *);

static void greeted(struct model *m)
{
	m->state = GREETED;
	m->binary = false;
	m->recipients = 0;
}

static int hello(struct model *m, bool esmtp)
{
	greeted(m);
	m->esmtp = esmtp;
	return 250;
}
static int m_ehlo(struct model *m)
{
	return hello(m, true);
}
static int m_helo(struct model *m)
{
	return hello(m, false);
}
static int m_mail_wrong(struct model *m)
{
	if (m->state != GREETED)
		return 503;
	return m->submission && !m->login ? 530 : 501;
}
static int m_mail(struct model *m)
{
	int code = m_mail_wrong(m);
	if (code != 501)
		return code;
	m->state = MAIL;
	return 250;
}
static int m_mail_binary(struct model *m)
{
	int code = m_mail(m);
	m->binary = code == 250 || m->binary;
	return code;
}
static int m_mail_foreign(struct model *m)
{
	if (m->submission && m->login && m->state == GREETED)
		return 550;
	return m_mail(m);
}
static int rcpt(struct model *m, int code)
{
	if (m->state != MAIL && m->state != RCPT)
		return 503;
	if (code == 250)
		m->state = RCPT;
	return code;
}
static int m_rcpt(struct model *m)
{
	int code = rcpt(m, 250);
	if (code == 250)
		m->recipients = 1; /* always the same one */
	return code;
}
static int m_rcpt_unknown(struct model *m)
{
	return rcpt(m, 550);
}
static int m_rcpt_later(struct model *m)
{
	return rcpt(m, 451);
}
static int delivered(struct model *m)
{
	m->copies += m->recipients;
	greeted(m);
	return 250;
}
/* DATA is two steps: the code is the second's when the first is 354. */
static int m_data(struct model *m)
{
	return m->state == RCPT && !m->binary ? delivered(m) : 503;
}
static int m_chunk(struct model *m)
{
	if (m->state != RCPT && m->state != CHUNKS) {
		if (m->state != FRESH)
			greeted(m);
		return 503;
	}
	m->state = CHUNKS;
	return 250;
}
static int m_last_chunk(struct model *m)
{
	int code = m_chunk(m);
	return code == 250 ? delivered(m) : code;
}
static int m_bad_chunk(struct model *m)
{
	int code = m_chunk(m);
	if (code != 250)
		return code;
	if (m->binary)
		return delivered(m);
	greeted(m);
	return 554;
}
static int m_rset(struct model *m)
{
	if (m->state != FRESH)
		greeted(m);
	return 250;
}
static int m_noop(struct model *m)
{
	(void)m;
	return 250;
}
static int m_vrfy(struct model *m)
{
	(void)m;
	return 252;
}
static int m_starttls(struct model *m)
{
	if (m->state != GREETED || m->tls)
		return 503;
	*m = (struct model){
		.submission = m->submission, .tls = true, .may_login = true, .copies = m->copies
	};
	return 220;
}
static int auth(struct model *m, int code)
{
	if (m->state != GREETED || !m->submission || !m->esmtp || m->login)
		return 503;
	if (!m->may_login)
		return 538;
	m->login = code == 235;
	return code;
}
static int m_auth(struct model *m)
{
	return auth(m, 235);
}
static int m_auth_wrong(struct model *m)
{
	return auth(m, 535);
}
static int m_unknown(struct model *m)
{
	(void)m;
	return 500;
}

static const struct {
	const char *line;
	const char *then; /* sent after the line, as its data */
	expectation *expect;
} commands[20] = {
	{ "EHLO x\r\n", NULL, m_ehlo },
	{ "HELO x\r\n", NULL, m_helo },
	{ "MAIL FROM:<alice@example.test>\r\n", NULL, m_mail },
	{ "MAIL FROM:<> BODY=BINARYMIME\r\n", NULL, m_mail_binary },
	{ "MAIL FROM:<x@other.test>\r\n", NULL, m_mail_foreign },
	{ "MAIL FROM:x\r\n", NULL, m_mail_wrong },
	{ "RCPT TO:<bob@example.test>\r\n", NULL, m_rcpt },
	{ "RCPT TO:<nobody@example.test>\r\n", NULL, m_rcpt_unknown },
	{ "RCPT TO:<temp@example.test>\r\n", NULL, m_rcpt_later },
	{ "DATA\r\n", "x\r\n.\r\n", m_data },
	{ "BDAT 3\r\n", "a\r\n", m_chunk },
	{ "BDAT 0 LAST\r\n", NULL, m_last_chunk },
	{ "BDAT 2 LAST\r\n", "\n\n", m_bad_chunk },
	{ "RSET\r\n", NULL, m_rset },
	{ "NOOP\r\n", NULL, m_noop },
	{ "VRFY x\r\n", NULL, m_vrfy },
	{ "STARTTLS\r\n", NULL, m_starttls },
	{ "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABzZWNyZXQ=\r\n", NULL, m_auth },
	{ "AUTH PLAIN AHgAeQ==\r\n", NULL, m_auth_wrong },
	{ "XCLIENT NAME=x\r\n", NULL, m_unknown },
};

static struct fake_host f;

/* The code of the last reply. */
static int last_code(void)
{
	struct str out = str_chomp(buf_str(&f.out));
	size_t at = str_find_last(out, '\n');
	struct scan s = scan_from(at == out.n ? out : str_from_offset(out, at + 1));
	uint64_t code = 0;
	scan_digits(&s, 3, &code);
	return (int)code;
}

static int do_command(unsigned c)
{
	buf_clear(&f.out);
	fake_input(&f, str_from(commands[c].line));
	if (commands[c].then != NULL && (f.out.n == 0 || last_code() == 354)) {
		buf_clear(&f.out);
		fake_input(&f, str_from(commands[c].then));
	}
	return last_code();
}

static void forget_stored(void)
{
	VEC_EACH (struct buf, b, &f.stored)
		buf_done(b);
	vec_clear(&f.stored);
	f.copies = 0;
	buf_clear(&f.logged);
}

static void walk(uint64_t *bits, unsigned length)
{
	struct model m = { .submission = *bits & 1, .may_login = *bits & 2 };
	unsigned path[STEPS];
	snprintf(f.peer.service, sizeof(f.peer.service), m.submission ? "submission" : "smtp");
	f.peer.tls = false;
	f.peer.loopback = m.may_login;
	bool skip = *bits & 12; /* most begin with EHLO: that is where it becomes interesting */
	*bits >>= 4;
	fake_open(&f);
	for (unsigned i = 0; i < length; i++) {
		path[i] = i == 0 && skip ? 0 : (unsigned)(*bits % ARRAY_LEN(commands));
		*bits /= ARRAY_LEN(commands);
		int expected = commands[path[i]].expect(&m), code = do_command(path[i]);
		if (code == expected && f.copies == m.copies)
			continue;
		for (unsigned k = 0; k <= i; k++)
			print_error("%s", commands[path[k]].line);
		fail_msg("%d, the model says %d; %zu copies, %zu", code, expected, f.copies,
			m.copies);
	}
	fake_close(&f);
	forget_stored();
}

static void s31_random_walks(void **state)
{
	(void)state;
	fake_init(&f, "smtp", false);
	f.settings.plaintext_auth_loopback = true;
	f.sink.level = LOG_ERROR;
	struct random_fake random;
	random_fake_init(&random, 31);
	for (int i = 0; i < WALKS; i++) {
		uint64_t bits;
		random.seam.fill(&random.seam, &bits, sizeof(bits));
		walk(&bits, STEPS);
	}
	fake_done(&f);
}

TEST_MAIN(test_case(s31_random_walks))
