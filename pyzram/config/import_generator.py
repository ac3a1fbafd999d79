# SPDX-License-Identifier: MIT
"""zram-generator's configuration: its main file with its drop-ins."""

from __future__ import annotations

import math
import os
import re

from ..algorithm import Algorithm
from ..errors import InvalidValueError
from ..limits import SWAP_PRIORITY_MAX as PRIORITY_MAX
from .generator_expression import UnknownNameError, UntranslatableError, check_syntax, translate
from .generator_file import read_entries
from .generator_syntax import SUFFIXES
from .imported import Imported, RefusedFileError, is_number, with_fallback
from .values import KERNELS_OWN, MAX_SECONDARIES, params_of, wrong_level

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .imported import Source

    Section = dict[str, tuple[str, str]]  # key to value and place

TOOL = "zram-generator"
FSTYPE = "ext2"
DEFAULT_FRACTION = "0.5"
GENERATORS_SIZE = "min(mib(ram)/2, 4G)"
KEYS = (
    *("host-memory-limit", "memory-limit", "zram-size", "zram-resident-limit"),
    *("compression-algorithm", "writeback-device", "swap-priority", "mount-point", "fs-type"),
    *("options", "zram-fraction", "max-zram-size"),
)
# Parameters of an algorithm, by zram-generator's names, and of the recompression that it is for.
PARAMETERS = {"level": "level", "dict": "dict", "dictionary": "dict"}
WHEN = "pyzram tend decides when to recompress, and which pages (TEND)"
# Suffixes that were hardly meant as the generator takes them; K may be meant: 8K is 8000 MiB.
BINARY = re.compile(r"(?<![\w.])(\d{1,15}(?:\.\d{1,15})?)([MGT])(?!\w)")
MIB_OF = {"M": 1, "G": 1 << 10, "T": 1 << 20}
RECOMPRESSION = ("type", "threshold", "max_pages", "algo", "priority")


def looks_like(text: str) -> bool:
    """Whether a file is zram-generator's."""
    lines = [line.strip() for line in text.removeprefix("\ufeff").split("\n")]
    return any(
        (line.startswith("[") and line[1:].lstrip().startswith("zram")) or line.startswith("set!")
        for line in lines
    )


def translated(sources: Sequence[Source]) -> Imported:
    """Translate the files; later ones override the keys of earlier ones.

    Raises:
        RefusedFileError: zram-generator makes no device from them either.
    """
    found = Imported(", ".join(path for path, _ in sources), TOOL)
    sections: dict[int, Section] = {}
    commands: dict[str, str] = {}
    for path, text in sources:
        prefix = f"{path}:" if len(sources) > 1 else "line "
        _read(found, text, path, prefix, sections, commands)
    used = 0
    for number in sorted(sections):
        device = _GeneratorDevice(
            found, number, used, sections[number], commands, list(sections.values())
        )
        if device.translate():
            used += 1
    found.count(used)
    return found


def _read(
    found: Imported,
    text: str,
    path: str,
    prefix: str,
    sections: dict[int, Section],
    commands: dict[str, str],
) -> None:
    for entry in read_entries(text, path):
        place = f"{prefix}{entry.line}"
        number = _number(entry.section)
        if entry.section is None:
            if entry.key.startswith("set!"):
                commands[entry.key[4:].strip()] = place
                found.lose(place, f"{entry.key}: the output of a command, which is not run here")
            else:
                found.lose(place, f"{entry.key}: outside of a device's section")
        elif number is None:
            if not entry.key:
                found.lose(place, f"section [{entry.section}]: not a device's section")
        elif not entry.key:
            sections.setdefault(number, {"": ("", f"{place}: zram{number}")})
        elif entry.key in KEYS:
            if why := _wrong(entry.key, entry.value):
                raise _refused(f"{place}: zram{number}: {entry.key}", why)
            # Two names for the same thing.
            key = "host-memory-limit" if entry.key == "memory-limit" else entry.key
            sections[number][key] = entry.value, f"{place}: zram{number}: {entry.key}"
        else:
            found.lose(place, f"zram{number}: {entry.key}: not known to {TOOL}")


def _number(section: str | None) -> int | None:
    digits = (section or "").removeprefix("zram")
    plain = section != digits and is_number(digits) and str(int(digits)) == digits
    return int(digits) if plain else None


def _refused(place: str, why: str) -> RefusedFileError:
    return RefusedFileError(f"{place}: {why}, and {TOOL} makes no device at all then")


