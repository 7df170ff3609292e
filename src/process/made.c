// SPDX-License-Identifier: Apache-2.0
/*
 * What is made of a password, an app password too: its verifier, SCRAM's, and for accounts that
 * want CRAM-MD5 or APOP the password itself, sealed. All at once when it is set; what is missing
 * later (an account of an older store, or one that was brought along) at the first login that shows
 * the password.
 */
#include "process/gate_private.h"

#include "auth/saslprep.h"
#include "auth/sealed.h"
#include "base/limits.h"
#include "store/names.h"

/* ---- when it is set ---- */

static void answer_made(struct login *l, struct str sealed)
{
	const struct api_secret secrets[] = {
		{ .kind = SECRET_SCRAM_SHA256, .value = str_from(l->job.made_scram) },
		{ .kind = SECRET_RECOVERABLE, .value = sealed },
	};
	struct frame f = { .type = FRAME_VERIFIER,
		.verifier = { str_from(l->job.made), { secrets, sealed.n ? 2 : 1 } } };
	login_answer(l, &f);
}

static void refuse(struct login *l, const char *text)
{
	struct frame f = { .type = FRAME_FAILED,
		.failed = { .kind = ERR_SYNTAX, .text = str_from(text) } };
	login_answer(l, &f);
}

/* Seals what clients make their digests of (RFC 6856 2.2). False: it is too long (which *ret_room
 * says), or there is no memory. */
static bool seal(const struct login *l, struct buf *out, bool *ret_room)
{
	const struct gate *g = l->client->gate;
	struct buf prepared;
	saslprep_password(l->job.password, &prepared);
	*ret_room = prepared.n <= SEALED_TEXT_BYTES;
	bool good = *ret_room && sealed_make(g->base.context->seams.random, g->facts.sealed_key,
					 str_from(l->address), buf_str(&prepared), out);
	saslprep_password_done(&prepared);
	return good;
}

static void made(struct hash_job *job)
{
	struct login *l = CONTAINER_OF(job, struct login, job);
	AUTO(buf_done)
	struct buf sealed;
	bool room = true;
	buf_init(&sealed, LIMIT_SECRET_BYTES);
	if (job->problem.kind == ERR_SYNTAX)
		refuse(l, "a password has 1 to 1024 bytes of UTF-8 and no NUL");
	else if (job->problem.kind == ERR_NONE && (!l->wants_sealed || seal(l, &sealed, &room)))
		answer_made(l, buf_str(&sealed));
	else if (!room)
		refuse(l, "with CRAM-MD5 and APOP a password has at most 483 bytes");
	else
		login_refuse_no_memory(l);
}

/* The account's, so that its app passwords have the same; without an account any. False: no memory.
 */
static bool choose_salt(struct login *l)
{
	const struct gate *g = l->client->gate;
	struct random_seam *random = g->base.context->seams.random;
	if (l->address[0])
		return scram_salt(g->facts.stand_in_key, str_from(l->address), l->job.salt);
	random->fill(random, l->job.salt, sizeof(l->job.salt));
	return true;
}

static void begin_making(struct login *l)
{
	if (!choose_salt(l)) {
		login_refuse_no_memory(l);
		return;
	}
	l->job.rank = HASH_KNOWN;
	l->job.done = made;
	hashers_add(l->client->gate->hashers, &l->job);
}

/* An account that exists says itself what it wants. */
void make_credentials(struct login *l, const struct frame_credentials *c)
{
	if (c)
		l->wants_sealed = c->legacy_auth;
	begin_making(l);
}

void make_verifier_begin(
	struct gate_client *client, uint32_t request, const struct frame_make_verifier *f)
{
	struct address_name address;
	struct login *l = login_new(client, request, f->password);
	l->job.make = true;
	if (address_canonical(f->address, &address, NULL) < 0) {
		begin_making(l); /* not for an account: the verifier alone */
		return;
	}
	login_text(l->address, sizeof(l->address), address_str(&address));
	l->wants_sealed = f->legacy_auth;
	(void)login_ask_store(l, address_str(&address), STR_NONE);
}

