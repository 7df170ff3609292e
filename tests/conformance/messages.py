# SPDX-License-Identifier: Apache-2.0
"""The commands about messages: FETCH, STORE, SEARCH, COPY, MOVE, APPEND."""
from .commands import Command, pick_name
from .wire import numbers, set_text
from .world import FLAGS, INF, insist, tick


def choose(session, most=6):
    """Some entries whose UIDs are known, and how they are named: by UID or by number."""
    rng, view = session.rng, session.view
    known = [(n + 1, e) for n, e in enumerate(view.entries) if e.uid is not None]
    if not known:
        return None
    count = rng.choice((1, 1, 2, 3, most, len(known)))
    chosen = rng.sample(known, min(count, len(known)))
    if rng.random() < 0.3:  # a run
        at = rng.randrange(len(known))
        chosen = known[at:at + count]
    by_uid = rng.random() < 0.6 or any(not c.quiet for c in session.inflight)
    # among numbers without UIDs a range would name what is not known
    text = set_text([e.uid if by_uid else n for n, e in chosen], rng, ranges=by_uid or len(known) == len(view.entries))
    return [e for _, e in chosen], by_uid, text


class OfMessages(Command):
    """A command on a set. self.entries: what it is about."""
    selected = True

    def __init__(self, session, entries, by_uid, text):
        super().__init__(session)
        self.entries, self.by_uid, self.set = entries, by_uid, text

    @classmethod
    def make(cls, s):
        chosen = choose(s)
        return cls(s, *chosen) if chosen else None

    def words(self, verb):
        self.verb = verb
        return f"UID {verb} {self.set}" if self.by_uid else f"{verb} {self.set}"

    def maybe_gone(self, e):
        return e.uid is None or self.s.view.mailbox.maybe_gone(e.uid, self.s.view.synced)

    def no(self, code):
        if self.s.view.read_only and (code == "READ-ONLY" or "store-examined" in self.s.profile):
            return
        entries = self.s.view.entries if "*" in self.set else self.entries
        insist(code == "EXPUNGEISSUED" and any(self.maybe_gone(e) for e in entries),
               "%s: NO [%s] without a reason", self.verb, code)


ITEMS = ("(UID FLAGS)", "(UID FLAGS)", "(UID FLAGS MODSEQ)", "(UID FLAGS MODSEQ)", "(UID BODY.PEEK[])", "(UID BODY[])",
         "(UID RFC822.SIZE INTERNALDATE)", "(UID ENVELOPE)", "(UID BODY.PEEK[HEADER.FIELDS (X-TOKEN)])",
         "(UID BODYSTRUCTURE)", "(UID EMAILID)")


