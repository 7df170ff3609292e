// SPDX-License-Identifier: Apache-2.0
/* Password verifiers by crypt(3). */
#include "auth/verifier.h"

#include "base/limits.h"

#include <crypt.h>

/* Stands in where there is no account: same scheme and cost as verifier_make's, of a password
 * nobody knows (its hash is all dots, which yescrypt never makes). */
static const char stand_in[] = "$y$j9T$culverstandinfornobody..$"
			       "...........................................";

static const char *const schemes[] = { "$y$", "$gy$", "$7$", "$2b$", "$2a$", "$2y$", "$6$", "$5$" };

bool verifier_known(struct str verifier)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (str_starts(verifier, str_from(schemes[i])))
			return verifier.n < CRYPT_OUTPUT_SIZE &&
			       str_find(verifier, 0) == verifier.n;
	return false;
}

int verifier_make(struct random_seam *random, struct str password, struct buf *ret, struct err *err)
{
	char salt[CRYPT_GENSALT_OUTPUT_SIZE], bytes[16];
	if (password.n == 0 || password.n > LIMIT_PASSWORD_BYTES)
		return fail(err, ERR_SYNTAX, "a password has 1 to %d bytes", LIMIT_PASSWORD_BYTES);
	if (str_find(password, 0) != password.n)
		return fail(err, ERR_SYNTAX, "a password holds no NUL");
	random->fill(random, bytes, sizeof(bytes));
	if (crypt_gensalt_rn("$y$", 0, bytes, sizeof(bytes), salt, sizeof(salt)) == NULL)
		return fail_errno(err, "crypt_gensalt");
	char *text = str_dup(password);
	struct crypt_data *data = xmalloc(sizeof(*data));
	const char *hash = crypt_rn(text, salt, data, (int)sizeof(*data));
	int result = hash == NULL ? fail_errno(err, "crypt") : 0;
	if (hash)
		buf_addz(ret, hash);
	mem_wipe(text, password.n);
	mem_wipe(data, sizeof(*data));
	mem_free_p(&text);
	mem_free_p(&data);
	return result;
}

bool verifier_check(struct str verifier, struct str password)
{
	bool known = verifier_known(verifier);
	bool usable = known && password.n > 0 && password.n <= LIMIT_PASSWORD_BYTES &&
		      str_find(password, 0) == password.n;
	char *setting = str_dup(known ? verifier : str_from(stand_in));
	char *text = str_dup(str_sub(password, 0, LIMIT_PASSWORD_BYTES));
	struct crypt_data *data = xmalloc(sizeof(*data));
	const char *hash = crypt_rn(text, setting, data, (int)sizeof(*data));
	bool equal = hash && strlen(hash) == strlen(setting) &&
		     mem_equal_const_time(hash, setting, strlen(setting));
	mem_wipe(text, strlen(text));
	mem_wipe(data, sizeof(*data));
	mem_free_p(&text);
	mem_free_p(&setting);
	mem_free_p(&data);
	return usable && equal;
}
