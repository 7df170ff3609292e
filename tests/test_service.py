# SPDX-License-Identifier: Apache-2.0
"""Life as a service: upgrades under load, drains, the service manager."""
import imaplib
import json
import os
import poplib
import shutil
import signal
import smtplib
import socket
import subprocess
import threading
import time

import pytest

from harness import DOMAIN, Culver, example, wait_for
from load import Load, check, stored

BOB = f"bob@{DOMAIN}"
SHORT = "upgrade_drain_seconds = 4"


# ---- upgrade ----

class Knocking:
    """New connections one after another, each of which must be greeted; the longest wait is kept."""

    def __init__(self, c, service, greeting):
        self.c, self.service, self.greeting = c, service, greeting
        self.greeted, self.longest, self.failures = 0, 0.0, []
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.stopping:
            begun = time.monotonic()
            try:
                with self.c.connect(self.service, timeout=10) as s:
                    got = s.recv(1000)
                if not got.startswith(self.greeting):
                    self.failures.append(got)
            except OSError as e:
                self.failures.append(e)
            self.greeted += 1
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stopping = True
        self.thread.join(15)


class LoggingIn:
    """People who log in, one after another each: IMAP's LOGIN, or POP3's PASS. None may fail; who is
    told BYE before that, since the front goes, comes again."""

    def __init__(self, c, people=6):
        self.c = c
        self.done, self.longest, self.failures, self.byes = 0, 0.0, [], 0
        self.stopping = False
        self.threads = [threading.Thread(target=self._run, args=(n % 2 == 0,), daemon=True)
                        for n in range(people)]

    def _come(self, imap):
        with self.c.connect("imap" if imap else "pop3", timeout=10) as s, s.makefile("rb") as f:
            f.readline()
            begun = time.monotonic()
            if imap:
                s.sendall(b'a LOGIN %s "%s"\r\n' % (BOB.encode(), self.c.password("bob").encode()))
            else:
                s.sendall(b"USER %s\r\nPASS %s\r\n" % (f"carol@{DOMAIN}".encode(),
                                                     self.c.password("carol").encode()))
                f.readline()
            answer = f.readline()
            self.longest = max(self.longest, time.monotonic() - begun)
            # One maildrop, several who want it: the login was right.
            if answer.startswith((b"a OK", b"+OK")) or b"[IN-USE]" in answer:
                self.done += 1
            elif answer == b"" or answer.startswith(b"* BYE"):
                self.byes += 1
            else:
                self.failures.append(answer)

    def _run(self, imap):
        while not self.stopping:
            try:
                self._come(imap)
            except OSError as e:
                self.failures.append(e)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stopping = True
        for t in self.threads:
            t.join(15)


class LongTransaction:
    """A message whose bytes come slowly, begun before the upgrade and ended after it."""

    def __init__(self, c):
        self.s = smtplib.SMTP("127.0.0.1", c.port("smtp"))
        self.s.ehlo("slow.example")
        assert self.s.mail("slow@example.org")[0] == 250
        assert self.s.rcpt(f"alice@{DOMAIN}")[0] == 250

    def finish(self):
        """The code of the answer to DATA or to its end."""
        code, _ = self.s.docmd("DATA")
        if code != 354:
            return code
        self.s.send(b"Subject: slow\r\n\r\n")
        time.sleep(0.2)
        self.s.send(b"Hello.\r\n.\r\n")
        code = self.s.getreply()[0]
        # Between two transactions it is told that the front goes.
        last = self.s.getreply()[0] if code == 250 else 421
        assert last == 421
        return code


def idle_session(c):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
    m.login(BOB, c.password("bob"))
    m.select()
    m.send(b"x IDLE\r\n")
    assert m.readline().startswith(b"+")
    return m


def maildrop(c):
    p = poplib.POP3("127.0.0.1", c.port("pop3"))
    p.user(f"carol@{DOMAIN}")
    p.pass_(c.password("carol"))
    return p


def rest_of(m):
    """All that it still says; then its client closes, too, as a client does: a front waits for that."""
    m.sock.settimeout(20)
    got = b""
    while True:
        more = m.sock.recv(4096)
        if not more:
            m.shutdown()
            return got
        got += more


