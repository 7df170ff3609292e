// SPDX-License-Identifier: Apache-2.0
/*
 * SASL exchanges: the first byte says how to begin, the rest is the client's lines. Property: a
 * question for the gate encodes, whatever was sent.
 */
#include "api/frames.h"
#include "api/schemes.h"
#include "api/session.h"
#include "auth/sasl.h"
#include "base/fuzz.h"

static void ask(struct sasl *x)
{
	struct frame question, ok = { .type = FRAME_LOGIN_OK };
	struct buf wire;
	buf_init(&wire, LIMIT_FRAME_BYTES);
	sasl_question(x, &question);
	FUZZ_CHECK(question.login.password.n > 0 && question.login.user.n > 0);
	FUZZ_CHECK(frame_encode(&question, 1, &wire));
	FUZZ_CHECK(sasl_answer(x, &ok) == SASL_DONE);
	buf_done(&wire);
}

/* The gate's part of a relayed mechanism: a challenge, as often as it is asked. */
static enum sasl_status challenge(struct sasl *x)
{
	struct frame question, answer = { .type = FRAME_CHALLENGE,
		.challenge = { .exchange = 7, .data = STR("challenge") } };
	struct buf wire;
	buf_init(&wire, LIMIT_FRAME_BYTES);
	sasl_question(x, &question);
	FUZZ_CHECK(frame_encode(&question, 1, &wire));
	buf_done(&wire);
	return sasl_answer(x, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct str names[] = { STR_INIT("LOGIN"), STR_INIT("PLAIN"),
		STR_INIT("SCRAM-SHA-256"), STR_INIT("SCRAM-SHA-256-PLUS"), STR_INIT("EXTERNAL"),
		STR_INIT("CRAM-MD5") };
	static const struct session_peer_info peer = { .address = "::1",
		.tls = true,
		.bindings = { .exporter_n = 32, .endpoint_n = 32, .certificate_n = 32 } };
	static const struct front_settings settings = { .scram_services = SERVICES_ALL,
		.legacy_services = SERVICES_ALL };
	static const struct sasl_context context = { STR_INIT("imap"), &peer, &settings };
	if (size == 0)
		return 0;
	struct str rest = str_make(bytes + 1, size - 1);
	size_t which = (bytes[0] & 1) | (bytes[0] >> 1 & 6);
	struct sasl *x = sasl_new(names[which % ARRAY_LEN(names)], &context);
	struct str initial = STR_NONE;
	if (bytes[0] & 2)
		initial = str_split(&rest, '\n');
	enum sasl_status status = sasl_start(x, bytes[0] & 2 ? &initial : NULL);
	for (int i = 0; i < 6 && (status == SASL_CHALLENGE || status == SASL_ASK); i++) {
		if (status == SASL_CHALLENGE)
			status = sasl_response(x, str_split(&rest, '\n'));
		else if (which % ARRAY_LEN(names) >= 2)
			status = challenge(x);
		else
			break;
	}
	FUZZ_CHECK(status != SASL_DONE);
	if (status == SASL_ASK && which % ARRAY_LEN(names) < 2)
		ask(x);
	sasl_free(&x);
	FUZZ_CHECK(x == NULL);
	return 0;
}
