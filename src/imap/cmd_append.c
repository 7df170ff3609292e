// SPDX-License-Identifier: Apache-2.0
/* APPEND (RFC 9051 6.3.12) of one message or several (MULTIAPPEND, RFC 3502), and REPLACE (RFC
 * 8508), which takes one away in the same commit. Messages go to the store while they arrive and
 * are never whole in memory; digests are made on the way. What can be refused is refused before the
 * client sends it: no such mailbox, too large. Nothing is kept unless everything came (I18, T11),
 * and of several all or none: whatever ends the command early aborts the upload. */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/selected.h"
#include "imap/token.h"
#include "mail/mime.h"

#include <inttypes.h>

#define DATA_MAX 65000 /* upload_bytes, upload_digest: data */

enum push { PUSH_REPLACE, PUSH_BYTES, PUSH_DIGEST, PUSH_INTO, PUSH_NEXT, PUSH_COMMIT, PUSH_DONE };

/* What stands before a message. */
struct append_message {
	struct flag_list flags;
	int64_t time;
	uint64_t size;
	bool utf8; /* UTF8 (~{…}): RFC 6855 4; a parenthesis follows the bytes */
};

struct append_work {
	struct str name, given;
	uint64_t mailbox;
	uint32_t replaces; /* UID in the selected mailbox; 0: none */
	struct append_message message, next;
	uint32_t n; /* of the present message */
	uint64_t bytes_in_all;
	size_t tail; /* where the command's text goes on behind the literal */
	struct mail_parser *parser;
	struct buf bytes;  /* a piece that the channel had no room for */
	struct buf digest; /* once all came */
	size_t digest_at;
	enum push push;
	bool waiting;  /* `next` has been announced, and waits until this one is with the store */
	bool complete; /* the whole command came */
	bool nul;
	enum err_kind error; /* what the store said early */
	char error_text[161];
	char id[17]; /* the message's, in logs */
};

static void drop(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	if (s->upload != 0) {
		s->session.host->tell(s->session.host, &s->session, ASK_STORE, s->upload,
			&(struct frame){ .type = FRAME_UPLOAD_ABORT });
		s->session.host->cancel(s->session.host, &s->session, s->upload);
		s->upload = 0;
	}
	mail_parser_free(&w->parser);
	buf_done(&w->bytes);
	buf_done(&w->digest);
}

/* ---- the arguments, up to a message's literal ---- */

/* rfc/6855:232 not followed: mail of old has 8-bit header fields, and a client that moves it here
 * would stop or lose it.
 *
 * append-message = [SP flag-list] [SP date-time] SP append-data, up to the literal, from the first
 * SP on. append-data = literal / literal8 / "UTF8" SP "(" literal8 ")"    RFC 3502, RFC 6855 4 */
static bool message_arguments(struct scan *a, struct append_message *m)
{
	if (!scan_sp(a))
		return false;
	if (scan_peek(a) == '(' && (!grammar_flag_list(a, &m->flags) || !scan_sp(a)))
		return false;
	if (scan_peek(a) == '"' && (!grammar_date_time(a, &m->time) || !scan_sp(a)))
		return false;
	if (scan_literal_nocase(a, STR("UTF8 ("))) {
		m->utf8 = true;
		return scan_char(a, '~') && scan_peek(a) == '{';
	}
	scan_char(a, '~'); /* literal8: RFC 3516 4.4 */
	return scan_peek(a) == '{';
}

static const struct verb append_verb = { STR_INIT("APPEND"), AUTHENTICATED | SELECTED, 0,
	imap_append };
static const struct verb replace_verb = { STR_INIT("REPLACE"), SELECTED, HAS_UID, imap_append };

/* "tag APPEND", "tag REPLACE" or "tag UID REPLACE", as the wire has it; NULL: it is neither. */
static const struct verb *which(struct scan *a, bool *ret_uid)
{
	struct str tag;

	if (!scan_until(a, ' ', &tag) || tag.n == 0 || !scan_sp(a))
		return NULL;
	if (scan_literal_nocase(a, STR("APPEND")))
		return scan_peek(a) == ' ' ? &append_verb : NULL;
	*ret_uid = scan_literal_nocase(a, STR("UID "));
	return scan_literal_nocase(a, STR("REPLACE")) && scan_peek(a) == ' ' ? &replace_verb : NULL;
}

