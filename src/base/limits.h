/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit, each with its reason or RFC section. 0 never means unlimited. Each is tested at
 * N-1, N and N+1 by the unit test of the code that keeps it.
 */
#ifndef CULVER_BASE_LIMITS_H
#define CULVER_BASE_LIMITS_H

/* ---- frames and channels ---- */
#define LIMIT_FRAME_BYTES          (66 * 1024) /* header excluded; bulk data is at most 65,000 */
#define LIMIT_CHANNEL_SMALL_CREDIT (1024 * 1024)
#define LIMIT_CHANNEL_BULK_CREDIT  (1024 * 1024)     /* some 16 frames in flight a direction */
#define LIMIT_CHANNEL_QUEUE_BYTES  (4 * 1024 * 1024) /* small frames that wait for a peer */
#define LIMIT_CHANNEL_HANDLES      128 /* descriptors on their way: a front's sockets and its peers */
#define LIMIT_CHANNEL_STALL_MS     30000 /* who grants no credit for so long is dropped */

/* ---- streams ---- */
#define LIMIT_STREAM_IN_BYTES   (64 * 1024)  /* kept input of one connection */
#define LIMIT_STREAM_OUT_BYTES  (256 * 1024) /* unsent output of one connection */
#define LIMIT_SESSION_OUT_BYTES (128 * 1024) /* a session's own output before the host takes it */
#define LIMIT_HANDSHAKE_BYTES                                                                      \
	(18 * 1024)                 /* a ClientHello of 16 KiB and a client's last flight; T7 */
#define LIMIT_KEY_UPDATES      64   /* of TLS 1.3, a connection: each costs us more than them; T5 */
#define LIMIT_CERTIFICATES     64   /* in tls/, and so chains of one front */
#define LIMIT_CHAIN            10   /* certificates of one chain */
#define LIMIT_SIGNATURE_BYTES  1024 /* RSA of 8192 bits */
#define LIMIT_HANDSHAKE_MS     10000  /* TLS handshake; hostile-input T7 */
#define LIMIT_SEND_STALL_MS    300000 /* a client that reads nothing; RFC 5321 4.5.3.2 names 5 min */
#define LIMIT_CLOSE_MS         5000
#define LIMIT_CUT_MS           3000 /* to hear that one's login has ended; A8 wants 5 s for all of it */
#define LIMIT_DATA_RATE_BYTES  500  /* a second, averaged over 60 s, while data is awaited */
#define LIMIT_KEYS_MS          150  /* a front's wait for keys, so that it fails in 200 ms; T10 */
#define LIMIT_KEYS_START_MS    5000 /* the same for one that has yet to begin */
#define LIMIT_TICKET_KEY_BYTES 80   /* name, AES-256 and HMAC-SHA-256 keys; frames.def */
#define LIMIT_TICKET_S         3600 /* how long a TLS ticket is good for: by two hourly keys; T8 */

/* ---- addresses ---- */
#define LIMIT_LOCAL_PART_BYTES 64  /* RFC 5321 4.5.3.1.1 */
#define LIMIT_DOMAIN_BYTES     255 /* RFC 5321 4.5.3.1.2 */
#define LIMIT_OWN_DOMAIN_BYTES 253 /* RFC 1035 3.1: 255 with each label's length and the root's */
#define LIMIT_LABEL_BYTES      63  /* RFC 1035 2.3.4 */
#define LIMIT_PATH_BYTES       256 /* with its < and >; RFC 5321 4.5.3.1.3 */
#define LIMIT_ADDRESS_BYTES    320 /* 64 + "@" + 255: what frames carry as an address */

