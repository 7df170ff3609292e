// SPDX-License-Identifier: Apache-2.0
/* Arguments that several commands share; see grammar.h. Pure but for the two at the end, which end
 * the command when the argument is not there. */
#include "imap/grammar.h"

#include "api/schemes.h"
#include "base/time.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/token.h"

#include <inttypes.h>

/* ---- flags ---- */

static bool add_flag(struct flag_list *f, struct str name)
{
	uint8_t bit = flag_bit(name);

	f->flags |= bit;
	if (bit != 0 || str_equal_nocase(name, STR("\\Recent")))
		return true;
	if (name.p[0] == '\\')
		return false;
	f->too_much = f->too_much || name.n > LIMIT_KEYWORD_BYTES;
	if (f->too_much)
		return true;
	for (size_t i = 0; i < f->n; i++)
		if (str_equal_nocase(f->keywords[i], name))
			return true;
	f->too_much = f->n == ARRAY_LEN(f->keywords);
	if (!f->too_much)
		f->keywords[f->n++] = name;
	return true;
}

bool grammar_flags(struct scan *s, struct flag_list *ret)
{
	struct str name;

	*ret = (struct flag_list){ .n = 0 };
	do {
		if (!token_flag(s, &name) || !add_flag(ret, name))
			return false;
	} while (scan_sp(s));
	return true;
}

bool grammar_flag_list(struct scan *s, struct flag_list *ret)
{
	*ret = (struct flag_list){ .n = 0 };
	if (!scan_char(s, '('))
		return false;
	if (scan_char(s, ')'))
		return true;
	return grammar_flags(s, ret) && scan_char(s, ')');
}

/* ---- dates ---- */

bool grammar_date_time(struct scan *s, int64_t *ret_ms)
{
	struct scan at = *s;

	if (!scan_char(&at, '"') || !time_scan_imap(&at, ret_ms) || !scan_char(&at, '"'))
		return false;
	*s = at;
	return true;
}

/* ---- STATUS items ---- */

static const struct {
	struct str name;
	unsigned bit;
} status_atts[] = {
	{ STR_INIT("MESSAGES"), STATUS_MESSAGES },
	{ STR_INIT("RECENT"), STATUS_RECENT },
	{ STR_INIT("UIDNEXT"), STATUS_UIDNEXT },
	{ STR_INIT("UIDVALIDITY"), STATUS_UIDVALIDITY },
	{ STR_INIT("UNSEEN"), STATUS_UNSEEN },
	{ STR_INIT("DELETED"), STATUS_DELETED },
	{ STR_INIT("SIZE"), STATUS_SIZE },
	{ STR_INIT("DELETED-STORAGE"), STATUS_DELETED_STORAGE },
	{ STR_INIT("APPENDLIMIT"), STATUS_APPENDLIMIT },
	{ STR_INIT("HIGHESTMODSEQ"), STATUS_HIGHESTMODSEQ },
	{ STR_INIT("MAILBOXID"), STATUS_MAILBOXID },
};

static unsigned status_att(struct scan *s)
{
	for (size_t i = 0; i < ARRAY_LEN(status_atts); i++)
		if (scan_word_nocase(s, status_atts[i].name))
			return status_atts[i].bit;
	return 0;
}

bool grammar_status_atts(struct scan *s, unsigned *ret)
{
	unsigned all = 0;

	if (!scan_char(s, '('))
		return false;
	do {
		unsigned bit = status_att(s);

		if (bit == 0)
			return false;
		all |= bit;
	} while (scan_sp(s));
	*ret = all;
	return scan_char(s, ')');
}

const char *grammar_status_att_name(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_LEN(status_atts); i++)
		if (status_atts[i].bit == bit)
			return status_atts[i].name.p;
	return "";
}

/* ---- object identifiers: RFC 8474 ---- */

static bool is_object_id_char(char c)
{
	return abnf_is_alpha(c) || abnf_is_digit(c) || c == '_' || c == '-';
}

bool grammar_object_id(struct scan *s, struct str *ret)
{
	struct scan at = *s;
	struct str id = scan_while(&at, is_object_id_char);

	if (id.n == 0 || id.n > 255)
		return false;
	*ret = id;
	*s = at;
	return true;
}

void grammar_add_mailbox_id(struct buf *out, uint64_t mailbox)
{
	buf_addf(out, "F%" PRIx64, mailbox);
}

void grammar_add_email_id(struct buf *out, uint64_t entry_id)
{
	buf_addf(out, "M%" PRIx64, entry_id);
}

