# SPDX-License-Identifier: MIT
"""Small tools' files of shell variables: zram-tools, zramen, armbian.

The variables show which tool it is. Files of known tools that cannot be imported are named.
"""

from __future__ import annotations

import re

from ..errors import InvalidValueError
from ..limits import SWAP_PRIORITY_MAX
from ..units import parse_size
from .imported import Imported, is_number, with_fallback
from .shell_assignments import read_assignments
from .values import ALGORITHMS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Values = dict[str, tuple[int | str, str]]  # from each variable to its line (or place) and value

YES = ("yes", "y", "1", "true")
# What zramen's variable may be; without a value it discards.
DISCARDS = {
    **dict.fromkeys(("", "both", *YES), "both"),
    **dict.fromkeys(("none", "no", "n", "0", "false"), "none"),
    "once": "once",
    "pages": "pages",
}
# Variables that only this tool's file has.
NAMED = {
    "zram-swap": ("_zram_fraction", "_zram_algorithm", "_zram_fixedsize"),
    "zramd": ("FRACTION", "MAX_SIZE", "SKIP_VM"),
    "zram-swap-config": ("MEM_FACTOR", "DISK_FACTOR", "DRIVE_FACTOR"),
    "zramit": ("_ZRAM_COUNT_", "_COMP_ALGORITHM_", "_SYSTEM_MEMORY_"),
    "zram-gen-openrc": ("zram_type", "zram_comp_algo", "zram_swap_priority"),
}


def translated(text: str, path: str) -> Imported | None:
    """Translate the file of one of these tools; ``None`` if it is not one.

    Raises:
        InvalidValueError: it belongs to a tool whose files cannot be imported, which is named.
    """
    values, commands = _values(text)
    places = {name: f"line {at}: {name}" for name, (at, value) in values.items() if value}
    for tool, known in NAMED.items():
        if any(name in values for name in known):
            raise InvalidValueError(f"{path}: looks like {tool}'s file, which cannot be imported")
    # In comments too, because a shipped file may have nothing else.
    remarks = set(re.findall(r"^#\s*(?:export\s+)?([A-Za-z_]\w*)=", text, re.M))
    for names in (values.keys(), remarks):
        for tool, variables, translate in TOOLS:
            if any(name in names for name in variables):
                found = Imported(path, tool)
                found.read = places
                for at, line in commands:
                    found.lose(at, f"{line!r}: not an assignment, and commands are not run")
                translate(found, values)
                for name, (place, value) in values.items():
                    if value:
                        found.lose(place, f"{name}: has no equivalent")
                return found
    return None


def _values(text: str) -> tuple[Values, list[tuple[int, str]]]:
    """Take the assignments, of which the last counts, and the lines that are not assignments.

    A command that gives a value stays as it is written.
    """
    entries, refused = read_assignments(text)
    in_order = [(entry.line, entry.name, entry.value.strip()) for entry in entries]
    commands: list[tuple[int, str]] = []
    raw = text.split("\n")
    for problem in refused:
        line = raw[problem.line - 1].strip() if problem.line <= len(raw) else ""
        name = problem.reason.partition(":")[0]
        match = (
            re.search(rf"(?:^|[\s;]){re.escape(name)}=(.*)", line) if name.isidentifier() else None
        )
        if match:
            in_order.append((problem.line, name, match[1].strip()))
        else:
            commands.append((problem.line, line))
    in_order.sort(key=lambda entry: entry[0])  # a refused part ends its line, so it comes last
    return {name: (line, value) for line, name, value in in_order}, commands


def take(found: Imported, values: Values, name: str, default: str = "") -> str:
    """Take a variable's number, or say why that is not possible."""
    line, value = values.pop(name, (0, ""))
    if not value:
        return default
    if is_number(value):
        return str(int(value))
    taken = f": using {default} instead" if default else ""
    found.lose(line, f"{name}: {value!r} is not a whole number{taken}")
    return default


def word_of(values: Values, name: str, default: str = "") -> str:
    """Take a variable's text."""
    return values.pop(name, (0, ""))[1] or default


# ---- the tools ---------------------------------------------------------------------------------


def _zram_tools(found: Imported, values: Values) -> None:
    """One device; PERCENT of the memory overrides SIZE in MiB."""
    found.vital = ("ZRAM_ALGORITHM", "ZRAM_PRIORITY")
    percent, size = take(found, values, "PERCENT"), take(found, values, "SIZE", "256")
    found.count(1)
    found.add("ZRAM_SIZE_0", f"{percent}%" if percent else f"{size}M", "PERCENT", "SIZE")
    # Its start fails where the kernel lacks the algorithm.
    found.add("ZRAM_ALGORITHM_0", word_of(values, "ALGO", "lz4"), "ALGO")
    found.add("ZRAM_PRIORITY_0", take(found, values, "PRIORITY", "100"), "PRIORITY")


