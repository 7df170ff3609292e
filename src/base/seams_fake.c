// SPDX-License-Identifier: Apache-2.0
/* A clock that stands still until it is set, and randomness that repeats: for tests and for
 * simulations. */
#include "base/seams.h"

static int64_t fake_wall_ms(struct clock_seam *seam)
{
	return CONTAINER_OF(seam, struct clock_fake, seam)->wall_ms;
}

static int64_t fake_monotonic_ms(struct clock_seam *seam)
{
	return CONTAINER_OF(seam, struct clock_fake, seam)->monotonic_ms;
}

void clock_fake_init(struct clock_fake *c, int64_t wall_ms)
{
	*c = (struct clock_fake){ .seam = { .wall_ms = fake_wall_ms,
					  .monotonic_ms = fake_monotonic_ms },
		.wall_ms = wall_ms };
}

/* SplitMix64: every seed gives a full period, and neighbouring seeds have nothing in common. */
static uint64_t next(struct random_fake *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void fake_fill(struct random_seam *seam, void *p, size_t n)
{
	struct random_fake *r = CONTAINER_OF(seam, struct random_fake, seam);
	for (unsigned char *at = p; n;) {
		uint64_t bits = next(r);
		for (int i = 0; i < 8 && n; i++, n--, bits >>= 8)
			*at++ = (unsigned char)bits;
	}
}

void random_fake_init(struct random_fake *r, uint64_t seed)
{
	*r = (struct random_fake){ .seam = { .fill = fake_fill }, .state = seed };
}
