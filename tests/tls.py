# SPDX-License-Identifier: Apache-2.0
"""What the tests of TLS share: certificates made by openssl, handshakes by Python and by
`openssl s_client`, and what processes have used of the CPU."""
import contextlib
import os
import socket
import ssl
import subprocess
import warnings

from harness import wait_for

HOST = "mail.example.test"
NEW_KEY = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


def make_certificate(c, name, hosts, kind="ec", days=90):
    """keys/NAME.key and tls/NAME.crt of its own making. Returns the certificate's DER."""
    key, certificate = c.dir / "keys" / f"{name}.key", c.dir / "tls" / f"{name}.crt"
    names = ",".join(f"DNS:{h}" for h in hosts)
    subprocess.run(["openssl", "req", "-x509", *NEW_KEY[kind], "-nodes", "-keyout", key, "-out", certificate,
                    "-days", str(days), "-subj", "/CN=test", "-addext", f"subjectAltName={names}"],
                   check=True, capture_output=True)
    return der_of(certificate)


def der_of(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


def context(alpn=None, version=None):
    """Takes every certificate: which one it is is what the tests look at."""
    x = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    x.check_hostname = False
    x.verify_mode = ssl.CERT_NONE
    if alpn is not None:
        x.set_alpn_protocols(alpn)
    if version is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            x.minimum_version = x.maximum_version = version
    return x


def handshake(c, service="imaps", host=HOST, x=None, session=None, timeout=10):
    s = c.connect(service, timeout=timeout)
    try:
        return (x or context()).wrap_socket(s, server_hostname=host, session=session)
    except BaseException:
        s.close()
        raise


def shown(c, host=HOST, service="imaps", x=None):
    """The DER of the certificate that a client is shown."""
    with handshake(c, service, host, x) as s:
        return s.getpeercert(True)


def session_of(c, x, service="imaps", host=HOST):
    """A session that can be resumed: a front has tickets from 50 ms after keys has come up on."""
    def with_ticket():
        with handshake(c, service, host, x) as s:
            assert not s.session_reused
            s.recv(100)  # the tickets come after the handshake
            return s.session if s.session.has_ticket else None
    return wait_for(with_ticket, 10, 0.02)


def s_client(c, *options, service="imaps", host=HOST, stdin=b"", timeout=30):
    """What `openssl s_client` prints. With -ign_eof it ends when the server closes."""
    name = ["-servername", host] if host else ["-noservername"]
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{c.port(service)}", *name, *options],
                       input=stdin, capture_output=True, timeout=timeout, check=False)
    return (r.stdout + r.stderr).decode("latin-1")


def cpu_us(pid):
    """What a process has run, all threads: schedstat counts nanoseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total / 1000


def reload(c, event="reloaded"):
    """SIGHUP, and the event that says what came of it."""
    import signal
    n = len(c.events(event))
    c.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(c.events(event)) > n, 20)
    return c.events(event)[-1]


def client_hello(host=HOST, x=None):
    """The bytes of a ClientHello."""
    out = ssl.MemoryBIO()
    tls = (x or context()).wrap_bio(ssl.MemoryBIO(), out, server_hostname=host)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def alert_of(sent, c, service="imaps", timeout=12):
    """The description of the alert that the server answers these bytes with, or None."""
    with c.connect(service, timeout=timeout) as s:
        s.sendall(sent)
        got = b""
        with contextlib.suppress(OSError):
            while more := s.recv(65536):
                got += more
                if (number := find_alert(got)) is not None:
                    return number
    return find_alert(got)


def find_alert(records):
    while len(records) >= 5:
        size = int.from_bytes(records[3:5], "big")
        if records[0] == 21 and size == 2 and len(records) >= 7:
            return records[6]
        records = records[5 + size:]
    return None


def lines(s):
    """What a TLS connection says until it ends."""
    got = b""
    with contextlib.suppress(OSError, socket.timeout):
        while more := s.recv(65536):
            got += more
    return got


def is_root():
    return os.geteuid() == 0
