// SPDX-License-Identifier: Apache-2.0
/*
 * Channels between the roles. Whoever starts is connected with each peer that runs (the table is in
 * roles.c). A peer that dies takes its channels with it, and its successor gets new ones. A channel
 * that one side drops while both live (a process that stood still for longer than
 * LIMIT_CHANNEL_STALL_MS, say) is replaced: who dropped it says so by its number. Numbers are never
 * used twice, so what is said of a channel that has been replaced already changes nothing, and a
 * role can have no channel replaced but its own, each pair's once in LIMIT_CONNECT_AGAIN_MS.
 */
#include "process/supervisor_private.h"

#include <stdlib.h>

enum { MOST_LINKS = 4096 };

static void hand_over(struct child *to, const char *called, const struct child *other,
	uint32_t number, int handle)
{
	provision_hand_over(to->supervisor, to->control,
		&(struct frame_hand_over){ .kind = str_from(called),
			.instance = other->instance,
			.role = (uint8_t)other->row->channel_class,
			.channel = number },
		handle);
}

/* Makes a channel. called: what a calls it. */
static bool make(const struct role_link *l, const char *called, uint32_t number)
{
	struct supervisor *s = l->a->supervisor;
	struct log_text text;
	int pair[2];
	int result = s->loop->class->pair(s->loop, pair);
	if (result < 0) {
		log_event(&s->o.log, LOG_ERROR, "no-channel", "from=%s to=%s why=%s",
			l->a->row->name, l->b->row->name,
			log_value(&text, str_from(strerror(-result))));
		return false;
	}
	hand_over(l->a, called, l->b, number, pair[0]);
	hand_over(l->b, l->edge->called_by_b, l->a, number, pair[1]);
	return true;
}

static void set_timer(struct supervisor *s)
{
	int64_t next = 0;
	VEC_EACH (const struct role_link, l, &s->links)
		if (l->lost && (next == 0 || l->made_ms + LIMIT_CONNECT_AGAIN_MS < next))
			next = l->made_ms + LIMIT_CONNECT_AGAIN_MS;
	s->loop->class->timer_set(s->connect_again, next);
}

/* One that could not be made now is made later. */
static bool connect_two(
	struct child *a, struct child *b, const struct role_edge *e, const char *called)
{
	struct supervisor *s = a->supervisor;
	struct role_link l = { .a = a, .b = b, .edge = e, .made_ms = supervisor_now(s) };
	l.number = ++s->last_instance;
	l.lost = !make(&l, called, l.number);
	if (vec_push(&s->links, &l) && l.lost)
		set_timer(s);
	return !l.lost;
}

/* A generation keeps to itself; but there is one store, and whoever still drains asks it. */
static bool may_meet(const struct child *a, const struct child *b)
{
	const struct child *store = a->row->class == &store_role ? a : b;
	return a->generation == b->generation ||
	       (store->row->class == &store_role && !store->leaving);
}

void connect_child(struct child *c)
{
	struct supervisor *s = c->supervisor;
	VEC_EACH (struct child *, at, &s->children) {
		struct child *other = *at;
		if (other == c || other->control == NULL || other->spare || !may_meet(c, other))
			continue;
		for (size_t i = 0; i < role_edges_n; i++) {
			const struct role_edge *e = &role_edges[i];
			if (e->a == c->row->channel_class && e->b == other->row->channel_class)
				connect_two(c, other, e, e->called_by_a);
			else if (e->b == c->row->channel_class && e->a == other->row->channel_class)
				connect_two(other, c, e, e->called_by_a);
		}
	}
}

bool connect_reload(struct child *front, struct child *keys)
{
	for (size_t i = 0; i < role_edges_n; i++)
		if (role_edges[i].a == front->row->channel_class && role_edges[i].b == CLASS_KEYS)
			return connect_two(front, keys, &role_edges[i], "keys-next");
	return false;
}

/* ---- again ---- */

static void again(struct supervisor *s, struct role_link *l)
{
	l->made_ms = supervisor_now(s);
	/* The keys of a reload that is not over, or those that it has replaced. */
	l->lost = !l->a->spare && !l->b->spare && l->a->control && l->b->control &&
		  may_meet(l->a, l->b);
	if (!l->lost)
		return;
	uint32_t number = ++s->last_instance;
	log_event(&s->o.log, LOG_WARN, "channel-replaced", "from=%s to=%s", l->a->row->name,
		l->b->row->name);
	if (!make(l, l->edge->called_by_a, number))
		return;
	l->number = number;
	l->lost = false;
}

static void on_timer(void *arg)
{
	struct supervisor *s = arg;
	int64_t now = supervisor_now(s);
	VEC_EACH (struct role_link, l, &s->links)
		if (l->lost && now >= l->made_ms + LIMIT_CONNECT_AGAIN_MS)
			again(s, l);
	set_timer(s);
}

void connect_lost(struct child *c, uint32_t channel)
{
	struct supervisor *s = c->supervisor;
	VEC_EACH (struct role_link, l, &s->links)
		if (l->number == channel && (l->a == c || l->b == c))
			l->lost = s->phase == RUNNING;
	set_timer(s);
}

void connect_forget(const struct child *c)
{
	struct vec *links = &c->supervisor->links;
	for (size_t i = links->n; i-- > 0;) {
		const struct role_link *l = vec_at(links, i);
		if (l->a == c || l->b == c)
			vec_remove(links, i);
	}
}

void connect_init(struct supervisor *s)
{
	vec_init(&s->links, sizeof(struct role_link), MOST_LINKS);
	s->connect_again = s->loop->class->timer_new(s->loop, on_timer, s);
}

void connect_done(struct supervisor *s)
{
	s->loop->class->timer_free(&s->connect_again);
	vec_done(&s->links);
}
