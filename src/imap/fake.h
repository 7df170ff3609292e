/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests alone: what the host in memory is made of, and its mailboxes. See fake_host.h.
 */
#ifndef CULVER_IMAP_FAKE_H
#define CULVER_IMAP_FAKE_H

#include "api/schemes.h"
#include "base/limits.h"
#include "base/vec.h"
#include "imap/imap.h"
#include "mail/signature.h"

#include <stdio.h>
#include <stdlib.h>

#define FAKE_CLIENTS   3
#define FAKE_MAILBOXES 64
#define FAKE_TICKET    "a ticket"

struct fake_entry {
	struct api_entry e;
	struct buf bytes, digest, signature;
	bool gone;
};

struct fake_box {
	struct api_mailbox m;
	char name[1025];
	struct vec entries; /* struct fake_entry */
	char keywords[128][65];
	size_t n_keywords;
	uint32_t recent; /* the first UID that no session was told of */
};

struct fake_message { /* of an upload that has more */
	struct buf body, digest;
	struct frame_upload_into into;
	char name[1025];
	char keywords[128][65];
};

struct fake_question { /* a question that more frames belong to */
	uint32_t request;
	struct session *from;
	struct vec uids; /* struct api_range */
	struct fake_message message;
	struct vec before; /* struct fake_message, in the same upload */
	struct frame_upload_replace replace;
};

struct fake_answer {
	uint32_t request; /* 0: a notice */
	struct session *to;
	struct buf frame;
};

struct fake_client {
	struct session *session;
	struct session_peer_info peer;
	struct buf received; /* what the client got and nobody looked at yet */
	struct buf unread;   /* sent, not taken by the session yet */
	uint64_t watched;    /* mailbox */
	bool account;        /* account_watch is on, and nothing was said since */
	bool closed;
};

struct fake_annotation {
	uint64_t mailbox;
	char name[256], value[LIMIT_ANNOTATION_BYTES];
	size_t n;
	bool gone;
};

struct fake {
	struct session_host host; /* first */
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct front_settings settings;
	struct log log;
	struct fake_client clients[FAKE_CLIENTS];
	size_t n_boxes;
	uint64_t modseq, next_id;
	uint32_t next_request, next_session;
	struct vec answers;   /* struct fake_answer, first come first */
	struct vec questions; /* struct fake_question */
	struct frame_quota_is quota;
	struct fake_annotation annotations[16];
	size_t n_annotations;
	int more_boxes;   /* mailbox_list has so many others */
	const char *more; /* what their names begin with; NULL: "more-" */
	uint32_t horizon; /* view_changes reaches back to this modseq */
	bool stingy, away;
	uint32_t damaged;      /* a UID whose bytes can't be read */
	uint64_t damaged_from; /* from here on */
	bool no_digests;       /* digest_read finds none */
	unsigned digests;      /* that were asked for */
	bool no_reads;         /* message_read fails for the moment */
	bool no_news;          /* view_changes fails: the store went behind a change */
	bool no_views;         /* view_open fails in the place of its last frame: the store went */
	bool bad_views;        /* view_open's entries break the order of their UIDs */
	bool no_uidnext;       /* view_changed says none */
	bool one_too_many;     /* digest_read's last answer is for nobody */
	bool recents;          /* messages that no session was told of are \Recent */
	bool exact;            /* a change that changes nothing takes no modseq */
	bool races;            /* a copy's target, or its first message, goes just before it */
	unsigned refused;
	unsigned puts;         /* digest_put frames */
	unsigned yields;       /* turns that ended with work left */
	unsigned signs, reads; /* signature_put frames, questions for bytes */
	size_t most_waiting;   /* answers on their way at once, behind such a question */
	/* Last, and only the first n_boxes are anything: zeroing all is slow where that is done for
	 * each input of a fuzz target. */
	struct fake_box boxes[FAKE_MAILBOXES];
};

static inline struct fake *fake_of(struct session_host *h)
{
	return (struct fake *)(void *)h;
}

/* ---- answers ---- */

static void fake_say(
	struct fake *f, struct session *to, uint32_t request, const struct frame *frame)
{
	struct fake_answer *a = vec_push(&f->answers, NULL);

	a->to = to;
	a->request = request;
	buf_init(&a->frame, LIMIT_FRAME_BYTES + 64);
	if (!frame_encode(frame, request, &a->frame))
		abort();
}

static void fake_fail(struct fake *f, struct session *to, uint32_t request, enum err_kind kind)
{
	fake_say(f, to, request,
		&(struct frame){ .type = FRAME_FAILED,
			.failed = { (uint8_t)kind, str_from(err_sentence(kind)) } });
}

static void fake_ok(struct fake *f, struct session *to, uint32_t request)
{
	fake_say(f, to, request, &(struct frame){ .type = FRAME_DONE });
}

/* ---- mailboxes ---- */

static struct fake_box *fake_box_by_name(struct fake *f, struct str name)
{
	for (size_t i = 0; i < f->n_boxes; i++)
		if (str_equal(str_from(f->boxes[i].name), name))
			return &f->boxes[i];
	return NULL;
}

