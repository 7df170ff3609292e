// SPDX-License-Identifier: Apache-2.0
/*
 * Logins by challenge and response: exchanges between the gate and clients, through fronts. They
 * are bounded in number (of a front, of a client address), steps and time, and an answer that
 * depends on whether an account exists is given no sooner than LIMIT_GATE_ANSWER_MS after its
 * question, so that the store's time for finding it does not show (hostile-input.md A1, A7).
 */
#include "process/gate_private.h"

#include "base/limits.h"
#include "store/names.h"

#include <stdlib.h>

enum { AGAIN_MS = 1000 };

static int64_t now_ms(const struct gate *g)
{
	return g->base.context->seams.clock->monotonic_ms(g->base.context->seams.clock);
}

/* ---- the two lists: open exchanges, and answers that are held back ---- */

/* One that waits for the store beyond its time is not cut off: it is looked at again later. */
static int64_t ends_ms(const struct gate *g, const struct login *l)
{
	int64_t ends = l->began_ms + LIMIT_GATE_EXCHANGE_MS, now = now_ms(g);
	return ends > now ? ends : now + AGAIN_MS;
}

static void set_timer(struct gate *g)
{
	int64_t when = g->exchanges ? ends_ms(g, g->exchanges) : 0;
	if (g->delayed && (when == 0 || g->delayed->delayed_ms < when))
		when = g->delayed->delayed_ms;
	g->base.context->loop->class->timer_set(g->exchange_timer, when);
}

static void link_last(struct gate *g, struct login *l)
{
	l->link = g->exchanges_end;
	*g->exchanges_end = l;
	g->exchanges_end = &l->next;
	l->client->exchanges++;
}

static void unlink_one(struct gate *g, struct login *l)
{
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	else
		g->exchanges_end = l->link;
	l->client->exchanges--;
}

static void forget_delayed(struct gate *g, const struct login *l)
{
	struct login **at = &g->delayed;
	while (*at && *at != l)
		at = &(*at)->next_delayed;
	if (*at == NULL)
		return;
	*at = l->next_delayed;
	if (*at == NULL)
		g->delayed_end = at;
}

void exchange_close(struct login *l)
{
	struct gate *g = l->client->gate;
	if (l->exchange == NULL)
		return;
	exchange_free(&l->exchange);
	unlink_one(g, l);
	if (l->delayed_ms)
		forget_delayed(g, l);
	set_timer(g);
}

static struct login *find(const struct gate_client *client, uint32_t number)
{
	for (struct login *l = client->gate->exchanges; l; l = l->next)
		if (l->number == number && l->client == client && l->awaits_client)
			return l;
	return NULL;
}

/* ---- steps ---- */

static void ask_store(struct login *l)
{
	struct str user = exchange_user(l->exchange);
	login_text(l->user, sizeof(l->user), user);
	login_text(l->authzid, sizeof(l->authzid), exchange_authzid(l->exchange));
	(void)login_ask_store(l, user, user.n ? STR_NONE : exchange_certificate(l->exchange));
}

static void challenge(struct login *l)
{
	struct frame f = { .type = FRAME_CHALLENGE,
		.challenge = { .exchange = l->number, .data = exchange_challenge(l->exchange) } };
	if (l->client->channel == NULL) {
		login_free(l);
		return;
	}
	l->awaits_client = true;
	gate_send(l->client->gate, l->client->channel, l->request, &f);
}

/* The secret that proved it is good for some services, and has been used. */
static void right(struct login *l)
{
	struct exchange_key key = exchange_key(l->exchange);
	struct frame used = { .type = FRAME_SECRET_USED, .secret_used = { l->account, key.id } };
	if (key.kind == SECRET_APP_PASSWORD) {
		l->app_password = key.id;
		l->app_services = key.services;
		l->app_used_ms = key.used_ms;
	} else {
		l->services &= key.services;
		if (key.id)
			gate_send(l->client->gate, l->client->gate->store, 0, &used);
	}
	l->wants_scram = l->wants_sealed = false; /* there is no password to make them of */
	login_decide(l);
}

static void take(struct login *l, enum exchange_step step)
{
	switch (step) {
	case EXCHANGE_ACCOUNT:
		ask_store(l);
		break;
	case EXCHANGE_CHALLENGE:
		challenge(l);
		break;
	case EXCHANGE_RIGHT:
		right(l);
		break;
	case EXCHANGE_WRONG:
		login_refuse_wrong(l, exchange_reason(l->exchange));
		break;
	case EXCHANGE_BAD:
		login_refuse(l, ERR_SYNTAX, "that is no message of this mechanism",
			exchange_reason(l->exchange));
		break;
	case EXCHANGE_NO_MEMORY:
		login_refuse_no_memory(l);
		break;
	}
}

