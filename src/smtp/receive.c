// SPDX-License-Identifier: Apache-2.0
/*
 * A message on its way: from the wire through the header's rules and the parser to the store, then
 * the checks at its end, the commit, and the one reply.
 *
 *     bytes -> dots off -> submit.c -> mail parser and the upload's next frame -> store
 *     end   -> the authors' owners (submission) -> rest, digest, copies, commit -> delivered -> 250
 *
 * Back-pressure: while the store's channel has no room, no input is taken from the client. A
 * refusal is remembered and said at the end, since SMTP has no other place for it; what still comes
 * is counted and dropped. The upload begins with the first full frame, so small messages that are
 * refused never reach the store.
 */
#include "base/time.h"
#include "base/planted.h"
#include "mail/address.h"
#include "mail/build.h"
#include "mail/mime.h"
#include "smtp/smtp_private.h"
#include "smtp/submit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

enum {
	STEP_BYTES = 16 * 1024, /* taken at once */
	FRAME_BYTES = 65000,    /* frame upload_bytes */
	ADDED_BYTES = 4 * 1024, /* what the header's rules may add or hold back */
};

/* How far the end has come. Each stage may have to wait for room and is then entered again. */
enum stage {
	STAGE_BODY,
	STAGE_OWNERS,
	STAGE_BYTES,
	STAGE_DIGEST,
	STAGE_COPIES,
	STAGE_COMMIT,
	STAGE_ANSWER, /* the store may have it already: nothing can be taken back */
};

struct smtp_receiving {
	struct smtp_data data;
	struct smtp_text text;
	struct smtp_header header;
	struct buf added; /* Date and Message-ID for the header that lacks them */
	struct mail_parser *parser;
	struct buf bytes;  /* not sent yet */
	struct buf digest; /* all of it, once the message is complete */
	size_t digest_sent;
	uint64_t size;    /* of the message as it came */
	uint64_t dropped; /* bytes after a refusal */
	enum smtp_reply refused;
	enum stage stage;
	uint32_t upload;            /* the store's number for it; 0: not begun */
	struct str authors;         /* fields of the header that are still to be looked at */
	struct mail_addresses from; /* addresses of the present one */
	size_t from_at;
	struct smtp_recipient *copy; /* the next one to tell of */
};

/* ---- bytes ---- */

static void keep_bytes(void *arg, struct str bytes)
{
	struct smtp_receiving *r = arg;
	if (r->refused != SAY_NOTHING)
		return;
	mail_parser_input(r->parser, bytes);
	bool kept = buf_adds(&r->bytes, bytes);
	assert(kept); /* no input is taken beyond FRAME_BYTES + STEP_BYTES */
}

static void add_fields(struct smtp *s, struct buf *out, size_t *date_n)
{
	const struct seams *seams = s->session.host->seams;
	int64_t now_ms = seams->clock->wall_ms(seams->clock);
	struct time_text date;
	uint8_t random[16];
	seams->random->fill(seams->random, random, sizeof(random));
	buf_addf(out, "Date: %s\r\n", time_rfc5322(&date, now_ms));
	*date_n = out->n;
	buf_addz(out, "Message-ID: ");
	mail_build_message_id(out, random, now_ms, str_from(s->session.host->hostname));
	buf_addz(out, "\r\n");
}

void smtp_receive_begin(struct smtp *s)
{
	struct smtp_receiving *r = xmalloc(sizeof(*r));
	size_t date_n = 0;
	buf_init(&r->added, 1024);
	if (s->submission)
		add_fields(s, &r->added, &date_n);
	smtp_header_init(&r->header, s->submission, buf_str(&r->added), date_n, keep_bytes, r);
	r->parser = mail_parser_new(NULL);
	buf_init(&r->bytes, FRAME_BYTES + STEP_BYTES + ADDED_BYTES);
	buf_init(&r->digest, LIMIT_DIGEST_BYTES);
	s->receiving = r;
}

