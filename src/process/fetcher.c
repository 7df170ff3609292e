// SPDX-License-Identifier: Apache-2.0
/*
 * The fetcher: reads another server for a command (culver import). The command starts it, gives it
 * a socket that the courier has connected, and asks; what comes from the stranger is interpreted
 * here, by a process that has nothing but that socket and a channel to who started it. IMAP is
 * src/imap_client's; this joins it to the network and to the questions.
 */
#include "api/frames.h"
#include "base/limits.h"
#include "imap_client/client.h"
#include "io/stream.h"
#include "io/tls.h"
#include "process/role.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIECE_BYTES = 32 * 1024, ENTRIES_A_FRAME = 1000, HELD_BYTES = 512 * 1024 };
enum security { SECURITY_NONE, SECURITY_STARTTLS, SECURITY_TLS };

struct fetcher {
	struct role base;
	char host[256], ca[4097];
	enum security security;
	struct tls_client *tls;
	struct err refused; /* why nothing can be fetched */
	struct imap_client *client;
	struct stream *stream;
	struct channel *channel; /* to who asks */
	struct timer *timer;
	size_t heard; /* bytes since the timer was set */
	/* the question at hand */
	int asked; /* enum frame_type; FRAME_NONE: there is none */
	uint32_t request;
	bool ready;         /* the client has logged in */
	size_t listed;      /* mailboxes that were told */
	struct vec entries; /* struct api_fetched_entry */
	struct buf held;    /* frames for which there was no room, encoded */
	struct arena arena; /* to decode one */
};

static struct fetcher *fetcher_of(struct role *role)
{
	return CONTAINER_OF(role, struct fetcher, base);
}

/* ---- saying ---- */

static void set_timer(struct fetcher *f)
{
	struct loop *loop = f->base.context->loop;
	bool waits = f->asked != FRAME_NONE && f->held.n == 0;
	f->heard = 0;
	loop->class->timer_set(f->timer,
		waits ? loop->clock->monotonic_ms(loop->clock) + LIMIT_FETCH_SILENCE_MS : 0);
}

/* Now, or in order when there is room. */
static void say(struct fetcher *f, const struct frame *frame)
{
	if (f->held.n == 0 && channel_send(f->channel, f->request, frame))
		return;
	if (!frame_encode(frame, f->request, &f->held))
		f->base.context->finish(f->base.context, 1);
}

/* The question has its answer. */
static void answer(struct fetcher *f, const struct frame *frame)
{
	say(f, frame);
	f->asked = FRAME_NONE;
	set_timer(f);
}

static void answer_done(struct fetcher *f)
{
	answer(f, &(struct frame){ .type = FRAME_DONE });
}

/* Behind a series, in its lane. */
static void answer_end(struct fetcher *f)
{
	answer(f, &(struct frame){ .type = FRAME_FETCHED_END });
}

static void answer_failed(struct fetcher *f, const struct err *err)
{
	if (f->asked != FRAME_NONE)
		answer(f, &(struct frame){ .type = FRAME_FAILED,
				  .failed = { .kind = (uint8_t)err->kind,
					  .text = str_from(err->public_text) } });
}

/* It is over; every question has this answer from now on. */
static void give_up(struct fetcher *f, enum err_kind kind, const char *why)
{
	if (f->refused.kind == ERR_NONE)
		fail(&f->refused, kind, "%s", why);
	answer_failed(f, &f->refused);
}

/* ---- answers ---- */

static bool tell_mailbox(struct fetcher *f)
{
	size_t i = f->listed;
	if (i == imap_client_mailboxes(f->client))
		return false;
	const struct imap_client_mailbox *m = imap_client_mailbox(f->client, i);
	f->listed++;
	say(f, &(struct frame){ .type = FRAME_FETCHED_MAILBOX,
		       .fetched_mailbox = { .number = (uint32_t)i,
			       .path = m->path,
			       .name = str_sub(m->name, 0, 200),
			       .selectable = m->selectable,
			       .unsubscribed = !m->subscribed,
			       .special_use = m->special_use } });
	return true;
}

