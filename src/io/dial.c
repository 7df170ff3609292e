// SPDX-License-Identifier: Apache-2.0
/* See dial.h. Each worker takes one call after the other; the C library's resolver blocks. */
#include "io/dial.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/abnf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WORKERS = 4, HOSTS_BYTES = 1 << 20, MOST_ADDRESSES = 8 };

enum dial_state { DIAL_WAITS, DIAL_WORKS, DIAL_DONE };

struct dial {
	struct dialer *dialer;
	char host[256];
	uint16_t port;
	void (*done)(void *arg, int handle, const struct err *);
	void *arg;
	bool cancelled; /* the loop's alone */
	/* under the lock */
	enum dial_state state;
	int handle;
	struct err err;
};

struct dial_worker {
	struct dialer *dialer;
	struct worker *worker;
	bool ready;
};

struct dialer {
	struct executor_seam *executor;
	struct dial_worker workers[WORKERS];
	struct buf hosts; /* /etc/hosts; read only after the start */
	int ending[2];    /* a pipe, whose other end is closed when all of it ends */
	pthread_mutex_t lock;
	pthread_cond_t prepared;
	size_t n_ready;
	struct dial *calls[LIMIT_DIALS];
};

/* ---- names that the machine knows itself ---- */

static void read_hosts(struct buf *out)
{
	ssize_t n = -1;
	int file = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
	buf_init(out, HOSTS_BYTES);
	if (file < 0)
		return;
	for (char *p; (p = buf_reserve(out, 4096)) != NULL && (n = read(file, p, 4096)) > 0;)
		buf_used(out, (size_t)n);
	close(file);
}

static bool names(struct str line, struct str host)
{
	line = str_sub(line, 0, str_find(line, '#'));
	for (size_t i = 0; i < line.n;) {
		size_t from = i;
		while (i < line.n && !abnf_is_wsp(line.p[i]))
			i++;
		if (i > from && str_equal_nocase(str_sub(line, from, i - from), host))
			return true;
		i++;
	}
	return false;
}

/* The n-th address of a host in the file, as text; false: there are not so many. */
static bool host_address(const struct buf *hosts, struct str host, size_t n, char ret[64])
{
	struct str rest = buf_str(hosts);
	while (rest.n) {
		struct str line = str_trim(str_split(&rest, '\n'));
		size_t end = 0;
		while (end < line.n && !abnf_is_wsp(line.p[end]))
			end++;
		struct str address = str_sub(line, 0, end);
		if (!names(str_from_offset(line, end), host) || n-- > 0)
			continue;
		snprintf(ret, 64, "%" STR_FMT, STR_ARG(address));
		return true;
	}
	return false;
}

/* ---- connecting ---- */

/* 0 or errno. */
static int wait_connected(const struct dialer *d, int fd)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLOUT }, { .fd = d->ending[0] } };
	int error = 0, rc;
	socklen_t n = sizeof(error);
	do
		rc = poll(p, ARRAY_LEN(p), LIMIT_DIAL_MS);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return ETIMEDOUT;
	if (rc > 0 && p[0].revents == 0)
		return ECANCELED;
	if (rc < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return errno;
	return error;
}

/* A connected socket, or -errno. */
static int connect_to(const struct dialer *d, const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (error == EINPROGRESS)
		error = wait_connected(d, fd);
	if (error == 0)
		return fd;
	close(fd);
	return -error;
}

/* The addresses of one text; which: it is an address. 0 or an EAI_ error. *ret as connect_to. */
static int try_all(const struct dialer *d, const char *text, uint16_t port, int flags, int *ret)
{
	char service[8];
	struct addrinfo *all = NULL,
			want = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	snprintf(service, sizeof(service), "%u", port);
	int rc = getaddrinfo(text, service, &want, &all);
	if (rc != 0)
		return rc;
	size_t n = 0;
	*ret = -EADDRNOTAVAIL;
	for (struct addrinfo *a = all; a && *ret < 0 && n++ < MOST_ADDRESSES; a = a->ai_next)
		*ret = connect_to(d, a);
	freeaddrinfo(all);
	return 0;
}

static int call(struct dialer *d, const char *host, uint16_t port, struct err *err)
{
	char address[64];
	int handle = -EADDRNOTAVAIL;
	bool known = false;
	for (size_t i = 0; handle < 0 && i < MOST_ADDRESSES &&
			   host_address(&d->hosts, str_from(host), i, address);
		i++)
		known |= try_all(d, address, port, AI_NUMERICHOST, &handle) == 0;
	int rc = known ? 0 : try_all(d, host, port, AI_NUMERICHOST, &handle);
	if (rc != 0)
		rc = try_all(d, host, port, 0, &handle);
	if (rc != 0)
		return fail(err, rc == EAI_NONAME || rc == EAI_NODATA ? ERR_NOT_FOUND : ERR_TEMP,
			"%s: %s", host, gai_strerror(rc));
	if (handle < 0)
		return fail(err, ERR_TEMP, "%s port %u: %s", host, port, strerror(-handle));
	return handle;
}

/* ---- workers ---- */

/* What the resolver would read at its first use, and again and again, is read now and kept: a file
 * that can't be seen any more would count as an empty one. */
