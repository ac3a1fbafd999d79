# SPDX-License-Identifier: MIT
"""Writeback that happens: what is moved, counted, bounded, and still readable afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import random
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pyzram
from pyzram.pages.pool.chain import running_chain
from pyzram.pages.pool.zsmalloc import PoolModel
from pyzram.postprocess import marks, writeback

PAGE = mmap.PAGESIZE
PAGES = 300
EXAMPLES = Path(__file__).parents[3] / "examples"
MADV_PAGEOUT = 21


def content(count: int, seed: int = 1) -> list[bytes]:
    """Pages of three kinds: same-filled, compressible, incompressible; no two alike."""
    chance = random.Random(seed)
    pages = []
    for number in range(count):
        kind = number % 3
        if kind == 0:
            # Not zeros, which swap keeps itself since 6.12.
            pages.append(bytes([number % 255 + 1]) * PAGE)
        elif kind == 1:
            noise = chance.randbytes(PAGE // 4)
            pages.append((noise + f"page {number} ".encode() * PAGE)[:PAGE])
        else:
            pages.append(chance.randbytes(PAGE))
    return pages


def store(node: str, pages: list[bytes]) -> None:
    with mmap.mmap(-1, len(pages) * PAGE) as buffer:
        buffer.write(b"".join(pages))
        fd = os.open(node, os.O_RDWR | os.O_DIRECT)
        try:
            assert os.pwrite(fd, buffer, 0) == len(buffer)
        finally:
            os.close(fd)


def load(node: str, count: int, first: int = 0) -> list[bytes]:
    with mmap.mmap(-1, count * PAGE) as buffer:
        fd = os.open(node, os.O_RDONLY | os.O_DIRECT)
        try:
            assert os.preadv(fd, [buffer], first * PAGE) == len(buffer)
        finally:
            os.close(fd)
        return [buffer[at : at + PAGE] for at in range(0, len(buffer), PAGE)]


@pytest.fixture
def filled(backed):
    """The same with pages of three kinds stored."""
    store(backed.node, content(PAGES))
    return backed


def counts(zram: pyzram.Zram) -> tuple[int, int]:
    """Pages now on the backing device, and written to it."""
    bd = zram.read_bd_stat()
    return bd.bd_count_bytes // PAGE, bd.bd_writes_bytes // PAGE


# ---- what is written -----------------------------------------------------------------------------


def test_huge_pages_move_and_all_pages_read_back(filled):
    huge = filled.read_mm_stat().huge_pages
    assert huge == PAGES // 3
    run = writeback.writeback_pages(filled, "huge")
    assert (run.stopped, run.pages_written, run.mm_after.huge_pages) == (None, huge, 0)
    assert run.compressed_freed == huge * PAGE
    assert run.memory_freed == huge * PAGE
    assert counts(filled) == (huge, huge)
    assert load(filled.node, PAGES) == content(PAGES)


def test_marked_pages_move_and_all_pages_read_back(filled):
    assert writeback.writeback_pages(filled, "idle").pages_written == 0
    filled.mark_idle()
    run = writeback.writeback_pages(filled, "idle")
    assert run.pages_written == PAGES // 3 * 2
    assert run.mm_after.compr_data_size == 0
    assert load(filled.node, PAGES) == content(PAGES)


def test_pages_used_after_the_mark_stay(filled):
    filled.mark_idle()
    load(filled.node, 150)
    assert writeback.writeback_pages(filled, "idle").pages_written == 100


def test_huge_idle_pages_are_both(filled):
    filled.mark_idle()
    load(filled.node, 150)
    assert writeback.writeback_pages(filled, "huge_idle").pages_written == 50


def test_pages_not_used_for_a_while_move_on_every_kernel(filled):
    """By age if the kernel tracks it, otherwise by marking and waiting."""
    time.sleep(3.1)
    run = writeback.writeback_pages(filled, age=2)
    assert run.pages_written == PAGES // 3 * 2
    assert run.stopped is None


def test_the_example_moves_what_nobody_used(filled, capsys):
    example = runpy.run_path(str(EXAMPLES / "write_back_idle.py"))
    time.sleep(3.1)
    assert example["main"](filled.name, "2") == 0
    written = PAGES // 3 * 2
    assert counts(filled) == (written, written)
    said = capsys.readouterr()
    assert said.out.startswith(f"{written * PAGE} bytes written, ")
    assert said.err == ""
    assert load(filled.node, PAGES) == content(PAGES)


def test_marking_and_waiting_where_ages_are_not_tracked(filled, monkeypatch):
    """The same as above, on every kernel, with one page used meanwhile."""
    real = pyzram.Zram.mark_idle

    def without_ages(self, age=None):
        if age is not None:
            raise pyzram.UnsupportedError(errno.EINVAL, "no ages")
        real(self)

    monkeypatch.setattr(pyzram.Zram, "mark_idle", without_ages)
    monkeypatch.setattr(marks.interruption, "pause", lambda _seconds: load(filled.node, 3))
    assert writeback.writeback_pages(filled, age=60).pages_written == PAGES // 3 * 2 - 2


def test_ranges_of_pages_move_on_every_kernel(filled):
    run = writeback.writeback_ranges(filled, [(0, 29), (150, 150), (298, 299)])
    assert run.pages_written == 20 + 0 + 2
    assert load(filled.node, PAGES) == content(PAGES)


def test_pages_beyond_the_end_are_refused(filled):
    last = filled.read_disksize() // PAGE - 1
    writeback.writeback_ranges(filled, [(last, last)])
    with pytest.raises(pyzram.InvalidValueError, match=f"0-{last}"):
        writeback.writeback_ranges(filled, [(last, last + 1)])


def test_incompressible_is_known_or_said_to_be_unknown(filled):
    try:
        run = writeback.writeback_pages(filled, "incompressible")
    except pyzram.UnsupportedError as err:
        assert err.errno == errno.EINVAL
        assert "does not know the type" in str(err)
    else:
        assert run.stopped is None


# ---- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "pages"), [(0, 0), (10 * PAGE, 10), ("200K", 204800 // PAGE)])
def test_a_run_s_limit_holds_and_leaves_no_trace(filled, limit, pages):
    filled.set_writeback_limit(1232)  # whole pages, to which 7.x rounds down
    run = writeback.writeback_pages(filled, "huge", limit=limit)
    assert (run.stopped, run.pages_written) == ("limit", pages)
    assert filled.read_writeback_limit() == 1232
    assert not filled.read_writeback_limit_enable()
    assert writeback.remaining_budget(filled) is None


def test_the_device_s_own_limit_holds_over_several_steps(filled, monkeypatch):
    units = PAGE // 4096
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 7)
    filled.set_writeback_limit(50 * units)
    filled.set_writeback_limit_enable(True)
    run = writeback.writeback_pages(filled, "huge", limit=20 * PAGE)
    assert (run.stopped, run.pages_written) == ("limit", 20)
    assert writeback.remaining_budget(filled) == 30 * PAGE
    run = writeback.writeback_pages(filled, "huge")
    assert (run.stopped, run.pages_written) == ("limit", 30)
    assert filled.read_writeback_limit() == 0
    assert filled.read_writeback_limit_enable()
    assert writeback.writeback_pages(filled, "huge").pages_written == 0


def test_many_small_steps_move_the_same(filled, monkeypatch):
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 7)
    monkeypatch.setattr(
        "pyzram.postprocess.bounded_steps.StepSizer.step", lambda sizer: contextlib.nullcontext()
    )
    seen = []
    run = writeback.writeback_pages(filled, "huge", progress=seen.append)
    assert run.pages_written == PAGES // 3
    assert seen == sorted(seen)
    assert seen[-1] == PAGES // 3 * PAGE
    assert len(seen) == -(-PAGES // 3 // 7)


def test_a_deadline_stops_between_two_steps(filled, monkeypatch):
    run = writeback.writeback_pages(filled, "huge", timeout=0)
    assert (run.stopped, run.pages_written) == ("timeout", 0)


def test_an_interrupt_leaves_limits_and_pages_as_they_should_be(filled, monkeypatch):
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 5)
    filled.set_writeback_limit(96)

    def interrupt(_written):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writeback.writeback_pages(filled, "huge", progress=interrupt)
    assert counts(filled) == (5, 5)
    assert (filled.read_writeback_limit(), filled.read_writeback_limit_enable()) == (96, False)
    assert load(filled.node, PAGES) == content(PAGES)


@pytest.mark.parametrize("own", [None, 60 * PAGE // 4096])
def test_a_limit_overridden_when_killed_is_put_right_by_the_next_run(filled, monkeypatch, own):
    if own:
        filled.set_writeback_limit(own)
        filled.set_writeback_limit_enable(True)
    monkeypatch.setattr("pyzram.postprocess.bounded_steps.FIRST_STEP", 5)
    real = pyzram.Zram.writeback
    pid = os.fork()
    if pid == 0:
        try:

            def killed(self, type):
                with contextlib.suppress(OSError):
                    real(self, type)
                os.kill(os.getpid(), signal.SIGKILL)

            pyzram.Zram.writeback = killed
            # A handle belongs to the process that opened it.
            writeback.writeback_pages(pyzram.Zram(filled.name), "huge")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert (filled.read_writeback_limit(), filled.read_writeback_limit_enable()) == (0, True)
    run = writeback.writeback_pages(filled, "huge")
    assert (run.pages_written, run.stopped) == ((55, "limit") if own else (95, None))
    assert (filled.read_writeback_limit(), filled.read_writeback_limit_enable()) == (0, bool(own))
    assert load(filled.node, PAGES) == content(PAGES)


def test_a_full_backing_device_stops_the_run_and_loses_nothing(back):
    zram = back(64)
    store(zram.node, content(PAGES))
    run = writeback.writeback_pages(zram, "huge")
    assert run.stopped == "full"
    assert run.pages_written in (63, 64)  # older kernels leave the first block exclusive
    assert load(zram.node, PAGES) == content(PAGES)


# ---- refusals ------------------------------------------------------------------------------------


def test_a_device_without_a_store_is_refused(zram_device):
    with pyzram.Zram(zram_device.number) as zram:
        if not zram.has("writeback"):
            pytest.skip("this kernel has no writeback")
        with pytest.raises(pyzram.ZramOSError, match="not initialised") as caught:
            writeback.writeback_pages(zram)
        assert caught.value.errno == errno.EINVAL
        zram.configure(disksize="16M")
        with pytest.raises(pyzram.ZramOSError, match="no backing device") as missing:
            writeback.writeback_pages(zram)
        assert missing.value.errno == errno.ENODEV


def test_a_second_run_waits_or_is_refused(filled):
    from pyzram.postprocess.bounded_steps import StepSizer
    from pyzram.postprocess.turns import exclusive

    with (
        exclusive(filled, StepSizer(None)),
        pytest.raises(pyzram.DeviceBusyError, match="another writeback") as caught,
    ):
        writeback.writeback_pages(filled, "huge", timeout=0)
    assert caught.value.errno == errno.EBUSY


def test_a_kernel_without_writeback_is_said_so(zram_device):
    with pyzram.Zram(zram_device.number) as zram:
        if zram.has("writeback"):
            pytest.skip("this kernel has it")
        zram.configure(disksize="16M")
        with pytest.raises(pyzram.UnsupportedError, match="no attribute backing_dev"):
            writeback.writeback_pages(zram)


# ---- the command ---------------------------------------------------------------------------------


def test_the_command_says_what_moved(filled):
    command = [sys.executable, "-Im", "pyzram.cli.pyzram", "writeback", filled.name]
    done = subprocess.run(
        [*command, "--type", "huge", "--max-pages", "50"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "written: 50 pages" in done.stdout
    assert "stopped early: the limit is reached" in done.stdout
    assert counts(filled) == (50, 50)


# ---- memory of a process -------------------------------------------------------------------------


def swapped_out(memory: mmap.mmap) -> None:
    """Ask the kernel to swap out the whole map."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    code = libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(len(memory)), MADV_PAGEOUT)
    assert code == 0, os.strerror(ctypes.get_errno())


