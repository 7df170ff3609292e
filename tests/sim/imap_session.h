/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's side of an IMAP session, for simulated users and for audits: sends commands, reads
 * whole responses, keeps the view of the mailbox that it was told of, and fails the run when the
 * server contradicts itself.
 */
#ifndef CULVER_SIM_IMAP_SESSION_H
#define CULVER_SIM_IMAP_SESSION_H

#include "accounts.h"

struct user_fetched { /* of one FETCH response */
	uint32_t number, uid;
	bool has_flags, has_body;
	bool damaged; /* BODY[] NIL */
	uint8_t flags;
	uint64_t modseq, size; /* 0: not told */
	struct str body, date; /* INTERNALDATE */
};

struct user_flags {
	uint32_t uid;
	uint8_t flags;
};

struct user_session {
	struct conn conn;
	struct actor *actor;
	unsigned account, box; /* box: BOX_NONE when none is selected */
	struct authority authority;
	unsigned tag;
	struct vec view;  /* uint32_t: UIDs in order, 0: not told yet */
	struct vec flags; /* struct user_flags: of messages of the view, as they were told */
	struct box_told told;
	struct buf response;         /* with its literals */
	bool no_expunge;             /* RFC 9051 7.5.1: not while this command runs */
	bool examines;               /* opens what it opens to be read only */
	struct vec sources, targets; /* uint32_t: of the last COPYUID */
	struct vec appended;         /* uint32_t: of the last APPENDUID */
	uint32_t append_uid, append_validity, copy_validity;
	struct vec found;      /* uint32_t: of the last SEARCH or SORT, in their order */
	int note;              /* of the last METADATA: its number, 0: none */
	struct vec names;      /* char[64]: of LIST */
	bool has_quota;        /* the last QUOTA response; what was not told is 0 */
	uint64_t quota_kib[2]; /* used, limit */
	uint64_t quota_messages[2];
	struct vec modified; /* uint32_t: of the last MODIFIED */
	bool qresync;        /* VANISHED comes instead of EXPUNGE: RFC 7162 3.2.10.2 */
	void (*fetched)(struct user_session *, const struct user_fetched *);
	void (*vanished)(struct user_session *, uint32_t uid, bool earlier);
	void *arg;
};

enum user_result { USER_OK, USER_NO, USER_CUT };

/* client_imap.c: one of the things that its users do; what they do with what they read. */
enum user_result client_imap_something(struct user_session *);
/* news.c: asks whether there is anything new. */
enum user_result news_ask(struct user_session *);
/* Flags were told; a command will change some that it wants not to be told (RFC 9051 6.4.6). */
void news_flags(struct user_session *, uint32_t uid, uint8_t flags);
void news_silent(struct user_session *, const char *command);
/* It waits by IDLE, and has since that time. */
void news_told(struct user_session *, uint64_t asked);
/* client_notes.c: puts or reads an annotation; reads all of an account. */
enum user_result client_notes_something(struct user_session *);
void client_notes_audit(struct user_session *);
/* client_search.c: looks for something in what is selected. */
enum user_result client_search_something(struct user_session *);
void client_imap_fetched(struct user_session *, const struct user_fetched *);

bool user_open(struct user_session *, struct actor *, const struct authority *);
void user_close(struct user_session *);
/* Whether the last response has this code. */
bool user_said(const struct user_session *, const char *code);
/* A command without its tag; continuation: what is sent when the server asks for it. */
enum user_result user_command(struct user_session *, const char *format, ...) PRINTF_LIKE(2, 3);
/* Several messages in one APPEND (RFC 3502), or one in place of another (replaces: its UID, RFC
 * 8508). The texts are made from their numbers. */
enum user_result user_append_all(struct user_session *, const char *box, uint32_t replaces,
	const uint32_t *numbers, size_t n);
/* Message number n. flags: bits, as flag_names has them. */
enum user_result user_append(struct user_session *, const char *box, uint8_t flags, uint32_t n);
enum user_result user_idle(struct user_session *, int64_t ms);
/* Nothing goes wrong, so that what is to be told is told at once. */
bool user_is_quiet(const struct user_session *);
enum user_result user_select(struct user_session *, unsigned box);
enum user_result user_select_with(struct user_session *, unsigned box, const char *parameters);
/* No mailbox is selected any more. */
void user_left(struct user_session *);
/* One that comes and goes, whichever has the name now. */
enum user_result user_select_named(struct user_session *, const char *name);
/* The names of all mailboxes, or of those that are subscribed: names. */
enum user_result user_list(struct user_session *, bool subscribed);
/* Whether a UID is in the view of a session (arg). */
bool user_sees(void *arg, uint32_t uid);
/* Whether the last command kept this UID back. */
bool user_was_modified(const struct user_session *, uint32_t uid);

/* ---- audit.c ---- */

/* By the password that must be right, or one of the two that may be. */
bool audit_come_in(struct user_session *, struct actor *);
void audit_put_in_order(void);
void audit_each(void (*run)(struct actor *));

#endif
