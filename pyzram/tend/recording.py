# SPDX-License-Identifier: MIT
"""A machine's memory as one line of JSON per minute: small enough to send, enough to replay.

The format is described in pyzram-tend(8); ``bench/tend.py --replay FILE`` runs all policies on it.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING

from ..descriptor import write_all
from ..device.block_state import summary
from ..device.device_list import devices
from ..errors import DeviceNotFoundError, InvalidValueError, ZramError, from_errno
from ..kernel.psi import read_pressure
from ..named_files import open_named
from .machine import Clocks, read_battery, read_counters, read_memory
from .medium import medium_of

if TYPE_CHECKING:
    from ..device.zram import Zram
    from ..kernel.sysfs import Sysfs

VERSION = 1
COUNTERS = ("pswpin", "pswpout", "workingset_refault_anon", "workingset_refault_file")
MINUTE = 60.0
LONGEST = 1 << 16
"""Bytes; no line is longer."""
HEAD = b'{"v":'
"""How each line begins."""
AGES_EVERY = 10
"""Minutes between two counts of all pages by age, because a count takes processor time."""


def row(sysfs: Sysfs, clocks: Clocks, ages: bool = True) -> dict[str, object]:
    """What the machine is like now; what is there and cannot be read is not told as absent.

    Raises:
        ZramError, OSError: something cannot be read.
    """
    total, available = read_memory(sysfs)
    unread: list[str] = []
    memory = read_pressure(sysfs, "memory", unread)
    battery = read_battery(sysfs)
    if unread or battery.error:
        raise ZramError("; ".join(filter(None, [*unread, battery.error])))
    counters = read_counters(sysfs)
    awake = clocks.awake()
    found = {}
    for device in devices(sysfs=sysfs):
        with device:
            if seen := _device(sysfs, device, ages):
                found[device.name] = seen
    return {
        "v": VERSION,
        "time": int(clocks.wall()),
        "awake": round(awake),
        "asleep": round(clocks.boottime() - awake),
        "total": total,
        "available": available,
        "stalled": memory and round(memory.total, 3),
        "battery": battery.percent,
        "pages": [counters.get(name, 0) for name in COUNTERS],
        "devices": found,
    }


def _device(sysfs: Sysfs, device: Zram, ages: bool) -> dict[str, object]:
    """One device: bytes, and pages by age; empty if it is not set up or has gone."""
    try:
        if not device.read_disksize():
            return {}
        mm = device.read_mm_stat()
        found: dict[str, object] = {
            "memory": [mm.orig_data_size, mm.compr_data_size, mm.mem_used_total, mm.huge_pages]
        }
        backing = device.read_backing_dev() if device.has("backing_dev") else None
        if backing is not None:
            bd = device.read_bd_stat()
            found["flash"] = [bd.bd_count_bytes, bd.bd_reads_bytes, bd.bd_writes_bytes]
            found["medium"] = medium_of(sysfs, backing).kind
    except DeviceNotFoundError:
        return {}
    if ages:
        # There is no debugfs here, or this is not root: the rest is worth having.
        with contextlib.suppress(ZramError):
            found["ages"] = list(summary(device).ages)
    return found


def _is_recording(end: bytes) -> bool:
    """Whether the end of a file is that of a recording; an empty file is a new one.

    A power cut can leave part of a line, even of the first one.
    """
    *whole, rest = end.split(b"\n")
    for line in reversed(whole):
        if not _is_torn(line):
            return _is_row(line)
    return not end or bool(whole) or _is_torn(rest) or _is_row(rest)


def _is_row(line: bytes) -> bool:
    found = _parsed(line)
    return isinstance(found, dict) and "v" in found and "pages" in found


def _is_torn(line: bytes) -> bool:
    """Whether it is only the beginning of a row."""
    begun = line[: len(HEAD)] == HEAD[: len(line)] != b""
    return begun and _parsed(line) is None


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def append(path: str, *lines: dict[str, object]) -> None:
    """Append lines to a file, all or none; without lines, only create the file if it is missing.

    Raises:
        InvalidValueError: the file contains something other than a recording.
        ZramOSError: as :func:`pyzram.named_files.open_named`; ENOSPC, EDQUOT or EFBIG if
            the lines do not fit, in which case those that did are taken out again.
    """
    data = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()
    step = "add a line"
    with open_named(path, step, os.O_RDWR | os.O_APPEND) as fd:
        try:
            size = os.fstat(fd).st_size
            end = os.pread(fd, LONGEST, max(0, size - LONGEST))
            if not _is_recording(end):
                raise InvalidValueError(
                    f"{path}: no recording: its last line is something else; give another file"
                )
            if data:
                # What a power cut left of a line stays a separate line.
                _add(fd, size, b"\n" + data if end and not end.endswith(b"\n") else data)
        except OSError as err:
            raise from_errno(err.errno or 0, f"{path}: {step}", path) from err


def _add(fd: int, size: int, data: bytes) -> None:
    """Write at the end, which was at ``size``; all or nothing."""
    try:
        write_all(fd, data)
    except OSError:
        ours = os.pread(fd, len(data) + 1, size)
        if data.startswith(ours):  # nobody else has added a line meanwhile
            os.ftruncate(fd, size)
        raise
