// SPDX-License-Identifier: Apache-2.0
/* The client's side of an IMAP session (see imap_session.h). RFC 9051 */
#include "imap_session.h"

#include "base/time.h"
#include "boxes.h"

#include <stdarg.h>

/* ---- a whole response ---- */

/* literal = "{" number "}" CRLF *CHAR8: how many bytes follow, or -1 */
static int64_t literal_size(struct str line)
{
	size_t open = str_find_last(line, '{');
	uint64_t n;
	if (line.n == 0 || line.p[line.n - 1] != '}' || open == line.n)
		return -1;
	struct scan s = scan_from(str_from_offset(line, open + 1));
	return scan_number(&s, 1 << 26, &n) && scan_char(&s, '}') ? (int64_t)n : -1;
}

static bool read_some(struct user_session *s)
{
	struct str line;
	buf_clear(&s->response);
	for (;;) {
		if (!conn_line(&s->conn, &line))
			return false;
		buf_adds(&s->response, line);
		int64_t n = literal_size(line);
		if (n < 0)
			return true;
		buf_addz(&s->response, "\r\n");
		if (!conn_bytes(&s->conn, (size_t)n, &s->response))
			return false;
	}
}

static bool read_response(struct user_session *s)
{
	bool good = read_some(s);
	if (!good)
		conn_turned_away(&s->conn, "cut off");
	return good;
}

/* ---- the view ---- */

static uint32_t *view_at(struct user_session *s, uint64_t number)
{
	if (number < 1 || number > s->view.n)
		sim_fail("%s: message %u of %zu was spoken of", s->actor->name, (unsigned)number,
			s->view.n);
	return vec_at(&s->view, (size_t)number - 1);
}

static void on_exists(struct user_session *s, uint64_t n)
{
	uint32_t none = 0;
	if (n < s->view.n)
		sim_fail("%s: EXISTS %u, and %zu were there", s->actor->name, (unsigned)n,
			s->view.n);
	while (s->view.n < n)
		vec_push(&s->view, &none);
}

static void on_expunge(struct user_session *s, uint64_t number)
{
	if (s->no_expunge)
		sim_fail("%s: EXPUNGE during a command by numbers", s->actor->name);
	if (s->qresync)
		sim_fail("%s: EXPUNGE, and QRESYNC is enabled", s->actor->name);
	view_at(s, number);
	vec_remove(&s->view, (size_t)number - 1);
}

static void on_uid(struct user_session *s, uint64_t number, uint32_t uid)
{
	uint32_t *at = view_at(s, number);
	if (*at && *at != uid)
		sim_fail("%s: message %u had UID %u, has %u", s->actor->name, (unsigned)number, *at,
			uid);
	*at = uid;
	for (uint64_t i = number - 1; i > 0; i--) {
		uint32_t before = *(uint32_t *)vec_at(&s->view, i - 1);
		if (before && before >= uid)
			sim_fail("%s: UID %u comes before UID %u", s->actor->name, before, uid);
		if (before)
			break;
	}
}

/* ---- FETCH ---- */

static bool not_blank(char c)
{
	return c != ' ' && c != ')' && c != '(';
}

static void parse_flags(struct scan *s, struct user_fetched *f)
{
	f->has_flags = true;
	scan_char(s, '(');
	while (!scan_char(s, ')') && !scan_end(s)) {
		struct str word = scan_while(s, not_blank);
		for (int i = 0; i < FLAGS; i++)
			if (str_equal_nocase(word, str_from(flag_names[i])))
				f->flags |= (uint8_t)(1 << i);
		if (!scan_sp(s) && word.n == 0 && scan_peek(s) != ')')
			break;
	}
}

static bool parse_body(struct scan *s, struct str *ret)
{
	uint64_t n;
	return scan_char(s, '{') && scan_number(s, 1 << 26, &n) && scan_char(s, '}') &&
	       scan_char(s, '\r') && scan_char(s, '\n') && scan_bytes(s, (size_t)n, ret);
}

