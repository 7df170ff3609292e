// SPDX-License-Identifier: Apache-2.0
/* Recipients that were asked for before: a lone message would spend a quarter of its time on
 * finding out again. Kept is what stands for one account without a quota; whatever changes
 * accounts, aliases or domains makes all of it forgotten once it is on disk, before anybody hears
 * of it. */
#include "store/store_private.h"

#include <stdlib.h>

const struct known *known_find(const struct store *store, struct str asked)
{
	return map_get(&store->known, asked);
}

static void forget_all(struct store *store)
{
	void *value;
	for (size_t at = 0; map_next(&store->known, &at, NULL, &value);)
		free(value);
	map_done(&store->known);
	map_init(&store->known, store->map_key, LIMIT_KNOWN_ADDRESSES);
}

void known_add(
	struct store *store, struct str asked, const struct api_target *target, uint64_t renamings)
{
	if (renamings != store->renamings || target->address.n > LIMIT_ADDRESS_BYTES ||
		map_get(&store->known, asked))
		return;
	if (store->known.n == LIMIT_KNOWN_ADDRESSES)
		forget_all(store);
	struct known *k = xmalloc(sizeof(*k));
	k->account = target->account;
	memcpy(k->address, target->address.p, target->address.n);
	map_put(&store->known, asked, k);
}

/* Whether the operation is about mail alone; what is not known to be may be about names. */
static bool leaves_names(enum op_kind kind)
{
	switch ((int)kind) {
	case OP_BODY:
	case OP_LAND:
	case OP_FLAGS:
	case OP_COPY:
	case OP_EXPUNGE:
	case OP_MAILBOX_CREATE:
	case OP_MAILBOX_DELETE:
	case OP_MAILBOX_RENAME:
	case OP_SUBSCRIBE:
	case OP_UNDELETE:
	case OP_FORGET:
	case OP_BODY_MOVE:
	case OP_SEGMENT:
	case OP_NAMED:
	case OP_ANNOTATE:
	case OP_RECENT:
		return true;
	default:
		return false;
	}
}

void known_after(struct store *store, const struct txn *txn)
{
	VEC_EACH (struct op, op, &txn->ops)
		if (!leaves_names(op->kind)) {
			store->renamings++;
			forget_all(store);
			return;
		}
}

void known_done(struct store *store)
{
	forget_all(store);
	map_done(&store->known);
}
