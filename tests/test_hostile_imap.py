# SPDX-License-Identifier: Apache-2.0
"""IMAP's bad input over real connections: what src/imap/hostile_test.c shows of a session, shown of
a server. Names carry the numbers of the catalogue, and the standing conditions hold for every test
(hostile.py)."""
from hostile import MIB, Imap


def selected(culver):
    c = Imap(culver)
    assert c.say(b"EXAMINE INBOX") == b"OK"
    return c


def test_i1_literals_of_strangers(standing):
    for size in (b"{4294967295}", b"{99999999999999999999}", b"{-1}", b"{010}", b"{5", b"{}", b"{4097}", b"{x}"):
        with Imap(standing, user=None) as c:
            assert c.say(b"LOGIN " + size) == b"BAD", size
            assert c.untagged == []  # nobody was invited
            assert c.say(b"NOOP") == b"OK"
    with Imap(standing, user=None) as c:
        c.send(b"x LOGIN {0}\r\n")
        assert c.response() == [b"+ OK"]
        c.send(b" {0}\r\n")
        assert c.response() == [b"+ OK"]
        assert c.say(b"")[:2] in (b"NO", b"BA")


def test_i1_literals_together(standing):
    """4,096 bytes of all of a stranger's literals, no more."""
    with Imap(standing, user=None) as c:
        c.send(b"x LOGIN {4000}\r\n")
        assert c.response() == [b"+ OK"]
        c.send(b"a" * 4000 + b" {97}\r\n")
        assert c.answer() == b"BAD" and c.untagged == []
        assert c.say(b"NOOP") == b"OK"


def test_i2_what_nobody_invited(standing):
    for size in (100 * MIB, 1 << 40):
        with Imap(standing, user=None) as c:
            c.send(b"x LOGIN {%d+}\r\n" % size)
            for _ in range(100):
                c.send(b"z" * MIB)
            assert c.goodbye()


def test_i2_before_login_by_other_ways(standing):
    for flood in (b"(", b"{", b'"', b"a", b" ", b"\\", b"}"):
        with Imap(standing, user=None) as c:
            c.send(b"x " + flood * 4 * MIB)
            assert c.goodbye()


def test_i3_many_small_literals(standing):
    with Imap(standing) as c:
        c.send(b'x LIST ""' + b" {1+}\r\nx" * 2000 + b"\r\n")
        assert c.answer() == b"BAD" and b"[TOOBIG]" in c.text
        assert c.say(b"NOOP") == b"OK"
        assert c.say(b"NOOP " + b"x" * 1100000) == b"BAD" and b"[TOOBIG]" in c.text
        assert c.say(b"NOOP") == b"OK"


def test_i4_parentheses(standing):
    with Imap(standing, user=None) as c:
        for command in (b"NOOP " + b"(" * 4000, b"NOOP " + b"(" * 9, b"ID " + b"(" * 9 + b")" * 9):
            assert c.say(command) == b"BAD"
        assert c.say(b"NOOP") == b"OK"
    with selected(standing) as c:
        for command in (b"NOOP " + b"(" * 4000, b"SEARCH " + b"(" * 65 + b"ALL" + b")" * 65, b"LIST " + b"(" * 60):
            assert c.say(command) == b"BAD"
        assert c.say(b"SEARCH " + b"(" * 60 + b"ALL" + b")" * 60) == b"OK"


def test_i4_many_who_only_open(standing):
    """Sixty strangers at once, each with an unclosed command."""
    all_of_them = [Imap(standing, user=None) for _ in range(60)]
    for c in all_of_them:
        c.send(b"x NOOP " + b"(" * 4000)
    for c in all_of_them:
        c.send(b"\r\n")
        assert c.answer() == b"BAD"
        c.close()


def test_i5_searches(standing):
    with selected(standing) as c:
        for command in (b"NOT " * 100000 + b"ALL", b"OR " * 100000 + b"ALL", b"ALL " * 9999 + b"ALL",
                        b"OR ALL " * 100000 + b"ALL", b"SUBJECT " + b"y" * 1000000):
            assert c.say(b"SEARCH " + command) in (b"BAD", b"NO")
            assert c.say(b"NOOP") == b"OK"
        assert c.say(b"SEARCH " + b"OR ALL " * 60 + b"ALL") == b"OK"
        assert c.say(b"SEARCH " + b"NOT " * 60 + b"ALL") == b"OK"


