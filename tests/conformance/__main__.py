# SPDX-License-Identifier: Apache-2.0
"""A stateful model client: many connections, random commands, the first contradiction ends it (docs/conformance.md).

    /usr/bin/python3 tests/conformance --minutes 30 --clients 32            a Culver of its own
    /usr/bin/python3 tests/conformance --kill store,front-user --minutes 10 the same, roles are killed
    /usr/bin/python3 tests/conformance --dovecot --minutes 5                Debian's Dovecot, of its own
    /usr/bin/python3 tests/conformance --address 127.0.0.1:2143 --accounts alice@example.test:secret,…
"""
import argparse
import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from conformance import profiles  # noqa: E402
from conformance.driver import MIX, Driver  # noqa: E402
from conformance.faults import PLANTS, Killer, Plant, children  # noqa: E402
from conformance.world import Contradiction  # noqa: E402


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", default=None, help="of what each session asks; when it is answered is the server's")
    p.add_argument("--clients", type=int, default=16)
    p.add_argument("--minutes", type=float, default=1)
    p.add_argument("--pace", type=float, default=0.02, metavar="SECONDS", help="between two turns of a client, on average")
    p.add_argument("--address", metavar="HOST:PORT", help="of a server that runs, without TLS")
    p.add_argument("--accounts", default="alice,bob", help="name:password,… with --address; else names")
    p.add_argument("--dovecot", action="store_true")
    p.add_argument("--profile", choices=profiles.PROFILES)
    p.add_argument("--mix", default="", metavar="NAME=WEIGHT,…", help="of: " + ", ".join(MIX))
    p.add_argument("--plant", choices=PLANTS, help="a line that is dropped or altered, to be found")
    p.add_argument("--kill", default="", metavar="ROLE,…", help="of a Culver, now and then")
    p.add_argument("--supervisor", type=int, help="its process id, with --address and --kill")
    p.add_argument("--every", type=float, default=2, metavar="SECONDS", help="between two kills, on average")
    p.add_argument("--hang", type=float, default=0, metavar="SECONDS", help="for at most as long a role answers nothing, "
                   "and then it is killed")
    p.add_argument("--trace", metavar="FILE", help="where the whole trace goes when something is found")
    return p.parse_args()


def mix(text):
    changed = dict(MIX)
    for part in filter(None, text.split(",")):
        name, _, weight = part.partition("=")
        changed[name] = changed[name][0], float(weight)
    return changed


def server(args):
    """(address, accounts, password(account), roles(), stop())."""
    if args.address:
        host, _, port = args.address.rpartition(":")
        words = dict(a.split(":", 1) for a in args.accounts.split(","))
        return (host, int(port)), list(words), words.get, lambda: children(args.supervisor), lambda: None
    names = args.accounts.split(",")
    if args.dovecot:
        from conformance.dovecot import Dovecot
        d = Dovecot(tempfile.mkdtemp(prefix="conformance-"))
        return ("127.0.0.1", d.port), names, d.password, dict, d.stop
    from harness import Culver
    culver = Culver(accounts=names).start()
    return ("127.0.0.1", culver.port("imap")), names, culver.password, culver.roles, culver.close


def main():
    args = arguments()
    seed = args.seed or str(int.from_bytes(os.urandom(4)))
    address, accounts, password, roles, stop = server(args)
    which = list(filter(None, args.kill.split(",")))
    killer = Killer(roles, which, seed, args.every, args.hang) if which else None
    profile = profiles.PROFILES[args.profile or ("dovecot" if args.dovecot else "culver")]
    print(f"seed {seed}, {args.clients} clients, {args.minutes} minutes", flush=True)
    driver = Driver(address, accounts, password, seed, args.clients, args.pace, profile, mix(args.mix),
                    Plant(args.plant) if args.plant else None, killer, 40 if args.dovecot else 5)
    try:
        rounds = driver.run(args.minutes * 60)
    except Contradiction as e:
        print(f"{driver.trace()}\nCONTRADICTION after {time.monotonic() - driver.begun:.1f} s and "
              f"{driver.commands.total()} commands: {e}")
        if args.trace:
            pathlib.Path(args.trace).write_text("\n".join(map(str, driver.lines)), encoding="utf-8")
        return 1
    finally:
        driver.end()
        stop()
    if args.plant:
        print(f"planted {len(driver.plant.done)} times, not found: {driver.plant.done[:3]}")
    print(f"0 contradictions, {driver.commands.total()} commands in {time.monotonic() - driver.begun:.0f} s, "
          f"{rounds} times compared at rest; {dict(driver.commands)}"
          + (f"; killed {killer.killed}" if killer else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
