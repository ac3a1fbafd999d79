# SPDX-License-Identifier: MIT
"""Other tools' files as a configuration of pyzram; which tool it is shows in the file.

Each tool's rules are in a file of its own, ``import_*.py``.
"""

from __future__ import annotations

from ..errors import InvalidValueError
from . import import_generator, import_shell, import_zram_init, import_ztab
from .config import ConfigError
from .parser import parse_config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .imported import Imported, Source

GIB = 1 << 30


def import_text(text: str, source: str) -> Imported:
    """Translate one file.

    Raises:
        RefusedFileError: the tool that it is for refuses it too.
        InvalidValueError: it is not a file of a known tool.
    """
    return import_files([(source, text)])


def import_files(sources: Sequence[Source]) -> Imported:
    """Translate files; several are of zram-generator, in order, later ones overriding.

    Raises:
        As :func:`import_text`.
    """
    found = _translated(sources)
    try:
        parse_config(found.text(), found.source, ram=8 * GIB, cpus=4)
    except ConfigError as err:
        # The other tool is laxer; nobody should find that out at boot.
        for problem in err.problems:
            what = problem.split(": ", 1)[1]
            found.lose(found.places.get(what.partition(": ")[0], ""), f"needs a look: {what}")
    return found


def _translated(sources: Sequence[Source]) -> Imported:
    if any(import_generator.looks_like(text) for _, text in sources):
        return import_generator.translated(sources)
    if len(sources) != 1:
        names = " ".join(path for path, _ in sources)
        raise InvalidValueError(f"{names}: several files can only be zram-generator's")
    path, text = sources[0]
    tools = (import_ztab.translated, import_zram_init.translated, import_shell.translated)
    for translated in tools:
        if (found := translated(text, path)) is not None:
            return found
    raise InvalidValueError(
        f"{path}: not a file of zram-generator, zram-init, zram-tools, zramen, systemd-swap, "
        "armbian, DietPi or zram-config"
    )
