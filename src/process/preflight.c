// SPDX-License-Identifier: Apache-2.0
/* Files and the user that a start needs: whether they are there and as they should be. */
#include "process/preflight.h"

#include "base/str.h"
#include "process/os.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

enum { MASTER_KEY_BYTES = 32, PATH_BYTES = 4300, TEXT_BYTES = 5000 };

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
		return fail(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
	else if (s.st_size != MASTER_KEY_BYTES)
		return fail(err, ERR_CONFIG, "%s: it must have %d bytes", path, MASTER_KEY_BYTES);
	else if (preflight_file_is_open(path))
		say(t, "%s: others than its owner can read it (chmod 600)", path);
	return 0;
}

static void look_at_user(const struct config *c, const struct teller *t)
{
	const char *note;
	(void)os_identity(c, &note);
	if (note)
		say(t, "user %s: %s", c->user, note);
}

static void look_at_certificates(const struct config *c, const struct teller *t)
{
	char path[PATH_BYTES];
	size_t n = 0;
	snprintf(path, sizeof(path), "%s/tls", c->directory);
	DIR *dir = opendir(path);
	int code = errno;
	for (struct dirent *d; dir && (d = readdir(dir)) != NULL;)
		n += str_ends_nocase(str_from(d->d_name), STR(".crt"));
	if (dir)
		closedir(dir);
	if (dir == NULL && code != ENOENT)
		say(t, "%s: %s", path, strerror(code));
	else if (n == 0)
		say(t,
			"%s: there is no *.crt in it, so there is no TLS: culver.conf(5), "
			"CERTIFICATES",
			path);
}

int preflight(const struct config *c, void (*warn)(void *arg, const char *text), void *arg,
	struct err *err)
{
	struct teller t = { warn, arg };
	look_at_user(c, &t);
	look_at_certificates(c, &t);
	return look_at_key(c, &t, err);
}
