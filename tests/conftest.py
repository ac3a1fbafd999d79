# SPDX-License-Identifier: MIT
"""For all rings."""

from __future__ import annotations

import signal

# A shell starts background jobs with SIGINT ignored, and children inherit that. Tests of what
# Ctrl-C does need what a terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