uint64_t grammar_email_id(struct str id)
{
	uint64_t n = 0;

	if (id.n < 2 || id.n > 17 || id.p[0] != 'M' || id.p[1] == '0')
		return 0;
	for (size_t i = 1; i < id.n; i++) {
		char c = id.p[i];

		if (abnf_is_digit(c))
			n = n << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n << 4 | (uint64_t)(c - 'a' + 10);
		else
			return 0;
	}
	return n;
}

/* ---- special use ---- */

static const struct {
	struct str name;
	uint16_t bit;
} uses[] = {
	{ STR_INIT("\\Archive"), USE_ARCHIVE },
	{ STR_INIT("\\Drafts"), USE_DRAFTS },
	{ STR_INIT("\\Flagged"), USE_FLAGGED },
	{ STR_INIT("\\Junk"), USE_JUNK },
	{ STR_INIT("\\Sent"), USE_SENT },
	{ STR_INIT("\\Trash"), USE_TRASH },
	{ STR_INIT("\\All"), USE_ALL },
};

uint16_t grammar_special_use(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (str_equal_nocase(uses[i].name, name))
			return uses[i].bit;
	return 0;
}

const char *grammar_special_use_name(uint16_t bit)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (uses[i].bit == bit)
			return uses[i].name.p;
	return "";
}

/* ---- arguments that end the command when they are not there ---- */

bool imap_arg_mailbox(struct imap *s, struct str *ret_name)
{
	struct str given;

	return imap_arg_mailbox_given(s, ret_name, &given);
}

/* "a/" is no other name than "a" (RFC 9051 6.3.4). */
bool imap_is_as_given(struct str name, struct str given)
{
	if (given.n == name.n + 1 && given.p[name.n] == '/')
		given.n--;
	return str_equal(name, given);
}

/* oldname-extended-item = "OLDNAME" SP "(" mailbox ")" */
void imap_write_oldname(struct imap *s, struct str name, struct str given)
{
	if (!s->rev2 || imap_is_as_given(name, given))
		return;
	buf_addz(imap_out(s), " (\"OLDNAME\" (");
	token_add_astring(imap_out(s), given, true);
	buf_addz(imap_out(s), "))");
}

void imap_say_oldname(struct imap *s, const char *attributes, struct str name, struct str given)
{
	if (!s->rev2 || imap_is_as_given(name, given))
		return;
	imap_writef(s, "* LIST (%s) \"/\" ", attributes);
	mailbox_name_write(imap_out(s), name, true);
	imap_write_oldname(s, name, given);
	buf_addz(imap_out(s), "\r\n");
}

bool imap_arg_mailbox_given(struct imap *s, struct str *ret_name, struct str *ret_given)
{
	struct err err = ERR_INIT;
	struct buf name;
	struct str wire;

	if (!scan_sp(&s->cmd.args) || !token_astring(&s->cmd.args, &s->arena, &wire)) {
		imap_bad_args(s);
		return false;
	}
	buf_init(&name, LIMIT_MAILBOX_NAME_BYTES);
	if (mailbox_name_read(wire, imap_utf8(s), &name, &err) < 0) {
		reply_err(s, err.kind, str_from(err.public_text));
		imap_finish(s);
		buf_done(&name);
		return false;
	}
	*ret_name = arena_str(&s->arena, buf_str(&name));
	*ret_given = arena_str(&s->arena, wire);
	buf_done(&name);
	return true;
}

void imap_uid_set(const struct imap *s, struct seqset *set)
{
	if (set->saved)
		*set = seqset_of(&s->sel.saved);
	else
		seqset_resolve(set, s->sel.uidnext > 0 ? s->sel.uidnext - 1 : 0);
}

bool imap_set_is_too_much(struct imap *s, const struct seqset *set)
{
	if (set->too_much)
		reply_no(s, "LIMIT", "A set has at most %d ranges", LIMIT_IMAP_SEQ_RANGES);
	return set->too_much;
}

bool imap_arg_set(struct imap *s, bool uid, struct vec *ret)
{
	struct seqset set, saved = seqset_of(&s->sel.saved);

	if (!scan_sp(&s->cmd.args) || !seqset_parse(&s->cmd.args, &s->arena, &set)) {
		imap_bad_args(s);
		return false;
	}
	if (!imap_set_is_too_much(s, &set)) {
		if (view_resolve(s->sel.view, &set, uid, &saved, ret))
			return true;
		reply_bad(s, NULL, "No such message number");
	}
	imap_finish(s);
	return false;
}

bool imap_flags_are_too_much(struct imap *s, const struct flag_list *f)
{
	if (f->too_much)
		reply_no(s, "LIMIT", "A keyword has at most %d bytes, a command %zu of them",
			LIMIT_KEYWORD_BYTES, ARRAY_LEN(f->keywords));
	return f->too_much;
}
