# SPDX-License-Identifier: MIT
"""Shared memory, object by object: tmpfs, memfd, System V, and who locks it."""
