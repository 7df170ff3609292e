// SPDX-License-Identifier: Apache-2.0
/* One login, in order: may this address try; who is it (the store); was it right lately (the
 * cache); the slow hash; then a ticket. An account that does not exist walks the same road, with a
 * verifier that fits no password, so that neither time nor words tell. */
#include "process/gate_private.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

struct login {
	struct hash_job job; /* first: hashers hand it back */
	struct gate_client *client;
	uint32_t request;
	int64_t began_ms;
	char service[17], peer[65];
	char user[LIMIT_ADDRESS_BYTES + 1], authzid[LIMIT_ADDRESS_BYTES + 1];
	/* from the store */
	bool exists, active;
	uint64_t account, epoch;
	uint32_t services;
	char address[LIMIT_ADDRESS_BYTES + 1];
	uint8_t mac[LOGIN_MAC_BYTES]; /* of what the cache remembers */
};

static int64_t now_ms(const struct gate *g)
{
	return g->base.context->seams.clock->monotonic_ms(g->base.context->seams.clock);
}

static void copy_text(char *to, size_t size, struct str s)
{
	snprintf(to, size, "%" STR_FMT, STR_ARG(s));
}

static void login_free(struct login *l)
{
	struct gate_client *client = l->client;
	mem_wipe((char *)(uintptr_t)l->job.password.p, l->job.password.n);
	free((char *)(uintptr_t)l->job.password.p);
	free((char *)(uintptr_t)l->job.verifier.p);
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
}

static void answer(struct login *l, const struct frame *frame)
{
	struct channel *channel = l->client->channel;
	if (channel && !channel_send(channel, l->request, frame))
		log_event(&l->client->gate->base.context->log, LOG_ERROR, "answer-lost", "frame=%s",
			frame_name((uint16_t)frame->type));
	login_free(l);
}

static void refuse(struct login *l, enum err_kind kind, const char *text, const char *why)
{
	struct gate *g = l->client->gate;
	struct log_text user;
	struct frame f = { .type = FRAME_FAILED,
		.failed = { .kind = (uint8_t)kind, .text = str_from(text) } };
	log_event(&g->base.context->log, LOG_INFO, "login-refused",
		"service=%s peer=%s user=%s why=%s", l->service, l->peer,
		log_value(&user, str_from(l->user)), why);
	answer(l, &f);
}

static void refuse_wrong(struct login *l, const char *why)
{
	struct gate *g = l->client->gate;
	throttle_failed(g->throttle, str_from(l->peer), now_ms(g));
	refuse(l, ERR_AUTH, "wrong user name or password", why);
}

/* ---- the end of a login ---- */

static uint32_t service_bit(const char *service)
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
		.rights = service_bit(l->service),
		.expires_ms = clock->wall_ms(clock) + g->config->ticket_hours * 3600000 };
	AUTO(buf_done)
	struct buf sealed;
	struct log_text user;
	buf_init(&sealed, TICKET_MAX_BYTES);
	ticket_seal(g->ticket_key, &t, &sealed);
	throttle_succeeded(g->throttle, str_from(l->peer), now_ms(g));
	log_event(&g->base.context->log, LOG_INFO, "login",
		"service=%s peer=%s user=%s account=%llu ms=%lld", l->service, l->peer,
		log_value(&user, str_from(l->address)), (unsigned long long)l->account,
		(long long)(now_ms(g) - l->began_ms));
	struct frame f = { .type = FRAME_LOGIN_OK,
		.login_ok = { .account = l->account,
			.address = str_from(l->address),
			.ticket = buf_str(&sealed) } };
	answer(l, &f);
}

/* The password was right. What else must be. */
static void decide(struct login *l)
{
	struct str authzid = str_from(l->authzid);
	login_cache_add(l->client->gate, l->mac);
	if (authzid.n && !str_equal_nocase(authzid, str_from(l->address)) &&
		!str_equal_nocase(authzid, str_from(l->user)))
		refuse_wrong(l, "authorization-identity");
	else if (!l->active)
		refuse_wrong(l, "inactive");
	else if (!(l->services & service_bit(l->service)))
		refuse(l, ERR_DENIED, "this service is switched off for the account",
			"service-off");
	else
		admit(l);
}

