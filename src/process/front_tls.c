// SPDX-License-Identifier: Apache-2.0
/*
 * A front's TLS: certificates as the supervisor sends them, signatures and ticket keys from *keys*.
 *
 * A reload comes as a set of certificates and a channel to the *keys* that has read the keys of
 * that set. Both are tried, beside those in force, and used once the supervisor says that every
 * front can: so no handshake finds a certificate without its key, and what is broken changes
 * nothing (X8).
 */
#include "process/front_private.h"

#include <stdio.h>
#include <stdlib.h>

/* TRY_MS: a reload is worth a longer wait than a handshake. */
enum { HOUR_MS = 3600 * 1000, AGAIN_MS = 5000, TRY_MS = 2000 };

struct found_certificate {
	char name[65];
	struct tls_certificate_info info;
	char problem[161];
};

/* ---- signatures ---- */

/* room keeps the answer's bytes. */
static int ask_keys(struct blocking_channel *keys, const struct frame *question,
	enum frame_type wanted, int within_ms, struct buf *room, struct frame *ret_answer,
	struct err *err)
{
	if (keys == NULL)
		return fail(err, ERR_TEMP, "keys is away");
	buf_clear(room);
	if (blocking_channel_ask(keys, question, within_ms, room, ret_answer, err))
		return -1;
	if (ret_answer->type == wanted)
		return 0;
	if (ret_answer->type != FRAME_FAILED)
		return fail(err, ERR_TEMP, "keys answered something else");
	return fail(err, (enum err_kind)ret_answer->failed.kind, "keys: %" STR_FMT,
		STR_ARG(ret_answer->failed.text));
}

static int sign_by(struct blocking_channel *keys, const char *key_id, uint16_t scheme,
	struct str digest, int within_ms, struct buf *ret_signature, struct err *err)
{
	struct frame answer;
	struct frame question = { .type = FRAME_SIGN,
		.sign = { .key_id = str_from(key_id), .scheme = scheme, .digest = digest } };
	AUTO(buf_done)
	struct buf room;
	buf_init(&room, LIMIT_FRAME_BYTES);
	if (ask_keys(keys, &question, FRAME_SIGNATURE, within_ms, &room, &answer, err))
		return -1;
	return buf_adds(ret_signature, answer.signature.signature)
		       ? 0
		       : fail(err, ERR_LIMIT, "the signature is too long");
}

/* A keys that made no sense was dropped: another channel to it. */
static void say_lost(struct front *f)
{
	if (f->tls.keys != NULL)
		role_channel_lost(f->base.context, blocking_channel_lost(f->tls.keys));
}

/* Keys starts behind the fronts, and again when it died: a handshake of that moment waits for it,
 * rather than fail. T10 is about one that was there. */
static int signature_ms(const struct front *f)
{
	int start_ms = f->tls.keys == NULL ? 0 : blocking_channel_start_ms(f->tls.keys);
	return start_ms > LIMIT_KEYS_MS ? start_ms : LIMIT_KEYS_MS;
}

/* tls_sign_function. A handshake that began before a reload may have shown a certificate whose key
 * the new keys has no more. */
int front_tls_sign(void *arg, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err)
{
	struct front *f = arg;
	struct err first = ERR_INIT;
	int result = sign_by(
		f->tls.keys, key_id, scheme, digest, signature_ms(f), ret_signature, &first);
	if (result != 0 && first.kind == ERR_NOT_FOUND && f->tls.keys_before != NULL)
		return sign_by(f->tls.keys_before, key_id, scheme, digest, LIMIT_KEYS_MS,
			ret_signature, err);
	if (result != 0)
		*err = first;
	say_lost(f);
	return result;
}

/* ---- ticket keys: T8 ---- */

static void ask_ticket_key(struct front *f)
{
	struct err err = ERR_INIT;
	struct frame answer;
	struct log_text text;
	uint64_t hour = tls_tickets_missing(f->tls.tickets);
	struct frame question = { .type = FRAME_TICKET_KEY, .ticket_key.hour = hour };
	AUTO(buf_done)
	struct buf room;
	buf_init(&room, LIMIT_FRAME_BYTES);
	if (hour == 0 || f->tls.keys == NULL)
		return;
	if (ask_keys(f->tls.keys, &question, FRAME_TICKET_KEY_IS, LIMIT_KEYS_MS, &room, &answer,
		    &err) == 0 &&
		answer.ticket_key_is.key.n == LIMIT_TICKET_KEY_BYTES)
		tls_tickets_put(f->tls.tickets, hour, (const uint8_t *)answer.ticket_key_is.key.p);
	else /* no tickets until there is one: whole handshakes */
		log_event(&f->base.context->log, LOG_WARN, "no-ticket-key", "why=%s",
			log_value(&text, str_from(err_log_text(&err))));
	if (room.p != NULL)
		mem_wipe(room.p, room.cap);
	say_lost(f);
}

