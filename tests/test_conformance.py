# SPDX-License-Identifier: Apache-2.0
"""The model client of tests/conformance for a few seconds: against a server, against one whose roles are killed, and
against lines that are dropped or altered on their way, each of which it must find (docs/conformance.md)."""
import os
import random

import pytest

from conformance.driver import MIX, Driver
from conformance.faults import Killer, Plant
from conformance.messages import Store
from conformance.session import Session, View
from conformance.world import FLAGS, Contradiction, World, tick
from harness import DOMAIN, Culver

SEED = os.environ.get("CULVER_SEED") or str(int.from_bytes(os.urandom(4), "big"))


def run(culver, seconds, clients, seed=SEED, pace=0.02, **more):
    driver = Driver(("127.0.0.1", culver.port("imap")), ["alice", "bob"], culver.password, seed, clients, pace, **more)
    try:
        rounds = driver.run(seconds, 5)
    except Contradiction as e:
        pytest.fail(f"{driver.trace()}\n{e}", pytrace=False)
    finally:
        driver.end()
    assert rounds >= 1
    print(f"seed {seed}: {driver.commands.total()} commands of {clients} clients, {rounds} times compared at rest")


def test_no_contradiction(culver):
    run(culver, 6, 16)


def test_i27_sixteen_sessions_on_one_mailbox(culver):
    """I27 asks for ten minutes: tests/conformance --minutes 10 --accounts alice --clients 16 --mix select=0,leave=0."""
    driver = Driver(("127.0.0.1", culver.port("imap")), ["alice"], culver.password, SEED, 16, 0.01)
    driver.mix = [(cls, weight) for cls, weight in driver.mix
                  if cls is None or cls.verb in ("FETCH", "STORE", "EXPUNGE", "COPY", "MOVE", "APPEND", "NOOP", "SEARCH")]
    try:
        driver.run(3, 3)
    except Contradiction as e:
        pytest.fail(f"{driver.trace()}\n{e}", pytrace=False)
    finally:
        driver.end()


def test_no_contradiction_while_roles_are_killed(culver):
    """What was in flight may have happened or not."""
    killer = Killer(culver.roles, ["store", "front-user"], SEED, 1, hang=0.2)
    run(culver, 5, 10, killer=killer)
    print(f"killed {killer.killed}")
    assert sum(killer.killed.values()) > 0


def test_i28_moves_while_the_store_is_killed(culver):
    """A message that was being moved is in one of the two."""
    killer = Killer(culver.roles, ["store"], SEED, 0.3)
    run(culver, 3, 8, pace=0.002, killer=killer,
        mix={name: MIX[name] for name in ("move", "append", "fetch", "noop", "select")})
    assert killer.killed["store"] > 0


class Unflag(Store):
    """STORE -FLAGS (\\Flagged), given to a session that believes in \\Flagged."""

    def __init__(self, uncertain):
        world = World()
        world.uncertain = uncertain
        session = Session(0, "alice", world, random.Random(0), {})
        session.greeted, session.view = True, View("INBOX", False)
        session.view.mailbox = world.mailbox("alice", 1)
        session.view.grow(1)
        entry = session.view.learn(0, 7)
        world.mailbox("alice", 1).message(7).born({f: {f == "\\Flagged"} for f in FLAGS}, 0, tick())
        entry.flags, session.view.synced = frozenset({"\\Flagged"}), tick()
        super().__init__(session, [entry], False, "1")
        self.mode, self.flags, self.silent, self.unchanged = "-", {"\\Flagged"}, False, None
        session.add(self)

    def hears(self, *lines):
        for line in lines:
            self.s.receive([line.encode()])


DONE = "0.1 OK STORE completed"


def test_a_store_without_its_news():
    """Where a store may have gone behind a STORE nothing need be told with its OK: what was believed before it is
    believed on, and compared at rest. What is told must be what the STORE did; and elsewhere it must be told."""
    command = Unflag(uncertain=True)
    command.hears(DONE)
    assert command.entries[0].flags == {"\\Flagged"}
    Unflag(uncertain=True).hears("* 1 FETCH (FLAGS ())", DONE)
    with pytest.raises(Contradiction):
        Unflag(uncertain=True).hears("* 1 FETCH (FLAGS (\\Flagged))", DONE)
    Unflag(uncertain=False).hears("* 1 FETCH (FLAGS ())", DONE)
    with pytest.raises(Contradiction):
        Unflag(uncertain=False).hears(DONE)


def test_no_change_below_what_a_client_takes_for_known():
    """RFC 7162 6: the highest MODSEQ that was heard before a tagged response, unless HIGHESTMODSEQ says another."""
    for said, may in ((None, False), (9, False), (7, True)):
        command = Unflag(uncertain=True)
        session, view = command.s, command.s.view
        session.enabled.add("CONDSTORE")
        view.grow(2)
        view.entries[0].modseq = 5
        command.hears("* 2 FETCH (UID 8 MODSEQ (9))", *([f"* OK [HIGHESTMODSEQ {said}] so far"] if said else []), DONE)
        assert view.highest == (said or 9)
        if may:
            command.hears("* 1 FETCH (UID 7 MODSEQ (8))")
        else:
            with pytest.raises(Contradiction, match="changed at 8"):
                command.hears("* 1 FETCH (UID 7 MODSEQ (8))")


def test_many_renames_at_once():
    """What a mailbox's name may have become by so many RENAMEs under way, each followed once."""
    world = World()
    names = world.of("alice")
    for n in range(60):
        names.moves.append((f"m{n % 5}", f"m{(n + 1 + n // 5) % 5}", names.register("m").add(True, tick())))
    refused = names.register("m4").add(False, tick())
    names.moves.append(("m4", None, refused))
    names.refused("m4", refused)
    world.learn("alice", "m0", 1, tick())
    assert not world.mailbox("alice", 1).deleted
    assert all(world.named("alice", f"m{n}") for n in range(5))
    names.moves.append(("m4", None, names.register("m4").add(False, tick())))
    world.learn("alice", "m0", 1, tick())
    assert world.mailbox("alice", 1).deleted


# Those that are met in any few hundred commands; the rest is tried by hand (--plant).
SOON = ("drop-expunge", "expunge-twice", "exists-falls", "swap-flag", "other-uid", "modseq-falls", "highest-falls",
        "appenduid", "copyuid-source", "list-lacks", "drop-modified", "vanished-earlier")


@pytest.fixture(scope="module")
def quiet():
    with Culver(accounts=()) as c:
        yield c


@pytest.mark.parametrize("name", SOON)
def test_planted(quiet, name):
    accounts = [f"{name}-{n}" for n in range(2)]
    for account in accounts:
        quiet.add_account(f"{account}@{DOMAIN}", quiet.password(account))
    plant = Plant(name)
    driver = Driver(("127.0.0.1", quiet.port("imap")), accounts, quiet.password, "3", 8, 0.005, plant=plant)
    try:
        with pytest.raises(Contradiction) as found:
            driver.run(20, 3)
        assert plant.done, found.value
        print(f"{name}: {found.value}; it was {plant.done[0]!r}")
    finally:
        driver.end()
