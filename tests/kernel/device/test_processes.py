# SPDX-License-Identifier: MIT
"""Handles and sources of real devices in forks, pools, threads and after they were dropped."""

from __future__ import annotations

import copy
import gc
import multiprocessing
import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import pyzram

FILLED = 1 << 20


@pytest.fixture
def zram():
    """A device with a megabyte of noise, which is to stay as it is."""
    with pyzram.Zram.add() as device:
        device.configure(disksize="16M")
        data = os.urandom(FILLED)
        with open(device.node, "wb") as file:
            file.write(data)
        before = device.read_diskseq(), device.read_mm_stat().orig_data_size
        yield device
        assert (device.read_diskseq(), device.read_mm_stat().orig_data_size) == before
        with open(device.node, "rb") as file:
            assert file.read(FILLED) == data


def in_a_child(work: Callable[[], object]) -> None:
    """Fork, and let the child end like a process that leaves its ``with`` blocks."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def stored(name: str) -> int:
    with pyzram.Zram(name) as device:
        return device.read_mm_stat().orig_data_size


def pages_of(source: pyzram.Source) -> int:
    return pyzram.estimate_pages(source, "lz4", timing=False).pages


# ---- handles -------------------------------------------------------------------------------------


def test_a_child_is_refused_everything_that_would_ask_or_change_the_device(zram):
    zram.read_mm_stat()  # its file stays open
    methods = [
        zram.reset,
        zram.remove,
        zram.compact,
        zram.stats,
        zram.read_mm_stat,
        zram.read_disksize,
        zram.mkswap,
        lambda: zram.set_mem_limit("8M"),
        lambda: zram.configure(disksize="8M"),
        lambda: zram.has("mm_stat"),
    ]

    def child() -> None:
        for method in methods:
            with pytest.raises(pyzram.InvalidValueError, match=f"fork: open '{zram.name}' anew"):
                method()
        assert stored(zram.name) == FILLED

    in_a_child(child)
    assert zram.read_mm_stat().orig_data_size == FILLED


def test_a_child_that_ends_within_the_block_takes_nothing_down():
    """As after os.fork() in a program, or in a pool that is made within the block."""
    with pyzram.Zram.add() as device:
        device.configure(disksize="16M")

        def child() -> None:
            device.__exit__(None, None, None)
            assert device.closed

        in_a_child(child)

        def failing() -> None:
            try:
                raise RuntimeError("the child's own error")
            except RuntimeError as err:
                device.__exit__(RuntimeError, err, None)
                assert str(err) == "the child's own error"

        in_a_child(failing)
        assert device.read_initstate()
        name = device.name
    with pytest.raises(pyzram.DeviceNotFoundError):
        pyzram.Zram(name)


def test_an_inherited_handle_acts_on_nothing_when_its_number_is_another_device_s(zram, add_zram):
    """If a child closes descriptors, as daemons do, others soon get their numbers."""
    descriptor = zram._fd
    other = add_zram()

    def child() -> None:
        os.closerange(descriptor, descriptor + 1)
        with pyzram.Zram(other.number) as second:
            second.configure(disksize="16M")
            assert second._fd == descriptor
            with pytest.raises(pyzram.InvalidValueError, match="before fork"):
                zram.reset()
            zram.close()
            gc.collect()
            assert second.read_initstate()

    in_a_child(child)
    assert zram.read_initstate()


# An emulated guest takes minutes to start Python a few times.
AFRESH = [pytest.param(method, marks=pytest.mark.slow) for method in ("spawn", "forkserver")]


@pytest.mark.parametrize("method", ["fork", *AFRESH])
def test_a_pool_refuses_handles_and_takes_names(zram, method):
    """This once read foreign descriptors and closed the pool's own pipe."""
    with pyzram.devices() as found, multiprocessing.get_context(method).Pool(2) as pool:
        with pytest.raises(TypeError, match="cannot be copied or pickled: pass '"):
            pool.map(repr, found)
        # Something that a newly started program can import, unlike this file.
        names = pool.map(str.upper, [device.name for device in found])
        assert zram.name.upper() in names
        assert all(not device.closed and device.read_diskseq() for device in found)


def test_a_forked_pool_reads_the_devices_that_it_was_given_by_name(zram):
    with pyzram.devices() as found, multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(stored, [zram.name] * 4) == [FILLED] * 4
        assert all(not device.closed and device.read_diskseq() for device in found)


