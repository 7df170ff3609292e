/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEARCH: from its text to a flat program, and from a program and a message to yes or no
 * (RFC 9051 6.4.4, RFC 3501 6.4.4, RFC 7162 3.1.5; hostile-input I5, I23).
 *
 * The program is in postfix order, so that nothing recurses. It is evaluated in three-valued logic,
 * in stages that cost more and more: from the view's entry alone, from what the message's signature
 * lacks, from the digest, from the bytes;
 * a stage is asked only when the ones before left the answer open.
 *
 *     if (search_parse(&scan, arena, &search, &err) < 0) return BAD or NO;
 *     search_begin(&search, view, saved);
 *     for each sequence number:
 *         a = search_entry(&search, view, n);
 *         if (a == SEARCH_NEEDS_DIGEST) a = search_signature(&search, view, n, held);
 *         if (a == SEARCH_NEEDS_DIGEST) a = search_digest(&search, view, n, held, digest);
 *         if (a == SEARCH_NEEDS_BYTES)  search_bytes_new, and feed it
 *         if (a == SEARCH_YES) search_result_add(&result, …)
 *
 * uses: base, token, seqset, view, mail (digest, text); used by: SEARCH of imap, process (signer)
 */
#ifndef CULVER_IMAP_SEARCH_H
#define CULVER_IMAP_SEARCH_H

#include "base/arena.h"
#include "base/err.h"
#include "imap/seqset.h"
#include "imap/view.h"
#include "mail/signature.h"

struct digest; /* mail/digest.h */

enum search_op {
	/* joints: they take the answers of what stands before them */
	SEARCH_AND, /* of `count` */
	SEARCH_OR,
	SEARCH_NOT,
	/* from the entry */
	SEARCH_ALL,
	SEARCH_FLAG,     /* all of `flags` */
	SEARCH_KEYWORD,  /* text */
	SEARCH_SEQUENCE, /* set */
	SEARCH_UID,      /* set */
	SEARCH_LARGER,   /* number */
	SEARCH_SMALLER,
	SEARCH_MODSEQ, /* at least number */
	SEARCH_BEFORE, /* day: internal date */
	SEARCH_ON,
	SEARCH_SINCE,
	SEARCH_OLDER, /* number: seconds; RFC 5032 2 */
	SEARCH_YOUNGER,
	SEARCH_SAVED_BEFORE, /* day: save date; RFC 8514 4.3 */
	SEARCH_SAVED_ON,
	SEARCH_SAVED_SINCE,
	SEARCH_EMAIL_ID, /* number, 0: none has it; RFC 8474 6 */
	SEARCH_NEVER,    /* THREADID */
	SEARCH_RECENT,   /* and none of the flags; RFC 3501 6.4.4 */
	/* from the digest */
	SEARCH_SENT_BEFORE, /* day: Date field */
	SEARCH_SENT_ON,
	SEARCH_SENT_SINCE,
	SEARCH_HEADER, /* text in the field `field`; empty text: it is there. From, To, Cc, Bcc,
			  Subject are this too */
	/* from the bytes */
	SEARCH_BODY, /* text */
	SEARCH_TEXT,
};

struct search_key {
	enum search_op op;
	uint8_t flags;     /* SEARCH_FLAG, SEARCH_RECENT */
	uint16_t count;    /* SEARCH_AND */
	struct str field;  /* SEARCH_HEADER: name as given */
	struct str text;   /* as mail_search_text makes it, or a keyword as given */
	uint64_t number;   /* octets or mod-sequence */
	int64_t day;       /* days since 1970-01-01; OLDER, YOUNGER: the target, in seconds */
	int bit;           /* SEARCH_KEYWORD: the keyword's, or -1; by search_begin */
	int needle;        /* of the search's needles, or -1; by search_begin */
	struct seqset set; /* as given; search_begin resolves it into ranges */
	struct vec ranges; /* struct api_range: sequence numbers */
};