/* ---- fronts ---- */
#define LIMIT_FRONT_QUESTIONS  65536 /* of all sessions of a front, to one peer, unanswered */
#define LIMIT_FRONT_HELD_BYTES (1024 * 1024) /* questions that wait for the next store */
#define LIMIT_FRONT_HOLD_MS    1000          /* and how long, from the loss of the old one */
#define LIMIT_SIGNED_UPLOADS   512           /* delivered, whose signature is to come; of a front */
#define LIMIT_SIGNED_LANDINGS  4             /* of one; each recipient's prefix makes its own */
#define LIMIT_SIGNER_BYTES     (8 * 1024 * 1024) /* what a front keeps of them until it has made it */
#define LIMIT_SIGNER_MESSAGE   (256 * 1024) /* of one; a larger one is signed by the first search */
#define LIMIT_FRONT_ADDRESSES  65536        /* client addresses counted at once */
#define LIMIT_STRANGER_STAY_MS                                                                     \
	5000 /* who has not logged in by then gives way where there is no room; X4 */
#define LIMIT_STRANGER_BYTES                                                                       \
	(LIMIT_STRANGER_STAY_MS / 1000 * LIMIT_DATA_RATE_BYTES) /* of a message: who brings them   \
								 * stays as long again */

/* ---- the gate ---- */
#define LIMIT_GATE_QUEUE 512   /* logins of a rank that wait for a hash worker; more come back */
#define LIMIT_GATE_CACHE 16384 /* past successes remembered */
#define LIMIT_GATE_ADDRESSES                                                                       \
	65536 /* client addresses whose failures are counted; accounts, and pairs, too */
#define LIMIT_GATE_FAILURES    20    /* in a row from one address before it must wait */
#define LIMIT_GATE_REFILL_MS   10000 /* one failure is forgiven after so long */
#define LIMIT_GATE_TRIES       3 /* failed or under way: a stranger's address with more is suspect */
#define LIMIT_GATE_KNOWN_TRIES 10 /* the same of an account that has come in from there before */
#define LIMIT_GATE_USER_TRIES  10 /* the same of an account, by strangers; S47 */

#define LIMIT_GATE_EXCHANGES         4096  /* of one front, begun and not ended; A7 */
#define LIMIT_GATE_EXCHANGES_ADDRESS 64    /* of one client address */
#define LIMIT_GATE_EXCHANGE_MS       60000 /* from its begin to its end */
#define LIMIT_GATE_HELD              4096  /* logins that wait for the next store */
#define LIMIT_GATE_HOLD_MS           1000  /* and how long, from the loss of the old one */
#define LIMIT_GATE_OFFERS_MS         200 /* between two looks at which mechanisms can be announced */
#define LIMIT_GATE_ANSWER_MS                                                                       \
	5 /* an answer that tells whether an account exists takes so long; A1 */
#define LIMIT_GATE_EXCHANGE_STEPS                                                                  \
	8 /* answers of the client in one; no mechanism takes more than two */

/* ---- the supervisor ---- */
#define LIMIT_RELOAD_MS        15000 /* a new keys and all fronts' answers; then the old go on; X8 */
#define LIMIT_EXPIRY_WARN_DAYS 14    /* before a certificate's end: a log line a day */
#define LIMIT_ADMIN_CHANNELS   16    /* commands at work at once */
#define LIMIT_CONNECT_AGAIN_MS 1000  /* between two channels of the same two roles */
#define LIMIT_SIGNATURES_A_SECOND                                                                  \
	20000                         /* of keys; some 1,350 handshakes a CPU-second are possible */
#define LIMIT_HELD_MS            1000 /* other roles wait for fronts to come up, and no longer */
#define LIMIT_DYING_MS           500  /* from the end of a child's control channel to its end */
#define LIMIT_SILENCE_MS         45000 /* then it hangs, and is killed; X6 wants 30 s borne */
#define LIMIT_SETTLED_MS         2000 /* a child that dies sooner after its start has failed to start */
#define LIMIT_AGAIN_MS           400          /* longest back-off of a child that was up */
#define LIMIT_RESTART_MS         5000         /* longest back-off of a child that does not start */
#define LIMIT_TAKEOVER_LISTENERS 120          /* sockets there are: 15 addresses, 8 services */
#define LIMIT_TAKEOVER_CHILDREN  256          /* processes, those that drain among them */
#define LIMIT_TAKEOVER_BYTES     (128 * 1024) /* all of it as text */
#define LIMIT_TAKEOVER_MS        20000        /* what a new binary's check of itself may take */
#define LIMIT_HANDOVER_MS        10000        /* an old store's last commits, before it is killed */
#define LIMIT_SPREAD_MS          5000 /* goodbyes of a front that is replaced, spread over so long */

