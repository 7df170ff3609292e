// SPDX-License-Identifier: Apache-2.0
/* Asking store and gate, on a running server or a stopped one. */
#include "cli/remote_private.h"

#include "base/limits.h"
#include "process/preflight.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FOR_EVER = 0, CONNECT_MS = 20000 };

void remote_wake(struct remote *r)
{
	r->loop->class->stop(r->loop);
}

/* ---- what comes in ---- */

/* One at a time: what nobody took is closed. */
static void keep_handle(struct remote *r, int handle)
{
	if (r->received >= 0)
		r->loop->class->handle_close(r->loop, r->received);
	r->received = handle;
}

static bool peer_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct remote *r = ((struct remote_channel *)arg)->remote;
	if (handle >= 0)
		keep_handle(r, handle);
	/* What was overtaken by its own failure is late. */
	if (r->answered || request != r->request ||
		((struct remote_channel *)arg)->channel != r->asked)
		return true;
	if (frame->type == FRAME_FAILED)
		r->result = fail(r->err, (enum err_kind)frame->failed.kind, "%" STR_FMT,
			STR_ARG(frame->failed.text));
	else if (r->each)
		r->each(r->arg, frame);
	r->answered = frame_ends_answer(frame);
	if (r->answered)
		remote_wake(r);
	return true;
}

static void peer_closed(void *arg, const char *reason)
{
	struct remote_channel *c = arg;
	struct remote *r = c->remote;
	size_t number = (size_t)(c - r->peers);
	bool asked = c->channel == r->asked;
	(void)reason;
	channel_free(&c->channel);
	/* Without these the rest goes on. */
	if (number != REMOTE_COURIER && number != REMOTE_FETCHER) {
		r->lost = true;
	} else if (asked && !r->answered) {
		r->asked = NULL;
		r->answered = true;
		r->result = fail(r->err, ERR_TEMP, "%s",
			number == REMOTE_COURIER
				? "the server's courier has ended; try again"
				: "the process that reads the other server has ended");
	}
	remote_wake(r);
}

static void peer_room(void *arg)
{
	struct remote_channel *c = arg;
	c->remote->room = true;
	remote_wake(c->remote);
}

void remote_add_peer(struct remote *r, enum remote_peer number, int class, int handle)
{
	struct remote_channel *c = &r->peers[number];
	struct channel_events events = {
		.frame = peer_frame, .room = peer_room, .closed = peer_closed, .arg = c
	};
	if (c->channel && c->channel == r->asked)
		r->lost = true; /* who was asked is gone */
	channel_free(&c->channel);
	c->remote = r;
	c->channel = channel_new(r->loop, handle, CLASS_ADMIN, class, &events);
}

/* The supervisor let no control character in. */
static void keep_certificates(struct remote *r, const struct api_certificate_list *list)
{
	buf_clear(&r->certificates);
	for (size_t i = 0; i < list->n; i++) {
		const struct api_certificate *c = &list->items[i];
		buf_addf(&r->certificates, "%" STR_FMT "\t%lld\t%" STR_FMT "\t%" STR_FMT "\n",
			STR_ARG(c->name), (long long)c->expires_s, STR_ARG(c->hosts),
			STR_ARG(c->problem));
	}
}

static void keep_upgrades(struct remote_upgrades *u, const struct frame_status *f)
{
	u->done = f->upgrades;
	u->refused = f->upgrades_refused;
	u->under_way = f->upgrading;
	snprintf(u->refused_why, sizeof(u->refused_why), "%" STR_FMT, STR_ARG(f->refused_why));
}

static void keep_reloads(struct remote_reloads *r, const struct frame_status *f)
{
	r->done = f->reloads;
	r->under_way = f->reloading;
	snprintf(r->refused_why, sizeof(r->refused_why), "%" STR_FMT,
		STR_ARG(f->reload_refused_why));
	snprintf(r->for_start, sizeof(r->for_start), "%" STR_FMT, STR_ARG(f->for_start));
}

static const struct {
	const char *kind;
	enum remote_peer peer;
	int class;
} kinds[] = {
	{ "store", REMOTE_STORE, CLASS_STORE },
	{ "gate", REMOTE_GATE, CLASS_GATE },
	{ "courier", REMOTE_COURIER, CLASS_COURIER },
};

