# SPDX-License-Identifier: MIT
"""Every collector's textfile on a machine whose devices are held up or vanish, as promtool sees it.

The file must be written soon, and must say what is true and nothing else; on Linux 7.x a device
that is being written back makes its readers wait.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_roots import Machine, unreadable
from fleet.textfiles import tending, words

from pyzram.cli import doctor
from pyzram.cli.estimate import command as estimate
from pyzram.doctor import snapshot
from pyzram.doctor.checks import CHECKS

SECONDS = 30.0  # all of zram-textfile.service has 50
KERNEL = "vm-7.x-multi"


@pytest.fixture
def here(tmp_path) -> Machine:
    machine = Machine(tmp_path / "root", KERNEL)
    machine.add(1)
    return machine


class Written:
    """A textfile, and what its command printed."""

    def __init__(self, promtool: Path, path: Path, errors: str) -> None:
        self.text = path.read_text()
        self.errors = errors
        self.lines = [line for line in self.text.split("\n") if line and line[0] != "#"]
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=self.text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def success(self) -> int:
        (found,) = re.findall(r"^zram_scrape_success\{.*\} (\d)$", self.text, re.M)
        return int(found)


@pytest.fixture
def write(tmp_path, promtool, here):
    """Let a command write its textfile over an old one; it has to end by itself, with 0."""

    def run(name: str, *arguments: str | Path, **environment: str) -> Written:
        path = tmp_path / f"{name}.prom"
        path.write_text("zram_phantom 1\n")
        done = subprocess.run(
            [*words("zram_stats" if name == "zram_stats" else "pyzram"), *arguments]
            + ["--textfile", path],
            env={**os.environ, "PYZRAM_ROOT": str(here.root), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return Written(promtool, path, done.stderr)

    return run


def test_zram_stats_of_a_device_that_is_held_up(here, write):
    here.hold_up("mm_stat")
    written = write("zram_stats")
    assert written.success() == 0
    assert 'zram_disksize_bytes{device="zram0"} 67108864' in written.lines
    assert not [x for x in written.lines if "mem_used" in x and "zram0" in x]
    assert [x for x in written.lines if "mem_used" in x and "zram1" in x]
    assert written.errors.count("\n") == 1 and "zram0: mm_stat" in written.errors


@pytest.mark.parametrize("name", ["mm_stat", "comp_algorithm", "bd_stat", "disksize"])
def test_doctor_of_a_device_that_is_held_up_says_no_finding_for_an_absent_one(here, write, name):
    here.hold_up(name)
    written = write("doctor", "doctor")
    assert written.success() == 0
    assert not [x for x in written.lines if "finding" in x]
    assert written.errors.count("\n") == 1
    assert "zram0" in written.errors and name in written.errors


def test_doctor_of_a_device_that_vanishes_looks_at_the_others(
    here, tmp_path, promtool, monkeypatch, capsys
):
    """Between the list of devices and the first look at one of them."""
    monkeypatch.setenv("PYZRAM_ROOT", str(here.root))
    real = snapshot.Zram

    def vanish(number: int, **options: object) -> object:
        if number == 0:
            here.attribute("").rename(here.root / "gone")
        return real(number, **options)

    monkeypatch.setattr(snapshot, "Zram", vanish)
    path = tmp_path / "doctor.prom"
    assert doctor.main(["--textfile", str(path)]) == 0
    written = Written(promtool, path, capsys.readouterr().err)
    assert (here.root / "gone").is_dir()
    assert (written.success(), written.errors) == (1, "")
    told = re.findall(r'^zram_doctor_finding\{check="(.*)"\} [01]$', written.text, re.M)
    assert sorted(told) == sorted(CHECKS)


@pytest.mark.parametrize("table", ["proc/swaps", "proc/self/mountinfo"])
@pytest.mark.parametrize("code", [errno.EACCES, errno.ENOENT])
def test_doctor_without_a_table_of_the_system_still_writes(
    here, tmp_path, promtool, monkeypatch, capsys, table, code
):
    monkeypatch.setenv("PYZRAM_ROOT", str(here.root))
    if code == errno.ENOENT:
        (here.root / table).unlink()
    else:
        unreadable(monkeypatch, code, table)
    path = tmp_path / "doctor.prom"
    path.write_text("zram_phantom 1\n")
    assert doctor.main(["--textfile", str(path)]) == 0
    written = Written(promtool, path, capsys.readouterr().err)
    if (table, code) == ("proc/swaps", errno.ENOENT):
        assert (written.success(), written.errors) == (1, "")  # a kernel without swap
        return
    assert written.success() == 0
    assert not [x for x in written.lines if "finding" in x]
    assert written.errors.count("\n") == 1
    assert f"{table}: read: {os.strerror(code)}" in written.errors


@pytest.mark.parametrize("name", ["zram_stats", "doctor"])
@pytest.mark.parametrize("line", ["x y z", "x y z a b"])
def test_swaps_that_are_none_are_no_success(here, write, name, line):
    here.swap(line)
    written = write(name, *(["doctor"] if name == "doctor" else []))
    assert written.success() == 0
    assert not [x for x in written.lines if "finding" in x]
    told = written.errors.removesuffix("\n").split("\n")
    assert len(told) == (2 if name == "zram_stats" else 1)  # zram_stats says so for each device
    assert all("proc/swaps" in x for x in told)


@pytest.mark.parametrize("name", ["zram_stats", "doctor", "tend", "estimate"])
def test_a_file_that_cannot_be_written_is_status_1(here, tmp_path, name):
    first = [] if name == "zram_stats" else [name]
    if name == "estimate":
        first += ["--no-timing", "--pid", str(os.getpid())]
    done = subprocess.run(
        [*words("zram_stats" if name == "zram_stats" else "pyzram"), *first]
        + ["--textfile", tmp_path / "none/x.prom"],
        env={**os.environ, "PYZRAM_ROOT": str(here.root), "PYZRAM_RUN": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert "none/x.prom: write metrics" in done.stderr


def test_estimate_of_a_process_that_is_gone(write):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    written = write("estimate", "estimate", "--no-timing", "--pid", str(process.pid))
    assert written.success() == 0
    assert not [x for x in written.lines if "estimate_" in x]
    assert written.errors.count("\n") == 1 and str(process.pid) in written.errors


@pytest.mark.parametrize("moment", ["before it is read", "after the first pages"])
def test_estimate_of_a_process_that_ends_meanwhile(tmp_path, promtool, monkeypatch, capsys, moment):
    """Half an answer must not be left: it would look like that of a process that compresses."""
    code = "import os, time; x = os.urandom(1 << 26); print(flush=True); time.sleep(60)"
    path = tmp_path / "estimate.prom"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        real = estimate.opened

        def end(*_progress: object) -> None:
            process.kill()
            process.wait()

        @contextlib.contextmanager
        def opened(options):
            with real(options) as source:
                assert source.pages * source.page_size >= 1 << 26
                end()
                yield source

        if moment == "before it is read":
            monkeypatch.setattr(estimate, "opened", opened)
        else:
            monkeypatch.setattr(estimate, "progress_bar", lambda _: contextlib.nullcontext(end))
        words = ["--no-timing", "--full", "-a", "lz4", "--pid", str(process.pid)]
        assert estimate.main([*words, "--textfile", str(path)]) == 0
        assert process.returncode == -signal.SIGKILL
    written = Written(promtool, path, capsys.readouterr().err)
    assert written.success() == 0
    assert not [x for x in written.lines if "estimate_" in x]
    assert written.errors.count("\n") == 1 and "are gone" in written.errors


def test_tend_while_the_daemons_device_is_held_up_and_after_it_is_gone(here, tmp_path, write):
    with tending(here, tmp_path, "1M") as environment:
        assert write("tend", "tend", **environment).success() == 1
        here.hold_up("mm_stat")
        started = time.monotonic()
        held = write("tend", "tend", **environment)
        assert time.monotonic() - started < SECONDS / 2
        assert held.success() == 1 and "zram_tend_up 1" in held.lines
        shutil.rmtree(here.attribute(""))
        gone = write("tend", "tend", **environment)
        assert gone.success() == 1
    stopped = write("tend", "tend", **environment)
    assert stopped.lines[0] == "zram_tend_up 0"
    assert stopped.success() == 1
    assert not [x for x in stopped.lines if "device=" in x]
