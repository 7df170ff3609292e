# SPDX-License-Identifier: Apache-2.0
"""Real clients do their job: curl, swaks, mutt, mbsync, fetchmail, and Python's libraries."""
import imaplib
import os
import poplib
import re
import shutil
import smtplib
import subprocess
import time

import pytest

from harness import DOMAIN, Culver, example, wait_for

ALICE, BOB = f"alice@{DOMAIN}", f"bob@{DOMAIN}"



def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def call(*words, stdin=None, check=True, **kwargs):
    r = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, text=True,
                       timeout=60, check=False, errors="backslashreplace", **kwargs)
    if check and r.returncode != 0:
        raise AssertionError(f"{words[0]}: {r.returncode}\n{r.stdout}\n{r.stderr}")
    return r


def submit(c, message, sender=ALICE, to=(BOB,), service="submissions"):
    with smtplib.SMTP_SSL("localhost", c.port(service), context=c.tls_context()) as s:
        s.login(sender, c.password(sender.split("@")[0]))
        s.sendmail(sender, list(to), message)


def imap(c, user=BOB):
    m = imaplib.IMAP4_SSL("localhost", c.port("imaps"), ssl_context=c.tls_context())
    m.login(user, c.password(user.split("@")[0]))
    return m


def subjects(c, mailbox="INBOX", user=BOB):
    m = imap(c, user)
    if m.select(f'"{mailbox}"', readonly=True) == ("OK", [b"0"]):
        return []  # 1:* names nothing there (RFC 9051 9, seq-number)
    _, data = m.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    m.logout()
    return [d[1].decode().removeprefix("Subject: ").strip() for d in data if isinstance(d, tuple)]


# ---- Python's libraries ----

def test_smtplib_starttls_then_imaplib_reads_flags_moves_deletes(culver):
    c = culver
    with smtplib.SMTP("localhost", c.port("submission")) as s:
        s.starttls(context=c.tls_context())
        s.login(ALICE, c.password("alice"))
        assert s.sendmail(ALICE, [BOB], example("by starttls")) == {}
    submit(c, example("by tls"))
    m = imaplib.IMAP4("localhost", c.port("imap"))
    m.starttls(ssl_context=c.tls_context())
    m.login(BOB, c.password("bob"))
    assert m.select() == ("OK", [b"2"])
    assert m.search(None, "SUBJECT", '"by tls"') == ("OK", [b"2"])
    assert m.store("1", "+FLAGS", r"(\Flagged $Important)")[0] == "OK"
    assert b"Flagged" in m.fetch("1", "(FLAGS)")[1][0]
    assert m.create("Projects")[0] == "OK"
    assert m.uid("MOVE", "1", "Projects")[0] == "OK"
    assert m.uid("COPY", "2", "Projects")[0] == "OK"
    assert m.uid("STORE", "2", "+FLAGS", r"\Deleted")[0] == "OK"
    assert m.expunge()[1][-1] == b"1"
    assert m.select("Projects") == ("OK", [b"2"])
    flags = m.fetch("1", "(FLAGS)")[1][0]
    assert b"\\Flagged" in flags and b"$Important" in flags
    assert m.append("Projects", r"(\Seen)", None, example("appended"))[0] == "OK"
    assert m.noop()[0] == "OK"
    assert m.search(None, "SEEN")[1] == [b"3"]
    m.logout()


def test_imaplib_idle_sees_mail_at_once(culver):
    m = imap(culver)
    m.select()
    m.send(b"x IDLE\r\n")
    assert m.readline().startswith(b"+")
    submit(culver, example("news"))
    assert m.readline() == b"* 1 EXISTS\r\n"
    m.send(b"DONE\r\n")
    while not m.readline().startswith(b"x OK"):
        pass
    m.logout()


def test_poplib(culver):
    c = culver
    for n in range(3):
        submit(c, example(f"pop {n}"))
    for connect in (lambda: poplib.POP3_SSL("localhost", c.port("pop3s"), context=c.tls_context()),
                    lambda: poplib.POP3("localhost", c.port("pop3"))):
        p = connect()
        if not isinstance(p, poplib.POP3_SSL):
            p.stls(context=c.tls_context())
        p.user(BOB)
        p.pass_(c.password("bob"))
        count, size = p.stat()
        assert sum(int(line.split()[1]) for line in p.list()[1]) == size
        lines = p.retr(1)[1]
        assert b"Hello." in lines
        uidl = p.uidl(1)
        assert p.top(1, 0)[1][-1] != b"Hello."
        p.dele(1)
        p.quit()
        q = connect()
        if not isinstance(q, poplib.POP3_SSL):
            q.stls(context=c.tls_context())
        q.user(BOB)
        q.pass_(c.password("bob"))
        assert q.stat()[0] == count - 1
        assert q.uidl(1) != uidl
        q.quit()


