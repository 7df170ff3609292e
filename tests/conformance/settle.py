# SPDX-License-Identifier: Apache-2.0
"""At rest: nobody asks anything, so there is one truth, which a fresh session reads. Every session must believe it, the
model must allow it, and the model then begins anew from it."""
import socket
import time

from .commands import NAMES, Noop
from .messages import Fetch
from .wire import Reader, pairs, tree
from .world import FLAGS, INF, Message, Names, insist, tick


class Fresh:
    """A session that asks one thing after another."""

    def __init__(self, address, user, password):
        self.socket = socket.create_connection(address, 20)
        self.reader, self.waiting, self.tags = Reader(), [], 0
        self.next()
        self.ask(f'LOGIN {user} "{password}"')
        self.condstore = any("CONDSTORE" in str(r) for r in self.ask("CAPABILITY"))

    def next(self):
        while not self.waiting:
            data = self.socket.recv(1 << 18)
            insist(data, "a fresh session is closed")
            self.waiting += self.reader.feed(data)
        return self.waiting.pop(0)

    def ask(self, command):
        self.tags += 1
        tag = f"f{self.tags}".encode()
        self.socket.sendall(tag + b" " + command.encode() + b"\r\n")
        found = []
        while not (pieces := self.next())[0].startswith(tag + b" "):
            found.append(pieces)
        insist(pieces[0].startswith(tag + b" OK"), "a fresh session is told %s to %s", pieces[0], command)
        return found

    def close(self):
        self.socket.close()


class Truth:
    """A mailbox as a fresh session sees it. messages: uid → (flags, modseq, token, size), in order."""

    def __init__(self, fresh, world, account, name):
        status = next(pairs(tree(p)[3]) for p in fresh.ask(
            f"STATUS {name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN{' HIGHESTMODSEQ' if fresh.condstore else ''})")
                      if p[0].startswith(b"* STATUS"))
        fresh.ask(f"EXAMINE {name}")
        items = "UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (X-TOKEN)]" + (" MODSEQ" if fresh.condstore else "")
        self.name, self.messages = name, {}
        for pieces in fresh.ask(f"UID FETCH 1:* ({items})"):
            found = tree(pieces)
            if len(found) > 3 and found[2] == "FETCH":
                insist(int(found[1]) == len(self.messages) + 1, "a fresh session's FETCH is out of order")
                self.add(pairs(found[3]))
        insist(list(self.messages) == sorted(self.messages), "a fresh session's UIDs do not rise")
        self.uidvalidity, self.uidnext = int(status["UIDVALIDITY"]), int(status["UIDNEXT"])
        self.highest = int(status.get("HIGHESTMODSEQ", 0))
        self.compare_status(status)
        self.mailbox = world.mailbox(account, self.uidvalidity)

    def add(self, f):
        token = f["BODY[HEADER.FIELDS (X-TOKEN)]"].decode("latin-1").partition(":")[2].strip()
        flags = frozenset(x for x in f["FLAGS"] if x.upper() != "\\RECENT")
        self.messages[int(f["UID"])] = flags, int(f["MODSEQ"][0]) if "MODSEQ" in f else None, token, f["RFC822.SIZE"]

    def compare_status(self, status):
        insist(int(status["MESSAGES"]) == len(self.messages), "STATUS %s says %s messages, and there are %d", self.name,
               status["MESSAGES"], len(self.messages))
        unseen = sum("\\Seen" not in m[0] for m in self.messages.values())
        insist(int(status["UNSEEN"]) == unseen, "STATUS %s says %s unseen, and there are %d", self.name,
               status["UNSEEN"], unseen)
        insist(self.uidnext > max(self.messages, default=0), "UIDNEXT of %s is %d", self.name, self.uidnext)
        if self.highest:
            most = max((m[1] for m in self.messages.values()), default=0)
            insist(most <= self.highest, "HIGHESTMODSEQ of %s is %d, and a message has %d", self.name, self.highest, most)


