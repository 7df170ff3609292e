// SPDX-License-Identifier: Apache-2.0
/* Mailboxes and their names. RFC 9051 6.3.9, 6.3.10, 7.3.1; RFC 3501 6.3.9, 5.1.3. */
#include "imap_client/client_private.h"

#include "imap/grammar.h"
#include "imap/token.h"
#include "imap/utf7.h"

#include <stdlib.h>

/* ---- names ---- */

/* One level: modified UTF-7 (RFC 3501 5.1.3), or what somebody wrote who did not know it. */
static bool add_level(struct str level, struct buf *out)
{
	size_t before = out->n;
	if (level.n == 0 || str_has_control(level) || !str_is_utf8(level))
		return false;
	if (!utf7_decode(level, out) && !buf_adds(out, level))
		return false;
	/* Where levels are told apart by something else, a "/" is a letter like any other. */
	for (size_t i = before; i < out->n; i++)
		if (out->p[i] == '/')
			out->p[i] = '_';
	return true;
}

bool imap_client_path(struct str name, char separator, struct buf *out)
{
	size_t before = out->n, levels = 0;
	bool good = name.n > 0;
	if (separator && name.n && name.p[name.n - 1] == separator)
		name.n--;
	while (good) {
		size_t end = separator ? str_find(name, separator) : name.n;
		good = ++levels <= LIMIT_MAILBOX_LEVELS && add_level(str_sub(name, 0, end), out);
		if (end >= name.n)
			break;
		good = good && buf_addc(out, '/');
		name = str_from_offset(name, end + 1);
	}
	good = good && out->n - before <= LIMIT_MAILBOX_NAME_BYTES;
	if (!good)
		buf_truncate(out, before);
	return good;
}

/* ---- namespaces ---- */

enum { PERSONAL, OTHERS, SHARED, KINDS };

/* The first of the user's own prefixes is none of a name's; what others share stays there. */
static void add_prefix(struct imap_client *c, int kind, size_t number, struct str prefix)
{
	if (kind == PERSONAL && number == 0)
		(void)buf_adds(&c->prefix, prefix);
	if (kind != PERSONAL && prefix.n) {
		(void)buf_adds(&c->foreign, prefix);
		(void)buf_addc(&c->foreign, 0);
	}
}

/* Namespace-Descr = "(" string SP (DQUOTE QUOTED-CHAR DQUOTE / nil)
 *                   *(SP string SP "(" string *(SP string) ")") ")" */
static bool read_descr(struct imap_client *c, struct scan *s, struct str *ret_prefix)
{
	struct str ignored;
	if (!scan_char(s, '(') || !token_string(s, &c->arena, ret_prefix) || !scan_sp(s))
		return false;
	if (!scan_word_nocase(s, STR("NIL")) && !token_quoted(s, &c->arena, &ignored))
		return false;
	while (scan_sp(s)) {
		if (!token_string(s, &c->arena, &ignored) || !scan_literal_nocase(s, STR(" (")) ||
			!scan_until(s, ')', &ignored) || !scan_char(s, ')'))
			return false;
	}
	return scan_char(s, ')');
}

/* Namespace = nil / "(" 1*Namespace-Descr ")" */
static bool read_namespace(struct imap_client *c, struct scan *s, int kind)
{
	struct str prefix;
	if (scan_word_nocase(s, STR("NIL")))
		return true;
	bool good = scan_char(s, '(');
	for (size_t i = 0; good && !scan_char(s, ')'); i++) {
		good = read_descr(c, s, &prefix);
		if (good)
			add_prefix(c, kind, i, prefix);
		(void)scan_sp(s);
	}
	return good;
}

int namespace_response(struct imap_client *c, struct scan *s)
{
	buf_clear(&c->prefix);
	buf_clear(&c->foreign);
	for (int kind = 0; kind < KINDS; kind++)
		if (!read_namespace(c, s, kind) || (kind + 1 < KINDS && !scan_sp(s)))
			return client_fail(c, ERR_SYNTAX, "the NAMESPACE response makes no sense");
	return 0;
}

static bool is_foreign(const struct imap_client *c, struct str name)
{
	struct str rest = buf_str(&c->foreign);
	while (rest.n)
		if (str_starts(name, str_split(&rest, 0)))
			return true;
	return false;
}

/* ---- LIST ---- */

struct listed {
	bool not_selectable, subscribed;
	uint16_t special_use;
};

