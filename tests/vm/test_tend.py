# SPDX-License-Identifier: MIT
"""``pyzram tend`` on real kernels: what it does to pages, to media and to limits.

Floors are seconds here, for which an emulated guest on a busy machine is too slow.
"""

from __future__ import annotations

import json
import math
import os
import sys

import pytest
from vm.archive import TREE, kernel_image, results
from vm.guest import Guest, load_driver
from vm.kernels import KERNELS
from vm.module import rebuilt_modules
from vm.ring import DEADLINE

M = 1 << 20
NAMES = ("6.1", "6.12-multi", "7.x-multi")
TRIALS = (
    "cold", "ages", "unseen", "marked", "hog", "calm", "kills", "turns", "changes", "media",
    "reclaim",
)  # fmt: skip


def report_of(name: str, trials: tuple[str, ...], kills: int) -> dict:
    """What the trials saw on this kernel."""
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == name)
    image = kernel_image(kernel)
    modules = rebuilt_modules(kernel, image) if kernel.rebuilt else ()
    folder = results(f"tend-{name}")
    disk = folder / "disk"
    with disk.open("wb") as file:
        file.truncate(64 * M)
    script = folder / "guest.sh"
    script.write_text(
        f"cd {TREE}\n{load_driver(modules)}\n"
        f"{sys.executable} -I tests/vm/tend_trial.py {folder} {kills} {' '.join(trials)} "
        f">{folder}/log 2>&1\n"
    )
    guest = Guest(image, script, folder, disks=(disk,))
    waited = 0.0
    if "hog" in trials and guest.wait_for(folder / "fired", DEADLINE):
        before = guest.waited()
        if guest.wait_for(folder / "written", DEADLINE):
            waited = guest.waited() - before
    ended = guest.wait(DEADLINE)
    report = folder / "report.json"
    said = (folder / "log").read_text() if (folder / "log").exists() else ""
    assert report.exists(), said + guest.last_words()
    found = json.loads(report.read_text())
    for trial in trials:
        assert trial in found, f"{trial}: {'crashed' if ended else 'hung'}\n{guest.last_words()}"
        assert "failed" not in found[trial], (
            f"{trial}: {found[trial]['failed']}{found[trial]['log']}"
        )
        assert "Traceback" not in found[trial]["log"], found[trial]["log"]
    if "hog" in trials:
        found["hog"]["waited"] = waited
    return found


def judge(name: str, found: dict) -> None:
    """Compare what was seen with what is promised."""
    print(f"{name} ({found['release']}):")
    multi = name.endswith("-multi")
    if cold := found.get("cold"):
        print(
            f"  cold: {cold['count']} pages written, {cold['reads']} came back, "
            f"{cold['first']} -> {cold['recompressed']} bytes recompressed"
        )
        assert cold["equal"] == [True, True]
        assert cold["count"] == cold["writes"] == cold["kept"]
        # Every page of the process was read once, and nothing else.
        assert cold["reads"] == cold["pages"]
        assert multi == (cold["recompressed"] is not None)
    for trial in ("ages", "unseen", "marked"):
        if ages := found.get(trial):
            print(
                f"  {trial}: {ages['gone']} of {ages['pages']} written, the youngest "
                f"{ages['youngest']:.1f} s after its last use; "
                f"of {ages['forgotten']} the kernel had forgotten it"
            )
            assert ages["early"] == []
            assert ages["late"] == []
            assert ages["equal"]
            # Without block_state nothing that is still to be written is recompressed.
            assert (ages["forgotten"] > 0) == (multi and trial == "ages")
    if hog := found.get("hog"):
        within = ", ".join(f"{name} {seconds:.2f}" for name, seconds in hog["within"].items())
        own = hog["reaction"] - hog["waited"]
        print(f"  hog: first byte {hog['reaction']:.2f} s after the trigger; {within}")
        print(f"  hog: {own:.2f} s without what the guest waited for this machine's processors")
        assert hog["before"] == 0
        assert hog["writes"] > 0
        assert hog["equal"]
        # Without a trigger it would be ten minutes.
        assert own <= 3
    for trial, often in (("calm", "ten times too often"), ("ten_calm_minutes", "as shipped")):
        if calm := found.get(trial):
            print(f"  {trial}: {calm['processor']:.2%} of a processor, {often}")
            assert (calm["writes"], calm["same"]) == (0, True)
    if kills := found.get("kills"):
        print(
            f"  kills: {kills['kills']}, {kills['within']} of them within a step; "
            f"{kills['killed'] / M:.1f} of {kills['budget'] / M:.0f} MiB written"
        )
        assert kills["within"] > 0
        assert 0 < kills["killed"] <= kills["budget"]
        own, left, expected = kills["limit"]
        assert (left, kills["enabled"]) == (expected, True), own
    if turns := found.get("turns"):
        for what in ("command", "reload", "stop"):
            if what in turns:
                waited, count, pages = turns[what]
                print(
                    f"  turns: {what} {waited:.2f} s after it asked, {count} of {pages} pages done"
                )
                # A step takes half a second, the rest of the pages much longer.
                assert waited < 10
                assert 0 < count < pages
        assert multi == ("stop" in turns)
    if reclaim := found.get("reclaim"):
        print(f"  reclaim: {reclaim['swapped']} bytes swapped out")
        assert reclaim["equal"] == [True, True, True]
        assert reclaim["swapped"].pop("named") > 0
        assert set(reclaim["swapped"].values()) == {0}
    if changes := found.get("changes"):
        assert all(alive for *_, alive in changes["steps"]), changes["steps"]
    if media := found.get("media"):
        full, broken, well = media["count"]
        print(f"  media: {full}, {broken}, {well} pages on the full, the failing and the good one")
        assert media["alive"]
        assert media["equal"] == [True, True, True]
        assert (broken, well) == (0, 1024)
        assert media["failures"] > 0


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_daemon_keeps_its_promises(name):
    judge(name, report_of(name, TRIALS, kills=20))


@pytest.mark.skipif("PYZRAM_KILLS" not in os.environ, reason="takes long: make kills")
@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_its_budget_however_often_it_is_killed(name):
    kills = math.ceil(int(os.environ["PYZRAM_KILLS"]) / len(NAMES))
    judge(name, report_of(name, ("kills",), kills))


@pytest.mark.skipif("PYZRAM_KILLS" not in os.environ, reason="takes long: make kills")
@pytest.mark.long
def test_it_does_nothing_in_ten_calm_minutes():
    judge("7.x-multi", report_of("7.x-multi", ("ten_calm_minutes",), kills=0))
