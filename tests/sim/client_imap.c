// SPDX-License-Identifier: Apache-2.0
/* Users with IMAP programs: read, flag, append, copy, move, delete and wait, several to a mailbox.
 */
#include "guest.h"
#include "imap_session.h"

enum { BATCH = 40 };

void client_imap_fetched(struct user_session *s, const struct user_fetched *f)
{
	if (!f->has_body)
		return;
	if (f->uid == 0)
		sim_fail("%s: a body without its UID", s->actor->name);
	uint32_t n = message_check(f->body, s->account, s->actor->name);
	model_seen(s->account, s->box, f->uid, n);
}

/* A message of the view of which the model knows what it is, or NULL. */
static struct copy *any_known(struct user_session *s)
{
	for (int tries = 0; tries < 10 && s->view.n; tries++) {
		uint32_t uid = *(uint32_t *)vec_at(&s->view, (size_t)dice(s->view.n));
		struct copy *c = uid ? model_at(s->account, s->box, uid) : NULL;
		if (c)
			return c;
	}
	return NULL;
}

static enum user_result do_read(struct user_session *s)
{
	if (s->view.n == 0)
		return user_command(s, "NOOP");
	size_t first = 1 + (size_t)dice(s->view.n), last = first + (size_t)dice(5);
	return user_command(s, "FETCH %zu:%zu (UID FLAGS RFC822.SIZE BODY.PEEK[])", first,
		last < s->view.n ? last : s->view.n);
}

static enum user_result do_list(struct user_session *s)
{
	return user_command(s, "UID FETCH 1:* (UID FLAGS MODSEQ)");
}

static enum user_result do_flag(struct user_session *s)
{
	struct copy *c = any_known(s);
	if (c == NULL)
		return user_command(s, "NOOP");
	/* \Deleted is do_delete's */
	struct model_flag f = model_flag_begin(c, (unsigned)dice(DELETED_FLAG), dice(2));
	enum user_result r = user_command(s, "UID STORE %u %cFLAGS%s (%s)", c->uid,
		f.on ? '+' : '-', dice(2) ? ".SILENT" : "", flag_names[f.flag]);
	model_flag_end(&f, r != USER_CUT, r == USER_OK);
	return r;
}

static enum user_result do_append(struct user_session *s)
{
	uint32_t n = model_next_message();
	unsigned box = (unsigned)dice(BOXES);
	struct room room = room_before(s->account);
	struct copy *c = model_put(s->account, box, n);
	uint8_t flags = dice(2) ? (uint8_t)dice(1 << DELETED_FLAG) : 0;
	model_put_flags(c, flags, (uint8_t)~flags);
	enum user_result r = user_append(s, box_names[box], flags, n);
	if (r == USER_OK) {
		room_granted(&room, 1, message_bytes(n), s->actor->name);
		model_put_acked(c, s->append_uid);
	} else if (r == USER_NO && user_said(s, "[OVERQUOTA]")) {
		room_refused(&room, 1, message_bytes(n), s->actor->name);
		model_put_never(c);
	}
	return r;
}

enum { APPEND_MOST = 3 };

/* What was asked for came to be, or what was refused did not. */
static void appended(struct user_session *s, enum user_result r, const struct room *room,
	struct copy *const *copies, size_t n)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < n; i++)
		bytes += message_bytes(copies[i]->n);
	if (r == USER_OK && s->appended.n != n)
		sim_fail("%s: APPENDUID of %zu messages for %zu", s->actor->name, s->appended.n, n);
	if (r == USER_OK)
		room_granted(room, n, bytes, s->actor->name);
	for (size_t i = 0; i < n && r == USER_OK; i++)
		model_put_acked(copies[i], *(uint32_t *)vec_at(&s->appended, i));
	if (r != USER_NO || !user_said(s, "[OVERQUOTA]"))
		return;
	room_refused(room, n, bytes, s->actor->name);
	for (size_t i = 0; i < n; i++)
		model_put_never(copies[i]);
}

/* All of them or none: RFC 3502. */
static enum user_result do_append_some(struct user_session *s)
{
	uint32_t numbers[APPEND_MOST];
	struct copy *copies[APPEND_MOST];
	size_t n = 2 + (size_t)dice(APPEND_MOST - 1);
	unsigned box = (unsigned)dice(BOXES), step = model_step();
	struct room room = room_before(s->account);
	for (size_t i = 0; i < n; i++) {
		numbers[i] = model_next_message();
		copies[i] = model_put(s->account, box, numbers[i]);
		copies[i]->put_step = step;
	}
	enum user_result r = user_append_all(s, box_names[box], 0, numbers, n);
	appended(s, r, &room, copies, n);
	return r;
}

