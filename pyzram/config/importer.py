# SPDX-License-Identifier: MIT
"""Translate zram-init's conf.d file and zram-generator.conf into pyzram's configuration."""

from __future__ import annotations

from ..errors import InvalidValueError
from .parser import DEFAULT_MKFS_OPTIONS, DEFAULT_SIZE, MAX_DEVICES, ConfigError, parse_config
from .shell_assignments import read_assignments
from .size_expression import evaluate_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ZRAM_INIT_PRIORITY = "16383"
GENERATOR_FSTYPE = "ext2"
GIB = 1 << 30
NUMBER_MAX = 20  # digits; all of 64 bits


class Imported:
    """The equivalent of a foreign file."""

    def __init__(self, source: str) -> None:
        self.lines: list[tuple[str, str]] = []
        """Variables and values, in order."""
        self.lost: list[str] = []
        """What could not be carried over, and why."""
        self.source = source

    def add(self, name: str, value: str) -> None:
        """Set a variable; an empty value sets nothing."""
        if value:
            self.lines.append((name, value))

    def text(self) -> str:
        """Return the file to write."""
        lines = [f"# Translated by pyzram import from {self.source}."]
        lines += [f"# Not carried over: {reason}" for reason in self.lost]
        lines += [f"{name}={_quoted(value)}" for name, value in self.lines]
        return "\n".join(lines) + "\n"


def import_text(text: str, source: str) -> Imported:
    """Translate a file; which of the two it is shows in the file.

    Raises:
        InvalidValueError: it is neither.
    """
    stripped = [line.strip() for line in text.splitlines()]
    if any(line.startswith("[zram") for line in stripped):
        found = _from_generator(stripped, source)
    else:
        found = _from_zram_init(text, source)
    try:
        parse_config(found.text(), source, ram=8 * GIB, cpus=4)
    except ConfigError as err:
        # The foreign tool is laxer; nobody should find out at boot.
        found.lost += [f"needs a look: {problem.split(': ', 1)[1]}" for problem in err.problems]
    return found


