/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexical ground that all structured fields share: blanks, folding, comments, quoted strings
 * (RFC 5322 3.2). For mail/ alone. Everything here is iterative and total: what is not closed runs
 * to the end of the text and is reported as malformed.
 */
#ifndef CULVER_MAIL_CFWS_H
#define CULVER_MAIL_CFWS_H

#include "base/buf.h"
#include "base/scan.h"

/* What was passed over. */
struct cfws {
	bool any;           /* anything at all */
	bool malformed;     /* an open comment, or one deeper than LIMIT_COMMENT_DEPTH */
	struct str comment; /* inside of the last outermost comment; p == NULL: none */
};

/* [CFWS]                                       RFC 5322 3.2.2 */
struct cfws cfws_skip(struct scan *s);
/* A quoted-string at the cursor (which is at its DQUOTE): gives its inside, backslashes and line
 * ends as they stand. False: it was not closed, and *ret_inside runs to the end. */
bool quoted_scan(struct scan *s, struct str *ret_inside);
/* Adds the inside of a quoted-string or comment without backslashes of quoted-pairs and without
 * line ends. */
bool quoted_add(struct buf *out, struct str inside);

#endif
