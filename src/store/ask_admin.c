// SPDX-License-Identifier: Apache-2.0
/* Questions of administrators: accounts, domains, aliases, status. */
#include "store/names.h"
#include "store/store_private.h"

#include <inttypes.h>

enum { ACCOUNTS_A_FRAME = 128, DOMAINS_A_FRAME = 100, ALIASES_A_FRAME = 80 };
enum { MOST_ROWS = 10000000 };

static bool answer_done(struct job *job)
{
	job_answer_done(job);
	return false;
}

/* ---- changes ---- */

struct job *admin_change_new(struct store_peer *peer, uint32_t request, const struct frame *frame,
	enum op_kind kind, struct op **ret_op)
{
	static const struct job_class class = { .name = "change", .done = answer_done };
	struct job *job = job_new(peer, &class, request, frame);
	if (job == NULL)
		return NULL;
	job->txn = txn_new();
	*ret_op = txn_add(job->txn, kind);
	return job;
}

void admin_change(struct job *job, bool good, struct err *err)
{
	if (good) {
		job_write(job);
		return;
	}
	if (err->kind == ERR_NONE)
		fail(err, ERR_LIMIT, "too long");
	job_answer_failed(job, err);
}

bool admin_address(struct job *job, struct str given, struct str *ret, struct err *err)
{
	struct address_name address;
	if (address_canonical(given, &address, err) < 0)
		return false;
	*ret = address_str(&address);
	return job_keep(job, ret);
}

/* One that is added. */
static bool new_address(struct job *job, struct str given, struct str *ret, struct err *err)
{
	return admin_address(job, given, ret, err) && address_check(*ret, err) == 0;
}

static bool set_domain(struct job *job, struct str given, struct str *ret, struct err *err)
{
	char name[LIMIT_DOMAIN_BYTES + 1];
	if (domain_canonical(given, name, err) < 0)
		return false;
	*ret = str_from(name);
	return job_keep(job, ret);
}

/* The verifier, and what else the gate made of the password. */
static bool set_password(struct job *job, struct str verifier, struct api_secret_list secrets,
	struct op_account *ret)
{
	struct clock_seam *clock = job->store->seams->clock;
	struct api_secret *copies = arena_array(&job->arena, secrets.n + 1, sizeof(*copies));
	ret->time_ms = clock->wall_ms(clock);
	ret->verifier = verifier;
	if (copies == NULL || !job_keep(job, &ret->verifier))
		return false;
	for (size_t i = 0; i < secrets.n; i++) {
		copies[i].kind = secrets.items[i].kind;
		copies[i].value = secrets.items[i].value;
		if (!job_keep(job, &copies[i].value))
			return false;
	}
	ret->secrets = (struct api_secret_list){ copies, secrets.n };
	return true;
}

ASK(ask_account_add)
{
	const struct frame_account_add *ask = &frame->account_add;
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_ACCOUNT_ADD, &op);
	if (job == NULL)
		return;
	op->account.kind = ask->kind;
	op->account.set = ask->set;
	op->account.values = ask->fields;
	op->account.values.quota_bytes = ask->quota_bytes;
	op->account.values.quota_messages = ask->quota_messages;
	op->account.values.legacy_auth = ask->legacy_auth;
	bool good = new_address(job, ask->address, &op->account.address, &err) &&
		    set_password(job, ask->verifier, ask->secrets, &op->account);
	admin_change(job, good, &err);
}

ASK(ask_account_password)
{
	const struct frame_account_password *ask = &frame->account_password;
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_ACCOUNT_PASSWORD, &op);
	if (job == NULL)
		return;
	bool good = admin_address(job, ask->address, &op->account.address, &err) &&
		    set_password(job, ask->verifier, ask->secrets, &op->account);
	admin_change(job, good, &err);
}

ASK(ask_account_remove)
{
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_ACCOUNT_REMOVE, &op);
	if (job == NULL)
		return;
	op->account.erase = frame->account_remove.erase;
	bool good = admin_address(job, frame->account_remove.address, &op->account.address, &err);
	admin_change(job, good, &err);
}

ASK(ask_account_set)
{
	const struct frame_account_set *ask = &frame->account_set;
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_ACCOUNT_SET, &op);
	if (job == NULL)
		return;
	op->account.set = ask->set;
	op->account.values = ask->account;
	bool good = admin_address(job, ask->account.address, &op->account.address, &err);
	admin_change(job, good, &err);
}

