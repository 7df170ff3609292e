// SPDX-License-Identifier: Apache-2.0
/*
 * DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030 2): how a message is sent. What happens to its bytes
 * is in receive.c.
 */
#include "smtp/smtp_private.h"

void smtp_data(struct smtp *s, struct str args)
{
	(void)args;
	/* "MUST NOT be sent" with DATA; RFC 3030 3 */
	if (s->tx.body == BODY_BINARYMIME) {
		smtp_say(s, SAY_BINARY_NEEDS_CHUNKS);
		return;
	}
	smtp_receive_begin(s);
	s->reading = READ_DATA;
	smtp_data_begins(s);
	smtp_say(s, SAY_SEND_DATA);
}

/* bdat-cmd = "BDAT" SP chunk-size [ SP end-marker ]. The chunk follows whatever we think of it, so
 * one that is refused is read and dropped, and one whose size nobody can tell ends the connection
 * (hostile-input S25, S27, S28). */
void smtp_bdat(struct smtp *s, struct str args)
{
	uint64_t size;
	bool last;
	if (!smtp_chunk_args(args, &size, &last)) {
		smtp_say_and_close(s, SAY_BAD_CHUNK);
		return;
	}
	if (!(s->state & (SMTP_RCPT | SMTP_CHUNKS))) {
		smtp_discard_chunk(s, size, smtp_out_of_order_for_data(s));
		return;
	}
	/* S26: chunks that carry nothing and never end */
	if (!last && size < LIMIT_SMTP_TINY_CHUNK && ++s->tx.tiny_chunks > LIMIT_SMTP_TINY_CHUNKS) {
		smtp_say_and_close(s, SAY_TOO_MUCH_TALK);
		return;
	}
	if (s->state == SMTP_RCPT)
		smtp_receive_begin(s);
	s->state = SMTP_CHUNKS;
	if (!smtp_receive_room(s, size)) {
		smtp_receive_log(s, "too-big");
		smtp_discard_chunk(s, size, SAY_TOO_BIG);
		return;
	}
	s->reading = READ_CHUNK;
	s->chunk_left = size;
	s->chunk_size = size;
	s->chunk_last = last;
	smtp_data_begins(s);
	if (size == 0)
		smtp_receive_chunk(s, STR_NONE);
}
