/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was expunged before this session's view: VANISHED (EARLIER), of SELECT (QRESYNC …) and UID
 * FETCH (CHANGEDSINCE … VANISHED). RFC 7162 3.2.5, 3.2.6, 3.2.10.1.
 *
 *     vanished_init(&w->vanished);
 *     …
 *     vanished_say(s, &w->vanished, then);     asks the store, says it, goes on with the step
 * `then` … vanished_done(&w->vanished);             with the command's work
 */
#ifndef CULVER_IMAP_VANISHED_H
#define CULVER_IMAP_VANISHED_H

#include "imap/imap_private.h"
#include "imap/seqset.h"

struct vanished {
	uint64_t since;      /* modseq: what went later is said */
	struct seqset known; /* UIDs that the client asks about, resolved; has_known false: all */
	bool has_known;
	uint32_t above;  /* only UIDs above this one */
	struct vec uids; /* struct api_range: what is to be said */
	size_t at;       /* of uids: said so far */
	imap_step *then;
};

void vanished_init(struct vanished *v);
void vanished_done(struct vanished *v);
/* One of a session at a time: `v` is found again by the session's pointer to it. */
void vanished_say(struct imap *s, struct vanished *v, imap_step *then);

/* What of the client's sample of numbers and UIDs still holds: the highest UID up to which it knows
 * every expunge, or 0. False: the sets are not of one length.            RFC 7162 3.2.5.2 */
bool vanished_match(const struct view *v, const struct seqset *numbers, const struct seqset *uids,
	uint32_t *ret_above);

#endif
