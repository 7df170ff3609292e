// SPDX-License-Identifier: Apache-2.0
/* Every SQL statement that the engine keeps, in one place. */
#include "store/sqlite_private.h"

#define ACCOUNT_COLUMNS                                                                            \
	"id, epoch, modseq, address, legacy_auth, kind, active, services, quota_bytes, "           \
	"quota_messages, used_bytes, used_messages, pop3_retention, pop3_expire_days"
#define MAILBOX_COLUMNS                                                                            \
	"m.id, m.name, m.special_use, m.uidvalidity, m.uidnext, m.modseq, m.messages, m.unseen, "  \
	"m.deleted, m.size, m.account, m.deleted_size, m.uidfloor, m.recent"

/* What changes of an entry e, out of its block. */
#define E_FLAGS  "entry_flags(e.mailbox,e.uid)"
#define E_LOW    "entry_keywords_low(e.mailbox,e.uid)"
#define E_HIGH   "entry_keywords_high(e.mailbox,e.uid)"
#define E_MODSEQ "entry_modseq(e.mailbox,e.uid)"

/* Counters, and what they should be. */
#define MAILBOX_COUNTERS "messages,size,unseen,deleted,deleted_size,uidnext,modseq,recent"
#define MAILBOX_ROWS_SAY                                                                           \
	"(SELECT count(*),coalesce(sum(size),0),coalesce(sum(" E_FLAGS "&1=0),0),"                 \
	"coalesce(sum(" E_FLAGS "&8<>0),0),coalesce(sum(size) FILTER (WHERE " E_FLAGS "&8<>0),0)," \
	"max(mailboxes.uidnext,coalesce(max(uid),0)+1),"                                           \
	"max(mailboxes.modseq,coalesce(max(" E_MODSEQ "),0)),"                                     \
	"min(mailboxes.recent,max(mailboxes.uidnext,coalesce(max(uid),0)+1)) FROM entries e "      \
	"WHERE e.mailbox=mailboxes.id)"
#define ACCOUNT_COUNTERS                                                                           \
	"used_messages,used_bytes,mailboxes,modseq,subscriptions,kept_messages,kept_bytes"
#define ACCOUNT_ROWS_SAY                                                                           \
	"(SELECT coalesce(sum(messages),0),coalesce(sum(size),0),count(*),"                        \
	"max(accounts.modseq,coalesce(max(m.modseq),0)),"                                          \
	"(SELECT count(*) FROM subscriptions s WHERE s.account=accounts.id),"                      \
	"(SELECT count(*) FROM deleted d WHERE d.account=accounts.id),"                            \
	"(SELECT coalesce(sum(size),0) FROM deleted d WHERE d.account=accounts.id) "               \
	"FROM mailboxes m WHERE m.account=accounts.id)"

/* What a repair, or a check, wants to know of entries; account 0: nobody's. */
#define BROKEN                                                                                     \
	"SELECT coalesce((SELECT account FROM mailboxes m WHERE m.id=e.mailbox),"                  \
	"(SELECT account FROM mailboxes m WHERE m.id=e.entry_id>>32),0),"                          \
	"e.mailbox,e.uid,e.body,e.entry_id,e.prefix_at,e.prefix_size," E_FLAGS ",e.time,e.size "   \
	"FROM entries e "

/* Blocks of flags that are not of just the entries there are: `n` entries, `known` of them in the
 * block, which has `kept` (NULL: it can't be read). */
#define BLOCK_ENTRIES                                                                              \
	"FROM entries e WHERE e.mailbox=id>>24 AND "                                               \
	"e.uid BETWEEN (id&16777215)<<8 AND ((id&16777215)<<8)+255"
#define WRONG_BLOCKS                                                                               \
	"(SELECT id,(SELECT count(*) " BLOCK_ENTRIES ") AS n,"                                     \
	"(SELECT count(" E_MODSEQ ") " BLOCK_ENTRIES ") AS known,"                                 \
	"(SELECT flag_count(data) FROM flags f WHERE f.id=b.id) AS kept FROM "                     \
	"(SELECT (mailbox<<24)|(uid>>8) AS id FROM entries UNION SELECT id FROM flags) b) "        \
	"WHERE (n<>known OR known IS NOT kept)"

