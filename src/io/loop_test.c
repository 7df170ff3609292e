// SPDX-License-Identifier: Apache-2.0
/* The operating system's loop: timers, listeners, links, passed descriptors, workers. */
#include "io/loop.h"

#include "base/mem.h"
#include "base/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- timers ---- */

struct times {
	struct loop *loop;
	struct timer *timer[3];
	char order[8];
	size_t n;
};
static void fire_a(void *arg)
{
	struct times *t = arg;
	t->order[t->n++] = 'a';
	/* Freed from inside another's callback: it must not fire. */
	t->loop->class->timer_free(&t->timer[1]);
}
static void fire_b(void *arg)
{
	struct times *t = arg;
	t->order[t->n++] = 'b';
}
static void fire_c(void *arg)
{
	struct times *t = arg;
	t->order[t->n++] = 'c';
	t->loop->class->stop(t->loop);
}

static void timers_fire_once_in_order(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct times t = { .loop = l };
	int64_t now = l->clock->monotonic_ms(l->clock);
	t.timer[0] = l->class->timer_new(l, fire_a, &t);
	t.timer[1] = l->class->timer_new(l, fire_b, &t);
	t.timer[2] = l->class->timer_new(l, fire_c, &t);
	l->class->timer_set(t.timer[2], now + 30);
	l->class->timer_set(t.timer[1], now + 20);
	l->class->timer_set(t.timer[0], now + 10);
	l->class->run(l);
	assert_string_equal(t.order, "ac");
	assert_true(l->clock->monotonic_ms(l->clock) >= now + 30);
	l->class->timer_free(&t.timer[0]);
	l->class->timer_free(&t.timer[2]);
	loop_uv_free(&l);
	assert_null(l);
}

/* A time in the past fires at the next turn; 0 turns it off. */
static void timers_past_and_off(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct times t = { .loop = l };
	t.timer[1] = l->class->timer_new(l, fire_b, &t);
	t.timer[2] = l->class->timer_new(l, fire_c, &t);
	l->class->timer_set(t.timer[1], 1);
	l->class->timer_set(t.timer[1], 0);
	l->class->timer_set(t.timer[2], 1);
	l->class->run(l);
	assert_string_equal(t.order, "c");
	l->class->timer_free(&t.timer[1]);
	l->class->timer_free(&t.timer[2]);
	loop_uv_free(&l);
}

struct turns {
	struct loop *loop;
	struct timer *timer;
	struct link *link;
	unsigned n;
	bool heard;
};

static void fire_again(void *arg)
{
	struct turns *t = arg;
	if (++t->n < 1000)
		t->loop->class->timer_set(t->timer, 1);
	else
		t->loop->class->stop(t->loop);
}

static void hear(void *arg, int events)
{
	struct turns *t = arg;
	(void)events;
	t->heard = true;
	t->loop->class->stop(t->loop);
}

/* A timer that sets itself to a time that has come does not keep the loop from everybody else, and
 * is not forgotten over it. */
static void timers_that_go_on(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct turns t = { .loop = l };
	int pair[2];
	assert_int_equal(l->class->pair(l, pair), 0);
	t.link = l->class->link_new(l, pair[0], &(struct link_events){ hear, &t });
	l->class->link_want(t.link, LINK_READ);
	assert_int_equal(write(pair[1], "x", 1), 1);
	t.timer = l->class->timer_new(l, fire_again, &t);
	l->class->timer_set(t.timer, 1);
	l->class->run(l);
	assert_true(t.heard);
	assert_in_range(t.n, 1, 2);
	l->class->link_want(t.link, 0);
	l->class->run(l);
	assert_int_equal(t.n, 1000);
	t.n = 998;
	l->class->timer_set(t.timer, 1);
	l->class->run(l);
	l->class->timer_free(&t.timer);
	l->class->link_free(&t.link);
	l->class->handle_close(l, pair[1]);
	loop_uv_free(&l);
}

/* ---- listeners ---- */

static int listen_on_loopback(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(*at);
	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
	return fd;
}

