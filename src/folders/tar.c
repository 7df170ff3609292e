// SPDX-License-Identifier: Apache-2.0
/* Headers of a tar: ustar, and where a path is long or has other bytes than ASCII a pax header with
 * the whole of it before (POSIX.1-2001, pax). */
#include "folders/folders.h"

#include <stdio.h>

#define NAME_BYTES 100
#define MOST_TIME  UINT64_C(077777777777) /* eleven octal digits */

struct field {
	size_t at, n;
};
static const struct field name_field = { 0, NAME_BYTES }, mode_field = { 100, 8 },
			  uid_field = { 108, 8 }, gid_field = { 116, 8 }, size_field = { 124, 12 },
			  time_field = { 136, 12 }, sum_field = { 148, 8 }, type_field = { 156, 1 },
			  magic_field = { 257, 8 };

static void put_octal(char *block, struct field f, uint64_t value)
{
	for (size_t i = f.n - 1; i-- > 0; value >>= 3)
		block[f.at + i] = (char)('0' + (value & 7));
}

static bool add_block(struct str path, uint64_t size, uint64_t time_s, char type, struct buf *out)
{
	char block[TAR_BLOCK] = { 0 };
	unsigned sum = 0;
	memcpy(block + name_field.at, path.p, path.n < name_field.n ? path.n : name_field.n);
	put_octal(block, mode_field, 0600);
	put_octal(block, uid_field, 0);
	put_octal(block, gid_field, 0);
	put_octal(block, size_field, size);
	put_octal(block, time_field, time_s);
	block[type_field.at] = type;
	memcpy(block + magic_field.at,
		"ustar\0"
		"00",
		magic_field.n);
	memset(block + sum_field.at, ' ', sum_field.n);
	for (size_t i = 0; i < sizeof(block); i++)
		sum += (unsigned char)block[i];
	put_octal(block, (struct field){ sum_field.at, 7 }, sum);
	return buf_add(out, block, sizeof(block));
}

size_t tar_pad(uint64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}

/* record = length SP "path=" path LF, the length being that of all of it. */
static bool add_path(struct str path, struct buf *out)
{
	size_t rest = path.n + 7, n = rest + 1; /* with " path=" and LF */
	char number[24];
	while (n != rest + (size_t)snprintf(number, sizeof(number), "%zu", n))
		n++;
	static const char zeros[TAR_BLOCK] = { 0 };
	return add_block(STR("pax"), n, 0, 'x', out) && buf_addz(out, number) &&
	       buf_addz(out, " path=") && buf_adds(out, path) && buf_addc(out, '\n') &&
	       buf_add(out, zeros, tar_pad(n));
}

bool tar_header(struct str path, uint64_t size, int64_t mtime_ms, struct buf *out)
{
	uint64_t time_s = mtime_ms > 0 ? (uint64_t)mtime_ms / 1000 : 0;
	if ((path.n > NAME_BYTES || !str_is_ascii(path)) && !add_path(path, out))
		return false;
	return add_block(path, size, time_s < MOST_TIME ? time_s : MOST_TIME, '0', out);
}
