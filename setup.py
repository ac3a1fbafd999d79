# SPDX-License-Identifier: MIT
"""Build the C extensions; everything declarative is in pyproject.toml."""

import re
import sysconfig
from glob import glob
from pathlib import Path

from setuptools import setup

try:
    import cffi  # noqa: F401
except ImportError as err:
    # Without cffi, setuptools only warns about cffi_modules and goes on to make
    # a package that lacks its extensions. That must never look like success.
    raise SystemExit(
        "pyzram: cannot build: the Python package cffi is missing; install it "
        "(Gentoo: dev-python/cffi, Debian: python3-cffi, Fedora: python3-cffi, "
        "Alpine: py3-cffi)"
    ) from err

# A free-threaded interpreter has no stable ABI that cffi can use everywhere.
STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")

# Where man and the shells look below an installation's prefix, even a virtual environment's.
COMPLETIONS = "initscripts/completions"
DATA = {
    "share/man/man5": glob("man/*.5"),
    "share/man/man8": glob("man/*.8"),
    "share/bash-completion/completions": glob(f"{COMPLETIONS}/*.bash"),
    "share/zsh/site-functions": glob(f"{COMPLETIONS}/_*"),
    "share/fish/vendor_completions.d": glob(f"{COMPLETIONS}/*.fish"),
}


def description() -> str:
    """The README for PyPI, which has no files beside it, so that links there need addresses."""

    def place(link: re.Match[str]) -> str:
        kind = "raw" if link[0].startswith("!") else "blob"
        return f"{link[0]}https://github.com/pyzram/pyzram/{kind}/main/"

    text = Path("README.md").read_text(encoding="utf-8")
    return re.sub(r"!?\[[^]]*\]\((?!https?:|#)", place, text)


setup(
    long_description=description(),
    long_description_content_type="text/markdown",
    license="MIT",  # here, because the pyproject.toml form of it divides setuptools 76 from 77
    scripts=["scripts/pyzram", "scripts/zram_stats"],
    data_files=[(folder, sorted(files)) for folder, files in DATA.items()],
    cffi_modules=["csrc/build_ffi.py:device", "csrc/build_ffi.py:pages"],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if STABLE_ABI else {},
)
