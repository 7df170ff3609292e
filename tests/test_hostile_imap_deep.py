# SPDX-License-Identifier: Apache-2.0
"""IMAP's bad input over real connections: I13, I14 and I21 to I30 of the catalogue, under the standing conditions (hostile.py).
I22 is src/imap/sort_test.c's, I27 and I28 are tests/test_conformance.py's, I29 src/imap/fetch_write_test.c's as well."""
import socket
import sqlite3
import statistics
import time
import zlib

from harness import Culver
from hostile import MIB, Imap, append


def test_i13_notify_for_100000_mailboxes():
    """An account of as many: the answer is the code, at once, and nothing of it is kept; with few, one more ends it."""
    with Culver() as culver:
        with Imap(culver) as c:
            assert c.say(b"NOOP") == b"OK"
        culver.stop()
        with sqlite3.connect(culver.dir / "data" / "ledger.db") as db:
            db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) "
                       "INSERT INTO mailboxes(account, name, uidvalidity, modseq) "
                       "SELECT account, 'many-' || i, 7, 1 FROM n, mailboxes WHERE name = 'INBOX' "
                       "AND account = (SELECT id FROM accounts WHERE address LIKE 'bob@%')")
        db.close()
        culver.start()
        with Imap(culver) as c, Imap(culver) as other:
            for events in (b"(personal (MailboxName))", b"STATUS (personal (MessageNew MessageExpunge FlagChange))",
                           b"(subtree many (SubscriptionChange)) (selected (MessageNew MessageExpunge))"):
                assert c.say(b"NOTIFY SET " + events) == b"NO" and b"[NOTIFICATIONOVERFLOW]" in c.text, events
                assert sum(len(b"".join(u)) for u in c.untagged) == 0
            assert c.say(b"SELECT INBOX") == b"OK"
            assert c.say(b"NOTIFY SET (selected (MessageNew (UID) MessageExpunge))") == b"OK"
            assert append(other) == b"OK"
            assert [c.response() for _ in range(2)] == [[b"* 1 EXISTS"], [b"* 1 RECENT"]]
            assert c.response()[0].startswith(b"* 1 FETCH")
        with Imap(culver, "alice") as c:
            assert c.say(b"NOTIFY SET (personal (MailboxName))") == b"OK"
        assert culver.process.poll() is None


def test_i14_no_compression_before_login_nor_twice(standing):
    """The bomb is tests/test_compress.py's."""
    with Imap(standing, None) as c:
        assert c.say(b"COMPRESS DEFLATE") == b"BAD"
    with Imap(standing) as c:
        for command in (b"COMPRESS", b"COMPRESS GZIP", b"COMPRESS DEFLATE DEFLATE"):
            assert c.say(command) in (b"BAD", b"NO"), command
        assert c.say(b"COMPRESS DEFLATE") == b"OK"
        packed = zlib.compressobj(9, zlib.DEFLATED, -15)
        c.send(packed.compress(b"x COMPRESS DEFLATE\r\n") + packed.flush(zlib.Z_SYNC_FLUSH))
        answer = zlib.decompressobj(-15).decompress(c.socket.recv(4096))
        assert answer.startswith((b"x NO", b"x BAD")), answer


def test_i21_modseqs_run_out():
    """Near 2^63-1, the most that RFC 7162 has, nothing wraps and nothing that was acknowledged is lost."""
    with Culver() as culver:
        with Imap(culver) as c:
            assert append(c) == b"OK"
        culver.stop()
        with sqlite3.connect(culver.dir / "data" / "ledger.db") as db:
            db.execute("UPDATE accounts SET modseq=9223372036854775803")
        db.close()
        culver.start()
        heard = []
        with Imap(culver) as c:
            for n in range(8):
                status = append(c, message=b"Subject: %d\r\n\r\n" % n)
                if status != b"OK":
                    assert status == b"NO", c.text
                    break
                heard.append(n)
            assert c.say(b"SELECT INBOX (CONDSTORE)") == b"OK"
            rows = c.ask(b"UID FETCH 1:* (MODSEQ)")
            modseqs = [int(r[3][r[3].index(b"MODSEQ") + 1][0]) for r in rows]
            assert len(rows) == 1 + len(heard)
            assert all(0 < m < 1 << 63 for m in modseqs) and modseqs == sorted(modseqs)
            assert c.say(b"UID STORE 1 +FLAGS (\\Seen)") in (b"OK", b"NO")
            print(f"{len(heard)} appended near the end, then {c.text}; {modseqs}")
        assert culver.process.poll() is None