/* ---- an app password ---- */

static void made_app_password(struct hash_job *job)
{
	struct login *l = CONTAINER_OF(job, struct login, job);
	if (job->problem.kind != ERR_NONE) {
		login_refuse_no_memory(l);
		return;
	}
	AUTO(buf_done)
	struct buf value;
	buf_init(&value, LIMIT_SECRET_BYTES);
	buf_add(&value, l->mac, APP_PASSWORD_MAC_BYTES);
	buf_addz(&value, l->job.made_scram);
	struct frame f = { .type = FRAME_APP_PASSWORD,
		.app_password = { l->job.password, buf_str(&value) } };
	login_answer(l, &f);
}

void make_app_password(
	struct gate_client *client, uint32_t request, const struct frame_make_app_password *f)
{
	struct address_name address;
	char text[APP_PASSWORD_TEXT_BYTES];
	uint8_t mac[APP_PASSWORD_MAC_BYTES];
	bool good = app_password_draw(client->gate, text, mac);
	struct login *l = login_new(client, request, str_make(text, sizeof(text)));
	mem_wipe(text, sizeof(text));
	memcpy(l->mac, mac, sizeof(mac));
	l->job.make = l->job.scram_alone = true;
	l->job.rank = HASH_KNOWN;
	l->job.done = made_app_password;
	if (!good) {
		login_refuse_no_memory(l);
		return;
	}
	if (address_canonical(f->address, &address, NULL) < 0) {
		made_app_password(&l->job); /* it is not said whose: not for SCRAM */
		return;
	}
	login_text(l->address, sizeof(l->address), address_str(&address));
	if (choose_salt(l))
		hashers_add(client->gate->hashers, &l->job);
	else
		login_refuse_no_memory(l);
}

/* ---- when it is shown ---- */

static void keep(const struct login *l, enum secret_kind kind, struct str value)
{
	struct gate *g = l->client->gate;
	struct frame f = { .type = FRAME_KEEP_SECRET,
		.keep_secret = { l->account, l->epoch, (uint8_t)kind, value } };
	/* Nobody waits for it: what is not kept now is made again at the next login. */
	gate_send(g, g->store, 0, &f);
}

static void made_scram(struct hash_job *job)
{
	struct login *l = CONTAINER_OF(job, struct login, job);
	if (job->made_scram[0])
		keep(l, SECRET_SCRAM_SHA256, str_from(job->made_scram));
	login_free(l);
}

static void make_scram(const struct login *shown)
{
	struct login *l = login_new(shown->client, 0, shown->job.password);
	l->account = shown->account;
	l->epoch = shown->epoch;
	memcpy(l->address, shown->address, sizeof(l->address));
	l->job.make = l->job.scram_alone = true;
	l->job.rank = HASH_KNOWN;
	l->job.done = made_scram;
	l->job.crowded_out = login_drop;
	if (choose_salt(l))
		hashers_add(l->client->gate->hashers, &l->job);
	else
		login_free(l); /* made again at the next login, as when it can't be kept */
}

/* One of an older version, or brought along, has a salt of its own, with which no app password
 * works. */
static bool has_current_scram(const struct login *l)
{
	struct scram_verifier v = { .salt_n = 0 };
	uint8_t salt[SCRAM_SALT_BYTES];
	bool current = !scram_salt(
			       l->client->gate->facts.stand_in_key, str_from(l->address), salt) ||
		       (scram_verifier_read(str_from(l->scram), &v) &&
			       scram_verifier_is_current(&v, salt));
	mem_wipe(&v, sizeof(v));
	return current;
}

void make_the_rest(struct login *l)
{
	AUTO(buf_done)
	struct buf sealed;
	bool room;
	buf_init(&sealed, LIMIT_SECRET_BYTES);
	if (l->wants_sealed && seal(l, &sealed, &room))
		keep(l, SECRET_RECOVERABLE, buf_str(&sealed));
	if (l->wants_scram && !has_current_scram(l))
		make_scram(l);
}
