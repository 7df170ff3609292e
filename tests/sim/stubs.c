// SPDX-License-Identifier: Apache-2.0
/*
 * What stands in for the outside: the linker sends the named functions here (--wrap, meson.build).
 * Passwords cost nothing, the configuration is a text, the master key is known, and each allocation
 * of a role may be the one for which there is no memory.
 */
#include "sim.h"

#include <crypt.h>
#include <openssl/evp.h>

void *__real_xmalloc(size_t n);
void *__real_xcalloc(size_t n, size_t size);
void *__real_xrealloc(void *p, size_t n);
void *__wrap_xmalloc(size_t n);
void *__wrap_xcalloc(size_t n, size_t size);
void *__wrap_xrealloc(void *p, size_t n);
char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size);
int __real_PKCS5_PBKDF2_HMAC(const char *pass, int n, const unsigned char *salt, int salt_n,
	int iterations, const EVP_MD *md, int out_n, unsigned char *out);
int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int n, const unsigned char *salt, int salt_n,
	int iterations, const EVP_MD *md, int out_n, unsigned char *out);
struct config *__wrap_config_load(const char *path, struct err *err);
int __wrap_provision_load_master_key(struct supervisor *s, struct err *err);

/* ---- memory: a role without any ends, as by MEM_EXIT_STATUS; its stack unwinds with what there
 * is ---- */

static void allotted(void)
{
	struct process *p = world.current;
	if (p == NULL || p->memory_in == 0 || --p->memory_in > 0)
		return;
	fault_struck(FAULT_MEMORY);
	world_kill_process(p, MEM_EXIT_STATUS << 8);
}

void *__wrap_xmalloc(size_t n)
{
	allotted();
	return __real_xmalloc(n);
}

void *__wrap_xcalloc(size_t n, size_t size)
{
	allotted();
	return __real_xcalloc(n, size);
}

void *__wrap_xrealloc(void *p, size_t n)
{
	allotted();
	return __real_xrealloc(p, n);
}

/* ---- passwords: the verifier is the setting with the password's length and sum ---- */

char *__wrap_crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
	char *out = data;
	unsigned sum = 0;
	size_t salt = 3 + strcspn(setting + 3, "$");
	salt += setting[salt] ? 1 + strcspn(setting + salt + 1, "$") : 0;
	for (const char *p = phrase; *p; p++)
		sum = sum * 31 + (unsigned char)*p;
	snprintf(out, (size_t)size, "%.*s$%u.%08x", (int)salt, setting, (unsigned)strlen(phrase),
		sum);
	return out;
}

int __wrap_PKCS5_PBKDF2_HMAC(const char *pass, int n, const unsigned char *salt, int salt_n,
	int iterations, const EVP_MD *md, int out_n, unsigned char *out)
{
	(void)iterations;
	return __real_PKCS5_PBKDF2_HMAC(pass, n, salt, salt_n, 1, md, out_n, out);
}

/* ---- configuration ---- */

static const char config_text[] = "hostname mail.example\n"
				  "loopback true\n"
				  "segment_bytes 1048576\n"
				  "upgrade_drain_seconds 5\n"
				  "log_level debug\n";

struct config *__wrap_config_load(const char *path, struct err *err)
{
	(void)path;
	struct config *c = config_new();
	if (config_read_lines(c, str_from(config_text), err) < 0)
		sim_fail("the configuration: %s", err_log_text(err));
	free(c->directory);
	c->directory = xstrdup("sim");
	return c;
}

int __wrap_provision_load_master_key(struct supervisor *s, struct err *err)
{
	(void)err;
	memset(s->master_key, 'm', sizeof(s->master_key));
	return 0;
}
