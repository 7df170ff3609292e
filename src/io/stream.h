/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream: a client's connection, or ours to a server, plain or TLS, with bounded buffers and a
 * deadline.
 *
 *     bytes in:  on_input(arg, bytes) returns how many it took; the rest is kept (at most
 *                LIMIT_STREAM_IN_BYTES) and offered again with more, or at stream_resume().
 *                While bytes are left over nothing is read from the network.
 *     bytes out: stream_send takes them all from a buf it is given and sends as the client reads.
 *
 * While the stream idles its buffers are given back (SSL_MODE_RELEASE_BUFFERS and our own).
 * COMPRESS (RFC 4978) goes between the owner and TLS; what is expanded is offered in pieces of at
 * most 16 KiB, so that a bomb is only a client that sends much.
 * STARTTLS throws unread plaintext away (RFC 3207 4.2). After TLS has begun no byte is ever read as
 * plaintext again: the end of TLS is the end of the stream (hostile-input S19).
 *
 * uses: base, io/loop, io/tls, io/squeeze; used by: process/front
 */
#ifndef CULVER_IO_STREAM_H
#define CULVER_IO_STREAM_H

#include "base/buf.h"
#include "io/loop.h"

struct stream;
struct session_bindings;
struct tls_server;
struct tls_client;

struct stream_events {
	size_t (*input)(void *arg, struct str bytes);
	void (*drained)(void *arg);     /* everything given to stream_send has left */
	void (*tls_started)(void *arg); /* the handshake is done */
	void (*eof)(void *arg); /* no input will come; truncated: TLS ended without close_notify */
	void (*failed)(void *arg, const char *reason); /* dead; only stream_free is left */
	void *arg;
};

struct stream *stream_new(struct loop *, int handle, const struct stream_events *);
/* Starts the server's side of TLS, after what was given to stream_send has left. Unread plaintext
 * is thrown away. The handshake has LIMIT_HANDSHAKE_MS. alpn: the protocol's registered name or
 * NULL, copied. The server is referenced as long as it is needed. May be called inside input(). */
void stream_start_tls(struct stream *, struct tls_server *, const char *alpn);
/* The same as the client: host is whom the certificate must be for, copied. */
void stream_start_tls_to(struct stream *, struct tls_client *, const char *host);
/* From here on everything is compressed both ways (DEFLATE), inside of TLS: what is given to
 * stream_send from now on, and the input that was not taken yet. Once; what it costs is in
 * squeeze.h. Input that can't be expanded fails the stream. */
void stream_start_compression(struct stream *);
/* Takes the contents of out (as many as fit; the rest stays) and sends, soon. All of these calls
 * may be made from inside events, and none calls one back from inside. */
void stream_send(struct stream *, struct buf *out);
size_t stream_unsent(const struct stream *);
/* Offers kept input again. */
void stream_resume(struct stream *);
/* Stops or resumes reading from the network. */
void stream_pause(struct stream *, bool on);
/* Sends what is queued, then close_notify, and closes, in at most LIMIT_CLOSE_MS; then
 * on_failed("closed"). (A client that does not read: the stream fails when unsent bytes make no
 * progress for LIMIT_SEND_STALL_MS. Deadlines of the protocol are the caller's timer.) */
void stream_close(struct stream *);
void stream_tls_info(const struct stream *, char version[16], char cipher[64]);
/* As tls_conn_bindings (tls.h). */
bool stream_tls_bindings(const struct stream *, struct session_bindings *) MUST_CHECK;
void stream_free(struct stream **); /* at once */

#endif
