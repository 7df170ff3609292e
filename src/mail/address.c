// SPDX-License-Identifier: Apache-2.0
/*
 * Address lists. A small lexer gives words, quoted strings, literals and specials; the parser walks
 * over them once, without recursion, and gathers an entry until a delimiter ends it. What does not
 * follow the grammar is flagged and read in the way that loses least.
 * RFC 5322 3.4, 4.4; RFC 6532 3.2
 */
#include "mail/address.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "base/vec.h"
#include "mail/cfws.h"

enum token_kind { T_END, T_WORD, T_QUOTED, T_LITERAL, T_SPECIAL };

struct token {
	enum token_kind kind;
	char special;       /* T_SPECIAL: one of < > @ , ; : . */
	bool gap;           /* blanks or a comment stand before it */
	struct str text;    /* the word; the inside of quotes; the literal with its brackets */
	struct str comment; /* the last comment before it, or p == NULL */
};

struct parser {
	struct scan s;
	struct token token; /* the one looked at */
	struct buf name;    /* phrase so far */
	struct buf local;   /* last run of words joined by dots */
	bool local_split;   /* words came before that run */
	bool after_dot;
	bool any; /* the entry has a word */
	bool in_group;
	struct vec entries; /* struct mail_address */
	struct arena *arena;
	struct mail_addresses *result;
};

/* ---- lexer ---- */

static bool is_special(char c)
{
	return c == '<' || c == '>' || c == '@' || c == ',' || c == ';' || c == ':' || c == '.';
}

static bool ends_word(char c)
{
	return is_special(c) || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '(' ||
	       c == '"' || c == '[';
}

/* domain-literal = [CFWS] "[" *([FWS] dtext) [FWS] "]" [CFWS]      RFC 5322 3.4.1 */
static struct str literal_scan(struct parser *p)
{
	struct str rest = scan_rest(&p->s);
	size_t n = str_find(rest, ']');
	if (n == rest.n)
		p->result->malformed = true;
	else
		n++;
	p->s.p += n;
	return str_make(rest.p, n);
}

/* atom, with whatever else stands where an atom should: flagged unless it is atext or 8-bit. */
static struct str word_scan(struct parser *p)
{
	const char *from = p->s.p;
	for (; p->s.p < p->s.end && !ends_word(*p->s.p); p->s.p++)
		if (!abnf_is_atext(*p->s.p) && !abnf_is_8bit(*p->s.p))
			p->result->malformed = true;
	return str_make(from, (size_t)(p->s.p - from));
}

static void next(struct parser *p)
{
	struct cfws c = cfws_skip(&p->s);
	struct token t = { .kind = T_END, .gap = c.any, .comment = c.comment };
	p->result->malformed |= c.malformed;
	int first = scan_peek(&p->s);
	if (first == '"') {
		t.kind = T_QUOTED;
		p->result->malformed |= !quoted_scan(&p->s, &t.text);
	} else if (first == '[') {
		t.kind = T_LITERAL;
		t.text = literal_scan(p);
	} else if (first >= 0 && is_special((char)first)) {
		t.kind = T_SPECIAL;
		t.special = (char)first;
		t.text = str_make(p->s.p++, 1);
	} else if (first >= 0) {
		t.kind = T_WORD;
		t.text = word_scan(p);
	}
	p->token = t;
}

static bool at(const struct parser *p, char special)
{
	return p->token.kind == T_SPECIAL && p->token.special == special;
}

/* ---- entries ---- */

static void entry_reset(struct parser *p)
{
	buf_clear(&p->name);
	buf_clear(&p->local);
	p->local_split = p->after_dot = p->any = false;
}

static struct str keep(struct parser *p, struct str s)
{
	struct str kept = arena_str(p->arena, s);
	if (kept.p == NULL)
		p->result->truncated = true;
	return kept;
}

static void emit(struct parser *p, struct mail_address a)
{
	bool closes = a.kind == MAIL_ADDRESS_GROUP_END;
	if (p->result->truncated && !closes)
		return;
	if (p->entries.n >= LIMIT_ADDRESSES && !closes) {
		p->result->truncated = true;
		return;
	}
	p->result->mailboxes += a.kind == MAIL_ADDRESS_MAILBOX;
	vec_push(&p->entries, &a);
}

/* The display name: the phrase, or of a bare address the comment behind it. */
static struct str display_name(struct parser *p, struct str comment)
{
	if (p->name.n == 0 && comment.p != NULL)
		quoted_add(&p->name, str_trim(comment));
	return p->name.n || p->any ? keep(p, buf_str(&p->name)) : STR_NONE;
}

