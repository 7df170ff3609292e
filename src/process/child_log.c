// SPDX-License-Identifier: Apache-2.0
/* Children's log lines: read from each child's pipe, passed on by whole lines, so that two
 * children never write into one line. Bytes are passed as they are; a line has a bound. */
#include "process/supervisor_private.h"

#include <errno.h>

enum { LOG_READS = 64, LOG_REST_MS = 10 };

static void pass_lines(struct child *c)
{
	struct supervisor *s = c->supervisor;
	size_t whole = c->log_line.n;
	while (whole > 0 && c->log_line.p[whole - 1] != '\n')
		whole--;
	if (whole > 0)
		s->o.log_write(s->o.log_arg, str_make(c->log_line.p, whole));
	buf_consume(&c->log_line, whole);
	if (buf_room(&c->log_line) == 0) { /* no newline in sight */
		buf_truncate(&c->log_line, c->log_line.n - 1);
		buf_addc(&c->log_line, '\n');
		s->o.log_write(s->o.log_arg, buf_str(&c->log_line));
		buf_clear(&c->log_line);
	}
}

/* Passes on what is there; whether anything was. The log is freed when there will be no more. */
static bool drain(struct child *c)
{
	struct loop *loop = c->supervisor->loop;
	bool any = false;
	for (int i = 0; c->log && i < LOG_READS; i++) {
		size_t room = buf_room(&c->log_line);
		char *to = buf_reserve(&c->log_line, room);
		ssize_t got = loop->class->link_read(c->log, to, room, NULL);
		if (got == -EAGAIN || got == -EINTR)
			break;
		if (got <= 0) {
			loop->class->link_free(&c->log);
			break;
		}
		buf_used(&c->log_line, (size_t)got);
		pass_lines(c);
		any = true;
	}
	return any;
}

/* Who says something is likely to say more, so that it is left alone for a while then: what it says
 * gathers in its pipe, which outlives it. */
static void read_all(struct child *c)
{
	struct loop *loop = c->supervisor->loop;
	bool any = drain(c);
	if (c->log == NULL)
		return;
	loop->class->link_want(c->log, any ? 0 : LINK_READ);
	loop->class->timer_set(c->log_rest, any ? supervisor_now(c->supervisor) + LOG_REST_MS : 0);
}

static void ready(void *arg, int events)
{
	(void)events;
	read_all(arg);
}

void child_log_rested(void *child)
{
	struct child *c = child;
	if (c->log)
		read_all(c);
}

void child_log_open(struct child *c, int handle)
{
	struct loop *loop = c->supervisor->loop;
	struct link_events events = { .ready = ready, .arg = c };
	child_log_close(c);
	c->log = loop->class->link_new(loop, handle, &events);
	if (c->log)
		loop->class->link_want(c->log, LINK_READ);
}

/* What a child said last is often what matters: it is read to the end. */
void child_log_close(struct child *c)
{
	(void)drain(c);
	if (c->log)
		c->supervisor->loop->class->link_free(&c->log);
	child_log_flush(c);
}

void child_log_flush(struct child *c)
{
	if (c->log_line.n) {
		buf_addc(&c->log_line, '\n');
		pass_lines(c);
	}
}
