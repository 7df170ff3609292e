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

from disk import run, try_mount
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


@pytest.mark.parametrize("which", ["newest", "all"])
def test_a_damaged_manifest_does_not_end_the_backups(target, which):
    """It costs the point that it is of: the next is made, of what can be trusted, and the damage is told."""
    with Culver() as c:
        for i in range(2):
            deliver(c, [f"m {i}"])
            backup(c, target)
        manifests = sorted((target / "points").glob("*.manifest"))
        bad = manifests[-1:] if which == "newest" else manifests
        for path in bad:
            path.write_bytes(path.read_bytes()[:60])
        if which == "all":  # nothing says any more what the segment was
            segment = next(target.glob("segments-*/blobs/*"))
            data = bytearray(segment.read_bytes())
            data[9000] ^= 1
            segment.write_bytes(data)
        r = c.command("store", "restore", "--account", f"alice@{DOMAIN}", target, check=False)
        assert r.returncode == 6 and f"points/{manifests[-1].name}" in r.stderr, r.stderr
        r = c.command("store", "backup", "--json", target, check=False)
        assert r.returncode == 6 and all(f"points/{path.name}" in r.stderr for path in bad), r.stderr
        made = json.loads(r.stdout)["point"]
        code, found = points(c, target, "--verify")
        assert code == 6 and [p["damaged"] for p in found] == [p in bad for p in manifests] + [False]
        for path in bad:
            path.unlink()
        assert points(c, target, "--verify")[0] == 0 and backup(c, target)["points"] == 4 - len(bad)
        c.stop()
        c.command("store", "restore", "--replace", "--point", made, target)
        c.start()
        assert sorted(mail(c)) == ["m 0", "m 1"]


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


def test_what_is_no_backup_is_refused_by_name(target):
    """Neither the server's own directories nor any other that holds something is made a backup."""
    with Culver() as c:
        other = target.parent / "other"
        other.mkdir()
        (other / "letter.txt").write_text("mine\n")
        for directory, words in [(c.dir, "of a server"), (c.dir / "data", "of a server"),
                                 (other, "neither empty nor a backup")]:
            before = sorted(p.name for p in directory.iterdir())
            r = c.command("store", "backup", directory, check=False)
            assert r.returncode == 5 and words in r.stderr and str(directory) in r.stderr, r.stderr
            assert sorted(p.name for p in directory.iterdir()) == before
            r = c.run("store", "points", directory, check=False)
            assert r.returncode == 3 and f"{directory} is no backup" in r.stderr, r.stderr
            assert r.stdout == ""
        # In data/ it would go with what it is a backup of, and its owner would keep the server from starting.
        link = target.parent / "link"
        link.symlink_to(c.dir / "data")
        for inside in (c.dir / "data" / "backup", c.dir / "data" / "blobs" / "backup", link / "backup"):
            r = c.command("store", "backup", inside, check=False)
            assert r.returncode == 5 and "name another one" in r.stderr, r.stderr
            assert not inside.exists()
        c.restart()
        disk = target.parent / "disk"
        (disk / "lost+found").mkdir(parents=True)
        assert backup(c, disk)["points"] == 1
        (disk / "note.txt").write_text("the office's\n")  # of a backup that is there, nothing is demanded
        assert len(points(c, disk)[1]) == 1
        assert c.command("store", "backup", disk, check=False).returncode == 0


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

        def whole():
            # The store that was started last may not be up yet: then the command says so, and may be asked again.
            answer = c.command("store", "backup", "--json", target, check=False)
            return answer.returncode == 0 and answer.stdout

        last = wait_for(whole, 30)
        assert json.loads(last).get("point"), last
        code, found = points(c, target, "--verify")
        assert code == 0 and found
        assert not list(target.rglob("*.part"))


# -- restore --


