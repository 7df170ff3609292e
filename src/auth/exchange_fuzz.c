// SPDX-License-Identifier: Apache-2.0
/*
 * The gate's side of SCRAM, EXTERNAL, CRAM-MD5 and APOP: the first byte says which and whether the
 * account exists, the rest is the client's messages, a line each. Properties: what is no proof is
 * never right, challenges fit their frame, somebody and nobody take the same steps.
 */
#include "api/schemes.h"
#include "auth/exchange.h"
#include "base/fuzz.h"
#include "base/limits.h"

static struct exchange_facts *the_facts(void)
{
	static struct clock_fake clock;
	static struct random_fake random;
	static struct seams seams;
	static struct exchange_facts facts;
	if (facts.seams == NULL) {
		clock_fake_init(&clock, 1700000000000);
		random_fake_init(&random, 1);
		seams = (struct seams){ .clock = &clock.seam, .random = &random.seam };
		facts = (struct exchange_facts){ .seams = &seams, .hostname = "x" };
		FUZZ_CHECK(exchange_facts_init(&facts));
	}
	return &facts;
}

static enum exchange_step next(struct exchange *x, enum exchange_step step, struct str *rest,
	const struct frame_credentials *c)
{
	FUZZ_CHECK(exchange_challenge(x).n <= LIMIT_SCRAM_MESSAGE_BYTES);
	if (step == EXCHANGE_ACCOUNT)
		return exchange_account(x, c, exchange_user(x));
	return exchange_response(x, str_split(rest, '\n'));
}

/* The last step. */
static enum exchange_step run(uint8_t how, struct str rest, const struct frame_credentials *c)
{
	static const struct str names[] = { STR_INIT("SCRAM-SHA-256"),
		STR_INIT("SCRAM-SHA-256-PLUS"), STR_INIT("EXTERNAL"), STR_INIT("CRAM-MD5"),
		STR_INIT("APOP") };
	struct frame_exchange_begin f = { .mechanism = names[how % ARRAY_LEN(names)],
		.has_data = how & 64,
		.exporter = STR("0123456789abcdef0123456789abcdef"),
		.endpoint = STR("fedcba9876543210"),
		.certificate = STR("0123456789abcdef0123456789abcdef"),
		.plus = how & 128,
		.greeting = STR("<1@x>") };
	if (f.has_data)
		f.data = str_sub(str_split(&rest, '\n'), 0, LIMIT_SCRAM_MESSAGE_BYTES);
	struct exchange *x = exchange_new(the_facts(), &f);
	enum exchange_step step = exchange_begin(x);
	for (int i = 0; i < 6 && step <= EXCHANGE_CHALLENGE; i++)
		step = next(x, step, &rest, c);
	exchange_free(&x);
	FUZZ_CHECK(x == NULL);
	return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct api_secret kept[] = { { .kind = SECRET_SCRAM_SHA256,
		.value = STR_INIT("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
				  "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
				  "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=") } };
	static const struct frame_credentials somebody = { .account = 1,
		.address = STR_INIT("a@x"),
		.secrets = { kept, 1 },
		.legacy_auth = true };
	if (size == 0)
		return 0;
	struct str rest = str_make(bytes + 1, size - 1);
	enum exchange_step his = run(bytes[0], rest, &somebody);
	FUZZ_CHECK(his != EXCHANGE_RIGHT);
	FUZZ_CHECK(run(bytes[0], rest, NULL) == his);
	return 0;
}
