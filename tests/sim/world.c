// SPDX-License-Identifier: Apache-2.0
/*
 * The supervisor and its processes on one loop, with one disk. A process is a struct here. It ends
 * by being dead from some call on, which and all further ones of it fail; when its stack has
 * unwound it is freed and its parent is told.
 */
#include "sim.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

struct world world;

enum { FIRST_PID = 1000 };

/* ---- time, chance, words ---- */

int64_t sim_loop_ms(void)
{
	return world.loop->clock->monotonic_ms(world.loop->clock);
}

int64_t sim_ms(void)
{
	return world.loop ? sim_loop_ms() - 1000000 : 0;
}

int64_t awake_ms(void)
{
	return sim_ms() - world.slept_ms;
}

uint64_t dice(uint64_t n)
{
	uint64_t r;
	world.dice.seam.fill(&world.dice.seam, &r, sizeof(r));
	return r % n;
}

static void hash_text(const char *text)
{
	for (; *text; text++)
		world.report->hash = (world.report->hash ^ (uint8_t)*text) * 0x100000001b3U;
}

static void trace_line(const char *line)
{
	hash_text(line);
	if (world.o.trace)
		fprintf(stdout, "%s\n", line);
}

void trace(const char *who, const char *format, ...)
{
	char line[700];
	int64_t ms = sim_ms();
	int n = snprintf(line, sizeof(line), "%6lld.%03lld %-12s ", (long long)(ms / 1000),
		(long long)(ms % 1000), who);
	va_list values;
	va_start(values, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n, format, values);
	va_end(values);
	trace_line(line);
}

bool world_is_damaged(void)
{
	return world.disk->damaged > world.healed;
}

/* With the ledger damaged, what contradicts the model is an outcome. */
static bool is_excused(void)
{
	return world.o.faults & 1U << FAULT_LEDGER && world.disk->damaged && !world.strict;
}

void sim_fail(const char *format, ...)
{
	char text[sizeof(world.report->failure)];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	text[strcspn(text, "\r\n")] = 0; /* what a server said may be in it */
	if (is_excused()) {
		trace("ledger", "%s", text);
		run_end(world.damage_said ? OUTCOME_FOUND : OUTCOME_UNSEEN);
	}
	snprintf(world.report->failure, sizeof(world.report->failure), "%s", text);
	world.report->why = format;
	trace("FAILED", "%s", world.report->failure);
	run_sums();
	fflush(stdout);
	_exit(1);
}

static void log_write(struct log_sink *sink, struct str line)
{
	line = str_chomp(line);
	if (str_search(line, STR("event=store-read-only")) < line.n && sink != NULL)
		CONTAINER_OF(sink, struct process, sink)->read_only = true;
	if (str_search(line, STR("copied=1")) < line.n)
		world.damage_copied |= world_is_damaged();
	if (str_search(line, STR("malformed")) < line.n ||
		str_search(line, STR("corrupt")) < line.n ||
		str_search(line, STR("event=store-damage")) < line.n)
		world.damage_said = true;
	trace("log", "%" STR_FMT, STR_ARG(line));
}

/* ---- a process ---- */

bool world_call(struct process *p)
{
	if (!world.powered)
		return false;
	if (p == NULL)
		return true;
	if (p->dead || files_sim_crashed(world.disk))
		return false;
	if (p->crash_in == 0 || --p->crash_in > 0)
		return true;
	fault_struck(FAULT_CRASH);
	world_kill_process(p, SIGKILL);
	fault_after_crash();
	return false;
}

/* What it had open. */
static void process_close(struct process *p)
{
	world.current = p; /* what its end tries to do fails */
	role_host_free(&p->host);
	world.current = NULL;
	if (p->files)
		role_files_close(p->files);
	p->files = NULL;
	world.loop->class->link_free(&p->log);
}

static void process_free(struct process *p)
{
	process_close(p);
	world.loop->class->timer_free(&p->end);
}

static void process_end(void *arg)
{
	struct process *p = arg;
	int pid = p->pid;
	if (world.supervisor_process->ending) { /* of whom wait(2) tells the next image */
		process_close(p); /* a link that nobody reads would keep the clock where it is */
		int64_t now = world.loop->clock->monotonic_ms(world.loop->clock);
		world.loop->class->timer_set(p->end, now + 1);
		return;
	}
	trace("world", "%s %d has ended (%s %d)", p->row->name, pid,
		p->status & 0x7f ? "signal" : "status",
		p->status & 0x7f ? p->status : p->status >> 8);
	process_free(p);
	p->pid = 0;
	if (world.spawn.ended && world.supervisor && !p->of_command)
		world.spawn.ended(world.spawn.arg, pid, p->status);
}

