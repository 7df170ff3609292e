// SPDX-License-Identifier: Apache-2.0
/*
 * Resolution of addresses: a walk over aliases with a list of what is still to be looked at. Loops
 * are refused when an alias is added; the walk is bounded all the same.
 */
#include "store/resolve.h"

struct walk {
	struct reader *reader;
	struct vec addresses; /* struct address_name: looked at and to be looked at, each once */
	struct resolution *found;
};

void resolution_init(struct resolution *r)
{
	vec_init(&r->accounts, sizeof(struct account_row), LIMIT_ALIAS_TARGETS);
}

void resolution_done(struct resolution *r)
{
	vec_done(&r->accounts);
}

static int add_account(struct resolution *r, const struct account_row *row, struct err *err)
{
	VEC_EACH (struct account_row, have, &r->accounts)
		if (have->id == row->id)
			return 0;
	if (row->active && vec_push(&r->accounts, row) == NULL)
		return fail(err, ERR_LIMIT, "the address stands for too many accounts");
	return 0;
}

/* Notes an address to be looked at, once. */
static int add_address(struct walk *w, const struct address_name *a, struct err *err)
{
	VEC_EACH (struct address_name, have, &w->addresses)
		if (str_equal(address_str(have), address_str(a)))
			return 0;
	if (vec_push(&w->addresses, a) == NULL)
		return fail(err, ERR_LIMIT, "the address leads too far");
	return 0;
}

struct targets {
	struct walk *walk;
	struct err *err;
	bool any;
};

static int add_target(void *arg, struct str target, struct str unused)
{
	struct targets *t = arg;
	struct address_name a;
	(void)unused;
	t->any = true;
	if (address_canonical(target, &a, NULL) < 0)
		return 0;
	return add_address(t->walk, &a, t->err);
}

/* One address exactly as it is: 1 it is an account or an alias, 0 it is neither. */
static int look_at(struct walk *w, const struct address_name *a, struct err *err)
{
	const struct engine_class *engine = w->reader->class;
	struct account_row row;
	struct err missing = ERR_INIT;
	if (engine->account_by_address(w->reader, address_str(a), &row, &missing) == 0)
		return add_account(w->found, &row, err) < 0 ? -1 : 1;
	if (missing.kind != ERR_NOT_FOUND) {
		*err = missing;
		return -1;
	}
	struct targets targets = { .walk = w, .err = err };
	if (engine->alias_targets(w->reader, address_str(a), add_target, &targets, err) != 0)
		return -1;
	return targets.any;
}

/* As it is, then without its detail. */
static int look_at_either(struct walk *w, const struct address_name *a, struct err *err)
{
	struct address_name plain;
	int known = look_at(w, a, err);
	if (known != 0 || !address_without_detail(a, &plain))
		return known;
	return look_at(w, &plain, err);
}

/* Follows what is in the list. Pointers into it do not survive an add. */
static int follow(struct walk *w, size_t from, struct err *err)
{
	for (size_t i = from; i < w->addresses.n; i++) {
		struct address_name a = *(struct address_name *)vec_at(&w->addresses, i);
		if (look_at_either(w, &a, err) < 0)
			return -1;
	}
	return 0;
}

static void walk_init(struct walk *w, struct reader *reader, struct resolution *found)
{
	*w = (struct walk){ .reader = reader, .found = found };
	vec_init(&w->addresses, sizeof(struct address_name), LIMIT_ALIAS_STEPS);
}

static int first_account(
	struct walk *w, struct str domain, struct account_row *ret, struct err *err)
{
	uint64_t id;
	if (w->reader->class->account_first(w->reader, domain, &id, err) < 0)
		return -1;
	return w->reader->class->account_by_id(w->reader, id, ret, err);
}

/* Who reads a domain's postmaster's mail when nobody was named for it: its first account, and in a
 * domain without accounts the first of all: "any of the domains" must be reached (RFC 5321 4.5.1).
 */
static int stand_in(struct walk *w, struct str domain, struct err *err)
{
	struct account_row row;
	struct err none = ERR_INIT;
	int rc = first_account(w, domain, &row, &none);
	if (rc < 0 && none.kind == ERR_NOT_FOUND)
		rc = first_account(w, STR_NONE, &row, err);
	else if (rc < 0)
		*err = none;
	return rc < 0 ? -1 : add_account(w->found, &row, err);
}

