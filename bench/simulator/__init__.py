# SPDX-License-Identifier: MIT
"""A machine that swaps to zram, and policies that tend it: what ``bench/tend.py`` compares."""
