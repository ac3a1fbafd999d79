# SPDX-License-Identifier: MIT
"""The configuration file and what it asks for; other tools' files translated into it."""
