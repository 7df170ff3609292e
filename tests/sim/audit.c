// SPDX-License-Identifier: Apache-2.0
/*
 * When everything has come to rest: reads all mail of all accounts by IMAP and holds it against the
 * model, then lets the store check itself. And the administrator, who sets the accounts up.
 */
#include "admin.h"
#include "boxes.h"
#include "guest.h"
#include "imap_session.h"

#include "api/schemes.h"

static const char *const addresses[ACCOUNTS] = { "alice@example.test", "bob@example.test",
	"carol@example.test", "dave@example.test", "erin@example.test" };

const char *account_address(unsigned account)
{
	return addresses[account];
}

/* ---- the administrator ---- */

static struct admin admin;

static void admin_begin(void)
{
	if (!admin_open(&admin, NULL))
		sim_fail("the administrator is not connected to store and gate");
}

static void add_account(unsigned i)
{
	struct authority first = authority_right(i, 0);
	struct frame verifier = { .type = FRAME_MAKE_VERIFIER,
		.make_verifier.password = str_from(first.password) };
	admin_must(&admin, admin.gate, &verifier, FRAME_VERIFIER);
	struct frame add = { .type = FRAME_ACCOUNT_ADD,
		.account_add = {
			.address = str_from(addresses[i]), .verifier = str_from(admin.verifier) } };
	admin_must(&admin, admin.store, &add, FRAME_DONE);
}

void admin_set_up(void)
{
	struct frame domain = { .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example.test") };
	admin_begin();
	accounts_begin();
	admin_must(&admin, admin.store, &domain, FRAME_DONE);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		add_account(i);
	admin_close(&admin);
}

static void make_active(unsigned i)
{
	struct frame set = { .type = FRAME_ACCOUNT_SET,
		.account_set = { .set = ACCOUNT_ACTIVE,
			.account = { .address = str_from(addresses[i]), .active = true } } };
	account_active_ask(i, true);
	admin_must(&admin, admin.store, &set, FRAME_DONE);
	account_active_acked(i, true);
}

static void set_quota(unsigned i)
{
	struct quota q = account_quota(i);
	struct frame set = { .type = FRAME_ACCOUNT_SET,
		.account_set = { .set = ACCOUNT_QUOTA_BYTES | ACCOUNT_QUOTA_MESSAGES,
			.account = { .address = str_from(addresses[i]),
				.quota_bytes = q.bytes,
				.quota_messages = q.messages } } };
	admin_must(&admin, admin.store, &set, FRAME_DONE);
	account_quota_acked(i, q);
}

/* What was left half done: all may come in again. */
void audit_put_in_order(void)
{
	admin_begin();
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		if (!account_is_active(i))
			make_active(i);
		if (!account_quota_is_sure(i))
			set_quota(i);
	}
	admin_close(&admin);
}

static void look_for_guest(void)
{
	struct frame open = { .type = FRAME_ACCOUNT_OPEN, .account_open.address = STR(GUEST) };
	int answer = admin_ask(&admin, admin.store, &open);
	if (answer != FRAME_SESSION_IS && (answer != FRAME_FAILED || admin.kind != ERR_NOT_FOUND))
		sim_fail(GUEST " can't be looked for: %s", admin.text);
	guest_settled(answer == FRAME_SESSION_IS);
}

static void check(void)
{
	admin_begin();
	look_for_guest();
	admin_must(&admin, admin.store, &(struct frame){ .type = FRAME_STORE_CHECK },
		FRAME_CHECK_DONE);
	if (admin.findings)
		sim_fail("store check: %s", admin.text);
	admin_must(&admin, admin.store, &(struct frame){ .type = FRAME_ACCOUNT_RECOUNT },
		FRAME_RECOUNTED);
	if (admin.findings)
		sim_fail("recount: %s", admin.text);
	admin_close(&admin);
}

/* ---- reading everything ---- */

static struct quota sum; /* of the account that is being read */

static void on_entry(struct user_session *s, const struct user_fetched *f)
{
	if (!f->has_body || !f->has_flags || f->uid == 0)
		sim_fail("the audit was told only a part of a message");
	uint32_t n = message_check(f->body, s->account, s->actor->name);
	if (f->uid >= s->told.uidnext || f->modseq == 0 || f->modseq > s->told.modseq)
		sim_fail("%s: UID %u of %s has modseq %llu, and UIDNEXT is %u, HIGHESTMODSEQ %llu",
			s->actor->name, f->uid, boxes_name(s->account, s->box),
			(unsigned long long)f->modseq, s->told.uidnext,
			(unsigned long long)s->told.modseq);
	sum.messages++;
	sum.bytes += f->body.n;
	message_check_date(n, f->date, s->actor->name);
	model_audit_entry(s->account, s->box, f->uid, n, f->flags);
}