static bool parse_item(struct scan *s, struct user_fetched *f)
{
	uint64_t n;
	if (scan_literal_nocase(s, STR("UID ")) && scan_number(s, UINT32_MAX, &n)) {
		f->uid = (uint32_t)n;
		return true;
	}
	if (scan_literal_nocase(s, STR("FLAGS "))) {
		parse_flags(s, f);
		return true;
	}
	if (scan_literal_nocase(s, STR("INTERNALDATE \"")))
		return scan_until(s, '"', &f->date) && scan_char(s, '"');
	if (scan_literal_nocase(s, STR("MODSEQ (")))
		return scan_number(s, INT64_MAX, &f->modseq) && scan_char(s, ')');
	if (scan_literal_nocase(s, STR("BODY[] NIL")))
		return f->damaged = world_is_damaged();
	if (scan_literal_nocase(s, STR("RFC822.SIZE ")))
		return scan_number(s, INT64_MAX, &f->size);
	if (scan_literal_nocase(s, STR("BODY[] ")))
		return f->has_body = parse_body(s, &f->body);
	return false;
}

static void on_fetch(struct user_session *s, uint64_t number, struct scan *in)
{
	struct user_fetched f = { .number = (uint32_t)number };
	scan_char(in, '(');
	do {
		if (!parse_item(in, &f))
			sim_fail("%s: a FETCH response: %.100s", s->actor->name, s->response.p);
	} while (scan_sp(in));
	view_at(s, number);
	if (f.size && f.has_body && f.size != f.body.n)
		sim_fail("%s: RFC822.SIZE %llu of %zu bytes", s->actor->name,
			(unsigned long long)f.size, f.body.n);
	if (f.uid)
		on_uid(s, number, f.uid);
	else
		f.uid = *view_at(s, number);
	if (f.uid && f.has_flags)
		news_flags(s, f.uid, f.flags);
	if (s->fetched)
		s->fetched(s, &f);
}

/* ---- codes ---- */

/* uid-set = (uniqueid / uid-range) *("," uid-set); "*" does not come in answers */
static void parse_set(struct scan *s, struct vec *ret)
{
	uint64_t a, b;
	vec_clear(ret);
	do {
		if (!scan_number(s, UINT32_MAX, &a))
			return;
		b = a;
		if (scan_char(s, ':') && !scan_number(s, UINT32_MAX, &b))
			return;
		for (uint64_t i = a; i <= b && ret->n < 100000; i++) {
			uint32_t uid = (uint32_t)i;
			vec_push(ret, &uid);
		}
	} while (scan_char(s, ','));
}

static void on_code(struct user_session *s, struct scan *in)
{
	uint64_t n, validity;
	if (!scan_char(in, '['))
		return;
	if (scan_literal_nocase(in, STR("UIDVALIDITY ")) && scan_number(in, UINT32_MAX, &n))
		s->told.uidvalidity = (uint32_t)n;
	else if (scan_literal_nocase(in, STR("UIDNEXT ")) && scan_number(in, UINT32_MAX, &n))
		s->told.uidnext = (uint32_t)n;
	else if (scan_literal_nocase(in, STR("HIGHESTMODSEQ ")) && scan_number(in, INT64_MAX, &n))
		s->told.modseq = n;
	else if (scan_literal_nocase(in, STR("MODIFIED ")))
		parse_set(in, &s->modified);
	else if (scan_literal_nocase(in, STR("APPENDUID ")) &&
		 scan_number(in, UINT32_MAX, &validity) && scan_sp(in)) {
		s->append_validity = (uint32_t)validity;
		parse_set(in, &s->appended);
		s->append_uid = s->appended.n ? *(uint32_t *)vec_at(&s->appended, 0) : 0;
	} else if (scan_literal_nocase(in, STR("COPYUID ")) && scan_number(in, UINT32_MAX, &n) &&
		   scan_sp(in)) {
		s->copy_validity = (uint32_t)n;
		parse_set(in, &s->sources);
		scan_sp(in);
		parse_set(in, &s->targets);
		if (s->sources.n != s->targets.n)
			sim_fail("%s: COPYUID of %zu and %zu messages", s->actor->name,
				s->sources.n, s->targets.n);
	}
}

