# SPDX-License-Identifier: Apache-2.0
"""What was sent arrives byte for byte after the lines that Culver adds, by IMAP and by POP3."""
import email
import email.policy
import imaplib
import pathlib
import poplib
import random
import re
import socket

import pytest

import make_messages
from harness import DOMAIN, Culver

HERE = pathlib.Path(__file__).parent
BOB = f"bob@{DOMAIN}"
CORPUS = HERE.parent.parent / "shared" / "corpus"


class Smtp:
    """SMTP by hand: libraries repair what they are given."""

    def __init__(self, c):
        self.s = c.connect("smtp", timeout=60)
        self.f = self.s.makefile("rb")
        self.reply()
        self.command(b"EHLO client.example")

    def reply(self):
        while True:
            line = self.f.readline()
            if line[3:4] != b"-":
                return line

    def command(self, line):
        self.s.sendall(line + b"\r\n")
        return self.reply()

    def send(self, message, binary):
        body = b" BODY=BINARYMIME" if binary else b" BODY=8BITMIME"
        assert self.command(b"MAIL FROM:<ann@example.org> SMTPUTF8" + body)[:3] == b"250"
        assert self.command(b"RCPT TO:<" + BOB.encode() + b">")[:3] == b"250"
        if binary:
            self.s.sendall(b"BDAT %d LAST\r\n" % len(message) + message)
        else:
            assert self.command(b"DATA")[:3] == b"354"
            self.s.sendall(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        answer = self.reply()
        assert answer[:3] == b"250", answer


def is_binary(message):
    """What DATA can't carry."""
    return (b"\0" in message or not message.endswith(b"\r\n")
            or re.search(rb"\r(?!\n)|(?<!\r)\n", message) is not None
            or any(len(line) > 998 for line in message.split(b"\r\n")))


def without_ours(message):
    """Less Return-Path, Delivered-To and Received, each once, in that order."""
    m = re.match(rb"Return-Path: <ann@example\.org>\r\nDelivered-To: bob@example\.test\r\n"
                 rb"Received: [^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", message)
    assert m, message[:400]
    return message[m.end():]


def imap_all(c):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
    m.login(BOB, c.password("bob"))
    count = int(m.select()[1][0])
    found = []
    for n in range(1, count + 1):
        peek = m.fetch(str(n), "(BODY.PEEK[])")[1]
        binary = m.fetch(str(n), "(BINARY.PEEK[] RFC822.SIZE)")[1]
        found.append((peek[0][1], binary[0][1], binary))
    m.logout()
    return found


def pop_all(c, count):
    s = socket.create_connection(("127.0.0.1", c.port("pop3")), 60)
    f = s.makefile("rb")
    assert f.readline().startswith(b"+OK")
    for line in (f"USER {BOB}".encode(), f"PASS {c.password('bob')}".encode()):
        s.sendall(line + b"\r\n")
        assert f.readline().startswith(b"+OK")
    for n in range(1, count + 1):
        s.sendall(b"LIST %d\r\n" % n)
        size = int(f.readline().split()[2])
        s.sendall(b"RETR %d\r\n" % n)
        assert f.readline().startswith(b"+OK")
        # Read by the size of LIST: the octets before dot-stuffing and the end.
        got = bytearray()
        at_line_start = True
        while True:
            line = f.readline()
            if at_line_start and line == b".\r\n":
                break
            if at_line_start and line.startswith(b"."):
                line = line[1:]
            got += line
            at_line_start = line.endswith(b"\r\n")
        yield size, bytes(got)
    s.close()


def pop_count(c):
    p = poplib.POP3("127.0.0.1", c.port("pop3"))
    p.user(BOB)
    p.pass_(c.password("bob"))
    count = p.stat()[0]
    p.quit()
    return count


def check(c, messages):
    smtp = Smtp(c)
    for message in messages:
        smtp.send(message, is_binary(message))
    found = imap_all(c)
    assert len(found) == len(messages)
    for message, (peek, binary, _) in zip(messages, found):
        assert without_ours(binary) == message
        assert without_ours(peek) == message.replace(b"\0", b"\x80")
    for message, (peek, binary, _), (size, got) in zip(messages, found, pop_all(c, len(messages))):
        body = got
        if not binary.endswith(b"\r\n"):
            # POP3 ends every message with CRLF (RFC 1939 3); what was not there is ours.
            assert body.endswith(b"\r\n")
            if size == len(binary):
                body = body[:-2]
        assert size in (len(binary), len(got))
        assert without_ours(body).removesuffix(b"\r\n") == message.removesuffix(b"\r\n")


def test_the_tree_holds_what_the_generator_makes():
    kept = {p.stem: p.read_bytes() for p in (HERE / "messages").glob("*.eml")}
    made = {name: text.encode() if isinstance(text, str) else text
            for name, text in make_messages.all_messages()}
    assert kept == made and len(kept) > 200


def test_messages_of_the_tree_arrive_byte_for_byte(culver):
    check(culver, [p.read_bytes() for p in sorted((HERE / "messages").glob("*.eml"))])


@pytest.fixture(name="strict", scope="module")
def strict_culver():
    with Culver(config="pop3_surrogates = true") as c:
        yield c


def test_clients_that_do_not_say_utf8_read_headers_in_ascii(strict):
    """RFC 6856 2.1, by surrogates (RFC 6857, RFC 6858); what is ASCII, and every body, is as it was sent."""
    messages = [p.read_bytes() for p in sorted((HERE / "messages").glob("utf8-*.eml"))]
    messages += [p.read_bytes() for p in sorted((HERE / "messages").glob("mime-*.eml"))]
    smtp = Smtp(strict)
    before = pop_count(strict)
    for message in messages:
        smtp.send(message, is_binary(message))
    seen = 0
    for message, (_, got) in zip(messages, list(pop_all(strict, before + len(messages)))[before:]):
        header, _, body = without_ours(got).partition(b"\r\n\r\n")
        sent, _, sent_body = message.partition(b"\r\n\r\n")
        assert header.isascii()
        if sent.isascii() and message.isascii():
            assert without_ours(got) == message
        if not sent.isascii():
            seen += 1
            assert body.removesuffix(b"\r\n") == sent_body.removesuffix(b"\r\n")
            parsed = email.message_from_bytes(got, policy=email.policy.default)
            original = email.message_from_bytes(message, policy=email.policy.SMTPUTF8)
            assert parsed["Subject"] == original["Subject"]
            assert "jürgen@example.org" in str(parsed["From"]) or parsed["From"] == original["From"]
    assert seen
    c = poplib.POP3("127.0.0.1", strict.port("pop3"))
    c.user(BOB)
    c.pass_(strict.password("bob"))
    assert all(line.isascii() for line in c.top(before + 1, 0)[1])
    c.quit()


def test_thirty_mib_arrive_byte_for_byte(culver):
    r = random.Random(1)
    line = lambda: r.randbytes(57).hex().encode()[:76] + b"\r\n"  # noqa: E731
    block = b"".join(line() for _ in range(1000))
    message = make_messages.header(r, "large").encode() + b"\r\n" + block * (30 * 1024 * 1024 // len(block))
    check(culver, [message])


@pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus beside the tree")
def test_messages_of_the_corpus_arrive_byte_for_byte(culver):
    paths = [*sorted((CORPUS / "mail-parser" / "eml").rglob("*.eml")), *sorted((CORPUS / "mime4j").rglob("*.msg"))]
    messages = [p.read_bytes() for p in paths]
    check(culver, [m for m in messages if m])
