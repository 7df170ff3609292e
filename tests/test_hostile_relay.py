# SPDX-License-Identifier: Apache-2.0
"""SMTP's bad addresses, relaying and abuse over real connections: S36 to S46, S52, S54, S55 and S57 of
the catalogue, under the standing conditions (hostile.py)."""
import concurrent.futures
import socket
import statistics
import struct
import time

import pytest

from harness import wait_for
from hostile import MAIL, RCPT, Imap, Smtp, conditions, memory


@pytest.fixture
def standing(shared):
    with conditions(shared, "front-mx") as found:
        yield found


def recipient(c, path):
    """The answer to one RCPT in a transaction of its own, over a new connection when need be."""
    assert c.say(MAIL) == 250
    code = c.say(b"RCPT TO:" + path + b"\r\n")
    c.say(b"RSET\r\n")
    return code


def each(culver, paths):
    """Path and answer, on connections that last as long as the number of errors lets them."""
    c = None
    for n, path in enumerate(paths):
        if n % 8 == 0:
            if c:
                c.close()
            c = Smtp(culver)
        yield path, recipient(c, path)
    c.close()


def test_s36_s37_what_a_shell_or_a_macro_would_take(standing):
    """Plain data, of nobody here."""
    culver, _ = standing
    locals_ = [b"a;id", b"`id`", b"${run{/bin/sh}}", b"$(id)", b"%n%n%s", b"|prog", b"/etc/passwd", b"-oQdir",
               b"--help", b"a&b", b"a>b", b"'x'", b"*", b"?", b"~root", b"#x", b"{x}"]
    paths = [b"<" + name + b"@example.test>" for name in locals_]
    paths += [b'<"' + name + b'"@example.test>' for name in locals_ + [b":include:/etc/passwd", b"a b", b"(x)"]]
    for path, code in each(culver, paths):
        assert code in (501, 550), (path, code)


def test_s38_source_routes(standing):
    """The route is taken off and used for nothing (RFC 5321 C)."""
    culver, expected = standing
    with Smtp(culver) as c:
        assert recipient(c, b"<@relay.test,@b.test:bob@example.test>") == 250
        assert recipient(c, b"<@example.test:x@elsewhere.test>") == 550
        assert recipient(c, b"<@example.test,@example.test:x@elsewhere.test>") == 550
        assert c.say(b"MAIL FROM:<@hop.test:a@other.test>\r\n" + RCPT + b"DATA\r\n") == 250
        assert [c.reply(), c.reply()] == [250, 354]
        assert c.say(b"Subject: routed\r\n\r\nx\r\n.\r\n") == 250
    expected["messages"] += 1
    with Imap(culver) as m:
        assert m.say(b"EXAMINE INBOX") == b"OK"
        text = m.ask(b"FETCH * (BODY.PEEK[HEADER])")[0][3][-1]
    assert b"Return-Path: <a@other.test>\r\n" in text and b"hop.test" not in text


RELAY_FORMS = [
    b"<user@elsewhere.test>", b"<user%elsewhere.test@example.test>", b'<"user@elsewhere.test"@example.test>',
    b'<"user%elsewhere.test"@example.test>', b"<elsewhere.test!user@example.test>",
    b"<elsewhere.test!user>", b"<user@elsewhere.test@example.test>", b"<@example.test:user@elsewhere.test>",
    b"<user@[127.0.0.1]>", b"<user@[IPv6:::1]>", b"<user@elsewhere.test.>", b"<user>", b'<"user@elsewhere.test">',
    b"<user%elsewhere.test>", b"<user@example.test.elsewhere.test>", b"<user@xn--exmple-cua.test>",
    b"<user@example.test%00.evil>", b"<user%elsewhere.test@[127.0.0.1]>", b"<user%elsewhere.test@localhost>",
    b"<user@localhost>", b"<user@mail.example.test>", b"<user@EXAMPLE.TEST.>"]


def test_s39_no_form_is_relayed(standing):
    culver, _ = standing
    for path, code in each(culver, RELAY_FORMS):
        assert code in (501, 550), (path, code)
    with Smtp(culver) as c:
        assert recipient(c, b"<BOB@EXAMPLE.TEST>") == 250


def test_s40_nobody_relays_by_what_he_says_of_himself(standing):
    culver, _ = standing
    for hello in (b"mail.example.test", b"example.test", b"localhost", b"[127.0.0.1]"):
        with Smtp(culver, hello=b"EHLO " + hello + b"\r\n") as c:
            for sender in (b"<bob@example.test>", b"<postmaster@mail.example.test>", b"<>", b"<root@localhost>"):
                assert c.say(b"MAIL FROM:" + sender + b"\r\n") == 250
                assert c.say(b"RCPT TO:<x@elsewhere.test>\r\n") == 550
                assert c.say(b"RSET\r\n") == 250
    # A PROXY header is taken from nobody: no configured neighbour, no second greeting.
    for header in (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 25\r\n",
                   b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12)):
        with Smtp(culver, hello=None) as c:
            assert c.say(header) in (500, 501, 502, 554, 0)


