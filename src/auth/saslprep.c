// SPDX-License-Identifier: Apache-2.0
/* SASLprep by ICU's profile of RFC 4013. What is ASCII without controls is itself. */
#include "auth/saslprep.h"

#include "base/icu.h"
#include "base/limits.h"

#include <unicode/usprep.h>
#include <unicode/ustring.h>

enum { MOST = LIMIT_PASSWORD_BYTES };

static bool is_plain(struct str s)
{
	return str_is_ascii(s) && !str_has_control(s);
}

/* NFKC can make a code point 18 times as long. */
static bool prepare(struct str text, struct buf *out)
{
	static const size_t growth = 18;
	UErrorCode code = U_ZERO_ERROR;
	UChar *from = xcalloc(MOST, sizeof(*from));
	UChar *to = xcalloc(MOST * growth, sizeof(*to));
	char *utf8 = xcalloc(MOST * growth, 3);
	int32_t n = 0;
	UStringPrepProfile *profile = usprep_openByType(USPREP_RFC4013_SASLPREP, &code);
	u_strFromUTF8(from, MOST, &n, text.p, (int32_t)text.n, &code);
	n = usprep_prepare(profile, from, n, to, (int32_t)(MOST * growth), USPREP_ALLOW_UNASSIGNED,
		NULL, &code);
	u_strToUTF8(utf8, (int32_t)(MOST * growth * 3), &n, to, n, &code);
	bool good = icu_good(code) && n > 0 && buf_add(out, utf8, (size_t)n);
	usprep_close(profile);
	mem_wipe(from, MOST * sizeof(*from));
	mem_wipe(to, MOST * growth * sizeof(*to));
	mem_wipe(utf8, MOST * growth * 3);
	mem_free_p(&from);
	mem_free_p(&to);
	mem_free_p(&utf8);
	return good;
}

bool saslprep(struct str text, struct buf *out)
{
	if (text.n == 0 || text.n > MOST)
		return false;
	if (is_plain(text))
		return buf_adds(out, text);
	return str_is_utf8(text) && prepare(text, out);
}

void saslprep_password(struct str password, struct buf *ret)
{
	enum { ROOM = 64 * LIMIT_PASSWORD_BYTES };
	buf_init(ret, ROOM);
	buf_reserve(ret, ROOM); /* at once: growing leaves copies behind */
	if (!saslprep(password, ret))
		buf_adds(ret, password);
}

void saslprep_password_done(struct buf *prepared)
{
	mem_wipe(prepared->p, prepared->cap);
	buf_done(prepared);
}
