// SPDX-License-Identifier: Apache-2.0
/*
 * The verbs without much to them: RSET, NOOP, QUIT, VRFY, EXPN, HELP.    RFC 5321 4.1.1.5 to 10
 */
#include "smtp/smtp_private.h"

void smtp_rset(struct smtp *s, struct str args)
{
	(void)args;
	smtp_reset(s);
	smtp_say(s, SAY_OK);
}

/* noop = "NOOP" [ SP String ]: whatever it is, it is ignored. */
void smtp_noop(struct smtp *s, struct str args)
{
	(void)args;
	smtp_say(s, SAY_OK);
}

void smtp_quit(struct smtp *s, struct str args)
{
	(void)args;
	smtp_say_and_close(s, SAY_BYE);
}

/* Never tells who exists: RFC 5321 3.5.3 and 7.3, hostile-input S41. An address beyond ASCII needs
 * the parameter SMTPUTF8 (RFC 6531 3.7.4.2). */
void smtp_vrfy(struct smtp *s, struct str args)
{
	if (args.n == 0)
		smtp_say(s, SAY_BAD_ARGUMENTS);
	else if (!str_is_ascii(args) && !str_ends_nocase(args, STR(" SMTPUTF8")))
		smtp_say(s, SAY_NEEDS_UTF8);
	else
		smtp_say(s, SAY_VRFY);
}

void smtp_expn(struct smtp *s, struct str args)
{
	(void)args;
	smtp_say(s, SAY_NOT_DONE);
}

void smtp_help(struct smtp *s, struct str args)
{
	(void)args;
	smtp_say(s, SAY_HELP);
}
