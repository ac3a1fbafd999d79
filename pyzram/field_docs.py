# SPDX-License-Identifier: MIT
"""The fields of a class, read from its source: name, type, and the words below each.

Editors and Sphinx read those words in the source. ``help()`` does not, so classes that are
:func:`pyzram.value.documented` ask here when somebody wants to see them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Field(NamedTuple):
    """A field; ``kind`` and ``text`` are empty where the source has none."""

    name: str
    kind: str
    text: str


def fields_of(kind: type) -> list[Field]:
    """The fields of a class and of its base classes in pyzram, whose fields come first.

    Raises:
        OSError: there is no source.
    """
    found: dict[str, Field] = {}
    for base in reversed(kind.__mro__):
        if base is kind or base.__module__.partition(".")[0] == "pyzram":
            for field in own_fields(base):
                found.setdefault(field.name, field)
    return list(found.values())


@cache
def own_fields(kind: type) -> list[Field]:
    """The public fields that a class names in its body or sets on ``self`` in its methods.

    Raises:
        OSError: there is no source.
    """
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    methods = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found: dict[str, Field] = {}
    for node, text in _with_words(tree.body):
        for target, annotation in _targets(node):
            if isinstance(target, ast.Name) and not _is(annotation, "ClassVar"):
                _add(found, target.id, annotation, text)
    for method in methods:
        for body in _bodies(method):
            for node, text in _with_words(body):
                for target, annotation in _targets(node):
                    if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self":
                        _add(found, target.attr, annotation, text)
    return list(found.values())


def _add(found: dict[str, Field], name: str, annotation: ast.expr | None, text: str) -> None:
    if name.startswith("_") or (annotation is None and name in found):
        return
    found[name] = Field(name, ast.unparse(annotation) if annotation else "", text)


def _is(annotation: ast.expr | None, name: str) -> bool:
    return annotation is not None and ast.unparse(annotation).startswith(name)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements within a method."""
    for inner in ast.walk(node):
        for part in ("body", "orelse", "finalbody"):
            if isinstance(body := getattr(inner, part, None), list):
                yield body


def _with_words(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Statements, each with the text below it."""
    for node, below in zip_longest(body, body[1:]):
        text = ""
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            text = inspect.cleandoc(str(below.value.value))
        yield node, text


def _targets(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    if isinstance(node, ast.AnnAssign):
        yield node.target, node.annotation
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            for one in target.elts if isinstance(target, ast.Tuple) else [target]:
                yield one, None


def with_fields(kind: type, own: str | None) -> str | None:
    """A class's own docstring, followed by a list of its fields."""
    try:
        fields = fields_of(kind)
    except (OSError, TypeError, SyntaxError):  # no source, or source from a console
        return own
    lines = [inspect.cleandoc(own or ""), "", "Fields:"]
    for field in fields:
        lines += [f"    {field.name}: {field.kind}", textwrap.indent(field.text, 8 * " ")]
    return "\n".join(lines) if fields else own