def _wrong(key: str, value: str) -> str:
    """Return why the generator refuses a value, even one that another would override."""
    if key in ("host-memory-limit", "memory-limit", "max-zram-size"):
        if value != "none" and not is_number(value.removeprefix("+")):
            return f"{value!r} is neither a whole number nor none"
    elif key == "swap-priority":
        digits = value[1:] if value[:1] in ("+", "-") else value
        if not is_number(digits) or not -1 <= int(value) <= PRIORITY_MAX:
            return f"{value!r} is not a number from -1 to {PRIORITY_MAX}"
    elif key == "zram-fraction":
        fraction = _fraction(value)
        if fraction is None or not fraction >= 0:
            return f"{value!r} is not a size"
    elif key in ("zram-size", "zram-resident-limit"):
        try:
            check_syntax(value)
        except InvalidValueError as err:
            return str(err)
    elif key in ("mount-point", "writeback-device"):
        if not value.startswith("/"):
            return f"{value!r} is not absolute"
        if key == "mount-point" and ".." in value.split("/"):
            return f"{value!r} contains .."
    return ""


def _fraction(text: str) -> float | None:
    """A number as the generator parses it, which may be infinite or nan."""
    word = text.lower()
    plain = word.lstrip("+-") in ("inf", "infinity", "nan") or not word.strip("+-.0123456789e")
    try:
        return float(word) if plain else None
    except ValueError:
        return None


