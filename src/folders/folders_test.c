// SPDX-License-Identifier: Apache-2.0
#include "folders/folders.h"

#include "base/test.h"

/* ---- bytes ---- */

static void lines_end_as_they_must(void **state)
{
	static const struct {
		struct str file, message, again;
	} cases[] = {
		{ STR_INIT("a\nb\n"), STR_INIT("a\r\nb\r\n"), STR_INIT("a\nb\n") },
		{ STR_INIT("a\r\nb\n"), STR_INIT("a\r\nb\r\n"), STR_INIT("a\nb\n") },
		{ STR_INIT("\n\n"), STR_INIT("\r\n\r\n"), STR_INIT("\n\n") },
		{ STR_INIT("no end"), STR_INIT("no end"), STR_INIT("no end") },
		{ STR_INIT("a\rb\r"), STR_INIT("a\rb\r"), STR_INIT("a\rb\r") },
		{ STR_INIT("a\r\r\n"), STR_INIT("a\r\r\n"), STR_INIT("a\r\r\n") },
		{ STR_INIT(""), STR_INIT(""), STR_INIT("") },
	};
	(void)state;
	struct buf out;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&out);
		assert_true(folders_to_crlf(cases[i].file, &out));
		assert_str(buf_str(&out), cases[i].message);
		buf_clear(&out);
		assert_true(folders_to_lf(cases[i].message, &out));
		assert_str(buf_str(&out), cases[i].again);
	}
	/* What LF alone can't give back stays as it is. */
	buf_clear(&out);
	assert_true(folders_to_lf(STR("a\r\nb\nc"), &out));
	assert_str(buf_str(&out), STR("a\r\nb\nc"));
	buf_done(&out);
}

/* ---- Maildir ---- */

static void names_of_messages(void **state)
{
	static const struct {
		const char *file, *base;
		uint8_t flags;
		bool passed;
		uint32_t keywords;
	} cases[] = {
		{ "1.2.host", "1.2.host", 0, false, 0 },
		{ "1.2.host:2,", "1.2.host", 0, false, 0 },
		{ "1.2.host,S=5:2,DFPRSTac", "1.2.host,S=5", FLAGS_ALL, true, 5 },
		{ "1.2.host:2,Sz,extra,F", "1.2.host", FLAG_SEEN, false, 1 << 25 },
		{ "1.2.host:1,S", "1.2.host", 0, false, 0 },
		{ ":2,S", "", FLAG_SEEN, false, 0 },
	};
	(void)state;
	struct buf out;
	buf_init(&out, 100);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct maildir_name n = maildir_name_read(str_from(cases[i].file));
		assert_str(n.base, str_from(cases[i].base));
		assert_int_equal(n.flags, cases[i].flags);
		assert_int_equal(n.passed, cases[i].passed);
		assert_int_equal(n.keywords, cases[i].keywords);
	}
	assert_true(maildir_name_info(&out, FLAGS_ALL, true, 5));
	assert_str(buf_str(&out), STR(":2,DFPRSTac"));
	buf_done(&out);
}

