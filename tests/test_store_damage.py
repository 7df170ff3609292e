# SPDX-License-Identifier: Apache-2.0
"""A store that is damaged, or half made anew, is served, checked, backed up and restored as what it is."""
import hashlib
import imaplib
import json
import os
import pathlib
import poplib
import shutil
import smtplib
import sqlite3
import subprocess
import tempfile

import pytest

from harness import DOMAIN, Culver
from test_backup import backup, contents, deliver, furnish, imap, points
from test_repair import ledger, repair


@pytest.fixture(name="target")
def _target():
    path = pathlib.Path(tempfile.mkdtemp(prefix="culver-backup-"))
    yield path / "target"
    shutil.rmtree(path, ignore_errors=True)


def interrupt_rebuild(culver):
    """As kill -9 in the middle leaves it: the old ledger set aside, a new one begun, the mark."""
    (culver.dir / "data" / "rebuild").touch()
    culver.command("store", "check", check=False)
    data = culver.dir / "data"
    assert (data / "ledger.lost").exists() and (data / "ledger.db").exists() and (data / "rebuild").exists()


def put_back(culver):
    """What the documentation says of getting the old ledger back."""
    data = culver.dir / "data"
    for name in ("rebuild", "ledger.db", "ledger.db-wal"):
        (data / name).unlink(missing_ok=True)
    (data / "ledger.lost").rename(data / "ledger.db")
    if (data / "ledger.lost-wal").exists():
        (data / "ledger.lost-wal").rename(data / "ledger.db-wal")


def test_interrupted_rebuild_is_no_empty_store(target):
    with Culver() as c:
        furnish(c)
        before = contents(c)
        good = backup(c, target)["point"]
        c.stop()
        interrupt_rebuild(c)
        r = c.command("store", "check", check=False)
        assert r.returncode == 6 and "--rebuild" in r.stdout, r.stdout + r.stderr
        for words in (("account", "list"), ("domain", "list"), ("store", "reclaim")):
            r = c.command(*words, check=False)
            assert r.returncode == 1 and "--rebuild" in r.stderr, (words, r.stdout, r.stderr)
        r = c.command("store", "backup", "--keep", "1", target, check=False)
        assert r.returncode == 1 and "--rebuild" in r.stderr, r.stdout + r.stderr
        code, there = points(c, target, "--verify")
        assert code == 0 and [p["point"] for p in there] == [good]
        c.start(wait=False)
        assert c.process.wait(30) == 6
        c.forget_process()
        r = c.command("check", check=False)
        assert r.returncode == 6 and "--rebuild" in r.stderr
        put_back(c)
        assert c.command("store", "check").returncode == 0
        c.start()
        assert contents(c) == before


def test_a_store_that_is_made_anew_meanwhile_says_later():
    """The mark comes while the server runs, as when a disk is mounted that has it: nobody is told that an
    account does not exist, or that a password is wrong."""
    with Culver() as c:
        furnish(c)
        data = c.dir / "data"
        (data / "rebuild").touch()
        (data / "ledger.db").rename(data / "ledger.lost")
        c.kill_role("store")
        with smtplib.SMTP("127.0.0.1", c.port("smtp"), timeout=30) as s:
            s.ehlo()
            s.mail("x@remote.test")
            code, text = s.rcpt(f"alice@{DOMAIN}")
            assert 400 <= code < 500, (code, text)
        client = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=30)
        client.starttls(c.tls_context())
        try:
            client.login(f"alice@{DOMAIN}", c.password("alice"))
            raise AssertionError("logged in")
        except imaplib.IMAP4.error as e:
            assert "[UNAVAILABLE]" in str(e), e
        client.logout()
        pop = poplib.POP3("127.0.0.1", c.port("pop3"), timeout=30)
        pop.stls(c.tls_context())
        pop.user(f"alice@{DOMAIN}")
        try:
            pop.pass_(c.password("alice"))
            raise AssertionError("logged in")
        except poplib.error_proto as e:
            assert b"SYS/TEMP" in e.args[0], e
        pop.quit()
        r = c.command("status", check=False)
        assert r.returncode == 1 and "--rebuild" in r.stderr, r.stdout + r.stderr