def test_i21_qresync(standing):
    with Imap(standing, "alice") as c:
        for _ in range(3):
            assert append(c) == b"OK"
        assert c.say(b"ENABLE QRESYNC") == b"OK"
        assert c.say(b"SELECT INBOX") == b"OK"
        validity = next(int(u[0].split(b"UIDVALIDITY ")[1].split(b"]")[0]) for u in c.untagged if b"UIDVALIDITY" in u[0])
        for words in (b"", b"()", b"(%d)" % validity, b"(0 1)", b"(%d 0)" % validity, b"(%d 1 1:*)" % validity,
                      b"(%d 1 *)" % validity, b"(%d 1 $)" % validity, b"(%d 1 1:5 (1:3 1:2))" % validity,
                      b"(%d 1 1:5 (1:3))" % validity, b"(%d 1 1:5 (1:* 1:3))" % validity, b"(%d 1 ())" % validity,
                      b"(4294967296 1)", b"(%d 18446744073709551616)" % validity, b"(%d 1 0)" % validity,
                      b"(%d 1 1:5 (1:3 1:3)) (QRESYNC (1 1))" % validity):
            assert c.say(b"SELECT INBOX (QRESYNC %s)" % words) == b"BAD", words
            assert c.say(b"NOOP") == b"OK"
        # what is strange, and allowed: a future, too much, a sample that is wrong or backwards
        for words in (b"(%d 9223372036854775807)" % validity, b"(%d 1 1:4294967295)" % validity,
                      b"(%d 1 1:1000000)" % validity, b"(%d 1 1:3 (1:3 7:9))" % validity,
                      b"(%d 1 1:3 (4000000000:4294967295 4000000000:4294967295))" % validity, b"(7 1)",
                      b"(%d 1 1%s)" % (validity, b",1" * 60000)):
            begun = time.monotonic()
            assert c.say(b"SELECT INBOX (QRESYNC %s)" % words) == b"OK", words[:60]
            assert time.monotonic() - begun < 5
            assert sum(len(b"".join(u)) for u in c.untagged) < MIB
        assert c.say(b"UID FETCH 1:4294967295 (UID) (CHANGEDSINCE 9223372036854775807 VANISHED)") == b"OK"
        assert c.untagged == []
        for words in (b"CHANGEDSINCE 0", b"CHANGEDSINCE -1", b"CHANGEDSINCE", b"VANISHED", b"CHANGEDSINCE 1 VANISHED VANISHED"):
            assert c.say(b"UID FETCH 1:* (UID) (%s)" % words) in (b"BAD", b"OK"), words
        assert c.say(b"FETCH 1:* (UID) (CHANGEDSINCE 1 VANISHED)") == b"BAD"
        assert c.say(b"STORE 1:* (UNCHANGEDSINCE 18446744073709551616) +FLAGS (x)") == b"BAD"