def upgrade_under_load(c):
    idle = [idle_session(c) for _ in range(20)]
    pop = maildrop(c)
    slow = LongTransaction(c)
    with Knocking(c, "smtp", b"220 ") as smtp, Knocking(c, "imap", b"* OK ") as imap, \
            Load(c, 4, f"load{time.monotonic()}") as load:
        wait_for(lambda: load.count() >= 20 and smtp.greeted >= 20 and imap.greeted >= 20, 30)
        old, begun = c.roles(), time.monotonic()
        assert "upgraded" in c.command("upgrade").stdout
        took = time.monotonic() - begun
        code = slow.finish()
        assert pop.stat() == (0, 0)  # it goes on with the new store, in which it has the lock
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            maildrop(c)
        assert pop.quit().startswith(b"+OK")
        maildrop(c).quit()
        at = load.count()
        byes = [rest_of(m) for m in idle]
        wait_for(lambda: load.count() >= at + 20, 30)
        wait_for(lambda: not set(old.values()) & set(all_roles(c)), 15)
    assert smtp.failures == [] and imap.failures == []
    assert all(b"\r\n* BYE" in b"\r\n" + b for b in byes)
    assert code in (250, 451)
    assert c.process.poll() is None
    return load, took, smtp, imap


def all_roles(c):
    """Every child's pid, also those that drain."""
    with open(f"/proc/{c.process.pid}/task/{c.process.pid}/children", encoding="ascii") as f:
        return [int(pid) for pid in f.read().split()]


def test_upgrade_under_load():
    with Culver(config=SHORT, accounts=("alice", "bob", "carol")) as c:
        loads, said = [], []
        for _ in range(2):
            load, took, smtp, imap = upgrade_under_load(c)
            loads.append(load)
            said.append(f"{took:.2f} s, {smtp.greeted + imap.greeted} connections greeted, longest wait "
                        f"{1000 * max(smtp.longest, imap.longest):.0f} ms, {load.count()} acknowledged")
        check(loads, stored(c))
        assert len(c.events("upgraded")) == 2
        assert c.ready_line.count("ready") == 1
    print("upgrades: " + "; ".join(said) + "; 0 refused, 0 lost")


def test_no_login_fails_between_two_stores():
    """Neither over an upgrade nor when the store dies: they wait for the next one, up to a second."""
    with Culver(config=SHORT, accounts=("alice", "bob", "carol")) as c:
        with LoggingIn(c) as people:
            wait_for(lambda: people.done >= 50, 30)
            for _ in range(3):
                at = people.done
                assert "upgraded" in c.command("upgrade").stdout
                wait_for(lambda at=at: people.done >= at + 50, 30)
        said = f"{people.done} logins over 3 upgrades, longest {1000 * people.longest:.0f} ms"
        assert people.failures == []
        wait_for(lambda: len(all_roles(c)) == len(c.roles()), 30)
        with LoggingIn(c) as people:
            for n in range(5):
                os.kill(c.roles()["store"], signal.SIGKILL)
                wait_for(lambda n=n: len(c.events("role-back")) > n, 30)
                at = people.done  # who has waited for this one does not wait for the next as well
                wait_for(lambda at=at: people.done >= at + 50, 30)
        said += f"; {people.done} over 5 deaths of the store, longest {1000 * people.longest:.0f} ms"
        away = max(int(e["down_ms"]) for e in c.events("role-back"))
        assert people.failures == [] or away > 700, (away, people.failures)  # the second is from the loss on
    print(said)


def test_upgrade_says_goodbye_one_by_one():
    with Culver(config="upgrade_drain_seconds = 2") as c:
        idle = [idle_session(c) for _ in range(10)]
        c.process.send_signal(signal.SIGUSR2)
        times = []
        for m in idle:  # the oldest goes first
            assert rest_of(m).startswith(b"* BYE")
            times.append(time.monotonic())
        assert times[-1] - times[0] > 0.6  # of the second that half of the time is


def test_status_tells_who_is_leaving():
    """Of each role one is up; those of before, which wait for the last session, are not taken for it."""
    with Culver() as c:
        m = idle_session(c)
        c.command("upgrade")
        roles = json.loads(c.command("status", "--json").stdout)["roles"]
        for role in ("store", "gate", "courier", "front-user"):
            assert [r["state"] for r in roles if r["role"] == role].count("up") == 1, roles
        assert {r["state"] for r in roles} <= {"up", "leaving", "draining"} and len(roles) > 6, roles
        m.shutdown()


def test_upgrade_deadline():
    """Who is in a transaction at the end of the time is told 421."""
    with Culver(config="upgrade_drain_seconds = 2") as c:
        s = smtplib.SMTP("127.0.0.1", c.port("smtp"))
        s.ehlo("slow.example")
        assert s.mail("slow@example.org")[0] == 250
        old = c.roles()["front-mx"]
        c.command("upgrade")
        assert s.getreply()[0] == 421
        s.close()
        wait_for(lambda: old not in all_roles(c), 10)


