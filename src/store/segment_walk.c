// SPDX-License-Identifier: Apache-2.0
/* Walking all segments: `store check`, and rebuilding a lost ledger from the records. */
#include "store/segment_private.h"

#include "base/buf.h"

#include <stdlib.h>

#define PREFIXES_BYTES (LIMIT_RECORD_RECIPIENTS * LIMIT_PREFIX_BYTES)

struct walker {
	struct segment_walk *walk;
	uint32_t number;
	struct vec recipients; /* struct record_recipient */
	struct vec prefix_at;  /* uint32_t */
	struct buf prefixes;   /* the bytes of all prefixes; the window moves on */
};

static void report(struct walker *w, uint64_t offset, uint64_t end, const char *text)
{
	w->walk->n_findings++;
	struct segment_finding f = {
		.segment = w->number, .offset = offset, .end = end, .text = text
	};
	if (w->walk->finding)
		w->walk->finding(w->walk->arg, &f);
}

/* Copies the verified recipients of the record loaded. */
static int collect_recipients(struct walker *w, struct segment_reader *r)
{
	const struct record_header *h = &r->header;
	uint64_t at = record_recipients_at(h), most = record_recipient_length(LIMIT_PREFIX_BYTES);
	vec_clear(&w->recipients);
	vec_clear(&w->prefix_at);
	buf_clear(&w->prefixes);
	for (uint32_t i = 0; i < h->n_recipients; i++) {
		struct record_recipient recipient;
		uint32_t index, here = (uint32_t)at;
		size_t used, n = (size_t)(record_chunks_at(h) - at);
		n = n < most ? n : (size_t)most;
		const uint8_t *p = segment_window(r, h->segment, h->offset + at, n, NULL);
		if (p == NULL || record_get_recipient(r->s->seed, p, n, h->blob_id, &recipient,
					 &index, &used, NULL) < 0)
			return -1;
		buf_adds(&w->prefixes, recipient.prefix);
		vec_push(&w->recipients, &recipient);
		vec_push(&w->prefix_at, &here);
		at += used;
	}
	/* Now that the bytes stay where they are. */
	const char *p = w->prefixes.p;
	VEC_EACH (struct record_recipient, recipient, &w->recipients) {
		recipient->prefix.p = p;
		p += recipient->prefix.n;
	}
	return 0;
}

static int on_record(void *arg, struct segment_reader *r)
{
	struct walker *w = arg;
	const struct record_header *h = &r->header;
	w->walk->n_records++;
	w->walk->n_bytes += h->raw_length;
	if (w->walk->record == NULL)
		return 0;
	if (collect_recipients(w, r) < 0) {
		report(w, h->offset, h->offset + h->stored_length,
			"a record's recipients can't be read twice");
		return 0;
	}
	struct segment_record record = { .ref = { h->blob_id, h->segment, h->offset,
						 h->stored_length },
		.raw_length = h->raw_length,
		.recipients = (const struct record_recipient *)(void *)w->recipients.p,
		.prefix_at = (const uint32_t *)(void *)w->prefix_at.p,
		.n_recipients = h->n_recipients };
	memcpy(record.sha256, h->sha256, sizeof(record.sha256));
	return w->walk->record(w->walk->arg, &record);
}

static int on_garbage(void *arg, uint64_t from, uint64_t to, const struct err *why)
{
	struct walker *w = arg;
	struct err text;
	fail(&text, ERR_CORRUPT, "%llu bytes are no record: %.100s",
		(unsigned long long)(to - from), err_log_text(why));
	report(w, from, to, text.public_text);
	return 0;
}

/* One segment. What can't be read of it is a finding too. */
static int walk_segment(struct walker *w, struct segment_reader *r)
{
	struct err err = ERR_INIT;
	int file;
	uint64_t limit;
	if (segment_acquire(r->s, w->number, &file, &limit, &err) < 0) {
		report(w, 0, UINT64_MAX, err_log_text(&err));
		return 0;
	}
	if (segment_check_header(r->s, file, w->number, &err) < 0)
		report(w, 0, SEGMENT_HEADER_BYTES, err_log_text(&err));
	segment_release(r->s, w->number, file);
	struct segment_scan scan = { .number = w->number,
		.from = SEGMENT_HEADER_BYTES,
		.limit = limit,
		.bodies = w->walk->bodies,
		.record = on_record,
		.garbage = on_garbage,
		.arg = w };
	err = (struct err)ERR_INIT;
	int result = segment_scan(r, &scan, &err);
	if (result >= 0 || err.kind == ERR_NONE)
		return result;
	report(w, scan.end, limit, err_log_text(&err));
	return 0;
}

int segments_walk(struct segments *s, struct segment_walk *walk, struct err *err)
{
	struct vec numbers;
	pthread_mutex_lock(&s->lock);
	uint32_t last = s->last_number;
	pthread_mutex_unlock(&s->lock);
	if (segment_numbers(s, &numbers, err) < 0) {
		vec_done(&numbers);
		return -1;
	}
	struct walker w = { .walk = walk };
	vec_init(&w.recipients, sizeof(struct record_recipient), LIMIT_RECORD_RECIPIENTS);
	vec_init(&w.prefix_at, sizeof(uint32_t), LIMIT_RECORD_RECIPIENTS);
	buf_init(&w.prefixes, PREFIXES_BYTES);
	struct segment_reader *r = segment_reader_new(s);
	int result = 0;
	VEC_EACH (uint32_t, number, &numbers) {
		w.number = *number;
		if (*number <= last && (result = walk_segment(&w, r)) != 0)
			break;
	}
	segment_reader_free(&r);
	buf_done(&w.prefixes);
	vec_done(&w.prefix_at);
	vec_done(&w.recipients);
	vec_done(&numbers);
	return result;
}
