// SPDX-License-Identifier: Apache-2.0
/* SEARCH's text to its program. RFC 9051 9: search, search-program, search-key; RFC 4466 2.6.1
 * for RETURN, RFC 7162 7 for MODSEQ. What is open (parentheses, NOT, OR) stands on an explicit
 * stack of bounded depth, so that no input recurses (hostile-input I5). */
#include "imap/search.h"

#include "api/schemes.h"
#include "base/limits.h"
#include "base/time.h"
#include "imap/grammar.h"
#include "imap/token.h"
#include "mail/charset.h"

enum argument {
	NO_ARGUMENT,
	TEXT,
	HEADER,
	KEYWORD,
	DATE,
	NUMBER,
	INTERVAL,
	OBJECT_ID,
	SET,
	MODSEQ
};

static const struct key_syntax {
	struct str name;
	enum search_op op;
	enum argument argument;
	bool negate;
	uint8_t flags;
	struct str field;
} syntax[] = {
	{ STR_INIT("ALL"), SEARCH_ALL },
	{ STR_INIT("ANSWERED"), SEARCH_FLAG, .flags = FLAG_ANSWERED },
	{ STR_INIT("BCC"), SEARCH_HEADER, TEXT, .field = STR_INIT("Bcc") },
	{ STR_INIT("BEFORE"), SEARCH_BEFORE, DATE },
	{ STR_INIT("BODY"), SEARCH_BODY, TEXT },
	{ STR_INIT("CC"), SEARCH_HEADER, TEXT, .field = STR_INIT("Cc") },
	{ STR_INIT("DELETED"), SEARCH_FLAG, .flags = FLAG_DELETED },
	{ STR_INIT("DRAFT"), SEARCH_FLAG, .flags = FLAG_DRAFT },
	{ STR_INIT("EMAILID"), SEARCH_EMAIL_ID, OBJECT_ID },
	{ STR_INIT("FLAGGED"), SEARCH_FLAG, .flags = FLAG_FLAGGED },
	{ STR_INIT("FROM"), SEARCH_HEADER, TEXT, .field = STR_INIT("From") },
	{ STR_INIT("HEADER"), SEARCH_HEADER, HEADER },
	{ STR_INIT("KEYWORD"), SEARCH_KEYWORD, KEYWORD },
	{ STR_INIT("LARGER"), SEARCH_LARGER, NUMBER },
	{ STR_INIT("MODSEQ"), SEARCH_MODSEQ, MODSEQ },
	{ STR_INIT("NEW"), SEARCH_RECENT, .flags = FLAG_SEEN },
	{ STR_INIT("OLD"), SEARCH_RECENT, .negate = true },
	{ STR_INIT("OLDER"), SEARCH_OLDER, INTERVAL },
	{ STR_INIT("ON"), SEARCH_ON, DATE },
	{ STR_INIT("RECENT"), SEARCH_RECENT },
	{ STR_INIT("SAVEDATESUPPORTED"), SEARCH_ALL },
	{ STR_INIT("SAVEDBEFORE"), SEARCH_SAVED_BEFORE, DATE },
	{ STR_INIT("SAVEDON"), SEARCH_SAVED_ON, DATE },
	{ STR_INIT("SAVEDSINCE"), SEARCH_SAVED_SINCE, DATE },
	{ STR_INIT("SEEN"), SEARCH_FLAG, .flags = FLAG_SEEN },
	{ STR_INIT("SENTBEFORE"), SEARCH_SENT_BEFORE, DATE },
	{ STR_INIT("SENTON"), SEARCH_SENT_ON, DATE },
	{ STR_INIT("SENTSINCE"), SEARCH_SENT_SINCE, DATE },
	{ STR_INIT("SINCE"), SEARCH_SINCE, DATE },
	{ STR_INIT("SMALLER"), SEARCH_SMALLER, NUMBER },
	{ STR_INIT("SUBJECT"), SEARCH_HEADER, TEXT, .field = STR_INIT("Subject") },
	{ STR_INIT("TEXT"), SEARCH_TEXT, TEXT },
	{ STR_INIT("THREADID"), SEARCH_NEVER, OBJECT_ID }, /* RFC 8474 5.2: there are none */
	{ STR_INIT("TO"), SEARCH_HEADER, TEXT, .field = STR_INIT("To") },
	{ STR_INIT("UID"), SEARCH_UID, SET },
	{ STR_INIT("UNANSWERED"), SEARCH_FLAG, .flags = FLAG_ANSWERED, .negate = true },
	{ STR_INIT("UNDELETED"), SEARCH_FLAG, .flags = FLAG_DELETED, .negate = true },
	{ STR_INIT("UNDRAFT"), SEARCH_FLAG, .flags = FLAG_DRAFT, .negate = true },
	{ STR_INIT("UNFLAGGED"), SEARCH_FLAG, .flags = FLAG_FLAGGED, .negate = true },
	{ STR_INIT("UNKEYWORD"), SEARCH_KEYWORD, KEYWORD, .negate = true },
	{ STR_INIT("UNSEEN"), SEARCH_FLAG, .flags = FLAG_SEEN, .negate = true },
	{ STR_INIT("YOUNGER"), SEARCH_YOUNGER, INTERVAL },
};

