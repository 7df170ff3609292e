/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments that several commands share, each named after its production. What they are built from
 * stands in token.h, seqset.h and mailbox_name.h.
 *
 * uses: base, token; used by: commands of imap
 */
#ifndef CULVER_IMAP_GRAMMAR_H
#define CULVER_IMAP_GRAMMAR_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/scan.h"

/* Flags as a client names them: bits for the system flags, names for the rest. */
struct flag_list {
	uint8_t flags; /* enum entry_flag */
	struct str keywords[128];
	size_t n;
	bool too_much; /* a keyword is too long, or there are too many: the rest is here */
};

/* flag-list = "(" [flag *(SP flag)] ")". False: it is not one. "\Recent" is taken and forgotten
 * (RFC 3501 2.3.2: no client can change it); any other unknown \flag is refused. */
bool grammar_flag_list(struct scan *s, struct flag_list *ret);
/* flag *(SP flag), without the parentheses. */
bool grammar_flags(struct scan *s, struct flag_list *ret);
/* date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE, as
 * milliseconds since 1970. */
bool grammar_date_time(struct scan *s, int64_t *ret_ms);

/* status-att, bits. DELETED and SIZE: RFC 9051; HIGHESTMODSEQ: RFC 7162; RECENT: RFC 3501. */
enum status_att {
	STATUS_MESSAGES = 1,
	STATUS_RECENT = 2,
	STATUS_UIDNEXT = 4,
	STATUS_UIDVALIDITY = 8,
	STATUS_UNSEEN = 16,
	STATUS_DELETED = 32,
	STATUS_SIZE = 64,
	STATUS_HIGHESTMODSEQ = 128,
	STATUS_MAILBOXID = 256,       /* RFC 8474 4.3 */
	STATUS_DELETED_STORAGE = 512, /* RFC 9208 4.1.4 */
	STATUS_APPENDLIMIT = 1024,    /* RFC 7889 3.1 */
};
#define STATUS_LAST STATUS_APPENDLIMIT
/* "(" status-att *(SP status-att) ")" */
bool grammar_status_atts(struct scan *s, unsigned *ret);
/* The name of one bit. */
const char *grammar_status_att_name(unsigned bit);

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-")               RFC 8474 7 */
bool grammar_object_id(struct scan *s, struct str *ret);
/* Identifiers as clients see them: the letter keeps the kinds apart (RFC 8474 5.2). */
void grammar_add_mailbox_id(struct buf *out, uint64_t mailbox);
void grammar_add_email_id(struct buf *out, uint64_t entry_id);
/* The entry's id of an EMAILID as written above; 0: it is none of ours. */
uint64_t grammar_email_id(struct str id);

/* use-attr = "\All" / "\Archive" / … as enum special_use, 0: unknown.   RFC 6154 6 */
uint16_t grammar_special_use(struct str name);
/* The attribute's name of one bit. */
const char *grammar_special_use_name(uint16_t bit);

#endif
