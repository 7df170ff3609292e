// SPDX-License-Identifier: Apache-2.0
/* Files and the user that a start needs: whether they are there and as they should be. */
#include "process/preflight.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/seams.h"
#include "base/vec.h"
#include "imap/imap.h"
#include "io/keysign.h"
#include "io/tls.h"
#include "process/os.h"
#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { MASTER_KEY_BYTES = 32, PATH_BYTES = 4300, TEXT_BYTES = 5000, MOST_LINKS = 40 };

struct teller {
	void (*warn)(void *arg, const char *text);
	void *arg;
};

static PRINTF_LIKE(2, 3) void say(const struct teller *t, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	t->warn(t->arg, text);
}

bool preflight_file_is_open(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && (s.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

static int look_at_key(const struct config *c, const struct teller *t, struct err *err)
{
	char path[PATH_BYTES];
	struct stat s;
	snprintf(path, sizeof(path), "%s/master.key", c->directory);
	if (stat(path, &s) < 0 && errno == EACCES)
		say(t, "%s: this user may not look at it", path);
	else if (stat(path, &s) < 0)
		return fail_log(err, ERR_CONFIG, "%s: %s%s", path, strerror(errno),
			errno == ENOENT ? PREFLIGHT_NO_KEY : "");
	else if (s.st_size != MASTER_KEY_BYTES)
		return fail(err, ERR_CONFIG, "%s: it must have %d bytes", path, MASTER_KEY_BYTES);
	else if (preflight_file_is_open(path))
		say(t, "%s: others than its owner can read it (chmod 600)", path);
	return 0;
}

/* Whether a file that is not there can be made: in its directory or, when it is a link, in that of
 * the place where it leads. -1 and errno: it can't. The path is absolute. */
static int look_at_place(const char *path)
{
	char at[PATH_BYTES], link[PATH_BYTES];
	ssize_t n;
	snprintf(at, sizeof(at), "%s", path);
	for (int i = 0; i < MOST_LINKS && (n = readlink(at, link, sizeof(link) - 1)) > 0; i++) {
		size_t from = link[0] == '/' ? 0 : (size_t)(strrchr(at, '/') - at) + 1;
		link[n] = '\0';
		snprintf(at + from, sizeof(at) - from, "%s", link);
	}
	strrchr(at, '/')[1] = '\0';
	return access(at, W_OK | X_OK);
}

/* A log is opened, and made where there is none, by who starts the server. */
static int look_at_log(const struct config *c, const struct teller *t, struct err *err)
{
	struct stat s;
	if (strcmp(c->log_file, "stderr") == 0)
		return 0;
	int result = access(c->log_file, W_OK);
	if (result == 0 && stat(c->log_file, &s) == 0 && S_ISDIR(s.st_mode))
		return fail(err, ERR_CONFIG, "log_file %s: it is a directory", c->log_file);
	if (result < 0 && errno == ENOENT)
		result = look_at_place(c->log_file);
	if (result < 0 && errno == EACCES)
		say(t, "log_file %s: this user may not write it", c->log_file);
	else if (result < 0)
		return fail(err, ERR_CONFIG, "log_file %s: it cannot be opened: %s", c->log_file,
			strerror(errno));
	return 0;
}

static void look_at_user(const struct config *c, const struct teller *t)
{
	const char *note;
	(void)os_identity(c, &note);
	if (note)
		say(t, "user %s: %s", c->user, note);
}

/* ---- data ---- */

/* What the store writes. Of other files reading will do: a command that root gives leaves a mark
 * that is root's. */
static bool is_written(const char *name)
{
	return str_starts(str_from(name), STR("ledger.db")) ||
	       str_starts(str_from(name), STR("digests.db"));
}

/* By the bits alone, as for a user who is not root. */
static bool may_use(const struct stat *s, struct identity who, bool write)
{
	unsigned want = S_ISDIR(s->st_mode) ? 07 : write ? 06 : 04;
	unsigned shift = s->st_uid == (uid_t)who.uid ? 6 : s->st_gid == (gid_t)who.gid ? 3 : 0;
	return (s->st_mode >> shift & want) == want;
}

static struct identity identity_of(const struct config *c)
{
	const char *note;
	struct identity who = os_identity(c, &note);
	return who.uid >= 0 ? who : (struct identity){ geteuid(), getegid() };
}

static int refuse_use(const struct config *c, const char *path, const struct stat *s,
	struct identity who, struct err *err)
{
	const char *note;
	char name[300];
	if (s->st_uid == (uid_t)who.uid)
		return fail(err, ERR_CONFIG,
			"%s has mode %03o, with which its owner, whom the store runs as, may not "
			"use it: chmod -R u+rwX %s/data",
			path, (unsigned)s->st_mode & 07777, c->directory);
	bool named = os_identity(c, &note).uid >= 0 && note == NULL;
	if (named)
		snprintf(name, sizeof(name), "%s", c->user);
	else
		snprintf(name, sizeof(name), "%lld", (long long)who.uid);
	return fail(err, ERR_CONFIG,
		"%s is user %u's, and not for user %lld, whom the store runs as: "
		"chown -R %s: %s/data",
		path, s->st_uid, (long long)who.uid, name, c->directory);
}

/* Its size; -1: it is not there. */
static int64_t size_in(const char *data, const char *name)
{
	char path[PATH_BYTES];
	struct stat s;
	snprintf(path, sizeof(path), "%s/%s", data, name);
	return stat(path, &s) < 0 ? -1 : (int64_t)s.st_size;
}

int preflight_vanished(const char *data, struct err *err)
{
	char mark[PATH_BYTES];
	int64_t ledger = size_in(data, "ledger.db");
	if (ledger > 0 || size_in(data, "rebuild") >= 0)
		return 1;
	snprintf(mark, sizeof(mark), PREFLIGHT_MARK, data);
	if (access(mark, F_OK) < 0)
		return 0;
	if (ledger == 0 || size_in(data, "lock") >= 0)
		return fail_log(err, ERR_CORRUPT,
			"ledger.db is %s; restore a backup, or make it anew with culver store "
			"check "
			"--rebuild (in %s)",
			ledger == 0 ? "empty" : "missing", data);
	return fail(err, ERR_TEMP,
		"%s held a store and does not: is its disk mounted? To begin a new one, remove %s",
		data, mark);
}

/* What the store opens below data/ must be what it is opened as, and no link (base/seams.h). */
static int look_at_kind(const char *path, bool directory, struct err *err)
{
	struct stat s;
	if (lstat(path, &s) < 0)
		return 0;
	if (S_ISLNK(s.st_mode))
		return fail(err, ERR_CONFIG,
			"%s: it is a link, and the store follows none below data/; data itself may "
			"be one",
			path);
	if (S_ISDIR(s.st_mode) != directory)
		return fail(
			err, ERR_CONFIG, "%s: it is %s directory", path, directory ? "no" : "a");
	return 0;
}

/* The lock and the socket for commands, which a start makes; the second replaces what is there. */
static int look_at_places(const struct config *c, struct err *err)
{
	char path[PATH_BYTES];
	struct stat s;
	snprintf(path, sizeof(path), "%s/lock", c->directory);
	bool bad = stat(path, &s) == 0 && S_ISDIR(s.st_mode);
	if (!bad) {
		snprintf(path, sizeof(path), "%s/control", c->directory);
		bad = lstat(path, &s) == 0 && S_ISDIR(s.st_mode);
	}
	return bad ? fail(err, ERR_CONFIG, "%s: it is a directory", path) : 0;
}

static int look_at(
	const struct config *c, const char *path, struct identity who, bool write, struct err *err)
{
	struct stat s;
	if (lstat(path, &s) < 0 || S_ISLNK(s.st_mode) || may_use(&s, who, write))
		return 0;
	return refuse_use(c, path, &s, who, err);
}

/* Segments are read, and the last of them is written. What else is there is not the store's. */
static int look_at_segments(
	const struct config *c, const char *path, struct identity who, struct err *err)
{
	char name[PATH_BYTES + 300], last[9] = "";
	int result = 0;
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && result == 0 && (d = readdir(dir)) != NULL;) {
		if (strlen(d->d_name) != 8 || strspn(d->d_name, "0123456789abcdef") != 8)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		result = look_at(c, name, who, false, err);
		if (strcmp(d->d_name, last) > 0)
			memcpy(last, d->d_name, sizeof(last));
	}
	if (dir)
		closedir(dir);
	snprintf(name, sizeof(name), "%s/%s", path, last);
	return result < 0 || last[0] == '\0' ? result : look_at(c, name, who, true, err);
}

static int look_at_files(
	const struct config *c, const char *path, struct identity who, struct err *err)
{
	int result = 0;
	DIR *dir = opendir(path);
	for (struct dirent *d; dir && result == 0 && (d = readdir(dir)) != NULL;) {
		char name[PATH_BYTES + sizeof(d->d_name)];
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		if (is_written(d->d_name) || strcmp(d->d_name, "lock") == 0)
			result = look_at_kind(name, false, err);
		if (result == 0 && d->d_name[0] != '.')
			result = look_at(c, name, who, is_written(d->d_name), err);
	}
	if (dir)
		closedir(dir);
	return result;
}

int preflight_data(const struct config *c, struct err *err)
{
	char path[PATH_BYTES], blobs[PATH_BYTES + 8];
	struct stat s;
	struct identity who = identity_of(c);
	snprintf(path, sizeof(path), "%s/data", c->directory);
	snprintf(blobs, sizeof(blobs), "%s/blobs", path);
	if (stat(path, &s) < 0)
		return 0; /* a start makes it, or says why it can't */
	/* A disk is to be mounted over it, or it is somebody else's. */
	if (!may_use(&s, who, true))
		return preflight_vanished(path, err) < 0 ? -1 : refuse_use(c, path, &s, who, err);
	return look_at_kind(blobs, true, err) || look_at_files(c, path, who, err)
		       ? -1
		       : look_at_segments(c, blobs, who, err);
}

/* Of the disk that the path is on, for who is no superuser. */
static bool free_bytes(const char *path, uint64_t *ret)
{
	struct statvfs st;
	if (statvfs(path, &st) < 0)
		return false;
	*ret = (uint64_t)st.f_bavail * st.f_frsize;
	return true;
}

bool preflight_disk_is_short(const struct config *c, char *text, size_t n)
{
	char path[PATH_BYTES];
	uint64_t left;
	snprintf(path, sizeof(path), "%s/data", c->directory);
	if (!free_bytes(path, &left) || left > (uint64_t)c->reserve_bytes)
		return false;
	snprintf(text, n,
		"%s: its disk has %" PRIu64 " bytes free, and reserve_bytes is %" PRIu64
		": no mail is taken until there is more room",
		path, left, (uint64_t)c->reserve_bytes);
	return true;
}

int preflight_schema_room(const struct config *c, uint32_t schema, struct err *err)
{
	char path[PATH_BYTES];
	uint64_t left;
	struct stat st;
	snprintf(path, sizeof(path), "%s/data/ledger.db", c->directory);
	if (stat(path, &st) < 0 || !free_bytes(path, &left))
		return 0; /* the store will tell */
	uint64_t room = store_schema_room(schema, (uint64_t)st.st_size);
	if (left >= room)
		return 0;
	return fail(err, ERR_FULL,
		"to bring the ledger from schema %" PRIu32 " to %" PRIu32 " takes up to %" PRIu64
		" bytes beside %s, and its disk has %" PRIu64,
		schema, store_schema(), room, path, left);
}

static void look_at_disk(const struct config *c, const struct teller *t)
{
	char text[TEXT_BYTES];
	if (preflight_disk_is_short(c, text, sizeof(text)))
		say(t, "%s", text);
}

/* ---- certificates and keys ---- */

enum { PEM_BYTES = 60000, DAY_S = 24 * 3600 };

struct key_id {
	char text[65];
};

struct key_ids {
	const struct teller *teller;
	struct files_seam *files;
	char directory[PATH_BYTES];
	bool is_open;   /* others than its owner may go into the directory */
	struct vec ids; /* struct key_id */
};

static void say_if_open(const struct key_ids *k, const char *name)
{
	char path[PATH_BYTES + 300];
	snprintf(path, sizeof(path), "%s/%s", k->directory, name);
	if (k->is_open && preflight_file_is_open(path))
		say(k->teller, "%s: others than its owner can read it (chmod 600)", path);
}

static int take_key(void *arg, const char *name)
{
	struct key_ids *k = arg;
	char pem[32768];
	struct key_id id;
	struct err err = ERR_INIT;
	if (!str_ends_nocase(str_from(name), STR(".key")))
		return 0;
	say_if_open(k, name);
	int file = k->files->open(k->files, name, O_RDONLY | O_NONBLOCK, 0);
	ssize_t n = file < 0 ? file : k->files->pread(k->files, file, pem, sizeof(pem), 0);
	if (file >= 0)
		k->files->close(k->files, file);
	struct keysign *key = n > 0 ? keysign_load(str_make(pem, (size_t)n), &err) : NULL;
	mem_wipe(pem, sizeof(pem));
	if (key == NULL) {
		say(k->teller, "%s/%s: %s", k->directory, name,
			n == -ELOOP ? "it is a link, and a key must be a file (install -m 600)"
			: n < 0     ? strerror((int)-n)
			: n == 0    ? "it is empty"
				    : err_log_text(&err));
		return 0;
	}
	snprintf(id.text, sizeof(id.text), "%s", keysign_id(key));
	keysign_free(&key);
	return vec_push(&k->ids, &id) ? 0 : -1;
}

/* False: they may not be looked at. */
static bool read_keys(struct key_ids *k, const struct config *c)
{
	struct err err = ERR_INIT;
	snprintf(k->directory, sizeof(k->directory), "%s/keys", c->directory);
	k->is_open = preflight_file_is_open(k->directory);
	k->files = files_os_new(k->directory, &err);
	if (k->files == NULL) {
		say(k->teller, "%s", err_log_text(&err));
		return access(k->directory, F_OK) < 0 && errno == ENOENT; /* there are none */
	}
	int result = k->files->list(k->files, ".", take_key, k);
	files_os_free(&k->files);
	return result == 0;
}

static void say_dates(
	const struct teller *t, const char *path, const struct tls_certificate_info *info)
{
	int64_t now_s = (int64_t)time(NULL), left_s = info->expires_s - now_s;
	if (left_s < 0)
		say(t, "%s: it has expired", path);
	else if (info->begins_s > now_s)
		say(t, "%s: it is not valid yet, or the clock of this machine is wrong", path);
	else if (left_s < (int64_t)LIMIT_EXPIRY_WARN_DAYS * DAY_S)
		say(t, "%s: it expires in %lld days", path, (long long)(left_s / DAY_S));
}

static bool has_key(const struct vec *ids, const char *id)
{
	VEC_EACH (const struct key_id, key, ids)
		if (strcmp(key->text, id) == 0)
			return true;
	return false;
}

/* As a front would: it can be read, TLS takes it, its key is there. keys: NULL: not known. */
static int look_at_certificate(
	const struct teller *t, const char *path, const struct vec *keys, struct err *err)
{
	struct tls_certificate_info info;
	struct err why = ERR_INIT;
	AUTO(buf_done)
	struct buf pem;
	buf_init(&pem, PEM_BYTES);
	struct tls_certificates *set = tls_certificates_new();
	bool good = config_read_file(path, &pem, &why) == 0 &&
		    tls_certificate_info(buf_str(&pem), &info, &why) == 0 &&
		    tls_certificates_add(set, str_from(info.key_id), buf_str(&pem), &why) == 0;
	tls_certificates_free(&set);
	if (!good)
		return fail(err, ERR_CONFIG, "%s: %s", path, why.public_text);
	if (keys && !has_key(keys, info.key_id))
		return fail(err, ERR_CONFIG, "%s: " TLS_NO_PRIVATE_KEY, path);
	say_dates(t, path, &info);
	if (info.hosts[0] == '\0')
		say(t,
			"%s: it has no DNS name in subjectAltName, so it is no host's, and clients "
			"of today refuse it (RFC 6125 6.4.4)",
			path);
	return 0;
}

static int look_at_certificates(
	const struct config *c, bool has_tls, const struct teller *t, struct err *err)
{
	char path[PATH_BYTES];
	size_t n = 0;
	int result = 0;
	struct key_ids keys = { .teller = t };
	vec_init(&keys.ids, sizeof(struct key_id), LIMIT_CERTIFICATES);
	snprintf(path, sizeof(path), "%s/tls", c->directory);
	DIR *dir = opendir(path);
	int code = errno;
	bool known = dir && read_keys(&keys, c);
	for (struct dirent *d; dir && result == 0 && (d = readdir(dir)) != NULL;) {
		char file[PATH_BYTES + sizeof(d->d_name)];
		if (!str_ends_nocase(str_from(d->d_name), STR(".crt")))
			continue;
		n++;
		snprintf(file, sizeof(file), "%s/%s", path, d->d_name);
		result = look_at_certificate(t, file, known ? &keys.ids : NULL, err);
	}
	if (dir)
		closedir(dir);
	vec_done(&keys.ids);
	if (result == 0 && n > LIMIT_CERTIFICATES)
		return fail(err, ERR_CONFIG, "%s: it has %zu certificates, and %d is the most",
			path, n, LIMIT_CERTIFICATES);
	if (dir == NULL && code != ENOENT)
		say(t, "%s: %s", path, strerror(code));
	else if (n == 0 && has_tls)
		return fail(err, ERR_CONFIG,
			"%s: " PREFLIGHT_NO_CERTIFICATE
			", and the server that runs has one: a reload would be refused",
			path);
	else if (n == 0)
		say(t,
			"%s: there is no *.crt in it, so there is no TLS: culver.conf(5), "
			"CERTIFICATES",
			path);
	return result;
}

int preflight_store(const struct config *c, struct err *err)
{
	char path[PATH_BYTES];
	struct stat s;
	snprintf(path, sizeof(path), "%s/data/rebuild", c->directory);
	if (stat(path, &s) < 0)
		return 0;
	return fail(err, ERR_CORRUPT,
		"%s: the ledger is being made anew, and that has not ended: run culver store check "
		"--rebuild again, or restore a backup",
		path);
}

/* ---- words that mean nothing ---- */

static void look_at_imap_hide(const struct config *c, const struct teller *t)
{
	struct str rest = str_from(c->imap_hide);
	if (str_equal(rest, STR("none")))
		return;
	while (rest.n > 0) {
		struct str word = str_split(&rest, ' ');
		if (word.n > 0 && !imap_may_hide(word))
			say(t,
				"imap_hide: %" STR_FMT
				" hides nothing: no capability that can be hidden is named so",
				STR_ARG(word));
	}
}

int preflight(const struct config *c, bool has_tls, void (*warn)(void *arg, const char *text),
	void *arg, struct err *err)
{
	char data[PATH_BYTES];
	struct teller t = { warn, arg };
	snprintf(data, sizeof(data), "%s/data", c->directory);
	look_at_user(c, &t);
	look_at_imap_hide(c, &t);
	look_at_disk(c, &t);
	return os_look_at_directory(c, err) || os_look_at_listen(c, err) ||
			       look_at_log(c, &t, err) || look_at_key(c, &t, err) ||
			       look_at_places(c, err) || preflight_data(c, err) ||
			       preflight_store(c, err) || preflight_vanished(data, err) < 0 ||
			       look_at_certificates(c, has_tls, &t, err)
		       ? -1
		       : 0;
}
