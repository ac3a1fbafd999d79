# SPDX-License-Identifier: MIT
"""What stands against a configuration, on a machine that does not tell all."""

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
def test_algorithms_that_nobody_can_compare_are_told(
    tmp_path: Path, algorithms: str, told: bool
) -> None:
    (tmp_path / "sys/class/zram-control").mkdir(parents=True)
    (tmp_path / "sys/block").mkdir()
    registry = Registry("/zram", directory=f"{tmp_path}/run", sysfs=Sysfs(str(tmp_path)))
    config = parse_config(f"ZRAM_ALGORITHM_0='{algorithms}'\n", "/zram", ram=8 << 30, cpus=4)
    found = [str(obstacle) for obstacle in find_obstacles(config, registry) if not obstacle.fatal]
    assert found == (
        [
            "/zram:1: ZRAM_ALGORITHM_0: not compared: without any zram device the kernel does not "
            "tell what it has"
        ]
        if told
        else []
    )
