// SPDX-License-Identifier: Apache-2.0
/* Who is what, and may do what. A front interprets strangers and so has nothing: no file, no socket
 * of its own making, no key. The store has its directory. The gate has its channels. keys has read
 * its keys before its sandbox closes and can open nothing after. The courier alone makes sockets.
 * A fetcher has one that the courier made.
 */
#include "process/roles.h"

enum { FRONT_FILES = 20000, SMALL_FILES = 256, STORE_FILES = 2000 };
#define STORE_FILE_BYTES ((uint64_t)1 << 42)

static const struct sandbox_rules front_rules = {
	.calls = SANDBOX_BASE | SANDBOX_ACCEPT,
	.open_files = FRONT_FILES,
};
static const struct sandbox_rules store_rules = {
	.calls = SANDBOX_BASE | SANDBOX_FILES | SANDBOX_THREADS,
	.directory = true,
	.open_files = STORE_FILES,
	.file_bytes = STORE_FILE_BYTES,
};
static const struct sandbox_rules gate_rules = {
	.calls = SANDBOX_BASE,
	.open_files = SMALL_FILES,
};
static const struct sandbox_rules keys_rules = {
	.calls = SANDBOX_BASE,
	.open_files = SMALL_FILES,
};
static const struct sandbox_rules courier_rules = {
	.calls = SANDBOX_BASE | SANDBOX_CONNECT,
	.open_files = FRONT_FILES,
};

static const struct sandbox_rules fetcher_rules = {
	.calls = SANDBOX_BASE,
	.open_files = SMALL_FILES,
};

const struct role_row role_rows[] = {
	/* name, class, what its channels say it is, configuration, directory, offline, rules */
	{ "store", &store_role, CLASS_STORE, FOR_STORE, "data", true, &store_rules },
	{ "gate", &gate_role, CLASS_GATE, FOR_GATE, NULL, true, &gate_rules },
	{ "keys", &keys_role, CLASS_KEYS, FOR_KEYS, "keys", false, &keys_rules },
	{ "courier", &courier_role, CLASS_COURIER, FOR_COURIER, NULL, true, &courier_rules },
	{ "front-mx", &front_role, CLASS_MX, FOR_FRONT, NULL, false, &front_rules },
	{ "front-user", &front_role, CLASS_USER, FOR_FRONT, NULL, false, &front_rules },
};
const size_t role_rows_n = ARRAY_LEN(role_rows);

const struct role_row fetcher_row = { "fetcher", &fetcher_role, CLASS_FETCHER, 0, NULL, false,
	&fetcher_rules };

const struct role_row *role_row_named(const char *name)
{
	for (size_t i = 0; i < role_rows_n; i++)
		if (strcmp(role_rows[i].name, name) == 0)
			return &role_rows[i];
	return strcmp(name, fetcher_row.name) == 0 ? &fetcher_row : NULL;
}

const struct role_edge role_edges[] = {
	{ CLASS_MX, CLASS_STORE, "store", "front" },
	{ CLASS_MX, CLASS_KEYS, "keys", "front" },
	{ CLASS_MX, CLASS_COURIER, "courier", "front" },
	{ CLASS_USER, CLASS_STORE, "store", "front" },
	{ CLASS_USER, CLASS_GATE, "gate", "front" },
	{ CLASS_USER, CLASS_KEYS, "keys", "front" },
	{ CLASS_USER, CLASS_COURIER, "courier", "front" },
	{ CLASS_GATE, CLASS_STORE, "store", "gate" },
};
const size_t role_edges_n = ARRAY_LEN(role_edges);
