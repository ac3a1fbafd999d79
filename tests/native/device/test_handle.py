# SPDX-License-Identifier: MIT
"""Handles on a made-up tree: cases that are too rare on a real kernel to wait for."""

from __future__ import annotations

import contextlib
import copy
import errno
import gc
import multiprocessing
import os
import pickle
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import pyzram
from pyzram.kernel import blocked_reads, figure_reader, holders


@pytest.fixture
def tree(tmp_path):
    """A 7.x device with one file whose reading can be held up, among others."""
    device = tmp_path / "sys/block/zram3"
    device.mkdir(parents=True)
    for name, text in {
        "disksize": "0\n",
        "writeback_batch_size": "32\n",
        "io_stat": "       0        0 0        0\n",
        "comp_algorithm": "lzo-rle lzo lz4 \n",
    }.items():
        (device / name).write_text(text)
    os.mkfifo(device / "mm_stat")
    return pyzram.Sysfs(str(tmp_path))


@pytest.fixture
def release(tree):
    """Release a held-up reader of mm_stat at the end."""
    yield
    os.close(os.open(tree.path("sys/block/zram3/mm_stat"), os.O_RDWR | os.O_NONBLOCK))


def test_a_read_that_the_kernel_holds_up_ends_in_an_error(tree, release, monkeypatch):
    with pyzram.Zram(3, sysfs=tree) as device:
        with (
            monkeypatch.context() as patch,
            pytest.raises(pyzram.BlockedError, match="zram3: read mm_stat: no answer") as caught,
        ):
            patch.setattr(blocked_reads, "LIBRARY_SECONDS", 0.1)
            device.read_mm_stat()
        assert caught.value.errno == errno.ETIMEDOUT
        assert isinstance(caught.value, TimeoutError)
        assert device.read_io_stat().failed_reads == 0
        assert device.read_disksize() == 0


def test_no_algorithm_in_brackets_is_none(tree):
    with pyzram.Zram(3, sysfs=tree) as device:
        assert device.read_comp_algorithm() is None
        assert device.read_algorithms() == ("lzo-rle", "lzo", "lz4")


def test_devices_of_a_tree(tree):
    with pyzram.devices(sysfs=tree) as found:
        assert [device.name for device in found] == ["zram3"]
    assert all(device.closed for device in found)


def test_devices_that_cannot_all_be_opened_leave_none_open(tmp_path, recwarn):
    """With only a few descriptors left, what was opened until then is closed again."""
    for number in range(25):
        (tmp_path / f"sys/block/zram{number}").mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = set(map(int, os.listdir("/proc/self/fd")))
    limit = [number for number in range(max(taken) + 12) if number not in taken][8]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        with pytest.raises(pyzram.ZramOSError, match="open") as caught:
            pyzram.devices(sysfs=pyzram.Sysfs(str(tmp_path)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.errno == errno.EMFILE
    del caught
    gc.collect()
    # Not by number: threads of earlier tests may just now close theirs.
    left = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            left.append(os.readlink(f"/proc/self/fd/{fd}"))
    assert left
    assert not [path for path in left if path.startswith(str(tmp_path))]
    assert [str(one.message) for one in recwarn] == []


def test_without_a_driver_that_is_what_it_says(tmp_path):
    (tmp_path / "sys/block").mkdir(parents=True)
    empty = pyzram.Sysfs(str(tmp_path))
    assert pyzram.devices(sysfs=empty) == []
    with pytest.raises(pyzram.DeviceNotFoundError, match="no zram driver"):
        pyzram.Zram(0, sysfs=empty)
    with pytest.raises(pyzram.UnsupportedError, match="modprobe zram") as caught:
        pyzram.Zram.add(sysfs=empty)
    assert caught.value.errno == errno.ENOENT
    found = pyzram.features(sysfs=empty)
    assert (found.driver, found.hot_add, found.algorithms) == (False, False, None)


def test_a_missing_sys_is_one_clear_error(tmp_path):
    with pytest.raises(pyzram.NotFoundError, match="list devices"):
        pyzram.devices(sysfs=pyzram.Sysfs(str(tmp_path)))


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "zram",
        "zram03",
        "03",
        "zram-1",
        "zramx",
        "٣",
        "9" * 5000,
        "/dev/zram\0",
        -1,
        True,
        1.5,
        "1/2",
    ],
)
def test_names_that_cannot_be_a_device(tree, spec):
    with pytest.raises((pyzram.ZramError, TypeError)):
        pyzram.Zram(spec, sysfs=tree)


