# SPDX-License-Identifier: MIT
"""The machine of model.c from Python: compiled once, then driven by a policy."""

from __future__ import annotations

import array
import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple

SOURCE = Path(__file__).with_suffix(".c")
PAGE = 4096
SLICE = 600.0
DAY = 86400.0
IDLE, HUGE_IDLE = 0, 1
NO_LIMIT = 1e18


class Medium(NamedTuple):
    """The speed of a backing device: seconds for a random read, and bytes written a second."""

    read_cost: float
    write_speed: float


MEDIA = {
    "nvme": Medium(90e-6, 1.0e9),
    "sata": Medium(170e-6, 300e6),
    "hdd": Medium(8e-3, 80e6),
    "mmc": Medium(900e-6, 12e6),
}


class _Unit(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in ("stored", "marked")),
        ("heat", ctypes.c_float),
        ("size", ctypes.c_uint32 * 2),
        *((name, ctypes.c_uint8) for name in ("tier", "second", "tried", "huge", "lost")),
    )


class _Cluster(ctypes.Structure):
    _fields_ = (
        ("chance", ctypes.c_uint64),
        *((name, ctypes.c_double) for name in ("interval", "next", "alive", "dead", "turn")),
        ("grow", ctypes.c_double),
        *((name, ctypes.c_uint32) for name in ("first", "count", "born")),
        *((name, ctypes.c_uint8) for name in ("human", "living")),
    )


_SETTINGS = (
    "ram base disksize mem_limit backing file_low file_high file_rate "
    "read_cost write_speed first_cost second_cost end"
)
_FIGURES = (
    "now slept slept_at stall debt some10 some60 some300 full10 io_full10 available used "
    "compressed stored_pages huge_pages second_pages flash_pages reads writes swapins busy cpu "
    "missed resident"
)


SCHEDULES = ("activity", "charge", "suspend_at", "suspend_for", "extra")


class _Machine(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_double) for name in _SETTINGS.split()),
        *((name, ctypes.c_uint32) for name in ["units", "clusters", "pages", "slices", "suspends"]),
        *((name, ctypes.c_double) for name in _FIGURES.split()),
        ("suspend", ctypes.c_uint32),
        ("unit", ctypes.POINTER(_Unit)),
        ("cluster", ctypes.POINTER(_Cluster)),
        ("last", ctypes.POINTER(ctypes.c_double)),
        *((name, ctypes.c_void_p) for name in SCHEDULES),
    )


def _native() -> list[str]:
    """The option for this very processor; compilers for RISC-V and POWER refuse it."""
    option = "-march=native"
    asked = subprocess.run(["cc", option, "-E", "-xc", os.devnull], capture_output=True)
    return [] if asked.returncode else [option]