class _GeneratorDevice:
    def __init__(
        self,
        found: Imported,
        number: int,
        index: int,
        section: Section,
        commands: dict[str, str],
        sections: Iterable[Section],
    ) -> None:
        self.found = found
        found.read = {key: place for key, (_, place) in section.items()}
        self.number = number
        self.index = index
        self.section = section
        self.commands = commands
        self.sections = sections

    def text(self, key: str, default: str = "") -> str:
        return self.section.get(key, (default, ""))[0]

    def place(self, key: str) -> str:
        return self.section.get(key, ("", ""))[1]

    def add(self, name: str, value: str, key: str = "") -> None:
        self.found.add(f"{name}_{self.index}", value, key)

    def lose(self, key: str, why: str) -> None:
        self.found.lose(self.place(key) or self.place(""), why)

    def refuse(self, key: str, why: str) -> RefusedFileError:
        return _refused(self.place(key), why)

    def translate(self) -> bool:
        """Add the variables of the device; false if there is none to make."""
        point, fstype = self.mount_point(), self.text("fs-type")
        limit = self.text("host-memory-limit", "none")
        size = self.size()
        resident = self.expression("zram-resident-limit", "")
        why, key = "", ""
        if not point and "fs-type" in self.section and fstype != "swap":
            key, why = (
                "fs-type",
                f"{fstype or 'nothing'} without mount-point: used by nobody",
            )
        elif point and "fs-type" in self.section and not fstype:
            key, why = "fs-type", "the name of the file system is empty"
        elif point and fstype == "swap":
            key, why = "fs-type", "swap cannot be mounted"
        elif not size:
            key, why = "zram-fraction", "no device can be infinite"
        elif size == "0":
            key, why = "zram-size", "a size of 0 makes no device"
        if why:
            if point and self.shared(point):
                why += f" ({TOOL} makes no device where another is mounted on {point} too)"
            if "-" in size + resident:  # on some machines it may not be a size
                why += f" ({TOOL} makes no device where its size is below 0)"
            self.lose(key, f"{why}, left out")
            return False
        if self.index != self.number:
            self.found.look(self.place(""), f"now device {self.index}")
        old = (key for key in ("zram-fraction", "max-zram-size") if key in self.section)
        self.add("ZRAM_SIZE", size, next(old, "zram-size"))
        if limit != "none":
            self.add("ZRAM_HOST_MEMORY_LIMIT", f"{int(limit)}M", "host-memory-limit")
        self.add("ZRAM_MEM_LIMIT", "" if resident == "0" else resident, "zram-resident-limit")
        self.algorithms()
        self.add("ZRAM_BACKING_DEV", self.text("writeback-device"), "writeback-device")
        self.use(point, fstype)
        return True

    def shared(self, point: str) -> bool:
        """Whether another section has the same mount point."""
        others = (section.get("mount-point", ("", ""))[0] for section in self.sections)
        return sum(os.path.normpath(other) == point for other in others if other) > 1

    def mount_point(self) -> str:
        point = self.text("mount-point")
        if " #" in point or " ;" in point:
            self.lose("mount-point", f"not a comment: the rest is part of the path {point!r}")
        return os.path.normpath("/" + point.lstrip("/")) if point else ""

    def size(self) -> str:
        """The size: the old keys win over the newer one; without any, it is the usual default."""
        if "zram-fraction" not in self.section and "max-zram-size" not in self.section:
            return self.expression("zram-size", GENERATORS_SIZE)
        if "zram-size" in self.section:
            self.lose("zram-size", "overridden by zram-fraction or max-zram-size")
        text = self.text("zram-fraction", DEFAULT_FRACTION)
        most = self.text("max-zram-size", "none")
        fraction = _fraction(text)
        if fraction == math.inf:
            return ""
        part = f"mib(mib(ram)*{fraction:.17f}".rstrip("0").rstrip(".") + ")"
        return part if most == "none" else f"min({part}, {int(most)}M)"

    def expression(self, key: str, default: str) -> str:
        if key not in self.section:
            return default
        text = self.text(key)
        try:
            size = translate(text)
            if match := BINARY.search(text):
                meant = format(float(match[1]) * MIB_OF[match[2]], ".15g")
                self.found.look(
                    self.place(key),
                    f"suffixes there are decimal and multiply MiB, so {match[0]} is "
                    f"{match[1]}e{SUFFIXES[match[2]]} MiB; was {meant} meant?",
                )
            return size
        except UnknownNameError as err:
            if err.name not in self.commands:
                return self.bad(key, f"{text!r}: {err}", default)
            why = f"{err.name!r} is set by the command of {self.commands[err.name]}"
        except UntranslatableError as err:
            why = f"{text!r}: {err}"
        except InvalidValueError as err:
            return self.bad(key, str(err), default)
        self.lose(key, f"{why}: using {default or 'no limit'} instead")
        return default

    def bad(self, key: str, why: str, default: str) -> str:
        """Refuse an expression; the generator does not evaluate it on hosts that are too big."""
        if self.text("host-memory-limit", "none") == "none":
            raise self.refuse(key, why)
        self.lose(key, f"{why}, and {TOOL} makes no device where it comes to that")
        return default

    def algorithms(self) -> None:
        """``lzo-rle zstd(level=3) (type=idle)``: the first is primary, the others recompress."""
        key = "compression-algorithm"
        text = self.text(key)
        names: list[str] = []
        for word in text.split():
            name, bracket, rest = word.partition("(")
            plain = all(char.isalnum() or char in "-_" for char in name)
            if name.startswith("#"):
                break  # the kernel refuses the rest, so in effect it is a remark
            if not name:
                self.lose(key, f"{word}: {WHEN}")
            elif not plain or (bracket and not rest.endswith(")")):
                self.lose(key, f"{word!r} is not an algorithm")
            elif name == KERNELS_OWN:
                self.lose(key, f"{word}: no kernel has an algorithm of that name")
                names = names or [""]  # what follows recompresses all the same
            elif len(names) > MAX_SECONDARIES:
                self.lose(key, f"{word}: at most {MAX_SECONDARIES} algorithms recompress")
            else:
                names.append(name + self.parameters(name, rest[:-1], len(names)))
        self.add("ZRAM_ALGORITHM", with_fallback(names[0] if names else ""), key)
        self.add("ZRAM_RECOMP_ALGORITHM", " ".join(names[1:]), key)

    def parameters(self, name: str, text: str, position: int) -> str:
        key = "compression-algorithm"
        taken: list[str] = []
        for word in filter(None, text.split(",")):
            left, _, value = word.partition("=")
            if left == "priority" and position and value == str(position):
                continue  # its place already says this
            ours = f"{PARAMETERS.get(left, left)}={value}"
            if left in RECOMPRESSION:
                self.lose(key, f"{name}: {word}: {WHEN}")
                continue
            try:
                why = wrong_level(Algorithm(name, **params_of([ours])))
            except InvalidValueError as err:
                why = str(err)
            if why:
                self.lose(key, f"{name}: {word}: {why}")
            else:
                taken.append(ours)
        return f"({','.join(taken)})" if taken else ""

    def use(self, point: str, fstype: str) -> None:
        options = self.text("options", "discard").split(",")
        discard = [word for word in options if word.split("=")[0] == "discard"]
        others = [word for word in options if word and word not in discard and word != "defaults"]
        if not point:
            priority = str(int(self.text("swap-priority", "100")))
            self.add("ZRAM_PRIORITY", priority, "swap-priority")
            policy = discard[-1].partition("=")[2] or "both" if discard else "none"
            if policy not in ("none", "both", "once", "pages"):
                self.lose("options", f"{discard[-1]!r} is not a policy")
                policy = "both"
            self.add("ZRAM_DISCARD", policy, "options")
            for word in others:
                self.lose("options", f"{word}: not an option of swap here")
            return
        others += [word for word in discard if word != "discard"]  # such as btrfs's async
        discard = [word for word in discard if word == "discard"]
        self.add("ZRAM_MOUNT", point, "mount-point")
        self.add("ZRAM_FSTYPE", fstype or FSTYPE, "fs-type")
        self.add("ZRAM_DISCARD", "yes" if discard else "no", "options")
        for word in [word for word in others if word.startswith("X-mount.mode=")]:
            others.remove(word)
            self.add("ZRAM_MODE", word.partition("=")[2], "options")
        self.add("ZRAM_MOUNT_OPTS", ",".join(others), "options")
