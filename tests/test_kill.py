# SPDX-License-Identifier: Apache-2.0
"""kill -9 of every role under load: nothing acknowledged is lost, torn or doubled, and each role is
back within a second (measured and printed; ten are a failure)."""
import contextlib
import datetime
import imaplib
import os
import pathlib
import random
import statistics
import subprocess
import time

import pytest

from harness import DOMAIN, Culver, wait_for
from load import BOB, Load, check, stored

KILLS = int(os.environ.get("CULVER_KILLS", "60"))


def kill_once(c, role):
    """Seconds until a new process of the role is up (its own log line says so)."""
    def backs():
        return sum(e["role"] == role for e in c.events("role-back"))
    before = backs()
    begun = time.monotonic()
    c.kill_role(role)
    wait_for(lambda: backs() > before, 10)
    return time.monotonic() - begun


def test_kills_under_load():
    r = random.Random(4)
    with Culver() as c:
        roles = sorted(c.roles())
        plan = [roles[i % len(roles)] for i in range(KILLS)]
        r.shuffle(plan)
        times = []
        with Load(c) as load:
            for role in plan:
                at = load.count()
                wait_for(lambda: load.count() > at, 10)  # work is going on
                times.append(kill_once(c, role))
        found = stored(c)
        check(load, found)
        assert "0 found damaged" in c.command("store", "check").stdout
        assert c.stop() == 0
    print(f"{KILLS} kills, {load.count()} acknowledged, 0 lost; back in "
          f"{statistics.median(times) * 1000:.0f} ms (median), {max(times) * 1000:.0f} ms (worst)")
    assert load.count() > KILLS


