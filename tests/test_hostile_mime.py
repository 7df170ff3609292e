# SPDX-License-Identifier: Apache-2.0
"""Hostile messages through a whole server: delivered, then read by IMAP and POP3 in every way that
makes Culver parse them. Names carry the numbers of the catalogue, and the standing conditions hold
for every test (hostile.py)."""
import pytest

from hostile import MIB, Imap, Pop3, Smtp, conditions, read_clean

FIELDS = b"From: a@other.test\r\nSubject: needle-in-subject\r\n"
END = b"needle-at-end\r\n"


@pytest.fixture
def standing(shared):
    with conditions(shared, "front-user", grown=32 * MIB, busy=8.0, clean=read_clean) as found:
        yield found


def deliver(standing, messages):
    """Sends messages, each to be accepted; returns the number of the first in INBOX."""
    culver, expected = standing
    with Smtp(culver) as c:
        for message in messages:
            assert c.chunk(message) == 250, message[:60]
            expected["messages"] += 1
    with Imap(culver) as c:
        assert c.say(b"EXAMINE INBOX") == b"OK"
        return next(int(r[0].split()[1]) for r in c.untagged if r[0].endswith(b" EXISTS")) - len(messages) + 1


def value(answers):
    """Of the one item that was fetched."""
    fetched = [a for a in answers if a[2:3] == [b"FETCH"]]
    assert len(fetched) == 1
    return fetched[0][3][1]


def read(standing, messages):
    """Delivers messages and reads each in every way; returns their ENVELOPE and BODYSTRUCTURE."""
    culver, _ = standing
    first = deliver(standing, messages)
    found = []
    with Imap(culver) as c, Pop3(culver) as p:
        assert c.say(b"EXAMINE INBOX") == b"OK"
        for n, message in enumerate(messages, first):
            found.append(read_one(c, b"%d" % n))
            assert as_sent(value(c.ask(b"FETCH %d BODY.PEEK[]" % n)), message)
            assert len(p.lines(b"RETR %d" % n)) >= len(p.lines(b"TOP %d 1" % n))
        assert c.say(b"NOOP") == b"OK" and p.say(b"NOOP")
    return found


def as_sent(got, message):
    """Behind what delivery adds; NUL is nothing that a literal can carry."""
    return got.endswith(message.replace(b"\0", b"\x80"))


def read_one(c, n):
    envelope = value(c.ask(b"FETCH %s ENVELOPE" % n))
    assert len(envelope) == 10
    structure = value(c.ask(b"FETCH %s BODYSTRUCTURE" % n))
    assert len(structure) >= 2
    for item in (b"BODY", b"BODY.PEEK[1]", b"BODY.PEEK[HEADER]", b"BODY.PEEK[1.MIME]", b"BODY.PEEK[2]", b"BODY.PEEK[1.1.HEADER]",
                 b"BODY.PEEK[HEADER.FIELDS (Subject To Content-Type)]", b"BODY.PEEK[TEXT]"):
        value(c.ask(b"FETCH %s %s" % (n, item)))
    assert c.say(b"FETCH %s BINARY.PEEK[1]" % n) in (b"OK", b"NO")
    for key in (b"TEXT needle-at-end", b"SUBJECT needle-in-subject", b"TO nobody", b"BODY zzz", b"SENTSINCE 1-Jan-1990",
                b"HEADER X-None zzz"):
        c.ask(b"SEARCH %s %s" % (n, key))
    return envelope, structure


def nesting(structure):
    """How deep lists are within each other, without recursion."""
    deepest, waiting = 0, [(structure, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(part, depth + 1) for part in node if isinstance(part, list)]
    return deepest


def text_of(fields, body=END):
    return FIELDS + fields + b"\r\n" + body


def multipart(boundary, parts, kind=b"mixed", close=True):
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, p) for p in parts)
    return (b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind, boundary) + body
            + (b"--%s--\r\n" % boundary if close else b""))


def test_m1_addresses(standing):
    (one, two, three, four), _ = zip(*read(standing, [
        text_of(b"To: " + b"a@b.test,\r\n " * 100000 + b"z@b.test\r\n"),
        text_of(b"To: a@b.test\r\n" * 100000),
        text_of(b"To: " + b"g: a@b, c@d; " * 20000 + b"\r\n"),
        text_of(b"To: " + b"<" * 100000 + b"\r\nCc: " + b"(" * 50000 + b"\\\r\nBcc: " + b'"' + b"\\\\" * 30000 + b"\r\n")]))
    for envelope in (one, two, three, four):
        assert all(not isinstance(e, list) or len(e) <= 4000 for e in envelope)


def test_m2_large_header_blocks(standing):
    read(standing, [text_of(b"X-Long: " + b"x" * 4 * MIB + b"\r\n"),
                    text_of(b"X: y\r\n" * 200000),
                    text_of(b"Subject: " + b"s " * 500000 + b"\r\n")])


