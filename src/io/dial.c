// SPDX-License-Identifier: Apache-2.0
/* See dial.h. Each worker takes one call after the other, and blocks in it. */
#include "io/dial.h"

#include "base/buf.h"
#include "base/abnf.h"
#include "base/limits.h"
#include "base/planted.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, HOSTS_BYTES = 1 << 20 };

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
	struct dial_seam *seam;
	struct dial_worker workers[WORKERS];
	struct buf hosts; /* read only after the start */
	pthread_mutex_t lock;
	pthread_cond_t prepared;
	size_t n_ready;
	struct dial *calls[LIMIT_DIALS];
};

/* ---- names that the machine knows itself ---- */

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

/* The addresses of one text; numeric: it is an address. 0 or an EAI_ error; *ret: a connected
 * handle or -errno. */
static int try_all(struct dialer *d, const char *text, uint16_t port, bool numeric, int *ret)
{
	struct dial_place places[DIAL_PLACES];
	size_t n = 0;
	int rc = d->seam->resolve(d->seam, text, port, numeric, places, &n);
	if (rc != 0)
		return rc;
	*ret = -EADDRNOTAVAIL;
	for (size_t i = 0; i < n && *ret < 0 && (i == 0 || !planted("first_address_alone")); i++)
		*ret = d->seam->connect(d->seam, &places[i]);
	return 0;
}

static int call(struct dialer *d, const char *host, uint16_t port, struct err *err)
{
	char address[64];
	int handle = -EADDRNOTAVAIL;
	bool known = false;
	for (size_t i = 0; handle < 0 && i < DIAL_PLACES &&
			   host_address(&d->hosts, str_from(host), i, address);
		i++)
		known |= try_all(d, address, port, true, &handle) == 0;
	int rc = known ? 0 : try_all(d, host, port, true, &handle);
	if (rc != 0)
		rc = try_all(d, host, port, false, &handle);
	if (rc != 0)
		return fail(err, rc == EAI_NONAME || rc == EAI_NODATA ? ERR_NOT_FOUND : ERR_TEMP,
			"%s: %s", host, gai_strerror(rc));
	if (handle < 0)
		return fail(err, ERR_TEMP, "%s port %u: %s", host, port, strerror(-handle));
	return handle;
}

/* ---- workers ---- */

static void prepare(struct dial_worker *w)
{
	struct dialer *d = w->dialer;
	d->seam->prepare(d->seam);
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
			w->dialer->seam->close(w->dialer->seam, c->handle);
		if (!c->cancelled)
			c->done(c->arg, c->handle, &c->err);
		free(c);
	}
}

/* ---- what others call ---- */

struct dialer *dialer_new(struct executor_seam *executor, struct dial_seam *seam)
{
	struct dialer *d = xmalloc(sizeof(*d));
	d->executor = executor;
	d->seam = seam;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->prepared, NULL);
	buf_init(&d->hosts, HOSTS_BYTES);
	seam->hosts(seam, &d->hosts);
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
	d->seam->end(d->seam);
	for (size_t i = 0; i < WORKERS; i++)
		d->executor->stop(&d->workers[i].worker);
	for (size_t i = 0; i < LIMIT_DIALS; i++) {
		if (d->calls[i] && d->calls[i]->state == DIAL_DONE && d->calls[i]->handle >= 0)
			d->seam->close(d->seam, d->calls[i]->handle);
		free(d->calls[i]);
	}
	d->seam->free(d->seam);
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
