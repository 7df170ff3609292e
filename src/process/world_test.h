/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole server in one process: the real supervisor and the real roles on one simulated loop, with
 * a directory of its own. A process is a struct here: it starts by role_host_new, and dies by being
 * freed a turn later, as a process does, without a word.
 */
#ifndef CULVER_PROCESS_WORLD_TEST_H
#define CULVER_PROCESS_WORLD_TEST_H

#include "base/test.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/frames.h"
#include "base/limits.h"
#include "base/vec.h"
#include "io/loop_sim.h"
#include "process/supervisor_private.h"

enum { WORLD_PROCESSES = 128, FIRST_PID = 1000 };

struct world;
struct process {
	struct world *world;
	int pid; /* 0: none */
	const struct role_row *row;
	struct role_row as_run; /* row, with the test's class */
	struct role_context context;
	struct log_sink sink;
	struct role_host *host;
	struct timer *end;
	struct link *log, *unread; /* unread: the control channel of one that hangs */
	int status;                /* as waitpid(2) has it */
	bool ending;
};

struct world {
	char path[64];
	struct loop *loop;
	struct random_fake random;
	struct spawn_seam spawn;
	struct process processes[WORLD_PROCESSES];
	size_t processes_n;
	struct supervisor *supervisor;
	const struct takeover *takeover; /* of an image before it, or NULL */
	struct log_sink sink;
	struct buf log;
	int doors[16]; /* by service_rows: the newest listener of each */
	struct supervisor_listener listeners[16];
	int control_door;
	int ready, refuse_start; /* refuse_start: that many starts fail from now on */
	int pulses;              /* how often all roles had answered */
	const char *broken;      /* the role of this name never starts */
	const char *mute;        /* the role of this name hangs from its start */
	const char *stuck;       /* the role of this name does not end when it is told to */
	uint32_t spread_ms;      /* what a front was told last when it was to go */
	bool distrust_seen, may_command;
};

/* ---- processes ---- */

static inline void process_end(void *arg)
{
	struct process *p = arg;
	struct world *w = p->world;
	int pid = p->pid;
	w->loop->class->timer_free(&p->end);
	role_host_free(&p->host);
	w->loop->class->link_free(&p->log);
	if (p->unread)
		w->loop->class->link_free(&p->unread);
	p->pid = 0;
	if (w->spawn.ended && w->supervisor)
		w->spawn.ended(w->spawn.arg, pid, p->status);
}

static inline void process_ends(struct process *p, int status)
{
	if (p->ending)
		return;
	p->ending = true;
	p->status = status;
	p->world->loop->class->timer_set(
		p->end, p->world->loop->clock->monotonic_ms(p->world->loop->clock) + 1);
}

static inline void world_finish(struct role_context *c, int status)
{
	struct process *p = c->owner;
	if (p->world->stuck == NULL || strcmp(p->world->stuck, c->row->name) != 0)
		process_ends(p, status << 8);
}

static inline struct files_seam *world_open(
	struct role_context *c, const char *directory, struct err *err)
{
	(void)c;
	return files_os_new(directory, err);
}

static inline void world_close(struct role_context *c, struct files_seam **files)
{
	(void)c;
	files_os_free(files);
}

/* A front's channel to keys is a real descriptor, which this network has not. */
static struct role_class world_front;
static inline bool world_front_frame(struct role *r, const struct frame *f, int handle)
{
	if (f->type == FRAME_HAND_OVER && str_equal(f->hand_over.kind, STR("keys"))) {
		r->context->loop->class->handle_close(r->context->loop, handle);
		return true;
	}
	return front_role.frame(r, f, handle);
}

static inline void world_front_drain(struct role *r, uint32_t within_ms, uint32_t spread_ms)
{
	struct process *p = r->context->owner;
	p->world->spread_ms = spread_ms;
	front_role.drain(r, within_ms, spread_ms);
}

static inline struct role *world_front_new(struct role_context *c)
{
	struct role *r = front_role.new(c);
	r->class = &world_front;
	return r;
}

