# SPDX-License-Identifier: MIT
"""Compare the configuration with the running devices: plans for start and stop, and their parts.

Nothing is done here, and there is no I/O: a plan depends only on two plain values, a
:class:`~pyzram.config.config.Config` and a :class:`~pyzram.service.observed.ObservedSystem`.
:mod:`pyzram.service.observe` looks, :mod:`pyzram.service.executor` carries steps out, and
:mod:`pyzram.service.reload_planner` plans what only a reload does.
"""

from __future__ import annotations

from ..kernel.sysfs import ZSWAP_OFF
from ..limits import table_size
from ..units import format_size
from .plan import LeftOut, Plan, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..config.config import Config
    from ..config.device_config import DeviceConfig
    from .observed import ObservedDevice, ObservedSystem


def plan_start(config: Config, machine: ObservedSystem) -> Plan:
    """Plan to set up what is missing; running devices are left as they are."""
    plan = begin(config, machine)
    for desired in config.devices:
        begun, refused = len(plan._steps), len(plan._refusals)
        start_device(plan, machine, desired)
        if plan._refusals[refused:] and not config.all_or_nothing:
            # The other devices are set up all the same.
            plan._left_out += [
                LeftOut(desired.index, _of_device(desired.index, why))
                for why in plan._refusals[refused:]
            ]
            del plan._refusals[refused:], plan._steps[begun:]
    for device in beyond(config, machine):
        plan._warnings.append(
            f"{device.name}: no longer in {config.path} (pyzram reload takes it down)"
        )
    for change in plan._changes:
        plan._warnings.append(f"{change} in {config.path} (pyzram reload applies it)")
    return end(plan, config, machine)


def plan_stop(config: Config | None, machine: ObservedSystem) -> Plan:
    """Plan to take down all of our devices, even if the files cannot be read."""
    plan = Plan()
    own = [device for device in machine.devices if device.index is not None]
    refuse_stop(plan, machine, own)
    for device in reversed(own):
        take_down(plan, device)
    if config is not None and config.unload_on_stop and machine.driver:
        foreign = [device for device in machine.devices if device.index is None]
        used = [device.name for device in foreign if device.disksize]
        if used:
            plan._warnings.append(f"zram stays loaded: others use {' '.join(used)}")
        else:
            plan._steps.append(Step("unload", -1, "unload the zram module"))
    return plan


def _of_device(index: int, why: str) -> str:
    return why if why.startswith("device ") else f"device {index}: {why}"


# ---- parts -------------------------------------------------------------------------------------


def begin(config: Config, machine: ObservedSystem) -> Plan:
    """Begin a plan with what concerns the whole machine: the driver, and what is not ours."""
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


def end(plan: Plan, config: Config, machine: ObservedSystem) -> Plan:
    """Add the warnings that depend on all devices together."""
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
            plan._warnings.append(f"zswap is on and takes the pages before zram does: {ZSWAP_OFF}")
    if machine.resume:
        plan._warnings.append(
            f"the kernel would resume from {machine.resume}: hibernation to zram loses everything"
        )
    return plan


def start_device(plan: Plan, machine: ObservedSystem, desired: DeviceConfig) -> None:
    """Plan one device of the file: finish what was begun, or set it up; note its changes."""
    own = machine.own(desired.index)
    used = [device for device in own if device.in_use]
    current = used[-1] if used else None
    # A killed start or reload left any further ones.
    for device in own:
        if device is current:
            continue
        if not desired.is_swap and device.ready and device.disksize and current is None:
            current = device  # a file system that was unmounted: keep its contents
        elif device.in_use:
            refuse_stop(plan, machine, [device])
            take_down(plan, device)
        else:
            take_down(plan, device)
    if current is None:
        if desired.mount_point and desired.mount_point in machine.mounted:
            plan._refusals.append(
                f"something else is already mounted on {desired.mount_point}: unmount that first"
            )
        plan._steps += new_device(desired, desired.priority)
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
        plan._steps.append(ready(desired, current, remember=False))


def new_device(desired: DeviceConfig, priority: int, *, bridge: bool = False) -> list[Step]:
    """Plan a device from nothing to complete."""
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
            Step("mkfs", index, f"make a file system ({desired.fstype})"),
            Step("mount", index, f"mount it on {desired.mount_point}"),
            Step("permissions", index, f"set mode and owner of {desired.mount_point}"),
        ]
    steps.append(Step("ready", index, "record that it is complete"))
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


def ready(desired: DeviceConfig, device: ObservedDevice, *, remember: bool) -> Step:
    """Plan to record that a device is complete."""
    text = f"record that {device.name} is complete"
    return Step("ready", desired.index, text, number=device.number, remember=remember)


def refuse_stop(plan: Plan, machine: ObservedSystem, devices: list[ObservedDevice]) -> None:
    """Refuse to drain more than memory and the remaining swap can take back."""
    leaving = {device.area.path for device in devices if device.area}
    used = sum(device.area.used for device in devices if device.area)
    free = sum(area.size - area.used for area in machine.areas if area.path not in leaving)
    if used and used > machine.available + free:
        names = " ".join(device.name for device in devices if device.area)
        plan._refusals.append(
            f"{names}: {format_size(used)} is swapped out, but memory ("
            f"{format_size(machine.available)} available) and other swap ({format_size(free)} "
            "free) cannot take it back: end some processes or add swap first"
        )


def _refuse_table(plan: Plan, machine: ObservedSystem, desired: DeviceConfig) -> None:
    """Refuse a device for whose table the kernel would have to kill processes."""
    table = table_size(desired.disksize)
    if table > machine.available:
        plan._refusals.append(
            f"device {desired.index}: the table of {format_size(desired.disksize)} takes "
            f"{format_size(table)} of memory at once, but only {format_size(machine.available)} "
            "is available: make it smaller or end some processes"
        )


def refuse_busy(plan: Plan, device: ObservedDevice) -> None:
    """Refuse to change a device whose figures a command holds up."""
    plan._refusals.append(
        f"{device.name}: a writeback or recompression is under way and holds up everything else: "
        "try again when it has ended"
    )


def take_down(plan: Plan, device: ObservedDevice) -> None:
    """Plan to take down one of our devices."""
    if device.busy:
        refuse_busy(plan, device)
    if device.others:
        plan._refusals.append(
            f"{device.name}: also mounted on {' '.join(device.others)}, which pyzram did not do: "
            "unmount that first"
        )
    index = -1 if device.index is None else device.index
    number = device.number
    if device.area:
        used = format_size(device.area.used)
        text = f"swap off {device.name} ({used} returns to memory)"
        plan._steps.append(Step("swapoff", index, text, number=number))
    for point in reversed(device.mounts):
        plan._steps.append(
            Step("umount", index, f"unmount {device.name} from {point}", number=number, point=point)
        )
    plan._steps.append(Step("remove", index, f"reset and remove {device.name}", number=number))


def beyond(config: Config, machine: ObservedSystem) -> list[ObservedDevice]:
    """Return our devices that the file no longer has."""
    wanted = {desired.index for desired in config.devices}
    return [d for d in machine.devices if d.index is not None and d.index not in wanted]
