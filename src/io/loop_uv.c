// SPDX-License-Identifier: Apache-2.0
/*
 * The operating system's loop, over libuv: running, timers, signals. Listeners and links are in
 * net_uv.c, workers in executor_uv.c.
 *
 * libuv closes its handles one turn later, so each of ours is an allocation of its own that is
 * freed by libuv's close callback; our callers see it end at once.
 */
#include "io/loop_uv_private.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- timers ---- */

struct timer {
	uv_timer_t uv;
	struct loop_uv *loop;
	int64_t when_ms;
	void (*fire)(void *arg);
	void *arg;
	struct timer *later; /* in loop->late */
	bool is_late;
};

static void timer_start(struct timer *t);
static void loop_does_not_wait(uv_idle_t *);
static void loop_has_polled(uv_check_t *);

static int64_t timer_left_ms(const struct timer *t)
{
	return t->when_ms - t->loop->base.clock->monotonic_ms(t->loop->base.clock);
}

static void timer_fired(uv_timer_t *uv)
{
	struct timer *t = CONTAINER_OF(uv, struct timer, uv);
	/* libuv's idea of now may be a moment ahead of ours: never fire early. */
	if (timer_left_ms(t) > 0) {
		timer_start(t);
		return;
	}
	struct loop_uv *l = t->loop;
	t->when_ms = 0;
	l->firing = true;
	t->fire(t->arg);
	l->firing = false;
}

/* libuv runs timers until none is due: one that a timer's callback sets to now would run before
 * anything is read, again and again. It has to wait for a poll. */
static void timer_put_off(struct timer *t)
{
	struct loop_uv *l = t->loop;
	uv_timer_stop(&t->uv);
	if (t->is_late)
		return;
	t->is_late = true;
	t->later = l->late;
	l->late = t;
	uv_idle_start(&l->no_wait, loop_does_not_wait);
	uv_check_start(&l->polled, loop_has_polled);
}

static void timer_start(struct timer *t)
{
	int64_t left_ms = timer_left_ms(t);
	if (left_ms <= 0 && t->loop->firing) {
		timer_put_off(t);
		return;
	}
	uv_update_time(t->uv.loop);
	uv_timer_start(&t->uv, timer_fired, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

static void timer_no_longer_late(struct timer *t)
{
	struct timer **at = &t->loop->late;
	if (!t->is_late)
		return;
	while (*at != t)
		at = &(*at)->later;
	*at = t->later;
	t->is_late = false;
}

static void loop_does_not_wait(uv_idle_t *idle)
{
	(void)idle;
}

static void loop_has_polled(uv_check_t *polled)
{
	struct loop_uv *l = CONTAINER_OF(polled, struct loop_uv, polled);
	while (l->late) {
		struct timer *t = l->late;
		timer_no_longer_late(t);
		timer_start(t);
	}
	uv_idle_stop(&l->no_wait);
	uv_check_stop(&l->polled);
}

static struct timer *uv_timer_new_(struct loop *loop, void (*fire)(void *arg), void *arg)
{
	struct timer *t = xmalloc(sizeof(*t));
	uv_timer_init(&loop_uv_of(loop)->uv, &t->uv);
	t->loop = loop_uv_of(loop);
	t->fire = fire;
	t->arg = arg;
	return t;
}

static void uv_timer_set_(struct timer *t, int64_t when_ms)
{
	if (when_ms == t->when_ms)
		return;
	t->when_ms = when_ms;
	timer_no_longer_late(t);
	if (when_ms == 0)
		uv_timer_stop(&t->uv);
	else
		timer_start(t);
}

static void timer_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct timer, uv));
}

static void uv_timer_free_(struct timer **t)
{
	if (*t == NULL)
		return;
	timer_no_longer_late(*t);
	uv_close((uv_handle_t *)&(*t)->uv, timer_closed);
	*t = NULL;
}

/* ---- signals ---- */

struct signal_watch {
	uv_signal_t uv;
	struct signal_watch *next;
	void (*fire)(void *arg, int number);
	void *arg;
};