static bool control_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct remote *r = arg;
	(void)request;
	if (frame->type == FRAME_STATUS) {
		buf_clear(&r->status);
		buf_adds(&r->status, frame->status.text);
		keep_certificates(r, &frame->status.certificates);
		keep_upgrades(&r->upgrades, &frame->status);
		keep_reloads(&r->reloads, &frame->status);
		r->have_status = true;
		remote_wake(r);
		return true;
	}
	if (frame->type != FRAME_HAND_OVER || handle < 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_equal(frame->hand_over.kind, str_from(kinds[i].kind))) {
			remote_add_peer(r, kinds[i].peer, kinds[i].class, handle);
			return true;
		}
	r->loop->class->handle_close(r->loop, handle);
	return true;
}

static void control_closed(void *arg, const char *reason)
{
	struct remote *r = arg;
	(void)reason;
	channel_free(&r->control);
	r->lost = r->ended = true;
	remote_wake(r);
}

static void on_timeout(void *arg)
{
	struct remote *r = arg;
	r->timed_out = true;
	remote_wake(r);
}

void remote_run_until(struct remote *r, const bool *done, int64_t within_ms)
{
	int64_t now = r->loop->clock->monotonic_ms(r->loop->clock);
	r->timed_out = false;
	r->loop->class->timer_set(r->timeout, within_ms == FOR_EVER ? 0 : now + within_ms);
	while (!*done && !r->lost && !r->timed_out)
		r->loop->class->run(r->loop);
	r->loop->class->timer_set(r->timeout, 0);
}

/* ---- a stopped server ---- */

/* What is wrong, once: a role that can't start is started some times, and says the same each time.
 */
static void show_error(void *arg, struct str line)
{
	struct buf *last = arg;
	struct str said = str_from_offset(line, str_search(line, STR("level=error")));
	if (said.n == 0 || str_equal(said, buf_str(last)))
		return;
	buf_clear(last);
	buf_adds(last, said);
	fprintf(stderr, "%" STR_FMT, STR_ARG(line));
}

/* In a child of ours: a supervisor without listeners, until the command closes its channel. */
static int serve_offline(const char *config_path, struct config *config, int handle)
{
	struct err err = ERR_INIT;
	struct log_sink_fd sink;
	struct buf last;
	char jail[4200];
	const char *note;
	struct identity who = os_identity(config, &note);
	struct loop *loop = loop_uv_new();
	log_sink_fd_init(&sink, STDERR_FILENO);
	buf_init(&last, 8192);
	sink.sink.level = LOG_ERROR;
	snprintf(jail, sizeof(jail), "%s/empty", config->directory);
	struct supervisor_options o = { .config_path = config_path,
		.config = config,
		.clock = loop->clock,
		.random = random_os(),
		.spawn = spawn_os_new(loop, who, jail, NULL),
		.control_listener = -1,
		.lock = -1,
		.admin_handle = handle,
		.log_write = show_error,
		.log_arg = &last };
	struct spawn_seam *spawn = o.spawn;
	log_init(&o.log, &sink.sink, "role=supervisor");
	struct supervisor *s = supervisor_new(loop, &o, &err);
	if (s == NULL) {
		fprintf(stderr, "culver: %s\n", err_log_text(&err));
		return 1;
	}
	loop->class->run(loop);
	int status = supervisor_status(s);
	supervisor_free(&s);
	spawn_os_free(&spawn);
	loop_uv_free(&loop);
	buf_done(&last);
	return status;
}

static int start_offline(struct remote *r, const char *config_path, struct err *err)
{
	int pair[2];
	/* The store would only say what it may not open, and not whose it is and what to do. */
	int lock = preflight_data(r->config, err) < 0 ? -1 : os_lock(r->config, err);
	if (lock < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		close(lock);
		return fail_errno(err, "socketpair");
	}
	fflush(NULL);
	r->offline = fork();
	if (r->offline == 0) {
		struct config *config = config_load(config_path, err);
		close(pair[0]);
		_exit(config ? serve_offline(config_path, config, pair[1]) : 1);
	}
	close(lock); /* the child holds it */
	close(pair[1]);
	if (r->offline < 0) {
		close(pair[0]);
		return fail_errno(err, "fork");
	}
	return pair[0];
}