@pytest.mark.parametrize("name", ["", "lzo\n", "lzo\n\n", "lzo rle", "/etc/passwd\n", "\0"])
def test_what_cannot_be_the_name_of_an_algorithm_never_reaches_the_kernel(tree, name):
    with pyzram.Zram(3, sysfs=tree) as device:
        with pytest.raises(pyzram.InvalidValueError, match="not a valid name"):
            device.set_comp_algorithm(name)
        with pytest.raises(pyzram.InvalidValueError, match="not a valid name"):
            device.configure(disksize="1M", algorithm=name)
        assert device.read("comp_algorithm") == "lzo-rle lzo lz4 "


@pytest.mark.parametrize("number", ["/etc/passwd", "9 algo=lzo", 1.5, True, 1 << 31])
def test_a_level_that_is_not_a_number_never_reaches_the_kernel(tree, number):
    with pyzram.Zram(3, sysfs=tree) as device:
        with pytest.raises(pyzram.InvalidValueError, match=r"^level"):
            device.set_algorithm_params(level=number)
        with pytest.raises(pyzram.InvalidValueError, match=r"^deflate\.winbits"):
            device.set_algorithm_params(winbits=number)


def test_a_dictionary_may_be_a_path_object(tree):
    assert pyzram.Algorithm("zstd", dictionary=Path("/a b")).params() == 'dict="/a b"'


def test_a_limit_that_the_kernel_would_round_to_zero_is_refused(tree):
    with pyzram.Zram(3, sysfs=tree) as device:
        with pytest.raises(pyzram.InvalidValueError, match="rounds up to 2"):
            device.set_mem_limit((1 << 64) - 1)
        with pytest.raises(pyzram.InvalidValueError, match="rounds up to 2"):
            device.set_disksize((1 << 64) - 1)


@pytest.mark.parametrize("setting", ["writeback_limit", "writeback_batch_size"])
def test_an_invalid_count_stops_configure_before_anything_is_done(tree, setting):
    with (
        pyzram.Zram(3, sysfs=tree) as device,
        pytest.raises(pyzram.InvalidValueError, match=setting),
    ):
        # The tree has no reset to write to: that would be another error.
        device.configure(disksize="1M", **{setting: "/dev/sda"})


def test_a_failed_configure_puts_back_what_a_reset_keeps(tree):
    folder, proc = Path(tree.path("sys/block/zram3")), Path(tree.root) / "proc"
    (proc / "self").mkdir(parents=True)
    for file in (proc / "swaps", proc / "self/mountinfo", folder / "reset"):
        file.write_text("")
    (folder / "dev").write_text("252:3\n")
    (folder / "writeback_limit").write_text("7\n")
    with pyzram.Zram(3, sysfs=tree) as device:
        with pytest.raises(pyzram.UnsupportedError, match="no attribute writeback_limit_enable"):
            device.configure(disksize="1M", writeback_limit=5)
        assert device.read_writeback_limit() == 7
        assert (folder / "writeback_batch_size").read_text() == "32\n"


def test_a_kernel_without_swap_has_no_swap_areas(tree):
    (Path(tree.root) / "proc").mkdir()
    with pyzram.Zram(3, sysfs=tree) as device:
        assert device.read_swap_area() is None


