// SPDX-License-Identifier: Apache-2.0
/* Another provider's IMAP server (see source.h). RFC 3501, RFC 9051 */
#include "source.h"

#include "base/time.h"

enum { FIRST_MESSAGES = 12, MESSAGES_MOST = 10000, UIDVALIDITY = 1500000000 };
enum { SLOW_MS = 20000, SILENT_MS = 310 * 1000 };

struct letter {
	uint32_t n, uid;
	uint8_t flags;
	struct copy *copy; /* what may come of it */
	bool wanted;       /* it was there when the import began */
};
static struct {
	int door;
	struct vec boxes[BOXES]; /* struct letter */
	uint32_t uidnext[BOXES];
	unsigned sessions;
	/* Something was left out once, so it comes behind those that follow it, and takes a UID
	 * that one to come would have had. */
	bool any_uid[BOXES];
} source;

/* ---- what must be true ---- */

bool source_shares_inbox(void)
{
	return world.o.seed % 3 == 0;
}

/* In the same runs UIDs of these mean nothing in another session: they are numbered anew (RFC 9051
 * 2.3.1.1: then UIDVALIDITY is another), as are those of INBOX for what landed there. So messages
 * are known by their bytes, and those that are alike by where they are. */
static bool is_numbered_anew(unsigned box)
{
	return source_shares_inbox() && (box == 1 || box == 2);
}

static size_t times_in(const struct vec *box, uint32_t n)
{
	size_t times = 0;
	VEC_EACH (const struct letter, l, box)
		times += l->n == n;
	return times;
}

/* Of two that are alike and that no UID tells apart, which one came before is not known either. */
static void expect_copy(unsigned box, struct letter *l)
{
	l->copy = model_put(IMPORTED, box, l->n);
	source.any_uid[box] |= (box == 0 && source_shares_inbox()) || is_numbered_anew(box);
	l->copy->want_uid = source.any_uid[box] ? 0 : l->uid;
	bool any = source.any_uid[box] && times_in(&source.boxes[box], l->n) > 1;
	model_put_flags(l->copy, any ? 0 : l->flags, any ? 0 : (uint8_t)~l->flags);
	model_take_flags(l->copy);
}

void source_import_begin(void)
{
	for (unsigned box = 0; box < BOXES; box++) {
		/* One in which there was nothing yet takes the source's UIDVALIDITY over. */
		if (model_box(IMPORTED, box).uidnext <= 1)
			model_box_is(IMPORTED, box, 0);
		VEC_EACH (struct letter, l, &source.boxes[box]) {
			l->wanted = true;
			if (l->copy->never)
				expect_copy(box, l);
		}
	}
}

void source_import_end(bool done, bool told)
{
	for (unsigned box = 0; box < BOXES; box++)
		VEC_EACH (struct letter, l, &source.boxes[box]) {
			if (l->wanted && done && !told && !l->copy->acked)
				model_put_acked(l->copy, 0);
			source.any_uid[box] |= told && !l->copy->uid;
			l->wanted = false;
		}
	for (unsigned box = 0; box < BOXES; box++)
		VEC_EACH (struct letter, l, &source.boxes[box])
			if (source.any_uid[box] && !l->copy->uid)
				l->copy->want_uid = 0;
}

/* ---- its mail ---- */

size_t source_messages(void)
{
	size_t n = 0;
	for (unsigned box = 0; box < BOXES; box++)
		n += source.boxes[box].n;
	return n;
}

/* One that is in some mailbox already, or 0. Those that are alike in one mailbox are told apart by
 * their UIDs alone: where these are not kept, one may come with the other's flags
 * (docs/simulation.md, what it cannot see). */
static uint32_t any_message_for(unsigned to)
{
	const struct vec *box = &source.boxes[dice(BOXES)];
	uint32_t n = box->n ? ((struct letter *)vec_at(box, (size_t)dice(box->n)))->n : 0;
	return source.any_uid[to] && times_in(&source.boxes[to], n) ? 0 : n;
}

void source_grow(size_t n)
{
	for (; n > 0; n--) {
		unsigned box = (unsigned)dice(BOXES);
		uint32_t same = chance(15) ? any_message_for(box) : 0;
		struct letter l = { .n = same ? same : model_next_message(),
			.uid = source.uidnext[box],
			.flags = (uint8_t)dice(1 << FLAGS) };
		source.uidnext[box] += 1 + (uint32_t)dice(3);
		message_is_dated(l.n);
		expect_copy(box, &l);
		vec_push(&source.boxes[box], &l);
	}
}

/* ---- a session ---- */

struct visit {
	struct conn conn;
	unsigned number;
	unsigned box; /* BOX_NONE: none is selected */
	char tag[16];
	bool over;
	bool sasl_ir, plain, namespace, list_extended;
};

static bool in_trouble(void)
{
	return world.o.faults & 1U << FAULT_NETWORK && !round_over;
}

