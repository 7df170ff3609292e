// SPDX-License-Identifier: Apache-2.0
/* Sockets, locks, identities and the log's descriptor. */
#include "process/os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- identity ---- */

/* In systemd's range for dynamic users, which no package and no administrator hands out. */
enum { NOBODYS_UID = 61840 };

struct identity os_identity(const struct config *config, const char **ret_note)
{
	*ret_note = NULL;
	if (geteuid() != 0)
		return (struct identity){ -1, -1 };
	errno = 0;
	struct passwd *user = getpwnam(config->user);
	if (user && user->pw_uid != 0)
		return (struct identity){ user->pw_uid, user->pw_gid };
	*ret_note = user ? "the configured user is root; roles run as number 61840 instead"
			 : "there is no such user; roles run as number 61840 (useradd --system "
			   "culver, and "
			   "then chown -R culver: what is in data/)";
	return (struct identity){ NOBODYS_UID, NOBODYS_UID };
}

int os_make_directory(const char *path, unsigned mode, struct identity who, struct err *err)
{
	char fresh[4400];
	struct stat s;
	if (stat(path, &s) == 0)
		return S_ISDIR(s.st_mode) ? 0 : fail(err, ERR_CONFIG, "%s is no directory", path);
	/* Under its name only when it is as it should be: who is interrupted leaves no directory of
	 * the wrong owner to the next. */
	size_t n = strlen(path);
	while (n > 1 && path[n - 1] == '/')
		n--;
	snprintf(fresh, sizeof(fresh), "%.*s.new", (int)n, path);
	if (mkdir(fresh, mode) < 0 && errno != EEXIST)
		return fail_errno(err, "cannot make %s", path);
	/* Root follows no link that another user has put there. */
	int fd = open(fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool good = fd >= 0 && fchmod(fd, mode) == 0 &&
		    (who.uid < 0 || fchown(fd, (uid_t)who.uid, (gid_t)who.gid) == 0);
	int result = good ? 0 : fail_errno(err, "cannot give %s its owner", path);
	if (fd >= 0)
		close(fd);
	if (result < 0)
		return -1;
	if (rename(fresh, path) < 0)
		return fail_errno(err, "cannot make %s", path);
	return 0;
}

/* ---- listening ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static socklen_t parse_address(const char *text, uint16_t port, union address *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		return sizeof(ret->v4);
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		return sizeof(ret->v6);
	}
	return 0;
}

/* A machine without IPv6 has no :: and no ::1, and that is no mistake of its administrator's.
 * Another address that it does not have is one, or is not there yet: a server that went on without
 * would be away for whoever comes by it, and nobody would be told. */
static bool is_absent_ipv6(const union address *a)
{
	if (a->any.sa_family != AF_INET6)
		return false;
	return errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT ||
	       (errno == EADDRNOTAVAIL && (IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr) ||
						  IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr)));
}

static int refuse_listen(const char *text, uint16_t port, const char *service, struct err *err)
{
	const char *hint = errno == EADDRINUSE
				   ? "; is another server running, or is port_offset needed?"
			   : errno == EADDRNOTAVAIL ? "; this machine does not have that address"
			   : errno == EACCES
				   ? "; ports below 1024 want root or CAP_NET_BIND_SERVICE"
				   : "";
	return fail_log(err, errno == EADDRINUSE ? ERR_IN_USE : ERR_TEMP,
		"cannot listen on %s port %u (%s)%s: %s", text, port, service, hint,
		strerror(errno));
}

/* A listening descriptor; -1: failed; -2: there is no IPv6 here. */
static int listen_one(const char *text, uint16_t port, const char *service, struct err *err)
{
	union address address;
	socklen_t n = parse_address(text, port, &address);
	int on = 1;
	if (n == 0)
		return fail(err, ERR_CONFIG, "listen: %s is not an IP address", text);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return is_absent_ipv6(&address) ? -2 : fail_errno(err, "socket for %s", text);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &address.any, n) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	int result = is_absent_ipv6(&address) ? -2 : refuse_listen(text, port, service, err);
	close(fd);
	return result;
}

