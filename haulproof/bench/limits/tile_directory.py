"""The tree as files of C2SP tlog-tiles, each written, synced and named before the next batch."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from ledger.merkle import leaf_hash
from ledger.tiles import TILE_WIDTH, append, encode_bundle, entries_path, tile_path


def directory_leaves_per_s(
    entries: Sequence[bytes], batch: int, folder: Path, seconds: float
) -> float:
    """Leaves per second into a new directory, ``batch`` at a time, for about so long."""
    size, edge = 0, dict[int, bytes]()
    started = time.perf_counter()
    while (spent := time.perf_counter() - started) < seconds and size < len(entries):
        new = entries[size : size + batch]
        grown = append(size, edge, [leaf_hash(entry) for entry in new])
        files = {
            tile_path(level, n, len(tile) // 32): tile for (level, n), tile in grown.changed.items()
        }
        _write(folder, files | _bundles(entries, size, grown.size))
        size, edge = grown.size, grown.edge
    return size / spent


def _bundles(entries: Sequence[bytes], size: int, new_size: int) -> dict[str, bytes]:
    bundles = {}
    for n in range(size // TILE_WIDTH, (new_size + TILE_WIDTH - 1) // TILE_WIDTH):
        held = entries[n * TILE_WIDTH : min((n + 1) * TILE_WIDTH, new_size)]
        bundles[entries_path(n, len(held))] = encode_bundle(held)
    return bundles


def _write(folder: Path, files: dict[str, bytes]) -> None:
    touched = set[Path]()
    for path, data in files.items():
        place = folder / path
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
            touched.update(parent for parent in place.parents if parent.is_relative_to(folder))
        aside = folder / ".unfinished"
        with aside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(place)
        touched.add(place.parent)
    for each in touched:
        descriptor = os.open(each, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
