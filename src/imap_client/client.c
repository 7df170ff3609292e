// SPDX-License-Identifier: Apache-2.0
/* Bytes of the server into responses, and what follows what. RFC 9051 3, 7. */
#include "imap_client/client_private.h"

#include "imap/token.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- the end ---- */

int client_fail(struct imap_client *c, enum err_kind kind, const char *format, ...)
{
	char text[300];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (c->state != AT_END)
		fail(&c->err, kind, "%s", text);
	c->state = AT_END;
	return -1;
}

const char *client_words(struct imap_client *c, struct str text)
{
	struct buf words;
	buf_init(&words, 201);
	if (!token_add_text(&words, str_sub(str_trim(text), 0, 200)))
		buf_clear(&words);
	struct str kept = arena_str(&c->arena, buf_str(&words));
	buf_done(&words);
	return kept.p ? kept.p : "";
}

/* ---- what follows what ---- */

static void ask_capability(struct imap_client *c, enum client_state then)
{
	c->can = 0;
	command_begin(c, "CAPABILITY");
	command_send(c, then);
}

/* Capabilities are known: TLS first, where it is wanted, then the login. */
static int on_capability(struct imap_client *c)
{
	if (!(c->can & (CAN_REV1 | CAN_REV2)))
		return client_fail(c, ERR_UNSUPPORTED, "the server does not speak IMAP4rev1");
	if (c->starttls && !c->secured) {
		if (!(c->can & CAN_STARTTLS))
			return client_fail(
				c, ERR_UNSUPPORTED, "the server does not offer STARTTLS");
		command_begin(c, "STARTTLS");
		command_send(c, AT_STARTTLS);
		return 0;
	}
	if (!(c->can & CAN_PLAIN) && c->can & CAN_NOT_LOGIN)
		return client_fail(c, ERR_DENIED, "the server takes no password %s",
			c->secured ? "(LOGINDISABLED, and no AUTH=PLAIN)"
				   : "on this connection: it wants TLS (LOGINDISABLED)");
	command_login(c);
	return 0;
}

static int rest(struct imap_client *c, enum imap_client_event *ret)
{
	c->state = AT_REST;
	*ret = IMAP_CLIENT_READY;
	return 0;
}

/* The command that was out is done. */
static int on_ok(struct imap_client *c, enum imap_client_event *ret)
{
	switch (c->state) {
	case AT_CAPABILITY:
		return on_capability(c);
	case AT_STARTTLS:
		c->state = AT_SECURING;
		*ret = IMAP_CLIENT_START_TLS;
		return 0;
	case AT_LOGIN:
		mem_wipe(c->command.p, c->command.n);
		ask_capability(c, AT_CAPABILITY_AGAIN);
		return 0;
	case AT_CAPABILITY_AGAIN:
		if (!(c->can & CAN_NAMESPACE) && !(c->can & CAN_REV2))
			return rest(c, ret);
		command_begin(c, "NAMESPACE");
		command_send(c, AT_NAMESPACE);
		return 0;
	case AT_LIST:
		if (!(c->can & (CAN_LIST_EXTENDED | CAN_REV2))) {
			command_begin(c, "LSUB \"\" \"*\"");
			command_send(c, AT_LSUB);
			return 0;
		}
		list_end(c);
		return rest(c, ret);
	case AT_LSUB:
		list_end(c);
		return rest(c, ret);
	case AT_NAMESPACE:
	case AT_EXAMINE:
	case AT_ENTRIES:
	case AT_FETCH:
		return rest(c, ret);
	case AT_LOGOUT:
		return client_fail(c, ERR_TEMP, "logged out");
	case AT_GREETING:
	case AT_SECURING:
	case AT_REST:
	case AT_END:
		break;
	}
	return client_fail(c, ERR_SYNTAX, "the server answers what was not asked");
}

