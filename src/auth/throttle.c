// SPDX-License-Identifier: Apache-2.0
/* Failures by client address, as leaky buckets in order of use. */
#include "auth/throttle.h"

#include "base/limits.h"
#include "base/map.h"

#include <stdlib.h>

enum { KEY_BYTES = 96 };

struct bucket {
	char key[KEY_BYTES];
	size_t key_n;
	int64_t level_ms; /* each failure adds a refill's time; it flows out with time */
	int64_t at_ms;    /* when level_ms was right */
	unsigned under_way;
	bool known;
	struct bucket *newer, *older;
};

struct throttle {
	struct map buckets;
	struct bucket *newest, *oldest;
};

struct str throttle_client(struct str a)
{
	size_t colons = 0;
	if (str_starts_nocase(a, STR("::ffff:")))
		return str_sub(a, 0, KEY_BYTES);
	for (size_t i = 0; i < a.n; i++) {
		colons += a.p[i] == ':';
		if (colons == 4 || (i > 0 && a.p[i] == ':' && a.p[i - 1] == ':'))
			return str_sub(a, 0, i > KEY_BYTES ? KEY_BYTES : i);
	}
	return str_sub(a, 0, KEY_BYTES);
}

bool throttle_is_loopback(struct str a)
{
	return str_starts(a, STR("127.")) || str_equal(a, STR("::1")) ||
	       str_starts_nocase(a, STR("::ffff:127."));
}

static void unlink_bucket(struct throttle *t, struct bucket *b)
{
	*(b->newer ? &b->newer->older : &t->newest) = b->older;
	*(b->older ? &b->older->newer : &t->oldest) = b->newer;
}

static void make_newest(struct throttle *t, struct bucket *b)
{
	b->newer = NULL;
	b->older = t->newest;
	*(b->older ? &b->older->newer : &t->oldest) = b;
	t->newest = b;
}

static struct bucket *bucket_of(struct throttle *t, struct str address, int64_t now_ms)
{
	struct str key = throttle_client(address);
	struct bucket *b = map_get(&t->buckets, key);
	if (b) {
		unlink_bucket(t, b);
	} else {
		if (t->buckets.n == t->buckets.max) {
			b = t->oldest;
			unlink_bucket(t, b);
			map_remove(&t->buckets, str_make(b->key, b->key_n));
			free(b);
		}
		b = xmalloc(sizeof(*b));
		b->key_n = str_copy(key, b->key, sizeof(b->key));
		b->at_ms = now_ms;
		map_put(&t->buckets, key, b);
	}
	make_newest(t, b);
	int64_t flown = now_ms - b->at_ms;
	b->level_ms = b->level_ms > flown ? b->level_ms - flown : 0;
	b->at_ms = now_ms;
	return b;
}

struct throttle *throttle_new(struct random_seam *random)
{
	struct throttle *t = xmalloc(sizeof(*t));
	uint8_t key[16];
	random->fill(random, key, sizeof(key));
	map_init(&t->buckets, key, LIMIT_GATE_ADDRESSES);
	return t;
}

void throttle_free(struct throttle **throttle)
{
	struct throttle *t = *throttle;
	if (t == NULL)
		return;
	for (struct bucket *b = t->newest, *older; b; b = older) {
		older = b->older;
		free(b);
	}
	map_done(&t->buckets);
	free(t);
	*throttle = NULL;
}

bool throttle_may_try(struct throttle *t, struct str address, int64_t now_ms)
{
	if (throttle_is_loopback(address))
		return true;
	struct bucket *b = bucket_of(t, address, now_ms);
	return b->level_ms <= (int64_t)(LIMIT_GATE_FAILURES - 1) * LIMIT_GATE_REFILL_MS;
}

void throttle_failed(struct throttle *t, struct str address, int64_t now_ms)
{
	struct bucket *b = bucket_of(t, address, now_ms);
	if (b->level_ms < (int64_t)LIMIT_GATE_FAILURES * LIMIT_GATE_REFILL_MS)
		b->level_ms += LIMIT_GATE_REFILL_MS;
}

void throttle_succeeded(struct throttle *t, struct str address, int64_t now_ms)
{
	struct bucket *b = bucket_of(t, address, now_ms);
	b->known = true;
	b->level_ms = b->level_ms > LIMIT_GATE_REFILL_MS ? b->level_ms - LIMIT_GATE_REFILL_MS : 0;
}

void throttle_began(struct throttle *t, struct str address, int64_t now_ms)
{
	bucket_of(t, address, now_ms)->under_way++;
}

void throttle_ended(struct throttle *t, struct str address, int64_t now_ms)
{
	struct bucket *b = bucket_of(t, address, now_ms);
	if (b->under_way > 0) /* it may have been forgotten meanwhile */
		b->under_way--;
}

unsigned throttle_tries(struct throttle *t, struct str address, int64_t now_ms)
{
	const struct bucket *b = bucket_of(t, address, now_ms);
	return b->under_way + (unsigned)(b->level_ms / LIMIT_GATE_REFILL_MS) +
	       (b->level_ms % LIMIT_GATE_REFILL_MS > 0);
}

bool throttle_is_known(const struct throttle *t, struct str address)
{
	const struct bucket *b = map_get(&t->buckets, throttle_client(address));
	return b && b->known;
}
