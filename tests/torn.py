# SPDX-License-Identifier: MIT
"""Something that happens between any two instructions of Python: where a signal's handler runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

MOST = 2000


def at_each_instruction(
    work: Callable[[], object], codes: set[CodeType], happens: Callable[[], None]
) -> int:
    """Do ``work`` again and again, ``happens`` coming one instruction later each time.

    Counted are the instructions of functions with these codes. Returns at how many it came; what
    ``happens`` or ``work`` raises is the caller's to catch within ``work``.
    """
    for number in range(MOST):
        left = number

        def trace(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal left
            if frame.f_code not in codes:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode":
                if left == 0:
                    left = -1
                    sys.settrace(None)
                    happens()
                left -= left > 0
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(before)
        if left >= 0:
            return number
    raise AssertionError(f"more than {MOST} instructions")
