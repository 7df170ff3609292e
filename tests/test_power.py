# SPDX-License-Identifier: Apache-2.0
"""Power cuts and failed flushes on real file systems: nothing acknowledged is lost or torn. And the
tests of the tests: a server that leaves one flush out, or does not write again what the ledger
carries, must be caught."""
import imaplib
import os
import pathlib
import random
import shutil
import smtplib
import time

import pytest

import disk
from harness import BINARY, Culver, example, wait_for
from load import BOB, Load, check, stored

CUTS = int(os.environ.get("CULVER_POWER_CUTS", "32"))
RANDOM = random.Random(7)
FLUSHES = int(os.environ.get("CULVER_FAILED_FLUSHES", "1"))  # of each kind


def cut_loop(cuts):
    """Cuts the power under load again and again; returns how much was acknowledged. Raises at the
    first thing that is lost."""
    acknowledged = 0
    with disk.Ext4() as fs:
        c = Culver(directory=fs.path / "d0")
        loads = []
        try:
            for n in range(cuts):
                c.start()
                check(loads, stored(c)) if loads else None
                with Load(c, 6, f"cut{n}") as load:
                    wait_for(lambda: load.count() >= 3, 20)
                    time.sleep(RANDOM.uniform(0.0, 0.25))
                    before = load.acknowledged()
                    fs.cut_power()
                    after = load.acknowledged()
                    c.kill_all()
                # Nothing is acknowledged once writes fail: what came later was on its way before.
                assert load.count() - len(after) <= 6
                # A real cut silences the server in the same moment. This one doesn't, and ext4 may
                # answer OK to a flush that the ioctl overtook (seen with a program that does
                # nothing but pwrite and fdatasync): only what was heard before it counts.
                load.keep_only(before)
                loads.append(load)
                acknowledged += load.count()
                fs.unmount()
                fs.mount()
            c.start()
            check(loads, stored(c))
            assert "0 found damaged" in c.command("store", "check").stdout
            c.stop()
        finally:
            c.close()
    return acknowledged


def test_power_cuts():
    disk.need("mkfs.ext4", "losetup")
    begun = time.monotonic()
    acknowledged = sum(cut_loop(min(32, CUTS - done)) for done in range(0, CUTS, 32))
    print(f"{CUTS} power cuts, {acknowledged} acknowledged, 0 lost, 0 torn "
          f"({time.monotonic() - begun:.0f} s)")


@pytest.mark.parametrize("fault", ["body_flush_left_out", "row_flush_left_out", "redo_left_out"])
def test_a_server_that_leaves_one_out_is_caught(fault, monkeypatch):
    """The tested build has these faults in it (src/base/planted.h)."""
    disk.need("mkfs.ext4", "losetup")
    if b"CULVER_PLANTED" not in pathlib.Path(BINARY).read_bytes():
        pytest.skip("a release has no planted faults")
    monkeypatch.setenv("CULVER_PLANTED", fault)
    with pytest.raises(AssertionError, match="lost|torn|ready|found damaged"):
        cut_loop(12)


def fail_one_flush(kind):
    """How much was acknowledged, and how much of it after the flush that failed."""
    with kind() as d:
        c = Culver(directory=d.path / "d")
        try:
            c.start()
            with Load(c, 4, "before") as before:
                wait_for(lambda: before.count() >= 20, 20)
            store = c.roles()["store"]
            with Load(c, 4, "during") as during:
                wait_for(lambda: during.count() >= 5, 20)
                d.fail_writes(True)
                wait_for(lambda: c.events("flush-failed"), 20)
                d.fail_writes(False)
                wait_for(lambda: c.roles().get("store", store) != store, 10)
                at = during.count()
                wait_for(lambda: during.count() >= at + 100, 60)  # a hundred commits after it; the disk may be full for the first copy
            assert not any(e["role"] == "front-mx" for e in c.events("role-ended"))
            check([before, during], stored(c))
            c.kill_all()
            d.drop_caches()
            c.start()
            check([before, during], stored(c))
            assert "0 found damaged" in c.command("store", "check").stdout
            c.stop()
        finally:
            c.close()
    return before.count() + during.count(), during.count() - at


@pytest.mark.parametrize("kind", [disk.RefusingDisk, disk.ThinDisk])
def test_failed_flush(kind):
    """Write-back fails, so a flush says EIO or ENOSPC once and then OK. The store must not
    acknowledge what it could not flush, must end, and its successor must not believe the page cache."""
    disk.need(*kind.programs)
    counts = [fail_one_flush(kind) for _ in range(FLUSHES)]
    print(f"{FLUSHES} failed flushes ({kind.__name__}), {sum(n for n, _ in counts)} acknowledged, "
          f"{sum(n for _, n in counts)} of them after it, 0 lost")


