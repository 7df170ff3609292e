// SPDX-License-Identifier: Apache-2.0
/* Users with POP3 programs: they look at what there is, fetch, delete, think better of it, and
 * leave by QUIT or without it. RFC 1939 */
#include "accounts.h"
#include "admin.h"
#include "api/schemes.h"

enum { MESSAGES_MOST = 100000 };

struct item {
	uint32_t uid; /* 0: it went before anybody could be asked */
	uint64_t size;
	bool named; /* by UIDL */
	bool deleted, retrieved;
};

struct drop {
	struct conn conn;
	struct actor *actor;
	struct authority authority;
	unsigned account;
	struct retention retention;
	struct vec items; /* struct item, by number */
	struct vec uidls; /* struct api_uidl: what the store says that they are made of */
	uint32_t session; /* of asking it */
	uint64_t inbox;
	struct buf text; /* of the last answer of several lines, as it was before it was stuffed */
	struct str said; /* the last status line, until the next */
};

enum answer { POP3_OK, POP3_ERR, POP3_CUT };

/* Refusals that may come at any time, to be tried again; what else is refused must have a cause. */
static bool for_now(const struct drop *d)
{
	static const struct str codes[] = { STR_INIT("-ERR [SYS/TEMP] "),
		STR_INIT("-ERR [IN-USE] "), STR_INIT("-ERR [LOGIN-DELAY] ") };
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (str_starts(d->said, codes[i]))
			return true;
	return false;
}

static enum answer status(struct drop *d)
{
	if (!conn_line(&d->conn, &d->said)) {
		conn_turned_away(&d->conn, "cut off");
		return POP3_CUT;
	}
	if (str_starts(d->said, STR("-ERR [SYS/TEMP] ")))
		conn_turned_away(&d->conn, "-ERR [SYS/TEMP]");
	if (str_starts(d->said, STR("+OK")))
		return POP3_OK;
	if (!str_starts(d->said, STR("-ERR ")))
		sim_fail("%s: neither +OK nor -ERR: %" STR_FMT, d->actor->name, STR_ARG(d->said));
	return POP3_ERR;
}

static enum answer say(struct drop *d, const char *format, ...) PRINTF_LIKE(2, 3);
static enum answer say(struct drop *d, const char *format, ...)
{
	char text[400];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	world.report->operations++;
	return conn_sendf(&d->conn, "%s\r\n", text) ? status(d) : POP3_CUT;
}

/* A command that nothing but the moment can refuse. */
static enum answer say_rightly(struct drop *d, const char *command)
{
	enum answer a = say(d, "%s", command);
	if (a == POP3_ERR && !for_now(d))
		sim_fail("%s: %s: %" STR_FMT, d->actor->name, command, STR_ARG(d->said));
	return a;
}

/* Lines up to ".", unstuffed.  RFC 1939 3 */
static enum answer lines(struct drop *d)
{
	struct str line;
	buf_clear(&d->text);
	while (conn_line(&d->conn, &line)) {
		struct str raw = buf_str(&d->conn.line);
		if (raw.n < 2 || raw.p[raw.n - 2] != '\r')
			sim_fail("%s: a line ends with a bare LF", d->actor->name);
		if (str_equal(line, STR(".")))
			return POP3_OK;
		buf_adds(&d->text, str_from_offset(raw, raw.p[0] == '.'));
	}
	return POP3_CUT;
}

static struct item *item_at(struct drop *d, size_t i)
{
	return vec_at(&d->items, i);
}

/* ---- what there is ---- */

static uint64_t two_numbers(struct drop *d, struct scan *s, char between, uint64_t *ret_second)
{
	uint64_t first;
	if (!scan_number(s, UINT32_MAX, &first) || !scan_char(s, between) ||
		!scan_number(s, INT64_MAX, ret_second))
		sim_fail("%s: not two numbers: %.60s", d->actor->name, s->p);
	return first;
}