static struct fake_box *fake_box_by_id(struct fake *f, uint64_t id)
{
	for (size_t i = 0; i < f->n_boxes; i++)
		if (f->boxes[i].m.id == id && f->boxes[i].m.exists)
			return &f->boxes[i];
	return NULL;
}

static struct fake_entry *fake_entry(struct fake_box *b, size_t i)
{
	return (struct fake_entry *)(void *)vec_at(&b->entries, i);
}

static struct fake_box *fake_make_box(struct fake *f, struct str name, uint16_t use)
{
	struct fake_box *b;

	if (f->n_boxes == FAKE_MAILBOXES)
		return NULL;
	b = &f->boxes[f->n_boxes++];
	*b = (struct fake_box){ .m = { .id = ++f->next_id, .exists = true, .special_use = use } };
	b->m.uidvalidity = 1000 + (uint32_t)f->next_id;
	b->m.uidnext = b->recent = 1;
	snprintf(b->name, sizeof b->name, "%.*s", (int)name.n, name.p);
	vec_init(&b->entries, sizeof(struct fake_entry), 100000);
	return b;
}

static struct api_mailbox fake_mailbox(struct fake *f, struct fake_box *b)
{
	struct api_mailbox m = b->m;

	m.name = str_from(b->name);
	m.highest_modseq = f->modseq;
	for (size_t i = 0; i < b->entries.n; i++) {
		const struct fake_entry *e = fake_entry(b, i);

		if (e->gone)
			continue;
		m.messages++;
		m.unseen += (e->e.flags & FLAG_SEEN) == 0;
		m.deleted += (e->e.flags & FLAG_DELETED) != 0;
		m.size += e->e.size;
	}
	return m;
}

/* annotated: what, or NULL */
static void fake_account(struct fake *f, const struct api_annotated *annotated)
{
	for (int c = 0; c < FAKE_CLIENTS; c++) {
		struct session *s = f->clients[c].session;
		struct frame changed = { .type = FRAME_ACCOUNT_CHANGED };

		if (s == NULL || !f->clients[c].account)
			continue;
		f->clients[c].account = false;
		changed.account_changed.session = s->store_session;
		changed.account_changed.annotations.items = annotated;
		changed.account_changed.annotations.n = annotated != NULL;
		fake_say(f, s, 0, &changed);
	}
}

static void fake_notify(struct fake *f, struct fake_box *b, bool gone)
{
	fake_account(f, NULL);
	for (int c = 0; c < FAKE_CLIENTS; c++)
		if (f->clients[c].session != NULL && f->clients[c].watched == b->m.id)
			fake_say(f, f->clients[c].session, 0,
				&(struct frame){ .type = FRAME_MAILBOX_CHANGED,
					.mailbox_changed = { f->clients[c].session->store_session,
						b->m.id, f->modseq, gone } });
}

/* ---- entries ---- */

static void fake_keyword(struct fake_box *b, struct str name, uint64_t *low, uint64_t *high)
{
	size_t i = 0;

	while (i < b->n_keywords && !str_equal_nocase(str_from(b->keywords[i]), name))
		i++;
	if (i == 128)
		return;
	if (i == b->n_keywords)
		snprintf(b->keywords[b->n_keywords++], 65, "%.*s", (int)name.n, name.p);
	if (i < 64)
		*low |= 1ULL << i;
	else
		*high |= 1ULL << (i - 64);
}

static struct fake_entry *fake_add(struct fake *f, struct fake_box *b, struct str bytes)
{
	struct fake_entry *e = vec_push(&b->entries, NULL);

	e->e.uid = b->m.uidnext++;
	e->e.modseq = ++f->modseq;
	e->e.size = bytes.n;
	e->e.time = f->clock.wall_ms;
	e->e.saved_s = (uint32_t)(f->clock.wall_ms / 1000);
	e->e.entry_id = b->m.id << 32 | e->e.uid;
	buf_init(&e->bytes, 256 * 1024 * 1024);
	buf_init(&e->digest, LIMIT_DIGEST_BYTES);
	buf_init(&e->signature, SIGNATURE_BYTES_MOST);
	buf_adds(&e->bytes, bytes);
	return e;
}

/* A message that somebody else delivers. */
static inline void fake_deliver(struct fake *f, const char *box, struct str bytes)
{
	struct fake_box *b = fake_box_by_name(f, str_from(box));

	fake_add(f, b, bytes);
	fake_notify(f, b, false);
}

static bool fake_in(const struct vec *uids, uint32_t uid)
{
	for (size_t i = 0; i < uids->n; i++) {
		const struct api_range *r = (const void *)vec_at(uids, i);

		if (uid >= r->low && uid <= r->high)
			return true;
	}
	return false;
}

static void fake_expunge(struct fake *f, struct fake_box *b, struct fake_entry *e)
{
	(void)b;
	e->gone = true;
	e->e.modseq = ++f->modseq;
	buf_release(&e->bytes);
}

#endif
