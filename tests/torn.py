# SPDX-License-Identifier: MIT
"""Something that happens between any two instructions of Python: where a signal's handler runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container
from dis import opname
from types import CodeType, FrameType
from typing import Any

MOST = 40_000
# By these an exception finds who handles it: no handler of a signal runs in between.
UNWINDING = ("PUSH_EXC_INFO", "WITH_EXCEPT_START", "POP_EXCEPT", "RERAISE")


class Below:
    """All functions of a folder's modules."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __contains__(self, code: object) -> bool:
        return isinstance(code, CodeType) and code.co_filename.startswith(self.folder)


def at_each_instruction(
    work: Callable[[], object],
    codes: Container[CodeType],
    happens: Callable[[], None],
    *,
    every: int = 1,
) -> int:
    """Do ``work`` again and again, ``happens`` coming one instruction later each time.

    Counted are the instructions of functions with these codes. Returns at how many it came; what
    ``happens`` or ``work`` raises is the caller's to catch within ``work``. Each ``every``-th
    instruction is taken.
    """
    for number in range(0, MOST, every):
        left = number

        def trace(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal left
            if frame.f_code not in codes:
                return None
            frame.f_trace_opcodes = True
            if event == "opcode" and opname[frame.f_code.co_code[frame.f_lasti]] not in UNWINDING:
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
