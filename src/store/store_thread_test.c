// SPDX-License-Identifier: Apache-2.0
/*
 * The store over real threads: a writer, readers and a maintainer at work while the loop's thread
 * asks everything at once. What is checked are sums, and (in the sanitizer's build) races.
 */
#include "store/store_test.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- threads ---- */

struct thread_worker {
	struct worker base; /* first: executors hand out struct worker */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool awake, ending;
	atomic_bool notified;
	struct thread_worker *next;
};
static struct thread_worker *threads;

static void *thread_main(void *arg)
{
	struct thread_worker *t = arg;
	pthread_mutex_lock(&t->lock);
	while (!t->ending) {
		if (!t->awake) {
			pthread_cond_wait(&t->woken, &t->lock);
			continue;
		}
		t->awake = false;
		pthread_mutex_unlock(&t->lock);
		while (t->base.spec.step(t->base.spec.arg))
			;
		pthread_mutex_lock(&t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static struct worker *thread_start(struct executor_seam *e, const struct worker_spec *spec)
{
	struct thread_worker *t = xmalloc(sizeof(*t));
	(void)e;
	t->base.spec = *spec;
	t->awake = true;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->woken, NULL);
	t->next = threads;
	threads = t;
	assert_int_equal(pthread_create(&t->thread, NULL, thread_main, t), 0);
	return &t->base;
}

static struct thread_worker *thread_of(struct worker *w)
{
	return CONTAINER_OF(w, struct thread_worker, base);
}

static void thread_wake(struct worker *w)
{
	struct thread_worker *t = thread_of(w);
	pthread_mutex_lock(&t->lock);
	t->awake = true;
	pthread_cond_signal(&t->woken);
	pthread_mutex_unlock(&t->lock);
}

static void thread_notify(struct worker *w)
{
	thread_of(w)->notified = true;
}

static void thread_stop(struct worker **w)
{
	struct thread_worker *t = thread_of(*w), **at = &threads;
	pthread_mutex_lock(&t->lock);
	t->ending = true;
	pthread_cond_signal(&t->woken);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	*w = NULL; /* the last step may still have read it */
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->woken);
	free(t);
}

/* One turn of the loop. */
static void turn(void)
{
	bool any = false;
	for (struct thread_worker *t = threads; t; t = t->next)
		if (atomic_exchange(&t->notified, false)) {
			any = true;
			t->base.spec.done(t->base.spec.arg);
		}
	if (!any)
		usleep(50);
}

static void until_idle(struct store *store)
{
	while (!store_is_idle(store))
		turn();
}

/* ---- the work ---- */

static const struct frame *wait_for(struct test_peer *p, struct frame frame)
{
	uint32_t request = ++p->last_request;
	tell(p, request, frame);
	while (reply_at(p, request, 0) == NULL)
		turn();
	return reply_at(p, request, 0);
}

static void send_delivery(struct test_peer *p, uint64_t account)
{
	uint32_t request = ++p->last_request;
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_OPEN });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_BYTES, .upload_bytes.data = STR("body") });
	tell(p, request,
		(struct frame){ .type = FRAME_UPLOAD_DIGEST, .upload_digest.data = STR("digest") });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_TO, .upload_to.account = account });
	tell(p, request, (struct frame){ .type = FRAME_UPLOAD_COMMIT });
}

static void send_questions(struct test_peer *p, uint32_t session, uint64_t inbox, uint32_t i)
{
	uint32_t request = p->last_request + 1;
	p->last_request += 6;
	tell(p, request,
		(struct frame){ .type = FRAME_VIEW_OPEN, .view_open = { session, inbox, i % 2 } });
	tell(p, request + 1,
		(struct frame){ .type = FRAME_MESSAGE_READ,
			.message_read = { session, inbox, i % 50 + 1, 0, 1000 } });
	tell_uids(p, request + 2, i % 50 + 1, i % 50 + 3);
	tell(p, request + 2,
		(struct frame){ .type = FRAME_SET_FLAGS,
			.set_flags = { .session = session,
				.mailbox = inbox,
				.mode = (uint8_t)(1 + i % 2),
				.flags = FLAG_FLAGGED,
				.unchanged_since = UINT64_MAX } });
	tell(p, request + 3,
		(struct frame){
			.type = FRAME_DIGEST_READ, .digest_read = { session, inbox, { &i, 1 } } });
	tell(p, request + 4,
		(struct frame){ .type = FRAME_MAILBOX_LIST, .mailbox_list.session = session });
	tell(p, request + 5,
		(struct frame){
			.type = FRAME_RESOLVE, .resolve.address = STR("alice@example.test") });
}

