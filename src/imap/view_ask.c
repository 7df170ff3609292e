// SPDX-License-Identifier: Apache-2.0
/* What the client may ask of a view: entries by number and by UID, and sets of either. */
#include "imap/view_private.h"

size_t view_lower_bound(const struct view *v, size_t n, uint32_t uid)
{
	size_t low = 0, high = n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (v->entries[mid].uid < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

uint32_t view_exists(const struct view *v)
{
	return (uint32_t)v->told;
}

uint32_t view_last_uid(const struct view *v)
{
	return v->told ? v->entries[v->told - 1].uid : 0;
}

const struct api_entry *view_entry(const struct view *v, uint32_t sequence)
{
	return sequence == 0 || sequence > v->told ? NULL : &v->entries[sequence - 1];
}

bool view_is_gone(const struct view *v, uint32_t sequence)
{
	return sequence > 0 && sequence <= v->told && (v->marks[sequence - 1] & VIEW_GONE);
}

uint32_t view_sequence(const struct view *v, uint32_t uid)
{
	size_t i = view_lower_bound(v, v->told, uid);
	return i < v->told && v->entries[i].uid == uid ? (uint32_t)(i + 1) : 0;
}

/* A range of UIDs as sequence numbers; nothing when there is none in it. */
static bool resolve_uids(const struct view *v, uint32_t low, uint32_t high, struct vec *ret)
{
	size_t from = view_lower_bound(v, v->told, low);
	size_t to = high == UINT32_MAX ? v->told : view_lower_bound(v, v->told, high + 1);
	return from >= to || seq_ranges_add(ret, (uint32_t)from + 1, (uint32_t)to);
}

static bool resolve_one(const struct view *v, struct api_range r, bool uid, struct vec *ret)
{
	if (uid)
		return resolve_uids(v, r.low, r.high, ret);
	return r.high <= v->told && seq_ranges_add(ret, r.low, r.high);
}

/* What the ranges with "*" stand for together; false: nothing. */
static bool star_range(
	const struct view *v, const struct seqset *set, bool uid, struct api_range *ret)
{
	uint32_t last = uid ? view_last_uid(v) : view_exists(v);
	if (!set->star)
		return false;
	ret->low = last > 0 && last < set->star_low ? last : set->star_low;
	ret->high = last > set->star_high ? last : set->star_high;
	return ret->low <= ret->high;
}

/* The two parts, each in order, are one sequence in order: `star` goes in where it belongs, and
 * seq_ranges_add joins what overlaps. */
static bool resolve(const struct view *v, const struct seqset *set, bool uid, struct vec *ret)
{
	struct api_range star;
	bool pending = star_range(v, set, uid, &star);
	for (size_t i = 0; i < set->n; i++) {
		if (pending && star.low <= set->ranges[i].low) {
			if (!resolve_one(v, star, uid, ret))
				return false;
			pending = false;
		}
		if (!resolve_one(v, set->ranges[i], uid, ret))
			return false;
	}
	return !pending || resolve_one(v, star, uid, ret);
}

bool view_resolve(const struct view *v, const struct seqset *set, bool uid,
	const struct seqset *saved, struct vec *ret)
{
	vec_clear(ret);
	if (set->saved)
		return saved == NULL || resolve(v, saved, true, ret);
	/* "*" in an empty mailbox is no sequence number (RFC 9051 9, seq-number). */
	if (set->star && !uid && v->told == 0)
		return false;
	return resolve(v, set, uid, ret);
}

void view_absent(const struct view *v, uint32_t low, uint32_t high, struct vec *ret)
{
	size_t i = view_lower_bound(v, v->n, low);
	for (; i < v->n && v->entries[i].uid <= high; i++) {
		if (v->entries[i].uid > low)
			seq_ranges_add(ret, low, v->entries[i].uid - 1);
		if (v->entries[i].uid == UINT32_MAX)
			return;
		low = v->entries[i].uid + 1;
	}
	if (low <= high)
		seq_ranges_add(ret, low, high);
}

/* UIDs never come back, so between the UIDs of two neighbours nothing lives: a range of numbers
 * without gone entries is a range of UIDs. */
void view_uids(const struct view *v, const struct vec *sequence, struct vec *ret)
{
	vec_clear(ret);
	VEC_EACH (const struct api_range, r, sequence) {
		for (size_t i = r->low; i <= r->high && i <= v->told; i++) {
			uint32_t low = v->entries[i - 1].uid;
			if (v->marks[i - 1] & VIEW_GONE)
				continue;
			while (i < r->high && i < v->told && !(v->marks[i] & VIEW_GONE))
				i++;
			seq_ranges_add(ret, low, v->entries[i - 1].uid);
		}
	}
}