static bool tell(struct smtp *s, const struct frame *frame)
{
	struct session_host *host = s->session.host;
	return host->tell(host, &s->session, ASK_STORE, s->receiving->upload, frame);
}

static void open_upload(struct smtp *s)
{
	struct frame open = { .type = FRAME_UPLOAD_OPEN, .upload_open = { .size = s->tx.size } };
	if (s->receiving->upload == 0)
		s->receiving->upload = s->session.host->ask(
			s->session.host, &s->session, ASK_STORE, &open);
}

/* Sends frames of at least `least` bytes. False: there is no room now. */
static bool send_bytes(struct smtp *s, size_t least)
{
	struct smtp_receiving *r = s->receiving;
	while (r->bytes.n >= least && r->bytes.n > 0) {
		struct frame f = { .type = FRAME_UPLOAD_BYTES };
		f.upload_bytes.data = str_sub(buf_str(&r->bytes), 0, FRAME_BYTES);
		open_upload(s);
		if (!tell(s, &f))
			return false;
		buf_consume(&r->bytes, f.upload_bytes.data.n);
	}
	return true;
}

/* The first refusal counts; what the store has of the message is given up. */
static void refuse(struct smtp *s, enum smtp_reply why)
{
	struct smtp_receiving *r = s->receiving;
	struct frame abort = { .type = FRAME_UPLOAD_ABORT };
	if (r->refused != SAY_NOTHING)
		return;
	r->refused = why;
	if (r->upload != 0) {
		if (r->stage != STAGE_ANSWER)
			(void)tell(s, &abort);
		s->session.host->cancel(s->session.host, &s->session, r->upload);
		r->upload = 0;
	}
	buf_release(&r->bytes);
	mail_parser_free(&r->parser);
}

bool smtp_receive_room(const struct smtp *s, uint64_t size)
{
	uint64_t most = s->session.host->settings->message_bytes;
	return size <= most && s->receiving->size <= most - size;
}

static void receive(struct smtp *s, struct str bytes)
{
	struct smtp_receiving *r = s->receiving;
	if (!smtp_receive_room(s, bytes.n))
		refuse(s, SAY_TOO_BIG);
	if (r->refused != SAY_NOTHING) {
		r->dropped += bytes.n;
		return;
	}
	r->size += bytes.n;
	smtp_header_input(&r->header, bytes);
	if (r->header.received > LIMIT_RECEIVED_FIELDS)
		refuse(s, SAY_LOOP);
	else
		(void)send_bytes(s, FRAME_BYTES);
}

bool smtp_receive_ready(const struct smtp *s)
{
	const struct smtp_receiving *r = s->receiving;
	return r == NULL || (r->stage == STAGE_BODY && r->bytes.n < FRAME_BYTES);
}

/* ---- the end ---- */

static void log_outcome(struct smtp *s, int answer, const char *reason)
{
	struct log_text from, to;
	struct log log;
	struct buf names;
	buf_init(&names, sizeof(to.text));
	for (const struct smtp_recipient *r = s->tx.first; r != NULL; r = r->next)
		if (!buf_addf(
			    &names, "%s%" STR_FMT, r == s->tx.first ? "" : ",", STR_ARG(r->given)))
			break;
	log_child(&log, &s->session.log, "msg=%s", s->tx.id);
	log_event(&log, LOG_INFO, "smtp-message",
		"peer=%s from=%s to=%s copies=%zu size=%" PRIu64 " tls=%d user=%s answer=%d%s%s",
		s->session.peer->address, log_value(&from, s->tx.from),
		log_value(&to, buf_str(&names)), s->tx.deliveries, s->receiving->size,
		s->session.peer->tls, s->login[0] ? s->login : "-", answer,
		reason ? " reason=" : "", reason ? reason : "");
	buf_done(&names);
}

