/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `account app-password` and `account certificate` share: an account's secrets of one kind
 * are listed, and removed by their number in that list. What else the account has is not for the
 * command.
 *
 * uses: api, remote; used by: cmd_app_password.c, cmd_certificate.c
 */
#ifndef CULVER_CLI_SECRETS_H
#define CULVER_CLI_SECRETS_H

#include "api/frames.h"
#include "cli/cli.h"
#include "cli/remote.h"

struct secret_command {
	uint8_t kind;     /* enum secret_kind */
	const char *noun; /* "app password" */
	/* What only this kind has, or NULL: for its line, and as members of its JSON object, each
	 * with a comma behind. */
	void (*own_text)(const struct api_secret *, struct buf *out);
	void (*own_json)(const struct api_secret *, struct buf *out);
	int add_args; /* words of `VERB …`, the verb among them */
	int (*add)(const struct options *, struct remote *, struct err *);
	const char *usage;
};

/* `add`, `list`, `remove`: which one the first argument says. The exit code. */
int secrets_command(const struct options *, const struct secret_command *);

#endif
