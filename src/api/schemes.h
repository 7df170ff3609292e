/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that travel in frames and are not enum err_kind. Append only.
 *
 * uses: nothing; used by: protocols, store, gate, keys, process, cli
 */
#ifndef CULVER_API_SCHEMES_H
#define CULVER_API_SCHEMES_H

/* struct entry: flags. RFC 9051 2.3.2. \Recent is a matter of sessions, not stored. */
enum entry_flag {
	FLAG_SEEN = 1,
	FLAG_ANSWERED = 2,
	FLAG_FLAGGED = 4,
	FLAG_DELETED = 8,
	FLAG_DRAFT = 16,
	FLAGS_ALL = 31
};

/* set_flags: mode */
enum flags_mode { FLAGS_REPLACE = 0, FLAGS_ADD = 1, FLAGS_REMOVE = 2 };

/* struct mailbox: special_use, bits. RFC 6154 2 */
enum special_use {
	USE_ARCHIVE = 1,
	USE_DRAFTS = 2,
	USE_FLAGGED = 4,
	USE_JUNK = 8,
	USE_SENT = 16,
	USE_TRASH = 32,
	USE_ALL = 64
};

/* struct account: services, bits that are on */
enum service { SERVICE_SMTP = 1, SERVICE_IMAP = 2, SERVICE_POP3 = 4, SERVICES_ALL = 7 };

/* struct secret: kind. The first three come from the password and go when it changes. */
enum secret_kind {
	SECRET_PASSWORD = 1,     /* a crypt(3) string */
	SECRET_SCRAM_SHA256 = 2, /* salt, iterations and keys; RFC 5802 3 */
	SECRET_RECOVERABLE = 3,  /* the password itself, encrypted by the gate */
	SECRET_APP_PASSWORD = 4, /* the gate's MAC of it, 32 bytes; then as SECRET_SCRAM_SHA256 */
	SECRET_CERTIFICATE = 5   /* a client certificate's SHA-256, 32 bytes */
};

enum { APP_PASSWORD_MAC_BYTES = 32 };

/* struct account: kind */
enum account_kind { ACCOUNT_PERSON = 0, ACCOUNT_SANDBOX = 1, ACCOUNT_STREAM = 2 };

/* struct account: pop3_retention */
enum pop3_retention { RETAIN_CLIENT = 0, RETAIN_KEEP = 1, RETAIN_DELETE = 2, RETAIN_EXPIRE = 3 };

/* account_set: set */
enum account_field {
	ACCOUNT_ACTIVE = 1,
	ACCOUNT_SERVICES = 2,
	ACCOUNT_QUOTA_BYTES = 4,
	ACCOUNT_QUOTA_MESSAGES = 8,
	ACCOUNT_POP3_RETENTION = 16,
	ACCOUNT_KIND = 32,
	ACCOUNT_LEGACY_AUTH = 64
};

/* sign: scheme */
enum key_scheme {
	SCHEME_ECDSA_SHA256 = 1,
	SCHEME_ECDSA_SHA384 = 2,
	SCHEME_RSA_PKCS1_SHA256 = 3,
	SCHEME_RSA_PKCS1_SHA384 = 4,
	SCHEME_RSA_PKCS1_SHA512 = 5,
	SCHEME_RSA_PSS_SHA256 = 6,
	SCHEME_RSA_PSS_SHA384 = 7,
	SCHEME_RSA_PSS_SHA512 = 8,
	SCHEME_ED25519 = 9 /* DKIM alone; the "digest" is the message's hash to be signed */
};

/* What a channel's other end is, and so what it may ask. hand_over: role */
enum peer_class {
	CLASS_SUPERVISOR = 1,
	CLASS_MX = 2,   /* strangers: resolve, deliver */
	CLASS_USER = 3, /* sessions with a ticket, and what mx may */
	CLASS_WEB = 4,
	CLASS_ADMIN = 5, /* the command line */
	CLASS_STORE = 6,
	CLASS_GATE = 7,
	CLASS_KEYS = 8,
	CLASS_COURIER = 9,
	CLASS_FETCHER = 10 /* reads another server for the command line */
};

#endif
