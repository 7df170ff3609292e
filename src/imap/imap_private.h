/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an IMAP session, for session.c, selected.c, reply.c and the commands.
 *
 * A command's life: session.c parses tag and verb and calls verb->run. run() reads s->cmd.args and
 * ends in one of: imap_finish (a tagged reply, after the mailbox's news), imap_ask (an answer is
 * awaited), s->step = … (something to write that may not fit at once). Memory that the command
 * needs comes from s->cmd.arena and ends with it; what else it owns is freed by s->cmd.drop.
 */
#ifndef CULVER_IMAP_PRIVATE_H
#define CULVER_IMAP_PRIVATE_H

#include "api/schemes.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/scan.h"
#include "base/vec.h"
#include "imap/clients.h"
#include "imap/imap.h"
#include "imap/reads.h"
#include "imap/reply.h"
#include "imap/view.h"
#include "imap/wire.h"

struct fetch_attrs;
struct flag_list;
struct imap;
struct notify;
struct sasl;
struct sasl_context;

/* RFC 9051 3. Bits, so that a verb can name several. */
enum imap_state { NOT_AUTHENTICATED = 1, AUTHENTICATED = 2, SELECTED = 4 };
#define ANY_STATE (NOT_AUTHENTICATED | AUTHENTICATED | SELECTED)

enum verb_flags {
	HAS_UID = 1,    /* may stand behind UID */
	ONLY_UID = 2,   /* this row is for the UID form */
	NO_EXPUNGE = 4, /* EXPUNGE is not said while it runs, but in the UID form: RFC 9051 7.5.1 */
	NO_NEWS = 8,    /* ends the selected state: nothing is told before its reply */
	NEEDS_STORE = 16, /* in any state, but with news when logged in */
	REMOVES = 32,     /* messages of the selected mailbox: what went is told, come what may */
	REOPENS = 64,     /* a lost session of the store, by itself, when it is time */
	SAVES = 128,      /* "$", if it is asked to: RFC 9051 6.4.4.1 */
};

struct verb {
	struct str name;
	unsigned states, flags;
	void (*run)(struct imap *);
};

typedef void imap_step(struct imap *);
/* Takes one frame of an answer. For a series it is called for each. */
typedef void imap_answer(struct imap *, const struct frame *);

/* One command, reset after it by assigning a constant. */
struct command {
	const struct verb *verb;
	struct str tag; /* in the arena */
	bool uid;       /* UID was before the verb */
	struct scan args;
	struct batch *batch;       /* whose digests are on their way */
	struct search_run *search; /* the search at work */
	struct gather *gather;     /* likewise */
	imap_step *after_yield;
	void *work;                  /* the verb's own: imap_work */
	void (*drop)(struct imap *); /* frees what work owns; NULL: nothing */
	void (*line)(
		struct imap *, struct str line); /* the next line is not a command: SASL, DONE */
	void (*bytes)(struct imap *, struct str bytes); /* takes APPEND's literal */
	void (*unavailable)(struct imap *); /* the store could not be reached again; NULL: finish */
	void (*resume)(struct imap *);      /* a channel has room again */
	void (*news)(struct imap *);        /* mailbox_changed while it runs: IDLE */
	void (*timer)(struct imap *);       /* deadline_ms is this command's, not a time-out */
	bool running;
	bool quiet;          /* it is none of the client's, or IDLE's: NOTIFY's, without a reply */
	bool busy;           /* no input is taken, though nothing is asked */
	bool reply_ready;    /* the tagged reply is in s->reply */
	bool within;         /* half of a response is written: no other can be said */
	bool owes_expunges;  /* it is OK only when the client has heard what went */
	const char *highest; /* the tagged reply is OK [HIGHESTMODSEQ …] and this text */
};

/* What the client was told of a mailbox whose entries have not been loaded. */
struct promise {
	uint32_t exists, uidnext;
	uint64_t modseq;
	struct vec vanished; /* struct api_range: UIDs that went since, while it is being loaded */
	bool differs;        /* changes came that need the entries to be told */
	uint32_t arrived;    /* new ones among these changes */
	uint32_t recent;     /* with \Recent among those */
};

