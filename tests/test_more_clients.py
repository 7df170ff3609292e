# SPDX-License-Identifier: Apache-2.0
"""More real clients do their job: msmtp, mpop, getmail, s-nail, neomutt, offlineimap, claws-mail, and nodemailer
and imapflow on Node. docs/clients.md has their versions."""
import contextlib
import json
import os
import shutil
import subprocess
from urllib.parse import quote

import pytest

from harness import ROOT, Culver, example, wait_for
from test_clients import ALICE, BOB, call, imap, need, subjects, submit

NODE = ROOT / "build" / "clients"


def home_of(tmp_path, **more):
    return dict(os.environ, HOME=str(tmp_path), LANG="C.UTF-8", **more)


def write_private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


# ---- what a client says of itself ----

def test_a_clients_name_hides_what_it_trips_over():
    """imap_hide, by the name and version of an ID (RFC 2971); what is hidden is served all the same. Live, with a reload."""
    def capabilities(c, version):
        with imap(c, ALICE) as m:
            before = m.capability()[1][0].split()
            assert m.xatom("ID", f'("name" "Some old Mail" "version" "{version}")')[0] == "OK"
            after = m.capability()[1][0].split()
            assert m.enable("QRESYNC")[0] == "OK"
            assert m.response("ENABLED")[1] == [b"QRESYNC"]
        return {name.decode() for name in set(before) - set(after)}

    with Culver(accounts=("alice",), config='imap_hide = "id=some*mail/1.*:QRESYNC id=Some*:IDLE"') as c:
        assert capabilities(c, "1.4") == {"QRESYNC", "IDLE"}
        assert capabilities(c, "2.0") == {"IDLE"}
        c.conf.write_text(c.conf.read_text().replace("id=Some*:IDLE", "alice@example.test:IDLE"))
        c.command("reload")
        assert capabilities(c, "2.0") == set()


# ---- msmtp, mpop ----

@pytest.mark.parametrize("service", ["submission", "submissions", "submission-alt"])
def test_msmtp(shared, tmp_path, service):
    need("msmtp")
    c = shared
    write_private(tmp_path / "password", c.password("alice"))
    rc = write_private(tmp_path / "msmtprc", f"""
account default
host localhost
port {c.port(service)}
auth on
tls on
tls_starttls {'off' if service == 'submissions' else 'on'}
tls_trust_file {c.certificate}
user {ALICE}
passwordeval cat {tmp_path}/password
from {ALICE}
""")
    name = f"by msmtp {service}"
    call("msmtp", "-C", rc, BOB, stdin=example(name).decode())
    assert name in subjects(c)
    r = call("msmtp", "-C", rc, "nobody@example.test", stdin=example(name).decode(), check=False)
    assert r.returncode != 0 and "550 5.1.1" in r.stderr
    r = call("msmtp", "-C", rc, "-f", BOB, BOB, stdin=example(name).decode(), check=False)
    assert r.returncode != 0 and "5.7.1" in r.stderr
    assert "auth" in call("msmtp", "-C", rc, "--serverinfo").stdout.lower()


@pytest.mark.parametrize("implicit", [True, False])
def test_mpop_takes_new_mail_once(culver, tmp_path, implicit):
    need("mpop")
    c = culver
    for n in range(3):
        submit(c, example(f"mpop {n}" if n else "Grüße", body="Zeile.\r\n.\r\n..\r\n"))
    (tmp_path / "mail").mkdir()
    for d in ("cur", "new", "tmp"):
        (tmp_path / "mail" / d).mkdir()
    write_private(tmp_path / "password", c.password("bob"))
    rc = write_private(tmp_path / "mpoprc", f"""
account default
host localhost
port {c.port('pop3s' if implicit else 'pop3')}
user {BOB}
passwordeval cat {tmp_path}/password
tls on
tls_starttls {'off' if implicit else 'on'}
tls_trust_file {c.certificate}
keep on
uidls_file {tmp_path}/uidls
delivery maildir {tmp_path}/mail
""")
    for _ in range(2):  # what it has it does not take again
        call("mpop", "-C", rc, env=home_of(tmp_path))
        got = list((tmp_path / "mail" / "new").iterdir())
        assert len(got) == 3
    assert all(b"\n.\n..\n" in p.read_bytes() for p in got)
    assert sum("Subject: Grüße\n".encode() in p.read_bytes() for p in got) == 1
    call("mpop", "-C", rc, "--keep=off", env=home_of(tmp_path))
    assert subjects(c) == []


