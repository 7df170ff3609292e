// SPDX-License-Identifier: Apache-2.0
/* An IMAP session's commands: the states and the table of verbs (RFC 9051 3, 6), how a command
 * begins and how it ends. What a single verb does stands in cmd_*.c; when what happens, in
 * turns.c. */
#include "imap/imap_private.h"

#include "imap/notify.h"
#include "imap/search_run.h"
#include "imap/selected.h"
#include "imap/token.h"

#include <inttypes.h>
#include <stdlib.h>

/* RFC 9051 6.1 to 6.4: which command may be given when. STARTTLS, LOGIN and AUTHENTICATE are for
 * strangers alone; NOOP, CAPABILITY, LOGOUT and ID (RFC 2971) for everybody. */
#define LOGGED_IN (AUTHENTICATED | SELECTED)
static const struct verb verbs[] = {
	{ STR_INIT("CAPABILITY"), ANY_STATE, 0, imap_capability },
	{ STR_INIT("NOOP"), ANY_STATE, NEEDS_STORE, imap_noop },
	{ STR_INIT("LOGOUT"), ANY_STATE, NO_NEWS, imap_logout },
	{ STR_INIT("ID"), ANY_STATE, 0, imap_id },
	{ STR_INIT("STARTTLS"), NOT_AUTHENTICATED, 0, imap_starttls },
	{ STR_INIT("AUTHENTICATE"), NOT_AUTHENTICATED, 0, imap_authenticate },
	{ STR_INIT("LOGIN"), NOT_AUTHENTICATED, 0, imap_login },
	{ STR_INIT("ENABLE"), LOGGED_IN, 0, imap_enable },
	{ STR_INIT("COMPRESS"), LOGGED_IN, NO_NEWS, imap_compress },
	{ STR_INIT("SELECT"), LOGGED_IN, NO_NEWS | REOPENS, imap_select },
	{ STR_INIT("EXAMINE"), LOGGED_IN, NO_NEWS | REOPENS, imap_examine },
	{ STR_INIT("CREATE"), LOGGED_IN, 0, imap_create },
	{ STR_INIT("DELETE"), LOGGED_IN, 0, imap_delete },
	{ STR_INIT("RENAME"), LOGGED_IN, 0, imap_rename },
	{ STR_INIT("SUBSCRIBE"), LOGGED_IN, 0, imap_subscribe },
	{ STR_INIT("UNSUBSCRIBE"), LOGGED_IN, 0, imap_unsubscribe },
	{ STR_INIT("LIST"), LOGGED_IN, 0, imap_list },
	{ STR_INIT("LSUB"), LOGGED_IN, 0, imap_lsub },
	{ STR_INIT("NAMESPACE"), LOGGED_IN, 0, imap_namespace },
	{ STR_INIT("STATUS"), LOGGED_IN, 0, imap_status },
	{ STR_INIT("APPEND"), LOGGED_IN, 0, imap_append },
	{ STR_INIT("GETMETADATA"), LOGGED_IN, 0, imap_getmetadata },
	{ STR_INIT("SETMETADATA"), LOGGED_IN, 0, imap_setmetadata },
	{ STR_INIT("GETQUOTA"), LOGGED_IN, 0, imap_getquota },
	{ STR_INIT("GETQUOTAROOT"), LOGGED_IN, 0, imap_getquotaroot },
	{ STR_INIT("SETQUOTA"), LOGGED_IN, 0, imap_setquota },
	{ STR_INIT("IDLE"), LOGGED_IN, 0, imap_idle },
	{ STR_INIT("NOTIFY"), LOGGED_IN, 0, imap_notify },
	{ STR_INIT("CHECK"), SELECTED, 0, imap_noop },
	{ STR_INIT("CLOSE"), SELECTED, NO_NEWS, imap_close },
	{ STR_INIT("UNSELECT"), SELECTED, NO_NEWS, imap_unselect },
	{ STR_INIT("EXPUNGE"), SELECTED, REMOVES, imap_expunge },
	{ STR_INIT("EXPUNGE"), SELECTED, ONLY_UID | REMOVES, imap_uid_expunge },
	{ STR_INIT("SEARCH"), SELECTED, HAS_UID | NO_EXPUNGE | SAVES, imap_search },
	{ STR_INIT("SORT"), SELECTED, HAS_UID | NO_EXPUNGE | SAVES, imap_sort },
	{ STR_INIT("THREAD"), SELECTED, HAS_UID | NO_EXPUNGE, imap_thread },
	{ STR_INIT("FETCH"), SELECTED, HAS_UID | NO_EXPUNGE, imap_fetch },
	{ STR_INIT("STORE"), SELECTED, HAS_UID | NO_EXPUNGE, imap_store },
	{ STR_INIT("COPY"), SELECTED, HAS_UID, imap_copy },
	{ STR_INIT("MOVE"), SELECTED, HAS_UID | REMOVES, imap_move },
	{ STR_INIT("REPLACE"), SELECTED, HAS_UID | REMOVES, imap_append },
};

