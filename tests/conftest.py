# SPDX-License-Identifier: MIT
"""For all rings."""

from __future__ import annotations

import contextlib
import signal

# A shell starts background jobs with SIGINT ignored, and children inherit that. Tests of what
# Ctrl-C does need what a terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long one example takes says nothing where others use the machine, or under a sanitizer.
with contextlib.suppress(ImportError):
    from hypothesis import settings

    settings.register_profile("pyzram", deadline=None)
    settings.load_profile("pyzram")
