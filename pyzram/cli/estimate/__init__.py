# SPDX-License-Identifier: MIT
"""``pyzram estimate``: looking once, twice or again and again, and the reports."""
