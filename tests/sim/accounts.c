// SPDX-License-Identifier: Apache-2.0
/* Passwords, their changes, and what sessions rest on (see accounts.h). Passwords are numbered and
 * never come again, so of two of them the later one has the greater number. */
#include "accounts.h"

struct account {
	unsigned current;  /* password that was acknowledged last */
	unsigned asked;    /* 0, or the one that was asked for since */
	bool active, sure; /* sure: nothing is asked for that would change it */
	unsigned offs, news;
	int64_t changed_ms, off_ms; /* when these were acknowledged */
	struct quota quota;
	bool quota_sure;
	int retention; /* -1: who knows */
	unsigned retention_news;
	unsigned quota_news;
};
static struct account accounts[ACCOUNTS];
static unsigned last_password;

static void password_text(unsigned account, unsigned number, char ret[24])
{
	snprintf(ret, 24, "secret-%u-%u", account, number);
}

void accounts_begin(void)
{
	for (unsigned i = 0; i < ACCOUNTS; i++)
		accounts[i] = (struct account){
			.current = 1, .active = true, .sure = true, .quota_sure = true
		};
	last_password = 1;
}

/* ---- users ---- */

static struct authority begin(unsigned account, unsigned tried)
{
	const struct account *a = &accounts[account];
	struct authority r = { .account = account,
		.tried = tried,
		.current = a->current,
		.offs = a->offs,
		.news = a->news,
		.sure = a->sure && a->asked == 0 };
	password_text(account, tried, r.password);
	return r;
}

struct authority authority_new(unsigned account)
{
	const struct account *a = &accounts[account];
	if (a->current > 1 && chance(8))
		return begin(account, (unsigned)dice(a->current)); /* 0: never was one */
	return authority_right(account, (unsigned)dice(2));
}

struct authority authority_right(unsigned account, unsigned attempt)
{
	const struct account *a = &accounts[account];
	return begin(account, a->asked && attempt ? a->asked : a->current);
}

/* Nothing has changed since it began, and nothing was about to. */
static bool was_quiet(const struct authority *r)
{
	const struct account *a = &accounts[r->account];
	return r->sure && a->news == r->news;
}

bool authority_holds(const struct authority *r)
{
	const struct account *a = &accounts[r->account];
	return was_quiet(r) && a->active && r->tried == r->current;
}

void authority_asked(struct authority *r)
{
	r->offs = accounts[r->account].offs;
}

void authority_granted(struct authority *r, const char *who)
{
	const struct account *a = &accounts[r->account];
	if (a->active && r->offs != a->offs)
		r->offs =
			a->offs; /* off and on again meanwhile: it may have been looked at after */
	if (r->tried < r->current)
		sim_fail("%s: %s came in with password %u, and %u was in force", who,
			account_address(r->account), r->tried, r->current);
	if (was_quiet(r) && !a->active)
		sim_fail("%s: %s came in, and is not active", who, account_address(r->account));
}

void authority_refused(const struct authority *r, const char *who)
{
	const struct account *a = &accounts[r->account];
	if (was_quiet(r) && a->active && r->tried == r->current)
		sim_fail("%s: %s was refused with the right password, %u", who,
			account_address(r->account), r->tried);
}

void authority_used(const struct authority *r, int64_t asked_ms, const char *who)
{
	const struct account *a = &accounts[r->account];
	if (a->current > r->tried && asked_ms > a->changed_ms + SESSION_END_MS)
		sim_fail("%s: the session of %s goes on %lld ms after its password was changed",
			who, account_address(r->account), (long long)(asked_ms - a->changed_ms));
	if (r->offs != a->offs && asked_ms > a->off_ms + SESSION_END_MS)
		sim_fail("%s: the session of %s goes on %lld ms after the account was switched off",
			who, account_address(r->account), (long long)(asked_ms - a->off_ms));
}

/* ---- the administrator ---- */

unsigned account_password_ask(unsigned account, char ret[24])
{
	struct account *a = &accounts[account];
	if (a->asked == 0)
		a->asked = ++last_password;
	a->news++;
	password_text(account, a->asked, ret);
	return a->asked;
}

