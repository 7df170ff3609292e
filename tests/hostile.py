# SPDX-License-Identifier: Apache-2.0
"""What the tests of hostile input share: clients that send anything and read carefully, and the
standing conditions around a test."""
import contextlib
import os
import socket

from harness import DOMAIN, wait_for

MAIL = b"MAIL FROM:<a@other.test>\r\n"
RCPT = b"RCPT TO:<bob@example.test>\r\n"
MESSAGE = b"Subject: x\r\n\r\ntext\r\n"
MIB = 1 << 20


class Connection:
    """Bytes to a server, lines from it; who was cut off sends into the void and reads b""."""

    def __init__(self, culver, service):
        self.culver, self.kept, self.at = culver, b"", 0
        self.socket = culver.connect(service, timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass

    def more(self):
        """Whether anything came."""
        try:
            got = self.socket.recv(MIB)
        except ConnectionError:
            got = b""
        self.kept = self.kept[self.at:] + got
        self.at = 0
        return got != b""

    def line(self):
        """The next line less its CRLF, or None when the server has closed."""
        while (end := self.kept.find(b"\r\n", self.at)) < 0:
            if not self.more():
                return None
        line = self.kept[self.at:end]
        self.at = end + 2
        return line

    def exactly(self, n):
        while len(self.kept) - self.at < n:
            assert self.more()
        self.at += n
        return self.kept[self.at - n:self.at]

    def closed(self):
        """Reads to the end: the server must close by itself."""
        while self.line() is not None:
            pass
        return True

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


class Smtp(Connection):
    def __init__(self, culver, service="smtp", hello=b"EHLO client.example\r\n"):
        super().__init__(culver, service)
        self.reply()
        if hello:
            assert self.say(hello) == 250

    def reply(self):
        """The code of the next reply, or 0 when the server has closed."""
        while (line := self.line()) is not None:
            if line[3:4] != b"-":
                return int(line[:3])
        return 0

    def say(self, data):
        self.send(data)
        return self.reply()

    def closed(self):
        return self.reply() == 0

    def envelope(self):
        assert [self.say(MAIL), self.say(RCPT)] == [250, 250]

    def data(self):
        self.envelope()
        assert self.say(b"DATA\r\n") == 354

    def chunk(self, message):
        """A whole message, whatever bytes it has; returns the code."""
        assert self.say(MAIL[:-2] + b" BODY=BINARYMIME\r\n") == 250
        assert self.say(RCPT) == 250
        return self.say(b"BDAT %d LAST\r\n" % len(message) + message)


class Imap(Connection):
    """Responses come whole, as lists of pieces: text and, behind each {n}, its literal."""

    def __init__(self, culver, user="bob"):
        super().__init__(culver, "imap")
        self.response()
        if user:
            assert self.say(f'LOGIN {user}@{DOMAIN} "{culver.password(user)}"'.encode()) == b"OK"

    def response(self):
        pieces = []
        while (line := self.line()) is not None:
            pieces.append(line)
            if not line.endswith(b"}"):
                return pieces
            size = line[line.rindex(b"{") + 1:-1]
            pieces.append(self.exactly(int(size)))
        assert not pieces
        return None

    def answer(self, tag=b"x"):
        """The status of a tagged response, or None at the end; self.untagged is what came first."""
        self.untagged = []
        while (pieces := self.response()) is not None:
            if pieces[0].startswith((tag + b" ", b"* BAD ")):
                self.text = pieces[0]
                return pieces[0].split(b" ")[1]
            self.untagged.append(pieces)
        return None

    def say(self, command):
        self.send(b"x " + command + b"\r\n")
        return self.answer()

    def ask(self, command):
        """What one FETCH, LIST or SEARCH says, each response as a tree."""
        assert self.say(command) == b"OK", (command, self.text)
        return [tree(pieces) for pieces in self.untagged]

    def goodbye(self):
        """Whether the server ended the connection, and said so first unless it was reset."""
        while (pieces := self.response()) is not None:
            if pieces[0].startswith(b"* BYE "):
                return self.closed()
            assert pieces[0].split(b" ")[1] in (b"BAD", b"NO", b"OK"), pieces
        return True


def append(c, mailbox=b"INBOX", message=MESSAGE, how=b""):
    return c.say(b"APPEND %s %s{%d+}\r\n" % (mailbox, how, len(message)) + message)


def tree(pieces):
    """A response as lists of atoms and strings; fails where it breaks the grammar."""
    stack = [[]]
    for n, piece in enumerate(pieces):
        if n % 2:
            stack[-1].append(piece)
            continue
        at = 0
        while at < len(piece):
            at = token(piece, at, stack)
    assert len(stack) == 1, pieces
    return stack[0]


def token(text, at, stack):
    """Adds what begins at an index of the text; returns the index behind it."""
    c = text[at:at + 1]
    if c == b"(":
        stack.append([])
    elif c == b")":
        done = stack.pop()
        stack[-1].append(done)
    elif c == b'"':
        return quoted(text, at + 1, stack)
    elif c != b" ":
        return atom(text, at, stack)
    return at + 1


def quoted(text, at, stack):
    value = bytearray()
    while text[at] != 0x22:
        at += text[at] == 0x5c
        assert text[at] not in b"\0\r\n"
        value.append(text[at])
        at += 1
    stack[-1].append(bytes(value))
    return at + 1


def atom(text, at, stack):
    """Up to a blank or parenthesis, with BODY[…] as one."""
    end, section = at, False
    while end < len(text) and (section or text[end] not in b" ()"):
        section = (section or text[end] == 0x5b) and text[end] != 0x5d
        end += 1
    word = text[at:end]
    if end != len(text) or not word.endswith(b"}"):  # {n}: its literal follows
        assert b'"' not in word or b"[" in word, text
        stack[-1].append(word)
    return end


class Pop3(Connection):
    def __init__(self, culver, user="bob"):
        super().__init__(culver, "pop3")
        assert self.ok()
        if user:
            assert self.say(f"USER {user}@{DOMAIN}".encode())
            assert self.say(f"PASS {culver.password(user)}".encode())

    def ok(self):
        """True for +OK, False for -ERR, None at the end; self.text is the line."""
        self.text = self.line()
        if self.text is None:
            return None
        assert self.text.startswith((b"+OK", b"-ERR")), self.text
        return self.text.startswith(b"+OK")

    def say(self, command):
        self.send(command + b"\r\n")
        return self.ok()

    def lines(self, command):
        """The lines of a long answer, without stuffing."""
        assert self.say(command), (command, self.text)
        found = []
        while (line := self.line()) != b".":
            assert line is not None
            found.append(line.removeprefix(b"."))
        return found


# ---- the standing conditions ----

def accepted(culver):
    return sum(e["answer"] == "250" for e in culver.events("smtp-message"))


def fds(pid):
    """Open descriptors. The roles let nobody look into them but root: for others it is always 0."""
    return len(os.listdir(f"/proc/{pid}/fd")) if os.geteuid() == 0 else 0


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmRSS"))


def cpu(pids):
    """Seconds that processes have worked."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            ticks += sum(map(int, f.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def deliver(culver):
    with Smtp(culver) as c:
        c.data()
        assert c.say(b"Subject: clean\r\n\r\ntext\r\n.\r\n") == 250


def read_clean(culver):
    """A clean transaction of those who read mail: who delivers has something to find."""
    with Imap(culver) as c:
        assert c.say(b"EXAMINE INBOX") == b"OK"
        assert c.ask(b"FETCH * (UID BODY.PEEK[TEXT])")[0][3][-1] == b"text\r\n"
    with Pop3(culver) as c:
        count = int(c.text.split()[3])
        assert c.lines(b"RETR %d" % count)[-1] == b"text"
        assert c.say(b"QUIT")


@contextlib.contextmanager
def conditions(shared, front, grown=8 * MIB, busy=5.0, clean=lambda culver: None):
    """Around a test: the same processes afterwards, a clean transaction works, nothing but the
    intended was delivered, and neither memory nor descriptors nor work grew past bounds. Gives the
    server, and a dict whose "messages" counts those that are meant to be accepted."""
    expected = {"messages": getattr(shared, "messages", 0) + 1}
    deliver(shared)
    clean(shared)
    wait_for(lambda: accepted(shared) == expected["messages"])
    roles = shared.roles()
    pid = roles[front]
    before = memory(pid), fds(pid), cpu(roles.values())
    yield shared, expected
    deliver(shared)
    clean(shared)
    shared.messages = expected["messages"] + 1
    assert shared.roles() == roles
    wait_for(lambda: accepted(shared) == shared.messages)
    wait_for(lambda: fds(pid) <= before[1])
    assert memory(pid) - before[0] < grown
    assert cpu(roles.values()) - before[2] < busy
