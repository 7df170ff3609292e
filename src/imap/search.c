// SPDX-License-Identifier: Apache-2.0
/* A search against one message: three-valued logic over a postfix program. A leaf that the facts at
 * hand do not answer is open; the program's answer is often known without it. */
#include "imap/search_private.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/time.h"
#include "mail/charset.h"
#include "mail/date.h"
#include "mail/digest.h"
#include "mail/encoded.h"

#include <stdlib.h>

/* ---- before the first message ---- */

/* Numbers beyond the mailbox match nothing here; elsewhere they are BAD (view_resolve). */
static bool resolve_sequence(struct search_key *key, uint32_t exists)
{
	seqset_resolve(&key->set, exists);
	for (size_t i = 0; i < key->set.n && key->set.ranges[i].low <= exists; i++) {
		struct api_range r = key->set.ranges[i];
		if (!seq_ranges_add(&key->ranges, r.low, r.high < exists ? r.high : exists))
			return false;
	}
	return true;
}

/* The fields that a digest has, in its order. */
static const struct str digest_names[DIGEST_FIELDS] = {
	[DIGEST_DATE] = STR_INIT("Date"),
	[DIGEST_SUBJECT] = STR_INIT("Subject"),
	[DIGEST_FROM] = STR_INIT("From"),
	[DIGEST_SENDER] = STR_INIT("Sender"),
	[DIGEST_REPLY_TO] = STR_INIT("Reply-To"),
	[DIGEST_TO] = STR_INIT("To"),
	[DIGEST_CC] = STR_INIT("Cc"),
	[DIGEST_BCC] = STR_INIT("Bcc"),
	[DIGEST_IN_REPLY_TO] = STR_INIT("In-Reply-To"),
	[DIGEST_MESSAGE_ID] = STR_INIT("Message-ID"),
	[DIGEST_REFERENCES] = STR_INIT("References"),
};

/* DIGEST_FIELDS: no digest has it. */
static size_t digest_field(struct str name)
{
	size_t f = 0;
	while (f < DIGEST_FIELDS && !str_equal_nocase(name, digest_names[f]))
		f++;
	return f;
}

/* A key that the bytes answer alone becomes a needle. What the digest may answer does not: the text
 * that it is compared with there need not be that of the header's line. */
static void add_needle(struct search *search, struct search_key *key)
{
	bool bytes = key->op == SEARCH_BODY || key->op == SEARCH_TEXT ||
		     (key->op == SEARCH_HEADER && digest_field(key->field) == DIGEST_FIELDS);
	key->needle = -1;
	if (!bytes || search->n_needles == SEARCH_NEEDLES)
		return;
	struct search_needle *needle = &search->needles[search->n_needles];
	needle->n = signature_trigrams(key->text, needle->trigrams);
	if (needle->n > 0)
		key->needle = (int)search->n_needles++;
}

/* How many ranges seqset_contains looks at. */
static uint32_t looks(const struct vec *ranges)
{
	uint32_t looks = 0;
	for (size_t n = ranges->n; n > 0; n /= 2)
		looks++;
	return looks;
}

int search_begin(
	struct search *search, const struct view *v, const struct seqset *saved, struct err *err)
{
	size_t room = LIMIT_IMAP_SEARCH_RANGES;
	search->scratch = xcalloc(search->n, 2);
	search->n_needles = 0;
	search->work = search->texts = 0;
	for (size_t i = 0; i < search->n; i++) {
		struct search_key *key = &search->keys[i];
		bool ok = true;
		search->work++;
		search->texts += key->op >= SEARCH_HEADER;
		add_needle(search, key);
		if (key->op == SEARCH_KEYWORD)
			key->bit = view_keyword_bit(v, key->text);
		if (key->op == SEARCH_OLDER || key->op == SEARCH_YOUNGER)
			key->day = search->now_ms / 1000 - (int64_t)key->number;
		if (key->op != SEARCH_SEQUENCE && key->op != SEARCH_UID)
			continue;
		vec_init(&key->ranges, sizeof(struct api_range), room);
		if (key->op == SEARCH_UID || key->set.saved)
			ok = view_resolve(v, &key->set, true, saved, &key->ranges);
		else
			ok = resolve_sequence(key, view_exists(v));
		if (!ok)
			return fail(err, ERR_LIMIT, "the search is too large");
		room -= key->ranges.n;
		search->work += looks(&key->ranges);
	}
	return 0;
}

void search_end(struct search *search)
{
	for (size_t i = 0; i < search->n; i++)
		vec_done(&search->keys[i].ranges);
	free(search->scratch);
	search->scratch = NULL;
}

/* ---- logic ---- */

static enum truth and_of(const uint8_t *t, size_t n)
{
	enum truth all = TRUTH_YES;
	for (size_t i = 0; i < n; i++) {
		if (t[i] == TRUTH_NO)
			return TRUTH_NO;
		if (t[i] == TRUTH_OPEN)
			all = TRUTH_OPEN;
	}
	return all;
}

