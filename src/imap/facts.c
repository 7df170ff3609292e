// SPDX-License-Identifier: Apache-2.0
/* What was seen of messages; see facts.h. A record is numbers, the lengths of all texts and then
 * their bytes. */
#include "imap/facts.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/subject.h"

#include <stdlib.h>

#define SLOT_BYTES 64 /* of a map, at its emptiest */
/* Of a field, so much is looked at for its first address. */
#define ADDRESS_BYTES 4096

struct record {
	int64_t sent_ms;
	uint32_t lengths[FACTS_TEXTS];
	bool reply;
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

/* ---- reading ---- */

void facts_reader_init(struct facts_reader *r)
{
	buf_init(&r->base, 3 * LIMIT_DIGEST_BYTES + 16);
	buf_init(&r->subject, MAIL_SEARCH_GROWTH * LIMIT_DIGEST_BYTES);
	buf_init(&r->id, LIMIT_DIGEST_BYTES);
	/* the shortest id is 3 bytes of 5, and its length 4 */
	buf_init(&r->ids, 2 * LIMIT_DIGEST_BYTES);
}

void facts_reader_done(struct facts_reader *r)
{
	buf_done(&r->base);
	buf_done(&r->subject);
	buf_done(&r->id);
	buf_done(&r->ids);
}

static bool read_subject(struct facts_reader *r, struct str value)
{
	bool reply = false;
	buf_clear(&r->base);
	buf_clear(&r->subject);
	if (value.n == 0)
		return false;
	mail_base_subject(value, &r->base, &reply);
	mail_casemap(buf_str(&r->base), &r->subject);
	return reply;
}

static void add_id(struct facts_reader *r, struct str id)
{
	uint32_t n = (uint32_t)id.n;
	buf_add(&r->ids, &n, sizeof(n));
	buf_adds(&r->ids, id);
}

/* Adds the ids of a field, at most so many; how many they are. */
static size_t add_ids(struct facts_reader *r, struct str field, size_t most)
{
	size_t n = 0;
	for (; n < most && mail_reference_next(&field, &r->id); n++)
		add_id(r, buf_str(&r->id));
	return n;
}

static void read_ids(struct facts_reader *r, const struct digest_envelope *e)
{
	buf_clear(&r->ids);
	if (add_ids(r, e->value[DIGEST_MESSAGE_ID], 1) == 0)
		add_id(r, STR_NONE);
	if (add_ids(r, e->value[DIGEST_REFERENCES], SIZE_MAX) == 0)
		add_ids(r, e->value[DIGEST_IN_REPLY_TO], 1);
}

void facts_read(struct facts_reader *r, const struct api_entry *e, const struct digest *d,
	struct message_facts *ret)
{
	struct mail_date date;
	*ret = (struct message_facts){ .sent_ms = e->time };
	if (d == NULL)
		return;
	const struct str *value = d->envelope.value;
	if (value[DIGEST_DATE].p != NULL && mail_date_parse(value[DIGEST_DATE], &date))
		ret->sent_ms = date.ms;
	ret->reply = read_subject(r, value[DIGEST_SUBJECT]);
	ret->text[FACTS_SUBJECT] = buf_str(&r->subject);
	read_ids(r, &d->envelope);
	ret->text[FACTS_IDS] = buf_str(&r->ids);
	ret->text[FACTS_FROM] = str_sub(value[DIGEST_FROM], 0, ADDRESS_BYTES);
	ret->text[FACTS_TO] = str_sub(value[DIGEST_TO], 0, ADDRESS_BYTES);
	ret->text[FACTS_CC] = str_sub(value[DIGEST_CC], 0, ADDRESS_BYTES);
}

bool facts_next_id(struct str *ids, struct str *ret)
{
	uint32_t n;
	if (ids->n == 0)
		return false;
	memcpy(&n, ids->p, sizeof(n));
	*ret = str_sub(*ids, sizeof(n), n);
	*ids = str_from_offset(*ids, sizeof(n) + n);
	return true;
}

/* ---- keeping ---- */

void facts_put(struct facts *f, uint32_t uid, const struct message_facts *m)
{
	size_t n = sizeof(struct record), at = 0;
	for (size_t i = 0; i < FACTS_TEXTS; i++)
		n += m->text[i].n;
	if (f->records.used + n + (f->by_uid.n + 1) * SLOT_BYTES > f->max)
		return;
	struct record *r = arena_alloc(&f->records, n);
	if (r == NULL || map_get_u64(&f->by_uid, uid) != NULL)
		return;
	r->sent_ms = m->sent_ms;
	r->reply = m->reply;
	for (size_t i = 0; i < FACTS_TEXTS; i++) {
		r->lengths[i] = (uint32_t)m->text[i].n;
		if (m->text[i].n > 0)
			memcpy(r->bytes + at, m->text[i].p, m->text[i].n);
		at += m->text[i].n;
	}
	map_put_u64(&f->by_uid, uid, r);
}

bool facts_get(const struct facts *f, uint32_t uid, struct message_facts *ret)
{
	const struct record *r = f == NULL ? NULL : map_get_u64(&f->by_uid, uid);
	size_t at = 0;
	if (r == NULL)
		return false;
	*ret = (struct message_facts){ .sent_ms = r->sent_ms, .reply = r->reply };
	for (size_t i = 0; i < FACTS_TEXTS; i++) {
		ret->text[i] = str_make(r->bytes + at, r->lengths[i]);
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
