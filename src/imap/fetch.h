/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FETCH at work: cmd_fetch.c has the command and what the view knows, fetch_stream.c what digests
 * know, fetch_bytes.c what needs bytes.
 *
 * Messages go by in batches. Two cursors walk the same road over the batch's messages and items:
 * `ahead` asks for bytes, `here` writes them; so what arrives is always what is written next. To
 * find a part is to walk over those before it: after so much of that others have their turn.
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

/* Digests of one question: at first, and as many as it takes. */
#define STREAM_FIRST 1000
#define STREAM_MAX   4000

/* Digests that stream by: which were asked for, and what of them came. */
struct stream {
	struct {
		uint32_t sequence, range;
	} asked[STREAM_MAX];
	size_t n, came;
	size_t most;             /* that the next question is for */
	struct buf piece;        /* of one that comes in pieces */
	struct vec missing;      /* struct api_range: numbers of those that have none */
	struct sheet *sheets[3]; /* of ENVELOPE, BODY, BODYSTRUCTURE; good for one step */
};

struct fetch_work {
	struct fetch_attrs attrs;
	struct vec sequence; /* struct api_range */
	size_t range;
	uint32_t next; /* sequence number, in sequence[range] */
	struct fetch_modifiers modifiers;
	struct vanished vanished;
	struct stream stream;
	struct batch batch;
	struct cursor here, ahead;
	uint64_t worked; /* since others had their turn, of LIMIT_IMAP_FETCH_WORK */
	size_t without;  /* so many first items of the next message need no bytes */
	bool said;       /* of the present message something is written */
	struct mail_parser *parser;
	struct sending sending;
	struct vec seen; /* struct api_range: UIDs that become \Seen */
	enum err_kind worst;
	bool unknown_cte;
};

/* What messages were asked for is walked through once: the next one, or 0. */
uint32_t fetch_next(const struct imap *s, struct fetch_work *f);
/* The beginning of a message's response. */
void fetch_open(struct imap *s, uint32_t sequence);
/* All was said. */
void fetch_end(struct imap *s);
/* The steps that messages without bytes, and others, go by in. */
void fetch_stream_step(struct imap *s);
void fetch_batch_step(struct imap *s);

enum progress { GO_ON, MUST_WAIT, GIVE_UP };

/* The next piece of work at f->here. MUST_WAIT: a piece will wake `step`. GIVE_UP: the command or
 * the connection has ended. */
enum progress fetch_message_step(struct imap *s, struct fetch_work *f, imap_step *step);
/* Writes the value, which stands behind its name, of an item that needs no bytes. */
void fetch_write_value(
	struct imap *s, const struct fetch_work *f, const struct message *m, size_t item);
/* The message's response is complete. */
void fetch_message_done(struct imap *s, struct fetch_work *f, const struct message *m);

#endif
