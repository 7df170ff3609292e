# SPDX-License-Identifier: Apache-2.0
"""culver import and export: from Dovecot's Maildir and mbox into Culver, out again, and read by Dovecot;
run again, killed, and with files that mean harm."""
import bz2
import gzip
import imaplib
import io
import json
import lzma
import os
import pathlib
import pty
import re
import shutil
import signal
import smtplib
import subprocess
import tarfile
import tempfile
import time

import pytest

from harness import DOMAIN, Culver, example, wait_for

ALICE = f"alice@{DOMAIN}"
needs_dovecot = pytest.mark.skipif(not shutil.which("doveadm"), reason="no Dovecot here")

MESSAGES = [
    b"From: a@b\r\nSubject: plain\r\n\r\nHello.\r\n",
    b"Return-Path: <ann@example.org>\r\nFrom: a@b\r\nSubject: lines\r\n\r\n.\r\n..\r\n\r\nFrom here on\r\n>From there\r\n\r\n",
    b"From: a@b\r\nSubject: bytes\r\nContent-Transfer-Encoding: 8bit\r\n\r\ngr\xfc\xdf \xe2\x82\xac\r\n" + b"x" * 5000 + b"\r\n",
    b"Subject: folded\r\n and more\r\nX-Empty:\r\n\r\n\r\n\r\ntext\r\n",
]


class Dovecot:
    """Dovecot's own code on a directory, as a user of no rights, spoken to by IMAP on a pipe."""

    def __init__(self, location):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="culver-dovecot-"))
        conf = self.home / "dovecot.conf"
        conf.write_text(f"protocols =\nbase_dir = {self.home}/run\nlog_path = {self.home}/log\nssl = no\n"
                        f"mail_location = {location}\nmbox_lazy_writes = no\nmbox_write_locks = fcntl\n"
                        "lock_method = fcntl\n")
        drop = "setpriv --reuid=65534 --regid=65534 --clear-groups " if os.geteuid() == 0 else ""
        self.command = f"{drop}env HOME={self.home} USER=nobody doveadm -c {conf} exec imap"
        self.own()

    def own(self):
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "65534:65534", self.home], check=True)

    def age(self):
        """Its mailboxes are of long ago."""
        client = self.imap()
        names = [line.decode().rpartition(" ")[2].strip('"') for line in client.list()[1] if b"Noselect" not in line]
        client.logout()
        for i, name in enumerate(names):
            name = name.replace("&APw-", "\u00fc").replace("&-", "&")
            subprocess.run([*self.command.split()[:-2], "mailbox", "update", "--uid-validity", str(1170000000 + i), name], check=True)

    def imap(self):
        return imaplib.IMAP4_stream(self.command)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.home, ignore_errors=True)


def culver_imap(c, name="alice"):
    client = imaplib.IMAP4("127.0.0.1", c.port("imap"), timeout=30)
    client.starttls(c.tls_context())
    client.login(f"{name}@{DOMAIN}", c.password(name))
    return client


def contents(client):
    """mailbox -> (UIDVALIDITY, UIDNEXT, {uid: (flags, date, bytes)}), levels by "/"."""
    found = {}
    for line in client.list()[1]:
        attributes, separator, name = re.fullmatch(r'\((.*)\) "(.)" (.*)', line.decode()).groups()
        if "Noselect" in attributes:
            continue
        assert client.select(name, readonly=True)[0] == "OK", name
        validity, uidnext = (int(client.response(word)[1][0]) for word in ("UIDVALIDITY", "UIDNEXT"))
        messages = {}
        for uid in client.uid("SEARCH", "ALL")[1][0].decode().split():
            words, message = client.uid("FETCH", uid, "(FLAGS INTERNALDATE BODY.PEEK[])")[1][0]
            flags = re.search(r"FLAGS \(([^)]*)\)", words.decode())[1].split()
            date = time.mktime(imaplib.Internaldate2tuple(words))
            messages[int(uid)] = (tuple(sorted(set(flags) - {r"\Recent"})), date, message)
        found[name.strip('"').replace(separator, "/")] = (validity, uidnext, messages)
    return found


def fill(client, separator, messages=tuple(MESSAGES)):
    dates = ('"01-Feb-2003 04:05:06 +0000"', '"29-Feb-2024 23:59:59 +0000"', '"15-Mar-2025 12:00:00 +0000"')
    flags = (r"(\Seen)", r"(\Answered \Flagged $Label1)", r"(\Draft work $Forwarded)", None)
    for i, message in enumerate(messages):
        assert client.append("INBOX", flags[i % 4], dates[i % 3], message)[0] == "OK"
    for name in (f"Work{separator}2026", "Entw&APw-rfe", "Sent", f"Work{separator}A&-B"):
        assert client.create(name)[0] == "OK" or name == "Sent"  # which Culver's accounts have
        client.subscribe(name)
        for i, message in enumerate(messages[:2]):
            assert client.append(name, flags[i + 1], dates[i + 1], message.replace(b"Subject: ", b"Subject: " + name.encode() + b" "))[0] == "OK"
    client.unsubscribe("Entw&APw-rfe")
    client.select("INBOX")  # UIDs with a gap, and one behind the last
    client.append("INBOX", r"(\Deleted)", dates[0], messages[0].replace(b"plain", b"last"))
    client.append("INBOX", None, dates[0], messages[0].replace(b"plain", b"gone"))
    client.noop()
    client.uid("STORE", "1", "+FLAGS.SILENT", r"(\Deleted)")
    client.uid("EXPUNGE", f"1,{len(messages) + 2}")
    client.logout()


