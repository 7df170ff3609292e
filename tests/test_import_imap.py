# SPDX-License-Identifier: Apache-2.0
"""culver import from IMAP servers, live: Dovecot and Culver itself as the old server, over TLS and STARTTLS;
run again, killed, several at once; and servers that mean harm."""
import imaplib
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import warnings

import pytest

from harness import DOMAIN, Culver, free_offset, wait_for
from test_import import ALICE, contents, culver_imap, fill, run_import, without_numbers

BOB = f"bob@{DOMAIN}"
needs_dovecot = pytest.mark.skipif(not shutil.which("dovecot") or os.geteuid() != 0, reason="no Dovecot here, or not root")


@pytest.fixture(name="passwords")
def _passwords(tmp_path):
    """Writes a file of passwords, a line each."""
    def write(*lines):
        path = tmp_path / "passwords"
        path.write_text("".join(line + "\n" for line in lines))
        return path
    return write


def pull(c, url, *options, address=ALICE, check=True):
    """culver import of one account: what it said (a dict; without check the whole result)."""
    return run_import(c, *options, address, url, check=check)


def from_culver(old, service="imaps", name="alice"):
    return f"{'imaps' if service == 'imaps' else 'imap'}://{name}%40{DOMAIN}@localhost:{old.port(service)}"


# ---- Dovecot, whole ----