def test_idle_pages_of_a_process_move_and_its_memory_is_intact(backed):
    """Memory freed is what the pool model says that the pages on the device took."""
    pages = content(1500, seed=7)
    memory = mmap.mmap(-1, len(pages) * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(b"".join(pages))
    backed.mkswap()
    backed.swapon(priority=32767)
    swapped_out(memory)
    stored = backed.read_mm_stat()
    assert stored.orig_data_size >= len(memory)
    model = model_of(backed)
    backed.mark_idle()
    run = writeback.writeback_pages(backed, "idle")
    assert run.pages_written == stored.orig_data_size // PAGE - stored.same_pages
    print(f"memory freed {run.memory_freed}, the model says {model}")
    assert run.memory_freed == pytest.approx(model, rel=0.01)
    assert memory[:] == b"".join(pages)
    backed.swapoff()
    assert memory[:] == b"".join(pages)


def model_of(zram: pyzram.Zram) -> int:
    """Bytes of memory that all on the device takes in a pool, by the pool model.

    The swap header is there too. Alone in its size class it takes a zspage, which may have 7 pages
    of 64 KiB.
    """
    algorithm = zram.read_comp_algorithm()
    lengths: list[int] = []
    for first in range(0, zram.read_disksize() // PAGE, 256):
        part = b"".join(load(zram.node, 256, first))
        lengths += pyzram.compressed_sizes(part, algorithm)
    return PoolModel(chain=running_chain()).store(lengths).mem_used_total