static uint32_t session_of(struct test_peer *p, uint64_t account)
{
	struct buf ticket;
	make_ticket(p->f,
		(struct ticket){ .instance = 3,
			.account = account,
			.epoch = 1,
			.rights = SERVICES_ALL,
			.expires_ms = 1800000000000 },
		&ticket);
	const struct frame *r = wait_for(p,
		(struct frame){ .type = FRAME_SESSION_OPEN,
			.session_open = { .ticket = buf_str(&ticket), .service = STR("imap") } });
	assert_frame(r, FRAME_SESSION_IS);
	buf_done(&ticket);
	return r->session_is.session;
}

static void no_failures(struct test_peer *p)
{
	VEC_EACH (struct reply, r, &p->replies)
		if (r->frame.type == FRAME_FAILED && r->frame.failed.kind != ERR_NOT_FOUND)
			fail_msg("%.*s", (int)r->frame.failed.text.n, r->frame.failed.text.p);
	forget_replies(p);
}

static void everything_at_once(void **state)
{
	enum { ROUNDS = 300, A_ROUND = 5 };
	struct fixture f;
	struct test_peer admin, mx, user;
	(void)state;
	fixture_init(&f);
	f.executor.seam = (struct executor_seam){ .start = thread_start,
		.wake = thread_wake,
		.notify = thread_notify,
		.stop = thread_stop };
	assert_true(fixture_open(&f));
	peer_init(&admin, &f, CLASS_ADMIN, 1);
	peer_init(&mx, &f, CLASS_MX, 2);
	peer_init(&user, &f, CLASS_USER, 3);
	assert_frame(wait_for(&admin, (struct frame){ .type = FRAME_DOMAIN_ADD,
					      .domain_add.name = STR("example.test") }),
		FRAME_DONE);
	assert_frame(wait_for(&admin, (struct frame){ .type = FRAME_ACCOUNT_ADD,
					      .account_add = { .address = STR("alice@example.test"),
						      .verifier = STR("v") } }),
		FRAME_DONE);
	const uint64_t alice = 1;
	uint32_t session = session_of(&user, alice);
	uint64_t inbox = wait_for(&user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
						 .mailbox_status = { session, STR("INBOX") } })
				 ->mailboxes.mailboxes.items[0]
				 .id;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		for (int k = 0; k < A_ROUND; k++)
			send_delivery(&mx, alice);
		send_questions(&user, session, inbox, i);
		if (i % 100 == 50)
			tell(&admin, 5000 + i, (struct frame){ .type = FRAME_STORE_CHECK });
		turn();
		if (i % 50 == 49) {
			until_idle(f.store);
			no_failures(&mx);
			no_failures(&user);
		}
	}
	until_idle(f.store);
	VEC_EACH (struct reply, r, &admin.replies)
		assert_int_not_equal(r->frame.type, FRAME_CHECK_FINDING);
	const struct frame *status = wait_for(
		&user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
			       .mailbox_status = { session, STR("INBOX") } });
	assert_int_equal(status->mailboxes.mailboxes.items[0].messages, ROUNDS * A_ROUND);
	assert_int_equal(status->mailboxes.mailboxes.items[0].uidnext, ROUNDS * A_ROUND + 1);
	/* The end comes in the middle of work. */
	for (int k = 0; k < 50; k++) {
		send_delivery(&mx, alice);
		send_questions(&user, session, inbox, 1);
	}
	peer_done(&admin);
	peer_done(&mx);
	peer_done(&user);
	fixture_done(&f);
}

/* ---- a watcher's picture ---- */

/* What a front does: a view, then what changed since, whenever it is told that something did. */
enum { PICTURE = 4096 };
struct picture {
	struct test_peer peer;
	uint32_t session;
	uint64_t mailbox, modseq;
	bool told, asking;
	struct api_entry entries[PICTURE]; /* by UID; uid 0: none */
};

static void put_entries(struct picture *p, struct api_entry_list entries)
{
	for (size_t i = 0; i < entries.n; i++) {
		assert_true(entries.items[i].uid < PICTURE);
		p->entries[entries.items[i].uid] = entries.items[i];
	}
}

static void use_reply(struct picture *p, const struct frame *f)
{
	switch ((unsigned)f->type) {
	case FRAME_VIEW_IS:
		p->modseq = f->view_is.modseq;
		break;
	case FRAME_VIEW_ENTRIES:
		put_entries(p, f->view_entries.entries);
		p->asking = !f->view_entries.last;
		break;
	case FRAME_VIEW_CHANGED:
		put_entries(p, f->view_changed.entries);
		for (size_t i = 0; i < f->view_changed.expunged.n; i++)
			p->entries[f->view_changed.expunged.items[i]] = (struct api_entry){ 0 };
		assert_true(f->view_changed.modseq >= p->modseq);
		p->asking = !f->view_changed.last;
		if (f->view_changed.last)
			p->modseq = f->view_changed.modseq;
		break;
	case FRAME_MAILBOX_CHANGED:
		p->told = true;
		break;
	default:
		fail_msg("%s", frame_name((uint16_t)f->type));
	}
}

