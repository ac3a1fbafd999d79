# SPDX-License-Identifier: MIT
"""The line that ``make live`` makes from the command's output, whose names may change."""

from __future__ import annotations

import json
import os

import pytest
from live import run

from pyzram.cli.pyzram import main


@pytest.fixture
def said(capsys, tmp_path):
    """What the command prints about a file, from a sample and from all of it."""
    (tmp_path / "file").write_bytes(os.urandom(2 << 20) + bytes(range(256)) * (8 << 12))

    def command(*options: str) -> dict:
        words = ["estimate", "--json", "--no-timing", "-a", run.ALGORITHM, *options]
        assert main([*words, str(tmp_path / "file")]) == 0
        return json.loads(capsys.readouterr().out)

    return command("--precision", "10", "--seed", "1"), command("--full")


def test_a_line_holds_what_the_command_said_and_what_came_of_it(said):
    sampled, full = said
    assert sampled["sampled"] < sampled["pages"]
    found = full["algorithms"][run.ALGORITHM]
    real = run.Truth(full["pages"], found["compr_data_size"], found["mem_used_total"], 0)
    did = run.Did(3, 0, 0, 0.5, 1.5, True)
    row = dict(zip(run.COLUMNS, run.line("it", sampled, full, real, did), strict=True))
    assert row["program"] == "it"
    assert row["pages estimated"] == row["paged out"] == str(real.pages)
    assert row["off"] == "+0.000%"
    assert row["holds"] == row["right afterwards"] == "yes"
    low, high = (float(word) for word in row["mem_used_total, bounds"].split()[:3:2])
    assert 0 < low < real.used / (1 << 20) < high
    assert "NO" not in row.values()


def test_what_is_wrong_shows(said):
    sampled, full = said
    found = full["algorithms"][run.ALGORITHM]
    real = run.Truth(full["pages"], found["compr_data_size"] * 2, found["mem_used_total"], 0)
    wrong = run.line("it", sampled, full, real, run.Did(3, 0, 0, 0.5, 1.5, False))
    assert wrong.count("NO") == 2


def test_facts_that_are_told_beside_the_table_are_there(said):
    assert {"swapped", "lost", "left_out", "zero_pages"} <= said[1].keys()
