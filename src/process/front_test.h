/* SPDX-License-Identifier: Apache-2.0 */
/* A front by itself, on a simulated loop, for its tests. */
#ifndef CULVER_PROCESS_FRONT_TEST_H
#define CULVER_PROCESS_FRONT_TEST_H

#include "base/test.h"

#include "io/loop_sim.h"
#include "process/front_private.h"

struct fixture {
	struct loop *loop;
	struct random_fake random;
	struct log_sink sink;
	struct role_context context;
	struct role *role;
	struct front *front;
	struct front_listener door;
};

static inline void drop_line(struct log_sink *sink, struct str line)
{
	(void)sink;
	(void)line;
}

static inline const struct role_row *front_row(int class)
{
	for (size_t i = 0; i < role_rows_n; i++)
		if (role_rows[i].class == &front_role && role_rows[i].channel_class == class)
			return &role_rows[i];
	return NULL;
}

static inline void up_as(struct fixture *x, int class)
{
	*x = (struct fixture){ .loop = loop_sim_new(1),
		.sink = { .write = drop_line, .level = LOG_ERROR } };
	random_fake_init(&x->random, 1);
	x->context = (struct role_context){ .loop = x->loop,
		.seams = { .clock = x->loop->clock, .random = &x->random.seam },
		.sink = &x->sink,
		.row = front_row(class) };
	log_init(&x->context.log, &x->sink, "role=front");
	x->role = front_role.new(&x->context);
	x->front = CONTAINER_OF(x->role, struct front, base);
	x->front->settings.sessions = 100;
	x->door = (struct front_listener){ x->front, service_row_named(STR("smtp")), NULL };
}

static inline void up(struct fixture *x)
{
	up_as(x, CLASS_MX);
}

static inline void down(struct fixture *x)
{
	front_role.free(&x->role);
	loop_sim_free(&x->loop);
}

/* One more client comes; its end stays open until the loop is freed. */
static inline void comes(struct fixture *x, const char *address)
{
	int pair[2];
	assert_int_equal(x->loop->class->pair(x->loop, pair), 0);
	conn_accept(&x->door, pair[0], address, 4711);
}

static inline uint32_t asks_for(struct fixture *x, const struct frame *question)
{
	struct session_host *host = &x->front->host;
	return host->ask(host, x->front->conns->session, ASK_STORE, question);
}

#endif