class Fetch(OfMessages):
    verb = "FETCH"

    def __init__(self, session, entries, by_uid, text):
        super().__init__(session, entries, by_uid, text)
        offered = session.capabilities.upper()
        # what is set \Seen must be known
        self.items = session.rng.choice([i for i in ITEMS if ("MODSEQ" not in i or "CONDSTORE" in offered) and
                                         ("EMAILID" not in i or "OBJECTID" in offered) and
                                         ("BODY[]" not in i or "*" not in text)])
        self.since = None
        self.quiet = not by_uid
        self.writes = {}
        self.came = {}
        self.gone = set()
        if "MODSEQ" in self.items:
            self.enables = {"CONDSTORE"}
            if by_uid and session.view.highest and session.rng.random() < 0.4:
                self.since = max(1, session.view.highest - session.rng.choice((0, 3, 20)))
        self.earlier = self.since is not None and session.surely("QRESYNC") and session.rng.random() < 0.6

    @classmethod
    def make(cls, s):
        rng, view = s.rng, s.view
        if not view.entries:
            return None
        if rng.random() < 0.4:  # all, or the new ones
            unknown = next((n for n, e in enumerate(view.entries) if e.uid is None), None)
            by_uid = any(not c.quiet for c in s.inflight) or unknown is None
            if by_uid:
                return cls(s, view.entries[:], True, "1:*")
            return cls(s, view.entries[unknown:], False, f"{unknown + 1}:*")
        return super().make(s)

    def line(self):
        text = self.words("FETCH") + " " + self.items
        if self.since:
            text += f" (CHANGEDSINCE {self.since}{' VANISHED' if self.earlier else ''})"
        return text.encode()

    def begin(self):
        view = self.s.view
        if "BODY[]" in self.items and not view.read_only:
            for e in self.entries:
                if e.uid is not None:
                    self.writes[e] = view.mailbox.message(e.uid).register("\\Seen").add(True, self.started)

    def current(self):
        self.unseen = {e for e in self.writes if e.flags is not None and "\\Seen" not in e.flags}

    def vanished(self, uids):
        self.gone |= set(uids)
        return self.earlier

    def fetched(self, n, entry, items):
        """What is asked for must be among what comes."""
        self.came.setdefault(entry, set()).update(items)
        if self.since and entry.modseq is not None and not entry.owed and set(items) >= {"UID", "FLAGS", "MODSEQ"}:
            insist(entry.modseq > self.since, "UID %s has MODSEQ %d, not above %d", entry.uid, entry.modseq, self.since)

    def wanted(self):
        return {i.split("[")[0].replace(".PEEK", "") for i in self.items.strip("()").split(" ") if "TOKEN" not in i}

    def ok(self, code):
        view = self.s.view
        self.s.enabled |= set(self.enables)
        wanted = self.wanted()
        for e in self.entries:
            if e in view.entries and not self.maybe_gone(e) and self.must_come(view, e):
                came = {i.split("[")[0] for i in self.came.get(e, ())}
                insist(wanted <= came, "UID %s was asked for, and %s did not come", e.uid, sorted(wanted - came))
        for uid in self.gone:
            insist(view.find(uid) is None, "UID %d is said to have VANISHED before, and is in the view", uid)
            if uid in view.mailbox.messages:
                view.mailbox.told_gone(uid)
        # What the session knew as \Seen already is not set again, though somebody may have taken it away; and a store
        # that is away in just that moment sets nothing.
        for e, write in self.writes.items():
            write.end = tick() if e in self.unseen and not self.world.uncertain else INF

    def must_come(self, view, e):
        """CHANGEDSINCE: what was known to have a higher modseq when this session last asked for everything."""
        return self.since is None or view.mailbox.message(e.uid).modseq.at(view.synced) > self.since

    def no(self, code):
        super().no(code)
        for write in self.writes.values():
            write.end = INF  # some may have been seen


class Store(OfMessages):
    verb = "STORE"

    def __init__(self, session, entries, by_uid, text):
        super().__init__(session, entries, by_uid, text)
        rng = session.rng
        self.mode = rng.choice(("+", "+", "-", ""))
        weights = (4, 2, 3 if self.mode == "+" else 1, 1, 1, 1, 1)
        self.flags = set(rng.choices(FLAGS, weights, k=rng.choice((1, 1, 2))))
        self.silent = rng.random() < 0.4
        self.unchanged = None
        self.quiet = not by_uid
        self.writes, self.before, self.told = {}, {}, set()
        if "CONDSTORE" in session.capabilities.upper() and rng.random() < 0.3:
            known = session.view.highest or 1
            self.unchanged = max(0, known - rng.choice((0, 0, 0, 2, 10)))
            self.enables = {"CONDSTORE"}

    def line(self):
        text = self.words("STORE")
        if self.unchanged is not None:
            text += f" (UNCHANGEDSINCE {self.unchanged})"
        return f"{text} {self.mode}FLAGS{'.SILENT' if self.silent else ''} ({' '.join(sorted(self.flags))})".encode()

    def effects(self):
        """flag → what it becomes."""
        if self.mode == "":
            return {f: f in self.flags for f in FLAGS}
        return dict.fromkeys(self.flags, self.mode == "+")

    def begin(self):
        if self.s.view.read_only:
            return
        mailbox, low = self.s.view.mailbox, self.world.low_water()
        for e in self.entries:
            m = mailbox.message(e.uid)
            for flag, value in self.effects().items():
                register = m.register(flag)
                register.prune(low)
                self.writes.setdefault(e, {})[flag] = register.add(value, self.started)

    def applied(self, flags):
        if flags is None:
            return None
        e = self.effects()
        return frozenset({f for f in flags if e.get(f, True)} | {f for f, value in e.items() if value})

    def current(self):
        """A client that says .SILENT knows what becomes of the flags, unless it is told otherwise."""
        if self.silent and not self.s.view.read_only:
            for e in self.entries:
                self.before[e] = e.flags
                e.flags = None if self.unchanged is not None else self.applied(e.flags)

    def fetched(self, n, entry, items):
        if "FLAGS" in items:
            self.told.add(entry)

    def failed(self, code):
        if not code.upper().startswith("MODIFIED "):
            return []
        insist(self.unchanged is not None, "MODIFIED without UNCHANGEDSINCE")
        found, view = [], self.s.view
        for n in numbers(code.split(" ")[1]):
            e = view.find(n) if self.by_uid else view.entries[n - 1]
            if e is None:
                continue  # expunged since
            insist(e in self.entries, "MODIFIED names %d, which was not asked for", n)
            found.append(e)
        return found

    def ok(self, code):
        view = self.s.view
        if view.read_only:
            insist("store-examined" in self.s.profile, "STORE after EXAMINE")
            return
        self.s.enabled |= set(self.enables)
        failed = self.failed(code)
        for e in failed:
            self.undo(e)
            if not self.maybe_gone(e):
                view.mailbox.message(e.uid).modseq.add(self.unchanged + 1, tick())
        for e in self.entries:
            if e not in failed:
                self.succeeded(view, e)

    def undo(self, e):
        for flag, write in self.writes[e].items():
            self.s.view.mailbox.message(e.uid).register(flag).drop(write)
        if self.silent and e not in self.told:
            e.flags = self.before[e]

    def succeeded(self, view, e):
        message, now = view.mailbox.message(e.uid), tick()
        for write in self.writes[e].values():
            write.end = now
        if self.maybe_gone(e):
            return
        if self.unchanged is not None:
            insist(message.modseq.at(self.started) <= self.unchanged, "UID %d had changed since %d, and STORE was done",
                   e.uid, self.unchanged)
            if self.silent and e not in self.told:
                e.flags = self.applied(self.before[e])
        # A store that goes behind the change lets nothing be told now; what is believed must be true at rest.
        untold = e.owed = self.world.uncertain and e not in self.told
        if not self.silent and e in view.entries and e.flags is not None and not untold:
            view.mailbox.check_flags(e.uid, e.flags, view.synced, self.writes[e])

    def no(self, code):
        super().no(code)
        for e in self.writes:
            self.undo(e)

    def lost(self):
        if self.silent:
            for e in self.entries:
                if e in self.before and e not in self.told:
                    e.flags = None


