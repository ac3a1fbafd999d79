# SPDX-License-Identifier: MIT
"""What help() and the documentation show: every public name, member and field says what it is."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pyzram


def undocumented() -> list[str]:
    missing = []
    for name in pyzram.__all__:
        value = getattr(pyzram, name)
        if not inspect.isclass(value):
            if callable(value) and not value.__doc__:
                missing.append(name)
            continue
        if not value.__doc__:
            missing.append(name)
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(value))).body
        assert isinstance(tree, ast.ClassDef)
        for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                text = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                if not node.target.id.startswith("_") and not text:
                    missing.append(f"{name}.{node.target.id}")
            function = isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
            if function and not ast.get_docstring(node):
                missing.append(f"{name}.{node.name}")
    return missing


def test_everything_public_says_what_it_is() -> None:
    assert undocumented() == []


def test_a_field_without_a_word_is_found(monkeypatch) -> None:
    class Value:
        """One."""

        size: int

    monkeypatch.setattr(pyzram, "Value", Value, raising=False)
    monkeypatch.setattr(pyzram, "__all__", ["Value"])
    assert undocumented() == ["Value.size"]
