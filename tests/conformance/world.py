# SPDX-License-Identifier: Apache-2.0
"""What all sessions together know: of each mailbox which messages there may be and must be, what flags each may have.

Time is a counter that rises with every line sent or read. A command is known to have happened between its sending and
its answer, no closer; so a fact is a *register*: writes with an interval each, and what a reading may have seen is
every value that no later write has surely replaced. What is claimed here is therefore never more than what a client
may rely on.

At rest (settle.py) everything is read anew, compared, and the past is forgotten."""
import bisect
import hashlib
import itertools
import os
import time

INF = float("inf")
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "\\Draft", "$Blue", "$Forwarded")
MESSAGES = ("\\Seen", "\\Flagged", "\\Deleted")
clock = itertools.count(1)


def tick():
    return next(clock)


class Contradiction(Exception):
    """The server said what can't be."""


def insist(true, text, *args):
    if not true:
        raise Contradiction(text % args if args else text)


class Write:
    def __init__(self, start, end, value):
        self.start, self.end, self.value = start, end, value


class Register:
    """A value that is written by several at once. Reads are regular: see above."""

    def __init__(self):
        self.writes = []

    def add(self, value, start, end=INF):
        w = Write(start, end, value)
        self.writes.append(w)
        return w

    def drop(self, write):
        self.writes.remove(write)

    def allowed(self, low, high, own=None):
        """What may be read at a moment from low to high. own: a write that the reader knows to be done."""
        done = max((w.start for w in self.writes if w.end < low or w is own), default=0)
        return {w.value for w in self.writes if w.start <= high and w.end >= done}

    def prune(self, low):
        if len(self.writes) > 12:
            done = max((w.start for w in self.writes if w.end < low), default=0)
            self.writes = [w for w in self.writes if w.end >= done]


class Rising:
    """A number that never falls. at(t) is what it was known to be at least, at t."""

    def __init__(self):
        self.times, self.values = [], []

    def add(self, value, time):
        if not self.values or value > self.values[-1]:
            self.times.append(time)
            self.values.append(value)

    def at(self, time):
        n = bisect.bisect_right(self.times, time)
        return self.values[n - 1] if n else 0


class Message:
    def __init__(self):
        self.token = None         # what was appended
        self.facts = {}           # item → value, of what never changes
        self.flags = {}           # flag → Register
        self.known = False        # its flags at birth are
        self.birth = 0            # when what made it was sent
        self.told = False         # APPENDUID or COPYUID named it
        self.first_seen = INF
        self.gone = None          # since when it is known to have been expunged
        self.modseq = Rising()
        self.states = {}          # modseq → flags

    def register(self, flag):
        if flag not in self.flags:
            self.flags[flag] = Register()
        return self.flags[flag]

    def born(self, flags, start, end):
        """flags: flag → the values it may have had."""
        self.known, self.birth = True, start
        end = min(end, self.first_seen)
        for flag in FLAGS:
            for value in flags.get(flag, {False}):
                self.register(flag).writes.insert(0, Write(min(start, end), end, value))

    def allowed(self, flag, low, high, own=None):
        return self.register(flag).allowed(low, high, own) if self.known else {True, False}


class Expunging:
    """An EXPUNGE, CLOSE or MOVE. uids: None is all. moves: whatever the flags."""

    def __init__(self, uids, moves):
        self.start, self.end = tick(), INF
        self.uids, self.moves = uids, moves
        self.may_have = None  # once it is over: what it may have taken of those that were known
        self.knew = set()

    def over(self, mailbox):
        self.end = tick()
        self.may_have = {uid for uid, m in mailbox.messages.items() if self.may_take(uid, m, self.end)}
        self.knew = set(mailbox.messages)

    def refused(self):
        self.end, self.uids = 0, set()

    def may_take(self, uid, message, now):
        if self.uids is not None and uid not in self.uids:
            return False
        if self.moves or not message.known:
            return True
        if uid in self.knew:
            return uid in self.may_have
        if message.birth > self.end:
            return False
        return True in message.allowed("\\Deleted", self.start, now)


class Mailbox:
    """By UIDVALIDITY; names come and go."""

    def __init__(self, account, uidvalidity):
        self.account, self.uidvalidity = account, uidvalidity
        self.messages = {}
        self.expungings = []
        self.uidnext, self.highest = Rising(), Rising()
        self.wiped = False         # a DELETE, or a RENAME of INBOX, that may be its
        self.deleted = False       # a DELETE
        self.unexplained = False   # messages may be in it that nobody was told the UIDs of

    def __repr__(self):
        return f"{self.account}/{self.uidvalidity}"

    def delete(self):
        self.wiped = self.deleted = True

    def message(self, uid):
        if uid not in self.messages:
            self.messages[uid] = Message()
        return self.messages[uid]

    def see(self, uid):
        m = self.message(uid)
        m.first_seen = min(m.first_seen, tick())
        return m

    def new_uid(self, uid, start):
        """APPENDUID's or COPYUID's, of a command sent at start. RFC 9051 2.3.1.1"""
        insist(uid >= self.uidnext.at(start), "UID %d is given, but %d was known to be the next", uid,
               self.uidnext.at(start))
        self.uidnext.add(uid + 1, tick())
        return self.message(uid)

    def expunge(self, uids=None, moves=False):
        e = Expunging(uids, moves)
        self.expungings.append(e)
        return e

    def maybe_gone(self, uid, low=0):
        """Whether it may have been expunged since low; what was before, a session must know."""
        m = self.messages.get(uid)
        if m is None or m.gone is not None or self.wiped:
            return True
        now = tick()
        return any(e.end >= low and e.may_take(uid, m, now) for e in self.expungings)

    def told_gone(self, uid):
        m, now = self.message(uid), tick()
        if m.gone is not None:
            return
        m.gone = now
        if m.known and not self.wiped:
            insist(any(e.may_take(uid, m, now) for e in self.expungings),
                   "UID %d is said to be expunged, and nobody has done it", uid)

    def check_flags(self, uid, flags, low, own=None):
        m, now = self.message(uid), tick()
        if not m.known:
            return
        for flag in FLAGS:
            values = m.register(flag).allowed(low, now, (own or {}).get(flag))
            insist((flag in flags) in values, "UID %d can't be %s %s", uid, "with" if flag in flags else "without", flag)

    def check_modseq(self, uid, modseq, flags, low, profile):
        m = self.message(uid)
        insist(modseq >= m.modseq.at(low), "UID %d has MODSEQ %d, but had %d before", uid, modseq, m.modseq.at(low))
        m.modseq.add(modseq, tick())
        if flags is not None and "one-modseq-two-flags" not in profile:
            was = m.states.setdefault(modseq, flags)
            insist(was == flags, "UID %d with MODSEQ %d was %s, and is %s", uid, modseq, sorted(was), sorted(flags))

    def fact(self, uid, name, value):
        """What never changes for a UID."""
        was = self.message(uid).facts.setdefault(name, value)
        insist(was == value, "%s of UID %d was %r, and is %r", name, uid, was, value)


