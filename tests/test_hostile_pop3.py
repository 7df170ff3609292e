# SPDX-License-Identifier: Apache-2.0
"""POP3's bad input over real connections: what src/pop3/dialogue_test.c shows of a session, shown of
a server. Names carry the numbers of the catalogue, and the standing conditions hold for every test
(hostile.py)."""
import socket
import time

import pytest

from harness import DOMAIN, Culver, wait_for
from hostile import MIB, Imap, Pop3, Smtp, conditions, read_clean

BODY = b"Subject: x\r\n\r\n.\r\n..x\r\n...\r\nlast\r\n"


@pytest.fixture
def standing(shared):
    with conditions(shared, "front-user", clean=read_clean) as found:
        yield found


def test_p1_long_lines(standing):
    culver, _ = standing
    for verb in (b"USER ", b"PASS ", b"", b"AUTH PLAIN ", b"USER\0"):
        with Pop3(culver, user=None) as c:
            c.send(verb + b"x" * MIB + b"\r\n")
            assert not c.ok() and c.closed()
    with Pop3(culver, user=None) as c:
        assert c.say(b"USER " + b"x" * 4000) is False
        assert c.say(b"PASS x") is False  # without USER
        assert c.say(b"CAPA")


def test_p1_guesses_wait_for_each_other(standing):
    """Pipelined wrong passwords: each answer is later than the one before."""
    culver, _ = standing
    with Pop3(culver, user=None) as c:
        began = time.monotonic()
        c.send(f"USER alice@{DOMAIN}\r\nPASS wrong\r\n".encode() * 50)
        assert c.ok() and c.ok() is False
        assert time.monotonic() - began > 0.9
        assert c.ok() and c.ok() is False
        assert time.monotonic() - began > 2.9
    with Pop3(culver, user="alice") as c:
        assert c.say(b"STAT")


def test_p2_numbers(standing):
    culver, _ = standing
    with Pop3(culver) as c:
        for command in (b"RETR 0", b"RETR -1", b"RETR 1x", b"RETR", b"RETR 1 2", b"LIST 99999999999", b"DELE 0",
                        b"LIST 99999999999999999999999", b"TOP 1", b"TOP 1 -1", b"TOP 99999 1", b"UIDL 0",
                        b"TOP 1 18446744073709551616", b"RETR +1", b"RETR 0x1"):
            assert c.say(command) is False, command
        whole = c.lines(b"RETR 1")
        assert c.lines(b"TOP 1 4294967295") == whole


def test_p2_marks(standing):
    culver, _ = standing
    with Pop3(culver) as c:
        assert c.say(b"DELE 1") and c.say(b"DELE 1") is False
        assert c.say(b"RETR 1") is False and c.say(b"RSET")
        for _ in range(10):
            c.send(b"DELE 1\r\nRSET\r\n" * 500)
            assert all([c.ok() for _ in range(1000)])
        assert c.lines(b"LIST") and c.say(b"QUIT")


def test_p2_refusals_have_an_end(standing):
    culver, _ = standing
    with Pop3(culver) as c:
        c.send(b"RETR 0\r\n" * 1000)
        assert c.closed()


def test_p3_octets(standing):
    culver, expected = standing
    with Smtp(culver) as c:
        for message in (BODY, BODY + b"no end", BODY + b".", b"Subject: x\r\n\r\na\rb\nc\r\n", b"Subject: x\r\n\r\n\n.\n\r.\r",
                        b".\r\n", b"Subject: only headers"):
            assert c.chunk(message) == 250
            expected["messages"] += 1
            with Pop3(culver) as p:
                number = int(p.text.split()[3])
                assert p.say(b"LIST %d" % number)
                size = int(p.text.split()[2])
                got = b"\r\n".join(p.lines(b"RETR %d" % number)) + b"\r\n"
                got = got.replace(b"\n..\n", b"\n.\n")  # a dot between bare LFs is stuffed too
                assert len(got) in (size, size + 2), message
                assert got.removesuffix(b"\r\n").endswith(message.removesuffix(b"\r\n"))


