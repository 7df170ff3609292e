// SPDX-License-Identifier: Apache-2.0
/* Structured MIME values: reading them tolerantly, in one pass. RFC 2045 5.1, RFC 2183 2 */
#include "mail/param.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "base/scan.h"
#include "mail/cfws.h"
#include "mail/header.h"

static bool is_name_char(char c)
{
	return c != '=' && c != ';' && c != '(' && c != ' ' && c != '\t' && c != '"';
}

static bool is_type_char(char c)
{
	return is_name_char(c) && c != '/';
}

static void skip(struct scan *s, struct mail_value *v)
{
	v->malformed |= cfws_skip(s).malformed;
}

/* Whether a parameter stands here: a name behind a blank, and "=". Its ";" may have been forgotten;
 * a reader that then saw no parameter would be blind to a file name or a boundary that others see.
 */
static bool is_parameter(const struct scan *s)
{
	struct scan ahead = *s;
	struct str name = scan_while(&ahead, abnf_is_mime_token);
	cfws_skip(&ahead);
	return name.n > 0 && scan_peek(&ahead) == '=' && abnf_is_wsp(s->p[-1]);
}

/* Passes over what stands before the next ";", comments and quotes as units. */
static void skip_to_semicolon(struct scan *s, struct mail_value *v)
{
	skip(s, v);
	while (!scan_end(s) && scan_peek(s) != ';') {
		v->malformed = true;
		if (scan_peek(s) == '"')
			quoted_scan(s, &(struct str){ 0 });
		else
			s->p++;
		skip(s, v);
	}
}

static struct str quoted_value(struct arena *a, struct scan *s, struct mail_value *v)
{
	struct str inside;
	v->malformed |= !quoted_scan(s, &inside);
	if (str_find(inside, '\\') == inside.n)
		return inside; /* the value was unfolded before */
	char *p = arena_alloc(a, inside.n + 1);
	if (p == NULL) {
		v->truncated = true;
		return inside;
	}
	struct buf b = { .p = p, .cap = inside.n + 1, .max = inside.n };
	quoted_add(&b, inside);
	return buf_str(&b);
}

/* value = token / quoted-string                RFC 2045 5.1
 * Without quotes: a token, and a comment may follow; failing that all up to the next ";". */
static struct str parameter_value(struct arena *a, struct scan *s, struct mail_value *v)
{
	skip(s, v);
	if (scan_peek(s) == '"')
		return quoted_value(a, s, v);
	struct scan whole = *s;
	struct str token = scan_while(s, abnf_is_mime_token);
	skip(s, v);
	if (scan_end(s) || scan_peek(s) == ';' || is_parameter(s))
		return token;
	struct str all = scan_rest(&whole);
	all.n = str_find(all, ';');
	s->p = whole.p + all.n;
	v->malformed = true;
	return str_trim(all);
}

/* The first of a name counts. M7 */
static void keep(struct mail_value *v, struct str name, struct str value)
{
	if (mail_param_find(v->params, v->n, name) != NULL)
		v->malformed = true;
	else if (v->n == LIMIT_MIME_PARAMS)
		v->truncated = true;
	else
		v->params[v->n++] = (struct mail_param){ name, value };
}

/* parameter = attribute "=" value              RFC 2045 5.1 */
static void parameter(struct arena *a, struct scan *s, struct mail_value *v)
{
	struct str name = scan_while(s, is_name_char);
	skip(s, v);
	if (name.n == 0 || !scan_char(s, '=')) {
		v->malformed = true;
		return;
	}
	struct str value = parameter_value(a, s, v);
	keep(v, name, value);
}

/* A place for as many parameters as there are "=", at most the limit. */
static struct mail_param *params_array(struct arena *a, struct str value)
{
	size_t n = 0;
	for (size_t i = 0; i < value.n && n < LIMIT_MIME_PARAMS; i++)
		n += value.p[i] == '=';
	return arena_array(a, n, sizeof(struct mail_param));
}

void mail_value_parse(struct arena *a, struct str value, struct mail_value *ret)
{
	struct str line = mail_unfold_arena(a, value);
	struct scan s = scan_from(line);
	*ret = (struct mail_value){ .params = params_array(a, line) };
	if (ret->params == NULL || (line.p == NULL && value.n > 0)) {
		ret->truncated = true;
		return;
	}
	skip(&s, ret);
	ret->type = scan_while(&s, is_type_char);
	skip(&s, ret);
	if (scan_char(&s, '/')) {
		skip(&s, ret);
		ret->subtype = scan_while(&s, is_type_char);
	}
	bool separated = false;
	for (skip(&s, ret); !scan_end(&s); skip(&s, ret)) {
		if (scan_char(&s, ';')) {
			separated = true;
		} else if (separated || is_parameter(&s)) {
			ret->malformed |= !separated;
			separated = false;
			parameter(a, &s, ret);
		} else {
			skip_to_semicolon(&s, ret);
		}
	}
}

const struct mail_param *mail_param_find(const struct mail_param *params, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_equal_nocase(params[i].name, name))
			return &params[i];
	return NULL;
}
