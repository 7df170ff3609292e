/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another provider's IMAP server, from which an account is imported: its mailboxes, its messages,
 * and what must be true of what has come of them (source.c). It is a small one, and right; but it
 * may be slow, say NO, or end a session. Who imports is in client_import.c.
 */
#ifndef CULVER_SIM_SOURCE_H
#define CULVER_SIM_SOURCE_H

#include "sim.h"

#define SOURCE_HOST "imap.elsewhere.example"
#define SOURCE_NEAR "near.example" /* that the machine knows of itself */

/* The door is open from now on, and some mail is there. */
void source_begin(void);
/* A connection to it, as loop_sim_connect has it. */
int source_connect(void);
/* More mail comes to it. */
void source_grow(size_t n);
size_t source_messages(void); /* in all of its mailboxes */

/* In some runs mail is delivered to the account, too: then INBOX has UIDs of its own, and what is
 * in it is known by its bytes. */
bool source_shares_inbox(void);

/* An import begins; what is there now is to be in the account when it has come to a good end. */
void source_import_begin(void);
/* Whether all of it was done; told: something was left out, and that was said. */
void source_import_end(bool done, bool told);

#endif