static void names_of_folders(void **state)
{
	static const struct {
		const char *directory, *name, *back;
	} cases[] = {
		{ ".Work", "Work", ".Work" },
		{ ".Work.2026", "Work/2026", ".Work.2026" },
		{ ".Entw&APw-rfe", "Entw\xc3\xbcrfe", ".Entw&APw-rfe" },
		{ ".A&-B", "A&B", ".A&-B" },
		{ ".v1&AC4-2.x", "v1.2/x", ".v1_2.x" },
		{ ".&AC4-&APw-&AC4-&AC4-", ".\xc3\xbc..", "._&APw-__" },
		{ ".INBOX.Sub", "INBOX/Sub", ".INBOX.Sub" },
	};
	static const struct {
		const char *level, *file;
	} levels[] = { { "v1.2", "v1.2" }, { ".hidden.", "_hidden." }, { "Work.SBD", "Work_SBD" },
		{ ".sbd", "_sbd" }, { "sbd", "sbd" }, { "\xc3\xbc.x", "&APw-.x" }, { "..", "_." } };
	static const char *const none[] = { ".", "..", "Work", ".a..b", ".a.", "", "...", ".a\nb",
		".\xff" };
	(void)state;
	struct buf out;
	buf_init(&out, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&out);
		assert_true(maildir_folder_read(str_from(cases[i].directory), &out));
		assert_str(buf_str(&out), str_from(cases[i].name));
		buf_clear(&out);
		assert_true(maildir_folder_write(str_from(cases[i].name), &out));
		assert_str(buf_str(&out), str_from(cases[i].back));
	}
	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		buf_clear(&out);
		assert_true(folder_level_write(str_from(levels[i].level), &out));
		assert_str(buf_str(&out), str_from(levels[i].file));
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		buf_clear(&out);
		assert_false(maildir_folder_read(str_from(none[i]), &out));
		assert_int_equal(out.n, 0);
	}
	/* UTF-8 as it is, and what is no modified UTF-7 as it stands */
	assert_true(maildir_folder_read(STR(".Entw\xc3\xbcrfe"), &out));
	assert_str(buf_str(&out), STR("Entw\xc3\xbcrfe"));
	buf_clear(&out);
	assert_true(maildir_folder_read(STR(".R&D"), &out));
	assert_str(buf_str(&out), STR("R&D"));
	buf_done(&out);
}

static void lists_of_uids(void **state)
{
	static const char third[] = "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n"
				    "25006 W2481 :1276528487.M1P1.kurkku,S=2355,W=2481:2,\n"
				    "25017 W2481 S3 :1276528488.M2P1.kurkku\n"
				    "nonsense\n0 :zero\n4294967295 :max\n25018 W1\n"
				    "25020 :twice\n25020 :again\n"
				    "25021 :last";
	static const char first[] = "1 1170000000 12\n3 100.a\n7 200.b:2,S\n";
	(void)state;
	struct uidlist list;
	uidlist_read(&list, str_from(third));
	assert_int_equal(list.uidvalidity, 1275660208);
	assert_int_equal(list.uidnext, 25022);
	assert_int_equal(uidlist_find(&list, STR("1276528487.M1P1.kurkku,S=2355,W=2481")), 25006);
	assert_int_equal(uidlist_find(&list, STR("1276528488.M2P1.kurkku")), 25017);
	assert_int_equal(uidlist_find(&list, STR("last")), 25021);
	assert_int_equal(uidlist_find(&list, STR("zero")), 0);
	assert_int_equal(uidlist_find(&list, STR("max")), 0);
	assert_int_equal(uidlist_find(&list, STR("twice")), 0);
	assert_int_equal(uidlist_find(&list, STR("again")), 0);
	assert_int_equal(uidlist_find(&list, STR("nobody")), 0);
	uidlist_done(&list);
	uidlist_read(&list, str_from(first));
	assert_int_equal(list.uidvalidity, 1170000000);
	assert_int_equal(list.uidnext, 12);
	assert_int_equal(uidlist_find(&list, STR("100.a")), 3);
	assert_int_equal(uidlist_find(&list, STR("200.b")), 7);
	uidlist_done(&list);
	static const char *const none[] = { "", "2 5 6\n1 x", "1 x 6\n1 x", "3 N5\n1 :x", "\n" };
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		uidlist_read(&list, str_from(none[i]));
		assert_int_equal(list.uidvalidity, 0);
		assert_int_equal(list.entries.n, 0);
		uidlist_done(&list);
	}
}

static int add_word(void *arg, struct str word)
{
	struct buf *out = arg;
	buf_addf(out, "[%" STR_FMT "]", STR_ARG(word));
	return 0;
}