static void tell_mailboxes(struct fetcher *f)
{
	while (f->asked == FRAME_FETCH_MAILBOXES && f->held.n == 0)
		if (!tell_mailbox(f))
			answer_end(f);
}

static void tell_entries(struct fetcher *f, bool last)
{
	struct frame frame = { .type = FRAME_FETCHED_ENTRIES,
		.fetched_entries = {
			.entries = { f->entries.n ? vec_at(&f->entries, 0) : NULL, f->entries.n },
			.last = last } };
	if (last)
		answer(f, &frame);
	else
		say(f, &frame);
	vec_clear(&f->entries);
}

static void on_ready(struct fetcher *f)
{
	struct imap_client_selected is = imap_client_selected(f->client);
	switch (f->asked) {
	case FRAME_FETCH_LOGIN:
		answer_done(f);
		break;
	case FRAME_FETCH_MAILBOXES:
		f->listed = 0;
		tell_mailboxes(f);
		break;
	case FRAME_FETCH_OPEN:
		answer(f, &(struct frame){ .type = FRAME_FETCH_OPENED,
				  .fetch_opened = { is.uidvalidity, is.uidnext, is.exists } });
		break;
	case FRAME_FETCH_ENTRIES:
		tell_entries(f, true);
		break;
	case FRAME_FETCH_MESSAGES:
		answer_end(f);
		break;
	default:
		f->ready = true; /* before it was asked */
		break;
	}
}

static void on_entry(struct fetcher *f)
{
	const struct imap_client_entry *e = imap_client_entry(f->client);
	struct api_fetched_entry entry = {
		.uid = e->uid, .size = e->size, .time = e->time_ms, .has_time = e->has_time
	};
	vec_push(&f->entries, &entry);
	if (f->entries.n == ENTRIES_A_FRAME)
		tell_entries(f, false);
}

static void on_bytes(struct fetcher *f)
{
	struct str bytes = imap_client_bytes(f->client);
	for (size_t at = 0; at < bytes.n; at += PIECE_BYTES)
		say(f, &(struct frame){ .type = FRAME_FETCHED_BYTES,
			       .fetched_bytes.data = str_sub(bytes, at, PIECE_BYTES) });
}

static void on_message(struct fetcher *f)
{
	const struct imap_client_entry *e = imap_client_entry(f->client);
	on_bytes(f);
	say(f, &(struct frame){ .type = FRAME_FETCHED_MESSAGE,
		       .fetched_message = { .uid = e->uid,
			       .flags = e->flags,
			       .keywords = str_sub(e->keywords, 0, 16000),
			       .time = e->time_ms,
			       .has_time = e->has_time,
			       .size = e->size,
			       .too_big = e->too_big } });
}

static void on_event(struct fetcher *f, enum imap_client_event event)
{
	switch (event) {
	case IMAP_CLIENT_MORE:
		break;
	case IMAP_CLIENT_START_TLS:
		stream_start_tls_to(f->stream, f->tls, f->host);
		break;
	case IMAP_CLIENT_READY:
		on_ready(f);
		break;
	case IMAP_CLIENT_REFUSED:
		answer_failed(f, imap_client_error(f->client));
		break;
	case IMAP_CLIENT_ENTRY:
		on_entry(f);
		break;
	case IMAP_CLIENT_BYTES:
		on_bytes(f);
		break;
	case IMAP_CLIENT_MESSAGE:
		on_message(f);
		break;
	case IMAP_CLIENT_FAILED:
		give_up(f, imap_client_error(f->client)->kind,
			imap_client_error(f->client)->public_text);
		break;
	}
}

/* ---- the network ---- */