/* ---- passwords ---- */
#define LIMIT_PASSWORD_BYTES 1024 /* hostile-input A2 */
#define LIMIT_VERIFIER_BYTES                                                                       \
	(64 * 1024 * 1024) /* memory of yescrypt or scrypt, and so its time; of ours 16 MiB; A2 */
#define LIMIT_VERIFIER_BCRYPT 14      /* cost of bcrypt: a second */
#define LIMIT_VERIFIER_ROUNDS 1000000 /* of $5$ and $6$: half a second; as for SCRAM */
#define LIMIT_SECRETS                                                                              \
	61 /* app passwords and certificates of an account; with the password's own three as many  \
	      as frame credentials carries */
#define LIMIT_SECRET_BYTES         512  /* its value; as in record secret */
#define LIMIT_SECRET_LABEL_BYTES   128  /* what an administrator calls it; as in record secret */
#define LIMIT_SCRAM_MESSAGE_BYTES  2048 /* one message of an exchange; as in frame challenge */
#define LIMIT_SCRAM_NONCE_BYTES    256  /* the client's part: printable, some 24 are usual */
#define LIMIT_SCRAM_SALT_BYTES     64
#define LIMIT_SCRAM_ITERATIONS_MIN 4096    /* RFC 7677 4 */
#define LIMIT_SCRAM_ITERATIONS_MAX 1000000 /* of a verifier that is brought along; A4 */
#define SCRAM_ITERATIONS           16384   /* of ours: the client's cost at each login */
#define LIMIT_SECRET_USED_MS       3600000 /* between two notes that an app password was used */
#define LIMIT_SASL_LINE_BYTES      12288   /* one base64 line of an exchange; RFC 4954 4 */

/* ---- bodies ---- */
#define LIMIT_CHUNK_BYTES        (64 * 1024)         /* raw bytes that are verified together */
#define LIMIT_BODY_BYTES         (256 * 1024 * 1024) /* the format's; the setting is lower (50 MiB) */
#define LIMIT_PREFIX_BYTES       8000                /* as in frame upload_to */
#define LIMIT_RECORD_RECIPIENTS  1100                /* as in frame delivered */
#define LIMIT_SPOOL_MEMORY_BYTES (1024 * 1024) /* an upload's raw bytes in memory, then a file */
#define LIMIT_SEGMENT_BYTES      (256 * 1024 * 1024) /* sealed at the first record end behind it */
#define LIMIT_SEGMENT_FILES      64                  /* descriptors that readers keep open */
#define LIMIT_SEGMENT_BATCH      (4 * 1024 * 1024)   /* appended bytes in memory before a write */
#define LIMIT_CARRY_BYTES        (64 * 1024) /* of a batch that the log of the ledger carries */
#define LIMIT_CARRY_SLOTS        256         /* such batches between two flushes of a segment */
#define LIMIT_DISK_RESERVE_BYTES                                                                   \
	(64 * 1024 *                                                                               \
		1024) /* unless reserve_bytes says else: no appends below, deletion needs room; Q3 \
		       */

/* ---- IMAP: sets, names, attributes, searches ---- */
#define LIMIT_IMAP_SEQ_RANGES    65536 /* ranges of a sequence set; hostile-input I7 */
#define LIMIT_IMAP_SECTION_DEPTH 128   /* numbers of a part: above LIMIT_MIME_DEPTH; I6 */
#define LIMIT_IMAP_FETCH_ITEMS   256   /* I6 */
#define LIMIT_IMAP_HEADER_FIELDS 256   /* names in HEADER.FIELDS; I6 */
#define LIMIT_IMAP_SEARCH_KEYS   1024  /* keys and joints of a SEARCH; I5 */
#define LIMIT_IMAP_SEARCH_DEPTH  64    /* NOT, OR and parentheses; I5 */
#define LIMIT_IMAP_FACTS_BYTES   (6 * 1024 * 1024) /* envelopes kept for the next SORT */
#define LIMIT_IMAP_RANKS         262144 /* of messages by keys of SORT, 8 bytes each: 2 MiB a session */
#define LIMIT_NOTIFY_BYTES       (512 * 1024) /* what one NOTIFY is parsed into */
#define LIMIT_NOTIFY_GROUPS      32
#define LIMIT_NOTIFY_NAMES       512 /* of all groups: each is compared with every mailbox's */
#define LIMIT_NOTIFY_MAILBOXES                                                                     \
	1000 /* of the account, when some that is not selected is watched                          \
	      */
