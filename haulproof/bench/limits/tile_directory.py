"""The tree as files of C2SP tlog-tiles, each written, synced and named before the next batch."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger.merkle import HASH_BYTES, leaf_hash
from ledger.tiles import TILE_WIDTH, append, encode_bundle, entries_path, tile_path

_SYNCED_AT_ONCE = 16
"""Files that wait for the disk together: it makes one write of many."""


def directory_leaves_per_s(
    entries: Sequence[bytes], batch: int, folder: Path, seconds: float
) -> float:
    """Leaves per second into a new directory, ``batch`` at a time, for about so long."""
    size, edge = 0, dict[int, bytes]()
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as syncing:
        started = time.perf_counter()
        while (spent := time.perf_counter() - started) < seconds and size < len(entries):
            new = entries[size : size + batch]
            grown = append(size, edge, [leaf_hash(entry) for entry in new])
            files = {
                tile_path(level, n, len(tile) // HASH_BYTES): tile
                for (level, n), tile in grown.changed.items()
            }
            _write(folder, files | _bundles(entries, size, grown.size), syncing)
            size, edge = grown.size, grown.edge
    return size / spent


def _bundles(entries: Sequence[bytes], size: int, new_size: int) -> dict[str, bytes]:
    bundles = {}
    for n in range(size // TILE_WIDTH, (new_size + TILE_WIDTH - 1) // TILE_WIDTH):
        held = entries[n * TILE_WIDTH : min((n + 1) * TILE_WIDTH, new_size)]
        bundles[entries_path(n, len(held))] = encode_bundle(held)
    return bundles


def _write(folder: Path, files: dict[str, bytes], syncing: ThreadPoolExecutor) -> None:
    """Files aside first, synced side by side, then named, then the folders that got a name."""
    touched = set[Path]()
    written = []
    for number, (path, data) in enumerate(files.items()):
        place = folder / path
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
            touched.update(parent for parent in place.parents if parent.is_relative_to(folder))
        touched.add(place.parent)
        aside = folder / f".unfinished-{number}"
        aside.write_bytes(data)
        written.append((aside, place))
    list(syncing.map(_sync, [aside for aside, _ in written]))
    for aside, place in written:
        aside.replace(place)
    list(syncing.map(_sync, touched))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
