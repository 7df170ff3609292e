# SPDX-License-Identifier: Apache-2.0
"""The store's upkeep: deleted messages that come back, and the space of those that do not."""
import imaplib
import json
import poplib
import smtplib

from harness import DOMAIN, Culver, example

BOB = f"bob@{DOMAIN}"


def send(c, *messages):
    with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
        for m in messages:
            s.sendmail("ann@example.org", [BOB], m)


def imap(c):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
    m.login(BOB, c.password("bob"))
    m.select()
    return m


def subjects(m, mailbox="INBOX"):
    count = int(m.select(mailbox)[1][0])
    if not count:
        return []
    found = m.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    return sorted(part[1].split(b":")[1].strip().decode() for part in found if isinstance(part, tuple))


def undelete(c, *args):
    return json.loads(c.command("account", "undelete", "--json", *args, BOB).stdout)


def test_deleted_messages_come_back():
    """By EXPUNGE, by POP3's DELE, with their mailbox; listed, narrowed, put back with a running
    server and a stopped one; an open session hears of it."""
    with Culver() as c:
        send(c, *(example(f"number {n}") for n in range(4)))
        m = imap(c)
        m.create("Folder")
        m.copy("4", "Folder")
        m.store("1", "+FLAGS", r"(\Deleted \Flagged urgent)")
        m.expunge()
        m.delete("Folder")
        p = poplib.POP3("127.0.0.1", c.port("pop3"))
        p.user(BOB)
        p.pass_(c.password("bob"))
        p.dele(1)
        p.quit()
        listed = undelete(c, "--list")
        assert sorted(d["mailbox"] for d in listed["messages"]) == ["Folder", "INBOX", "INBOX"]
        assert not listed["cut"]
        assert undelete(c, "--list", "--mailbox", "Folder")["messages"][0]["size"] > 100
        assert undelete(c, "--list", "--since", "2099-01-01")["messages"] == []
        assert len(undelete(c, "--list", "--since", "2h")["messages"]) == 3
        assert c.command("account", "undelete", "--since", "tomorrow", BOB, check=False).returncode == 2
        assert undelete(c, "--mailbox", "INBOX")["messages"] == 2
        assert subjects(m) == [f"number {n}" for n in range(4)]
        flags = m.uid("FETCH", "5:*", "(FLAGS)")[1]
        assert any(b"\\Flagged" in f and b"urgent" in f and b"Deleted" not in f for f in flags)
        m.logout()
        c.stop()
        assert undelete(c)["messages"] == 1
        assert undelete(c)["messages"] == 0
        c.start()
        m = imap(c)
        assert subjects(m, "Recovered") == ["number 3"]
        m.logout()
        c.command("store", "check")


def test_a_removed_accounts_mail():
    """It is kept for whoever is made with the address, when an administrator says so."""
    with Culver() as c:
        send(c, example("kept"))
        c.command("account", "remove", BOB)
        assert c.command("account", "undelete", BOB, check=False).returncode == 3
        c.add_account(BOB, c.password("bob"))
        assert undelete(c)["messages"] == 0
        assert undelete(c, "--removed", "--list")["messages"][0]["mailbox"] == "INBOX"
        assert undelete(c, "--removed")["messages"] == 1
        m = imap(c)
        assert subjects(m) == ["kept"]
        m.logout()
        c.command("account", "remove", "--erase", BOB)
        c.add_account(BOB, c.password("bob"))
        assert undelete(c, "--removed")["messages"] == 0
        c.command("store", "check")


def test_nothing_is_kept_when_so_configured():
    with Culver(config="keep_deleted_days = 0") as c:
        send(c, example("gone"))
        m = imap(c)
        m.store("1", "+FLAGS", r"(\Deleted)")
        m.expunge()
        m.logout()
        assert undelete(c, "--list")["messages"] == []
        assert undelete(c)["messages"] == 0
