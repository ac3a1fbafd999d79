# SPDX-License-Identifier: MIT
"""Where written-back pages go: a partition, a logical volume or a file, safe to overwrite.

Nothing is overwritten unasked. A device or file in use is always refused; one that holds something
(any signature that wipefs(8) knows, or a file with data that is not ours) is refused without force.
What was checked is what is attached: one descriptor goes from the check to the loop device.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISREG

from ..descriptor import Opened
from ..errors import (
    DeviceBusyError,
    DeviceNotFoundError,
    InvalidValueError,
    OverwriteError,
    from_errno,
)
from ..external import run_program
from ..kernel import holders
from ..kernel.parse import parse_mountinfo, parse_swaps
from ..kernel.safe_paths import fd_path, open_above, open_path
from ..kernel.sysfs import Sysfs, is_there, read_if_there, read_text, read_value
from ..text import quote
from ..units import parse_size
from . import loop

# Marks a file that we made, whose data is scratch even after a crash. Only root can set it.
MARK = "trusted.pyzram.backing"
READ_SIZE = 1 << 20


class BackingStore:
    """A backing device that is ready: ``path`` as it was named, ``device`` for the kernel.

    ``loop`` says that it is a loop device of ours, ``direct`` that this bypasses the page cache. A
    loop device stays until :func:`release_backing` or the end of the process, and after that as
    long as zram holds it.
    """

    __slots__ = ("_held", "device", "direct", "loop", "path")

    def __init__(
        self,
        path: str,
        device: str,
        *,
        loop: bool,
        direct: bool = True,
        held: Opened | None = None,
    ) -> None:
        self.path = path
        self.device = device
        self.loop = loop
        self.direct = direct
        self._held = held

    def close(self) -> None:
        """Let go of the loop device."""
        if self._held:
            self._held.close()

    def __repr__(self) -> str:
        return f"<BackingStore {self.path} on {self.device}>"


def check_backing(
    path: str | os.PathLike[str], *, force: bool = False, sysfs: Sysfs | None = None
) -> None:
    """Refuse a block device or file that may not be overwritten. Changes nothing.

    ``force`` overwrites what the path holds, but never what is in use.

    Raises:
        DeviceBusyError: mounted, swap, or claimed by somebody (EBUSY); says by whom.
        OverwriteError: it holds something (EEXIST); says what.
        ZramOSError: ENOENT and others when looking, ENOTBLK for neither device nor file, ELOOP for
        a symbolic link on the way that users other than root can change.
        InvalidValueError: not an absolute path.
    """
    text = absolute(path)
    _open_checked(text, force, sysfs or Sysfs()).close()


def _open_checked(text: str, force: bool, tree: Sysfs) -> Opened:
    """Open a device or file for reading, if it may be overwritten."""
    try:
        found = open_path(text, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as err:
        remedy = "a symbolic link on the way is not root's" if err.errno == errno.ELOOP else ""
        raise from_errno(err.errno or 0, f"backing device {text}", text, remedy=remedy) from err
    try:
        _check(text, found.fd, force, tree)
    except BaseException:
        found.close()  # the error may be kept for long
        raise
    return found


def _check(text: str, fd: int, force: bool, tree: Sysfs) -> None:
    status = os.fstat(fd)
    if S_ISBLK(status.st_mode):
        used = _device_holders(tree, text, fd)
    elif S_ISREG(status.st_mode):
        used = _file_holders(tree, status)
    else:
        raise from_errno(
            errno.ENOTBLK,
            f"backing device {text}",
            text,
            remedy="give a block device or a regular file",
        )
    if used:
        raise DeviceBusyError(
            errno.EBUSY, f"backing device {text}: in use ({', '.join(used)})", text
        )
    if force:
        return
    held = _signatures(text, fd)
    if not held and S_ISREG(status.st_mode) and not _is_marked(fd) and _has_data(text, fd):
        held = ["data"]
    if held:
        raise OverwriteError(
            errno.EEXIST,
            f"backing device {text}: holds {', '.join(held)}, which would be overwritten "
            "(force=True or --force says to)",
            text,
        )


def attach_backing(
    path: str | os.PathLike[str],
    *,
    size: int | str | None = None,
    force: bool = False,
    sysfs: Sysfs | None = None,
) -> BackingStore:
    """Check the path and return a block device for it; a file gets a loop device.

    ``size`` (bytes or a size) makes a file that does not exist yet, with its blocks reserved.
    Hand ``device`` to the kernel, then release: a loop device stays for as long as zram holds
    it, and goes with the reset of the zram device, whatever becomes of this process.

    Raises:
        As :func:`check_backing`, and ZramOSError where no loop device is to be had.
    """
    text = absolute(path)
    if size is not None and not os.path.lexists(text):
        _make_file(text, parse_size(size))
    with _open_checked(text, force, sysfs or Sysfs()) as fd:
        if S_ISBLK(os.fstat(fd).st_mode):
            # Where the links on the way led; all were root's.
            return BackingStore(text, os.readlink(fd_path(fd)), loop=False)
        try:
            with Opened(fd_path(fd), os.O_RDWR) as file:
                device, held, direct = loop.attach(file)
                _mark(file)
        except OSError as err:
            raise from_errno(
                err.errno or 0, f"backing device {text}: attach a loop device", text
            ) from err
        return BackingStore(text, device, loop=True, direct=direct, held=held)


def release_backing(store: BackingStore) -> None:
    """Release it: its loop device goes as soon as zram no longer holds it."""
    store.close()


def backing_file(device: str, *, sysfs: Sysfs | None = None) -> str | None:
    """Return the file behind a loop device, or ``None`` for another kind of device.

    Raises:
        ZramOSError: that cannot be told.
    """
    tree = sysfs or Sysfs()
    return _loop_file(tree, holders.block_name(tree, device))


def _loop_file(tree: Sysfs, name: str) -> str | None:
    text = read_if_there(tree.block(name) + "/loop/backing_file")
    return None if text is None else text.removesuffix("\n")


def _signatures(text: str, fd: int) -> list[str]:
    found = []
    step = f"backing device {text}: look for signatures"
    words = ["wipefs", "--noheadings", "--parsable", "--output", "TYPE,LABEL", fd_path(fd)]
    for line in run_program(step, *words, descriptors=[fd]).split("\n"):
        kind, _, label = line.strip(" ").partition(",")
        if kind and not kind.startswith("#"):
            phrase = f"{quote(kind)} '{quote(label)}'" if label else quote(kind)
            if phrase not in found:
                found.append(phrase)
    return found


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path as text; for the kernel, a relative path would start elsewhere."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        raise InvalidValueError(f"backing device {text!r}: give an absolute path")
    return text


# ---- in use --------------------------------------------------------------------------------------


def _device_holders(tree: Sysfs, path: str, fd: int) -> list[str]:
    """Who uses a block device, or a partition of it."""
    found = []
    rdev = os.fstat(fd).st_rdev
    mounts = holders.mounts_by_device(tree, parse_mountinfo(tree.read("proc/self/mountinfo")))
    swaps = holders.swap_areas(tree)
    directory = tree.path("sys/dev/block", _number(rdev))
    for number, name in _with_partitions(directory, rdev, path):
        on = "" if number == _number(rdev) else f"{name} "
        found += [f"{on}mounted on {quote(mount.point)}" for mount in mounts.get(number, [])]
        if holders.device_name(tree, number) in swaps:
            found.append(f"{on}active swap")
        above = tree.path("sys/dev/block", number, "holders")
        if is_there(above):
            found += [f"{on}held by {holder}" for holder in os.listdir(above)]
    found += [f"backing device of {name}" for name in _zrams_on(tree, _number(rdev))]
    if not found:
        try:
            # Users that no list shows (btrfs, RAID, another namespace) show here.
            Opened(fd_path(fd), os.O_RDONLY | os.O_EXCL).close()
        except OSError as err:
            if err.errno != errno.EBUSY:
                raise from_errno(err.errno or 0, f"backing device {path}: open", path) from err
            found.append("claimed by another user")
    return found


def _with_partitions(directory: str, rdev: int, path: str) -> list[tuple[str, str]]:
    """Numbers and names of a device and its partitions."""
    found = [(_number(rdev), path)]
    for name in os.listdir(directory) if is_there(directory) else ():
        if is_there(f"{directory}/{name}/partition"):
            found.append((read_text(f"{directory}/{name}/dev").strip(), name))
    return found


def _zrams_on(tree: Sysfs, number: str) -> list[str]:
    from ..kernel.attributes import AttributeReader, Attributes

    found = []
    reader = AttributeReader(tree)
    try:
        for zram in tree.numbers():
            try:
                backing = Attributes(reader, zram)["backing_dev"]
            except DeviceNotFoundError:
                continue
            # A writeback that keeps readers waiting gives nothing either; then opening it tells.
            if backing and backing != "none" and _device_number(backing) == number:
                found.append(f"zram{zram}")
    finally:
        reader.close()
    return found


def _file_holders(tree: Sysfs, status: os.stat_result) -> list[str]:
    """Who uses a file: by its identity, because its name may have changed."""
    found = []
    for area in parse_swaps(read_value(tree.path("proc/swaps"))):
        if loop.leads_to(area.path, status, f"{area.path}: look, since it is swap"):
            found.append("active swap")
    block = tree.path("sys/block")
    for name in sorted(os.listdir(block)):
        file = _loop_file(tree, name) if name.startswith("loop") else None
        if file is not None and loop.is_behind(f"{tree.dev}/{name}", file, status):
            holding = holders.lasting(tree, name)
            holding += [f"backing device of {zram}" for zram in _zrams_on(tree, _dev(tree, name))]
            found.append(f"behind {name}{''.join(', ' + holder for holder in holding)}")
    return found


def _dev(tree: Sysfs, name: str) -> str:
    return read_text(tree.block(name) + "/dev").strip()


def _number(rdev: int) -> str:
    return f"{os.major(rdev)}:{os.minor(rdev)}"


def _device_number(path: str) -> str | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return _number(status.st_rdev) if S_ISBLK(status.st_mode) else None


# ---- files ---------------------------------------------------------------------------------------


def _make_file(path: str, size: int) -> None:
    """Make a file with all its blocks reserved, or no file at all."""
    folder: Opened | None = None
    made = False
    try:
        folder, name = open_above(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with Opened(name, flags, dir_fd=folder.fd) as fd:
            made = True
            os.posix_fallocate(fd, 0, size)
            _mark(fd)
    except BaseException as err:
        if made and folder:
            os.unlink(name, dir_fd=folder.fd)
        if not isinstance(err, OSError):
            raise
        step = f"make with {size} bytes" if made else "make"
        raise from_errno(err.errno or 0, f"backing device {path}: {step}", path) from err
    finally:
        if folder:
            folder.close()


def _mark(fd: int) -> None:
    # A file system without attributes: after a crash, reusing the file takes force.
    from contextlib import suppress

    with suppress(OSError):
        os.setxattr(fd, MARK, b"1")


def _is_marked(fd: int) -> bool:
    try:
        os.getxattr(fd, MARK)
    except OSError:
        return False
    return True


def _has_data(path: str, fd: int) -> bool:
    """Whether a file has anything but zeros; holes are skipped."""
    at = 0
    try:
        while True:
            try:
                at = os.lseek(fd, at, os.SEEK_DATA)
            except OSError as err:
                if err.errno == errno.ENXIO:
                    return False
                raise
            chunk = os.pread(fd, READ_SIZE, at)
            if not chunk:
                return False
            if chunk.count(0) != len(chunk):
                return True
            at += len(chunk)
    except OSError as err:
        raise from_errno(err.errno or 0, f"backing device {path}: read", path) from err
