# SPDX-License-Identifier: MIT
"""Idle marks by age, which other runs must not change before what is marked is moved."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .. import interruption
from ..errors import UnsupportedError
from .turns import exclusive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..device.zram import Zram
    from .bounded_steps import StepSizer


@contextlib.contextmanager
def exclusive_marked(device: Zram, sizer: StepSizer, age: int | None) -> Iterator[bool]:
    """As :func:`exclusive`, with those pages marked idle that were not used for ``age`` seconds.

    Without an age, marks stay as they are. If the kernel does not track access times, mark all of
    them and wait that long first, since using a page clears its mark. Yield whether there was time
    for that; if not, others are not kept off, and the marks cover less time.

    Raises:
        DeviceBusyError: another run lasted until the deadline.
    """
    with exclusive(device, sizer):
        if age is None or _marks_by_age(device, age):
            yield True
            return
        device.mark_idle()
    left = sizer.left()
    interruption.pause(age if left is None else min(age, left))
    if left is not None and left < age:
        yield False
        return
    with exclusive(device, sizer):
        yield True


def _marks_by_age(device: Zram, age: int) -> bool:
    try:
        device.mark_idle(age)
    except UnsupportedError:
        return False
    return True
