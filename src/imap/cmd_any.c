// SPDX-License-Identifier: Apache-2.0
/* What may be said in any state: CAPABILITY, NOOP, LOGOUT (RFC 9051 6.1), ID (RFC 2971); CHECK,
 * which is NOOP (RFC 3501 6.4.1); and ENABLE (RFC 9051 6.3.1). */
#include "imap/notify.h"

#include "auth/sasl.h"
#include "imap/selected.h"
#include "imap/token.h"

/* ---- CAPABILITY ---- */

enum when {
	ALWAYS = 0,
	NO_TLS_YET = 1,   /* TLS can be started */
	MAY_LOGIN = 2,    /* passwords are taken now */
	NO_PASSWORDS = 4, /* they are not, for want of TLS */
	BEFORE = 8,       /* before login */
	AFTER = 16,       /* after login */
};

static const char append_limit[] = "APPENDLIMIT=";

/* RFC 9051 6.1.1, 7.2.2. Nothing is announced that is not done. CHILDREN: RFC 3348; LITERAL- before
 * and LITERAL+ after login: RFC 7888. */
static const struct {
	const char *name;
	unsigned when;
} capabilities[] = {
	{ "IMAP4rev1", ALWAYS }, { "IMAP4rev2", ALWAYS }, { "STARTTLS", NO_TLS_YET }, /* RFC 2595 */
	{ "LOGINDISABLED", NO_PASSWORDS }, { "AUTH=", MAY_LOGIN }, /* each mechanism: auth/sasl.h */
	{ "SASL-IR", BEFORE },                                     /* RFC 4959 */
	{ "LITERAL-", BEFORE },                                    /* RFC 7888 */
	{ "LITERAL+", AFTER },                                     /* RFC 7888 */
	{ "ID", ALWAYS },                                          /* RFC 2971 */
	{ "ENABLE", ALWAYS },                                      /* RFC 5161 */
	{ "IDLE", AFTER },                                         /* RFC 2177 */
	{ "UIDPLUS", AFTER },                                      /* RFC 4315 */
	{ "MOVE", AFTER },                                         /* RFC 6851 */
	{ "NAMESPACE", AFTER },                                    /* RFC 2342 */
	{ "SPECIAL-USE", AFTER },                                  /* RFC 6154 */
	{ "CREATE-SPECIAL-USE", AFTER }, { "UNSELECT", AFTER },    /* RFC 3691 */
	{ "CHILDREN", AFTER },                                     /* RFC 3348 */
	{ "LIST-EXTENDED", AFTER },                                /* RFC 5258 */
	{ "LIST-STATUS", AFTER },                                  /* RFC 5819 */
	{ "STATUS=SIZE", AFTER },                                  /* RFC 8438 */
	{ "ESEARCH", AFTER },                                      /* RFC 4731 */
	{ "SEARCHRES", AFTER },                                    /* RFC 5182 */
	{ "BINARY", AFTER },                                       /* RFC 3516 */
	{ "CONDSTORE", AFTER }, { "QRESYNC", AFTER },              /* RFC 7162 */
	{ "WITHIN", AFTER },                                       /* RFC 5032 */
	{ "METADATA", AFTER },                                     /* RFC 5464 */
	{ "QUOTA", AFTER }, { "QUOTA=RES-STORAGE", AFTER },        /* RFC 9208 */
	{ "QUOTA=RES-MESSAGE", AFTER }, { "QUOTASET", AFTER },     /* RFC 9208 4.1.3 */
	{ append_limit, AFTER },                                   /* RFC 7889, and the number */
	{ "UTF8=ACCEPT", AFTER },                                  /* RFC 6855 */
	{ "MULTIAPPEND", AFTER }, { "REPLACE", AFTER },            /* RFC 3502, RFC 8508 */
	{ "NOTIFY", AFTER },                                       /* RFC 5465 */
	{ "CATENATE", AFTER },                                     /* RFC 4469 */
	{ "COMPRESS=DEFLATE", AFTER },                             /* RFC 4978 */
	{ "SAVEDATE", AFTER },                                     /* RFC 8514 */
	{ "OBJECTID", AFTER },                                     /* RFC 8474 */
	{ "PREVIEW", AFTER },                                      /* RFC 8970 */
	{ "SORT", AFTER }, { "THREAD=ORDEREDSUBJECT", AFTER },
	{ "THREAD=REFERENCES", AFTER }, /* RFC 5256 */
	{ "SORT=DISPLAY", AFTER },      /* RFC 5957 */
	{ "ESORT", AFTER },             /* RFC 5267 3 */
	{ "PARTIAL", AFTER },           /* RFC 9394 */
	{ "I18NLEVEL=1", AFTER },       /* RFC 5255 4.3 */
};

