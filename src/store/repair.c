// SPDX-License-Identifier: Apache-2.0
/*
 * Repair: what `store check` found is set right, by the writer, on a store that nobody else uses.
 * Every step is told. Nothing vanishes: a message of which bytes can't be read is put into
 * 'Damaged' with what can be read of it, and says in its header what is missing. G6
 */
#include "store/store_private.h"

#include "base/time.h"

#include <inttypes.h>
#include <stdarg.h>

enum { SLICE = 256, MOST_COPIES = 1000, MOST_LINES = 10000 };

struct mending {
	struct store *store;
	struct job *job;
	struct reader *reader;
	struct segment_reader *segments;
	struct spooler *spooler;
	uint64_t repaired, damaged, left;
};

struct line {
	struct str text;
};

static void note(struct mending *m, const char *format, ...) PRINTF_LIKE(2, 3);
static void note(struct mending *m, const char *format, ...)
{
	char text[400];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	struct line line = { str_from(text) };
	if (job_keep(m->job, &line.text))
		vec_push(&m->job->items, &line);
}

/* Runs a transaction of ours and frees it. */
static int run(struct mending *m, struct txn *txn, struct err *err)
{
	const struct engine_class *engine = m->store->engine->class;
	int rc = engine->run(m->store->engine, &txn, 1, err);
	if (rc < 0)
		store_end(m->store, err);
	else if (txn->err.kind != ERR_NONE) {
		*err = txn->err;
		rc = -1;
	}
	return rc;
}

/* ---- mailboxes without a row ---- */

struct wanted_body {
	uint64_t id;
	struct body_place *place;
};

static int keep_place(void *arg, const struct body_place *place)
{
	const struct wanted_body *w = arg;
	if (place->ref.id == w->id)
		*w->place = *place;
	return 0;
}

/* The row of a body. */
static int read_place(struct mending *m, uint64_t id, struct body_place *ret)
{
	struct wanted_body w = { id, ret };
	*ret = (struct body_place){ .size = 0 };
	if (m->reader->class->body_each(m->reader, id - 1, 1, keep_place, &w, NULL) < 0)
		return -1;
	return ret->ref.id == id ? 0 : -1;
}

/* Whose an entry is whose mailbox has no row: the record knows. */
static uint64_t owner_of(struct mending *m, const struct broken_entry *entry)
{
	struct body_place place;
	struct record_recipient recipient;
	if (entry->account)
		return entry->account;
	if (read_place(m, entry->body, &place) < 0 ||
		segment_read_recipient(
			m->segments, &place.ref, entry->prefix_at, &recipient, NULL) < 0)
		return 0;
	return recipient.account;
}

static int recover_mailbox(struct mending *m, const struct broken_entry *entry, struct err *err)
{
	uint64_t account = owner_of(m, entry);
	AUTO(txn_free)
	struct txn *txn = txn_new();
	struct op *op = txn_add(txn, OP_MAILBOX_RECOVER);
	op->by.account = account;
	op->mend.mailbox = entry->mailbox;
	if (account && run(m, txn, err) == 0) {
		m->repaired++;
		note(m,
			"mailbox %" PRIu64 " had no row: it is 'Recovered-%" PRIu64
			"' of account %" PRIu64 " now",
			entry->mailbox, entry->mailbox, account);
		return 0;
	}
	m->left++;
	note(m, "mailbox %" PRIu64 " has no row and no account: its messages stay as they are",
		entry->mailbox);
	return m->store->ended ? -1 : 0;
}

static int recover_mailboxes(struct mending *m, struct err *err)
{
	struct vec found;
	uint64_t after = 0;
	int rc;
	do {
		vec_init(&found, sizeof(struct broken_entry), 1);
		rc = m->reader->class->broken(m->reader, BROKEN_NO_MAILBOX, after, 1, &found, err);
		bool any = rc == 0 && found.n;
		if (any) {
			const struct broken_entry *entry = vec_at(&found, 0);
			after = entry->mailbox;
			rc = recover_mailbox(m, entry, err);
		}
		vec_done(&found);
		if (!any)
			break;
	} while (rc == 0);
	return rc;
}

/* ---- a message that can't be read ---- */

static int ensure_damaged(struct mending *m, uint64_t account, uint64_t *ret, struct err *err)
{
	AUTO(txn_free)
	struct txn *txn = txn_new();
	struct op *op = txn_add(txn, OP_MAILBOX_ENSURE);
	op->by.account = account;
	op->mailbox.name = STR("Damaged");
	op->mailbox.on = true;
	if (run(m, txn, err) < 0)
		return -1;
	*ret = txn_op(txn, 0)->result.mailbox;
	return 0;
}