class DovecotServer:
    """Dovecot with its listeners, on loopback: user alice, password "dove-cot"."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="culver-dovecot-"))
        os.chmod(self.dir, 0o755)
        self.imap, self.imaps = 143 + free_offset(), 993 + free_offset()
        self.ca = self.dir / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        self.dir / "key.pem", "-out", self.ca, "-days", "2", "-subj", "/CN=test", "-addext",
                        "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        (self.dir / "home").mkdir()
        shutil.chown(self.dir / "home", 65534, 65534)
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(f"""
protocols = imap
listen = 127.0.0.1
base_dir = {self.dir}/run
state_dir = {self.dir}/state
log_path = {self.dir}/log
ssl = yes
ssl_cert = <{self.ca}
ssl_key = <{self.dir}/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
first_valid_uid = 1
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
passdb {{
  driver = static
  args = password=dove-cot
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={self.dir}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = {self.imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""")
        self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.conf])
        wait_for(self.answers, 20)
        return self

    def answers(self):
        assert self.process.poll() is None, (self.dir / "log").read_text()
        try:
            self.client().logout()
            return True
        except OSError:
            return False

    def age(self):
        """Its mailboxes are of long ago: their UIDVALIDITYs are none that a new store gives."""
        names = [line.decode().rpartition(" ")[2].strip('"') for line in self.client().list()[1] if b"Noselect" not in line]
        for i, name in enumerate(names):
            name = name.replace("&APw-", "\u00fc").replace("&-", "&")
            subprocess.run(["doveadm", "-c", self.conf, "mailbox", "update", "-u", "alice", "--uid-validity", str(1170000000 + i), name],
                           check=True)

    def client(self):
        client = imaplib.IMAP4("127.0.0.1", self.imap, timeout=20)
        client.login("alice", "dove-cot")
        return client

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


@needs_dovecot
@pytest.mark.parametrize("scheme", ["imap", "imaps"])
def test_round_trip_with_dovecots_server(passwords, scheme):
    with DovecotServer() as old, Culver() as c:
        fill(old.client(), ".")
        old.age()
        expected = contents(old.client())
        url = f"{scheme}://alice@localhost:{getattr(old, scheme)}"
        told = pull(c, url, "--ca", old.ca, "--password-file", passwords("dove-cot"))
        count = sum(len(messages) for *_, messages in expected.values())
        assert told == {"imported": count, "there": 0, "left_out": 0, "mailboxes": len(expected)}
        client = culver_imap(c)
        there = contents(client)
        for name, (validity, uidnext, messages) in expected.items():
            assert there[name] == (validity, uidnext, messages), name
        subscribed = {re.search(rb'"(.)" "?([^"]*)"?$', line)[2] for line in client.lsub()[1]}
        assert b"Work/2026" in subscribed and b"Entw&APw-rfe" not in subscribed
        client.logout()
        # The source has not changed: nothing was seen.
        assert contents(old.client()) == expected
        # Run again, nothing is fetched; what is new is, and what was expunged stays.
        client = old.client()
        client.append("INBOX", None, '"01-Jan-2020 00:00:00 +0000"', b"Subject: new\r\n\r\nnew\r\n")
        client.select("INBOX")
        client.store("1", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        told = pull(c, url, "--ca", old.ca, "--password-file", passwords("dove-cot"))
        deleted = 2  # the first one, and one that was deleted before
        assert told == {"imported": 1, "there": count - deleted, "left_out": 0, "mailboxes": len(expected)}
        there, now = contents(culver_imap(c))["INBOX"], contents(old.client())["INBOX"]
        assert len(there[2]) == len(expected["INBOX"][2]) + 1
        assert there[0] == now[0] and {uid: there[2][uid] for uid in now[2]} == now[2]


@needs_dovecot
def test_a_master_user_moves_a_company(passwords):
    """One password for all mailboxes: Dovecot's master user, named behind the separator."""
    old = DovecotServer()
    old.conf.write_text(old.conf.read_text() + f"""
auth_master_user_separator = *
passdb {{
  driver = passwd-file
  args = {old.dir}/masters
  master = yes
  result_success = continue
}}
""")
    (old.dir / "masters").write_text("admin:{PLAIN}master's\n")
    with old, Culver() as c:
        client = old.client()
        client.append("INBOX", None, None, b"Subject: x\r\n\r\nx\r\n")
        client.logout()
        url = f"imaps://alice*admin@localhost:{old.imaps}"
        told = run_import(c, "--ca", old.ca, "--password-file", passwords("master's"), ALICE, url, BOB, url)
        assert told == {"imported": 2, "there": 0, "left_out": 0, "mailboxes": 2}


@needs_dovecot
def test_certificates_are_looked_at(tmp_path, passwords):
    with DovecotServer() as old, Culver() as c:
        good = passwords("dove-cot")
        r = pull(c, f"imaps://alice@localhost:{old.imaps}", "--password-file", good, check=False)
        assert r.returncode == 1 and "certificate" in r.stderr
        r = pull(c, f"imaps://alice@127.0.0.1:{old.imaps}", "--ca", old.ca, "--password-file", good, check=False)
        assert r.returncode == 1 and "mismatch" in r.stderr, r.stderr
        r = pull(c, f"imap://alice@127.0.0.1:{old.imap}", "--ca", old.ca, "--password-file", good, check=False)
        assert r.returncode == 1 and "mismatch" in r.stderr, r.stderr
        r = pull(c, f"imap://alice@localhost:{old.imap}", "--ca", tmp_path / "nowhere", "--password-file", good, check=False)
        assert r.returncode == 5 and "nowhere" in r.stderr
        r = pull(c, f"imaps://alice@localhost:{old.imaps}", "--ca", tmp_path / "nowhere", "--password-file", good, check=False)
        assert r.returncode == 5 and "nowhere" in r.stderr, r.stderr
        told = pull(c, f"imap://alice@127.0.0.1:{old.imap}", "--plain", "--password-file", good)
        assert told["mailboxes"] == 1
        r = pull(c, f"imaps://alice@localhost:{old.imaps}", "--ca", old.ca, "--password-file", passwords("wrong"), check=False)
        assert r.returncode == 1 and "refuses the login" in r.stderr and "wrong" not in r.stderr


# ---- Culver to Culver ----

def test_from_culver_with_names_and_keywords(passwords):
    with Culver() as old, Culver() as c:
        fill(culver_imap(old), "/")
        expected = contents(culver_imap(old))
        secret = passwords(old.password("alice"))
        told = pull(c, from_culver(old, "imap"), "--ca", old.certificate, "--password-file", secret)
        count = sum(len(messages) for *_, messages in expected.values())
        assert told["imported"] == count and told["left_out"] == 0
        there = contents(culver_imap(c))
        assert without_numbers(there) == without_numbers(expected)
        assert contents(culver_imap(old)) == expected
        # Below another mailbox; by the address, on a stopped server, with the password on standard input.
        c.stop()
        r = c.command("import", "--json", "--into", "Old", "--ca", old.certificate, "--password-stdin", BOB,
                      from_culver(old), stdin=old.password("alice") + "\n")
        assert f'"imported":{count}' in r.stdout
        c.start()
        there = without_numbers(contents(culver_imap(c, "bob")))
        assert there["Old"] == without_numbers(expected)["INBOX"]
        assert there["Old/Work/2026"] == without_numbers(expected)["Work/2026"]


def test_copies_are_as_many_as_there(passwords):
    """A message that is copied on the old server between two runs comes, though its bytes are known."""
    with Culver() as old, Culver() as c:
        client = culver_imap(old)
        client.append("INBOX", None, None, b"Subject: one\r\n\r\n1\r\n")
        secret = passwords(old.password("alice"))
        options = ("--ca", old.certificate, "--password-file", secret)
        assert pull(c, from_culver(old), *options)["imported"] == 1
        client.select("INBOX")
        client.create("AAA")
        client.copy("1", "AAA")
        told = pull(c, from_culver(old), *options)
        assert (told["imported"], told["there"]) == (1, 1)
        there = contents(culver_imap(c))
        assert len(there["INBOX"][2]) == len(there["AAA"][2]) == 1
        # What is delivered here takes a UID that the old server gives too: both are there.
        here = culver_imap(c)
        here.append("INBOX", None, None, b"Subject: here\r\n\r\nx\r\n")
        client.append("INBOX", None, None, b"Subject: there\r\n\r\nx\r\n")
        told = pull(c, from_culver(old), *options)
        assert (told["imported"], told["there"]) == (1, 2)
        assert len(contents(here)["INBOX"][2]) == 3
        told = pull(c, from_culver(old), *options)
        assert (told["imported"], told["there"]) == (0, 3)
        client.logout()
        here.logout()


def test_a_new_copy_is_put_where_it_is_new(passwords):
    """Where UIDs are not kept, since mail had landed there, messages are known by their bytes: one that is new in one
    mailbox, and alike to what is in another, is not taken for that."""
    names = "AAA", "BBB", "CCC"
    with Culver() as old, Culver() as c:
        here, there = culver_imap(c), culver_imap(old)
        for name in names:
            there.create(name)
            here.create(name)
            here.append(name, None, None, b"Subject: was here\r\n\r\nx\r\n")
        for n, name in enumerate(("AAA", "BBB", "BBB", "CCC")):
            there.append(name, None, None, b"Subject: %d\r\n\r\nx\r\n" % n)
        secret = passwords(old.password("alice"))
        options = ("--ca", old.certificate, "--password-file", secret)
        assert pull(c, from_culver(old), *options)["imported"] == 4
        there.select("BBB")
        there.copy("1:2", "AAA")
        there.copy("2", "CCC")
        there.append("AAA", r"(\Flagged)", None, b"Subject: new\r\n\r\nx\r\n")
        told = pull(c, from_culver(old), *options)
        assert (told["imported"], told["there"], told["left_out"]) == (4, 4, 0)

        def subjects(client):
            return {name: [m[2].split(b"\r\n")[0][9:] for _, m in sorted(contents(client)[name][2].items())] for name in names}

        assert subjects(here) == {"AAA": [b"was here", b"0", b"1", b"2", b"new"], "BBB": [b"was here", b"1", b"2"],
                                  "CCC": [b"was here", b"3", b"2"]}
        told = pull(c, from_culver(old), *options)
        assert (told["imported"], told["there"], told["left_out"]) == (0, 8, 0)
        # What was moved there is not put here again: it stays where it is.
        there.select("BBB")
        there.uid("MOVE", "1:*", "Trash")
        told = pull(c, from_culver(old), *options)
        assert (told["imported"], told["there"]) == (0, 8)
        here.logout()
        there.logout()


def make_many(old, count, root):
    """Messages by the way that is quickest, in an INBOX of long ago, whose UIDs another server keeps."""
    (root / "cur").mkdir(parents=True)
    (root / "dovecot-uidlist").write_text(f"3 V1170000000 N{count + 1}\n" + "".join(f"{i + 1} :{i:05}.x\n" for i in range(count)))
    for i in range(count):
        (root / "cur" / f"{i:05}.x:2,{'S' * (i % 2)}").write_bytes(b"Subject: %d\nMessage-ID: <%d@x>\n\n" % (i, i) + b"text\n" * (i % 50))
    assert run_import(old, ALICE, root)["imported"] == count


@pytest.fixture(name="many", scope="module")
def _many(tmp_path_factory):
    """An old server with 2,000 messages."""
    with Culver() as old:
        make_many(old, int(os.environ.get("CULVER_IMPORTED", "2000")), tmp_path_factory.mktemp("many") / "Maildir")
        yield old


def test_killed_and_run_again(many, passwords):
    with Culver() as c:
        secret = passwords(many.password("alice"))
        command = [c.binary, "import", "-c", c.conf, "--ca", many.certificate, "--password-file", secret, ALICE, from_culver(many)]
        expected = contents_of(many)
        for _ in range(3):
            process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
            client = culver_imap(c)
            before = int(client.select("INBOX", readonly=True)[1][0])
            wait_for(lambda: int(client.select("INBOX", readonly=True)[1][0]) > before + 100 or process.poll() is not None, 60)
            process.send_signal(signal.SIGKILL)
            process.wait()
            client.logout()
        r = wait_for(lambda: (lambda x: x if x.returncode == 0 else None)(pull(
            c, from_culver(many), "--ca", many.certificate, "--password-file", secret, check=False)), 120)
        assert contents_of(c) == expected
        told = pull(c, from_culver(many), "--ca", many.certificate, "--password-file", secret)
        assert told["imported"] == 0 and told["there"] == len(expected)
        # Each was asked for flags, size and date, and none for its bytes.
        wait_for(lambda: many.events("imap-end")[-1]["fetched"] == str(len(expected)))
        wait_for(lambda: not fetchers(c), 10)
        assert r


def contents_of(c):
    """Of the INBOX: uid -> (flags, size)."""
    client = culver_imap(c)
    client.select("INBOX", readonly=True)
    lines = client.uid("FETCH", "1:*", "(FLAGS RFC822.SIZE INTERNALDATE)")[1]
    client.logout()
    return {int(re.search(rb"UID (\d+)", x)[1]): re.sub(rb"^\d+ ", b"", x) for x in lines if x}


def fetchers(c):
    """Processes that read a server for a command of c."""
    jail, found = str(c.dir / "empty").encode(), []
    for entry in os.listdir("/proc"):
        try:
            words = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if jail in words and b"fetcher" in words:
            found.append(int(entry))
    return found


def test_several_at_once(many, passwords):
    with Culver() as c:
        secret = passwords(many.password("alice"))
        processes = [subprocess.Popen([*map(str, (c.binary, "import", "-c", c.conf, "--json", "--ca", many.certificate, "--password-file",
                                                 secret, address, from_culver(many)))], stdout=subprocess.PIPE) for address in (ALICE, BOB)]
        pids = wait_for(lambda: (lambda f: f if len(f) == 2 else None)(fetchers(c)), 30)
        for pid in pids:  # sandboxed, and nobody in particular; in a container all have a filter from the start
            def confined(status=pathlib.Path(f"/proc/{pid}/status")):
                text = status.read_text()
                return "Seccomp:\t2" in text and (os.geteuid() != 0 or "Uid:\t0" not in text)

            wait_for(confined, 10)
        # The same account by two commands: one is told to wait.
        for p in processes:
            p.wait(120)
            assert p.returncode == 0
        assert contents_of(c) == contents_of(many)
        # One command, two accounts, a password for each; the first is wrong, the second comes nevertheless.
        r = c.command("import", "--ca", many.certificate, "--password-file", passwords("wrong", many.password("alice")), ALICE,
                      from_culver(many), BOB, from_culver(many), check=False)
        assert r.returncode == 1 and "refuses the login" in r.stderr and f"{BOB}: 0 messages imported" in r.stdout, r.stdout + r.stderr


def test_usage(passwords):
    with Culver() as c:
        secret = passwords("x")
        for url in ("imap://", "imaps://h:0", "imaps://h:99999", "imap://u@h/INBOX", "imap://%zz@h", "imap://u%00@h", "imap://[::1", "imap://h:1x"):
            assert pull(c, url, "--password-file", secret, check=False).returncode == 2, url
        r = pull(c, "imaps://alice@localhost:1", check=False)
        assert r.returncode == 2 and "no password" in r.stderr
        r = pull(c, "imaps://alice:hunter2@localhost:1", "--password-file", secret, check=False)
        assert r.returncode == 2 and "from a URL" in r.stderr and "hunter2" not in r.stderr
        r = pull(c, "imaps://alice@localhost:1", "--password-file", secret, check=False)
        assert r.returncode == 1 and "refused" in r.stderr
        r = pull(c, "imaps://alice@nowhere.invalid", "--password-file", secret, check=False)
        assert r.returncode in (1, 3) and "nowhere.invalid" in r.stderr
        r = pull(c, "imaps://alice@localhost:1", "--password-file", "/nowhere/x", check=False)
        assert r.returncode == 1 and "/nowhere/x" in r.stderr
        # The server lives on, and its courier too.
        assert pull(c, "imaps://alice@[::1]:1", "--password-file", secret, check=False).returncode == 1
        assert set(c.roles()) >= {"store", "gate", "courier"} and not c.events("role-back")


IN_A_NETWORK_OF_ITS_OWN = r"""
import pathlib, socket, subprocess, sys, threading
sys.path.insert(0, "tests")
from harness import DOMAIN, Culver
here = pathlib.Path(sys.argv[1])
(here / "resolv.conf").write_text("nameserver 127.0.0.1\n")
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", here / "resolv.conf", pathlib.Path("/etc/resolv.conf").resolve()], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
def answer():
    while True:
        q, who = server.recvfrom(512)
        if q[-4:-2] == b"\0\1" and b"\4imap" in q:  # A of imap.old.test
            server.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1", who)
        else:
            server.sendto(q[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + q[12:], who)
threading.Thread(target=answer, daemon=True).start()
with Culver() as old, Culver() as c:
    for host, status in (("imap.old.test", 0), ("nobody.old.test", 1)):
        r = c.command("import", "--password-stdin", "--plain", f"alice@{DOMAIN}", f"imap://{host}:{old.port('imap')}",
                      stdin=old.password("alice"), check=False)
        assert r.returncode == status, (host, r)
    assert not c.events("role-back")
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root, and ip")
def test_names_are_asked_of_name_servers(tmp_path):
    """The courier's resolver works in its sandbox, by a resolv.conf that it can't open any more."""
    r = subprocess.run(["unshare", "-mn", "/usr/bin/python3", "-c", IN_A_NETWORK_OF_ITS_OWN, tmp_path], capture_output=True, text=True,
                       timeout=120, cwd=pathlib.Path(__file__).parent.parent, check=False)
    assert r.returncode == 0, r.stdout + r.stderr


# ---- servers that mean harm ----

LOGIN = [(None, b"* OK hi\r\n"), (b"CAPABILITY", b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"), (b"LOGIN", b"TAG OK\r\n"),
         (b"CAPABILITY", b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"), (b"LIST", b'* LIST () "/" INBOX\r\nTAG OK\r\n'),
         (b"LSUB", b"TAG OK\r\n")]
OPEN = (b"EXAMINE", b"* 2 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 9] x\r\nTAG OK\r\n")
ENTRIES = (b"UID FETCH", b"* 1 FETCH (UID 3 RFC822.SIZE 9)\r\n* 2 FETCH (UID 5 RFC822.SIZE 9)\r\nTAG OK\r\n")


class FakeServer:
    """Says its lines, one after the verb that each waits for; then closes, or says nothing more."""

    def __init__(self, script, then="close", tls=None):
        self.script, self.then, self.tls = script, then, tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard, self.done = [], threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            s, _ = self.listener.accept()
            with s:
                s.settimeout(30)
                if self.tls:
                    s = self.tls.wrap_socket(s, server_side=True)
                self.talk(s, s.makefile("rb"))
        except OSError:
            pass
        finally:
            self.done.set()

    def talk(self, s, lines):
        for verb, answer in self.script:
            line = b"TAG"
            while verb is not None and (verb not in line):
                line = lines.readline()
                if not line:
                    return
                self.heard.append(line)
            tag = line.split(b" ")[0]
            if callable(answer):
                answer(s, tag)
            else:
                s.sendall(answer.replace(b"TAG", tag))
        if self.then == "wait":
            for line in lines:
                self.heard.append(line)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.close()


def flood(data):
    def send(s, tag):
        for _ in range(400):
            s.sendall(data * (1 << 16) if len(data) < 10 else data)
        del tag
    return send


HOSTILE = {
    "no server": ([(None, b"HTTP/1.1 400 Bad Request\r\n\r\n")], "no IMAP server"),
    "bye": ([(None, b"* BYE full\r\n")], "refuses the connection: full"),
    "nothing": ([], "closed"),
    "endless line": ([(None, flood(b"x"))], "does not end"),
    "endless responses": ([*LOGIN[:1], (b"CAPABILITY", flood(b"* OK hi\r\n" * 1000))], "tells nothing"),
    "giant literal": ([*LOGIN[:4], (b"LIST", b'* LIST () "/" {4000000000}\r\n')], "literal of 4000000000"),
    "wrong tag": ([*LOGIN[:1], (b"CAPABILITY", b"x9 OK\r\n")], "not asked"),
    "bye in the middle": ([*LOGIN, OPEN, (b"UID FETCH", b"* 1 FETCH (UID 3\r\n* BYE\r\n")], "makes no sense"),
    "bye at last": ([*LOGIN, OPEN, (b"UID FETCH", b"* BYE shutdown\r\n")], "ends the session: shutdown"),
    "closed in a body": ([*LOGIN, OPEN, ENTRIES, OPEN, (b"UID FETCH", b"* 1 FETCH (UID 3 BODY[] {9}\r\n12")], "closed"),
    "other message": ([*LOGIN, OPEN, ENTRIES, OPEN, (b"UID FETCH", b"* 1 FETCH (UID 4 BODY[] {2}\r\n12)\r\n")], "not asked for"),
    "twice": ([*LOGIN, OPEN, ENTRIES, OPEN, (b"UID FETCH", b"* 1 FETCH (UID 3 BODY[] {2}\r\n12)\r\n" * 2)], "twice"),
    "uidvalidity": ([*LOGIN, OPEN, ENTRIES, OPEN, (b"UID FETCH", b"* OK [UIDVALIDITY 8] x\r\n")], "made anew"),
    "terabyte": ([*LOGIN, OPEN, ENTRIES, OPEN, (b"UID FETCH", b"* 1 FETCH (UID 3 BODY[] {1099511627776}\r\n")], "1099511627776"),
    "logindisabled": ([*LOGIN[:1], (b"CAPABILITY", b"* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nTAG OK\r\n")], "LOGINDISABLED"),
    "escape": ([*LOGIN[:2], (b"LOGIN", b"TAG NO \x1b]0;x\x07\r\n")], "control characters"),
}


@pytest.fixture(name="victim", scope="module")
def _victim():
    with Culver() as c:
        yield c


@pytest.mark.parametrize("name", HOSTILE)
def test_i16_hostile_servers(victim, passwords, name):
    script, wanted = HOSTILE[name]
    with FakeServer(script) as server:
        r = pull(victim, f"imap://u@127.0.0.1:{server.port}", "--plain", "--password-file", passwords("pw"), check=False)
        assert r.returncode in (1, 2) and wanted in r.stderr, r.stderr
        assert "\x1b" not in r.stderr and not fetchers(victim)
    assert set(victim.roles()) >= {"store", "gate", "courier"}


def test_i16_starttls_is_not_got_around(victim, passwords):
    """No password before TLS, whatever the server says; nothing that came behind the OK counts."""
    capable = b"* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\r\nTAG OK\r\n"
    cases = [([(None, b"* PREAUTH hi\r\n")], "PREAUTH"),
             ([(None, b"* OK hi\r\n"), (b"CAPABILITY", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nTAG OK\r\n")], "does not offer STARTTLS"),
             ([(None, b"* OK hi\r\n"), (b"CAPABILITY", capable), (b"STARTTLS", b"TAG NO\r\n")], "refuses STARTTLS"),
             ([(None, b"* OK hi\r\n"), (b"CAPABILITY", capable), (b"STARTTLS", b"TAG OK\r\n* CAPABILITY IMAP4rev1\r\nc3 OK\r\n")], "behind its OK"),
             ([(None, b"* OK hi\r\n"), (b"CAPABILITY", capable), (b"STARTTLS", b"TAG OK\r\n"), (b"\x16", b"* OK no TLS\r\n")], "")]
    for script, wanted in cases:
        with FakeServer(script) as server:
            r = pull(victim, f"imap://u@127.0.0.1:{server.port}", "--password-file", passwords("pw"), check=False)
            assert r.returncode == 1 and wanted in r.stderr, r.stderr
            assert server.done.wait(40)
            heard = b"".join(server.heard)
            assert b"LOGIN" not in heard and b"AUTHENTICATE" not in heard and b"pw" not in heard


def test_what_can_not_be_had_is_told(victim, passwords):
    """Names that can't be, messages that are gone, too large, or refused; the rest is there."""
    def listing(s, tag):
        s.sendall(b'* LIST () "/" INBOX\r\n* LIST () "/" "a//b"\r\n* LIST () "/" "bad\xff"\r\n* LIST () "/" no\r\n' + tag + b" OK\r\n")
    entries = b"".join(b"* %d FETCH (UID %d RFC822.SIZE 9 FLAGS (%s))\r\n" % (i, i, flags)
                       for i, flags in enumerate((b"", rb"\Seen k1 \Weird k]", b"", b""), 1))
    script = [*LOGIN[:4], (b"LIST", listing), LOGIN[5],
              (b"EXAMINE", OPEN[1]), (b"UID FETCH", entries + b"* 5 FETCH (UID 6 RFC822.SIZE 99999999999)\r\nTAG OK\r\n"),
              (b"EXAMINE", b"TAG NO not yours\r\n"), (b"EXAMINE", OPEN[1]),
              (b"UID FETCH", b'* 1 FETCH (UID 1 BODY[] {3}\r\nA\r\n)\r\n* 2 FETCH (BODY[] "quoted" FLAGS (\\Seen k1) UID 2)\r\n'
                             b"* 3 FETCH (UID 3 BODY[] NIL)\r\nTAG OK\r\n"),
              # Two did not come. One is there still, and the other has gone meanwhile.
              (b"EXAMINE", OPEN[1]), (b"UID FETCH", b"* 1 FETCH (UID 3 RFC822.SIZE 9)\r\nTAG OK\r\n"), (b"LOGOUT", b"")]
    with FakeServer(script) as server:
        r = pull(victim, f"imap://u@127.0.0.1:{server.port}", "--plain", "--into", "Told", "--password-file", passwords("pw"), check=False)
        assert r.returncode == 1
        assert '"imported":2,' in r.stdout, r.stdout + r.stderr
        assert "a//b" in r.stderr and "not yours" in r.stderr and "UID 6: larger" in r.stderr
        assert "UID 3: the server lists it, and does not send it" in r.stderr and "UID 4" not in r.stderr, r.stderr
    there = contents(culver_imap(victim))["Told"]
    assert there[0] == 7 and [(flags, message) for flags, _, message in there[2].values()] == [((), b"A\r\n"), (("\\Seen", "k1"), b"quoted")]


def test_refused_at_once_comes_one_by_one(victim, passwords):
    """A server that says NO to some of many: the others come, in the order of their UIDs."""
    for word in b"NO", b"BAD":  # which some say of a message that they can't read
        script = [*LOGIN, OPEN, ENTRIES, OPEN,
                  (b"UID FETCH", b"* 2 FETCH (UID 5 BODY[] {1}\r\nx)\r\nTAG %s [EXPUNGEISSUED] some are gone\r\n" % word),
                  (b"UID FETCH 3", b"TAG %s gone\r\n" % word),
                  (b"UID FETCH 5", b"* 2 FETCH (UID 5 BODY[] {7}\r\n5555%-3s)\r\nTAG OK\r\n" % word)]
        with FakeServer(script, then="wait") as server:
            r = pull(victim, f"imap://u@127.0.0.1:{server.port}", "--plain", "--into", word.decode(), "--password-file", passwords("pw"),
                     check=False)
            assert r.returncode == 1 and "UID 3: the server says: gone" in r.stderr and '"imported":1,' in r.stdout, r.stdout + r.stderr
    script = [*LOGIN, OPEN, ENTRIES, OPEN,
              (b"UID FETCH", b"* 2 FETCH (UID 5 BODY[] {4}\r\nfive)\r\n* 1 FETCH (UID 3 BODY[] {5}\r\nthree)\r\nTAG OK\r\n")]
    with FakeServer(script, then="wait") as server:
        told = pull(victim, f"imap://u@127.0.0.1:{server.port}", "--plain", "--into", "Two", "--password-file", passwords("pw"))
        assert told["imported"] == 2
    assert {uid: m[2] for uid, m in contents(culver_imap(victim))["Two"][2].items()} == {3: b"three", 5: b"five"}


def test_silence_ends(victim, passwords):
    """A server that says nothing any more can be left with ^C; nothing of it stays."""
    with FakeServer(LOGIN, then="wait") as server:
        process = subprocess.Popen([*map(str, (victim.binary, "import", "-c", victim.conf, "--plain", "--password-file", passwords("pw"), ALICE,
                                               f"imap://u@127.0.0.1:{server.port}"))], stdout=subprocess.DEVNULL)
        wait_for(lambda: any(b"EXAMINE" in line for line in server.heard), 30)
        process.send_signal(signal.SIGINT)
        process.wait(10)
        wait_for(lambda: not fetchers(victim), 10)
    told = wait_for(lambda: (lambda r: r if r.returncode == 0 else None)(
        run_import(victim, ALICE, make_empty(victim), check=False)), 10)
    assert told


def make_empty(c):
    path = c.dir / "empty-maildir"
    (path / "cur").mkdir(parents=True, exist_ok=True)
    return path


def test_tls_of_old_is_refused(victim, passwords):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(victim.certificate, victim.dir / "keys" / "default.key")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these are old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with FakeServer(LOGIN, tls=context) as server:
        r = pull(victim, f"imaps://u@localhost:{server.port}", "--ca", victim.certificate, "--password-file", passwords("pw"), check=False)
        assert r.returncode == 1 and "TLS" in r.stderr, r.stderr
        assert not server.heard


def test_expunged_meanwhile(passwords, tmp_path):
    """Messages go, and mailboxes, while the import is at work."""
    with Culver() as old, Culver() as c:
        make_many(old, 300, tmp_path / "Maildir")
        client = culver_imap(old)
        client.select("INBOX")
        process = subprocess.Popen([*map(str, (c.binary, "import", "-c", c.conf, "--json", "--ca", old.certificate, "--password-file",
                                               passwords(old.password("alice")), ALICE, from_culver(old)))], stdout=subprocess.PIPE, text=True)
        gone = 0
        while process.poll() is None and gone < 290:
            client.uid("STORE", f"{300 - gone}", "+FLAGS.SILENT", r"(\Deleted)")
            client.expunge()
            gone += 1
        out = process.communicate(timeout=60)[0]
        client.logout()
        assert process.returncode == 0, out
        there = contents_of(c)
        assert len(there) >= 300 - gone
        assert set(there) >= set(contents_of(old))
