// SPDX-License-Identifier: Apache-2.0
/* APPEND (RFC 9051 6.3.12) of one message or several (MULTIAPPEND, RFC 3502), of text or of pieces
 * (CATENATE, RFC 4469), and REPLACE (RFC 8508), which takes one away in the same commit. Messages
 * go to the store while they arrive and are never whole in memory; digests are made on the way.
 * What can be refused is refused before the client sends it: no such mailbox, too large, no room
 * for what is large. Nothing is kept unless everything came (I18, T11), and of several all or none:
 * whatever ends the command early aborts the upload. */
#include "imap/append.h"

#include "imap/mailbox_name.h"
#include "imap/notify.h"
#include "imap/selected.h"
#include "imap/token.h"

#include <inttypes.h>

static void drop(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	append_push_drop(s, w);
	catenate_drop(&w->catenate);
}

/* ---- the command begins ---- */

static const struct verb append_verb = { STR_INIT("APPEND"), AUTHENTICATED | SELECTED, 0,
	imap_append };
static const struct verb replace_verb = { STR_INIT("REPLACE"), SELECTED, HAS_UID | REMOVES,
	imap_append };

/* "tag APPEND", "tag REPLACE" or "tag UID REPLACE", as the wire has it; NULL: it is neither. */
static const struct verb *which(struct scan *a, struct str *ret_tag, bool *ret_uid)
{
	if (!imap_tag(a, ret_tag) || !scan_sp(a))
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

static void bad_arguments(struct imap *s)
{
	reply_bad(s, NULL, "Arguments of %.*s are not understood", (int)s->cmd.verb->name.n,
		s->cmd.verb->name.p);
	append_stop(s);
}

/* Behind the verb's name: [number of REPLACE] SP mailbox, up to the first message. */
static bool read_begin(struct imap *s, struct scan *a, const struct verb *verb,
	uint32_t *ret_number, struct str *ret_name)
{
	return (verb->run != imap_append || !str_equal(verb->name, STR("REPLACE")) ||
		       replaced_number(a, ret_number)) &&
	       scan_sp(a) && token_astring(a, &s->arena, ret_name);
}

/* at: where in the command's text the first message is. */
static struct append_work *work_new(struct imap *s, struct str name, uint32_t number, size_t at)
{
	struct append_work *w = imap_work(s, sizeof *w, drop);

	w->given = arena_str(&s->arena, name);
	w->number = number;
	w->seen = w->at = at;
	append_push_init(w);
	catenate_init(&w->catenate);
	return w;
}

static struct scan text_from(const struct imap *s, size_t at)
{
	return scan_from(str_from_offset(buf_str(&s->wire.text), at));
}

static size_t text_at(const struct imap *s, const struct scan *a)
{
	return (size_t)(a->p - s->wire.text.p);
}

/* Reads on to the end of what came and does nothing yet. */
static struct append_item look_ahead(struct imap *s, struct append_work *w)
{
	struct scan a = text_from(s, w->seen);
	enum append_place place = w->seen_place;
	struct append_item item;

	for (;;) {
		item = append_read(&a, &s->arena, &place);
		if (item.literal || item.kind == APPEND_BAD || item.kind == APPEND_END ||
			item.kind == APPEND_LITERAL)
			return item;
		w->seen = text_at(s, &a);
		w->seen_place = place;
	}
}

/* The first literal that is not the mailbox's name takes the command over. */
static bool take_over(struct imap *s)
{
	struct scan a = scan_from(buf_str(&s->wire.text));
	enum append_place place = AT_MESSAGE;
	uint32_t number = 0;
	bool uid = false;
	struct str tag, name;
	const struct verb *verb = which(&a, &tag, &uid);
	struct scan messages;
	size_t at;

	if (verb == NULL || (verb->states & s->state) == 0 ||
		!read_begin(s, &a, verb, &number, &name))
		return false;
	messages = a;
	at = text_at(s, &messages);
	if (append_read(&a, &s->arena, &place).kind != APPEND_MESSAGE)
		return false;
	s->cmd.running = true;
	s->cmd.verb = verb;
	s->cmd.uid = uid;
	s->cmd.tag = arena_str(&s->arena, tag);
	work_new(s, name, number, at);
	return true;
}

/* ---- the mailbox ---- */

void append_stop(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	w->then = NULL;
	s->cmd.busy = false;
	s->cmd.resume = NULL;
	if (!w->literal) {
		imap_finish(s);
		return;
	}
	w->literal = false;
	s->cmd.reply_ready = true;
	imap_refuse_literal(s);
}

static bool is_mailbox(const struct frame *answer)
{
	const struct api_mailbox_list *list = &answer->mailboxes.mailboxes;

	return answer->type == FRAME_MAILBOXES && list->n == 1 && list->items[0].exists;
}

static bool is_no_mailbox(const struct frame *answer)
{
	return (answer->type == FRAME_MAILBOXES && !is_mailbox(answer)) ||
	       (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND);
}

static bool has_room(const struct frame_quota_is *q, uint64_t size)
{
	return (q->quota_bytes == 0 ||
		       (size <= q->quota_bytes && q->used_bytes <= q->quota_bytes - size)) &&
	       (q->quota_messages == 0 || q->used_messages < q->quota_messages);
}

static void quota_is(struct imap *s, const struct frame *answer)
{
	s->request = 0;
	if (answer->type != FRAME_QUOTA_IS) {
		reply_failed(s, answer);
		append_stop(s);
	} else if (!has_room(&answer->quota_is, s->wire.size)) {
		reply_err(s, ERR_QUOTA, STR_NONE);
		append_stop(s);
	} else {
		s->step = append_proceed;
	}
}

/* The commit looks at the quota, but that is late for a message that takes its time. What REPLACE
 * takes away makes room, so it is left to that. */
static bool asks_quota(const struct imap *s)
{
	const struct append_work *w = s->cmd.work;

	return w->literal && w->replaces == 0 && s->wire.size > APPEND_UNASKED_MAX;
}

static void mailbox_found(struct imap *s, const struct frame *answer)
{
	struct append_work *w = s->cmd.work;

	s->request = 0;
	if (is_mailbox(answer)) {
		w->mailbox = answer->mailboxes.mailboxes.items[0].id;
		w->begun = true;
		if (asks_quota(s))
			imap_ask(s, ASK_STORE,
				&(struct frame){ .type = FRAME_QUOTA_GET,
					.quota_get = { s->session.store_session } },
				quota_is);
		else
			s->step = append_proceed;
		return;
	}
	if (is_no_mailbox(answer))
		reply_no(s, "TRYCREATE", "No such mailbox");
	else
		reply_failed(s, answer);
	append_stop(s);
}

/* Then nothing is won by asking for the mailbox first: its name goes with the message. */
static bool comes_anyway(const struct imap *s)
{
	const struct append_work *w = s->cmd.work;

	return w->literal && s->wire.nonsync && s->wire.size <= APPEND_UNASKED_MAX;
}

static void ask_mailbox(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	if (comes_anyway(s)) {
		w->begun = true;
		s->step = append_proceed;
		return;
	}
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_STATUS,
			.mailbox_status = { s->session.store_session, w->name } },
		mailbox_found);
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

