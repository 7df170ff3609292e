# SPDX-License-Identifier: Apache-2.0
"""`make run`, less its installing and building: what it prints works when pasted, and a second run
finds the same data."""
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import threading

import pytest

from harness import BINARY, ROOT, free_offset, wait_for

# As root it makes the user culver where there is none: servers that run beside it would find their data another's.
pytestmark = pytest.mark.alone


def hears_interrupts():
    """As for somebody at a terminal: a suite that was started in the background ignores SIGINT, and a shell can't
    trap what was ignored when it began (POSIX, trap)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Run:
    def __init__(self, top, offset):
        self.process = subprocess.Popen([str(top / "tools" / "run"), str(offset)], cwd=top,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, start_new_session=True,
                                        preexec_fn=hears_interrupts)
        self.lines, self.errors = [], []
        for f, to in ((self.process.stdout, self.lines), (self.process.stderr, self.errors)):
            threading.Thread(target=lambda f=f, to=to: [to.append(x) for x in f], daemon=True).start()
        try:
            wait_for(lambda: any("Ctrl-C" in x for x in self.lines), 30)
        except TimeoutError:
            self.stop()
            raise AssertionError("".join(self.lines + self.errors)) from None

    def line(self, start):
        return next(x for x in self.lines if x.startswith(start)).rstrip("\n")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def top(tmp_path):
    """A tree with tools/run and a binary, below a folder that others can't enter, as /root is."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "run", closed / "tools" / "run")
    (closed / "build").mkdir()
    shutil.copy(BINARY, closed / "build" / "culver")
    return closed


def pasted(line, **kwargs):
    r = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False,
                       stdin=subprocess.DEVNULL, **kwargs)
    return r


def test_what_is_printed_works_when_pasted(top, tmp_path):
    for program in ("swaks", "curl", "mutt", "script"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    offset = free_offset()
    first = Run(top, offset)
    try:
        for _ in range(2):
            r = pasted(first.line("swaks "))
            assert r.returncode == 0, r.stdout + r.stderr
        r = pasted(first.line("curl "))
        assert r.returncode == 0 and 'Subject' not in r.stderr, r.stderr
        assert "hello" in r.stdout
        # mutt is for a terminal: it opens the mailbox and is told to leave.
        mutt = first.line("mutt ").replace(" -f ", " -e 'push <quit>y' -f ")
        home = tmp_path / "home"
        home.mkdir()
        r = subprocess.run(["script", "-qec", mutt, "/dev/null"], capture_output=True, text=True, timeout=60,
                           errors="replace", check=False, stdin=subprocess.DEVNULL,
                           env=dict(os.environ, HOME=str(home), TERM="xterm", LANG="C.UTF-8"))
        assert "Sorting mailbox" in r.stdout and "(r)eject" not in r.stdout, r.stdout
        passwords = top / "run" / "passwords"
        assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
        kept = passwords.read_text()
        said = [x for x in first.lines if re.match(r"\s+(alice|bob)@", x)]
    finally:
        first.stop()
    second = Run(top, free_offset())
    try:
        assert passwords.read_text() == kept
        assert [x for x in second.lines if re.match(r"\s+(alice|bob)@", x)] == said
        r = pasted(second.line("curl "))
        assert r.returncode == 0 and r.stdout.count("hello") >= 2
    finally:
        second.stop()


def test_the_tree_is_clean_of_run(top):
    assert "/run/" in pathlib.Path(ROOT / ".gitignore").read_text()
