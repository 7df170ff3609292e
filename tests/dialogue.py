# SPDX-License-Identifier: Apache-2.0
"""Dialogues as RFCs show them, run against a live server.

    # a comment
    service: smtp                 where connection 1 goes; "service 2: imap" for connection 2
    C: EHLO client.example        a line to send (CRLF is added); C1:, C2: name the connection
    S: 250-*                      a line to expect: text, with * for anything and ${name:REGEX} or
                                  ${name} to keep a piece and to use it later
    S~ FLAGS                      any number of lines, up to and including one that matches
    C. text                       sends without CRLF; \\r \\n \\t \\0 \\\\ \\xHH are understood
    TLS                           starts TLS on the connection (TLS2 for the second)
    EOF                           the server must close

${alice}, ${bob}: passwords. ${plain:alice}: the SASL PLAIN response of a user, in base64.
"""
import base64
import re
import socket
import ssl

from harness import DOMAIN, PASSWORDS


class Mismatch(AssertionError):
    pass


class Connection:
    def __init__(self, culver, service):
        self.socket = culver.connect(service)
        self.culver = culver
        if service in ("imaps", "pop3s", "submissions"):
            self.start_tls()
        self.kept = b""

    def start_tls(self):
        context = self.culver.tls_context()
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b"\n" not in self.kept:
            try:
                got = self.socket.recv(65536)
            except (TimeoutError, socket.timeout):
                raise Mismatch(f"no line within the time; so far {self.kept!r}") from None
            if not got:
                raise Mismatch(f"closed; so far {self.kept!r}")
            self.kept += got
        line, _, self.kept = self.kept.partition(b"\n")
        return line.removesuffix(b"\r").decode("utf-8", "backslashreplace")

    def at_end(self):
        try:
            got = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return True
        return got == b"" and self.kept == b""


def unescape(text):
    table = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
    text = re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: "\\\\" if m[1] == "5c" else chr(int(m[1], 16)), text)
    return re.sub(r"\\([rnt0\\])", lambda m: table[m[1]], text)


def plain(user):
    return base64.b64encode(f"\0{user}@{DOMAIN}\0{PASSWORDS[user]}".encode()).decode()


def fill(text, kept):
    def one(m):
        name, _, argument = m[1].partition(":")
        if name == "plain":
            return plain(argument)
        if name in kept:
            return kept[name]
        raise Mismatch(f"nothing was kept as {name}")
    return re.sub(r"\$\{([^}]*)\}", one, text)


def pattern(text, kept):
    """The regular expression of an expected line."""
    out = ""
    for piece in re.split(r"(\$\{[^}]*\}|\*\*|\*)", text):
        if piece == "**":
            out += r"\*"
        elif piece == "*":
            out += ".*"
        elif piece.startswith("${"):
            name, colon, regex = piece[2:-1].partition(":")
            out += f"(?P<{name}>{regex})" if colon and name not in kept else re.escape(fill(piece, kept))
        else:
            out += re.escape(piece)
    return re.compile(out + r"\Z", re.DOTALL)


def expect(line, text, kept):
    m = pattern(text, kept).match(line)
    if m:
        kept.update(m.groupdict())
    return bool(m)


def run(culver, path):
    kept = {"alice": PASSWORDS["alice"], "bob": PASSWORDS["bob"]}
    services, connections = {}, {}

    def connection(number):
        if number not in connections:
            connections[number] = Connection(culver, services.get(number, services.get("1")))
        return connections[number]

    try:
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                step(line, kept, services, connection)
            except Mismatch as e:
                raise AssertionError(f"{path.name}:{n}: {line}\n  {e}") from None
    finally:
        for c in connections.values():
            c.socket.close()


def step(line, kept, services, connection):
    if not line.strip() or line.startswith("#"):
        return
    m = re.match(r"service ?(\d?): (\S+)$", line)
    if m:
        services[m[1] or "1"] = m[2]
        return
    m = re.match(r"(TLS|EOF)(\d?)$", line)
    if m:
        c = connection(m[2] or "1")
        if m[1] == "TLS":
            c.start_tls()
        elif not c.at_end():
            raise Mismatch("still open, or more to read")
        return
    m = re.match(r"([CS])(\d?)([:.~]) ?(.*)$", line)
    if not m:
        raise Mismatch("not a line of a dialogue")
    c, text = connection(m[2] or "1"), m[4]
    if m[1] == "C":
        data = fill(text, kept)
        data = unescape(data) if m[3] == "." else data + "\r\n"
        c.send(data.encode("utf-8", "surrogateescape") if m[3] == ":" else data.encode("latin-1"))
        return
    while True:
        got = c.line()
        if expect(got, text, kept):
            return
        if m[3] != "~":
            raise Mismatch(f"got: {got}")
