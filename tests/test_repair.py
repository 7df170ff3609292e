# SPDX-License-Identifier: Apache-2.0
"""culver store check --repair and --rebuild: damage of every kind is found, told, and set right."""
import json
import os
import poplib
import shutil
import signal
import smtplib
import sqlite3

from harness import DOMAIN, Culver, example, wait_for
from test_backup import bodies, contents, deliver, furnish, imap, mail

LARGE = "0123456789abcdef" * 4 + "\r\n"


def ledger(culver):
    db = sqlite3.connect(culver.dir / "data" / "ledger.db")
    db.isolation_level = None
    return db


def repair(culver, *options):
    r = culver.command("store", "check", *(options or ("--repair",)), "--json", check=False)
    return r.returncode, json.loads(r.stdout)


def said(told, word):
    return [line[word] for line in told["lines"] if word in line]


def check(culver):
    return culver.command("store", "check", check=False)


def damage(culver, offset, n=1):
    with ledger(culver) as db:  # what the ledger still carries would be written again
        db.execute("DELETE FROM carried")
    db.close()
    segment = culver.dir / "data" / "blobs" / "00000001"
    with open(segment, "r+b") as f:
        f.seek(offset)
        old = f.read(n)
        f.seek(offset)
        f.write(bytes(b ^ 0x55 for b in old))


def body_of(culver, uid):
    """segment offset and stored length of the body of a message in alice's INBOX."""
    with ledger(culver) as db:
        row = db.execute(
            "SELECT b.offset,b.stored,b.id FROM entries e JOIN bodies b ON b.id=e.body JOIN mailboxes m "
            "ON m.id=e.mailbox JOIN accounts a ON a.id=m.account WHERE a.address=? AND m.name='INBOX' "
            "AND e.uid=?", (f"alice@{DOMAIN}", uid)).fetchone()
    db.close()
    return row


def test_repair_of_nothing_changes_nothing():
    with Culver() as c:
        furnish(c)
        before = contents(c)
        r = c.command("store", "check", "--repair", check=False)
        assert r.returncode == 1 and "stop it" in r.stderr
        c.stop()
        code, told = repair(c)
        assert code == 0 and told["lines"] == [] and told["repaired"] == 0
        c.start()
        assert contents(c) == before


def test_g6_counters_and_references():
    """Counts off, a mailbox's row gone, a body's row gone: found, repaired, told."""
    with Culver() as c:
        furnish(c)
        before = contents(c)
        c.stop()
        with ledger(c) as db:
            db.execute("UPDATE mailboxes SET messages=messages+7, unseen=99, size=1 WHERE name='INBOX'")
            db.execute("UPDATE accounts SET used_bytes=5, mailboxes=77")
            db.execute("UPDATE mailboxes SET uidnext=2 WHERE name='Sent' AND uidnext>1")
            lost = db.execute("SELECT id FROM mailboxes WHERE name='Work/2026'").fetchone()[0]
            db.execute("DELETE FROM mailboxes WHERE id=?", (lost,))
            body = db.execute("SELECT body FROM entries WHERE mailbox=? ORDER BY uid", (lost,)).fetchone()[0]
            db.execute("DELETE FROM bodies WHERE id=?", (body,))
        db.close()
        assert check(c).returncode == 6
        code, told = repair(c)
        assert code == 0 and told["left"] == 0 and told["damaged"] == 0, told
        assert any("has no row" in line for line in said(told, "found"))
        assert any("record was found" in line for line in said(told, "done"))
        assert check(c).returncode == 0
        c.start()
        after = contents(c)
        moved = after.pop(f"Recovered-{lost}")
        assert [m for _, m in moved[3].values()] == [m for _, m in before.pop("Work/2026")[3].values()]
        assert bodies(after) == bodies(before)
        deliver(c, ["and on"])
        assert "and on" in mail(c)


def test_a_mailbox_of_no_account_is_told_and_left():
    with Culver() as c:
        furnish(c)
        c.stop()
        with ledger(c) as db:
            db.execute("UPDATE mailboxes SET account=77 WHERE name='Work/2026'")
        db.close()
        for _ in range(2):
            code, told = repair(c)
            assert code == 6 and any("is of account 77, which does not exist" in line for line in said(told, "found")), told
        with ledger(c) as db:
            assert db.execute("SELECT count(*) FROM mailboxes WHERE account=77").fetchone() == (1,)
        db.close()


