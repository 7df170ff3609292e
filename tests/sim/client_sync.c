// SPDX-License-Identifier: Apache-2.0
/*
 * Users whose program keeps a copy of each mailbox and brings it up to date by QRESYNC, then looks
 * whether it is what the server has; changes flags only where nobody else has (UNCHANGEDSINCE), and
 * asks for what has changed (CHANGEDSINCE). RFC 7162
 */
#include "imap_session.h"

enum { KNOWN_MOST = 100000, PROGRAMS = 64 };

struct known {
	uint32_t uid;
	uint8_t flags;
	uint64_t modseq;
};

/* What one program has of one mailbox: it keeps it over all its sessions. */
struct cache {
	uint32_t uidvalidity; /* 0: nothing yet */
	uint64_t modseq;
	struct vec known; /* struct known, by UID */
};
static struct cache caches[PROGRAMS][ACCOUNTS][BOXES];

/* What a session collects. */
struct sync {
	struct vec known;    /* struct known: as the session was told */
	struct vec vanished; /* uint32_t: of VANISHED (EARLIER) */
};

static size_t place(const struct vec *v, uint32_t uid)
{
	size_t low = 0, high = v->n;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (((struct known *)vec_at(v, middle))->uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct known *find(const struct vec *v, uint32_t uid)
{
	size_t i = place(v, uid);
	struct known *k = i < v->n ? vec_at(v, i) : NULL;
	return k && k->uid == uid ? k : NULL;
}

static struct known *find_or_add(struct vec *v, uint32_t uid)
{
	struct known *k = find(v, uid), new = { .uid = uid };
	if (k)
		return k;
	size_t i = place(v, uid);
	vec_push(v, &new);
	for (size_t at = v->n - 1; at > i; at--) {
		struct known *to = vec_at(v, at), *from = vec_at(v, at - 1), swap = *to;
		*to = *from;
		*from = swap;
	}
	return vec_at(v, i);
}

static void copy_known(struct vec *to, const struct vec *from)
{
	vec_clear(to);
	VEC_EACH (struct known, k, from)
		vec_push(to, k);
}

/* ---- what the server says ---- */

static void on_fetched(struct user_session *s, const struct user_fetched *f)
{
	struct sync *y = s->arg;
	if (f->uid == 0 || f->modseq == 0)
		sim_fail("%s: FETCH without UID and MODSEQ: %.100s", s->actor->name, s->response.p);
	struct known *k = find_or_add(&y->known, f->uid);
	if (f->modseq < k->modseq)
		sim_fail("%s: MODSEQ of UID %u was %llu, is %llu", s->actor->name, f->uid,
			(unsigned long long)k->modseq, (unsigned long long)f->modseq);
	if (f->has_flags) /* not for .SILENT: RFC 7162 3.1.3 */
		k->flags = f->flags;
	k->modseq = f->modseq;
	model_modseq(s->account, s->box, f->uid, f->modseq);
}

static void on_vanished(struct user_session *s, uint32_t uid, bool earlier)
{
	struct sync *y = s->arg;
	struct known *k = find(&y->known, uid);
	if (earlier)
		vec_push(&y->vanished, &uid);
	if (k)
		vec_remove(&y->known, place(&y->known, uid));
}

/* ---- bringing the copy up to date ---- */

/* Everything that is there, and nothing else, is known now. */
static void fill_view(struct user_session *s)
{
	struct sync *y = s->arg;
	if (y->known.n != s->view.n)
		sim_fail("%s: after QRESYNC the program has %zu messages of %s, and there are %zu",
			s->actor->name, y->known.n, box_names[s->box], s->view.n);
	for (size_t i = 0; i < s->view.n; i++) {
		uint32_t *at = vec_at(&s->view, i),
			 uid = ((struct known *)vec_at(&y->known, i))->uid;
		if (*at && *at != uid)
			sim_fail("%s: after QRESYNC message %zu of %s has UID %u, and %u was told",
				s->actor->name, i + 1, box_names[s->box], uid, *at);
		*at = uid;
	}
}

/* Up to the modseq that SELECT told nothing differs from what QRESYNC made of the copy. */
static void compare(struct user_session *s, const struct vec *synced, uint64_t modseq)
{
	struct sync *y = s->arg;
	VEC_EACH (struct known, k, &y->known) {
		const struct known *had = find(synced, k->uid);
		if (k->modseq <= modseq &&
			(had == NULL || had->flags != k->flags || had->modseq != k->modseq))
			sim_fail("%s: UID %u of %s has flags %x, modseq %llu; QRESYNC made %x, "
				 "%llu of it",
				s->actor->name, k->uid, box_names[s->box], k->flags,
				(unsigned long long)k->modseq, had ? had->flags : 0,
				(unsigned long long)(had ? had->modseq : 0));
	}
	VEC_EACH (struct known, had, synced)
		if (user_sees(s, had->uid) && find(&y->known, had->uid) == NULL)
			sim_fail("%s: UID %u of %s is there and was not listed", s->actor->name,
				had->uid, box_names[s->box]);
}

static enum user_result list(struct user_session *s)
{
	struct sync *y = s->arg;
	vec_clear(&y->known);
	return user_command(s, "UID FETCH 1:* (UID FLAGS MODSEQ)");
}

static enum user_result open_box(struct user_session *s, struct cache *c, unsigned box)
{
	struct sync *y = s->arg;
	char parameters[100] = "(CONDSTORE)";
	bool again = c->uidvalidity != 0;
	uint64_t asked = model_time();
	if (again)
		snprintf(parameters, sizeof(parameters), "(QRESYNC (%u %llu))", c->uidvalidity,
			(unsigned long long)c->modseq);
	copy_known(&y->known, &c->known);
	vec_clear(&y->vanished);
	enum user_result r = user_select_with(s, box, parameters);
	if (r != USER_OK)
		return r;
	uint64_t modseq = s->told.modseq;
	if (again)
		fill_view(s);
	struct vec synced;
	vec_init(&synced, sizeof(struct known), KNOWN_MOST);
	copy_known(&synced, &y->known);
	r = list(s);
	if (r == USER_OK && again)
		compare(s, &synced, modseq);
	vec_done(&synced);
	if (r != USER_OK)
		return r;
	model_opened(s->account, box, asked, user_sees, s);
	c->uidvalidity = s->told.uidvalidity;
	c->modseq = modseq;
	copy_known(&c->known, &y->known);
	return USER_OK;
}

/* ---- what has changed since ---- */

static enum user_result do_changes(struct user_session *s)
{
	struct sync *y = s->arg;
	struct vec before;
	if (y->known.n == 0)
		return user_command(s, "NOOP");
	const struct known *any = vec_at(&y->known, (size_t)dice(y->known.n));
	uint64_t since = any->modseq;
	vec_init(&before, sizeof(struct known), KNOWN_MOST);
	copy_known(&before, &y->known);
	vec_clear(&y->known);
	vec_clear(&y->vanished);
	enum user_result r = user_command(s, "UID FETCH 1:* (FLAGS) (CHANGEDSINCE %llu%s)",
		(unsigned long long)since, dice(2) ? " VANISHED" : "");
	VEC_EACH (struct known, had, &before) {
		struct known *now = find(&y->known, had->uid);
		bool there = user_sees(s, had->uid);
		const struct copy *c = model_at(s->account, s->box, had->uid);
		bool leaves = c && c->may_go; /* and that is yet to be told */
		if (r == USER_OK && there && now == NULL && had->modseq > since && !leaves)
			sim_fail("%s: UID %u of %s has modseq %llu and has not changed since %llu",
				s->actor->name, had->uid, box_names[s->box],
				(unsigned long long)had->modseq, (unsigned long long)since);
		if (there && now == NULL)
			*find_or_add(&y->known, had->uid) = *had;
	}
	VEC_EACH (uint32_t, uid, &y->vanished)
		if (user_sees(s, *uid))
			sim_fail("%s: UID %u of %s vanished, and is there", s->actor->name, *uid,
				box_names[s->box]);
	vec_done(&before);
	return r;
}

/* Only when nobody has changed it since it was looked at, or since longer ago than that. */
static enum user_result do_careful_flag(struct user_session *s)
{
	struct sync *y = s->arg;
	const struct known *k = y->known.n ? vec_at(&y->known, (size_t)dice(y->known.n)) : NULL;
	struct copy *c = k ? model_at(s->account, s->box, k->uid) : NULL;
	if (c == NULL)
		return user_command(s, "NOOP");
	uint32_t uid = k->uid;
	uint64_t since = chance(70) ? k->modseq : k->modseq - 1, known = c->modseq;
	struct model_flag f = model_flag_begin(c, (unsigned)dice(DELETED_FLAG), dice(2));
	enum user_result r = user_command(s, "UID STORE %u (UNCHANGEDSINCE %llu) %cFLAGS%s (%s)",
		uid, (unsigned long long)since, f.on ? '+' : '-', dice(2) ? ".SILENT" : "",
		flag_names[f.flag]);
	bool kept_back = r == USER_OK && user_was_modified(s, uid);
	model_flag_end(&f, r != USER_CUT, r == USER_OK && !kept_back);
	if (r != USER_OK)
		return r;
	if (!kept_back && known > since && !c->may_go)
		sim_fail("%s: UID %u of %s was changed: unchanged since %llu, and its modseq was "
			 "%llu",
			s->actor->name, uid, box_names[s->box], (unsigned long long)since,
			(unsigned long long)known);
	if (!kept_back)
		return r;
	r = user_command(s, "UID FETCH %u (FLAGS MODSEQ)", uid);
	k = find(&y->known, uid);
	if (r == USER_OK && k && user_sees(s, uid) && k->modseq <= since)
		sim_fail("%s: UID %u of %s was kept back as modified since %llu, and has modseq "
			 "%llu",
			s->actor->name, uid, box_names[s->box], (unsigned long long)since,
			(unsigned long long)k->modseq);
	return r;
}

static enum user_result do_something(struct user_session *s)
{
	uint64_t at = dice(100);
	if (at < 40)
		return do_careful_flag(s);
	if (at < 70)
		return do_changes(s);
	return at < 85 ? user_command(s, "NOOP") : user_idle(s, (int64_t)dice(4000));
}

/* ---- a session ---- */

static void session(struct actor *a)
{
	struct user_session s;
	struct sync y;
	struct authority by = authority_new((unsigned)dice(USERS));
	vec_init(&y.known, sizeof(struct known), KNOWN_MOST);
	vec_init(&y.vanished, sizeof(uint32_t), KNOWN_MOST);
	enum user_result r = user_open(&s, a, &by) ? user_command(&s, "ENABLE QRESYNC") : USER_CUT;
	s.fetched = on_fetched;
	s.vanished = on_vanished;
	s.qresync = r == USER_OK;
	s.arg = &y;
	for (uint64_t boxes = 1 + dice(3); boxes > 0 && r == USER_OK && !round_over; boxes--) {
		unsigned box = dice(2) ? 0 : (unsigned)dice(BOXES);
		r = open_box(&s, &caches[a->number][s.account][box], box);
		for (uint64_t i = dice(10); i > 0 && r == USER_OK && !round_over; i--) {
			r = do_something(&s);
			actor_sleep(a, (int64_t)dice(800));
		}
	}
	if (r != USER_CUT)
		user_command(&s, "LOGOUT");
	user_close(&s);
	vec_done(&y.known);
	vec_done(&y.vanished);
}

void client_sync_run(struct actor *a)
{
	for (unsigned i = 0; i < ACCOUNTS * BOXES; i++) {
		struct vec *known = &caches[a->number][i / BOXES][i % BOXES].known;
		if (known->size == 0)
			vec_init(known, sizeof(struct known), KNOWN_MOST);
	}
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(4000));
		if (!round_over)
			session(a);
	}
}
