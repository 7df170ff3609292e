# SPDX-License-Identifier: Apache-2.0
"""Logins by more than a password, over live connections: SCRAM, EXTERNAL, CRAM-MD5 and APOP, with
real clients and with ones that cheat (hostile-input.md A3, A4, A5, A7, S48, P7)."""
import base64
import hashlib
import hmac
import imaplib
import json
import poplib
import re
import smtplib
import sqlite3
import ssl
import subprocess
import time

import pytest

from harness import PASSWORDS, Culver, wait_for
from scram import Scram

ALICE, BOB = "alice@example.test", "bob@example.test"
SECRET = PASSWORDS["alice"]


def b64(text):
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


class Lines:
    """A connection to one service that speaks lines."""

    def __init__(self, server, service):
        raw = server.connect(service)
        self.socket = server.tls_context().wrap_socket(raw, server_hostname="localhost") \
            if service.endswith("s") else raw
        self.file = self.socket.makefile("rwb")
        self.greeting = self.line()

    def line(self):
        return self.file.readline().decode("utf-8", "replace").rstrip("\r\n")

    def say(self, text):
        self.file.write(text.encode() + b"\r\n")
        self.file.flush()
        return self.line()

    def close(self):
        self.socket.close()


class Smtp(Lines):
    """AUTH, and what comes back: challenges decoded, else the reply."""

    def __init__(self, server):
        super().__init__(server, "submissions")
        self.names = ""
        line = self.say("EHLO x")
        while line[3] == "-":
            if line.startswith("250-AUTH"):
                self.names = line[9:]
            line = self.line()

    def step(self, text):
        line = self.say(text)
        return base64.b64decode(line[4:]) if line.startswith("334") else line

    def scram(self, client, mechanism="SCRAM-SHA-256", **bent):
        answer = self.step(f"AUTH {mechanism} {b64(client.first())}")
        if not isinstance(answer, bytes):
            return answer
        answer = self.step(b64(client.final(answer, **bent)))
        if not isinstance(answer, bytes):
            return answer
        assert client.is_server(answer)
        return self.step("")


def offered(server, name):
    connection = Smtp(server)
    connection.close()
    return name in connection.names.split()


@pytest.fixture(scope="module", name="server")
def make_server():
    with Culver(config="client_certificates = true\nsubmission_plus = true") as c:
        c.command("account", "set", "--legacy-auth", "yes", ALICE)
        c.command("account", "password", "--password-stdin", ALICE, stdin=SECRET + "\n")
        wait_for(lambda: offered(c, "CRAM-MD5") and offered(c, "SCRAM-SHA-256"), 60)
        yield c


@pytest.fixture(name="smtp")
def make_smtp(server):
    connection = Smtp(server)
    yield connection
    connection.close()


def logged_in_still(server):
    with imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.tls_context()) as m:
        m.login(BOB, PASSWORDS["bob"])


# ---- SCRAM ----

@pytest.mark.parametrize("service", ["imap", "smtp"])
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_gsasl(server, service, mechanism):
    """GNU SASL's client, with tls-exporter for -PLUS; and that it notices a wrong password."""
    port = server.port("imap" if service == "imap" else "submission")
    for password, code in ((SECRET, 0), ("wrong", 1)):
        r = subprocess.run(
            ["gsasl", f"--{service}", "--connect", f"127.0.0.1:{port}", "--mechanism", mechanism,
             "--authentication-id", ALICE, "--password", password,
             "--x509-ca-file", str(server.certificate)] +
            (["--no-cb"] if mechanism == "SCRAM-SHA-256" else []),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
        assert r.returncode == code, r.stdout + r.stderr


def test_scram_in_each_protocol(server):
    context = server.tls_context()
    client = Scram(ALICE, SECRET)

    def answer(challenge, steps=iter(range(3))):
        step = next(steps)
        if step == 1:
            return client.final(challenge)
        return client.first() if step == 0 else b""
    with imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=context) as m:
        assert m.authenticate("SCRAM-SHA-256", answer)[0] == "OK"
    pop = Lines(server, "pop3s")
    client = Scram(ALICE, SECRET)
    first = pop.say(f"AUTH SCRAM-SHA-256 {b64(client.first())}")
    final = pop.say(b64(client.final(base64.b64decode(first[2:]))))
    assert client.is_server(base64.b64decode(final[2:]))
    assert pop.say("").startswith("+OK")
    pop.close()


