# SPDX-License-Identifier: MIT
"""Observes the machine, asks the policy, and does what it says, one step at a time."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ..errors import DeviceBusyError, DeviceNotFoundError, ZramError
from .actions import Action, Recompress, Worker, WriteBack
from .common import Common
from .handover import Handover, drop_ages, load, load_ages, save, save_ages
from .ledger import Ledger
from .machine import read_battery
from .medium import Medium
from .modes import why_held
from .observation import DeviceObserved, Observation
from .observer import Observer
from .policy import DEFAULTS, Decision, decide
from .recompressing import Recompressing
from .roster import Roster
from .sleeps import Sleeps
from .state import State
from .tended import Tended
from .writing import Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..kernel.sysfs import Sysfs


class Report(NamedTuple):
    """One round, for the log and for ``--status``."""

    seen: Observation
    decision: Decision
    written: int
    """Bytes written to media."""
    freed: int
    """Bytes of memory freed, as far as devices report it."""
    total: Mapping[str, int] = MappingProxyType({})
    """Bytes written since the tender was made, by the keys of devices."""

    @property
    def is_round(self) -> bool:
        """Whether it was time to act, whatever was done; otherwise it was only a look."""
        return self.decision.state.round == self.seen.now


class Tender:
    """Tends the devices whose numbers ``devices`` returns; it is called again at each look.

    Synchronization: one thread.
    """

    def __init__(
        self,
        sysfs: Sysfs,
        devices: Callable[[], Sequence[int]],
        worker: Worker,
        ledger: Ledger,
        sleeps: Sleeps,
        *,
        handover: str = "",
        at_once: bool = False,
        warn: Callable[[str], object] = print,
    ) -> None:
        self._sysfs = sysfs
        self.ledger = ledger
        self.sleeps = sleeps
        self.clocks = sleeps.clocks
        self.settings = self._decided_by = DEFAULTS
        self._on_mains = False
        self.budget: int | None = None
        """Bytes in any 24 hours; ``None`` leaves it to the medium."""
        self.warn = warn
        self.state = State()
        self.total: dict[str, int] = {}
        """:attr:`Report.total`"""
        self.stopping: Callable[[], bool] = lambda: False
        self.roster = Roster(sysfs, devices)
        started = -math.inf if at_once else self.clocks.awake()
        common = Common(sysfs, self.clocks, self.sleeps, self.roster, ledger, self._budget)
        self.observer = Observer(common, started, warn)
        self.writing = Writing(common, worker, self.interrupted)
        self.recompressing = Recompressing(common, worker, self.interrupted)
        self._restore_limit = worker.restore_limit
        self._handover = handover
        found = handover and load(handover, ledger.clock.boot, self.clocks.awake())
        self.remembers = bool(found)
        """Whether an earlier process has left something; else it begins anew."""
        self._take_over(found or Handover())
        if at_once:
            self.state = self.state._replace(round=-math.inf)

    def _budget(self, medium: Medium) -> int:
        budget = medium.budget if self.budget is None else self.budget
        return int(budget * self.ledger.share)

    def forget(self) -> None:
        """Begin anew."""
        self.remembers = False
        self._take_over(Handover())

    def _take_over(self, handover: Handover) -> None:
        self.state, self.observer.counts = handover.state, handover.counts
        self.observer.waited = handover.state.waited
        self.roster.before = dict(handover.devices)
        self._ages_left = set(handover.devices)

    def _hand_over(self) -> None:
        if self._handover:
            devices = dict(self.roster.before)
            devices |= {key: one.unfinished() for key, one in self.roster.known.items()}
            # Only what is gone is forgotten, as by the policy.
            devices = {
                one.key: devices[one.key] for one in self.state.devices if one.key in devices
            }
            left = Handover(self.state, self.observer.counts, devices)
            save(self._handover, self.ledger.clock.boot, left)
            ages = {key: one.ages for key, one in self.roster.known.items()}
            save_ages(self._handover, ages, devices)

    def _drop_ages(self, one: Tended) -> None:
        if self._handover:
            drop_ages(self._handover, one.key)
            one.ages.changed = True

    def interrupted(self) -> bool:
        """Whether what goes on has to end.

        On request, because other settings apply by now, because the machine has just slept, or
        because its battery discharges and did not when it was decided what to do, or is low by now.
        """
        self.sleeps.notice()
        if self.stopping() or self.settings != self._decided_by:
            return True
        battery = read_battery(self._sysfs)
        seen = Observation(
            self.clocks.awake(), 0, 0, battery=battery.percent, battery_error=battery.error,
            resumed=self.sleeps.resumed,
        )  # fmt: skip
        unplugged = battery.percent is not None and self._on_mains
        return unplugged or bool(why_held(seen, self.state)[0])

    def close(self) -> None:
        """Close the handles of devices."""
        self.roster.close()

    def decide(self, trigger: str = "") -> tuple[Observation, Decision]:
        """Observe and ask the policy, but do nothing and remember nothing."""
        seen = self.observer.look(trigger)
        for key in self._ages_left & self.roster.known.keys():
            load_ages(self._handover, key, self.roster.known[key].ages)
        self._ages_left -= self.roster.known.keys()
        self._decided_by, self._on_mains = self.settings, seen.battery is None
        return seen, decide(seen, self.state, self.settings)

    def round(self, trigger: str = "") -> Report:
        """Observe, ask the policy, do what it says, and leave to the next process what it may need.

        A process that is killed before the end has left what it knew before.
        """
        # A limit that a killed process has left would be taken for the administrator's.
        self.observer.restore = self._restore_limit
        seen, decision = self.decide(trigger)
        self.state = decision.state
        by_name = {one.device.name: one for one in self.roster.known.values()}
        spent: dict[str, int] = {}
        writes = {act.device for act in decision.actions if isinstance(act, WriteBack)}
        for action in decision.actions:
            one = by_name.get(action.device)
            if one is not None and not one.failed and not self.interrupted():
                self._act(one, action, spent, action.device in writes)
        acted = {action.device for action in decision.actions}
        freed = sum(
            self._freed(device, by_name[device.name])
            for device in seen.devices
            if device.name in acted
        )
        for name, size in spent.items():
            key = by_name[name].key
            self.total[key] = self.total.get(key, 0) + size
        self._hand_over()
        return Report(seen, decision, sum(spent.values()), freed, dict(self.total))

    def _act(self, one: Tended, action: Action, spent: dict[str, int], writes: bool) -> None:
        """Do one thing to a device; if that fails, the device is left alone for a while.

        ``writes`` means that this round also writes back.
        """
        try:
            if isinstance(action, WriteBack):
                self.writing.write_back(one, action, spent)
            elif isinstance(action, Recompress):
                self._drop_ages(one)
                self.recompressing.recompress(one, action, writes)
            else:
                self._compact(one)
        except DeviceNotFoundError:
            pass  # it has gone meanwhile
        except DeviceBusyError:
            pass  # somebody else writes or recompresses
        except ZramError as err:
            if self._is_set_up(one):
                one.failed = True
                self.warn(str(err))

    def _freed(self, before: DeviceObserved, one: Tended) -> int:
        """Bytes of memory that a device has freed since it was observed; 0 if they are unknown."""
        try:
            used = self._used(one)
        except DeviceNotFoundError:
            used = 0
        return 0 if used is None else before.mem_used_total - used

    def _is_set_up(self, one: Tended) -> bool:
        """Whether it is there and was not reset, which would be why something failed."""
        try:
            return bool(one.device.read_disksize())
        except DeviceNotFoundError:
            return False
        except ZramError:
            return True

    def _used(self, one: Tended) -> int | None:
        """Memory in use; ``None``, with a warning, if that cannot be read."""
        try:
            return one.device.read_mm_stat().mem_used_total
        except DeviceNotFoundError:
            raise
        except ZramError as err:
            self.warn(str(err))
            return None

    def _compact(self, one: Tended) -> None:
        before = self._used(one)
        one.device.compact()
        after = self._used(one)
        if before is not None and after is not None:
            one.compacted = (before - after) / before if before else 0.0
