# SPDX-License-Identifier: Apache-2.0
"""A load whose acknowledgements are remembered: what was told 250, +OK or OK must be there, whole and
once, whatever happened since."""
import collections
import hashlib
import imaplib
import random
import re
import socket
import threading

from harness import DOMAIN

BOB = f"bob@{DOMAIN}"


def message(key, r):
    body = r.randbytes(r.choice((100, 3000, 20000))).hex()
    text = "\r\n".join(body[i:i + 76] for i in range(0, len(body), 76)) + "\r\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"From: <ann@example.org>\r\nSubject: {key}\r\nX-Digest: {digest}\r\n\r\n{text}".encode()


class Sender(threading.Thread):
    """Sends by SMTP until told to stop; connects again whenever the connection breaks."""

    def __init__(self, c, name, number, stop):
        super().__init__(daemon=True)
        self.c, self.name, self.number, self.stop = c, name, number, stop
        self.acknowledged, self.unknown, self.tried = [], set(), 0
        self.random = random.Random(number)

    def run(self):
        while not self.stop.is_set():
            try:
                with self.c.connect("smtp", timeout=5) as s:
                    self.talk(s, s.makefile("rb"))
            except OSError:
                self.stop.wait(0.01)

    def expect(self, f, code):
        line = b"   -"
        while line[3:4] == b"-":
            line = f.readline()
        if not line.startswith(code):
            raise OSError(f"expected {code}: {line}")

    def talk(self, s, f):
        self.expect(f, b"220")
        s.sendall(b"EHLO load\r\n")
        self.expect(f, b"250")
        while not self.stop.is_set():
            self.tried += 1
            key = f"{self.name}-{self.number}-{self.tried}"
            s.sendall(b"MAIL FROM:<ann@example.org>\r\nRCPT TO:<" + BOB.encode() + b">\r\nDATA\r\n")
            for code in (b"250", b"250", b"354"):
                self.expect(f, code)
            self.unknown.add(key)  # from here on it may arrive without our knowing
            s.sendall(message(key, self.random) + b".\r\n")
            line = f.readline()
            if line[:1] in (b"2", b"5"):  # these settle it; 4xx says that we don't know
                self.unknown.discard(key)
            if not line.startswith(b"250"):
                raise OSError(f"not accepted: {line}")
            self.acknowledged.append(key)


class Load:
    """Several senders at once. name: what its messages' keys begin with."""

    def __init__(self, c, senders=8, name="m"):
        self.stop_event = threading.Event()
        self.senders = [Sender(c, name, n, self.stop_event) for n in range(senders)]

    def __enter__(self):
        for s in self.senders:
            s.start()
        return self

    def __exit__(self, *exc):
        self.stop_event.set()
        for s in self.senders:
            s.join(15)

    def count(self):
        return sum(len(s.acknowledged) for s in self.senders)

    def acknowledged(self):
        return {k for s in self.senders for k in s.acknowledged}

    def unknown(self):
        return {k for s in self.senders for k in s.unknown}

    def keep_only(self, keys):
        """Of what was acknowledged, all but these is no longer sure to be there."""
        for s in self.senders:
            s.unknown |= set(s.acknowledged) - keys
            s.acknowledged = [k for k in s.acknowledged if k in keys]


def stored(c):
    """Key -> how often, of every message in bob's INBOX; each is checked against its digest. UIDs
    must be unique and rising."""
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=60)
    m.login(BOB, c.password("bob"))
    count = int(m.select(readonly=True)[1][0])
    found = collections.Counter()
    last_uid = 0
    for first in range(1, count + 1, 200):
        _, data = m.fetch(f"{first}:{min(first + 199, count)}", "(UID BODY.PEEK[])")
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0])[1])
            assert uid > last_uid, "UIDs must rise"
            last_uid = uid
            head, _, body = item[1].partition(b"\r\n\r\n")
            digest = re.search(rb"X-Digest: (\S+)", head)[1].decode()
            key = re.search(rb"Subject: (\S+)", head)[1].decode()
            assert hashlib.sha256(body).hexdigest() == digest, f"{key} is torn"
            found[key] += 1
    m.logout()
    return found


def check(loads, found):
    """Nothing that was acknowledged is missing or doubled; what is there besides was on its way."""
    loads = loads if isinstance(loads, list) else [loads]
    acknowledged = {k for load in loads for k in load.acknowledged()}
    unknown = {k for load in loads for k in load.unknown()}
    lost = acknowledged - set(found)
    doubled = {k for k, n in found.items() if n > 1}
    strange = set(found) - acknowledged - unknown
    assert not lost, f"{len(lost)} of {len(acknowledged)} lost: {sorted(lost)[:5]}"
    assert not doubled, f"doubled: {sorted(doubled)[:5]}"
    assert not strange, f"refused, yet there: {sorted(strange)[:5]}"