static void lists_of_keywords(void **state)
{
	struct str names[DOVECOT_KEYWORDS];
	struct buf out;
	(void)state;
	buf_init(&out, 1000);
	dovecot_keywords_read(STR("0 $Forwarded\n1 work\n25 last\n26 none\nx y\n"), names);
	assert_str(names[0], STR("$Forwarded"));
	assert_str(names[1], STR("work"));
	assert_str(names[25], STR("last"));
	assert_int_equal(names[2].n, 0);
	static const char courier[] = "$label1\nwork\n\n100.a:0 1\n200.b:1\n300.c:7 x\n";
	struct courier_list list;
	struct str base;
	courier_list_begin(&list, str_from(courier));
	assert_true(courier_list_next(&list, &base, &out));
	assert_str(base, STR("100.a"));
	assert_str(buf_str(&out), STR("$label1 work"));
	assert_true(courier_list_next(&list, &base, &out));
	assert_str(base, STR("200.b"));
	assert_str(buf_str(&out), STR("work"));
	assert_true(courier_list_next(&list, &base, &out));
	assert_int_equal(out.n, 0);
	assert_false(courier_list_next(&list, &base, &out));
	courier_list_begin(&list, STR("\n\n300.c:0"));
	while (courier_list_next(&list, &base, &out))
		assert_int_equal(out.n, 0);
	static const struct {
		const char *file, *base;
		uint64_t number;
	} files[] = { { "100.a", "100.a", 0 }, { ".0.100.a", "100.a", 1 },
		{ ".7.100.a", "100.a", 8 }, { ":list", "", 0 }, { ".tmp.x", "", 0 },
		{ ".7.", "", 0 }, { ".7", "", 0 }, { "", "", 0 } };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		uint64_t number;
		bool good = courier_file_name(str_from(files[i].file), &base, &number);
		assert_int_equal(good, files[i].base[0] != 0);
		if (good)
			assert_str(base, str_from(files[i].base));
		if (good)
			assert_true(number == files[i].number);
	}
	assert_true(courier_file_read(STR("$label1\r\n\nwork"), &out));
	assert_str(buf_str(&out), STR("$label1 work"));
	buf_done(&out);
}

static void lists_of_subscriptions(void **state)
{
	static const struct {
		const char *text;
		char separator;
		const char *names;
	} cases[] = {
		{ "V\t2\n\nINBOX\nWork\t2026\n", 0, "[INBOX][Work/2026]" },
		{ "INBOX\nWork.2026\n\n..\n", '.', "[INBOX][Work/2026]" },
		{ "INBOX.Work\nINBOX.Entw&APw-rfe\n", '.', "[Work][Entw\xc3\xbcrfe]" },
		{ "Work/2026\nfinal", '/', "[Work/2026][final]" },
	};
	(void)state;
	struct buf out, name;
	buf_init(&out, 1000);
	buf_init(&name, 1000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct subscriptions s = subscriptions_begin(
			str_from(cases[i].text), cases[i].separator);
		buf_clear(&out);
		while (subscriptions_next(&s, &name))
			add_word(&out, buf_str(&name));
		assert_str(buf_str(&out), str_from(cases[i].names));
	}
	buf_done(&out);
	buf_done(&name);
}

/* ---- mbox ---- */

static void separators(void **state)
{
	static const char *const good[] = { "From a@b.c Tue Nov 14 22:13:20 2023",
		"From MAILER-DAEMON Tue Nov 14 22:13:20 2023",
		"From a b <c> Tue Nov 14 22:13:20 2023",
		"From a@b.c Tue Nov 14 22:13:20 2023 +0000",
		"From a@b.c  Tue Nov 14 22:13:20 2023" };
	static const char *const bad[] = { "From", "From ", "From here on it went well",
		"From a@b.c", "from a@b.c Tue Nov 14 22:13:20 2023",
		">From a@b.c Tue Nov 14 22:13:20 2023", "From Tuesday on" };
	int64_t ms;
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(mbox_separator(str_from(good[i]), &ms));
		assert_true(ms == 1700000000000);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(mbox_separator(str_from(bad[i]), &ms));
}

static int add_text(void *arg, struct str text, bool too_big)
{
	struct buf *out = arg;
	buf_addf(out, "[%s%" STR_FMT "]", too_big ? "!" : "", STR_ARG(text));
	return 0;
}

#define FROM "From x Tue Nov 14 22:13:20 2023\n"

static void split_in(struct str in, size_t step, size_t max, struct buf *out)
{
	struct mbox m;
	buf_clear(out);
	mbox_init(&m, max, add_text, out);
	for (; in.n; in = str_from_offset(in, step))
		assert_int_equal(mbox_input(&m, str_sub(in, 0, step)), 0);
	assert_int_equal(mbox_end(&m), 0);
	mbox_done(&m);
}