/* Each command may find it busy. */
static void be_slow(struct visit *s)
{
	if (!in_trouble() || !chance(3))
		return;
	fault_struck(FAULT_NETWORK);
	world.source_slow++;
	actor_sleep(s->conn.actor, chance(10) ? SILENT_MS : (int64_t)dice(SLOW_MS));
}

static bool ends(struct visit *s)
{
	if (!in_trouble() || dice(60) != 0)
		return false;
	fault_struck(FAULT_NETWORK);
	world.source_ended++;
	conn_sendf(&s->conn, "* BYE for today\r\n");
	s->over = true;
	return true;
}

/* Of a message that has its like beside it, alone: it would be left out, and come behind that. */
static bool must_give(const struct vec *box, struct str set)
{
	struct scan s = scan_from(set);
	uint64_t uid;
	if (!scan_number(&s, UINT32_MAX, &uid) || !scan_end(&s))
		return false;
	VEC_EACH (const struct letter, l, box)
		if (l->uid == uid)
			return times_in(box, l->n) > 1;
	return false;
}

static bool refuses(struct visit *s)
{
	if (!in_trouble() || dice(25) != 0)
		return false;
	fault_struck(FAULT_NETWORK);
	world.source_refused++;
	conn_sendf(&s->conn, "%s NO [UNAVAILABLE] not now\r\n", s->tag);
	return true;
}

static void ok(struct visit *s, const char *text)
{
	conn_sendf(&s->conn, "%s OK %s\r\n", s->tag, text);
}

static void on_capability(struct visit *s, struct scan *in)
{
	(void)in;
	conn_sendf(&s->conn, "* CAPABILITY IMAP4rev1%s%s%s%s\r\n", s->plain ? " AUTH=PLAIN" : "",
		s->sasl_ir ? " SASL-IR" : "", s->namespace ? " NAMESPACE" : "",
		s->list_extended ? " LIST-EXTENDED SPECIAL-USE" : "");
	ok(s, "done");
}

static void on_login(struct visit *s, struct scan *in)
{
	if (str_equal(scan_rest(in), STR("\"somebody\" \"or\\\"other\"")))
		ok(s, "welcome");
	else
		conn_sendf(&s->conn, "%s NO who?\r\n", s->tag);
}

/* "\0somebody\0or"other" in base64 */
static void on_authenticate(struct visit *s, struct scan *in)
{
	struct str line = scan_literal_nocase(in, STR("PLAIN ")) ? scan_rest(in) : STR_NONE;
	if (line.n == 0 && (!conn_sendf(&s->conn, "+ \r\n") || !conn_line(&s->conn, &line)))
		return;
	if (str_equal(line, STR("AHNvbWVib2R5AG9yIm90aGVy")))
		ok(s, "welcome");
	else
		conn_sendf(&s->conn, "%s NO who?\r\n", s->tag);
}

