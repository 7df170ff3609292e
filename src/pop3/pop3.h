/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POP3: RFC 1939, with CAPA (2449), STLS (2595), AUTH (5034), PIPELINING, TOP, UIDL,
 * EXPIRE, LOGIN-DELAY, UTF8 and LANG (6856), and response codes (2449, 3206). The maildrop is the
 * account's INBOX as it was when the session began.
 *
 * No I/O (api/session.h): bytes and answers in, bytes and questions out. What there is:
 *
 *     wire.c       bytes to lines; messages to dot-stuffed text; where TOP ends
 *     session.c    the states and the table of verbs: who may say what when
 *     cmd_login.c  USER, PASS, AUTH, STLS, CAPA, and opening the maildrop
 *     cmd_language.c  UTF8, LANG
 *     cmd_drop.c   STAT, LIST, UIDL, DELE, RSET, NOOP
 *     cmd_read.c   RETR, TOP
 *     cmd_quit.c   QUIT: the UPDATE state, what is deleted by whose wish
 *     reply.c      error kinds as response codes
 *
 * Never: a deletion without QUIT (hostile-input P5); a password without TLS, but on loopback when
 * it is configured so; a byte more or less of a message than LIST said (P3).
 *
 * uses: base, api, auth/sasl; used by: process/front
 */
#ifndef CULVER_POP3_POP3_H
#define CULVER_POP3_POP3_H

#include "api/session.h"

extern const struct session_class pop3_session_class;

#endif
