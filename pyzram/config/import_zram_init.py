# SPDX-License-Identifier: MIT
"""zram-init's conf.d file, as Gentoo and Alpine have it."""

from __future__ import annotations

import os
import re

from ..limits import LOGICAL_BLOCK_SIZE
from .imported import Imported, is_number, with_fallback
from .shell_assignments import read_assignments
from .values import DEFAULT_MKFS_OPTIONS, DEFAULT_SIZE, MAX_DEVICES, label_max

TYPE_CHECKING = False
if TYPE_CHECKING:
    Device = dict[str, tuple[int, str]]  # from each stem to its line and value

TOOL = "zram-init"
PRIORITY = "16383"
SAME = {"back": "ZRAM_BACKING_DEV"}
MOUNT = {"opts": "ZRAM_MOUNT_OPTS", "mode": "ZRAM_MODE", "owgr": "ZRAM_OWNER"}
COMMAND = ("`", "$", '"')  # how a value begins that a shell may run
FILE_SYSTEMS = ("ext2", "ext4", "btrfs", "xfs")
EXT = {"blck": "-b", "irat": "-i", "inod": "-N"}
LOST = {
    "maxs": "the number of streams has had no effect since Linux 4.7",
    "icmp": "at start, when it writes, there are no such pages; pyzram tend does it later (TEND)",
    "idle": "at start, when it marks, there are no pages; pyzram tend goes by their ages (TEND)",
    "uuid": "pyzram sets no UUID",
    "args": "it is shell code",
}
STEMS = (
    *("type", "size", "mlim", "wlim", "flag", "notr", "algo", "para", "labl"),
    *SAME,
    *MOUNT,
    *EXT,
    *LOST,
)
GLOBALS = ("num_devices", "load_on_start", "unload_on_stop")

# A share of the memory as published files compute it: what awk prints, and from which table.
FREE = re.compile(
    r"^(?:LC_ALL=\w+\s+|LANG=\w+\s+)?free\s+-(?P<unit>m|-mebi|k|b|g)\s*\|\s*"
    r"awk\s+'\s*/\^?Mem:?/\s*\{\s*print\s*(?P<print>.+?);?\s*\}\s*'$"
)
MEMINFO = re.compile(
    r"^(?:awk\s+'\s*/\^?MemTotal:?/\s*\{\s*print\s*(?P<print>.+?);?\s*\}\s*'\s+/proc/meminfo"
    r"|grep\s+'?\^?MemTotal:?'?\s+/proc/meminfo\s*\|\s*"
    r"awk\s+'\s*\{\s*print\s*(?P<print2>.+?);?\s*\}\s*')$"
)
SHARE = re.compile(r"^(?P<int>int\s*)?\(?\s*\$2(?P<rest>(?:\s*[*/]\s*\d+(?:\.\d+)?)*)\s*\)?$")
UNITS = {"m": "1M", "-mebi": "1M", "k": "1K", "b": "1B", "g": "1G"}


def translated(text: str, path: str) -> Imported | None:
    """Translate the file; ``None`` if it is not zram-init's."""
    found = Imported(path, TOOL)
    found.vital = ("ZRAM_PRIORITY",)
    values = _values(found, text)
    found.read = {name: f"line {at}: {name}" for name, (at, value) in values.items() if value}
    if not any(name.rstrip("0123456789") in STEMS or name in GLOBALS for name in values):
        return None
    for ours, theirs in (("LOAD_ON_START", "load_on_start"), ("UNLOAD_ON_STOP", "unload_on_stop")):
        found.add(ours, values.pop(theirs, (0, ""))[1], theirs)
    line, count = values.pop("num_devices", (0, ""))
    if not count:
        found.lose(line, "without num_devices, zram-init makes no device")
    elif not is_number(count) or int(count) > MAX_DEVICES:
        found.lose(line, f"num_devices: {count[:20]!r} does not count devices, so there is none")
        count = ""
    devices: dict[int, Device] = {}
    for name, (at, value) in values.items():
        stem = name.rstrip("0123456789")
        if name.startswith("rc_") and value.isprintable():
            found.add(name, value, name)
            found.look(at, f"{name}: OpenRC acts on it when it starts the service")
        elif name.startswith("rc_"):
            found.lose(at, f"{name}: {value!r} has unprintable characters")
        elif stem in STEMS and is_number(name[len(stem) :]):
            devices.setdefault(int(name[len(stem) :]), {})[stem] = at, value
        else:
            found.lose(at, f"{name}: not a variable of {TOOL}")
    used = 0
    for number in range(int(count or "0")):
        device = _ZramInitDevice(found, number, used, devices.get(number, {}), line)
        used += device.translate()
    found.count(used)
    return found