def test_disk_full():
    """Q3 in small: mail is refused with 4xx while there is no room, and taken again when there is."""
    disk.need("mkfs.ext4", "losetup")
    with disk.Ext4(mib=160) as fs:
        c = Culver(directory=fs.path / "d")
        try:
            c.start()
            with Load(c, 4, "first") as first:
                wait_for(lambda: first.count() >= 10, 20)
            ballast = pathlib.Path(fs.path / "ballast")
            with open(ballast, "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(bytes(1 << 20))
                except OSError:
                    pass
            with Load(c, 2, "full") as full:
                time.sleep(1.5)
            ballast.unlink()
            with Load(c, 4, "after") as after:
                wait_for(lambda: after.count() >= 10, 20)
            check([first, full, after], stored(c))
            assert "0 found damaged" in c.command("store", "check").stdout
            c.stop()
        finally:
            c.close()
    print(f"disk full: {full.count()} taken from the reserve, then refused")


def offer(c, size=100):
    """The reply that decides about a message: of RCPT or of what follows it."""
    with smtplib.SMTP("127.0.0.1", c.port("smtp"), timeout=20) as s:
        s.ehlo("client.test")
        for word, rest in (("MAIL", "FROM:<ann@example.org>"), ("RCPT", f"TO:<{BOB}>"), ("DATA", "")):
            code = s.docmd(word, rest)[0]
            if code // 100 not in (2, 3):
                return code
        s.send(example("offered", (70 * "x" + "\r\n") * (size // 72), "ann@example.org") + b".\r\n")
        return s.getreply()[0]


def bobs(c):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=20)
    m.login(BOB, c.password("bob"))
    return m, int(m.select()[1][0])


def test_q3_no_inode_left():
    """Room, but no further file: nothing is lost, what can't be taken is refused for now, deleting
    works, the store starts, and all is well again when there are inodes."""
    disk.need("mkfs.ext4", "losetup")
    with disk.Ext4(160, "-N", "256") as fs:
        c = Culver(directory=fs.path / "d")
        fill = fs.path / "fill"
        fill.mkdir()
        try:
            c.start()
            assert [offer(c, size) for size in (100, 100, 3 << 20)] == 3 * [250]
            taken = 3
            with pytest.raises(OSError, match="No space"):
                for n in range(1000):
                    (fill / str(n)).touch()
            for _ in range(2):
                codes = [offer(c, size) for size in (100, 3 << 20)]
                assert codes[0] in (250, 451, 452) and codes[1] // 10 == 45, codes  # the second needs a file
                taken += codes.count(250)
                m, count = bobs(c)
                assert count == taken
                m.store("1", "+FLAGS", "\\Deleted")
                assert m.expunge()[0] == "OK"
                taken -= 1
                m.logout()
                c.restart()
            shutil.rmtree(fill)
            assert [offer(c, size) for size in (100, 3 << 20)] == [250, 250]
            m, count = bobs(c)
            assert count == taken + 2
            m.logout()
            assert "0 found damaged" in c.command("store", "check").stdout
            c.stop()
        finally:
            c.close()


def test_g10_the_mount_vanishes():
    """The disk of data/ is gone and the store is started anew: nobody is told that they don't exist,
    no new store is begun beneath the mount, and the old one is served when it is back."""
    disk.need("mkfs.ext4", "losetup")
    with disk.Ext4(160) as fs:
        c = Culver()
        data = c.dir / "data"
        inside = fs.path / "data"
        try:
            c.start()
            assert offer(c) == 250
            c.stop()
            shutil.copytree(data, inside)
            for path in (inside, *inside.rglob("*")):
                was = os.stat(data / path.relative_to(inside))
                os.chown(path, was.st_uid, was.st_gid)
            shutil.rmtree(data)
            data.mkdir()
            disk.run("mount", "--bind", inside, data)
            c.start()
            assert offer(c) == 250
            disk.run("umount", "-l", data)
            c.kill_role("store")
            wait_for(lambda: "held a store and does not" in c.log_text(), 10)
            assert offer(c) // 10 == 45
            with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
                bobs(c)
            assert os.listdir(data) == []
            disk.run("mount", "--bind", inside, data)
            wait_for(lambda: offer(c) == 250, 20, 0.1)
            m, count = bobs(c)
            assert count == 3
            m.logout()
            c.stop()
            # Started without it: a clear error, and nothing is made either.
            disk.run("umount", data)
            r = c.command("account", "list", check=False)
            assert r.returncode != 0 and "is its disk mounted?" in r.stderr, r.stderr
            assert os.listdir(data) == []
        finally:
            disk.run("umount", "-l", data, check=False)
            c.close()