/* Nobody has the address: the domain's catch-all, or what postmaster must reach. */
static int fall_back(
	struct walk *w, const struct address_name *a, const char *catch_all, struct err *err)
{
	struct address_name to;
	if (address_canonical(str_from(catch_all), &to, NULL) == 0) {
		size_t n = w->addresses.n;
		if (add_address(w, &to, err) < 0 || follow(w, n, err) < 0)
			return -1;
	}
	if (w->found->accounts.n == 0 && str_equal(address_local(a), STR("postmaster")))
		return stand_in(w, address_domain(a), err);
	return 0;
}

static int stop_at_once(void *arg, const struct api_domain *domain)
{
	(void)domain;
	*(bool *)arg = true;
	return -1;
}

/* A store without any domain is new, or is not the one that should be there (its disk is not
 * mounted): what would bounce for good is better sent again later. */
static int not_ours(struct walk *w, struct err *err)
{
	bool any = false;
	struct err ignored = ERR_INIT;
	w->reader->class->domain_each(w->reader, stop_at_once, &any, &ignored);
	return any ? fail(err, ERR_DENIED, "not a domain of ours")
		   : fail(err, ERR_TEMP, "this server has no domains yet");
}

static int resolve(struct walk *w, const struct address_name *a, struct err *err)
{
	char catch_all[LIMIT_ADDRESS_BYTES + 1];
	struct err unknown = ERR_INIT;
	if (w->reader->class->domain(w->reader, address_domain(a), catch_all, &unknown) < 0) {
		if (unknown.kind == ERR_NOT_FOUND)
			return not_ours(w, err);
		*err = unknown;
		return -1;
	}
	if (add_address(w, a, err) < 0 || follow(w, 0, err) < 0)
		return -1;
	if (w->found->accounts.n == 0 && fall_back(w, a, catch_all, err) < 0)
		return -1;
	return w->found->accounts.n ? 0 : fail(err, ERR_NOT_FOUND, "no such user here");
}

/* "<Postmaster>" without a domain is that of the first account's domain. */
static int bare_postmaster(struct walk *w, struct err *err)
{
	struct account_row row;
	struct address_name a;
	char text[LIMIT_ADDRESS_BYTES + 16];
	if (first_account(w, STR_NONE, &row, err) < 0)
		return -1;
	struct str domain = str_from(row.address);
	domain = str_from_offset(domain, str_find_last(domain, '@'));
	snprintf(text, sizeof(text), "postmaster%" STR_FMT, STR_ARG(domain));
	return address_canonical(str_from(text), &a, err) < 0 ? -1 : resolve(w, &a, err);
}

int resolve_address(
	struct reader *reader, struct str address, struct resolution *ret, struct err *err)
{
	struct walk w;
	struct address_name a;
	int rc;
	walk_init(&w, reader, ret);
	if (str_equal_nocase(address, STR("postmaster")))
		rc = bare_postmaster(&w, err);
	else
		rc = address_canonical(address, &a, err) < 0 ? -1 : resolve(&w, &a, err);
	vec_done(&w.addresses);
	return rc;
}

/* Everything an address leads over, without catch-alls. */
static int trace(struct walk *w, struct str from, struct err *err)
{
	struct address_name a;
	if (address_canonical(from, &a, err) < 0 || add_address(w, &a, err) < 0)
		return -1;
	return follow(w, 0, err);
}

int resolve_leads_to(struct reader *reader, struct str from, struct str address, struct err *err)
{
	struct resolution found;
	struct walk w;
	resolution_init(&found);
	walk_init(&w, reader, &found);
	int rc = trace(&w, from, err);
	VEC_EACH (struct address_name, a, &w.addresses) {
		struct address_name plain;
		if (rc == 0 && (str_equal(address_str(a), address) ||
				       (address_without_detail(a, &plain) &&
					       str_equal(address_str(&plain), address))))
			rc = 1;
	}
	vec_done(&w.addresses);
	resolution_done(&found);
	return rc;
}

int resolve_owns(struct reader *reader, struct str address, uint64_t account, struct err *err)
{
	struct resolution found;
	struct walk w;
	resolution_init(&found);
	walk_init(&w, reader, &found);
	int rc = trace(&w, address, err);
	VEC_EACH (struct account_row, row, &found.accounts)
		if (rc == 0 && row->id == account)
			rc = 1;
	vec_done(&w.addresses);
	resolution_done(&found);
	return rc;
}
