# SPDX-License-Identifier: MIT
"""A process uses what the previous one learnt, be that a killed daemon or a run from cron."""

from __future__ import annotations

import errno
import json
import math
import os
from contextlib import suppress

import pytest
from fake_roots import Machine
from tended_machines import HOUR, MIB, Steps, Watch, booted, press, tender

from pyzram.cli import pyzram as command
from pyzram.device.zram import Zram
from pyzram.errors import ZramError, ZramOSError
from pyzram.own_files import write_file
from pyzram.tend.handover import NAME, Handover, load, save
from pyzram.tend.settings import Settings
from pyzram.tend.state import Counts, DeviceState, State, Unfinished
from pyzram.tend.tender import Tender

BOOT = "this-start"
FULL = Handover(
    State("tight", 0.5, 1000.0, 900.0, 800.0, True, (DeviceState("7", 1.3, judged=5.0),)),
    Counts(1000.0, 5, 7, {"7": 4096}),
    {"7": Unfinished(MIB, 3.0, 0.5, 0.01, True), "8": Unfinished()},
)


@pytest.fixture
def path(machine: Machine) -> str:
    booted(machine, BOOT)
    return str(machine.root / "run" / NAME)


def next_process(machine: Machine, watch: Watch, path: str) -> Tender:
    """A tender that is not held because it has just started."""
    tending, _ = tender(machine, watch, handover=path)
    return tending


@pytest.mark.parametrize("handover", [Handover(), FULL])
def test_what_is_left_is_found(tmp_path, handover: Handover) -> None:
    path = str(tmp_path / NAME)
    save(path, BOOT, handover)
    assert load(path, BOOT, 1000.0) == handover
    assert load(path, "another", 1000.0) is None


def changed(part: str, **values: object) -> str:
    whole = {
        "boot": BOOT,
        "state": {**State()._asdict(), "devices": [DeviceState("7")._asdict()]},
        "counts": Counts()._asdict(),
        "devices": {"7": Unfinished()._asdict()},
    }
    row = whole[part]["7"] if part == "devices" else whole[part]
    for each in (row, whole["state"], whole["state"]["devices"][0], whole["counts"]):
        each.update({k: None for k, v in each.items() if v in (math.inf, -math.inf)})
    row.update(values)
    return json.dumps(whole)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "[" * 100_000, f'{{"boot": "{BOOT}"}}',
        changed("state", now=1e9),  # of another time namespace
        changed("counts", at=1e9),
        changed("state", later=1),
        changed("state", pressure="much"),
        changed("state", pressure=math.nan),
        changed("state", pressure=math.inf).replace("Infinity", "1e999"),
        changed("state", round=-(10**400)),
        changed("state", devices=[{"key": "7", "judged": -(10**400)}]),
        changed("state", devices=[{"caution": 1.0}]),
        changed("state", devices="7"),
        changed("counts", reads=[1]),
        changed("counts", reads={"7": "much"}),
        changed("counts", reads={"7": math.inf}).replace("Infinity", "1e999"),
        changed("devices", marked="long ago"),
    ],
    ids=lambda text: text[-40:],
)  # fmt: skip
def test_a_file_that_does_not_fit_is_none(machine: Machine, path: str, text: str) -> None:
    write_file(path, changed("state"))
    assert load(path, BOOT, 1000.0) == Handover(
        State(devices=(DeviceState("7"),)), Counts(), {"7": Unfinished()}
    )
    write_file(path, text)
    assert load(path, BOOT, 1000.0) is None
    tending = next_process(machine, Watch(), path)
    assert tending.state == State() and tending.round().written == 32 * MIB


def test_a_folder_that_cannot_be_written_ends_nothing(machine: Machine, path: str) -> None:
    (machine.root / "run").write_text("")
    assert next_process(machine, Watch(), path).round().written == 32 * MIB


