// SPDX-License-Identifier: Apache-2.0
/* Random walks: two sessions on one account give random commands, right ones and wrong ones. Each
 * command has exactly one tagged reply; what a client counts from EXISTS and EXPUNGE is what is
 * there; EXPUNGE comes only when it may; at the end both see what the store has. A stranger beside
 * them gets BAD for all that needs a login. CULVER_WALKS=n does n of them, not the few of every
 * build. */
#include "base/scan.h"
#include "base/test.h"
#include "imap/dialogue.h"
#include "imap/seqset.h"

#define WALKS          4000
#define STEPS          40
#define STRANGER_STEPS 12

/* % is a small number, $ a mailbox, # flags. */
static const char *const alphabet[] = { "NOOP", "CHECK", "CAPABILITY", "ID NIL", "SELECT INBOX",
	"SELECT INBOX", "SELECT $", "EXAMINE INBOX", "FETCH % (FLAGS)", "FETCH 1:* (UID FLAGS)",
	"FETCH %:% (BODY[TEXT] RFC822.SIZE)", "UID FETCH %:% (ENVELOPE)", "FETCH % BODYSTRUCTURE",
	"UID FETCH % BODY.PEEK[HEADER.FIELDS (X)]", "STORE % +FLAGS (#)", "STORE %:% -FLAGS (#)",
	"UID STORE %:% FLAGS.SILENT (#)", "UID STORE %:* +FLAGS (\\Deleted)", "EXPUNGE", "EXPUNGE",
	"UID EXPUNGE %:%", "COPY % $", "UID COPY %:% INBOX", "MOVE % $", "UID MOVE % INBOX",
	"SEARCH DELETED", "UID SEARCH BODY word", "SEARCH RETURN (SAVE) ALL", "UID FETCH $ FLAGS",
	"STATUS $ (MESSAGES UNSEEN)", "LIST \"\" *", "LSUB \"\" %", "CREATE $", "DELETE $",
	"RENAME $ $", "SUBSCRIBE $", "UNSUBSCRIBE $", "NAMESPACE", "CLOSE", "UNSELECT", "XYZZY",
	"FETCH", "UID", "STORE 1", "LIST (", "ENABLE CONDSTORE", "ENABLE QRESYNC",
	"ENABLE IMAP4rev2", "ENABLE METADATA", "SETMETADATA $ (/private/a \"%\")",
	"GETMETADATA INBOX (DEPTH 1) /private", "REPLACE % $ {3+}\r\na:b",
	"UID REPLACE % INBOX {3+}\r\na:b", "APPEND $ {1+}\r\na (#) {2+}\r\nbc",
	"SELECT INBOX (QRESYNC (1001 12 1:6))", "EXAMINE $ (QRESYNC (1002 %))",
	"UID FETCH %:* FLAGS (CHANGEDSINCE 1% VANISHED)", "APPEND $ {5+}\r\nA: b\n",
	"APPEND INBOX (#) {9+}\r\nA: b\r\n\r\nx", "IDLE\r\nDONE", "LOGIN alice secret",
	"SORT (SUBJECT REVERSE DATE) UTF-8 ALL", "UID SORT RETURN (SAVE COUNT) (FROM) UTF-8 %:*",
	"SORT (SIZE) UTF-8 UNSEEN", "THREAD REFERENCES UTF-8 ALL",
	"UID THREAD ORDEREDSUBJECT UTF-8 %:*", "SEARCH RETURN (SAVE PARTIAL -1:-%) ALL",
	"UID FETCH 1:* (UID) (PARTIAL %:%)", "GETQUOTAROOT $", "GETQUOTA \"\"",
	"SETQUOTA \"\" (STORAGE 1)", "COMPRESS X", "FETCH %:* (PREVIEW (LAZY) SAVEDATE EMAILID)",
	"FETCH % PREVIEW", "STATUS $ (MAILBOXID)" };

static const char *const boxes[] = { "Sent", "Trash", "a", "a/b", "&AOQ-" };
static const char *const flags[] = { "\\Seen", "\\Flagged", "\\Deleted $X", "$Y", "\\Answered" };

static unsigned pick(struct fake *f, unsigned n)
{
	uint32_t r;

	f->random.seam.fill(&f->random.seam, &r, sizeof r);
	return r % n;
}

