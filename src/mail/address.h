/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: the lists in From, To, Cc, … (RFC 5322 3.4 and 4.4, UTF-8 by RFC 6532), and the one
 * normal form of a mailbox address that smtp, gate and store compare.
 *
 * The list parser is total: it always gives an answer, and says when it had to skip something. It
 * is iterative and linear; comments nest to LIMIT_COMMENT_DEPTH, and at most LIMIT_ADDRESSES
 * entries are kept (hostile-input M1, M10). Encoded words are not decoded (RFC 2047 5: never in an
 * address; in names it is for display, mail/encoded.h).
 *
 *     struct mail_addresses list;
 *     mail_addresses_parse(arena, value, &list);
 *     if (list.malformed || list.mailboxes != 1) … refuse
 *
 * uses: base, ICU (IDNA); used by: imap (ENVELOPE, SEARCH), smtp (From, paths), store, gate
 */
#ifndef CULVER_MAIL_ADDRESS_H
#define CULVER_MAIL_ADDRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum mail_address_kind {
	MAIL_ADDRESS_MAILBOX,
	MAIL_ADDRESS_GROUP_START, /* name: the group's */
	MAIL_ADDRESS_GROUP_END,
};

/* A part that is absent has p == NULL (IMAP's NIL). */
struct mail_address {
	enum mail_address_kind kind;
	struct str name;   /* display name, quotes and backslashes removed, blanks collapsed,
			      encoded words as they stand; of a bare address its last comment */
	struct str route;  /* "@a,@b" of an obsolete route (RFC 5322 4.4) */
	struct str local;  /* local part, quotes and backslashes removed */
	struct str domain; /* as written, comments and blanks removed; present and empty for a word
			      without "@" */
};

struct mail_addresses {
	struct mail_address *v;
	size_t n;         /* entries, group marks included */
	size_t mailboxes; /* entries that are mailboxes */
	bool malformed;   /* something did not follow the grammar and was skipped or guessed */
	bool truncated;   /* more than LIMIT_ADDRESSES entries, or the arena was full */
};

/* Parses an address-list (a mailbox-list and a single mailbox are ones too). value: a field's
 * value, folded or not. The result lives in the arena. */
void mail_addresses_parse(struct arena *a, struct str value, struct mail_addresses *ret);

/* Most fields are one address without anything to take apart: "local@domain", "<local@domain>" or
 * "Words and more <local@domain>", of atoms with single blanks between. False: it may be anything
 * else. What is found is what mail_addresses_parse finds, borrowed from the value. */
bool mail_address_simple(struct str value, struct mail_address *ret);

/* Removes comments and folding from a value that is a list of words (Message-ID, References,
 * Content-Transfer-Encoding): each outermost comment becomes one blank. False: out is full. */
bool mail_strip_comments(struct str value, struct buf *out);
/* The next msg-id ("<" … ">", brackets included) in *rest, which moves on. RFC 5322 3.6.4 */
bool mail_message_id_next(struct str *rest, struct str *ret);

/* A domain name fit for mail: LDH labels of 1-63 bytes, none beginning or ending with "-", 255 in
 * all (RFC 5321 4.1.2, RFC 1035 2.3.1), or U-labels that IDNA accepts (RFC 6531 3.3). One label
 * suffices ("localhost"). No address literal. */
bool mail_domain_valid(struct str domain);
/* A domain that somebody can have: as above, but at most 253 bytes (RFC 1035 3.1: 255 with the
 * labels' lengths), what begins with "xn--" is an A-label (RFC 5890 2.3.2.1), not just any text
 * that looks like one, and the last label is no number, as in an IP address (RFC 1123 2.1). What
 * others' domains are is theirs to know; this is for ours. */
bool mail_domain_can_be_ours(struct str domain);
/* "[192.0.2.1]" or "[IPv6:2001:db8::1]". RFC 5321 4.1.3 */
bool mail_address_literal_valid(struct str domain);
/* The domain's normal form is added: ASCII lower case, U-labels as A-labels (UTS 46,
 * nontransitional); literals in lower case. False and nothing added when it is neither. */
bool mail_domain_normalize(struct str domain, struct buf *out);

/* Local-part = Dot-string / Quoted-string      RFC 5321 4.1.2, RFC 6531 3.3
 * The bytes it stands for are added, without quotes and backslashes. False and nothing added when
 * it is not one, is above LIMIT_LOCAL_PART_BYTES, or holds a control character. */
bool mail_local_part_decode(struct str local, struct buf *out);
/* The reverse: bytes as a Dot-string where possible, otherwise as a Quoted-string. */
bool mail_local_part_encode(struct str bytes, struct buf *out);

/* Mailbox = Local-part "@" ( Domain / address-literal )      RFC 5321 4.1.2
 * Adds the normal form: local part unquoted where possible (its case kept), domain as
 * mail_domain_normalize makes it. Two addresses are the same for Culver when these are the same,
 * or differ in the ASCII case of the local part alone. False and nothing added otherwise. */
bool mail_address_normalize(struct str address, struct buf *out);
/* Splits at the last "@" outside quotes. False when there is none. */
bool mail_address_split(struct str address, struct str *ret_local, struct str *ret_domain);

#endif
