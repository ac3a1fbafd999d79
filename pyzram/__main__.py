# SPDX-License-Identifier: MIT
"""``python -m pyzram``: the command ``pyzram``."""

from .cli.output import leave
from .cli.pyzram import main

if __name__ == "__main__":
    leave(main())