static void make(struct fake *f, struct buf *out, const char *pattern)
{
	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p == '%')
			buf_addf(out, "%u", 1 + pick(f, 6));
		else if (*p == '$' && (p[1] == '\0' || p[1] == ' ') &&
			 strstr(pattern, "UID FETCH") == NULL)
			buf_addz(out, boxes[pick(f, ARRAY_LEN(boxes))]);
		else if (*p == '#')
			buf_addz(out, flags[pick(f, ARRAY_LEN(flags))]);
		else
			buf_addc(out, *p);
	}
}

/* What a client believes. */
struct belief {
	uint64_t exists, recent;
	bool selected, rev2;
	bool before; /* selected, before the present command: what is BAD changes nothing */
};

static bool starts(struct scan *s, const char *text)
{
	return scan_literal_nocase(s, str_from(text));
}

/* RFC 9051 7.5.1, RFC 7162 3.2.10.2 */
static void may_expunge(const char *command)
{
	assert_true(strncmp(command, "FETCH", 5) != 0 && strncmp(command, "STORE", 5) != 0 &&
		    strncmp(command, "SEARCH", 6) != 0 && strncmp(command, "SORT", 4) != 0 &&
		    strncmp(command, "THREAD", 6) != 0);
}

static void hear_vanished(struct belief *b, struct scan s, const char *command)
{
	struct seqset set;
	struct arena a;

	if (starts(&s, "(EARLIER) "))
		return;
	may_expunge(command);
	arena_init(&a, 65536);
	assert_true(seqset_parse(&s, &a, &set));
	assert_true(seqset_count(&set) <= b->exists);
	b->exists -= seqset_count(&set);
	arena_done(&a);
}

static void hear_untagged(struct belief *b, struct scan s, const char *command)
{
	uint64_t n;

	if (starts(&s, "OK [CLOSED]"))
		*b = (struct belief){ .before = b->before, .rev2 = b->rev2 };
	if (starts(&s, "ENABLED ") && str_search(scan_rest(&s), STR("IMAP4rev2")) < scan_rest(&s).n)
		b->rev2 = true;
	if (starts(&s, "VANISHED "))
		hear_vanished(b, s, command);
	if (!scan_number(&s, UINT32_MAX, &n) || !scan_sp(&s))
		return;
	if (starts(&s, "EXISTS")) {
		assert_true(!b->selected || n >= b->exists);
		b->exists = n;
	} else if (starts(&s, "EXPUNGE")) {
		assert_true(n >= 1 && n <= b->exists);
		b->exists--;
		may_expunge(command);
	} else if (starts(&s, "RECENT")) {
		assert_true(n <= b->exists && !b->rev2); /* RFC 9051 appendix E */
		b->recent = n;
	} else if (starts(&s, "FETCH")) {
		assert_true(
			!b->rev2 || str_search(scan_rest(&s), STR("\\Recent")) == scan_rest(&s).n);
		assert_true(n >= 1 && n <= b->exists);
	}
}

/* Reads what came; returns how many replies had the tag. Literals are short here: their lines
 * never look like responses. */
static int hear(struct fake_client *c, struct belief *b, const char *tag, const char *command)
{
	struct str all = buf_str(&c->received);
	int replies = 0;

	while (all.n > 0) {
		size_t n = str_search(all, STR("\r\n"));
		struct scan s = scan_from(str_sub(all, 0, n));

		all = str_from_offset(all, n + 2);
		if (starts(&s, "* "))
			hear_untagged(b, s, command);
		else if (starts(&s, tag) && scan_sp(&s)) {
			bool ok = starts(&s, "OK") || (starts(&s, "BAD") && b->before);

			replies++;
			if (strncmp(command, "SELECT", 6) == 0 ||
				strncmp(command, "EXAMINE", 7) == 0)
				b->selected = ok;
			if ((strncmp(command, "CLOSE", 5) == 0 ||
				    strncmp(command, "UNSELECT", 8) == 0) &&
				ok)
				b->selected = false;
			if (!b->selected)
				b->exists = b->recent = 0;
			assert_true(b->recent <= b->exists || b->rev2);
		}
	}
	buf_clear(&c->received);
	return replies;
}

static void step(struct fake *f, int client, struct belief *b, int number)
{
	struct fake_client *c = &f->clients[client];
	const char *pattern = alphabet[pick(f, ARRAY_LEN(alphabet))];
	char tag[16];
	struct buf line;
	int replies;

	if (c->session == NULL)
		return;
	snprintf(tag, sizeof tag, "t%d", number);
	buf_init(&line, 4096);
	buf_addf(&line, "%s ", tag);
	make(f, &line, pattern);
	buf_addz(&line, "\r\n");
	b->before = b->selected;
	if (strncmp(pattern, "SELECT", 6) == 0 || strncmp(pattern, "EXAMINE", 7) == 0)
		b->selected = false;
	fake_send(f, client, buf_str(&line));
	replies = hear(c, b, tag, pattern);
	if (c->session != NULL && replies != 1)
		fail_msg("%d replies to %.*s", replies, (int)line.n, line.p);
	buf_done(&line);
}

