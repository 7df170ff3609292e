/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an exchange, for exchange.c and a file for each family of mechanisms.
 */
#ifndef CULVER_AUTH_EXCHANGE_PRIVATE_H
#define CULVER_AUTH_EXCHANGE_PRIVATE_H

#include "api/schemes.h"
#include "auth/exchange.h"
#include "auth/scram.h"

struct exchange_mechanism {
	struct str name;
	enum exchange_step (*begin)(struct exchange *);
	enum exchange_step (*account)(
		struct exchange *, const struct frame_credentials *, struct str name);
	enum exchange_step (*response)(struct exchange *, struct str message); /* NULL: none */
	bool plus; /* SCRAM's channel binding */
};

struct exchange {
	const struct exchange_mechanism *mechanism;
	const struct exchange_facts *facts;
	struct buf data; /* the initial response */
	bool has_data, plus_announced;
	struct buf exporter, endpoint, certificate, greeting;
	struct buf user, authzid, challenge;
	const char *reason;
	struct exchange_key key;
	unsigned work;
	/* of the mechanism */
	struct scram scram;
	struct exchange_key keys[SCRAM_KEYS]; /* SCRAM: whose the keys are */
	bool proved;                          /* SCRAM: only the client's empty answer is missing */
	uint8_t digest[16];                   /* CRAM-MD5, APOP: what the client says */
};

/* The account's secret of a kind; empty: it has none. */
struct str exchange_secret(const struct frame_credentials *, enum secret_kind kind);
struct exchange_key exchange_key_of(const struct api_secret *);
/* Notes the reason. */
enum exchange_step exchange_wrong(struct exchange *, const char *reason);
enum exchange_step exchange_bad(struct exchange *, const char *reason);
enum exchange_step exchange_no_memory(struct exchange *);

enum exchange_step scram_begin(struct exchange *);
enum exchange_step scram_account(
	struct exchange *, const struct frame_credentials *, struct str name);
enum exchange_step scram_response(struct exchange *, struct str message);
enum exchange_step cram_begin(struct exchange *);
enum exchange_step cram_account(
	struct exchange *, const struct frame_credentials *, struct str name);
enum exchange_step cram_response(struct exchange *, struct str message);
enum exchange_step apop_begin(struct exchange *);
enum exchange_step apop_account(
	struct exchange *, const struct frame_credentials *, struct str name);
enum exchange_step external_begin(struct exchange *);
enum exchange_step external_account(
	struct exchange *, const struct frame_credentials *, struct str name);

#endif
