# SPDX-License-Identifier: MIT
"""Translates other tools' files into a configuration of pyzram; the file shows which tool it is.

Each tool's rules are in a separate file, ``import_*.py``.
"""

from __future__ import annotations

from ..errors import InvalidValueError
from ..limits import total_memory
from ..safe_paths import resolve
from . import (
    import_dietpi,
    import_generator,
    import_shell,
    import_systemd_swap,
    import_zram_init,
    import_ztab,
)
from .config import ConfigError
from .imported import per_device
from .parser import parse_config
from .values import KERNELS_OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .imported import Imported, Source

# Without these a device would be a different one, or none.
VITAL = ("ZRAM_SIZE", "ZRAM_MOUNT", "ZRAM_FSTYPE", "ZRAM_HOST_MEMORY_LIMIT")
CHECKED = "import"  # the path that problems of the result begin with


def import_files(sources: Sequence[Source], *, ram: int | None = None) -> Imported:
    """Translate files; several must be zram-generator's or systemd-swap's, and later ones override.

    The result is valid with ``ram`` bytes of memory (``None``: this machine's), though the kernel
    may lack what it asks for. What is invalid is left out and named, together with its device if
    the other tool makes none from it either. zram-generator refuses such files as a whole, so what
    is wrong in them stays and needs a look.

    Raises:
        RefusedFileError: the tool that they belong to refuses them too.
        InvalidValueError: they are not files of a known tool, or have NUL bytes.
    """
    for path, text in sources:
        if "\0" in text:
            raise InvalidValueError(f"{path}: it has NUL bytes, so it is not UTF-8 text")
    found = _translated(sources)
    memory = total_memory() if ram is None else ram
    problems = _problems(found, memory)
    if found.tool == import_generator.TOOL:
        for what in problems:
            found.look(found.places.get(what.partition(": ")[0], ""), what)
        return found
    while problems:
        _leave_out(found, problems[0])
        problems = _problems(found, memory)
    return found


def _problems(found: Imported, ram: int) -> list[str]:
    try:
        parse_config(found.text(), CHECKED, ram=ram, cpus=4, here=True)
    except ConfigError as err:
        # Each begins with the path and, mostly, the line.
        return [problem.split(": ", 1)[1] for problem in err.problems]
    return []


def _leave_out(found: Imported, what: str) -> None:
    """Take back the variable or device that a problem is about.

    Raises:
        InvalidValueError: it is about nothing in particular.
    """
    name, _, why = what.partition(": ")
    if name not in dict(found.lines):
        name, why = _shared(found, what), what
    stem, index = per_device(name)
    place = found.places.get(name, "")
    if stem in (*VITAL, *found.vital):
        found.lose(place, f"{why}: device {index} is left out")
        found.leave_out_device(index)
    elif stem == "ZRAM_ALGORITHM" and dict(found.lines)[name] != KERNELS_OWN:
        found.lose(place, f"{why}: using {KERNELS_OWN} instead")
        found.replace(name, KERNELS_OWN)
    else:
        found.lose(place, f"{why}, left out")
        found.leave_out(name)


def _shared(found: Imported, what: str) -> str:
    """The last variable whose value no two devices can share."""
    for name, value in reversed(found.lines):
        if name.startswith(("ZRAM_MOUNT_", "ZRAM_BACKING_DEV_")) and (
            what.endswith((f" {value}", f" {resolve(value)}"))
        ):
            return name
    raise InvalidValueError(f"{found.source}: {what}")


def _translated(sources: Sequence[Source]) -> Imported:
    if any(import_generator.looks_like(text) for _, text in sources):
        return import_generator.translated(sources)
    if any(import_systemd_swap.looks_like(text) for _, text in sources):
        return import_systemd_swap.translated(sources)
    if len(sources) != 1:
        names = " ".join(path for path, _ in sources)
        raise InvalidValueError(
            f"{names}: several files can only be zram-generator's or systemd-swap's"
        )
    path, text = sources[0]
    tools = (
        import_ztab.translated,
        import_zram_init.translated,
        import_dietpi.translated,
        import_shell.translated,
    )
    for translated in tools:
        if (found := translated(text, path)) is not None:
            return found
    raise InvalidValueError(
        f"{path}: not a file of zram-generator, zram-init, zram-tools, zramen, systemd-swap, "
        "armbian, DietPi or zram-config"
    )
