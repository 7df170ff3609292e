// SPDX-License-Identifier: Apache-2.0
/*
 * What must be true of all mail, whatever has happened. A copy is one message in one mailbox that
 * somebody asked for; what was answered, what was seen and what was lost with a connection says
 * what it may be now. An audit, when everything rests, makes of "may be" what is.
 *
 *     asked for, not answered     may be there, once
 *     acknowledged, or seen       is there, under one UID, until its removal is asked for
 *     removal asked for           may be there
 *     removal acknowledged        is not there; of a move: is there, and not here
 */
#include "accounts.h"
#include "boxes.h"

const char *const box_names[BOXES] = { "INBOX", "Work", "Archive", "Trash" };
const char *const flag_names[FLAGS] = { "\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$Carried",
	"\\Deleted" };

static struct vec copies; /* struct copy * */
static struct box_told told[ACCOUNTS][BOX_MOST];
static unsigned last_rename, renaming[ACCOUNTS]; /* of INBOX: those that may be under way */
static unsigned undeleting[ACCOUNTS];
static bool forgetting;
static uint32_t last_message;
static uint64_t clock_now;
static unsigned last_step;

#define COPIES(c) VEC_EACH (struct copy *, c, &copies)

const struct vec *model_copies(void)
{
	return &copies;
}

uint32_t model_next_message(void)
{
	return ++last_message;
}

static const char *name_of(const struct copy *c, char room[100])
{
	snprintf(room, 100, "message %u in %s of %s, UID %u", c->n, boxes_name(c->account, c->box),
		account_address(c->account), c->uid);
	return room;
}
#define NAME(c) name_of(c, (char[100]){ 0 })

static bool certain(const struct copy *c)
{
	return c->acked || c->uid != 0;
}

/* By name alone, it may be any of those that come and go. */
bool model_is_in(const struct copy *c, unsigned account, unsigned box)
{
	return c->account == account && !c->never &&
	       (c->box == box || (c->box == BOX_BY_NAME && box >= BOXES));
}

uint64_t model_time(void)
{
	return ++clock_now;
}

struct box_told model_box(unsigned account, unsigned box)
{
	return told[account][box];
}

void model_box_is(unsigned account, unsigned box, uint32_t uidvalidity)
{
	told[account][box].uidvalidity = uidvalidity;
}

/* ---- putting ---- */

static void perhaps_renamed(struct copy *c, unsigned rename);

struct copy *model_put(unsigned account, unsigned box, uint32_t n)
{
	struct copy *c = xmalloc(sizeof(*c));
	*c = (struct copy){ .n = n, .account = account, .box = box, .put_off = UINT8_MAX };
	if (box < BOX_MOST)
		c->uid_floor = told[account][box].uidnext;
	else
		c->may_go = c->removed_otherwise = boxes_deleting(account);
	if (copies.size == 0)
		vec_init(&copies, sizeof(struct copy *), 1000000);
	vec_push(&copies, &c);
	if (box == 0 && renaming[account])
		perhaps_renamed(c, 0);
	return c;
}

/* Only its name was known until now. */
static void resolve(struct copy *c, unsigned box)
{
	if (c->box == BOX_BY_NAME)
		c->box = box;
	if (boxes_may_go(c->account, c->box))
		c->may_go = c->removed_otherwise = true;
}

struct copy *model_at(unsigned account, unsigned box, uint32_t uid)
{
	COPIES(c)
	if ((*c)->uid == uid && model_is_in(*c, account, box))
		return *c;
	return NULL;
}

static void bind(struct copy *c, uint32_t uid)
{
	if (uid < c->uid_floor)
		sim_fail("%s came after UIDNEXT %u was told, and has UID %u", NAME(c), c->uid_floor,
			uid);
	if (c->want_uid && uid != c->want_uid)
		sim_fail("%s was to keep UID %u, and has %u", NAME(c), c->want_uid, uid);
	c->uid = uid;
	c->certain_since = model_time();
}

/* It is what that one was: its UID, and what was asked of it under that. */
static void take_place(struct copy *c, const struct copy *was)
{
	c->uid = was->uid;
	c->may_go = was->may_go;
	c->gone = was->gone;
	c->moved_to = was->moved_to;
	c->together = was->together;
	c->kept_unsure = was->kept_unsure;
	c->kept = was->kept;
	c->back = was->back;
	c->back_sure = was->back_sure;
	c->gone_since = was->gone_since;
	c->removed_otherwise = was->removed_otherwise;
	c->certain_since = was->certain_since;
}

