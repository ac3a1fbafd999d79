# SPDX-License-Identifier: MIT
"""The page of one device: every figure, the size classes of its pool, the ages of its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...device import block_state
from ...device.zram import Zram
from ...errors import ZramError
from ...limits import PAGE_SIZE
from ...text import quote
from ...units import format_seconds, format_size
from .. import stats_columns
from ..bars import bar
from .parts import LABEL, about, bars, cut, histories, labelled, letters, tend_reasons

if TYPE_CHECKING:
    from ...device.block_state import BlockState
    from ...device.pool_classes import PoolClass
    from ...kernel.sysfs import Sysfs
    from .look import Device, Look
    from .parts import Line, Span

FIGURE = 30  # columns of a figure and its value


class Inside(NamedTuple):
    """What debugfs reports about a device, or why it does not."""

    classes: tuple[PoolClass, ...] | str = ""
    ages: BlockState | str = ""


def look_inside(sysfs: Sysfs, name: str) -> Inside:
    """Read the size classes and the ages; takes longer the more is stored."""
    try:
        device = Zram(name, sysfs=sysfs)
    except ZramError as err:
        return Inside(str(err), str(err))
    with device:
        classes: tuple[PoolClass, ...] | str
        ages: BlockState | str
        try:
            classes = device.read_pool_classes()
        except ZramError as err:
            classes = str(err)
        try:
            ages = block_state.summary(device)
        except ZramError as err:
            ages = str(err)
    return Inside(classes, ages)


def page(device: Device, inside: Inside | None, look: Look, width: int) -> list[Line]:
    """All lines of the page."""
    lines: list[Line] = [((cut(about(device), width), "label"),)]
    for reason in tend_reasons(look.tend):
        if reason.startswith(f"{device.name}:"):
            lines.append(labelled("tend", (cut(reason, width - LABEL), "")))
    lines += [(), *bars(device, look.total, width)]
    lines += [(), *histories(device, width, 12, 3), ()]
    lines += figures(device, width)
    lines += [(), (("Size classes of the pool", "head"),), *classes(inside, width)]
    lines += [(), (("Pages by time since last use", "head"),), *ages(inside, width)]
    return lines


def figures(device: Device, width: int) -> list[Line]:
    """Every figure by the kernel's name, in as many columns as fit."""
    found: list[tuple[str, str]] = []
    for column in stats_columns.COLUMNS[1:]:
        value = column.of(device.known)
        if value is not None and column.name not in ("num_reads", "num_writes", "zero_pages"):
            found.append((column.name, stats_columns.cell(column, value, False)))
    count = max(1, (width + 2) // (FIGURE + 2))
    height = -(-len(found) // count)
    lines: list[Line] = []
    for at in range(height):
        spans: list[Span] = []
        for name, value in found[at::height]:
            room = FIGURE - len(name) - 1
            spans += [(name, "label"), (f" {cut(value, room):>{room}}", ""), ("  ", "")]
        lines.append(tuple(spans))
    return lines


def classes(inside: Inside | None, width: int) -> list[Line]:
    """Where the pool's memory is: the classes that use any, the largest share first."""
    known = "being read" if inside is None else inside.classes
    if isinstance(known, str):
        return _why(known, width)
    found = [entry for entry in known if entry.pages_used]
    if not found:
        return [(("nothing is stored", "label"),)]
    pages = sum(entry.pages_used for entry in found)
    lines: list[Line] = [(("  SIZE    USED  MEMORY", "label"), ("  of the pool", "label"))]
    for entry in sorted(found, key=lambda entry: -entry.pages_used):
        memory = entry.pages_used * PAGE_SIZE
        held = entry.obj_allocated
        used = entry.obj_used / held if held else 0.0
        words = f"{entry.size:>6} {used:>6.0%} {format_size(memory):>7}  "
        full, rest = bar(entry.pages_used / pages, max(width - len(words) - 6, 4), letters()[1])
        share = f" {entry.pages_used / pages:>4.0%}"
        lines.append(((words, ""), (full, "full"), (rest, "rest"), (share, "")))
    return lines


def ages(inside: Inside | None, width: int) -> list[Line]:
    """How many stored pages were unused for how long."""
    state = "being read" if inside is None else inside.ages
    if isinstance(state, str):
        return _why(state, width)
    if not state.slots:
        return [(("nothing is stored", "label"),)]
    lines: list[Line] = []
    known = [at for at, count in enumerate(state.ages) if count]
    for at in range(known[0], known[-1] + 1) if known else ():
        count = state.ages[at]
        words = f"{_span_of(at):>20} {count:>9}  "
        full, rest = bar(count / state.slots, max(width - len(words) - 6, 4), letters()[1])
        lines.append(
            ((words, ""), (full, "full"), (rest, "rest"), (f" {count / state.slots:>4.0%}", ""))
        )
    flags = ", ".join(f"{name} {count}" for name, count in state.flags.items() if count)
    lines.append(labelled("flags", (flags or "none", "")))
    return lines


def _span_of(bucket: int) -> str:
    """A bucket of :attr:`BlockState.ages` in words: each is twice as long as the one before."""
    if bucket == 0:
        return "less than 1 s"
    return f"{format_seconds(1 << (bucket - 1))} to {format_seconds(1 << bucket)}"


def _why(reason: str, width: int) -> list[Line]:
    """Why there is nothing, in as many lines as needed."""
    import textwrap

    return [((line, "label"),) for line in textwrap.wrap(quote(reason), width)]
