// SPDX-License-Identifier: Apache-2.0
/*
 * Backups beside all else. The administrator takes one as the command does; when everything rests
 * it is put on a disk of its own, opened by a store of its own, and held against what the model
 * said when it was begun: what was acknowledged then and not asked to be removed is in it, bit for
 * bit, what was removed is not, and the store's own check finds nothing.
 */
#include "admin.h"

#include "accounts.h"
#include "boxes.h"
#include "api/schemes.h"
#include "auth/ticket.h"
#include "store/store.h"

#include <fcntl.h>

enum { PIECE = 256 * 1024, LEDGER_MOST = 64 << 20, SEGMENTS_MOST = 1000, ENTRIES_MOST = 100000 };

struct part {
	uint32_t number; /* of a segment; 0: the ledger */
	uint64_t length;
	struct buf bytes;
};

/* One that is there, or is being made. */
struct backup {
	struct vec parts;    /* struct part, the ledger first */
	struct vec expected; /* struct expected */
	struct part *reading;
};
static struct backup *taken;

/* ---- taking it ---- */

static void add_part(struct backup *b, uint32_t number, uint64_t length)
{
	struct part p = { .number = number, .length = length };
	buf_init(&p.bytes, LEDGER_MOST);
	vec_push(&b->parts, &p);
}

static bool on_frame(struct admin *a, const struct frame *f)
{
	struct backup *b = a->arg;
	if (f->type == FRAME_BACKUP_IS) {
		add_part(b, 0, f->backup_is.ledger_bytes);
		return false;
	}
	if (f->type == FRAME_BACKUP_SEGMENTS) {
		for (size_t i = 0; i < f->backup_segments.segments.n; i++)
			add_part(b, f->backup_segments.segments.items[i].number,
				f->backup_segments.segments.items[i].length);
		return f->backup_segments.last;
	}
	if (f->type != FRAME_BACKUP_BYTES)
		return true;
	buf_adds(&b->reading->bytes, f->backup_bytes.data);
	return f->backup_bytes.last;
}

static bool read_part(struct admin *a, struct part *p)
{
	struct backup *b = a->arg;
	b->reading = p;
	while (p->bytes.n < p->length) {
		uint64_t left = p->length - p->bytes.n, before = p->bytes.n;
		struct frame ask = { .type = FRAME_BACKUP_READ,
			.backup_read = { p->number, before, left < PIECE ? left : PIECE } };
		if (admin_ask(a, a->store, &ask) != FRAME_BACKUP_BYTES)
			return false;
		if (p->bytes.n == before || p->bytes.n > p->length)
			sim_fail("backup: part %u has %zu bytes, and was said to have %llu",
				p->number, p->bytes.n, (unsigned long long)p->length);
	}
	return true;
}

static void backup_free(struct backup *b)
{
	if (b == NULL)
		return;
	VEC_EACH (struct part, p, &b->parts)
		buf_done(&p->bytes);
	vec_done(&b->parts);
	vec_done(&b->expected);
	free(b);
}

/* What the backup has yet to read stays. */
static void reclaim_beside(struct admin *a)
{
	a->on_frame = NULL;
	admin_reclaim(a);
	a->on_frame = on_frame;
}

void backup_take(struct admin *a)
{
	struct backup *b = xcalloc(1, sizeof(*b));
	vec_init(&b->parts, sizeof(struct part), SEGMENTS_MOST);
	vec_init(&b->expected, sizeof(struct expected), ENTRIES_MOST);
	unsigned upgrades = world.upgrades;
	uint64_t began = model_time();
	a->on_frame = on_frame;
	a->arg = b;
	bool good = admin_ask(a, a->store, &(struct frame){ .type = FRAME_BACKUP_BEGIN }) ==
		    FRAME_BACKUP_SEGMENTS;
	model_expect(began, &b->expected);
	if (good && chance(50))
		reclaim_beside(a);
	for (size_t i = 0; good && i < b->parts.n; i++)
		good = read_part(a, vec_at(&b->parts, i));
	a->on_frame = NULL;
	good = good &&
	       admin_ask(a, a->store, &(struct frame){ .type = FRAME_BACKUP_END }) == FRAME_DONE;
	if (!good && world_is_quiet() && upgrades == world.upgrades)
		sim_fail("%s: a backup failed, and nothing is wrong: %s", a->actor->name, a->text);
	trace(a->actor->name, good ? "has a backup" : "has no backup");
	backup_free(good ? taken : b);
	if (good)
		taken = b;
}

/* ---- opening it ---- */

