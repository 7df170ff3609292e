/* SPDX-License-Identifier: Apache-2.0 */
/* The part of engine_suite.h about random changes against a model. */
#ifndef CULVER_STORE_ENGINE_SUITE_MODEL_H
#define CULVER_STORE_ENGINE_SUITE_MODEL_H

/* Two mailboxes as arrays, and a watcher that knows only the changes. I27, I28 */
enum { MODEL_BOXES = 2, MODEL_ENTRIES = 4000, MODEL_WORDS = 3 };
struct model_entry {
	bool there;
	uint8_t flags, words;
	uint64_t size, modseq;
};
struct model_box {
	uint64_t id;
	uint32_t uidnext;
	struct model_entry entries[MODEL_ENTRIES];
	struct model_entry watched[MODEL_ENTRIES]; /* words: by the mailbox's own bits */
};
struct model {
	struct ledger l;
	uint64_t account, modseq;
	struct model_box boxes[MODEL_BOXES];
	uint64_t seed;
};
static const struct str model_words[MODEL_WORDS] = { STR_INIT("a"), STR_INIT("b"), STR_INIT("c") };

static uint32_t below(struct model *m, uint32_t n)
{
	m->seed = m->seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(m->seed >> 33) % n;
}

/* A watcher that knows the entries does to them what the operation did. */
static void watch_flags(struct model *m, const struct change *c)
{
	struct model_box *box = &m->boxes[c->mailbox == m->boxes[1].id];
	const struct op_flags *op = c->flags.op;
	for (size_t i = 0; i < op->uids.n; i++)
		for (uint32_t uid = op->uids.items[i].low;
			uid <= op->uids.items[i].high && uid < box->uidnext; uid++) {
			struct model_entry *seen = &box->watched[uid];
			struct api_entry x = { .flags = seen->flags, .keywords_low = seen->words };
			if (!seen->there || seen->modseq > op->unchanged_since ||
				!op_flags_apply(op, c->flags.bits, &x))
				continue;
			seen->flags = x.flags;
			seen->words = (uint8_t)x.keywords_low;
			seen->modseq = c->modseq;
		}
}

static void watch_changes(struct model *m, const struct txn *txn)
{
	VEC_EACH (struct change, c, &txn->changes) {
		if (c->kind == CHANGE_FLAGS)
			watch_flags(m, c);
		if (c->kind != CHANGE_ENTRY && c->kind != CHANGE_EXPUNGED)
			continue;
		struct model_box *box = &m->boxes[c->mailbox == m->boxes[1].id];
		assert_int_equal(c->mailbox, box->id);
		assert_true(c->modseq > m->modseq);
		box->watched[c->entry.uid] = (struct model_entry){ .there = c->kind == CHANGE_ENTRY,
			.flags = c->entry.flags,
			.words = (uint8_t)c->entry.keywords_low,
			.size = c->entry.size,
			.modseq = c->modseq };
	}
	VEC_EACH (struct change, c, &txn->changes)
		if (c->modseq > m->modseq)
			m->modseq = c->modseq;
}

static uint8_t words_of(const struct view *v, uint64_t bits)
{
	uint8_t words = 0;
	for (size_t i = 0; i < v->keywords.n; i++)
		for (size_t k = 0; k < MODEL_WORDS; k++)
			if (bits >> i & 1 &&
				str_equal(*(struct str *)vec_at(&v->keywords, i), model_words[k]))
				words |= (uint8_t)(1 << k);
	return words;
}

static void compare_box(struct model *m, const struct model_box *box)
{
	struct view v;
	uint32_t uid = 1;
	view_read(&m->l, box->id, &v);
	assert_int_equal(v.row.status.uidnext, box->uidnext);
	VEC_EACH (struct api_entry, e, &v.entries) {
		for (; uid < e->uid; uid++)
			assert_false(box->entries[uid].there || box->watched[uid].there);
		const struct model_entry *want = &box->entries[uid], *seen = &box->watched[uid];
		assert_true(want->there && seen->there);
		assert_int_equal(e->flags, want->flags);
		assert_int_equal(e->flags, seen->flags);
		assert_int_equal(words_of(&v, e->keywords_low), want->words);
		assert_int_equal(e->keywords_low, seen->words);
		assert_int_equal(e->modseq, seen->modseq);
		assert_int_equal(e->size, want->size);
		uid++;
	}
	for (; uid < box->uidnext; uid++)
		assert_false(box->entries[uid].there || box->watched[uid].there);
	view_done(&v);
}

/* Some rising ranges; which UIDs they cover. */
static struct api_range_list some_uids(struct model *m, const struct model_box *box,
	struct api_range ranges[4], bool covered[MODEL_ENTRIES])
{
	size_t n = 0;
	uint32_t at = 1;
	memset(covered, 0, MODEL_ENTRIES);
	while (n < 4 && at < box->uidnext) {
		uint32_t low = at + below(m, 1 + box->uidnext / 3);
		uint32_t high = low + below(m, 5);
		ranges[n++] = (struct api_range){ low, high };
		for (uint32_t uid = low; uid <= high && uid < box->uidnext; uid++)
			covered[uid] = box->entries[uid].there;
		at = high + 1;
	}
	return (struct api_range_list){ ranges, n };
}