/* ---- the end of a command ---- */

bool imap_expect(struct imap *s, const struct frame *answer, enum frame_type expected)
{
	s->request = 0;
	if (answer->type == expected)
		return true;
	reply_failed(s, answer);
	imap_finish(s);
	return false;
}

static void send_reply(struct imap *s)
{
	if (s->cmd.quiet) {
		notify_quiet_over(s);
		return;
	}
	if (s->cmd.highest != NULL && s->sel.view != NULL) {
		buf_addf(reply_open_ok(s), "HIGHESTMODSEQ %" PRIu64, s->sel.told);
		reply_close(s, s->cmd.highest);
		s->sel.heard = 0;
	}
	selected_say_told(s);
	imap_write(s, buf_str(&s->reply));
	imap_command_over(s);
}

/* The selected mailbox went, which ends the session. Who then hears nothing of what a command of
 * his did (APPEND of a message elsewhere, say) does it again. */
static void reply_last(struct imap *s)
{
	if (!s->cmd.quiet && !s->cmd.owes_expunges)
		imap_write(s, buf_str(&s->reply));
}

/* RFC 9051 7: news may be told at any time, but for EXPUNGE (7.5.1). A view that is behind would
 * tell a STORE's outcome as it was before; it is told once the store is there again. */
static void tell_news(struct imap *s)
{
	const struct verb *v = s->cmd.verb;
	bool hold = (v != NULL && (v->flags & NO_EXPUNGE) != 0 && !s->cmd.uid) ||
		    notify_holds_expunges(s);
	bool tells = s->sel.view != NULL && !s->sel.behind;

	if (tells && s->sel.gone)
		reply_last(s);
	if (tells && !selected_tell(s, !hold)) {
		s->step = tell_news;
		return;
	}
	/* RFC 9051 6.4.3: before OK there is an EXPUNGE for each. The store went in between. */
	if (s->sel.behind && s->cmd.owes_expunges) {
		s->cmd.highest = NULL;
		reply_no(s, "UNAVAILABLE", "Done, but what went can't be told yet");
	}
	s->step = send_reply;
}

void imap_finish(struct imap *s)
{
	const struct verb *v = s->cmd.verb;

	if (s->sel.view == NULL || (v != NULL && (v->flags & NO_NEWS)))
		s->step = send_reply;
	else
		selected_refresh(s, tell_news);
}

void imap_finish_now(struct imap *s)
{
	s->step = send_reply;
}

void imap_finish_unavailable(struct imap *s)
{
	if (s->cmd.unavailable != NULL)
		s->cmd.unavailable(s);
	else
		imap_finish_now(s);
}

void *imap_work(struct imap *s, size_t n, void (*drop)(struct imap *))
{
	s->cmd.work = xmalloc(n);
	s->cmd.drop = drop;
	return s->cmd.work;
}

void imap_drop_work(struct imap *s)
{
	void (*drop)(struct imap *) = s->cmd.drop;

	s->cmd.drop = NULL;
	if (drop != NULL)
		drop(s);
	free(s->cmd.work);
	s->cmd.work = NULL;
	reads_clear(&s->reads);
}

/* Nothing of a command survives it but what it did to the session's own state. */
void imap_command_over(struct imap *s)
{
	imap_drop_work(s);
	s->commands++;
	s->cmd = (struct command){ .verb = NULL };
	s->sel.has_stored = s->sel.has_own = false;
	arena_reset(&s->arena);
	wire_reset(&s->wire);
	buf_release(&s->reply);
	imap_set_deadline(s);
	imap_at_rest(s);
}

void imap_at_rest(struct imap *s)
{
	if (s->draining)
		imap_bye(s, "This session has to end here, please come back");
	else if (s->lost && s->state != NOT_AUTHENTICATED)
		selected_reopen(s, s->notify != NULL ? notify_turn : NULL);
	else
		notify_turn(s);
}

/* Within a literal it would be taken for the message's bytes, within a SEARCH for one of its
 * numbers. */
void imap_bye(struct imap *s, const char *text)
{
	if (!s->cmd.within)
		imap_writef(s, "* BYE %s\r\n", text);
	s->step = NULL;
	s->session.next = NEXT_CLOSE;
}

