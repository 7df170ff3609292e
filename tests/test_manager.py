# SPDX-License-Identifier: Apache-2.0
"""Under a service manager: what it is told, what it hands in, its unit, and the log."""
import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time

import pytest

from harness import BINARY, DOMAIN, ROOT, Culver, example, wait_for

BOB = f"bob@{DOMAIN}"
UNIT = ROOT / "packaging" / "culver.service"


def send(c, subject="test"):
    with smtplib.SMTP("127.0.0.1", c.port("smtp")) as s:
        s.sendmail("ann@example.org", [BOB], example(subject))


# ---- sd_notify ----

class Manager:
    """A socket such as systemd has, and what was said to it."""

    def __init__(self, abstract=False):
        self.dir = tempfile.mkdtemp()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = f"@culver-test-{os.getpid()}" if abstract else f"{self.dir}/notify"
        self.socket.bind(self.name.replace("@", "\0"))
        self.said = []

    def wait(self, word, seconds=20):
        """Until a message has the line; returns the message as a dict."""
        end = time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            message = dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))
            self.said.append(message)
            if word in [f"{k}={v}" for k, v in message.items()]:
                return message

    def silent(self, seconds):
        """Whether nothing comes for so long."""
        self.socket.settimeout(seconds)
        try:
            self.said.append(self.socket.recv(4096))
            return False
        except TimeoutError:
            return True

    def close(self):
        self.socket.close()
        shutil.rmtree(self.dir)


@pytest.mark.parametrize("abstract", [False, True])
def test_notify(abstract):
    m = Manager(abstract)
    c = Culver(environment={"NOTIFY_SOCKET": m.name}, config="upgrade_drain_seconds = 2")
    try:
        c.start()
        ready = m.wait("READY=1")
        assert ready["MAINPID"] == str(c.process.pid) and ready["STATUS"] == "serving"
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        c.command("reload")
        reloading = m.wait("RELOADING=1")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        m.wait("READY=1")
        c.command("upgrade")
        m.wait("RELOADING=1")
        assert m.wait("READY=1")["MAINPID"] == str(c.process.pid)
        c.process.send_signal(signal.SIGTERM)
        m.wait("STOPPING=1")
        assert c.process.wait(20) == 0
    finally:
        c.close()
        m.close()


