# SPDX-License-Identifier: MIT
"""Carry out one plan, step by step, and undo it if that fails.

What a step does and what undoes it stand side by side in :mod:`pyzram.service.steps` and in the
modules of steps beside it. When a step fails, what this run did to its device is undone in reverse,
and the run goes on with the other devices, which are worth having. All failures are reported at the
end. With ALL_OR_NOTHING=yes in the file, a start undoes everything and ends. A signal undoes
everything too; signals are heeded before each step and while a step waits, never while undoing.
"""

from __future__ import annotations

from errno import ENODEV

from .. import interruption
from ..device.zram import Zram
from ..errors import DeviceNotFoundError, ZramError, from_errno, reduced
from ..kernel.sysfs import ADDING
from ..value import Value, documented
from .steps import STEPS, Action, made_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from ..config.config import Config
    from ..config.device_config import DeviceConfig
    from ..kernel.sysfs import Sysfs
    from .plan import Plan, Step
    from .registered import RegisteredDevice
    from .registry import Registry

# With too little memory, modules cannot be loaded either.
FAILURES = (ZramError, OSError, ImportError, MemoryError)
TAKE_DOWN = ("swapoff", "umount", "remove", "unload")


class StepFailure(Value):
    """A failure of one device of the file, or of a step for the whole machine."""

    _fields = ("index", "step", "why", "errno")
    __slots__ = _fields

    index: int
    """The number of the device in the file; -1 for the machine."""
    step: str | None
    """The failed step, as :attr:`pyzram.Step.text`; ``None`` for a device that was left out."""
    why: str
    """One line: device, step, cause, remedy, and what could not be undone."""
    errno: int | None
    """The kernel's error number if it refused, else ``None``."""

    def __init__(self, index: int, step: str | None, why: str, errno: int | None) -> None:
        self._set(index, step, why, errno)

    def __str__(self) -> str:
        return self.why


@documented
class StepError(ZramError, RuntimeError):
    """Steps failed; the message has a line for each: which device of the file, what, and why."""

    def __init__(self, failures: Iterable[StepFailure]) -> None:
        self.failures: tuple[StepFailure, ...] = tuple(failures)
        """One for each device, or step for the machine, that failed, in the order of failure."""
        super().__init__("\n".join(map(str, self.failures)))

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self, self.failures)


def _nothing(_moment: str, _step: Step) -> None:
    pass


watch: Callable[[str, Step], None] = _nothing
"""Called with ``before`` or ``after`` and the step; with it, tests follow a run or break it."""


def kind_of(step: Step) -> type[Action]:
    """Return the action of a step."""
    if step.action in STEPS:
        return STEPS[step.action]
    # A start of new swap devices needs none of these. They come in the order in which a boot needs
    # them: the driver is loaded first, and a limit changes only on a reload.
    from .driver_steps import DRIVER_STEPS

    if step.action in DRIVER_STEPS:
        return DRIVER_STEPS[step.action]
    from .mount_steps import MOUNT_STEPS

    if step.action in MOUNT_STEPS:
        return MOUNT_STEPS[step.action]
    from .limit_steps import LIMIT_STEPS

    return LIMIT_STEPS[step.action]


