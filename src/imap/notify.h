/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NOTIFY (RFC 5465): what a client wants to hear of, command or not.
 *
 *     notify_parse.c   the arguments                 cmd_notify.c   the command
 *     notify.c         when what is told             notify_diff.c  what is told of mailboxes
 *
 * A session without s->notify hears what RFC 9051 says; NOTIFY NONE is one with no events. ENABLE
 * METADATA (RFC 5464 4.4) adds the events of annotations to what NOTIFY says, before it or later.
 * What happens to other mailboxes than the selected one the store only says in general
 * (account_changed): the list of mailboxes is read again and compared with the one before. So
 * nothing can be missed or said twice, and a session of an account with LIMIT_NOTIFY_MAILBOXES
 * mailboxes holds some 200 KB.
 *
 * Between commands a turn is a command of our own without a reply (cmd.quiet), so that all steps
 * that commands are made of serve it too, and the client's input waits meanwhile.
 *
 * uses: fetch, mailboxes; used by: session, turns, selected and the commands that change something
 */
#ifndef CULVER_IMAP_NOTIFY_H
#define CULVER_IMAP_NOTIFY_H

#include "imap/fetch_attr.h"
#include "imap/imap_private.h"
#include "imap/mailboxes.h"

enum notify_event {
	EVENT_NEW = 1,
	EVENT_EXPUNGE = 2,
	EVENT_FLAGS = 4,
	EVENT_NAME = 8,
	EVENT_SUBSCRIPTION = 16,
	EVENT_METADATA = 32,
	EVENT_SERVER_METADATA = 64,
	EVENT_UNKNOWN = 128 /* one that we don't have: AnnotationChange, or of the future */
};
#define EVENTS_OF_MESSAGES (EVENT_NEW | EVENT_EXPUNGE | EVENT_FLAGS)

enum notify_filter {
	FILTER_INBOXES,
	FILTER_PERSONAL,
	FILTER_SUBSCRIBED,
	FILTER_SUBTREE,
	FILTER_MAILBOXES
};

struct notify_group {
	enum notify_filter filter;
	struct str *names; /* of SUBTREE and MAILBOXES */
	size_t n;
	unsigned events;
};

/* What was asked for. */
struct notify_spec {
	bool status;
	bool has_selected, delayed; /* SELECTED, SELECTED-DELAYED */
	unsigned selected;          /* its events */
	struct fetch_attrs attrs;   /* of its MessageNew; n 0: none */
	struct notify_group *groups;
	size_t n;
	size_t names;  /* of all groups */
	unsigned all;  /* every event that was named */
	bool metadata; /* annotations of all mailboxes and of the server, whatever the groups say */
};

/* " SET" … or " NONE" (ret with nothing in it). The names are as the client spells them. -1:
 * ERR_SYNTAX, ERR_LIMIT. */
int notify_parse(
	struct scan *s, struct arena *a, struct notify_spec *ret, struct err *err) MUST_CHECK;

/* The mailboxes as the client knows them. */
struct notify_snapshot {
	struct arena arena;
	struct mailboxes boxes;
};

struct notify_annotated {
	uint64_t mailbox;
	char name[256];
};

struct notify {
	struct arena arena; /* spec's */
	struct notify_spec spec;
	struct notify_snapshot now, next;
	uint64_t own_modseqs;  /* that this session's changes took of the account since `now` */
	bool implied;          /* NOTIFY was never said */
	bool stale;            /* the account has changed since */
	bool overflow;         /* more than can be told */
	uint32_t fetched;      /* UID up to which new messages were told with their attributes */
	uint32_t before_fetch; /* what it was before those that were fetched last */
	bool fetching;         /* it is under way */
	bool put_off, again;   /* some could not be had for the moment; it is the second time */
	struct vec own;        /* struct api_range: UIDs above that this session made itself */
	struct vec changed;    /* struct notify_annotated */
	struct vec set;        /* struct notify_annotated: by this session, not yet in changed */
	imap_step *listed;     /* after the list was read */
	struct notify *before; /* what holds if this one is refused yet; NULL: it is in force, or
				  there was none */
};

/* ---- notify.c ---- */

struct notify *notify_new(void);
void notify_free(struct notify **n);
/* No command runs: tells what there is, if there is. */
void notify_turn(struct imap *s);
/* The quiet command has come to its end. */
void notify_quiet_over(struct imap *s);
/* Of the selected mailbox the client is to hear of nothing but what it does itself; of no flags but
 * those that it stores. */
bool notify_is_mute(const struct imap *s);
bool notify_hides_flags(const struct imap *s);
/* EXPUNGE is held back: between commands, for SELECTED-DELAYED. */
bool notify_holds_expunges(const struct imap *s);
/* What the store said of itself. */
void notify_account_changed(struct imap *s, const struct frame_account_changed *f);
/* Some of what imap_fetch_these was asked for could not be had for the moment. All of it is fetched
 * once more, when the store is looked at again: so some may be told twice, and none is left out. */
void notify_fetch_failed(struct imap *s);
/* A mailbox was selected. */
void notify_selected(struct imap *s);
/* The store was replaced. */
void notify_reopened(struct imap *s);
/* Reads the list of mailboxes into n->next, then runs n->listed. */
void notify_read_list(struct imap *s, imap_step *listed);
/* The list that was read is what the client knows. */
void notify_listed_first(struct imap *s);
bool notify_wants_boxes(const struct notify *n);
/* The store tells of the account from now on, or does not. */
void notify_watch(struct imap *s, bool on);
/* What is wanted takes the place of what was before, which is kept until it is in force or refused.
 * Takes it. */
void notify_replace(struct imap *s, struct notify **wanted);
void notify_in_force(struct imap *s);
void notify_put_back(struct imap *s);
/* ENABLE METADATA was said. add: is to hold in what NOTIFY wants now, too. */
void notify_enable_metadata(struct imap *s);
void notify_add_metadata(struct notify *n);

/* This session's own changes, of which it need not hear (RFC 5465 5). Nothing without s->notify. */
void notify_own_messages(struct imap *s, uint64_t mailbox, uint32_t low, uint32_t high);
/* It took so many modseqs of the account for its changes: one for each message that was appended,
 * one for all whose flags it changed, or that it copied, moved or expunged, with one command. */
void notify_own_modseqs(struct imap *s, uint64_t n);
void notify_own_created(struct imap *s, const struct api_mailbox *m);
void notify_own_deleted(struct imap *s, struct str name);
void notify_own_renamed(struct imap *s, struct str from, struct str to);
void notify_own_subscribed(struct imap *s, struct str name, bool on);
/* 0: of the account */
void notify_own_annotated(struct imap *s, uint64_t mailbox, struct str name);

/* ---- notify_diff.c ---- */

/* The events that are wanted of a mailbox. */
unsigned notify_events(const struct notify *n, const struct api_mailbox *m);
/* Writes what is different in n->next, which becomes n->now. */
void notify_diff(struct imap *s);
/* Writes a STATUS of every mailbox whose messages are watched. */
void notify_write_status(struct imap *s);
/* Writes METADATA responses for n->changed. RFC 5464 4.4.2 */
void notify_write_metadata(struct imap *s);
void notify_snapshot_init(struct notify_snapshot *p);
void notify_snapshot_done(struct notify_snapshot *p);

#endif
