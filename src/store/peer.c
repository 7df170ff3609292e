// SPDX-License-Identifier: Apache-2.0
/*
 * Peers: who may ask what, which session a number is, and output in turns.
 *
 * Small answers leave at once. Answers that are series of bulk frames take turns, a frame each, so
 * that a large view does not keep the bytes of a message waiting.
 */
#include "store/store_private.h"

#include "base/planted.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- who may ask what ---- */

#define MX     (1U << CLASS_MX)
#define USER   (1U << CLASS_USER | 1U << CLASS_WEB)
#define GATE   (1U << CLASS_GATE)
#define ADMIN  (1U << CLASS_ADMIN)
#define ANY    (MX | USER | GATE | ADMIN)
#define READER (USER | ADMIN)
#define PART   (1U << 30) /* of a question that another frame began: it gets no answer of its own */
#define LOST   (1U << 31) /* answered while the ledger is lost, too */

static const struct question {
	enum frame_type type;
	unsigned classes;
	bool session; /* the frame begins with a session's number, which must be the peer's */
	ask_function ask;
} questions[] = {
	{ FRAME_PING, ANY | LOST, false, ask_ping },
	{ FRAME_RESOLVE, MX | USER | ADMIN, false, ask_resolve },
	{ FRAME_GET_CREDENTIALS, GATE, false, ask_credentials },
	{ FRAME_UPLOAD_OPEN, MX | USER | ADMIN, false, ask_upload_open },
	{ FRAME_UPLOAD_BYTES, MX | USER | ADMIN | PART, false, ask_upload_bytes },
	{ FRAME_UPLOAD_DIGEST, MX | USER | PART, false, ask_upload_digest },
	{ FRAME_UPLOAD_TO, MX | USER | PART, false, ask_upload_to },
	{ FRAME_UPLOAD_INTO, USER | PART, false, ask_upload_into },
	{ FRAME_UPLOAD_NEXT, USER | ADMIN | PART, false, ask_upload_next },
	{ FRAME_UPLOAD_REPLACE, USER | PART, false, ask_upload_replace },
	{ FRAME_UPLOAD_COMMIT, MX | USER | ADMIN | PART, false, ask_upload_commit },
	{ FRAME_UPLOAD_ABORT, MX | USER | ADMIN | PART, false, ask_upload_abort },
	{ FRAME_UPLOAD_SIGNATURE, MX | USER | PART, false, ask_upload_signature },
	{ FRAME_SESSION_OPEN, USER, false, ask_session_open },
	{ FRAME_SESSION_CLOSE, READER, true, ask_session_close },
	{ FRAME_OWNS_ADDRESS, USER, true, ask_owns_address },
	{ FRAME_LOCK_MAILDROP, USER, true, ask_lock_maildrop },
	{ FRAME_UIDL_LIST, READER, true, ask_uidl_list },
	{ FRAME_MAILBOX_LIST, READER, true, ask_mailbox_list },
	{ FRAME_MAILBOX_STATUS, USER, true, ask_mailbox_status },
	{ FRAME_MAILBOX_CREATE, USER, true, ask_mailbox_create },
	{ FRAME_MAILBOX_DELETE, USER, true, ask_mailbox_delete },
	{ FRAME_MAILBOX_RENAME, USER, true, ask_mailbox_rename },
	{ FRAME_MAILBOX_SUBSCRIBE, USER, true, ask_mailbox_subscribe },
	{ FRAME_METADATA_GET, USER, true, ask_metadata_get },
	{ FRAME_METADATA_SET, USER, true, ask_metadata_set },
	{ FRAME_QUOTA_GET, USER, true, ask_quota },
	{ FRAME_VIEW_OPEN, READER, true, ask_view_open },
	{ FRAME_VIEW_CHANGES, USER, true, ask_view_changes },
	{ FRAME_VIEW_CLOSE, USER, true, ask_view_close },
	{ FRAME_ACCOUNT_WATCH, USER, true, ask_account_watch },
	{ FRAME_VIEW_VANISHED, USER, true, ask_view_vanished },
	{ FRAME_MESSAGE_READ, READER, true, ask_message_read },
	{ FRAME_MESSAGES_READ, USER, true, ask_messages_read },
	{ FRAME_DIGEST_READ, USER, true, ask_digest_read },
	{ FRAME_DIGEST_PUT, USER, true, ask_digest_put },
	{ FRAME_SIGNATURE_ASK, USER, true, ask_signature_ask },
	{ FRAME_SIGNATURE_PUT, USER, true, ask_signature_put },
	{ FRAME_UIDS, USER | PART, false, ask_uids },
	{ FRAME_SET_FLAGS, USER, true, ask_set_flags },
	{ FRAME_COPY, USER, true, ask_copy },
	{ FRAME_EXPUNGE, USER, true, ask_expunge },
	{ FRAME_ACCOUNT_ADD, ADMIN, false, ask_account_add },
	{ FRAME_ACCOUNT_PASSWORD, ADMIN, false, ask_account_password },
	{ FRAME_ACCOUNT_REMOVE, ADMIN, false, ask_account_remove },
	{ FRAME_ACCOUNT_SET, ADMIN, false, ask_account_set },
	{ FRAME_ACCOUNT_LIST, ADMIN, false, ask_account_list },
	{ FRAME_GET_OFFERS, GATE, false, ask_offers },
	{ FRAME_KEEP_SECRET, GATE, false, ask_keep_secret },
	{ FRAME_SECRET_USED, GATE, false, ask_secret_used },
	{ FRAME_SECRET_ADD, ADMIN, false, ask_secret_add },
	{ FRAME_SECRET_REMOVE, ADMIN, false, ask_secret_remove },
	{ FRAME_SECRET_LIST, ADMIN, false, ask_secret_list },
	{ FRAME_DOMAIN_ADD, ADMIN, false, ask_domain_add },
	{ FRAME_DOMAIN_REMOVE, ADMIN, false, ask_domain_remove },
	{ FRAME_DOMAIN_SET, ADMIN, false, ask_domain_set },
	{ FRAME_DOMAIN_LIST, ADMIN, false, ask_domain_list },
	{ FRAME_ALIAS_ADD, ADMIN, false, ask_alias_add },
	{ FRAME_ALIAS_REMOVE, ADMIN, false, ask_alias_remove },
	{ FRAME_ALIAS_LIST, ADMIN, false, ask_alias_list },
	{ FRAME_DELETED_LIST, ADMIN, false, ask_deleted_list },
	{ FRAME_UNDELETE, ADMIN, false, ask_undelete },
	{ FRAME_ACCOUNT_RECOUNT, ADMIN, false, ask_account_recount },
	{ FRAME_STORE_RECLAIM, ADMIN, false, ask_store_reclaim },
	{ FRAME_STORE_CHECK, ADMIN | LOST, false, ask_store_check },
	{ FRAME_STORE_STATUS, ADMIN, false, ask_store_status },
	{ FRAME_RESTORE_BEGIN, ADMIN, false, ask_restore_begin },
	{ FRAME_RESTORE_MAILBOX, ADMIN, false, ask_restore_mailbox },
	{ FRAME_RESTORE_ANNOTATIONS, ADMIN, false, ask_restore_annotations },
	{ FRAME_RESTORE_END, ADMIN, false, ask_restore_end },
	{ FRAME_BODIES_LIST, ADMIN, false, ask_bodies_list },
	{ FRAME_ACCOUNT_OPEN, ADMIN, false, ask_account_open },
	{ FRAME_UPLOAD_RESTORE, ADMIN | PART, false, ask_upload_restore },
	{ FRAME_STORE_REPAIR, ADMIN | LOST, false, ask_store_repair },
	{ FRAME_BACKUP_BEGIN, ADMIN, false, ask_backup_begin },
	{ FRAME_BACKUP_READ, ADMIN, false, ask_backup_read },
	{ FRAME_BACKUP_END, ADMIN, false, ask_backup_end },
};

