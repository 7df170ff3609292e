/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command's way to the store and the gate: through D/control of a running server, or, when none
 * runs, by starting the same roles without listeners under the same lock. The command does not see
 * the difference.
 *
 * uses: api, config, io, process; used by: cli
 */
#ifndef CULVER_CLI_REMOTE_H
#define CULVER_CLI_REMOTE_H

#include "api/frames.h"
#include "base/limits.h"
#include "config/config.h"

enum remote_peer { REMOTE_STORE, REMOTE_GATE, REMOTE_COURIER, REMOTE_FETCHER, REMOTE_PEERS };

struct remote;
/* config_path must outlive it. NULL and err. only_running: ERR_NOT_FOUND when no server runs; of a
 * configuration that is wrong its directory will do. */
struct remote *remote_open(const char *config_path, bool only_running, struct err *err);
void remote_close(struct remote **);
/* ERR_IN_USE when a server runs. */
int remote_must_be_stopped(const struct config *, struct err *err);
/* The supervisor's status lines (valid while open). */
struct str remote_status(const struct remote *);
/* Its certificates, a line each: "name<TAB>expiry in seconds since 1970<TAB>hosts<TAB>problem". */
struct str remote_certificates(const struct remote *);
/* What else it said: changes of its image (the supervisor's; see frame status). */
struct remote_upgrades {
	uint32_t done, refused;
	bool under_way;
	char refused_why[401];
};
const struct remote_upgrades *remote_upgrades(const struct remote *);
struct remote_reloads {
	uint32_t done; /* have come to their end, either way */
	bool under_way;
	char refused_why[401]; /* the last; empty: it was not refused */
	char for_start[601];   /* keys that were changed and wait for a start */
};
const struct remote_reloads *remote_reloads(const struct remote *);
/* The supervisor's process, for signals; -1 when unknown. */
int remote_process(const struct remote *);

/* Asks and waits, as long as the connection lives. each is called for every frame of the answer but
 * `failed`, which becomes err. The frame ends with the call. */
int remote_ask(struct remote *, enum remote_peer, const struct frame *question,
	void (*each)(void *arg, const struct frame *), void *arg, struct err *err);
/* The same for at most so long, for who wants to know whether there is an answer. */
int remote_ask_within(struct remote *, int within_ms, enum remote_peer,
	const struct frame *question, void (*each)(void *arg, const struct frame *), void *arg,
	struct err *err);
/* The same in steps, for a question of several frames: begin, tell each, wait. Tell waits for room,
 * and fails as soon as the question was refused. */
int remote_begin(struct remote *, enum remote_peer, void (*each)(void *arg, const struct frame *),
	void *arg, struct err *err);
int remote_tell(struct remote *, const struct frame *, struct err *err);
int remote_wait(struct remote *, struct err *err);
/* Another server, to be read: has the courier connect, starts a process that owns the connection
 * and nothing else, and logs in. Then REMOTE_FETCHER can be asked (frames fetch_…). */
enum remote_security { REMOTE_PLAIN, REMOTE_STARTTLS, REMOTE_TLS };
struct remote_server {
	struct str host;
	uint16_t port;
	enum remote_security security;
	struct str user, password;
	uint64_t most_bytes; /* of a message */
	const char *ca;      /* a file of certificates, or NULL: the system's */
};
int remote_fetch_begin(struct remote *, const struct remote_server *, struct err *err);
void remote_fetch_end(struct remote *);

/* What is kept of a password: the verifier and, for an account, the other secrets of it. */
struct remote_verifier {
	char text[257];
	struct api_secret secrets[2]; /* their values are in `values` */
	char values[2][LIMIT_SECRET_BYTES];
	size_t n;
};
/* From the gate. address: the account's, or empty for a verifier alone. legacy_auth: CRAM-MD5 and
 * APOP are wanted; an account that exists says so itself. */
int remote_make_verifier(struct remote *, struct str password, struct str address, bool legacy_auth,
	struct remote_verifier *ret, struct err *err);
static inline struct api_secret_list remote_secrets(const struct remote_verifier *v)
{
	return (struct api_secret_list){ v->secrets, v->n };
}

#endif
