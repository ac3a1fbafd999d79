# SPDX-License-Identifier: MIT
"""Carries out the configuration: compares observed with desired, makes a plan, takes its steps."""