bool imap_args_end(struct imap *s)
{
	if (scan_end(&s->cmd.args))
		return true;
	imap_bad_args(s);
	return false;
}

/* The tenth refusal of a stranger's is the last. */
void imap_count_bad(struct imap *s)
{
	if (s->state == NOT_AUTHENTICATED && ++s->bads >= LIMIT_IMAP_BADS) {
		imap_write(s, buf_str(&s->reply));
		imap_bye(s, "Too many bad commands");
	}
}

void imap_bad_args(struct imap *s)
{
	const struct verb *v = s->cmd.verb;

	reply_bad(s, NULL, "Arguments of %.*s are not understood", (int)v->name.n, v->name.p);
	imap_finish_now(s);
	imap_count_bad(s);
}

static void bad(struct imap *s, const char *code, const char *text)
{
	reply_bad(s, code, "%s", text);
	imap_finish_now(s);
	imap_count_bad(s);
}

/* ---- the beginning of a command ---- */

/* RFC 9051 3: a command in the wrong state is BAD. */
static const char *out_of_state(const struct imap *s, const struct verb *v)
{
	if (s->state == NOT_AUTHENTICATED)
		return "Please log in first";
	if (v->states == NOT_AUTHENTICATED)
		return "You are logged in already";
	return "Please select a mailbox first";
}

static const struct verb *find_verb(struct str name, bool uid)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct verb *v = &verbs[i];
		bool fits = uid ? (v->flags & (HAS_UID | ONLY_UID)) != 0
				: (v->flags & ONLY_UID) == 0;

		if (fits && str_equal_nocase(v->name, name))
			return v;
	}
	return NULL;
}

static bool is_tag_char(char c)
{
	return abnf_is_imap_astring(c) && c != '+';
}

bool imap_tag(struct scan *a, struct str *ret)
{
	*ret = scan_while(a, is_tag_char);
	return ret->n > 0 && ret->n <= LIMIT_IMAP_TAG_BYTES && (scan_peek(a) == ' ' || scan_end(a));
}

static bool parse_tag(struct imap *s)
{
	struct str tag;

	if (!imap_tag(&s->cmd.args, &tag))
		return false;
	s->cmd.tag = arena_str(&s->arena, tag);
	return true;
}

/* command = tag SP (…) and uid = "UID" SP (…)               RFC 9051 9
 * false: it was answered. */
static bool parse_verb(struct imap *s)
{
	struct str name;

	s->cmd.running = true;
	s->cmd.args = scan_from(buf_str(&s->wire.text));
	if (!parse_tag(s))
		return bad(s, NULL, "A command begins with a tag"), false;
	if (!scan_sp(&s->cmd.args) || !token_atom(&s->cmd.args, &name))
		return bad(s, NULL, "A command has a name"), false;
	if (str_equal_nocase(name, STR("UID"))) {
		s->cmd.uid = true;
		if (!scan_sp(&s->cmd.args) || !token_atom(&s->cmd.args, &name))
			return bad(s, NULL, "UID has a command"), false;
	}
	s->cmd.verb = find_verb(name, s->cmd.uid);
	if (s->cmd.verb == NULL)
		return bad(s, NULL, "Unknown command"), false;
	if ((s->cmd.verb->states & s->state) == 0)
		return bad(s, NULL, out_of_state(s, s->cmd.verb)), false;
	return true;
}

static bool is_reopened_for(const struct verb *v)
{
	return (v->states != ANY_STATE || (v->flags & NEEDS_STORE) != 0) &&
	       (v->flags & REOPENS) == 0;
}

static void run_verb(struct imap *s)
{
	s->cmd.verb->run(s);
}

static bool needs_entries(const struct verb *v)
{
	return (v->flags & (HAS_UID | ONLY_UID)) != 0 || v->run == imap_notify;
}

/* What takes UIDs, or sequence numbers in their place, works on the view's entries; so
 * does NOTIFY. */
static void run_with_view(struct imap *s)
{
	if (needs_entries(s->cmd.verb))
		selected_load(s, run_verb);
	else
		run_verb(s);
}

static void run_up_to_date(struct imap *s)
{
	if (s->lost) {
		selected_reopen(s, run_with_view);
	} else if (s->sel.behind) {
		reply_no(s, "UNAVAILABLE", "The mail store is away, please try again");
		imap_finish_unavailable(s);
	} else {
		run_with_view(s);
	}
}

