/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IMAP4rev2 (RFC 9051) and IMAP4rev1 (RFC 3501) together, as a session without I/O (api/session.h).
 *
 *     wire.c      bytes to commands, bounded               grammar.c  their common arguments
 *     session.c   states, the command table                 turns.c    when what happens
 *     selected.c  the selected mailbox and its news         reply.c    every status response
 *     batch.c, reads.c  digests and bytes on their way      cmd_*.c    one group of verbs each
 *     search_run.c      a search at work                    gather.c   digests of many messages
 *     append.h          APPEND and CATENATE at work         notify.h   news without a command
 *
 * One command runs at a time; what comes later waits in the stream, which settles every ambiguity
 * of RFC 9051 5.5. A command is a chain of steps: a step writes something and names the next, or
 * asks store or gate and names who takes the answer. Output beyond what the host has room for
 * stops the chain until resume(). Before the tagged reply of every command the selected mailbox's
 * news is fetched and told, so a session sees its own changes and everybody else's the same way.
 *
 * A deviation, chosen: a mailbox deleted by another session ends this one with BYE.
 *
 * \Recent and RECENT (RFC 3501 2.3.2) are for who has not said ENABLE IMAP4rev2: of each message
 * the store tells one session alone that it is new (store/recent.c), and the view remembers that.
 *
 * uses: base, mail, auth/sasl.h, api; used by: process/front.c, process/preflight.c, tests
 */
#ifndef CULVER_IMAP_IMAP_H
#define CULVER_IMAP_IMAP_H

#include "api/session.h"

extern const struct session_class imap_session_class;

/* Whether a word of imap_hide (man/culver.conf.5) ends in a capability that can be hidden. */
bool imap_may_hide(struct str word);

#endif