@pytest.mark.parametrize("path", ["/dev/zram3", "/zram3"])
def test_a_swap_area_is_found_by_its_device(tree, path):
    (Path(tree.root) / "proc").mkdir()
    line = f"{path} partition 1024 512 100"
    (Path(tree.root) / "proc/swaps").write_text(f"Filename Type Size Used Priority\n{line}\n")
    with pyzram.Zram(3, sysfs=tree) as device:
        area = device.read_swap_area()
    assert area is not None
    assert (area.size, area.used, area.priority) == (1 << 20, 1 << 19, 100)
    assert figure_reader.FigureReader(tree).swaps()["zram3"].priority == 100


def test_a_device_that_goes_while_its_mounts_are_looked_up(tree):
    with pytest.raises(pyzram.DeviceNotFoundError, match="zram3: read dev"):
        holders.mount_points(tree, "zram3")


CLASSES = {
    "6.1": (
        " class  size almost_full almost_empty obj_allocated   obj_used pages_used"
        " pages_per_zspage freeable\n"
        "     0    32           0            1           128         90          1"
        "                1        0\n"
        "     1    48           1            0           256        256          3"
        "                3        0\n"
        "\n"
        " Total                 1            1           384        346          4"
        "                         0\n",
        {"almost_full": 0, "almost_empty": 1},
    ),
    "7.x": (
        " class  size       10%       20%       99%      100% obj_allocated   obj_used pages_used"
        " pages_per_zspage freeable\n"
        "     0    32         0         0         1         0           128         90          1"
        "                1        0\n"
        "     1    48         0         0         0         1           256        256          3"
        "                3        0\n"
        "\n"
        " Total               0         0         1         1           384        346          4"
        "                         0\n",
        {"10%": 0, "20%": 0, "99%": 1, "100%": 0},
    ),
}


@pytest.mark.parametrize("kernel", CLASSES)
def test_the_pool_s_classes(tree, kernel):
    text, fullness = CLASSES[kernel]
    pool = Path(tree.root) / "sys/kernel/debug/zsmalloc/zram3"
    pool.mkdir(parents=True)
    (pool / "classes").write_text(text)
    with pyzram.Zram(3, sysfs=tree) as device:
        first, second = device.read_pool_classes()
        assert pyzram.features(device, sysfs=tree).pool_classes is True
    assert first.as_dict() == {
        "number": 0,
        "size": 32,
        "fullness": fullness,
        "obj_allocated": 128,
        "obj_used": 90,
        "pages_used": 1,
        "pages_per_zspage": 1,
        "freeable": 0,
    }
    assert (second.size, second.pages_per_zspage) == (48, 3)


def test_a_table_of_classes_that_lacks_a_column_is_unsupported_and_names_it(tree):
    pool = Path(tree.root) / "sys/kernel/debug/zsmalloc/zram3"
    pool.mkdir(parents=True)
    text, _ = next(iter(CLASSES.values()))
    (pool / "classes").write_text(text.replace("freeable", "fleeable"))
    words = "zram3: read classes: this kernel's table has no column freeable"
    with (
        pyzram.Zram(3, sysfs=tree) as device,
        pytest.raises(pyzram.UnsupportedError, match=words) as caught,
    ):
        device.read_pool_classes()
    assert caught.value.errno == errno.EOPNOTSUPP
    assert caught.value.filename == str(pool / "classes")


def test_no_pool_is_no_classes_and_no_debugfs_says_so(tree):
    with pyzram.Zram(3, sysfs=tree) as device:
        with pytest.raises(pyzram.UnsupportedError, match="mount -t debugfs") as caught:
            device.read_pool_classes()
        assert caught.value.errno == errno.ENOENT
        assert pyzram.features(device, sysfs=tree).pool_classes is None
        (Path(tree.root) / "sys/kernel/debug/zsmalloc").mkdir(parents=True)
        assert device.read_pool_classes() == ()
        assert pyzram.features(device, sysfs=tree).pool_classes is True


def test_block_state_is_counted_from_the_handle(tree):
    tracked = Path(tree.root) / "sys/kernel/debug/zram/zram3"
    tracked.mkdir(parents=True)
    (tracked / "block_state").write_text(
        "           0            1.000000 s.....\n           7            2.000000 ..h...\n"
    )
    with pyzram.Zram(3, sysfs=tree) as device:
        counts = device.read_block_state()
    assert counts.slots == 2
    assert (counts.flags["same"], counts.flags["huge"], counts.flags["idle"]) == (1, 1, 0)