def limit_memory(pid, most):
    """Its address space from here on; returns what it was. As its own user, who alone may."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        ids = {words[0]: int(words[1]) for words in map(str.split, f) if words[0] in ("Uid:", "Gid:")}
    who = {"user": ids["Uid:"], "group": ids["Gid:"], "extra_groups": []} if os.geteuid() == 0 else {}
    def prlimit(*words):
        return subprocess.run(["prlimit", "--pid", str(pid), *words], check=True, capture_output=True,
                              text=True, **who).stdout.strip()
    was = prlimit("--as", "--raw", "--noheadings", "--output=SOFT")
    prlimit(f"--as={most}:")
    return was


def test_x2_no_memory():
    """One role after another can have no further memory while mail flows and clients come: it may go
    on with what it has or end and be back, but nothing acknowledged is lost."""
    out = set()
    with Culver() as c:
        with Load(c, 4, "x2") as load:
            for role, pid in sorted(c.roles().items()):
                was = limit_memory(pid, str(1 << 20))
                crowd = []
                try:
                    for service in ("smtp", "submissions", "imap", "pop3"):
                        for _ in range(40):
                            with contextlib.suppress(OSError):
                                crowd.append(c.connect(service))
                    with contextlib.suppress(OSError, imaplib.IMAP4.error, AssertionError):
                        stored(c)
                    with contextlib.suppress(TimeoutError):
                        wait_for(lambda: c.roles().get(role) != pid, 0.5, 0.05)
                finally:
                    for s in crowd:
                        s.close()
                if c.roles().get(role) == pid:
                    limit_memory(pid, was)
                else:
                    out.add(role)
                    wait_for(lambda: any(e["role"] == role for e in c.events("role-back")), 10)
                at = load.count()
                wait_for(lambda: load.count() > at + 3, 20)  # it flows again
        check(load, stored(c))
        assert "0 found damaged" in c.command("store", "check").stdout
        assert {e["role"] for e in c.events("role-ended")} == out, "another role was drawn in"
        assert c.stop() == 0
    print(f"without memory: {sorted(out)} ended and came back, {load.count()} acknowledged, 0 lost")
    assert out, "nobody has missed it: this test is of nothing"


def memory_group():
    """A memory cgroup of our own, of either version, with next to nothing in it and no swap. None: there can be
    none here (no root, a container, no controller)."""
    name = f"culver-x5-{os.getpid()}"
    try:
        if "memory" in pathlib.Path("/sys/fs/cgroup/cgroup.controllers").read_text(encoding="ascii"):
            group, limits = pathlib.Path("/sys/fs/cgroup", name), ("memory.max", "memory.swap.max")
            events = "memory.events"
    except OSError:
        group = None
    if group is None:
        group, limits = pathlib.Path("/sys/fs/cgroup/memory", name), ("memory.limit_in_bytes", "memory.swappiness")
        events = "memory.oom_control"
    try:
        group.mkdir()
    except OSError:
        return None
    with contextlib.suppress(OSError):  # without swap there may be nothing to say of it
        (group / limits[1]).write_text("0", encoding="ascii")
    try:
        (group / limits[0]).write_text("16384", encoding="ascii")
        (group / events).read_text(encoding="ascii")
    except OSError:
        group.rmdir()
        return None
    return group, events


def oom_kills(group, events):
    lines = (group / events).read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def bustle(c):
    """What makes roles touch memory: connections, handshakes, logins, a look at a mailbox."""
    crowd = []
    for service in ("smtp", "submissions", "imaps", "pop3s") * 5:
        with contextlib.suppress(OSError, AssertionError):
            crowd.append(c.connect(service))
    for n in range(3):  # nobody's password is in no cache: it is hashed
        with contextlib.suppress(OSError, AssertionError):
            crowd.append(c.connect("imap"))
            crowd[-1].sendall(f"a LOGIN nobody{n}@{DOMAIN} {time.monotonic()}\r\n".encode())
    with contextlib.suppress(OSError, imaplib.IMAP4.error), \
            imaplib.IMAP4_SSL("127.0.0.1", c.port("imaps"), ssl_context=c.tls_context(), timeout=5) as m:
        m.login(BOB, c.password("bob"))
        m.select(readonly=True)
    for s in crowd:
        s.close()


def stamp(event):
    return datetime.datetime.fromisoformat(event["t"].replace("Z", "+00:00")).timestamp()


def test_x5_the_kernel_kills_for_want_of_memory():
    """Each role in turn is put into a memory cgroup that has no room for another page: the kernel's OOM killer
    takes it, nobody else; it is back within a second and nothing acknowledged is lost. Courier and keys have all that
    they need from their start on, and may be spared."""
    made = memory_group()
    if made is None:
        pytest.skip("no memory cgroup can be made here (not root, or a container without the controller)")
    group, events = made
    must, killed, spared = {"store", "gate", "front-mx", "front-user"}, set(), set()
    try:
        with Culver() as c:
            with Load(c, 2, "x5") as load:
                for role, pid in sorted(c.roles().items()):
                    kills, end = oom_kills(group, events), time.monotonic() + (10 if role in must else 1)
                    (group / "cgroup.procs").write_text(str(pid), encoding="ascii")
                    while c.roles().get(role) == pid and time.monotonic() < end:
                        bustle(c)
                    if c.roles().get(role) == pid:  # it has touched nothing new
                        (group.parent / "cgroup.procs").write_text(str(pid), encoding="ascii")
                        spared.add(role)
                        continue
                    wait_for(lambda role=role: any(e["role"] == role for e in c.events("role-back")), 10)
                    assert oom_kills(group, events) == kills + 1, role
                    killed.add(role)
                    at = load.count()
                    wait_for(lambda at=at: load.count() > at + 3, 20)
            check(load, stored(c))
            assert "0 found damaged" in c.command("store", "check").stdout
            ended = {e["role"]: stamp(e) for e in c.events("role-ended")}
            assert set(ended) == killed, "another role was drawn in"
            away = {e["role"]: stamp(e) - ended[e["role"]] for e in c.events("role-back")}
            assert c.stop() == 0
    finally:
        group.rmdir()
    print(f"killed for want of memory, seconds until back: {away}; spared: {sorted(spared)}; {load.count()} "
          "acknowledged, 0 lost")
    assert must <= killed and max(away.values()) < 10


def test_kill_of_the_supervisor_and_a_new_start():
    with Culver() as c:
        rounds = 0
        loads = []
        for n in range(4):
            with Load(c, 4, f"round{n}") as load:
                wait_for(lambda: load.count() > 10, 20)
                c.process.kill()
                c.process.wait()
            loads.append(load)
            c.forget_process()
            wait_for(lambda: not c.roles_left(), 5)
            c.start()
            rounds += 1
        check(loads, stored(c))
        acknowledged = sum(l.count() for l in loads)
        assert "0 found damaged" in c.command("store", "check").stdout
    print(f"{rounds} kills of the supervisor, {acknowledged} acknowledged, 0 lost")


def test_a_store_that_is_away_is_a_4xx_and_heals(culver):
    """While the store is stopped in mid-work, fronts answer; afterwards they go on without a restart."""
    import os
    import signal
    import smtplib
    from harness import example
    c = culver
    fronts = {k: v for k, v in c.roles().items() if k.startswith("front")}
    with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
        s.sendmail("x@y.example", ["bob@example.test"], example("before"))
        pid = c.roles()["store"]
        os.kill(pid, signal.SIGKILL)
        seen = []
        for n in range(50):
            try:
                s.sendmail("x@y.example", ["bob@example.test"], example(f"after {n}"))
                seen.append(250)
                if len(seen) > 3:
                    break
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as e:
                code = e.smtp_code if hasattr(e, "smtp_code") else list(e.recipients.values())[0][0]
                assert 400 <= code < 500, code
                seen.append(code)
                time.sleep(0.02)
        assert seen[-1] == 250
    assert {k: v for k, v in c.roles().items() if k.startswith("front")} == fronts