def contents(culver, name="alice"):
    """mailbox -> (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, {uid: (flags, message)})."""
    client, found = imap(culver, name), {}
    for line in client.list()[1]:
        mailbox = line.decode().rpartition(' "/" ')[2].strip('"')
        client.select(f'"{mailbox}"', readonly=True)
        told = client.untagged_responses
        numbers = [int(told[k][0]) for k in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ")]
        messages = {}
        for uid in client.uid("SEARCH", "ALL")[1][0].decode().split():
            words, message = client.uid("FETCH", uid, "(FLAGS BODY.PEEK[])")[1][0]
            flags = words.decode().partition("FLAGS (")[2].partition(")")[0].split()
            messages[int(uid)] = (tuple(sorted(set(flags) - {r"\Recent"})), message)
        found[mailbox] = (*numbers, messages)
    client.logout()
    return found


def bodies(account):
    """Every message of an account, with its mailbox and flags, however they are numbered."""
    return sorted((mailbox, flags, message) for mailbox, (*_, messages) in account.items()
                  for flags, message in messages.values())


def furnish(culver):
    """Mail in several mailboxes, with flags and a keyword."""
    deliver(culver, [f"old {i}" for i in range(8)])
    client = imap(culver)
    client.create("Work/2026")
    client.select("INBOX")
    client.copy("1:2", "Work/2026")
    client.store("3", "+FLAGS", r"(\Seen $Important)")
    client.store("4", "+FLAGS", r"(\Deleted)")
    client.append("Sent", r"(\Seen)", None, example("appended"))
    client.logout()


def restore(culver, target, *options, check=True):
    r = culver.command("store", "restore", "--json", *options, target, check=check)
    return json.loads(r.stdout) if check else r


def test_g7_whole_restore_to_an_older_state(target):
    """What was lost can't be mistaken for what is there: new UIDVALIDITYs, higher MODSEQs."""
    with Culver() as c:
        furnish(c)
        before = contents(c)
        point = backup(c, target)["point"]
        deliver(c, ["lost 1", "lost 2"])
        client = imap(c)
        client.create("Lost")
        client.logout()
        later = contents(c)
        r = restore(c, target, check=False)
        assert r.returncode == 4 or "stop it" in r.stderr  # it runs
        c.stop()
        r = restore(c, target, check=False)
        assert r.returncode == 4 and "--replace" in r.stderr
        told = restore(c, target, "--replace", "--point", point)
        assert told["messages"] == sum(len(m[3]) for m in before.values())
        assert len(list(c.dir.glob("data.before-*"))) == 1 and not (c.dir / "data.restoring").exists()
        c.start()
        after = contents(c)
        assert bodies(after) == bodies(before)
        highest = max(m[0] for m in later.values())
        for mailbox, (validity, uidnext, modseq, _) in after.items():
            assert validity > highest
            assert uidnext > later[mailbox][1] and modseq > later[mailbox][2]
        assert len({m[0] for m in after.values()}) == len(after)
        deliver(c, ["after"])
        assert "after" in mail(c) and "lost 1" not in mail(c)
        assert c.command("store", "check").returncode == 0
        # The new history has segments of its own in the backup; the old points stay whole.
        backup(c, target)
        assert points(c, target, "--verify")[0] == 0
        assert len(list(target.glob("segments-*"))) == 2
        c.stop()
        restore(c, target, "--replace", "--point", point)
        c.start()
        assert bodies(contents(c)) == bodies(before)


def test_p4_uidl_after_a_restore(target):
    """No UIDL that a client knows changes, and what comes then has none that the lost past gave."""
    from test_repair import uidls
    with Culver() as c:
        deliver(c, [f"old {i}" for i in range(3)])
        client = imap(c)
        client.select("INBOX")
        client.copy("2", "INBOX")
        client.logout()
        before = uidls(c)
        point = backup(c, target)["point"]
        deliver(c, ["lost 1", "lost 2"])
        client = imap(c)
        client.select("INBOX")
        client.copy("1", "INBOX")
        client.logout()
        lost = set(uidls(c)) - set(before)
        assert len(lost) == 3
        for _ in range(2):
            c.stop()
            restore(c, target, "--replace", "--point", point)
            c.start()
            assert uidls(c) == before
            deliver(c, ["then 1", "then 2"])
            client = imap(c)
            client.select("INBOX")
            client.copy("1", "INBOX")
            client.logout()
            new = set(uidls(c)) - set(before)
            assert len(new) == 3 and not new & lost
            lost |= new


def test_restore_on_a_new_machine(target):
    """docs/store.md, "Restoring", step by step."""
    with Culver() as c:
        furnish(c)
        before = contents(c)
        backup(c, target)
        kept = {name: (c.dir / name) for name in ("culver.conf", "tls", "keys", "master.key")}
        new = Culver(quickstart=False)
        try:
            for name, path in kept.items():
                (shutil.copytree if path.is_dir() else shutil.copy2)(path, new.dir / name)
            c.stop()
            text = new.conf.read_text().replace(str(c.dir), str(new.dir))
            new.conf.write_text(text)
            new.offset = c.offset
            told = restore(new, target)
            assert told["accounts"] == 2
            new.start()
            assert bodies(contents(new)) == bodies(before)
            deliver(new, ["on the new machine"])
            assert "on the new machine" in mail(new)
        finally:
            new.close()


def test_a_restore_that_is_killed_leaves_no_ledger(target, tmp_path):
    """The copy of the ledger that it works with has everybody's verifiers."""
    with Culver() as c:
        deliver(c, [f"m {i}" for i in range(400)])
        backup(c, target)
        c.command("account", "remove", "--erase", f"alice@{DOMAIN}")
        c.add_account(f"alice@{DOMAIN}", "another secret")
        words = [c.binary, "store", "restore", "-c", str(c.conf), "--account", f"alice@{DOMAIN}", str(target)]
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen(words, env=dict(os.environ, TMPDIR=str(tmp_path)), stdout=subprocess.DEVNULL) as p:
                wait_for(lambda: list(tmp_path.glob("culver-restore-*/ledger.db")), 10, 0.001)
                p.send_signal(number)
                p.wait(timeout=10)
            wait_for(lambda: not os.listdir(tmp_path), 10)
        r = subprocess.run(words, env=dict(os.environ, TMPDIR="/no/such"), capture_output=True, text=True, timeout=60, check=False)
        assert r.returncode == 1 and "in /no/such (TMPDIR): No such file or directory" in r.stderr, r.stderr
        r = subprocess.run(words, env=dict(os.environ, TMPDIR=str(tmp_path)), capture_output=True, text=True, timeout=60,
                           check=True)
        assert "messages restored" in r.stdout and not os.listdir(tmp_path), r.stdout


def test_a_clock_that_was_set_back(target):
    """A point of a time to come is not the newest for ever: what is made after it is behind it."""
    with Culver() as c:
        deliver(c, ["first"])
        backup(c, target)
        for path in (target / "points").iterdir():
            path.rename(path.with_name("2099-12-31T23-59-59" + path.name[19:]))
        deliver(c, ["second"])
        r = c.command("store", "backup", "--keep", "1", target)
        assert "2100-01-01T00-00-00Z" in r.stdout and "clock has been set back" in r.stderr, r.stdout + r.stderr
        c.command("store", "backup", target)
        assert [p.name for p in sorted((target / "points").glob("*.manifest"))] == [
            "2100-01-01T00-00-00Z.manifest", "2100-01-01T00-00-01Z.manifest"]
        c.stop()
        restore(c, target, "--replace")
        c.start()
        assert "second" in mail(c)


def test_restore_of_a_store_on_another_disk(target):
    """data may be a link to it: what comes back is there, too. A mount point can't be renamed, so it
    is refused before anything is copied."""
    with Culver() as c:
        deliver(c, ["first"])
        backup(c, target)
        c.stop()
        data, disk = c.dir / "data", c.dir / "disk"
        disk.mkdir()
        data.rename(disk / "mail")
        data.symlink_to(disk / "mail")
        restore(c, target, "--replace")
        assert data.is_symlink() and sorted(p.name[:12] for p in disk.iterdir()) == ["mail", "mail.before-"]
        assert not list(c.dir.glob("data.*")) or [p.name for p in c.dir.glob("data.*")] == ["data.used"]
        data.unlink()
        data.symlink_to(disk / "gone")
        r = restore(c, target, check=False)
        assert r.returncode != 0 and "is its disk mounted?" in r.stderr and data.is_symlink(), r.stderr
        if os.geteuid() != 0:
            return
        data.unlink()
        data.mkdir()
        try_mount("--bind", disk / "mail", data)
        try:
            r = restore(c, target, "--replace", check=False)
            assert r.returncode == 5 and "where a disk is mounted" in r.stderr, r.stderr
            assert not (c.dir / "data.restoring").exists() and (data / "ledger.db").exists()
        finally:
            run("umount", data)


def test_restore_refuses_what_is_damaged(target):
    with Culver() as c:
        deliver(c, [f"m {i}" for i in range(10)], body=os.urandom(5000).hex() + "\r\n")
        backup(c, target)
        c.stop()
        ledger = next(target.glob("points/*.ledger"))
        whole = ledger.read_bytes()
        ledger.write_bytes(whole[:5000] + b"X" + whole[5001:])
        r = restore(c, target, "--replace", check=False)
        assert r.returncode == 6 and "not what was written" in r.stderr
        assert (c.dir / "data" / "ledger.db").exists() and not list(c.dir.glob("data.before-*"))
        ledger.write_bytes(whole)
        segment = next(target.glob("segments-*/blobs/*"))
        data = bytearray(segment.read_bytes())
        data[6000] ^= 1  # of the first message, which the ledger does not carry besides
        segment.write_bytes(data)
        r = restore(c, target, "--replace", check=False)  # costs the message that it hits
        assert r.returncode == 6 and json.loads(r.stdout)["messages"] == 10
        r = c.command("store", "check", check=False)
        assert r.returncode == 6


def test_restore_of_an_account_into_a_running_server(target):
    with Culver() as c:
        furnish(c)
        before = contents(c)
        backup(c, target)
        client = imap(c)
        client.select("INBOX")
        client.store("1:4", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.copy("1", "Archive")  # moved: it is there, in another place
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.delete("Work/2026")
        client.logout()
        deliver(c, ["newer"])
        told = restore(c, target, "--account", f"alice@{DOMAIN}")
        assert told == {"point": told["point"], "restored": 6, "there": 5, "damaged": 0}
        after = contents(c)
        subjects = mail(c)
        assert all(len(m) == 1 for m in subjects.values()), subjects.keys()
        assert {f"old {i}" for i in range(8)} - set(subjects) == {"old 4"} and "newer" in subjects
        assert sorted(mail(c, mailbox="Work/2026")) == ["old 0", "old 1"]
        assert after["INBOX"][0] == before["INBOX"][0]  # nothing was lost: the same UIDVALIDITY
        flags = {m.partition(b"Subject: ")[2].partition(b"\r\n")[0]: f for f, m in after["INBOX"][3].values()}
        assert flags[b"old 2"] == ("$Important", r"\Seen") and flags[b"old 3"] == ()
        again = restore(c, target, "--account", f"alice@{DOMAIN}")
        assert again["restored"] == 0 and bodies(contents(c)) == bodies(after)
        r = restore(c, target, "--account", f"nobody@{DOMAIN}", check=False)
        assert r.returncode == 3


def test_restore_of_an_account_brings_what_is_beside_the_messages(target):
    """Mailboxes without messages, their use and subscription, annotations: where there is none now."""
    def annotation(client, mailbox, name):
        client.untagged_responses.clear()
        client.xatom("GETMETADATA", mailbox, name)
        answer = client.untagged_responses.get("METADATA", [])
        return b"".join(part if isinstance(part, bytes) else b"".join(part) for part in answer)

    with Culver() as c:
        imaplib.Commands.update({"GETMETADATA": ("AUTH",), "SETMETADATA": ("AUTH",)})
        c.command("account", "set", "--quota", "77M", f"alice@{DOMAIN}")
        client = imap(c)
        for name in ("Empty", "Silent", "Here"):
            client.create(name)
            client.subscribe(name)
        client.xatom("CREATE", "Old-Sent", "(USE (\\Archive))")
        client.unsubscribe("Silent")
        client.xatom("SETMETADATA", "Empty", '(/private/comment "of empty" /shared/comment "all")')
        client.xatom("SETMETADATA", "Here", '(/private/comment "then" /shared/comment "too")')
        client.xatom("SETMETADATA", '""', '(/private/comment "of the account")')
        backup(c, target)
        for name in ("Empty", "Silent", "Old-Sent"):
            client.delete(name)
            client.unsubscribe(name)
        client.xatom("SETMETADATA", "Here", '(/private/comment "now" /shared/comment NIL)')
        client.xatom("SETMETADATA", '""', "(/private/comment NIL)")
        restore(c, target, "--account", f"alice@{DOMAIN}", "--mailbox", "Here")
        assert b"now" in annotation(client, "Here", "/private/comment")
        assert b"too" in annotation(client, "Here", "/shared/comment")
        assert b"of the account" not in annotation(client, '""', "/private/comment")
        restore(c, target, "--account", f"alice@{DOMAIN}")
        assert b"of empty" in annotation(client, "Empty", "/private/comment")
        assert b"all" in annotation(client, "Empty", "/shared/comment")
        assert b"of the account" in annotation(client, '""', "/private/comment")
        assert b"now" in annotation(client, "Here", "/private/comment")
        names = {line.decode().rpartition(' "/" ')[2]: line.decode() for line in client.list()[1]}
        assert "Empty" in names and "Silent" in names and r"\Archive" in names["Old-Sent"]
        subscribed = {line.decode().rpartition(' "/" ')[2] for line in client.lsub()[1]}
        assert "Empty" in subscribed and "Silent" not in subscribed
        client.logout()
        listed = json.loads(c.command("account", "list", "--json").stdout)
        assert [a["quota_bytes"] for a in listed if a["address"] == f"alice@{DOMAIN}"] == [77 << 20]


def test_what_a_restore_brought_back_is_not_undeleted_as_well(target):
    with Culver() as c:
        deliver(c, [f"m {i}" for i in range(6)])
        backup(c, target)
        client = imap(c)
        client.select("INBOX")
        client.copy("1", "Archive")  # the same message, deleted here and kept there
        client.store("1:4", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        r = c.command("store", "restore", "--account", f"alice@{DOMAIN}", "--uid", "2", "--mailbox", "INBOX",
                      target)
        r = c.command("store", "restore", "--account", f"alice@{DOMAIN}", "--uid", "3", "--mailbox", "INBOX",
                      "--into", "Back", target)
        undone = json.loads(c.command("account", "undelete", "--json", f"alice@{DOMAIN}").stdout)
        assert undone["messages"] == 2 and undone["there"] == 2, undone
        assert {s: len(m) for s, m in mail(c).items()} == {f"m {i}": 1 for i in (0, 1, 3, 4, 5)}
        # Deleted once more, after it was restored: it comes back once.
        client = imap(c)
        client.select("INBOX")
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        undone = json.loads(c.command("account", "undelete", "--json", f"alice@{DOMAIN}").stdout)
        assert undone["messages"] == 5 and undone["there"] == 0, undone
        assert {s: len(m) for s, m in mail(c).items()} == {f"m {i}": 1 for i in (0, 1, 3, 4, 5)}
        assert c.command("store", "check").returncode == 0, r


def test_restore_of_one_message(target):
    with Culver() as c:
        furnish(c)
        backup(c, target)
        client = imap(c)
        client.select("INBOX")
        uids = client.uid("SEARCH", "ALL")[1][0].decode().split()
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.select("Work/2026")
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        told = restore(c, target, "--account", f"alice@{DOMAIN}", "--message-id", "old.5@example.test")
        assert told["restored"] == 1 and list(mail(c)) == ["old 5"]
        told = restore(c, target, "--account", f"alice@{DOMAIN}", "--mailbox", "INBOX", "--uid", uids[6],
                       "--into", "Restored")
        assert told["restored"] == 1 and list(mail(c, mailbox="Restored")) == ["old 6"]
        r = restore(c, target, "--account", f"alice@{DOMAIN}", "--uid", "77777", check=False)
        assert r.returncode == 3
        c.stop()  # and on a stopped server
        told = restore(c, target, "--account", f"alice@{DOMAIN}", "--message-id", "<old.7@example.test>")
        assert told["restored"] == 1
        c.start()
        assert set(mail(c)) == {"old 5", "old 7"}


def test_backup_under_load_and_kills_gives_every_acknowledged_message(target):
    """The whole of it: load, kills of the store and of the command; then a restore gives every
    message that was acknowledged before the backup began, byte for byte."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(1 << 30)
    print("\nSEED", seed)
    rng = random.Random(seed)
    with Culver() as c:
        loads = [Load(c, "one"), Load(c, "two")]
        killer_ended = threading.Event()

        def kill():
            while not killer_ended.wait(1 + 2 * rng.random()):
                try:
                    c.kill_role("store")
                except (KeyError, ProcessLookupError):
                    pass
        killer = threading.Thread(target=kill, daemon=True)
        wait_for(lambda: all(len(load.sent) > 20 for load in loads), 60)
        killer.start()
        sent = {}
        for _ in range(6):
            before = {k: v for load in loads for k, v in list(load.sent.items())}
            process = subprocess.Popen([c.binary, "store", "backup", "-c", str(c.conf), str(target)],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            if rng.random() < 0.4:
                time.sleep(rng.random() * 0.2)
                process.kill()
            out = process.communicate(timeout=60)[0]
            if process.returncode == 0:
                sent[out.split(":")[0]] = before
        killer_ended.set()
        killer.join()
        for load in loads:
            load.end()
        if not sent:
            sent[backup(c, target)["point"]] = {k: v for load in loads for k, v in load.sent.items()}
        assert points(c, target, "--verify")[0] == 0
        c.stop()
        for point, expected in sent.items():
            restore(c, target, "--replace", "--point", point)
            c.start()
            found = mail(c)
            for subject, message in expected.items():
                assert any(m.endswith(message) for m in found.get(subject, [])), (point, subject)
            c.stop()
        print(f"{len(sent)} points of a store that was killed, {len(expected)} messages in the last")
