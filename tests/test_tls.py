# SPDX-License-Identifier: Apache-2.0
"""TLS as it is meant to be: certificates by server name and by what the client can verify, reload,
resumption, and what real clients see."""
import json
import signal
import ssl
import subprocess
import threading

import pytest

from harness import DOMAIN, Culver, wait_for
from tls import (HOST, context, cpu_us, handshake, is_root, make_certificate, reload, s_client, session_of,
                 shown)

BOB = f"bob@{DOMAIN}"


@pytest.fixture(scope="module")
def server():
    """default: EC for mail.example.test; default-rsa: RSA for the same; b, and a wildcard."""
    c = Culver()
    try:
        c.certificates = {"default": None}
        for name, hosts, kind in (("default", [HOST, "localhost"], "ec"), ("default-rsa", [HOST], "rsa"),
                                  ("b", ["b.example"], "ec"), ("wild", ["*.wild.example"], "ec"),
                                  ("exact", ["mail.wild.example"], "ec")):
            c.certificates[name] = make_certificate(c, name, hosts, kind)
        c.start()
        yield c
    finally:
        c.close()


# ---- certificates ----

def test_a_certificate_for_each_name(server):
    c = server
    for host, name in ((HOST, "default"), ("b.example", "b"), ("B.Example", "b"), ("x.wild.example", "wild"),
                       ("mail.wild.example", "exact"), ("a.b.wild.example", "default"), (None, "default"),
                       ("wild.example", "default"), ("unknown.example", "default")):
        for service in ("imaps", "submissions", "pop3s"):
            assert shown(c, host, service) == c.certificates[name], (host, service)


