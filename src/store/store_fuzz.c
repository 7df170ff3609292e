// SPDX-License-Identifier: Apache-2.0
/*
 * A peer that sends whatever it likes. The input is a series of frames: a byte chooses the type, a
 * byte the peer and which session and mailbox the frame is made to name (so that it gets past the
 * first check), two bytes the length of the payload that follows. One place in the table of types
 * is no frame's: the second byte then says how much time passes before a bit of upkeep.
 *
 * Properties: whatever is sent, the store becomes idle, no question is answered to the end twice,
 * and (for lengths of a multiple of CHECK_EVERY, since it is slow) the store's own check finds
 * nothing.
 */
#include "api/frames.h"
#include "api/schemes.h"
#include "auth/ticket.h"
#include "base/fuzz.h"
#include "base/limits.h"
#include "base/time.h"
#include "store/executor_fake.h"
#include "store/store.h"

#include <stdio.h>
#include <unistd.h>

enum {
	MOST_FRAMES = 32,
	MOST_COPIES = 6,
	INPUTS_A_STORE = 250,
	CHECK_EVERY = 8,
	SEGMENT_BYTES = 16384, /* three batches, so that there are some to reclaim */
	MOST_UPKEEP = 16,      /* turns in a row; a pass may take more, and goes on at the next */
	LEAST_MS = 5000,
	SESSIONS = 2,
	BOXES = 4
};

/* Only ever appended to: the corpus names them by their place. One place is no frame's. */
enum { UPKEEP = 52 };
static const enum frame_type types[] = { FRAME_RESOLVE, FRAME_UPLOAD_OPEN, FRAME_UPLOAD_BYTES,
	FRAME_UPLOAD_DIGEST, FRAME_UPLOAD_TO, FRAME_UPLOAD_INTO, FRAME_UPLOAD_COMMIT,
	FRAME_UPLOAD_ABORT, FRAME_SESSION_OPEN, FRAME_SESSION_CLOSE, FRAME_OWNS_ADDRESS,
	FRAME_LOCK_MAILDROP, FRAME_MAILBOX_LIST, FRAME_MAILBOX_STATUS, FRAME_MAILBOX_CREATE,
	FRAME_MAILBOX_DELETE, FRAME_MAILBOX_RENAME, FRAME_MAILBOX_SUBSCRIBE, FRAME_VIEW_OPEN,
	FRAME_VIEW_CHANGES, FRAME_VIEW_CLOSE, FRAME_MESSAGE_READ, FRAME_DIGEST_READ,
	FRAME_DIGEST_PUT, FRAME_UIDS, FRAME_SET_FLAGS, FRAME_COPY, FRAME_EXPUNGE, FRAME_ACCOUNT_ADD,
	FRAME_ACCOUNT_PASSWORD, FRAME_ACCOUNT_REMOVE, FRAME_ACCOUNT_SET, FRAME_ACCOUNT_LIST,
	FRAME_DOMAIN_ADD, FRAME_DOMAIN_REMOVE, FRAME_DOMAIN_SET, FRAME_DOMAIN_LIST, FRAME_ALIAS_ADD,
	FRAME_ALIAS_REMOVE, FRAME_ALIAS_LIST, FRAME_STORE_CHECK, FRAME_STORE_STATUS, FRAME_PING,
	FRAME_GET_CREDENTIALS, FRAME_MESSAGES_READ, FRAME_STORE_RECLAIM, FRAME_UNDELETE,
	FRAME_DELETED_LIST, FRAME_ACCOUNT_RECOUNT, FRAME_SIGNATURE_ASK, FRAME_SIGNATURE_PUT,
	FRAME_UPLOAD_SIGNATURE, [UPKEEP] = 0, FRAME_UPLOAD_NEXT, FRAME_UPLOAD_REPLACE,
	FRAME_UPLOAD_RESTORE, FRAME_VIEW_VANISHED, FRAME_ACCOUNT_WATCH, FRAME_UIDL_LIST,
	FRAME_QUOTA_GET, FRAME_METADATA_GET, FRAME_METADATA_SET, FRAME_KEEP_SECRET,
	FRAME_SECRET_USED, FRAME_SECRET_ADD, FRAME_SECRET_REMOVE, FRAME_SECRET_LIST,
	FRAME_GET_OFFERS, FRAME_BACKUP_BEGIN, FRAME_BACKUP_READ, FRAME_BACKUP_END,
	FRAME_RESTORE_BEGIN, FRAME_RESTORE_MAILBOX, FRAME_RESTORE_ANNOTATIONS, FRAME_RESTORE_END,
	FRAME_BODIES_LIST, FRAME_ACCOUNT_OPEN };

