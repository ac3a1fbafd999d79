# SPDX-License-Identifier: MIT
"""Plans a reload: running devices become what the file says, and swap never goes away.

It is as pure as :mod:`pyzram.service.planner`, whose parts it uses.
"""

from __future__ import annotations

from ..config.variables import LIVE, NEW_DEVICE
from ..limits import SWAP_PRIORITY_MAX, table_size
from ..units import format_size
from .plan import Plan, Step
from .planner import (
    begin,
    beyond,
    end,
    new_device,
    ready,
    refuse_busy,
    refuse_stop,
    start_device,
    take_down,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..config.config import Config
    from ..config.device_config import DeviceConfig
    from .diff import Difference
    from .observed import ObservedDevice, ObservedSystem

# Draining moves page by page through memory; with less than this, the machine would only thrash.
RESERVE = 16 << 20


def plan_reload(config: Config, machine: ObservedSystem) -> Plan:
    """Plan to make the running devices what the file says, and never be without swap."""
    plan = begin(config, machine)
    for desired in config.devices:
        own = [device for device in machine.own(desired.index) if device.in_use]
        current = own[-1] if own else None
        before = len(plan._changes)
        start_device(plan, machine, desired)
        changes = plan._changes[before:]
        if current is not None and current.busy:
            refuse_busy(plan, current)  # not even the differences are known
            continue
        if current is None or not changes:
            continue
        if all(change.needs == LIVE for change in changes):
            for change in changes:
                _live(plan, desired, current, change)
            plan._steps.append(ready(desired, current, remember=True))
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
    gone = beyond(config, machine)
    refuse_stop(plan, machine, gone)
    for device in reversed(gone):
        take_down(plan, device)
    return end(plan, config, machine)


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
    """Plan a new device at a higher priority, and then to drain the old one.

    Two devices cannot have the same backing device. If both need it, a device without it, the
    bridge, holds the pages until the old one is gone and the new one is there.
    """
    area = old.area
    assert area is not None
    free = sum(other.size - other.used for other in machine.areas if other.path != area.path)
    table = table_size(desired.disksize)
    # Pages that move from the old device to the new one take about as much there, plus a tenth that
    # the two allocators cannot share on the way. Pages that were written back come back.
    needed = RESERVE + table + old.mem_used // 10 + old.backed
    if machine.available < needed:
        plan._refusals.append(
            f"{old.name}: replacing it takes {format_size(needed)} of memory on the way, "
            f"but only {format_size(machine.available)} is available"
        )
    room = machine.available - needed + desired.disksize + free
    if area.used > room:
        plan._refusals.append(
            f"{old.name}: {format_size(area.used)} is swapped out to it, but the new device, "
            f"memory and other swap can take only {format_size(max(room, 0))}"
        )
    priority = min(max(desired.priority, area.priority + 1), SWAP_PRIORITY_MAX)
    had = old.settings and old.settings.backing_dev
    bridged = desired.backing_dev and desired.backing_dev == had
    if bridged:
        plan._steps += new_device(desired.without_backing(), priority, bridge=True)
        take_down(plan, old)
    plan._steps += new_device(desired, priority)
    if bridged:
        index = desired.index
        plan._steps += [
            Step("swapoff", index, "swap off the bridge (its pages move on)", bridge=True),
            Step("remove", index, "reset and remove the bridge", bridge=True),
        ]
    else:
        take_down(plan, old)