static struct role_class world_store;
static inline bool world_store_frame(struct role *r, const struct frame *f, int handle)
{
	struct process *p = r->context->owner;
	if (f->type == FRAME_STORE_CONFIG)
		p->world->distrust_seen = f->store_config.distrust;
	return store_role.frame(r, f, handle);
}

static inline struct role *world_store_new(struct role_context *c)
{
	struct role *r = store_role.new(c);
	r->class = &world_store;
	return r;
}

static inline int world_fails(struct role_context *c, struct err *err)
{
	struct process *p = c->owner;
	if (p->world->broken && strcmp(p->world->broken, c->row->name) == 0)
		return fail_log(err, ERR_TEMP, "broken by the test");
	return 0;
}

static inline void process_init(struct process *p, const struct role_row *row)
{
	struct world *w = p->world;
	world_front = front_role;
	world_front.new = world_front_new;
	world_front.frame = world_front_frame;
	world_front.drain = world_front_drain;
	world_store = store_role;
	world_store.new = world_store_new;
	world_store.frame = world_store_frame;
	p->row = row;
	p->as_run = *row;
	if (row->class == &front_role)
		p->as_run.class = &world_front;
	if (row->class == &store_role)
		p->as_run.class = &world_store;
	p->sink = w->sink;
	p->context = (struct role_context){ .loop = w->loop,
		.seams = { .clock = w->loop->clock,
			.random = &w->random.seam,
			.executor = w->loop->class->executor(w->loop) },
		.sink = &p->sink,
		.row = &p->as_run,
		.open_files = world_open,
		.close_files = world_close,
		.confine = world_fails,
		.finish = world_finish,
		.owner = p };
	log_init(&p->context.log, &p->sink, "role=%s", row->name);
}

static inline void process_log_ready(void *arg, int events)
{
	(void)arg;
	(void)events;
}

static inline int world_start(struct spawn_seam *seam, const struct role_row *row,
	uint32_t instance, int control, int log)
{
	struct world *w = CONTAINER_OF(seam, struct world, spawn);
	struct link_events nothing = { .ready = process_log_ready };
	if (w->refuse_start > 0 && w->refuse_start--) {
		w->loop->class->handle_close(w->loop, control);
		w->loop->class->handle_close(w->loop, log);
		return -EAGAIN;
	}
	assert_true(w->processes_n < WORLD_PROCESSES);
	struct process *p = &w->processes[w->processes_n++];
	p->world = w;
	p->pid = FIRST_PID + (int)w->processes_n;
	process_init(p, row);
	p->context.instance = instance;
	p->end = w->loop->class->timer_new(w->loop, process_end, p);
	p->log = w->loop->class->link_new(w->loop, log, &nothing);
	if (w->mute && strcmp(w->mute, row->name) == 0)
		p->unread = w->loop->class->link_new(w->loop, control, &nothing);
	else
		p->host = role_host_new(&p->context, control);
	return p->pid;
}

static inline struct process *world_process(struct world *w, int pid)
{
	for (size_t i = 0; i < w->processes_n; i++)
		if (w->processes[i].pid == pid)
			return &w->processes[i];
	return NULL;
}

static inline void world_kill(struct spawn_seam *seam, int pid, int number)
{
	struct process *p = world_process(CONTAINER_OF(seam, struct world, spawn), pid);
	if (p)
		process_ends(p, number);
}

static inline struct child *world_child(struct world *w, const char *name)
{
	VEC_EACH (struct child *, c, &w->supervisor->children)
		if (strcmp((*c)->row->name, name) == 0)
			return *c;
	return NULL;
}

/* The process of that name that runs now. */
static inline struct process *world_role(struct world *w, const char *name)
{
	return world_process(w, world_child(w, name)->process);
}

/* ---- the world ---- */

