// SPDX-License-Identifier: Apache-2.0
/*
 * MAIL FROM:<reverse-path> [ SP Mail-parameters ]    RFC 5321 4.1.1.2
 *
 * Parameters are a table: SIZE (RFC 1870), BODY (RFC 6152, 3030), SMTPUTF8 (RFC 6531), AUTH
 * (RFC 4954 5, checked and then as good as "<>", since we relay for nobody).
 */
#include "mail/address.h"
#include "smtp/smtp_private.h"

/* ---- parameters ---- */

/* Each takes its value (p NULL: none) into the transaction, or says what is wrong. */
static enum smtp_reply param_size(struct smtp *s, struct str value)
{
	if (!smtp_size_value(value, &s->tx.size))
		return SAY_BAD_PARAMETER;
	return s->tx.size > s->session.host->settings->message_bytes ? SAY_TOO_BIG : SAY_NOTHING;
}

static enum smtp_reply param_body(struct smtp *s, struct str value)
{
	static const struct {
		struct str name;
		enum smtp_body body;
	} bodies[] = {
		{ STR_INIT("7BIT"), BODY_7BIT },
		{ STR_INIT("8BITMIME"), BODY_8BITMIME },
		{ STR_INIT("BINARYMIME"), BODY_BINARYMIME },
	};
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		if (str_equal_nocase(bodies[i].name, value)) {
			s->tx.body = bodies[i].body;
			return SAY_NOTHING;
		}
	return SAY_BAD_PARAMETER;
}

static enum smtp_reply param_utf8(struct smtp *s, struct str value)
{
	s->tx.utf8 = true;
	return value.p == NULL ? SAY_NOTHING : SAY_BAD_PARAMETER;
}

/* AUTH=<> or AUTH=mailbox, as xtext. hostile-input S49 */
static enum smtp_reply param_auth(struct smtp *s, struct str value)
{
	struct buf text;
	struct smtp_path path;
	(void)s;
	if (str_equal(value, STR("<>")))
		return SAY_NOTHING;
	buf_init(&text, LIMIT_ADDRESS_BYTES);
	bool good = smtp_xtext(value, &text) && smtp_mailbox(buf_str(&text), &path);
	buf_done(&text);
	return good ? SAY_NOTHING : SAY_BAD_PARAMETER;
}

static const struct {
	struct str keyword;
	enum smtp_reply (*take)(struct smtp *, struct str value);
} mail_params[] = {
	{ STR_INIT("SIZE"), param_size },
	{ STR_INIT("BODY"), param_body },
	{ STR_INIT("SMTPUTF8"), param_utf8 },
	{ STR_INIT("AUTH"), param_auth },
};

static enum smtp_reply take_param(struct smtp *s, const struct smtp_param *p, unsigned *seen)
{
	for (size_t i = 0; i < ARRAY_LEN(mail_params); i++) {
		if (!str_equal_nocase(mail_params[i].keyword, p->keyword))
			continue;
		if (*seen & 1u << i)
			return SAY_BAD_PARAMETER; /* twice */
		*seen |= 1u << i;
		return mail_params[i].take(s, p->value);
	}
	return SAY_UNKNOWN_PARAMETER; /* 555: RFC 5321 4.1.1.11 */
}

static enum smtp_reply take_params(struct smtp *s, struct scan *args)
{
	struct smtp_param params[LIMIT_SMTP_PARAMETERS];
	unsigned seen = 0;
	int n = smtp_params(args, params, ARRAY_LEN(params));
	if (n < 0)
		return SAY_BAD_PARAMETER;
	for (int i = 0; i < n; i++) {
		enum smtp_reply r = take_param(s, &params[i], &seen);
		if (r != SAY_NOTHING)
			return r;
	}
	return SAY_NOTHING;
}

/* ---- the verb ---- */

enum smtp_reply smtp_keep_path(struct smtp *s, const struct smtp_path *path, struct str *ret)
{
	struct buf normal;
	if (path->utf8 && !s->tx.utf8)
		return SAY_NEEDS_UTF8; /* RFC 6531 3.5 */
	if (path->domain.n == 0)
		return smtp_keep(s, path->mailbox, ret) ? SAY_NOTHING : SAY_TOO_MANY_RECIPIENTS;
	buf_init(&normal, LIMIT_ADDRESS_BYTES);
	enum smtp_reply r = SAY_NOTHING;
	if (!mail_address_normalize(path->mailbox, &normal))
		r = SAY_BAD_PATH;
	else if (!smtp_keep(s, buf_str(&normal), ret))
		r = SAY_TOO_MANY_RECIPIENTS;
	buf_done(&normal);
	return r;
}

static enum smtp_reply parse_mail(struct smtp *s, struct str text)
{
	struct scan args = scan_from(text);
	struct smtp_path path;
	if (!smtp_path_keyword(&args, STR("FROM:")))
		return SAY_BAD_ARGUMENTS;
	if (!smtp_reverse_path(&args, &path))
		return SAY_BAD_SENDER;
	enum smtp_reply r = take_params(s, &args);
	if (r == SAY_NOTHING)
		r = smtp_keep_path(s, &path, &s->tx.from);
	return r == SAY_BAD_PATH ? SAY_BAD_SENDER : r;
}

static void accept_mail(struct smtp *s)
{
	s->state = SMTP_MAIL;
	smtp_say(s, SAY_SENDER_OK);
}

static void mail_owner(struct smtp *s, const struct frame *answer)
{
	if (answer->type == FRAME_DONE) {
		accept_mail(s);
		return;
	}
	smtp_reset(s);
	smtp_say(s, smtp_failure(answer) == ERR_DENIED ? SAY_NOT_YOURS : SAY_TRY_LATER);
}

/* Submission needs a login (RFC 6409 4.3), and a sender that is the account's own. */
void smtp_mail(struct smtp *s, struct str args)
{
	if (s->submission && !s->session.authenticated) {
		smtp_say(s, SAY_AUTH_REQUIRED);
		return;
	}
	enum smtp_reply r = parse_mail(s, args);
	if (r != SAY_NOTHING) {
		smtp_reset(s);
		smtp_say(s, r);
		return;
	}
	smtp_message_id(s->session.host->seams, s->tx.id);
	if (s->submission && s->tx.from.n > 0)
		smtp_ask_owner(s, s->tx.from, mail_owner);
	else
		accept_mail(s);
}
