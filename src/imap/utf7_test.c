// SPDX-License-Identifier: Apache-2.0
#include "imap/utf7.h"

#include "base/test.h"

/* I8 */
static void knows_the_canonical_form_alone(void **state)
{
	(void)state;
	static const struct {
		struct str wire;
		const char *utf8; /* NULL: not canonical */
	} cases[] = {
		{ STR_INIT("INBOX"), "INBOX" },
		{ STR_INIT(""), "" },
		{ STR_INIT("a&-b"), "a&b" },
		{ STR_INIT("&-&-"), "&&" },
		/* RFC 3501 5.1.3 */
		{ STR_INIT("~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
			"~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
			"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
		{ STR_INIT("&AOQ-"), "\xc3\xa4" },
		{ STR_INIT("&AOQ-&-"), "\xc3\xa4&" },
		{ STR_INIT("&2D3eAA-"), "\xf0\x9f\x98\x80" },
		{ STR_INIT("&AAE-"), "\x01" },    /* control characters are for the name's rules */
		{ STR_INIT("&AOQ-&APY-"), NULL }, /* one shift would do */
		{ STR_INIT("&AOQ"), NULL },       /* not ended */
		{ STR_INIT("&"), NULL },
		{ STR_INIT("a&"), NULL },
		{ STR_INIT("&AAA-"), NULL },  /* NUL */
		{ STR_INIT("&AGE-"), NULL },  /* "a" */
		{ STR_INIT("&AOR-"), NULL },  /* leftover bits that are not zero */
		{ STR_INIT("&AOQA-"), NULL }, /* a digit too many */
		{ STR_INIT("&A-"), NULL },
		{ STR_INIT("&2D0-"), NULL },    /* half of a pair */
		{ STR_INIT("&3gA-"), NULL },    /* the other half */
		{ STR_INIT("&2D3YPQ-"), NULL }, /* high, high */
		{ STR_INIT("&2D0AYQ-"), NULL }, /* high, "a" */
		{ STR_INIT("&AOQ/-"), NULL },   /* "/" is "," here */
		{ STR_INIT("&AOQ=-"), NULL },
		{ STR_INIT("\xc3\xa4"), NULL },
		{ STR_INIT("a\x7f"), NULL },
		{ STR_INIT("a\0"), NULL },
	};
	struct buf b;
	buf_init(&b, 200);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&b);
		bool ok = utf7_decode(cases[i].wire, &b);
		if (cases[i].utf8 == NULL) {
			if (ok)
				fail_msg("%s was read", cases[i].wire.p);
			assert_int_equal(b.n, 0);
			continue;
		}
		if (!ok)
			fail_msg("%s was not read", cases[i].wire.p);
		assert_str(buf_str(&b), str_from(cases[i].utf8));
		buf_clear(&b);
		assert_true(utf7_encode(str_from(cases[i].utf8), &b));
		assert_str(buf_str(&b), cases[i].wire);
	}
	buf_clear(&b);
	assert_false(utf7_encode(STR("a\xff"), &b));
	assert_false(utf7_encode(STR("\xed\xa0\xbd"), &b)); /* a surrogate as UTF-8 */
	assert_int_equal(b.n, 0);
	buf_done(&b);
}

static void keeps_its_room(void **state)
{
	(void)state;
	for (size_t max = 0; max < 12; max++) {
		struct buf b;
		buf_init(&b, max);
		assert_int_equal(utf7_encode(STR("\xc3\xa4&x"), &b), max >= 8);
		buf_done(&b);
		buf_init(&b, max);
		assert_int_equal(utf7_decode(STR("&AOQ-&-x"), &b), max >= 4);
		assert_int_equal(b.n, max >= 4 ? 4 : 0);
		buf_done(&b);
	}
}

TEST_MAIN(test_case(knows_the_canonical_form_alone), test_case(keeps_its_room))