def _is_number(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= NUMBER_MAX


def _quoted(value: str) -> str:
    return '"' + "".join(f"\\{char}" if char in '\\"$`' else char for char in value) + '"'


# ---- zram-init ---------------------------------------------------------------------------------

# Variables that need nothing but another name.
ZRAM_INIT_SAME = {
    "algo": "ZRAM_ALGORITHM",
    "para": "ZRAM_PARAMS",
    "back": "ZRAM_BACKING_DEV",
    "labl": "ZRAM_LABEL",
}
ZRAM_INIT_MOUNT = {"opts": "ZRAM_MOUNT_OPTS", "mode": "ZRAM_MODE", "owgr": "ZRAM_OWNER"}
ZRAM_INIT_EXT = {"blck": "-b", "irat": "-i", "inod": "-N"}
ZRAM_INIT_LOST = {
    "maxs": "the number of streams has had no effect since Linux 4.7",
    "icmp": "writes incompressible pages back at start, when there are none",
    "idle": "marks pages idle at start, when there are none",
    "uuid": "pyzram sets no UUID",
    "args": "it is shell code",
}
ZRAM_INIT_STEMS = (
    *("type", "size", "mlim", "wlim", "flag", "notr"),
    *ZRAM_INIT_SAME,
    *ZRAM_INIT_MOUNT,
    *ZRAM_INIT_EXT,
    *ZRAM_INIT_LOST,
)


def _from_zram_init(text: str, source: str) -> Imported:
    found = Imported(source)
    entries, refused = read_assignments(text)
    found.lost += [f"line {problem.line}: {problem.reason}" for problem in refused]
    values = {entry.name: entry.value.strip() for entry in entries}
    known = (*ZRAM_INIT_STEMS, "num_devices", "load_on_start", "unload_on_stop")
    if not any(name.rstrip("0123456789") in known for name in values):
        raise InvalidValueError(f"{source}: neither zram-init's file nor zram-generator's")
    found.add("LOAD_ON_START", values.pop("load_on_start", ""))
    found.add("UNLOAD_ON_STOP", values.pop("unload_on_stop", ""))
    count = values.pop("num_devices", "1").lstrip("+0") or "0"
    if not _is_number(count) or int(count) > MAX_DEVICES:
        found.lost.append(f"num_devices: {count[:20]!r} is no number of devices")
        count = "0"
    devices: dict[int, dict[str, str]] = {}
    for problem in refused:
        name = problem.reason.partition(":")[0]
        # Mostly a size that a command works out: better a device of the default size than none.
        if name.startswith("size") and _is_number(name[4:]):
            devices.setdefault(int(name[4:]), {})["size"] = "default"
            found.lost.append(f"{name}: the default is used, {DEFAULT_SIZE}")
    for name, value in values.items():
        stem = name.rstrip("0123456789")
        if name.startswith("rc_"):
            found.add(name, value)
        elif stem in ZRAM_INIT_STEMS and _is_number(name[len(stem) :]):
            devices.setdefault(int(name[len(stem) :]), {})[stem] = value
        else:
            found.lost.append(f"{name}: no variable of zram-init")
    used = 0
    for number in range(int(count)):
        device = devices.get(number, {})
        if _zram_init_device(found, number, used, device):
            used += 1
    found.lines.insert(0, ("NUM_DEVICES", str(used)))
    return found


def _zram_init_device(found: Imported, number: int, index: int, device: dict[str, str]) -> bool:
    """Translate one device; false when there is none to make."""
    kind = device.get("type", "swap")
    size = device.get("size", "")
    if kind == "-":
        found.lost.append(f"device {number}: it is made but not used (type{number}=-)")
        return False
    if kind != "swap" and not kind.startswith("/"):
        found.lost.append(f"device {number}: type {kind!r} makes none")
        return False
    if size != "default" and (not _is_number(size) or not int(size)):
        found.lost.append(f"device {number}: size {size!r} makes none")
        return False
    if index != number:
        found.lost.append(f"device {number}: it is device {index} now")
    swap = kind == "swap"
    found.add(f"ZRAM_SIZE_{index}", DEFAULT_SIZE if size == "default" else f"{size}M")
    if not swap:
        found.add(f"ZRAM_MOUNT_{index}", kind)
    for stem, name in ZRAM_INIT_SAME.items():
        found.add(f"{name}_{index}", device.get(stem, ""))
    if limit := device.get("mlim", ""):
        found.add(f"ZRAM_MEM_LIMIT_{index}", f"{limit}M")
    if _is_number(device.get("wlim", "")):
        found.add(f"ZRAM_WRITEBACK_LIMIT_{index}", f"{int(device['wlim']) * 4}K")
    flag = device.get("flag", "")
    discard = not device.get("notr")
    if swap:
        found.add(f"ZRAM_PRIORITY_{index}", "-1" if flag == "-" else flag or ZRAM_INIT_PRIORITY)
        found.add(f"ZRAM_DISCARD_{index}", "both" if discard else "none")
    else:
        fstype = flag or "ext4"
        found.add(f"ZRAM_FSTYPE_{index}", fstype)
        found.add(f"ZRAM_DISCARD_{index}", "yes" if discard else "no")
        for stem, name in ZRAM_INIT_MOUNT.items():
            found.add(f"{name}_{index}", device.get(stem, ""))
        extra = [
            f"{option} {device[stem]}"
            for stem, option in ZRAM_INIT_EXT.items()
            if device.get(stem) and fstype.startswith("ext")
        ]
        if extra:
            default = DEFAULT_MKFS_OPTIONS.get(fstype, ())
            found.add(f"ZRAM_MKFS_OPTS_{index}", " ".join([*default, *extra]))
    for stem, reason in ZRAM_INIT_LOST.items():
        if device.get(stem):
            found.lost.append(f"{stem}{number}: {reason}")
    return True


# ---- zram-generator ----------------------------------------------------------------------------


def _from_generator(lines: list[str], source: str) -> Imported:
    found = Imported(source)
    sections: dict[int, dict[str, str]] = {}
    section: dict[str, str] | None = None
    for line in lines:
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            digits = line.strip("[]").removeprefix("zram")
            section = sections.setdefault(int(digits), {}) if _is_number(digits) else None
            if section is None:
                found.lost.append(f"section {line}: not one of a device")
            continue
        key, _, value = line.partition("=")
        if section is not None:
            section[key.strip()] = value.strip()
        elif key.strip():
            found.lost.append(f"{key.strip()}: outside of a device's section")
    found.add("NUM_DEVICES", str(len(sections)) if sections else "0")
    for index, number in enumerate(sorted(sections)):
        if index != number:
            found.lost.append(f"zram{number}: it is device {index} now")
        _generator_device(found, number, index, sections[number])
    return found


def _generator_device(found: Imported, number: int, index: int, section: dict[str, str]) -> None:
    def lost(key: str, reason: str) -> None:
        found.lost.append(f"zram{number}: {key}: {reason}")

    point = section.pop("mount-point", "")
    fraction, most = section.pop("zram-fraction", ""), section.pop("max-zram-size", "")
    if (fraction or most) and "zram-size" not in section:
        # What older releases had for it.
        part = f"ram * {fraction or '0.5'}"
        section["zram-size"] = part if most == "none" else f"min({part}, {most or '4096'})"
    # Written out, for several devices without a size would share ours.
    for key, name, default in (
        ("zram-size", "ZRAM_SIZE", DEFAULT_SIZE),
        ("zram-resident-limit", "ZRAM_MEM_LIMIT", ""),
    ):
        value = default
        if text := section.pop(key, ""):
            try:
                value = _generator_size(text)
            except InvalidValueError:
                lost(key, f"{text!r} has no equivalent, the default is used")
        found.add(f"{name}_{index}", value)
    _generator_algorithms(found, index, section.pop("compression-algorithm", ""), lost)
    found.add(f"ZRAM_BACKING_DEV_{index}", section.pop("writeback-device", ""))
    options = section.pop("options", "discard").split(",")
    discard = [word for word in options if word.split("=")[0] == "discard"]
    others = [word for word in options if word and word not in discard and word != "defaults"]
    fstype = section.pop("fs-type", "")
    priority = section.pop("swap-priority", "")
    if point:
        found.add(f"ZRAM_MOUNT_{index}", point)
        found.add(f"ZRAM_FSTYPE_{index}", fstype or GENERATOR_FSTYPE)
        found.add(f"ZRAM_DISCARD_{index}", "yes" if discard else "no")
        for word in [word for word in others if word.startswith("X-mount.mode=")]:
            others.remove(word)
            found.add(f"ZRAM_MODE_{index}", word.partition("=")[2])
        found.add(f"ZRAM_MOUNT_OPTS_{index}", ",".join(others))
    else:
        found.add(f"ZRAM_PRIORITY_{index}", priority)
        policy = discard[0].partition("=")[2] or "both" if discard else ""
        found.add(f"ZRAM_DISCARD_{index}", policy)
        for word in others:
            lost(f"option {word}", "pyzram has no such option for swap")
        if fstype not in ("", "swap"):
            lost(f"fs-type {fstype}", "it has no mount-point")
    if "host-memory-limit" in section and section.pop("host-memory-limit") != "none":
        lost("host-memory-limit", "pyzram sets devices up whatever memory there is")
    for key in section:
        lost(key, "it is shell code" if key.startswith("set!") else "not known")


def _generator_size(text: str) -> str:
    """Turn an expression in MiB into one in bytes."""
    word = text.strip()
    if _is_number(word):
        return f"{word}M"
    simple = word.replace(" ", "")
    if simple.startswith("min(ram/") and simple.endswith(")"):
        divisor, _, limit = simple[8:-1].partition(",")
        if _is_number(divisor) and _is_number(limit):
            return f"min(ram/{divisor}, {limit}M)"
    if "/" in simple and simple.split("/")[0] == "ram" and _is_number(simple[4:]):
        return simple
    if simple == "ram":
        return simple
    # In general: the same expression over memory in MiB, times a MiB.
    general = f"({word.replace('ram', '(ram/1M)')})*1M"
    evaluate_size(general, ram=8 * GIB, cpus=4)
    return general


def _generator_algorithms(
    found: Imported, index: int, text: str, lost: Callable[[str, str], None]
) -> None:
    """``lzo-rle zstd(level=3) (type=idle)``: the first is primary, the others recompress."""
    words = text.replace(", ", ",").split()
    policy = [word for word in words if word.startswith("(")]
    names = [word for word in words if not word.startswith("(")]
    found.add(f"ZRAM_ALGORITHM_{index}", " ".join(names[:1]))
    found.add(f"ZRAM_RECOMP_ALGORITHM_{index}", " ".join(names[1:4]))
    for word in names[4:]:
        lost(f"compression-algorithm {word}", "the kernel has three at most")
    for word in policy:
        lost(f"compression-algorithm {word}", "recompression is no part of the configuration")