/* replace = "REPLACE" SP seq-number …, uid = "UID" SP "REPLACE" SP uniqueid …   RFC 8508 5
 * Ends behind the number. */
static bool replaced_number(struct scan *a, uint32_t *ret)
{
	*ret = 0; /* "*" */
	return scan_sp(a) && (scan_char(a, '*') || token_nz_number(a, ret));
}

static void take_over(struct imap *s, const struct verb *verb, bool uid)
{
	struct str text = buf_str(&s->wire.text);

	s->cmd.running = true;
	s->cmd.verb = verb;
	s->cmd.uid = uid;
	s->cmd.tag = arena_str(&s->arena, str_sub(text, 0, str_find(text, ' ')));
}

/* The message is refused before it came, or while it comes: the reply is made now, and sent when
 * the client has said all. */
static void refuse(struct imap *s)
{
	s->cmd.reply_ready = true;
	imap_refuse_literal(s);
}

/* The keywords are in the command's text, which moves as it grows behind the literal. */
static void keep_keywords(struct imap *s, struct flag_list *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->keywords[i] = arena_str(&s->arena, f->keywords[i]);
}

static void stream(struct imap *s);

static void upload_answer(struct imap *s, const struct frame *answer);

static void mailbox_found(struct imap *s, const struct frame *answer)
{
	struct append_work *w = s->cmd.work;
	const struct api_mailbox_list *list = &answer->mailboxes.mailboxes;

	s->request = 0;
	if (answer->type == FRAME_MAILBOXES && list->n == 1 && list->items[0].exists) {
		w->mailbox = list->items[0].id;
		stream(s);
		return;
	}
	if (answer->type == FRAME_MAILBOXES ||
		(answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND))
		reply_no(s, "TRYCREATE", "No such mailbox");
	else
		reply_failed(s, answer);
	refuse(s);
}

static void ask_mailbox(struct imap *s)
{
	const struct append_work *w = s->cmd.work;

	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_STATUS,
			.mailbox_status = { s->session.store_session, w->name } },
		mailbox_found);
}

/* Makes the reply and returns false. */
static bool message_is_welcome(struct imap *s, const struct append_message *m, uint32_t n)
{
	if (m->size > s->session.host->settings->message_bytes)
		reply_no(s, "TOOBIG", "Message is too large");
	else if (m->size == 0) /* RFC 3502 6.3.11: this can be used to cancel the append */
		reply_no(s, NULL, "An empty message cancels %.*s", (int)s->cmd.verb->name.n,
			s->cmd.verb->name.p);
	else if (m->utf8 && !imap_utf8(s)) /* RFC 6855 4 */
		reply_no(s, "CANNOT", "UTF8 needs ENABLE UTF8=ACCEPT");
	else if (n > LIMIT_UPLOAD_MESSAGES)
		reply_no(s, "LIMIT", "At most %d messages at once", LIMIT_UPLOAD_MESSAGES);
	else
		return true;
	return false;
}

/* The UID of what REPLACE takes away. Makes the reply and returns false. */
static bool find_replaced(struct imap *s, uint32_t number, uint32_t *ret_uid)
{
	const struct view *v = s->sel.view;
	uint32_t last = view_exists(v);
	uint32_t n = number == 0 ? last : s->cmd.uid ? view_sequence(v, number) : number;
	const struct api_entry *e = view_entry(v, n);

	if (e != NULL)
		*ret_uid = e->uid;
	if (s->sel.read_only)
		reply_no(s, "READ-ONLY", "The mailbox was opened with EXAMINE");
	else if (e == NULL && !s->cmd.uid)
		reply_bad(s, NULL, "No such message number");
	else if (e == NULL || view_is_gone(v, n))
		reply_no(s, "NONEXISTENT", "No such message");
	else
		return true;
	return false;
}