def test_a4_scram_is_bound(server, smtp):
    """What is bent at any place is refused: the flag, the binding, the nonce, the replayed proof."""
    smtp.close()
    cases = [
        (Scram(ALICE, "wrong"), {}, "535"),
        (Scram(ALICE, SECRET, flag="y"), {}, "535"),  # -PLUS was announced: a downgrade
        (Scram(ALICE, SECRET), {"nonce": "fyko+d2lbbFgONRv9qkxdawLx"}, "535"),
        (Scram(ALICE, SECRET), {"cbind": b"y,,"}, "535"),
        (Scram(ALICE, SECRET), {"cbind": b"p=tls-exporter,,x"}, "535"),
        (Scram(ALICE, SECRET, authzid=BOB), {}, "535"),
        (Scram(ALICE, SECRET, authzid=ALICE), {}, "235"),
        (Scram("Alice@Example.TEST", SECRET), {}, "235"),
        (Scram(ALICE, SECRET), {}, "235"),
    ]
    for client, bent, code in cases:
        connection = Smtp(server)
        assert connection.scram(client, **bent).startswith(code), (client.gs2, bent)
        connection.close()
    connection = Smtp(server)
    plus = Scram(ALICE, SECRET, flag="p=tls-exporter", binding=b"x" * 32)
    assert connection.scram(plus, "SCRAM-SHA-256-PLUS").startswith("535")
    plus = Scram(ALICE, SECRET, flag="p=tls-unique", binding=connection.socket.get_channel_binding()
                 or b"x")
    assert connection.scram(plus, "SCRAM-SHA-256-PLUS").startswith("535")
    connection.close()


def test_a4_end_point(server):
    connection = Smtp(server)
    end = hashlib.sha256(connection.socket.getpeercert(binary_form=True)).digest()
    client = Scram(ALICE, SECRET, flag="p=tls-server-end-point", binding=end)
    assert connection.scram(client, "SCRAM-SHA-256-PLUS").startswith("235")
    connection.close()


def test_a1_nobody_looks_like_somebody(server):
    """The first answer has the same form, and is the same salt at every try, however it is spelt."""
    salts = {}
    for name in (ALICE, "nobody@example.test", "NOBODY@example.test", "nobody2@example.test"):
        for _ in range(2):
            connection = Smtp(server)
            client = Scram(name, "x")
            assert connection.scram(client).startswith("535 ")
            salts.setdefault(name.lower(), set()).add(client.fields["s"])
            assert client.fields["i"] == "16384" and len(client.fields["s"]) == 24
            connection.close()
    assert [len(s) for s in salts.values()] == [1, 1, 1]
    assert len(set.union(*salts.values())) == 3


def test_verifier_is_made_at_the_first_login():
    """An account of an older store has none: SCRAM is not announced before it has one."""
    with Culver(accounts=("alice",)) as c:
        wait_for(lambda: offered(c, "SCRAM-SHA-256"), 60)
        c.stop()
        db = sqlite3.connect(c.dir / "data" / "ledger.db")
        db.execute("DELETE FROM secrets WHERE kind=2")
        db.commit()
        db.close()
        c.start()
        assert not offered(c, "SCRAM-SHA-256")
        connection = Smtp(c)
        assert connection.scram(Scram(ALICE, SECRET)).startswith("535")
        plain = b64(f"\0{ALICE}\0{SECRET}")
        assert connection.say(f"AUTH PLAIN {plain}").startswith("235")
        connection.close()
        wait_for(lambda: offered(c, "SCRAM-SHA-256"), 60)
        connection = Smtp(c)
        assert connection.scram(Scram(ALICE, SECRET)).startswith("235")
        connection.close()


# ---- CRAM-MD5 and APOP ----

