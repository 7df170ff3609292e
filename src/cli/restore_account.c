// SPDX-License-Identifier: Apache-2.0
/*
 * culver store restore --account: messages of one account as a backup has them, into the store of a
 * server that runs or not. The point's ledger is copied to a directory of our own and opened there
 * by the engine, its segments are read where they are by the store's own reader, so every byte is
 * verified before it is used. Nothing that the account has is changed, and what it has does not
 * come again: so a restore that was interrupted is run again.
 */
#include "cli/backup.h"
#include "cli/remote.h"
#include "cli/restore.h"
#include "cli/scratch.h"

#include "api/schemes.h"
#include "base/map.h"
#include "base/scan.h"
#include "mail/address.h"
#include "mail/header.h"
#include "store/engine.h"
#include "store/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLICE = 1000, BYTES_A_FRAME = 65000, HEADER_BYTES = 256 * 1024, PATH_BYTES = 4300 };

/* A point of the backup, opened. */
struct past {
	struct backup *b;
	struct point point;
	struct manifest m;
	struct scratch scratch; /* with a copy of the ledger */
	struct seams seams;
	struct engine *engine;
	struct reader *reader;
	struct files_seam *blobs;
	struct segments *segments;
	struct segment_reader *bodies;
};

struct giving_back {
	const struct options *o;
	struct past past;
	struct remote *remote;
	struct address_name address;
	struct mailbox_name mailbox, into; /* what --mailbox and --into say */
	uint64_t uid;                      /* 0: all */
	uint64_t account, past_account;    /* its id in the store, and in the past */
	bool same_history;                 /* blob ids are the same bodies */
	struct map entries, bodies;        /* what the account has */
	struct vec mailboxes;              /* struct api_mailbox of the past, names in the arena */
	struct arena arena;
	uint64_t target;    /* where the messages of the mailbox at hand go; 0: not asked for yet */
	struct buf message; /* the head of one */
	uint64_t restored, there, damaged, chosen;
	uint64_t whole; /* mailboxes that were given back as they were */
};

/* ---- the past ---- */

static int copy_ledger(struct past *p, struct err *err)
{
	uint8_t sum[SHA256_BYTES];
	char name[BACKUP_NAME_BYTES];
	struct backup to = { .hashes = p->b->hashes };
	struct backup_sink sink;
	p->seams = (struct seams){ .clock = clock_os(), .random = random_os() };
	p->seams.files = to.files = files_os_new(p->scratch.path, err);
	if (to.files == NULL || backup_sink_open(&sink, &to, "ledger.db", 0, NULL, err) < 0)
		return -1;
	backup_copy(p->b, backup_point_name(name, &p->point, ".ledger"), p->m.ledger.length, &sink);
	if (backup_sink_close(&sink, p->m.ledger.length, sum, err) < 0)
		return -1;
	if (memcmp(sum, p->m.ledger.sha256, sizeof(sum)) != 0)
		return fail_log(err, ERR_CORRUPT, "%s is not what was written", name);
	return 0;
}

static int open_engine(struct past *p, struct err *err)
{
	struct engine_options options = { .seams = &p->seams };
	char folder[BACKUP_NAME_BYTES], path[2 * PATH_BYTES];
	struct segments_report report;
	struct engine_identity id;
	p->engine = engine_sqlite.open(&options, err);
	p->reader = p->engine ? p->engine->class->reader_open(p->engine, err) : NULL;
	if (p->reader == NULL)
		return -1;
	p->engine->class->identity(p->engine, &id);
	snprintf(path, sizeof(path), "%s/%s", p->b->files->root(p->b->files),
		backup_folder(folder, p->m.history, ""));
	p->blobs = files_os_new(path, err);
	if (p->blobs == NULL)
		return -1;
	struct segments_options s = {
		.files = p->blobs, .epoch = id.epoch, .committed = id.committed, .read_only = true
	};
	memcpy(s.store_id, id.store_id, sizeof(s.store_id));
	p->segments = segments_open(&s, &report, err);
	if (p->segments == NULL)
		return -1;
	p->bodies = segment_reader_new(p->segments);
	return 0;
}

