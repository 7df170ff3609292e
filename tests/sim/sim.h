/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulation: the whole of Culver in one process on a made-up world, driven by a seed
 * (docs/simulation.md). Who is who:
 *
 *     main.c         options, a forked child for each run, shrinking, sums
 *     run.c          one run: rounds of use and faults, each followed by an audit
 *     world.c        the supervisor and its processes on one loop; crashes and power cuts
 *     image.c        the supervisor becomes another image (an upgrade)
 *     role_loop.c    the loop as one role sees it: knows whose code runs, and stops the dead
 *     role_files.c   the disk as one role sees it: where it may crash
 *     blocking.c     workers that block; names.c: DNS and what is at its addresses
 *     stubs.c        what stands in for passwords' cost, configuration files and memory
 *     actor.c        who acts in the world: coroutines, and connections for them
 *     client_*.c     simulated users
 *     source.c       another provider's IMAP server, from which client_import.c imports
 *     message.c      messages that can be told from one another and checked to the byte
 *     model.c        what must be true of all mail; flags.c: of its flags; expunge.c: of those
 *                    that carry \Deleted; news.c: of what a session was told
 *     audit.c        looks whether it is; damage.c: when writes have come to harm
 *     faults.c       what goes wrong
 *
 * One run is a process of its own, so the world is a variable, and nothing is freed at its end.
 */
#ifndef CULVER_SIM_H
#define CULVER_SIM_H

#include "base/buf.h"
#include "base/scan.h"
#include "base/vec.h"
#include "io/loop_sim.h"
#include "process/supervisor_private.h"
#include "store/files_sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

enum { PROCESSES = 4000, SERVICES = 16 };
/* Accounts of users; and one that nobody uses, into which mail is imported. */
enum { USERS = 4, IMPORTED = USERS, ACCOUNTS };

/* What can go wrong: bits of sim_options.faults. */
#define FAULTS(X)                                                                                  \
	X(POWER, "power", "a power cut: what was not flushed is lost, torn or reordered")          \
	X(CRASH, "crash", "a role ends in the middle of something")                                \
	X(MEMORY, "memory", "a role has no memory left")                                           \
	X(EIO, "eio", "a read or write fails once")                                                \
	X(FULL, "full", "the disk is full for a while")                                            \
	X(FLUSH, "flush", "a flush fails once, and the next ones lie")                             \
	X(SHORT, "short", "reads and writes do less than was asked, or are interrupted")           \
	X(CLOCK, "clock", "the wall clock jumps, or everything sleeps for minutes")                \
	X(NETWORK, "network", "connections are lost, bytes trickle, sides close by half")          \
	X(DNS, "dns", "names have no answer, a late one or a wrong one; nobody is at an address")  \
	X(DAMAGE, "damage", "a write to a segment is lost, misdirected or a bit of it flips")      \
	X(LEDGER, "ledger", "the same of a write to the ledger: not among all, its runs are others")
enum fault_kind {
#define X(name, word, text) FAULT_##name,
	FAULTS(X)
#undef X
		FAULT_KINDS
};
struct fault_row {
	const char *word, *text;
};
extern const struct fault_row fault_rows[FAULT_KINDS];
enum { FAULTS_ALL = (1 << FAULT_LEDGER) - 1 };

/* What came of a damaged ledger (damage.c). */
#define OUTCOMES(X)                                                                                \
	X(NONE, "no damage to the ledger")                                                         \
	X(REFUSED, "not opened, or read-only")                                                     \
	X(FOUND, "found by the check, or said in the log")                                         \
	X(HARMLESS, "nothing was lost")                                                            \
	X(UNSEEN, "something is wrong that nobody has seen")
enum outcome {
#define X(name, text) OUTCOME_##name,
	OUTCOMES(X)
#undef X
		OUTCOME_KINDS
};

