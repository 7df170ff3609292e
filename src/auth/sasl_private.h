/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an exchange, for sasl.c, sasl_gate.c and one file for each mechanism.
 *
 * Adding a mechanism? A file sasl_<name>.c with begin and step, a row in sasl.c, and, when the
 * gate has to be asked in another way than by a password, its case in sasl_gate.c.
 */
#ifndef CULVER_AUTH_SASL_PRIVATE_H
#define CULVER_AUTH_SASL_PRIVATE_H

#include "api/session.h"
#include "auth/sasl.h"
#include "base/mem.h"

/* A short text with room of its own; the longest is an address. */
struct sasl_text {
	char p[LIMIT_ADDRESS_BYTES];
	size_t n;
};

struct sasl_mechanism {
	struct str name;
	/* Whether it is announced in a context; NULL: always. */
	bool (*offered)(const struct sasl_context *);
	bool always; /* accepted where it is not announced, too */
	/* No initial response came: says which challenge to send. */
	enum sasl_status (*begin)(struct sasl *);
	/* One decoded response; its bytes are wiped after the call. */
	enum sasl_status (*step)(struct sasl *, struct str message);
	/* Of a relayed one: who a message says that it is, for the log. NULL: it says so itself. */
	void (*claimed)(struct sasl_text *user, struct str message);
};

struct sasl {
	const struct sasl_mechanism *mechanism;
	unsigned responses;   /* seen so far */
	bool cannot_be_right; /* a part was too long or empty: fail at the end, like any other */
	struct str challenge; /* literal text, or a part of this struct */
	struct sasl_context context;
	struct sasl_text user, authzid;
	char password[LIMIT_PASSWORD_BYTES];
	size_t password_n;
	/* relayed ones */
	char message[LIMIT_SCRAM_MESSAGE_BYTES]; /* the client's last, then the gate's */
	size_t message_n;
	bool has_message;
	uint32_t exchange; /* the gate's number; 0: not begun */
};

/* False, and nothing set: too long. */
bool sasl_text_set(struct sasl_text *, struct str);
/* False, and nothing set: empty, or beyond LIMIT_PASSWORD_BYTES. */
bool sasl_password_set(struct sasl *, struct str);

enum sasl_status sasl_plain_begin(struct sasl *);
enum sasl_status sasl_plain_step(struct sasl *, struct str message);
enum sasl_status sasl_login_begin(struct sasl *);
enum sasl_status sasl_login_step(struct sasl *, struct str message);
/* Whether SCRAM-SHA-256-PLUS is announced there: a client that saw it and says 'y' was lied to. */
bool sasl_announces_plus(const struct sasl_context *);
/* sasl_relay.c: the client speaks first, or the server does. */
enum sasl_status sasl_client_first_begin(struct sasl *);
enum sasl_status sasl_server_first_begin(struct sasl *);
enum sasl_status sasl_relay_step(struct sasl *, struct str message);
enum sasl_status sasl_server_first_step(struct sasl *, struct str message);
/* sasl_relay.c: whose name is in a client's message, whatever else is wrong with it. */
void sasl_scram_claimed(struct sasl_text *user, struct str message);
void sasl_external_claimed(struct sasl_text *user, struct str message);
void sasl_cram_claimed(struct sasl_text *user, struct str message);

#endif