/* The one reply. */
static void finish(struct smtp *s, enum smtp_reply reply)
{
	char id[sizeof(s->tx.id)];
	memcpy(id, s->tx.id, sizeof(id));
	log_outcome(s, smtp_reply_code(reply), NULL);
	if (reply == SAY_BAD_TEXT && s->reading == READ_DATA) {
		/* Nobody knows where the next command begins: S1 to S7. */
		smtp_say_and_close(s, reply);
		return;
	}
	smtp_reset(s);
	if (reply == SAY_ACCEPTED) {
		s->errors = s->junk = 0;
		smtp_sayf(s, reply, "Accepted as %s", id);
	} else {
		smtp_say(s, reply);
	}
}

static void go_on(struct smtp *s);

/* From, Sender, Resent-From, Resent-Sender: every address in them must be the account's own. A
 * message without these fields claims nobody.   RFC 6409 6.1, 8.1 */
static enum smtp_reply read_header(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	if (r->header.broken)
		return SAY_HEADER_MALFORMED;
	if (r->header.from_fields > 1 || r->header.sender_fields > 1)
		return SAY_FROM_SEVERAL;
	if (r->header.authors.full)
		return SAY_FROM_TOO_LONG;
	r->authors = buf_str(&r->header.authors);
	return SAY_NOTHING;
}

static bool lacks_domain(const struct mail_addresses *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].kind == MAIL_ADDRESS_MAILBOX && list->v[i].domain.n == 0)
			return true;
	return false;
}

/* The next of these fields, or what is wrong with it. Nothing of it is mended: a domain that is
 * guessed "typically results in more broken addresses" (RFC 6409 8), and what is passed on as it
 * comes keeps the signatures that it has. */
static enum smtp_reply read_author(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	struct mail_field field;
	if (!mail_field_next(&r->authors, &field))
		return SAY_FROM_MALFORMED;
	mail_addresses_parse(&s->arena, field.value, &r->from);
	r->from_at = 0;
	if (r->from.truncated || r->from.mailboxes > LIMIT_FROM_ADDRESSES)
		return SAY_FROM_TOO_LONG;
	if (lacks_domain(&r->from))
		return SAY_FROM_UNQUALIFIED;
	return r->from.malformed || r->from.mailboxes == 0 ? SAY_FROM_MALFORMED : SAY_NOTHING;
}

/* An address of them in normal form, in the arena. */
static bool normal_address(struct smtp *s, const struct mail_address *a, struct str *ret)
{
	struct buf text, normal;
	buf_init(&text, 2 * LIMIT_ADDRESS_BYTES);
	buf_init(&normal, LIMIT_ADDRESS_BYTES);
	bool good = mail_local_part_encode(a->local, &text) && buf_addc(&text, '@') &&
		    buf_adds(&text, a->domain) && mail_address_normalize(buf_str(&text), &normal) &&
		    smtp_keep(s, buf_str(&normal), ret);
	buf_done(&text);
	buf_done(&normal);
	return good;
}

static void owner_answer(struct smtp *s, const struct frame *answer);

/* To the next mailbox of this field, or its end. */
static void pass_groups(struct smtp_receiving *r)
{
	while (r->from_at < r->from.n && r->from.v[r->from_at].kind != MAIL_ADDRESS_MAILBOX)
		r->from_at++;
}

static void ask_next_owner(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	struct str address;
	enum smtp_reply bad = SAY_NOTHING;
	pass_groups(r);
	if (r->from_at == r->from.n && r->authors.n > 0) {
		bad = read_author(s); /* else it has a mailbox */
		pass_groups(r);
	}
	if (r->refused != SAY_NOTHING) {
		finish(s, r->refused);
	} else if (bad != SAY_NOTHING) {
		finish(s, bad);
	} else if (r->from_at == r->from.n) {
		r->stage = STAGE_BYTES;
		go_on(s);
	} else if (!normal_address(s, &r->from.v[r->from_at], &address)) {
		finish(s, SAY_FROM_MALFORMED);
	} else {
		smtp_ask_owner(s, address, owner_answer);
	}
}