def damage_ledger(culver, table="sqlite_autoindex_entries_1", at=20, n=100):
    """XORs bytes of a page in the middle of a table, so that the file opens and is malformed. Everything
    is moved from the log to its place before."""
    path = culver.dir / "data" / "ledger.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name=?", (table,)).fetchone()[0]
    db.close()
    with open(path, "r+b") as f:
        f.seek((root - 1) * size + at)
        old = f.read(n)
        f.seek((root - 1) * size + at)
        f.write(bytes(b ^ 0x5A for b in old))
    return path


def test_damaged_ledger_makes_no_point(target):
    with Culver() as c:
        furnish(c)
        good = backup(c, target)["point"]
        c.stop()
        damage_ledger(c, "entries_body", at=0)
        r = c.command("store", "backup", "--keep", "1", target, check=False)
        assert r.returncode == 6 and "store check" in r.stderr, r.stdout + r.stderr
        code, there = points(c, target, "--verify")
        assert code == 0 and [p["point"] for p in there] == [good]
        assert len(list((target / "points").iterdir())) == 2  # nothing is left of it


def make_malformed_point(c, target):
    """A point that was made of a damaged ledger, as older versions did: all sums are right."""
    [manifest] = (target / "points").glob("*.manifest")
    ledger = manifest.with_suffix(".ledger")
    with sqlite3.connect(ledger) as db:
        size = db.execute("PRAGMA page_size").fetchone()[0]
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name='entries_body'").fetchone()[0]
    db.close()
    data = bytearray(ledger.read_bytes())
    for i in range(100):
        data[(root - 1) * size + i] ^= 0x5A
    ledger.write_bytes(data)
    lines = manifest.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("ledger "))
    lines[at] = f"ledger {len(data)} {hashlib.sha256(data).hexdigest()}"
    text = "".join(line + "\n" for line in lines[:-1])
    manifest.write_text(text + f"end {hashlib.sha256(text.encode()).hexdigest()}\n")


def test_malformed_point_is_told_and_not_restored(target):
    with Culver() as c:
        furnish(c)
        backup(c, target)
        make_malformed_point(c, target)
        r = c.run("store", "points", "--verify", target, check=False)
        assert r.returncode == 6 and "DAMAGED" in r.stdout and "damage: " in r.stderr, r.stdout + r.stderr
        before = contents(c)
        c.stop()
        r = c.command("store", "restore", "--replace", target, check=False)
        assert r.returncode == 6, r.stdout + r.stderr
        names = {p.name for p in c.dir.iterdir()}
        assert not [n for n in names if n.startswith("data.") and n != "data.used"], names
        c.start()
        assert contents(c) == before


@pytest.mark.parametrize("lost", [False, True])
def test_no_rebuild_begins_without_segments(lost):
    """A store that has had no mail yet: its ledger is all there is, and the server is not kept from starting."""
    with Culver() as c:
        c.stop()
        data = c.dir / "data"
        if lost:
            for name in "ledger.db", "ledger.db-wal":
                (data / name).unlink(missing_ok=True)
        r = c.command("store", "check", "--rebuild", "--force", check=False)
        assert r.returncode == 1 and "there is no segment" in r.stderr and "To have it back" not in r.stderr, r.stderr
        assert not (data / "rebuild").exists() and not (data / "ledger.lost").exists()
        (data / "rebuild").touch()  # as an older program left it
        r = c.command("store", "check", "--rebuild", check=False)
        assert r.returncode == 1 and f"remove {data}/rebuild" in r.stderr, r.stderr
        (data / "rebuild").unlink()
        if not lost:
            c.start()
            assert c.command("account", "list").stdout.count("@") == 2


def test_rebuild_of_a_whole_ledger_must_be_forced():
    with Culver() as c:
        furnish(c)
        before = contents(c)
        c.stop()
        data = c.dir / "data"
        r = c.command("store", "check", "--rebuild", check=False)
        assert r.returncode == 4 and "--force" in r.stderr, r.stdout + r.stderr
        assert not (data / "rebuild").exists() and not (data / "ledger.lost").exists()
        c.start()
        assert contents(c) == before
        c.stop()
        r = c.command("store", "check", "--rebuild", "--force", check=False)
        assert r.returncode == 0 and "To have it back" in r.stderr, r.stdout + r.stderr
        # A second one would throw the first ledger away.
        r = c.command("store", "check", "--rebuild", "--force", check=False)
        assert r.returncode == 4 and "ledger.lost" in r.stderr, r.stdout + r.stderr
        put_back(c)
        assert c.command("store", "check").returncode == 0
        c.start()
        assert contents(c) == before
        deliver(c, ["since"])
        assert c.command("store", "check").returncode == 0
        c.stop()
        damage_ledger(c, "entries_body", at=0)
        code, told = repair(c, "--rebuild")  # one that is damaged needs no force
        assert code == 0, told