/* "QRESYNC", "alice@example.test:QRESYNC" or "id=Some*Mail/1.*:QRESYNC". */
static bool is_hidden_by(const struct imap *s, struct str word, struct str name)
{
	size_t colon = str_find_last(word, ':');
	struct str who = str_sub(word, 0, colon);

	if (colon == word.n)
		return str_equal_nocase(word, name);
	if (!str_equal_nocase(str_from_offset(word, colon + 1), name))
		return false;
	if (str_starts_nocase(who, STR("id=")))
		return imap_id_is(&s->id, str_from_offset(who, 3));
	return s->state != NOT_AUTHENTICATED && str_equal_nocase(who, str_from(s->address));
}

/* What a connection needs to begin with can't be hidden. */
static bool can_be_hidden(struct str name, unsigned when)
{
	return !(when & (NO_TLS_YET | MAY_LOGIN | NO_PASSWORDS)) &&
	       !str_equal(name, STR("IMAP4rev1"));
}

/* As it is hidden, without what follows the "=" of APPENDLIMIT. */
static struct str bare_name(const char *name)
{
	struct str bare = str_from(name);
	if (name == append_limit)
		bare.n--;
	return bare;
}

bool imap_may_hide(struct str word)
{
	size_t colon = str_find_last(word, ':');
	struct str name = colon == word.n ? word : str_from_offset(word, colon + 1);
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
		if (str_equal_nocase(name, bare_name(capabilities[i].name)))
			return can_be_hidden(bare_name(capabilities[i].name), capabilities[i].when);
	return false;
}

/* What a client trips over: that an administrator has hidden, or that is known of clients of its
 * name. It is served all the same.
 * rfc/2971:93 not followed: a client with a fault that its server could step around shows its user
 * no mail; who wants it so sets imap_hide_known to false and names no clients in imap_hide. */
static bool is_hidden(const struct imap *s, const char *name, unsigned when)
{
	const struct front_settings *set = s->session.host->settings;
	struct str rest = set->imap_hide == NULL ? STR_NONE : str_from(set->imap_hide);
	struct str bare = bare_name(name);

	if (!can_be_hidden(bare, when))
		return false;
	if (set->imap_hide_known && imap_id_trips(&s->id, bare))
		return true;
	while (rest.n > 0)
		if (is_hidden_by(s, str_split(&rest, ' '), bare))
			return true;
	return false;
}

bool imap_announces(const struct imap *s, const char *name)
{
	return !is_hidden(s, name, AFTER);
}

