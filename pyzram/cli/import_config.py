# SPDX-License-Identifier: MIT
"""``pyzram import FILE``: translates another tool's configuration into pyzram's."""

from __future__ import annotations

import errno
import os
import sys
from stat import S_ISDIR

from ..config.importer import import_files
from ..config.layers import TEXT_MAX, read_file, remedy
from ..errors import ZramOSError, from_errno
from ..kernel.sysfs import GONE
from ..safe_paths import open_still
from ..text import quote, quote_lines
from .options import FILE, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


MANY = 1000
COMMAND = Command(
    "pyzram import",
    "Print what /etc/conf.d/zram would be for the files of another tool: zram-generator, "
    "zram-init, zram-tools, zramen, systemd-swap, armbian, DietPi or zram-config. A folder stands "
    "for its *.conf, - for standard input. Standard error says what cannot be carried over.",
    (),
    operands="FILE...",
    takes=FILE,
    count=(1, MANY),
)


def main(argv: list[str]) -> int:
    """Print the equivalent of the files."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    found = import_files([(path, _text(path)) for path in gather(options.operands)])
    # In a file, check refuses such a value; here it could be a command for the terminal.
    text = quote_lines(found.text()) if sys.stdout.isatty() else found.text()
    print(text, end="")
    for heading, reasons in (("not carried over", found.lost), ("needs a look", found.looks)):
        for reason in reasons:
            print(quote(f"pyzram import: {heading}: {reason}"), file=sys.stderr)
    return 0


def gather(operands: Sequence[str]) -> list[str]:
    """Return the files to read, in the order in which zram-generator lets later ones override.

    Files come first, then by name the drop-ins from folders and from ``FILE.d`` beside each file.
    If two drop-ins have the same name, the one in the later folder counts. A file in a folder with
    a ``FILE.d`` beside it is not a drop-in, but a file with its own drop-ins.
    """
    files: list[str] = []
    drop_ins: dict[str, str] = {}
    for operand in operands:
        folders = []
        if _is_folder(operand):
            folders.append(operand)
        else:
            files.append(operand)
            if operand != "-" and _is_folder(f"{operand}.d"):
                folders.append(f"{operand}.d")
        for folder in folders:
            for name in sorted(_listed(folder)):
                path = os.path.join(folder, name)
                if not name.endswith(".conf"):
                    continue
                if folder == operand and _is_folder(f"{path}.d"):
                    files.append(path)
                    folders.append(f"{path}.d")
                else:
                    drop_ins[name] = path
    return files + [drop_ins[name] for name in sorted(drop_ins)]


def _is_folder(path: str) -> bool:
    """Whether it is a folder; one that cannot be examined may be, and have drop-ins that count."""
    try:
        return S_ISDIR(os.stat(path).st_mode)
    except OSError as err:
        if err.errno in (*GONE, errno.ENAMETOOLONG):
            return False
        raise from_errno(err.errno or 0, f"{path}: look", path) from err


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as err:
        raise from_errno(err.errno or 0, f"{folder}: read", folder) from err


def _text(path: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(TEXT_MAX + 1)
            if len(data) > TEXT_MAX:
                raise OSError(errno.EFBIG, "too long", path)
            text = data.decode(errors="surrogateescape")
        else:
            text = read_file(path, open_still)  # anybody may own it
        return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    except ZramOSError:
        raise
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: read", path, remedy=remedy(err)) from err
