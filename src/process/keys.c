// SPDX-License-Identifier: Apache-2.0
/* keys: the one process that reads private keys. It answers sign(key, scheme, digest) and
 * ticket_key(class, hour) and nothing else, at a bounded rate, so that a taken front can have
 * handshakes signed but never has a key. */
#include "api/frames.h"
#include "auth/derive.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/keysign.h"
#include "process/role.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_FILE_BYTES = 32768, HOUR_MS = 3600 * 1000 };

struct keys_client;
struct keys {
	struct role base;
	char directory[1025];
	uint8_t ticket_secret[DERIVE_SECRET_BYTES];
	struct vec keys;    /* struct keysign * */
	struct vec clients; /* struct keys_client * */
	int64_t window_ms;  /* of the rate: this second */
	unsigned signed_now;
};

struct keys_client {
	struct keys *keys;
	struct channel *channel;
	int class; /* of the front at the other end, as the supervisor says */
};

/* ---- signing ---- */

static bool rate_allows(struct keys *k)
{
	struct clock_seam *clock = k->base.context->seams.clock;
	int64_t now = clock->monotonic_ms(clock);
	if (now - k->window_ms >= 1000) {
		k->window_ms = now;
		k->signed_now = 0;
	}
	return k->signed_now++ < LIMIT_SIGNATURES_A_SECOND;
}

static struct keysign *key_named(struct keys *k, struct str id)
{
	VEC_EACH (struct keysign *, key, &k->keys)
		if (str_equal(id, str_from(keysign_id(*key))))
			return *key;
	return NULL;
}

static int sign(struct keys *k, const struct frame_sign *f, struct buf *out, struct err *err)
{
	struct keysign *key = key_named(k, f->key_id);
	if (!rate_allows(k))
		return fail(err, ERR_TEMP, "too many signatures");
	if (key == NULL)
		return fail(err, ERR_NOT_FOUND, "no such key");
	return keysign_sign(key, f->scheme, f->digest, out, err);
}

static bool refuse(struct keys_client *c, uint32_t request, const struct err *err)
{
	struct frame bad = { .type = FRAME_FAILED,
		.failed = { (uint8_t)err->kind, str_from(err->public_text) } };
	return channel_send(c->channel, request, &bad);
}

static bool on_sign(struct keys_client *c, uint32_t request, const struct frame_sign *f)
{
	struct err err = ERR_INIT;
	struct frame good = { .type = FRAME_SIGNATURE };
	AUTO(buf_done)
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	if (sign(c->keys, f, &signature, &err))
		return refuse(c, request, &err);
	good.signature.signature = buf_str(&signature);
	return channel_send(c->channel, request, &good);
}

/* ---- ticket keys: T8 ---- */

/* A front gets those of its own class alone, and of no hour to come: who takes one cannot open what
 * others give out, nor what will be given out once it has been replaced. */
static int derive_ticket_key(
	struct keys_client *c, uint64_t hour, uint8_t ret[LIMIT_TICKET_KEY_BYTES], struct err *err)
{
	struct keys *k = c->keys;
	struct clock_seam *clock = k->base.context->seams.clock;
	uint64_t now = (uint64_t)clock->wall_ms(clock) / HOUR_MS;
	char purpose[80];
	if (hour != now && hour + 1 != now)
		return fail(err, ERR_DENIED, "neither this hour nor the one before");
	if (!rate_allows(k))
		return fail(err, ERR_TEMP, "too many questions");
	snprintf(purpose, sizeof(purpose), "culver tls tickets class=%d hour=%" PRIu64, c->class,
		hour);
	return derive_key(k->ticket_secret, purpose, ret, LIMIT_TICKET_KEY_BYTES, err);
}

static bool on_ticket_key(struct keys_client *c, uint32_t request, uint64_t hour)
{
	struct err err = ERR_INIT;
	uint8_t key[LIMIT_TICKET_KEY_BYTES];
	struct frame good = { .type = FRAME_TICKET_KEY_IS };
	if (derive_ticket_key(c, hour, key, &err))
		return refuse(c, request, &err);
	good.ticket_key_is.key = str_make(key, sizeof(key));
	bool sent = channel_send(c->channel, request, &good);
	mem_wipe(key, sizeof(key));
	return sent;
}

static bool client_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct keys_client *c = arg;
	if (handle >= 0)
		return false;
	if (frame->type == FRAME_SIGN)
		return on_sign(c, request, &frame->sign);
	return frame->type == FRAME_TICKET_KEY && on_ticket_key(c, request, frame->ticket_key.hour);
}

static void client_closed(void *arg, const char *reason)
{
	struct keys_client *c = arg;
	struct vec *clients = &c->keys->clients;
	(void)reason;
	role_channel_closed(c->keys->base.context, c->channel);
	channel_free(&c->channel);
	for (size_t i = 0; i < clients->n; i++) {
		if (*(struct keys_client **)vec_at(clients, i) == c) {
			vec_remove(clients, i);
			break;
		}
	}
	free(c);
}

