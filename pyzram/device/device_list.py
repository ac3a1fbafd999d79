# SPDX-License-Identifier: MIT
"""All zram devices at once."""

from __future__ import annotations

from ..errors import DeviceNotFoundError
from ..kernel.sysfs import Sysfs, as_sysfs
from .zram import Zram

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class DeviceList(list[Zram]):
    """Handles, closed together: ``with pyzram.devices() as found: ...``.

    Synchronization: as for a list.
    """

    def close(self) -> None:
        """Close every handle; the devices stay as they are."""
        for device in self:
            device.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def devices(*, sysfs: Sysfs | None = None) -> DeviceList:
    """Return a handle for every zram device, by ascending number; empty without a driver.

    Close each of them, or use the list in a ``with`` statement.

    Raises:
        ZramOSError: /sys is not mounted or readable, or one of them cannot be opened (EMFILE: more
            devices than this process may open files); none is left open.
    """
    found = DeviceList()
    tree = as_sysfs(sysfs)
    try:
        for number in tree.numbers():
            try:
                found.append(Zram(number, sysfs=tree))
            except DeviceNotFoundError:
                continue  # removed since it was listed
    except BaseException:
        found.close()
        raise
    return found
