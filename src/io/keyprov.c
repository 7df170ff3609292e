// SPDX-License-Identifier: Apache-2.0
/*
 * The provider of keyprov.h: two key managers (RSA, EC) and two signatures (RSA, ECDSA).
 *
 * A key of ours holds an ordinary public key of OpenSSL's own provider, and everything that can be
 * asked about a key is answered by that one. What makes TLS come to us for signatures: our key
 * managers refuse to export keys when private parts are asked for, so OpenSSL, which first tries
 * its own signature with an exported key, goes on to the signature of the key's provider
 * (provider-keymgmt(7), provider-signature(7), EVP_DigestSignInit(3)).
 */
#include "io/keyprov.h"

#include "api/schemes.h"
#include "base/limits.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define PROVIDER "culver"
/* The one import parameter of our own: the address of a struct recipe. */
#define PARAM_RECIPE "culver-recipe"

struct recipe {
	EVP_PKEY *public_key;
	const struct keyprov_signer *signer;
	const char *key_id;
};

struct context {
	OSSL_LIB_CTX *lib;
};

struct key {
	struct context *context;
	const char *kind;                    /* "RSA", "EC" */
	EVP_PKEY *public_key;                /* NULL until import */
	const struct keyprov_signer *signer; /* NULL: a public key for comparing */
	char id[KEYPROV_ID_BYTES];
};

/* OpenSSL's tables hold functions of many types behind one. */
#define ENTRY(id, function)                                                                        \
	{                                                                                          \
		id, (void (*)(void))function                                                       \
	}

/* ---- keys ---- */

static struct key *key_new(struct context *c, const char *kind)
{
	struct key *k = xmalloc(sizeof(*k));
	k->context = c;
	k->kind = kind;
	return k;
}

static void *rsa_new(void *context)
{
	return key_new(context, "RSA");
}

static void *ec_new(void *context)
{
	return key_new(context, "EC");
}

static void key_free(void *arg)
{
	struct key *k = arg;
	if (k == NULL)
		return;
	EVP_PKEY_free(k->public_key);
	free(k);
}

static int key_has(const void *arg, int selection)
{
	const struct key *k = arg;
	if (k == NULL || k->public_key == NULL)
		return 0;
	return !(selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) || k->signer != NULL;
}

static int key_match(const void *a, const void *b, int selection)
{
	const struct key *ka = a, *kb = b;
	(void)selection; /* a key of ours is its public part */
	return ka->public_key != NULL && kb->public_key != NULL &&
	       EVP_PKEY_eq(ka->public_key, kb->public_key) == 1;
}

/* A public key from OpenSSL's own parameters: certificates are compared so. */
static EVP_PKEY *public_from(struct key *k, const OSSL_PARAM params[])
{
	EVP_PKEY *public_key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
		k->context->lib, k->kind, "provider=default");
	OSSL_PARAM *copy = OSSL_PARAM_dup(params);
	bool good = ctx && copy && EVP_PKEY_fromdata_init(ctx) > 0 &&
		    EVP_PKEY_fromdata(ctx, &public_key, EVP_PKEY_PUBLIC_KEY, copy) > 0;
	if (!good)
		public_key = NULL;
	OSSL_PARAM_free(copy);
	EVP_PKEY_CTX_free(ctx);
	return public_key;
}

static int key_import(void *arg, int selection, const OSSL_PARAM params[])
{
	struct key *k = arg;
	const OSSL_PARAM *own = OSSL_PARAM_locate_const(params, PARAM_RECIPE);
	(void)selection;
	if (k->public_key != NULL)
		return 0;
	if (own == NULL) {
		k->public_key = public_from(k, params);
		return k->public_key != NULL;
	}
	const struct recipe *recipe;
	if (own->data_type != OSSL_PARAM_OCTET_STRING || own->data_size != sizeof(recipe))
		return 0;
	memcpy(&recipe, own->data, sizeof(recipe));
	if (!EVP_PKEY_is_a(recipe->public_key, k->kind) || EVP_PKEY_up_ref(recipe->public_key) != 1)
		return 0;
	k->public_key = recipe->public_key;
	k->signer = recipe->signer;
	snprintf(k->id, sizeof(k->id), "%s", recipe->key_id);
	return 1;
}