def test_a_device_that_failed_is_left_alone_by_the_next_process(machine: Machine, path: str):
    """A failing medium is not written to at each start of a daemon, or by each run from cron."""
    watch = Watch()
    held = []
    for _ in range(8):
        tending, writer = tender(machine, watch, handover=path)
        writer.error = ZramOSError(5, "zram0: write back: Input/output error", None)
        decision = tending.round().decision
        held.append(decision.reasons)
        tending.close()
        watch.now += 61
    assert held[1] == ("zram0: held for 60 s more",)
    assert held[3] == ("zram0: held for 120 s more",)
    assert sum(not reasons for reasons in held) == 3


def test_caution_is_no_matter_of_one_process(machine: Machine, path: str) -> None:
    """Everything that was written comes back, so pages must be older, whoever looks."""
    watch = Watch()
    for hour in range(4):
        count, reads = (hour + 1) * 65536, hour * 65536
        machine.attribute("bd_stat").write_text(f"{count} {reads} {count}\n")
        tending = next_process(machine, watch, path)
        (state,) = tending.round().decision.state.devices
        assert state.caution == pytest.approx(1.3**hour)
        watch.now += HOUR


def test_pages_that_come_back_across_a_start_are_no_shortage(machine: Machine, path: str) -> None:
    """What processes waited in the last minutes for pages that were written back before."""
    watch = Watch()
    machine.attribute("bd_stat").write_text("0 0 1000000\n")
    next_process(machine, watch, path).round()
    # Within a minute 9 s of waiting, for ten thousand pages of a card.
    watch.now += 60
    machine.attribute("bd_stat").write_text("0 10000 1000000\n")
    press(machine.root, 2.0, total=9_000_000)
    report = next_process(machine, watch, path).round()
    assert report.decision.state.ours300 > 2.0
    assert report.decision.state.mode == "calm"
    # A process that remembers nothing takes it for a shortage.
    report = next_process(machine, watch, "").round()
    assert report.decision.state.mode == "tight"


def test_marks_get_as_old_as_the_machine(machine: Machine, path: str, monkeypatch) -> None:
    """Without block_state, runs from cron would otherwise mark all pages again each time."""
    (machine.root / "sys/kernel/debug/zram/zram0/block_state").unlink()
    machine.attribute("recomp_algorithm").write_text("#1: [zstd]\n")
    marked, written = [], []
    watch = Watch()
    began = watch.now
    monkeypatch.setattr(Zram, "mark_idle", lambda _device, age=None: marked.append(watch.now))
    for _ in range(4 * 49):
        tending, writer = tender(machine, watch, handover=path)
        writer.write_idle = lambda _device, huge, _limit, _age: written.append((watch.now, huge))
        tending.round()
        tending.close()
        watch.now += 900
    assert marked[0] == began and began + 48 * HOUR in [at for at, huge in written if not huge]
    assert not [at for at, huge in written if not huge and at < began + 48 * HOUR]


class Killed(BaseException):
    """As nobody catches."""


@pytest.mark.parametrize("killed", [False, True])
def test_what_one_process_recompressed_the_next_one_writes(machine: Machine, path: str, killed):
    """Unless it was killed meanwhile: then nobody knows what was stored just before."""
    watch = Watch()
    state = machine.root / "sys/kernel/debug/zram/zram0/block_state"
    machine.attribute("recomp_algorithm").write_text("#1: [zstd]\n")

    def all_pages(used: float, flags: str) -> None:
        state.write_text("".join(f"{n:12} {used:19.6f} {flags}\n" for n in range(12000)))

    def recompress() -> None:
        all_pages(0, "....r.")
        recompressions.append(1)
        if len(recompressions) > 1:
            raise Killed

    recompressions = []
    all_pages(800_000, "......")
    for _ in range(1 + killed):
        tending, writer = tender(machine, watch, handover=path)
        tending.settings = Settings(writeback=False)
        writer.recompression = lambda _device, _huge, _pages: Steps(recompress)
        with suppress(Killed):
            tending.round()
        tending.close()
        if len(recompressions) < 1 + killed:
            all_pages(watch.now, "......")  # all of them are stored anew
        watch.now += 7 * HOUR
    assert len(recompressions) == 1 + killed
    assert next_process(machine, watch, path).round().written == (0 if killed else 32 * MIB)


