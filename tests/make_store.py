#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a small store that every later version must be able to read (tests/test_formats.py):

    CULVER=build/culver tests/make_store.py tests/stores/NAME.tar.xz

Run once for each version of a format, with the program of that version, and kept for ever.
"""
import hashlib
import imaplib
import json
import pathlib
import smtplib
import sys
import tarfile
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import DOMAIN, Culver, example  # noqa: E402


def imap(culver, name):
    client = imaplib.IMAP4("127.0.0.1", culver.port("imap"), timeout=30)
    client.starttls(culver.tls_context())
    client.login(f"{name}@{DOMAIN}", culver.password(name))
    return client


def contents(culver, name):
    """mailbox -> its UIDVALIDITY, and for each UID flags and SHA-256 of the bytes."""
    client, found = imap(culver, name), {}
    for line in client.list()[1]:
        mailbox = line.decode().rpartition(' "/" ')[2].strip('"')
        client.select(f'"{mailbox}"', readonly=True)
        entry = {"uidvalidity": client.untagged_responses["UIDVALIDITY"][0].decode(), "messages": {}}
        for uid in client.uid("SEARCH", "ALL")[1][0].decode().split():
            words, message = client.uid("FETCH", uid, "(FLAGS INTERNALDATE BODY.PEEK[])")[1][0]
            words = words.decode()
            flags = sorted(set(words.partition("FLAGS (")[2].partition(")")[0].split()) - {r"\Recent"})
            date = words.partition('INTERNALDATE "')[2].partition('"')[0]
            entry["messages"][uid] = [flags, date, hashlib.sha256(message).hexdigest()]
        found[mailbox] = entry
    client.logout()
    return found


def fill(culver):
    culver.command("domain", "add", "other.test")
    culver.command("alias", "add", f"sales@{DOMAIN}", f"alice@{DOMAIN}")
    culver.command("alias", "add", f"sales@{DOMAIN}", f"bob@{DOMAIN}")
    culver.command("account", "set", "--quota", "500M", f"bob@{DOMAIN}")
    with smtplib.SMTP("127.0.0.1", culver.port("smtp")) as s:
        for i in range(6):
            s.sendmail("x@remote.test", [f"alice@{DOMAIN}"], example(f"plain {i}"))
        s.sendmail("x@remote.test", [f"sales@{DOMAIN}"], example("two recipients"))
        s.sendmail("x@remote.test", [f"bob@{DOMAIN}"], example("chunks", "0123456789abcdef\r\n" * 20000))
    client = imap(culver, "alice")
    client.create("Work/2026")
    client.create("Empty")
    client.select("INBOX")
    client.store("1", "+FLAGS", r"(\Seen \Flagged)")
    client.store("2", "+FLAGS", r"($Important \Answered)")
    client.copy("2", "Work/2026")
    client.store("3", "+FLAGS", r"(\Deleted)")
    client.expunge()
    client.append("Sent", r"(\Seen)", '"21-Nov-2026 22:23:33 +0000"', example("appended"))
    client.logout()


def main(out):
    with Culver() as c:
        fill(c)
        expected = {name: contents(c, name) for name in ("alice", "bob")}
        c.stop()
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f, tarfile.open(out, "w:xz") as tar:
            json.dump(expected, f, indent=1, sort_keys=True)
            f.flush()
            tar.add(f.name, "expected.json", filter=plain)
            tar.add(c.dir / "data", "data", filter=plain)


def plain(info):
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = "root"
    return info


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
