/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of upkeep: its passes, what is in the files, and a store with messages to be forgotten.
 *
 * used by: store_reclaim_test.c, store_reclaim_beside_test.c
 */
#ifndef CULVER_STORE_RECLAIM_SCENE_H
#define CULVER_STORE_RECLAIM_SCENE_H

#include "store/store_private.h"
#include "store/store_test.h"
#include "base/time.h"

static inline void pass_time(struct world *w, int64_t ms)
{
	w->f.clock.wall_ms += ms;
	w->f.clock.monotonic_ms += ms;
}

/* One pass of upkeep, however long it takes. Returns how long it took. */
static inline int64_t one_pass(struct world *w)
{
	int64_t begin = w->f.clock.monotonic_ms;
	do {
		int64_t again = store_upkeep(w->f.store);
		executor_fake_run(&w->f.executor);
		if (w->f.store->reclaim.step == RECLAIM_REST)
			break;
		pass_time(w, again);
	} while (true);
	return w->f.clock.monotonic_ms - begin;
}

static inline int64_t upkeep_after(struct world *w, int64_t ms)
{
	pass_time(w, ms);
	return one_pass(w);
}

static inline struct frame_reclaimed reclaim_now(struct world *w, bool deleted)
{
	const struct frame *r = ask(&w->admin,
		(struct frame){ .type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = deleted });
	assert_frame(r, FRAME_RECLAIMED);
	return r->reclaimed;
}

struct search {
	struct files_seam *files;
	const char *directory;
	struct str needle;
	bool found;
	int n;
};

static inline int search_file(void *arg, const char *name)
{
	struct search *s = arg;
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	s->n++;
	if (strcmp(name, "blobs") == 0)
		return 0;
	int file = s->files->open(s->files, path, 0, 0);
	assert_true(file >= 0);
	size_t n = (size_t)s->files->size(s->files, file);
	char *p = xmalloc(n + 1);
	assert_int_equal(files_pread_all(s->files, file, p, n, 0), 0);
	s->found |= memmem(p, n, s->needle.p, s->needle.n) != NULL;
	free(p);
	s->files->close(s->files, file);
	return 0;
}

static inline bool found_in(struct world *w, const char *directory, const char *needle)
{
	struct search s = {
		.files = w->f.seams.files, .directory = directory, .needle = str_from(needle)
	};
	assert_int_equal(s.files->list(s.files, directory, search_file, &s), 0);
	return s.found;
}

/* Whether the bytes are in any segment; or in another file: the ledger, its log. */
static inline bool on_disk(struct world *w, const char *needle)
{
	return found_in(w, "blobs", needle) || found_in(w, ".", needle);
}

static inline int files(struct world *w)
{
	struct search s = {
		.files = w->f.seams.files, .directory = "blobs", .needle = STR("none")
	};
	assert_int_equal(s.files->list(s.files, "blobs", search_file, &s), 0);
	return s.n;
}

static inline void check(struct world *w, uint64_t findings)
{
	const struct frame *r = ask(&w->admin, (struct frame){ .type = FRAME_STORE_CHECK });
	if (r->type == FRAME_CHECK_FINDING && findings == 0)
		fail_msg("%.*s", (int)r->check_finding.text.n, r->check_finding.text.p);
	if (r->type == FRAME_CHECK_DONE)
		assert_int_equal(r->check_done.findings, findings);
}

static inline void expunge(
	struct world *w, uint32_t session, uint64_t box, uint32_t low, uint32_t high)
{
	assert_frame(ask_about(&w->user, low, high,
			     (struct frame){ .type = FRAME_EXPUNGE, .expunge = { session, box } }),
		FRAME_CHANGED);
}

/* Message n: its bytes can't be compressed away and say which it is. */
static inline struct str body_of(uint32_t n, size_t size, char *room)
{
	int head = snprintf(room, size, "Subject: number-%u.\r\n\r\n", n);
	uint64_t z = n;
	for (size_t i = (size_t)head; i < size; i++) {
		z = z * 6364136223846793005U + 1442695040888963407U;
		room[i] = (char)(z >> 56 | 1);
	}
	return str_make(room, size);
}

enum { BODY = 20000 };

static inline void assert_body(
	struct world *w, uint32_t session, uint64_t box, uint32_t uid, uint32_t n)
{
	char room[BODY];
	const struct frame *r = ask(
		&w->user, (struct frame){ .type = FRAME_MESSAGE_READ,
				  .message_read = { session, box, uid,
					  strlen("Return-Path: <>\r\n"), BODY } });
	assert_frame(r, FRAME_MESSAGE_BYTES);
	assert_str(r->message_bytes.data, body_of(n, BODY, room));
}

/* Small segments, a keep time of a day, n messages for alice. */
struct tidy {
	struct world w;
	uint64_t alice, inbox;
	uint32_t session;
};

static inline void again(struct tidy *t)
{
	t->alice = account_of(&t->w.mx, "alice@example.test");
	t->session = open_session(&t->w.user, t->alice);
	t->inbox = mailbox_of(&t->w.user, t->session, "INBOX");
}

static inline void tidy_init(struct tidy *t, uint32_t n)
{
	char room[BODY];
	fixture_init(&t->w.f);
	t->w.f.settings.segment_bytes = 200000;
	t->w.f.settings.keep_deleted_ms = TIME_DAY_MS;
	assert_true(fixture_open(&t->w.f));
	world_peers(&t->w);
	ask(&t->w.admin,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example.test") });
	add_account(&t->w, "alice@example.test");
	again(t);
	for (uint32_t i = 1; i <= n; i++)
		assert_int_equal(deliver_one(&t->w.mx, t->alice, body_of(i, BODY, room)), i);
}

static inline void assert_alive(struct tidy *t, uint32_t from, uint32_t to, uint32_t step)
{
	for (uint32_t i = from; i <= to; i += step)
		assert_body(&t->w, t->session, t->inbox, i, i);
}

#endif
