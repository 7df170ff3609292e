// SPDX-License-Identifier: Apache-2.0
/* Random walks of clients that keep a cache: two sessions on one mailbox, commands sent ahead,
 * NOTIFY, and a store that goes, or does not say what is new, in the middle of anything. What a
 * client may ask to be brought up from (RFC 7162 6: the highest MODSEQ of a command's FETCHes,
 * unless HIGHESTMODSEQ says another) is held against what the store has, when all is answered: of
 * what changed up to then the client has heard. CULVER_WALKS=n does n of them, CULVER_WALK=n the
 * nth alone, and says what is said. */
#include "base/scan.h"
#include "base/test.h"
#include "imap/dialogue.h"
#include "imap/imap_private.h"
#include "imap/seqset.h"

enum { WALKS = 3000, STEPS = 60, MOST = 200 };

static const char *const names[] = { "\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft",
	"K0", "K1", "K2" };
static const uint8_t bits[] = { FLAG_ANSWERED, FLAG_FLAGGED, FLAG_DELETED, FLAG_SEEN, FLAG_DRAFT };
enum { UNKNOWN = 1 << 15 };

struct message {
	uint32_t uid;
	unsigned flags;
	bool told; /* in this command */
};

struct asked {
	char tag[16];
	bool stores, silent, by_uid, selects, idles, resyncs;
	bool enables_condstore, enables_qresync, notifies;
	uint32_t uids[MOST];
	size_t n_uids;
	char mode;
	unsigned flags;
	struct message was[MOST]; /* what is known, when QRESYNC asks for the rest */
	size_t n_was;
};

enum { AHEAD = 3 };

struct client {
	int number;
	bool selected, condstore, qresync;
	bool behind; /* nothing is told now, and what a FETCH said of MODSEQ is not looked at here
		      */
	struct message messages[MOST];
	size_t n;
	uint64_t highest, heard, said;
	struct asked making, asked[AHEAD]; /* the first of which is at work */
	size_t n_asked;
};

static bool loud, notifies;
static uint64_t seed_now;

static unsigned pick(struct fake *f, unsigned n)
{
	uint32_t r;

	f->random.seam.fill(&f->random.seam, &r, sizeof r);
	return r % n;
}

/* ---- the store ---- */

static unsigned flags_of(struct fake_box *b, const struct api_entry *e)
{
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_LEN(bits); i++)
		flags |= (e->flags & bits[i]) != 0 ? 1U << i : 0;
	for (size_t k = 0; k < b->n_keywords && k < 64; k++)
		for (size_t i = ARRAY_LEN(bits); i < ARRAY_LEN(names); i++)
			if ((e->keywords_low >> k & 1) != 0 &&
				strcmp(b->keywords[k], names[i]) == 0)
				flags |= 1U << i;
	return flags;
}

static void die(struct fake *f)
{
	struct fake_answer now[64];
	size_t n = 0;

	if (loud)
		print_message("-- the store goes\n");
	while (f->answers.n > 0) {
		struct fake_answer a = *(struct fake_answer *)(void *)vec_at(&f->answers, 0);
		bool known = a.request == 0;

		vec_remove(&f->answers, 0);
		for (size_t i = 0; i < n; i++)
			known = known || (now[i].request == a.request && now[i].to == a.to);
		if (!known && n < ARRAY_LEN(now))
			now[n++] = a;
		buf_done(&a.frame);
	}
	f->away = true;
	for (size_t i = 0; i < n; i++) {
		const struct frame failed = { .type = FRAME_FAILED,
			.failed = { ERR_TEMP, STR_INIT("away") } };

		if (now[i].to != NULL)
			now[i].to->class->answer(now[i].to, now[i].request, &failed);
	}
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		f->clients[c].watched = 0;
		if (f->clients[c].session != NULL)
			f->clients[c].session->class->store_lost(f->clients[c].session);
	}
}

/* ---- what a client hears ---- */

static void wrong(const struct client *c, const char *what, uint32_t uid)
{
	fail_msg("walk %llu: client %d, up to %llu, %s UID %u", (unsigned long long)seed_now,
		c->number, (unsigned long long)c->highest, what, uid);
}

static struct message *by_uid(struct client *c, uint32_t uid)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->messages[i].uid == uid)
			return &c->messages[i];
	return NULL;
}

