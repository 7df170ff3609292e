# SPDX-License-Identifier: Apache-2.0
"""The servers that bench/run measures: Culver, and Debian's Postfix in front of Debian's Dovecot.

Each has its own data and configuration below one folder, listens on loopback on free high ports,
and is started and stopped by process id. Every setting that is not named here is Debian's default.

Durability is the same: the SMTP server says 250 after the message is on the disk. Postfix flushes
its queue file before 250 and gives it up when Dovecot has flushed the mailbox (mail_fsync =
optimized, the default: LMTP deliveries are flushed). Culver flushes the mailbox before 250.
"""
import grp
import imaplib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import harness  # noqa: E402

DOMAIN = harness.DOMAIN
TICK = os.sysconf("SC_CLK_TCK")
SENDERS = [f"u{i}" for i in range(10)]  # who the SMTP runs deliver to, in turns
READER = "reader"                       # whose mailbox the POP3 runs read
ARCHIVE = "archive"                     # whose mailbox the IMAP runs read
SEARCHED = "searched"                   # whose mailbox is searched
WORKERS = [f"w{i}" for i in range(10)]   # who do many things at once


def password(name):
    return name + "-secret"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def processes():
    """pid -> (parent, CPU seconds of it and of its children that have ended), of all processes."""
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as f:
                words = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(entry)] = (int(words[1]), sum(map(int, words[11:15])) / TICK)
    return found


def below(table, pid, roots):
    """Whether a process is one of these, or below one."""
    while pid not in roots and pid in table and pid > 1:
        pid = table[pid][0]
    return pid in roots


def greeting_ms(port, begun):
    """Until the server that was started at `begun` greets on this port."""
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 20) as s:
                s.recv(100)
                return (time.monotonic() - begun) * 1e3
        except ConnectionRefusedError:
            time.sleep(0.0005)


def tree_cpu(roots):
    """CPU seconds used so far by these processes and all below them."""
    table = processes()
    total = 0.0
    for pid in table:
        if below(table, pid, roots):
            total += table[pid][1]
    return total


class Server:
    """What bench/run asks of either. ports: smtp, imap, pop3; roots: pids whose trees are it."""

    def cpu(self):
        return tree_cpu(self.roots)

    def pss(self):
        """Bytes of memory of all its processes, what they share counted once."""
        total = 0
        table = processes()
        for pid in table:
            if below(table, pid, self.roots):
                try:
                    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as f:
                        total += sum(int(line.split()[1]) for line in f if line.startswith("Pss:"))
                except OSError:
                    continue  # it has just ended
        return total * 1024

    def pop3(self):
        return socket.create_connection(("127.0.0.1", self.ports["pop3"]), 20)

    def imap(self, name):
        m = imaplib.IMAP4("127.0.0.1", self.ports["imap"])
        m.login(f"{name}@{DOMAIN}", password(name))
        return m