def test_g6_damaged_body_is_isolated():
    """What can be read of a damaged message is in 'Damaged'; every other message is as it was."""
    with Culver() as c:
        deliver(c, ["first"])
        deliver(c, ["large"], body=os.urandom(150000).hex() + "\r\n")
        deliver(c, [f"after {i}" for i in range(5)])
        client = imap(c)
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Flagged)")
        client.copy("2", "Archive")
        client.logout()
        before = mail(c)
        c.stop()
        offset, stored, _ = body_of(c, 2)
        damage(c, offset + stored // 2)
        r = check(c)
        assert r.returncode == 6 and "damage: body" in r.stdout
        code, told = repair(c)
        assert code == 0 and told["damaged"] == 2, told
        r = check(c)
        assert r.returncode == 0 and "note: no message is hit" in r.stdout
        c.start()
        after = mail(c)
        whole = before.pop("large")[0]
        assert after == before  # the others, byte for byte
        damaged = mail(c, mailbox="Damaged")["large"]
        assert len(damaged) == 2
        for message in damaged:
            assert message.startswith(b"X-Culver-Damaged: 1 of 5 parts could not be read")
            assert b"[65536 bytes of this message could not be read]" in message
            assert whole[:60000] in message and whole[-20000:] in message
        client = imap(c)
        client.select("Damaged")
        assert b"Flagged" in client.fetch("1", "(FLAGS)")[1][0]
        client.logout()


def test_g6_body_that_is_gone_altogether():
    with Culver() as c:
        deliver(c, ["first", "second", "third"])
        c.stop()
        offset, stored, body = body_of(c, 2)
        damage(c, offset, 128)  # its header: nothing of it can be found any more
        with ledger(c) as db:
            db.execute("DELETE FROM bodies WHERE id=?", (body,))
        db.close()
        code, told = repair(c)
        assert code == 0 and told["damaged"] == 1, told
        c.start()
        assert sorted(mail(c)) == ["first", "third"]
        [message] = mail(c, mailbox="Damaged")["[damaged message]"]
        assert b"could not be read" in message
        assert check(c).returncode == 0


def test_g6_two_entries_one_body_and_bodies_without_entry():
    """Copies share a body, which is no damage; a record that no row names is none either."""
    with Culver() as c:
        deliver(c, ["one", "two"])
        client = imap(c)
        client.select("INBOX")
        client.copy("1:2", "Archive")
        client.logout()
        c.stop()
        with ledger(c) as db:
            db.execute("DELETE FROM entries WHERE uid=2")
            db.execute("DELETE FROM deleted")
        db.close()
        assert check(c).returncode == 6
        code, told = repair(c)
        assert code == 0, told
        c.start()
        assert list(mail(c)) == ["one"] and list(mail(c, mailbox="Archive")) == ["one"]


def test_lost_ledger_is_rebuilt():
    with Culver() as c:
        furnish(c)
        deliver(c, ["to bob"], to="bob")
        before = contents(c)
        old = {m[0] for m in before.values()}
        c.stop()
        data = c.dir / "data"
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (data / name).unlink(missing_ok=True)
        r = check(c)
        assert r.returncode != 0 and "--rebuild" in r.stderr and not (data / "ledger.db").exists()
        code, told = repair(c, "--rebuild")
        assert code == 0 and not (data / "rebuild").exists(), told
        assert any("messages were found" in line for line in said(told, "done"))
        assert check(c).returncode == 0
        addresses = c.command("account", "list").stdout
        assert f"alice@{DOMAIN}" in addresses and f"bob@{DOMAIN}" in addresses
        c.start()
        # Nobody logs in before there is a password; mail comes in all the same.
        deliver(c, ["since"])
        try:
            imap(c)
            raise AssertionError("logged in without a password")
        except imap_error():
            pass
        c.command("account", "password", "--password-stdin", f"alice@{DOMAIN}",
                  stdin=c.password("alice") + "\n")
        after = contents(c)
        assert not old & {m[0] for m in after.values()}
        # Each message where it was delivered or appended to; moves, copies, flags are lost.
        found = {}
        for mailbox, (*_, messages) in after.items():
            for flags, message in messages.values():
                assert flags == ()
                found[message.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()] = (mailbox, message)
        expected = {m.partition(b"Subject: ")[2].partition(b"\r\n")[0].decode(): m
                    for *_, messages in before.values() for _, m in messages.values()}
        assert set(found) == set(expected) | {"since"}
        for subject, message in expected.items():
            assert found[subject][1] == message
        assert all(found[f"old {i}"][0] == "INBOX" for i in range(8))
        assert found["appended"][0].startswith("Mailbox-")


def damage_log(culver, part):
    """A bit of the page in the frame at that part of the ledger's log."""
    log = culver.dir / "data" / "ledger.db-wal"
    frames = (log.stat().st_size - 32) // 4120
    with open(log, "r+b") as f:
        at = 32 + int(frames * part) * 4120 + 2000
        f.seek(at)
        old = f.read(1)[0]
        f.seek(at)
        f.write(bytes([old ^ 1]))


def test_damaged_log_is_not_taken_for_its_end():
    with Culver() as c:
        furnish(c)
        before = contents(c)
        for i in range(10):
            deliver(c, [f"later {i}"])
        os.kill(c.process.pid, signal.SIGSTOP)  # a store that sees its supervisor go may yet put its log away
        c.kill_role("store")
        c.kill_all()
        damage_log(c, 0.9)
        c.start(wait=False)
        assert c.process.wait(60) != 0
        c.forget_process()
        wait_for(lambda: "event=store-damage file=ledger.db-wal" in c.log_text())
        for options in (), ("--json",), ("--repair",):  # damage that was found, and what can be done
            r = c.command("store", "check", *options, check=False)
            assert r.returncode == 6 and "--accept-loss" in r.stdout + r.stderr, (options, r.returncode, r.stdout, r.stderr)
            assert "--json" not in options or "--accept-loss" in json.loads(r.stdout)["findings"][0]
        assert c.command("store", "check", "--rebuild", check=False).returncode == 4  # it would lose more
        code, told = repair(c, "--accept-loss")
        assert code == 0 and "was damaged" in said(told, "found")[0] and not said(told, "damage"), told
        assert not (c.dir / "data" / "accept-loss").exists() and not (c.dir / "data" / "restored").exists()
        assert check(c).returncode == 0
        c.start()
        deliver(c, ["since"])
        after = contents(c)
        assert {name: box[0] for name, box in before.items()}.keys() == after.keys()
        for name, (validity, *_, messages) in before.items():
            assert after[name][0] > validity
            found = {m for _, m in after[name][-1].values()}
            assert {m for _, m in messages.values()} <= found
        assert 8 < len(after["INBOX"][-1]) < 8 + 11 + 1
        c.stop()
        assert check(c).returncode == 0


def pop3(culver, name="alice"):
    client = poplib.POP3("127.0.0.1", culver.port("pop3"), timeout=30)
    client.stls(culver.tls_context())
    client.user(f"{name}@{DOMAIN}")
    client.pass_(culver.password(name))
    return client


def uidls(culver):
    """UIDL -> message, of alice's maildrop."""
    client = pop3(culver)
    listed = [line.decode().split() for line in client.uidl()[1]]
    assert all(client.uidl(int(number)).decode().split()[1:] == [number, uidl] for number, uidl in listed)
    found = {uidl: b"\r\n".join(client.retr(int(number))[1]) for number, uidl in listed}
    client.quit()
    assert len(found) == len(listed) and all(1 <= len(u) <= 70 and u.isascii() and u.isprintable() for u in found)
    return found


def test_p4_uidl_after_a_rebuild():
    """What was delivered or appended has its UIDL in every ledger; a copy beside it has another."""
    with Culver() as c:
        deliver(c, [f"old {i}" for i in range(5)])
        client = imap(c)
        client.append("INBOX", None, None, example("appended"))
        client.select("INBOX")
        client.copy("2", "INBOX")
        client.uid("MOVE", "3", "Archive")
        client.select("Archive")
        client.uid("MOVE", "1", "INBOX")  # there and back
        client.logout()
        before = uidls(c)
        assert len(before) == 7
        c.restart()
        assert uidls(c) == before
        c.stop()
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (c.dir / "data" / name).unlink(missing_ok=True)
        code, told = repair(c, "--rebuild")
        assert code == 0, told
        c.command("account", "password", "--password-stdin", f"alice@{DOMAIN}",
                  stdin=c.password("alice") + "\n")
        c.start()
        client = imap(c)
        [number] = [n for n in (line.decode().rpartition(' "/" ')[2] for line in client.list()[1])
                    if n.startswith("Mailbox-")]  # an APPEND's mailbox is one by number after a rebuild
        client.select(number)
        client.uid("MOVE", "1", "INBOX")
        client.logout()
        after = uidls(c)
        copies = [u for u in before if u not in after]
        assert len(copies) == 1 and b"old 1" in before[copies[0]]
        assert after == {u: m for u, m in before.items() if u not in copies}
        deliver(c, ["since"])
        later = uidls(c)
        assert len(later) == 7 and all(later[u] == m for u, m in after.items())


def imap_error():
    import imaplib
    return imaplib.IMAP4.error


def test_rebuild_beside_a_ledger_keeps_it():
    with Culver() as c:
        furnish(c)
        c.stop()
        code, _ = repair(c, "--rebuild", "--force")
        assert code == 0 and (c.dir / "data" / "ledger.lost").exists()
        # A rebuild that was interrupted: the store refuses to be written to until it is finished.
        (c.dir / "data" / "rebuild").touch()
        r = c.command("domain", "add", "later.test", check=False)
        assert r.returncode == 1 and "--rebuild" in r.stderr, r.stderr
        code, _ = repair(c, "--rebuild")
        assert code == 0
        assert c.command("domain", "add", "later.test").returncode == 0