/* After NOOP a session that has INBOX selected counts what INBOX has. */
static void agree(struct fake *f, int client, struct belief *b)
{
	struct fake_client *c = &f->clients[client];
	size_t living = 0;

	if (c->session == NULL)
		return;
	fake_send(f, client, STR("end NOOP\r\n"));
	if (c->session == NULL) /* its mailbox was deleted */
		return;
	assert_int_equal(hear(c, b, "end", "NOOP"), 1);
	for (size_t i = 0; i < f->n_boxes; i++) {
		if (f->boxes[i].m.id != c->watched)
			continue;
		for (size_t k = 0; k < f->boxes[i].entries.n; k++)
			living += !fake_entry(&f->boxes[i], k)->gone;
		if (b->selected)
			assert_int_equal(b->exists, living);
	}
}

/* What needs no login: OK may be the answer. */
static bool is_for_strangers(const char *command)
{
	static const char *const verbs[] = { "NOOP", "CAPABILITY", "ID " };

	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strncmp(command, verbs[i], strlen(verbs[i])) == 0)
			return true;
	return false;
}

/* Every line that a stranger hears is a BAD or NO (of what stood behind a literal or IDLE, too), or
 * what anybody may know. */
static void stranger_hears(struct fake_client *c, const char *command)
{
	struct str all = buf_str(&c->received);

	while (all.n > 0) {
		size_t n = str_search(all, STR("\r\n"));
		struct str line = str_sub(all, 0, n);

		all = str_from_offset(all, n + 2);
		if (!glob(STR("~ BAD ~"), line) && !glob(STR("s NO ~"), line) &&
			!glob(STR("* BYE ~"), line) && !glob(STR("+ OK"), line) &&
			!is_for_strangers(command))
			fail_msg("a stranger hears '%.*s' of %s", (int)line.n, line.p, command);
	}
	buf_clear(&c->received);
}

static void walk_stranger(struct fake *f, int client)
{
	struct fake_client *c = &f->clients[client];

	for (int i = 0; i < STRANGER_STEPS && c->session != NULL; i++) {
		const char *pattern = alphabet[pick(f, ARRAY_LEN(alphabet))];
		struct buf line;

		if (strncmp(pattern, "LOGIN", 5) == 0)
			continue;
		buf_init(&line, 4096);
		buf_addz(&line, "s ");
		make(f, &line, pattern);
		buf_addz(&line, "\r\n");
		fake_send(f, client, buf_str(&line));
		stranger_hears(c, pattern);
		buf_done(&line);
	}
}

static void walk(uint64_t seed, bool stingy)
{
	struct fake *f = xmalloc(sizeof *f);
	struct belief beliefs[2] = { { 0 } };

	fake_init(f);
	random_fake_init(&f->random, seed);
	fake_make_box(f, STR("a"), 0);
	for (int c = 0; c < 2; c++) {
		fake_connect(f, "imaps", true);
		fake_send(f, c, STR("x LOGIN alice secret\r\n"));
		hear(&f->clients[c], &beliefs[c], "x", "LOGIN");
	}
	for (int i = 0; i < 4; i++)
		fake_deliver(f, "INBOX", STR("X: word\r\n\r\nword\r\n"));
	fake_run(f);
	f->stingy = stingy;
	f->recents = true;
	f->no_digests = seed % 2;
	for (int i = 0; i < STEPS; i++) {
		int c = (int)pick(f, 2);

		step(f, c, &beliefs[c], i);
	}
	for (int c = 0; c < 2; c++)
		agree(f, c, &beliefs[c]);
	fake_connect(f, "imaps", true);
	buf_clear(&f->clients[2].received);
	walk_stranger(f, 2);
	fake_done(f);
	free(f);
}

static void test_walks(void **state)
{
	const char *many = getenv("CULVER_WALKS");
	struct scan s = scan_from(str_from(many != NULL ? many : ""));
	uint64_t walks = WALKS;

	(void)state;
	if (many != NULL)
		assert_true(scan_number(&s, UINT32_MAX, &walks));
	for (uint64_t seed = 1; seed <= walks; seed++)
		walk(seed, seed % 3 == 0);
}

TEST_MAIN(test_case(test_walks))