/* Of what the client may say it knows, nothing is otherwise. */
static void check(struct fake *f, const struct client *c)
{
	struct fake_box *b = &f->boxes[0];

	if (!c->selected || !c->condstore)
		return;
	for (size_t i = 0; i < c->n; i++) {
		const struct message *m = &c->messages[i];

		for (size_t k = 0; m->uid != 0 && k < b->entries.n; k++) {
			const struct fake_entry *e = fake_entry(b, k);

			if (e->e.uid != m->uid || e->e.modseq > c->highest)
				continue;
			if (e->gone && c->qresync)
				wrong(c, "was not told of the end of", m->uid);
			if (!e->gone && m->flags != UNKNOWN && m->flags != flags_of(b, &e->e))
				wrong(c, "was not told the flags of", m->uid);
		}
	}
}

static void take_away(struct client *c, size_t i)
{
	assert_true(i < c->n);
	memmove(&c->messages[i], &c->messages[i + 1], (c->n - i - 1) * sizeof c->messages[0]);
	c->n--;
}

/* A message that it has not been told the UID of, where this one stands; which of several it is, it
 * can't know. */
static struct message *unnamed(struct client *c, uint32_t uid)
{
	struct message *fits = NULL;

	for (size_t k = 0; k < c->n && c->messages[k].uid < uid; k++)
		fits = c->messages[k].uid == 0 ? &c->messages[k] : NULL;
	for (struct message *m = fits; m != NULL && m >= c->messages && m->uid == 0; m--)
		m->flags = UNKNOWN;
	return fits;
}

static void vanished(struct client *c, struct str text)
{
	struct scan s = scan_from(text);
	bool earlier = scan_literal_nocase(&s, STR("(EARLIER) "));
	struct seqset set;
	struct arena a;

	arena_init(&a, 65536);
	assert_true(seqset_parse(&s, &a, &set));
	for (size_t i = 0; i < set.n; i++)
		for (uint32_t uid = set.ranges[i].low; uid <= set.ranges[i].high; uid++) {
			struct message *m = by_uid(c, uid);

			for (size_t k = 0; earlier && k < c->asked[0].n_was; k++)
				if (c->asked[0].was[k].uid == uid)
					c->asked[0].was[k].uid = 0;
			if (earlier)
				continue;
			if (m == NULL)
				m = unnamed(c, uid);
			if (m == NULL)
				wrong(c, "hears VANISHED of an unknown", uid);
			else
				take_away(c, (size_t)(m - c->messages));
		}
	arena_done(&a);
}

static bool item(struct str line, const char *name, struct scan *ret)
{
	size_t at = str_search(line, str_from(name));

	*ret = scan_from(str_from_offset(line, at + strlen(name)));
	return at < line.n;
}

static void fetched(struct client *c, uint64_t number, struct str line)
{
	struct message *m = &c->messages[number - 1];
	struct scan s;
	uint64_t n;

	if (number < 1 || number > c->n)
		wrong(c, "hears FETCH of too high a number", (uint32_t)number);
	if (item(line, "UID ", &s) && scan_number(&s, UINT32_MAX, &n)) {
		if (m->uid != 0 && m->uid != n)
			wrong(c, "hears another", (uint32_t)n);
		m->uid = (uint32_t)n;
	}
	if (item(line, "MODSEQ (", &s) && scan_number(&s, UINT64_MAX, &n) && n > c->heard)
		c->heard = n;
	if (item(line, "FLAGS (", &s)) {
		struct str list = str_sub(scan_rest(&s), 0, str_search(scan_rest(&s), STR(")")));

		m->flags = 0;
		m->told = true;
		while (list.n > 0) {
			struct str one = str_split(&list, ' ');

			for (size_t i = 0; i < ARRAY_LEN(names); i++)
				if (str_equal(one, str_from(names[i])))
					m->flags |= 1U << i;
		}
	}
}

