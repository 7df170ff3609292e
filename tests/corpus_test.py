#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compares how mail/ reads messages and fields with the expected results of two other parsers'
test-suites, when shared/corpus is beside the project; skipped (77) when it is not.

    corpus_test.py CORPUS_DUMP [DIFFERENCES]

Every difference must be explained by a row of docs/corpus-differences.md: item, aspect, reason. A
row that explains nothing any more fails too. Prints what was compared.
"""
import collections
import datetime
import fnmatch
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLACES = [os.environ.get("CULVER_CORPUS", ""), "../shared/corpus", "../../shared/corpus"]
OPAQUE = 2  # DIGEST_PART_OPAQUE
LEAF, MULTIPART, MESSAGE = 0, 1, 2


class Comparison:
    """Differences found, and those that are explained."""

    def __init__(self, path):
        self.rows = []
        self.used = set()
        self.unexplained = []
        self.counts = collections.Counter()
        for line in open(path, encoding="utf-8") if os.path.exists(path) else []:
            cells = [c.strip().strip("`") for c in line.strip().strip("|").split("|")]
            if line.startswith("|") and len(cells) == 3 and cells[0] not in ("item", "---"):
                self.rows.append(tuple(cells))

    def check(self, item, aspect, ours, theirs):
        self.counts[aspect] += 1
        if ours == theirs:
            return
        for i, row in enumerate(self.rows):
            if fnmatch.fnmatchcase(item, row[0]) and row[1] == aspect:
                self.used.add(i)
                self.counts["explained"] += 1
                return
        self.unexplained.append((item, aspect, ours, theirs))

    def report(self):
        for item, aspect, ours, theirs in self.unexplained:
            print(f"{item}: {aspect}\n    ours   {ours!r}\n    theirs {theirs!r}")
        stale = [row for i, row in enumerate(self.rows) if i not in self.used]
        for row in stale:
            print("explained, but no difference:", row[0], row[1])
        print(", ".join(f"{n} {what}" for what, n in sorted(self.counts.items())))
        return 1 if self.unexplained or stale else 0


def dump(kind, items):
    """The tool's answer for each item."""
    data = b"".join(b"%d\n" % len(i) + i for i in items)
    out = subprocess.run([sys.argv[1], kind], input=data, stdout=subprocess.PIPE, check=True,
                         timeout=300).stdout
    return [json.loads(line) for line in out.splitlines()]


def text(s):
    """Our strings: one code point a byte."""
    return None if s is None else s.encode("latin-1").decode("utf-8", "replace")


def squeezed(s):
    return " ".join((s or "").split())


# ---- mail-parser: header vectors ----

def golden_addresses(value):
    """[(name, address)] with groups flattened; empty ones left out."""
    if not isinstance(value, dict):
        return []
    if "Address" in value:
        value = value["Address"]
    found = []
    for kind, entries in value.items():
        for e in entries if isinstance(entries, list) else [entries]:
            if kind == "Group":
                found += [("group", e["name"])] if e.get("name") else []
                found += golden_addresses({"List": e["addresses"]})
            else:
                found.append((squeezed(e["name"]), e["address"] or ""))
    return found


def our_addresses(dumped):
    found = []
    for a in dumped["list"]:
        if a["kind"] == 1:
            found.append(("group", text(a["name"])))
        elif a["kind"] == 0:
            domain = text(a["domain"])
            address = text(a["local"]) + ("@" + domain if domain else "")
            found.append((squeezed(text(a["name"])), address))
    return found


def golden_date(d):
    if not isinstance(d, dict) or "year" not in d:
        return None
    offset = (d["tz_hour"] * 60 + d["tz_minute"]) * (-1 if d["tz_before_gmt"] else 1)
    try:
        at = datetime.datetime(d["year"], d["month"], d["day"], d["hour"], d["minute"], d["second"],
                               tzinfo=datetime.timezone.utc)
    except ValueError:
        return None
    return [int(at.timestamp()) - offset * 60, offset]


def golden_value(v):
    if not isinstance(v, dict) or "c_type" not in v:
        return None
    attributes = [(a["name"], a["value"]) if isinstance(a, dict) else a
                  for a in v.get("attributes") or []]
    attributes = [(n.lower(), squeezed(t)) for n, t in attributes
                  if not n.endswith("-language")]  # of RFC 2231; nobody asks for it
    return (v["c_type"].lower(), (v["c_subtype"] or "").lower(), sorted(attributes))


def our_value(v):
    if not v["type"]:
        return None
    return ((text(v["type"]) or "").lower(), (text(v["subtype"]) or "").lower(),
            sorted((text(n).lower(), squeezed(text(t))) for n, t in v["params"]))


def compare_vectors(corpus, c):
    kinds = [
        ("address", "address", our_addresses, golden_addresses),
        ("date", "date", lambda d: d, golden_date),
        ("content_type", "value", our_value, golden_value),
        ("unstructured", "text", lambda s: squeezed(text(s)), squeezed),
    ]
    for name, kind, ours, golden in kinds:
        with open(f"{corpus}/mail-parser/{name}.json", encoding="utf-8") as f:
            vectors = json.load(f)
        dumped = dump(kind, [b"X:" + v["header"].encode() for v in vectors])
        for i, (v, d) in enumerate(zip(vectors, dumped)):
            c.check(f"{name}.json#{i}", name, ours(d), golden(v["expected"]))


