// SPDX-License-Identifier: Apache-2.0
/* Sorting: keys of messages, and their order. RFC 5256 3, RFC 5957 3. */
#include "imap/sort.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/vec.h"
#include "imap/facts.h"
#include "imap/merge.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "mail/encoded.h"

#include <stdlib.h>

/* ---- criteria ---- */

static const struct {
	struct str name;
	enum sort_key key;
} names[] = {
	{ STR_INIT("ARRIVAL"), SORT_ARRIVAL },
	{ STR_INIT("CC"), SORT_CC },
	{ STR_INIT("DATE"), SORT_DATE },
	{ STR_INIT("DISPLAYFROM"), SORT_DISPLAYFROM },
	{ STR_INIT("DISPLAYTO"), SORT_DISPLAYTO },
	{ STR_INIT("FROM"), SORT_FROM },
	{ STR_INIT("SIZE"), SORT_SIZE },
	{ STR_INIT("SUBJECT"), SORT_SUBJECT },
	{ STR_INIT("TO"), SORT_TO },
};

bool sort_needs_digest(enum sort_key key)
{
	return key != SORT_ARRIVAL && key != SORT_SIZE;
}

static void add_criterion(struct sort_criteria *c, enum sort_key key, bool reverse)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i].key == key)
			return;
	c->v[c->n].key = key;
	c->v[c->n++].reverse = reverse;
	c->needs_digest |= sort_needs_digest(key);
}

/* sort-criterion = ["REVERSE" SP] sort-key */
static bool criterion(struct scan *s, struct sort_criteria *c)
{
	bool reverse = scan_word_nocase(s, STR("REVERSE"));
	if (reverse && !scan_sp(s))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!scan_word_nocase(s, names[i].name))
			continue;
		add_criterion(c, names[i].key, reverse);
		return true;
	}
	return false;
}

bool sort_criteria_parse(struct scan *s, struct sort_criteria *ret)
{
	*ret = (struct sort_criteria){ .n = 0 };
	if (!scan_char(s, '('))
		return false;
	do {
		if (!criterion(s, ret))
			return false;
	} while (scan_sp(s));
	return scan_char(s, ')');
}

/* ---- keys ---- */

/* A number, or a text: its first 8 bytes as a number, and all of it. */
struct value {
	uint64_t first;
	const char *p;
	size_t n;
};

struct sorter {
	struct sort_criteria criteria;
	struct vec sequence; /* uint32_t */
	struct vec values;   /* struct value: criteria.n for each message */
	struct arena texts;
	struct arena scratch;
	struct buf text, display;
	size_t max, used;
	struct merge merge; /* of indices of sequence */
};

struct sorter *sorter_new(const struct sort_criteria *criteria, size_t max)
{
	struct sorter *t = xmalloc(sizeof(*t));
	t->criteria = *criteria;
	t->max = max;
	vec_init(&t->sequence, sizeof(uint32_t), LIMIT_VIEW_ENTRIES);
	vec_init(&t->values, sizeof(struct value), (size_t)LIMIT_VIEW_ENTRIES * SORT_KEYS);
	arena_init(&t->texts, max);
	arena_init(&t->scratch, 1024 * 1024);
	buf_init(&t->text, MAIL_SEARCH_GROWTH * LIMIT_DIGEST_BYTES);
	buf_init(&t->display, 3 * LIMIT_DIGEST_BYTES + 16);
	return t;
}

void sorter_free(struct sorter **t)
{
	if (*t == NULL)
		return;
	vec_done(&(*t)->sequence);
	vec_done(&(*t)->values);
	arena_done(&(*t)->texts);
	arena_done(&(*t)->scratch);
	buf_done(&(*t)->text);
	buf_done(&(*t)->display);
	merge_done(&(*t)->merge);
	free(*t);
	*t = NULL;
}

size_t sorter_bytes(const struct sorter *t)
{
	return t->used + t->texts.used;
}

/* Adds what an address shows: RFC 5957 3 for `display`, else its addr-mailbox (RFC 5256 3). The
 * start of a group has its name there (RFC 9051 7.5.2). */
static void add_address(struct sorter *t, const struct mail_address *a, bool display)
{
	struct str mailbox = a->kind == MAIL_ADDRESS_GROUP_START ? a->name : a->local;
	buf_clear(&t->display);
	if (display && a->kind == MAIL_ADDRESS_MAILBOX)
		mail_encoded_decode(a->name, &t->display);
	if (t->display.n == 0) {
		buf_adds(&t->display, mailbox);
		if (display && a->kind == MAIL_ADDRESS_MAILBOX && a->domain.p != NULL) {
			buf_addc(&t->display, '@');
			buf_adds(&t->display, a->domain);
		}
	}
	mail_casemap(buf_str(&t->display), &t->text);
}

static void first_address(struct sorter *t, struct str value, bool display)
{
	struct mail_addresses list = { .n = 0 };
	if (value.n == 0)
		return;
	arena_reset(&t->scratch);
	mail_addresses_parse(&t->scratch, value, &list);
	if (list.n > 0)
		add_address(t, &list.v[0], display);
}

