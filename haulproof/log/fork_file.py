"""The proof that a log has forked, as a file to show to everyone who reads that log.

JSON: ``origin``, ``older`` and ``newer`` (the two signed notes), and why both can't be true:
``proof`` (hexadecimal) shows by RFC 9162 section 2.1.4 that the newer tree begins with a tree of
the older one's size and the root ``prefix_root``; the older note has another root.
"""

import json
from pathlib import Path

from exchange.private_files import write_private
from ledger.verified_tree import LogForked


def write_fork(forked: LogForked, beside: Path) -> Path:
    """Write the proof beside a file or folder; its path. ``EnvironmentUnfit`` when it can't be."""
    sizes = f"{forked.older.head.size}-{forked.newer.head.size}"
    path = beside.with_name(f"{beside.name}.fork-{sizes}.json")
    found = {
        "origin": forked.newer.head.origin,
        "older": forked.older.note.decode(),
        "newer": forked.newer.note.decode(),
        "prefix_root": forked.prefix_root.hex(),
        "proof": [node.hex() for node in forked.proof],
    }
    write_private(path, (json.dumps(found, indent=1) + "\n").encode(), mode=0o644)
    return path