class Search(Command):
    """SEARCH and UID SEARCH of flags, UIDs and modseqs."""
    verb, selected = "SEARCH", True

    def __init__(self, session):
        super().__init__(session)
        rng, view = session.rng, session.view
        self.by_uid = rng.random() < 0.6 or any(not c.quiet for c in session.inflight)
        self.quiet = not self.by_uid
        self.keys = []  # (flag, wanted), ("UID", set), ("MODSEQ", n)
        for _ in range(rng.choice((1, 1, 2, 3))):
            what = rng.random()
            if what < 0.7:
                self.keys.append((rng.choice(FLAGS), rng.random() < 0.5))
            elif what < 0.85 and view.uids():
                uids = rng.sample(view.uids(), rng.randint(1, len(view.uids())))
                self.keys.append(("UID", set(uids)))
            elif "CONDSTORE" in session.capabilities.upper() and view.highest:
                self.keys.append(("MODSEQ", max(1, view.highest - rng.choice((0, 5, 30)))))
        if any(k[0] == "MODSEQ" for k in self.keys):
            self.enables = {"CONDSTORE"}
        self.extended = "ESEARCH" in session.capabilities.upper() and rng.random() < 0.4
        self.answers = []

    def words(self):
        for what, value in self.keys:
            if what == "UID":
                yield "UID " + set_text(value, self.s.rng)
            elif what == "MODSEQ":
                yield f"MODSEQ {value}"
            elif what[0] == "\\":
                yield ("" if value else "UN") + what[1:].upper()
            else:
                yield ("" if value else "UN") + "KEYWORD " + what
        if not self.keys:
            yield "ALL"

    def line(self):
        how = "RETURN (ALL COUNT MIN MAX) " if self.extended else ""
        return f"{'UID ' if self.by_uid else ''}SEARCH {how}{' '.join(self.words())}".encode()

    def untagged(self, word, items):
        if word in ("SEARCH", "ESEARCH"):
            self.answers.append((word, items))
            self.there = {e.uid for e in self.s.view.entries}
        return word in ("SEARCH", "ESEARCH")

    def result(self):
        """The numbers, and the MODSEQ of them all or None."""
        insist(len(self.answers) == 1, "%d answers to SEARCH", len(self.answers))
        word, items = self.answers[0]
        if word == "SEARCH":
            modseq = items.pop()[1] if items and isinstance(items[-1], list) else None
            return list(map(int, items)), modseq
        insist(items and items[0] == ["TAG", self.tag.encode()], "ESEARCH without its tag")
        insist(("UID" in items) == self.by_uid, "ESEARCH %s UID", "without" if self.by_uid else "with")
        rest = [i for i in items[1:] if i != "UID"]
        found = dict(zip(map(str.upper, rest[::2]), rest[1::2]))
        values = numbers(found["ALL"]) if "ALL" in found else []
        if self.extended:
            insist(int(found["COUNT"]) == len(values), "COUNT is %s, of %d", found["COUNT"], len(values))
            if values:
                insist((int(found["MIN"]), int(found["MAX"])) == (min(values), max(values)), "MIN or MAX is wrong")
        return values, found.get("MODSEQ")

    def ok(self, code):
        view = self.s.view
        self.s.enabled |= set(self.enables)
        values, modseq = self.result()
        insist(len(set(values)) == len(values), "SEARCH finds something twice")
        if self.by_uid:
            found = set(values)
        else:
            insist(all(1 <= n <= len(view.entries) for n in values), "SEARCH finds a number that is not there")
            found = {view.entries[n - 1].uid for n in values}
        for uid in found - {None}:
            if view.find(uid):
                insist(self.fits(view, uid, True), "SEARCH %s finds UID %d", " ".join(self.words()), uid)
            elif uid not in self.there:
                m = view.mailbox.messages.get(uid)
                insist((m and m.gone is None) or None in self.there,
                       "SEARCH finds UID %d, which there is not", uid)
        for e in view.entries:
            if e.uid is not None and e.uid not in found and not view.mailbox.maybe_gone(e.uid, view.synced):
                insist(self.fits(view, e.uid, False), "SEARCH %s does not find UID %d", " ".join(self.words()), e.uid)
        if any(k[0] == "MODSEQ" for k in self.keys) and values:
            insist(modseq is not None, "SEARCH MODSEQ without MODSEQ")  # RFC 7162 3.1.5
            for uid in found - {None}:
                low = view.mailbox.message(uid).modseq.at(view.synced)
                insist(int(modseq) >= low, "SEARCH says MODSEQ %s, and UID %d has %d", modseq, uid, low)

    def fits(self, view, uid, outcome):
        """Whether it may be that all keys are true of the message (outcome), or that some is not."""
        can = [self.can(view, uid, what, value) for what, value in self.keys]
        return all(True in c for c in can) if outcome else any(False in c for c in can)

    def can(self, view, uid, what, value):
        """What a key may be for a message."""
        m = view.mailbox.message(uid)
        if what == "UID":
            return {uid in value}
        if what == "MODSEQ":
            return {True} if m.modseq.at(view.synced) >= value else {True, False}
        return {has == value for has in m.allowed(what, view.synced, tick())}