static const struct question *question_of(enum frame_type type)
{
	for (size_t i = 0; i < ARRAY_LEN(questions); i++)
		if (questions[i].type == type)
			return &questions[i];
	return NULL;
}

/* Every frame of a session begins with its number, so it can be read by any of their names. */
_Static_assert(
	offsetof(struct frame, session_close.session) == offsetof(struct frame, copy.session) &&
		offsetof(struct frame, session_close.session) ==
			offsetof(struct frame, upload_into.session) &&
		offsetof(struct frame, session_close.session) ==
			offsetof(struct frame, digest_put.session),
	"the session's number comes first");

/* A ledger that was lost and is not made anew yet knows nobody: who asked it would be told for good
 * what is only so for now. G10 */
static bool is_lost(struct store_peer *peer, const struct question *q, uint32_t request)
{
	struct err err = ERR_INIT;
	if (!peer->store->rebuilding || q->classes & LOST)
		return false;
	fail(&err, ERR_TEMP, "%s", rebuild_unfinished);
	if (!(q->classes & PART))
		peer_refuse(peer, request, q->type, &err);
	return true;
}

bool store_peer_frame(struct store_peer *peer, uint32_t request, const struct frame *frame)
{
	const struct question *q = question_of(frame->type);
	if (q == NULL || !(q->classes & 1U << peer->class))
		return false;
	if (peer->store->ended)
		return true; /* nothing is answered any more */
	peer->store->asked++;
	if (is_lost(peer, q, request))
		return true;
	struct store_session *session = NULL;
	if (q->session) {
		session = session_find(peer, frame->session_close.session);
		if (session == NULL) {
			/* It may have been ended while the frame was on its way. */
			struct err err = ERR_INIT;
			fail(&err, ERR_EXPIRED, "the session has ended");
			peer_refuse(peer, request, frame->type, &err);
			return true;
		}
	}
	q->ask(peer, session, request, frame);
	return true;
}

