# SPDX-License-Identifier: MIT
"""pyzram.Zram on real devices: what it does, and the errno of what it refuses."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pyzram
from pyzram import _native

PAGE = mmap.PAGESIZE


@pytest.fixture
def zram(zram_device):
    with pyzram.Zram(zram_device.number) as device:
        yield device


def fill(node: str, data: bytes) -> None:
    """Write whole pages past the page cache."""
    buffer = mmap.mmap(-1, len(data))
    buffer.write(data)
    fd = os.open(node, os.O_RDWR | os.O_DIRECT)
    try:
        assert os.pwrite(fd, buffer, 0) == len(data)
    finally:
        os.close(fd)
        buffer.close()


def other_algorithm(zram: pyzram.Zram) -> str:
    selected = zram.read_comp_algorithm()
    others = [name for name in zram.read_algorithms() if name != selected]
    if not others:
        pytest.skip("this kernel has one algorithm only")
    return others[0]


def refused(error: type[Exception], code: int, call: Callable[..., object], *args, **kwargs) -> str:
    with pytest.raises(error) as caught:
        call(*args, **kwargs)
    assert caught.value.errno == code
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- handles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{0}", "zram{0}", "/dev/zram{0}"])
def test_a_device_is_found_by_number_name_and_node(zram_device, form):
    with pyzram.Zram(form.format(zram_device.number)) as device:
        assert (device.number, device.node) == (zram_device.number, zram_device.node)


def test_a_link_to_the_node_names_the_device(zram_device, tmp_path):
    link = tmp_path / "swap0"
    link.symlink_to(zram_device.node)
    with pyzram.Zram(link) as device:
        assert device.name == zram_device.name


def test_devices_lists_every_device_once(zram_device):
    with pyzram.devices() as found:
        numbers = [device.number for device in found]
    assert zram_device.number in numbers
    assert numbers == sorted(set(numbers))


def test_an_unknown_device_is_not_found():
    assert "zram65000" in refused(pyzram.DeviceNotFoundError, errno.ENOENT, pyzram.Zram, 65000)


@pytest.mark.parametrize("path", ["/dev/null", "/proc/version"])
def test_what_is_not_a_block_device_is_refused(path):
    refused(pyzram.NotZramError, errno.ENOTBLK, pyzram.Zram, path)


def test_another_block_device_is_no_zram():
    names = [p.name for p in Path("/sys/block").iterdir() if not p.name.startswith("zram")]
    nodes = [f"/dev/{name}" for name in names if Path(f"/dev/{name}").exists()]
    if not nodes:
        pytest.skip("no other block device here")
    refused(pyzram.NotZramError, errno.EINVAL, pyzram.Zram, nodes[0])


def test_a_handle_stays_with_the_device_it_was_made_for(add_zram):
    first = add_zram()
    handle = pyzram.Zram(first.number)
    pyzram.Zram(first.number).remove()
    second = add_zram()
    if second.number != first.number:
        pytest.skip("the number was taken by somebody else")
    refused(pyzram.DeviceNotFoundError, errno.ENOENT, handle.read_disksize)
    refused(pyzram.DeviceNotFoundError, errno.ENODEV, handle.remove)
    handle.remove(release=True, missing_ok=True)
    assert handle.closed
    assert second.sysfs.exists()


def test_an_open_statistics_file_of_a_removed_device_says_gone(add_zram):
    handle = pyzram.Zram(add_zram().number)
    handle.read_mm_stat()
    pyzram.Zram(handle.number).remove()
    refused(pyzram.DeviceNotFoundError, errno.ENODEV, handle.read_mm_stat)
    handle.close()


def test_a_closed_handle_refuses_and_closes_twice(zram):
    zram.close()
    zram.close()
    with pytest.raises(pyzram.InvalidValueError, match="closed"):
        zram.read_disksize()


# ---- life cycle ----------------------------------------------------------------------------------


def test_add_gives_a_new_device_with_its_node():
    with pyzram.devices() as found:
        before = {device.number for device in found}
    with pyzram.Zram.add() as device:
        assert device.number not in before
        assert Path(device.node).is_block_device()
        assert not device.read_initstate()
    assert not Path(device.path).exists()


def test_remove_closes_the_handle(zram_device):
    device = pyzram.Zram(zram_device.number)
    device.remove()
    assert device.closed
    assert not zram_device.sysfs.exists()


def test_what_a_block_made_it_takes_down_in_order(tmp_path):
    with pyzram.Zram.add() as device:
        device.configure(disksize="64M")
        device.mkswap()
        device.swapon(priority=1)
    with pyzram.Zram.add() as other:
        other.configure(disksize="64M")
        other.mkfs("ext4", label="pyzram-test", options=["-O", "^has_journal"])
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            other.mount(tmp_path / name)
        assert other.read_mount_points() == (str(tmp_path / "a"), str(tmp_path / "b"))
    for gone in (device, other):
        assert gone.closed
        assert not Path(gone.path).exists()


def test_a_block_that_fails_takes_down_too_and_its_error_comes_first():
    refusal = pytest.raises(pyzram.ZramOSError, match="is there a swap signature")
    with refusal, pyzram.Zram.add() as device:
        device.configure(disksize="16M")
        device.swapon()
    assert not Path(device.path).exists()


def test_what_cannot_be_taken_down_is_told_after_the_block_s_own_error(tmp_path):
    with pytest.raises(RuntimeError, match="mine") as caught, pyzram.Zram.add() as device:
        device.configure(disksize="64M")
        device.mkfs("ext4")
        device.mount(tmp_path)
        holder = os.open(tmp_path, os.O_RDONLY)
        raise RuntimeError("mine")
    assert "busy" in caught.value.__notes__[0]
    assert device.closed
    os.close(holder)
    with pyzram.Zram(device.number) as again:
        again.remove(release=True)
    assert not Path(device.path).exists()


def test_what_is_to_stay_stays():
    with pyzram.Zram.add() as device:
        device.keep()
    assert device.closed
    pyzram.Zram(device.number).remove()


def test_somebody_elses_mount_above_is_left_alone(tmp_path):
    with pyzram.Zram.add() as device:
        device.configure(disksize="64M")
        device.mkfs("ext4")
        device.mount(tmp_path)
        subprocess.run(["mount", "-t", "tmpfs", "above", str(tmp_path)], check=True)
        try:
            message = refused(pyzram.DeviceBusyError, errno.EBUSY, device.umount)
            assert "mounted over it" in message
        finally:
            subprocess.run(["umount", str(tmp_path)], check=True)


def test_use_is_refused_with_its_remedy(zram):
    zram.configure(disksize="16M")
    zram.mkswap()
    zram.swapon(priority=1)
    for call in (zram.remove, zram.reset):
        message = refused(pyzram.DeviceBusyError, errno.EBUSY, call)
        assert "active swap; swapoff, umount or remove(release=True) first" in message
    zram.remove(release=True)
    assert zram.closed


def test_the_first_algorithm_of_a_list_that_this_kernel_has_is_taken(zram):
    chosen = zram.configure(disksize="16M", algorithm=["none-such", other_algorithm(zram), "lzo"])
    assert zram.read_comp_algorithm() == chosen.name


def test_a_process_that_lost_the_race_for_a_descriptor_resets_nothing(zram, add_zram):
    """A pickled handle once did this: its number belonged to another device by then."""
    zram.configure(disksize="16M")
    added = add_zram()  # it opens its own file
    number = zram._fd
    zram.close()
    with pyzram.Zram(added.number) as other:
        other.configure(disksize="16M")
        assert other._fd == number
        with pytest.raises(pyzram.InvalidValueError, match="closed"):
            zram.reset()
        assert other.read_initstate()


def test_stats_of_a_device_in_use_are_equal_until_something_happens(zram):
    zram.configure(disksize="16M")
    zram.mkswap()
    zram.swapon(priority=1)
    before = zram.stats()
    assert zram.stats() == before
    assert before.diskseq == int(Path(zram.path, "diskseq").read_text())
    assert before.swap.priority == 1
    zram.swapoff()
    fill(zram.node, os.urandom(64 * PAGE))
    change = zram.stats() - before
    assert change.mm_stat.orig_data_size == 64 * PAGE - PAGE * (before.mm_stat.orig_data_size > 0)
    assert change.stat.written_bytes == 64 * PAGE
    assert change.written_bytes_per_second > 0


def test_remove_and_reset_name_the_process_that_has_it_open(zram):
    zram.configure(disksize="16M")
    fd = os.open(zram.node, os.O_RDONLY)
    try:
        for call in (zram.reset, zram.remove):
            message = refused(pyzram.DeviceBusyError, errno.EBUSY, call, timeout=0.05)
            assert f"[{os.getpid()}]" in message
    finally:
        os.close(fd)
    assert zram.read_disksize() == 16 << 20


def test_reset_waits_for_a_short_opener(zram):
    zram.configure(disksize="16M")
    with open(zram.node, "rb") as node:
        prober = subprocess.Popen(["sleep", "0.3"], stdin=node)
    zram.reset(timeout=5)
    prober.wait()
    assert zram.read_disksize() == 0


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, PAGE), ("1.5", PAGE), (PAGE + 1, 2 * PAGE), ("1.5M", 3 << 19), ("64m", 64 << 20)],
)
def test_disksize_takes_people_s_sizes_and_rounds_up(zram, size, expected):
    zram.set_disksize(size)
    assert zram.read_disksize() == expected
    assert zram.read_initstate()


def test_a_percentage_is_of_this_machine_s_memory(zram):
    zram.set_disksize("1%")
    total = os.sysconf("SC_PHYS_PAGES") * PAGE
    assert abs(zram.read_disksize() - total // 100) <= PAGE


@pytest.mark.parametrize("size", [0, -1, "", "lots", "64Mjunk", "16E", "0x10", "-5M", "1..5G"])
def test_impossible_sizes_never_reach_the_kernel(zram, size):
    with pytest.raises(pyzram.InvalidValueError, match=zram.name):
        zram.set_disksize(size)
    assert zram.read_disksize() == 0


def test_disksize_twice_is_busy(zram):
    zram.set_disksize(PAGE)
    message = refused(pyzram.DeviceBusyError, errno.EBUSY, zram.set_disksize, PAGE)
    assert "already initialised" in message


# ---- configure -----------------------------------------------------------------------------------


def test_configure_sets_everything_and_reads_it_back(zram):
    name = other_algorithm(zram)
    zram.configure(disksize="32M", algorithm=name, mem_limit="8M")
    stats = zram.stats()
    assert stats.disksize == 32 << 20
    assert stats.comp_algorithm == name
    assert stats.mm_stat.mem_limit == 8 << 20


def test_configure_passes_parameters_to_the_compressor(zram):
    if not zram.has("algorithm_params"):
        pytest.skip("this kernel takes no algorithm_params")
    if "lz4" not in zram.read_algorithms():
        pytest.skip("this kernel has no lz4")
    data = Path(os.__file__).read_bytes()
    data += bytes(-len(data) % PAGE)
    sizes = []
    for acceleration in (60, 1):
        zram.reset()
        zram.configure(disksize="32M", algorithm=pyzram.Algorithm("lz4", level=acceleration))
        fill(zram.node, data)
        sizes.append(zram.read_mm_stat().compr_data_size)
    assert sizes[0] > sizes[1]


def test_an_algorithm_the_kernel_lacks_is_named_with_those_it_has(zram):
    message = refused(
        pyzram.UnsupportedError, errno.EINVAL, zram.configure, disksize="16M", algorithm="lzma"
    )
    assert all(name in message for name in ("lzma", *zram.read_algorithms()))
    assert zram.read_disksize() == 0


def test_a_failed_step_undoes_the_earlier_ones(zram, monkeypatch):
    before = zram.read_comp_algorithm()

    def fail(_size):
        raise pyzram.ZramOSError(errno.EIO, "made to fail")

    monkeypatch.setattr(zram, "set_mem_limit", fail)
    refused(
        pyzram.ZramOSError,
        errno.EIO,
        zram.configure,
        disksize="16M",
        algorithm=other_algorithm(zram),
        mem_limit="8M",
    )
    assert zram.read_disksize() == 0
    assert zram.read_comp_algorithm() == before


def test_configure_refuses_a_device_that_holds_data(zram):
    zram.configure(disksize="16M")
    fill(zram.node, b"x" * PAGE)
    message = refused(pyzram.DeviceBusyError, errno.EBUSY, zram.configure, disksize="32M")
    assert "written" in message
    assert zram.read_disksize() == 16 << 20


def test_a_missing_feature_is_unsupported_and_undone(zram):
    if zram.has("backing_dev"):
        pytest.skip("this kernel has writeback")
    message = refused(
        pyzram.UnsupportedError, errno.ENOENT, zram.configure, disksize="16M", backing_dev="/dev/x"
    )
    assert "backing_dev" in message
    assert zram.read_disksize() == 0


def test_algorithm_params_on_an_initialised_device_never_reach_the_kernel(zram):
    if not zram.has("algorithm_params"):
        pytest.skip("this kernel takes no algorithm_params")
    zram.set_disksize(PAGE)
    refused(pyzram.DeviceBusyError, errno.EBUSY, zram.set_algorithm_params, level=1)


def test_a_dictionary_is_the_file_that_was_looked_at(zram, tmp_path, monkeypatch):
    """A pipe in its place would keep the kernel waiting for a writer, with the device locked."""
    if not zram.has("algorithm_params"):
        pytest.skip("this kernel takes no algorithm_params")
    path = tmp_path / "dictionary"
    os.mkfifo(tmp_path / "pipe")
    refused(OSError, errno.EINVAL, zram.set_algorithm_params, dictionary=tmp_path / "pipe")
    path.write_bytes(bytes(range(200)))
    write = zram.write

    def exchanged(*words, **more):
        os.replace(tmp_path / "pipe", path)
        signal.alarm(10)
        try:
            write(*words, **more)
        finally:
            signal.alarm(0)

    monkeypatch.setattr(type(zram), "write", lambda _, *words, **more: exchanged(*words, **more))
    zram.set_algorithm_params(dictionary=path)
    assert path.is_fifo()


def test_nothing_to_write_is_refused(zram):
    with pytest.raises(pyzram.InvalidValueError, match="nothing to write"):
        zram.write("mem_limit", "")


def test_a_read_only_attribute_answers_eacces(zram):
    refused(pyzram.AccessError, errno.EACCES, zram.write, "mm_stat", "1")


def test_an_absent_attribute_is_unsupported(zram):
    refused(pyzram.UnsupportedError, errno.ENOENT, zram.read, "no_such_attribute")


def killed_after(writes: int, number: int, algorithm: str) -> int:
    """Configure in a child that is killed before a given write; return how it ended."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    left, write = writes, _native.attr_write

    def attr_write(*args, **kwargs):
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        write(*args, **kwargs)

    try:
        _native.attr_write = attr_write
        device = pyzram.Zram(number)
        device.configure(disksize="16M", algorithm=algorithm, mem_limit="8M")
        os._exit(0)
    finally:
        os._exit(1)