static void untagged(struct client *c, struct str line)
{
	struct scan s = scan_from(line), in;
	uint64_t n;

	if (item(line, "[HIGHESTMODSEQ ", &in) && scan_number(&in, UINT64_MAX, &n))
		c->said = n;
	if (scan_literal_nocase(&s, STR("OK [CLOSED]"))) {
		c->n = 0;
		c->selected = false;
	} else if (scan_literal_nocase(&s, STR("VANISHED "))) {
		vanished(c, scan_rest(&s));
	} else if (scan_number(&s, UINT32_MAX, &n) && scan_sp(&s)) {
		if (scan_literal_nocase(&s, STR("EXISTS"))) {
			for (; c->n < n && c->n < MOST; c->n++)
				c->messages[c->n] = (struct message){ .flags = UNKNOWN };
			assert_int_equal(c->n, n);
		} else if (scan_literal_nocase(&s, STR("EXPUNGE"))) {
			take_away(c, (size_t)n - 1);
		} else if (scan_literal_nocase(&s, STR("FETCH"))) {
			fetched(c, n, scan_rest(&s));
		}
	}
}

/* What SELECT's QRESYNC did not tell of is as it was. */
static void resynced(struct client *c)
{
	size_t k = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct message *m = &c->messages[i];

		while (k < c->asked[0].n_was && c->asked[0].was[k].uid == 0)
			k++;
		if (k == c->asked[0].n_was)
			return;
		if (m->uid == 0)
			*m = (struct message){ c->asked[0].was[k].uid, c->asked[0].was[k].flags,
				false };
		assert_int_equal(m->uid, c->asked[0].was[k].uid);
		k++;
	}
}

static void stored(struct client *c, struct str line)
{
	struct seqset failed = { .n = 0 };
	struct arena a;
	struct scan s;

	arena_init(&a, 65536);
	if (item(line, "[MODIFIED ", &s))
		assert_true(seqset_parse(&s, &a, &failed));
	for (size_t i = 0; i < c->asked[0].n_uids; i++) {
		struct message *m = by_uid(c, c->asked[0].uids[i]);
		uint32_t number = m == NULL ? 0 : (uint32_t)(m - c->messages) + 1;

		if (m != NULL && m->told && notifies) /* before it was done, or behind it? */
			m->flags = UNKNOWN;
		if (m == NULL || m->told || m->flags == UNKNOWN || !c->asked[0].silent ||
			(failed.n > 0 &&
				seqset_contains(&failed, c->asked[0].by_uid ? m->uid : number)))
			continue;
		m->flags = c->asked[0].mode == '+'   ? m->flags | c->asked[0].flags
			   : c->asked[0].mode == '-' ? m->flags & ~c->asked[0].flags
						     : c->asked[0].flags;
	}
	arena_done(&a);
}

static void tagged(struct client *c, struct str line)
{
	struct scan in, s = scan_from(str_from_offset(line, strlen(c->asked[0].tag)));
	bool ok = scan_literal_nocase(&s, STR("OK"));
	uint64_t n;

	if (item(line, "[HIGHESTMODSEQ ", &in) && scan_number(&in, UINT64_MAX, &n))
		c->said = n;
	if (ok && c->asked[0].stores)
		stored(c, line);
	if (c->asked[0].selects) {
		c->selected = ok;
		if (ok && c->asked[0].resyncs)
			resynced(c);
		c->highest = 0;
		if (!ok)
			c->n = 0;
	}
	c->condstore = c->condstore || (c->asked[0].enables_condstore && ok);
	c->qresync = c->qresync || (c->asked[0].enables_qresync && ok);
	if (c->said != 0)
		c->highest = c->said;
	else if (c->heard > c->highest && true)
		c->highest = c->heard;
	c->said = c->heard = 0;
	c->n_asked--;
	memmove(c->asked, c->asked + 1, c->n_asked * sizeof c->asked[0]);
	for (size_t i = 0; i < c->n; i++)
		c->messages[i].told = false;
}

static void hear(struct fake *f, struct client *c)
{
	struct buf *got = &f->clients[c->number].received;
	size_t asked = c->n_asked;

	c->behind = imap_of(f->clients[c->number].session)->sel.behind;

	for (;;) {
		struct str all = buf_str(got);
		size_t n = str_search(all, STR("\r\n"));
		struct str line = str_sub(all, 0, n);

		if (n == all.n)
			break;
		if (loud)
			print_message("%d< %.*s\n", c->number, (int)line.n, line.p);
		if (line.n > 2 && line.p[0] == '*')
			untagged(c, str_from_offset(line, 2));
		else if (c->n_asked > 0 && str_starts_nocase(line, str_from(c->asked[0].tag)))
			tagged(c, line);
		buf_consume(got, n + 2);
	}
	if (asked > c->n_asked)
		check(f, c);
}

