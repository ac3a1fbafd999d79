# SPDX-License-Identifier: MIT
"""Carrying out the configuration: observed against desired, the plan, its steps."""