static void signal_arrived(uv_signal_t *uv, int number)
{
	struct signal_watch *w = CONTAINER_OF(uv, struct signal_watch, uv);
	w->fire(w->arg, number);
}

static void signal_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct signal_watch, uv));
}

int loop_uv_on_signal(struct loop *loop, int number, void (*fire)(void *arg, int number), void *arg)
{
	struct loop_uv *l = loop_uv_of(loop);
	struct signal_watch *w = xmalloc(sizeof(*w));
	w->fire = fire;
	w->arg = arg;
	uv_signal_init(&l->uv, &w->uv);
	int r = uv_signal_start(&w->uv, signal_arrived, number);
	if (r != 0) {
		uv_close((uv_handle_t *)&w->uv, signal_closed);
		return r;
	}
	w->next = l->signals;
	l->signals = w;
	return 0;
}

/* ---- handles ---- */

static int uv_pair(struct loop *loop, int handles[2])
{
	(void)loop;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, handles) != 0)
		return -errno;
	return 0;
}

static void uv_handle_close(struct loop *loop, int handle)
{
	(void)loop;
	if (handle >= 0)
		close(handle);
}

/* ---- the loop ---- */

static void loop_run(struct loop *loop)
{
	uv_run(&loop_uv_of(loop)->uv, UV_RUN_DEFAULT);
}

static void loop_stop(struct loop *loop)
{
	uv_stop(&loop_uv_of(loop)->uv);
}

static struct executor_seam *loop_executor(struct loop *loop)
{
	return &loop_uv_of(loop)->executor;
}

static void workers_notified(uv_async_t *async)
{
	uv_executor_deliver(CONTAINER_OF(async, struct loop_uv, notified));
}

static const struct loop_class loop_uv_class = {
	.run = loop_run,
	.stop = loop_stop,
	.timer_new = uv_timer_new_,
	.timer_set = uv_timer_set_,
	.timer_free = uv_timer_free_,
	.listener_new = uv_listener_new,
	.listener_pause = uv_listener_pause,
	.listener_free = uv_listener_free,
	.link_new = uv_link_new,
	.link_want = uv_link_want,
	.link_read = uv_link_read,
	.link_write = uv_link_write,
	.link_shutdown = uv_link_shutdown,
	.link_handle = uv_link_handle,
	.link_free = uv_link_free,
	.pair = uv_pair,
	.handle_close = uv_handle_close,
	.handle_local_address = uv_handle_local_address,
	.executor = loop_executor,
};

struct loop *loop_uv_new(void)
{
	struct loop_uv *l = xmalloc(sizeof(*l));
	if (uv_loop_init(&l->uv) != 0 || uv_async_init(&l->uv, &l->notified, workers_notified) != 0)
		abort(); /* no descriptors at the very start of a process */
	uv_idle_init(&l->uv, &l->no_wait);
	uv_check_init(&l->uv, &l->polled);
	/* A peer that has gone is an error of the write, never a signal. */
	signal(SIGPIPE, SIG_IGN);
	l->base.class = &loop_uv_class;
	l->base.clock = clock_os();
	uv_executor_init(l);
	return &l->base;
}

void loop_uv_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	struct loop_uv *l = loop_uv_of(*loop);
	while (l->signals != NULL) {
		struct signal_watch *w = l->signals;
		l->signals = w->next;
		uv_close((uv_handle_t *)&w->uv, signal_closed);
	}
	buf_done(&l->base.spare);
	uv_close((uv_handle_t *)&l->notified, NULL);
	uv_close((uv_handle_t *)&l->no_wait, NULL);
	uv_close((uv_handle_t *)&l->polled, NULL);
	/* The turn in which libuv closes what was closed. What others forgot stays open: their
	 * objects may still point at it. */
	uv_run(&l->uv, UV_RUN_NOWAIT);
	if (uv_loop_close(&l->uv) == 0)
		free(l);
	*loop = NULL;
}
