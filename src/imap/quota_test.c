// SPDX-License-Identifier: Apache-2.0
/* Quotas (RFC 9208), APPENDLIMIT (RFC 7889), and what COMPRESS says (RFC 4978). */
#include "imap/dialogue.h"

static void with_quota(struct frame_quota_is quota, const char *text)
{
	struct fake f;

	fake_init(&f);
	f.quota = quota;
	fake_connect(&f, "imaps", true);
	dialogue_with(&f, text);
	fake_done(&f);
}

/* RFC 9208 4.1.1, 4.1.2, 4.2 */
static void test_quota(void **state)
{
	(void)state;
	with_quota((struct frame_quota_is){ 10239, 42, 524288, 1000 },
		LOGIN "C: G0001 GETQUOTA \"\"\n"
		      "S: * QUOTA \"\" (STORAGE 10 512 MESSAGE 42 1000)\n"
		      "S: G0001 OK GETQUOTA completed\n"
		      "C: G0002 GETQUOTAROOT INBOX\n"
		      "S: * QUOTAROOT INBOX \"\"\n"
		      "S: * QUOTA \"\" (STORAGE 10 512 MESSAGE 42 1000)\n"
		      "S: G0002 OK GETQUOTAROOT completed\n"
		      "C: a GETQUOTAROOT \"no such\"\n" /* it need not exist */
		      "S: * QUOTAROOT \"no such\" \"\"\n"
		      "S: * QUOTA ~\n"
		      "S: a OK ~\n"
		      "C: b GETQUOTA \"!partition/sda4\"\n"
		      "S: b NO [NONEXISTENT] ~\n"
		      "C: c GETQUOTA\n"
		      "S: c BAD ~\n"
		      "C: d GETQUOTA \"\" x\n"
		      "S: d BAD ~\n"
		      /* 4.1.3: as a limit that can't be changed */
		      "C: S0001 SETQUOTA \"\" (STORAGE 510)\n"
		      "S: * QUOTA \"\" (STORAGE 10 512 MESSAGE 42 1000)\n"
		      "S: S0001 NO [NOPERM] ~\n"
		      "C: e SETQUOTA \"\" ()\n"
		      "S: * QUOTA \"\" (STORAGE 10 512 MESSAGE 42 1000)\n"
		      "S: e NO [NOPERM] ~\n"
		      "C: e2 SETQUOTA \"\" (STORAGE 1 MESSAGE 2 x-unknown 9223372036854775807)\n"
		      "S: * QUOTA ~\n"
		      "S: e2 NO [NOPERM] ~\n"
		      "C: e3 SETQUOTA \"\" (STORAGE 1 2)\n"
		      "S: e3 BAD ~\n"
		      "C: e4 SETQUOTA \"\" (STORAGE 9223372036854775808)\n"
		      "S: e4 BAD ~\n"
		      "C: e5 SETQUOTA \"\" (STORAGE -1)\n"
		      "S: e5 BAD ~\n"
		      "C: e6 SETQUOTA \"\" (STORAGE 1) x\n"
		      "S: e6 BAD ~\n"
		      "C: e7 SETQUOTA \"\"\n"
		      "S: e7 BAD ~\n"
		      "C: f SETQUOTA \"\" (STORAGE)\n"
		      "S: f BAD ~\n"
		      "C: g SETQUOTA \"#user/alice\" (STORAGE 510 MESSAGE 9)\n"
		      "S: g NO [NONEXISTENT] ~\n");
	with_quota((struct frame_quota_is){ 0, 7, 0, 9 }, LOGIN "C: a GETQUOTA \"\"\n"
								"S: * QUOTA \"\" (MESSAGE 7 9)\n"
								"S: a OK ~\n");
	with_quota((struct frame_quota_is){ 1, 7, 1, 0 }, LOGIN "C: a GETQUOTA \"\"\n"
								"S: * QUOTA \"\" (STORAGE 1 1)\n"
								"S: a OK ~\n");
	with_quota((struct frame_quota_is){ 1, 7, 0, 0 }, LOGIN "C: a GETQUOTA \"\"\n"
								"S: a NO [NONEXISTENT] ~\n"
								"C: b GETQUOTAROOT INBOX\n"
								"S: * QUOTAROOT INBOX\n"
								"S: b OK ~\n"
								"C: c SETQUOTA \"\" (STORAGE 9)\n"
								"S: c NO [NOPERM] ~\n");
}