/* search-return-opt */
enum search_return {
	SEARCH_RETURN_MIN = 1,
	SEARCH_RETURN_MAX = 2,
	SEARCH_RETURN_ALL = 4,
	SEARCH_RETURN_COUNT = 8,
	SEARCH_RETURN_SAVE = 16,
	SEARCH_RETURN_PARTIAL = 32 /* RFC 9394; never with ALL */
};

/* What is asked of signatures (mail/signature.h): the trigrams of a key whose answer lies in the
 * bytes. Keys beyond so many are answered without. */
enum { SEARCH_NEEDLES = 7, SEARCH_SIGNED = 1 << SEARCH_NEEDLES };
struct search_needle {
	uint16_t trigrams[SIGNATURE_TRIGRAMS];
	size_t n;
};

struct search {
	struct search_key *keys; /* postfix; the last one is the root */
	size_t n;
	unsigned returns; /* enum search_return; 0: RETURN was not given */
	struct partial_range partial;
	bool extended;    /* RETURN was given, be it "()" (which means ALL) */
	bool uses_modseq; /* MODSEQ occurs: results carry the highest (RFC 7162 3.1.5) */
	bool uses_saved;  /* "$" occurs */
	bool has_charset; /* CHARSET was given */
	struct search_needle needles[SEARCH_NEEDLES];
	size_t n_needles; /* by search_begin */
	uint32_t work;    /* what one message costs: keys, and looks into sets; by search_begin */
	uint32_t texts;   /* keys that look for text; by search_begin */
	int64_t now_ms;   /* since 1970, for OLDER and YOUNGER; the caller's to set */
	uint8_t *scratch; /* room for the answers of one message; by search_begin */
};

/* Takes what follows "SEARCH": [SP "RETURN" …] SP [CHARSET …] keys, to the end. Without
 * CHARSET text is UTF-8 (RFC 9051 6.4.4). -1: ERR_SYNTAX (BAD), ERR_LIMIT (NO), ERR_UNSUPPORTED (NO
 * [BADCHARSET]).
 */
int search_parse(struct scan *s, struct arena *a, struct search *ret, struct err *err) MUST_CHECK;
/* The two halves of it, for SORT and THREAD: [SP "RETURN" …] SP; and charset SP keys (RFC 5256 5:
 * search-criteria). Each sets all of its part of *ret, options first. */
int search_parse_options(struct scan *s, struct search *ret, struct err *err) MUST_CHECK;
int search_parse_criteria(
	struct scan *s, struct arena *a, struct search *ret, struct err *err) MUST_CHECK;
/* Resolves sets and keywords with the view of this moment; saved: what "$" is. Numbers that no
 * message has match none. -1: ERR_LIMIT. search_end frees in either case. */
int search_begin(struct search *search, const struct view *v, const struct seqset *saved,
	struct err *err) MUST_CHECK;
/* Frees what search_begin made. */
void search_end(struct search *search);

enum search_answer { SEARCH_NO, SEARCH_YES, SEARCH_NEEDS_DIGEST, SEARCH_NEEDS_BYTES };

/* From the entry with this sequence number alone. */
enum search_answer search_entry(
	const struct search *search, const struct view *v, uint32_t sequence);
/* From the entry and what its signature holds: a bit for each needle, and SEARCH_SIGNED; 0: it has
 * none. Never SEARCH_NEEDS_BYTES. */
enum search_answer search_signature(
	const struct search *search, const struct view *v, uint32_t sequence, uint8_t held);
/* From those and the digest. */
enum search_answer search_digest(const struct search *search, const struct view *v,
	uint32_t sequence, uint8_t held, const struct digest *d);

