# SPDX-License-Identifier: MIT
"""systemd-swap's swap.conf with its drop-ins: lines of ``NAME=value``, with values for a shell."""

from __future__ import annotations

import re

from ..limits import SWAP_PRIORITY_MAX
from .import_shell import YES, streams, take, word_of
from .imported import Imported, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .import_shell import Values
    from .imported import Source

TOOL = "systemd-swap"
# In remarks too, because the shipped file has nothing else.
KNOWN = re.compile(r"^[ \t]*(?:#[ \t]*)?zram_(?:enabled|size|count|alg|prio)=", re.M)
OTHERS = re.compile(r"^[ \t]*zram_(?:type|comp_algo|swap_priority)=", re.M)  # zram-gen-openrc's


def looks_like(text: str) -> bool:
    """Whether a file is systemd-swap's."""
    return bool(KNOWN.search(text)) and not OTHERS.search(text)


def translated(sources: Sequence[Source]) -> Imported:
    """Translate the file and its drop-ins; later ones override variables of earlier ones."""
    found = Imported(", ".join(path for path, _ in sources), TOOL)
    values: Values = {}
    for path, text in sources:
        for number, line in enumerate(text.split("\n"), 1):
            place = f"{path}:{number}" if len(sources) > 1 else f"line {number}"
            stripped = line.strip()
            # For systemd-swap a name ends at the first =, so a blank before that is part of it.
            name, equals, value = stripped.partition("=")
            if not stripped or stripped.startswith("#"):
                continue
            if equals and name.isidentifier():
                values[name] = place, value.strip()
            else:
                found.lose(place, f"{stripped!r}: not an assignment, and commands are not run")
    found.read = {name: f"{at}: {name}" for name, (at, value) in values.items() if value}
    _device(found, values)
    for name, (at, value) in values.items():
        if value:
            found.lose(at, f"{name}: has no equivalent")
    return found


def _device(found: Imported, values: Values) -> None:
    """One device of zram_size bytes, given in shell arithmetic, if it is enabled."""
    line, enabled = values.pop("zram_enabled", (0, "0"))
    for name in [name for name in values if name.startswith(("zswap_", "swapfc_", "swapd_"))]:
        at, value = values.pop(name)
        if value and name.endswith("enabled") and _bare(value).lower() in YES:
            found.lose(at, f"{name}: swap other than zram")
    if _bare(enabled).lower() not in YES:
        found.lose(line, "zram_enabled is not 1: no device")
        for name in ("zram_size", "zram_count", "zram_alg", "zram_prio", "zram_streams"):
            values.pop(name, None)
        found.count(0)
        return
    streams(found, values, "zram_streams")
    at, text = values.pop("zram_size", (0, "$((RAM_SIZE/4))"))
    size = _of_ram_size(_bare(text))
    if not size:
        found.lose(at, f"zram_size: {text!r} is not understood: using ram/4 instead")
        size = "ram/4"
    at, text = values.pop("zram_count", (0, ""))
    if text:
        found.lose(at, f"zram_count: {text!r}: always one device on kernels newer than 4.7")
    found.count(1)
    found.add("ZRAM_SIZE_0", size, "zram_size")
    # Its start fails if the kernel lacks the algorithm.
    found.add("ZRAM_ALGORITHM_0", _bare(word_of(values, "zram_alg", "zstd")), "zram_alg")
    at, text = values.pop("zram_prio", (0, ""))
    values["zram_prio"] = at, _bare(text)
    priority = take(found, values, "zram_prio", str(SWAP_PRIORITY_MAX))
    found.add("ZRAM_PRIORITY_0", priority, "zram_prio")
    found.add("ZRAM_DISCARD_0", "both")


def _bare(text: str) -> str:
    """A value as a shell would echo it: without quotes and without the comment after it."""
    return re.sub(r"(^|\s)#.*", "", text).strip().strip("\"'")


def _of_ram_size(text: str) -> str:
    """The size that ``$((RAM_SIZE*2/3))`` gives; empty for another command."""
    if is_number(text):
        return f"{int(text)}B"
    inner = re.fullmatch(r"\$\(\((.*)\)\)|(\$\{?RAM_SIZE\}?)", text)
    if inner is None:
        return ""
    words = re.sub(r"\$\{?RAM_SIZE\}?", "RAM_SIZE", inner[1] or inner[2]).replace(" ", "")
    # A shell divides whole numbers and truncates the result, so a division must come last, or be
    # followed only by a multiplication.
    match = re.fullmatch(r"RAM_SIZE(\*\d{1,9})?(/\d{1,9})?|RAM_SIZE(/\d{1,9})(\*\d{1,9})", words)
    if match is None or re.search(r"/0+\b", words):
        return ""
    first, second, cut, times = (part or "" for part in match.groups())
    return f"int(ram{cut}){times}" if cut else f"ram{first}{second}"
