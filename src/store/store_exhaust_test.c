// SPDX-License-Identifier: Apache-2.0
/*
 * Small workloads, exhausted: every sequence of up to three things done to a store, cut off at each
 * call of its last one, with every subset of what was not flushed by then (blocks of 4 KiB,
 * lengths; of changes of names each prefix): 2^10 subsets at most, beyond that 1,000 that are
 * drawn. The store that opens there has all that was acknowledged, the last thing wholly or not at
 * all, finds nothing amiss, and goes on. Cases that leave the same files are one: a block that is
 * written at a call is kept by half of the subsets of the next, and left out by the others.
 *
 * CULVER_EXHAUST=1 runs all of it, CULVER_EXHAUST=N a case in N, and CULVER_EXHAUST=K/N, K from 0
 * to N - 1, one share of the sequences of N that together are all. Without that a small share of
 * the cases is run, the same each time; a fifth of it under a sanitizer, which looks for other
 * faults than those of the cases. With CULVER_PLANTED=NAME a fault is planted, to be found.
 */
#include "store/store_scene.h"

#include "base/planted.h"
#include "store/files_sim.h"
#include "store/files_sim_vfs.h"

#include <malloc.h>
#include <time.h>

enum { MOST_THINGS = 10, DRAWN = 1000, LONGEST = 3 };

/* ---- a store on such files ---- */

static struct {
	const char *vfs;
	int vfs_number;
	struct files_seam *real;
} now;

static const char *vfs_name(struct files_seam *seam)
{
	(void)seam;
	return now.vfs;
}

static void begin_on(struct scene *s, struct files_sim *sim)
{
	settings(s);
	now.real = s->w.f.seams.files;
	s->w.f.seams.files = &sim->seam;
	sim->seam.sqlite_vfs = vfs_name;
	now.vfs = files_sim_vfs_new(
		&sim->seam, ++now.vfs_number, &s->w.f.random.seam, &s->w.f.clock.seam);
	enter(s);
}

static void end_on(struct scene *s)
{
	leave(s);
	files_sim_vfs_free(now.vfs);
	s->w.f.seams.files = now.real;
	fixture_done(&s->w.f);
}

/* ---- what is done ---- */

static const struct frame *do_deliver_one(struct scene *s)
{
	return send(&s->w.mx, (struct frame){ .type = FRAME_UPLOAD_TO }, 52, 1, &s->alice);
}

static const struct action steps[] = { { "deliver", do_deliver_one },
	{ "deliver to two", do_deliver }, { "append", do_append }, { "copy", do_copy },
	{ "move", do_move }, { "flag", do_flags }, { "expunge", do_expunge },
	{ "reclaim", do_reclaim } };

struct sequence {
	size_t n, step[LONGEST];
};

static const char *sequence_name(const struct sequence *q, char room[100])
{
	int n = 0;
	for (size_t i = 0; i < q->n; i++)
		n += snprintf(
			room + n, (size_t)(100 - n), "%s%s", i ? ", " : "", steps[q->step[i]].name);
	return room;
}

/* ---- which cases are run ---- */

static struct {
	uint64_t stride;        /* of cases */
	uint64_t shares, which; /* of sequences */
	bool all;               /* sequences, or a share of the longest */
	uint64_t drawn, cases, same, sequences, skipped, images, most_things;
	struct map seen; /* files that were looked at, of this sequence */
} run;

static uint64_t mixed(uint64_t z)
{
	z += 0x9e3779b97f4a7c15U;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return z ^ z >> 31;
}

static bool is_run(uint64_t number)
{
	return mixed(number) % run.stride == 0;
}

/* ---- what may be left at each call ---- */

struct image {
	struct files_sim *files;
	bool acknowledged;
	bool all;         /* subsets, or those drawn */
	size_t names;     /* changed */
	uint64_t subsets; /* for each prefix of these changes */
	uint64_t first;   /* number of a case, of (names + 1) * subsets */
};

struct watching {
	struct scene *s;
	struct files_sim *sim;
	struct vec images; /* struct image */
	size_t replies;
	uint64_t last;
};

static bool is_acknowledged(const struct watching *w)
{
	const struct test_peer *peers[] = { &w->s->w.mx, &w->s->w.user, &w->s->w.admin };
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		n += peers[i]->replies.n;
	return n > w->replies;
}

static void number_cases(struct image *image, struct files_sim *sim)
{
	size_t things = files_sim_pending(sim, &image->names);
	image->all = things <= MOST_THINGS;
	image->subsets = image->all ? (uint64_t)1 << things : DRAWN;
	image->first = run.drawn;
	run.drawn += (image->names + 1) * image->subsets;
	run.images++;
	run.most_things = things > run.most_things ? things : run.most_things;
}

static bool is_any_run(const struct image *image)
{
	for (uint64_t number = image->first; number < run.drawn; number++)
		if (is_run(number))
			return true;
	return false;
}

/* Before each call: as it would be if the power went now. A copy costs more than most cases. */
static void watch(void *arg)
{
	struct watching *w = arg;
	struct image image = { .acknowledged = is_acknowledged(w) };
	uint64_t is = 2 * w->sim->changes + image.acknowledged;
	if (is == w->last)
		return;
	w->last = is;
	number_cases(&image, w->sim);
	if (!is_any_run(&image))
		return;
	image.files = files_sim_copy(w->sim);
	assert_non_null(vec_push(&w->images, &image));
}

/* ---- cases ---- */

struct subset {
	uint64_t mask, random;
	bool all;
};

static bool keep(void *arg, size_t thing)
{
	struct subset *u = arg;
	return u->all ? u->mask >> thing & 1 : mixed(u->random + thing) & 1;
}

