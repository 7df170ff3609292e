/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the store. Files and what they hold:
 *
 *     store.c       opening, closing, workers, collecting what they have done
 *     job.c         jobs and their queues
 *     writer.c      the writer's step: bodies, flush, rows, flush
 *     reading.c     the readers' step, the maintainer's
 *     known.c       recipients that were asked for before
 *     reclaim.c     upkeep: forgetting what was deleted, reclaiming its space
 *     publish.c     change logs of watched mailboxes, and telling watchers
 *     account_watch.c   telling who watches an account
 *     bases.c       views that were read, kept for who opens them next
 *     recent.c      which messages no session was told of
 *     peer.c        peers, the table of questions, output in turns
 *     ask_*.c       one family of questions each; ask_backup.c has a part of the writer's too
 *     log_vfs.c     the ledger's log in fewer writes
 *     digests.c     the derived table of digests
 *     ledger_copy.c the successor of a failed flush
 *     ledger_verify.c   whether a ledger is whole
 *
 * Loop and workers share nothing but jobs, which belong to one side at a time, and the engine,
 * the segments and the digests, whose headers say who may call what.
 */
#ifndef CULVER_STORE_STORE_PRIVATE_H
#define CULVER_STORE_STORE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "api/schemes.h"
#include "base/buf.h"
#include "base/map.h"
#include "store/digests.h"
#include "store/engine.h"
#include "store/names.h"
#include "store/segment.h"
#include "store/spool.h"
#include "store/store.h"

struct job;
struct reading;

/* ---- sessions and watches: loop ---- */

struct store_session {
	struct store_session *next, **link; /* of the peer */
	struct store_peer *peer;
	uint32_t number;
	struct op_by by;
	uint32_t service; /* enum service */
	bool maildrop;    /* holds the account's maildrop lock */
	struct watch *watches;
	struct account_watch *account_watch; /* NULL: not watched */
	/* The mailbox that it last appended to by name (NULL: none), while store->rewrites is so:
	 */
	char *named;
	uint64_t named_mailbox, named_at;
};

/* A session that hears of whatever changes in its account. */
struct account_watch {
	struct account_watch *next, **link; /* of the account */
	struct store_session *session;
	bool told;            /* account_changed was sent, and the peer did not ask since */
	bool more;            /* annotated is full */
	struct vec annotated; /* struct annotated: not yet told of */
};

struct watch {
	struct watch *next, **link;         /* of the session */
	struct watch *log_next, **log_link; /* of the mailbox's log */
	struct store_session *session;
	struct mailbox_log *log;
	bool told; /* mailbox_changed was sent, and the peer did not ask since */
};

struct logged {
	uint64_t modseq;
	bool expunged;
	struct api_entry entry;
};

/* What happened to a mailbox while somebody watches it. It reaches back to `floor`. */
struct mailbox_log {
	uint64_t mailbox, account;
	struct watch *watches;
	uint32_t users;         /* views that are being read for a watcher, and `base` */
	struct base *base;      /* bases.c: the view as it was read; NULL: not kept */
	struct vec items;       /* struct logged, by modseq */
	uint64_t floor;         /* UINT64_MAX: not known before the first view has been read */
	uint32_t floor_uidnext; /* the mailbox's at the floor */
	uint64_t dropped;       /* modseq of the newest that was dropped */
	uint64_t latest;        /* of what was published since the log was made */
	uint32_t uidnext; /* the mailbox's at `latest`; 0: nothing was published that says it */
	uint64_t said;    /* newest modseq of a view that was opened: none opens behind it */
	bool gone;
	uint32_t recent;   /* the first UID that no session was told of: recent.c */
	bool recent_waits; /* in store->recents */
	struct mailbox_log *recent_next;
	uint32_t n_keywords;
	char (*keywords)[LIMIT_KEYWORD_BYTES + 1]; /* LIMIT_KEYWORDS of them, or NULL */
};

/* A view in memory: what was read of a mailbox, which its log brings up to date when it is opened
 * again. Answers under way hold it as it is. */
