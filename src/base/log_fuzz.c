// SPDX-License-Identifier: Apache-2.0
/* Whatever a stranger sends, a line is one line: no control bytes, valid UTF-8, balanced quotes, at
 * most its length; and the JSON form is JSON. The first byte says where the bytes go. */
#include "base/abnf.h"
#include "base/buf.h"
#include "base/fuzz.h"
#include "base/log.h"
#include "base/scan.h"

struct checking_sink {
	struct log_sink sink;
	bool careful; /* the caller used log_value */
};

/* string = quotation-mark *char quotation-mark                   RFC 8259 7 */
static bool json_string(struct scan *s)
{
	if (!scan_char(s, '"'))
		return false;
	while (!scan_end(s)) {
		struct str part;
		if (scan_char(s, '"'))
			return true;
		FUZZ_CHECK(!abnf_is_ctl((char)scan_peek(s)));
		if (!scan_char(s, '\\'))
			FUZZ_CHECK(scan_bytes(s, 1, &part));
		else if (scan_char(s, 'u'))
			for (int i = 0; i < 4; i++)
				FUZZ_CHECK(scan_bytes(s, 1, &part) && abnf_hex_value(*part.p) >= 0);
		else
			FUZZ_CHECK(scan_char(s, '"') || scan_char(s, '\\'));
	}
	return false;
}

static void check_json(struct str line)
{
	struct scan s = scan_from(line);
	FUZZ_CHECK(scan_char(&s, '{'));
	do {
		FUZZ_CHECK(json_string(&s) && scan_char(&s, ':') && json_string(&s));
	} while (scan_char(&s, ','));
	FUZZ_CHECK(scan_char(&s, '}') && scan_end(&s));
}

static void check_line(struct log_sink *sink, struct str line)
{
	struct checking_sink *c = (struct checking_sink *)sink;
	FUZZ_CHECK(line.n && line.p[line.n - 1] == '\n');
	line.n--;
	FUZZ_CHECK(!str_has_control(line));
	if (sink->json) {
		FUZZ_CHECK(str_is_utf8(line));
		check_json(line);
		return;
	}
	size_t quotes = 0;
	for (size_t i = 0; i < line.n; i++)
		quotes += line.p[i] == '"';
	FUZZ_CHECK(quotes % 2 == 0);
	FUZZ_CHECK(line.n < LOG_LINE_BYTES);
	FUZZ_CHECK(!c->careful || str_is_utf8(line));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	uint8_t how = data[0];
	struct str value = str_make(data + 1, size - 1);
	struct log_text a, b;
	struct checking_sink c = {
		.sink = { .write = check_line, .level = LOG_DEBUG, .json = how & 1 },
		.careful = !(how & 2)
	};
	struct log log;
	size_t half = value.n / 2;
	log_init(&log, &c.sink, "role=fuzz");
	log_value(&a, value);
	if (how & 4)
		log_add(&log, "peer=%s", log_value(&b, str_sub(value, half, how)));
	if (!c.careful)
		log_event(&log, LOG_INFO, "raw", "%" STR_FMT, STR_ARG(value));
	else if (how & 8)
		log_event(&log, LOG_INFO, "long", "a=%s b=%s c=%s d=%s e=%s filler=%*d f=%s g=%s",
			a.text, a.text, a.text, a.text, a.text, how, 1, a.text, a.text);
	else
		log_event(&log, LOG_INFO, "short", "a=%s", a.text);
	return 0;
}
