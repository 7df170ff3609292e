# SPDX-License-Identifier: Apache-2.0
"""Reload: what it says is what came of it, and what it says is in force is so in every process."""
import imaplib
import json
import os
import poplib
import shutil
import subprocess

import pytest

from harness import DOMAIN, Culver, wait_for
from tls import HOST, make_certificate

ALICE = f"alice@{DOMAIN}"


def configure(c, *lines):
    """culver.conf of quickstart with these lines instead of those of the same keys."""
    keys = {line.split()[0] for line in lines}
    kept = [line for line in c.conf.read_text().splitlines() if line.split(" ")[0] not in keys]
    c.conf.write_text("\n".join([*kept, *lines]) + "\n")


def failed_login(c):
    m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
    with pytest.raises(imaplib.IMAP4.error):
        m.login(ALICE, "not her password")
    m.shutdown()


def garbage(c):
    (c.dir / "tls" / "bad.crt").write_text("garbage\n")


def no_key(c):
    make_certificate(c, "bad", [HOST])
    (c.dir / "keys" / "bad.key").unlink()


def short_key(c):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", c.dir / "keys" / "bad.key",
                    "-out", c.dir / "tls" / "bad.crt", "-subj", "/CN=test"], check=True, capture_output=True)


def pipe(c):
    os.mkfifo(c.dir / "tls" / "bad.crt")


def link_to_nowhere(c):
    (c.dir / "tls" / "bad.crt").symlink_to("gone.pem")


@pytest.mark.parametrize("breaks,said", [
    (garbage, "bad: this is not a certificate chain in PEM"), (no_key, "bad: no file in keys/ has its private key"),
    (short_key, "bad: "), (pipe, "bad: it is no regular file"),
    (link_to_nowhere, "bad: it is a link that leads nowhere")])
def test_a_refused_reload_is_an_error(culver, breaks, said):
    """The exit code is that of a wrong configuration; nothing is in force of what stood beside it either."""
    c = culver
    breaks(c)
    configure(c, 'hostname = "other.example.test"')
    r = c.command("reload", check=False, timeout=50)
    assert r.returncode == 5 and "refused, and nothing has changed: " + said in r.stderr, r.stderr
    r = c.command("reload", "--json", check=False, timeout=50)
    assert r.returncode == 5 and said in json.loads(r.stdout)["text"]
    assert said.removeprefix("bad: ") in c.command("status").stdout
    with c.connect("smtp") as s:
        assert s.recv(200).startswith(b"220 mail.example.test")
    (c.dir / "tls" / "bad.crt").unlink()
    (c.dir / "keys" / "bad.key").unlink(missing_ok=True)
    assert c.command("reload").stdout == "reloaded\n"
    with c.connect("smtp") as s:
        assert s.recv(200).startswith(b"220 other.example.test")


def test_more_certificates_than_can_be_used_are_refused(culver):
    """64 are taken; with one more the reload is refused, rather than leave somebody's out in silence."""
    tls = culver.dir / "tls"
    for n in range(63):
        shutil.copy(tls / "default.crt", tls / f"{n}.crt")
    assert culver.command("reload", timeout=100).stdout == "reloaded\n"
    shutil.copy(tls / "default.crt", tls / "65.crt")
    r = culver.command("reload", check=False, timeout=100)
    assert r.returncode == 5 and "there are too many certificates in tls/" in r.stderr, r.stderr
    for path in tls.glob("[0-9]*.crt"):
        path.unlink()
    assert culver.command("reload", timeout=100).stdout == "reloaded\n"


def test_check_says_what_a_reload_without_certificates_would():
    with Culver(accounts=()) as c:
        (c.dir / "tls").rename(c.dir / "elsewhere")
        (c.dir / "tls").mkdir()
        for command in ("reload", "check"):
            r = c.command(command, check=False)
            assert r.returncode == 5 and "there is no certificate in tls/" in r.stderr, (command, r.stderr)
        assert "there is no TLS" not in r.stderr
        c.stop()
        r = c.command("check")  # a start without them is one without TLS
        assert "warning" in r.stderr and "there is no TLS" in r.stderr, r.stderr


def test_a_key_that_is_a_pipe_keeps_nobody_waiting(culver):
    os.mkfifo(culver.dir / "keys" / "pipe.key")
    assert culver.command("reload", timeout=30).stdout == "reloaded\n"
    wait_for(lambda: any("pipe.key" in e["why"] for e in culver.events("key-refused")))
    culver.restart()


def test_a_configuration_that_is_a_pipe_is_refused():
    c = Culver()
    try:
        c.conf.unlink()
        os.mkfifo(c.conf)
        for command in ("check", "serve"):
            r = c.command(command, check=False, timeout=20)
            assert r.returncode == 5 and "it is no regular file" in r.stderr
    finally:
        c.close()


def test_a_login_delay_holds_where_it_is_announced(culver):
    def login():
        p = poplib.POP3("127.0.0.1", culver.port("pop3"))
        delay = p.capa().get("LOGIN-DELAY")
        p.user(ALICE)
        try:
            p.pass_(culver.password("alice"))
        except poplib.error_proto as e:
            return delay, str(e)
        finally:
            p.quit()
        return delay, ""

    assert [login() for _ in range(2)] == [(None, "")] * 2
    configure(culver, "pop3_login_delay = 600")
    culver.command("reload")
    assert login() == (["600"], "")
    delay, why = login()
    assert delay == ["600"] and "LOGIN-DELAY" in why
    configure(culver, "pop3_login_delay = 0")
    culver.command("reload")
    assert login() == (None, "")


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def test_a_log_is_where_and_as_the_configuration_has_it(culver, tmp_path):
    """Path, form and level, of every process and of the supervisor; and back."""
    c, log = culver, tmp_path / "culver.log"
    configure(c, f'log_file = "{log}"', 'log_format = "json"', 'log_level = "debug"')
    c.command("reload")
    failed_login(c)
    wait_for(lambda: [line for line in lines(log) if '"role":"gate"' in line], 10)
    said = [json.loads(line) for line in lines(log)]
    assert {e["role"] for e in said} >= {"supervisor", "gate"}
    before = len(c.log)
    # A path that cannot be opened: refused, and the log stays where it is.
    configure(c, f'log_file = "{tmp_path}/none/culver.log"')
    r = c.command("reload", check=False)
    assert r.returncode == 5 and "cannot open the log" in r.stderr
    assert len(c.log) == before
    configure(c, 'log_file = "stderr"', 'log_format = "logfmt"', 'log_level = "info"')
    c.command("reload")
    n = len(lines(log))
    failed_login(c)
    wait_for(lambda: [line for line in c.log[before:] if "role=gate" in line], 10)
    assert len(lines(log)) == n and not [line for line in c.log[before:] if line.startswith("{")]


def test_keys_that_need_a_start_are_named(culver):
    """As long as they differ from what is in force; and of the others nothing is said."""
    c = culver
    assert json.loads(c.command("reload", "--json").stdout) == {"reloaded": True, "at_the_next_start": []}
    text = c.conf.read_text()
    configure(c, "hash_workers = 4", "fronts_mx = 2", "recipients = 200")
    for _ in range(2):
        assert c.command("reload").stdout == "reloaded; at the next start alone: fronts_mx, hash_workers\n"
    assert json.loads(c.command("reload", "--json").stdout)["at_the_next_start"] == ["fronts_mx", "hash_workers"]
    assert c.events("reloaded")[-1]["at-the-next-start"] == "fronts_mx hash_workers"
    c.conf.write_text(text)
    assert c.command("reload").stdout == "reloaded\n"