class Copy(OfMessages):
    """COPY and MOVE."""
    moves = False

    def __init__(self, session, entries, by_uid, text):
        super().__init__(session, entries, by_uid, text)
        self.to = pick_name(session)
        self.code = None
        self.expunging = None

    @classmethod
    def make(cls, s):
        if len(s.view.entries) > 40 or (cls.moves and "MOVE" not in s.capabilities.upper()):
            return None
        return super().make(s)

    def line(self):
        return f"{self.words('MOVE' if self.moves else 'COPY')} {self.to}".encode()

    def begin(self):
        if self.moves:
            self.expunging = self.s.view.mailbox.expunge({e.uid for e in self.entries}, moves=True)

    def said(self, word, name, code):
        super().said(word, name, code)
        if name == "COPYUID":
            insist(self.moves, "COPYUID untagged")
            self.take(code)

    def take(self, code):
        """RFC 9051 7.1: in step, what was copied and what it became."""
        view, now = self.s.view, tick()
        _, uidvalidity, source, target = code.split(" ")
        source, target = numbers(source), numbers(target)
        self.code = code
        insist(len(source) == len(target), "COPYUID has %d and %d UIDs", len(source), len(target))
        asked = {e.uid for e in self.entries}
        insist(set(source) <= asked, "COPYUID names what was not asked for: %s", sorted(set(source) - asked))
        for e in self.entries:
            # what is gone is not there by UID (RFC 9051 6.4.9); by number it is all or none (RFC 2180 4.4)
            insist(e.uid in source or (self.by_uid and self.maybe_gone(e)), "COPYUID lacks UID %d", e.uid)
        to = self.world.mailbox(self.s.account, int(uidvalidity))
        self.world.learn(self.s.account, self.to, to.uidvalidity, self.started)
        for old, new in zip(source, target):
            was, m = view.mailbox.message(old), to.new_uid(new, self.started)
            insist(not m.known, "COPYUID gives UID %d, which there was", new)
            if was.token:
                self.world.check_token(to, new, was.token)
            if was.known:
                m.born({f: was.allowed(f, self.started, now) for f in FLAGS}, self.started, now)
            m.told = True
            m.first_seen = min(m.first_seen, now)
            if self.moves:
                was.gone = was.gone or now

    def ok(self, code):
        view = self.s.view
        if code.upper().startswith("COPYUID"):
            self.take(code)
        insist(self.code is None or self.may(self.to, True), "%s to %s, which does not exist", self.verb, self.to)
        if self.code is None and not (self.by_uid and all(self.maybe_gone(e) for e in self.entries)):
            insist("copyuid-may-lack" in self.s.profile, "%s without COPYUID", self.verb)
            for mailbox in self.world.named(self.s.account, self.to):
                mailbox.unexplained = True
        if self.moves:
            insist(not view.read_only or "move-examined" in self.s.profile, "MOVE after EXAMINE")
            self.expunging.over(view.mailbox)
            for e in view.entries if not (self.world.troubled() or view.mailbox.deleted) else ():
                gone = e.uid and view.mailbox.message(e.uid).gone
                insist(e not in self.entries or not gone, "UID %s was moved, and EXPUNGE was not said", e.uid)

    def no(self, code):
        if self.moves and self.s.view.read_only and (code == "READ-ONLY" or "store-examined" in self.s.profile):
            pass
        elif code == "TRYCREATE":
            insist(self.may(self.to, False), "NO [TRYCREATE], and %s exists", self.to)
        elif not (code == "NONEXISTENT" and self.may(self.to, False)):
            super().no(code)
        if self.expunging:
            self.expunging.refused()

    def lost(self):
        for mailbox in self.world.named(self.s.account, self.to):
            mailbox.unexplained = True
        self.names.lost_to.add(self.to)


