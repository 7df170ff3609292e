// SPDX-License-Identifier: Apache-2.0
/*
 * store check: everything that is stored is looked at, nothing is changed. The ledger's pages and
 * rows first; then each body that a row names, every byte of it, and what the entries say of it
 * against what its record says; then the segments, for what no row names. Damage to one does not
 * keep the others from being looked at.
 */
#include "store/store_private.h"

#include <inttypes.h>

enum { MOST_FINDINGS = 10000, BODIES_A_TURN = 256, COPIES_LOOKED_AT = 1000 };

struct finding {
	struct str text;
};
struct checking {
	struct reading *reading;
	struct job *job;
	struct vec damaged; /* struct blob_ref: bodies that were told */
	struct vec entries; /* struct broken_entry: of the body at hand */
	uint64_t last_body, messages, bodies, bytes, findings;
	size_t turn;
};

static int note(struct checking *c, struct str text)
{
	struct finding finding = { str_sub(text, 0, 400) };
	c->findings++;
	if (job_keep(c->job, &finding.text))
		vec_push(&c->job->items, &finding);
	return 0;
}

static int note_line(void *arg, struct str text)
{
	return note(arg, text);
}

/* What an entry says of its part of the record. A flag or a UID is in the ledger alone, and can't
 * be compared with anything. */
static const char *wrong_with(
	struct checking *c, const struct body_place *body, const struct broken_entry *e)
{
	struct record_recipient recipient;
	struct err ignored = ERR_INIT;
	if (segment_read_recipient(
		    c->reading->segments, &body->ref, e->prefix_at, &recipient, &ignored) < 0)
		return "its lines are not where the ledger says";
	if (recipient.prefix.n != e->prefix_size)
		return "its lines are not as long as the ledger says";
	if (recipient.time_ms != e->time)
		return "its date is not what its record says";
	return NULL;
}

static int check_entries(struct checking *c, const struct body_place *body)
{
	struct reader *reader = c->reading->reader;
	char text[200];
	vec_clear(&c->entries);
	if (reader->class->broken(reader, BROKEN_OF_BODY, body->ref.id, COPIES_LOOKED_AT,
		    &c->entries, &c->job->err) < 0)
		return -1;
	VEC_EACH (struct broken_entry, e, &c->entries) {
		const char *wrong = wrong_with(c, body, e);
		snprintf(text, sizeof(text), "mailbox %" PRIu64 " uid %u: %s", e->mailbox, e->uid,
			wrong ? wrong : "");
		if (wrong)
			note(c, str_from(text));
	}
	return 0;
}

static int check_body(void *arg, const struct body_place *body)
{
	struct checking *c = arg;
	struct segment_body expected = { .raw_length = body->size };
	struct err err = ERR_INIT;
	memcpy(expected.sha256, body->sha256, sizeof(expected.sha256));
	c->last_body = body->ref.id;
	c->bodies++;
	c->bytes += body->ref.length;
	c->turn++;
	if (segment_verify(c->reading->segments, &body->ref, &expected, &err) == 0)
		return check_entries(c, body);
	vec_push(&c->damaged, &body->ref);
	char text[500];
	snprintf(text, sizeof(text), "body %" PRIu64 " (segment %u, offset %" PRIu64 "): %s",
		body->ref.id, body->ref.segment, body->ref.offset, err_log_text(&err));
	return note(c, str_from(text));
}

/* What no row names is looked at too: orphans, headers of segments, bytes between records. Damage
 * there hits no message, and no repair can or need set it right: it is told as a note. */
static void check_segment(void *arg, const struct segment_finding *finding)
{
	struct checking *c = arg;
	char text[400];
	bool named = false;
	VEC_EACH (struct blob_ref, ref, &c->damaged)
		named = named || (ref->segment == finding->segment &&
					 finding->offset < ref->offset + ref->length &&
					 ref->offset < finding->end);
	snprintf(text, sizeof(text), "%ssegment %u, offset %" PRIu64 ": %s",
		named ? "" : "note: no message is hit: ", finding->segment, finding->offset,
		finding->text);
	note(c, str_from(text));
	if (!named)
		c->findings--;
}

