// SPDX-License-Identifier: Apache-2.0
/* LIST (RFC 9051 6.3.9, RFC 5258, 5819, 6154), LSUB (RFC 3501 6.3.9), NAMESPACE (RFC 9051 6.3.10).
 * One question brings all names. They are looked at from the last to the first, so that what is
 * below a name is known before it, each name once and so much in a turn; then what was chosen is
 * written step by step, so that a client that reads slowly holds no more than the names. */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/mailboxes.h"
#include "imap/match.h"
#include "imap/token.h"
#include "imap/utf7.h"

#include <stdlib.h>

#define PATTERNS_MAX   32 /* patterns of one LIST; RFC 5258 3 */
#define UTF7_EXPANSION 3  /* of a byte of UTF-8 in modified UTF-7, at most but for a name's ends */

/* Selection and return options. */
enum list_option {
	SELECT_SUBSCRIBED = 1,
	SELECT_RECURSIVE = 2, /* RECURSIVEMATCH */
	SELECT_SPECIAL_USE = 4,
	SELECT_REMOTE = 8,
	RETURN_SUBSCRIBED = 16,
	RETURN_CHILDREN = 32,
	RETURN_SPECIAL_USE = 64,
	RETURN_STATUS = 128,
};

struct recent_in {
	uint64_t mailbox;
	uint32_t n;
};

/* What is true of a name. */
enum fact {
	MATCHES = 1,
	CHOSEN = 2,        /* by the selection options */
	HAS_CHILDREN = 4,  /* one below exists */
	CHOSEN_BELOW = 8,  /* one below is chosen */
	HIDDEN_BELOW = 16, /* one below is, and does not match */
};

struct looked {
	uint32_t after; /* where the names end that are below it */
	uint8_t facts;  /* enum fact */
};

/* What the patterns are joined to. */
struct reference {
	struct str wire, name; /* as the client wrote it; what that names */
	bool is_name;          /* it names something */
};

struct pattern {
	struct match match;
	bool wire; /* of names as this client has them, in modified UTF-7 */
};

struct list_work {
	struct mailboxes boxes;
	struct looked *looked; /* as many as boxes */
	struct vec recents;    /* struct recent_in, of those that have any; for STATUS */
	struct pattern patterns[PATTERNS_MAX];
	size_t n_patterns;
	uint64_t words; /* of all patterns: what a byte of a name costs */
	unsigned options;
	unsigned atts; /* of STATUS */
	bool lsub;
	bool percent;  /* a pattern has one */
	bool too_many; /* patterns */
	bool extended; /* LIST-EXTENDED syntax was used */
	size_t left;   /* of boxes, to be looked at */
	size_t at;     /* of boxes, to be written */
};

static void drop(struct imap *s)
{
	struct list_work *w = s->cmd.work;

	mailboxes_done(&w->boxes);
	vec_done(&w->recents);
	free(w->looked);
	for (size_t i = 0; i < w->n_patterns; i++)
		match_done(&w->patterns[i].match);
}

/* ---- what is asked for ---- */

static const struct {
	struct str name;
	unsigned option;
} select_options[] = {
	{ STR_INIT("SUBSCRIBED"), SELECT_SUBSCRIBED },
	{ STR_INIT("RECURSIVEMATCH"), SELECT_RECURSIVE },
	{ STR_INIT("SPECIAL-USE"), SELECT_SPECIAL_USE },
	{ STR_INIT("REMOTE"), SELECT_REMOTE },
}, return_options[] = {
	{ STR_INIT("SUBSCRIBED"), RETURN_SUBSCRIBED },
	{ STR_INIT("CHILDREN"), RETURN_CHILDREN },
	{ STR_INIT("SPECIAL-USE"), RETURN_SPECIAL_USE },
	{ STR_INIT("STATUS"), RETURN_STATUS },
};

static bool select_option(struct scan *a, unsigned *options)
{
	for (size_t i = 0; i < ARRAY_LEN(select_options); i++)
		if (scan_word_nocase(a, select_options[i].name)) {
			*options |= select_options[i].option;
			return true;
		}
	return false;
}

