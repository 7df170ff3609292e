// SPDX-License-Identifier: Apache-2.0
/*
 * Which mechanisms fronts announce. SCRAM is announced on a service when every active account that
 * may use it has a verifier, since a client that prefers it would fail for those who have none;
 * CRAM-MD5 and APOP when some account has asked for them. The store says when accounts change, and
 * is asked then, one question at a time, at most once in LIMIT_GATE_OFFERS_MS.
 */
#include "process/gate_private.h"

#include "base/limits.h"

static void ask_now(struct gate *g)
{
	static const struct frame question = { .type = FRAME_GET_OFFERS };
	struct loop *loop = g->base.context->loop;
	g->offers_stale = false;
	g->offers_request = channel_next_request(g->store);
	if (!channel_send(g->store, g->offers_request, &question))
		g->offers_request = 0;
	loop->class->timer_set(
		g->offers_timer, loop->clock->monotonic_ms(loop->clock) + LIMIT_GATE_OFFERS_MS);
	g->offers_waiting = true;
}

/* A store may take longer over the one before than we wait between two. */
static void ask_if_due(struct gate *g)
{
	if (g->offers_stale && g->store && !g->offers_waiting && g->offers_request == 0)
		ask_now(g);
}

void offers_ask(struct gate *g)
{
	g->offers_stale = true;
	ask_if_due(g);
}

static void on_timer(void *arg)
{
	struct gate *g = arg;
	g->offers_waiting = false;
	ask_if_due(g);
}

void offers_tell(struct gate_client *c)
{
	struct gate *g = c->gate;
	struct frame f = { .type = FRAME_MECHANISMS, .mechanisms = g->offers };
	if (g->offers_known && c->class == CLASS_USER)
		gate_send(g, c->channel, 0, &f);
}

bool offers_frame(struct gate *g, uint32_t request, const struct frame *f)
{
	if (f->type == FRAME_ACCOUNTS_CHANGED) {
		offers_ask(g);
		return true;
	}
	if (request == 0 || request != g->offers_request)
		return false;
	g->offers_request = 0;
	ask_if_due(g);
	if (f->type != FRAME_OFFERS)
		return true; /* the old ones stay */
	g->offers = (struct frame_mechanisms){ f->offers.scram, f->offers.legacy };
	g->offers_known = true;
	for (struct gate_client *c = g->clients; c; c = c->next)
		offers_tell(c);
	return true;
}

void offers_init(struct gate *g)
{
	struct loop *loop = g->base.context->loop;
	g->offers_timer = loop->class->timer_new(loop, on_timer, g);
}

void offers_done(struct gate *g)
{
	g->base.context->loop->class->timer_free(&g->offers_timer);
}
