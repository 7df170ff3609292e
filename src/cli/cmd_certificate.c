// SPDX-License-Identifier: Apache-2.0
/* culver account certificate: client certificates that log in as an account (AUTH EXTERNAL). */
#include "cli/cli.h"

#include "api/schemes.h"
#include "base/scan.h"
#include "base/time.h"
#include "cli/remote.h"

#include <inttypes.h>
#include <openssl/pem.h>
#include <stdio.h>

enum { FINGERPRINT_BYTES = 32 };

/* The SHA-256 of the first certificate in a PEM file. */
static int read_fingerprint(const char *path, uint8_t ret[FINGERPRINT_BYTES], struct err *err)
{
	unsigned n = 0;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return fail_errno(err, "cannot open %s", path);
	X509 *x = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	int good = x && X509_digest(x, EVP_sha256(), ret, &n) == 1 && n == FINGERPRINT_BYTES;
	X509_free(x);
	return good ? 0 : fail(err, ERR_SYNTAX, "%s holds no certificate in PEM", path);
}

static int add(const struct options *o, struct remote *r, struct err *err)
{
	uint8_t fingerprint[FINGERPRINT_BYTES];
	uint32_t services = SERVICES_ALL;
	if (read_fingerprint(o->args[2], fingerprint, err) ||
		(o->services && cli_services(o->services, &services, err)))
		return -1;
	struct frame f = { .type = FRAME_SECRET_ADD,
		.secret_add = { .address = str_from(o->args[1]),
			.kind = SECRET_CERTIFICATE,
			.label = str_from(o->label),
			.value = str_make(fingerprint, sizeof(fingerprint)),
			.services = services } };
	return remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err);
}

static int remove_one(const struct options *o, struct remote *r, struct err *err)
{
	uint64_t id;
	struct scan s = scan_from(str_from(o->args[2]));
	if (!scan_number(&s, INT64_MAX, &id) || !scan_end(&s))
		return fail(err, ERR_SYNTAX, "a certificate is removed by its number in the list");
	struct frame f = { .type = FRAME_SECRET_REMOVE,
		.secret_remove = { str_from(o->args[1]), id } };
	return remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err);
}

/* ---- list ---- */

static void print_one(const struct options *o, const struct api_secret *s, bool first)
{
	AUTO(buf_done)
	struct buf label, services, hex;
	struct time_text text;
	const char *used = s->used_ms ? time_iso8601(&text, s->used_ms) : "never";
	buf_init(&label, 2048);
	buf_init(&services, 64);
	buf_init(&hex, 128);
	json_string(&label, s->label);
	cli_service_names(s->services, &services);
	buf_add_hex(&hex, s->value);
	if (o->json)
		printf("%s{\"id\":%" PRIu64 ",\"sha256\":\"%s\",\"label\":%s,\"services\":\"%s\","
		       "\"used_ms\":%" PRId64 "}",
			first ? "" : ",", s->id, hex.p, label.p, services.p, s->used_ms);
	else
		printf("%6" PRIu64 "  %s  %-15s last used %s  %" STR_FMT "\n", s->id, hex.p,
			services.p, used, STR_ARG(s->label));
	buf_done(&services);
	buf_done(&hex);
}

static void print_all(void *arg, const struct frame *frame)
{
	const struct options *o = arg;
	bool first = true;
	for (size_t i = 0; frame->type == FRAME_SECRETS && i < frame->secrets.secrets.n; i++) {
		const struct api_secret *s = &frame->secrets.secrets.items[i];
		if (s->kind != SECRET_CERTIFICATE)
			continue;
		print_one(o, s, first);
		first = false;
	}
}

static int list(const struct options *o, struct remote *r, struct err *err)
{
	struct frame f = { .type = FRAME_SECRET_LIST, .secret_list.address = str_from(o->args[1]) };
	if (o->json)
		printf("[");
	int result = remote_ask(r, REMOTE_STORE, &f, print_all, (void *)(uintptr_t)o, err);
	if (o->json)
		printf("]\n");
	return result;
}

static const struct {
	const char *verb;
	int args;
	int (*act)(const struct options *, struct remote *, struct err *);
} verbs[] = { { "add", 3, add }, { "remove", 3, remove_one }, { "list", 2, list } };

int cmd_account_certificate(const struct options *o)
{
	for (size_t i = 0; o->args_n > 0 && i < ARRAY_LEN(verbs); i++) {
		if (strcmp(o->args[0], verbs[i].verb) != 0 || o->args_n != verbs[i].args)
			continue;
		struct err err = ERR_INIT;
		struct remote *r = remote_open(options_config(o), false, &err);
		int result = r ? verbs[i].act(o, r, &err) : -1;
		remote_close(&r);
		return result ? cli_fail(o, &err) : EXIT_GOOD;
	}
	return cli_usage(o,
		"add [-c FILE] [--label TEXT] [--services smtp,imap,pop3] ADDRESS FILE\n"
		"       culver account certificate remove [-c FILE] ADDRESS NUMBER\n"
		"       culver account certificate list [-c FILE] [--json] ADDRESS");
}
