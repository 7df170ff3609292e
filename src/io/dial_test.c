// SPDX-License-Identifier: Apache-2.0
/* Connections by name and address, on loopback. */
#include "io/dial.h"

#include "base/limits.h"
#include "base/seams.h"
#include "base/test.h"
#include "io/loop.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct asked {
	struct loop *loop;
	int answers, wanted, handle;
	struct err err;
};

static void on_done(void *arg, int handle, const struct err *err)
{
	struct asked *a = arg;
	a->handle = handle;
	a->err = *err;
	if (handle >= 0)
		close(handle);
	if (++a->answers == a->wanted)
		a->loop->class->stop(a->loop);
}

static int listener(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void ask(struct dialer *d, struct asked *a, const char *host, uint16_t port)
{
	a->answers = 0;
	a->wanted = 1;
	assert_non_null(dial_ask(d, str_from(host), port, on_done, a));
	a->loop->class->run(a->loop);
	assert_int_equal(a->answers, 1);
}

static void connects_by_address_and_name(void **state)
{
	uint16_t port;
	int fd = listener(&port);
	struct asked a = { .loop = loop_uv_new() };
	struct dialer *d = dialer_new(a.loop->class->executor(a.loop), dial_os_new());
	(void)state;
	ask(d, &a, "127.0.0.1", port);
	assert_true(a.handle >= 0);
	ask(d, &a, "LOCALHOST", port);
	assert_true(a.handle >= 0);
	close(fd);
	ask(d, &a, "127.0.0.1", port);
	assert_int_equal(a.handle, -1);
	assert_int_equal(a.err.kind, ERR_TEMP);
	assert_non_null(strstr(a.err.public_text, "refused"));
	ask(d, &a, "no name of a host", port);
	assert_int_equal(a.handle, -1);
	dialer_free(&d);
	loop_uv_free(&a.loop);
}

static void calls_have_a_bound(void **state)
{
	uint16_t port;
	int fd = listener(&port);
	struct asked a = { .loop = loop_uv_new() };
	struct dialer *d = dialer_new(a.loop->class->executor(a.loop), dial_os_new());
	struct dial *dials[LIMIT_DIALS];
	(void)state;
	for (size_t i = 0; i < LIMIT_DIALS; i++) {
		dials[i] = dial_ask(d, STR("127.0.0.1"), port, on_done, &a);
		assert_non_null(dials[i]);
	}
	assert_null(dial_ask(d, STR("127.0.0.1"), port, on_done, &a)); /* none was told yet */
	/* Who has asked goes away, but one. */
	for (size_t i = 1; i < LIMIT_DIALS; i++)
		dial_cancel(&dials[i]);
	a.wanted = 1;
	a.loop->class->run(a.loop);
	assert_int_equal(a.answers, 1);
	/* Some have come, nobody was told, and all of it ends. */
	assert_non_null(dial_ask(d, STR("127.0.0.1"), port, on_done, &a));
	dialer_free(&d);
	close(fd);
	loop_uv_free(&a.loop);
}

/* A host that swallows what is sent to it does not hold up the end. */
static void nobody_is_waited_for_at_the_end(void **state)
{
	uint16_t port;
	int fd = listener(&port);
	struct asked a = { .loop = loop_uv_new(), .wanted = 1 };
	struct clock_seam *clock = clock_os();
	struct dialer *d = dialer_new(a.loop->class->executor(a.loop), dial_os_new());
	(void)state;
	assert_int_equal(listen(fd, 0), 0);
	/* The first is taken in; behind it nothing is answered. */
	ask(d, &a, "127.0.0.1", port);
	for (int i = 0; i < 4; i++)
		assert_non_null(dial_ask(d, STR("127.0.0.1"), port, on_done, &a));
	int64_t begun = clock->monotonic_ms(clock);
	dialer_free(&d);
	assert_in_range(clock->monotonic_ms(clock) - begun, 0, LIMIT_DIAL_MS - 1000);
	close(fd);
	loop_uv_free(&a.loop);
}

/* LIMIT_DIAL_MS is for addresses that swallow what is sent to them, which loopback has none of. */
static void times_are_sane(void **state)
{
	(void)state;
	assert_in_range(LIMIT_DIAL_MS, 1000, 60000);
}

TEST_MAIN(test_case(connects_by_address_and_name), test_case(calls_have_a_bound),
	test_case(nobody_is_waited_for_at_the_end), test_case(times_are_sane))
