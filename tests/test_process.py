# SPDX-License-Identifier: Apache-2.0
"""The server as a set of processes: reload, drain, commands on a running server and a stopped one,
aliases, quotas, switches, and where private keys are."""
import contextlib
import fcntl
import imaplib
import json
import os
import pathlib
import poplib
import re
import signal
import smtplib
import ssl
import subprocess

import pytest

from harness import DOMAIN, Culver, example, wait_for

ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"


def deliver(c, *to, subject="test", body="Hello.\r\n"):
    with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
        return s.sendmail("ann@example.org", list(to), example(subject, body))


def inbox(c, user=BOB):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
    m.login(user, c.password(user.split("@")[0]))
    n = int(m.select(readonly=True)[1][0])
    m.logout()
    return n


def refused(c, *to, **kwargs):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as e:
        deliver(c, *to, **kwargs)
    return list(e.value.recipients.values())[0]


# ---- who gets what ----

def test_aliases_plus_addresses_catch_all(culver):
    c = culver
    c.command("alias", "add", f"both@{DOMAIN}", ALICE)
    c.command("alias", "add", f"both@{DOMAIN}", BOB)
    c.command("alias", "add", f"chain@{DOMAIN}", f"both@{DOMAIN}")
    deliver(c, f"chain@{DOMAIN}", f"BOTH@{DOMAIN.upper()}")
    assert (inbox(c, ALICE), inbox(c, BOB)) == (1, 1)
    deliver(c, f"bob+lists@{DOMAIN}")
    assert inbox(c) == 2
    assert refused(c, f"nobody@{DOMAIN}")[0] == 550
    c.command("domain", "set", "--catch-all", BOB, DOMAIN)
    deliver(c, f"nobody@{DOMAIN}")
    assert inbox(c) == 3
    r = c.command("alias", "add", f"both@{DOMAIN}", f"chain@{DOMAIN}", check=False)
    assert r.returncode != 0  # a loop
    code, text = refused(c, "somebody@elsewhere.example")
    assert code == 550 and text.startswith(b"5.7.1")


def test_quota(culver):
    c = culver
    c.command("account", "set", "--messages", "2", BOB)
    deliver(c, BOB)
    deliver(c, BOB)
    code, text = refused(c, BOB)
    assert code == 452 and text.startswith(b"4.2.2 ")
    c.command("account", "set", "--messages", "none", BOB)
    deliver(c, BOB)
    assert inbox(c) == 3


def test_services_are_switched_by_account(culver):
    c = culver
    c.command("account", "set", "--services", "imap", BOB)
    assert inbox(c) == 0
    p = poplib.POP3("127.0.0.1", c.port("pop3"))
    p.user(BOB)
    with pytest.raises(poplib.error_proto):
        p.pass_(c.password("bob"))
    p.close()
    c.command("account", "set", "--active", "no", BOB)
    with pytest.raises(imaplib.IMAP4.error):
        inbox(c)


def test_sender_must_be_the_account(culver):
    c = culver
    c.command("alias", "add", f"office@{DOMAIN}", ALICE)
    with smtplib.SMTP("127.0.0.1", c.port("submission")) as s:
        s.login(ALICE, c.password("alice"))
        s.sendmail(f"alice+x@{DOMAIN}", [BOB], example(sender=f"office@{DOMAIN}"))
        with pytest.raises(smtplib.SMTPSenderRefused) as e:
            s.sendmail(BOB, [BOB], example())
        assert e.value.smtp_code == 550
        with pytest.raises(smtplib.SMTPDataError) as e:
            s.sendmail(ALICE, [BOB], example(sender=BOB))
        assert e.value.smtp_code == 550
    assert inbox(c) == 1


def test_pop3_retention(culver):
    c = culver
    c.command("account", "set", "--retention", "keep", BOB)
    deliver(c, BOB)
    p = poplib.POP3("127.0.0.1", c.port("pop3"))
    p.user(BOB)
    p.pass_(c.password("bob"))
    p.retr(1)
    p.dele(1)
    p.quit()
    assert inbox(c) == 1
    c.command("account", "set", "--retention", "delete", BOB)
    p = poplib.POP3("127.0.0.1", c.port("pop3"))
    p.user(BOB)
    p.pass_(c.password("bob"))
    p.retr(1)
    p.quit()
    assert inbox(c) == 0


# ---- commands ----

def test_commands_running_and_stopped_agree():
    c = Culver()
    try:
        stopped = json.loads(c.command("account", "list", "--json").stdout)
        for word in ("status", "reload", "upgrade"):
            assert c.command(word, check=False).returncode == 7, word
        c.start()
        assert json.loads(c.command("account", "list", "--json").stdout) == stopped
        status = json.loads(c.command("status", "--json").stdout)
        assert status["running"] and {r["role"] for r in status["roles"]} >= {"store", "gate", "keys"}
        r = c.command("account", "add", "--password-stdin", BOB, stdin="x\n", check=False)
        assert r.returncode == 4
        assert c.command("account", "remove", "nobody@" + DOMAIN, check=False).returncode == 3
        assert c.run("account", "frobnicate", check=False).returncode == 2
        assert c.run("serve", "-c", "/nonexistent", check=False).returncode == 5
        assert c.run("serve", "-c", c.conf, check=False, timeout=20).returncode == 1  # another one runs
    finally:
        c.close()


