// SPDX-License-Identifier: Apache-2.0
/* The table of subcommands. */
#include <stdio.h>

int main(void)
{
	puts("culver " CULVER_VERSION);
	return 0;
}
