# SPDX-License-Identifier: MIT
"""Where written-back pages go: a partition, a logical volume or a file, safe to overwrite.

Nothing is overwritten unasked. What is in use is always refused; what holds something (any
signature that wipefs(8) knows, or a file with data that is not ours) is refused without force.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISREG

from ..errors import (
    DeviceBusyError,
    DeviceNotFoundError,
    InvalidValueError,
    OverwriteError,
    ZramError,
    ZramOSError,
    from_errno,
)
from ..kernel import holders
from ..kernel.parse import parse_mounts, parse_swaps
from ..kernel.sysfs import Sysfs, read_text
from ..units import parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# On a file that we made: its data is scratch, also after a crash. Only root can set it.
MARK = "trusted.pyzram.backing"
READ_SIZE = 1 << 20


class BackingStore:
    """A store that is ready: ``path`` as it was named, ``device`` for the kernel.

    ``loop`` says that the device is a loop device of ours, ``direct`` that this goes past the
    page cache.
    """

    __slots__ = ("device", "direct", "loop", "path")

    def __init__(self, path: str, device: str, *, loop: bool, direct: bool = True) -> None:
        self.path = path
        self.device = device
        self.loop = loop
        self.direct = direct

    def __repr__(self) -> str:
        return f"<BackingStore {self.path} on {self.device}>"


def check_backing(
    path: str | os.PathLike[str], *, force: bool = False, sysfs: Sysfs | None = None
) -> None:
    """Refuse a block device or file that may not be overwritten. Changes nothing.

    ``force`` overrides what the path holds, but not that it is in use.

    Raises:
        DeviceBusyError: mounted, swap, or claimed by somebody (EBUSY); says by whom.
        OverwriteError: it holds something (EEXIST); says what.
        ZramOSError: ENOENT and others when looking, ENOTBLK for neither device nor file.
        InvalidValueError: no absolute path.
    """
    text = absolute(path)
    tree = sysfs or Sysfs()
    try:
        status = os.stat(text)
    except OSError as err:
        raise from_errno(err.errno or 0, f"backing device {text}", text) from err
    if S_ISBLK(status.st_mode):
        used = _device_users(tree, text, status.st_rdev)
    elif S_ISREG(status.st_mode):
        used = _file_users(tree, text)
    else:
        raise from_errno(
            errno.ENOTBLK, f"backing device {text}", text, remedy="and not a regular file either"
        )
    if used:
        raise DeviceBusyError(
            errno.EBUSY, f"backing device {text}: in use ({', '.join(used)})", text
        )
    if force:
        return
    held = signatures(text)
    if not held and S_ISREG(status.st_mode) and not _is_marked(text) and _has_data(text):
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
    """Check the path and make a block device of it; a file gets a loop device.

    ``size`` (bytes or a size) makes a file that does not exist yet, with its blocks reserved.
    Hand ``device`` to the kernel, then release: a loop device stays for as long as zram holds
    it, and goes with the reset of the zram device, whatever becomes of this process.

    Raises:
        As :func:`check_backing`, and ZramError with the words of losetup where that fails.
    """
    text = absolute(path)
    if size is not None and not os.path.lexists(text):
        _make_file(text, parse_size(size))
    check_backing(text, force=force, sysfs=sysfs)
    if S_ISBLK(os.stat(text).st_mode):
        return BackingStore(text, text, loop=False)
    _mark(text)
    command = ["losetup", "--find", "--show"]
    try:
        device = _run([*command, "--direct-io=on", text])
    except ZramError:
        # Some file systems have no direct I/O: better through the page cache than not at all.
        return BackingStore(text, _run([*command, text]), loop=True, direct=False)
    return BackingStore(text, device, loop=True)


def release_backing(store: BackingStore) -> None:
    """Let go of a store: its loop device goes as soon as zram no longer holds it."""
    if store.loop:
        _run(["losetup", "--detach", store.device])


def backing_file(device: str, *, sysfs: Sysfs | None = None) -> str | None:
    """Return the file behind a loop device, or ``None`` for another kind of device."""
    name = os.path.basename(os.path.realpath(device))
    try:
        return read_text((sysfs or Sysfs()).block(name) + "/loop/backing_file").rstrip("\n")
    except OSError:
        return None


def signatures(path: str) -> list[str]:
    """Name what a device or file holds by the signatures on it, those of lost halves included.

    Raises:
        ZramError: wipefs is missing or could not look.
    """
    found = []
    output = _run(["wipefs", "--noheadings", "--parsable", "--output", "TYPE,LABEL", path])
    for line in output.splitlines():
        kind, _, label = line.strip().partition(",")
        if kind and not kind.startswith("#"):
            phrase = f"{kind} {label!r}" if label else kind
            if phrase not in found:
                found.append(phrase)
    return found


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the path as text; the kernel would take a relative one from elsewhere."""
    text = os.fspath(path)
    if not os.path.isabs(text):
        raise InvalidValueError(f"backing device {text!r}: give an absolute path")
    return text


