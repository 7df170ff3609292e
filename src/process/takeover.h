/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a supervisor leaves to the image that replaces it: sockets, processes, keys, as lines of
 * text in a sealed memfd that only the two of them have. Text, since the two may be of different
 * versions: a reader refuses a line that it doesn't know, and a number that it can't hold, so an
 * image that can't take over says so before it does (`culver takeover-check`), and one that can
 * proves that it has read the text.
 *
 *     struct takeover t;
 *     takeover_init(&t);
 *     if (takeover_read(text, &t, &err)) return -1;
 *     ...
 *     takeover_done(&t);
 *
 * uses: base, auth/mac, io/channel; used by: process, cli
 */
#ifndef CULVER_PROCESS_TAKEOVER_H
#define CULVER_PROCESS_TAKEOVER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "io/channel.h"

enum { TAKEOVER_KEY_BYTES = 32, TAKEOVER_NAME_BYTES = 16, TAKEOVER_WORD_BYTES = 96 };

struct takeover_listener {
	char service[TAKEOVER_NAME_BYTES + 1];
	int handle;
};

struct takeover_child {
	char role[TAKEOVER_NAME_BYTES + 1];
	int process;
	uint32_t instance, generation;
	bool up; /* it has said `started` */
	int64_t started_ms;
	int log;
	struct channel_rest control; /* at rest, with its handle */
};

struct takeover {
	uint8_t ticket_key[TAKEOVER_KEY_BYTES]; /* of the gate's tickets */
	uint8_t tls_secret[TAKEOVER_KEY_BYTES]; /* of TLS session tickets */
	uint32_t last_instance, generation;
	uint32_t schema; /* of the store's ledger */
	bool distrust;
	int lock, control;    /* handles */
	struct vec listeners; /* struct takeover_listener */
	struct vec children;  /* struct takeover_child */
};

void takeover_init(struct takeover *);
/* Wipes the keys; closes nothing. */
void takeover_done(struct takeover *);
/* False: it does not fit, and out is not to be used. */
bool takeover_write(const struct takeover *, struct buf *out) MUST_CHECK;
/* What a program answers that has read such a text and can take over: the form that it knows, and a
 * MAC of the text. Of a program that is not this one only its end would be seen, and /bin/true ends
 * well. False: OpenSSL has no memory. */
bool takeover_word(struct str text, char ret[TAKEOVER_WORD_BYTES]) MUST_CHECK;
/* Into one that is initialized. ERR_UNSUPPORTED: what, in words. */
int takeover_read(struct str text, struct takeover *, struct err *err);

#endif