def test_m3_malformed_fields(standing):
    read(standing, [text_of(b"N" * MIB + b": x\r\n"),
                    text_of(b"no colon here\r\n: empty name\r\nSpace : before\r\n\tfold\r\n \r\n \t\r\n"),
                    text_of(b"Folded:" + b"\r\n x" * 100000 + b"\r\n"),
                    text_of(b"Blank:" + b"\r\n " * 100000 + b"\r\n"),
                    text_of(b"N\xc3\xa9: \xff\xfe\x80\r\nTo: \xe9 <\xff@\xfe>\r\n"),
                    b" begins with a fold\r\n\r\n" + END, b"\r\n", b": \r\n\r\n", b"x"])


def nested(depth, kind):
    """Composites within each other, and END at the bottom."""
    top = []
    for n in range(depth):
        if kind == b"rfc822":
            top.append(b"Content-Type: message/rfc822\r\n\r\n")
        else:
            top.append(b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n))
    return FIELDS + b"".join(top) + b"\r\n" + END


def test_m4_depth(standing):
    found = read(standing, [nested(depth, kind) for depth in (100, 10000) for kind in (b"mixed", b"rfc822")])
    assert all(nesting(structure) <= 500 for _, structure in found)


def test_m4_many_parts(standing):
    found = read(standing, [FIELDS + multipart(b"b", [b"\r\nx"] * 20000), FIELDS + multipart(b"b", [b""] * 100000),
                            FIELDS + multipart(b"b", [b"\r\n"] * 100000, close=False)])
    assert all(len(structure) <= 10010 for _, structure in found)


def test_m5_messages_within_themselves(standing):
    inner = b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + FIELDS + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    found = read(standing, [FIELDS + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + inner * times + END
                            for times in (1, 2, 50, 5000)])
    assert all(nesting(structure) <= 500 for _, structure in found)


def test_m6_boundaries(standing):
    part = b"Content-Type: text/plain\r\n\r\n" + END
    kinds = [b'boundary=""', b"boundary=", b"boundary", b'boundary="' + b"b" * 71 + b'"', b'boundary="' + b"b" * 3000 + b'"',
             b'boundary="b "', b"boundary=--b", b"boundary=b; boundary=c", b"boundary*=us-ascii''b", b"boundary*0=b; boundary*1=c",
             b'boundary="b\r\n c"', b'boundary="b\\"c"', b"boundary=b--", b"boundary=\xff"]
    messages = [FIELDS + b"Content-Type: multipart/mixed; " + k + b"\r\n\r\n"
                + b"".join(b"--%s\r\n%s" % (b, part) for b in (b"", b"b", b"bc", b"c", b"b ", b"--b", b"b--", b"b" * 71, b"b" * 3000))
                for k in kinds]
    messages += [FIELDS + multipart(b"a", [multipart(b"ab", [part]), multipart(b"a", [part])]),
                 FIELDS + multipart(b"b", [part]).replace(b"\r\n--b", b"\r--b"),
                 FIELDS + multipart(b"b", [part]).replace(b"--b\r\n", b"--b \t \r\n"),
                 FIELDS + multipart(b"b", [b"Subject: x\r\n--b\r\n" + part], close=False)]
    read(standing, messages)


def test_m7_conflicting_fields(standing):
    base64 = b"Content-Transfer-Encoding: base64\r\n"
    qp = b"Content-Transfer-Encoding: quoted-printable\r\n"
    _, structures = zip(*read(standing, [
        text_of(b"Content-Type: text/html\r\nContent-Type: image/png\r\n" + base64 + qp),
        text_of(b"Content-Transfer-Encoding: 7bit, base64\r\nContent-Disposition: inline\r\nContent-Disposition: attachment\r\n"),
        FIELDS + base64 + multipart(b"b", [b"\r\nx"]),
        text_of(base64, b"aGVs*bG8=\r\n=bmVl!!ZGxl\0\xff====\r\n" * 20000),
        text_of(base64, b"A" * 3 * MIB), text_of(base64, b"="),
        text_of(qp, b"=ZZ=\r\n=4" * 50000 + b"="), text_of(qp, b"=" * MIB), text_of(qp, b"x" + b" " * MIB),
        text_of(b"", b"begin 644 x\r\n" + b"M" * 61 + b"\r\n`\r\nend\r\n=ybegin line=128 size=1 name=x\r\n\0\xff\r\n=yend size=1\r\n")]))
    assert structures[0][:2] == [b"text", b"html"] or structures[0][:2] == [b"TEXT", b"HTML"]  # the first counts


def test_m8_parameters_in_pieces(standing):
    def disposition(pieces):
        return text_of(b"Content-Disposition: attachment" + b"".join(b";\r\n " + p for p in pieces) + b"\r\n")

    _, structures = zip(*read(standing, [
        disposition([b"filename*%d*=x" % n for n in range(100000)]),
        disposition([b"filename*%d=x" % n for n in (0, 2, 3, 1000000, 4294967296, 1 << 64)]),
        disposition([b"filename*0=a"] * 5000 + [b"filename*1=b"] * 5000),
        disposition([b"filename*0*=utf-8''%ff%", b"filename*1=%41", b"filename*2*=%zz", b"filename=plain", b"filename*=x"]),
        disposition([b"filename*-1=x", b"filename**=x", b"filename*=", b"*0=x", b"filename*00=x", b"filename*0**=x"]),
        text_of(b"Content-Type: text/plain" + b"; a=b" * 100000 + b"\r\n")]))
    assert all(nesting(structure) <= 6 for structure in structures)
