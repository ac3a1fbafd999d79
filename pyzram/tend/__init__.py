# SPDX-License-Identifier: MIT
"""Tending devices: cold pages recompressed and written back, within a budget, when it helps."""