static int key_export(
	void *arg, int selection, int (*take)(const OSSL_PARAM params[], void *arg), void *take_arg)
{
	struct key *k = arg;
	if (k->public_key == NULL || selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY)
		return 0;
	return EVP_PKEY_export(k->public_key, selection, take, take_arg);
}

static int key_get_params(void *arg, OSSL_PARAM params[])
{
	struct key *k = arg;
	return k->public_key != NULL && EVP_PKEY_get_params(k->public_key, params);
}

/* What may be asked, and what may come in: the names that TLS uses. */
static const OSSL_PARAM *key_gettable(void *context)
{
	static const OSSL_PARAM gettable[] = { OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0), OSSL_PARAM_END };
	(void)context;
	return gettable;
}

static const OSSL_PARAM *key_types(int selection)
{
	static const OSSL_PARAM types[] = { OSSL_PARAM_octet_string(PARAM_RECIPE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0), OSSL_PARAM_END };
	(void)selection;
	return types;
}

static const char *rsa_operation(int operation)
{
	(void)operation;
	return "RSA";
}

static const char *ec_operation(int operation)
{
	(void)operation;
	return "ECDSA";
}

#define KEY_FUNCTIONS(kind)                                                                        \
	ENTRY(OSSL_FUNC_KEYMGMT_NEW, kind##_new), ENTRY(OSSL_FUNC_KEYMGMT_FREE, key_free),         \
		ENTRY(OSSL_FUNC_KEYMGMT_HAS, key_has), ENTRY(OSSL_FUNC_KEYMGMT_MATCH, key_match),  \
		ENTRY(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                                       \
		ENTRY(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_types),                                  \
		ENTRY(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                                       \
		ENTRY(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_types),                                  \
		ENTRY(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                               \
		ENTRY(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),                            \
		ENTRY(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, kind##_operation),                   \
	{                                                                                          \
		0, NULL                                                                            \
	}

static const OSSL_DISPATCH rsa_functions[] = { KEY_FUNCTIONS(rsa) };
static const OSSL_DISPATCH ec_functions[] = { KEY_FUNCTIONS(ec) };

/* ---- signatures ---- */

struct signing {
	struct context *context;
	struct key *key;
	EVP_MD_CTX *hash;
	int padding; /* RSA_PKCS1_PADDING or RSA_PKCS1_PSS_PADDING */
};

/* Which scheme a signature is. For PSS the salt is as long as the digest (RFC 8446 4.2.3). */
static const struct scheme_row {
	const char *kind, *hash;
	int padding;
	uint16_t scheme;
} scheme_rows[] = {
	{ "EC", "SHA2-256", 0, SCHEME_ECDSA_SHA256 },
	{ "EC", "SHA2-384", 0, SCHEME_ECDSA_SHA384 },
	{ "RSA", "SHA2-256", RSA_PKCS1_PADDING, SCHEME_RSA_PKCS1_SHA256 },
	{ "RSA", "SHA2-384", RSA_PKCS1_PADDING, SCHEME_RSA_PKCS1_SHA384 },
	{ "RSA", "SHA2-512", RSA_PKCS1_PADDING, SCHEME_RSA_PKCS1_SHA512 },
	{ "RSA", "SHA2-256", RSA_PKCS1_PSS_PADDING, SCHEME_RSA_PSS_SHA256 },
	{ "RSA", "SHA2-384", RSA_PKCS1_PSS_PADDING, SCHEME_RSA_PSS_SHA384 },
	{ "RSA", "SHA2-512", RSA_PKCS1_PSS_PADDING, SCHEME_RSA_PSS_SHA512 },
};

static uint16_t scheme_of(const struct signing *s)
{
	const EVP_MD *hash = EVP_MD_CTX_get0_md(s->hash);
	for (size_t i = 0; i < ARRAY_LEN(scheme_rows); i++) {
		const struct scheme_row *r = &scheme_rows[i];
		if (strcmp(r->kind, s->key->kind) == 0 && EVP_MD_is_a(hash, r->hash) &&
			(r->padding == 0 || r->padding == s->padding))
			return r->scheme;
	}
	return 0;
}

static void *signing_new(void *context, const char *properties)
{
	struct signing *s = xmalloc(sizeof(*s));
	(void)properties;
	s->context = context;
	s->hash = EVP_MD_CTX_new();
	s->padding = RSA_PKCS1_PADDING;
	if (s->hash == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

static void signing_free(void *arg)
{
	struct signing *s = arg;
	EVP_MD_CTX_free(s->hash);
	free(s);
}

static void *signing_dup(void *arg)
{
	struct signing *from = arg, *to = signing_new(from->context, NULL);
	if (to == NULL)
		return NULL;
	to->key = from->key;
	to->padding = from->padding;
	if (EVP_MD_CTX_copy_ex(to->hash, from->hash) != 1) {
		signing_free(to);
		return NULL;
	}
	return to;
}

/* EVP_PKEY_CTX_set_rsa_padding() comes as a number, configuration as a word. */
static int set_padding(struct signing *s, const OSSL_PARAM *p)
{
	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		bool pss = p->data != NULL && strcmp(p->data, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		s->padding = pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
		return 1;
	}
	int padding = 0;
	if (!OSSL_PARAM_get_int(p, &padding) ||
		(padding != RSA_PKCS1_PADDING && padding != RSA_PKCS1_PSS_PADDING))
		return 0;
	s->padding = padding;
	return 1;
}

static int signing_set_params(void *arg, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p = params ? OSSL_PARAM_locate_const(
					       params, OSSL_SIGNATURE_PARAM_PAD_MODE)
				     : NULL;
	/* The length of the salt is not ours to choose: each scheme fixes it. */
	return p == NULL || set_padding(arg, p);
}

static const OSSL_PARAM *signing_settable(void *arg, void *context)
{
	static const OSSL_PARAM settable[] = { OSSL_PARAM_utf8_string(
						       OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_MGF1_DIGEST, NULL, 0), OSSL_PARAM_END };
	(void)arg;
	(void)context;
	return settable;
}

static int signing_init(void *arg, const char *hash, void *key, const OSSL_PARAM params[])
{
	struct signing *s = arg;
	if (key != NULL)
		s->key = key;
	if (s->key == NULL || s->key->signer == NULL || hash == NULL)
		return 0;
	EVP_MD *md = EVP_MD_fetch(s->context->lib, hash, NULL);
	int good = md != NULL && EVP_DigestInit_ex2(s->hash, md, NULL) == 1 &&
		   signing_set_params(s, params) && scheme_of(s) != 0;
	EVP_MD_free(md);
	return good;
}

static int signing_update(void *arg, const unsigned char *data, size_t n)
{
	struct signing *s = arg;
	return EVP_DigestUpdate(s->hash, data, n);
}

/* The digest goes to the signer, who has the key. */
static int ask_signer(struct signing *s, unsigned char *ret, size_t *ret_n, size_t room)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int digest_n = 0;
	struct err err = ERR_INIT;
	AUTO(buf_done)
	struct buf signature;
	buf_init(&signature, LIMIT_SIGNATURE_BYTES);
	if (EVP_DigestFinal_ex(s->hash, digest, &digest_n) != 1 ||
		s->key->signer->sign(s->key->signer->arg, s->key->id, scheme_of(s),
			str_make(digest, digest_n), &signature, &err) != 0 ||
		signature.n == 0 || signature.n > room)
		return 0;
	memcpy(ret, signature.p, signature.n);
	*ret_n = signature.n;
	return 1;
}

static int signing_final(void *arg, unsigned char *ret, size_t *ret_n, size_t room)
{
	struct signing *s = arg;
	if (ret != NULL)
		return ask_signer(s, ret, ret_n, room);
	int n = EVP_PKEY_get_size(s->key->public_key);
	*ret_n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

static int signing_once(void *arg, unsigned char *ret, size_t *ret_n, size_t room,
	const unsigned char *data, size_t n)
{
	if (ret != NULL && signing_update(arg, data, n) != 1)
		return 0;
	return signing_final(arg, ret, ret_n, room);
}

static const OSSL_DISPATCH signature_functions[] = { ENTRY(OSSL_FUNC_SIGNATURE_NEWCTX, signing_new),
	ENTRY(OSSL_FUNC_SIGNATURE_FREECTX, signing_free),
	ENTRY(OSSL_FUNC_SIGNATURE_DUPCTX, signing_dup),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, signing_init),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_UPDATE, signing_update),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_FINAL, signing_final),
	ENTRY(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, signing_once),
	ENTRY(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, signing_set_params),
	ENTRY(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, signing_settable), { 0, NULL } };

/* ---- the provider ---- */

/* All the names that OpenSSL's own managers have, so that TLS knows the kinds. */
static const OSSL_ALGORITHM key_managers[] = { { "RSA:rsaEncryption:1.2.840.113549.1.1.1",
						       "provider=" PROVIDER, rsa_functions, NULL },
	{ "EC:id-ecPublicKey:1.2.840.10045.2.1", "provider=" PROVIDER, ec_functions, NULL },
	{ NULL, NULL, NULL, NULL } };
static const OSSL_ALGORITHM signatures[] = { { "RSA:rsaEncryption:1.2.840.113549.1.1.1",
						     "provider=" PROVIDER, signature_functions,
						     NULL },
	{ "ECDSA", "provider=" PROVIDER, signature_functions, NULL }, { NULL, NULL, NULL, NULL } };

static const OSSL_ALGORITHM *provider_query(void *context, int operation, int *no_cache)
{
	(void)context;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT     ? key_managers
	       : operation == OSSL_OP_SIGNATURE ? signatures
						: NULL;
}

static void provider_teardown(void *context)
{
	free(context);
}

static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = { ENTRY(OSSL_FUNC_PROVIDER_QUERY_OPERATION,
							   provider_query),
		ENTRY(OSSL_FUNC_PROVIDER_TEARDOWN, provider_teardown), { 0, NULL } };
	OSSL_FUNC_core_get_libctx_fn *get_lib = NULL;
	for (; in->function_id != 0; in++)
		if (in->function_id == OSSL_FUNC_CORE_GET_LIBCTX)
			get_lib = OSSL_FUNC_core_get_libctx(in);
	if (get_lib == NULL)
		return 0;
	struct context *c = xmalloc(sizeof(*c));
	/* A built-in provider shares the libcrypto it is in (provider-base(7)). */
	c->lib = (OSSL_LIB_CTX *)get_lib(handle);
	*out = functions;
	*context = c;
	return 1;
}

bool keyprov_load(struct keyprov *p, OSSL_LIB_CTX *lib)
{
	*p = (struct keyprov){ 0 };
	if (OSSL_PROVIDER_add_builtin(lib, PROVIDER, provider_init) != 1)
		return false;
	p->common = OSSL_PROVIDER_load(lib, "default");
	p->ours = OSSL_PROVIDER_load(lib, PROVIDER);
	return p->common != NULL && p->ours != NULL &&
	       EVP_set_default_properties(lib, "?provider=default") == 1;
}

void keyprov_unload(struct keyprov *p)
{
	if (p->ours != NULL)
		OSSL_PROVIDER_unload(p->ours);
	if (p->common != NULL)
		OSSL_PROVIDER_unload(p->common);
	*p = (struct keyprov){ 0 };
}

bool keyprov_id(const EVP_PKEY *key, char ret[KEYPROV_ID_BYTES])
{
	unsigned char *der = NULL, digest[EVP_MAX_MD_SIZE];
	unsigned digest_n = 0;
	int n = i2d_PUBKEY(key, &der);
	bool good = n > 0 &&
		    EVP_Digest(der, (size_t)n, digest, &digest_n, EVP_sha256(), NULL) == 1 &&
		    2 * digest_n < KEYPROV_ID_BYTES;
	OPENSSL_free(der);
	for (unsigned i = 0; good && i < digest_n; i++)
		snprintf(ret + (size_t)2 * i, 3, "%02x", digest[i]);
	return good;
}

const char *keyprov_kind(const EVP_PKEY *key)
{
	char group[64] = "";
	int bits = EVP_PKEY_get_bits(key);
	if (EVP_PKEY_is_a(key, "RSA"))
		return bits >= 2048 && bits <= 8 * LIMIT_SIGNATURE_BYTES ? "RSA" : NULL;
	if (EVP_PKEY_is_a(key, "ED25519"))
		return "ED25519";
	if (!EVP_PKEY_is_a(key, "EC") ||
		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return NULL;
	return strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ? "EC" : NULL;
}

EVP_PKEY *keyprov_key(OSSL_LIB_CTX *lib, EVP_PKEY *public_key, const struct keyprov_signer *signer,
	const char *key_id)
{
	struct recipe recipe = { public_key, signer, key_id }, *at = &recipe;
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_octet_string(PARAM_RECIPE, &at, sizeof(at)),
		OSSL_PARAM_construct_end() };
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(
		lib, EVP_PKEY_is_a(public_key, "EC") ? "EC" : "RSA", "provider=" PROVIDER);
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) <= 0)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}