# ---- in use --------------------------------------------------------------------------------------


def _device_users(tree: Sysfs, path: str, rdev: int) -> list[str]:
    """Who uses a block device or, of a whole disk, one of its partitions."""
    found = []
    mounts = parse_mounts(tree.read("proc/self/mountinfo"))
    swaps = [area.path for area in parse_swaps(tree.read("proc/swaps"))]
    directory = tree.path("sys/dev/block", _number(rdev))
    for number, name in _with_partitions(directory, rdev, path):
        on = "" if number == _number(rdev) else f"{name} "
        found += [f"{on}mounted on {point}" for point in mounts.get(number, [])]
        if any(_device_number(swap) == number for swap in swaps):
            found.append(f"{on}active swap")
        holders = tree.path("sys/dev/block", number, "holders")
        if os.path.isdir(holders):
            found += [f"{on}held by {holder}" for holder in os.listdir(holders)]
    found += [f"backing device of {name}" for name in _zrams_on(tree, _number(rdev))]
    if not found:
        try:
            # What no list shows (btrfs, RAID, another name space) shows here.
            os.close(os.open(path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
        except OSError as err:
            if err.errno != errno.EBUSY:
                raise from_errno(err.errno or 0, f"backing device {path}: open", path) from err
            found.append("claimed by another user")
    return found


def _with_partitions(directory: str, rdev: int, path: str) -> list[tuple[str, str]]:
    """Numbers and names of a device and its partitions."""
    found = [(_number(rdev), path)]
    try:
        names = os.listdir(directory)
    except OSError:
        return found
    for name in names:
        if os.path.exists(f"{directory}/{name}/partition"):
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
            # Nothing is told, too, where a writeback makes readers wait; opening shows it then.
            if backing and backing != "none" and _device_number(backing) == number:
                found.append(f"zram{zram}")
    finally:
        reader.close()
    return found


def _file_users(tree: Sysfs, path: str) -> list[str]:
    real = os.path.realpath(path)
    found = []
    for area in parse_swaps(tree.read("proc/swaps")):
        if os.path.realpath(area.path) == real:
            found.append("active swap")
    status = os.stat(path)
    block = tree.path("sys/block")
    for name in sorted(os.listdir(block)):
        file = backing_file(name, sysfs=tree) if name.startswith("loop") else None
        if file is None:
            continue
        try:
            same = os.path.samestat(os.stat(file), status)
        except OSError:
            same = file == real
        if same:
            users_of = holders.claims(tree, name)
            users_of += [f"backing device of {zram}" for zram in _zrams_on(tree, _dev(tree, name))]
            found.append(f"behind {name}{''.join(', ' + user for user in users_of)}")
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
    """Make a file with all its blocks, or none at all."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise from_errno(err.errno or 0, f"backing device {path}: make", path) from err
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as err:
        os.unlink(path)
        raise from_errno(
            err.errno or 0, f"backing device {path}: make with {size} bytes", path
        ) from err
    finally:
        os.close(fd)
    _mark(path)


def _mark(path: str) -> None:
    # Without attributes there, its data will have to be forced after a crash.
    from contextlib import suppress

    with suppress(OSError):
        os.setxattr(path, MARK, b"1")


def _is_marked(path: str) -> bool:
    try:
        os.getxattr(path, MARK)
    except OSError:
        return False
    return True


def _has_data(path: str) -> bool:
    """Whether anything but zeros is in a file; holes are passed over."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        at = 0
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
    finally:
        os.close(fd)


# ---- tools ---------------------------------------------------------------------------------------


def _run(command: Sequence[str]) -> str:
    import subprocess

    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        raise ZramOSError(
            errno.ENOENT, f"{command[0]} is missing (install util-linux)", command[0]
        ) from err
    if done.returncode != 0:
        words = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise ZramError(f"{' '.join(command)}: {words}")
    return done.stdout.strip()
