// SPDX-License-Identifier: Apache-2.0
/*
 * When everything has come to rest: reads all mail of all accounts by IMAP and holds it against the
 * model, then lets the store check itself. And the administrator, who sets the accounts up.
 */
#include "imap_session.h"

static const char *const addresses[ACCOUNTS] = { "alice@example.test", "bob@example.test",
	"carol@example.test", "dave@example.test" };

const char *account_address(unsigned account)
{
	return addresses[account];
}

/* ---- the administrator ---- */

struct admin {
	struct channel *control, *store, *gate;
	bool have_status, ended;
	int answer;
	char verifier[257], text[400];
	uint64_t findings;
};
static struct admin admin;

static bool on_answer(void *arg, uint32_t request, const struct frame *f, int handle)
{
	(void)arg;
	(void)request;
	if (f->type == FRAME_CHECK_FINDING) {
		trace("check", "%" STR_FMT, STR_ARG(f->check_finding.text));
		snprintf(admin.text, sizeof(admin.text), "%" STR_FMT,
			STR_ARG(f->check_finding.text));
		return handle < 0;
	}
	admin.answer = (int)f->type;
	if (f->type == FRAME_VERIFIER)
		snprintf(admin.verifier, sizeof(admin.verifier), "%" STR_FMT,
			STR_ARG(f->verifier.verifier));
	if (f->type == FRAME_CHECK_DONE)
		admin.findings = f->check_done.findings;
	if (f->type == FRAME_FAILED)
		snprintf(admin.text, sizeof(admin.text), "%" STR_FMT, STR_ARG(f->failed.text));
	return handle < 0;
}

static void on_lost(void *arg, const char *reason)
{
	(void)arg;
	(void)reason;
	admin.ended = true;
}

static bool on_control(void *arg, uint32_t request, const struct frame *f, int handle)
{
	struct channel_events events = { .frame = on_answer, .closed = on_lost };
	(void)arg;
	(void)request;
	admin.have_status |= f->type == FRAME_STATUS;
	if (f->type != FRAME_HAND_OVER)
		return handle < 0;
	bool store = str_equal(f->hand_over.kind, STR("store"));
	*(store ? &admin.store : &admin.gate) = channel_new(
		world.loop, handle, CLASS_ADMIN, store ? CLASS_STORE : CLASS_GATE, &events);
	return true;
}

static void admin_open(void)
{
	struct channel_events events = { .frame = on_control, .closed = on_lost };
	admin = (struct admin){ .control = NULL };
	int handle = loop_sim_connect(world.loop, world.control_door, "", 0);
	if (handle < 0)
		sim_fail("nobody listens to the administrator");
	admin.control = channel_new(world.loop, handle, CLASS_ADMIN, CLASS_SUPERVISOR, &events);
	world_until(admin.have_status || admin.ended, 60000);
	if (admin.store == NULL || admin.gate == NULL)
		sim_fail("the administrator is not connected to store and gate");
}

static void admin_close(void)
{
	channel_free(&admin.store);
	channel_free(&admin.gate);
	channel_free(&admin.control);
}

static void ask(struct channel *to, struct frame f, int want)
{
	admin.answer = 0;
	if (!channel_send(to, channel_next_request(to), &f))
		sim_fail("%s could not be asked", frame_name((uint16_t)f.type));
	world_until(admin.answer != 0 || admin.ended, 600000);
	if (admin.answer != want)
		sim_fail("%s was answered by %s: %s", frame_name((uint16_t)f.type),
			frame_name((uint16_t)admin.answer), admin.text);
}

void admin_set_up(void)
{
	admin_open();
	ask(admin.store,
		(struct frame){ .type = FRAME_DOMAIN_ADD, .domain_add.name = STR("example.test") },
		FRAME_DONE);
	ask(admin.gate,
		(struct frame){
			.type = FRAME_MAKE_VERIFIER, .make_verifier.password = STR("secret") },
		FRAME_VERIFIER);
	for (unsigned i = 0; i < ACCOUNTS; i++)
		ask(admin.store,
			(struct frame){ .type = FRAME_ACCOUNT_ADD,
				.account_add = { .address = str_from(addresses[i]),
					.verifier = str_from(admin.verifier) } },
			FRAME_DONE);
	admin_close();
}

static void check(void)
{
	admin_open();
	ask(admin.store, (struct frame){ .type = FRAME_STORE_CHECK }, FRAME_CHECK_DONE);
	if (admin.findings)
		sim_fail("store check: %s", admin.text);
	admin_close();
}

/* ---- reading everything ---- */

static void on_entry(struct user_session *s, const struct user_fetched *f)
{
	if (!f->has_body || !f->has_flags || f->uid == 0)
		sim_fail("the audit was told only a part of a message");
	uint32_t n = message_check(f->body, s->actor->name);
	model_audit_entry(s->account, s->box, f->uid, n, f->flags);
}

static bool make_boxes(struct user_session *s)
{
	for (unsigned i = 1; i < BOXES && world.boots == 1; i++)
		if (user_command(s, "CREATE %s", box_names[i]) == USER_CUT)
			return false;
	return true;
}

static void audit_account(struct actor *a)
{
	struct user_session s;
	if (!user_open(&s, a, a->number) || !make_boxes(&s))
		sim_fail("the audit of %s could not begin", account_address(a->number));
	s.conn.quiet = true;
	s.fetched = on_entry;
	model_audit_begin(a->number);
	for (unsigned box = 0; box < BOXES; box++) {
		if (user_select(&s, box) != USER_OK)
			sim_fail("%s of %s can't be selected", box_names[box],
				account_address(a->number));
		if (s.view.n && user_command(&s, "FETCH 1:* (UID FLAGS BODY.PEEK[])") != USER_OK)
			sim_fail("%s of %s can't be read", box_names[box],
				account_address(a->number));
	}
	model_audit_end(a->number);
	user_command(&s, "LOGOUT");
	user_close(&s);
}

void audit(void)
{
	trace("audit", "begins");
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		struct actor *a = actor_new("audit", i, audit_account);
		world_until(a->done, 600000);
		if (!a->done)
			sim_fail("the audit of %s does not end", account_address(i));
	}
	check();
	trace("audit", "all is well: %llu acknowledged, %llu seen",
		(unsigned long long)world.report->acknowledged,
		(unsigned long long)world.report->seen);
}