/* ---- what happens ---- */

static void run(struct fake *f, struct client *clients, bool trouble)
{
	for (int still = 0; still < 3;) {
		bool moved = false;

		if (trouble && !f->away && f->answers.n > 0 && pick(f, 60) == 0) {
			die(f);
			moved = true;
		} else if (f->away && pick(f, 6) == 0) {
			f->away = false;
		}
		f->no_news = trouble && pick(f, 15) == 0;
		f->no_views = trouble && pick(f, 15) == 0;
		f->no_reads = trouble && pick(f, 15) == 0;
		if (trouble && pick(f, 15) == 0)
			f->horizon = (uint32_t)f->modseq - pick(f, 5);
		if (pick(f, 3) != 0)
			moved = fake_deliver_one(f) || moved;
		for (int i = 0; i < 2; i++) {
			struct fake_client *c = &f->clients[i];

			fake_drain(f, c);
			if (pick(f, 2) == 0)
				moved = fake_input(c) || moved;
			fake_drain(f, c);
			if (c->session != NULL)
				hear(f, &clients[i]);
		}
		still = moved || f->answers.n > 0 ? 0 : still + 1;
	}
}

static void add_flags(struct fake *f, struct client *c, struct buf *out)
{
	c->making.flags = 0;
	buf_addc(out, '(');
	for (unsigned n = 1 + pick(f, 2); n > 0; n--) {
		unsigned i = pick(f, 10);

		i = i < ARRAY_LEN(names) ? i : 2;
		buf_addf(out, "%s%s", c->making.flags != 0 ? " " : "", names[i]);
		c->making.flags |= 1U << i;
	}
	buf_addc(out, ')');
}

/* A set of what it knows the UIDs of; false: there is none. */
static bool add_set(struct fake *f, struct client *c, struct buf *out)
{
	size_t from, n;

	if (c->n == 0)
		return false;
	from = pick(f, (unsigned)c->n);
	n = 1 + pick(f, pick(f, 3) == 0 ? (unsigned)(c->n - from) : 1);
	c->making.n_uids = 0;
	for (size_t i = from; i < from + n; i++) {
		if (c->messages[i].uid == 0)
			return false;
		c->making.uids[c->making.n_uids++] = c->messages[i].uid;
	}
	if (c->making.by_uid)
		buf_addf(out, "%u:%u", c->making.uids[0], c->making.uids[n - 1]);
	else
		buf_addf(out, "%zu:%zu", from + 1, from + n);
	return true;
}

static bool make_store(struct fake *f, struct client *c, struct buf *out)
{
	c->making.stores = true;
	c->making.by_uid = notifies || pick(f, 2) == 0;
	c->making.silent = pick(f, 2) == 0;
	c->making.mode = "+-="[pick(f, 3)];
	buf_addz(out, c->making.by_uid ? "UID STORE " : "STORE ");
	if (!add_set(f, c, out))
		return false;
	if (pick(f, 4) == 0) {
		buf_addf(out, " (UNCHANGEDSINCE %llu)",
			(unsigned long long)(c->highest - (c->highest > 4 ? pick(f, 4) : 0)));
		c->making.enables_condstore = true;
	}
	buf_addf(out, " %sFLAGS%s ",
		c->making.mode == '+'   ? "+"
		: c->making.mode == '-' ? "-"
					: "",
		c->making.silent ? ".SILENT" : "");
	add_flags(f, c, out);
	return true;
}

static const char *const items[] = { "(UID FLAGS MODSEQ)", "(UID FLAGS)", "(UID MODSEQ)",
	"(UID BODY[])", "(UID BODY.PEEK[] MODSEQ)", "(UID FLAGS BODY[] MODSEQ)" };

