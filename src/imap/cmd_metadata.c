// SPDX-License-Identifier: Apache-2.0
/* Annotations (RFC 5464): GETMETADATA and SETMETADATA, of a mailbox, or with an empty name of the
 * server, which here means of the account. Nobody else sees either, so /shared and /private differ
 * in name alone, and no unsolicited response is due: a third party does not exist (4.4). */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/notify.h"
#include "imap/token.h"

#include <inttypes.h>

#define MOST_ENTRIES 64 /* that one GETMETADATA names */

enum depth { DEPTH_0, DEPTH_1, DEPTH_INFINITY };

struct metadata_work {
	struct str name; /* of the mailbox; empty: the server */
	uint16_t special_use;
	struct str entries[MOST_ENTRIES];
	bool found[MOST_ENTRIES];
	size_t n;
	enum depth depth;
	bool has_max;
	uint32_t max;   /* MAXSIZE */
	size_t longest; /* of the values that were longer */
	bool any;       /* the response has begun */
	struct api_annotation set[LIMIT_ANNOTATIONS_AT_ONCE];
	struct frame question; /* for the mailbox, once it is known */
	imap_answer *answer;
};

/* What a mailbox is for, as LIST says it. RFC 6154 4 */
#define SPECIAL_USE STR("/private/specialuse")

/* ---- the arguments ---- */

/* entry = astring, in lower case: a path below /private or /shared of visible ASCII without "*" and
 * "%", without empty levels.                                   RFC 5464 3.2, 5 */
static bool entry(struct imap *s, struct str *ret)
{
	struct str name;
	char *p;

	if (!token_astring(&s->cmd.args, &s->arena, &name) || name.n > LIMIT_ANNOTATION_NAME_BYTES)
		return false;
	*ret = arena_str(&s->arena, name);
	p = (char *)(uintptr_t)ret->p;
	for (size_t i = 0; i < name.n; i++) {
		if (p[i] <= ' ' || p[i] > '~' || p[i] == '*' || p[i] == '%' ||
			(p[i] == '/' && (i + 1 == name.n || p[i + 1] == '/')))
			return false;
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] - 'A' + 'a');
	}
	return str_starts(*ret, STR("/private/")) || str_starts(*ret, STR("/shared/"));
}

/* What GETMETADATA names may be a level without a value of its own: "/private". */
static bool entry_to_get(struct imap *s, struct str *ret)
{
	struct scan at = s->cmd.args;
	struct str name;

	if (entry(s, ret))
		return true;
	s->cmd.args = at;
	return token_astring(&s->cmd.args, &s->arena, &name) &&
	       (str_equal_nocase(name, STR("/private")) ||
		       str_equal_nocase(name, STR("/shared"))) &&
	       (*ret = str_equal_nocase(name, STR("/private")) ? STR("/private") : STR("/shared"),
		       true);
}

/* getmetadata-option = "MAXSIZE" SP number / "DEPTH" SP ("0" / "1" / "infinity") */
static bool option(struct scan *a, struct metadata_work *w)
{
	if (scan_word_nocase(a, STR("MAXSIZE"))) {
		w->has_max = true;
		return scan_sp(a) && token_number(a, &w->max);
	}
	if (!scan_word_nocase(a, STR("DEPTH")) || !scan_sp(a))
		return false;
	if (scan_word_nocase(a, STR("0")))
		w->depth = DEPTH_0;
	else if (scan_word_nocase(a, STR("1")))
		w->depth = DEPTH_1;
	else if (scan_word_nocase(a, STR("infinity")))
		w->depth = DEPTH_INFINITY;
	else
		return false;
	return true;
}

/* getmetadata-options, when there are any: the ABNF has them before the mailbox, the examples of
 * RFC 5464 4.2 behind it. Ends behind the SP that follows. */
