// SPDX-License-Identifier: Apache-2.0
/* Tickets: version, fields in little-endian order, HMAC-SHA-256 over all of them. */
#include "auth/ticket.h"

#include "auth/mac.h"

enum { VERSION = 1, BODY_BYTES = 1 + 4 + 8 + 8 + 4 + 8 };

static bool mac_of(const uint8_t key[TICKET_KEY_BYTES], const uint8_t *body, uint8_t mac[MAC_BYTES])
{
	return mac_sha256(str_make(key, TICKET_KEY_BYTES), str_make(body, BODY_BYTES), mac);
}

static uint8_t *put(uint8_t *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> (8 * i));
	return at;
}

static uint64_t take(const uint8_t **at, size_t bytes)
{
	uint64_t value = 0;
	for (size_t i = 0; i < bytes; i++)
		value |= (uint64_t) * (*at)++ << (8 * i);
	return value;
}

bool ticket_seal(const uint8_t key[TICKET_KEY_BYTES], const struct ticket *t, struct buf *out)
{
	uint8_t sealed[BODY_BYTES + MAC_BYTES];
	uint8_t *at = put(sealed, VERSION, 1);
	at = put(at, t->instance, 4);
	at = put(at, t->account, 8);
	at = put(at, t->epoch, 8);
	at = put(at, t->rights, 4);
	put(at, (uint64_t)t->expires_ms, 8);
	return mac_of(key, sealed, sealed + BODY_BYTES) && buf_add(out, sealed, sizeof(sealed));
}

int ticket_open(const uint8_t key[TICKET_KEY_BYTES], struct str sealed, uint32_t instance,
	int64_t wall_ms, struct ticket *ret, struct err *err)
{
	uint8_t mac[MAC_BYTES];
	const uint8_t *at = (const uint8_t *)sealed.p;
	if (sealed.n != BODY_BYTES + MAC_BYTES || at[0] != VERSION)
		return fail(err, ERR_EXPIRED, "not a ticket");
	if (!mac_of(key, at, mac))
		return fail(err, ERR_TEMP, "try again later");
	if (!mem_equal_const_time(mac, at + BODY_BYTES, MAC_BYTES))
		return fail(err, ERR_EXPIRED, "not a ticket of ours");
	at++;
	struct ticket t;
	t.instance = (uint32_t)take(&at, 4);
	t.account = take(&at, 8);
	t.epoch = take(&at, 8);
	t.rights = (uint32_t)take(&at, 4);
	t.expires_ms = (int64_t)take(&at, 8);
	if (t.instance != instance)
		return fail(err, ERR_EXPIRED, "ticket of another front");
	if (t.expires_ms <= wall_ms)
		return fail(err, ERR_EXPIRED, "ticket has expired");
	*ret = t;
	return 0;
}
