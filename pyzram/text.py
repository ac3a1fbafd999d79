# SPDX-License-Identifier: MIT
"""Text that others have chosen: names, words that they type, output of programs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def quote(text: str) -> str:
    r"""Return text that is safe to print: unprintable characters are escaped (``\x1b``).

    A process may choose any name, and one with control characters could take over the terminal that
    shows it. Bytes that are not UTF-8 are escaped as bytes.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def quote_lines(text: str) -> str:
    """Do the same to each line of a text; its newlines stay."""
    return "\n".join(map(quote, text.split("\n")))


def short(text: str, most: int = 300) -> str:
    """Return a text cut to what fits in one line."""
    return text if len(text) <= most else f"{text[: most // 2]}...{text[-most // 2 :]}"


def closest(word: str, known: Iterable[str]) -> str:
    """Return the known word that may have been meant, or nothing."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, known, 1)), "")


def is_whole(text: str, digits: int = 20) -> bool:
    """Whether a text is a plain whole number of at most so many digits, enough for 64 bits.

    int() also takes signs, blanks, underscores and other scripts' digits, and fails for thousands.
    """
    return text.isascii() and text.isdigit() and len(text) <= digits


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, by surrogateescape
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