static uint8_t not_of(uint8_t t)
{
	return t == TRUTH_OPEN ? TRUTH_OPEN : t == TRUTH_YES ? TRUTH_NO : TRUTH_YES;
}

enum truth search_truth(const struct search *search, const uint8_t *leaves)
{
	uint8_t *stack = search->scratch + search->n;
	size_t n = 0;
	for (size_t i = 0; i < search->n; i++) {
		const struct search_key *key = &search->keys[i];
		switch ((int)key->op) {
		case SEARCH_AND:
			n -= key->count;
			stack[n] = (uint8_t)and_of(stack + n, key->count);
			n++;
			break;
		case SEARCH_OR: /* not (not a and not b) */
			n -= 2;
			stack[n] = not_of(stack[n]);
			stack[n + 1] = not_of(stack[n + 1]);
			stack[n] = not_of((uint8_t)and_of(stack + n, 2));
			n++;
			break;
		case SEARCH_NOT:
			stack[n - 1] = not_of(stack[n - 1]);
			break;
		default:
			stack[n++] = leaves[i];
		}
	}
	return n == 1 ? (enum truth)stack[0] : TRUTH_NO;
}

/* ---- from the entry ---- */

static int64_t day_of(int64_t ms)
{
	return ms / TIME_DAY_MS - (ms % TIME_DAY_MS < 0);
}

static int64_t seconds_of(int64_t ms)
{
	return ms / 1000 - (ms % 1000 < 0);
}

static enum truth truth(bool yes)
{
	return yes ? TRUTH_YES : TRUTH_NO;
}

static bool has_keyword(const struct api_entry *e, int bit)
{
	return bit >= 0 &&
	       ((bit < 64 ? e->keywords_low >> bit : e->keywords_high >> (bit - 64)) & 1);
}

static enum truth from_entry(const struct search_key *key, const struct view *v,
	const struct api_entry *e, uint32_t sequence)
{
	switch ((int)key->op) {
	case SEARCH_ALL:
		return TRUTH_YES;
	case SEARCH_NEVER:
		return TRUTH_NO;
	case SEARCH_FLAG:
		return truth((e->flags & key->flags) == key->flags);
	case SEARCH_RECENT:
		return truth((e->flags & key->flags) == 0 && view_is_recent(v, e->uid));
	case SEARCH_KEYWORD:
		return truth(has_keyword(e, key->bit));
	case SEARCH_SEQUENCE:
	case SEARCH_UID: {
		struct seqset set = seqset_of(&key->ranges);
		return truth(seqset_contains(&set, sequence));
	}
	case SEARCH_LARGER:
		return truth(e->size > key->number);
	case SEARCH_SMALLER:
		return truth(e->size < key->number);
	case SEARCH_MODSEQ:
		return truth(e->modseq >= key->number);
	case SEARCH_BEFORE:
		return truth(day_of(e->time) < key->day);
	case SEARCH_ON:
		return truth(day_of(e->time) == key->day);
	case SEARCH_SINCE:
		return truth(day_of(e->time) >= key->day);
	case SEARCH_OLDER: /* key->day is the target time in seconds: search_begin */
		return truth(seconds_of(e->time) <= key->day);
	case SEARCH_YOUNGER:
		return truth(seconds_of(e->time) >= key->day);
	case SEARCH_SAVED_BEFORE:
		return truth(day_of(entry_saved_ms(e)) < key->day);
	case SEARCH_SAVED_ON:
		return truth(day_of(entry_saved_ms(e)) == key->day);
	case SEARCH_SAVED_SINCE:
		return truth(day_of(entry_saved_ms(e)) >= key->day);
	case SEARCH_EMAIL_ID:
		return truth(e->entry_id == key->number && key->number != 0);
	default:
		return TRUTH_OPEN;
	}
}

void search_ask_entry(
	const struct search *search, const struct view *v, uint32_t sequence, uint8_t *leaves)
{
	const struct api_entry *e = view_entry(v, sequence);
	for (size_t i = 0; i < search->n; i++)
		leaves[i] = e == NULL ? TRUTH_NO
				      : (uint8_t)from_entry(&search->keys[i], v, e, sequence);
}

enum search_answer search_entry(
	const struct search *search, const struct view *v, uint32_t sequence)
{
	uint8_t *leaves = search->scratch;
	if (view_entry(v, sequence) == NULL)
		return SEARCH_NO;
	search_ask_entry(search, v, sequence, leaves);
	enum truth t = search_truth(search, leaves);
	return t == TRUTH_OPEN ? SEARCH_NEEDS_DIGEST : t == TRUTH_YES ? SEARCH_YES : SEARCH_NO;
}

/* ---- from the signature ---- */

