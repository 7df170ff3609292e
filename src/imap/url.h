/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs of messages and their parts in this account (RFC 5092), as CATENATE takes them.
 *
 *     /Drafts;UIDVALIDITY=385759045/;UID=20/;SECTION=1.MIME/;PARTIAL=0.1024
 *     ;UID=20                     of the selected mailbox, which the base URL names
 *
 * RFC 4469 3 takes relative URLs alone: what names a server, a search, a whole mailbox or an
 * authorization is none here. Pure.
 *
 * uses: base, token; used by: catenate.c
 */
#ifndef CULVER_IMAP_URL_H
#define CULVER_IMAP_URL_H

#include "base/arena.h"
#include "base/str.h"

struct imap_url {
	struct str mailbox;   /* UTF-8, not checked as a name; p NULL: the base URL's */
	uint32_t uidvalidity; /* 0: not given */
	uint32_t uid;
	struct str section; /* section-spec, not checked; p NULL: the whole message */
	bool partial;
	uint64_t offset, length; /* of ;PARTIAL=; length 0: to the end. Their sum never overflows */
};

/* The parts are in the arena or in `text`. False: it is no such URL. */
bool imap_url_parse(struct str text, struct arena *a, struct imap_url *ret) MUST_CHECK;

#endif