static const struct {
	struct str name;
	enum search_return bit;
} return_options[] = {
	{ STR_INIT("MIN"), SEARCH_RETURN_MIN },
	{ STR_INIT("MAX"), SEARCH_RETURN_MAX },
	{ STR_INIT("ALL"), SEARCH_RETURN_ALL },
	{ STR_INIT("COUNT"), SEARCH_RETURN_COUNT },
	{ STR_INIT("SAVE"), SEARCH_RETURN_SAVE },
};

/* What is open around the key being read. */
enum open { OPEN_ALL, OPEN_PAREN, OPEN_NOT, OPEN_OR };

struct parser {
	struct scan *s;
	struct arena *arena;
	struct search *search;
	struct err *err;
	const struct mail_charset *charset;
	size_t room;
	struct {
		enum open open;
		uint16_t count; /* keys that are complete */
	} stack[LIMIT_IMAP_SEARCH_DEPTH];
	size_t depth;
};

static int bad(struct parser *p)
{
	return fail(p->err, ERR_SYNTAX, "that is no search key");
}

static int too_much(struct parser *p)
{
	return fail(p->err, ERR_LIMIT, "the search is too large");
}

static int emit(struct parser *p, struct search_key key)
{
	if (p->search->n == p->room)
		return too_much(p);
	p->search->keys[p->search->n++] = key;
	return 0;
}

/* ---- arguments ---- */

/* Text in the search's charset as folded UTF-8. */
static int fold(struct parser *p, struct str text, struct str *ret)
{
	if (text.n > LIMIT_IMAP_NEEDLE_BYTES)
		return too_much(p);
	/* A byte becomes at most three of UTF-8. */
	struct buf utf8, folded;
	buf_init(&utf8, 3 * LIMIT_IMAP_NEEDLE_BYTES + 16);
	buf_init(&folded, utf8.max * MAIL_SEARCH_GROWTH);
	bool ok = mail_to_utf8(p->charset, text, &utf8) &&
		  mail_search_text(buf_str(&utf8), &folded);
	if (ok)
		*ret = arena_str(p->arena, buf_str(&folded));
	ok = ok && ret->p != NULL;
	buf_done(&utf8);
	buf_done(&folded);
	return ok ? 0 : too_much(p);
}

static int text_argument(struct parser *p, struct str *ret)
{
	struct str text;
	if (!scan_sp(p->s) || !token_astring(p->s, p->arena, &text))
		return bad(p);
	return fold(p, text, ret);
}

/* date = date-text / DQUOTE date-text DQUOTE */
static int date_argument(struct parser *p, int64_t *ret_day)
{
	int64_t ms;
	bool ok = scan_sp(p->s);
	bool quoted = ok && scan_char(p->s, '"');
	if (!ok || !time_scan_imap_date(p->s, &ms) || (quoted && !scan_char(p->s, '"')))
		return bad(p);
	*ret_day = ms / TIME_DAY_MS - (ms % TIME_DAY_MS < 0);
	return 0;
}

/* search-modsequence = "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer
 * search-modseq-ext = SP entry-name SP entry-type-req: there is one mod-sequence for all of a
 * message's metadata here, so the name of a flag changes nothing   RFC 7162 3.1.5 */
static int modseq_argument(struct parser *p, uint64_t *ret)
{
	struct str name, type;
	struct scan before = *p->s;
	if (scan_sp(p->s) && token_quoted(p->s, p->arena, &name)) {
		if (!str_starts_nocase(name, STR("/flags/")) || !scan_sp(p->s) ||
			!token_atom(p->s, &type))
			return bad(p);
		if (!str_equal_nocase(type, STR("all")) && !str_equal_nocase(type, STR("shared")) &&
			!str_equal_nocase(type, STR("priv")))
			return bad(p);
	} else {
		*p->s = before;
	}
	p->search->uses_modseq = true;
	return scan_sp(p->s) && token_number64(p->s, ret) ? 0 : bad(p);
}