struct answers {
	bool check_done;
	uint32_t session; /* the last that was opened */
	uint64_t account; /* the last that was resolved */
	uint64_t mailbox;
	uint32_t findings;
};

static struct {
	char path[64];
	struct seams seams;
	struct clock_fake clock;
	struct random_fake random;
	struct executor_fake executor;
	struct log log;
	struct store_settings settings;
	struct store *store;
	struct store_peer *admin;
	struct answers answers;
	int inputs;
} world;

static bool note_answer(void *arg, uint32_t request, const struct frame *frame)
{
	struct answers *a = arg;
	struct buf wire;
	(void)request;
	/* What the store says must fit its own frames. */
	buf_init(&wire, LIMIT_FRAME_BYTES + FRAME_HEADER_BYTES);
	FUZZ_CHECK(frame_encode(frame, 1, &wire));
	buf_done(&wire);
	if (frame->type == FRAME_SESSION_IS)
		a->session = frame->session_is.session;
	if (frame->type == FRAME_RESOLVED && frame->resolved.targets.n)
		a->account = frame->resolved.targets.items[0].account;
	if (frame->type == FRAME_MAILBOXES && frame->mailboxes.mailboxes.n)
		a->mailbox = frame->mailboxes.mailboxes.items[0].id;
	if (frame->type == FRAME_CHECK_FINDING)
		a->findings++;
	return true;
}

static struct store_peer *add_peer(int class)
{
	return store_peer_add(world.store, class, (uint32_t) class,
		&(struct store_replies){ .send = note_answer, .arg = &world.answers });
}

static void ask(struct store_peer *peer, struct frame frame)
{
	FUZZ_CHECK(store_peer_frame(peer, 1, &frame));
	executor_fake_run(&world.executor);
}

static int unlink_one(void *arg, const char *name)
{
	char path[256];
	struct files_seam *files = world.seams.files;
	snprintf(path, sizeof(path), "%s/%s", (const char *)arg, name);
	return files->unlink(files, path) == 0;
}

static void empty(const char *directory)
{
	char root[] = ".", blobs[] = "blobs";
	char *which = directory[0] == 'b' ? blobs : root;
	while (world.seams.files->list(world.seams.files, which, unlink_one, which) > 0)
		;
}

static void clean_up(void)
{
	char blobs[80];
	store_peer_remove(&world.admin);
	store_free(&world.store);
	if (world.seams.files == NULL)
		return;
	empty("blobs");
	empty(".");
	files_os_free(&world.seams.files);
	snprintf(blobs, sizeof(blobs), "%s/blobs", world.path);
	rmdir(blobs);
	rmdir(world.path);
}