/* One goes as the other comes: RFC 8508. */
static enum user_result do_replace(struct user_session *s)
{
	struct copy *old = any_known(s);
	if (old == NULL)
		return user_command(s, "NOOP");
	unsigned box = (unsigned)dice(BOXES), step = model_step();
	uint32_t number = model_next_message(), uid = old->uid;
	struct room room = room_before(s->account);
	struct copy *new = model_put(s->account, box, number);
	new->put_step = step;
	model_remove_in_step(old, step);
	enum user_result r = user_append_all(s, box_names[box], uid, &number, 1);
	appended(s, r, &room, &new, 1);
	if (r == USER_OK)
		model_remove_acked(s->account, s->box, uid);
	if (r == USER_NO && user_said(s, "[NONEXISTENT]") && !old->removed_otherwise)
		sim_fail("%s: UID %u can't be replaced, and is there", s->actor->name, uid);
	return r;
}

/* By COPYUID; 0: it did not go over. */
static uint32_t target_of(struct user_session *s, uint32_t source)
{
	for (size_t i = 0; i < s->sources.n; i++)
		if (*(uint32_t *)vec_at(&s->sources, i) == source)
			return *(uint32_t *)vec_at(&s->targets, i);
	return 0;
}

/* What the server says went over did, the rest did not. */
static void copied(
	struct user_session *s, uint32_t source, struct copy *from, struct copy *to, bool move)
{
	uint32_t uid = target_of(s, source);
	if (uid == 0) {
		model_put_never(to);
		return;
	}
	model_put_acked(to, uid);
	if (move)
		model_remove_acked(from->account, from->box, source);
}

/* Those that went over. */
static void room_copied(
	struct user_session *s, const struct room *room, struct copy *const *to, size_t n)
{
	uint64_t messages = 0, bytes = 0;
	for (size_t i = 0; i < n; i++) {
		messages += to[i]->acked;
		bytes += to[i]->acked ? message_bytes(to[i]->n) : 0;
	}
	if (messages)
		room_granted(room, messages, bytes, s->actor->name);
}

static enum user_result do_copy(struct user_session *s)
{
	struct copy *from[3], *to[3];
	uint32_t sources[3];
	char set[100] = "";
	size_t n = 0;
	unsigned box = (unsigned)dice(BOXES);
	bool move = dice(2) && box != s->box;
	for (size_t i = 0; i < 3; i++) {
		struct copy *c = any_known(s);
		bool twice = c == NULL;
		for (size_t k = 0; k < n && !twice; k++)
			twice = from[k] == c;
		if (twice)
			continue;
		snprintf(
			set + strlen(set), sizeof(set) - strlen(set), "%s%u", n ? "," : "", c->uid);
		sources[n] = c->uid;
		from[n++] = c;
	}
	if (n == 0)
		return user_command(s, "NOOP");
	struct room room = room_before(s->account);
	uint64_t bytes = 0;
	for (size_t i = 0; i < n; i++) {
		bytes += message_bytes(from[i]->n);
		to[i] = model_put_copy(from[i], box);
		if (move)
			model_remove_begin(from[i], to[i]);
	}
	enum user_result r = user_command(
		s, "UID %s %s %s", move ? "MOVE" : "COPY", set, box_names[box]);
	if (r == USER_NO && user_said(s, "[OVERQUOTA]") && !move)
		room_refused(&room, n, bytes, s->actor->name);
	else if (r == USER_NO && user_said(s, "[OVERQUOTA]"))
		sim_fail("%s: a move within the account is over its quota", s->actor->name);
	for (size_t i = 0; i < n && r == USER_OK; i++)
		copied(s, sources[i], from[i], to[i], move);
	if (r == USER_OK && !move)
		room_copied(s, &room, to, n);
	return r;
}

static enum user_result do_delete(struct user_session *s)
{
	struct copy *c = any_known(s);
	if (c == NULL)
		return user_command(s, "NOOP");
	uint32_t uid = c->uid;
	struct model_flag f = model_flag_begin(c, DELETED_FLAG, true);
	enum user_result r = user_command(s, "UID STORE %u +FLAGS (\\Deleted)", uid);
	model_flag_end(&f, r != USER_CUT, r == USER_OK);
	c = model_at(s->account, s->box, uid);
	if (r != USER_OK || c == NULL)
		return r;
	unsigned changes = c->flag_changes;
	bool sure = c->flags_on & 1 << DELETED_FLAG;
	model_remove_begin(c, NULL);
	r = user_command(s, "UID EXPUNGE %u", uid);
	/* Unless somebody else took the flag away meanwhile; or it was told. */
	sure = sure && c->uid == uid && c->flag_changes == changes;
	if (r == USER_OK && (sure || !user_sees(s, uid)))
		model_remove_acked(s->account, s->box, uid);
	return r;
}

