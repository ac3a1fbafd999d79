# SPDX-License-Identifier: MIT
"""A zram device: its attributes, its life, what is stored in it."""
