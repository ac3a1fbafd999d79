# SPDX-License-Identifier: MIT
"""``zram_stats --prometheus``, ``--openmetrics`` and ``--textfile``: every figure as a metric."""

from __future__ import annotations

from ...errors import ZramError
from ...kernel import figures
from ...kernel.figures import GAUGE, INFO
from ...limits import BD_UNIT, PAGE_SIZE, SECTOR_SIZE
from .. import metrics, stats_columns
from ..metrics import Family, labels
from ..zram_stats import Collection, check, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...kernel.figure_reader import DeviceFigures
    from ..options import Arguments

COLLECTOR = "zram_stats"
# From each of the kernel's units to its base unit and the factor between them.
BASE_UNITS = {
    figures.BYTES: ("bytes", 1),
    figures.BD_UNITS: ("bytes", BD_UNIT),
    figures.SECTORS: ("bytes", SECTOR_SIZE),
    figures.MILLISECONDS: ("seconds", 0.001),
}
NUMBERS = tuple(f for f in figures.FIGURES if f.metric and f.kind != INFO)
WORDS = {f.name: f for f in figures.FIGURES if f.metric and f.kind == INFO}


def show_metrics(options: Arguments) -> int:
    """Print or write the metrics; return the exit status.

    The textfile is written whatever can be read, and says whether it is complete: it must not go
    stale, and must not keep a device that is gone.

    Raises:
        UsageError: the options contradict each other.
        ZramError: the textfile cannot be written; without one, /sys cannot be read.
    """
    check(options)
    collection = Collection(options.operands)
    devices: list[DeviceFigures] = []
    try:
        # Read everything before showing anything, so that a device that vanishes has no samples
        # rather than half of them.
        devices = [values for values, _ in collection.read(stats_columns.COLUMNS)]
    except ZramError as err:
        if options.textfile is None:
            raise
        collection.fail(str(err))
    finally:
        collection.reader.close()
    page = Family("zram_page_size", GAUGE, "size of a page, in which the kernel counts", "bytes")
    page.add(PAGE_SIZE)
    all_of_it = [*families(devices), page, *metrics.scrape(COLLECTOR, collection.status == 0)]
    if options.textfile is not None:
        from ...named_files import write_textfile

        write_textfile(options.textfile, metrics.text_format(all_of_it))
        return 0
    text = metrics.openmetrics if options.openmetrics else metrics.text_format
    write(text(all_of_it))
    return collection.status


def families(devices: Sequence[DeviceFigures]) -> list[Family]:
    """All figures of devices, in bytes and seconds; a missing one has no sample."""
    found = []
    of = [labels(device=device["name"]) for device in devices]
    for figure in NUMBERS:
        unit, scale = BASE_UNITS.get(figure.unit, ("", 1))
        family = Family(f"zram_{figure.metric}", figure.kind, figure.help, unit)
        for device, label in zip(devices, of, strict=True):
            value = figure.of(device)
            if value is not None:
                # Divide, because 0.001 is not a binary fraction and 3 * 0.001 shows it.
                family.add(value / 1000 if unit == "seconds" else value * scale, label)
        found.append(family)
    return [*found, *_words(devices)]


def _words(devices: Sequence[DeviceFigures]) -> list[Family]:
    """Figures that are words: each has the value 1 and its words in labels."""
    algorithm = Family(
        "zram_comp_algorithm",
        INFO,
        WORDS["comp_algorithm"].help + ", above priority 0 recompresses",
    )
    backing, mount = (
        Family(f"zram_{WORDS[name].metric}", INFO, WORDS[name].help)
        for name in ("backing_dev", "mount_point")
    )
    for device in devices:
        name = device["name"]
        chosen = {0: device["comp_algorithm"], **(device["recomp_algorithm"] or {})}
        for priority, word in chosen.items():
            if word is not None:
                algorithm.add(1, labels(device=name, priority=str(priority), algorithm=word))
        if device["backing_dev"] not in (None, "none"):
            backing.add(1, labels(device=name, path=device["backing_dev"]))
        # Two names that differ only in invalid UTF-8 look alike, and a series may appear only once.
        for label in {labels(device=name, mount_point=x): 0 for x in device["mount_points"]}:
            mount.add(1, label)
    return [algorithm, backing, mount]
