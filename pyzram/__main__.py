# SPDX-License-Identifier: MIT
"""``python -m pyzram``: the command ``pyzram``."""

import sys

from .cli.pyzram import main

if __name__ == "__main__":
    sys.exit(main())
