/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libconfuse does not do well. A key that is given twice: it takes the last one without a
 * word; for whoever edits the first that is a riddle. Comments: each counts as up to three lines,
 * so that mistakes below it are reported for a wrong one. A byte order mark, which some editors
 * begin UTF-8 with: it makes the first key one that nobody knows, and is not seen.
 *
 * uses: base; used by: config
 */
#ifndef CULVER_CONFIG_TWICE_H
#define CULVER_CONFIG_TWICE_H

#include "base/str.h"

struct config_twice {
	struct str name;   /* in the text */
	int first, second; /* lines, from 1 */
};

/* Makes blanks of all comments, but keeps their newlines, and of a byte order mark at the
 * beginning. A "#" within quotes begins no comment. */
void config_blank(char *text, size_t n);

/* The first key that gets a value by "=" a second time, in a text whose syntax is right and that
 * has no comments. */
bool config_find_twice(struct str text, struct config_twice *ret);

#endif