def read_truth(world, account, address, password):
    """name → Truth, and the names that there are."""
    fresh = Fresh(address, account_address(account), password)
    try:
        names = set()
        for pieces in fresh.ask('LIST "" *'):
            found = tree(pieces)
            if found[1] == "LIST":
                names.add(found[4] if isinstance(found[4], str) else found[4].decode("latin-1"))
        return {name: Truth(fresh, world, account, name) for name in NAMES if name in names}
    finally:
        fresh.close()


def account_address(account):
    return account if "@" in account else f"{account}@example.test"


# ---- the model against it ----

def compare_model(world, account, truths):
    names, now = world.of(account), tick()
    for name in NAMES:
        insist((name in truths) in names.register(name).allowed(now, now), "%s %s", name,
               "is there" if name in truths else "is not there")
    seen = {}
    for t in truths.values():
        insist(t.uidvalidity not in seen, "%s and %s have one UIDVALIDITY", t.name, seen.get(t.uidvalidity))
        seen[t.uidvalidity] = t.name
        compare_mailbox(world, names, t, now)
    for mailbox, uid, to in names.lost_moves:
        compare_move(truths, mailbox, uid, truths.get(to))


def compare_move(truths, source, uid, target):
    """A MOVE without an answer leaves a message in one of the two, where nobody else can have expunged it (I28)."""
    there = next((t for t in truths.values() if t.mailbox is source), None)
    token = source.message(uid).token
    if there is None or target is None or token is None or uid in there.messages or source.wiped:
        return
    others = [e for e in source.expungings if not (e.moves and e.end == INF)] + target.mailbox.expungings
    if target.mailbox.wiped or any(e.uids is None or uid in e.uids or e in target.mailbox.expungings for e in others):
        return
    insist(any(m[2] == token for m in target.messages.values()), "UID %d was being moved to %s, and is in neither", uid,
           target.name)


def compare_mailbox(world, names, t, now):
    m = t.mailbox
    insist(t.uidnext >= m.uidnext.at(now), "UIDNEXT of %s is %d, but was %d", t.name, t.uidnext, m.uidnext.at(now))
    insist(t.highest >= m.highest.at(now) or not t.highest, "HIGHESTMODSEQ of %s is %d, but was %d", t.name, t.highest,
           m.highest.at(now))
    for uid, (flags, modseq, token, _) in t.messages.items():
        world.check_token(m, uid, token)
        message = m.messages[uid]
        insist(message.gone is None, "UID %d of %s was expunged, and is there", uid, t.name)
        insist(message.known or message.told or m.unexplained or names.moved_inbox or t.name in names.lost_to,
               "UID %d of %s was given to nobody", uid, t.name)
        m.check_flags(uid, flags, now)
        if modseq is not None:
            m.check_modseq(uid, modseq, flags, now, world.profile)
    lost = [uid for uid, x in m.messages.items() if x.known and uid not in t.messages and not m.maybe_gone(uid)]
    insist(not lost, "lost from %s: UIDs %s", t.name, lost)
    for uid, x in m.messages.items():
        if uid not in t.messages and x.known and x.gone is None:
            m.told_gone(uid)


def begin_anew(world, account, truths):
    """From the truth."""
    now = tick()
    names = world.names[account] = Names()
    for key in [k for k in world.mailboxes if k[0] == account]:
        del world.mailboxes[key]
    for name in NAMES:
        names.exists.pop(name, None)
        register = names.register(name)
        register.writes.clear()
        register.add(name in truths, 0, now)
    for t in truths.values():
        m = t.mailbox = world.mailbox(account, t.uidvalidity)
        names.keys[t.name] = {t.uidvalidity}
        m.uidnext.add(t.uidnext, now)
        m.highest.add(t.highest, now)
        for uid, (flags, modseq, token, _) in t.messages.items():
            x = m.messages[uid] = Message()
            x.first_seen, x.token = 0, token
            x.born({f: {f in flags} for f in FLAGS}, 0, now)
            if modseq is not None:
                x.modseq.add(modseq, now)
                x.states[modseq] = flags