/* mailbox-list = "(" [mbx-list-flags] ")" SP DQUOTE QUOTED-CHAR DQUOTE SP mailbox */
static void on_list(struct user_session *s, struct scan *in)
{
	char name[64];
	struct str rest = { in->p, (size_t)(in->end - in->p) };
	size_t flags = str_search(rest, STR(") \"/\" "));
	/* It has gone, and what is below it has not. */
	if (str_search(str_sub(rest, 0, flags), STR("\\Noselect")) < flags)
		return;
	rest = str_from_offset(rest, flags + 6);
	if (rest.n == 0 || rest.n >= sizeof(name))
		sim_fail("%s: %.100s", s->actor->name, s->response.p);
	memset(name, 0, sizeof(name));
	memcpy(name, rest.p, rest.n);
	vec_push(&s->names, name);
}

/* quota-list, after the root.  RFC 9208 7 */
static void on_quota(struct user_session *s, struct scan *in)
{
	s->has_quota = true;
	memset(s->quota_kib, 0, sizeof(s->quota_kib));
	memset(s->quota_messages, 0, sizeof(s->quota_messages));
	scan_char(in, '(');
	while (!scan_char(in, ')') && !scan_end(in)) {
		uint64_t *to = scan_word_nocase(in, STR("STORAGE")) ? s->quota_kib
								    : s->quota_messages;
		bool good = to == s->quota_kib || scan_word_nocase(in, STR("MESSAGE"));
		if (!good || !scan_sp(in) || !scan_number(in, INT64_MAX, &to[0]) || !scan_sp(in) ||
			!scan_number(in, INT64_MAX, &to[1]))
			sim_fail("%s: %.100s", s->actor->name, s->response.p);
		scan_sp(in);
	}
}

/* Where it is in the view, or may be among those of which only the number was told; or beyond. */
static size_t place_of(const struct user_session *s, uint32_t uid)
{
	size_t i = 0, unknown = s->view.n;
	for (; i < s->view.n; i++) {
		uint32_t at = *(uint32_t *)vec_at(&s->view, i);
		if (at == uid)
			return i;
		if (at == 0 && unknown == s->view.n)
			unknown = i;
		if (at > uid)
			break;
		if (at)
			unknown = s->view.n;
	}
	return unknown;
}

/* Each is told once, and only of what is there, but for those that went before.  RFC 7162 3.2.10 */
static void on_vanished(struct user_session *s, struct scan *in)
{
	struct vec gone;
	bool earlier = scan_literal_nocase(in, STR("(EARLIER) "));
	vec_init(&gone, sizeof(uint32_t), 100000);
	parse_set(in, &gone);
	if (!s->qresync || gone.n == 0 || (s->no_expunge && !earlier))
		sim_fail("%s: %.100s", s->actor->name, s->response.p);
	VEC_EACH (uint32_t, uid, &gone) {
		size_t i = place_of(s, *uid);
		if (!earlier && i == s->view.n)
			sim_fail("%s: UID %u vanished, and was not there", s->actor->name, *uid);
		if (!earlier)
			vec_remove(&s->view, i);
		if (s->vanished)
			s->vanished(s, *uid, earlier);
	}
	vec_done(&gone);
}

/* "SEARCH" *(SP nz-number), "SORT" *(SP nz-number) */
static void on_found(struct user_session *s, struct scan *in)
{
	uint64_t n;
	while (scan_sp(in) && scan_number(in, UINT32_MAX, &n)) {
		uint32_t uid = (uint32_t)n;
		vec_push(&s->found, &uid);
	}
	if (!scan_end(in))
		sim_fail("%s: %.100s", s->actor->name, s->response.p);
}

/* Of a value "v" number, or NIL.  RFC 5464 4.4.1 */
static void on_metadata(struct user_session *s, struct scan *in)
{
	struct str rest = scan_rest(in);
	size_t at = str_search(rest, STR("/private/comment "));
	struct scan value = scan_from(str_from_offset(rest, at + strlen("/private/comment ")));
	uint64_t n = 0;
	bool good = at < rest.n && (scan_literal_nocase(&value, STR("NIL")) ||
					   (scan_literal_nocase(&value, STR("\"v")) &&
						   scan_number(&value, INT32_MAX, &n)));
	if (!good)
		sim_fail("%s: %.100s", s->actor->name, s->response.p);
	s->note = (int)n;
}

/* ---- responses ---- */