def test_s41_guessing_names(standing):
    """The same code and, within noise, the same time for whom there is and whom there is not with VRFY;
    RCPT must say it, so who guesses on is put off."""
    culver, _ = standing
    times = {True: [], False: []}
    for _ in range(20):
        with Smtp(culver) as c:
            assert c.say(b"EXPN staff\r\n") == 502
            for known in (True, False) * 5:
                begun = time.perf_counter()
                assert c.say(b"VRFY " + (b"bob" if known else b"bop") + b"@example.test\r\n") == 252
                times[known].append(time.perf_counter() - begun)
    with Smtp(culver) as c:  # and not for ever
        codes = [c.say(b"VRFY name%d\r\n" % n) for n in range(200)]
        assert codes[0] == 252 and 421 in codes
        medians = [statistics.median(t) for t in times.values()]
        print(f"VRFY: {medians[0] * 1e6:.0f} µs for a name that is, {medians[1] * 1e6:.0f} µs for one that is not")
    with Smtp(culver) as c:
        assert c.say(MAIL) == 250
        codes = []
        while len(codes) < 10000:
            codes.append(c.say(b"RCPT TO:<name%d@example.test>\r\n" % len(codes)))
            if codes[-1] not in (550, 452):
                break
    assert codes[-1] in (421, 0) and len(codes) <= 1100
    print(f"a connection may guess {len(codes)} names")


def test_s42_recipients_without_end(standing):
    culver, _ = standing
    with Smtp(culver) as c:
        assert c.say(MAIL) == 250
        codes = []
        while not codes or codes[-1] not in (421, 0):
            codes.append(c.say(b"RCPT TO:<bob+%d@example.test>\r\n" % len(codes)))
        taken = codes.count(250)
        assert taken >= 100 and codes[:taken] == [250] * taken and 452 in codes[taken:taken + 1]
        assert len(codes) < 10000
    print(f"{taken} recipients taken, ended after {len(codes)}")


def test_s43_the_same_recipient_often_is_one_delivery(standing):
    culver, expected = standing
    with Imap(culver) as m:
        before = int(m.ask(b"STATUS INBOX (MESSAGES)")[0][-1][1])
        with Smtp(culver) as c:
            assert c.say(MAIL) == 250
            for n in range(99):
                c.send(b"RCPT TO:<%s@example.test>\r\n" % (b"bob", b"BOB", b"bob+x")[n % 3])
                assert c.reply() == 250
            assert c.say(b"DATA\r\n") == 354 and c.say(b"Subject: once\r\n\r\nx\r\n.\r\n") == 250
        expected["messages"] += 1
        assert int(m.ask(b"STATUS INBOX (MESSAGES)")[0][-1][1]) == before + 1


def test_s44_slow_ones_do_not_hurt_others(standing):
    """300 connections that send a byte now and then, in each state; others are served as fast."""
    culver, expected = standing
    begun = time.perf_counter()
    with Smtp(culver) as c:
        c.data()
        assert c.say(b"x\r\n.\r\n") == 250
    alone = time.perf_counter() - begun
    slow = []
    try:
        for n in range(300):
            c = Smtp(culver, hello=None if n % 4 == 0 else b"EHLO x.test\r\n")
            slow.append(c)
            if n % 4 == 1:
                c.data()
            elif n % 4 == 2:
                c.envelope()
                c.send(b"BDAT 1000\r\n")
            c.send(b"E")
        worst = 0
        for _ in range(20):
            begun = time.perf_counter()
            for s in slow[::10]:
                s.send(b"x")
            with Smtp(culver) as c:
                c.data()
                assert c.say(b"x\r\n.\r\n") == 250
            worst = max(worst, time.perf_counter() - begun)
    finally:
        for c in slow:
            c.close()
    expected["messages"] += 21
    print(f"a message beside 300 slow connections: {worst * 1000:.1f} ms at worst, {alone * 1000:.1f} alone")
    assert worst < 10


def test_s45_who_never_reads(standing):
    """Replies are bounded: a sender that does not read is no longer read from."""
    culver, _ = standing
    pid = culver.roles()["front-mx"]
    before = memory(pid)
    deaf = []
    for _ in range(20):
        s = culver.connect("smtp")
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.setblocking(False)
        deaf.append(s)
        sent = 0
        try:
            s.send(b"EHLO x.test\r\n")
            while sent < 4 << 20:
                sent += s.send(b"NOOP\r\n" * 10000)
        except (BlockingIOError, ConnectionError):
            pass
    grown = memory(pid) - before
    for s in deaf:
        s.close()
    print(f"20 that never read: {grown // 1024} KiB")
    assert grown < 20 * 256 * 1024


def test_s46_resets_and_ends_in_every_state(standing):
    """Nothing is delivered, nothing is left (the standing conditions count both)."""
    culver, _ = standing
    steps = [b"", b"EH", b"EHLO x.test\r\n", MAIL, RCPT, b"DATA\r\n", b"Subject: cut\r\n\r\nhalf", b"\r\n.", b"\r"]
    chunks = [b"EHLO x.test\r\n", MAIL, RCPT, b"BDAT 100\r\n", b"Subject: cut\r\n", b"\r\n"]
    for script in (steps, chunks):
        for n in range(len(script) + 1):
            for reset in (False, True):
                for again in range(3):
                    c = Smtp(culver, hello=None)
                    for piece in script[:n]:
                        c.send(piece)
                    if again:
                        c.socket.settimeout(0.01)
                        try:
                            c.socket.recv(4096)
                        except (TimeoutError, ConnectionError):
                            pass
                    if reset:
                        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    c.close()


