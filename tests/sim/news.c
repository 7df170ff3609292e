// SPDX-License-Identifier: Apache-2.0
/*
 * What a session must have been told. Whoever asks by NOOP hears of all that was there (RFC 9051
 * 6.1.2), and when nothing goes wrong of the flags that others have changed; whoever waits by IDLE
 * hears it without asking (6.3.13).
 */
#include "boxes.h"
#include "imap_session.h"

enum { KNOWN_MOST = 100000 };

/* ---- flags ---- */

void news_flags(struct user_session *s, uint32_t uid, uint8_t flags)
{
	struct user_flags told = { uid, flags };
	VEC_EACH (struct user_flags, x, &s->flags)
		if (x->uid == uid) {
			x->flags = flags;
			return;
		}
	vec_push(&s->flags, &told);
}

void news_silent(struct user_session *s, const char *command)
{
	struct scan in = scan_from(str_from(command));
	uint64_t uid;
	if (strstr(command, ".SILENT") == NULL || !scan_literal_nocase(&in, STR("UID STORE ")) ||
		!scan_number(&in, UINT32_MAX, &uid))
		return;
	VEC_EACH (struct user_flags, x, &s->flags)
		if (x->uid == uid)
			x->uid = 0;
}

/* A message whose flags were told, and the model's word for them, before the question. */
struct known {
	struct copy *copy;
	unsigned flag_changes;
};

static struct vec known_flags(const struct user_session *s)
{
	struct vec ret;
	vec_init(&ret, sizeof(struct known), KNOWN_MOST);
	VEC_EACH (struct user_flags, told, &s->flags) {
		struct copy *c = told->uid ? model_at(s->account, s->box, told->uid) : NULL;
		if (c && c->flag_busy == 0)
			vec_push(&ret, &(struct known){ c, c->flag_changes });
	}
	return ret;
}

static bool is_known(const struct vec *known, const struct copy *c)
{
	VEC_EACH (struct known, k, known)
		if (k->copy == c)
			return k->flag_changes == c->flag_changes && c->flag_busy == 0;
	return false;
}

static void check_flags(struct user_session *s, const struct vec *known)
{
	VEC_EACH (struct user_flags, told, &s->flags) {
		struct copy *c = told->uid ? model_at(s->account, s->box, told->uid) : NULL;
		if (c == NULL || c->may_go || !is_known(known, c) || !user_sees(s, told->uid))
			continue;
		if (told->flags & c->flags_off || ~told->flags & c->flags_on)
			sim_fail("%s: the flags of UID %u of %s were told as %x last; %x are set, "
				 "%x not",
				s->actor->name, told->uid, boxes_name(s->account, s->box),
				told->flags, c->flags_on, c->flags_off);
	}
}

/* ---- numbers ---- */

/* Of what is told behind the list only the number is known. */
enum user_result news_ask(struct user_session *s)
{
	uint64_t asked = model_time();
	struct vec known = known_flags(s);
	enum user_result r = user_command(s, "NOOP");
	if (r == USER_OK && user_is_quiet(s))
		check_flags(s, &known);
	vec_done(&known);
	if (r == USER_OK)
		r = user_command(s, "UID FETCH 1:* (UID FLAGS MODSEQ)");
	if (r == USER_OK && s->box != BOX_NONE && !user_sees(s, 0))
		model_listed(s->account, s->box, asked, user_sees, s);
	return r;
}

/* Of those that are new and those that have gone the numbers. */
void news_told(struct user_session *s, uint64_t asked)
{
	size_t least, most;
	if (s->box == BOX_NONE || !user_is_quiet(s))
		return;
	model_numbers(s->account, s->box, asked, &least, &most);
	if (s->view.n < least || s->view.n > most)
		sim_fail("%s: %zu messages of %s were told, and there are %zu to %zu",
			s->actor->name, s->view.n, boxes_name(s->account, s->box), least, most);
}
