# SPDX-License-Identifier: MIT
"""Processes, their mappings, and which of their pages could go to swap."""
