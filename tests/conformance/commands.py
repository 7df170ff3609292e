# SPDX-License-Identifier: Apache-2.0
"""The base of every command, and those about mailboxes and sessions. What is about messages stands in messages.py.

A command lives through line(), begin() (sent), current() (everything before it is answered: its own responses come
now), done() or lost(). make(session) chooses random arguments; None: there is nothing to do it to."""
from .session import View
from .wire import pairs
from .world import INF, Contradiction, insist, tick

NAMES = ("INBOX", "m0", "m1", "m2", "m3", "m4")
WEIGHTS = (6, 6, 2, 1, 1, 1)
TEMPORARY = ("UNAVAILABLE", "SERVERBUG")


class Command:
    verb = ""
    quiet = False     # RFC 9051 7.5.1: no EXPUNGE while it runs
    may_expunge = True  # news may be told: sequence numbers behind it are unknown
    selects = ends = False
    selected = False  # needs a mailbox
    alone = False     # nothing is sent behind it before it is answered
    enables = ()
    tag = ""
    started = 0

    def __init__(self, session):
        self.s = session
        self.world = session.world

    @classmethod
    def make(cls, session):
        return cls(session)

    def line(self):
        return self.verb.encode()

    def begin(self):
        pass

    def current(self):
        pass

    def continued(self):
        raise Contradiction(f"+ for {self.verb}")

    def untagged(self, word, items):
        return False

    def said(self, word, name, code):
        """An untagged OK, NO or BAD."""
        if word == "BAD":
            raise Contradiction(f"untagged BAD [{code}]")

    def takes_fetch(self, n, items):
        return False

    def fetched(self, n, entry, items):
        pass

    def vanished(self, uids):
        return False

    def lost(self):
        pass

    def done(self, status, code):
        if status == "OK":
            self.ok(code)
        elif status == "NO":
            name = code.split(" ")[0].upper()
            view = self.s.view
            if name in TEMPORARY and (self.world.uncertain or "serverbug" in self.s.profile):
                self.lost()
            elif name == "" and "no-codes" in self.s.profile:
                self.lost()
            elif self.selected and view and view.mailbox.deleted:
                self.lost()  # its mailbox may be gone
            else:
                self.no(name)
        else:
            raise Contradiction(f"{status} for {self.verb}")

    def ok(self, code):
        pass

    def no(self, code):
        raise Contradiction(f"NO [{code}] without a reason")

    @property
    def names(self):
        return self.world.of(self.s.account)

    def may(self, name, value, own=None):
        return self.names.may(name, value, self.started, own)


def pick_name(session):
    return session.rng.choices(NAMES, WEIGHTS)[0]


# ---- of the session ----

class Login(Command):
    verb, alone = "LOGIN", True

    def __init__(self, session, address, password):
        super().__init__(session)
        self.words = f'LOGIN {address} "{password}"'

    def line(self):
        return self.words.encode()

    def ok(self, code):
        self.s.logged_in = True

    def lost(self):
        self.s.closing = True  # comes again


class Capability(Command):
    verb = "CAPABILITY"

    def ok(self, code):
        insist(self.s.capabilities, "CAPABILITY said nothing")


class Enable(Command):
    verb = "ENABLE"

    def __init__(self, session, what):
        super().__init__(session)
        self.enables = {"CONDSTORE"} | set(what) if "QRESYNC" in what else set(what)
        self.what = what

    @classmethod
    def make(cls, s):
        offered = [w for w in ("CONDSTORE", "QRESYNC", "IMAP4REV2") if w in s.capabilities.upper()]
        return cls(s, [s.rng.choice(offered)]) if offered else None

    def line(self):
        return ("ENABLE " + " ".join(self.what)).encode()

    def ok(self, code):
        if self.what == ["QRESYNC"]:  # CONDSTORE may have been enabled by other commands, even refused ones
            insist("QRESYNC" in self.s.enabled, "ENABLE QRESYNC did nothing")
        self.s.enabled |= self.enables


class Noop(Command):
    verb, what = "NOOP", ("NOOP", "NOOP", "CHECK")

    def __init__(self, session):
        super().__init__(session)
        self.verb = session.rng.choice(self.what) if session.view else "NOOP"

    def ok(self, code):
        # While the store is away NOOP may be OK and say nothing.
        if self.s.view and not self.world.troubled():
            self.s.now_synced(self.started)


class Idle(Command):
    verb, alone = "IDLE", True

    def __init__(self, session):
        super().__init__(session)
        self.until, self.over = session.rng.choice((0, 0.05, 0.3, 2.0)), False

    @classmethod
    def make(cls, s):
        return cls(s) if "IDLE" in s.capabilities.upper() else None

    def continued(self):
        self.s.idling = True

    def done(self, status, code):
        self.s.idling = False
        super().done(status, code)

    def lost(self):
        self.s.idling = False


