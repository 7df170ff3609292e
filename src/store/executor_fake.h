/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An executor that a test drives by hand: steps are taken when executor_fake_run is called, one
 * worker after the other, so everything is deterministic. One executor a program.
 *
 * uses: seams; used by: the store's tests and fuzz targets, and the gate's
 */
#ifndef CULVER_STORE_EXECUTOR_FAKE_H
#define CULVER_STORE_EXECUTOR_FAKE_H

#include <stdlib.h>

#include "base/seams.h"

struct worker {
	struct worker *next;
	struct worker_spec spec;
	bool awake, notified;
};
struct executor_fake {
	struct executor_seam seam;
	struct worker *workers;
};

static inline struct worker *fake_start(struct executor_seam *e, const struct worker_spec *spec)
{
	struct executor_fake *f = CONTAINER_OF(e, struct executor_fake, seam);
	struct worker *w = xmalloc(sizeof(*w)), **end = &f->workers;
	w->spec = *spec;
	w->awake = true;
	while (*end)
		end = &(*end)->next;
	*end = w;
	return w;
}
static inline void fake_wake(struct worker *w)
{
	w->awake = true;
}
static inline void fake_notify(struct worker *w)
{
	w->notified = true;
}
static struct executor_fake *fake_of; /* stop() is given the worker alone */
static inline void fake_stop(struct worker **w)
{
	struct worker **at = &fake_of->workers;
	while (*at != *w)
		at = &(*at)->next;
	*at = (*w)->next;
	free(*w);
	*w = NULL;
}

/* Until nothing is to be done any more. */
static inline void executor_fake_run(struct executor_fake *f)
{
	for (bool busy = true; busy;) {
		busy = false;
		for (struct worker *w = f->workers; w; w = w->next) {
			while (w->awake) {
				busy = true;
				w->awake = w->spec.step(w->spec.arg);
			}
			if (w->notified) {
				busy = true;
				w->notified = false;
				w->spec.done(w->spec.arg);
			}
		}
	}
}

#endif