def test_p4_names_of_messages(standing):
    culver, _ = standing
    found = []
    for _ in range(2):
        with Pop3(culver) as c:
            found.append(c.lines(b"UIDL"))
            assert c.say(b"QUIT")
    ids = [line.split(b" ") for line in found[0]]
    assert found[0] == found[1] and len({i for _, i in ids}) == len(ids)
    assert all(len(i) <= 70 and all(0x21 <= b <= 0x7e for b in i) for _, i in ids)


def test_p4_names_stay_over_a_restart(culver):
    with Smtp(culver) as c:
        for _ in range(20):
            assert c.chunk(BODY) == 250
    with Pop3(culver) as c:
        before = c.lines(b"UIDL")
    culver.restart()
    with Pop3(culver) as c:
        assert c.lines(b"UIDL") == before and len(before) == 20


def count(culver):
    with Imap(culver) as c:
        assert c.say(b"EXAMINE INBOX") == b"OK"
        return next(int(r[0].split()[1]) for r in c.untagged if r[0].endswith(b" EXISTS"))


def test_p5_without_quit_nothing_goes(standing):
    culver, _ = standing
    before = count(culver)
    for end in (lambda c: None, lambda c: c.send(b"QUI"), lambda c: c.send(b"QUIT"),
                lambda c: c.socket.shutdown(socket.SHUT_WR)):
        with Pop3(culver) as c:
            assert c.say(b"DELE 1")
            end(c)
        assert count(culver) == before


def test_p5_a_cut_in_update(standing):
    """Who leaves with QUIT and reads no answer: all of the marked go, or none."""
    culver, expected = standing
    with Smtp(culver) as c:
        for _ in range(20):
            assert c.chunk(BODY) == 250
            expected["messages"] += 1
    before = count(culver)
    with Pop3(culver) as c:
        c.send(b"".join(b"DELE %d\r\n" % n for n in range(1, 11)) + b"QUIT\r\n")
    wait_for(lambda: unlocked(culver))
    assert count(culver) in (before, before - 10)


def unlocked(culver):
    with Pop3(culver, user=None) as c:
        return log_in(c, culver)


def mark_and_expunge(culver, sequence):
    with Imap(culver) as c:
        assert c.say(b"SELECT INBOX") == b"OK"
        assert c.say(b"STORE " + sequence + rb" +FLAGS (\Deleted)") == b"OK"
        assert c.say(b"EXPUNGE") == b"OK"


def log_in(c, culver, user="bob"):
    return c.say(f"USER {user}@{DOMAIN}".encode()) and c.say(f"PASS {culver.password(user)}".encode())


def test_p6_two_sessions(standing):
    """The second is told [IN-USE], and is let in when the first has gone, however it goes."""
    culver, _ = standing
    for end in (lambda c: c.say(b"QUIT"), lambda c: c.close(), lambda c: c.send(b"QUI")):
        with Pop3(culver) as first, Pop3(culver, user=None) as second:
            for _ in range(3):
                assert log_in(second, culver) is False
                assert second.text.startswith(b"-ERR [IN-USE] ")
            assert first.say(b"STAT")
            end(first)
            first.close()
            wait_for(lambda: log_in(second, culver), every=0.1)
            assert second.say(b"QUIT")


def test_p6_expunged_by_imap(standing):
    """What goes by IMAP in the meantime: numbers stay, RETR says so, QUIT takes the rest."""
    culver, expected = standing
    with Smtp(culver) as c:
        for _ in range(4):
            assert c.chunk(BODY) == 250
            expected["messages"] += 1
    last = count(culver)
    with Pop3(culver) as c:
        listed = c.lines(b"LIST")
        mark_and_expunge(culver, b"%d:%d" % (last - 1, last))
        for command in (b"RETR %d", b"TOP %d 1"):
            assert c.say(command % last) is False
            assert b"gone" in c.text
        assert c.lines(b"LIST") == listed and c.say(b"STAT")
        assert len(c.lines(b"UIDL")) == last - 2 and c.say(b"UIDL %d" % last) is False
        assert c.lines(b"RETR %d" % (last - 2))
        for number in (last - 3, last - 1, last):
            assert c.say(b"DELE %d" % number)
        assert c.say(b"QUIT")
    assert count(culver) == last - 3