static void try_untried(struct front *f);

static void on_hour(void *arg)
{
	struct front *f = arg;
	struct loop *loop = f->base.context->loop;
	struct clock_seam *clock = loop->clock;
	ask_ticket_key(f);
	int64_t left_ms = HOUR_MS - clock->wall_ms(clock) % HOUR_MS;
	if (tls_tickets_missing(f->tls.tickets) != 0)
		left_ms = AGAIN_MS;
	else
		try_untried(f);
	loop->class->timer_set(f->tls.hour, clock->monotonic_ms(clock) + left_ms);
}

/* Not at once: at the start keys comes up behind the fronts, and the first clients would wait. */
static void ask_soon(struct front *f)
{
	enum { KEYS_START_MS = 50 };
	struct loop *loop = f->base.context->loop;
	loop->class->timer_set(f->tls.hour, loop->clock->monotonic_ms(loop->clock) + KEYS_START_MS);
}

/* ---- certificates ---- */

static void set_done(struct certificate_set *s)
{
	tls_certificates_free(&s->certificates);
	tls_server_free(&s->server);
	free(s->found);
	s->found = NULL;
	s->found_n = 0;
}

/* A front that began without a certificate would be without it until a reload. One that is told to
 * reload goes on with what it has. */
static void start_needs_memory(bool reload, const struct err *err)
{
	if (!reload && err->kind == ERR_TEMP)
		mem_exhausted();
}

static void set_add(struct certificate_set *s, const struct frame_front_certificate *frame)
{
	struct err err = ERR_INIT;
	if (s->certificates == NULL) {
		s->certificates = tls_certificates_new();
		s->found = xcalloc(LIMIT_CERTIFICATES, sizeof(*s->found));
	}
	if (s->found_n == LIMIT_CERTIFICATES)
		return; /* the supervisor sends no more */
	struct found_certificate *c = &s->found[s->found_n++];
	snprintf(c->name, sizeof(c->name), "%" STR_FMT, STR_ARG(frame->name));
	if (tls_certificate_info(frame->chain_pem, &c->info, &err) ||
		tls_certificates_add(
			s->certificates, str_from(c->info.key_id), frame->chain_pem, &err))
		snprintf(c->problem, sizeof(c->problem), "%s", err.public_text);
	start_needs_memory(frame->generation != 0, &err);
}

/* Whether keys has the certificate's key: by a signature, since that is what it will be asked. What
 * was wrong, or ERR_NONE. */
static enum err_kind try_key(
	struct blocking_channel *keys, struct found_certificate *c, int within_ms)
{
	static const char digest[32];
	struct err err = ERR_INIT;
	AUTO(buf_done)
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	if (c->problem[0] == '\0' &&
		sign_by(keys, c->info.key_id,
			c->info.ec ? SCHEME_ECDSA_SHA256 : SCHEME_RSA_PSS_SHA256,
			str_make(digest, sizeof(digest)), within_ms, &signature, &err))
		snprintf(c->problem, sizeof(c->problem), "%s",
			err.kind == ERR_NOT_FOUND ? TLS_NO_PRIVATE_KEY : err.public_text);
	return err.kind;
}

static void refused(struct front *f, const char *name, const char *why)
{
	struct log_text of, text;
	log_event(&f->base.context->log, LOG_ERROR, "certificate-refused", "name=%s why=%s",
		log_value(&of, str_from(name)), log_value(&text, str_from(why)));
}

static struct str field(const char *text, size_t room)
{
	return str_make(text, strnlen(text, room));
}

/* Tells the supervisor what has been found. */
static void report(struct front *f, const struct certificate_set *s, uint32_t generation, bool good)
{
	struct api_certificate list[LIMIT_CERTIFICATES];
	struct frame frame = { .type = FRAME_CERTIFICATES_ARE,
		.certificates_are = { .generation = generation,
			.good = good,
			.certificates = { list, s->found_n } } };
	for (size_t i = 0; i < s->found_n; i++) {
		const struct found_certificate *c = &s->found[i];
		list[i] = (struct api_certificate){ field(c->name, sizeof(c->name)),
			field(c->info.hosts, sizeof(c->info.hosts)), c->info.expires_s,
			field(c->problem, sizeof(c->problem)) };
	}
	struct channel *control = f->base.context->control;
	if (control != NULL && !channel_send(control, 0, &frame))
		refused(f, "all", "they cannot be reported");
}

