// SPDX-License-Identifier: Apache-2.0
/* The fetcher on a made-up network: a server that is played here, and a command that asks. */
#include "process/roles.h"

#include "base/limits.h"
#include "base/log.h"
#include "base/test.h"
#include "io/loop_sim.h"

#include <stdlib.h>

struct scene {
	struct role_context context;
	struct log_sink sink;
	struct loop *loop;
	struct role *role;
	struct channel *channel; /* the command's end */
	struct link *server;     /* the server's end */
	struct buf sent;         /* by the client */
	struct buf body;         /* fetched_bytes of the answer */
	struct buf told;         /* types of frames and what is in them */
	int ends;                /* answers that are over */
	int finished;
	bool closed, stuck;
};

static void on_finish(struct role_context *context, int status)
{
	struct scene *s = context->owner;
	s->finished += 1 + status;
}

static void tell(struct scene *s, const struct frame *f)
{
	switch ((int)f->type) {
	case FRAME_FETCHED_BYTES:
		buf_adds(&s->body, f->fetched_bytes.data);
		break;
	case FRAME_FETCHED_MAILBOX:
		buf_addf(&s->told, "%" STR_FMT "\n", STR_ARG(f->fetched_mailbox.path));
		break;
	case FRAME_FETCHED_ENTRIES:
		buf_addf(&s->told, "%zu entries\n", f->fetched_entries.entries.n);
		break;
	case FRAME_FETCHED_MESSAGE:
		buf_addf(&s->told, "UID %u, %zu bytes so far\n", f->fetched_message.uid, s->body.n);
		break;
	case FRAME_FETCH_OPENED:
		buf_addf(&s->told, "opened %u\n", f->fetch_opened.uidvalidity);
		break;
	case FRAME_FAILED:
		buf_addf(&s->told, "failed: %" STR_FMT "\n", STR_ARG(f->failed.text));
		break;
	default:
		buf_addf(&s->told, "%s\n", frame_name((uint16_t)f->type));
		break;
	}
	s->ends += frame_ends_answer(f);
}

static bool on_frame(void *arg, uint32_t request, const struct frame *f, int handle)
{
	(void)request;
	tell(arg, f);
	return handle < 0;
}

static void on_closed(void *arg, const char *reason)
{
	struct scene *s = arg;
	(void)reason;
	s->closed = true;
	channel_free(&s->channel);
}

static void on_server(void *arg, int events)
{
	struct scene *s = arg;
	char room[4096];
	ssize_t n;
	(void)events;
	while ((n = s->loop->class->link_read(s->server, room, sizeof(room), NULL)) > 0)
		buf_add(&s->sent, room, (size_t)n);
	if (n == 0)
		s->loop->class->link_want(s->server, 0);
}

static void hand_over(struct scene *s, const char *kind, int handle)
{
	struct frame f = { .type = FRAME_HAND_OVER,
		.hand_over = { .kind = str_from(kind), .role = CLASS_ADMIN } };
	assert_true(s->role->class->frame(s->role, &f, handle));
}

static void begin(struct scene *s, uint8_t security)
{
	int pair[2], net[2];
	struct err err = ERR_INIT;
	struct channel_events events = { .frame = on_frame, .closed = on_closed, .arg = s };
	*s = (struct scene){ .loop = loop_sim_new(1) };
	s->context = (struct role_context){ .loop = s->loop,
		.sink = &s->sink,
		.row = &fetcher_row,
		.finish = on_finish,
		.owner = s };
	buf_init(&s->sent, 1 << 20);
	buf_init(&s->body, 64 << 20);
	buf_init(&s->told, 1 << 20);
	s->role = fetcher_role.new(&s->context);
	struct frame config = { .type = FRAME_FETCH_CONFIG,
		.fetch_config = { .host = STR("h"),
			.security = security,
			.user = STR("u"),
			.password = STR("p"),
			.most_bytes = 64 << 20,
			.ca = STR("/nowhere") } };
	assert_true(fetcher_role.frame(s->role, &config, -1));
	assert_int_equal(fetcher_role.prepare(s->role, &err), 0);
	assert_int_equal(s->loop->class->pair(s->loop, pair), 0);
	s->channel = channel_new(s->loop, pair[0], CLASS_ADMIN, CLASS_FETCHER, &events);
	hand_over(s, "admin", pair[1]);
	assert_int_equal(s->loop->class->pair(s->loop, net), 0);
	s->server = s->loop->class->link_new(
		s->loop, net[0], &(struct link_events){ .ready = on_server, .arg = s });
	s->loop->class->link_want(s->server, LINK_READ);
	hand_over(s, "server", net[1]);
}

