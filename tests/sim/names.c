// SPDX-License-Identifier: Apache-2.0
/*
 * DNS, and what is at the addresses that it names (io/dial.h): answers take their time, come late
 * or not at all, or are none; a host has several addresses, of which some refuse and some say
 * nothing. Without FAULT_DNS every answer comes and one of the addresses is good, so a connection
 * is made in the end.
 */
#include "sim.h"

#include "base/limits.h"
#include "io/dial.h"
#include "source.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>

/* What is at 192.0.2.1 and so on. */
enum { LISTENS = 1, REFUSES, SAYS_NOTHING, IS_NOT_THERE, PLACES = 4 };
enum { LATE_MS = 30000, QUICK_MS = 60 };

struct names {
	struct dial_seam seam;
	struct process *process;
};

static bool in_trouble(void)
{
	return world.o.faults & 1U << FAULT_DNS && !round_over;
}

static bool strikes(unsigned percent, uint64_t *counter)
{
	if (!in_trouble() || !chance(percent))
		return false;
	fault_struck(FAULT_DNS);
	++*counter;
	return true;
}

/* A call of the role's to the outside. */
static bool may_call(struct dial_seam *seam)
{
	return world_call(CONTAINER_OF(seam, struct names, seam)->process);
}

/* ---- names ---- */

static void names_hosts(struct dial_seam *seam, struct buf *out)
{
	(void)seam;
	buf_addz(out, "127.0.0.1 localhost\n# a comment\n192.0.2.2\tother " SOURCE_NEAR
		      "\n192.0.2.1 " SOURCE_NEAR "\n");
}

static void names_prepare(struct dial_seam *seam)
{
	(void)seam;
}

static void add_place(unsigned kind, uint16_t port, struct dial_place *ret, size_t *ret_n)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(0xc0000200U + kind) };
	memset(&ret[*ret_n], 0, sizeof(*ret));
	memcpy(&ret[*ret_n].address, &a, sizeof(a));
	ret[(*ret_n)++].n = sizeof(a);
}

/* Some that are good for nothing; one that is, in the middle of them. */
static void add_places(uint16_t port, struct dial_place *ret, size_t *ret_n)
{
	size_t n = 1 + (size_t)dice(4), good = (size_t)dice(n);
	bool none = strikes(10, &world.names.dead);
	for (size_t i = 0; i < n; i++)
		add_place(i == good && !none ? LISTENS : REFUSES + (unsigned)dice(PLACES - 1), port,
			ret, ret_n);
}

static int answer(const char *host, uint16_t port, struct dial_place *ret, size_t *ret_n)
{
	blocking_wait(1 + (int64_t)dice(QUICK_MS));
	if (strikes(15, &world.names.late))
		blocking_wait((int64_t)dice(LATE_MS));
	if (strikes(10, &world.names.failed))
		return EAI_AGAIN;
	if (strcmp(host, SOURCE_HOST) != 0 || strikes(4, &world.names.missing))
		return EAI_NONAME;
	if (strikes(4, &world.names.empty))
		return EAI_NODATA;
	add_places(port, ret, ret_n);
	return 0;
}

static int names_resolve(struct dial_seam *seam, const char *host, uint16_t port, bool numeric,
	struct dial_place *ret, size_t *ret_n)
{
	struct in_addr address;
	*ret_n = 0;
	if (!may_call(seam))
		return EAI_SYSTEM;
	if (!numeric) {
		int rc = answer(host, port, ret, ret_n);
		trace("names", "%s: %s", host, rc ? gai_strerror(rc) : "found");
		return rc;
	}
	if (inet_pton(AF_INET, host, &address) != 1)
		return EAI_NONAME;
	add_place(ntohl(address.s_addr) & 0xff, port, ret, ret_n);
	return 0;
}

/* ---- connecting ---- */

static int names_connect(struct dial_seam *seam, const struct dial_place *to)
{
	struct sockaddr_in a;
	memcpy(&a, &to->address, sizeof(a));
	if (!may_call(seam))
		return -EPIPE;
	blocking_wait(1 + (int64_t)dice(QUICK_MS));
	switch (ntohl(a.sin_addr.s_addr) & 0xff) {
	case LISTENS:
		if (strikes(5, &world.names.refused))
			return -ECONNREFUSED;
		return source_connect();
	case REFUSES:
		world.names.refused++;
		return -ECONNREFUSED;
	case SAYS_NOTHING:
		world.names.silent++;
		blocking_wait(LIMIT_DIAL_MS);
		return -ETIMEDOUT;
	default:
		world.names.unreachable++;
		return -EHOSTUNREACH;
	}
}

static void names_close(struct dial_seam *seam, int handle)
{
	(void)seam;
	world.loop->class->handle_close(world.loop, handle);
}

static void names_end(struct dial_seam *seam)
{
	(void)seam; /* who waits is not gone back to */
}

static void names_free(struct dial_seam *seam)
{
	free(CONTAINER_OF(seam, struct names, seam));
}

struct dialer *names_open(struct role_context *context)
{
	struct names *n = xmalloc(sizeof(*n));
	n->process = context->owner;
	n->seam = (struct dial_seam){ .hosts = names_hosts,
		.prepare = names_prepare,
		.resolve = names_resolve,
		.connect = names_connect,
		.close = names_close,
		.end = names_end,
		.free = names_free };
	return dialer_new(context->seams.executor, &n->seam);
}
