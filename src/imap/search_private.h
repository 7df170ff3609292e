/* SPDX-License-Identifier: Apache-2.0 */
/* What search.c and search_bytes.c share. */
#ifndef CULVER_IMAP_SEARCH_PRIVATE_H
#define CULVER_IMAP_SEARCH_PRIVATE_H

#include "imap/search.h"

/* Answers stand in bytes, one a key: a search of a million messages fills as many of them. */
enum truth { TRUTH_OPEN, TRUTH_NO, TRUTH_YES };

/* The program's answer from those of its leaves, which stand at their keys' places. */
enum truth search_truth(const struct search *search, const uint8_t *leaves);
/* Fills the leaves: what the entry answers, and TRUTH_OPEN. */
void search_ask_entry(
	const struct search *search, const struct view *v, uint32_t sequence, uint8_t *leaves);
/* Answers open leaves from what the signature lacks. */
void search_ask_signature(const struct search *search, uint8_t held, uint8_t *leaves);
/* Answers open leaves from the digest. */
void search_ask_digest(const struct search *search, const struct digest *d, uint8_t *leaves);

#endif