static void owner_answer(struct smtp *s, const struct frame *answer)
{
	if (answer->type == FRAME_DONE) {
		s->receiving->from_at++;
		ask_next_owner(s);
	} else {
		finish(s, smtp_failure(answer) == ERR_DENIED ? SAY_FROM_NOT_YOURS : SAY_TRY_LATER);
	}
}

/* The message is complete. */
static void receive_end(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	if (r->refused == SAY_NOTHING)
		smtp_header_end(&r->header);
	if (r->refused == SAY_NOTHING && s->login_ended)
		r->refused = SAY_TRY_LATER;
	if (r->refused == SAY_NOTHING && r->header.received > LIMIT_RECEIVED_FIELDS)
		refuse(s, SAY_LOOP);
	if (r->refused == SAY_NOTHING && s->submission)
		r->refused = read_header(s);
	if (r->refused != SAY_NOTHING) {
		finish(s, r->refused);
		return;
	}
	r->stage = STAGE_OWNERS;
	r->copy = s->tx.first;
	ask_next_owner(s);
}

/* ---- to the store: each stage returns whether it is through ---- */

static bool send_digest(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	if (r->parser != NULL) {
		mail_parser_end(r->parser, &r->digest);
		mail_parser_free(&r->parser);
	}
	while (r->digest_sent < r->digest.n) {
		struct frame f = { .type = FRAME_UPLOAD_DIGEST };
		f.upload_digest.data = str_sub(buf_str(&r->digest), r->digest_sent, FRAME_BYTES);
		if (!tell(s, &f))
			return false;
		r->digest_sent += f.upload_digest.data.n;
	}
	return true;
}

static bool send_copies(struct smtp *s)
{
	const struct seams *seams = s->session.host->seams;
	struct smtp_receiving *r = s->receiving;
	struct buf prefix;
	bool room = true;
	buf_init(&prefix, LIMIT_PREFIX_BYTES);
	for (; r->copy != NULL && room; r->copy = room ? r->copy->next : r->copy) {
		struct frame f = { .type = FRAME_UPLOAD_TO };
		buf_clear(&prefix);
		const struct smtp_recipient *to = planted("trace_of_another") ? s->tx.first
									      : r->copy;
		if (!smtp_trace(s, to, seams->clock->wall_ms(seams->clock), &prefix))
			buf_clear(&prefix); /* unsafe to write: better a copy without it */
		f.upload_to.account = r->copy->account;
		f.upload_to.prefix = buf_str(&prefix);
		room = tell(s, &f);
	}
	buf_done(&prefix);
	return r->copy == NULL;
}

static void commit_answer(struct smtp *s, const struct frame *answer)
{
	s->receiving->upload = 0;
	if (answer->type == FRAME_DELIVERED || planted("failure_taken_for_success"))
		finish(s, SAY_ACCEPTED);
	else
		finish(s, smtp_reply_for(smtp_failure(answer), SMTP_FOR_MESSAGE));
}

static bool send_commit(struct smtp *s)
{
	struct frame f = { .type = FRAME_UPLOAD_COMMIT,
		.upload_commit = { .message_id = str_from(s->tx.id) } };
	if (!tell(s, &f))
		return false;
	s->receiving->stage = STAGE_ANSWER;
	smtp_wait_for(s, s->receiving->upload, commit_answer);
	return true;
}

/* Goes through the stages as far as there is room. */
static void go_on(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	open_upload(s);
	if (r->stage == STAGE_BYTES && send_bytes(s, 0))
		r->stage = STAGE_DIGEST;
	if (r->stage == STAGE_DIGEST && send_digest(s))
		r->stage = STAGE_COPIES;
	if (r->stage == STAGE_COPIES && send_copies(s))
		r->stage = STAGE_COMMIT;
	if (r->stage == STAGE_COMMIT)
		(void)send_commit(s);
}

void smtp_receive_resume(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	if (r == NULL || r->refused != SAY_NOTHING)
		return;
	if (r->stage == STAGE_BODY)
		(void)send_bytes(s, FRAME_BYTES);
	else if (r->stage >= STAGE_BYTES && r->stage <= STAGE_COMMIT)
		go_on(s);
}

