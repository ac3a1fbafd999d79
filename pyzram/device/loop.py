# SPDX-License-Identifier: MIT
"""Loop devices by descriptor, so that the file that was opened is the one that gets attached.

losetup(8) takes a path, and what a path means can change between a check and its use.
Source: loop(4), include/uapi/linux/loop.h.
"""

from __future__ import annotations

import errno
import os
import time

from ..descriptor import Opened
from ..errors import from_errno
from ..kernel.sysfs import read_if_there
from .lifecycle import NODE_TIMEOUT_SECONDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..kernel.sysfs import Sysfs

CONTROL = "/dev/loop-control"
LOOP_CTL_GET_FREE = 0x4C82
LOOP_CONFIGURE = 0x4C0A
LOOP_GET_STATUS64 = 0x4C05
# struct loop_config: the file, a block size, struct loop_info64 of 232 bytes, 64 reserved bytes.
CONFIG_BYTES = 304
INFO = 8
INFO_BYTES = 232
FLAGS = INFO + 52
FILE_NAME, FILE_NAME_BYTES = INFO + 56, 64
AUTOCLEAR, DIRECT_IO = 4, 16
TRIES = 100


def attach(file: int) -> tuple[str, Opened, bool]:
    """Attach an open file; return the device's path, its open node, and whether I/O is direct.

    The device goes away with its last user: close the descriptor once another has it open.

    Raises:
        OSError: the kernel's error; ENOENT if there are no loop devices.
    """
    from fcntl import ioctl
    from struct import pack_into  # a start without a file does not load it

    path = os.readlink(f"/proc/self/fd/{file}")
    with Opened(CONTROL, os.O_RDWR) as control:
        # Linux 6.1 accepts the flag even for a file without direct I/O; every write is EIO then.
        direct = (AUTOCLEAR | DIRECT_IO,) if _can_go_directly(file) else ()
        for flags in (*direct, AUTOCLEAR):
            config = bytearray(CONFIG_BYTES)
            pack_into("=I", config, 0, file)
            pack_into("=I", config, FLAGS, flags)
            name = os.fsencode(path)[: FILE_NAME_BYTES - 1]
            config[FILE_NAME : FILE_NAME + len(name)] = name
            for _ in range(TRIES):
                device = f"/dev/loop{ioctl(control, LOOP_CTL_GET_FREE)}"
                node = _open_node(device)
                try:
                    ioctl(node.fd, LOOP_CONFIGURE, config)
                    return device, node, _is_direct(device)
                except BaseException as err:
                    node.close()
                    if not isinstance(err, OSError):
                        raise
                    if err.errno == errno.EBUSY:
                        continue  # another process took it first
                    if err.errno != errno.EINVAL or not flags & DIRECT_IO:
                        raise
                break  # no direct I/O here, but the page cache is better than nothing
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), CONTROL)


def is_behind(node: str, path: str, status: os.stat_result) -> bool:
    """Whether a file is the one behind a loop device, given the path in sysfs."""
    try:
        return file_behind(node) == (status.st_dev, status.st_ino)
    except OSError as err:
        if err.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            return False  # nothing is behind it any more
        return leads_to(path, status, f"{node}: look at the file behind it")


def file_behind(node: str) -> tuple[int, int]:
    """The st_dev and st_ino of the file behind a loop device.

    Raises:
        OSError: the kernel's error; ENXIO if nothing is behind it.
    """
    from fcntl import ioctl
    from struct import unpack_from

    info = bytearray(INFO_BYTES)
    with Opened(node, os.O_RDONLY | os.O_NONBLOCK) as fd:
        ioctl(fd, LOOP_GET_STATUS64, info)
    device, inode = unpack_from("=QQ", info)
    # The kernel's encoding of device numbers for user space.
    major, minor = device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00
    return os.makedev(major, minor), int(inode)


def file_of(tree: Sysfs, name: str) -> str | None:
    """The path of the file behind ``loopN``, as the kernel shows it; ``None`` without one.

    Raises:
        ZramOSError: that cannot be told.
    """
    text = read_if_there(tree.block(name) + "/loop/backing_file")
    return None if text is None else text.removesuffix("\n")


def leads_to(path: str, status: os.stat_result, what: str) -> bool:
    """Whether a path that the kernel shows still leads to this file.

    Raises:
        ZramOSError: that cannot be found out; the message says ``what`` was attempted.
    """
    try:
        return os.path.samestat(os.stat(path), status)
    except (FileNotFoundError, NotADirectoryError):
        return False  # it was removed, and this path leads to another file
    except OSError as err:
        raise from_errno(err.errno or 0, what, path) from err


def _open_node(device: str) -> Opened:
    deadline = time.monotonic() + NODE_TIMEOUT_SECONDS
    while True:
        try:
            return Opened(device, os.O_RDWR)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.005)


def _can_go_directly(file: int) -> bool:
    """Whether the file system does direct I/O, which every kernel checks on opening."""
    try:
        Opened(f"/proc/self/fd/{file}", os.O_RDWR | os.O_DIRECT).close()
    except OSError:
        return False
    return True


def _is_direct(device: str) -> bool:
    try:
        with open(f"/sys/block/{device.rpartition('/')[2]}/loop/dio", encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False
