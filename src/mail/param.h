/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured MIME values: "type/subtype; name=value; …" (RFC 2045 5.1), dispositions (RFC 2183),
 * and parameters that are continued or have a charset (RFC 2231).
 *
 * Reading is tolerant and total: comments, blanks around "=", missing values, values with
 * characters that should have been quoted (up to the next ";"), 8-bit bytes. Of two parameters with
 * one name the first counts (hostile-input M7). At most LIMIT_MIME_PARAMS are kept, and as many
 * segments of a continued one; O(n) (M8).
 *
 * uses: base, mail/charset; used by: mail/mime, imap, webmail
 */
#ifndef CULVER_MAIL_PARAM_H
#define CULVER_MAIL_PARAM_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/str.h"

struct mail_param {
	struct str name;  /* as written, with "*0*" and the like */
	struct str value; /* quotes and backslashes removed, not decoded */
};

struct mail_value {
	struct str type;    /* "text", or the disposition; empty when there was none */
	struct str subtype; /* "plain"; empty when there was none */
	struct mail_param *params;
	size_t n;
	bool malformed; /* the grammar was not followed, or a name came twice */
	bool truncated; /* parameters were dropped */
};

/* type [ "/" subtype ] *( ";" parameter ); value folded or not. Slices live in the arena or borrow
 * from the value. */
void mail_value_parse(struct arena *a, struct str value, struct mail_value *ret);

/* The first parameter of exactly that name (ASCII case ignored), or NULL. */
const struct mail_param *mail_param_find(
	const struct mail_param *params, size_t n, struct str name);
/* The parameter as text: name*0*, name*1, … put together and converted (RFC 2231 3, 4), or name*,
 * or name with encoded words decoded (forbidden, common), as valid UTF-8 on one line. Segments
 * count up to the first gap. False and nothing added when there is no such parameter or out is
 * full. */
bool mail_param_text(const struct mail_param *params, size_t n, struct str name, struct buf *out);
/* The same bytes, no charset conversion and no encoded words: for boundary and the like. */
bool mail_param_bytes(const struct mail_param *params, size_t n, struct str name, struct buf *out);
/* The parameters with the segments of each put together (RFC 2231 6), at the place of the first:
 * "name*0", "name*1", … become "name"; where one is percent-encoded, "name*", still encoded as
 * "charset'language'value", or with decode as UTF-8 (RFC 9051 7.5.2). What makes no sense, or is
 * more than the arena holds, stays as it is. Returns how many there are in ret: at most n. */
size_t mail_params_join(struct arena *a, const struct mail_param *params, size_t n, bool decode,
	struct mail_param ret[LIMIT_MIME_PARAMS]);
/* A file name that is safe to show and to save (hostile-input M14): the last path element, no
 * controls, no bidirectional overrides, no leading dots, at most 255 bytes of UTF-8; "" when
 * nothing is left. */
bool mail_file_name(struct str text, struct buf *out);

#endif