class Executor:
    """One plan being carried out."""

    def __init__(
        self,
        registry: Registry,
        config: Config | None,
        *,
        keep: bool,
        together: bool = False,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
    ) -> None:
        self.registry = registry
        self.config = config
        self.keep = keep
        """Devices that are complete stay when a signal ends the run."""
        self.together = together
        """Whether the failure of one device undoes the others too."""
        self.tell = tell
        self.warn = warn
        self.begun: list[Action] = []
        """What to undo when the run fails, including the step that failed."""
        self.kept = 0
        """How many steps are done and stay."""
        self.left: list[str] = []
        """What to report about what stays if the run fails."""
        self.planned = {registered.number: registered for registered in registry.devices}
        """From a number in the plan to the device that had it then."""
        self.made: dict[tuple[int, bool], RegisteredDevice] = {}
        """From the entry of the file, and whether as a bridge, to its new device."""
        self.chosen: dict[int, str] = {}
        """From the entry of the file to the algorithm of its new device."""
        self.handles: dict[str, Zram] = {}
        """From the diskseq of a device of ours to its handle, which all of its steps share."""

    def carry_out(self, plan: Plan) -> None:
        """Do all steps.

        Raises:
            StepError: one failed; what could be undone is undone.
            Ended: a signal was heeded; what could be undone is undone and has been reported.
        """
        try:
            self._carry_out(plan)
        finally:
            for device in self.handles.values():
                device.close()

    def _carry_out(self, plan: Plan) -> None:
        failures: list[StepFailure] = []
        failed: set[object] = set()
        only_down = all(step.action in TAKE_DOWN for step in plan.steps)
        for step in plan.steps:
            # When a device is replaced, the old and the new one have the same entry in the file.
            whose = step._args.get("number") if only_down else step.index
            if failed and (step.action == "unload" or whose in failed):
                continue
            try:
                self._do(step)
            except FAILURES as err:
                all_fail = not only_down and (self.together or step.index < 0)
                undone = self.roll_back(None if all_fail else step.index)
                why = "; ".join([self._why(step, err), *undone])
                code = (err.errno or None) if isinstance(err, OSError) else None
                failures.append(StepFailure(step.index, step.text, why, code))
                failed.add(whose)
                if all_fail:
                    break
            except BaseException as err:
                self.warn(f"{_who(step)}{step.text}: {'; '.join(self._ended(err))}")
                raise
        if failures:
            if not self.kept and all(action.step.index < 0 for action in self.begun):
                # Nothing stays, and so the module does not stay either.
                last = failures[-1]
                failures[-1] = last.replace(why="; ".join([last.why, *self.roll_back()]))
            raise StepError(failures)

    def _do(self, step: Step) -> None:
        watch("before", step)
        interruption.check()
        action = kind_of(step)(self, step)
        self.begun.append(action)
        action.do()
        if not action.can_undo:
            self.begun.pop()
            self.kept += 1
        if action.completes:
            self.let_go(step)
            if self.keep:
                self.complete()
                self.left = [action.left] if action.left else []
        watch("after", step)

    def complete(self) -> None:
        """Note that what was done so far stays, whatever happens."""
        self.kept += len(self.begun)
        self.begun.clear()

    def roll_back(self, index: int | None = None) -> list[str]:
        """Undo what does not stay, newest first; return what could not be undone.

        ``index`` is the device's entry of the file; ``None`` for all.
        """
        failed = []
        theirs = [action for action in self.begun if index in (None, action.step.index)]
        self.begun = [action for action in self.begun if action not in theirs]
        with interruption.deferred():
            for action in reversed(theirs):
                try:
                    action.undo()
                except FAILURES as err:
                    failed.append(f"undoing failed too: {_told(action.undoing, err)}")
            for line in self.left:
                self.warn(line)
            self.left = []
        return failed

    def _ended(self, err: BaseException) -> list[str]:
        """Undo, and return a phrase about what became of the work."""
        undone = any(action.can_undo for action in self.begun)
        why = "failed" if isinstance(err, Exception) else "ended by a signal"
        said = [why, *self.roll_back()]
        if undone and len(said) == 1:
            said.append("what was half done has been undone")
        if self.kept:
            said.append("what was done before stays done")
        elif not undone:
            said.append("nothing was changed")
        if isinstance(err, interruption.Ended):
            err.told = True
        return said

    def _why(self, step: Step, err: Exception) -> str:
        who = _who(step)
        return f"{who}{_told(step.text, err)}" if who else _words(err)

    # ---- for the steps -------------------------------------------------------------------------

    @property
    def sysfs(self) -> Sysfs:
        """Where the kernel's files are."""
        return self.registry.sysfs

    def desired(self, step: Step) -> DeviceConfig:
        """Return the configuration of a step's device."""
        assert self.config is not None
        desired = self.config.device(step.index)
        return desired.without_backing() if step._args.get("bridge") else desired

    def meant(self, step: Step) -> RegisteredDevice:
        """Return a step's device, which keeps its identity even if another gets its number."""
        number: int | None = step._args.get("number")
        return self.made[made_for(step)] if number is None else self.planned[number]

    def registered(self, step: Step) -> RegisteredDevice:
        """Return a step's device, as it is registered.

        Raises:
            DeviceNotFoundError: it is gone (ENODEV).
        """
        return self.registry.registered(self.meant(step))

    def device(self, meant: RegisteredDevice) -> Zram:
        """Return the handle of one of our devices, open until the run ends or the device does.

        Raises:
            DeviceNotFoundError: it is gone, or its number now belongs to another device (ENODEV).
        """
        number, diskseq = meant.number, meant.diskseq
        held = self.handles.get(diskseq)
        if held is not None and not held.closed:
            return held
        device = Zram(number, sysfs=self.sysfs)
        try:
            # Asked through the handle, which is bound to the device that it was opened for.
            if str(device.read_diskseq()) != diskseq:
                raise DeviceNotFoundError(
                    ENODEV,
                    f"zram{number}: the device is gone, and its number belongs to another one",
                    None,
                )
        except BaseException:
            device.close()
            raise
        self.handles[diskseq] = device
        return device

    def let_go(self, step: Step) -> None:
        """Close the handle of a step's device, so that many devices take few descriptors."""
        if device := self.handles.pop(self.meant(step).diskseq, None):
            device.close()


def _who(step: Step) -> str:
    return f"device {step.index}: " if step.index >= 0 else ""


def _told(what: str, err: Exception) -> str:
    """Return the words of an error, after what was attempted if they do not begin with that."""
    words = _words(err)
    return words if words.startswith(("zram", ADDING)) else f"{what}: {words}"


def _words(err: Exception) -> str:
    if isinstance(err, MemoryError):
        return "out of memory"
    if not isinstance(err, OSError) or isinstance(err, ZramError):
        return str(err)
    what = from_errno(err.errno or 0, str(err.filename or "system call"))
    return str(what)
