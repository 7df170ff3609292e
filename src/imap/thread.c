// SPDX-License-Identifier: Apache-2.0
/* Threads as a tree of nodes that know each other by number, in the steps of RFC 5256 3. A node is
 * a message, or a dummy: somebody's reference to one that is not here. Node 0 is the root. */
#include "imap/thread.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "imap/merge.h"

#include <stdlib.h>

/* Steps upwards that all searches for loops may take together. */
#define LOOP_STEPS 20000000
/* What a node costs with its place in a map. */
#define NODE_BYTES 192

enum { ROOT = 0, NONE = 0 }; /* nobody is the root's child before step 2, so 0 can mean both */

struct node {
	uint32_t parent, first, last, previous, next; /* nodes; NONE: there is none */
	uint32_t sequence;                            /* 0: a dummy */
	bool reply, top;                              /* top: a child of the root */
	int64_t ms;                                   /* sent date */
	struct str subject;                           /* base subject as it compares; empty: none */
};

struct threader {
	enum thread_algorithm algorithm;
	struct vec nodes;
	struct map ids, subjects; /* message id, base subject to a node */
	uint8_t key[16];
	struct arena texts;
	struct merge merge; /* nodes being sorted */
	bool sorting;       /* they are siblings, and the sorting goes on */
	uint32_t child;     /* the next that merge is to have; NONE: it has all */
	size_t linked;      /* so many are in their place */
	bool apart;         /* there is no memory to join threads of one subject */
	size_t max, used, loop_steps;
	unsigned stage;
	size_t work; /* that is left for this turn */
	uint32_t at; /* the node whose turn it is in the stage, or to be written */
	bool up;     /* it was written, with all below */
};

static const struct {
	struct str name;
	enum thread_algorithm algorithm;
} algorithms[] = {
	{ STR_INIT("ORDEREDSUBJECT"), THREAD_ORDEREDSUBJECT },
	{ STR_INIT("REFERENCES"), THREAD_REFERENCES },
};

bool thread_algorithm_parse(struct scan *s, enum thread_algorithm *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
		if (scan_word_nocase(s, algorithms[i].name)) {
			*ret = algorithms[i].algorithm;
			return true;
		}
	return false;
}

struct threader *threader_new(enum thread_algorithm algorithm, const uint8_t key[16], size_t max)
{
	struct threader *t = xmalloc(sizeof(*t));
	t->algorithm = algorithm;
	t->max = max;
	t->loop_steps = LOOP_STEPS;
	memcpy(t->key, key, sizeof(t->key));
	vec_init(&t->nodes, sizeof(struct node), 1 + max / NODE_BYTES);
	map_init(&t->ids, key, 1 + max / NODE_BYTES);
	map_init(&t->subjects, key, 1 + max / NODE_BYTES);
	arena_init(&t->texts, max);
	vec_push(&t->nodes, NULL);
	return t;
}

void threader_free(struct threader **t)
{
	if (*t == NULL)
		return;
	vec_done(&(*t)->nodes);
	merge_done(&(*t)->merge);
	map_done(&(*t)->ids);
	map_done(&(*t)->subjects);
	arena_done(&(*t)->texts);
	free(*t);
	*t = NULL;
}

size_t threader_bytes(const struct threader *t)
{
	return t->used + t->texts.used;
}

/* Valid until another node is made. */
static struct node *node(const struct threader *t, uint32_t i)
{
	return (struct node *)(void *)vec_at(&t->nodes, i);
}

/* A new node, or NONE: there is no memory for it. */
static uint32_t new_node(struct threader *t)
{
	t->used += NODE_BYTES;
	if (t->used + t->texts.used > t->max || vec_push(&t->nodes, NULL) == NULL)
		return NONE;
	return (uint32_t)(t->nodes.n - 1);
}

static void *mark(uint32_t i)
{
	return (void *)(uintptr_t)i;
}

