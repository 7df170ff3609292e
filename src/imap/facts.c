// SPDX-License-Identifier: Apache-2.0
/* Envelopes that were seen; see facts.h. A record is the lengths of all fields and then their
 * bytes. */
#include "imap/facts.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"

#include <stdlib.h>

#define SLOT_BYTES 64 /* of a map, at its emptiest */

struct record {
	uint32_t lengths[DIGEST_FIELDS]; /* UINT32_MAX: there is no such field */
	char bytes[];
};

struct facts {
	struct map by_uid;
	struct arena records;
	size_t max;
	struct vec ranks[FACTS_KEYS]; /* struct facts_rank */
};

struct facts *facts_new(const uint8_t key[16], size_t max)
{
	struct facts *f = xmalloc(sizeof(*f));
	map_init(&f->by_uid, key, max / SLOT_BYTES + 1);
	arena_init(&f->records, max);
	for (size_t i = 0; i < FACTS_KEYS; i++)
		vec_init(&f->ranks[i], sizeof(struct facts_rank), LIMIT_IMAP_RANKS);
	f->max = max;
	return f;
}

void facts_free(struct facts **f)
{
	if (*f == NULL)
		return;
	map_done(&(*f)->by_uid);
	arena_done(&(*f)->records);
	for (size_t i = 0; i < FACTS_KEYS; i++)
		vec_done(&(*f)->ranks[i]);
	free(*f);
	*f = NULL;
}

void facts_put(struct facts *f, uint32_t uid, const struct digest *d)
{
	size_t n = sizeof(struct record), at = 0;
	for (size_t i = 0; i < DIGEST_FIELDS; i++)
		n += d->envelope.value[i].n;
	if (f->records.used + n + (f->by_uid.n + 1) * SLOT_BYTES > f->max)
		return;
	struct record *r = arena_alloc(&f->records, n);
	if (r == NULL || map_get_u64(&f->by_uid, uid) != NULL)
		return;
	for (size_t i = 0; i < DIGEST_FIELDS; i++) {
		struct str value = d->envelope.value[i];
		r->lengths[i] = value.p == NULL ? UINT32_MAX : (uint32_t)value.n;
		if (value.n > 0)
			memcpy(r->bytes + at, value.p, value.n);
		at += value.n;
	}
	map_put_u64(&f->by_uid, uid, r);
}

bool facts_get(const struct facts *f, uint32_t uid, struct digest *ret)
{
	const struct record *r = f == NULL ? NULL : map_get_u64(&f->by_uid, uid);
	size_t at = 0;
	if (r == NULL)
		return false;
	*ret = (struct digest){ .flags = 0 };
	for (size_t i = 0; i < DIGEST_FIELDS; i++) {
		if (r->lengths[i] == UINT32_MAX)
			continue;
		ret->envelope.value[i] = str_make(r->bytes + at, r->lengths[i]);
		at += r->lengths[i];
	}
	return true;
}

/* ---- ranks ---- */

void facts_put_ranks(struct facts *f, unsigned key, struct vec *ranks)
{
	size_t sum = ranks->n;
	if (ranks->n < f->ranks[key].n / 2)
		return;
	vec_done(&f->ranks[key]);
	for (size_t i = 0; i < FACTS_KEYS; i++)
		sum += f->ranks[i].n;
	for (size_t i = 0; i < FACTS_KEYS && sum > LIMIT_IMAP_RANKS; i++) {
		sum -= f->ranks[i].n;
		vec_done(&f->ranks[i]);
	}
	f->ranks[key] = *ranks;
	vec_init(ranks, ranks->size, ranks->max);
}

bool facts_rank(const struct facts *f, unsigned key, size_t *at, uint32_t uid, uint32_t *ret)
{
	if (f == NULL)
		return false;
	for (const struct vec *ranks = &f->ranks[key]; *at < ranks->n; ++*at) {
		const struct facts_rank *r = (const void *)vec_at(ranks, *at);
		*ret = r->rank;
		if (r->uid >= uid)
			return r->uid == uid;
	}
	return false;
}