static bool is_replace(const struct imap *s)
{
	return str_equal(s->cmd.verb->name, STR("REPLACE"));
}

static void begin(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	struct err err = ERR_INIT;
	struct buf known;

	buf_init(&known, LIMIT_MAILBOX_NAME_BYTES);
	if (is_replace(s) && !find_replaced(s, w->number, &w->replaces)) {
		append_stop(s);
	} else if (mailbox_name_read(w->given, imap_utf8(s), &known, &err) < 0) {
		reply_err(s, err.kind, str_from(err.public_text));
		append_stop(s);
	} else {
		w->name = arena_str(&s->arena, buf_str(&known));
		s->cmd.unavailable = append_stop;
		if (s->lost)
			selected_reopen(s, ask_mailbox);
		else
			ask_mailbox(s);
	}
	buf_done(&known);
}

static void begin_with_view(struct imap *s)
{
	selected_load(s, begin);
}

/* REPLACE names a message of the view. */
static void begin_first(struct imap *s)
{
	s->cmd.unavailable = append_stop;
	if (!is_replace(s))
		begin(s);
	else if (s->lost)
		selected_reopen(s, begin_with_view);
	else
		begin_with_view(s);
}

/* ---- item by item ---- */

/* The keywords are in the command's text, which moves as it grows behind the literal. */
static void keep_keywords(struct imap *s, struct flag_list *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->keywords[i] = arena_str(&s->arena, f->keywords[i]);
}

