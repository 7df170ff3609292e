// SPDX-License-Identifier: Apache-2.0
/* The services: RFC 8314 7.3, RFC 6409 3.1, RFC 9051 11.1, RFC 1939 3; 2525 by custom. The order is
 * that of the ready line. ALPN names: IANA's registry has imap and pop3, and none for SMTP. */
#include "process/roles.h"

#include "imap/imap.h"
#include "pop3/pop3.h"
#include "smtp/smtp.h"

const struct service_row service_rows[] = {
	{ "smtp", 25, CLASS_MX, &smtp_session_class, false, NULL },
	{ "submission", 587, CLASS_USER, &smtp_session_class, false, NULL },
	{ "submissions", 465, CLASS_USER, &smtp_session_class, true, NULL },
	{ "submission-alt", 2525, CLASS_USER, &smtp_session_class, false, NULL },
	{ "imap", 143, CLASS_USER, &imap_session_class, false, "imap" },
	{ "imaps", 993, CLASS_USER, &imap_session_class, true, "imap" },
	{ "pop3", 110, CLASS_USER, &pop3_session_class, false, "pop3" },
	{ "pop3s", 995, CLASS_USER, &pop3_session_class, true, "pop3" },
};
const size_t service_rows_n = ARRAY_LEN(service_rows);

const struct service_row *service_row_named(struct str name)
{
	for (size_t i = 0; i < service_rows_n; i++)
		if (str_equal(name, str_from(service_rows[i].name)))
			return &service_rows[i];
	return NULL;
}
