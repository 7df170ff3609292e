/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A search over the selected mailbox, for SEARCH, SORT and THREAD. The program stands in search.h;
 * here its stages are fed: entries at once; then, if bytes are searched for, the store says what
 * the signatures of the next thousands hold; then a batch of messages that are still open gets its
 * digests, then what is open even so is read, several messages in flight. Who is read and had no
 * signature gets one. However many keys and messages there are, others have their turn between.
 *
 *     search_run_init(&w);
 *     if (search_parse(…, &w.search, &err) < 0) { search_refuse(s, &w.search, &err); return; }
 *     search_run_begin(s, &w, found, end);     found(s, n) in ascending order, then the step `end`
 *     search_run_done(&w);
 */
#ifndef CULVER_IMAP_SEARCH_RUN_H
#define CULVER_IMAP_SEARCH_RUN_H

#include "imap/batch.h"
#include "imap/search.h"

struct mail_parser;

/* Where a message of the batch stands. */
enum search_stage { STAGE_DIGEST, STAGE_PARSE, STAGE_BYTES, STAGE_NO, STAGE_YES };

struct open_message {
	enum search_stage stage;
	uint8_t held; /* by its signature: search.h */
	bool asked;   /* a read is on its way */
	uint64_t at;
	struct mail_parser *parser;
	struct search_bytes *bytes;
};

struct search_run {
	struct search search;
	enum err_kind worst; /* at the end: why not all was looked at */
	bool damaged; /* a message can't be read: it does not match, and the client is told */
	bool (*found)(struct imap *, uint32_t sequence);
	imap_step *end;
	uint32_t next;     /* sequence number */
	uint64_t worked;   /* in this turn, of LIMIT_IMAP_SEARCH_WORK */
	size_t opened;     /* of the batch: their digests were looked at */
	struct vec window; /* struct windowed: those whose signatures were asked for */
	size_t looked;     /* of the window */
	size_t told;       /* of it: the store has said */
	struct batch batch;
	struct open_message open[BATCH_MAX];
	struct vec candidates; /* struct candidate, in order */
};

void search_run_init(struct search_run *w);
void search_run_done(struct search_run *w);
/* Looks at all messages; found is false when it is too much (ERR_LIMIT). Until `end` runs,
 * cmd.busy. */
void search_run_begin(struct imap *s, struct search_run *w,
	bool (*found)(struct imap *, uint32_t sequence), imap_step *end);
/* Finishes the command with what search_parse or search_begin had against it. */
void search_refuse(struct imap *s, const struct search *search, const struct err *err);

/* cmd.unavailable of SEARCH and SORT, which have not begun: they are refused, so a SAVE empties
 * "$". */
void search_unavailable(struct imap *s);

#endif
