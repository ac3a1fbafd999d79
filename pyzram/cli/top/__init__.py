# SPDX-License-Identifier: MIT
"""``pyzram top``: the live view. Only the modules named ``*_view`` load textual."""
