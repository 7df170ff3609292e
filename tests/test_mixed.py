# SPDX-License-Identifier: Apache-2.0
"""All protocols at once on the mailboxes of two accounts, one of them large, beside an administrator: no role dies, and
what was acknowledged is there. By hand for longer, also with a sanitizer's build (HACKING.md):
CULVER_MIXED_S=600 CULVER_MIXED_MESSAGES=12000."""

import imaplib
import os
import poplib
import random
import smtplib
import threading
import time
import traceback

from harness import Culver, example

SECONDS = int(os.environ.get("CULVER_MIXED_S", "8"))
MESSAGES = int(os.environ.get("CULVER_MIXED_MESSAGES", "2500"))
BOB, CAROL = "bob@example.test", "carol@example.test"
WORDS = ["invoice", "Grüße", "meeting", "kernel", "lunch", "ticket"]


class Mixed:
    def __init__(self, culver, seed):
        self.culver, self.seed = culver, seed
        self.end = time.monotonic() + SECONDS
        self.lock = threading.Lock()
        self.counts, self.problems = {}, []
        self.kept = 0  # acknowledged for carol, whose mail nobody deletes

    def count(self, what):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def threads(self, workers):
        """Each (name, function, how many); a function is one bout, again and again until the time is over."""
        def run(name, bout, number):
            r = random.Random(f"{self.seed} {name} {number}")
            while time.monotonic() < self.end:
                try:
                    bout(r)
                except Exception:  # pylint: disable=broad-except
                    with self.lock:
                        self.problems.append(f"{name}: {traceback.format_exc()}")
                    time.sleep(0.2)
        made = [threading.Thread(target=run, args=(name, bout, n)) for name, bout, many in workers for n in range(many)]
        for t in made:
            t.start()
        for t in made:
            t.join()

    # -- bouts --

    def deliver(self, r):
        with smtplib.SMTP("127.0.0.1", self.culver.port("smtp"), timeout=60) as c:
            for _ in range(r.randrange(1, 20)):
                text = example(f"{r.choice(WORDS)} {r.random()}", "x" * 60 + "\r\n" * r.randrange(200)).replace(
                    b"\r\n\r\n", b"\r\nX-Word: " + r.choice(WORDS).encode() + b"\r\n\r\n", 1)
                to = r.choice([[BOB], [CAROL], [BOB, CAROL]])
                c.sendmail("alice@example.test", to, text, mail_options=["BODY=8BITMIME"])
                self.count("delivered")
                with self.lock:
                    self.kept += CAROL in to

    @staticmethod
    def one_command(c, r, box, n):
        a = r.randrange(1, max(2, n))
        some = f"{a}:{min(n or 1, a + r.choice([0, 3, 50, 5000]))}"
        r.choice([
            lambda: c.fetch("1:*", "(UID FLAGS)"),
            lambda: c.fetch(some, "(ENVELOPE BODYSTRUCTURE)"),
            lambda: c.fetch(f"{a}:{a + 30}", "(BODY.PEEK[] MODSEQ)"),
            lambda: c.store(some, r.choice(["+FLAGS", "-FLAGS", "FLAGS.SILENT"]),
                            r.choice(["(\\Seen)", "(\\Flagged $Later)", "(\\Answered)"])),
            lambda: c.search(None, "TEXT", r.choice(["invoice", "kernel"])),
            lambda: c.uid("SORT", "(SUBJECT)", "UTF-8", "SINCE", "1-Jan-2026"),
            lambda: c.uid("THREAD", "REFERENCES", "UTF-8", "UNSEEN"),
            lambda: c.copy(some, "Archive") if n < 4 * MESSAGES else c.noop(),
            lambda: c.uid("MOVE", f"{a}:{a + 5}", "Archive" if box == "INBOX" else "INBOX"),
            lambda: (c.store(f"{a}:{a + 40}", "+FLAGS.SILENT", "\\Deleted"), c.expunge()),
            lambda: c.append(box, "(\\Seen)", None, example(f"appended {r.random()}")),
            c.noop,
        ])()

    def imap(self, r):
        """One session, which reads and changes at random; what others have removed meanwhile is no mistake."""
        c = imaplib.IMAP4("127.0.0.1", self.culver.port("imap"), timeout=300)
        c.login(BOB, self.culver.password("bob"))
        c.enable("CONDSTORE QRESYNC" if r.random() < 0.3 else "UTF8=ACCEPT")
        for _ in range(r.randrange(1, 6)):
            box = r.choice(["INBOX", "INBOX", "Archive"])
            n = int(c.select(box, readonly=r.random() < 0.2)[1][0] or 0)
            for _ in range(r.randrange(1, 8)):
                try:
                    self.one_command(c, r, box, n)
                except c.error as e:  # a number that an EXPUNGE has taken away
                    assert "No such message number" in str(e), e
                self.count("imap")
            if r.random() < 0.3:
                c.unselect()
        if r.random() < 0.8:
            c.logout()
        else:
            c.shutdown()

    def pop3(self, r):
        c = poplib.POP3("127.0.0.1", self.culver.port("pop3"), timeout=300)
        c.user(BOB)
        try:
            c.pass_(self.culver.password("bob"))
        except poplib.error_proto as e:
            assert b"IN-USE" in e.args[0], e
            c.close()
            time.sleep(0.05)
            return
        n = c.stat()[0]
        c.uidl()
        c.list()
        for _ in range(r.randrange(30)):
            if n == 0:
                break
            which = r.randrange(1, n + 1)
            try:
                r.choice([c.retr, c.dele, lambda w: c.top(w, 3)])(which)
            except poplib.error_proto as e:  # deleted before, or by somebody else
                assert e.args[0].startswith(b"-ERR"), e
            self.count("pop3")
        if r.random() < 0.7:
            c.quit()
        else:
            c.close()

    def administer(self, r):
        words = r.choice([("store", "check"), ("account", "recount", "--all"), ("account", "list"), ("store", "reclaim"), ("status",),
                          ("store", "backup", str(self.culver.dir / "backup"))])
        p = self.culver.command(*words, check=False, timeout=300)
        assert p.returncode == 0, (words, p.stdout, p.stderr)
        self.count("commands")
        time.sleep(0.2)