def test_cram_md5_and_apop(server):
    context = server.tls_context()
    for password, good in ((SECRET, True), ("wrong", False)):
        with imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=context) as m:
            if good:
                assert m.login_cram_md5(ALICE, password)[0] == "OK"
            else:
                with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                    m.login_cram_md5(ALICE, password)
        with smtplib.SMTP_SSL("127.0.0.1", server.port("submissions"), context=context) as s:
            s.ehlo()
            for initial in ("=", b64("x")):  # RFC 4954 4: where the server begins
                code, text = s.docmd("AUTH", f"CRAM-MD5 {initial}")
                assert (code, text[:6]) == (501, b"5.7.0 "), (initial, text)
            s.user, s.password = ALICE, password
            if good:
                assert s.auth("CRAM-MD5", s.auth_cram_md5)[0] == 235
            else:
                with pytest.raises(smtplib.SMTPAuthenticationError):
                    s.auth("CRAM-MD5", s.auth_cram_md5)
        p = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=context)
        if good:
            assert p.apop(ALICE, password).startswith(b"+OK")
        else:
            with pytest.raises(poplib.error_proto, match=r"-ERR \[AUTH\]"):
                p.apop(ALICE, password)
        p.close()


def test_one_spelling_is_as_good_as_another(server):
    """SASLprep for every mechanism, not for SCRAM alone (RFC 4616 2, RFC 6856 2.2): who has typed
    U+2168 and a decomposed letter gets in with "IX" and the letter in one piece, and the other way
    round; a client that makes a digest prepares the password first."""
    typed, prepared = "\u2168-pa\u0308ss99", "IX-p\u00e4ss99"
    for when_set in (typed, prepared):
        server.command("account", "password", "--password-stdin", ALICE, stdin=when_set + "\n")
        for password in (typed, prepared):
            smtp = Smtp(server)
            assert smtp.step("AUTH PLAIN " + b64(f"\0{ALICE}\0{password}")).startswith("235")
            smtp.close()
            p = Lines(server, "pop3s")
            assert p.say("USER " + ALICE).startswith("+OK")
            assert p.say("PASS " + password).startswith("+OK")
            p.say("QUIT")
            p.close()
        p = Lines(server, "pop3s")
        stamp = re.search("<.*>", p.greeting)[0]
        digest = hashlib.md5((stamp + prepared).encode()).hexdigest()
        assert p.say(f"APOP {ALICE} {digest}").startswith("+OK")
        p.say("QUIT")
        p.close()
        smtp = Smtp(server)
        challenge = smtp.step("AUTH CRAM-MD5")
        digest = hmac.new(prepared.encode(), challenge, "md5").hexdigest()
        assert smtp.step(b64(f"{ALICE} {digest}")).startswith("235")
        smtp.close()
        smtp = Smtp(server)
        assert smtp.scram(Scram(ALICE, prepared)).startswith("235")
        smtp.close()
    server.command("account", "password", "--password-stdin", ALICE, stdin=SECRET + "\n")


def test_swaks_cram_md5(server):
    r = subprocess.run(["swaks", "--server", "127.0.0.1", "--port", str(server.port("submissions")),
                        "--tls-on-connect", "--auth", "CRAM-MD5", "--auth-user", ALICE,
                        "--auth-password", SECRET, "--quit-after", "AUTH"],
                       capture_output=True, text=True, timeout=30, check=False)
    assert r.returncode == 0, r.stdout + r.stderr


def test_p7_apop_is_for_those_who_ask(server):
    """Who has not opted in is answered as nobody is; the timestamp is new each time."""
    context = server.tls_context()
    texts, stamps = set(), set()
    for user in (BOB, "nobody@example.test"):
        p = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=context)
        stamps.add(p.getwelcome())
        with pytest.raises(poplib.error_proto) as e:
            p.apop(user, PASSWORDS["bob"])
        texts.add(str(e.value))
        p.close()
    assert len(texts) == 1 and len(stamps) == 2
    pop = Lines(server, "pop3s")
    for words in ("APOP", "APOP alice", "APOP alice xyz", f"APOP {ALICE} {'0' * 31}",
                  f"APOP {ALICE} {'0' * 33}", "APOP " + "x" * 400 + " " + "0" * 32):
        assert pop.say(words).startswith("-ERR"), words
    for cancelled in ("AUTH CRAM-MD5", "AUTH SCRAM-SHA-256", "AUTH PLAIN"):
        assert pop.say(cancelled).startswith("+ ")
        assert pop.say("*").startswith("-ERR")
    pop.close()
    logged_in_still(server)