def test_upgrade_to_another_binary(tmp_path):
    """The file at the binary's path is what counts: one that cannot run or does not want to leaves
    everything as it is, and says why."""
    binary = tmp_path / "culver"
    binary.parent.chmod(0o755)
    source = Culver(quickstart=False)
    good = source.binary
    shutil.rmtree(source.dir)

    def install(make):
        make(tmp_path / "new")
        (tmp_path / "new").chmod(0o755)
        (tmp_path / "new").rename(binary)

    install(lambda p: shutil.copy(good, p))
    with Culver(binary=str(binary)) as c:
        roles = c.roles()
        install(lambda p: p.write_text("#!/bin/sh\necho this one is broken >&2\nexit 1\n"))
        r = c.run("status", "-c", c.conf, check=False)  # the wrong binary is what answers now
        assert "broken" in r.stderr
        c.binary = good
        r = c.command("upgrade", check=False)
        assert r.returncode == 1 and "refused" in r.stderr and "this one is broken" in r.stderr
        # Another program that ends well has not said that it can take over.
        for other in ("#!/bin/sh\nexit 0\n", "#!/bin/sh\necho culver-takeover 1\n"):
            install(lambda p, text=other: p.write_text(text))
            r = c.command("upgrade", check=False)
            assert r.returncode == 1 and "does not say that it can take over" in r.stderr
            assert c.roles() == roles
        install(lambda p: p.write_bytes(b"\x7fELF no program"))
        r = c.command("upgrade", check=False)
        assert r.returncode == 1 and "cannot be run" in r.stderr
        binary.unlink()
        r = c.command("upgrade", check=False)
        assert r.returncode == 1 and "No such file" in r.stderr
        # A good binary, but the configuration is not.
        install(lambda p: shutil.copy(good, p))
        text = c.conf.read_text()
        with socket.create_connection(("127.0.0.1", c.port("smtp"))) as s:
            assert s.recv(100).startswith(b"220 ")
            c.conf.write_text(text + "nonsense = 1\n")
            c.process.send_signal(signal.SIGUSR2)
            wait_for(lambda: [e for e in c.events("upgrade-refused") if "nonsense" in e["why"]], 10)
            r = c.command("upgrade", "--json", check=False)
            assert r.returncode == 5 and "refused, and nothing has changed" in r.stderr and "nonsense" in r.stderr
            assert json.loads(r.stdout)["error"] == "config"
            c.conf.write_text(text)
            assert c.roles() == roles
            assert "upgraded" in c.command("upgrade").stdout
            s.settimeout(10)
            assert s.recv(100).startswith(b"421 ")
        assert c.roles()["store"] != roles["store"]
        if os.geteuid() == 0:  # nobody else may look into it
            assert os.readlink(f"/proc/{c.process.pid}/exe") == str(binary)


def test_upgrade_needs_room_for_the_ledger(tmp_path):
    """A store of an earlier schema that the disk has not the room to bring to this one is left to the program
    that serves it, which the new one would end."""
    with Culver() as c:
        c.stop()
        ledger = c.dir / "data" / "ledger.db"
        handed = tmp_path / "handed"
        for schema, free, code in ((10, 2.6, 0), (10, 2.4, 1), (11, 2.4, 0)):
            os.truncate(ledger, int(shutil.disk_usage(ledger).free / free))
            handed.write_text(f"culver-takeover 1\ninstance 7\nschema {schema}\nlock 5\ncontrol 6\n")
            r = subprocess.run(["sh", "-c", 'exec "$0" takeover-check "$1" 3<"$2"', c.binary, c.conf, handed],
                               capture_output=True, text=True, timeout=30, check=False)
            assert r.returncode == code, r.stderr
            if code:
                assert f"from schema {schema}" in r.stderr and str(ledger) in r.stderr, r.stderr


def test_upgrade_through_a_symbolic_link(tmp_path):
    """/opt/culver/current/culver, which leads to another directory by then: what is there now is what
    runs. The file that the server was started from is not installed any more."""
    source = Culver(quickstart=False)
    shutil.rmtree(source.dir)
    tmp_path.chmod(0o755)
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        shutil.copy(source.binary, tmp_path / version / "culver")
    current = tmp_path / "current"
    current.symlink_to("1")
    with Culver(binary=str(current / "culver")) as c:
        exe = f"/proc/{c.process.pid}/exe"
        assert os.readlink(exe) == str(tmp_path / "1" / "culver")
        current.unlink()
        current.symlink_to("2")
        assert "upgraded" in c.command("upgrade").stdout
        assert os.readlink(exe) == str(tmp_path / "2" / "culver")
        current.unlink()
        c.binary = source.binary
        r = c.command("upgrade", check=False)
        assert r.returncode == 1 and "No such file" in r.stderr