class Names:
    """Which mailboxes an account has. At rest all is known."""

    def __init__(self):
        self.exists = {}
        self.keys = {}       # name → UIDVALIDITYs that it may stand for
        self.moves = []      # (name, to or None, write): RENAMEs and DELETEs
        self.lost_to = set()  # what was to come there may have
        self.moved_inbox = False
        self.lost_moves = []  # (mailbox, UID, target's name) of MOVEs without an answer

    def refused(self, name, write):
        """A CREATE, DELETE or RENAME did nothing."""
        self.register(name).drop(write)
        self.moves = [m for m in self.moves if m[2] is not write]

    def register(self, name):
        if name not in self.exists:
            self.exists[name] = Register()
            self.exists[name].add(name == "INBOX", 0, 0)
        return self.exists[name]

    def may(self, name, value, low, own=None):
        """Whether it may have existed (value), or not, at some moment since low. own: a write not to count."""
        register = self.register(name)
        if own is not None:
            register = Register()
            register.writes = [w for w in self.exists[name].writes if w is not own]
        return value in register.allowed(low, tick())


class World:
    def __init__(self, profile=()):
        self.profile = profile
        self.mailboxes = {}   # (account, uidvalidity)
        self.names = {}       # account → Names
        self.tokens = {}      # token → (account, hash, size)
        self.next_token = itertools.count(1)
        self.run = f"{os.getpid():x}.{time.time_ns() & 0xffffff:x}"
        self.sessions = []
        self.trouble_until = 0  # of the monotonic clock: a role was killed just before
        self.uncertain = False  # roles are killed: what was in flight may have happened

    def mailbox(self, account, uidvalidity):
        key = account, uidvalidity
        if key not in self.mailboxes:
            self.mailboxes[key] = Mailbox(account, uidvalidity)
        return self.mailboxes[key]

    def of(self, account):
        if account not in self.names:
            self.names[account] = Names()
        return self.names[account]

    def learn(self, account, name, uidvalidity, started, seen=None):
        """A command that was sent at `started` found this mailbox under this name: whoever renames or deletes it,
        then or later, has to do with it. seen: the moves that were followed already."""
        names, seen = self.of(account), set() if seen is None else seen
        names.keys.setdefault(name, set()).add(uidvalidity)
        for old, to, write in names.moves:
            if old == name and write.end >= started and write not in seen:
                seen.add(write)
                if to is None:
                    self.mailbox(account, uidvalidity).delete()
                else:
                    self.learn(account, to, uidvalidity, write.start, seen)

    def named(self, account, name):
        """The mailboxes that a name may stand for."""
        return [self.mailbox(account, v) for v in self.of(account).keys.get(name, ())]

    def new_message(self, account, rng):
        """A message like no other, and its token."""
        token = f"{account.partition('@')[0]}-{self.run}-{next(self.next_token)}"
        body = "".join(rng.choice("abcdefgh \n") for _ in range(rng.choice((0, 10, 200, 3000)))).replace("\n", "\r\n")
        text = (f"From: <{account}@example.test>\r\nSubject: message {token}\r\nX-Token: {token}\r\n"
                f"Message-ID: <{token}@example.test>\r\n\r\n{body}\r\n").encode()
        self.tokens[token] = account, hashlib.sha256(text).digest(), len(text)
        return token, text

    def check_token(self, mailbox, uid, token):
        insist(token in self.tokens, "UID %d is a message that nobody has appended: %r", uid, token)
        insist(self.tokens[token][0] == mailbox.account, "UID %d is another account's message: %r", uid, token)
        m = mailbox.message(uid)
        insist(m.token in (None, token), "UID %d was %s, and is %s", uid, m.token, token)
        m.token = token

    def check_body(self, mailbox, uid, body):
        at = body.find(b"X-Token: ")
        token = body[at + 9:body.find(b"\r\n", at)].decode("latin-1") if at >= 0 else "none"
        self.check_token(mailbox, uid, token)
        insist(self.tokens[token][1] in (None, hashlib.sha256(body).digest()), "UID %d's bytes are not those of %s", uid, token)

    def troubled(self):
        """A role was killed just before: what was done may be told later."""
        return time.monotonic() < self.trouble_until

    def low_water(self):
        """Nobody will ask what was before."""
        return min((s.oldest() for s in self.sessions), default=INF)
