// SPDX-License-Identifier: Apache-2.0
/*
 * X2: the gate and keys in a whole server, at each allocation of a question: of the roles, and of
 * what they ask of each other. The process ends, or the answer is what it is otherwise, or "try
 * again later": the right password is never called wrong, the wrong one never comes in. With memory
 * again the same processes answer as ever.
 */
#include "base/no_memory.h"

#include "process/liar_test.h"

struct course {
	const char *name;
	struct frame question;
	int answer, kind; /* when there is memory */
	const char *role;
};

static const struct frame wrong = { .type = FRAME_LOGIN,
	.login = { .service = STR_INIT("imap"),
		.peer = STR_INIT("192.0.2.1"),
		.user = STR_INIT("alice@example"),
		.password = STR_INIT("secreT") } };

static void ask_once(void *arg)
{
	const struct course *c = arg;
	struct world w;
	struct liar l;
	up(&w);
	world_people(&w);
	lie(&l, &w, c->role, CLASS_USER, 7001, CLASS_USER);
	no_memory_from_here();
	int answer = ask(&l, &c->question);
	no_memory_until_here();
	bool later = answer == FRAME_FAILED && l.kind == ERR_TEMP;
	if (!later && (answer != c->answer || (answer == FRAME_FAILED && l.kind != c->kind)))
		fail_msg("%s: frame %d, kind %d", c->name, answer, l.kind);
	assert_int_equal(ask(&l, &c->question), c->answer);
	if (c->answer == FRAME_FAILED)
		assert_int_equal(l.kind, c->kind);
	channel_free(&l.channel);
	world_done(&w);
}

static void x2_each_allocation_of_a_question(void **state)
{
	struct course courses[] = {
		{ "a right password", .question = alice, .answer = FRAME_LOGIN_OK, .role = "gate" },
		{ "a wrong password", .question = wrong, .answer = FRAME_FAILED, .kind = ERR_AUTH,
			.role = "gate" },
		{ "a ticket key", .question = { .type = FRAME_TICKET_KEY },
			.answer = FRAME_TICKET_KEY_IS, .role = "keys" },
	};
	struct world w;
	(void)state;
	up(&w); /* what time it is there */
	courses[2].question.ticket_key.hour = (uint64_t)w.loop->clock->wall_ms(w.loop->clock) /
					      (3600 * 1000);
	world_done(&w);
	for (size_t i = 0; i < ARRAY_LEN(courses); i++)
		NO_MEMORY_EACH(run, courses[i].name, ask_once, &courses[i]);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_question))