def run_import(c, *args, check=True):
    r = c.command("import", "--json", *args, check=check)
    return json.loads(r.stdout) if check else r


def without_numbers(found):
    return {name: sorted(messages.values()) for name, (*_, messages) in found.items() if messages}


def numbered(found, names):
    return {name: (validity, messages) for name, (validity, _, messages) in found.items() if name in names}


@needs_dovecot
@pytest.mark.parametrize("layout", ["maildir:~/Maildir", "maildir:~/Maildir:LAYOUT=fs"])
def test_round_trip_with_dovecots_maildir(layout):
    with Dovecot(layout) as old, Culver() as c:
        client = old.imap()
        fill(client, "/" if "fs" in layout else ".")
        old.age()
        expected = contents(old.imap())
        told = run_import(c, ALICE, old.home / "Maildir")
        count = sum(len(messages) for *_, messages in expected.values())
        assert told == {"imported": count, "there": 0, "left_out": 0, "mailboxes": len(expected)}
        client = culver_imap(c)
        there = contents(client)
        # UIDs and UIDVALIDITYs are Dovecot's; no UID that it gave is given again.
        assert numbered(there, expected) == numbered(expected, expected)
        subscribed = {line.decode().rpartition(' "/" ')[2].strip('"') for line in client.lsub()[1]}
        assert "Work/2026" in subscribed and "Entw&APw-rfe" not in subscribed
        client.append("INBOX", None, None, b"Subject: new\r\n\r\nnew\r\n")
        now = contents(client)
        assert max(now["INBOX"][2]) >= expected["INBOX"][1]
        # Nothing comes twice, moved or deleted meanwhile as it may be.
        client.select("INBOX")
        client.uid("MOVE", str(max(expected["INBOX"][2])), "Archive")
        client.uid("STORE", str(min(expected["INBOX"][2])), "+FLAGS", r"(\Deleted)")
        client.expunge()
        again = run_import(c, ALICE, old.home / "Maildir")
        assert again["imported"] == 0 and again["there"] == count
        there = contents(client)
        client.logout()
        with Dovecot("maildir:~/out") as new:
            told = json.loads(c.command("export", "--json", ALICE, new.home / "out").stdout)
            assert told["messages"] == sum(len(messages) for *_, messages in there.values())
            new.own()
            read = contents(new.imap())
            full = {name for name, (*_, messages) in there.items() if messages}
            assert numbered(read, full) == numbered(there, full)
            assert set(there) == set(read)
            subscribed = {line.decode().rpartition(' "." ')[2].strip('"') for line in new.imap().lsub()[1]}
            assert "Work.2026" in subscribed and "Entw&APw-rfe" not in subscribed
            log = new.home / "log"
            assert not log.exists() or not re.search("Error|Warning|Panic", log.read_text())
            r = c.command("export", ALICE, new.home / "out", check=False)
            assert r.returncode == 4 and "not empty" in r.stderr


@needs_dovecot
def test_round_trip_with_dovecots_mbox():
    messages = [m for m in MESSAGES]
    with Dovecot("mbox:~/mail:INBOX=~/mail/INBOX") as old, Culver() as c:
        (old.home / "mail").mkdir()
        old.own()
        fill(old.imap(), "/", messages)
        old.age()
        expected = contents(old.imap())
        told = run_import(c, ALICE, old.home / "mail")
        count = sum(len(m) for *_, m in expected.values())
        assert told["imported"] == count and told["left_out"] == 0
        client = culver_imap(c)
        there = contents(client)
        assert without_numbers(there) == without_numbers(expected)

        def subscribed(client):
            return {line.decode().rpartition(' "/" ')[2].strip('"') for line in client.lsub()[1]}

        assert "Work/2026" in subscribed(client) and "Entw&APw-rfe" not in subscribed(client)
        full = {name for name, (*_, m) in expected.items() if m}
        assert numbered(there, full) == numbered(expected, full)
        assert run_import(c, ALICE, old.home / "mail")["imported"] == 0
        client.logout()
        with Dovecot("mbox:~/out:INBOX=~/out/INBOX") as new:
            c.command("export", "--format", "mbox", ALICE, new.home / "out")
            new.own()
            read = contents(new.imap())
            quoted = {name: [(f, d, m.replace(b"\n>From there", b"\n>>From there").replace(b"\nFrom here", b"\n>From here"))
                             for f, d, m in rows] for name, rows in without_numbers(there).items()}
            assert {"Work/2026", "INBOX"} <= subscribed(new.imap()) and "Entw&APw-rfe" not in subscribed(new.imap())
            # Dovecot does not take the quoting of "From " lines back (mboxrd); we do.
            assert without_numbers(read) in (without_numbers(there), quoted)
        with Culver() as other:
            target = other.dir / "out"
            client = culver_imap(c)
            for name in "Work/2026", "Work/2026/below":  # which is in Work/2026.sbd
                client.create(name)
                client.subscribe(name)
                client.append(name, None, None, b"Subject: more\r\n\r\n" + name.encode() + b"\r\n")
            c.command("export", "--format", "mbox", ALICE, target)
            run_import(other, ALICE, target)
            there, now = contents(client), subscribed(culver_imap(other))
            assert {"Work/2026", "Work/2026/below"} <= now and "Entw&APw-rfe" not in now
            assert without_numbers(contents(culver_imap(other))) == without_numbers(there)


