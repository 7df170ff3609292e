// SPDX-License-Identifier: Apache-2.0
/*
 * App passwords: drawn here, shown once, for one program and the services it needs. 25 symbols of
 * 32 are 125 bits of chance, so nobody guesses one however fast each try is; what a slow hash is
 * for is not needed. Kept is a MAC under a key that only the gate has: who reads the ledger can
 * neither use nor test one. A try costs one MAC for every account, and what is none costs the slow
 * hash too, like any other password: so time tells nothing of whether an account has app passwords.
 *
 * Dashes, blanks and case do not count: people type them as they like. There is none of l, o, 0
 * and 1 in it. By SCRAM, where the program hashes what was typed, it is what was shown.
 */
#include "process/gate_private.h"

#include "auth/mac.h"
#include "auth/scram.h"
#include "base/limits.h"

enum { SYMBOLS = 25, GROUP = 5 };
_Static_assert((int)MAC_BYTES == (int)APP_PASSWORD_MAC_BYTES, "what is kept is a MAC");
_Static_assert(APP_PASSWORD_TEXT_BYTES == SYMBOLS + SYMBOLS / GROUP - 1, "a dash between groups");
enum { MOST_SECRETS = 64 }; /* what credentials carries */

static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";
_Static_assert(sizeof(alphabet) - 1 == 32, "five bits a symbol");

bool app_password_mac(const struct gate *g, const char *symbols, uint8_t mac[32])
{
	return mac_sha256(
		str_make(g->app_key, sizeof(g->app_key)), str_make(symbols, SYMBOLS), mac);
}

bool app_password_draw(const struct gate *g, char text[APP_PASSWORD_TEXT_BYTES], uint8_t mac[32])
{
	struct random_seam *random = g->base.context->seams.random;
	uint8_t chance[SYMBOLS];
	char symbols[SYMBOLS];
	size_t n = 0;
	random->fill(random, chance, sizeof(chance));
	for (size_t i = 0; i < SYMBOLS; i++) {
		symbols[i] = alphabet[chance[i] % 32];
		if (i > 0 && i % GROUP == 0)
			text[n++] = '-';
		text[n++] = symbols[i];
	}
	bool good = app_password_mac(g, symbols, mac);
	mem_wipe(chance, sizeof(chance));
	mem_wipe(symbols, sizeof(symbols));
	return good;
}

/* False: it does not look like one of ours. */
static bool read_symbols(struct str password, char ret[SYMBOLS])
{
	size_t n = 0;
	for (size_t i = 0; i < password.n; i++) {
		char c = password.p[i];
		if (c == '-' || c == ' ')
			continue;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (n == SYMBOLS || memchr(alphabet, c, 32) == NULL)
			return false;
		ret[n++] = c;
	}
	return n == SYMBOLS;
}

/* As many are looked at as there may be: which one it is, and of how many, costs
 * nothing. */
static const struct api_secret *find(
	const struct frame_credentials *c, const uint8_t mac[MAC_BYTES])
{
	static const struct api_secret none = { .id = 0 };
	static const char nothing[MAC_BYTES];
	const struct api_secret *found = NULL;
	for (size_t i = 0; i < MOST_SECRETS; i++) {
		const struct api_secret *s = c && i < c->secrets.n ? &c->secrets.items[i] : &none;
		bool ours = s->kind == SECRET_APP_PASSWORD && s->value.n >= MAC_BYTES;
		if (mem_equal_const_time(ours ? s->value.p : nothing, mac, MAC_BYTES) && ours)
			found = s;
	}
	return found;
}

/* What the SCRAM verifiers of all the account's app passwords begin with: the salt is of a key that
 * the master key gives, and of the address. head: how much of it is none of the salt. */
static bool write_beginning(
	const struct gate *g, const struct frame_credentials *c, struct buf *out, size_t *ret_head)
{
	struct scram_verifier v = { .iterations = SCRAM_ITERATIONS, .salt_n = SCRAM_SALT_BYTES };
	if (!scram_salt(g->facts.stand_in_key, c ? c->address : STR(""), v.salt))
		return false;
	scram_verifier_write(&v, out);
	if (out->n == 0 || out->full)
		return false;
	*ret_head = str_find(buf_str(out), ':') + 1;
	out->n = str_find_last(buf_str(out), '$') + 1;
	return true;
}

/* Whether one of them was made under another master key than there is now. As in find: for every
 * account alike. */
static bool any_of_another_key(const struct gate *g, const struct frame_credentials *c)
{
	static const struct api_secret none = { .id = 0 };
	AUTO(buf_done)
	struct buf ours;
	size_t head;
	bool found = false;
	buf_init(&ours, LIMIT_SECRET_BYTES);
	if (!write_beginning(g, c, &ours, &head))
		return false;
	for (size_t i = 0; i < MOST_SECRETS; i++) {
		const struct api_secret *s = c && i < c->secrets.n ? &c->secrets.items[i] : &none;
		struct str verifier = str_from_offset(s->value, MAC_BYTES);
		found = found || (s->kind == SECRET_APP_PASSWORD &&
					 str_starts(verifier, str_sub(buf_str(&ours), 0, head)) &&
					 !str_starts(verifier, buf_str(&ours)));
	}
	return found;
}

/* Once: who puts the key right starts anew. */
static void tell_of_another_key(struct login *l)
{
	struct gate *g = l->client->gate;
	struct log_text user;
	if (!g->other_key_told)
		log_event(&g->base.context->log, LOG_WARN, "other-master-key",
			"user=%s text=\"this account has app passwords that were made under "
			"another "
			"master.key, and no login by one of them can be right: bring that file "
			"back, or draw them anew\"",
			log_value(&user, str_from(l->address)));
	g->other_key_told = true;
}

enum verdict app_password_check(struct login *l, const struct frame_credentials *c)
{
	char symbols[SYMBOLS];
	uint8_t mac[MAC_BYTES];
	if (!read_symbols(l->job.password, symbols))
		return VERDICT_WRONG;
	bool good = app_password_mac(l->client->gate, symbols, mac);
	mem_wipe(symbols, sizeof(symbols));
	if (!good)
		return VERDICT_NO_MEMORY;
	const struct api_secret *s = find(c, mac);
	if (s == NULL && any_of_another_key(l->client->gate, c))
		tell_of_another_key(l);
	if (s == NULL)
		return VERDICT_WRONG;
	l->app_password = s->id;
	l->app_services = s->services;
	l->app_used_ms = s->used_ms;
	return VERDICT_RIGHT;
}

bool app_password_is_due(const struct login *l)
{
	struct clock_seam *clock = l->client->gate->base.context->seams.clock;
	int64_t ago_ms = clock->wall_ms(clock) - l->app_used_ms;
	return ago_ms < 0 || ago_ms >= LIMIT_SECRET_USED_MS; /* a clock that ran ahead noted it */
}

void app_password_used(const struct login *l)
{
	struct gate *g = l->client->gate;
	struct frame f = { .type = FRAME_SECRET_USED,
		.secret_used = { .account = l->account, .secret = l->app_password } };
	if (app_password_is_due(l))
		gate_send(g, g->store, 0, &f);
}
