# SPDX-License-Identifier: MIT
"""Compare the configuration with the running devices: the result is a list of steps.

Nothing is done here, and there is no I/O: a plan depends on a :class:`~pyzram.config.config.Config`
and a :class:`~pyzram.service.observed.ObservedSystem` alone, both plain values.
:mod:`pyzram.service.observe` looks, :mod:`pyzram.service.service` carries steps out.
"""

from __future__ import annotations

from ..config.variables import LIVE, NEW_DEVICE
from ..errors import InvalidValueError
from ..kernel.sysfs import ZSWAP_OFF
from ..limits import PAGE_SIZE, SWAP_PRIORITY_MAX, TABLE_BYTES_PER_PAGE
from ..units import format_count, format_size
from ..value import Value
from .registered import settings_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from ..config.config import Config
    from ..config.device_config import DeviceConfig
    from .diff import Difference
    from .observed import ObservedDevice, ObservedSystem

# Draining goes page by page through memory; below this much, the machine would only thrash.
RESERVE = 16 << 20


class Step(Value):
    """One thing to do, for one device of the file."""

    _fields = ("action", "index", "text")
    __slots__ = (*_fields, "_args")

    action: str
    """The kind of step, a key of the tables of actions."""
    index: int
    """Which device of the file; -1 for the machine."""
    text: str
    """What is done, in words."""
    # What the action needs to know: it is told to nobody, so steps that read alike are equal.
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
    """Steps in order, and what is to be said about them; ``str()`` tells all of it in lines.

    It cannot be changed, and is applied by the :class:`Service` that made it, so it stays in the
    process that has that: to others pass :meth:`as_dict`.
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
        """The configuration that it is for; ``None`` of a stop without one."""
        return self._config

    @property
    def steps(self) -> tuple[Step, ...]:
        """What to do, in this order; empty if there is nothing to do."""
        return tuple(self._steps)

    @property
    def changes(self) -> tuple[Difference, ...]:
        """How the running devices differ from the file."""
        return tuple(self._changes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What looks wrong, but prevents nothing."""
        return tuple(self._warnings)

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why none of this can be done; empty if it can be."""
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
        """All but the warnings, which are told apart."""
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
            StepError: a device failed; what this run made of it is undone.
            InvalidValueError: nobody can carry it out: :meth:`pyzram.Service.plan` did not make
                it, or it was applied already.
        """
        carry_out, self._carry_out = self._carry_out, None
        if carry_out is None:
            raise InvalidValueError("this plan cannot be applied (again): make one with plan()")
        carry_out()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; no plan is made of them again."""
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


# ---- goals -------------------------------------------------------------------------------------


def plan_start(config: Config, machine: ObservedSystem) -> Plan:
    """Plan to set up what is missing; devices that run are left as they are."""
    plan = _begin(config, machine)
    for desired in config.devices:
        begun, refused = len(plan._steps), len(plan._refusals)
        _start_device(plan, machine, desired)
        if plan._refusals[refused:] and not config.all_or_nothing:
            # The other devices are set up all the same.
            plan._left_out += [
                LeftOut(desired.index, _of_device(desired.index, why))
                for why in plan._refusals[refused:]
            ]
            del plan._refusals[refused:], plan._steps[begun:]
    for device in _beyond(config, machine):
        plan._warnings.append(
            f"{device.name}: is no longer in {config.path} (pyzram reload takes it down)"
        )
    for change in plan._changes:
        plan._warnings.append(f"{change} in {config.path} (pyzram reload applies it)")
    return _end(plan, config, machine)


def plan_reload(config: Config, machine: ObservedSystem) -> Plan:
    """Plan to make the running devices what the file says, without a moment without swap."""
    plan = _begin(config, machine)
    for desired in config.devices:
        own = [device for device in machine.own(desired.index) if device.in_use]
        current = own[-1] if own else None
        before = len(plan._changes)
        _start_device(plan, machine, desired)
        changes = plan._changes[before:]
        if current is not None and current.busy:
            _refuse_busy(plan, current)  # not even the differences are known
            continue
        if current is None or not changes:
            continue
        if all(change.needs == LIVE for change in changes):
            for change in changes:
                _live(plan, desired, current, change)
            plan._steps.append(_ready(desired, current, remember=True))
        elif desired.is_swap and current.area is not None:
            _replace(plan, machine, desired, current)
        elif all(change.needs != NEW_DEVICE for change in changes):
            points = " ".join(current.mounts)
            plan._refusals.append(
                f"{current.name}: these mount_options cannot change while it is mounted: "
                f"unmount {points or 'it'}, then start"
            )
        else:
            fields = ", ".join(change.field for change in changes if change.needs == NEW_DEVICE)
            plan._refusals.append(
                f"{current.name}: a new {fields} needs a new device, and what is stored on "
                f"{' '.join(current.mounts) or 'the old one'} would be lost: stop and start instead"
            )
    gone = _beyond(config, machine)
    _refuse_stop(plan, machine, gone)
    for device in reversed(gone):
        _take_down(plan, device)
    return _end(plan, config, machine)


def plan_stop(config: Config | None, machine: ObservedSystem) -> Plan:
    """Plan to take down every device of ours; that works even if the files cannot be read."""
    plan = Plan()
    own = [device for device in machine.devices if device.index is not None]
    _refuse_stop(plan, machine, own)
    for device in reversed(own):
        _take_down(plan, device)
    if config is not None and config.unload_on_stop and machine.driver:
        foreign = [device for device in machine.devices if device.index is None]
        used = [device.name for device in foreign if device.disksize]
        if used:
            plan._warnings.append(f"zram stays loaded: {' '.join(used)} is in use by others")
        else:
            plan._steps.append(Step("unload", -1, "unload the zram module"))
    return plan


def _of_device(index: int, why: str) -> str:
    return why if why.startswith("device ") else f"device {index}: {why}"


# ---- parts -------------------------------------------------------------------------------------


def _begin(config: Config, machine: ObservedSystem) -> Plan:
    plan = Plan()
    plan._config = config
    plan._warnings += config.warnings
    if machine.container and not (machine.driver and machine.writable):
        plan._refusals.append(
            f"this is a container ({machine.container}): zram belongs to the host, set it up there"
        )
    elif not machine.driver and not config.load_on_start:
        plan._refusals.append("zram is not loaded, and LOAD_ON_START=no")
    elif machine.driver and not machine.writable:
        plan._refusals.append("/sys is mounted read-only: no device can be set up")
    elif not machine.driver and config.devices:
        plan._steps.append(Step("load", -1, "load the zram module, without devices of its own"))
    for device in machine.devices:
        if device.index is None and device.disksize and not device.elsewhere:
            size = format_size(device.disksize)
            plan._warnings.append(
                f"{device.name} ({size}, {device.what}) was not made by pyzram and is left alone"
            )
    return plan


def _end(plan: Plan, config: Config, machine: ObservedSystem) -> Plan:
    swap = [desired for desired in config.devices if desired.is_swap]
    if swap:
        lowest = min(desired.priority for desired in swap)
        on_zram = {device.area.path for device in machine.devices if device.area}
        for area in machine.areas:
            if area.path not in on_zram and area.priority >= lowest:
                plan._warnings.append(
                    f"swap {area.path} has priority {area.priority}, zram {lowest}: "
                    + ("it is used first" if area.priority > lowest else "they are used in turn")
                )
        if machine.zswap:
            plan._warnings.append(f"zswap is on and takes the pages before zram does ({ZSWAP_OFF})")
    if machine.resume:
        plan._warnings.append(
            f"the kernel is to resume from {machine.resume}: hibernation to zram loses everything"
        )
    return plan


def _start_device(plan: Plan, machine: ObservedSystem, desired: DeviceConfig) -> None:
    """Plan one device of the file: finish what was begun, or set it up; note its changes."""
    own = machine.own(desired.index)
    used = [device for device in own if device.in_use]
    current = used[-1] if used else None
    # Further ones were left by a killed start or reload.
    for device in own:
        if device is current:
            continue
        if not desired.is_swap and device.ready and device.disksize and current is None:
            current = device  # a file system that was unmounted: what it holds is kept
        elif device.in_use:
            _refuse_stop(plan, machine, [device])
            _take_down(plan, device)
        else:
            _take_down(plan, device)
    if current is None:
        if desired.mount_point and desired.mount_point in machine.mounted:
            plan._refusals.append(
                f"something else is mounted on {desired.mount_point} already, unmount it first"
            )
        plan._steps += _new_device(desired, desired.priority)
        _refuse_table(plan, machine, desired)
        return
    if current.ready or current.settings:
        from .diff import differences  # a first start has nothing to compare

        plan._changes += differences(desired, current)
    if not current.running and desired.mount_point:
        plan._steps.append(_mount(desired, current))
    if not current.ready or not current.running:
        if desired.mount_point and current.mounts:
            plan._steps.append(_permissions(desired, current))
        # The recorded settings stay, so that a difference from the file still shows.
        plan._steps.append(_ready(desired, current, remember=False))


def _new_device(desired: DeviceConfig, priority: int, *, bridge: bool = False) -> list[Step]:
    index = desired.index
    algorithms = " or ".join(map(str, desired.algorithms)) or "the kernel's algorithm"
    steps = [
        Step("add", index, "add a bridge" if bridge else "add a device"),
        Step("configure", index, f"set it to {format_size(desired.disksize)}, {algorithms}"),
    ]
    if desired.is_swap:
        steps += [
            Step("mkswap", index, "make a swap signature"),
            Step("swapon", index, f"swap on with priority {priority}", priority=priority),
        ]
    else:
        steps += [
            Step("mkfs", index, f"make a file system {desired.fstype}"),
            Step("mount", index, f"mount it on {desired.mount_point}"),
            Step("permissions", index, f"set mode and owner of {desired.mount_point}"),
        ]
    steps.append(Step("ready", index, "note that it is complete"))
    if bridge:
        for step in steps:
            step._args["bridge"] = True
    return steps


def _mount(desired: DeviceConfig, device: ObservedDevice) -> Step:
    return Step(
        "mount",
        desired.index,
        f"mount {device.name} on {desired.mount_point}",
        number=device.number,
    )


def _permissions(desired: DeviceConfig, device: ObservedDevice) -> Step:
    text = f"set mode and owner of {desired.mount_point}"
    return Step("permissions", desired.index, text, number=device.number)


def _ready(desired: DeviceConfig, device: ObservedDevice, *, remember: bool) -> Step:
    text = f"note that {device.name} is complete"
    return Step("ready", desired.index, text, number=device.number, remember=remember)


def _live(plan: Plan, desired: DeviceConfig, device: ObservedDevice, change: Difference) -> None:
    """Plan a change of a running device; mode and owner are one step."""
    action = "permissions" if change.field in ("mode", "owner") else change.field
    step = Step(
        action, desired.index, str(change), number=device.number, have=change.have, want=change.want
    )
    if action != "permissions" or all(
        (old.action, old.index) != (action, desired.index) for old in plan._steps
    ):
        plan._steps.append(step)


def _replace(
    plan: Plan, machine: ObservedSystem, desired: DeviceConfig, old: ObservedDevice
) -> None:
    """Plan a new device first, at a higher priority, and the old one drained after.

    Two devices cannot have the same backing device. Where both want it, a device without it, the
    bridge, takes the pages until the old one is gone and the new one is there.
    """
    area = old.area
    assert area is not None
    free = sum(other.size - other.used for other in machine.areas if other.path != area.path)
    table = desired.disksize // PAGE_SIZE * TABLE_BYTES_PER_PAGE
    # Pages that go from the old device to the new one take about as much there; a tenth for what
    # the two allocators cannot share on the way. What was written back comes back.
    needed = RESERVE + table + old.mem_used // 10 + old.backed
    if machine.available < needed:
        plan._refusals.append(
            f"{old.name}: replacing it takes {format_size(needed)} of memory on the way, "
            f"only {format_size(machine.available)} are available"
        )
    room = machine.available - needed + desired.disksize + free
    if area.used > room:
        plan._refusals.append(
            f"{old.name}: {format_size(area.used)} are swapped out to it, the new device, memory "
            f"and other swap can take {format_size(max(room, 0))}"
        )
    priority = min(max(desired.priority, area.priority + 1), SWAP_PRIORITY_MAX)
    had = old.settings and old.settings.backing_dev
    bridged = desired.backing_dev and desired.backing_dev == had
    if bridged:
        plan._steps += _new_device(desired.without_backing(), priority, bridge=True)
        _take_down(plan, old)
    plan._steps += _new_device(desired, priority)
    if bridged:
        index = desired.index
        plan._steps += [
            Step("swapoff", index, "swap off the bridge (its pages move on)", bridge=True),
            Step("remove", index, "reset and remove the bridge", bridge=True),
        ]
    else:
        _take_down(plan, old)


def _refuse_stop(plan: Plan, machine: ObservedSystem, devices: list[ObservedDevice]) -> None:
    """Refuse to drain what memory and the remaining swap cannot take back."""
    leaving = {device.area.path for device in devices if device.area}
    used = sum(device.area.used for device in devices if device.area)
    free = sum(area.size - area.used for area in machine.areas if area.path not in leaving)
    if used and used > machine.available + free:
        names = " ".join(device.name for device in devices if device.area)
        plan._refusals.append(
            f"{names}: {format_size(used)} are swapped out, but memory ("
            f"{format_size(machine.available)} available) and other swap ({format_size(free)} "
            "free) cannot take them back: end some processes or add swap first"
        )


def _refuse_table(plan: Plan, machine: ObservedSystem, desired: DeviceConfig) -> None:
    """Refuse a device for whose table the kernel would have to kill processes."""
    table = desired.disksize // PAGE_SIZE * TABLE_BYTES_PER_PAGE
    if table > machine.available:
        plan._refusals.append(
            f"device {desired.index}: the table of {format_size(desired.disksize)} takes "
            f"{format_size(table)} of memory at once, only {format_size(machine.available)} are "
            "available: make it smaller or end some processes"
        )


def _refuse_busy(plan: Plan, device: ObservedDevice) -> None:
    plan._refusals.append(
        f"{device.name}: a writeback or recompression is under way and holds up everything else: "
        "try again when it has ended"
    )


def _take_down(plan: Plan, device: ObservedDevice) -> None:
    if device.busy:
        _refuse_busy(plan, device)
    if device.others:
        plan._refusals.append(
            f"{device.name}: is mounted on {' '.join(device.others)} too, which pyzram did not do: "
            "unmount that first"
        )
    index = -1 if device.index is None else device.index
    number = device.number
    if device.area:
        used = format_size(device.area.used)
        text = f"swap off {device.name} ({used} return to memory)"
        plan._steps.append(Step("swapoff", index, text, number=number))
    for point in reversed(device.mounts):
        plan._steps.append(
            Step("umount", index, f"unmount {device.name} from {point}", number=number, point=point)
        )
    plan._steps.append(Step("remove", index, f"reset and remove {device.name}", number=number))


def _beyond(config: Config, machine: ObservedSystem) -> list[ObservedDevice]:
    """Return our devices that the file no longer has."""
    wanted = {desired.index for desired in config.devices}
    return [d for d in machine.devices if d.index is not None and d.index not in wanted]