/* Somebody who is just starting or stopping has the lock but no control socket: worth a moment. */
static int connect_somehow(
	struct remote *r, const char *config_path, bool only_running, struct err *err)
{
	for (int tries = 0;; tries++) {
		int handle = os_control_connect(r->config, err);
		if (handle >= 0 || err->kind != ERR_NOT_FOUND || only_running)
			return handle;
		handle = start_offline(r, config_path, err);
		if (handle >= 0 || err->kind != ERR_IN_USE || tries == 50)
			return handle;
		usleep(100000);
	}
}

/* ---- opening, asking, closing ---- */

struct remote *remote_new(void)
{
	struct remote *r = xmalloc(sizeof(*r));
	r->received = -1;
	buf_init(&r->status, LIMIT_FRAME_BYTES);
	buf_init(&r->certificates, LIMIT_FRAME_BYTES);
	return r;
}

int remote_join(struct remote *r, struct loop *loop, int handle, struct err *err)
{
	struct channel_events events = {
		.frame = control_frame, .closed = control_closed, .arg = r
	};
	r->loop = loop;
	r->timeout = r->loop->class->timer_new(r->loop, on_timeout, r);
	r->control = channel_new(r->loop, handle, CLASS_ADMIN, CLASS_SUPERVISOR, &events);
	remote_run_until(r, &r->have_status, CONNECT_MS);
	if (r->have_status)
		return 0;
	if (r->offline > 0)
		return fail(err, ERR_TEMP, "what it takes could not be started; see above");
	return fail(err, ERR_TEMP, "the server does not answer on its control socket%s",
		r->lost ? " (not allowed?)" : "");
}

void remote_leave(struct remote *r)
{
	if (r->loop == NULL)
		return;
	keep_handle(r, -1);
	remote_fetch_end(r);
	for (size_t i = 0; i < REMOTE_PEERS; i++)
		channel_free(&r->peers[i].channel);
	channel_free(&r->control);
	r->loop->class->timer_free(&r->timeout);
}

static int open_control(
	struct remote *r, const char *config_path, bool only_running, struct err *err)
{
	int handle = connect_somehow(r, config_path, only_running, err);
	if (handle < 0)
		return -1;
	r->process = os_control_process(handle);
	return remote_join(r, loop_uv_new(), handle, err);
}

struct remote *remote_open(const char *config_path, bool only_running, struct err *err)
{
	struct remote *r = remote_new();
	struct err why = ERR_INIT;
	r->config = config_load(config_path, &why);
	/* A server that runs has read a better one: it is found all the same. */
	if (r->config == NULL && only_running)
		r->config = config_load_directory(config_path);
	if (r->config == NULL)
		*err = why;
	if (r->config && open_control(r, config_path, only_running, err) == 0)
		return r;
	remote_close(&r);
	return NULL;
}

int remote_must_be_stopped(const struct config *config, struct err *err)
{
	struct err nobody = ERR_INIT;
	int handle = os_control_connect(config, &nobody);
	if (handle < 0)
		return 0;
	close(handle);
	return fail(err, ERR_IN_USE, "the server runs; stop it first");
}

/* A role of a stopped server could not start: its supervisor tries again, gives up, and on the way
 * prints what the role had to say. Worth waiting for. */
static int fail_lost(struct remote *r, struct err *err)
{
	for (int tries = 0; r->lost && r->offline > 0 && !r->ended && tries < 50; tries++) {
		r->lost = false;
		remote_run_until(r, &r->ended, 200);
		r->lost = true;
	}
	return fail(err, ERR_TEMP,
		r->offline > 0
			? "what it takes could not be started or has ended; see above"
			: "the server has ended or was upgraded, or its store or gate has ended; "
			  "try again, or see its log");
}

static const char *const peer_names[REMOTE_PEERS] = { "store", "gate", "courier", "fetcher" };

int remote_begin(struct remote *r, enum remote_peer peer,
	void (*each)(void *arg, const struct frame *), void *arg, struct err *err)
{
	r->asked = r->peers[peer].channel;
	if (r->asked == NULL && r->lost && r->offline > 0)
		return fail_lost(r, err);
	if (r->asked == NULL)
		return fail(err, ERR_TEMP, "the server's %s is away, try again", peer_names[peer]);
	r->request = channel_next_request(r->asked);
	r->each = each;
	r->arg = arg;
	r->err = err;
	r->answered = false;
	r->result = 0;
	return 0;
}

static bool is_bulk_wait(const struct remote *r)
{
	return !r->lost && !r->answered && r->room;
}