@functools.cache
def library() -> ctypes.CDLL:
    """Compile model.c, once for each version of its text, and load it."""
    digest = hashlib.sha256(SOURCE.read_bytes() + b"2").hexdigest()[:16]
    folder = Path(tempfile.gettempdir(), f"pyzram-model-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()  # what is in there gets run
    if not S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise SystemExit(f"{folder}: not ours alone, remove it")
    path = folder / f"{digest}.so"
    if not path.exists():
        part = folder / f"{digest}.{os.getpid()}"
        # Linked separately, because -ffast-math there would disable subnormal numbers process-wide.
        fast = ["-O3", "-ffast-math", "-std=c11", "-D_GNU_SOURCE", "-fPIC"]
        subprocess.run(["cc", *_native(), *fast, "-c", "-o", f"{part}.o", str(SOURCE)], check=True)
        subprocess.run(["cc", "-shared", "-o", str(part), f"{part}.o", "-lm"], check=True)
        os.unlink(f"{part}.o")
        part.rename(path)
    loaded = ctypes.CDLL(str(path))
    for place, kind in enumerate((_Unit, _Cluster, _Machine)):
        assert loaded.machine_sizes(place) == ctypes.sizeof(kind), f"model.c: {kind.__name__}"
    for name in ("machine_writeback", "machine_recompress", "machine_old"):
        getattr(loaded, name).restype = ctypes.c_double
    return loaded


class Machine:
    """One run of one trace. Times in seconds awake since the start, sizes in bytes."""

    def __init__(self, trace, days: float) -> None:
        self._c = library()
        self.trace = trace
        clusters, units = trace.clusters, trace.units
        self._clusters = (_Cluster * len(clusters))()
        self._units = (_Unit * len(units))()
        for target, cluster in zip(self._clusters, clusters, strict=True):
            for name, value in cluster.items():
                setattr(target, name, value)
        for target, (heat, first, second) in zip(self._units, units, strict=True):
            target.heat = heat
            target.size[0], target.size[1] = first, second
        self._last = (ctypes.c_double * len(units))()
        self._schedules = [
            array.array("d", values or [0.0])
            for values in (
                trace.activity,
                trace.charge,
                trace.suspend_at,
                trace.suspend_for,
                trace.extra or [0.0] * len(trace.activity),
            )
        ]
        medium = MEDIA[trace.medium]
        self.m = _Machine(
            ram=trace.ram,
            base=trace.base,
            disksize=trace.disksize,
            mem_limit=trace.mem_limit,
            backing=trace.backing,
            file_low=trace.files[0],
            file_high=trace.files[1],
            file_rate=trace.file_rate,
            read_cost=medium.read_cost,
            write_speed=medium.write_speed,
            first_cost=5e-6,
            second_cost=14e-6,
            end=days * DAY,
            units=len(units),
            clusters=len(clusters),
            pages=trace.pages,
            slices=len(trace.activity),
            suspends=len(trace.suspend_at),
            unit=self._units,
            cluster=self._clusters,
            last=self._last,
        )
        for name, values in zip(SCHEDULES, self._schedules, strict=True):
            setattr(self.m, name, values.buffer_info()[0])
        self._at = ctypes.byref(self.m)
        self._c.machine_prepare(self._at)
        self.log: list[tuple[float, float]] = []
        """How many bytes were written at which time, by the clock that counts sleep."""
        self.ledger: list[tuple[float, float]] = []
        """The same, plus what was charged in vain when a policy was killed."""
        self.trigger = ""

    @property
    def boottime(self) -> float:
        """The clock that counts sleep."""
        return self.m.now + self.m.slept

    def run(self, until: float, trigger: float = 2.0) -> int:
        """Run until then, or to a step with that share of stall (1), or to a resume (2)."""
        why = self._c.machine_run(self._at, ctypes.c_double(until), ctypes.c_double(trigger))
        self.trigger = "some" if why == 1 else ""
        return why

    def mark(self) -> None:
        """Mark all slots idle."""
        self._c.machine_mark(self._at)

    def write_back(
        self, floor: float, limit: float = NO_LIMIT, *, huge: bool = False, keeps: bool = False
    ) -> float:
        """Write back what is at least ``age`` old, up to a limit; return the bytes written."""
        written = PAGE * self._c.machine_writeback(
            self._at, int(huge), ctypes.c_double(floor), int(keeps), ctypes.c_double(limit / PAGE)
        )
        if written:
            self.log.append((self.boottime, written))
            self.charge_for(written)
        return written

    def charge_for(self, size: float) -> None:
        """Charge the ledger."""
        self.ledger.append((self.boottime, size))

    def recompress(
        self,
        floor: float,
        threshold: int = 1024,
        limit: float = NO_LIMIT,
        *,
        huge: bool = False,
        keeps: bool = False,
    ) -> float:
        """Recompress what is at least ``age`` old; return the bytes of memory freed.

        Kernels also reject results that are not below the threshold; this does not, which favours
        the peers, whose threshold is 1024.
        """
        before = self.m.used
        self._c.machine_recompress(
            self._at,
            int(huge),
            ctypes.c_double(floor),
            int(keeps),
            ctypes.c_double(threshold),
            ctypes.c_double(limit),
        )
        return before - self.m.used

    def scheduled(self, values: array.array) -> float:
        """The value of a schedule now."""
        at = int(self.m.now / SLICE)
        return values[at if at < len(values) else -1]

    @property
    def charge(self) -> float:
        """The battery's charge in percent; negative while it charges, or without one."""
        return self.scheduled(self._schedules[1])
