# SPDX-License-Identifier: MIT
# ruff: noqa: D102 - Action documents do and undo for all
"""The steps that load and unload the driver."""

from __future__ import annotations

import os
from errno import ENOENT

from ..device.lifecycle import wait_until
from ..errors import UnsupportedError
from ..external import ProgramError, run_program
from .steps import Action

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .executor import Executor


class Load(Action):
    """Load the module."""

    def do(self) -> None:
        sysfs = self.executor.sysfs
        try:
            run_program("load the zram module", "modprobe", "zram", "num_devices=0", package="kmod")
        except ProgramError as err:
            if "not found" not in str(err):
                raise
            raise UnsupportedError(
                ENOENT,
                f"no zram in this kernel, neither built in nor as a module (CONFIG_ZRAM): {err}",
            ) from err
        wait_until(sysfs.has_driver, sysfs.control)

    undoing = "unload the zram module"

    def undo(self) -> None:
        _unload(self.executor)


class Unload(Action):
    """Unload the module."""

    can_undo = False

    def do(self) -> None:
        _unload(self.executor)


def _unload(executor: Executor) -> None:
    sysfs = executor.sysfs
    if not os.path.exists(sysfs.path("sys/module/zram/initstate")):
        return  # built in
    # The kernel would remove even devices that somebody has set up since the plan was made.
    for number in sysfs.numbers():
        if sysfs.read(f"sys/block/zram{number}/disksize").strip() != "0":
            executor.warn(f"zram stays loaded: others use zram{number}")
            return
    run_program("unload the zram module", "modprobe", "-r", "zram", package="kmod")


DRIVER_STEPS: dict[str, type[Action]] = {"load": Load, "unload": Unload}
