# SPDX-License-Identifier: MIT
"""What a configuration lacks on a machine that does not reveal everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyzram.config.parser import parse_config
from pyzram.kernel.sysfs import Sysfs
from pyzram.service.obstacles import find_obstacles
from pyzram.service.registry import Registry


@pytest.mark.parametrize(
    ("algorithms", "told"), [("", False), ("zstd lz4", True), ("zstd kernel", False)]
)
def test_algorithms_that_nobody_can_compare_are_reported(
    tmp_path: Path, algorithms: str, told: bool
) -> None:
    (tmp_path / "sys/class/zram-control").mkdir(parents=True)
    (tmp_path / "sys/block").mkdir()
    registry = Registry("/zram", directory=f"{tmp_path}/run", sysfs=Sysfs(str(tmp_path)))
    config = parse_config(f"ZRAM_ALGORITHM_0='{algorithms}'\n", "/zram", ram=8 << 30, cpus=4)
    found = [str(obstacle) for obstacle in find_obstacles(config, registry) if not obstacle.fatal]
    assert found == (
        [
            "/zram:1: ZRAM_ALGORITHM_0: not checked: without a zram device the kernel does not say "
            "which it has"
        ]
        if told
        else []
    )


@pytest.mark.parametrize(
    ("algorithms", "told"),
    [
        ("kernel", ""),
        ("lz4 kernel", ""),
        ("zstd(level=3) lz4 kernel", ""),
        ("", ""),  # the default names what it likes best
        ("zstd kernel", "this kernel has no zstd: its own default is used"),
        (
            "zstd(level=3) kernel",
            "this kernel has no zstd: its own default is used, without level=3",
        ),
        (
            "zstd:3 842 kernel",
            "this kernel has no zstd or 842: its own default is used, without level=3",
        ),
    ],
)
def test_algorithms_that_the_kernel_lacks_are_told_where_its_own_is_taken(
    tmp_path: Path, algorithms: str, told: str
) -> None:
    device = tmp_path / "sys/block/zram0"
    device.mkdir(parents=True)
    (tmp_path / "sys/class/zram-control").mkdir(parents=True)
    for name, text in {
        "comp_algorithm": "lzo-rle [lz4] \n" if algorithms else "[842] \n",
        "algorithm_params": "",
        "disksize": "0\n",
        "dev": "252:0\n",
        "diskseq": "7\n",
    }.items():
        (device / name).write_text(text)
    registry = Registry("/zram", directory=f"{tmp_path}/run", sysfs=Sysfs(str(tmp_path)))
    config = parse_config(f"ZRAM_ALGORITHM_0='{algorithms}'\n", "/zram", ram=8 << 30, cpus=4)
    found = [x for x in find_obstacles(config, registry) if x.variable == "ZRAM_ALGORITHM_0"]
    assert [(str(x), x.fatal) for x in found] == (
        [(f"/zram:1: ZRAM_ALGORITHM_0: {told}", False)] if told else []
    )
