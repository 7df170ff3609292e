// SPDX-License-Identifier: Apache-2.0
/*
 * Names from bytes that may be anything. A canonical name is its own canonical name; what may be
 * added is what a client can name: the SMTP grammar takes it, and makes the same of it.
 */
#include "store/names.h"

#include "base/buf.h"
#include "base/fuzz.h"
#include "mail/address.h"

static void check_mailbox(struct str text)
{
	struct mailbox_name once, twice;
	if (mailbox_name_canonical(text, &once, NULL) < 0)
		return;
	FUZZ_CHECK(mailbox_name_canonical(mailbox_name_str(&once), &twice, NULL) == 0);
	FUZZ_CHECK(str_equal(mailbox_name_str(&once), mailbox_name_str(&twice)));
}

static void check_domain_name(struct str text)
{
	char once[LIMIT_DOMAIN_BYTES + 1], twice[LIMIT_DOMAIN_BYTES + 1];
	if (domain_canonical(text, once, NULL) < 0)
		return;
	FUZZ_CHECK(domain_canonical(str_from(once), twice, NULL) == 0);
	FUZZ_CHECK(str_equal(str_from(once), str_from(twice)));
	if (domain_check(str_from(once), NULL) == 0)
		FUZZ_CHECK(str_is_ascii(str_from(once)) && mail_domain_valid(str_from(once)));
}

static void check_address_name(struct str text)
{
	struct address_name once, twice, plain;
	struct buf wire;
	if (address_canonical(text, &once, NULL) < 0)
		return;
	FUZZ_CHECK(once.at < once.n && once.text[once.at] == '@');
	FUZZ_CHECK(address_canonical(address_str(&once), &twice, NULL) == 0);
	FUZZ_CHECK(str_equal(address_str(&once), address_str(&twice)));
	buf_init(&wire, LIMIT_ADDRESS_BYTES);
	if (address_check(address_str(&once), NULL) == 0) {
		FUZZ_CHECK(mail_address_normalize(address_str(&once), &wire));
		FUZZ_CHECK(str_equal(buf_str(&wire), address_str(&once)));
		if (address_without_detail(&once, &plain)) {
			FUZZ_CHECK(plain.n <= once.n + 1); /* two quotes for a plus */
			FUZZ_CHECK(plain.at <= LIMIT_LOCAL_PART_BYTES);
			FUZZ_CHECK(str_equal(address_domain(&plain), address_domain(&once)));
		}
	}
	buf_done(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size);
	check_mailbox(text);
	check_domain_name(text);
	check_address_name(text);
	return 0;
}
