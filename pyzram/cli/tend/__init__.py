# SPDX-License-Identifier: MIT
"""``pyzram tend``: the daemon, one round of it, and what it tells."""
