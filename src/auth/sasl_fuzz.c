// SPDX-License-Identifier: Apache-2.0
/*
 * SASL exchanges: the first byte says how to begin, the rest is the client's lines. Property: a
 * question for the gate encodes, whatever was sent.
 */
#include "api/frames.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	struct str rest = str_make(bytes + 1, size - 1);
	struct sasl *x = sasl_new(
		bytes[0] & 1 ? STR("PLAIN") : STR("LOGIN"), STR("imap"), STR("::1"));
	struct str initial = STR_NONE;
	if (bytes[0] & 2)
		initial = str_split(&rest, '\n');
	enum sasl_status status = sasl_start(x, bytes[0] & 2 ? &initial : NULL);
	for (int i = 0; i < 4 && status == SASL_CHALLENGE; i++)
		status = sasl_response(x, str_split(&rest, '\n'));
	FUZZ_CHECK(status != SASL_CHALLENGE && status != SASL_DONE);
	if (status == SASL_ASK)
		ask(x);
	sasl_free(&x);
	FUZZ_CHECK(x == NULL);
	return 0;
}