def test_a_rebuilt_store_can_go_back_to_its_old_ledger_after_new_mail():
    with Culver() as c:
        furnish(c)
        before = contents(c)
        c.stop()
        assert c.command("store", "check", "--rebuild", "--force").returncode == 0
        c.start()
        deliver(c, ["meanwhile"])
        c.stop()
        put_back(c)
        c.start()
        assert contents(c) == before
        deliver(c, ["since"])
        c.stop()
        assert c.command("store", "check").returncode == 0


def test_damaged_ledger_is_a_finding_with_advice():
    """Wherever the damage is: in a page that is met on the way, or in one that opening needs."""
    for table in "entries_body", "bodies", "meta", "sqlite_master":
        with Culver() as c:
            furnish(c)
            c.stop()
            path = damage_ledger(c, table, at=0) if table != "sqlite_master" else None
            if path is None:
                damage_ledger(c, "entries_body", at=0)
                with open(c.dir / "data" / "ledger.db", "r+b") as f:
                    f.seek(100)
                    f.write(b"Z" * 100)
            for options in (), ("--json",), ("--repair",):
                r = c.command("store", "check", *options, check=False)
                assert r.returncode == 6, (table, options, r.stdout, r.stderr)
                said = r.stdout + r.stderr
                assert "--rebuild" in said and "store restore" in said, (table, options, said)
            code, told = repair(c, "--rebuild")
            assert code == 0, told
            assert c.command("store", "check").returncode == 0


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_ledger_that_is_not_there_is_a_finding_with_advice(how):
    """Empty is what a file system may leave of a file after a crash: no store is begun in it."""
    with Culver() as c:
        furnish(c)
        c.stop()
        path = c.dir / "data" / "ledger.db"
        path.unlink()
        (c.dir / "data" / "ledger.db-wal").unlink(missing_ok=True)
        if how == "empty":
            path.touch()
            shutil.chown(path, os.stat(c.dir / "data").st_uid)
        for options in (), ("--json",), ("--repair",):
            r = c.command("store", "check", *options, check=False)
            said = r.stdout + r.stderr
            assert r.returncode == 6 and "--rebuild" in said and "store restore" in said, (options, r.returncode, said)
            assert path.exists() == (how == "empty") and (how == "missing" or path.stat().st_size == 0)
        r = c.command("serve", check=False)
        assert r.returncode == 1 and f"ledger.db is {how}; restore a backup" in r.stderr, r.stderr
        code, told = repair(c, "--rebuild")
        assert code == 0, told
        assert c.command("store", "check").returncode == 0


def test_another_programs_database_is_no_ledger():
    """Somebody put the wrong file in its place: it is refused as it is, with advice, and a rebuild sets it aside."""
    with Culver() as c:
        furnish(c)
        c.stop()
        data = c.dir / "data"
        (data / "ledger.db-wal").unlink(missing_ok=True)
        path = data / "ledger.db"
        path.write_bytes((data / "digests.db").read_bytes())
        before = path.read_bytes()
        assert before.startswith(b"SQLite format 3")
        r = c.command("serve", check=False)
        assert r.returncode == 1 and "no ledger of this program" in r.stderr and "--rebuild" in r.stderr, r.stderr
        for options in (), ("--json",), ("--repair",):
            r = c.command("store", "check", *options, check=False)
            said = r.stdout + r.stderr
            assert r.returncode == 6 and "--rebuild" in said and "store restore" in said, (options, r.returncode, said)
        assert path.read_bytes() == before
        code, told = repair(c, "--rebuild")
        assert code == 0, told
        assert c.command("store", "check").returncode == 0
        assert (data / "ledger.lost").read_bytes() == before