void world_kill_process(struct process *p, int status)
{
	if (p->dead || !p->pid)
		return;
	p->dead = p->ending = true;
	p->status = status;
	trace("world", "%s %d ends", p->row->name, p->pid);
	world.loop->class->timer_set(p->end, world.loop->clock->monotonic_ms(world.loop->clock));
}

/* Of its own accord: it hears no more, but closes what it has open. */
static void on_finish(struct role_context *c, int status)
{
	struct process *p = c->owner;
	if (p->ending)
		return;
	p->ending = true;
	p->status = status << 8;
	trace("world", "%s %d finishes", p->row->name, p->pid);
	world.loop->class->timer_set(p->end, world.loop->clock->monotonic_ms(world.loop->clock));
}

static struct files_seam *open_files(struct role_context *c, const char *directory, struct err *err)
{
	struct process *p = c->owner;
	(void)directory;
	(void)err;
	bool store = p->row->class == &store_role;
	p->files = role_files_new(p, store ? world.disk : world.key_disk);
	return p->files;
}

static void close_files(struct role_context *c, struct files_seam **files)
{
	(void)c; /* process_free closes */
	*files = NULL;
}

/* A front's channel to keys is a real descriptor, which this network has not; nobody here speaks
 * TLS. */
static struct role_class front_class;

static bool front_frame(struct role *r, const struct frame *f, int handle)
{
	if (f->type == FRAME_HAND_OVER && str_equal(f->hand_over.kind, STR("keys"))) {
		r->context->loop->class->handle_close(r->context->loop, handle);
		return true;
	}
	return front_role.frame(r, f, handle);
}

static struct role *front_new(struct role_context *c)
{
	struct role *r = front_role.new(c);
	r->class = &front_class;
	return r;
}

static void process_init(struct process *p, const struct role_row *row, uint32_t instance)
{
	front_class = front_role;
	front_class.new = front_new;
	front_class.frame = front_frame;
	p->row = row;
	p->as_run = *row;
	if (row->class == &front_role)
		p->as_run.class = &front_class;
	p->sink = world.sink;
	p->loop = role_loop_new(p);
	p->context = (struct role_context){ .loop = p->loop,
		.seams = { .clock = world.loop->clock,
			.random = &world.random.seam,
			.executor = p->loop->class->executor(p->loop) },
		.sink = &p->sink,
		.row = &p->as_run,
		.instance = instance,
		.open_files = open_files,
		.close_files = close_files,
		.open_dialer = names_open,
		.finish = on_finish,
		.owner = p };
	log_init(&p->context.log, &p->sink, "role=%s", row->name);
}

static void nothing(void *arg, int events)
{
	(void)arg;
	(void)events;
}

static struct process *process_start(
	const struct role_row *row, uint32_t instance, int control, int log)
{
	struct link_events events = { .ready = nothing };
	if (world.processes_n == PROCESSES)
		sim_fail("%d processes were started", PROCESSES);
	struct process *p = &world.processes[world.processes_n++];
	p->pid = FIRST_PID + (int)world.processes_n;
	process_init(p, row, instance);
	p->end = world.loop->class->timer_new(world.loop, process_end, p);
	if (log >= 0)
		p->log = world.loop->class->link_new(world.loop, log, &events);
	struct process *before = world.current;
	world.current = p;
	p->host = role_host_new(&p->context, control);
	world.current = before;
	trace("world", "%s %d starts", row->name, p->pid);
	return p;
}

static int spawn_start(struct spawn_seam *seam, const struct role_row *row, uint32_t instance,
	int control, int log)
{
	(void)seam;
	return process_start(row, instance, control, log)->pid;
}

struct process *world_spawn(const struct role_row *row, uint32_t instance, int control, int log)
{
	struct process *p = process_start(row, instance, control, log);
	p->of_command = true;
	return p;
}

static void spawn_kill(struct spawn_seam *seam, int pid, int number)
{
	(void)seam;
	for (size_t i = 0; i < world.processes_n && !world.becoming; i++)
		if (world.processes[i].pid == pid)
			world_kill_process(&world.processes[i], number);
}

struct process *world_role(const char *name)
{
	for (size_t i = world.processes_n; i-- > 0;) {
		struct process *p = &world.processes[i];
		if (p->pid && !p->ending && strcmp(p->row->name, name) == 0)
			return p;
	}
	return NULL;
}

/* ---- power ---- */

