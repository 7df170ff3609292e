# SPDX-License-Identifier: Apache-2.0
"""hostile-input.md 2.14, X6: any process stands still (X6_SECONDS=30 by hand, 3 s in CI). The others
answer or wait within their limits, and all is well once it goes on."""
import imaplib
import os
import signal
import smtplib
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
