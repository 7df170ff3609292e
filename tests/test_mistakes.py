# SPDX-License-Identifier: Apache-2.0
"""Mistakes of administrators and of disks: what is wrong, where, and what to do is said at once, by the
command that meets it, and nothing bounces for it."""
import fcntl
import json
import os
import poplib
import pty
import re
import shlex
import shutil
import signal
import smtplib
import socket
import subprocess
import time

import pytest

from disk import run, try_mount
from harness import DOMAIN, Culver, wait_for
from test_mechanisms import dated
from tls import NEW_KEY, make_certificate


@pytest.fixture(name="culver")
def stopped():
    c = Culver(accounts=())
    yield c
    c.close()


def test_a_data_directory_that_cannot_be_entered(culver):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    data = culver.dir / "data"
    data.chmod(0)
    os.chown(data, 0, 0)
    r = culver.command("account", "list", check=False)
    assert r.returncode == 5 and f"culver account list: {data} is user 0's, and not for user" in r.stderr, r.stderr
    assert "chown -R" in r.stderr and "role=store" not in r.stderr


def test_a_master_key_that_is_not_there(culver):
    (culver.dir / "master.key").unlink()
    for args in (("account", "list"), ("serve",)):
        r = culver.command(*args, check=False)
        assert r.returncode != 0 and f"{culver.dir}/master.key: No such file" in r.stderr, r.stderr
        assert "bring back the copy" in r.stderr and "app passwords must then be drawn anew" in r.stderr, r.stderr
        assert "control socket" not in r.stderr


def test_a_certificate_without_its_key_is_told_of(culver):
    (culver.dir / "keys" / "default.key").unlink()
    culver.start()
    [state] = wait_for(lambda: [c for c in json.loads(culver.command("status", "--json").stdout)["certificates"]
                                if c["problem"]])
    assert state["problem"].startswith("no file in keys/ has its private key")
    wait_for(lambda: "event=certificate-refused name=default" in culver.log_text())


def test_a_store_without_domains_refuses_for_now(culver):
    """It is new, or stands where a disk is not mounted: senders are to come again."""
    shutil.rmtree(culver.dir / "data")
    culver.start()
    with smtplib.SMTP("127.0.0.1", culver.port("smtp")) as s:
        s.ehlo("client.test")
        s.docmd("MAIL", "FROM:<>")
        assert s.docmd("RCPT", f"TO:<alice@{DOMAIN}>")[0] // 10 == 45
        culver.command("domain", "add", DOMAIN)
        assert s.docmd("RCPT", f"TO:<alice@{DOMAIN}>")[0] == 550
        assert s.docmd("RCPT", "TO:<alice@elsewhere.test>")[0] == 550


@pytest.mark.parametrize("line,said", [
    ('listen = {"300.1.1.1"}', "300.1.1.1 is not an IP address"), ('listen = {"::1", "0::1"}', "0::1 is there twice"),
    ("listen = {}", "no address to listen on"), ("nokey = 1", "nokey"), ('directory = "/nonexistent"', "directory /nonexistent:"),
    ('hostname = "my_host"', "must be a domain name"), ('hostname = "192.0.2.1"', "no IP address"), ("recipients = 5", "from 100 to 1000")])
def test_check_finds_what_serve_would(culver, line, said):
    text = culver.conf.read_text(encoding="utf-8").replace('listen = {"127.0.0.1", "::1"}', "")
    culver.conf.write_text(f"{text}{line}\n", encoding="utf-8")
    for command in ("check", "serve"):
        r = culver.command(command, check=False)
        assert r.returncode == 5 and said in r.stderr and str(culver.conf) in r.stderr, r.stderr


def test_check_finds_a_store_that_is_gone(culver):
    culver.add_account(f"alice@{DOMAIN}", "alice's secret")
    (culver.dir / "data").rename(culver.dir / "elsewhere")
    for command in (("check",), ("account", "list")):
        r = culver.command(*command, check=False)
        assert r.returncode == 1 and "is its disk mounted?" in r.stderr, r.stderr


@pytest.mark.parametrize("words", [
    ("check", "--repair"), ("store", "reclaim", "--deleted", "--account", f"alice@{DOMAIN}"), ("domain", "list", "--erase"),
    ("account", "list", "--quota", "5M"), ("store", "points", "--keep", "3", "/tmp"), ("version", "--all")])
