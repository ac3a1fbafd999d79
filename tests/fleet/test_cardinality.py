# SPDX-License-Identifier: MIT
"""How many series a machine has is bounded, and docs/fleet.md says by what."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from fake_roots import TREES, Machine
from fleet.programs import TREE
from fleet.textfiles import command, write_all

from pyzram.cli.stats import device_metrics
from pyzram.cli.tend import textfile
from pyzram.doctor.checks import CHECKS

MONITORING = TREE / "monitoring"
KERNELS = sorted(path.name for path in TREES.iterdir() if path.is_dir())
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$", re.M)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# Priorities 0 to 3 are all that the kernel has.
ALGORITHMS, BACKING, TEND_OF_DEVICE = 4, 1, len(textfile.FIGURES)
MODES = 5
# From node_exporter about the files, and from Prometheus about each scrape.
OF_A_FILE, OF_NODE_EXPORTER, OF_A_SCRAPE = 1, 1, 5
FILES = 3
OF_AN_ALGORITHM, SURVEYED = 7, 7  # figures of a survey, and algorithms that it tries
LABELS = {
    "algorithm",
    "check",
    "collector",
    "device",
    "mode",
    "mount_point",
    "path",
    "priority",
    "version",
}


def recorded(word: str) -> int:
    """Recording rules whose name begins with this."""
    return len(re.findall(rf"record: {word}:", (MONITORING / "rules.yml").read_text()))


def of_a_device() -> int:
    """The most series of a device, including recorded ones, without its mount points."""
    figures = len(device_metrics.NUMBERS)
    return figures + ALGORITHMS + BACKING + TEND_OF_DEVICE + recorded("instance_device")


def of_a_machine() -> int:
    """The most series of a machine without a device."""
    page_size, up, pressure, last_round = 1, 1, 1, 1
    files = FILES * (2 + OF_A_FILE)  # success and build
    rest = OF_NODE_EXPORTER + OF_A_SCRAPE
    return page_size + len(CHECKS) + up + MODES + pressure + last_round + files + rest


def of_a_survey() -> int:
    """The most series that a survey adds to a machine."""
    examined, success, build = 1, 1, 1
    return OF_AN_ALGORITHM * SURVEYED + examined + success + build + OF_A_FILE


def samples(texts: dict[str, str]) -> Counter[tuple[str, str]]:
    """All series of a machine as node_exporter would merge them: name and labels."""
    return Counter(
        (name, labels)
        for text in texts.values()
        for name, labels in SAMPLE.findall(text)
        if not name.startswith("#")
    )


@pytest.fixture(scope="module")
def machines(tmp_path_factory) -> dict[tuple[str, int, int], Counter[tuple[str, str]]]:
    """Samples by kernel, devices and mount points of zram0."""
    found = {}
    for kernel in KERNELS:
        for devices, points in ((1, 0), (2, 0), (1, 3)):
            folder = tmp_path_factory.mktemp("machine")
            here = Machine(folder / "root", kernel)
            here.block("loop7", 1 << 20)
            here.swap(*(f"/dev/zram{n} partition 65532 1468 -2" for n in range(devices)))
            for number in range(1, devices):
                here.add(number)
            for number in range(points):
                here.mount(f"/mnt/{number}")
            found[kernel, devices, points] = samples(write_all(here, folder / "files"))
    return found


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_kernel_goes_over_the_bound(machines, kernel):
    by_recording, by_scraping = recorded("instance_device"), OF_NODE_EXPORTER + OF_A_SCRAPE
    for (name, devices, points), found in machines.items():
        if name == kernel:
            series = len(found) + FILES * OF_A_FILE + by_scraping + devices * by_recording
            assert series <= of_a_machine() + devices * of_a_device() + points
            assert set(found.values()) == {1}, "a series twice"


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_device_and_a_mount_point_add_what_is_said(machines, kernel):
    one, two, mounted = (machines[kernel, *key] for key in ((1, 0), (2, 0), (1, 3)))
    # tend was given zram0 alone.
    assert len(two) - len(one) <= of_a_device() - TEND_OF_DEVICE - recorded("instance_device")
    assert len(mounted) - len(one) == 3


def test_the_bound_is_near_what_there_is(machines):
    """A bound that nothing comes near would hold for ever."""
    most = max(len(found) for (_, devices, _), found in machines.items() if devices == 1)
    most += FILES * OF_A_FILE + OF_NODE_EXPORTER + OF_A_SCRAPE + recorded("instance_device")
    assert most >= 0.9 * (of_a_machine() + of_a_device())


def test_a_survey_adds_what_is_said(tmp_path):
    """The pages differ, because without an examined page an algorithm has no ratio."""
    (tmp_path / "data").write_bytes(bytes(range(256)) * 64 + b"x" * 4096)
    survey = tmp_path / "zram-estimate.prom"
    command("pyzram", "estimate", "--no-timing", "--textfile", survey, tmp_path / "data")
    found = samples({"estimate": survey.read_text()})
    assert len(found) + OF_A_FILE == of_a_survey()
    assert set(found.values()) == {1}
    page = " ".join((TREE / "docs/fleet.md").read_text().split())
    assert f"The survey adds at most {of_a_survey()} to a machine" in page


def test_labels_are_few_and_none_holds_a_number_that_moves(machines):
    seen: dict[str, set[str]] = {}
    for found in machines.values():
        for _, labels in found:
            for name, value in LABEL.findall(labels):
                seen.setdefault(name, set()).add(value)
    assert set(seen) == LABELS
    assert seen["mode"] == {"calm", "tight", "pressed", "choked", "held"}
    assert seen["check"] == set(CHECKS)
    assert seen["priority"] <= {"0", "1", "2", "3"}
    for name in ("algorithm", "check", "collector", "mode"):
        assert all(re.fullmatch(r"[a-z][a-z0-9_-]*", value) for value in seen[name])


def test_the_documentation_says_so():
    text = " ".join(Path(TREE / "docs/fleet.md").read_text().split())
    assert (
        f"at most {of_a_machine()} series, and each of its devices at most {of_a_device()}" in text
    )