/* What there is of the body, with a line in the place of what there is not. *ret_parts: how many
 * parts it has, *ret_bad: how many of them can't be read. */
static int salvage(struct mending *m, const struct body_place *place, struct spool *spool,
	unsigned *ret_parts, unsigned *ret_bad, struct err *err)
{
	AUTO(mem_free_p)
	char *p = xmalloc(LIMIT_CHUNK_BYTES);
	char text[120];
	*ret_parts = *ret_bad = 0;
	for (uint64_t at = 0; at < place->size; at += LIMIT_CHUNK_BYTES) {
		struct err why = ERR_INIT;
		ssize_t n = place->ref.segment == 0 ? -1
						    : segment_read(m->segments, &place->ref, at, p,
							      LIMIT_CHUNK_BYTES, &why);
		++*ret_parts;
		if (n > 0 && spool_add(spool, str_make(p, (size_t)n), err) < 0)
			return -1;
		if (n > 0)
			continue;
		++*ret_bad;
		uint64_t left = place->size - at;
		/* The first part had the header: what follows is no field. */
		snprintf(text, sizeof(text),
			"%s\r\n[%" PRIu64 " bytes of this message could not be read]\r\n",
			at ? "" : "Subject: [damaged message]\r\n",
			left < LIMIT_CHUNK_BYTES ? left : LIMIT_CHUNK_BYTES);
		if (spool_add(spool, str_from(text), err) < 0)
			return -1;
	}
	if (place->size == 0)
		*ret_parts = *ret_bad = 1;
	if (place->size == 0 &&
		spool_add(spool,
			STR("Subject: [damaged message]\r\n\r\nNothing of it could be read.\r\n"),
			err) < 0)
		return -1;
	return spool_finish(spool, err);
}

/* The lines that go before a damaged message: ours, then those it had, if they can be read. */
static struct str damaged_prefix(struct mending *m, const struct broken_entry *entry,
	const struct body_place *place, unsigned parts, unsigned bad, struct buf *room)
{
	struct time_text date;
	buf_clear(room);
	buf_addf(room,
		"X-Culver-Damaged: %u of %u parts could not be read; mailbox %" PRIu64
		", UID %u,\r\n %" PRIu64 " bytes, received %s\r\n",
		bad, parts, entry->mailbox, entry->uid, entry->size,
		time_rfc5322(&date, entry->time));
	size_t ours = room->n;
	char *p = buf_reserve(room, LIMIT_PREFIX_BYTES);
	ssize_t n = place->ref.segment && entry->prefix_size
			    ? segment_read_prefix(m->segments, &place->ref, entry->prefix_at, p,
				      LIMIT_PREFIX_BYTES, NULL)
			    : 0;
	if (n > 0 && ours + (size_t)n <= LIMIT_PREFIX_BYTES)
		buf_used(room, (size_t)n);
	return buf_str(room);
}

/* One landing in 'Damaged' for each entry, then the old body goes. */
static int replace(struct mending *m, const struct body_place *place, struct vec *entries,
	struct spool *spool, unsigned parts, unsigned bad, struct err *err)
{
	struct record_recipient recipients[MOST_COPIES];
	uint32_t prefix_at[MOST_COPIES];
	struct blob_ref ref;
	size_t n = 0;
	AUTO(txn_free)
	struct txn *txn = txn_new();
	AUTO(buf_done)
	struct buf room;
	buf_init(&room, 2 * LIMIT_PREFIX_BYTES);
	txn_add(txn, OP_BODY);
	VEC_EACH (struct broken_entry, entry, entries) {
		struct str prefix = damaged_prefix(m, entry, place, parts, bad, &room);
		uint64_t mailbox;
		if (entry->account == 0 || ensure_damaged(m, entry->account, &mailbox, err) < 0 ||
			!txn_keep(txn, &prefix))
			continue;
		struct op *op = txn_add(txn, OP_LAND);
		op->by.account = entry->account;
		op->land = (struct op_land){ .mailbox = mailbox,
			.prefix_size = (uint32_t)prefix.n,
			.size = prefix.n + spool_length(spool),
			.time = entry->time,
			.flags = entry->flags & (uint8_t)~FLAG_DELETED };
		recipients[n++] = (struct record_recipient){ .account = entry->account,
			.mailbox = mailbox,
			.time_ms = entry->time,
			.prefix = prefix };
	}
	if (n == 0)
		return fail(err, ERR_NOT_FOUND, "nobody is known whose message it is");
	if (m->store->ended ||
		segments_append(m->store->segments, spool, recipients, n, &ref, prefix_at, err) <
			0 ||
		segments_flush(m->store->segments, err) < 0)
		return -1;
	struct op *body = txn_op(txn, 0);
	body->body.place = (struct body_place){ .ref = ref, .size = spool_length(spool) };
	memcpy(body->body.place.sha256, spool_sha256(spool), 32);
	for (size_t i = 0; i < n; i++) {
		struct op *op = txn_op(txn, i + 1);
		op->land.body = ref.id;
		op->land.prefix_at = prefix_at[i];
		op->land.mark = body_mark(&body->body.place, op->land.time);
	}
	txn_add(txn, OP_BODY_LOST)->mend.body = place->ref.id;
	txn_add(txn, OP_MEND);
	return run(m, txn, err);
}

