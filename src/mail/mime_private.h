/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of the message parser that have files of their own. For mail/mime*.c and preview.c. */
#ifndef CULVER_MAIL_MIME_PRIVATE_H
#define CULVER_MAIL_MIME_PRIVATE_H

#include "base/arena.h"
#include "mail/digest_private.h"
#include "mail/param.h"

/* ---- the fields of one header block that matter (mime_fields.c) ---- */

/* The envelope's fields come first, by their own numbers. */
enum wanted_field {
	WANTED_TYPE = DIGEST_FIELDS,
	WANTED_ENCODING,
	WANTED_ID,
	WANTED_DESCRIPTION,
	WANTED_MD5,
	WANTED_DISPOSITION,
	WANTED_LANGUAGE,
	WANTED_LOCATION,
	WANTED_FIELDS
};

/* One header block at a time: a part's header is complete before the next one's begins. */
struct fields {
	struct buf value[WANTED_FIELDS];      /* unfolded, not trimmed */
	uint32_t seen, duplicates, truncated; /* bits 1 << field */
	int current;                          /* the field that continuation lines go to, or -1 */
	bool any;        /* there was a field: blanks at a line's front continue */
	bool broken;     /* a line was no field */
	bool is_message; /* the header of a message: it has an envelope */
	bool is_nested;  /* of a message inside: smaller shares of the digest */
};

void fields_init(struct fields *f);
void fields_done(struct fields *f);
/* Starts anew; gives back memory that only unusual headers need. */
void fields_reset(struct fields *f, bool is_message, bool is_nested);
/* One line without its line end; len: its true length, of which `line` may be the head alone. */
void fields_line(struct fields *f, struct str line, size_t len);
/* The trimmed value; p == NULL when there was none. */
struct str fields_value(const struct fields *f, int field);
/* Encodes the envelope. At most max bytes: values that do not fit are left out and *ret_dropped
 * says so. */
void fields_envelope(const struct fields *f, size_t max, struct buf *out, bool *ret_dropped);
size_t fields_memory(const struct fields *f);

/* ---- the beginning of the text (preview.c) ---- */

struct preview {
	struct buf raw;  /* the body's first bytes, still encoded */
	struct buf text; /* the result */
	struct str charset_name;
	char charset[64];
	enum mail_encoding encoding;
	bool capturing;
	bool is_html; /* of the part that is captured, or that text was made from */
};

void preview_init(struct preview *p);
void preview_done(struct preview *p);
/* Whether the text of such a part would be better than what there is. */
bool preview_wants(const struct preview *p, bool is_html);
void preview_begin(
	struct preview *p, bool is_html, enum mail_encoding encoding, struct str charset);
/* Room for raw bytes; 0 when nothing is captured. */
size_t preview_room(const struct preview *p);
void preview_input(struct preview *p, struct str bytes);
/* The part is complete. */
void preview_end(struct preview *p);

#endif