def test_i6_sections_and_partials(standing):
    with selected(standing) as c:
        for item in (b"BODY.PEEK[1" + b".1" * 10000 + b"]", b"BODY.PEEK[]<18446744073709551616.1>", b"BODY.PEEK[]<0.0>",
                     b"BODY.PEEK[HEADER.FIELDS (a" + b" a" * 10000 + b")]",
                     b"BODY.PEEK[0]", b"BODY.PEEK[]<-1.1>", b"BODY.PEEK[", b"BODY.PEEK[1.]", b"BINARY.PEEK[MIME]"):
            assert c.say(b"FETCH 1 " + item) in (b"BAD", b"NO"), item[:40]
        assert c.ask(b"FETCH 1 BODY.PEEK[]<4294967295.4294967295>")[0][3][1] in (b"", b"NIL")
        assert c.say(b"FETCH 1 BODY.PEEK[1" + b".1" * 90 + b"]") == b"OK"


def test_i7_sets(standing):
    with selected(standing) as c:
        for command in (b"UID FETCH 1" + b",1:*" * 100000, b"UID FETCH 1" + b",*:4294967295,4294967295:1" * 20000,
                        b"FETCH *:*", b"FETCH *"):
            assert c.say(command + b" UID") == b"OK", command[:40]
        for command in (b"FETCH 1:4294967295", b"FETCH 0", b"UID FETCH 0:*", b"UID FETCH 4294967296", b"FETCH 1,,2",
                        b"FETCH 1:", b"FETCH :1", b"FETCH 1:2:3", b"UID FETCH 1" + b",1" * 600000):
            assert c.say(command + b" UID") == b"BAD", command[:40]


def test_i7_an_empty_mailbox(standing):
    with Imap(standing, user="alice") as c:
        assert c.say(b"EXAMINE Drafts") == b"OK"
        assert c.say(b"UID FETCH 1:4294967295 UID") == b"OK" and c.untagged == []
        assert c.say(b"UID FETCH 4294967295:1,*:* UID") == b"OK" and c.untagged == []
        for numbers in (b"1", b"1:4294967295", b"*"):
            assert c.say(b"FETCH " + numbers + b" UID") in (b"BAD", b"OK") and c.untagged == []


def names(c):
    return sorted(r[4] for r in c.ask(b'LIST "" *') if r[:2] == [b"*", b"LIST"])


def test_i8_utf7(standing):
    with Imap(standing, user="alice") as c:
        before = names(c)
        for name in (b"&-&AAA", b"&", b"&AGE-", b"&2AA-", b"&AAA-", b"&Jjo-&Jjo-", b"&Jj", b"&!!-", b"a&"):
            assert c.say(b'CREATE "' + name + b'"') in (b"NO", b"BAD"), name
        assert names(c) == before
        assert c.say(b"CREATE caf&AOk-") == b"OK"
        assert c.say(b"CREATE cafe&AwE-") in (b"NO", b"OK")  # the same in NFC, or refused
        assert sum(b"caf" in n for n in names(c)) == 1
        assert c.say(b"DELETE caf&AOk-") == b"OK"
        assert names(c) == before


def test_i9_names(standing):
    below = [p for p in standing.dir.rglob("*") if p.is_dir()]
    with Imap(standing, user="alice") as c:
        before = names(c)
        for name in (b"../x", b"/etc/passwd", b"a//b", b".", b"..", b"\x7f", b"\t", b"*", b"%", b"n" * 10000,
                     b"a" + b"/a" * 10000, b"a" + b"/a" * 32, b"a/../../x"):
            assert c.say(b'CREATE "' + name + b'"') in (b"NO", b"BAD"), name[:40]
        c.send(b"x CREATE {3+}\r\na\0b\r\n")
        assert c.answer() in (b"NO", b"BAD")
        assert c.say(b"RENAME Drafts ../x") in (b"NO", b"BAD")
        assert c.say(b"SELECT ../bob/INBOX") == b"NO"
        assert c.say(b'CREATE "~root"') in (b"NO", b"OK")
        c.say(b'DELETE "~root"')
        assert names(c) == before
    assert [p for p in standing.dir.rglob("*") if p.is_dir()] == below


def test_i10_patterns(standing):
    with Imap(standing, user="alice") as c:
        for n in range(300):
            c.send(b"n%d CREATE %s%d\r\n" % (n, b"a/b/aaaaaaaaaaaaaaaaaaaaaaaaaaaa", n))
        for n in range(300):
            assert c.answer(b"n%d" % n) == b"OK"
        for pattern in (b"*%" * 1000, b"*a%" * 300, b"*a" * 500 + b"b", b"%*%*%*z", b"*" * 100000):
            assert c.say(b'LIST "" ' + pattern) in (b"OK", b"NO", b"BAD"), pattern[:20]
        assert c.say(b'LIST "" (*' + b" *" * 31 + b")") == b"OK"
        assert c.say(b'LIST "" (*' + b" *" * 32 + b")") == b"NO"