static void domain_change(struct store_peer *peer, uint32_t request, const struct frame *frame,
	enum op_kind kind, struct str name, struct str catch_all)
{
	struct err err = ERR_INIT;
	struct op *op;
	struct job *job = admin_change_new(peer, request, frame, kind, &op);
	if (job == NULL)
		return;
	bool good = set_domain(job, name, &op->domain.name, &err) &&
		    (catch_all.n == 0 ||
			    admin_address(job, catch_all, &op->domain.catch_all, &err));
	/* Older ones can still be removed. */
	if (good && kind == OP_DOMAIN_ADD)
		good = domain_check(op->domain.name, &err) == 0;
	admin_change(job, good, &err);
}

ASK(ask_domain_add)
{
	(void)session;
	domain_change(peer, request, frame, OP_DOMAIN_ADD, frame->domain_add.name, STR_NONE);
}

ASK(ask_domain_remove)
{
	(void)session;
	domain_change(peer, request, frame, OP_DOMAIN_REMOVE, frame->domain_remove.name, STR_NONE);
}

ASK(ask_domain_set)
{
	(void)session;
	domain_change(peer, request, frame, OP_DOMAIN_SET, frame->domain_set.name,
		frame->domain_set.catch_all);
}

static void alias_change(struct store_peer *peer, uint32_t request, const struct frame *frame,
	enum op_kind kind, struct str address, struct str target, bool needs_target)
{
	struct err err = ERR_INIT;
	struct op *op;
	struct job *job = admin_change_new(peer, request, frame, kind, &op);
	if (job == NULL)
		return;
	bool good = kind == OP_ALIAS_ADD ? new_address(job, address, &op->alias.address, &err)
					 : admin_address(job, address, &op->alias.address, &err);
	if (good && (target.n || needs_target))
		good = admin_address(job, target, &op->alias.target, &err);
	admin_change(job, good, &err);
}

ASK(ask_alias_add)
{
	(void)session;
	alias_change(peer, request, frame, OP_ALIAS_ADD, frame->alias_add.address,
		frame->alias_add.target, true);
}

ASK(ask_alias_remove)
{
	(void)session;
	alias_change(peer, request, frame, OP_ALIAS_REMOVE, frame->alias_remove.address,
		frame->alias_remove.target, false);
}

/* ---- lists ---- */

/* How many items the next frame takes, and whether it is the last. */
static size_t next_items(struct job *job, size_t most, const void **ret_items, bool *ret_last)
{
	size_t n = job->items.n - job->at;
	job->step = n > most ? most : n;
	*ret_items = job->step ? vec_at(&job->items, job->at) : NULL;
	*ret_last = job->step == n;
	return job->step;
}

static void list(struct store_peer *peer, const struct job_class *class, uint32_t request,
	const struct frame *frame)
{
	struct job *job = job_new(peer, class, request, frame);
	if (job)
		job_read(job);
}

static int add_account(void *arg, const struct account_row *row)
{
	struct job *job = arg;
	struct api_account account = { .id = row->id,
		.address = str_from(row->address),
		.kind = row->kind,
		.active = row->active,
		.services = row->services,
		.quota_bytes = row->quota_bytes,
		.quota_messages = row->quota_messages,
		.used_bytes = row->used_bytes,
		.used_messages = row->used_messages,
		.pop3_retention = row->pop3_retention,
		.pop3_expire_days = row->pop3_expire_days,
		.legacy_auth = row->legacy_auth };
	if (job_keep(job, &account.address) && vec_push(&job->items, &account))
		return 0;
	return fail(&job->err, ERR_LIMIT, "too many accounts");
}

/* An account that a domain's catch-all names says so. */
static int mark_catch_all(void *arg, const struct api_domain *domain)
{
	struct job *job = arg;
	if (domain->catch_all.n == 0)
		return 0;
	VEC_EACH (struct api_account, account, &job->items)
		if (str_equal(account->address, domain->catch_all))
			account->catch_all = true;
	return 0;
}

static void accounts_work(struct reading *r, struct job *job)
{
	vec_init(&job->items, sizeof(struct api_account), MOST_ROWS);
	if (r->reader->class->account_each(r->reader, 0, add_account, job, &job->err) == 0)
		r->reader->class->domain_each(r->reader, mark_catch_all, job, &job->err);
}

