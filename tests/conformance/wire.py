# SPDX-License-Identifier: Apache-2.0
"""IMAP responses from bytes, and sets of numbers from and to text. No I/O."""
import re

LITERAL = re.compile(rb"~?\{(\d+)\}$")
TOKEN = re.compile(r'\(|\)|"(?:[^"\\]|\\.)*"|(?:BODY|BINARY)(?:\.[A-Z]+)?\[[^\]]*\](?:<\d+>)?|[^\s()"]+')
STATUS = re.compile(r"(OK|NO|BAD|BYE|PREAUTH)(?: \[([^\]]*)\])?(?: (.*))?$", re.IGNORECASE)


class Broken(Exception):
    """What was read is no IMAP."""


class Reader:
    """Whole responses out of a stream, each as a list of pieces: text and, behind each {n}, its literal."""

    def __init__(self):
        self.kept = bytearray()

    def feed(self, data):
        self.kept += data
        while (pieces := self.next()) is not None:
            yield pieces

    def next(self):
        at, pieces = 0, []
        while True:
            end = self.kept.find(b"\r\n", at)
            if end < 0:
                return None
            line = bytes(self.kept[at:end])
            at = end + 2
            found = LITERAL.search(line)
            if found is None:
                pieces.append(line)
                del self.kept[:at]
                return pieces
            size = int(found.group(1))
            if len(self.kept) < at + size:
                return None
            pieces += [line[:found.start()], bytes(self.kept[at:at + size])]
            at += size


def tree(pieces):
    """A response as nested lists. Atoms are str, strings and literals bytes."""
    stack = [[]]
    for n, piece in enumerate(pieces):
        if n % 2:
            stack[-1].append(piece)
            continue
        for token in TOKEN.findall(piece.decode("latin-1")):
            if token == "(":
                stack.append([])
            elif token == ")":
                if len(stack) == 1:
                    raise Broken("a parenthesis closes what nobody opened")
                done = stack.pop()
                stack[-1].append(done)
            elif token[0] == '"':
                stack[-1].append(re.sub(r"\\(.)", r"\1", token[1:-1]).encode("latin-1"))
            else:
                stack[-1].append(token)
    if len(stack) != 1:
        raise Broken("a parenthesis is not closed")
    return stack[0]


def pairs(items):
    """FETCH's and STATUS's lists of names and values, names in capitals."""
    if len(items) % 2:
        raise Broken("names and values are not in pairs")
    return {items[n].upper(): items[n + 1] for n in range(0, len(items), 2)}


def numbers(text):
    """The numbers of a set, in its order. "5:3" is 3, 4, 5."""
    found = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        low, high = int(low), int(high or low)
        found += range(min(low, high), max(low, high) + 1)
    return found


def set_text(values, rng=None, ranges=True):
    """A set of these numbers; with an rng some parts stand backwards and in another order. Without `ranges` each
    stands for itself."""
    parts, values = [], sorted(values)
    at = 0
    while at < len(values):
        end = at
        while ranges and end + 1 < len(values) and values[end + 1] == values[end] + 1:
            end += 1
        low, high = values[at], values[end]
        if rng and rng.random() < 0.3:
            low, high = high, low
        parts.append(str(low) if low == high else f"{low}:{high}")
        at = end + 1
    if rng and rng.random() < 0.3:
        rng.shuffle(parts)
    return ",".join(parts)
