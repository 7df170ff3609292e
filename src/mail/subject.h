/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sorting and threading take from header fields: the base subject (RFC 5256 2.1) and message
 * ids in one spelling (RFC 5256 3, REFERENCES). Pure and linear.
 *
 * uses: base, mail/encoded; used by: SORT and THREAD of imap
 */
#ifndef CULVER_MAIL_SUBJECT_H
#define CULVER_MAIL_SUBJECT_H

#include "base/buf.h"
#include "base/str.h"

/* Adds the base subject of a Subject field's unfolded value, in UTF-8 on one line, to out.
 * ret_reply: something was removed that makes it a reply or forward. False: out is full. Output is
 * at most 3 times the input, plus 16. */
bool mail_base_subject(struct str value, struct buf *out, bool *ret_reply);

/* The next message id of an unfolded value ("<a@b> <c@d>"), without brackets, quotes, blanks and
 * comments, put into out (emptied first); *value goes on behind it. What is no message id is passed
 * over. False: there is none left, or it does not fit. */
bool mail_reference_next(struct str *value, struct buf *out);

#endif
