// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"
#include "base/test.h"

static void keeps_its_maximum(void **state)
{
	(void)state;
	struct buf b;
	buf_init(&b, 4);
	assert_true(buf_addz(&b, "abc"));
	assert_true(buf_addz(&b, "d"));
	assert_false(buf_addz(&b, "e"));
	assert_true(b.full);
	assert_true(str_equal(buf_str(&b), STR("abcd")));
	buf_done(&b);
}

TEST_MAIN(test_case(keeps_its_maximum))
