/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The selected mailbox: opening its view, fetching its news, telling them, and opening all of it
 * again when the store was replaced.
 */
#ifndef CULVER_IMAP_SELECTED_H
#define CULVER_IMAP_SELECTED_H

#include "imap/imap_private.h"

void selected_init(struct imap *s);
/* Nothing is selected any more: the store is told, the view is freed. Says nothing. */
void selected_leave(struct imap *s);
/* Opens the view of a mailbox and watches it. bare: without its entries, for which a promise is
 * made: how many there are, and to what modseq. opened gets the last frame, or the failed one; on
 * failure nothing is selected. */
void selected_open(struct imap *s, struct str name, bool read_only, bool bare, imap_answer *opened);
/* Gives back what SORT and THREAD have seen, and the entries if the client knows all that they say;
 * they are loaded again when needed. */
void selected_rest(struct imap *s);
/* Runs `then` with the view's entries there. A command that can't have them is finished with NO. */
void selected_load(struct imap *s, imap_step *then);
/* Fetches what is new since sel.modseq if there may be something, then runs `after`. A store that
 * is away leaves the news for later. */
void selected_refresh(struct imap *s, imap_step *after);
/* This session's STORE is done, as sel.own says, to a mailbox that was at the modseq `before`: a
 * view that is at that takes it in. Any other is stale. */
void selected_store(struct imap *s, uint64_t before);
/* Tells what may be told; false: there is no room, call again. */
bool selected_tell(struct imap *s, bool expunge);
/* Before each tagged reply, and before the mailbox is left: the client takes the highest MODSEQ
 * that it has heard for what it may resynchronise from, unless it hears another. Where changes
 * below that are not told, be it that expunges wait, that NOTIFY does not ask for them or that the
 * store is away, it hears of the highest up to which all was. RFC 7162 3.2, 6 */
void selected_say_told(struct imap *s);
/* The store was replaced: opens session and view again, then runs `after` (may be NULL). When that
 * does not work a running command gets NO [UNAVAILABLE]. */
void selected_reopen(struct imap *s, imap_step *after);
/* "* FLAGS" and, for SELECT, PERMANENTFLAGS. */
void selected_write_flags(struct imap *s, bool permanent);

#endif