static void check_stat(struct drop *d)
{
	struct scan s = scan_from(str_from_offset(d->said, strlen("+OK ")));
	uint64_t octets, want = 0, n = two_numbers(d, &s, ' ', &octets);
	size_t there = 0;
	VEC_EACH (struct item, item, &d->items) {
		there += !item->deleted;
		want += item->deleted ? 0 : item->size;
	}
	if (n != there || octets != want)
		sim_fail("%s: STAT says %llu messages of %llu octets, and there are %zu of %llu",
			d->actor->name, (unsigned long long)n, (unsigned long long)octets, there,
			(unsigned long long)want);
}

static enum answer list(struct drop *d)
{
	enum answer a = say_rightly(d, "LIST");
	if (a != POP3_OK || lines(d) != POP3_OK)
		return POP3_CUT;
	vec_clear(&d->items);
	for (struct scan s = scan_from(buf_str(&d->text)); !scan_end(&s);) {
		struct item item = { 0 };
		uint64_t number = two_numbers(d, &s, ' ', &item.size);
		if (number != d->items.n + 1 || !scan_literal_nocase(&s, STR("\r\n")))
			sim_fail("%s: LIST counts %llu after %zu", d->actor->name,
				(unsigned long long)number, d->items.n);
		vec_push(&d->items, &item);
	}
	return POP3_OK;
}

/* What the unique-ids are made of, with the UIDs, as an administrator may ask. */
static bool on_frame(struct admin *a, const struct frame *f)
{
	struct drop *d = a->arg;
	if (f->type == FRAME_SESSION_IS)
		d->session = f->session_is.session;
	for (size_t i = 0; f->type == FRAME_MAILBOXES && i < f->mailboxes.mailboxes.n; i++)
		if (str_equal(f->mailboxes.mailboxes.items[i].name, STR("INBOX")))
			d->inbox = f->mailboxes.mailboxes.items[i].id;
	for (size_t i = 0; f->type == FRAME_UIDLS_ARE && i < f->uidls_are.uidls.n; i++)
		vec_push(&d->uidls, &f->uidls_are.uidls.items[i]);
	if (f->type == FRAME_MAILBOXES)
		return f->mailboxes.last;
	return f->type != FRAME_UIDLS_ARE || f->uidls_are.last;
}

static bool ask_uidls(struct drop *d)
{
	struct admin a;
	struct frame open = { .type = FRAME_ACCOUNT_OPEN,
		.account_open.address = str_from(account_address(d->account)) };
	struct frame list = { .type = FRAME_MAILBOX_LIST };
	struct frame uidls = { .type = FRAME_UIDL_LIST };
	bool good = admin_open(&a, d->actor);
	a.on_frame = on_frame;
	a.arg = d;
	good = good && admin_ask(&a, a.store, &open) == FRAME_SESSION_IS;
	list.mailbox_list.session = uidls.uidl_list.session = d->session;
	good = good && admin_ask(&a, a.store, &list) == FRAME_MAILBOXES;
	uidls.uidl_list.mailbox = d->inbox;
	good = good && admin_ask(&a, a.store, &uidls) == FRAME_UIDLS_ARE;
	admin_close(&a);
	return good;
}

/* unique-id = record "." recipient "." mark / UIDVALIDITY "." UID; src/pop3/cmd_drop.c */
static uint32_t uid_of(struct drop *d, struct str id)
{
	uint32_t validity = model_box(d->account, 0).uidvalidity;
	uint64_t uid;
	size_t dots = 0;
	for (size_t i = 0; i < id.n; i++)
		dots += id.p[i] == '.';
	if (dots == 1) {
		struct scan s = scan_from(id);
		uint64_t prefix = two_numbers(d, &s, '.', &uid);
		if (validity && prefix != validity)
			sim_fail("%s: a UIDL has %llu, UIDVALIDITY is %u", d->actor->name,
				(unsigned long long)prefix, validity);
		return (uint32_t)uid;
	}
	VEC_EACH (struct api_uidl, u, &d->uidls) {
		char text[80];
		snprintf(text, sizeof(text), "%llx.%x.%llx", (unsigned long long)u->body,
			u->recipient, (unsigned long long)u->mark);
		if (u->body && str_equal(id, str_from(text)))
			return u->uid;
	}
	return 0;
}

