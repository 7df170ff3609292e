# SPDX-License-Identifier: Apache-2.0
"""A8: whoever is logged in when the login ends is cut within five seconds, busy or idle, and told in
the protocol's own words."""
import base64
import contextlib
import re
import socket
import threading
import time

import pytest

from harness import DOMAIN, PASSWORDS, ROOT, wait_for
from hostile import Connection, Imap, Pop3, deliver

MOST_S = 5.0
BOB = f"bob@{DOMAIN}"
NEW = "another secret of bob's"


class Submission(Connection):
    def __init__(self, culver, user="bob", password=None):
        super().__init__(culver, "submission")
        self.say(None, b"220")
        self.say(b"EHLO client.example", b"250")
        word = f"\0{user}@{DOMAIN}\0{password or culver.password(user)}".encode()
        self.say(b"AUTH PLAIN " + base64.b64encode(word), b"235")

    def say(self, command, code):
        if command is not None:
            self.send(command + b"\r\n")
        while (line := self.line())[3:4] == b"-":
            pass
        assert line[:3] == code, line

    def data(self):
        self.say(f"MAIL FROM:<{BOB}>".encode(), b"250")
        self.say(f"RCPT TO:<{BOB}>".encode(), b"250")
        self.say(b"DATA", b"354")
        self.send(f"From: {BOB}\r\nSubject: half\r\n\r\nhalf a mess".encode())


def idle(culver):
    c = Imap(culver)
    assert c.say(b"SELECT INBOX") == b"OK"
    c.send(b"y IDLE\r\n")
    assert c.line().startswith(b"+ ")
    return c


def literal(culver):
    """In the middle of an APPEND."""
    c = Imap(culver)
    c.send(b"y APPEND INBOX {100}\r\n")
    assert c.line().startswith(b"+ ")
    c.send(b"Subject: half")
    return c


def marked(culver):
    c = Pop3(culver)
    assert c.say(b"DELE 1")
    return c


def mid_data(culver):
    c = Submission(culver)
    c.data()
    return c


def deaf(culver):
    """Asks for more than fits, and reads nothing of it."""
    c = Imap(culver, user=None)
    c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert c.say(f'LOGIN {BOB} "{culver.password("bob")}"'.encode()) == b"OK"
    assert c.say(b"SELECT INBOX") == b"OK"
    c.send(b"y FETCH 1 BODY[]\r\n" * 50)
    return c


# what, how it begins, what it hears last (None: nothing, the connection ends)
SESSIONS = (("imap", Imap, b"* BYE "), ("imap-idle", idle, b"* BYE "), ("imap-append", literal, b"* BYE "),
            ("pop3", marked, None), ("submission", Submission, b"421 "), ("submission-data", mid_data, b"421 "))


def last_words(c, began, found, name):
    said = b""
    with contextlib.suppress(ConnectionError):
        while (got := c.socket.recv(65536)):
            said += got
    found[name] = (time.monotonic() - began, c.kept[c.at:] + said)


def until_cut(sessions, act):
    """Seconds until each session's connection has ended, and its last words."""
    found = {}
    began = time.monotonic()
    readers = [threading.Thread(target=last_words, args=(c, began, found, name)) for name, c in sessions.items()]
    for reader in readers:
        reader.start()
    act()
    acted = time.monotonic() - began
    for reader in readers:
        reader.join(20)
    return {name: (at - acted, said) for name, (at, said) in found.items()}


def set_password(culver):
    culver.command("account", "password", "--password-stdin", BOB, stdin=NEW + "\n")


ENDS = {"password": set_password,
        "inactive": lambda c: c.command("account", "set", "--active", "no", BOB),
        "service": lambda c: c.command("account", "set", "--services", "none", BOB),
        "removed": lambda c: c.command("account", "remove", BOB)}


@pytest.mark.parametrize("how", ENDS)
def test_a8_live_sessions_are_cut(culver, how):
    deliver(culver)
    sessions = {name: begin(culver) for name, begin, _ in SESSIONS}
    with Imap(culver, user="alice") as other:
        cut = until_cut(sessions, lambda: ENDS[how](culver))
        print({name: f"{at * 1000:.0f} ms" for name, (at, _) in cut.items()})
        for name, _, words in SESSIONS:
            at, said = cut[name]
            assert at < MOST_S, (name, at)
            last = said.rstrip(b"\r\n").split(b"\n")[-1]
            assert last.startswith(words) if words else said == b"", (name, said)
        assert other.say(b"NOOP") == b"OK"  # nobody else is
    if how == "password":
        # Nothing was deleted or half delivered.
        with contextlib.ExitStack() as stack:
            stack.callback(PASSWORDS.__setitem__, "bob", PASSWORDS["bob"])
            PASSWORDS["bob"] = NEW
            with Pop3(culver) as c:
                assert c.say(b"STAT") and c.text.startswith(b"+OK 1 ")


def test_a8_a_client_that_does_not_listen(culver):
    """It is not waited for: the connection ends within the time all the same."""
    with Imap(culver) as c:
        c.send(b"x APPEND INBOX {4000000}\r\n")
        assert c.line().startswith(b"+ ")
        c.send((b"x" * 998 + b"\r\n") * 4000 + b"\r\n")
        assert c.answer() == b"OK"
    c = deaf(culver)
    port = c.socket.getsockname()[1]
    time.sleep(0.2)
    began = time.monotonic()
    set_password(culver)
    wait_for(lambda: not connected(culver.port("imap"), port), 20, every=0.05)
    took = time.monotonic() - began
    print(f"deaf: {took * 1000:.0f} ms")
    assert limit("LIMIT_CUT_MS") <= took * 1000 < MOST_S * 1000
    c.close()


def limit(name):
    """A number of src/base/limits.h."""
    text = (ROOT / "src" / "base" / "limits.h").read_text(encoding="utf-8")
    return int(re.search(rf"#define {name}\s+(\d+)", text)[1])


def connected(server, client):
    """Whether the server's end of a connection is established."""
    ends = f"0100007F:{server:04X} 0100007F:{client:04X} 01"
    with open("/proc/net/tcp", encoding="ascii") as f:
        return any(ends in line for line in f)


def test_a8_tickets_end(culver):
    """What a front still holds of the old login opens nothing, after a restart of the store too."""
    with Imap(culver) as c:
        assert c.say(b"SELECT INBOX") == b"OK"
        culver.kill_role("store")
        wait_for(lambda: any(e["role"] == "store" for e in culver.events("role-back")))
        set_password(culver)
        began = time.monotonic()
        c.send(b"x NOOP\r\nx NOOP\r\nx NOOP\r\n")
        assert c.goodbye() and time.monotonic() - began < MOST_S
