// SPDX-License-Identifier: Apache-2.0
/*
 * Prints how mail/ reads what is given to it, as JSON, one line an item; for tests/corpus_test.py.
 *
 *     corpus_dump message|address|date|value|text < items
 *
 * Items: a decimal length, a newline, that many bytes; but for messages they are fields. Bytes
 * beyond ASCII are printed as the code point of the byte.
 */
#include "base/abnf.h"
#include "mail/address.h"
#include "mail/date.h"
#include "mail/digest.h"
#include "mail/encoded.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/param.h"

#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 1 << 22 };

static void print_string(struct str s)
{
	if (s.p == NULL) {
		printf("null");
		return;
	}
	putchar('"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (abnf_is_vchar(s.p[i]) && c != '"' && c != '\\')
			putchar(c);
		else
			printf("\\u%04x", c);
	}
	putchar('"');
}

static void print_decoded(struct str s)
{
	struct buf b;
	buf_init(&b, TEXT_BYTES);
	mail_encoded_decode(s, &b);
	print_string(s.p ? str_make(b.n ? b.p : "", b.n) : s);
	buf_done(&b);
}

static void print_addresses(struct str value)
{
	struct arena a;
	struct mail_addresses list;
	arena_init(&a, TEXT_BYTES);
	mail_addresses_parse(&a, value, &list);
	printf("{\"malformed\":%d,\"list\":[", list.malformed);
	for (size_t i = 0; i < list.n; i++) {
		printf("%s{\"kind\":%d,\"name\":", i ? "," : "", (int)list.v[i].kind);
		print_decoded(list.v[i].name);
		printf(",\"local\":");
		print_string(list.v[i].local);
		printf(",\"domain\":");
		print_string(list.v[i].domain);
		putchar('}');
	}
	printf("]}");
	arena_done(&a);
}

static void print_date(struct str text)
{
	struct mail_date d;
	if (mail_date_parse(text, &d))
		printf("[%lld,%d]", (long long)(d.ms / 1000), d.zone_minutes);
	else
		printf("null");
}

static void print_unfolded(struct str text)
{
	struct buf b;
	buf_init(&b, TEXT_BYTES);
	mail_unfold(text, &b);
	print_decoded(str_make(b.n ? b.p : "", b.n));
	buf_done(&b);
}

/* The name without the marks of RFC 2231. */
static struct str base_name(struct str name)
{
	return str_sub(name, 0, str_find(name, '*'));
}

static void print_params(const struct mail_param *params, size_t n)
{
	bool first = true;
	printf("[");
	for (size_t i = 0; i < n; i++) {
		struct str name = base_name(params[i].name);
		struct buf b;
		bool seen = false;
		for (size_t k = 0; k < i; k++)
			seen |= str_equal_nocase(base_name(params[k].name), name);
		buf_init(&b, TEXT_BYTES);
		if (!seen && mail_param_text(params, n, name, &b)) {
			printf("%s[", first ? "" : ",");
			first = false;
			print_string(name);
			putchar(',');
			print_string(str_make(b.n ? b.p : "", b.n));
			putchar(']');
		}
		buf_done(&b);
	}
	printf("]");
}

static void print_value(struct str text)
{
	struct arena a;
	struct mail_value v;
	arena_init(&a, TEXT_BYTES);
	mail_value_parse(&a, text, &v);
	printf("{\"type\":");
	print_string(v.type);
	printf(",\"subtype\":");
	print_string(v.subtype);
	printf(",\"params\":");
	print_params(v.params, v.n);
	printf("}");
	arena_done(&a);
}

static void print_part(const struct digest_part *part)
{
	struct mail_param params[LIMIT_MIME_PARAMS];
	struct str rest = part->params;
	size_t n = 0;
	while (n < LIMIT_MIME_PARAMS && digest_param_next(&rest, &params[n].name, &params[n].value))
		n++;
	printf("{\"kind\":%d,\"flags\":%u,\"depth\":%u,\"header_at\":%llu,\"body_at\":%llu,"
	       "\"end\":%llu,\"encoding\":%d,\"type\":",
		(int)part->kind, part->flags, part->depth, (unsigned long long)part->header_at,
		(unsigned long long)part->body_at,
		(unsigned long long)(part->body_at + part->body_size), (int)part->encoding);
	print_string(part->type);
	printf(",\"subtype\":");
	print_string(part->subtype);
	printf(",\"params\":");
	print_params(params, n);
	printf("}");
}

static void print_envelope(const struct digest_envelope *e)
{
	printf("{\"subject\":");
	print_decoded(e->value[DIGEST_SUBJECT]);
	printf(",\"date\":");
	print_date(e->value[DIGEST_DATE]);
	static const struct {
		const char *name;
		enum digest_field field;
	} lists[] = { { "from", DIGEST_FROM }, { "to", DIGEST_TO }, { "cc", DIGEST_CC },
		{ "bcc", DIGEST_BCC }, { "reply_to", DIGEST_REPLY_TO },
		{ "sender", DIGEST_SENDER } };
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		printf(",\"%s\":", lists[i].name);
		print_addresses(e->value[lists[i].field]);
	}
	printf(",\"message_id\":");
	print_string(e->value[DIGEST_MESSAGE_ID]);
	printf("}");
}

static void print_message(struct str message)
{
	struct buf b;
	struct digest d;
	buf_init(&b, LIMIT_DIGEST_BYTES);
	mail_parse(message, &b);
	if (!digest_open(&d, buf_str(&b), message.n))
		exit(1);
	printf("{\"flags\":%u,\"envelope\":", d.flags);
	print_envelope(&d.envelope);
	printf(",\"preview\":");
	print_string(d.preview.n ? d.preview : STR(""));
	printf(",\"parts\":[");
	struct digest_part part = digest_root(&d);
	for (bool more = true; more; more = digest_next(&d, &part, &part)) {
		if (part.at != d.root)
			putchar(',');
		print_part(&part);
	}
	printf("]}");
	buf_done(&b);
}

static const struct {
	const char *name;
	void (*print)(struct str);
} kinds[] = {
	{ "message", print_message },
	{ "address", print_addresses },
	{ "date", print_date },
	{ "value", print_value },
	{ "text", print_unfolded },
};

/* A decimal number and a newline. */
static bool read_length(size_t *ret)
{
	int c;
	*ret = 0;
	while ((c = getchar()) != EOF && abnf_is_digit((char)c) && *ret <= 1 << 26)
		*ret = *ret * 10 + (size_t)(c - '0');
	return c == '\n';
}

/* Items but messages are field values, and may have another field behind them. */
static struct str value_of(struct str item)
{
	struct mail_field f;
	return mail_field_next(&item, &f) ? f.value : STR("");
}

int main(int argc, char **argv)
{
	size_t n, kind = 0;
	while (kind < ARRAY_LEN(kinds) && (argc < 2 || strcmp(argv[1], kinds[kind].name) != 0))
		kind++;
	if (kind == ARRAY_LEN(kinds))
		return 2;
	while (read_length(&n)) {
		char *p = xmalloc(n + 1);
		if (fread(p, 1, n, stdin) != n)
			return 2;
		struct str item = str_make(p, n);
		kinds[kind].print(kind == 0 ? item : value_of(item));
		putchar('\n');
		free(p);
	}
	return 0;
}
