# SPDX-License-Identifier: MIT
"""The kernel's interface: sysfs, /proc, the text of its files, and who holds a device."""
