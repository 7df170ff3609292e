// SPDX-License-Identifier: Apache-2.0
/* Signatures of what came in: made behind the delivery, of what there is room to keep. */
#include "process/front_test.h"

#include "imap/search.h"
#include "mail/digest.h"
#include "mail/mime.h"

#include <stdlib.h>

#define TEXT "Subject: hello\r\n\r\nthe road to the store\r\n"

/* The store's end of the channel, and what came there. */
struct store_end {
	struct fixture x;
	struct channel *channel;
	unsigned commits, to_sign, signatures;
	uint32_t last;    /* the request of the last signature */
	uint16_t landing; /* and its landing */
	struct buf signature, digest;
};

static bool store_hears(void *arg, uint32_t request, const struct frame *frame, int handle)
{
	struct store_end *s = arg;
	assert_true(handle < 0);
	if (frame->type == FRAME_UPLOAD_COMMIT) {
		s->commits++;
		s->to_sign += frame->upload_commit.signs;
	} else if (frame->type == FRAME_UPLOAD_SIGNATURE) {
		s->signatures++;
		s->last = request;
		s->landing = frame->upload_signature.landing;
		buf_clear(&s->signature);
		buf_adds(&s->signature, frame->upload_signature.signature);
	}
	return true;
}

static void store_gone(void *arg, const char *reason)
{
	(void)arg;
	(void)reason;
}

static void begin(struct store_end *s)
{
	struct channel_events events = { .frame = store_hears, .closed = store_gone, .arg = s };
	int pair[2];
	*s = (struct store_end){ .commits = 0 };
	up_as(&s->x, CLASS_USER);
	buf_init(&s->signature, SIGNATURE_BYTES_MOST);
	buf_init(&s->digest, LIMIT_DIGEST_BYTES);
	mail_parse(STR(TEXT), &s->digest);
	assert_int_equal(s->x.loop->class->pair(s->x.loop, pair), 0);
	s->channel = channel_new(s->x.loop, pair[1], CLASS_STORE,
		s->x.front->base.context->row->channel_class, &events);
	asks_set_channel(s->x.front, ASK_STORE, pair[0]);
	comes(&s->x, "192.0.2.1");
}

static void end(struct store_end *s)
{
	channel_free(&s->channel);
	buf_done(&s->signature);
	buf_done(&s->digest);
	down(&s->x);
}

/* A frame of an upload, once there is room for it. */
static void tell(struct store_end *s, uint32_t request, const struct frame *frame)
{
	struct session_host *host = &s->x.front->host;
	while (!host->tell(host, s->x.front->conns->session, ASK_STORE, request, frame))
		loop_sim_run_for(s->x.loop, 1);
}

static uint32_t open(struct store_end *s)
{
	return asks_for(&s->x, &(struct frame){ .type = FRAME_UPLOAD_OPEN });
}

static void tell_bytes(struct store_end *s, uint32_t request, struct str bytes)
{
	tell(s, request, &(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = bytes });
}

static void tell_digest(struct store_end *s, uint32_t request)
{
	tell(s, request,
		&(struct frame){
			.type = FRAME_UPLOAD_DIGEST, .upload_digest.data = buf_str(&s->digest) });
}

static void tell_to(struct store_end *s, uint32_t request, struct str prefix)
{
	tell(s, request, &(struct frame){ .type = FRAME_UPLOAD_TO, .upload_to = { 1, prefix } });
}

static void commit(struct store_end *s, uint32_t request)
{
	unsigned before = s->commits;
	tell(s, request, &(struct frame){ .type = FRAME_UPLOAD_COMMIT });
	while (s->commits == before)
		loop_sim_run_for(s->x.loop, 1);
}

static void answer(struct store_end *s, uint32_t request, const struct frame *frame)
{
	assert_true(channel_send(s->channel, request, frame));
	while (map_get_u64(&s->x.front->peers[ASK_STORE].asks, request) != NULL)
		loop_sim_run_for(s->x.loop, 1);
}

static void deliver(struct store_end *s, uint32_t request)
{
	answer(s, request, &(struct frame){ .type = FRAME_DELIVERED });
}