static int copy_listener(void *arg, const struct supervisor_listener *l)
{
	(void)arg;
	int door = loop_sim_listen(world.loop);
	world.doors[l->service - service_rows] = door;
	return door;
}

static bool may_command(void *arg, int handle)
{
	(void)arg;
	return handle >= 0;
}

static void on_news(void *arg, enum supervisor_news news)
{
	(void)arg;
	world.upgrades += news == NEWS_UPGRADED;
	world.ready |= news == NEWS_READY || news == NEWS_UPGRADED;
}

static void child_line(void *arg, struct str line)
{
	(void)arg;
	log_write(NULL, line);
}

void world_boot(void)
{
	world.powered = true;
	world.ready = false;
	world.boots++;
	trace("world", "power is on");
	world.control_door = loop_sim_listen(world.loop);
	for (size_t i = 0; i < service_rows_n; i++)
		world.listeners[i] = (struct supervisor_listener){ .service = &service_rows[i],
			.handle = loop_sim_listen(world.loop) };
	world_start_supervisor(NULL);
}

void world_start_supervisor(const struct takeover *takeover)
{
	struct err err = ERR_INIT;
	world.supervisor_process = xmalloc(sizeof(struct process));
	world.supervisor_process->pid = 1;
	struct supervisor_options o = { .config_path = "culver.conf",
		.config = config_load("culver.conf", &err),
		.clock = world.loop->clock,
		.random = &world.random.seam,
		.spawn = &world.spawn,
		.listeners = world.listeners,
		.listeners_n = service_rows_n,
		.copy_listener = copy_listener,
		.control_listener = world.control_door,
		.admin_handle = -1,
		.may_command = may_command,
		.news = on_news,
		.takeover = takeover,
		.lock = world.control_door,
		.log_write = child_line };
	log_init(&o.log, &world.sink, "role=supervisor");
	world.supervisor = supervisor_new(role_loop_new(world.supervisor_process), &o, &err);
	if (world.supervisor == NULL)
		sim_fail("the supervisor does not start: %s", err_log_text(&err));
}

bool world_is_quiet(void)
{
	return (world.o.faults & ~(1U << FAULT_SHORT)) == 0;
}

bool world_all_up(void)
{
	if (!world.powered || !world.ready)
		return false;
	VEC_EACH (struct child *, c, &world.supervisor->children)
		if ((*c)->state != CHILD_UP && !(*c)->spare)
			return false;
	return true;
}

bool world_read_only(void)
{
	for (size_t i = 0; i < world.processes_n; i++)
		if (world.processes[i].pid && world.processes[i].read_only)
			return true;
	return false;
}

static void end_all(void)
{
	image_power_cut();
	world.powered = false;
	for (size_t i = 0; i < world.processes_n; i++) {
		struct process *p = &world.processes[i];
		if (p->pid == 0)
			continue;
		p->dead = true;
		process_free(p);
		p->pid = 0;
	}
	supervisor_free(&world.supervisor);
	world.gave_up = false;
}

void world_power_cut(void)
{
	trace("world", "power is cut");
	end_all();
	files_sim_reboot(world.disk);
}

/* Whoever watches over the server starts it again, as after a power cut, in time. */
static void on_gave_up(void)
{
	trace("world", "the supervisor has given up");
	if (world.o.faults & 1U << FAULT_LEDGER && world.disk->damaged)
		run_end(OUTCOME_REFUSED);
	end_all();
}

/* The disk lost its power within a call. */
void world_after_turn(void)
{
	if (world.powered && files_sim_crashed(world.disk)) {
		fault_struck(FAULT_POWER);
		world_power_cut();
	}
	if (world.powered && world.gave_up)
		on_gave_up();
}

void world_run_for(int64_t ms)
{
	loop_sim_run_for(world.loop, ms);
	world_after_turn();
}

void world_begin(const struct sim_options *o, struct sim_report *report)
{
	world.o = *o;
	world.report = report;
	report->hash = 0xcbf29ce484222325U;
	world.loop = loop_sim_new(o->seed);
	random_fake_init(&world.random, o->seed ^ 0x1111);
	random_fake_init(&world.dice, o->seed ^ 0x2222);
	world.disk = files_sim_new(o->seed ^ 0x3333);
	world.key_disk = files_sim_new(o->seed ^ 0x4444);
	world.spawn = (struct spawn_seam){ .start = spawn_start, .kill = spawn_kill };
	world.sink = (struct log_sink){ .write = log_write, .level = LOG_DEBUG };
	(void)loop_sim_listen(world.loop); /* 0, which is nobody's in a takeover */
	image_init();
}
