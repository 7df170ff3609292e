/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mailbox names: from a client's spelling to the one that the store knows, and back.
 *
 * The store's spelling is UTF-8 in NFC, levels separated by "/", INBOX in capitals when it is the
 * whole first level (RFC 9051 5.1). A name never becomes a path, yet what looks like one is refused
 * (hostile-input I9): empty, "." and ".." levels, control characters, "%", "*" and a leading "#".
 *
 * uses: base, mail (normalization); used by: commands of imap
 */
#ifndef CULVER_IMAP_MAILBOX_NAME_H
#define CULVER_IMAP_MAILBOX_NAME_H

#include "base/buf.h"
#include "base/err.h"

/* Reads a client's spelling. utf8: the client speaks UTF-8 names (IMAP4rev2 or UTF8=ACCEPT is
 * enabled), otherwise modified UTF-7; bytes above 0x7f are taken as UTF-8 then too. One trailing
 * "/" is dropped (CREATE "a/", RFC 9051 6.3.4). The name is put into out, emptied first, whose
 * maximum should be LIMIT_MAILBOX_NAME_BYTES. -1: ERR_DENIED and a sentence for the client. */
int mailbox_name_read(struct str wire, bool utf8, struct buf *out, struct err *err) MUST_CHECK;
/* Adds the name as an astring in the client's encoding. */
bool mailbox_name_write(struct buf *out, struct str name, bool utf8);
/* LIST patterns and references: as mailbox_name_read, but wildcards and empty levels are let be. */
int mailbox_pattern_read(struct str wire, bool utf8, struct buf *out, struct err *err) MUST_CHECK;
bool mailbox_name_is_inbox(struct str name);

#endif