static void add_text(struct buf *b, const struct token *t)
{
	if (t->kind == T_QUOTED)
		quoted_add(b, t->text);
	else
		buf_adds(b, t->text);
}

/* phrase = 1*word / obs-phrase                 RFC 5322 3.2.5, 4.1
 * local-part = dot-atom / quoted-string / obs-local-part           RFC 5322 3.4.1
 * Until the next special nobody knows which of the two it is: both are gathered. */
static void word(struct parser *p)
{
	bool is_dot = at(p, '.');
	if (p->any && p->token.gap) {
		buf_addc(&p->name, ' ');
		if (!is_dot && !p->after_dot) {
			buf_clear(&p->local);
			p->local_split = true;
		}
	}
	add_text(&p->name, &p->token);
	add_text(&p->local, &p->token);
	p->after_dot = is_dot;
	p->any = true;
	next(p);
}

/* domain = dot-atom / domain-literal / obs-domain          RFC 5322 3.4.1, 4.4
 * Stops before a word that no dot joins. */
static struct str domain(struct parser *p)
{
	struct buf b;
	struct str kept;
	bool joined = true;
	buf_init(&b, scan_left(&p->s) + p->token.text.n + 1);
	while (at(p, '.') || p->token.kind == T_WORD || p->token.kind == T_LITERAL) {
		bool is_dot = at(p, '.');
		if (!is_dot && !joined)
			break;
		joined = is_dot;
		buf_adds(&b, p->token.text);
		next(p);
	}
	if (b.n == 0)
		p->result->malformed = true;
	kept = keep(p, buf_str(&b));
	buf_done(&b);
	return kept;
}

/* obs-route = "@" domain *("," ["@" domain]) ":"            RFC 5322 4.4 */
static struct str route(struct parser *p)
{
	struct buf b;
	buf_init(&b, scan_left(&p->s) + 2);
	while (p->token.kind != T_END && !at(p, ':') && !at(p, '>')) {
		buf_adds(&b, p->token.text);
		next(p);
	}
	struct str kept = STR_NONE;
	if (at(p, ':')) {
		next(p);
		kept = keep(p, buf_str(&b));
	} else {
		p->result->malformed = true;
	}
	buf_done(&b);
	return kept;
}

/* angle-addr = "<" [obs-route] addr-spec ">"                RFC 5322 3.4 */
static void angle(struct parser *p)
{
	struct mail_address a = { .name = display_name(p, STR_NONE) };
	next(p);
	entry_reset(p);
	if (at(p, '@'))
		a.route = route(p);
	while (p->token.kind == T_WORD || p->token.kind == T_QUOTED || at(p, '.'))
		word(p);
	a.local = keep(p, buf_str(p->local_split ? &p->name : &p->local));
	p->result->malformed |= p->local_split || !p->any;
	a.domain = str_make(a.local.p, 0);
	if (at(p, '@')) {
		next(p);
		a.domain = domain(p);
	} else {
		p->result->malformed = true;
	}
	if (at(p, '>')) {
		next(p);
	} else {
		p->result->malformed = true;
		while (p->token.kind != T_END && !at(p, '>') && !at(p, ','))
			next(p);
		if (at(p, '>'))
			next(p);
	}
	emit(p, a);
	entry_reset(p);
}

/* addr-spec = local-part "@" domain            RFC 5322 3.4.1
 * "a@b <c@d>" is common: there "a@b" is the display name. */
static void bare(struct parser *p)
{
	struct mail_address a = { .local = keep(p, buf_str(&p->local)) };
	p->result->malformed |= p->local_split || !p->any;
	next(p);
	a.domain = domain(p);
	if (at(p, '<')) {
		p->result->malformed = true;
		buf_addc(&p->name, '@');
		buf_adds(&p->name, a.domain);
		p->any = true;
		angle(p);
		return;
	}
	buf_clear(&p->name);
	p->any = false;
	a.name = display_name(p, p->token.comment);
	emit(p, a);
	entry_reset(p);
}

/* Words that no address followed: "undisclosed recipients". */
static void dangling(struct parser *p)
{
	if (!p->any)
		return;
	struct str text = keep(p, buf_str(&p->name));
	p->result->malformed = true;
	emit(p, (struct mail_address){ .local = text, .domain = str_make(text.p, 0) });
	entry_reset(p);
}