def fill(culver):
    """An mbox of MESSAGES messages, imported into bob's INBOX."""
    path = culver.dir / "many.mbox"
    with open(path, "wb") as f:
        for n in range(MESSAGES):
            f.write(b"From alice@example.test Sat Nov 21 22:23:33 2026\n" +
                    example(f"{WORDS[n % len(WORDS)]} {n}", "text of it\r\n" * (n % 40)).replace(b"\r\n", b"\n") + b"\n")
    culver.command("import", BOB, str(path), timeout=300)
    path.unlink()


def test_all_protocols_at_once():
    with Culver(accounts=("bob", "carol")) as c:
        fill(c)
        roles = c.roles()
        with_archive = imaplib.IMAP4("127.0.0.1", c.port("imap"))
        with_archive.login(BOB, c.password("bob"))
        with_archive.create("Archive")
        with_archive.logout()
        m = Mixed(c, os.environ.get("CULVER_MIXED_SEED", "1"))
        m.threads([("deliver", m.deliver, 2), ("imap", m.imap, 4), ("pop3", m.pop3, 2), ("administer", m.administer, 1)])
        print(f"\nin {SECONDS} s: {m.counts}")
        assert c.roles() == roles, c.log_text()[-5000:]
        assert not m.problems, m.problems[:10]
        box = imaplib.IMAP4("127.0.0.1", c.port("imap"))
        box.login(CAROL, c.password("carol"))
        assert int(box.select("INBOX")[1][0]) == m.kept
        box.logout()
        assert c.command("store", "check").returncode == 0
        assert m.counts["imap"] and m.counts["pop3"] and m.counts["delivered"] and m.counts["commands"]