struct base {
	struct base *newer, *older; /* of those that are kept, by their last use */
	struct mailbox_log *log;    /* NULL: not kept any more, or never */
	uint32_t refs;              /* the log's, and answers' */
	uint32_t uidvalidity;
	uint32_t uidnext; /* at `modseq`: what is ahead of what is published may say another */
	uint64_t modseq;
	size_t at;          /* items of the log that it has taken in, or had when it was read */
	struct vec entries; /* struct api_entry, by UID */
	size_t bytes;       /* of store->bases_bytes */
	uint32_t unseen;    /* the first without \Seen, counted from 1; 0: none */
	bool unseen_known;
	bool bare;         /* the numbers alone, which stand until the log has something newer */
	uint32_t messages; /* bare: how many there are */
	char *name;        /* the mailbox's; NULL: not known since one was renamed */
};

/* ---- upkeep: loop, but that a job's part goes with it ---- */

enum reclaim_step {
	RECLAIM_REST,
	RECLAIM_FORGET,
	RECLAIM_SETTLE,
	RECLAIM_LOOK,
	RECLAIM_WALK,
	RECLAIM_REMOVE
};

struct reclaim_segment {
	struct segment_row row;
	uint64_t bytes; /* of the file */
	bool exists;
	bool rewrite;       /* or survey */
	bool late;          /* what is dead in it must go soon: no limit holds */
	bool short_of_room; /* there was none on the disk to rewrite it, when ... */
	uint32_t gone_then; /* ... so many segments had gone in this pass */
};

struct reclaim {
	enum reclaim_step step;
	bool busy;                  /* a job of ours is under way */
	bool held;                  /* by a repair, which gives bodies their rows back */
	bool now;                   /* an administrator asked: all that is dead, without a limit */
	bool again;                 /* asked while a pass was under way */
	bool all_deleted;           /* asked: what is kept of deleted messages too */
	bool roll, rolled;          /* the segment at the end is to be sealed; was, in this pass */
	int64_t next_ms;            /* monotonic: when the next pass begins */
	int64_t flushed_ms;         /* when what is carried was last asked to be flushed */
	int64_t counted_ms, budget; /* bytes that may be read now */
	uint64_t asked;             /* store->asked then */
	uint64_t account;           /* forgetting: where to go on */
	uint32_t settled;
	struct vec todo, done; /* struct reclaim_segment */
	size_t at;
	uint64_t place, dead; /* in the segment that is walked */
	bool weighed;         /* it, and there is room to rewrite it */
	struct job *askers;
	struct frame_reclaimed figures;
};

/* What a job of upkeep asks and finds. */
struct upkeep {
	uint64_t account;
	int64_t before;
	uint32_t segment;
	bool rewrite;
	uint64_t place;
	bool roll;  /* writer: seal the segment at the end */
	bool move;  /* writer: job->items are struct blob_move */
	bool flush; /* writer: flush what the ledger carries */

	uint32_t settled;
	uint64_t dead, read, left, left_bytes;
	uint32_t damaged;
	bool end;
};

struct blob_move {
	struct blob_ref from, to;
};

/* ---- peers: loop ---- */

struct upload;

/* A message that the peer has uploaded and will sign (upload_signature). */
struct signing {
	uint32_t request;
	uint64_t body;
	uint32_t prefix_at[LIMIT_SIGNED_LANDINGS]; /* of the first recipients */
	size_t landings;
};

/* What answers that were not taken yet hold, or are thought to hold, and who waits for room. */
struct peer_room {
	size_t held;
	struct job *waiting, **waiting_end;
};

struct store_peer {
	struct store_peer *next, **link; /* of the store */
	struct store *store;
	int class;
	uint32_t instance;
	struct store_replies replies;
	struct log log;
	struct store_session *sessions;
	struct job *jobs;           /* all that are under way for it */
	struct job *out, **out_end; /* with frames to send, in turns */
	struct peer_room reads;     /* heavy ones */
	struct peer_room changes;   /* apart, since the writer may be long about one */
	size_t n_jobs, n_sessions, n_watches, n_ranges;
	size_t upload_bytes;          /* memory of its uploads, until they are answered */
	size_t asked_bytes;           /* of its other questions under way */
	struct map uploads;           /* request -> struct upload */
	struct map ranges;            /* request -> struct ranges (ask_change.c) */
	struct vec signing;           /* struct signing: the last LIMIT_SIGNED_UPLOADS */
	size_t signing_next;          /* which of them the next one takes the place of */
	struct address_name restores; /* whose messages it brings back; n is 0: nobody's */
	uint64_t restored;            /* that account, once it is known; 0 before */
	bool blocked;                 /* a bulk frame was refused */
	bool pumping;
	bool resting; /* between the portions of a large answer */
};

