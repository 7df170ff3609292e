// SPDX-License-Identifier: Apache-2.0
/* culver store restore: which of its two forms is meant. */
#include "cli/restore.h"

int cmd_store_restore(const struct options *o)
{
	bool one = o->account || o->mailbox || o->uid || o->message_id || o->into;
	bool whole = o->replace;
	if (o->args_n != 1 || (one && whole) || (one && o->account == NULL))
		return cli_usage(o, "[-c FILE] [--point POINT] [--replace] [--json] DIRECTORY\n"
				    "       culver store restore --account ADDRESS [--mailbox NAME "
				    "[--uid UID]] "
				    "[--message-id ID] [--into NAME] [-c FILE] [--point POINT] "
				    "[--json] DIRECTORY");
	return one ? restore_account(o) : restore_store(o);
}
