// SPDX-License-Identifier: Apache-2.0
/* What an import asks beside what a restore does, and an export: which bodies an account has, and a
 * session without a ticket. */
#include "store/little.h"
#include "store/names.h"
#include "store/store_private.h"

enum { BODIES_A_FRAME = 2000, ROWS_A_SLICE = 10000, MOST_BODIES = 1 << 24 };

/* ---- bodies ---- */

/* What is told of a message. */
struct told {
	struct api_body_hash hash;
	uint64_t entry_id, mailbox;
	bool found;
};

/* The same as a frame has it. */
struct told_frame {
	struct api_body_hash bodies[BODIES_A_FRAME];
	uint64_t entries[BODIES_A_FRAME], mailboxes[BODIES_A_FRAME];
};
_Static_assert(sizeof(struct told_frame) < LIMIT_FRAME_BYTES - 64, "a frame takes it");

/* A message; entry_id 0: it is deleted. */
struct placed {
	uint64_t entry_id, mailbox, body;
};

struct collecting {
	struct job *job;
	struct vec mailboxes; /* uint64_t */
	struct vec placed;    /* struct placed */
	uint64_t mailbox;     /* at hand */
	uint32_t last;
	struct deleted_row last_deleted;
	size_t n;
};

static int add_mailbox(void *arg, const struct api_mailbox *mailbox)
{
	struct collecting *c = arg;
	return mailbox->id == 0 || vec_push(&c->mailboxes, &mailbox->id)
		       ? 0
		       : fail(&c->job->err, ERR_LIMIT, "too many mailboxes");
}

static int add_placed(struct collecting *c, uint64_t entry_id, uint64_t mailbox, uint64_t body)
{
	struct placed placed = { entry_id, mailbox, body };
	c->n++;
	return vec_push(&c->placed, &placed)
		       ? 0
		       : fail(&c->job->err, ERR_LIMIT, "the account has too many messages");
}

static int add_entry(void *arg, const struct entry_ids *ids)
{
	struct collecting *c = arg;
	c->last = ids->uid;
	return add_placed(c, ids->entry_id, c->mailbox, ids->body);
}

static int add_deleted(void *arg, const struct deleted_row *row)
{
	struct collecting *c = arg;
	c->last_deleted = *row;
	return add_placed(c, 0, row->mailbox, row->body);
}

static int collect_entries(struct reading *r, struct collecting *c)
{
	const struct engine_class *engine = r->reader->class;
	VEC_EACH (uint64_t, mailbox, &c->mailboxes) {
		c->last = 0;
		c->mailbox = *mailbox;
		do {
			c->n = 0;
			if (engine->entry_ids(r->reader, *mailbox, c->last, ROWS_A_SLICE, add_entry,
				    c, &c->job->err) != 0)
				return -1;
		} while (c->n == ROWS_A_SLICE);
	}
	return 0;
}

static int collect_deleted(struct reading *r, struct collecting *c, uint64_t account)
{
	struct deleted_filter filter = { .account = account, .since = 1 };
	const struct deleted_row *after = NULL;
	do {
		c->n = 0;
		if (r->reader->class->deleted_each(r->reader, &filter, after, ROWS_A_SLICE,
			    add_deleted, c, &c->job->err) != 0)
			return -1;
		after = &c->last_deleted;
	} while (c->n == ROWS_A_SLICE);
	return 0;
}

static int keep_hash(void *arg, const struct body_place *place)
{
	struct told *t = arg;
	t->hash = (struct api_body_hash){ get_u64(place->sha256), get_u64(place->sha256 + 8) };
	t->found = true;
	return 0;
}

static int look_up(struct reading *r, struct collecting *c)
{
	VEC_EACH (const struct placed, placed, &c->placed) {
		struct told t = { .entry_id = placed->entry_id, .mailbox = placed->mailbox };
		if (r->reader->class->body_each(
			    r->reader, placed->body - 1, 1, keep_hash, &t, &c->job->err) < 0)
			return -1;
		if (t.found && !vec_push(&c->job->items, &t))
			return fail(&c->job->err, ERR_LIMIT, "the account has too many messages");
	}
	return 0;
}