/* Copies of one message in one mailbox whose UIDs were not told are interchangeable: what was seen
 * of one may have been the other. */
static void bind_told(struct copy *c, uint32_t uid)
{
	struct copy *other = model_at(c->account, c->box, uid);
	if (other == c)
		return;
	if (other && other->n != c->n)
		sim_fail("%s: its UID was given to message %u, too", NAME(other), c->n);
	if (other == NULL) {
		if (c->uid)
			sim_fail("%s was put there as UID %u", NAME(c), uid);
		bind(c, uid);
		return;
	}
	struct copy was = *other;
	take_place(other, c);
	take_place(c, &was);
	c->kept_flag_changes = other->kept_flag_changes = UINT32_MAX; /* nobody knows which */
	other->put_on = other->put_off = c->put_on = c->put_off = 0;
	other->flags_on = other->flags_off = c->flags_on = c->flags_off = 0;
}

void model_put_acked(struct copy *c, uint32_t uid)
{
	world.report->acknowledged++;
	c->acked = true;
	c->acked_since = model_time();
	model_take_flags(c);
	if (uid)
		bind_told(c, uid);
}

void model_put_acked_in(struct copy *c, unsigned box, uint32_t uid)
{
	resolve(c, box);
	model_put_acked(c, uid);
}

void model_put_never(struct copy *c)
{
	if (c->uid)
		sim_fail("%s was refused, and seen", NAME(c));
	c->never = true;
}

/* ---- seeing ---- */

/* Which of two copies of a message it rather is that somebody sees under this UID: one that came
 * before the next UID was told to be higher, and then one that must be there, of which else it
 * would be said that it is not. */
static unsigned rank(const struct copy *c, uint32_t uid)
{
	if (c == NULL || uid < c->uid_floor)
		return c ? 1 : 0;
	if (c->want_uid)
		return c->want_uid == uid ? 6 : 1;
	if (c->gone)
		return 2;
	return c->acked ? c->may_go ? 4 : 5 : 3;
}

/* Of two that are alike the later one: the earlier one may have a lower UID, which is yet to be
 * seen. */
static bool better(const struct copy *c, const struct copy *than, uint32_t uid)
{
	unsigned a = rank(c, uid), b = rank(than, uid);
	return a > b || (a == b && c->uid_floor > than->uid_floor);
}

/* One of those whose UIDs were not told is seen, and it may be any. */
static void forget_flags(unsigned account, unsigned box, uint32_t n)
{
	COPIES(at)
	{
		struct copy *c = *at;
		if (model_is_in(c, account, box) && c->uid == 0 && c->n == n)
			c->flags_on = c->flags_off = c->put_on = c->put_off = 0;
	}
}

struct copy *model_seen(unsigned account, unsigned box, uint32_t uid, uint32_t n)
{
	struct copy *found = NULL;
	unsigned others = 0;
	world.report->seen++;
	COPIES(at)
	{
		struct copy *c = *at;
		if (!model_is_in(c, account, box))
			continue;
		if (c->uid == uid) {
			if (c->n != n)
				sim_fail("%s: now it is message %u", NAME(c), n);
			return c;
		}
		others += c->uid == 0 && c->n == n;
		if (c->uid == 0 && c->n == n && better(c, found, uid))
			found = c;
	}
	if (found == NULL)
		sim_fail("message %u is in %s of %s as UID %u, where nobody has put it, or not so "
			 "often",
			n, boxes_name(account, box), account_address(account), uid);
	if (others > 1)
		forget_flags(account, box, n);
	resolve(found, box);
	bind(found, uid);
	return found;
}

void model_told(
	unsigned account, unsigned box, const struct box_told *before, const struct box_told *now)
{
	struct box_told *t = &told[account][box];
	const char *where = boxes_name(account, box), *whose = account_address(account);
	if (t->uidvalidity && now->uidvalidity != t->uidvalidity)
		sim_fail("UIDVALIDITY of %s of %s was %u, is %u", where, whose, t->uidvalidity,
			now->uidvalidity);
	if (now->uidnext < before->uidnext)
		sim_fail("UIDNEXT of %s of %s was %u, is %u", where, whose, before->uidnext,
			now->uidnext);
	if (now->modseq < before->modseq)
		sim_fail("HIGHESTMODSEQ of %s of %s was %llu, is %llu", where, whose,
			(unsigned long long)before->modseq, (unsigned long long)now->modseq);
	t->uidvalidity = now->uidvalidity;
	if (now->uidnext > t->uidnext)
		t->uidnext = now->uidnext;
	if (now->modseq > t->modseq)
		t->modseq = now->modseq;
}

