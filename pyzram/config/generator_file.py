# SPDX-License-Identifier: MIT
"""zram-generator's files: sections of keys, parsed as it parses them."""

from __future__ import annotations

from .imported import RefusedFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "r": "\r", "n": "\n", "0": "\0"}
BLANKS = " \t"


class Entry:
    """One ``key = value``; the section is ``None`` before the first one."""

    __slots__ = ("key", "line", "section", "value")

    def __init__(self, line: int, section: str | None, key: str, value: str) -> None:
        self.line = line
        self.section = section
        self.key = key
        self.value = value


def read_entries(text: str, path: str) -> Iterator[Entry]:
    """Yield the entries of a file in order; a section is announced by an entry without a key.

    Raises:
        RefusedFileError: the generator refuses the file.
    """
    parser = _FileParser(
        text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"), path
    )
    section: str | None = None
    while parser.next_line():
        line = parser.line
        if parser.peek() == "[":
            section = parser.section()
            yield Entry(line, section, "", "")
        else:
            key = parser.until("=:")
            if not key:
                raise parser.wrong("a key is missing")
            parser.at += 1
            yield Entry(line, section, key, parser.value())


class _FileParser:
    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.at = 0
        self.counted = (0, 1)  # the last position asked for, and the number of its line

    @property
    def line(self) -> int:
        start, line = self.counted
        self.counted = (self.at, line + self.text.count("\n", start, self.at))
        return self.counted[1]

    def wrong(self, why: str) -> RefusedFileError:
        return RefusedFileError(f"{self.path}:{self.line}: {why}, and zram-generator takes nothing")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def next_line(self) -> bool:
        """Go to the next line that is neither empty nor a comment."""
        while char := self.peek():
            if char.isspace():
                self.at += 1
            elif char in "#;":
                end = self.text.find("\n", self.at)
                self.at = end if end >= 0 else len(self.text)
            else:
                return True
        return False

    def section(self) -> str:
        end = self.text.find("]", self.at)
        if end < 0:
            raise self.wrong("the [ is never closed")
        name = self.text[self.at + 1 : end].strip()
        self.at = end + 1
        while self.peek() in (" ", "\t"):
            self.at += 1
        if self.peek() not in ("", "\n"):
            raise self.wrong("something follows the section's ]")
        return name

    def until(self, ends: str) -> str:
        start = self.at
        while char := self.peek():
            if char in ends:
                return self.text[start : self.at].strip()
            if char == "\n":
                break
            self.at += 1
        raise self.wrong("a key without a value")

    def value(self) -> str:
        while self.peek() in (" ", "\t"):
            self.at += 1
        start = ""
        if self.peek() in ("'", '"'):
            start = self.characters(self.text[self.at], quoted=True)
        return start + self.characters("\n", quoted=False).strip()

    def characters(self, end: str, *, quoted: bool) -> str:
        """Take characters up to ``end``, with escapes."""
        parts: list[str] = []
        self.at += quoted
        while (char := self.peek()) != end:
            if not char:
                if quoted:
                    raise self.wrong(f"the {end} is never closed")
                break
            self.at += 1
            if char != "\\":
                parts.append(char)
                continue
            escaped = self.peek()
            if not escaped:
                raise self.wrong("it ends with a backslash")
            self.at += 1
            if escaped == "x":
                digits = self.text[self.at : self.at + 4]
                if len(digits) != 4 or any(x not in "0123456789abcdefABCDEF" for x in digits):
                    raise self.wrong("four digits must follow \\x")
                self.at += 4
                parts.append(chr(int(digits, 16)))
            elif escaped != "\n":
                parts.append(ESCAPES.get(escaped, escaped))
        self.at += quoted
        return "".join(parts)