static void prepare(struct dial_worker *w)
{
	struct dialer *d = w->dialer;
	struct addrinfo *all = NULL;
	if (res_init() == 0)
		_res.options |= RES_NORELOAD;
	if (getaddrinfo("localhost", NULL, NULL, &all) == 0)
		freeaddrinfo(all);
	pthread_mutex_lock(&d->lock);
	w->ready = true;
	d->n_ready++;
	pthread_cond_signal(&d->prepared);
	pthread_mutex_unlock(&d->lock);
}

static struct dial *next_call(struct dialer *d)
{
	struct dial *found = NULL;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < LIMIT_DIALS && found == NULL; i++)
		if (d->calls[i] && d->calls[i]->state == DIAL_WAITS)
			found = d->calls[i];
	if (found)
		found->state = DIAL_WORKS;
	pthread_mutex_unlock(&d->lock);
	return found;
}

static bool step(void *arg)
{
	struct dial_worker *w = arg;
	struct dialer *d = w->dialer;
	struct err err = ERR_INIT;
	if (!w->ready)
		prepare(w);
	struct dial *c = next_call(d);
	if (c == NULL)
		return false;
	int handle = call(d, c->host, c->port, &err);
	pthread_mutex_lock(&d->lock);
	c->handle = handle;
	c->err = err;
	c->state = DIAL_DONE;
	pthread_mutex_unlock(&d->lock);
	d->executor->notify(w->worker);
	return true;
}

static struct dial *take_done(struct dialer *d)
{
	struct dial *found = NULL;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < LIMIT_DIALS && found == NULL; i++) {
		if (d->calls[i] && d->calls[i]->state == DIAL_DONE) {
			found = d->calls[i];
			d->calls[i] = NULL;
		}
	}
	pthread_mutex_unlock(&d->lock);
	return found;
}

/* On the loop. */
static void deliver(void *arg)
{
	struct dial_worker *w = arg;
	for (struct dial *c; (c = take_done(w->dialer)) != NULL;) {
		if (c->cancelled && c->handle >= 0)
			close(c->handle);
		if (!c->cancelled)
			c->done(c->arg, c->handle, &c->err);
		free(c);
	}
}

/* ---- what others call ---- */

struct dialer *dialer_new(struct executor_seam *executor)
{
	struct dialer *d = xmalloc(sizeof(*d));
	d->executor = executor;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->prepared, NULL);
	read_hosts(&d->hosts);
	if (pipe2(d->ending, O_CLOEXEC) < 0)
		d->ending[0] = d->ending[1] = -1; /* then the end waits */
	for (size_t i = 0; i < WORKERS; i++) {
		struct dial_worker *w = &d->workers[i];
		w->dialer = d;
		w->worker = executor->start(executor,
			&(struct worker_spec){
				.name = "dial", .step = step, .done = deliver, .arg = w });
	}
	pthread_mutex_lock(&d->lock);
	while (d->n_ready < WORKERS)
		pthread_cond_wait(&d->prepared, &d->lock);
	pthread_mutex_unlock(&d->lock);
	return d;
}

void dialer_free(struct dialer **dialer)
{
	struct dialer *d = *dialer;
	if (d == NULL)
		return;
	if (d->ending[1] >= 0)
		close(d->ending[1]);
	for (size_t i = 0; i < WORKERS; i++)
		d->executor->stop(&d->workers[i].worker);
	for (size_t i = 0; i < LIMIT_DIALS; i++) {
		if (d->calls[i] && d->calls[i]->state == DIAL_DONE && d->calls[i]->handle >= 0)
			close(d->calls[i]->handle);
		free(d->calls[i]);
	}
	if (d->ending[0] >= 0)
		close(d->ending[0]);
	buf_done(&d->hosts);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->prepared);
	free(d);
	*dialer = NULL;
}

struct dial *dial_ask(struct dialer *d, struct str host, uint16_t port,
	void (*done)(void *arg, int handle, const struct err *), void *arg)
{
	struct dial *c = xmalloc(sizeof(*c));
	*c = (struct dial){ .dialer = d, .port = port, .done = done, .arg = arg, .handle = -1 };
	snprintf(c->host, sizeof(c->host), "%" STR_FMT, STR_ARG(host));
	bool put = false;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < LIMIT_DIALS && !put; i++) {
		put = d->calls[i] == NULL;
		if (put)
			d->calls[i] = c;
	}
	pthread_mutex_unlock(&d->lock);
	if (!put) {
		free(c);
		return NULL;
	}
	for (size_t i = 0; i < WORKERS; i++)
		d->executor->wake(d->workers[i].worker);
	return c;
}

/* One that nobody works on yet is forgotten at once: four hosts that say nothing would hold it up.
 */
static bool take_waiting(struct dialer *d, const struct dial *c)
{
	bool taken = false;
	pthread_mutex_lock(&d->lock);
	for (size_t i = 0; i < LIMIT_DIALS && !taken; i++) {
		taken = d->calls[i] == c && c->state == DIAL_WAITS;
		if (taken)
			d->calls[i] = NULL;
	}
	pthread_mutex_unlock(&d->lock);
	return taken;
}

void dial_cancel(struct dial **dial)
{
	struct dial *c = *dial;
	*dial = NULL;
	if (c && take_waiting(c->dialer, c))
		free(c);
	else if (c)
		c->cancelled = true;
}