static void end(struct scene *s)
{
	fetcher_role.free(&s->role);
	channel_free(&s->channel);
	s->loop->class->link_free(&s->server);
	loop_sim_free(&s->loop);
	buf_done(&s->sent);
	buf_done(&s->body);
	buf_done(&s->told);
}

static void ask(struct scene *s, int type)
{
	struct frame f = { .type = type };
	uint32_t uid = 5;
	if (type == FRAME_FETCH_MESSAGES)
		f.fetch_messages.uids = (struct api_u32_list){ &uid, 1 };
	assert_true(channel_send(s->channel, channel_next_request(s->channel), &f));
	loop_sim_run_for(s->loop, 1000);
}

static void say(struct scene *s, struct str bytes)
{
	while (bytes.n) {
		ssize_t n = s->loop->class->link_write(s->server, bytes.p, bytes.n, -1);
		bytes = str_from_offset(bytes, n > 0 ? (size_t)n : 0);
		loop_sim_run_for(s->loop, 100);
	}
	loop_sim_run_for(s->loop, 1000);
}

static void expect(struct scene *s, const char *told)
{
	assert_str(buf_str(&s->told), str_from(told));
	buf_clear(&s->told);
}

static void log_in(struct scene *s)
{
	begin(s, 0);
	ask(s, FRAME_FETCH_LOGIN);
	say(s, STR("* OK hi\r\n"));
	say(s, STR("* CAPABILITY IMAP4rev1\r\nc1 OK\r\n"));
	say(s, STR("c2 OK\r\n"));
	say(s, STR("* CAPABILITY IMAP4rev1\r\nc3 OK\r\n"));
	expect(s, "done\n");
}

static void fetches(void **state)
{
	struct scene s;
	(void)state;
	log_in(&s);
	ask(&s, FRAME_FETCH_MAILBOXES);
	say(&s, STR("* LIST () \"/\" INBOX\r\n* LIST () \"/\" a/b\r\nc4 OK\r\n"));
	say(&s, STR("c5 OK\r\n"));
	expect(&s, "INBOX\na/b\nfetched_end\n");
	ask(&s, FRAME_FETCH_OPEN);
	say(&s, STR("* OK [UIDVALIDITY 7]\r\nc6 OK\r\n"));
	expect(&s, "opened 7\n");
	ask(&s, FRAME_FETCH_OPEN);
	say(&s, STR("c7 NO not now\r\n"));
	expect(&s, "failed: the server says: not now\n");
	ask(&s, FRAME_FETCH_ENTRIES);
	struct buf many;
	buf_init(&many, 1 << 20);
	for (unsigned i = 1; i <= 2001; i++)
		buf_addf(&many, "* %u FETCH (UID %u)\r\n", i, i);
	buf_addz(&many, "c8 OK\r\n");
	say(&s, buf_str(&many));
	buf_done(&many);
	expect(&s, "1000 entries\n1000 entries\n1 entries\n");
	ask(&s, FRAME_FETCH_MESSAGES);
	say(&s, STR("* 5 FETCH (UID 5 BODY[] {3}\r\nabc)\r\nc9 OK\r\n"));
	expect(&s, "UID 5, 3 bytes so far\nfetched_end\n");
	assert_str(buf_str(&s.body), STR("abc"));
	end(&s);
}

/* More than the channel carries at once, over a network that takes little. */
static void large_ones_come_whole(void **state)
{
	static const struct loop_sim_network narrow = { .delay_ms = 3, .buffer_bytes = 50000 };
	struct scene s;
	size_t n = 5 << 20;
	char *text = xmalloc(n);
	(void)state;
	log_in(&s);
	loop_sim_set_network(s.loop, &narrow);
	ask(&s, FRAME_FETCH_MESSAGES);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i * 7 + i / 1000);
	say(&s, STR("* 5 FETCH (UID 5 BODY[] {5242880}\r\n"));
	say(&s, str_make(text, n));
	say(&s, STR(")\r\nc4 OK\r\n"));
	loop_sim_run_for(s.loop, 10000);
	expect(&s, "UID 5, 5242880 bytes so far\nfetched_end\n");
	assert_true(str_equal(buf_str(&s.body), str_make(text, n)));
	free(text);
	end(&s);
}

