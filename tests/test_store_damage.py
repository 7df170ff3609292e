# SPDX-License-Identifier: Apache-2.0
"""A store that is damaged, or half made anew, is served, checked, backed up and restored as what it is."""
import hashlib
import imaplib
import json
import pathlib
import poplib
import shutil
import smtplib
import sqlite3
import tempfile

import pytest

from harness import DOMAIN, Culver
from test_backup import backup, contents, deliver, furnish, imap, points
from test_repair import repair


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
