// SPDX-License-Identifier: Apache-2.0
/* Header fields of our own making; nothing that was handed in can end a field. S52 */
#include "mail/build.h"

#include "base/abnf.h"
#include "base/limits.h"
#include "mail/address.h"
#include "mail/charset.h"
#include "mail/encoded.h"

/* Where a line should end, RFC 5322 2.1.1. */
enum { FOLD_COLUMN = 78 };

/* A value in pieces: each begins with a blank where a line may be folded. */
static bool add_folded(struct buf *out, size_t column, struct str value)
{
	bool fits = true;
	while (value.n > 0 && fits) {
		size_t n = 1;
		while (n < value.n && value.p[n] != ' ')
			n++;
		struct str piece = str_sub(value, 0, n);
		bool may_fold = piece.p[0] == ' ' && str_trim(piece).n > 0 && column > 1;
		if (column + n > FOLD_COLUMN && may_fold) {
			fits = buf_addz(out, "\r\n");
			column = 0;
		}
		fits = fits && buf_adds(out, piece);
		column += n;
		value = str_from_offset(value, n);
	}
	return fits;
}

static bool is_field_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!abnf_is_ftext(name.p[i]))
			return false;
	return name.n > 0;
}

static bool add_name(struct buf *out, struct str name)
{
	return is_field_name(name) && buf_adds(out, name) && buf_addz(out, ": ");
}

/* Ends a field with CRLF, or takes back all that was added since `before`. */
static bool field_end(struct buf *out, size_t before, bool ok)
{
	if (ok && buf_addz(out, "\r\n"))
		return true;
	buf_truncate(out, before);
	return false;
}

bool mail_build_field(struct buf *out, struct str name, struct str value)
{
	size_t before = out->n;
	bool ok = !mail_has_unsafe(value) && add_name(out, name) &&
		  add_folded(out, name.n + 2, value);
	return field_end(out, before, ok);
}

bool mail_build_text(struct buf *out, struct str name, struct str utf8)
{
	size_t before = out->n;
	if (str_is_ascii(utf8) && !str_has_control(utf8) && str_search(utf8, STR("=?")) == utf8.n)
		return mail_build_field(out, name, utf8);
	return field_end(out, before, add_name(out, name) && mail_encoded_encode(utf8, out));
}

static bool is_phrase_char(char c)
{
	return abnf_is_atext(c) || c == ' ';
}

/* A display name as atoms, quoted string or encoded words.  RFC 5322 3.4 */
static bool add_display_name(struct buf *out, struct str name)
{
	bool fits = true, atoms = name.n > 0;
	if (!str_is_ascii(name) || str_has_control(name) || str_search(name, STR("=?")) < name.n)
		return mail_encoded_encode(name, out);
	for (size_t i = 0; i < name.n; i++)
		atoms &= is_phrase_char(name.p[i]);
	if (atoms)
		return buf_adds(out, name);
	fits = buf_addc(out, '"');
	for (size_t i = 0; i < name.n && fits; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			fits = buf_addc(out, '\\');
		fits = fits && buf_addc(out, name.p[i]);
	}
	return fits && buf_addc(out, '"');
}

/* Whether the text can stand between < and >: a path's mailbox. */
static bool is_safe_address(struct str address)
{
	struct str local, domain;
	struct buf b;
	buf_init(&b, LIMIT_LOCAL_PART_BYTES);
	bool ok = mail_address_split(address, &local, &domain) &&
		  mail_local_part_decode(local, &b) &&
		  (mail_domain_valid(domain) || mail_address_literal_valid(domain));
	buf_done(&b);
	return ok;
}

bool mail_build_mailbox(struct buf *out, struct str name, struct str address)
{
	size_t before = out->n;
	bool ok = is_safe_address(address);
	if (name.n == 0)
		return ok && buf_adds(out, address);
	ok = ok && add_display_name(out, name) && buf_addz(out, " <") && buf_adds(out, address) &&
	     buf_addc(out, '>');
	if (!ok)
		buf_truncate(out, before);
	return ok;
}

bool mail_build_return_path(struct buf *out, struct str path)
{
	size_t before = out->n;
	bool ok = (path.n == 0 || is_safe_address(path)) && buf_addz(out, "Return-Path: <") &&
		  buf_adds(out, path) && buf_addc(out, '>');
	return field_end(out, before, ok);
}