static size_t on_input(void *arg, struct str bytes)
{
	struct fetcher *f = arg;
	size_t taken = 0;
	enum imap_client_event event = IMAP_CLIENT_MORE;
	while (taken < bytes.n && f->held.n == 0 && f->refused.kind == ERR_NONE &&
		event != IMAP_CLIENT_START_TLS) {
		size_t n = imap_client_input(f->client, str_sub(bytes, taken, PIECE_BYTES), &event);
		taken += n;
		f->heard += n;
		/* Before the event: STARTTLS is answered by what was sent. */
		stream_send(f->stream, imap_client_out(f->client));
		on_event(f, event);
	}
	stream_send(f->stream, imap_client_out(f->client));
	if (f->heard >= LIMIT_FETCH_BYTES)
		set_timer(f);
	return f->refused.kind == ERR_NONE ? taken : bytes.n;
}

static void on_tls(void *arg)
{
	struct fetcher *f = arg;
	imap_client_secured(f->client);
	stream_send(f->stream, imap_client_out(f->client));
}

static void on_eof(void *arg)
{
	give_up(arg, ERR_TEMP, "the server has closed the connection");
}

static void on_failed(void *arg, const char *reason)
{
	struct fetcher *f = arg;
	stream_free(&f->stream);
	give_up(f, ERR_TEMP, reason);
}

static void on_timer(void *arg)
{
	struct fetcher *f = arg;
	if (f->asked != FRAME_NONE)
		give_up(f, ERR_TEMP, "the server says nothing any more, or next to nothing");
}

/* The socket is there. */
static bool begin(struct fetcher *f, int handle)
{
	struct stream_events events = { .input = on_input,
		.tls_started = on_tls,
		.eof = on_eof,
		.failed = on_failed,
		.arg = f };
	if (f->stream || f->client == NULL)
		return false;
	if (f->refused.kind != ERR_NONE) { /* there is nothing to begin with */
		f->base.context->loop->class->handle_close(f->base.context->loop, handle);
		return true;
	}
	f->stream = stream_new(f->base.context->loop, handle, &events);
	if (f->security == SECURITY_TLS)
		stream_start_tls_to(f->stream, f->tls, f->host);
	return true;
}

/* ---- questions ---- */

static void ask(struct fetcher *f, const struct frame *frame)
{
	switch ((int)frame->type) {
	case FRAME_FETCH_LOGIN:
		if (f->ready)
			answer_done(f);
		break;
	case FRAME_FETCH_MAILBOXES:
		imap_client_list(f->client);
		break;
	case FRAME_FETCH_OPEN:
		imap_client_examine(f->client, frame->fetch_open.number);
		break;
	case FRAME_FETCH_ENTRIES:
		imap_client_entries(f->client);
		break;
	default:
		imap_client_fetch(
			f->client, frame->fetch_messages.uids.items, frame->fetch_messages.uids.n);
		break;
	}
	if (f->stream)
		stream_send(f->stream, imap_client_out(f->client));
}

static bool is_question(int type)
{
	return type == FRAME_FETCH_LOGIN || type == FRAME_FETCH_MAILBOXES ||
	       type == FRAME_FETCH_OPEN || type == FRAME_FETCH_ENTRIES ||
	       type == FRAME_FETCH_MESSAGES;
}

/* One at a time. */
static bool on_question(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct fetcher *f = arg;
	if (handle >= 0 || !is_question((int)frame->type) || f->asked != FRAME_NONE ||
		f->client == NULL)
		return false;
	f->asked = (int)frame->type;
	f->request = request;
	set_timer(f);
	if (f->refused.kind != ERR_NONE)
		answer_failed(f, &f->refused);
	else
		ask(f, frame);
	return true;
}