static bool options(struct scan *a, struct metadata_work *w)
{
	struct scan at = *a;

	if (!scan_char(&at, '(') || scan_peek(&at) == '/' || scan_peek(&at) == '"' ||
		scan_peek(&at) == '{')
		return true;
	do {
		if (!option(&at, w))
			return false;
	} while (scan_sp(&at));
	*a = at;
	return scan_char(a, ')') && scan_sp(a);
}

/* mailbox, or the empty string. Finishes the command and returns false. */
static bool mailbox_or_server(struct imap *s, struct metadata_work *w)
{
	struct err err = ERR_INIT;
	struct buf known;
	struct str name;
	bool ok;

	if (!token_astring(&s->cmd.args, &s->arena, &name)) {
		imap_bad_args(s);
		return false;
	}
	if (name.n == 0)
		return true;
	buf_init(&known, LIMIT_MAILBOX_NAME_BYTES);
	ok = mailbox_name_read(name, imap_utf8(s), &known, &err) == 0;
	if (ok) {
		w->name = arena_str(&s->arena, buf_str(&known));
	} else {
		reply_err(s, err.kind, str_from(err.public_text));
		imap_finish(s);
	}
	buf_done(&known);
	return ok;
}

/* entries = entry / "(" entry *(SP entry) ")"; an example of 4.4.1 leaves the parentheses out */
static bool entries(struct imap *s, struct metadata_work *w)
{
	struct scan *a = &s->cmd.args;
	bool list = scan_char(a, '(');

	do {
		if (w->n == MOST_ENTRIES || !entry_to_get(s, &w->entries[w->n++]))
			return false;
	} while (scan_sp(a));
	return (!list || scan_char(a, ')')) && scan_end(a);
}

/* ---- the mailbox, then the question ---- */

static void mailbox_is(struct imap *s, const struct frame *answer)
{
	struct metadata_work *w = s->cmd.work;
	uint64_t id;

	if (!imap_expect(s, answer, FRAME_MAILBOXES))
		return;
	if (answer->mailboxes.mailboxes.n != 1 || !answer->mailboxes.mailboxes.items[0].exists) {
		reply_no(s, "NONEXISTENT", "No such mailbox");
		imap_finish(s);
		return;
	}
	id = answer->mailboxes.mailboxes.items[0].id;
	w->special_use = answer->mailboxes.mailboxes.items[0].special_use;
	if (w->question.type == FRAME_METADATA_GET)
		w->question.metadata_get.mailbox = id;
	else
		w->question.metadata_set.mailbox = id;
	imap_ask(s, ASK_STORE, &w->question, w->answer);
}

static void ask(struct imap *s, struct frame question, imap_answer *answer)
{
	struct metadata_work *w = s->cmd.work;

	w->question = question;
	w->answer = answer;
	if (w->name.n == 0)
		imap_ask(s, ASK_STORE, &w->question, answer);
	else
		imap_ask(s, ASK_STORE,
			&(struct frame){ .type = FRAME_MAILBOX_STATUS,
				.mailbox_status = { s->session.store_session, w->name } },
			mailbox_is);
}

/* ---- GETMETADATA ---- */

/* Whether an entry is the one that was asked for or one below it. RFC 5464 4.2.2 */
static bool is_asked(const struct metadata_work *w, struct str name, size_t i)
{
	struct str rest, asked = w->entries[i];

	if (str_equal(name, asked))
		return true;
	if (w->depth == DEPTH_0 || !str_starts(name, asked) || name.p[asked.n] != '/')
		return false;
	rest = str_from_offset(name, asked.n + 1);
	return w->depth == DEPTH_INFINITY || str_find(rest, '/') == rest.n;
}

static void begin_entry(struct imap *s, struct metadata_work *w, struct str name)
{
	struct buf *out = imap_out(s);

	if (!w->any) {
		buf_addz(out, "* METADATA ");
		if (w->name.n == 0)
			buf_addz(out, "\"\"");
		else
			mailbox_name_write(out, w->name, imap_utf8(s));
		buf_addz(out, " (");
	} else {
		buf_addc(out, ' ');
	}
	w->any = true;
	token_add_astring(out, name, false);
	buf_addc(out, ' ');
}