static void untagged(struct user_session *s, struct scan *in)
{
	uint64_t n;
	if (scan_word_nocase(in, STR("OK")) && scan_sp(in)) {
		on_code(s, in);
	} else if (scan_literal_nocase(in, STR("LIST "))) {
		on_list(s, in);
	} else if (scan_word_nocase(in, STR("SEARCH")) || scan_word_nocase(in, STR("SORT"))) {
		on_found(s, in);
	} else if (scan_literal_nocase(in, STR("METADATA "))) {
		on_metadata(s, in);
	} else if (scan_literal_nocase(in, STR("VANISHED "))) {
		on_vanished(s, in);
	} else if (scan_literal_nocase(in, STR("QUOTA \"\" "))) {
		on_quota(s, in);
	} else if (scan_number(in, UINT32_MAX, &n) && scan_sp(in)) {
		if (scan_word_nocase(in, STR("EXISTS")))
			on_exists(s, n);
		else if (scan_word_nocase(in, STR("EXPUNGE")))
			on_expunge(s, n);
		else if (scan_word_nocase(in, STR("FETCH")) && scan_sp(in))
			on_fetch(s, n, in);
	}
}

/* What is refused for a cause. RFC 5530 3, RFC 9051 7.1; anything else is refused for the moment.
 */
static bool has_cause(const struct user_session *s)
{
	static const char *const codes[] = { "[ALREADYEXISTS]", "[AUTHENTICATIONFAILED]",
		"[CANNOT]", "[EXPIRED]", "[EXPUNGEISSUED]", "[NONEXISTENT]", "[OVERQUOTA]",
		"[READ-ONLY]", "[TRYCREATE]" };
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (user_said(s, codes[i]))
			return true;
	return false;
}

/* Up to the tagged response, or a "+" when that is waited for. */
static enum user_result read_result(struct user_session *s, bool plus)
{
	char tag[20];
	snprintf(tag, sizeof(tag), "a%u", s->tag);
	for (;;) {
		if (!read_response(s))
			return USER_CUT;
		struct scan in = scan_from(buf_str(&s->response));
		if (plus && scan_char(&in, '+'))
			return USER_OK;
		if (scan_char(&in, '*') && scan_sp(&in)) {
			untagged(s, &in);
			continue;
		}
		if (!scan_literal_nocase(&in, str_from(tag)) || !scan_sp(&in))
			sim_fail("%s: %.100s", s->actor->name, s->response.p);
		if (scan_word_nocase(&in, STR("OK")) && scan_sp(&in)) {
			on_code(s, &in);
			return USER_OK;
		}
		if (scan_word_nocase(&in, STR("NO"))) {
			if (!has_cause(s))
				conn_turned_away(&s->conn, s->response.p);
			return USER_NO;
		}
		if (boxes_may_go(s->account, s->box)) { /* "Please select a mailbox first" */
			s->box = BOX_NONE;
			return USER_NO;
		}
		sim_fail("%s: %.100s", s->actor->name, s->response.p);
	}
}

/* ---- commands ---- */

bool user_said(const struct user_session *s, const char *code)
{
	return str_search(buf_str(&s->response), str_from(code)) < s->response.n;
}

/* Or without a word, as CLOSE goes: RFC 9051 6.4.1. */
static bool by_numbers(const char *command)
{
	return strncmp(command, "FETCH", 5) == 0 || strncmp(command, "STORE", 5) == 0 ||
	       strncmp(command, "SEARCH", 6) == 0 || strncmp(command, "CLOSE", 5) == 0;
}

/* What only an account's own sessions may do. */
static bool touches_mail(const char *command)
{
	static const char *const words[] = { "BODY", "STORE", "COPY", "MOVE", "EXPUNGE", "APPEND" };
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strstr(command, words[i]))
			return true;
	return false;
}

static void begin(struct user_session *s)
{
	s->tag++;
	s->append_uid = 0;
	vec_clear(&s->sources);
	vec_clear(&s->targets);
	vec_clear(&s->modified);
	vec_clear(&s->appended);
	vec_clear(&s->found);
	s->note = 0;
	world.report->operations++;
}

enum user_result user_command(struct user_session *s, const char *format, ...)
{
	char text[2000];
	va_list values;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	begin(s);
	int64_t asked_ms = awake_ms();
	if (!conn_sendf(&s->conn, "a%u %s\r\n", s->tag, text))
		return USER_CUT;
	s->no_expunge = by_numbers(text);
	news_silent(s, text);
	enum user_result r = read_result(s, false);
	s->no_expunge = false;
	if (r == USER_OK && touches_mail(text))
		authority_used(&s->authority, asked_ms, s->actor->name);
	return r;
}