/* What has gone wrong in detail, and where it is counted. */
#define HITS(X)                                                                                    \
	X("torn by 512 bytes", world.disk->hits[HIT_TORN])                                         \
	X("torn by 4 KiB", world.disk->hits[HIT_TORN_BLOCKS])                                      \
	X("reordered", world.disk->hits[HIT_REORDERED])                                            \
	X("delayed", world.disk->hits[HIT_DELAYED])                                                \
	X("lost", world.disk->hits[HIT_LOST])                                                      \
	X("misdirected", world.disk->hits[HIT_MISDIRECTED])                                        \
	X("corrupted", world.disk->hits[HIT_FLIPPED])                                              \
	X("EIO", world.disk->hits[HIT_EIO])                                                        \
	X("ENOSPC", world.disk->hits[HIT_ENOSPC])                                                  \
	X("EINTR", world.disk->hits[HIT_EINTR])                                                    \
	X("short counts", world.disk->hits[HIT_SHORT])                                             \
	X("failed flushes", world.disk->flushes_failed)                                            \
	X("clock jumps", world.jumps)                                                              \
	X("sleeps", world.sleeps)                                                                  \
	X("connections lost", world.broken)                                                        \
	X("half-closed", world.half_closed)                                                        \
	X("trickled", world.trickled)                                                              \
	X("split", loop_sim_of(world.loop)->splits)                                                \
	X("bytes delayed", loop_sim_of(world.loop)->delays)                                        \
	X("names late", world.names.late)                                                          \
	X("failed", world.names.failed)                                                            \
	X("not there", world.names.missing)                                                        \
	X("without addresses", world.names.empty)                                                  \
	X("with none that is good", world.names.dead)                                              \
	X("connections refused", world.names.refused)                                              \
	X("timed out", world.names.silent)                                                         \
	X("unreachable", world.names.unreachable)                                                  \
	X("source slow", world.source_slow)                                                        \
	X("said NO", world.source_refused)                                                         \
	X("said BYE", world.source_ended)
#define X(...) +1
enum { HIT_KINDS = 0 HITS(X) };
#undef X

struct sim_options {
	uint64_t seed;
	unsigned clients, rounds;
	int64_t round_ms;
	uint32_t faults; /* 1 << enum fault_kind */
	const char *planted;
	bool trace;
};

/* What a run tells its parent. */
struct sim_report {
	uint64_t hash; /* of the trace and of the loop's steps */
	uint64_t steps;
	int64_t simulated_ms;
	uint64_t acknowledged, seen, operations;
	uint32_t struck[FAULT_KINDS];
	uint32_t backups, reclaimed, undeleted, upgrades, imports, imported;
	uint64_t hits[HIT_KINDS];
	enum outcome outcome;
	bool finished, planted; /* planted: it came by where the planted fault is */
	const char *why;        /* the format of the failure, which is the same in every run */
	char failure[400];
};

/* ---- world.c ---- */

struct process {
	int pid; /* 0: gone */
	const struct role_row *row;
	struct role_row as_run; /* row, with the simulation's class */
	struct role_context context;
	struct log_sink sink;
	struct role_host *host;
	struct timer *end;
	struct link *log;
	struct loop *loop; /* role_loop.c */
	struct files_seam *files;
	int status;          /* as waitpid(2) has it */
	bool ending;         /* it hears nothing any more */
	bool of_command;     /* not the supervisor's child, but a command's */
	bool dead;           /* and no call of it succeeds */
	bool read_only;      /* a store that has said so */
	uint64_t crash_in;   /* so many calls of the system from now; 0: not */
	bool crash_at_flush; /* instead of the next */
	uint64_t memory_in;  /* so many allocations from now; 0: not */
};

struct world {
	struct sim_options o;
	struct sim_report *report;
	struct loop *loop;
	struct random_fake random; /* the roles' */
	struct random_fake dice;   /* ours */
	struct files_sim *disk, *key_disk;
	struct spawn_seam spawn;
	struct process processes[PROCESSES];
	size_t processes_n;
	struct process *current; /* whose code runs; NULL: the supervisor's or ours */
	struct supervisor *supervisor;
	struct process *supervisor_process; /* whose code the supervisor's is */
	bool becoming;                      /* another image: nobody is killed */
	struct supervisor_listener listeners[SERVICES];
	int doors[SERVICES], control_door;
	bool powered, ready;
	bool gave_up;    /* the supervisor has, since a role does not start */
	uint64_t healed; /* of the disk's damaged writes */
	bool strict;     /* what is found now is a failure, whatever is damaged */
	bool damage_said;
	bool damage_copied; /* after a failed flush the store has made new files of what was damaged
			     */
	unsigned boots;
	int64_t slept_ms;
	unsigned upgrades; /* steps of any: asked for, made, ended */
	uint64_t trickled, broken, half_closed, jumps, sleeps; /* how often */
	struct {
		uint64_t late, failed, missing, empty, dead, refused, silent, unreachable;
	} names;
	uint64_t source_slow, source_refused, source_ended;
	struct log_sink sink;
};
extern struct world world;

void world_begin(const struct sim_options *, struct sim_report *);
void world_boot(void);
/* takeover: NULL for the first image. */
void world_start_supervisor(const struct takeover *);
/* All roles up, and the sessions' channels between them. */
bool world_all_up(void);
/* Nothing goes wrong, but that calls of the disk may do less than was asked, or be interrupted: of
 * that nobody is to notice anything. */
