# SPDX-License-Identifier: MIT
# ruff: noqa: D102 - Action documents do and undo for all
"""What the steps of a plan for a new swap device do, and next to that what undoes it.

``undo`` is called for every step that was begun, even one that failed or was ended halfway. It
looks at what there is and removes only what this step made.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOENT

from ..algorithm import first_offered, none_offered
from ..config.values import KERNELS_OWN, kernels_own_will_do
from ..device.handle import NEEDS_CONFIG
from ..device.lifecycle import wait_until
from ..errors import DeviceNotFoundError, UnsupportedError
from ..kernel.sysfs import NO_DRIVER
from ..units import format_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..algorithm import Algorithm
    from ..config.device_config import DeviceConfig
    from ..device.zram import Zram
    from .executor import Executor
    from .plan import Step
    from .registered import RegisteredDevice


FEATURES = {"backing_dev": "writeback", "recomp_algorithm": "recompression"}
"""What a kernel lacks without the attribute."""


def made_for(step: Step) -> tuple[int, bool]:
    """Return the entry of the file that a step is for, and whether it is for its bridge."""
    return step.index, bool(step._args.get("bridge"))


class Action:
    """One step of a plan, in one run."""

    can_undo = True
    """False for what is never undone, such as taking something down or noting something."""
    completes = False
    """True for the step after which a device is complete."""

    def __init__(self, executor: Executor, step: Step) -> None:
        self.executor = executor
        self.step = step

    @property
    def desired(self) -> DeviceConfig:
        """The configuration of the device."""
        return self.executor.desired(self.step)

    @property
    def number(self) -> int:
        """The number of the device."""
        return self.executor.meant(self.step).number

    @property
    def name(self) -> str:
        """``zramN``."""
        return f"zram{self.number}"

    def device(self) -> Zram:
        """Return the handle of the device, after making sure that it is ours."""
        return self.executor.device(self.executor.meant(self.step))

    @property
    def undoing(self) -> str:
        """What :meth:`undo` does, in words."""
        return self.step.text

    @property
    def left(self) -> str:
        """What to report if the run fails after this step, which stays."""
        return ""

    def do(self) -> None:
        """Do the step."""
        raise NotImplementedError

    def undo(self) -> None:
        """Undo what the step has done."""


# ---- the device ----------------------------------------------------------------------------------


class Add(Action):
    """Make a device."""

    def __init__(self, executor: Executor, step: Step) -> None:
        super().__init__(executor, step)
        self.known = {registered.diskseq for registered in executor.registry.devices}

    def do(self) -> None:
        executor = self.executor
        if not executor.sysfs.has_driver():
            raise UnsupportedError(ENOENT, NO_DRIVER, executor.sysfs.control)
        made = executor.registry.add_device(self.step.index, self.desired)
        executor.made[made_for(self.step)] = made
        node = f"{executor.sysfs.dev}/zram{made.number}"
        wait_until(lambda: os.path.exists(node), node)

    undoing = "remove the new device"

    def undo(self) -> None:
        # This includes a device that was added but could not be recorded.
        self.executor.registry.load()
        for registered in list(self.executor.registry.devices):
            if registered.index == self.step.index and registered.diskseq not in self.known:
                _remove(self.executor, registered)  # never recorded, if that failed


class Remove(Action):
    """Remove a device."""

    can_undo = False

    def do(self) -> None:
        unkept = _remove(self.executor, self.executor.meant(self.step))
        if unkept:
            self.executor.warn(f"{self.name} has been removed but is still recorded: {unkept}")
        if not self.step._args.get("bridge"):
            self.executor.tell(f"{self.name}: removed")


def _remove(executor: Executor, device: RegisteredDevice) -> str:
    """Remove a device; return why that could not be noted, or nothing."""
    try:
        executor.device(device).remove()
    except DeviceNotFoundError:
        executor.warn(f"zram{device.number} was already gone")
    return executor.registry.drop(device)


class Configure(Action):
    """Give a device its size and what must be set before that; a failure resets it by itself."""

    def do(self) -> None:
        desired = self.desired
        if desired.backing_dev:
            from ..device.backing_check import check_backing

            check_backing(desired.backing_dev, sysfs=self.executor.sysfs)
        device = self.device()
        choice = choose(desired.algorithms, device.read_algorithms())
        if choice is None and (why := left_to_kernel(desired.algorithms)):
            self.warn(why)
        writeback = desired.backing_dev is not None and self.offered(device, "backing_dev")
        device.configure(
            disksize=desired.disksize,
            algorithm=choice,
            recompression=self.secondaries(device, desired.recompression),
            backing_dev=desired.backing_dev if writeback else None,
            mem_limit=desired.mem_limit or None,
            writeback_limit=desired.writeback_limit if writeback else None,
        )
        self.executor.chosen[self.step.index] = choice.name if choice else "the kernel's algorithm"

    def offered(self, device: Zram, attribute: str) -> bool:
        """Whether this kernel has an optional feature; warn if it does not."""
        if device.has(attribute):
            return True
        self.warn(without_feature(attribute))
        return False

    def secondaries(self, device: Zram, wanted: tuple[Algorithm, ...]) -> tuple[Algorithm, ...]:
        """Return the usable secondary algorithms: a device without them is still worth having."""
        if not wanted or not self.offered(device, "recomp_algorithm"):
            return ()
        offered = device.read_algorithms()
        for why in without_secondaries(wanted, offered):
            self.warn(why)
        return tuple(choice for choice in wanted if choice.name in offered)

    def warn(self, why: str) -> None:
        """Warn about what this device lacks."""
        self.executor.warn(f"device {self.step.index}: {self.name}: {why}")


def choose(wanted: tuple[Algorithm, ...], offered: tuple[str, ...]) -> Algorithm | None:
    """Return the first algorithm that this kernel has; ``None`` leaves the choice to the kernel.

    Raises:
        UnsupportedError: it has none of them.
    """
    choice = first_offered(wanted, offered)
    if choice is None and not kernels_own_will_do(wanted):
        raise UnsupportedError(EINVAL, none_offered((one.name for one in wanted), offered))
    return choice


def without_feature(attribute: str) -> str:
    """Return the warning that this kernel lacks an attribute, and thus an optional feature."""
    return (
        f"this kernel has no {FEATURES[attribute]} ({NEEDS_CONFIG[attribute]}): set up without it"
    )


def without_secondaries(wanted: tuple[Algorithm, ...], offered: tuple[str, ...]) -> list[str]:
    """Return a warning for each algorithm that is to recompress and that this kernel lacks."""
    return [
        f"this kernel has no algorithm {choice.name}: set up without it"
        for choice in wanted
        if choice.name not in offered
    ]


def left_to_kernel(wanted: tuple[Algorithm, ...]) -> str:
    """Return the warning that the kernel's default replaces the named algorithms, or nothing."""
    named = [choice for choice in wanted if choice.name != KERNELS_OWN]
    if not named or len(named) == len(wanted):
        return ""
    names = " or ".join(choice.name for choice in named)
    params = " ".join(words for choice in named if (words := choice.params()))
    without = f", without {params}" if params else ""
    return f"this kernel has no {names}: its own default is used{without}"


