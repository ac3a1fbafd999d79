# SPDX-License-Identifier: MIT
"""The doctor on real setups: what it finds, and that its own command fixes it.

Settings of the whole machine (zswap, resume, page-cluster, other swap) are touched only in guests.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.box import forked
from kernel.raw import PAGE, noise, store, text

import pyzram
from pyzram.doctor import checks, memory_checks, upkeep_checks
from pyzram.doctor.finding import Finding
from pyzram.doctor.snapshot import take_snapshot

guest = pytest.mark.skipif(
    os.environ.get("PYZRAM_IN_GUEST") != "1", reason="is the whole machine's: only in a VM"
)


@pytest.fixture
def zram(zram_device):
    with pyzram.Zram(zram_device.number) as device:
        yield device


@pytest.fixture
def small(monkeypatch):
    """Judge shares of less data, which is stored sooner."""
    for module in (memory_checks, upkeep_checks):
        monkeypatch.setattr(module, "STORED_BYTES_JUDGED", 1 << 20)


def found(check: str, device: str | None, config: str = "/nowhere/zram") -> list[Finding]:
    findings = checks.examine(take_snapshot(config_path=config))
    return [finding for finding in findings if (finding.check, finding.device) == (check, device)]


def mend(finding: Finding) -> None:
    """Do as it says; what is in brackets is not the command."""
    command = re.sub(r" \(.*\)$", "", finding.remedy)
    if command.startswith("pyzram "):
        done = forked(shlex.split(command)[1:], dict(os.environ))
    else:
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        done = subprocess.run(
            ["sh", "-ec", command],
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, f"{finding.remedy}: {done.stderr}"


def needs(*attributes: str, device: pyzram.Zram) -> None:
    for name in attributes:
        if not device.has(name):
            pytest.skip(f"this kernel has no {name}")


# ---- devices -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_mounted_file_system_gets_its_discard(zram, tmp_path):
    point = tmp_path / "two words"
    point.mkdir()
    zram.configure(disksize="32M")
    subprocess.run(["mkfs.ext4", "-q", zram.node], check=True)
    subprocess.run(["mount", zram.node, point], check=True)
    try:
        (point / "file").write_bytes(noise() * 500)
        os.sync()
        (finding,) = found("discard", zram.name)
        (point / "file").unlink()
        os.sync()
        held = zram.read_mm_stat().orig_data_size
        mend(finding)
        assert zram.read_mm_stat().orig_data_size < held - 400 * PAGE
        assert found("discard", zram.name) == []
    finally:
        subprocess.run(["umount", point], check=True)


def test_refused_writes_get_a_higher_limit(zram, zram_device):
    zram.configure(disksize="16M", mem_limit="1M")
    with pytest.raises(OSError):
        store(zram_device, [noise(number) for number in range(300)])
    (finding,) = found("failed-writes", zram.name)
    mend(finding)
    assert zram.read_mm_stat().mem_limit == 2 << 20


def test_an_unused_device_gives_its_table_back(zram):
    zram.configure(disksize="64M")
    (finding,) = found("unused", zram.name)
    assert f"at least {(64 << 20) // PAGE * 16 // 1024}K" in finding.figure
    mend(finding)
    assert found("unused", zram.name) == []
    assert zram.read_disksize() == 0


@pytest.mark.slow
def test_a_scattered_pool_is_compacted(zram, zram_device, small):
    zram.configure(disksize="64M")
    # Two objects a page of the pool, of which every other one goes.
    half = [noise(number)[: PAGE // 2 - 300] + bytes(PAGE // 2 + 300) for number in range(2000)]
    store(zram_device, half)
    for slot in range(0, 2000, 2):
        store(zram_device, [bytes(PAGE)], first=slot)
    (finding,) = found("scattered", zram.name)
    mend(finding)
    assert found("scattered", zram.name) == []


def test_huge_pages_go_to_the_backing_device_that_was_never_used(
    zram, zram_device, small, tmp_path
):
    needs("backing_dev", device=zram)
    image = tmp_path / "image"
    image.write_bytes(bytes(400 * PAGE))
    zram.configure(disksize=400 * PAGE, backing_dev=image)
    store(zram_device, [*(noise(number) for number in range(300)), *([text()] * 20)])
    (unused,) = found("writeback", zram.name)
    assert "bd_stat counts 0 writes" in unused.figure
    # All its pages are younger than an hour.
    mend(unused)
    assert zram.read_bd_stat().bd_writes == 0
    (huge,) = found("huge", zram.name)
    assert "huge_pages 300" in huge.figure
    mend(huge)
    assert zram.read_bd_stat().bd_writes == 300 * PAGE // 4096
    assert found("huge", zram.name) == found("writeback", zram.name) == []


def test_huge_pages_are_recompressed(zram, zram_device, small):
    needs("recomp_algorithm", device=zram)
    zram.configure(disksize="16M", algorithm="lz4", recompression=["zstd"])
    # Six bits a byte: nothing repeats, so lz4 gains nothing, but zstd counts letters.
    chance = random.Random(6)
    letters = bytes(range(32, 96))
    store(zram_device, [bytes(chance.choices(letters, k=PAGE)) for _ in range(300)])
    (finding,) = found("huge", zram.name)
    mend(finding)
    assert found("huge", zram.name) == []


# ---- the configuration ---------------------------------------------------------------------------


def test_an_algorithm_that_this_kernel_does_not_have(zram, tmp_path):
    has = zram.read_algorithms()
    lost = next((name for name in ("lzo", "zstd", "842") if name not in has), None)
    if lost is None:
        pytest.skip("this kernel has every algorithm")
    config = tmp_path / "zram"
    config.write_text(f"ZRAM_SIZE_0=64M\nZRAM_ALGORITHM_0={lost}\n")
    (finding,) = found("algorithm", None, str(config))
    assert f"{config}: device 0 asks for {lost}" in finding.what
    assert finding.figure == f"comp_algorithm offers: {' '.join(has)}"
    config.write_text(f"ZRAM_SIZE_0=64M\nZRAM_ALGORITHM_0={has[0]}\n")
    assert found("algorithm", None, str(config)) == []


# ---- the machine ---------------------------------------------------------------------------------


def swap_on(zram: pyzram.Zram, priority: int) -> None:
    zram.configure(disksize="16M")
    zram.mkswap()
    zram.swapon(priority=priority)


@guest
@pytest.mark.parametrize(
    ("check", "path", "sick"),
    [
        ("page-cluster", "/proc/sys/vm/page-cluster", "3"),
        ("zswap", "/sys/module/zswap/parameters/enabled", "Y"),
    ],
)
def test_a_setting_of_the_machine(zram, check, path, sick):
    file = Path(path)
    if not file.exists():
        pytest.skip(f"this kernel has no {path}")
    swap_on(zram, 1)
    before = file.read_text()
    try:
        file.write_text(sick)
        (finding,) = found(check, None)
        mend(finding)
        assert found(check, None) == []
    finally:
        file.write_text(before)


@pytest.fixture
def disk(tmp_path) -> Iterator[str]:
    """A partition for swap, on a loop device."""
    image = tmp_path / "image"
    image.write_bytes(bytes(4 << 20))
    command = ["losetup", "--find", "--show", image]
    loop = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run(["mkswap", loop], check=True, capture_output=True)
        yield loop
    finally:
        subprocess.run(["swapoff", loop], check=False, capture_output=True)
        subprocess.run(["losetup", "--detach", loop], check=True)


@guest
@pytest.mark.parametrize("priority", [5, 32767])
def test_swap_that_comes_before_zram(zram, disk, priority):
    swap_on(zram, 1)
    subprocess.run(["swapon", "-p", str(priority), disk], check=True)
    (finding,) = found("priority", zram.name)
    assert finding.figure == f"priorities: {disk} {priority}, {zram.name} 1"
    mend(finding)
    assert found("priority", zram.name) == []


@guest
def test_resume_from_zram(zram, zram_device, disk):
    resume = Path("/sys/power/resume")
    if not resume.exists():
        pytest.skip("this kernel does not hibernate")
    swap_on(zram, 2)
    subprocess.run(["swapon", "-p", "1", disk], check=True)
    resume.write_text(zram_device.read("dev").strip())
    (finding,) = found("hibernation", zram.name)
    mend(finding)
    assert found("hibernation", zram.name) == []
    # Back to none where the kernel lets go (not 6.1).
    with contextlib.suppress(OSError):
        resume.write_text("0:0")


@guest
def test_the_exit_status_says_whether_there_is_something_to_mend(zram):
    cluster = Path("/proc/sys/vm/page-cluster")
    before = cluster.read_text()
    swap_on(zram, 1)
    try:
        for value, status, checks in (("3", 1, ["page-cluster"]), ("0", 0, [])):
            cluster.write_text(value)
            done = forked(["doctor", "--json", "-c", "/nowhere/zram"], dict(os.environ))
            assert [finding["check"] for finding in json.loads(done.stdout)["findings"]] == checks
            assert done.returncode == status
    finally:
        cluster.write_text(before)
