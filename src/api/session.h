/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protocol session as a front sees it: bytes and answers in, bytes and questions out, no I/O.
 *
 * smtp, imap and pop3 each give one struct session_class. A front feeds the client's bytes to
 * input(), sends what is in session->out, and carries questions, which are frames, to the process
 * they are for. One front drives all protocols, and a test drives a session with no front at all.
 *
 *     host: bytes arrive  -> session_input(s, bytes), which takes as many as it can now
 *     session             -> s->out; host->ask(...); s->next says what is to happen to the stream
 *     host: room in output, or an answer -> class->answer / class->resume
 *
 * Rules. A session that waits for an answer, or has no room in `out`, takes no input: input()
 * returns less than it was given, and the host calls it again with the rest (and what came since)
 * after the next answer() or resume(). The host stops reading from the client while bytes are left
 * over. `out` is bounded (LIMIT_SESSION_OUT_BYTES): a session that has more to say remembers where
 * it was and goes on in resume(). After any call the host looks at out, next and deadline_ms.
 * Nothing here blocks; nothing here recurses into the host but ask() and cancel().
 *
 * uses: base, api frames; used by: smtp imap pop3, process/front.c, tests
 */
#ifndef CULVER_API_SESSION_H
#define CULVER_API_SESSION_H

#include "api/frames.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/seams.h"

struct session;

enum session_peer { ASK_STORE, ASK_GATE, ASK_COURIER };

/* What the host is to do with the stream once `out` has been sent. */
enum session_next {
	NEXT_GO_ON = 0,
	NEXT_START_TLS, /* discard unread plaintext, start TLS, then class->tls_started */
	NEXT_COMPRESS,  /* all from here on is DEFLATE, both ways: RFC 4978 */
	NEXT_CLOSE,     /* close orderly, then class->free */
};

/* What TLS says of the connection to both its ends, for those who prove who they are by more than a
 * password. Empty without TLS. */
struct session_bindings {
	uint8_t exporter[32];    /* RFC 9266 2: keying material that no other connection has */
	uint8_t endpoint[64];    /* RFC 5929 4.1: the hash of our certificate */
	uint8_t certificate[32]; /* SHA-256 of the client's, which it has proved to hold */
	size_t exporter_n, endpoint_n, certificate_n;
};

/* What the host knows of the connection. Lives as long as the session. */
struct session_peer_info {
	char address[64]; /* the client's IP address as text */
	uint16_t port;
	char local[64]; /* ours, which it connected to */
	bool loopback;  /* 127.0.0.0/8 or ::1 */
	bool tls;       /* TLS is on now (implicit, or after STARTTLS) */
	char tls_version[16];
	char tls_cipher[64];
	struct session_bindings bindings;
	char service[16]; /* "smtp", "submission", "submissions", "submission-alt", "imap", ... */
};

struct answers;

struct session_host {
	/* Sends a question; the answer comes by class->answer with the same number. Returns the
	 * request's number (never 0). When the peer is away the answer is a `failed` with ERR_TEMP,
	 * and it never comes from inside ask(). The frame is encoded before ask() returns. */
	uint32_t (*ask)(
		struct session_host *, struct session *, enum session_peer, const struct frame *);
	/* Sends a frame that goes with an earlier question (upload_bytes, uids): same number; or
	 * with number 0 one that gets no answer (session_close, view_close).
	 * False: the channel has no room now, nothing was sent; class->resume is called when it
	 * has. Small frames (not bulk) are always taken. */
	bool (*tell)(struct session_host *, struct session *, enum session_peer, uint32_t request,
		const struct frame *);
	/* The answers of this request are no longer wanted. */
	void (*cancel)(struct session_host *, struct session *, uint32_t request);
	const struct seams *seams; /* clock and random */
	const struct front_settings *settings;
	const char *hostname; /* our name, for greetings and Received */
	uint32_t instance;    /* this front's number */
	struct answers
		*answers;    /* what all its IMAP sessions keep (imap/answers.h); NULL: nothing */
	uint64_t sort_bytes; /* what SORT and THREAD of all its sessions have put in memory */
};

