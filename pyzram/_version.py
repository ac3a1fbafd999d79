# SPDX-License-Identifier: MIT
"""The only place that holds the version."""

__version__ = "1.0"