struct guests {
	struct loop *loop;
	struct listener *listener;
	int accepted, wanted;
	char address[64], local[LOOP_ADDRESS_BYTES];
	uint16_t port;
	bool free_inside;
};
static void guest_arrived(void *arg, int handle, const char *address, uint16_t port)
{
	struct guests *g = arg;
	g->accepted++;
	snprintf(g->address, sizeof(g->address), "%s", address);
	g->port = port;
	assert_true(fcntl(handle, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(handle, F_GETFD) & FD_CLOEXEC);
	g->loop->class->handle_local_address(g->loop, handle, g->local);
	close(handle);
	if (g->free_inside)
		g->loop->class->listener_free(&g->listener);
	if (g->accepted == g->wanted)
		g->loop->class->stop(g->loop);
}
static void stop_loop(void *arg)
{
	struct loop *l = arg;
	l->class->stop(l);
}
static void run_for(struct loop *l, int ms)
{
	struct timer *t = l->class->timer_new(l, stop_loop, l);
	l->class->timer_set(t, l->clock->monotonic_ms(l->clock) + ms);
	l->class->run(l);
	l->class->timer_free(&t);
}

static void listener_accepts_and_pauses(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct sockaddr_in at;
	struct guests g = { .loop = l, .wanted = 3 };
	g.listener = l->class->listener_new(l, listen_on_loopback(&at), guest_arrived, &g);
	int client[3];
	for (int i = 0; i < 3; i++) {
		client[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(client[i], (struct sockaddr *)&at, sizeof(at)), 0);
	}
	l->class->listener_pause(g.listener, true);
	run_for(l, 20);
	assert_int_equal(g.accepted, 0);
	l->class->listener_pause(g.listener, false);
	run_for(l, 2000);
	assert_int_equal(g.accepted, 3);
	assert_string_equal(g.address, "127.0.0.1");
	assert_string_equal(g.local, "127.0.0.1");
	l->class->handle_local_address(l, -1, g.local);
	assert_string_equal(g.local, "local");
	assert_int_not_equal(g.port, 0);
	for (int i = 0; i < 3; i++)
		close(client[i]);
	l->class->listener_free(&g.listener);
	loop_uv_free(&l);
}

static void listener_freed_from_inside(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct sockaddr_in at;
	struct guests g = { .loop = l, .wanted = 1, .free_inside = true };
	g.listener = l->class->listener_new(l, listen_on_loopback(&at), guest_arrived, &g);
	int a = socket(AF_INET, SOCK_STREAM, 0), b = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(a, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(connect(b, (struct sockaddr *)&at, sizeof(at)), 0);
	run_for(l, 50);
	assert_int_equal(g.accepted, 1);
	close(a);
	close(b);
	loop_uv_free(&l);
}

/* X1: no descriptors left: the listener rests, does not spin, and goes on when there are some. */
static void x1_no_descriptors_rests(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct sockaddr_in at;
	struct guests g = { .loop = l, .wanted = 1 };
	struct rlimit before, tight;
	g.listener = l->class->listener_new(l, listen_on_loopback(&at), guest_arrived, &g);
	int client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	struct timespec cpu[2];
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]);
	run_for(l, 350);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]);
	assert_int_equal(g.accepted, 0);
	int64_t used_ms = (cpu[1].tv_sec - cpu[0].tv_sec) * 1000 +
			  (cpu[1].tv_nsec - cpu[0].tv_nsec) / 1000000;
	assert_true(used_ms < 100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	run_for(l, 2000);
	assert_int_equal(g.accepted, 1);
	close(client);
	l->class->listener_free(&g.listener);
	loop_uv_free(&l);
}

/* ---- links ---- */

struct end {
	struct loop *loop;
	struct link *link;
	char got[256];
	size_t n;
	ssize_t last;
	int received;
};
static void end_ready(void *arg, int events)
{
	struct end *e = arg;
	assert_true(events & LINK_READ);
	int fd = -1;
	e->last = e->loop->class->link_read(e->link, e->got + e->n, sizeof(e->got) - e->n, &fd);
	if (e->last > 0)
		e->n += (size_t)e->last;
	if (fd >= 0)
		e->received = fd;
	e->loop->class->stop(e->loop);
}
static void end_init(struct end *e, struct loop *l, int handle)
{
	*e = (struct end){ .loop = l, .received = -1 };
	e->link = l->class->link_new(l, handle, &(struct link_events){ end_ready, e });
	l->class->link_want(e->link, LINK_READ);
}