/* flag-list SP, or nothing: RFC 9051 6.3.12 */
static void add_flags(struct buf *out, uint8_t flags)
{
	const char *gap = "(";
	for (int i = 0; i < FLAGS; i++) {
		if (!(flags & 1 << i))
			continue;
		buf_addf(out, "%s%s", gap, flag_names[i]);
		gap = " ";
	}
	if (flags)
		buf_addz(out, ") ");
}

/* [date-time SP]: RFC 9051 6.3.12 */
static void add_date(struct buf *out, uint32_t n)
{
	struct time_text text;
	if (!chance(50))
		return;
	message_is_dated(n);
	buf_addf(out, "\"%s\" ", time_imap(&text, message_date(n)));
}

enum user_result user_append(struct user_session *s, const char *box, uint8_t flags, uint32_t n)
{
	bool wait = chance(50); /* LITERAL+: RFC 7888 */
	int64_t asked_ms = awake_ms();
	struct buf out, text;
	begin(s);
	message_make(n, &text);
	buf_addz(&text, "\r\n");
	buf_init(&out, 400);
	buf_addf(&out, "a%u APPEND %s ", s->tag, box);
	add_flags(&out, flags);
	add_date(&out, n);
	buf_addf(&out, "{%zu%s}\r\n", text.n - 2, wait ? "" : "+");
	enum user_result r = conn_send(&s->conn, buf_str(&out)) ? USER_OK : USER_CUT;
	buf_done(&out);
	if (r == USER_OK && wait)
		r = read_result(s, true);
	if (r == USER_OK)
		r = conn_send(&s->conn, buf_str(&text)) ? read_result(s, false) : USER_CUT;
	buf_done(&text);
	if (r == USER_OK)
		authority_used(&s->authority, asked_ms, s->actor->name);
	return r;
}

enum user_result user_append_all(struct user_session *s, const char *box, uint32_t replaces,
	const uint32_t *numbers, size_t n)
{
	struct buf out, text;
	int64_t asked_ms = awake_ms();
	begin(s);
	buf_init(&out, 4 * 1024 * 1024);
	buf_addf(&out, "a%u ", s->tag);
	if (replaces)
		buf_addf(&out, "UID REPLACE %u %s", replaces, box);
	else
		buf_addf(&out, "APPEND %s", box);
	for (size_t i = 0; i < n; i++) {
		message_make(numbers[i], &text);
		buf_addc(&out, ' ');
		add_date(&out, numbers[i]);
		buf_addf(&out, "{%zu+}\r\n", text.n);
		buf_adds(&out, buf_str(&text));
		buf_done(&text);
	}
	buf_addz(&out, "\r\n");
	bool sent = conn_send(&s->conn, buf_str(&out));
	buf_done(&out);
	enum user_result r = sent ? read_result(s, false) : USER_CUT;
	if (r == USER_OK)
		authority_used(&s->authority, asked_ms, s->actor->name);
	return r;
}

bool user_is_quiet(const struct user_session *s)
{
	return world_is_quiet() && s->conn.upgrades == world.upgrades;
}

static bool listen_for(struct user_session *s, int64_t ms)
{
	for (int64_t until = sim_ms() + ms; sim_ms() < until && !s->conn.lost;) {
		if (!conn_wait_input(&s->conn, until - sim_ms()))
			continue;
		if (!read_response(s))
			return false;
		struct scan in = scan_from(buf_str(&s->response));
		if (scan_char(&in, '*') && scan_sp(&in))
			untagged(s, &in);
	}
	return !s->conn.lost;
}

enum { SOON_MS = 2000 };

enum user_result user_idle(struct user_session *s, int64_t ms)
{
	begin(s);
	if (!conn_sendf(&s->conn, "a%u IDLE\r\n", s->tag))
		return USER_CUT;
	enum user_result r = read_result(s, true);
	if (r != USER_OK)
		return r;
	if (!listen_for(s, ms - SOON_MS))
		return USER_CUT;
	uint64_t asked = model_time();
	if (!listen_for(s, SOON_MS))
		return USER_CUT;
	news_told(s, asked);
	return conn_sendf(&s->conn, "DONE\r\n") ? read_result(s, false) : USER_CUT;
}