def test_opting_in_and_out_and_restart():
    """A restart keeps what is sealed (the master key is a file); opting out forgets it."""
    with Culver(accounts=("alice",)) as c:
        assert not offered(c, "CRAM-MD5")
        assert "<" not in Lines(c, "pop3s").greeting
        c.command("account", "set", "--legacy-auth", "yes", ALICE)
        connection = Smtp(c)  # the password is sealed at the first login that shows it
        assert connection.say("AUTH PLAIN " + b64(f"\0{ALICE}\0{SECRET}")).startswith("235")
        connection.close()
        wait_for(lambda: offered(c, "CRAM-MD5"), 60)
        c.stop()
        c.start()
        wait_for(lambda: offered(c, "CRAM-MD5"), 60)
        p = poplib.POP3_SSL("127.0.0.1", c.port("pop3s"), context=c.tls_context())
        assert p.apop(ALICE, SECRET).startswith(b"+OK")
        p.quit()
        c.command("account", "set", "--legacy-auth", "no", ALICE)
        wait_for(lambda: not offered(c, "CRAM-MD5"), 60)
        assert Smtp(c).say("AUTH CRAM-MD5").startswith("504")


# ---- EXTERNAL ----

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def openssl(folder, *words):
    subprocess.run(["openssl", *(str(w) for w in words)], cwd=folder, capture_output=True, check=True)


def signed(folder, name, by, extensions):
    """NAME.key and NAME.crt that BY.key has signed, as BY."""
    (folder / "extensions").write_text(extensions, encoding="utf-8")
    openssl(folder, "req", "-new", *EC, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "request")
    openssl(folder, "x509", "-req", "-in", "request", "-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-days", "30",
            "-CAcreateserial", "-extfile", "extensions", "-out", f"{name}.crt")


def shown(server, folder, name, chain):
    """What becomes of somebody with alice's key, or another's, who shows a chain behind it."""
    (folder / "shown.crt").write_bytes(b"".join((folder / f"{one}.crt").read_bytes() for one in (name, *chain)))
    (folder / "shown.key").write_bytes((folder / f"{name}.key").read_bytes())
    begun = time.monotonic()
    with external(server, folder, "shown") as s:
        s.ehlo()
        code = s.docmd("AUTH", "EXTERNAL =")[0]
    assert time.monotonic() - begun < 5
    return code


