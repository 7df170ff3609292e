/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says of itself (ID, RFC 2971), and what is hidden from it for that.
 *
 * A client is meant by a pattern: NAME, or NAME/VERSION behind the last "/", of the two fields of
 * its ID. "*" stands for any text, letters compare without case. Who has not said its name, or an
 * overlong one, is no client that is meant.
 *
 * uses: base; used by: cmd_any
 */
#ifndef CULVER_IMAP_CLIENTS_H
#define CULVER_IMAP_CLIENTS_H

#include "base/limits.h"
#include "base/str.h"

struct imap_id {
	char name[LIMIT_IMAP_ID_BYTES + 1], version[LIMIT_IMAP_ID_BYTES + 1];
};

/* A field of ID; what is too long is forgotten, and so is what was said before. */
void imap_id_set(struct imap_id *id, struct str field, struct str value);
bool imap_id_is(const struct imap_id *id, struct str pattern);
/* Whether clients of that name are known to trip over it: the table of clients.c. */
bool imap_id_trips(const struct imap_id *id, struct str capability);

#endif
