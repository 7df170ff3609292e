// SPDX-License-Identifier: Apache-2.0
/*
 * Who acts in the world. An actor is a coroutine, so that a user's session reads from top to bottom
 * as the dialogue that it is; it runs until it waits for bytes or for time. A connection that is
 * lost says so to every call after, and the session ends by falling through.
 */
#include "accounts.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

enum { STACK = 512 * 1024, PATIENCE_MS = 120 * 1000, INPUT_MOST = 64 * 1024 * 1024 };

static ucontext_t outside;

/* AddressSanitizer is told which stack is in use. */
#ifdef __SANITIZE_ADDRESS__
static struct {
	const void *bottom;
	size_t size;
	void *fake;
} outside_stack;

static void entered(struct actor *a)
{
	__sanitizer_finish_switch_fiber(a->fake_stack, &outside_stack.bottom, &outside_stack.size);
}

static void leave(struct actor *a)
{
	__sanitizer_start_switch_fiber(
		a->done ? NULL : &a->fake_stack, outside_stack.bottom, outside_stack.size);
	swapcontext(&a->context, &outside);
	entered(a);
}

static void enter(struct actor *a)
{
	__sanitizer_start_switch_fiber(
		&outside_stack.fake, a->context.uc_stack.ss_sp, a->context.uc_stack.ss_size);
	swapcontext(&outside, &a->context);
	__sanitizer_finish_switch_fiber(outside_stack.fake, NULL, NULL);
}
#else
static void entered(struct actor *a)
{
	(void)a;
}

static void leave(struct actor *a)
{
	swapcontext(&a->context, &outside);
}

static void enter(struct actor *a)
{
	swapcontext(&outside, &a->context);
}
#endif

static void actor_main(unsigned low, unsigned high)
{
	struct actor *a = (struct actor *)(uintptr_t)((uint64_t)high << 32 | low);
	entered(a);
	a->run(a);
	a->done = true;
	leave(a);
}

static void resume(struct actor *a)
{
	if (!a->done)
		enter(a);
}

static void on_time(void *arg)
{
	struct actor *a = arg;
	if (!a->waiting)
		return;
	a->timed_out = true;
	a->waiting = false;
	resume(a);
}

void actor_wake(struct actor *a)
{
	if (!a->waiting)
		return;
	a->waiting = false;
	resume(a);
}

static int64_t now(void)
{
	return world.loop->clock->monotonic_ms(world.loop->clock);
}

bool actor_wait(struct actor *a, int64_t ms)
{
	a->waiting = true;
	a->timed_out = false;
	world.loop->class->timer_set(a->timer, now() + (ms > 0 ? ms : 1));
	leave(a);
	world.loop->class->timer_set(a->timer, 0);
	return !a->timed_out;
}

void actor_sleep(struct actor *a, int64_t ms)
{
	for (int64_t until = now() + ms; now() < until;)
		actor_wait(a, until - now());
}

struct actor *actor_new(const char *name, unsigned number, void (*run)(struct actor *))
{
	struct actor *a = xmalloc(sizeof(*a));
	snprintf(a->name, sizeof(a->name), "%s%u", name, number);
	a->run = run;
	a->number = number;
	a->timer = world.loop->class->timer_new(world.loop, on_time, a);
	getcontext(&a->context);
	a->context.uc_stack.ss_size = STACK;
	a->context.uc_stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
	if (a->context.uc_stack.ss_sp == MAP_FAILED)
		sim_fail("no memory for an actor");
	uint64_t p = (uintptr_t)a;
	makecontext(&a->context, (void (*)(void))actor_main, 2, (unsigned)p, (unsigned)(p >> 32));
	a->waiting = true; /* begins at the next turn */
	world.loop->class->timer_set(a->timer, now());
	return a;
}

/* ---- connections ---- */

static void want(struct conn *c)
{
	int events = c->lost ? 0 : LINK_READ | (c->out.n ? LINK_WRITE : 0);
	world.loop->class->link_want(c->link, events);
}

static void read_some(struct conn *c)
{
	char bytes[16384];
	ssize_t n = world.loop->class->link_read(c->link, bytes, sizeof(bytes), NULL);
	if (n > 0)
		buf_add(&c->in, bytes, (size_t)n);
	else if (n != -EAGAIN)
		c->lost = true;
}

/* Some clients trickle: a few bytes at a time, with time between. */
static size_t piece(const struct conn *c)
{
	if (!(world.o.faults & 1 << FAULT_NETWORK) || !chance(5) || c->out.n < 2)
		return c->out.n;
	fault_struck(FAULT_NETWORK);
	world.trickled++;
	return 1 + (size_t)dice(c->out.n < 40 ? c->out.n : 40);
}

static void write_some(struct conn *c)
{
	ssize_t n = world.loop->class->link_write(c->link, c->out.p, piece(c), -1);
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
	else if (n != -EAGAIN)
		c->lost = true;
}