# ---- handles that are nobody else's --------------------------------------------------------------


@pytest.mark.parametrize("attempt", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_handle_cannot_be_copied_or_sent(tree, attempt):
    with pyzram.Zram(3, sysfs=tree) as device, pytest.raises(TypeError, match="pass 'zram3'"):
        attempt(device)


def test_a_pool_of_processes_is_given_names_and_not_handles(tree):
    with pyzram.Zram(3, sysfs=tree) as device, multiprocessing.get_context("spawn").Pool(1) as pool:
        with pytest.raises(TypeError, match="pass 'zram3'"):
            pool.map(repr, [device])
        assert pool.map(repr, [device.name]) == ["'zram3'"]


def in_a_child(work) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_after_a_fork_the_child_is_refused_and_closes_nothing(tree):
    with pyzram.Zram(3, sysfs=tree) as device:
        device.read_io_stat()  # its file stays open
        descriptors = [device._fd, device._files["io_stat"]._file.fd]

        def child() -> None:
            for call in (device.read_disksize, device.read_io_stat, device.remove):
                with pytest.raises(pyzram.InvalidValueError, match="before fork: open 'zram3'"):
                    call()
            # As a daemon does; from here on the numbers belong to somebody else.
            null = os.open("/dev/null", os.O_RDONLY)
            for fd in descriptors:
                os.dup2(null, fd)
            device.close()
            gc.collect()
            for fd in descriptors:
                os.fstat(fd)
            with pyzram.Zram(device.name, sysfs=tree) as own:
                assert own.read_disksize() == 0

        assert in_a_child(child) == 0
        assert device.read_io_stat().failed_reads == 0


def test_a_descriptor_is_closed_once_whatever_becomes_of_its_number(tree):
    device = pyzram.Zram(3, sysfs=tree)
    number = device._fd
    device.close()
    other = os.open("/dev/null", os.O_RDONLY)
    assert other == number
    device.close()
    device.__exit__(None, None, None)
    del device
    gc.collect()
    os.close(other)


def test_a_handle_that_is_dropped_open_says_so_and_closes(tree):
    device = pyzram.Zram(3, sysfs=tree)
    number = device._fd
    with pytest.warns(ResourceWarning, match="<Zram zram3> was never closed"):
        del device
        gc.collect()
    with pytest.raises(OSError):
        os.fstat(number)


def test_handles_in_threads_read_side_by_side(tree):
    def read(_: int) -> int:
        with pyzram.Zram(3, sysfs=tree) as device:
            return sum(device.read_io_stat().failed_reads for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(32))) == [0] * 32


def test_what_is_not_a_single_algorithm_is_refused_by_name(tree):
    with pyzram.Zram(3, sysfs=tree) as device:
        for wrong in (["zstd"], None, 3):
            with pytest.raises(pyzram.InvalidValueError, match="not one algorithm"):
                device.set_comp_algorithm(wrong)
        for wrong in ("zstd:3", "zstd(level=3)", pyzram.Algorithm("zstd", level=3)):
            with pytest.raises(pyzram.InvalidValueError, match="takes only a name"):
                device.set_comp_algorithm(wrong)
            with pytest.raises(pyzram.InvalidValueError, match="takes only a name"):
                device.set_recomp_algorithm(wrong)
        with pytest.raises(pyzram.InvalidValueError, match="algorithm 3: neither an algorithm"):
            device.configure(disksize="1M", algorithm=3)
        with pytest.raises(pyzram.UnsupportedError, match="no algorithm zstd or l "):
            device.configure(disksize="1M", algorithm=["zstd", "l"])


def test_options_of_a_file_system_are_a_list(tree):
    refused = r"zram3: options '-q': .* \['-q'\]"
    with (
        pyzram.Zram(3, sysfs=tree) as device,
        pytest.raises(pyzram.InvalidValueError, match=refused),
    ):
        device.mkfs(options="-q")
