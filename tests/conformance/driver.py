# SPDX-License-Identifier: Apache-2.0
"""Many connections in one thread: who says what when, what was said, and the first contradiction with its trace."""
import collections
import random
import selectors
import socket
import time

from . import commands as c
from . import messages as m
from .session import Session
from .settle import account_address, begin_anew, read_truth, rest
from .wire import Broken, Reader
from .world import Contradiction, World, insist

# How often each command is given, of those that can be. SELECT is what a session without a mailbox does.
MIX = {"fetch": (m.Fetch, 20), "store": (m.Store, 22), "search": (m.Search, 8), "copy": (m.Copy, 5), "move": (m.Move, 6),
       "append": (m.Append, 12), "expunge": (c.Expunge, 7), "noop": (c.Noop, 8), "idle": (c.Idle, 5), "leave": (c.Leave, 2),
       "select": (c.Select, 3), "status": (c.Status, 3), "list": (c.List, 2), "create": (c.Create, 3),
       "delete": (c.Delete, 1), "rename": (c.Rename, 1.5), "enable": (c.Enable, 0.2), "capability": (c.Capability, 1),
       "logout": (c.Logout, 0.5), "drop": (None, 0.7)}


class Link:
    """A session's socket and turns."""

    def __init__(self, session):
        self.session, self.socket, self.wake, self.cut_at = session, None, 0.0, 0.0
        self.reader = None
        self.asked = 0.0  # when the oldest open command was sent


