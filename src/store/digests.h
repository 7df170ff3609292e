/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests: what a front's parser said about a body. Derived: kept beside the ledger in digests.db,
 * not flushed with a commit, absent from backups, and made anew by any front when one is missing.
 * They are claims that readers decode like a socket; here they are bytes with a checksum.
 *
 * And search signatures (mail/signature.h), of the text of a body with one recipient's prefix: the
 * same holds for them.
 *
 * uses: base, SQLite; used by: the writer and the readers of the store
 */
#ifndef CULVER_STORE_DIGESTS_H
#define CULVER_STORE_DIGESTS_H

#include "base/buf.h"
#include "base/seams.h"

struct digests;
struct digest_reader;

/* Opens or makes the table; one that can't be read is made anew. fresh: throw away what is there
 * (after a failed flush). NULL and err when even that fails: then there are no digests, which is
 * slow and not wrong; every function takes NULL. */
struct digests *digests_open(const struct seams *seams, bool fresh, struct err *err);
void digests_close(struct digests **d);
/* The writer's: put or drop …, then end, which others see it after. What fails is left out. */
void digests_put(struct digests *d, uint64_t body, struct str digest);
void signatures_put(struct digests *d, uint64_t body, uint32_t prefix_at, struct str signature);
/* Those of a body: another parser may have found other text in it. */
void signatures_drop(struct digests *d, uint64_t body);
void digests_drop(struct digests *d, uint64_t body); /* signatures, too */
/* At the end no file has any more what was dropped so far; where a reader is in the way, at a later
 * one. */
void digests_erase(struct digests *d);
void digests_end(struct digests *d);
/* The maintainer's. */
void digests_checkpoint(struct digests *d);

struct digest_reader *digest_reader_new(struct digests *d);
void digest_reader_free(struct digest_reader **r);
/* Reads between true and false are of one snapshot. Accepts NULL. */
void digest_reader_snapshot(struct digest_reader *r, bool on);
/* Appends the digest; false: there is none, it is damaged, or it does not fit. */
bool digest_read(struct digest_reader *r, uint64_t body, struct buf *out);
/* Within a snapshot alone; until the next one is read. Empty: there is none. */
struct str signature_read(struct digest_reader *r, uint64_t body, uint32_t prefix_at);

#endif
