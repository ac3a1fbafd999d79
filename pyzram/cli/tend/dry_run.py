# SPDX-License-Identifier: MIT
"""``pyzram tend --dry-run``: what a round would do now, to how many pages, and why."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, NamedTuple

from ...device.block_state import SLOT_FLAGS, slots_within
from ...errors import ZramError
from ...limits import PAGE_SIZE
from ...tend.actions import Recompress, WriteBack
from ...tend.state import HELD
from ...tend.tender import Report
from ...tend.times import at_least
from ...tend_status import read_status
from ...text import quote
from ...units import format_count, format_size
from .reclaim import ReclaimPlan
from .report import describe, report_dict, seen_lines, warn
from .status import OTHER_VERSION, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...tend.actions import Action
    from ...tend.reclaim import Reclaimer
    from ...tend.tended import Tended
    from ...tend.tender import Tender


TRIED = SLOT_FLAGS["recompressed"] | SLOT_FLAGS["incompressible"]
HUGE = SLOT_FLAGS["huge"]


class Beside(NamedTuple):
    """The daemon that runs beside a dry run."""

    runs: bool | None = False
    """``None`` if that cannot be found out."""
    pid: int | None = None
    remembered: bool = False
    """Whether its memory is known, so that this is what it would do."""
    due: float | None = None
    """Seconds until its next round."""

    def __str__(self) -> str:
        if self.remembered:
            due = "" if self.due is None else f"; its next one is in at most {span(self.due)}"
            return f"the daemon, process {self.pid}, would do this in a round now{due}"
        if self.runs:
            return (
                f"a daemon runs, process {self.pid}, but what it remembers cannot be read: this "
                "is what one that remembers nothing would do"
            )
        if self.runs is None:
            return "whether a daemon runs is not known: this is what --once would do if none does"
        return "no daemon runs: this is what --once would do"


def foretell(tender: Tender, reclaimer: Reclaimer, run: str, as_json: bool) -> None:
    """Print what is seen and what would be done; change nothing.

    If a daemon runs, this is what it would do in a round now, given what it remembers. Otherwise it
    is what ``--once`` would do.
    """
    beside = take_over(tender, run)
    seen, decision = tender.decide()
    report = Report(seen, decision, 0, 0)
    counts = Counting(tender).pages(decision.actions)
    plan = ReclaimPlan(reclaimer, decision.state.mode == HELD) if reclaimer.names else None
    if as_json:
        print(json.dumps(document(report, counts, beside, plan), indent=2))
        return
    lines = seen_lines(seen)
    lines.append(str(beside))
    state = decision.state
    lines.append("; ".join([f"{state.mode}, pressure {state.pressure:.2f}", *decision.reasons]))
    for action, pages in zip(decision.actions, counts, strict=True):
        lines.append(f"would do: {describe(action)}{told(action, pages)}")
    if not decision.actions:
        lines.append("would do nothing")
    print("\n".join([*lines, *(() if plan is None else plan.lines())]))


def document(
    report: Report,
    counts: Sequence[int | None],
    beside: Beside,
    plan: ReclaimPlan | None,
) -> dict[str, object]:
    """The same as plain values."""
    actions = [
        {"action": type(action).__name__, **action._asdict(), "pages": pages}
        for action, pages in zip(report.decision.actions, counts, strict=True)
    ]
    daemon = {"daemon": beside.pid, "next_round": beside.due}
    found = {**report_dict(report), "actions": actions, **daemon}
    return found if plan is None else {**found, "reclaim": plan.as_dict()}


def take_over(tender: Tender, run: str) -> Beside:
    """Remember when a running daemon began, as far as that can be read; or else nothing."""
    try:
        found = read_status(run)
    except (PermissionError, ZramError) as err:
        warn(f"what the daemon remembers cannot be read: {err}")
        return Beside(runs=None)
    if found is None:
        return Beside()
    pid = int(found["pid"])
    try:
        started = float(found["seen"].get("started", -math.inf))
        due = found["next_round"]
        beside = Beside(True, pid, True, None if due is None else float(due))
    except OTHER_VERSION:
        tender.forget()
    if not tender.remembers:
        warn("what the daemon remembers is not of this version of pyzram")
        return Beside(True, pid)
    tender.observer.started = started
    return beside


def told(action: Action, pages: int | None) -> str:
    """How many pages an action is about, for people."""
    if not isinstance(action, WriteBack | Recompress):
        return ""
    if pages is None:
        return " (how many these are is not known without block_state)"
    if not pages:
        return ": there is no such page"
    return f": {format_count(pages, 'page')}, {format_size(pages * PAGE_SIZE)} before compression"


class Counting:
    """Counts the pages that actions would try, if the kernel reports ages."""

    def __init__(self, tender: Tender) -> None:
        self.tender = tender
        self._taken: dict[str, set[int]] = {}
        self._tried: dict[str, int] = {}

    def pages(self, actions: Sequence[Action]) -> list[int | None]:
        """Pages of each action; ``None`` if that is unknown, or the action is not about pages."""
        by_name = {one.device.name: one for one in self.tender.roster.known.values()}
        found: list[int | None] = []
        for action in actions:
            one = by_name[action.device]
            count = None
            try:
                if one.tells_ages and isinstance(action, WriteBack):
                    count = self._written(one, action)
                elif one.tells_ages and isinstance(action, Recompress):
                    count = self._recompressed(one, action)
            except ZramError as err:
                warn(quote(str(err)))
            found.append(count)
        return found

    def _written(self, one: Tended, action: WriteBack) -> int:
        """Those that earlier actions leave over, since they share the limit."""
        slept = self.tender.sleeps.slept
        taken = self._taken.setdefault(action.device, set())
        limit = action.limit // PAGE_SIZE
        ranges = one.ages.candidates(
            one.device,
            self.tender.clocks.boottime(),
            action.floor + slept,
            action.oldest + slept,
            limit + len(taken),
            action.huge,
        )
        more = [
            place
            for first, last in ranges
            for place in range(first, last + 1)
            if place not in taken
        ][: max(0, limit - len(taken))]
        taken.update(more)
        return len(more)

    def _recompressed(self, one: Tended, action: Recompress) -> int:
        boottime = self.tender.clocks.boottime
        age = at_least(action.age + self.tender.sleeps.slept)
        counts = one.ages.remember(one.device, boottime, boottime() - age)
        before = self._tried.get(action.device, 0)
        count = counts.huge if action.huge else counts.untried
        # Pages written before this are older, and no longer there.
        count -= self._written_untried(one, action)
        self._tried[action.device] = max(before, count)
        return max(0, count - before)

    def _written_untried(self, one: Tended, action: Recompress) -> int:
        taken = sorted(self._taken.get(action.device, ()))
        flags = [flags for _, _, flags in slots_within(one.device, ((at, at) for at in taken))]
        return sum(1 for flag in flags if not flag & TRIED and (flag & HUGE or not action.huge))