def _values(found: Imported, text: str) -> dict[str, tuple[int, str]]:
    """Take the assignments; the last one counts, and a command that gives a size stays as it is."""
    entries, refused = read_assignments(text)
    in_order = [(entry.line, entry.name, entry.value.strip()) for entry in entries]
    raw = text.split("\n")
    for problem in refused:
        words = raw[problem.line - 1] if problem.line <= len(raw) else ""
        name, equals, value = words.strip().removeprefix("export ").partition("=")
        if equals and re.fullmatch(r"size\d+", name):
            in_order.append((problem.line, name, value))
        else:
            found.lose(problem.line, problem.reason)
    return {name: (line, value) for line, name, value in sorted(in_order)}


def share_of_memory(command: str) -> str:
    """Return the size that a command for MiB of memory gives; empty for another command."""
    # With single blanks, the patterns take time only in proportion to the length.
    word = " ".join(command.split())
    comment = word.find(" #", 1 + max(map(word.rfind, "'\"`")))
    word = word[: comment if comment >= 0 else None].strip().strip('"')
    for opening, closing in (("`", "`"), ("$(", ")")):
        if word.startswith(opening) and word.endswith(closing):
            word = word[len(opening) : -len(closing)].strip().replace("\\$", "$")
            break
    else:
        return ""
    unit, match = "1K", MEMINFO.match(word)
    if match is None:
        match = FREE.match(word)
        unit = UNITS[match["unit"]] if match else ""
    if match is None:
        return ""
    printed = match["print"] or match.groupdict().get("print2") or ""
    share = SHARE.match(printed.strip())
    if share is None:
        return ""
    rest = re.sub(r"\s", "", share["rest"])
    # What is printed counts as MiB; a shell accepts only whole numbers.
    whole = re.fullmatch(r"/(\d+)", rest)
    if unit == "1M" and whole:
        return f"mib(ram/{whole[1]})"
    return f"int(int(ram/{unit}){rest})*1M"


