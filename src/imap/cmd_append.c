// SPDX-License-Identifier: Apache-2.0
/* APPEND (RFC 9051 6.3.12). The message goes to the store while it arrives and is never whole in
 * memory; the digest is made on the way. What can be refused is refused before the client sends
 * it: no such mailbox, too large. Nothing is kept unless everything came (I18, T11): whatever ends
 * the command early aborts the upload. */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/selected.h"
#include "imap/token.h"
#include "mail/mime.h"

#include <inttypes.h>

#define DATA_MAX 65000 /* upload_bytes, upload_digest: data */

enum push { PUSH_BYTES, PUSH_DIGEST, PUSH_INTO, PUSH_COMMIT, PUSH_DONE };

struct append_work {
	struct str name, given;
	struct flag_list flags;
	int64_t time;
	uint64_t mailbox;
	uint64_t size;
	size_t tail; /* where the command's text goes on behind the literal */
	struct mail_parser *parser;
	struct buf bytes;  /* a piece that the channel had no room for */
	struct buf digest; /* once all came */
	size_t digest_at;
	enum push push;
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

/* ---- the arguments, up to the message's literal ---- */

/* append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal   RFC 9051 9
 * False: this text is no APPEND up to its message. */
static bool arguments(struct scan *a, struct arena *arena, struct append_work *w, struct str *name)
{
	if (!scan_sp(a) || !token_astring(a, arena, name) || !scan_sp(a))
		return false;
	if (scan_peek(a) == '(' && (!grammar_flag_list(a, &w->flags) || !scan_sp(a)))
		return false;
	if (scan_peek(a) == '"' && (!grammar_date_time(a, &w->time) || !scan_sp(a)))
		return false;
	scan_char(a, '~'); /* literal8: RFC 3516 4.4 */
	return scan_peek(a) == '{';
}

/* "tag APPEND", as the wire has it. */
static bool is_append(struct scan *a)
{
	struct str tag;

	return scan_until(a, ' ', &tag) && tag.n > 0 && scan_sp(a) &&
	       scan_literal_nocase(a, STR("APPEND")) && scan_peek(a) == ' ';
}

static const struct verb append_verb = { STR_INIT("APPEND"), AUTHENTICATED | SELECTED, 0,
	imap_append };

static void take_over(struct imap *s)
{
	struct str text = buf_str(&s->wire.text);

	s->cmd.running = true;
	s->cmd.verb = &append_verb;
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

static void begin(struct imap *s, struct str name)
{
	struct append_work *w = s->cmd.work;
	struct err err = ERR_INIT;
	struct buf known;

	buf_init(&known, LIMIT_MAILBOX_NAME_BYTES);
	if (s->wire.size > s->session.host->settings->message_bytes) {
		reply_no(s, "TOOBIG", "Message is too large");
		refuse(s);
	} else if (mailbox_name_read(name, s->rev2, &known, &err) < 0) {
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

bool imap_append_literal(struct imap *s)
{
	struct scan a = scan_from(buf_str(&s->wire.text));
	struct append_work *w, parsed = { .size = s->wire.size };
	struct str name;

	if (!is_append(&a) || !arguments(&a, &s->arena, &parsed, &name))
		return false;
	take_over(s);
	w = imap_work(s, sizeof *w, drop);
	*w = parsed;
	keep_keywords(s, &w->flags);
	buf_init(&w->bytes, DATA_MAX);
	buf_init(&w->digest, LIMIT_DIGEST_BYTES);
	begin(s, name);
	return true;
}

/* ---- the message ---- */

static void take_bytes(struct imap *s, struct str bytes);

/* The store has the mailbox: the upload begins, and the client may go on. */
static void stream(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	uint64_t id;

	s->session.host->seams->random->fill(s->session.host->seams->random, &id, sizeof id);
	snprintf(w->id, sizeof w->id, "%016" PRIx64, id);
	s->upload = s->session.host->ask(s->session.host, &s->session, ASK_STORE,
		&(struct frame){ .type = FRAME_UPLOAD_OPEN, .upload_open = { w->size } });
	s->upload_answer = upload_answer;
	w->parser = mail_parser_new(NULL);
	s->cmd.bytes = take_bytes;
	if (!s->wire.nonsync)
		imap_write(s, STR("+ Ready for the message\r\n"));
	w->tail = s->wire.text.n + 2;
	wire_stream(&s->wire);
}

static bool tell(struct imap *s, const struct frame *frame)
{
	return s->session.host->tell(s->session.host, &s->session, ASK_STORE, s->upload, frame);
}

static void push(struct imap *s);

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
	if (w->complete)
		push(s);
}

/* ---- to the store, as its channel has room ---- */

static bool push_bytes(struct imap *s, struct append_work *w)
{
	struct frame f = { .type = FRAME_UPLOAD_BYTES, .upload_bytes = { buf_str(&w->bytes) } };

	if (w->bytes.n > 0 && !tell(s, &f))
		return false;
	buf_clear(&w->bytes);
	if (!w->complete)
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
	struct frame f = { .type = FRAME_UPLOAD_INTO,
		.upload_into = { .session = s->session.store_session,
			.mailbox = w->mailbox,
			.time = w->time,
			.flags = w->flags.flags,
			.keywords = { w->flags.keywords, w->flags.n } } };

	if (!tell(s, &f))
		return false;
	w->push = PUSH_COMMIT;
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
	imap_finish(s);
}

/* Goes on with what the channel takes; the session takes no input while something is left. */
static void push(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	bool more = true;

	if (w->complete && (w->error != ERR_NONE || w->nul)) {
		push_fails(s);
		return;
	}
	while (more && s->upload != 0) {
		switch (w->push) {
		case PUSH_BYTES:
			more = push_bytes(s, w);
			break;
		case PUSH_DIGEST:
			more = push_digest(s, w);
			break;
		case PUSH_INTO:
			more = push_into(s, w);
			break;
		case PUSH_COMMIT:
			more = push_commit(s, w);
			break;
		case PUSH_DONE:
			more = false;
			break;
		}
	}
	s->cmd.busy = s->upload != 0 && (w->bytes.n > 0 || w->complete);
	s->cmd.resume = s->cmd.busy ? push : NULL;
}

/* ---- the end ---- */

static void appended(struct imap *s, const struct frame *answer)
{
	const struct append_work *w = s->cmd.work;
	const struct api_landing *at = answer->delivered.landings.items;

	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND) {
		s->request = 0;
		reply_no(s, "TRYCREATE", "The mailbox was deleted");
		imap_finish(s);
		return;
	}
	if (!imap_expect(s, answer, FRAME_DELIVERED))
		return;
	if (answer->delivered.landings.n != 1) {
		reply_no(s, "SERVERBUG", "Unexpected answer from within");
		imap_finish(s);
		return;
	}
	s->appended++;
	log_event(&s->session.log, LOG_INFO, "imap-append",
		"msg=%s mailbox=%" PRIu64 " uid=%" PRIu32 " size=%" PRIu64, w->id, at->mailbox,
		at->uid, w->size);
	s->sel.stale = s->sel.stale || w->mailbox == s->sel.mailbox;
	imap_say_oldname(s, "", w->name, w->given);
	buf_addf(reply_open_ok(s), "APPENDUID %" PRIu32 " %" PRIu32, at->uidvalidity, at->uid);
	reply_close(s, "APPEND completed");
	imap_finish(s);
}

/* Called when the command is complete: without a message's literal it makes no sense, and a second
 * literal would be MULTIAPPEND, which is not announced. */
void imap_append(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	if (w == NULL || w->parser == NULL || s->wire.text.n != w->tail) {
		imap_bad_args(s);
		return;
	}
	w->complete = true;
	push(s);
}