void account_password_acked(unsigned account)
{
	struct account *a = &accounts[account];
	a->current = a->asked;
	a->asked = 0;
	a->news++;
	a->changed_ms = awake_ms();
}

void account_active_ask(unsigned account, bool active)
{
	struct account *a = &accounts[account];
	(void)active;
	a->news++;
	a->sure = false;
}

void account_active_acked(unsigned account, bool active)
{
	struct account *a = &accounts[account];
	a->sure = true;
	a->news++;
	if (a->active && !active) {
		a->offs++;
		a->off_ms = awake_ms();
	}
	a->active = active;
}

bool account_is_active(unsigned account)
{
	return accounts[account].active && accounts[account].sure;
}

void account_settled(unsigned account, unsigned password)
{
	struct account *a = &accounts[account];
	a->current = password;
	a->asked = 0;
	a->active = a->sure = true;
	a->news++;
}

/* ---- quotas ---- */

/* The most that delivery puts before a message. */
enum { PREFIX_MOST = 1500 };

struct room room_before(unsigned account)
{
	const struct account *a = &accounts[account];
	return (struct room){ .account = account,
		.news = a->quota_news,
		.sure = a->quota_sure,
		.asked = model_time() };
}

static bool quota_was_known(const struct room *r)
{
	const struct account *a = &accounts[r->account];
	return r->sure && a->quota_news == r->news;
}

void room_granted(const struct room *r, uint64_t messages, uint64_t bytes, const char *who)
{
	const struct quota *q = &accounts[r->account].quota;
	struct quota has = model_holds_least(r->account, r->asked);
	if (!quota_was_known(r))
		return;
	if ((q->bytes && has.bytes + bytes > q->bytes) ||
		(q->messages && has.messages + messages > q->messages))
		sim_fail("%s: %llu messages of %llu bytes were put where %llu of %llu were at the "
			 "least, and %llu of %llu may be",
			who, (unsigned long long)messages, (unsigned long long)bytes,
			(unsigned long long)has.messages, (unsigned long long)has.bytes,
			(unsigned long long)q->messages, (unsigned long long)q->bytes);
}

void room_refused(const struct room *r, uint64_t messages, uint64_t bytes, const char *who)
{
	const struct quota *q = &accounts[r->account].quota;
	struct quota has = model_holds_most(r->account, r->asked);
	has.bytes += has.messages * PREFIX_MOST + bytes + messages * PREFIX_MOST;
	has.messages += messages;
	bool full = messages ? (q->bytes && has.bytes > q->bytes) ||
				       (q->messages && has.messages > q->messages)
			     : (q->bytes && has.bytes >= q->bytes) ||
				       (q->messages && has.messages >= q->messages);
	if (quota_was_known(r) && !full)
		sim_fail(
			"%s: over quota, and %s holds %llu messages of %llu bytes with it at most; "
			"%llu of %llu may be",
			who, account_address(r->account), (unsigned long long)has.messages,
			(unsigned long long)has.bytes, (unsigned long long)q->messages,
			(unsigned long long)q->bytes);
}

struct quota account_quota(unsigned account)
{
	return accounts[account].quota;
}

bool account_quota_is_sure(unsigned account)
{
	return accounts[account].quota_sure;
}

void account_quota_ask(unsigned account)
{
	accounts[account].quota_sure = false;
	accounts[account].quota_news++;
}

void account_quota_acked(unsigned account, struct quota q)
{
	accounts[account].quota_sure = true;
	accounts[account].quota_news++;
	accounts[account].quota = q;
}

/* ---- retention ---- */

struct retention retention_of(unsigned account)
{
	const struct account *a = &accounts[account];
	return (struct retention){
		.account = account, .news = a->retention_news, .which = a->retention
	};
}

bool retention_holds(const struct retention *r)
{
	return r->which >= 0 && r->news == accounts[r->account].retention_news;
}

int account_retention(unsigned account)
{
	return accounts[account].retention;
}

void account_retention_ask(unsigned account)
{
	accounts[account].retention = -1;
	accounts[account].retention_news++;
}

void account_retention_acked(unsigned account, int which)
{
	accounts[account].retention = which;
	accounts[account].retention_news++;
}
