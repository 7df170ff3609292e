# SPDX-License-Identifier: Apache-2.0
"""IMAP's bad input over real connections: I11, I12, I15, I17 to I20 of the catalogue (I16 is a client's),
under the standing conditions (hostile.py)."""
import concurrent.futures
import contextlib
import sqlite3
import ssl

from harness import DOMAIN, Culver, wait_for
from hostile import MAIL, RCPT, Imap, Smtp, append, memory

# Every command that names a mailbox; %s is the name.
NAMING = [b"SELECT %s", b"EXAMINE %s", b"DELETE %s", b"RENAME %s Mine", b"STATUS %s (MESSAGES)",
          b"APPEND %s {1+}\r\nx", b"COPY 1 %s", b"UID COPY 1 %s", b"MOVE 1 %s", b"UID MOVE 1 %s"]


def test_i11_somebody_elses_mailbox_is_one_that_there_is_not(standing):
    """Each command on a name that only another account has, or that asks for another's tree, answers
    as for a name that nobody has; LIST, LSUB and STATUS show one's own alone."""
    culver = standing
    with Imap(culver, "alice") as c:
        for name in (b"Secret", b"Secret/Deeper"):
            c.say(b"CREATE " + name)
        assert append(c, b"Secret", b"Subject: hers\r\n\r\nhers\r\n") == b"OK"
        assert c.say(b"SUBSCRIBE Secret") == b"OK"
    foreign = [b"Secret", b"Secret/Deeper", b'"user/alice@example.test/Secret"', b'"~alice@example.test/Secret"',
               b'"alice@example.test/Secret"']
    with Imap(culver) as c:
        assert append(c) == b"OK"
        assert c.say(b"SELECT INBOX") == b"OK"

        def answers(name):
            found = []
            for command in NAMING:
                status = c.say(command % name)
                found.append((status, c.text.split(b" ", 2)[2].replace(name, b"NAME")))
                assert not any(b"hers" in piece for pieces in c.untagged for piece in pieces)
                if command.startswith((b"SELECT", b"EXAMINE")):
                    assert c.say(b"SELECT INBOX") == b"OK"
            return found

        nobody = answers(b"Nobody")
        assert all(status == b"NO" for status, _ in nobody)
        for name in foreign:
            assert answers(name) == nobody, name
        for name in (b'"#shared/alice/Secret"', b'"/alice@example.test/INBOX"'):  # names that nobody can have
            assert all(status == b"NO" for status, _ in answers(name))
        for command in (b'LIST "" *', b'LSUB "" *', b'LIST "" "*" RETURN (STATUS (MESSAGES))',
                        b'LIST "#shared/" *', b'LIST "user/" *', b'LIST "~alice@example.test/" *'):
            assert not any(b"Secret" in str(r).encode() for r in c.ask(command)), command
        # Rights of other extensions that are not offered are refused as unknown.
        for command in (b"LISTRIGHTS INBOX alice", b"GETACL Secret", b"SETACL INBOX bob lrs", b"GETQUOTA alice",
                        b"URLFETCH x", b"LOCALDELETE Secret", b"NOTIFY SET (personal (MessageNew))", b"GETMETADATA Secret x"):
            assert c.say(command) in (b"BAD", b"NO"), command
    with Imap(culver, user=None) as c:
        for command in NAMING[:5] + [b'LIST "" *%.0s', b"GETQUOTAROOT %s"]:
            assert c.say(command % b"INBOX") in (b"BAD", b"NO")
    with Imap(culver, "alice") as c:
        assert c.say(b"SELECT Secret") == b"OK" and c.ask(b"FETCH 1 (FLAGS)")
        for command in (b"CLOSE", b"DELETE Secret/Deeper", b"DELETE Secret", b"UNSUBSCRIBE Secret"):
            assert c.say(command) == b"OK"


def test_i12_idle(standing):
    culver = standing
    for line in (b"NOOP", b"x NOOP", b"", b"DON", b"DONE x", b"x" * 5000):
        with Imap(culver) as c:
            c.send(b"x IDLE\r\n")
            assert c.line().startswith(b"+")
            c.send(line + b"\r\n")
            assert c.answer() in (b"BAD", None), line
    with Imap(culver) as c:  # started and stopped without end
        for _ in range(20):
            c.send(b"x IDLE\r\nDONE\r\n" * 100)
            for _ in range(100):
                assert c.answer() == b"OK"
    pid = culver.roles()["front-user"]
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Imap(culver)) for _ in range(100)]
        for c in idle:
            c.say(b"SELECT INBOX")
        before = memory(pid)
        for c in idle:
            c.send(b"x IDLE\r\n")
            assert c.line().startswith(b"+")
        # 50 messages while none of the 100 reads: news come together, and cost next to nothing.
        with Imap(culver) as sender:
            for _ in range(50):
                assert append(sender) == b"OK"
        for c in idle:
            c.send(b"DONE\r\n")
            assert c.answer() == b"OK"
            assert c.untagged and all(b"EXISTS" in u[0] or b"FETCH" in u[0] or b"RECENT" in u[0] for u in c.untagged)
        grown = (memory(pid) - before) / 100
        print(f"IDLE: {grown / 1024:.1f} KiB a connection")
        assert grown < 64 * 1024