static void write_file(struct files_sim *disk, const char *name, struct str bytes)
{
	struct files_seam *f = &disk->seam;
	int file = f->open(f, name, O_RDWR | O_CREAT, 0600);
	size_t done = 0;
	while (file >= 0 && done < bytes.n) {
		ssize_t n = f->pwrite(f, file, bytes.p + done, bytes.n - done, (off_t)done);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (file < 0 || done < bytes.n)
		sim_fail("backup: %s can't be written", name);
	f->close(f, file);
}

static struct files_sim *put_on_disk(struct backup *b)
{
	struct files_sim *disk = files_sim_new(world.o.seed ^ 0x5555);
	disk->seam.mkdir(&disk->seam, "blobs", 0700);
	VEC_EACH (struct part, p, &b->parts) {
		char name[40] = "ledger.db";
		if (p->number)
			snprintf(name, sizeof(name), "blobs/%08u", p->number);
		write_file(disk, name, buf_str(&p->bytes));
	}
	files_sim_settle(disk);
	return disk;
}

/* ---- asking its store ---- */

/* One answer at a time. */
struct asker {
	struct store_peer *peer;
	uint32_t request;
	struct frame last; /* what it points at is gone, but for: */
	struct buf bytes;  /* of message_bytes, one behind the other */
	struct vec uids;   /* uint32_t, of view_entries */
	struct vec boxes;  /* struct box_found */
	char text[400];
	bool done;
};
struct box_found {
	uint64_t id;
	uint32_t uidvalidity;
};

static void take(struct asker *q, const struct frame *f)
{
	if (f->type == FRAME_MESSAGE_BYTES)
		buf_adds(&q->bytes, f->message_bytes.data);
	if (f->type == FRAME_CHECK_FINDING)
		snprintf(q->text, sizeof(q->text), "%" STR_FMT, STR_ARG(f->check_finding.text));
	if (f->type == FRAME_FAILED)
		snprintf(q->text, sizeof(q->text), "%" STR_FMT, STR_ARG(f->failed.text));
	for (size_t i = 0; f->type == FRAME_VIEW_ENTRIES && i < f->view_entries.entries.n; i++)
		vec_push(&q->uids, &f->view_entries.entries.items[i].uid);
	for (size_t i = 0; f->type == FRAME_MAILBOXES && i < f->mailboxes.mailboxes.n; i++) {
		const struct api_mailbox *m = &f->mailboxes.mailboxes.items[i];
		struct box_found found = { m->id, m->uidvalidity };
		if (m->exists)
			vec_push(&q->boxes, &found);
	}
}

static bool on_reply(void *arg, uint32_t request, const struct frame *f)
{
	struct asker *q = arg;
	if (request != q->request)
		return true;
	q->last = *f;
	take(q, f);
	bool goes_on = f->type == FRAME_CHECK_FINDING || f->type == FRAME_VIEW_IS;
	q->done = !goes_on && frame_ends_answer(f);
	return true;
}

static const struct frame *ask(struct asker *q, struct frame f, int want)
{
	q->done = false;
	q->request += 2;
	if (!store_peer_frame(q->peer, q->request, &f))
		sim_fail("backup: %s is refused", frame_name((uint16_t)f.type));
	world_until(q->done, 600000);
	if (!q->done || (int)q->last.type != want)
		sim_fail("backup: %s was answered by %s: %s", frame_name((uint16_t)f.type),
			q->done ? frame_name((uint16_t)q->last.type) : "nobody", q->text);
	return &q->last;
}

static void asker_init(struct asker *q, struct store *store, int class)
{
	struct store_replies replies = { .send = on_reply, .arg = q };
	*q = (struct asker){ .request = 1 };
	buf_init(&q->bytes, LEDGER_MOST);
	vec_init(&q->uids, sizeof(uint32_t), ENTRIES_MOST);
	vec_init(&q->boxes, sizeof(struct box_found), ENTRIES_MOST);
	q->peer = store_peer_add(store, class, 1, &replies);
}

static void asker_done(struct asker *q)
{
	store_peer_remove(&q->peer);
	buf_done(&q->bytes);
	vec_done(&q->uids);
	vec_done(&q->boxes);
}

/* A session for an account, by a ticket as the gate would make it. */
static uint32_t open_session(struct asker *user, struct store *store, unsigned account,
	const struct store_settings *settings)
{
	struct asker gate;
	struct buf sealed;
	asker_init(&gate, store, CLASS_GATE);
	const struct frame *c = ask(&gate,
		(struct frame){ .type = FRAME_GET_CREDENTIALS,
			.get_credentials.address = str_from(account_address(account)) },
		FRAME_CREDENTIALS);
	struct ticket t = { .instance = 1,
		.account = c->credentials.account,
		.epoch = c->credentials.epoch,
		.rights = SERVICE_IMAP,
		.expires_ms = INT64_MAX };
	bool active = c->credentials.active;
	asker_done(&gate);
	if (!active) /* it was switched off then */
		return 0;
	buf_init(&sealed, TICKET_MAX_BYTES);
	if (!ticket_seal(settings->ticket_key, &t, &sealed))
		sim_fail("backup: there is no ticket");
	uint32_t session = ask(user,
		(struct frame){ .type = FRAME_SESSION_OPEN,
			.session_open = { buf_str(&sealed), STR("imap") } },
		FRAME_SESSION_IS)
				   ->session_is.session;
	buf_done(&sealed);
	return session;
}

/* ---- what must be in it ---- */

static uint32_t read_message(
	struct asker *user, unsigned account, uint32_t session, uint64_t box, uint32_t uid)
{
	uint64_t size = 1;
	buf_clear(&user->bytes);
	while (user->bytes.n < size)
		size = ask(user,
			(struct frame){ .type = FRAME_MESSAGE_READ,
				.message_read = { session, box, uid, user->bytes.n, 65000 } },
			FRAME_MESSAGE_BYTES)
			       ->message_bytes.size;
	return message_check(buf_str(&user->bytes), account, "backup");
}

static void check_box(struct asker *user, struct backup *b, unsigned account, unsigned box,
	uint32_t session, uint64_t id)
{
	vec_clear(&user->uids);
	ask(user, (struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, id, false } },
		FRAME_VIEW_ENTRIES);
	VEC_EACH (uint32_t, uid, &user->uids) {
		uint32_t n = read_message(user, account, session, id, *uid);
		VEC_EACH (struct expected, e, &b->expected) {
			if (e->account != account || e->box != box || e->uid != *uid)
				continue;
			if (e->n != n || e->gone)
				sim_fail("backup: UID %u in %s of %s is message %u: message %u %s",
					*uid, boxes_name(account, box), account_address(account), n,
					e->n, e->gone ? "was removed before it" : "was put there");
			e->found = true;
		}
	}
}

