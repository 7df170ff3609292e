// SPDX-License-Identifier: Apache-2.0
/* Error kinds as POP3's response codes. */
#include "pop3/reply.h"

#include "base/abnf.h"

/* [AUTH]: the credentials, or the account's right to come in. [SYS/TEMP]: try again. [SYS/PERM]:
 * somebody has to do something. [IN-USE]: another session has the maildrop. [LOGIN-DELAY]: it was
 * opened only just now. */
static const char *const codes[ERR_KINDS] = {
	[ERR_TEMP] = "[SYS/TEMP] ",
	[ERR_NOT_NOW] = "[LOGIN-DELAY] ",
	[ERR_AUTH] = "[AUTH] ",
	[ERR_DENIED] = "[AUTH] ",
	[ERR_LIMIT] = "[SYS/TEMP] ",
	[ERR_EXPIRED] = "[SYS/TEMP] ",
	[ERR_IN_USE] = "[IN-USE] ",
	[ERR_READ_ONLY] = "[SYS/TEMP] ",
	[ERR_CORRUPT] = "[SYS/PERM] ",
	[ERR_UNSUPPORTED] = "[AUTH] ",
	[ERR_FULL] = "[SYS/TEMP] ",
};

void pop3_reply_failed(struct buf *out, enum err_kind kind, struct str text)
{
	const char *code = kind < ERR_KINDS && codes[kind] != NULL ? codes[kind] : "";
	if (text.n == 0)
		text = str_from(err_sentence(kind));
	buf_addf(out, "-ERR %s", code);
	for (size_t i = 0; i < text.n; i++)
		buf_addc(out, abnf_is_ctl(text.p[i]) || abnf_is_8bit(text.p[i]) ? '?' : text.p[i]);
	buf_addz(out, "\r\n");
}
