# SPDX-License-Identifier: Apache-2.0
"""Backup and restore of a store, with the server running, stopped, and killed."""
import hashlib
import imaplib
import json
import os
import pathlib
import random
import shutil
import signal
import smtplib
import statistics
import subprocess
import tempfile
import threading
import time

import pytest

from harness import DOMAIN, Culver, example, wait_for


@pytest.fixture(name="target")
def _target():
    path = pathlib.Path(tempfile.mkdtemp(prefix="culver-backup-"))
    yield path / "target"
    shutil.rmtree(path, ignore_errors=True)


def deliver(culver, subjects, to="alice", body="Hello.\r\n"):
    """The messages as they were sent, by subject. Each was acknowledged."""
    sent = {}
    with smtplib.SMTP("127.0.0.1", culver.port("smtp"), timeout=30) as s:
        for subject in subjects:
            sent[subject] = example(subject, body, to=f"{to}@{DOMAIN}")
            s.sendmail("x@remote.test", [f"{to}@{DOMAIN}"], sent[subject])
    return sent


def imap(culver, name="alice"):
    client = imaplib.IMAP4("127.0.0.1", culver.port("imap"), timeout=30)
    client.starttls(culver.tls_context())
    client.login(f"{name}@{DOMAIN}", culver.password(name))
    return client


def mail(culver, name="alice", mailbox="INBOX"):
    """subject -> list of whole messages."""
    found = {}
    client = imap(culver, name)
    client.select(mailbox, readonly=True)
    _, answer = client.fetch("1:*", "(BODY.PEEK[])")
    for part in answer:
        if isinstance(part, tuple):
            subject = part[1].partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()
            found.setdefault(subject, []).append(part[1])
    client.logout()
    return found


def points(culver, target, *options):
    r = culver.run("store", "points", "--json", *options, target, check=False)
    return r.returncode, json.loads(r.stdout)["points"]


def backup(culver, target, *options):
    return json.loads(culver.command("store", "backup", "--json", *options, target).stdout)


def test_points_share_segments(target):
    with Culver() as c:
        deliver(c, [f"first {i}" for i in range(20)])
        one = backup(c, target)
        assert one["new_segments"] == 1 and one["points"] == 1
        deliver(c, [f"second {i}" for i in range(5)])
        two = backup(c, target)
        assert two["new_segments"] == 0 and two["points"] == 2
        assert two["copied_bytes"] < one["copied_bytes"]
        code, all_points = points(c, target, "--verify")
        assert code == 0 and [p["point"] for p in all_points] == [one["point"], two["point"]]
        assert all_points[0]["bytes"] < all_points[1]["bytes"]
        c.stop()
        three = backup(c, target, "--keep", "2")  # a stopped server
        assert three["removed"] == 1 and three["copied_bytes"] == three["ledger_bytes"]
        code, all_points = points(c, target, "--verify")
        assert code == 0 and [p["point"] for p in all_points] == [two["point"], three["point"]]
        modes = {oct(p.stat().st_mode & 0o777) for p in target.rglob("*") if p.is_file()}
        assert modes == {"0o600"}
        assert not (c.dir / "data" / "backup.db").exists()


def test_several_segments_and_keep(target):
    """Segments that no point names any more go with the point; those of others stay."""
    with Culver() as c:
        deliver(c, ["one"])
        first = backup(c, target)
        folder = next(target.glob("segments-*")) / "blobs"
        (folder / "00000077").write_bytes(b"of a point that is gone")
        (folder / "00000078.part").write_bytes(b"interrupted")
        (target / "points" / "2020-01-01T00-00-00Z.ledger").write_bytes(b"interrupted")
        backup(c, target, "--keep", "1")
        assert [p.name for p in folder.iterdir()] == ["00000001"]
        assert len(list((target / "points").iterdir())) == 2
        assert not (target / "points" / f"{first['point']}.manifest").exists()