def test_a_reload_before_it_is_ready_is_not_told_as_ready():
    m = Manager()
    c = Culver(environment={"NOTIFY_SOCKET": m.name}, accounts=())
    try:
        with open(c.dir / "lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            c.start(wait=False)
            status = pathlib.Path(f"/proc/{c.process.pid}/status")
            ignored = re.compile(r"^SigIgn:\s*(\w+)", re.M)  # serve has begun: SIGPIPE is
            wait_for(lambda: int(ignored.search(status.read_text(encoding="utf-8"))[1], 16) >> (signal.SIGPIPE - 1) & 1)
            c.process.send_signal(signal.SIGHUP)
        m.wait("READY=1")
        assert m.said[0]["STATUS"] == "serving" and len(m.said) == 1, m.said
        c.wait_ready(1)
    finally:
        c.close()
        m.close()


def test_nobody_listens_to_the_news():
    with Culver(environment={"NOTIFY_SOCKET": "/nonexistent/notify", "WATCHDOG_USEC": "1000000"}) as c:
        send(c)


def test_watchdog_pings_only_while_the_roles_answer():
    m = Manager()
    c = Culver(environment={"NOTIFY_SOCKET": m.name, "WATCHDOG_USEC": "2000000"})
    try:
        c.start()
        m.wait("WATCHDOG=1")
        begun = time.monotonic()
        for _ in range(3):
            m.wait("WATCHDOG=1")
        assert time.monotonic() - begun < 2 * 3  # each within what the watchdog allows
        store = c.roles()["store"]
        os.kill(store, signal.SIGSTOP)
        try:
            m.silent(0.7)  # one that was on its way
            assert m.silent(2.0)
        finally:
            os.kill(store, signal.SIGCONT)
        m.wait("WATCHDOG=1")
    finally:
        c.close()
        m.close()


def test_watchdog_of_another_process():
    """WATCHDOG_PID names whom it is for."""
    m = Manager()
    c = Culver(environment={"NOTIFY_SOCKET": m.name, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"})
    try:
        c.start()
        m.wait("READY=1")
        assert m.silent(0.6)
    finally:
        c.close()
        m.close()


# ---- socket activation ----

ACTIVATE = shutil.which("systemd-socket-activate")


def activated(c, *names_and_ports):
    """Starts the server by systemd-socket-activate, with sockets of those names on those ports."""
    words = [ACTIVATE]
    for _, port in names_and_ports:
        words += ["-l", f"127.0.0.1:{port}"]
    words += ["--fdname=" + ":".join(name for name, _ in names_and_ports)]
    c.process = subprocess.Popen(words + [c.binary, "serve", "-c", str(c.conf)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=c.environment)


def test_socket_activation():
    if ACTIVATE is None:
        pytest.skip("needs systemd-socket-activate")
    c = Culver()
    try:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            free = s.getsockname()[1]
        # One by its name, on a port that is nobody's; one by its port; the others are our own.
        activated(c, ("smtp", free), ("whatever", c.port("imap")))

        def greeting(port):
            try:
                with socket.create_connection(("127.0.0.1", port), 10) as s:
                    return s.recv(100)
            except OSError:
                return None
        assert wait_for(lambda: greeting(free), 30).startswith(b"220 ")
        assert wait_for(lambda: greeting(c.port("imap")), 30).startswith(b"* OK ")
        assert wait_for(lambda: greeting(c.port("pop3")), 30).startswith(b"+OK ")
        assert greeting(c.port("smtp")) is None
        ready = c.process.stdout.readline()
        assert f" smtp={free} " in ready and f" imap={c.port('imap')} " in ready and f" pop3={c.port('pop3')} " in ready, ready
    finally:
        c.process.terminate()
        c.process.communicate(timeout=30)
        c.process = None
        c.close()


def test_socket_activation_refused():
    """A socket that is nothing of ours is a mistake of the unit's, and said so."""
    if ACTIVATE is None:
        pytest.skip("needs systemd-socket-activate")
    c = Culver()
    try:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            free = s.getsockname()[1]
        activated(c, ("gopher", free))
        def knock():
            try:
                return socket.create_connection(("127.0.0.1", free), 10)
            except OSError:
                return None
        with wait_for(knock, 20):
            _, said = c.process.communicate(timeout=30)
        assert c.process.returncode == 5
        assert "gopher is no service" in said and str(free) in said
    finally:
        c.process = None
        c.close()


# ---- the unit ----

def test_unit_exposure():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")
    r = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(UNIT)],
                       capture_output=True, text=True, check=False)
    if not r.stdout and os.geteuid() != 0:
        pytest.skip(f"systemd-analyze works for root alone here: {r.stderr}")
    exposure = float(re.search(r"exposure level for culver\.service: ([\d.]+)", r.stdout)[1])
    print(f"the unit's exposure: {exposure}")
    assert exposure <= 2.0
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", str(UNIT)], capture_output=True, text=True,
                       check=False)
    complaints = [line for line in r.stderr.splitlines() if "culver.service" in line
                  and "not executable" not in line and "No such file" not in line]
    assert complaints == []


def test_unit_starts_again():
    """An address that is late, a disk, a command that has the lock: the manager goes on trying, where trying helps;
    and it waits for a store that is brought to a new schema."""
    lines = UNIT.read_text(encoding="utf-8").splitlines()
    for line in ("Restart=on-failure", "StartLimitIntervalSec=0", "RestartPreventExitStatus=2 5",
                 "TimeoutStartSec=infinity",
                 "Wants=network-online.target", "After=network.target network-online.target"):
        assert line in lines, line


def test_as_a_user_with_one_capability(tmp_path):
    """What the unit does: never root, CAP_NET_BIND_SERVICE alone; no port here is low, but the roles
    must confine themselves without any right."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    c = Culver()
    try:
        for path in [c.dir, *c.dir.rglob("*")]:
            os.chown(path, 12345, 12345)
        c.process = subprocess.Popen(
            ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--no-new-privs",
             "--bounding-set=-all,+net_bind_service", "--inh-caps=-all,+net_bind_service",
             "--ambient-caps=-all,+net_bind_service", c.binary, "serve", "-c", str(c.conf)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert c.process.stdout.readline().startswith("ready ")
        send(c)
        c.process.terminate()
        c.process.communicate(timeout=30)
        assert c.process.returncode == 0
    finally:
        c.process = None
        c.close()


# ---- completion and help ----

def commands():
    """Every command of the table, as words."""
    r = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True)
    found = []
    for line in r.stdout.splitlines():
        m = re.match(r"  (\S+) +(\S+)?", line)
        if m:
            found.append(line[2:25].split())
    return found


def test_help_of_every_command():
    assert ["account", "add"] in commands() and ["serve"] in commands()
    for words in commands():
        r = subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, check=True, timeout=10)
        assert r.stdout.startswith(f"culver {' '.join(words)}: "), words
        assert f"usage: culver {' '.join(words)} " in r.stdout and r.stderr == "", words


def test_what_a_full_disk_had_no_room_for_was_not_said():
    for words in (["--help"], ["account", "--help"], ["--version"], ["version"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            r = subprocess.run([BINARY, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            assert r.returncode == 1 and "could not be written: No space left" in r.stderr, (words, r)


def options_of(words):
    usage = subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, check=True).stdout
    return {w for w in re.findall(r"(?<![\w-])--[a-z-]+", usage.split("usage: ")[1])}


def completion(shell, line):
    """What a real shell offers for the last word of a line."""
    words = ["culver", *line.split(" ")]
    script = subprocess.run([BINARY, "completion", shell], capture_output=True, text=True, check=True).stdout
    with tempfile.NamedTemporaryFile("w", suffix="." + shell) as f:
        f.write(script)
        f.flush()
        quoted = " ".join(f"'{w}'" for w in words)
        run = {
            "bash": ["bash", "--norc", "-c", f"source {f.name}; COMP_WORDS=({quoted}); "
                     f"COMP_CWORD={len(words) - 1}; _culver; printf '%s\\n' \"${{COMPREPLY[@]}}\""],
            "fish": ["fish", "--no-config", "-c", f"source {f.name}; complete -C 'culver {line}'"],
            "zsh": ["zsh", "-f", "-c", f"compdef() {{ : }}; source {f.name}; "
                    "_describe() { print -l -- ${(P)4} }; _arguments() { print -l -- \"$@\" }; "
                    f"words=({quoted}); CURRENT={len(words)}; _culver"],
        }[shell]
        r = subprocess.run(run, capture_output=True, text=True, check=False, timeout=30)
    assert r.stderr == "", r.stderr
    return {re.split(r"[\t:]", w)[0] for w in r.stdout.splitlines() if w}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    assert completion(shell, "") >= {words[0] for words in commands()}
    groups = {words[0] for words in commands() if len(words) == 2}
    for group in groups:
        assert completion(shell, f"{group} ") == {w[1] for w in commands() if len(w) == 2 and w[0] == group}
    for words in commands():
        got = {w for w in completion(shell, f"{' '.join(words)} -{'' if shell == 'zsh' else '-'}") if w.startswith("--")}
        assert got == options_of(words), words
    if shell != "zsh":
        assert completion(shell, "account set --active ") == {"yes", "no"}
        assert completion(shell, "account add --kind ") == {"person", "sandbox", "stream"}


@pytest.mark.parametrize("typed,said", [
    ("check -c my", "my\\ mail/"), ("store backup my", "my\\ mail/"), ("account certificate add ann@example.test my", "my\\ mail/"),
    ("import --ca 'my", "'my mail'/"), ("store points --ver", "--verify ")])
def test_bash_completes_paths(tmp_path, typed, said):
    """In a real shell, since it is what quotes a blank; behind options and where a command wants a path."""
    (tmp_path / "my mail").mkdir()
    script = subprocess.run([BINARY, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "completion").write_text(script, encoding="utf-8")
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], {"PATH": os.environ["PATH"], "TERM": "dumb", "PS1": ""})
    try:
        os.write(fd, b"bind 'set bell-style none'; source ./completion; echo re''ady\n")
        read_until(fd, b"ready\r\n")
        os.write(fd, f"culver {typed}\t".encode())
        assert said in read_until(fd, said.encode()).decode()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(fd)


def read_until(fd, wanted, seconds=10):
    """What a terminal has said by then; or all that it says within these seconds."""
    got, end = b"", time.monotonic() + seconds
    while wanted not in got and select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
        got += os.read(fd, 4096)
    return got


@pytest.mark.parametrize("shell,said", [("zsh", "'*:file:_files'"), ("fish", " -F\n")])
def test_other_shells_complete_paths(shell, said):
    script = subprocess.run([BINARY, "completion", shell], capture_output=True, text=True, check=True).stdout
    lines = [line + "\n" for line in script.splitlines() if "store" in line and "points" in line]
    assert any(said in line for line in lines), lines


def test_every_command_takes_json_and_says_so():
    for words in commands():
        assert "--json" in options_of(words) or words in (["serve"], ["completion"]), words


def test_completion_offers_values_or_nothing_and_each_option_once():
    script = subprocess.run([BINARY, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    assert '"account add --quota") words=\'\' ;;' in script
    for line in script.splitlines():
        words = re.findall(r"(?<=words=')[^']*", line)
        assert all(len(set(w.split())) == len(w.split()) for w in words), line


# ---- the log ----

def test_journal_priorities():
    read, write = os.pipe()
    st = os.fstat(write)
    c = Culver(environment={"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"})
    try:
        c.process = subprocess.Popen([c.binary, "serve", "-c", str(c.conf)], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=write, text=True, env=c.environment)
        os.close(write)
        assert c.process.stdout.readline().startswith("ready ")
        c.process.terminate()
        c.process.communicate(timeout=30)
        with open(read, encoding="utf-8") as f:
            lines = f.read().splitlines()
        assert lines and all(re.match(r"<[3467]>t=", line) for line in lines)
        assert all(line.startswith("<6>") for line in lines if "event=role-up" in line)
    finally:
        c.process = None
        c.close()


def test_log_file_is_rotated():
    directory = pathlib.Path(tempfile.mkdtemp())
    try:
        log = directory / "culver.log"
        with Culver(config=f'log_file = "{log}"') as c:
            assert "event=role-up" in log.read_text()
            for number in (signal.SIGUSR1, signal.SIGHUP):
                old = log.with_name(f"old-{number}")
                log.rename(old)
                c.process.send_signal(number)
                wait_for(log.exists, 5)
                was = old.read_text()
                c.kill_role("courier")
                wait_for(lambda: "event=role-back role=courier" in log.read_text(), 10)
                assert old.read_text() == was
            assert c.log_text() == ""
    finally:
        shutil.rmtree(directory)


def test_x7_a_full_log_costs_no_mail():
    """X7: the log's disk is full: mail goes on, and the log says afterwards how much it lacks."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    directory = pathlib.Path(tempfile.mkdtemp())
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], check=False)
    if r.returncode != 0:
        directory.rmdir()
        pytest.skip("needs mount")
    try:
        log, ballast = directory / "culver.log", directory / "ballast"
        with Culver(config=f'log_file = "{log}"\nlog_level = "debug"') as c:
            with open(ballast, "wb", buffering=0) as f:
                try:
                    while f.write(bytes(4096)):
                        pass
                except OSError:
                    pass
            for n in range(60):
                send(c, f"full {n}")
            assert log.stat().st_size < 64 * 1024
            ballast.unlink()
            for n in range(5):
                send(c, f"room {n}")
            wait_for(lambda: "event=log-dropped lines=" in log.read_text(), 10)
            lines = log.read_text().splitlines()
            at = [n for n, line in enumerate(lines) if "event=log-dropped" in line][0]
            assert int(lines[at].rpartition("=")[2]) > 0
            assert all(line.startswith(("t=", "level=")) for line in lines[at:])  # none is glued to another
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=False)
        directory.rmdir()


def test_x7_a_reader_that_does_not_read_the_log_costs_no_mail():
    """X7: the pipe behind standard error is full and stays so."""
    c = Culver(config='log_level = "debug"')
    try:
        c.process = subprocess.Popen([c.binary, "serve", "-c", str(c.conf)], stdin=subprocess.DEVNULL,
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=c.environment,
                                     pipesize=16384)
        assert c.process.stdout.readline().startswith("ready ")
        longest = 0.0
        for n in range(100):
            begun = time.monotonic()
            send(c, f"blocked {n}")
            longest = max(longest, time.monotonic() - begun)
        print(f"a message while nobody reads the log: {longest:.2f} s at worst")
        assert longest < 20
        c.process.terminate()
        out, err = c.process.communicate(timeout=30)  # only now is it read
        assert c.process.returncode == 0 and out == ""
        assert len(err) > 16000 and "event=log-dropped lines=" in err
    finally:
        c.process = None
        c.close()


