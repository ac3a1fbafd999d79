# SPDX-License-Identifier: MIT
"""Where the configuration's files are, and which of them count.

From the weakest to the strongest; a variable in a later one overrides that of an earlier one:

1. ``/usr/lib/pyzram/zram.conf``, the distribution's defaults;
2. ``/usr/lib/pyzram/zram.conf.d/*.conf``, those of its packages, by name;
3. ``/etc/conf.d/zram``, the administrator's;
4. ``/etc/conf.d/zram.d/*.conf``, by name. One with the name of a file in 2 replaces that, so an
   empty file or a link to ``/dev/null`` disables it.

If a file is named on the command line, only that file and ``FILE.d/*.conf`` are read.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISREG

from ..descriptor import Opened, reopen
from ..errors import AccessError, ZramOSError, from_errno
from ..kernel.sysfs import READ_SIZE, read_text
from ..own_files import why_foreign

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container

    Layer = tuple[str, str]  # path, text

DEFAULT_PATH = "/etc/conf.d/zram"
VENDOR_PATH = "/usr/lib/pyzram/zram.conf"
TEXT_MAX = 1 << 20
"""The most bytes that a file may have."""
NULL_DEVICE = os.makedev(1, 3)
WHOLE_UID_MAP = ["0", "0", "4294967295"]


def read_layers(path: str) -> tuple[list[Layer], bool]:
    """Return the files that count for ``path``, weakest first, and whether there are none.

    Raises:
        ZramOSError: one cannot be read, or a file that was named does not exist.
    """
    usual = path == DEFAULT_PATH
    drop_ins = _read_drop_ins(path)
    layers = []
    if usual:
        masked = {os.path.basename(name) for name, _text in drop_ins}
        # Packages come and go meanwhile, and leave links that lead nowhere.
        vendors = _read_drop_ins(VENDOR_PATH, masked, may_lack=True)
        layers += [*_layer(VENDOR_PATH, VENDOR_PATH, may_lack=True), *vendors]
    # As with OpenRC, where a service need not have a conf.d file. Any other path must exist.
    layers += _layer(path, path, may_lack=usual)
    layers += drop_ins
    return layers, not layers


def _read_drop_ins(
    path: str, masked: Container[str] = (), *, may_lack: bool = False
) -> list[Layer]:
    folder = f"{path}.d"
    try:
        opened = Opened(folder, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as err:
        raise from_errno(err.errno or 0, f"{folder}: read the drop-ins", folder) from err
    layers = []
    with opened as fd:
        try:
            _refuse_foreign(os.fstat(fd), folder)
            names = sorted(os.listdir(fd))
        except ZramOSError:
            raise
        except OSError as err:
            raise from_errno(err.errno or 0, f"{folder}: read the drop-ins", folder) from err
        for name in names:
            # Names that begin with a dot belong to an editor or package manager.
            if name.endswith(".conf") and name[0] != "." and name not in masked:
                layers += _layer(f"{folder}/{name}", name, fd, may_lack=may_lack)
    return layers


def _layer(
    path: str, name: str, folder: int | None = None, *, may_lack: bool = False
) -> list[Layer]:
    """Read a file by its name in an open folder; messages call it ``path``."""
    try:
        try:
            held = Opened(name, os.O_PATH, dir_fd=folder)
        except FileNotFoundError:
            if may_lack:
                return []
            raise
        with held as fd:
            return [(path, read_file(path, lambda _path, _flags: _open_trusted(path, fd)))]
    except ZramOSError:
        raise
    except OSError as err:
        raise from_errno(
            err.errno or 0, f"{path}: read the configuration", path, remedy=remedy(err)
        ) from err


def remedy(err: OSError) -> str:
    """Explain an errno that :func:`read_file` itself raised."""
    return "give a text file" if err.errno in (errno.EINVAL, errno.EFBIG) else ""


def _open_trusted(path: str, held: int) -> int:
    """Open a held file that only root could have written, or /dev/null, which masks a drop-in.

    It is examined before it is opened, because opening a device could already act.
    """
    status = os.fstat(held)
    if status.st_rdev != NULL_DEVICE or not S_ISCHR(status.st_mode):
        if S_ISDIR(status.st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a file", path)
        _refuse_foreign(status, path)
    return reopen(os.open, held, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def _refuse_foreign(status: os.stat_result, path: str) -> None:
    """Refuse a file that another user could have written if root would do what it says."""
    if os.geteuid() != 0 or not (why := why_foreign(status)):
        return
    # In a user namespace the files of the host's root belong to nobody, and root is not root.
    if status.st_uid != 0 and read_text("/proc/self/uid_map").split() != WHOLE_UID_MAP:
        return
    what = f"{path}: {why}, and root would do what it says"
    raise AccessError(errno.EPERM, f"{what} (look at it, then chown root and chmod go-w)", path)


def read_file(path: str, opener: Callable[[str, int], int]) -> str:
    """Read a text file that the opener has examined, so that nothing can hold up the boot.

    Raises:
        OSError: EINVAL if it is a block device; EFBIG if it never ends.
    """
    # An opener's descriptor belongs to open(), which would not close one that is passed in.
    data = b""
    with open(path, "rb", buffering=0, opener=opener) as file:
        if S_ISBLK(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a file", path)
        while chunk := file.read(READ_SIZE):
            data += chunk
            if len(data) > TEXT_MAX:
                raise OSError(errno.EFBIG, "too long", path)
    return data.decode("utf-8", "surrogateescape")
