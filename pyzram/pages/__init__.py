# SPDX-License-Identifier: MIT
"""What becomes of pages: codecs, the pool's size classes, samples of real memory."""
