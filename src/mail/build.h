/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing header fields. Whatever a stranger chose (HELO names, paths, texts) cannot leave its
 * field: a value with CR, LF, NUL or another control character is refused, or written in a form
 * that holds none (hostile-input S52). Each function adds a whole field with its CRLF, or adds
 * nothing and returns false (unsafe, or out is full).
 *
 * uses: base, mail/encoded, mail/address; used by: smtp, store, courier
 */
#ifndef CULVER_MAIL_BUILD_H
#define CULVER_MAIL_BUILD_H

#include "base/buf.h"
#include "base/str.h"

/* Name ":" SP value CRLF, folded at blanks before column 78 where possible (RFC 5322 2.1.1). The
 * value: ASCII or UTF-8 without controls, C1 controls, U+2028 and U+2029. */
bool mail_build_field(struct buf *out, struct str name, struct str value);
/* An unstructured field from UTF-8 text: what is not plain ASCII becomes encoded words. */
bool mail_build_text(struct buf *out, struct str name, struct str utf8);
/* Display name and address as a mailbox: `"Ann, B." <ann@example.org>`. No field, no CRLF. */
bool mail_build_mailbox(struct buf *out, struct str name, struct str address);

/* Return-Path: <path>. path: without brackets, empty for the null path. RFC 5321 4.4 */
bool mail_build_return_path(struct buf *out, struct str path);
/* Delivered-To: address */
bool mail_build_delivered_to(struct buf *out, struct str address);

/* Trace information of one hop. RFC 5321 4.4. Strings that a client chose (helo) are written as an
 * atom or domain when they are one, and otherwise as a comment with unsafe bytes as "?". */
struct mail_received {
	struct str helo;         /* what EHLO or HELO said */
	struct str peer_address; /* "192.0.2.1" or "2001:db8::1" */
	struct str by;           /* our host name */
	struct str with;         /* "ESMTPSA": RFC 3848, RFC 6531 */
	struct str id;           /* message id of the log */
	struct str for_address;  /* the one recipient, or empty */
	struct str tls_cipher;   /* "TLS_AES_256_GCM_SHA384", or empty: RFC 8314 4.3 */
	struct str tls_version;  /* "TLSv1.3", with the cipher */
	struct str date;         /* date-time of RFC 5322, from base/time.h */
};
bool mail_build_received(struct buf *out, const struct mail_received *r);

/* "<" random "." ms "@" host ">" without a field name. random: 16 bytes from the seam. */
bool mail_build_message_id(
	struct buf *out, const uint8_t random[16], int64_t wall_ms, struct str host);

#endif