def test_options_of_other_commands_are_refused(culver, words):
    r = culver.command(*words, check=False) if words[0] != "version" else culver.run(*words, check=False)
    assert r.returncode == 2 and "has no option --" in r.stderr and not r.stdout, r.stderr
    r = culver.run(*words, "--json", check=False)
    assert r.returncode == 2 and json.loads(r.stdout)["error"] == "syntax", r.stdout


def test_check_opens_the_log(culver):
    text = culver.conf.read_text(encoding="utf-8")
    for path in (culver.dir / "gone" / "log", culver.dir / "data"):
        culver.conf.write_text(f'{text}log_file = "{path}"\n', encoding="utf-8")
        for command in ("check", "serve"):
            r = culver.command(command, check=False)
            assert r.returncode in (1, 5) and str(path) in r.stderr, r.stderr
    link = culver.dir / "link"
    link.symlink_to("gone/log")
    culver.conf.write_text(f'{text}log_file = "{link}"\n', encoding="utf-8")
    r = culver.command("check", check=False)
    assert r.returncode == 5 and str(link) in r.stderr, r.stderr
    link.unlink()
    link.symlink_to("log")  # it can be made where the link leads
    culver.command("check")
    culver.conf.write_text(f'{text}log_file = "{culver.dir}/log"\n', encoding="utf-8")
    culver.command("check")
    assert not (culver.dir / "log").exists()


def test_services_that_are_none(culver):
    """An empty word (a variable of a script that is not set, say) switches nothing off."""
    for words in ("", "imap,none", "none,imap", "imap,,pop3"):
        r = culver.command("account", "add", "--services", words, "--password-stdin", f"alice@{DOMAIN}", check=False,
                           stdin="alice's secret\n")
        assert r.returncode == 2 and "services are" in r.stderr, (words, r.stderr)
    culver.add_account(f"alice@{DOMAIN}", "alice's secret", "--services", "none")


