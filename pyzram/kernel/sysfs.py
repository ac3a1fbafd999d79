# SPDX-License-Identifier: MIT
"""Where the kernel's files are, and plain reads of whole files.

Nothing here needs a C extension, so that a statistics command starts fast. :mod:`pyzram._native`
does the writing and the repeated reading.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK

from ..errors import NotZramError, from_errno
from ..text import is_whole
from ..value import check_count, check_kind, check_path, documented, wrong_type

READ_SIZE = 65536
NO_DRIVER = "no zram driver is loaded (modprobe zram)"
ADDING = "add a zram device"
"""The step whose errors can name no device yet."""
# These say that something is missing or has gone; any other error says nothing about that.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ESRCH)
BOOT_ID = "proc/sys/kernel/random/boot_id"
"""Which boot of the machine this is; with each, ``diskseq`` starts again."""
# More digits than any device's number, and fewer than the interpreter refuses to convert.
DIGITS_MAX = 10


def pass_over(err: OSError) -> None:
    """Go on without a process that has exited, or that we may not inspect.

    Raises:
        OSError: any other error, which says nothing about the process.
    """
    # Reading the tables of mounts fails with EINVAL for a process that is about to exit.
    if err.errno not in (*GONE, errno.EINVAL, errno.EACCES, errno.EPERM):
        raise err


def read_text(path: str, *, dir_fd: int | None = None) -> str:
    """Read a whole kernel file; the OSError is the kernel's own."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        chunk = os.read(fd, READ_SIZE)
        # Joined at the end: what others can make long would be copied with each page of it.
        chunks = [chunk]
        # One read is enough in sysfs, but /proc may need several.
        while chunk and (len(chunk) == READ_SIZE or not path.startswith("/sys")):
            chunk = os.read(fd, READ_SIZE)
            chunks.append(chunk)
    except OSError as err:
        err.filename = path  # read(2) does not know it
        raise
    finally:
        os.close(fd)
    return b"".join(chunks).decode("utf-8", "surrogateescape")


def read_if_there(path: str) -> str | None:
    """Read a file that not every kernel has, or that may have gone; ``None`` if it is missing.

    Raises:
        ZramOSError: it exists but cannot be read, which says nothing about it.
    """
    try:
        return read_text(path)
    except OSError as err:
        if err.errno in GONE:
            return None
        raise from_errno(err.errno or 0, f"{path}: read", path) from err


def read_value(path: str) -> str:
    """Read a value or a table, stripped of blanks; empty if there is no such file.

    Raises:
        ZramOSError: it exists but cannot be read, which says nothing about it.
    """
    return (read_if_there(path) or "").strip(" \n")


def read_proc(tree: Sysfs, path: str, *, always: bool = False) -> str:
    """Read a table below ``proc``; empty if this kernel has none, such as one without swap.

    With ``always``, every kernel has it.

    Raises:
        ZramOSError: it exists but cannot be read, or all of /proc is missing (ENOSYS).
        NotFoundError: it is missing, and every kernel has it.
    """
    where = tree.path(path)
    text = read_if_there(where)
    if text is None and not tree.root:
        from ..descriptor import lacks_proc, no_proc

        if lacks_proc():
            raise no_proc()
    if text is None and always:
        raise from_errno(errno.ENOENT, f"{where}: read", where)
    return text or ""


def is_there(path: str) -> bool:
    """Whether a path leads to something.

    Raises:
        ZramOSError: that cannot be determined (:func:`os.path.exists` would say no).
    """
    try:
        os.stat(path)
    except OSError as err:
        if err.errno in GONE:
            return False
        raise from_errno(err.errno or 0, f"{path}: look", path) from err
    return True


def readers_wait(device: str) -> bool:
    """Whether this kernel may block readers of a device's figures, given the device's directory.

    From 7.x on they wait while writeback or recompression runs. Those kernels have
    writeback_batch_size or, built without writeback, only recompress. Older ones that let readers
    pass may have recompress too, but they (up to 6.14) also have max_comp_streams; the versions in
    between were not tested.
    """
    if is_there(f"{device}/writeback_batch_size"):
        return True
    return is_there(f"{device}/recompress") and not is_there(f"{device}/max_comp_streams")