#define LIMIT_IMAP_ANSWERS_BYTES                                                                   \
	(64 * 1024 * 1024) /* of a front: ENVELOPEs and the like said before */
#define LIMIT_IMAP_SORT_BYTES (64 * 1024 * 1024) /* keys of one SORT or THREAD; I22 */
#define LIMIT_IMAP_SORTS_BYTES                                                                     \
	(256 * 1024 * 1024) /* of all sessions of a front that sort or thread; I22 */
#define LIMIT_IMAP_SORT_SHARE_BYTES (1024 * 1024) /* of that, for each session in any case */
#define LIMIT_IMAP_URL_BYTES        8192 /* of CATENATE: a name of 1,024 bytes, all encoded, and more */
#define LIMIT_IMAP_CATENATE_PARTS                                                                  \
	1000                             /* TEXTs and URLs of one APPEND; each URL costs questions \
					  */
#define LIMIT_IMAP_NEEDLE_BYTES     1024 /* text of one search key; I23 */
#define LIMIT_MAILBOX_NAME_BYTES    1024 /* UTF-8; frames.def str 1024 */
#define LIMIT_MAILBOX_LEVELS        32   /* I9, I30 */
#define LIMIT_MAILBOX_PATTERN_BYTES 1024 /* a LIST pattern after wildcards are made one; I10 */
#define LIMIT_VIEW_ENTRIES          4000000 /* entries of one mailbox in a view: 260 MB */

/* ---- IMAP: what a command does in one turn, before others have theirs ---- */
#define LIMIT_IMAP_LIST_WORK   4000000 /* bytes of names times 64 bytes of patterns; I10 */
#define LIMIT_IMAP_SEARCH_WORK 1000000 /* keys asked of messages; I5 */
#define LIMIT_IMAP_SEARCH_RANGES                                                                   \
	500000                        /* of all sets of a search, "$" in each place of its own     \
				       */
#define LIMIT_IMAP_FETCH_WORK 2000000 /* bytes of digests that parts are looked for in; I6 */
#define LIMIT_IMAP_TURN_MS    5       /* commands that were sent ahead, one after the other; I24 */

#define LIMIT_IMPORT_NAMES_BYTES (256 << 20) /* names of one directory that is imported */

/* ---- mail formats ---- */
#define LIMIT_FIELD_NAME_BYTES   998    /* a name is part of a line: RFC 5322 2.1.1 */
#define LIMIT_HEADER_LINE_BYTES  65536  /* looked at of one header line, by SEARCH at once; M2 */
#define LIMIT_COMMENT_DEPTH      32     /* nested comments; hostile-input M10 */
#define LIMIT_ADDRESSES          1000   /* entries of one address field; hostile-input M1 */
#define LIMIT_ENCODED_WORD_BYTES 4096   /* RFC 2047 2 says 75; longer ones stay undecoded; M9 */
#define LIMIT_MIME_PARAMS        100    /* parameters, and RFC 2231 segments; hostile-input M8 */
#define LIMIT_MIME_DEPTH         100    /* composites within each other; hostile-input M4 */
#define LIMIT_MIME_PARTS         10000  /* hostile-input M4 */
#define LIMIT_BOUNDARY_BYTES     994    /* with "--" on both sides 998; RFC 2046 5.1.1 says 70 */
#define LIMIT_DIGEST_BYTES       262144 /* a quarter of a transaction's parse state */
/* A header in ASCII for clients without UTF-8 (mail/surrogate.h): a piece of a message, stuffed,
 * and both of these fit into LIMIT_SESSION_OUT_BYTES. */