def test_the_clients_signature_algorithms_choose_the_key(server):
    c = server
    for version in ("-tls1_2", "-tls1_3"):
        out = s_client(c, version, "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256", stdin=b"a LOGOUT\r\n")
        assert "Peer signature type: RSA" in out, out
        out = s_client(c, version, "-sigalgs", "ECDSA+SHA256", stdin=b"a LOGOUT\r\n")
        assert "Peer signature type: ECDSA" in out, out
    out = s_client(c, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", stdin=b"a LOGOUT\r\n")
    assert "Cipher is ECDHE-RSA-AES128-GCM-SHA256" in out


def test_unknown_names_are_refused_when_configured():
    with Culver(config='unknown_server_name = "refuse"') as c:
        assert shown(c, HOST) and shown(c, None)
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            shown(c, "unknown.example")
        out = s_client(c, "-starttls", "smtp", service="smtp", host="unknown.example", stdin=b"QUIT\r\n")
        assert "Verification" in out and "alert" not in out  # RFC 7672 8.1: SMTP servers must go on
        out = s_client(c, "-starttls", "smtp", service="submission", host="unknown.example")
        assert "unrecognized name" in out


def test_real_clients(server):
    c = server
    ca = c.dir / "tls" / "default.crt"
    r = subprocess.run(["curl", "-sS", "--cacert", ca, f"imaps://localhost:{c.port('imaps')}/", "-u",
                        f"{BOB}:{c.password('bob')}"], capture_output=True, text=True, check=True, timeout=30)
    assert "INBOX" in r.stdout
    r = subprocess.run(["curl", "-sS", "--cacert", ca, "--ssl-reqd", f"pop3://localhost:{c.port('pop3')}/", "-u",
                        f"{BOB}:{c.password('bob')}"], capture_output=True, text=True, check=True, timeout=30)
    with ssl.create_default_context(cafile=str(ca)).wrap_socket(c.connect("imaps"), server_hostname=HOST) as s:
        assert s.version() == "TLSv1.3" and s.recv(100).startswith(b"* OK")


# ---- reload ----

def comes(c, certificate):
    """Waits for it: `reloaded` is said when the fronts have been told, not when they have done it."""
    def is_shown():
        try:
            return shown(c) == certificate
        except OSError:
            return False
    wait_for(is_shown, 10, 0.02)

def test_reload_brings_new_certificates_and_sessions_go_on(server):
    c = server
    with handshake(c) as old:
        old.recv(4096)
        fresh = make_certificate(c, "default", [HOST, "localhost"])
        extra = make_certificate(c, "extra", ["extra.example"], "rsa")
        reload(c)
        comes(c, fresh)
        assert shown(c, "extra.example") == extra
        assert shown(c, "b.example") == c.certificates["b"]
        old.sendall(b"a NOOP\r\n")
        assert old.recv(4096).startswith(b"a OK")
    c.certificates["default"] = fresh


def broken_text(c, name):
    (c.dir / "tls" / f"{name}.crt").write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")


def no_key(c, name):
    (c.dir / "keys" / f"{name}.key").unlink()


def broken_key(c, name):
    (c.dir / "keys" / f"{name}.key").write_text("nonsense")


def foreign_key(c, name):
    make_certificate(c, "other", ["other.example"])
    (c.dir / "keys" / "other.key").rename(c.dir / "keys" / f"{name}.key")
    (c.dir / "tls" / "other.crt").unlink()


def a_directory(c, name):
    (c.dir / "tls" / f"{name}.crt").unlink()
    (c.dir / "tls" / f"{name}.crt").mkdir()


def none_left(c, name):
    (c.dir / "tls" / f"{name}.crt").unlink()


@pytest.mark.parametrize("breaks", [broken_text, no_key, broken_key, foreign_key, a_directory, none_left])
def test_x8_what_is_broken_keeps_the_old_and_is_reported(breaks):
    with Culver() as c:
        first = shown(c)
        make_certificate(c, "default", [HOST])
        breaks(c, "default")
        why = reload(c, "reload-refused")["why"]
        for _ in range(3):
            assert shown(c) == first, why
        status = c.command("status").stdout
        assert ("REFUSED" in status) == (breaks is not none_left), status
        # A front that comes back has the old ones too: their files are gone.
        pid = c.kill_role("front-user", signal.SIGKILL)
        wait_for(lambda: c.roles().get("front-user", pid) != pid, 10)
        comes(c, first)
        (c.dir / "keys" / "default.key").unlink(missing_ok=True)
        if breaks is a_directory:
            (c.dir / "tls" / "default.crt").rmdir()
        fresh = make_certificate(c, "default", [HOST])
        reload(c)
        comes(c, fresh)
        # The other front may still have to say so.
        wait_for(lambda: "REFUSED" not in c.command("status").stdout, 10, 0.05)


class Handshakes:
    """Handshakes as fast as they go, in threads; counts what fails."""

    def __init__(self, c, threads=3):
        self.c, self.stop, self.done, self.failed = c, False, 0, []
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for t in self.threads:
            t.start()

    def run(self):
        services = ("imaps", "pop3s", "submissions")
        while not self.stop:
            try:
                with handshake(self.c, services[self.done % 3]):
                    self.done += 1
            except OSError as e:
                self.failed.append(repr(e))

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join(20)


def test_no_handshake_fails_while_it_reloads(server):
    c = server
    load = Handshakes(c)
    try:
        for _ in range(3):
            wait_for(lambda n=load.done: load.done > n + 20, 30)
            fresh = make_certificate(c, "default", [HOST, "localhost"])
            reload(c)
            comes(c, fresh)
            # The one before ends in its own time; a reload before that ends it at once.
            wait_for(lambda n=load.done: load.done > n + 20, 30)
    finally:
        load.end()
    print(f"\nhandshakes during three reloads: {load.done}, failed: {len(load.failed)}")
    assert load.failed == [] and load.done > 120
    c.certificates["default"] = fresh


def test_reloads_on_top_of_each_other(culver):
    c = culver
    for _ in range(5):
        c.process.send_signal(signal.SIGHUP)
    fresh = make_certificate(c, "default", [HOST])
    c.process.send_signal(signal.SIGHUP)
    comes(c, fresh)


# ---- status ----

def test_the_end_of_certificates_is_told():
    """Days that are left are rounded down: LIMIT_EXPIRY_WARN_DAYS is 14."""
    c = Culver()
    try:
        make_certificate(c, "default", [HOST], days=90)
        make_certificate(c, "short", ["short.example"], days=5)
        make_certificate(c, "14-less", ["a.example"], days=14)
        make_certificate(c, "15-less", ["b.example"], days=15)
        c.start()
        wait_for(lambda: len(c.events("certificate-expires")) >= 2, 20)
        wait_for(lambda: [(e["name"], e["days"]) for e in c.events("certificate-expires")] == [("14-less", "13"), ("short", "4")])
        out = c.command("status").stdout
        assert "certificate short until " in out and "EXPIRES IN 4 DAYS" in out and "for short.example" in out
        import json
        listed = json.loads(c.command("status", "--json").stdout)["certificates"]
        assert [(x["name"], x["hosts"], x["problem"]) for x in listed] == [
            ("default", HOST, ""), ("14-less", "a.example", ""), ("15-less", "b.example", ""),
            ("short", "short.example", "")]
        assert abs(listed[0]["expires_s"] - listed[3]["expires_s"] - 85 * 86400) < 60
    finally:
        c.close()


# ---- resumption ----

def resumed(c, session, service="imaps", host=HOST, x=None):
    with handshake(c, service, host, x, session) as s:
        s.recv(100)
        return s.session_reused


def test_s_client_resumes(server, tmp_path):
    file = tmp_path / "session"
    out = s_client(server, "-sess_out", file, "-ign_eof", stdin=b"a LOGOUT\r\n")
    assert "New, TLSv1.3" in out
    out = s_client(server, "-sess_in", file, "-ign_eof", stdin=b"a LOGOUT\r\n")
    assert "Reused, TLSv1.3" in out
    assert "Max Early Data" not in out or "Max Early Data: 0" in out
    out = s_client(server, "-tls1_2", "-reconnect", stdin=b"")
    assert out.count("New, TLSv1.2") == 6 and "Reused" not in out  # TLS 1.3 alone


def full_and_resumed(c, n=20, rounds=5):
    """CPU of front and keys for a handshake of each kind, in us: the least of several rounds, since
    what else runs on the machine only adds."""
    x = context()
    session = session_of(c, x)
    # Of the keys of an earlier reload, which may be about to go, status says nothing.
    roles = {r["role"]: r["pid"] for r in json.loads(c.command("status", "--json").stdout)["roles"]}
    pids = [roles[r] for r in ("front-user", "keys")]
    spent = [1e9, 1e9]
    for i in range(2 * rounds):
        s = session if i % 2 else None
        before = sum(map(cpu_us, pids))
        for _ in range(n):
            assert resumed(c, s, x=x) == (s is not None)
        spent[i % 2] = min(spent[i % 2], (sum(map(cpu_us, pids)) - before) / n)
    return spent


def test_resumption_costs_less(server):
    """A handshake with the RSA key, as many servers have, and one with EC, whose signatures are cheap."""
    c = Culver()
    try:
        make_certificate(c, "default", [HOST], "rsa")
        c.start()
        rsa = full_and_resumed(c)
    finally:
        c.close()
    ec = full_and_resumed(server)
    print(f"\nCPU of a connection: RSA full {rsa[0]:.0f} us, resumed {rsa[1]:.0f} us; "
          f"EC full {ec[0]:.0f} us, resumed {ec[1]:.0f} us")
    assert rsa[1] * 1.3 < rsa[0] and ec[1] < ec[0]


def pss_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Pss:"))


@pytest.mark.skipif(not is_root(), reason="needs root to read another user's memory")
def test_tickets_keep_no_memory():
    """An idle TLS 1.3 session, which has been given tickets, against one of TLS 1.2, which has none."""
    kib = {}
    for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
        with Culver() as c:
            pid, x = c.roles()["front-user"], context(version=version)
            held = [handshake(c, x=x) for _ in range(20)]  # what stays for the next is not counted
            before = pss_kib(pid)
            held += [handshake(c, x=x) for _ in range(200)]
            for s in held:
                s.recv(200)
            kib[version.name] = (pss_kib(pid) - before) / 200
            for s in held:
                s.close()
    print("\nmemory of an idle session:", {k: f"{v:.1f} KiB" for k, v in kib.items()})
    assert kib["TLSv1_3"] < 1.5 * kib["TLSv1_2"]


def test_resumption_goes_on_after_keys_has_been_replaced(culver):
    c = culver
    x = context()
    session = session_of(c, x)
    pid = c.kill_role("keys")
    wait_for(lambda: c.roles().get("keys", pid) != pid, 10)
    assert resumed(c, session, x=x)
    reload(c)
    assert resumed(c, session, x=x)
    pid = c.kill_role("front-user")
    wait_for(lambda: c.roles().get("front-user", pid) != pid, 10)

    def again():
        try:
            return resumed(c, session, x=x)
        except OSError:
            return False
    wait_for(again, 10, 0.05)
