// SPDX-License-Identifier: Apache-2.0
/* Reading another server: the courier connects, and a process that is started for it and owns
 * nothing but that socket interprets what the server says (process/fetcher.c). */
#include "cli/remote_private.h"

#include "process/roles.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { START_MS = 20000 };

struct connecting {
	struct remote *remote;
	int handle;
};

static void on_connected(void *arg, const struct frame *frame)
{
	struct connecting *c = arg;
	if (frame->type != FRAME_COURIER_CONNECTED)
		return;
	c->handle = c->remote->received;
	c->remote->received = -1;
}

static int connect_by_courier(struct remote *r, struct str host, uint16_t port, struct err *err)
{
	struct connecting c = { r, -1 };
	struct frame f = { .type = FRAME_COURIER_CONNECT, .courier_connect = { host, port } };
	if (remote_ask(r, REMOTE_COURIER, &f, on_connected, &c, err) < 0)
		return -1;
	return c.handle >= 0 ? c.handle : fail(err, ERR_TEMP, "the courier gave no connection");
}

/* ---- the process ---- */

static bool fetcher_said(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct remote *r = arg;
	(void)request;
	if (handle >= 0 || frame->type != FRAME_STARTED)
		return false;
	r->fetcher_answered = true;
	remote_wake(r);
	return true;
}

static void fetcher_closed(void *arg, const char *reason)
{
	struct remote *r = arg;
	(void)reason;
	channel_free(&r->fetcher_control);
	r->fetcher_answered = true;
	remote_wake(r);
}

/* What it has to say for itself goes where our errors go. A description of its own: a role makes
 * its log non-blocking. */
static int open_log(void)
{
	int log = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC);
	return log >= 0 ? log : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int start_process(struct remote *r, struct err *err)
{
	char jail[4200];
	const char *note;
	int pair[2], log = open_log();
	struct channel_events events = {
		.frame = fetcher_said, .closed = fetcher_closed, .arg = r
	};
	if (log < 0 || r->loop->class->pair(r->loop, pair) < 0) {
		if (log >= 0)
			close(log);
		return fail_errno(err, "a process can't be started");
	}
	snprintf(jail, sizeof(jail), "%s/empty", r->config->directory);
	if (r->spawn == NULL)
		r->spawn = spawn_os_new(r->loop, os_identity(r->config, &note), jail, NULL);
	int process = r->spawn->start(r->spawn, &fetcher_row, 1, pair[1], log);
	if (process < 0) {
		r->loop->class->handle_close(r->loop, pair[0]);
		return fail(err, ERR_TEMP, "a process can't be started");
	}
	r->fetcher_control = channel_new(
		r->loop, pair[0], CLASS_SUPERVISOR, CLASS_FETCHER, &events);
	return 0;
}

static int configure(struct remote *r, const struct remote_server *s, struct err *err)
{
	struct frame config = { .type = FRAME_FETCH_CONFIG,
		.fetch_config = { .host = s->host,
			.security = (uint8_t)s->security,
			.user = s->user,
			.password = s->password,
			.most_bytes = s->most_bytes,
			.ca = str_from(s->ca) } };
	struct frame start = { .type = FRAME_START };
	r->fetcher_answered = false;
	if (!channel_send(r->fetcher_control, 0, &config) ||
		!channel_send(r->fetcher_control, 0, &start))
		return fail(err, ERR_SYNTAX,
			"the name of the server, the user, the password or "
			"the file of certificates is too long");
	remote_run_until(r, &r->fetcher_answered, START_MS);
	if (!r->fetcher_answered || r->fetcher_control == NULL)
		return fail(err, ERR_TEMP,
			"the process that reads the server could not be started; see above");
	return 0;
}

static void hand_over(struct remote *r, const char *kind, int handle)
{
	struct frame f = { .type = FRAME_HAND_OVER,
		.hand_over = { .kind = str_from(kind), .role = CLASS_ADMIN } };
	channel_send_handle(r->fetcher_control, 0, &f, handle);
}

int remote_fetch_begin(struct remote *r, const struct remote_server *s, struct err *err)
{
	int pair[2];
	remote_fetch_end(r);
	int server = connect_by_courier(r, s->host, s->port, err);
	if (server < 0)
		return -1;
	if (start_process(r, err) < 0 || configure(r, s, err) < 0 ||
		r->loop->class->pair(r->loop, pair) < 0) {
		r->loop->class->handle_close(r->loop, server);
		return err->kind ? -1 : fail_errno(err, "socketpair");
	}
	remote_add_peer(r, REMOTE_FETCHER, CLASS_FETCHER, pair[0]);
	hand_over(r, "admin", pair[1]);
	hand_over(r, "server", server);
	struct frame login = { .type = FRAME_FETCH_LOGIN };
	return remote_ask(r, REMOTE_FETCHER, &login, NULL, NULL, err);
}

/* It ends with its channels, and is reaped on the loop, or by whoever comes after us. */
void remote_fetch_end(struct remote *r)
{
	channel_free(&r->peers[REMOTE_FETCHER].channel);
	channel_free(&r->fetcher_control);
}