def make_maildir(root, names):
    for sub in ("cur", "new", "tmp"):
        (root / sub).mkdir(parents=True)
    for i, name in enumerate(names):
        path = root / ("new" if ":" not in name else "cur") / name
        path.write_bytes(b"Subject: %d\n\nbody of %d\n" % (i, i))
        os.utime(path, (1000000000 + i, 1000000000 + i))


def test_couriers_maildir(tmp_path):
    with Culver() as c:
        root = tmp_path / "Maildir"
        make_maildir(root, ["100.a:2,S", "200.b:2,RF", "300.c"])
        make_maildir(root / ".Work", ["400.d:2,P"])
        (root / "courierimapuiddb").write_text("1 1170000000 12\n3 100.a\n7 200.b\n")
        (root / "courierimapkeywords").mkdir()
        (root / "courierimapkeywords" / ":list").write_text("$label1\nwork\n\n100.a:0 1\n200.b:1\n300.c:1\n")
        # What has changed since: the highest number is the newest, and an empty file takes all away.
        for name, words in ("200.b", "old"), (".5.200.b", "$label1\nnew"), (".12.200.b", "newest\nwork"), (".9.300.c", ""), (".x.300.c", "bad"):
            (root / "courierimapkeywords" / name).write_text(words)
        (root / "courierimapsubscribed").write_text("INBOX\nINBOX.Sent\n")
        (root / ".Plain.txt").write_text("no folder")
        assert run_import(c, ALICE, root)["imported"] == 4
        client = culver_imap(c)
        found = contents(client)
        validity, _, messages = found["INBOX"]
        assert validity == 1170000000
        assert {uid: (flags, date) for uid, (flags, date, _) in messages.items()} == {
            3: (("$label1", r"\Seen", "work"), 1000000000), 7: ((r"\Answered", r"\Flagged", "newest", "work"), 1000000001),
            12: ((), 1000000002)}
        assert messages[3][2] == b"Subject: 0\r\n\r\nbody of 0\r\n"
        [work] = found["Work"][2].values()
        assert work[0] == ("$Forwarded",)
        assert b"Work" not in b"".join(client.lsub()[1])
        client.logout()


def test_a_second_run_takes_what_is_new(tmp_path):
    with Culver() as c:
        root = tmp_path / "Maildir"
        make_maildir(root, ["1.a:2,", "2.b:2,"])
        (root / "cur" / "3.same:2,").write_bytes((root / "cur" / "1.a:2,").read_bytes())  # it is there twice
        assert run_import(c, ALICE, root)["imported"] == 3
        (root / "cur" / "1.a:2,").rename(root / "cur" / "1.a:2,S")
        (root / "new" / "4.d").write_bytes(b"Subject: new\n\n")
        told = run_import(c, "--into", "Other", ALICE, root)
        assert told["imported"] == 1 and told["there"] == 3
        found = contents(culver_imap(c))
        assert len(found["INBOX"][2]) == 3 and len(found["Other"][2]) == 1
        r = c.command("import", f"nobody@{DOMAIN}", root, check=False)
        assert r.returncode == 3
        assert c.command("import", ALICE, check=False).returncode == 2
        assert c.command("import", ALICE, tmp_path / "nowhere", check=False).returncode == 1
        told = run_import(c, f"bob@{DOMAIN}", root, ALICE, root)  # several accounts
        assert told["imported"] == 4 and told["there"] == 4
        c.stop()
        told = run_import(c, f"bob@{DOMAIN}", root)  # on a stopped server
        assert told["imported"] == 0 and told["there"] == 4


def bodies_in(client):
    """mailbox -> its messages' bytes, in the order of their UIDs."""
    return {name: [m[2] for _, m in sorted(messages.items())] for name, (*_, messages) in contents(client).items() if messages}


@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_a_new_copy_is_put_where_it_is_new(tmp_path, kind):
    """Messages that are alike are taken for those in the same mailbox first; what the account has in another one alone
    stands for one that is nowhere else, be it moved here or there."""
    first, second, third = (b"Subject: %s\n\nx\n" % word for word in (b"first", b"second", b"third"))
    crlf = {m: m.replace(b"\n", b"\r\n") for m in (first, second, third)}

    def put(name, *messages):
        if kind == "mbox":
            path = tmp_path / "mail" / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"".join(b"From x Tue Nov 14 22:13:20 2023\n" + m + b"\n" for m in messages))
            return
        folder = tmp_path / "mail" / ("." if name == "INBOX" else "." + name)
        shutil.rmtree(folder / "cur", ignore_errors=True)
        (folder / "cur").mkdir(parents=True)
        for i, m in enumerate(messages):
            (folder / "cur" / f"{i}.x:2,S").write_bytes(m)

    with Culver() as c:
        put("INBOX", first)
        put("Work", first, second)
        assert run_import(c, ALICE, tmp_path / "mail")["imported"] == 3
        client = culver_imap(c)
        assert bodies_in(client) == {"INBOX": [crlf[first]], "Work": [crlf[first], crlf[second]]}
        put("Archive", first, third, second)  # before Work in any order, and new there
        told = run_import(c, ALICE, tmp_path / "mail")
        assert (told["imported"], told["there"], told["mailboxes"], told["left_out"]) == (3, 3, 3, 0)
        expected = {"INBOX": [crlf[first]], "Archive": [crlf[first], crlf[third], crlf[second]],
                    "Work": [crlf[first], crlf[second]]}
        assert bodies_in(client) == expected
        assert run_import(c, ALICE, tmp_path / "mail")["imported"] == 0
        # The same where the mailbox holds something already.
        put("INBOX", first, second, third)
        told = run_import(c, ALICE, tmp_path / "mail")
        assert (told["imported"], told["there"], told["mailboxes"], told["left_out"]) == (2, 6, 3, 0)
        expected["INBOX"] += [crlf[second], crlf[third]]
        assert bodies_in(client) == expected
        # What was moved on either side does not come again.
        client.select("Work")
        client.uid("MOVE", "1:*", "Sent")
        put("Archive")
        put("Drafts", first, third, second)
        told = run_import(c, ALICE, tmp_path / "mail")
        assert (told["imported"], told["there"], told["left_out"]) == (0, 8, 0)
        client.logout()


