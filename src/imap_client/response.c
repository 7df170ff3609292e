// SPDX-License-Identifier: Apache-2.0
/* What a response says. RFC 9051 7; grammar in 9. */
#include "imap_client/client_private.h"

#include "base/time.h"
#include "imap/token.h"

enum { MOST_DEPTH = 32 };

/* ---- response codes ---- */

static const struct {
	struct str name;
	unsigned bit;
} capabilities[] = {
	{ STR_INIT("STARTTLS"), CAN_STARTTLS },
	{ STR_INIT("LOGINDISABLED"), CAN_NOT_LOGIN },
	{ STR_INIT("AUTH=PLAIN"), CAN_PLAIN },
	{ STR_INIT("SASL-IR"), CAN_SASL_IR },
	{ STR_INIT("NAMESPACE"), CAN_NAMESPACE },
	{ STR_INIT("LIST-EXTENDED"), CAN_LIST_EXTENDED },
	{ STR_INIT("SPECIAL-USE"), CAN_SPECIAL_USE },
	{ STR_INIT("IMAP4rev1"), CAN_REV1 },
	{ STR_INIT("IMAP4rev2"), CAN_REV2 },
};

/* capability-data = "CAPABILITY" *(SP capability), behind its first word. Counts only as an answer:
 * what a greeting or an OK lets drop is asked again. */
static void read_capabilities(struct imap_client *c, struct str words)
{
	if (c->state != AT_CAPABILITY && c->state != AT_CAPABILITY_AGAIN)
		return;
	while (words.n) {
		struct str word = str_split(&words, ' ');
		for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
			if (str_equal_nocase(word, capabilities[i].name))
				c->can |= capabilities[i].bit;
	}
}

static int read_code(struct imap_client *c, struct str code)
{
	struct scan s = scan_from(code);
	uint32_t n = 0;
	if (scan_word_nocase(&s, STR("UIDNEXT")) && scan_sp(&s) && token_nz_number(&s, &n) &&
		c->state == AT_EXAMINE)
		c->selected.uidnext = n;
	s = scan_from(code);
	if (!scan_word_nocase(&s, STR("UIDVALIDITY")) || !scan_sp(&s) || !token_nz_number(&s, &n))
		return 0;
	if (c->state == AT_EXAMINE && c->selected.uidvalidity == 0)
		c->selected.uidvalidity = n;
	else if (n != c->selected.uidvalidity &&
		 (c->state == AT_EXAMINE || c->state == AT_ENTRIES || c->state == AT_FETCH))
		return client_fail(c, ERR_TEMP,
			"the mailbox was made anew on the server meanwhile (UIDVALIDITY %u)", n);
	return 0;
}

/* resp-text = ["[" resp-text-code "]" SP] [text] */
int response_text(struct imap_client *c, struct scan *s, struct str *ret_words)
{
	struct str code;
	if (scan_char(s, '[')) {
		if (!scan_until(s, ']', &code))
			return client_fail(c, ERR_SYNTAX, "a response code does not end");
		(void)scan_char(s, ']');
		(void)scan_sp(s);
		if (read_code(c, code) < 0)
			return -1;
	}
	*ret_words = scan_rest(s);
	return 0;
}

/* ---- FETCH ---- */

bool response_is_body(struct imap_client *c, struct str text)
{
	struct scan s = scan_from(text);
	uint32_t n;
	return c->state == AT_FETCH && scan_literal_nocase(&s, STR("* ")) &&
	       token_nz_number(&s, &n) && scan_literal_nocase(&s, STR(" FETCH (")) &&
	       str_ends_nocase(text, STR("BODY[] "));
}

/* Whatever value: an atom, a string, or a list of such. */
static bool skip_value(struct imap_client *c, struct scan *s)
{
	struct str ignored;
	int depth = 0;
	do {
		if (scan_char(s, '(')) {
			if (++depth > MOST_DEPTH)
				return false;
		} else if (depth && scan_char(s, ')')) {
			depth--;
		} else if (depth && scan_sp(s)) {
			continue;
		} else if (!token_string(s, &c->arena, &ignored)) {
			size_t before = scan_left(s);
			while (!scan_end(s) && scan_peek(s) != ' ' && scan_peek(s) != '(' &&
				scan_peek(s) != ')' && scan_peek(s) != '"')
				s->p++;
			if (scan_left(s) == before)
				return false;
		}
	} while (depth);
	return true;
}

static const struct {
	struct str name;
	uint8_t bit;
} system_flags[] = {
	{ STR_INIT("\\Seen"), FLAG_SEEN },
	{ STR_INIT("\\Answered"), FLAG_ANSWERED },
	{ STR_INIT("\\Flagged"), FLAG_FLAGGED },
	{ STR_INIT("\\Deleted"), FLAG_DELETED },
	{ STR_INIT("\\Draft"), FLAG_DRAFT },
};

static bool not_in_flag(char ch)
{
	return ch != ' ' && ch != ')' && ch != '(';
}

/* "(" [flag-fetch *(SP flag-fetch)] ")". What no flag may look like is left out by who keeps it. */
static bool read_flags(struct imap_client *c, struct scan *s)
{
	if (!scan_char(s, '('))
		return false;
	c->entry.flags = 0;
	buf_clear(&c->keywords);
	while (!scan_char(s, ')')) {
		struct str flag = scan_while(s, not_in_flag);
		for (size_t i = 0; i < ARRAY_LEN(system_flags); i++)
			if (str_equal_nocase(flag, system_flags[i].name))
				c->entry.flags |= system_flags[i].bit;
		if (flag.n && flag.p[0] != '\\') {
			if (c->keywords.n)
				(void)buf_addc(&c->keywords, ' ');
			(void)buf_adds(&c->keywords, flag);
		}
		if (!scan_sp(s) && scan_peek(s) != ')')
			return false;
	}
	c->entry.keywords = buf_str(&c->keywords);
	return true;
}

