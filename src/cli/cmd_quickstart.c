// SPDX-License-Identifier: Apache-2.0
/* culver quickstart: a directory with everything a server needs: configuration, store with one
 * domain, a key and a certificate. What exists is left as it is, so a second run changes nothing; a
 * directory that holds something else is left alone.
 *
 * Without --dir it is the system's: the configuration where every command looks for it, the rest in
 * the directory that it names, all of it the service's user's, since the service never is root. */
#include "cli/cli.h"

#include "base/seams.h"
#include "cli/certificate.h"
#include "cli/remote.h"
#include "process/os.h"
#include "store/names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYSTEM_DIRECTORY "/var/lib/culver"

struct quickstart {
	const struct options *o;
	const char *dir;
	char config_path[4200];
	struct identity owner; /* of what is made; -1: who runs the command */
	bool whole_machine, config_was_there, certificate_was_there;
	char directory[4200];
	char hostname[LIMIT_DOMAIN_BYTES + 1], domain[LIMIT_DOMAIN_BYTES + 1];
};

/* ---- the place ---- */

/* What a quickstart makes, or a server behind it; also when it was interrupted, and where a backup
 * of the keys was brought back first. */
static bool is_culvers(const char *name)
{
	static const char *const names[] = { ".", "..", "culver.conf", "tls", "keys", "empty",
		"master.key", "data", "data.used", "passwords", "lock", "control", "lost+found" };
	struct str s = str_from(name);
	if (str_ends_nocase(s, STR(".new"))) /* not yet under its name */
		s.n -= strlen(".new");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal(str_from(names[i]), s))
			return true;
	return false;
}

/* A configuration makes a directory a server's; else it must not be somebody else's. */
static int look_at_directory(const struct quickstart *q, struct err *err)
{
	int result = 0;
	DIR *dir = access(q->config_path, F_OK) == 0 ? NULL : opendir(q->dir);
	for (struct dirent *d; dir && result == 0 && (d = readdir(dir)) != NULL;)
		if (!is_culvers(d->d_name))
			result = fail_log(err, ERR_EXISTS,
				"%s is not empty (%s is in it): name a directory that is a "
				"server's alone, a new one (--dir %s%sculver, say)",
				q->dir, d->d_name, q->dir,
				str_ends_nocase(str_from(q->dir), STR("/")) ? "" : "/");
	if (dir)
		closedir(dir);
	return result;
}

/* ---- files ---- */