class CulverServer(Server):
    name = "Culver"

    def __init__(self, folder, binary):
        self.quick = harness.Culver(folder / "culver", accounts=(), binary=str(binary))
        for name in [*SENDERS, *WORKERS, READER, ARCHIVE, SEARCHED]:
            self.quick.add_account(f"{name}@{DOMAIN}", password(name))
        self.ports = {s: self.quick.port(s) for s in ("smtp", "imap", "imaps", "pop3")}
        self.binary, self.log_file = str(binary), folder / "culver.log"
        self.start()
        self.version = self.quick.run("version").stdout.split("\n")[0]
        self.durability = "mailbox flushed before 250"
        self.fill_by = "smtp", self.ports["smtp"]

    def start(self):
        """greeting_ms: from exec to SMTP's greeting."""
        self.log = open(self.log_file, "ab")
        begun = time.monotonic()
        self.process = subprocess.Popen([self.binary, "serve", "-c", str(self.quick.conf)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log)
        self.roots = {self.process.pid}
        self.greeting_ms = greeting_ms(self.ports["smtp"], begun)
        if not self.process.stdout.readline().startswith(b"ready"):
            raise RuntimeError(f"Culver did not start; see {self.log_file}")

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.process.stdout.close()
        self.log.close()


MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
"""

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {d}/postfix/queue
data_directory = {d}/postfix/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:all
virtual_transport = lmtp:unix:{d}/dovecot/run/lmtp
message_size_limit = 52428800
"""

DOVECOT_CONF = """\
protocols = imap pop3 lmtp
listen = 127.0.0.1
base_dir = {d}/dovecot/run
state_dir = {d}/dovecot/state
log_path = {d}/dovecot/log
ssl = yes
ssl_cert = <{d}/dovecot/tls.crt
ssl_key = <{d}/dovecot/tls.key
disable_plaintext_auth = no
mail_max_userip_connections = 1000
default_process_limit = 1000
mail_location = sdbox:{d}/dovecot/mail/%n
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password=%n-secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/dovecot/mail/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""


class PairServer(Server):
    """Postfix, LMTP, Dovecot. Must be root, as both masters must."""

    name = "Postfix + Dovecot"

    def __init__(self, folder):
        self.folder = folder
        self.ports = {s: free_port() for s in ("smtp", "imap", "imaps", "pop3", "lmtp")}
        self.fill_by = "lmtp", self.ports["lmtp"]
        self.dovecot_conf = folder / "dovecot.conf"
        self.postfix_etc = folder / "postfix" / "etc"
        self.write()
        self.dovecot = self.postfix = 0
        try:
            self.start_dovecot()
            self.run("postfix", "-c", self.postfix_etc, "start")
            self.postfix = self.pid(folder / "postfix" / "queue" / "pid" / "master.pid")
            self.roots = {self.dovecot, self.postfix}
            harness.wait_for(self.listening, 20)
        except BaseException:
            self.stop()
            raise
        self.version = (f"Postfix {self.output('postconf', '-h', 'mail_version')}, "
                        f"Dovecot {self.output('dovecot', '--version').split()[0]} (sdbox)")
        fsync = self.output("doveconf", "-c", self.dovecot_conf, "-h", "mail_fsync")
        self.durability = f"queue file flushed before 250 (fixed), mail_fsync = {fsync}"

    def write(self):
        d = self.folder
        mail = pwd.getpwnam("mail")
        values = dict(self.ports, d=d, domain=DOMAIN, uid=mail.pw_uid, gid=mail.pw_gid)
        for part in ("dovecot/run", "dovecot/state", "dovecot/mail", "postfix/etc", "postfix/queue",
                     "postfix/data"):
            (d / part).mkdir(parents=True)
        os.chown(d / "dovecot/mail", mail.pw_uid, mail.pw_gid)
        self.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", "/CN=mail." + DOMAIN, "-days", "30", "-keyout", d / "dovecot/tls.key",
                 "-out", d / "dovecot/tls.crt")
        postfix = pwd.getpwnam("postfix")
        os.chown(d / "postfix/data", postfix.pw_uid, grp.getgrnam("postfix").gr_gid)
        self.dovecot_conf.write_text(DOVECOT_CONF.format(**values))
        (self.postfix_etc / "main.cf").write_text(MAIN_CF.format(**values))
        (self.postfix_etc / "master.cf").write_text(MASTER_CF.format(**values))

    def start_dovecot(self):
        """greeting_ms: from exec to IMAP's greeting."""
        begun = time.monotonic()
        self.run("dovecot", "-c", self.dovecot_conf)
        self.greeting_ms = greeting_ms(self.ports["imap"], begun)
        self.dovecot = self.pid(self.folder / "dovecot" / "run" / "master.pid")
        self.roots = {self.dovecot, self.postfix}

    def restart(self):
        """Dovecot alone: nothing that is measured here waits for Postfix."""
        self.end(self.dovecot)
        self.start_dovecot()

    def run(self, *command):
        # To a file: a daemon keeps the pipe that it was started with.
        with tempfile.TemporaryFile("w+") as said:
            r = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL,
                               stdout=said, stderr=said, timeout=60, check=False)
            if r.returncode != 0:
                said.seek(0)
                raise RuntimeError(f"{' '.join(map(str, command))}: {said.read()}")

    def output(self, *command):
        return subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                              check=True).stdout.strip()

    def pid(self, path):
        def read():
            try:
                return int(path.read_text().strip())
            except (OSError, ValueError):
                return 0
        return harness.wait_for(read, 20)

    def listening(self):
        for port in self.ports.values():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                return False
        return True

    def stop(self):
        for pid in (self.postfix, self.dovecot):
            self.end(pid)

    @staticmethod
    def end(pid):
        end = time.monotonic() + 20
        if pid:
            os.kill(pid, signal.SIGTERM)
        while pid and os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
            time.sleep(0.05)


def have_pair():
    """Why the pair cannot be started, or None."""
    for program in ("postfix", "dovecot", "doveconf"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin"):
            return f"{program} is not installed (make deps-bench)"
    if os.geteuid() != 0:
        return "Postfix and Dovecot start as root only, and sudo asks for a password"
    return None