bool world_is_quiet(void);
bool world_read_only(void);                   /* a store that runs has said that it is */
struct process *world_role(const char *name); /* that runs now, or NULL */
void world_kill_process(struct process *, int status);
/* Starts a process that is a command's. log: -1 for none. */
struct process *world_spawn(const struct role_row *, uint32_t instance, int control, int log);
/* Called by the seams of a role: false, the call must fail. Counts towards a crash. */
bool world_call(struct process *);
/* All at once, as when somebody pulls the plug. Boots again later. */
void world_power_cut(void);
/* What is due after a turn of the loop: the power cut that the disk has had. */
void world_after_turn(void);
void world_run_for(int64_t ms);
/* Until the condition holds, at most so long. */
#define world_until(condition, ms)                                                                 \
	for (int64_t until_ = sim_ms() + (ms); !(condition) && sim_ms() < until_;)                 \
	world_run_for(10)

int64_t sim_loop_ms(void); /* as the loop has it */
int64_t sim_ms(void);      /* since the run's beginning */
int64_t awake_ms(void);    /* without what all slept through */
/* 0 to n - 1. */
uint64_t dice(uint64_t n);
static inline bool chance(unsigned percent)
{
	return dice(100) < percent;
}
/* A line of the trace. */
void trace(const char *who, const char *format, ...) PRINTF_LIKE(2, 3);
/* Damage to segments that was not set right again. */
bool world_is_damaged(void);
/* Something is not as it must be: says so and ends the run. */
_Noreturn void sim_fail(const char *format, ...) PRINTF_LIKE(1, 2);

/* ---- image.c ---- */

void image_init(void);
void image_power_cut(void);

/* ---- blocking.c: workers that block ---- */

struct blocking;
bool blocking_is(const struct worker_spec *);
struct blocking *blocking_new(struct process *, const struct worker_spec *);
void blocking_wake(struct blocking *);
/* Inside of a step of such a one. Does not return when its role has ended meanwhile. */
void blocking_wait(int64_t ms);

/* ---- names.c ---- */

struct dialer *names_open(struct role_context *);

/* ---- role_loop.c, role_files.c ---- */

struct loop *role_loop_new(struct process *);
struct files_seam *role_files_new(struct process *, struct files_sim *);
void role_files_close(struct files_seam *);

/* ---- actor.c ---- */

struct actor {
	char name[16];
	void (*run)(struct actor *);
	unsigned number;
	ucontext_t context;
	void *fake_stack; /* AddressSanitizer's */
	struct timer *timer;
	bool done, waiting, timed_out;
	void *arg;
};
struct actor *actor_new(const char *name, unsigned number, void (*run)(struct actor *));
/* Inside of run alone. False: the time is over. */
bool actor_wait(struct actor *, int64_t ms);
void actor_sleep(struct actor *, int64_t ms);
void actor_wake(struct actor *);

struct authority;
struct conn {
	struct actor *actor;
	const struct authority *by; /* whose session it is to be; NULL: a stranger's */
	struct link *link;
	int handle;
	struct buf in, out, line;
	unsigned upgrades; /* world.upgrades, when it was opened */
	bool may_end;      /* by an upgrade: past greeting and login, not between MAIL and DATA */
	bool lost;
	bool quiet; /* lines are not traced */
};
/* False: refused. */
bool conn_open(struct conn *, struct actor *, const char *service, const char *address,
	const struct authority *by);
/* The other side of one. */
void conn_take(struct conn *, struct actor *, int handle);
void conn_close(struct conn *);
/* The next line without its CRLF, until the next call. False: lost, or nothing for a minute. */
bool conn_line(struct conn *, struct str *ret);
bool conn_bytes(struct conn *, size_t n, struct buf *ret);
/* Sends; what is sent is traced when it is short. */
bool conn_send(struct conn *, struct str);
bool conn_sendf(struct conn *, const char *format, ...) PRINTF_LIKE(2, 3);
/* Told to come back, or cut off. In a run without faults that happens to nobody who has the right
 * to be there, but to those who had come in before the server was upgraded: what they ask of the
 * store that goes may fail, and their front ends. */
void conn_turned_away(const struct conn *, const char *how);
/* Something within so long? */
bool conn_wait_input(struct conn *, int64_t ms);

/* ---- message.c ---- */

/* Message number n of this run: the same bytes each time. The caller calls buf_done. */
void message_make(uint32_t n, struct buf *ret);
/* Said before it is made: a user's, who may only send his own. */
void message_is_from(uint32_t n, unsigned account);
size_t message_bytes(uint32_t n); /* how many they are */
/* Checks bytes that were read as a message (with what delivery has put before it, when delivered)
 * of an account. Its number; fails the run when the bytes are no message that was ever sent. */