static enum produced accounts_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	const void *items;
	bool last;
	size_t n = next_items(job, ACCOUNTS_A_FRAME, &items, &last);
	*frame = (struct frame){ .type = FRAME_ACCOUNTS,
		.accounts = { .accounts = { items, n }, .last = last } };
	return PRODUCED_FRAME;
}

ASK(ask_account_list)
{
	static const struct job_class class = { .name = "accounts",
		.work = accounts_work,
		.produce = accounts_produce,
		.sent = job_items_sent };
	(void)session;
	list(peer, &class, request, frame);
}

static int add_domain(void *arg, const struct api_domain *row)
{
	struct job *job = arg;
	struct api_domain domain = *row;
	if (job_keep(job, &domain.name) && job_keep(job, &domain.catch_all) &&
		vec_push(&job->items, &domain))
		return 0;
	return fail(&job->err, ERR_LIMIT, "too many domains");
}

static void domains_work(struct reading *r, struct job *job)
{
	vec_init(&job->items, sizeof(struct api_domain), MOST_ROWS);
	r->reader->class->domain_each(r->reader, add_domain, job, &job->err);
}

static enum produced domains_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	const void *items;
	bool last;
	size_t n = next_items(job, DOMAINS_A_FRAME, &items, &last);
	*frame = (struct frame){ .type = FRAME_DOMAINS,
		.domains = { .domains = { items, n }, .last = last } };
	return PRODUCED_FRAME;
}

ASK(ask_domain_list)
{
	static const struct job_class class = { .name = "domains",
		.work = domains_work,
		.produce = domains_produce,
		.sent = job_items_sent };
	(void)session;
	list(peer, &class, request, frame);
}

static int add_alias(void *arg, struct str address, struct str target)
{
	struct job *job = arg;
	struct api_alias alias = { .address = address, .target = target };
	if (job_keep(job, &alias.address) && job_keep(job, &alias.target) &&
		vec_push(&job->items, &alias))
		return 0;
	return fail(&job->err, ERR_LIMIT, "too many aliases");
}

static void aliases_work(struct reading *r, struct job *job)
{
	vec_init(&job->items, sizeof(struct api_alias), MOST_ROWS);
	r->reader->class->alias_each(r->reader, add_alias, job, &job->err);
}

static enum produced aliases_produce(struct job *job, struct frame *frame)
{
	if (job->finished)
		return PRODUCED_END;
	const void *items;
	bool last;
	size_t n = next_items(job, ALIASES_A_FRAME, &items, &last);
	*frame = (struct frame){ .type = FRAME_ALIASES,
		.aliases = { .aliases = { items, n }, .last = last } };
	return PRODUCED_FRAME;
}

ASK(ask_alias_list)
{
	static const struct job_class class = { .name = "aliases",
		.work = aliases_work,
		.produce = aliases_produce,
		.sent = job_items_sent };
	(void)session;
	list(peer, &class, request, frame);
}

/* ---- status ---- */

static void status_work(struct reading *r, struct job *job)
{
	struct ledger_counts counts;
	struct store *store = r->store;
	struct kept_counts kept;
	if (r->reader->class->counts(r->reader, &counts, &job->err) < 0 ||
		r->reader->class->kept(r->reader, &kept, &job->err) < 0)
		return;
	struct segments_totals totals = segments_totals(store->segments);
	job->ask.store_status_is = (struct frame_store_status_is){ .accounts = counts.accounts,
		.messages = counts.messages,
		.bodies = counts.bodies,
		.segment_bytes = totals.bytes,
		.commits = store->commits,
		.flushes = totals.flushes,
		.epoch = counts.epoch,
		.uidvalidity = counts.uidvalidity,
		.kept_messages = kept.messages,
		.kept_bytes = kept.bytes,
		.dead_bytes = kept.dead,
		.damage = counts.bodies > 0 && totals.segments == 0 };
}

static bool status_done(struct job *job)
{
	struct frame answer = { .type = FRAME_STORE_STATUS_IS,
		.store_status_is = job->ask.store_status_is };
	answer.store_status_is.read_only = job->store->read_only;
	answer.store_status_is.damage += job->store->damage_seen;
	job_answer(job, &answer);
	return false;
}

ASK(ask_store_status)
{
	static const struct job_class class = {
		.name = "status", .work = status_work, .done = status_done
	};
	(void)session;
	list(peer, &class, request, frame);
}