/* ---- jobs: one side at a time ---- */

enum produced {
	PRODUCED_FRAME, /* *frame is to be sent, then `sent` */
	PRODUCED_END,
	PRODUCED_WORK /* the readers have to go on first */
};

struct job_class {
	const char *name;
	/* On a reader's thread; NULL: a write. Fills err. */
	void (*work)(struct reading *, struct job *);
	/* On the loop, when it has been worked on; the peer is there. Sends the answer, or returns
	 * true: the answer is a series (produce). NULL: only a series. Not called after an error,
	 * which is answered by `failed`. */
	bool (*done)(struct job *);
	/* The next frame of the series; sent() when it was taken. */
	enum produced (*produce)(struct job *, struct frame *);
	void (*sent)(struct job *);
	/* On the loop in any case, peer or not, error or not, before done: counters and locks. */
	void (*always)(struct job *);
	/* On the loop, when something more was published, for one that waits for it (job_wait). */
	void (*published)(struct job *);
	size_t cost; /* bytes its answer may hold; 0: little */
	/* A write that is more than a transaction: on the writer's thread, alone. */
	void (*exclusive)(struct store *, struct job *);
};

struct landing_to {
	uint64_t account, mailbox;
	int64_t time_ms;
	struct str prefix;
};

/* A body that is to be written. */
struct job_body {
	struct spool *spool;
	struct record_recipient *recipients; /* in the arena; one for each landing */
	size_t n_recipients;
	struct str digest;
	size_t op; /* its OP_BODY in the transaction; its landings are those behind it */
};

struct job {
	struct job *next; /* of the queue it is in */
	const struct job_class *class;
	struct store *store;
	struct store_peer *peer; /* loop only; NULL: gone */
	struct job *peer_next, **peer_link;
	uint32_t request;
	uint32_t session; /* 0: none */
	struct op_by by;
	struct frame ask; /* the question; what it points at is in the arena */
	struct arena arena;
	struct err err;
	size_t cost;            /* class->cost, or what is known of this one */
	struct peer_room *room; /* of the peer's for such answers; NULL: not chosen yet */
	size_t held;            /* of that */
	size_t asked;           /* of its asked_bytes */
	size_t uploaded;        /* of its upload_bytes */

	/* writes */
	struct txn *txn;
	struct job_body *bodies; /* in the arena */
	size_t n_bodies;
	struct str digest;    /* of a body that is there already */
	uint64_t digest_body; /* which */
	struct str signature; /* of that body with the prefix that lies there */
	uint32_t signature_prefix;
	struct upkeep *upkeep; /* NULL: not one of reclaim.c's */

	/* results of reads, and how far the series is */
	struct vec items, more_items, keywords;
	struct mailbox_row *mailbox;
	struct account_row *account;
	struct buf bytes;
	uint64_t size;
	uint32_t uidnext;        /* view: the first slice's, at `size`; changes: what is said */
	uint64_t noted;          /* store->endings, or rewrites, at the begin */
	uint32_t recent;         /* view: the log's at the begin; changes: what is answered */
	uint32_t n_recent;       /* view: how many there are from there on */
	struct mailbox_log *log; /* view: is being read for a watcher */
	struct base *base;       /* view: what is sent, in the place of items */
	uint32_t unseen;         /* view: the first of items without \Seen, counted from 1 */
	size_t at, step, worked;
	bool finished;
};

struct job_queue {
	pthread_mutex_t lock;
	struct job *first, **end;
	size_t n;
};
void job_queue_init(struct job_queue *q);
void job_queue_done(struct job_queue *q); /* frees what is left */
void job_queue_put(struct job_queue *q, struct job *job);
/* Up to `max` jobs, linked by next; NULL: none. */
struct job *job_queue_take(struct job_queue *q, size_t max);

/* A job for a question; NULL: the peer has too many, and was told so. */
struct job *job_new(struct store_peer *peer, const struct job_class *class, uint32_t request,
	const struct frame *frame);