static void on_namespace(struct visit *s, struct scan *in)
{
	(void)in;
	conn_sendf(&s->conn, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	ok(s, "done");
}

static void on_list(struct visit *s, struct scan *in)
{
	(void)in;
	for (unsigned box = 0; box < BOXES; box++)
		conn_sendf(&s->conn, "* LIST (%s) \"/\" %s\r\n",
			s->list_extended ? "\\Subscribed" : "", box_names[box]);
	conn_sendf(&s->conn, "* LIST (\\Noselect) \"/\" \"Empty\"\r\n");
	ok(s, "done");
}

static void on_lsub(struct visit *s, struct scan *in)
{
	(void)in;
	for (unsigned box = 0; box < BOXES; box++)
		conn_sendf(&s->conn, "* LSUB () \"/\" %s\r\n", box_names[box]);
	ok(s, "done");
}

static void on_examine(struct visit *s, struct scan *in)
{
	struct str name = scan_rest(in);
	s->box = BOX_NONE;
	if (refuses(s))
		return;
	for (unsigned box = 0; box < BOXES; box++)
		if (str_equal(str_sub(name, 1, name.n - 2), str_from(box_names[box])))
			s->box = box;
	if (s->box == BOX_NONE)
		sim_fail("the source is asked for %" STR_FMT, STR_ARG(name));
	conn_sendf(&s->conn,
		"* FLAGS (\\Seen \\Answered)\r\n* %zu EXISTS\r\n* 0 RECENT\r\n"
		"* OK [UIDVALIDITY %u] so\r\n* OK [UIDNEXT %u] so\r\n",
		source.boxes[s->box].n,
		UIDVALIDITY + s->box + (is_numbered_anew(s->box) ? s->number * BOXES : 0),
		source.uidnext[s->box]);
	ok(s, "[READ-ONLY] done");
}

/* sequence-set, of numbers alone or "1:*" */
static bool is_asked(struct str set, uint32_t uid)
{
	uint64_t n;
	if (str_equal(set, STR("1:*")))
		return true;
	while (set.n) {
		struct scan s = scan_from(str_split(&set, ','));
		if (!scan_number(&s, UINT32_MAX, &n))
			sim_fail("the source is asked for a message that has no number");
		if (n == uid)
			return true;
	}
	return false;
}

static void tell(struct visit *s, size_t number, const struct letter *l, bool body)
{
	struct time_text date;
	struct buf out, text;
	const char *gap = "";
	message_make(l->n, &text);
	buf_init(&out, text.n + 1000);
	buf_addf(&out, "* %zu FETCH (UID %u FLAGS (", number, l->uid);
	for (int i = 0; i < FLAGS; i++)
		if (l->flags & 1 << i) {
			buf_addf(&out, "%s%s", gap, flag_names[i]);
			gap = " ";
		}
	buf_addf(&out, ") INTERNALDATE \"%s\" ", time_imap(&date, message_date(l->n)));
	if (body) {
		buf_addf(&out, "BODY[] {%zu}\r\n", text.n);
		buf_adds(&out, buf_str(&text));
	} else {
		buf_addf(&out, "RFC822.SIZE %zu", text.n);
	}
	buf_addz(&out, ")\r\n");
	conn_send(&s->conn, buf_str(&out));
	buf_done(&out);
	buf_done(&text);
}

static void on_uid_fetch(struct visit *s, struct scan *in)
{
	struct str set;
	if (s->box == BOX_NONE || !scan_literal_nocase(in, STR("FETCH ")) ||
		!scan_until(in, ' ', &set))
		sim_fail("the source is asked for UID %.60s", in->p);
	struct str items = scan_rest(in);
	bool body = str_search(items, STR("BODY.PEEK[]")) < items.n;
	const struct vec *box = &source.boxes[s->box];
	if (!must_give(box, set) && refuses(s))
		return;
	for (size_t i = 0; i < box->n && !s->conn.lost; i++) {
		struct letter l = *(struct letter *)vec_at(box, i);
		if (!is_asked(set, l.uid))
			continue;
		if (ends(s))
			return;
		tell(s, i + 1, &l, body);
	}
	ok(s, "done");
}

static const struct {
	struct str verb;
	void (*run)(struct visit *, struct scan *);
} commands[] = { { STR_INIT("CAPABILITY"), on_capability }, { STR_INIT("LOGIN "), on_login },
	{ STR_INIT("AUTHENTICATE "), on_authenticate }, { STR_INIT("NAMESPACE"), on_namespace },
	{ STR_INIT("LIST "), on_list }, { STR_INIT("LSUB "), on_lsub },
	{ STR_INIT("EXAMINE "), on_examine }, { STR_INIT("UID "), on_uid_fetch } };

static void command(struct visit *s, struct str line)
{
	struct buf copy; /* the line is the connection's, until it reads another */
	struct str tag;
	size_t i = 0;
	buf_init(&copy, 100000);
	buf_adds(&copy, line);
	struct scan in = scan_from(buf_str(&copy));
	if (!scan_until(&in, ' ', &tag) || !scan_sp(&in))
		sim_fail("the source is told %.60s", copy.p);
	snprintf(s->tag, sizeof(s->tag), "%" STR_FMT, STR_ARG(tag));
	be_slow(s);
	while (i < ARRAY_LEN(commands) && !scan_literal_nocase(&in, commands[i].verb))
		i++;
	if (i == ARRAY_LEN(commands))
		sim_fail("the source is told %.60s", copy.p);
	if (!ends(s))
		commands[i].run(s, &in);
	buf_done(&copy);
}

static void run(struct actor *a)
{
	struct visit s = { .number = a->number,
		.box = BOX_NONE,
		.plain = dice(2),
		.sasl_ir = dice(2),
		.namespace = dice(2),
		.list_extended = dice(2) };
	struct str line;
	conn_take(&s.conn, a, (int)(intptr_t)a->arg);
	conn_sendf(&s.conn, "* OK elsewhere is ready\r\n");
	while (!s.over && conn_line(&s.conn, &line))
		command(&s, line);
	conn_close(&s.conn);
}

static void accepted(void *arg, int handle, const char *address, uint16_t port)
{
	(void)arg;
	(void)address;
	(void)port;
	actor_new("source", source.sessions++, run)->arg = (void *)(intptr_t)handle;
}

int source_connect(void)
{
	return loop_sim_connect(world.loop, source.door, "192.0.2.200", 4000);
}

void source_begin(void)
{
	for (unsigned box = 0; box < BOXES; box++) {
		vec_init(&source.boxes[box], sizeof(struct letter), MESSAGES_MOST);
		source.uidnext[box] = 1 + (uint32_t)dice(10);
	}
	source.door = loop_sim_listen(world.loop);
	world.loop->class->listener_new(world.loop, source.door, accepted, NULL);
	source_grow(FIRST_MESSAGES);
}
