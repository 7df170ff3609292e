// SPDX-License-Identifier: Apache-2.0
/* Maildir: names of messages and folders, and the lists that Dovecot and Courier keep there. */
#include "folders/folders.h"

#include "base/limits.h"
#include "base/scan.h"
#include "imap/utf7.h"

#include <stdlib.h>

/* ---- bytes ---- */

bool folders_to_crlf(struct str in, struct buf *out)
{
	for (size_t at = 0; at < in.n;) {
		struct str rest = str_from_offset(in, at);
		size_t lf = str_find(rest, '\n');
		if (!buf_adds(out, str_sub(rest, 0, lf)))
			return false;
		if (lf == rest.n)
			return true;
		bool cr = lf ? rest.p[lf - 1] == '\r' : at > 0 && in.p[at - 1] == '\r';
		if (!buf_addz(out, cr ? "\n" : "\r\n"))
			return false;
		at += lf + 1;
	}
	return true;
}

/* CR LF comes back from LF; LF alone, and the first CR of two, do not. */
static bool lf_is_enough(struct str in)
{
	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] != '\n')
			continue;
		if (i == 0 || in.p[i - 1] != '\r' || (i > 1 && in.p[i - 2] == '\r'))
			return false;
	}
	return true;
}

bool folders_to_lf(struct str in, struct buf *out)
{
	if (!lf_is_enough(in))
		return buf_adds(out, in);
	while (in.n) {
		size_t lf = str_find(in, '\n');
		size_t end = lf < in.n ? lf - 1 : in.n;
		if (!buf_adds(out, str_sub(in, 0, end)) || (lf < in.n && !buf_addc(out, '\n')))
			return false;
		in = str_from_offset(in, lf + 1);
	}
	return true;
}

/* Dovecot's plugins zlib and mail_crypt leave a message's name as it is. No header begins so: RFC
 * 5322 2.2. */
const char *folders_packed(struct str bytes)
{
#define BY_IMAP "; an import by IMAP brings it"
	static const struct {
		size_t at;
		struct str magic;
		const char *why;
	} kinds[] = {
		{ 0, STR_INIT("\x1f\x8b\x08"), "is compressed (gzip)" BY_IMAP },
		{ 4, STR_INIT("1AY&SY"), "is compressed (bzip2)" BY_IMAP },
		{ 0, STR_INIT("\xfd\x37zXZ"), "is compressed (xz)" BY_IMAP },
		{ 0, STR_INIT("\x28\xb5\x2f\xfd"), "is compressed (zstd)" BY_IMAP },
		{ 0, STR_INIT("Dovecot-LZ4\x0d\x2a"), "is compressed (lz4)" BY_IMAP },
		{ 0, STR_INIT("CRYPTED\x03\x07"), "is encrypted (mail_crypt)" BY_IMAP },
	};
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_starts(str_from_offset(bytes, kinds[i].at), kinds[i].magic))
			return kinds[i].why;
	return NULL;
}

/* ---- names of messages ---- */

static const struct {
	char letter;
	uint8_t flag;
} letters[] = { { 'D', FLAG_DRAFT }, { 'F', FLAG_FLAGGED }, { 'P', 0 }, { 'R', FLAG_ANSWERED },
	{ 'S', FLAG_SEEN }, { 'T', FLAG_DELETED } };

static void take_letter(struct maildir_name *name, char c)
{
	if (c >= 'a' && c <= 'z')
		name->keywords |= (uint32_t)1 << (c - 'a');
	name->passed |= c == 'P';
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].letter == c)
			name->flags |= letters[i].flag;
}

struct maildir_name maildir_name_read(struct str file)
{
	size_t colon = str_find(file, ':');
	struct maildir_name name = { .base = str_sub(file, 0, colon) };
	struct str info = str_from_offset(file, colon + 1);
	if (!str_starts(info, STR("2,")))
		return name;
	for (size_t i = 2; i < info.n && info.p[i] != ','; i++)
		take_letter(&name, info.p[i]);
	return name;
}

