// SPDX-License-Identifier: Apache-2.0
/*
 * Views that were read, kept in memory for who opens them next (ARCHITECTURE.md, Views: base and
 * log). A base is a mailbox at a modseq; its change log lives as long as it, and when the mailbox
 * is opened again the base is brought up to date from it, without a look at the ledger. The log has
 * what was published, which is on disk.
 *
 * When the log is full the base takes in what is about to go from it, so it never falls behind:
 * flags of a whole large mailbox are no reason to read it again.
 *
 * What is kept is at most LIMIT_BASES_BYTES; the one that was not used for longest goes. A mailbox
 * that nobody watches and that changes a lot is not kept up to date for nobody.
 */
#include "store/store_private.h"

#include <stdlib.h>

/* ---- correcting ---- */

size_t entries_from(const struct vec *entries, uint32_t uid)
{
	size_t low = 0, high = entries->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (((struct api_entry *)vec_at(entries, mid))->uid < uid)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Changed entries take the place of the old; new ones (beyond the last) go to the end. */
static int put_entries(struct vec *entries, const struct vec *changed, struct err *err)
{
	VEC_EACH (struct api_entry, entry, changed) {
		size_t at = entries_from(entries, entry->uid);
		struct api_entry *have = at < entries->n ? vec_at(entries, at) : NULL;
		if (have && have->uid == entry->uid)
			*have = *entry;
		else if (at < entries->n || vec_push(entries, entry) == NULL)
			return fail(err, ERR_LIMIT, "the mailbox is too large for a view");
	}
	return 0;
}

static void drop_entries(struct vec *entries, const struct vec *expunged)
{
	if (expunged->n == 0)
		return;
	size_t kept = entries_from(entries, *(uint32_t *)vec_at(expunged, 0)), gone = 0;
	for (size_t i = kept; i < entries->n; i++) {
		const struct api_entry *entry = vec_at(entries, i);
		while (gone < expunged->n && *(uint32_t *)vec_at(expunged, gone) < entry->uid)
			gone++;
		if (gone < expunged->n && *(uint32_t *)vec_at(expunged, gone) == entry->uid)
			continue;
		memmove(vec_at(entries, kept++), entry, sizeof(*entry));
	}
	entries->n = kept;
}

static int take_in(
	const struct mailbox_log *log, size_t from, size_t to, struct vec *entries, struct err *err)
{
	struct vec changed, expunged;
	vec_init(&changed, sizeof(struct api_entry), LIMIT_CHANGE_LOG);
	vec_init(&expunged, sizeof(uint32_t), LIMIT_CHANGE_LOG);
	int rc = log_part(log, from, to, &changed, &expunged, err);
	if (rc == 0)
		drop_entries(entries, &expunged);
	if (rc == 0)
		rc = put_entries(entries, &changed, err);
	vec_done(&changed);
	vec_done(&expunged);
	return rc;
}

int log_correct(const struct mailbox_log *log, uint64_t since, struct vec *entries, struct err *err)
{
	if (!log_reaches(log, since))
		return fail(err, ERR_LIMIT, "changes since then are not known any more");
	return take_in(log, log_behind(log, since), log->items.n, entries, err);
}

/* ---- which are kept ---- */

/* With the longest log that it may have while nobody watches: nothing grows beyond the sum. */
static size_t bytes_of(const struct vec *entries)
{
	return entries->cap * entries->size + LIMIT_BASE_CHANGES * 2 * sizeof(struct logged);
}

static void leave_list(struct store *store, struct base *b)
{
	*(b->newer ? &b->newer->older : &store->newest) = b->older;
	*(b->older ? &b->older->newer : &store->oldest) = b->newer;
	b->newer = b->older = NULL;
	store->bases_bytes -= b->bytes;
}

static void enter_list(struct store *store, struct base *b)
{
	b->bytes = bytes_of(&b->entries);
	store->bases_bytes += b->bytes;
	b->newer = NULL;
	b->older = store->newest;
	*(b->older ? &b->older->newer : &store->oldest) = b;
	store->newest = b;
}

void base_put(struct base **base)
{
	struct base *b = *base;
	*base = NULL;
	if (b == NULL || --b->refs > 0)
		return;
	vec_done(&b->entries);
	free(b->name);
	free(b);
}

void base_drop(struct store *store, struct mailbox_log *log)
{
	struct base *b = log->base;
	if (b == NULL)
		return;
	log->base = NULL;
	leave_list(store, b);
	b->log = NULL;
	base_put(&b);
	log->users--;
	log_release(store, log);
}

void bases_drop(struct store *store)
{
	while (store->oldest)
		base_drop(store, store->oldest->log);
}

void bases_forget(struct store *store)
{
	store->rewrites++;
	bases_drop(store);
}

/* This one stays: it is in use. */
static void make_room(struct store *store, const struct base *but)
{
	while (store->bases_bytes > store->settings.bounds->bases_bytes && store->oldest != but)
		base_drop(store, store->oldest->log);
}

static void keep(struct store *store, struct mailbox_log *log, struct base *b)
{
	log->base = b;
	log->users++;
	b->log = log;
	b->refs++;
	enter_list(store, b);
	make_room(store, b);
}

/* One that would push out most of the others is not worth it. */
static bool fits(const struct store *store, size_t bytes)
{
	return bytes <= store->settings.bounds->bases_bytes / 2;
}

bool base_fits(const struct store *store, size_t entries)
{
	return fits(store, entries * sizeof(struct api_entry));
}

struct base *base_new(struct store *store, struct mailbox_log *log, const struct api_mailbox *m,
	struct vec *entries)
{
	if (!fits(store, bytes_of(entries)))
		return NULL;
	struct base *b = xmalloc(sizeof(*b));
	*b = (struct base){ .refs = 1,
		.uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.modseq = m->highest_modseq,
		.entries = *entries };
	vec_init(entries, entries->size, entries->max);
	b->at = log_behind(log, b->modseq);
	if (log->base == NULL && !log->gone && log_reaches(log, b->modseq))
		keep(store, log, b);
	return b;
}

struct base *base_bare(struct store *store, struct mailbox_log *log, const struct api_mailbox *m,
	const uint32_t *unseen)
{
	struct base *b = xmalloc(sizeof(*b));
	*b = (struct base){ .refs = 1,
		.uidvalidity = m->uidvalidity,
		.uidnext = m->uidnext,
		.modseq = m->highest_modseq,
		.bare = true,
		.messages = m->messages,
		.unseen = unseen ? *unseen : 0,
		.unseen_known = unseen != NULL };
	vec_init(&b->entries, sizeof(struct api_entry), 1);
	b->at = log_behind(log, b->modseq);
	if (log->base == NULL && !log->gone && log_reaches(log, b->modseq) &&
		log->latest <= b->modseq)
		keep(store, log, b);
	return b;
}

/* ---- names ---- */

void base_name(struct base *b, struct str name)
{
	if (b->name == NULL)
		b->name = str_dup(name);
}

/* There are a few hundred at most. */
struct mailbox_log *base_log(struct store *store, uint64_t account, struct str name)
{
	for (struct base *b = store->newest; b; b = b->older)
		if (b->name && b->log->account == account && str_equal(str_from(b->name), name))
			return b->log;
	return NULL;
}

void bases_forget_names(struct store *store)
{
	store->rewrites++;
	for (struct base *b = store->newest; b; b = b->older) {
		free(b->name);
		b->name = NULL;
	}
}

/* ---- up to date ---- */

/* Answers under way keep theirs as it is: it goes on as a copy. */
static struct base *alone(struct store *store, struct base *b)
{
	if (b->refs == 1)
		return b;
	struct mailbox_log *log = b->log;
	struct base *copy = xmalloc(sizeof(*copy));
	*copy = *b;
	copy->refs = 0;
	b->name = NULL; /* moves along */
	vec_init(&copy->entries, b->entries.size, b->entries.max);
	VEC_EACH (struct api_entry, entry, &b->entries)
		vec_push(&copy->entries, entry);
	log->users++; /* it outlives the exchange */
	base_drop(store, log);
	log->users--;
	keep(store, log, copy);
	return copy;
}

/* What nobody will ask for is forgotten: there are the base and who asks for it. */
static void shorten(struct mailbox_log *log, struct base *b)
{
	if (log->watches || log->users > 2)
		return;
	vec_done(&log->items);
	b->at = 0;
	log->floor = b->modseq;
	log->floor_uidnext = b->uidnext;
	log->dropped = 0;
}

/* Behind what it had when it was read, which may have been ahead of what was published. */
static void pass_by_known(const struct mailbox_log *log, struct base *b, size_t to)
{
	while (b->at < to &&
		((const struct logged *)vec_at(&log->items, b->at))->modseq <= b->modseq)
		b->at++;
}

/* Takes in the log up to an item; NULL: it can't, and is not kept any more. */
static struct base *catch_up(struct store *store, struct mailbox_log *log, size_t to)
{
	struct base *b = log->base;
	struct err err = ERR_INIT;
	if (b)
		pass_by_known(log, b, to);
	if (b == NULL || b->at >= to)
		return b;
	if (b->bare) {
		base_drop(store, log);
		return NULL;
	}
	b = alone(store, b);
	if (take_in(log, b->at, to, &b->entries, &err) < 0) {
		base_drop(store, log);
		return NULL;
	}
	b->at = to;
	b->unseen_known = false;
	return b;
}

/* It may have grown: others go for it, or it itself. */
static void stay_within(struct store *store, struct mailbox_log *log, struct base *b)
{
	store->bases_bytes += bytes_of(&b->entries) - b->bytes;
	b->bytes = bytes_of(&b->entries);
	if (b->bytes > store->settings.bounds->bases_bytes)
		base_drop(store, log);
	else
		make_room(store, b);
}

void base_keep_up(struct store *store, struct mailbox_log *log, size_t to)
{
	struct base *b = catch_up(store, log, to);
	if (b)
		stay_within(store, log, b);
}

static void apply_flags(struct vec *entries, const struct change *change)
{
	const struct op_flags *op = change->flags.op;
	for (size_t r = 0; r < op->uids.n; r++) {
		struct api_range range = op->uids.items[r];
		for (size_t i = entries_from(entries, range.low); i < entries->n; i++) {
			struct api_entry *x = vec_at(entries, i);
			if (x->uid > range.high)
				break;
			if (x->modseq < change->modseq && x->modseq <= op->unchanged_since &&
				op_flags_apply(op, change->flags.bits, x))
				x->modseq = change->modseq;
		}
	}
}

void base_flags(struct store *store, struct mailbox_log *log, const struct change *change)
{
	/* What was read later has this already, and perhaps what came after it. */
	bool newer = log->base && change->modseq > log->base->modseq;
	if (newer && log->base->bare)
		base_drop(store, log);
	struct base *b = newer ? catch_up(store, log, log->items.n) : log->base;
	vec_clear(&log->items);
	log->dropped = change->modseq;
	if (b == NULL)
		return;
	b->at = 0;
	if (!newer)
		return;
	b = alone(store, b);
	apply_flags(&b->entries, change);
	b->unseen_known = false;
}

void base_moved(struct mailbox_log *log, size_t gone)
{
	if (log->base)
		log->base->at -= gone;
}

/* All of the log; NULL: it is not kept any more. */
static struct base *bring_up_to_date(struct store *store, struct mailbox_log *log)
{
	bool newer = log->base && log->latest > log->base->modseq;
	struct base *b = catch_up(store, log, log->items.n);
	if (b && newer && b->bare) {
		base_drop(store, log);
		return NULL;
	}
	if (b && newer) {
		b->modseq = log->latest;
		if (log->uidnext > b->uidnext)
			b->uidnext = log->uidnext;
		shorten(log, b);
	}
	return b;
}

struct base *base_get(struct store *store, struct mailbox_log *log)
{
	struct base *b = bring_up_to_date(store, log);
	if (b == NULL)
		return NULL;
	b->refs++;
	leave_list(store, b);
	enter_list(store, b);
	stay_within(store, log, b);
	return b;
}

void base_unwatched(struct store *store, struct mailbox_log *log)
{
	struct base *b = log->watches ? NULL : bring_up_to_date(store, log);
	if (b)
		stay_within(store, log, b);
	base_unless_long(store, log);
}

void base_unless_long(struct store *store, struct mailbox_log *log)
{
	struct base *b = log->base;
	bool old = b && b->bare && log->latest > b->modseq;
	if (old || (log->watches == NULL && log->items.n > LIMIT_BASE_CHANGES))
		base_drop(store, log);
}

uint32_t entries_unseen(const struct vec *entries, size_t from)
{
	for (size_t i = from; i < entries->n; i++)
		if (!(((const struct api_entry *)vec_at(entries, i))->flags & FLAG_SEEN))
			return (uint32_t)i + 1;
	return 0;
}

uint32_t base_unseen(struct base *b)
{
	if (!b->unseen_known)
		b->unseen = entries_unseen(&b->entries, 0);
	b->unseen_known = true;
	return b->unseen;
}
