// SPDX-License-Identifier: Apache-2.0
/* Annotations: the examples of RFC 5464, and what is refused. */
#include "imap/dialogue.h"

/* RFC 5464 4.2, 4.3, 4.4.1 */
static void test_examples(void **state)
{
	(void)state;
	dialogue(
		LOGIN "C: a SETMETADATA \"\" (/shared/comment \"Shared comment\")\n"
		      "S: a OK SETMETADATA completed\n"
		      "C: b GETMETADATA \"\" /shared/comment\n"
		      "S: * METADATA \"\" (/shared/comment \"Shared comment\")\n"
		      "S: b OK GETMETADATA completed\n"
		      "C: c SETMETADATA INBOX (/private/comment \"My new comment\" /shared/comment "
		      "\"This one is for you!\")\n"
		      "S: c OK ~\n"
		      "C: d GETMETADATA \"INBOX\" /private/comment\n"
		      "S: * METADATA INBOX (/private/comment \"My new comment\")\n"
		      "S: d OK ~\n"
		      "C: e GETMETADATA \"INBOX\" (/shared/comment /private/comment)\n"
		      "S: * METADATA INBOX (/private/comment \"My new comment\" /shared/comment "
		      "\"This one "
		      "is for you!\")\n"
		      "S: e OK ~\n"
		      "C: f GETMETADATA \"INBOX\" /private/comment /shared/comment\n" /* 4.4.1 */
		      "S: * METADATA INBOX (/private/comment ~ /shared/comment ~)\n"
		      "S: f OK ~\n"
		      "C: g SETMETADATA INBOX (/private/comment {33}\n"
		      "S: + OK\n"
		      "C: My new comment across\n"
		      "C: two lines.)\n"
		      "S: g OK ~\n"
		      "C: h GETMETADATA INBOX /PRIVATE/Comment\n"
		      "S: * METADATA INBOX (/private/comment {33}\n"
		      "S: My new comment across\n"
		      "S: two lines.)\n"
		      "S: h OK ~\n"
		      "C: i SETMETADATA INBOX (/private/comment NIL)\n"
		      "S: i OK ~\n"
		      "C: j GETMETADATA INBOX /private/comment\n"
		      "S: * METADATA INBOX (/private/comment NIL)\n"
		      "S: j OK ~\n");
}

/* RFC 5464 4.2.1, 4.2.2 */
static void test_options(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a SETMETADATA INBOX (/private/filters/values/small \"SMALLER 5000\" "
		       "/private/filters/values/boss \"FROM \\\"boss@example.com\\\"\" "
		       "/private/filters/values/boss/why \"x\" /private/filtersx \"y\")\n"
		       "S: a OK ~\n"
		       "C: b GETMETADATA \"INBOX\" (DEPTH 1) (/private/filters/values)\n"
		       "S: * METADATA INBOX (/private/filters/values/small \"SMALLER 5000\" "
		       "/private/filters/values/boss \"FROM \\\"boss@example.com\\\"\")\n"
		       "S: b OK ~\n"
		       "C: c GETMETADATA (DEPTH infinity) INBOX /private\n"
		       "S: * METADATA INBOX (/private/filters/values/small ~ "
		       "/private/filters/values/boss ~ "
		       "/private/filters/values/boss/why ~ /private/filtersx ~)\n"
		       "S: c OK ~\n"
		       "C: d GETMETADATA INBOX (DEPTH infinity) /private/filters\n"
		       "S: * METADATA INBOX (/private/filters/values/small ~ "
		       "/private/filters/values/boss ~ "
		       "/private/filters/values/boss/why \"x\")\n"
		       "S: d OK ~\n"
		       "C: e GETMETADATA \"INBOX\" (MAXSIZE 2) (/private/filtersx "
		       "/private/filters/values/small)\n"
		       "S: * METADATA INBOX (/private/filtersx \"y\")\n"
		       "S: e OK [METADATA LONGENTRIES 12] ~\n"
		       "C: f GETMETADATA (MAXSIZE 100 DEPTH 0) INBOX /private/filters\n"
		       "S: * METADATA INBOX (/private/filters NIL)\n"
		       "S: f OK ~\n"
		       "C: g GETMETADATA INBOX (DEPTH 2) /private/filters\n"
		       "S: g BAD ~\n"
		       "C: h GETMETADATA INBOX (SIZE 2) /private/filters\n"
		       "S: h BAD ~\n");
}