# ---- swap ----------------------------------------------------------------------------------------


class Mkswap(Action):
    """Make a swap signature, which disappears with the device."""

    def do(self) -> None:
        self.device().mkswap(label=self.desired.label or self.name)


class Swapon(Action):
    """Start swapping on a device."""

    def do(self) -> None:
        discard = self.desired.discard
        self.device().swapon(
            priority=self.step._args["priority"], discard=None if discard == "none" else discard
        )

    @property
    def undoing(self) -> str:
        return f"swap off {self.name}"

    def undo(self) -> None:
        from ..kernel import holders  # a start that succeeds has nothing to look for

        if holders.swap_area(self.executor.sysfs, self.name):
            _swapoff(self)


class Swapoff(Action):
    """Stop swapping on a device."""

    can_undo = False

    def do(self) -> None:
        _swapoff(self)


def _swapoff(action: Action) -> None:
    action.device().swapoff()


# ---- the record ----------------------------------------------------------------------------------


class Ready(Action):
    """Note that a device is complete."""

    can_undo = False
    completes = True

    def do(self) -> None:
        executor, step, number = self.executor, self.step, self.number
        desired, registered = self.desired, executor.registered(step)
        new = not registered.ready and "number" not in step._args
        registered.ready = True
        if step._args.get("remember"):
            registered.settings = desired
        executor.registry.save()
        if new and not step._args.get("bridge"):
            size = format_size(desired.disksize)
            executor.tell(f"zram{number}: {desired.what}, {size}, {executor.chosen[step.index]}")

    @property
    def left(self) -> str:
        # A bridge stays if its successor cannot be made, because it holds the pages.
        if not self.step._args.get("bridge"):
            return ""
        assert self.executor.config is not None
        place = self.executor.config.device(self.step.index).backing_dev
        return f"{self.name}: continues without {place} (pyzram reload tries again)"


STEPS: dict[str, type[Action]] = {
    "add": Add,
    "remove": Remove,
    "configure": Configure,
    "mkswap": Mkswap,
    "swapon": Swapon,
    "swapoff": Swapoff,
    "ready": Ready,
}
