// SPDX-License-Identifier: Apache-2.0
/*
 * Character references of HTML ("&eacute;", "&#233;", "&#xe9;"), for the preview. Known are numbers
 * and the names of HTML 4's Latin 1 and special characters; of its symbols a few. A reference ends
 * with ";", and what stands for it is never longer.
 *
 * uses: base; used by: mail/preview
 */
#ifndef CULVER_MAIL_REFERENCE_H
#define CULVER_MAIL_REFERENCE_H

#include "base/buf.h"
#include "base/str.h"

/* s begins with "&". If a known reference is there, it is passed and its character added, as UTF-8;
 * a number that no character has becomes a blank. Otherwise false, and nothing is done. */
bool mail_reference(struct str *s, struct buf *out);

#endif
