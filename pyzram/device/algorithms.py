# SPDX-License-Identifier: MIT
"""The secondary algorithms of a device: their priorities, and recompressing with one."""

from __future__ import annotations

import errno
import time

from ..algorithm import Algorithm, as_algorithm, none_offered
from ..errors import InvalidValueError, UnsupportedError, ZramOSError
from ..limits import ALGORITHM_PRIORITY_MAX, RECOMPRESS_TYPES
from ..value import check_count, check_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .zram import Zram

# How long to wait for another process's run if the kernel does not wait itself (6.12).
RUN_RETRY_SECONDS = 60.0


def no_algorithm(device: Zram, *names: str) -> UnsupportedError:
    """Make the error that names the algorithms that this kernel has."""
    return UnsupportedError(
        errno.EINVAL,
        f"{device.name}: {none_offered(names, device.read_algorithms())}",
        f"{device.path}/comp_algorithm",
    )


def check_priority(priority: int, lowest: int) -> int:
    """Refuse an invalid priority of an algorithm; 0 is that of the primary one."""
    wanted = f"not in {lowest}..{ALGORITHM_PRIORITY_MAX}"
    return check_count("priority", priority, lowest, ALGORITHM_PRIORITY_MAX, wanted)


def recompress(
    device: Zram,
    type: str | None,
    threshold: int | None,
    max_pages: int | None,
    algorithm: str | Algorithm | None,
    priority: int | None,
    patience: float = RUN_RETRY_SECONDS,
) -> None:
    """Issue one recompress command, the same on every kernel (:meth:`pyzram.Zram.recompress`)."""
    if type is not None:
        check_word("recompress type", type, RECOMPRESS_TYPES)
    words = [] if type is None else [f"type={type}"]
    for key, number in (("threshold", threshold), ("max_pages", max_pages)):
        if number is not None:
            words.append(f"{key}={check_count(f'recompress {key}', number)}")
    words.append(f"priority={find_priority(device, algorithm, priority)}")
    text = " ".join(words)
    deadline = time.monotonic() + patience
    while True:
        try:
            device.write("recompress", text, step=f"recompress {text}")
            return
        except ZramOSError as err:
            if err.errno != errno.EAGAIN or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def find_priority(device: Zram, algorithm: str | Algorithm | None, priority: int | None) -> int:
    """Return the priority of a configured secondary algorithm, by default that of priority 1."""
    if algorithm is not None:
        algorithm = as_algorithm(algorithm).name
    if priority is not None:
        priority = check_priority(priority, 1)
    configured = device.read_recomp_algorithms()
    if priority is None and algorithm is None:
        priority = 1  # on every kernel
    for number, name in sorted(configured.items()):
        if number == (priority or number) and name == (algorithm or name):
            return number
    has = ", ".join(f"{number}: {name}" for number, name in sorted(configured.items()))
    wanted = algorithm or f"priority {priority}"
    raise InvalidValueError(
        f"{device.name}: recompress: {wanted} is not configured "
        f"(there is {has or 'none; recomp_algorithm must be set before disksize'})"
    )