# ---- curl ----

def test_curl_sends_and_reads(culver, tmp_path):
    need("curl")
    c = culver
    (tmp_path / "m").write_bytes(example("by curl"))
    tls = ["--cacert", c.certificate, "--silent", "--show-error"]
    for url, more in ((f"smtp://localhost:{c.port('submission')}/me", ["--ssl-reqd"]),
                      (f"smtps://localhost:{c.port('submissions')}/me", [])):
        call("curl", *tls, *more, "--mail-from", ALICE, "--mail-rcpt", BOB, "--user",
             f"{ALICE}:{c.password('alice')}", "--upload-file", tmp_path / "m", url)
    user = ["--user", f"{BOB}:{c.password('bob')}"]
    out = call("curl", *tls, *user, f"imaps://localhost:{c.port('imaps')}/INBOX;UID=1").stdout
    assert "Subject: by curl" in out
    out = call("curl", *tls, *user, f"imap://localhost:{c.port('imap')}/INBOX?SUBJECT%20curl",
               "--ssl-reqd").stdout
    assert out.strip() == "* SEARCH 1 2"
    out = call("curl", *tls, *user, f"pop3s://localhost:{c.port('pop3s')}/2").stdout
    assert "Hello." in out
    out = call("curl", *tls, *user, f"pop3://localhost:{c.port('pop3')}/", "--ssl-reqd").stdout
    assert len(out.split("\n")) >= 2


# ---- swaks ----

@pytest.mark.parametrize("how", [["--tls"], ["--tls-on-connect"]])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(shared, how, mechanism):
    need("swaks")
    c = shared
    service = "submission" if how == ["--tls"] else "submissions"
    name = f"swaks {mechanism} {service}"
    call("swaks", "--server", f"localhost:{c.port(service)}", *how, "--tls-verify",
         "--tls-ca-path", c.certificate, "--auth", mechanism, "--auth-user", ALICE,
         "--auth-password", c.password("alice"), "--from", ALICE, "--to", BOB, "--header",
         f"Subject: {name}", "--body", "A line.\n.\n..dots\n")
    assert name in subjects(c)


def test_swaks_on_port_25_delivers_and_does_not_relay(shared):
    need("swaks")
    c = shared
    call("swaks", "--server", f"127.0.0.1:{c.port('smtp')}", "--from", "x@else.where", "--to", BOB,
         "--header", "Subject: from outside")
    assert "from outside" in subjects(c)
    r = call("swaks", "--server", f"127.0.0.1:{c.port('smtp')}", "--from", "x@else.where", "--to",
             "y@else.where", check=False)
    assert r.returncode != 0 and "550 5.7.1" in r.stdout


# ---- mutt ----

def mutt(c, home, *args, stdin=""):
    rc = home / "muttrc"
    password = c.password("bob").replace("\\", "\\\\").replace('"', '\\"')
    rc.write_text(f"""
set ssl_ca_certificates_file="{c.certificate}" certificate_file="{c.certificate}"
set imap_user="{BOB}" imap_pass="{password}" from="{BOB}" use_from=yes
set smtp_url="smtps://{BOB}@localhost:{c.port('submissions')}/" smtp_pass="{password}"
set ssl_starttls=yes ssl_force_tls=yes header_cache="" record="" sleep_time=0 wait_key=no
set folder="imaps://localhost:{c.port('imaps')}/" spoolfile="imaps://localhost:{c.port('imaps')}/INBOX"
set confirmappend=no confirmcreate=no delete=yes move=no mark_old=no quit=yes
""")
    environment = dict(os.environ, HOME=str(home), TERM="dumb", LANG="C.UTF-8")
    return call("mutt", "-n", "-F", rc, *args, stdin=stdin, env=environment)


def test_mutt_sends(culver, tmp_path):
    need("mutt")
    mutt(culver, tmp_path, "-s", "by mutt", ALICE, stdin="Text.\n")
    assert subjects(culver, user=ALICE) == ["by mutt"]


def test_mutt_reads_flags_saves_deletes(culver, tmp_path):
    need("mutt")
    c = culver
    for n in range(3):
        submit(c, example(f"mutt {n}"))
    script = ('push "<first-entry><flag-message><save-message>=Kept<enter>'
              '<last-entry><delete-message><sync-mailbox><quit>"')
    environment = dict(os.environ, HOME=str(tmp_path), TERM="xterm", LANG="C.UTF-8")
    mutt(c, tmp_path, "-v")  # writes the rc file
    call("script", "-qec", f"mutt -n -F {tmp_path / 'muttrc'} -e '{script}'", "/dev/null",
         env=environment)
    m = imap(c)
    assert m.select() == ("OK", [b"1"])
    assert rb"\Flagged" in m.fetch("1", "(FLAGS)")[1][0]
    m.logout()
    assert subjects(c, "Kept") == ["mutt 1"]


