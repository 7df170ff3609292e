// SPDX-License-Identifier: Apache-2.0
/* Lists: total, bounded, groups in pairs. One address: the normal form is its own normal form. */
#include "base/fuzz.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/build.h"

static void check_list(struct str text)
{
	struct arena a;
	struct mail_addresses list;
	size_t open = 0, mailboxes = 0;
	arena_init(&a, 1 << 20);
	mail_addresses_parse(&a, text, &list);
	FUZZ_CHECK(list.n <= LIMIT_ADDRESSES + 1);
	for (size_t i = 0; i < list.n; i++) {
		open += list.v[i].kind == MAIL_ADDRESS_GROUP_START;
		open -= list.v[i].kind == MAIL_ADDRESS_GROUP_END;
		FUZZ_CHECK(open <= 1);
		if (list.v[i].kind != MAIL_ADDRESS_MAILBOX)
			continue;
		mailboxes++;
		FUZZ_CHECK(list.v[i].local.p != NULL && list.v[i].domain.p != NULL);
	}
	FUZZ_CHECK(open == 0 && mailboxes == list.mailboxes);
	arena_done(&a);
}

/* A normal form parses as a list of one address with the same parts. */
static void check_address(struct str text)
{
	struct buf once, twice;
	buf_init(&once, 400);
	buf_init(&twice, 400);
	if (mail_address_normalize(text, &once)) {
		struct arena a;
		struct mail_addresses list;
		FUZZ_CHECK(mail_address_normalize(buf_str(&once), &twice));
		FUZZ_CHECK(str_equal(buf_str(&once), buf_str(&twice)));
		arena_init(&a, 1 << 20);
		mail_addresses_parse(&a, buf_str(&once), &list);
		FUZZ_CHECK(list.n == 1 && !list.malformed);
		arena_done(&a);
	}
	buf_done(&once);
	buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	struct buf out;
	check_list(text);
	check_address(text);
	buf_init(&out, 1 << 20);
	mail_strip_comments(text, &out);
	buf_clear(&out);
	if (mail_build_text(&out, STR("Subject"), text))
		FUZZ_CHECK(str_find(str_chomp(buf_str(&out)), '\0') == out.n - 2);
	buf_done(&out);
	return 0;
}
