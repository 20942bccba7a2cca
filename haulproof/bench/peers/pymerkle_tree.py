"""pymerkle's tree in SQLite: a leaf a commit, many leaves a commit, and proofs at historic sizes.

From the extra ``bench`` alone: pymerkle is GPL, and nothing of ours imports it anywhere else.
"""

import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from haulproof.bench.log.places import historic_places

_ONE_BY_ONE = 2_000
_PROOFS = 500


def pymerkle_figures(entries: Sequence[bytes], folder: Path) -> dict[str, Any] | None:
    """Leaves per second and seconds of proofs; None where pymerkle is not installed."""
    if find_spec("pymerkle") is None:
        return None
    from pymerkle import SqliteTree

    with SqliteTree(str(folder / "pymerkle-one-by-one.db")) as tree:
        few = entries[:_ONE_BY_ONE]
        started = time.perf_counter()
        for entry in few:
            tree.append_entry(entry)
        one_by_one = len(few) / (time.perf_counter() - started)
    with SqliteTree(str(folder / "pymerkle.db")) as tree:
        started = time.perf_counter()
        tree.append_entries(entries)
        tree.get_root()
        bulk = len(entries) / (time.perf_counter() - started)
        proofs = [
            _seconds(tree, index, size) for index, size in historic_places(len(entries), _PROOFS)
        ]
    return {"one_by_one_per_s": one_by_one, "bulk_per_s": bulk, "proof_s": proofs}


def _seconds(tree: Any, index: int, size: int) -> float:
    started = time.perf_counter()
    tree.prove_inclusion(index + 1, size)
    return time.perf_counter() - started
