// SPDX-License-Identifier: Apache-2.0
/* Random walks: what views and changes say is held against the ledger. After each step of the
 * writer both mailboxes are read and remembered by their modseqs; whoever is told a modseq, by
 * whatever way, must have the mailbox as it was then. Groups, readers and the loop take their steps
 * in any order, some changes of a group fail, and the process dies now and then between two steps.
 * CULVER_WALKS=n does n of them, CULVER_WALK=n the nth alone. */
#include "store/store_scene.h"

enum { WALKS = 12, STEPS = 400, VIEWERS = 3, BOXES = 2, MUTATIONS = 6 };

static uint64_t seed_now;
#define WRONG(format, ...) fail_msg("walk %llu: " format, (unsigned long long)seed_now, __VA_ARGS__)

struct moment {
	uint64_t mailbox, modseq;
	struct vec entries; /* struct api_entry */
};

struct viewer {
	struct test_peer p;
	uint32_t session;
	size_t heard; /* replies that were looked at */
	uint32_t request;
	int box;
	bool open, stale, bare;
	uint64_t modseq, since, floor;
	uint64_t before;            /* modseq, when the view was opened once more */
	struct vec entries, coming; /* struct api_entry */
	struct vec gone;            /* struct api_range */
	uint64_t coming_modseq;
	uint32_t coming_messages;
	struct op_flags own;
	struct api_range range;
};

struct scenery {
	struct world w;
	struct store_bounds bounds;
	uint64_t account, boxes[BOXES];
	uint64_t told[BOXES]; /* the highest modseq that anybody was told */
	struct vec moments;
	struct viewer viewers[VIEWERS];
	struct test_peer mutator;
	uint32_t mutating;
	bool busy; /* viewers ask */
	uint64_t random;
};

static uint32_t below(struct scenery *s, uint32_t n)
{
	s->random = s->random * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)((s->random >> 33) % n);
}

/* ---- what was when ---- */

static struct moment *moment_at(struct scenery *s, uint64_t mailbox, uint64_t modseq)
{
	for (size_t i = s->moments.n; i > 0; i--) {
		struct moment *m = vec_at(&s->moments, i - 1);
		if (m->mailbox == mailbox && m->modseq == modseq)
			return m;
	}
	return NULL;
}

static bool same(const struct api_entry *a, const struct api_entry *b)
{
	return a->uid == b->uid && a->flags == b->flags && a->modseq == b->modseq &&
	       a->keywords_low == b->keywords_low && a->keywords_high == b->keywords_high;
}

static void compare_with(struct scenery *s, const struct vec *have, uint64_t mailbox,
	uint64_t modseq, const char *who)
{
	struct moment *m = moment_at(s, mailbox, modseq);
	if (m == NULL)
		WRONG("%s is told modseq %d, which never was", who, (int)modseq);
	if (have->n != m->entries.n)
		WRONG("%s has %d messages at %d, of %d", who, (int)have->n, (int)modseq,
			(int)m->entries.n);
	for (size_t i = 0; i < have->n; i++) {
		const struct api_entry *a = vec_at(have, i), *b = vec_at(&m->entries, i);
		if (!same(a, b))
			WRONG("%s has UID %d with flags %x of %d at %d; it is %d with %x of %d",
				who, (int)a->uid, a->flags, (int)a->modseq, (int)modseq,
				(int)b->uid, b->flags, (int)b->modseq);
	}
}

static void copy_entries(struct vec *to, const struct vec *from)
{
	vec_clear(to);
	VEC_EACH (struct api_entry, e, from)
		assert_non_null(vec_push(to, e));
}

/* What is other than it was has a modseq above that of then. */
static void follows(const struct vec *now, uint64_t modseq, const struct moment *before)
{
	size_t k = 0;
	VEC_EACH (struct api_entry, e, now) {
		while (k < before->entries.n &&
			((struct api_entry *)vec_at(&before->entries, k))->uid < e->uid)
			k++;
		const struct api_entry *was = k < before->entries.n ? vec_at(&before->entries, k)
								    : NULL;
		if (e->modseq > modseq)
			WRONG("UID %d has %d, above %d", (int)e->uid, (int)e->modseq, (int)modseq);
		if (e->modseq <= before->modseq &&
			(was == NULL || was->uid != e->uid || !same(was, e)))
			WRONG("UID %d has changed since %d, and has %d", (int)e->uid,
				(int)before->modseq, (int)e->modseq);
	}
}

