# SPDX-License-Identifier: MIT
"""Carry plans out: start, stop and reload the devices of one configuration.

Each step that is done pushes what would undo it. When a step fails, all that this run has made is
undone in reverse; what ran before stays as it was.
"""

from __future__ import annotations

import os

from ..config.parser import (
    DEFAULT_ALGORITHMS,
    DEFAULT_PATH,
    Config,
    ConfigError,
    owner_ids,
    read_config,
)
from ..device.algorithms import Algorithm
from ..device.backing_attach import check_backing
from ..device.lifecycle import MEM_LIMIT, Lifecycle, total_memory, wait_until
from ..errors import DeviceNotFoundError, UnsupportedError, ZramError, ZramOSError, from_errno
from ..external import ProgramError, run_program
from ..kernel import holders
from ..kernel.sysfs import Sysfs
from ..units import format_size
from . import plan as planner
from .diff import mount_words, remount_words, settings_of
from .observe import observe
from .plan import Plan, Step
from .registry import DEFAULT_DIRECTORY, Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ..config.device_config import Choice, DeviceConfig
    from .observed import ObservedSystem

    T = TypeVar("T")

LABEL_OPTION = {"f2fs": "-l", "vfat": "-n", "exfat": "-L", "btrfs": "-L", "xfs": "-L"}


class StepError(ZramError):
    """A step failed; the message says which device of the file, what, and why."""


class RefusedError(ZramError):
    """Nothing was done, and why."""


