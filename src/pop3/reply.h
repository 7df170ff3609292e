/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What POP3 says when something fails: "-ERR [CODE] sentence". RFC 2449 8, RFC 3206.
 *
 * uses: base; used by: the rest of pop3
 */
#ifndef CULVER_POP3_REPLY_H
#define CULVER_POP3_REPLY_H

#include "base/buf.h"
#include "base/err.h"

/* Adds the line for a kind. text: a sentence for the client, or empty: the kind's own. */
void pop3_reply_failed(struct buf *out, enum err_kind kind, struct str text);

#endif