uint32_t message_check(struct str bytes, unsigned account, const char *where);
/* The same of its header and so many lines of its body. */
uint32_t message_check_top(struct str bytes, unsigned lines, unsigned account, const char *where);
/* It is put somewhere with this INTERNALDATE, which goes along with all copies. */
int64_t message_date(uint32_t n);
void message_is_dated(uint32_t n);
void message_check_date(uint32_t n, struct str date, const char *where);

/* ---- model.c ---- */

/* Mailboxes: those that are always there, all that there may be in an account; one of which only
 * the name is known (boxes.h); none. */
enum {
	BOXES = 4,
	BOX_MOST = 400,
	BOX_BY_NAME = BOX_MOST,
	BOX_NONE,
	FLAGS = 6, /* a keyword among them */
	KEYWORD_FLAG = FLAGS - 2,
	DELETED_FLAG = FLAGS - 1
};
extern const char *const box_names[BOXES];
extern const char *const flag_names[FLAGS];

/* One copy of a message in a mailbox: somebody was asked to put it there. */
struct copy {
	uint32_t n;
	unsigned account, box;
	uint32_t uid;           /* 0: not seen yet */
	bool acked;             /* its putting was acknowledged */
	uint64_t acked_since;   /* model_time() of its acknowledgement */
	uint64_t certain_since; /* and of when its UID was known */
	bool may_go;            /* its removal was asked for */
	bool gone;              /* and acknowledged */
	uint64_t gone_since;
	bool kept_unsure;       /* it may have gone otherwise, or be forgotten */
	uint8_t kept;           /* KEPT_*: as a deleted message */
	bool kept_long;         /* since before the forgetting that goes on */
	struct copy *back;      /* where it is being put back */
	bool back_sure;         /* its removal was over before that began */
	bool never;             /* it is known not to be */
	unsigned renamed;       /* it was put there by that renaming of INBOX */
	struct copy *moved_to;  /* the removal is a move to there, and nothing else */
	unsigned together;      /* or in one step with others, all of it or nothing: its number */
	unsigned put_step;      /* and that in which it is put there */
	uint32_t want_uid;      /* that it must have; 0: any */
	bool removed_otherwise; /* or something else besides */
	uint32_t uid_floor;     /* its UID is at least this */
	uint8_t flags_on, flags_off; /* known to be set, known not to be */
	unsigned flag_changes, flag_busy;
	uint8_t put_on, put_off;    /* the same, of what it is put there with */
	struct copy *source;        /* which must not have changed meanwhile; NULL: of no other */
	unsigned source_changes;    /* its flag_changes then */
	uint8_t kept_on, kept_off;  /* of a deleted one, when its removal was asked for */
	unsigned kept_flag_changes; /* and flag_changes then */
	uint64_t modseq;            /* somebody was told it has this */
	bool present;               /* of an audit */
};

enum { KEPT_NOT, KEPT_PERHAPS, KEPT };

/* What was told of a mailbox. */
struct box_told {
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
};

const struct vec *model_copies(void); /* struct copy * */
/* Or may be, where only a name is known. */
bool model_is_in(const struct copy *, unsigned account, unsigned box);
struct copy *model_put(unsigned account, unsigned box, uint32_t n);
/* It is put there with these flags and without those; else it has none. */
void model_put_flags(struct copy *, uint8_t on, uint8_t off);
/* Another with the flags that this one has: RFC 9051 6.4.7. */
struct copy *model_put_copy(struct copy *source, unsigned box);
/* It is there, and has them, if nobody has changed any since, here or where it came from. */
void model_take_flags(struct copy *);
void model_put_acked(struct copy *, uint32_t uid); /* uid 0: not told */
void model_put_never(struct copy *);
struct copy *model_at(unsigned account, unsigned box, uint32_t uid);
/* A session read message n under this UID. */
struct copy *model_seen(unsigned account, unsigned box, uint32_t uid, uint32_t n);
void model_told(
	unsigned account, unsigned box, const struct box_told *before, const struct box_told *now);