static void test_refusals(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a GETMETADATA nowhere /private/comment\n"
		       "S: a NO [NONEXISTENT] ~\n"
		       "C: b SETMETADATA nowhere (/private/comment \"x\")\n"
		       "S: b NO [NONEXISTENT] ~\n");
	static const char *const bad[] = { "SETMETADATA INBOX /private/comment x",
		"SETMETADATA INBOX ()", "SETMETADATA INBOX (/private/comment)",
		"SETMETADATA INBOX (comment x)", "SETMETADATA INBOX (/other/comment \"x\")",
		"SETMETADATA INBOX (/private \"x\")", "SETMETADATA INBOX (/private/a* \"x\")",
		"SETMETADATA INBOX (/private/a% \"x\")", "SETMETADATA INBOX (/private/a/ \"x\")",
		"SETMETADATA INBOX (/private//a \"x\")", "GETMETADATA INBOX", "GETMETADATA",
		"GETMETADATA INBOX ()", "GETMETADATA INBOX (/private/a", "SETMETADATA",
		"SETMETADATA INBOX (/private/a \"x\") x" };
	struct fake f;
	struct buf in;

	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_init(&in, 1000);
		buf_addf(&in, "a %s\r\n", bad[i]);
		fake_send(&f, 0, buf_str(&in));
		dialogue_part(&f, "S: a BAD ~\n");
		buf_done(&in);
	}
	fake_done(&f);
}

/* A value as long as may be, and one byte more; as many at once, and one more. */
static void test_limits(void **state)
{
	struct fake f;
	struct buf in;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, LOGIN);
	for (size_t n = LIMIT_ANNOTATION_BYTES; n <= LIMIT_ANNOTATION_BYTES + 1; n++) {
		buf_init(&in, 10000);
		buf_addf(&in, "a SETMETADATA INBOX (/private/a {%zu+}\r\n", n);
		for (size_t i = 0; i < n; i++)
			buf_addc(&in, 'x');
		buf_addz(&in, ")\r\n");
		fake_send(&f, 0, buf_str(&in));
		dialogue_part(&f, n == LIMIT_ANNOTATION_BYTES
					  ? "S: a OK ~\n"
					  : "S: a NO [METADATA MAXSIZE 4096] ~\n");
		buf_done(&in);
	}
	for (int n = LIMIT_ANNOTATION_NAME_BYTES; n <= LIMIT_ANNOTATION_NAME_BYTES + 1; n++) {
		buf_init(&in, 10000);
		buf_addz(&in, "a GETMETADATA INBOX /private/");
		for (int i = 9; i < n; i++)
			buf_addc(&in, 'x');
		buf_addz(&in, "\r\n");
		fake_send(&f, 0, buf_str(&in));
		dialogue_part(&f, n == LIMIT_ANNOTATION_NAME_BYTES
					  ? "S: * METADATA INBOX (/private/~ NIL)\nS: a OK ~\n"
					  : "S: a BAD ~\n");
		buf_done(&in);
	}
	for (int n = LIMIT_ANNOTATIONS_AT_ONCE; n <= LIMIT_ANNOTATIONS_AT_ONCE + 1; n++) {
		buf_init(&in, 10000);
		buf_addz(&in, "a SETMETADATA INBOX (/private/a NIL");
		for (int i = 1; i < n; i++)
			buf_addf(&in, " /private/a%d \"\"", i);
		buf_addz(&in, ")\r\n");
		fake_send(&f, 0, buf_str(&in));
		dialogue_part(&f, n == LIMIT_ANNOTATIONS_AT_ONCE
					  ? "S: a OK ~\n"
					  : "S: a NO [METADATA TOOMANY] ~\n");
		buf_done(&in);
	}
	dialogue_with(&f, "C: z SETMETADATA INBOX (/private/b1 \"\" /private/b2 \"\" /private/b3 "
			  "\"\" /private/b4 \"\" /private/b5 \"\")\n"
			  "S: z NO [METADATA TOOMANY] ~\n");
	fake_done(&f);
}

