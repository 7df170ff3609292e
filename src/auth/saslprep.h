/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SASLprep (RFC 4013): one spelling for user names and passwords before they are hashed.
 *
 * uses: base, ICU; used by: auth, process/gate
 */
#ifndef CULVER_AUTH_SASLPREP_H
#define CULVER_AUTH_SASLPREP_H

#include "base/buf.h"

/* Appends the prepared form of UTF-8 text, unassigned code points allowed (a query string,
 * RFC 3454 7). False and nothing added: not UTF-8, prohibited characters (controls and the like),
 * mixed directions, nothing left, or no room. */
bool saslprep(struct str text, struct buf *out) MUST_CHECK;

/* What is hashed or sealed of a password, whichever way it is shown: its prepared form, so that one
 * spelling is as good as another (RFC 4616 2, RFC 5802 2.2, RFC 6856 2.2). One that has none (a
 * control is in it) is itself: it was good when it was set. */
void saslprep_password(struct str password, struct buf *ret);
void saslprep_password_done(struct buf *);

#endif