/* ---- peers ---- */

struct store_peer *store_peer_add(
	struct store *store, int class, uint32_t instance, const struct store_replies *replies)
{
	assert(class > 0 && class < 32);
	struct store_peer *peer = xmalloc(sizeof(*peer));
	*peer = (struct store_peer){ .store = store,
		.class = class,
		.instance = instance,
		.replies = *replies,
		.next = store->peers,
		.link = &store->peers };
	peer->out_end = &peer->out;
	peer->reads.waiting_end = &peer->reads.waiting;
	peer->changes.waiting_end = &peer->changes.waiting;
	log_child(&peer->log, &store->log, "peer=%d instance=%u", class, instance);
	map_init(&peer->uploads, store->map_key, LIMIT_PEER_UPLOADS);
	map_init(&peer->ranges, store->map_key, LIMIT_PEER_JOBS);
	vec_init(&peer->signing, sizeof(struct signing), LIMIT_SIGNED_UPLOADS);
	if (store->peers)
		store->peers->link = &peer->next;
	store->peers = peer;
	return peer;
}

static void free_uploads(struct store_peer *peer)
{
	void *value;
	for (size_t at = 0; map_next(&peer->uploads, &at, NULL, &value);)
		upload_free(peer, value);
	map_done(&peer->uploads);
}

static void free_jobs(struct job *jobs)
{
	for (struct job *next; jobs; jobs = next) {
		next = jobs->next;
		job_free(jobs);
	}
}

/* Jobs that workers have go on without the peer; all others end here. */
static void leave_jobs(struct store_peer *peer)
{
	for (struct job *job = peer->jobs, *next; job; job = next) {
		next = job->peer_next;
		job->peer = NULL;
	}
	peer->jobs = NULL;
	free_jobs(peer->out);
	free_jobs(peer->reads.waiting);
	free_jobs(peer->changes.waiting);
	peer->out = peer->reads.waiting = peer->changes.waiting = NULL;
}

