# SPDX-License-Identifier: MIT
"""Stand-ins for what nixpkgs gives a module of NixOS, and nix-instantiate on an expression."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# What is asked of it that it has not is an error.
LIB = """rec {
    mkEnableOption = text: text; mkOption = given: given;
    mkIf = wanted: set: if wanted then set else {};
    types = { package = 1; int = 1; str = 1; either = a: b: 1; attrsOf = a: 1; nullOr = a: 1; };
    optional = wanted: x: if wanted then [ x ] else [];
    literalExpression = text: text; escapeShellArg = text: "'${text}'";
    concatStrings = builtins.concatStringsSep "";
    mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
  }"""


def evaluate(folder: Path, expression: str) -> str:
    """What an expression is in a folder, in JSON; nothing is built, or kept outside of it."""
    state = {f"NIX_{name}_DIR": str(folder / "nix") for name in ("STATE", "LOG", "STORE")}
    options = ["--eval", "--strict", "--json", "--store", "dummy://", "--readonly-mode"]
    done = subprocess.run(
        ["nix-instantiate", *options, "-E", expression],
        cwd=folder,
        env={**os.environ, **state},
        text=True,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
