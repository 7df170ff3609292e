/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SASLprep (RFC 4013): one spelling for user names and passwords before they are hashed.
 *
 * uses: base, ICU; used by: auth
 */
#ifndef CULVER_AUTH_SASLPREP_H
#define CULVER_AUTH_SASLPREP_H

#include "base/buf.h"

/* Appends the prepared form of UTF-8 text, unassigned code points allowed (a query string,
 * RFC 3454 7). False and nothing added: not UTF-8, prohibited characters (controls and the like),
 * mixed directions, nothing left, or no room. */
bool saslprep(struct str text, struct buf *out) MUST_CHECK;

#endif