static int past_open(struct past *p, const struct options *o, struct err *err)
{
	manifest_init(&p->m);
	/* First: later there are threads, of which a fork has one. */
	if (scratch_make(&p->scratch, err) < 0)
		return -1;
	p->b = backup_open(o->args[0], false, err);
	if (p->b == NULL || backup_point(p->b, o->point, &p->point, err) < 0 ||
		backup_manifest(p->b, &p->point, &p->m, err) < 0 || copy_ledger(p, err) < 0)
		return -1;
	return open_engine(p, err);
}

static void past_close(struct past *p)
{
	segment_reader_free(&p->bodies);
	segments_close(&p->segments);
	files_os_free(&p->blobs);
	if (p->reader)
		p->engine->class->reader_close(&p->reader);
	if (p->engine)
		p->engine->class->close(&p->engine);
	files_os_free(&p->seams.files);
	scratch_remove(&p->scratch);
	manifest_done(&p->m);
	backup_close(&p->b);
}

/* ---- what the account has ---- */

static void on_known(void *arg, const struct frame *frame)
{
	struct giving_back *g = arg;
	if (frame->type == FRAME_RESTORE_IS) {
		struct str past = str_make(g->past.m.history, sizeof(g->past.m.history));
		g->account = frame->restore_is.account;
		g->same_history = str_equal(frame->restore_is.history, past);
	}
	if (frame->type != FRAME_RESTORE_KNOWN)
		return;
	for (size_t i = 0; i < frame->restore_known.entries.n; i++) {
		const struct api_known *k = &frame->restore_known.entries.items[i];
		map_put_u64(&g->entries, k->entry_id, g);
		map_put_u64(&g->bodies, k->body, g);
	}
}

static bool is_there(const struct giving_back *g, const struct api_entry *entry, uint64_t body)
{
	return map_get_u64(&g->entries, entry->entry_id) ||
	       (g->same_history && map_get_u64(&g->bodies, body));
}

/* ---- one message ---- */

/* Prefix and the first bytes of the body. */
static int read_head(struct giving_back *g, const struct entry_place *place, struct err *err)
{
	buf_clear(&g->message);
	char *p = buf_reserve(&g->message, LIMIT_PREFIX_BYTES);
	if (place->prefix_size) {
		ssize_t n = segment_read_prefix(g->past.bodies, &place->body.ref, place->prefix_at,
			p, LIMIT_PREFIX_BYTES, err);
		if (n < 0)
			return -1;
		if ((size_t)n != place->prefix_size)
			return fail_log(err, ERR_CORRUPT, "a prefix has another size");
		buf_used(&g->message, (size_t)n);
	}
	return 0;
}

static int matches(struct giving_back *g, const struct entry_place *place, struct err *err)
{
	struct mail_field field;
	struct str id, rest, wanted = str_from(g->o->message_id);
	char *p = buf_reserve(&g->message, HEADER_BYTES);
	ssize_t n = segment_read(g->past.bodies, &place->body.ref, 0, p, HEADER_BYTES, err);
	if (n < 0)
		return -1;
	struct str head = str_make(p, (size_t)n);
	if (!mail_field_find(head, STR("Message-ID"), &field))
		return 0;
	rest = field.value;
	if (!mail_message_id_next(&rest, &id))
		return 0;
	struct str bare = str_sub(id, 1, id.n - 2);
	return str_equal(id, wanted) || str_equal(bare, wanted);
}

static int send_bytes(struct giving_back *g, const struct entry_place *place, struct err *err)
{
	AUTO(mem_free_p)
	char *p = xmalloc(BYTES_A_FRAME);
	for (uint64_t at = 0; at < place->body.size;) {
		ssize_t n = segment_read(
			g->past.bodies, &place->body.ref, at, p, BYTES_A_FRAME, err);
		if (n == 0)
			return fail_log(err, ERR_CORRUPT, "a body is too short");
		if (n < 0)
			return -1;
		struct frame f = { .type = FRAME_UPLOAD_BYTES,
			.upload_bytes.data = str_make(p, (size_t)n) };
		if (remote_tell(g->remote, &f, err) < 0)
			return -1;
		at += (uint64_t)n;
	}
	return 0;
}