def test_t9_chains_of_clients(server, certificates, tmp_path):
    """Two that have signed each other, name constraints in Punycode over a name in UTF-8 (CVE-2022-3602): nothing of it
    is looked at, so none of it counts. Depth 100 and 1 MiB are beyond LIMIT_HANDSHAKE_BYTES: nothing is taken."""
    fronts = {role: pid for role, pid in server.roles().items() if role.startswith("front")}
    folder = tmp_path
    for file in certificates.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    openssl(folder, "req", "-x509", *EC, "-nodes", "-subj", "/CN=t9", "-days", "30", "-keyout", "t9.key", "-out", "t9.crt")
    server.command("account", "certificate", "add", "--label", "t9", ALICE, folder / "t9.crt")
    assert shown(server, folder, "t9", []) == 235
    assert shown(server, folder, "t9", ["other"] * 20) == 235
    for name in ("a", "b"):  # each is the other's issuer
        openssl(folder, "req", "-x509", *EC, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.crt")
    for name, by in (("a", "b"), ("b", "a")):
        openssl(folder, "req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", "request")
        openssl(folder, "x509", "-req", "-in", "request", "-CA", f"{by}.crt", "-CAkey", f"{by}.key", "-days", "30",
                "-CAcreateserial", "-out", f"{name}-by-{by}.crt")
    signed(folder, "leaf", "a", "basicConstraints=CA:FALSE\n")
    assert shown(server, folder, "leaf", ["a-by-b", "b-by-a"] * 8) == 535
    assert shown(server, folder, "t9", ["a-by-b", "b-by-a"] * 8) == 235
    openssl(folder, "req", "-x509", *EC, "-nodes", "-subj", "/CN=idna", "-keyout", "idna.key", "-out", "idna.crt",
            "-addext", f"nameConstraints=permitted;email:.xn--{'a' * 50}-{'9' * 500}.example")
    signed(folder, "utf8", "idna", "subjectAltName=@names\n[names]\n"
           "otherName.1=1.3.6.1.5.5.7.8.9;FORMAT:UTF8,UTF8String:x@b\u00fccher.example\n")
    assert shown(server, folder, "utf8", ["idna"]) == 535
    size = len(ssl.PEM_cert_to_DER_cert((folder / "other.crt").read_text()))
    for depth in (100, (1 << 20) // size):  # it is cut off in the handshake; nobody else hears of it
        with pytest.raises((OSError, smtplib.SMTPException)):
            shown(server, folder, "t9", ["other"] * depth)
        assert shown(server, folder, "t9", []) == 235
    assert {r: p for r, p in server.roles().items() if r.startswith("front")} == fronts
    [number] = [c["id"] for c in json.loads(server.command("account", "certificate", "list", "--json", ALICE).stdout)
                if c["label"] == "t9"]
    server.command("account", "certificate", "remove", ALICE, str(number))


@pytest.fixture(scope="module", name="certificates")
def make_certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("alice", "other"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-days", "30",
                        "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt"],
                       capture_output=True, check=True)
    return folder


def external(server, folder, name):
    context = server.tls_context()
    if name:
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    return smtplib.SMTP_SSL("127.0.0.1", server.port("submissions"), context=context)


def test_nobody_acts_for_another(server):
    """RFC 5530 3: AUTHORIZATIONFAILED is for who is who he says, and wants to be another; it says so of no wrong password."""
    for authzid, password, code in ((BOB, SECRET, "AUTHORIZATIONFAILED"), ("nobody", SECRET, "AUTHORIZATIONFAILED"),
                                    (BOB, "wrong", "AUTHENTICATIONFAILED"), (ALICE, SECRET, "CAPABILITY")):
        imap = Lines(server, "imaps")
        said = imap.say("a AUTHENTICATE PLAIN " + b64(f"{authzid}\0{ALICE}\0{password}"))
        assert f"[{code}" in said, (authzid, said)
        imap.close()
        smtp = Smtp(server)
        said = smtp.say("AUTH PLAIN " + b64(f"{authzid}\0{ALICE}\0{password}"))
        assert said.startswith("235" if code == "CAPABILITY" else "535"), (authzid, said)
        smtp.close()


def test_external(server, certificates):
    server.command("account", "certificate", "add", "--label", "laptop", ALICE,
                   certificates / "alice.crt")
    r = server.command("account", "certificate", "add", BOB, certificates / "alice.crt",
                       check=False)
    assert r.returncode == 4  # it is alice's
    cases = [("alice", "=", 235), ("alice", b64(ALICE), 235), ("alice", b64(BOB), 535),
             ("alice", b64("a\0b"), 501), ("other", "=", 535), ("other", b64(ALICE), 535)]
    for name, initial, code in cases:
        with external(server, certificates, name) as s:
            s.ehlo()
            assert "EXTERNAL" in s.esmtp_features["auth"]
            assert s.docmd("AUTH", f"EXTERNAL {initial}")[0] == code, (name, initial)
    with external(server, certificates, None) as s:
        s.ehlo()
        assert "EXTERNAL" not in s.esmtp_features["auth"]
        assert s.docmd("AUTH", "EXTERNAL =")[0] == 504
    listed = server.command("account", "certificate", "list", ALICE).stdout
    assert "laptop" in listed and "never" not in listed
    # each of the two commands has numbers of its own kind alone
    server.command("account", "app-password", "add", ALICE)
    other = json.loads(server.command("account", "app-password", "list", "--json", ALICE).stdout)[0]["id"]
    assert server.command("account", "certificate", "remove", ALICE, str(other), check=False).returncode == 3
    [one] = json.loads(server.command("account", "certificate", "list", "--json", ALICE).stdout)
    assert re.fullmatch("[0-9a-f]{64}", one["sha256"]) and one["created_ms"] and one["label"] == "laptop"
    number = listed.split()[0]
    removed = server.command("account", "certificate", "remove", "--json", ALICE, number).stdout
    assert json.loads(removed) == {"id": int(number), "done": "removed"}
    with external(server, certificates, "alice") as s:
        s.ehlo()
        assert s.docmd("AUTH", "EXTERNAL =")[0] == 535


def dated(folder, name, start, end):
    """NAME.crt and NAME.key, valid from start to end."""
    (folder / "ca.conf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\n"
                                    f"new_certs_dir={folder}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    (folder / "index").write_text("")
    (folder / "serial").write_text("01\n")
    openssl(folder, "req", "-new", *EC, "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", "request")
    openssl(folder, "ca", "-batch", "-selfsign", "-keyfile", f"{name}.key", "-config", "ca.conf", "-in", "request",
            "-startdate", start, "-enddate", end, "-notext", "-out", f"{name}.crt")


def test_external_looks_at_dates(server, tmp_path):
    """RFC 5280 6.1.3 (a)(2): a certificate outside of its dates is none, and who registers one is told."""
    for name, end, said in (("expired", "20210101000000Z", "expired.crt has expired"), ("good", "20490101000000Z", ""),
                            ("early", "20490101000000Z", "early.crt is not valid yet")):
        dated(tmp_path, name, "20480101000000Z" if name == "early" else "20200101000000Z", end)
        r = server.command("account", "certificate", "add", "--label", name, ALICE, tmp_path / f"{name}.crt")
        assert said in r.stderr if said else r.stderr == ""
        with external(server, tmp_path, name) as s:
            s.ehlo()
            assert ("EXTERNAL" in s.esmtp_features["auth"]) == (name == "good")
            assert s.docmd("AUTH", "EXTERNAL =")[0] == (235 if name == "good" else 504), name


@pytest.mark.parametrize("kind", ["ed25519", "rsa:1024", "P-521"])
def test_external_takes_no_certificate_that_tls_would_not(server, tmp_path, kind):
    """It would let nobody in, without a word: the handshake does not ask for such a signature, or fails."""
    key = ["ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"] if kind[0] == "P" else [kind]
    subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-subj", "/CN=odd", "-days", "30",
                    "-keyout", tmp_path / "odd.key", "-out", tmp_path / "odd.crt"], capture_output=True, check=True)
    r = server.command("account", "certificate", "add", ALICE, tmp_path / "odd.crt", check=False)
    assert r.returncode == 1 and "must be RSA of 2048 bits or more, P-256 or P-384" in r.stderr, r
    assert "odd" not in server.command("account", "certificate", "list", ALICE).stdout


