# SPDX-License-Identifier: MIT
"""Something that happens between any two Python instructions, where signal handlers run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container
from dis import opname
from types import CodeType, FrameType
from typing import Any

MOST = 40_000
# With these an exception finds its handler; no signal handler runs in between.
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
    """Do ``work`` again and again, with ``happens`` one instruction later each time.

    Only instructions of functions with these codes count. Return at how many it happened; the
    caller must catch what ``happens`` or ``work`` raises within ``work``. Only each ``every``-th
    instruction is tried.
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
        # Python 3.12 reports instructions only if some frame wanted them when tracing began.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(before)
        if left >= 0:
            return number
    raise AssertionError(f"more than {MOST} instructions")