def test_damaged_ledger_does_not_hide_a_damaged_segment():
    with Culver() as c:
        furnish(c)
        c.stop()
        damage_ledger(c, "entries_body", at=0)
        with open(c.dir / "data" / "blobs" / "00000001", "r+b") as f:
            f.seek(4096 + 60)
            f.write(b"ZZZZ")
        r = c.command("store", "check", check=False)
        assert r.returncode == 6 and "segment 1" in r.stdout, r.stdout


def test_rows_are_compared_with_records():
    """Bits of rows that the record knows, too."""
    changes = [("entries SET prefix_at=prefix_at+4096", "lines are not where"),
               ("entries SET prefix_at=prefix_at+1", "lines are not where"),
               ("entries SET prefix_size=prefix_size+8,size=size+8", "not as long"),
               ("entries SET time=time+1024", "its date is not"),
               ("entries SET size=size+64", "size: kept"),
               ("entries SET entry_id=entry_id&4294967295", "is no entry id"),
               ("entries SET entry_id=entry_id+65536", "is no entry id")]
    with Culver() as c:
        furnish(c)
        c.stop()
        path = c.dir / "data" / "ledger.db"
        assert c.command("store", "check").returncode == 0
        change_row(c, None)
        whole = path.read_bytes()
        for change, says in changes:
            path.write_bytes(whole)
            change_row(c, change)
            r = c.command("store", "check", check=False)
            assert r.returncode == 6 and says in r.stdout, (change, r.stdout)
        path.write_bytes(whole)
        change_row(c, "entries SET size=size+64")
        code, told = repair(c)
        assert code == 0, told


def change_row(culver, change):
    """Of one entry, in ledger.db itself."""
    with ledger(culver) as db:
        if change:
            assert db.execute(f"UPDATE {change} WHERE (mailbox,uid)="
                              "(SELECT mailbox,uid FROM entries LIMIT 1)").rowcount == 1
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def test_damage_is_told_by_status_and_the_log():
    with Culver() as c:
        deliver(c, ["first", "second"], body="Hello.\r\n" * 20000)  # more than the ledger carries
        assert json.loads(c.command("status", "--json").stdout)["damage"] == 0
        assert "DAMAGE" not in c.command("status").stdout
        blobs = c.dir / "data" / "blobs"
        c.stop()
        shutil.rmtree(blobs)
        r = c.command("store", "check", check=False)
        assert r.returncode == 6, r.stdout + r.stderr
        c.start()
        r = c.command("status")
        assert "DAMAGE" in r.stdout and "store check" in r.stdout, r.stdout
        before = json.loads(c.command("status", "--json").stdout)["damage"]
        assert before > 0
        client = imap(c)
        client.select("INBOX")
        client.fetch("2", "(BODY.PEEK[])")
        client.logout()
        assert json.loads(c.command("status", "--json").stdout)["damage"] > before
        failed = [e for e in c.events("store-failed") if e.get("kind") == "corrupt"]
        assert failed and failed[0]["account"] == "1" and failed[0]["uid"] == "2", failed
        assert failed[0]["mailbox"].isdigit()


def test_a_restore_without_room_says_where_and_leaves_nothing(target):
    with Culver() as c:
        for i in range(4):
            deliver(c, [f"m {i}"], body=os.urandom(600000).hex() + "\r\n")
        backup(c, target)
        directory = pathlib.Path(tempfile.mkdtemp(prefix="culver-small-"))
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)],
                          check=False).returncode:
            directory.rmdir()
            pytest.skip("no file system can be mounted here")
        try:
            with Culver(directory / "culver", accounts=()) as small:
                small.stop()
                r = small.command("store", "restore", "--replace", target, check=False)
                assert r.returncode == 1 and "data.restoring/blobs/00000001: No space" in r.stderr, r.stderr
                assert not (small.dir / "data.restoring").exists()
                assert small.command("store", "check").returncode == 0
        finally:
            subprocess.run(["umount", str(directory)], check=True)
            directory.rmdir()


def test_notes_are_no_damage():
    with Culver() as c:
        deliver(c, ["first"], body="Hello.\r\n" * 20000)
        c.stop()
        with open(c.dir / "data" / "blobs" / "00000001", "r+b") as f:
            f.write(b"X")  # the segment's header hits no message
        r = c.command("store", "check", "--repair", check=False)
        assert r.returncode == 0 and "note: no message is hit" in r.stdout, r.stdout + r.stderr
        assert "damage: note" not in r.stdout and "found: note" not in r.stdout, r.stdout
