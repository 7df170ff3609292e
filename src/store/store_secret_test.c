// SPDX-License-Identifier: Apache-2.0
/* What an account proves itself with, as the gate and administrators ask for it. */
#include "store/store_test.h"

#define ALICE STR("alice@example.test")

static const struct frame *credentials(struct test_peer *gate)
{
	const struct frame *r = ask(gate,
		(struct frame){ .type = FRAME_GET_CREDENTIALS, .get_credentials.address = ALICE });
	assert_frame(r, FRAME_CREDENTIALS);
	return r;
}

static const struct api_secret *secret_of(const struct frame *r, enum secret_kind kind)
{
	for (size_t i = 0; i < r->credentials.secrets.n; i++)
		if (r->credentials.secrets.items[i].kind == kind)
			return &r->credentials.secrets.items[i];
	fail_msg("no secret of kind %d", kind);
	return NULL;
}

static const struct frame *add(struct world *w, enum secret_kind kind, struct str value)
{
	return ask(&w->admin, (struct frame){ .type = FRAME_SECRET_ADD,
				      .secret_add = { .address = STR("Alice@Example.test"),
					      .kind = (uint8_t)kind,
					      .label = STR("phone"),
					      .value = value,
					      .services = SERVICE_IMAP } });
}

static void the_gate_gets_and_keeps_secrets(void **state)
{
	static const struct api_secret made[] = { { .kind = SECRET_SCRAM_SHA256,
		.value = STR_INIT("scram 2") } };
	struct world w;
	struct test_peer gate;
	(void)state;
	world_init(&w);
	peer_init(&gate, &w.f, CLASS_GATE, 0);
	const struct frame *r = credentials(&gate);
	assert_str(r->credentials.verifier, STR("$y$test"));
	assert_int_equal(r->credentials.secrets.n, 0);
	struct frame keep = { .type = FRAME_KEEP_SECRET,
		.keep_secret = { r->credentials.account, r->credentials.epoch, SECRET_SCRAM_SHA256,
			STR("scram 1") } };
	assert_frame(ask(&gate, keep), FRAME_DONE);
	assert_str(secret_of(credentials(&gate), SECRET_SCRAM_SHA256)->value, STR("scram 1"));
	/* It hears of it, and asks what can be announced now: bob has no such secret. */
	assert_int_equal(reply_at(&gate, 0, 0)->type, FRAME_ACCOUNTS_CHANGED);
	r = ask(&gate, (struct frame){ .type = FRAME_GET_OFFERS });
	assert_frame(r, FRAME_OFFERS);
	assert_true(r->offers.scram == 0 && r->offers.legacy == 0);
	/* Not what a password does not make. */
	struct frame odd = keep;
	odd.keep_secret.kind = SECRET_APP_PASSWORD;
	assert_failed(ask(&gate, odd), ERR_SYNTAX);
	/* A new password in between: too late. */
	assert_frame(
		ask(&w.admin, (struct frame){ .type = FRAME_ACCOUNT_PASSWORD,
				      .account_password = { ALICE, STR("$y$new"), { made, 1 } } }),
		FRAME_DONE);
	assert_failed(ask(&gate, keep), ERR_EXPIRED);
	r = credentials(&gate);
	assert_str(r->credentials.verifier, STR("$y$new"));
	assert_str(secret_of(r, SECRET_SCRAM_SHA256)->value, STR("scram 2"));
	peer_done(&gate);
	world_done(&w);
}

static void administrators_add_and_remove(void **state)
{
	struct world w;
	struct test_peer gate;
	(void)state;
	world_init(&w);
	peer_init(&gate, &w.f, CLASS_GATE, 0);
	uint32_t session = open_session(&w.user, account_of(&w.mx, "alice@example.test"));
	assert_frame(add(&w, SECRET_APP_PASSWORD, STR("$y$app")), FRAME_DONE);
	assert_frame(add(&w, SECRET_CERTIFICATE, STR("fingerprint")), FRAME_DONE);
	assert_failed(add(&w, SECRET_CERTIFICATE, STR("fingerprint")), ERR_EXISTS);
	assert_failed(add(&w, SECRET_PASSWORD, STR("$y$other")), ERR_SYNTAX);
	assert_failed(add(&w, SECRET_APP_PASSWORD, STR("")), ERR_LIMIT);
	const struct api_secret app = *secret_of(credentials(&gate), SECRET_APP_PASSWORD);
	assert_int_equal(app.services, SERVICE_IMAP);
	assert_true(app.created_ms > 0 && app.used_ms == 0);
	w.f.clock.wall_ms += 1000;
	struct frame used = { .type = FRAME_SECRET_USED,
		.secret_used = { account_of(&w.mx, "alice@example.test"), app.id } };
	assert_frame(ask(&gate, used), FRAME_DONE);
	/* What is listed has values of certificates alone. */
	const struct frame *r = ask(&w.admin,
		(struct frame){ .type = FRAME_SECRET_LIST, .secret_list.address = ALICE });
	assert_frame(r, FRAME_SECRETS);
	assert_int_equal(r->secrets.secrets.n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct api_secret *s = &r->secrets.secrets.items[i];
		assert_str(s->value, s->kind == SECRET_CERTIFICATE ? STR("fingerprint") : STR_NONE);
		if (s->id == app.id)
			assert_true(s->used_ms == app.created_ms + 1000);
	}
	/* A removed one ends sessions. A8 */
	assert_frame(ask(&w.admin, (struct frame){ .type = FRAME_SECRET_REMOVE,
					   .secret_remove = { ALICE, app.id } }),
		FRAME_DONE);
	assert_int_equal(reply_at(&w.user, 0, 0)->session_ended.session, session);
	assert_failed(ask(&w.admin, (struct frame){ .type = FRAME_SECRET_REMOVE,
					    .secret_remove = { ALICE, app.id } }),
		ERR_NOT_FOUND);
	assert_failed(ask(&gate, used), ERR_NOT_FOUND);
	peer_done(&gate);
	world_done(&w);
}

/* Only the gate and administrators. */
static void secrets_are_nobody_elses(void **state)
{
	static const struct {
		enum frame_type type;
		int class;
	} cases[] = { { FRAME_GET_CREDENTIALS, CLASS_GATE }, { FRAME_KEEP_SECRET, CLASS_GATE },
		{ FRAME_SECRET_USED, CLASS_GATE }, { FRAME_SECRET_ADD, CLASS_ADMIN },
		{ FRAME_SECRET_REMOVE, CLASS_ADMIN }, { FRAME_SECRET_LIST, CLASS_ADMIN } };
	struct world w;
	(void)state;
	world_init(&w);
	for (int class = CLASS_MX; class <= CLASS_FETCHER; class ++) {
		struct test_peer peer;
		peer_init(&peer, &w.f, class, 9);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct frame frame = { .type = cases[i].type };
			if (store_peer_frame(peer.peer, 1, &frame) != (cases[i].class == class))
				fail_msg(
					"class %d, %s", class, frame_name((uint16_t)cases[i].type));
		}
		executor_fake_run(&w.f.executor);
		peer_done(&peer);
	}
	world_done(&w);
}

TEST_MAIN(test_case(the_gate_gets_and_keeps_secrets), test_case(administrators_add_and_remove),
	test_case(secrets_are_nobody_elses))
