/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a message while it streams by: on every service its Received fields are counted;
 * on submission (RFC 6409) Bcc and Resent-Bcc are dropped, a missing Date and Message-ID are added
 * at the header's end, and the fields that say who writes (From, Sender, Resent-From,
 * Resent-Sender) are kept for the check of who may.
 *
 * No other byte is changed. On port 25 nothing is: what is malformed there is delivered as it came
 * (mail/mime.h reads everything), but for a message whose first line would continue a field: our
 * own Received field stands in front of it, so an empty line does, too.
 *
 * uses: base, mail/header; used by: smtp/receive.c
 */
#ifndef CULVER_SMTP_SUBMIT_H
#define CULVER_SMTP_SUBMIT_H

#include "base/buf.h"
#include "mail/header.h"

struct smtp_header {
	bool submission;
	struct mail_splitter splitter;
	bool in_body; /* the header has ended */
	bool any_field, dropping, in_author;
	bool ends_with_lf;
	bool broken;     /* submission: a line in the header that is no field */
	size_t received; /* Received fields */
	size_t from_fields, sender_fields, dates, message_ids;
	struct buf authors; /* submission: the fields that say who writes, as they came */
	struct str added; /* "Date: …" CRLF and "Message-ID: …" CRLF, for when they are missing */
	size_t added_date_n; /* bytes of the first of them */
	/* Takes bytes of the message as it is to be kept. */
	void (*emit)(void *arg, struct str bytes);
	void *arg;
};

/* added: two whole fields, Date and Message-ID; date_n bytes are the first. Both must last as long
 * as the struct; empty when not submission. */
void smtp_header_init(struct smtp_header *, bool submission, struct str added, size_t date_n,
	void (*emit)(void *arg, struct str bytes), void *arg);
void smtp_header_done(struct smtp_header *);
void smtp_header_input(struct smtp_header *, struct str bytes);
/* After the last byte of the message. */
void smtp_header_end(struct smtp_header *);

#endif
