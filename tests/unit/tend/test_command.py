# SPDX-License-Identifier: MIT
"""The command line of ``pyzram tend``: what it accepts, what it refuses, and its exit status."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_roots import Machine

from pyzram import interruption
from pyzram.cli import pyzram as command
from pyzram.cli.tend import command as tend
from pyzram.cli.tend.worker import PostprocessWorker
from pyzram.device.zram import Zram
from pyzram.errors import ZramOSError
from pyzram.tend.machine import Clocks

MIB = 1 << 20


@pytest.fixture(autouse=True)
def here(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run/pyzram"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "state"))

    def forever(_sysfs: object) -> None:
        raise AssertionError("a daemon that nobody would end")

    monkeypatch.setattr("pyzram.tend.waiting.Waiting", forever)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("--status --once", "cannot be combined"),
        ("--textfile F --record F", "cannot be combined"),
        ("--status zram0", "--status takes no device"),
        ("--textfile F zram0", "--textfile takes no device"),
        ("--record F zram0", "--record takes no device"),
        ("--textfile F --json", "--textfile takes no --json"),
        ("--textfile F -q", "--textfile takes no --quiet"),
        ("--record F --once -q", "--record takes no --quiet"),
        ("--record F --json", "--record takes no --json"),
        ("--record F --budget 1M", "--record takes no --budget"),
        ("--status --budget 1M", "--status takes no --budget"),
        ("--status -c F", "--status takes no --config"),
        ("--status -q", "--status takes no --quiet"),
        ("-n -q zram0", "--dry-run takes no --quiet"),
        ("--once -q --json zram0", "--json and --quiet cannot be combined"),
        ("--json zram0", "--json needs --once, --dry-run or --status"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(words, why, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir(tmp_path))
    assert command.main(["tend", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err
    assert sorted(os.listdir(tmp_path)) == before


def test_every_option_is_of_some_way() -> None:
    """A new option is refused everywhere until somebody says what it goes with."""
    known = {name for names in (*tend.WAYS.values(), tend.DAEMON) for name in names}
    assert known | set(tend.WAYS) == {option.long for option in tend.COMMAND.options[:-2]}


@pytest.mark.parametrize("words", ["tend --textfile -", "tend --once --record -"])
def test_a_dash_makes_no_file_of_that_name(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(words.split()) == 1
    assert "standard output is not a file" in capsys.readouterr().err
    assert not (tmp_path / "-").exists()


@pytest.mark.parametrize("size", ["ram - 2G", "300G", "ram/2-700M"])
def test_what_is_valid_on_this_machine_is_valid_for_tend(size, tmp_path, monkeypatch, capsys):
    """Sizes are a share of its memory, as they are for start and check."""
    path = tmp_path / "zram"
    path.write_text(f'ZRAM_SIZE_0="{size}"\nTEND=no\n')
    for module in ("service.service", "cli.tend.command"):
        monkeypatch.setattr(f"pyzram.{module}.total_memory", lambda: 1 << 40)
    assert command.main(["check", "-c", str(path)]) == 0
    assert command.main(["tend", "--dry-run", "-c", str(path)]) == 0
    assert "the configuration says to leave devices alone" in capsys.readouterr().out
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    path.write_text('ZRAM_SIZE_0="cpus * 1G - 40G"\n')
    assert command.main(["check", "-c", str(path)]) == 0
    assert tend.configured(str(path))[0].writeback


def test_what_the_administrator_says_counts_for_named_devices_too(tmp_path, capsys) -> None:
    path = tmp_path / "zram"
    path.write_text('TEND="no"\nTEND_BUDGET="1M"\nTEND_RECLAIM="a.slice"\n')
    for way in ("--dry-run", "--once"):
        assert command.main(["tend", way, "--json", "-c", str(path), "zram0"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["reasons"] == ["the configuration says to leave devices alone"]
        assert found["seen"]["devices"][0]["budget"] == MIB
        assert found["written"] == 0 and found["actions"] == []
    path.write_text('TEND_BUDGET="64M"\n')
    assert command.main(["tend", "-n", "--json", "--budget", "2M", "-c", str(path), "zram0"]) == 0
    assert json.loads(capsys.readouterr().out)["seen"]["devices"][0]["budget"] == 2 * MIB


def test_a_configuration_that_was_named_has_to_be_there(tmp_path, capsys) -> None:
    for words in (["zram0"], []):
        for way in ("--dry-run", "--once"):
            assert command.main(["tend", way, "-c", str(tmp_path / "none"), *words]) == 1
            assert f"{tmp_path}/none: read the configuration" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_an_error_of_a_single_run(machine, capsys) -> None:
    for words in (["--once", "-q", "zram9"], ["--dry-run", "zram9"], ["--once", "zram0", "zram9"]):
        assert command.main(["tend", *words]) == 1
        assert capsys.readouterr().err == "pyzram tend: zram9: no such device\n"
    machine.attribute("disksize").write_text("0\n")
    assert command.main(["tend", "--once", "-q", "zram0"]) == 1
    assert "zram0: not set up" in capsys.readouterr().err
    assert command.main(["tend", "--once", "-q"]) == 0  # none is configured


def test_what_fails_in_a_single_run_is_its_status(machine, monkeypatch, capsys) -> None:
    def fails(_device: Zram):
        raise ZramOSError(errno.EIO, "zram0: read mm_stat: Input/output error", None)

    monkeypatch.setattr(Zram, "read_mm_stat", fails)
    for way in ("--once", "--dry-run"):
        assert command.main(["tend", way, "zram0"]) == 1
        assert capsys.readouterr().err.count("read mm_stat: Input/output error\n") == 1


def test_help_fits_a_terminal(capsys) -> None:
    assert command.main(["tend", "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.split("\n"))) <= 80


def test_a_textfile_named_so_by_its_folder_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main(["tend", "--textfile", "./-"]) == 0
    assert "zram_tend_up 0" in Path("-").read_text()


@pytest.fixture
def signals() -> Iterator[None]:
    """The test process's own handlers, put back afterwards."""
    handlers = {number: signal.getsignal(number) for number in interruption.ENDING}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    interruption._Notes.number = 0
    interruption._Notes.taking = False


@pytest.mark.parametrize("number", interruption.ENDING)
@pytest.mark.usefixtures("signals")
def test_once_ends_for_a_signal_after_a_step(monkeypatch, number):
    """Not in the middle of it, when its device has the limit of the step and not its own."""
    done = []

    def step(*_words: object) -> None:
        signal.raise_signal(number)
        done.append("a whole step")

    for clock in ("awake", "boottime"):
        monkeypatch.setattr(Clocks, clock, lambda _clocks: 1e6)  # its pages are two days old
    signal.signal(number, lambda *_frame: done.append("torn apart"))
    monkeypatch.setattr(PostprocessWorker, "write_pages", step)
    with pytest.raises(SystemExit) as ended:
        command.main(["tend", "--once", "zram0"])
    assert ended.value.code == 128 + number
    assert done == ["a whole step"]
