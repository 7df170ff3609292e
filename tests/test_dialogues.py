# SPDX-License-Identifier: Apache-2.0
"""Every dialogue below tests/dialogues, each on a server of its own state: the files of a folder
share one server and use mailboxes and subjects of their own."""
import pathlib

import pytest

import dialogue
from harness import Culver

FOLDER = pathlib.Path(__file__).parent / "dialogues"
FILES = sorted(FOLDER.glob("*/*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_dialogue(path):
    with Culver() as c:
        dialogue.run(c, path)