/* RFC 6154 4, 5.4: what LIST says of a mailbox, not what somebody set */
static void test_special_use(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a GETMETADATA Sent /private/specialuse\n"
		       "S: * METADATA Sent (/private/specialuse \"\\\\Sent\")\n"
		       "S: a OK ~\n"
		       "C: b CREATE MySpecial (USE (\\Drafts \\Junk))\n"
		       "S: b OK ~\n"
		       "C: c GETMETADATA (DEPTH infinity) MySpecial /private\n"
		       "S: * METADATA MySpecial (/private/specialuse \"\\\\Drafts \\\\Junk\")\n"
		       "S: c OK ~\n"
		       "C: d GETMETADATA INBOX (/private/specialuse /private/comment)\n"
		       "S: * METADATA INBOX (/private/specialuse NIL /private/comment NIL)\n"
		       "S: d OK ~\n"
		       "C: e GETMETADATA (MAXSIZE 3) Sent /private/specialuse\n"
		       "S: e OK [METADATA LONGENTRIES 5] ~\n"
		       "C: f SETMETADATA INBOX (/private/comment \"x\" /Private/SpecialUse "
		       "\"\\\\Junk\")\n"
		       "S: f NO [CANNOT] ~\n"
		       "C: g SETMETADATA Sent (/private/specialuse NIL)\n"
		       "S: g NO [CANNOT] ~\n"
		       "C: h GETMETADATA INBOX (/private/comment)\n"
		       "S: * METADATA INBOX (/private/comment NIL)\n"
		       "S: h OK ~\n"
		       /* of the account it means nothing */
		       "C: i SETMETADATA \"\" (/private/specialuse \"x\")\n"
		       "S: i OK ~\n"
		       "C: j GETMETADATA \"\" /private/specialuse\n"
		       "S: * METADATA \"\" (/private/specialuse \"x\")\n"
		       "S: j OK ~\n");
}

/* What was set before that was so is not told, but for the special use itself */
static void test_special_use_of_before(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	f.annotations[0] = (struct fake_annotation){ .mailbox = f.boxes[0].m.id, .n = 1 };
	memcpy(f.annotations[0].name, "/private/specialuse", 20);
	f.annotations[0].value[0] = 'x';
	f.n_annotations = 1;
	dialogue_part(&f, LOGIN);
	dialogue_with(&f, "C: a GETMETADATA INBOX /private/specialuse\n"
			  "S: * METADATA INBOX (/private/specialuse NIL)\n"
			  "S: a OK ~\n");
	fake_done(&f);
}

/* A value that is longer than any command: refused before it comes, with the same code */
static void test_huge_value(void **state)
{
	(void)state;
	dialogue(LOGIN "C: a SETMETADATA INBOX (/private/comment {2097152}\n"
		       "S: a NO [METADATA MAXSIZE 4096] ~\n"
		       "C: b SETMETADATA INBOX (/private/comment {1048576}\n"
		       "S: b NO [METADATA MAXSIZE 4096] ~\n"
		       "C: c SUBSCRIBE {2097152}\n"
		       "S: c BAD [TOOBIG] ~\n"
		       "C: d NOOP\n"
		       "S: d OK ~\n");
}

TEST_MAIN(test_case(test_examples), test_case(test_options), test_case(test_refusals),
	test_case(test_special_use), test_case(test_special_use_of_before),
	test_case(test_huge_value), test_case(test_limits))