static void begin(struct imap *s, struct str name, uint32_t number)
{
	struct append_work *w = s->cmd.work;
	struct err err = ERR_INIT;
	struct buf known;

	buf_init(&known, LIMIT_MAILBOX_NAME_BYTES);
	if (s->cmd.verb == &replace_verb && !find_replaced(s, number, &w->replaces)) {
		refuse(s);
	} else if (!message_is_welcome(s, &w->message, 1)) {
		refuse(s);
	} else if (mailbox_name_read(name, imap_utf8(s), &known, &err) < 0) {
		reply_err(s, err.kind, str_from(err.public_text));
		refuse(s);
	} else {
		w->name = arena_str(&s->arena, buf_str(&known));
		w->given = arena_str(&s->arena, name);
		s->cmd.unavailable = refuse;
		if (s->lost)
			selected_reopen(s, ask_mailbox);
		else
			ask_mailbox(s);
	}
	buf_done(&known);
}

static void push(struct imap *s);

/* Another message of the same command: it is invited when the one before is with the store. */
static bool next_message(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	struct scan a = scan_from(str_from_offset(buf_str(&s->wire.text), w->tail));
	struct append_message next = { .size = s->wire.size };

	if ((w->message.utf8 && !scan_char(&a, ')')) || s->cmd.verb == &replace_verb ||
		!message_arguments(&a, &next)) {
		reply_bad(s, NULL, "Arguments of %.*s are not understood", (int)s->cmd.verb->name.n,
			s->cmd.verb->name.p);
		refuse(s);
	} else if (!message_is_welcome(s, &next, w->n + 1)) {
		refuse(s);
	} else {
		w->next = next;
		keep_keywords(s, &w->next.flags);
		w->waiting = true;
		push(s);
	}
	return true;
}

bool imap_append_literal(struct imap *s)
{
	struct scan a = scan_from(buf_str(&s->wire.text));
	struct append_work *w, parsed = { .message.size = s->wire.size };
	const struct verb *verb;
	struct str name;
	uint32_t number = 0;
	bool uid = false;

	if (s->cmd.running)
		return s->cmd.verb != NULL && s->cmd.verb->run == imap_append &&
		       s->cmd.work != NULL && next_message(s);
	verb = which(&a, &uid);
	if (verb == NULL || (verb->states & s->state) == 0 ||
		(verb == &replace_verb && !replaced_number(&a, &number)) || !scan_sp(&a) ||
		!token_astring(&a, &s->arena, &name) || !message_arguments(&a, &parsed.message))
		return false;
	take_over(s, verb, uid);
	w = imap_work(s, sizeof *w, drop);
	*w = parsed;
	keep_keywords(s, &w->message.flags);
	buf_init(&w->bytes, DATA_MAX);
	buf_init(&w->digest, LIMIT_DIGEST_BYTES);
	begin(s, name, number);
	return true;
}

/* ---- the message ---- */

static void take_bytes(struct imap *s, struct str bytes);

/* The client may send the present message. */
static void invite(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	w->n++;
	w->bytes_in_all += w->message.size;
	w->parser = mail_parser_new(NULL);
	if (!s->wire.nonsync)
		imap_write(s, STR("+ Ready for the message\r\n"));
	w->tail = s->wire.text.n + 2;
	wire_stream(&s->wire);
}

/* The store has the mailbox: the upload begins, and the client may go on. */
static void stream(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	uint64_t id;

	s->session.host->seams->random->fill(s->session.host->seams->random, &id, sizeof id);
	snprintf(w->id, sizeof w->id, "%016" PRIx64, id);
	s->upload = s->session.host->ask(s->session.host, &s->session, ASK_STORE,
		&(struct frame){ .type = FRAME_UPLOAD_OPEN, .upload_open = { w->message.size } });
	s->upload_answer = upload_answer;
	s->cmd.bytes = take_bytes;
	w->push = w->replaces != 0 ? PUSH_REPLACE : PUSH_BYTES;
	invite(s);
}