@documented
class Sysfs:
    """The kernel's files below a root directory: ``/``, or a captured tree in tests.

    Synchronization: none needed, immutable.
    """

    __slots__ = ("_root",)

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        self._root = check_path("root", "/" if root == "" else root).rstrip("/")

    @property
    def root(self) -> str:
        """The root, without a trailing slash; empty for ``/``."""
        return self._root

    def __repr__(self) -> str:
        return f"Sysfs({self.root or '/'!r})"

    def __eq__(self, other: object) -> bool:
        return self._root == other._root if isinstance(other, Sysfs) else NotImplemented

    def __hash__(self) -> int:
        return hash((Sysfs, self._root))

    def __reduce__(self) -> tuple[type[Sysfs], tuple[str]]:
        return Sysfs, (self._root,)

    def path(self, *parts: str) -> str:
        """Join a path below the root.

        Raises:
            InvalidTypeError: a part is not text.
        """
        try:
            return "/".join((self._root, *parts))
        except TypeError:
            raise wrong_type("parts", parts, "not text alone") from None

    def block(self, name: str) -> str:
        """Directory of a block device, ``/sys/block/NAME``.

        Raises:
            InvalidTypeError: the name is not text.
        """
        check_kind(str, {"name": name})
        return self.path("sys/block", name)

    @property
    def control(self) -> str:
        """Directory of hot_add and hot_remove; absent without a zram driver (or before 4.2)."""
        return self.path("sys/class/zram-control")

    @property
    def dev(self) -> str:
        """Directory of the device nodes."""
        return self.path("dev")

    def has_driver(self) -> bool:
        """Whether a zram driver is loaded or built in.

        Raises:
            ZramOSError: that cannot be determined.
        """
        return is_there(self.control)

    def _why_no_device(self) -> str:
        """Why a device does not exist."""
        return "no such device" if self.has_driver() else NO_DRIVER

    def numbers(self) -> list[int]:
        """Numbers of all zram devices, ascending; empty without a driver.

        Raises:
            ZramOSError: /sys is not mounted or not readable.
        """
        directory = self.path("sys/block")
        try:
            names = os.listdir(directory)
        except OSError as err:
            raise from_errno(err.errno or 0, f"{directory}: list devices", directory) from err
        return sorted(
            int(name[4:]) for name in names if name.startswith("zram") and _is_number(name[4:])
        )

    def read(self, path: str | os.PathLike[str]) -> str:
        """Read a file below the root, given from the root (``proc/swaps``).

        Raises:
            OSError: the kernel's own.
        """
        return read_text(self.path(check_path("path", path)))


def as_sysfs(sysfs: Sysfs | None) -> Sysfs:
    """Accept the place of the kernel's files, by default below ``/``.

    Raises:
        InvalidTypeError: it is something else.
    """
    if sysfs is None:
        return Sysfs()
    if not isinstance(sysfs, Sysfs):
        raise wrong_type("sysfs", sysfs, "not a Sysfs")
    return sysfs


def given_sysfs() -> Sysfs:
    """Where commands look for the kernel's files: below ``/``, or in tests below PYZRAM_ROOT."""
    return Sysfs(os.environ.get("PYZRAM_ROOT", "/"))


ZSWAP_OFF = "echo N > /sys/module/zswap/parameters/enabled (for good: zswap.enabled=0 at boot)"
"""How an administrator switches zswap off, now or for good."""


def zswap_enabled(tree: Sysfs) -> bool:
    """Whether zswap sits in front of swap (Documentation/admin-guide/mm/zswap.rst).

    Raises:
        ZramOSError: that cannot be told.
    """
    return read_value(tree.path("sys/module/zswap/parameters/enabled")) == "Y"


def resume_device(tree: Sysfs) -> str | None:
    """The name of the device that the kernel resumes from (``/sys/power/resume``), if any.

    Raises:
        ZramOSError: that cannot be told.
    """
    number = read_value(tree.path("sys/power/resume"))
    if number in ("", "0:0"):
        return None
    path = tree.path("sys/dev/block", number)
    try:
        return os.path.basename(os.readlink(path))
    except OSError as err:
        if err.errno in GONE:
            return None
        raise from_errno(err.errno or 0, f"{path}: read", path) from err


def dev_text(number: int) -> str:
    """A device number from stat(2) as sysfs writes it: ``major:minor``."""
    return f"{os.major(number)}:{os.minor(number)}"


def node_dev(sysfs: Sysfs, path: str) -> str:
    """Return ``major:minor`` of a block device by its node; empty for another file.

    Raises:
        OSError: there is none.
    """
    status = os.stat(sysfs.path(path.removeprefix("/")))
    return dev_text(status.st_rdev) if S_ISBLK(status.st_mode) else ""


def device_number(spec: int | str | os.PathLike[str]) -> int:
    """Turn ``1``, ``"1"``, ``"zram1"``, ``"/dev/zram1"`` or a link to it into the number.

    Raises:
        InvalidValueError: not a way to name a device.
        DeviceNotFoundError: the path does not exist (ENOENT).
        NotZramError: the path is something else (ENOTBLK), or another block device (EINVAL).
    """
    if hasattr(type(spec), "__index__"):
        return check_count("device", spec, wanted="neither a number from 0 up, a name nor a path")
    text = check_path("device", spec)
    if "/" not in text:
        digits = text.removeprefix("zram")
        if _is_number(digits):
            return int(digits)
        text = "/dev/" + text
    try:
        # A link that has meanwhile become something else is an error here too.
        digits = os.path.realpath(text).removeprefix("/dev/zram")
        if _is_number(digits):
            return int(digits)
        mode = os.stat(text).st_mode
    except OSError as err:
        raise from_errno(err.errno or 0, f"{text}: open device", text, of_device=True) from err
    if not S_ISBLK(mode):
        raise NotZramError(errno.ENOTBLK, f"{text}: not a block device", text)
    raise NotZramError(errno.EINVAL, f"{text}: not a zram device", text)


def _is_number(digits: str) -> bool:
    """Whether the kernel writes a number this way; no device is named zram00."""
    return is_whole(digits, DIGITS_MAX) and digits == str(int(digits))