def test_external_is_of_one_certificate(server, tmp_path):
    """Not of its key: another certificate of the same key is another."""
    openssl(tmp_path, "req", "-x509", *EC, "-nodes", "-subj", "/CN=one", "-days", "30", "-keyout", "one.key", "-out", "one.crt")
    openssl(tmp_path, "req", "-x509", "-key", "one.key", "-subj", "/CN=two", "-days", "30", "-out", "two.crt")
    (tmp_path / "two.key").write_bytes((tmp_path / "one.key").read_bytes())
    server.command("account", "certificate", "add", "--label", "one", ALICE, tmp_path / "one.crt")
    assert [shown(server, tmp_path, name, []) for name in ("one", "two")] == [235, 535]


# ---- what is logged ----

def fail(server, service, mechanism, name):
    """A login by that name that fails; without TLS, whose handshakes have little time beside other tests."""
    connection = Lines(server, service)
    begin = "a AUTHENTICATE" if service == "imap" else "AUTH"
    if service == "submission":
        connection.say("EHLO x")
        while connection.line()[3] == "-":
            pass
    client = Scram(name, "wrong")
    first = {"PLAIN": f"\0{name}\0wrong", "SCRAM-SHA-256": client.first(), "EXTERNAL": name}.get(mechanism)
    line = connection.say(f"{begin} {mechanism}" + (f" {b64(first)}" if first else ""))
    if mechanism == "LOGIN":
        connection.say(b64(name))
        line = connection.say(b64("wrong"))
    elif mechanism == "CRAM-MD5":
        line = connection.say(b64(f"{name} {'0' * 32}"))
    elif mechanism == "SCRAM-SHA-256":
        line = connection.say(b64(client.final(base64.b64decode(line.split()[1]))))
    connection.close()
    assert line.split()[0] == "535" or "[AUTH" in line, (service, mechanism, line)