static bool make_boxes(struct user_session *s)
{
	for (unsigned i = 1; i < BOXES && world.boots == 1; i++)
		if (user_command(s, "CREATE %s", box_names[i]) == USER_CUT)
			return false;
	return true;
}

/* By the password that must be right, or one of the two that may be. */
bool audit_come_in(struct user_session *s, struct actor *a)
{
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		struct authority right = authority_right(a->number, attempt);
		if (user_open(s, a, &right)) {
			account_settled(a->number, right.tried);
			return true;
		}
		user_close(s);
	}
	return false;
}

/* RFC 9208 5.1: STORAGE is in units of 1,024 octets. Who has no limit has no quota root. */
static void check_sums(struct user_session *s)
{
	struct quota limit = account_quota(s->account);
	s->has_quota = false;
	memset(s->quota_kib, 0, sizeof(s->quota_kib));
	memset(s->quota_messages, 0, sizeof(s->quota_messages));
	if (user_command(s, "GETQUOTAROOT INBOX") != USER_OK ||
		s->has_quota != (limit.bytes != 0 || limit.messages != 0))
		sim_fail("the quota of %s can't be asked for", account_address(s->account));
	if (s->quota_kib[1] != (limit.bytes + 1023) / 1024 ||
		s->quota_messages[1] != limit.messages ||
		(limit.bytes && s->quota_kib[0] != (sum.bytes + 1023) / 1024) ||
		(limit.messages && s->quota_messages[0] != sum.messages))
		sim_fail("%s holds %llu messages of %llu bytes; %s", account_address(s->account),
			(unsigned long long)sum.messages, (unsigned long long)sum.bytes,
			s->response.p);
}

/* box: BOX_NONE for one that comes and goes. */
static void read_box(struct user_session *s, unsigned box, const char *name)
{
	enum user_result r = box == BOX_NONE ? user_select_named(s, name) : user_select(s, box);
	if (r != USER_OK)
		sim_fail("%s of %s can't be selected", name, account_address(s->account));
	if (s->view.n && user_command(s, "FETCH 1:* (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE "
					 "BODY.PEEK[])") != USER_OK)
		sim_fail("%s of %s can't be read", name, account_address(s->account));
}

static bool is_always_there(const char *name)
{
	for (unsigned box = 0; box < BOXES; box++)
		if (strcmp(name, box_names[box]) == 0)
			return true;
	return false;
}

static void read_others(struct user_session *s)
{
	if (user_list(s, false) != USER_OK)
		sim_fail("the mailboxes of %s can't be listed", account_address(s->account));
	boxes_audit_begin(s->account);
	for (size_t i = 0; i < s->names.n; i++) {
		const char *name = vec_at(&s->names, i);
		if (is_always_there(name))
			continue;
		read_box(s, BOX_NONE, name);
		boxes_audit_entry(s->account, name, s->box);
	}
	boxes_audit_end(s->account);
	if (user_list(s, true) != USER_OK)
		sim_fail("the subscriptions of %s can't be listed", account_address(s->account));
	for (unsigned box = 1; box < BOXES; box++) {
		bool on = false;
		for (size_t i = 0; i < s->names.n; i++)
			on |= strcmp(vec_at(&s->names, i), box_names[box]) == 0;
		boxes_audit_subscription(s->account, box, on);
	}
}

static void audit_account(struct actor *a)
{
	struct user_session s;
	if (!audit_come_in(&s, a) || !make_boxes(&s))
		sim_fail("the audit of %s could not begin", account_address(a->number));
	s.conn.quiet = true;
	s.fetched = on_entry;
	sum = (struct quota){ 0 };
	model_audit_begin(a->number);
	for (unsigned box = 0; box < BOXES; box++)
		read_box(&s, box, box_names[box]);
	read_others(&s);
	model_audit_end(a->number);
	check_sums(&s);
	client_notes_audit(&s);
	user_command(&s, "LOGOUT");
	user_close(&s);
}

static void audit_one(unsigned account, void (*run)(struct actor *))
{
	struct actor *a = actor_new("audit", account, run);
	world_until(a->done, 600000);
	if (!a->done)
		sim_fail("the audit of %s does not end", account_address(account));
}

void audit_each(void (*run)(struct actor *))
{
	for (unsigned i = 0; i < ACCOUNTS; i++)
		audit_one(i, run);
}

void audit_imported(void)
{
	audit_one(IMPORTED, audit_account);
}

void audit(void)
{
	trace("audit", "begins");
	audit_put_in_order();
	audit_each(audit_account);
	check();
	backup_check();
	trace("audit", "all is well: %llu acknowledged, %llu seen",
		(unsigned long long)world.report->acknowledged,
		(unsigned long long)world.report->seen);
}