/* ---- removing ---- */

/* With its flags but \Deleted; of those that changed as it went nobody knows. docs/store.md */
static struct copy *put_back(struct copy *c)
{
	struct copy *back = model_put(c->account, c->box < BOXES ? c->box : BOX_BY_NAME, c->n);
	uint8_t deleted = 1 << DELETED_FLAG;
	bool same = c->flag_changes == c->kept_flag_changes;
	model_put_flags(back, same ? c->kept_on & (uint8_t)~deleted : 0,
		deleted | (same ? c->kept_off : 0));
	return back;
}

static void remove_begin(struct copy *c, struct copy *moved_to, unsigned together)
{
	if (!c->may_go) {
		c->kept_on = c->flag_busy ? 0 : c->flags_on;
		c->kept_off = c->flag_busy ? 0 : c->flags_off;
		c->kept_flag_changes = c->flag_changes;
	}
	if (c->may_go || (moved_to == NULL && together == 0))
		c->removed_otherwise = true;
	c->may_go = true;
	c->moved_to = moved_to;
	c->together = together;
	c->kept_unsure |= moved_to != NULL || forgetting;
	if (moved_to == NULL && c->kept == KEPT_NOT && !c->gone) {
		c->kept = KEPT_PERHAPS;
		c->back = undeleting[c->account] ? put_back(c) : NULL;
		c->back_sure = false;
	}
}

void model_remove_begin(struct copy *c, struct copy *moved_to)
{
	remove_begin(c, moved_to, 0);
}

unsigned model_step(void)
{
	return ++last_step;
}

void model_remove_in_step(struct copy *c, unsigned step)
{
	remove_begin(c, NULL, step);
}

void model_remove_acked(unsigned account, unsigned box, uint32_t uid)
{
	struct copy *c = model_at(account, box, uid);
	if (c == NULL || c->gone)
		return;
	c->gone = true;
	c->gone_since = model_time();
	if (!c->kept_unsure)
		c->kept = KEPT;
}

void model_delete_box(unsigned account, unsigned box)
{
	size_t n = copies.n; /* what may be put back meanwhile is not looked at */
	for (size_t i = 0; i < n; i++) {
		struct copy *c = *(struct copy **)vec_at(&copies, i);
		if (c->account == account && c->box == box && !c->never)
			remove_begin(c, NULL, 0);
	}
}

/* ---- INBOX under another name: RFC 9051 6.3.6 ---- */

static void perhaps_renamed(struct copy *c, unsigned rename)
{
	struct copy *to = model_put_copy(c, BOX_BY_NAME);
	to->renamed = rename;
	remove_begin(c, to, 0);
}

struct inbox_rename model_inbox_rename_begin(unsigned account)
{
	struct inbox_rename r = {
		.account = account, .number = ++last_rename, .asked = model_time()
	};
	size_t n = copies.n;
	for (size_t i = 0; i < n; i++) {
		struct copy *c = *(struct copy **)vec_at(&copies, i);
		if (model_is_in(c, account, 0) && !c->gone)
			perhaps_renamed(c, r.number);
	}
	renaming[account]++;
	return r;
}

/* What was certainly there before it was asked for is not there any more. */
static void renamed(struct copy *c, const struct inbox_rename *r)
{
	uint64_t since = c->acked ? c->acked_since : c->certain_since;
	if (certain(c) && since < r->asked && !c->gone) {
		if (!c->removed_otherwise)
			model_put_acked(c->moved_to, 0);
		c->gone = true;
		c->gone_since = model_time();
	}
}

void model_inbox_rename_end(const struct inbox_rename *r, bool answered, bool done, bool refused)
{
	size_t n = copies.n;
	renaming[r->account] -= answered;
	for (size_t i = 0; i < n && answered; i++) {
		struct copy *c = *(struct copy **)vec_at(&copies, i);
		struct copy *to = c->moved_to;
		if (c->account != r->account || to == NULL || to->renamed != r->number)
			continue;
		if (done)
			renamed(c, r);
		else if (refused && to->uid == 0)
			to->never = true;
	}
}

