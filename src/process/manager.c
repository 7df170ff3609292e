// SPDX-License-Identifier: Apache-2.0
/* What passes between us and a service manager. */
#include "process/manager.h"

#include "base/limits.h"
#include "base/scan.h"
#include "process/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_FD = 3 };

/* ---- what it is told ---- */

/* A name in the file system, or after '@' in the abstract name space. */
static socklen_t parse_socket(const char *name, struct sockaddr_un *ret)
{
	size_t n = name ? strlen(name) : 0;
	if (n < 2 || n >= sizeof(ret->sun_path) || (name[0] != '/' && name[0] != '@'))
		return 0;
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret->sun_path, name, n);
	if (name[0] == '@')
		ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void say(const char *text)
{
	struct sockaddr_un to;
	socklen_t n = parse_socket(getenv("NOTIFY_SOCKET"), &to);
	if (n == 0)
		return;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* A manager that does not listen is no reason to stop serving. */
	ssize_t sent = sendto(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)(const void *)&to, n);
	(void)sent;
	close(fd);
}

static int64_t monotonic_usec(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void manager_tell(enum supervisor_news news, const char *status)
{
	static const char *const words[] = {
		[NEWS_READY] = "READY=1",
		[NEWS_UPGRADED] = "READY=1",
		[NEWS_RELOADING] = "RELOADING=1",
		[NEWS_RELOADED] = "READY=1",
		[NEWS_STOPPING] = "STOPPING=1",
		[NEWS_PULSE] = "WATCHDOG=1",
	};
	char text[600];
	if (news == NEWS_RELOADING)
		snprintf(text, sizeof(text), "%s\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=%s",
			words[news], monotonic_usec(), status);
	else if (news == NEWS_PULSE)
		snprintf(text, sizeof(text), "%s", words[news]);
	else
		snprintf(text, sizeof(text), "%s\nMAINPID=%d\nSTATUS=%s", words[news],
			(int)getpid(), status);
	say(text);
}

/* A variable's number; 0 when there is none. */
static uint64_t number_of(const char *variable)
{
	const char *text = getenv(variable);
	struct scan s = scan_from(str_from(text));
	uint64_t n;
	return text && scan_number(&s, INT64_MAX, &n) && scan_end(&s) ? n : 0;
}

/* A variable that names a process is for that process alone; one that is not there is for all. */
static bool is_for_us(const char *variable)
{
	return getenv(variable) == NULL || number_of(variable) == (uint64_t)getpid();
}

enum { QUIET_PULSE_MS = 10000 }; /* nobody but us wants to know */

int64_t manager_pulse_ms(void)
{
	uint64_t usec = is_for_us("WATCHDOG_PID") ? number_of("WATCHDOG_USEC") : 0;
	int64_t ms = (int64_t)(usec / 4000);
	return usec == 0 ? QUIET_PULSE_MS : ms < 1 ? 1 : ms;
}

bool manager_has_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	struct scan s = scan_from(str_from(text));
	uint64_t device, inode;
	struct stat st;
	return text && scan_number(&s, INT64_MAX, &device) && scan_char(&s, ':') &&
	       scan_number(&s, INT64_MAX, &inode) && scan_end(&s) &&
	       fstat(STDERR_FILENO, &st) == 0 && (uint64_t)st.st_dev == device &&
	       (uint64_t)st.st_ino == inode;
}

/* ---- what it hands in ---- */

static const struct service_row *service_at(const struct config *config, int port)
{
	for (size_t i = 0; i < service_rows_n; i++)
		if (service_rows[i].port + config->port_offset == port)
			return &service_rows[i];
	return NULL;
}

static int take(const struct config *config, int fd, struct str name,
	struct supervisor_listener *ret, struct err *err)
{
	int port = os_listening_port(fd);
	if (port < 0)
		return fail(err, ERR_CONFIG,
			"socket activation: descriptor %d (%" STR_FMT
			") is no listening TCP socket",
			fd, STR_ARG(str_sub(name, 0, 40)));
	ret->service = service_row_named(name);
	if (ret->service == NULL)
		ret->service = service_at(config, port);
	if (ret->service == NULL)
		return fail(err, ERR_CONFIG,
			"socket activation: %" STR_FMT
			" is no service, and port %d is none's; FileDescriptorName= can be smtp, "
			"submission, submissions, imap, imaps, pop3 and so on",
			STR_ARG(str_sub(name, 0, 40)), port);
	ret->handle = fd;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return 0;
}

int manager_listeners(const struct config *config, struct supervisor_listener **ret, size_t *ret_n,
	struct err *err)
{
	const char *given = getenv("LISTEN_FDNAMES");
	AUTO(mem_free_p)
	char *names = xstrdup(given ? given : "");
	struct str rest = str_from(names);
	uint64_t n = getenv("LISTEN_PID") && is_for_us("LISTEN_PID") ? number_of("LISTEN_FDS") : 0;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (n > LIMIT_TAKEOVER_LISTENERS)
		return fail(err, ERR_CONFIG, "socket activation: more than %d sockets",
			LIMIT_TAKEOVER_LISTENERS);
	*ret = xcalloc((size_t)n + 1, sizeof(**ret));
	for (*ret_n = 0; *ret_n < n; ++*ret_n)
		if (take(config, FIRST_FD + (int)*ret_n, str_split(&rest, ':'), &(*ret)[*ret_n],
			    err))
			return -1;
	return 0;
}