class _ZramInitDevice:
    def __init__(
        self, found: Imported, number: int, index: int, values: Device, counted: int
    ) -> None:
        self.found = found
        self.number = number
        self.index = index
        self.values = values
        self.first = min(values.values(), default=(counted, ""))

    def get(self, stem: str) -> str:
        return self.values.get(stem, (0, ""))[1]

    def add(self, name: str, value: str, *stems: str) -> None:
        keys = (f"{stem}{self.number}" for stem in stems)
        self.found.add(f"{name}_{self.index}", value, *keys)

    def lose(self, stem: str, why: str) -> None:
        # A missing variable is reported at the first line of the device.
        line = self.values.get(stem, self.first)[0]
        self.found.lose(line, f"{stem or 'device '}{self.number}: {why}")

    def translate(self) -> bool:
        """Add the variables of the device; false if there is none to make."""
        refusal = self.refusal()
        if refusal:
            self.lose(*refusal)
            return False
        if self.index != self.number:
            self.found.look(self.first[0], f"device {self.number}: now device {self.index}")
        fstype = self.fstype()
        self.add("ZRAM_SIZE", self.size() or self.default_size(), "size")
        self.algorithm()
        if fstype != "swap":
            self.add("ZRAM_MOUNT", self.get("type"), "type")
        for stem, name in SAME.items():
            self.add(name, self.get(stem), stem)
        self.label(fstype)
        if limit := self.get("mlim"):
            self.add("ZRAM_MEM_LIMIT", f"{limit}M", "mlim")
        if limit := self.get("wlim"):
            self.add("ZRAM_WRITEBACK_LIMIT", f"{int(limit) * 4}K", "wlim")
        if fstype == "swap":
            self.swap()
        else:
            self.file_system(fstype)
        for stem, reason in LOST.items():
            if self.get(stem):
                self.lose(stem, reason)
        return True

    def refusal(self) -> tuple[str, str] | None:
        """Return the variable because of which there is no device to make, and the reason."""
        kind, size = self.get("type"), self.get("size")
        if kind == "-":
            return "type", "it is made but not used (-), left out"
        if kind != "swap" and not kind.startswith("/"):
            return "type", f"{f'type {kind!r}' if kind else 'no type'} makes no device"
        if not self.size() and size[:1] not in COMMAND:
            return "size", f"size {size!r} makes no device"
        for stem in ("mlim", "wlim"):
            if self.get(stem) and not is_number(self.get(stem)):
                return stem, f"{self.get(stem)!r} is not numeric, so it makes no device"
        if kind != "swap" and self.fstype() not in FILE_SYSTEMS:
            return "flag", f"{TOOL} makes no file system {self.fstype()}, left out"
        return None

    def fstype(self) -> str:
        return "swap" if self.get("type") == "swap" else self.get("flag") or "ext4"

    def size(self) -> str:
        """Return the size; empty if it is none, or what a command prints."""
        size = self.get("size")
        return f"{int(size)}M" if is_number(size) and int(size) else share_of_memory(size)

    def default_size(self) -> str:
        self.lose("size", "a command, which is not run: using our default instead")
        return DEFAULT_SIZE

    def swap(self) -> None:
        flag = self.get("flag")
        self.add("ZRAM_PRIORITY", "-1" if flag == "-" else flag or PRIORITY, "flag")
        self.add("ZRAM_DISCARD", "none" if self.get("notr") else "both", "notr")

    def file_system(self, fstype: str) -> None:
        self.add("ZRAM_FSTYPE", fstype, "flag")
        # Other file systems are mounted without discard.
        discard = fstype == "ext4" and not self.get("notr")
        self.add("ZRAM_DISCARD", "yes" if discard else "no", "notr")
        for stem, name in MOUNT.items():
            self.add(name, self.get(stem), stem)
        self.mkfs(fstype)

    def algorithm(self) -> None:
        """Translate algorithm and parameters; among the latter, for the kernel, may be algo=."""
        name = self.get("algo")
        words = []
        for word in self.get("para").replace(",", " ").split():
            key, _, value = word.partition("=")
            if key == "algo":
                name = name or value
                if value != name:
                    self.lose("para", f"{word}: not used, because algo is {name}")
            else:
                words.append(word)
        if words and not name:
            self.lose("para", "parameters without an algorithm")
            words = []
        # If the kernel lacks it, zramctl makes that a failure; without zramctl, and with a backing
        # device, it is a warning, and the kernel's default stays.
        self.add("ZRAM_ALGORITHM", with_fallback(name), "algo", "para")
        self.add("ZRAM_PARAMS", " ".join(words), "para")

    def label(self, fstype: str) -> None:
        """Cut the label as mkswap and mkfs do."""
        label = self.get("labl")
        data, most = os.fsencode(label), label_max(fstype)
        if len(data) > most:
            label = data[:most].decode(errors="ignore")
            self.lose(
                "labl", f"{self.get('labl')!r} is cut to {label!r}, {fstype} takes {most} bytes"
            )
        self.add("ZRAM_LABEL", label, "labl")

    def mkfs(self, fstype: str) -> None:
        extra = []
        for stem, option in EXT.items():
            value = self.get(stem)
            if not value or not fstype.startswith("ext"):
                continue
            if stem == "blck" and is_number(value) and int(value) < LOGICAL_BLOCK_SIZE:
                why = f"blocks of {value} bytes: mkfs fails, zram has {LOGICAL_BLOCK_SIZE}"
                self.lose(stem, why)
            else:
                extra.append(f"{option} {value}")
        if extra:
            default = DEFAULT_MKFS_OPTIONS.get(fstype, ())
            self.add("ZRAM_MKFS_OPTS", " ".join([*default, *extra]), *EXT)
