# SPDX-License-Identifier: MIT
"""What zram-generator makes of a file, compared value by value with what pyzram imports from it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from .generator import Device, Root
from .planned import Planned, plan

PAGE = 4096
MAIN = "/etc/systemd/zram-generator.conf"
PLACES = ("/usr/lib", "/usr/local/lib", "/etc", "/run")
# What the import says about an expression that is a problem only on some hosts, but not on those
# that host-memory-limit excludes.
LATER = "makes no device where "
# From each value to the keys that standard error names if there is a difference.
KEYS = {
    "use": ("mount-point", "fs-type"),
    "disksize": ("zram-size", "zram-fraction", "max-zram-size"),
    "mem_limit": ("zram-resident-limit",),
    "algorithm": ("compression-algorithm",),
    "parameters": ("compression-algorithm",),
    "recompression": ("compression-algorithm",),
    "backing_dev": ("writeback-device",),
    "fstype": ("fs-type",),
    "priority": ("swap-priority",),
    "options": ("options",),
}


@dataclass
class Count:
    """How many values were compared, and with which results."""

    files: int = 0
    values: int = 0
    equal: int = 0
    told: int = 0
    different: list[str] = field(default_factory=list)

    def add(self, other: Count) -> None:
        self.files += other.files
        self.values += other.values
        self.equal += other.equal
        self.told += other.told
        self.different += other.different

    def __str__(self) -> str:
        return (
            f"files {self.files}, values compared {self.values}, equal {self.equal}, "
            f"told {self.told}, different {len(self.different)}"
        )

    def value(self, name: str, theirs: object, ours: object, told: list[str]) -> None:
        self.values += 1
        if theirs == ours:
            self.equal += 1
        elif any(key in line for key in KEYS.get(name, ()) for line in told):
            self.told += 1
        else:
            self.different.append(f"{name}: theirs {theirs!r}, ours {ours!r}")


def compare(root: Root, files: str | dict[str, str], ram_kib: int = 8 << 20) -> Count:
    """Have both process a configuration; ours through its commands."""
    if isinstance(files, str):
        files = {MAIN: files}
    answer = root.ask(files, ram_kib)
    ours = plan(root.ours, _operands(root.ours, files), ram_kib << 10)
    count = Count(files=len(files))
    if answer.status or ours.devices is None:
        count.values += 1
        refused = ours.devices is None
        if answer.status and refused:
            count.equal += 1
        elif not ours.imported and (refused or any(LATER in line for line in ours.told)):
            count.told += 1  # what it would start with is refused or named, with the reason
        else:
            count.different.append(f"theirs {answer.said[-200:]!r}, ours {ours.told!r}")
        return count
    theirs = sorted(answer.devices.values(), key=lambda device: device.number)
    _devices(count, root, theirs, ours)
    return count


def _operands(folder: Path, files: dict[str, str]) -> list[str]:
    """Lay out the files; the command gets the places, and puts them in order itself."""
    base = folder / "theirs"
    shutil.rmtree(base, ignore_errors=True)
    for name, text in files.items():
        path = base / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    # From the weakest place to the strongest, a main file first.
    drop_ins = [f"{base}{place}/systemd/zram-generator.conf.d" for place in PLACES]
    return [f"{base}{MAIN}", *(path for path in drop_ins if Path(path).is_dir())]


def _devices(count: Count, root: Root, theirs: list[Device], found: Planned) -> None:
    told = found.told
    less = any(word in line for word in ("left out", "not a device's section") for line in told)
    assert found.devices is not None
    # A device that the import leaves out with a message need not be reported again.
    count.value("devices", len(theirs), len(theirs) if less else len(found.devices), told)
    if len(theirs) != len(found.devices):
        return
    for device, ours in zip(theirs, found.devices, strict=True):
        written, _ = root.set_up(device.number)
        swap = device.unit.endswith(".swap")
        unit = _settings(device.units[device.unit])
        count.value("use", "swap" if swap else unit["Where"], ours.what, told)
        count.value("disksize", _page_up(written["disksize"]), ours.disksize, told)
        count.value("mem_limit", _page_up(written.get("mem_limit", "0")), ours.mem_limit, told)
        named = [choice for choice in ours.algorithms if choice.name != "kernel"]
        first = named[0] if named else None
        count.value(
            "algorithm", written.get("comp_algorithm", ""), first.name if first else "", told
        )
        words = dict(
            word.split("=", 1)
            for word in written.get("algorithm_params", "").split()
            if "=" in word
        )
        theirs_params = words.get("level"), words.get("dictionary", words.get("dict"))
        level = first.level if first else None
        our_params = None if level is None else str(level), first.dictionary if first else None
        count.value("parameters", theirs_params, our_params, told)
        recompression = re.findall(r"algo=(.+?) priority=\d", written.get("recomp_algorithm", ""))
        remark = [at for at, name in enumerate(recompression) if name.startswith("#")]
        # The kernel refuses a remark, which the generator passes to it all the same.
        recompression = recompression[: remark[0]] if remark else recompression
        count.value(
            "recompression", recompression, [choice.name for choice in ours.recompression], told
        )
        count.value("backing_dev", written.get("backing_dev", ""), ours.backing_dev or "", told)
        options = {
            re.sub(r"^(X-mount\.mode=)0+(?=\d)", r"\1", word)  # of octal digits
            for word in unit.get("Options", "").split(",")
            if word not in ("", "defaults")
        }
        if swap:
            count.value("priority", unit["Priority"], str(ours.priority), told)
            policy = {"none": set(), "both": {"discard"}}.get(
                ours.discard, {f"discard={ours.discard}"}
            )
            count.value("options", options, policy, told)
        else:
            if made := root.made():
                count.value("fstype", made, ours.fstype, told)
            mine = {word for word in ours.mount_options.split(",") if word}
            mine |= {"discard"} if ours.discard == "both" else set()
            mine |= {f"X-mount.mode={ours.mode:o}"} if ours.mode is not None else set()
            if unit["Where"] in ("/tmp", "/var/tmp") and "X-mount.mode=1777" not in options:
                mine.discard("X-mount.mode=1777")  # what systemd's own tmp.mount has
            count.value("options", options, mine, told)


def _settings(unit: str) -> dict[str, str]:
    lines = [line.partition("=") for line in unit.split("\n") if "=" in line]
    return {key: value for key, _, value in lines}


def _page_up(text: str) -> int:
    return -(-int(text) // PAGE) * PAGE