static bool make_fetch(struct fake *f, struct client *c, struct buf *out)
{
	unsigned what = pick(f, ARRAY_LEN(items));

	c->making.by_uid = notifies || pick(f, 2) == 0;
	if (c->n == 0)
		return false;
	c->making.enables_condstore = strstr(items[what], "MODSEQ") != NULL;
	if (pick(f, 4) == 0 && c->qresync && c->highest > 0) {
		buf_addf(out, "UID FETCH 1:* %s (CHANGEDSINCE %llu%s)", items[what],
			(unsigned long long)c->highest, pick(f, 2) == 0 ? " VANISHED" : "");
		c->making.enables_condstore = true;
		return true;
	}
	if (pick(f, 2) == 0) {
		buf_addf(out, "%sFETCH 1:* %s", c->making.by_uid ? "UID " : "", items[what]);
		return true;
	}
	buf_addz(out, c->making.by_uid ? "UID FETCH " : "FETCH ");
	if (!add_set(f, c, out))
		return false;
	buf_addf(out, " %s", items[what]);
	return true;
}

static bool make_select(struct fake *f, struct client *c, struct buf *out)
{
	if (c->n_asked > 0)
		return false;
	c->making.selects = true;
	buf_addz(out, pick(f, 5) == 0 ? "EXAMINE INBOX" : "SELECT INBOX");
	c->making.resyncs = c->n_asked == 0 && c->selected && c->qresync && c->highest > 0 &&
			    pick(f, 4) != 0;
	for (size_t i = 0; i < c->n; i++)
		c->making.resyncs = c->making.resyncs && c->messages[i].uid != 0;
	if (!c->making.resyncs) {
		return true;
	}
	memcpy(c->making.was, c->messages, c->n * sizeof c->making.was[0]);
	c->making.n_was = c->n;
	buf_addf(out, " (QRESYNC (1001 %llu))", (unsigned long long)c->highest);
	return true;
}

static bool make_set_command(struct fake *f, struct client *c, struct buf *out)
{
	static const char *const verbs[] = { "UID MOVE ", "UID COPY ", "UID EXPUNGE " };
	unsigned what = pick(f, ARRAY_LEN(verbs));

	c->making.by_uid = true;
	buf_addz(out, verbs[what]);
	if (!add_set(f, c, out))
		return false;
	if (what < 2)
		buf_addz(out, what == 0 || c->n > MOST / 4 ? " Sent" : " INBOX");
	return true;
}

static bool make_enable(struct fake *f, struct client *c, struct buf *out)
{
	c->making.enables_condstore = true;
	c->making.enables_qresync = pick(f, 3) != 0;
	buf_addf(out, "ENABLE %s", c->making.enables_qresync ? "QRESYNC" : "CONDSTORE");
	return true;
}

static bool make_plain(struct fake *f, struct client *c, struct buf *out)
{
	static const char *const words[] = { "NOOP", "NOOP", "CHECK", "CAPABILITY", "ID NIL",
		"EXPUNGE", "EXPUNGE", "SEARCH DELETED", "UID SEARCH 1:*", "LIST \"\" *",
		"STATUS INBOX (MESSAGES)", "APPEND INBOX {9+}\r\nA: b\r\n\r\nx" };

	buf_addz(out, words[pick(f, ARRAY_LEN(words) - (c->n > 20 ? 1 : 0))]);
	return true;
}

static bool make_idle(struct fake *f, struct client *c, struct buf *out)
{
	(void)f;
	buf_addz(out, "IDLE");
	c->making.idles = true;
	return true;
}

static bool make_notify(struct fake *f, struct client *c, struct buf *out)
{
	static const char *const words[] = {
		"NONE",
		"SET (selected-delayed (MessageNew MessageExpunge FlagChange))",
		"SET (selected (MessageNew MessageExpunge FlagChange))",
		"SET (selected (MessageNew (UID FLAGS MODSEQ) MessageExpunge))",
		"SET (selected-delayed (MessageNew (UID FLAGS) MessageExpunge))",
		"SET (inboxes (MessageNew MessageExpunge FlagChange))",
	};

	if (!notifies)
		return make_plain(f, c, out);
	buf_addf(out, "NOTIFY %s", words[pick(f, ARRAY_LEN(words))]);
	c->making.notifies = true;
	return true;
}

static bool make(struct fake *f, struct client *c, struct buf *out)
{
	static bool (*const makers[])(struct fake *, struct client *, struct buf *) = { make_store,
		make_store, make_store, make_fetch, make_fetch, make_fetch, make_plain, make_plain,
		make_set_command, make_select, make_enable, make_idle, make_notify };

	if (!c->selected)
		return make_select(f, c, out);
	return makers[pick(f, ARRAY_LEN(makers))](f, c, out);
}