/* The set is whole. True: every certificate of it can be used. */
static bool set_finish(struct front *f, struct certificate_set *s, bool reload)
{
	struct blocking_channel *keys = reload ? f->tls.keys_next : NULL;
	struct err err = ERR_INIT;
	bool good = true;
	for (size_t i = 0; i < s->found_n; i++) {
		struct found_certificate *c = &s->found[i];
		if (keys != NULL)
			try_key(keys, c, TRY_MS);
		if (c->problem[0] == '\0')
			continue;
		refused(f, c->name, c->problem);
		good = false;
	}
	s->server = tls_server_new(s->certificates, front_tls_sign, f, &err);
	start_needs_memory(reload, &err);
	if (s->server == NULL)
		refused(f, "all", err.public_text);
	return good && s->server != NULL;
}

/* Keys is there: a certificate without its key would fail each handshake that takes it, so it is
 * said at once; a keys that is just slow has no such fault. It stays in use, for the key may be put
 * there, and reloaded. */
static void try_untried(struct front *f)
{
	struct certificate_set *s = &f->tls.untried;
	bool good = true;
	for (size_t i = 0; i < s->found_n; i++) {
		struct found_certificate *c = &s->found[i];
		if (c->problem[0] != '\0')
			continue; /* said before */
		if (try_key(f->tls.keys, c, LIMIT_KEYS_MS) == ERR_NOT_FOUND) {
			refused(f, c->name, c->problem);
			good = false;
		} else {
			c->problem[0] = '\0';
		}
	}
	if (!good)
		report(f, s, 0, false);
	set_done(s);
}

static void use(struct front *f, struct certificate_set *s)
{
	tls_server_free(&f->tls.server);
	f->tls.server = s->server;
	s->server = NULL;
	f->settings.tls_available = true;
	front_tls_configured(f);
}

/* At a start what can be used is used; at a reload all of it or nothing. */
bool front_tls_certificate(struct front *f, const struct frame_front_certificate *frame)
{
	struct certificate_set *s = &f->tls.next;
	bool reload = frame->generation != 0;
	set_add(s, frame);
	if (!frame->last)
		return true;
	bool good = set_finish(f, s, reload);
	report(f, s, frame->generation, good && (!reload || f->tls.keys_next != NULL));
	if (reload)
		return true;
	if (s->server != NULL)
		use(f, s);
	set_done(&f->tls.untried);
	f->tls.untried = *s;
	*s = (struct certificate_set){ .found_n = 0 };
	return true;
}

bool front_tls_use(struct front *f, const struct frame_use_certificates *frame)
{
	struct front_tls *t = &f->tls;
	if (frame->use && (t->next.server == NULL || t->keys_next == NULL))
		return false;
	if (frame->use) {
		use(f, &t->next);
		set_done(&t->untried); /* the new keys need not have theirs */
		blocking_channel_free(&t->keys_before);
		t->keys_before = t->keys;
		t->keys = t->keys_next;
		t->keys_next = NULL;
	}
	blocking_channel_free(&t->keys_next);
	set_done(&t->next);
	return true;
}

/* ---- the rest ---- */

bool front_tls_hand_over(struct front *f, const struct frame_hand_over *frame, int handle)
{
	struct role_context *c = f->base.context;
	bool next = str_equal(frame->kind, STR("keys-next"));
	struct blocking_channel **keys = next ? &f->tls.keys_next : &f->tls.keys;
	if (!next && !str_equal(frame->kind, STR("keys")))
		return false;
	blocking_channel_free(keys);
	*keys = blocking_channel_new(handle, c->row->channel_class, CLASS_KEYS, c->seams.clock);
	blocking_channel_set_number(*keys, frame->channel);
	if (next)
		set_done(&f->tls.next); /* of a reload that was given up */
	else
		ask_soon(f);
	return true;
}

/* RFC 7672 8.1: an SMTP server must go on with a name that it does not know. */
void front_tls_configured(struct front *f)
{
	int class = f->base.context->row->channel_class;
	bool refuse = strcmp(f->config->unknown_server_name, "refuse") == 0 && class != CLASS_MX;
	if (f->tls.server == NULL)
		return;
	tls_server_set(f->tls.server, refuse, f->tls.tickets);
	if (class == CLASS_USER && f->config->client_certificates)
		tls_server_ask_certificates(f->tls.server);
}

void front_tls_init(struct front *f)
{
	struct role_context *c = f->base.context;
	f->tls.tickets = tls_tickets_new(c->seams.clock);
	f->tls.hour = c->loop->class->timer_new(c->loop, on_hour, f);
}

void front_tls_done(struct front *f)
{
	struct front_tls *t = &f->tls;
	set_done(&t->next);
	set_done(&t->untried);
	tls_server_free(&t->server);
	blocking_channel_free(&t->keys);
	blocking_channel_free(&t->keys_before);
	blocking_channel_free(&t->keys_next);
	tls_tickets_free(&t->tickets);
	f->base.context->loop->class->timer_free(&t->hour);
}