def _zramen(found: Imported, values: Values) -> None:
    """One device: a percentage of the memory in whole MiB, up to a maximum in MiB.

    A value out of range becomes the nearest one in range.
    """
    percent = min(int(take(found, values, "ZRAM_SIZE", "25")) or 25, 100)
    most = int(take(found, values, "ZRAM_MAX_SIZE", "4096")) or 4096
    line, name = values.get("ZRAM_COMP_ALGORITHM", (0, ""))
    algorithm = word_of(values, "ZRAM_COMP_ALGORITHM", "lz4")
    if algorithm not in ALGORITHMS:
        found.lose(line, f"ZRAM_COMP_ALGORITHM: {name!r} is not known to zramen, which takes lz4")
        algorithm = "lz4"
    found.count(1)
    # zramen rounds to the nearest.
    size = f"min(mib(mib(ram)*{percent}/100 + 512K), {most}M)"
    found.add("ZRAM_SIZE_0", size, "ZRAM_SIZE", "ZRAM_MAX_SIZE")
    found.add("ZRAM_ALGORITHM_0", algorithm, "ZRAM_COMP_ALGORITHM")
    priority = int(take(found, values, "ZRAM_PRIORITY", str(SWAP_PRIORITY_MAX)))
    found.add("ZRAM_PRIORITY_0", str(min(priority, SWAP_PRIORITY_MAX)), "ZRAM_PRIORITY")
    at, word = values.pop("ZRAMEN_SWAPON_DISCARD", (0, ""))
    if word not in DISCARDS:
        found.lose(at, f"ZRAMEN_SWAPON_DISCARD: {word!r} is not a policy: using both instead")
    discard = DISCARDS.get(word, "both")
    found.add("ZRAM_DISCARD_0", discard, "ZRAMEN_SWAPON_DISCARD")
    values.pop("ZRAMEN_QUIET", None)
    streams(found, values, "ZRAM_STREAMS")


def _armbian(found: Imported, values: Values) -> None:
    """Swap of a percentage of the memory, and /tmp of half the memory, on one device each."""
    line, enabled = values.pop("ENABLED", (0, "false"))
    streams(found, values, "ZRAM_MAX_DEVICES")
    at, _ = values.pop("RAMLOG_ALGORITHM", (0, ""))
    if at:
        found.lose(at, "RAMLOG_ALGORITHM: /var/log is left to armbian-ramlog")
    percent = take(found, values, "ZRAM_PERCENTAGE", "50")
    limit = take(found, values, "MEM_LIMIT_PERCENTAGE", "50")
    algorithm = word_of(values, "SWAP_ALGORITHM", "lzo")
    tmp = word_of(values, "TMP_ALGORITHM")
    backing = word_of(values, "ZRAM_BACKING_DEV")
    # Older files have neither of these, and then both are made.
    swap, wants_tmp = word_of(values, "SWAP", "true"), word_of(values, "TMP", "true")
    priority = take(found, values, "SWAP_PRIORITY", "5")
    tmp_at, tmp_size = values.pop("TMP_SIZE", (0, ""))
    # For lzo it takes lzo-rle if the kernel has that; an explicit choice for /tmp is literal.
    preferred = "lzo-rle lzo" if algorithm == "lzo" else algorithm
    if enabled != "true":
        found.lose(line, "ENABLED is not true: no device")
        found.count(0)
        return
    index = 0
    if swap == "true":
        found.add("ZRAM_SIZE_0", f"{percent}%", "ZRAM_PERCENTAGE")
        found.add("ZRAM_MEM_LIMIT_0", f"{limit}%", "MEM_LIMIT_PERCENTAGE")
        found.add("ZRAM_ALGORITHM_0", with_fallback(preferred), "SWAP_ALGORITHM")
        found.add("ZRAM_BACKING_DEV_0", backing, "ZRAM_BACKING_DEV")
        found.add("ZRAM_PRIORITY_0", priority, "SWAP_PRIORITY")
        index = 1
    if wants_tmp == "true":
        try:
            bytes_of_tmp = parse_size(tmp_size) if tmp_size else 0
        except InvalidValueError as err:
            found.lose(tmp_at, f"TMP_SIZE: {err}: using 50% instead")
            tmp_size, bytes_of_tmp = "", 0
        size = f"{bytes_of_tmp}B" if tmp_size.isdigit() else tmp_size or "50%"
        found.add(f"ZRAM_SIZE_{index}", size, "TMP_SIZE")
        named = with_fallback(tmp or preferred)
        found.add(f"ZRAM_ALGORITHM_{index}", named, "TMP_ALGORITHM", "SWAP_ALGORITHM")
        found.add(f"ZRAM_MOUNT_{index}", "/tmp")
        found.add(f"ZRAM_MOUNT_OPTS_{index}", "nosuid")
        found.add(f"ZRAM_MODE_{index}", "1777")
        found.add(f"ZRAM_LABEL_{index}", "tmp")
        index += 1
    found.count(index)


def streams(found: Imported, values: Values, name: str) -> None:
    """Say that a number of streams has no effect."""
    line, value = values.pop(name, (0, ""))
    if value:
        found.lose(line, f"{name}: the number of streams has had no effect since Linux 4.7")


TOOLS: tuple[tuple[str, tuple[str, ...], Callable[[Imported, Values], None]], ...] = (
    (
        "armbian",
        (
            *("ZRAM_PERCENTAGE", "SWAP_ALGORITHM", "MEM_LIMIT_PERCENTAGE", "RAMLOG_ALGORITHM"),
            *("TMP_ALGORITHM", "TMP_SIZE"),
        ),
        _armbian,
    ),
    (
        "zramen",
        (
            *("ZRAM_COMP_ALGORITHM", "ZRAM_STREAMS", "ZRAM_MAX_SIZE", "ZRAM_SIZE"),
            *("ZRAM_PRIORITY", "ZRAMEN_SWAPON_DISCARD"),
        ),
        _zramen,
    ),
    ("zram-tools", ("PERCENT", "ALGO", "PRIORITY", "SIZE"), _zram_tools),
)
