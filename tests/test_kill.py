# SPDX-License-Identifier: Apache-2.0
"""kill -9 of every role under load: nothing acknowledged is lost, torn or doubled, and each role is
back within a second (measured and printed; ten are a failure)."""
import os
import random
import statistics
import time

from harness import Culver, wait_for
from load import Load, check, stored

KILLS = int(os.environ.get("CULVER_KILLS", "60"))


def kill_once(c, role):
    """Seconds until a new process of the role is up (its own log line says so)."""
    def backs():
        return sum(e["role"] == role for e in c.events("role-back"))
    before = backs()
    begun = time.monotonic()
    c.kill_role(role)
    wait_for(lambda: backs() > before, 10)
    return time.monotonic() - begun


def test_kills_under_load():
    r = random.Random(4)
    with Culver() as c:
        roles = sorted(c.roles())
        plan = [roles[i % len(roles)] for i in range(KILLS)]
        r.shuffle(plan)
        times = []
        with Load(c) as load:
            for role in plan:
                at = load.count()
                wait_for(lambda: load.count() > at, 10)  # work is going on
                times.append(kill_once(c, role))
        found = stored(c)
        check(load, found)
        assert "0 found damaged" in c.command("store", "check").stdout
        assert c.stop() == 0
    print(f"{KILLS} kills, {load.count()} acknowledged, 0 lost; back in "
          f"{statistics.median(times) * 1000:.0f} ms (median), {max(times) * 1000:.0f} ms (worst)")
    assert load.count() > KILLS


def test_kill_of_the_supervisor_and_a_new_start():
    with Culver() as c:
        rounds = 0
        loads = []
        for n in range(4):
            with Load(c, 4, f"round{n}") as load:
                wait_for(lambda: load.count() > 10, 20)
                c.process.kill()
                c.process.wait()
            loads.append(load)
            c.forget_process()
            wait_for(lambda: not c.roles_left(), 5)
            c.start()
            rounds += 1
        check(loads, stored(c))
        acknowledged = sum(l.count() for l in loads)
        assert "0 found damaged" in c.command("store", "check").stdout
    print(f"{rounds} kills of the supervisor, {acknowledged} acknowledged, 0 lost")


def test_a_store_that_is_away_is_a_4xx_and_heals(culver):
    """While the store is stopped in mid-work, fronts answer; afterwards they go on without a restart."""
    import os
    import signal
    import smtplib
    from harness import example
    c = culver
    fronts = {k: v for k, v in c.roles().items() if k.startswith("front")}
    with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
        s.sendmail("x@y.example", ["bob@example.test"], example("before"))
        pid = c.roles()["store"]
        os.kill(pid, signal.SIGKILL)
        seen = []
        for n in range(50):
            try:
                s.sendmail("x@y.example", ["bob@example.test"], example(f"after {n}"))
                seen.append(250)
                if len(seen) > 3:
                    break
            except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError, smtplib.SMTPSenderRefused) as e:
                code = e.smtp_code if hasattr(e, "smtp_code") else list(e.recipients.values())[0][0]
                assert 400 <= code < 500, code
                seen.append(code)
                time.sleep(0.02)
        assert seen[-1] == 250
    assert {k: v for k, v in c.roles().items() if k.startswith("front")} == fronts