/* A unique-id is one message's. */
static void check_uidls(struct drop *d)
{
	for (size_t i = 0; i < d->uidls.n; i++)
		for (size_t k = 0; k < i; k++) {
			const struct api_uidl *u = vec_at(&d->uidls, i), *v = vec_at(&d->uidls, k);
			if (u->body && u->body == v->body && u->recipient == v->recipient)
				sim_fail("%s: UIDs %u and %u have one UIDL", d->actor->name, v->uid,
					u->uid);
		}
}

/* What another session removed since LIST has no unique-id any more; what is there has. */
static enum answer left_out(struct drop *d)
{
	for (size_t i = 0; i < d->items.n; i++) {
		enum answer a = item_at(d, i)->named ? POP3_ERR : say(d, "TOP %zu 0", i + 1);
		if (a == POP3_OK)
			sim_fail("%s: UIDL leaves out message %zu", d->actor->name, i + 1);
		if (a != POP3_ERR)
			return a;
	}
	return POP3_OK;
}

static enum answer uidl(struct drop *d)
{
	uint32_t before = 0;
	uint64_t last = 0;
	enum answer a = say_rightly(d, "UIDL");
	if (a != POP3_OK || lines(d) != POP3_OK || !ask_uidls(d))
		return POP3_CUT;
	check_uidls(d);
	for (struct str rest = buf_str(&d->text); rest.n;) {
		struct str line = str_chomp(str_split(&rest, '\n'));
		struct scan s = scan_from(line);
		uint64_t number;
		if (!scan_number(&s, UINT32_MAX, &number) || !scan_sp(&s) || number <= last ||
			number > d->items.n)
			sim_fail("%s: UIDL is of other messages than LIST", d->actor->name);
		uint32_t uid = uid_of(d, scan_rest(&s));
		if (uid && uid <= before)
			sim_fail("%s: UIDL %" STR_FMT " is UID %u after UID %u", d->actor->name,
				STR_ARG(line), uid, before);
		item_at(d, (size_t)number - 1)->uid = uid;
		item_at(d, (size_t)number - 1)->named = true;
		before = uid ? uid : before;
		last = number;
	}
	return left_out(d);
}

static bool has_uid(void *arg, uint32_t uid)
{
	struct drop *d = arg;
	VEC_EACH (struct item, item, &d->items)
		if (item->uid == uid)
			return true;
	return false;
}

/* ---- what is done ---- */

/* The model's, or NULL: nobody has seen it yet, or it went before its UID was asked for. */
static struct copy *copy_of(const struct drop *d, const struct item *item)
{
	return item->uid ? model_at(d->account, 0, item->uid) : NULL;
}

/* Refused: only when somebody has taken the message away, or for the moment; or it is damaged. */
static void must_be_gone(struct drop *d, const struct item *item)
{
	const struct copy *c = copy_of(d, item);
	if (!for_now(d) && c && !c->may_go && !world_is_damaged())
		sim_fail("%s: UID %u: %" STR_FMT, d->actor->name, item->uid, STR_ARG(d->said));
}

static enum answer retr_answered(struct drop *d, size_t i, enum answer a, int64_t asked_ms)
{
	struct item *item = item_at(d, i);
	if (a == POP3_ERR)
		must_be_gone(d, item);
	if (a != POP3_OK)
		return a;
	if (lines(d) != POP3_OK)
		return POP3_CUT;
	authority_used(&d->authority, asked_ms, d->actor->name);
	if (d->text.n != item->size)
		sim_fail("%s: LIST said %llu octets, RETR gave %zu", d->actor->name,
			(unsigned long long)item->size, d->text.n);
	uint32_t n = message_check(buf_str(&d->text), d->account, d->actor->name);
	if (item->uid)
		model_seen(d->account, 0, item->uid, n);
	item->retrieved = true;
	return POP3_OK;
}