/* Every address of one service, into all[*n] and after. */
static int listen_service(const struct config *config, const struct service_row *row,
	struct supervisor_listener *all, size_t *n, struct err *err)
{
	int64_t port = row->port + config->port_offset;
	size_t before = *n;
	if (port > 65535)
		return fail(err, ERR_CONFIG, "port_offset is too large for %s", row->name);
	for (size_t a = 0; config->listen[a]; a++) {
		int fd = listen_one(config->listen[a], (uint16_t)port, row->name, err);
		if (fd == -1)
			return -1;
		if (fd >= 0)
			all[(*n)++] = (struct supervisor_listener){ row, fd };
	}
	return *n > before ? 0 : fail(err, ERR_CONFIG, "no address to listen on for %s", row->name);
}

static bool is_listened(
	const struct supervisor_listener *all, size_t n, const struct service_row *row)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].service == row)
			return true;
	return false;
}

int os_listen(const struct config *config, struct supervisor_listener **all, size_t *all_n,
	struct err *err)
{
	size_t n = *all_n, given = n;
	*all = xrealloc(*all, (n + service_rows_n * CONFIG_LISTEN_MAX) * sizeof(**all));
	for (size_t s = 0; s < service_rows_n; s++) {
		if (is_listened(*all, given, &service_rows[s]))
			continue;
		if (listen_service(config, &service_rows[s], *all, &n, err) == 0)
			continue;
		while (n > given)
			close((*all)[--n].handle);
		return -1;
	}
	*all_n = n;
	return 0;
}

int os_listening_port(int handle)
{
	union address a = { .any = { .sa_family = AF_UNSPEC } };
	int listens = 0;
	socklen_t n = sizeof(listens);
	if (getsockopt(handle, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) < 0 || !listens)
		return -1;
	n = sizeof(a);
	if (getsockname(handle, &a.any, &n) < 0)
		return -1;
	if (a.any.sa_family == AF_INET)
		return ntohs(a.v4.sin_port);
	return a.any.sa_family == AF_INET6 ? ntohs(a.v6.sin6_port) : -1;
}

/* At port 0 the kernel gives a free one: only the address can be amiss. */
static int look_at_address(const char *text, struct err *err)
{
	union address address;
	socklen_t n = parse_address(text, 0, &address);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	bool missing = bind(fd, &address.any, n) < 0 && errno == EADDRNOTAVAIL &&
		       !is_absent_ipv6(&address);
	close(fd);
	return missing ? fail(err, ERR_CONFIG, "listen: this machine does not have the address %s",
				 text)
		       : 0;
}

int os_look_at_listen(const struct config *config, struct err *err)
{
	for (size_t i = 0; config->listen[i]; i++)
		if (look_at_address(config->listen[i], err))
			return -1;
	return 0;
}

/* ---- lock and control ---- */

static int refuse_read_only(const struct config *config, struct err *err)
{
	return fail_log(err, ERR_TEMP,
		"%s is on a file system that is read-only, where nothing works on a store, not "
		"even what only reads: mount it so that it can be written, or copy the directory",
		config->directory);
}

int os_look_at_directory(const struct config *config, struct err *err)
{
	return access(config->directory, W_OK) < 0 && errno == EROFS ? refuse_read_only(config, err)
								     : 0;
}

