/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMTP, receiving: one session for ports 25, 587, 465 and 2525. RFC 5321, with PIPELINING (2920),
 * SIZE (1870), 8BITMIME (6152), CHUNKING and BINARYMIME (3030), SMTPUTF8 (6531), STARTTLS (3207),
 * AUTH (4954), ENHANCEDSTATUSCODES (2034); submission as in RFC 6409.
 *
 * No I/O (api/session.h): bytes and answers in, bytes and questions out. What there is:
 *
 *     wire.c       bytes to lines, data and chunks; strict
 *     grammar.c    text to structs
 *     session.c    the states and the table of verbs: who may say what when
 *     cmd_*.c      one verb, or a family, each: question and answer next to each other
 *     receive.c    a message on its way: bytes to the store, checks, the one reply
 *     submit.c     what submission does to a header: Bcc out, Date and Message-ID in
 *     trace.c      the lines in front of each copy: Return-Path, Delivered-To, Received
 *     reply.c      every sentence we can say, and its codes; nobody else knows one
 *
 * Never: two readings of one input; a 250 before `delivered`; a delivery without its terminator; a
 * password in a log; a relay (remote recipients are refused until sending exists).
 *
 * uses: base, api, auth/sasl, mail; used by: process/front
 */
#ifndef CULVER_SMTP_SMTP_H
#define CULVER_SMTP_SMTP_H

#include "api/session.h"

/* peer->service: "smtp" (25: no AUTH, mail for our own alone), "submission" (587), "submissions"
 * (465, TLS from the start), "submission-alt" (2525). */
extern const struct session_class smtp_session_class;

#endif