/* RFC 9208 4.1.4, RFC 7889 3 */
static void test_status(void **state)
{
	struct fake f;

	(void)state;
	fake_init(&f);
	fake_connect(&f, "imaps", true);
	f.boxes[0].m.deleted_size = 8;
	dialogue_with(&f, LOGIN "C: S0003 STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)\n"
				"S: * STATUS INBOX (MESSAGES 0 DELETED 0 DELETED-STORAGE 8)\n"
				"S: S0003 OK ~\n"
				"C: t1 STATUS INBOX (APPENDLIMIT)\n"
				"S: * STATUS INBOX (APPENDLIMIT 52428800)\n"
				"S: t1 OK ~\n"
				"C: t2 LIST \"\" INBOX RETURN (STATUS (APPENDLIMIT))\n"
				"S: * LIST (~) \"/\" INBOX\n"
				"S: * STATUS INBOX (APPENDLIMIT 52428800)\n"
				"S: t2 OK ~\n"
				"C: t3 CAPABILITY\n"
				"S: * CAPABILITY ~ QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE "
				"QUOTASET "
				"APPENDLIMIT=52428800 ~\n"
				"S: t3 OK ~\n");
	fake_done(&f);
}

/* RFC 9208 4.2.2, RFC 7889: a large message that has no room is not asked for. A small one is
 * refused by the commit (the store's test). */
static void test_append(void **state)
{
	(void)state;
	with_quota((struct frame_quota_is){ 100000, 7, 200000, 0 },
		LOGIN "C: a APPEND INBOX {100001}\n"
		      "S: a NO [OVERQUOTA] ~\n"
		      "C: b APPEND INBOX (\\Seen) {100000}\n"
		      "S: + Ready ~\n");
	with_quota((struct frame_quota_is){ 0, 7, 1, 0 },
		LOGIN "C: a APPEND INBOX CATENATE (TEXT {65537}\n"
		      "S: a NO [OVERQUOTA] ~\n"
		      "C: b APPEND nowhere {65537}\n"
		      "S: b NO [TRYCREATE] ~\n"
		      "C: c APPEND INBOX {65536}\n"
		      "S: + Ready ~\n");
	with_quota((struct frame_quota_is){ 1, 7, 0, 7 }, LOGIN "C: a APPEND INBOX {65537}\n"
								"S: a NO [OVERQUOTA] ~\n");
	with_quota((struct frame_quota_is){ 1, 7, 0, 8 }, LOGIN "C: a APPEND INBOX {65537}\n"
								"S: + Ready ~\n");
}

/* RFC 4978 3. (What is compressed is the stream's matter: io/stream.h.) */
static void test_compress(void **state)
{
	(void)state;
	dialogue("S: * OK ~\n"
		 "C: a COMPRESS DEFLATE\n"
		 "S: a BAD Please log in first\n"
		 "C: b LOGIN alice secret\n"
		 "S: b OK [CAPABILITY ~ COMPRESS=DEFLATE~] ~\n"
		 "C: c COMPRESS\n"
		 "S: c BAD ~\n"
		 "C: d COMPRESS GZIP\n"
		 "S: d BAD ~\n"
		 "C: e COMPRESS DEFLATE x\n"
		 "S: e BAD ~\n"
		 "C: f compress deflate\n"
		 "S: f OK DEFLATE active\n"
		 "C: g COMPRESS DEFLATE\n"
		 "S: g BAD [COMPRESSIONACTIVE] ~\n"
		 "C: h NOOP\n"
		 "S: h OK ~\n");
}

TEST_MAIN(test_case(test_quota), test_case(test_append), test_case(test_status),
	test_case(test_compress))
