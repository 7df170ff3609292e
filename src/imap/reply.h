/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Status responses: OK, NO, BAD, and the table from our errors to IMAP's codes (RFC 9051 7.1,
 * RFC 5530). A tagged reply is made first and sent by imap_finish.
 */
#ifndef CULVER_IMAP_REPLY_H
#define CULVER_IMAP_REPLY_H

#include "base/buf.h"
#include "base/err.h"

struct imap;
struct frame;

/* Makes the tagged reply. code: "TRYCREATE", or NULL. The text is ours, never a client's bytes. */
void reply_ok(struct imap *s, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
void reply_no(struct imap *s, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
void reply_bad(struct imap *s, const char *code, const char *format, ...) PRINTF_LIKE(3, 4);
/* "tag OK [" into s->reply, for codes with long arguments; the caller ends it with "] text". */
struct buf *reply_open_ok(struct imap *s);
void reply_close(struct imap *s, const char *text);

/* NO or BAD with the code of the error's kind. */
void reply_err(struct imap *s, enum err_kind kind, struct str text);
/* As reply_err for a `failed`; any other frame is an unexpected answer: NO [SERVERBUG]. */
void reply_failed(struct imap *s, const struct frame *answer);

/* Untagged: "* OK [code] text". */
void untagged_ok(struct imap *s, const char *code, const char *text);

#endif