def test_only_root_or_the_owner_may_command(culver):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    c = culver
    r = subprocess.run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", c.binary, "status",
                        "-c", str(c.conf)], capture_output=True, text=True, check=False)
    assert r.returncode not in (0, 7)


# ---- signals ----

def test_sighup_takes_a_new_certificate_and_keeps_sessions(culver):
    c = culver
    m = imaplib.IMAP4_SSL("localhost", c.port("imaps"), ssl_context=c.tls_context())
    m.login(BOB, c.password("bob"))
    old = c.certificate.read_text()
    c.certificate.unlink()
    c.run("quickstart", "--dir", c.dir, "--hostname", "new.example.test", "--domain", DOMAIN,
          "--loopback", "--offset", c.offset, check=False)
    assert c.certificate.read_text() != old
    c.process.send_signal(signal.SIGHUP)
    wait_for(lambda: c.events("reloaded"), 20)

    def new_one():
        try:
            with ssl.create_default_context(cafile=str(c.certificate)).wrap_socket(
                    c.connect("imaps"), server_hostname="new.example.test"):
                return True
        except (ssl.SSLError, OSError):
            return False
    wait_for(new_one, 5, 0.05)
    assert m.noop()[0] == "OK"
    m.logout()


def test_sighup_with_a_broken_configuration_keeps_the_old(culver):
    c = culver
    text = c.conf.read_text()
    c.conf.write_text(text + "nonsense = 1\n")
    c.process.send_signal(signal.SIGHUP)
    wait_for(lambda: c.events("reload-refused"), 5)
    deliver(c, BOB)
    c.conf.unlink()
    c.conf.mkdir()  # no file at all
    c.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "directory" in c.events("reload-refused")[-1]["why"], 5)
    deliver(c, BOB)
    c.conf.rmdir()
    c.conf.write_text(text)


def test_a_front_without_room_says_so():
    """Ten sessions fill a front; who comes then hears why."""
    with Culver(config="sessions = 10\n") as c:
        held = [c.connect(service) for service in ("smtp", "imap") for _ in range(10)]
        assert all(s.recv(1000).startswith((b"220 ", b"* OK")) for s in held)
        for service, refusal in (("smtp", b"421 4.3.2 "), ("imap", b"* BYE "), ("pop3", b"-ERR [SYS/TEMP] ")):
            with c.connect(service) as s, s.makefile("rb") as text:
                assert text.read().startswith(refusal)
        for s in held:
            s.close()

        def has_room():
            with c.connect("imap") as s:
                return s.recv(1000).startswith(b"* OK")
        wait_for(has_room, 5)


def test_sigterm_drains(culver):
    c = culver
    s = c.connect("smtp")
    s.recv(1000)
    m = c.connect("imap")
    m.recv(1000)
    c.process.send_signal(signal.SIGTERM)
    assert s.recv(1000).startswith(b"421 ")
    assert m.recv(1000).startswith(b"* BYE")
    s.close()
    m.close()
    assert c.process.wait(10) == 0


# ---- several watchers ----

def test_sessions_see_each_other_at_once(culver):
    c = culver

    def session():
        m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
        m.login(BOB, c.password("bob"))
        m.select()
        return m
    a, b = session(), session()
    deliver(c, BOB)
    a.noop()
    assert a.response("EXISTS")[1][-1] == b"1"
    b.noop()
    a.store("1", "+FLAGS", r"(\Deleted)")
    assert b.noop()[0] == "OK"
    assert b"Deleted" in b.response("FETCH")[1][-1]
    a.expunge()
    b.noop()
    assert b.response("EXPUNGE")[1][-1] == b"1"
    a.logout()
    b.logout()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_before_there_are_handlers_waits_for_them(number):
    with contextlib.closing(Culver(accounts=())) as c, open(c.dir / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        c.start(wait=False)
        wait_for_lock(c)
        c.process.send_signal(number)
        fcntl.flock(lock, fcntl.LOCK_UN)
        c.wait_ready()
        if number == signal.SIGHUP:
            wait_for(lambda: c.events("reloaded"))
        elif number == signal.SIGUSR2:
            wait_for(lambda: c.events("taken-over"))
        assert c.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_waits_for_the_lock_ends_at_once(number):
    with contextlib.closing(Culver(accounts=())) as c, open(c.dir / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        c.start(wait=False)
        wait_for_lock(c)
        assert c.stop(number, seconds=2) == -number


def wait_for_lock(c):
    """Until serve has begun: it ignores SIGPIPE, and no more than the lock is in its way."""
    status = pathlib.Path(f"/proc/{c.process.pid}/status")
    wait_for(lambda: int(re.search(r"^SigIgn:\s*(\w+)", status.read_text(encoding="utf-8"), re.M)[1], 16) >> (signal.SIGPIPE - 1) & 1)