/* The names of an entry's keywords, of which `all` has one for each bit. */
static struct api_str_list keywords_of(
	const struct api_entry *entry, const struct vec *all, struct str names[LIMIT_KEYWORDS])
{
	size_t n = 0;
	for (size_t i = 0; i < all->n && i < LIMIT_KEYWORDS; i++) {
		uint64_t bits = i < 64 ? entry->keywords_low : entry->keywords_high;
		if (bits >> (i % 64) & 1)
			names[n++] = *(const struct str *)vec_at(all, i);
	}
	return (struct api_str_list){ names, n };
}

/* Whoever gets a message back does not want the next EXPUNGE to take it: \Deleted stays behind. */
static int upload(struct giving_back *g, const struct api_entry *entry, const struct vec *keywords,
	const struct entry_place *place, struct err *err)
{
	struct str names[LIMIT_KEYWORDS];
	struct frame open = { .type = FRAME_UPLOAD_OPEN, .upload_open.size = place->body.size };
	struct frame to = { .type = FRAME_UPLOAD_RESTORE,
		.upload_restore = { .account = g->account,
			.mailbox = g->target,
			.time = entry->time,
			.flags = entry->flags & (uint8_t)~FLAG_DELETED,
			.keywords = keywords_of(entry, keywords, names),
			.entry_id = entry->entry_id,
			.prefix = str_sub(buf_str(&g->message), 0, place->prefix_size) } };
	struct frame commit = { .type = FRAME_UPLOAD_COMMIT,
		.upload_commit.message_id = STR("restore") };
	struct frame abort = { .type = FRAME_UPLOAD_ABORT };
	if (remote_begin(g->remote, REMOTE_STORE, NULL, NULL, err) < 0 ||
		remote_tell(g->remote, &open, err) < 0)
		return -1;
	if (send_bytes(g, place, err) == 0 && remote_tell(g->remote, &to, err) == 0 &&
		remote_tell(g->remote, &commit, err) == 0)
		return remote_wait(g->remote, err);
	struct err ignored = ERR_INIT;
	(void)remote_tell(g->remote, &abort, &ignored);
	return -1;
}

static void on_mailbox(void *arg, const struct frame *frame)
{
	struct giving_back *g = arg;
	if (frame->type == FRAME_RESTORE_MAILBOX_IS)
		g->target = frame->restore_mailbox_is.mailbox;
}

static int need_target(struct giving_back *g, const struct api_mailbox *mailbox, struct err *err)
{
	struct frame f = { .type = FRAME_RESTORE_MAILBOX,
		.restore_mailbox = {
			g->account, mailbox->name, mailbox->special_use, !mailbox->subscribed } };
	if (g->target)
		return 0;
	if (g->into.n)
		f.restore_mailbox = (struct frame_restore_mailbox){ g->account,
			mailbox_name_str(&g->into), 0, false };
	return remote_ask(g->remote, REMOTE_STORE, &f, on_mailbox, g, err);
}

static void tell_damage(struct giving_back *g, const struct api_mailbox *mailbox, uint32_t uid,
	const struct err *why)
{
	g->damaged++;
	fprintf(stderr, "damage: %" STR_FMT " UID %u: %s\n", STR_ARG(mailbox->name), uid,
		err_log_text(why));
}

/* What is damaged in the backup is told and passed over. */
static int give_back(struct giving_back *g, const struct api_mailbox *mailbox,
	const struct api_entry *entry, const struct vec *keywords, struct err *err)
{
	struct entry_place place;
	struct err why = ERR_INIT;
	int rc = g->past.reader->class->entry(
		g->past.reader, g->past_account, mailbox->id, entry->uid, &place, &why);
	if (rc == 0)
		rc = read_head(g, &place, &why);
	if (rc == 0 && g->o->message_id) {
		rc = matches(g, &place, &why);
		if (rc == 0)
			return 0;
	}
	if (rc < 0) {
		tell_damage(g, mailbox, entry->uid, &why);
		return 0;
	}
	g->chosen++;
	if (is_there(g, entry, place.body.ref.id)) {
		g->there++;
		return 0;
	}
	if (need_target(g, mailbox, err) < 0)
		return -1;
	rc = upload(g, entry, keywords, &place, err);
	if (rc < 0 && err->kind == ERR_CORRUPT) {
		tell_damage(g, mailbox, entry->uid, err);
		*err = (struct err)ERR_INIT;
		return 0;
	}
	g->restored += rc == 0;
	return rc;
}

