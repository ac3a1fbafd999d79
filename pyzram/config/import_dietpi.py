# SPDX-License-Identifier: MIT
"""dietpi.txt: lines of ``NAME=value``, not read by a shell; the first line of a name counts."""

from __future__ import annotations

import re

from .imported import Imported, is_number

TOOL = "DietPi"
PLACE = "AUTO_SETUP_SWAPFILE_LOCATION"
SIZE = "AUTO_SETUP_SWAPFILE_SIZE"
# In remarks too: then the tool does what it does without these lines.
LINE = re.compile(rf"^([ \t]*#)?[ \t]*({PLACE}|{SIZE})([ \t]*)=(.*)$")
DEFAULT_PLACE, DEFAULT_SIZE = "/var/swap", "1"


def translated(text: str, path: str) -> Imported | None:
    """Translate the file; 0 means none, 1 half of the memory in whole MiB, more is in MiB."""
    matches = [(number, LINE.match(line)) for number, line in enumerate(text.split("\n"), 1)]
    lines = [(number, match) for number, match in matches if match]
    if not lines:
        return None
    found = Imported(path, TOOL)
    values: dict[str, tuple[int, str]] = {}
    for number, match in lines:
        remark, name, blanks, value = match.groups()
        if remark:
            continue
        if blanks:
            found.lose(number, f"{name}: {TOOL} ignores it because of the blank before the =")
        elif name in values:
            found.lose(number, f"{name}: only the first one counts, in line {values[name][0]}")
        else:
            values[name] = number, value
    line, place = values.get(PLACE, (0, DEFAULT_PLACE))
    at, size = values.get(SIZE, (0, DEFAULT_SIZE))
    found.read = {SIZE: f"line {at}: {SIZE}"} if at else {}
    if not is_number(size):
        found.lose(at, f"{SIZE}: {size!r} is not a whole number: using {DEFAULT_SIZE} instead")
        size = DEFAULT_SIZE
    size = str(int(size))
    if place not in ("zram", "zram0", "/dev/zram0") or size == "0":
        what = "a size of 0" if size == "0" else f"swap in {place}"
        found.lose(line, f"{what}: no zram")
        found.count(0)
        return found
    found.count(1)
    found.add("ZRAM_SIZE_0", "mib(ram/2)" if size == "1" else f"{size}M", SIZE)
    found.add("ZRAM_ALGORITHM_0", "kernel")
    found.add("ZRAM_PRIORITY_0", "-1")
    return found
