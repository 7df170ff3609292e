#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares mail/ with Python's email package, with GMime and with postal-mime on generated messages
(hostile-input M17).

    mime_differential_test.py CORPUS_DUMP [COUNT [SEED]]

The messages are well formed, so all readers must agree on everything: structure, bodies, names of
files, addresses, subject, date. A reader that is not installed is said to be missing."""
import base64
import email
import email.header
import email.policy
import email.utils
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys

try:
    import gi
    gi.require_version("GMime", "3.0")
    from gi.repository import GMime
    GMime.init()
except (ImportError, ValueError):
    GMime = None

NODE = pathlib.Path(__file__).resolve().parent.parent / "build" / "clients"

WORDS = ["grün", "hello", "Ελλάδα", "日本語", "a,b", "(x)", "\"q\"", "=?x?=", "dot.ted", "x" * 60, "ß"]
NAMES = ["Ann Lee", "Müller, Jörg", "O'Neil", "a.b", "山田", "\"quoted\"", "semi;colon"]
FILES = ["a.txt", "straße.pdf", "x" * 90 + ".bin", "a b (1).doc", "q\"uote.txt", "日本.png"]
CHARSETS = ["utf-8", "iso-8859-1", "koi8-r", "us-ascii"]


def text(rng):
    return "".join(rng.choice(["word ", "line\n", "grün ", "--dash\n", ".\n", "From x\n", "\n"])
                   for _ in range(rng.randrange(12)))


def leaf(rng):
    part = email.message.EmailMessage(policy=email.policy.SMTP)
    if rng.random() < 0.6:
        part.set_content(text(rng), subtype=rng.choice(["plain", "html"]),
                         cte=rng.choice([None, "base64", "quoted-printable", "8bit"]))
    else:
        part.set_content(rng.randbytes(rng.randrange(200)), "application", "octet-stream",
                         filename=rng.choice(FILES), disposition=rng.choice(["attachment", "inline"]))
    return part


def part(rng, depth):
    """A leaf, a multipart, or a message."""
    kind = rng.random()
    if depth == 0 or kind < 0.4:
        return leaf(rng)
    made = email.message.EmailMessage(policy=email.policy.SMTP)
    if kind < 0.5:
        made.set_content(message(rng, depth - 1))
        return made
    made["Content-Type"] = "multipart/" + rng.choice(["mixed", "alternative", "related"])
    for _ in range(rng.randrange(1, 4)):
        made.attach(part(rng, depth - 1))
    if rng.random() < 0.3:
        made.preamble = "a preamble\r\n"
        made.epilogue = "an epilogue\r\n"
    return made


def message(rng, depth):
    made = part(rng, depth)
    made["Subject"] = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 8)))
    made["From"] = email.utils.formataddr((rng.choice(NAMES), "ann@example.org"))
    made["To"] = ", ".join(email.utils.formataddr((rng.choice(NAMES), f"b{i}@example.org"))
                           for i in range(rng.randrange(1, 5)))
    made["Date"] = email.utils.format_datetime(
        email.utils.datetime.datetime.fromtimestamp(
            rng.randrange(4 * 10**9), email.utils.datetime.timezone.utc))
    return made


def their_tree(m):
    children = m.get_payload() if m.is_multipart() else []
    return (m.get_content_type(), [their_tree(c) for c in children])


def our_tree(parts, at=0):
    children = []
    for k in range(at + 1, len(parts)):
        if parts[k]["depth"] <= parts[at]["depth"]:
            break
        if parts[k]["depth"] == parts[at]["depth"] + 1:
            children.append(our_tree(parts, k))
    return (f'{parts[at]["type"]}/{parts[at]["subtype"]}'.lower(), children)


def utf8(s):
    return s.encode("latin-1").decode("utf-8")


def body_of(raw, p):
    """A leaf's content by our offsets, decoded by Python."""
    encoding = {3: "quoted-printable", 4: "base64"}.get(p["encoding"], "8bit")
    one = email.message_from_bytes(
        b"Content-Transfer-Encoding: %s\r\n\r\n" % encoding.encode() + raw[p["body_at"]:p["end"]])
    return one.get_payload(decode=True)


def squeezed(s):
    return " ".join(s.split())


def compare(raw, ours):
    theirs = email.message_from_bytes(raw, policy=email.policy.SMTP)
    assert our_tree(ours["parts"]) == their_tree(theirs), "structure"
    leaves = [p for p in ours["parts"] if p["kind"] == 0]
    others = [p for p in theirs.walk() if not p.is_multipart()]
    for p, o in zip(leaves, others, strict=True):
        assert body_of(raw, p) == o.get_payload(decode=True), "body"
        names = [utf8(v) for n, v in p["params"] if n.lower() == "charset"]
        assert names == ([o.get_param("charset")] if o.get_param("charset") else []), "charset"
    envelope = ours["envelope"]
    assert squeezed(utf8(envelope["subject"])) == squeezed(str(theirs["Subject"])), "subject"
    date = theirs["Date"].datetime
    assert envelope["date"] == [int(date.timestamp()), 0], "date"
    for field in ("from", "to"):
        mine = [(utf8(a["name"] or ""), utf8(a["local"]) + "@" + utf8(a["domain"]))
                for a in envelope[field]["list"]]
        assert mine == [(a.display_name, a.addr_spec) for a in theirs[field].addresses], field
        assert not envelope[field]["malformed"], field