static void take_bytes(struct imap *s, struct str bytes)
{
	struct append_work *w = s->cmd.work;

	/* literal = … *CHAR8: NUL needs literal8                RFC 9051 9 */
	w->nul = w->nul || (!s->wire.binary && str_find(bytes, '\0') < bytes.n);
	if (w->nul || !append_push_bytes(s, bytes)) /* not more than was announced */
		return;
	append_push(s, NULL);
}

/* Makes the reply and returns false. */
static bool literal_is_welcome(struct imap *s, const struct append_item *item)
{
	struct append_work *w = s->cmd.work;
	uint64_t so_far = item->kind == APPEND_MESSAGE ? 0 : w->bytes;
	uint64_t most = s->session.host->settings->message_bytes;

	if (s->wire.size > most || so_far + s->wire.size > most)
		reply_no(s, "TOOBIG", "Message is too large");
	else if (item->utf8 && !imap_utf8(s)) /* RFC 6855 4 */
		reply_no(s, "CANNOT", "UTF8 needs ENABLE UTF8=ACCEPT");
	else
		return true;
	return false;
}

/* The client may send it. */
static void invite(struct imap *s, enum append_place place)
{
	struct append_work *w = s->cmd.work;

	w->literal = false;
	if (!s->wire.nonsync)
		imap_write(s, STR("+ Ready for the message\r\n"));
	w->at = w->seen = s->wire.text.n + 2;
	w->place = w->seen_place = place;
	s->cmd.bytes = take_bytes;
	wire_stream(&s->wire);
	append_push(s, NULL);
}

/* RFC 3502 6.3.11: an empty message can be used to cancel the append */
static void cancel_empty(struct imap *s)
{
	reply_no(s, NULL, "An empty message cancels %.*s", (int)s->cmd.verb->name.n,
		s->cmd.verb->name.p);
	append_stop(s);
}

/* RFC 6855 4: an internationalized message is for who has said ENABLE UTF8=ACCEPT, if that is
 * announced, or knows rev2, where RFC 9051 6.3.12 takes it from everybody.
 *
 * rfc/6855:232 not followed for fields that are beyond ASCII and no UTF-8: mail of old has them,
 * nobody is told by them what they say, and a client that moves it here would stop or lose it. */
static bool is_for_others(const struct imap *s)
{
	const struct append_work *w = s->cmd.work;

	return mail_header_is_utf8(&w->watch) && !imap_utf8(s) && imap_announces(s, "UTF8=ACCEPT");
}

/* What came before is a whole message; the same item is read again when it is with the store. */
static void end_message(struct imap *s)
{
	struct append_work *w = s->cmd.work;

	if (w->bytes == 0) {
		cancel_empty(s);
		return;
	}
	if (is_for_others(s)) {
		reply_no(s, "CANNOT", "Header fields in UTF-8 need ENABLE UTF8=ACCEPT");
		append_stop(s);
		return;
	}
	append_push_end(s);
	append_push(s, append_proceed);
}

static void message(struct imap *s, struct append_item *item, size_t at, enum append_place place)
{
	struct append_work *w = s->cmd.work;

	if (w->n > 0 && is_replace(s)) {
		bad_arguments(s);
		return;
	}
	if (w->n == LIMIT_UPLOAD_MESSAGES) {
		reply_no(s, "LIMIT", "At most %d messages at once", LIMIT_UPLOAD_MESSAGES);
		append_stop(s);
		return;
	}
	if (imap_flags_are_too_much(s, &item->message.flags)) {
		append_stop(s);
		return;
	}
	if (item->literal && s->wire.size == 0) {
		cancel_empty(s);
		return;
	}
	if (item->literal && !literal_is_welcome(s, item)) {
		append_stop(s);
		return;
	}
	w->message = item->message;
	keep_keywords(s, &w->message.flags);
	append_push_message(s, item->literal ? s->wire.size : 0);
	if (item->literal) {
		invite(s, place);
		return;
	}
	w->at = at;
	w->place = place;
	append_push(s, append_proceed);
}