static uint64_t number_of(int64_t n)
{
	return (uint64_t)n ^ (uint64_t)1 << 63;
}

/* The number of a key, or its text in t->text. True: it is a text. */
static bool key_of(struct sorter *t, enum sort_key key, const struct api_entry *e,
	const struct message_facts *m, uint64_t *ret_number)
{
	static const struct {
		enum facts_text field;
		bool display;
	} addresses[SORT_KEYS] = {
		[SORT_CC] = { FACTS_CC, false },
		[SORT_FROM] = { FACTS_FROM, false },
		[SORT_TO] = { FACTS_TO, false },
		[SORT_DISPLAYFROM] = { FACTS_FROM, true },
		[SORT_DISPLAYTO] = { FACTS_TO, true },
	};
	buf_clear(&t->text);
	if (key == SORT_ARRIVAL)
		*ret_number = number_of(e->time);
	else if (key == SORT_SIZE)
		*ret_number = e->size;
	else if (key == SORT_DATE)
		*ret_number = number_of(m->sent_ms);
	else if (key == SORT_SUBJECT)
		buf_adds(&t->text, m->text[FACTS_SUBJECT]);
	else
		first_address(t, m->text[addresses[key].field], addresses[key].display);
	return key != SORT_ARRIVAL && key != SORT_SIZE && key != SORT_DATE;
}

static bool add_value(struct sorter *t, bool text, uint64_t number)
{
	struct value v = { .first = number };
	if (text) {
		struct str kept = arena_str(&t->texts, buf_str(&t->text));
		if (kept.p == NULL)
			return false;
		v = (struct value){ .p = kept.p, .n = kept.n };
		for (size_t i = 0; i < 8; i++)
			v.first = v.first << 8 | (i < kept.n ? (unsigned char)kept.p[i] : 0);
	}
	return vec_push(&t->values, &v) != NULL;
}

bool sorter_add(struct sorter *t, uint32_t sequence, const struct api_entry *e,
	const struct message_facts *m)
{
	t->used += t->criteria.n * sizeof(struct value) + 3 * sizeof(uint32_t);
	if (t->used + t->texts.used > t->max)
		return false;
	for (size_t i = 0; i < t->criteria.n; i++) {
		uint64_t number = 0;
		bool text = key_of(t, t->criteria.v[i].key, e, m, &number);
		if (!add_value(t, text, number))
			return false;
	}
	return vec_push(&t->sequence, &sequence) != NULL;
}

bool sorter_add_ranked(struct sorter *t, uint32_t sequence, const struct api_entry *e,
	const uint32_t ranks[SORT_KEYS])
{
	t->used += t->criteria.n * sizeof(struct value) + 3 * sizeof(uint32_t);
	if (t->used > t->max)
		return false;
	for (size_t i = 0; i < t->criteria.n; i++) {
		enum sort_key key = t->criteria.v[i].key;
		uint64_t number = ranks[i];
		if (!sort_needs_digest(key))
			key_of(t, key, e, NULL, &number);
		if (!add_value(t, false, number))
			return false;
	}
	return vec_push(&t->sequence, &sequence) != NULL;
}

/* ---- sorting ---- */

static int compare_values(const struct value *a, const struct value *b)
{
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	size_t n = a->n < b->n ? a->n : b->n;
	int c = n > 8 ? memcmp(a->p + 8, b->p + 8, n - 8) : 0;
	if (c != 0)
		return c;
	return a->n < b->n ? -1 : a->n > b->n;
}

static int compare(const void *arg, uint32_t a, uint32_t b)
{
	const struct sorter *t = arg;
	size_t n = t->criteria.n;
	const struct value *values = (const void *)t->values.p; /* NULL when n is 0 */
	for (size_t i = 0; i < n; i++) {
		int c = compare_values(&values[a * n + i], &values[b * n + i]);
		if (c != 0)
			return t->criteria.v[i].reverse ? -c : c;
	}
	const uint32_t *sequence = (const void *)t->sequence.p;
	return sequence[a] < sequence[b] ? -1 : 1;
}

static void begin(struct sorter *t)
{
	merge_begin(&t->merge, t->sequence.n);
	for (size_t i = 0; i < t->merge.n; i++)
		t->merge.order[i] = (uint32_t)i;
}

bool sorter_step(struct sorter *t, size_t comparisons)
{
	if (t->merge.order == NULL)
		begin(t);
	return merge_step(&t->merge, &comparisons, compare, t);
}

size_t sorter_count(const struct sorter *t)
{
	return t->sequence.n;
}

uint32_t sorter_at(const struct sorter *t, size_t i)
{
	return *(const uint32_t *)(const void *)vec_at(&t->sequence, t->merge.order[i]);
}

bool sorter_equal(const struct sorter *t, size_t i, size_t k)
{
	const struct value *values = (const void *)t->values.p;
	size_t n = t->criteria.n;
	return compare_values(&values[t->merge.order[i] * n], &values[t->merge.order[k] * n]) == 0;
}
