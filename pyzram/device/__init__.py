# SPDX-License-Identifier: MIT
"""A zram device: its attributes, its life cycle, and what is stored in it."""
