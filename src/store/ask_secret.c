// SPDX-License-Identifier: Apache-2.0
/* Questions about what accounts prove themselves with: the gate's, and administrators'. */
#include "store/names.h"
#include "store/store_private.h"

/* ---- reading ---- */

static int add_secret(void *arg, const struct api_secret *row)
{
	struct job *job = arg;
	struct api_secret secret = *row;
	if (job_keep(job, &secret.label) && job_keep(job, &secret.value) &&
		vec_push(&job->items, &secret))
		return 0;
	return fail(&job->err, ERR_LIMIT, "too many secrets");
}

/* The account of an address as given, and its secrets. */
static void read_secrets(
	struct reading *r, struct job *job, struct str given, struct str certificate)
{
	struct address_name address;
	vec_init(&job->items, sizeof(struct api_secret), LIMIT_SECRETS + 3);
	job->account = arena_alloc(&job->arena, sizeof(*job->account));
	if (given.n == 0 && certificate.n)
		address.n = 0;
	else if (address_canonical(given, &address, NULL) < 0) {
		fail(&job->err, ERR_NOT_FOUND, "no such account");
		return;
	}
	r->reader->class->credentials(r->reader, address_str(&address), certificate, job->account,
		add_secret, job, &job->err);
}

/* ---- the gate's ---- */

static void credentials_work(struct reading *r, struct job *job)
{
	read_secrets(
		r, job, job->ask.get_credentials.address, job->ask.get_credentials.certificate);
}

/* The verifier of the password has a field of its own, and so leaves the list. */
static struct str take_verifier(struct vec *secrets)
{
	for (size_t i = 0; i < secrets->n; i++) {
		struct api_secret *secret = vec_at(secrets, i);
		struct str verifier = secret->value;
		if (secret->kind == SECRET_PASSWORD) {
			*secret = *(struct api_secret *)vec_at(secrets, secrets->n - 1);
			secrets->n--;
			return verifier;
		}
	}
	return STR_NONE;
}

static bool credentials_done(struct job *job)
{
	const struct account_row *a = job->account;
	struct frame_credentials c = { .account = a->id,
		.epoch = a->epoch,
		.address = str_from(a->address),
		.verifier = take_verifier(&job->items),
		.services = a->services,
		.active = a->active,
		.secrets = { (void *)job->items.p, job->items.n },
		.legacy_auth = a->legacy_auth };
	job_answer(job, &(struct frame){ .type = FRAME_CREDENTIALS, .credentials = c });
	return false;
}

ASK(ask_credentials)
{
	static const struct job_class class = {
		.name = "credentials", .work = credentials_work, .done = credentials_done
	};
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	if (job && job_keep(job, &job->ask.get_credentials.certificate))
		job_read_with(job, &job->ask.get_credentials.address);
}

static void offers_work(struct reading *r, struct job *job)
{
	struct frame_offers *offers = &job->ask.offers;
	r->reader->class->offers(r->reader, &offers->scram, &offers->legacy, &job->err);
}

static bool offers_done(struct job *job)
{
	job_answer(job, &(struct frame){ .type = FRAME_OFFERS, .offers = job->ask.offers });
	return false;
}

ASK(ask_offers)
{
	static const struct job_class class = {
		.name = "offers", .work = offers_work, .done = offers_done
	};
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	if (job)
		job_read(job);
}

static int64_t now_ms(const struct job *job)
{
	return job->store->seams->clock->wall_ms(job->store->seams->clock);
}

/* Of which kinds who asks may make one. */
static bool is_kind(uint8_t kind, enum secret_kind one, enum secret_kind other, struct err *err)
{
	return kind == one || kind == other ||
	       fail(err, ERR_SYNTAX, "not a kind of secret that is made this way") == 0;
}

ASK(ask_keep_secret)
{
	const struct frame_keep_secret *ask = &frame->keep_secret;
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_SECRET_PUT, &op);
	if (job == NULL)
		return;
	op->by = (struct op_by){ .account = ask->account, .epoch = ask->epoch };
	op->secret.kind = ask->kind;
	op->secret.time_ms = now_ms(job);
	op->secret.value = ask->value;
	op->secret.services = SERVICES_ALL;
	bool good = is_kind(ask->kind, SECRET_SCRAM_SHA256, SECRET_RECOVERABLE, &err) &&
		    job_keep(job, &op->secret.value);
	admin_change(job, good, &err);
}

ASK(ask_secret_used)
{
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_SECRET_USED, &op);
	if (job == NULL)
		return;
	op->by.account = frame->secret_used.account;
	op->secret.id = frame->secret_used.secret;
	op->secret.time_ms = now_ms(job);
	admin_change(job, true, &err);
}

/* ---- administrators' ---- */

ASK(ask_secret_add)
{
	const struct frame_secret_add *ask = &frame->secret_add;
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_SECRET_PUT, &op);
	if (job == NULL)
		return;
	op->secret.kind = ask->kind;
	op->secret.time_ms = now_ms(job);
	op->secret.label = ask->label;
	op->secret.value = ask->value;
	op->secret.services = ask->services & SERVICES_ALL;
	bool good = is_kind(ask->kind, SECRET_APP_PASSWORD, SECRET_CERTIFICATE, &err) &&
		    admin_address(job, ask->address, &op->secret.address, &err) &&
		    job_keep(job, &op->secret.label) && job_keep(job, &op->secret.value);
	admin_change(job, good, &err);
}

ASK(ask_secret_remove)
{
	struct err err = ERR_INIT;
	struct op *op;
	(void)session;
	struct job *job = admin_change_new(peer, request, frame, OP_SECRET_REMOVE, &op);
	if (job == NULL)
		return;
	op->secret.id = frame->secret_remove.secret;
	bool good = admin_address(job, frame->secret_remove.address, &op->secret.address, &err);
	admin_change(job, good, &err);
}

static void secrets_work(struct reading *r, struct job *job)
{
	read_secrets(r, job, job->ask.secret_list.address, STR_NONE);
}

static bool secrets_done(struct job *job)
{
	VEC_EACH (struct api_secret, secret, &job->items)
		if (secret->kind != SECRET_CERTIFICATE)
			secret->value = STR_NONE;
	job_answer(job, &(struct frame){ .type = FRAME_SECRETS,
				.secrets.secrets = { (void *)job->items.p, job->items.n } });
	return false;
}

ASK(ask_secret_list)
{
	static const struct job_class class = {
		.name = "secrets", .work = secrets_work, .done = secrets_done
	};
	(void)session;
	struct job *job = job_new(peer, &class, request, frame);
	job_read_with(job, job ? &job->ask.secret_list.address : NULL);
}