void store_peer_remove(struct store_peer **ppeer)
{
	struct store_peer *peer = *ppeer;
	if (peer == NULL)
		return;
	*ppeer = NULL;
	while (peer->sessions)
		session_remove(peer->sessions);
	leave_jobs(peer);
	backup_leave(peer);
	restore_leave(peer);
	free_uploads(peer);
	peer_drop_ranges(peer);
	vec_done(&peer->signing);
	*peer->link = peer->next;
	if (peer->next)
		peer->next->link = peer->link;
	free(peer);
}

/* ---- output ---- */

void peer_send(struct store_peer *peer, uint32_t request, const struct frame *frame)
{
	(void)peer->replies.send(peer->replies.arg, request, frame); /* small: always taken */
}

/* As in frame failed. */
enum { FAILED_TEXT_BYTES = 160 };

/* Whose message a question is about: who keeps the store wants to know which one is damaged. */
static const char *about(const struct job *job, char *room, size_t size)
{
	const struct frame_message_read *one = &job->ask.message_read;
	const struct frame_messages_read *many = &job->ask.messages_read;
	int n = snprintf(room, size, " account=%" PRIu64, job->by.account);
	if (job->ask.type == FRAME_MESSAGE_READ)
		snprintf(room + n, size - (size_t)n, " mailbox=%" PRIu64 " uid=%u", one->mailbox,
			one->uid);
	else if (job->ask.type == FRAME_MESSAGES_READ && job->worked < many->uids.n)
		snprintf(room + n, size - (size_t)n, " mailbox=%" PRIu64 " uid=%u", many->mailbox,
			many->uids.items[job->worked]);
	return room;
}

static void fail_about(
	struct store_peer *peer, uint32_t request, const struct err *err, const struct job *job)
{
	char whose[100] = "", room[FAILED_TEXT_BYTES + 1];
	struct str text = str_from(
		err->public_text[0] ? err->public_text : err_sentence(err->kind));
	/* Who administers the store is told what a client is not: which file, which error. */
	if (peer->class == CLASS_ADMIN && err->log_text[0]) {
		err_cut(room, sizeof(room), err->log_text);
		text = str_from(room);
	}
	if (err->log_text[0] && !err->is_public) {
		struct log_text value;
		log_event(&peer->log, LOG_WARN, "store-failed", "request=%u kind=%s%s why=%s",
			request, err_name(err->kind),
			job && job->by.account ? about(job, whose, sizeof(whose)) : "",
			log_value(&value, str_from(err->log_text)));
	}
	peer->store->damage_seen += err->kind == ERR_CORRUPT;
	peer_send(peer, request,
		&(struct frame){ .type = FRAME_FAILED,
			.failed = { .kind = (uint8_t)err->kind, .text = text } });
}

void peer_fail(struct store_peer *peer, uint32_t request, const struct err *err)
{
	fail_about(peer, request, err, NULL);
}

void peer_fail_job(const struct job *job, const struct err *err)
{
	fail_about(job->peer, job->request, err, job);
}

/* Frames that ask nothing get no `failed`: what goes with a question is answered there. */
void peer_refuse(
	struct store_peer *peer, uint32_t request, enum frame_type type, const struct err *err)
{
	struct vec ranges;
	if (peer_take_ranges(peer, request, &ranges))
		vec_done(&ranges);
	if (type != FRAME_SESSION_CLOSE && type != FRAME_VIEW_CLOSE && request != 0)
		peer_fail(peer, request, err);
}

static struct job *take_out(struct store_peer *peer)
{
	struct job *job = peer->out;
	peer->out = job->next;
	if (peer->out == NULL)
		peer->out_end = &peer->out;
	return job;
}