class Service:
    """The devices of one configuration file.

    ``tell`` is given a line for each device that was set up or taken down, ``warn`` warnings.
    """

    def __init__(
        self,
        path: str = DEFAULT_PATH,
        *,
        sysfs: Sysfs | None = None,
        directory: str = DEFAULT_DIRECTORY,
        tell: Callable[[str], None] = lambda line: None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.path = path
        self.sysfs = sysfs or Sysfs()
        self.registry = Registry(path, directory=directory, sysfs=self.sysfs)
        self.tell = tell
        self.warn = warn

    # ---- goals ---------------------------------------------------------------------------------

    def read_config(self) -> Config:
        """Read the file.

        Raises:
            ConfigError: something in it is wrong; says everything that is.
        """
        return read_config(self.path, ram=total_memory(), cpus=os.cpu_count() or 1)

    def plan(self, goal: str) -> Plan:
        """Return what ``start``, ``stop`` or ``reload`` would do now; changes nothing."""
        config = self._config_for(goal)
        self.registry.load()
        return _make_plan(goal, config, observe(self.registry))

    def start(self) -> Plan:
        """Set up what is missing.

        Raises:
            ConfigError: the file is wrong.
            RefusedError: it cannot be done; nothing was.
            StepError: a step failed; what this run made is undone.
        """
        return self._reach("start")

    def stop(self) -> Plan:
        """Take down what is ours, after checking that memory can take the pages back.

        Raises:
            RefusedError: memory cannot.
            StepError: a step failed; what could not be taken down stays recorded.
        """
        return self._reach("stop")

    def reload(self) -> Plan:
        """Make the running devices what the file says, without a moment without swap.

        Raises:
            As :meth:`start`.
        """
        return self._reach("reload")

    def look(self) -> tuple[Config | None, ObservedSystem]:
        """Return the file, if it can be read, and the machine."""
        self.registry.load()
        return self._config_for("stop"), observe(self.registry)

    def _config_for(self, goal: str) -> Config | None:
        try:
            return self.read_config()
        except (ConfigError, ZramOSError) as err:
            if isinstance(err, ConfigError):
                for line in err.warnings:
                    self.warn(line)
            # A broken or missing file must not keep devices from being stopped.
            if goal != "stop":
                raise
            for line in str(err).splitlines():
                self.warn(line)
            return None

    def _reach(self, goal: str) -> Plan:
        config = self._config_for(goal)
        with self.registry:
            plan = _make_plan(goal, config, observe(self.registry))
            for warning in plan.warnings:
                self.warn(warning)
            if plan.refusals:
                raise RefusedError("\n".join(plan.refusals))
            _Executor(self, config, keep=goal != "start").carry_out(plan)
        return plan


def _make_plan(goal: str, config: Config | None, machine: ObservedSystem) -> Plan:
    if goal == "stop":
        return planner.plan_stop(config, machine)
    assert config is not None
    if goal == "reload":
        return planner.plan_reload(config, machine)
    return planner.plan_start(config, machine)


class _Executor:
    """One plan being carried out."""

    def __init__(self, service: Service, config: Config | None, *, keep: bool) -> None:
        self.service = service
        self.registry = service.registry
        self.sysfs = service.sysfs
        self.config = config
        self.keep = keep
        """Devices that are complete stay when a later one fails."""
        self.undo: list[tuple[str, Callable[[], None]]] = []
        self.made: dict[tuple[int, bool], int] = {}
        """Entry of the file, and whether as a bridge, to the number of the device made for it."""
        self.chosen: dict[int, str] = {}

    def carry_out(self, plan: Plan) -> None:
        for step in plan.steps:
            who = f"device {step.index}: " if step.index >= 0 else ""
            try:
                getattr(self, f"do_{step.action}")(step)
            except (ZramError, OSError) as err:
                why = str(err)
                if not isinstance(err, ZramError):
                    why = f"{err.filename}: {err.strerror}" if err.filename else str(err.strerror)
                # Most errors begin with the device's name and the step.
                what = f"{step.text}: " if who and not why.startswith("zram") else ""
                raise StepError("; ".join([f"{who}{what}{why}", *self.roll_back()])) from err
            except BaseException:
                done = self.roll_back() or ["what was half done is undone"]
                self.service.warn(f"{who}{step.text}: ended by a signal; {'; '.join(done)}")
                raise

    def roll_back(self) -> list[str]:
        """Undo everything, newest first; return what could not be."""
        failed = []
        while self.undo:
            what, action = self.undo.pop()
            try:
                action()
            except (ZramError, OSError) as err:
                failed.append(f"undoing failed too: {what}: {err}")
        return failed

    # ---- devices -------------------------------------------------------------------------------

    def number(self, step: Step) -> int:
        number: int | None = step.args.get("number")
        return self.made[_made_for(step)] if number is None else number

    def device(self, step: Step) -> Lifecycle:
        return Lifecycle(self.number(step), sysfs=self.sysfs)

    def do_load(self, step: Step) -> None:
        try:
            run_program("load the zram module", "modprobe", "zram", "num_devices=0", package="kmod")
        except ProgramError as err:
            if "not found" not in str(err):
                raise
            raise UnsupportedError(
                2, f"no zram in this kernel, neither built in nor as a module (CONFIG_ZRAM): {err}"
            ) from err
        self.undo.append(("unload the zram module", lambda: self.do_unload(step)))
        wait_until(self.sysfs.has_driver, self.sysfs.control)

    def do_unload(self, step: Step) -> None:
        if not os.path.exists(self.sysfs.path("sys/module/zram/initstate")):
            return  # built in
        # The kernel would take devices along that somebody has set up since the plan was made.
        for number in self.sysfs.numbers():
            if self.sysfs.read(f"sys/block/zram{number}/disksize").strip() != "0":
                self.service.warn(f"zram stays loaded: zram{number} is in use by others")
                return
        run_program("unload the zram module", "modprobe", "-r", "zram", package="kmod")

    def do_add(self, step: Step) -> None:
        if not self.sysfs.has_driver():
            raise UnsupportedError(2, "no zram driver is loaded", self.sysfs.control)
        known = {record.number for record in self.registry.records}
        # Before it is made, or a signal in between would leave it behind.
        self.undo.append(("remove the new device", lambda: self.remove_new(step.index, known)))
        number = self.registry.add_device(step.index, settings_of(self.desired(step))).number
        self.made[_made_for(step)] = number
        node = f"{self.sysfs.dev}/zram{number}"
        wait_until(lambda: os.path.exists(node), node)

    def do_configure(self, step: Step) -> None:
        desired = self.desired(step)
        if desired.backing_dev:
            check_backing(desired.backing_dev, sysfs=self.sysfs)
        with self.device(step) as device:
            choice = self.choose(device, desired.algorithms)
            device.configure(
                disksize=desired.disksize,
                algorithm=choice,
                recompression=[_algorithm(entry) for entry in desired.recompression],
                backing_dev=desired.backing_dev,
                mem_limit=desired.mem_limit or None,
                writeback_limit=desired.writeback_limit,
            )
            self.chosen[step.index] = choice.name if choice else "the kernel's algorithm"

    def choose(self, device: Lifecycle, choices: tuple[Choice, ...]) -> Algorithm | None:
        """Return the first algorithm that this kernel has."""
        offered = device.read_algorithms()
        for choice in choices:
            if choice.name in offered:
                if choice.dictionary:
                    _readable(choice.dictionary)
                return _algorithm(choice)
        wanted = " ".join(map(str, choices))
        if wanted == DEFAULT_ALGORITHMS:
            return None
        raise UnsupportedError(
            22, f"this kernel has none of the algorithms {wanted} (it has: {' '.join(offered)})"
        )

    def do_mkswap(self, step: Step) -> None:
        with self.device(step) as device:
            device.mkswap(label=self.desired(step).label or device.name)

    def do_swapon(self, step: Step) -> None:
        discard = self.desired(step).discard
        number = self.number(step)
        self.undo.append(
            (f"swap off zram{number}", lambda: self.leave(number, self.swapoff, number))
        )
        with self.device(step) as device:
            device.swapon(
                priority=step.args["priority"], discard=None if discard == "none" else discard
            )

    def do_mkfs(self, step: Step) -> None:
        desired = self.desired(step)
        name = f"zram{self.number(step)}"
        words = [f"mkfs.{desired.fstype}"]
        if desired.fstype.startswith("ext"):
            words += ["-q", "-L", desired.label or name]
        elif desired.fstype in LABEL_OPTION:
            words += [LABEL_OPTION[desired.fstype], desired.label or name]
        node = f"{self.sysfs.dev}/{name}"
        run_program(
            f"{name}: make a file system",
            *words,
            *desired.mkfs_options,
            node,
            package="its programs",
        )

    def do_mount(self, step: Step) -> None:
        desired = self.desired(step)
        point = desired.mount_point or ""
        name = f"zram{self.number(step)}"
        options = mount_words(desired.mount_options, desired.discard)
        if not os.path.isdir(point):
            code, remedy = (20, "") if os.path.exists(point) else (2, "make the directory first")
            raise from_errno(code, f"{name}: mount on {point}", point, remedy=remedy)
        words = ["mount", "-t", desired.fstype, *(["-o", options] if options else [])]
        number = self.number(step)
        self.undo.append((f"unmount {point}", lambda: self.leave(number, self.umount, point)))
        run_program(f"{name}: mount", *words, f"{self.sysfs.dev}/{name}", point)
        have, new = self.registry.record(number).settings, settings_of(desired)
        have.update(mount_options=new["mount_options"], discard=new["discard"])

    def do_permissions(self, step: Step) -> None:
        desired = self.desired(step)
        point = desired.mount_point or ""
        # A setting that the file no longer has goes back to what mkfs made.
        had = self.registry.record(self.number(step)).settings
        owner = desired.owner or ("0:0" if had.get("owner") else "")
        mode = desired.mode if desired.mode is not None else 0o755 if had.get("mode") else None
        before = os.stat(point)
        uid, gid = owner_ids(owner) if owner else (-1, -1)
        self.undo.append((f"put mode and owner of {point} back", lambda: _give(point, before)))
        if owner:
            os.chown(point, uid, gid)
        if mode is not None:
            os.chmod(point, mode)  # after chown, which clears setuid and setgid

    def do_ready(self, step: Step) -> None:
        desired = self.desired(step)
        number = self.number(step)
        record = self.registry.record(number)
        new = not record.ready and "number" not in step.args
        record.ready = True
        if step.args.get("remember"):
            record.settings = settings_of(desired)
        self.registry.save()
        if self.keep:
            self.undo.clear()
        if step.args.get("bridge"):
            self.undo.append((f"tell of zram{number}", lambda: self.left_bridge(number, step)))
        elif new:
            size = format_size(desired.disksize)
            self.service.tell(f"zram{number}: {desired.what}, {size}, {self.chosen[step.index]}")

    def left_bridge(self, number: int, step: Step) -> None:
        place = self.desired_of[step.index].backing_dev
        self.service.warn(f"zram{number}: carries on without {place} (pyzram reload tries again)")

    # ---- live changes --------------------------------------------------------------------------

    def do_mem_limit(self, step: Step) -> None:
        with self.device(step) as device:
            before = device.read_numbers("mm_stat")[MEM_LIMIT]
            self.undo.append(("put mem_limit back", lambda: self.set_mem_limit(step, before)))
            device.set_mem_limit(self.desired(step).mem_limit)

    def set_mem_limit(self, step: Step, limit: int) -> None:
        with self.device(step) as device:
            device.set_mem_limit(limit)

    def do_writeback_limit(self, step: Step) -> None:
        units = self.desired(step).writeback_limit
        with self.device(step) as device:
            left, enabled = device.read_writeback_limit(), device.read_writeback_limit_enable()
            before = left if enabled else None
            self.undo.append(
                ("put writeback_limit back", lambda: self.set_writeback_limit(step, before))
            )
        self.set_writeback_limit(step, units)

    def set_writeback_limit(self, step: Step, units: int | None) -> None:
        with self.device(step) as device:
            if units is not None:
                device.set_writeback_limit(units)
            device.set_writeback_limit_enable(units is not None)

    def do_mount_options(self, step: Step) -> None:
        have, want = step.args["have"], step.args["want"]
        self.undo.append(("put mount options back", lambda: self.remount(step, want, have)))
        self.remount(step, have, want)

    def remount(self, step: Step, have: str, want: str) -> None:
        options = ",".join(["remount", *(remount_words(have, want) or [])])
        words = ["mount", "-o", options, self.desired(step).mount_point or ""]
        run_program(f"zram{self.number(step)}: change mount options", *words)

    # ---- taking down ---------------------------------------------------------------------------

    def do_swapoff(self, step: Step) -> None:
        self.swapoff(self.number(step))

    def do_umount(self, step: Step) -> None:
        self.umount(step.args["point"])

    def do_remove(self, step: Step) -> None:
        number = self.number(step)
        self.remove(number)
        if not step.args.get("bridge"):
            self.service.tell(f"zram{number}: removed")

    def swapoff(self, number: int) -> None:
        with Lifecycle(number, sysfs=self.sysfs) as device:
            device.swapoff()

    def leave(self, number: int, how: Callable[[T], None], what: T) -> None:
        """Undo a use that a signal may have ended before it began."""
        if holders.claims(self.sysfs, f"zram{number}"):
            how(what)

    def umount(self, point: str) -> None:
        run_program(f"unmount {point}", "umount", point)

    def remove(self, number: int) -> None:
        try:
            Lifecycle(number, sysfs=self.sysfs).remove()
        except DeviceNotFoundError:
            self.service.warn(f"zram{number} was gone already")
        self.registry.drop(number)

    def remove_new(self, index: int, known: set[int]) -> None:
        """Remove what was added for an entry since ``known``, one half added included."""
        self.registry.load()
        for record in list(self.registry.records):
            if record.index == index and record.number not in known:
                self.remove(record.number)

    @property
    def desired_of(self) -> tuple[DeviceConfig, ...]:
        assert self.config is not None
        return self.config.devices

    def desired(self, step: Step) -> DeviceConfig:
        desired = self.desired_of[step.index]
        return desired.without_backing() if step.args.get("bridge") else desired


def _made_for(step: Step) -> tuple[int, bool]:
    return step.index, bool(step.args.get("bridge"))


def _readable(path: str) -> None:
    """Refuse a dictionary that is not there, to which kernels up to 7.2 say just EINVAL."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as err:
        raise from_errno(err.errno or 0, f"dictionary {path}", path) from err


def _algorithm(choice: Choice) -> Algorithm:
    return Algorithm(choice.name, choice.level, choice.dictionary, choice.winbits)


def _give(path: str, status: os.stat_result) -> None:
    """Give a directory the owner and mode that it had."""
    os.chown(path, status.st_uid, status.st_gid)
    os.chmod(path, status.st_mode & 0o7777)
