// SPDX-License-Identifier: Apache-2.0
/* Who runs the server: changes passwords, switches accounts off and on, while mail comes and goes.
 */
#include "admin.h"
#include "guest.h"

#include "accounts.h"
#include "api/schemes.h"

/* Right behind a change, before everybody was told of it. */
static void crash_perhaps(void)
{
	struct process *store = world_role("store");
	if (!(world.o.faults & 1U << FAULT_CRASH) || !chance(20) || round_over || store == NULL)
		return;
	fault_struck(FAULT_CRASH);
	world_kill_process(store, SIGKILL);
}

static void do_password(struct admin *a)
{
	char password[24];
	unsigned account = (unsigned)dice(USERS);
	account_password_ask(account, password);
	struct frame make = { .type = FRAME_MAKE_VERIFIER,
		.make_verifier.password = str_from(password) };
	if (admin_ask(a, a->gate, &make) != FRAME_VERIFIER)
		return;
	struct frame set = { .type = FRAME_ACCOUNT_PASSWORD,
		.account_password = { .address = str_from(account_address(account)),
			.verifier = str_from(a->verifier) } };
	if (admin_ask(a, a->store, &set) == FRAME_DONE) {
		account_password_acked(account);
		crash_perhaps();
	}
}

static void set_active(struct admin *a, unsigned account, bool active)
{
	struct frame set = { .type = FRAME_ACCOUNT_SET,
		.account_set = { .set = ACCOUNT_ACTIVE,
			.account = { .address = str_from(account_address(account)),
				.active = active } } };
	account_active_ask(account, active);
	if (admin_ask(a, a->store, &set) == FRAME_DONE)
		account_active_acked(account, active);
}

static void do_active(struct admin *a)
{
	unsigned account = (unsigned)dice(USERS);
	set_active(a, account, false);
	actor_sleep(a->actor, (int64_t)dice(8000));
	set_active(a, account, true);
}

/* One account may hold so many bytes, another so many messages. */
static void do_quota(struct admin *a)
{
	unsigned account = 1 + (unsigned)dice(2);
	struct quota q = { 0 };
	if (account == 1)
		q.bytes = chance(80) ? 20000 + dice(300000) : 0;
	else
		q.messages = chance(80) ? 3 + dice(40) : 0;
	struct frame set = { .type = FRAME_ACCOUNT_SET,
		.account_set = { .set = ACCOUNT_QUOTA_BYTES | ACCOUNT_QUOTA_MESSAGES,
			.account = { .address = str_from(account_address(account)),
				.quota_bytes = q.bytes,
				.quota_messages = q.messages } } };
	account_quota_ask(account);
	if (admin_ask(a, a->store, &set) == FRAME_DONE)
		account_quota_acked(account, q);
}

/* What POP3 leaves behind. Nothing is ever as old as what expires. */
static void do_retention(struct admin *a)
{
	unsigned account = (unsigned)dice(USERS);
	int which = chance(40) ? RETAIN_CLIENT : (int)dice(RETAIN_EXPIRE + 1);
	struct frame set = { .type = FRAME_ACCOUNT_SET,
		.account_set = { .set = ACCOUNT_POP3_RETENTION,
			.account = { .address = str_from(account_address(account)),
				.pop3_retention = (uint8_t)which,
				.pop3_expire_days = which == RETAIN_EXPIRE ? 36500 : 0 } } };
	account_retention_ask(account);
	if (admin_ask(a, a->store, &set) == FRAME_DONE)
		account_retention_acked(account, which);
}

/* Beside all else. What the disk refuses meanwhile may be found; damage may not, where
 * none was done. */
static void do_check(struct admin *a)
{
	const struct files_sim *d = world.disk;
	uint64_t refused = d->failed + d->flushes_failed + d->full;
	int answer = admin_ask(a, a->store, &(struct frame){ .type = FRAME_STORE_CHECK });
	if (answer == FRAME_CHECK_DONE && a->findings && !world_is_damaged() &&
		refused == d->failed + d->flushes_failed + d->full)
		sim_fail("store check beside work: %s", a->text);
}

/* What accounts without a quota have deleted comes back. */
static void do_undelete(struct admin *a)
{
	unsigned account = chance(50) ? 0 : 3;
	struct frame ask = { .type = FRAME_UNDELETE,
		.undelete.address = str_from(account_address(account)) };
	int answer;
	model_undelete_begin(account);
	do
		answer = admin_ask(a, a->store, &ask);
	while (answer == FRAME_UNDELETED && a->more);
	model_undelete_end(account, answer != 0, answer == FRAME_UNDELETED);
}

/* Half of them forget all that was deleted first. */
void admin_reclaim(struct admin *a)
{
	bool forget = chance(50);
	struct frame ask = { .type = FRAME_STORE_RECLAIM, .store_reclaim.deleted = forget };
	if (forget)
		model_forget_begin();
	bool done = admin_ask(a, a->store, &ask) == FRAME_RECLAIMED;
	if (forget)
		model_forget_end(done);
	world.report->reclaimed += done ? a->segments : 0;
}

/* To the same program: everything is handed over, and everybody's channels begin anew. */
static void do_upgrade(struct admin *a)
{
	(void)a;
	world.upgrades++;
	if (world.powered && world.supervisor)
		supervisor_upgrade(world.supervisor);
}

static const struct {
	void (*run)(struct admin *);
	unsigned weight;
} things[] = { { do_password, 22 }, { do_active, 8 }, { do_quota, 12 }, { guest_change, 8 },
	{ do_retention, 8 }, { do_check, 6 }, { do_undelete, 8 }, { admin_reclaim, 14 },
	{ backup_take, 8 }, { do_upgrade, 6 } };

static void do_something(struct admin *a)
{
	uint64_t at = dice(100);
	for (size_t i = 0; i < ARRAY_LEN(things); i++) {
		if (at < things[i].weight) {
			things[i].run(a);
			return;
		}
		at -= things[i].weight;
	}
}

static void session(struct actor *actor)
{
	struct admin a;
	bool open = admin_open(&a, actor);
	for (uint64_t i = 1 + dice(4); i > 0 && open && !a.ended && !round_over; i--) {
		do_something(&a);
		actor_sleep(actor, (int64_t)dice(3000));
	}
	admin_close(&a);
}

void client_admin_run(struct actor *a)
{
	while (!round_over) {
		actor_sleep(a, (int64_t)dice(8000));
		if (!round_over)
			session(a);
	}
}
