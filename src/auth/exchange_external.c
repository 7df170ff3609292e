// SPDX-License-Identifier: Apache-2.0
/*
 * EXTERNAL (RFC 4422 appendix A): who shows the client certificate that is registered with the
 * account. Its message is an authorization identity or empty; with an empty one the account is the
 * certificate's.
 */
#include "auth/exchange_private.h"

enum { FINGERPRINT_BYTES = 32 };

enum exchange_step external_begin(struct exchange *x)
{
	struct str authzid = buf_str(&x->data);
	if (!x->has_data)
		return exchange_bad(x, "no-initial-response");
	/* extern-resp = *( UTF8-char-no-nul ) */
	if (!str_is_utf8(authzid) || str_find(authzid, 0) != authzid.n)
		return exchange_bad(x, "not-an-identity");
	if (x->certificate.n != FINGERPRINT_BYTES)
		return exchange_wrong(x, "no-certificate");
	if (authzid.n > LIMIT_ADDRESS_BYTES)
		return exchange_wrong(x, "unknown-user");
	buf_adds(&x->user, authzid);
	return EXCHANGE_ACCOUNT;
}

/* Every certificate of the account is compared, or one that is nobody's. */
enum exchange_step external_account(
	struct exchange *x, const struct frame_credentials *c, struct str name)
{
	bool right = false;
	(void)name;
	for (size_t i = 0; c && i < c->secrets.n; i++) {
		const struct api_secret *s = &c->secrets.items[i];
		if (s->kind == SECRET_CERTIFICATE && s->value.n == FINGERPRINT_BYTES &&
			mem_equal_const_time(s->value.p, x->certificate.p, FINGERPRINT_BYTES)) {
			right = true;
			x->key = exchange_key_of(s);
		}
	}
	if (right)
		return EXCHANGE_RIGHT;
	return exchange_wrong(x, c ? "certificate" : "unknown-user");
}
