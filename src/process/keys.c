// SPDX-License-Identifier: Apache-2.0
/* keys: the one process that reads private keys. It answers sign(key, scheme, digest) and nothing
 * else, at a bounded rate, so that a taken front can have handshakes signed but never has a key. */
#include "api/frames.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/vec.h"
#include "io/keysign.h"
#include "process/role.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_FILE_BYTES = 32768 };

struct named_key {
	char id[65];
	struct keysign *key;
};

struct keys_client;
struct keys {
	struct role base;
	char directory[1025];
	struct vec keys;    /* struct named_key */
	struct vec clients; /* struct keys_client * */
	int64_t window_ms;  /* of the rate: this second */
	unsigned signed_now;
};

struct keys_client {
	struct keys *keys;
	struct channel *channel;
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
	VEC_EACH (struct named_key, n, &k->keys)
		if (str_equal(id, str_from(n->id)))
			return n->key;
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

static bool client_frame(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct keys_client *c = arg;
	struct err err = ERR_INIT;
	AUTO(buf_done)
	struct buf signature;
	if (handle >= 0 || frame->type != FRAME_SIGN)
		return false;
	buf_init(&signature, 1024);
	struct frame good = { .type = FRAME_SIGNATURE }, bad = { .type = FRAME_FAILED };
	if (sign(c->keys, &frame->sign, &signature, &err) == 0) {
		good.signature.signature = buf_str(&signature);
		return channel_send(c->channel, request, &good);
	}
	bad.failed.kind = (uint8_t)err.kind;
	bad.failed.text = str_from(err.public_text);
	return channel_send(c->channel, request, &bad);
}

static void client_closed(void *arg, const char *reason)
{
	struct keys_client *c = arg;
	struct vec *clients = &c->keys->clients;
	(void)reason;
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
	struct str stem = str_make(name, strlen(name) - strlen(".key"));
	struct named_key n = { .key = NULL };
	if (stem.n >= sizeof(n.id))
		return fail_log(err, ERR_CONFIG, "key file name %s is too long", name);
	snprintf(n.id, sizeof(n.id), "%" STR_FMT, STR_ARG(stem));
	int file = files->open(files, name, O_RDONLY, 0);
	if (file < 0)
		return fail_log(err, ERR_CONFIG, "cannot open key %s: %s", name, strerror(-file));
	char *pem = xmalloc(KEY_FILE_BYTES);
	ssize_t got = files->pread(files, file, pem, KEY_FILE_BYTES, 0);
	files->close(files, file);
	n.key = got > 0 ? keysign_load(str_make(pem, (size_t)got), err) : NULL;
	mem_wipe(pem, KEY_FILE_BYTES);
	free(pem);
	if (n.key == NULL)
		return fail_log(err, ERR_CONFIG, "%s is not a private key we can use", name);
	return vec_push(&k->keys, &n) ? 0 : fail_log(err, ERR_CONFIG, "too many keys");
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
	files_os_free(&files);
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
		snprintf(k->directory, sizeof(k->directory), "%" STR_FMT,
			STR_ARG(frame->keys_config.directory));
		return true;
	}
	if (frame->type != FRAME_HAND_OVER || handle < 0)
		return false;
	struct keys_client *c = xmalloc(sizeof(*c));
	struct channel_events events = { .frame = client_frame, .closed = client_closed, .arg = c };
	c->keys = k;
	c->channel = channel_new(
		role->context->loop, handle, CLASS_KEYS, frame->hand_over.role, &events);
	vec_push(&k->clients, &c);
	return true;
}

static struct role *keys_new(struct role_context *context)
{
	struct keys *k = xmalloc(sizeof(*k));
	k->base = (struct role){ &keys_role, context };
	vec_init(&k->keys, sizeof(struct named_key), LIMIT_CERTIFICATES);
	vec_init(&k->clients, sizeof(struct keys_client *), 4096);
	return &k->base;
}

static void keys_drain(struct role *role, uint32_t within_ms)
{
	(void)within_ms;
	role->context->finish(role->context, 0);
}

static void keys_free(struct role **role)
{
	struct keys *k = CONTAINER_OF(*role, struct keys, base);
	VEC_EACH (struct keys_client *, c, &k->clients) {
		channel_free(&(*c)->channel);
		free(*c);
	}
	VEC_EACH (struct named_key, n, &k->keys)
		keysign_free(&n->key);
	vec_done(&k->clients);
	vec_done(&k->keys);
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
