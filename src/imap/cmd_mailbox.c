// SPDX-License-Identifier: Apache-2.0
/* Mailboxes as such: CREATE (RFC 9051 6.3.4; USE: RFC 6154 3), DELETE (6.3.5), RENAME (6.3.6),
 * SUBSCRIBE and UNSUBSCRIBE (6.3.7, 6.3.8). Each is one question to the store. */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/notify.h"
#include "imap/selected.h"
#include "imap/token.h"

/* The mailbox that a command is about, and how the client spelled it. */
struct mailbox_work {
	struct str name, given;
	struct str to;  /* RENAME */
	bool respelled; /* RENAME's new name is not as it was given */
	bool selected;  /* DELETE: it is this session's own */
	bool on;        /* SUBSCRIBE */
};

static void mailbox_done(struct imap *s, const struct frame *answer)
{
	if (!imap_expect(s, answer, FRAME_DONE))
		return;
	reply_ok(s, NULL, "%.*s completed", (int)s->cmd.verb->name.n, s->cmd.verb->name.p);
	imap_finish(s);
}

/* create-param = "USE" SP "(" [use-attr *(SP use-attr)] ")"   RFC 6154 6
 * -1: the arguments are bad; 0: a use we do not know. */
static int create_params(struct imap *s, uint16_t *ret_use)
{
	struct scan *a = &s->cmd.args;
	struct str name;

	*ret_use = 0;
	if (scan_end(a))
		return 1;
	if (!scan_sp(a) || !scan_char(a, '(') || !scan_word_nocase(a, STR("USE")) || !scan_sp(a) ||
		!scan_char(a, '('))
		return -1;
	while (scan_peek(a) != ')') {
		uint16_t bit;

		if (!token_flag(a, &name))
			return -1;
		bit = grammar_special_use(name);
		if (bit == 0 || bit == USE_ALL || bit == USE_FLAGGED)
			return 0;
		*ret_use = (uint16_t)(*ret_use | bit);
		scan_sp(a);
	}
	return scan_char(a, ')') && scan_char(a, ')') && scan_end(a) ? 1 : -1;
}

/* CREATE says which mailbox it made.                        RFC 8474 4.1 */
static void created(struct imap *s, const struct frame *answer)
{
	const struct mailbox_work *w = s->cmd.work;

	if (!imap_expect(s, answer, FRAME_MAILBOXES))
		return;
	if (answer->mailboxes.mailboxes.n != 1) {
		reply_no(s, "SERVERBUG", "Unexpected answer from within");
	} else {
		notify_own_created(s, answer->mailboxes.mailboxes.items);
		imap_say_oldname(s, "", w->name, w->given);
		buf_addz(reply_open_ok(s), "MAILBOXID (");
		grammar_add_mailbox_id(&s->reply, answer->mailboxes.mailboxes.items[0].id);
		buf_addc(&s->reply, ')');
		reply_close(s, "CREATE completed");
	}
	imap_finish(s);
}

void imap_create(struct imap *s)
{
	struct mailbox_work *w = imap_work(s, sizeof *w, NULL);
	uint16_t use;
	int parsed;

	if (!imap_arg_mailbox_given(s, &w->name, &w->given))
		return;
	parsed = create_params(s, &use);
	if (parsed < 0) {
		imap_bad_args(s);
		return;
	}
	if (parsed == 0) { /* RFC 6154 3 */
		reply_no(s, "USEATTR", "That special use is not supported");
		imap_finish(s);
		return;
	}
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_CREATE,
			.mailbox_create = { s->session.store_session, w->name, use } },
		created);
}

static void deleted(struct imap *s, const struct frame *answer)
{
	const struct mailbox_work *w = s->cmd.work;

	if (!imap_expect(s, answer, FRAME_DONE))
		return;
	notify_own_deleted(s, w->name);
	/* whoever deletes the mailbox that is selected has it closed */
	if (w->selected && s->sel.view != NULL) {
		selected_leave(s);
		untagged_ok(s, "CLOSED", "The selected mailbox was deleted");
	}
	imap_say_oldname(s, "\\NonExistent", w->name, w->given);
	reply_ok(s, NULL, "DELETE completed");
	imap_finish(s);
}

static void ask_delete(struct imap *s)
{
	const struct mailbox_work *w = s->cmd.work;

	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_DELETE,
			.mailbox_delete = { s->session.store_session, w->name } },
		deleted);
}

/* A name tells nothing: the selected mailbox may have been renamed, and another got its name. */
static void delete_found(struct imap *s, const struct frame *answer)
{
	struct mailbox_work *w = s->cmd.work;

	if (!imap_expect(s, answer, FRAME_MAILBOXES))
		return;
	w->selected = answer->mailboxes.mailboxes.n == 1 &&
		      answer->mailboxes.mailboxes.items[0].id == s->sel.mailbox;
	ask_delete(s);
}

void imap_delete(struct imap *s)
{
	struct mailbox_work *w = imap_work(s, sizeof *w, NULL);

	if (!imap_arg_mailbox_given(s, &w->name, &w->given) || !imap_args_end(s))
		return;
	if (s->sel.view == NULL) {
		ask_delete(s);
		return;
	}
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_STATUS,
			.mailbox_status = { s->session.store_session, w->name } },
		delete_found);
}

/* RFC 9051 6.3.6: the old name as it was given, the new one as it is. */
static void renamed(struct imap *s, const struct frame *answer)
{
	const struct mailbox_work *w = s->cmd.work;

	if (answer->type == FRAME_DONE)
		notify_own_renamed(s, w->name, w->to);
	if (answer->type == FRAME_DONE && w->respelled)
		imap_say_oldname(s, "", w->to, w->given);
	mailbox_done(s, answer);
}

void imap_rename(struct imap *s)
{
	struct mailbox_work *w = imap_work(s, sizeof *w, NULL);
	struct str given;

	if (!imap_arg_mailbox_given(s, &w->name, &w->given) ||
		!imap_arg_mailbox_given(s, &w->to, &given) || !imap_args_end(s))
		return;
	w->respelled = !imap_is_as_given(w->name, w->given) || !imap_is_as_given(w->to, given);
	s->sel.stale = s->sel.view != NULL; /* RENAME INBOX moves its messages */
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_RENAME,
			.mailbox_rename = { s->session.store_session, w->name, w->to } },
		renamed);
}

static void subscribed(struct imap *s, const struct frame *answer)
{
	const struct mailbox_work *w = s->cmd.work;

	if (answer->type == FRAME_DONE)
		notify_own_subscribed(s, w->name, w->on);
	mailbox_done(s, answer);
}

static void subscribe(struct imap *s, bool on)
{
	struct mailbox_work *w = imap_work(s, sizeof *w, NULL);

	w->on = on;
	if (!imap_arg_mailbox(s, &w->name) || !imap_args_end(s))
		return;
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_SUBSCRIBE,
			.mailbox_subscribe = { s->session.store_session, w->name, on } },
		subscribed);
}

void imap_subscribe(struct imap *s)
{
	subscribe(s, true);
}

void imap_unsubscribe(struct imap *s)
{
	subscribe(s, false);
}