static void part(struct imap *s, const struct append_item *item, size_t at, enum append_place place)
{
	struct append_work *w = s->cmd.work;

	if (++w->parts > LIMIT_IMAP_CATENATE_PARTS) {
		reply_no(s, "LIMIT", "At most %d parts at once", LIMIT_IMAP_CATENATE_PARTS);
		append_stop(s);
	} else if (item->kind == APPEND_URL) {
		w->at = at;
		w->place = place;
		catenate_copy(s, item->url);
	} else if (literal_is_welcome(s, item)) {
		invite(s, place);
	} else {
		append_stop(s);
	}
}

static void fails(struct imap *s)
{
	const struct append_work *w = s->cmd.work;

	if (w->nul)
		reply_bad(s, NULL, "NUL needs a literal8");
	else
		reply_err(s, w->error, str_from(w->error_text));
	append_stop(s);
}

static void appended(struct imap *s, const struct frame *answer);

void append_proceed(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	struct scan a = text_from(s, w->at);
	enum append_place place = w->place;
	struct append_item item = append_read(&a, &s->arena, &place);
	bool over = item.kind == APPEND_MESSAGE || item.kind == APPEND_END;

	if (w->error != ERR_NONE || w->nul)
		fails(s);
	else if (over && w->n > 0 && !w->ended)
		end_message(s);
	else if (item.kind == APPEND_MESSAGE)
		message(s, &item, text_at(s, &a), place);
	else if (item.kind == APPEND_END)
		append_push_commit(s, appended);
	else if (item.kind == APPEND_PAREN) {
		w->at = text_at(s, &a);
		w->place = place;
		s->step = append_proceed;
	} else {
		part(s, &item, text_at(s, &a), place);
	}
}

/* More of the command came, up to a literal or the end. True: the literal is seen to. */
static bool arrived(struct imap *s, struct append_work *w)
{
	struct append_item item = look_ahead(s, w);

	if (item.kind == APPEND_LITERAL && w->literal) {
		w->literal = false;
		return false;
	}
	if (item.literal != w->literal || (item.kind == APPEND_END) != w->complete)
		bad_arguments(s);
	else if (w->begun)
		s->step = append_proceed;
	else
		begin_first(s);
	return true;
}

bool imap_append_literal(struct imap *s)
{
	struct append_work *w;

	if (!s->cmd.running && !take_over(s))
		return false;
	if (s->cmd.verb == NULL || s->cmd.verb->run != imap_append || s->cmd.work == NULL)
		return false;
	w = s->cmd.work;
	w->literal = true;
	return arrived(s, w);
}

/* Called when the command is complete. Without any literal it is parsed here from the start. */
void imap_append(struct imap *s)
{
	struct append_work *w = s->cmd.work;
	uint32_t number = 0;
	struct str name;

	if (w == NULL) {
		struct scan a = s->cmd.args;

		if (!read_begin(s, &a, s->cmd.verb, &number, &name) || scan_end(&a)) {
			imap_bad_args(s);
			return;
		}
		w = work_new(s, name, number, text_at(s, &a));
	}
	w->complete = true;
	arrived(s, w);
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

/* REPLACE found the message or the mailbox gone; without the mailbox it is TRYCREATE, as of APPEND.
 * RFC 8508 3.4 */
static void tell_which_is_gone(struct imap *s, const struct frame *answer)
{
	s->request = 0;
	if (is_mailbox(answer))
		reply_no(s, "NONEXISTENT", "The message is gone");
	else if (is_no_mailbox(answer))
		reply_no(s, "TRYCREATE", "No such mailbox");
	else
		reply_failed(s, answer);
	imap_finish(s);
}

static void appended(struct imap *s, const struct frame *answer)
{
	const struct append_work *w = s->cmd.work;
	const struct api_landing_list *at = &answer->delivered.landings;

	s->sel.stale = s->sel.stale || w->replaces != 0;
	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_NOT_FOUND) {
		s->request = 0;
		if (w->replaces != 0) {
			imap_ask(s, ASK_STORE,
				&(struct frame){ .type = FRAME_MAILBOX_STATUS,
					.mailbox_status = { s->session.store_session, w->name } },
				tell_which_is_gone);
			return;
		}
		reply_no(s, "TRYCREATE", "No such mailbox");
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
	s->sel.stale = s->sel.stale || at->items[0].mailbox == s->sel.mailbox;
	log_appended(s, at);
	notify_own_messages(s, at->items[0].mailbox, at->items[0].uid, at->items[at->n - 1].uid);
	notify_own_modseqs(s, at->n + (w->replaces != 0));
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