def test_s52_no_line_of_ours_takes_a_line_of_theirs(standing):
    """What goes into Return-Path, Delivered-To and Received cannot bring a line of its own."""
    culver, expected = standing
    evil = [b"x\rInjected: 1", b"x\nInjected: 1", b"x\0y", b"x\xc2\x85Injected: 1", b"x\xe2\x80\xa8Injected: 1"]
    for text in evil:
        with Smtp(culver, hello=None) as c:
            assert c.say(b"EHLO " + text + b"\r\n") in (500, 501, 554, 0)
        with Smtp(culver) as c:
            assert c.say(b"MAIL FROM:<\"" + text + b"\"@other.test> SMTPUTF8\r\n") in (500, 501, 553, 554, 0)
    with Smtp(culver) as c:
        assert c.say(b'MAIL FROM:<"a\\"b> Injected: 1"@other.test>\r\n') == 250
        assert c.say(RCPT) == 250 and c.say(b"DATA\r\n") == 354 and c.say(b"x: y\r\n\r\n.\r\n") == 250
    expected["messages"] += 1
    with Imap(culver) as m:
        assert m.say(b"EXAMINE INBOX") == b"OK"
        lines = m.ask(b"FETCH * (BODY.PEEK[HEADER])")[0][3][-1].split(b"\r\n")
    assert not any(line.lower().startswith(b"injected") for line in lines)
    assert lines[0] == b'Return-Path: <"a\\"b> Injected: 1"@other.test>'


def test_s54_utf8(standing):
    """Without SMTPUTF8 none; with it well-formed UTF-8 alone, equal names by NFC."""
    culver, _ = standing
    bad = [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe4\xb8", b"\xff", b"\x80", b"\xf8\x88\x80\x80\x80"]
    with Smtp(culver) as c:
        assert c.say("MAIL FROM:<jörg@other.test>\r\n".encode()) in (550, 553, 501)
        assert c.say(MAIL) == 250
        assert c.say("RCPT TO:<jörg@example.test>\r\n".encode()) in (550, 553, 501)
    for text in bad:
        with Smtp(culver) as c:
            assert c.say(b"MAIL FROM:<" + text + b"@other.test> SMTPUTF8\r\n") in (500, 501, 553)
            assert c.say(b"MAIL FROM:<a@other.test> SMTPUTF8\r\n") == 250
            assert c.say(b"RCPT TO:<x" + text + b"@example.test>\r\n") in (500, 501, 553)
            assert c.say(b"NOOP\r\n") == 250
    culver.add_account("jörg@example.test", "a secret of his")
    good = {"jörg": 250, "jo\u0308rg": 250, "jorg": 550, "jörg\u202e": 550, "j\u0430rg": 550, "jörg\u200d": 550,
            "o" + "\u0308" * 20: 550}
    with Smtp(culver) as c:
        for name, code in good.items():
            assert c.say(b"MAIL FROM:<a@other.test> SMTPUTF8\r\n") == 250
            got = c.say(f"RCPT TO:<{name}@example.test>\r\n".encode())
            assert got == code or (code == 550 and got in (501, 553)), (ascii(name), got)
            assert c.say(b"RSET\r\n") == 250


def test_s55_hellos(standing):
    culver, _ = standing
    for name in (b"x" * 65536, b"[::::]", b"[IPv6:::::]", b"a\0b", b"[127.0.0.1", b"a b", b"<x>", b"a..b", b"." * 300):
        for verb in (b"HELO ", b"EHLO "):
            with Smtp(culver, hello=None) as c:
                assert c.say(verb + name + b"\r\n") in (500, 501, 550, 554, 0), name[:20]
    for name in (b"localhost", b"mail.example.test", b"[127.0.0.1]", b"[IPv6:::1]"):
        with Smtp(culver, hello=None) as c:
            assert c.say(b"EHLO " + name + b"\r\n") == 250


def test_s57_a_proxys_commands(standing):
    culver, _ = standing
    with Smtp(culver) as c:
        for line in (b"XCLIENT ADDR=10.0.0.1 LOGIN=bob", b"XFORWARD NAME=x ADDR=10.0.0.1", b"XTEXT x", b"XEXCH50 1 2"):
            assert c.say(line + b"\r\n") in (500, 502, 550), line
        assert recipient(c, b"<x@elsewhere.test>") == 550


def test_s46_many_half_open(shared):
    """Connections that are reset at once, a thousand of them, from several threads."""
    def flood(_):
        for _ in range(125):
            s = shared.connect("smtp")
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
    with conditions(shared, "front-mx"):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(flood, range(8)))
        wait_for(lambda: Smtp(shared).say(b"NOOP\r\n") == 250)