/* A browser that was tricked into speaking to us gets no echo of its words (T4). */
static bool looks_like_http(struct str text)
{
	return text.n > 9 && str_starts_nocase(str_from_offset(text, text.n - 9), STR(" HTTP/1."));
}

static void dispatch(struct imap *s)
{
	if (s->state == NOT_AUTHENTICATED && looks_like_http(buf_str(&s->wire.text))) {
		s->session.next = NEXT_CLOSE;
		return;
	}
	if (!parse_verb(s))
		return;
	if ((s->cmd.verb->flags & SAVES) != 0)
		s->cmd.unavailable = search_unavailable;
	if (s->lost && s->state != NOT_AUTHENTICATED && is_reopened_for(s->cmd.verb))
		selected_reopen(s, run_with_view);
	else if (s->sel.behind && needs_entries(s->cmd.verb)) /* it may lack what a STORE did */
		selected_refresh(s, run_up_to_date);
	else
		run_with_view(s);
}

/* ---- what the wire says ---- */

static const struct {
	const char *code, *text;
} wire_texts[] = {
	[WIRE_FINE] = { NULL, "Not understood" },
	[WIRE_BARE] = { NULL, "Lines end in CRLF" },
	[WIRE_NUL] = { NULL, "NUL is not allowed here" },
	[WIRE_TOO_LONG] = { "TOOBIG", "Command is too long" },
	[WIRE_TOO_BIG] = { "TOOBIG", "Literal is too large" },
	[WIRE_NUMBER] = { NULL, "Literal is malformed" },
	[WIRE_QUOTE] = { NULL, "Quoted string has no end" },
	[WIRE_DEPTH] = { NULL, "Too many parentheses" },
};

/* RFC 5464 4.3: a value that is too long for any command has the answer of one that is too long */
static bool is_large_annotation(const struct imap *s, enum wire_bad why)
{
	struct scan a = s->cmd.args;

	return why == WIRE_TOO_BIG && s->state != NOT_AUTHENTICATED && scan_sp(&a) &&
	       scan_word_nocase(&a, STR("SETMETADATA"));
}

static void wire_is_bad(struct imap *s)
{
	enum wire_bad why = s->wire.bad;

	if (s->cmd.reply_ready) {
		imap_finish(s); /* an APPEND that was refused: its bytes are skipped now */
		return;
	}
	if (!s->cmd.running) {
		s->cmd.running = true;
		s->cmd.args = scan_from(buf_str(&s->wire.text));
		parse_tag(s);
	}
	if (is_large_annotation(s, why)) {
		imap_annotation_is_long(s);
		imap_finish(s);
		return;
	}
	bad(s, wire_texts[why].code, wire_texts[why].text);
}

void imap_refuse_literal(struct imap *s)
{
	enum wire_event e = wire_refuse(&s->wire);

	if (e == WIRE_BAD)
		wire_is_bad(s);
	else if (e == WIRE_FATAL)
		imap_bye(s, "[TOOBIG] Literal is too large");
}

/* The literal of a command that does not exist or has no place here is not asked for: its answer
 * comes instead.                                             RFC 9051 7.6 */
static bool answered_already(struct imap *s)
{
	if (s->cmd.running || s->wire.nonsync || s->wire.literals > 0)
		return false;
	if (!parse_verb(s))
		return true;
	s->cmd = (struct command){ .verb = NULL };
	return false;
}

/* A literal that is too much is refused before we invite it (I1). */
static void wire_literal(struct imap *s)
{
	if (answered_already(s)) {
		wire_refuse(&s->wire);
		return;
	}
	if (s->state != NOT_AUTHENTICATED && imap_append_literal(s))
		return;
	if (wire_accept(&s->wire)) {
		if (!s->wire.nonsync)
			imap_write(s, STR("+ OK\r\n"));
		return;
	}
	imap_refuse_literal(s);
}

static void wire_command(struct imap *s)
{
	if (s->cmd.line != NULL)
		s->cmd.line(s, buf_str(&s->wire.text));
	else if (s->cmd.running)
		run_verb(s); /* APPEND, whose literal has been taken */
	else
		dispatch(s);
}

void imap_wire_event(struct imap *s, enum wire_event e)
{
	switch (e) {
	case WIRE_MORE:
		break;
	case WIRE_COMMAND:
		wire_command(s);
		break;
	case WIRE_LITERAL:
		wire_literal(s);
		break;
	case WIRE_BYTES:
		s->cmd.bytes(s, s->wire.piece);
		break;
	case WIRE_BAD:
		wire_is_bad(s);
		break;
	case WIRE_FATAL:
		imap_bye(s, "[TOOBIG] Too much for one command");
		break;
	}
}