static void links_carry_bytes_descriptors_and_ends(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct end a, b;
	int h[2], pipes[2];
	assert_int_equal(l->class->pair(l, h), 0);
	end_init(&a, l, h[0]);
	end_init(&b, l, h[1]);
	assert_int_equal(l->class->link_write(a.link, "hello", 5, -1), 5);
	run_for(l, 1000);
	assert_string_equal(b.got, "hello");
	assert_int_equal(b.received, -1);
	assert_int_equal(l->class->link_read(b.link, b.got, 9, NULL), -EAGAIN);

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(l->class->link_write(a.link, "abcde", 5, pipes[1]), 5);
	close(pipes[1]);
	run_for(l, 1000);
	assert_string_equal(b.got, "helloabcde");
	assert_true(b.received >= 0);
	assert_true(fcntl(b.received, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(b.received, "x", 1), 1);
	char c;
	assert_int_equal(read(pipes[0], &c, 1), 1);
	close(b.received);
	assert_int_equal(read(pipes[0], &c, 1), 0); /* nobody else holds it */
	close(pipes[0]);

	l->class->link_shutdown(a.link);
	run_for(l, 1000);
	assert_int_equal(b.last, 0);
	assert_int_equal(l->class->link_write(b.link, "z", 1, -1), 1);
	run_for(l, 1000);
	assert_int_equal(a.got[0], 'z');
	l->class->link_free(&b.link);
	assert_true(l->class->link_write(a.link, "z", 1, -1) == -EPIPE);
	l->class->link_free(&a.link);
	loop_uv_free(&l);
}

/* What comes while nobody wants it waits, costs one turn of the loop, and is there afterwards. */
static void what_nobody_wants_waits(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct end a, b;
	int h[2];
	assert_int_equal(l->class->pair(l, h), 0);
	end_init(&a, l, h[0]);
	end_init(&b, l, h[1]);
	l->class->link_want(b.link, 0);
	assert_int_equal(l->class->link_write(a.link, "hello", 5, -1), 5);
	clock_t before = clock();
	run_for(l, 100);
	assert_int_equal(b.n, 0);
	assert_true(clock() - before < CLOCKS_PER_SEC / 20);
	l->class->link_want(b.link, LINK_READ);
	run_for(l, 1000);
	assert_string_equal(b.got, "hello");
	l->class->link_want(b.link, 0);
	l->class->link_want(b.link, LINK_READ); /* nothing came in between */
	assert_int_equal(l->class->link_write(a.link, "again", 5, -1), 5);
	run_for(l, 1000);
	assert_string_equal(b.got, "helloagain");
	l->class->link_free(&a.link);
	l->class->link_free(&b.link);
	loop_uv_free(&l);
}

/* Two descriptors in one message, or one that nobody asked for: none stays open. */
static void unexpected_descriptors_are_closed(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct end b;
	int h[2], pipes[2], fds[2];
	char c = 0;
	assert_int_equal(l->class->pair(l, h), 0);
	end_init(&b, l, h[1]);
	assert_int_equal(pipe(pipes), 0);
	fds[0] = fds[1] = pipes[1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(fds))];
	} control = { 0 };
	struct iovec piece = { &c, 1 };
	struct msghdr m = { .msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	assert_int_equal(sendmsg(h[0], &m, 0), 1);
	run_for(l, 1000);
	assert_true(b.received >= 0);
	close(b.received);
	assert_int_equal(sendmsg(h[0], &m, 0), 1);
	assert_int_equal(l->class->link_read(b.link, &c, 1, NULL), 1);
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &c, 1), 0);
	close(pipes[0]);
	close(h[0]);
	l->class->link_free(&b.link);
	loop_uv_free(&l);
}

/* Log lines come over a pipe. */
static void links_read_pipes(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct end b;
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	end_init(&b, l, pipes[0]);
	assert_int_equal(write(pipes[1], "line\n", 5), 5);
	run_for(l, 1000);
	assert_string_equal(b.got, "line\n");
	close(pipes[1]);
	run_for(l, 1000);
	assert_int_equal(b.last, 0);
	l->class->link_free(&b.link);
	loop_uv_free(&l);
}

/* ---- workers ---- */

struct job {
	struct loop *loop;
	struct executor_seam *executor;
	struct worker *worker;
	pthread_mutex_t lock;
	int waiting, finished; /* under lock */
	int seen;
};
static bool job_step(void *arg)
{
	struct job *j = arg;
	pthread_mutex_lock(&j->lock);
	bool any = j->waiting > 0;
	if (any) {
		j->waiting--;
		j->finished++;
	}
	pthread_mutex_unlock(&j->lock);
	if (any)
		j->executor->notify(j->worker);
	return any;
}
static void job_done(void *arg)
{
	struct job *j = arg;
	pthread_mutex_lock(&j->lock);
	j->seen = j->finished;
	pthread_mutex_unlock(&j->lock);
	if (j->seen == 1000)
		j->loop->class->stop(j->loop);
}

static void workers_work_and_stop(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct job j = { .loop = l, .executor = l->class->executor(l) };
	pthread_mutex_init(&j.lock, NULL);
	j.worker = j.executor->start(
		j.executor, &(struct worker_spec){ "test", job_step, job_done, &j });
	for (int i = 0; i < 1000; i++) {
		pthread_mutex_lock(&j.lock);
		j.waiting++;
		pthread_mutex_unlock(&j.lock);
		j.executor->wake(j.worker);
	}
	run_for(l, 5000);
	assert_int_equal(j.seen, 1000);
	j.executor->stop(&j.worker);
	assert_null(j.worker);
	pthread_mutex_destroy(&j.lock);
	loop_uv_free(&l);
}

/* ---- signals ---- */

static void signal_seen(void *arg, int number)
{
	struct times *t = arg;
	t->n = (size_t)number;
	t->loop->class->stop(t->loop);
}
static void signals_reach_the_loop(void **state)
{
	(void)state;
	struct loop *l = loop_uv_new();
	struct times t = { .loop = l };
	assert_int_equal(loop_uv_on_signal(l, SIGHUP, signal_seen, &t), 0);
	assert_int_equal(kill(getpid(), SIGHUP), 0);
	run_for(l, 1000);
	assert_int_equal(t.n, SIGHUP);
	loop_uv_free(&l);
}

TEST_MAIN(test_case(timers_fire_once_in_order), test_case(timers_past_and_off),
	test_case(timers_that_go_on), test_case(listener_accepts_and_pauses),
	test_case(listener_freed_from_inside), test_case(x1_no_descriptors_rests),
	test_case(links_carry_bytes_descriptors_and_ends), test_case(what_nobody_wants_waits),
	test_case(unexpected_descriptors_are_closed), test_case(links_read_pipes),
	test_case(workers_work_and_stop), test_case(signals_reach_the_loop))
