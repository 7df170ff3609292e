/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FETCH at work: cmd_fetch.c has the command and what needs no bytes, fetch_bytes.c what does.
 *
 * Messages go by in batches. Two cursors walk the same road over the batch's messages and items:
 * `ahead` asks for bytes, `here` writes them; so what arrives is always what is written next.
 */
#ifndef CULVER_IMAP_FETCH_H
#define CULVER_IMAP_FETCH_H

#include "imap/batch.h"
#include "imap/fetch_attr.h"
#include "imap/fetch_write.h"
#include "imap/vanished.h"
#include "mail/mime.h"

/* What item's bytes go through. */
enum how { HOW_SLICE, HOW_FILTER, HOW_DECODE };

struct cursor {
	size_t message,
		item; /* item 0: parsing, when the digest is missing; then attrs.items[n-1] */
	uint64_t at;  /* of the extent */
};

/* Which of a message's bytes an item needs. */
struct extent {
	uint64_t offset, length; /* 0: none */
	bool found;              /* there is such a part */
	bool unknown;            /* its encoding cannot be undone */
	enum how how;
	struct section_place place;
};

/* The item being written. */
struct sending {
	bool open, resend;
	struct extent extent;
	uint64_t got;      /* of the extent */
	uint64_t total;    /* what it became so far */
	uint64_t from, to; /* what of that is wanted: <partial> */
	bool nul;          /* there is one in it */
	struct buf hold;   /* the wanted, as long as it fits */
	struct buf scratch;
	struct section_filter filter;
	struct mail_decoder decoder;
};

struct fetch_work {
	struct fetch_attrs attrs;
	struct vec sequence; /* struct api_range */
	size_t range;
	uint32_t next; /* sequence number, in sequence[range] */
	struct fetch_modifiers modifiers;
	struct vanished vanished;
	struct batch batch;
	struct cursor here, ahead;
	bool spaced; /* the space before the present item is written */
	struct mail_parser *parser;
	struct sending sending;
	struct vec seen; /* struct api_range: UIDs that become \Seen */
	enum err_kind worst;
	bool unknown_cte;
};

enum progress { GO_ON, MUST_WAIT, GIVE_UP };

/* The next piece of work at f->here. MUST_WAIT: a piece will wake `step`. GIVE_UP: the command or
 * the connection has ended. */
enum progress fetch_message_step(struct imap *s, struct fetch_work *f, imap_step *step);
/* Writes an item that needs no bytes. */
void fetch_write_simple(
	struct imap *s, const struct fetch_work *f, const struct message *m, size_t item);
/* The message's response is complete. */
void fetch_message_done(struct imap *s, struct fetch_work *f, const struct message *m);

#endif
