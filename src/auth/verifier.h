/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifiers: what is kept of a password. crypt(3) strings as libxcrypt makes and checks them:
 * yescrypt for new ones; the common schemes of other systems ($2b$, $6$, $5$, $7$, $gy$, $argon2
 * not) are accepted, so that accounts can be brought along. DES and MD5 are not.
 *
 * uses: base; used by: process/gate
 */
#ifndef CULVER_AUTH_VERIFIER_H
#define CULVER_AUTH_VERIFIER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/seams.h"

/* Makes a yescrypt verifier of the prepared password (saslprep.h) with the library's standard cost.
 * -1: the password is empty, longer than LIMIT_PASSWORD_BYTES, holds NUL or is no UTF-8
 * (ERR_SYNTAX); there is no memory (ERR_TEMP). */
int verifier_make(struct random_seam *, struct str password, struct buf *ret, struct err *err);
/* Whether the password is the verifier's, as SASLprep has it or as it is. One that could not be
 * made a verifier of is nobody's, whichever protocol brings it. Takes tens of milliseconds by
 * intent. For a verifier that is empty or not known it takes as long as for a fresh one, and says
 * no. */
enum verdict { VERDICT_WRONG, VERDICT_RIGHT, VERDICT_NO_MEMORY };
enum verdict verifier_check(struct str verifier, struct str password) MUST_CHECK;
/* Whether the scheme is one we accept, and its parameters are such that a try costs no more than
 * about a second (LIMIT_VERIFIER_…): who keeps the store may have written them. */
bool verifier_known(struct str verifier);

#endif