uint32_t imap_append_limit(const struct imap *s)
{
	uint64_t most = s->session.host->settings->message_bytes;

	return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

bool imap_may_login(const struct imap *s)
{
	const struct front_settings *set = s->session.host->settings;

	return s->session.peer->tls || (set->plaintext_auth_loopback && s->session.peer->loopback);
}

void capability_add(const struct imap *s, struct buf *out)
{
	bool before = s->state == NOT_AUTHENTICATED;
	unsigned now = before ? BEFORE : AFTER;
	const char *gap = "";
	struct sasl_context context = imap_sasl_context(s);

	if (before && !s->session.peer->tls && s->session.host->settings->tls_available)
		now |= NO_TLS_YET;
	if (before)
		now |= imap_may_login(s) ? MAY_LOGIN : NO_PASSWORDS;
	for (size_t i = 0; i < ARRAY_LEN(capabilities); i++) {
		if ((capabilities[i].when != ALWAYS && (capabilities[i].when & now) == 0) ||
			is_hidden(s, capabilities[i].name, capabilities[i].when))
			continue;
		if (capabilities[i].when == MAY_LOGIN)
			sasl_add_names(out, " AUTH=", &context);
		else
			buf_addf(out, "%s%s", gap, capabilities[i].name);
		if (capabilities[i].name == append_limit)
			buf_addf(out, "%u", (unsigned)imap_append_limit(s));
		gap = " ";
	}
}

void imap_capability(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	buf_addz(imap_out(s), "* CAPABILITY ");
	capability_add(s, imap_out(s));
	buf_addz(imap_out(s), "\r\n");
	reply_ok(s, NULL, "CAPABILITY completed");
	imap_finish(s);
}

/* ---- NOOP and CHECK: they ask the store whether there is news, whatever notices said ---- */

void imap_noop(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	s->sel.stale = s->sel.view != NULL;
	reply_ok(s, NULL, "%.*s completed", (int)s->cmd.verb->name.n, s->cmd.verb->name.p);
	imap_finish(s);
}

/* ---- LOGOUT ---- */

void imap_logout(struct imap *s)
{
	if (!imap_args_end(s))
		return;
	reply_ok(s, NULL, "LOGOUT completed");
	imap_writef(s, "* BYE Goodbye\r\n");
	imap_write(s, buf_str(&s->reply));
	s->session.next = NEXT_CLOSE;
}

/* ---- ID: RFC 2971. Of what a client says of itself name and version are kept. ---- */

#define ID_FIELDS 30 /* RFC 2971 3.3 */

static bool id_nstring(struct imap *s, size_t most, struct str *ret)
{
	*ret = STR_NONE;
	if (scan_word_nocase(&s->cmd.args, STR("NIL")))
		return true;
	return token_string(&s->cmd.args, &s->arena, ret) && ret->n <= most;
}

/* id_params_list = "(" *(string SPACE nstring) ")" / nil        RFC 2971 4 */
static bool id_params(struct imap *s, struct imap_id *ret)
{
	if (!scan_sp(&s->cmd.args))
		return false;
	if (scan_word_nocase(&s->cmd.args, STR("NIL")))
		return true;
	if (!scan_char(&s->cmd.args, '('))
		return false;
	for (int i = 0; i < ID_FIELDS && scan_peek(&s->cmd.args) != ')'; i++) {
		struct str name, value;

		if (i > 0 && !scan_sp(&s->cmd.args))
			return false;
		if (!token_string(&s->cmd.args, &s->arena, &name) || name.n > 30 ||
			!scan_sp(&s->cmd.args) || !id_nstring(s, 1024, &value))
			return false;
		imap_id_set(ret, name, value);
	}
	return scan_char(&s->cmd.args, ')');
}

void imap_id(struct imap *s)
{
	struct imap_id id = { .name = "" };

	if (!id_params(s, &id) || !scan_end(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	s->id = id;
	imap_writef(s, "* ID (\"name\" \"Culver\")\r\n");
	reply_ok(s, NULL, "ID completed");
	imap_finish(s);
}

/* ---- ENABLE: RFC 9051 6.3.1, RFC 5161 ---- */

enum enable {
	ENABLE_REV2 = 1,
	ENABLE_CONDSTORE = 2,
	ENABLE_QRESYNC = 4,
	ENABLE_UTF8 = 8,
	ENABLE_METADATA = 16,
	ENABLE_ASKED = 32 /* something, known or not */
};

static const struct {
	struct str name;
	unsigned bit;
} enables[] = {
	{ STR_INIT("IMAP4rev2"), ENABLE_REV2 },      /* RFC 9051 6.3.1 */
	{ STR_INIT("CONDSTORE"), ENABLE_CONDSTORE }, /* RFC 7162 3.1 */
	{ STR_INIT("QRESYNC"), ENABLE_QRESYNC },     /* RFC 7162 3.2.3 */
	{ STR_INIT("UTF8=ACCEPT"), ENABLE_UTF8 },    /* RFC 6855 3 */
	{ STR_INIT("METADATA"), ENABLE_METADATA },   /* RFC 5464 4.1 */
};

static unsigned enable_bit(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(enables); i++)
		if (str_equal_nocase(enables[i].name, name))
			return enables[i].bit;
	return 0;
}

static unsigned enabled(const struct imap *s)
{
	return (s->rev2 ? ENABLE_REV2 : 0U) | (s->condstore ? ENABLE_CONDSTORE : 0U) |
	       (s->qresync ? ENABLE_QRESYNC : 0U) | (s->utf8 ? ENABLE_UTF8 : 0U) |
	       (s->metadata ? ENABLE_METADATA : 0U);
}

static void enable(struct imap *s, unsigned bits)
{
	imap_write(s, STR("* ENABLED"));
	for (size_t i = 0; i < ARRAY_LEN(enables); i++)
		if (bits & enables[i].bit)
			imap_writef(s, " %s", enables[i].name.p);
	imap_write(s, STR("\r\n"));
	s->rev2 = s->rev2 || (bits & ENABLE_REV2) != 0;
	if (s->rev2 && s->sel.view != NULL) /* RFC 9051 appendix E */
		view_recent_forget(s->sel.view);
	s->utf8 = s->utf8 || (bits & ENABLE_UTF8) != 0;
	s->qresync = s->qresync || (bits & ENABLE_QRESYNC) != 0;
	if (bits & (ENABLE_CONDSTORE | ENABLE_QRESYNC)) /* RFC 7162 3.2.3 */
		imap_enable_condstore(s);
	if (bits & ENABLE_METADATA)
		notify_enable_metadata(s);
}

void imap_enable(struct imap *s)
{
	struct str name;
	unsigned wanted = 0;

	while (scan_sp(&s->cmd.args)) {
		if (!token_atom(&s->cmd.args, &name)) {
			imap_bad_args(s);
			return;
		}
		wanted |= enable_bit(name) | ENABLE_ASKED;
	}
	if (wanted == 0 || !scan_end(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	enable(s, wanted & ~enabled(s)); /* only what was not on before is listed */
	reply_ok(s, NULL, "ENABLE completed");
	imap_finish(s);
}

/* ---- COMPRESS: RFC 4978. For who has logged in: a stranger is worth no 78 KiB. ---- */

void imap_compress(struct imap *s)
{
	struct str name;

	if (!scan_sp(&s->cmd.args) || !token_atom(&s->cmd.args, &name)) {
		imap_bad_args(s);
		return;
	}
	if (!imap_args_end(s))
		return;
	if (!str_equal_nocase(name, STR("DEFLATE")) || s->compressed) {
		/* RFC 4978 3: BAD, since it is this layer that compresses */
		reply_bad(s, s->compressed ? "COMPRESSIONACTIVE" : NULL,
			s->compressed ? "DEFLATE is active" : "DEFLATE is all there is");
		imap_finish_now(s);
		return;
	}
	s->compressed = true;
	selected_say_told(s);
	reply_ok(s, NULL, "DEFLATE active");
	imap_write(s, buf_str(&s->reply));
	s->session.next = NEXT_COMPRESS;
	imap_command_over(s);
}

/* RFC 7162 3.1.2.1: after the first CONDSTORE-enabling command with a mailbox selected, the client
 * is told where the mailbox stands, as far as he knows it: 3.2. */
void imap_enable_condstore(struct imap *s)
{
	if (s->condstore)
		return;
	s->condstore = true;
	if (s->sel.view != NULL)
		imap_writef(s, "* OK [HIGHESTMODSEQ %llu] Highest\r\n",
			(unsigned long long)s->sel.told);
}
