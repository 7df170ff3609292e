# SPDX-License-Identifier: Apache-2.0
"""What is done to a server, and what is planted to prove the client: lines of a server that are dropped or altered on
their way, once, as by a proxy between the two."""
import os
import random
import re
import signal
import time

from .world import INF


class Killer:
    """Kills roles of a Culver, by process id, below its supervisor's. One that answers nothing for a while before it
    dies (hang: seconds, at most) leaves many sessions with a question that fails, not just one."""

    def __init__(self, roles, which, seed, every, hang=0):
        """roles() gives role → pid."""
        self.roles, self.which, self.every, self.hang = roles, which, every, hang
        self.rng = random.Random(f"{seed}/kill")
        self.due = time.monotonic() + every
        self.killed = {role: 0 for role in which}
        self.stopped = None  # (role, pid)
        self.dead = {}       # role → the last that was killed

    def act(self, now, world):
        if now < self.due:
            return
        world.trouble_until = now + 2
        if self.stopped:
            self.kill(*self.stopped)
            self.stopped = None
            self.due = now + self.every * self.rng.uniform(0.3, 1.7)
            return
        role = self.rng.choice(self.which)
        pid = self.roles().get(role)
        if pid and self.hang:
            try:
                os.kill(pid, signal.SIGSTOP)
            except ProcessLookupError:
                return
            self.stopped = role, pid
            self.due = now + self.rng.uniform(0, self.hang)
            return
        if pid:
            self.kill(role, pid)
        self.due = now + self.every * self.rng.uniform(0.3, 1.7)

    def kill(self, role, pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it went by itself
        self.killed[role] += 1
        self.dead[role] = pid

    def all_back(self):
        roles = self.roles()
        return all(roles.get(role) not in (None, self.dead.get(role)) for role in self.which)

    def wait_back(self, world):
        if self.stopped:
            self.kill(*self.stopped)
            self.stopped = None
        end = time.monotonic() + 20
        while not self.all_back() and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(1)
        world.trouble_until = INF  # until what was answered meanwhile is read: rest()
        self.due = time.monotonic() + self.every


def children(supervisor):
    """role → pid, of a supervisor's."""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue
        if parent == supervisor and len(words) > 3 and words[1] == b"role":
            found[words[2].decode()] = int(entry)
    return found


def add_to_number(n):
    return lambda line: re.sub(rb"\d+", lambda f: b"%d" % (int(f.group()) + n), line, count=1)


def last_number(n):
    return lambda line: re.sub(rb"(\d+)(\D*)$", lambda f: b"%d%s" % (int(f.group(1)) + n, f.group(2)), line, count=1)


def swap_flag(line):
    return line.replace(b"\\Flagged", b"") if b"\\Flagged" in line else line.replace(b"FLAGS (", b"FLAGS (\\Flagged ")


# name → (which lines, what becomes of them; None: nothing, a list: several, how many are let through first)
PLANTS = {
    "drop-expunge": (rb"^\* (\d+ EXPUNGE|VANISHED \d)", None, 5),
    "expunge-twice": (rb"^\* \d+ EXPUNGE", lambda line: [line, line], 5),
    "other-expunge": (rb"^\* [2-9]\d* EXPUNGE", add_to_number(-1), 5),
    "drop-exists": (rb"^\* \d+ EXISTS", None, 60),
    "exists-falls": (rb"^\* [2-9]\d* EXISTS", add_to_number(-2), 60),
    "exists-rises": (rb"^\* \d+ EXISTS", add_to_number(1), 60),
    "drop-fetch": (rb"^\* \d+ FETCH \(UID \d+ FLAGS", None, 30),
    "swap-flag": (rb"^\* \d+ FETCH .*FLAGS", swap_flag, 100),
    "other-number": (rb"^\* [2-9] FETCH .*UID", add_to_number(-1), 20),
    "other-uid": (rb"^\* \d+ FETCH .*UID \d+", lambda line: re.sub(rb"UID \d", b"UID 9", line), 20),
    "modseq-falls": (rb"^\* \d+ FETCH .*MODSEQ \(\d", lambda line: re.sub(rb"MODSEQ \(\d+", b"MODSEQ (2", line), 20),
    "highest-falls": (rb"HIGHESTMODSEQ \d", lambda line: re.sub(rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ 1", line), 20),
    "uidnext-falls": (rb"UIDNEXT \d", lambda line: re.sub(rb"UIDNEXT \d+", b"UIDNEXT 1", line), 10),
    "search-lacks": (rb"^\* SEARCH \d+ \d", lambda line: re.sub(rb"^\* SEARCH \d+", b"* SEARCH", line), 10),
    "search-finds": (rb"^\* SEARCH \d", lambda line: line.replace(b"SEARCH", b"SEARCH 99999"), 10),
    "appenduid": (rb"^\S+ OK \[APPENDUID", lambda line: re.sub(rb"(\d+)\]", rb"1\1]", line), 5),
    "copyuid": (rb"COPYUID \d+ \d+ \d", lambda line: re.sub(rb"(\d+)\]", rb"1\1]", line), 3),
    "copyuid-source": (rb"COPYUID \d+ \d", lambda line: re.sub(rb"(COPYUID \d+ )", rb"\g<1>9", line), 3),
    "list-lacks": (rb"^\* LIST .*INBOX", None, 2),
    "vanished-earlier": (rb"^\* VANISHED \(EARLIER\) \d", None, 0),
    "drop-modified": (rb" OK \[MODIFIED", lambda line: re.sub(rb"\[MODIFIED [^\]]*\] ", b"", line), 0),
    "expunge-unasked": (rb"^\S+ OK .*STORE completed", lambda line: [b"* 1 EXPUNGE", line], 10),
}


class Plant:
    """Alters a line that fits, after so many that would, and then again: who was told it may have left before it mattered."""

    def __init__(self, name):
        pattern, self.become, self.skip = PLANTS[name]
        self.pattern, self.name, self.done = re.compile(pattern, re.DOTALL), name, []
        self.again = min(30, self.skip)

    def __call__(self, session, pieces):
        """The responses that come instead of one."""
        if not session.logged_in or not self.pattern.search(pieces[0]):
            return [pieces]
        if self.skip > 0:
            self.skip -= 1
            return [pieces]
        self.skip = self.again
        self.done.append(pieces[0])
        if self.become is None:
            return []
        became = self.become(pieces[0])
        return [[line, *pieces[1:]] for line in (became if isinstance(became, list) else [became])]