def test_p4_names_stay_over_a_rebuild(culver):
    """What is derived may go: the names come from what is kept."""
    with Smtp(culver) as c:
        for _ in range(5):
            assert c.chunk(BODY) == 250
    with Pop3(culver) as c:
        before = c.lines(b"UIDL")
    culver.stop()
    derived = [p for p in (culver.dir / "data").rglob("*") if p.is_file() and "digest" in str(p)]
    assert derived
    for path in derived:
        path.unlink()
    culver.start()
    with Pop3(culver) as c:
        assert c.lines(b"UIDL") == before and len(before) == 5
        assert c.lines(b"RETR 5")


def test_p7_capa_before_and_after(standing):
    culver, _ = standing
    with Pop3(culver, user=None) as c:
        plain = c.lines(b"CAPA")
        assert {b"STLS", b"EXPIRE 0 USER", b"UTF8 USER", b"LANG"} <= set(plain)
        assert log_in(c, culver)
        inside = c.lines(b"CAPA")
        assert b"STLS" not in inside and b"EXPIRE NEVER" in inside
        assert {line.split()[0] for line in plain} - {line.split()[0] for line in inside} == {b"STLS"}


def test_p7_stls_injection(standing):
    """What was said before TLS is not said within it."""
    culver, _ = standing
    with Pop3(culver, user=None) as c:
        c.send(f"STLS\r\nUSER bob@{DOMAIN}\r\nPASS {culver.password('bob')}\r\nSTAT\r\n".encode())
        assert c.ok()
        c.socket = culver.tls_context().wrap_socket(c.socket, server_hostname="localhost")
        assert c.say(b"STAT") is False and c.text == b"-ERR log in first"
        assert c.say(b"PASS x") is False and c.text == b"-ERR say USER first"
        assert b"STLS" not in c.lines(b"CAPA")
        assert c.say(b"STLS") is False


def test_p7_cancelled_exchanges(standing):
    culver, _ = standing
    with Pop3(culver, user=None) as c:
        for mechanism in (b"PLAIN", b"LOGIN"):
            c.send(b"AUTH " + mechanism + b"\r\n")
            assert c.line().startswith(b"+ ")
            assert c.say(b"*") is False
        for answer in (b"=", b"!!!!", b"x" * 20000, b"AA\0A"):
            c.send(b"AUTH PLAIN\r\n")
            assert c.line().startswith(b"+ ")
            assert c.say(answer) is False
        assert log_in(c, culver)


def test_p7_languages_and_utf8(standing):
    culver, _ = standing
    with Pop3(culver, user=None) as c:
        for bad in (b"x" * 1000, b"\xff\xfe", b"en-\0", b"%s%n", b"en de", b"-", b"*-*"):
            assert c.say(b"LANG " + bad) is False
        assert c.lines(b"LANG") == [b"en English"]
        assert c.say(b"USER \xc3\x28") is False
        assert c.say(b"UTF8") and c.say(b"STLS") is False
        assert c.say("USER jürgen@example.test".encode())
        assert c.say(b"PASS \xff") is False and c.text.startswith(b"-ERR [AUTH] ")


def test_login_delay():
    """RFC 2449 6.5: who has been let in waits; a wrong password is wrong at once."""
    with Culver(config="pop3_login_delay = 3") as culver:
        began = time.monotonic()
        with Pop3(culver) as c:
            assert b"LOGIN-DELAY 3" in c.lines(b"CAPA") and c.say(b"QUIT")
        refused = 0
        with Pop3(culver, user=None) as c:
            assert b"LOGIN-DELAY 3" in c.lines(b"CAPA")
            while not log_in(c, culver):
                assert c.text.startswith(b"-ERR [LOGIN-DELAY] ")
                refused += 1
                time.sleep(0.1)
        assert refused and time.monotonic() - began >= 3
        culver.command("account", "set", "--retention", "expire:30", f"alice@{DOMAIN}")
        with Pop3(culver, user="alice") as c:
            assert b"EXPIRE 30" in c.lines(b"CAPA")
