# SPDX-License-Identifier: MIT
"""What ``zram_stats`` does beside printing figures once, which it loads only when asked to."""