static void remember_box(struct scenery *s, struct reader *rows, uint64_t mailbox)
{
	struct mailbox_row row;
	struct vec entries;
	struct arena arena;
	struct err err = ERR_INIT;
	arena_init(&arena, 1 << 20);
	vec_init(&entries, sizeof(struct api_entry), 100000);
	assert_int_equal(
		rows->class->view(rows, mailbox, 0, 100000, &row, &arena, NULL, &entries, &err), 0);
	uint64_t modseq = row.status.highest_modseq;
	struct moment *last = NULL;
	for (size_t i = s->moments.n; i > 0 && last == NULL; i--) {
		struct moment *m = vec_at(&s->moments, i - 1);
		if (m->mailbox == mailbox)
			last = m;
	}
	if (last && modseq < last->modseq)
		WRONG("the modseq of a mailbox falls from %d to %d", (int)last->modseq,
			(int)modseq);
	if (last)
		follows(&entries, modseq, last);
	if (last && last->modseq == modseq) {
		compare_with(s, &entries, mailbox, modseq, "the ledger");
		vec_done(&entries);
	} else {
		struct moment m = { mailbox, modseq, entries };
		assert_non_null(vec_push(&s->moments, &m));
	}
	arena_done(&arena);
}

static void remember(struct scenery *s)
{
	struct err err = ERR_INIT;
	struct engine *engine = s->w.f.store->engine;
	struct reader *rows = engine_sqlite.reader_open(engine, &err);
	assert_non_null(rows);
	for (int i = 0; i < BOXES; i++)
		remember_box(s, rows, s->boxes[i]);
	rows->class->reader_close(&rows);
}

/* ---- a viewer hears ---- */

static size_t at_uid(const struct vec *entries, uint32_t uid)
{
	size_t i = 0;
	while (i < entries->n && ((struct api_entry *)vec_at(entries, i))->uid < uid)
		i++;
	return i;
}

static void put(struct vec *entries, const struct api_entry *e)
{
	size_t i = at_uid(entries, e->uid);
	struct api_entry *at = i < entries->n ? vec_at(entries, i) : NULL;
	if (at && at->uid == e->uid) {
		*at = *e;
		return;
	}
	if (i < entries->n)
		WRONG("UID %d is new, and not the last", (int)e->uid);
	vec_push(entries, e);
}

static void drop_uid(struct vec *entries, uint32_t uid)
{
	size_t i = at_uid(entries, uid);
	if (i < entries->n && ((struct api_entry *)vec_at(entries, i))->uid == uid)
		vec_remove(entries, i);
}

static void take_changes(struct viewer *v, const struct frame_view_changed *c)
{
	for (size_t i = 0; i < c->entries.n; i++)
		put(&v->entries, &c->entries.items[i]);
	for (size_t i = 0; i < c->expunged.n; i++)
		drop_uid(&v->entries, c->expunged.items[i]);
}

static bool in_ranges(const struct vec *ranges, uint32_t uid)
{
	VEC_EACH (struct api_range, r, ranges)
		if (uid >= r->low && uid <= r->high)
			return true;
	return false;
}

/* All that was there at `since` and is not in the view has gone since. */
static void check_gone(struct scenery *s, struct viewer *v)
{
	struct moment *m = moment_at(s, s->boxes[v->box], v->since);
	VEC_EACH (struct api_entry, e, &m->entries) {
		size_t i = at_uid(&v->entries, e->uid);
		bool there = i < v->entries.n &&
			     ((struct api_entry *)vec_at(&v->entries, i))->uid == e->uid;
		if (!there && v->since <= v->modseq && !in_ranges(&v->gone, e->uid))
			WRONG("UID %d of %d has gone until %d, and did not vanish", (int)e->uid,
				(int)v->since, (int)v->modseq);
	}
}

/* As a session takes its own STORE in, when it had all before that. */
static void take_own(struct viewer *v, const struct frame_changed *c)
{
	uint64_t none[2] = { 0, 0 };
	if (!v->open || c->before == 0 || v->modseq != c->before || v->own.keywords.n)
		return;
	VEC_EACH (struct api_entry, e, &v->entries) {
		struct api_entry x = *e;
		if (e->uid < v->range.low || e->uid > v->range.high ||
			e->modseq > v->own.unchanged_since || !op_flags_apply(&v->own, none, &x))
			continue;
		*e = x;
		e->modseq = c->modseq;
	}
	v->modseq = c->modseq;
}