/* ---- deleted messages ---- */

/* Somebody may be deleting it just now. */
static bool being_deleted(const struct copy *c)
{
	return c->may_go && !c->gone && !c->never;
}

void model_undelete_begin(unsigned account)
{
	size_t n = copies.n; /* what is put here is not looked at */
	undeleting[account]++;
	for (size_t i = 0; i < n; i++) {
		struct copy *c = *(struct copy **)vec_at(&copies, i);
		if (c->account != account || c->kept == KEPT_NOT)
			continue;
		c->back = put_back(c);
		c->back_sure = !being_deleted(c);
	}
}

void model_undelete_end(unsigned account, bool answered, bool done)
{
	undeleting[account] -= answered;
	COPIES(at)
	{
		struct copy *c = *at;
		if (c->account != account || c->back == NULL)
			continue;
		bool sure = done && c->back_sure && !being_deleted(c);
		if (done && c->back_sure && c->kept == KEPT) {
			model_put_acked(c->back, 0);
			world.report->undeleted++;
		}
		c->kept = sure ? KEPT_NOT : KEPT_PERHAPS;
		c->kept_unsure |= !sure; /* and was put back, perhaps */
		c->back = NULL;
	}
}

void model_forget_begin(void)
{
	forgetting = true;
	COPIES(at)
	{
		struct copy *c = *at;
		c->kept_long = c->kept == KEPT;
		if (c->kept == KEPT)
			c->kept = KEPT_PERHAPS;
		c->kept_unsure |= being_deleted(c);
	}
}

void model_forget_end(bool done)
{
	forgetting = false;
	COPIES(at)
	{
		struct copy *c = *at;
		if (done && c->kept_long)
			c->kept = KEPT_NOT;
		c->kept_unsure |= !done && c->kept_long;
		c->kept_long = false;
	}
}

void model_expect(uint64_t began, struct vec *ret)
{
	COPIES(at)
	{
		const struct copy *c = *at;
		bool gone = c->gone && c->gone_since < began;
		bool there = !c->never && !c->may_go && c->certain_since < began;
		struct expected e = {
			.account = c->account, .box = c->box, .uid = c->uid, .n = c->n, .gone = gone
		};
		if (c->uid && (gone || there))
			vec_push(ret, &e);
	}
}

/* ---- sums ---- */

static void add(struct quota *q, const struct copy *c)
{
	q->messages++;
	q->bytes += message_bytes(c->n);
}

struct quota model_holds_least(unsigned account, uint64_t asked)
{
	struct quota q = { 0 };
	COPIES(at)
	{
		const struct copy *c = *at;
		uint64_t since = c->acked ? c->acked_since : c->certain_since;
		if (c->account == account && !c->never && certain(c) && since < asked && !c->may_go)
			add(&q, c);
	}
	return q;
}

struct quota model_holds_most(unsigned account, uint64_t asked)
{
	struct quota q = { 0 };
	COPIES(at)
	{
		const struct copy *c = *at;
		if (c->account == account && !c->never && !(c->gone && c->gone_since < asked))
			add(&q, c);
	}
	return q;
}

/* ---- lists ---- */

void model_listed(unsigned account, unsigned box, uint64_t asked,
	bool (*has)(void *arg, uint32_t uid), void *arg)
{
	COPIES(at)
	{
		const struct copy *c = *at;
		if (model_is_in(c, account, box) && c->uid && c->certain_since < asked &&
			!c->may_go && !has(arg, c->uid))
			sim_fail("%s was there before, and is not listed", NAME(c));
	}
}

void model_opened(unsigned account, unsigned box, uint64_t asked,
	bool (*has)(void *arg, uint32_t uid), void *arg)
{
	model_listed(account, box, asked, has, arg);
	COPIES(at)
	{
		const struct copy *c = *at;
		if (model_is_in(c, account, box) && c->uid && c->gone && c->gone_since < asked &&
			has(arg, c->uid))
			sim_fail("%s was removed before, and is listed", NAME(c));
	}
}

void model_numbers(
	unsigned account, unsigned box, uint64_t asked, size_t *ret_least, size_t *ret_most)
{
	*ret_least = *ret_most = 0;
	COPIES(at)
	{
		const struct copy *c = *at;
		uint64_t since = c->acked ? c->acked_since : c->certain_since;
		if (!model_is_in(c, account, box))
			continue;
		*ret_least += certain(c) && since < asked && !c->may_go && c->box == box;
		*ret_most += !(c->gone && c->gone_since < asked);
	}
}

