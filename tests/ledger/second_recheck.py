"""A second implementation that rechecks a whole published log, written from the specifications.

C2SP tlog-tiles, tlog-checkpoint and signed-note, RFC 9162 section 2.1: it reads every entry bundle
of the newest checkpoint, works out the tree of them level by level, and compares every tile that
the specification demands with what is published, byte for byte. Shares no code with the rooms, and
of other people's only Ed25519 and an HTTP client.
"""

import base64
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], bytes]
"""Path below the log's prefix to the bytes there; raises what it likes when there is nothing."""

_WIDTH = 256
_HASH = 32


class Wrong(AssertionError):
    """The published log is not what its checkpoint says."""


def from_directory(root: Path) -> Fetch:
    return lambda path: (root / path).read_bytes()


def from_http(client: httpx.Client, prefix: str) -> Fetch:
    def fetch(path: str) -> bytes:
        answer = client.get(f"{prefix}/{path}")
        if answer.status_code != 200:
            raise Wrong(f"{path}: status {answer.status_code}")
        return answer.content

    return fetch


def recheck(fetch: Fetch, vkey: str) -> int:
    """Recheck the log in full; the size of its newest checkpoint."""
    size, root = read_checkpoint(fetch("checkpoint"), vkey)
    level = 0
    hashes = _leaf_hashes(fetch, size)
    while hashes:
        _compare_tiles(fetch, level, hashes)
        hashes = [
            _subtree(hashes[first : first + _WIDTH])
            for first in range(0, len(hashes) - _WIDTH + 1, _WIDTH)
        ]
        level += 1
    if _root(fetch, size) != root:
        raise Wrong(f"the checkpoint of {size} leaves has another root than the tiles")
    return size


def read_checkpoint(note: bytes, vkey: str) -> tuple[int, bytes]:
    """Size and root of a checkpoint that the key (Ed25519) has signed."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    if key[0] != 1 or hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        raise Wrong("not an Ed25519 verifier key")
    text, separator, lines = note.decode().rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise Wrong("not a signed note")
    ours = []
    for line in lines.splitlines():
        dash, signer, signature = line.split(" ")
        blob = base64.b64decode(signature, validate=True)
        if (dash, signer, blob[:4].hex()) == ("\u2014", name, key_id):
            ours.append(blob[4:])
    if not ours:
        raise Wrong("not signed by that key")
    for made in ours:
        Ed25519PublicKey.from_public_bytes(key[1:]).verify(made, f"{text}\n".encode())
    origin, size, root = text.split("\n")
    if origin != name or str(int(size)) != size or len(base64.b64decode(root)) != _HASH:
        raise Wrong("not a checkpoint of that log")
    return int(size), base64.b64decode(root)


def _leaf_hashes(fetch: Fetch, size: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < size:
        number, width = len(found) // _WIDTH, min(_WIDTH, size - len(found))
        bundle = fetch(f"tile/entries/{_path(number, width)}")
        entries = list(_entries(bundle))
        if len(entries) != width:
            raise Wrong(f"bundle {number} has {len(entries)} entries, not {width}")
        found += [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    return found


def _entries(bundle: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(bundle):
        length = int.from_bytes(bundle[at : at + 2], "big")
        at += 2
        if at + length > len(bundle):
            raise Wrong("a bundle ends within an entry")
        yield bundle[at : at + length]
        at += length


def _compare_tiles(fetch: Fetch, level: int, hashes: list[bytes]) -> None:
    for first in range(0, len(hashes), _WIDTH):
        row = hashes[first : first + _WIDTH]
        path = f"tile/{level}/{_path(first // _WIDTH, len(row))}"
        if fetch(path) != b"".join(row):
            raise Wrong(f"{path} is not what the entries make of it")


def _subtree(row: list[bytes]) -> bytes:
    while len(row) > 1:
        row = [
            hashlib.sha256(b"\1" + left + right).digest()
            for left, right in zip(row[::2], row[1::2], strict=True)
        ]
    return row[0]


def _root(fetch: Fetch, size: int) -> bytes:
    """The root out of the published tiles alone: MTH of RFC 9162, over the partial ones."""
    parts: list[tuple[int, bytes]] = []
    """Perfect subtrees from left to right: height and hash."""
    for level in range(8):
        width = (size >> (8 * level)) % _WIDTH
        if width:
            number = size >> (8 * (level + 1))
            tile = fetch(f"tile/{level}/{_path(number, width)}")
            row = [tile[at : at + _HASH] for at in range(0, len(tile), _HASH)]
            parts = _perfect(row, 8 * level) + parts
    if not parts:
        return hashlib.sha256(b"").digest()
    root = parts[-1][1]
    for _, left in reversed(parts[:-1]):
        root = hashlib.sha256(b"\1" + left + root).digest()
    return root


def _perfect(row: list[bytes], height: int) -> list[tuple[int, bytes]]:
    parts = []
    while row:
        bits = len(row).bit_length() - 1
        parts.append((height + bits, _subtree(row[: 1 << bits])))
        row = row[1 << bits :]
    return parts


def _path(number: int, width: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups) + ("" if width == _WIDTH else f".p/{width}")


if __name__ == "__main__":
    place, key = sys.argv[1:]
    if place.startswith("http"):
        with httpx.Client(timeout=30) as client:
            print(recheck(from_http(client, place.rstrip("/")), key))
    else:
        print(recheck(from_directory(Path(place)), key))