static bool tell(struct imap *s, const struct frame *frame)
{
	return s->session.host->tell(s->session.host, &s->session, ASK_STORE, s->upload, frame);
}

static void take_bytes(struct imap *s, struct str bytes)
{
	struct append_work *w = s->cmd.work;

	/* literal = … *CHAR8: NUL needs literal8                RFC 9051 9 */
	w->nul = w->nul || (!s->wire.binary && str_find(bytes, '\0') < bytes.n);
	if (w->error != ERR_NONE || w->nul || s->upload == 0)
		return;
	mail_parser_input(w->parser, bytes);
	buf_adds(&w->bytes, bytes);
	push(s);
}

/* Told early: the disk is full, the store is gone. What still comes is read and dropped. */
static void upload_answer(struct imap *s, const struct frame *answer)
{
	struct append_work *w = s->cmd.work;

	s->upload = 0;
	w->error = answer->type == FRAME_FAILED ? answer->failed.kind : ERR_TEMP;
	if (answer->type == FRAME_FAILED)
		snprintf(w->error_text, sizeof w->error_text, "%" STR_FMT,
			STR_ARG(answer->failed.text));
	s->cmd.busy = false;
	if (w->complete || w->waiting)
		push(s);
}

/* ---- to the store, as its channel has room ---- */

static bool push_bytes(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_BYTES, .upload_bytes = { buf_str(&w->bytes) } };

	if (w->bytes.n > 0 && !tell(s, &f))
		return false;
	buf_clear(&w->bytes);
	if (!w->complete && !w->waiting)
		return false;
	mail_parser_end(w->parser, &w->digest);
	w->push = PUSH_DIGEST;
	return true;
}

static bool push_digest(struct imap *s, struct append_work *w)
{
	while (w->digest_at < w->digest.n) {
		struct str piece = str_sub(buf_str(&w->digest), w->digest_at, DATA_MAX);
		struct frame f = { .type = FRAME_UPLOAD_DIGEST, .upload_digest = { piece } };

		if (!tell(s, &f))
			return false;
		w->digest_at += piece.n;
	}
	w->push = PUSH_INTO;
	return true;
}

static bool push_into(struct imap *s, struct append_work *w)
{
	const struct append_message *m = &w->message;
	struct frame f = { .type = FRAME_UPLOAD_INTO,
		.upload_into = { .session = s->session.store_session,
			.mailbox = w->mailbox,
			.time = m->time,
			.flags = m->flags.flags,
			.keywords = { m->flags.keywords, m->flags.n } } };

	if (!tell(s, &f))
		return false;
	w->push = w->waiting ? PUSH_NEXT : PUSH_COMMIT;
	return true;
}

/* The message that waits is the present one now. */
static bool push_next(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_NEXT, .upload_next = { w->next.size } };

	if (!tell(s, &f))
		return false;
	w->message = w->next;
	w->waiting = false;
	w->push = PUSH_BYTES;
	w->digest_at = 0;
	buf_clear(&w->digest);
	mail_parser_free(&w->parser);
	invite(s);
	return false;
}

static bool push_replace(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_REPLACE,
		.upload_replace = { s->session.store_session, s->sel.mailbox, w->replaces } };

	if (!tell(s, &f))
		return false;
	w->push = PUSH_BYTES;
	return true;
}

static void appended(struct imap *s, const struct frame *answer);

static bool push_commit(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_COMMIT, .upload_commit = { str_from(w->id) } };

	if (!tell(s, &f))
		return false;
	w->push = PUSH_DONE;
	s->request = s->upload; /* now the answer is awaited like any other */
	s->answer = appended;
	s->upload = 0;
	return false;
}

static void push_fails(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	if (w->nul)
		reply_bad(s, NULL, "NUL needs a literal8");
	else
		reply_err(s, w->error, str_from(w->error_text));
	if (w->waiting)
		refuse(s);
	else
		imap_finish(s);
}

