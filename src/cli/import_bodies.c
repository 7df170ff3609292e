// SPDX-License-Identifier: Apache-2.0
/* What an account has already; see import_bodies.h. */
#include "cli/import_bodies.h"

#include "base/planted.h"

enum { MOST = 1 << 25 };

static struct str key_of(const struct api_body_hash *hash)
{
	return str_make(hash, sizeof(*hash));
}

static struct str place_of(const struct placed_body *body)
{
	return str_make(body, sizeof(*body));
}

void bodies_init(struct import_bodies *k, const uint8_t key[16])
{
	map_init(&k->times, key, MOST);
	map_init(&k->here, key, MOST);
	map_init(&k->mailboxes, key, MOST);
	map_init(&k->entries, key, MOST);
	vec_init(&k->bodies, sizeof(struct placed_body), MOST);
}

void bodies_done(struct import_bodies *k)
{
	map_done(&k->times);
	map_done(&k->here);
	map_done(&k->mailboxes);
	map_done(&k->entries);
	vec_done(&k->bodies);
}

/* ---- counts in maps ---- */

static void *number(uintptr_t n)
{
	return (void *)n;
}

void count_more(struct map *m, struct str key)
{
	(void)map_put(m, key, number((uintptr_t)map_get(m, key) + 1));
}

bool count_less(struct map *m, struct str key)
{
	uintptr_t n = (uintptr_t)map_get(m, key);
	if (n > 1)
		(void)map_put(m, key, number(n - 1));
	else if (n == 1)
		(void)map_remove(m, key);
	return n > 0;
}

static void less_in(struct import_bodies *k, uint64_t mailbox)
{
	uintptr_t n = (uintptr_t)map_get_u64(&k->mailboxes, mailbox);
	if (n > 1)
		(void)map_put_u64(&k->mailboxes, mailbox, number(n - 1));
	else if (n == 1)
		(void)map_remove_u64(&k->mailboxes, mailbox);
}

/* ---- the account's ---- */

void bodies_add(
	struct import_bodies *k, struct api_body_hash hash, uint64_t mailbox, uint64_t entry)
{
	struct placed_body body = { hash, mailbox };
	if (entry && vec_push(&k->bodies, &body))
		(void)map_put_u64(&k->entries, entry, number(k->bodies.n));
	count_more(&k->times, key_of(&hash));
	if (mailbox == 0)
		return;
	count_more(&k->here, place_of(&body));
	uintptr_t n = (uintptr_t)map_get_u64(&k->mailboxes, mailbox);
	(void)map_put_u64(&k->mailboxes, mailbox, number(n + 1));
}

bool bodies_any(const struct import_bodies *k)
{
	return k->times.n > 0;
}

bool bodies_in(const struct import_bodies *k, uint64_t mailbox)
{
	return map_get_u64(&k->mailboxes, mailbox) != NULL;
}

bool bodies_has(const struct import_bodies *k, struct api_body_hash hash)
{
	return map_get(&k->times, key_of(&hash)) != NULL;
}

bool bodies_take_here(struct import_bodies *k, struct api_body_hash hash, uint64_t mailbox)
{
	struct placed_body body = { hash, mailbox };
	if (!bodies_has(k, hash) || !count_less(&k->here, place_of(&body)))
		return false;
	less_in(k, mailbox);
	return count_less(&k->times, key_of(&hash));
}

bool bodies_take(struct import_bodies *k, struct api_body_hash hash)
{
	return count_less(&k->times, key_of(&hash));
}

bool bodies_take_entry(struct import_bodies *k, uint64_t entry, struct api_body_hash *ret)
{
	uintptr_t at = (uintptr_t)map_remove_u64(&k->entries, entry);
	if (at == 0)
		return false;
	struct placed_body body = *(struct placed_body *)(void *)vec_at(&k->bodies, at - 1);
	*ret = body.hash;
	if (!bodies_has(k, body.hash)) /* another was passed over for its sake */
		return false;
	if (planted("import_counts_one_twice"))
		return true;
	if (count_less(&k->here, place_of(&body)))
		less_in(k, body.mailbox);
	return count_less(&k->times, key_of(&body.hash));
}