/* list-select-opts: RECURSIVEMATCH needs SUBSCRIBED or another base option. RFC 5258 3.1 */
static bool select_opts(struct scan *a, unsigned *options)
{
	if (!scan_char(a, '('))
		return false;
	if (!scan_char(a, ')')) {
		do {
			if (!select_option(a, options))
				return false;
		} while (scan_sp(a));
		if (!scan_char(a, ')'))
			return false;
	}
	return (*options & SELECT_RECURSIVE) == 0 ||
	       (*options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE)) != 0;
}

static bool return_option(struct scan *a, struct list_work *w)
{
	for (size_t i = 0; i < ARRAY_LEN(return_options); i++) {
		if (!scan_word_nocase(a, return_options[i].name))
			continue;
		w->options |= return_options[i].option;
		return return_options[i].option != RETURN_STATUS ||
		       (scan_sp(a) && grammar_status_atts(a, &w->atts));
	}
	return false;
}

/* list-return-opts = "RETURN" SP "(" [list-return-opt *(SP list-return-opt)] ")" */
static bool return_opts(struct scan *a, struct list_work *w)
{
	if (scan_end(a))
		return true;
	w->extended = true;
	if (!scan_sp(a) || !scan_word_nocase(a, STR("RETURN")) || !scan_sp(a) || !scan_char(a, '('))
		return false;
	if (scan_char(a, ')'))
		return scan_end(a);
	do {
		if (!return_option(a, w))
			return false;
	} while (scan_sp(a));
	return scan_char(a, ')') && scan_end(a);
}

static bool add_pattern(struct list_work *w, struct str reference, struct str pattern, bool wire)
{
	struct pattern *p = &w->patterns[w->n_patterns];

	if (!match_init(&p->match, reference, pattern))
		return false;
	p->wire = wire;
	w->percent |= str_find(pattern, '%') < pattern.n;
	w->words += p->match.words * (wire ? UTF7_EXPANSION : 1);
	w->n_patterns++;
	return true;
}

/* What is no name for itself, as the "&" of "&*", is held against the names as they are written to
 * this client. A pattern that no name can be written like matches nothing. */
static bool one_pattern(struct imap *s, struct list_work *w, const struct reference *ref)
{
	struct str wire;
	struct buf pattern;
	struct err err = ERR_INIT;
	bool ok = true;

	if (!token_list_mailbox(&s->cmd.args, &s->arena, &wire))
		return false;
	w->too_many = w->n_patterns == PATTERNS_MAX;
	if (w->too_many)
		return true; /* refused when the rest makes sense */
	buf_init(&pattern, LIMIT_MAILBOX_PATTERN_BYTES);
	if (ref->is_name && mailbox_pattern_read(wire, imap_utf8(s), &pattern, &err) == 0)
		ok = add_pattern(w, ref->name, buf_str(&pattern), false);
	else if (!imap_utf8(s))
		(void)add_pattern(w, ref->wire, wire, true);
	buf_done(&pattern);
	return ok;
}

/* mbox-or-pat = list-mailbox / patterns; patterns = "(" list-mailbox *(SP list-mailbox) ")" */
static bool patterns(struct imap *s, struct list_work *w, const struct reference *ref)
{
	if (!scan_char(&s->cmd.args, '('))
		return one_pattern(s, w, ref);
	w->extended = true;
	do {
		if (!one_pattern(s, w, ref))
			return false;
	} while (scan_sp(&s->cmd.args));
	return scan_char(&s->cmd.args, ')');
}

/* ---- what is true of each name ---- */

static bool matches(struct list_work *w, struct str name)
{
	struct buf wire;
	bool found = false;

	buf_init(&wire, utf7_most(name.n));
	for (size_t i = 0; i < w->n_patterns && !found; i++) {
		struct pattern *p = &w->patterns[i];

		if (p->wire && wire.n == 0 && !utf7_encode(name, &wire))
			continue;
		found = match_name(&p->match, p->wire ? buf_str(&wire) : name);
	}
	buf_done(&wire);
	return found;
}