/*
 * From the bytes as well: decoded text (mail_search_text) of the header and of the text parts, in
 * one pass and without holding more than a window of it (RFC 9051 6.4.4: BODY, TEXT, HEADER).
 *
 *     struct search_bytes *b = search_bytes_new(&search, view, n, &digest, prefix_size);
 *     while (search_bytes_want(b, &offset, &length)) search_bytes_feed(b, what is there);
 *     yes = search_bytes_answer(b);
 *     search_bytes_free(&b);
 *
 * The search and the view must stay as they are meanwhile; the digest is looked at in new and want
 * alone, and must stay too.
 */
struct search_bytes;
struct search_bytes *search_bytes_new(const struct search *search, const struct view *v,
	uint32_t sequence, uint8_t held, const struct digest *d, uint32_t prefix_size);
/* What to read next of the message (prefix and body as one). False: the answer is known. */
bool search_bytes_want(struct search_bytes *b, uint64_t *ret_offset, uint32_t *ret_length);
/* Bytes from the offset that was wanted, at least one and at most as many as wanted; none at all
 * when the message ends there. */
void search_bytes_feed(struct search_bytes *b, struct str bytes);
bool search_bytes_answer(const struct search_bytes *b);
/* How many bytes of text the keys were held against since this was last asked: by feed, and by
 * want, where a field of the header ends. */
uint64_t search_bytes_looked(struct search_bytes *b);
/* Has all of the text read, whatever the answer, and makes the message's signature of it: to be
 * said before the first search_bytes_want; to be taken, once, after the last one. */
void search_bytes_sign(struct search_bytes *b);
struct str search_bytes_signature(struct search_bytes *b);
void search_bytes_free(struct search_bytes **b);
/* The same signature of a message that is at hand: appended to out, at most SIGNATURE_BYTES_MOST.
 */
void search_sign(struct str prefix, struct str body, const struct digest *d, struct buf *out);

/* ---- results ---- */

/* What was found; added in ascending order. */
struct search_result {
	struct vec ranges; /* struct api_range: sequence numbers, or UIDs; in the order of the
			      answer */
	struct vec uids;   /* struct api_range: UIDs, when SAVE */
	uint32_t min, max, count;
	uint32_t min_uid, max_uid;
	bool sorted;     /* it is SORT's: ranges, min and max are in its order */
	uint64_t modseq; /* highest among the found */
	uint64_t min_modseq, max_modseq;
};
void search_result_init(struct search_result *r);
void search_result_done(struct search_result *r);
/* by_uid: numbers in answers are UIDs. */
bool search_result_add(struct search_result *r, const struct search *search, const struct view *v,
	uint32_t sequence, bool by_uid);
/* The same of SORT: in sorted order, after all were added to `uids` by search_result_keep in that
 * of the mailbox (what "$" becomes has no order). Ranges rise (RFC 5267 3.2). */
bool search_result_add_sorted(struct search_result *r, const struct search *search,
	const struct view *v, uint32_t sequence, bool by_uid);
bool search_result_keep(struct search_result *r, const struct search *search, const struct view *v,
	uint32_t sequence);
/* Where search_result_write goes on. */
struct search_write {
	int at;
	size_t range;
	uint32_t next;
	uint32_t passed; /* results in the ranges before */
	bool any;        /* a range was written */
	bool partial;    /* the head of PARTIAL was */
};
/* Adds "* SEARCH …", "* SORT …" or "* ESEARCH (TAG "a1") UID …", with its CRLF. extended: RETURN
 * was given, or IMAP4rev2 is enabled. True: done; false: out has no room, call again. */
bool search_result_write(const struct search_result *r, const struct search *search, struct str tag,
	bool by_uid, bool extended, struct search_write *w, struct buf *out);
/* What "$" becomes: the UIDs (RFC 9051 6.4.4.1: with MIN or MAX and without ALL or COUNT, those
 * alone). Ranges are appended to `saved`, a vec of struct api_range, emptied first. */
void search_result_save(
	const struct search_result *r, const struct search *search, struct vec *saved);

#endif
