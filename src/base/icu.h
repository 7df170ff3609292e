/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICU's verdict. Text that it refuses is the other side's mistake and is answered for good; memory
 * that it could not have is ours, and ends the process like any other (base/mem.h): a mail would
 * bounce otherwise.
 *
 * uses: mem; used by: mail, auth, store
 */
#ifndef CULVER_BASE_ICU_H
#define CULVER_BASE_ICU_H

#include "base/mem.h"

#include <unicode/utypes.h>

static inline bool icu_good(UErrorCode status)
{
	if (status == U_MEMORY_ALLOCATION_ERROR)
		mem_exhausted();
	return U_SUCCESS(status);
}

#endif
