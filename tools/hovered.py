# SPDX-License-Identifier: MIT
"""Whether an editor shows what every field of every public class means.

It asks pyright's language server, as editors do, what is under the cursor: the answer must have the
words below the field. It is skipped if pyright is not available, as by tools/typed.py.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyzram
from pyzram.field_docs import Field, fields_of

SERVER = f"{os.path.dirname(sys.executable)}/pyright-langserver"


class LanguageServer:
    """Speaks JSON-RPC with a server on its standard input and output."""

    def __init__(self) -> None:
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
        self.process = subprocess.Popen(
            [SERVER, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": path},
        )
        self.asked = 0

    def say(self, message: dict[str, Any]) -> None:
        """Send one message."""
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Read one message."""
        assert self.process.stdout
        length = 0
        while line := self.process.stdout.readline().strip():
            if line.startswith(b"Content-Length"):
                length = int(line.partition(b":")[2])
        if not length:
            raise EOFError("the language server has ended")
        found: dict[str, Any] = json.loads(self.process.stdout.read(length))
        return found

    def ask(self, method: str, **params: Any) -> Any:
        """Send a request, and answer those that come in between, until its result arrives."""
        self.asked += 1
        self.say({"id": self.asked, "method": method, "params": params})
        while True:
            message = self.hear()
            if "method" not in message:
                if message["id"] == self.asked:
                    return message["result"]
            elif "id" in message:  # which Python, for each part of the settings
                items = message["params"].get("items", []) if message.get("params") else []
                settings = [{"pythonPath": sys.executable} for _ in items]
                self.say({"id": message["id"], "result": settings or None})


def ask_all(folder: Path, wanted: list[tuple[str, Field]]) -> list[str]:
    """What the editor shows of each field, when the cursor is on its name."""
    lines = [f"print(pyzram.{name}.{field.name})" for name, field in wanted]
    uri, text = (folder / "x.py").as_uri(), "\n".join(["import pyzram", *lines])
    server = LanguageServer()
    try:
        server.ask(
            "initialize",
            processId=os.getpid(),
            rootUri=folder.as_uri(),
            workspaceFolders=[{"uri": folder.as_uri(), "name": "x"}],
            capabilities={
                "workspace": {"configuration": True},
                "textDocument": {"hover": {"contentFormat": ["plaintext"]}},
            },
        )
        server.say({"method": "initialized", "params": {}})
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        server.say({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        shown = []
        for at, line in enumerate(lines, 1):
            place = {"line": at, "character": line.rindex(".") + 1}
            found = server.ask("textDocument/hover", textDocument={"uri": uri}, position=place)
            shown.append(found["contents"]["value"] if found else "")
        return shown
    finally:
        server.process.kill()
        server.process.communicate()


def plain(text: str) -> str:
    """Only the words, because markup and line ends differ."""
    return re.sub(r"\W+", " ", text).strip()


def main() -> int:
    """Return 1 if any field is not explained."""
    if not os.path.exists(SERVER):
        required = os.environ.get("PYZRAM_REQUIRE_PYRIGHT") == "1"
        print(f"{'required, but' if required else 'skipped:'} no pyright here")
        return int(required)
    wanted = [
        (name, field)
        for name in pyzram.__all__
        if inspect.isclass(kind := getattr(pyzram, name))
        for field in fields_of(kind)
    ]
    with tempfile.TemporaryDirectory() as folder:
        shown = ask_all(Path(folder), wanted)
    missing = 0
    for (name, field), text in zip(wanted, shown, strict=True):
        if plain(field.text) not in plain(text):
            missing += 1
            print(f"{name}.{field.name}: an editor shows {text!r}")
    print(f"fields that an editor shows with their words: {len(wanted) - missing} of {len(wanted)}")
    return int(missing or not wanted)


if __name__ == "__main__":
    sys.exit(main())
