// SPDX-License-Identifier: Apache-2.0
/* STATUS (RFC 9051 6.3.11; SIZE: RFC 8438; HIGHESTMODSEQ: RFC 7162 3.1.7;
 * MAILBOXID: RFC 8474 4.3; DELETED-STORAGE: RFC 9208 4.1.4; APPENDLIMIT: RFC 7889 3.1), and its
 * response for LIST-STATUS (RFC 5819). The numbers are the store's of this moment, even for the
 * selected mailbox. */
#include "imap/grammar.h"
#include "imap/imap_private.h"
#include "imap/mailbox_name.h"
#include "imap/token.h"

#include <inttypes.h>

struct status_work {
	struct str name;
	unsigned atts;
};

static uint64_t att_value(const struct imap *s, const struct api_mailbox *m, unsigned att)
{
	switch (att) {
	case STATUS_MESSAGES:
		return m->messages;
	case STATUS_UIDNEXT:
		return m->uidnext;
	case STATUS_UIDVALIDITY:
		return m->uidvalidity;
	case STATUS_UNSEEN:
		return m->unseen;
	case STATUS_DELETED:
		return m->deleted;
	case STATUS_SIZE:
		return m->size;
	case STATUS_HIGHESTMODSEQ:
		return m->highest_modseq;
	case STATUS_DELETED_STORAGE:
		return m->deleted_size;
	case STATUS_APPENDLIMIT:
		return imap_append_limit(s);
	default:
		return 0;
	}
}

/* "STATUS" SP mailbox SP "(" [status-att-list] ")"             RFC 9051 9 */
void status_add(const struct imap *s, struct buf *out, const struct api_mailbox *m, unsigned atts,
	uint32_t recent)
{
	const char *gap = "";

	buf_addz(out, "* STATUS ");
	mailbox_name_write(out, m->name, imap_utf8(s));
	buf_addz(out, " (");
	for (unsigned bit = 1; bit <= STATUS_LAST; bit <<= 1) {
		if ((atts & bit) == 0)
			continue;
		buf_addf(out, "%s%s ", gap, grammar_status_att_name(bit));
		if (bit == STATUS_MAILBOXID) {
			buf_addc(out, '(');
			grammar_add_mailbox_id(out, m->id);
			buf_addc(out, ')');
		} else {
			buf_addf(out, "%" PRIu64,
				bit == STATUS_RECENT ? recent : att_value(s, m, bit));
		}
		gap = " ";
	}
	buf_addz(out, ")\r\n");
}

/* To who knows rev2 it is 0: RFC 9051 has no \Recent. */
bool status_wants_recent(const struct imap *s, unsigned atts)
{
	return !s->rev2 && (atts & STATUS_RECENT) != 0;
}

static void status_is(struct imap *s, const struct frame *answer)
{
	const struct status_work *w = s->cmd.work;
	const struct api_mailbox_list *list = &answer->mailboxes.mailboxes;
	uint32_t recent;

	if (!imap_expect(s, answer, FRAME_MAILBOXES))
		return;
	if (list->n != 1 || !list->items[0].exists) {
		reply_no(s, "NONEXISTENT", "No such mailbox");
	} else {
		recent = answer->mailboxes.recents.n ? answer->mailboxes.recents.items[0] : 0;
		status_add(s, imap_out(s), &list->items[0], w->atts, recent);
		reply_ok(s, NULL, "STATUS completed");
	}
	imap_finish(s);
}

void imap_status(struct imap *s)
{
	struct status_work *w = imap_work(s, sizeof *w, NULL);

	if (!imap_arg_mailbox(s, &w->name))
		return;
	if (!scan_sp(&s->cmd.args) || !grammar_status_atts(&s->cmd.args, &w->atts) ||
		!scan_end(&s->cmd.args)) {
		imap_bad_args(s);
		return;
	}
	if (w->atts & STATUS_HIGHESTMODSEQ)
		imap_enable_condstore(s);
	imap_ask(s, ASK_STORE,
		&(struct frame){ .type = FRAME_MAILBOX_STATUS,
			.mailbox_status = { s->session.store_session, w->name,
				status_wants_recent(s, w->atts) } },
		status_is);
}
