// SPDX-License-Identifier: Apache-2.0
/* Quotas (RFC 9208): GETQUOTA, GETQUOTAROOT, SETQUOTA. An account has one quota root, "", for all
 * of its mailboxes. Its limits are the administrator's to set, and no account is one: SETQUOTA is
 * understood and refused with what is in force, as the system's limit of RFC 9208 4.1.3. */
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/token.h"

#include <inttypes.h>

/* STORAGE is in units of 1024 octets (RFC 9208 5.1). */
static uint64_t kib(uint64_t bytes)
{
	return bytes / 1024 + (bytes % 1024 != 0);
}

struct quota_work {
	struct str mailbox; /* of GETQUOTAROOT */
	bool has_mailbox;
};

static void say_roots(struct imap *s, const struct quota_work *w, bool limited)
{
	buf_addz(imap_out(s), "* QUOTAROOT ");
	mailbox_name_write(imap_out(s), w->mailbox, imap_utf8(s));
	buf_addz(imap_out(s), limited ? " \"\"\r\n" : "\r\n");
}

static bool is_limited(const struct frame_quota_is *q)
{
	return q->quota_bytes != 0 || q->quota_messages != 0;
}

/* What has no limit is not named. */
static void say_quota(struct imap *s, const struct frame_quota_is *q)
{
	imap_writef(s, "* QUOTA \"\" (");
	if (q->quota_bytes != 0)
		imap_writef(
			s, "STORAGE %" PRIu64 " %" PRIu64, kib(q->used_bytes), kib(q->quota_bytes));
	if (q->quota_messages != 0)
		imap_writef(s, "%sMESSAGE %" PRIu64 " %" PRIu64, q->quota_bytes != 0 ? " " : "",
			q->used_messages, q->quota_messages);
	imap_writef(s, ")\r\n");
}

/* quota-response = "QUOTA" SP quota-root-name SP quota-list. A list has one resource at least (RFC
 * 9208 7), though the text would let it be empty (4.2.1): so an account without limits has no quota
 * root (3.2). */
static void quota_is(struct imap *s, const struct frame *answer)
{
	const struct frame_quota_is *q = &answer->quota_is;
	const struct quota_work *w = s->cmd.work;
	bool limited;

	if (!imap_expect(s, answer, FRAME_QUOTA_IS))
		return;
	limited = is_limited(q);
	if (w->has_mailbox)
		say_roots(s, w, limited);
	if (!limited) {
		if (w->has_mailbox)
			reply_ok(s, NULL, "GETQUOTAROOT completed, there are no limits");
		else
			reply_no(
				s, "NONEXISTENT", "There are no limits, so there is no quota root");
		imap_finish(s);
		return;
	}
	say_quota(s, q);
	reply_ok(s, NULL, "%.*s completed", (int)s->cmd.verb->name.n, s->cmd.verb->name.p);
	imap_finish(s);
}

static void ask_quota(struct imap *s, imap_answer *answer)
{
	imap_ask(s, ASK_STORE,
		&(struct frame){
			.type = FRAME_QUOTA_GET, .quota_get = { s->session.store_session } },
		answer);
}

static bool root_is_ours(struct imap *s, struct str root)
{
	if (root.n == 0)
		return true;
	reply_no(s, "NONEXISTENT", "No such quota root");
	imap_finish(s);
	return false;
}

/* getquota = "GETQUOTA" SP quota-root-name                     RFC 9208 7 */
void imap_getquota(struct imap *s)
{
	struct str root;

	imap_work(s, sizeof(struct quota_work), NULL);

	if (!scan_sp(&s->cmd.args) || !token_astring(&s->cmd.args, &s->arena, &root)) {
		imap_bad_args(s);
		return;
	}
	if (imap_args_end(s) && root_is_ours(s, root))
		ask_quota(s, quota_is);
}

/* getquotaroot = "GETQUOTAROOT" SP mailbox. It need not exist (RFC 9208 4.1.2). */
void imap_getquotaroot(struct imap *s)
{
	struct quota_work *w = imap_work(s, sizeof *w, NULL);

	w->has_mailbox = true;
	if (imap_arg_mailbox(s, &w->mailbox) && imap_args_end(s))
		ask_quota(s, quota_is);
}

/* setquota-list = "(" [setquota-resource *(SP setquota-resource)] ")"
 * setquota-resource = resource-name SP resource-limit          RFC 9208 7 */
static bool setquota_list(struct scan *a)
{
	struct str name;
	uint64_t limit;

	if (!scan_char(a, '('))
		return false;
	if (scan_char(a, ')'))
		return true;
	do {
		if (!token_atom(a, &name) || !scan_sp(a) || !token_number64(a, &limit))
			return false;
	} while (scan_sp(a));
	return scan_char(a, ')');
}

static void set_refused(struct imap *s, const struct frame *answer)
{
	if (!imap_expect(s, answer, FRAME_QUOTA_IS))
		return;
	if (is_limited(&answer->quota_is))
		say_quota(s, &answer->quota_is);
	reply_no(s, "NOPERM", "Quotas are the administrator's to set");
	imap_finish(s);
}

/* setquota = "SETQUOTA" SP quota-root-name SP setquota-list   RFC 9208 7 */
void imap_setquota(struct imap *s)
{
	struct str root;

	if (!scan_sp(&s->cmd.args) || !token_astring(&s->cmd.args, &s->arena, &root) ||
		!scan_sp(&s->cmd.args) || !setquota_list(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (imap_args_end(s) && root_is_ours(s, root))
		ask_quota(s, set_refused);
}
