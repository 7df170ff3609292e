// SPDX-License-Identifier: Apache-2.0
/* Logins of the moment in which one store has gone and the next has not come: an upgrade's, or that
 * of a store that died. What the gate asks, who an account is, changes nothing, so both what comes
 * now and what was asked and not answered waits for the next store: for a second from the loss on,
 * and nobody twice. (What fronts ask the store: held.c.) */
#include "process/gate_private.h"

static int64_t now_ms(const struct gate *g)
{
	return g->base.context->loop->clock->monotonic_ms(g->base.context->loop->clock);
}

/* All of them, for the caller; none is left. */
static struct login *take_all(struct gate *g)
{
	struct login *all = g->held;
	g->held = NULL;
	g->held_end = &g->held;
	g->held_n = 0;
	g->hold_until_ms = 0;
	g->base.context->loop->class->timer_set(g->hold, 0);
	return all;
}

static void on_over(void *arg)
{
	for (struct login *l = take_all(arg), *next; l; l = next) {
		next = l->next_held;
		login_refuse_store(l);
	}
}

bool login_held_put(struct login *l)
{
	struct gate *g = l->client->gate;
	if (l->was_held || now_ms(g) >= g->hold_until_ms || g->held_n == LIMIT_GATE_HELD)
		return false;
	l->was_held = true;
	l->next_held = NULL;
	*g->held_end = l;
	g->held_end = &l->next_held;
	g->held_n++;
	return true;
}

void login_held_begin(struct gate *g)
{
	size_t at = 0;
	void *login;
	g->hold_until_ms = now_ms(g) + LIMIT_GATE_HOLD_MS;
	g->base.context->loop->class->timer_set(g->hold, g->hold_until_ms);
	while (map_next(&g->store_asks, &at, NULL, &login))
		if (!login_held_put(login))
			login_refuse_store(login);
	map_done(&g->store_asks); /* it stays, empty */
}

void login_held_send(struct gate *g)
{
	for (struct login *l = take_all(g), *next; l; l = next) {
		next = l->next_held;
		(void)login_ask_again(l);
	}
}

void login_held_init(struct gate *g)
{
	struct loop *loop = g->base.context->loop;
	g->held_end = &g->held;
	g->hold = loop->class->timer_new(loop, on_over, g);
}

void login_held_done(struct gate *g)
{
	for (struct login *l = take_all(g), *next; l; l = next) {
		next = l->next_held;
		login_free(l);
	}
	g->base.context->loop->class->timer_free(&g->hold);
}