static void open_store(void)
{
	struct err err = ERR_INIT;
	snprintf(world.path, sizeof(world.path), "%s/culver-fuzz-XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	FUZZ_CHECK(mkdtemp(world.path) != NULL);
	clock_fake_init(&world.clock, 1700000000000);
	random_fake_init(&world.random, 1);
	world.executor.seam = (struct executor_seam){
		.start = fake_start, .wake = fake_wake, .notify = fake_notify, .stop = fake_stop
	};
	fake_of = &world.executor;
	world.seams = (struct seams){ .clock = &world.clock.seam,
		.random = &world.random.seam,
		.files = files_os_new(world.path, &err),
		.executor = &world.executor.seam };
	log_init(&world.log, NULL, "role=store");
	world.settings = (struct store_settings){ .readers = 1,
		.message_bytes = 200000,
		.segment_bytes = SEGMENT_BYTES,
		.keep_deleted_ms = TIME_DAY_MS };
	world.store = store_new(&world.seams, &world.settings, &world.log, &err);
	FUZZ_CHECK(world.store != NULL);
	world.admin = add_peer(CLASS_ADMIN);
	world.inputs = 0;
}

/* Accounts a and b, fresh: with their mailboxes goes what the input before did. */
static void fresh_accounts(void)
{
	static const char *const addresses[] = { "a@x.test", "b@x.test" };
	ask(world.admin,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("x.test") });
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		struct str address = str_from(addresses[i]);
		ask(world.admin, (struct frame){ .type = FRAME_ACCOUNT_REMOVE,
					 .account_remove.address = address });
		ask(world.admin, (struct frame){ .type = FRAME_ALIAS_REMOVE,
					 .alias_remove.address = address });
		ask(world.admin,
			(struct frame){ .type = FRAME_ACCOUNT_ADD,
				.account_add = { .address = address, .verifier = STR("v") } });
	}
}

struct cast {
	struct store_peer *peers[4];
	uint32_t sessions[SESSIONS];
	uint64_t accounts[SESSIONS];
	uint64_t boxes[BOXES];
	int copies;
};

static void open_session(struct cast *c, size_t i, const char *address)
{
	struct buf sealed;
	world.answers.session = 0;
	ask(c->peers[1],
		(struct frame){ .type = FRAME_RESOLVE, .resolve.address = str_from(address) });
	c->accounts[i] = world.answers.account;
	buf_init(&sealed, TICKET_MAX_BYTES);
	FUZZ_CHECK(ticket_seal(world.settings.ticket_key,
		&(struct ticket){ .instance = CLASS_USER,
			.account = c->accounts[i],
			.epoch = 1,
			.rights = 7,
			.expires_ms = world.clock.wall_ms + TIME_DAY_MS },
		&sealed));
	ask(c->peers[1],
		(struct frame){ .type = FRAME_SESSION_OPEN,
			.session_open = { .ticket = buf_str(&sealed), .service = STR("imap") } });
	c->sessions[i] = world.answers.session;
	buf_done(&sealed);
}

static void find_boxes(struct cast *c)
{
	static const char *const names[] = { "INBOX", "Sent" };
	for (size_t i = 0; i < BOXES; i++) {
		ask(c->peers[1], (struct frame){ .type = FRAME_MAILBOX_STATUS,
					 .mailbox_status = { .session = c->sessions[i / 2],
						 .name = str_from(names[i % 2]) } });
		c->boxes[i] = world.answers.mailbox;
	}
}

/* Those that name an account in the place of a session. */
static void aim_account(struct frame *frame, uint64_t account, uint64_t box)
{
	switch ((unsigned)frame->type) {
	case FRAME_UPLOAD_TO:
		frame->upload_to.account = account;
		break;
	case FRAME_KEEP_SECRET:
		frame->keep_secret.account = account;
		break;
	case FRAME_SECRET_USED:
		frame->secret_used.account = account;
		break;
	case FRAME_RESTORE_MAILBOX:
		frame->restore_mailbox.account = account;
		break;
	case FRAME_RESTORE_ANNOTATIONS:
		frame->restore_annotations.account = account;
		frame->restore_annotations.mailbox = box;
		break;
	case FRAME_UPLOAD_RESTORE:
		frame->upload_restore.account = account;
		frame->upload_restore.mailbox = box;
		break;
	default:
		break;
	}
}

