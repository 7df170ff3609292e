// SPDX-License-Identifier: Apache-2.0
/* Recounting: what accounts and mailboxes say that they hold, against what they hold. */
#include "store/names.h"
#include "store/store_private.h"

enum { MENDED_AT_ONCE = 1000, MOST_LINES = 10000 };

struct line {
	struct str text;
};
struct counting {
	struct reading *reading;
	struct job *job;
	uint64_t off; /* differences of the account that is looked at */
	char address[LIMIT_ADDRESS_BYTES + 1];
};

static int add_line(void *arg, struct str text)
{
	struct counting *c = arg;
	char line[400];
	struct line l;
	c->off++;
	snprintf(line, sizeof(line), "%s: %" STR_FMT, c->address, STR_ARG(text));
	l.text = str_from(line);
	if (c->job->items.n < MOST_LINES && job_keep(c->job, &l.text))
		vec_push(&c->job->items, &l);
	return 0;
}

static int count_account(void *arg, const struct account_row *row)
{
	struct counting *c = arg;
	struct reader *reader = c->reading->reader;
	c->off = 0;
	c->job->worked++;
	memcpy(c->address, row->address, sizeof(c->address));
	if (reader->class->check_account(reader, row->id, add_line, c, &c->job->err) < 0)
		return -1;
	if (c->off)
		vec_push(&c->job->more_items, &row->id);
	return c->job->more_items.n == MENDED_AT_ONCE;
}

/* Accounts whose counters are off: more_items; a line for each difference: items. */
static void recount_work(struct reading *r, struct job *job)
{
	struct counting c = { .reading = r, .job = job };
	struct account_row row;
	struct str address = job->ask.account_recount.address;
	const struct engine_class *engine = r->reader->class;
	vec_init(&job->items, sizeof(struct line), MOST_LINES);
	vec_init(&job->more_items, sizeof(uint64_t), MENDED_AT_ONCE);
	if (address.n == 0)
		engine->account_each(r->reader, 0, count_account, &c, &job->err);
	else if (engine->account_by_address(r->reader, address, &row, &job->err) == 0)
		count_account(&c, &row);
}

/* First from the maintainer, which found what is off; then from the writer, which mended it. */
static bool recounted(struct job *job)
{
	if (job->txn == NULL && job->more_items.n) {
		job->txn = txn_new();
		VEC_EACH (uint64_t, account, &job->more_items)
			txn_add(job->txn, OP_MEND)->mend.account = *account;
		job_write(job);
		return false;
	}
	VEC_EACH (struct line, line, &job->items)
		peer_send(job->peer, job->request,
			&(struct frame){
				.type = FRAME_CHECK_FINDING, .check_finding.text = line->text });
	job_answer(job, &(struct frame){ .type = FRAME_RECOUNTED,
				.recounted = { .accounts = job->worked,
					.mended = job->more_items.n,
					.more = job->more_items.n == MENDED_AT_ONCE } });
	return false;
}

ASK(ask_account_recount)
{
	static const struct job_class class = {
		.name = "recount", .work = recount_work, .done = recounted
	};
	struct store *store = peer->store;
	struct address_name name;
	struct err err = ERR_INIT;
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return;
	struct str *address = &job->ask.account_recount.address;
	bool good = address->n == 0 || address_canonical(*address, &name, &err) == 0;
	if (good && address->n)
		*address = address_str(&name);
	if (!good || !job_keep(job, address)) {
		job_answer_failed(job, &err);
		return;
	}
	store->under_way++;
	job_queue_put(&store->to_maintain, job);
	store->seams->executor->wake(store->maintainer);
}
