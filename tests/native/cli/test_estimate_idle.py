# SPDX-License-Identifier: MIT
"""``pyzram estimate --idle``: of a child of the test, so that no privilege is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyzram.cli.pyzram import main

SLEEPER = (
    "import mmap, sys, time; area = mmap.mmap(-1, 8 << 20, 34); area.write(b'ab' * (4 << 20)); "
    "print('ready', flush=True); time.sleep(600)"
)


@pytest.fixture
def sleeper() -> Iterator[int]:
    child = subprocess.Popen([sys.executable, "-Ic", SLEEPER], stdout=subprocess.PIPE, text=True)
    assert child.stdout and child.stdout.readline() == "ready\n"
    yield child.pid
    child.kill()
    child.wait()
    child.stdout.close()


def test_json_has_cold_bytes_in_all_and_by_age(
    sleeper: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["estimate", "--pid", str(sleeper), "--idle", "1,2", "-a", "lz4", "-a", "lzo", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert [round(age["seconds"]) for age in said["ages"]] == [1, 2]
    assert said["cold_bytes"] == said["ages"][-1]["cold_bytes"]
    assert 8 << 20 <= said["cold_bytes"] <= said["swappable_bytes"]
    for age in said["ages"]:
        assert set(age["algorithms"]) == {"lz4", "lzo"}
        for figures in age["algorithms"].values():
            assert figures["memory_gained"] == age["cold_bytes"] - figures["mem_used_total"]
            assert figures["compr_data_size"] < age["cold_bytes"] // 2
            assert figures["stall_ms_per_minute"] >= 0


def test_text_says_what_it_does_and_what_to_configure(
    sleeper: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "cold.svg"
    words = ["estimate", "--pid", str(sleeper), "--idle", "1", "-a", "lz4"]
    pytest.importorskip("matplotlib")
    assert main([*words, "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert "clears the referenced bits" in err
    assert "of this was not touched" in out
    assert 'ZRAM_ALGORITHM_0="lz4"' in out
    assert "memory gained" in plot.read_text()


@pytest.mark.parametrize(
    "words",
    [["--idle", "2m,1m"], ["--idle=0"], ["--idle", "1", __file__], ["--idle=x"]],
    ids=" ".join,
)
def test_wrong_usage_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_no_such_process_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--pid", "4194303", "--idle", "1"]) == 1
    assert "No such process" in capsys.readouterr().err
