// SPDX-License-Identifier: Apache-2.0
/* The table of mechanisms that take more than a password, and what they share. */
#include "auth/exchange_private.h"

#include "auth/sealed.h"

#include <stdlib.h>

static const struct exchange_mechanism mechanisms[] = {
	{ STR_INIT("SCRAM-SHA-256-PLUS"), scram_begin, scram_account, scram_response, true },
	{ STR_INIT("SCRAM-SHA-256"), scram_begin, scram_account, scram_response, false },
	{ STR_INIT("EXTERNAL"), external_begin, external_account, NULL, false },
	{ STR_INIT("CRAM-MD5"), cram_begin, cram_account, cram_response, false },
	{ STR_INIT("APOP"), apop_begin, apop_account, NULL, false },
};

static const struct exchange_mechanism *find(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++)
		if (str_equal(mechanisms[i].name, name))
			return &mechanisms[i];
	return NULL;
}

bool exchange_known(struct str mechanism)
{
	return find(mechanism) != NULL;
}

bool exchange_facts_init(struct exchange_facts *f)
{
	AUTO(buf_done)
	struct buf sealed;
	uint8_t text[16];
	buf_init(&sealed, sizeof(f->stand_in));
	f->seams->random->fill(f->seams->random, text, sizeof(text));
	if (!sealed_make(f->seams->random, f->sealed_key, STR(""), str_make(text, sizeof(text)),
		    &sealed))
		return false;
	memcpy(f->stand_in, sealed.p, sealed.n);
	f->stand_in_n = sealed.n;
	return true;
}

static void keep(struct buf *b, struct str s)
{
	buf_init(b, s.n + 1);
	buf_adds(b, s);
}

struct exchange *exchange_new(
	const struct exchange_facts *facts, const struct frame_exchange_begin *f)
{
	const struct exchange_mechanism *m = find(f->mechanism);
	if (m == NULL)
		return NULL;
	struct exchange *x = xmalloc(sizeof(*x));
	x->mechanism = m;
	x->facts = facts;
	x->has_data = f->has_data;
	x->plus_announced = f->plus;
	x->reason = "";
	x->key.services = SERVICES_ALL;
	keep(&x->data, f->data);
	keep(&x->exporter, f->exporter);
	keep(&x->endpoint, f->endpoint);
	keep(&x->certificate, f->certificate);
	keep(&x->greeting, f->greeting);
	buf_init(&x->user, LIMIT_SCRAM_MESSAGE_BYTES);
	buf_init(&x->authzid, LIMIT_SCRAM_MESSAGE_BYTES);
	buf_init(&x->challenge, LIMIT_SCRAM_MESSAGE_BYTES);
	scram_init(&x->scram);
	return x;
}

void exchange_free(struct exchange **exchange)
{
	struct exchange *x = *exchange;
	if (x == NULL)
		return;
	scram_done(&x->scram);
	buf_done(&x->data);
	buf_done(&x->exporter);
	buf_done(&x->endpoint);
	buf_done(&x->certificate);
	buf_done(&x->greeting);
	buf_done(&x->user);
	buf_done(&x->authzid);
	buf_done(&x->challenge);
	mem_wipe(x, sizeof(*x));
	free(x);
	*exchange = NULL;
}

enum exchange_step exchange_begin(struct exchange *x)
{
	return x->mechanism->begin(x);
}

enum exchange_step exchange_account(
	struct exchange *x, const struct frame_credentials *c, struct str name)
{
	return x->mechanism->account(x, c, name);
}

enum exchange_step exchange_response(struct exchange *x, struct str message)
{
	if (x->mechanism->response == NULL)
		return exchange_bad(x, "no-answer-was-asked-for");
	return x->mechanism->response(x, message);
}

enum exchange_step exchange_wrong(struct exchange *x, const char *reason)
{
	x->reason = reason;
	return EXCHANGE_WRONG;
}

enum exchange_step exchange_bad(struct exchange *x, const char *reason)
{
	x->reason = reason;
	return EXCHANGE_BAD;
}

enum exchange_step exchange_no_memory(struct exchange *x)
{
	x->reason = "no-memory";
	return EXCHANGE_NO_MEMORY;
}

struct str exchange_secret(const struct frame_credentials *c, enum secret_kind kind)
{
	for (size_t i = 0; c && i < c->secrets.n; i++)
		if (c->secrets.items[i].kind == kind)
			return c->secrets.items[i].value;
	return STR_NONE;
}

struct str exchange_challenge(const struct exchange *x)
{
	return buf_str(&x->challenge);
}

struct str exchange_user(const struct exchange *x)
{
	return buf_str(&x->user);
}

struct str exchange_authzid(const struct exchange *x)
{
	return buf_str(&x->authzid);
}

struct str exchange_mechanism(const struct exchange *x)
{
	return x->mechanism->name;
}

struct str exchange_certificate(const struct exchange *x)
{
	return buf_str(&x->certificate);
}

struct exchange_key exchange_key(const struct exchange *x)
{
	return x->key;
}

struct exchange_key exchange_key_of(const struct api_secret *s)
{
	return (struct exchange_key){
		.id = s->id, .kind = s->kind, .services = s->services, .used_ms = s->used_ms
	};
}

const char *exchange_reason(const struct exchange *x)
{
	return x->reason;
}

unsigned exchange_work(const struct exchange *x)
{
	return x->work + x->scram.work;
}
