# SPDX-License-Identifier: MIT
"""Where the configuration's files live, and which of them count.

From the weakest to the strongest, a variable in a later one overriding an earlier one's:

1. ``/usr/lib/pyzram/zram.conf``, the distribution's defaults;
2. ``/usr/lib/pyzram/zram.conf.d/*.conf``, those of its packages, by name;
3. ``/etc/conf.d/zram``, the administrator's;
4. ``/etc/conf.d/zram.d/*.conf``, by name. One that has the name of a file in 2 takes its place,
   so an empty file or a link to ``/dev/null`` disables that.

A file that was named on the command line stands alone with ``FILE.d/*.conf``.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISFIFO, S_ISSOCK

from ..errors import from_errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Layer = tuple[str, str]  # path, text

DEFAULT_PATH = "/etc/conf.d/zram"
VENDOR_PATH = "/usr/lib/pyzram/zram.conf"
TEXT_MAX = 1 << 20
"""The most characters that a file may have."""


def read_layers(path: str) -> tuple[list[Layer], bool]:
    """Return the files that count for ``path``, weakest first, and whether there are none.

    Raises:
        ZramOSError: one cannot be read, or a file that was named is not there.
    """
    usual = path == DEFAULT_PATH
    own, drop_ins = _text(path, may_lack=usual), _drop_ins(path)
    layers = []
    if usual:
        masked = {os.path.basename(name) for name in drop_ins}
        vendors = [name for name in _drop_ins(VENDOR_PATH) if os.path.basename(name) not in masked]
        for name in (VENDOR_PATH, *vendors):
            layers.append((name, _text(name, may_lack=True)))
    layers.append((path, own))
    layers += [(name, _text(name)) for name in drop_ins]
    found = [(name, text) for name, text in layers if text is not None]
    return found, not found


def _drop_ins(path: str) -> list[str]:
    folder = f"{path}.d"
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as err:
        raise from_errno(err.errno or 0, f"{folder}: read the drop-ins", folder) from err
    # Names that begin with a dot are an editor's or package manager's.
    return [
        f"{folder}/{name}" for name in sorted(names) if name.endswith(".conf") and name[0] != "."
    ]


def _text(path: str, *, may_lack: bool = False) -> str | None:
    try:
        return read_file(path)
    except OSError as err:
        # As with OpenRC, where a service may have no conf.d file. Any other path is expected to
        # exist.
        if may_lack and err.errno == errno.ENOENT:
            return None
        raise from_errno(
            err.errno or 0, f"{path}: read the configuration", path, remedy=remedy(err)
        ) from err


def remedy(err: OSError) -> str:
    """Explain an errno that :func:`read_file` raised by itself."""
    return "name a file of text" if err.errno in (errno.EINVAL, errno.EFBIG) else ""


def _opened(path: str, _flags: int) -> int:
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def read_file(path: str, opener: Callable[[str, int], int] = _opened) -> str:
    """Read a file of text, or another that ends soon, so that nothing can hold up the boot.

    Raises:
        OSError: EINVAL a pipe, a socket, a block device; EFBIG it goes on and on.
    """
    # An opener's descriptor is open()'s own: of one given, none closes a folder's.
    with open(path, encoding="utf-8", errors="surrogateescape", newline="", opener=opener) as file:
        mode = os.fstat(file.fileno()).st_mode
        if S_ISFIFO(mode) or S_ISSOCK(mode) or S_ISBLK(mode):
            raise OSError(errno.EINVAL, "not a file", path)
        text = file.read(TEXT_MAX + 1)
    if len(text) > TEXT_MAX:
        raise OSError(errno.EFBIG, "too long", path)
    return text
