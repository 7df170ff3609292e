// SPDX-License-Identifier: Apache-2.0
/* A child's main(): the operating system's seams, the sandbox, and the role between them. */
#include "process/os.h"

#include "base/scan.h"
#include "io/dial.h"
#include "io/tls.h"
#include "mail/charset.h"
#include "process/preflight.h"

#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CONTROL_FD = 3, LOG_FD = 2 };

struct child_process {
	struct role_context context;
	struct log_sink_fd sink;
	struct sandbox_place place;
	const char *jail;
	char directory[1100]; /* the role's own */
	bool confined;
	int status;
};

static void finish(struct role_context *context, int status)
{
	struct child_process *p = context->owner;
	p->status = status;
	context->loop->class->stop(context->loop);
}

/* The mark is made when a store is found, so that who is interrupted in making the first one may go
 * on. */
static int must_not_have_vanished(const char *directory, struct err *err)
{
	char mark[1200];
	int found = preflight_vanished(directory, err);
	snprintf(mark, sizeof(mark), PREFLIGHT_MARK, directory);
	/* O_EXCL: root follows no link that another user has put there. */
	int made = found > 0 ? open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (made >= 0)
		close(made);
	return found < 0 ? -1 : 0;
}

/* A role that owns a directory is confined to it, and sees it under another name after a chroot:
 * so it is confined when it opens it. */
static struct files_seam *open_files(
	struct role_context *context, const char *directory, struct err *err)
{
	struct child_process *p = context->owner;
	const char *name = directory;
	if (context->row->rules->directory && !p->confined) {
		snprintf(p->directory, sizeof(p->directory), "%s", directory);
		p->place.directory = p->directory;
		if (context->row->class == &store_role && must_not_have_vanished(directory, err))
			return NULL;
		if (sandbox_confine(context->row->rules, &p->place, &name, err))
			return NULL;
		p->confined = true;
	}
	struct files_seam *files = files_os_new(name, err);
	if (files == NULL) /* under the name that its owner knows */
		fail_errno(
			err, "cannot open the directory %s as user %d", directory, (int)geteuid());
	return files;
}

static void close_files(struct role_context *context, struct files_seam **files)
{
	(void)context;
	files_os_free(files);
}

/* The others have read what they needed, and see no file from here on. */
static int confine(struct role_context *context, struct err *err)
{
	struct child_process *p = context->owner;
	if (p->confined || context->row->rules->directory)
		return 0;
	p->place.directory = p->jail;
	p->confined = true;
	return sandbox_confine(context->row->rules, &p->place, NULL, err);
}

static struct dialer *open_dialer(struct role_context *context)
{
	return dialer_new(context->seams.executor, dial_os_new());
}

static int close_sandbox(struct role_context *context, struct err *err)
{
	/* A change of user has cleared it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	char note[160];
	struct log_text text;
	sandbox_note(note);
	if (sandbox_close(context->row->rules, err))
		return -1;
	log_event(
		&context->log, LOG_DEBUG, "sandbox", "holds=%s", log_value(&text, str_from(note)));
	os_started();
	return 0;
}

static void pulse(struct role_context *context)
{
	(void)context;
	os_trim();
}

/* Everything lazy, before the sandbox closes: providers, converters, locale. */
static void load_everything(const struct role_row *row)
{
	tzset();
	setlocale(LC_ALL, "C.UTF-8");
	if (row->class != &courier_role) /* it carries nothing yet that OpenSSL is for */
		tls_prepare();
	if (row->class == &front_role)
		mail_charsets_preload();
}

/* No uid or gid is UINT32_MAX: to setresuid(2) that is "leave it as it is". */
static bool number(const char *text, uint32_t *ret)
{
	struct scan s = scan_from(str_from(text));
	uint64_t n;
	if (!scan_number(&s, UINT32_MAX - 1, &n) || !scan_end(&s))
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* Both, or "-1" twice: no change of user. Nothing becomes root. */
static bool parse_user(const char *uid, const char *gid, struct sandbox_place *place)
{
	uint32_t u = 0, g = 0;
	place->change_user = strcmp(uid, "-1") != 0;
	if (!place->change_user)
		return strcmp(gid, "-1") == 0;
	if (!number(uid, &u) || !number(gid, &g) || u == 0)
		return false;
	place->uid = u;
	place->gid = g;
	return true;
}

static bool parse(int argc, char **argv, struct child_process *p)
{
	if (argc != 7)
		return false;
	p->context.row = role_row_named(argv[2]);
	p->jail = argv[6];
	return p->context.row && number(argv[3], &p->context.instance) &&
	       parse_user(argv[4], argv[5], &p->place);
}

static void set_seams(struct child_process *p)
{
	struct role_context *c = &p->context;
	c->loop = loop_uv_new();
	c->seams.clock = c->loop->clock;
	c->seams.random = random_os();
	c->seams.executor = c->loop->class->executor(c->loop);
	c->sink = &p->sink.sink;
	log_sink_fd_gather(&p->sink, c->loop);
	log_init(&c->log, c->sink, "role=%s", c->row->name);
	c->open_files = open_files;
	c->close_files = close_files;
	c->confine = confine;
	c->close_sandbox = close_sandbox;
	c->open_dialer = open_dialer;
	c->pulse = pulse;
	c->finish = finish;
	c->owner = p;
}

int role_main(int argc, char **argv)
{
	struct child_process p = { .status = 0 };
	if (!parse(argc, argv, &p) || fcntl(CONTROL_FD, F_GETFD) < 0) {
		fprintf(stderr, "culver: roles are started by `culver serve` alone\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	/* What is sent to the whole group (a terminal's ^C, a service manager's stop) is the
	 * supervisor's to answer: it drains. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	fcntl(LOG_FD, F_SETFL, O_NONBLOCK);
	log_sink_fd_init(&p.sink, LOG_FD);
	load_everything(p.context.row);
	set_seams(&p);
	struct role_host *host = role_host_new(&p.context, CONTROL_FD);
	p.context.loop->class->run(p.context.loop);
	role_host_free(&host);
	log_sink_fd_done(&p.sink);
	loop_uv_free(&p.context.loop);
	return p.status;
}