static void model_land(struct model *m, struct model_box *box, struct txn *txn)
{
	struct op *body = txn_add(txn, OP_BODY);
	uint64_t id = ++m->l.last_blob;
	body->body.place = (struct body_place){ .ref.id = id, .size = id % 100 };
	struct op *op = txn_add(txn, OP_LAND);
	op->by.account = m->account;
	op->land = (struct op_land){
		.mailbox = box->id, .body = id, .size = id % 100, .flags = FLAG_DRAFT
	};
	box->entries[box->uidnext++] = (struct model_entry){
		.there = true, .flags = FLAG_DRAFT, .size = id % 100
	};
}

static void model_flags(struct model *m, struct model_box *box, struct txn *txn,
	struct api_range_list uids, const bool *covered)
{
	struct op *op = txn_add(txn, OP_FLAGS);
	enum flags_mode mode = below(m, 3);
	uint8_t flags = (uint8_t)below(m, 32), word = (uint8_t)below(m, MODEL_WORDS);
	uint64_t since = below(m, 2) ? UINT64_MAX : m->modseq - below(m, 5);
	op->by.account = m->account;
	op->flags = (struct op_flags){ .mailbox = box->id,
		.uids = uids,
		.mode = mode,
		.flags = flags,
		.keywords = { &model_words[word], 1 },
		.unchanged_since = since };
	for (uint32_t uid = 1; uid < box->uidnext; uid++) {
		struct model_entry *e = &box->entries[uid];
		if (!covered[uid] || box->watched[uid].modseq > since)
			continue;
		uint8_t bit = (uint8_t)(1 << word);
		e->flags = mode == FLAGS_REPLACE ? flags
			   : mode == FLAGS_ADD   ? e->flags | flags
						 : e->flags & ~flags;
		e->words = mode == FLAGS_REPLACE ? bit
			   : mode == FLAGS_ADD   ? e->words | bit
						 : e->words & ~bit;
	}
}

static void model_copy(struct model *m, struct model_box *from, struct model_box *to,
	struct txn *txn, struct api_range_list uids, const bool *covered, bool move)
{
	struct op *op = txn_add(txn, OP_COPY);
	op->by.account = m->account;
	op->copy = (struct op_copy){
		.mailbox = from->id, .target = to->id, .uids = uids, .move = move
	};
	uint32_t end = from->uidnext;
	for (uint32_t uid = 1; uid < end; uid++) {
		if (!covered[uid])
			continue;
		to->entries[to->uidnext++] = from->entries[uid];
		if (move)
			from->entries[uid].there = false;
	}
}

static void model_expunge(struct model *m, struct model_box *box, struct txn *txn,
	struct api_range_list uids, const bool *covered)
{
	struct op *op = txn_add(txn, OP_EXPUNGE);
	bool deleted_only = below(m, 2);
	op->by.account = m->account;
	op->expunge = (struct op_expunge){
		.mailbox = box->id, .uids = uids, .deleted_only = deleted_only
	};
	for (uint32_t uid = 1; uid < box->uidnext; uid++)
		if (covered[uid] && (!deleted_only || box->entries[uid].flags & FLAG_DELETED))
			box->entries[uid].there = false;
}

static void model_step(struct model *m)
{
	struct model_box *box = &m->boxes[below(m, 2)], *other = &m->boxes[below(m, 2)];
	struct api_range ranges[4];
	bool covered[MODEL_ENTRIES];
	struct txn *txn = txn_new();
	struct api_range_list uids = some_uids(m, box, ranges, covered);
	uint32_t what = below(m, 10);
	bool room = box->uidnext + other->uidnext < MODEL_ENTRIES / 2;
	if (what < 4 && room)
		model_land(m, box, txn);
	else if (what < 6 && room)
		model_copy(m, box, other, txn, uids, covered, what == 5);
	else if (what == 6)
		model_expunge(m, box, txn, uids, covered);
	else
		model_flags(m, box, txn, uids, covered);
	assert_int_equal(run(&m->l, txn), ERR_NONE);
	watch_changes(m, txn);
	txn_free(&txn);
}

static void random_changes_agree_with_a_model(void **state)
{
	static const char *const names[MODEL_BOXES] = { "INBOX", "Sent" };
	struct store_bounds bounds = store_bounds_normal;
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct model *m = xmalloc(sizeof(*m));
		m->seed = seed;
		ledger_init(&m->l);
		bounds.flags_told = seed % 2 ? 2 : LIMIT_FLAGS_TOLD;
		m->l.bounds = &bounds;
		ledger_reopen(&m->l);
		m->account = make_account(&m->l, "alice@example.test");
		for (int i = 0; i < MODEL_BOXES; i++) {
			m->boxes[i].id = mailbox(&m->l, m->account, names[i]).id;
			m->boxes[i].uidnext = 1;
		}
		m->modseq = account_row(&m->l, m->account).modseq;
		for (int step = 1; step <= 400; step++) {
			model_step(m);
			if (step % 100 == 0)
				ledger_reopen(&m->l);
			if (step % 20 == 0)
				for (int i = 0; i < MODEL_BOXES; i++)
					compare_box(m, &m->boxes[i]);
		}
		no_findings(&m->l);
		ledger_done(&m->l);
		free(m);
	}
}

#define ENGINE_SUITE_MODEL test_case(random_changes_agree_with_a_model)

#endif