struct box_told model_box(unsigned account, unsigned box);
/* A mailbox that nobody knew until now. */
void model_box_is(unsigned account, unsigned box, uint32_t uidvalidity);
/* One is to be deleted, with all that is in it. */
void model_delete_box(unsigned account, unsigned box);
/* A copy of which only the name of the mailbox was known is there. */
void model_put_acked_in(struct copy *, unsigned box, uint32_t uid);
/* All that is in INBOX goes to another mailbox, in one step. */
struct inbox_rename {
	unsigned account, number;
	uint64_t asked;
};
struct inbox_rename model_inbox_rename_begin(unsigned account);
void model_inbox_rename_end(const struct inbox_rename *, bool answered, bool done, bool refused);
void model_remove_begin(struct copy *, struct copy *moved_to);
/* Number of a step of which all happens or nothing: copies with it as put_step, and those that are
 * removed in it. */
unsigned model_step(void);
void model_remove_in_step(struct copy *, unsigned step);
void model_remove_acked(unsigned account, unsigned box, uint32_t uid);
/* A flag of it is to be set or cleared. The end says whether there was an answer, and whether it
 * was that the change is made. */
struct model_flag {
	struct copy *copy;
	unsigned flag, number;
	bool on, alone;
};
struct model_flag model_flag_begin(struct copy *, unsigned flag, bool on);
void model_flag_end(const struct model_flag *, bool answered, bool done);
/* All that carries \Deleted is to go. The end: has says what the session that asked sees then;
 * NULL: nothing any more. */
struct model_expunged {
	struct copy *copy;
	uint32_t uid;
	unsigned flag_changes;
};
struct model_expunge {
	unsigned account, box;
	struct vec sure; /* struct model_expunged: what carries it for certain */
};
struct model_expunge model_expunge_begin(unsigned account, unsigned box);
void model_expunge_end(struct model_expunge *, bool answered, bool done,
	bool (*has)(void *arg, uint32_t uid), void *arg);
/* It may carry \Deleted from now on. */
void model_expunge_perhaps(struct copy *);
void model_expunge_audited(unsigned account);
void model_modseq(unsigned account, unsigned box, uint32_t uid, uint64_t modseq);
/* Rises with all that the model hears. */
uint64_t model_time(void);
/* A session was told what there is, having asked at that time or later: what was there is. */
void model_listed(unsigned account, unsigned box, uint64_t asked,
	bool (*has)(void *arg, uint32_t uid), void *arg);
/* The same of one that has just opened the mailbox: what had gone is not there either. */
void model_opened(unsigned account, unsigned box, uint64_t asked,
	bool (*has)(void *arg, uint32_t uid), void *arg);
/* How many there are in a mailbox: those that were there before that time and stay; all that there
 * may have been since. */
void model_numbers(
	unsigned account, unsigned box, uint64_t asked, size_t *ret_least, size_t *ret_most);
/* Of an account's deleted messages: all that are kept are put back; all of everybody's are
 * forgotten. */
void model_undelete_begin(unsigned account);
void model_undelete_end(unsigned account, bool answered, bool done);
void model_forget_begin(void);
void model_forget_end(bool done);
/* What a copy of everything that is begun at that time holds and does not. */
struct expected {
	unsigned account, box;
	uint32_t uid, n;
	bool gone, found;
};
void model_expect(uint64_t began, struct vec *ret);
/* All that is in a mailbox, after everything came to rest: begin, each, end. */
void model_audit_begin(unsigned account);
void model_audit_entry(unsigned account, unsigned box, uint32_t uid, uint32_t n, uint8_t flags);
void model_audit_end(unsigned account);
uint32_t model_next_message(void);

/* ---- clients, audit.c, faults.c, run.c ---- */

void client_smtp_run(struct actor *);
void client_imap_run(struct actor *);
void client_pop3_run(struct actor *);
void client_admin_run(struct actor *);
void client_sync_run(struct actor *);
void client_boxes_run(struct actor *);
void client_import_run(struct actor *);
/* Nothing goes wrong any more: an import comes to a good end. False: nobody has begun any. */
bool import_settle(void);
extern bool round_over; /* clients come to an end */
const char *account_address(unsigned account);

void faults_tick(void); /* now and then during a round */
void faults_heal(void);
void fault_struck(enum fault_kind);
void fault_after_crash(void); /* a power cut may follow */

void admin_set_up(void);
struct admin;
void admin_reclaim(struct admin *);
void backup_take(struct admin *);
void backup_check(void);
/* All that the model says, and what the store's own check says. */
void audit(void);
void audit_imported(void); /* the account into which mail is imported alone */
/* With segments damaged: what can be read is right, what can't be is reported; then sets them
 * right.
 */
void audit_damaged(void);
/* With the ledger damaged: ends the run, with an outcome. */
_Noreturn void audit_ledger(void);
_Noreturn void run_end(enum outcome);
void run_sums(void); /* into the report */
void sim_run(const struct sim_options *, struct sim_report *);

#endif