/* Only messages that were deleted and kept name it. */
static int drop(struct mending *m, uint64_t body, struct err *err)
{
	AUTO(txn_free)
	struct txn *txn = txn_new();
	txn_add(txn, OP_BODY_LOST)->mend.body = body;
	txn_add(txn, OP_MEND);
	if (run(m, txn, err) < 0)
		return -1;
	m->damaged++;
	note(m,
		"body %" PRIu64
		", of deleted messages alone, can't be read: they can't be put back",
		body);
	return 0;
}

/* place->ref.segment 0: there is no record of it. */
static int body_is_lost(struct mending *m, const struct body_place *place, struct err *err)
{
	struct vec entries;
	unsigned parts = 0, bad = 0;
	vec_init(&entries, sizeof(struct broken_entry), MOST_COPIES);
	struct spool *spool = spool_new(m->spooler, LIMIT_BODY_BYTES);
	int rc = m->reader->class->broken(
		m->reader, BROKEN_OF_BODY, place->ref.id, MOST_COPIES, &entries, err);
	if (rc == 0)
		rc = salvage(m, place, spool, &parts, &bad, err);
	if (rc == 0 && entries.n == 0)
		rc = drop(m, place->ref.id, err);
	else if (rc == 0)
		rc = replace(m, place, &entries, spool, parts, bad, err);
	spool_free(&spool);
	VEC_EACH (struct broken_entry, entry, &entries) {
		if (rc < 0)
			break;
		m->damaged++;
		note(m,
			"account %" PRIu64 ", mailbox %" PRIu64 ", UID %u: %u of %u parts can't be "
			"read; what can is in 'Damaged' now",
			entry->account, entry->mailbox, entry->uid, bad, parts);
	}
	vec_done(&entries);
	return rc;
}

/* ---- bodies ---- */

struct seeking {
	uint64_t id;
	struct body_place *place;
};

static int is_sought(void *arg, const struct segment_record *record)
{
	const struct seeking *seek = arg;
	if (record->ref.id != seek->id)
		return 0;
	seek->place->ref = record->ref;
	seek->place->size = record->raw_length;
	memcpy(seek->place->sha256, record->sha256, sizeof(record->sha256));
	return 1;
}

/* The record of a body: where its id says it was written first, or, if it was moved since, wherever
 * it is. */
static bool find_record(struct mending *m, uint64_t id, struct body_place *ret)
{
	struct seeking seek = { id, ret };
	struct segment_walk walk = { .record = is_sought, .arg = &seek };
	return segment_find(m->segments, id, &ret->ref, &ret->size, ret->sha256, NULL) == 0 ||
	       segments_walk(m->store->segments, &walk, NULL) == 1;
}

static int find_body(struct mending *m, const struct broken_entry *entry, struct err *err)
{
	struct body_place place = { .ref = { .id = entry->body } };
	if (!find_record(m, entry->body, &place)) {
		place.ref = (struct blob_ref){ .id = entry->body };
		place.size = entry->size > entry->prefix_size ? entry->size - entry->prefix_size
							      : 0;
		return body_is_lost(m, &place, err);
	}
	AUTO(txn_free)
	struct txn *txn = txn_new();
	txn_add(txn, OP_BODY)->body.place = place;
	if (run(m, txn, err) < 0)
		return -1;
	m->repaired++;
	note(m, "body %" PRIu64 " had no row: its record was found", entry->body);
	return 0;
}

static int find_bodies(struct mending *m, struct err *err)
{
	struct vec found;
	uint64_t after = 0;
	int rc;
	bool any;
	do {
		vec_init(&found, sizeof(struct broken_entry), 1);
		rc = m->reader->class->broken(m->reader, BROKEN_NO_BODY, after, 1, &found, err);
		any = rc == 0 && found.n;
		if (any) {
			const struct broken_entry *entry = vec_at(&found, 0);
			after = entry->body;
			rc = find_body(m, entry, err);
		}
		vec_done(&found);
	} while (any && rc == 0);
	return rc;
}

struct verifying {
	struct mending *m;
	struct vec bad; /* struct body_place */
	uint64_t last;
};