def test_i15_no_password_in_clear():
    """Away from loopback's exemption: LOGINDISABLED, PRIVACYREQUIRED, and no password in a log."""
    with Culver() as culver:
        text = culver.conf.read_text()
        assert "loopback = true" in text
        culver.conf.write_text(text.replace("loopback = true", "loopback = false"))
        culver.restart()
        with Imap(culver, user=None) as c:
            assert c.say(b"CAPABILITY") == b"OK"
            assert b"LOGINDISABLED" in c.untagged[0][0] and b"AUTH=PLAIN" not in c.untagged[0][0]
            assert c.say(b'LOGIN bob@example.test "sEcReT one"') == b"NO" and b"[PRIVACYREQUIRED]" in c.text
            c.send(b"x AUTHENTICATE PLAIN AGJvYkBleGFtcGxlLnRlc3QAc0VjUmVUIG9uZQ==\r\n")
            assert c.answer() == b"NO"
        assert "sEcReT" not in culver.log_text() and "c0VjUmVU" not in culver.log_text()


def test_i17_commands_behind_starttls_are_not_obeyed(standing):
    culver = standing
    with Imap(culver, user=None) as c:
        c.send(b"x STARTTLS\r\nx LOGOUT\r\nx CREATE Injected\r\n")
        c.answer()
        context = culver.tls_context()
        with contextlib.suppress(ssl.SSLError, ConnectionError, OSError):
            with context.wrap_socket(c.socket, server_hostname="localhost") as tls:
                tls.settimeout(2)
                tls.sendall(b"a NOOP\r\n")
                assert b"x " not in tls.recv(4096)


def test_i18_append_is_all_or_nothing(standing):
    culver = standing
    with Imap(culver) as c:
        before = c.ask(b"STATUS INBOX (MESSAGES)")[0][-1][1]

        def unchanged():
            assert c.ask(b"STATUS INBOX (MESSAGES)")[0][-1][1] == before

        for size in (b"99999999999", b"4294967296", b"268435457"):
            with Imap(culver) as other:
                other.send(b"x APPEND INBOX {" + size + b"}\r\n")
                assert other.answer() in (b"NO", b"BAD", None)
        for n in (0, 1, 500, 999):  # cut in the middle of the literal
            with Imap(culver) as other:
                other.send(b"x APPEND INBOX {1000+}\r\n" + b"y" * n)
        unchanged()
        for flags in (b"(\\Nonsense\\)", b"(" + b" ".join(b"k%d" % n for n in range(10000)) + b")",
                      b"(" + b"k" * (1 << 20) + b")"):
            with Imap(culver) as other:
                assert append(other, how=flags + b" ") in (b"NO", b"BAD", None), flags[:20]
        for date in (b'"00-Jan-2026 00:00:00 +0000"', b'"31-Feb-2026 00:00:00 +0000"', b'"01-Jan-2026 25:00:00 +0000"',
                     b'"01-Foo-2026 00:00:00 +0000"', b'"1-Jan-26 00:00:00 +0000"', b'""', b'"01-Jan-2026 00:00:00"'):
            assert append(c, how=date + b" ") in (b"BAD", b"NO"), date
        unchanged()
        for body in (b"a\0b", b"a\nb", b"\0"):  # NUL has no place in a literal; bytes are bytes otherwise
            append(c, message=body)
        for year in (b"0000", b"1969", b"9999"):
            assert append(c, how=b'"01-Jan-' + year + b' 00:00:00 +0000" ') in (b"OK", b"BAD", b"NO")
        assert c.say(b"SELECT INBOX") == b"OK"
        c.ask(b"FETCH 1:* (INTERNALDATE RFC822.SIZE)")
        assert append(c, b"Nowhere") == b"NO" and b"[TRYCREATE]" in c.text


