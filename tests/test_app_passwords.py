# SPDX-License-Identifier: Apache-2.0
"""App passwords: made on a running or a stopped server, good for the services they are for, and gone
at once when they are removed (A8)."""
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import time

from harness import DOMAIN, wait_for
from hostile import Imap, Pop3
from scram import Scram, digest
from test_mechanisms import Smtp, b64
from test_revoked import MOST_S, NEW, Submission, idle, set_password, until_cut

BOB = f"bob@{DOMAIN}"


def make(culver, *options):
    text = culver.command("account", "app-password", "add", *options, BOB).stdout
    assert re.fullmatch(r"([a-km-np-z2-9]{5}-){4}[a-km-np-z2-9]{5}\n", text), text
    return text.strip()


def listed(culver):
    return json.loads(culver.command("account", "app-password", "list", "--json", BOB).stdout)


def remove(culver, number, **kwargs):
    return culver.command("account", "app-password", "remove", BOB, str(number), **kwargs)


def by_imap(culver, password):
    with Imap(culver, user=None) as c:
        status = c.say(f'LOGIN {BOB} "{password}"'.encode())
        return status, c.text


def by_pop3(culver, password):
    with Pop3(culver, user=None) as c:
        assert c.say(f"USER {BOB}".encode())
        return c.say(f"PASS {password}".encode()), c.text


def by_submission(culver, password):
    try:
        with Submission(culver, password=password):
            return True, b""
    except AssertionError as e:
        return False, str(e).encode()


def test_scopes(culver):
    """Each service takes what is for it, and says of the others that they are for others."""
    words = {"imap": by_imap, "pop3": by_pop3, "smtp": by_submission}
    for service, _ in words.items():
        password = make(culver, "--services", service, "--label", f"for {service}")
        for other, log_in in words.items():
            status, text = log_in(culver, password)
            assert (status in (True, b"OK")) == (service == other), (service, other, text)
            if service != other and other == "pop3":
                assert b"other services" in text
    assert [(s["label"], s["services"]) for s in listed(culver)] == [(f"for {s}", s) for s in words]
    # the account's own password is good for all of them, as ever; and what is none is wrong alike
    for log_in in words.values():
        assert log_in(culver, culver.password("bob"))[0] in (True, b"OK")
    wrong = by_imap(culver, password[:-1] + ("a" if password[-1] != "a" else "b"))
    assert wrong == by_imap(culver, "wrong") and wrong[0] == b"NO"


def by_scram(culver, password):
    """The reply's code; the salt is left in by_scram.salt."""
    connection, client = Smtp(culver), Scram(BOB, password)
    status = connection.scram(client)
    connection.close()
    by_scram.salt = client.fields["s"]
    return status[:3]


