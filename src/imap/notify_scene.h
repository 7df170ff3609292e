/* SPDX-License-Identifier: Apache-2.0 */
/* Dialogues with NOTIFY.
 *
 * used by: notify_test.c, notify_late_test.c */
#ifndef CULVER_IMAP_NOTIFY_SCENE_H
#define CULVER_IMAP_NOTIFY_SCENE_H

#include "imap/dialogue.h"
#include "imap/fetch.h"
#include "imap/notify.h"

#define NOTIFY(tag, what)                                                                          \
	"C: " tag " NOTIFY SET " what "\n"                                                         \
	"S: " tag " OK NOTIFY completed\n"

/* `text` after `setup`. */
static inline void talk(const char *setup, const char *text)
{
	struct fake f;

	fake_init(&f);
	fake_connect(&f, "imaps", true);
	dialogue_part(&f, setup);
	dialogue_with(&f, text);
	fake_done(&f);
}

#endif
