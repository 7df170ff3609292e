// SPDX-License-Identifier: Apache-2.0
/* Channels that are dropped while both sides live are replaced, whoever drops them. */
#include "process/world_test.h"

static void up(struct world *w, uint64_t seed)
{
	world_make(w, seed);
	world_boot(w);
	world_until(w, w->ready);
	loop_sim_run_for(w->loop, 2 * LIMIT_CONNECT_AGAIN_MS);
}

static struct role_link *link_of(struct world *w, const char *one, const char *other)
{
	const struct child *a = world_child(w, one), *b = world_child(w, other);
	VEC_EACH (struct role_link, l, &w->supervisor->links)
		if ((l->a == a && l->b == b) || (l->a == b && l->b == a))
			return l;
	fail_msg("%s and %s are not connected", one, other);
	return NULL;
}

static unsigned replaced(const struct world *w)
{
	unsigned n = 0;
	struct str rest = buf_str(&w->log), mark = STR("event=channel-replaced");
	for (size_t at; (at = str_search(rest, mark)) < rest.n; n++)
		rest = str_from_offset(rest, at + mark.n);
	return n;
}

static void logs_in(struct world *w)
{
	struct client c;
	assert_true(client_connect(&c, w, "imap", "127.0.0.1"));
	client_wants(&c, "* OK");
	client_says(&c, "a LOGIN alice@example secret\r\n", "a OK");
	client_says(&c, "b SELECT INBOX\r\n", "b OK");
	client_done(&c);
}

static void nothing(void *arg, int events)
{
	(void)arg;
	(void)events;
}

static void say(struct world *w, struct link *link, struct str text)
{
	for (ssize_t n = 0; text.n && (n >= 0 || n == -EAGAIN);) {
		n = w->loop->class->link_write(link, text.p, text.n, -1);
		text = str_from_offset(text, n > 0 ? (size_t)n : 0);
		loop_sim_run_for(w->loop, 10);
	}
}

/* Every end of every channel: it hears what is no frame, as if from the other end, and drops it. */
static void every_end_says_so(void **state)
{
	static const char *const ends[][2] = { { "front-mx", "store" }, { "front-mx", "courier" },
		{ "front-user", "store" }, { "front-user", "gate" }, { "front-user", "courier" },
		{ "store", "front-mx" }, { "store", "front-user" }, { "store", "gate" },
		{ "gate", "store" }, { "gate", "front-user" }, { "keys", "front-mx" },
		{ "keys", "front-user" }, { "courier", "front-mx" }, { "courier", "front-user" } };
	struct link_events events = { .ready = nothing };
	struct world w;
	(void)state;
	up(&w, 1);
	world_people(&w);
	/* a front's end of keys is front_test's */
	assert_int_equal(w.supervisor->links.n * 2, ARRAY_LEN(ends) + 2);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct child *c = world_child(&w, ends[i][0]), *other = world_child(&w, ends[i][1]);
		struct role_link *l = link_of(&w, ends[i][0], ends[i][1]);
		uint32_t before = l->number;
		int pair[2];
		assert_int_equal(w.loop->class->pair(w.loop, pair), 0);
		struct link *link = w.loop->class->link_new(w.loop, pair[0], &events);
		provision_hand_over(w.supervisor, c->control,
			&(struct frame_hand_over){
				.kind = str_from(
					l->a == c ? l->edge->called_by_a : l->edge->called_by_b),
				.instance = other->instance,
				.role = (uint8_t)other->row->channel_class,
				.channel = before },
			pair[1]);
		loop_sim_run_for(w.loop, 1000);
		assert_int_equal(link_of(&w, ends[i][0], ends[i][1])->number, before);
		say(&w, link, STR("what is no frame"));
		world_until(&w, link_of(&w, ends[i][0], ends[i][1])->number != before);
		w.loop->class->link_free(&link);
		loop_sim_run_for(w.loop, 1000);
		logs_in(&w);
		assert_int_equal(replaced(&w), i + 1);
	}
	VEC_EACH (struct child *, c, &w.supervisor->children)
		assert_int_equal((*c)->restarts, 0);
	world_done(&w);
}

