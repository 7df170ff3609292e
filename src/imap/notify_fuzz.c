// SPDX-License-Identifier: Apache-2.0
/* NOTIFY's arguments: what is understood keeps the rules of RFC 5465 5 and 6.1. */
#include "base/fuzz.h"
#include "imap/notify.h"

static bool are_complete(unsigned events)
{
	unsigned both = events & (EVENT_NEW | EVENT_EXPUNGE);

	return (events & EVENT_UNKNOWN) != 0 || both == (EVENT_NEW | EVENT_EXPUNGE) ||
	       (events & EVENTS_OF_MESSAGES) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scan s = scan_from(str_make(data, size));
	struct err err = ERR_INIT;
	struct notify_spec spec;
	struct arena a;

	arena_init(&a, LIMIT_NOTIFY_BYTES);
	if (notify_parse(&s, &a, &spec, &err) == 0) {
		FUZZ_CHECK(scan_end(&s) && spec.n <= LIMIT_NOTIFY_GROUPS);
		FUZZ_CHECK(are_complete(spec.selected) && !spec.attrs.sets_seen);
		FUZZ_CHECK(spec.names <= LIMIT_NOTIFY_NAMES);
		FUZZ_CHECK((spec.selected & ~(unsigned)(EVENTS_OF_MESSAGES | EVENT_UNKNOWN)) == 0);
		for (size_t i = 0; i < spec.n; i++)
			FUZZ_CHECK(are_complete(spec.groups[i].events) &&
				   spec.groups[i].n <= spec.names);
	}
	arena_done(&a);
	return 0;
}