/* group = display-name ":" [group-list] ";"     RFC 5322 3.4 */
static void group_start(struct parser *p)
{
	p->result->malformed |= p->in_group || !p->any;
	if (!p->in_group && !p->result->truncated) {
		emit(p, (struct mail_address){ .kind = MAIL_ADDRESS_GROUP_START,
				.name = keep(p, buf_str(&p->name)) });
		p->in_group = !p->result->truncated;
	}
	entry_reset(p);
	next(p);
}

static void group_end(struct parser *p)
{
	if (p->in_group)
		emit(p, (struct mail_address){ .kind = MAIL_ADDRESS_GROUP_END });
	p->in_group = false;
}

static void step(struct parser *p)
{
	if (p->token.kind != T_SPECIAL || at(p, '.')) {
		p->result->malformed |= p->token.kind == T_LITERAL;
		word(p);
	} else if (at(p, '<')) {
		angle(p);
	} else if (at(p, '@')) {
		bare(p);
	} else if (at(p, ':')) {
		group_start(p);
	} else {
		p->result->malformed |= at(p, '>') || (at(p, ';') && !p->in_group);
		dangling(p);
		if (at(p, ';'))
			group_end(p);
		next(p);
	}
}

/* What may follow an address directly: a delimiter. Anything else is flagged and begins anew. */
static void check_delimiter(struct parser *p, size_t entries_before)
{
	if (p->entries.n > entries_before && p->token.kind != T_END && !p->any && !at(p, ',') &&
		!at(p, ';'))
		p->result->malformed = true;
}

void mail_addresses_parse(struct arena *arena, struct str value, struct mail_addresses *ret)
{
	struct parser p = { .s = scan_from(value), .arena = arena, .result = ret };
	*ret = (struct mail_addresses){ .v = NULL };
	buf_init(&p.name, value.n + 1);
	buf_init(&p.local, value.n + 1);
	vec_init(&p.entries, sizeof(struct mail_address), LIMIT_ADDRESSES + 1);
	next(&p);
	while (p.token.kind != T_END && !ret->truncated) {
		bool separates = at(&p, ',') || at(&p, ';') || at(&p, ':');
		size_t before = p.entries.n;
		step(&p);
		if (!separates)
			check_delimiter(&p, before);
	}
	dangling(&p);
	ret->malformed |= p.in_group && !ret->truncated;
	group_end(&p);
	ret->v = arena_array(arena, p.entries.n, sizeof(struct mail_address));
	if (ret->v == NULL)
		ret->truncated = true;
	else if (p.entries.n)
		memcpy(ret->v, p.entries.p, p.entries.n * sizeof(struct mail_address));
	ret->n = ret->v == NULL ? 0 : p.entries.n;
	if (ret->v == NULL)
		ret->mailboxes = 0;
	buf_done(&p.name);
	buf_done(&p.local);
	vec_done(&p.entries);
}

/* ---- the simple ones ---- */

/* dot-atom-text = 1*atext *("." 1*atext)                     RFC 5322 3.2.3 */
static bool is_dot_atom(struct str s)
{
	bool atom = false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? !atom : !abnf_is_atext(s.p[i]))
			return false;
		atom = s.p[i] != '.';
	}
	return atom;
}

/* Atoms with single blanks between them. */
static bool is_plain_phrase(struct str s)
{
	bool atom = false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == ' ' ? !atom : !abnf_is_atext(s.p[i]))
			return false;
		atom = s.p[i] != ' ';
	}
	return atom;
}

bool mail_address_simple(struct str value, struct mail_address *ret)
{
	struct mail_address a = { .kind = MAIL_ADDRESS_MAILBOX };
	struct str spec = value;
	size_t open = str_find(value, '<');
	if (open < value.n) {
		if (value.p[value.n - 1] != '>' || (open > 0 && value.p[open - 1] != ' '))
			return false;
		spec = str_sub(value, open + 1, value.n - open - 2);
		a.name = open > 0 ? str_sub(value, 0, open - 1) : STR_NONE;
		if (open > 0 && !is_plain_phrase(a.name))
			return false;
	}
	size_t at = str_find(spec, '@');
	if (at == spec.n)
		return false;
	a.local = str_sub(spec, 0, at);
	a.domain = str_from_offset(spec, at + 1);
	if (!is_dot_atom(a.local) || !is_dot_atom(a.domain))
		return false;
	*ret = a;
	return true;
}
