# SPDX-License-Identifier: MIT
"""What is wrong or wasteful in the running setup."""
