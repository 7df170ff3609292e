// SPDX-License-Identifier: Apache-2.0
/* culver serve: the server in the foreground. One line on standard output when all listen; logs on
 * standard error. SIGTERM and SIGINT drain and end, SIGHUP reloads, SIGUSR1 opens the log
 * file again, SIGUSR2 upgrades. */
#include "cli/cli.h"

#include "process/manager.h"
#include "process/os.h"
#include "process/preflight.h"
#include "process/role.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct server {
	struct config *config; /* for the log; the supervisor has its own */
	const struct supervisor_options *options;
	struct loop *loop;
	struct supervisor *supervisor;
	struct log_sink_fd sink;
	struct identity who;
	struct takeover before; /* what the image before this one has left */
	bool taken_over;
	bool is_ready; /* who manages us knows */
};

static bool may_command(void *arg, int handle)
{
	const struct server *s = arg;
	return os_may_command(handle, s->who);
}

/* A socket that was handed in has a port of its own; one port at several addresses is named once.
 */
static void say_ports(const struct supervisor_options *o, const struct service_row *service)
{
	int last = -1;
	for (size_t i = 0; i < o->listeners_n; i++) {
		int port = o->listeners[i].service == service
				   ? os_listening_port(o->listeners[i].handle)
				   : -1;
		if (port >= 0 && port != last)
			printf(" %s=%d", service->name, port);
		last = port >= 0 ? port : last;
	}
}

static void say_ready(const struct server *s)
{
	printf("ready");
	for (size_t i = 0; i < service_rows_n; i++)
		say_ports(s->options, &service_rows[i]);
	printf("\n");
	fflush(stdout);
}

static void on_news(void *arg, enum supervisor_news news)
{
	static const char *const status[] = {
		[NEWS_READY] = "serving",
		[NEWS_UPGRADED] = "serving, with the sessions of before ending",
		[NEWS_RELOADING] = "reloading",
		[NEWS_RELOADED] = "serving",
		[NEWS_STOPPING] = "letting sessions end",
		[NEWS_PULSE] = "",
	};
	struct server *s = arg;
	if (news == NEWS_READY) {
		say_ready(s);
		os_started();
	}
	s->is_ready = s->is_ready || s->taken_over || news == NEWS_READY;
	/* What ends a reload, or a refused upgrade, reads as "ready": a start is not yet. */
	if (s->is_ready || news == NEWS_STOPPING || news == NEWS_PULSE)
		manager_tell(news, status[news]);
}

/* A file that cannot be opened leaves the log where it was. */
static int open_log(struct server *s, const struct config *config, struct err *err)
{
	if (strcmp(config->log_file, "stderr") != 0)
		return log_sink_fd_open(&s->sink, config->log_file, err);
	log_sink_fd_back(&s->sink, STDERR_FILENO);
	s->sink.priorities = manager_has_journal();
	return 0;
}

/* A reload's configuration: of ours, what the log is. */
static int on_configured(void *arg, const struct config *config, struct err *err)
{
	struct server *s = arg;
	if (open_log(s, config, err))
		return -1;
	free(s->config->log_file);
	s->config->log_file = xstrdup(config->log_file);
	role_log_as(&s->sink.sink, config);
	return 0;
}

static void reopen_log(struct server *s)
{
	struct err err = ERR_INIT;
	struct log_text text;
	struct log log;
	if (open_log(s, s->config, &err) == 0)
		return;
	log_init(&log, &s->sink.sink, "role=supervisor");
	log_event(&log, LOG_ERROR, "log-not-opened", "why=%s",
		log_value(&text, str_from(err_log_text(&err))));
}

static void on_signal(void *arg, int number)
{
	struct server *s = arg;
	if (number == SIGHUP || number == SIGUSR1)
		reopen_log(s);
	if (number == SIGHUP)
		supervisor_reload(s->supervisor);
	else if (number == SIGUSR2)
		supervisor_upgrade(s->supervisor);
	else if (number != SIGUSR1)
		supervisor_stop(s->supervisor);
}

static void write_line(void *arg, struct str line)
{
	struct server *s = arg;
	s->sink.sink.write(&s->sink.sink, line);
}