def inherited(_: int) -> str:
    try:
        return str(HELD[0].read_mm_stat().orig_data_size)
    except pyzram.InvalidValueError as err:
        return str(err)


HELD: list[pyzram.Zram] = []


def test_a_forked_pool_that_inherits_a_handle_is_refused_and_harms_nothing(zram):
    HELD[:] = [zram]
    try:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            answers = set(pool.map(inherited, range(8)))
            assert pool.map(stored, [zram.name]) == [FILLED]
    finally:
        HELD.clear()
    assert len(answers) == 1
    assert "before fork" in answers.pop()
    assert zram.read_mm_stat().orig_data_size == FILLED


@pytest.mark.parametrize("attempt", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_copy_is_refused_and_the_handle_goes_on(zram, attempt):
    with pytest.raises(TypeError, match=f"pass '{zram.name}' and open it there"):
        attempt(zram)
    gc.collect()
    assert zram.read_mm_stat().orig_data_size == FILLED


def test_threads_read_the_same_device_each_by_a_handle_of_its_own(zram):
    """While another one changes it."""

    def read(_: int) -> set[int]:
        with pyzram.Zram(zram.name) as device:
            return {device.stats().mm_stat.orig_data_size for _ in range(20)}

    with ThreadPoolExecutor(8) as threads:
        work = [threads.submit(read, at) for at in range(32)]
        for at in range(32):
            zram.set_mem_limit((16 + at) << 20)
        assert set().union(*(one.result() for one in work)) == {FILLED}
    zram.set_mem_limit(0)


def test_a_dropped_handle_warns_closes_and_leaves_the_device(add_zram):
    number = add_zram().number
    device = pyzram.Zram(number)
    device.configure(disksize="16M")
    device.read_mm_stat()
    descriptors = [device._fd, device._files["mm_stat"]._file.fd]
    with pytest.warns(ResourceWarning, match=f"<Zram zram{number}> was never closed") as caught:
        del device
        gc.collect()
    assert len(caught) == 1
    for descriptor in descriptors:
        with pytest.raises(OSError):
            os.fstat(descriptor)
    with pyzram.Zram(number) as again:
        assert again.read_initstate()


def test_a_device_that_was_added_and_dropped_stays():
    """Only a block takes a device down; a dropped one may be another program's swap by then."""
    device = pyzram.Zram.add()
    name = device.name
    with pytest.warns(ResourceWarning, match=f"<Zram {name}> was never closed"):
        del device
        gc.collect()
    with pyzram.Zram(name) as again:
        again.remove()


def test_what_was_closed_is_dropped_in_silence(zram):
    device = pyzram.Zram(zram.name)
    device.close()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        del device
        gc.collect()


# ---- sources -------------------------------------------------------------------------------------


@pytest.fixture
def source(zram):
    with pyzram.open_files(zram.node) as opened:
        yield opened


def test_a_source_refuses_to_be_read_in_a_child_which_closes_nothing(source):
    def child() -> None:
        for _ in range(2):
            with pytest.raises(pyzram.InvalidValueError, match="before fork: open it anew"):
                pages_of(source)
        source.close()
        with pytest.raises(pyzram.InvalidValueError, match="closed"):
            pages_of(source)

    in_a_child(child)
    assert pages_of(source) == (16 << 20) // 4096 * 4096 // source.page_size


@pytest.mark.parametrize("opened", ["file", "process"])
def test_a_pool_refuses_sources(source, opened):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        if opened == "file":
            with pytest.raises(TypeError, match="pass what it was opened from"):
                pool.map(pages_of, [source])
            return
        with (
            pyzram.open_processes(os.getpid()) as own,
            pytest.raises(TypeError, match="pass what it was opened from"),
        ):
            pool.map(pages_of, [own])


def test_ten_dropped_sources_warn_and_leak_nothing(zram):
    def opened() -> int:
        links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
        return [os.readlink(link) for link in links if os.path.islink(link)].count(zram.node)

    with pyzram.open_files(zram.node):
        assert opened() == 1
    for _ in range(10):
        with pytest.warns(ResourceWarning, match="was never closed"):
            pyzram.open_files(zram.node)
            gc.collect()
    assert opened() == 0
