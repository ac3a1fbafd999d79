# SPDX-License-Identifier: MIT
"""zram-config's /etc/ztab: one row per device."""

from __future__ import annotations

from ..errors import InvalidValueError
from ..units import parse_size
from .imported import Imported

TOOL = "zram-config"
KINDS = ("swap", "dir", "log")
MIN_COLUMNS = 4


def translated(text: str, path: str) -> Imported | None:
    """Translate a ztab; ``None`` if the text is not one."""
    rows = [(number, line.split()) for number, line in enumerate(text.split("\n"), 1)]
    rows = [(number, words) for number, words in rows if words and not words[0].startswith("#")]
    # A row of a known kind has words after it, none of them an assignment.
    if not any(words[0] in KINDS and words[1:2] not in ([], ["="]) for _, words in rows):
        return None
    if any("=" in words[0] for _, words in rows):
        return None
    found = Imported(path, TOOL)
    found.vital = ("ZRAM_ALGORITHM", "ZRAM_PRIORITY", "ZRAM_MEM_LIMIT")
    index = 0
    for number, words in rows:
        kind = words[0]
        if kind not in KINDS:
            found.lose(number, f"{kind}: not a kind of row that {TOOL} knows")
        elif kind != "swap":
            what = words[4] if len(words) > MIN_COLUMNS else kind
            # An overlay that starts with the directory's contents and writes them back at the end.
            found.lose(number, f"{what}: a directory that keeps its contents has no equivalent")
        elif len(words) <= MIN_COLUMNS:
            found.lose(number, f"{kind}: without a priority it is not used")
        elif index:
            found.lose(number, f"{kind}: there is one already, so {TOOL} leaves this out")
        else:
            index += _swap(found, number, index, words)
    found.count(index)
    return found


def _swap(found: Imported, number: int, index: int, words: list[str]) -> bool:
    _, algorithm, limit, size, priority, *rest = words
    try:
        if not parse_size(size):
            raise InvalidValueError("a size of 0 makes no device")
        parse_size(limit)
    except InvalidValueError as err:
        found.lose(number, f"swap: {err}")
        return False
    found.read = {"swap": f"line {number}: swap"}
    found.add(f"ZRAM_SIZE_{index}", size if not size.isdigit() else f"{size}B", "swap")
    # Its start fails if the kernel lacks the algorithm.
    found.add(f"ZRAM_ALGORITHM_{index}", algorithm, "swap")
    if parse_size(limit):
        found.add(f"ZRAM_MEM_LIMIT_{index}", limit if not limit.isdigit() else f"{limit}B", "swap")
    found.add(f"ZRAM_PRIORITY_{index}", priority, "swap")
    for name, value in zip(("page-cluster", "swappiness"), rest, strict=False):
        found.lose(number, f"vm.{name} = {value}: for /etc/sysctl.d")
    return True
