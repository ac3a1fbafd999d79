# SPDX-License-Identifier: MIT
"""zram-generator's size expressions (MiB, floating point), turned into ours (bytes, exact)."""

from __future__ import annotations

import math

from ..errors import InvalidValueError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # "number", "ram" or an operator or function, and what it is applied to.
    Node = tuple[str, tuple["Node", ...], float]

SUFFIXES = {"k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "m": -3, "u": -6, "µ": -6, "n": -9, "p": -12}
COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
# How many values each takes, and what it makes of plain numbers. Only functions that our language
# also has can be applied to the memory.
FUNCTIONS: dict[str, tuple[int, int, Callable[..., float]]] = {
    "int": (1, 1, math.trunc),
    "ceil": (1, 1, math.ceil),
    "floor": (1, 1, math.floor),
    "abs": (1, 1, abs),
    "sign": (1, 1, lambda x: math.copysign(1, x)),
    "log": (1, 2, lambda a, b=None: math.log10(a) if b is None else math.log(b, a)),
    "round": (1, 2, lambda a, b=None: _round(a) if b is None else _round(b / a) * a),
    "min": (1, 99, lambda *values: min(values)),
    "max": (1, 99, lambda *values: max(values)),
    "e": (0, 0, lambda: math.e),
    "pi": (0, 0, lambda: math.pi),
    **{
        name: (1, 1, getattr(math, name))
        for word in ("sin", "cos", "tan")
        for name in (word, f"a{word}", f"{word}h", f"a{word}h")
    },
}
# How strongly our own operators bind.
LEVELS = {"<": 0, "+": 1, "-": 1, "*": 2, "/": 2, "negative": 3, "^": 4}
OURS = ("int", "ceil", "floor", "abs")
TIMES_MIB = "*1M"
TEXT_MAX = 250
"""The most characters of an expression, so that parsing it recurses no deeper than Python can."""
OURS_MAX = 4000
"""The most characters of our expression, since some operators name a value twice."""


class UntranslatableError(InvalidValueError):
    """The generator accepts it, but the configuration's expressions cannot express it."""


class UnknownNameError(InvalidValueError):
    """A name that is neither ``ram`` nor a function; :attr:`name` has it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not defined")
        self.name = name


def check_syntax(text: str) -> None:
    """Refuse what the generator refuses when parsing, whether it needs the value or not.

    Raises:
        InvalidValueError: it is not an expression.
    """
    if len(text) <= TEXT_MAX:  # a longer one is not translated anyway
        _ExpressionParser(text).whole()


def translate(text: str) -> str:
    """Return the size that an expression in MiB is, in the configuration's words.

    Raises:
        UnknownNameError: a variable that a command would have set.
        UntranslatableError: the generator knows it, but the configuration has no equivalent.
        InvalidValueError: the generator refuses it too.
    """
    if len(text) > TEXT_MAX:
        raise UntranslatableError(f"longer than {TEXT_MAX} characters")
    parser = _ExpressionParser(text)
    node = _fold(parser.whole())
    if parser.unknown:
        raise UnknownNameError(parser.unknown[0])
    if parser.prints:
        raise UntranslatableError("print() has no equivalent")
    if node[0] == "number" and not node[2] >= 0:
        raise InvalidValueError(f"{text!r} is {node[2]}, no size")
    return _bytes(node)


# ---- reading -----------------------------------------------------------------------------------


class _ExpressionParser:
    """Recursive descent, with the generator's order of operators."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.unknown: list[str] = []
        self.prints = False

    def whole(self) -> Node:
        node = self.either()
        self.blanks()
        if self.at < len(self.text):
            raise self.wrong()
        return node

    def wrong(self) -> InvalidValueError:
        rest = self.text[self.at :]
        what = f"{rest!r} is not expected" if rest else "it ends too early"
        return InvalidValueError(f"{self.text!r} is not a size: {what}")

    def char(self) -> str:
        return self.text[self.at : self.at + 1]

    def blanks(self) -> None:
        while self.char().isspace():
            self.at += 1

    def operator(self, *known: str) -> str:
        """Take one of some operators, or nothing; longer ones come first in ``known``."""
        self.blanks()
        for word in known:
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return word
        return ""

    def chain(self, below: Callable[[], Node], *known: str) -> Node:
        left = below()
        while operator := self.operator(*known):
            left = (operator, (left, below()), 0.0)
        return left

    def either(self) -> Node:
        return self.chain(self.both, "||")

    def both(self) -> Node:
        return self.chain(self.comparison, "&&")

    def comparison(self) -> Node:
        return self.chain(self.sum, *COMPARISONS)

    def sum(self) -> Node:
        return self.chain(self.product, "+", "-")

    def product(self) -> Node:
        return self.chain(self.remainder, "*", "/")

    def remainder(self) -> Node:
        return self.chain(self.power, "%")

    def power(self) -> Node:
        base = self.value()
        if not self.operator("^"):
            return base
        return ("^", (base, self.power()), 0.0)

    def value(self) -> Node:
        self.depth += 1
        if self.depth > 60:
            raise InvalidValueError(f"{self.text!r} is nested too deeply")
        try:
            sign = self.operator("-", "+", "!")
            if sign:
                inner = self.value()
                return inner if sign == "+" else ("negative" if sign == "-" else "!", (inner,), 0.0)
            if opening := self.operator("(", "["):
                inner = self.either()
                if not self.operator(")" if opening == "(" else "]"):
                    raise self.wrong()
                return inner
            char = self.char()
            if char.isascii() and (char.isdigit() or char == "."):
                return self.number()
            if char.isascii() and (char.isalpha() or char == "_"):
                return self.named()
            raise self.wrong()
        finally:
            self.depth -= 1

    def number(self) -> Node:
        start = self.at
        self.digits(".")
        if self.char() in ("e", "E"):
            self.at += 1
            if self.char() in ("+", "-"):
                self.at += 1
            self.digits("")
            power = 0
        else:
            power = SUFFIXES.get(self.char(), 0)
        word = self.text[start : self.at]
        self.at += bool(power)
        try:
            return ("number", (), float(word) if "e" in word.lower() else float(f"{word}e{power}"))
        except ValueError:
            why = f"{self.text!r} is not a size: {word!r} is not a number"
            raise InvalidValueError(why) from None

    def digits(self, more: str) -> None:
        while (char := self.char()) and ((char.isascii() and char.isdigit()) or char in more):
            self.at += 1

    def named(self) -> Node:
        start = self.at
        while (char := self.char()) == "_" or (char.isascii() and char.isalnum()):
            self.at += 1
        name = self.text[start : self.at]
        opening = self.operator("(", "[")
        if name == "ram" and not opening:
            return ("ram", (), 0.0)
        known = bool(opening) and (name in FUNCTIONS or name == "print")
        if not known:
            self.unknown.append(name)
        if not opening:
            return ("number", (), 0.0)
        closing = ")" if opening == "(" else "]"
        values: list[Node] = []
        if not self.operator(closing):
            values.append(self.either())
            while self.operator(",", ";"):
                values.append(self.either())
            if not self.operator(closing):
                raise self.wrong()
        if name not in FUNCTIONS:
            self.prints = self.prints or known
            return ("number", (), 0.0)
        least, most, _ = FUNCTIONS[name]
        if not least <= len(values) <= most:
            raise InvalidValueError(
                f"{self.text!r} is not a size: {name} does not take {len(values)} values"
            )
        return (name, tuple(values), 0.0)


# ---- numbers alone -----------------------------------------------------------------------------


def _fold(node: Node) -> Node:
    """Evaluate the parts that do not depend on the memory."""
    kind, parts, _ = node
    if kind in ("number", "ram"):
        return node
    parts = tuple(_fold(part) for part in parts)
    if any(part[0] != "number" for part in parts):
        return (kind, parts, 0.0)
    try:
        value = float(_apply(kind, [part[2] for part in parts]))
    except ZeroDivisionError:
        value = math.copysign(math.inf, parts[0][2]) if parts[0][2] else math.nan
    except OverflowError:
        value = math.inf
    except ValueError:
        value = -math.inf if kind == "log" and parts[-1][2] == 0 else math.nan
    return ("number", (), value)


def _apply(kind: str, values: list[float]) -> float:
    if kind in FUNCTIONS:
        return FUNCTIONS[kind][2](*values)
    first, second = values[0], values[-1]
    if kind == "^":
        return math.pow(first, second)
    values_of: dict[str, Callable[[], float]] = {
        "negative": lambda: -first,
        "!": lambda: not first,
        "+": lambda: first + second,
        "-": lambda: first - second,
        "*": lambda: first * second,
        "/": lambda: first / second,
        "%": lambda: math.fmod(first, second),
        "==": lambda: first == second,
        "!=": lambda: first != second,
        "<=": lambda: first <= second,
        ">=": lambda: first >= second,
        "<": lambda: first < second,
        ">": lambda: first > second,
        "&&": lambda: first and second,
        "||": lambda: first or second,
    }
    return values_of[kind]()


def _round(value: float) -> float:
    """Round to the nearest whole number, halves away from zero."""
    return math.copysign(math.floor(abs(value) + 0.5), value)


# ---- writing -----------------------------------------------------------------------------------


def _bytes(node: Node) -> str:
    """An expression in bytes, as simple as possible."""
    plain = _scaled(node)
    if plain is not None:
        return plain[0]
    text, level = _number_of(node)
    return (text if level >= LEVELS["*"] else f"({text})") + TIMES_MIB


def _scaled(node: Node) -> tuple[str, int] | None:
    """If all of it scales with the unit: the same in bytes, and how strongly it binds."""
    kind, parts, value = node
    if kind == "ram":
        return "mib(ram)", 9  # it rounds to whole MiB
    if kind == "number":
        if not 0 <= value < math.inf:
            return None
        size = value * (1 << 20)
        return (f"{_digits(value)}M", 9) if value else ("0", 9) if size == 0 else None
    if kind in ("min", "max"):
        found = [_scaled(part) for part in parts]
        words = [text for entry in found if entry is not None for text in entry[:1]]
        return (f"{kind}({', '.join(words)})", 9) if len(words) == len(parts) else None
    if kind in ("+", "-"):
        left, right = _scaled(parts[0]), _scaled(parts[1])
        return None if left is None or right is None else _joined(left, kind, right)
    if kind == "*":
        for one, other in (parts, parts[::-1]):
            if other[0] == "number" and other[2] >= 0 and (left := _scaled(one)) is not None:
                return _joined(left, "*", (_digits(other[2]), 9))
    if kind == "/" and parts[1][0] == "number" and parts[1][2] > 0:
        left = _scaled(parts[0])
        return None if left is None else _joined(left, "/", (_digits(parts[1][2]), 9))
    return None


def _number_of(node: Node) -> tuple[str, int]:
    """The same number (of MiB) in the configuration's words, and how strongly it binds."""
    text, level = _unlimited(node)
    if len(text) > OURS_MAX:
        raise UntranslatableError("the configuration would need too many words for it")
    return text, level


def _unlimited(node: Node) -> tuple[str, int]:
    kind, parts, value = node
    if kind == "number":
        return (_digits(value), 9) if value >= 0 else (f"-{_digits(-value)}", LEVELS["negative"])
    if kind == "ram":
        return "int(ram/1M)", 9
    found = [_number_of(part) for part in parts]
    words = [text for text, _ in found]
    if kind in OURS or kind in ("min", "max"):
        return f"{kind}({', '.join(words)})", 9
    if kind == "log":
        return f"log({', '.join(words)})", 9
    if kind == "round":
        if len(parts) == 1:
            return f"round({words[0]})", 9
        unit = f"({words[0]})"
        return f"round(({words[1]})/{unit})*{unit}", LEVELS["*"]
    if kind == "sign":
        return f"if(({words[0]}) < 0, -1, 1)", 9
    if kind == "!":
        return f"if({words[0]}, 0, 1)", 9
    if kind == "&&":
        return f"if({words[0]}, {words[1]}, {words[0]})", 9
    if kind == "||":
        return f"if({words[0]}, {words[0]}, {words[1]})", 9
    if kind == "%":
        return f"mod({words[0]}, {words[1]})", 9
    if kind == "negative":
        text, level = found[0]
        return f"-{text}" if level > LEVELS["negative"] else f"-({text})", LEVELS["negative"]
    if kind == "^":
        return f"({words[0]})^({words[1]})", LEVELS["^"]
    if kind in COMPARISONS:
        return f"({words[0]}) {kind} ({words[1]})", LEVELS["<"]
    if kind in LEVELS:
        return _joined(found[0], kind, found[1])
    raise UntranslatableError(f"{kind}() of the memory")


def _joined(left: tuple[str, int], operator: str, right: tuple[str, int]) -> tuple[str, int]:
    level = LEVELS[operator]
    one = left[0] if left[1] >= level else f"({left[0]})"
    other = right[0] if right[1] > level else f"({right[0]})"
    space = " " if level == LEVELS["+"] else ""
    return f"{one}{space}{operator}{space}{other}", level


def _digits(value: float) -> str:
    """A number from 0 up, without an exponent."""
    if not math.isfinite(value):
        raise UntranslatableError("it is not finite")
    if value == int(value):
        return str(int(value))
    text = repr(value)
    if "e" not in text:
        return text
    mantissa, _, power = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    shift = int(power)
    if shift < 0:
        return "0." + "0" * (-shift - 1) + whole + fraction
    return str(int(value))
