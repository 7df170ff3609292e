/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that are planted on purpose, so that the simulation can show that it would see them
 * (docs/simulation.md). Builds without tests have none of them: there planted() is false when it is
 * compiled, and nothing of it is left. In the others culver-sim --planted NAME switches one on, or,
 * for the tests that cut the power under a server, CULVER_PLANTED=NAME in its environment.
 *
 *     if (segment_flush_file(…) < 0 && !planted("flush_error_ignored"))
 *
 * uses: nothing; used by: store, process, smtp, imap, cli, io, where a fault would lose mail
 */
#ifndef CULVER_BASE_PLANTED_H
#define CULVER_BASE_PLANTED_H

#include "base/planted_config.h"

#include <stdbool.h>

#ifdef CULVER_PLANTED
extern const char *planted_name; /* NULL: none */
extern bool planted_reached;     /* somebody has come by where it is */
bool planted(const char *name);
void planted_from_environment(void); /* which the supervisor hands on to its roles */
#else
#define planted(name)              false
#define planted_from_environment() ((void)0)
#endif

#endif