static void told(struct scenery *s, int box, uint64_t modseq)
{
	if (modseq > s->told[box])
		s->told[box] = modseq;
}

static void take(struct scenery *s, struct viewer *v, const struct frame *f)
{
	bool over = true;
	switch ((int)f->type) {
	case FRAME_VIEW_IS:
		v->coming_modseq = f->view_is.modseq;
		v->coming_messages = f->view_is.messages;
		vec_clear(&v->coming);
		if (v->coming_modseq < v->floor)
			WRONG("a view is at %d, and somebody was told %d before",
				(int)v->coming_modseq, (int)v->floor);
		told(s, v->box, v->coming_modseq);
		over = false;
		break;
	case FRAME_VIEW_ENTRIES:
		for (size_t i = 0; i < f->view_entries.entries.n; i++)
			vec_push(&v->coming, &f->view_entries.entries.items[i]);
		over = f->view_entries.last;
		if (over && v->bare) {
			struct moment *m = moment_at(s, s->boxes[v->box], v->coming_modseq);
			if (m == NULL || m->entries.n != v->coming_messages)
				WRONG("a bare view at %d has %d messages", (int)v->coming_modseq,
					(int)v->coming_messages);
		} else if (over) {
			copy_entries(&v->entries, &v->coming);
			v->before = v->open ? v->modseq : 0;
			v->modseq = v->coming_modseq;
			v->open = true;
			compare_with(s, &v->entries, s->boxes[v->box], v->modseq, "a view");
		}
		break;
	case FRAME_VIEW_CHANGED:
		take_changes(v, &f->view_changed);
		over = f->view_changed.last;
		if (over) {
			if (f->view_changed.modseq < v->modseq)
				WRONG("changes fall from %d to %d", (int)v->modseq,
					(int)f->view_changed.modseq);
			v->modseq = f->view_changed.modseq;
			told(s, v->box, v->modseq);
			compare_with(s, &v->entries, s->boxes[v->box], v->modseq,
				"who asks for changes");
		}
		break;
	case FRAME_VANISHED:
		for (size_t i = 0; i < f->vanished.uids.n; i++)
			vec_push(&v->gone, &f->vanished.uids.items[i]);
		over = f->vanished.last;
		if (over)
			check_gone(s, v);
		break;
	case FRAME_CHANGED:
		over = f->changed.last;
		v->stale = true;
		if (over)
			take_own(v, &f->changed);
		break;
	case FRAME_FAILED:
		v->open = v->open && f->failed.kind != ERR_LIMIT;
		break;
	default:
		break;
	}
	if (over)
		v->request = 0;
}

static void hear(struct scenery *s, struct viewer *v)
{
	while (v->heard < v->p.replies.n) {
		const struct reply *r = vec_at(&v->p.replies, v->heard++);
		if (r->request == 0 && r->frame.type == FRAME_MAILBOX_CHANGED)
			v->stale = v->stale || r->frame.mailbox_changed.mailbox == s->boxes[v->box];
		else if (r->request == v->request && v->request)
			take(s, v, &r->frame);
	}
	forget_replies(&v->p);
	v->heard = 0;
}

/* ---- a viewer asks ---- */

static void tell_ranges(struct test_peer *p, uint32_t request, struct api_range range, bool wrong)
{
	struct api_range two[2] = { range, { 1, 1 } };
	tell(p, request,
		(struct frame){ .type = FRAME_UIDS, .uids.ranges = { two, wrong ? 2 : 1 } });
}

static struct api_range some_range(struct scenery *s)
{
	uint32_t low = 1 + below(s, 40);
	return (struct api_range){ low, low + (below(s, 3) ? below(s, 4) : below(s, 40)) };
}

static struct frame some_flags(struct scenery *s, uint32_t session, uint64_t mailbox)
{
	static const struct str words[] = { STR_INIT("one"), STR_INIT("two"), STR_INIT("three") };
	return (struct frame){ .type = FRAME_SET_FLAGS,
		.set_flags = { .session = session,
			.mailbox = mailbox,
			.mode = (uint8_t)below(s, 3),
			.flags = (uint8_t)(1U << below(s, 5)),
			.keywords = { words + below(s, 3), below(s, 4) == 0 },
			.unchanged_since = below(s, 4) ? UINT64_MAX : 10 + below(s, 300),
			.before = true } };
}

