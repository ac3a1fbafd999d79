# SPDX-License-Identifier: MIT
"""Stand-ins for what nixpkgs gives a NixOS module, and a run of nix-instantiate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

# Asking it for something that it lacks is an error.
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
    """Evaluate an expression in a folder, to JSON; nothing is built, or kept outside the folder."""
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
