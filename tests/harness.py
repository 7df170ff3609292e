# SPDX-License-Identifier: Apache-2.0
"""A Culver of a test's own: its directory, its ports, its processes.

    with Culver() as c:                      # quickstart, accounts alice and bob, serve, ready
        smtplib.SMTP("127.0.0.1", c.port("smtp"))

Nothing here sleeps for a fixed time: it waits for what it needs, with a deadline.
"""
import atexit
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
import time
import weakref

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.environ.get("CULVER", str(ROOT / "build" / "test" / "culver"))
DOMAIN = "example.test"
# What smtplib says in EHLO; it would ask DNS, which may take its time, and is no loopback.
socket.getfqdn = lambda name="": f"client.{DOMAIN}"
# Ignored where we were started in the background, and then by all that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)
SERVICES = {"smtp": 25, "submission": 587, "submissions": 465, "submission-alt": 2525,
            "imap": 143, "imaps": 993, "pop3": 110, "pop3s": 995}
PASSWORDS = {"alice": "alice's secret 1", "bob": "bob's secret %41 2"}


def free_offset(seed=[0]):
    """An offset at which every service's port is free, on IPv4 and IPv6. Each of several workers
    (pytest -n) has a quarter of the ports of its own, since a server may be away for a moment; all
    of them are below those that the kernel gives to clients."""
    quarter = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 4
    for _ in range(400):
        seed[0] += 1
        offset = 3000 + 6700 * quarter + (os.getpid() * 131 + seed[0] * 3571) % 4100
        if all(is_free(port + offset) for port in SERVICES.values()):
            return offset
    raise RuntimeError("no free ports")


def is_free(port):
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((address, port))
        except OSError as e:
            if family == socket.AF_INET6 and e.errno in (97, 99):
                continue  # no IPv6 on this machine
            return False
    return True


