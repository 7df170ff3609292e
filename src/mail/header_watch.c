// SPDX-License-Identifier: Apache-2.0
/* Whether a header block that streams by holds UTF-8. */
#include "mail/header.h"

#include "base/abnf.h"

/* Lines as header.h has them: one that is empty but for a CR right before its LF ends the block. */
static void line_byte(struct mail_header_watch *w, char c)
{
	if (c == '\n') {
		w->over = !w->filled;
		w->filled = w->cr = false;
	} else if (c == '\r' && !w->cr) {
		w->cr = true;
	} else {
		w->filled = true;
	}
}

/* A byte of a character beyond ASCII, or the one behind a character that breaks off. */
static void wide_byte(struct mail_header_watch *w, char c)
{
	static const unsigned char lengths[8] = { 0, 0, 0, 0, 2, 2, 3, 4 }; /* RFC 3629 3 */
	size_t whole;

	w->beyond = true;
	w->held[w->held_n++] = c;
	whole = lengths[((unsigned char)w->held[0] >> 4) & 7];
	if (whole > w->held_n && abnf_is_8bit(c))
		return;
	w->broken = str_utf8_sequence(str_make(w->held, w->held_n)) != w->held_n;
	w->held_n = 0;
}

void mail_header_watch(struct mail_header_watch *w, struct str bytes)
{
	for (size_t i = 0; i < bytes.n && !w->over && !w->broken; i++) {
		if (w->held_n > 0 || abnf_is_8bit(bytes.p[i]))
			wide_byte(w, bytes.p[i]);
		line_byte(w, bytes.p[i]);
	}
}

bool mail_header_is_utf8(const struct mail_header_watch *w)
{
	return w->beyond && !w->broken && w->held_n == 0;
}