static void ready(void *arg, int events)
{
	struct conn *c = arg;
	if (events & LINK_READ)
		read_some(c);
	if (events & LINK_WRITE && !c->lost && c->out.n > 0)
		write_some(c);
	want(c);
	actor_wake(c->actor);
}

static void conn_init(struct conn *c, struct actor *a)
{
	*c = (struct conn){ .actor = a, .lost = true, .upgrades = world.upgrades };
	buf_init(&c->in, INPUT_MOST);
	buf_init(&c->out, INPUT_MOST);
	buf_init(&c->line, INPUT_MOST);
}

static void conn_begin(struct conn *c, int handle)
{
	struct link_events events = { .ready = ready, .arg = c };
	c->handle = handle;
	c->lost = false;
	c->link = world.loop->class->link_new(world.loop, handle, &events);
	want(c);
}

void conn_take(struct conn *c, struct actor *a, int handle)
{
	conn_init(c, a);
	conn_begin(c, handle);
}

bool conn_open(struct conn *c, struct actor *a, const char *service, const char *address,
	const struct authority *by)
{
	conn_init(c, a);
	c->by = by;
	if (!world.powered)
		return false;
	int door = world.doors[service_row_named(str_from(service)) - service_rows];
	int handle = loop_sim_connect(world.loop, door, address, (uint16_t)(1024 + dice(60000)));
	if (handle < 0) {
		if (world_is_quiet())
			sim_fail("%s is refused by %s", a->name, service);
		return false;
	}
	conn_begin(c, handle);
	trace(a->name, "connects to %s", service);
	return true;
}

void conn_close(struct conn *c)
{
	if (c->link) {
		trace(c->actor->name, "closes");
		world.loop->class->link_free(&c->link);
	}
	buf_done(&c->in);
	buf_done(&c->out);
	buf_done(&c->line);
	c->lost = true;
}

/* The network may lose a connection at any time. */
static void perhaps_lose(struct conn *c)
{
	if (c->lost || !(world.o.faults & 1 << FAULT_NETWORK) || round_over || dice(400) != 0)
		return;
	fault_struck(FAULT_NETWORK);
	if (chance(50)) {
		trace(c->actor->name, "the connection is lost");
		world.broken++;
		loop_sim_break(world.loop, c->handle);
		c->lost = true;
	} else {
		trace(c->actor->name, "says no more");
		world.half_closed++;
		world.loop->class->link_shutdown(c->link);
	}
}

void conn_turned_away(const struct conn *c, const char *how)
{
	bool must_stay = !c->may_end || c->upgrades == world.upgrades;
	if (world_is_quiet() && must_stay && (c->by == NULL || authority_holds(c->by)))
		sim_fail("%s is turned away: %s", c->actor->name, how);
}

bool conn_wait_input(struct conn *c, int64_t ms)
{
	for (int64_t until = now() + ms; !c->lost && c->in.n == 0 && now() < until;)
		actor_wait(c->actor, until - now());
	return c->in.n > 0;
}

static bool more(struct conn *c)
{
	if (c->lost)
		return false;
	perhaps_lose(c);
	if (!c->lost && actor_wait(c->actor, PATIENCE_MS))
		return true;
	if (!c->lost)
		trace(c->actor->name, "has waited long enough");
	c->lost = true;
	return false;
}

bool conn_line(struct conn *c, struct str *ret)
{
	size_t end;
	while ((end = str_find(buf_str(&c->in), '\n')) == c->in.n)
		if (!more(c)) {
			trace(c->actor->name, "is cut off");
			return false;
		}
	buf_clear(&c->line);
	buf_add(&c->line, c->in.p, end + 1);
	buf_consume(&c->in, end + 1);
	*ret = str_chomp(buf_str(&c->line));
	if (!c->quiet)
		trace(c->actor->name, "< %.*s", (int)(ret->n < 160 ? ret->n : 160), ret->p);
	return true;
}

bool conn_bytes(struct conn *c, size_t n, struct buf *ret)
{
	while (c->in.n < n)
		if (!more(c))
			return false;
	buf_add(ret, c->in.p, n);
	buf_consume(&c->in, n);
	return true;
}

bool conn_send(struct conn *c, struct str text)
{
	if (c->lost)
		return false;
	perhaps_lose(c);
	if (c->lost)
		return false;
	struct str line = str_sub(text, 0, str_find(text, '\r'));
	if (!c->quiet)
		trace(c->actor->name, "> %.*s%s", (int)(line.n < 160 ? line.n : 160), line.p,
			text.n > line.n + 2 ? " …" : "");
	buf_adds(&c->out, text);
	want(c);
	return true;
}

bool conn_sendf(struct conn *c, const char *format, ...)
{
	char text[4096];
	va_list values;
	va_start(values, format);
	int n = vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	return conn_send(
		c, str_make(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1));
}
