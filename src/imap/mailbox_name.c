// SPDX-License-Identifier: Apache-2.0
/* Mailbox names between a client's spelling and the store's. RFC 9051 5.1, RFC 3501 5.1.3. */
#include "imap/mailbox_name.h"

#include "base/limits.h"
#include "imap/token.h"
#include "imap/utf7.h"
#include "mail/charset.h"

static const struct str inbox = STR_INIT("INBOX");

bool mailbox_name_is_inbox(struct str name)
{
	return str_equal(name, inbox);
}

/* The spelling as UTF-8 in NFC. */
static int to_utf8(struct str wire, bool utf8, struct buf *out, struct err *err)
{
	struct buf raw;
	buf_init(&raw, LIMIT_MAILBOX_NAME_BYTES);
	bool ok;
	if (utf8 || !str_is_ascii(wire))
		ok = str_is_utf8(wire) && buf_adds(&raw, wire);
	else
		ok = utf7_decode(wire, &raw);
	buf_clear(out);
	ok = ok && mail_to_nfc(buf_str(&raw), out);
	buf_done(&raw);
	if (!ok)
		return fail(err, ERR_DENIED, "that is not a mailbox name");
	/* Net-Unicode (RFC 9051 5.1, RFC 5198 2). */
	if (mail_has_unsafe(buf_str(out)))
		return fail(err, ERR_DENIED, "mailbox names hold no control characters");
	return 0;
}

/* A first level "inbox" is INBOX, whatever its case (RFC 9051 5.1). */
static void spell_inbox(struct buf *name)
{
	if (name->n < inbox.n || (name->n > inbox.n && name->p[inbox.n] != '/'))
		return;
	if (str_equal_nocase(str_make(name->p, inbox.n), inbox))
		memcpy(name->p, inbox.p, inbox.n);
}

static bool is_level(struct str level)
{
	return level.n > 0 && !str_equal(level, STR(".")) && !str_equal(level, STR(".."));
}

static int check_levels(struct str name, struct err *err)
{
	unsigned levels = 0;
	for (struct str rest = name;;) {
		size_t slash = str_find(rest, '/');
		if (!is_level(str_sub(rest, 0, slash)))
			return fail(err, ERR_DENIED, "a mailbox name has an empty or dotted level");
		if (++levels > LIMIT_MAILBOX_LEVELS)
			return fail(err, ERR_DENIED, "too many levels of mailboxes");
		if (slash == rest.n)
			return 0;
		rest = str_from_offset(rest, slash + 1);
	}
}

int mailbox_name_read(struct str wire, bool utf8, struct buf *out, struct err *err)
{
	if (to_utf8(wire, utf8, out, err) < 0)
		return -1;
	if (out->n > 1 && out->p[out->n - 1] == '/')
		buf_truncate(out, out->n - 1);
	struct str name = buf_str(out);
	if (str_find(name, '%') < name.n || str_find(name, '*') < name.n)
		return fail(err, ERR_DENIED, "mailbox names hold no wildcards");
	if (name.n > 0 && name.p[0] == '#')
		return fail(err, ERR_DENIED, "there is no such namespace");
	if (check_levels(name, err) < 0)
		return -1;
	spell_inbox(out);
	return 0;
}

int mailbox_pattern_read(struct str wire, bool utf8, struct buf *out, struct err *err)
{
	return to_utf8(wire, utf8, out, err);
}

bool mailbox_name_write(struct buf *out, struct str name, bool utf8)
{
	if (utf8)
		return token_add_astring(out, name, true);
	struct buf wire;
	buf_init(&wire, utf7_most(name.n));
	bool ok = utf7_encode(name, &wire) && token_add_astring(out, buf_str(&wire), false);
	buf_done(&wire);
	return ok;
}
