# SPDX-License-Identifier: Apache-2.0
"""hostile-input.md 2.14, X6: any process stands still (X6_SECONDS=30 by hand, 3 s in CI). The others
answer or wait within their limits, and all is well once it goes on. And for longer than a channel
waits: it is dropped, and another made."""
import imaplib
import os
import signal
import smtplib
import threading
import time

import pytest

from harness import DOMAIN, Culver, example, wait_for

BOB = f"bob@{DOMAIN}"
SECONDS = float(os.environ.get("X6_SECONDS", "3"))


def greeting(c, service, timeout=5):
    with c.connect(service, timeout=timeout) as s:
        return s.recv(200)


def delivers(c):
    try:
        with smtplib.SMTP("127.0.0.1", c.port("smtp"), timeout=20) as s:
            return s.sendmail("ann@example.org", [BOB], example()) == {}
    except (OSError, smtplib.SMTPException):
        return False


def logs_in(c):
    try:
        m = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=20)
        m.login(BOB, c.password("bob"))
        m.select(readonly=True)
        m.logout()
        return True
    except (OSError, imaplib.IMAP4.error):
        return False


@pytest.mark.parametrize("role", ["store", "gate", "keys", "courier", "front-mx", "front-user"])
def test_x6_a_process_that_stands_still(role):
    with Culver() as c:
        pids = c.roles()
        os.kill(pids[role], signal.SIGSTOP)
        begun = time.monotonic()
        try:
            if role != "front-mx":
                assert greeting(c, "smtp").startswith(b"220 ")
            if role != "front-user":
                assert greeting(c, "imap").startswith(b"* OK") and greeting(c, "pop3").startswith(b"+OK")
            if role in ("keys", "courier"):
                assert delivers(c) and logs_in(c)
            if role == "front-user":
                assert delivers(c)
            if role == "front-mx":
                assert logs_in(c)
            time.sleep(max(0.0, SECONDS - (time.monotonic() - begun)))
        finally:
            os.kill(pids[role], signal.SIGCONT)
        begun = time.monotonic()
        wait_for(lambda: delivers(c) and logs_in(c), 30, 0.05)
        print(f"\n{role} stopped for {SECONDS:.0f} s: all well {time.monotonic() - begun:.2f} s after it went on")
        if SECONDS < 20:  # nobody was given up for it
            assert c.roles()[role] == pids[role]


STALL_S = 30  # LIMIT_CHANNEL_STALL_MS


def keeps_busy(c, stop):
    """Large messages both ways, so that there is always something under way between front and store."""
    large = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 62 * 1024 * 8
    while not stop.is_set():
        try:
            m = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=120)
            m.login(BOB, c.password("bob"))
            m.append("INBOX", None, None, large)
            m.select()
            while not stop.is_set():
                m.append("INBOX", None, None, large)
                m.fetch("1", "(BODY.PEEK[])")
        except (OSError, imaplib.IMAP4.error):
            stop.wait(0.2)


def begins_upload(c, size):
    """A session that has sent the first half of a message, and what it has still to send. Once the store
    stands still the front runs out of credit for the rest, whatever else is under way."""
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=120)
    m.login(BOB, c.password("bob"))
    m.send(b"x APPEND INBOX {%d+}\r\n" % size + bytes(b"x") * (size // 2))
    return m, b"x" * (size - size // 2) + b"\r\n"


def goes_on(m, rest):
    try:
        m.send(rest)
        m.readline()
    except (OSError, imaplib.IMAP4.error):
        pass  # the server is stopped at the end


def session_answers(m):
    try:
        return m.noop()[0] == "OK" and m.status("INBOX", "(MESSAGES)")[0] == "OK"
    except imaplib.IMAP4.error:
        return False


def test_x6_a_channel_that_was_dropped_is_replaced():
    """The store, and in another server a front, stand still for longer than the others wait with what
    is under way. No process ends for it, and a session of before goes on."""
    servers = {role: Culver(config="log_level = \"debug\"") for role in ("store", "front-user")}
    stop = threading.Event()
    busy = []
    try:
        for c in servers.values():
            c.start()
        sessions = {}
        pids = {role: c.roles() for role, c in servers.items()}
        for role, c in servers.items():
            sessions[role] = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=60)
            sessions[role].login(BOB, c.password("bob"))
            assert session_answers(sessions[role])
            busy += [threading.Thread(target=keeps_busy, args=(c, stop)) for _ in range(3)]
        for t in busy:
            t.start()
        upload, rest = begins_upload(servers["store"], 8 * 1024 * 1024)
        time.sleep(2)
        for role, c in servers.items():
            os.kill(pids[role][role], signal.SIGSTOP)
        busy.append(threading.Thread(target=goes_on, args=(upload, rest)))
        busy[-1].start()
        try:
            time.sleep(STALL_S)
            wait_for(lambda: "event=channel-replaced" in servers["store"].log_text(), 10)
        finally:
            for role in servers:
                os.kill(pids[role][role], signal.SIGCONT)
        stop.set()
        begun = time.monotonic()
        for role, c in servers.items():
            wait_for(lambda: delivers(c) and logs_in(c) and session_answers(sessions[role]), 30, 0.05)
            print(f"\n{role} stopped for {STALL_S} s: all well {time.monotonic() - begun:.2f} s after it went on")
            assert c.roles() == pids[role]
    finally:
        stop.set()
        for c in servers.values():
            c.stop()
        for t in busy:
            t.join(120)
