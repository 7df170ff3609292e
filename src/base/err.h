/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, once. Functions that may fail return 0 or -1 and take `struct err *` as their
 * last parameter. A kind says how a protocol answers (each protocol has one table from kind to its
 * codes); the public text may be shown to a client and holds no paths; the log text may.
 *
 *     if (mailbox_full(mb))
 *             return fail(err, ERR_QUOTA, "mailbox is full");
 *
 * uses: mem; used by: everything
 */
#ifndef CULVER_BASE_ERR_H
#define CULVER_BASE_ERR_H

#include "base/mem.h"

/* The numbers travel in frames: append only. */
enum err_kind {
	ERR_NONE = 0,
	ERR_TEMP = 1,         /* try again later: peer gone, time-out, too busy */
	ERR_SYNTAX = 2,       /* the other side's words make no sense */
	ERR_NOT_NOW = 3,      /* not now */
	ERR_AUTH = 4,         /* wrong credentials */
	ERR_DENIED = 5,       /* known, but not allowed */
	ERR_NOT_FOUND = 6,    /* no such mailbox, account, message */
	ERR_EXISTS = 7,       /* it is there already */
	ERR_QUOTA = 8,        /* over quota */
	ERR_LIMIT = 9,        /* a limit of ours was reached (size, count, depth) */
	ERR_EXPIRED = 10,     /* ticket, session or epoch has ended */
	ERR_IN_USE = 11,      /* somebody else holds it */
	ERR_READ_ONLY = 12,   /* the store serves reads only */
	ERR_CORRUPT = 13,     /* damage on disk was found; nothing wrong was served */
	ERR_UNSUPPORTED = 14, /* understood, and not done */
	ERR_CONFIG = 15,      /* the administrator's mistake */
	ERR_TOO_BIG = 16,     /* one message is larger than may ever be taken */
	ERR_FULL = 17,        /* try again later: the disk has no room */
	ERR_KINDS
};

struct err {
	enum err_kind kind;
	char public_text[160];
	char log_text[640];
	bool is_public; /* log_text, if there is one, is the public text whole */
};

#define ERR_INIT                                                                                   \
	{                                                                                          \
		.kind = ERR_NONE                                                                   \
	}

/* Sets kind and public text; the log's is that, whole if it has room. Returns -1. err may be NULL.
 * The texts of err itself may be among the arguments. What is too long is cut (err_cut); control
 * bytes become blanks, so a text is one line. */
int fail(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* As fail(), with a text for the log alone; the public text is the kind's general sentence. */
int fail_log(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);
/* As fail_log(), with ": strerror(errno)" at the end; kind is ERR_TEMP, or ERR_FULL for ENOSPC and
 * EDQUOT. */
int fail_errno(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);
#ifdef __clang_analyzer__
/* The analyzer doesn't see across files that these return -1 and that what they are returned for
 * was not done. */
#define fail(...)       (fail(__VA_ARGS__), -1)
#define fail_log(...)   (fail_log(__VA_ARGS__), -1)
#define fail_errno(...) (fail_errno(__VA_ARGS__), -1)
#endif
/* A kind's name for logs ("quota") and general sentence for clients. */
const char *err_name(enum err_kind kind);
const char *err_sentence(enum err_kind kind);
/* The best text for a log. */
const char *err_log_text(const struct err *err);
/* Copies a text into `size` bytes, NUL included. What it begins with says where it comes from,
 * often a path, and what it ends with says why: of what is too long the middle is left out, and no
 * part of a character is left. True: something was left out. */
bool err_cut(char *to, size_t size, const char *text);

#endif
