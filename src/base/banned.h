/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that nobody may call, as compile errors. Included by the build (-include) into every
 * source of ours, after the system's headers of the same name have been read once. Instead: struct
 * buf and snprintf for texts, scan_number for numbers, base/time.h for dates, the seams for
 * randomness, fork and execve for programs.
 */
#ifndef CULVER_BASE_BANNED_H
#define CULVER_BASE_BANNED_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Some are macros in some builds: alloca in gcc, sprintf in clang with _FORTIFY_SOURCE. */
#undef alloca
#undef sprintf
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat strtok strtok_r stpcpy sprintf vsprintf gets
#pragma GCC poison atoi atol atoll atof strtol strtoul strtoll strtoull scanf sscanf
#pragma GCC poison gmtime gmtime_r localtime localtime_r asctime ctime mktime timegm strftime
#pragma GCC poison tmpnam mktemp system popen alloca

#endif