static void put_out(struct store_peer *peer, struct job *job)
{
	job->next = NULL;
	*peer->out_end = job;
	peer->out_end = &job->next;
}

/* One frame of the first job, which then goes to the end of the line. False: no room. */
static bool pump_one(struct store_peer *peer)
{
	struct frame frame;
	struct job *job = take_out(peer);
	enum produced produced = job->class->produce(job, &frame);
	if (produced == PRODUCED_END) {
		job_said(job);
		return true;
	}
	if (produced == PRODUCED_WORK) {
		job_read(job);
		return true;
	}
	if (!peer->replies.send(peer->replies.arg, job->request, &frame)) {
		/* Still the first. */
		job->next = peer->out;
		peer->out = job;
		if (job->next == NULL)
			peer->out_end = &job->next;
		return false;
	}
	if (job->class->sent)
		job->class->sent(job);
	put_out(peer, job);
	return true;
}

/* Of a large view all the credit would be encoded in one turn, and lie before everybody else's
 * answers on the way: it goes in portions. */
enum { LARGE_FRAMES = 2 };

void peer_pump(struct store_peer *peer)
{
	unsigned large = 0;
	if (peer->pumping || peer->blocked || peer->resting)
		return;
	peer->pumping = true;
	while (peer->out && !peer->blocked && !peer->resting) {
		large += job_is_large(peer->out);
		peer->resting = large > LARGE_FRAMES && peer->replies.rest;
		if (peer->resting)
			peer->replies.rest(peer->replies.arg);
		else
			peer->blocked = !pump_one(peer);
	}
	peer->pumping = false;
}

void store_peer_rested(struct store_peer *peer)
{
	peer->resting = false;
	peer_pump(peer);
}

void peer_out(struct store_peer *peer, struct job *job)
{
	put_out(peer, job);
	peer_pump(peer);
}

void store_peer_room(struct store_peer *peer)
{
	peer->blocked = false;
	peer_pump(peer);
}

/* ---- sessions ---- */

struct store_session *session_find(const struct store_peer *peer, uint32_t number)
{
	struct store_session *s = map_get_u64(&peer->store->sessions, number);
	return s && s->peer == peer ? s : NULL;
}

struct store_session *session_add(struct store_peer *peer, const struct op_by *by, uint32_t service)
{
	struct store *store = peer->store;
	struct store_session *s = xmalloc(sizeof(*s));
	do
		store->last_session++;
	while (store->last_session == 0 || map_get_u64(&store->sessions, store->last_session));
	*s = (struct store_session){ .peer = peer,
		.number = store->last_session,
		.by = *by,
		.service = service,
		.next = peer->sessions,
		.link = &peer->sessions };
	if (s->next)
		s->next->link = &s->next;
	peer->sessions = s;
	peer->n_sessions++;
	map_put_u64(&store->sessions, s->number, s);
	return s;
}

void session_remove(struct store_session *s)
{
	struct store *store = s->peer->store;
	while (s->watches)
		watch_remove(s->watches);
	account_watch_remove(s);
	if (s->maildrop)
		map_remove_u64(&store->maildrops, s->by.account);
	map_remove_u64(&store->sessions, s->number);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	s->peer->n_sessions--;
	free(s->named);
	free(s);
}

static void end_of_peer(struct store_peer *peer, uint64_t account)
{
	for (struct store_session *s = peer->sessions, *next; s; s = next) {
		next = s->next;
		if (s->by.account != account)
			continue;
		peer_send(peer, 0,
			&(struct frame){ .type = FRAME_SESSION_ENDED,
				.session_ended = { .session = s->number } });
		session_remove(s);
	}
}

void sessions_end(struct store *store, uint64_t account)
{
	store->endings++;
	if (planted("sessions_not_ended"))
		return;
	for (struct store_peer *peer = store->peers; peer; peer = peer->next)
		end_of_peer(peer, account);
}
