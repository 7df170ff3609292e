// SPDX-License-Identifier: Apache-2.0
/*
 * RCPT TO:<forward-path> [ SP Rcpt-parameters ]    RFC 5321 4.1.1.3
 *
 * The store says who that is. Each account gets one copy, however many recipients lead to it
 * (hostile-input S43). No parameter is announced, so each is 555.
 *
 * This host itself, by its name where that is no domain of ours or by the address that the client
 * connected to, is recognized and has a postmaster alone, who is the one of "<Postmaster>":
 * accounts have domains. RFC 5321 4.1.3, 4.5.1; RFC 1123 5.2.17
 */
#include "mail/address.h"
#include "smtp/smtp_private.h"

static bool has_account(const struct smtp_transaction *tx, uint64_t account)
{
	for (const struct smtp_recipient *r = tx->first; r != NULL; r = r->next)
		if (r->account == account)
			return true;
	return false;
}

static bool add_recipient(struct smtp *s, struct str given, const struct api_target *target)
{
	if (has_account(&s->tx, target->account))
		return true;
	struct smtp_recipient *r = NULL;
	if (s->tx.deliveries < LIMIT_SMTP_DELIVERIES)
		r = arena_alloc(&s->arena, sizeof(*r));
	if (r == NULL || !smtp_keep(s, target->address, &r->target))
		return false;
	r->account = target->account;
	r->given = given;
	if (s->tx.last != NULL)
		s->tx.last->next = r;
	else
		s->tx.first = r;
	s->tx.last = r;
	s->tx.deliveries++;
	return true;
}

/* All targets of a recipient, or none of them. */
static bool add_targets(struct smtp *s, const struct api_target_list *targets)
{
	struct smtp_transaction before = s->tx;
	for (size_t i = 0; i < targets->n; i++)
		if (!add_recipient(s, s->asked, &targets->items[i])) {
			s->tx = before;
			if (s->tx.last != NULL)
				s->tx.last->next = NULL;
			return false;
		}
	return true;
}

static void log_refused(struct smtp *s, enum smtp_reply r)
{
	struct log_text from, to;
	log_event(&s->session.log, LOG_INFO, "smtp-rcpt", "msg=%s from=%s rcpt=%s answer=%d",
		s->tx.id, log_value(&from, s->tx.from), log_value(&to, s->asked),
		smtp_reply_code(r));
}

static void rcpt_overshoot(struct smtp *s)
{
	if (++s->tx.overshoot > LIMIT_SMTP_OVERSHOOT)
		smtp_say_and_close(s, SAY_TOO_MANY_ERRORS);
	else
		smtp_say(s, SAY_TOO_MANY_RECIPIENTS);
}

static void ask_who(struct smtp *s, struct str address,
	void (*answered)(struct smtp *, const struct frame *answer))
{
	struct frame question = { .type = FRAME_RESOLVE,
		.resolve = { .address = address, .size = s->tx.size } };
	smtp_ask(s, ASK_STORE, &question, answered);
}

static void rcpt_resolved(struct smtp *s, const struct frame *answer);

void smtp_rcpt(struct smtp *s, struct str text)
{
	struct scan args = scan_from(text);
	struct smtp_path path;
	struct smtp_param params[LIMIT_SMTP_PARAMETERS];
	enum smtp_reply r = SAY_NOTHING;
	if (!smtp_path_keyword(&args, STR("TO:")))
		r = SAY_BAD_ARGUMENTS;
	else if (!smtp_forward_path(&args, &path))
		r = SAY_BAD_PATH;
	else if (!scan_end(&args))
		r = smtp_params(&args, params, ARRAY_LEN(params)) < 0 ? SAY_BAD_PARAMETER
								      : SAY_UNKNOWN_PARAMETER;
	if (r != SAY_NOTHING) {
		smtp_say(s, r);
		return;
	}
	if (s->tx.recipients >= s->session.host->settings->recipients) {
		rcpt_overshoot(s);
		return;
	}
	r = smtp_keep_path(s, &path, &s->asked);
	if (r == SAY_TOO_MANY_RECIPIENTS) {
		rcpt_overshoot(s);
	} else if (r != SAY_NOTHING) {
		smtp_say(s, r);
	} else {
		ask_who(s, s->asked, rcpt_resolved);
	}
}

static void refuse(struct smtp *s, enum smtp_reply r)
{
	log_refused(s, r);
	smtp_say(s, r);
}

static void rcpt_is(struct smtp *s, const struct frame *answer)
{
	if (answer->type != FRAME_RESOLVED || answer->resolved.targets.n == 0) {
		refuse(s, smtp_reply_for(smtp_failure(answer), SMTP_FOR_RECIPIENT));
		return;
	}
	if (!add_targets(s, &answer->resolved.targets)) {
		rcpt_overshoot(s);
		return;
	}
	s->tx.recipients++;
	s->state = SMTP_RCPT;
	smtp_say(s, SAY_RECIPIENT_OK);
}

static bool is_at_this_host(const struct smtp *s, struct str *ret_local)
{
	struct str domain;
	return mail_address_split(s->asked, ret_local, &domain) &&
	       (str_equal_nocase(domain, str_from(s->session.host->hostname)) ||
		       smtp_literal_is(domain, str_from(s->session.peer->local)));
}

static void rcpt_resolved(struct smtp *s, const struct frame *answer)
{
	struct str local;
	if (answer->type == FRAME_RESOLVED || smtp_failure(answer) != ERR_DENIED ||
		!is_at_this_host(s, &local))
		rcpt_is(s, answer);
	else if (str_equal_nocase(local, STR("postmaster")))
		ask_who(s, STR("postmaster"), rcpt_is);
	else
		refuse(s, SAY_NO_SUCH_USER);
}