static void say(struct imap *s, struct metadata_work *w, const struct api_annotation *a)
{
	if (w->has_max && a->value.n > w->max) {
		w->longest = a->value.n > w->longest ? a->value.n : w->longest;
		return;
	}
	begin_entry(s, w, a->name);
	if (str_find(a->value, '\0') < a->value.n) { /* value = nstring / literal8 */
		buf_addf(imap_out(s), "~{%zu}\r\n", a->value.n);
		buf_adds(imap_out(s), a->value);
	} else {
		token_add_string(imap_out(s), a->value, imap_utf8(s));
	}
}

static void take(struct imap *s, struct metadata_work *w, const struct api_annotation *a)
{
	bool asked = false;

	for (size_t i = 0; i < w->n; i++) {
		bool is = is_asked(w, a->name, i);

		w->found[i] = w->found[i] || str_equal(a->name, w->entries[i]);
		asked = asked || is;
	}
	if (asked)
		say(s, w, a);
}

static bool is_special_use(const struct metadata_work *w, struct str name)
{
	return w->name.n > 0 && str_equal(name, SPECIAL_USE);
}

static void take_special_use(struct imap *s, struct metadata_work *w)
{
	struct api_annotation a = { .name = SPECIAL_USE };
	struct buf value;

	if (w->special_use == 0)
		return;
	buf_init(&value, LIMIT_ANNOTATION_BYTES);
	for (unsigned bit = 1; bit <= USE_ALL; bit <<= 1)
		if (w->special_use & bit)
			buf_addf(&value, "%s%s", value.n > 0 ? " " : "",
				grammar_special_use_name((uint16_t)bit));
	a.value = buf_str(&value);
	take(s, w, &a);
	buf_done(&value);
}

static void take_all(struct imap *s, struct metadata_work *w, const struct frame_metadata_are *f)
{
	for (size_t i = 0; i < f->annotations.n; i++)
		if (!is_special_use(w, f->annotations.items[i].name))
			take(s, w, &f->annotations.items[i]);
	if (f->last)
		take_special_use(s, w);
}

static void got(struct imap *s, const struct frame *answer)
{
	struct metadata_work *w = s->cmd.work;

	if (answer->type == FRAME_METADATA_ARE) {
		take_all(s, w, &answer->metadata_are);
		if (!answer->metadata_are.last)
			return;
	}
	if (!imap_expect(s, answer, FRAME_METADATA_ARE))
		return;
	/* What was asked for by name and is not there is NIL. */
	for (size_t i = 0; w->depth == DEPTH_0 && i < w->n; i++) {
		if (w->found[i])
			continue;
		begin_entry(s, w, w->entries[i]);
		buf_addz(imap_out(s), "NIL");
	}
	if (w->any)
		buf_addz(imap_out(s), ")\r\n");
	if (w->longest > 0) {
		buf_addf(reply_open_ok(s), "METADATA LONGENTRIES %zu", w->longest);
		reply_close(s, "GETMETADATA completed");
	} else {
		reply_ok(s, NULL, "GETMETADATA completed");
	}
	imap_finish(s);
}

/* getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries   RFC 5464 5 */
void imap_getmetadata(struct imap *s)
{
	struct metadata_work *w = imap_work(s, sizeof *w, NULL);
	struct scan *a = &s->cmd.args;

	if (!scan_sp(a) || !options(a, w)) {
		imap_bad_args(s);
		return;
	}
	if (!mailbox_or_server(s, w))
		return;
	if (!scan_sp(a) || !options(a, w) || !entries(s, w)) {
		imap_bad_args(s);
		return;
	}
	ask(s,
		(struct frame){ .type = FRAME_METADATA_GET,
			.metadata_get = { s->session.store_session, 0 } },
		got);
}

