// SPDX-License-Identifier: Apache-2.0
/*
 * Mail that the ledger carries, in a whole store with SQLite beneath: what a power cut may leave of
 * segment and ledger is put together from copies of the files. segment_carry_test.c goes through
 * everything that can be left of a segment; here are the rows.
 */
#include "store/store_test.h"

#include <fcntl.h>

#include "base/limits.h"

enum { N = 8 }; /* messages, the first of which is flushed in its segment */

static struct str body_of(int n, char room[12000])
{
	size_t length = (size_t)(1000 + n * 700);
	uint64_t z = (uint64_t)n;
	for (size_t i = 0; i < length; i++) {
		z = z * 6364136223846793005U + 1442695040888963407U;
		room[i] = n % 3 ? (char)(z >> 56) : (char)('a' + (i + (size_t)n) % 26);
	}
	return str_make(room, length);
}

/* ---- files ---- */

static struct buf file_read(struct world *w, const char *name)
{
	struct files_seam *files = w->f.seams.files;
	struct buf b;
	char piece[4096];
	buf_init(&b, 64 << 20);
	int file = files->open(files, name, O_RDONLY, 0);
	ssize_t n;
	while (file >= 0 && (n = files->pread(files, file, piece, sizeof(piece), (off_t)b.n)) > 0)
		buf_add(&b, piece, (size_t)n);
	if (file >= 0)
		files->close(files, file);
	return b;
}

static void file_write(struct world *w, const char *name, const struct buf *b)
{
	struct files_seam *files = w->f.seams.files;
	int file = files->open(files, name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(file >= 0);
	assert_int_equal(files_pwrite_all(files, file, b->p, b->n, 0), 0);
	files->close(files, file);
}

static const char segment[] = "blobs/00000001";

/* ---- a store that was cut ---- */

struct state {
	struct buf ledger, log, segment;
};

static struct state state_now(struct world *w)
{
	return (struct state){ file_read(w, "ledger.db"), file_read(w, "ledger.db-wal"),
		file_read(w, segment) };
}

static void state_done(struct state *s)
{
	buf_done(&s->ledger);
	buf_done(&s->log);
	buf_done(&s->segment);
}

static void stop(struct world *w)
{
	world_peers_done(w);
	store_free(&w->f.store);
}

static void start(struct world *w)
{
	if (!fixture_open(&w->f))
		fail_msg("%s", err_log_text(&w->f.err));
	world_peers(w);
}

static void put_back(
	struct world *w, const struct buf *ledger, const struct buf *log, const struct buf *bodies)
{
	file_write(w, "ledger.db", ledger);
	file_write(w, "ledger.db-wal", log);
	file_write(w, segment, bodies);
}

/* The first n messages are there, whole, and no more; nothing is found to be wrong. */
static void has(struct world *w, uint64_t account, uint32_t n)
{
	char room[12000];
	uint32_t session = open_session(&w->user, account);
	const struct frame *r = ask(
		&w->user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
				  .mailbox_status = { session, STR("INBOX") } });
	assert_frame(r, FRAME_MAILBOXES);
	assert_int_equal(r->mailboxes.mailboxes.items[0].messages, n);
	uint64_t inbox = r->mailboxes.mailboxes.items[0].id;
	for (uint32_t uid = 1; uid <= n; uid++) {
		struct str want = body_of((int)uid, room);
		r = ask(&w->user, (struct frame){ .type = FRAME_MESSAGE_READ,
					  .message_read = { session, inbox, uid, 0, 65536 } });
		assert_frame(r, FRAME_MESSAGE_BYTES);
		assert_str(str_from_offset(r->message_bytes.data, r->message_bytes.data.n - want.n),
			want);
		forget_replies(&w->user);
	}
	r = ask(&w->admin, (struct frame){ .type = FRAME_STORE_CHECK });
	assert_frame(r, FRAME_CHECK_DONE);
	assert_int_equal(r->check_done.findings, 0);
}

static uint64_t filled(struct world *w, struct state states[N + 1])
{
	char room[12000];
	world_init(w);
	uint64_t alice = account_of(&w->mx, "alice@example.test");
	states[0] = state_now(w);
	for (int n = 1; n <= N; n++) {
		assert_int_equal(deliver_one(&w->mx, alice, body_of(n, room)), n);
		states[n] = state_now(w);
	}
	return alice;
}

static void done(struct world *w, struct state states[N + 1])
{
	for (int n = 0; n <= N; n++)
		state_done(&states[n]);
	world_done(w);
}

