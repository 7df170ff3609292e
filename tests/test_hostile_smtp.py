# SPDX-License-Identifier: Apache-2.0
"""SMTP's bad input over real connections: what src/smtp/session_test.c shows of a session, shown of
a server. Names carry the numbers of the catalogue, and the standing conditions hold for every test
(hostile.py)."""
import itertools
import os
import random
import socket
import ssl

import pytest

from hostile import MAIL, RCPT, Smtp, conditions


@pytest.fixture
def standing(shared):
    with conditions(shared, "front-mx") as found:
        yield found


ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r.\n", b"\n.\r", b"\r\n\0.\r\n",
        b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\n\x00.\r\n", b"\r\n.\r\x00"]


def test_s1_to_s7_no_other_end_of_data(standing):
    culver, _ = standing
    for end in ENDS:
        for pieces in (1, 2):
            with Smtp(culver) as c:
                c.data()
                c.send(b"Subject: x\r\n\r\nx" + end[:pieces])
                assert c.say(end[pieces:] + MAIL + RCPT + b"DATA\r\nSubject: smuggled\r\n.\r\n") == 554
                assert c.closed()


def test_s8_short_strings(standing):
    """2,000 of the 97,656 strings, in one or two segments: CRLF.CRLF alone ends a message."""
    culver, expected = standing
    chosen = random.Random(8)
    strings = [b"".join(s) for n in range(8)
               for s in itertools.product((b"\r", b"\n", b".", b"\0", b"x"), repeat=n)]
    assert len(strings) == 97656
    likely = [s for s in strings if b"\r\n.\r\n" in b"\r\n" + s]
    c = None
    for text in chosen.sample(strings, 1700) + chosen.sample(likely, 300):
        c = c or Smtp(culver)
        c.data()
        split = chosen.randrange(len(text) + 1)
        c.send(b"line\r\n" + text[:split])
        c.send(text[split:])
        at = (b"\r\n" + text).find(b"\r\n.\r\n")
        before = (b"\r\n" + text)[:at + 2]
        clean = at >= 0 and b"\0" not in before and \
            b"\r" not in before.replace(b"\r\n", b"") and b"\n" not in before.replace(b"\r\n", b"")
        if clean:
            assert c.reply() == 250, text
            expected["messages"] += 1
            if at + 3 == len(text):
                continue  # nothing is left over: the connection is as new
        elif at >= 0 or bare(text):
            assert c.reply() == 554, text
        c.close()
        c = None
    if c:
        c.close()


def bare(text):
    """Whether the server can know already that the text breaks the rules."""
    rest = text.replace(b"\r\n", b"")
    return b"\0" in rest or b"\n" in rest or b"\r" in rest[:-1] or \
        (b"\r" in rest and not text.endswith(b"\r"))


def test_s11_end_of_input_is_no_end_of_data(standing):
    culver, _ = standing
    for text in (b"", b"x", b"x\r\n", b"x\r\n.", b"x\r\n.\r"):
        with Smtp(culver) as c:
            c.data()
            c.send(text)
            c.socket.shutdown(socket.SHUT_WR)
            assert c.closed()


def test_s13_bare_line_ends_in_commands(standing):
    culver, _ = standing
    for line in (b"NOOP\nNOOP\r\n", b"NOOP\rNOOP\r\n", MAIL[:-2] + b"\n" + RCPT):
        with Smtp(culver) as c:
            assert c.say(line) == 500
            assert c.closed()


def starttls(c):
    assert c.say(b"STARTTLS\r\n") == 220
    c.socket = c.culver.tls_context().wrap_socket(c.socket, server_hostname="localhost")


def test_s15_plaintext_behind_starttls(standing):
    culver, _ = standing
    with Smtp(culver) as c:
        c.send(b"STARTTLS\r\nRSET\r\n" + MAIL + RCPT)
        assert c.reply() == 554 and c.closed()
    with Smtp(culver) as c:
        starttls(c)
        assert c.say(RCPT) == 503  # nothing is left of before
        assert c.say(b"EHLO x\r\n") == 250