static bool read_date(struct imap_client *c, struct scan *s)
{
	struct str text;
	if (!token_quoted(s, &c->arena, &text))
		return skip_value(c, s);
	struct scan date = scan_from(text);
	c->entry.has_time = time_scan_imap(&date, &c->entry.time_ms) && scan_end(&date);
	return true;
}

/* A body that is no literal: quoted, or NIL where there is none. */
static bool read_body(struct imap_client *c, struct scan *s)
{
	if (c->body_begun && scan_char(s, BODY_MARK)) {
		c->entry.has_body = true;
		c->entry.size = c->body_size;
		c->entry.too_big = c->body_size > c->most_bytes;
		return true;
	}
	if (scan_word_nocase(s, STR("NIL")))
		return true;
	if (c->body_begun || !token_quoted(s, &c->arena, &c->bytes))
		return false;
	c->entry.has_body = true;
	c->entry.size = c->bytes.n;
	return true;
}

/* msg-att, one item: its name is one that was asked for, or the value is passed over. */
static bool read_item(struct imap_client *c, struct scan *s)
{
	if (scan_literal_nocase(s, STR("UID ")))
		return token_nz_number(s, &c->entry.uid);
	if (scan_literal_nocase(s, STR("FLAGS ")))
		return read_flags(c, s);
	if (scan_literal_nocase(s, STR("INTERNALDATE ")))
		return read_date(c, s);
	if (scan_literal_nocase(s, STR("RFC822.SIZE ")))
		return token_number64(s, &c->entry.size);
	if (scan_literal_nocase(s, STR("BODY[] ")))
		return c->state == AT_FETCH ? read_body(c, s) : skip_value(c, s);
	while (!scan_end(s) && scan_peek(s) != ' ' && scan_peek(s) != ')')
		s->p++;
	return scan_sp(s) && skip_value(c, s);
}

/* The body is of a message that was asked for, and has not come yet. */
static int take_wanted(struct imap_client *c)
{
	for (size_t i = 0; i < c->n_wanted; i++) {
		if (c->wanted[i] != c->entry.uid)
			continue;
		if (c->got[i])
			return client_fail(c, ERR_SYNTAX,
				"the server sends the message UID %u twice", c->entry.uid);
		c->got[i] = true;
		return 0;
	}
	return client_fail(c, ERR_SYNTAX, "the server sends a message that was not asked for (%u)",
		c->entry.uid);
}

/* message-data: FETCH, behind "n FETCH ". */
static int on_fetch(struct imap_client *c, struct scan *s, enum imap_client_event *ret)
{
	bool good = scan_char(s, '(');
	while (good && !scan_char(s, ')'))
		good = read_item(c, s) && (scan_sp(s) || scan_peek(s) == ')');
	/* An item of the mark's place that was read as something else. */
	if (!good || !scan_end(s) || (c->body_begun && !c->entry.has_body))
		return client_fail(c, ERR_SYNTAX, "a FETCH response makes no sense");
	if (c->state == AT_FETCH && c->entry.has_body) {
		*ret = IMAP_CLIENT_MESSAGE;
		return take_wanted(c);
	}
	if (c->state != AT_ENTRIES || c->entry.uid == 0)
		return 0; /* somebody else changed flags */
	if (++c->entries > LIMIT_VIEW_ENTRIES)
		return client_fail(c, ERR_LIMIT, "the mailbox holds too many messages");
	*ret = IMAP_CLIENT_ENTRY;
	return 0;
}

/* ---- any untagged response ---- */

static int on_number(struct imap_client *c, struct scan *s, enum imap_client_event *ret)
{
	uint32_t n;
	if (!token_number(s, &n) || !scan_sp(s))
		return client_fail(c, ERR_SYNTAX, "a response makes no sense");
	if (scan_literal_nocase(s, STR("FETCH ")))
		return on_fetch(c, s, ret);
	if (scan_word_nocase(s, STR("EXISTS")) && c->state == AT_EXAMINE)
		c->selected.exists = n;
	return 0; /* EXPUNGE, RECENT */
}

static int on_condition(struct imap_client *c, struct scan *s)
{
	struct str words;
	(void)scan_sp(s);
	return response_text(c, s, &words);
}

int response_untagged(struct imap_client *c, struct scan *s, enum imap_client_event *ret)
{
	int next = scan_peek(s);
	if (next >= 0 && abnf_is_digit((char)next))
		return on_number(c, s, ret);
	if (c->body_begun)
		return client_fail(c, ERR_SYNTAX, "a body came unasked");
	if (scan_word_nocase(s, STR("OK")) || scan_word_nocase(s, STR("NO")) ||
		scan_word_nocase(s, STR("BAD")))
		return on_condition(c, s);
	if (scan_word_nocase(s, STR("BYE")))
		return c->state == AT_LOGOUT
			       ? 0
			       : client_fail(c, ERR_TEMP, "the server ends the session: %s",
					 client_words(c, scan_rest(s)));
	if (scan_word_nocase(s, STR("CAPABILITY"))) {
		read_capabilities(c, str_trim(scan_rest(s)));
		return 0;
	}
	if (c->state == AT_LIST && scan_literal_nocase(s, STR("LIST ")))
		return list_response(c, s, false);
	if (c->state == AT_LSUB && scan_literal_nocase(s, STR("LSUB ")))
		return list_response(c, s, true);
	if (c->state == AT_NAMESPACE && scan_literal_nocase(s, STR("NAMESPACE ")))
		return namespace_response(c, s);
	return 0; /* FLAGS, SEARCH, and what else nobody asked for */
}