int os_lock(const struct config *config, struct err *err)
{
	char path[4200];
	snprintf(path, sizeof(path), "%s/lock", config->directory);
	struct stat owner;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EROFS)
		return refuse_read_only(config, err);
	if (fd < 0)
		return fail_errno(err, "cannot open %s", path);
	/* A command of root's must not keep out a server that runs as the directory's user. */
	if (geteuid() == 0 && stat(config->directory, &owner) == 0 &&
		fchown(fd, owner.st_uid, owner.st_gid) < 0) {
		int failed = fail_errno(err, "cannot give %s its owner", path);
		close(fd);
		return failed;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	int result =
		errno == EWOULDBLOCK
			? fail(err, ERR_IN_USE,
				  "another culver runs on %s, a server or a command that is at "
				  "work",
				  config->directory)
			: fail_errno(err, "cannot lock %s", path);
	close(fd);
	return result;
}

/* A socket's name has 108 bytes; a directory's may have more, so it is reached by its number. */
static int control_address(const struct config *config, struct sockaddr_un *ret, struct err *err)
{
	int dir = open(config->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return fail_errno(err, "cannot open %s", config->directory);
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/control", dir);
	return dir;
}

static int listen_control(const struct sockaddr_un *a, struct identity who, struct err *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_errno(err, "socket");
	unlink(a->sun_path); /* under the lock, so it is nobody's */
	mode_t mask = umask(0177);
	int result = bind(fd, (const struct sockaddr *)(const void *)a, sizeof(*a));
	umask(mask);
	if (result == 0 && who.uid >= 0)
		result = chown(a->sun_path, (uid_t)who.uid, (gid_t)who.gid);
	if (result == 0)
		result = listen(fd, 16);
	if (result == 0)
		return fd;
	result = fail_errno(err, "cannot listen on the control socket");
	close(fd);
	return result;
}

int os_control_listen(const struct config *config, struct identity who, struct err *err)
{
	struct sockaddr_un address;
	int dir = control_address(config, &address, err);
	if (dir < 0)
		return -1;
	int fd = listen_control(&address, who, err);
	close(dir);
	return fd;
}

int os_control_connect(const struct config *config, struct err *err)
{
	struct sockaddr_un address;
	int dir = control_address(config, &address, err);
	if (dir < 0)
		return -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int result = fd < 0 ? -1
			    : connect(fd, (struct sockaddr *)(void *)&address, sizeof(address));
	if (result == 0) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		close(dir);
		return fd;
	}
	bool nobody = errno == ECONNREFUSED || errno == ENOENT;
	result = nobody ? fail(err, ERR_NOT_FOUND, "no server runs on %s", config->directory)
			: fail_errno(err, "cannot connect to %s/control", config->directory);
	if (fd >= 0)
		close(fd);
	close(dir);
	return result;
}

/* Whoever called listen(2), and that is the same process through every change of its image. */
int os_control_process(int handle)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	if (getsockopt(handle, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 || cred.pid <= 0)
		return -1;
	return cred.pid;
}

void os_control_remove(const struct config *config)
{
	char path[4200];
	snprintf(path, sizeof(path), "%s/control", config->directory);
	unlink(path);
}

bool os_may_command(int handle, struct identity who)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	if (getsockopt(handle, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return false;
	return cred.uid == 0 || cred.uid == geteuid() ||
	       (who.uid >= 0 && cred.uid == (uid_t)who.uid);
}

/* ---- the log's descriptor ---- */

enum { LOG_KEPT_BYTES = 16 * 1024 };

/* A descriptor that may block takes PIPE_BUF bytes when poll says that it is writable. */
static bool may_write(const struct log_sink_fd *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };
	return s->at_once > PIPE_BUF || (poll(&p, 1, 0) == 1 && p.revents & POLLOUT);
}