bool maildir_name_info(struct buf *out, uint8_t flags, bool passed, uint32_t keywords)
{
	bool good = buf_addz(out, ":2,");
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (letters[i].flag ? flags & letters[i].flag : passed)
			good = good && buf_addc(out, letters[i].letter);
	for (unsigned i = 0; i < DOVECOT_KEYWORDS; i++)
		if (keywords >> i & 1)
			good = good && buf_addc(out, (char)('a' + i));
	return good;
}

/* ---- names of folders ---- */

static const struct str dot = STR_INIT("&AC4-");

/* One level; "&AC4-" is ours alone, since modified UTF-7 writes ASCII as itself: so exports stood
 * for a "." once. */
bool folder_level_read(struct str level, struct buf *out)
{
	size_t before = out->n;
	if (level.n == 0 || str_has_control(level))
		return false;
	if (!str_is_ascii(level)) {
		if (str_is_utf8(level) && buf_adds(out, level))
			return true;
		buf_truncate(out, before);
		return false;
	}
	for (;;) {
		size_t at = str_search(level, dot);
		struct str part = str_sub(level, 0, at);
		/* What is no modified UTF-7 was written by somebody who knows it not. */
		if (part.n && !utf7_decode(part, out) && !buf_adds(out, part))
			break;
		if (at == level.n)
			return true;
		if (!buf_addc(out, '.'))
			break;
		level = str_from_offset(level, at + dot.n);
		if (level.n == 0)
			return true;
	}
	buf_truncate(out, before);
	return false;
}

/* A "." at `at` becomes "_". */
static bool write_without_dot(struct str level, size_t at, struct buf *out)
{
	struct str before = str_sub(level, 0, at), behind = str_from_offset(level, at + 1);
	return (before.n == 0 || utf7_encode(before, out)) &&
	       (at == level.n || buf_addc(out, '_')) && (behind.n == 0 || utf7_encode(behind, out));
}

bool folder_level_write(struct str level, struct buf *out)
{
	static const struct str sbd = STR_INIT(".sbd");
	size_t at = level.n;
	if (str_ends_nocase(level, sbd))
		at = level.n - sbd.n;
	if (level.n && level.p[0] == '.')
		at = 0;
	return write_without_dot(level, at, out);
}

bool maildir_folder_read(struct str directory, struct buf *out)
{
	size_t before = out->n;
	struct str rest = str_from_offset(directory, 1);
	bool good = directory.n > 1 && directory.p[0] == '.';
	while (good) {
		size_t end = str_find(rest, '.');
		good = folder_level_read(str_sub(rest, 0, end), out);
		if (!good || end == rest.n)
			break;
		good = buf_addc(out, '/');
		rest = str_from_offset(rest, end + 1);
	}
	/* A "/" can't come out of a directory's name but by modified UTF-7. */
	size_t levels = 0, slashes = 0;
	for (size_t i = 1; i < directory.n; i++)
		levels += directory.p[i] == '.';
	for (size_t i = before; i < out->n; i++)
		slashes += out->p[i] == '/';
	if (good && slashes == levels)
		return true;
	buf_truncate(out, before);
	return false;
}

/* Modified UTF-7 has no way to write ASCII but as itself, so a "." would be another level; as
 * "&AC4-" Dovecot would list the folder and find nothing in it. */
bool maildir_folder_write(struct str name, struct buf *out)
{
	while (name.n) {
		struct str level = str_split(&name, '/');
		if (!buf_addc(out, '.'))
			return false;
		do {
			size_t at = str_find(level, '.');
			struct str rest = str_from_offset(level, at + 1);
			level.n -= rest.n;
			if (!write_without_dot(level, at, out))
				return false;
			level = rest;
		} while (level.n);
	}
	return true;
}

/* ---- UIDs ---- */

enum { MOST_ENTRIES = 1 << 24 };

