// SPDX-License-Identifier: Apache-2.0
/* SORT and THREAD: the arguments of both, and then messages, one behind each line that is "."
 * alone, that are sorted and threaded. Every message comes once, and parentheses match. */
#include "base/fuzz.h"
#include "base/limits.h"
#include "imap/facts.h"
#include "imap/search.h"
#include "imap/sort.h"
#include "imap/thread.h"
#include "mail/digest.h"
#include "mail/mime.h"

#include <stdlib.h>

enum { MESSAGES = 64 };

struct messages {
	struct buf bytes[MESSAGES];
	struct digest digests[MESSAGES];
	struct facts_reader reader;
	struct facts *seen;
	struct api_entry entries[MESSAGES];
	uint32_t n;
};

static void read_messages(struct messages *m, struct str text)
{
	while (text.n > 0 && m->n < MESSAGES) {
		size_t end = str_search(text, STR("\n.\n"));
		struct str one = str_sub(text, 0, end);
		struct buf *bytes = &m->bytes[m->n];
		buf_init(bytes, LIMIT_DIGEST_BYTES);
		mail_parse(one, bytes);
		FUZZ_CHECK(digest_open(&m->digests[m->n], buf_str(bytes), one.n));
		m->entries[m->n] = (struct api_entry){ .time = m->n % 3, .size = one.n };
		m->n++;
		text = str_from_offset(text, end + 3 < text.n ? end + 3 : text.n);
	}
}

/* As they are read, or, every second time, as they come back when they were kept. */
static struct message_facts facts_of(struct messages *m, uint32_t i)
{
	struct message_facts read, kept;
	facts_read(&m->reader, &m->entries[i], &m->digests[i], &read);
	facts_put(m->seen, i, &read);
	FUZZ_CHECK(facts_get(m->seen, i, &kept));
	return i % 2 == 0 ? read : kept;
}

static void check_sort(struct messages *m, const struct sort_criteria *c)
{
	struct sorter *t = sorter_new(c, LIMIT_IMAP_SORT_BYTES);
	uint64_t seen = 0;
	for (uint32_t i = 0; i < m->n; i++) {
		struct message_facts facts = facts_of(m, i);
		FUZZ_CHECK(sorter_add(t, i + 1, &m->entries[i], &facts));
	}
	while (!sorter_step(t, 3))
		;
	FUZZ_CHECK(sorter_count(t) == m->n);
	for (size_t i = 0; i < m->n; i++)
		seen |= (uint64_t)1 << (sorter_at(t, i) - 1);
	FUZZ_CHECK(m->n == 0 || seen == UINT64_MAX >> (MESSAGES - m->n));
	sorter_free(&t);
}

static void check_threads(struct messages *m, enum thread_algorithm algorithm)
{
	static const uint8_t key[16] = { 1 };
	struct threader *t = threader_new(algorithm, key, LIMIT_IMAP_SORT_BYTES);
	struct buf out;
	uint64_t seen = 0;
	size_t depth = 0;
	buf_init(&out, 1 << 20);
	for (uint32_t i = 0; i < m->n; i++) {
		struct message_facts facts = facts_of(m, i);
		FUZZ_CHECK(threader_add(t, i + 1, &facts));
	}
	while (!threader_step(t, 3))
		;
	FUZZ_CHECK(threader_write(t, NULL, &out));
	for (struct scan s = scan_from(buf_str(&out)); !scan_end(&s);) {
		uint64_t n;
		if (scan_char(&s, '(')) {
			depth++;
		} else if (scan_char(&s, ')')) {
			FUZZ_CHECK(depth-- > 0);
		} else if (!scan_sp(&s)) {
			FUZZ_CHECK(scan_number(&s, MESSAGES, &n) && n > 0 && depth > 0);
			FUZZ_CHECK((seen >> (n - 1) & 1) == 0);
			seen |= (uint64_t)1 << (n - 1);
		}
	}
	FUZZ_CHECK(depth == 0);
	FUZZ_CHECK(m->n == 0 || seen == UINT64_MAX >> (MESSAGES - m->n));
	buf_done(&out);
	threader_free(&t);
}

static struct sort_criteria arguments(struct str line)
{
	struct sort_criteria c = { .n = 0 }, read;
	struct scan s = scan_from(line);
	struct search search;
	struct arena a;
	struct err err = ERR_INIT;
	arena_init(&a, 4 << 20);
	if (search_parse_options(&s, &search, &err) == 0 && sort_criteria_parse(&s, &read)) {
		c = read;
		FUZZ_CHECK(c.n > 0 && c.n <= SORT_KEYS);
		if (scan_sp(&s) && search_parse_criteria(&s, &a, &search, &err) == 0)
			FUZZ_CHECK(search.n > 0 && scan_end(&s));
	}
	arena_done(&a);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct messages *m = xmalloc(sizeof(*m));
	struct str text = str_make(data, size);
	struct str line = str_split(&text, '\n');
	m->n = 0;
	facts_reader_init(&m->reader);
	m->seen = facts_new((const uint8_t[16]){ 1 }, MESSAGES * 8 * LIMIT_DIGEST_BYTES);
	read_messages(m, text);
	struct sort_criteria c = arguments(line);
	check_sort(m, &c);
	check_threads(m, THREAD_ORDEREDSUBJECT);
	check_threads(m, THREAD_REFERENCES);
	for (uint32_t i = 0; i < m->n; i++)
		buf_done(&m->bytes[i]);
	facts_free(&m->seen);
	facts_reader_done(&m->reader);
	free(m);
	return 0;
}