/* As many descriptors as the hard limit has: fronts hold a connection in each. */
static void raise_descriptors(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* The supervisor holds the keys that tickets and the gate's secrets hang on: no core dump, and
 * nobody of our user looks into it. (Roles do the same for themselves: io/sandbox.c. A9) */
static void forbid_dumps(void)
{
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int run(struct server *s, struct supervisor_options *o, struct err *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	s->supervisor = supervisor_new(s->loop, o, err);
	if (s->supervisor == NULL)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (loop_uv_on_signal(s->loop, signals[i], on_signal, s) < 0)
			return fail_log(err, ERR_TEMP, "cannot watch signal %d", signals[i]);
	os_hear_signals();
	s->loop->class->run(s->loop);
	int status = supervisor_status(s->supervisor);
	supervisor_free(&s->supervisor);
	return status ? fail_log(err, ERR_TEMP, "a role could not be started; the log says why")
		      : 0;
}

static int prepare_directories(
	const struct config *c, struct identity who, char *jail, size_t n, struct err *err)
{
	struct identity root = { -1, -1 };
	char data[4200];
	snprintf(jail, n, "%s/empty", c->directory);
	snprintf(data, sizeof(data), "%s/data", c->directory);
	return os_make_directory(jail, 0555, root, err) || os_make_directory(data, 0700, who, err)
		       ? -1
		       : 0;
}

/* ---- sockets and the lock: of our own making, or from the image before ---- */

static void take_listeners(const struct takeover *t, struct supervisor_options *o)
{
	o->listeners = xcalloc(t->listeners.n + 1, sizeof(*o->listeners));
	VEC_EACH (const struct takeover_listener, l, &t->listeners) {
		const struct service_row *row = service_row_named(str_from(l->service));
		if (row)
			o->listeners[o->listeners_n++] = (struct supervisor_listener){ row,
				l->handle };
		else
			close(l->handle);
	}
	o->lock = t->lock;
	o->control_listener = t->control;
	o->takeover = t;
}

/* What is in the way may be leaving: roles of a server that was killed a moment ago, which have its
 * ports, or a short command, which has the lock. */
enum { PATIENCE_MS = 3000, PAUSE_MS = 50 };

static bool wait_a_moment(struct err *err, int *waited_ms)
{
	if (err->kind != ERR_IN_USE || *waited_ms >= PATIENCE_MS)
		return false;
	*waited_ms += PAUSE_MS;
	usleep(PAUSE_MS * 1000);
	*err = (struct err)ERR_INIT;
	return true;
}

static int lock_patiently(const struct config *config, struct err *err)
{
	int lock, waited_ms = 0;
	do
		lock = os_lock(config, err);
	while (lock < 0 && wait_a_moment(err, &waited_ms));
	return lock;
}

static int listen_patiently(const struct server *s, struct supervisor_options *o, struct err *err)
{
	int result,
		waited_ms = s->taken_over ? PATIENCE_MS : 0; /* the image before accepts nothing */
	do
		result = os_listen(o->config, &o->listeners, &o->listeners_n, err);
	while (result < 0 && wait_a_moment(err, &waited_ms));
	return result;
}

static int open_sockets(struct server *s, struct supervisor_options *o, struct err *err)
{
	if (s->taken_over)
		take_listeners(&s->before, o);
	else if (manager_listeners(o->config, &o->listeners, &o->listeners_n, err))
		return -1;
	if (listen_patiently(s, o, err))
		return -1;
	if (!s->taken_over)
		o->control_listener = os_control_listen(o->config, s->who, err);
	return o->control_listener < 0 ? -1 : 0;
}

static void set_options(struct server *s, const char *jail, struct supervisor_options *o)
{
	s->loop = loop_uv_new();
	o->clock = s->loop->clock;
	o->random = random_os();
	o->spawn = spawn_os_new(s->loop, s->who, jail, o->config_path);
	o->may_command = may_command;
	o->news = on_news;
	o->configured = on_configured;
	o->log_write = write_line;
	o->pulse_ms = manager_pulse_ms();
	o->news_arg = o->log_arg = o->may_command_arg = o->configured_arg = s;
	log_init(&o->log, &s->sink.sink, "role=supervisor");
	role_log_as(&s->sink.sink, o->config);
}

static int serve(struct server *s, const struct options *options, struct err *err)
{
	const char *path = options_config(options), *note;
	char jail[4200];
	s->config = config_load(path, err);
	struct config *config = s->config ? config_load(path, err) : NULL;
	if (config == NULL)
		return -1;
	s->who = os_identity(config, &note);
	struct supervisor_options o = { .config_path = path, .config = config, .admin_handle = -1 };
	if (open_log(s, config, err))
		return -1;
	o.lock = s->taken_over ? s->before.lock : lock_patiently(config, err);
	if (o.lock < 0 || preflight_data(config, err) ||
		(!s->taken_over && preflight_store(config, err) < 0) ||
		prepare_directories(config, s->who, jail, sizeof(jail), err) ||
		open_sockets(s, &o, err))
		return -1;
	set_options(s, jail, &o);
	s->options = &o;
	if (note)
		log_event(&o.log, LOG_WARN, "user", "user=%s note=\"%s\"", config->user, note);
	int result = run(s, &o, err);
	os_control_remove(s->config);
	spawn_os_free(&o.spawn);
	free(o.listeners);
	loop_uv_free(&s->loop);
	close(o.lock);
	return result;
}

int cmd_serve(const struct options *options)
{
	struct err err = ERR_INIT;
	struct server s = { .config = NULL };
	if (options->args_n)
		return cli_usage(options, "[-c FILE]");
	os_hold_signals();
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	raise_descriptors();
	forbid_dumps();
	log_sink_fd_init(&s.sink, STDERR_FILENO);
	takeover_init(&s.before);
	int taken = os_take_over(&s.before, &err);
	s.taken_over = taken == 1;
	int result = taken < 0 ? taken : serve(&s, options, &err);
	takeover_done(&s.before);
	config_free(&s.config);
	return result ? cli_fail(options, &err) : EXIT_GOOD;
}