static void keeps_nothing(const struct store_end *s)
{
	assert_int_equal(s->x.front->signer.bytes, 0);
	assert_int_equal(s->x.front->signer.told, 0);
	assert_null(s->x.front->signer.first);
}

/* A whole message, up to its commit. */
static uint32_t upload(struct store_end *s)
{
	uint32_t request = open(s);
	tell_bytes(s, request, STR(TEXT));
	tell_digest(s, request);
	tell_to(s, request, STR("A: a\r\n"));
	commit(s, request);
	return request;
}

/* For each recipient, with what goes before the body there. */
static void what_was_delivered(void **state)
{
	static const char *const prefixes[] = { "A: a\r\n", "", "B: bb\r\n", "C: c\r\n",
		"D: d\r\n" };
	struct store_end s;
	struct buf want;
	struct digest d;
	(void)state;
	begin(&s);
	uint32_t request = open(&s);
	tell_bytes(&s, request, STR("Subject: hello\r\n"));
	tell_bytes(&s, request, str_from(&TEXT[16]));
	tell_digest(&s, request);
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		tell_to(&s, request, str_from(prefixes[i]));
	commit(&s, request);
	loop_sim_run_for(s.x.loop, 1000);
	assert_int_equal(s.signatures, 0); /* it is not delivered yet */
	assert_int_equal(s.to_sign, 1);
	deliver(&s, request);
	assert_int_equal(s.signatures, 0); /* who waits for other things goes first */
	loop_sim_run_for(s.x.loop, 1000);
	_Static_assert(LIMIT_SIGNED_LANDINGS == ARRAY_LEN(prefixes) - 1, "N+1 landings");
	assert_int_equal(s.signatures, LIMIT_SIGNED_LANDINGS); /* the last is left to a search */
	assert_int_equal(s.last, request);
	assert_int_equal(s.landing, LIMIT_SIGNED_LANDINGS - 1);
	assert_true(digest_open(&d, buf_str(&s.digest), strlen(TEXT)));
	buf_init(&want, SIGNATURE_BYTES_MOST);
	search_sign(str_from(prefixes[3]), STR(TEXT), &d, &want);
	assert_true(str_equal(buf_str(&want), buf_str(&s.signature)));
	buf_done(&want);
	keeps_nothing(&s);
	end(&s);
}

static void what_an_append_landed(void **state)
{
	struct store_end s;
	(void)state;
	begin(&s);
	uint32_t request = open(&s);
	tell_bytes(&s, request, STR(TEXT));
	tell_digest(&s, request);
	tell(&s, request, &(struct frame){ .type = FRAME_UPLOAD_INTO });
	commit(&s, request);
	deliver(&s, request);
	loop_sim_run_for(s.x.loop, 1000);
	assert_int_equal(s.signatures, 1);
	assert_int_equal(s.landing, 0);
	keeps_nothing(&s);
	end(&s);
}

static void what_is_left_to_a_search(void **state)
{
	struct store_end s;
	(void)state;
	begin(&s);
	/* It is refused. */
	uint32_t request = upload(&s);
	answer(&s, request, &(struct frame){ .type = FRAME_FAILED, .failed.kind = ERR_TEMP });
	keeps_nothing(&s);
	/* Its client does not wait for the answer. */
	request = upload(&s);
	s.x.front->host.cancel(&s.x.front->host, s.x.front->conns->session, request);
	keeps_nothing(&s);
	deliver(&s, request);
	/* Two at once. */
	request = open(&s);
	tell_bytes(&s, request, STR(TEXT));
	tell(&s, request, &(struct frame){ .type = FRAME_UPLOAD_NEXT });
	tell_bytes(&s, request, STR(TEXT));
	tell_digest(&s, request);
	tell_to(&s, request, STR_NONE);
	commit(&s, request);
	keeps_nothing(&s);
	deliver(&s, request);
	/* Its digest is of something else. */
	request = open(&s);
	tell_bytes(&s, request, STR("x"));
	tell_digest(&s, request);
	tell_to(&s, request, STR_NONE);
	commit(&s, request);
	deliver(&s, request);
	loop_sim_run_for(s.x.loop, 1000);
	assert_int_equal(s.commits, 4);
	assert_int_equal(s.to_sign, 3);
	/* The store goes before it is made. */
	deliver(&s, upload(&s));
	assert_non_null(s.x.front->signer.first);
	channel_free(&s.channel);
	while (s.x.front->peers[ASK_STORE].channel != NULL)
		loop_sim_run_for(s.x.loop, 1);
	keeps_nothing(&s);
	assert_int_equal(s.signatures, 0);
	end(&s);
}

