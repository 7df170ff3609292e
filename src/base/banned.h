/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that nobody may call, as compile errors. Included by the build (-include) into every
 * source of ours, after the system's headers of the same name have been read once.
 */
#ifndef CULVER_BASE_BANNED_H
#define CULVER_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca
#pragma GCC poison strcpy strcat strncpy strncat strtok sprintf vsprintf gets atoi atol atof
#pragma GCC poison gmtime localtime asctime ctime mktime tmpnam mktemp system popen alloca

#endif