/* ---- annotations ---- */

struct annotations {
	struct vec list; /* struct api_annotation */
	struct arena arena;
};

static int add_annotation(void *arg, const struct api_annotation *annotation)
{
	struct annotations *all = arg;
	struct api_annotation copy = { .name = arena_str(&all->arena, annotation->name),
		.value = arena_str(&all->arena, annotation->value) };
	return vec_push(&all->list, &copy) ? 0 : 1;
}

/* What clients keep beside a mailbox, or (0) beside the account: what has a value now keeps it. */
static int annotate(struct giving_back *g, uint64_t past_mailbox, uint64_t mailbox, struct err *err)
{
	struct annotations all;
	vec_init(&all.list, sizeof(struct api_annotation), LIMIT_ANNOTATIONS);
	arena_init(&all.arena, LIMIT_ANNOTATIONS * (LIMIT_ANNOTATION_BYTES + 1024));
	int rc = g->past.reader->class->annotation_each(
		g->past.reader, g->past_account, past_mailbox, add_annotation, &all, err);
	for (size_t at = 0, n; rc == 0 && at < all.list.n; at += n) {
		n = all.list.n - at < LIMIT_ANNOTATIONS_AT_ONCE ? all.list.n - at
								: LIMIT_ANNOTATIONS_AT_ONCE;
		struct frame f = { .type = FRAME_RESTORE_ANNOTATIONS,
			.restore_annotations = {
				g->account, mailbox, { vec_at(&all.list, at), n } } };
		rc = remote_ask(g->remote, REMOTE_STORE, &f, NULL, NULL, err);
	}
	vec_done(&all.list);
	arena_done(&all.arena);
	return rc;
}

/* ---- one mailbox, all of them ---- */

/* A slice of a mailbox's entries above *after. 1: there are more. */
static int slice(
	struct giving_back *g, const struct api_mailbox *mailbox, uint32_t *after, struct err *err)
{
	struct mailbox_row row;
	struct vec entries, keywords;
	AUTO(arena_done)
	struct arena arena;
	arena_init(&arena, 1 << 20);
	vec_init(&entries, sizeof(struct api_entry), SLICE);
	vec_init(&keywords, sizeof(struct str), LIMIT_KEYWORDS);
	int rc = g->past.reader->class->view(
		g->past.reader, mailbox->id, *after, SLICE, &row, &arena, &keywords, &entries, err);
	int more = entries.n == SLICE;
	VEC_EACH (struct api_entry, entry, &entries) {
		*after = entry->uid;
		if (rc == 0 && (g->uid == 0 || entry->uid == g->uid))
			rc = give_back(g, mailbox, entry, &keywords, err);
	}
	vec_done(&entries);
	vec_done(&keywords);
	return rc < 0 ? -1 : more;
}

static int give_back_mailbox(
	struct giving_back *g, const struct api_mailbox *mailbox, struct err *err)
{
	uint32_t after = g->uid ? (uint32_t)g->uid - 1 : 0;
	int more = 1;
	if (g->mailbox.n && !str_equal(mailbox->name, mailbox_name_str(&g->mailbox)))
		return 0;
	if (!g->into.n)
		g->target = 0;
	while (more > 0)
		more = slice(g, mailbox, &after, err);
	if (more < 0 || g->uid || g->o->message_id || g->into.n)
		return more;
	/* All of it: the mailbox comes back even without messages. */
	g->whole++;
	if (need_target(g, mailbox, err) < 0)
		return -1;
	return annotate(g, mailbox->id, g->target, err);
}

static int add_mailbox(void *arg, const struct api_mailbox *row)
{
	struct giving_back *g = arg;
	struct api_mailbox mailbox = *row;
	if (!mailbox.exists)
		return 0;
	mailbox.name = arena_str(&g->arena, mailbox.name);
	return mailbox.name.p && vec_push(&g->mailboxes, &mailbox) ? 0 : -1;
}

