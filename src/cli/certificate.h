/* SPDX-License-Identifier: Apache-2.0 */
/* A key and a certificate of our own making, for a server that has none yet. Used by: cli */
#ifndef CULVER_CLI_CERTIFICATE_H
#define CULVER_CLI_CERTIFICATE_H

#include "base/buf.h"
#include "base/err.h"

/* ECDSA P-256; names (NULL at the end) as subjectAltName, an IP address as such. Good for ten
 * years, from yesterday, and as its own authority, so that a client can be given it to trust. Both
 * as PEM. */
int certificate_make(const char *const names[], struct buf *ret_key, struct buf *ret_certificate,
	struct err *err);

#endif