#define LIMIT_SURROGATE_FIELD_BYTES 8192 /* of a field that can be rewritten */
#define LIMIT_SURROGATE_EXTRA_BYTES 8192 /* that a message may become longer by it */
#define LIMIT_PREVIEW_CHARS         200  /* RFC 8970 3.2 */

/* ---- SMTP ---- */
#define LIMIT_SMTP_COMMAND_BYTES  2048        /* 512 and what extensions add; RFC 5321 4.5.3.1.4 */
#define LIMIT_SMTP_DISCARD_BYTES  (64 * 1024) /* of a line nobody wants; S32 */
#define LIMIT_SMTP_PARAMETERS     16          /* of one MAIL or RCPT; there are five we know */
#define LIMIT_SMTP_ERRORS         50          /* refused commands without a message between; S41 */
#define LIMIT_SMTP_JUNK           200  /* commands that bring no message nearer (NOOP, RSET, ...) */
#define LIMIT_SMTP_OVERSHOOT      1000 /* recipients refused for being too many, then 421; S42 */
#define LIMIT_SMTP_TINY_CHUNK     512  /* BDAT below this is tiny, unless LAST; S26 */
#define LIMIT_SMTP_TINY_CHUNKS    1000 /* a transaction */
#define LIMIT_SMTP_DELIVERIES     1100 /* a transaction; frame delivered carries as many landings */
#define LIMIT_SMTP_ENVELOPE_BYTES (1024 * 1024) /* memory of one envelope */
#define LIMIT_SMTP_LOGIN_FAILURES 5             /* a connection; RFC 4954 4 */
#define LIMIT_SMTP_COMMAND_MS     300000        /* RFC 5321 4.5.3.2.7 */
#define LIMIT_SMTP_DATA_FIRST_MS  120000        /* after 354; S44 */
#define LIMIT_SMTP_DATA_BLOCK_MS  180000        /* at its lowest rate; S44 */
#define LIMIT_SMTP_ANSWER_MS      600000 /* our own processes: as a client waits, RFC 5321 4.5.3.2.6 */
#define LIMIT_RECEIVED_FIELDS     100    /* hops, then it is a loop; RFC 5321 6.3: not below 100 */
#define LIMIT_FROM_BYTES          (16 * 1024) /* From, Sender and Resent-* of a submitted message */
#define LIMIT_FROM_ADDRESSES      20
/* ---- imap: one command ---- */
#define LIMIT_IMAP_STRANGER_TEXT_BYTES                                                             \
	8192 /* before login, literals included; hostile-input I1                                  \
	      */
#define LIMIT_IMAP_STRANGER_LITERAL_BYTES 4096 /* all literals before login; RFC 7888 5 */
#define LIMIT_IMAP_STRANGER_LITERALS      8
#define LIMIT_IMAP_STRANGER_SKIP_BYTES    65536         /* read without being kept; I2 */
#define LIMIT_IMAP_STRANGER_DEPTH         8             /* open parentheses; I4 */
#define LIMIT_IMAP_TEXT_BYTES             (1024 * 1024) /* a long UID set; I3 */
#define LIMIT_IMAP_LITERALS               1000
#define LIMIT_IMAP_SKIP_BYTES             (128ULL * 1024 * 1024) /* an APPEND that is refused */
#define LIMIT_IMAP_DEPTH                  64