def test_i19_races_lose_nothing(standing):
    """Two who append, one who expunges, one who renames the mailbox, and one who deletes it and makes it
    again, at once: each OK names a message that is found, or was expunged; UIDs rise."""
    culver = standing
    with Imap(culver) as c:
        for name in (b"Race", b"Race2"):
            c.say(b"CREATE " + name)

    def appender(n):
        done = []
        with Imap(culver) as c:
            for i in range(60):
                name = b"Race" if i % 2 else b"Race2"
                status = append(c, name, b"Subject: %d-%d\r\n\r\n" % (n, i))
                if status == b"OK":
                    code = c.text[c.text.index(b"[APPENDUID "):].split(b"]")[0].split()
                    done.append((int(code[1]), int(code[2])))
                else:
                    assert status == b"NO" and (b"[TRYCREATE]" in c.text or b"[NONEXISTENT]" in c.text), c.text
        return done

    def expunger():
        removed = set()
        with Imap(culver) as c:
            for _ in range(20):
                if c.say(b"SELECT Race2") != b"OK":
                    continue
                validity = next(int(u[0].split(b"UIDVALIDITY ")[1].split(b"]")[0]) for u in c.untagged if b"UIDVALIDITY" in u[0])
                for r in c.ask(b"UID FETCH 1:* (FLAGS)") if not any(b" 0 EXISTS" in u[0] for u in c.untagged) else []:
                    if b"FETCH" in r:
                        uid = int(r[3][r[3].index(b"UID") + 1])
                        if uid % 3 == 0 and c.say(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid) == b"OK":
                            removed.add((validity, uid))
                c.say(b"EXPUNGE")
        return removed

    def renamer():
        with Imap(culver) as c:
            for _ in range(30):
                c.say(b"RENAME Race Race3")
                c.say(b"RENAME Race3 Race")

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        appenders = [pool.submit(appender, n) for n in range(2)]
        removed, names = pool.submit(expunger), pool.submit(renamer)
        done = [f.result() for f in appenders]
        removed.result()
        names.result()
    there = {}
    with Imap(culver) as c:
        for name in (b"Race", b"Race2"):
            assert c.say(b"SELECT " + name) == b"OK"
            validity = next(int(u[0].split(b"UIDVALIDITY ")[1].split(b"]")[0]) for u in c.untagged if b"UIDVALIDITY" in u[0])
            there[validity] = set()
            if c.say(b"UID SEARCH ALL") == b"OK":
                there[validity] = {int(x) for x in c.untagged[0][0].split()[2:]}
        for name in (b"Race", b"Race2"):
            c.say(b"DELETE " + name)
    for list_ in done:
        assert list_
        for validity in {v for v, _ in list_}:
            uids = [u for v, u in list_ if v == validity]
            assert uids == sorted(set(uids))
    # Renaming keeps UIDVALIDITY, so every OK is in one of the two; only multiples of 3 may have gone.
    for validity, uid in done[0] + done[1]:
        assert uid in there[validity] or (validity, uid) in removed.result(), (validity, uid)
    assert len({(v, u) for v, u in done[0] + done[1]}) == len(done[0] + done[1])


def test_i19_append_into_a_mailbox_that_is_being_deleted(standing):
    culver = standing

    def maker():
        with Imap(culver) as c:
            for _ in range(40):
                c.say(b"CREATE Brief")
                c.say(b"DELETE Brief")
            return c.say(b"NOOP")

    def appender():
        with Imap(culver) as c:
            return [(append(c, b"Brief"), c.text) for _ in range(60)]

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        makes, tries = pool.submit(maker), [pool.submit(appender) for _ in range(2)]
        assert makes.result() == b"OK"
        for t in tries:
            for status, text in t.result():
                assert status == b"OK" or (status == b"NO" and b"[TRYCREATE]" in text), text


def test_i20_uids_run_out():
    """At 2^32-1 nothing wraps: a mailbox that has given its last UID takes no more, or starts anew under
    a higher UIDVALIDITY; the sender is told, and nothing that was acknowledged is lost."""
    with Culver() as culver:
        with Imap(culver) as c:
            assert append(c) == b"OK"
        culver.stop()
        with sqlite3.connect(culver.dir / "data" / "ledger.db") as db:
            db.execute("UPDATE mailboxes SET uidnext=4294967293 WHERE name='INBOX'")
        db.close()
        culver.start()
        uids = []
        with Imap(culver) as c:
            for _ in range(5):
                if append(c) == b"OK":
                    code = c.text[c.text.index(b"[APPENDUID "):].split(b"]")[0].split()
                    uids.append((int(code[1]), int(code[2])))
                else:
                    assert c.text.startswith(b"x NO")
            assert len(uids) >= 2 and uids == sorted(set(uids))
            assert all(0 < uid <= 0xffffffff for _, uid in uids)
            assert c.say(b"SELECT INBOX") == b"OK"
            assert len(c.ask(b"FETCH 1:* (UID)")) == 1 + len(uids)
        with Smtp(culver) as s:
            assert s.say(MAIL) == 250
            code = s.say(RCPT)
            if code == 250:
                assert s.say(b"DATA\r\n") == 354
                code = s.say(b"Subject: late\r\n\r\nx\r\n.\r\n")
        print(f"UIDs at the end: {uids}; a delivery then is answered {code}")
        with Imap(culver) as c:
            assert c.say(b"SELECT INBOX") == b"OK"
            assert len(c.ask(b"FETCH 1:* (UID)")) == 1 + len(uids) + (code == 250)
        wait_for(lambda: culver.process.poll() is None)
        assert f"bob@{DOMAIN}" in culver.command("account", "list").stdout