# ---- GMime ----

# GMime decodes neighbouring base64 words as one and loses what follows padding inside; and it reads
# on where Python folds within what only looks like an encoded word. RFC 2047 2 has each word by itself.
GMIME_SUBJECT = re.compile(rb"=\?=\s+=\?utf-8\?b\?|=\?utf-8\?q\?[^?]*\s|\?b\?Rj89", re.S)

def gmime_leaves(part, found):
    """Adds the leaves below a part to a list; returns the tree as their_tree does."""
    kind = part.get_content_type()
    name = f"{kind.get_media_type()}/{kind.get_media_subtype()}".lower()
    if isinstance(part, GMime.Multipart):
        return (name, [gmime_leaves(part.get_part(i), found) for i in range(part.get_count())])
    if isinstance(part, GMime.MessagePart):
        return (name, [gmime_leaves(part.get_message().get_mime_part(), found)])
    out = GMime.StreamMem.new()
    if part.get_content() is not None:
        part.get_content().write_to_stream(out)
    found.append(bytes(out.get_byte_array()))
    return (name, [])


def compare_gmime(raw, ours):
    theirs = GMime.Parser.new_with_stream(GMime.StreamMem.new_with_buffer(raw)).construct_message(None)
    bodies = []
    assert gmime_leaves(theirs.get_mime_part(), bodies) == our_tree(ours["parts"]), "GMime: structure"
    leaves = [p for p in ours["parts"] if p["kind"] == 0]
    for p, body in zip(leaves, bodies, strict=True):
        assert body_of(raw, p) == body, "GMime: body"
    envelope = ours["envelope"]
    if not GMIME_SUBJECT.search(raw):
        assert squeezed(utf8(envelope["subject"])) == squeezed(theirs.get_subject()), "GMime: subject"
    assert envelope["date"][0] == theirs.get_date().to_unix(), "GMime: date"
    for field, kind in (("from", GMime.AddressType.FROM), ("to", GMime.AddressType.TO)):
        people = theirs.get_addresses(kind)
        people = [people.get_address(i) for i in range(people.length())]
        mine = [(utf8(a["name"] or ""), utf8(a["local"]) + "@" + utf8(a["domain"]))
                for a in envelope[field]["list"]]
        assert mine == [(a.get_name() or "", a.get_addr()) for a in people], f"GMime: {field}"


# ---- postal-mime ----

def postal_mime(messages):
    """What it makes of each, or None when it is not installed."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "postal-mime").is_dir():
        return None
    shutil.copy(pathlib.Path(__file__).parent / "clients" / "postal-mime.mjs", NODE)
    out = subprocess.run(["node", NODE / "postal-mime.mjs"], stdout=subprocess.PIPE, check=True, timeout=300,
                         input=b"\n".join(base64.b64encode(m) for m in messages) + b"\n")
    return [json.loads(line) for line in out.stdout.splitlines()]


def compare_postal(raw, ours, theirs):
    envelope = ours["envelope"]
    assert squeezed(utf8(envelope["subject"])) == squeezed(theirs["subject"]), "postal-mime: subject"
    for field in ("from", "to"):
        mine = [[utf8(a["name"] or ""), utf8(a["local"]) + "@" + utf8(a["domain"])]
                for a in envelope[field]["list"]]
        assert mine == theirs[field], f"postal-mime: {field}"
    mine, inside = [], 100
    for p in ours["parts"]:
        if p["depth"] <= inside:  # it takes a message in the message for one attachment
            inside = p["depth"] if p["kind"] == 2 else 100
            if p["kind"] == 0 and p["type"].lower() == "application":
                mine.append(body_of(raw, p))
    files = [base64.b64decode(a["content"]) for a in theirs["attachments"] if a["type"].startswith("application/")]
    assert mine == files, "postal-mime: attachments"


def compare_all(raw, ours, postal):
    compare(raw, ours)
    if GMime is not None:
        compare_gmime(raw, ours)
    if postal is not None:
        compare_postal(raw, ours, postal)


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    messages = [message(rng, rng.randrange(5)).as_bytes(policy=email.policy.SMTP)
                for _ in range(count)]
    data = b"".join(b"%d\n" % len(m) + m for m in messages)
    out = subprocess.run([sys.argv[1], "message"], input=data, stdout=subprocess.PIPE, check=True,
                         timeout=300).stdout.splitlines()
    postal = postal_mime(messages)
    readers = ["Python", "GMime" if GMime else "no GMime", "postal-mime" if postal else "no postal-mime"]
    failed = 0
    for i, (raw, line) in enumerate(zip(messages, out, strict=True)):
        if b"=?utf-8?q?=2C?=" in raw:
            continue  # some versions of Python encode the comma between two folded addresses
        try:
            compare_all(raw, json.loads(line), postal and postal[i])
        except AssertionError as e:
            failed += 1
            if failed <= 3:
                print(f"message {i}: {e}\n{raw.decode('utf-8', 'replace')}\n{line.decode()}")
    print(f"{count} messages read by {', '.join(readers)}: {failed} differences")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