static void ask_open(struct scenery *s, struct viewer *v)
{
	int box = (int)below(s, BOXES);
	if (box != v->box)
		tell(&v->p, 0,
			(struct frame){ .type = FRAME_VIEW_CLOSE,
				.view_close = { v->session, s->boxes[v->box] } });
	v->bare = below(s, 4) == 0 && (box != v->box || !v->open);
	if (box != v->box)
		v->open = false;
	v->box = box;
	v->floor = s->told[box];
	v->stale = false;
	tell(&v->p, v->request,
		(struct frame){ .type = FRAME_VIEW_OPEN,
			.view_open = { v->session, s->boxes[box], true, v->bare, false } });
}

static void ask_something(struct scenery *s, struct viewer *v)
{
	v->request = ++v->p.last_request;
	uint32_t what = below(s, 12);
	if (!v->open || what < 2) {
		ask_open(s, v);
	} else if (what < 6) {
		v->stale = false;
		tell(&v->p, v->request,
			(struct frame){ .type = FRAME_VIEW_CHANGES,
				.view_changes = { v->session, s->boxes[v->box], v->modseq } });
	} else if (what < 8) {
		uint32_t n = (uint32_t)s->moments.n,
			 back = below(s, 2) && n > 8 ? below(s, 8) : below(s, n);
		const struct moment *m = vec_at(&s->moments, n - 1 - back);
		vec_clear(&v->gone);
		v->since = v->before && below(s, 3)         ? v->before
			   : m->mailbox == s->boxes[v->box] ? m->modseq
							    : v->modseq;
		if (moment_at(s, s->boxes[v->box], v->since) == NULL) {
			v->request = 0;
			return;
		}
		tell(&v->p, v->request,
			(struct frame){ .type = FRAME_VIEW_VANISHED,
				.view_vanished = { v->session, s->boxes[v->box], v->since } });
	} else {
		struct frame f = some_flags(s, v->session, s->boxes[v->box]);
		v->range = some_range(s);
		v->own = (struct op_flags){ .mode = f.set_flags.mode,
			.flags = f.set_flags.flags,
			.keywords = f.set_flags.keywords,
			.unchanged_since = f.set_flags.unchanged_since };
		tell_ranges(&v->p, v->request, v->range, false);
		tell(&v->p, v->request, f);
	}
}

/* ---- changes of others ---- */

static void mutate(struct scenery *s)
{
	struct test_peer *p = &s->mutator;
	uint64_t box = s->boxes[below(s, BOXES)];
	uint32_t request = ++p->last_request, what = below(s, 10);
	bool wrong = below(s, 6) == 0;
	if (what < 4) {
		tell_ranges(p, request, some_range(s), wrong);
		tell(p, request, some_flags(s, s->mutating, box));
	} else if (what < 5) {
		tell_ranges(p, request, some_range(s), wrong);
		tell(p, request,
			(struct frame){ .type = FRAME_EXPUNGE,
				.expunge = { s->mutating, box, below(s, 2) == 0 } });
	} else if (what < 7) {
		tell_ranges(p, request, some_range(s), wrong);
		tell(p, request,
			(struct frame){ .type = FRAME_COPY,
				.copy = { s->mutating, box, s->boxes[below(s, BOXES)],
					below(s, 2) == 0 } });
	} else {
		tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
		tell(p, request,
			(struct frame){
				.type = FRAME_UPLOAD_BYTES, .upload_bytes.data = STR("hello") });
		tell(p, request,
			(struct frame){ .type = FRAME_UPLOAD_INTO,
				.upload_into = { .session = s->mutating, .mailbox = box } });
		tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
	}
}

/* ---- steps ---- */

static struct scenery *at_work; /* whose engine runs */
static struct engine_class watched;
static bool in_reader, in_writer;

static void step_of(struct scenery *s, struct worker *w);

/* Readers see what is committed before the writer has said so, and the loop goes on meanwhile. */
static int run_and_read(struct engine *e, struct txn *const *txns, size_t n, struct err *err)
{
	struct scenery *s = at_work;
	int rc = engine_sqlite.run(e, txns, n, err);
	remember(s);
	in_writer = true;
	for (uint32_t i = in_reader ? 0 : below(s, 8); i > 0; i--) {
		struct worker *w = s->w.f.executor.workers->next;
		for (uint32_t k = below(s, (uint32_t)s->w.f.store->n_readers); k > 0; k--)
			w = w->next;
		step_of(s, w);
		for (int k = 0; k < VIEWERS && s->busy; k++)
			if (s->viewers[k].request == 0 && below(s, 2))
				ask_something(s, &s->viewers[k]);
	}
	in_writer = false;
	return rc;
}

