# SPDX-License-Identifier: MIT
"""Tending devices: recompressing cold pages and writing them back, within a budget."""
