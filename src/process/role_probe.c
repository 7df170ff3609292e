// SPDX-License-Identifier: Apache-2.0
/* `culver role-probe ROLE PROBE DIRECTORY`: closes the sandbox of a role's row in this very process
 * and attempts what it forbids. For the self-test, on the release build: the attempt must be
 * refused or end the process; exit status 1 says that it succeeded. */
#include "process/os.h"

#include "io/tls.h"

#include <stdio.h>
#include <unistd.h>

/* What there is to attempt: "ROLE PROBE" lines. */
static void print_probes(const struct role_row *row)
{
	const char *name;
	for (size_t i = 0; (name = sandbox_probe_name(i)) != NULL; i++)
		if (sandbox_probe_applies(row->rules, name))
			printf("%s %s\n", row->name, name);
}

int role_probe_main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	if (argc == 2) {
		for (size_t r = 0; r < role_rows_n; r++)
			print_probes(&role_rows[r]);
		print_probes(&fetcher_row);
		return 0;
	}
	const struct role_row *row = argc == 5 ? role_row_named(argv[2]) : NULL;
	if (row == NULL) {
		fprintf(stderr, "usage: culver role-probe [ROLE PROBE DIRECTORY]\n");
		return 2;
	}
	/* As root the role becomes somebody else; nobody in particular here. */
	struct sandbox_place place = {
		.directory = argv[4], .change_user = geteuid() == 0, .uid = 65534, .gid = 65534
	};
	tls_prepare();
	if (sandbox_confine(row->rules, &place, NULL, &err) || sandbox_close(row->rules, &err)) {
		fprintf(stderr, "culver role-probe: %s\n", err_log_text(&err));
		return 3;
	}
	int result = sandbox_probe(argv[3]);
	return result < 0 ? 2 : result;
}
