# SPDX-License-Identifier: MIT
"""Small tools' files of shell variables: zram-tools, zramen, systemd-swap, armbian, DietPi.

Which tool it is shows in its variables. Files of tools that are known and cannot be taken are
named.
"""

from __future__ import annotations

import re

from ..errors import InvalidValueError
from .imported import Imported, is_number, with_fallback
from .shell_assignments import read_assignments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Values = dict[str, tuple[int, str]]  # variable to its line and value

# Variables that only this tool's file has.
NAMED = {
    "zram-swap": ("_zram_fraction", "_zram_algorithm", "_zram_fixedsize"),
    "zramd": ("FRACTION", "MAX_SIZE", "SKIP_VM"),
    "zram-swap-config": ("MEM_FACTOR", "DISK_FACTOR", "DRIVE_FACTOR"),
    "zramit": ("_ZRAM_COUNT_", "_COMP_ALGORITHM_", "_SYSTEM_MEMORY_"),
    "zram-gen-openrc": ("zram_type", "zram_comp_algo", "zram_swap_priority"),
}


def translated(text: str, path: str) -> Imported | None:
    """Translate the file of whichever tool it is of; ``None`` where it is of none.

    Raises:
        InvalidValueError: it is of a tool whose files cannot be taken; says which.
    """
    entries, refused = read_assignments(text)
    values = {entry.name: (entry.line, entry.value.strip()) for entry in entries}
    raw = text.split("\n")
    for problem in refused:
        line = raw[problem.line - 1].strip() if problem.line <= len(raw) else ""
        name, equals, value = line.removeprefix("export ").partition("=")
        if equals and name.isidentifier():
            values[name] = (problem.line, value.strip())
    for tool, known in NAMED.items():
        if any(name in values for name in known):
            raise InvalidValueError(f"{path}: looks like {tool}'s file, which cannot be imported")
    # In remarks too: a shipped file may have nothing else.
    remarks = set(re.findall(r"^#\s*([A-Za-z_]\w*)=", text, re.M))
    for names in (values.keys(), remarks):
        for tool, variables, translate in TOOLS:
            if any(name in names for name in variables):
                found = Imported(path, tool)
                translate(found, values)
                for name, (at, value) in values.items():
                    if value:
                        found.lose(at, f"{name}: has no equivalent")
                return found
    return None


def _take(found: Imported, values: Values, name: str, default: str = "") -> str:
    """Take a variable's number, or say why it is not taken."""
    line, value = values.pop(name, (0, ""))
    if not value:
        return default
    if is_number(value):
        return str(int(value))
    taken = f", taken instead: {default}" if default else ""
    found.lose(line, f"{name}: {value!r} is not a whole number{taken}")
    return default


def _word(values: Values, name: str, default: str = "") -> str:
    return values.pop(name, (0, ""))[1] or default


# ---- the tools ---------------------------------------------------------------------------------


def _zram_tools(found: Imported, values: Values) -> None:
    """One device; PERCENT of the memory wins over SIZE in MiB."""
    percent, size = _take(found, values, "PERCENT"), _take(found, values, "SIZE", "256")
    found.count(1)
    found.add("ZRAM_SIZE_0", f"{percent}%" if percent else f"{size}M")
    # Its start fails where the kernel lacks the algorithm.
    found.add("ZRAM_ALGORITHM_0", _word(values, "ALGO", "lz4"))
    found.add("ZRAM_PRIORITY_0", _take(found, values, "PRIORITY", "100"))


def _zramen(found: Imported, values: Values) -> None:
    """One device: a percentage of the memory, at most so many MiB."""
    percent = _take(found, values, "ZRAM_SIZE", "25")
    most = _take(found, values, "ZRAM_MAX_SIZE", "4096")
    found.count(1)
    found.add("ZRAM_SIZE_0", f"min({percent}%, {most}M)")
    found.add("ZRAM_ALGORITHM_0", _word(values, "ZRAM_COMP_ALGORITHM", "lz4"))
    found.add("ZRAM_PRIORITY_0", _take(found, values, "ZRAM_PRIORITY", "32767"))
    discard = _word(values, "ZRAMEN_SWAPON_DISCARD", "true")
    found.add("ZRAM_DISCARD_0", "both" if discard in ("true", "yes", "1") else "none")
    values.pop("ZRAMEN_QUIET", None)
    _streams(found, values, "ZRAM_STREAMS")