@pytest.mark.parametrize("second,code", [("alice's secret", 0), ("alice's secert", 2)])
def test_a_password_is_typed_twice(culver, second, code):
    terminal, theirs = pty.openpty()
    with subprocess.Popen([culver.binary, "account", "add", "-c", str(culver.conf), f"alice@{DOMAIN}"], stdin=theirs,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as p:
        os.close(theirs)
        for prompt, word in (("Password: ", "alice's secret"), ("The same again: ", second)):
            said = ""
            while not said.endswith(prompt):
                said += p.stderr.read(1) or pytest.fail(said)
            os.write(terminal, word.encode() + b"\n")
        out, err = p.communicate(timeout=30)
    os.close(terminal)
    assert p.returncode == code and ("added" in out) == (code == 0), err


@pytest.mark.parametrize("name", ["127.0.0.1", "[127.0.0.1]", "::1", "[IPv6:::1]", "example.1", "5"])
def test_an_address_is_no_domain(culver, name):
    r = culver.command("domain", "add", name, check=False)
    assert r.returncode == 2 and not r.stdout and "not a domain name (an IP address is none)" in r.stderr, r.stderr


def test_quickstart_leaves_alone_what_is_not_its_own(tmp_path):
    c = Culver(directory=tmp_path / "etc", quickstart=False)
    words = ("quickstart", "--dir", c.dir, "--hostname", "mail.example.test", "--domain", DOMAIN, "--offset", c.offset)
    (c.dir / "passwd").write_text("root", encoding="utf-8")
    r = c.run(*words, check=False)
    assert r.returncode == 4 and f"{c.dir} is not empty (passwd is in it)" in r.stderr and f"--dir {c.dir}/culver" in r.stderr
    assert [f.name for f in c.dir.iterdir()] == ["passwd"]
    assert json.loads(c.run(*words, "--json", check=False).stdout)["error"] == "exists"
    (c.dir / "passwd").unlink()
    (c.dir / "culver.conf.new").write_text("", encoding="utf-8")  # one that was interrupted
    (c.dir / "keys").mkdir()
    (c.dir / "empty.new").mkdir()
    c.run(*words)
    (c.dir / "notes").write_text("mine", encoding="utf-8")  # it has become a server's
    assert "was there" in c.run(*words).stdout


def test_quickstart_follows_no_links(culver):
    """What it makes belongs to the server's user, who may have put a link there: root would give away what it leads to."""
    bait = culver.dir / "bait"
    bait.mkdir(mode=0o700)
    (bait / "file").write_text("mine", encoding="utf-8")
    (culver.dir / "master.key").unlink()
    (culver.dir / "master.key.new").symlink_to(bait / "file")
    words = ("quickstart", "--dir", culver.dir, "--hostname", "mail.example.test", "--domain", DOMAIN)
    culver.run(*words)
    assert (bait / "file").read_text(encoding="utf-8") == "mine" and len((culver.dir / "master.key").read_bytes()) == 32
    (culver.dir / "empty").rmdir()
    (culver.dir / "empty.new").symlink_to(bait)
    r = culver.run(*words, check=False)
    assert r.returncode == 1 and bait.stat().st_mode & 0o777 == 0o700, r.stderr


def test_closed_descriptors(culver):
    """Scripts close them; no file of ours gets their numbers, so a command does what it should and says so."""
    def shell(what):
        words = [culver.binary, "account", "list", "-c", str(culver.conf)]
        return subprocess.run(["sh", "-c", f'"$@" {what}', "sh", *words], capture_output=True, text=True, check=False,
                              timeout=60)
    culver.add_account(f"alice@{DOMAIN}", "alice's secret")
    for running in (False, True):
        r = shell("<&-")
        assert r.returncode == 0 and "alice@" in r.stdout, (running, r)
        assert shell("<&- 2>&-").returncode == 0
        r = shell(">&-")  # what it had to say was not said
        assert r.returncode == 1 and "could not be written: Bad file descriptor" in r.stderr, r
        assert shell("<&- >&- 2>&-").returncode == 1
        if not running:
            culver.start()


def test_check_tells_modes_from_owners(culver):
    culver.add_account(f"alice@{DOMAIN}", "alice's secret")
    (culver.dir / "data" / "ledger.db").chmod(0)
    r = culver.command("check", check=False)
    assert r.returncode == 5 and "ledger.db has mode 000" in r.stderr and "chmod -R u+rwX" in r.stderr, r.stderr
    assert "chown" not in r.stderr.replace("useradd --system culver, and then chown", ""), r.stderr


def no_key(c):
    (c.dir / "keys" / "default.key").unlink()
    return "tls/default.crt: no file in keys/ has its private key"


def garbage(c):
    (c.dir / "tls" / "a.crt").write_text("garbage\n", encoding="utf-8")
    return "tls/a.crt: this is not a certificate chain in PEM"


def link_to_nowhere(c):
    (c.dir / "tls" / "a.crt").symlink_to("gone")
    return "tls/a.crt: it is a link that leads nowhere"


def pipe(c):
    os.mkfifo(c.dir / "tls" / "a.crt")
    return "tls/a.crt: it is no regular file"


def too_many(c):
    for n in range(64):
        shutil.copy(c.dir / "tls" / "default.crt", c.dir / "tls" / f"{n}.crt")
    return "tls: it has 65 certificates, and 64 is the most"


def key_that_is_a_link(c):
    key = c.dir / "keys" / "default.key"
    key.rename(c.dir / "elsewhere.key")
    key.symlink_to(c.dir / "elsewhere.key")
    return "keys/default.key: it is a link, and a key must be a file"


def encrypted_key(c):
    key = c.dir / "keys" / "default.key"
    plain = key.rename(c.dir / "plain.key")
    subprocess.run(["openssl", "pkey", "-in", plain, "-out", key, "-aes256", "-passout", "pass:abcd"], check=True)
    return "keys/default.key: not an unencrypted private key in PEM"


@pytest.mark.parametrize("breaks", [no_key, garbage, link_to_nowhere, pipe, too_many, key_that_is_a_link, encrypted_key])
def test_check_tries_certificates_and_keys(culver, breaks):
    assert culver.command("check").stdout == f"{culver.conf} is good\n"
    said = breaks(culver)
    r = culver.command("check", check=False, timeout=20)
    assert r.returncode == 5 and said in r.stderr and "is good" not in r.stdout, r.stderr


def test_check_tells_what_hides_nothing(culver):
    with open(culver.conf, "a") as f:
        f.write('imap_hide = "QRSYNC id=Some*Mail:IDLE alice@example.test:STARTTLS"\n')
    r = culver.command("check")
    said = [line for line in r.stderr.splitlines() if "hides nothing" in line]
    assert len(said) == 2 and "QRSYNC hides nothing" in said[0] and "STARTTLS hides nothing" in said[1], r.stderr


def test_check_finds_the_key_of_each_certificate(culver):
    for n, kind in enumerate(("ec", "rsa", "ec")):
        make_certificate(culver, f"host{n}", [f"host{n}.example.test"], kind)
    shutil.copy(culver.dir / "tls" / "host1.crt", culver.dir / "tls" / "again.crt")
    r = culver.command("check")
    assert r.stdout == f"{culver.conf} is good\n" and "key" not in r.stderr, r.stderr
    (culver.dir / "keys" / "host1.key").unlink()
    r = culver.command("check", check=False)
    assert r.returncode == 5 and ".crt: no file in keys/ has its private key" in r.stderr, r.stderr


def test_data_of_another_user_is_told_of(culver):
    """As after a user was made for a server that ran without one: what is there belongs to nobody of that name."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    data = culver.dir / "data"
    owner = os.stat(data).st_uid
    for path in (data, next(data.iterdir())):
        os.chown(path, 12345, 12345)
        for command in (("check",), ("serve",), ("account", "list"), ("store", "check")):
            r = culver.command(*command, check=False, timeout=30)
            assert r.returncode == 5 and f"{path} is user 12345's, and not for user {owner}" in r.stderr, r.stderr
            assert f"chown -R" in r.stderr and f" {data}" in r.stderr and "role-failed" not in r.stderr
        os.chown(path, owner, owner)
    assert culver.command("check").returncode == 0


def test_lines_for_a_shell_are_quoted(tmp_path):
    c = Culver(directory=tmp_path / "my mail's", quickstart=False)
    r = c.run("quickstart", "--dir", c.dir, "--hostname", "h.test", "--domain", DOMAIN, "--offset", c.offset, "--loopback")
    lines = {label: words for label, words in (line.split("  ", 1) for line in r.stdout.splitlines() if "  " in line)}
    assert shlex.split(lines["start it"]) == ["culver", "serve", "-c", str(c.conf)]
    assert shlex.split(lines["add somebody"]) == ["culver", "account", "add", "-c", str(c.conf), f"NAME@{DOMAIN}"]


def test_commands_that_are_not_there_name_those_that_are(culver):
    for words in (["store"], ["store", "nonsense"]):
        r = culver.run(*words, check=False)
        assert r.returncode == 2 and r.stdout == ""
        assert "culver store COMMAND" in r.stderr and "points" in r.stderr and "quickstart" not in r.stderr
        assert ("there is no command store nonsense" in r.stderr) == (len(words) > 1)
    for words in (["nonsense"], ["nonsense", "-c", culver.conf]):
        r = culver.run(*words, check=False)
        assert r.returncode == 2 and r.stderr == "culver: there is no command nonsense; see culver --help\n"
    r = culver.command(
        "account", "add", "--password-stdin", "ann@elsewhere.test", stdin="secret\n", check=False)
    assert r.returncode == 3 and "no such domain: elsewhere.test" in r.stderr


def test_check_warns_of_what_serve_goes_on_with(culver):
    """No certificate, a master key for everybody, a user that is not there (asked only as root); the key is in the
    log of a start, too. A key of the configuration that is given twice is an error with both lines."""
    said = [line for line in culver.command("check").stderr.splitlines() if "user culver: there is no" not in line]
    assert said == [], "of what quickstart makes there is nothing to say; whether there is a user is the machine's"
    key = culver.dir / "master.key"
    key.chmod(0o644)
    culver.start()
    wait_for(lambda: f"event=master-key-open file={key}" in culver.log_text())
    culver.stop()
    for file in (culver.dir / "tls").iterdir():
        file.unlink()
    with culver.conf.open("a", encoding="utf-8") as f:
        f.write('user = "nobody-of-that-name"\n')
    if os.geteuid() == 0:  # where there is a user culver, it is his
        data = culver.dir / "data"
        for path in (data, *data.rglob("*")):
            os.chown(path, 61840, 61840)
    r = culver.command("check")
    assert f"{key}: others than its owner can read it (chmod 600)" in r.stderr
    assert f"{culver.dir}/tls: there is no *.crt in it" in r.stderr
    assert ("user nobody-of-that-name: there is no such user" in r.stderr) == (os.geteuid() == 0)
    warnings = json.loads(culver.command("check", "--json").stdout)["warnings"]
    assert len(warnings) == r.stderr.count("warning: ") == (3 if os.geteuid() == 0 else 2)
    for bad, said in ((lambda: key.write_bytes(bytes(31)), "must have 32 bytes"), (key.unlink, "No such file")):
        bad()
        r = culver.command("check", check=False)
        assert r.returncode == 5 and said in r.stderr, r.stderr
    n = len(culver.conf.read_text(encoding="utf-8").splitlines())
    with culver.conf.open("a", encoding="utf-8") as f:
        f.write('user = "culver"\n')
    r = culver.command("check", check=False)
    assert r.returncode == 5 and f"{culver.conf}:{n + 1}: user is given twice, first in line {n}:" in r.stderr


@pytest.fixture(name="small_disk")
def mounted(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    try_mount("-t", "tmpfs", "-o", "size=80m,mode=755", "none", tmp_path)
    yield tmp_path
    run("umount", tmp_path)


def test_check_finds_a_disk_that_is_read_only(small_disk):
    c = Culver(directory=small_disk / "c", accounts=())
    c.command("check")
    run("mount", "-o", "remount,ro", small_disk)
    for command in ("check", "serve"):
        r = c.command(command, check=False)
        assert r.returncode == 1 and "on a file system that is read-only" in r.stderr, r.stderr
    run("mount", "-o", "remount,rw", small_disk)


def test_what_is_wrong_is_said_of_long_paths_too(culver, tmp_path):
    for n in range(5):
        tmp_path = tmp_path / (f"{n}" * 200)
    for words in (("account", "list", "-c", tmp_path / "culver.conf"), ("store", "points", tmp_path), ("store", "backup", "-c", culver.conf, tmp_path)):
        r = culver.run(*words, check=False)
        assert r.returncode in (1, 5) and "No such file or directory" in r.stderr and "..." in r.stderr, r.stderr


def test_a_disk_without_room_for_mail_is_told_of(small_disk):
    """All roles are up, and every message gets 452: who asks why is told."""
    c = Culver(directory=small_disk / "c", accounts=())
    warning = "its disk has "
    assert warning not in c.command("check").stderr
    with open(small_disk / "fill", "wb") as f:
        os.posix_fallocate(f.fileno(), 0, 30 << 20)
    assert warning in c.command("check").stderr
    with c:
        assert warning in c.command("status").stderr
        r = json.loads(c.command("status", "--json").stdout)
        assert warning in r["warnings"][0] and r["running"]
        (small_disk / "fill").unlink()
        assert warning not in c.command("status").stderr
        assert json.loads(c.command("status", "--json").stdout)["warnings"] == []


def test_check_warns_of_private_keys_that_others_can_read(culver):
    key = culver.dir / "keys" / "default.key"
    key.chmod(0o644)
    assert str(key) not in culver.command("check").stderr  # nobody else comes by it
    key.parent.chmod(0o711)
    assert f"{key}: others than its owner can read it" in culver.command("check").stderr


def test_a_full_disk_is_named(small_disk):
    c = Culver(directory=small_disk / "c", accounts=())
    fill = small_disk / "fill"
    try:
        with open(fill, "wb", buffering=0) as f:
            while f.write(bytes(1 << 20)) == 1 << 20:
                pass
    except OSError:
        pass
    for args in (("domain", "add", "more.test"), ("store", "backup", small_disk / "backup")):
        r = c.command(*args, check=False)
        assert r.returncode == 1 and "disk is full" in r.stderr, r.stderr
    r = c.command("domain", "add", "--json", "more.test", check=False)
    assert "disk is full" in json.loads(r.stdout)["text"]
    assert c.command("domain", "list").stdout.split() == [DOMAIN]
    fill.unlink()
    c.command("domain", "add", "more.test")
    assert c.command("store", "check").returncode == 0


def test_json_is_json_whatever_is_wrong(culver):
    keys = json.loads(culver.command("check", "--print-defaults", "--json").stdout)
    assert {k["key"]: k["at_start"] for k in keys}["listen"] and keys[0]["key"] == "hostname"
    for args in (("account", "set", "--json"), ("account", "add", "--json", "--nonsense"), ("check", "--json", "too", "many"),
                 ("store", "backup", "--json", "--keep", "0", "/no/such"), ("nonsense", "--json"), ("account", "nonsense", "--json")):
        r = culver.command(*args, check=False)
        assert r.returncode == 2 and json.loads(r.stdout)["error"] == "syntax", r
    culver.add_account(f"ann@{DOMAIN}", "long enough")
    r = culver.command("account", "certificate", "add", "--json", f"ann@{DOMAIN}", "/no/such.crt", check=False)
    assert r.returncode == 3 and json.loads(r.stdout)["error"] == "not-found"


def test_json_of_a_command_that_fails_is_the_error_alone(culver):
    """What it would have listed does not stand before it: nobody is there; and there is no store to ask."""
    nobody = f"nobody@{DOMAIN}"
    lists = [("account", "list"), ("account", "recount", "--all"), ("domain", "list"), ("alias", "list"), ("store", "check")]
    named = [("account", "undelete"), ("account", "undelete", "--list"), ("account", "recount")]
    for words in named:
        r = culver.command(*words[:2], "--json", *words[2:], nobody, check=False)
        assert r.returncode == 3 and json.loads(r.stdout)["error"] == "not-found", r
    for noun in ("app-password", "certificate"):
        r = culver.run("account", noun, "list", "-c", culver.conf, "--json", nobody, check=False)
        assert r.returncode == 3 and json.loads(r.stdout)["error"] == "not-found", r
    for words in lists:
        json.loads(culver.command(*words[:2], "--json", *words[2:]).stdout)
    (culver.dir / "master.key").rename(culver.dir / "elsewhere.key")
    for words in lists:
        r = culver.command(*words[:2], "--json", *words[2:], check=False)
        assert r.returncode == 1 and json.loads(r.stdout)["error"] == "temporary", r
    (culver.dir / "elsewhere.key").rename(culver.dir / "master.key")
    (culver.dir / "data" / "ledger.db").write_bytes(bytes(8192))
    for words in lists[:-1]:
        r = culver.command(*words[:2], "--json", *words[2:], check=False)
        assert r.returncode == 1 and json.loads(r.stdout)["error"] == "temporary", r
    r = culver.command("store", "check", "--json", check=False)
    assert r.returncode == 6 and json.loads(r.stdout)["found"] == 1


def test_commands_say_what_they_do_not_do(culver):
    """Nothing to change; a label that would break a list's lines; a password that is soon guessed."""
    ann = f"ann@{DOMAIN}"
    assert "less than 8 characters" in culver.add_account(ann, "a").stderr
    assert culver.command("account", "password", "--password-stdin", ann, stdin="12345678\n").stderr == ""
    r = culver.command("account", "set", ann, check=False)
    assert r.returncode == 2 and "nothing is to be changed" in r.stderr and r.stdout == ""
    r = culver.command("account", "app-password", "add", "--label", "two\nlines", ann, check=False)
    assert r.returncode == 2 and "--label: a control character" in r.stderr
    assert culver.command("account", "app-password", "list", ann).stdout == ""
    for n, code in ((129, 2), (128, 0)):
        r = culver.command("account", "app-password", "add", "--label", "x" * n, ann, check=False)
        assert r.returncode == code and (code == 0 or "--label has at most 128 bytes" in r.stderr), r.stderr


def test_status_tells_of_the_roles_when_the_store_does_not_answer(culver):
    """It stands still (a disk that hangs), or does not come up: then above all somebody asks."""
    culver.start()
    os.kill(culver.roles()["store"], signal.SIGSTOP)
    for words in (), ("--json",):
        r = culver.command("status", *words, check=False, timeout=60)
        assert r.returncode == 1 and "the server's store does not answer" in r.stderr, r
        assert "front-mx" in r.stdout and "gate" in r.stdout
    assert json.loads(r.stdout)["store"] is None
    (culver.dir / "data" / "ledger.db").write_bytes(bytes(8192))
    culver.kill_role("store")
    wait_for(lambda: "is not a database" in culver.log_text(), 60)

    def away():
        r = culver.command("status", "--json", check=False)
        return r.returncode == 1 and next(x for x in json.loads(r.stdout)["roles"] if x["role"] == "store")["state"] != "up"
    wait_for(away, 60)


def test_status_without_a_file_says_so_once(culver):
    culver.conf.unlink()
    r = culver.command("status", check=False)
    assert r.returncode == 5 and r.stderr.count("No such file") == 1, r.stderr


def test_status_of_a_server_whose_file_has_become_wrong(culver):
    """What it read when it started was right, and it is still there."""
    culver.start()
    text = culver.conf.read_text(encoding="utf-8")
    for bad in ("nonsense = 1\n", "hostname = \"\n"):
        culver.conf.write_text(text + bad, encoding="utf-8")
        r = culver.command("status", "--json")
        status = json.loads(r.stdout)
        assert status["running"] and status["warnings"][0].startswith(f"{culver.conf}:")
        assert f"warning: {culver.conf}:" in culver.command("status").stderr
        r = culver.command("reload", check=False)
        assert r.returncode == 5 and "refused, and nothing has changed" in r.stderr and str(culver.conf) in r.stderr
    culver.stop()
    assert culver.command("status", check=False).returncode == 7


# ---- what is not there yet, or is leaving ----

def listen_on(c, *addresses):
    text = c.conf.read_text(encoding="utf-8")
    quoted = ", ".join(f'"{a}"' for a in addresses)
    c.conf.write_text(re.sub(r"(?m)^listen.*$", f"listen = {{{quoted}}}", text), encoding="utf-8")


@pytest.mark.parametrize("addresses", [("127.0.0.1", "2001:db8::77"), ("2001:db8::77",), ("192.0.2.177", "127.0.0.1")])
def test_an_address_that_is_not_here_is_missed(culver, addresses):
    """A server that went on without would be away for whoever comes by it, and nobody would be told."""
    listen_on(culver, *addresses)
    r = culver.command("serve", check=False)
    [missing] = [a for a in addresses if a != "127.0.0.1"]
    assert r.returncode == 1 and f"cannot listen on {missing} port" in r.stderr, r
    assert "this machine does not have that address" in r.stderr and "another server" not in r.stderr
    r = culver.command("check", check=False)
    assert r.returncode == 5 and f"this machine does not have the address {missing}" in r.stderr, r.stderr


def test_a_port_that_is_being_left_is_waited_for(culver):
    """As after a kill -9: the roles of before have the port until they have gone."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", culver.port("imap")))
        s.listen()
        culver.start(wait=False)
        time.sleep(0.7)
        assert culver.process.poll() is None
    culver.wait_ready()
    culver.stop()
    with socket.socket() as s:
        s.bind(("127.0.0.1", culver.port("imap")))
        s.listen()
        r = culver.command("serve", check=False)
        assert r.returncode == 1 and "is another server running" in r.stderr, r


def test_a_lock_that_is_being_left_is_waited_for(culver):
    with open(culver.dir / "lock", "rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        culver.start(wait=False)
        time.sleep(0.7)
        assert culver.process.poll() is None
    culver.wait_ready()


def last_segment(c):
    with smtplib.SMTP("127.0.0.1", c.start().port("smtp")) as s:
        s.sendmail("a@client.example", f"alice@{DOMAIN}", b"Subject: x\r\n\r\nx\r\n")
    c.stop()
    return c.dir / "data" / "blobs" / "00000001"


@pytest.mark.parametrize("which", [lambda c: c.dir / "data" / "ledger.db", last_segment])
def test_check_tells_of_files_that_cannot_be_written(culver, which):
    """A server that has them takes no mail."""
    culver.add_account(f"alice@{DOMAIN}", "alice's secret")
    path = which(culver)
    path.chmod(0o400)
    for words in (["check"], ["serve"]):
        r = culver.command(*words, check=False)
        assert r.returncode == 5 and f"{path.name} has mode 400" in r.stderr and "chmod -R u+rwX" in r.stderr, r
    path.chmod(0o600)
    (culver.dir / "data" / "blobs" / "of-somebody-else").write_bytes(b"x")
    assert culver.command("check").returncode == 0


@pytest.mark.parametrize("how", ["empty", "missing"])
def test_a_ledger_without_a_byte_is_no_new_store(culver, how):
    """A store that has no mail yet has accounts: they are not to be forgotten without a word."""
    culver.add_account(f"alice@{DOMAIN}", "alice's secret")
    ledger = culver.dir / "data" / "ledger.db"
    if how == "empty":
        os.truncate(ledger, 0)
    else:
        ledger.unlink()
    for words, code in ((["check"], 6), (["serve"], 1), (["store", "check"], 6), (["account", "list"], 1)):
        r = culver.command(*words, check=False, timeout=10)
        assert r.returncode == code and "restore a backup" in r.stdout + r.stderr, (words, r)
    assert not ledger.exists() or ledger.stat().st_size == 0


def test_a_password_from_a_file_with_crlf(culver):
    """Nobody could give one with a CR by LOGIN or PASS."""
    culver.add_account(f"alice@{DOMAIN}", "alice's secret\r")
    culver.start()
    p = poplib.POP3("127.0.0.1", culver.port("pop3"), timeout=10)
    p.user(f"alice@{DOMAIN}")
    assert p.pass_("alice's secret").startswith(b"+OK")
    p.quit()


def test_a_chain_in_the_wrong_order_is_told_of(culver):
    """The issuer's certificate first: its key is nobody's business here, and nobody has it."""
    make_certificate(culver, "issuer", ["issuer.example.test"])
    issuer, own = culver.dir / "tls" / "issuer.crt", culver.dir / "tls" / "default.crt"
    own.write_text(issuer.read_text(encoding="utf-8") + own.read_text(encoding="utf-8"), encoding="utf-8")
    issuer.unlink()
    (culver.dir / "keys" / "issuer.key").unlink()
    r = culver.command("check", check=False)
    assert r.returncode == 5 and "the server's own certificate comes first" in r.stderr, r.stderr
    culver.start()
    [state] = wait_for(lambda: [c for c in json.loads(culver.command("status", "--json").stdout)["certificates"]
                                if c["problem"]])
    assert "the server's own certificate comes first" in state["problem"], state


def test_check_misses_keys(culver):
    shutil.rmtree(culver.dir / "keys")
    r = culver.command("check", check=False)
    assert r.returncode == 5 and "no file in keys/ has its private key" in r.stderr, r


def test_check_warns_of_a_certificate_of_tomorrow(culver, tmp_path):
    """Clients refuse it, or the clock is wrong."""
    dated(tmp_path, "early", "20480101000000Z", "20490101000000Z")
    shutil.copy(tmp_path / "early.crt", culver.certificate)
    shutil.copy(tmp_path / "early.key", culver.dir / "keys" / "default.key")
    r = culver.command("check")
    assert "tls/default.crt: it is not valid yet" in r.stderr, r


def test_check_warns_of_a_certificate_without_names(culver):
    """No client looks into its subject any more, and no name that is asked for leads to it."""
    name = ["-x509", "-nodes", "-days", "90", "-subj", "/CN=mail.example.test"]
    for n, more in enumerate(([], ["-addext", "subjectAltName=IP:127.0.0.1"])):
        subprocess.run(["openssl", "req", *name, *NEW_KEY["ec"], "-keyout", culver.dir / "keys" / f"bare{n}.key",
                        "-out", culver.dir / "tls" / f"bare{n}.crt", *more], check=True, capture_output=True)
        r = culver.command("check")
        assert f"tls/bare{n}.crt: it has no DNS name in subjectAltName" in r.stderr, r
    assert "tls/default.crt: it has" not in r.stderr


def directory_at(name):
    def make(c):
        path = c.dir / name
        path.unlink(missing_ok=True)
        path.mkdir()
        return f"{path}: it is a directory"
    make.__name__ = name
    return make


def link_at(name):
    def make(c):
        path = c.dir / "data" / name
        path.rename(c.dir / "elsewhere")
        path.symlink_to(c.dir / "elsewhere")
        return f"{path}: it is a link, and the store follows none below data/"
    make.__name__ = name
    return make


@pytest.mark.parametrize("make", [directory_at("lock"), directory_at("control"), directory_at("data/lock"),
                                  link_at("blobs"), link_at("ledger.db")])
def test_check_finds_what_cannot_be_opened(culver, make):
    """As serve does, which ends for it."""
    said = make(culver)
    r = culver.command("check", check=False)
    assert r.returncode == 5 and said in r.stderr, r
    assert culver.command("serve", check=False, timeout=30).returncode != 0


def test_a_store_behind_a_link_is_one(culver):
    data = culver.dir / "data"
    data.rename(culver.dir / "elsewhere")
    data.symlink_to("elsewhere")
    assert culver.command("check").returncode == 0
    assert DOMAIN in culver.command("domain", "list").stdout


def test_a_file_system_that_is_read_only_is_named(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    try_mount("-t", "tmpfs", "-o", "size=80m,mode=755", "none", tmp_path)
    try:
        c = Culver(directory=tmp_path / "c", accounts=())
        run("mount", "-o", "remount,ro", tmp_path)
        for words in (["serve"], ["store", "check"], ["store", "backup", "/nowhere"], ["account", "list"]):
            r = c.command(*words, check=False)
            assert r.returncode == 1 and "file system that is read-only" in r.stderr and "mount it" in r.stderr, r
    finally:
        run("umount", tmp_path)


def test_an_owner_who_goes_takes_nobody_elses_mail_along(culver):
    """One answer is for all recipients: who asks again hears at RCPT whose mailbox is gone."""
    for name in ("alice", "bob"):
        culver.add_account(f"{name}@{DOMAIN}", f"{name}'s secret")
    culver.start()
    with smtplib.SMTP("127.0.0.1", culver.port("smtp")) as s:
        s.ehlo()

        def begin(*names):
            s.mail("a@client.example")
            return [s.rcpt(f"{name}@{DOMAIN}")[0] for name in names]
        assert begin("alice", "bob") == [250, 250]
        culver.command("account", "remove", f"bob@{DOMAIN}")
        assert s.data(b"Subject: x\r\n\r\nx\r\n")[0] == 451
        assert begin("alice", "bob") == [250, 550]
        assert s.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250
    assert " 1 messages" in culver.command("account", "list").stdout