static void mboxes_are_split(void **state)
{
	static const struct {
		struct str in;
		const char *out;
	} cases[] = {
		{ STR_INIT(""), "" },
		{ STR_INIT(FROM "a: b\n\none\n\n" FROM "c: d\n\ntwo\n"),
			"[" FROM "a: b\n\none\n][" FROM "c: d\n\ntwo\n]" },
		{ STR_INIT(FROM "a: b\n\none\n\n"), "[" FROM "a: b\n\none\n]" },
		{ STR_INIT(FROM "a: b\n\none\n" FROM "not behind an empty line\n"),
			"[" FROM "a: b\n\none\n" FROM "not behind an empty line\n]" },
		{ STR_INIT("stray\n\n" FROM "a: b\n"), "[" FROM "a: b\n]" },
		{ STR_INIT(FROM "\n" FROM "\n\n\n"), "[" FROM "][" FROM "\n\n]" },
		{ STR_INIT(FROM "no end"), "[" FROM "no end]" },
		/* "From " alone, of which Thunderbird leaves none in a text */
		{ STR_INIT("From \r\na: b\r\n\r\nFrom \r\n\r\n" FROM "c: d\n"),
			"[From \r\na: b\r\n][From \r\n][" FROM "c: d\n]" },
		{ STR_INIT("From - Tue Nov 14 22:13:20 2023\na: b\n\nFrom \nx\n"),
			"[From - Tue Nov 14 22:13:20 2023\na: b\n][From \nx\n]" },
		{ STR_INIT("\n\r\nFrom \na: b\n\nFrom \nx\n"), "[From \na: b\n][From \nx\n]" },
		{ STR_INIT(FROM "a: b\n\nFrom \nx\n"), "[" FROM "a: b\n\nFrom \nx\n]" },
	};
	(void)state;
	struct buf out;
	buf_init(&out, 100000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 100; step += 33) {
			split_in(cases[i].in, step, 10000, &out);
			assert_str(buf_str(&out), str_from(cases[i].out));
		}
	buf_done(&out);
}

/* Content-Length: believed where a separator or the end follows, of a file where it is right. */
static void lengths_are_checked(void **state)
{
#define PATCH "A: b\nContent-Length: "
	static const struct {
		struct str in;
		const char *out;
	} cases[] = {
		{ STR_INIT(FROM PATCH "36\n\na\n\n" FROM "\n" FROM "c: d\n"),
			"[" FROM PATCH "36\n\na\n\n" FROM "][" FROM "c: d\n]" },
		{ STR_INIT(FROM PATCH "36\n\na\n\n" FROM "\n"),
			"[" FROM PATCH "36\n\na\n\n" FROM "]" },
		{ STR_INIT(FROM PATCH "35\n\na\n\n" FROM), "[" FROM PATCH "35\n\na\n\n" FROM "]" },
		{ STR_INIT(FROM PATCH "30\n\na\n\n" FROM "c: d\n\nlonger than it says\n"),
			"[" FROM PATCH "30\n\na\n][" FROM "c: d\n\nlonger than it says\n]" },
		{ STR_INIT(FROM PATCH "3000\n\na\n\n" FROM "c: d\n\n" FROM PATCH "36\n\na\n\n" FROM
				      "\n" FROM "e: f\n"),
			"[" FROM PATCH "3000\n\na\n][" FROM "c: d\n][" FROM PATCH "36\n\na\n][" FROM
			"][" FROM "e: f\n]" },
		{ STR_INIT(FROM PATCH "1\n\na\n\n" FROM "c: d\n"),
			"[" FROM PATCH "1\n\na\n][" FROM "c: d\n]" },
		{ STR_INIT("From \n" PATCH "3000\n\na\n\n" FROM "c: d\n\nFrom \nx\n"),
			"[From \n" PATCH "3000\n\na\n][" FROM "c: d\n][From \nx\n]" },
	};
	(void)state;
	struct buf out;
	buf_init(&out, 100000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t step = 1; step < 1000; step += 333) {
			split_in(cases[i].in, step, 10000, &out);
			assert_str(buf_str(&out), str_from(cases[i].out));
		}
	buf_done(&out);
}

