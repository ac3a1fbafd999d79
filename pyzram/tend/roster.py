# SPDX-License-Identifier: MIT
"""The devices that are there now, by their handles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..device.key import key_of
from ..device.zram import Zram
from ..errors import DeviceNotFoundError
from .tended import Tended

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..kernel.sysfs import Sysfs


class Roster:
    """Those that ``numbers`` names, asked anew each time.

    Synchronization: one thread.
    """

    def __init__(self, sysfs: Sysfs, numbers: Callable[[], Sequence[int]]) -> None:
        self.sysfs = sysfs
        self.numbers = numbers
        self.known: dict[str, Tended] = {}
        """By their keys, as :meth:`enumerate` left them."""

    def close(self) -> None:
        """Give up their handles."""
        for one in self.known.values():
            one.device.close()
        self.known = {}

    def enumerate(self) -> list[Tended]:
        """The devices that are there now; a number that somebody else has got is another."""
        before = {one.device.number: one for one in self.known.values()}
        found: list[Tended] = []
        try:
            for number in self.numbers():
                known = before.pop(number, None)
                if known is not None:
                    # The handle is of this very device: it answers no more when that is gone.
                    try:
                        known.device.read("disksize")
                        found.append(known)
                        continue
                    except DeviceNotFoundError:
                        self.known.pop(known.key).device.close()
                try:
                    device = Zram(number, sysfs=self.sysfs)
                except DeviceNotFoundError:
                    continue
                try:
                    found.append(Tended(device, key_of(device)))
                except BaseException as err:
                    device.close()
                    if not isinstance(err, DeviceNotFoundError):
                        raise
        except BaseException:
            for one in found:
                if self.known.get(one.key) is not one:
                    one.device.close()
            raise
        for one in before.values():
            one.device.close()
        self.known = {one.key: one for one in found}
        return found