bool mail_build_delivered_to(struct buf *out, struct str address)
{
	size_t before = out->n;
	bool ok = is_safe_address(address) && buf_addz(out, "Delivered-To: ") &&
		  buf_adds(out, address);
	return field_end(out, before, ok);
}

/* ---- Received ---- */

/* Adds text for a comment: what could end it, escape, or hide becomes "?". */
static bool add_comment_text(struct buf *out, struct str text)
{
	bool fits = true, utf8 = !mail_has_unsafe(text);
	text = str_sub(text, 0, LIMIT_DOMAIN_BYTES);
	for (size_t i = 0; i < text.n && fits; i++) {
		char c = text.p[i];
		bool safe = (abnf_is_vchar(c) && c != '(' && c != ')' && c != '\\') || c == ' ' ||
			    (utf8 && abnf_is_8bit(c) && text.n < LIMIT_DOMAIN_BYTES);
		fits = buf_addc(out, safe ? c : '?');
	}
	return fits;
}

/* TCP-info = address-literal / …    RFC 5321 4.4 */
static bool add_peer(struct buf *out, struct str address)
{
	bool v6 = str_find(address, ':') < address.n;
	return buf_addz(out, v6 ? "[IPv6:" : "[") && add_comment_text(out, address) &&
	       buf_addc(out, ']');
}

/* Extended-Domain = Domain / ( Domain FWS "(" TCP-info ")" ) /
 *                   ( address-literal FWS "(" TCP-info ")" )    RFC 5321 4.4
 * A client that gave no domain is called by its address, since `from` needs one, and what it did
 * give stands in a comment. */
static bool add_from(struct buf *out, const struct mail_received *r)
{
	bool is_domain = mail_domain_valid(r->helo) || mail_address_literal_valid(r->helo);
	bool fits = buf_addz(out, "Received: from ") &&
		    (is_domain ? buf_adds(out, r->helo) : add_peer(out, r->peer_address)) &&
		    buf_addz(out, " (") && add_peer(out, r->peer_address) && buf_addc(out, ')');
	if (is_domain)
		return fits;
	return fits && buf_addz(out, " (helo ") && add_comment_text(out, r->helo) &&
	       buf_addc(out, ')');
}

/* `word` name, when there is one. id and with are atoms. */
static bool add_clause(struct buf *out, const char *word, struct str value)
{
	if (value.n == 0)
		return true;
	for (size_t i = 0; i < value.n; i++)
		if (!abnf_is_atext(value.p[i]) && value.p[i] != '.')
			return false;
	return buf_addz(out, word) && buf_adds(out, value);
}

bool mail_build_received(struct buf *out, const struct mail_received *r)
{
	size_t before = out->n;
	bool ok = mail_domain_valid(r->by) && !mail_has_unsafe(r->date) && add_from(out, r) &&
		  buf_addz(out, "\r\n\tby ") && buf_adds(out, r->by) &&
		  add_clause(out, " with ", r->with);
	ok = ok && add_clause(out, "\r\n\tid ", r->id);
	if (r->for_address.n)
		ok = ok && is_safe_address(r->for_address) && buf_addz(out, "\r\n\tfor <") &&
		     buf_adds(out, r->for_address) && buf_addc(out, '>');
	ok = ok && add_clause(out, "\r\n\ttls ", r->tls_cipher);
	if (r->tls_version.n)
		ok = ok && buf_addz(out, " (") && add_comment_text(out, r->tls_version) &&
		     buf_addc(out, ')');
	ok = ok && buf_addz(out, "; ") && buf_adds(out, r->date);
	return field_end(out, before, ok);
}

bool mail_build_message_id(
	struct buf *out, const uint8_t random[16], int64_t wall_ms, struct str host)
{
	size_t before = out->n;
	bool ok = mail_domain_valid(host) && buf_addc(out, '<') &&
		  buf_add_hex(out, str_make(random, 16)) &&
		  buf_addf(out, ".%lld@", (long long)(wall_ms < 0 ? 0 : wall_ms)) &&
		  buf_adds(out, host) && buf_addc(out, '>');
	if (!ok)
		buf_truncate(out, before);
	return ok;
}
