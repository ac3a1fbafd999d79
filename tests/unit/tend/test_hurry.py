# SPDX-License-Identifier: MIT
"""The daemon's constants that the trials in guests change exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from vm import tend_hurry

FOLDER = Path(tend_hurry.__file__).parent
NAMES = sorted(
    {
        (file.name, name)
        for file in FOLDER.glob("tend_*.py")
        for name in re.findall(r'"([A-Z_]+)": ', file.read_text())
    }
)


def test_the_trials_change_something():
    assert {file for file, _name in NAMES} >= {"tend_trial.py", "tend_service.py"}


@pytest.mark.parametrize(("file", "name"), NAMES)
def test_a_constant_that_a_trial_changes_is_still_one_of_the_daemon(file, name):
    assert any(hasattr(module, name) for module in tend_hurry.MODULES), file