struct expected {
	const struct sequence *sequence;
	char *before, *after;
};

static bool is_seen(const struct image *image, struct files_sim *files)
{
	uint64_t hash = files_sim_hash(files) + image->acknowledged;
	bool seen = map_get_u64(&run.seen, hash) != NULL;
	assert_true(map_put_u64(&run.seen, hash, &run));
	run.same += seen;
	return seen;
}

static void check_case(
	const struct expected *x, const struct image *image, struct subset *u, size_t names)
{
	struct scene s;
	char room[100];
	struct files_sim *files = files_sim_copy(image->files);
	files_sim_cut(files, keep, u, names);
	if (is_seen(image, files)) {
		files_sim_free(&files);
		return;
	}
	begin_on(&s, files);
	if (store_read_only(s.w.f.store, NULL))
		fail_msg("%s: read-only", sequence_name(x->sequence, room));
	s.alice = account_of(&s.w.mx, "alice@example.test");
	s.bob = account_of(&s.w.mx, "bob@example.test");
	char *is = snapshot(&s);
	bool done = strcmp(is, x->after) == 0;
	if (!done && (image->acknowledged || strcmp(is, x->before) != 0))
		fail_msg("%s%s, subset %llx, names %zu:\n%swas\n%swas to be\n%s",
			sequence_name(x->sequence, room),
			image->acknowledged ? ", acknowledged" : "",
			(unsigned long long)(u->all ? u->mask : u->random), names, is, x->before,
			x->after);
	free(is);
	const struct frame *r = ask(&s.w.admin, (struct frame){ .type = FRAME_STORE_CHECK });
	if (r->type == FRAME_CHECK_FINDING)
		fail_msg("%s, subset %llx, names %zu, %s: %.*s", sequence_name(x->sequence, room),
			(unsigned long long)(u->all ? u->mask : u->random), names,
			done ? "done" : "not done", (int)r->check_finding.text.n,
			r->check_finding.text.p);
	assert_frame(r, FRAME_CHECK_DONE);
	if (++run.cases % 4 == 0)
		goes_on(&s);
	end_on(&s);
	files_sim_free(&files);
}

static void check_image(const struct expected *x, const struct image *image)
{
	uint64_t number = image->first;
	for (size_t n = 0; n <= image->names; n++)
		for (uint64_t i = 0; i < image->subsets; i++) {
			struct subset u = { .mask = i, .random = mixed(i) + n, .all = image->all };
			if (is_run(number++))
				check_case(x, image, &u, n);
		}
}

static void explore(const struct sequence *q)
{
	static struct files_sim *base;
	struct scene s;
	struct expected x = { .sequence = q };
	static const uint8_t key[16] = "exhausted files";
	if ((run.sequences + run.skipped) % run.shares != run.which) {
		run.skipped++;
		return;
	}
	make_template();
	if (base == NULL) {
		base = files_sim_new(1);
		copy_out(&base->seam);
		files_sim_settle(base);
	}
	struct files_sim *sim = files_sim_copy(base);
	begin_on(&s, sim);
	know(&s);
	for (size_t i = 0; i + 1 < q->n; i++)
		assert_non_null(steps[q->step[i]].act(&s));
	x.before = snapshot(&s);
	forget_replies(&s.w.mx);
	forget_replies(&s.w.user);
	forget_replies(&s.w.admin);
	struct watching w = { .s = &s, .sim = sim };
	vec_init(&w.images, sizeof(struct image), 100000);
	sim->watch = watch;
	sim->watch_arg = &w;
	assert_non_null(steps[q->step[q->n - 1]].act(&s));
	watch(&w); /* and when it is over */
	sim->watch = NULL;
	x.after = snapshot(&s);
	end_on(&s);
	files_sim_free(&sim);
	run.sequences++;
	map_init(&run.seen, key, 10000000);
	VEC_EACH (struct image, image, &w.images) {
		check_image(&x, image);
		files_sim_free(&image->files);
	}
	map_done(&run.seen);
	vec_done(&w.images);
	free(x.before);
	free(x.after);
}

static void explore_from(struct sequence *q, size_t most)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		q->step[q->n++] = i;
		/* Of the longest, a share. */
		if (run.all || q->n < LONGEST ||
			mixed(q->step[0] * 64 + q->step[1] * 8 + i) % 16 == 0)
			explore(q);
		if (q->n < most)
			explore_from(q, most);
		q->n--;
	}
}

static void every_sequence(void **state)
{
	const char *share = getenv("CULVER_EXHAUST");
	struct sequence q = { .n = 0 };
	(void)state;
	run.all = share != NULL;
#ifdef CULVER_SANITIZED
	run.stride = 750;
#else
	run.stride = 75;
#endif
	run.shares = 1;
	/* What is freed goes back, so that large pieces are zeros without being written to. */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	if (share) {
		struct scan number = scan_from(str_from(share));
		assert_true(scan_number(&number, 1000000, &run.stride));
		if (scan_char(&number, '/')) {
			run.which = run.stride;
			run.stride = 1;
			assert_true(scan_number(&number, 1000000, &run.shares));
		}
		assert_true(scan_end(&number) && run.stride && run.which < run.shares);
	}
	planted_from_environment();
	explore_from(&q, LONGEST);
	printf("# %llu sequences, %llu states at a call, %llu cases and %llu that left the same "
	       "files (at most %llu things not flushed), %.0f s of CPU\n",
		(unsigned long long)run.sequences, (unsigned long long)run.images,
		(unsigned long long)run.cases, (unsigned long long)run.same,
		(unsigned long long)run.most_things, (double)clock() / CLOCKS_PER_SEC);
}

TEST_MAIN(test_case(every_sequence))