static bool is_selected(const struct list_work *w, const struct api_mailbox *m, unsigned facts)
{
	if (w->options & SELECT_SUBSCRIBED)
		return m->subscribed && ((w->options & SELECT_SPECIAL_USE) == 0 || m->special_use);
	if (w->options & SELECT_SPECIAL_USE)
		return m->special_use != 0;
	/* a parent that was deleted and has children still */
	return m->exists || (facts & HAS_CHILDREN) != 0;
}

/* What a name that was looked at says of those that it is below. */
static unsigned facts_above(const struct api_mailbox *m, unsigned facts)
{
	unsigned above = facts & (HAS_CHILDREN | CHOSEN_BELOW | HIDDEN_BELOW);

	if (m->exists)
		above |= HAS_CHILDREN;
	if (facts & CHOSEN)
		above |= facts & MATCHES ? CHOSEN_BELOW : CHOSEN_BELOW | HIDDEN_BELOW;
	return above;
}

/* All names behind this one were looked at. Its children hand on what is below them, so each name
 * is asked by its parent alone. */
static void look_at(struct list_work *w, size_t i)
{
	const struct api_mailbox *m = mailboxes_at(&w->boxes, i), *below;
	unsigned facts = matches(w, m->name) ? MATCHES : 0;
	size_t k = i + 1;

	while (k < w->boxes.all.n &&
		mailboxes_is_below((below = mailboxes_at(&w->boxes, k))->name, m->name)) {
		facts |= facts_above(below, w->looked[k].facts);
		k = w->looked[k].after;
	}
	if (is_selected(w, m, facts))
		facts |= CHOSEN;
	w->looked[i] = (struct looked){ (uint32_t)k, (uint8_t)facts };
}

static void list_step(struct imap *s);

_Static_assert(
	(LIMIT_MAILBOX_NAME_BYTES +
		1) * (PATTERNS_MAX * UTF7_EXPANSION * (LIMIT_MAILBOX_PATTERN_BYTES / 64 + 2) + 1) <=
		LIMIT_IMAP_LIST_WORK,
	"any name fits into a turn, so that each goes on");

static void look_step(struct imap *s)
{
	struct list_work *w = s->cmd.work;
	uint64_t work = 0;

	while (w->left > 0) {
		work += (mailboxes_at(&w->boxes, w->left - 1)->name.n + 1) * (w->words + 1);
		if (work > LIMIT_IMAP_LIST_WORK) {
			imap_yield(s, look_step);
			return;
		}
		look_at(w, --w->left);
	}
	s->step = list_step;
}

static void look(struct imap *s)
{
	struct list_work *w = s->cmd.work;

	w->left = w->boxes.all.n;
	w->looked = xcalloc(w->left + 1, sizeof *w->looked);
	s->step = look_step;
}

/* ---- what is answered ---- */

static void add_flag(struct buf *out, const char **gap, const char *flag)
{
	buf_addf(out, "%s%s", *gap, flag);
	*gap = " ";
}

/* childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted *(SP …) ")" */
static void write_childinfo(struct buf *out, const struct list_work *w)
{
	const char *gap = "";
	buf_addz(out, " (\"CHILDINFO\" (");
	if (w->options & SELECT_SUBSCRIBED)
		add_flag(out, &gap, "\"SUBSCRIBED\"");
	if (w->options & SELECT_SPECIAL_USE)
		add_flag(out, &gap, "\"SPECIAL-USE\"");
	buf_addz(out, "))");
}