static enum answer do_retr(struct drop *d, size_t i)
{
	int64_t asked_ms = awake_ms();
	return retr_answered(d, i, say(d, "RETR %zu", i + 1), asked_ms);
}

static enum answer top_answered(struct drop *d, size_t i, enum answer a, unsigned count)
{
	struct item *item = item_at(d, i);
	if (a == POP3_ERR)
		must_be_gone(d, item);
	if (a != POP3_OK)
		return a;
	if (lines(d) != POP3_OK)
		return POP3_CUT;
	uint32_t n = message_check_top(buf_str(&d->text), count, d->account, d->actor->name);
	if (item->uid)
		model_seen(d->account, 0, item->uid, n);
	return POP3_OK;
}

static enum answer do_top(struct drop *d, size_t i)
{
	unsigned count = (unsigned)dice(10);
	return top_answered(d, i, say(d, "TOP %zu %u", i + 1, count), count);
}

/* Several at once, and then all their answers.  RFC 2449 6.6 */
static enum answer ask_several(struct drop *d)
{
	enum { SEVERAL = 40 };
	struct {
		size_t i;
		bool top;
		unsigned count;
	} asked[SEVERAL];
	enum answer a = POP3_OK;
	int64_t asked_ms = awake_ms();
	AUTO(buf_done)
	struct buf commands;
	buf_init(&commands, SEVERAL * 64);
	for (size_t k = 0; k < SEVERAL; k++) {
		asked[k].i = (size_t)dice(d->items.n);
		asked[k].top = chance(50);
		asked[k].count = (unsigned)dice(10);
		if (asked[k].top)
			buf_addf(&commands, "TOP %zu %u\r\n", asked[k].i + 1, asked[k].count);
		else
			buf_addf(&commands, "RETR %zu\r\n", asked[k].i + 1);
	}
	if (!conn_send(&d->conn, buf_str(&commands)))
		return POP3_CUT;
	for (size_t k = 0; k < SEVERAL && a != POP3_CUT; k++) {
		a = status(d);
		bool deleted = a == POP3_ERR && item_at(d, asked[k].i)->deleted;
		if (deleted || a == POP3_CUT)
			continue;
		a = asked[k].top ? top_answered(d, asked[k].i, a, asked[k].count)
				 : retr_answered(d, asked[k].i, a, asked_ms);
	}
	return a;
}

/* Who is refused too often in a row is cut off, and some may be of what is deleted. */
static enum answer do_several(struct drop *d)
{
	enum answer a = say_rightly(d, "NOOP");
	if (a != POP3_CUT)
		a = ask_several(d);
	return a == POP3_CUT ? a : say_rightly(d, "NOOP");
}

/* Only what is known: else nobody could say what is gone afterwards. */
static enum answer do_dele(struct drop *d, size_t i)
{
	if (copy_of(d, item_at(d, i)) == NULL)
		return do_retr(d, i);
	enum answer a = say(d, "DELE %zu", i + 1);
	if (a == POP3_ERR && !for_now(d))
		sim_fail("%s: DELE %zu: %" STR_FMT, d->actor->name, i + 1, STR_ARG(d->said));
	item_at(d, i)->deleted = a == POP3_OK;
	return a;
}

static enum answer do_rset(struct drop *d)
{
	enum answer a = say_rightly(d, "RSET");
	VEC_EACH (struct item, item, &d->items)
		item->deleted = item->deleted && a != POP3_OK;
	return a;
}

static enum answer do_stat(struct drop *d)
{
	enum answer a = say_rightly(d, "STAT");
	if (a == POP3_OK)
		check_stat(d);
	return a;
}

static enum answer do_something(struct drop *d)
{
	uint64_t at = dice(100);
	size_t i = d->items.n ? (size_t)dice(d->items.n) : 0;
	if (at < 10)
		return do_rset(d);
	if (at >= 95 && d->items.n > 0)
		return do_several(d);
	if (at < 30 || d->items.n == 0 || item_at(d, i)->deleted)
		return do_stat(d);
	if (at < 60)
		return do_retr(d, i);
	return at < 75 ? do_top(d, i) : do_dele(d, i);
}