static bool say_one(struct fake *f, struct client *c, const char *tag)
{
	struct buf line;
	struct fake_client *to = &f->clients[c->number];
	bool made;

	buf_init(&line, 4096);
	c->making = (struct asked){ .by_uid = false };
	snprintf(c->making.tag, sizeof c->making.tag, "%s", tag);
	buf_addz(&line, tag);
	made = make(f, c, &line);
	/* Behind one that may tell of EXPUNGEs numbers are not known; nor what a SELECT brings. */
	if (c->n_asked > 0 && (c->making.selects || c->making.idles || c->making.resyncs ||
				      (c->making.n_uids > 0 && !c->making.by_uid)))
		made = false;
	for (size_t i = 0; c->n_asked == 0 && i < c->n; i++)
		c->messages[i].told = false;
	if (made) {
		if (loud)
			print_message("%d> %.*s\n", c->number, (int)line.n, line.p);
		buf_addz(&line, "\r\n");
		buf_adds(&to->unread, buf_str(&line));
		c->asked[c->n_asked++] = c->making;
	}
	buf_done(&line);
	return made && !c->making.selects && !c->making.idles;
}

static void say(struct fake *f, struct client *c, int number)
{
	static const char *const part[AHEAD] = { "a", "b", "c" };
	char tag[16];

	if (c->n_asked > 0 && c->asked[0].idles) {
		buf_addz(&f->clients[c->number].unread, "DONE\r\n");
		if (loud)
			print_message("%d> DONE\n", c->number);
	}
	if (c->n_asked > 0)
		return;
	for (size_t n = pick(f, 3) == 0 ? AHEAD : 1, i = 0; i < n; i++) {
		snprintf(tag, sizeof tag, "t%d%s ", number, part[i]);
		if (!say_one(f, c, tag))
			return;
	}
}

static void arrive(struct fake *f, struct client *c, int number)
{
	*c = (struct client){ .number = number };
	fake_connect(f, "imaps", true);
	fake_send(f, number, STR("x LOGIN alice secret\r\n"));
	buf_clear(&f->clients[number].received);
	if (pick(f, 4) == 0)
		return;
	fake_send(f, number, STR("x ENABLE QRESYNC\r\n"));
	buf_clear(&f->clients[number].received);
	c->condstore = c->qresync = true;
}

static void walk(uint64_t seed)
{
	struct fake *f = xmalloc(sizeof *f);
	struct client *c = xcalloc(2, sizeof *c);

	seed_now = seed;
	notifies = seed % 5 == 0; /* while nothing goes wrong */
	fake_init(f);
	random_fake_init(&f->random, seed);
	f->exact = true;
	for (int i = 0; i < 5; i++)
		fake_deliver(f, "INBOX", STR("X: word\r\n\r\nword\r\n"));
	for (int i = 0; i < 2; i++)
		arrive(f, &c[i], i);
	for (int i = 0; i < STEPS; i++) {
		for (int k = 0; k < 2; k++)
			if (f->clients[k].session != NULL && pick(f, 3) != 0)
				say(f, &c[k], i);
		run(f, c, seed % 4 != 0);
		if (pick(f, 8) == 0)
			fake_wait(f, pick(f, 2) == 0 ? LIMIT_IMAP_RETRY_MS : LIMIT_IMAP_VIEW_MS);
		for (int k = 0; k < 2; k++)
			if (f->clients[k].session != NULL)
				hear(f, &c[k]);
	}
	fake_done(f);
	free(c);
	free(f);
}

static uint64_t number_of(const char *name, uint64_t or_else)
{
	const char *text = getenv(name);
	struct scan s = scan_from(str_from(text != NULL ? text : ""));
	uint64_t n = or_else;

	if (text != NULL)
		assert_true(scan_number(&s, UINT32_MAX, &n));
	return n;
}

static void test_walks(void **state)
{
	uint64_t one = number_of("CULVER_WALK", 0), walks = number_of("CULVER_WALKS", WALKS);

	(void)state;
	loud = one != 0;
	for (uint64_t seed = loud ? one : 1; seed <= (loud ? one : walks); seed++)
		walk(seed);
}

TEST_MAIN(test_case(test_walks))