# ---- getmail ----

@pytest.mark.parametrize("retriever", ["SimplePOP3SSLRetriever", "SimpleIMAPSSLRetriever"])
def test_getmail(culver, tmp_path, retriever):
    need("getmail")
    c = culver
    for n in range(3):
        submit(c, example(f"getmail {n}" if n else "Grüße"))
    port = c.port("pop3s" if "POP3" in retriever else "imaps")
    take = tmp_path / "take"
    take.write_text(f"#!/bin/sh\ncat >>{tmp_path}/got\n")
    take.chmod(0o755)
    write_private(tmp_path / "rc", f"""
[retriever]
type = {retriever}
server = localhost
port = {port}
username = {BOB}
password = {c.password('bob')}
ca_certs = {c.certificate}
[destination]
type = MDA_external
path = {take}
allow_root_commands = true
[options]
delete = true
read_all = false
verbose = 0
""")
    call("getmail", "--getmaildir", tmp_path, "--rcfile", "rc", env=home_of(tmp_path))
    assert (tmp_path / "got").read_text().count("Subject: getmail ") == 2
    assert "Subject: Grüße\n" in (tmp_path / "got").read_text()
    assert subjects(c) == []


# ---- s-nail ----

def test_snail_sends_and_reads(culver, tmp_path):
    need("s-nail")
    c = culver
    login = f"{quote(BOB, safe='')}:{quote(c.password('bob'), safe='')}"
    tls = ["-S", "v15-compat", "-S", f"tls-ca-file={c.certificate}", "-S", "tls-verify=strict", "-S", "tls-ca-no-defaults"]
    env = home_of(tmp_path)
    for service, scheme in (("submission", "submission"), ("submissions", "submissions")):
        call("s-nail", "-:/", *tls, "-S", "smtp-use-starttls", "-S",
             f"mta={scheme}://{login}@localhost:{c.port(service)}", "-S", f"from={BOB}",
             "-S", "sendwait", "-s", f"by s-nail {service}", ALICE, stdin="Text.\n", env=env)
    assert sorted(subjects(c, user=ALICE)) == ["by s-nail submission", "by s-nail submissions"]
    submit(c, example("for s-nail"))
    for scheme, port in (("imaps", c.port("imaps")), ("pop3s", c.port("pop3s"))):
        out = call("s-nail", "-:/", *tls, "-R", "-f", f"{scheme}://{login}@localhost:{port}",
                   stdin="headers\ntype 1\nxit\n", env=env).stdout
        assert "for s-nail" in out and "Hello." in out, scheme


# ---- neomutt ----

def test_neomutt_with_condstore_and_qresync_settings(culver, tmp_path):
    need("neomutt")
    c = culver
    for n in range(3):
        submit(c, example(f"neomutt {n}"))
    password = c.password("bob").replace("\\", "\\\\").replace('"', '\\"')
    (tmp_path / "cache").mkdir()
    (tmp_path / "rc").write_text(f"""
set certificate_file="{c.certificate}" ssl_force_tls=yes imap_user="{BOB}" imap_pass="{password}"
set from="{BOB}" use_from=yes smtp_url="smtps://{BOB}@localhost:{c.port('submissions')}/" smtp_pass="{password}"
set folder="imaps://localhost:{c.port('imaps')}/" spool_file="imaps://localhost:{c.port('imaps')}/INBOX"
set imap_condstore=yes imap_qresync=yes imap_idle=yes header_cache="{tmp_path}/cache" message_cachedir="{tmp_path}/cache"
set confirm_append=no confirm_create=no delete=yes move=no mark_old=no quit=yes sleep_time=0 wait_key=no record=""
""")
    env = home_of(tmp_path, TERM="xterm")

    def keys(text):
        call("script", "-qec", f"neomutt -n -F {tmp_path / 'rc'} -e 'push \"{text}\"'", "/dev/null", env=env)

    keys("<first-entry><flag-message><last-entry><save-message>=Kept<enter><sync-mailbox><quit>")
    assert subjects(c) == ["neomutt 0", "neomutt 1"] and subjects(c, "Kept") == ["neomutt 2"]
    m = imap(c)
    m.select()
    assert m.search(None, "FLAGGED")[1] == [b"1"]
    m.store("1", "-FLAGS", r"\Flagged")  # elsewhere, between two runs with a cache
    m.logout()
    keys("<last-entry><delete-message><sync-mailbox><quit>")
    assert subjects(c) == ["neomutt 0"]
    call("neomutt", "-n", "-F", tmp_path / "rc", "-s", "by neomutt", ALICE, stdin="Text.\n", env=env)
    assert subjects(c, user=ALICE) == ["by neomutt"]


