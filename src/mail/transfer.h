/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content-Transfer-Encodings (RFC 2045 6), decoded as a stream. The decoders are total and linear
 * (hostile-input M7): any bytes give some output, any split gives the same.
 *
 * - base64: what is not in the alphabet is skipped; "=" ends a group of four, and what follows
 *   begins a new one; bits left over at the end are dropped.
 * - quoted-printable: "=" with two hex digits of either case is a byte; "=" and blanks before a
 *   line end (or the end) is a soft break; any other "=" stays; blanks before a line end are
 *   dropped; line ends stay as they are.
 * - 7bit, 8bit, binary: bytes as they are; so for an unknown encoding, whose content nobody can
 *   interpret (RFC 2049 2).
 *
 * uses: base; used by: mail/mime (preview), imap (BINARY, SEARCH), webmail
 */
#ifndef CULVER_MAIL_TRANSFER_H
#define CULVER_MAIL_TRANSFER_H

#include "base/buf.h"
#include "base/str.h"

enum mail_encoding {
	MAIL_7BIT = 0, /* also when the field is absent */
	MAIL_8BIT = 1,
	MAIL_BINARY = 2,
	MAIL_QUOTED_PRINTABLE = 3,
	MAIL_BASE64 = 4,
	MAIL_ENCODING_UNKNOWN = 5,
};

/* The encoding that a Content-Transfer-Encoding value names; comments and blanks are skipped. */
enum mail_encoding mail_encoding_from(struct str value);

struct mail_decoder {
	enum mail_encoding encoding;
	uint32_t bits;
	uint8_t bits_n;  /* base64: characters of the group so far */
	uint8_t state;   /* quoted-printable: what the held bytes may become */
	uint8_t hex;     /* quoted-printable: the first hex digit as written */
	uint32_t blanks; /* quoted-printable: blanks held in `held`, or counted beyond it */
	char held[1000]; /* longer runs of blanks than a line may have are passed on */
	bool malformed;  /* something was skipped or guessed */
};

void mail_decoder_init(struct mail_decoder *d, enum mail_encoding encoding);
/* Adds what the bytes decode to. False: out had no room for it (room for in.n + 1024 always
 * suffices); then nothing was taken or added. */
bool mail_decoder_input(struct mail_decoder *d, struct str in, struct buf *out);
bool mail_decoder_end(struct mail_decoder *d, struct buf *out);

#endif