/* mailbox-list = "(" [mbx-list-flags] ")" SP DQUOTE QUOTED-CHAR DQUOTE SP mailbox [SP extended] */
static void write_box(struct imap *s, const struct list_work *w, const struct api_mailbox *m,
	unsigned facts, bool childinfo)
{
	struct buf *out = imap_out(s);
	const char *gap = "";

	buf_addf(out, "* %s (", w->lsub ? "LSUB" : "LIST");
	/* RFC 9051 6.3.9: \NonExistent implies \Noselect, which is all that RFC 3501 knows */
	if (!m->exists && !w->lsub)
		add_flag(out, &gap, "\\NonExistent");
	if (!m->exists && (!s->rev2 || w->lsub))
		add_flag(out, &gap, "\\Noselect");
	if (!w->lsub)
		add_flag(out, &gap, facts & HAS_CHILDREN ? "\\HasChildren" : "\\HasNoChildren");
	if (m->subscribed && !w->lsub && (w->options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED)))
		add_flag(out, &gap, "\\Subscribed");
	for (uint16_t bit = 1; !w->lsub && bit <= USE_ALL; bit = (uint16_t)(bit << 1))
		if (m->special_use & bit)
			add_flag(out, &gap, grammar_special_use_name(bit));
	buf_addz(out, ") \"/\" ");
	mailbox_name_write(out, m->name, imap_utf8(s));
	if (childinfo)
		write_childinfo(out, w);
	buf_addz(out, "\r\n");
}

/* RFC 9051 6.3.9.6: with RECURSIVEMATCH a name tells of selected ones below it; one that is not
 * selected itself is told of only when one of those does not match. RFC 3501 6.3.9: LSUB with "%"
 * does the latter, and says \Noselect. */
static bool stands_for_others(const struct list_work *w, unsigned facts)
{
	if (w->lsub ? !w->percent : (w->options & SELECT_RECURSIVE) == 0)
		return false;
	return (facts & (facts & CHOSEN ? CHOSEN_BELOW : HIDDEN_BELOW)) != 0;
}

static int compare_recents(const void *pa, const void *pb)
{
	const struct recent_in *a = pa, *b = pb;

	return a->mailbox < b->mailbox ? -1 : a->mailbox > b->mailbox;
}

static uint32_t recent_in(const struct list_work *w, uint64_t mailbox)
{
	const struct recent_in key = { .mailbox = mailbox };
	const struct recent_in *found = NULL;

	if (w->recents.n > 0)
		found = bsearch(&key, w->recents.p, w->recents.n, sizeof key, compare_recents);
	return found == NULL ? 0 : found->n;
}

static void keep_recents(struct list_work *w, const struct frame_mailboxes *m)
{
	for (size_t i = 0; i < m->recents.n && i < m->mailboxes.n; i++) {
		struct recent_in in = { m->mailboxes.items[i].id, m->recents.items[i] };

		if (in.n > 0)
			vec_push(&w->recents, &in);
	}
	if (m->last && w->recents.n > 0)
		qsort(w->recents.p, w->recents.n, sizeof(struct recent_in), compare_recents);
}

static void list_one(struct imap *s, struct list_work *w, size_t i)
{
	const struct api_mailbox *m = mailboxes_at(&w->boxes, i);
	struct api_mailbox shown = *m;
	unsigned facts = w->looked[i].facts;
	bool selected = (facts & CHOSEN) != 0, others = stands_for_others(w, facts);

	if ((facts & MATCHES) == 0 || (!selected && !others))
		return;
	if (w->lsub) /* \Noselect: it is not subscribed itself */
		shown.exists = selected;
	write_box(s, w, &shown, facts, others && !w->lsub);
	/* Who only stands for others has none: RFC 9051 6.3.9.8, example 11. */
	if (m->exists && selected && (w->options & RETURN_STATUS))
		status_add(s, imap_out(s), m, w->atts, recent_in(w, m->id));
}

static void list_step(struct imap *s)
{
	struct list_work *w = s->cmd.work;

	while (w->at < w->boxes.all.n && imap_out(s)->n < IMAP_ROOM_BYTES)
		list_one(s, w, w->at++);
	if (w->at < w->boxes.all.n) {
		s->step = list_step;
		return;
	}
	reply_ok(s, NULL, "%s completed", w->lsub ? "LSUB" : "LIST");
	imap_finish(s);
}

static void too_many(struct imap *s)
{
	reply_no(s, "LIMIT", "Too many mailboxes");
	imap_finish(s);
}