/* The selected mailbox. */
struct selected {
	uint64_t mailbox;
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;   /* the view is as the mailbox was then */
	uint64_t told;     /* the client has been told all up to then, expunges too */
	uint64_t heard;    /* the highest MODSEQ of a FETCH since the last tagged reply */
	struct view *view; /* NULL: nothing is selected */
	bool loaded;       /* the view has its entries; else there is a promise */
	bool loading;      /* they are on their way */
	struct promise promise;
	uint32_t exists, unseen, recent; /* of the view as it was opened */
	uint32_t changed_to; /* above the UIDs of the changes that have come in a refresh */
	uint32_t recent_to;  /* whether a message is \Recent is known of UIDs below this */
	bool read_only;      /* EXAMINE */
	bool stale;          /* there may be news */
	bool behind;         /* the store could not be asked for them */
	bool noticed;        /* the store said so since we asked */
	bool gone;           /* deleted by somebody */
	struct vec saved;    /* "$": struct api_range of UIDs */
	struct facts *facts; /* what SORT and THREAD have seen; NULL: nothing */
	imap_answer *opened; /* takes the end of a view that is loaded: its last frame, or failed */
	imap_answer *select; /* the same for SELECT */
	imap_step *after;    /* after a refresh, a loading or a reopening */
	bool needed;         /* a command can't go on without what is being loaded */
	struct view_own own;
	const struct str *own_keywords; /* of `own`, by name: some may be new */
	size_t n_own_keywords;
	bool has_stored; /* `own` is a STORE of this command */
	bool has_own;    /* .SILENT */
};

struct imap {
	struct session session; /* first */
	enum imap_state state;
	bool rev2;       /* ENABLE IMAP4rev2 was said */
	bool utf8;       /* ENABLE UTF8=ACCEPT was said: RFC 6855 3 */
	bool condstore;  /* a CONDSTORE-enabling command was said: RFC 7162 3.1 */
	bool compressed; /* COMPRESS DEFLATE was said: RFC 4978 */
	bool qresync;    /* ENABLE QRESYNC was said: RFC 7162 3.2.3 */
	bool draining;
	bool lost; /* the store's session must be opened anew */
	bool eof;
	int64_t eof_ms; /* since when */
	struct wire wire;
	struct command cmd;
	struct arena arena; /* the command's */
	struct buf line;    /* output that found no room in session.out */
	struct buf reply;   /* the tagged reply */
	imap_step *step;
	uint32_t request; /* what we wait for; 0: nothing */
	imap_answer *answer;
	struct vanished *vanished; /* the command's, while the store is asked and it is said */
	uint32_t upload;           /* APPEND's, until it is committed; 0: none */
	imap_answer *upload_answer;
	struct reads reads; /* FETCH's and SEARCH's messages on their way */
	struct selected sel;
	struct notify *notify; /* NULL: neither NOTIFY nor ENABLE METADATA was ever said */
	bool metadata;         /* ENABLE METADATA: RFC 5464 4.4 */
	struct sasl *sasl;
	uint32_t bads, failed_logins;
	uint64_t account;
	char address[LIMIT_ADDRESS_BYTES + 1];
	struct imap_id id; /* what the client last said of itself; nothing from before TLS */
	char ticket[256];
	size_t ticket_bytes;
	int64_t born_ms;
	int64_t limit_ms;          /* the session's own deadline */
	int64_t arriving_until_ms; /* what has begun to arrive must be here then; 0: nothing has */
	int64_t look_ms;           /* when a session at rest looks after itself; 0: not */
	int64_t alive_ms;          /* when who is in IDLE hears a word; 0: not */
	uint64_t commands, bytes_in, appended, fetched;
	uint64_t append_id; /* of the next APPEND, in logs: it begins anywhere; 0: not yet */
};

static inline struct imap *imap_of(struct session *s)
{
	return (struct imap *)(void *)s;
}

/* ---- turns.c ---- */

/* Goes on until there is something to wait for: room, an answer, input. Every entry ends in it. */
void imap_run(struct imap *s);
/* Asks; `answer` takes what comes. One question at a time (reads are apart). */
void imap_ask(
	struct imap *s, enum session_peer peer, const struct frame *question, imap_answer *answer);