def test_uids_are_kept_behind_a_message_that_waits(tmp_path):
    """One that may be another mailbox's is decided about late: those behind it come after it."""
    with Culver() as c:
        root = tmp_path / "Maildir"

        def put(folder, uids):
            (root / folder / "cur").mkdir(parents=True, exist_ok=True)
            (root / folder / "dovecot-uidlist").write_text(
                f"3 V1170000000 N{max(uids) + 1}\n" + "".join(f"{uid} :{uid}.x\n" for uid in uids))
            for uid, word in uids.items():
                (root / folder / "cur" / f"{uid}.x:2,").write_bytes(b"Subject: %s\n\nx\n" % word)

        put(".", {1: b"one"})
        put(".Work", {1: b"two"})
        assert run_import(c, ALICE, root)["imported"] == 2
        put(".", {1: b"one", 5: b"two", 8: b"three", 9: b"one"})
        assert run_import(c, ALICE, root)["imported"] == 3
        client = culver_imap(c)
        found = contents(client)
        client.logout()
        assert {uid: m[2].split()[1] for uid, m in found["INBOX"][2].items()} == {1: b"one", 5: b"two", 8: b"three", 9: b"one"}
        assert [m[2].split()[1] for m in found["Work"][2].values()] == [b"two"]


def test_what_is_left_out_is_told_once(tmp_path):
    """Though files may be read twice."""
    with Culver(config="message_bytes = 65536") as c:
        root = tmp_path / "Maildir"
        make_maildir(root, ["1.a:2,S"])
        make_maildir(root / ".Work", ["1.a:2,S"])
        assert run_import(c, ALICE, root)["imported"] == 2
        for folder in root, root / ".Work", root / ".New":
            (folder / "cur").mkdir(parents=True, exist_ok=True)
            (folder / "cur" / "2.large:2,").write_bytes(b"Subject: large\n\n" + b"x" * 70000)
            (folder / "cur" / "3.link:2,").symlink_to("/nowhere")
        (root / ".a..b" / "cur").mkdir(parents=True)
        for name in "3.c:2,", "4.d:2,":
            (root / "cur" / name).write_bytes((root / "cur" / "1.a:2,S").read_bytes())
        r = run_import(c, ALICE, root, check=False)
        told = json.loads(r.stdout)
        assert r.returncode == 1 and len(r.stderr.splitlines()) == told["left_out"] == 7, r.stderr
        assert (told["imported"], told["there"], told["mailboxes"]) == (2, 2, 3)


def test_two_accounts_at_once(tmp_path):
    """While one import is held in its middle another account's runs to its end; one of the same account does not."""
    with Culver() as c:
        large, small = tmp_path / "large", tmp_path / "small"
        make_maildir(large, [f"{i}.x:2,S" for i in range(10000)])
        make_maildir(small, ["1.a:2,"])
        client = culver_imap(c)
        first = subprocess.Popen([c.binary, "import", "-c", str(c.conf), ALICE, str(large)], stdout=subprocess.DEVNULL)
        wait_for(lambda: int(client.select("INBOX", readonly=True)[1][0]) > 0, 60)
        first.send_signal(signal.SIGSTOP)
        assert first.poll() is None
        assert run_import(c, f"bob@{DOMAIN}", small)["imported"] == 1
        refused = c.command("import", ALICE, small, check=False)
        assert refused.returncode == 1 and "another restore or import of the account is at work" in refused.stderr
        first.send_signal(signal.SIGCONT)
        assert first.wait(120) == 0
        assert client.select("INBOX", readonly=True)[1][0] == b"10000"
        client.logout()