/* One that nobody waits for. */
struct job *job_new_own(struct store *store, const struct job_class *class);
void job_free(struct job *job);
void job_said(struct job *job);           /* frees one whose series has been sent */
bool job_is_large(const struct job *job); /* its answer is many MB */
/* Copies a string of the question into the job; false: it does not fit. */
bool job_keep(struct job *job, struct str *s) MUST_CHECK;
void job_keep_uids(struct job *job, struct api_u32_list *uids);
/* To the readers, or (heavy ones) as soon as the peer's answers leave room. ERR_TEMP is answered
 * when its questions hold too much. */
void job_read(struct job *job);
/* For a read whose question is one string: keeps it and hands the job over. job may be NULL. */
void job_read_with(struct job *job, struct str *s);
/* To the writer, or as soon as there is room for its answer, as for a read. ERR_READ_ONLY is
 * answered at once, and ERR_TEMP when the peer's questions hold too much. */
void job_write(struct job *job);
/* What an answer sends: its items, or those of its base. */
const struct vec *job_series(const struct job *job);
/* The answer was read: what it really holds takes the place of what it was thought to. */
void job_holds(struct job *job);
/* For `done`: reads on until the work says `finished`; then the items are a series to be sent. */
bool job_items_read(struct job *job);
/* For `sent`: the `step` items from `at` on have gone. */
void job_items_sent(struct job *job);
void job_answer(struct job *job, const struct frame *frame);
void job_answer_done(struct job *job);
void job_answer_failed(struct job *job, const struct err *err);

/* ---- workers ---- */

struct reading {
	struct store *store;
	struct worker *worker;
	struct reader *reader;
	struct segment_reader *segments;
	struct digest_reader *digests;
	atomic_bool busy;
};

/* A mailbox by its number; another account's is ERR_NOT_FOUND, as one that is not there. */
int job_own_mailbox(
	struct reading *r, struct job *job, uint64_t mailbox, struct mailbox_row *ret_row);

enum { MAX_READERS = 16 };

enum backup_state { BACKUP_NONE, BACKUP_COPYING, BACKUP_READY };

/* maildrop.c: when maildrops were opened, for as long as that keeps them from being opened again */
struct openings {
	struct map by_account; /* account -> struct opening */
	struct opening *oldest, **end;
};
void openings_init(struct store *store);
void openings_done(struct store *store);

struct store {
	const struct seams *seams;
	struct store_settings settings;
	struct log log;
	int lock_file;
	struct engine *engine;
	struct segments *segments;
	struct spooler *spooler;
	struct digests *digests;
	bool read_only;
	bool log_was_cut; /* the ledger's log was damaged (lost_log.c) */
	bool rebuilding;  /* the ledger is empty, and read-only for all but a repair */
	struct err read_only_why;
	int64_t distrust_again_ms; /* monotonic: to end and let a successor copy; 0: never */
	uint8_t map_key[16];
	uint8_t history[16]; /* engine_identity's, which stays; the rest of it is the writer's */

	/* loop */
	struct store_peer *peers;
	struct map sessions;        /* number -> struct store_session */
	struct map logs;            /* mailbox -> struct mailbox_log */
	struct map account_watches; /* account -> its first struct account_watch */
	struct map maildrops;       /* account -> struct store_session */
	struct openings openings;
	struct job *unpublished;      /* what they have read is ahead of what is published */
	struct base *newest, *oldest; /* bases.c */
	size_t bases_bytes;
	struct mailbox_log *recents; /* whose `recent` is to be written */
	bool recents_busy;           /* some of them are being written */
	int64_t recents_ms;          /* monotonic: when they were last */
	uint64_t rewrites;           /* how often something changed that no log has */
	uint32_t last_session;
	uint64_t endings;     /* how often sessions were ended by an account's change */
	struct map known;     /* address as it was asked for -> struct known */
	uint64_t renamings;   /* how often `known` was forgotten */
	uint64_t under_way;   /* jobs that workers have */
	uint32_t damage_seen; /* how often, since the store was opened */
	bool told_ended;
	enum backup_state backup;
	struct store_peer *backup_owner; /* NULL: none, or it is gone */

	/* the writer's */
	struct job *copying; /* waits for the copy of the ledger */
	uint64_t asked;      /* frames of peers */
	struct reclaim reclaim;

	/* shared */
	struct job_queue to_write, to_read, to_maintain, to_copy, finished;
	struct worker *writer, *maintainer;
	struct segment_reader *mover;             /* the writer's */
	struct reading writing;                   /* only its store is used */
	struct reading readings[MAX_READERS + 1]; /* the last is the maintainer's */
	struct reading *maintaining;
	uint32_t n_readers;
	atomic_bool ended;
	struct err ended_why; /* written before `ended`, read after */
	_Atomic uint64_t commits;
};

