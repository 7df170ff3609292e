// SPDX-License-Identifier: Apache-2.0
/* culver account certificate: client certificates that log in as an account (AUTH EXTERNAL). */
#include "cli/cli.h"

#include "api/schemes.h"
#include "cli/secrets.h"
#include "io/keyprov.h"

#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

enum { FINGERPRINT_BYTES = 32 };

/* It is taken all the same: its time may come, and it can be there before the clock is right. */
static void warn_of_dates(const char *path, const X509 *x)
{
	const char *why = NULL;
	if (X509_cmp_time(X509_get0_notAfter(x), NULL) < 0)
		why = "has expired";
	else if (X509_cmp_time(X509_get0_notBefore(x), NULL) > 0)
		why = "is not valid yet";
	if (why)
		fprintf(stderr,
			"culver account certificate: warning: %s %s: nobody can log in with it\n",
			path, why);
}

/* TLS would not take a signature by it, so it would let nobody in, and nothing would say why. */
static bool is_key_known(X509 *x)
{
	const EVP_PKEY *key = X509_get0_pubkey(x);
	const char *kind = key ? keyprov_kind(key) : NULL;
	return kind && strcmp(kind, "ED25519") != 0;
}

/* The SHA-256 of the first certificate in a PEM file. */
static int read_fingerprint(const char *path, uint8_t ret[FINGERPRINT_BYTES], struct err *err)
{
	unsigned n = 0;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return errno == ENOENT ? fail(err, ERR_NOT_FOUND, "%s: there is no such file", path)
				       : fail_errno(err, "cannot open %s", path);
	X509 *x = PEM_read_X509(file, NULL, NULL, NULL);
	fclose(file);
	bool good = x && X509_digest(x, EVP_sha256(), ret, &n) == 1 && n == FINGERPRINT_BYTES;
	bool usable = good && is_key_known(x);
	if (usable)
		warn_of_dates(path, x);
	X509_free(x);
	if (!good)
		return fail(err, ERR_SYNTAX, "%s holds no certificate in PEM", path);
	return usable ? 0
		      : fail(err, ERR_UNSUPPORTED,
				"%s: the certificate's key must be RSA of 2048 bits or more, P-256 "
				"or P-384: nobody could log in with it",
				path);
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
	if (remote_ask(r, REMOTE_STORE, &f, NULL, NULL, err))
		return -1;
	if (o->json)
		printf("{\"done\":\"added\"}\n");
	return 0;
}

/* ---- the command ---- */

static void own_text(const struct api_secret *s, struct buf *out)
{
	buf_add_hex(out, s->value);
	buf_addz(out, "  ");
}

static void own_json(const struct api_secret *s, struct buf *out)
{
	buf_addz(out, "\"sha256\":\"");
	buf_add_hex(out, s->value);
	buf_addz(out, "\",");
}

int cmd_account_certificate(const struct options *o)
{
	static const struct secret_command command = { .kind = SECRET_CERTIFICATE,
		.noun = "certificate",
		.own_text = own_text,
		.own_json = own_json,
		.add_args = 3,
		.add = add,
		.usage = "add [-c FILE] [--json] [--label TEXT] [--services smtp,imap,pop3] "
			 "ADDRESS FILE\n"
			 "       culver account certificate remove [-c FILE] [--json] ADDRESS "
			 "NUMBER\n"
			 "       culver account certificate list [-c FILE] [--json] ADDRESS" };
	return secrets_command(o, &command);
}