# ---- the sessions against it ----

def its_mailbox_is_gone(session, truths):
    """And it may not know yet."""
    if not session.logged_in or session.closing or session.idling or session.view is None:
        return False
    return all(t.uidvalidity != session.view.mailbox.uidvalidity for t in truths[session.account].values())


def differs(session, truths):
    """Why a session's view is not the truth, or None."""
    view = session.view
    if view is None or session.closing:
        return None
    t = next((t for t in truths.values() if t.uidvalidity == view.mailbox.uidvalidity), None)
    if t is None:
        return None if "deleted-stays" in session.profile else f"its mailbox {view.name} is gone, and nobody said so"
    if len(view.entries) != len(t.messages):
        return f"it counts {len(view.entries)} messages in {t.name}, of {len(t.messages)}"
    for n, (e, (uid, (flags, modseq, _, _))) in enumerate(zip(view.entries, t.messages.items())):
        if e.uid not in (None, uid):
            return f"message {n + 1} of {t.name} is UID {e.uid} for it, and is {uid}"
        if e.flags is not None and e.flags != flags:
            return f"UID {uid} of {t.name} has {sorted(e.flags)} for it, and has {sorted(flags)}"
        if e.flags is not None and e.modseq is not None and modseq is not None and \
                session.surely("CONDSTORE") and e.modseq != modseq:
            return f"UID {uid} of {t.name} has MODSEQ {e.modseq} for it, and has {modseq}"
    return None


def rest(driver):
    """Everybody stops; all is compared. In IDLE the news must come by themselves, the others ask."""
    world = driver.world
    driver.resting = True
    driver.until(lambda: all(not l.session.inflight or l.session.idling for l in driver.links) and
                 time.monotonic() > driver.last_cut + 0.5, "an answer", 100)
    world.trouble_until = 0
    for l in driver.links:
        if l.session.logged_in and not l.session.idling:
            driver.ask_until_ok(l, Noop)
    truths = {a: read_truth(world, a, driver.address, driver.password(a)) for a in driver.accounts}
    # a command in a mailbox that was deleted is answered, and then BYE comes
    driver.until(lambda: not any(its_mailbox_is_gone(l.session, truths) for l in driver.links), None, driver.idle_seconds)
    idle = [l for l in driver.links if l.session.idling]

    def idle_know():
        return all(differs(l.session, truths[l.session.account]) is None for l in idle if l.session.idling)
    driver.until(idle_know, None, driver.idle_seconds)
    for l in driver.links:
        if l.session.logged_in:
            driver.at = l
            why = differs(l.session, truths[l.session.account])
            insist(why is None, "at rest%s: %s", " in IDLE" if l.session.idling else "", why)
    for l in driver.links:  # and what it says when it is asked for all of it
        s = l.session
        if s.logged_in and not s.idling and s.view and s.view.entries and s.rng.random() < 0.6:
            driver.ask(l, whole_fetch(s))
    driver.until(lambda: all(not l.session.inflight or l.session.idling for l in driver.links), "an answer", 100)
    for l in driver.links:
        driver.at = l
        why = differs(l.session, truths[l.session.account]) if l.session.logged_in else None
        insist(why is None, "at rest, after FETCH: %s", why)
    driver.at = None
    for a in driver.accounts:
        compare_model(world, a, truths[a])
        begin_anew(world, a, truths[a])
    for l in driver.links:
        view = l.session.view
        if view:
            view.mailbox = world.mailbox(l.session.account, view.mailbox.uidvalidity)
            view.synced = tick()
    driver.resting = False


def whole_fetch(s):
    f = Fetch(s, s.view.entries[:], False, f"1:{len(s.view.entries)}")
    f.items = "(UID FLAGS MODSEQ)" if s.surely("CONDSTORE") else "(UID FLAGS)"
    f.since, f.enables = None, {"CONDSTORE"} & s.enabled
    return f
