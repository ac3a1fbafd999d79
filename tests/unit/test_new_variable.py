# SPDX-License-Identifier: MIT
"""What a new variable of zram.conf takes: a field and a row, made up here.

With these it is read, checked, recorded, shown and compared. What it does to a device is up to a
step of a plan; other tests compare the manual and the shipped file with the table.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from pyzram.config import device_config, variables

# What is written into each of the two files: before the first text comes the second.
FIELD = [
    ("    )\n    __slots__", '        "colour",\n'),
    ("    def __init__(", '    colour: str\n    """Of the device."""\n\n'),
    ("    ) -> None:\n", '        colour: str = "grey",\n'),
    ("        )\n\n    if TYPE_CHECKING", "            colour,\n"),
]
ROW = [
    (
        '        Variable("ZRAM_LABEL"',
        '        Variable("ZRAM_COLOUR", "colour", Values.word, restore=str, of=SWAP),\n',
    )
]
RUN = """
import json, sys, types
import pyzram.config

files, before, after = json.load(sys.stdin)
for name, path, changes in files:
    text = open(path).read()
    for mark, more in changes:
        assert text.count(mark) == 1, mark
        text = text.replace(mark, more + mark)
    module = types.ModuleType(f"pyzram.config.{name}")
    sys.modules[module.__name__] = module
    setattr(pyzram.config, name, module)
    module.__package__ = "pyzram.config"
    exec(text, vars(module))

from pyzram.config.config import ConfigError
from pyzram.config.parser import parse_config
from pyzram.kernel.parse import SwapArea
from pyzram.service.observed import ObservedDevice, ObservedSystem
from pyzram.service.reload_planner import plan_reload
from pyzram.service.registered import RegisteredDevice, devices_of, lines_of

def parse(text):
    return parse_config(text, "zram", ram=8 << 30, cpus=2)

try:
    old, new = parse(before), parse(after)
except ConfigError as err:
    print(json.dumps({"problems": err.problems}))
    sys.exit()
record = RegisteredDevice(0, 7, "70", ready=True)
record.settings = old.device(0)
lines = list(lines_of([record]))
(back,) = devices_of(lines)
size = old.device(0).disksize
device = ObservedDevice(
    7, index=0, ready=True, settings=back.settings, disksize=size, algorithm="zstd",
    area=SwapArea("/dev/zram7", "partition", size, 0, 100),
)
machine = ObservedSystem(driver=True, devices=[device], available=8 << 30)
plan = plan_reload(new, machine)
print(json.dumps({"lines": lines, "told": new._told(), **plan.as_dict()}))
"""


def run(before: str, after: str) -> dict[str, Any]:
    """What becomes of a device that runs with one file and is to become what another says."""
    files = [
        ("device_config", device_config.__file__, FIELD),
        ("variables", variables.__file__, ROW),
    ]
    done = subprocess.run(
        [sys.executable, "-Ic", RUN],
        input=json.dumps([files, before, after]),
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_field_and_a_row_are_all_that_it_takes() -> None:
    found = run("ZRAM_SIZE_0=1G\nZRAM_COLOUR_0=blue\n", "ZRAM_SIZE_0=1G\nZRAM_COLOUR_0=red\n")
    assert " colour blue" in found["lines"]
    assert "ZRAM_COLOUR_0=red (zram:2)" in found["told"]
    (device,) = found["devices"]
    assert device["settings"]["colour"] == "red"
    assert device["sources"]["ZRAM_COLOUR_0"] == "zram:2"
    (change,) = found["changes"]
    assert [change[key] for key in ("field", "have", "want", "needs")] == [
        *("colour", "blue", "red"),
        "new device",
    ]
    assert [step["action"] for step in found["steps"]][:2] == ["add", "configure"]


def test_what_is_not_set_has_the_default_of_the_field() -> None:
    found = run("ZRAM_SIZE_0=1G\n", "ZRAM_SIZE_0=1G\nZRAM_COLOUR_0=grey\n")
    assert not found["changes"]
    assert not found["steps"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ZRAM_COLOUR_0='a b'", "zram:2: ZRAM_COLOUR_0: 'a b' is not a name"),
        (
            "ZRAM_COLOR_0=blue",
            "zram:2: ZRAM_COLOR_0: no such variable (did you mean ZRAM_COLOUR_0?)",
        ),
        ("ZRAM_COLOUR_0=blue\nZRAM_MOUNT_0=/srv", "zram:2: ZRAM_COLOUR_0: is for swap only"),
    ],
)
def test_it_is_checked(line: str, problem: str) -> None:
    found = run("", f"ZRAM_SIZE_0=1G\n{line}\n")
    assert found["problems"] == [problem]
