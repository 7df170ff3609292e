// SPDX-License-Identifier: Apache-2.0
/* X2: a POP3 session at each of its allocations. It ends, or goes on as if nothing had been; what
 * it has said until then is what it says otherwise. */
#include "base/no_memory.h"
#include "pop3/fake_host.h"

static const struct fake_message two[] = {
	{ STR_INIT("Subject: one\r\n\r\nfirst\r\n.dot\r\n"), 3, 0, false },
	{ STR_INIT("Subject: two\r\n\r\nlast"), 8, 0, false },
};
static const char *const lines[] = { "CAPA\r\n", "UTF8\r\n", "LANG *\r\n", "USER alice\r\n",
	"PASS secret\r\n", "STAT\r\n", "LIST\r\n", "UIDL\r\n", "RETR 1\r\n",
	"TOP 2 1\r\nRETR 2\r\n", "DELE 1\r\n", "LAST\r\n", "RSET\r\n", "DELE 2\r\n", "NOOP\r\n",
	"QUIT\r\n", NULL };

static void dialogue(void *arg)
{
	static struct fake_host f;
	(void)arg;
	f.message = two;
	f.messages = ARRAY_LEN(two);
	f.peer.tls = true;
	no_memory_from_here();
	fake_open(&f);
	for (size_t i = 0; lines[i]; i++) {
		fake_say(&f, str_from(lines[i]));
		no_memory_note(buf_str(&f.out));
	}
	no_memory_until_here();
	fake_close(&f);
}

static void x2_each_allocation_of_a_session(void **state)
{
	(void)state;
	NO_MEMORY_EACH(run, "pop3", dialogue, NULL)
	no_memory_said_the_same(&run);
}

TEST_MAIN(test_case(x2_each_allocation_of_a_session))
