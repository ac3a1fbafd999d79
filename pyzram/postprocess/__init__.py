# SPDX-License-Identifier: MIT
"""Recompression and writeback of what is stored; the kernel calls both post-processing."""