/* M16: a line of a MiB, and a message beyond the bound: the next one is found all the same. */
static void m16_endless_lines(void **state)
{
	enum { MAX = 5000 };
	struct buf in, out;
	(void)state;
	buf_init(&in, 8 << 20);
	buf_init(&out, 8 << 20);
	buf_addz(&in, "From ");
	for (size_t i = 0; i < 1 << 20; i++)
		buf_addc(&in, 'x');
	buf_addz(&in, "\n\n" FROM "a: b\n\n");
	for (size_t i = 0; i < 1 << 20; i++)
		buf_addc(&in, 'y');
	buf_addz(&in, "\n\n" FROM "c: d\n\nlast\n");
	for (size_t step = 1; step < 1 << 20; step = step * 1000 + 1) {
		split_in(buf_str(&in), step, MAX, &out);
		assert_true(str_starts(buf_str(&out), STR("[!" FROM "a: b\n")));
		assert_true(str_ends_nocase(buf_str(&out), STR("[" FROM "c: d\n\nlast\n]")));
		assert_true(out.n < 4000);
	}
	/* at, below and above the bound */
	for (int over = -1; over <= 1; over++) {
		buf_clear(&in);
		buf_addz(&in, FROM);
		while (in.n < (size_t)(MAX + over - 1))
			buf_addc(&in, 'z');
		buf_addz(&in, "\n\n" FROM "c: d\n");
		for (size_t step = 1; step < 10000; step += 5000) {
			split_in(buf_str(&in), step, MAX, &out);
			assert_int_equal(str_starts(buf_str(&out), STR("[!")), over > 0);
			assert_true(str_ends_nocase(buf_str(&out), STR("[" FROM "c: d\n]")));
		}
	}
	buf_done(&in);
	buf_done(&out);
}

static void messages_of_an_mbox(void **state)
{
	static const char text[] = FROM
		"X-IMAPbase: 1170000000 0000000012 work\nSubject: x\nStatus: RO\nX-Status: AF\n"
		"X-Keywords: work  $Label1\nX-UID: 7\nContent-Length: 5\nX-Folded: a\n b\n"
		"\n>From here\n>>From there\nStatus: of the body\n";
	static const char message[] = "Subject: x\r\nX-Folded: a\r\n b\r\n"
				      "\r\nFrom here\r\n>From there\r\nStatus: of the body\r\n";
	(void)state;
	struct mbox_meta meta;
	struct buf keywords, out;
	bool internal;
	buf_init(&keywords, 1000);
	buf_init(&out, 10000);
	assert_true(mbox_message_read(str_from(text), &meta, &keywords, &out, &internal));
	assert_str(buf_str(&out), str_from(message));
	assert_true(meta.time_ms == 1700000000000);
	assert_int_equal(meta.flags, FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED);
	assert_int_equal(meta.uid, 7);
	assert_int_equal(meta.uidvalidity, 1170000000);
	assert_int_equal(meta.uidlast, 12);
	assert_str(meta.keywords, STR("work $Label1"));
	assert_false(internal);
	struct buf written;
	buf_init(&written, 10000);
	meta.sender = STR("ann@example.org");
	assert_true(mbox_message_write(buf_str(&out), &meta, &written));
	assert_str(buf_str(&written),
		STR("From ann@example.org Tue Nov 14 22:13:20 2023\n"
		    "Subject: x\nX-Folded: a\n b\nX-IMAPbase: 1170000000 0000000012\nX-UID: 7\n"
		    "Status: RO\nX-Status: AF\nX-Keywords: work $Label1\nContent-Length: 42\n"
		    "\nFrom here\n>From there\nStatus: of the body\n\n"));
	/* with a line that would be a separator: quoted */
	buf_clear(&written);
	assert_true(mbox_message_write(STR("A: b\r\n\r\n" FROM ">From here\r\n"),
		&(struct mbox_meta){ .time_ms = 1700000000000 }, &written));
	assert_str(buf_str(&written),
		STR("From MAILER-DAEMON Tue Nov 14 22:13:20 2023\nA: b\nStatus: O\n\n>" FROM
		    ">>From here\n\n"));
	/* a Content-Length that is right: nothing was quoted */
	assert_true(mbox_message_read(STR(FROM "A: b\nContent-Length: 11\n\n>From here\n"), &meta,
		&keywords, &out, &internal));
	assert_str(buf_str(&out), STR("A: b\r\n\r\n>From here\r\n"));
	assert_true(mbox_message_read(
		STR(FROM "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
			 "X-IMAP: 5 6\n\ntext\n"),
		&meta, &keywords, &out, &internal));
	assert_true(internal && meta.uidvalidity == 5 && meta.uidlast == 6);
	buf_done(&written);
	buf_done(&keywords);
	buf_done(&out);
}

