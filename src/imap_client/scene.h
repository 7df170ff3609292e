/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a made-up server's words, for tests and the fuzz target: what the client sends and
 * tells is kept as text. */
#ifndef CULVER_IMAP_CLIENT_SCENE_H
#define CULVER_IMAP_CLIENT_SCENE_H

#include "imap_client/client.h"

struct scene {
	struct imap_client *client;
	struct buf sent, told; /* since they were looked at */
	enum imap_client_event last;
	size_t step; /* bytes that the client gets at once; 0: all */
	bool secure; /* START_TLS is followed at once */
};

static inline void scene_begin(struct scene *s, const struct imap_client_options *o, size_t step)
{
	*s = (struct scene){ .client = imap_client_new(o), .step = step, .secure = true };
	buf_init(&s->sent, 1 << 20);
	buf_init(&s->told, 8 << 20);
}

static inline void scene_end(struct scene *s)
{
	imap_client_free(&s->client);
	buf_done(&s->sent);
	buf_done(&s->told);
}

static inline void scene_tell_entry(struct scene *s, const char *what)
{
	const struct imap_client_entry *e = imap_client_entry(s->client);
	buf_addf(&s->told, "%s %u %llu %lld %u (%" STR_FMT ")%s\n", what, e->uid,
		(unsigned long long)e->size, e->has_time ? (long long)e->time_ms / 1000 : -1,
		e->flags, STR_ARG(e->keywords), e->too_big ? " too big" : "");
}

static inline void scene_tell(struct scene *s)
{
	struct str bytes = imap_client_bytes(s->client);
	switch (s->last) {
	case IMAP_CLIENT_MORE:
		break;
	case IMAP_CLIENT_START_TLS:
		buf_addz(&s->told, "tls\n");
		if (s->secure)
			imap_client_secured(s->client);
		break;
	case IMAP_CLIENT_READY:
		buf_addz(&s->told, "ready\n");
		break;
	case IMAP_CLIENT_REFUSED:
	case IMAP_CLIENT_FAILED:
		buf_addf(&s->told, "%s: %s\n", s->last == IMAP_CLIENT_FAILED ? "failed" : "refused",
			imap_client_error(s->client)->public_text);
		break;
	case IMAP_CLIENT_ENTRY:
		scene_tell_entry(s, "entry");
		break;
	case IMAP_CLIENT_BYTES:
		buf_adds(&s->told, bytes);
		break;
	case IMAP_CLIENT_MESSAGE:
		buf_adds(&s->told, bytes);
		scene_tell_entry(s, "\nmessage");
		break;
	}
}

static inline void scene_say(struct scene *s, struct str words)
{
	while (words.n && s->last != IMAP_CLIENT_FAILED) {
		size_t n = s->step && s->step < words.n ? s->step : words.n;
		size_t taken = imap_client_input(s->client, str_sub(words, 0, n), &s->last);
		scene_tell(s);
		struct buf *out = imap_client_out(s->client);
		buf_adds(&s->sent, buf_str(out));
		buf_consume(out, out->n);
		words = str_from_offset(words, taken);
	}
}

#endif
