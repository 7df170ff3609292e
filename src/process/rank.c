// SPDX-License-Identifier: Apache-2.0
/*
 * Who of those who wait for a hash is served first. Three counters: by client address, by account,
 * and by both. Only the first makes anybody wait (throttle.h); the others decide the order alone,
 * so that strangers who guess at an account slow down strangers, and never the person whose it is
 * where he always is. (hostile-input.md S47)
 */
#include "process/gate_private.h"

#include <stdio.h>

static int64_t now_ms(const struct login *l)
{
	struct clock_seam *clock = l->client->gate->base.context->seams.clock;
	return clock->monotonic_ms(clock);
}

/* An account is counted by its number, whatever name it was given; a name that is no account's by
 * itself. */
void rank_name(struct login *l)
{
	struct str client = throttle_client(str_from(l->peer));
	if (l->exists)
		snprintf(l->guessed, sizeof(l->guessed), "%llu", (unsigned long long)l->account);
	else
		snprintf(l->guessed, sizeof(l->guessed), "?%" STR_FMT, STR_ARG(str_from(l->user)));
	snprintf(l->pair, sizeof(l->pair), "%s %" STR_FMT, l->guessed, STR_ARG(client));
}

static bool is_known(const struct login *l)
{
	return throttle_is_known(l->client->gate->pairs, str_from(l->pair));
}

enum hash_rank rank_of(const struct login *l)
{
	const struct gate *g = l->client->gate;
	unsigned from_here = throttle_tries(g->throttle, str_from(l->peer), now_ms(l));
	unsigned by_both = throttle_tries(g->pairs, str_from(l->pair), now_ms(l));
	unsigned at_account = throttle_tries(g->users, str_from(l->guessed), now_ms(l));
	if (is_known(l) && by_both < LIMIT_GATE_KNOWN_TRIES)
		return HASH_KNOWN;
	if (at_account >= LIMIT_GATE_USER_TRIES || from_here >= LIMIT_GATE_TRIES)
		return HASH_SUSPECT;
	return HASH_FRESH + from_here;
}

static void count(const struct login *l, void (*event)(struct throttle *, struct str, int64_t))
{
	const struct gate *g = l->client->gate;
	event(g->throttle, str_from(l->peer), now_ms(l));
	event(g->pairs, str_from(l->pair), now_ms(l));
	if (!is_known(l)) /* what a person does at home speaks against nobody elsewhere */
		event(g->users, str_from(l->guessed), now_ms(l));
}

void rank_begins(struct login *l)
{
	l->under_way = true;
	count(l, throttle_began);
}

void rank_ends(struct login *l)
{
	if (l->under_way)
		count(l, throttle_ended);
}

void rank_failed(struct login *l)
{
	count(l, throttle_failed);
}

void rank_succeeded(struct login *l)
{
	const struct gate *g = l->client->gate;
	throttle_succeeded(g->throttle, str_from(l->peer), now_ms(l));
	throttle_succeeded(g->pairs, str_from(l->pair), now_ms(l));
}