/* For another time, or not after all. */
static enum user_result do_mark(struct user_session *s)
{
	struct copy *c = any_known(s);
	if (c == NULL)
		return user_command(s, "NOOP");
	struct model_flag f = model_flag_begin(c, DELETED_FLAG, chance(70));
	enum user_result r = user_command(s, "UID STORE %u %cFLAGS%s (\\Deleted)", c->uid,
		f.on ? '+' : '-', dice(2) ? ".SILENT" : "");
	model_flag_end(&f, r != USER_CUT, r == USER_OK);
	return r;
}

/* All of them go: RFC 9051 6.4.3. */
static enum user_result do_expunge(struct user_session *s)
{
	struct model_expunge e = model_expunge_begin(s->account, s->box);
	enum user_result r = user_command(s, "EXPUNGE");
	model_expunge_end(&e, r != USER_CUT, r == USER_OK, user_sees, s);
	return r;
}

/* The same, and none is told: RFC 9051 6.4.1. */
static enum user_result do_close(struct user_session *s)
{
	struct model_expunge e = model_expunge_begin(s->account, s->box);
	enum user_result r = user_command(s, "CLOSE");
	model_expunge_end(&e, r != USER_CUT, r == USER_OK, NULL, NULL);
	if (r == USER_OK)
		user_left(s);
	return r;
}

/* Nothing goes: RFC 9051 6.4.2. */
static enum user_result do_unselect(struct user_session *s)
{
	enum user_result r = user_command(s, "UNSELECT");
	if (r == USER_OK)
		user_left(s);
	return r;
}

static enum user_result do_wait(struct user_session *s)
{
	return dice(2) ? news_ask(s) : user_idle(s, (int64_t)dice(8000));
}

static enum user_result select_and_list(struct user_session *s, unsigned box)
{
	uint64_t asked = model_time();
	enum user_result r = user_select(s, box);
	if (r == USER_OK)
		r = do_list(s);
	if (r == USER_OK && s->box != BOX_NONE)
		model_opened(s->account, s->box, asked, user_sees, s);
	return r;
}

static enum user_result do_reselect(struct user_session *s)
{
	return select_and_list(s, (unsigned)dice(BOXES));
}

/* What would change something is refused, and CLOSE removes nothing: RFC 9051 6.3.3, 6.4.1. */
static enum user_result do_examine(struct user_session *s)
{
	s->examines = true;
	enum user_result r = do_reselect(s);
	s->examines = false;
	if (r != USER_OK) {
		user_left(s); /* it may be open, to be read: nothing is done with it as if it were
				 not */
		return r;
	}
	const char *change = dice(2) || s->view.n == 0 ? "EXPUNGE"
						       : "UID STORE 1:* +FLAGS (\\Seen)";
	r = user_command(s, "%s", change);
	if (r == USER_OK)
		sim_fail("%s: %s was done, and the mailbox was only to be read", s->actor->name,
			change);
	if (r != USER_CUT)
		r = user_command(s, "CLOSE");
	if (r == USER_OK)
		user_left(s);
	return r;
}

static const struct {
	enum user_result (*run)(struct user_session *);
	unsigned weight;
} things[] = { { do_read, 18 }, { client_search_something, 7 }, { do_list, 4 }, { do_flag, 13 },
	{ do_append, 7 }, { do_append_some, 4 }, { do_replace, 3 }, { do_copy, 12 },
	{ do_delete, 6 }, { do_mark, 6 }, { do_expunge, 5 }, { do_close, 3 }, { do_unselect, 1 },
	{ do_examine, 2 }, { do_wait, 5 }, { do_reselect, 4 } };

enum user_result client_imap_something(struct user_session *s)
{
	uint64_t at = dice(100);
	for (size_t i = 0; i < ARRAY_LEN(things); i++) {
		if (at < things[i].weight)
			return things[i].run(s);
		at -= things[i].weight;
	}
	return USER_OK;
}

static void session(struct actor *a)
{
	struct user_session s;
	struct authority by = authority_new((unsigned)dice(USERS));
	if (user_open(&s, a, &by)) {
		s.fetched = client_imap_fetched;
		enum user_result r = select_and_list(&s, dice(2) ? 0 : (unsigned)dice(BOXES));
		for (uint64_t i = 2 + dice(BATCH); i > 0 && r != USER_CUT && !round_over; i--) {
			if (s.box == BOX_NONE)
				r = do_reselect(&s);
			else
				r = client_imap_something(&s);
			actor_sleep(a, (int64_t)dice(r == USER_NO ? 3000 : 600));
		}
		if (r != USER_CUT)
			user_command(&s, "LOGOUT");
	}
	user_close(&s);
}

void client_imap_run(struct actor *a)
{
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(4000));
		if (round_over)
			return;
		if (chance(20))
			guest_visit(a);
		else
			session(a);
	}
}
