# SPDX-License-Identifier: MIT
"""``pyzram estimate --idle`` on a child of the test, so that no privilege is needed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyzram.cli.pyzram import main
from pyzram.limits import PAGE_SIZE
from pyzram.pages.source import cold
from pyzram.pages.source.sources import HIDDEN_LOCKS
from pyzram.units import parse_size

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
    first, last = (age["seconds"] for age in said["ages"])
    assert 1 <= first < last >= 2  # on a busy machine more
    assert said["cold_bytes"] == said["ages"][-1]["cold_bytes"]
    assert 8 << 20 <= said["cold_bytes"] <= said["swappable_bytes"]
    for age in said["ages"]:
        assert set(age["algorithms"]) == {"lz4", "lzo"}
        for figures in age["algorithms"].values():
            assert figures["memory_gained"] == age["cold_bytes"] - figures["mem_used_total"]
            assert figures["compr_data_size"] < age["cold_bytes"] // 2
            assert figures["stall_ms_per_minute"] >= 0


def test_what_is_left_out_at_the_end_is_listed(
    sleeper: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cold, "add_others_locks", lambda _shared, _chosen: 3)
    words = ["estimate", "--pid", str(sleeper), "--idle", "1", "-a", "lz4", "--no-timing"]
    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == {HIDDEN_LOCKS: 3}


def test_text_says_what_it_does_and_what_to_configure(
    sleeper: int, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plot = tmp_path / "cold.svg"
    words = ["estimate", "--pid", str(sleeper), "--idle", "1", "-a", "lz4"]
    pytest.importorskip("matplotlib")
    assert main([*words, "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert "clears the pages' referenced bits" in err
    assert "of mapped memory could go to swap; not touched:" in out
    assert 'ZRAM_ALGORITHM_0="lz4"' in out
    assert "memory gained" in plot.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["--idle", "2m,1m"],
        ["--idle=0"],
        ["--idle", "1", __file__],
        ["--idle=x"],
        ["--watch"],
        ["--watch", "--idle", "1", "--plot", "x.svg"],
        ["--record", "x", "--idle", "1"],
        ["--plot", ""],
        ["--plot", "", "--idle", "1"],
        ["--idle", "1", "--watch", "--record", ""],
        ["--textfile", ""],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_no_such_process_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", "--pid", "4194303", "--idle", "1"]) == 1
    assert "No such process" in capsys.readouterr().err


@contextlib.contextmanager
def watching(*words: str) -> Iterator[subprocess.Popen[str]]:
    program = "import sys; from pyzram.cli.pyzram import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-Ic", program, "estimate", "--watch", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as view:
        try:
            yield view
        finally:
            view.kill()


def test_watching_goes_on_until_it_is_ended(sleeper: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    words = ["--pid", str(sleeper), "--idle", "1,2", "--no-timing", "-a", "lz4,zstd"]
    with watching(*words, "--record", str(trace)) as view:
        assert view.stdout and view.stderr
        over, columns, *lines = [view.stdout.readline() for _ in range(4)]
        view.send_signal(signal.SIGINT)
        assert view.wait(60) == 130
        assert "clears the pages' referenced bits" in view.stderr.read()
    assert "cold for" in over
    assert columns.split() == ["all", "1s", "2s", "zstd", "gained", "back/min", "ms/min"]
    for line in lines:
        _, whole, first, last, takes, gained, _, waiting = line.split()
        sizes = [parse_size(text) for text in (whole, first, last, takes, gained)]
        assert sizes[0] >= sizes[1] >= sizes[2] >= 8 << 20 > sizes[3]
        assert sizes[4] <= sizes[2]
        assert waiting == "-"
    rows = [json.loads(line) for line in trace.read_text().split("\n")[:-1]]
    assert len(rows) >= 2
    for row in rows:
        held, small, pool, _ = row["devices"]["estimate"]["memory"]
        assert held >= 8 << 20 > small
        assert pool < held
        ages = row["devices"]["estimate"]["ages"]
        assert sum(ages) >= held // PAGE_SIZE
        assert ages[:1] == [0] and max(ages) == ages[2]  # two seconds or three


def test_watching_prints_json_a_line_each_time(sleeper: int) -> None:
    words = ["--pid", str(sleeper), "--idle", "1", "--no-timing", "-a", "lz4", "--json"]
    with watching(*words) as view:
        assert view.stdout
        rows = [json.loads(view.stdout.readline()) for _ in range(2)]
        view.send_signal(signal.SIGINT)
        assert view.wait(60) == 130
    assert rows[0]["time"] < rows[1]["time"]
    assert all(row["cold_bytes"] >= 8 << 20 for row in rows)


@pytest.mark.parametrize("hard", [400, 24])
def test_more_processes_than_open_files_are_allowed_by_default(hard: int) -> None:
    program = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (20, {hard}))
from pyzram.cli.pyzram import main
sys.exit(main(sys.argv[1:]))
"""
    with contextlib.ExitStack() as stack:
        sleepers = [stack.enter_context(subprocess.Popen(["sleep", "600"])) for _ in range(30)]
        words = [word for child in sleepers for word in ("--pid", str(child.pid))]
        done = subprocess.run(
            [sys.executable, "-Ic", program, "estimate", "--idle", "1", "-a", "lz4", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        for child in sleepers:
            child.kill()
    if hard > 30:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert done.stderr.count("pyzram estimate: ") == 1
        assert "watch their memory" not in done.stderr
        assert "Too many open files (allow more open files, as ulimit -n does)" in done.stderr