# The writes are: reset, comp_algorithm, disksize, mem_limit. A fifth is never tried.
@pytest.mark.parametrize("step", range(5))
def test_configure_and_remove_recover_from_a_kill_at_every_step(zram, add_zram, step):
    name = other_algorithm(zram)
    second = add_zram()
    for number in (zram.number, second.number):
        assert killed_after(step, number, name) == (-signal.SIGKILL if step < 4 else 0)
    zram.configure(disksize="32M", algorithm=name)
    assert zram.read_disksize() == 32 << 20
    assert zram.read_mm_stat().mem_limit == 0
    pyzram.Zram(second.number).remove()
    assert not second.sysfs.exists()


# ---- swap ----------------------------------------------------------------------------------------


def test_swap_on_and_off(zram):
    zram.configure(disksize="16M")
    zram.mkswap(label="pyzram-test")
    zram.swapon(priority=7)
    area = zram.read_swap_area()
    assert area is not None
    assert area.priority == 7
    assert (16 << 20) - area.size == PAGE
    assert zram.stats().swap.path == zram.node
    for call in (zram.reset, zram.remove, zram.swapon, zram.mkswap):
        assert "active swap" in refused(pyzram.DeviceBusyError, errno.EBUSY, call)
    zram.swapoff()
    assert zram.read_swap_area() is None