static int on_no(struct imap_client *c, struct str words, enum imap_client_event *ret)
{
	const char *said = client_words(c, words);
	switch (c->state) {
	case AT_LOGIN:
		return client_fail(c, ERR_AUTH, "the server refuses the login: %s", said);
	case AT_STARTTLS:
		return client_fail(c, ERR_UNSUPPORTED, "the server refuses STARTTLS: %s", said);
	case AT_NAMESPACE: /* names are then as they are */
		return rest(c, ret);
	case AT_LSUB:
		list_end(c);
		return rest(c, ret);
	case AT_EXAMINE:
	case AT_ENTRIES:
	case AT_FETCH:
		c->state = AT_REST;
		c->err = (struct err)ERR_INIT;
		fail(&c->err, ERR_DENIED, "the server says: %s", said);
		*ret = IMAP_CLIENT_REFUSED;
		return 0;
	case AT_GREETING:
	case AT_CAPABILITY:
	case AT_SECURING:
	case AT_CAPABILITY_AGAIN:
	case AT_REST:
	case AT_LIST:
	case AT_LOGOUT:
	case AT_END:
		break;
	}
	return client_fail(c, ERR_UNSUPPORTED, "the server refuses what it should know: %s", said);
}

/* response-tagged = tag SP resp-cond-state CRLF */
static int on_tagged(struct imap_client *c, struct scan *s, enum imap_client_event *ret)
{
	struct str words;
	if (!scan_literal_nocase(s, str_from(c->tag)) || !scan_sp(s))
		return client_fail(c, ERR_SYNTAX, "the server answers what was not asked (%s)",
			client_words(c, str_sub(scan_rest(s), 0, 40)));
	bool ok = scan_word_nocase(s, STR("OK"));
	bool no = !ok && scan_word_nocase(s, STR("NO"));
	bool bad = !ok && !no && scan_word_nocase(s, STR("BAD"));
	if (!ok && !no && !bad)
		return client_fail(c, ERR_SYNTAX, "the server's answer is neither OK, NO nor BAD");
	if (ok && c->sent < c->command.n)
		return client_fail(
			c, ERR_SYNTAX, "the server answers a command before it has all of it");
	(void)scan_sp(s);
	if (response_text(c, s, &words) < 0)
		return -1;
	/* Some say BAD of a message or mailbox that they can't read. */
	if (bad && c->state != AT_NAMESPACE && c->state != AT_EXAMINE && c->state != AT_FETCH)
		return client_fail(
			c, ERR_UNSUPPORTED, "the server says BAD: %s", client_words(c, words));
	return ok ? on_ok(c, ret) : on_no(c, words, ret);
}

/* greeting = "*" SP (resp-cond-auth / resp-cond-bye) CRLF */
static int on_greeting(struct imap_client *c, struct scan *s)
{
	struct str words;
	bool greeted = scan_literal_nocase(s, STR("* "));
	bool preauth = greeted && scan_word_nocase(s, STR("PREAUTH"));
	bool bye = greeted && scan_word_nocase(s, STR("BYE"));
	if (bye)
		return client_fail(c, ERR_TEMP, "the server refuses the connection: %s",
			client_words(c, scan_rest(s)));
	if (!greeted || (!preauth && !scan_word_nocase(s, STR("OK"))))
		return client_fail(c, ERR_SYNTAX, "what answers there is no IMAP server");
	(void)scan_sp(s);
	if (response_text(c, s, &words) < 0)
		return -1;
	/* RFC 9051 11.3: STARTTLS is not to be had then; I16 */
	if (preauth && c->starttls)
		return client_fail(c, ERR_DENIED,
			"the server says that it knows us already (PREAUTH), which is a way around "
			"STARTTLS");
	ask_capability(c, preauth ? AT_CAPABILITY_AGAIN : AT_CAPABILITY);
	return 0;
}