class Logout(Command):
    verb, ends, alone, quiet = "LOGOUT", True, True, False

    def begin(self):
        self.s.remember()


# ---- into mailboxes and out ----

class Select(Command):
    selects = alone = True

    def __init__(self, session, name, how=""):
        super().__init__(session)
        self.name, self.how = name, how
        self.verb = "EXAMINE" if session.rng.random() < 0.15 else "SELECT"
        self.cache = self.known = None
        self.earlier, self.news = set(), []
        if how == "CONDSTORE":
            self.enables = {"CONDSTORE"}

    @classmethod
    def make(cls, s, name=None):
        name = name or pick_name(s)
        how = ""
        if s.surely("QRESYNC") and name in s.caches and s.rng.random() < 0.9:
            how = "QRESYNC"
        elif "CONDSTORE" in s.capabilities.upper() and s.rng.random() < 0.3:
            how = "CONDSTORE"
        return cls(s, name, how)

    def line(self):
        text = f"{self.verb} {self.name}"
        if self.how == "CONDSTORE":
            text += " (CONDSTORE)"
        if self.how == "QRESYNC":
            text += f" (QRESYNC ({self.resync()}))"
        return text.encode()

    def resync(self):
        """UIDVALIDITY, modseq, and at random the known UIDs and a sample of numbers and UIDs. RFC 7162 3.2.5"""
        self.cache = self.s.caches[self.name]
        uidvalidity, highest, known = self.cache
        text, uids, rng = f"{uidvalidity} {highest}", sorted(known), self.s.rng
        if uids and rng.random() < 0.5:
            self.known = uids[-1]
            text += f" 1:{uids[-1]}"
        if uids and rng.random() < 0.5:
            sample = sorted(rng.sample(range(len(uids)), rng.randint(1, len(uids))))
            text += " ({} {})".format(",".join(str(n + 1) for n in sample), ",".join(str(uids[n]) for n in sample))
        return text

    def begin(self):
        if self.s.view:
            self.s.remember()

    def current(self):
        if self.s.view:
            self.s.remember()
        self.s.view = View(self.name, self.verb == "EXAMINE")
        self.exists = None

    def said(self, word, name, code):
        view, number = self.s.view, code.split(" ")[-1]
        if name == "UIDVALIDITY":
            view.mailbox = self.world.mailbox(self.s.account, int(number))
            if view.said is not None:
                self.s.highest_said(view.said)
        elif name == "UIDNEXT":
            self.uidnext = int(number)
            view.top = self.uidnext - 1

    def untagged(self, word, items):
        return word == "LIST"  # rev2

    def vanished(self, uids):
        self.earlier |= set(uids)
        return self.how == "QRESYNC"

    def takes_fetch(self, n, items):
        """What a QRESYNC brings."""
        insist(self.how == "QRESYNC", "FETCH during SELECT")
        insist("UID" in items and "FLAGS" in items and "MODSEQ" in items, "QRESYNC's FETCH lacks something")
        self.news.append((n, int(items["UID"]), items))
        return True

    def ok(self, code):
        view = self.s.view
        insist(view.mailbox is not None, "SELECT without UIDVALIDITY")
        insist(self.may(self.name, True), "%s does not exist", self.name)
        insist(code.upper() == ("READ-ONLY" if view.read_only else "READ-WRITE"), "[%s] after %s", code, self.verb)
        low = view.mailbox.uidnext.at(self.started)
        insist(self.uidnext >= low, "UIDNEXT is %d, but was known to be %d", self.uidnext, low)
        view.mailbox.uidnext.add(self.uidnext, tick())
        self.world.learn(self.s.account, self.name, view.mailbox.uidvalidity, self.started)
        for e in view.entries:
            e.floor = 0
        if self.cache and self.cache[0] == view.mailbox.uidvalidity:
            self.bring_up_to_date(view)
        else:
            insist(not self.news and not self.earlier, "another UIDVALIDITY, and still QRESYNC brings something")
        view.highest = max(view.highest, view.said or 0)
        view.synced = self.started
        if self.enables:
            self.s.enabled |= self.enables

    def bring_up_to_date(self, view):
        """The cache and what the server said must be what there is now. RFC 7162 3.2.5"""
        state = {uid: was for uid, was in self.cache[2].items() if uid not in self.earlier}
        for uid in self.earlier & set(self.cache[2]):
            view.mailbox.told_gone(uid)
        for _, uid, items in self.news:
            insist(uid not in self.earlier, "UID %d is both VANISHED and there", uid)
            insist(int(items["MODSEQ"][0]) > self.cache[1], "UID %d has not changed since %d", uid, self.cache[1])
            if self.known and uid > self.known:
                raise Contradiction(f"UID {uid} was not asked for")
            state[uid] = None
        insist(self.known or len(state) == len(view.entries), "after QRESYNC %d messages are known, of %d",
               len(state), len(view.entries))
        insist(len(state) <= len(view.entries), "after QRESYNC %d messages are known, of %d", len(state), len(view.entries))
        for n, uid in enumerate(sorted(state)):
            e = view.learn(n, uid)
            if state[uid]:
                e.flags, e.modseq = state[uid]
        for n, uid, items in self.news:
            insist(view.entries[n - 1].uid == uid, "message %d is UID %s, said to be %d", n, view.entries[n - 1].uid, uid)
            self.s.take_state(view.entries[n - 1], items)
        for e in view.entries:
            if e.uid is None:
                e.floor = self.known
        # what did not come has not changed
        for e in view.entries:
            if e.uid is not None and state.get(e.uid) and e.flags is not None:
                view.mailbox.check_flags(e.uid, e.flags, self.started)
                if e.modseq is not None:
                    view.mailbox.check_modseq(e.uid, e.modseq, e.flags, self.started, self.s.profile)

    def no(self, code):
        self.s.view = None
        insist(self.may(self.name, False), "%s [%s], and %s exists", self.verb, code, self.name)

    def lost(self):
        self.s.view = None


