# SPDX-License-Identifier: MIT
"""Text that others have chosen: names of processes, files, labels, words of other programs."""

from __future__ import annotations


def quote(text: str) -> str:
    r"""Return text that is safe to print: what is no printable character is escaped (``\x1b``).

    A process may call itself what it likes, and what it likes may steer the terminal of whoever
    reads of it. Bytes that are no UTF-8 are escaped as such.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def quote_lines(text: str) -> str:
    """Do the same to each line of a text, which stays a text of lines."""
    return "\n".join(map(quote, text.split("\n")))


def short(text: str, most: int = 300) -> str:
    """Return so much of a text that a line of it can be read."""
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, by surrogateescape
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
