// SPDX-License-Identifier: Apache-2.0
/* culver account recount: what accounts say that they hold, against what they hold. */
#include "cli/cli.h"

#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>

struct recounting {
	const struct options *o;
	struct frame_recounted done;
	struct buf items; /* JSON */
};

static void on_answer(void *arg, const struct frame *frame)
{
	struct recounting *r = arg;
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, 8192);
	if (frame->type == FRAME_RECOUNTED)
		r->done = frame->recounted;
	if (frame->type != FRAME_CHECK_FINDING)
		return;
	json_string(&text, frame->check_finding.text);
	if (r->o->json)
		buf_addf(&r->items, "%s%s", r->items.n ? "," : "", text.p);
	else
		printf("mended: %" STR_FMT "\n", STR_ARG(frame->check_finding.text));
}

/* Some thousand accounts at a time, until the rest is right. */
static int recount(struct remote *remote, struct recounting *r, const char *address,
	uint64_t *ret_mended, struct err *err)
{
	struct frame f = { .type = FRAME_ACCOUNT_RECOUNT,
		.account_recount.address = str_from(address) };
	int result = 0;
	r->done.more = true;
	while (result == 0 && r->done.more) {
		r->done = (struct frame_recounted){ .more = false };
		result = remote_ask(remote, REMOTE_STORE, &f, on_answer, r, err);
		*ret_mended += r->done.mended;
	}
	return result;
}

int cmd_account_recount(const struct options *o)
{
	struct err err = ERR_INIT;
	struct recounting r = { .o = o };
	uint64_t mended = 0;
	char tail[100];
	if (o->args_n != (o->all ? 0 : 1))
		return cli_usage(o, "[-c FILE] [--json] --all | ADDRESS");
	AUTO(remote_close)
	struct remote *remote = remote_open(options_config(o), false, &err);
	if (remote == NULL)
		return cli_fail(o, &err);
	buf_init(&r.items, CLI_LIST_BYTES);
	int result = recount(remote, &r, o->all ? "" : o->args[0], &mended, &err);
	snprintf(tail, sizeof(tail), "],\"accounts\":%" PRIu64 ",\"mended\":%" PRIu64 "}",
		r.done.accounts, mended);
	if (result == 0 && o->json)
		result = cli_print_list("{\"differences\":[", &r.items, tail, &err);
	else if (result == 0)
		printf("%" PRIu64 " accounts counted, %" PRIu64 " mended\n", r.done.accounts,
			mended);
	buf_done(&r.items);
	return result ? cli_fail(o, &err) : EXIT_GOOD;
}
