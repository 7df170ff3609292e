// SPDX-License-Identifier: Apache-2.0
/* Logins that were right lately, so that a client that comes every minute costs one slow hash an
 * hour. What is kept is a MAC, under a key that only the gate has, of account, verifier and
 * password: no password, and a changed one is never found. (A3) */
#include "process/gate_private.h"

#include "auth/mac.h"
#include "base/limits.h"

#include <stdlib.h>

enum { CACHE_MINUTES = 60 };

struct cached {
	uint8_t mac[LOGIN_MAC_BYTES];
	int64_t until_ms;
	struct cached *newer, *older;
};

static int64_t now_ms(const struct gate *g)
{
	return g->base.context->seams.clock->monotonic_ms(g->base.context->seams.clock);
}

bool login_cache_mac(const struct gate *g, uint64_t account, struct str verifier,
	struct str password, uint8_t ret[LOGIN_MAC_BYTES])
{
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, 4096);
	buf_addf(&text, "%llu", (unsigned long long)account);
	buf_addc(&text, '\0');
	buf_adds(&text, verifier);
	buf_addc(&text, '\0');
	/* What a MAC leaves out would fit any text there. */
	bool good = buf_adds(&text, password) &&
		    mac_sha256(str_make(g->cache_key, sizeof(g->cache_key)), buf_str(&text), ret);
	mem_wipe(text.p, text.n);
	return good;
}

static void drop(struct gate *g, struct cached *c)
{
	map_remove(&g->cache, str_make(c->mac, sizeof(c->mac)));
	*(c->newer ? &c->newer->older : &g->newest) = c->older;
	*(c->older ? &c->older->newer : &g->oldest) = c->newer;
	free(c);
}

bool login_cache_has(struct gate *g, const uint8_t mac[LOGIN_MAC_BYTES])
{
	struct cached *c = map_get(&g->cache, str_make(mac, LOGIN_MAC_BYTES));
	if (c && c->until_ms <= now_ms(g)) {
		drop(g, c);
		c = NULL;
	}
	return c != NULL;
}

void login_cache_add(struct gate *g, const uint8_t mac[LOGIN_MAC_BYTES])
{
	if (login_cache_has(g, mac))
		return;
	if (g->cache.n == g->cache.max)
		drop(g, g->oldest);
	struct cached *c = xmalloc(sizeof(*c));
	memcpy(c->mac, mac, sizeof(c->mac));
	c->until_ms = now_ms(g) + CACHE_MINUTES * 60000;
	c->older = g->newest;
	*(c->older ? &c->older->newer : &g->oldest) = c;
	g->newest = c;
	map_put(&g->cache, str_make(c->mac, sizeof(c->mac)), c);
}

void login_cache_init(struct gate *g, const uint8_t key[16])
{
	map_init(&g->cache, key, LIMIT_GATE_CACHE);
}

void login_cache_free(struct gate *g)
{
	while (g->newest)
		drop(g, g->newest);
	map_done(&g->cache);
}
