/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target includes. FUZZ_CHECK ends the run when a property does not hold. */
#ifndef CULVER_BASE_FUZZ_H
#define CULVER_BASE_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			__builtin_trap();                                                          \
	} while (0)

#endif