/* A frame that no channel can carry would cost the channel. */
static bool fits(const struct frame *frame)
{
	AUTO(buf_done)
	struct buf encoded;
	buf_init(&encoded, FRAME_HEADER_BYTES + LIMIT_FRAME_BYTES);
	return frame_encode(frame, 1, &encoded);
}

int remote_tell(struct remote *r, const struct frame *frame, struct err *err)
{
	r->err = err;
	if (!frame_is_bulk((uint16_t)frame->type) && !fits(frame))
		return fail(err, ERR_SYNTAX,
			"an argument is too long (addresses have at most %d bytes, domains %d)",
			LIMIT_ADDRESS_BYTES, LIMIT_OWN_DOMAIN_BYTES);
	do {
		if (r->lost)
			return fail_lost(r, err);
		if (r->answered)
			return r->result; /* it was refused while it was sent */
		r->room = false;
		if (channel_send(r->asked, r->request, frame))
			return 0;
		remote_run_until(r, &r->room, FOR_EVER);
	} while (is_bulk_wait(r));
	return r->answered ? r->result : fail_lost(r, err);
}

static int wait_within(struct remote *r, int within_ms, struct err *err)
{
	r->err = err;
	remote_run_until(r, &r->answered, within_ms);
	if (r->answered)
		return r->result;
	if (r->timed_out)
		return fail(err, ERR_TEMP, "the server's %s does not answer",
			r->asked == r->peers[REMOTE_STORE].channel ? "store" : "gate");
	return fail_lost(r, err);
}

int remote_wait(struct remote *r, struct err *err)
{
	return wait_within(r, FOR_EVER, err);
}

int remote_ask_within(struct remote *r, int within_ms, enum remote_peer peer,
	const struct frame *question, void (*each)(void *arg, const struct frame *), void *arg,
	struct err *err)
{
	if (remote_begin(r, peer, each, arg, err) < 0 || remote_tell(r, question, err) < 0)
		return -1;
	return wait_within(r, within_ms, err);
}

int remote_ask(struct remote *r, enum remote_peer peer, const struct frame *question,
	void (*each)(void *arg, const struct frame *), void *arg, struct err *err)
{
	return remote_ask_within(r, FOR_EVER, peer, question, each, arg, err);
}

static void keep_verifier(void *arg, const struct frame *frame)
{
	struct remote_verifier *v = arg;
	if (frame->type != FRAME_VERIFIER)
		return;
	const struct frame_verifier *f = &frame->verifier;
	snprintf(v->text, sizeof(v->text), "%" STR_FMT, STR_ARG(f->verifier));
	for (v->n = 0; v->n < f->secrets.n && v->n < ARRAY_LEN(v->secrets); v->n++) {
		struct str value = str_sub(f->secrets.items[v->n].value, 0, LIMIT_SECRET_BYTES);
		if (value.n)
			memcpy(v->values[v->n], value.p, value.n);
		v->secrets[v->n] = (struct api_secret){ .kind = f->secrets.items[v->n].kind,
			.value = str_make(v->values[v->n], value.n) };
	}
}

int remote_make_verifier(struct remote *r, struct str password, struct str address,
	bool legacy_auth, struct remote_verifier *ret, struct err *err)
{
	struct frame f = { .type = FRAME_MAKE_VERIFIER,
		.make_verifier = { password, address, legacy_auth } };
	*ret = (struct remote_verifier){ .n = 0 };
	return remote_ask(r, REMOTE_GATE, &f, keep_verifier, ret, err);
}

struct str remote_status(const struct remote *r)
{
	return buf_str(&r->status);
}

struct str remote_certificates(const struct remote *r)
{
	return buf_str(&r->certificates);
}

const struct remote_reloads *remote_reloads(const struct remote *r)
{
	return &r->reloads;
}

const struct remote_upgrades *remote_upgrades(const struct remote *r)
{
	return &r->upgrades;
}

int remote_process(const struct remote *r)
{
	return r->process;
}

void remote_close(struct remote **remote)
{
	struct remote *r = *remote;
	if (r == NULL)
		return;
	remote_leave(r);
	if (r->spawn)
		spawn_os_free(&r->spawn);
	if (r->loop)
		loop_uv_free(&r->loop);
	if (r->offline > 0)
		while (waitpid(r->offline, NULL, 0) < 0 && errno == EINTR)
			;
	buf_done(&r->status);
	buf_done(&r->certificates);
	config_free(&r->config);
	free(r);
	*remote = NULL;
}