def test_a_store_that_has_taken_mail_makes_way_at_once():
    """Nothing of a delivery stays with it: it is not waited for, and killed, when its successor has come."""
    with Culver() as c:
        for n in range(3):
            with smtplib.SMTP("127.0.0.1", c.port("smtp"), timeout=20) as s:
                s.sendmail("ann@example.org", [f"alice@{DOMAIN}"], f"Subject: {n}\r\n\r\nhello\r\n")
            c.command("upgrade")
        c.stop()
        assert c.events("role-killed") == []


def test_as_many_addresses_as_can_be_listened_on():
    """Every socket of them goes to a front at once: 105 to the one that serves users."""
    addresses = [f"127.0.1.{n}" for n in range(1, 16)]
    c = Culver()
    try:
        text = c.conf.read_text(encoding="utf-8").replace('listen = {"127.0.0.1", "::1"}\n', "")
        listen = ", ".join(f'"{a}"' for a in addresses)
        c.conf.write_text(f"{text}listen = {{{listen}}}\nfronts_user = 3\n", encoding="utf-8")
        assert c.command("check").returncode == 0
        c.start()
        for _ in range(2):
            for address in addresses:
                for service, greeting in (("smtp", b"220 "), ("imap", b"* OK"), ("pop3", b"+OK "), ("submission", b"220 ")):
                    with c.connect(service, address=address) as s:
                        assert s.recv(4) == greeting
            assert c.command("upgrade").stdout.startswith("upgraded")
    finally:
        c.close()


def test_an_upgrade_beside_another_comes_to_pass():
    """As of a package that was installed twice: the second is not lost, and its command says so."""
    with Culver(config="fronts_mx = 4\nfronts_user = 4") as c:
        words = [c.binary, "upgrade", "-c", str(c.conf)]
        first = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: c.events("taken-over"), 60)
        assert c.command("upgrade", timeout=120).stdout.startswith("upgraded")
        assert first.communicate(timeout=60)[0].startswith("upgraded")
        assert len(c.events("upgraded")) == 2


def test_upgrade_then_stop():
    """A stop in the middle of an upgrade is a stop."""
    with Culver() as c:
        m = idle_session(c)
        c.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: c.events("taken-over"), 10)
        c.process.send_signal(signal.SIGTERM)
        assert rest_of(m).startswith(b"* BYE")
        assert c.process.wait(20) == 0
        assert c.roles_left() == []


def test_a_server_that_stops_refuses_connections():
    """While sessions of before have their time: nobody is left to wait for a greeting that never comes."""
    with Culver(config="drain_seconds = 20") as c:
        s = smtplib.SMTP("127.0.0.1", c.port("smtp"), timeout=20)
        s.ehlo()
        s.mail("ann@example.org")
        s.rcpt(f"alice@{DOMAIN}")
        assert s.docmd("DATA")[0] == 354
        c.process.send_signal(signal.SIGTERM)
        for service in ("smtp", "submission", "imap", "imaps", "pop3"):
            wait_for(lambda name=service: is_refused(c, name), 10)
        assert c.process.poll() is None
        s.send(b"\r\nhello\r\n.\r\n")
        assert s.getreply()[0] == 250
        s.close()
        c.process.wait(20)


def is_refused(c, service):
    try:
        with c.connect(service, timeout=1):
            return False
    except ConnectionRefusedError:
        return True


def test_mail_through_an_upgrade():
    """Mail of before is there after it, and a login of before is worth nothing less."""
    with Culver(config=SHORT) as c:
        with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
            s.sendmail("ann@example.org", [BOB], example("before"))
        m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
        m.login(BOB, c.password("bob"))
        m.select()
        c.command("upgrade")
        # The old front's session goes on with the new store until its turn to be told BYE.
        try:
            assert m.fetch("1", "BODY[HEADER.FIELDS (SUBJECT)]")[0] == "OK"
        except imaplib.IMAP4.abort as e:
            assert "BYE" in str(e) or "come back" in str(e)
        m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
        m.login(BOB, c.password("bob"))
        assert m.select()[1] == [b"1"]
        m.logout()