/* ---- the key directory, read once, before the sandbox closes ---- */

static int load_key(struct keys *k, struct files_seam *files, const char *name, struct err *err)
{
	/* A pipe of that name is opened at once, and cannot be read at an offset. */
	int file = files->open(files, name, O_RDONLY | O_NONBLOCK, 0);
	if (file < 0)
		return fail_log(err, ERR_CONFIG, "cannot open key %s: %s", name,
			file == -ELOOP ? "it is a link, and a key must be a file"
				       : strerror(-file));
	char *pem = xmalloc(KEY_FILE_BYTES);
	ssize_t got = files->pread(files, file, pem, KEY_FILE_BYTES, 0);
	files->close(files, file);
	struct err why = ERR_INIT;
	struct keysign *key = got > 0 ? keysign_load(str_make(pem, (size_t)got), &why) : NULL;
	mem_wipe(pem, KEY_FILE_BYTES);
	free(pem);
	if (why.kind == ERR_TEMP)
		mem_exhausted(); /* the next process reads all of them */
	if (key == NULL)
		return fail_log(err, ERR_CONFIG, "%s: %s", name,
			got > 0 ? err_log_text(&why) : "nothing can be read from it");
	if (vec_push(&k->keys, &key))
		return 0;
	keysign_free(&key);
	return fail_log(err, ERR_CONFIG, "too many keys");
}

struct loading {
	struct keys *keys;
	struct files_seam *files;
	struct err *err;
};

/* A key that cannot be read costs its own certificate, not the others. */
static int each_name(void *arg, const char *name)
{
	struct loading *l = arg;
	struct log_text text;
	if (!str_ends_nocase(str_from(name), STR(".key")))
		return 0;
	if (load_key(l->keys, l->files, name, l->err))
		log_event(&l->keys->base.context->log, LOG_ERROR, "key-refused", "why=%s",
			log_value(&text, str_from(err_log_text(l->err))));
	return 0;
}

static int keys_prepare(struct role *role, struct err *err)
{
	struct keys *k = CONTAINER_OF(role, struct keys, base);
	struct files_seam *files = role->context->open_files(role->context, k->directory, err);
	if (files == NULL)
		return -1;
	struct err each = ERR_INIT;
	struct loading l = { k, files, &each };
	int result = files->list(files, ".", each_name, &l);
	role->context->close_files(role->context, &files);
	if (result < 0)
		return fail_log(
			err, ERR_CONFIG, "cannot list %s: %s", k->directory, strerror(-result));
	return 0;
}

/* ---- the role ---- */

static bool keys_frame(struct role *role, const struct frame *frame, int handle)
{
	struct keys *k = CONTAINER_OF(role, struct keys, base);
	if (frame->type == FRAME_KEYS_CONFIG) {
		if (frame->keys_config.ticket_secret.n != sizeof(k->ticket_secret))
			return false;
		memcpy(k->ticket_secret, frame->keys_config.ticket_secret.p,
			sizeof(k->ticket_secret));
		snprintf(k->directory, sizeof(k->directory), "%" STR_FMT,
			STR_ARG(frame->keys_config.directory));
		role_apply_log_lines(role->context, frame->keys_config.text);
		return true;
	}
	if (frame->type != FRAME_HAND_OVER || handle < 0)
		return false;
	struct keys_client *c = xmalloc(sizeof(*c));
	struct channel_events events = { .frame = client_frame, .closed = client_closed, .arg = c };
	c->keys = k;
	c->class = frame->hand_over.role;
	c->channel = channel_new(
		role->context->loop, handle, CLASS_KEYS, frame->hand_over.role, &events);
	channel_set_number(c->channel, frame->hand_over.channel);
	vec_push(&k->clients, &c);
	return true;
}

static struct role *keys_new(struct role_context *context)
{
	struct keys *k = xmalloc(sizeof(*k));
	k->base = (struct role){ &keys_role, context };
	vec_init(&k->keys, sizeof(struct keysign *), LIMIT_CERTIFICATES);
	vec_init(&k->clients, sizeof(struct keys_client *), 4096);
	return &k->base;
}

static void keys_drain(struct role *role, uint32_t within_ms, uint32_t spread_ms)
{
	(void)within_ms;
	(void)spread_ms;
	role->context->finish(role->context, 0);
}

static void keys_free(struct role **role)
{
	struct keys *k = CONTAINER_OF(*role, struct keys, base);
	VEC_EACH (struct keys_client *, c, &k->clients) {
		channel_free(&(*c)->channel);
		free(*c);
	}
	VEC_EACH (struct keysign *, key, &k->keys)
		keysign_free(key);
	vec_done(&k->clients);
	vec_done(&k->keys);
	mem_wipe(k->ticket_secret, sizeof(k->ticket_secret));
	free(k);
	*role = NULL;
}

const struct role_class keys_role = {
	.new = keys_new,
	.frame = keys_frame,
	.prepare = keys_prepare,
	.drain = keys_drain,
	.free = keys_free,
};