/* What was held goes first, in its order; then more is read. */
static void on_room(void *arg)
{
	struct fetcher *f = arg;
	struct frame frame;
	struct frame_header header;
	struct err err = ERR_INIT;
	while (f->held.n) {
		struct str all = buf_str(&f->held);
		arena_reset(&f->arena);
		if (frame_header_decode(str_sub(all, 0, FRAME_HEADER_BYTES), &header, &err) < 0 ||
			frame_decode(&header, str_sub(all, FRAME_HEADER_BYTES, header.length),
				&f->arena, &frame, &err) < 0) {
			f->base.context->finish(f->base.context, 1);
			return;
		}
		if (!channel_send(f->channel, header.request, &frame))
			return;
		buf_consume(&f->held, FRAME_HEADER_BYTES + header.length);
	}
	set_timer(f);
	tell_mailboxes(f);
	if (f->stream)
		stream_resume(f->stream);
}

static void on_closed(void *arg, const char *reason)
{
	struct fetcher *f = arg;
	(void)reason;
	f->base.context->finish(f->base.context, 0);
}

/* ---- the role ---- */

static bool configure(struct fetcher *f, const struct frame_fetch_config *c)
{
	struct imap_client_options o = { .user = c->user,
		.password = c->password,
		.starttls = c->security == SECURITY_STARTTLS,
		.most_bytes = c->most_bytes };
	if (f->client || c->security > SECURITY_TLS)
		return false;
	f->base.context->sink->level = LOG_ERROR; /* it is a person's terminal */
	snprintf(f->host, sizeof(f->host), "%" STR_FMT, STR_ARG(c->host));
	snprintf(f->ca, sizeof(f->ca), "%" STR_FMT, STR_ARG(c->ca));
	f->security = (enum security)c->security;
	f->client = imap_client_new(&o);
	return true;
}

static bool fetcher_frame(struct role *role, const struct frame *frame, int handle)
{
	struct fetcher *f = fetcher_of(role);
	struct channel_events events = {
		.frame = on_question, .room = on_room, .closed = on_closed, .arg = f
	};
	if (frame->type == FRAME_FETCH_CONFIG && handle < 0)
		return configure(f, &frame->fetch_config);
	if (frame->type != FRAME_HAND_OVER || handle < 0)
		return false;
	if (str_equal(frame->hand_over.kind, STR("server")))
		return begin(f, handle);
	if (f->channel)
		return false;
	f->channel = channel_new(
		role->context->loop, handle, CLASS_FETCHER, frame->hand_over.role, &events);
	return true;
}

/* While files can be opened still, with the rights of who has started it. What is wrong is the
 * answer to the first question. */
static int fetcher_prepare(struct role *role, struct err *err)
{
	struct fetcher *f = fetcher_of(role);
	(void)err;
	if (f->security != SECURITY_NONE)
		f->tls = tls_client_new(f->ca[0] ? f->ca : NULL, &f->refused);
	return 0;
}

static struct role *fetcher_new(struct role_context *context)
{
	struct fetcher *f = xmalloc(sizeof(*f));
	f->base = (struct role){ &fetcher_role, context };
	f->asked = FRAME_NONE;
	f->timer = context->loop->class->timer_new(context->loop, on_timer, f);
	vec_init(&f->entries, sizeof(struct api_fetched_entry), ENTRIES_A_FRAME);
	buf_init(&f->held, HELD_BYTES);
	arena_init(&f->arena, 1 << 20);
	return &f->base;
}

static void fetcher_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	(void)within_ms;
	(void)spread_ms;
	role->context->finish(role->context, 0);
}

static void fetcher_free(struct role **role)
{
	struct fetcher *f = fetcher_of(*role);
	stream_free(&f->stream);
	channel_free(&f->channel);
	tls_client_free(&f->tls);
	imap_client_free(&f->client);
	f->base.context->loop->class->timer_free(&f->timer);
	vec_done(&f->entries);
	buf_done(&f->held);
	arena_done(&f->arena);
	free(f);
	*role = NULL;
}

const struct role_class fetcher_role = {
	.new = fetcher_new,
	.frame = fetcher_frame,
	.prepare = fetcher_prepare,
	.drain = fetcher_drain,
	.free = fetcher_free,
};