# ---- offlineimap ----

def test_offlineimap_both_ways(culver, tmp_path):
    need("offlineimap")
    c = culver
    for n in range(4):
        submit(c, example(f"offline {n}"))
    m = imap(c)
    m.create('"Gr&APYA3w-e/Unter"')
    m.append('"Gr&APYA3w-e/Unter"', r"(\Seen)", None, example("deep"))
    m.logout()
    write_private(tmp_path / "password", c.password("bob"))
    write_private(tmp_path / "rc", f"""
[general]
accounts = a
metadata = {tmp_path}/state
ui = quiet
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {tmp_path}/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = {c.port('imaps')}
remoteuser = {BOB}
remotepassfile = {tmp_path}/password
ssl = yes
sslcacertfile = {c.certificate}
""")

    def sync():
        r = call("offlineimap", "-c", tmp_path / "rc", "-o", env=home_of(tmp_path))
        assert "ERROR" not in r.stderr, r.stderr

    def files():
        return sorted(p for p in (tmp_path / "mail").rglob("*") if p.is_file() and p.parent.name in ("cur", "new"))

    def file_of(subject):
        return next(p for p in files() if f"Subject: {subject}\n" in p.read_text())

    sync()
    first = files()
    assert len(first) == 5
    sync()
    assert files() == first
    flagged = file_of("offline 0")
    flagged.rename(flagged.parent.parent / "cur" / (flagged.name.split(":")[0] + ":2,FS"))
    file_of("offline 1").unlink()
    shutil.copy(file_of("offline 2"), tmp_path / "mail" / "INBOX" / "new" / "1.local.copy")
    sync()
    m = imap(c)
    m.select()
    assert len(m.search(None, "FLAGGED", "SEEN")[1][0].split()) == 1
    m.logout()
    assert sorted(subjects(c)) == ["offline 0", "offline 2", "offline 2", "offline 3"]


# ---- claws-mail ----

CLAWS_FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
  <folder type="mh" name="Local" path="Mail" collapsed="0" sort="0">
    <folderitem type="inbox" name="inbox" path="inbox" />
    <folderitem type="outbox" name="sent" path="sent" />
    <folderitem type="draft" name="draft" path="draft" />
    <folderitem type="queue" name="queue" path="queue" />
    <folderitem type="trash" name="trash" path="trash" />
  </folder>
  <folder type="imap" name="Far" path="Far" account_id="2" collapsed="0" sort="0">
    <folderitem type="inbox" name="INBOX" path="INBOX" />
  </folder>
</folderlist>
"""
CLAWS_ACCOUNT = """[Account: {n}]
account_name={name}
is_default={default}
name=Bob
address={user}
protocol={protocol}
receive_server=localhost
smtp_server=localhost
user_id={user}
password={password}
use_smtp_auth=1
smtp_user_id={user}
smtp_password={password}
ssl_pop=1
ssl_imap=1
ssl_smtp={ssl_smtp}
ssl_certs_auto_accept=1
set_popport=1
pop_port={pop3s}
set_imapport=1
imap_port={imaps}
set_smtpport=1
smtp_port={smtp}
inbox=#mh/Local/inbox
remove_mail=1
message_leave_time=0
receive_at_get_all=1

"""
CLAWS_QUEUED = """S:{user}
SSV:localhost
R:<{to}>
MAID:1
X-Claws-End-Special-Headers: 1
From: <{user}>
To: <{to}>
Subject: by claws-mail
Date: Sat, 21 Nov 2026 22:23:33 +0000
Message-ID: <claws@example.test>