/* The name itself: a rename is on the disk when its directory is. */
static bool flush_directory(const char *path)
{
	AUTO(mem_free_p)
	char *copy = xstrdup(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

/* Writes a file whole or not at all; one that exists is left alone. Flushed, with its name. */
static int write_path(
	const char *path, unsigned mode, struct identity owner, struct str bytes, struct err *err)
{
	char temporary[4400];
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (access(path, F_OK) == 0)
		return 0;
	/* Root follows no link that the server's user has put there. */
	(void)unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return fail_errno(err, "cannot write %s", path);
	bool good = fchmod(fd, mode) == 0 &&
		    (owner.uid < 0 || fchown(fd, (uid_t)owner.uid, (gid_t)owner.gid) == 0) &&
		    write(fd, bytes.p, bytes.n) == (ssize_t)bytes.n && fsync(fd) == 0;
	good = close(fd) == 0 && good && rename(temporary, path) == 0 && flush_directory(path);
	if (good)
		return 0;
	int result = fail_errno(err, "cannot write %s", path);
	unlink(temporary);
	return result;
}

static int write_file(const struct quickstart *q, const char *name, unsigned mode, struct str bytes,
	struct err *err)
{
	char path[4300];
	snprintf(path, sizeof(path), "%s/%s", q->dir, name);
	return write_path(path, mode, q->owner, bytes, err);
}

static int make_directories(const struct quickstart *q, struct err *err)
{
	static const struct {
		const char *name;
		unsigned mode;
	} directories[] = { { "", 0755 }, { "tls", 0755 }, { "keys", 0700 }, { "empty", 0555 } };
	for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
		char path[4300];
		snprintf(path, sizeof(path), "%s/%s", q->dir, directories[i].name);
		if (os_make_directory(path, directories[i].mode, q->owner, err))
			return -1;
	}
	return 0;
}

static int write_config(struct quickstart *q, struct err *err)
{
	const struct options *o = q->o;
	AUTO(buf_done)
	struct buf text;
	q->config_was_there = access(q->config_path, F_OK) == 0;
	buf_init(&text, 65536);
	buf_addz(&text, "# Culver's configuration. Every key: culver check --print-defaults\n");
	buf_addf(&text, "hostname = \"%s\"\n", q->hostname);
	if (q->whole_machine)
		buf_addf(&text, "directory = \"%s\"\n", q->dir);
	if (o->offset)
		buf_addf(&text, "port_offset = %lld\n", (long long)o->offset);
	if (o->loopback)
		buf_addz(&text,
			"# For trying and testing: this machine alone, and passwords without TLS.\n"
			"listen = {\"127.0.0.1\", \"::1\"}\nloopback = true\n");
	return write_path(q->config_path, 0644, (struct identity){ -1, -1 }, buf_str(&text), err);
}

static int write_master_key(const struct quickstart *q, struct err *err)
{
	uint8_t key[32];
	struct random_seam *random = random_os();
	random->fill(random, key, sizeof(key));
	int result = write_file(q, "master.key", 0600, str_make(key, sizeof(key)), err);
	mem_wipe(key, sizeof(key));
	return result;
}

/* The key first: a certificate without its key would be worse than none. */
static int write_certificate(struct quickstart *q, struct err *err)
{
	const char *names[] = { q->hostname, q->domain, "localhost", "127.0.0.1", "::1", NULL };
	char path[4300];
	snprintf(path, sizeof(path), "%s/tls/default.crt", q->dir);
	q->certificate_was_there = access(path, F_OK) == 0;
	if (q->certificate_was_there)
		return 0;
	AUTO(buf_done)
	struct buf key, certificate;
	buf_init(&key, 8192);
	buf_init(&certificate, 8192);
	int result = certificate_make(names, &key, &certificate, err);
	if (result == 0) {
		snprintf(path, sizeof(path), "%s/keys/default.key", q->dir);
		unlink(path);
		result = write_file(q, "keys/default.key", 0600, buf_str(&key), err);
	}
	if (result == 0)
		result = write_file(q, "tls/default.crt", 0644, buf_str(&certificate), err);
	if (key.p)
		mem_wipe(key.p, key.cap);
	return result;
}

/* ---- the store ---- */

static int add_domain(const struct quickstart *q, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_DOMAIN_ADD, .domain_add.name = str_from(q->domain) };
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err) && err->kind != ERR_EXISTS)
		return -1;
	return 0;
}

/* Letters and digits that are not mistaken for one another; about 119 bits. */
static void make_password(char ret[25])
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
	struct random_seam *random = random_os();
	for (size_t i = 0; i < 24;) {
		uint8_t byte;
		random->fill(random, &byte, 1);
		if (byte < 256 / (sizeof(letters) - 1) * (sizeof(letters) - 1))
			ret[i++] = letters[byte % (sizeof(letters) - 1)];
	}
	ret[20] = '\0';
}

static int add_person(const struct quickstart *q, struct remote *r, const char *local,
	struct buf *passwords, struct err *err)
{
	char password[25], address[600];
	struct remote_verifier verifier;
	make_password(password);
	snprintf(address, sizeof(address), "%s@%s", local, q->domain);
	if (remote_make_verifier(r, str_from(password), str_from(address), false, &verifier, err))
		return -1;
	struct frame f = { .type = FRAME_ACCOUNT_ADD,
		.account_add = { .address = str_from(address),
			.verifier = str_from(verifier.text),
			.secrets = remote_secrets(&verifier) } };
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err)) {
		if (err->kind != ERR_EXISTS)
			return -1;
		/* An earlier run died before it could write the passwords down. */
		f = (struct frame){ .type = FRAME_ACCOUNT_PASSWORD,
			.account_password = { str_from(address), str_from(verifier.text),
				remote_secrets(&verifier) } };
		if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err))
			return -1;
	}
	buf_addf(passwords, "%s %s\n", address, password);
	return 0;
}

static int add_people(const struct quickstart *q, struct remote *r, struct err *err)
{
	char path[4300];
	AUTO(buf_done)
	struct buf passwords;
	buf_init(&passwords, 8192);
	snprintf(path, sizeof(path), "%s/passwords", q->dir);
	if (!q->o->demo || access(path, F_OK) == 0)
		return 0;
	int result = add_person(q, r, "alice", &passwords, err);
	if (result == 0)
		result = add_person(q, r, "bob", &passwords, err);
	if (result == 0)
		result = write_file(q, "passwords", 0600, buf_str(&passwords), err);
	if (passwords.p)
		mem_wipe(passwords.p, passwords.cap);
	return result;
}