/* The writer may have said something between what a reader sees and what it says. */
static void write_meanwhile(struct scenery *s)
{
	struct worker *writer = s->w.f.executor.workers;
	if (in_writer || below(s, 2) || !writer->awake)
		return;
	in_reader = true;
	writer->awake = writer->spec.step(writer->spec.arg);
	in_reader = false;
}

static int view_and_write(struct reader *r, uint64_t mailbox, uint32_t after, size_t rows,
	struct mailbox_row *ret, struct arena *arena, struct vec *keywords, struct vec *entries,
	struct err *err)
{
	int rc = engine_sqlite.view(r, mailbox, after, rows, ret, arena, keywords, entries, err);
	write_meanwhile(at_work);
	return rc;
}

static int numbers_and_write(struct reader *r, uint64_t mailbox, size_t looked,
	struct mailbox_row *ret, struct arena *arena, struct vec *keywords, uint32_t *ret_unseen,
	struct err *err)
{
	int rc = engine_sqlite.numbers(r, mailbox, looked, ret, arena, keywords, ret_unseen, err);
	write_meanwhile(at_work);
	return rc;
}

static int expunged_and_write(struct reader *r, uint64_t mailbox, uint32_t *after, size_t rows,
	uint64_t since, struct vec *ret, struct err *err)
{
	int rc = engine_sqlite.expunged(r, mailbox, after, rows, since, ret, err);
	write_meanwhile(at_work);
	return rc;
}

static struct reader *open_reader(struct engine *e, struct err *err)
{
	struct reader *r = engine_sqlite.reader_open(e, err);
	if (r)
		r->class = &watched;
	return r;
}

static void watch_engine(struct scenery *s)
{
	at_work = s;
	watched = engine_sqlite;
	watched.run = run_and_read;
	watched.view = view_and_write;
	watched.numbers = numbers_and_write;
	watched.expunged = expunged_and_write;
	watched.reader_open = open_reader;
	s->w.f.store->engine->class = &watched;
}

static void step_of(struct scenery *s, struct worker *w)
{
	if (w->awake && (!w->notified || below(s, 2))) {
		w->awake = w->spec.step(w->spec.arg);
	} else if (w->notified) {
		w->notified = false;
		w->spec.done(w->spec.arg);
	}
	for (int i = 0; i < VIEWERS; i++)
		hear(s, &s->viewers[i]);
}

static void step(struct scenery *s)
{
	struct executor_fake *e = &s->w.f.executor;
	int n = 0;
	for (struct worker *w = e->workers; w; w = w->next)
		n++;
	struct worker *w = e->workers;
	for (uint32_t i = below(s, (uint32_t)n); i > 0; i--)
		w = w->next;
	step_of(s, w);
}

static void run_to_rest(struct scenery *s)
{
	struct executor_fake *e = &s->w.f.executor;
	for (bool busy = true; busy;) {
		busy = false;
		for (struct worker *w = e->workers; w; w = w->next)
			busy = busy || w->awake || w->notified;
		step(s);
	}
}

static void come(struct scenery *s)
{
	for (int i = 0; i < VIEWERS; i++) {
		struct viewer *v = &s->viewers[i];
		peer_init(&v->p, &s->w.f, CLASS_USER, 3);
		v->session = open_session(&v->p, s->account);
		v->open = v->stale = false;
		v->request = 0;
	}
	peer_init(&s->mutator, &s->w.f, CLASS_USER, 3);
	s->mutating = open_session(&s->mutator, s->account);
}

static void go(struct scenery *s)
{
	for (int i = 0; i < VIEWERS; i++)
		peer_done(&s->viewers[i].p);
	peer_done(&s->mutator);
	world_peers_done(&s->w);
}

static int copy_but_shm(void *arg, const char *name)
{
	return strcmp(name, "ledger.db-shm") && strcmp(name, "digests.db-shm") ? copy_in(arg, name)
									       : 0;
}