/* What is known of the channel that there is now counts, of those who have it. */
static void stale_and_foreign_numbers(void **state)
{
	struct world w;
	(void)state;
	up(&w, 2);
	world_people(&w);
	struct role_link *l = link_of(&w, "front-user", "store");
	uint32_t before = l->number;
	role_channel_lost(&world_role(&w, "keys")->context, before);
	role_channel_lost(&world_role(&w, "gate")->context, before);
	role_channel_lost(&world_role(&w, "store")->context, 0);
	loop_sim_run_for(w.loop, 5000);
	assert_int_equal(replaced(&w), 0);
	role_channel_lost(&world_role(&w, "front-user")->context, before);
	role_channel_lost(&world_role(&w, "store")->context, before); /* both, at once */
	loop_sim_run_for(w.loop, 5000);
	assert_int_equal(replaced(&w), 1);
	assert_int_not_equal(l->number, before);
	role_channel_lost(&world_role(&w, "store")->context, before);
	loop_sim_run_for(w.loop, 5000);
	assert_int_equal(replaced(&w), 1);
	logs_in(&w);
	world_done(&w);
}

static void no_sooner_than(void **state)
{
	struct world w;
	(void)state;
	up(&w, 3);
	const struct role_link *l = link_of(&w, "front-user", "store");
	connect_lost(l->a, l->number);
	loop_sim_run_until_idle(w.loop);
	assert_int_equal(replaced(&w), 1);
	int64_t made = l->made_ms;
	assert_int_equal(made, supervisor_now(w.supervisor));
	connect_lost(l->a, l->number);
	loop_sim_run_for(w.loop, LIMIT_CONNECT_AGAIN_MS - 1); /* N-1 */
	assert_int_equal(replaced(&w), 1);
	loop_sim_run_for(w.loop, 1); /* N */
	assert_int_equal(replaced(&w), 2);
	assert_int_equal(l->made_ms, made + LIMIT_CONNECT_AGAIN_MS);
	loop_sim_run_for(w.loop, 1); /* N+1: the same one */
	assert_int_equal(replaced(&w), 2);
	world_done(&w);
}

static int no_pair(struct loop *loop, int handles[2])
{
	(void)loop;
	(void)handles;
	return -EMFILE;
}

/* X1: without descriptors it waits until there are some. */
static void when_there_are_descriptors(void **state)
{
	struct world w;
	(void)state;
	up(&w, 4);
	world_people(&w);
	const struct loop_class *real = w.loop->class;
	struct loop_class none = *real;
	none.pair = no_pair;
	const struct role_link *l = link_of(&w, "front-user", "store");
	uint32_t before = l->number;
	w.loop->class = &none;
	connect_lost(l->a, before);
	loop_sim_run_for(w.loop, 10 * LIMIT_CONNECT_AGAIN_MS);
	assert_int_equal(l->number, before);
	assert_true(world_said(&w, "event=no-channel from=front-user to=store"));
	w.loop->class = real;
	loop_sim_run_for(w.loop, LIMIT_CONNECT_AGAIN_MS);
	assert_int_not_equal(l->number, before);
	logs_in(&w);
	world_done(&w);
}

/* Of those that end nothing is left, and their successors have new ones. */
static void channels_of_the_dead(void **state)
{
	struct world w;
	(void)state;
	up(&w, 5);
	world_people(&w);
	size_t n = w.supervisor->links.n;
	uint32_t before = link_of(&w, "front-user", "store")->number;
	struct process *front = world_role(&w, "front-user");
	for (int i = 0; i < 3; i++)
		world_restart(&w, "store");
	assert_int_equal(w.supervisor->links.n, n);
	role_channel_lost(&front->context, before);
	loop_sim_run_for(w.loop, 5000);
	assert_int_equal(replaced(&w), 0);
	logs_in(&w);
	world_done(&w);
}

TEST_MAIN(test_case(every_end_says_so), test_case(stale_and_foreign_numbers),
	test_case(no_sooner_than), test_case(when_there_are_descriptors),
	test_case(channels_of_the_dead))
