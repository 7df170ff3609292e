// SPDX-License-Identifier: Apache-2.0
/* Users who tidy up: they make, rename and delete mailboxes, rename INBOX, subscribe and
 * unsubscribe, and put mail into what they made, while others have it selected. RFC 9051 6.3.4
 * to 6.3.8 */
#include "boxes.h"
#include "imap_session.h"

static bool is_there_already(const struct user_session *s, enum user_result r)
{
	return r == USER_NO && user_said(s, "[ALREADYEXISTS]");
}

static bool is_not_there(const struct user_session *s, enum user_result r)
{
	return r == USER_NO && user_said(s, "[NONEXISTENT]");
}

/* What is above a name that comes to be is made with it: RFC 9051 6.3.4. */
struct making {
	struct slot_change name, above;
	bool has_above;
};

static struct making make_begin(unsigned account, unsigned slot)
{
	struct making m = { .has_above = slot_is_below(slot) };
	m.name = slot_begin(account, slot);
	if (m.has_above)
		m.above = slot_begin(account, slot - ABOVE);
	return m;
}

/* exists: that it is there is why it is refused. */
static void make_end(const struct making *m, enum user_result r, bool exists)
{
	slot_end(&m->name, r != USER_CUT, r == USER_OK || exists, true);
	if (m->has_above)
		slot_end(&m->above, r != USER_CUT, r == USER_OK, true);
}

static enum user_result do_create(struct user_session *s, unsigned slot)
{
	struct making m = make_begin(s->account, slot);
	enum user_result r = user_command(s, "CREATE %s", slot_names[slot]);
	make_end(&m, r, is_there_already(s, r));
	return r;
}

static enum user_result do_delete(struct user_session *s, unsigned slot)
{
	struct slot_change c = slot_begin(s->account, slot);
	boxes_delete_begin(s->account, slot);
	enum user_result r = user_command(s, "DELETE %s", slot_names[slot]);
	boxes_delete_end(s->account, r != USER_CUT);
	slot_end(&c, r != USER_CUT, r == USER_OK || is_not_there(s, r), false);
	return r;
}

/* What is below goes along, and then none of it may be there already. RFC 9051 6.3.6 */
static enum user_result rename_above(struct user_session *s, unsigned slot, unsigned to)
{
	struct slot_change a = slot_begin(s->account, slot), b = slot_begin(s->account, to);
	struct slot_change below_a = slot_begin(s->account, slot + ABOVE),
			   below_b = slot_begin(s->account, to + ABOVE);
	boxes_rename_begin(s->account, slot, to);
	enum user_result r = user_command(s, "RENAME %s %s", slot_names[slot], slot_names[to]);
	bool answered = r != USER_CUT;
	slot_end(&a, answered, r == USER_OK || is_not_there(s, r), false);
	slot_end(&b, answered, r == USER_OK, true);
	slot_end(&below_a, answered, r == USER_OK, false);
	slot_end(&below_b, answered, false, true);
	return r;
}

static enum user_result do_rename(struct user_session *s, unsigned slot)
{
	unsigned others = slot_is_below(slot) ? SLOTS : ABOVE;
	unsigned to = (slot + 1 + (unsigned)dice(others - 1)) % others;
	if (!slot_is_below(slot))
		return rename_above(s, slot, to);
	struct slot_change a = slot_begin(s->account, slot);
	struct making m = make_begin(s->account, to);
	boxes_rename_begin(s->account, slot, to);
	enum user_result r = user_command(s, "RENAME %s %s", slot_names[slot], slot_names[to]);
	slot_end(&a, r != USER_CUT, r == USER_OK || is_not_there(s, r), false);
	make_end(&m, r, is_there_already(s, r));
	return r;
}

static enum user_result do_rename_inbox(struct user_session *s, unsigned slot)
{
	struct making m = make_begin(s->account, slot);
	struct inbox_rename rename = model_inbox_rename_begin(s->account);
	enum user_result r = user_command(s, "RENAME INBOX %s", slot_names[slot]);
	bool refused = r == USER_NO && !user_said(s, "[UNAVAILABLE]"); /* or else who knows */
	model_inbox_rename_end(&rename, r != USER_CUT, r == USER_OK, refused);
	make_end(&m, r, is_there_already(s, r));
	return r;
}