# ---- mbsync ----

def test_mbsync_twice_changes_nothing_the_second_time(culver, tmp_path):
    need("mbsync")
    c = culver
    for n in range(5):
        submit(c, example(f"sync {n}"))
    m = imap(c)
    m.create("Deep/er")
    m.append("Deep/er", None, None, example("deep"))
    m.logout()
    (tmp_path / "password").write_text(c.password("bob"))
    (tmp_path / "mbsyncrc").write_text(f"""
IMAPAccount c
Host localhost
Port {c.port('imaps')}
User {BOB}
PassCmd "cat {tmp_path}/password"
SSLType IMAPS
CertificateFile {c.certificate}

IMAPStore far
Account c

MaildirStore near
Path {tmp_path}/mail/
Inbox {tmp_path}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    (tmp_path / "mail").mkdir()

    def sync():
        return call("mbsync", "-c", tmp_path / "mbsyncrc", "-a", "-V")

    def state():
        return sorted(str(p.relative_to(tmp_path)) for p in (tmp_path / "mail").rglob("*")
                      if p.is_file() and p.parent.name in ("cur", "new"))

    sync()
    files = state()
    assert len(files) == 6
    before = subjects(c)
    sync()
    assert state() == files and subjects(c) == before
    # A change on each side travels to the other.
    kept = next(p for p in (tmp_path / "mail" / "INBOX").rglob("*") if p.is_file() and
                p.parent.name in ("cur", "new") and "Subject: sync 0" in p.read_text())
    kept.rename(kept.parent.parent / "cur" / (re.sub(r":2,.*", "", kept.name) + ":2,FS"))
    m = imap(c)
    m.select()
    m.store("5", "+FLAGS", r"\Deleted")
    m.expunge()
    m.logout()
    sync()
    m = imap(c)
    m.select()
    assert len(m.search(None, "FLAGGED", "SEEN")[1][0].split()) == 1
    m.logout()
    assert len(state()) == 5


# ---- fetchmail ----

@pytest.mark.parametrize("protocol", ["POP3", "IMAP"])
def test_fetchmail(culver, tmp_path, protocol):
    need("fetchmail")
    c = culver
    for n in range(3):
        submit(c, example(f"fetch {n}"))
    submit(c, example("Grüße"))
    port = c.port("pop3s" if protocol == "POP3" else "imaps")
    password = c.password("bob").replace("\\", "\\\\").replace('"', '\\"')
    rc = tmp_path / "fetchmailrc"
    rc.write_text(f"""
set no bouncemail
poll localhost protocol {protocol} port {port} username "{BOB}" password "{password}"
  ssl sslcertck sslcertfile "{c.certificate}" fetchall mda "cat >> {tmp_path}/got"
""")
    rc.chmod(0o600)
    environment = dict(os.environ, HOME=str(tmp_path), FETCHMAILHOME=str(tmp_path))
    r = call("fetchmail", "-f", rc, "--pidfile", tmp_path / "pid", "--nosyslog", "--nodetach",
             check=False, env=environment)
    assert r.returncode == 0, r.stdout + r.stderr
    text = (tmp_path / "got").read_text()
    assert all(f"Subject: fetch {n}" in text for n in range(3))
    assert "Subject: Grüße\n" in text
    wait_for(lambda: subjects(c) == [], 5)


# ---- commands ----

def test_ready_line_and_second_quickstart():
    with Culver() as c:
        ports = {name: c.port(name) for name in ("smtp", "submission", "submissions", "submission-alt",
                                                "imap", "imaps", "pop3", "pop3s")}
        assert c.ready_line == "ready " + " ".join(f"{k}={v}" for k, v in ports.items()) + "\n"
        before = {p: p.stat().st_mtime_ns for p in c.dir.rglob("*") if p.is_file() and "data" not in p.parts}
        c.run("quickstart", "--dir", c.dir, "--hostname", "mail.example.test", "--domain", DOMAIN,
              "--offset", c.offset, "--loopback")
        assert before == {p: p.stat().st_mtime_ns for p in before}
        assert c.stop() == 0
        c.ready_line = None


def test_password_change_ends_sessions_within_five_seconds(culver):
    c = culver
    m = imap(c)
    m.select()
    c.command("account", "password", "--password-stdin", BOB, stdin="another secret\n")
    begun = time.monotonic()
    with pytest.raises((imaplib.IMAP4.abort, imaplib.IMAP4.error, OSError)):
        while time.monotonic() - begun < 6:
            m.noop()
            time.sleep(0.05)
    assert time.monotonic() - begun < 5
    with pytest.raises(imaplib.IMAP4.error):
        imap(c)
