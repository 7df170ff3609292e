# SPDX-License-Identifier: Apache-2.0
"""Debian's Dovecot, on a free port, with its own folder. Every setting that is not named here is Debian's default."""
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import time

PROGRAM = "/usr/sbin/dovecot"
CONF = """\
protocols = imap
listen = 127.0.0.1
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/log
ssl = no
disable_plaintext_auth = no
mail_location = sdbox:{d}/mail/%n
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
  args = uid={uid} gid={gid} home={d}/mail/%n allow_all_users=yes
}}
mail_max_userip_connections = 200
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


class Dovecot:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        who = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.folder.chmod(0o755)
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "mail", who.pw_uid, who.pw_gid)
        conf = self.folder / "dovecot.conf"
        conf.write_text(CONF.format(d=self.folder, uid=who.pw_uid, gid=who.pw_gid, port=self.port), encoding="utf-8")
        with open(self.folder / "said", "w", encoding="utf-8") as said:
            subprocess.run([PROGRAM, "-c", conf], check=True, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        end = time.monotonic() + 10  # it says that it is there before it has written its number
        while not (self.folder / "run" / "master.pid").exists() and time.monotonic() < end:
            time.sleep(0.02)
        self.pid = int((self.folder / "run" / "master.pid").read_text(encoding="ascii"))

    @staticmethod
    def password(name):
        return name + "-secret"

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        end = time.monotonic() + 10
        while os.path.exists(f"/proc/{self.pid}") and time.monotonic() < end:
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)
