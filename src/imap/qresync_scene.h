/* SPDX-License-Identifier: Apache-2.0 */
/* For tests alone: what dialogues with QRESYNC begin with. */
#ifndef CULVER_IMAP_QRESYNC_SCENE_H
#define CULVER_IMAP_QRESYNC_SCENE_H

#include "imap/dialogue.h"

#define QRESYNC                                                                                    \
	"C: q ENABLE QRESYNC\n"                                                                    \
	"S: * ENABLED QRESYNC\n"                                                                   \
	"S: q OK ~\n"
#define OPEN(exists, next, highest)                                                                \
	"S: * FLAGS ~\n"                                                                           \
	"S: * OK [PERM~\n"                                                                         \
	"S: * " exists " EXISTS\n"                                                                 \
	"S: * 0 RECENT\n"                                                                          \
	"S: * OK [UNSEEN ~\n"                                                                      \
	"S: * OK [UIDVALIDITY 1001] ~\n"                                                           \
	"S: * OK [UIDNEXT " next "] ~\n"                                                           \
	"S: * OK [HIGHESTMODSEQ " highest "] ~\n"                                                  \
	"S: * OK [MAILBOXID ~\n"
#define MAIL5   MAIL1 MAIL1 MAIL1 MAIL1 MAIL1 /* modseq 11 to 15 */
#define SELECT5 "C: s SELECT INBOX\n" OPEN("5", "6", "15") "S: s OK [READ-WRITE] ~\n"

#endif