/* What an administrator set for fronts (config/config.h fills it; tests fill it by hand). */
struct front_settings {
	char hostname[256];
	bool plaintext_auth_loopback; /* AUTH and LOGIN without TLS from 127.0.0.0/8 and ::1 */
	uint64_t message_bytes;       /* largest message, SIZE= */
	uint32_t recipients;          /* most recipients a transaction */
	uint32_t sessions;            /* most sessions a front */
	uint32_t sessions_per_address;
	bool tls_available;          /* there is a certificate */
	uint32_t pop3_login_delay_s; /* between two logins of an account; 0: none */
	bool submission_plus;        /* SCRAM-SHA-256-PLUS is announced to submission too */
	bool pop3_surrogates;        /* header fields in ASCII for who has not said UTF8 */
	const char
		*imap_hide;   /* capabilities that are not announced (man/culver.conf.5); or NULL */
	bool imap_hide_known; /* nor those that clients of a name are known to trip over */
	/* bits of enum service; what the gate says (frame mechanisms) */
	uint32_t scram_services, legacy_services;
};

struct session_class {
	const char *name; /* "smtp" */
	/* All that a connection hears for which a front has no room: a line with its CRLF. */
	const char *refusal;
	/* service: a name from the table of listeners. The greeting is in out on return (but for
	 * implicit TLS the host calls new after the handshake). */
	struct session *(*new)(
		struct session_host *, const struct session_peer_info *, const struct log *);
	/* Takes bytes; returns how many. */
	size_t (*input)(struct session *, struct str bytes);
	/* One answer. The frame and what it points at end with the call. */
	void (*answer)(struct session *, uint32_t request, const struct frame *);
	/* A frame that the store sent of itself to a session number of ours (mailbox_changed,
	 * session_ended). May be NULL. */
	void (*notice)(struct session *, const struct frame *);
	/* There is room in out, or in a channel, again. */
	void (*resume)(struct session *);
	/* deadline_ms has passed: usually says so and closes. */
	void (*timeout)(struct session *);
	/* The handshake after NEXT_START_TLS is done; peer->tls is true. */
	void (*tls_started)(struct session *);
	/* The client closed its side, orderly or not; no input will come. The session ends with
	 * next = NEXT_CLOSE, at once or after an answer it must still see. */
	void (*eof)(struct session *);
	/* The front drains: say goodbye at the next good moment (SMTP 421, IMAP BYE). Said again
	 * when the time is over: now, or never. */
	void (*drain)(struct session *);
	/* The store's channel was replaced: tickets must be opened anew. */
	void (*store_lost)(struct session *);
	void (*free)(struct session **);
};

enum { SESSION_GATHER_BYTES = 16 * 1024 };

/* The part of a session that hosts see. Each protocol's struct begins with one. */
struct session {
	const struct session_class *class;
	struct session_host *host;
	const struct session_peer_info *peer;
	struct buf out; /* bytes for the client */
	enum session_next next;
	int64_t deadline_ms;    /* monotonic; 0: none */
	uint32_t store_session; /* number of the open store session, 0: none. For notices. */
	bool idle;              /* nothing is going on: the host may give buffers back */
	bool gathers; /* out may wait, up to SESSION_GATHER_BYTES of it, while input that was
		       * offered is not taken yet: more answers follow soon, and the client waits
		       * for all of them (RFC 2920 3.2). Not while one waits for room in out. */
	bool authenticated;
	bool keeping;     /* a message has been taken and is not acknowledged yet: no time to end */
	uint64_t brought; /* bytes of messages so far */
	bool cut; /* with NEXT_CLOSE: the login has ended, the client gets no long while to listen
		   */
	struct log log;
	void *host_data; /* the host's own */
};

#endif