Text.
"""


def test_claws_mail_takes_sends_and_looks(culver, tmp_path):
    """A program with a window, on a display of its own: POP3, SMTP, IMAP over TLS in one run."""
    for program in ("claws-mail", "Xvfb", "dbus-run-session"):
        need(program)
    c = culver
    for n in range(2):
        submit(c, example(f"for claws {n}"))
    home = tmp_path / ".claws-mail"
    home.mkdir()
    for name in ("inbox", "sent", "draft", "queue", "trash"):
        (tmp_path / "Mail" / name).mkdir(parents=True)
    accounts = ""
    for n, name in ((1, "near"), (2, "far")):
        accounts += CLAWS_ACCOUNT.format(
            n=n, name=name, default=int(n == 1), protocol=int(n == 2), user=BOB, ssl_smtp=1, password=c.password("bob"),
            pop3s=c.port("pop3s"), imaps=c.port("imaps"), smtp=c.port("submissions"))
    write_private(home / "accountrc", accounts)
    (home / "folderlist.xml").write_text(CLAWS_FOLDERS)
    (home / "clawsrc").write_text("[Common]\nconfig_version=2\nreceive_dialog_mode=2\nsend_dialog_mode=1\n")
    (tmp_path / "Mail" / "queue" / "1").write_text(CLAWS_QUEUED.format(user=BOB, to=ALICE))
    got = tmp_path / "Mail" / "inbox"
    with display() as number:
        env = home_of(tmp_path, DISPLAY=f":{number}", SSL_CERT_FILE=str(c.certificate), NO_AT_BRIDGE="1")
        with subprocess.Popen(["dbus-run-session", "--", "claws-mail", "--receive-all"], env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as claws:
            try:
                wait_for(lambda: sum(p.name.isdigit() for p in got.iterdir()) == 2, 60)
                call("claws-mail", "--send", env=env)  # tells the one that runs
                wait_for(lambda: subjects(c, user=ALICE) == ["by claws-mail"], 60, 0.5)
                wait_for(lambda: "Login to localhost successful" in (home / "claws.log").read_text(), 60)
            finally:
                claws.terminate()
                claws.wait(20)
    assert subjects(c) == []
    assert any(b"Subject: for claws 1" in p.read_bytes() for p in got.iterdir())


@contextlib.contextmanager
def display():
    """A display that nobody sees; gives its number."""
    read, write = os.pipe()
    with subprocess.Popen(["Xvfb", "-displayfd", str(write), "-screen", "0", "1000x700x24", "-nolisten", "tcp"],
                          pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.close(write)
        try:
            with os.fdopen(read) as f:
                yield int(f.readline())
        finally:
            server.terminate()
            server.wait(10)


# ---- Node ----

@pytest.fixture(scope="module")
def node():
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (NODE / "node_modules" / "imapflow").is_dir():
        pytest.skip("npm's packages are not installed (tools/npm)")

    def run(c, script, *words):
        shutil.copy(ROOT / "tests" / "clients" / script, NODE / script)
        env = dict(os.environ, NODE_EXTRA_CA_CERTS=str(c.certificate))
        return json.loads(call("node", NODE / script, *words, env=env).stdout)
    return run


@pytest.mark.parametrize("how", ["implicit", "starttls"])
def test_nodemailer(culver, node, how):
    c = culver
    port = c.port("submissions" if how == "implicit" else "submission")
    answers = node(c, "nodemailer.mjs", port, how, ALICE, c.password("alice"), ALICE, BOB)
    assert [a["accepted"] for a in answers] == [[BOB], [BOB]]
    assert all(a["response"].startswith("250 2.0.0") for a in answers)
    assert subjects(c)[0] == f"plain by {how}" and len(subjects(c)) == 2


def test_imapflow(culver, node):
    c = culver
    for n in range(2):
        submit(c, example(f"flow {n}"))
    seen = node(c, "imapflow.mjs", c.port("imaps"), BOB, c.password("bob"))
    assert seen["specialUse"] == ["\\Archive", "\\Drafts", "\\Inbox", "\\Junk", "\\Sent", "\\Trash"]
    assert seen["created"] == "Projekte/größer"
    assert seen["status"]["messages"] == 2 and seen["status"]["unseen"] == 2
    assert seen["appended"] == {"path": "INBOX", "uid": 3}
    assert seen["subject"] == "grüße" and seen["whole"]
    assert seen["parts"] == ["1 text/plain", "2 application/octet-stream"]
    assert seen["flags"] == ["\\Flagged"] and seen["date"] == "2026-01-02T03:04:05.000Z"
    assert seen["part"] == [0, 1, 2, 3, 4]
    assert seen["found"] == [3] and seen["keyword"] == [3]
    assert seen["copied"] == [1] and seen["moved"] == [1]
    assert seen["news"] == 1 and seen["left"] == 0
    assert seen["mailboxes"] == ["Projekte"]