/* "(" [mbx-list-flags] ")" */
static bool read_attributes(struct scan *s, struct listed *ret)
{
	struct str flag;
	if (!scan_char(s, '('))
		return false;
	while (!scan_char(s, ')')) {
		if (!token_flag(s, &flag))
			return false;
		ret->not_selectable |= str_equal_nocase(flag, STR("\\Noselect")) ||
				       str_equal_nocase(flag, STR("\\NonExistent"));
		ret->subscribed |= str_equal_nocase(flag, STR("\\Subscribed"));
		ret->special_use |= grammar_special_use(flag);
		if (!scan_sp(s) && scan_peek(s) != ')')
			return false;
	}
	return true;
}

/* mailbox = astring; also quoted with bytes that are no UTF-8, which old servers send. */
static bool read_name(struct imap_client *c, struct scan *s, struct str *ret)
{
	struct str rest = scan_rest(s);
	size_t end = 1;
	if (token_astring(s, &c->arena, ret))
		return true;
	while (end < rest.n && rest.p[end] != '"' && rest.p[end] != '\\')
		end++;
	if (end >= rest.n || rest.p[0] != '"' || rest.p[end] != '"')
		return false;
	*ret = str_sub(rest, 1, end - 1);
	s->p += end + 1;
	return true;
}

static struct str path_of(struct imap_client *c, struct str name, char separator)
{
	struct buf path;
	struct str kept = STR_NONE, prefix = buf_str(&c->prefix);
	buf_init(&path, 4 * LIMIT_IMAP_CLIENT_RESPONSE_BYTES);
	if (str_equal_nocase(name, STR("INBOX")))
		kept = STR("INBOX");
	else if (prefix.n && name.n > prefix.n && str_starts_nocase(name, prefix))
		name = str_from_offset(name, prefix.n);
	if (kept.n == 0 && imap_client_path(name, separator, &path))
		kept = arena_str(&c->names, buf_str(&path));
	buf_done(&path);
	return kept;
}

static bool keep(struct imap_client *c, struct str name, char separator, const struct listed *l)
{
	struct imap_client_mailbox m = { .selectable = !l->not_selectable && !is_foreign(c, name),
		.subscribed = l->subscribed,
		.special_use = l->special_use };
	m.name = arena_str(&c->names, name);
	m.path = path_of(c, name, separator);
	return m.name.p && vec_push(&c->mailboxes, &m);
}

/* mailbox-list = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox
 *                [SP mbox-list-extended] */
int list_response(struct imap_client *c, struct scan *s, bool lsub)
{
	struct listed l = { .special_use = 0 };
	struct str name, separator = STR_NONE;
	bool good = read_attributes(s, &l) && scan_sp(s) &&
		    (scan_word_nocase(s, STR("NIL")) || token_quoted(s, &c->arena, &separator)) &&
		    scan_sp(s) && read_name(c, s, &name) && separator.n <= 1;
	if (!good)
		return client_fail(c, ERR_SYNTAX, "a LIST response makes no sense");
	c->useless = 0; /* how many there may be is bounded below */
	if (name.n == 0)
		return 0;
	if (lsub) {
		struct str kept = arena_str(&c->names, name);
		good = kept.p && vec_push(&c->lsub, &kept);
	} else {
		good = keep(c, name, separator.n ? separator.p[0] : 0, &l);
	}
	return good ? 0 : client_fail(c, ERR_LIMIT, "the server has too many mailboxes");
}

static int by_name(const void *a, const void *b)
{
	const struct imap_client_mailbox *x = a, *y = b;
	return str_compare(x->name, y->name);
}

void list_begin(struct imap_client *c)
{
	vec_clear(&c->mailboxes);
	vec_clear(&c->lsub);
	arena_reset(&c->names);
}

void list_end(struct imap_client *c)
{
	struct vec *v = &c->mailboxes;
	bool any = false;
	size_t n = 0;
	if (v->n)
		qsort(v->p, v->n, v->size, by_name);
	/* A server may list a name twice. */
	for (size_t i = 0; i < v->n; i++) {
		const struct imap_client_mailbox *m = vec_at(v, i);
		if (n == 0 || by_name(vec_at(v, n - 1), m) != 0)
			memmove(vec_at(v, n++), m, v->size);
	}
	v->n = n;
	VEC_EACH (const struct str, name, &c->lsub) {
		struct imap_client_mailbox wanted = { .name = *name };
		struct imap_client_mailbox *m = n ? bsearch(&wanted, v->p, n, v->size, by_name)
						  : NULL;
		if (m)
			m->subscribed = true;
	}
	VEC_EACH (struct imap_client_mailbox, m, v)
		any |= m->subscribed;
	/* Who subscribes to nothing does not use subscriptions. */
	VEC_EACH (struct imap_client_mailbox, m, v)
		m->subscribed |= !any;
}