/* The process dies: its files are as they are now. */
static void die(struct scenery *s)
{
	s->busy = false;
	struct files_seam *files = s->w.f.seams.files;
	VEC_EACH (struct file_copy, c, &template)
		free(c->bytes);
	vec_done(&template);
	vec_init(&template, sizeof(struct file_copy), 1000);
	files->list(files, ".", copy_but_shm, files);
	files->list(files, "blobs", copy_in_blob, files);
	go(s);
	store_free(&s->w.f.store);
	empty_directory(files, "blobs");
	empty_directory(files, ".");
	copy_out(files);
	if (!fixture_open(&s->w.f))
		fail_msg("%s", err_log_text(&s->w.f.err));
	world_peers(&s->w);
	remember(s);
	watch_engine(s);
	come(s);
	s->busy = true;
}

/* At rest everybody knows that there is something, or has all. */
static void at_rest(struct scenery *s)
{
	s->busy = false;
	run_to_rest(s);
	s->busy = true;
	for (int i = 0; i < VIEWERS; i++) {
		struct viewer *v = &s->viewers[i];
		const struct moment *m = NULL;
		VEC_EACH (struct moment, x, &s->moments)
			if (x->mailbox == s->boxes[v->box])
				m = x;
		if (v->open && !v->stale && v->modseq != m->modseq)
			WRONG("viewer %d has %d of %d and was not told", i, (int)v->modseq,
				(int)m->modseq);
	}
}

static void walk(uint64_t seed)
{
	struct scenery *s = xmalloc(sizeof(*s));
	*s = (struct scenery){ .random = seed * 7919, .bounds = store_bounds_normal };
	seed_now = seed;
	s->bounds.slice_rows = 2 + below(s, 8);
	s->bounds.flags_told = 2 + below(s, 30);
	s->bounds.group_rows = 5 + below(s, 60);
	s->bounds.bases_bytes = below(s, 3) ? s->bounds.bases_bytes : 400000;
	fixture_init(&s->w.f);
	s->w.f.settings.bounds = &s->bounds;
	if (!fixture_open(&s->w.f))
		fail_msg("%s", err_log_text(&s->w.f.err));
	world_peers(&s->w);
	ask(&s->w.admin,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example.test") });
	add_account(&s->w, "alice@example.test");
	s->account = account_of(&s->w.mx, "alice@example.test");
	vec_init(&s->moments, sizeof(struct moment), 1000000);
	for (int i = 0; i < VIEWERS; i++) {
		struct viewer *v = &s->viewers[i];
		vec_init(&v->entries, sizeof(struct api_entry), 100000);
		vec_init(&v->coming, sizeof(struct api_entry), 100000);
		vec_init(&v->gone, sizeof(struct api_range), 100000);
	}
	come(s);
	s->boxes[0] = mailbox_of(&s->mutator, s->mutating, "INBOX");
	s->boxes[1] = mailbox_of(&s->mutator, s->mutating, "Sent");
	remember(s);
	watch_engine(s);
	for (int i = 0; i < STEPS; i++) {
		if (below(s, 4) == 0)
			for (uint32_t n = 1 + below(s, MUTATIONS); n > 0; n--)
				mutate(s);
		for (int k = 0; k < VIEWERS; k++)
			if (s->viewers[k].request == 0 && below(s, 2))
				ask_something(s, &s->viewers[k]);
		for (uint32_t n = below(s, 12); n > 0; n--)
			step(s);
		if (s->mutator.replies.n > 1000)
			forget_replies(&s->mutator);
		if (below(s, 8) == 0)
			bases_drop(s->w.f.store);
		if (below(s, 40) == 0)
			at_rest(s);
		if (below(s, 100) == 0)
			die(s);
	}
	at_rest(s);
	go(s);
	VEC_EACH (struct moment, m, &s->moments)
		vec_done(&m->entries);
	vec_done(&s->moments);
	for (int i = 0; i < VIEWERS; i++) {
		vec_done(&s->viewers[i].entries);
		vec_done(&s->viewers[i].coming);
		vec_done(&s->viewers[i].gone);
	}
	fixture_done(&s->w.f);
	free(s);
}

static uint64_t number(const char *name, uint64_t or_else)
{
	const char *text = getenv(name);
	struct scan s = scan_from(str_from(text != NULL ? text : ""));
	uint64_t n = or_else;
	if (text != NULL)
		assert_true(scan_number(&s, UINT32_MAX, &n));
	return n;
}

static void what_is_told_was(void **state)
{
	uint64_t one = number("CULVER_WALK", 0), walks = number("CULVER_WALKS", WALKS);
	(void)state;
	for (uint64_t seed = one ? one : 1; seed <= (one ? one : walks); seed++)
		walk(seed);
}

TEST_MAIN(test_case(what_is_told_was))