static void take_boxes(struct imap *s, const struct frame *answer)
{
	struct list_work *w = s->cmd.work;
	const struct frame_mailboxes *m = &answer->mailboxes;

	if (answer->type != FRAME_MAILBOXES) {
		imap_expect(s, answer, FRAME_MAILBOXES);
		return;
	}
	if (!mailboxes_add(&w->boxes, m->mailboxes.items, m->mailboxes.n)) {
		s->session.host->cancel(s->session.host, &s->session, s->request);
		s->request = 0;
		too_many(s);
		return;
	}
	keep_recents(w, m);
	if (!m->last)
		return;
	s->request = 0;
	if (mailboxes_end(&w->boxes))
		look(s);
	else
		too_many(s);
}

static void ask_list(struct imap *s)
{
	const struct list_work *w = s->cmd.work;
	bool recent = (w->options & RETURN_STATUS) && status_wants_recent(s, w->atts);

	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_LIST,
			.mailbox_list = { s->session.store_session, recent } },
		take_boxes);
}

/* RFC 9051 6.3.9: LIST "" "" asks for the delimiter and the root of the reference. */
static void list_root(struct imap *s)
{
	imap_writef(s, "* LIST (\\Noselect) \"/\" \"\"\r\n");
	reply_ok(s, NULL, "LIST completed");
	imap_finish(s);
}

static bool reference(struct imap *s, struct reference *ret)
{
	struct buf name;
	struct err err = ERR_INIT;

	if (!scan_sp(&s->cmd.args) || !token_astring(&s->cmd.args, &s->arena, &ret->wire) ||
		!scan_sp(&s->cmd.args))
		return false;
	buf_init(&name, LIMIT_MAILBOX_PATTERN_BYTES);
	ret->is_name = mailbox_pattern_read(ret->wire, imap_utf8(s), &name, &err) == 0;
	ret->name = arena_str(&s->arena, buf_str(&name));
	buf_done(&name);
	return true;
}

static struct list_work *begin(struct imap *s)
{
	struct list_work *w = imap_work(s, sizeof *w, drop);

	mailboxes_init(&w->boxes, &s->arena);
	vec_init(&w->recents, sizeof(struct recent_in), LIMIT_IMAP_MAILBOXES);
	return w;
}

static bool is_empty_pattern(const struct scan *a)
{
	return str_equal(scan_rest(a), STR("\"\""));
}

/* list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts] */
void imap_list(struct imap *s)
{
	struct list_work *w = begin(s);
	struct scan at = s->cmd.args;
	struct reference ref;

	if (scan_sp(&at) && scan_peek(&at) == '(') {
		w->extended = true;
		s->cmd.args = at;
		if (!select_opts(&s->cmd.args, &w->options)) {
			imap_bad_args(s);
			return;
		}
	}
	if (!reference(s, &ref)) {
		imap_bad_args(s);
		return;
	}
	if (!w->extended && is_empty_pattern(&s->cmd.args)) {
		list_root(s);
		return;
	}
	if (!patterns(s, w, &ref) || !return_opts(&s->cmd.args, w)) {
		imap_bad_args(s);
		return;
	}
	if (w->too_many) {
		reply_no(s, "LIMIT", "At most %d patterns at once", PATTERNS_MAX);
		imap_finish(s);
		return;
	}
	if (w->atts & STATUS_HIGHESTMODSEQ)
		imap_enable_condstore(s);
	ask_list(s);
}

/* lsub = "LSUB" SP mailbox SP list-mailbox                  RFC 3501 9 */
void imap_lsub(struct imap *s)
{
	struct list_work *w = begin(s);
	struct reference ref;

	w->lsub = true;
	w->options = SELECT_SUBSCRIBED;
	if (!reference(s, &ref) || !one_pattern(s, w, &ref) || !scan_end(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	ask_list(s);
}

/* One personal namespace; no other users', no shared ones. */
void imap_namespace(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	imap_writef(s, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	reply_ok(s, NULL, "NAMESPACE completed");
	imap_finish(s);
}
