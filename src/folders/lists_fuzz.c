// SPDX-License-Identifier: Apache-2.0
/* Lists that Dovecot and Courier keep beside messages, and names of folders, from bytes that may be
 * anything. */
#include "base/fuzz.h"
#include "folders/folders.h"

static void uids(struct str text)
{
	struct uidlist list;
	uidlist_read(&list, text);
	uint32_t last = 0;
	(void)last;
	VEC_EACH (struct uidlist_entry, entry, &list.entries) {
		uint32_t uid = uidlist_find(&list, entry->base);
		FUZZ_CHECK(list.uidvalidity > 0 && entry->base.n > 0);
		if (uid == 0)
			continue;
		size_t holders = 0;
		VEC_EACH (struct uidlist_entry, other, &list.entries)
			holders += list.entries.n < 200 && other->uid == uid;
		FUZZ_CHECK(holders <= 1);
	}
	uidlist_done(&list);
}

static void names(struct str text)
{
	struct buf name, back, again;
	buf_init(&name, text.n * 4 + 16);
	buf_init(&back, name.max * 8);
	buf_init(&again, back.max * 4);
	if (maildir_folder_read(text, &name)) {
		FUZZ_CHECK(str_is_utf8(buf_str(&name)) && name.n > 0);
		FUZZ_CHECK(maildir_folder_write(buf_str(&name), &back));
		FUZZ_CHECK(maildir_folder_read(buf_str(&back), &again));
		/* A "." is "_" now; with that the name stands for itself. */
		buf_clear(&name);
		FUZZ_CHECK(maildir_folder_write(buf_str(&again), &name));
		FUZZ_CHECK(str_equal(buf_str(&name), buf_str(&back)));
	}
	for (int i = 0; i < 2; i++) {
		struct subscriptions s = subscriptions_begin(text, i ? '/' : '.');
		while (subscriptions_next(&s, &name))
			FUZZ_CHECK(str_is_utf8(buf_str(&name)) && name.n > 0);
	}
	buf_done(&name);
	buf_done(&back);
	buf_done(&again);
}

static void courier(struct str text)
{
	struct courier_list list;
	struct str base;
	struct buf words;
	uint64_t number;
	size_t times = 0;
	buf_init(&words, 10000);
	courier_list_begin(&list, text);
	while (courier_list_next(&list, &base, &words))
		FUZZ_CHECK(++times <= text.n && base.n <= text.n);
	FUZZ_CHECK(courier_file_name(text, &base, &number) ? base.n > 0 : true);
	FUZZ_CHECK(courier_file_read(text, &words) || text.n > words.max - 2);
	buf_done(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make(data, size), words[DOVECOT_KEYWORDS];
	uids(text);
	dovecot_keywords_read(text, words);
	courier(text);
	struct maildir_name m = maildir_name_read(text);
	FUZZ_CHECK(m.base.n <= text.n && m.keywords < 1 << DOVECOT_KEYWORDS);
	names(text);
	return 0;
}
