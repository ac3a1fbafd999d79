# SPDX-License-Identifier: MIT
"""Kernels with pages of 16 and 64 KiB, and one that is big endian: every page adds what was
predicted, the pool takes as much as predicted, and the kernel ring passes.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import vectors
from arches.differences import OF_ONE
from vm.archive import results
from vm.foreign import MACHINES, Machine, boot
from vm.ring import AT_LEAST, DEADLINE, OPTIONS, WHOLE, executed

EXACT = {"deflate", "lz4"}


def pages(size: int) -> bytes:
    """Thirty made pages, and some of this machine's programs and modules."""
    data = b"".join(vectors.large_pages(size))
    for path in (Path("/bin/sh"), Path(os.__file__), Path("/bin/busybox")):
        if path.exists():
            found = path.read_bytes()
            data += found[: min(len(found) // size, 15) * size]
    return data


each_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


def run(machine: Machine, folder: Path, work: str) -> None:
    guest = boot(machine, folder, f"export HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis\n{work}")
    assert guest.wait(DEADLINE), f"hung past {DEADLINE:.0f} s:\n{guest.last_words()}"


@pytest.mark.long
@each_machine
def test_the_kernel_ring_passes(machine):
    folder = results(f"{machine.name}-ring")
    options = shlex.join([*OPTIONS.split(), "-m", "not slow", "--junitxml=/out/junit.xml", *WHOLE])
    run(
        machine,
        folder,
        "modprobe -a loop dm-mod ext4\nexport PYZRAM_IN_GUEST=1 PYZRAM_REQUIRE_KERNEL=1\n"
        f"python3 -B {options} >/out/pytest.log 2>&1\necho $? >/out/status\n",
    )
    log = folder / "pytest.log"
    report = log.read_text()[-4000:] if log.exists() else "nothing ran"
    assert (folder / "status").exists(), report
    assert (folder / "status").read_text() == "0\n", report
    assert executed(folder) >= AT_LEAST, report
    print(f"{machine.name}: {executed(folder)} kernel tests")


@pytest.mark.long
def test_what_an_emulated_program_cannot_see_is_seen_on_a_big_endian_kernel():
    (machine,) = (machine for machine in MACHINES if machine.arch == "s390x")
    folder = results(f"{machine.name}-pagemap")
    # An example takes it more than ten minutes, and it may have no huge page to give.
    left_out = ("tests/native/test_examples", "tests/native/pages/process/test_huge_pages")
    tests = [test for test in OF_ONE["s390x"] if not test.startswith(left_out)]
    options = shlex.join([*OPTIONS.split(), "--junitxml=/out/junit.xml", *tests])
    run(machine, folder, f"python3 -B {options} >/out/pytest.log 2>&1\necho $? >/out/status\n")
    report = (folder / "pytest.log").read_text()[-4000:]
    assert (folder / "status").read_text() == "0\n", report
    assert executed(folder) >= len(tests), report
    print(f"{machine.name}: {executed(folder)} tests")


@pytest.mark.long
@each_machine
def test_every_page_adds_what_was_predicted(machine):
    folder = results(machine.name)
    (folder / "pages").write_bytes(pages(machine.page_size))
    run(machine, folder, "python3 -IB tests/vm/large_pages.py >/out/log 2>&1\n")
    report = folder / "report.json"
    log = folder / "log"
    assert report.exists(), log.read_text() if log.exists() else "nothing ran"
    seen = json.loads(report.read_text())
    assert seen["page"] == machine.page_size
    assert int(seen["swap"]) == 1023 * machine.page_size // 1024
    sizes = [pages * machine.page_size // 1024 for pages in (1023, 2047)]
    assert seen["service"] == [str(sizes[0]), str(sizes[1]), ""]
    for row in seen["rows"]:
        kernel, ours = row["kernel"], row["ours"]
        wrong = sum(a != b for a, b in zip(kernel, ours, strict=True))
        name = f"{row['algorithm']} level {row['level'] or 'default'}"
        error = sum(ours) / sum(kernel) - 1
        print(f"{machine.name} {name}: {wrong} of {len(kernel)} wrong, {error:+.3%} in sum")
        assert row["model_of_kernels"] == row["used"], name
        if row["exact"] or row["algorithm"] in EXACT:
            assert wrong == 0, name
            assert row["model"] == row["used"], name
        # lz4hc is the library's, and so is zstd, of whichever generation it is.
        assert abs(error) < (0.005 if row["algorithm"] == "zstd" else 0.01), name
