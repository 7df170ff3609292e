/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a front has said of messages before: ENVELOPE, BODY and BODYSTRUCTURE as they were written,
 * by mailbox and UID. A message never changes, and UIDVALIDITY tells two mailboxes apart, so what
 * was said once is right for ever. A front writes these from digests, which are claims; what it
 * keeps here is its own words.
 *
 * Sheets are kept up to a sum of bytes; the one that was not used for longest goes.
 *
 *     struct sheet *sheet = answers_sheet(a, account, mailbox, uidvalidity, kind);
 *     if (!sheet_get(sheet, uid, &text)) … write it, then sheet_put(a, sheet, uid, text)
 *
 * uses: base; used by: FETCH of imap, which process/front.c hands it to
 */
#ifndef CULVER_IMAP_ANSWERS_H
#define CULVER_IMAP_ANSWERS_H

#include "base/str.h"

struct answers;
struct sheet;

/* key: random, for the map. */
struct answers *answers_new(const uint8_t key[16], size_t max);
void answers_free(struct answers **a);
/* The sheet for one kind of answer, made if there is none; good until the next answers_sheet but
 * one of the same command's kinds (at most SHEETS_AT_ONCE are in use). */
#define SHEETS_AT_ONCE 3
struct sheet *answers_sheet(
	struct answers *a, uint64_t account, uint64_t mailbox, uint32_t uidvalidity, unsigned kind);
/* Borrowed until the next sheet_put. */
bool sheet_get(struct sheet *sheet, uint32_t uid, struct str *ret);
/* Keeps a copy, if there is room. */
void sheet_put(struct answers *a, struct sheet *sheet, uint32_t uid, struct str text);
/* All that is kept, in bytes. */
size_t answers_bytes(const struct answers *a);

#endif
