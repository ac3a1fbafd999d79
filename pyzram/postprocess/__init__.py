# SPDX-License-Identifier: MIT
"""Recompression and writeback of stored pages; the kernel calls both post-processing."""