/* ?1: an address; ?2, ?3: the least and the greatest that it may begin with when it has a detail;
 * ?4: what it ends with. */
#define LEADS_TO(column)                                                                           \
	column "=?1 OR (" column ">?2 AND " column "<?3 AND substr(" column ",-length(?4))=?4 "    \
	       "AND NOT EXISTS(SELECT 1 FROM aliases b WHERE b.address=" column "))"

const char *const sql_text[SQL_STATEMENTS] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVEPOINT] = "SAVEPOINT one",
	[SQL_RELEASE] = "RELEASE one",
	[SQL_ROLLBACK_TO] = "ROLLBACK TO one",
	[SQL_META_GET] = "SELECT value FROM meta WHERE key=?",
	[SQL_META_PUT] = "INSERT INTO meta(key,value) VALUES(?,?) "
			 "ON CONFLICT(key) DO UPDATE SET value=excluded.value",

	[SQL_ACCOUNT_BY_ADDRESS] = "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE address=?",
	[SQL_ACCOUNT_BY_ID] = "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE id=?",
	[SQL_ACCOUNT_FIRST] = "SELECT id FROM accounts WHERE active ORDER BY id LIMIT 1",
	[SQL_ACCOUNT_FIRST_OF] = "SELECT a.id FROM accounts a JOIN domains d ON d.id=a.domain "
				 "WHERE d.name=? AND a.active ORDER BY a.id LIMIT 1",
	[SQL_ACCOUNT_EACH] = "SELECT " ACCOUNT_COLUMNS " FROM accounts WHERE id>? ORDER BY id",
	[SQL_ACCOUNT_INSERT] =
		"INSERT INTO accounts(address,domain,kind,quota_bytes,quota_messages,legacy_auth) "
		"VALUES(?1,(SELECT id FROM domains WHERE name=?2),?3,?4,?5,?6)",
	[SQL_ACCOUNT_EPOCH] = "UPDATE accounts SET epoch=epoch+1 WHERE id=?",
	[SQL_ACCOUNT_SET] =
		"UPDATE accounts SET active=?,services=?,quota_bytes=?,quota_messages=?,"
		"pop3_retention=?,pop3_expire_days=?,kind=?,legacy_auth=?,epoch=epoch+? "
		"WHERE id=?",
	[SQL_ACCOUNT_STATE] = "SELECT epoch,modseq,active,quota_bytes,quota_messages,used_bytes,"
			      "used_messages,kept_bytes,kept_messages FROM accounts WHERE id=?",
	[SQL_ACCOUNT_STATE_PUT] = "UPDATE accounts SET modseq=?,used_bytes=?,used_messages=?,"
				  "kept_bytes=?,kept_messages=? WHERE id=?",
	[SQL_ACCOUNT_DELETE] = "DELETE FROM accounts WHERE id=?",

	[SQL_SECRETS] = "SELECT id,kind,label,value,services,created_ms,used_ms FROM secrets "
			"WHERE account=? ORDER BY id LIMIT 64",
	[SQL_SECRET_COUNT] = "SELECT count(*) FROM secrets WHERE account=? AND kind>3",
	[SQL_SECRET_OWNER] = "SELECT account FROM secrets WHERE kind=5 AND value=?",
	/* Services that accounts use, that one of them lacks a verifier for, that one has a
	 * recoverable secret for. */
	[SQL_OFFERS] =
		"SELECT max(s&1)|max(s&2)|max(s&4),"
		"max(s&1 AND NOT v)|2*max(s&2>0 AND NOT v)|4*max(s&4>0 AND NOT v),"
		"max(s&1 AND r)|2*max(s&2>0 AND r)|4*max(s&4>0 AND r) FROM (SELECT services s,"
		"EXISTS(SELECT 1 FROM secrets WHERE account=a.id AND kind=2) v,"
		"EXISTS(SELECT 1 FROM secrets WHERE account=a.id AND kind=3) r "
		"FROM accounts a WHERE active)",
	[SQL_SECRET_INSERT] = "INSERT INTO secrets(account,kind,label,value,services,created_ms) "
			      "VALUES(?,?,?,?,?,?)",
	[SQL_SECRET_USED] = "UPDATE secrets SET used_ms=? WHERE account=? AND id=?",
	[SQL_SECRET_DELETE] = "DELETE FROM secrets WHERE account=? AND id=? AND kind>=?",
	[SQL_SECRETS_DELETE] = "DELETE FROM secrets WHERE account=? AND kind=?",
	[SQL_SECRETS_FORGET] = "DELETE FROM secrets WHERE account=? AND kind<=?",

	[SQL_DOMAIN] = "SELECT catch_all FROM domains WHERE name=?",
	[SQL_DOMAIN_EACH] = "SELECT name,catch_all,(SELECT count(*) FROM accounts a "
			    "WHERE a.domain=d.id) FROM domains d ORDER BY name",
	[SQL_DOMAIN_INSERT] = "INSERT INTO domains(name) VALUES(?)",
	[SQL_DOMAIN_DELETE] = "DELETE FROM domains WHERE name=?",
	[SQL_DOMAIN_SET] = "UPDATE domains SET catch_all=? WHERE name=?",
	[SQL_DOMAIN_IN_USE] = "SELECT 1 FROM accounts a JOIN domains d ON d.id=a.domain "
			      "WHERE d.name=? LIMIT 1",
	[SQL_DOMAIN_HAS_ALIASES] = "SELECT 1 FROM aliases WHERE substr(address,-length(?1)-1)="
				   "'@'||?1 LIMIT 1",

	[SQL_ALIAS_TARGETS] =
		"SELECT target FROM aliases WHERE address=? ORDER BY target LIMIT 128",
	[SQL_ALIAS_EACH] = "SELECT address,target FROM aliases ORDER BY address,target",
	[SQL_ALIAS_INSERT] = "INSERT INTO aliases(address,target) VALUES(?,?)",
	[SQL_ALIAS_DELETE] = "DELETE FROM aliases WHERE address=? AND target=?",
	[SQL_ALIAS_DELETE_ALL] = "DELETE FROM aliases WHERE address=?",
	[SQL_ALIAS_COUNT] = "SELECT count(*) FROM aliases WHERE address=?",
	/* Of what led to an address; and to it with a detail, unless that is an alias. */
	[SQL_ALIAS_FORGET_TARGET] = "DELETE FROM aliases WHERE " LEADS_TO(
		"target") " RETURNING address",
	[SQL_CATCH_ALL_FORGET] = "UPDATE domains SET catch_all='' WHERE " LEADS_TO("catch_all"),

	[SQL_MAILBOX_BY_ID] = "SELECT " MAILBOX_COLUMNS ", EXISTS(SELECT 1 FROM subscriptions s "
			      "WHERE s.account=m.account AND s.name=m.name) "
			      "FROM mailboxes m WHERE m.id=?",
	[SQL_MAILBOX_BY_NAME] = "SELECT " MAILBOX_COLUMNS ", EXISTS(SELECT 1 FROM subscriptions s "
				"WHERE s.account=m.account AND s.name=m.name) "
				"FROM mailboxes m WHERE m.account=? AND m.name=?",
	[SQL_MAILBOX_NAME] = "SELECT name FROM mailboxes WHERE id=?",
	[SQL_MAILBOX_EACH] =
		"SELECT " MAILBOX_COLUMNS ", s.name IS NOT NULL FROM mailboxes m "
		"LEFT JOIN subscriptions s ON s.account=m.account AND s.name=m.name "
		"WHERE m.account=?1 "
		"UNION ALL SELECT 0,s.name,0,0,0,0,0,0,0,0,s.account,0,0,0,1 FROM subscriptions s "
		"WHERE s.account=?1 AND NOT EXISTS(SELECT 1 FROM mailboxes m "
		"WHERE m.account=?1 AND m.name=s.name) ORDER BY 2",
	/* Counted in the account's row, so that a limit costs no walk. */
	[SQL_MAILBOX_COUNT] = "SELECT mailboxes FROM accounts WHERE id=?",
	[SQL_MAILBOX_COUNTED] = "UPDATE accounts SET mailboxes=mailboxes+? WHERE id=?",
	[SQL_MAILBOX_FIRST] = "SELECT id FROM mailboxes WHERE account=? LIMIT 1",
	[SQL_MAILBOX_INSERT] = "INSERT INTO mailboxes(account,name,uidvalidity,special_use,modseq) "
			       "VALUES(?,?,?,?,?)",
	[SQL_MAILBOX_STATE_PUT] = "UPDATE mailboxes SET uidnext=?,modseq=?,messages=?,unseen=?,"
				  "deleted=?,size=?,deleted_size=? WHERE id=?",
	[SQL_MAILBOX_RENAME] = "UPDATE mailboxes SET name=? WHERE id=?",
	/* Names that begin with a prefix: '0' is the byte after '/'. */
	[SQL_MAILBOX_CHILDREN] = "SELECT id,name FROM mailboxes WHERE account=?1 "
				 "AND name>?2||'/' AND name<?2||'0' ORDER BY name",
	[SQL_MAILBOX_DELETE] = "DELETE FROM mailboxes WHERE id=?",
	[SQL_MAILBOX_ENTRIES_DELETE] = "DELETE FROM entries WHERE mailbox=?",
	[SQL_MAILBOX_BLOCKS_DELETE] =
		"DELETE FROM flags WHERE id BETWEEN ?1<<24 AND (?1<<24)+16777215",
	[SQL_MAILBOX_TOMBSTONES_DELETE] = "DELETE FROM expunged WHERE mailbox=?",
	[SQL_MAILBOX_KEYWORDS_DELETE] = "DELETE FROM keywords WHERE mailbox=?",
	[SQL_MAILBOX_SEEN_DELETE] = "DELETE FROM seen WHERE mailbox=?",

	[SQL_SUBSCRIBE] = "INSERT OR IGNORE INTO subscriptions(account,name) VALUES(?,?)",
	[SQL_UNSUBSCRIBE] = "DELETE FROM subscriptions WHERE account=? AND name=?",
	[SQL_SUBSCRIPTION_COUNT] = "SELECT subscriptions FROM accounts WHERE id=?",
	[SQL_SUBSCRIPTION_COUNTED] = "UPDATE accounts SET subscriptions=subscriptions+? WHERE id=?",
	[SQL_SUBSCRIPTIONS_DELETE] = "DELETE FROM subscriptions WHERE account=?",

	[SQL_KEYWORDS] = "SELECT bit,name FROM keywords WHERE mailbox=? ORDER BY bit",
	[SQL_KEYWORD_INSERT] = "INSERT INTO keywords(mailbox,bit,name) VALUES(?,?,?)",

	[SQL_BODY_INSERT] = "INSERT INTO bodies(id,segment,offset,stored,size,sha256) "
			    "VALUES(?,?,?,?,?,?)",
	[SQL_BODY_EACH] = "SELECT id,segment,offset,stored,size,sha256 FROM bodies WHERE id>? "
			  "ORDER BY id LIMIT ?",

	[SQL_ENTRY_INSERT] =
		"INSERT INTO entries(mailbox,uid,body,prefix_at,prefix_size,size,time,entry_id,"
		"saved,uidl) VALUES(?,?,?,?,?,?,?,?,?,?)",
	[SQL_ENTRIES] =
		"SELECT uid,size,time,entry_id,saved,body,prefix_at,prefix_size,uidl FROM entries "
		"WHERE mailbox=? AND uid>=? AND uid<=? ORDER BY uid LIMIT ?",
	[SQL_ENTRY_DELETE] = "DELETE FROM entries WHERE mailbox=? AND uid=?",
	[SQL_ENTRY_PLACE] = "SELECT e.prefix_at,e.prefix_size,e.size,b.id,b.segment,b.offset,"
			    "b.stored,b.size,b.sha256 FROM entries e LEFT JOIN bodies b "
			    "ON b.id=e.body WHERE e.mailbox=? AND e.uid=? AND "
			    "(SELECT account FROM mailboxes m WHERE m.id=e.mailbox)=?",
	[SQL_BLOCK_FIRST] =
		"SELECT id,data FROM flags WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1",
	[SQL_BLOCKS] = "SELECT id,data FROM flags WHERE id BETWEEN ? AND ? ORDER BY id",
	[SQL_BLOCK_PUT] = "REPLACE INTO flags(id,data) VALUES(?,?)",
	[SQL_BLOCK_DELETE] = "DELETE FROM flags WHERE id=?",
	[SQL_ANNOTATIONS] = "SELECT name,value FROM annotations WHERE account=? AND mailbox=? "
			    "ORDER BY name",
	[SQL_IMPORTED] = "INSERT OR IGNORE INTO imported(mark) VALUES(?)",
	[SQL_MAILBOX_UIDVALIDITY] = "UPDATE mailboxes SET uidvalidity=?,uidfloor=? WHERE id=?",
	[SQL_ANNOTATION_PUT] =
		"INSERT INTO annotations(account,mailbox,name,value) VALUES(?,?,?,?) "
		"ON CONFLICT(account,mailbox,name) DO UPDATE SET value=excluded.value",
	[SQL_ANNOTATION_KEEP] =
		"INSERT OR IGNORE INTO annotations(account,mailbox,name,value) VALUES(?,?,?,?)",
	[SQL_ANNOTATION_DELETE] =
		"DELETE FROM annotations WHERE account=? AND mailbox=? AND name=?",
	[SQL_ANNOTATION_COUNT] = "SELECT count(*) FROM annotations WHERE account=? AND mailbox=?",
	/* More than the limit need not be counted. */
	[SQL_ANNOTATIONS_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM annotations WHERE account=? "
				  "LIMIT 20000)",
	[SQL_ANNOTATIONS_DELETE] = "DELETE FROM annotations WHERE account=?",
	/* All of them, as of a mailbox that nobody has opened yet, are not counted. */
	[SQL_RECENT] = "SELECT CASE WHEN max(?2,m.recent)<=1 THEN m.messages ELSE "
		       "(SELECT count(*) FROM entries e WHERE e.mailbox=m.id AND "
		       "e.uid>=max(?2,m.recent) AND e.uid<?3) END FROM mailboxes m WHERE m.id=?1",
	[SQL_RECENT_PUT] = "UPDATE mailboxes SET recent=?1 WHERE id=?2 AND recent<?1",
	[SQL_MAILBOX_ANNOTATIONS_DELETE] =
		"DELETE FROM annotations WHERE account=(SELECT account FROM mailboxes WHERE id=?1) "
		"AND mailbox=?1",
	[SQL_TOMBSTONES] = "SELECT uid,modseq FROM expunged WHERE mailbox=? AND uid>? ORDER BY uid "
			   "LIMIT ?",
	[SQL_TOMBSTONE] = "INSERT INTO expunged(mailbox,uid,modseq) VALUES(?,?,?)",

	[SQL_DELETED_INSERT] =
		"INSERT INTO deleted(account,time,mailbox,uid,body,prefix_at,prefix_size,flags,"
		"size,date,entry_id,name,keywords) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
	/* A row for each entry of a mailbox, as they are now. Keywords go by name, since their bits
	 * are the mailbox's. */
	[SQL_DELETED_KEEP] =
		"INSERT INTO deleted(account,time,mailbox,uid,body,prefix_at,prefix_size,flags,"
		"size,date,entry_id,name,keywords) SELECT ?1,?2,e.mailbox,e.uid,e.body,e.prefix_at,"
		"e.prefix_size," E_FLAGS ",e.size,e.time,e.entry_id,"
		"(SELECT name FROM mailboxes m WHERE m.id=e.mailbox),"
		"CASE WHEN " E_LOW "|" E_HIGH "=0 THEN '' ELSE coalesce((SELECT "
		"group_concat(k.name,' ') FROM keywords k WHERE k.mailbox=e.mailbox AND "
		"(CASE WHEN k.bit<64 THEN " E_LOW ">>k.bit ELSE " E_HIGH ">>(k.bit-64) "
		"END)&1),'') END FROM entries e WHERE e.mailbox=?3",
	/* From a key on (exclusive), in the order of deletion. */
	[SQL_DELETED_EACH] =
		"SELECT time,mailbox,uid,body,size,prefix_at,prefix_size,flags,date,entry_id,name,"
		"keywords FROM deleted WHERE account=?1 AND (time,mailbox,uid)>(?2,?3,?4) "
		"AND (?5='' OR name=?5) ORDER BY time,mailbox,uid LIMIT ?6",
	/* What the account has again, or has deleted once more, with another body. */
	[SQL_DELETED_THERE] =
		"SELECT DISTINCT d.time,d.mailbox,d.uid,d.body,d.size FROM deleted d JOIN "
		"(SELECT e.entry_id AS id,e.body AS body,0 AS mailbox,0 AS time FROM mailboxes m "
		"JOIN entries e ON e.mailbox=m.id WHERE m.account=?1 UNION ALL "
		"SELECT entry_id,body,mailbox,time FROM deleted WHERE account=?1) o "
		"ON o.id=d.entry_id WHERE o.body<>d.body AND "
		"(o.mailbox=0 OR (o.mailbox=d.mailbox AND o.time>d.time)) AND "
		"d.account=?1 AND d.time>=?2 AND (?3='' OR d.name=?3) LIMIT ?4",
	[SQL_DELETED_OLDEST] = "SELECT time,mailbox,uid,body,size FROM deleted WHERE account=?1 "
			       "AND time<?2 ORDER BY time,mailbox,uid LIMIT 1",
	[SQL_DELETED_DELETE] =
		"DELETE FROM deleted WHERE account=? AND time=? AND mailbox=? AND uid=?",
	[SQL_DELETED_END] = "UPDATE deleted SET time=0 WHERE account=?",
	[SQL_DELETED_COUNT] = "SELECT count(*),coalesce(sum(size),0) FROM deleted WHERE account=?",
	[SQL_DELETED_NEXT_ACCOUNT] = "SELECT min(account) FROM deleted WHERE account>=?",
	[SQL_DELETED_EXPIRED] = "SELECT 1 FROM deleted WHERE account=? AND time<? LIMIT 1",
	[SQL_BODY_DROP] = "DELETE FROM bodies WHERE id=?1 AND NOT EXISTS(SELECT 1 FROM entries "
			  "WHERE body=?1) AND NOT EXISTS(SELECT 1 FROM deleted WHERE body=?1) "
			  "RETURNING segment,stored",
	[SQL_SEGMENT_DEAD] =
		"INSERT INTO segments(segment,dead,since) VALUES(?,?,?) ON CONFLICT(segment) DO "
		"UPDATE SET since=CASE WHEN dead=0 THEN excluded.since ELSE since END,"
		"dead=dead+excluded.dead",
	[SQL_SEGMENT_EACH] = "SELECT segment,surveyed,dead,since FROM segments ORDER BY segment",
	[SQL_SEGMENT_SURVEYED] =
		"INSERT INTO segments(segment,surveyed,dead,since) VALUES(?1,1,?2,"
		"CASE WHEN ?2=0 THEN 0 ELSE ?3 END) ON CONFLICT(segment) DO UPDATE SET surveyed=1,"
		"since=CASE WHEN dead=0 THEN excluded.since ELSE since END,"
		"dead=max(dead,excluded.dead)",
	[SQL_SEGMENT_DELETE] = "DELETE FROM segments WHERE segment=?",
	[SQL_CARRY] = "INSERT OR REPLACE INTO carried VALUES(?,?,?,?,?,?)",
	[SQL_CARRIED] = "SELECT slot,segment,offset,length,checksum,bytes FROM carried",
	[SQL_CARRIED_DELETE] = "DELETE FROM carried WHERE segment=?",
	[SQL_BODY_MOVE] = "UPDATE bodies SET segment=?,offset=? WHERE id=? AND segment=? AND "
			  "offset=?",
	[SQL_BODY_THERE] = "SELECT 1 FROM bodies WHERE id=?",
	[SQL_BODIES_IN] =
		"SELECT max(id),coalesce(sum(segment=?1),0),"
		"coalesce(sum(stored*(segment=?1)),0) FROM (SELECT id,segment,stored FROM "
		"bodies WHERE id>?2 ORDER BY id LIMIT ?3)",
	[SQL_BROKEN_OF_BODY] = BROKEN "WHERE e.body=?1 ORDER BY e.mailbox,e.uid LIMIT ?2",
	[SQL_BROKEN_NO_BODY] = BROKEN
	"WHERE e.body>?1 AND NOT EXISTS(SELECT 1 FROM bodies b WHERE b.id=e.body) "
	"ORDER BY e.body LIMIT ?2",
	[SQL_BROKEN_NO_MAILBOX] = BROKEN
	"WHERE e.mailbox>?1 AND NOT EXISTS(SELECT 1 FROM mailboxes m "
	"WHERE m.id=e.mailbox) ORDER BY e.mailbox,e.uid LIMIT ?2",
	[SQL_KEPT_COUNTS] = "SELECT (SELECT count(*) FROM deleted WHERE account>0),"
			    "(SELECT coalesce(sum(size),0) FROM deleted WHERE account>0),"
			    "(SELECT coalesce(sum(dead),0) FROM segments)",
	[SQL_REMOVED_INSERT] = "INSERT INTO removed(account,address,time) VALUES(?,?,?)",
	[SQL_REMOVED_EACH] = "SELECT account FROM removed WHERE address=? AND account>? "
			     "ORDER BY account LIMIT 1",
	[SQL_REMOVED_DELETE] = "DELETE FROM removed WHERE account=?1 AND NOT EXISTS(SELECT 1 FROM "
			       "deleted WHERE account=?1)",

	[SQL_COUNTS] = "SELECT (SELECT count(*) FROM accounts),"
		       "(SELECT coalesce(sum(messages),0) FROM mailboxes),"
		       "(SELECT value FROM meta WHERE key='bodies'),"
		       "(SELECT value FROM meta WHERE key='epoch'),"
		       "(SELECT value FROM meta WHERE key='uidvalidity')",
	[SQL_MEND_BLOCKS] = "REPLACE INTO flags SELECT id,(SELECT flag_block(e.uid," E_FLAGS
			    "," E_LOW "," E_HIGH ",coalesce(" E_MODSEQ
			    ",(SELECT a.modseq+1 FROM mailboxes m JOIN accounts a ON "
			    "a.id=m.account WHERE m.id=e.mailbox),1)) " BLOCK_ENTRIES
			    ") FROM " WRONG_BLOCKS " AND n>0",
	[SQL_MEND_BLOCKS_GONE] = "DELETE FROM flags WHERE NOT EXISTS(SELECT 1 " BLOCK_ENTRIES ")",
	/* Of the accounts from one to another: what is not what the rows say. */
	[SQL_MEND_MAILBOXES] = "UPDATE mailboxes SET (" MAILBOX_COUNTERS ")=" MAILBOX_ROWS_SAY
			       " WHERE account BETWEEN ?1 AND ?2 AND (" MAILBOX_COUNTERS
			       ")<>" MAILBOX_ROWS_SAY,
	[SQL_MEND_ACCOUNTS] = "UPDATE accounts SET (" ACCOUNT_COUNTERS ")=" ACCOUNT_ROWS_SAY
			      " WHERE id BETWEEN ?1 AND ?2 AND (" ACCOUNT_COUNTERS
			      ")<>" ACCOUNT_ROWS_SAY,
	/* Of one account, or (0) of all. */
	[SQL_CHECK_COUNTERS] =
		"SELECT m.id,m.name,m.messages,m.size,count(e.uid),coalesce(sum(e.size),0),"
		"coalesce(max(e.uid),0),m.uidnext,"
		"m.unseen,coalesce(sum(" E_FLAGS "&1=0),0),m.deleted,"
		"coalesce(sum(" E_FLAGS "&8<>0),0),"
		"m.deleted_size,coalesce(sum(e.size) FILTER (WHERE " E_FLAGS "&8<>0),0),m.recent "
		"FROM mailboxes m LEFT JOIN entries e ON e.mailbox=m.id "
		"WHERE ?1=0 OR m.account=?1 GROUP BY m.id",
	[SQL_CHECK_ACCOUNTS] =
		"SELECT a.id,a.mailboxes,(SELECT count(*) FROM mailboxes m WHERE m.account=a.id),"
		"a.subscriptions,(SELECT count(*) FROM subscriptions s WHERE s.account=a.id),"
		"a.used_messages,(SELECT coalesce(sum(messages),0) FROM mailboxes m "
		"WHERE m.account=a.id),"
		"a.used_bytes,(SELECT coalesce(sum(size),0) FROM mailboxes m WHERE m.account=a.id),"
		"a.kept_messages,(SELECT count(*) FROM deleted d WHERE d.account=a.id),"
		"a.kept_bytes,(SELECT coalesce(sum(size),0) FROM deleted d WHERE d.account=a.id)"
		" FROM accounts a WHERE ?1=0 OR a.id=?1",
	[SQL_CHECK_BODIES] = "SELECT e.mailbox,e.uid,e.body FROM entries e LEFT JOIN bodies b "
			     "ON b.id=e.body WHERE b.id IS NULL LIMIT 1000",
	[SQL_CHECK_ORPHANS] = "SELECT e.mailbox,min(e.uid),count(*) FROM entries e LEFT JOIN "
			      "mailboxes m ON m.id=e.mailbox WHERE m.id IS NULL GROUP BY e.mailbox",
	[SQL_CHECK_UNNAMED] =
		"SELECT id FROM bodies b WHERE NOT EXISTS(SELECT 1 FROM entries WHERE body=b.id) "
		"AND NOT EXISTS(SELECT 1 FROM deleted WHERE body=b.id) LIMIT 1000",
	[SQL_CHECK_KEPT] = "SELECT d.account,d.mailbox,d.uid,d.body FROM deleted d LEFT JOIN "
			   "bodies b ON b.id=d.body WHERE b.id IS NULL LIMIT 1000",
	[SQL_CHECK_SIZES] =
		"SELECT e.mailbox,e.uid,e.size,e.prefix_size+b.size FROM entries e JOIN bodies b "
		"ON b.id=e.body WHERE e.size<>e.prefix_size+b.size LIMIT 1000",
	[SQL_CHECK_KEPT_SIZES] =
		"SELECT d.mailbox,d.uid,d.size,d.prefix_size+b.size FROM deleted d JOIN bodies b "
		"ON b.id=d.body WHERE d.size<>d.prefix_size+b.size LIMIT 1000",
	/* mailbox << 32 | UID of where it landed first: both from 1, and given there. */
	[SQL_CHECK_ENTRY_IDS] =
		"SELECT e.mailbox,e.uid,e.entry_id FROM entries e JOIN mailboxes m ON "
		"m.id=e.mailbox WHERE e.entry_id>>32<=0 OR e.entry_id&4294967295=0 OR "
		"(e.entry_id>>32=e.mailbox AND e.entry_id&4294967295>=m.uidnext) LIMIT 1000",
	[SQL_CHECK_BLOCKS] = "SELECT id,n,known,kept FROM " WRONG_BLOCKS " LIMIT 1000",
	[SQL_CHECK_SECRETS] = "SELECT s.id,s.account FROM secrets s LEFT JOIN accounts a "
			      "ON a.id=s.account WHERE a.id IS NULL LIMIT 1000",
	[SQL_CHECK_MAILBOXES] =
		"SELECT m.id,m.account,m.messages FROM mailboxes m LEFT JOIN accounts a "
		"ON a.id=m.account WHERE a.id IS NULL LIMIT 1000",
};
