# SPDX-License-Identifier: MIT
"""A configuration made by a program is checked like one read from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyzram import Config, DeviceConfig, InvalidValueError
from pyzram.config.parser import parse_config


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("index", value) for value in (-1, "0", None, True)),
        *(("disksize", value) for value in ("1G", -1, 1.5, None)),
        *(("mem_limit", value) for value in ("1G", -1, None)),
        *(("priority", value) for value in ("high", -2, 32768, None)),
        *(("discard", value) for value in ("yes", True, None)),
        *(("writeback_limit", value) for value in ("1G", -1, False)),
        *(("mode", value) for value in ("755", -1, 0o10000)),
        *((name, 5) for name in ("label", "backing_dev", "mount_point", "owner")),
        *((name, value) for name in ("fstype", "mount_options") for value in (None, 5, ["a"])),
    ],
)
def test_a_device_s_field_of_another_type_is_refused_by_name(field: str, wrong: object) -> None:
    with pytest.raises(InvalidValueError, match=field):
        DeviceConfig(**{"index": 0, "disksize": 1 << 30, field: wrong})  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match=field):
        DeviceConfig(0, 1 << 30).replace(**{field: wrong})


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *(("path", value) for value in (None, 5)),
        *(
            (name, value)
            for name in ("load_on_start", "unload_on_stop", "tend", "all_or_nothing")
            for value in ("no", 0, None)
        ),
        *(("tend_budget", value) for value in ("1G", -1, True)),
    ],
)
def test_a_file_s_field_of_another_type_is_refused_by_name(field: str, wrong: object) -> None:
    with pytest.raises(InvalidValueError, match=field):
        Config(**{"path": "zram", field: wrong})  # type: ignore[arg-type]


def test_the_bounds_themselves_are_taken() -> None:
    for priority in (-1, 32767):
        for mode in (None, 0, 0o7777):
            made = DeviceConfig(0, 0, priority=priority, mode=mode, writeback_limit=0)
            assert (made.priority, made.mode, made.writeback_limit) == (priority, mode, 0)


def test_a_file_may_be_given_as_a_path() -> None:
    assert parse_config("", Path("zram"), ram=1 << 30, cpus=1).path == "zram"  # type: ignore[arg-type]
