// SPDX-License-Identifier: Apache-2.0
/* Clients and what they trip over. */
#include "imap/clients.h"

#include "base/mem.h"

/* One line for a fault of a client that was seen by others, with where it is told, and only where
 * its ID has a name that tells it from others. A fault that has an end names the versions. */
static const struct {
	struct str client, capability;
} known[] = {
	/* It enables UIDONLY and goes on with message numbers, so it shows no mail. (Nothing is
	 * announced by that name yet.) mjl-/mox issue 388, modern-email/defects issue 49, 2025 */
	{ STR_INIT("Microsoft Office 365"), STR_INIT("UIDONLY") },
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* After a mismatch only the last "*" takes one byte more: no more than pattern times text. */
static bool fits(struct str pattern, struct str text)
{
	size_t p = 0, t = 0, star = pattern.n, taken = 0;

	while (t < text.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			taken = t;
		} else if (p < pattern.n && lower(pattern.p[p]) == lower(text.p[t])) {
			p++;
			t++;
		} else if (star < pattern.n) {
			p = star + 1;
			t = ++taken;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static void keep(char to[LIMIT_IMAP_ID_BYTES + 1], struct str value)
{
	to[0] = '\0';
	if (value.n > LIMIT_IMAP_ID_BYTES || str_find(value, '\0') < value.n)
		return;
	if (value.n > 0)
		memcpy(to, value.p, value.n);
	to[value.n] = '\0';
}

void imap_id_set(struct imap_id *id, struct str field, struct str value)
{
	if (str_equal_nocase(field, STR("name")))
		keep(id->name, value);
	else if (str_equal_nocase(field, STR("version")))
		keep(id->version, value);
}

bool imap_id_is(const struct imap_id *id, struct str pattern)
{
	size_t slash = str_find_last(pattern, '/');

	if (id->name[0] == '\0' || !fits(str_sub(pattern, 0, slash), str_from(id->name)))
		return false;
	return slash == pattern.n ||
	       fits(str_from_offset(pattern, slash + 1), str_from(id->version));
}

bool imap_id_trips(const struct imap_id *id, struct str capability)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_equal_nocase(known[i].capability, capability) &&
			imap_id_is(id, known[i].client))
			return true;
	return false;
}
