# SPDX-License-Identifier: Apache-2.0
"""The sandbox of every role, on the binary under test: each forbidden thing is attempted and must be
stopped (docs/security.md)."""
import ctypes
import os
import signal
import subprocess

import pytest

from harness import BINARY, Culver

MAY_BE_REFUSED = {"open", "open-outside", "create"}


def has_landlock():
    """What keeps an ordinary user's roles out of other files; root's are in a chroot besides."""
    landlock_create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(landlock_create_ruleset, None, 0, version) > 0


def probes():
    if not os.path.exists(BINARY):
        return []
    out = subprocess.run([BINARY, "role-probe"], capture_output=True, text=True, check=True).stdout
    return [tuple(line.split()) for line in out.splitlines()]


def test_every_role_is_probed():
    roles = {role for role, _ in probes()}
    assert roles == {"store", "gate", "keys", "courier", "front-mx", "front-user", "fetcher"}


@pytest.mark.parametrize("role,probe", probes(), ids="-".join)
def test_attempt_is_stopped(role, probe, tmp_path):
    if probe in MAY_BE_REFUSED and os.geteuid() != 0 and not has_landlock():
        pytest.skip("needs root or a kernel with Landlock")
    os.chmod(tmp_path, 0o777)
    r = subprocess.run([BINARY, "role-probe", role, probe, str(tmp_path)], capture_output=True,
                       timeout=20, check=False)
    allowed = {-signal.SIGSYS} | ({0} if probe in MAY_BE_REFUSED else set())
    assert r.returncode in allowed, r.stderr


def test_roles_run_confined_and_as_another_user():
    with Culver() as c:
        for role, pid in c.roles().items():
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
            assert status["Seccomp"] == "2", role
            assert status["NoNewPrivs"] == "1", role
            if os.geteuid() == 0:
                assert "0" not in status["Uid"].split(), role
                assert "0" not in status["Gid"].split(), role
                assert int(status["CapEff"], 16) == 0, role


def test_all_roles_end_with_the_supervisor():
    from harness import wait_for
    with Culver() as c:
        pids = list(c.roles().values())
        c.process.kill()
        wait_for(lambda: not any(os.path.exists(f"/proc/{p}") for p in pids), 5)
        c.process.wait()