static uint32_t marked(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* ---- the tree ---- */

static bool has_parent(const struct threader *t, uint32_t i)
{
	return node(t, i)->parent != NONE || node(t, i)->top;
}

static void unlink_node(struct threader *t, uint32_t i)
{
	struct node *n = node(t, i), *parent = node(t, n->parent);
	if (!has_parent(t, i))
		return;
	if (n->previous != NONE)
		node(t, n->previous)->next = n->next;
	else
		parent->first = n->next;
	if (n->next != NONE)
		node(t, n->next)->previous = n->previous;
	else
		parent->last = n->previous;
	n->parent = n->previous = n->next = NONE;
	n->top = false;
}

/* The last child of a parent, or of the root. It has none so far. */
static void append(struct threader *t, uint32_t parent, uint32_t i)
{
	struct node *p = node(t, parent), *n = node(t, i);
	n->parent = parent;
	n->top = parent == ROOT;
	n->previous = p->last;
	n->next = NONE;
	if (p->last != NONE)
		node(t, p->last)->next = i;
	else
		p->first = i;
	p->last = i;
}

/* Whether i is above or the same as below. A leaf is above nobody. */
static bool is_above(struct threader *t, uint32_t i, uint32_t below)
{
	if (i == below)
		return true;
	if (node(t, i)->first == NONE)
		return false;
	for (uint32_t at = node(t, below)->parent; at != NONE; at = node(t, at)->parent) {
		if (at == i || t->loop_steps == 0)
			return true;
		t->loop_steps--;
	}
	return false;
}

/* Puts the children of i where i is; i is left without any. */
static void replace_by_children(struct threader *t, uint32_t i)
{
	struct node *n = node(t, i);
	uint32_t parent = n->parent, first = n->first, last = n->last;
	for (uint32_t c = first; c != NONE; c = node(t, c)->next) {
		node(t, c)->parent = parent;
		node(t, c)->top = n->top;
	}
	if (first == NONE) {
		unlink_node(t, i);
		return;
	}
	node(t, first)->previous = n->previous;
	node(t, last)->next = n->next;
	if (n->previous != NONE)
		node(t, n->previous)->next = first;
	else
		node(t, parent)->first = first;
	if (n->next != NONE)
		node(t, n->next)->previous = last;
	else
		node(t, parent)->last = last;
	n->first = n->last = n->parent = n->previous = n->next = NONE;
	n->top = false;
}

static bool is_dummy(const struct threader *t, uint32_t i)
{
	return node(t, i)->sequence == 0;
}

/* ---- (1): messages and their references ---- */

/* The node of a message id, made as a dummy when there is none. NONE: no memory. */
static uint32_t node_of_id(struct threader *t, struct str id)
{
	uint32_t i = marked(map_get(&t->ids, id));
	if (i != NONE)
		return i;
	t->used += id.n;
	i = new_node(t);
	return i != NONE && map_put(&t->ids, id, mark(i)) ? i : NONE;
}

/* The node for a message: of its id, unless another message has that. */
static uint32_t node_of_message(struct threader *t, struct str id)
{
	if (t->algorithm != THREAD_REFERENCES || id.n == 0)
		return new_node(t);
	uint32_t i = node_of_id(t, id);
	return i == NONE || is_dummy(t, i) ? i : new_node(t);
}

/* (1)(A) */
static void link_if_free(struct threader *t, uint32_t parent, uint32_t i)
{
	if (node(t, i)->parent == NONE && !is_above(t, i, parent))
		append(t, parent, i);
}

/* Links what a message refers to, one below the other; *last is the last of them, or NONE. False:
 * no memory. */
static bool link_references(struct threader *t, struct str ids, uint32_t *last)
{
	*last = NONE;
	for (struct str id; facts_next_id(&ids, &id);) {
		uint32_t i = node_of_id(t, id);
		if (i == NONE)
			return false;
		if (*last != NONE)
			link_if_free(t, *last, i);
		*last = i;
	}
	return true;
}

/* (1)(B) */
static bool link_message(struct threader *t, uint32_t i, struct str references)
{
	uint32_t last;
	if (!link_references(t, references, &last))
		return false;
	unlink_node(t, i);
	if (last != NONE && !is_above(t, i, last))
		append(t, last, i);
	return true;
}

bool threader_add(struct threader *t, uint32_t sequence, const struct message_facts *m)
{
	struct str ids = m->text[FACTS_IDS], id = STR_NONE, subject = m->text[FACTS_SUBJECT];
	facts_next_id(&ids, &id);
	uint32_t i = node_of_message(t, id);
	if (i == NONE)
		return false;
	if (subject.n > 0 && (subject = arena_str(&t->texts, subject)).p == NULL)
		return false;
	struct node *n = node(t, i);
	n->sequence = sequence;
	n->ms = m->sent_ms;
	n->reply = m->reply;
	n->subject = subject;
	return t->algorithm != THREAD_REFERENCES || link_message(t, i, ids);
}

/* ---- sorting siblings ---- */

/* A dummy stands for its first child. */
static uint32_t stands_for(const struct threader *t, uint32_t i)
{
	return is_dummy(t, i) && node(t, i)->first != NONE ? node(t, i)->first : i;
}

static int by_date(const void *arg, uint32_t a, uint32_t b)
{
	const struct threader *t = arg;
	const struct node *x = node(t, stands_for(t, a)), *y = node(t, stands_for(t, b));
	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int by_subject(const void *arg, uint32_t a, uint32_t b)
{
	const struct threader *t = arg;
	int c = str_compare(node(t, a)->subject, node(t, b)->subject);
	return c != 0 ? c : by_date(arg, a, b);
}

/* False: the turn is over. */
static bool spend(struct threader *t)
{
	if (t->work == 0)
		return false;
	t->work--;
	return true;
}

static bool take_children(struct threader *t)
{
	for (; t->child != NONE; t->child = node(t, t->child)->next) {
		if (!spend(t))
			return false;
		t->merge.order[t->merge.n++] = t->child;
	}
	merge_begin(&t->merge, t->merge.n);
	return true;
}

static bool link_children(struct threader *t, uint32_t parent)
{
	if (t->linked == 0)
		node(t, parent)->first = node(t, parent)->last = NONE;
	for (; t->linked < t->merge.n; t->linked++) {
		if (!spend(t))
			return false;
		append(t, parent, t->merge.order[t->linked]);
	}
	return true;
}

/* Sorts the children of a node. False: it goes on in another turn. */
static bool sort_children(struct threader *t, uint32_t parent)
{
	if (!t->sorting && node(t, parent)->first == node(t, parent)->last)
		return true;
	if (!t->sorting) {
		merge_begin(&t->merge, t->nodes.n);
		t->merge.n = t->linked = 0;
		t->child = node(t, parent)->first;
		t->sorting = true;
	}
	if (t->child != NONE && !take_children(t))
		return false;
	if (!merge_step(&t->merge, &t->work, by_date, t) || !link_children(t, parent))
		return false;
	t->sorting = false;
	return true;
}

/* ---- stages: each goes on at t->at, which is NONE at its beginning, until the turn is over
 * (false) or it is done ---- */

static void begin_at(struct threader *t, uint32_t first)
{
	if (t->at == NONE)
		t->at = first;
}

static void begin_at_top(struct threader *t)
{
	begin_at(t, node(t, ROOT)->first);
}

/* ---- (2), (3): the root; no dummy below the top, and none at it without two children ---- */

static bool gather(struct threader *t)
{
	for (begin_at(t, 1); t->at < t->nodes.n; t->at++) {
		if (!spend(t))
			return false;
		if (!has_parent(t, t->at))
			append(t, ROOT, t->at);
	}
	return true;
}

/* The node behind i and all below it, in document order, or NONE. */
static uint32_t behind(const struct threader *t, uint32_t i)
{
	while (i != ROOT && node(t, i)->next == NONE)
		i = node(t, i)->parent;
	return i == ROOT ? NONE : node(t, i)->next;
}

/* Parents first: so no child is handed on twice. */
static bool prune_below(struct threader *t)
{
	begin_at_top(t);
	while (t->at != NONE) {
		uint32_t i = t->at, first = node(t, i)->first;
		if (!spend(t))
			return false;
		t->at = first != NONE ? first : behind(t, i);
		if (is_dummy(t, i) && !node(t, i)->top)
			replace_by_children(t, i);
	}
	return true;
}

static bool prune_top(struct threader *t)
{
	begin_at_top(t);
	while (t->at != NONE) {
		uint32_t i = t->at;
		if (!spend(t))
			return false;
		t->at = node(t, i)->next;
		if (is_dummy(t, i) && node(t, i)->first == node(t, i)->last)
			replace_by_children(t, i);
	}
	return true;
}

/* (4), and (6) for the top: what a dummy stands for is known once its children are in order. */
static bool sort_dummies(struct threader *t)
{
	for (begin_at_top(t); t->at != NONE; t->at = node(t, t->at)->next)
		if ((!t->sorting && !spend(t)) || (is_dummy(t, t->at) && !sort_children(t, t->at)))
			return false;
	return true;
}

static bool sort_top(struct threader *t)
{
	return sort_children(t, ROOT);
}

/* ---- (5): threads of one subject ---- */

static struct str thread_subject(const struct threader *t, uint32_t i)
{
	return node(t, stands_for(t, i))->subject;
}

static bool forget_ids(struct threader *t)
{
	map_done(&t->ids);
	map_init(&t->ids, t->key, 1);
	return true;
}

/* (5)(B) for one. False: no memory. */
static bool put_subject(struct threader *t, uint32_t i)
{
	struct str subject = thread_subject(t, i);
	if (subject.n == 0)
		return true;
	uint32_t had = marked(map_get(&t->subjects, subject));
	bool better = had == NONE ||
		      (!is_dummy(t, had) &&
			      (is_dummy(t, i) || (node(t, had)->reply && !node(t, i)->reply)));
	return !better || map_put(&t->subjects, subject, mark(i));
}

static bool fill_subjects(struct threader *t)
{
	for (begin_at_top(t); t->at != NONE && !t->apart; t->at = node(t, t->at)->next) {
		if (!spend(t))
			return false;
		t->apart = !put_subject(t, t->at);
	}
	return true;
}

/* Both become children of a new dummy, at the top. */
static bool join_below_dummy(struct threader *t, struct str subject, uint32_t a, uint32_t b)
{
	uint32_t dummy = new_node(t);
	if (dummy == NONE || !map_put(&t->subjects, subject, mark(dummy)))
		return false;
	unlink_node(t, a);
	unlink_node(t, b);
	append(t, ROOT, dummy);
	append(t, dummy, a);
	append(t, dummy, b);
	return true;
}

/* (5)(C), of one thread and the one that the table has. */
static bool merge_two(struct threader *t, struct str subject, uint32_t i, uint32_t into)
{
	if (is_dummy(t, i) && is_dummy(t, into)) {
		for (uint32_t c = node(t, i)->first, next; c != NONE; c = next) {
			next = node(t, c)->next;
			unlink_node(t, c);
			append(t, into, c);
		}
		unlink_node(t, i);
		return true;
	}
	if (is_dummy(t, into) || (node(t, i)->reply && !node(t, into)->reply)) {
		unlink_node(t, i);
		append(t, into, i);
		return true;
	}
	return join_below_dummy(t, subject, into, i);
}

/* Without memory for a dummy the threads stay apart. */
static bool merge_subjects(struct threader *t)
{
	begin_at_top(t);
	while (t->at != NONE && !t->apart) {
		uint32_t i = t->at;
		if (!spend(t))
			return false;
		t->at = node(t, i)->next;
		struct str subject = thread_subject(t, i);
		uint32_t into = subject.n ? marked(map_get(&t->subjects, subject)) : NONE;
		t->apart = into != NONE && into != i && !merge_two(t, subject, i, into);
	}
	return true;
}

/* (6) */
static bool sort_all(struct threader *t)
{
	for (begin_at(t, 1); t->at < t->nodes.n; t->at++)
		if ((!t->sorting && !spend(t)) || !sort_children(t, t->at))
			return false;
	return true;
}

/* ---- ORDEREDSUBJECT ---- */

static bool sort_subjects(struct threader *t)
{
	if (!t->sorting) {
		merge_begin(&t->merge, t->nodes.n - 1);
		for (size_t i = 0; i < t->merge.n; i++)
			t->merge.order[i] = (uint32_t)i + 1;
	}
	t->sorting = !merge_step(&t->merge, &t->work, by_subject, t);
	return !t->sorting;
}

/* The first of each subject is at the top. */
static bool link_subjects(struct threader *t)
{
	for (; t->at < t->merge.n; t->at++) {
		if (!spend(t))
			return false;
		uint32_t i = t->merge.order[t->at], head = node(t, ROOT)->last;
		bool same = head != NONE && str_equal(node(t, head)->subject, node(t, i)->subject);
		append(t, same ? head : ROOT, i);
	}
	return true;
}

/* ---- all stages ---- */

typedef bool stage(struct threader *);
static stage *const stages[][12] = {
	[THREAD_ORDEREDSUBJECT] = { sort_subjects, link_subjects, sort_top },
	[THREAD_REFERENCES] = { gather, prune_below, prune_top, sort_dummies, sort_top, forget_ids,
		fill_subjects, merge_subjects, sort_all, sort_dummies, sort_top },
};

bool threader_step(struct threader *t, size_t work)
{
	t->work = work;
	for (; stages[t->algorithm][t->stage] != NULL; t->stage++) {
		if (!stages[t->algorithm][t->stage](t))
			return false;
		t->at = NONE;
	}
	t->at = node(t, ROOT)->first;
	t->up = false;
	return true;
}

/* ---- writing ---- */

/* Whether the node has parentheses of its own: at the top, and where a thread splits. A dummy at
 * the top has two children at least. */
static bool is_list(const struct threader *t, uint32_t i)
{
	const struct node *parent = node(t, node(t, i)->parent);
	return node(t, i)->top || parent->first != parent->last;
}

static void write_one(const struct threader *t, const struct view *v, struct buf *out)
{
	const struct node *n = node(t, t->at);
	if (!n->top && n->previous == NONE && !is_dummy(t, n->parent))
		buf_addc(out, ' ');
	if (is_list(t, t->at))
		buf_addc(out, '(');
	if (n->sequence == 0)
		return;
	const struct api_entry *e = v == NULL ? NULL : view_entry(v, n->sequence);
	buf_add_number(out, e == NULL ? n->sequence : e->uid);
}

bool threader_write(struct threader *t, const struct view *v, struct buf *out)
{
	while (t->at != NONE) {
		const struct node *n = node(t, t->at);
		if (buf_room(out) < 32)
			return false;
		if (!t->up) {
			write_one(t, v, out);
			t->up = n->first == NONE;
			t->at = t->up ? t->at : n->first;
			continue;
		}
		if (is_list(t, t->at))
			buf_addc(out, ')');
		t->up = n->next == NONE;
		t->at = t->up ? n->parent : n->next; /* the root is NONE */
	}
	return true;
}
