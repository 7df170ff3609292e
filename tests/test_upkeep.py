# SPDX-License-Identifier: Apache-2.0
"""The store's upkeep: deleted messages that come back, and the space of those that do not."""
import base64
import imaplib
import json
import os
import pathlib
import poplib
import smtplib
import sqlite3
import subprocess
import tempfile

import pytest

from harness import DOMAIN, Culver, example

BOB = f"bob@{DOMAIN}"


def send(c, *messages):
    with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
        for m in messages:
            s.sendmail("ann@example.org", [BOB], m)


def imap(c):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
    m.login(BOB, c.password("bob"))
    m.select()
    return m


def subjects(m, mailbox="INBOX"):
    count = int(m.select(mailbox)[1][0])
    if not count:
        return []
    found = m.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    return sorted(part[1].split(b":")[1].strip().decode() for part in found if isinstance(part, tuple))


def undelete(c, *args):
    return json.loads(c.command("account", "undelete", "--json", *args, BOB).stdout)


def test_deleted_messages_come_back():
    """By EXPUNGE, by POP3's DELE, with their mailbox; listed, narrowed, put back with a running
    server and a stopped one; an open session hears of it."""
    with Culver() as c:
        send(c, *(example(f"number {n}") for n in range(4)))
        m = imap(c)
        m.create("Folder")
        m.copy("4", "Folder")
        m.store("1", "+FLAGS", r"(\Deleted \Flagged urgent)")
        m.expunge()
        m.delete("Folder")
        p = poplib.POP3("127.0.0.1", c.port("pop3"))
        p.user(BOB)
        p.pass_(c.password("bob"))
        p.dele(1)
        p.quit()
        listed = undelete(c, "--list")
        assert sorted(d["mailbox"] for d in listed["messages"]) == ["Folder", "INBOX", "INBOX"]
        assert not listed["cut"]
        assert undelete(c, "--list", "--mailbox", "Folder")["messages"][0]["size"] > 100
        assert undelete(c, "--list", "--since", "2099-01-01")["messages"] == []
        assert len(undelete(c, "--list", "--since", "2h")["messages"]) == 3
        assert c.command("account", "undelete", "--since", "tomorrow", BOB, check=False).returncode == 2
        assert len(undelete(c, "--list", "--mailbox", "Inbox")["messages"]) == 2
        assert undelete(c, "--mailbox", "inbox")["messages"] == 2  # RFC 9051 5.1: INBOX in any case
        assert subjects(m) == [f"number {n}" for n in range(4)]
        flags = m.uid("FETCH", "5:*", "(FLAGS)")[1]
        assert any(b"\\Flagged" in f and b"urgent" in f and b"Deleted" not in f for f in flags)
        m.logout()
        c.stop()
        assert undelete(c)["messages"] == 1
        assert undelete(c)["messages"] == 0
        c.start()
        m = imap(c)
        assert subjects(m, "Recovered") == ["number 3"]
        m.logout()
        c.command("store", "check")


def test_a_removed_accounts_mail():
    """It is kept for whoever is made with the address, when an administrator says so."""
    with Culver() as c:
        send(c, example("kept"))
        c.command("account", "remove", BOB)
        assert c.command("account", "undelete", BOB, check=False).returncode == 3
        c.add_account(BOB, c.password("bob"))
        assert undelete(c)["messages"] == 0
        assert undelete(c, "--removed", "--list")["messages"][0]["mailbox"] == "INBOX"
        assert undelete(c, "--removed")["messages"] == 1
        m = imap(c)
        assert subjects(m) == ["kept"]
        m.logout()
        c.command("account", "remove", "--erase", BOB)
        c.add_account(BOB, c.password("bob"))
        assert undelete(c, "--removed")["messages"] == 0
        c.command("store", "check")


def test_nothing_is_kept_when_so_configured():
    with Culver(config="keep_deleted_days = 0") as c:
        send(c, example("gone"))
        m = imap(c)
        m.store("1", "+FLAGS", r"(\Deleted)")
        m.expunge()
        m.logout()
        assert undelete(c, "--list")["messages"] == []
        assert undelete(c)["messages"] == 0


def find_in_store(c, needle):
    return [p.name for p in (c.dir / "data").rglob("*") if p.is_file() and needle in p.read_bytes()]


def test_reclaim_erases():
    """What was deleted is gone from every file of the store when reclaim has been asked for; what
    was not is the same as before, for a session that was open meanwhile too."""
    marker = "erase-me-" + "0123456789abcdef"
    with Culver(config="segment_bytes = 1048576") as c:
        big = "".join(f"{n:08x}" * 8 + "\r\n" for n in range(8000))
        send(c, example("stays", big), example(marker, marker + big), example("stays too"))
        assert find_in_store(c, marker.encode())
        m = imap(c)
        before = m.fetch("1,3", "(BODY.PEEK[])")[1]
        m.store("2", "+FLAGS", r"(\Deleted)")
        m.expunge()
        told = json.loads(c.command("store", "reclaim", "--json").stdout)
        assert told["forgotten"] == 0 and find_in_store(c, marker.encode())
        told = json.loads(c.command("store", "reclaim", "--deleted", "--json").stdout)
        assert told["forgotten"] == 1 and told["segments"] >= 1 and told["moved"] > 0
        assert [f for f in find_in_store(c, marker.encode()) if not f.startswith("digests")] == []
        assert [p[1] for p in m.fetch("1:2", "(BODY.PEEK[])")[1] if isinstance(p, tuple)] == \
            [p[1] for p in before if isinstance(p, tuple)]
        m.logout()
        status = json.loads(c.command("status", "--json").stdout)
        assert status["dead_bytes"] == 0 and status["kept_messages"] == 0
        c.command("store", "check")
        c.stop()
        assert json.loads(c.command("store", "reclaim", "--json").stdout)["segments"] == 0
        assert find_in_store(c, marker.encode()) == []