/* nz-number                                                 RFC 5032 3 */
static int interval_argument(struct parser *p, uint64_t *ret)
{
	uint32_t seconds;
	if (!scan_sp(p->s) || !token_nz_number(p->s, &seconds))
		return bad(p);
	*ret = seconds;
	return 0;
}

static int object_id_argument(struct parser *p, uint64_t *ret)
{
	struct str id;
	if (!scan_sp(p->s) || !grammar_object_id(p->s, &id))
		return bad(p);
	*ret = grammar_email_id(id);
	return 0;
}

static int set_argument(struct parser *p, struct seqset *ret)
{
	if (!seqset_parse(p->s, p->arena, ret))
		return bad(p);
	if (ret->too_much)
		return too_much(p);
	p->search->uses_saved |= ret->saved;
	return 0;
}

static int argument(struct parser *p, const struct key_syntax *syn, struct search_key *key)
{
	struct scan *s = p->s;
	switch (syn->argument) {
	case TEXT:
		return text_argument(p, &key->text);
	case HEADER: /* no field is without a name; but header-fld-name = astring, so one may ask */
		if (!scan_sp(s) || !token_astring(s, p->arena, &key->field))
			return bad(p);
		key->op = key->field.n > 0 ? SEARCH_HEADER : SEARCH_NEVER;
		return text_argument(p, &key->text);
	case KEYWORD:
		return scan_sp(s) && token_atom(s, &key->text) ? 0 : bad(p);
	case DATE:
		return date_argument(p, &key->day);
	case NUMBER:
		return scan_sp(s) && token_number64(s, &key->number) ? 0 : bad(p);
	case INTERVAL:
		return interval_argument(p, &key->number);
	case OBJECT_ID:
		return object_id_argument(p, &key->number);
	case SET:
		return scan_sp(s) ? set_argument(p, &key->set) : bad(p);
	case MODSEQ:
		return modseq_argument(p, &key->number);
	case NO_ARGUMENT:
		break;
	}
	return 0;
}

/* ---- keys ---- */

static int leaf(struct parser *p)
{
	struct search_key key = { .op = SEARCH_SEQUENCE };
	int c = scan_peek(p->s);
	if (c == '$' || c == '*' || (c >= '0' && c <= '9'))
		return set_argument(p, &key.set) < 0 ? -1 : emit(p, key);
	for (size_t i = 0; i < ARRAY_LEN(syntax); i++) {
		if (!scan_word_nocase(p->s, syntax[i].name))
			continue;
		key.op = syntax[i].op;
		key.flags = syntax[i].flags;
		key.field = syntax[i].field;
		if (argument(p, &syntax[i], &key) < 0 || emit(p, key) < 0)
			return -1;
		return syntax[i].negate ? emit(p, (struct search_key){ .op = SEARCH_NOT }) : 0;
	}
	return bad(p);
}

/* Opens what begins a key with keys inside. 1: something was opened; 0: it is a leaf. */
static int open_one(struct parser *p)
{
	enum open open;
	if (scan_char(p->s, '('))
		open = OPEN_PAREN;
	else if (scan_word_nocase(p->s, STR("NOT")))
		open = OPEN_NOT;
	else if (scan_word_nocase(p->s, STR("OR")))
		open = OPEN_OR;
	else
		return 0;
	if (open != OPEN_PAREN && !scan_sp(p->s))
		return bad(p);
	if (p->depth == LIMIT_IMAP_SEARCH_DEPTH)
		return too_much(p);
	p->stack[p->depth].open = open;
	p->stack[p->depth++].count = 0;
	return 1;
}

static int emit_and(struct parser *p, uint16_t count)
{
	return count == 1 ? 0 : emit(p, (struct search_key){ .op = SEARCH_AND, .count = count });
}

/* A key is complete: closes what is complete with it. 1: the whole program is; 0: a key follows. */
static int complete(struct parser *p)
{
	for (;;) {
		enum open open = p->stack[p->depth - 1].open;
		uint16_t count = ++p->stack[p->depth - 1].count;
		int r = 0;
		if (open == OPEN_NOT)
			r = emit(p, (struct search_key){ .op = SEARCH_NOT });
		else if (open == OPEN_OR && count == 2)
			r = emit(p, (struct search_key){ .op = SEARCH_OR });
		else if (open == OPEN_PAREN && scan_char(p->s, ')'))
			r = emit_and(p, count);
		else if (open == OPEN_ALL && scan_end(p->s))
			return emit_and(p, count) < 0 ? -1 : 1;
		else
			return scan_sp(p->s) ? 0 : bad(p);
		if (r < 0)
			return -1;
		p->depth--;
	}
}