/* By the client's wish or the account's policy; perhaps: who knows which is in force. */
static bool goes(const struct drop *d, const struct item *item, bool *ret_perhaps)
{
	int which = d->retention.which;
	*ret_perhaps = !retention_holds(&d->retention);
	if (*ret_perhaps || which == RETAIN_DELETE)
		return item->deleted || item->retrieved;
	return item->deleted && which != RETAIN_KEEP;
}

/* All of them, or none: RFC 1939 6. The number of those. */
static unsigned ask_for_removal(struct drop *d)
{
	unsigned going = 0, step = model_step();
	VEC_EACH (struct item, item, &d->items) {
		bool perhaps, go = goes(d, item, &perhaps);
		struct copy *c = go ? copy_of(d, item) : NULL;
		if (c && perhaps)
			model_remove_begin(c, NULL);
		else if (c)
			model_remove_in_step(c, step);
		going += c && !perhaps;
	}
	return going;
}

static void quit(struct drop *d)
{
	bool perhaps;
	if (!conn_sendf(&d->conn, "QUIT\r\n"))
		return;
	unsigned going = ask_for_removal(d);
	int64_t asked_ms = awake_ms();
	enum answer a = status(d);
	if (a == POP3_OK && going)
		authority_used(&d->authority, asked_ms, d->actor->name);
	if (a == POP3_ERR && !for_now(d))
		sim_fail("%s: QUIT: %" STR_FMT, d->actor->name, STR_ARG(d->said));
	VEC_EACH (struct item, item, &d->items)
		if (goes(d, item, &perhaps) && !perhaps && item->uid && a == POP3_OK)
			model_remove_acked(d->account, 0, item->uid);
}

/* ---- a session ---- */

/* RFC 1939 7; [AUTH]: RFC 3206 4 */
static bool pass(struct drop *d)
{
	authority_asked(&d->authority);
	enum answer a = say(d, "PASS %s", d->authority.password);
	if (a == POP3_OK)
		authority_granted(&d->authority, d->actor->name);
	else if (a == POP3_ERR && str_starts(d->said, STR("-ERR [AUTH]")))
		authority_refused(&d->authority, d->actor->name);
	else if (a == POP3_ERR && !for_now(d))
		sim_fail("%s: PASS: %" STR_FMT, d->actor->name, STR_ARG(d->said));
	return a == POP3_OK;
}

static bool enter(struct drop *d)
{
	if (!conn_open(&d->conn, d->actor, "pop3", "127.0.0.1", &d->authority) ||
		status(d) != POP3_OK || say(d, "USER %s", account_address(d->account)) != POP3_OK)
		return false;
	d->retention = retention_of(d->account);
	d->conn.may_end = true; /* what follows is asked of the store in a session */
	uint64_t began = model_time();
	if (!pass(d) || list(d) != POP3_OK || uidl(d) != POP3_OK)
		return false;
	model_opened(d->account, 0, began, has_uid, d);
	return true;
}

static void session(struct actor *a)
{
	struct drop d = { .actor = a, .account = (unsigned)dice(USERS) };
	d.authority = authority_new(d.account);
	vec_init(&d.items, sizeof(struct item), MESSAGES_MOST);
	vec_init(&d.uidls, sizeof(struct api_uidl), MESSAGES_MOST);
	buf_init(&d.text, 64 * 1024 * 1024);
	enum answer last = enter(&d) ? POP3_OK : POP3_CUT;
	for (uint64_t i = dice(15); i > 0 && last != POP3_CUT && !round_over; i--) {
		last = do_something(&d);
		actor_sleep(a, (int64_t)dice(600));
	}
	if (last != POP3_CUT && chance(75))
		quit(&d);
	conn_close(&d.conn);
	vec_done(&d.items);
	vec_done(&d.uidls);
	buf_done(&d.text);
}

void client_pop3_run(struct actor *a)
{
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(6000));
		if (!round_over)
			session(a);
	}
}
