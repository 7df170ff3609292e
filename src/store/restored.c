// SPDX-License-Identifier: Apache-2.0
/* The mark of a restore. */
#include "store/restored.h"

#include "base/abnf.h"
#include "base/scan.h"
#include "store/disk.h"

enum { MARK_BYTES = 256 };

static const char head[] = "culver-restored 1\nhistory ";

void restored_write(const struct restored *r, struct buf *out)
{
	buf_addz(out, head);
	buf_add_hex(out, str_make(r->history, sizeof(r->history)));
	buf_addf(out, "\nuidvalidity %u\n", r->uidvalidity);
}

int restored_parse(struct str text, struct restored *ret, struct err *err)
{
	struct scan s = scan_from(text);
	struct str hex;
	uint64_t uidvalidity;
	AUTO(buf_done)
	struct buf again;
	buf_init(&again, MARK_BYTES);
	if (!scan_literal_nocase(&s, STR("culver-restored 1\nhistory ")) ||
		!scan_bytes(&s, 2 * sizeof(ret->history), &hex) ||
		!abnf_hex_bytes(hex, ret->history, sizeof(ret->history)) ||
		!scan_literal_nocase(&s, STR("\nuidvalidity ")) ||
		!scan_number(&s, UINT32_MAX, &uidvalidity))
		return fail_log(err, ERR_CORRUPT, "the mark of a restore is damaged");
	ret->uidvalidity = (uint32_t)uidvalidity;
	/* Nothing is taken that is not as it is written. */
	restored_write(ret, &again);
	if (!str_equal(buf_str(&again), text))
		return fail_log(err, ERR_CORRUPT, "the mark of a restore is damaged");
	return 0;
}

int restored_find(struct files_seam *files, struct restored *ret, struct err *err)
{
	char text[MARK_BYTES];
	int file = files->open(files, RESTORED_MARK, O_RDONLY, 0);
	if (file == -ENOENT)
		return 0;
	int64_t size = file < 0 ? file : files->size(files, file);
	int rc = size < 0 ? (int)size : size > MARK_BYTES ? -EFBIG : 0;
	if (rc == 0)
		rc = files_pread_all(files, file, text, (size_t)size, 0);
	if (file >= 0)
		(void)files->close(files, file);
	if (rc < 0)
		return FAIL_SEAM(err, rc, "the mark of a restore");
	return restored_parse(str_make(text, (size_t)size), ret, err) < 0 ? -1 : 1;
}

int restored_put(struct files_seam *files, const struct restored *r, struct err *err)
{
	static const char new_name[] = RESTORED_MARK ".new";
	AUTO(buf_done)
	struct buf text;
	buf_init(&text, MARK_BYTES);
	restored_write(r, &text);
	int file = files->open(files, new_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int rc = file < 0 ? file : files_pwrite_all(files, file, text.p, text.n, 0);
	if (rc == 0)
		rc = files->fsync(files, file);
	if (file >= 0)
		(void)files->close(files, file);
	if (rc == 0)
		rc = files->rename(files, new_name, RESTORED_MARK);
	if (rc == 0)
		rc = files->sync_directory(files, ".");
	return rc < 0 ? FAIL_SEAM(err, rc, "the mark of a restore can't be made") : 0;
}

int restored_clear(struct files_seam *files, struct err *err)
{
	int rc = files->unlink(files, RESTORED_MARK);
	if (rc == 0 || rc == -ENOENT)
		rc = files->sync_directory(files, ".");
	return rc < 0 ? FAIL_SEAM(err, rc, "the mark of a restore can't be removed") : 0;
}