/* ---- imap: sessions ---- */
#define LIMIT_IMAP_STRANGER_MS    60000   /* from the greeting to a login */
#define LIMIT_IMAP_IDLE_MS        1800000 /* autologout; RFC 9051 5.4 */
#define LIMIT_IMAP_ALIVE_MS       240000  /* between two words to who is in IDLE */
#define LIMIT_IMAP_GONE_MS        5000    /* a search goes on for a client that says no more */
#define LIMIT_IMAP_VIEW_MS        60000   /* at rest until the view's entries are given back */
#define LIMIT_IMAP_RETRY_MS       500 /* between two tries of IDLE to reach a store that is away */
#define LIMIT_IMAP_COMMAND_MS     300000 /* within a command that has begun to arrive */
#define LIMIT_IMAP_TAG_BYTES      64
#define LIMIT_IMAP_ID_BYTES       64   /* name and version of a client, as far as they count */
#define LIMIT_KEYWORD_BYTES       64   /* as in frame set_flags; hostile-input I18 */
#define LIMIT_IMAP_BADS           50   /* refused commands before login, as in SMTP and POP3 */
#define LIMIT_IMAP_LOGINS         5    /* failed logins a connection */
#define LIMIT_IMAP_LOGIN_DELAY_MS 1000 /* before the first refusal; doubled for each */
#define LIMIT_IMAP_RESPONSE_BYTES (8 * 1024 * 1024)  /* one response held until there is room */
#define LIMIT_IMAP_ARENA_BYTES    (16 * 1024 * 1024) /* what one command may parse into */
#define LIMIT_IMAP_HOLD_BYTES     (1024 * 1024) /* decoded or filtered part kept between two passes */
#define LIMIT_IMAP_MAILBOXES      200000        /* names that one LIST looks at */

/* ---- imap_client: what another server may send ---- */
#define LIMIT_IMAP_CLIENT_RESPONSE_BYTES (128 * 1024) /* of one response, but for a message */
#define LIMIT_IMAP_CLIENT_BODY_BYTES                                                               \
	(1024ULL * 1024 * 1024)                           /* of one message, thrown away or not */
#define LIMIT_IMAP_CLIENT_NAMES_BYTES  (32 * 1024 * 1024) /* names of all mailboxes */
#define LIMIT_IMAP_CLIENT_USELESS      100000             /* responses in a row that tell nothing */
#define LIMIT_IMAP_CLIENT_FETCH        64     /* messages of one FETCH; as many as a commit takes */
#define LIMIT_FETCH_SILENCE_MS         300000 /* a server that is asked, and brings less than … */
#define LIMIT_FETCH_BYTES              1024   /* … so much in that time */
#define LIMIT_DIALS                    64     /* connections of the courier's under way */
#define LIMIT_DIAL_MS                  20000  /* for each address of a host */
#define LIMIT_IMAP_CLIENT_SECRET_BYTES 1024   /* of a user's name, or a password */

/* ---- store: ledger ---- */
#define LIMIT_MAILBOXES             100000    /* an account; hostile-input I25, G11 */
#define LIMIT_SUBSCRIPTIONS         100000    /* an account; hostile-input I25 */
#define LIMIT_IMPORTED_UID          INT32_MAX /* of another server, and kept: half are left; I20 */
#define LIMIT_KEYWORDS              128 /* a mailbox: two 64-bit words an entry; hostile-input I18 */
#define LIMIT_ALIAS_TARGETS         128  /* one address stands for at most so many accounts */
#define LIMIT_KNOWN_ADDRESSES       4096 /* recipients that a store keeps in memory: 1.3 MiB */
#define LIMIT_ALIAS_STEPS           512  /* addresses looked at in one resolution */
#define LIMIT_GROUP_TRANSACTIONS    256  /* in one flush: past 64 the gain is small */
#define LIMIT_GROUP_ROWS            8192 /* written in one flush, then it ends: two pages each, 64 MiB */
#define LIMIT_TRANSACTION_BYTES     (16 * 1024 * 1024) /* what the operations of one point at */
#define LIMIT_ANNOTATIONS           100 /* of a mailbox, or of the account itself; RFC 5464 4.1, I25 */
#define LIMIT_ACCOUNT_ANNOTATIONS   10000 /* of all mailboxes of an account; I25 */
#define LIMIT_ANNOTATIONS_AT_ONCE   12    /* of one SETMETADATA: they go in one frame */
#define LIMIT_ANNOTATION_BYTES      4096  /* a value; RFC 5464 4.1 asks for 1024 */
#define LIMIT_ANNOTATION_NAME_BYTES 255
#define LIMIT_UPLOAD_MESSAGES       100     /* of one MULTIAPPEND: each may hold a descriptor */
#define LIMIT_LANDINGS              1100    /* recipients of one message; frames.def, delivered */
#define LIMIT_CHANGED_ENTRIES       2000000 /* entries that one transaction may touch */
#define LIMIT_WAL_BYTES             (64 * 1024 * 1024) /* of the ledger's log; begun anew at a quarter */
#define LIMIT_VIEW_SLICE_ROWS       50000              /* about 10 ms of one snapshot */
#define LIMIT_MODSEQ                (INT64_MAX - 1000) /* RFC 7162 7: 63 bits; an operation takes few; I21 */
#define LIMIT_CHANGE_LOG            16384              /* changes remembered of a watched mailbox */
#define LIMIT_FLAGS_TOLD            8192 /* entries of one STORE that are told one by one: half a log */
#define LIMIT_UNSEEN_LOOKED                                                                        \
	1000 /* entries that a SELECT looks at for the first unseen; then it reads the view */