static enum user_result do_append(struct user_session *s, unsigned slot)
{
	uint32_t n = model_next_message();
	struct room room = room_before(s->account);
	struct copy *c = model_put(s->account, BOX_BY_NAME, n);
	enum user_result r = user_append(s, slot_names[slot], 0, n);
	if (r == USER_OK) {
		room_granted(&room, 1, message_bytes(n), s->actor->name);
		model_put_acked_in(c, boxes_find(s->account, s->append_validity), s->append_uid);
	} else if (r == USER_NO && user_said(s, "[OVERQUOTA]")) {
		room_refused(&room, 1, message_bytes(n), s->actor->name);
		model_put_never(c);
	}
	return r;
}

/* One message, from what is selected. */
static enum user_result do_move(struct user_session *s, unsigned slot)
{
	uint32_t uid = s->view.n ? *(uint32_t *)vec_at(&s->view, (size_t)dice(s->view.n)) : 0;
	struct copy *from = uid ? model_at(s->account, s->box, uid) : NULL;
	bool move = dice(2);
	if (from == NULL)
		return user_command(s, "NOOP");
	struct copy *to = model_put_copy(from, BOX_BY_NAME);
	if (move)
		model_remove_begin(from, to);
	enum user_result r = user_command(
		s, "UID %s %u %s", move ? "MOVE" : "COPY", uid, slot_names[slot]);
	if (r != USER_OK)
		return r;
	if (s->targets.n == 0) {
		model_put_never(to);
		return r;
	}
	model_put_acked_in(
		to, boxes_find(s->account, s->copy_validity), *(uint32_t *)vec_at(&s->targets, 0));
	if (move)
		model_remove_acked(s->account, from->box, uid);
	return r;
}

/* Who opens one by a name that is known to be one, or none, hears that. */
static enum user_result do_select(struct user_session *s, unsigned slot)
{
	unsigned changes = slot_changes(s->account, slot);
	int exists = slot_exists(s->account, slot);
	uint64_t asked = model_time();
	enum user_result r = user_select_named(s, slot_names[slot]);
	if (slot_changes(s->account, slot) != changes)
		exists = -1;
	if ((exists == 1 && is_not_there(s, r)) || (exists == 0 && r == USER_OK))
		sim_fail("%s: %s of %s %s", s->actor->name, slot_names[slot],
			account_address(s->account),
			r == USER_OK ? "was deleted, and is there" : "is not there");
	if (r == USER_OK)
		r = user_command(s, "UID FETCH 1:* (UID FLAGS BODY.PEEK[])");
	if (r == USER_OK && s->box != BOX_NONE)
		model_opened(s->account, s->box, asked, user_sees, s);
	return r;
}

static enum user_result do_subscribe(struct user_session *s, unsigned slot)
{
	unsigned box = 1 + slot % (BOXES - 1);
	bool on = dice(2);
	unsigned change = boxes_subscribe_begin(s->account, box);
	enum user_result r = user_command(
		s, "%s %s", on ? "SUBSCRIBE" : "UNSUBSCRIBE", box_names[box]);
	boxes_subscribe_end(s->account, box, change, r != USER_CUT, r == USER_OK, on);
	return r;
}

static enum user_result do_note(struct user_session *s, unsigned slot)
{
	(void)slot;
	return client_notes_something(s);
}

static const struct {
	enum user_result (*run)(struct user_session *, unsigned slot);
	unsigned weight;
} things[] = { { do_create, 18 }, { do_note, 6 }, { do_delete, 12 }, { do_rename, 14 },
	{ do_rename_inbox, 8 }, { do_append, 12 }, { do_move, 12 }, { do_select, 14 },
	{ do_subscribe, 4 } };

static enum user_result do_something(struct user_session *s)
{
	uint64_t at = dice(100);
	for (size_t i = 0; i < ARRAY_LEN(things); i++) {
		if (at < things[i].weight)
			return things[i].run(s, (unsigned)dice(chance(70) ? ABOVE : SLOTS));
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
		enum user_result r = user_select(&s, 0);
		for (uint64_t i = 2 + dice(30); i > 0 && r != USER_CUT && !round_over; i--) {
			if (s.box != BOX_NONE && dice(2))
				r = client_imap_something(&s);
			else
				r = do_something(&s);
			actor_sleep(a, (int64_t)dice(r == USER_NO ? 2000 : 600));
		}
		if (r != USER_CUT)
			user_command(&s, "LOGOUT");
	}
	user_close(&s);
}

void client_boxes_run(struct actor *a)
{
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(4000));
		if (!round_over)
			session(a);
	}
}
