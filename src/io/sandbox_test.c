// SPDX-License-Identifier: Apache-2.0
/* The sandbox, from outside: children that confine themselves and then try. In a sanitizer's build
 * the filter is wider, so there only what must work is tested. */
#include "io/sandbox.h"

#include "base/limits.h"
#include "base/test.h"
#include "io/loop.h"
#include "io/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct sandbox_rules rows[] = {
	{ .calls = SANDBOX_BASE | SANDBOX_ACCEPT, .open_files = 1000 },
	{ .calls = SANDBOX_BASE | SANDBOX_CONNECT, .open_files = 1000 },
	{ .calls = SANDBOX_BASE | SANDBOX_FILES | SANDBOX_THREADS,
		.directory = true,
		.open_files = 1000,
		.file_bytes = 1 << 20 },
	{ .calls = SANDBOX_BASE | SANDBOX_PAIRS, .open_files = 100 },
};

enum { REFUSED = 100, SUCCEEDED, NOT_CONFINED };

/* Runs a function in a confined child: its exit status, or minus the signal that ended it. */
static int confined(const struct sandbox_rules *rules, bool change_user, const char *directory,
	int (*what)(const void *), const void *arg)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct err err = ERR_INIT;
		struct sandbox_place place = { .directory = directory,
			.change_user = change_user,
			.uid = 65534,
			.gid = 65534 };
		tls_prepare();
		if (sandbox_confine(rules, &place, NULL, &err) != 0 ||
			sandbox_close(rules, &err) != 0) {
			fprintf(stderr, "%s\n", err_log_text(&err));
			_exit(NOT_CONFINED);
		}
		_exit(what(arg));
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static char directory[] = "/tmp/culver-sandbox-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL || chmod(directory, 0777) != 0;
}
static int teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int probe(const void *name)
{
	int r = sandbox_probe(name);
	return r == 1 ? SUCCEEDED : REFUSED;
}

/* Root's roles become another user in an empty root besides; an ordinary user's have nothing but
 * Landlock to keep them from files, and a container may have none of it. */
static bool files_are_out_of_reach(bool other)
{
	enum { LANDLOCK_CREATE_RULESET = 444, VERSION = 1 };
	return other || syscall(LANDLOCK_CREATE_RULESET, NULL, 0, VERSION) > 0;
}

/* Every probe in every kind of role, as this user and (as root) as another in an empty root. */
static void forbidden_things_are_stopped(void **state)
{
	(void)state;
#ifdef CULVER_SANITIZED
	skip();
#endif
	for (int other = 0; other <= (geteuid() == 0); other++) {
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			const char *name;
			for (size_t k = 0; (name = sandbox_probe_name(k)) != NULL; k++) {
				if (!sandbox_probe_applies(&rows[i], name))
					continue;
				bool lenient = strncmp(name, "open", 4) == 0 ||
					       strcmp(name, "create") == 0;
				if (lenient && !files_are_out_of_reach(other))
					continue;
				int r = confined(&rows[i], other,
					rows[i].directory ? directory : NULL, probe, name);
				if (r != -SIGSYS && !(lenient && r == REFUSED))
					fail_msg("row %zu, other %d, %s: %d", i, other, name, r);
			}
		}
	}
}

/* Before the sandbox the probes work, or fail with an error: they are attempts. */
static int probe_free(const void *name)
{
	return sandbox_probe(name) == 1 ? SUCCEEDED : REFUSED;
}
static void probes_are_attempts(void **state)
{
	(void)state;
	static const char *const work[] = { "open", "open-outside", "socket", "fork", "kill",
		"make-executable" };
	for (size_t i = 0; i < ARRAY_LEN(work); i++) {
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0)
			_exit(probe_free(work[i]));
		int status;
		waitpid(pid, &status, 0);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) != SUCCEEDED)
			fail_msg("%s", work[i]);
	}
	assert_int_equal(sandbox_probe("no such"), -1);
}

/* ---- what must work inside ---- */

static void stop_loop(void *arg)
{
	struct loop *l = arg;
	l->class->stop(l);
}

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__ & 63;                                                      \
	} while (0)

static struct loop *loop;
static int sockets[2];

