"""A disk of a few megabytes, and one without a free byte."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(where: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own."""
    where.mkdir()
    size = f"size={megabytes}m,mode=0755"
    mounted = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(where)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def fill(disk: Path) -> Path:
    """Leave nothing free on it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        block = 1 << 20
        while block:
            try:
                file.write(bytes(block))
            except OSError:
                block //= 2
    return filler
