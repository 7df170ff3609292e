/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom an address stands for: accounts, aliases with many targets, plus-addresses, catch-all, and
 * postmaster. Written over an engine's reads, so that every engine resolves alike.
 *
 * uses: engine, names; used by: the store's requests, alias operations
 */
#ifndef CULVER_STORE_RESOLVE_H
#define CULVER_STORE_RESOLVE_H

#include "store/engine.h"
#include "store/names.h"

struct resolution {
	struct vec accounts; /* struct account_row, each once */
};

void resolution_init(struct resolution *r);
void resolution_done(struct resolution *r);

/*
 * The accounts an address stands for. In this order: an account, an alias, the same without
 * "+detail", the domain's catch-all. postmaster always reaches somebody (RFC 5321 4.5.1): when
 * nothing else takes it, the oldest account of the domain; "postmaster" alone, of the store.
 * -1: ERR_DENIED (not a domain of ours), ERR_NOT_FOUND, ERR_LIMIT (too many targets or steps),
 * ERR_SYNTAX, ERR_TEMP.
 */
int resolve_address(struct reader *, struct str address, struct resolution *ret, struct err *err);
/* Whether what `from` stands for leads over `address`: an alias from address to from would be a
 * loop. 1, 0, or -1. */
int resolve_leads_to(struct reader *, struct str from, struct str address, struct err *err);
/* Whether the account is among those the address stands for, catch-all left out: 1, 0, -1. */
int resolve_owns(struct reader *, struct str address, uint64_t account, struct err *err);

#endif
