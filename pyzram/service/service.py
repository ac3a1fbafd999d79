# SPDX-License-Identifier: MIT
"""Start, stop and reload the devices of one configuration.

:mod:`pyzram.service.planner` decides what to do, and :mod:`pyzram.service.executor` does it.
"""

from __future__ import annotations

import os
from errno import ENOSYS

from ..config.config import Config, ConfigError
from ..config.layers import DEFAULT_PATH
from ..config.parser import read_config
from ..errors import ZramError, ZramOSError, reduced
from ..kernel.sysfs import as_sysfs
from ..limits import total_memory
from ..own_files import DEFAULT_DIRECTORY
from ..value import check_callable, check_path, check_word, documented
from . import planner
from .observe import observe
from .plan import Plan
from .registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Literal, NoReturn, TypeAlias

    from ..kernel.sysfs import Sysfs
    from .observed import ObservedSystem
    from .obstacles import Obstacle

    Goal: TypeAlias = Literal["start", "stop", "reload"]

GOALS: tuple[Goal, ...] = ("start", "stop", "reload")


@documented
class RefusedError(ZramError, RuntimeError):
    """The plan was refused and nothing was done; the message has a line for each reason."""

    def __init__(self, refusals: Iterable[str]) -> None:
        self.refusals: tuple[str, ...] = tuple(refusals)
        """Every reason, one line each, which names the device."""
        super().__init__("\n".join(self.refusals))

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.refusals)


@documented
class Service:
    """The devices of one configuration file.

    ``tell`` is called with a line for each device that was set up or taken down, ``warn`` with
    warnings.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = DEFAULT_PATH,
        *,
        sysfs: Sysfs | None = None,
        directory: str | os.PathLike[str] = DEFAULT_DIRECTORY,
        tell: Callable[[str], None] = lambda line: None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._path: str = check_path("path", path)
        run = check_path("directory", directory)
        for name, called in (("tell", tell), ("warn", warn)):
            check_callable(name, called, "not a function that takes a line")
        self._sysfs = as_sysfs(sysfs)
        self._registry: Registry = Registry(self.path, directory=run, sysfs=self.sysfs)
        self._tell = tell
        self._warn = warn

    @property
    def path(self) -> str:
        """The configuration file."""
        return self._path

    @property
    def sysfs(self) -> Sysfs:
        """Where the kernel's files are."""
        return self._sysfs

    def __repr__(self) -> str:
        return f"<Service {self.path}>"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            f"{self!r} cannot be copied or pickled: pass {self.path!r} and make one there"
        )

    # ---- goals ---------------------------------------------------------------------------------

    def read_config(self) -> Config:
        """Read the file.

        Raises:
            ConfigError: it has mistakes, all of which the error lists.
        """
        return read_config(self.path, ram=total_memory())

    def plan(self, goal: Goal) -> Plan:
        """Return what ``start``, ``stop`` or ``reload`` would do now; this changes nothing.

        The plan's :meth:`Plan.apply` does exactly that, or refuses.

        Raises:
            InvalidValueError: ``goal`` is none of these.
            ConfigError: the file is wrong.
        """
        check_word("goal", goal, GOALS)
        config = self._config_for(goal)
        self._registry.load()
        plan = _make_plan(goal, config, observe(self._registry, config))
        seen = self._seen(config)
        plan._carry_out = lambda: self._apply(plan, goal, seen)
        return plan

    def start(self) -> Plan:
        """Set up what is missing.

        Raises:
            ConfigError: the file is wrong.
            RefusedError: it cannot be done, so nothing was.
            StepError: a device failed, and what this run did to it is undone; the others are set
                up all the same, unless the file says ALL_OR_NOTHING.
        """
        return self._reach("start")

    def stop(self) -> Plan:
        """Take down our devices, after checking that memory can take their pages back.

        Raises:
            RefusedError: memory cannot take them.
            StepError: a step failed; what could not be taken down stays recorded.
        """
        return self._reach("stop")

    def reload(self) -> Plan:
        """Make the running devices what the file says, and never be without swap.

        Raises:
            As :meth:`start`.
        """
        return self._reach("reload")

    def obstacles(self) -> list[Obstacle]:
        """Return what this machine lacks for the file; this changes nothing.

        Raises:
            ConfigError: the file is wrong.
        """
        from .obstacles import find_obstacles

        return find_obstacles(self.read_config(), self._registry)

    def _observed(self) -> tuple[Config | None, ObservedSystem]:
        """Return the file, if it can be read, and the machine."""
        self._registry.load()
        config = self._config_for("stop")
        return config, observe(self._registry, config)

    def _config_for(self, goal: str) -> Config | None:
        try:
            return self.read_config()
        except (ConfigError, ZramOSError) as err:
            if isinstance(err, ConfigError):
                for line in err.warnings:
                    self._warn(line)
            # A broken or missing file must not prevent a stop; but nothing is known without /proc.
            if goal != "stop" or (isinstance(err, OSError) and err.errno == ENOSYS):
                raise
            for line in str(err).split("\n"):
                self._warn(line)
            return None

    def _reach(self, goal: Goal) -> Plan:
        config = self._config_for(goal)
        with self._registry:
            plan = _make_plan(goal, config, observe(self._registry, config))
            self._carry_out(plan, goal, config)
        return plan

    def _apply(self, plan: Plan, goal: Goal, seen: object) -> None:
        config = self._config_for(goal)
        with self._registry:
            now = _make_plan(goal, config, observe(self._registry, config))
            same = len(now.steps) == len(plan.steps) and all(
                new._is_like(old) for new, old in zip(now.steps, plan.steps, strict=True)
            )
            if not same or self._seen(config) != seen:
                why = "the file or the machine has changed since the plan was made: make a new one"
                raise RefusedError([f"{self.path}: {why}"])
            self._carry_out(now, goal, config)

    def _carry_out(self, plan: Plan, goal: Goal, config: Config | None) -> None:
        for warning in plan.warnings:
            self._warn(warning)
        if plan.refusals:
            raise RefusedError(plan.refusals)
        if plan.left_out and all(step.index < 0 for step in plan.steps):
            raise RefusedError(map(str, plan.left_out))
        if not plan.steps and not plan.left_out:
            return
        # Most calls find everything as it should be, and steps take as long to load as all else.
        from .executor import Executor, StepError, StepFailure

        executor = Executor(
            self._registry,
            config,
            keep=goal != "start",
            together=config is not None and config.all_or_nothing,
            tell=self._tell,
            warn=self._warn,
        )
        left_out = [StepFailure(device.index, None, device.why, None) for device in plan.left_out]
        try:
            executor.carry_out(plan)
        except StepError as err:
            if left_out:
                raise StepError([*left_out, *err.failures]) from err
            raise
        if left_out:
            raise StepError(left_out)

    def _seen(self, config: Config | None) -> object:
        """Return what the steps do not show: which devices the numbers mean, and the file."""
        ours = [(registered.number, registered.diskseq) for registered in self._registry.devices]
        return ours, config and config.devices


def _make_plan(goal: str, config: Config | None, machine: ObservedSystem) -> Plan:
    if goal == "stop":
        return planner.plan_stop(config, machine)
    assert config is not None
    if goal == "reload":
        from .reload_planner import plan_reload

        return plan_reload(config, machine)
    return planner.plan_start(config, machine)
