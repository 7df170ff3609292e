// SPDX-License-Identifier: Apache-2.0
/* One login, in order: may this address try; who is it (the store); was it right lately (the
 * cache); the slow hash; then a ticket. An account that does not exist walks the same road, with a
 * verifier that fits no password, so that neither time nor words tell. */
#include "process/gate_private.h"

#include "base/limits.h"
#include "store/names.h"

#include <stdio.h>
#include <stdlib.h>

static int64_t now_ms(const struct gate *g)
{
	return g->base.context->seams.clock->monotonic_ms(g->base.context->seams.clock);
}

void login_text(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%" STR_FMT, STR_ARG(s));
}

void login_free(struct login *l)
{
	struct gate_client *client = l->client;
	mem_wipe((char *)(uintptr_t)l->job.password.p, l->job.password.n);
	free((char *)(uintptr_t)l->job.password.p);
	free((char *)(uintptr_t)l->job.verifier.p);
	free((char *)(uintptr_t)l->asked_address.p);
	free((char *)(uintptr_t)l->asked_certificate.p);
	rank_ends(l);
	exchange_close(l);
	free(l);
	client->logins--;
	gate_client_release(client);
}

void login_drop(struct hash_job *job)
{
	login_free(CONTAINER_OF(job, struct login, job));
}

void login_drop_waiting(struct gate *g)
{
	size_t at = 0;
	void *login;
	while (map_next(&g->store_asks, &at, NULL, &login))
		login_free(login);
	map_done(&g->store_asks);
	login_held_done(g);
}

void login_answer(struct login *l, const struct frame *frame)
{
	gate_send(l->client->gate, l->client->channel, l->request, frame);
	login_free(l);
}

void login_refuse(struct login *l, enum err_kind kind, const char *text, const char *why)
{
	struct gate *g = l->client->gate;
	struct log_text user;
	struct frame f = { .type = FRAME_FAILED,
		.failed = { .kind = (uint8_t)kind, .text = str_from(text) } };
	log_event(&g->base.context->log, LOG_INFO, "login-refused",
		"service=%s peer=%s user=%s why=%s", l->service, l->peer,
		log_value(&user, str_from(l->user)), why);
	login_answer(l, &f);
}

void login_refuse_wrong(struct login *l, const char *why)
{
	rank_failed(l);
	login_refuse(l, ERR_AUTH, "wrong user name or password", why);
}

void login_refuse_store(struct login *l)
{
	login_refuse(l, ERR_TEMP, "try again later", "store-away");
}

void login_refuse_no_memory(struct login *l)
{
	login_refuse(l, ERR_TEMP, "try again later", "no-memory");
}

/* ---- the end of a login ---- */

uint32_t login_service(const char *service)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} bits[] = { { "smtp", SERVICE_SMTP }, { "imap", SERVICE_IMAP }, { "pop3", SERVICE_POP3 } };
	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		if (strcmp(service, bits[i].name) == 0)
			return bits[i].bit;
	return 0;
}

static void admit(struct login *l)
{
	struct gate *g = l->client->gate;
	struct clock_seam *clock = g->base.context->seams.clock;
	struct ticket t = { .instance = l->client->instance,
		.account = l->account,
		.epoch = l->epoch,
		.rights = login_service(l->service),
		.expires_ms = clock->wall_ms(clock) + g->config->ticket_hours * 3600000 };
	AUTO(buf_done)
	struct buf sealed;
	struct log_text user;
	buf_init(&sealed, TICKET_MAX_BYTES);
	if (!ticket_seal(g->ticket_key, &t, &sealed)) {
		login_refuse_no_memory(l);
		return;
	}
	rank_succeeded(l);
	log_event(&g->base.context->log, LOG_INFO, "login",
		"service=%s peer=%s user=%s account=%llu ms=%lld", l->service, l->peer,
		log_value(&user, str_from(l->address)), (unsigned long long)l->account,
		(long long)(now_ms(g) - l->began_ms));
	if (l->app_password)
		app_password_used(l);
	else
		make_the_rest(l);
	struct frame f = { .type = FRAME_LOGIN_OK,
		.login_ok = { .account = l->account,
			.address = str_from(l->address),
			.ticket = buf_str(&sealed) } };
	login_answer(l, &f);
}

/* Whether an identity to act for is his own: nothing, what he called himself, or his address
 * however it is written: names are prepared before they are compared (RFC 4954 4). */
static bool is_himself(const struct login *l, struct str authzid)
{
	struct address_name room;
	if (authzid.n == 0 || str_equal_nocase(authzid, str_from(l->user)))
		return true;
	if (address_canonical(authzid, &room, NULL) == 0)
		authzid = address_str(&room);
	return str_equal_nocase(authzid, str_from(l->address));
}

/* The password was right. What else must be. */
void login_decide(struct login *l)
{
	if (!l->active)
		login_refuse_wrong(l, "inactive");
	else if (!is_himself(l, str_from(l->authzid)))
		login_refuse(l, ERR_UNSUPPORTED, "nobody may act for somebody else here",
			"authorization-identity");
	else if (!(l->services & login_service(l->service)))
		login_refuse(l, ERR_DENIED, "this service is switched off for the account",
			"service-off");
	else if (l->app_password && !(l->app_services & login_service(l->service)))
		login_refuse(l, ERR_DENIED, "this app password is for other services",
			"app-password-scope");
	else
		admit(l);
}