def children(process):
    return [int(pid) for pid in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_one_command_takes_accounts_at_once(tmp_path, end):
    """While the first account's import is held the second's runs to its end; all sources of one account
    are taken in turn. One that is killed is told of, and the others are what they were."""
    with Culver() as c:
        large, small, third = tmp_path / "large", tmp_path / "small", tmp_path / "third"
        make_maildir(large, [f"{i}.x:2,S" for i in range(10000)])
        make_maildir(small, ["1.a:2,"])
        make_maildir(third, ["2.a:2,", "3.a:2,"])
        alice, bob = culver_imap(c), culver_imap(c, "bob")
        process = subprocess.Popen([*map(str, (c.binary, "import", "-c", c.conf, "--json", ALICE, large, f"bob@{DOMAIN}", small,
                                              ALICE.upper(), third))], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = wait_for(lambda: children(process))[0]
        wait_for(lambda: int(alice.select("INBOX", readonly=True)[1][0]) > 0, 60)
        os.kill(first, signal.SIGSTOP)
        wait_for(lambda: bob.select("INBOX", readonly=True)[1][0] == b"1", 60)
        assert int(alice.select("INBOX", readonly=True)[1][0]) < 10000
        wait_for(lambda: children(process) == [first])
        os.kill(first, end)
        out, err = process.communicate(timeout=120)
        if end == signal.SIGKILL:
            assert process.returncode == 1 and f"{ALICE}: its import was cut off" in err, (out, err)
            assert json.loads(out)["imported"] == 1
        else:
            told = json.loads(out)  # what comes last is like what came first
            assert process.returncode == 0 and (told["imported"], told["there"]) == (10001, 2), (out, err)
            assert alice.select("INBOX", readonly=True)[1][0] == b"10000"
        alice.logout()
        bob.logout()


def test_no_more_than_four_accounts_at_once(tmp_path):
    """While one of four is held the other three slots take all accounts that are left, one after the other."""
    names = [f"user{i}" for i in range(7)]
    with Culver(accounts=names) as c:
        sources = []
        for name in names:
            make_maildir(tmp_path / name, [f"{i}.x:2,S" for i in range(3000 if name == names[0] else 50)])
            sources += [f"{name}@{DOMAIN}", tmp_path / name]
        boxes = [culver_imap(c, name) for name in names]
        process = subprocess.Popen([*map(str, (c.binary, "import", "-c", c.conf, "--json", *sources))], stdout=subprocess.PIPE, text=True)
        first, most = wait_for(lambda: children(process))[0], 0
        os.kill(first, signal.SIGSTOP)
        for box in boxes[1:]:
            while box.select("INBOX", readonly=True)[1][0] != b"50":
                most = max(most, len(children(process)))
        assert most == 4 and first in children(process)
        os.kill(first, signal.SIGCONT)
        assert json.loads(process.communicate(timeout=120)[0])["imported"] == 3300 and process.returncode == 0
        for box in boxes:
            box.logout()


def test_killed_and_run_again(tmp_path):
    with Culver() as c:
        root = tmp_path / "Maildir"
        make_maildir(root, [f"{i}.x:2,S" for i in range(3000)])
        for _ in range(3):
            process = subprocess.Popen([c.binary, "import", "-c", str(c.conf), ALICE, str(root)],
                                       stdout=subprocess.DEVNULL)
            client = culver_imap(c)
            before = int(client.select("INBOX", readonly=True)[1][0])
            wait_for(lambda: int(client.select("INBOX", readonly=True)[1][0]) > before + 100 or process.poll() is not None, 60)
            process.send_signal(signal.SIGKILL)
            process.wait()
            client.logout()
        wait_for(lambda: run_import(c, ALICE, root, check=False).returncode == 0, 60)
        client = culver_imap(c)
        count = int(client.select("INBOX", readonly=True)[1][0])
        assert count == 3000
        uids = client.uid("SEARCH", "ALL")[1][0].split()
        assert len(set(uids)) == 3000
        _, parts = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        assert len({p[1] for p in parts if isinstance(p, tuple)}) == 3000
        client.logout()


def test_hostile_maildir(tmp_path):
    """Links are not followed, pipes not opened, names stay names; the rest is imported."""
    with Culver(config="message_bytes = 65536") as c:
        root = tmp_path / "Maildir"
        make_maildir(root, ["1.a:2,S"])
        secret = tmp_path / "secret"
        secret.write_text("Subject: secret\n\n")
        (root / "cur" / "2.link:2,").symlink_to(secret)
        os.mkfifo(root / "cur" / "3.pipe:2,")
        (root / "cur" / "4.dir:2,").mkdir()
        (root / "cur" / "5.large:2,").write_bytes(b"Subject: large\n\n" + b"x" * 70000)
        (root / "cur" / "6.line:2,").write_bytes(b"Subject: line\n\n" + b"y" * 60000)
        (root / "cur" / (":2," + "S" * 200)).write_bytes(b"x")
        (root / ".loop").symlink_to(root)
        (root / "loop").symlink_to(root)
        os.symlink(tmp_path, root / "..up") if False else None
        for name in (b".\xff\xfe", b".a..b", b"...", b".x\ny", b".Ok.%*", b".INBOX", b"." + b"L." * 100 + b"x"):
            folder = os.path.join(os.fsencode(root), name)
            os.makedirs(os.path.join(folder, b"cur"), exist_ok=True)
            with open(os.path.join(folder, b"cur", b"1.f:2,"), "wb") as f:
                f.write(b"Subject: in " + name.hex().encode() + b"\n\n")
        deep = root
        for _ in range(40):
            deep = deep / "deep"
        (deep / "cur").mkdir(parents=True)
        (root / "dovecot-uidlist").write_bytes(b"3 V1 N2\n4294967295 :1.a\n" + b"9" * 100000 + b"\n\0\xff\n")
        (root / "dovecot-keywords").write_bytes(b"0 " + b"k" * 100000)
        r = run_import(c, ALICE, root, check=False)
        told = json.loads(r.stdout)
        assert r.returncode == 1 and told["left_out"] >= 7, r.stderr
        assert {".a..b: is no name of a folder", "....: is no name of a folder"[1:]} <= set(r.stderr.split("\n")), r.stderr
        found = contents(culver_imap(c))
        everything = b"".join(m for *_, messages in found.values() for *_, m in messages.values())
        assert b"secret" not in everything and b"Subject: large" not in everything
        assert b"Subject: line" in everything and b"Subject: 0" in everything
        assert "Ok/__" in found and len(found["INBOX"][2]) == 3
        assert b"in " + b".INBOX".hex().encode() in everything
        assert c.command("store", "check").returncode == 0


def test_hostile_mboxes(tmp_path):
    """Endless lines, separators everywhere, no message at all; a directory with other files in it."""
    start = b"From x Tue Nov 14 22:13:20 2023\n"
    with Culver(config="message_bytes = 65536") as c:
        box = tmp_path / "mail"
        (box / "Work.sbd").mkdir(parents=True)
        (box / "inbox").write_bytes(start + b"Subject: one\nStatus: RO\n\nFrom here\n\n" + start +
                                    b"Subject: huge\n\n" + b"z" * (3 << 20) + b"\n\n" + start + b"Subject: three\n\n>From x\n")
        (box / "Work").write_bytes(start * 1000)
        (box / "Work.sbd" / "below").write_bytes(b"From " + b"x" * (2 << 20) + b"\n\n" + start + b"\n\n")
        (box / "index.msf").write_bytes(b"// <!-- <mdb:mork:z v=\"1.4\"/> -->")
        (box / "zero").write_bytes(b"")
        (box / "blank").write_bytes(b"\r\n\n" + start + b"Subject: behind empty lines\n\n")
        (box / "loop").symlink_to(box)
        os.mkfifo(box / "pipe")
        r = run_import(c, ALICE, box, check=False)
        told = json.loads(r.stdout)
        assert told["left_out"] == 3 and told["imported"] == 5, (told, r.stderr)
        assert "loop: is a link" in r.stderr and "pipe" not in r.stderr
        found = contents(culver_imap(c))
        assert [m[2] for m in found["INBOX"][2].values()] == [b"Subject: one\r\n\r\nFrom here\r\n", b"Subject: three\r\n\r\nFrom x\r\n"]
        assert len(found["Work"][2]) == 1 and "zero" in found and len(found["Work/below"][2]) == 1
        r = run_import(c, "--into", "Single", ALICE, box / "inbox", check=False)
        assert json.loads(r.stdout)["there"] == 2


def test_no_folder_is_left_out_in_silence(tmp_path):
    """Folders that are links or whose cur is one, which has no cur, and mboxes that are links; what a plugin of
    Dovecot's has packed is no message. Of several accounts each line says whose it is."""
    with Culver() as c:
        root, elsewhere, boxes = tmp_path / "Maildir", tmp_path / "elsewhere", tmp_path / "boxes"
        make_maildir(root, ["1.a:2,S"])
        make_maildir(elsewhere, ["1.b:2,"])
        (root / ".Linked").symlink_to(elsewhere)
        (root / ".dovecot.sieve").symlink_to(tmp_path / "nowhere")
        (root / ".Half" / "new").mkdir(parents=True)
        (root / ".Half" / "new" / "1.c").write_bytes(b"Subject: in new\n\n")
        (root / ".Half" / "cur").symlink_to(elsewhere / "cur")
        packed = {"gz": gzip.compress(b"Subject: x\n\n"), "bz2": bz2.compress(b"Subject: x\n\n"), "xz": lzma.compress(b"Subject: x\n\n"),
                  "crypt": b"CRYPTED\x03\x07\x02"}
        for name, data in packed.items():
            (root / "cur" / f"2.{name},S=12:2,S").write_bytes(data)
        boxes.mkdir()
        (boxes / "good").write_bytes(b"From x Tue Nov 14 22:13:20 2023\nSubject: good\n\n")
        (boxes / "link").symlink_to(boxes / "good")
        r = run_import(c, ALICE, root, f"bob@{DOMAIN}", boxes, check=False)
        told = json.loads(r.stdout)
        assert (r.returncode, told["imported"], told["left_out"]) == (1, 3, 7), (r.stdout, r.stderr)
        lines = r.stderr.splitlines()
        assert f"{ALICE}: .Linked: is a link, or can't be read: it is left out" in lines, lines
        assert f"{ALICE}: Half: cur: is a link, or can't be read: it is left out" in lines, lines
        assert f"bob@{DOMAIN}: link: is a link, or can't be read: it is left out" in lines, lines
        for name, word in ("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz"):
            assert f"{ALICE}: INBOX: 2.{name},S=12:2,S: is compressed ({word}); an import by IMAP brings it" in lines, lines
        assert any("2.crypt" in line and "encrypted" in line for line in lines)
        found = contents(culver_imap(c))
        assert len(found["INBOX"][2]) == len(found["Half"][2]) == 1 and "Linked" not in found
        # What ends an import says whose, too; and what is no mbox is not one with something before it.
        r = c.command("import", ALICE, tmp_path / "nowhere", f"bob@{DOMAIN}", root / ".Half" / "new" / "1.c", check=False)
        assert r.returncode == 1 and f"culver import: {ALICE}: {tmp_path}/nowhere can't be read" in r.stderr, r.stderr
        assert f"bob@{DOMAIN}: INBOX: no mbox: no line in it is" in r.stderr, r.stderr


def test_one_mailbox_is_chosen(tmp_path):
    """Of a Maildir, of mboxes and of a server; the one that there is not is an error."""
    with Culver() as old, Culver() as c:
        root, boxes, secret = tmp_path / "Maildir", tmp_path / "boxes", tmp_path / "secret"
        secret.write_text(old.password("alice") + "\n")
        make_maildir(root, ["1.a:2,S"])
        (root / "cur" / "1.a:2,S").write_bytes(b"Subject: inbox\n\n")
        make_maildir(root / ".Work.2026", ["2.b:2,S", "3.c:2,"])
        (root / ".Linked").symlink_to(root)
        for path in boxes / "inbox", boxes / "Work" / "2026":
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"stray\n\nFrom x Tue Nov 14 22:13:20 2023\nSubject: " + str(path).encode() + b"\n\n"
                             if path.name == "inbox" else b"From x Tue Nov 14 22:13:20 2023\nSubject: box\n\n")
        assert run_import(old, "--mailbox", "Work/2026", ALICE, root) == {"imported": 2, "there": 0, "left_out": 0, "mailboxes": 1}
        assert run_import(old, "--mailbox", "Work/2026", "--into", "Boxes", ALICE, boxes)["imported"] == 1
        assert sorted(name for name, (*_, m) in contents(culver_imap(old)).items() if m) == ["Boxes/Work/2026", "Work/2026"]
        assert run_import(old, "--mailbox", "inbox", ALICE, root / ".")["imported"] == 1
        server = ("--ca", old.certificate, "--password-file", secret, ALICE, f"imaps://{ALICE.replace('@', '%40')}@localhost:{old.port('imaps')}")
        assert run_import(c, "--mailbox", "Boxes/Work/2026", *server)["imported"] == 1
        assert [name for name, (*_, m) in contents(culver_imap(c)).items() if m] == ["Boxes/Work/2026"]
        for source in ((ALICE, root), (ALICE, boxes), server):
            r = c.command("import", "--mailbox", "Work/None", *source, check=False)
            assert r.returncode == 3 and f"there is no mailbox Work/None in {source[-1]}" in r.stderr, r.stderr


@pytest.mark.parametrize("into,name", [("%", "_"), ("../a*", "_/a_"), ("Old/.", "Old/_")])
def test_into_what_imap_can_name(tmp_path, into, name):
    with Culver() as c:
        make_maildir(tmp_path / "Maildir", ["1.a:2,S"])
        run_import(c, "--into", into, ALICE, tmp_path / "Maildir")
        found = contents(culver_imap(c))  # each of which can be selected
        assert [n for n, (*_, messages) in found.items() if messages] == [name]
        assert c.command("import", "--into", "a//b", ALICE, tmp_path / "Maildir", check=False).returncode == 1


def test_a_directory_without_mail_is_an_error(tmp_path):
    root = tmp_path / "home"
    (root / "mail" / "cur").mkdir(parents=True)  # the Maildir is one below
    (root / "notes").write_text("nothing", encoding="utf-8")
    with Culver() as c:
        r = c.command("import", ALICE, root, check=False)
        assert r.returncode == 3 and f"{root} is no Maildir (there is no cur in it), and no mbox is in it" in r.stderr, r.stderr
        assert "mailboxes" not in c.command("import", "--json", ALICE, root, check=False).stdout
        assert c.command("import", ALICE, root / "mail").returncode == 0, "an empty Maildir is one"
        (root / "empty").write_bytes(b"")
        assert c.command("import", ALICE, root).returncode == 0, "an empty mbox is one"


def test_export_as_a_tar(tmp_path):
    with Culver() as c:
        client = culver_imap(c)
        fill(client, "/")
        client = culver_imap(c)
        long = "/".join(["level-" + "x" * 30] * 4)
        client.create(long)
        client.append(long, None, None, MESSAGES[0])
        found = contents(client)
        c.command("export", "--format", "eml", ALICE, tmp_path / "mail.tar")
        with tarfile.open(tmp_path / "mail.tar") as tar:
            files = {m.name: (m.mtime, tar.extractfile(m).read()) for m in tar.getmembers()}
        index = files.pop("index.tsv")[1].decode().splitlines()
        assert len(index) == len(files) + 1 and any(r"\Answered \Flagged" + "\t$Label1" in line for line in index)
        expected = {}
        for name, (*_, messages) in found.items():
            path = name.replace("&APw-", "\u00fc").replace("&-", "&")
            expected.update({f"{path}/{uid:010}.eml": (date, m) for uid, (_, date, m) in messages.items()})
        assert files == expected
        r = c.command("export", "--format", "eml", ALICE, tmp_path / "mail.tar", check=False)
        assert r.returncode == 4 and "mail.tar is there already" in r.stderr, r.stderr
        r = subprocess.run([c.binary, "export", "-c", str(c.conf), "--format", "eml", "--mailbox", "Sent", ALICE, "-"],
                           capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(r.stdout)) as tar:
            assert [m.name.partition("/")[0] for m in tar.getmembers()] == ["Sent", "Sent", "index.tsv"]
        assert c.command("export", "--mailbox", "None", ALICE, tmp_path / "n", check=False).returncode == 3
        words = ("export", "--format", "eml", "--mailbox", "None", ALICE)
        assert c.command(*words, tmp_path / "half.tar", check=False).returncode == 3
        assert not (tmp_path / "half.tar").exists(), "half a tar looks like one"
        for kind in "maildir", "mbox":
            r = subprocess.run([c.binary, "export", "-c", str(c.conf), "--format", kind, ALICE, "-"], cwd=tmp_path, text=True,
                               capture_output=True, check=False)
            assert r.returncode == 2 and "- is standard output, which --format eml alone" in r.stderr, r.stderr
        assert not (tmp_path / "-").exists()
        assert c.command("export", "--format", "zip", ALICE, tmp_path / "n", check=False).returncode == 2


@needs_dovecot
@pytest.mark.parametrize("kind", ["maildir", "mbox"])
def test_dovecot_opens_every_folder_of_an_export(kind):
    """Names with dots, which Maildir++ can't write, and that are alike then; one that no file can have is left
    out, told, and the rest is there."""
    names = "v1.2", "v1_2", "v1.2.", ".hidden", "_hidden", "Work.sbd", "Work", "a.b/c", "a_b/c"
    far = "N" * 130 + "/" + "M" * 130 if kind == "maildir" else "a&AOk-" * 50
    with Culver() as c, Dovecot("maildir:~/out" if kind == "maildir" else "mbox:~/out:INBOX=~/out/INBOX") as new:
        client = culver_imap(c)
        for name in (*names, far):
            assert client.create(name)[0] == "OK"
            assert client.append(name, None, None, b"Subject: in %s\r\n\r\nx\r\n" % name.encode())[0] == "OK"
            client.subscribe(name)
        client.logout()
        r = c.command("export", "--json", "--format", kind, ALICE, new.home / "out", check=False)
        told = json.loads(r.stdout)
        assert r.returncode == 1 and told["left_out"] == 1 and told["messages"] == len(names), (r.stdout, r.stderr)
        assert "its name is too long" in r.stderr
        new.own()
        client = new.imap()
        read = contents(client)
        assert sorted(m[2] for *_, rows in read.values() for m in rows.values()) == sorted(
            b"Subject: in %s\r\n\r\nx\r\n" % name.encode() for name in names)
        if kind == "maildir":
            subscribed = {line.decode().rpartition(' "." ')[2].strip('"').replace(".", "/") for line in client.lsub()[1]}
            assert {name for name, (*_, rows) in read.items() if rows} <= subscribed
        client.logout()
        far = far.replace("&AOk-", "\u00e9")
        c.command("export", "--format", "eml", "--mailbox", far, ALICE, c.dir / "far.tar")
        assert c.command("export", "--format", kind, "--mailbox", far, ALICE, c.dir / "far", check=False).returncode == 1


def test_notes_and_progress_have_lines_of_their_own_on_a_terminal(tmp_path):
    with Culver() as c:
        client = culver_imap(c)
        client.create("a.b")
        client.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        client.append("a.b", None, None, b"Subject: x\r\n\r\nx\r\n")
        client.logout()
        ours, its = pty.openpty()
        subprocess.run([c.binary, "export", "-c", str(c.conf), ALICE, str(tmp_path / "out")], stderr=its, stdout=subprocess.DEVNULL, check=True)
        text = os.read(ours, 10000).decode()
        assert "1 messages: INBOX" in text and "\r\x1b[Knote: a.b: " in text, text
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_export_that_is_ended_leaves_no_half_tar(tmp_path, number):
    with Culver() as c:
        client = culver_imap(c)
        for _ in range(20):
            client.append("INBOX", None, None, b"Subject: large\r\n\r\n" + b"x" * 5000000 + b"\r\n")
        client.logout()
        target = tmp_path / "mail.tar"
        process = subprocess.Popen([c.binary, "export", "-c", str(c.conf), "--format", "eml", ALICE, str(target)], stdout=subprocess.DEVNULL)
        wait_for(lambda: target.exists() and target.stat().st_size > 0)
        process.send_signal(number)
        assert process.wait(10) == -number
        assert not target.exists()
        c.command("export", "--format", "eml", ALICE, target)
        with tarfile.open(target) as tar:
            assert len(tar.getmembers()) == 21


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a small disk")
@pytest.mark.parametrize("kind", ["maildir", "mbox", "eml"])
def test_an_export_onto_a_full_disk_says_whose_and_where(tmp_path, kind):
    with Culver() as c:
        client = culver_imap(c)
        for _ in range(3):
            client.append("INBOX", None, None, b"Subject: large\r\n\r\n" + b"x" * 500000 + b"\r\n")
        client.logout()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], check=True)
        try:
            r = c.command("export", "--format", kind, ALICE, tmp_path / "out", check=False)
            assert r.returncode == 1 and f"culver export: {ALICE} into {tmp_path}/out: writing failed: No space left" in r.stderr, r.stderr
            assert ("what was written until then is there" in r.stderr) == (tmp_path / "out").exists() == (kind != "eml")
        finally:
            subprocess.run(["umount", tmp_path], check=True)


def test_what_was_delivered_here_and_exported_does_not_come_again(tmp_path):
    with Culver() as c:
        with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
            for i in range(5):
                s.sendmail("x@remote.test", [f"alice@{DOMAIN}"], example(f"delivered {i}"))
        client = culver_imap(c)
        client.append("INBOX", None, None, example("appended"))
        client.logout()
        for kind in "maildir", "mbox":
            c.command("export", "--format", kind, f"alice@{DOMAIN}", tmp_path / kind)
            r = c.command("import", "--json", f"alice@{DOMAIN}", tmp_path / kind)
            told = json.loads(r.stdout)
            assert told["imported"] == 0 and told["there"] == 6, told
