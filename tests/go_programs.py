"""Programs of other projects, built by the Go toolchain where there is one, pinned by version."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_BUILD_S_MAX = 600


def build(package: str, version: str, folder: Path) -> Path:
    """The program of a package path; skips the test where it can't be built."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain on PATH")
    done = subprocess.run(
        [go, "install", f"{package}@{version}"],
        env={**os.environ, "GOBIN": str(folder)},
        capture_output=True,
        text=True,
        timeout=_BUILD_S_MAX,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"{package} could not be built: {done.stderr.strip().splitlines()[-1:]}")
    return folder / package.rpartition("/")[2]
