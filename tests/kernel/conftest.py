# SPDX-License-Identifier: MIT
"""Real devices: only ones that were added here, and the machine is left as it was found.

With PYZRAM_REQUIRE_KERNEL=1, a run that tested nothing fails. PYZRAM_SHARED_MACHINE=1 says that
others use zram on this machine at the same time, so only what these tests made is checked.
"""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import leftovers
import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kernel.box import Box

CONTROL = Path("/sys/class/zram-control")
WHY_NOT = ""
if os.geteuid() != 0:
    WHY_NOT = "needs root"
elif not CONTROL.is_dir():
    WHY_NOT = "needs a zram driver (no /sys/class/zram-control)"
ADDED: dict[int, int | None] = {}


@dataclass(frozen=True)
class OwnDevice:
    """A device that a test added."""

    number: int
    diskseq: str = field(init=False)
    """Unlike a device's number, the kernel never assigns this twice."""

    def __post_init__(self) -> None:
        path = self.sysfs / "diskseq"
        object.__setattr__(self, "diskseq", path.read_text() if path.exists() else "")

    @property
    def name(self) -> str:
        return f"zram{self.number}"

    @property
    def node(self) -> str:
        return f"/dev/{self.name}"

    @property
    def sysfs(self) -> Path:
        return Path("/sys/block") / self.name

    def write(self, attribute: str, value: str) -> None:
        """Write once; errors are plain OSErrors with the kernel's errno."""
        write_once(self.sysfs / attribute, value)

    def read(self, attribute: str) -> str:
        return (self.sysfs / attribute).read_text()

    def exists(self) -> bool:
        """Whether it is still there; its number may be another's by now."""
        try:
            return self.read("diskseq") == self.diskseq
        except OSError:
            return False


def write_once(path: Path, value: str) -> None:
    """Write once, or until a guest's udev has finished looking at the device."""
    patient = path.name in ("reset", "hot_remove") and "PYZRAM_IN_GUEST" in os.environ
    end = time.monotonic() + 2 * patient
    fd = os.open(path, os.O_WRONLY)
    try:
        while True:
            try:
                os.write(fd, value.encode())
            except OSError as err:
                if err.errno != errno.EBUSY or time.monotonic() >= end:
                    raise
                time.sleep(0.1)
            else:
                return
    finally:
        os.close(fd)


def add_device() -> OwnDevice:
    number = int((CONTROL / "hot_add").read_text())
    ADDED[number] = leftovers.hold(number)
    return OwnDevice(number)


def drop_device(device: OwnDevice) -> None:
    """Swap off, unmount and remove, whatever state a test left the device in."""
    held = ADDED.pop(device.number, None)
    if device.exists():
        remove_device(device)
    leftovers.let_go(held)


def remove_device(device: OwnDevice) -> None:
    for table, command in (("/proc/swaps", "swapoff"), ("/proc/self/mounts", "umount")):
        for line in Path(table).read_text().splitlines():
            if line.split()[0] == device.node:
                subprocess.run([command, device.node], check=False)
    deadline = time.monotonic() + 5
    while device.exists():
        try:
            write_once(CONTROL / "hot_remove", str(device.number))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@pytest.fixture
def add_zram() -> Iterator[Callable[[], OwnDevice]]:
    """A function that adds devices, all of which are gone after the test."""
    made: list[OwnDevice] = []

    def add() -> OwnDevice:
        made.append(add_device())
        return made[-1]

    yield add
    for device in reversed(made):
        drop_device(device)


@pytest.fixture
def zram_device(add_zram: Callable[[], OwnDevice]) -> OwnDevice:
    """One uninitialised device of our own."""
    return add_zram()


@pytest.fixture
def offered(zram_device: OwnDevice) -> list[str]:
    """Names of this kernel's algorithms, the selected one first."""
    words = zram_device.read("comp_algorithm").split()
    return sorted((w.strip("[]") for w in words), key=lambda w: f"[{w}]" not in words)


@pytest.fixture
def box(tmp_path: Path, add_zram: Callable[[], OwnDevice]) -> Iterator[Box]:
    """A configuration of one small swap device, and another device that must stay unchanged."""
    from kernel.box import SMALL, Box, Bystander

    made = Box(tmp_path)
    made.write(SMALL)
    bystander = Bystander(add_zram())
    yield made
    for number in reversed(made.numbers()):
        drop_device(OwnDevice(number))
    assert bystander.look() == bystander.before


def machine() -> dict[str, list[str]]:
    """What tests could leave behind."""
    return {
        "zram devices": sorted(p.name for p in Path("/sys/block").glob("zram*")),
        "nodes": sorted(map(str, Path("/dev").glob("*zram*"))),
        "swap areas": [x.split()[0] for x in Path("/proc/swaps").read_text().splitlines()[1:]],
        "loop devices": sorted(map(str, Path("/sys/block").glob("loop*/loop/backing_file"))),
        "mounts": sorted(x.split()[1] for x in Path("/proc/self/mounts").read_text().splitlines()),
    }


@pytest.fixture(scope="session", autouse=True)
def machine_as_it_was() -> Iterator[None]:
    if not WHY_NOT:
        for name in leftovers.take_away():
            print(f"{name} was left by a run that was killed: removed")
    before = machine()
    yield
    assert not ADDED, f"tests left devices behind: {sorted(ADDED)}"
    if os.environ.get("PYZRAM_SHARED_MACHINE") != "1":
        assert before == machine()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if WHY_NOT and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=WHY_NOT))
        elif item.get_closest_marker("vm_only") and os.environ.get("PYZRAM_IN_GUEST") != "1":
            item.add_marker(pytest.mark.skip(reason="may crash the kernel: only in a VM"))


class Tally:
    """How many tests of this ring passed."""

    passed = 0


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed and "tests/kernel/" in report.nodeid:
        Tally.passed += 1


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("PYZRAM_REQUIRE_KERNEL") == "1" and not Tally.passed:
        print("\nthis run was meant to test the kernel and tested nothing", flush=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