def test_recount():
    """Counters that are off are reported by store check and mended by recount, with a stopped server
    and a running one, which then says the right numbers."""
    with Culver() as c:
        send(c, *(example(f"number {n}") for n in range(3)))
        c.stop()
        ledger = sqlite3.connect(c.dir / "data" / "ledger.db")
        ledger.execute("UPDATE accounts SET used_messages=77, used_bytes=1")
        ledger.execute("UPDATE mailboxes SET messages=5 WHERE name='INBOX'")
        ledger.commit()
        ledger.close()
        assert c.command("store", "check", check=False).returncode == 6
        told = json.loads(c.command("account", "recount", "--json", BOB).stdout)
        assert told["mended"] == 1 and len(told["differences"]) >= 3
        c.start()
        told = json.loads(c.command("account", "recount", "--json", "--all").stdout)
        assert told["mended"] == 1 and told["accounts"] == 2  # alice's
        m = imap(c)
        assert b"MESSAGES 3" in m.status("INBOX", "(MESSAGES)")[1][0]
        m.logout()
        c.command("store", "check")
        assert json.loads(c.command("account", "recount", "--json", "--all").stdout)["mended"] == 0
        assert c.command("account", "recount", "none@example.test", check=False).returncode == 3
        assert c.command("account", "recount", check=False).returncode == 2


def test_q3_a_small_disk_is_freed_by_deleting():
    """reserve_bytes is what new mail leaves free, and what reclaim may use: after most was deleted from a
    disk that is full mail comes in again."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="culver-small-"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(directory)], check=False).returncode:
        directory.rmdir()
        pytest.skip("no file system can be mounted here")
    try:
        with Culver(directory / "culver", config="reserve_bytes = 8388608\nsegment_bytes = 4194304") as c:
            n = 0
            while n < 100:  # 40 MiB at most
                code = refused_with(c, f"number {n}", base64.encodebytes(os.urandom(300000)))
                if code:
                    break
                n += 1
            assert 400 <= code < 500 and 60 < n < 90, (code, n)
            m = imap(c)
            m.select("INBOX")
            m.store(",".join(str(i) for i in range(1, n + 1) if i % 4), "+FLAGS", "\\Deleted")
            m.expunge()
            m.logout()
            r = c.command("store", "reclaim", "--deleted")
            assert "bytes removed" in r.stdout, r.stdout
            assert refused_with(c, "after", b"x") is None
            assert len(subjects(imap(c))) == n // 4 + 1
            assert c.command("store", "check").returncode == 0
    finally:
        subprocess.run(["umount", str(directory)], check=True)
        directory.rmdir()


def test_q3_a_disk_that_others_have_filled():
    """Not a byte is free: changes find no room, and then the ledger's log is moved out of the way and they do."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="culver-small-"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(directory)], check=False).returncode:
        directory.rmdir()
        pytest.skip("no file system can be mounted here")
    try:
        with Culver(directory / "culver", config="reserve_bytes = 1048576\nsegment_bytes = 1048576") as c:
            for n in range(100):
                assert refused_with(c, f"number {n}", b"x") is None
            c.restart()  # what is in the log is in its place
            with open(directory / "others", "wb", buffering=0) as f:
                with pytest.raises(OSError):
                    while True:
                        f.write(bytes(4096))
                f.truncate(f.tell() - 65536)
            m = imap(c)
            m.select("INBOX")
            flags = ("\\Flagged", "\\Answered", "\\Draft")  # each time a change, whether the last one was made or not
            said = [m.store("1:*", "FLAGS.SILENT", flags[n % 3])[0] for n in range(40)]
            assert "NO" in said and "NO NO" not in " ".join(said), said
            for change in lambda: m.store("1:90", "+FLAGS.SILENT", "\\Deleted"), m.expunge:
                assert "OK" in (change()[0], change()[0])  # the first may be the one that finds no room
            m.logout()
    finally:
        subprocess.run(["umount", str(directory)], check=True)
        directory.rmdir()


def refused_with(c, subject, body):
    """The code that a message is refused with, or None."""
    text = f"Subject: {subject}\r\n\r\n".encode() + body.replace(b"\n", b"\r\n")
    with smtplib.SMTP("127.0.0.1", c.port("smtp"), timeout=30) as s:
        try:
            s.sendmail("x@remote.test", [BOB], text)
        except smtplib.SMTPRecipientsRefused as e:
            return next(iter(e.recipients.values()))[0]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code
    return None