bool smtp_receive_committing(const struct smtp *s)
{
	return s->receiving != NULL && s->receiving->stage == STAGE_ANSWER;
}

bool smtp_receive_complete(const struct smtp *s)
{
	return s->receiving != NULL && s->receiving->stage != STAGE_BODY;
}

/* The store gave up on the upload before its end. */
static void upload_failed(struct smtp *s, enum smtp_reply why)
{
	struct smtp_receiving *r = s->receiving;
	r->upload = 0;
	if (r->stage <= STAGE_OWNERS)
		refuse(s, why);
	else
		finish(s, why);
}

bool smtp_receive_answer(struct smtp *s, uint32_t request, const struct frame *answer)
{
	if (s->receiving == NULL || request == 0 || request != s->receiving->upload)
		return false;
	upload_failed(s, smtp_reply_for(smtp_failure(answer), SMTP_FOR_MESSAGE));
	return true;
}

void smtp_receive_store_lost(struct smtp *s)
{
	if (s->receiving != NULL && s->receiving->upload != 0 && !smtp_receive_committing(s))
		upload_failed(s, SAY_TRY_LATER);
}

void smtp_receive_log(struct smtp *s, const char *reason)
{
	if (s->receiving != NULL)
		log_outcome(s, 0, reason);
}

void smtp_receive_abort(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	if (r == NULL)
		return;
	refuse(s, SAY_REFUSED);
	smtp_header_done(&r->header);
	buf_done(&r->added);
	buf_done(&r->bytes);
	buf_done(&r->digest);
	mail_parser_free(&r->parser);
	free(r);
	s->receiving = NULL;
}

/* ---- from the wire ---- */

/* Enough of a message that is refused anyway. */
static bool endless(const struct smtp *s)
{
	return s->receiving->dropped > s->session.host->settings->message_bytes;
}

size_t smtp_receive_data(struct smtp *s, struct str bytes)
{
	struct smtp_receiving *r = s->receiving;
	enum smtp_data_status status;
	struct str text;
	size_t taken = smtp_data_feed(&r->data, str_sub(bytes, 0, STEP_BYTES), &text, &status);
	receive(s, text);
	if (status == SMTP_DATA_BAD) {
		refuse(s, SAY_BAD_TEXT);
		r->refused = SAY_BAD_TEXT;
		finish(s, SAY_BAD_TEXT);
	} else if (status == SMTP_DATA_END) {
		s->reading = READ_COMMAND;
		receive_end(s);
	} else if (endless(s)) {
		log_outcome(s, smtp_reply_code(r->refused), "endless");
		smtp_say_and_close(s, r->refused);
	}
	return taken;
}

/* A chunk is complete. */
static void chunk_end(struct smtp *s)
{
	struct smtp_receiving *r = s->receiving;
	s->reading = READ_COMMAND;
	if (s->chunk_last && !smtp_text_end(&r->text))
		refuse(s, SAY_BAD_TEXT);
	if (s->chunk_last)
		receive_end(s);
	else if (r->refused != SAY_NOTHING)
		finish(s, r->refused);
	else
		smtp_sayf(s, SAY_CHUNK_OK, "%" PRIu64 " octets received", s->chunk_size);
}

size_t smtp_receive_chunk(struct smtp *s, struct str bytes)
{
	struct smtp_receiving *r = s->receiving;
	bytes = str_sub(bytes, 0, STEP_BYTES);
	if (bytes.n > s->chunk_left)
		bytes.n = (size_t)s->chunk_left;
	s->chunk_left -= bytes.n;
	if (s->tx.body != BODY_BINARYMIME && !smtp_text_feed(&r->text, bytes))
		refuse(s, SAY_BAD_TEXT);
	receive(s, bytes);
	if (s->chunk_left == 0)
		chunk_end(s);
	return bytes.n;
}