/* Every pair of what was on disk: rows of the first r messages, the segment of the first b. Rows
 * without their bodies are the carried ones; bodies without rows are orphans, and the UIDs that
 * nobody heard of are given to others. */
static void rows_and_bodies(void **state)
{
	struct world w;
	struct state states[N + 1];
	char room[12000];
	(void)state;
	uint64_t alice = filled(&w, states);
	for (uint32_t r = 1; r <= N; r++) {
		for (uint32_t b = 1; b <= N; b++) {
			stop(&w);
			put_back(&w, &states[r].ledger, &states[r].log, &states[b].segment);
			start(&w);
			has(&w, alice, r);
			assert_int_equal(
				deliver_one(&w.mx, alice, body_of((int)r + 1, room)), r + 1);
			has(&w, alice, r + 1);
			world_restart(&w);
			has(&w, alice, r + 1);
		}
	}
	done(&w, states);
}

/* Of the blocks that were not flushed some are there, some not, by 512 bytes and by 4 KiB. */
static void torn_bodies(void **state)
{
	struct world w;
	struct state states[N + 1];
	(void)state;
	uint64_t alice = filled(&w, states);
	const struct buf *flushed = &states[1].segment, *written = &states[N].segment;
	for (unsigned turn = 0; turn < 24; turn++) {
		size_t unit = turn % 2 ? 512 : 4096;
		struct buf torn = file_read(&w, segment);
		for (size_t at = 0; at < torn.n; at += unit) {
			uint8_t kept;
			w.f.random.seam.fill(&w.f.random.seam, &kept, 1);
			kept &= 1;
			size_t n = torn.n - at < unit ? torn.n - at : unit;
			for (size_t i = at; i < at + n; i++)
				torn.p[i] = kept ? (i < written->n ? written->p[i] : 0)
						 : (i < flushed->n ? flushed->p[i] : 0);
		}
		stop(&w);
		put_back(&w, &states[N].ledger, &states[N].log, &torn);
		buf_done(&torn);
		/* Nothing may be written: readers see it whole all the same. */
		w.f.settings.read_only = true;
		start(&w);
		has(&w, alice, N);
		stop(&w);
		w.f.settings.read_only = false;
		start(&w);
		has(&w, alice, N);
	}
	done(&w, states);
}

/* Rows that are refused: their record is carried all the same, and is nobody's. */
static void refused_rows(void **state)
{
	struct world w;
	struct state states[N + 1];
	char room[12000];
	(void)state;
	uint64_t alice = filled(&w, states);
	/* To nobody: the record is written, its rows are refused, and so it is carried alone. */
	uint64_t nobody = 4711;
	assert_failed(deliver(&w.mx, body_of(1, room), &nobody, 1, STR("")), ERR_NOT_FOUND);
	assert_int_equal(deliver_one(&w.mx, alice, body_of(N + 1, room)), N + 1);
	struct state end = state_now(&w);
	stop(&w);
	put_back(&w, &end.ledger, &end.log, &states[1].segment);
	state_done(&end);
	start(&w);
	has(&w, alice, N + 1);
	done(&w, states);
}

/* A large message, a batch of many, and small ones between them. */
static void large_and_small(void **state)
{
	enum { LARGE = 3 << 20 };
	struct world w;
	struct state states[N + 1];
	char room[12000];
	(void)state;
	uint64_t alice = filled(&w, states);
	char *large = xcalloc(1, LARGE);
	for (size_t i = 0; i < LARGE; i += 4)
		memcpy(large + i, &i, 4);
	assert_int_equal(deliver_one(&w.mx, alice, str_make(large, LARGE)), N + 1);
	/* It is flushed, and the file made longer behind it. */
	assert_int_equal(deliver_one(&w.mx, alice, body_of(1, room)), N + 2);
	struct state flushed = state_now(&w);
	assert_int_equal(deliver_one(&w.mx, alice, body_of(2, room)), N + 3);
	struct state end = state_now(&w);
	stop(&w);
	/* What was flushed is there; what came after it is in the ledger. */
	put_back(&w, &end.ledger, &end.log, &flushed.segment);
	start(&w);
	const struct frame *r = ask(&w.admin, (struct frame){ .type = FRAME_STORE_CHECK });
	assert_frame(r, FRAME_CHECK_DONE);
	assert_int_equal(r->check_done.findings, 0);
	assert_int_equal(deliver_one(&w.mx, alice, body_of(1, room)), N + 4);
	state_done(&flushed);
	state_done(&end);
	free(large);
	done(&w, states);
}

TEST_MAIN(test_case(rows_and_bodies), test_case(torn_bodies), test_case(refused_rows),
	test_case(large_and_small))