static int on_response(struct imap_client *c, enum imap_client_event *ret)
{
	struct scan s = scan_from(buf_str(&c->text));
	if (c->state == AT_GREETING)
		return on_greeting(c, &s);
	if (c->body_begun && c->state != AT_FETCH)
		return client_fail(c, ERR_SYNTAX, "a body came unasked");
	if (scan_literal_nocase(&s, STR("* ")))
		return response_untagged(c, &s, ret);
	if (scan_char(&s, '+'))
		return command_continue(c);
	return on_tagged(c, &s, ret);
}

/* ---- bytes ---- */

static int take_response(struct imap_client *c, enum imap_client_event *ret)
{
	arena_reset(&c->arena);
	buf_clear(&c->keywords);
	c->entry = (struct imap_client_entry){ .uid = 0 };
	int rc = on_response(c, ret);
	if (rc == 0 && *ret == IMAP_CLIENT_MORE && ++c->useless > LIMIT_IMAP_CLIENT_USELESS)
		rc = client_fail(c, ERR_LIMIT, "the server talks on and tells nothing");
	if (*ret != IMAP_CLIENT_MORE)
		c->useless = 0;
	buf_clear(&c->text);
	c->line = 0;
	c->body_begun = false;
	c->body_size = 0;
	return rc;
}

/* literal = "{" number64 "}" CRLF at the end of a line: where it begins, or the line's length. */
static size_t literal_at(struct str line, uint64_t *ret_n)
{
	size_t at = str_find_last(line, '{');
	struct scan s = scan_from(str_from_offset(line, at));
	if (at < line.n && scan_char(&s, '{') && scan_number(&s, INT64_MAX, ret_n) &&
		scan_char(&s, '}') && scan_end(&s))
		return at;
	return line.n;
}

/* A line has ended: it is whole, or a literal follows. */
static int take_line(struct imap_client *c, enum imap_client_event *ret)
{
	uint64_t n = 0;
	struct str line = str_from_offset(buf_str(&c->text), c->line);
	line.n -= 2;
	for (size_t i = 0; i < line.n; i++)
		if (abnf_is_ctl(line.p[i]) && line.p[i] != '\t')
			return client_fail(c, ERR_SYNTAX,
				"the server sends control characters (%d)", line.p[i]);
	size_t at = literal_at(line, &n);
	if (at == line.n) {
		buf_truncate(&c->text, c->text.n - 2);
		return take_response(c, ret);
	}
	struct str before = str_sub(buf_str(&c->text), 0, c->line + at);
	if (response_is_body(c, before)) {
		if (c->body_begun)
			return client_fail(c, ERR_SYNTAX, "the server sends two bodies at once");
		buf_truncate(&c->text, c->line + at);
		if (!buf_addc(&c->text, BODY_MARK))
			return client_fail(c, ERR_LIMIT, "a response is too long");
		c->body_begun = true;
		c->body_left = c->body_size = n;
	} else if (n > buf_room(&c->text)) {
		return client_fail(c, ERR_LIMIT,
			"the server sends a literal of %llu bytes, unasked", (unsigned long long)n);
	} else {
		c->literal_left = n;
	}
	if (n > LIMIT_IMAP_CLIENT_BODY_BYTES)
		return client_fail(c, ERR_LIMIT, "the server sends a message of %llu bytes",
			(unsigned long long)n);
	c->line = c->text.n;
	return 0;
}

static size_t take_body(struct imap_client *c, struct str bytes, enum imap_client_event *ret)
{
	size_t n = bytes.n < c->body_left ? bytes.n : (size_t)c->body_left;
	c->body_left -= n;
	c->useless = 0;
	if (c->body_size <= c->most_bytes) {
		c->bytes = str_sub(bytes, 0, n);
		*ret = IMAP_CLIENT_BYTES;
	}
	return n;
}

static size_t take_literal(struct imap_client *c, struct str bytes)
{
	size_t n = bytes.n < c->literal_left ? bytes.n : (size_t)c->literal_left;
	(void)buf_adds(&c->text, str_sub(bytes, 0, n)); /* there is room: it was asked before */
	c->literal_left -= n;
	if (c->literal_left == 0)
		c->line = c->text.n;
	return n;
}