/* Uses what came; asks when there is something to ask. */
static void look(struct picture *p)
{
	VEC_EACH (struct reply, r, &p->peer.replies)
		use_reply(p, &r->frame);
	forget_replies(&p->peer);
	if (!p->told || p->asking)
		return;
	p->told = false;
	p->asking = true;
	tell(&p->peer, ++p->peer.last_request,
		(struct frame){ .type = FRAME_VIEW_CHANGES,
			.view_changes = { p->session, p->mailbox, p->modseq } });
}

static void open_picture(struct picture *p)
{
	memset(p->entries, 0, sizeof(p->entries));
	p->told = false;
	p->asking = true;
	tell(&p->peer, ++p->peer.last_request,
		(struct frame){
			.type = FRAME_VIEW_OPEN, .view_open = { p->session, p->mailbox, true } });
}

static void until_settled(struct store *store, struct picture *p)
{
	do {
		until_idle(store);
		look(p);
	} while (p->told || p->asking || !store_is_idle(store));
}

static void random_change(struct test_peer *p, uint32_t session, uint64_t inbox, uint32_t i)
{
	static const enum frame_type types[] = { FRAME_SET_FLAGS, FRAME_COPY, FRAME_EXPUNGE };
	struct frame frame = { .type = types[i % 3] };
	uint32_t uid = i * 7919 % 300 + 1;
	if (frame.type == FRAME_SET_FLAGS)
		frame.set_flags = (struct frame_set_flags){ .session = session,
			.mailbox = inbox,
			.mode = (uint8_t)(i % 3),
			.flags = (uint8_t)(i % 32),
			.unchanged_since = UINT64_MAX };
	else if (frame.type == FRAME_COPY)
		frame.copy = (struct frame_copy){ session, inbox, inbox, i % 2 };
	else
		frame.expunge = (struct frame_expunge){ session, inbox, i % 2 };
	tell_uids(p, ++p->last_request, uid, uid + i % 3);
	tell(p, p->last_request, frame);
}

/* I27: whatever the order of things, the watcher ends with what the mailbox is. */
static void watchers_picture_is_the_mailbox(void **state)
{
	struct fixture f;
	struct test_peer admin, mx, user;
	struct picture *p = xmalloc(sizeof(*p)), *fresh = xmalloc(sizeof(*fresh));
	(void)state;
	fixture_init(&f);
	f.executor.seam = (struct executor_seam){ .start = thread_start,
		.wake = thread_wake,
		.notify = thread_notify,
		.stop = thread_stop };
	assert_true(fixture_open(&f));
	peer_init(&admin, &f, CLASS_ADMIN, 1);
	peer_init(&mx, &f, CLASS_MX, 2);
	peer_init(&user, &f, CLASS_USER, 3);
	peer_init(&p->peer, &f, CLASS_USER, 3);
	peer_init(&fresh->peer, &f, CLASS_USER, 3);
	wait_for(&admin,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example.test") });
	wait_for(&admin, (struct frame){ .type = FRAME_ACCOUNT_ADD,
				 .account_add = { .address = STR("alice@example.test"),
					 .verifier = STR("v") } });
	uint32_t session = session_of(&user, 1);
	p->session = session_of(&p->peer, 1);
	fresh->session = session_of(&fresh->peer, 1);
	forget_replies(&p->peer);
	forget_replies(&fresh->peer);
	p->mailbox = fresh->mailbox = wait_for(
		&user, (struct frame){ .type = FRAME_MAILBOX_STATUS,
			       .mailbox_status = { session, STR("INBOX") } })
					      ->mailboxes.mailboxes.items[0]
					      .id;
	open_picture(p);
	for (uint32_t i = 0; i < 1500; i++) {
		if (i % 3 == 0)
			send_delivery(&mx, 1);
		random_change(&user, session, p->mailbox, i);
		turn();
		look(p);
		if (i % 100 == 99) {
			until_settled(f.store, p);
			open_picture(fresh);
			until_settled(f.store, fresh);
			assert_int_equal(fresh->modseq, p->modseq);
			assert_memory_equal(fresh->entries, p->entries, sizeof(p->entries));
			forget_replies(&mx);
			forget_replies(&user);
		}
		if (i % 250 == 249)
			open_picture(p); /* again, in the middle of it all */
	}
	peer_done(&admin);
	peer_done(&mx);
	peer_done(&user);
	peer_done(&p->peer);
	peer_done(&fresh->peer);
	fixture_done(&f);
	free(p);
	free(fresh);
}

TEST_MAIN(test_case(everything_at_once), test_case(watchers_picture_is_the_mailbox))