/* What Thunderbird writes before all other fields counts; what a stranger wrote goes. */
static void messages_of_thunderbird(void **state)
{
	static const struct {
		const char *text, *message, *keywords;
		uint8_t flags;
		int64_t time_ms;
	} cases[] = {
		{ "From \r\nX-Mozilla-Status: 1007\r\nX-Mozilla-Status2: 00000000\r\n"
		  "X-Mozilla-Keys: $label1 work      \r\nDate: Tue, 14 Nov 2023 22:13:20 "
		  "+0000\r\n\r\n",
			"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n", "$Forwarded $label1 work",
			FLAG_SEEN | FLAG_ANSWERED | FLAG_FLAGGED, 1700000000000 },
		{ "From - Tue Nov 14 22:13:20 2023\nX-Mozilla-Status: 0008\nDate: Mon, 1 Jan 2001 "
		  "00:00:00 +0000\n\n",
			"Date: Mon, 1 Jan 2001 00:00:00 +0000\r\n\r\n", "", FLAG_DELETED,
			1700000000000 },
		{ FROM "Received: x\nX-Mozilla-Status: 0008\nX-Mozilla-Keys: k\n\n",
			"Received: x\r\n\r\n", "", 0, 1700000000000 },
		{ FROM "X-Mozilla-Status: 00008\nX-Mozilla-Status: 000g\n\n", "\r\n", "", 0,
			1700000000000 },
	};
	(void)state;
	struct buf keywords, out;
	buf_init(&keywords, 1000);
	buf_init(&out, 10000);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mbox_meta meta;
		bool internal;
		assert_true(mbox_message_read(
			str_from(cases[i].text), &meta, &keywords, &out, &internal));
		assert_str(buf_str(&out), str_from(cases[i].message));
		assert_str(meta.keywords, str_from(cases[i].keywords));
		assert_int_equal(meta.flags, cases[i].flags);
		assert_true(meta.time_ms == cases[i].time_ms);
	}
	buf_done(&keywords);
	buf_done(&out);
}

/* ---- tar ---- */

static void headers_of_a_tar(void **state)
{
	struct buf out, path;
	(void)state;
	buf_init(&out, 10000);
	buf_init(&path, 1000);
	assert_true(tar_header(STR("a/b.eml"), 5, 1700000000000, &out));
	assert_int_equal(out.n, TAR_BLOCK);
	assert_string_equal(out.p + 124, "00000000005");
	assert_string_equal(out.p + 136, "14524770400");
	assert_int_equal(tar_pad(0), 0);
	assert_int_equal(tar_pad(1), 511);
	assert_int_equal(tar_pad(512), 0);
	while (path.n < 101)
		buf_addc(&path, 'p');
	buf_clear(&out);
	assert_true(tar_header(buf_str(&path), 5, 0, &out));
	assert_int_equal(out.n, 3 * TAR_BLOCK);
	assert_true(str_starts(str_from_offset(buf_str(&out), TAR_BLOCK), STR("111 path=ppp")));
	buf_done(&out);
	buf_done(&path);
}

TEST_MAIN(test_case(lines_end_as_they_must), test_case(names_of_messages),
	test_case(names_of_folders), test_case(lists_of_uids), test_case(lists_of_keywords),
	test_case(lists_of_subscriptions), test_case(separators), test_case(mboxes_are_split),
	test_case(lengths_are_checked), test_case(m16_endless_lines),
	test_case(messages_of_an_mbox), test_case(messages_of_thunderbird),
	test_case(headers_of_a_tar))
