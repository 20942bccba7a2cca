"""aics-tlog's writer of C2SP tiles into a directory, each file synced, batch after batch."""

import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

PYTHON_MIN = (3, 12)


def aics_leaves_per_s(
    entries: Sequence[bytes], batch: int, folder: Path, seconds: float
) -> float | None:
    """Leaves per second for about so long; None where it is not installed or Python is older."""
    if sys.version_info < PYTHON_MIN or find_spec("aics_tlog") is None:
        return None
    from aics_tlog.writer import DirectoryTileStore, IncrementalTileWriter

    folder.mkdir()
    writer = IncrementalTileWriter(DirectoryTileStore(folder, fsync=True))
    done, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds and done < len(entries):
        writer.append(entries[done : done + batch])
        done += len(entries[done : done + batch])
    return done / spent if spent else None
