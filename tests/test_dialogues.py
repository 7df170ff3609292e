# SPDX-License-Identifier: Apache-2.0
"""Every dialogue of tests/dialogues/live, each against a server of its own. (The other folders hold
dialogues that unit tests run in-process.)"""
import pathlib

import pytest

import dialogue
from harness import Culver

FOLDER = pathlib.Path(__file__).parent / "dialogues"
FILES = sorted(FOLDER.glob("live/*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_dialogue(path):
    with Culver() as c:
        dialogue.run(c, path)