static bool push_one(struct imap *s, struct append_work *w)
{
	switch (w->push) {
	case PUSH_BYTES:
		return push_bytes(s, w);
	case PUSH_DIGEST:
		return push_digest(s, w);
	case PUSH_INTO:
		return push_into(s, w);
	case PUSH_NEXT:
		return push_next(s, w);
	case PUSH_REPLACE:
		return push_replace(s, w);
	case PUSH_COMMIT:
		return push_commit(s, w);
	case PUSH_DONE:
		break;
	}
	return false;
}

/* Goes on with what the channel takes; the session takes no input while something is left. */
static void push(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	if ((w->complete || w->waiting) && (w->error != ERR_NONE || w->nul)) {
		s->cmd.busy = false;
		push_fails(s);
		return;
	}
	while (s->upload != 0 && push_one(s, w))
		;
	s->cmd.busy = s->upload != 0 && (w->bytes.n > 0 || w->complete || w->waiting);
	s->cmd.resume = s->cmd.busy ? push : NULL;
}

/* ---- the end ---- */

/* resp-code-apnd = "APPENDUID" SP nz-number SP append-uid; UIDs in the order of the messages, which
 * one commit gives in rising order.                            RFC 4315 3, RFC 3502 */
static void add_appenduid(struct buf *out, const struct api_landing_list *at)
{
	struct api_range range = { at->items[0].uid, at->items[0].uid };
	bool comma = false;

	buf_addf(out, "APPENDUID %" PRIu32 " ", at->items[0].uidvalidity);
	for (size_t i = 1; i < at->n; i++) {
		if (at->items[i].uid == range.high + 1) {
			range.high++;
			continue;
		}
		seqset_add_range(out, range, comma);
		range = (struct api_range){ at->items[i].uid, at->items[i].uid };
		comma = true;
	}
	seqset_add_range(out, range, comma);
}

static void log_appended(struct imap *s, const struct api_landing_list *at)
{
	const struct append_work *w = s->cmd.work;

	s->appended += at->n;
	log_event(&s->session.log, LOG_INFO, "imap-append",
		"msg=%s mailbox=%" PRIu64 " uid=%" PRIu32 " messages=%zu size=%" PRIu64, w->id,
		at->items[0].mailbox, at->items[0].uid, at->n, w->bytes_in_all);
}

static void appended(struct imap *s, const struct frame *answer)
{
	const struct append_work *w = s->cmd.work;
	const struct api_landing_list *at = &answer->delivered.landings;

	s->sel.stale = s->sel.stale || w->mailbox == s->sel.mailbox || w->replaces != 0;
	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND) {
		s->request = 0;
		if (w->replaces != 0)
			reply_no(s, "NONEXISTENT", "The message or the mailbox is gone");
		else
			reply_no(s, "TRYCREATE", "The mailbox was deleted");
		imap_finish(s);
		return;
	}
	if (!imap_expect(s, answer, FRAME_DELIVERED))
		return;
	if (at->n != w->n) {
		reply_no(s, "SERVERBUG", "Unexpected answer from within");
		imap_finish(s);
		return;
	}
	log_appended(s, at);
	imap_say_oldname(s, "", w->name, w->given);
	if (w->replaces != 0) { /* RFC 8508 4.3: before the EXPUNGE */
		buf_addz(imap_out(s), "* OK [");
		add_appenduid(imap_out(s), at);
		buf_addz(imap_out(s), "] Replacement message ready\r\n");
		imap_finish_expunged(s, true, "REPLACE completed");
		return;
	}
	add_appenduid(reply_open_ok(s), at);
	reply_close(s, "APPEND completed");
	imap_finish(s);
}

/* Called when the command is complete: without a message's literal it makes no sense. */
void imap_append(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	struct str end;

	if (w == NULL || w->parser == NULL) {
		imap_bad_args(s);
		return;
	}
	end = str_from_offset(buf_str(&s->wire.text), w->tail);
	if (!str_equal(end, w->message.utf8 ? STR(")") : STR_NONE)) {
		imap_bad_args(s);
		return;
	}
	w->complete = true;
	push(s);
}
