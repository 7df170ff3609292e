// SPDX-License-Identifier: Apache-2.0
/* SORT and THREAD (RFC 5256; DISPLAYFROM, DISPLAYTO: RFC 5957; RETURN: RFC 5267 3), by number and
 * by UID. First a search, as SEARCH does it; then the digests of what was found stream by; then
 * what was taken from them is put in order, in steps between which others have their turn. */
#include "imap/gather.h"
#include "imap/search_run.h"
#include "imap/sort.h"
#include "imap/thread.h"

#define COMPARISONS_A_TURN 20000
#define RANKED_A_TURN      50000

_Static_assert((int)SORT_KEYS == (int)FACTS_KEYS, "facts keeps ranks of each key");

struct sort_work {
	struct search_run run;
	struct vec found; /* uint32_t: sequence numbers */
	struct gather gather;
	/* SORT */
	struct sort_criteria criteria;
	struct sorter *sorter;
	size_t ranked;              /* of found: put in by rank */
	size_t ranks_at[SORT_KEYS]; /* facts_rank's, of each criterion */
	struct search_result result;
	struct search_write write;
	/* THREAD */
	struct threader *threader;
	size_t counted; /* of the host's sort_bytes */
};

/* What is in memory now. False: with that of others it is more than there may be. Everybody has a
 * share that he may take whatever others do: who leaves large threads unread keeps nobody from
 * sorting a mailbox of usual size. */
static bool count(struct imap *s, struct sort_work *w, size_t bytes)
{
	uint64_t *all = &s->session.host->sort_bytes;

	*all = *all - w->counted + bytes;
	w->counted = bytes;
	return *all <= LIMIT_IMAP_SORTS_BYTES || bytes <= LIMIT_IMAP_SORT_SHARE_BYTES;
}

static void drop(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	search_run_done(&w->run);
	vec_done(&w->found);
	gather_done(&w->gather);
	sorter_free(&w->sorter);
	search_result_done(&w->result);
	threader_free(&w->threader);
	count(s, w, 0);
}

static struct sort_work *begin(struct imap *s)
{
	struct sort_work *w = imap_work(s, sizeof *w, drop);

	search_run_init(&w->run);
	vec_init(&w->found, sizeof(uint32_t), LIMIT_VIEW_ENTRIES);
	gather_init(&w->gather);
	search_result_init(&w->result);
	w->result.sorted = true;
	return w;
}

static bool is_save(const struct sort_work *w)
{
	return (w->run.search.returns & SEARCH_RETURN_SAVE) != 0;
}

static void refuse(struct imap *s, enum err_kind kind)
{
	struct sort_work *w = s->cmd.work;

	s->cmd.busy = false;
	if (is_save(w)) /* RFC 9051 6.4.4.1: NO empties "$" */
		vec_clear(&s->sel.saved);
	reply_err(s, kind, kind == ERR_LIMIT ? STR("Too many messages to put in order") : STR_NONE);
	imap_finish(s);
}

static bool found(struct imap *s, uint32_t sequence)
{
	struct sort_work *w = s->cmd.work;

	return vec_push(&w->found, &sequence) != NULL &&
	       search_result_keep(&w->result, &w->run.search, s->sel.view, sequence);
}

/* ---- SORT ---- */

static void sort_write_step(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	if (!search_result_write(&w->result, &w->run.search, s->cmd.tag, s->cmd.uid, false,
		    &w->write, &s->session.out)) {
		s->cmd.within = true;
		s->step = sort_write_step;
		return;
	}
	s->cmd.within = false;
	if (is_save(w))
		search_result_save(&w->result, &w->run.search, &s->sel.saved);
	reply_ok(s, NULL, "SORT completed");
	imap_finish(s);
}

/* Where the messages came by the first key is there for the next SORT. The ranks are put down by
 * sequence number, so they are in order. */
static void keep_ranks(struct imap *s, struct sort_work *w)
{
	size_t n = sorter_count(w->sorter), most = view_exists(s->sel.view);
	unsigned key = w->criteria.v[0].key;
	uint32_t rank = 1, *ranks;
	struct vec kept;

	if (w->ranked > 0 || s->sel.facts == NULL || !sort_needs_digest(key) ||
		n > LIMIT_IMAP_RANKS)
		return;
	ranks = xcalloc(most + 1, sizeof *ranks); /* 0: was not found */
	for (size_t i = 0; i < n; i++) {
		rank += i > 0 && !sorter_equal(w->sorter, i - 1, i);
		ranks[sorter_at(w->sorter, i)] = w->criteria.v[0].reverse ? (uint32_t)n + 1 - rank
									  : rank;
	}
	vec_init(&kept, sizeof(struct facts_rank), LIMIT_IMAP_RANKS);
	for (uint32_t i = 1; i <= most; i++)
		if (ranks[i] != 0)
			vec_push(&kept,
				&(struct facts_rank){ view_entry(s->sel.view, i)->uid, ranks[i] });
	facts_put_ranks(s->sel.facts, key, &kept);
	vec_done(&kept);
	free(ranks);
}

static void sorted(struct imap *s, struct sort_work *w)
{
	keep_ranks(s, w);
	for (size_t i = 0; i < sorter_count(w->sorter); i++)
		if (!search_result_add_sorted(&w->result, &w->run.search, s->sel.view,
			    sorter_at(w->sorter, i), s->cmd.uid)) {
			refuse(s, ERR_LIMIT);
			return;
		}
	sorter_free(&w->sorter); /* the client may take its time to read the result */
	count(s, w, 0);
	s->cmd.busy = false;
	s->step = sort_write_step;
}

static void sort_step(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	if (w->gather.error != ERR_NONE)
		refuse(s, w->gather.error);
	else if (sorter_step(w->sorter, COMPARISONS_A_TURN))
		sorted(s, w);
	else
		imap_yield(s, sort_step);
}