static int by_base(const void *a, const void *b)
{
	const struct uidlist_entry *x = a, *y = b;
	int order = str_compare(x->base, y->base);
	return order ? order : (x->uid > y->uid) - (x->uid < y->uid);
}

static int by_uid(const void *a, const void *b)
{
	const struct uidlist_entry *x = a, *y = b;
	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* header = "1" SP validity SP nextuid / "3" *(SP LETTER value)   V: validity, N: nextuid */
static bool read_header(struct str line, struct uidlist *list)
{
	struct str rest = line, version = str_split(&rest, ' ');
	uint64_t validity = 0, next = 0;
	if (str_equal(version, STR("1"))) {
		struct scan s = scan_from(rest);
		if (!scan_number(&s, UINT32_MAX, &validity) || !scan_sp(&s) ||
			!scan_number(&s, UINT32_MAX, &next))
			return false;
	} else if (str_equal(version, STR("3"))) {
		while (rest.n) {
			struct scan s = scan_from(str_split(&rest, ' '));
			if (scan_char(&s, 'V'))
				(void)scan_number(&s, UINT32_MAX, &validity);
			else if (scan_char(&s, 'N'))
				(void)scan_number(&s, UINT32_MAX, &next);
		}
	}
	list->uidvalidity = (uint32_t)validity;
	list->uidnext = (uint32_t)next;
	return validity > 0;
}

/* entry = uid SP filename / uid *(SP extension) SP ":" filename */
static bool read_entry(struct str line, bool third, struct uidlist_entry *ret)
{
	struct scan s = scan_from(line);
	uint64_t uid;
	if (!scan_number(&s, UINT32_MAX - 1, &uid) || uid == 0 || !scan_sp(&s))
		return false;
	struct str rest = scan_rest(&s);
	if (third && !str_starts(rest, STR(":"))) {
		size_t at = str_search(rest, STR(" :"));
		if (at == rest.n)
			return false;
		rest = str_from_offset(rest, at + 1);
	}
	ret->base = str_sub(str_from_offset(rest, third ? 1 : 0), 0,
		str_find(str_from_offset(rest, third), ':'));
	ret->uid = (uint32_t)uid;
	return ret->base.n > 0;
}

/* A UID that two have is nobody's. */
static void drop_shared(struct vec *entries)
{
	if (entries->n == 0)
		return;
	qsort(entries->p, entries->n, entries->size, by_uid);
	for (size_t i = 0; i < entries->n;) {
		uint32_t uid = ((struct uidlist_entry *)vec_at(entries, i))->uid;
		size_t k = i + 1;
		while (k < entries->n && ((struct uidlist_entry *)vec_at(entries, k))->uid == uid)
			k++;
		for (size_t j = i; k - i > 1 && j < k; j++)
			((struct uidlist_entry *)vec_at(entries, j))->uid = 0;
		i = k;
	}
	qsort(entries->p, entries->n, entries->size, by_base);
}

void uidlist_read(struct uidlist *list, struct str text)
{
	*list = (struct uidlist){ .uidvalidity = 0 };
	vec_init(&list->entries, sizeof(struct uidlist_entry), MOST_ENTRIES);
	struct str header = str_split(&text, '\n');
	if (!read_header(header, list)) {
		list->uidvalidity = list->uidnext = 0;
		return;
	}
	bool third = header.p[0] == '3';
	while (text.n) {
		struct uidlist_entry entry;
		if (read_entry(str_split(&text, '\n'), third, &entry) &&
			vec_push(&list->entries, &entry) == NULL)
			break;
	}
	drop_shared(&list->entries);
}

void uidlist_done(struct uidlist *list)
{
	vec_done(&list->entries);
}

uint32_t uidlist_find(const struct uidlist *list, struct str base)
{
	size_t low = 0, high = list->entries.n;
	uint32_t found = 0;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct uidlist_entry *entry = vec_at(&list->entries, mid);
		int order = str_compare(entry->base, base);
		if (order == 0)
			found = entry->uid;
		if (order <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return found;
}

/* ---- keywords ---- */

void dovecot_keywords_read(struct str text, struct str names[DOVECOT_KEYWORDS])
{
	for (size_t i = 0; i < DOVECOT_KEYWORDS; i++)
		names[i] = STR_NONE;
	while (text.n) {
		struct scan s = scan_from(str_chomp(str_split(&text, '\n')));
		uint64_t letter;
		if (scan_number(&s, DOVECOT_KEYWORDS - 1, &letter) && scan_sp(&s))
			names[letter] = scan_rest(&s);
	}
}

/* list = *(keyword LF) LF *(filename ":" 1*(number [SP]) LF)   number: of a keyword, from 0 */
void courier_list_begin(struct courier_list *list, struct str text)
{
	*list = (struct courier_list){ .n = 0 };
	while (text.n) {
		struct str line = str_chomp(str_split(&text, '\n'));
		if (line.n == 0)
			break;
		if (list->n < ARRAY_LEN(list->names))
			list->names[list->n++] = line;
	}
	list->rest = text;
}

static bool add_word(struct str word, struct buf *words)
{
	return word.n == 0 || ((words->n == 0 || buf_addc(words, ' ')) && buf_adds(words, word));
}

bool courier_list_next(struct courier_list *list, struct str *ret_base, struct buf *words)
{
	if (list->rest.n == 0)
		return false;
	struct str numbers = str_chomp(str_split(&list->rest, '\n'));
	*ret_base = str_split(&numbers, ':');
	buf_clear(words);
	while (numbers.n) {
		struct scan s = scan_from(str_split(&numbers, ' '));
		uint64_t at;
		if (list->n && scan_number(&s, list->n - 1, &at) && scan_end(&s))
			(void)add_word(list->names[at], words);
	}
	return true;
}

bool courier_file_name(struct str file, struct str *ret_base, uint64_t *ret_number)
{
	struct scan s = scan_from(file);
	*ret_number = 0;
	*ret_base = file;
	if (!scan_char(&s, '.'))
		return file.n > 0 && file.p[0] != ':';
	bool good = scan_number(&s, UINT64_MAX / 2, ret_number) && scan_char(&s, '.');
	*ret_base = scan_rest(&s);
	++*ret_number;
	return good && ret_base->n > 0;
}

bool courier_file_read(struct str text, struct buf *words)
{
	bool good = true;
	buf_clear(words);
	while (good && text.n)
		good = add_word(str_chomp(str_split(&text, '\n')), words);
	return good;
}

/* ---- subscriptions ---- */

struct subscriptions subscriptions_begin(struct str text, char separator)
{
	struct subscriptions s = { .rest = text, .separator = separator };
	static const struct str second = STR_INIT("V\t2\n");
	if (str_starts(text, second)) {
		s.rest = str_from_offset(text, second.n);
		s.tabs = true;
	}
	return s;
}

/* "INBOX.Work" is Courier's word for the folder ".Work". */
static bool add_name(struct str name, char separator, bool inbox_is_root, struct buf *out)
{
	buf_clear(out);
	struct str first = str_sub(name, 0, str_find(name, separator));
	if (inbox_is_root && first.n < name.n && str_equal(first, STR("INBOX")))
		name = str_from_offset(name, first.n + 1);
	while (name.n) {
		size_t end = str_find(name, separator);
		if ((out->n && !buf_addc(out, '/')) ||
			!folder_level_read(str_sub(name, 0, end), out))
			return false;
		name = str_from_offset(name, end + 1);
	}
	return out->n > 0;
}

bool subscriptions_next(struct subscriptions *s, struct buf *out)
{
	while (s->rest.n) {
		struct str line = str_chomp(str_split(&s->rest, '\n'));
		if (add_name(line, s->tabs ? '\t' : s->separator, !s->tabs && s->separator == '.',
			    out))
			return true;
	}
	return false;
}