def test_damage_to_a_backup_is_seen_and_healed(target):
    with Culver() as c:
        deliver(c, [f"m {i}" for i in range(10)])
        backup(c, target)
        segment = next(target.glob("segments-*/blobs/*"))
        data = bytearray(segment.read_bytes())
        data[9000] ^= 1
        segment.write_bytes(data)
        assert points(c, target, "--verify")[0] == 6
        deliver(c, ["one more"])
        r = c.command("store", "backup", target)  # what was there is read, since the segment has grown
        assert "copied anew" in r.stderr
        assert points(c, target, "--verify")[0] == 0
        manifest = next((target / "points").glob("*.manifest"))
        manifest.write_text(manifest.read_text().replace("epoch 1", "epoch 2"))
        code, _ = points(c, target)
        assert code == 6


def test_refusals(target):
    with Culver() as c, Culver() as other:
        backup(c, target)
        r = other.command("store", "backup", target, check=False)
        assert r.returncode == 5 and "another store" in r.stderr
        assert c.command("store", "backup", check=False).returncode == 2
        assert c.command("store", "backup", "--keep", "0", target, check=False).returncode == 2
        # Two at once into one directory: the second is refused before it asks the store.
        with open(target / "lock", "r+b") as f:
            import fcntl
            fcntl.flock(f, fcntl.LOCK_EX)
            r = c.command("store", "backup", target, check=False)
            assert r.returncode == 1 and "another backup" in r.stderr
        assert c.run("store", "points", target / "nowhere", check=False).returncode != 0


class Load(threading.Thread):
    """Delivers until it is told to end; remembers what was acknowledged, and how long each took."""

    def __init__(self, culver, name):
        super().__init__(daemon=True)
        self.culver, self.name, self.ended = culver, name, threading.Event()
        self.sent, self.times, self.number = {}, [], 0
        self.start()

    def run(self):
        while not self.ended.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.culver.port("smtp"), timeout=30) as s:
                    while not self.ended.is_set():
                        self.one(s)
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    def one(self, s):
        self.number += 1
        subject = f"{self.name} {self.number}"
        message = example(subject, os.urandom(1500).hex() + "\r\n", to=f"alice@{DOMAIN}")
        begin = time.monotonic()
        s.sendmail("x@remote.test", [f"alice@{DOMAIN}"], message)
        self.times.append((begin, time.monotonic() - begin))
        self.sent[subject] = message

    def end(self):
        self.ended.set()
        self.join(30)


def p99(times):
    return statistics.quantiles(times, n=100)[98] if len(times) > 10 else max(times)


def test_deliveries_beside_a_backup(target):
    """The figure: p99 of deliveries with and without a backup at the same time."""
    with Culver() as c:
        body = os.urandom(300000).hex() + "\r\n"
        deliver(c, [f"large {i}" for i in range(60)], body=body)
        load = Load(c, "beside")
        wait_for(lambda: len(load.times) > 150, 60)
        begin = time.monotonic()
        for i in range(4):
            backup(c, target.with_name(f"target-{i}"))
        end = time.monotonic()
        load.end()
        without = [t for at, t in load.times if at < begin]
        beside = [t for at, t in load.times if begin <= at < end]
        print(f"\ndelivery p99: {1000 * p99(without):.1f} ms alone ({len(without)}), "
              f"{1000 * p99(beside):.1f} ms beside a backup ({len(beside)})")
        assert beside and p99(beside) < 10 * max(p99(without), 0.05)


def test_killed_at_any_moment(target):
    """kill -9 of the command and of the store during backups under load: what the directory then
    holds is whole points alone, and the next run goes on."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    print("\nSEED", seed)
    rng = random.Random(seed)
    with Culver() as c:
        body = os.urandom(150000).hex() + "\r\n"
        deliver(c, [f"large {i}" for i in range(20)], body=body)
        load = Load(c, "killed")
        for turn in range(6):
            process = subprocess.Popen(
                [c.binary, "store", "backup", "-c", str(c.conf), str(target)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.random() * 0.15)
            if turn % 2:
                c.kill_role("store")
            else:
                process.kill()
            process.wait(60)
            wait_for(lambda: "store" in c.roles(), 10)
            if target.exists():
                code, _ = points(c, target, "--verify")
                assert code == 0
        load.end()
        last = wait_for(lambda: c.command("store", "backup", "--json", target, check=False).stdout or None, 30)
        assert json.loads(last).get("point"), last
        code, found = points(c, target, "--verify")
        assert code == 0 and found
        assert not list(target.rglob("*.part"))
