# SPDX-License-Identifier: MIT
"""What becomes of pages: codecs, the pool's size classes, and samples of real memory."""
