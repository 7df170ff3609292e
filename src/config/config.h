/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one table of keys (config.c) with type, default, range and help. From it come
 * the parser, `culver check --print-defaults`, culver.conf(5), and the lines that each role is
 * given: a role gets the keys marked for it and no other, so it cannot leak the rest.
 *
 *     AUTO(config_free) struct config *c = config_load("D/culver.conf", &err);
 *     if (c == NULL) … err says file, line and what to do
 *
 * The syntax of the file is libconfuse's: key = value, lists in braces, # comments.
 *
 * uses: base, mail (domain names); used by: process, cli
 */
#ifndef CULVER_CONFIG_CONFIG_H
#define CULVER_CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/err.h"

#define CONFIG_LISTEN_MAX 16

struct config {
	/* everyone */
	char *hostname;
	char *log_format; /* "logfmt" or "json" */
	char *log_level;  /* "error", "warn", "info", "debug" */
	/* supervisor */
	char *directory; /* data, keys, control socket; absolute after config_load */
	char *user;
	char *listen[CONFIG_LISTEN_MAX]; /* addresses; NULL ends */
	int64_t port_offset;
	int64_t fronts_mx, fronts_user;
	char *log_file;
	int64_t drain_seconds, front_hours, upgrade_drain_seconds;
	/* fronts */
	bool loopback;
	int64_t message_bytes;
	int64_t recipients;
	int64_t sessions;
	int64_t sessions_per_address;
	char *unknown_server_name;  /* "default", "refuse" */
	int64_t pop3_login_delay_s; /* the store's too */
	bool client_certificates;
	bool submission_plus;
	bool pop3_surrogates;
	char *imap_hide;
	bool imap_hide_known;
	/* gate */
	int64_t hash_workers;
	int64_t ticket_hours;
	/* store */
	int64_t segment_bytes;
	int64_t reserve_bytes;
	int64_t keep_deleted_days;
};

/* Whom a key is for. */
enum config_reader {
	FOR_SUPERVISOR = 1,
	FOR_FRONT = 2,
	FOR_STORE = 4,
	FOR_GATE = 8,
	FOR_KEYS = 16,
	FOR_COURIER = 32,
	FOR_ALL = 63
};

/* Reads and checks a file. NULL: err says file, line, what is wrong and what would be right. */
struct config *config_load(const char *path, struct err *err);
/* All defaults, with the directory of a file that config_load refuses, as far as a line of it says.
 * NULL: there is none. */
struct config *config_load_directory(const char *path);
/* All of a regular file, at most out's bound. 0, or -1 and err in words without its name: what is
 * none (a pipe, a device) is refused rather than waited for. */
int config_read_file(const char *path, struct buf *out, struct err *err);
/* Of a file read anew, beside what is in force: keys that take effect at a start alone keep their
 * old value, and the names of those that differ are added to ret_keys, a blank between them. */
void config_keep_for_start(
	struct config *fresh, const struct config *in_force, struct buf *ret_keys);
/* All defaults, as a role starts with. */
struct config *config_new(void);
void config_free(struct config **);

/* "key value" lines for one reader. */
void config_write_for(const struct config *, enum config_reader reader, struct buf *out);
/* Sets what such lines say. -1: an unknown key or a bad value. */
int config_read_lines(struct config *, struct str lines, struct err *err);
/* The table as text: key, type, default, range, help; as culver.conf(5)'s list (mdoc) or JSON. */
enum config_form { CONFIG_PLAIN, CONFIG_MDOC, CONFIG_JSON };
void config_print_defaults(struct buf *out, enum config_form form);

#endif