static void check_account(
	struct store *store, struct backup *b, unsigned account, const struct store_settings *s)
{
	struct asker user;
	asker_init(&user, store, CLASS_USER);
	uint32_t session = open_session(&user, store, account, s);
	if (session != 0) {
		ask(&user,
			(struct frame){
				.type = FRAME_MAILBOX_LIST, .mailbox_list.session = session },
			FRAME_MAILBOXES);
		VEC_EACH (struct box_found, found, &user.boxes)
			check_box(&user, b, account, boxes_known(account, found->uidvalidity),
				session, found->id);
		VEC_EACH (struct expected, e, &b->expected)
			if (e->account == account && !e->gone && !e->found)
				sim_fail("backup: message %u, UID %u in %s of %s, is not in it",
					e->n, e->uid, boxes_name(account, e->box),
					account_address(account));
	}
	asker_done(&user);
}

static void check_store(struct store *store, struct backup *b, const struct store_settings *s)
{
	struct asker admin;
	asker_init(&admin, store, CLASS_ADMIN);
	const struct frame *f = ask(
		&admin, (struct frame){ .type = FRAME_STORE_CHECK }, FRAME_CHECK_DONE);
	if (f->check_done.findings)
		sim_fail("backup: %s", admin.text);
	asker_done(&admin);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		check_account(store, b, i, s);
}

void backup_check(void)
{
	static struct process process = { .pid = 1 };
	struct backup *b = taken;
	struct err err = ERR_INIT;
	taken = NULL;
	if (b == NULL)
		return;
	if (world.disk->damaged) { /* it has the damage, too */
		backup_free(b);
		return;
	}
	struct files_sim *disk = put_on_disk(b);
	process.files = role_files_new(&process, disk);
	struct seams seams = { .clock = world.loop->clock,
		.random = &world.random.seam,
		.files = process.files,
		.executor = world.loop->class->executor(world.loop) };
	struct store_settings settings = {
		.readers = 1, .segment_bytes = 1 << 20, .keep_deleted_ms = INT64_MAX / 4
	};
	struct log log;
	log_init(&log, &world.sink, "role=backup");
	struct store *store = store_new(&seams, &settings, &log, &err);
	if (store == NULL)
		sim_fail("backup: its store can't be opened: %s", err_log_text(&err));
	check_store(store, b, &settings);
	store_free(&store);
	role_files_close(process.files);
	files_sim_free(&disk);
	backup_free(b);
	world.report->backups++;
}
