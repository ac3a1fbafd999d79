# SPDX-License-Identifier: MIT
"""Writeback and recompression that are killed, or of which each write to the kernel fails once.

No page may be lost, the administrator's limit may change only by what was written, and the next run
must repair what is left.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable

import pytest
from kernel.postprocess.test_recompression import real_pages
from kernel.postprocess.test_writeback import PAGE, PAGES, content, load, store

import pyzram
from pyzram import _native
from pyzram.postprocess import recompression, writeback

KILLS = 10
OWN = 100_000
UNITS = PAGE // 4096


@pytest.fixture
def limited(backed):
    """A device with a file behind it and an administrator's limit."""
    backed.set_writeback_limit(OWN)
    backed.set_writeback_limit_enable(True)
    return backed


@pytest.fixture
def small_steps(monkeypatch):
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 4)


def left_of_limit(zram: pyzram.Zram) -> int:
    """What must be left of it."""
    return OWN - (zram.read_bd_stat().bd_writes or 0)


def limit(zram: pyzram.Zram) -> tuple[int, bool]:
    return zram.read_writeback_limit(), zram.read_writeback_limit_enable()


def kill_within(zram: pyzram.Zram, act: Callable[[pyzram.Zram], object], seconds: float) -> int:
    """Do it in another process, kill that after a time, and return its status."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            # A handle belongs to the process that opened it.
            act(pyzram.Zram(zram.name))
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def storm(zram, act, pages_of: Callable[[int], list[bytes]]) -> int:
    """How many runs were killed in the middle; each is killed closer to its end."""
    chance = random.Random(1)
    longest, killed = 1.0, 0
    for number in range(KILLS):
        pages = pages_of(number)
        store(zram.node, pages)
        status = kill_within(zram, act, chance.uniform(0, longest))
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        longest *= 0.8 if status == 0 else 1.05
        assert load(zram.node, PAGES) == pages
    return killed


def test_writeback_killed_at_random_moments(limited, small_steps):
    def act(zram):
        zram.mark_idle()
        writeback.writeback_pages(zram, "idle")

    assert storm(limited, act, lambda number: content(PAGES, number)) >= KILLS // 4
    pages = content(PAGES, KILLS)
    store(limited.node, pages)
    limited.mark_idle()
    assert writeback.writeback_pages(limited, "idle").stopped is None
    assert limit(limited) == (left_of_limit(limited), True)
    assert limited.read_mm_stat().compr_data_size == 0
    assert load(limited.node, PAGES) == pages


def test_writeback_by_places_killed_at_random_moments(limited, small_steps):
    def act(zram):
        writeback.writeback_ranges(zram, [(place, place + 1) for place in range(0, PAGES, 3)])

    assert storm(limited, act, lambda number: content(PAGES, number)) >= KILLS // 4
    writeback.writeback_ranges(limited, [(0, PAGES - 1)])
    assert limit(limited) == (left_of_limit(limited), True)
    assert limited.read_mm_stat().compr_data_size == 0
    assert load(limited.node, PAGES) == content(PAGES, KILLS - 1)


def test_recompression_killed_at_random_moments(zram_device, small_steps):
    with pyzram.Zram(zram_device.number) as zram:
        if not zram.has("recompress"):
            pytest.skip("this kernel has no recompression (CONFIG_ZRAM_MULTI_COMP)")
        zram.configure(disksize="16M", algorithm="lz4", recompression=["zstd"])
        pages = real_pages(PAGES)
        assert storm(zram, recompression.recompress_pages, lambda _: pages) >= KILLS // 4
        recompression.recompress_pages(zram)
        assert recompression.recompress_pages(zram).compressed_freed == 0
        assert load(zram.node, PAGES) == pages


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOMEM, errno.EINTR], ids=errno.errorcode.get)
def test_each_word_to_the_kernel_fails_once(limited, monkeypatch, code):
    """Each write fails in turn, and each time the next run repairs what is left."""
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 60)
    real = _native.attr_write
    said: list[str] = []
    fails = -1

    def attr_write(name, *words):
        said.append(name)
        if len(said) - 1 == fails:
            raise OSError(code, os.strerror(code), name)
        real(name, *words)

    monkeypatch.setattr(_native, "attr_write", attr_write)
    points = 0
    while True:
        pages = content(PAGES, points)
        store(limited.node, pages)
        said, fails = [], points
        try:
            writeback.writeback_pages(limited, "huge")
        except pyzram.ZramError as err:
            assert err.errno == code
            assert str(err).startswith(f"{limited.name}: ")
        reached = len(said) > points
        fails = -1
        writeback.writeback_pages(limited, "huge")
        assert limit(limited) == (left_of_limit(limited), True), (points, said)
        assert limited.read_mm_stat().huge_pages == 0
        assert load(limited.node, PAGES) == pages
        if not reached:
            break
        points += 1
    assert points > 5
