// SPDX-License-Identifier: Apache-2.0
/* A server that says anything, whole and split: the client tells the same, within its bounds, and
 * asks what can be asked whenever it may. The first byte chooses what the client wants. */
#include "base/fuzz.h"
#include "imap_client/scene.h"

static void ask(struct scene *s, unsigned *asked)
{
	static const uint32_t uids[] = { 1, 2, 3, 70 };
	size_t n = imap_client_mailboxes(s->client);
	switch ((*asked)++ % 4) {
	case 0:
		imap_client_list(s->client);
		break;
	case 1:
		imap_client_examine(s->client, n ? *asked % n : 0);
		break;
	case 2:
		imap_client_entries(s->client);
		break;
	default:
		imap_client_fetch(s->client, uids, 4);
		break;
	}
}

static void run(struct scene *s, struct str in, const struct imap_client_options *o, size_t step)
{
	unsigned asked = 0;
	scene_begin(s, o, 0);
	for (size_t at = 0; at < in.n && s->last != IMAP_CLIENT_FAILED;) {
		size_t n = step && step < in.n - at ? step : in.n - at;
		struct buf *out = imap_client_out(s->client);
		at += imap_client_input(s->client, str_sub(in, at, n), &s->last);
		scene_tell(s);
		if (s->last == IMAP_CLIENT_READY || s->last == IMAP_CLIENT_REFUSED)
			ask(s, &asked);
		buf_adds(&s->sent, buf_str(out));
		buf_consume(out, out->n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	struct str in = str_make(data + 1, size - 1);
	struct imap_client_options o = { .user = STR("user"),
		.password = STR("password"),
		.starttls = data[0] & 1,
		.most_bytes = 200 };
	if (data[0] & 2)
		o.user = STR("us\xc3\xa9r");
	struct scene a, b;
	run(&a, in, &o, 0);
	run(&b, in, &o, 1);
	/* What is behind the OK to STARTTLS in one read is refused, so there splits differ. */
	bool differ = str_search(buf_str(&a.told), STR("behind its OK")) < a.told.n;
	FUZZ_CHECK(differ || str_equal(buf_str(&a.told), buf_str(&b.told)));
	FUZZ_CHECK(differ || str_equal(buf_str(&a.sent), buf_str(&b.sent)));
	/* Nothing is said to a server without TLS that is to have it but these. */
	if (o.starttls && str_search(buf_str(&a.told), STR("tls\n")) == a.told.n)
		FUZZ_CHECK(str_search(buf_str(&a.sent), STR("LOGIN")) == a.sent.n &&
			   str_search(buf_str(&a.sent), STR("AUTH")) == a.sent.n);
	scene_end(&a);
	scene_end(&b);
	return 0;
}
