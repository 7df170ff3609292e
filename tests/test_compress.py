# SPDX-License-Identifier: Apache-2.0
"""COMPRESS=DEFLATE (RFC 4978) against a live server, with Python's zlib as the client: over TLS and without, with
pipelined commands and a literal, a message that does not compress, a bomb, and bytes that are no DEFLATE."""
import os
import re
import socket
import ssl
import zlib

import pytest

from harness import PASSWORDS, Culver


class Client:
    def __init__(self, culver, tls):
        self.s = socket.create_connection(("127.0.0.1", culver.port("imaps" if tls else "imap")), timeout=30)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.s = context.wrap_socket(self.s)
        self.got, self.packer, self.unpacker = b"", None, None
        self.until(rb"^\* OK [^\r]*\r\n")

    def send(self, data):
        if self.packer:
            data = self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        self.s.sendall(data)

    def until(self, pattern):
        while not (m := re.search(pattern, self.got, re.M | re.S)):
            data = self.s.recv(65536)
            if not data:
                raise EOFError(self.got)
            self.got += self.unpacker.decompress(data) if self.unpacker else data
        answer, self.got = self.got[:m.end()], self.got[m.end():]
        return answer

    def say(self, tag, line):
        self.send(tag + b" " + line + b"\r\n")
        return self.until(rb"^" + tag + rb" [^\r]*\r\n")

    def login(self):
        assert b"a OK" in self.say(b"a", b'LOGIN alice@example.test "%s"' % PASSWORDS["alice"].encode())

    def compress(self):
        assert b"c OK DEFLATE active\r\n" in self.say(b"c", b"COMPRESS DEFLATE")
        assert self.got == b""
        self.packer, self.unpacker = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)


@pytest.fixture(scope="module")
def culver():
    with Culver() as c:
        yield c


@pytest.mark.parametrize("tls", [True, False])
def test_compressed(culver, tls):
    c = Client(culver, tls)
    c.login()
    c.compress()
    noise = os.urandom(300000).replace(b"\0", b"x").replace(b"\r", b"y").replace(b"\n", b"z")
    c.send(b"d APPEND INBOX {%d+}\r\n" % len(noise) + noise + b"\r\ne NOOP\r\nf SELECT INBOX\r\n")
    got = c.until(rb"^f OK [^\r]*\r\n")
    assert re.search(rb"d OK \[APPENDUID \d+ \d+\].*\r\ne OK", got, re.S)
    got = c.say(b"g", b"FETCH * BODY.PEEK[]")
    assert noise in got
    assert b"BAD [COMPRESSIONACTIVE]" in c.say(b"h", b"COMPRESS DEFLATE")
    assert b"* BYE" in c.say(b"i", b"LOGOUT")


def test_bytes_behind_the_command(culver):
    """What comes in one segment behind COMPRESS is compressed already (a client that does not wait)."""
    c = Client(culver, False)
    c.login()
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    c.s.sendall(b"c COMPRESS DEFLATE\r\n" + packer.compress(b"d NOOP\r\n") + packer.flush(zlib.Z_SYNC_FLUSH))
    c.until(rb"^c OK[^\r]*\r\n")
    c.unpacker = zlib.decompressobj(-15)
    c.got = c.unpacker.decompress(c.got)
    assert b"d OK" in c.until(rb"^d [^\r]*\r\n")


def test_who_says_no_more_is_let_go(culver):
    """COMPRESS and the end of TLS in one segment: the end is seen before the answer is sent. The connection ends then,
    not half an hour later."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s = socket.create_connection(("127.0.0.1", culver.port("imaps")), timeout=10)
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    t = context.wrap_bio(heard, said)

    def until(what):
        while True:
            try:
                return what()
            except ssl.SSLWantReadError:
                if said.pending:
                    s.sendall(said.read())
                data = s.recv(65536)
                if not data:
                    raise EOFError
                heard.write(data)

    def answer(end):
        got = b""
        while end not in got:
            got += until(lambda: t.read(65536))

    until(t.do_handshake)
    answer(b"is ready\r\n")
    t.write(b'a LOGIN alice@example.test "%s"\r\n' % PASSWORDS["alice"].encode())
    answer(b"a OK")
    t.write(b"b NOOP\r\nc COMPRESS DEFLATE\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        t.unwrap()
    s.sendall(said.read())
    got = b""
    while data := s.recv(65536):
        got += data
    assert got


def test_a_bomb_is_only_much_input(culver):
    """100 MB of one long line are 100 KB compressed: a command that is too long, and no memory."""
    c = Client(culver, False)
    c.login()
    c.compress()
    c.send(b"d NOOP " + b"x" * 100_000_000 + b"\r\ne NOOP\r\n")
    try:
        assert re.search(rb"d BAD|\* BYE", c.until(rb"^(d BAD|\* BYE) [^\r]*\r\n"))
    except (EOFError, ConnectionError):
        pass
    other = Client(culver, False)
    other.login()
    assert b"z OK" in other.say(b"z", b"NOOP")


def test_no_deflate_is_the_end(culver):
    c = Client(culver, False)
    c.login()
    c.compress()
    c.packer = None
    c.send(b"d NOOP\r\n" * 10)
    with pytest.raises((EOFError, ConnectionError)):
        c.until(rb"^d OK [^\r]*\r\n")