static inline void world_log(struct log_sink *sink, struct str line)
{
	/* Every sink begins as a copy of the world's; the text is where all find it. */
	static struct buf *text;
	if (sink == NULL) {
		text = (struct buf *)(uintptr_t)line.p;
		return;
	}
	if (buf_room(text) < line.n)
		buf_clear(text);
	buf_adds(text, line);
	if (getenv("WORLD_LOG"))
		fprintf(stderr, "%" STR_FMT, STR_ARG(line));
}

static inline bool world_said(const struct world *w, const char *text)
{
	return str_search(buf_str(&w->log), str_from(text)) < w->log.n;
}

static inline void world_line(void *arg, struct str line)
{
	struct world *w = arg;
	world_log(&w->sink, line);
}

static inline void world_write(const struct world *w, const char *name, const void *p, size_t n)
{
	char path[200];
	snprintf(path, sizeof(path), "%s/%s", w->path, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static inline void world_configure(const struct world *w, const char *more)
{
	char text[1000];
	snprintf(text, sizeof(text), "hostname = \"mail.example\"\nloopback = true\n%s", more);
	world_write(w, "culver.conf", text, strlen(text));
}

static inline int world_copy_listener(void *arg, const struct supervisor_listener *l)
{
	struct world *w = arg;
	int door = loop_sim_listen(w->loop);
	w->doors[l->service - service_rows] = door;
	return door;
}

static inline bool world_may_command(void *arg, int handle)
{
	(void)handle;
	return ((struct world *)arg)->may_command;
}

static inline void world_news(void *arg, enum supervisor_news news)
{
	((struct world *)arg)->ready += news == NEWS_READY;
	((struct world *)arg)->pulses += news == NEWS_PULSE;
}

static inline void world_make(struct world *w, uint64_t seed)
{
	char path[200];
	memset(w, 0, sizeof(*w));
	snprintf(w->path, sizeof(w->path), "%s/culver-world-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->path));
	snprintf(path, sizeof(path), "%s/data", w->path);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/keys", w->path);
	assert_int_equal(mkdir(path, 0700), 0);
	world_write(w, "master.key", "0123456789abcdef0123456789abcdef", 32);
	world_configure(w, "");
	buf_init(&w->log, 4 * 1024 * 1024);
	w->sink = (struct log_sink){ .write = world_log, .level = LOG_INFO };
	world_log(NULL, str_make(&w->log, 1));
	w->loop = loop_sim_new(seed);
	random_fake_init(&w->random, seed);
	w->spawn = (struct spawn_seam){ .start = world_start, .kill = world_kill };
	w->may_command = true;
	w->control_door = loop_sim_listen(w->loop);
}

/* Starts the supervisor. */
static inline void world_boot(struct world *w)
{
	char path[200];
	struct err err = ERR_INIT;
	snprintf(path, sizeof(path), "%s/culver.conf", w->path);
	for (size_t i = 0; i < service_rows_n; i++)
		w->listeners[i].service = &service_rows[i];
	struct supervisor_options o = { .config_path = xstrdup(path),
		.config = config_load(path, &err),
		.clock = w->loop->clock,
		.random = &w->random.seam,
		.spawn = &w->spawn,
		.listeners = w->listeners,
		.listeners_n = service_rows_n,
		.copy_listener = world_copy_listener,
		.copy_arg = w,
		.control_listener = w->control_door,
		.admin_handle = -1,
		.may_command = world_may_command,
		.may_command_arg = w,
		.news = world_news,
		.news_arg = w,
		.takeover = w->takeover,
		.log_write = world_line,
		.log_arg = w };
	assert_non_null(o.config);
	log_init(&o.log, &w->sink, "role=supervisor");
	w->supervisor = supervisor_new(w->loop, &o, &err);
	assert_non_null(w->supervisor);
}

static inline int world_remove(const char *path, const struct stat *s, int type, struct FTW *f)
{
	(void)s;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void world_done(struct world *w)
{
	char *path = w->supervisor ? (char *)(uintptr_t)w->supervisor->o.config_path : NULL;
	supervisor_free(&w->supervisor);
	for (size_t i = 0; i < w->processes_n; i++)
		if (w->processes[i].pid)
			process_end(&w->processes[i]);
	free(path);
	loop_sim_free(&w->loop);
	buf_done(&w->log);
	nftw(w->path, world_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Until the condition holds, at most 60 simulated seconds. */
#define world_until(w, condition)                                                                  \
	do {                                                                                       \
		int turns_ = 0;                                                                    \
		while (!(condition) && turns_++ < 6000)                                            \
			loop_sim_run_for((w)->loop, 10);                                           \
		if (!(condition))                                                                  \
			fail_msg("never: %s\n%.*s", #condition,                                    \
				(int)((w)->log.n < 6000 ? (w)->log.n : 6000),                      \
				(w)->log.p ? (w)->log.p : "");                                     \
	} while (0)

static inline bool world_all_up(const struct world *w)
{
	VEC_EACH (struct child *, c, &w->supervisor->children)
		if ((*c)->state != CHILD_UP && !(*c)->spare)
			return false;
	return true;
}

/* Kills the role of that name and waits for its successor. */
static inline void world_restart(struct world *w, const char *name)
{
	struct child *c = world_child(w, name);
	int pid = c->process;
	world_kill(&w->spawn, pid, SIGKILL);
	world_until(w, c->process != pid && c->state == CHILD_UP);
}

/* ---- a client that speaks lines ---- */

struct client {
	struct world *world;
	struct link *link;
	struct buf in, out;
	unsigned reads; /* pieces that came */
	bool ended;
};

static inline void client_ready(void *arg, int events)
{
	struct client *c = arg;
	const struct loop_class *class = c->world->loop->class;
	if (events & LINK_READ) {
		char bytes[4096];
		ssize_t n = class->link_read(c->link, bytes, sizeof(bytes), NULL);
		c->reads += n > 0;
		if (n > 0)
			buf_add(&c->in, bytes, (size_t)n);
		else if (n != -EAGAIN)
			c->ended = true;
	}
	if (c->out.n > 0 && !c->ended) {
		ssize_t n = class->link_write(c->link, c->out.p, c->out.n, -1);
		if (n > 0)
			buf_consume(&c->out, (size_t)n);
	}
	int want = c->ended ? 0 : LINK_READ | (c->out.n ? LINK_WRITE : 0);
	class->link_want(c->link, want);
}

/* False: refused by the network. */
static inline bool client_connect(
	struct client *c, struct world *w, const char *service, const char *address)
{
	struct link_events events = { .ready = client_ready, .arg = c };
	int door = w->doors[service_row_named(str_from(service)) - service_rows];
	int handle = loop_sim_connect(w->loop, door, address, 4711);
	*c = (struct client){ .world = w };
	if (handle < 0)
		return false;
	buf_init(&c->in, 1 << 20);
	buf_init(&c->out, 1 << 20);
	c->link = w->loop->class->link_new(w->loop, handle, &events);
	w->loop->class->link_want(c->link, LINK_READ);
	return true;
}

static inline void client_send(struct client *c, const char *text)
{
	buf_addz(&c->out, text);
	c->world->loop->class->link_want(c->link, LINK_READ | LINK_WRITE);
}

/* Waits for the text, and forgets all up to the end of its line. */
static inline void client_wants(struct client *c, const char *text)
{
	struct str want = str_from(text);
	for (int i = 0; i < 6000 && !c->ended; i++) {
		if (c->in.n && str_search(buf_str(&c->in), want) < c->in.n)
			break;
		loop_sim_run_for(c->world->loop, 10);
	}
	size_t at = c->in.n ? str_search(buf_str(&c->in), want) : 0;
	if (at >= c->in.n)
		fail_msg("wanted '%s', got '%.*s'\n%.*s", text, (int)c->in.n,
			c->in.n ? c->in.p : "",
			(int)(c->world->log.n < 6000 ? c->world->log.n : 6000),
			c->world->log.p ? c->world->log.p : "");
	size_t end = str_find(str_from_offset(buf_str(&c->in), at), '\n');
	end = at + end < c->in.n ? at + end + 1 : c->in.n;
	buf_consume(&c->in, end);
}

static inline void client_says(struct client *c, const char *text, const char *want)
{
	client_send(c, text);
	client_wants(c, want);
}

static inline void client_done(struct client *c)
{
	if (c->link)
		c->world->loop->class->link_free(&c->link);
	buf_done(&c->in);
	buf_done(&c->out);
}

/* ---- a command ---- */

struct command {
	struct world *world;
	struct channel *control, *store, *gate;
	bool have_status, ended;
	char status[1000]; /* its lines */
	int answer;        /* the last frame's type */
	int kind;          /* of a failure */
	char verifier[257];
};

static inline bool command_answer(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct command *c = arg;
	(void)request;
	c->answer = (int)f->type;
	if (f->type == FRAME_FAILED)
		c->kind = f->failed.kind;
	if (f->type == FRAME_VERIFIER)
		snprintf(c->verifier, sizeof(c->verifier), "%" STR_FMT,
			STR_ARG(f->verifier.verifier));
	return handle < 0;
}

static inline void command_peer_closed(void *arg, const char *reason)
{
	(void)arg;
	(void)reason;
}

static inline bool command_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct command *c = arg;
	struct channel_events events = {
		.frame = command_answer, .closed = command_peer_closed, .arg = c
	};
	(void)request;
	c->have_status |= f->type == FRAME_STATUS;
	if (f->type == FRAME_STATUS)
		snprintf(c->status, sizeof(c->status), "%" STR_FMT, STR_ARG(f->status.text));
	if (f->type != FRAME_HAND_OVER)
		return handle < 0;
	if (str_equal(f->hand_over.kind, STR("courier"))) {
		c->world->loop->class->handle_close(c->world->loop, handle);
		return true;
	}
	bool store = str_equal(f->hand_over.kind, STR("store"));
	*(store ? &c->store : &c->gate) = channel_new(
		c->world->loop, handle, CLASS_ADMIN, store ? CLASS_STORE : CLASS_GATE, &events);
	return true;
}

static inline void command_closed(void *arg, const char *reason)
{
	struct command *c = arg;
	(void)reason;
	channel_free(&c->control);
	c->ended = true;
}

static inline void command_open(struct command *c, struct world *w)
{
	struct channel_events events = {
		.frame = command_frame, .closed = command_closed, .arg = c
	};
	*c = (struct command){ .world = w };
	int handle = loop_sim_connect(w->loop, w->control_door, "", 0);
	assert_true(handle >= 0);
	c->control = channel_new(w->loop, handle, CLASS_ADMIN, CLASS_SUPERVISOR, &events);
	world_until(w, c->have_status || c->ended);
}

static inline int command_ask(struct command *c, struct channel *to, const struct frame *f)
{
	c->answer = 0;
	assert_true(channel_send(to, channel_next_request(to), f));
	world_until(c->world, c->answer != 0);
	return c->answer;
}

static inline void command_close(struct command *c)
{
	channel_free(&c->store);
	channel_free(&c->gate);
	channel_free(&c->control);
}

/* example with alice and bob, whose passwords are "secret". */
static inline void world_people(struct world *w)
{
	static const char *const people[] = { "alice@example", "bob@example" };
	struct command c;
	command_open(&c, w);
	struct frame f = { .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example") };
	assert_int_equal(command_ask(&c, c.store, &f), FRAME_DONE);
	f = (struct frame){ .type = FRAME_MAKE_VERIFIER, .make_verifier.password = STR("secret") };
	assert_int_equal(command_ask(&c, c.gate, &f), FRAME_VERIFIER);
	for (size_t i = 0; i < ARRAY_LEN(people); i++) {
		f = (struct frame){ .type = FRAME_ACCOUNT_ADD,
			.account_add = { .address = str_from(people[i]),
				.verifier = str_from(c.verifier) } };
		assert_int_equal(command_ask(&c, c.store, &f), FRAME_DONE);
	}
	command_close(&c);
}

#endif