static void bodies_work(struct reading *r, struct job *job)
{
	struct account_row account;
	struct collecting c = { .job = job };
	vec_done(&job->items);
	vec_init(&job->items, sizeof(struct told), MOST_BODIES);
	vec_done(&job->more_items);
	vec_init(&job->more_items, sizeof(struct told_frame), 1);
	if (r->reader->class->account_by_address(
		    r->reader, job->ask.bodies_list.address, &account, &job->err) < 0)
		return;
	vec_init(&c.mailboxes, sizeof(uint64_t), LIMIT_MAILBOXES);
	vec_init(&c.placed, sizeof(struct placed), MOST_BODIES);
	if (r->reader->class->mailbox_each(r->reader, account.id, add_mailbox, &c, &job->err) ==
			0 &&
		collect_entries(r, &c) == 0 && collect_deleted(r, &c, account.id) == 0)
		(void)look_up(r, &c);
	vec_done(&c.mailboxes);
	vec_done(&c.placed);
}

static enum produced bodies_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	size_t n = job->items.n - job->at;
	job->step = n > BODIES_A_FRAME ? BODIES_A_FRAME : n;
	vec_clear(&job->more_items);
	struct told_frame *f = vec_push(&job->more_items, NULL);
	for (size_t i = 0; i < job->step; i++) {
		const struct told *t = vec_at(&job->items, job->at + i);
		f->bodies[i] = t->hash;
		f->entries[i] = t->entry_id;
		f->mailboxes[i] = t->mailbox;
	}
	*frame = (struct frame){ .type = FRAME_BODIES_ARE,
		.bodies_are = { .bodies = { f->bodies, job->step },
			.last = job->step == n,
			.entries = { f->entries, job->step },
			.mailboxes = { f->mailboxes, job->step } } };
	return PRODUCED_FRAME;
}

/* A job about the account of an address, which is kept in it in its one spelling; NULL: refused. */
static struct job *job_about(struct store_peer *peer, const struct job_class *class,
	uint32_t request, const struct frame *frame, struct str *address)
{
	struct err err = ERR_INIT;
	struct address_name name;
	if (address_canonical(*address, &name, &err) < 0) {
		peer_fail(peer, request, &err);
		return NULL;
	}
	struct str canonical = address_str(&name);
	struct job *job = job_new(peer, class, request, frame);
	if (job == NULL)
		return NULL;
	if (job_keep(job, &canonical)) {
		*address = canonical;
		return job;
	}
	fail(&err, ERR_LIMIT, "the address is too long");
	job_answer_failed(job, &err);
	return NULL;
}

ASK(ask_bodies_list)
{
	static const struct job_class class = { .name = "bodies",
		.work = bodies_work,
		.produce = bodies_produce,
		.sent = job_items_sent };
	struct str address = frame->bodies_list.address;
	(void)session;
	struct job *job = job_about(peer, &class, request, frame, &address);
	if (job == NULL)
		return;
	job->ask.bodies_list.address = address;
	job_read(job);
}

/* ---- a session ---- */

static void open_work(struct reading *r, struct job *job)
{
	struct account_row account;
	if (r->reader->class->account_by_address(
		    r->reader, job->ask.account_open.address, &account, &job->err) == 0)
		job->by.account = account.id;
}

static bool open_done(struct job *job)
{
	struct err err = ERR_INIT;
	if (job->peer->n_sessions >= LIMIT_PEER_SESSIONS) {
		fail(&err, ERR_LIMIT, "too many sessions");
		job_answer_failed(job, &err);
		return false;
	}
	/* No epoch: whoever may administer needs no password, and reads what is there. */
	struct store_session *s = session_add(job->peer, &job->by, SERVICE_IMAP);
	job_answer(job, &(struct frame){ .type = FRAME_SESSION_IS,
				.session_is = { .session = s->number,
					.account = job->by.account,
					.address = job->ask.account_open.address } });
	return false;
}

ASK(ask_account_open)
{
	static const struct job_class class = {
		.name = "account-open", .work = open_work, .done = open_done
	};
	struct str address = frame->account_open.address;
	(void)session;
	struct job *job = job_about(peer, &class, request, frame, &address);
	if (job == NULL)
		return;
	job->ask.account_open.address = address;
	job_read(job);
}