static void on_timer(void *arg)
{
	struct gate *g = arg;
	int64_t now = now_ms(g);
	while (g->delayed && g->delayed->delayed_ms <= now) {
		struct login *l = g->delayed;
		forget_delayed(g, l);
		l->delayed_ms = 0;
		take(l, l->step);
	}
	for (struct login *l = g->exchanges, *next; l; l = next) {
		next = l->next;
		if (l->began_ms + LIMIT_GATE_EXCHANGE_MS > now)
			break;
		if (l->awaits_client) /* who answers later is told so */
			login_free(l);
	}
	set_timer(g);
}

/* The name as the store spells it, so that a stand-in is the same for every spelling. */
static struct str canonical(struct str user, struct address_name *room)
{
	return address_canonical(user, room, NULL) == 0 ? address_str(room) : user;
}

void exchange_credentials(struct login *l, const struct frame_credentials *c)
{
	struct gate *g = l->client->gate;
	struct address_name room;
	l->step = exchange_account(l->exchange, c, canonical(exchange_user(l->exchange), &room));
	l->delayed_ms = l->asked_ms + LIMIT_GATE_ANSWER_MS;
	l->next_delayed = NULL;
	*g->delayed_end = l;
	g->delayed_end = &l->next_delayed;
	set_timer(g);
}

/* ---- what fronts ask ---- */

static unsigned open_of_address(const struct gate *g, const char *peer)
{
	unsigned n = 0;
	struct str client = throttle_client(str_from(peer));
	for (const struct login *l = g->exchanges; l; l = l->next)
		n += str_equal(throttle_client(str_from(l->peer)), client);
	return n;
}

/* Those of many addresses together can keep nobody out: who has been waited for the longest gives
 * way. */
static void make_room(struct gate_client *client)
{
	struct login *l = client->gate->exchanges;
	while (l && (l->client != client || !l->awaits_client))
		l = l->next;
	if (l && client->exchanges >= LIMIT_GATE_EXCHANGES)
		login_free(l);
}

static bool too_many(const struct login *l)
{
	return l->client->exchanges >= LIMIT_GATE_EXCHANGES ||
	       open_of_address(l->client->gate, l->peer) >= LIMIT_GATE_EXCHANGES_ADDRESS;
}

void exchange_open(
	struct gate_client *client, uint32_t request, const struct frame_exchange_begin *f)
{
	struct gate *g = client->gate;
	struct login *l = login_new(client, request, STR(""));
	login_text(l->service, sizeof(l->service), f->service);
	login_text(l->peer, sizeof(l->peer), f->peer);
	if (!throttle_may_try(g->throttle, f->peer, now_ms(g))) {
		login_refuse(l, ERR_TEMP, "too many failures, try again later", "throttled");
		return;
	}
	if (!exchange_known(f->mechanism)) {
		login_refuse(l, ERR_SYNTAX, "no such mechanism", "mechanism");
		return;
	}
	make_room(client);
	if (too_many(l)) {
		login_refuse(l, ERR_TEMP, "too many logins at once, try again", "exchanges");
		return;
	}
	l->exchange = exchange_new(&g->facts, f);
	l->number = ++g->last_exchange;
	l->asked_ms = l->began_ms;
	link_last(g, l);
	set_timer(g);
	take(l, exchange_begin(l->exchange));
}

void exchange_go_on(
	struct gate_client *client, uint32_t request, const struct frame_exchange_go_on *f)
{
	static const struct frame done = { .type = FRAME_DONE };
	static const struct frame gone = { .type = FRAME_FAILED,
		.failed = { ERR_TEMP, STR_INIT("the login took too long, try again") } };
	struct login *l = find(client, f->exchange);
	if (l == NULL) {
		gate_send(client->gate, client->channel, request, f->cancelled ? &done : &gone);
		return;
	}
	l->request = request;
	l->awaits_client = false;
	l->asked_ms = now_ms(client->gate);
	if (f->cancelled)
		login_answer(l, &done);
	else if (++l->steps > LIMIT_GATE_EXCHANGE_STEPS)
		login_refuse(l, ERR_SYNTAX, "too many steps", "steps");
	else
		take(l, exchange_response(l->exchange, f->data));
}

void exchanges_drop(struct gate_client *client)
{
	for (struct login *l = client->gate->exchanges, *next; l; l = next) {
		next = l->next;
		if (l->client == client && l->awaits_client)
			login_free(l);
	}
}

/* ---- beginning and end ---- */

void exchanges_init(struct gate *g)
{
	struct loop *loop = g->base.context->loop;
	g->exchanges_end = &g->exchanges;
	g->delayed_end = &g->delayed;
	g->exchange_timer = loop->class->timer_new(loop, on_timer, g);
}

void exchanges_done(struct gate *g)
{
	while (g->exchanges)
		login_free(g->exchanges);
	g->base.context->loop->class->timer_free(&g->exchange_timer);
}
