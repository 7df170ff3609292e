// SPDX-License-Identifier: Apache-2.0
/* Which fault is planted (see planted.h): the only globals that there are, in builds with tests
 * alone. */
#include "base/planted.h"

#ifdef CULVER_PLANTED
#include <stdlib.h>
#include <string.h>

const char *planted_name;
bool planted_reached;

bool planted(const char *name)
{
	bool is = planted_name && strcmp(planted_name, name) == 0;
	if (is && !planted_reached)
		planted_reached = true;
	return is;
}

void planted_from_environment(void)
{
	planted_name = getenv("CULVER_PLANTED");
}
#endif