bool user_sees(void *arg, uint32_t uid)
{
	const struct user_session *s = arg;
	VEC_EACH (uint32_t, at, &s->view)
		if (*at == uid)
			return true;
	return false;
}

bool user_was_modified(const struct user_session *s, uint32_t uid)
{
	VEC_EACH (uint32_t, at, &s->modified)
		if (*at == uid)
			return true;
	return false;
}

enum user_result user_select(struct user_session *s, unsigned box)
{
	return user_select_with(s, box, "(CONDSTORE)");
}

void user_left(struct user_session *s)
{
	s->box = BOX_NONE;
	vec_clear(&s->view);
	vec_clear(&s->flags);
}

static enum user_result select_box(struct user_session *s, const char *name, const char *parameters)
{
	user_left(s);
	s->told = (struct box_told){ 0 };
	enum user_result r = user_command(
		s, "%s %s %s", s->examines ? "EXAMINE" : "SELECT", name, parameters);
	if (r == USER_OK &&
		(s->told.uidvalidity == 0 || s->told.uidnext == 0 || s->told.modseq == 0))
		sim_fail("%s: SELECT did not tell everything", s->actor->name);
	return r;
}

enum user_result user_select_named(struct user_session *s, const char *name)
{
	struct box_told before[BOX_MOST];
	for (unsigned i = 0; i < BOX_MOST; i++)
		before[i] = model_box(s->account, i);
	enum user_result r = select_box(s, name, "(CONDSTORE)");
	if (r != USER_OK)
		return r;
	s->box = boxes_find(s->account, s->told.uidvalidity);
	model_told(s->account, s->box, &before[s->box], &s->told);
	return USER_OK;
}

enum user_result user_list(struct user_session *s, bool subscribed)
{
	vec_clear(&s->names);
	return user_command(s, "LIST %s\"\" \"*\"", subscribed ? "(SUBSCRIBED) " : "");
}

enum user_result user_select_with(struct user_session *s, unsigned box, const char *parameters)
{
	struct box_told before = model_box(s->account, box);
	enum user_result r = select_box(s, box_names[box], parameters);
	if (r != USER_OK)
		return r;
	s->box = box;
	model_told(s->account, box, &before, &s->told);
	return USER_OK;
}

static bool log_in(struct user_session *s)
{
	struct authority *by = &s->authority;
	authority_asked(by);
	enum user_result r = user_command(
		s, "LOGIN %s %s", account_address(by->account), by->password);
	if (r == USER_OK)
		authority_granted(by, s->actor->name);
	else if (r == USER_NO && user_said(s, "[AUTHENTICATIONFAILED]"))
		authority_refused(by, s->actor->name);
	s->conn.may_end = true;
	return r == USER_OK;
}

bool user_open(struct user_session *s, struct actor *a, const struct authority *by)
{
	*s = (struct user_session){
		.actor = a, .account = by->account, .box = BOX_NONE, .authority = *by
	};
	vec_init(&s->view, sizeof(uint32_t), 1000000);
	vec_init(&s->flags, sizeof(struct user_flags), 1000000);
	vec_init(&s->sources, sizeof(uint32_t), 1000000);
	vec_init(&s->targets, sizeof(uint32_t), 1000000);
	vec_init(&s->modified, sizeof(uint32_t), 1000000);
	vec_init(&s->appended, sizeof(uint32_t), 1000000);
	vec_init(&s->found, sizeof(uint32_t), 1000000);
	vec_init(&s->names, 64, 10000);
	buf_init(&s->response, 64 * 1024 * 1024);
	return conn_open(&s->conn, a, "imap", "127.0.0.1", &s->authority) && read_response(s) &&
	       str_starts(buf_str(&s->response), STR("* OK")) && log_in(s);
}

void user_close(struct user_session *s)
{
	conn_close(&s->conn);
	vec_done(&s->view);
	vec_done(&s->flags);
	vec_done(&s->sources);
	vec_done(&s->targets);
	vec_done(&s->modified);
	vec_done(&s->appended);
	vec_done(&s->found);
	vec_done(&s->names);
	buf_done(&s->response);
}
