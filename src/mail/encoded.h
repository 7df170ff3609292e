/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded words: "=?charset?encoding?text?=" (RFC 2047, language tags of RFC 2231 5), read for
 * display and search and written for fields of our own.
 *
 * Decoding happens once: what comes out is never decoded again. Adjacent words of one charset are
 * decoded as one text, so that a character split between them survives. Control characters in the
 * result (CR, LF, NUL, …) become blanks (hostile-input M9). A word whose charset is not in the
 * allow-list, or that is longer than LIMIT_ENCODED_WORD_BYTES, stays as it is. Never call it on an
 * address, only on names and unstructured text.
 *
 * uses: base, mail/charset, mail/transfer; used by: imap (SEARCH), mail/param, webmail
 */
#ifndef CULVER_MAIL_ENCODED_H
#define CULVER_MAIL_ENCODED_H

#include "base/buf.h"
#include "base/str.h"

/* The text of an unfolded value, as valid UTF-8 on one line, is added to out. Bytes beyond ASCII
 * outside words are taken as UTF-8 (RFC 6532), else as windows-1252. False: out is full (what
 * fitted is there). Linear; output is at most 3 times the input, plus 16. */
bool mail_encoded_decode(struct str text, struct buf *out);
/* Writes UTF-8 as it may stand in an unstructured field or a display name: ASCII without controls
 * stays, everything else becomes words of at most 75 bytes, separated by "\r\n ". */
bool mail_encoded_encode(struct str utf8, struct buf *out);

#endif
