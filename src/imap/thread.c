// SPDX-License-Identifier: Apache-2.0
/* Threads as a tree of nodes that know each other by number, in the steps of RFC 5256 3. A node is
 * a message, or a dummy: somebody's reference to one that is not here. Node 0 is the root. */
#include "imap/thread.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "mail/charset.h"
#include "mail/digest.h"
#include "mail/subject.h"

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
	struct buf id, base, text;
	struct vec list; /* uint32_t: siblings being sorted */
	size_t max, used, loop_steps;
	unsigned stage;
	uint32_t at; /* writing: the node whose turn it is */
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
	vec_init(&t->list, sizeof(uint32_t), 1 + max / NODE_BYTES);
	map_init(&t->ids, key, 1 + max / NODE_BYTES);
	map_init(&t->subjects, key, 1 + max / NODE_BYTES);
	arena_init(&t->texts, max);
	buf_init(&t->id, LIMIT_DIGEST_BYTES);
	buf_init(&t->base, 3 * LIMIT_DIGEST_BYTES + 16);
	buf_init(&t->text, MAIL_SEARCH_GROWTH * LIMIT_DIGEST_BYTES);
	vec_push(&t->nodes, NULL);
	return t;
}

void threader_free(struct threader **t)
{
	if (*t == NULL)
		return;
	vec_done(&(*t)->nodes);
	vec_done(&(*t)->list);
	map_done(&(*t)->ids);
	map_done(&(*t)->subjects);
	arena_done(&(*t)->texts);
	buf_done(&(*t)->id);
	buf_done(&(*t)->base);
	buf_done(&(*t)->text);
	free(*t);
	*t = NULL;
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
static uint32_t node_of_message(struct threader *t, const struct digest *d)
{
	struct str ids = d == NULL ? STR_NONE : d->envelope.value[DIGEST_MESSAGE_ID];
	if (t->algorithm != THREAD_REFERENCES || !mail_reference_next(&ids, &t->id))
		return new_node(t);
	uint32_t i = node_of_id(t, buf_str(&t->id));
	return i == NONE || is_dummy(t, i) ? i : new_node(t);
}

/* (1)(A) */
static void link_if_free(struct threader *t, uint32_t parent, uint32_t i)
{
	if (node(t, i)->parent == NONE && !is_above(t, i, parent))
		append(t, parent, i);
}

/* Links what a field names, one below the other; *last is the last of them, or NONE. most: how many
 * of its ids count. False: no memory. */
static bool link_references(struct threader *t, struct str ids, size_t most, uint32_t *last)
{
	*last = NONE;
	while (most-- > 0 && mail_reference_next(&ids, &t->id)) {
		uint32_t i = node_of_id(t, buf_str(&t->id));
		if (i == NONE)
			return false;
		if (*last != NONE)
			link_if_free(t, *last, i);
		*last = i;
	}
	return true;
}

/* References, or else the first of In-Reply-To; then (1)(B). */
static bool link_message(struct threader *t, uint32_t i, const struct digest *d)
{
	uint32_t last = NONE;
	if (d != NULL && !link_references(t, d->envelope.value[DIGEST_REFERENCES], SIZE_MAX, &last))
		return false;
	if (d != NULL && last == NONE &&
		!link_references(t, d->envelope.value[DIGEST_IN_REPLY_TO], 1, &last))
		return false;
	unlink_node(t, i);
	if (last != NONE && !is_above(t, i, last))
		append(t, last, i);
	return true;
}

bool threader_add(
	struct threader *t, uint32_t sequence, const struct api_entry *e, const struct digest *d)
{
	uint32_t i = node_of_message(t, d);
	if (i == NONE)
		return false;
	bool reply = sort_subject(d, &t->base, &t->text);
	struct str subject = t->text.n == 0 ? STR_NONE : arena_str(&t->texts, buf_str(&t->text));
	if (t->text.n > 0 && subject.p == NULL)
		return false;
	struct node *n = node(t, i);
	n->sequence = sequence;
	n->ms = sort_sent_ms(e, d);
	n->reply = reply;
	n->subject = subject;
	return t->algorithm != THREAD_REFERENCES || link_message(t, i, d);
}

/* ---- sorting siblings ---- */

/* A dummy stands for its first child. */
static uint32_t stands_for(const struct threader *t, uint32_t i)
{
	return is_dummy(t, i) && node(t, i)->first != NONE ? node(t, i)->first : i;
}

static int by_date(const void *a, const void *b, void *arg)
{
	const struct threader *t = arg;
	const struct node *x = node(t, stands_for(t, *(const uint32_t *)a)),
			  *y = node(t, stands_for(t, *(const uint32_t *)b));
	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static int by_subject(const void *a, const void *b, void *arg)
{
	const struct threader *t = arg;
	int c = str_compare(
		node(t, *(const uint32_t *)a)->subject, node(t, *(const uint32_t *)b)->subject);
	return c != 0 ? c : by_date(a, b, arg);
}

/* Sorts the children of a node. */
static void sort_children(struct threader *t, uint32_t parent)
{
	uint32_t c = node(t, parent)->first;
	if (c == node(t, parent)->last)
		return;
	vec_clear(&t->list);
	for (; c != NONE; c = node(t, c)->next)
		vec_push(&t->list, &c);
	qsort_r(t->list.p, t->list.n, sizeof(uint32_t), by_date, t);
	node(t, parent)->first = node(t, parent)->last = NONE;
	VEC_EACH (const uint32_t, i, &t->list)
		append(t, parent, *i);
}

/* ---- (2), (3): the root; no dummy below the top, and none at it without two children ---- */

static void gather(struct threader *t)
{
	for (uint32_t i = 1; i < t->nodes.n; i++)
		if (!has_parent(t, i))
			append(t, ROOT, i);
}

/* The node behind i and all below it, in document order, or NONE. */
static uint32_t behind(const struct threader *t, uint32_t i)
{
	while (i != ROOT && node(t, i)->next == NONE)
		i = node(t, i)->parent;
	return i == ROOT ? NONE : node(t, i)->next;
}

/* Parents first: so no child is handed on twice. */
static void prune_below(struct threader *t)
{
	for (uint32_t i = node(t, ROOT)->first; i != NONE;) {
		uint32_t first = node(t, i)->first, after = first != NONE ? first : behind(t, i);
		if (is_dummy(t, i) && !node(t, i)->top)
			replace_by_children(t, i);
		i = after;
	}
}

static void prune_top(struct threader *t)
{
	for (uint32_t i = node(t, ROOT)->first, next; i != NONE; i = next) {
		next = node(t, i)->next;
		if (is_dummy(t, i) && node(t, i)->first == node(t, i)->last)
			replace_by_children(t, i);
	}
}

/* (4), and (6) for the top: what a dummy stands for is known once its children are in order. */
static void sort_top(struct threader *t)
{
	for (uint32_t i = node(t, ROOT)->first; i != NONE; i = node(t, i)->next)
		if (is_dummy(t, i))
			sort_children(t, i);
	sort_children(t, ROOT);
}

/* ---- (5): threads of one subject ---- */

static struct str thread_subject(const struct threader *t, uint32_t i)
{
	return node(t, stands_for(t, i))->subject;
}

/* (5)(B) */
static bool fill_subjects(struct threader *t)
{
	for (uint32_t i = node(t, ROOT)->first; i != NONE; i = node(t, i)->next) {
		struct str subject = thread_subject(t, i);
		if (subject.n == 0)
			continue;
		uint32_t had = marked(map_get(&t->subjects, subject));
		bool better = had == NONE ||
			      (!is_dummy(t, had) &&
				      (is_dummy(t, i) ||
					      (node(t, had)->reply && !node(t, i)->reply)));
		if (better && !map_put(&t->subjects, subject, mark(i)))
			return false;
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
static bool merge(struct threader *t, struct str subject, uint32_t i, uint32_t into)
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

static void merge_subjects(struct threader *t)
{
	for (uint32_t i = node(t, ROOT)->first, next; i != NONE; i = next) {
		next = node(t, i)->next;
		struct str subject = thread_subject(t, i);
		uint32_t into = subject.n ? marked(map_get(&t->subjects, subject)) : NONE;
		/* Without memory for a dummy the threads stay apart. */
		if (into != NONE && into != i && !merge(t, subject, i, into))
			return;
	}
}

/* (6) */
static void sort_all(struct threader *t)
{
	for (uint32_t i = 1; i < t->nodes.n; i++)
		sort_children(t, i);
	sort_top(t);
}

/* ---- ORDEREDSUBJECT ---- */

static void order_by_subject(struct threader *t)
{
	uint32_t head = NONE;
	vec_clear(&t->list);
	for (uint32_t i = 1; i < t->nodes.n; i++)
		vec_push(&t->list, &i);
	if (t->list.n == 0)
		return;
	qsort_r(t->list.p, t->list.n, sizeof(uint32_t), by_subject, t);
	VEC_EACH (const uint32_t, i, &t->list) {
		if (head != NONE && str_equal(node(t, head)->subject, node(t, *i)->subject)) {
			append(t, head, *i);
			continue;
		}
		head = *i;
		append(t, ROOT, head);
	}
}

/* ---- stages ---- */

static void fill(struct threader *t)
{
	map_done(&t->ids);
	map_init(&t->ids, t->key, 1);
	if (fill_subjects(t))
		merge_subjects(t);
}

static void begin_writing(struct threader *t)
{
	t->at = node(t, ROOT)->first;
	t->up = false;
}

typedef void stage(struct threader *);
static stage *const stages[][7] = {
	[THREAD_ORDEREDSUBJECT] = { order_by_subject, sort_top, begin_writing },
	[THREAD_REFERENCES] = { gather, prune_below, prune_top, sort_top, fill, sort_all,
		begin_writing },
};

bool threader_step(struct threader *t)
{
	if (t->stage < ARRAY_LEN(stages[0]) && stages[t->algorithm][t->stage] != NULL)
		stages[t->algorithm][t->stage++](t);
	return t->stage == ARRAY_LEN(stages[0]) || stages[t->algorithm][t->stage] == NULL;
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
	buf_addf(out, "%u", e == NULL ? n->sequence : e->uid);
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
