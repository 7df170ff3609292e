// SPDX-License-Identifier: Apache-2.0
#include "imap/clients.h"

#include "base/mem.h"
#include "base/test.h"

static const struct {
	const char *pattern, *name, *version;
	bool is;
} cases[] = {
	{ "Thunderbird", "Thunderbird", "", true },
	{ "thunderBIRD", "Thunderbird", "140", true },
	{ "Thunderbird", "Thunderbirds", "", false },
	{ "Thunderbirds", "Thunderbird", "", false },
	{ "Microsoft*365", "Microsoft Office 365", "15.20", true },
	{ "Microsoft*365", "Microsoft Office 3650", "", false },
	{ "*", "x", "", true },
	{ "**", "x", "", true },
	{ "*x", "axbx", "", true },
	{ "*x*y*", "1x2x3y4", "", true },
	{ "*x*y*", "1y2x3", "", false },
	/* who has said nothing is nobody */
	{ "*", "", "", false },
	{ "", "", "", false },
	{ "", "x", "", false },
	/* versions */
	{ "Mail/1.*", "Mail", "1.5", true },
	{ "Mail/1.*", "Mail", "2.0", false },
	{ "Mail/1.*", "Mail", "", false },
	{ "Mail/*", "Mail", "", true },
	{ "Mail/", "Mail", "", true },
	{ "Mail/", "Mail", "1", false },
	{ "Horde*horde.org*/*", "Horde, http://www.horde.org/", "1", true },
	{ "Horde*/2", "Horde, http://www.horde.org/", "2", true },
	/* bytes that are no letters compare as they are */
	{ "caf\xc3\xa9", "CAF\xc3\xa9", "", true },
	{ "caf\xc3\xa9", "caf\xc3\x89", "", false },
};

static struct imap_id id_of(const char *name, const char *version)
{
	struct imap_id id = { .name = "" };

	imap_id_set(&id, STR("Name"), str_from(name));
	imap_id_set(&id, STR("VERSION"), str_from(version));
	return id;
}

static void test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct imap_id id = id_of(cases[i].name, cases[i].version);

		if (imap_id_is(&id, str_from(cases[i].pattern)) != cases[i].is)
			fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].name);
	}
}

static void test_fields(void **state)
{
	struct imap_id id = id_of("Mail", "1");
	char text[LIMIT_IMAP_ID_BYTES + 1];

	(void)state;
	imap_id_set(&id, STR("vendor"), STR("x"));
	assert_true(imap_id_is(&id, STR("Mail/1")));
	imap_id_set(&id, STR("name"), STR("a\0b"));
	assert_false(imap_id_is(&id, STR("*")));
	memset(text, 'x', sizeof text);
	imap_id_set(&id, STR("name"), str_make(text, LIMIT_IMAP_ID_BYTES - 1));
	assert_true(imap_id_is(&id, str_make(text, LIMIT_IMAP_ID_BYTES - 1)));
	imap_id_set(&id, STR("name"), str_make(text, LIMIT_IMAP_ID_BYTES));
	assert_true(imap_id_is(&id, str_make(text, LIMIT_IMAP_ID_BYTES)));
	imap_id_set(&id, STR("name"), str_make(text, LIMIT_IMAP_ID_BYTES + 1));
	assert_false(imap_id_is(&id, STR("*")));
}

static void test_known(void **state)
{
	struct imap_id id = id_of("Microsoft Office 365", "15.20.9160.4"),
		       other = id_of("Mail", "");

	(void)state;
	assert_true(imap_id_trips(&id, STR("uidonly")));
	assert_false(imap_id_trips(&id, STR("IDLE")));
	assert_false(imap_id_trips(&other, STR("UIDONLY")));
}

TEST_MAIN(test_case(test_patterns), test_case(test_fields), test_case(test_known))