/* ---- audits ---- */

void model_audit_begin(unsigned account)
{
	COPIES(c)
	if ((*c)->account == account)
		(*c)->present = false;
}

static void audit_flags(struct copy *c, uint8_t flags)
{
	for (int i = 0; i < FLAGS; i++) {
		bool on = flags & 1 << i;
		if ((on && c->flags_off & 1 << i) || (!on && c->flags_on & 1 << i))
			sim_fail("%s: %s is %s", NAME(c), flag_names[i], on ? "set" : "not set");
	}
	c->flags_on = flags;
	c->flags_off = (uint8_t)~flags;
	c->flag_busy = 0;
}

void model_audit_entry(unsigned account, unsigned box, uint32_t uid, uint32_t n, uint8_t flags)
{
	struct copy *c = model_seen(account, box, uid, n);
	if (c->gone)
		sim_fail("%s was removed, and is there", NAME(c));
	c->present = true;
	audit_flags(c, flags);
}

/* The same message may have been copied there, too, without an answer: then what is there may be
 * taken for that copy. */
static bool is_there(const struct copy *to)
{
	COPIES(at)
	{
		const struct copy *c = *at;
		bool there = model_is_in(c, to->account, to->box) ||
			     (to->box == BOX_BY_NAME && c->account == to->account &&
				     c->box >= BOXES && !c->never);
		if (c->n == to->n && there && c->present && !c->acked)
			return true;
	}
	return to->present;
}

/* A move is one step: what did not stay here is there. */
static void audit_absent(const struct copy *c)
{
	if (!certain(c))
		return;
	if (!c->may_go)
		sim_fail("%s is gone", NAME(c));
	const struct copy *to = c->moved_to;
	if (to && !c->removed_otherwise && !is_there(to) && !to->may_go)
		sim_fail("%s was to be moved to %s: it is in neither", NAME(c),
			boxes_name(to->account, to->box));
}

/* And what is there did not stay here; as long as no other copy may have been taken for it. */
static void audit_moved(const struct copy *c)
{
	const struct copy *to = c->moved_to;
	unsigned others = 0;
	COPIES(at)
	others += *at != to && (*at)->n == to->n && model_is_in(*at, to->account, to->box);
	if (to->present && others == 0)
		sim_fail("%s was moved to %s: it is in both", NAME(c),
			boxes_name(to->account, to->box));
}

/* Whether its part of a step was done; -1: nobody can tell. */
static int step_done(const struct copy *c, unsigned step)
{
	if (c->together == step)
		return c->removed_otherwise ? -1 : !c->present;
	if (c->put_step == step)
		return c->may_go ? -1 : c->present;
	return -1;
}

static void audit_step(const struct copy *c, unsigned step)
{
	int done = step ? step_done(c, step) : -1;
	COPIES(at)
	{
		const struct copy *other = *at;
		int others = done < 0 || other->never ? -1 : step_done(other, step);
		if (others >= 0 && others != done)
			sim_fail("%s was to come or go in one step with message %u, UID %u, and "
				 "one of the two did",
				NAME(c), other->n, other->uid);
	}
}

void model_audit_end(unsigned account)
{
	COPIES(at)
	{
		const struct copy *c = *at;
		if (c->account == account && !c->never && !c->present)
			audit_absent(c);
		if (c->account == account && !c->never) {
			audit_step(c, c->together);
			audit_step(c, c->put_step);
		}
		if (c->account == account && c->present && c->moved_to && !c->never)
			audit_moved(c);
	}
	renaming[account] = undeleting[account] = 0;
	model_expunge_audited(account);
	COPIES(at)
	{
		struct copy *c = *at;
		if (c->account != account || c->never)
			continue;
		if (c->present)
			c->kept = KEPT_NOT;
		else if (c->kept != KEPT_NOT && !c->kept_unsure && certain(c))
			c->kept = KEPT;
		c->kept_unsure = c->kept_unsure && !c->present;
		if (!c->present)
			c->never = true; /* and will never be */
		c->may_go = c->removed_otherwise = false;
		c->moved_to = c->back = NULL;
		c->together = c->put_step = 0;
	}
}
