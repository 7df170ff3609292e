// SPDX-License-Identifier: Apache-2.0
/* What may stand in APPEND behind the mailbox's name: RFC 9051 6.3.12, RFC 3502, RFC 4469 5, RFC
 * 6855 4. Pure. A literal of a message ends the text that there is. */
#include "imap/append.h"

#include "imap/token.h"

/* literal8 or literal that is announced where the text ends; the cursor stays at "{". */
static bool announced(struct scan *a)
{
	struct str rest;

	scan_char(a, '~'); /* literal8: RFC 3516 4.4 */
	rest = scan_rest(a);
	return rest.n > 0 && rest.p[0] == '{' && str_find(rest, '}') == rest.n - 1;
}

static struct append_item bad(void)
{
	return (struct append_item){ .kind = APPEND_BAD };
}

/* utf8-literal = "UTF8" SP "(" literal8 ")", from behind "("    RFC 6855 4 */
static bool utf8_literal(struct scan *a)
{
	return scan_peek(a) == '~' && announced(a);
}

/* The store takes 0 for now (upload_into), so what is dated 1970 is a millisecond younger. */
static bool internal_date(struct scan *a, int64_t *ret)
{
	if (!grammar_date_time(a, ret))
		return false;
	if (*ret == 0)
		*ret = 1;
	return true;
}

/* append-message = [SP flag-list] [SP date-time] SP append-data
 * append-data = literal / literal8 / utf8-literal / "CATENATE" SP "(" cat-part …
 *                                               RFC 3502, RFC 6855 4, RFC 4469 5 */
static struct append_item message(struct scan *a, enum append_place *place)
{
	struct append_item item = { .kind = APPEND_MESSAGE, .literal = true };
	struct append_message *m = &item.message;

	if (!scan_sp(a))
		return bad();
	if (scan_peek(a) == '(' && (!grammar_flag_list(a, &m->flags) || !scan_sp(a)))
		return bad();
	if (scan_peek(a) == '"' && (!internal_date(a, &m->time) || !scan_sp(a)))
		return bad();
	if (scan_literal_nocase(a, STR("CATENATE ("))) {
		item.literal = false;
		*place = AT_FIRST;
		return item;
	}
	item.utf8 = scan_literal_nocase(a, STR("UTF8 ("));
	*place = item.utf8 ? AT_UTF8 : AT_MESSAGE;
	return (item.utf8 ? utf8_literal(a) : announced(a)) ? item : bad();
}

/* cat-part = text-literal / url / utf8-literal                  RFC 4469 5, RFC 6855 4 */
static struct append_item part(struct scan *a, struct arena *arena, enum append_place *place)
{
	struct append_item item = { .kind = APPEND_TEXT, .literal = true };

	*place = AT_PART;
	if (scan_literal_nocase(a, STR("TEXT ")))
		return announced(a) ? item : bad();
	if (scan_literal_nocase(a, STR("UTF8 ("))) {
		item.utf8 = true;
		*place = AT_UTF8_PART;
		return utf8_literal(a) ? item : bad();
	}
	if (!scan_literal_nocase(a, STR("URL ")))
		return bad();
	item = (struct append_item){ .kind = APPEND_URL };
	if (scan_peek(a) == '{' && announced(a))
		item.kind = APPEND_LITERAL;
	else if (!token_astring(a, arena, &item.url) || item.url.n > LIMIT_IMAP_URL_BYTES)
		return bad();
	return item;
}

struct append_item append_read(struct scan *a, struct arena *arena, enum append_place *place)
{
	enum append_place now = *place;

	if (now == AT_MESSAGE && scan_end(a))
		return (struct append_item){ .kind = APPEND_END };
	if (now == AT_MESSAGE)
		return message(a, place);
	if (now == AT_FIRST)
		return part(a, arena, place);
	if (scan_char(a, ')')) {
		*place = now == AT_UTF8_PART ? AT_PART : AT_MESSAGE;
		return (struct append_item){ .kind = APPEND_PAREN };
	}
	return now == AT_PART && scan_sp(a) ? part(a, arena, place) : bad();
}