def test_s19_the_end_of_tls_is_the_end(standing):
    """close_notify within a chunk, then clear bytes on the same connection (CVE-2026-45185)."""
    culver, _ = standing
    with Smtp(culver) as c:
        starttls(c)
        assert c.say(b"EHLO x\r\n") == 250
        c.envelope()
        c.send(b"BDAT 100 LAST\r\nbegun")
        clear = socket.socket(fileno=os.dup(c.socket.fileno()))
        clear.settimeout(10)
        c.socket.settimeout(1)
        try:
            c.socket.unwrap()
        except (OSError, ssl.SSLError, ValueError):
            pass
        try:
            clear.sendall(b"x" * 95 + b"NOOP\r\n")
            while got := clear.recv(65536):
                assert b"250" not in got
        except ConnectionError:
            pass
        clear.close()


def test_s20_s21_improper_groups(standing):
    culver, _ = standing
    with Smtp(culver, hello=b"") as c:
        assert c.say(b"EHLO x\r\n" + MAIL + RCPT) == 554 and c.closed()
    with Smtp(culver, hello=b"") as c:
        assert c.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == 0  # T4: cut off without a word
    with Smtp(culver) as c:
        c.envelope()
        assert c.say(b"DATA\r\nSubject: x\r\n\r\n.\r\n") == 554 and c.closed()


def test_s22_to_s28_chunks(standing):
    culver, expected = standing
    with Smtp(culver) as c:
        c.envelope()
        assert c.say(b"BDAT 3\r\na\nb") == 554
        assert c.say(b"DATA\r\n") == 503
        assert c.say(b"BDAT 5 LAST\r\nNOOP\n") == 503
        c.envelope()
        assert c.say(b"BDAT 2\r\nx\r") == 250
        assert c.say(b"BDAT 1 LAST\r\n\n") == 250
        expected["messages"] += 1
        assert c.say(b"BDAT 2 LAST\r\nxx") == 503
    for size in (b"-1", b"+1", b"0x1", b"007", b"99999999999999999999", b"", b"LAST"):
        with Smtp(culver) as c:
            c.envelope()
            assert c.say(b"BDAT " + size + b"\r\n") == 501 and c.closed()


def test_s30_sizes(standing):
    culver, _ = standing
    with Smtp(culver) as c:
        assert c.say(b"MAIL FROM:<a@other.test> SIZE=18446744073709551616\r\n") == 552
        assert c.say(b"MAIL FROM:<a@other.test> SIZE=99999999999\r\n") == 552
        c.envelope()
        assert c.say(b"BDAT 99999999999\r\n") == 552 and c.closed()


def test_s32_s33_lines_and_controls(standing):
    culver, _ = standing
    with Smtp(culver) as c:
        c.send(b"x" * (10 << 20))
        assert c.reply() in (500, 0)
    with Smtp(culver) as c:
        for byte in (0, 1, 9, 0x1f, 0x7f, 0x80, 0xff):
            assert c.say(b"NO" + bytes([byte]) + b"OP\r\n") == 500
        assert c.say(b"NOOP " + b"x" * 4000 + b"\r\n") == 500
        assert c.say(b"NOOP\r\n") == 250


def test_s34_s35_paths(standing):
    culver, _ = standing
    longer = [b"<" + b"l" * 65 + b"@x>", b"<a@" + b"d" * 64 + b">", b"<a@" + b"d." * 128 + b"d>",
              b'<"' + b"\\" * 1500]
    with Smtp(culver) as c:
        for path in [b"<@>", b"<a@>", b"<@a>", b"<a@b@c>", b'<"">@x', b"< a@b>", b"a@b", b"<<a@b>>",
                     b'<"a@b>', b"<a@b\\"] + longer:
            assert c.say(b"MAIL FROM:" + path + b"\r\n") == 501, path
