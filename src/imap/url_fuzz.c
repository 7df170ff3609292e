// SPDX-License-Identifier: Apache-2.0
/* IMAP URLs: what was read, written with every byte encoded, reads the same. */
#include "base/fuzz.h"
#include "imap/url.h"

#include "base/buf.h"

static void add_encoded(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		buf_addf(out, "%%%02x", (unsigned)(unsigned char)text.p[i]);
}

static void write_url(struct buf *out, const struct imap_url *u)
{
	if (u->mailbox.p != NULL) {
		buf_addc(out, '/');
		add_encoded(out, u->mailbox);
		if (u->uidvalidity != 0)
			buf_addf(out, ";uidvalidity=%u", (unsigned)u->uidvalidity);
		buf_addc(out, '/');
	}
	buf_addf(out, ";uid=%u", (unsigned)u->uid);
	if (u->section.p != NULL) {
		buf_addz(out, "/;section=");
		add_encoded(out, u->section);
	}
	if (u->partial)
		buf_addf(out, "/;partial=%llu", (unsigned long long)u->offset);
	if (u->length != 0)
		buf_addf(out, ".%llu", (unsigned long long)u->length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct imap_url u, again;
	struct arena a;
	struct buf out;

	arena_init(&a, 16 << 20);
	buf_init(&out, 4 << 20);
	if (imap_url_parse(str_make(data, size), &a, &u)) {
		FUZZ_CHECK(u.uid != 0 && (u.length == 0 || u.partial));
		FUZZ_CHECK(u.offset + u.length >= u.offset);
		FUZZ_CHECK(str_find(u.mailbox, '\0') == u.mailbox.n);
		write_url(&out, &u);
		FUZZ_CHECK(imap_url_parse(buf_str(&out), &a, &again));
		FUZZ_CHECK(
			str_equal(u.mailbox, again.mailbox) && str_equal(u.section, again.section));
		FUZZ_CHECK(u.uidvalidity == again.uidvalidity && u.uid == again.uid);
		FUZZ_CHECK(u.partial == again.partial && u.offset == again.offset &&
			   u.length == again.length);
	}
	buf_done(&out);
	arena_done(&a);
	return 0;
}