static int keep_damaged(void *arg, const struct body_place *body)
{
	struct verifying *v = arg;
	struct segment_body expected = { .raw_length = body->size };
	struct err err = ERR_INIT;
	memcpy(expected.sha256, body->sha256, sizeof(expected.sha256));
	v->last = body->ref.id;
	if (segment_verify(v->m->segments, &body->ref, &expected, &err) < 0)
		vec_push(&v->bad, body); /* a slice fits */
	return 0;
}

static int check_bodies(struct mending *m, struct err *err)
{
	struct verifying v = { .m = m };
	uint64_t before;
	int rc = 0;
	do {
		before = v.last;
		vec_init(&v.bad, sizeof(struct body_place), SLICE);
		rc = m->reader->class->body_each(m->reader, before, SLICE, keep_damaged, &v, err);
		VEC_EACH (struct body_place, place, &v.bad)
			if (rc == 0)
				rc = body_is_lost(m, place, err);
		vec_done(&v.bad);
	} while (rc == 0 && v.last != before);
	return rc;
}

/* ---- all of it ---- */

static int mend_counters(struct mending *m, struct err *err)
{
	AUTO(txn_free)
	struct txn *txn = txn_new();
	txn_add(txn, OP_MEND);
	if (run(m, txn, err) < 0)
		return -1;
	uint32_t n = txn_op(txn, 0)->result.done_count;
	m->repaired += n;
	if (n)
		note(m, "counters and references of %u rows were set right", n);
	return 0;
}

/* A ledger that was lost. */
static int fill(struct mending *m, struct err *err)
{
	uint64_t messages;
	if (!m->store->rebuilding)
		return 0;
	if (rebuild_fill(m->store, &messages, err) < 0)
		return -1;
	m->repaired += messages;
	note(m, "the ledger was lost: %" PRIu64 " messages were found in the segments", messages);
	return 0;
}

static void repair_work(struct store *store, struct job *job)
{
	struct mending m = { .store = store, .job = job };
	vec_init(&job->items, sizeof(struct line), MOST_LINES);
	m.reader = store->engine->class->reader_open(store->engine, &job->err);
	if (m.reader == NULL)
		return;
	m.segments = segment_reader_new(store->segments);
	m.spooler = spooler_new(store->seams->files);
	spooler_reserve(m.spooler, store->settings.reserve_bytes);
	if (fill(&m, &job->err) == 0 && recover_mailboxes(&m, &job->err) == 0 &&
		find_bodies(&m, &job->err) == 0 && check_bodies(&m, &job->err) == 0)
		(void)mend_counters(&m, &job->err);
	if (job->err.kind != ERR_NONE)
		note(&m, "it could not go on: %.300s", err_log_text(&job->err));
	if (segments_must_end(store->segments))
		store_end(store, &job->err);
	spooler_free(&m.spooler);
	segment_reader_free(&m.segments);
	store->engine->class->reader_close(&m.reader);
	job->ask = (struct frame){ .type = FRAME_REPAIR_DONE,
		.repair_done = { .repaired = m.repaired, .damaged = m.damaged, .left = m.left } };
}

/* What was done is told, also when it then failed. */
static void repair_ended(struct job *job)
{
	job->store->reclaim.held = false;
	bases_forget(job->store);
	if (job->peer == NULL || job->items.size != sizeof(struct line))
		return;
	VEC_EACH (struct line, line, &job->items)
		peer_send(job->peer, job->request,
			&(struct frame){
				.type = FRAME_CHECK_FINDING, .check_finding.text = line->text });
}

static bool repair_done(struct job *job)
{
	job_answer(job, &job->ask);
	return false;
}

static bool is_alone(const struct store_peer *peer)
{
	for (const struct store_peer *p = peer->store->peers; p; p = p->next)
		if (p != peer && p->class != CLASS_GATE)
			return false;
	return true;
}

ASK(ask_store_repair)
{
	static const struct job_class class = { .name = "repair",
		.done = repair_done,
		.always = repair_ended,
		.exclusive = repair_work };
	struct store *store = peer->store;
	struct err err = ERR_INIT;
	(void)session;
	if (!is_alone(peer) || store->reclaim.step != RECLAIM_REST)
		fail(&err, ERR_IN_USE, "the store is in use; stop the server first");
	else if (frame->store_repair.rebuild != store->rebuilding)
		fail(&err, ERR_NOT_NOW,
			store->rebuilding ? "the ledger was lost: --rebuild it"
					  : "the ledger is there");
	if (err.kind != ERR_NONE) {
		peer_fail(peer, request, &err);
		return;
	}
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	/* Not job_write: a store that is being rebuilt takes no other write. */
	store->reclaim.held = true;
	store->under_way++;
	job_queue_put(&store->to_write, job);
	store->seams->executor->wake(store->writer);
}