static void hashed(struct hash_job *job)
{
	struct login *l = CONTAINER_OF(job, struct login, job);
	if (l->exists && job->right)
		decide(l);
	else
		refuse_wrong(l, l->exists ? "password" : "unknown-user");
}

/* ---- its steps ---- */

void login_credentials(struct gate *g, void *login, const struct frame *frame)
{
	struct login *l = login;
	if (frame->type == FRAME_CREDENTIALS) {
		const struct frame_credentials *c = &frame->credentials;
		l->exists = true;
		l->account = c->account;
		l->epoch = c->epoch;
		l->services = c->services;
		l->active = c->active;
		l->job.verifier = str_make(str_dup(c->verifier), c->verifier.n);
		copy_text(l->address, sizeof(l->address), c->address);
	} else if (frame->type != FRAME_FAILED || frame->failed.kind == ERR_TEMP) {
		refuse(l, ERR_TEMP, "try again later", "store-away");
		return;
	}
	login_cache_mac(g, l->account, l->job.verifier, l->job.password, l->mac);
	if (l->exists && login_cache_has(g, l->mac)) {
		decide(l);
		return;
	}
	l->job.known = throttle_is_known(g->throttle, str_from(l->peer)) ||
		       throttle_is_loopback(str_from(l->peer));
	l->job.done = hashed;
	if (!hashers_add(g->hashers, &l->job))
		refuse(l, ERR_TEMP, "too many logins at once, try again", "queue-full");
}

static struct login *login_new(struct gate_client *client, uint32_t request, struct str password)
{
	struct login *l = xmalloc(sizeof(*l));
	l->client = client;
	l->request = request;
	l->began_ms = now_ms(client->gate);
	l->job.password = str_make(str_dup(password), password.n);
	client->logins++;
	return l;
}

void login_begin(struct gate_client *client, uint32_t request, const struct frame_login *f)
{
	struct gate *g = client->gate;
	struct login *l = login_new(client, request, f->password);
	copy_text(l->service, sizeof(l->service), f->service);
	copy_text(l->peer, sizeof(l->peer), f->peer);
	copy_text(l->user, sizeof(l->user), f->user);
	copy_text(l->authzid, sizeof(l->authzid), f->authzid);
	if (!throttle_may_try(g->throttle, f->peer, now_ms(g))) {
		refuse(l, ERR_TEMP, "too many failures, try again later", "throttled");
		return;
	}
	struct frame question = { .type = FRAME_GET_CREDENTIALS,
		.get_credentials.address = f->user };
	uint32_t number = g->store ? channel_next_request(g->store) : 0;
	if (g->store == NULL || !map_put_u64(&g->store_asks, number, l)) {
		refuse(l, ERR_TEMP, "try again later", "store-away");
		return;
	}
	if (!channel_send(g->store, number, &question)) {
		map_remove_u64(&g->store_asks, number);
		refuse(l, ERR_TEMP, "try again later", "store-away");
	}
}

/* ---- making a verifier ---- */

static void made(struct hash_job *job)
{
	struct login *l = CONTAINER_OF(job, struct login, job);
	struct frame f = { .type = FRAME_VERIFIER, .verifier.verifier = str_from(job->made) };
	struct frame bad = { .type = FRAME_FAILED,
		.failed = { .kind = ERR_SYNTAX,
			.text = STR("a password has 1 to 1024 bytes and no NUL") } };
	answer(l, job->made[0] ? &f : &bad);
}

void make_verifier_begin(
	struct gate_client *client, uint32_t request, const struct frame_make_verifier *f)
{
	struct login *l = login_new(client, request, f->password);
	l->job.make = l->job.known = true;
	l->job.done = made;
	if (!hashers_add(client->gate->hashers, &l->job))
		refuse(l, ERR_TEMP, "too many at once, try again", "queue-full");
}