class Leave(Command):
    """CLOSE, UNSELECT."""
    selected = alone = True

    def __init__(self, session):
        super().__init__(session)
        self.verb = session.rng.choice(("CLOSE", "UNSELECT") if "UNSELECT" in session.capabilities.upper() else ("CLOSE",))
        self.expunging = None

    def begin(self):
        view = self.s.view
        if self.verb == "CLOSE" and not view.read_only:
            self.expunging = view.mailbox.expunge()

    def current(self):
        self.s.remember()

    def ok(self, code):
        if self.expunging:
            Expunge.surely(self, self.s.view, self.expunging)
            self.expunging.over(self.s.view.mailbox)
        self.s.view = None


class Status(Command):
    verb = "STATUS"

    def __init__(self, session):
        super().__init__(session)
        self.name = pick_name(session)
        self.condstore = session.surely("CONDSTORE") or \
            ("CONDSTORE" in session.capabilities.upper() and session.rng.random() < 0.3)
        if self.condstore:
            self.enables = {"CONDSTORE"}
        self.answers = []

    def line(self):
        more = " HIGHESTMODSEQ" if self.condstore else ""
        return f"STATUS {self.name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN{more})".encode()

    def untagged(self, word, items):
        if word == "STATUS":
            self.answers.append(pairs(items[1]))
        return word == "STATUS"

    def ok(self, code):
        insist(len(self.answers) == 1, "%d STATUS responses", len(self.answers))
        insist(self.may(self.name, True), "%s does not exist", self.name)
        a = self.answers[0]
        mailbox = self.world.mailbox(self.s.account, int(a["UIDVALIDITY"]))
        self.world.learn(self.s.account, self.name, mailbox.uidvalidity, self.started)
        for what, rising in (("UIDNEXT", mailbox.uidnext), ("HIGHESTMODSEQ", mailbox.highest)):
            if what in a:
                low = rising.at(self.started)
                if "status-selected" in self.s.profile and self.s.view and self.s.view.mailbox is mailbox:
                    low = 0
                insist(int(a[what]) >= low, "STATUS: %s is %s, but was %d", what, a[what], low)
                rising.add(int(a[what]), tick())
        insist(int(a["UNSEEN"]) <= int(a["MESSAGES"]), "more unseen than there are")
        self.s.enabled |= set(self.enables)

    def no(self, code):
        insist(self.may(self.name, False), "STATUS [%s], and %s exists", code, self.name)


class List(Command):
    verb = "LIST"

    def __init__(self, session):
        super().__init__(session)
        self.found = set()

    def line(self):
        return b'LIST "" *'

    def untagged(self, word, items):
        if word == "LIST":
            name = items[2]
            self.found.add(name if isinstance(name, str) else name.decode("latin-1"))
        return word == "LIST"

    def ok(self, code):
        for name in NAMES:
            insist(self.may(name, name in self.found), "LIST %s %s", "shows" if name in self.found else "lacks", name)


# ---- mailboxes themselves ----