static bool add_to_sort(struct imap *s, uint32_t sequence, const struct message_facts *m)
{
	struct sort_work *w = s->cmd.work;

	return sorter_add(w->sorter, sequence, view_entry(s->sel.view, sequence), m) &&
	       count(s, w, sorter_bytes(w->sorter));
}

static void sort_gather(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	sorter_free(&w->sorter);
	w->sorter = sorter_new(&w->criteria, LIMIT_IMAP_SORT_BYTES);
	w->ranked = 0;
	gather_begin(s, &w->gather, &w->found, add_to_sort, sort_step);
}

/* False: one has no rank yet, so that all digests are to be looked at. */
static bool add_by_rank(struct imap *s, struct sort_work *w, uint32_t sequence)
{
	const struct api_entry *e = view_entry(s->sel.view, sequence);
	uint32_t ranks[SORT_KEYS] = { 0 };

	for (size_t i = 0; i < w->criteria.n; i++)
		if (sort_needs_digest(w->criteria.v[i].key) &&
			!facts_rank(s->sel.facts, w->criteria.v[i].key, &w->ranks_at[i], e->uid,
				&ranks[i]))
			return false;
	if (!sorter_add_ranked(w->sorter, sequence, e, ranks) ||
		!count(s, w, sorter_bytes(w->sorter)))
		w->gather.error = ERR_LIMIT;
	return true;
}

/* What was in order before is so by the ranks that it had. */
static void ranked_step(struct imap *s)
{
	struct sort_work *w = s->cmd.work;
	size_t end = w->ranked + RANKED_A_TURN;

	for (; w->ranked < w->found.n && w->gather.error == ERR_NONE; w->ranked++) {
		if (w->ranked == end) {
			imap_yield(s, ranked_step);
			return;
		}
		if (!add_by_rank(s, w, *(uint32_t *)(void *)vec_at(&w->found, w->ranked))) {
			sort_gather(s);
			return;
		}
	}
	s->step = sort_step;
}

static void sort_found(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	if (w->run.worst != ERR_NONE) {
		refuse(s, w->run.worst);
		return;
	}
	w->sorter = sorter_new(&w->criteria, LIMIT_IMAP_SORT_BYTES);
	if (w->criteria.needs_digest) {
		s->step = ranked_step;
		return;
	}
	VEC_EACH (const uint32_t, n, &w->found)
		if (!add_to_sort(s, *n, NULL))
			w->gather.error = ERR_LIMIT;
	s->step = sort_step;
}

/* sort = ["UID" SP] "SORT" [SP "RETURN" …] SP sort-criteria SP search-criteria */
void imap_sort(struct imap *s)
{
	struct sort_work *w = begin(s);
	struct search *search = &w->run.search;
	struct err err = ERR_INIT;

	if (search_parse_options(&s->cmd.args, search, &err) < 0) {
		search_refuse(s, search, &err);
	} else if ((search->returns & SEARCH_RETURN_PARTIAL) || /* CONTEXT=SORT is not announced */
		   !sort_criteria_parse(&s->cmd.args, &w->criteria) || !scan_sp(&s->cmd.args)) {
		imap_bad_args(s);
	} else if (search_parse_criteria(&s->cmd.args, &s->arena, search, &err) < 0) {
		search_refuse(s, search, &err);
	} else {
		search_run_begin(s, &w->run, found, sort_found);
	}
}

/* ---- THREAD ---- */

static void thread_end_step(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	if (!threader_write(w->threader, s->cmd.uid ? s->sel.view : NULL, &s->session.out)) {
		s->step = thread_end_step;
		return;
	}
	imap_write(s, STR("\r\n"));
	s->cmd.within = false;
	reply_ok(s, NULL, "THREAD completed");
	imap_finish(s);
}

/* thread-data = "THREAD" [SP 1*thread-list] */
static void thread_write_step(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	imap_write(s, w->found.n > 0 ? STR("* THREAD ") : STR("* THREAD"));
	s->cmd.within = true;
	s->step = thread_end_step;
}

static void thread_step(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	if (w->gather.error != ERR_NONE) {
		refuse(s, w->gather.error);
	} else if (threader_step(w->threader, COMPARISONS_A_TURN)) {
		s->cmd.busy = false;
		s->step = thread_write_step;
	} else {
		imap_yield(s, thread_step);
	}
}

static bool add_to_threads(struct imap *s, uint32_t sequence, const struct message_facts *m)
{
	struct sort_work *w = s->cmd.work;

	return threader_add(w->threader, sequence, m) && count(s, w, threader_bytes(w->threader));
}

static void thread_found(struct imap *s)
{
	struct sort_work *w = s->cmd.work;

	if (w->run.worst != ERR_NONE)
		refuse(s, w->run.worst);
	else
		gather_begin(s, &w->gather, &w->found, add_to_threads, thread_step);
}

/* thread = ["UID" SP] "THREAD" SP thread-alg SP search-criteria */
void imap_thread(struct imap *s)
{
	struct sort_work *w = begin(s);
	struct random_seam *random = s->session.host->seams->random;
	enum thread_algorithm algorithm;
	struct err err = ERR_INIT;
	uint8_t key[16];

	if (!scan_sp(&s->cmd.args) || !thread_algorithm_parse(&s->cmd.args, &algorithm) ||
		!scan_sp(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (search_parse_criteria(&s->cmd.args, &s->arena, &w->run.search, &err) < 0) {
		search_refuse(s, &w->run.search, &err);
		return;
	}
	random->fill(random, key, sizeof key);
	w->threader = threader_new(algorithm, key, LIMIT_IMAP_SORT_BYTES);
	search_run_begin(s, &w->run, found, thread_found);
}
