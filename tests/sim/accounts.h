/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must be true of accounts: who may come in with which password, whose sessions have ended,
 * and how much an account may hold. The administrator says what it asks for and what was answered;
 * a user asks for a password to try and says how it went.
 */
#ifndef CULVER_SIM_ACCOUNTS_H
#define CULVER_SIM_ACCOUNTS_H

#include "sim.h"

/* A login, or what a session's right to go on rests on. */
struct authority {
	unsigned account;
	unsigned tried;   /* number of the password */
	unsigned current; /* the one in force when it began */
	unsigned offs;    /* how often the account had been switched off */
	unsigned news;    /* changes of any state, asked or acknowledged, when it began */
	bool sure;        /* what is in force was known when it began */
	char password[24];
};

enum { SESSION_END_MS = 5000 }; /* after a change is acknowledged (ARCHITECTURE.md) */

void accounts_begin(void);
/* A password for one login: most often the right one. */
struct authority authority_new(unsigned account);
/* The one that must be right, or one of those that may be. */
struct authority authority_right(unsigned account, unsigned attempt);
/* Whether nothing has changed since that would end the session. */
bool authority_holds(const struct authority *);
/* The login begins now: what ended sessions before does not end this one. */
void authority_asked(struct authority *);
/* How the login went. */
void authority_granted(struct authority *, const char *who);
void authority_refused(const struct authority *, const char *who);
/* The session has just read or changed mail, asked for at that time. */
void authority_used(const struct authority *, int64_t asked_ms, const char *who);

/* ---- how much an account may hold (0: no limit) ---- */

struct quota {
	uint64_t bytes, messages;
};

/* Before something is put where quotas are strict, or a recipient is named. */
struct room {
	unsigned account, news;
	bool sure; /* which quota is in force */
	uint64_t asked;
};

/* What an account holds, by the model (model.c): copies that have been there since before that time
 * and stay; all that there may have been since. */
struct quota model_holds_least(unsigned account, uint64_t asked);
struct quota model_holds_most(unsigned account, uint64_t asked);

struct room room_before(unsigned account);
/* So much was put there, or was refused because it is too much. 0 messages: a recipient, who is
 * full or not. */
void room_granted(const struct room *, uint64_t messages, uint64_t bytes, const char *who);
void room_refused(const struct room *, uint64_t messages, uint64_t bytes, const char *who);
struct quota account_quota(unsigned account);
bool account_quota_is_sure(unsigned account);
void account_quota_ask(unsigned account);
void account_quota_acked(unsigned account, struct quota);

/* ---- POP3 retention (enum pop3_retention) ---- */

/* When a session begins: which of them it has. -1: who knows. */
struct retention {
	unsigned account, news;
	int which;
};
struct retention retention_of(unsigned account);
/* Nothing was changed since. */
bool retention_holds(const struct retention *);
int account_retention(unsigned account); /* in force, or -1 */
void account_retention_ask(unsigned account);
void account_retention_acked(unsigned account, int which);

/* The administrator's. A new password's number is drawn; the same again as long as it is not known
 * whether it is in force. */
unsigned account_password_ask(unsigned account, char ret[24]);
void account_password_acked(unsigned account);
void account_active_ask(unsigned account, bool active);
void account_active_acked(unsigned account, bool active);
bool account_is_active(unsigned account);
/* Which password is in force, and that the account is active, was found out. */
void account_settled(unsigned account, unsigned password);

#endif