def test_i23_searches(standing):
    with Imap(standing, "alice") as c:
        c.say(b"CREATE Long")
        body = b"Subject: x\r\n\r\n" + (b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\r\n" * 2000)
        for _ in range(40):
            assert append(c, b"Long", body) == b"OK"
        assert c.say(b"SELECT Long") == b"OK"
        for charset in (b"KOI99", b"UTF-7-NOT", b'""', b"x" * 200):
            assert c.say(b"SEARCH CHARSET " + charset + b" BODY x") in (b"NO", b"BAD"), charset
        assert c.say(b"SEARCH CHARSET UTF-8 BODY {4+}\r\n\xff\xfe\xfd\xfc") in (b"NO", b"BAD", b"OK")
        for needle in (b"(a+)+$", b".*" * 400, b"[a-z]*\\\\", b"%s%n", b"a" * 1024):  # text, and nothing else
            assert c.say(b'SEARCH BODY "' + needle + b'"') == b"OK", needle[:20]
            assert c.untagged[-1][0] == b"* SEARCH", needle[:20]
        assert c.say(b'SEARCH BODY "' + b"a" * 1025 + b'"') in (b"NO", b"BAD")
        # somebody searches again and again: others are answered meanwhile
        c.send(b"".join(b"s%d SEARCH BODY aab NOT BODY zzz%d\r\n" % (n, n) for n in range(20)))
        waits = []
        with Imap(standing) as other:
            for _ in range(40):
                begun = time.monotonic()
                assert other.say(b"NOOP") == b"OK"
                waits.append(time.monotonic() - begun)
        print(f"beside 20 searches of 4 MB: NOOP p50 {statistics.median(waits) * 1e3:.1f} ms, worst {max(waits) * 1e3:.1f}")
        assert statistics.median(waits) < 0.5
        # and who leaves in the middle is not searched for any more
    with Imap(standing) as other:
        assert other.say(b"NOOP") == b"OK"


def test_i24_tags_and_commands(standing):
    for tag in (b"t" * MIB, b"+", b"*", b"", b"a+b", b"(", b'"a"', b"{3+}"):
        with Imap(standing) as c:
            c.send(tag + b" NOOP\r\n")
            pieces = c.response()
            assert pieces is None or pieces[0].split(b" ")[1] in (b"BAD", b"BYE"), tag[:10]
    with Imap(standing) as c:
        assert c.say(b"ID (" + b" ".join(b'"k%d" "v"' % n for n in range(10000)) + b")") == b"BAD"
        assert c.say(b"ENABLE CONDSTORE") == b"OK" and c.say(b"ENABLE CONDSTORE CONDSTORE NONSENSE") == b"OK"
        assert c.say(b"ENABLE") == b"BAD"
        for _ in range(50):
            c.send(b"n NOOP\r\n" * 400)
            for _ in range(400):
                assert c.answer(b"n") == b"OK"
    with Imap(standing, None) as c:
        c.send(b"x AUTHENTICATE PLAIN\r\n")
        assert c.line().startswith(b"+")
        c.send(b"*\r\n")
        assert c.answer() == b"BAD" and c.say(b"NOOP") == b"OK"
        c.send(b"x AUTHENTICATE PLAIN " + b"A" * MIB + b"\r\n")
        assert c.goodbye()
    with Imap(standing, None) as c:  # refused commands of a stranger have an end
        said = 0
        while c.say(b"XYZZY") == b"BAD":
            said += 1
            assert said <= 60
        assert said >= 10


def test_i25_counts(standing):
    with Imap(standing, "alice") as c:
        assert c.say(b'SETMETADATA "" (/private/x {1073741824+}\r\n') in (b"BAD", None)
    with Imap(standing, "alice") as c:
        refused = 0
        for n in range(0, 130, 10):
            words = b" ".join(b'/private/k%d "v"' % k for k in range(n, n + 10))
            refused += c.say(b'SETMETADATA "" (' + words + b")") == b"NO"
        assert refused >= 2 and b"[METADATA TOOMANY]" in c.text
        for n in range(0, 130, 10):
            assert c.say(b'SETMETADATA "" (' + b" ".join(b"/private/k%d NIL" % k for k in range(n, n + 10)) + b")") == b"OK"
        assert c.say(b'SETMETADATA "" (/private/x "' + b"v" * 5000 + b'")') == b"NO"
        for n in range(500):
            c.send(b"n SUBSCRIBE gone%d\r\n" % n)
        assert {c.answer(b"n") for _ in range(500)} <= {b"OK", b"NO"}
        for n in range(500):
            c.send(b"n UNSUBSCRIBE gone%d\r\n" % n)
        assert {c.answer(b"n") for _ in range(500)} <= {b"OK", b"NO"}


def test_i26_who_reads_slowly_holds_nobody(standing):
    """A byte now and then of 60 MB, with the mailbox selected: others store, expunge, append and delete meanwhile."""
    with Imap(standing, "alice") as c:
        c.say(b"CREATE Big")
        big = b"Subject: big\r\n\r\n" + b"z" * 998 + (b"\r\n" + b"z" * 998) * 6000
        for _ in range(10):
            assert append(c, b"Big", big) == b"OK"
        assert c.say(b"SELECT Big") == b"OK"
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.send(b"slow FETCH 1:* (BODY.PEEK[])\r\n")
        with Imap(standing, "alice") as other:
            assert other.say(b"SELECT Big") == b"OK"
            worst = 0
            for command in (b"STORE 1:* +FLAGS (\\Seen)", b"STORE 9 +FLAGS (\\Deleted)", b"EXPUNGE", b"COPY 1 Big", b"NOOP"):
                begun = time.monotonic()
                assert other.say(command) == b"OK"
                assert len(c.socket.recv(1)) == 1
                worst = max(worst, time.monotonic() - begun)
            assert append(other, b"Big") == b"OK"
            assert other.say(b"DELETE Big") == b"OK"
            print(f"beside who does not read: worst {worst * 1e3:.0f} ms")
            assert worst < 5


def test_i29_envelopes_are_always_valid(standing):
    headers = [b"From: a (b\\", b"From: (((((\\\\\\", b'From: "a\\', b"To: =?utf-8?q?=00=22=5C?= <a@b>", b"Subject: \xff\xfe\x80\x00x",
               b'To: "q\\"uo\\\\te" <"a b"@c>', b"From: <@,@:a@b>, g: x@y, z;, (c) d (e)@f (g)", b"Sender: \x7f\x01\x02<>",
               b"In-Reply-To: <" + b"x" * 5000, b"Content-Type: a/b; c=\"d\\", b"Content-Type: multipart/mixed; boundary=\"",
               b"Content-Disposition: x; y*0*=utf-8''%00%22; y*1=\"", b"Date: \"", b"Message-ID: \x80\""]
    with Imap(standing, "alice") as c:
        c.say(b"CREATE Odd")
        for h in headers:
            assert append(c, b"Odd", h.replace(b"\x00", b"\x01") + b"\r\n\r\nx\r\n") == b"OK", h
        assert c.say(b"SELECT Odd") == b"OK"
        for item in (b"ENVELOPE", b"BODYSTRUCTURE", b"BODY", b"PREVIEW"):
            rows = [r for r in c.ask(b"FETCH 1:* (%s)" % item) if b"FETCH" in r]  # ask() breaks on what breaks the grammar
            assert len(rows) == len(headers), item
        assert c.say(b"DELETE Odd") == b"OK"


def test_i30_renames_creates_and_deletes(standing):
    with Imap(standing, "alice") as c:
        before = sorted(r[4] for r in c.ask(b'LIST "" *'))
        for n in range(20):  # INBOX again and again: it stays, what is in it goes each time
            assert append(c) == b"OK"
            assert c.say(b"RENAME INBOX Once%d" % n) == b"OK"
            status = c.ask(b"STATUS INBOX (MESSAGES)")[0]
            assert status[-1][1] == b"0"
        assert c.say(b"RENAME INBOX Once0") == b"NO"
        for command, status in ((b"RENAME Once1 Once1/a", b"NO"), (b"RENAME Once1 Once1", b"NO"), (b"RENAME Nowhere x", b"NO"),
                                (b"RENAME Once1 INBOX", b"NO"), (b"DELETE INBOX", b"NO"), (b"CREATE INBOX", b"NO"),
                                (b"RENAME INBOX INBOX", b"NO"), (b"CREATE " + b"d/" * 1000 + b"d", b"NO"),
                                (b"RENAME Once1 " + b"e/" * 1000 + b"e", b"NO")):
            assert c.say(command) == status, (command[:30], c.text)
        assert c.say(b"CREATE P/Q/R") == b"OK" and c.say(b"RENAME P/Q P/S") == b"OK"
        assert c.say(b"RENAME P P/S/T") == b"NO"
        assert c.say(b"SELECT P/S/R") == b"OK"
        with Imap(standing, "alice") as other:
            assert other.say(b"SELECT P/S/R") == b"OK"
            assert c.say(b"DELETE P/S/R") == b"OK"  # selected here and there
            assert c.say(b"FETCH 1 UID") == b"BAD" and c.say(b"NOOP") == b"OK"
            other.send(b"x NOOP\r\n")
            assert other.goodbye()
        for n in range(20):
            assert c.say(b"DELETE Once%d" % n) == b"OK"
        for name in (b"P/S", b"P"):
            assert c.say(b"DELETE " + name) in (b"OK", b"NO")
        assert set(before) <= {r[4] for r in c.ask(b'LIST "" *')}