# ---- mail-parser: messages ----

def headers(part):
    """The first field of each name, as we count."""
    found = {}
    for h in part["headers"]:
        name = h["name"] if isinstance(h["name"], str) else h["name"].get("other", "")
        found.setdefault(name.lower().replace("-", "_"), h["value"])
    return found


def golden_shape(message, i=0):
    """(type, children) as a tree; messages inside have their own list of parts."""
    part = message["parts"][i]
    body = part["body"]
    kind = headers(part).get("content_type")
    kind = golden_value(kind["ContentType"]) if isinstance(kind, dict) and "ContentType" in kind else None
    name = f"{kind[0]}/{kind[1]}" if kind and kind[1] else "text/plain"
    if "Multipart" in body:
        return (name, [golden_shape(message, k) for k in body["Multipart"]])
    if "Message" in body:
        return (name if name.startswith("message/") else "message/rfc822",
                [golden_shape(body["Message"])])
    return (name, [])


def our_shape(parts, at=0):
    part = parts[at]
    children = []
    for k in range(at + 1, len(parts)):
        if parts[k]["depth"] <= part["depth"]:
            break
        if parts[k]["depth"] == part["depth"] + 1:
            children.append(our_shape(parts, k))
    return (f"{text(part['type'])}/{text(part['subtype'])}".lower(), children)


def compare_message(item, golden, dumped, c):
    c.check(item, "structure", our_shape(dumped["parts"]), golden_shape(golden))
    root = headers(golden["parts"][0])
    envelope = dumped["envelope"]
    for field in ("from", "to", "cc", "bcc", "reply_to", "sender"):
        value = root.get(field)
        if isinstance(value, dict):
            c.check(item, field, our_addresses(envelope[field]), golden_addresses(value))
    if isinstance(root.get("subject"), dict) and "Text" in root["subject"]:
        c.check(item, "subject", squeezed(text(envelope["subject"])),
                squeezed(root["subject"]["Text"]))
    if isinstance(root.get("date"), dict) and "DateTime" in root["date"]:
        c.check(item, "date", envelope["date"], golden_date(root["date"]["DateTime"]))
    flat = [p for p in golden["parts"]]
    if not any("Message" in p["body"] for p in flat) and len(flat) == len(dumped["parts"]):
        ours = sorted((p["body_at"], p["end"]) for p in dumped["parts"])
        c.check(item, "offsets", ours, sorted((p["offset_body"], p["offset_end"]) for p in flat))


def compare_messages(corpus, c):
    base = f"{corpus}/mail-parser/eml"
    found = []
    for folder in sorted(os.listdir(base)):
        for name in sorted(os.listdir(f"{base}/{folder}")):
            stem = re.sub(r"(\.crlf)?\.json$", "", name)
            if not name.endswith(".json"):
                continue
            raw = open(f"{base}/{folder}/{stem}.eml", "rb").read().replace(b"\r\n", b"\n")
            if name.endswith(".crlf.json"):
                raw = raw.replace(b"\n", b"\r\n")
            with open(f"{base}/{folder}/{name}", encoding="utf-8") as f:
                found.append((f"{folder}/{name[:-5]}", json.load(f), raw))
    for (item, golden, _), dumped in zip(found, dump("message", [raw for _, _, raw in found])):
        compare_message(item, golden, dumped, c)


# ---- mime4j ----

def xml_shape(node):
    """The tree of one message or body part: what it holds, without the names of types."""
    for child in node:
        if child.tag == "multipart":
            return ("multipart", [xml_shape(b) for b in child if b.tag == "body-part"])
        if child.tag == "message":
            return ("message", [xml_shape(child)])
    return ("leaf", [])


def our_kinds(parts, at=0):
    part = parts[at]
    children = []
    for k in range(at + 1, len(parts)):
        if parts[k]["depth"] <= part["depth"]:
            break
        if parts[k]["depth"] == part["depth"] + 1:
            children.append(our_kinds(parts, k))
    return (("leaf", "multipart", "message")[part["kind"]], children)


def compare_mime4j(corpus, c):
    found = []
    for folder in ("mimetools-testmsgs", "testmsgs"):
        base = f"{corpus}/mime4j/{folder}"
        for name in sorted(n for n in os.listdir(base) if n.endswith(".msg")):
            expected = f"{base}/{name[:-4]}.xml"
            if not os.path.exists(expected):
                continue
            content = open(expected, encoding="utf-8", errors="replace").read()
            content = re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", content)
            try:
                tree = ElementTree.fromstring(content)
            except ElementTree.ParseError:
                c.counts["unreadable xml"] += 1
                continue
            found.append((f"{folder}/{name[:-4]}", tree, open(f"{base}/{name}", "rb").read()))
    for (item, tree, _), dumped in zip(found, dump("message", [raw for _, _, raw in found])):
        c.check(item, "tree", our_kinds(dumped["parts"]), xml_shape(tree))


def main():
    corpus = next((p for p in (os.path.join(ROOT, p) for p in PLACES if p) if os.path.isdir(p)), None)
    if corpus is None:
        print("skipped: there is no shared/corpus beside the project")
        return 77
    differences = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "docs/corpus-differences.md")
    c = Comparison(differences)
    compare_vectors(corpus, c)
    compare_messages(corpus, c)
    compare_mime4j(corpus, c)
    return c.report()


if __name__ == "__main__":
    sys.exit(main())