static int works_everywhere(const void *arg)
{
	(void)arg;
	char text[512], c;
	void *p = malloc(8 << 20);
	CHECK(p != NULL);
	memset(p, 1, 8 << 20);
	free(p);
	struct timer *t = loop->class->timer_new(loop, stop_loop, loop);
	loop->class->timer_set(t, loop->clock->monotonic_ms(loop->clock) + 10);
	loop->class->run(loop);
	CHECK(send(sockets[0], "x", 1, 0) == 1 && recv(sockets[1], &c, 1, 0) == 1);
	CHECK(snprintf(text, sizeof(text), "%s", strerror(EACCES)) > 0);
	unsigned char random[16];
	random_os()->fill(random_os(), random, sizeof(random));
	struct stat st;
	CHECK(fstat(sockets[0], &st) == 0);
	CHECK(stat("/no/such/file", &st) != 0);
	struct rlimit r;
	CHECK(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_max == 0);
	return 0;
}

static void ordinary_things_work(void **state)
{
	(void)state;
	loop = loop_uv_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	for (int other = 0; other <= (geteuid() == 0); other++)
		for (size_t i = 0; i < ARRAY_LEN(rows); i++)
			assert_int_equal(
				confined(&rows[i], other, rows[i].directory ? directory : NULL,
					works_everywhere, NULL),
				0);
	loop_uv_free(&loop);
	close(sockets[0]);
	close(sockets[1]);
}

static void *thread_main(void *arg)
{
	*(int *)arg = 7;
	return NULL;
}

static int works_with_files(const void *arg)
{
	bool other = *(const bool *)arg;
	char name[300], c = 0;
	const char *at = other ? "" : directory;
	snprintf(name, sizeof(name), "%s/file", at);
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK(pwrite(fd, "x", 1, 0) == 1 && pread(fd, &c, 1, 0) == 1 && c == 'x');
	CHECK(fdatasync(fd) == 0 && ftruncate(fd, 100) == 0);
	close(fd);
	/* One byte beyond the limit of a file. */
	signal(SIGXFSZ, SIG_IGN);
	fd = open(name, O_RDWR | O_CLOEXEC);
	CHECK(ftruncate(fd, 1 << 20) == 0);
	CHECK(ftruncate(fd, (1 << 20) + 1) == -1 && errno == EFBIG);
	close(fd);
	CHECK(unlink(name) == 0);
	int seen = 0;
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, thread_main, &seen) == 0);
	CHECK(pthread_join(thread, NULL) == 0 && seen == 7);
	return 0;
}

static void files_and_threads_work_where_allowed(void **state)
{
	(void)state;
#ifdef CULVER_SANITIZED
	skip();
#endif
	for (int other = 0; other <= (geteuid() == 0); other++) {
		bool flag = other;
		assert_int_equal(confined(&rows[2], other, directory, works_with_files, &flag), 0);
	}
}

/* A front's reload makes a new TLS server when its sandbox has long been closed. */
static int refuse(void *arg, const char *key_id, uint16_t scheme, struct str digest,
	struct buf *ret_signature, struct err *err)
{
	(void)arg, (void)key_id, (void)scheme, (void)digest, (void)ret_signature;
	return fail(err, ERR_TEMP, "no");
}
static int tls_inside(const void *arg)
{
	struct err err = ERR_INIT;
	struct tls_certificates *c = tls_certificates_new();
	CHECK(tls_certificates_add(c, STR("k"), str_from(arg), &err) == 0);
	struct tls_server *s = tls_server_new(c, refuse, NULL, &err);
	CHECK(s != NULL);
	tls_server_free(&s);
	tls_certificates_free(&c);
	return 0;
}

static void tls_reloads_inside(void **state)
{
	(void)state;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	char *pem = xmemdup0(p, (size_t)n);
	for (int other = 0; other <= (geteuid() == 0); other++)
		assert_int_equal(confined(&rows[0], other, NULL, tls_inside, pem), 0);
	free(pem);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void wrong_places_are_refused(void **state)
{
	(void)state;
	struct err err = ERR_INIT;
	struct sandbox_place place = { .directory = NULL };
	assert_int_equal(sandbox_confine(&rows[2], &place, NULL, &err), -1);
	place.directory = "relative";
	assert_int_equal(sandbox_confine(&rows[2], &place, NULL, &err), -1);
	if (geteuid() == 0) {
		place.directory = "/tmp";
		place.change_user = true; /* to root */
		assert_int_equal(sandbox_confine(&rows[2], &place, NULL, &err), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { test_case(wrong_places_are_refused),
		test_case(probes_are_attempts), test_case(ordinary_things_work),
		test_case(files_and_threads_work_where_allowed), test_case(tls_reloads_inside),
		test_case(forbidden_things_are_stopped) };
	return cmocka_run_group_tests(tests, setup, teardown);
}
