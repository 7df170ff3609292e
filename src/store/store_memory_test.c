// SPDX-License-Identifier: Apache-2.0
/*
 * X2: the store at each of its allocations, its libraries' too, while it starts and while it does
 * each thing of store_scene.h. It ends, as base/mem.h says, or refuses; what it has acknowledged is
 * there, in itself if it lives and for its successor; what it has not acknowledged has happened
 * wholly or not at all; nothing is damaged.
 */
#include "base/no_memory.h"
#include "store/store_scene.h"

/* A change that changes nothing: the writer still works. */
static void still_writes(struct scene *s)
{
	const struct frame *r = try_about(&s->w.user, 5, 5,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = s->session,
				.mailbox = s->inbox,
				.mode = FLAGS_ADD,
				.unchanged_since = UINT64_MAX } });
	assert_non_null(r);
	assert_frame(r, FRAME_CHANGED);
}

/* The next process, and then nothing is left. */
static void look(struct scene *s, const struct course *c, bool acknowledged, uint64_t n)
{
	compare(s, c, acknowledged, n);
	if (c->action->act == do_reclaim) /* what was cut is taken up again */
		assert_frame(do_reclaim(s), FRAME_RECLAIMED);
	goes_on(s);
	no_damage(s);
	leave(s);
	fixture_done(&s->w.f);
}

/* In a child. */
static void act(void *arg)
{
	const struct course *c = arg;
	struct scene s;
	scene_init(&s);
	no_memory_note(str_from(s.w.f.path));
	no_memory_from_here();
	const struct frame *r = c->action->act(&s);
	bool acknowledged = no_memory.shared->acknowledged = r && r->type != FRAME_FAILED;
	no_memory_until_here();
	if (s.w.f.ended == 0) {
		if (r == NULL)
			fail_msg("%s: no answer", c->action->name);
		compare(&s, c, acknowledged, no_memory.fail_at);
		still_writes(&s);
	}
	next_process(&s);
	look(&s, c, acknowledged, no_memory.fail_at);
}

/* In a child: the start alone. */
static void start(void *arg)
{
	struct scene s;
	(void)arg;
	scene_prepare(&s);
	no_memory_note(str_from(s.w.f.path));
	no_memory_from_here();
	bool open = fixture_open(&s.w.f);
	if (open)
		world_peers(&s.w);
	no_memory_until_here();
	if (open)
		leave(&s);
	fixture_done(&s.w.f);
}

/* In a child: a question that reads several rows at one point in time, and once more with memory.
 * Who can't end such a reading would answer nobody again. */
static void question(void *arg)
{
	const struct frame *asked = arg;
	struct frame q = *asked;
	struct test_peer gate;
	struct scene s;
	scene_init(&s);
	no_memory_note(str_from(s.w.f.path));
	peer_init(&gate, &s.w.f, CLASS_GATE, 9);
	struct test_peer *p = q.type == FRAME_VIEW_OPEN ? &s.w.user : &gate;
	if (q.type == FRAME_VIEW_OPEN)
		q.view_open = (struct frame_view_open){ s.session, s.inbox, false };
	no_memory_from_here();
	const struct frame *r = ask(p, q);
	no_memory_until_here();
	if (r->type == FRAME_FAILED)
		assert_int_equal(r->failed.kind, ERR_TEMP);
	assert_frame(ask(p, q), q.type == FRAME_VIEW_OPEN ? FRAME_VIEW_IS : FRAME_CREDENTIALS);
	peer_done(&gate);
	leave(&s);
	fixture_done(&s.w.f);
}

/* Another process, where one that ended has left off. */
static void succeed(struct scene *s)
{
	struct err err = ERR_INIT;
	settings(s);
	rmdir(s->w.f.path);
	files_os_free(&s->w.f.seams.files);
	snprintf(s->w.f.path, sizeof(s->w.f.path), "%" STR_FMT, STR_ARG(no_memory_said()));
	s->w.f.seams.files = files_os_new(s->w.f.path, &err);
	assert_non_null(s->w.f.seams.files);
	enter(s);
	assert_false(store_read_only(s->w.f.store, NULL));
	s->alice = account_of(&s->w.mx, "alice@example.test");
	s->bob = account_of(&s->w.mx, "bob@example.test");
}

static void x2_each_allocation_of_what_is_done(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		struct course c;
		course_init(&c, &actions[i]);
		NO_MEMORY_EACH(run, actions[i].name, act, &c)
		{
			struct scene s;
			if (run.end != NO_MEMORY_ENDED)
				continue;
			succeed(&s);
			look(&s, &c, no_memory.shared->acknowledged, run.n);
		}
		course_done(&c);
	}
}

static void x2_each_allocation_of_a_question(void **state)
{
	struct frame questions[] = {
		{ .type = FRAME_GET_CREDENTIALS,
			.get_credentials.address = STR_INIT("alice@example.test") },
		{ .type = FRAME_VIEW_OPEN },
	};
	struct course c;
	(void)state;
	course_init(&c, &actions[0]);
	for (size_t i = 0; i < ARRAY_LEN(questions); i++)
		NO_MEMORY_EVERY(
			run, frame_name((uint16_t)questions[i].type), question, &questions[i])
		{
			struct scene s;
			if (run.end != NO_MEMORY_ENDED)
				continue;
			succeed(&s);
			leave(&s);
			fixture_done(&s.w.f);
		}
	course_done(&c);
}

static void x2_each_allocation_of_a_start(void **state)
{
	struct course c;
	(void)state;
	course_init(&c, &actions[0]);
	NO_MEMORY_EACH(run, "start", start, NULL)
	{
		struct scene s;
		if (run.end != NO_MEMORY_ENDED)
			continue;
		succeed(&s);
		look(&s, &c, false, run.n);
	}
	course_done(&c);
}

TEST_MAIN(test_case(x2_each_allocation_of_what_is_done), test_case(x2_each_allocation_of_a_start),
	test_case(x2_each_allocation_of_a_question))
