# SPDX-License-Identifier: Apache-2.0
import pathlib
import resource
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Culver, remove_templates  # noqa: E402
from hostile import conditions, read_clean  # noqa: E402


def pytest_configure(config):
    # Thousands of clients; a login shell gives 1,024 descriptors unless more are asked for.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config.addinivalue_line("markers", "alone: measures, or changes the machine, so that nothing else may run beside it")


def pytest_unconfigure(config):
    remove_templates()  # a worker of pytest -n ends without atexit


@pytest.fixture
def culver():
    """A server of the test's own."""
    with Culver() as c:
        yield c


@pytest.fixture(scope="module")
def shared():
    """One server for the tests of a file; they must not depend on each other's mail."""
    with Culver() as c:
        yield c


@pytest.fixture
def standing(shared):
    """That server, which must be as it was when the test is over. Files about another front have their own."""
    with conditions(shared, "front-user", clean=read_clean) as found:
        yield found[0]