def wait_for(what, seconds=10.0, every=0.005):
    """Calls what() until it returns something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{getattr(what, '__name__', what)} did not come true in {seconds} s")
        time.sleep(every)


class Culver:
    copied = weakref.WeakSet()  # those whose directory is the template's copy
    templates = {}

    def __init__(self, directory=None, accounts=("alice", "bob"), config="", binary=BINARY,
                 environment=None, quickstart=True):
        self.own_directory = directory is None
        self.dir = pathlib.Path(directory or tempfile.mkdtemp(prefix="culver-test-"))
        self.dir.mkdir(exist_ok=True)
        self.dir.chmod(0o755)
        self.binary = binary
        self.offset = free_offset()
        self.environment = dict(os.environ, **(environment or {}))
        self.environment.pop("CULVER_CONF", None)
        self.process = None
        self.log = []
        self.log_lock = threading.Lock()
        self.ready_line = None
        if quickstart:
            # Commands start roles and hash passwords, a copy of what they made does not. Not for two
            # beside each other, whose keys and names must differ; nor in a directory of the test's,
            # whose disk may lose what was not flushed.
            if self.own_directory and environment is None and not Culver.copied:
                self.copy_template(tuple(accounts))
            else:
                self.make(accounts)
            if config:
                with open(self.conf, "a", encoding="utf-8") as f:
                    f.write(config + "\n")

    def make(self, accounts):
        self.run("quickstart", "--dir", self.dir, "--hostname", "mail.example.test", "--domain",
                 DOMAIN, "--offset", self.offset, "--loopback")
        for name in accounts:
            self.add_account(f"{name}@{DOMAIN}", self.password(name))

    def copy_template(self, accounts):
        of = self.binary, accounts
        if of not in Culver.templates:
            made = Culver(binary=self.binary, quickstart=False)
            made.make(accounts)
            Culver.templates[of] = made
        made = Culver.templates[of]
        subprocess.run(["cp", "-a", f"{made.dir}/.", self.dir], check=True)
        text = self.conf.read_text(encoding="utf-8")
        self.conf.write_text(text.replace(f"port_offset = {made.offset}\n", f"port_offset = {self.offset}\n"),
                             encoding="utf-8")
        Culver.copied.add(self)

    # -- commands --

    @property
    def conf(self):
        return self.dir / "culver.conf"

    @property
    def certificate(self):
        return self.dir / "tls" / "default.crt"

    def run(self, *args, check=True, stdin=None, timeout=60):
        r = subprocess.run([self.binary, *map(str, args)], input=stdin, capture_output=True,
                           text=True, timeout=timeout, env=self.environment, check=False)
        if check and r.returncode != 0:
            raise AssertionError(f"culver {' '.join(map(str, args))}: {r.returncode}\n{r.stdout}{r.stderr}")
        return r

    def command(self, *args, **kwargs):
        """A command on this server's configuration: command("account", "list")."""
        words = [a for a in args]
        groups = {"account", "domain", "alias", "store"}
        at = 2 if words[0] in groups else 1
        return self.run(*words[:at], "-c", self.conf, *words[at:], **kwargs)

    def add_account(self, address, password, *options):
        return self.command("account", "add", "--password-stdin", *options, address,
                            stdin=password + "\n")

    # -- life --

    def start(self, wait=True):
        self.process = subprocess.Popen(
            [self.binary, "serve", "-c", str(self.conf)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="backslashreplace",
            env=self.environment)
        self.ready = threading.Event()
        self.readers = [threading.Thread(target=self._read_log, args=(self.process,), daemon=True),
                        threading.Thread(target=self._read_ready, args=(self.process,), daemon=True)]
        for t in self.readers:
            t.start()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while not self.ready.wait(0.02):
            if self.process.poll() is not None or time.monotonic() > end:
                for t in self.readers:  # its last words may be under way
                    t.join(0.5)
                raise AssertionError("culver serve did not become ready:\n" + self.log_text())

    def _read_ready(self, process):
        for line in process.stdout:
            if self.ready_line is None or not self.ready.is_set():
                self.ready_line = line
                self.ready.set()
            else:
                self.ready_line += line  # more than one line is a mistake that a test looks for

    def _read_log(self, process):
        for line in process.stderr:
            with self.log_lock:
                self.log.append(line.rstrip("\n"))

    def log_text(self):
        with self.log_lock:
            return "\n".join(self.log)

    def stop(self, number=signal.SIGTERM, seconds=30):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("culver serve did not stop:\n" + self.log_text()) from None
        self.forget_process()
        return status

    def forget_process(self):
        """After it has ended."""
        for t in self.readers:
            t.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        self.process = None
        self.ready_line = None

    def kill_all(self):
        """The supervisor, and with it every role, at once."""
        self.process.kill()
        self.process.wait()
        self.forget_process()
        wait_for(lambda: not self.roles_left(), 10)

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exc):
        self.close()

    def close(self):
        try:
            self.stop()
        finally:
            Culver.copied.discard(self)
            if self.own_directory and not os.environ.get("KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)

    # -- looking at it --

    def port(self, service):
        return SERVICES[service] + self.offset

    def connect(self, service, timeout=10, address="127.0.0.1"):
        return socket.create_connection((address, self.port(service)), timeout)

    def tls_context(self):
        return ssl.create_default_context(cafile=str(self.certificate))

    def password(self, name):
        return PASSWORDS.get(name, name + " secret")

    def roles(self):
        """role -> pid, of this server's children."""
        found = {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                    stat = f.read()
                parent = int(stat.rpartition(")")[2].split()[1])
                if parent != self.process.pid:
                    continue
                with open(f"/proc/{entry}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
            except OSError:
                continue
            if len(words) > 3 and words[1] == b"role":
                found.setdefault(words[2].decode(), int(entry))
        return found

    def roles_left(self):
        """Roles of this server's binary and jail that outlive their supervisor."""
        jail = str(self.dir / "empty").encode()
        left = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as f:
                        if jail in f.read().split(b"\0"):
                            left.append(int(entry))
                except OSError:
                    pass
        return left

    def kill_role(self, role, number=signal.SIGKILL):
        pid = self.roles()[role]
        os.kill(pid, number)
        return pid

    def events(self, name):
        """Log lines of an event, as dicts."""
        return [fields(line) for line in self.log_text().splitlines() if f" event={name} " in line + " "]


@atexit.register
def remove_templates():
    for made in Culver.templates.values():
        shutil.rmtree(made.dir, ignore_errors=True)
    Culver.templates.clear()


def fields(line):
    """A logfmt line as a dict."""
    found = {}
    for key, quoted, plain in re.findall(r'(\S+?)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line):
        found[key] = quoted or plain
    return found


def example(subject="test", body="Hello.\r\n", sender="alice@example.test", to="bob@example.test"):
    return (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n"
            "Date: Sat, 21 Nov 2026 22:23:33 +0000\r\n"
            f"Message-ID: <{subject.replace(' ', '.')}@example.test>\r\n\r\n{body}").encode()
