// SPDX-License-Identifier: Apache-2.0
/*
 * When writes have come to harm. Of segments: what can still be read is right to the byte, what
 * can't be is an error for its reader and a finding of the check, and once the disk is as it was
 * written all is there again: nothing that was sound has been given up for what was not. Of the
 * ledger, whose pages have no checksums, less can be held: no process crashes, nothing is served as
 * a message that is none, and what comes of it is counted.
 */
#include "admin.h"
#include "imap_session.h"

enum { LEDGER_UP_MS = 120000, LEAST_RECORD = 200 };

static struct {
	struct admin admin;
	uint64_t read, unreadable, bodies;
	bool got;
} seen;

/* "body 17 (segment 1, offset 4096): …": of a segment that was damaged, behind that place. */
static void on_finding(struct str text)
{
	struct scan s = scan_from(text);
	uint64_t n, segment, offset;
	char name[30];
	if (!scan_literal_nocase(&s, STR("body ")) || !scan_number(&s, INT64_MAX, &n) ||
		!scan_literal_nocase(&s, STR(" (segment ")) ||
		!scan_number(&s, UINT32_MAX, &segment) ||
		!scan_literal_nocase(&s, STR(", offset ")) || !scan_number(&s, INT64_MAX, &offset))
		return;
	snprintf(name, sizeof(name), "blobs/%08u", (unsigned)segment);
	seen.bodies++;
	if (!(world.o.faults & 1U << FAULT_LEDGER) && !world.damage_copied &&
		!files_sim_is_damaged(world.disk, name, offset, UINT64_MAX))
		sim_fail("%" STR_FMT ", which was not damaged", STR_ARG(text));
}

static void on_any(struct user_session *s, const struct user_fetched *f)
{
	if (!f->has_body)
		return;
	seen.got = true;
	model_seen(s->account, s->box, f->uid, message_check(f->body, s->account, s->actor->name));
}

static bool reopen(struct user_session *s, struct actor *a, unsigned box)
{
	user_close(s);
	if (!audit_come_in(s, a))
		return false;
	s->conn.quiet = true;
	s->fetched = on_any;
	return user_select(s, box) == USER_OK;
}

/* One by one: where a message is found damaged in its middle, the session ends. */
static void read_damaged(struct actor *a)
{
	struct user_session s;
	if (!audit_come_in(&s, a))
		sim_fail("the audit of %s could not begin", account_address(a->number));
	for (unsigned box = 0; box < BOXES; box++) {
		if (!reopen(&s, a, box))
			sim_fail("%s of %s can't be selected", box_names[box],
				account_address(a->number));
		for (size_t i = 1, n = s.view.n; i <= n; i++) {
			seen.got = false;
			if (user_command(&s, "FETCH %zu (UID FLAGS BODY.PEEK[])", i) == USER_CUT &&
				!reopen(&s, a, box))
				sim_fail("a damaged message keeps %s from the others",
					account_address(a->number));
			seen.read += seen.got;
			seen.unreadable += !seen.got;
		}
	}
	user_command(&s, "LOGOUT");
	user_close(&s);
}

static const struct frame check = { .type = FRAME_STORE_CHECK };

static bool admin_begin(void)
{
	bool there = admin_open(&seen.admin, NULL);
	seen.admin.on_finding = on_finding;
	return there;
}

void audit_damaged(void)
{
	trace("audit", "begins, with damage");
	memset(&seen, 0, sizeof(seen));
	audit_put_in_order();
	audit_each(read_damaged);
	if (!admin_begin())
		sim_fail("the administrator is not connected to store and gate");
	admin_must(&seen.admin, seen.admin.store, &check, FRAME_CHECK_DONE);
	trace("audit", "%llu read, %llu unreadable, %llu bodies found damaged",
		(unsigned long long)seen.read, (unsigned long long)seen.unreadable,
		(unsigned long long)seen.bodies);
	if (seen.unreadable && seen.bodies == 0)
		sim_fail("%llu messages can't be read, and the check finds nothing",
			(unsigned long long)seen.unreadable);
	if (seen.bodies > world.disk->damaged_bytes / LEAST_RECORD + world.disk->damaged)
		sim_fail("%llu bodies are damaged by %llu writes", (unsigned long long)seen.bodies,
			(unsigned long long)world.disk->damaged);
	admin_close(&seen.admin);
	if (world.damage_copied)
		run_end(OUTCOME_NONE);
	trace("audit", "the disk is set right");
	files_sim_heal(world.disk);
	world.healed = world.disk->damaged;
	world_kill_process(world_role("store"), SIGKILL);
	world_run_for(100);
}

void audit_ledger(void)
{
	trace("audit", "begins, with damage to the ledger");
	memset(&seen, 0, sizeof(seen));
	world_until(world_all_up() && !world_read_only(), LEDGER_UP_MS);
	if (!world_all_up() || world_read_only())
		run_end(OUTCOME_REFUSED);
	world_run_for(2000);
	bool checked = admin_begin() &&
		       admin_ask(&seen.admin, seen.admin.store, &check) == FRAME_CHECK_DONE;
	bool found = !checked || seen.admin.findings || world.damage_said;
	admin_close(&seen.admin);
	if (found)
		run_end(OUTCOME_FOUND);
	audit();
	run_end(OUTCOME_HARMLESS);
}
