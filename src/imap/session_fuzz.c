// SPDX-License-Identifier: Apache-2.0
/* A whole session against the host in memory. The first byte says whether somebody is logged in
 * and how the rest is cut; whatever the cuts, the client hears the same. But not with NOTIFY: what
 * it tells between two commands comes before the second when that takes its time. */
#include "base/fuzz.h"
#include "imap/fake_host.h"

#define OPENING                                                                                    \
	"1 LOGIN alice secret\r\n2 APPEND INBOX {42+}\r\nFrom: a@b\r\nSubject: x\r\n\r\nbody "     \
	"line "                                                                                    \
	"0123456\r\n\r\n3 SELECT INBOX\r\n"

static void run(struct fake *f, struct str input, size_t step, bool login, struct buf *heard)
{
	fake_init(f);
	f->settings.imap_hide = "id=*a*b*/1*:IDLE id=*:QRESYNC";
	f->settings.imap_hide_known = true;
	fake_connect(f, "imaps", true);
	if (login)
		fake_send(f, 0, STR(OPENING));
	while (input.n > 0) {
		struct str piece = str_sub(input, 0, step);

		input = str_from_offset(input, piece.n);
		fake_send(f, 0, piece);
	}
	buf_init(heard, 256 * 1024 * 1024);
	buf_adds(heard, buf_str(&f->clients[0].received));
	fake_done(f);
}

/* NOTIFY, or ENABLE METADATA: more is said between commands. */
static bool has_notify(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (str_starts_nocase(str_from_offset(text, i), STR("NOTIFY")) ||
			str_starts_nocase(str_from_offset(text, i), STR(" METADATA")))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake f;
	struct buf whole, cut;
	struct str input;
	bool login;

	if (size > 0 && size < 65536) {
		login = data[0] & 1;
		input = str_make(data + 1, size - 1);
		run(&f, input, input.n + 1, login, &whole);
		run(&f, input, 1 + data[0] / 2U % 64, login, &cut);
		FUZZ_CHECK(has_notify(input) || str_equal(buf_str(&whole), buf_str(&cut)));
		buf_done(&whole);
		buf_done(&cut);
	}
	return 0;
}