/* Up to the end of a line, or of what there is. */
static size_t take_text(struct imap_client *c, struct str bytes, enum imap_client_event *ret)
{
	size_t end = str_find(bytes, '\n');
	size_t n = end < bytes.n ? end + 1 : bytes.n;
	if (!buf_adds(&c->text, str_sub(bytes, 0, n))) {
		client_fail(c, ERR_LIMIT, "the server sends a line that does not end");
		return n;
	}
	if (end == bytes.n)
		return n;
	if (c->text.n < c->line + 2 || c->text.p[c->text.n - 2] != '\r')
		client_fail(c, ERR_SYNTAX, "the server ends a line without CR LF");
	else
		(void)take_line(c, ret);
	return n;
}

static size_t take(struct imap_client *c, struct str bytes, enum imap_client_event *ret)
{
	if (c->state == AT_SECURING) {
		client_fail(c, ERR_SYNTAX,
			"the server, or somebody between, sent more behind its OK to STARTTLS");
		return bytes.n;
	}
	if (c->body_left)
		return take_body(c, bytes, ret);
	if (c->literal_left)
		return take_literal(c, bytes);
	return take_text(c, bytes, ret);
}

size_t imap_client_input(struct imap_client *c, struct str bytes, enum imap_client_event *ret)
{
	size_t taken = 0;
	*ret = IMAP_CLIENT_MORE;
	c->bytes = STR_NONE;
	while (taken < bytes.n && *ret == IMAP_CLIENT_MORE && c->state != AT_END)
		taken += take(c, str_from_offset(bytes, taken), ret);
	/* What is behind the OK in the same read was said before TLS. */
	if (*ret == IMAP_CLIENT_START_TLS && taken < bytes.n)
		(void)take(c, str_from_offset(bytes, taken), ret);
	if (c->state == AT_END) {
		*ret = IMAP_CLIENT_FAILED;
		return bytes.n;
	}
	return taken;
}

void imap_client_secured(struct imap_client *c)
{
	if (c->state != AT_SECURING)
		return;
	c->secured = true;
	ask_capability(c, AT_CAPABILITY);
}

/* ---- questions ---- */

static bool may_ask(struct imap_client *c)
{
	if (c->state != AT_REST)
		return false;
	c->err = (struct err)ERR_INIT;
	return true;
}

void imap_client_list(struct imap_client *c)
{
	if (!may_ask(c))
		return;
	list_begin(c);
	if (!(c->can & (CAN_LIST_EXTENDED | CAN_REV2)))
		command_begin(c, "LIST \"\" \"*\"");
	else if (c->can & (CAN_SPECIAL_USE | CAN_REV2)) /* RFC 6154 3 */
		command_begin(c, "LIST \"\" \"*\" RETURN (SUBSCRIBED SPECIAL-USE)");
	else
		command_begin(c, "LIST \"\" \"*\" RETURN (SUBSCRIBED)");
	command_send(c, AT_LIST);
}

/* RFC 9051 6.3.3: as SELECT, and nothing changes. */
void imap_client_examine(struct imap_client *c, size_t mailbox)
{
	if (mailbox >= c->mailboxes.n || !may_ask(c))
		return;
	c->selected = (struct imap_client_selected){ 0 };
	command_begin(c, "EXAMINE ");
	command_add_string(c, imap_client_mailbox(c, mailbox)->name);
	command_send(c, AT_EXAMINE);
}

