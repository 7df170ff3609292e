// SPDX-License-Identifier: Apache-2.0
/* Spools: limits, memory, and files that fail. */
#include "store/segment_test.h"

#include "store/sha256.h"

/* Body limits at N-1, N, N+1, in one piece and byte by byte. */
static void refuses_more_than_its_maximum(void **state)
{
	(void)state;
	struct files_sim *sim = files_sim_new(1);
	struct spooler *spooler = spooler_new(&sim->seam);
	static const char bytes[] = "0123456789";
	for (size_t n = 9; n <= 11; n++)
		for (size_t piece = 1; piece <= n; piece++) {
			struct spool *spool = spool_new(spooler, 10);
			struct err err = ERR_INIT;
			int result = 0;
			for (size_t at = 0; at < n && result == 0; at += piece)
				result = spool_add(spool,
					str_make(bytes, at + piece < n ? piece : n - at), &err);
			assert_int_equal(result, n <= 10 ? 0 : -1);
			assert_int_equal(err.kind, n <= 10 ? ERR_NONE : ERR_TOO_BIG);
			assert_int_equal(spool_finish(spool, &err), result);
			spool_free(&spool);
		}
	spooler_free(&spooler);
	files_sim_free(&sim);
}

static void hashes_what_came(void **state)
{
	(void)state;
	struct files_sim *sim = files_sim_new(1);
	struct spooler *spooler = spooler_new(&sim->seam);
	struct spool *spool = spool_new(spooler, 100);
	struct err err = ERR_INIT;
	/* FIPS 180-2 appendix B.1. */
	static const uint8_t abc[4] = { 0xba, 0x78, 0x16, 0xbf };
	assert_int_equal(spool_add(spool, STR("a"), &err), 0);
	assert_int_equal(spool_add(spool, STR("bc"), &err), 0);
	assert_int_equal(spool_finish(spool, &err), 0);
	assert_int_equal(spool_length(spool), 3);
	assert_memory_equal(spool_sha256(spool), abc, sizeof(abc));
	spool_free(&spool);
	spooler_free(&spooler);
	files_sim_free(&sim);
}

/* In memory up to LIMIT_SPOOL_MEMORY_BYTES, in a file from the next byte on. */
static void goes_to_a_file_above_its_memory(void **state)
{
	(void)state;
	struct files_sim *sim = files_sim_new(1);
	sim->seam.mkdir(&sim->seam, "blobs", 0700);
	struct spooler *spooler = spooler_new(&sim->seam);
	for (int more = -1; more <= 1; more++) {
		struct message m = { 1, (size_t)(LIMIT_SPOOL_MEMORY_BYTES + more) };
		struct spool *spool = message_spool(spooler, &m);
		assert_non_null(spool);
		assert_int_equal(files_sim_open_files(sim), more > 0);
		spool_free(&spool);
		assert_int_equal(files_sim_open_files(sim), 0);
	}
	spooler_free(&spooler);
	files_sim_free(&sim);
}

/* 50 MiB with bounded memory, and all of it there again. */
static void streams_50_mib(void **state)
{
	(void)state;
	struct files_sim *sim = files_sim_new(1);
	sim->seam.mkdir(&sim->seam, "blobs", 0700);
	struct spooler *spooler = spooler_new(&sim->seam);
	struct spool *spool = spool_new(spooler, 50 * 1024 * 1024);
	struct err err = ERR_INIT;
	struct message m = { 1, 1 << 20 };
	char *mib = xmalloc(1 << 20), *got = xmalloc(1 << 20);
	message_bytes(&m, 0, 1 << 20, mib);
	size_t most = 0;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(spool_add(spool, str_make(mib, 1 << 20), &err), 0);
		most = spool_memory(spool) > most ? spool_memory(spool) : most;
	}
	assert_int_equal(spool_add(spool, STR("x"), &err), -1);
	assert_true(most < LIMIT_SPOOL_MEMORY_BYTES + LIMIT_CHUNK_BYTES + 65536);
	spool_free(&spool);
	spool = spool_new(spooler, 50 * 1024 * 1024);
	for (int i = 0; i < 50; i++)
		assert_int_equal(spool_add(spool, str_make(mib, 1 << 20), &err), 0);
	assert_int_equal(spool_finish(spool, &err), 0);
	assert_true(spool_memory(spool) < 65536);
	assert_int_equal(spool_chunks(spool), 800);
	assert_int_equal(spool_stored_length(spool), 50 << 20); /* random: stored as it is */
	for (uint64_t i = 0; i < 50; i++) {
		assert_int_equal(spool_copy(spool, i << 20, got, 1 << 20, &err), 0);
		assert_memory_equal(got, mib, 1 << 20);
	}
	free(mib);
	free(got);
	spool_free(&spool);
	spooler_free(&spooler);
	files_sim_free(&sim);
}

/* G4: each call of the seam fails once, in each of the ways. */
static void a_failing_file_fails_the_upload(void **state)
{
	(void)state;
	static const int numbers[] = { -EIO, -ENOSPC, -EROFS, -EMFILE };
	for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
		for (uint64_t call = 1;; call++) {
			struct files_sim *sim = files_sim_new(call);
			sim->seam.mkdir(&sim->seam, "blobs", 0700);
			struct spooler *spooler = spooler_new(&sim->seam);
			files_sim_plan(sim, (struct files_sim_plan){ .fail_at = call,
						    .fail_with = numbers[k],
						    .stutter = true });
			struct message m = { 1, LIMIT_SPOOL_MEMORY_BYTES + 600000 };
			struct spool *spool = message_spool(spooler, &m);
			bool done = sim->calls < call;
			assert_int_equal(spool != NULL, done);
			spool_free(&spool);
			spooler_free(&spooler);
			assert_int_equal(files_sim_open_files(sim), 0);
			files_sim_free(&sim);
			if (done)
				break;
		}
}

/* Q3: the reserve is kept. */
static void leaves_the_reserve(void **state)
{
	(void)state;
	struct files_sim *sim = files_sim_new(1);
	sim->seam.mkdir(&sim->seam, "blobs", 0700);
	struct spooler *spooler = spooler_new(&sim->seam);
	struct message m = { 1, 2 * LIMIT_SPOOL_MEMORY_BYTES };
	sim->free_bytes = LIMIT_DISK_RESERVE_BYTES;
	assert_null(message_spool(spooler, &m));
	sim->free_bytes = LIMIT_DISK_RESERVE_BYTES + (2 << 20);
	struct spool *spool = message_spool(spooler, &m);
	assert_non_null(spool);
	spool_free(&spool);
	spooler_free(&spooler);
	files_sim_free(&sim);
}

TEST_MAIN(test_case(refuses_more_than_its_maximum), test_case(hashes_what_came),
	test_case(goes_to_a_file_above_its_memory), test_case(streams_50_mib),
	test_case(a_failing_file_fails_the_upload), test_case(leaves_the_reserve))
