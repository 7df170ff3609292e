#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/messages: `make_messages.py [FOLDER]`. Seeded, so that it always makes the same. Each
file is a message with CRLF line ends; those named binary-* hold what only BDAT with BINARYMIME may
carry (NUL, bare CR, bare LF)."""
import base64
import pathlib
import random
import sys

WORDS = ("mail dove carries home letter river stone bright window garden seven quiet morning paper "
         "Grüße naïve façade 日本語 привет 🕊️ ελληνικά").split()


def words(r, n, ascii_only=True):
    pool = [w for w in WORDS if w.isascii()] if ascii_only else WORDS
    return " ".join(r.choice(pool) for _ in range(n))


def header(r, subject, *more, sender="Ann <ann@example.org>"):
    lines = [f"From: {sender}", "To: bob@example.test", f"Subject: {subject}",
             f"Date: Sat, {r.randint(1, 28):02d} Nov 2026 {r.randint(0, 23):02d}:{r.randint(0, 59):02d}:00 +0000",
             f"Message-ID: <{r.getrandbits(64):016x}@example.org>", *more]
    return "\r\n".join(lines) + "\r\n"


def body(r, lines, ascii_only=True):
    return "".join(words(r, r.randint(0, 12), ascii_only) + "\r\n" for _ in range(lines))


def multipart(r, depth):
    boundary = f"=_{r.getrandbits(48):x}"
    parts = []
    for _ in range(r.randint(1, 4)):
        kind = r.randint(0, 3)
        if kind == 0 and depth > 0:
            inner, inner_boundary = multipart(r, depth - 1)
            parts.append(f'Content-Type: multipart/{r.choice(["mixed", "alternative", "related"])}; '
                         f'boundary="{inner_boundary}"\r\n\r\n' + inner)
        elif kind == 1:
            data = base64.b64encode(r.randbytes(r.randint(0, 300))).decode()
            lines = "\r\n".join(data[i:i + 76] for i in range(0, len(data), 76))
            parts.append('Content-Type: application/octet-stream; name="a.bin"\r\n'
                         "Content-Transfer-Encoding: base64\r\n"
                         f'Content-Disposition: attachment; filename="a{r.randint(0, 9)}.bin"\r\n\r\n{lines}\r\n')
        elif kind == 2:
            parts.append("Content-Type: message/rfc822\r\n\r\n" + header(r, "inner") + "\r\n" + body(r, 2))
        else:
            parts.append("Content-Type: text/plain; charset=utf-8\r\n"
                         "Content-Transfer-Encoding: 8bit\r\n\r\n" + body(r, r.randint(0, 5), False))
    text = "preamble\r\n" + "".join(f"--{boundary}\r\n{p}\r\n" for p in parts) + f"--{boundary}--\r\n"
    return text, boundary


def texts(r):
    yield "plain", header(r, "plain") + "\r\n" + body(r, 10)
    yield "no-body", header(r, "no body")
    yield "empty-body", header(r, "empty body") + "\r\n"
    yield "no-header", "\r\n" + body(r, 3)
    yield "one-line-body", header(r, "one") + "\r\nx\r\n"
    yield "blank-lines", header(r, "blank") + "\r\n" * 20
    yield "dots", header(r, "dots") + "\r\n.\r\n..\r\n...\r\n.leading\r\n..two\r\ntrailing.\r\n.\r\n"
    yield "dots-only", header(r, "dots only") + "\r\n.\r\n"
    yield "long-line-998", header(r, "long") + "\r\n" + "x" * 998 + "\r\n" + "." * 998 + "\r\n"
    yield "long-header-998", header(r, "h", "X-Long: " + "y" * 990) + "\r\nbody\r\n"
    yield "folded", header(r, "fol\r\n ded\r\n\tsub\r\n ject", "X-Fold:\r\n alone") + "\r\nbody\r\n"
    yield "utf8-header", header(r, "Grüße 日本語 🕊️", sender="Jürgen <jürgen@example.org>") + "\r\nbody\r\n"
    yield "latin1-body", (header(r, "latin1", "Content-Type: text/plain; charset=iso-8859-1")
                          + "\r\n").encode() + "Grüße\r\n".encode("latin-1") + bytes(range(0x80, 0x100)) + b"\r\n"
    yield "all-controls", header(r, "controls").encode() + b"\r\n" + bytes(
        b for b in range(1, 128) if b not in (10, 13)) + b"\r\n"
    yield "encoded-words", header(r, "=?utf-8?Q?Gr=C3=BC=C3=9Fe?= =?iso-8859-1?B?4g==?=") + "\r\nbody\r\n"
    yield "colonless", header(r, "x") + "this line has no colon\r\nX-After: it\r\n\r\nbody\r\n"
    yield "from-line", header(r, "mbox") + "\r\nFrom here to there\r\n>From quoted\r\n"
    yield "blank-in-name", header(r, "x", "X-Space : value", "X-Empty:") + "\r\nbody\r\n"
    yield "many-fields", header(r, "many", *(f"X-{n}: {n}" for n in range(300))) + "\r\nbody\r\n"
    yield "bcc-outside", header(r, "bcc", "Bcc: secret@example.org") + "\r\nbody\r\n"
    yield "rfc5322-a1.1", (
        "From: John Doe <jdoe@machine.example>\r\nTo: Mary Smith <mary@example.net>\r\n"
        "Subject: Saying Hello\r\nDate: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
        "Message-ID: <1234@local.machine.example>\r\n\r\nThis is a message just to say hello.\r\nSo, \"Hello\".\r\n")
    yield "rfc5322-a1.3", (
        "From: Pete <pete@silly.example>\r\nTo: A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;\r\n"
        "Cc: Undisclosed recipients:;\r\nDate: Thu, 13 Feb 1969 23:32:54 -0330\r\n"
        "Message-ID: <testabcd.1234@silly.example>\r\n\r\nTesting.\r\n")
    yield "rfc5322-a5", (
        "From: Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\r\n"
        "To:A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
        "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)\r\n"
        "Cc:(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;\r\n"
        "Date: Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)\r\n"
        "Message-ID:              <testabcd.1234@silly.test>\r\n\r\nTesting.\r\n")


def binaries(r):
    for n in range(12):
        yield f"binary-{n:02d}", header(r, f"binary {n}", "Content-Transfer-Encoding: binary").encode() + \
            b"\r\n" + r.randbytes(r.choice((1, 100, 997, 4096)))
    yield "binary-nul", header(r, "nul").encode() + b"\r\n\0\r\n\0\0\r\n"
    yield "binary-bare", header(r, "bare").encode() + b"\r\na\rb\nc\r\r\n\n..\n.x\r.\r\n"
    yield "binary-no-end", header(r, "no end").encode() + b"\r\nno newline at the end"


def all_messages():
    r = random.Random(20261121)
    yield from texts(r)
    for n in range(60):
        yield f"text-{n:02d}", header(r, words(r, 4)) + "\r\n" + body(r, r.randint(0, 40))
    for n in range(40):
        yield f"utf8-{n:02d}", header(r, words(r, 4, False), "Content-Type: text/plain; charset=utf-8",
                                      "Content-Transfer-Encoding: 8bit") + "\r\n" + body(r, r.randint(1, 20), False)
    for n in range(80):
        text, boundary = multipart(r, r.randint(0, 4))
        yield f"mime-{n:02d}", header(r, f"mime {n}", "MIME-Version: 1.0",
                                      f'Content-Type: multipart/mixed; boundary="{boundary}"') + "\r\n" + text
    yield from binaries(r)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "messages")
    folder.mkdir(exist_ok=True)
    for name, text in all_messages():
        (folder / f"{name}.eml").write_bytes(text.encode() if isinstance(text, str) else text)


if __name__ == "__main__":
    main()
