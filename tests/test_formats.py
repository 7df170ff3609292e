# SPDX-License-Identifier: Apache-2.0
"""Stores of every version that there was are read for ever; those of a version to come are refused."""
import json
import os
import pathlib
import shutil
import sqlite3
import tarfile

import pytest

from harness import DOMAIN, ROOT, Culver
from make_store import contents, imap

STORES = sorted((ROOT / "tests" / "stores").glob("*.tar.xz"))


def put(culver, archive):
    """The archive's store in the place of this server's own."""
    data = culver.dir / "data"
    owner = data.stat()
    shutil.rmtree(data)
    with tarfile.open(archive) as tar:
        tar.extractall(culver.dir)
    expected = json.loads((culver.dir / "expected.json").read_text(encoding="utf-8"))
    if os.geteuid() == 0:
        for path in (data, *data.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
    return expected


def recents(culver, name):
    client = imap(culver, name)
    said = client.status("INBOX", "(MESSAGES RECENT)")[1][0]
    client.logout()
    assert b"MESSAGES 0" not in said
    return said.partition(b"RECENT ")[2].rstrip(b")")


@pytest.mark.parametrize("archive", STORES, ids=lambda p: p.name)
def test_g8_store_of_an_earlier_version(archive):
    c = Culver()
    try:
        expected = put(c, archive)
        assert c.command("store", "check").returncode == 0
        c.start()
        if int(archive.name.split(".")[0].rpartition("-")[2]) < 10:  # which remembers what was told
            assert [recents(c, name) for name in expected] == [b"0"] * len(expected)
        for name, mailboxes in expected.items():
            assert contents(c, name) == mailboxes
        aliases = c.command("alias", "list").stdout
        assert f"sales@{DOMAIN}" in aliases and f"alice@{DOMAIN}" in aliases
        assert "other.test" in c.command("domain", "list").stdout
        c.restart()
        assert contents(c, "alice") == expected["alice"]
        assert c.command("store", "check").returncode == 0
    finally:
        c.close()


def test_g8_what_an_earlier_version_carried():
    """What stands in the ledger alone, and not in the segment, is as good (docs/store.md, Flush order)."""
    c = Culver()
    try:
        expected = put(c, ROOT / "tests" / "stores" / "schema-8.tar.xz")
        with sqlite3.connect(c.dir / "data" / "ledger.db") as db:
            rows = db.execute("SELECT segment,offset,length FROM carried").fetchall()
        db.close()
        assert len(rows) > 5
        for segment, offset, length in rows:
            with open(c.dir / "data" / "blobs" / f"{segment:08}", "r+b") as f:
                f.seek(offset)
                f.write(bytes(length))
        assert c.command("store", "check").returncode == 0
        c.start()
        for name, mailboxes in expected.items():
            assert contents(c, name) == mailboxes
    finally:
        c.close()


def untouched(directory):
    return {p.name: p.read_bytes() for p in directory.rglob("*") if p.is_file() and p.name != "lock"}


def test_g8_ledger_of_a_later_version_is_refused():
    c = Culver()
    try:
        ledger = c.dir / "data" / "ledger.db"
        with sqlite3.connect(ledger) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute("PRAGMA journal_mode=DELETE")
            db.execute(f"PRAGMA user_version={version + 1}")
        db.close()
        before = untouched(c.dir / "data")
        r = c.command("store", "check", check=False)
        assert r.returncode != 0 and "newer version" in r.stderr, r.stderr
        assert untouched(c.dir / "data") == before
    finally:
        c.close()


def test_g8_segment_of_a_later_version_is_refused():
    c = Culver()
    try:
        c.start()
        import smtplib
        from harness import example
        with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
            s.sendmail("x@remote.test", [f"alice@{DOMAIN}"], example("one"))
        c.stop()
        segment = c.dir / "data" / "blobs" / "00000001"
        data = bytearray(segment.read_bytes())
        data[8:12] = (2).to_bytes(4, "little")
        data[60:64] = crc32c(data[:60]).to_bytes(4, "little")
        segment.write_bytes(data)
        r = c.command("store", "check", check=False)
        assert r.returncode != 0 and "knows up to 1" in r.stderr, r.stderr
        assert segment.read_bytes() == bytes(data)
    finally:
        c.close()


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def test_g9_two_servers_on_one_store():
    """The second is refused, whichever way it comes; the first goes on."""
    with Culver() as c:
        r = c.run("serve", "-c", c.conf, check=False)
        assert r.returncode != 0 and "another culver runs" in r.stderr, r.stderr
        # Another configuration directory whose data is the same one.
        other = Culver()
        try:
            shutil.rmtree(other.dir / "data")
            os.symlink(c.dir / "data", other.dir / "data")
            r = other.command("account", "list", check=False, timeout=60)
            assert r.returncode != 0, r.stdout
        finally:
            other.close()
        assert c.command("store", "check").returncode == 0
