# SPDX-License-Identifier: Apache-2.0
"""One connection: what its server has told it, and whether it could say that.

A session's view is a list of entries in the order of sequence numbers. What a client believes of an entry's flags is
what it was told last, changed by its own STORE .SILENT; at rest that must be the truth (settle.py)."""
import collections

from .wire import STATUS, Broken, numbers, pairs, tree
from .world import FLAGS, INF, Contradiction, insist, tick

IMMUTABLE = ("RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "EMAILID", "BODYSTRUCTURE")


class Entry:
    def __init__(self, floor):
        self.uid, self.floor = None, floor
        self.flags = self.modseq = None
        self.owed = False  # the FETCH that a STORE is to bring, which a store that was killed kept back


class View:
    """A selected mailbox."""

    def __init__(self, name, read_only):
        self.name, self.read_only = name, read_only
        self.mailbox = None
        self.entries = []
        self.top = 0          # every UID up to here was given before what comes now
        self.synced = tick()  # what was done before then, the session must know
        self.highest = 0      # what a client may ask to be brought up from. RFC 7162 6
        self.heard = 0        # MODSEQs since the last tagged response
        self.said = None      # HIGHESTMODSEQ since then

    def uids(self):
        return [e.uid for e in self.entries if e.uid is not None]

    def find(self, uid):
        return next((e for e in self.entries if e.uid == uid), None)

    def grow(self, exists):
        insist(exists >= len(self.entries), "EXISTS falls from %d to %d without EXPUNGE", len(self.entries), exists)
        while len(self.entries) < exists:
            self.entries.append(Entry(self.top))

    def learn(self, index, uid):
        e = self.entries[index]
        if e.uid is not None:
            insist(e.uid == uid, "message %d was UID %d, and is %d", index + 1, e.uid, uid)
            return e
        insist(uid > e.floor, "message %d is new, and has UID %d, which was given before (%d)", index + 1, uid, e.floor)
        before = max((x.uid for x in self.entries[:index] if x.uid), default=0)
        behind = min((x.uid for x in self.entries[index + 1:] if x.uid), default=INF)
        insist(before < uid < behind, "UID %d stands between %s and %s", uid, before, behind)
        e.uid = uid
        self.top = max(self.top, uid)
        self.mailbox.see(uid)
        return e

    def index_of_vanished(self, uid):
        """The place of a UID that may not have been told yet: the last one without, where it would fit (so what is left
        is never claimed to be newer than it is)."""
        fits = None
        for n, e in enumerate(self.entries):
            if e.uid == uid:
                return n
            if e.uid is None and uid > e.floor:
                fits = n
            if e.uid is not None and e.uid > uid:
                break
            if e.uid is not None:
                fits = None
        insist(fits is not None, "VANISHED UID %d is not in the view", uid)
        return fits


class Session:
    """Socket and turns are the driver's. send(bytes) is given to it."""

    def __init__(self, number, account, world, rng, profile):
        self.number, self.account, self.world, self.rng, self.profile = number, account, world, rng, profile
        self.caches = {}  # name → (UIDVALIDITY, HIGHESTMODSEQ, {uid: (flags, modseq)}), of when it was left
        self.connected()

    def connected(self):
        """A new connection."""
        self.inflight = collections.deque()
        self.view = None
        self.enabled = set()
        self.kind = self.rng.choice(("", "", "CONDSTORE", "QRESYNC", "QRESYNC", "QRESYNC"))  # what it will enable
        self.greeted = self.logged_in = self.idling = self.closing = False
        self.mentioned = set()  # entries whose FETCH came during the present command
        self.tags = 0
        self.capabilities = ""

    def oldest(self):
        return min([c.started for c in self.inflight] + ([self.view.synced] if self.view else []), default=INF)

    # ---- commands ----

    def add(self, command):
        """Its line, to be sent now."""
        self.tags += 1
        command.tag = f"{self.number}.{self.tags}"
        self.inflight.append(command)
        line = command.tag.encode() + b" " + command.line() + b"\r\n"
        command.started = tick()
        command.begin()
        if len(self.inflight) == 1:
            self.becomes_current()
        return line

    def becomes_current(self):
        self.mentioned = set()
        self.inflight[0].current()

    def current(self):
        return self.inflight[0] if self.inflight else None

    # ---- responses ----

    def receive(self, pieces):
        if not pieces[0]:
            raise Broken("an empty line")
        first, _, rest = pieces[0].decode("latin-1").partition(" ")
        if first == "+":
            command = self.current()
            insist(command is not None, "+ without a command")
            command.continued()
        elif first == "*":
            self.untagged(pieces, rest)
        else:
            self.tagged(first, rest)

    def tagged(self, tag, rest):
        command = self.current()
        insist(command is not None and command.tag == tag, "a tagged response to no command, or out of turn: %s", tag)
        found = STATUS.match(rest)
        insist(found is not None, "a tagged response without a status")
        status, code = found.group(1).upper(), found.group(2) or ""
        view = self.view
        if code.upper().startswith("HIGHESTMODSEQ ") and view:
            self.highest_said(int(code.split()[1]))
        self.account_for_modseq(view)
        command.done(status, code)
        self.inflight.popleft()
        if self.inflight:
            self.becomes_current()

    def account_for_modseq(self, view):
        """RFC 7162 6"""
        if view is None:
            return
        if view.said is not None:
            view.highest = view.said
        else:
            view.highest = max(view.highest, view.heard)
        view.heard, view.said = 0, None

    def untagged(self, pieces, rest):
        if not self.greeted:
            insist(rest.startswith("OK"), "no greeting: %s", rest)
            self.greeted = True
            return
        word = rest.split(" ", 1)[0].upper()
        if word in ("OK", "NO", "BAD", "BYE"):
            self.status(word, STATUS.match(rest).group(2) or "")
            return
        if word == "FLAGS" or word == "CAPABILITY" or word == "ENABLED":
            if word == "CAPABILITY":
                self.capabilities = rest
            if word == "ENABLED":
                self.enabled |= set(rest.upper().split()[1:])
            return
        items = tree(pieces)[1:]
        if word.isdigit():
            self.numbered(int(word), items[1].upper(), items[2:])
        elif word == "VANISHED":
            self.vanished(items[1:])
        else:
            command = self.current()
            insist(command is not None and command.untagged(word, items[1:]), "an untagged %s that nobody asked for", word)

    def status(self, word, code):
        name = code.split(" ")[0].upper()
        command = self.current()
        if word == "BYE":
            self.closing = True
            insist(self.may_close(), "BYE without a reason: [%s]", code)
        elif name == "CLOSED" and not (command and command.selects):
            insist(self.view is not None, "CLOSED without a selected mailbox")
            self.view = None
        elif name == "HIGHESTMODSEQ" and self.view:
            self.highest_said(int(code.split()[1]))
        elif command is not None:
            command.said(word, name, code)

    def may_close(self):
        return (self.world.uncertain or (self.view and self.view.mailbox and self.view.mailbox.deleted) or
                any(c.ends for c in self.inflight))

    def highest_said(self, value):
        v = self.view
        v.said = value
        if v.mailbox is None:
            return
        selecting = self.current() and self.current().selects
        if selecting:  # what others knew before, this must have
            low = v.mailbox.highest.at(self.current().started)
            insist(value >= low, "HIGHESTMODSEQ is %d, but was %d", value, low)
        else:
            insist(value >= v.highest, "HIGHESTMODSEQ falls from %d to %d", v.highest, value)
        v.mailbox.highest.add(value, tick())

    # ---- what is about messages ----

    def numbered(self, n, what, rest):
        if what == "RECENT":
            return
        insist(self.view is not None, "%s without a selected mailbox", what)
        if what == "EXISTS":
            self.view.grow(n)
            return
        insist(1 <= n <= len(self.view.entries), "%s of message %d, of %d", what, n, len(self.view.entries))
        if what == "EXPUNGE":
            self.may_expunge("EXPUNGE")
            insist(not self.surely("QRESYNC"), "EXPUNGE instead of VANISHED")
            self.remove(n - 1)
        elif what == "FETCH":
            self.fetched(n, pairs(rest[0]))
        else:
            raise Contradiction(f"an unknown response {what}")

    def surely(self, what):
        """Enabled, and the command that enables it is over. RFC 7162 3.1, 3.2.3"""
        return what in self.enabled and not any(what in c.enables for c in self.inflight)

    def may_expunge(self, what):
        """RFC 9051 7.5.1"""
        command = self.current()
        insist(command is not None, "%s when no command is in progress", what)
        insist(not command.quiet, "%s during %s", what, command.verb)

    def remove(self, index):
        e = self.view.entries.pop(index)
        if e.uid is not None and self.view.mailbox:
            self.view.mailbox.told_gone(e.uid)

    def vanished(self, rest):
        earlier = rest[0] == ["EARLIER"]
        uids = numbers(rest[-1])
        command = self.current()
        if earlier:
            insist("QRESYNC" in self.enabled, "VANISHED, which was not enabled")
            insist(command is not None and command.vanished(uids), "VANISHED (EARLIER) that nobody asked for")
            return
        insist("QRESYNC" in self.enabled or (command and "QRESYNC" in command.enables), "VANISHED, which was not enabled")
        self.may_expunge("VANISHED")
        for uid in uids:
            index = self.view.index_of_vanished(uid)
            if self.view.entries[index].uid is None:
                self.view.mailbox.see(uid)
                self.view.entries[index].uid = uid
            self.remove(index)

    def fetched(self, n, items):
        view, command = self.view, self.current()
        if command is not None and command.takes_fetch(n, items):
            return
        e = view.entries[n - 1]
        if "UID" in items:
            e = view.learn(n - 1, int(items["UID"]))
        self.take_state(e, items)
        if e.uid is not None:
            self.take_content(e.uid, items)
        self.mentioned.add(e)
        if command is not None:
            command.fetched(n, e, items)
        e.owed = False

    def take_state(self, e, items):
        """Flags and MODSEQ."""
        view = self.view
        flags = modseq = None
        if "MODSEQ" in items:
            modseq = int(items["MODSEQ"][0])
            insist(e.modseq is None or modseq >= e.modseq, "MODSEQ falls from %s to %d", e.modseq, modseq)
            # RFC 7162 6: who had come again with that modseq would not have heard of this
            insist(e.modseq is None or not e.modseq < modseq <= view.highest or not self.surely("CONDSTORE") or
                   "modseq-in-parts" in self.profile,
                   "message %d changed at %d, and the client was to believe that it knew all up to %d",
                   view.entries.index(e) + 1, modseq, view.highest)
            e.modseq = modseq
            view.heard = max(view.heard, modseq)
        elif self.surely("CONDSTORE") and "FLAGS" in items:  # RFC 7162 3.2, 3.2.4
            command = self.current()
            insist("no-modseq" in self.profile or (command and command.verb == "FETCH"),
                   "FLAGS without MODSEQ, after CONDSTORE was enabled")
        if "FLAGS" in items:
            flags = frozenset(f for f in items["FLAGS"] if f.upper() != "\\RECENT")
            insist(flags <= set(FLAGS), "flags that nobody set: %s", sorted(flags - set(FLAGS)))
            e.flags = flags
        if e.uid is None:
            return
        if flags is not None:
            view.mailbox.check_flags(e.uid, flags, view.synced)
        if modseq is not None:
            view.mailbox.check_modseq(e.uid, modseq, flags, view.synced, self.profile)

    def take_content(self, uid, items):
        mailbox = self.view.mailbox
        for name, value in items.items():
            if name in IMMUTABLE:
                mailbox.fact(uid, name, value)
            elif name == "BODY[]" and value != "NIL":
                self.world.check_body(mailbox, uid, value)
            elif name.startswith("BODY[HEADER.FIELDS") and value != "NIL":
                self.world.check_token(mailbox, uid, value.decode("latin-1").partition(":")[2].strip())
        message = mailbox.message(uid)
        if "RFC822.SIZE" in items and message.token:
            size = self.world.tokens[message.token][2]
            insist(int(items["RFC822.SIZE"]) == size, "UID %d has %s bytes, of %d", uid, items["RFC822.SIZE"], size)

    # ---- what is known when ----

    def now_synced(self, started):
        """A command that asks for everything, sent at `started`, is over."""
        view = self.view
        view.synced = max(view.synced, started)
        mailbox, unknown = view.mailbox, sum(e.uid is None for e in view.entries)
        if mailbox.deleted:
            return  # the command is answered, and BYE comes behind it
        here = set(view.uids())
        for uid in here:
            gone = mailbox.message(uid).gone
            insist(gone is None or gone > started, "UID %d was expunged, and this session was not told", uid)
        missing = [uid for uid, m in mailbox.messages.items()
                   if m.first_seen < started and uid not in here and not mailbox.maybe_gone(uid)]
        insist(len(missing) <= unknown, "messages that there are and this session was not told of: %s",
               missing[:10])

    # ---- leaving ----

    def remember(self):
        """Before a mailbox is left by who knows QRESYNC: what it will ask to be brought up from."""
        v = self.view
        if v is None or v.mailbox is None or not self.surely("QRESYNC") or not v.highest:
            return
        known = v.highest
        if all(e.uid is not None for e in v.entries):
            self.caches[v.name] = (v.mailbox.uidvalidity, known, {e.uid: (e.flags, e.modseq) for e in v.entries})

    def cut(self):
        """The connection is gone; what was asked may or may not be done."""
        for command in self.inflight:
            command.lost()
        self.remember()
        self.view = None
        self.inflight.clear()
