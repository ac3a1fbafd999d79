# SPDX-License-Identifier: MIT
"""A fixture for your own tests: a small zram device that is gone after each test.

Usage: pytest pytest_fixture.py
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import pyzram


@pytest.fixture
def zram() -> Iterator[pyzram.Zram]:
    """A device of 16 MiB; the test may swap on it or mount it and need not clean up."""
    try:
        added = pyzram.Zram.add()
    except (pyzram.AccessError, pyzram.UnsupportedError) as err:
        pytest.skip(str(err))
    with added as device:
        device.configure(disksize="16M")
        yield device


def test_a_new_device_is_empty(zram: pyzram.Zram) -> None:
    """A test as yours may begin."""
    assert zram.stats().mm_stat.orig_data_size == 0