static int read_arguments(struct giving_back *g, struct err *err)
{
	const struct options *o = g->o;
	struct scan s = scan_from(str_from(o->uid ? o->uid : ""));
	if (address_canonical(str_from(o->account), &g->address, err) < 0 ||
		(o->mailbox &&
			mailbox_name_canonical(str_from(o->mailbox), &g->mailbox, err) < 0) ||
		(o->into && mailbox_name_canonical(str_from(o->into), &g->into, err) < 0))
		return -1;
	if (o->uid && (!scan_number(&s, UINT32_MAX, &g->uid) || !scan_end(&s) || g->uid == 0))
		return fail(err, ERR_SYNTAX, "%s is no UID", o->uid);
	return 0;
}

static int find_past_account(struct giving_back *g, struct err *err)
{
	struct account_row row;
	const struct engine_class *engine = g->past.engine->class;
	if (engine->account_by_address(g->past.reader, address_str(&g->address), &row, err) < 0)
		return err->kind == ERR_NOT_FOUND
			       ? fail(err, ERR_NOT_FOUND, "the point %s has no account %s",
					 g->past.point.name, g->o->account)
			       : -1;
	g->past_account = row.id;
	return engine->mailbox_each(g->past.reader, row.id, add_mailbox, g, err);
}

static int give_all_back(struct giving_back *g, struct err *err)
{
	struct frame begin = { .type = FRAME_RESTORE_BEGIN };
	struct frame end = { .type = FRAME_RESTORE_END };
	if (read_arguments(g, err) < 0 || past_open(&g->past, g->o, err) < 0 ||
		find_past_account(g, err) < 0)
		return -1;
	begin.restore_begin.address = address_str(&g->address);
	g->remote = remote_open(options_config(g->o), false, err);
	if (g->remote == NULL || remote_ask(g->remote, REMOTE_STORE, &begin, on_known, g, err) < 0)
		return -1;
	VEC_EACH (struct api_mailbox, mailbox, &g->mailboxes)
		if (give_back_mailbox(g, mailbox, err) < 0)
			return -1;
	if (g->whole > 0 && !g->mailbox.n && annotate(g, 0, 0, err) < 0)
		return -1;
	if (g->chosen + g->damaged + g->whole == 0)
		return fail(
			err, ERR_NOT_FOUND, "the point %s has no such message", g->past.point.name);
	return remote_ask(g->remote, REMOTE_STORE, &end, NULL, NULL, err);
}

static void print_result(const struct giving_back *g)
{
	if (g->o->json)
		printf("{\"point\":\"%s\",\"restored\":%" PRIu64 ",\"there\":%" PRIu64
		       ",\"damaged\":%" PRIu64 "}\n",
			g->past.point.name, g->restored, g->there, g->damaged);
	else
		printf("%" PRIu64 " messages restored from %s, %" PRIu64
		       " were there already, %" PRIu64 " are damaged in the backup\n",
			g->restored, g->past.point.name, g->there, g->damaged);
}

int restore_account(const struct options *o)
{
	struct err err = ERR_INIT;
	struct giving_back g = { .o = o };
	uint8_t key[16];
	random_os()->fill(random_os(), key, sizeof(key));
	map_init(&g.entries, key, 1 << 25);
	map_init(&g.bodies, key, 1 << 25);
	arena_init(&g.arena, 256 << 20);
	vec_init(&g.mailboxes, sizeof(struct api_mailbox), LIMIT_MAILBOXES);
	buf_init(&g.message, LIMIT_PREFIX_BYTES + HEADER_BYTES);
	int rc = give_all_back(&g, &err);
	if (rc == 0)
		print_result(&g);
	remote_close(&g.remote);
	past_close(&g.past);
	map_done(&g.entries);
	map_done(&g.bodies);
	arena_done(&g.arena);
	vec_done(&g.mailboxes);
	buf_done(&g.message);
	if (rc < 0)
		return cli_fail(o, &err);
	return g.damaged ? EXIT_DAMAGE : EXIT_GOOD;
}