static void hashed(struct hash_job *job)
{
	struct login *l = CONTAINER_OF(job, struct login, job);
	if (job->verdict == VERDICT_NO_MEMORY) {
		login_refuse_no_memory(l);
	} else if (l->exists && job->verdict == VERDICT_RIGHT) {
		login_cache_add(l->client->gate, l->mac);
		login_decide(l);
	} else {
		login_refuse_wrong(l, l->exists ? "password" : "unknown-user");
	}
}

/* ---- its steps ---- */

static struct str secret_of(const struct frame_credentials *c, enum secret_kind kind)
{
	for (size_t i = 0; i < c->secrets.n; i++)
		if (c->secrets.items[i].kind == kind)
			return c->secrets.items[i].value;
	return STR_NONE;
}

static void take_credentials(struct login *l, const struct frame_credentials *c)
{
	l->exists = true;
	l->account = c->account;
	l->epoch = c->epoch;
	l->services = c->services;
	l->active = c->active;
	l->wants_scram = true;
	login_text(l->scram, sizeof(l->scram), secret_of(c, SECRET_SCRAM_SHA256));
	l->wants_sealed = c->legacy_auth && secret_of(c, SECRET_RECOVERABLE).n == 0;
	login_text(l->address, sizeof(l->address), c->address);
}

static void crowded_out(struct hash_job *job)
{
	login_refuse(CONTAINER_OF(job, struct login, job), ERR_TEMP,
		"too many logins at once, try again", "crowded-out");
}

/* What is ours is known by its MAC alone; everything else costs one slow hash, whatever is wrong
 * with it. */
static void check_password(struct login *l, const struct frame_credentials *c)
{
	struct gate *g = l->client->gate;
	enum verdict verdict = app_password_check(l, c);
	if (verdict == VERDICT_RIGHT) {
		login_decide(l);
		return;
	}
	if (c)
		l->job.verifier = str_make(str_dup(c->verifier), c->verifier.n);
	if (verdict == VERDICT_NO_MEMORY ||
		!login_cache_mac(g, l->account, l->job.verifier, l->job.password, l->mac)) {
		login_refuse_no_memory(l);
		return;
	}
	if (l->exists && login_cache_has(g, l->mac)) {
		login_decide(l);
		return;
	}
	l->job.rank = rank_of(l);
	l->job.done = hashed;
	rank_begins(l);
	hashers_add(g->hashers, &l->job);
}

void login_credentials(struct gate *g, void *login, const struct frame *frame)
{
	struct login *l = login;
	const struct frame_credentials *c = frame->type == FRAME_CREDENTIALS ? &frame->credentials
									     : NULL;
	(void)g;
	if (c == NULL && (frame->type != FRAME_FAILED || frame->failed.kind == ERR_TEMP)) {
		login_refuse_store(l);
		return;
	}
	if (c)
		take_credentials(l, c);
	rank_name(l);
	if (l->job.make)
		make_credentials(l, c);
	else if (l->exchange)
		exchange_credentials(l, c);
	else
		check_password(l, c);
}

struct login *login_new(struct gate_client *client, uint32_t request, struct str password)
{
	struct login *l = xmalloc(sizeof(*l));
	l->client = client;
	l->request = request;
	l->began_ms = now_ms(client->gate);
	l->job.password = str_make(str_dup(password), password.n);
	l->job.crowded_out = crowded_out;
	client->logins++;
	return l;
}

int login_ask_again(struct login *l)
{
	struct gate *g = l->client->gate;
	struct frame question = { .type = FRAME_GET_CREDENTIALS,
		.get_credentials = { l->asked_address, l->asked_certificate } };
	uint32_t number = g->store ? channel_next_request(g->store) : 0;
	bool asked = g->store && map_put_u64(&g->store_asks, number, l);
	if (asked && channel_send(g->store, number, &question))
		return 0;
	if (asked)
		map_remove_u64(&g->store_asks, number);
	if (g->store == NULL && login_held_put(l))
		return 0;
	login_refuse_store(l);
	return -1;
}

int login_ask_store(struct login *l, struct str address, struct str certificate)
{
	l->asked_address = str_make(str_dup(address), address.n);
	l->asked_certificate = str_make(str_dup(certificate), certificate.n);
	return login_ask_again(l);
}

void login_begin(struct gate_client *client, uint32_t request, const struct frame_login *f)
{
	struct gate *g = client->gate;
	struct login *l = login_new(client, request, f->password);
	login_text(l->service, sizeof(l->service), f->service);
	login_text(l->peer, sizeof(l->peer), f->peer);
	login_text(l->user, sizeof(l->user), f->user);
	login_text(l->authzid, sizeof(l->authzid), f->authzid);
	if (!throttle_may_try(g->throttle, f->peer, now_ms(g))) {
		login_refuse(l, ERR_TEMP, "too many failures, try again later", "throttled");
		return;
	}
	(void)login_ask_store(l, f->user, STR_NONE);
}