static void silence_has_an_end(void **state)
{
	static const struct loop_sim_network at_once = { .delay_ms = 0, .buffer_bytes = 50000 };
	struct scene s;
	struct frame f = { .type = FRAME_FETCH_MAILBOXES };
	(void)state;
	log_in(&s);
	loop_sim_set_network(s.loop, &at_once);
	loop_sim_run_for(s.loop, 10LL * LIMIT_FETCH_SILENCE_MS); /* nobody asks */
	assert_true(channel_send(s.channel, channel_next_request(s.channel), &f));
	loop_sim_run_until_idle(s.loop);
	loop_sim_run_for(s.loop, LIMIT_FETCH_SILENCE_MS - 1); /* N-1 */
	assert_int_equal(s.told.n, 0);
	loop_sim_run_for(s.loop, 1); /* N */
	expect(&s, "failed: the server says nothing any more, or next to nothing\n");
	loop_sim_run_for(s.loop, 1); /* N+1 */
	assert_int_equal(s.told.n, 0);
	end(&s);
}

/* Fewer bytes than that are silence, too. */
static void trickling_is_silence(void **state)
{
	(void)state;
	for (int more = -1; more <= 1; more++) {
		struct scene s;
		char text[LIMIT_FETCH_BYTES + 2];
		size_t n = (size_t)(LIMIT_FETCH_BYTES + more);
		log_in(&s);
		ask(&s, FRAME_FETCH_MAILBOXES);
		loop_sim_run_for(s.loop, LIMIT_FETCH_SILENCE_MS / 2);
		memset(text, 'x', sizeof(text));
		memcpy(text, "* OK ", 5);
		say(&s, str_make(text, n));
		loop_sim_run_for(s.loop, LIMIT_FETCH_SILENCE_MS / 2);
		assert_int_equal(s.told.n > 0, more < 0);
		loop_sim_run_for(s.loop, LIMIT_FETCH_SILENCE_MS);
		expect(&s, "failed: the server says nothing any more, or next to nothing\n");
		/* From now on it is the answer to everything. */
		ask(&s, FRAME_FETCH_OPEN);
		expect(&s, "failed: the server says nothing any more, or next to nothing\n");
		end(&s);
	}
}

static void tells_how_it_ended(void **state)
{
	struct scene s;
	(void)state;
	log_in(&s);
	ask(&s, FRAME_FETCH_OPEN);
	s.loop->class->link_shutdown(s.server);
	loop_sim_run_for(s.loop, 1000);
	expect(&s, "failed: the server has closed the connection\n");
	end(&s);
	/* Before anybody asked. */
	begin(&s, 0);
	say(&s, STR("* BYE full\r\n"));
	ask(&s, FRAME_FETCH_LOGIN);
	expect(&s, "failed: the server refuses the connection: full\n");
	end(&s);
	/* Certificates that can't be read; with STARTTLS, and with TLS from the first byte. */
	for (uint8_t security = 1; security <= 2; security++) {
		begin(&s, security);
		ask(&s, FRAME_FETCH_LOGIN);
		expect(&s, "failed: /nowhere can't be read, or holds no certificates\n");
		assert_int_equal(s.sent.n, 0);
		end(&s);
	}
	/* Who asks goes away. */
	log_in(&s);
	channel_free(&s.channel);
	loop_sim_run_for(s.loop, 1000);
	assert_int_equal(s.finished, 1);
	end(&s);
}

/* One question at a time, and only such. */
static void who_asks_wrongly_is_dropped(void **state)
{
	struct scene s;
	(void)state;
	log_in(&s);
	ask(&s, FRAME_FETCH_OPEN);
	assert_false(s.closed);
	ask(&s, FRAME_FETCH_OPEN);
	assert_true(s.closed);
	end(&s);
}

TEST_MAIN(test_case(fetches), test_case(large_ones_come_whole), test_case(silence_has_an_end),
	test_case(trickling_is_silence), test_case(tells_how_it_ended),
	test_case(who_asks_wrongly_is_dropped))
