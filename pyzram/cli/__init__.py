# SPDX-License-Identifier: MIT
"""The commands: arguments in, text out."""