static int fill_store(const struct quickstart *q, struct err *err)
{
	const char *note;
	char data[4300];
	AUTO(config_free)
	struct config *c = config_load(q->config_path, err);
	if (c == NULL)
		return -1;
	snprintf(data, sizeof(data), "%s/data", c->directory);
	if (os_make_directory(data, 0700, os_identity(c, &note), err))
		return -1;
	AUTO(remote_close)
	struct remote *r = remote_open(q->config_path, false, err);
	return r == NULL || add_domain(q, r, err) || add_people(q, r, err) ? -1 : 0;
}

/* ---- the command ---- */

/* Host name and domain are kept as every protocol has them: as A-labels. */
static int take_name(
	const char *what, const char *given, char ret[LIMIT_DOMAIN_BYTES + 1], struct err *err)
{
	struct err why = ERR_INIT;
	if (domain_canonical(str_from(given), ret, &why) == 0 &&
		domain_check(str_from(ret), &why) == 0)
		return 0;
	return fail(err, ERR_SYNTAX, "%s: %s", what, why.public_text);
}

static int take_names(struct quickstart *q, struct err *err)
{
	if (take_name("--hostname", q->o->hostname, q->hostname, err) < 0)
		return -1;
	return take_name("--domain", q->o->domain, q->domain, err);
}

/* What is there already decides; else /var/lib/culver. */
static int choose_system(struct quickstart *q, struct err *err)
{
	const char *note;
	snprintf(q->config_path, sizeof(q->config_path), "%s", options_config(q->o));
	AUTO(config_free)
	struct config *c = access(q->config_path, F_OK) == 0 ? config_load(q->config_path, err)
							     : config_new();
	if (c == NULL)
		return -1;
	bool there = access(q->config_path, F_OK) == 0;
	snprintf(q->directory, sizeof(q->directory), "%s", there ? c->directory : SYSTEM_DIRECTORY);
	q->dir = q->directory;
	q->whole_machine = true;
	struct identity who = os_identity(c, &note);
	if (note == NULL) /* there is such a user */
		q->owner = who;
	return 0;
}

static int choose_place(struct quickstart *q, struct err *err)
{
	if (q->dir == NULL)
		return choose_system(q, err);
	snprintf(q->config_path, sizeof(q->config_path), "%s/culver.conf", q->dir);
	return 0;
}

static void say_what_is_there(const struct quickstart *q)
{
	AUTO(buf_done)
	struct buf path;
	static const char was_there[] = " (was there, and was left as it is)";
	buf_init(&path, 4 * sizeof(q->config_path) + 2);
	cli_shell_word(&path, str_from(q->config_path));
	printf("configuration  %s%s\n", q->config_path, q->config_was_there ? was_there : "");
	if (q->certificate_was_there)
		printf("certificate    %s/tls/default.crt%s\n", q->dir, was_there);
	else
		printf("certificate    %s/tls/default.crt (of its own making; for %s)\n", q->dir,
			q->hostname);
	printf("retention      POP3 clients decide what is deleted (culver account set "
	       "--retention)\n"
	       "start it       %s%s\n",
		q->whole_machine ? "systemctl enable --now culver" : "culver serve -c ",
		q->whole_machine ? "" : path.p);
	if (!q->o->demo)
		printf("add somebody   culver account add -c %s NAME@%s\n", path.p, q->domain);
}

int cmd_quickstart(const struct options *o)
{
	struct err err = ERR_INIT;
	struct quickstart q = { .o = o, .dir = o->dir, .owner = { -1, -1 } };
	if (o->args_n || !o->hostname || !o->domain)
		return cli_usage(o, "[--dir D | -c FILE] --hostname H --domain X [--offset N] "
				    "[--loopback] [--demo] [--json]");
	umask(022);
	if (take_names(&q, &err) || choose_place(&q, &err) || look_at_directory(&q, &err) ||
		make_directories(&q, &err) || write_config(&q, &err) ||
		write_master_key(&q, &err) || write_certificate(&q, &err) || fill_store(&q, &err))
		return cli_fail(o, &err);
	if (o->json)
		printf("{\"done\":true}\n");
	else
		say_what_is_there(&q);
	return EXIT_GOOD;
}