/* writer.c, reading.c */
bool writer_step(void *arg);
/* engine.before_commit: bodies are on disk before the rows that name them. A failure ends the
 * store. */
int writer_before_commit(void *arg, struct err *err);
bool reading_step(void *arg);
bool maintainer_step(void *arg);
/* A flush failed. From any worker. */
void store_end(struct store *store, const struct err *why);
/* Ends a store that could not copy what a failed flush left, once that is to be tried again. On the
 * loop's thread; true: it has ended now. */
bool store_copies_again(struct store *store);
/* store.c: takes back what workers have done. */
void store_collect(void *arg);

/* reclaim.c */
void reclaim_init(struct store *store);
void reclaim_done(struct store *store);

/* account_watch.c */
void account_watch_remove(struct store_session *session);
void account_watches_publish(struct store *store, const struct txn *txn);

/* publish.c */
void publish(struct store *store, const struct txn *txn);
struct mailbox_log *log_get(struct store *store, uint64_t mailbox, uint64_t account);
void log_release(struct store *store, struct mailbox_log *log);
/* At the store's end: frees all that is left. */
void logs_done(struct store *store);
void log_view_was_read(struct mailbox_log *log, uint64_t modseq, uint32_t uidnext, uint32_t recent,
	const struct vec *keywords);
/* The mailbox's at the newest modseq that its log knows of, as far as it does: not what a reader
 * has seen ahead of that. */
uint32_t log_uidnext(const struct mailbox_log *log);
/* NULL and err: too many watches. */
struct watch *watch_add(struct store_session *session, uint64_t mailbox, struct err *err);
struct watch *watch_find(const struct store_session *session, uint64_t mailbox);
void watch_remove(struct watch *watch);
void watch_tell(struct watch *watch, bool gone);
/* Changes after `since`, one for each UID: into the job's items (entries) and more_items
 * (expunged UIDs). ERR_LIMIT: the log does not reach back. */
int log_changes(const struct mailbox_log *log, uint64_t since, struct vec *entries,
	struct vec *expunged, struct err *err);
bool log_reaches(const struct mailbox_log *log, uint64_t since);
/* The first item behind a modseq, and the newest of the items from there to another. */
size_t log_behind(const struct mailbox_log *log, uint64_t since);
int log_part(const struct mailbox_log *log, size_t from, size_t to, struct vec *entries,
	struct vec *expunged, struct err *err);

/* bases.c */
/* What is kept of a mailbox, as the mailbox is now, for the caller to put back; NULL: nothing. The
 * caller is a user of the log. */
struct base *base_get(struct store *store, struct mailbox_log *log);
/* A view that was read (a vec of struct api_entry, which moves into it) for the caller to put back;
 * kept for the next time. NULL: it is too large, and stays where it is. */
struct base *base_new(struct store *store, struct mailbox_log *log, const struct api_mailbox *m,
	struct vec *entries);
/* The numbers of a mailbox that was opened bare, like base_new, kept where nothing else is. */
struct base *base_bare(struct store *store, struct mailbox_log *log, const struct api_mailbox *m,
	const uint32_t *unseen);
/* Whether a view of so many entries may be worth keeping. */
bool base_fits(const struct store *store, size_t entries);
/* Accepts NULL. */
void base_put(struct base **base);
/* The first entry without \Seen, counted from 1; 0: there is none. */
uint32_t base_unseen(struct base *base);
/* The same of a vec of entries, from an index on. */
uint32_t entries_unseen(const struct vec *entries, size_t from);
/* The index of the first with this UID or a later one. */
size_t entries_from(const struct vec *entries, uint32_t uid);
/* The mailbox is called so, for base_log. */
void base_name(struct base *base, struct str name);
/* The log of a mailbox that is kept, by its name; NULL: none is known. */
struct mailbox_log *base_log(struct store *store, uint64_t account, struct str name);
void bases_forget_names(struct store *store);
/* Rows were changed that no log has: nothing stays, nor what is being read. */
void bases_forget(struct store *store);
/* Nobody watches any more, perhaps: then it has all of the log, which ends. */
void base_unwatched(struct store *store, struct mailbox_log *log);
/* Is not kept any more if nobody watches and the log is longer than LIMIT_BASE_CHANGES, or if it is
 * numbers that stand no more. */
