# SPDX-License-Identifier: MIT
"""Assignments in shell syntax, read without a shell: nothing is ever executed.

``NAME=value`` lines mean what they mean to a shell: single and double quotes, backslashes,
comments, blank lines, continued lines, ``export``, and ``$NAME`` of a variable set earlier in the
same file. Whatever would run something is reported, with its line, and skipped.
"""

from __future__ import annotations

NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
BLANKS = " \t"
# Unquoted, these mean something to a shell, so its value would differ from the one read here.
MUST_BE_QUOTED = "()<>|&"
# The parameters of a shell, after a $.
SPECIAL = "@*#?-$!0123456789"
VALUE_MAX = 4096
"""The most characters of a value, since each may name others, which again name others."""
ALL_VALUES_MAX = 1 << 20
"""The most characters of all values together."""


class Assignment:
    """One variable, as the file sets it."""

    __slots__ = ("line", "name", "value")

    def __init__(self, line: int, name: str, value: str) -> None:
        self.line = line
        self.name = name
        self.value = value


class LineError(Exception):
    """Something that was refused: a line number and a reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason


def read_assignments(text: str) -> tuple[list[Assignment], list[LineError]]:
    """Return the assignments in order, and everything that was refused."""
    reader = _AssignmentParser(text)
    refused: list[LineError] = []
    while reader.skip_between():
        try:
            reader.word()
        except LineError as problem:
            refused.append(problem)
            reader.skip_line()
    return reader.found, refused


class _AssignmentParser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.line = 1
        self.found: list[Assignment] = []
        self.values: dict[str, str] = {}
        self.room = ALL_VALUES_MAX
        self.first_of_line = True
        self.exporting_line = 0

    # ---- characters ----------------------------------------------------------------------------

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self) -> str:
        char = self.peek()
        self.at += 1
        if char == "\n":
            self.line += 1
            self.first_of_line = True
        return char

    def continued(self) -> bool:
        """Skip a backslash at the end of a line."""
        if self.text.startswith("\\\n", self.at):
            self.take()
            self.take()
            return True
        return False

    def skip_between(self) -> bool:
        """Go to the next word; false at the end of the text."""
        while char := self.peek():
            if char == "#":
                self.skip_line()
            elif char in BLANKS or char in "\n;":
                self.take()
            elif not self.continued():
                return True
        return False

    def skip_line(self) -> None:
        # In one step: most of a file is comments, and each character would take as long as a call.
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    # ---- words ---------------------------------------------------------------------------------

    def name(self) -> str:
        start = self.at
        while self.peek() and self.peek() in NAME_CHARACTERS:
            self.at += 1
        return self.text[start : self.at]

    def word(self) -> None:
        """Take ``NAME=value``, or ``export`` before one."""
        start, line = self.at, self.line
        first, self.first_of_line = self.first_of_line, False
        name = self.name()
        after = self.peek()
        if name == "export" and after in (" ", "\t"):
            if first:
                self.exporting_line = line
            return
        # ``export NAME`` changes nothing here.
        if name in self.values and after in ("", *BLANKS, "\n") and self.exporting_line == line:
            return
        if after != "=" or not name or name[0].isdigit():
            end = self.text.find("\n", start)
            rest = self.text[start : end if end >= 0 else None].strip()
            if name and after in (" ", "\t") and rest[len(name) :].lstrip().startswith("="):
                raise LineError(line, f"{name}: no blanks around '=' in shell syntax")
            raise LineError(
                line,
                f"{rest!r} is not an assignment: this file holds NAME=value lines and no commands",
            )
        self.take()
        value = self.value(name, line)
        self.first_of_line = False
        if len(value) > VALUE_MAX:
            raise LineError(line, f"{name}: longer than {VALUE_MAX} characters")
        self.room -= len(value)
        if self.room < 0:
            raise LineError(line, f"{name}: with it, the values are too long in all")
        self.values[name] = value
        self.found.append(Assignment(line, name, value))

    def value(self, name: str, line: int) -> str:
        parts: list[str] = []
        if self.peek() == "~":
            raise LineError(line, f"{name}: a shell would expand '~', write the path in full")
        while (char := self.peek()) and char not in BLANKS and char not in "\n;":
            if char in MUST_BE_QUOTED:
                raise LineError(
                    line, f"{name}: quote the value, {char!r} means something to a shell"
                )
            if self.continued():
                continue
            self.take()
            if char == "'":
                parts.append(self.single_quoted(name, line))
            elif char == '"':
                parts.append(self.double_quoted(name, line))
            elif char == "\\":
                parts.append(self.take())
            elif char == "$" and self.peek() and self.peek() in "\"'":
                raise LineError(line, f"{name}: shells differ on ${self.peek()}, quote the $")
            elif char in "$`":
                parts.append(self.expansion(char, name, line))
            else:
                parts.append(char)
        return "".join(parts)

    def single_quoted(self, name: str, line: int) -> str:
        end = self.text.find("'", self.at)
        if end < 0:
            raise self.unterminated(name, line, "'")
        value = self.text[self.at : end]
        self.line += value.count("\n")
        self.at = end + 1
        return value

    def double_quoted(self, name: str, line: int) -> str:
        if self.text.find('"', self.at) < 0:
            raise self.unterminated(name, line, '"')
        parts: list[str] = []
        while (char := self.peek()) != '"':
            if not char:
                raise self.unterminated(name, line, '"')
            if self.continued():
                continue
            self.take()
            if char == "\\" and self.peek() in ("$", "`", '"', "\\"):
                parts.append(self.take())
            elif char in "$`":
                parts.append(self.expansion(char, name, line))
            else:
                parts.append(char)
        self.take()
        return "".join(parts)

    def unterminated(self, name: str, line: int, quote: str) -> LineError:
        return LineError(line, f"{name}: the {quote} is never closed")

    def expansion(self, char: str, name: str, line: int) -> str:
        """Take what follows ``$`` or a backtick."""
        if char == "`" or self.peek() == "(":
            what = "backticks" if char == "`" else "$(...)"
            raise LineError(
                line,
                f"{name}: {what} cannot be taken, nothing in this file is executed "
                "(sizes may be expressions such as 'min(ram/2, 4G)')",
            )
        braced = self.peek() == "{"
        if braced:
            self.take()
        if self.peek() and self.peek() in SPECIAL:
            raise LineError(line, f"{name}: ${self.peek()} means something to a shell")
        variable = self.name()
        if not variable and not braced:
            return "$"
        if braced and self.take() != "}":
            raise LineError(line, f"{name}: of ${{...}} only a plain ${{NAME}} can be taken")
        if variable not in self.values:
            raise LineError(line, f"{name}: ${variable} is not set earlier in this file")
        return self.values[variable]
