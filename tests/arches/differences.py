# SPDX-License-Identifier: MIT
"""Tests that qemu-user fails for reasons of its own, each with the reason."""

OPTIONS: dict[str, str] = {}