def test_scram(culver):
    """Every one of an account's passwords works by SCRAM too, for what it is good for; its use is noted,
    and with -PLUS a client knows the server by it."""
    mail, reading = make(culver, "--services", "smtp"), make(culver, "--services", "imap,pop3")
    assert by_scram(culver, culver.password("bob")) == "235"
    assert by_scram(culver, mail) == "235"
    assert by_scram(culver, reading) == "535"
    assert by_scram(culver, mail.replace("-", "")) == "535"  # what was shown is what is hashed
    assert by_scram(culver, "wrong") == "535"
    wait_for(lambda: [s["used_ms"] > 0 for s in listed(culver)] == [True, False])
    for password, code in ((reading, 0), (mail, 1)):
        r = subprocess.run(
            ["gsasl", "--imap", "--connect", f"127.0.0.1:{culver.port('imap')}",
             "--mechanism", "SCRAM-SHA-256-PLUS", "--authentication-id", BOB, "--password", password,
             "--x509-ca-file", str(culver.certificate)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        assert r.returncode == code, r.stdout + r.stderr
    remove(culver, listed(culver)[0]["id"])
    assert by_scram(culver, mail) == "535"
    set_password(culver)  # a new one has the same salt: the others stay good
    remove(culver, listed(culver)[0]["id"])
    another = make(culver)
    assert by_scram(culver, another) == by_scram(culver, NEW) == "235"


def old_verifier(password):
    """As older versions made it: with a salt of its own."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 16384)
    stored = hashlib.sha256(digest(salted, b"Client Key")).digest()
    return f"SCRAM-SHA-256$16384:{b64(salt)}${b64(stored)}:{b64(digest(salted, b'Server Key'))}".encode()


def test_scram_in_an_older_store(culver):
    """A verifier that was made with another salt is good for its own password alone, until a login shows
    that password."""
    password, own = make(culver), culver.password("bob")
    culver.stop()
    with sqlite3.connect(culver.dir / "data" / "ledger.db") as db:
        db.execute("UPDATE secrets SET value=? WHERE kind=2 AND account="
                   "(SELECT id FROM accounts WHERE address=?)", (old_verifier(own), BOB))
    db.close()
    culver.start()
    assert by_scram(culver, own) == "235"
    old = by_scram.salt
    assert by_scram(culver, password) == "535"
    assert by_imap(culver, own)[0] == b"OK"
    wait_for(lambda: by_scram(culver, own) == "235" and by_scram.salt != old)
    assert by_scram(culver, password) == "235"


def test_another_master_key_is_told_of(culver):
    password, key = make(culver), culver.dir / "master.key"
    wrong = password[:-1] + ("a" if password[-1] != "a" else "b")
    assert by_imap(culver, wrong)[0] == b"NO" and not culver.events("other-master-key")
    culver.stop()
    before = key.read_bytes()
    key.write_bytes(bytes(reversed(before)))
    culver.start()
    try:
        assert by_imap(culver, culver.password("bob"))[0] == b"OK" and not culver.events("other-master-key")
        for _ in range(2):
            assert by_imap(culver, password)[0] == b"NO"
        [told] = wait_for(lambda: culver.events("other-master-key"))
        assert told["level"] == "warn" and told["user"] == BOB and "draw them anew" in told["text"]
        fresh = make(culver)
        assert by_imap(culver, fresh)[0] == b"OK"
    finally:
        culver.stop()
        key.write_bytes(before)
        culver.start()
    assert by_imap(culver, password)[0] == b"OK"


def test_last_use_costs_no_flush(culver):
    password = make(culver)
    assert listed(culver)[0]["used_ms"] == 0
    began = time.time()
    assert by_imap(culver, password)[0] == b"OK"
    used = wait_for(lambda: listed(culver)[0]["used_ms"])
    assert began - 1 < used / 1000 < time.time() + 1
    commits = json.loads(culver.command("status", "--json").stdout)["commits"]
    for _ in range(20):
        assert by_imap(culver, password)[0] == b"OK"
    assert json.loads(culver.command("status", "--json").stdout)["commits"] == commits
    assert listed(culver)[0]["used_ms"] == used


def test_removed_ones_cut_their_sessions(culver):
    password = make(culver)
    kept = make(culver)
    sessions = {"imap": Imap(culver, user=None), "pop3": Pop3(culver, user=None), "idle": idle(culver),
                "submission": Submission(culver, password=password)}
    assert sessions["imap"].say(f'LOGIN {BOB} "{password}"'.encode()) == b"OK"
    assert sessions["pop3"].say(f"USER {BOB}".encode()) and sessions["pop3"].say(f"PASS {password}".encode())
    cut = until_cut(sessions, lambda: remove(culver, listed(culver)[0]["id"]))
    print({name: f"{at * 1000:.0f} ms" for name, (at, _) in cut.items()})
    assert max(at for at, _ in cut.values()) < MOST_S
    assert by_imap(culver, password)[0] == b"NO"
    assert by_imap(culver, kept)[0] == b"OK"
    assert remove(culver, 9999, check=False).returncode == 3
    assert remove(culver, "x", check=False).returncode == 2
    assert culver.command("account", "app-password", "list", f"nobody@{DOMAIN}", check=False).returncode == 3
    assert culver.command("account", "app-password", "add", "--services", "none", BOB, check=False).returncode != 0


def test_they_outlive_a_restart_and_a_new_password(culver):
    culver.stop()
    password = make(culver)
    culver.start()
    assert by_imap(culver, password)[0] == b"OK"
    set_password(culver)
    assert by_pop3(culver, password)[0]
    assert by_imap(culver, culver.password("bob"))[0] == b"NO"  # the old one
    culver.command("account", "set", "--services", "imap", BOB)
    assert by_pop3(culver, password)[0] is False  # never more than the account may


def test_a9_they_are_nowhere(culver):
    """Neither in the log nor in what is stored."""
    passwords = [make(culver, "--label", "phone"), culver.password("bob")]
    for password in passwords:
        assert by_imap(culver, password)[0] == b"OK"
        assert by_pop3(culver, password)[0]
        assert by_submission(culver, password)[0]
    culver.stop()
    found = [culver.log_text().encode()]
    found += [p.read_bytes() for p in culver.dir.rglob("*") if p.is_file()]
    for password in passwords:
        for form in (password, password.replace("-", "")):
            assert not any(form.encode() in text for text in found)