void search_ask_signature(const struct search *search, uint8_t held, uint8_t *leaves)
{
	if (!(held & SEARCH_SIGNED))
		return;
	for (size_t i = 0; i < search->n; i++) {
		int needle = search->keys[i].needle;
		if (leaves[i] == TRUTH_OPEN && needle >= 0 && !(held >> needle & 1))
			leaves[i] = TRUTH_NO;
	}
}

enum search_answer search_signature(
	const struct search *search, const struct view *v, uint32_t sequence, uint8_t held)
{
	uint8_t *leaves = search->scratch;
	search_ask_entry(search, v, sequence, leaves);
	search_ask_signature(search, held, leaves);
	enum truth t = search_truth(search, leaves);
	return t == TRUTH_OPEN ? SEARCH_NEEDS_DIGEST : t == TRUTH_YES ? SEARCH_YES : SEARCH_NO;
}

/* ---- from the digest ---- */

/* What keys look at in a digest, each made once however many ask for it. */
struct looked_up {
	const struct digest_envelope *envelope;
	struct buf folded[DIGEST_FIELDS]; /* the values, decoded and as they are compared */
	unsigned made;                    /* a bit for each that is there */
	enum truth sent; /* whether there is a usable Date; TRUTH_OPEN: not known */
	int64_t sent_day;
};

static struct str folded(struct looked_up *l, size_t field)
{
	struct str value = l->envelope->value[field];
	struct buf *to = &l->folded[field], text;
	if (l->made >> field & 1)
		return buf_str(to);
	l->made |= 1u << field;
	buf_init(&text, value.n * 3 + 16);
	buf_init(to, text.max * MAIL_SEARCH_GROWTH);
	mail_encoded_decode(value, &text);
	mail_search_text(buf_str(&text), to);
	buf_done(&text);
	return buf_str(to);
}

static void looked_up_done(struct looked_up *l)
{
	for (size_t f = 0; f < DIGEST_FIELDS; f++)
		if (l->made >> f & 1)
			buf_done(&l->folded[f]);
}

static enum truth field_truth(const struct search_key *key, struct looked_up *l)
{
	const struct digest_envelope *e = l->envelope;
	size_t f = digest_field(key->field);
	if (f == DIGEST_FIELDS)
		return TRUTH_OPEN;
	if (e->value[f].p == NULL)
		return TRUTH_NO;
	if (key->text.n == 0 || str_search(folded(l, f), key->text) < folded(l, f).n)
		return TRUTH_YES;
	/* It may be in what the digest left out. */
	return ((e->duplicates | e->truncated) >> f) & 1 ? TRUTH_OPEN : TRUTH_NO;
}

/* "disregarding time and timezone" (RFC 9051 6.4.4). False: there is no usable Date, so the message
 * is of no day: the RFC speaks of the field alone (SORT has the day it arrived: RFC 5256 2.2). */
static bool sent_day(struct looked_up *l, int64_t *ret_day)
{
	struct mail_date date;
	struct str value = l->envelope->value[DIGEST_DATE];
	if (l->sent == TRUTH_OPEN) {
		l->sent = truth(value.p != NULL && mail_date_parse(value, &date));
		l->sent_day = l->sent == TRUTH_YES ? mail_date_local_day(&date) : 0;
	}
	*ret_day = l->sent_day;
	return l->sent == TRUTH_YES;
}

static bool was_sent(const struct search_key *key, struct looked_up *l)
{
	int64_t day;
	if (!sent_day(l, &day))
		return false;
	if (key->op == SEARCH_SENT_BEFORE)
		return day < key->day;
	return key->op == SEARCH_SENT_ON ? day == key->day : day >= key->day;
}

void search_ask_digest(const struct search *search, const struct digest *d, uint8_t *leaves)
{
	struct looked_up l = { .envelope = &d->envelope };
	for (size_t i = 0; i < search->n; i++) {
		const struct search_key *key = &search->keys[i];
		if (leaves[i] != TRUTH_OPEN)
			continue;
		if (key->op >= SEARCH_SENT_BEFORE && key->op <= SEARCH_SENT_SINCE)
			leaves[i] = (uint8_t)truth(was_sent(key, &l));
		else if (key->op == SEARCH_HEADER)
			leaves[i] = (uint8_t)field_truth(key, &l);
	}
	looked_up_done(&l);
}

enum search_answer search_digest(const struct search *search, const struct view *v,
	uint32_t sequence, uint8_t held, const struct digest *d)
{
	uint8_t *leaves = search->scratch;
	const struct api_entry *e = view_entry(v, sequence);
	if (e == NULL)
		return SEARCH_NO;
	search_ask_entry(search, v, sequence, leaves);
	search_ask_signature(search, held, leaves);
	search_ask_digest(search, d, leaves);
	enum truth t = search_truth(search, leaves);
	return t == TRUTH_OPEN ? SEARCH_NEEDS_BYTES : t == TRUTH_YES ? SEARCH_YES : SEARCH_NO;
}