static int program(struct parser *p)
{
	p->stack[p->depth++].open = OPEN_ALL;
	for (;;) {
		int opened = open_one(p);
		if (opened < 0)
			return -1;
		if (opened)
			continue;
		if (leaf(p) < 0)
			return -1;
		int done = complete(p);
		if (done != 0)
			return done < 0 ? -1 : 0;
	}
}

/* ---- options ---- */

static int return_option(struct parser *p)
{
	if (scan_word_nocase(p->s, STR("PARTIAL"))) {
		bool again = (p->search->returns & SEARCH_RETURN_PARTIAL) != 0;
		p->search->returns |= SEARCH_RETURN_PARTIAL;
		return !again && scan_sp(p->s) && partial_range_parse(p->s, &p->search->partial)
			       ? 0
			       : bad(p);
	}
	for (size_t i = 0; i < ARRAY_LEN(return_options); i++) {
		if (scan_word_nocase(p->s, return_options[i].name)) {
			p->search->returns |= return_options[i].bit;
			return 0;
		}
	}
	return fail(p->err, ERR_SYNTAX, "that is no search return option");
}

/* search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
 * "()" is ALL (RFC 9051 6.4.4). */
static int options(struct parser *p)
{
	struct scan *s = p->s;
	if (!scan_sp(s))
		return bad(p);
	if (!scan_word_nocase(s, STR("RETURN")))
		return 0;
	p->search->extended = true;
	if (!scan_sp(s) || !scan_char(s, '('))
		return bad(p);
	if (!scan_char(s, ')')) {
		do {
			if (return_option(p) < 0)
				return -1;
		} while (scan_sp(s));
		if (!scan_char(s, ')'))
			return bad(p);
	}
	if (p->search->returns == 0)
		p->search->returns = SEARCH_RETURN_ALL;
	/* RFC 9394 3.1 */
	if ((p->search->returns & SEARCH_RETURN_ALL) &&
		(p->search->returns & SEARCH_RETURN_PARTIAL))
		return fail(p->err, ERR_SYNTAX, "ALL and PARTIAL exclude each other");
	return scan_sp(s) ? 0 : bad(p);
}

/* charset SP */
static int charset_name(struct parser *p)
{
	struct str name;
	if (!token_astring(p->s, p->arena, &name) || !scan_sp(p->s))
		return bad(p);
	p->charset = mail_charset_find(name);
	if (p->charset == NULL)
		return fail(p->err, ERR_UNSUPPORTED, "that charset is not known");
	return 0;
}

/* ["CHARSET" SP charset SP] */
static int charset(struct parser *p)
{
	p->charset = mail_charset_find(STR("utf-8"));
	if (!scan_word_nocase(p->s, STR("CHARSET")))
		return 0;
	p->search->has_charset = true;
	return scan_sp(p->s) ? charset_name(p) : bad(p);
}

/* Upper bound of the keys: the first brings its negation and the joint of all, each further one
 * takes a blank or a parenthesis, and brings its negation or its parenthesis's joint. */
static size_t count_keys(struct str text)
{
	size_t n = 3;
	for (size_t i = 0; i < text.n && n < LIMIT_IMAP_SEARCH_KEYS; i++)
		n += text.p[i] == ' ' || text.p[i] == '(' ? 2 : 0;
	return n < LIMIT_IMAP_SEARCH_KEYS ? n : LIMIT_IMAP_SEARCH_KEYS;
}

static int keys(struct parser *p)
{
	struct search *search = p->search;
	p->room = count_keys(scan_rest(p->s));
	search->keys = arena_array(p->arena, p->room, sizeof(*search->keys));
	return search->keys == NULL ? too_much(p) : program(p);
}

int search_parse_options(struct scan *s, struct search *ret, struct err *err)
{
	*ret = (struct search){ 0 };
	struct parser p = { .s = s, .search = ret, .err = err };
	return options(&p);
}

int search_parse_criteria(struct scan *s, struct arena *a, struct search *ret, struct err *err)
{
	struct parser p = { .s = s, .arena = a, .search = ret, .err = err };
	return charset_name(&p) < 0 ? -1 : keys(&p);
}

int search_parse(struct scan *s, struct arena *a, struct search *ret, struct err *err)
{
	*ret = (struct search){ 0 };
	struct parser p = { .s = s, .arena = a, .search = ret, .err = err };
	return options(&p) < 0 || charset(&p) < 0 ? -1 : keys(&p);
}