@pytest.mark.parametrize("service", ["submission", "imap", "pop3"])
def test_failed_logins_are_logged_with_name_and_address(server, service):
    """One form for all, for programs that ban addresses; what the stranger calls himself stays one value."""
    for mechanism in ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"):
        plain = f"{mechanism.lower()}@{service}.test"
        for name, user in ((plain, plain), (f'a=2C,"{mechanism} peer=192.0.2.1', f'a=2C,\\x22{mechanism} peer=192.0.2.1'),
                           (BOB, BOB)):
            before = len(server.events("login-failed"))
            fail(server, service, mechanism, name)

            def said():  # a line of a test before this one may still have been on its way
                return [e for e in server.events("login-failed")[before:]
                        if e["user"] == user]  # pylint: disable=cell-var-from-loop
            wait_for(said)
            [e] = said()
            assert (e["service"], e["peer"], e["level"]) == (service, "127.0.0.1", "warn"), e
    p = poplib.POP3("127.0.0.1", server.port("pop3"))
    with pytest.raises(poplib.error_proto):
        p.apop("apop@x.test", "wrong")
    p.close()
    wait_for(lambda: server.events("login-failed")[-1]["user"] == "apop@x.test")
    # Who gets in is told by the account's name, in the same form.
    def by_front():
        return [e for e in server.events("login") if e["role"] == "front-user"]
    before = len(by_front())
    with imaplib.IMAP4("127.0.0.1", server.port("imap")) as m:
        m.login_cram_md5(ALICE.upper(), SECRET)
    wait_for(lambda: len(by_front()) > before)
    e = by_front()[-1]
    assert (e["service"], e["peer"], e["user"], e["answer"]) == ("imap", "127.0.0.1", ALICE, "ok")


def test_external_is_logged_with_the_name_asked_for(server, certificates):
    with external(server, certificates, "other") as s:
        s.ehlo()
        assert s.docmd("AUTH", f"EXTERNAL {b64(ALICE)}")[0] == 535
    wait_for(lambda: server.events("login-failed")[-1]["user"] == ALICE)


# ---- hostile ----

def test_a7_every_step_is_aborted(server):
    """Closed, cancelled, empty, over-long and senseless at each step of each mechanism."""
    first = b64(Scram(ALICE, SECRET).first())
    begins = ["AUTH SCRAM-SHA-256", f"AUTH SCRAM-SHA-256 {first}", "AUTH CRAM-MD5", "AUTH PLAIN",
              "AUTH LOGIN"]
    blobs = ["*", "", "=", "====", "!", "A" * 11, b64(b"\0" * 8), b64("TlRMTVNTUAAB" * 20),
             b64(b"\xff" * 1500), b64("x" * 2049), b64("n,,n=,r="), b64("c=,r=,p=")]
    for begin in begins:
        for blob in blobs:
            connection = Smtp(server)
            assert connection.say(begin).startswith("334")
            answer = connection.say(blob)
            assert answer[:3] in ("334", "501", "535") or answer.startswith("500 5.5.6"), (begin, blob, answer)
            connection.close()
        connection = Smtp(server)
        connection.say(begin)
        connection.close()
    logged_in_still(server)


