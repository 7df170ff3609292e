// SPDX-License-Identifier: Apache-2.0
/* Which fault is planted (see planted.h): the one global that there is, in builds with tests alone.
 */
#include "base/planted.h"

#ifdef CULVER_PLANTED
#include <stdlib.h>
#include <string.h>

const char *planted_name;

bool planted(const char *name)
{
	return planted_name && strcmp(planted_name, name) == 0;
}

void planted_from_environment(void)
{
	planted_name = getenv("CULVER_PLANTED");
}
#endif