class Create(Command):
    verb = "CREATE"

    def __init__(self, session):
        super().__init__(session)
        self.name = session.rng.choice(NAMES[1:])

    def line(self):
        return f"CREATE {self.name}".encode()

    def begin(self):
        self.write = self.names.register(self.name).add(True, self.started)

    def ok(self, code):
        insist(self.may(self.name, False, self.write), "CREATE of %s, which exists", self.name)
        self.write.end = tick()

    def no(self, code):
        insist(self.may(self.name, True, self.write), "CREATE [%s], and %s does not exist", code, self.name)
        self.names.refused(self.name, self.write)

    def lost(self):
        self.write.end = INF


class Delete(Command):
    verb, alone = "DELETE", True

    def __init__(self, session):
        super().__init__(session)
        self.name = session.rng.choice(NAMES[1:])

    def line(self):
        return f"DELETE {self.name}".encode()

    def begin(self):
        self.write = self.names.register(self.name).add(False, self.started)
        self.names.moves.append((self.name, None, self.write))
        for mailbox in self.world.named(self.s.account, self.name):
            mailbox.delete()

    def ok(self, code):
        insist(self.may(self.name, True, self.write), "DELETE of %s, which does not exist", self.name)
        self.write.end = tick()

    def no(self, code):
        insist(self.may(self.name, False, self.write), "DELETE [%s], and %s exists", code, self.name)
        self.names.refused(self.name, self.write)


class Rename(Command):
    verb = "RENAME"

    def __init__(self, session):
        super().__init__(session)
        self.name, self.to = session.rng.sample(NAMES[1:], 2)
        if session.rng.random() < 0.2 and "no-rename-inbox" not in session.profile:
            self.name = "INBOX"

    def line(self):
        return f"RENAME {self.name} {self.to}".encode()

    def begin(self):
        self.writes = [(self.to, self.names.register(self.to).add(True, self.started))]
        if "rename-closes" in self.s.profile:
            for mailbox in self.world.named(self.s.account, self.name):
                mailbox.delete()
        if self.name != "INBOX":
            write = self.names.register(self.name).add(False, self.started)
            self.writes.append((self.name, write))
            self.names.moves.append((self.name, self.to, write))
            self.names.keys.setdefault(self.to, set()).update(self.names.keys.get(self.name, ()))
        else:  # what is in it moves, and nobody is told the new UIDs. RFC 9051 6.3.6
            for mailbox in self.world.named(self.s.account, "INBOX"):
                mailbox.wiped = True
            self.names.moved_inbox = True

    def ok(self, code):
        own = dict(self.writes)
        insist(self.may(self.to, False, own[self.to]), "RENAME to %s, which exists", self.to)
        insist(self.name == "INBOX" or self.may(self.name, True, own[self.name]),
               "RENAME of %s, which does not exist", self.name)
        for _, write in self.writes:
            write.end = tick()

    def no(self, code):
        own = dict(self.writes)
        insist(self.may(self.to, True, own[self.to]) or
               (self.name != "INBOX" and self.may(self.name, False, own[self.name])),
               "RENAME [%s], and %s exists and %s does not", code, self.name, self.to)
        for name, write in self.writes:
            self.names.refused(name, write)


class Expunge(Command):
    """EXPUNGE and UID EXPUNGE."""
    selected = True

    def __init__(self, session):
        super().__init__(session)
        self.verb = "EXPUNGE"
        self.uids = None
        if "UIDPLUS" in session.capabilities.upper() and session.rng.random() < 0.6:
            uids = session.view.uids()
            self.uids = set(session.rng.sample(uids, session.rng.randint(1, min(8, len(uids))))) if uids else {1}

    def line(self):
        if self.uids is None:
            return b"EXPUNGE"
        return b"UID EXPUNGE " + ",".join(map(str, sorted(self.uids))).encode()

    def begin(self):
        self.expunging = self.s.view.mailbox.expunge(self.uids)

    @staticmethod
    def surely(command, view, expunging):
        """What was in the view with \\Deleted for as long as the command took is gone, and who asked knows."""
        mailbox, now = view.mailbox, tick()
        for uid in view.uids():
            m = mailbox.message(uid)
            if (expunging.uids is None or uid in expunging.uids) and m.known and m.gone is None and not mailbox.wiped:
                if m.allowed("\\Deleted", command.started, now) == {True}:
                    if command.verb != "CLOSE" and not command.world.troubled():
                        raise Contradiction(f"{command.verb} left UID {uid}, which is \\Deleted")
                    m.gone = now

    def ok(self, code):
        if self.s.view.read_only:
            insist("expunge-examined" in self.s.profile, "EXPUNGE after EXAMINE")
            self.expunging.refused()
            return
        self.surely(self, self.s.view, self.expunging)
        self.expunging.over(self.s.view.mailbox)

    def no(self, code):
        insist(self.s.view.read_only, "EXPUNGE: NO [%s]", code)
        self.expunging.refused()


