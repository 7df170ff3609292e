/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with views that are kept, for tests of them: how many steps its readers took, what a view
 * is as text, and whether what is kept is what the ledger says.
 *
 * used by: bases_test.c (what is kept), bases_ahead_test.c (what is read and not yet published)
 */
#ifndef CULVER_STORE_BASES_SCENE_H
#define CULVER_STORE_BASES_SCENE_H

#include "store/store_private.h"
#include "store/store_test.h"

#include <stdlib.h>

struct scene {
	struct world w;
	struct store_bounds bounds;
	uint64_t alice, inbox, sent;
	uint32_t session;
};

static bool (*reader_steps)(void *arg);
static unsigned steps;

static inline bool count_step(void *arg)
{
	bool something = reader_steps(arg);
	steps += something;
	return something;
}

static inline void init(struct scene *s)
{
	world_init(&s->w);
	s->bounds = store_bounds_normal;
	s->w.f.settings.bounds = &s->bounds;
	world_restart(&s->w);
	s->alice = account_of(&s->w.mx, "alice@example.test");
	s->session = open_session(&s->w.user, s->alice);
	s->inbox = mailbox_of(&s->w.user, s->session, "INBOX");
	s->sent = mailbox_of(&s->w.user, s->session, "Sent");
	struct worker *reader = s->w.f.executor.workers->next; /* the writer comes first */
	reader_steps = reader->spec.step;
	reader->spec.step = count_step;
}

static inline struct frame view_open(const struct scene *s, uint64_t mailbox)
{
	return (struct frame){ .type = FRAME_VIEW_OPEN,
		.view_open = { .session = s->session, .mailbox = mailbox, .unseen = true } };
}

/* All that a view says, as text. */
static inline char *view_text(struct scene *s, uint64_t mailbox)
{
	struct buf b;
	const struct frame *f;
	buf_init(&b, 1 << 25);
	forget_replies(&s->w.user);
	ask(&s->w.user, view_open(s, mailbox));
	for (size_t i = 0; (f = reply_at(&s->w.user, s->w.user.last_request, i)) != NULL; i++)
		frame_print(f, &b);
	char *text = str_dup(buf_str(&b));
	buf_done(&b);
	return text;
}

/* What is kept of both mailboxes, and not read, is what is in the ledger. */
static inline void assert_current(struct scene *s, const char *what)
{
	const uint64_t boxes[] = { s->inbox, s->sent };
	for (size_t i = 0; i < ARRAY_LEN(boxes); i++) {
		steps = 0;
		char *kept = view_text(s, boxes[i]);
		if (steps > 0)
			fail_msg("after %s: was read", what);
		bases_drop(s->w.f.store);
		char *read = view_text(s, boxes[i]);
		assert_true(steps > 0);
		if (strcmp(kept, read) != 0)
			fail_msg("after %s: kept\n%s\nread\n%s", what, kept, read);
		free(kept);
		free(read);
		free(view_text(s, s->inbox)); /* both are kept again */
		free(view_text(s, s->sent));
	}
}

static inline void flag(struct scene *s, uint32_t low, uint32_t high, uint8_t mode, uint8_t flags,
	const char *keyword)
{
	struct str name = str_from(keyword);
	ask_about(&s->w.user, low, high,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = s->session,
				.mailbox = s->inbox,
				.mode = mode,
				.flags = flags,
				.keywords = { &name, name.n > 0 },
				.unchanged_since = UINT64_MAX } });
}

static inline void copy(
	struct scene *s, uint64_t from, uint64_t to, uint32_t low, uint32_t high, bool move)
{
	ask_about(&s->w.user, low, high,
		(struct frame){ .type = FRAME_COPY, .copy = { s->session, from, to, move } });
}

/* The readers' part of all that was asked is done; what it brought waits. */
static inline void readers_alone(struct scene *s)
{
	for (struct worker *w = s->w.f.executor.workers->next; w; w = w->next)
		while (w->spec.step != NULL && w->awake)
			w->awake = w->spec.step(w->spec.arg);
}

static inline bool is_kept(const struct scene *s, uint64_t mailbox)
{
	const struct mailbox_log *log = map_get_u64(&s->w.f.store->logs, mailbox);
	return log && log->base;
}

#endif
