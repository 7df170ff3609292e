// SPDX-License-Identifier: Apache-2.0
/* culver account app-password: passwords for one program each, drawn by the gate and shown once. */
#include "cli/cli.h"

#include "api/schemes.h"
#include "cli/secrets.h"

#include <stdio.h>

struct drawn {
	char text[64], value[LIMIT_SECRET_BYTES];
	size_t text_n, value_n;
};

static void keep_drawn(void *arg, const struct frame *frame)
{
	struct drawn *d = arg;
	if (frame->type != FRAME_APP_PASSWORD)
		return;
	d->text_n = str_copy(frame->app_password.text, d->text, sizeof(d->text));
	d->value_n = str_copy(frame->app_password.value, d->value, sizeof(d->value));
}

static void show(const struct options *o, struct str password)
{
	struct buf json;
	if (o->json) {
		buf_init(&json, 1024);
		json_string(&json, password);
		printf("{\"password\":%s}\n", json.p);
		mem_wipe(json.p, json.n);
		buf_done(&json);
	} else {
		cli_print(stdout, password);
		putchar('\n');
	}
}

static int add(const struct options *o, struct remote *r, struct err *err)
{
	struct frame draw = { .type = FRAME_MAKE_APP_PASSWORD,
		.make_app_password.address = str_from(o->args[1]) };
	struct drawn d = { .text_n = 0 };
	uint32_t services = SERVICES_ALL;
	if ((o->services && cli_services(o->services, &services, err)) ||
		remote_ask(r, REMOTE_GATE, &draw, keep_drawn, &d, err))
		return -1;
	if (services == 0)
		return fail(err, ERR_SYNTAX, "an app password is good for one service at least");
	struct frame f = { .type = FRAME_SECRET_ADD,
		.secret_add = { .address = str_from(o->args[1]),
			.kind = SECRET_APP_PASSWORD,
			.label = str_from(o->label ? o->label : ""),
			.value = str_make(d.value, d.value_n),
			.services = services } };
	int result = remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err);
	if (result == 0)
		show(o, str_make(d.text, d.text_n));
	mem_wipe(&d, sizeof(d));
	return result;
}

/* ---- the command ---- */

int cmd_account_app_password(const struct options *o)
{
	static const struct secret_command command = { .kind = SECRET_APP_PASSWORD,
		.noun = "app password",
		.add_args = 2,
		.add = add,
		.usage = "add [-c FILE] [--json] [--label TEXT] [--services smtp,imap,pop3] "
			 "ADDRESS\n"
			 "       culver account app-password list [-c FILE] [--json] ADDRESS\n"
			 "       culver account app-password remove [-c FILE] [--json] ADDRESS "
			 "NUMBER" };
	return secrets_command(o, &command);
}
