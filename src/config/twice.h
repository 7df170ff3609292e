/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key that is given twice. libconfuse takes the last one without a word; for whoever edits the
 * first that is a riddle.
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

/* The first key that gets a value by "=" a second time, in a text whose syntax is right. */
bool config_find_twice(struct str text, struct config_twice *ret);

#endif
