/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of roles, and of who talks to whom: what each process is, may do and is given. Reading
 * roles.c is reading the privilege design.
 *
 * uses: io/sandbox; used by: process
 */
#ifndef CULVER_PROCESS_ROLES_H
#define CULVER_PROCESS_ROLES_H

#include "api/session.h"
#include "io/sandbox.h"
#include "process/role.h"

struct role_row {
	const char *name; /* "front-mx" */
	const struct role_class *class;
	int channel_class;     /* enum peer_class of api/schemes.h */
	unsigned config;       /* enum config_reader */
	const char *directory; /* below the configuration's directory: its one own, or NULL: none */
	bool offline;          /* also runs for a command on a stopped server */
	const struct sandbox_rules *rules;
};

extern const struct role_row role_rows[];
extern const size_t role_rows_n;
/* Started by a command alone, of which it is the child: no part of a server. */
extern const struct role_row fetcher_row;
const struct role_row *role_row_named(const char *name);

/* Who is connected with whom. Whoever starts gets a channel to each that runs; what it is called on
 * each side is the other's kind in hand_over. */
struct role_edge {
	int a, b; /* enum peer_class */
	const char *called_by_a, *called_by_b;
};
extern const struct role_edge role_edges[];
extern const size_t role_edges_n;

/* The services, their standard ports, and who serves them. */
struct service_row {
	const char *name;
	uint16_t port;
	int peer_class; /* CLASS_MX or CLASS_USER */
	const struct session_class *session;
	bool implicit_tls;
	const char *alpn; /* RFC 7301's registered name, or NULL */
};
extern const struct service_row service_rows[];
extern const size_t service_rows_n;
const struct service_row *service_row_named(struct str name);

#endif