#define LIMIT_BASES_BYTES  (32 * 1024 * 1024) /* views kept in memory for who opens them next */
#define LIMIT_BASE_CHANGES 1024 /* of a mailbox that nobody watches; then its view is not kept */
#define LIMIT_RECLAIM_RATE_BYTES                                                                   \
	(10 * 1000 * 1000) /* a second, read and copied, while others want something */
#define LIMIT_DISTRUST_AGAIN_MS                                                                    \
	(30 * 1000) /* a store that could not copy what a failed flush left tries again: a full    \
		       disk is soon seen to have room, and readers are seldom disturbed */
#define LIMIT_ERASE_MS     (24 * 3600 * 1000) /* from a message's end to that of its bytes */
#define LIMIT_DELETED_LIST 20000 /* deleted messages in one list: 20 MB of names at most */

/* ---- store: backups ---- */
#define LIMIT_MANIFEST_BYTES (32 * 1024 * 1024) /* some 300,000 segments: 75 TiB */

/* ---- configuration ---- */
#define LIMIT_CONFIG_BYTES (1024 * 1024) /* of its file, read whole: a device may never end */

/* ---- store: peers ---- */
#define LIMIT_PEER_SESSIONS     32768 /* store sessions of one front */
#define LIMIT_PEER_WATCHES      65536
#define LIMIT_PEER_JOBS         8192                /* unanswered questions of one peer */
#define LIMIT_PEER_UPLOADS      4096                /* open uploads of one peer */
#define LIMIT_PEER_ANSWER_BYTES (32 * 1024 * 1024)  /* read and not yet sent; of changes as much */
#define LIMIT_PEER_UPLOAD_BYTES (256 * 1024 * 1024) /* one peer's uploads; its questions */
#define LIMIT_REQUEST_RANGES    70000               /* UID ranges of one request; IMAP I5 */
#define LIMIT_MAILDROP_OPENINGS                                                                    \
	65536 /* remembered for POP3's LOGIN-DELAY; beyond it the oldest go */

/* ---- POP3 ---- */
#define LIMIT_POP3_LINE_BYTES      2048 /* RFC 2449 4 says 255; PASS and AUTH may need more */
#define LIMIT_POP3_DISCARD_BYTES   (64 * 1024) /* of a line nobody wants; hostile-input P1 */
#define LIMIT_POP3_IDLE_MS         600000      /* RFC 1939 3: at least ten minutes */
#define LIMIT_POP3_STRANGER_MS     600000      /* from the greeting to a login, whatever is said */
#define LIMIT_POP3_LOGIN_FAILURES  5           /* a connection; P1 */
#define LIMIT_POP3_TIMESTAMP_BYTES 250         /* of APOP's greeting; as in frame exchange_begin */
#define LIMIT_POP3_LOGIN_DELAY_MS  1000        /* before -ERR, times the failures so far; P1 */
#define LIMIT_POP3_ERRORS          50 /* refused lines: before the login, or in a row after it */
#define LIMIT_POP3_MESSAGES        2000000      /* of a maildrop: 48 MB */
#define LIMIT_POP3_AHEAD_MESSAGES  16           /* asked of the store before they are retrieved */
#define LIMIT_POP3_AHEAD_BYTES     (128 * 1024) /* and how much they may be */

#endif
