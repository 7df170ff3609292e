// SPDX-License-Identifier: Apache-2.0
/* Transactions as values: making, keeping and forgetting them. */
#include "store/ops.h"

#include <stdlib.h>

const struct store_bounds store_bounds_normal = {
	.changed_entries = LIMIT_CHANGED_ENTRIES,
	.view_entries = LIMIT_VIEW_ENTRIES,
	.upload_bytes = LIMIT_PEER_UPLOAD_BYTES,
	.slice_rows = LIMIT_VIEW_SLICE_ROWS,
	.log_bytes = LIMIT_WAL_BYTES,
	.group_rows = LIMIT_GROUP_ROWS,
	.bases_bytes = LIMIT_BASES_BYTES,
	.flags_told = LIMIT_FLAGS_TOLD,
	.unseen_looked = LIMIT_UNSEEN_LOOKED,
};

struct txn *txn_new(void)
{
	struct txn *t = xmalloc(sizeof(*t));
	arena_init(&t->arena, LIMIT_TRANSACTION_BYTES);
	vec_init(&t->ops, sizeof(struct op), LIMIT_LANDINGS + 2);
	vec_init(&t->changes, sizeof(struct change), 2 * LIMIT_CHANGED_ENTRIES + LIMIT_KEYWORDS);
	vec_init(&t->dropped, sizeof(uint64_t), LIMIT_CHANGED_ENTRIES);
	return t;
}

static void free_results(struct txn *t)
{
	VEC_EACH (struct op, op, &t->ops) {
		vec_done(&op->result.failed);
		vec_done(&op->result.pairs);
	}
}

void txn_free(struct txn **txn)
{
	struct txn *t = *txn;
	if (t == NULL)
		return;
	*txn = NULL;
	free_results(t);
	vec_done(&t->ops);
	vec_done(&t->changes);
	vec_done(&t->dropped);
	arena_done(&t->arena);
	free(t);
}

struct op *txn_add(struct txn *txn, enum op_kind kind)
{
	struct op *op = vec_push(&txn->ops, NULL);
	if (op == NULL)
		return NULL;
	op->kind = kind;
	vec_init(&op->result.failed, sizeof(uint32_t), LIMIT_CHANGED_ENTRIES);
	vec_init(&op->result.pairs, sizeof(struct api_pair), LIMIT_CHANGED_ENTRIES);
	return op;
}

bool txn_keep(struct txn *txn, struct str *s)
{
	if (s->n == 0)
		return true;
	*s = arena_str(&txn->arena, *s);
	return s->p != NULL;
}

bool txn_keep_strings(struct txn *txn, struct api_str_list *list)
{
	if (list->n == 0)
		return true;
	struct str *items = arena_array(&txn->arena, list->n, sizeof(*items));
	if (items == NULL)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		items[i] = list->items[i];
		if (!txn_keep(txn, &items[i]))
			return false;
	}
	list->items = items;
	return true;
}

int ranges_add(struct vec *ranges, uint32_t uid, struct err *err)
{
	struct api_range *last = ranges->n ? vec_at(ranges, ranges->n - 1) : NULL;
	if (last && last->high + 1 == uid) {
		last->high = uid;
		return 0;
	}
	struct api_range range = { uid, uid };
	return vec_push(ranges, &range) ? 0 : fail(err, ERR_LIMIT, "too much was expunged");
}

static uint64_t mix(enum flags_mode mode, uint64_t old, uint64_t given)
{
	if (mode == FLAGS_REPLACE)
		return given;
	return mode == FLAGS_ADD ? old | given : old & ~given;
}

bool op_flags_apply(const struct op_flags *op, const uint64_t bits[2], struct api_entry *entry)
{
	struct api_entry old = *entry;
	entry->flags = (uint8_t)mix(op->mode, old.flags, op->flags & FLAGS_ALL);
	entry->keywords_low = mix(op->mode, old.keywords_low, bits[0]);
	entry->keywords_high = mix(op->mode, old.keywords_high, bits[1]);
	return entry->flags != old.flags || entry->keywords_low != old.keywords_low ||
	       entry->keywords_high != old.keywords_high;
}

void txn_forget_changes(struct txn *txn)
{
	vec_done(&txn->changes);
	vec_done(&txn->dropped);
}

void txn_reset_results(struct txn *txn)
{
	free_results(txn);
	VEC_EACH (struct op, op, &txn->ops) {
		op->result = (struct op_result){ 0 };
		vec_init(&op->result.failed, sizeof(uint32_t), LIMIT_CHANGED_ENTRIES);
		vec_init(&op->result.pairs, sizeof(struct api_pair), LIMIT_CHANGED_ENTRIES);
	}
	vec_clear(&txn->changes);
	vec_clear(&txn->dropped);
	txn->err = (struct err)ERR_INIT;
}
