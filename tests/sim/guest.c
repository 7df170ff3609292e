// SPDX-License-Identifier: Apache-2.0
/* An account that comes and goes (see guest.h). */
#include "guest.h"

static struct {
	int exists;
	unsigned news, busy; /* changes asked for and answered; administrators at work */
	unsigned password;
	bool counts;                  /* since it was made: */
	unsigned asked, acknowledged; /* deliveries */
} guest;

struct guest_view guest_view(void)
{
	return (struct guest_view){ .exists = guest.exists, .news = guest.news };
}

/* Whether it is known what is there, and was all the time since. */
static bool holds(const struct guest_view *v, int exists)
{
	return v->exists == exists && v->news == guest.news;
}

static void password_text(char ret[24])
{
	snprintf(ret, 24, "guest-%u", guest.password);
}

/* ---- the administrator ---- */

/* What comes of a change is known when nobody else makes one. */
static void changed(unsigned news, int exists)
{
	bool alone = --guest.busy == 0 && guest.news == news;
	guest.news++;
	guest.exists = alone ? exists : -1;
}

static unsigned change_begin(void)
{
	guest.exists = -1;
	guest.counts = false;
	guest.busy++;
	return ++guest.news;
}

static void make(struct admin *a)
{
	char password[24];
	guest.password++;
	password_text(password);
	struct frame ask = { .type = FRAME_MAKE_VERIFIER,
		.make_verifier.password = str_from(password) };
	if (admin_ask(a, a->gate, &ask) != FRAME_VERIFIER)
		return;
	struct frame add = { .type = FRAME_ACCOUNT_ADD,
		.account_add = { .address = STR(GUEST), .verifier = str_from(a->verifier) } };
	unsigned news = change_begin();
	guest.asked = 0;
	bool made = admin_ask(a, a->store, &add) == FRAME_DONE;
	guest.acknowledged = 0;
	changed(news, made ? 1 : -1);
	guest.counts = guest.exists == 1;
}

static void remove_it(struct admin *a)
{
	struct frame ask = { .type = FRAME_ACCOUNT_REMOVE,
		.account_remove = { .address = STR(GUEST), .erase = chance(50) } };
	unsigned news = change_begin();
	int answer = admin_ask(a, a->store, &ask);
	bool gone = answer == FRAME_DONE || (answer == FRAME_FAILED && a->kind == ERR_NOT_FOUND);
	changed(news, gone ? 0 : -1);
}

void guest_change(struct admin *a)
{
	if (guest.exists == 0 || (guest.exists < 0 && dice(2)))
		make(a);
	else
		remove_it(a);
}

void guest_settled(bool exists)
{
	if (guest.exists >= 0 && guest.exists != exists)
		sim_fail(GUEST " is %s", exists ? "there, and was removed" : "not there");
	guest.exists = exists;
	guest.busy = 0;
	guest.news++;
}

/* ---- its mail ---- */

void guest_recipient(const struct guest_view *v, int code, const char *who)
{
	if (code == 250 && holds(v, 0))
		sim_fail("%s: mail for " GUEST " is taken, and it was removed", who);
	if (code >= 500 && holds(v, 1))
		sim_fail("%s: mail for " GUEST " is refused, and it is there: %d", who, code);
	guest.asked += code == 250;
}

bool guest_stayed(const struct guest_view *v)
{
	return holds(v, 1);
}

void guest_delivered(const struct guest_view *v)
{
	guest.acknowledged += holds(v, 1);
}

/* ---- its owner ---- */

/* The tagged response to a command: 'O' of OK, 'N' of NO; 0: cut off. Of STATUS the number. */
static char ask(struct conn *c, const char *command, uint64_t *ret_messages)
{
	struct str line;
	if (!conn_sendf(c, "a %s\r\n", command))
		return 0;
	while (conn_line(c, &line)) {
		struct scan s = scan_from(line);
		if (scan_literal_nocase(&s, STR("* STATUS INBOX (MESSAGES ")) &&
			!scan_number(&s, UINT32_MAX, ret_messages))
			return 0;
		if (str_starts(line, STR("a ")))
			return line.n > 2 ? line.p[2] : 0;
	}
	return 0;
}

static bool come_in(struct conn *c, const char *who)
{
	char password[24], login[100];
	struct guest_view v = guest_view();
	bool knows = guest.counts;
	password_text(password);
	snprintf(login, sizeof(login), "LOGIN " GUEST " %s", password);
	char answer = ask(c, login, NULL);
	bool refused = answer == 'N' &&
		       str_search(buf_str(&c->line), STR("[AUTHENTICATIONFAILED]")) < c->line.n;
	if (answer == 'O' && holds(&v, 0))
		sim_fail("%s: " GUEST " came in, and was removed", who);
	if (refused && knows && holds(&v, 1))
		sim_fail("%s: " GUEST " is there, and was refused", who);
	return answer == 'O';
}

static void count(struct conn *c, const char *who)
{
	struct guest_view v = guest_view();
	unsigned least = guest.acknowledged;
	uint64_t n = 0;
	bool knows = guest.counts;
	if (ask(c, "STATUS INBOX (MESSAGES)", &n) != 'O' || !knows || !holds(&v, 1))
		return;
	if (n < least || n > guest.asked)
		sim_fail("%s: " GUEST " has %u messages; %u were acknowledged, %u sent", who,
			(unsigned)n, least, guest.asked);
}

void guest_visit(struct actor *a)
{
	struct conn c;
	struct str line;
	if (conn_open(&c, a, "imap", "127.0.0.1", NULL) && conn_line(&c, &line) &&
		come_in(&c, a->name)) {
		count(&c, a->name);
		ask(&c, "LOGOUT", NULL);
	}
	conn_close(&c);
}