/* Damage to the ledger itself is a finding, and what follows is looked at all the same. */
static bool goes_on(struct checking *c, int result, const char *part)
{
	struct err *err = &c->job->err;
	char text[400];
	if (result >= 0 || err->kind != ERR_CORRUPT)
		return result >= 0;
	snprintf(text, sizeof(text),
		"%s can't be read to the end: %.150s; restore a backup (culver store restore), or "
		"make the ledger anew (culver store check --rebuild)",
		part, err_log_text(err));
	note(c, str_from(text));
	*err = (struct err)ERR_INIT;
	return true;
}

static int check_log(struct checking *c)
{
	struct store *store = c->reading->store;
	int64_t at;
	char text[100];
	if (store->log_was_cut)
		note(c, STR("ledger.db-wal was damaged: what was acknowledged behind that is lost; "
			    "UIDVALIDITYs are new"));
	if (lost_log_found(store->seams->files, &at)) {
		snprintf(text, sizeof(text), "ledger.db-wal, offset %" PRId64 ": damaged", at);
		note(c, str_from(text));
	}
	return 0;
}

static int check_ledger(struct checking *c)
{
	struct reader *reader = c->reading->reader;
	return reader->class->check(reader, note_line, c, &c->job->err);
}

static int check_bodies(struct checking *c)
{
	struct reader *reader = c->reading->reader;
	do {
		c->turn = 0;
		if (reader->class->body_each(
			    reader, c->last_body, BODIES_A_TURN, check_body, c, &c->job->err) < 0)
			return -1;
	} while (c->turn == BODIES_A_TURN);
	return 0;
}

static int check_segments(struct checking *c)
{
	struct segment_walk walk = { .finding = check_segment, .arg = c };
	return segments_walk(c->reading->store->segments, &walk, &c->job->err);
}

static int count(struct checking *c)
{
	struct reader *reader = c->reading->reader;
	struct ledger_counts counts;
	if (reader->class->counts(reader, &counts, &c->job->err) < 0)
		return -1;
	c->messages = counts.messages;
	return 0;
}

static void check_all(struct checking *c)
{
	static const struct {
		const char *name;
		int (*check)(struct checking *);
	} parts[] = { { "the ledger's log", check_log }, { "the ledger", check_ledger },
		{ "the table of bodies", check_bodies }, { "the segments", check_segments },
		{ "the table of messages", count } };
	bool lost = c->reading->store->rebuilding;
	if (lost)
		note(c, str_from(rebuild_unfinished));
	for (size_t i = 0; i < ARRAY_LEN(parts) && !lost; i++)
		if (!goes_on(c, parts[i].check(c), parts[i].name))
			return;
	c->job->ask.check_done = (struct frame_check_done){ .messages = c->messages,
		.bodies = c->bodies,
		.bytes = c->bytes,
		.findings = c->findings };
}

static void check_work(struct reading *r, struct job *job)
{
	struct checking c = { .reading = r, .job = job };
	vec_init(&job->items, sizeof(struct finding), MOST_FINDINGS);
	vec_init(&c.damaged, sizeof(struct blob_ref), MOST_FINDINGS);
	vec_init(&c.entries, sizeof(struct broken_entry), COPIES_LOOKED_AT);
	check_all(&c);
	vec_done(&c.entries);
	vec_done(&c.damaged);
}

/* Findings are small frames, and few. */
static bool check_done(struct job *job)
{
	VEC_EACH (struct finding, finding, &job->items)
		peer_send(job->peer, job->request,
			&(struct frame){
				.type = FRAME_CHECK_FINDING, .check_finding.text = finding->text });
	job->store->damage_seen += job->ask.check_done.findings > 0;
	struct frame answer = { .type = FRAME_CHECK_DONE, .check_done = job->ask.check_done };
	job_answer(job, &answer);
	return false;
}

ASK(ask_store_check)
{
	static const struct job_class class = {
		.name = "check", .work = check_work, .done = check_done
	};
	(void)session;
	struct store *store = peer->store;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	store->under_way++;
	job_queue_put(&store->to_maintain, job);
	store->seams->executor->wake(store->maintainer);
}
