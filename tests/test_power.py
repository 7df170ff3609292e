# SPDX-License-Identifier: Apache-2.0
"""Power cuts and failed flushes on real file systems: nothing acknowledged is lost or torn. And the
tests of the tests: a build with one flush left out must be caught."""
import os
import pathlib
import random
import subprocess
import time

import pytest

import disk
from harness import BINARY, ROOT, Culver, wait_for
from load import Load, check, stored

CUTS = int(os.environ.get("CULVER_POWER_CUTS", "32"))
RANDOM = random.Random(7)
FLUSHES = int(os.environ.get("CULVER_FAILED_FLUSHES", "1"))  # of each kind


def cut_loop(cuts, binary=BINARY):
    """Cuts the power under load again and again; returns how much was acknowledged. Raises at the
    first thing that is lost."""
    acknowledged = 0
    with disk.Ext4() as fs:
        c = Culver(directory=fs.path / "d0", binary=binary)
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


def faulty_build(fault):
    """A build with one flush left out."""
    folder = ROOT / "build" / f"fault-{fault}"
    if not (folder / "build.ninja").exists():
        subprocess.run(["/usr/bin/meson", "setup", str(folder), str(ROOT), f"-Dfault={fault}",
                        "-Dtests=false", "-Doptimization=0", "-Ddebug=false"],
                       check=True, capture_output=True)
    subprocess.run(["ninja", "-C", str(folder), "culver"], check=True, capture_output=True)
    return str(folder / "culver")


@pytest.mark.parametrize("fault", ["no_body_flush", "no_row_flush"])
def test_a_build_without_one_flush_is_caught(fault):
    disk.need("mkfs.ext4", "losetup")
    with pytest.raises(AssertionError, match="lost|torn|ready|found damaged"):
        cut_loop(12, faulty_build(fault))


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
