/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMTP's grammar: text to structs, one function for a production. Pure; no state. Functions that
 * take a cursor follow base/scan.h: they take what they are named after, or leave it untouched.
 * Everything is linear in its input, and what comes out borrows from it.
 *
 * uses: base; used by: smtp/cmd_*.c
 */
#ifndef CULVER_SMTP_GRAMMAR_H
#define CULVER_SMTP_GRAMMAR_H

#include "base/buf.h"
#include "base/scan.h"

/* A path: where mail comes from or goes to.   RFC 5321 4.1.2 */
struct smtp_path {
	struct str mailbox; /* Local-part "@" Domain as written; empty: the null reverse-path.
			     * A source route is checked and dropped (RFC 5321 F.2). */
	struct str local;   /* as written, quotes and all */
	struct str domain;  /* a domain or an address literal; empty: <Postmaster> */
	bool utf8;          /* holds bytes beyond ASCII: SMTPUTF8 is needed, RFC 6531 3.2 */
};

/* Reverse-path = Path / "<>" */
bool smtp_reverse_path(struct scan *, struct smtp_path *ret);
/* Forward-path = Path, or "<Postmaster>" in any case of letters   RFC 5321 4.1.1.3 */
bool smtp_forward_path(struct scan *, struct smtp_path *ret);
/* Mailbox = Local-part "@" ( Domain / address-literal ), the whole text and nothing else */
bool smtp_mailbox(struct str text, struct smtp_path *ret);

/* esmtp-param = esmtp-keyword ["=" esmtp-value] */
struct smtp_param {
	struct str keyword;
	struct str value; /* p is NULL when there was no "=" */
};
/* *(SP esmtp-param) up to the end of the text. -1: not that, or more than max; else how many. */
int smtp_params(struct scan *, struct smtp_param *ret, size_t max);

/* size-value = 1*20DIGIT   RFC 1870 3. What no 64 bits hold is UINT64_MAX. */
bool smtp_size_value(struct str, uint64_t *ret);
/* xtext = *( xchar / hexchar )   RFC 3461 4. Adds what it stands for; false when it is not xtext,
 * stands for a control character, or does not fit. */
bool smtp_xtext(struct str, struct buf *ret);
/* bdat-cmd's arguments: chunk-size [ SP "LAST" ]   RFC 3030 2. Sizes have no leading zeros and fit
 * into 63 bits (hostile-input S25). */
bool smtp_chunk_args(struct str, uint64_t *ret_size, bool *ret_last);
/* What EHLO and HELO may give: a domain (with "_" tolerated, as hosts have it) or an address
 * literal. */
bool smtp_hello_name(struct str);

/* Whether a domain is the address literal of this address, however that is written.
 * RFC 5321 4.1.3 */
bool smtp_literal_is(struct str domain, struct str address);

/* verb [ SP arguments ], blanks at the end dropped (RFC 5321 4.1.1 wants them tolerated). */
void smtp_verb(struct str line, struct str *ret_verb, struct str *ret_args);

/* "FROM:" or "TO:", and one blank behind it. RFC 5321 3.3 permits none; scanners, scripts and old
 * clients send one, and it is harmless. */
bool smtp_path_keyword(struct scan *s, struct str keyword);

#endif