/* ---- SETMETADATA ---- */

/* value = nstring / literal8 */
static bool value(struct imap *s, struct api_annotation *a)
{
	if (scan_word_nocase(&s->cmd.args, STR("NIL"))) {
		a->remove = true;
		return true;
	}
	if (scan_peek(&s->cmd.args) == '~')
		return token_literal(&s->cmd.args, true, &a->value);
	return token_string(&s->cmd.args, &s->arena, &a->value);
}

enum pairs { PAIRS_FINE, PAIRS_WRONG, PAIRS_MANY, PAIRS_LONG };

/* entry-values = "(" entry-value *(SP entry-value) ")" */
static enum pairs entry_values(struct imap *s, struct metadata_work *w)
{
	struct scan *a = &s->cmd.args;
	enum pairs parsed = PAIRS_FINE;

	if (!scan_char(a, '('))
		return PAIRS_WRONG;
	do {
		struct api_annotation x = { .remove = false };

		if (!entry(s, &x.name) || !scan_sp(a) || !value(s, &x))
			return PAIRS_WRONG;
		if (x.value.n > LIMIT_ANNOTATION_BYTES)
			parsed = PAIRS_LONG;
		else if (w->n == LIMIT_ANNOTATIONS_AT_ONCE)
			parsed = parsed == PAIRS_FINE ? PAIRS_MANY : parsed;
		else
			w->set[w->n++] = x;
	} while (scan_sp(a));
	return scan_char(a, ')') && scan_end(a) ? parsed : PAIRS_WRONG;
}

static void set(struct imap *s, const struct frame *answer)
{
	const struct metadata_work *w = s->cmd.work;

	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_LIMIT) {
		s->request = 0;
		reply_no(s, "METADATA TOOMANY", "There are too many annotations");
		imap_finish(s);
		return;
	}
	if (!imap_expect(s, answer, FRAME_DONE))
		return;
	for (size_t i = 0; i < w->n; i++)
		notify_own_annotated(s, w->question.metadata_set.mailbox, w->set[i].name);
	s->sel.stale = s->sel.view != NULL; /* HIGHESTMODSEQ rose: RFC 7162 3.2 */
	reply_ok(s, NULL, "SETMETADATA completed");
	imap_finish(s);
}

void imap_annotation_is_long(struct imap *s)
{
	char code[40];

	snprintf(code, sizeof code, "METADATA MAXSIZE %d", LIMIT_ANNOTATION_BYTES);
	reply_no(s, code, "The value is too long");
}

static bool values_fit(struct imap *s, enum pairs parsed)
{
	if (parsed == PAIRS_FINE)
		return true;
	if (parsed == PAIRS_WRONG) {
		imap_bad_args(s);
		return false;
	}
	if (parsed == PAIRS_LONG)
		imap_annotation_is_long(s);
	else
		reply_no(s, "METADATA TOOMANY", "At most %d at once", LIMIT_ANNOTATIONS_AT_ONCE);
	imap_finish(s);
	return false;
}

/* Whatever is said there must not be taken as it is.             RFC 6154 4 */
static bool sets_special_use(struct imap *s, const struct metadata_work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (!is_special_use(w, w->set[i].name))
			continue;
		reply_no(s, "CANNOT", "A special use is given when a mailbox is created");
		imap_finish(s);
		return true;
	}
	return false;
}

/* setmetadata = "SETMETADATA" SP mailbox SP entry-values       RFC 5464 5 */
void imap_setmetadata(struct imap *s)
{
	struct metadata_work *w = imap_work(s, sizeof *w, NULL);

	if (!scan_sp(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (!mailbox_or_server(s, w))
		return;
	if (!scan_sp(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (!values_fit(s, entry_values(s, w)) || sets_special_use(s, w))
		return;
	ask(s,
		(struct frame){ .type = FRAME_METADATA_SET,
			.metadata_set = { s->session.store_session, 0, { w->set, w->n } } },
		set);
}
