// SPDX-License-Identifier: Apache-2.0
/* QUIT   RFC 1939 4, 6
 *
 * In the TRANSACTION state QUIT enters UPDATE: what is to be deleted goes to the store as one
 * change, which it carries out as a whole or not at all (hostile-input P5). Nothing else in this
 * folder deletes. */
#include "pop3/pop3_private.h"

#include "base/planted.h"

#include "base/time.h"

#define RANGES_IN_FRAME 7000

static void change_done(struct pop3 *s, const struct frame *f);

/* By the client's wish, or by the account's policy. */
static bool goes(const struct pop3 *s, const struct pop3_message *m, int64_t now_ms)
{
	switch (s->retention) {
	case RETAIN_KEEP:
		return false;
	case RETAIN_DELETE:
		return m->deleted || m->retrieved;
	case RETAIN_EXPIRE:
		return m->deleted || m->time < now_ms - (int64_t)s->expire_days * TIME_DAY_MS;
	default:
		return m->deleted;
	}
}

static void sign_off(struct pop3 *s, bool all_done)
{
	const char *name = s->session.host->hostname;
	if (!all_done)
		pop3_say(s, "-ERR [SYS/TEMP] some deleted messages not removed");
	else if (s->drop_count == 0)
		pop3_say(s, "+OK %s POP3 server signing off (maildrop empty)", name);
	else
		pop3_say(s, "+OK %s POP3 server signing off (%zu message%s left)", name,
			s->drop_count, s->drop_count == 1 ? "" : "s");
	pop3_close(s);
}

/* The next ranges of UIDs that go, from s->at on: neighbours in the maildrop are one range, since
 * no UID between theirs can come to life again. Returns how many. */
static size_t next_ranges(struct pop3 *s, struct api_range *to, size_t max, int64_t now_ms)
{
	size_t n = 0;
	bool open = false;
	for (; s->at < s->drop.n; s->at++) {
		const struct pop3_message *m = vec_at(&s->drop, s->at);
		bool go = goes(s, m, now_ms);
		if (go && !open && n == max)
			break;
		if (go && !open)
			to[n++].low = m->uid;
		if (go)
			to[n - 1].high = m->uid;
		open = go;
	}
	return n;
}

/* One change. More ranges than one may have (which no client has yet been seen to need) take
 * several. */
static void ask_change(struct pop3 *s)
{
	struct session_host *host = s->session.host;
	struct clock_seam *clock = host->seams->clock;
	struct api_range ranges[RANGES_IN_FRAME];
	int64_t now_ms = clock->wall_ms(clock);
	size_t asked = 0;
	while (asked + RANGES_IN_FRAME <= LIMIT_REQUEST_RANGES) {
		size_t n = next_ranges(
			s, ranges, planted("update_in_parts") ? 1 : RANGES_IN_FRAME, now_ms);
		if (n == 0)
			break;
		struct frame f = { .type = FRAME_UIDS, .uids = { { ranges, n } } };
		if (asked == 0)
			pop3_ask(s, ASK_STORE, &f, change_done);
		else
			host->tell(host, &s->session, ASK_STORE, s->request, &f);
		asked += n;
		if (planted("update_in_parts"))
			break;
	}
	if (asked == 0) {
		sign_off(s, true);
		return;
	}
	struct frame f = { .type = FRAME_EXPUNGE,
		.expunge = { s->session.store_session, s->mailbox, false } };
	host->tell(host, &s->session, ASK_STORE, s->request, &f);
}

static void change_done(struct pop3 *s, const struct frame *f)
{
	if (f->type == FRAME_CHANGED && !f->changed.last)
		pop3_await(s, change_done);
	else if (f->type == FRAME_CHANGED)
		ask_change(s);
	else
		sign_off(s, false);
}

static void count_left(struct pop3 *s)
{
	struct clock_seam *clock = s->session.host->seams->clock;
	int64_t now_ms = clock->wall_ms(clock);
	s->drop_count = 0;
	s->drop_octets = 0;
	VEC_EACH (const struct pop3_message, m, &s->drop) {
		if (goes(s, m, now_ms))
			continue;
		s->drop_count++;
		s->drop_octets += m->size;
	}
}

void pop3_quit(struct pop3 *s, struct str arg)
{
	(void)arg;
	if (s->state == POP3_AUTHORIZATION) {
		pop3_say(s, "+OK %s POP3 server signing off", s->session.host->hostname);
		pop3_close(s);
		return;
	}
	pop3_ahead_forget(s);
	s->state = POP3_UPDATE;
	s->at = 0;
	count_left(s);
	ask_change(s);
}