static void as_many_as_the_store_knows(void **state)
{
	struct store_end s;
	(void)state;
	begin(&s);
	for (unsigned i = 1; i < LIMIT_SIGNED_UPLOADS; i++)
		upload(&s);
	assert_int_equal(s.to_sign, LIMIT_SIGNED_UPLOADS - 1);
	uint32_t last = upload(&s);
	assert_int_equal(s.to_sign, LIMIT_SIGNED_UPLOADS);
	size_t kept = s.x.front->signer.bytes;
	uint32_t beyond = open(&s);
	tell_bytes(&s, beyond, STR(TEXT));
	assert_int_equal(s.x.front->signer.bytes, kept);
	deliver(&s, upload(&s)); /* N+1 */
	assert_int_equal(s.to_sign, LIMIT_SIGNED_UPLOADS);
	deliver(&s, last);
	loop_sim_run_for(s.x.loop, 1000);
	assert_int_equal(s.signatures, 1);
	upload(&s);
	assert_int_equal(s.to_sign, LIMIT_SIGNED_UPLOADS + 1);
	end(&s);
}

/* Tells so many bytes of one message. */
static uint32_t keep(struct store_end *s, size_t n)
{
	static const char bytes[32 * 1024];
	uint32_t request = open(s);
	for (; n > 0; n -= n < sizeof(bytes) ? n : sizeof(bytes))
		tell_bytes(s, request, str_make(bytes, n < sizeof(bytes) ? n : sizeof(bytes)));
	return request;
}

static void large_ones_are_not_kept(void **state)
{
	struct store_end s;
	(void)state;
	begin(&s);
	for (int more = -1; more <= 1; more++) {
		size_t n = (size_t)(LIMIT_SIGNER_MESSAGE + more);
		uint32_t request = keep(&s, n);
		assert_int_equal(s.x.front->signer.bytes, more > 0 ? 0 : n);
		tell_to(&s, request, STR_NONE);
		s.x.front->host.cancel(&s.x.front->host, s.x.front->conns->session, request);
		keeps_nothing(&s);
	}
	end(&s);
}

static void all_of_them_are_bounded(void **state)
{
	struct store_end s;
	size_t kept = 0;
	(void)state;
	begin(&s);
	for (; kept < LIMIT_SIGNER_BYTES - LIMIT_SIGNER_MESSAGE; kept += LIMIT_SIGNER_MESSAGE)
		keep(&s, LIMIT_SIGNER_MESSAGE);
	uint32_t last = keep(&s, LIMIT_SIGNER_MESSAGE - 2);
	tell_bytes(&s, last, STR("x")); /* N-1 */
	assert_int_equal(s.x.front->signer.bytes, LIMIT_SIGNER_BYTES - 1);
	tell_to(&s, last, STR("x")); /* N */
	assert_int_equal(s.x.front->signer.bytes, LIMIT_SIGNER_BYTES);
	uint32_t beyond = keep(&s, 1); /* N+1 */
	assert_int_equal(s.x.front->signer.bytes, LIMIT_SIGNER_BYTES);
	tell_to(&s, beyond, STR_NONE);
	commit(&s, beyond);
	assert_int_equal(s.to_sign, 0);
	commit(&s, last);
	assert_int_equal(s.to_sign, 1);
	end(&s);
}

TEST_MAIN(test_case(what_was_delivered), test_case(what_an_append_landed),
	test_case(what_is_left_to_a_search), test_case(as_many_as_the_store_knows),
	test_case(large_ones_are_not_kept), test_case(all_of_them_are_bounded))