def test_swapon_without_a_signature(zram):
    zram.configure(disksize="16M")
    assert "mkswap" in refused(pyzram.ZramOSError, errno.EINVAL, zram.swapon)


def test_swapoff_of_what_is_not_swap(zram):
    zram.configure(disksize="16M")
    assert "not swap" in refused(pyzram.ZramOSError, errno.EINVAL, zram.swapoff)


def test_mkswap_keeps_the_program_s_own_words(zram):
    zram.set_disksize(PAGE)  # too small for a swap area
    with pytest.raises(pyzram.ZramError, match=r"signature: .*swap.*"):
        zram.mkswap()


@pytest.mark.parametrize("priority", [-2, 32768])
def test_swap_priorities_out_of_range(zram, priority):
    with pytest.raises(pyzram.InvalidValueError):
        zram.swapon(priority=priority)


# ---- figures -------------------------------------------------------------------------------------


def test_mem_limit_refuses_pages_and_counts_them(zram):
    zram.configure(disksize="16M", mem_limit=16 * PAGE)
    with pytest.raises(OSError, match="error") as caught:
        fill(zram.node, os.urandom(64 * PAGE))
    assert caught.value.errno == errno.EIO
    assert zram.read_io_stat().failed_writes > 0


def test_snapshots_of_real_data(zram):
    zram.configure(disksize="16M")
    fill(zram.node, bytes(4 * PAGE) + os.urandom(4 * PAGE) + b"pyzram! " * (PAGE // 8))
    mm = zram.read_mm_stat()
    assert mm.orig_data_size == 9 * PAGE
    assert mm.same_pages == 5
    assert mm.huge_pages == 4
    assert mm.compr_data_size == 4 * PAGE
    assert zram.read_stat().write_ios >= 1
    zram.reset_mem_used_max()
    assert zram.read_mm_stat().mem_used_max == mm.mem_used_total
    zram.compact()


def test_an_empty_device_has_no_ratio(zram):
    zram.configure(disksize="16M")
    mm = zram.read_mm_stat()
    assert mm.compression_ratio is None
    assert mm.memory_ratio is None
    assert mm.avg_compr_ratio is None
    assert mm.mem_overhead is None


def test_features_agree_with_the_device(zram):
    found = pyzram.features(zram)
    assert found.driver
    assert found.hot_add
    assert found.algorithms == zram.read_algorithms()
    assert found.default_algorithm == zram.read_comp_algorithm()
    assert found.writeback == zram.has("writeback")


UNPRIVILEGED = """
import os, sys
import pyzram
z = pyzram.Zram(int(sys.argv[1]))
z.stats()  # loads what it needs while we may still read the package
os.setgid(65534); os.setuid(65534)
assert z.stats().disksize == 16 << 20
for call in (z.reset, z.remove, z.compact, pyzram.Zram.add):
    try:
        call()
    except pyzram.AccessError as err:
        assert err.errno == 13, err
    else:
        raise SystemExit(f"{call} went through")
"""


def test_without_privilege_reading_works_and_writing_says_so(zram):
    zram.configure(disksize="16M")
    done = subprocess.run(
        [sys.executable, "-I", "-c", UNPRIVILEGED, str(zram.number)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_needs_a_size_says_so(zram):
    for call in (zram.compact, zram.mark_idle):
        message = refused(pyzram.ZramOSError, errno.EINVAL, call)
        assert message.endswith("Invalid argument (not initialised, set disksize first)")


SIZE_WITHOUT_PRIVILEGE = """
import os, sys
import pyzram
z = pyzram.Zram(int(sys.argv[1]))
z.read_disksize()
os.setgid(65534); os.setuid(65534)
try:
    z.set_disksize("16M")
except pyzram.AccessError as err:
    print(err)
"""


def test_a_size_that_may_not_be_set_is_told_of_the_size_and_not_of_the_reset(zram):
    done = subprocess.run(
        [sys.executable, "-I", "-c", SIZE_WITHOUT_PRIVILEGE, str(zram.number)],
        capture_output=True,
        text=True,
        check=False,
    )
    message = f"{zram.name}: set disksize to 16777216: Permission denied (only root may)\n"
    assert (done.stdout, done.stderr) == (message, "")
