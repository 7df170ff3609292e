// SPDX-License-Identifier: Apache-2.0
/*
 * The lines in front of each recipient's copy: Return-Path, Delivered-To and Received (RFC 5321
 * 4.4), and the id that goes with a message through every log.
 */
#include "base/time.h"
#include "mail/build.h"
#include "smtp/smtp_private.h"

/* The "with" of Received: RFC 3848, RFC 4954 7, and RFC 6531 4.3 for SMTPUTF8. */
static const char *protocol(const struct smtp *s)
{
	static const char *const names[2][2][2] = {
		{ { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
		{ { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } },
	};
	if (!s->esmtp)
		return "SMTP";
	return names[s->tx.utf8][s->session.peer->tls][s->session.authenticated];
}

bool smtp_trace(
	const struct smtp *s, const struct smtp_recipient *to, int64_t wall_ms, struct buf *out)
{
	const struct session_peer_info *peer = s->session.peer;
	struct time_text date;
	struct mail_received received = {
		.helo = str_from(s->hello),
		.peer_address = str_from(peer->address),
		.by = str_from(s->session.host->hostname),
		.with = str_from(protocol(s)),
		.id = str_from(s->tx.id),
		/* "Postmaster" may come without a domain (RFC 5321 4.5.1); FOR may not. */
		.for_address = str_find(to->given, '@') < to->given.n ? to->given : to->target,
		.tls_cipher = str_from(peer->tls_cipher), /* empty without TLS */
		.tls_version = str_from(peer->tls_version),
		.date = str_from(time_rfc5322(&date, wall_ms)),
	};
	return mail_build_return_path(out, s->tx.from) &&
	       mail_build_delivered_to(out, to->target) && mail_build_received(out, &received);
}

/* 48 bits of milliseconds and 52 of chance, in Crockford's base 32: sorted by time, and read aloud
 * without mistakes. */
void smtp_message_id(const struct seams *seams, char id[24])
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t chance;
	uint64_t ms = (uint64_t)seams->clock->wall_ms(seams->clock);
	seams->random->fill(seams->random, &chance, sizeof(chance));
	for (int i = 9; i >= 0; i--, ms >>= 5)
		id[i] = digits[ms & 31];
	for (int i = 19; i >= 10; i--, chance >>= 5)
		id[i] = digits[chance & 31];
	id[20] = '\0';
}