class Move(Copy):
    moves = True

    def lost(self):
        super().lost()
        if self.s.view:
            self.names.lost_moves += [(self.s.view.mailbox, e.uid, self.to) for e in self.entries]


class Append(Command):
    verb = "APPEND"

    def __init__(self, session):
        super().__init__(session)
        self.name = pick_name(session)
        self.flags = set(session.rng.choices(FLAGS, k=session.rng.choice((0, 0, 1, 2)))) - {"\\Deleted"}

    @classmethod
    def make(cls, s):
        return cls(s) if s.view is None or len(s.view.entries) < 40 else None

    def line(self):
        self.token, text = self.world.new_message(self.s.account, self.s.rng)
        flags = f" ({' '.join(sorted(self.flags))})" if self.flags else ""
        return f"APPEND {self.name}{flags} {{{len(text)}+}}\r\n".encode() + text

    def ok(self, code):
        now = tick()
        insist(self.may(self.name, True), "APPEND to %s, which does not exist", self.name)
        insist(code.upper().startswith("APPENDUID "), "APPEND without APPENDUID: [%s]", code)
        _, uidvalidity, uid = code.split(" ")
        mailbox = self.world.mailbox(self.s.account, int(uidvalidity))
        self.world.learn(self.s.account, self.name, mailbox.uidvalidity, self.started)
        m = mailbox.new_uid(int(uid), self.started)
        insist(not m.known, "APPENDUID gives UID %s, which there was", uid)
        self.world.check_token(mailbox, int(uid), self.token)
        m.born({f: {f in self.flags} for f in FLAGS}, self.started, now)
        m.first_seen = min(m.first_seen, now)

    def no(self, code):
        insist(code == "TRYCREATE" and self.may(self.name, False), "APPEND: NO [%s], and %s exists", code, self.name)

    def lost(self):
        for mailbox in self.world.named(self.s.account, self.name):
            mailbox.unexplained = True
        self.names.lost_to.add(self.name)