class Driver:
    def __init__(self, address, accounts, password, seed, clients, pace=0.02, profile=None, mix=None, plant=None,
                 killer=None, idle_seconds=5, log=print):
        self.address, self.accounts, self.password = address, accounts, password
        self.seed, self.pace, self.plant, self.killer, self.log = seed, pace, plant, killer, log
        self.idle_seconds = idle_seconds
        self.profile = profile or {}
        self.world = World(self.profile)
        self.world.uncertain = killer is not None
        self.selector = selectors.DefaultSelector()
        self.lines = collections.deque(maxlen=50000)
        self.resting, self.last_cut, self.at = False, 0.0, None
        self.commands = collections.Counter()
        self.mix = [(cls, weight) for cls, weight in (mix or MIX).values()]
        self.begun = time.monotonic()
        self.links = []
        for n in range(clients):
            s = Session(n, accounts[n % len(accounts)], self.world, random.Random(f"{seed}/{n}"), self.profile)
            self.links.append(Link(s))
        self.world.sessions = [l.session for l in self.links]
        for a in accounts:
            truths = read_truth(self.world, a, address, password(a))
            for t in truths.values():  # what was there before is taken as it is
                for _, _, token, size in t.messages.values():
                    self.world.tokens.setdefault(token, (a, None, int(size)))
            begin_anew(self.world, a, truths)

    # ---- connections ----

    def open(self, l):
        l.session.connected()
        try:
            l.socket = socket.create_connection(self.address, 20)
        except OSError:
            if not self.world.uncertain:
                raise
            l.wake = time.monotonic() + 0.1
            return
        l.reader = Reader()
        self.selector.register(l.socket, selectors.EVENT_READ, l)
        l.wake = float("inf")  # until it is greeted

    def close(self, l, again_in):
        self.note(l, "=", b"closed")
        if l.socket:
            self.selector.unregister(l.socket)
            l.socket.close()
        l.socket = None
        l.session.cut()
        l.session.logged_in = False
        self.last_cut = time.monotonic()
        l.wake = self.last_cut + again_in

    def note(self, l, direction, data):
        self.lines.append((time.monotonic() - self.begun, l.session.number, l.session.account,
                           l.session.view.name if l.session.view else "-", direction, data))

    def send(self, l, data):
        tag = b"%d." % l.session.number
        for line in data.split(b"\r\n")[:-1]:
            if line.startswith((tag, b"DONE")):
                self.note(l, ">", line[:400])
        try:
            l.socket.sendall(data)
        except OSError:
            pass  # its end will be read

    def receive(self, l):
        self.at = l
        s = l.session
        try:
            data = l.socket.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            insist(s.closing or self.world.uncertain or s.may_close(), "the connection is closed without BYE")
            self.close(l, s.rng.random() * 0.5)
            return
        before = len(s.inflight)
        for came in l.reader.feed(data):
            for pieces in self.plant(s, came) if self.plant else [came]:
                self.note(l, "<", b"".join(p[:300] if n % 2 == 0 else b"{%d}%s" % (len(p), p[:60].replace(b"\r\n", b"|"))
                                            for n, p in enumerate(pieces)))
                s.receive(pieces)
        if len(s.inflight) < before:
            l.asked = time.monotonic()
        if s.greeted and not s.inflight:
            l.wake = time.monotonic() + s.rng.expovariate(1) * self.pace
        elif s.idling and not s.current().over:
            l.wake = min(l.wake, time.monotonic() + s.current().until)
        self.at = None

    # ---- what is said ----

    def ask(self, l, *what):
        s = l.session
        if not s.inflight:
            l.asked = time.monotonic()
        data = b""
        for command in what:
            data += s.add(command)
            self.commands[command.verb] += 1
        self.send(l, data)

    def ask_until_ok(self, l, cls):
        """While roles are away, again."""
        end = time.monotonic() + 30
        while l.session.logged_in and time.monotonic() < end:
            synced = l.session.view.synced if l.session.view else None
            self.ask(l, cls(l.session))
            self.until(lambda: not l.session.inflight, "an answer to NOOP", 100)
            if l.session.view is None or l.session.view.synced != synced or not l.session.logged_in:
                return
            time.sleep(0.1)
        insist(not l.session.logged_in, "NOOP is refused for 30 seconds")

    def turn(self, l):
        """What a session does when it is its turn."""
        s = l.session
        self.at = l
        l.wake = float("inf")
        if l.socket is None:
            if not self.resting:
                self.open(l)
            else:
                l.wake = time.monotonic() + 0.1
        elif s.idling:
            if self.resting:
                l.wake = time.monotonic() + 0.1
            else:
                s.current().over = True
                self.send(l, b"DONE\r\n")
        elif not s.logged_in:
            if s.closing:  # its login was refused for now
                self.close(l, 0.2)
            else:
                self.ask(l, c.Login(s, account_address(s.account), self.password(s.account)), c.Capability(s))
        elif s.inflight:
            pass
        elif self.resting:
            l.wake = time.monotonic() + 0.02
        else:
            self.say_something(l)
        self.at = None

    def say_something(self, l):
        s = l.session
        count = s.rng.choice((1, 1, 1, 2, 3, 4))
        if "no-pipelining" in self.profile:
            count = 1
        if s.kind and s.kind not in s.enabled and s.kind in s.capabilities and s.rng.random() < 0.8:
            self.ask(l, c.Enable(s, [s.kind]))
        elif s.view is None and s.rng.random() < 0.7:
            self.ask(l, c.Select.make(s))
        else:
            self.say(l, count)

    def say(self, l, count):
        """Several commands at once: what comes behind one that may tell EXPUNGEs goes by UIDs alone."""
        s, data = l.session, b""
        while count > 0:
            cls = self.choose(s)
            if cls is None:
                if not s.inflight or s.rng.random() < 0.5:
                    self.send(l, data)
                    self.close(l, s.rng.choice((0, 0.2, 1)))
                    return
                continue
            if cls.selected and not s.view:
                continue
            command = cls.make(s)
            if command is None or (command.alone and s.inflight):
                count -= s.rng.random() < 0.2
                continue
            if not s.inflight:
                l.asked = time.monotonic()
            data += s.add(command)
            self.commands[command.verb] += 1
            count = 0 if command.alone else count - 1
        if data:
            self.send(l, data)
        if not s.inflight:
            l.wake = time.monotonic() + self.pace

    def choose(self, s):
        classes, weights = zip(*self.mix)
        return s.rng.choices(classes, weights)[0]

    # ---- time ----

    def step(self, most=0.05):
        now = time.monotonic()
        for l in self.links:
            if l.wake <= now:
                self.turn(l)
            if l.session.inflight and not l.session.idling and now - l.asked > 90:
                self.at = l
                raise Contradiction(f"no answer to {l.session.current().verb} for 90 s")
        if self.killer and not self.resting:
            self.killer.act(now, self.world)
        wake = min(l.wake for l in self.links)
        for key, _ in self.selector.select(max(0, min(most, wake - time.monotonic()))):
            if key.data.socket is key.fileobj:
                self.receive(key.data)

    def until(self, true, what, seconds):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                insist(what is None, "%s did not come in %d s", what, seconds)
                return
            self.step()

    def run(self, seconds, round_seconds=15):
        """Raises Contradiction; its trace is trace()."""
        end = time.monotonic() + seconds
        rounds = 0
        try:
            while time.monotonic() < end:
                over = min(end, time.monotonic() + round_seconds * random.Random(f"{self.seed}/round{rounds}").uniform(0.3, 1))
                self.until(lambda over=over: time.monotonic() > over, None, round_seconds + 60)
                if self.killer:
                    self.killer.wait_back(self.world)
                rest(self)
                rounds += 1
        except (Broken, LookupError, ValueError, TypeError, AttributeError) as e:
            if not isinstance(e, Broken) and not self.plant:
                raise
            raise Contradiction(f"not understood: {e!r}") from e
        return rounds

    def trace(self, count=150):
        """The last lines of who found it and of those who have the same mailbox, in the order they went."""
        at = self.at.session if self.at else None
        names = {at.view.name} if at and at.view else set()
        chosen = [x for x in self.lines if at is None or x[1] == at.number or
                  (x[2] == at.account and (x[3] in names or not names))]
        text = [f"{t:9.4f} {number:3} {account}/{name} {way} {data.decode('latin-1')}"
                for t, number, account, name, way, data in chosen[-count:]]
        who = f"session {at.number}, {at.account}" if at else "nobody"
        return "\n".join([f"seed {self.seed}, seen by {who}", *text])

    def end(self):
        for l in self.links:
            if l.socket:
                l.socket.close()
        self.selector.close()