/* Sends a small frame that goes with the present question. */
void imap_tell(struct imap *s, const struct frame *frame);
/* Writes to the client; what finds no room in session.out waits in s->line. */
void imap_write(struct imap *s, struct str bytes);
void imap_writef(struct imap *s, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room that a step has for one response: write into it, then imap_flush. */
struct buf *imap_out(struct imap *s);
/* Output that a step may still make before it should name itself again. */
bool imap_has_room(const struct imap *s);
#define IMAP_ROOM_BYTES 32768 /* a step runs only when session.out has so much room */

/* Lets others have their turn: goes on with `after` when the store has said that it is alive. */
void imap_yield(struct imap *s, imap_step *after);

/* Milliseconds of the monotonic clock. */
int64_t imap_now(const struct imap *s);
/* deadline_ms for what the session is at. */
void imap_set_deadline(struct imap *s);

/* If the session is at rest in so many ms: a store that is away is tried again (a client in IDLE
 * waits for news), and the entries of the selected mailbox are given back. */
void imap_look_later(struct imap *s, int64_t ms);
/* IDLE begins: from now on the client hears a word every few minutes, and we that it is gone. */
void imap_keep_alive(struct imap *s);

/* ---- session.c: commands ---- */

/* tag = 1*<any ASTRING-CHAR except "+">, of LIMIT_IMAP_TAG_BYTES, and not a part of anything
 * longer. RFC 9051 9 */
bool imap_tag(struct scan *a, struct str *ret);
/* What the wire found in the client's bytes. */
void imap_wire_event(struct imap *s, enum wire_event e);
/* The command's tagged reply is s->reply (reply.h made it): tells the news, then sends it. */
void imap_finish(struct imap *s);
/* No news first; for what ends the selected state, and for refusals that ask nobody. */
void imap_finish_now(struct imap *s);
/* The same where the store is away, and what the command needs of it can't be had. */
void imap_finish_unavailable(struct imap *s);
/* n zeroed bytes as cmd.work, until the command is over; drop as in struct command. */
void *imap_work(struct imap *s, size_t n, void (*drop)(struct imap *));
/* Frees what the command owns, and forgets its reads. */
void imap_drop_work(struct imap *s);
/* Untagged BYE, unless within a response; then the stream closes. */
void imap_bye(struct imap *s, const char *text);
/* The frame answered is not `expected`: finishes the command with the refusal that a `failed`
 * carries. False then. */
bool imap_expect(struct imap *s, const struct frame *answer, enum frame_type expected);
/* The literal that the wire has announced is refused. The reply is s->reply when cmd.reply_ready,
 * else BAD for what the wire says is wrong. */
void imap_refuse_literal(struct imap *s);
/* The command is over without a reply that waits: STARTTLS. */
void imap_command_over(struct imap *s);
/* No command runs any more: what had to wait for that. */
void imap_at_rest(struct imap *s);
/* A stranger's refused command: the last one allowed ends the connection. */
void imap_count_bad(struct imap *s);
/* Nothing may follow: else finishes with BAD and returns false. */
bool imap_args_end(struct imap *s);
/* BAD for arguments that are not what the verb takes. */
void imap_bad_args(struct imap *s);
/* The session at the store is no more, and is to be opened anew; the ticket may still be good. */
void imap_session_is_gone(struct imap *s);
/* State after login, and what login changes. */
void imap_authenticated(struct imap *s);

/* ---- the groups of verbs, in the order of the table ---- */

void imap_capability(struct imap *s);
void imap_noop(struct imap *s);
void imap_logout(struct imap *s);
void imap_id(struct imap *s);
void imap_starttls(struct imap *s);
void imap_authenticate(struct imap *s);
void imap_login(struct imap *s);
void imap_enable(struct imap *s);
void imap_compress(struct imap *s);
void imap_select(struct imap *s);
void imap_examine(struct imap *s);
void imap_create(struct imap *s);
void imap_delete(struct imap *s);
void imap_rename(struct imap *s);
void imap_subscribe(struct imap *s);
void imap_unsubscribe(struct imap *s);
void imap_list(struct imap *s);
void imap_lsub(struct imap *s);
void imap_namespace(struct imap *s);
void imap_status(struct imap *s);
void imap_append(struct imap *s);
void imap_getquota(struct imap *s);
void imap_getmetadata(struct imap *s);
void imap_setmetadata(struct imap *s);
/* Makes NO [METADATA MAXSIZE …]. */
void imap_annotation_is_long(struct imap *s);
void imap_getquotaroot(struct imap *s);
void imap_setquota(struct imap *s);
void imap_idle(struct imap *s);
void imap_notify(struct imap *s);
void imap_close(struct imap *s);
void imap_unselect(struct imap *s);
void imap_expunge(struct imap *s);
void imap_uid_expunge(struct imap *s);
void imap_search(struct imap *s);
void imap_sort(struct imap *s);
void imap_thread(struct imap *s);
void imap_fetch(struct imap *s);
/* FETCH of these sequence numbers (a vec of struct api_range, which it takes) as a quiet command.
 */
void imap_fetch_these(struct imap *s, const struct fetch_attrs *attrs, struct vec *sequence);
void imap_store(struct imap *s);
void imap_copy(struct imap *s);
void imap_move(struct imap *s);

/* Adds the capabilities of the moment, from "IMAP4rev1" on. RFC 9051 6.1.1 */
void capability_add(const struct imap *s, struct buf *out);
/* Passwords are taken now: TLS is on, or the administrator trusts loopback. */
bool imap_may_login(const struct imap *s);
struct sasl_context imap_sasl_context(const struct imap *s);
/* A CONDSTORE-enabling command was said. RFC 7162 3.1 */
void imap_enable_condstore(struct imap *s);
/* A literal of an APPEND command begins: takes the command over when it is the message's. */
bool imap_append_literal(struct imap *s);
/* Opens the store's session for the ticket. after: done or s->cmd finished with NO. */
void imap_open_session(struct imap *s, imap_answer *answer);

/* Asks for a change of these UIDs (a vec of struct api_range, not empty): `uids` frames, then it.
 */
void imap_ask_change(
	struct imap *s, const struct vec *uids, const struct frame *change, imap_answer *answer);
/* After a change that expunged: the tagged OK has the mailbox's HIGHESTMODSEQ once the news is told
 * (RFC 7162 3.2.7), for who enabled QRESYNC. */
void imap_finish_expunged(struct imap *s, bool any, const char *text);
/* Expunges what carries \Deleted, in the whole mailbox. */
void imap_expunge_all(struct imap *s, imap_answer *answer);
/* After EXAMINE: finishes with NO and returns true. */
bool imap_refuse_read_only(struct imap *s);
/* Adds an untagged STATUS response; atts: enum status_att; recent: how many are. */
void status_add(const struct imap *s, struct buf *out, const struct api_mailbox *m, unsigned atts,
	uint32_t recent);
/* Whether the store is to count for RECENT. */
bool status_wants_recent(const struct imap *s, unsigned atts);
/* Whether this client is told of a capability that is for who has logged in. */
bool imap_announces(const struct imap *s, const char *name);
/* The largest message that APPEND takes. RFC 7889 */
uint32_t imap_append_limit(const struct imap *s);
/* Names and addresses are said in UTF-8: RFC 9051 5.1, RFC 6855 3. */
static inline bool imap_utf8(const struct imap *s)
{
	return s->rev2 || s->utf8;
}

/* ---- grammar.c ---- */

/* Makes NO [LIMIT] for flags that are too much, and returns true. */
bool imap_flags_are_too_much(struct imap *s, const struct flag_list *f);
/* The same for a set. */
bool imap_set_is_too_much(struct imap *s, const struct seqset *set);

/* SP mailbox, as the store spells it; finishes the command with BAD or NO and returns false. */
bool imap_arg_mailbox(struct imap *s, struct str *ret_name);
/* The same, and as the client spelled it. */
bool imap_arg_mailbox_given(struct imap *s, struct str *ret_name, struct str *ret_given);
/* Whether the name is what was given, apart from a "/" at the end. */
bool imap_is_as_given(struct str name, struct str given);
/* RFC 9051 6.3.9.7: to who knows rev2, a LIST response with OLDNAME where the name is not as it was
 * given. attributes: "\NonExistent" or "". */
void imap_say_oldname(struct imap *s, const char *attributes, struct str name, struct str given);
/* What stands between ")" or the name and the line's end: [SP "(" oldname-extended-item ")"] */
void imap_write_oldname(struct imap *s, struct str name, struct str given);
/* A set of UIDs: "*" is the last that was ever given, "$" what was saved. The ranges live in the
 * arena. */
void imap_uid_set(const struct imap *s, struct seqset *set);
/* SP sequence-set, as ranges of sequence numbers put into ret (a vec of struct api_range); finishes
 * with BAD and returns false. uid: the set is of UIDs. */
bool imap_arg_set(struct imap *s, bool uid, struct vec *ret);

#endif