void imap_client_entries(struct imap_client *c)
{
	if (!may_ask(c))
		return;
	c->entries = 0;
	command_begin(c, "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
	command_send(c, AT_ENTRIES);
}

/* BODY.PEEK: \Seen is not set. RFC 9051 6.4.5 */
void imap_client_fetch(struct imap_client *c, const uint32_t *uids, size_t n)
{
	if (n == 0 || n > LIMIT_IMAP_CLIENT_FETCH || !may_ask(c))
		return;
	command_begin(c, "UID FETCH ");
	for (size_t i = 0; i < n; i++) {
		command_addf(c, "%s%u", i ? "," : "", uids[i]);
		c->wanted[i] = uids[i];
		c->got[i] = false;
	}
	c->n_wanted = n;
	command_addf(c, " (UID FLAGS INTERNALDATE BODY.PEEK[])");
	command_send(c, AT_FETCH);
}

void imap_client_logout(struct imap_client *c)
{
	if (!may_ask(c))
		return;
	command_begin(c, "LOGOUT");
	command_send(c, AT_LOGOUT);
}

/* ---- the rest ---- */

struct buf *imap_client_out(struct imap_client *c)
{
	return &c->out;
}

const struct err *imap_client_error(const struct imap_client *c)
{
	return &c->err;
}

const struct imap_client_entry *imap_client_entry(const struct imap_client *c)
{
	return &c->entry;
}

struct str imap_client_bytes(const struct imap_client *c)
{
	return c->bytes;
}

struct imap_client_selected imap_client_selected(const struct imap_client *c)
{
	return c->selected;
}

size_t imap_client_mailboxes(const struct imap_client *c)
{
	return c->mailboxes.n;
}

const struct imap_client_mailbox *imap_client_mailbox(const struct imap_client *c, size_t i)
{
	return vec_at(&c->mailboxes, i);
}

struct imap_client *imap_client_new(const struct imap_client_options *o)
{
	struct imap_client *c = xmalloc(sizeof(*c));
	c->starttls = o->starttls;
	c->most_bytes = o->most_bytes;
	buf_init(&c->user, LIMIT_IMAP_CLIENT_SECRET_BYTES);
	buf_init(&c->password, LIMIT_IMAP_CLIENT_SECRET_BYTES);
	buf_init(&c->command, OUT_BYTES);
	buf_init(&c->out, OUT_BYTES);
	buf_init(&c->text, LIMIT_IMAP_CLIENT_RESPONSE_BYTES);
	buf_init(&c->keywords, LIMIT_IMAP_CLIENT_RESPONSE_BYTES);
	buf_init(&c->prefix, LIMIT_MAILBOX_NAME_BYTES);
	buf_init(&c->foreign, 16 * LIMIT_MAILBOX_NAME_BYTES);
	arena_init(&c->arena, 4 * LIMIT_IMAP_CLIENT_RESPONSE_BYTES);
	arena_init(&c->names, LIMIT_IMAP_CLIENT_NAMES_BYTES);
	vec_init(&c->mailboxes, sizeof(struct imap_client_mailbox), LIMIT_MAILBOXES);
	vec_init(&c->lsub, sizeof(struct str), LIMIT_MAILBOXES);
	if (!buf_adds(&c->user, o->user) || !buf_adds(&c->password, o->password) ||
		str_find(o->user, 0) != o->user.n || str_find(o->password, 0) != o->password.n)
		client_fail(c, ERR_SYNTAX, "the user or the password is too long, or has a NUL");
	return c;
}

static void wipe(struct buf *b)
{
	if (b->p)
		mem_wipe(b->p, b->cap);
	buf_done(b);
}

void imap_client_free(struct imap_client **client)
{
	struct imap_client *c = *client;
	if (c == NULL)
		return;
	wipe(&c->user);
	wipe(&c->password);
	wipe(&c->command);
	wipe(&c->out);
	buf_done(&c->text);
	buf_done(&c->keywords);
	buf_done(&c->prefix);
	buf_done(&c->foreign);
	arena_done(&c->arena);
	arena_done(&c->names);
	vec_done(&c->mailboxes);
	vec_done(&c->lsub);
	free(c);
	*client = NULL;
}
