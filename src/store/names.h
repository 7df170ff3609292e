/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names as the ledger keeps them: one spelling for each mailbox and each address.
 *
 * A mailbox name is UTF-8 in NFC (RFC 9051 5.1), levels separated by "/", none of them empty, no
 * control characters; a first level that is INBOX in any case is spelt INBOX. An address is
 * local-part@domain in the normal form of mail/address.h, its ASCII letters in lower case: the
 * local part with quotes only where it needs them (RFC 5321 4.1.2), in NFC; an internationalized
 * domain as A-labels (RFC 5891 4.4), so that it is one domain however it is written (RFC
 * 6531 3.7.1).
 *
 * What is no address or domain by the standards has a spelling too, NFC with ASCII in lower case,
 * for ledgers hold what earlier versions let in, and that must be found to be removed.
 * address_check and domain_check say what may be added.
 *
 * uses: base, mail, ICU (normalization); used by: the store's requests and engines, gate, cli
 */
#ifndef CULVER_STORE_NAMES_H
#define CULVER_STORE_NAMES_H

#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"

struct mailbox_name {
	char text[LIMIT_MAILBOX_NAME_BYTES + 1];
	size_t n;
};
struct address_name {
	char text[LIMIT_ADDRESS_BYTES + 1];
	size_t n;
	size_t at; /* of the '@' */
};

/* ERR_SYNTAX: not a name; ERR_LIMIT: too long, or too many levels. */
int mailbox_name_canonical(struct str given, struct mailbox_name *ret, struct err *err);
/* Whether a canonical name keeps to the limits. */
bool mailbox_name_fits(struct str name);
static inline struct str mailbox_name_str(const struct mailbox_name *n)
{
	return str_make(n->text, n->n);
}

/* ERR_SYNTAX: not an address. */
int address_canonical(struct str given, struct address_name *ret, struct err *err);
/* A domain alone, in room for 256 bytes. */
int domain_canonical(struct str given, char ret[LIMIT_DOMAIN_BYTES + 1], struct err *err);
/* Whether a canonical one may be added; ERR_SYNTAX says why not. No mail could ever name it. */
int address_check(struct str canonical, struct err *err);
int domain_check(struct str canonical, struct err *err);
static inline struct str address_str(const struct address_name *a)
{
	return str_make(a->text, a->n);
}
static inline struct str address_local(const struct address_name *a)
{
	return str_make(a->text, a->at);
}
static inline struct str address_domain(const struct address_name *a)
{
	return str_make(a->text + a->at + 1, a->n - a->at - 1);
}
/* Without "+detail"; false when there is none (or nothing before it). */
bool address_without_detail(const struct address_name *a, struct address_name *ret);

#endif