static void write_kept(struct log_sink_fd *s)
{
	size_t at = 0;
	while (at < s->kept.n && may_write(s)) {
		size_t left = s->kept.n - at;
		ssize_t n = write(s->fd, s->kept.p + at, left < s->at_once ? left : s->at_once);
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	buf_consume(&s->kept, at);
}

static bool has_room(struct log_sink_fd *s, size_t n)
{
	if (buf_room(&s->kept) < n)
		write_kept(s);
	return buf_room(&s->kept) >= n;
}

static uint64_t lines_in(struct str text)
{
	uint64_t n = 0;
	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* "<3>" to "<7>": what the journal takes as the level of a line, sd-daemon(3). */
static const char *priority_of(struct str line)
{
	static const struct {
		const char *text, *json, *prefix;
	} levels[] = { { "level=error ", "\"level\":\"error\"", "<3>" },
		{ "level=warn ", "\"level\":\"warn\"", "<4>" },
		{ "level=debug ", "\"level\":\"debug\"", "<7>" } };
	struct str head = str_sub(line, 0, 80); /* time and level come first */
	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		if (str_search(head, str_from(levels[i].text)) < head.n ||
			str_search(head, str_from(levels[i].json)) < head.n)
			return levels[i].prefix;
	return "<6>";
}

enum { PRIORITY_BYTES = 3 };

static void keep(struct log_sink_fd *s, struct str lines)
{
	while (s->priorities && lines.n) {
		struct str line = str_sub(lines, 0, str_find(lines, '\n') + 1);
		buf_addz(&s->kept, priority_of(line));
		buf_adds(&s->kept, line);
		lines = str_from_offset(lines, line.n);
	}
	buf_adds(&s->kept, lines);
}

static void write_line(struct log_sink *sink, struct str line)
{
	struct log_sink_fd *s = CONTAINER_OF(sink, struct log_sink_fd, sink);
	char note[80];
	int n = s->dropped ? snprintf(note, sizeof(note),
				     "level=warn event=log-dropped lines=%" PRIu64 "\n", s->dropped)
			   : 0;
	size_t more = s->priorities ? PRIORITY_BYTES * ((size_t)lines_in(line) + 2) : 0;
	if (has_room(s, (size_t)n + line.n + more)) {
		keep(s, str_make(note, (size_t)n));
		keep(s, line);
		s->dropped = 0;
	} else {
		s->dropped += lines_in(line);
	}
	if (s->soon)
		s->loop->class->timer_set(s->soon, s->loop->clock->monotonic_ms(s->loop->clock));
	else
		write_kept(s);
}

int log_sink_fd_open(struct log_sink_fd *s, const char *path, struct err *err)
{
	int fd = open(
		path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (fd < 0)
		return fail_errno(err, "cannot open the log %s", path);
	if (s->opened)
		close(s->fd);
	s->fd = fd;
	s->opened = true;
	s->priorities = false;
	s->at_once = LOG_KEPT_BYTES; /* a file does not wait, nor does a pipe of that name */
	return 0;
}

static int64_t wall_ms(struct log_sink *sink)
{
	struct timespec t;
	(void)sink;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void on_log_turn(void *arg)
{
	write_kept(arg);
}

static size_t at_once(int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);
	bool never_blocks = (flags >= 0 && flags & O_NONBLOCK) ||
			    (fstat(fd, &st) == 0 && S_ISREG(st.st_mode));
	return never_blocks ? LOG_KEPT_BYTES : PIPE_BUF;
}

void log_sink_fd_back(struct log_sink_fd *s, int fd)
{
	if (s->opened)
		close(s->fd);
	s->fd = fd;
	s->opened = false;
	s->at_once = at_once(fd);
}

void log_sink_fd_init(struct log_sink_fd *s, int fd)
{
	*s = (struct log_sink_fd){ .fd = fd,
		.at_once = at_once(fd),
		.sink = { .write = write_line, .now_ms = wall_ms, .level = LOG_INFO } };
	buf_init(&s->kept, LOG_KEPT_BYTES);
}

void log_sink_fd_gather(struct log_sink_fd *s, struct loop *loop)
{
	s->loop = loop;
	s->soon = loop->class->timer_new(loop, on_log_turn, s);
}

void log_sink_fd_done(struct log_sink_fd *s)
{
	if (s->soon)
		s->loop->class->timer_free(&s->soon);
	write_kept(s);
	buf_release(&s->kept);
}