def test_s48_initial_responses(server):
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "CRAM-MD5", "PLAIN", "LOGIN"):
        for initial in ("=", "A", "====", "n,,n=a,r=b", b64("a\0b\0c\0d"), "A" * 1900):
            connection = Smtp(server)
            answer = connection.say(f"AUTH {mechanism} {initial}")
            assert answer[:3] in ("334", "501", "535"), (mechanism, initial, answer)
            connection.close()
    connection = Smtp(server)
    connection.file.write(b"AUTH SCRAM-SHA-256 " + b"A" * (1 << 20) + b"\r\n")
    connection.file.flush()
    assert connection.line()[:3] in ("500", "501", "421")
    connection.close()
    logged_in_still(server)


@pytest.mark.parametrize("name", ["%u", "%{user}", "a\r\nb", "*", '"', "\\", "(", "a\tb", "' OR 1",
                                  "../alice", "alice@example.test\u2028", "a=b,c"])
def test_a5_names_are_data(server, name):
    connection = Smtp(server)
    assert connection.scram(Scram(name, SECRET))[:3] in ("535", "501")
    connection.close()
    connection = Smtp(server)
    assert connection.step("AUTH CRAM-MD5")
    assert connection.say(b64(f"{name} {'0' * 32}"))[:3] in ("535", "501")
    connection.close()


def test_exchanges_of_an_address_are_bounded(server):
    """LIMIT_GATE_EXCHANGES_ADDRESS begun at once and left open; others of them end when cancelled."""
    first = b64(Scram(ALICE, SECRET).first())
    held = []
    for _ in range(64):
        connection = Smtp(server)
        held.append(connection)
        assert connection.say(f"AUTH SCRAM-SHA-256 {first}").startswith("334")
    late = Smtp(server)
    assert late.say(f"AUTH SCRAM-SHA-256 {first}").startswith("454")
    assert held[0].say("*").startswith("501")

    def taken():
        return late.scram(Scram(ALICE, SECRET)).startswith("235")
    assert wait_for(taken, 30)
    for connection in held + [late]:
        connection.close()
    logged_in_still(server)


def test_a_password_that_is_no_utf8_is_wrong_everywhere(tmp_path):
    """RFC 6856 2.2, RFC 4616 2. An older Culver, or another system, may have made a verifier of one."""
    latin, verifier = b"latin\xe4 1", "$5$saltstring$5E/KvRn9sph.4YI.1a9jD3vs/cxMRfDfmioK9xZUp78"
    with Culver(directory=tmp_path / "c", accounts=("alice",)) as c:
        r = subprocess.run([c.binary, "account", "password", "-c", str(c.conf), "--password-stdin", ALICE], input=latin + b"\n",
                           capture_output=True, check=False)
        assert r.returncode == 2 and b"bytes of UTF-8" in r.stderr, r.stderr
        c.stop()
        db = sqlite3.connect(c.dir / "data" / "ledger.db")
        assert db.execute("UPDATE secrets SET value = ? WHERE kind = 1", (verifier.encode(),)).rowcount == 1
        db.commit()
        db.close()
        c.start()
        response = b"\0" + ALICE.encode() + b"\0" + latin
        m = imaplib.IMAP4("127.0.0.1", c.port("imap"))
        m.literal = latin  # what follows the command; in a quoted string it would be BAD
        kind, [said] = m._simple_command("LOGIN", ALICE)
        assert kind == "NO" and said.startswith(b"[AUTHENTICATIONFAILED]"), said
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            m.authenticate("PLAIN", lambda _: response)
        m.shutdown()
        p = poplib.POP3("127.0.0.1", c.port("pop3"))
        for line in (b"PASS " + latin, b"AUTH PLAIN " + b64(response).encode()):
            p.user(ALICE)
            p._putline(line)  # a str would be UTF-8
            with pytest.raises(poplib.error_proto, match="wrong name or password"):
                p._getresp()
        p.close()
        with smtplib.SMTP("127.0.0.1", c.port("submission")) as s:
            s.ehlo("client.test")
            assert s.docmd("AUTH", "PLAIN " + b64(response))[0] == 535
