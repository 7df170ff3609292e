// SPDX-License-Identifier: Apache-2.0
/*
 * An exchange and the gate: the question that a mechanism's credentials become, and what the
 * answer means. PLAIN and LOGIN end in a password; a mechanism that asks otherwise gets its case.
 */
#include "api/frames.h"
#include "auth/sasl_private.h"

static struct str text(const struct sasl_text *t)
{
	return str_make(t->p, t->n);
}

void sasl_question(const struct sasl *x, struct frame *ret)
{
	*ret = (struct frame){ .type = FRAME_LOGIN,
		.login = { .service = text(&x->service),
			.peer = text(&x->peer),
			.user = text(&x->user),
			.password = str_make(x->password, x->password_n),
			.authzid = text(&x->authzid) } };
}

enum sasl_status sasl_answer(struct sasl *x, const struct frame *answer)
{
	mem_wipe(x->password, sizeof(x->password));
	x->password_n = 0;
	return answer->type == FRAME_LOGIN_OK ? SASL_DONE : SASL_FAILED;
}
