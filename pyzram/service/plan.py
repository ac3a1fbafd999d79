# SPDX-License-Identifier: MIT
"""What it takes to reach a goal: steps, warnings, and why it cannot be reached.

It is a value, and as a string the text that ``pyzram plan`` prints. The words of each step come
from :mod:`pyzram.service.planner`, which makes plans; :mod:`pyzram.service.executor` carries them
out.
"""

from __future__ import annotations

from ..errors import InvalidValueError
from ..units import format_count
from ..value import Value
from .registered import settings_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from ..config.config import Config
    from .diff import Difference


class Step(Value):
    """One thing to do, for one device of the file."""

    _fields = ("action", "index", "text")
    __slots__ = (*_fields, "_args")

    action: str
    """The kind of step, which is a key of the tables of actions."""
    index: int
    """The number of the device in the file; -1 for the machine."""
    text: str
    """What is done, in words."""
    # What the action needs to know. It is not shown, so steps that read alike are equal.
    _args: dict[str, Any]

    def __init__(self, action: str, index: int, text: str, **args: Any) -> None:
        self._set(action, index, text)
        self._keep("_args", args)

    def __str__(self) -> str:
        return self.text if self.index < 0 else f"device {self.index}: {self.text}"

    def _more(self) -> dict[str, Any]:
        return self._args

    def _is_like(self, other: Step) -> bool:
        """Whether it does the same; the number of pages that a swapoff moves may differ."""
        return (self.action, self.index, self._args) == (other.action, other.index, other._args)


class LeftOut(Value):
    """A device of the file that cannot be set up, while others can."""

    _fields = ("index", "why")
    __slots__ = _fields

    index: int
    """Which device of the file."""
    why: str
    """The reason, which names the device."""

    def __init__(self, index: int, why: str) -> None:
        self._set(index, why)

    def __str__(self) -> str:
        return self.why


class Plan:
    """Steps in order, and what to say about them; ``str()`` gives all of it in lines.

    A plan cannot be changed. The :class:`Service` that made it applies it, so it stays in that
    process: pass :meth:`as_dict` to others.
    """

    __slots__ = (
        *("_carry_out", "_changes", "_config", "_left_out"),
        *("_refusals", "_steps", "_warnings"),
    )

    def __init__(self) -> None:
        self._config: Config | None = None
        self._steps: list[Step] = []
        self._changes: list[Difference] = []
        self._warnings: list[str] = []
        self._refusals: list[str] = []
        self._left_out: list[LeftOut] = []
        self._carry_out: Callable[[], None] | None = None

    @property
    def config(self) -> Config | None:
        """The configuration that it is for; ``None`` for a stop without one."""
        return self._config

    @property
    def steps(self) -> tuple[Step, ...]:
        """What to do, in order; empty if there is nothing to do."""
        return tuple(self._steps)

    @property
    def changes(self) -> tuple[Difference, ...]:
        """How the running devices differ from the file."""
        return tuple(self._changes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong but prevents nothing."""
        return tuple(self._warnings)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why none of this can be done; empty if it can."""
        return tuple(self._refusals)

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """Devices of the file that will not be set up; the others will."""
        return tuple(self._left_out)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            "a plan cannot be copied or pickled, since its service applies it: pass as_dict(), "
            "or make one with plan() there"
        )

    def __str__(self) -> str:
        return "\n".join([*(f"warning: {warning}" for warning in self.warnings), *self._lines()])

    def __repr__(self) -> str:
        counts = [format_count(len(self.steps), "step")]
        counts += [format_count(len(self.changes), "change")] if self.changes else []
        counts += [format_count(len(self.warnings), "warning")] if self.warnings else []
        counts += [format_count(len(self.refusals), "refusal")] if self.refusals else []
        counts += [f"{len(self.left_out)} left out"] if self.left_out else []
        return f"<Plan {', '.join(counts)}>"

    def _lines(self) -> list[str]:
        """All except the warnings, which are printed separately."""
        lines = [f"{change} ({change._needs()})" for change in self.changes]
        lines += [f"{number:3}. {step}" for number, step in enumerate(self.steps, 1)]
        lines += [f"left out: {device}" for device in self.left_out]
        lines += [f"refused: {refusal}" for refusal in self.refusals]
        hindered = self.refusals or self.left_out
        return lines if self.steps or hindered else [*lines, "nothing to do"]

    def apply(self) -> None:
        """Do exactly these steps, once.

        Raises:
            RefusedError: it cannot be done, or the machine or the file has changed since the plan
                was made; nothing was done.
            StepError: a device failed; what this run did to it is undone.
            InvalidValueError: it cannot be applied, because :meth:`pyzram.Service.plan` did not
                make it, or because it was applied already.
        """
        carry_out, self._carry_out = self._carry_out, None
        if carry_out is None:
            raise InvalidValueError("this plan cannot be applied (again): make one with plan()")
        carry_out()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; they cannot be turned into a plan again."""
        return {
            "steps": [step.as_dict() for step in self.steps],
            "devices": self._devices(),
            "changes": [change.as_dict() for change in self.changes],
            "warnings": list(self.warnings),
            "refusals": list(self.refusals),
            "left_out": [device.as_dict() for device in self.left_out],
        }

    def _devices(self) -> list[dict[str, Any]]:
        """Return the settings of each device, with file and line of each value that was set."""
        config = self.config
        if config is None:
            return []
        return [
            {
                "index": desired.index,
                "settings": {
                    **settings_text(desired),
                    "disksize": desired.disksize,
                    "mem_limit": desired.mem_limit,
                },
                "sources": {
                    name: place
                    for name, place in config.sources.items()
                    if name.rpartition("_")[2] == str(desired.index)
                },
            }
            for desired in config.devices
        ]