def test_the_ages_of_a_device_that_is_gone_are_dropped(machine: Machine, path: str) -> None:
    machine.attribute("recomp_algorithm").write_text("#1: [zstd]\n")
    ages = machine.root / "run/tend/ages"
    write_file(f"{ages}/99", "64 of another one")
    tending = next_process(machine, Watch(), path)
    tending.round()
    (key,) = tending.roster.known
    assert os.listdir(ages) == [key] != ["99"]


def test_ages_that_stay_are_not_recompressed_past(machine: Machine, path: str, monkeypatch) -> None:
    """They might tell of pages that are not there any more."""
    machine.attribute("recomp_algorithm").write_text("#1: [zstd]\n")
    tending, writer = tender(machine, Watch(), handover=path)
    done = []
    writer.recompression = lambda *_words: Steps(lambda: done.append(1))

    def stays(path: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr("pyzram.tend.handover.os.unlink", stays)
    tending.round()
    assert not done


def test_somebody_else_s_limit_is_seen_by_the_next_process(machine: Machine, path: str) -> None:
    watch = Watch()
    for limit, reasons in ((100, 0), (200, 1)):
        machine.attribute("writeback_limit_enable").write_text("1\n")
        machine.attribute("writeback_limit").write_text(f"{limit * 256}\n")
        found = next_process(machine, watch, path).round().decision.reasons
        assert len(found) == reasons, found
        watch.now += 60
    assert found == ("zram0: held for 3600 s more",)


def test_a_look_that_cannot_read_passes_on_what_was_learnt(machine: Machine, path: str) -> None:
    watch = Watch()
    tending, writer = tender(machine, watch, handover=path)
    writer.error = ZramOSError(5, "zram0: write back: Input/output error", None)
    tending.round()

    def fails() -> list[int]:
        raise ZramError("/run/pyzram/record: read the record: it is damaged")

    watch.now += 1
    blind = next_process(machine, watch, path)
    blind.roster.numbers = fails
    blind.round()
    watch.now += 1
    reasons = next_process(machine, watch, path).round().decision.reasons
    assert reasons == ("zram0: held for 60 s more",)


def test_what_is_gone_is_forgotten(machine: Machine, path: str) -> None:
    watch = Watch()
    next_process(machine, watch, path).round()
    assert load(path, BOOT, watch.now).devices
    machine.attribute("disksize").write_text("0\n")
    next_process(machine, watch, path).round()
    assert load(path, BOOT, watch.now).devices == {}


def test_the_next_daemon_has_its_round_when_it_is_due(machine: Machine, path: str) -> None:
    """And is held after its start, as the first one was."""
    watch = Watch()
    tending, _ = tender(machine, watch, at_once=False, handover=path)
    watch.now += 301
    assert tending.round().written == 32 * MIB
    watch.now += 1800
    tending, _ = tender(machine, watch, at_once=False, handover=path)
    assert tending.round().decision.reasons == ("just started",)
    watch.now += 301
    assert not tending.round().is_round
    watch.now += 1500
    assert tending.round().is_round


def test_the_command_keeps_it_in_the_run_folder(machine: Machine, monkeypatch, capsys) -> None:
    monkeypatch.setenv("PYZRAM_ROOT", str(machine.root))
    monkeypatch.setenv("PYZRAM_RUN", str(machine.root / "run"))
    monkeypatch.setenv("PYZRAM_STATE", str(machine.root / "state"))
    booted(machine)
    path = machine.root / "run" / NAME
    assert command.main(["tend", "--dry-run", "zram0"]) == 0
    assert not path.exists()
    assert command.main(["tend", "--once", "-q", "zram0"]) == 0
    assert path.stat().st_mode & 0o777 == 0o600
    told = json.loads(path.read_text())
    (told["state"]["devices"][0]["caution"],) = (2.5,)
    path.write_text(json.dumps(told))
    capsys.readouterr()
    for way in ("--dry-run", "--once", "--once"):
        assert command.main(["tend", way, "--json", "zram0"]) == 0
        assert json.loads(capsys.readouterr().out)["devices"]["zram0"]["caution"] == 2.5
