// SPDX-License-Identifier: Apache-2.0
/* SEARCH (RFC 9051 6.4.4), UID SEARCH, and "$" (6.4.4.1). */
#include "imap/search_run.h"

struct search_work {
	struct search_run run;
	struct search_result result;
	struct search_write write;
};

static void drop(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	search_run_done(&w->run);
	search_result_done(&w->result);
}

static void write_step(struct imap *s)
{
	struct search_work *w = s->cmd.work;
	const struct search *search = &w->run.search;

	if (!search_result_write(&w->result, search, s->cmd.tag, s->cmd.uid,
		    search->extended || s->rev2, &w->write, &s->session.out)) {
		s->cmd.within = true;
		s->step = write_step;
		return;
	}
	s->cmd.within = false;
	if (search->returns & SEARCH_RETURN_SAVE)
		search_result_save(&w->result, search, &s->sel.saved);
	reply_ok(s, NULL, "SEARCH completed");
	imap_finish(s);
}

static void end(struct imap *s)
{
	struct search_work *w = s->cmd.work;

	s->cmd.busy = false;
	if (w->run.worst == ERR_NONE) {
		s->step = write_step;
		return;
	}
	if (w->run.search.returns & SEARCH_RETURN_SAVE) /* RFC 9051 6.4.4.1: NO empties "$" */
		vec_clear(&s->sel.saved);
	reply_err(s, w->run.worst, STR_NONE);
	imap_finish(s);
}

static bool found(struct imap *s, uint32_t sequence)
{
	struct search_work *w = s->cmd.work;

	return search_result_add(&w->result, &w->run.search, s->sel.view, sequence, s->cmd.uid);
}

void imap_search(struct imap *s)
{
	struct search_work *w = imap_work(s, sizeof *w, drop);
	struct err err = ERR_INIT;

	search_run_init(&w->run);
	search_result_init(&w->result);
	if (search_parse(&s->cmd.args, &s->arena, &w->run.search, &err) < 0) {
		search_refuse(s, &w->run.search, &err);
	} else if (s->utf8 && w->run.search.has_charset) { /* RFC 6855 3 */
		reply_bad(s, NULL, "CHARSET does not go with UTF8=ACCEPT");
		imap_finish(s);
	} else {
		search_run_begin(s, &w->run, found, end);
	}
}