void base_unless_long(struct store *store, struct mailbox_log *log);
/* So many of the log's items are about to go, and have gone. */
void base_keep_up(struct store *store, struct mailbox_log *log, size_t to);
void base_moved(struct mailbox_log *log, size_t gone);
/* Flags of more entries changed than the log has room for: what is kept has that, and the log,
 * which has not, begins anew behind it. */
void base_flags(struct store *store, struct mailbox_log *log, const struct change *change);
/* Is not kept any more; the log may end with it. */
void base_drop(struct store *store, struct mailbox_log *log);
void bases_drop(struct store *store);
/* All changes in a log since a modseq, over a view that was read then. ERR_LIMIT: the log does not
 * reach back so far. */
int log_correct(
	const struct mailbox_log *log, uint64_t since, struct vec *entries, struct err *err);

/* recent.c */
/* A session is told of all messages below uidnext. */
void recent_take(struct store *store, struct mailbox_log *log, uint32_t uidnext);
/* What the ledger does not have yet of an account's mailboxes. */
struct recent_of {
	uint64_t mailbox;
	uint32_t uid;
};
void recents_collect(const struct store *store, uint64_t account, struct vec *ret);
/* From upkeep: writes what rose, in one commit that nobody waits for. */
void recents_write(struct store *store, int64_t now_ms);
/* At the end, when no worker runs any more. */
void recents_save(struct store *store);

/* ask_view.c: views that were read ahead of what is published */
/* The mailbox's log that it has used, if any. */
void job_leave_log(struct job *job);
/* What it has read is ahead of what is published: it waits. */
void job_wait(struct job *job);
void jobs_retry(struct store *store);
void jobs_drop(struct store *store);

/* ask_backup.c */
/* The writer's, between groups: a piece of the ledger's copy. False: there is nothing to do. */
bool backup_turn(struct store *store);
/* A peer that is removed makes no backup any more. */
void backup_leave(struct store_peer *peer);
/* The copy of a backup that was being made when the store ended. */
void backup_remove_copy(struct store *store);

/* known.c: whom addresses stand for, until an account, alias or domain changes. Loop. */
struct known {
	uint64_t account;
	char address[LIMIT_ADDRESS_BYTES + 1];
};
/* NULL: not known. Ends with the next known_add or known_forget. */
const struct known *known_find(const struct store *store, struct str asked);
/* renamings: the store's, when the question was asked. */
void known_add(
	struct store *store, struct str asked, const struct api_target *target, uint64_t renamings);
/* A transaction is on disk: what it may have made wrong is forgotten. */
void known_after(struct store *store, const struct txn *txn);
void known_done(struct store *store);

/* ask_metadata.c: copies a list into the transaction. */
int annotations_keep(struct txn *txn, struct api_annotation_list *list, struct err *err);

/* ask_restore.c */
void restore_leave(struct store_peer *peer);
/* ERR_NOT_NOW: the peer is not restoring this account. */
int restore_may(const struct store_peer *peer, uint64_t account, struct err *err) MUST_CHECK;

/* repair.c, rebuild.c */
#define REBUILD_MARK "rebuild"
extern const char rebuild_unfinished[]; /* what is said then */
/* 1, 0, or -1: it can't be told. */
int rebuild_is_marked(struct files_seam *files, struct err *err);
/* Before the ledger is opened: sets the old one aside. */
int rebuild_begin(struct store *store, struct engine_rebuild *ret, struct err *err);
int rebuild_fill(struct store *store, uint64_t *ret_messages, struct err *err);

/* lost_log.c */
/* Before the ledger is opened. -1 and ERR_CORRUPT: its log is damaged, and nobody has accepted what
 * that has cost; else *ret_lost says that somebody had, and it was cut. */
int lost_log_look(struct store *store, bool *ret_lost, struct err *err);
/* The same while the store runs: it is read twice, since it may be written to meanwhile. */
bool lost_log_found(struct files_seam *files, int64_t *ret_at);

