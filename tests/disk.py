# SPDX-License-Identifier: Apache-2.0
"""File systems that can fail: ext4 in a file, on a loop device, and two kinds of disk whose writes
fail when told to. All need root; need() skips the test where something is missing."""
import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile

import pytest

from harness import wait_for

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2


def run(*words, check=True):
    r = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60, check=False)
    if check and r.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {r.stdout}{r.stderr}")
    return r


def need(*programs):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for p in programs:
        if shutil.which(p) is None:
            pytest.skip(f"{p} is not installed")
    if run("losetup", "-f", check=False).returncode != 0:
        pytest.skip("no loop devices here")


def try_mount(*words):
    """Mounting is what containers forbid: then the test is skipped, not failed."""
    r = run("mount", *words, check=False)
    if r.returncode != 0:
        pytest.skip(f"cannot mount: {r.stderr.strip()}")


class Ext4:
    """An ext4 in a file, mounted at .path."""

    def __init__(self, mib=512, *options):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="culver-disk-"))
        self.base.chmod(0o755)
        self.image, self.path = self.base / "image", self.base / "mnt"
        self.path.mkdir()
        with open(self.image, "wb") as f:
            f.truncate(mib << 20)
        run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", *options, self.image)
        self.mounted = False
        self.mount()

    def mount(self):
        try_mount("-o", "loop", self.image, self.path)
        self.mounted = True

    def cut_power(self):
        """What was not flushed is lost, the journal included; every write fails from here on."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def unmount(self):
        if self.mounted:
            wait_for(lambda: run("umount", self.path, check=False).returncode == 0, 20, 0.05)
            # Another mount namespace may hold it a moment longer, and would give us back what was cut.
            wait_for(lambda: not run("losetup", "-j", self.image).stdout, 20, 0.05)
            self.mounted = False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.unmount()
        shutil.rmtree(self.base, ignore_errors=True)


class FailingDisk:
    """An ext4 without a journal on a disk whose writes fail when told to: write-back fails, fdatasync
    says so once, and then OK. make_disk() of each kind below answers the disk's path."""

    def __init__(self, mib=256):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="culver-failing-"))
        self.base.chmod(0o755)
        self.path, self.under = self.base / "mnt", self.base / "under"
        self.path.mkdir()
        self.under.mkdir()
        self.loop, self.mounted = None, False
        try:
            disk = self.make_disk(mib)
            run("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=0", disk)
            self.loop = run("losetup", "-f", "--show", disk).stdout.strip()
            try_mount(self.loop, self.path)
            self.mounted = True
        except BaseException:
            self.close()
            raise

    def drop_caches(self):
        os.sync()
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as f:
            f.write("3")

    def close(self):
        self.fail_writes(False)
        if self.mounted:
            wait_for(lambda: run("umount", self.path, check=False).returncode == 0, 20, 0.05)
        if self.loop:
            run("losetup", "-d", self.loop, check=False)
        self.end_disk()
        shutil.rmtree(self.base, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class NbdDisk(FailingDisk):
    """The disk is nbdkit's; plugin() says of what kind."""
    programs = ("nbdkit", "nbdfuse", "mkfs.ext4", "losetup")
    server = None

    def make_disk(self, mib):
        self.server = subprocess.Popen(
            ["nbdfuse", str(self.under), "--command", "nbdkit", "-s", "--exit-with-parent", *self.plugin(mib)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        disk = self.under / "nbd"
        wait_for(lambda: disk.exists() or self.server.poll() is not None, 10)
        if self.server.poll() is not None:
            pytest.skip(f"nbdfuse: {self.server.stderr.read().strip()}")
        return disk

    def end_disk(self):
        if self.server:
            run("fusermount3", "-u", self.under, check=False)
            try:
                self.server.wait(10)
            except subprocess.TimeoutExpired:
                self.server.send_signal(signal.SIGKILL)
                self.server.wait()
            self.server.stderr.close()


class RefusingDisk(NbdDisk):
    """Every write is answered with EIO."""

    def plugin(self, mib):
        self.trigger = self.base / "trigger"
        return ("--filter=error", "memory", f"{mib}M", "error=EIO", "error-pwrite-rate=100%",
                f"error-pwrite-file={self.trigger}")

    def fail_writes(self, on):
        if on:
            self.trigger.touch()
        else:
            self.trigger.unlink(missing_ok=True)


class ThinDisk(NbdDisk):
    """A disk that promises more than is behind it: a sparse image on a tmpfs, which is filled up to
    its last page. What is there already can be overwritten; ext4 believes that it has room, so write
    takes everything, and write-back fails somewhere in the middle. (Not a loop device upon the image
    itself: Linux's calls a write that found half of its room a success.)"""
    thin = None

    def plugin(self, mib):
        self.thin = self.base / "thin"
        self.filler = self.thin / "filler"
        self.thin.mkdir()
        try_mount("-t", "tmpfs", "-o", f"size={mib // 2}m", "culver-thin", self.thin)
        image = self.thin / "image"
        with open(image, "wb") as f:
            f.truncate(mib << 20)
        return ("file", str(image))

    def fail_writes(self, on):
        if not self.thin:
            return
        if not on:
            self.filler.unlink(missing_ok=True)
            return
        with contextlib.suppress(OSError), open(self.filler, "wb", buffering=0) as f:
            for piece in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while f.write(bytes(piece)):
                        pass

    def end_disk(self):
        super().end_disk()
        if self.thin:
            run("umount", self.thin, check=False)
