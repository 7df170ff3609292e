// SPDX-License-Identifier: Apache-2.0
/*
 * An exchange and the gate: the question that a mechanism's credentials become, and what the
 * answer means: a login by password, or a message that is relayed.
 */
#include "api/frames.h"
#include "auth/sasl_private.h"

static struct str text(const struct sasl_text *t)
{
	return str_make(t->p, t->n);
}

static struct str service(const struct sasl *x)
{
	return x->context.service;
}

static struct str peer(const struct sasl *x)
{
	return str_from(x->context.peer->address);
}

static void ask_password(const struct sasl *x, struct frame *ret)
{
	*ret = (struct frame){ .type = FRAME_LOGIN,
		.login = { .service = service(x),
			.peer = peer(x),
			.user = text(&x->user),
			.password = str_make(x->password, x->password_n),
			.authzid = text(&x->authzid) } };
}

static void ask_begin(const struct sasl *x, struct frame *ret)
{
	const struct session_bindings *b = &x->context.peer->bindings;
	bool tls = x->context.peer->tls;
	*ret = (struct frame){ .type = FRAME_EXCHANGE_BEGIN,
		.exchange_begin = { .service = service(x),
			.peer = peer(x),
			.mechanism = x->mechanism->name,
			.has_data = x->has_message,
			.data = str_make(x->message, x->message_n),
			.exporter = str_make(b->exporter, tls ? b->exporter_n : 0),
			.endpoint = str_make(b->endpoint, tls ? b->endpoint_n : 0),
			.certificate = str_make(b->certificate, tls ? b->certificate_n : 0),
			.plus = sasl_announces_plus(&x->context) } };
}

static bool is_relayed(const struct sasl *x)
{
	return x->mechanism->step == sasl_relay_step ||
	       x->mechanism->step == sasl_server_first_step;
}

void sasl_question(const struct sasl *x, struct frame *ret)
{
	if (!is_relayed(x))
		ask_password(x, ret);
	else if (x->exchange == 0)
		ask_begin(x, ret);
	else
		*ret = (struct frame){ .type = FRAME_EXCHANGE_GO_ON,
			.exchange_go_on = { .exchange = x->exchange,
				.data = str_make(x->message, x->message_n) } };
}

static enum sasl_status take_challenge(struct sasl *x, const struct frame_challenge *f)
{
	if (f->data.n > sizeof(x->message) || f->exchange == 0)
		return SASL_FAILED;
	x->exchange = f->exchange;
	if (f->data.n > 0)
		memcpy(x->message, f->data.p, f->data.n);
	x->challenge = str_make(x->message, f->data.n);
	return SASL_CHALLENGE;
}

enum sasl_status sasl_answer(struct sasl *x, const struct frame *answer)
{
	mem_wipe(x->password, sizeof(x->password));
	x->password_n = 0;
	if (answer->type == FRAME_LOGIN_OK) {
		x->exchange = 0;
		if (is_relayed(x) || x->user.n == 0)
			sasl_text_set(&x->user, answer->login_ok.address);
		return SASL_DONE;
	}
	if (answer->type == FRAME_CHALLENGE && is_relayed(x))
		return take_challenge(x, &answer->challenge);
	x->exchange = 0; /* it has ended there */
	if (answer->type == FRAME_FAILED && answer->failed.kind == ERR_SYNTAX && is_relayed(x))
		return SASL_BAD;
	return SASL_FAILED;
}

void sasl_log(const struct session *s, struct str user, bool good, const char *answer)
{
	struct log_text text;
	log_event(&s->log, good ? LOG_INFO : LOG_WARN, good ? "login" : "login-failed",
		"service=%s peer=%s user=%s answer=%s tls=%d", s->peer->service, s->peer->address,
		log_value(&text, user), answer, s->peer->tls);
}

void sasl_end(struct sasl **sasl, struct session *session)
{
	struct sasl *x = *sasl;
	if (x && x->exchange != 0) {
		struct frame f = { .type = FRAME_EXCHANGE_GO_ON,
			.exchange_go_on = { .exchange = x->exchange, .cancelled = true } };
		(void)session->host->tell(session->host, session, ASK_GATE, 0, &f);
	}
	sasl_free(sasl);
}