def _systemd_swap(found: Imported, values: Values) -> None:
    """zram_count devices of zram_size bytes, as arithmetic of a shell, where it is enabled."""
    line, enabled = values.pop("zram_enabled", (0, "0"))
    for name in [name for name in values if name.startswith(("zswap_", "swapfc_", "swapd_"))]:
        at, value = values.pop(name)
        if value and name.endswith("enabled") and value != "0":
            found.lose(at, f"{name}: swap other than zram")
    names = ("zram_size", "zram_count", "zram_alg", "zram_prio")
    if enabled != "1":
        found.lose(line, "zram_enabled is not 1: no device")
        for name in (*names, "zram_streams"):
            values.pop(name, None)
        found.count(0)
        return
    _streams(found, values, "zram_streams")
    at, text = values.pop("zram_size", (0, "$((RAM_SIZE/4))"))
    match = re.fullmatch(r"\$?\(*\s*\$?\{?RAM_SIZE\}?\s*(?:/\s*(\d+))?\s*\)*", text.strip("\"'"))
    size = ""
    if is_number(text):
        size = f"{int(text)}B"
    elif match:
        size = f"ram/{match[1]}" if match[1] else "ram"
    else:
        found.lose(at, f"zram_size: {text!r} is not understood, taken instead: ram/4")
        size = "ram/4"
    at, text = values.pop("zram_count", (0, "1"))
    count = int(text) if is_number(text) and 0 < int(text) <= 32 else 1
    if not is_number(text):
        found.lose(at, f"zram_count: {text!r}: one device serves all processors since Linux 4.7")
    elif count != int(text):
        found.lose(at, f"zram_count: {text!r} devices, taken instead: 1")
    algorithm, priority = (
        _word(values, "zram_alg", "lz4"),
        _take(found, values, "zram_prio", "32767"),
    )
    found.count(count)
    for index in range(count):
        found.add(f"ZRAM_SIZE_{index}", f"({size})/{count}" if count > 1 else size)
        found.add(f"ZRAM_ALGORITHM_{index}", with_fallback(algorithm))
        found.add(f"ZRAM_PRIORITY_{index}", priority)


def _armbian(found: Imported, values: Values) -> None:
    """Swap of a percentage of the memory, and /tmp of half of it, on one device each."""
    line, enabled = values.pop("ENABLED", (0, "false"))
    _streams(found, values, "ZRAM_MAX_DEVICES")
    at, _ = values.pop("RAMLOG_ALGORITHM", (0, ""))
    if at:
        found.lose(at, "RAMLOG_ALGORITHM: /var/log is armbian-ramlog's")
    percent = _take(found, values, "ZRAM_PERCENTAGE", "50")
    limit = _take(found, values, "MEM_LIMIT_PERCENTAGE", "50")
    algorithm = _word(values, "SWAP_ALGORITHM", "lzo")
    tmp = _word(values, "TMP_ALGORITHM", algorithm)
    backing = _word(values, "ZRAM_BACKING_DEV")
    # Older files have neither of these; then both are made.
    swap, wants_tmp = _word(values, "SWAP", "true"), _word(values, "TMP", "true")
    if enabled != "true":
        found.lose(line, "ENABLED is not true: no device")
        found.count(0)
        return
    index = 0
    if swap == "true":
        found.add("ZRAM_SIZE_0", f"{percent}%")
        found.add("ZRAM_MEM_LIMIT_0", f"{limit}%")
        found.add("ZRAM_ALGORITHM_0", with_fallback(algorithm))
        found.add("ZRAM_BACKING_DEV_0", backing)
        found.add("ZRAM_PRIORITY_0", "5")
        index = 1
    if wants_tmp == "true":
        found.add(f"ZRAM_SIZE_{index}", "50%")
        found.add(f"ZRAM_ALGORITHM_{index}", with_fallback(tmp))
        found.add(f"ZRAM_MOUNT_{index}", "/tmp")
        found.add(f"ZRAM_MOUNT_OPTS_{index}", "nosuid")
        found.add(f"ZRAM_MODE_{index}", "777")
        found.add(f"ZRAM_LABEL_{index}", "tmp")
        index += 1
    found.count(index)


def _dietpi(found: Imported, values: Values) -> None:
    """dietpi.txt: 0 is none, 1 half of the memory, more so many MiB."""
    line, place = values.pop("AUTO_SETUP_SWAPFILE_LOCATION", (0, "/var/swap"))
    size = _take(found, values, "AUTO_SETUP_SWAPFILE_SIZE", "1")
    values.clear()  # all the rest of the system's settings
    if place != "zram" or size == "0":
        what = "a size of 0" if size == "0" else f"swap in {place}"
        found.lose(line, f"{what}: no zram")
        found.count(0)
        return
    found.count(1)
    found.add("ZRAM_SIZE_0", "50%" if size == "1" else f"{size}M")
    found.add("ZRAM_ALGORITHM_0", "kernel")
    found.add("ZRAM_PRIORITY_0", "-1")


def _streams(found: Imported, values: Values, name: str) -> None:
    line, value = values.pop(name, (0, ""))
    if value:
        found.lose(line, f"{name}: the number of streams has had no effect since Linux 4.7")


TOOLS: tuple[tuple[str, tuple[str, ...], Callable[[Imported, Values], None]], ...] = (
    (
        "armbian",
        ("ZRAM_PERCENTAGE", "SWAP_ALGORITHM", "MEM_LIMIT_PERCENTAGE", "RAMLOG_ALGORITHM"),
        _armbian,
    ),
    ("DietPi", ("AUTO_SETUP_SWAPFILE_LOCATION", "AUTO_SETUP_SWAPFILE_SIZE"), _dietpi),
    ("systemd-swap", ("zram_enabled", "zram_alg", "zram_prio"), _systemd_swap),
    ("zramen", ("ZRAM_COMP_ALGORITHM", "ZRAM_STREAMS", "ZRAM_MAX_SIZE"), _zramen),
    ("zram-tools", ("PERCENT", "ALGO", "PRIORITY", "SIZE"), _zram_tools),
)