/* peer.c */
void peer_send(struct store_peer *peer, uint32_t request, const struct frame *frame);
void peer_fail(struct store_peer *peer, uint32_t request, const struct err *err);
void peer_fail_job(const struct job *job, const struct err *err); /* whose peer is there */
void peer_refuse(
	struct store_peer *peer, uint32_t request, enum frame_type type, const struct err *err);
void peer_pump(struct store_peer *peer);
void peer_out(struct store_peer *peer, struct job *job);
void peer_start_waiting(struct store_peer *peer);
struct store_session *session_find(const struct store_peer *peer, uint32_t number);
struct store_session *session_add(
	struct store_peer *peer, const struct op_by *by, uint32_t service);
void session_remove(struct store_session *session);
/* Every session of an account ends, and its peers are told. */
void sessions_end(struct store *store, uint64_t account);
/* Takes the ranges that were sent for a request; false: none. The caller owns the vec. */
bool peer_take_ranges(struct store_peer *peer, uint32_t request, struct vec *ret);
void peer_drop_ranges(struct store_peer *peer);

/* ask_*.c: what the table in peer.c names */
typedef void (*ask_function)(
	struct store_peer *, struct store_session *, uint32_t request, const struct frame *);
#define ASK(name)                                                                                  \
	void name(struct store_peer *peer, struct store_session *session, uint32_t request,        \
		const struct frame *frame)
ASK(ask_account_watch);
ASK(ask_ping);
ASK(ask_resolve);
ASK(ask_credentials);
ASK(ask_upload_open);
ASK(ask_upload_bytes);
ASK(ask_upload_digest);
ASK(ask_upload_to);
ASK(ask_upload_into);
ASK(ask_upload_commit);
ASK(ask_upload_abort);
ASK(ask_session_open);
ASK(ask_session_close);
ASK(ask_owns_address);
ASK(ask_lock_maildrop);
ASK(ask_uidl_list);
ASK(ask_mailbox_list);
ASK(ask_mailbox_status);
ASK(ask_mailbox_create);
ASK(ask_mailbox_delete);
ASK(ask_mailbox_rename);
ASK(ask_mailbox_subscribe);
ASK(ask_view_open);
ASK(ask_view_changes);
ASK(ask_view_close);
ASK(ask_quota);
ASK(ask_metadata_get);
ASK(ask_metadata_set);
ASK(ask_upload_next);
ASK(ask_upload_replace);
ASK(ask_upload_signature);
ASK(ask_view_vanished);
ASK(ask_message_read);
ASK(ask_messages_read);
ASK(ask_digest_read);
ASK(ask_digest_put);
ASK(ask_signature_ask);
ASK(ask_signature_put);
ASK(ask_uids);
ASK(ask_set_flags);
ASK(ask_copy);
ASK(ask_expunge);
/* ask_admin.c: a change without a session; `done` is its answer. */
struct job *admin_change_new(struct store_peer *peer, uint32_t request, const struct frame *frame,
	enum op_kind kind, struct op **ret_op);
/* Gives the job to the writer, or answers what its parameters were refused for. */
void admin_change(struct job *job, bool good, struct err *err);
/* The address in its one spelling, kept in the job. */
bool admin_address(struct job *job, struct str given, struct str *ret, struct err *err);
ASK(ask_account_add);
ASK(ask_account_password);
ASK(ask_account_remove);
ASK(ask_account_set);
ASK(ask_account_list);
ASK(ask_offers);
ASK(ask_keep_secret);
ASK(ask_secret_used);
ASK(ask_secret_add);
ASK(ask_secret_remove);
ASK(ask_secret_list);
ASK(ask_domain_add);
ASK(ask_domain_remove);
ASK(ask_domain_set);
ASK(ask_domain_list);
ASK(ask_alias_add);
ASK(ask_alias_remove);
ASK(ask_alias_list);
ASK(ask_deleted_list);
ASK(ask_undelete);
ASK(ask_account_recount);
ASK(ask_store_reclaim);
ASK(ask_store_check);
ASK(ask_store_status);
ASK(ask_restore_begin);
ASK(ask_restore_mailbox);
ASK(ask_restore_end);
ASK(ask_restore_annotations);
ASK(ask_bodies_list);
ASK(ask_account_open);
ASK(ask_upload_restore);
ASK(ask_store_repair);
ASK(ask_backup_begin);
ASK(ask_backup_read);
ASK(ask_backup_end);
void upload_free(struct store_peer *peer, struct upload *upload);

#endif