/* Makes a frame name what is there, as the bits of `how` say. */
static void aim(struct cast *c, struct frame *frame, uint8_t how)
{
	uint32_t session = c->sessions[how >> 2 & 1];
	uint64_t box = c->boxes[how >> 3 & 3];
	aim_account(frame, c->accounts[how >> 2 & 1], box);
	if (frame->type < FRAME_SESSION_CLOSE && frame->type != FRAME_UPLOAD_INTO &&
		frame->type != FRAME_UPLOAD_REPLACE)
		return;
	if (frame->type >= FRAME_ACCOUNT_ADD || frame->type == FRAME_UIDS)
		return;
	frame->session_close.session = session;
	switch ((unsigned)frame->type) {
	case FRAME_UPLOAD_INTO:
		frame->upload_into.mailbox = box;
		break;
	case FRAME_COPY:
		frame->copy.target = c->boxes[how >> 5 & 3];
		frame->copy.mailbox = box;
		break;
	case FRAME_VIEW_OPEN:
	case FRAME_VIEW_CHANGES:
	case FRAME_VIEW_CLOSE:
	case FRAME_MESSAGE_READ:
	case FRAME_MESSAGES_READ:
	case FRAME_DIGEST_READ:
	case FRAME_DIGEST_PUT:
	case FRAME_SIGNATURE_ASK:
	case FRAME_SIGNATURE_PUT:
	case FRAME_SET_FLAGS:
	case FRAME_EXPUNGE:
	case FRAME_UPLOAD_REPLACE:
	case FRAME_VIEW_VANISHED:
	case FRAME_UIDL_LIST:
	case FRAME_METADATA_GET:
	case FRAME_METADATA_SET:
		frame->view_close.mailbox = box; /* all begin with session and mailbox */
		break;
	default:
		break;
	}
}

static void send_one(struct cast *c, enum frame_type type, uint8_t how, struct str payload)
{
	struct frame frame;
	struct frame_header header = {
		.length = (uint32_t)payload.n, .type = (uint16_t)type, .version = FRAME_VERSION
	};
	struct err err = ERR_INIT;
	struct arena arena;
	arena_init(&arena, 1 << 21);
	if (frame_decode(&header, payload, &arena, &frame, &err) == 0 &&
		(type != FRAME_COPY || c->copies++ < MOST_COPIES)) {
		if (how & 128)
			aim(c, &frame, how);
		/* Requests 1 to 4, so that uploads and UIDs meet what they are for. */
		if (!store_peer_frame(c->peers[how & 3], 1 + (how >> 1 & 3U), &frame))
			FUZZ_CHECK(type != FRAME_PING);
		if (how & 64)
			executor_fake_run(&world.executor);
	}
	arena_done(&arena);
}

/* 5 s to two days pass, then some turns, between which the writer and the readers work or not. */
static void upkeep(uint8_t how)
{
	int64_t wait = (int64_t)LEAST_MS << (how & 15);
	for (int turns = how >> 4; turns >= 0 && turns < MOST_UPKEEP; turns--) {
		world.clock.wall_ms += wait;
		world.clock.monotonic_ms += wait;
		wait = store_upkeep(world.store);
		FUZZ_CHECK(wait > 0);
		if (how & 8)
			executor_fake_run(&world.executor);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool first = true;
	struct cast c = { 0 };
	size_t length_given = size;
	if (first)
		atexit(clean_up);
	first = false;
	if (world.store && ++world.inputs > INPUTS_A_STORE)
		clean_up();
	if (world.store == NULL)
		open_store();
	fresh_accounts();
	static const int classes[] = { CLASS_MX, CLASS_USER, CLASS_ADMIN, CLASS_GATE };
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		c.peers[i] = add_peer(classes[i]);
	open_session(&c, 0, "a@x.test");
	open_session(&c, 1, "b@x.test");
	find_boxes(&c);
	for (int n = 0; size >= 4 && n < MOST_FRAMES; n++) {
		size_t length = (size_t)data[2] | (size_t)data[3] << 8;
		if (length > size - 4)
			length = size - 4;
		unsigned what = data[0] % ARRAY_LEN(types);
		if (what == UPKEEP)
			upkeep(data[1]);
		else
			send_one(&c, types[what], data[1], str_make(data + 4, length));
		data += 4 + length;
		size -= 4 + length;
	}
	executor_fake_run(&world.executor);
	if (length_given % CHECK_EVERY == 0) {
		world.answers.findings = 0;
		ask(world.admin, (struct frame){ .type = FRAME_STORE_CHECK });
		FUZZ_CHECK(world.answers.findings == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		store_peer_remove(&c.peers[i]);
	executor_fake_run(&world.executor);
	FUZZ_CHECK(store_is_idle(world.store));
	return 0;
}
